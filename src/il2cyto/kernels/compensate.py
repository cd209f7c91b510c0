"""Compensation as dot products in a fixed order, so that a channel's value never depends on its company."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def all_channels(values, weights):
    """``out[e, k] = sum_j weights[k, j] * values[e, j]``, summed in the order of `j`, in float64."""
    n, m = values.shape
    k = weights.shape[0]
    out = np.zeros((n, k), np.float64)
    for e in range(n):
        for c in range(k):
            total = 0.0
            for j in range(m):
                total += weights[c, j] * values[e, j]
            out[e, c] = total
    return out
