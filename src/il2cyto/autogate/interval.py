"""The time of steady flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import Grid, redraw
from il2cyto.autogate.options import number
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]


def interval(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Find the longest time in which events come at a steady rate.

    Options
    -------
    bins
        Parts that the acquisition is divided into; default 100.
    tolerance
        Farthest that the rate of a part may lie from the median, as a share of it; default 0.5. Chance is allowed for.

    The place is the begin and the end of the steady time. Separation: share of the events inside.
    """
    values = np.concatenate([tube.values[:, 0] for tube in tubes])
    names, n_events = tuple(tube.tube_id for tube in tubes), len(values)
    grid = Grid(float(values.min()), float(np.nextafter(values.max(), np.inf)), int(number(rule, "bins", 100.0)))
    if not grid.high > grid.low or grid.width <= 0:
        return NotEstimable("all events have one time", n_events, names)
    tolerance, counts = number(rule, "tolerance", 0.5), grid.count(values)
    first, last = _longest(counts, tolerance)
    if last <= first:
        return NotEstimable("the flow is nowhere steady", n_events, names)
    place = grid.edges[[first, last]]
    found = [_longest(drawn, tolerance) for drawn in redraw(counts[None], rng)]
    draws = [grid.edges[[begin, end]] for begin, end in found if end > begin]
    if len(draws) < 20:
        return NotEstimable("the flow is not steady in most bootstrap samples", n_events, names)
    return Estimated(place, np.stack(draws), float(counts[first:last].sum() / n_events), n_events, names)


def _longest(counts: FloatArray, tolerance: float) -> tuple[int, int]:
    """Return the first steady bin of the longest run and the one after its last."""
    usual = float(np.median(counts[counts > 0])) if (counts > 0).any() else 0.0
    steady = np.abs(counts - usual) <= tolerance * usual + 3.0 * np.sqrt(usual)
    padded = np.concatenate([[False], steady & (usual > 0), [False]])
    begins, ends = np.flatnonzero(padded[1:] & ~padded[:-1]), np.flatnonzero(~padded[1:] & padded[:-1])
    if not len(begins):
        return 0, 0
    k = int((ends - begins).argmax())
    return int(begins[k]), int(ends[k])
