"""One axis per parameter, as FlowJo has it, and the way from our axis units to its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from il2cyto.errors import StrategyError
from il2cyto.exchange.gatingml.elements import number, put
from il2cyto.transforms import Arcsinh, Clamped, FlowJoBiex, FlowJoLinear, Hyperlog, Linear, Log, Logicle, Transform

FloatArray = NDArray[np.float64]
#: Channels of FlowJo's display.
CHANNELS = 256.0


@dataclass(frozen=True)
class Use:
    """A scale on which a shape is drawn, and how far the shape reaches on it, in its units.

    `vertices` tells that the shape has corners, which FlowJo keeps in instrument units.
    """

    transform: Transform | None
    low: float
    high: float
    vertices: bool = False


@dataclass(frozen=True)
class Scale:
    """An axis of FlowJo: the scale, and the element that says it."""

    transform: Transform
    element: str
    attributes: tuple[tuple[str, str], ...]

    def write(self, parent: etree._Element, parameter: str) -> None:
        """Append the axis of a parameter."""
        attributes = {key if key == "gain" else f"transforms__{key}": value for key, value in self.attributes}
        put(put(parent, f"transforms:{self.element}", **attributes), "data-type:parameter", data_type__name=parameter)

    def moved(self, transform: Transform | None, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions on another scale as instrument units, and as channels of the display."""
        raw = positions if transform is None else transform.inverse(positions)
        shown = self.transform.apply(raw)
        length = self.transform.length if isinstance(self.transform, FlowJoBiex) else 1.0
        return np.asarray(raw, dtype=np.float64), shown * (CHANNELS / length)


def linear_scale(top: float, gain: float = 1.0) -> Scale:
    """Return a linear axis from 0."""
    return Scale(Linear(T=top), "linear", (("minRange", "0"), ("maxRange", number(top)), ("gain", number(gain))))


def choose(uses: list[Use], shown: Transform | None, top: float, gain: float) -> Scale:
    """Return the axis of a parameter.

    Parameters
    ----------
    uses
        Scales of polygons and ellipses on the parameter.
    shown
        The scale of pictures and rectangles, for where no shape decides; rectangles are exact on every axis.
    top, gain
        Range of the channel, instrument units, and its time step where it is a clock.

    Raises
    ------
    StrategyError
        If shapes are drawn on two scales, or on one that FlowJo does not have. The message speaks of the parameter as
        ``{shown}``.
    """
    families = {_family(use.transform) for use in uses}
    if len(families) > 1:
        raise StrategyError("is drawn on two scales, and FlowJo has one axis per parameter; draw its gates on one")
    if not uses:
        uses = [Use(shown, 1.0, 1.0)] if _family(shown) is not None else []
    family = _family(uses[0].transform) if uses else _LINEAR
    if family is None:
        raise StrategyError("is drawn on a scale that FlowJo lacks; draw its gates on another")
    if family == _LINEAR:
        return linear_scale(top, gain)
    if family == _LOG:
        return _log(uses)
    transform = uses[0].transform
    if isinstance(transform, FlowJoBiex):
        if any(_beyond(use) for use in uses):
            raise StrategyError("has a gate that reaches beyond its FlowJo table, where FlowJo has no place for it")
        whole = FlowJoBiex(CHANNELS, transform.maximum, transform.negative, transform.width, transform.positive)
        return Scale(
            whole, "biex",
            (
                ("length", "256"), ("maxRange", number(whole.maximum)), ("neg", number(whole.negative)),
                ("width", number(whole.width)), ("pos", number(whole.positive)),
            ),
        )  # fmt: skip
    if isinstance(transform, (Logicle, Hyperlog)):
        name = "logicle" if isinstance(transform, Logicle) else "hyperlog"
        keys = (("T", transform.T), ("A", transform.A), ("W", transform.W), ("M", transform.M))
        return Scale(transform, name, (("length", "256"), *((key, number(value)) for key, value in keys)))
    if isinstance(transform, Arcsinh):
        keys = (("maxRange", transform.T), ("T", transform.T), ("A", transform.A), ("M", transform.M))
        written = tuple((key, number(value)) for key, value in keys)
        return Scale(transform, "fasinh", (("length", "256"), *written, ("W", "-10")))
    raise TypeError(f"no scale: {transform!r}")


_LINEAR, _LOG = "linear", "log"


def _beyond(use: Use) -> bool:
    """Whether a corner lies where no value of a FlowJo table does."""
    table = use.transform
    return use.vertices and isinstance(table, FlowJoBiex) and (use.low < 0 or use.high > table.length)


def _family(transform: Transform | None) -> object:
    """What two scales share if a shape on one is a shape on the other; ``None`` for a scale that FlowJo lacks."""
    if transform is None or isinstance(transform, (Linear, FlowJoLinear)):
        return _LINEAR
    if isinstance(transform, Log) or _is_flowjo_log(transform):
        return _LOG
    if isinstance(transform, FlowJoBiex):
        return ("biex", transform.maximum, transform.negative, transform.width, transform.positive)
    return transform if isinstance(transform, (Logicle, Hyperlog, Arcsinh)) else None


def _is_flowjo_log(transform: Transform | None) -> bool:
    """Whether a scale is FlowJo's logarithm, on which everything below the axis stands at its lower end."""
    if not isinstance(transform, Clamped) or not isinstance(transform.inner, Log) or transform.maximum is not None:
        return False
    offset = transform.inner.T / 10.0**transform.inner.M
    return transform.minimum is not None and bool(np.isclose(transform.minimum, offset, rtol=1e-9))


def _log(uses: list[Use]) -> Scale:
    """Return a logarithmic axis that begins below every shape, so that what FlowJo puts at its end is outside."""
    fixed = [use.transform for use in uses if isinstance(use.transform, Clamped)]
    if fixed and isinstance(fixed[0].inner, Log):
        if len(set(fixed)) > 1 or any(isinstance(use.transform, Log) and use.low <= 0 for use in uses):
            raise StrategyError("is drawn on two logarithmic axes that begin at different values; draw them on one")
        top, decades = fixed[0].inner.T, fixed[0].inner.M
    else:
        logs = [use for use in uses if isinstance(use.transform, Log)]
        top = max(use.transform.T for use in logs if isinstance(use.transform, Log))
        bottom = min(
            np.log10(use.transform.T) - use.transform.M * max(1.0, 2.0 - use.low if use.low <= 0 else 1.0)
            for use in logs
            if isinstance(use.transform, Log)
        )
        decades = float(np.log10(top) - bottom)
    offset = top / 10.0**decades
    return Scale(
        Clamped(Log(T=offset * 10.0**decades, M=decades), minimum=offset), "log",
        (("offset", number(offset)), ("decades", number(decades))),
    )  # fmt: skip
