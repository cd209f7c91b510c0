"""What goes wrong while a tube runs: a clog, a laser that fades, electronic events at the end of the range.

Faults are planted where the truth says, so that quality control can be measured against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from il2cyto.simulate.panels import SCATTER, TubePanel

#: What can be wrong with an event; the codes of truth files are places in this list.
FAULTS: Final = ("none", "unstable", "clog", "drift", "margin")
NONE, UNSTABLE_START, CLOG, DRIFT, MARGIN = range(len(FAULTS))
#: Flow during a clog relative to before.
_CLOGGED_RATE: Final = 0.2

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Fault:
    """A fault of one tube.

    Parameters
    ----------
    start, stop
        First and last of the events after the unstable start, as shares of them.
    size
        Share of the signal that is lost at the worst, or share of the events at the end of the range.
    channels
        Detectors that it shows in.
    """

    kind: Literal["clog", "drift", "margin"]
    start: float
    stop: float
    size: float
    channels: tuple[str, ...]

    @property
    def code(self) -> int:
        """Code of its events."""
        return FAULTS.index(self.kind)


def draw_fault(rng: np.random.Generator, panel: TubePanel, share: float) -> tuple[Fault, ...]:
    """A fault with probability `share`, the three kinds equally often.

    Examples
    --------
    >>> from il2cyto.simulate.panels import PANELS
    >>> draw_fault(np.random.default_rng(1), PANELS["NK"], 0.0)
    ()
    """
    happens, kind = rng.random() < share, int(rng.integers(3))
    start, length, size = rng.random(3).tolist()
    lasers = sorted({detector.laser for detector in panel.detectors})
    laser = lasers[int(rng.integers(len(lasers)))]
    worst = (*SCATTER[::2], panel.detectors[int(rng.integers(len(panel.detectors)))].channel)
    place = worst[int(rng.integers(len(worst)))]
    if not happens:
        return ()
    if kind == 0:
        first = 0.15 + 0.6 * start
        every = (*SCATTER, *(detector.channel for detector in panel.detectors))
        return (Fault("clog", first, first + 0.05 + 0.10 * length, 0.45 + 0.25 * size, every),)
    if kind == 1:
        lit = tuple(detector.channel for detector in panel.detectors if detector.laser == laser)
        return (Fault("drift", 0.3 + 0.4 * start, 1.0, 0.35 + 0.25 * size, lit),)
    return (Fault("margin", 0.0, 1.0, 0.02 + 0.04 * size, (place,)),)


def weaken(
    fault: Fault,
    panel: TubePanel,
    light: Floats,
    scatter: Floats,
    seconds: NDArray[np.float64],
    codes: NDArray[np.uint8],
) -> None:
    """Let a clog or a drift act, in place, on events after the unstable start (rows of all arrays).

    A clog slows the flow and takes light and scatter away; a drift is a laser that fades, with all dyes it excites.
    """
    n = len(seconds)
    first, last = int(fault.start * n), int(fault.stop * n)
    if fault.kind == "margin" or last <= first:
        return
    codes[first:last] = fault.code
    progress = np.linspace(0.0, 1.0, last - first)
    if fault.kind == "clog":
        factor = (1 - fault.size * np.sin(np.pi * progress) ** 0.5).astype(np.float32)
        light[first:last] *= factor[:, None]
        scatter[first:last] *= factor[:, None]
        gaps = np.diff(seconds[first:last], prepend=seconds[first])
        lost = gaps * (1 / _CLOGGED_RATE - 1)
        seconds[first:last] += np.cumsum(lost)
        seconds[last:] += lost.sum()
        return
    factor = (1 - fault.size * progress).astype(np.float32)
    for column, detector in enumerate(panel.detectors):
        if detector.channel in fault.channels:
            light[first:last, column] *= factor


def margin_events(rng: np.random.Generator, fault: Fault, n: int) -> NDArray[np.intp]:
    """Which of `n` events an electronic fault puts at the end of the range, in increasing order."""
    chosen: NDArray[np.intp] = np.flatnonzero(rng.random(n) < fault.size)
    return chosen
