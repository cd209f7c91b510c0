"""The scale on which an axis of a gate was drawn, and the units of its coordinates.

A gate says of each axis whether it is logarithmic and whether it is scaled (biexponential):

- neither: instrument units;
- logarithmic only: decades, ``log10`` of the value (as CytoML reads it);
- both: channels, 4,096 a display, on a logicle with T = 262144, M = 4.5 decades and W = (M - log10(T / r)) / 2, but not
  below 0, where r is the scale value of that axis of the gate (as CytoML reads it).

Events beyond a display belong to its edge: they are kept inside the range of the display before they are gated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.diva.settings import Settings, flag, number
from il2cyto.exchange.xml import child_text
from il2cyto.transforms import Clamped, Log, Logicle, Transform

CHANNELS = 4096
_TOP, _DECADES = 262144.0, 4.5
_LAST = _TOP - 1.0
#: Decades of a logarithmic display that CytoML knows; the lowest value is that many below the top.
_KNOWN_DECADES = (4.0, 5.0)


class UnsupportedError(Exception):
    """A gate that cannot be taken over; the text is the reason for the tables."""


@dataclass(frozen=True)
class Scale:
    """An axis: coordinates become axis units by ``factor * x + offset``."""

    transform: Transform | None
    factor: float = 1.0
    offset: float = 0.0


def read_scale(gate: etree._Element, axis: str, parameter: str, settings: Settings, decades: float) -> Scale:
    """Return the scale of axis ``x`` or ``y`` of a gate.

    Parameters
    ----------
    gate
        The ``gate`` element.
    axis
        ``x`` or ``y``.
    parameter
        Name of the parameter on it.
    settings
        Those of the tube.
    decades
        ``log_decades`` of the experiment; NaN where it does not say.

    Raises
    ------
    UnsupportedError
        If the units of the coordinates cannot be told.
    """
    known = settings.parameters.get(parameter)
    if known is not None and known.is_time:
        raise UnsupportedError("FACSDiva gates time in ticks, whose length the experiment does not hold")
    scaled = flag(child_text(gate, f"is_{axis}_parameter_scaled"))
    log = flag(child_text(gate, f"is_{axis}_parameter_log"))
    if scaled is None or log is None:
        raise UnsupportedError(f"the gate does not say on which scale {parameter!r} stands")
    try:
        if scaled:
            if not log:
                raise UnsupportedError(
                    f"{parameter!r} is scaled and not logarithmic; programs that read FACSDiva disagree on the units"
                )
            return _biexponential(number(child_text(gate, f"{axis}_parameter_scale_value")), parameter)
        if log:
            end = known.maximum if known is not None and known.is_log and known.maximum else math.log10(_LAST)
            return _logarithmic(decades, end)
        if known is not None and known.is_log:
            raise UnsupportedError(
                f"the gate calls {parameter!r} linear and the settings logarithmic; the units cannot be told"
            )
        if known is None or known.minimum is None or known.maximum is None or not known.minimum < known.maximum:
            return Scale(None)
        return Scale(Clamped(None, known.minimum, math.nextafter(known.maximum, -math.inf)))
    except Il2CytoError as error:
        raise UnsupportedError(f"the scale of {parameter!r}: {error}") from error


def _biexponential(value: float, parameter: str) -> Scale:
    if not 0 <= value < math.inf:
        raise UnsupportedError(f"no biexponential scale is recorded for {parameter!r}")
    return Scale(_display(value), 1 / CHANNELS)


@lru_cache(maxsize=4096)
def _display(value: float) -> Clamped:
    """Every gate of every tube names its scale again, and there are few."""
    width = max((_DECADES - math.log10(_TOP / value)) / 2, 0.0) if value > 0 else 0.0
    return _inside(Logicle(T=_TOP, W=width, M=_DECADES, A=0.0), 0.0, (CHANNELS - 1) / CHANNELS)


def _logarithmic(decades: float, end: float) -> Scale:
    if decades not in _KNOWN_DECADES:
        raise UnsupportedError(
            "a logarithmic axis of an experiment of 4 or 5 decades is public, this one has "
            + ("none recorded" if math.isnan(decades) else f"{decades:g}")
        )
    offset = 1 - math.log10(_TOP) / decades
    return Scale(_inside(Log(T=_TOP, M=decades), 0.0, end / decades + offset), 1 / decades, offset)


def _inside(scale: Transform, bottom: float, top: float) -> Clamped:
    """Keep values in a display: at its lower end, and just below its upper end, so that both edges hold them."""
    return Clamped(
        scale, scale.smallest_reaching(bottom), math.nextafter(scale.smallest_reaching(top), -math.inf)
    )  # fmt: skip
