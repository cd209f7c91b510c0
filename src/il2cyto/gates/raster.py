"""Regions of a square lattice of display channels: which channels a shape holds, and their outline."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.bool_]
Corners = NDArray[np.int64]


def polygon_channels(vertices: Corners, channels: int) -> Cells:
    """Return which channels lie inside a polygon or on its border.

    Parameters
    ----------
    vertices
        Whole channels ``(n, 2)``; they may lie outside the lattice. Inside is decided by the even–odd rule.
    channels
        Channels per axis.

    Returns
    -------
    bool ``(channels, channels)``: first axis x, second y. All arithmetic is of whole numbers.

    Examples
    --------
    >>> polygon_channels(np.array([[0, 0], [2, 0], [0, 2]]), 3).astype(int)
    array([[1, 1, 1],
           [1, 1, 0],
           [1, 0, 0]])
    """
    crossings = np.zeros((channels, channels + 1), dtype=bool)  # row y, first x that is not left of the edge
    border = np.zeros((channels, channels), dtype=bool)
    corners = [(int(x), int(y)) for x, y in vertices]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if ay == by:
            if 0 <= ay < channels:
                border[ay, max(min(ax, bx), 0) : max(max(ax, bx) + 1, 0)] = True
            continue
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        rows = np.arange(max(ay, 0), min(by, channels - 1) + 1)
        run = (rows - ay) * (bx - ax)
        below = ax + run // (by - ay)
        exact = run % (by - ay) == 0
        crossed = rows < by  # half-open, so that a vertex on a row is crossed once
        columns = np.clip(below + ~exact, 0, channels)
        crossings[rows[crossed], columns[crossed]] ^= True
        on = exact & (below >= 0) & (below < channels)
        border[rows[on], below[on]] = True
    # a channel is inside if the number of edges right of it is odd
    inside = np.logical_xor.accumulate(crossings[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return np.ascontiguousarray((inside | border).T)


def outline(cells: Cells) -> Corners:
    """Return one closed path around all cells that are set.

    Parameters
    ----------
    cells
        bool ``(n, n)``. Cell ``[i, j]`` is the square from corner ``(i, j)`` to ``(i + 1, j + 1)``.

    Returns
    -------
    Corners ``(m, 2)``, without the first one again at the end; empty if no cell is set. Every step is along an axis.
    By the even–odd rule the path holds exactly the cells: separate regions and holes are joined by steps that are gone
    there and back.

    Examples
    --------
    >>> outline(np.array([[True, True], [False, False]])).tolist()
    [[0, 0], [1, 0], [1, 2], [0, 2]]
    """
    around = np.pad(cells, 1)
    middle = around[1:-1, 1:-1]
    # border of a cell with its inside on the left: shift to the neighbour, start and end of the step
    sides = (
        (around[1:-1, :-2], (0, 0), (1, 0)),
        (around[2:, 1:-1], (1, 0), (1, 1)),
        (around[1:-1, 2:], (1, 1), (0, 1)),
        (around[:-2, 1:-1], (0, 1), (0, 0)),
    )
    steps: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for neighbour, start, end in sides:
        for i, j in np.argwhere(middle & ~neighbour).tolist():
            steps[i + start[0], j + start[1]].append((i + end[0], j + end[1]))
    loops = []
    for start in sorted(steps):
        while steps[start]:
            loops.append(_loop(steps, start))
    path: list[tuple[int, int]] = []
    for loop in loops:
        if not path:
            path = [*loop, loop[0]]
            continue
        (x0, y0), (x1, _) = path[0], loop[0]
        path += [(x1, y0), *loop, loop[0], (x1, y0), (x0, y0)]
    return np.array(path[:-1], dtype=np.int64).reshape(-1, 2)


def _loop(steps: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int]) -> list[tuple[int, int]]:
    """Follow steps until they close, and keep the corners only."""
    loop = [start]
    place = steps[start].pop()
    while place != start:
        loop.append(place)
        place = steps[place].pop()
    n = len(loop)
    return [
        corner
        for k, corner in enumerate(loop)
        if k == 0 or (loop[k - 1][0] != loop[(k + 1) % n][0] and loop[k - 1][1] != loop[(k + 1) % n][1])
    ]
