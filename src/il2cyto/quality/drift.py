"""The bin from which the signal of a tube drifts away: a laser that fades, a dye that bleaches, a flow that widens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from il2cyto.quality.distances import BIN_CHANCE, runs, whitened

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Chance that an undisturbed tube is said to drift.
_CHANCE: Final = 1e-12
#: Least change of brightness that is called a drift, a fraction, and how many standard errors of a mean score it takes
#: to tell it. Less is found in most tubes, and moves no event across a gate that is worth to have.
LEAST_FACTOR: Final = 0.10
_ERRORS: Final = 6.0
#: How often stretches that come back to their level are taken out before the onset is sought again.
_ROUNDS: Final = 4
#: Latest onset, a share of the bins.
_LATEST: Final = 0.97
#: Bins between the onsets that are tried first.
_COARSE: Final = 3
#: Brightness, relative to the tube's own, whose scores are looked up.
_FACTORS: Final = np.exp(np.linspace(np.log(0.25), np.log(2.5), 24))
#: Events that are dimmed to learn how scores follow brightness.
_SAMPLE: Final = 4_000


def find_onset(
    values: Sequence[FloatArray],
    scores: Sequence[FloatArray],
    means: FloatArray,
    distances: FloatArray,
    correlations: FloatArray,
    steady: BoolArray,
    excess: float,
) -> int | None:
    """Return the bin from which the signal drifts away, ``None`` if it does not.

    Parameters
    ----------
    values, scores
        Events and their normal scores, one array per channel.
    means, distances, correlations
        Mean scores of the bins, ``(n_bins, n_channels)``; the same made independent; how channels correlate.
    steady
        Which bins are at the level of the tube.
    excess
        Variance between bins relative to that of counting.

    Notes
    -----
    Whether there is a drift is asked of the scores: for each onset a parabola, or a jump with a slope, from there to
    the end is fitted to all channels by least squares, and what the best explains of the squared distances has to
    exceed the quantile of χ². Where it begins is asked of the brightness: each mean score is replaced by the factor by
    which the tube's own steady events would have to be dimmed to score as much, for scores follow a fading laser in a
    curve, and a curve seems to begin too early. Unstable bins before an onset have no say. Those behind it have one if
    the drift explains them. A change of less than 10 % is no drift.
    """
    least = excess * chi2.isf(_CHANCE, 2 * distances.shape[1])
    transient = np.zeros(len(steady), dtype=np.bool_)
    for _ in range(_ROUNDS):
        found = _best(distances, steady, transient, bent=True)
        if found is None or not found.gain > least:
            return None
        passing = _unexplained(distances, found, steady, excess) & ~transient
        if not passing.any():
            break
        transient |= passing
    else:
        return None
    size = len(values[0]) // len(means)
    around = np.convolve(~steady, np.ones(3), "same") == 0
    brightness, slopes = _brightness(values, scores, means, around)
    finer = _best(whitened(brightness * slopes, correlations, size), around, transient, bent=False) or found
    return finer.onset if _matters(brightness, means, around, finer.onset, excess / size) else None


def _unexplained(distances: FloatArray, found: _Fit, steady: BoolArray, excess: float) -> BoolArray:
    """Unstable stretches behind an onset that the drift does not explain: what comes back to its level is no drift."""
    left = distances - distances[found.used].mean(axis=0) - found.course(distances)
    far = (left**2).sum(axis=1) > excess * chi2.isf(BIN_CHANCE, distances.shape[1])
    result = np.zeros(len(steady), dtype=np.bool_)
    unstable = ~steady & (np.arange(len(steady)) >= found.onset)
    for first, stop in runs(unstable):
        result[first:stop] = far[first:stop].mean() > 0.5
    return result


@dataclass(frozen=True)
class _Fit:
    """The best of all onsets: what it explains, the bins that it was fitted to, its curves, orthonormal over these."""

    gain: float
    onset: int
    used: BoolArray
    basis: FloatArray

    def course(self, table: FloatArray) -> FloatArray:
        """The fitted course of the columns of a table, without their mean."""
        return np.asarray(self.basis.T @ (self.basis[:, self.used] @ table[self.used]), dtype=np.float64)


def _best(distances: FloatArray, steady: BoolArray, transient: BoolArray, *, bent: bool) -> _Fit | None:
    n_bins = len(steady)
    # whether there is a drift needs no exact onset
    onsets = np.arange(2, max(3, int(_LATEST * n_bins)), _COARSE if bent else 1)[:, None]
    bins = np.arange(n_bins)[None, :]
    weights = ((steady[None, :] | (bins >= onsets)) & ~transient[None, :]).astype(np.float64)
    # an onset needs bins before it to tell the level that is left
    before = (weights * (bins < onsets)).sum(axis=1) >= 2
    behind = (bins >= onsets).astype(np.float64)
    since = np.clip((bins + 0.5 - onsets) / (n_bins - onsets), 0.0, None)
    shapes = ((since, since**2), (behind, since)) if bent else ((since,), (behind,))
    best: _Fit | None = None
    for curves in shapes:
        basis = _orthonormal(weights, curves)
        along = (weights * basis) @ distances
        gain = np.where(before, (along**2).sum(axis=(0, 2)), 0.0)
        place = int(np.argmax(gain))
        if gain[place] > (best.gain if best is not None else 0.0):
            best = _Fit(float(gain[place]), int(onsets[place, 0]), weights[place] > 0, basis[:, place])
    return best


def _orthonormal(weights: FloatArray, curves: Sequence[FloatArray]) -> FloatArray:
    """Curves without their mean, orthonormal over the used bins of each onset, ``(n_curves, n_onsets, n_bins)``."""
    number = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    basis: list[FloatArray] = []
    for curve in curves:
        rest = curve - (weights * curve).sum(axis=1, keepdims=True) / number
        for other in basis:
            rest = rest - (weights * rest * other).sum(axis=1, keepdims=True) * other
        length = np.sqrt((weights * rest**2).sum(axis=1, keepdims=True))
        basis.append(np.where(length > 1e-6, rest / np.maximum(length, 1e-6), 0.0))
    return np.stack(basis)


def _matters(brightness: FloatArray, means: FloatArray, steady: BoolArray, onset: int, variance: float) -> bool:
    """Whether a channel has become brighter or dimmer by more than matters, in events that show it."""
    late = slice(onset + 2 * (len(means) - onset) // 3, None)
    early = steady[:onset]
    if not early.any():
        return False
    factor = np.median(brightness[late], axis=0) / np.median(brightness[:onset][early], axis=0)
    shift = np.median(means[late], axis=0) - np.median(means[:onset][early], axis=0)
    # medians of bins, each of which has this variance
    error = 1.2533 * np.sqrt(variance * (1 / early.sum() + 1 / len(means[late])))
    return bool(((np.abs(factor - 1.0) >= LEAST_FACTOR) & (np.abs(shift) >= _ERRORS * error)).any())


def _brightness(
    values: Sequence[FloatArray], scores: Sequence[FloatArray], means: FloatArray, steady: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Brightness of bins relative to the steady ones, ``(n_bins, n_channels)``, and how scores rise with it there."""
    found, slopes = np.ones_like(means), np.zeros(means.shape[1])
    size = len(values[0]) // len(means)
    for k, (channel, its) in enumerate(zip(values, scores, strict=True)):
        events = channel[: len(steady) * size].reshape(len(steady), size)[steady].reshape(-1)
        events = events[:: max(1, len(events) // _SAMPLE)]
        order = np.argsort(channel, kind="stable")
        places = np.searchsorted(channel[order], np.outer(_FACTORS, events))
        expected = np.maximum.accumulate(its[order][np.minimum(places, len(order) - 1)].mean(axis=1))
        # strictly rising, so that each score has one brightness
        expected = expected + 1e-9 * np.arange(len(expected))
        own, above, below = np.interp([1.0, 1.1, 0.9], _FACTORS, expected)
        found[:, k] = np.interp(means[:, k] - np.median(means[steady, k]) + own, expected, _FACTORS)
        slopes[k] = (above - below) / 0.2
    return found, slopes
