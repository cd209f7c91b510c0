"""Whether a point lies in a polygon or an ellipsoid."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def crossing_parity(x, y, vertices, first, count):
    """Even–odd rule with half-open edges: a point on a left or lower edge is inside, on a right or upper one not.

    Every edge is asked from its lower end, so that two polygons that share an edge never share an event.
    """
    inside = False
    for i in range(count):
        ax = vertices[first + i, 0]
        ay = vertices[first + i, 1]
        j = i + 1 if i + 1 < count else 0
        bx = vertices[first + j, 0]
        by = vertices[first + j, 1]
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        if ay <= y < by and (bx - ax) * (y - ay) > (x - ax) * (by - ay):
            inside = not inside
    return inside


@njit(cache=True, nogil=True)
def quadratic_form(point, shape, first, n):
    """``(p - m)ᵀ S⁻¹ (p - m)``; ``shape[first:]`` = mean, inverse covariance row by row."""
    total = 0.0
    for i in range(n):
        turned = 0.0
        for j in range(n):
            turned += (point[j] - shape[first + j]) * shape[first + n + j * n + i]
        total += turned * (point[i] - shape[first + i])
    return total
