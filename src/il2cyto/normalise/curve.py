"""A monotone curve through pairs of quantiles, straight beyond its ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

FloatArray = NDArray[np.float64]


def knots(quantiles: ArrayLike, goal: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Quantiles without repeats, and for each the mean of the goals that it has.

    A marker that many events lack has one value at several levels, and a curve can send it to one place only.

    Parameters
    ----------
    quantiles
        Shape (n_levels,), not decreasing, transformed scale.
    goal
        Shape (n_levels,), not decreasing, transformed scale.

    Returns
    -------
    tuple
        Two arrays of one length, at most n_levels; the first increases, the second does not decrease.

    Examples
    --------
    >>> [array.tolist() for array in knots([0.0, 0.0, 1.0, 2.0], [0.0, 0.5, 1.5, 2.5])]
    [[0.0, 1.0, 2.0], [0.25, 1.5, 2.5]]
    """
    x, first, n = np.unique(np.asarray(quantiles, dtype=np.float64), return_index=True, return_counts=True)
    y = np.add.reduceat(np.asarray(goal, dtype=np.float64), first) / n
    # rounding of the means must not make a step down
    return x, np.maximum.accumulate(y)


def follow(quantiles: Sequence[float], goal: Sequence[float], values: ArrayLike, *, slope: float) -> FloatArray:
    """Send values along the monotone cubic from quantiles to their goal.

    Parameters
    ----------
    quantiles
        Quantiles of a batch, shape (n_levels,), not decreasing, at least two of them different; transformed scale.
    goal
        Where each quantile goes, shape (n_levels,), not decreasing.
    values
        Shape (n,), transformed scale. NaN stays NaN.
    slope
        Slope of the straight lines below the first and above the last quantile; 1 moves all values there as far as
        the quantile.

    Returns
    -------
    numpy.ndarray
        Shape (n,); the order of the values is kept.

    Notes
    -----
    Between the knots: Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300, as in
    `scipy.interpolate.PchipInterpolator`, which never overshoots.

    Examples
    --------
    >>> follow([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [-5.0, 0.5, 4.0], slope=1.0).tolist()
    [-4.0, 1.5, 5.0]
    >>> follow([0.0, 1.0], [0.0, 2.0], [-1.0, 0.5, 2.0], slope=0.5).tolist()
    [-0.5, 1.0, 2.5]
    """
    x, y = knots(quantiles, goal)
    at = np.asarray(values, dtype=np.float64)
    inside = np.clip(PchipInterpolator(x, y)(np.clip(at, x[0], x[-1])), y[0], y[-1])
    outside = np.where(at < x[0], at - x[0], np.where(at > x[-1], at - x[-1], 0.0))
    moved: FloatArray = inside + slope * outside
    return moved
