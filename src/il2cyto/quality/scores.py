"""Events of a channel as normal scores, and their means in bins of equally many events."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

FloatArray = NDArray[np.float64]

#: Classes that the values of a channel fall into.
N_CLASSES: Final = 64
#: Events that the borders of the classes are taken from, evenly spaced over the acquisition.
_SAMPLE: Final = 20_000
#: Bins of an acquisition, about; and the smallest bin. Both keep the size of a bin a multiple of 8 events.
N_BINS: Final = 400
MIN_BIN_EVENTS: Final = 104


def bin_size(n_events: int) -> int:
    """Return the number of events in a bin, a multiple of 8.

    Examples
    --------
    >>> bin_size(80_000), bin_size(3_000)
    (200, 104)
    """
    return max(MIN_BIN_EVENTS, round(n_events / N_BINS / 8) * 8)


def normal_scores(values: FloatArray) -> FloatArray:
    """Return van der Waerden scores of values by `N_CLASSES` classes: mean 0, variance 1.

    They depend on the order of the values alone, so that no unit, gain, compensation or transform of a channel matters,
    and a few very bright events weigh no more than others. A constant channel has scores of 0.

    Parameters
    ----------
    values
        One channel, ``(n_events,)``; NaN counts as largest.

    Examples
    --------
    >>> scores = normal_scores(np.arange(1000.0))
    >>> round(float(scores.mean()), 12), round(float(scores.var()), 12), bool((np.diff(scores) >= 0).all())
    (0.0, 1.0, True)
    """
    sample = values[:: max(1, len(values) // _SAMPLE)]
    borders = np.quantile(sample, np.arange(1, N_CLASSES) / N_CLASSES)
    place = np.searchsorted(borders, values, side="right")
    shares = np.bincount(place, minlength=N_CLASSES) / len(values)
    middle = np.cumsum(shares) - shares / 2
    used = shares > 0
    score = np.zeros(N_CLASSES)
    score[used] = ndtri(middle[used])
    score -= shares @ score
    variance = float(shares @ score**2)
    if not variance > 0:
        return np.zeros(len(values))
    return np.asarray((score / np.sqrt(variance))[place], dtype=np.float64)


def bin_means(scores: FloatArray, size: int) -> FloatArray:
    """Return the mean of each bin of `size` events, ``(n_bins,)``; a last bin that is not whole is left out."""
    n_bins = len(scores) // size
    return np.asarray(scores[: n_bins * size].reshape(n_bins, size).mean(axis=1), dtype=np.float64)
