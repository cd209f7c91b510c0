"""The valley between two peaks of a density."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import Grid, bandwidth, counted, redraw, smoothed
from il2cyto.autogate.options import number
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]
#: What rises from the bottom of a valley by less than this share of the lower peak is still its bottom.
_FLAT = 0.02
#: Events below which a kernel moves a valley by more than its stated deviation (docs/validation).
_LEAST = 500
#: Bandwidths of bootstrap samples, relative to that of the whole.
_SMOOTHING = (0.45, 1.2)
#: Change of the smaller side, relative to it, by which a bootstrap sample has another valley; and the share of samples
#: that must have the same one.
_SETTLED, _MOST = 0.25, 0.95
#: Standard errors by which a peak must rise above a valley.
_SURE = 4.0


def valley(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Put a threshold where the density is lowest between two peaks.

    Options
    -------
    low, high
        Range to search, in axis units; default all.
    smooth
        Factor on the bandwidth; default 1.
    min_separation
        Less is not estimable; default 0.2.

    The valley is the deepest one: of every pair of neighbouring peaks with a minimum within the range, the one with the
    greatest separation; of equal ones the nearest to the template. A peak that rises above the valley by less than
    four of its standard errors is none. Separation: ``1 - f(valley) / f(lower peak)``. Bootstrap samples are smoothed
    by other bandwidths too, since where a valley lies hangs on it. Fewer than 500 events are not estimable, nor is a
    valley that parts other events in more than 5 % of the bootstrap samples.
    """
    grid = Grid(*template.limits[0])
    # what lies outside the axis would pile up at its ends and part from the rest as clearly as a population
    counts = counted(tubes, grid)
    for row, tube in zip(counts, tubes, strict=True):
        row[0] -= np.count_nonzero(tube.values[:, 0] < grid.low)
        row[-1] -= np.count_nonzero(tube.values[:, 0] >= grid.high)
    n_events, names = int(counts.sum()), tuple(tube.tube_id for tube in tubes)
    if n_events < _LEAST:
        return NotEstimable(f"{n_events} events are too few for a valley, which takes {_LEAST}", n_events, names)
    low, high = number(rule, "low", grid.low), number(rule, "high", grid.high)
    least = number(rule, "min_separation", 0.2)
    factor = number(rule, "smooth", 1.0)
    pooled = counts.sum(axis=0)
    # what one event is worth in the density of a kernel, on the scale of its squared standard error
    event = 1.0 / (n_events * 2.0 * np.sqrt(np.pi) * bandwidth(pooled, grid, factor)) if n_events else 1.0
    found = _deepest(smoothed(pooled, grid, factor), grid, low, high, float(template.place[0]), event)
    if found is None:
        return NotEstimable(f"no valley between {low:.3g} and {high:.3g}", n_events, names)
    place, separation = found
    if separation < least:
        return NotEstimable(f"no clear valley (separation {separation:.2f}, wanted {least:.2f})", n_events, names)
    draws = []
    for drawn in redraw(counts, rng):
        # where a valley lies hangs on the bandwidth too, the more the fewer events there are
        wide = factor * rng.uniform(*_SMOOTHING)
        again = _deepest(smoothed(drawn, grid, wide), grid, low, high, place, event * factor / wide)
        if again is not None:
            draws.append(again[0])
    if len(draws) < 20:
        return NotEstimable("the valley is gone in most bootstrap samples", n_events, names)
    # a wide empty floor leaves the place open and the count certain
    below = np.interp([place, *draws], grid.edges, np.concatenate([[0.0], np.cumsum(pooled)])) / n_events
    near = np.abs(below[1:] - below[0]) <= _SETTLED * min(below[0], 1.0 - below[0])
    if near.mean() < _MOST:
        told = f"the valley parts other events in {1 - near.mean():.0%} of bootstrap samples"
        return NotEstimable(told, n_events, names)
    return Estimated(np.array([place]), np.array(draws)[near][:, None], separation, n_events, names)


def _deepest(
    density: FloatArray, grid: Grid, low: float, high: float, near: float, event: float
) -> tuple[float, float] | None:
    """Return place and separation of the deepest valley within the range."""
    padded = np.concatenate([[-1.0], density, [-1.0]])
    rises, falls = padded[1:-1] > padded[:-2], padded[1:-1] >= padded[2:]
    peaks = np.flatnonzero(rises & falls)
    best: tuple[float, float] | None = None
    centres = grid.centres
    for left, right in pairwise(peaks.tolist()):
        bottom = left + int(density[left : right + 1].argmin())
        # the height on each side is that of the highest peak there, so that ripples do not count
        heights = density[:bottom].max(initial=0.0), density[bottom:].max(initial=0.0)
        lower = min(heights)
        if lower - density[bottom] < _SURE * np.sqrt(lower * event):
            continue
        bottom = _middle(density, bottom, _FLAT * min(heights))
        place = float(centres[bottom])
        if not low <= place <= high:
            continue
        separation = float(1.0 - density[bottom] / min(heights)) if min(heights) > 0 else 0.0
        better = best is None or separation > best[1] + 1e-9
        if better or (best is not None and separation > best[1] - 1e-9 and abs(place - near) < abs(best[0] - near)):
            best = place, separation
    return best


def _middle(density: FloatArray, bottom: int, rise: float) -> int:
    """Return the middle of the flat part around the bottom of a valley."""
    higher = np.flatnonzero(density > density[bottom] + rise)
    left = higher[higher < bottom].max(initial=-1) + 1
    right = higher[higher > bottom].min(initial=len(density)) - 1
    return int(left + right) // 2
