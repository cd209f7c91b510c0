"""Clogs, bubbles and drift: stretches of an acquisition whose events are not like those of the rest.

Bins of equally many events are compared by the means of their normal scores in all channels at once (`distances`). What
a tube varies from bin to bin beyond counting widens the limits. A level that changes slowly is found by the best onset
of a curve in all channels together (`drift`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from il2cyto.quality.distances import common_level, correlations, excess_variance, far_from, runs, whitened
from il2cyto.quality.drift import find_onset
from il2cyto.quality.scores import bin_means, bin_size, normal_scores

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Kind = Literal["flow", "signal", "drift"]

#: Fewer bins than this tell nothing.
MIN_BINS: Final = 20
#: Change of a mean score from which a channel is named: in standard deviations of scores, and in standard errors.
_NAMED: Final = 0.1
_NAMED_ERRORS: Final = 4.0
#: A good stretch between two bad ones that is shorter than this many bins is bad as well.
_LEAST_GOOD: Final = 5
#: Flow relative to the median that is no longer called steady.
SLOW, FAST = 0.5, 2.0
#: Level whose change tells how much signal a channel lost: bright events, not the background.
_BRIGHT: Final = 0.9


@dataclass(frozen=True)
class Fault:
    """A stretch of the acquisition that is not like the rest.

    Attributes
    ----------
    kind
        ``flow``, the flow changed and the signal did not; ``signal``, events differ, with or without the flow;
        ``drift``, the signal leaves its level and does not come back.
    first, stop
        First event and the one after the last, in the order of the file; `first` is a multiple of 8, and so is `stop`
        unless it is the end.
    start_s, stop_s
        Time of the first event and of the one after the last, in s; NaN without a time channel in seconds.
    flow
        Flow relative to the median of the tube; NaN without a time channel.
    channels
        Channels that changed most, the worst first.
    change
        Change of the 90th percentile of the first of them, a fraction: -0.4 has lost 40 %. NaN where that percentile is
        not above zero. Of a drift: of its last third.
    """

    kind: Kind
    first: int
    stop: int
    start_s: float
    stop_s: float
    flow: float
    channels: tuple[str, ...]
    change: float


@dataclass(frozen=True)
class Stability:
    """What the course of an acquisition shows.

    Attributes
    ----------
    faults
        In the order of events; none overlaps another.
    bin_events
        Events of a bin.
    n_bins
        Bins that were compared; 0 if there were too few events.
    excess
        Variance between bins relative to that of counting, at least 1.
    reason
        Why nothing can be told, else empty.
    """

    faults: tuple[Fault, ...]
    bin_events: int
    n_bins: int
    excess: float = 1.0
    reason: str = ""

    def marked(self, n_events: int) -> BoolArray:
        """Return which events lie in a fault, ``(n_events,)``."""
        found = np.zeros(n_events, dtype=np.bool_)
        for fault in self.faults:
            found[fault.first : fault.stop] = True
        return found


def find_instability(values: FloatArray, names: Sequence[str], seconds: FloatArray | None = None) -> Stability:
    """Find stretches of an acquisition whose flow or signal is not like that of the rest.

    Parameters
    ----------
    values
        Events in the order of the acquisition, one column per channel of signal, ``(n_events, n_channels)``. Their
        unit does not matter; uncompensated values show a failing laser in the detectors that it feeds.
    names
        Names of the channels.
    seconds
        Time of each event, rising; in any unit, which `start_s` and `stop_s` of the faults then bear.

    Notes
    -----
    Hotelling's T² of bins, see the description of the module. PeacoQC (Emmaneel et al., Cytometry A 2022, 101:325)
    compares positions of density peaks by median absolute deviations and isolation trees instead; like there, good
    stretches of fewer than 5 bins between bad ones are called bad.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> values = rng.normal(1000, 100, (20_000, 3))
    >>> values[8_000:9_000] *= 0.6
    >>> [fault] = find_instability(values, ["FSC-A", "SSC-A", "PE-A"]).faults
    >>> fault.kind, fault.first, fault.stop, round(fault.change, 1)
    ('signal', 8008, 9048, -0.4)
    """
    n_events, size = len(values), bin_size(len(values))
    n_bins = n_events // size
    if n_bins < MIN_BINS:
        why = f"{n_events} events are too few to follow the acquisition, which takes {MIN_BINS * size}"
        return Stability((), size, 0, reason=why)
    columns = [np.ascontiguousarray(values[:, k]) for k in range(values.shape[1])]
    every = [normal_scores(column) for column in columns]
    used = [k for k, scores in enumerate(every) if scores.any()]
    if not used:
        return Stability((), size, 0, reason="no channel varies")
    scores = [every[k] for k in used]
    means = np.column_stack([bin_means(one, size) for one in scores])
    correlated = correlations(scores)
    distances = whitened(means, correlated, size)
    excess = excess_variance(distances)
    unstable = far_from(common_level(distances, excess), distances, excess)
    onset = find_onset([columns[k] for k in used], scores, means, distances, correlated, ~unstable, excess)
    if onset is not None and not unstable[:onset].all():
        # the level that the tube had before it drifted away
        unstable = far_from(np.median(distances[:onset][~unstable[:onset]], axis=0), distances, excess)
    flow = _flow(seconds, size, n_bins) if seconds is not None else np.full(n_bins, np.nan)
    # as many events in a bin as there are, the time that they take has a relative deviation of 1/√size
    uneven = (flow < SLOW) | (flow > FAST)
    last = n_bins if onset is None else onset
    states = _closed(unstable[:last] | uneven[:last])
    if onset is not None and last > 0 and states[-1]:
        # what runs into a drift is its beginning
        onset = last = runs(states)[-1][0]
        states = states[:last]
    reference = np.zeros(n_bins, dtype=np.bool_)
    reference[:last] = ~states
    stretches: list[tuple[Kind, int, int]] = [
        ("signal" if unstable[first:stop].any() else "flow", first, stop) for first, stop in runs(states)
    ]
    if onset is not None:
        stretches.append(("drift", onset, n_bins))
    good = np.repeat(reference, size)
    described = _Describer(values, names, used, means, good, reference, seconds, flow, size, excess)
    return Stability(tuple(described.fault(*stretch) for stretch in stretches), size, n_bins, excess)


def _flow(seconds: FloatArray, size: int, n_bins: int) -> FloatArray:
    """Events per time of each bin relative to the median bin."""
    edges = np.append(seconds[: n_bins * size : size], seconds[n_bins * size - 1])
    spans = np.diff(edges)
    middle = float(np.median(spans))
    with np.errstate(divide="ignore"):
        return np.asarray(middle / spans if middle > 0 else np.full(n_bins, np.nan), dtype=np.float64)


def _closed(bad: BoolArray) -> BoolArray:
    """Bad bins, and good stretches too short to stand between them."""
    found = bad.copy()
    for first, stop in runs(~bad):
        if first > 0 and stop < len(bad) and stop - first < _LEAST_GOOD:
            found[first:stop] = True
    return found


@dataclass(frozen=True)
class _Describer:
    """Says of a stretch when it was, how the events flowed and what changed most."""

    values: FloatArray
    names: Sequence[str]
    used: Sequence[int]
    means: FloatArray
    good: BoolArray
    reference: BoolArray
    seconds: FloatArray | None
    flow: FloatArray
    size: int
    excess: float

    def fault(self, kind: Kind, first: int, stop: int) -> Fault:
        start, end = first * self.size, stop * self.size
        n_events = len(self.values)
        # what is left over after the last whole bin shares its fate
        if stop == len(self.reference):
            end = n_events
        told = slice(first + 2 * (stop - first) // 3, stop) if kind == "drift" else slice(first, stop)
        base = self.means[self.reference].mean(axis=0) if self.reference.any() else np.median(self.means, axis=0)
        shift = np.abs(self.means[told].mean(axis=0) - base)
        least = max(_NAMED, _NAMED_ERRORS * float(np.sqrt(self.excess / self.size / max(1, told.stop - told.start))))
        worst = [self.used[k] for k in np.argsort(-shift, kind="stable") if shift[k] >= least]
        return Fault(
            kind, start, end, self._time(start), self._time(end), self._flow(first, stop),
            tuple(self.names[k] for k in worst), self._change(worst[0], told) if worst else float("nan"),
        )  # fmt: skip

    def _change(self, channel: int, told: slice) -> float:
        events = self.values[told.start * self.size : told.stop * self.size, channel]
        rest = self.values[: len(self.good), channel][self.good]
        if not rest.size:
            return float("nan")
        before, after = float(np.quantile(rest, _BRIGHT)), float(np.quantile(events, _BRIGHT))
        return after / before - 1.0 if before > 0 else float("nan")

    def _time(self, event: int) -> float:
        if self.seconds is None:
            return float("nan")
        return float(self.seconds[min(event, len(self.seconds) - 1)])

    def _flow(self, first: int, stop: int) -> float:
        flow = self.flow[first:stop]
        # bins hold equally many events: the flow of a stretch is the harmonic mean
        return float(1.0 / np.mean(1.0 / flow)) if np.isfinite(flow).all() else float("nan")
