"""Doublets and debris by forward scatter, as shares of a tube: numbers to compare tubes by, not gates."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Deviations from the median of area over height beyond which an event is a doublet.
_DEVIATIONS: Final = 4.0
#: Forward scatter relative to that of lymphocytes below which an event is debris.
_SMALL: Final = 0.4


def doublet_share(area: FloatArray, height: FloatArray) -> float:
    """Return the share of events whose area is too large for their height, a fraction; NaN without events.

    Notes
    -----
    Area over height beyond the median plus 4 median absolute deviations (times 1.4826), as `RemoveDoublets` of PeacoQC.

    Examples
    --------
    >>> height = np.linspace(100.0, 200.0, 200)
    >>> area = height * np.where(np.arange(200) % 10 == 0, 1.8, 1.0) + np.arange(200) % 7
    >>> doublet_share(area, height)
    0.1
    """
    used = height > 0
    if not used.any():
        return float("nan")
    ratio = area[used] / height[used]
    middle = np.median(ratio)
    limit = middle + _DEVIATIONS * 1.4826 * np.median(np.abs(ratio - middle))
    return float(np.count_nonzero(ratio > limit)) / len(ratio)


def debris_share(scatter: FloatArray, lymphocytes: FloatArray) -> float:
    """Return the share of events with less than 0.4 of the lymphocytes' median forward scatter; NaN without either.

    Examples
    --------
    >>> debris_share(np.array([10.0, 90.0, 100.0, 110.0]), np.array([90.0, 100.0, 110.0]))
    0.25
    """
    if not len(scatter) or not len(lymphocytes):
        return float("nan")
    return float(np.count_nonzero(scatter < _SMALL * np.median(lymphocytes))) / len(scatter)
