"""How far bins of an acquisition are from one another, in all channels at once.

Were every event drawn from the same mixture of cells, the squared distance of a bin from the centre, in the metric of
the correlations between channels, would follow χ² with one degree of freedom per channel (Hotelling's T²).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Chance that a bin of an undisturbed tube is called unstable.
BIN_CHANCE: Final = 1e-6
#: Bins of a window in which a weak disturbance adds up.
_WINDOW: Final = 8
#: Share of independent variation that is granted to every channel: twins such as FSC-A and FSC-H differ by so little
#: that a breath of change between them would outweigh all others.
_RIDGE: Final = 0.02
#: Events that correlations are taken from.
_SAMPLE: Final = 20_000


def correlations(scores: Sequence[FloatArray]) -> FloatArray:
    """Correlations between channels, drawn a little towards none, so that twins such as FSC-A and FSC-H can be told."""
    table = np.stack(scores)
    step = max(1, table.shape[1] // _SAMPLE)
    found = np.atleast_2d(np.corrcoef(table[:, ::step]))
    return np.asarray(found + _RIDGE * np.eye(len(scores)), dtype=np.float64)


def whitened(means: FloatArray, correlations: FloatArray, size: int) -> FloatArray:
    """Means of bins on axes that are independent with variance 1 if all events are alike."""
    lower = np.linalg.cholesky(correlations)
    return np.asarray(np.linalg.solve(lower, means.T).T * np.sqrt(size))


def excess_variance(distances: FloatArray) -> float:
    """Variance between neighbouring bins relative to that of counting; a slow change does not enter."""
    steps = (np.diff(distances, axis=0) ** 2).sum(axis=1) / 2
    return max(1.0, float(np.median(steps) / chi2.median(distances.shape[1])))


def common_level(distances: FloatArray, excess: float) -> FloatArray:
    """Level that most bins share: of a tube that drifts the one before, which a median over all bins is not."""
    half = _WINDOW // 2
    total = np.cumsum(np.concatenate([np.zeros((1, distances.shape[1])), distances]), axis=0)
    centres = (total[2 * half :] - total[: -2 * half]) / (2 * half)
    near = excess * chi2.median(distances.shape[1]) * (1 + 1 / (2 * half))
    squares = (centres**2).sum(axis=1)[:, None] + (distances**2).sum(axis=1)[None, :] - 2 * centres @ distances.T
    members = squares <= near
    return np.asarray(np.median(distances[members[int(np.argmax(members.sum(axis=1)))]], axis=0))


def far_from(centre: FloatArray, distances: FloatArray, excess: float) -> BoolArray:
    """Bins that are too far from the centre, alone or as a window."""
    away = distances - centre
    strong = (away**2).sum(axis=1) > excess * chi2.isf(BIN_CHANCE, distances.shape[1])
    return np.asarray(strong | _weak(away, strong, excess))


def _weak(distances: FloatArray, strong: BoolArray, excess: float) -> BoolArray:
    """Bins of a window whose mean is too far away, where each of them is not; `strong` ones tell of themselves."""
    n_bins, p = distances.shape
    rest = np.where(strong[:, None], 0.0, distances)
    total = np.concatenate([np.zeros((1, p)), np.cumsum(rest, axis=0)])
    number = np.concatenate([[0], np.cumsum(~strong)])
    sums, left = total[_WINDOW:] - total[:-_WINDOW], number[_WINDOW:] - number[:-_WINDOW]
    far = (sums**2).sum(axis=1) > np.maximum(left, 1) * excess * chi2.isf(BIN_CHANCE / 100, p)
    # a window tells that there is something; the bins that stand out against their noise tell where
    single = (rest**2).sum(axis=1) > excess * chi2.isf(0.05, p)
    found = np.zeros(n_bins, dtype=np.bool_)
    for start in np.flatnonzero(far):
        found[start : start + _WINDOW] |= single[start : start + _WINDOW]
    return found


def runs(states: BoolArray) -> list[tuple[int, int]]:
    """First and one after the last of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(np.int8), [0]])))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]
