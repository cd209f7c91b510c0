"""Polygons on two axes: the template moved to where its population lies, or the border between two populations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import redraw
from il2cyto.autogate.options import number
from il2cyto.autogate.plane import CELLS, Clouds, Plane, begin, counted, expect_maximise, split
from il2cyto.gating.learning import LearnRule

FloatArray = NDArray[np.float64]
_STEPS, _STEPS_AGAIN = 150, 12
#: Moves are looked for on a lattice this many times finer than the cells.
_FINER: Final = 4
#: An event too many or too few weighs as much as this many on the wrong side: counts come first.
_COUNTS_FIRST: Final = 6.0


def diagonal(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Move the template's polygon to where it holds as many events as its population has, with the fewest wrong ones.

    Options
    -------
    target, others
        Normal components of the population and of the rest; default 2 and 4.
    reach
        Longest move on each axis, in axis units; default 0.15.
    min_separation
        Less is not estimable; default 0.3.

    The shape, and with it the definition of the population, stays that of the template: for Treg the diagonal by which
    brighter CD25 allows more CD127. The template decides where the fit begins and which components are the
    population. Separation: 1 less half the events on the wrong side relative to the population.
    """
    plane = Plane.over(template.limits)
    counts = counted(tubes, plane)
    names, n_events = tuple(tube.tube_id for tube in tubes), int(counts.sum())
    vertices = template.place.reshape(-1, 2)
    mask = plane.mask(vertices)
    fitted = _fitted(rule, plane, counts.sum(axis=0), mask)
    if fitted is None:
        return NotEstimable("too few events inside or outside the template", n_events, names)
    if fitted.weight[fitted.target].sum() * n_events < 20:
        return NotEstimable("fewer than 20 events are expected inside", n_events, names)
    reach = number(rule, "reach", 0.15)
    move, apart = _best_move(fitted, plane, mask, reach)
    least = number(rule, "min_separation", 0.3)
    if apart < least:
        return NotEstimable(f"the populations overlap (separation {apart:.2f}, wanted {least:.2f})", n_events, names)
    notes = ("the gate stands at the end of its reach",) if np.abs(move).max() >= 0.98 * reach else ()
    draws = []
    for drawn in redraw(counts, rng):
        again = expect_maximise(fitted, plane, drawn, _STEPS_AGAIN)
        draws.append((vertices + _best_move(again, plane, mask, reach)[0]).reshape(-1))
    return Estimated((vertices + move).reshape(-1), np.stack(draws), apart, n_events, names, notes)


def mixture2d(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Draw the line around a population where it outweighs all others so much that its count comes right.

    Options
    -------
    target, others
        Normal components of the population and of the rest; default 1 and 3.
    vertices
        Corners of the polygon; default 24.
    min_separation
        Less is not estimable; default 0.3.

    The polygon is the contour of the target's share of the density, at the level at which as many events are lost as
    are let in, followed on rays from the middle of the target; each corner stays within the region around it that holds
    99.9 % of its components. Separation as for `diagonal`.
    """
    plane = Plane.over(template.limits)
    counts = counted(tubes, plane)
    names, n_events = tuple(tube.tube_id for tube in tubes), int(counts.sum())
    mask = plane.mask(template.place.reshape(-1, 2))
    fitted = _fitted(rule, plane, counts.sum(axis=0), mask, 1, 3)
    if fitted is None:
        return NotEstimable("too few events inside or outside the template", n_events, names)
    if fitted.weight[fitted.target].sum() * n_events < 20:
        return NotEstimable("fewer than 20 events are expected inside", n_events, names)
    corners = int(number(rule, "vertices", 24))
    polygon = _contour(fitted, plane, corners)
    apart = _apart(fitted, plane, plane.mask(polygon.reshape(-1, 2)))
    least = number(rule, "min_separation", 0.3)
    if apart < least:
        return NotEstimable(f"the populations overlap (separation {apart:.2f}, wanted {least:.2f})", n_events, names)
    draws = [
        _contour(expect_maximise(fitted, plane, drawn, _STEPS_AGAIN), plane, corners) for drawn in redraw(counts, rng)
    ]
    return Estimated(polygon, np.stack(draws), apart, n_events, names)


def lymphocytes(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Find the cluster of lymphocytes (or another compact one) and draw an ellipse around it as a polygon.

    Options
    -------
    share
        Share of a normal cluster inside; default 0.995.
    vertices
        Corners of the polygon; default 24.

    Centre and covariance are those of the minimum covariance determinant (Rousseeuw and Van Driessen 1999) of the
    events inside the template's polygon, twice: the second time of those within four standard deviations of the first,
    wherever the polygon ends. Separation: 1 less the mean density on the ellipse relative to that at its centre.
    """
    names = tuple(tube.tube_id for tube in tubes)
    values = np.concatenate([tube.values for tube in tubes])
    values = values[np.isfinite(values).all(axis=1)]
    from matplotlib.path import Path

    corners = template.place.reshape(-1, 2)
    inside = Path(np.vstack([corners, corners[:1]])).contains_points(values)
    if inside.sum() < rule.min_events:
        return NotEstimable(
            f"{int(inside.sum())} events near the template, wanted {rule.min_events}", len(values), names
        )
    share, number_of = number(rule, "share", 0.995), int(number(rule, "vertices", 24))
    first = _robust(values[inside], rng)
    apart = values - first[0]
    near = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(first[1]), apart) < 16.0
    chosen = values[near]
    centre, covariance = _robust(chosen, rng)
    polygon = _ellipse(centre, covariance, share, number_of)
    draws = []
    for _ in range(20):
        some = chosen[rng.integers(0, len(chosen), min(len(chosen), 2_000))]
        drawn_centre, drawn_covariance = _robust(some, rng)
        shrink = np.sqrt(len(some) / len(chosen))
        draws.append(
            _ellipse(
                centre + shrink * (drawn_centre - centre),
                covariance + shrink * (drawn_covariance - covariance),
                share,
                number_of,
            )
        )
    distance = np.einsum("ni,ij,nj->n", values - centre, np.linalg.inv(covariance), values - centre)
    from scipy.stats import chi2

    border = float(chi2.ppf(share, 2))
    # rings of equal area
    on_edge = float(((distance > border - 1.0) & (distance < border + 1.0)).sum()) / 2.0
    in_middle = float((distance < 1.0).sum())
    separation = max(0.0, 1.0 - on_edge / in_middle) if in_middle else 0.0
    return Estimated(polygon, np.stack(draws), separation, len(values), names)


def _fitted(
    rule: LearnRule, plane: Plane, counts: FloatArray, mask: FloatArray, target: int = 2, others: int = 4
) -> Clouds | None:
    numbers = int(number(rule, "target", target)), int(number(rule, "others", others))
    begun = begin(plane, counts, mask, *numbers)
    return None if begun is None else expect_maximise(begun, plane, counts, _STEPS)


def _best_move(clouds: Clouds, plane: Plane, mask: FloatArray, reach: float) -> tuple[FloatArray, float]:
    """Return the move of the polygon and the separation there."""
    steps = [max(int(np.ceil(reach / grid.width)), 1) for grid in (plane.x, plane.y)]
    target, others = split(clouds, plane)
    wanted = float(target.sum())
    lost, gained = wanted - _held(target, mask, steps), _held(others, mask, steps)
    cost = lost + gained + _COUNTS_FIRST * np.abs(gained - lost)
    i, j = (int(one) for one in np.unravel_index(int(cost.argmin()), cost.shape))
    move = np.array([(i / _FINER - steps[0]) * plane.x.width, (j / _FINER - steps[1]) * plane.y.width])
    return move, max(0.0, 1.0 - 0.5 * float(lost[i, j] + gained[i, j]) / wanted)


def _held(density: FloatArray, mask: FloatArray, steps: Sequence[int]) -> FloatArray:
    """Return what the mask holds when it is moved by up to `steps` cells each way, on the finer lattice."""
    from scipy.signal import fftconvolve

    # the mask moved by (i, j) cells holds sum density[a, b] mask[a - i, b - j]
    whole = fftconvolve(density, mask[::-1, ::-1], mode="full")
    middle = CELLS - 1
    near = whole[middle - steps[0] : middle + steps[0] + 1, middle - steps[1] : middle + steps[1] + 1]
    return _finer(near)


def _finer(values: FloatArray) -> FloatArray:
    """Return values on a lattice `_FINER` times finer, by cubic splines."""
    from scipy.interpolate import RectBivariateSpline

    x, y = (np.arange(n, dtype=np.float64) for n in values.shape)
    fine = [np.arange((n - 1) * _FINER + 1) / _FINER for n in values.shape]
    return np.asarray(RectBivariateSpline(x, y, values, kx=min(3, len(x) - 1), ky=min(3, len(y) - 1))(*fine))


def _apart(clouds: Clouds, plane: Plane, mask: FloatArray) -> float:
    target, others = split(clouds, plane)
    mass = float(target.sum())
    wrong = mass - float((target * mask).sum()) + float((others * mask).sum())
    return max(0.0, 1.0 - 0.5 * wrong / mass)


def _contour(clouds: Clouds, plane: Plane, corners: int) -> FloatArray:
    """Return the polygon around the target, float64 ``(2 corners,)``."""
    target, others = split(clouds, plane)
    share = target / np.maximum(target + others, 1e-300)
    order = np.argsort(-share, axis=None)
    lost = target.sum() - np.cumsum(target.ravel()[order])
    gained = np.cumsum(others.ravel()[order])
    level = float(share.ravel()[order[int(np.flatnonzero(gained >= lost)[0])]])
    mass = clouds.weight[clouds.target]
    centre = mass @ clouds.mean[clouds.target] / mass.sum()
    apart = clouds.mean[clouds.target] - centre
    covariance = (
        np.tensordot(mass, clouds.covariance[clouds.target], 1) + (mass[:, None] * apart).T @ apart
    ) / mass.sum()
    reach = np.linalg.cholesky(covariance) * np.sqrt(13.816)
    angles = 2.0 * np.pi * np.arange(corners) / corners
    far = (reach @ np.stack([np.cos(angles), np.sin(angles)])).T
    along = np.linspace(0.0, 1.0, 201)
    points = centre + along[:, None, None] * far[None, :, :]
    parts = clouds.densities(points.reshape(-1, 2), 1.0)
    ratio = parts[clouds.target].sum(axis=0) / np.maximum(parts.sum(axis=0), 1e-300)
    outside = ratio.reshape(len(along), corners) < level
    outside[0] = False
    first = np.where(outside.any(axis=0), outside.argmax(axis=0), len(along) - 1)
    return np.asarray((centre + along[first][:, None] * far).reshape(-1))


def _robust(values: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    from sklearn.covariance import MinCovDet

    some = values if len(values) <= 3_000 else values[rng.choice(len(values), 3_000, replace=False)]
    fit = MinCovDet(support_fraction=0.75, random_state=0).fit(some)
    return np.asarray(fit.location_), np.asarray(fit.covariance_)


def _ellipse(centre: FloatArray, covariance: FloatArray, share: float, corners: int) -> FloatArray:
    from scipy.stats import chi2

    angles = 2.0 * np.pi * np.arange(corners) / corners
    # the corners stand outside the ellipse so that the polygon has its area
    stretch = np.sqrt(np.pi / (corners * np.sin(np.pi / corners) * np.cos(np.pi / corners)))
    reach = np.linalg.cholesky(covariance) * np.sqrt(chi2.ppf(share, 2)) * stretch
    return np.asarray((centre + (reach @ np.stack([np.cos(angles), np.sin(angles)])).T).reshape(-1))
