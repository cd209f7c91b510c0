"""Thresholds beside one peak: where it ends, or a quantile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import Grid, counted, quantiles, redraw, smoothed
from il2cyto.autogate.options import number, word
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]
#: A normal peak has this share of its height one standard deviation from its middle.
_ONE_SD = float(np.exp(-0.5))


def tail(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Put a threshold where the highest peak ends.

    Options
    -------
    side
        ``right`` (default) or ``left``: the side of the peak that the threshold stands on.
    sd
        Distance from the middle of the peak in its standard deviations; default 3.

    The width of the peak is taken from its other side, at ``exp(-1/2)`` of its height, where no second population
    widens it. Separation: share of the events beyond the threshold that a normal peak does not explain, 0 where none
    are.
    """
    from scipy.special import ndtr

    side, distance = word(rule, "side", "right", ("left", "right")), number(rule, "sd", 3.0)
    grid = Grid(*template.limits[0])
    counts = counted(tubes, grid)
    n_events, names = int(counts.sum()), tuple(tube.tube_id for tube in tubes)
    place = _end(smoothed(counts.sum(axis=0), grid), grid, side, distance)
    if place is None:
        return NotEstimable("the peak reaches the border of the axis: its width cannot be told", n_events, names)
    draws = [_end(smoothed(drawn, grid), grid, side, distance) for drawn in redraw(counts, rng)]
    kept = np.array([draw for draw in draws if draw is not None])
    if len(kept) < 20:
        return NotEstimable("the width of the peak cannot be told in most bootstrap samples", n_events, names)
    beyond = grid.centres > place if side == "right" else grid.centres < place
    share = float(counts.sum(axis=0)[beyond].sum() / n_events)
    explained = float(ndtr(-distance))
    separation = max(0.0, 1.0 - explained / share) if share > 0 else 0.0
    return Estimated(np.array([place]), kept[:, None], separation, n_events, names)


def _end(density: FloatArray, grid: Grid, side: str, distance: float) -> float | None:
    turned = density if side == "right" else density[::-1]
    top = int(turned.argmax())
    low = np.flatnonzero(turned[:top] < _ONE_SD * turned[top])
    if not len(low):
        return None
    k = int(low[-1])
    part = (_ONE_SD * turned[top] - turned[k]) / (turned[k + 1] - turned[k])
    deviation = (top - k - part) * grid.width
    middle = float((grid.centres if side == "right" else grid.centres[::-1])[top])
    return float(middle + distance * deviation if side == "right" else middle - distance * deviation)


def quantile(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Put a threshold at a quantile of the events, such as 0.995 of a stain without the marker.

    Options
    -------
    share
        Share of the events below the threshold, between 0 and 1; default 0.995.
    min_beyond
        Events expected on the rarer side; fewer are not estimable. Default 10.

    The separation is always 1: nothing is told apart.
    """
    share, wanted = number(rule, "share", 0.995), number(rule, "min_beyond", 10.0)
    grid = Grid(*template.limits[0], 4096)
    counts = counted(tubes, grid)
    n_events, names = int(counts.sum()), tuple(tube.tube_id for tube in tubes)
    beyond = n_events * min(share, 1.0 - share)
    if beyond < wanted:
        return NotEstimable(
            f"{beyond:.1f} events lie beyond the quantile {share:g}, wanted {wanted:g}", n_events, names
        )
    at = np.array([share])
    draws = np.stack([quantiles(drawn, grid, at) for drawn in redraw(counts, rng)])
    return Estimated(quantiles(counts.sum(axis=0), grid, at), draws, 1.0, n_events, names)
