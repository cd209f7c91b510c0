"""When events happened: the time channel, and the wall clock of the acquisition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import FcsError
from il2cyto.sample import Repair, Sample

_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:([:.])([0-9]{1,6}))?")
_DAY = 86_400.0


@dataclass(frozen=True)
class Elapsed:
    """Seconds since the clock began, one per event, and how often the clock had run over."""

    seconds: NDArray[np.float64]
    n_wraps: int


@dataclass(frozen=True)
class Acquisition:
    """Wall-clock times of an acquisition in seconds since midnight, ``None`` where the file does not say.

    Attributes
    ----------
    begin, end
        ``$BTIM`` and ``$ETIM``; `end` is larger than a day where midnight fell between them.
    repairs
        What was assumed.
    """

    begin: float | None
    end: float | None
    repairs: tuple[Repair, ...]

    @property
    def duration(self) -> float | None:
        """Seconds from begin to end."""
        return None if self.begin is None or self.end is None else self.end - self.begin


def elapsed(sample: Sample) -> Elapsed:
    """Return the time of every event in seconds, with the overflow of the clock undone.

    A clock of 16 or 18 bits runs over within a long acquisition: time then falls by nearly its whole range from one
    event to the next, and that range is added from there on. Smaller steps back (events written out of order) stay.

    Parameters
    ----------
    sample
        With a time channel; a high word (``TIME MSW``) is added to the low one.

    Returns
    -------
    Elapsed
        ``seconds`` float64 ``(n_events,)``; ticks where the file gives no ``$TIMESTEP``.

    Raises
    ------
    FcsError
        If the sample has no time channel.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from il2cyto.fcs import read_fcs, write_fcs
    >>> ticks = np.array([[65000], [65500], [100]], dtype="u2")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_fcs(ticks, folder + "/a.fcs", channels=["Time"], timestep=0.01)
    ...     found = elapsed(read_fcs(folder + "/a.fcs"))
    >>> found.seconds, found.n_wraps
    (array([650.  , 655.  , 656.36]), 1)
    """
    clocks = [channel.index for channel in sample.channels if channel.is_time]
    if not clocks:
        raise FcsError("{file}: has no time channel", file=sample.id)
    low = clocks[0] if len(clocks) == 1 else min(clocks, key=lambda i: float(sample.layout.argument[i]))
    words = [i for i in clocks if i == low or sample.layout.argument[i] > sample.layout.argument[low]]
    seconds = sample.linear(words).sum(axis=1)
    span = _range_of_clock(sample, low)
    if len(words) > 1 or span is None or seconds.size < 2:
        return Elapsed(seconds, 0)
    wraps = np.concatenate([[0], np.cumsum(np.diff(seconds) < -span / 2)])
    return Elapsed(seconds + wraps * span, int(wraps[-1]))


def _range_of_clock(sample: Sample, index: int) -> float | None:
    """Return the seconds after which the clock starts anew."""
    channel = sample.channels[index]
    step = float(sample.layout.argument[index])
    if channel.datatype == "I":
        return float(int(sample.layout.mask[index]) + 1) * step
    return channel.range * step if channel.range > 1 else None


def acquisition(keywords: Mapping[str, str], version: str) -> Acquisition:
    """Read ``$BTIM`` and ``$ETIM``.

    A fourth part after a colon counts sixtieths of a second in FCS 2.0 and 3.0 and, after a full stop, hundredths from
    3.1 on; Accuri writes hundredths into a 3.0 file, which shows where the part exceeds 59. An end before the begin
    means that midnight fell between them.

    Parameters
    ----------
    keywords
        Keywords in capitals.
    version
        FCS version.
    """
    repairs: list[Repair] = []
    parts = {key: _CLOCK.fullmatch(keywords.get(key, "").strip()) for key in ("$BTIM", "$ETIM")}
    for key, match in parts.items():
        if match is None and keywords.get(key, "").strip():
            repairs.append(Repair(key, keywords[key].strip(), "no time", False))
    hundredths = any(match and match[4] == ":" and int(match[5]) > 59 for match in parts.values())
    if hundredths and version < "FCS3.1":
        repairs.append(Repair("$BTIM", "a fraction above 59", "hundredths of a second, not sixtieths", False))
    begin, end = (_seconds(match, version, hundredths) for match in parts.values())
    if begin is not None and end is not None and end < begin:
        end += _DAY
        repairs.append(Repair("$ETIM", "before $BTIM", "the day after", False))
    return Acquisition(begin, end, tuple(repairs))


def _seconds(match: re.Match[str] | None, version: str, hundredths: bool) -> float | None:
    if match is None:
        return None
    whole = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    if match[5] is None:
        return float(whole)
    if match[4] == ".":
        return float(f"{whole}.{match[5]}")
    return whole + int(match[5]) / (100 if hundredths or version >= "FCS3.1" else 60)
