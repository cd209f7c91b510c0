"""Two populations on one axis as mixtures of normal components, and the threshold that counts both right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import Grid, counted, redraw, smoothed
from il2cyto.autogate.options import number, word
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]
#: Steps of expectation–maximisation: the first fit, and one that starts where that ended.
_STEPS, _STEPS_AGAIN = 300, 60
#: Tubes in which no cell is positive: without the stain, or without what makes cells express the marker.
_NEGATIVE = ("fmo", "unstimulated")


@dataclass(frozen=True)
class Halves:
    """Two populations on a grid.

    Parameters
    ----------
    low, high
        Densities on the grid, float64 ``(cells,)``, each of sum one.
    share
        Share of the events that belong to `high`.
    """

    low: FloatArray
    high: FloatArray
    share: float


@dataclass(frozen=True)
class Normals:
    """Components: means, standard deviations, weights, float64 ``(k,)``, and which belong to the high population."""

    mean: FloatArray
    deviation: FloatArray
    weight: FloatArray
    high: NDArray[np.bool_]
    #: Density of a component that is known from a control, and its weight.
    known: FloatArray | None = None
    known_weight: float = 0.0

    def densities(self, grid: Grid) -> FloatArray:
        """Return the components on a grid, float64 ``(k, cells)``, each of sum one over the line."""
        from scipy.special import ndtr

        edges = (grid.edges[None, :] - self.mean[:, None]) / self.deviation[:, None]
        edges[:, 0], edges[:, -1] = -np.inf, np.inf
        return np.diff(ndtr(edges), axis=1)

    def halves(self, grid: Grid) -> Halves:
        """Return both populations."""
        parts = self.weight[:, None] * self.densities(grid)
        low, high = parts[~self.high].sum(axis=0), parts[self.high].sum(axis=0)
        if self.known is not None:
            low = low + self.known_weight * self.known
        total = low.sum() + high.sum()
        return Halves(low / low.sum(), high / high.sum(), float(high.sum() / total))


def mixture(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Fit two populations and put the threshold where as many events are lost as are let in.

    Options
    -------
    below, above
        Normal components of the population on each side of the template's threshold; default 1.
    keep
        ``both`` (default): the expected count above the threshold is that of the upper population. ``bayes``: the
        fewest events on the wrong side.
    min_separation
        Less is not estimable; default 0.2.

    The template's threshold decides where the fit begins and which components belong together; the events decide the
    rest. Separation: 1 less the share of the smaller population that the threshold puts on the wrong side, and less
    what comes in from the other, halved.
    """
    return _estimate(tubes, rule, template, rng, anchored=False)


def anchored(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Fit an upper population beside a lower one whose shape a stain without the marker shows.

    The options are those of `mixture`, without `below`. Tubes of sources ``fmo`` and ``unstimulated`` give the shape of
    the lower population, the others the events. Without the one or the other the threshold is not estimable.
    """
    return _estimate(tubes, rule, template, rng, anchored=True)


def _estimate(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator, *, anchored: bool
) -> Estimated | NotEstimable:
    names = tuple(tube.tube_id for tube in tubes)
    stained = [tube for tube in tubes if not anchored or tube.source not in _NEGATIVE]
    controls = [tube for tube in tubes if anchored and tube.source in _NEGATIVE]
    n_events = sum(len(tube.values) for tube in stained)
    if anchored and not (stained and controls):
        lacking = "stains without the marker" if not controls else "stained tubes"
        return NotEstimable(f"no {lacking} to learn from", n_events, names)
    keep = word(rule, "keep", "both", ("both", "bayes"))
    least = number(rule, "min_separation", 0.2)
    grid = Grid(*template.limits[0])
    counts = counted(stained, grid)
    known = smoothed(counted(controls, grid).sum(axis=0), grid, 0.7) if controls else None
    pooled = counts.sum(axis=0)
    numbers = 0 if anchored else int(number(rule, "below", 1)), int(number(rule, "above", 1))
    begun = begin(pooled, grid, float(template.place[0]), *numbers, known)
    if begun is None:
        return NotEstimable("all events lie on one side of the template's threshold", n_events, names)
    fitted = expect_maximise(begun, pooled, grid, _STEPS)
    wrong = implausible(fitted, grid, n_events)
    if wrong:
        return NotEstimable(wrong, n_events, names)
    halves = fitted.halves(grid)
    place = threshold(halves, grid, keep)
    apart = separation(halves, grid, place)
    if apart < least:
        return NotEstimable(f"the populations overlap (separation {apart:.2f}, wanted {least:.2f})", n_events, names)
    draws = []
    for drawn in redraw(counts, rng):
        again = expect_maximise(fitted, drawn, grid, _STEPS_AGAIN)
        if not implausible(again, grid, n_events):
            draws.append(threshold(again.halves(grid), grid, keep))
    if len(draws) < 20:
        return NotEstimable("the populations cannot be told apart in most bootstrap samples", n_events, names)
    return Estimated(np.array([place]), np.array(draws)[:, None], apart, n_events, names)


def begin(
    counts: FloatArray, grid: Grid, divider: float, below: int, above: int, known: FloatArray | None = None
) -> Normals | None:
    """Return components to begin with: those of the events on each side of a divider; ``None`` if a side is empty."""
    centres = grid.centres
    means, deviations, weights, sides = [], [], [], []
    total = counts.sum()
    for high, number_of in ((False, below), (True, above)):
        side = centres >= divider if high else centres < divider
        held = counts * side
        if held.sum() <= 0:
            return None
        cumulative = np.cumsum(held) / held.sum()
        for k in range(number_of):
            part = held * ((cumulative > k / number_of) & (cumulative <= (k + 1) / number_of))
            if part.sum() <= 0:
                return None
            mean = float(part @ centres / part.sum())
            deviation = float(np.sqrt(part @ (centres - mean) ** 2 / part.sum()))
            means.append(mean)
            deviations.append(max(deviation, 2.0 * grid.width))
            weights.append(float(part.sum() / total))
            sides.append(high)
    rest = float(counts[centres < divider].sum() / total) if known is not None else 0.0
    return Normals(np.array(means), np.array(deviations), np.array(weights), np.array(sides), known, rest)


def expect_maximise(start: Normals, counts: FloatArray, grid: Grid, steps: int) -> Normals:
    """Fit the components to counts on a grid by expectation–maximisation (Dempster, Laird and Rubin 1977)."""
    centres, total = grid.centres, counts.sum()
    now = start
    floor = 2.0 * grid.width
    held = counts > 0
    for _ in range(steps):
        parts = now.weight[:, None] * now.densities(grid)
        whole = parts.sum(axis=0)
        if now.known is not None:
            whole = whole + now.known_weight * now.known
        ratio = np.divide(counts, whole, out=np.zeros_like(counts), where=held & (whole > 0))
        shares = parts * ratio
        each = shares.sum(axis=1)
        safe = np.maximum(each, 1e-9)
        mean = shares @ centres / safe
        variance = (shares * (centres[None, :] - mean[:, None]) ** 2).sum(axis=1) / safe
        weight = each / total
        known_weight = float((now.known_weight * now.known * ratio).sum() / total) if now.known is not None else 0.0
        moved = float(np.abs(mean - now.mean).max() + np.abs(weight - now.weight).max())
        now = replace(
            now, mean=mean, deviation=np.maximum(np.sqrt(variance), floor), weight=weight, known_weight=known_weight
        )
        if moved < 1e-6:
            break
    return now


def implausible(fitted: Normals, grid: Grid, n_events: int) -> str:
    """Say why a fit cannot be two populations; empty if it can."""
    parts = fitted.weight / fitted.weight.sum()
    high = float(parts[fitted.high].sum())
    if n_events * fitted.weight[fitted.high].sum() < 20:
        return "fewer than 20 events are expected above"
    upper = float((fitted.weight * fitted.mean)[fitted.high].sum() / fitted.weight[fitted.high].sum())
    if fitted.known is not None:
        low_mean = float(fitted.known @ grid.centres)
    else:
        if n_events * (1.0 - high) < 20:
            return "fewer than 20 events are expected below"
        low_mean = float((fitted.weight * fitted.mean)[~fitted.high].sum() / fitted.weight[~fitted.high].sum())
    return "" if upper > low_mean + 2 * grid.width else "the upper population lies no higher than the lower one"


def threshold(halves: Halves, grid: Grid, keep: str) -> float:
    """Return the place of the threshold between two populations, within a cell by interpolation."""
    edges = grid.edges
    low_above = (1.0 - halves.share) * (1.0 - np.concatenate([[0.0], np.cumsum(halves.low)]))
    high_below = halves.share * np.concatenate([[0.0], np.cumsum(halves.high)])
    if keep == "bayes":
        return float(edges[int((low_above + high_below).argmin())])
    # falls from +(1 - share) to -share
    difference = low_above - high_below
    k = int(np.flatnonzero(difference <= 0)[0])
    step = difference[k - 1] - difference[k]
    part = float(difference[k - 1] / step) if step > 0 else 0.5
    return float(edges[k - 1] + part * grid.width)


def separation(halves: Halves, grid: Grid, place: float) -> float:
    """Return 1 less half the events on the wrong side relative to the smaller population; not below 0."""
    cut = np.interp(place, grid.edges, np.arange(grid.cells + 1))
    cumulative = np.arange(grid.cells + 1)
    low_above = (1.0 - halves.share) * (
        1.0 - np.interp(cut, cumulative, np.concatenate([[0.0], np.cumsum(halves.low)]))
    )
    high_below = halves.share * np.interp(cut, cumulative, np.concatenate([[0.0], np.cumsum(halves.high)]))
    smaller = min(halves.share, 1.0 - halves.share)
    return max(0.0, float(1.0 - 0.5 * (low_above + high_below) / smaller))
