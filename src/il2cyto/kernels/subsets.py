"""Subsets by low and high on several axes: how events divide over them, and how thresholds count them.

A subset is a number whose binary digits, that of axis 0 first, say low (0) or high (1).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def divide(cells, weights, halves, share):
    """Divide weighted events over the subsets by their probabilities.

    Parameters
    ----------
    cells
        Cell of each event on each axis, int64 ``(n, k)``.
    weights
        Of the events, float64 ``(n,)``.
    halves
        Density of the low and the high cells of each axis, float64 ``(k, 2, cells)``.
    share
        Of the subsets, float64 ``(2**k,)``.

    Returns
    -------
    tuple
        Weight of each subset ``(2**k,)``, and of the low and high events in each cell ``(k, 2, cells)``.
    """
    n, k = cells.shape
    subsets = share.size
    total = np.zeros(subsets)
    sides = np.zeros(halves.shape)
    joint = np.empty(subsets)
    high = np.empty(k)
    for i in range(n):
        if weights[i] == 0.0:
            continue
        # axis by axis: the subsets of the axes so far, times low and high of the next
        joint[0] = 1.0
        size = 1
        for a in range(k):
            low_density, high_density = halves[a, 0, cells[i, a]], halves[a, 1, cells[i, a]]
            for s in range(size - 1, -1, -1):
                joint[2 * s + 1] = joint[s] * high_density
                joint[2 * s] = joint[s] * low_density
            size *= 2
        whole = 0.0
        for s in range(subsets):
            joint[s] *= share[s]
            whole += joint[s]
        if whole <= 0.0:
            continue
        scale = weights[i] / whole
        high[:] = 0.0
        for s in range(subsets):
            held = joint[s] * scale
            total[s] += held
            for a in range(k):
                if (s >> (k - 1 - a)) & 1:
                    high[a] += held
        for a in range(k):
            sides[a, 1, cells[i, a]] += high[a]
            sides[a, 0, cells[i, a]] += max(weights[i] - high[a], 0.0)
    return total, sides


@njit(cache=True, nogil=True)
def miscounted(places, low, width, below, share, targets, tolerance, counts_first):
    """Return what thresholds cost: wrong events of the targets, and counts that are off by more than the tolerance.

    Parameters
    ----------
    places, low, width
        Threshold of each axis, and the first border and the width of its cells, float64 ``(k,)``.
    below
        Share of the low and of the high cells of each axis below each border, float64 ``(k, 2, cells + 1)``.
    share
        Of the subsets, float64 ``(2**k,)``.
    targets
        Subsets that shall be right, int64.
    tolerance, counts_first
        Log ratio of counts that costs nothing, and the price of the square of what is beyond.

    Returns
    -------
    float
        Sum over the targets.
    """
    k = places.size
    subsets = share.size
    last = below.shape[2] - 1
    under = np.empty((k, 2))
    for a in range(k):
        at = (places[a] - low[a]) / width[a]
        at = min(max(at, 0.0), float(last))
        cell = min(int(at), last - 1)
        for side in range(2):
            start = below[a, side, cell]
            under[a, side] = start + (at - cell) * (below[a, side, cell + 1] - start)
    cost = 0.0
    for target in targets:
        inside = 0.0
        for s in range(subsets):
            value = share[s]
            for a in range(k):
                digit = (s >> (k - 1 - a)) & 1
                part = under[a, digit]
                value *= 1.0 - part if (target >> (k - 1 - a)) & 1 else part
            inside += value
            if s == target:
                hits = value
        members = share[target]
        off = abs(np.log(max(inside, 1e-9) / max(members, 1e-9))) - tolerance
        cost += 1.0 - 2.0 * hits / max(inside + members, 1e-9)
        if off > 0.0:
            cost += counts_first * off * off
    return cost
