"""One cell at a time: the band of events whose height follows their area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import Grid, redraw, smoothed
from il2cyto.autogate.options import number
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]
_ONE_SD = float(np.exp(-0.5))


def singlets(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Draw the band around the main ratio of height to area.

    Options
    -------
    below, above
        Width of the band on each side of the main ratio, in standard deviations of the log ratio; default 4.

    The axes are area and height, on a linear scale from zero. The main ratio is the mode of ``log(height / area)``
    over the template's range of areas. Its standard deviation comes from the side of higher ratios: pairs of cells
    have lower ones. The result has five vertices, with the template's range of areas and highest height. Separation:
    1 less the density at the lower edge relative to the mode.
    """
    names = tuple(tube.tube_id for tube in tubes)
    corners = template.place.reshape(-1, 2)
    low, high, top = corners[:, 0].min(), corners[:, 0].max(), corners[:, 1].max()
    ratios = [_log_ratios(tube.values, low, high) for tube in tubes]
    n_events = sum(len(one) for one in ratios)
    if n_events < rule.min_events:
        return NotEstimable(f"{n_events} events in the range of areas, wanted {rule.min_events}", n_events, names)
    grid = Grid(-1.6, 0.9)
    counts = np.stack([grid.count(one) for one in ratios])
    widths = number(rule, "below", 4.0), number(rule, "above", 4.0)
    band = _band(counts.sum(axis=0), grid, *widths)
    if band is None:
        return NotEstimable("heights do not follow areas", n_events, names)
    draws = [one for drawn in redraw(counts, rng) if (one := _band(drawn, grid, *widths)) is not None]
    if len(draws) < 20:
        return NotEstimable("heights do not follow areas in most bootstrap samples", n_events, names)
    density = smoothed(counts.sum(axis=0), grid)
    edge = float(np.interp(band[0], grid.centres, density))
    return Estimated(
        _polygon(band, low, high, top),
        np.stack([_polygon(one, low, high, top) for one in draws]),
        max(0.0, 1.0 - edge / float(density.max())),
        n_events,
        names,
    )


def _log_ratios(values: FloatArray, low: float, high: float) -> FloatArray:
    inside = (values[:, 0] >= low) & (values[:, 0] < high) & (values[:, 1] > 0)
    return np.asarray(np.log(values[inside, 1] / values[inside, 0]))


def _band(counts: FloatArray, grid: Grid, below: float, above: float) -> tuple[float, float] | None:
    density = smoothed(counts, grid)
    top = int(density.argmax())
    beyond = np.flatnonzero(density[top:] < _ONE_SD * density[top])
    if not len(beyond):
        return None
    k = top + int(beyond[0])
    part = (density[k - 1] - _ONE_SD * density[top]) / (density[k - 1] - density[k])
    deviation = (k - 1 + part - top) * grid.width
    middle = float(grid.centres[top])
    return middle - below * deviation, middle + above * deviation


def _polygon(band: tuple[float, float], low: float, high: float, top: float) -> FloatArray:
    lower, upper = np.exp(band[0]), np.exp(band[1])
    turn = min(max(top / upper, low), high)
    corners = [(low, lower * low), (low, upper * low), (turn, top), (high, top), (high, min(lower * high, top))]
    return np.array(corners, dtype=np.float64).reshape(-1)
