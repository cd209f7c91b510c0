"""A lattice of cells over a two-dimensional gate: inside, outside or edge without transforming an event.

The cell of a value is found by arithmetic alone: a bucket that grows with the value, and a table from buckets to
cells. Borders of cells are borders of buckets, so that the answer is exact; where borders are given (channels of a
display) the buckets that one of them divides are `DIVIDED`, and their events are compared with the borders.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from il2cyto.kernels.shapes import crossing_parity, quadratic_form
from il2cyto.kernels.transform import ordered, unordered

#: Cells per axis.
LATTICE = 128
#: Index of everything above the lattice, and of a bucket that a border divides; 0 is everything below.
ABOVE, DIVIDED = LATTICE + 1, LATTICE + 2
SIDE = LATTICE + 3
#: Buckets per axis.
BUCKETS = 4096
#: How values become buckets: evenly, or by the logarithm of ``|x| + offset`` on either side of 0.
EVEN, SIGNED_LOG = range(2)
#: Columns of the scale of an axis: its kind; lowest value, buckets per unit; offset, shift and first of the logarithm.
KIND, BASE, DENSITY, OFFSET, SHIFT, FIRST = range(6)
SCALE_COLUMNS = 6
UNDEFINED, CELL_OUT, CELL_IN, CELL_EDGE, CELL_MIXED = range(-1, 4)

_HALF = BUCKETS // 2


@njit(cache=True, nogil=True)
def _even(x, base, density):
    # monotone step by step; comparisons put NaN into bucket 0
    at = (x - base) * density
    at = at if at > 0.0 else 0.0
    return np.int32(at if at < BUCKETS - 1.0 else BUCKETS - 1.0)


@njit(cache=True, nogil=True)
def _signed_log(x, offset, shift, first):
    """Bucket by the leading bits of a single, which rise like a logarithm."""
    size = (np.float32(abs(x) + offset).view(np.int32) >> shift) - first
    size = size if size > 0 else np.int32(0)
    size = size if size < _HALF - 1 else np.int32(_HALF - 1)
    return np.int32(_HALF) - size if x < 0.0 else np.int32(_HALF) + size


@njit(cache=True, nogil=True)
def bucket(x, scale):
    """Bucket of one value."""
    if scale[KIND] == EVEN:
        return _even(x, scale[BASE], scale[DENSITY])
    return _signed_log(x, scale[OFFSET], np.int32(scale[SHIFT]), np.int32(scale[FIRST]))


@njit(cache=True, nogil=True)
def fill_buckets(x, members, total, m, scale, out):
    """Fill ``out[e]`` with the bucket of ``x[e]``: for the members, or for all `m` events where that is quicker."""
    base, density, offset = scale[BASE], scale[DENSITY], scale[OFFSET]
    shift, first = np.int32(scale[SHIFT]), np.int32(scale[FIRST])
    even = scale[KIND] == EVEN
    if 8 * total > m:
        # vectors of events
        if even:
            for e in range(m):
                out[e] = _even(x[e], base, density)
        else:
            for e in range(m):
                out[e] = _signed_log(x[e], offset, shift, first)
    elif even:
        for t in range(total):
            out[members[t]] = _even(x[members[t]], base, density)
    else:
        for t in range(total):
            out[members[t]] = _signed_log(x[members[t]], offset, shift, first)


@njit(cache=True, nogil=True)
def all_defined(x, domain, members, total, m):
    """Whether every value reaches the domain; may say no for values of events that are no members."""
    below = 0
    if 8 * total > m:
        for e in range(m):
            below += not x[e] >= domain
    else:
        for t in range(total):
            below += not x[members[t]] >= domain
    return below == 0


@njit(cache=True, nogil=True)
def cell_states(bucket_x, bucket_y, members, total, table_x, table_y, cells, states):
    """Look up the state of every member; `table_x` holds cells times `SIDE`."""
    for t in range(total):
        e = np.uint64(members[t])
        # unsigned indices need no wrap-around
        x = np.uint64(table_x[np.uint64(bucket_x[e])])
        states[e] = cells[x + np.uint64(table_y[np.uint64(bucket_y[e])])]


@njit(cache=True, nogil=True)
def divided_state(x, y, borders, cells):
    """State of an event whose bucket a border divides, found by its borders; `borders` one row per axis."""
    at = 0
    for axis in range(2):
        value = x if axis == 0 else y
        low, high = 0, LATTICE + 1
        while low < high:
            half = (low + high) >> 1
            if borders[axis, half] <= value:
                low = half + 1
            else:
                high = half
        at = at * SIDE + low
    return cells[at]


@njit(cache=True, nogil=True)
def bucket_starts(scale, numbers, out):
    """Smallest float64 in each of some buckets; the first bucket begins at the lowest float64."""
    bottom, top = ordered(-np.finfo(np.float64).max), ordered(np.finfo(np.float64).max)
    for k in range(numbers.shape[0]):
        low, high = bottom, top
        while low < high:
            half = (low >> 1) + (high >> 1) + (low & high & 1)
            if bucket(unordered(half), scale) >= numbers[k]:
                high = half
            else:
                low = half + 1
        out[k] = unordered(high)


@njit(cache=True, nogil=True)
def fill_table(borders, scale, unit, table):
    """Fill the table from buckets to cells (times `unit`) for borders in rising order; infinite ones are allowed."""
    table[:] = 0
    for border in borders:
        if border == np.inf:
            break
        table[bucket(border, scale) if border > -np.inf else 0] += unit
    for k in range(1, BUCKETS):
        table[k] += table[k - 1]
    for border in borders:
        if math.isfinite(border):
            k = bucket(border, scale)
            before = unordered(ordered(border) - 1)
            if bucket(before, scale) == k:
                table[k] = DIVIDED * unit


@njit(cache=True, nogil=True)
def surround(inner, cells):
    """Put `inner`, shape ``(LATTICE, LATTICE)``, between what lies below and above, and mark divided buckets."""
    for i in range(SIDE):
        for j in range(SIDE):
            outside = i == 0 or j == 0 or i == ABOVE or j == ABOVE
            if outside:
                cells[i * SIDE + j] = CELL_OUT
            elif i == DIVIDED or j == DIVIDED:
                cells[i * SIDE + j] = CELL_MIXED
            else:
                cells[i * SIDE + j] = inner[i - 1, j - 1]


@njit(cache=True, nogil=True)
def polygon_cells(x, y, vertices, first, count, out):
    """Classify the cells between the lattice lines `x` and `y` (axis units) against a polygon.

    A cell that an edge touches, with a margin of 1e-9 of the lattice's size, is an edge cell; the others are wholly
    inside or outside.
    """
    n = LATTICE
    margin_x = 1e-9 * (x[n] - x[0])
    margin_y = 1e-9 * (y[n] - y[0])
    for i in range(n):
        for j in range(n):
            out[i, j] = CELL_OUT
    for k in range(count):
        ax, ay = vertices[first + k, 0], vertices[first + k, 1]
        other = first + (k + 1 if k + 1 < count else 0)
        bx, by = vertices[other, 0], vertices[other, 1]
        for i in range(n):
            left, right = x[i] - margin_x, x[i + 1] + margin_x
            if max(ax, bx) < left or min(ax, bx) > right:
                continue
            # the part of the edge above this column of cells
            if ax == bx:
                low, high = min(ay, by), max(ay, by)
            else:
                s0 = min(max((left - ax) / (bx - ax), 0.0), 1.0)
                s1 = min(max((right - ax) / (bx - ax), 0.0), 1.0)
                y0, y1 = ay + s0 * (by - ay), ay + s1 * (by - ay)
                low, high = min(y0, y1), max(y0, y1)
            for j in range(n):
                if high + margin_y >= y[j] and low - margin_y <= y[j + 1]:
                    out[i, j] = CELL_EDGE
    for i in range(n):
        for j in range(n):
            if out[i, j] != CELL_EDGE and crossing_parity(
                0.5 * (x[i] + x[i + 1]), 0.5 * (y[j] + y[j + 1]), vertices, first, count
            ):
                out[i, j] = CELL_IN


@njit(cache=True, nogil=True)
def ellipse_cells(x, y, shape, first, out):
    """Classify lattice cells against an ellipse: inside if all four corners are (it is convex); outside only if it
    does not reach the cell, which holds where the least distance on each border and at the centre is larger."""
    n = LATTICE
    bound = shape[first + 6]
    slack = 1e-9 * bound
    point = np.empty(2, np.float64)
    for i in range(n):
        for j in range(n):
            corners_in = True
            for cx in (x[i], x[i + 1]):
                for cy in (y[j], y[j + 1]):
                    point[0], point[1] = cx, cy
                    if quadratic_form(point, shape, first, 2) > bound - slack:
                        corners_in = False
            if corners_in:
                out[i, j] = CELL_IN
                continue
            reached = x[i] <= shape[first] <= x[i + 1] and y[j] <= shape[first + 1] <= y[j + 1]
            for axis in range(2):
                for fixed in (x[i], x[i + 1]) if axis == 0 else (y[j], y[j + 1]):
                    low, high = (y[j], y[j + 1]) if axis == 0 else (x[i], x[i + 1])
                    free = 1 - axis
                    # along a border the form is a parabola in the free coordinate: its minimum, clamped to the border
                    slope = shape[first + 2 + free * 2 + axis] * (fixed - shape[first + axis])
                    best = shape[first + free] - slope / shape[first + 2 + free * 2 + free]
                    point[axis] = fixed
                    point[free] = min(max(best, low), high)
                    if quadratic_form(point, shape, first, 2) <= bound + slack:
                        reached = True
            out[i, j] = CELL_EDGE if reached else CELL_OUT
