"""Several thresholds at once: subsets by combinations of markers, all of which shall be counted right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.grid import DRAWS, Grid
from il2cyto.autogate.mixture import Normals, begin, expect_maximise, separation, threshold
from il2cyto.autogate.options import number, word
from il2cyto.errors import StrategyError
from il2cyto.gating.learning import LearnRule
from il2cyto.kernels.subsets import divide, miscounted

FloatArray = NDArray[np.float64]
_CELLS: Final = 256
_STEPS, _STEPS_AGAIN = 100, 5
#: Events that are looked at; more change the fit less than tubes differ.
_EVENTS: Final = 25_000
#: A count beyond the tolerance by 1 % costs as much as 5 % of F1.
_COUNTS_FIRST: Final = 500.0


@dataclass(frozen=True)
class _Model:
    """Populations by combination of low and high on each axis: `weight` ``(2,) * k``, components of each axis."""

    weight: FloatArray
    axes: tuple[Normals, ...]


def jointly(
    tubes: Sequence[LearningTube], rule: LearnRule, template: Template, rng: np.random.Generator
) -> Estimated | NotEstimable:
    """Fit all combinations of two to four markers and put the thresholds where the subsets are counted right.

    Options
    -------
    with
        Names of the other cuts, separated by blanks. The events are looked at on their dimensions too, in this order.
    given
        Names of cuts that were learnt before and stay, separated by blanks: those of the parents between the population
        that is looked at and the subsets. So what the parents lose of a subset is made up for.
    targets
        The subsets that shall be right, such as ``"+-- --+"``: a sign for the own cut, those of `with` and of `given`.
        Default all. Thresholds that count each marker right still miscount a rare subset beside a frequent one.
    below, above
        Normal components of low and high cells on each axis; default 1.
    min_separation
        Less, on the own axis, is not estimable; default 0.2.

    tolerance
        Log ratio of expected count to expected members that may be given away for fewer wrong events; default 0.01.

    Within a combination the axes are taken as independent. Thresholds minimise, summed over `targets`, 1 less the
    expected F1 of the subset, with a steep penalty where ``|log(expected count / expected members)|`` exceeds the
    tolerance: counts come first, then single events. Separation as for `mixture`, on the own axis.
    """
    names = tuple(tube.tube_id for tube in tubes)
    values = np.concatenate([tube.values for tube in tubes])
    values = values[np.isfinite(values).all(axis=1)]
    n_events, k = len(values), values.shape[1]
    if n_events > _EVENTS:
        values = values[np.sort(rng.choice(n_events, _EVENTS, replace=False))]
    grids = [Grid(*limits, _CELLS) for limits in template.limits]
    cells = np.stack([grid.place(values[:, a]) for a, grid in enumerate(grids)], axis=1)
    targets = _targets(word(rule, "targets", ""), k)
    free = k - len(word(rule, "given", "").split())
    kept = template.place[free:]
    numbers = int(number(rule, "below", 1)), int(number(rule, "above", 1))
    tolerance = number(rule, "tolerance", 0.01)
    begun = []
    for a, grid in enumerate(grids):
        counts = np.bincount(cells[:, a], minlength=_CELLS).astype(np.float64)
        one = begin(counts, grid, float(template.place[a]), *numbers)
        if one is None:
            return NotEstimable("all events lie on one side of a template's threshold", n_events, names)
        begun.append(expect_maximise(one, counts, grid, _STEPS))
    weight = np.ones((1,) * 0)
    for one in begun:
        high = one.weight[one.high].sum() / one.weight.sum()
        weight = np.multiply.outer(weight, np.array([1.0 - high, high]))
    ones = np.ones(len(cells))
    fitted = _fit(_Model(weight, tuple(begun)), cells, ones, grids, _STEPS)
    own = fitted.axes[0].halves(grids[0])
    if min(own.share, 1.0 - own.share) * n_events < 20:
        return NotEstimable("fewer than 20 events are expected on one side", n_events, names)
    for one, grid in zip(fitted.axes, grids, strict=True):
        low, high = (
            float((one.mean * one.weight)[side].sum() / one.weight[side].sum()) for side in (~one.high, one.high)
        )
        if high <= low + 2 * grid.width:
            return NotEstimable("a high population lies no higher than the low one", n_events, names)
    places = _places(fitted, grids, targets, kept, tolerance)
    apart = separation(own, grids[0], float(places[0]))
    least = number(rule, "min_separation", 0.2)
    if apart < least:
        return NotEstimable(f"the populations overlap (separation {apart:.2f}, wanted {least:.2f})", n_events, names)
    draws = []
    for _ in range(DRAWS):
        again = _fit(fitted, cells, rng.poisson(1.0, len(cells)).astype(np.float64), grids, _STEPS_AGAIN)
        draws.append(_places(again, grids, targets, kept, tolerance, places)[0])
    # fewer events were drawn than there are
    shrink = np.sqrt(len(cells) / n_events)
    spread = places[0] + (np.array(draws) - places[0]) * shrink
    return Estimated(places[:1], spread[:, None], apart, n_events, names)


def _targets(text: str, k: int) -> tuple[tuple[int, ...], ...]:
    if not text:
        return tuple(np.ndindex(*(2,) * k))
    found = []
    for part in text.split():
        if len(part) != k or set(part) - set("+-"):
            raise StrategyError("targets {part!r}: wanted {k} signs, + or -, as in '+--'", part=part, k=k)
        found.append(tuple(int(sign == "+") for sign in part))
    return tuple(found)


def _fit(start: _Model, cells: NDArray[np.int64], weights: FloatArray, grids: Sequence[Grid], steps: int) -> _Model:
    model = start
    for _ in range(steps):
        halves = [one.halves(grid) for one, grid in zip(model.axes, grids, strict=True)]
        densities = np.stack([np.stack([half.low, half.high]) for half in halves])
        total, sides = divide(cells, weights, densities, model.weight.ravel())
        weight = (total / total.sum()).reshape(model.weight.shape)
        axes = [
            _one_step(one, side[0], side[1], grid) for one, side, grid in zip(model.axes, sides, grids, strict=True)
        ]
        moved = float(np.abs(weight - model.weight).max())
        model = _Model(weight, tuple(axes))
        if moved < 1e-5:
            break
    return model


def _one_step(one: Normals, low: FloatArray, high: FloatArray, grid: Grid) -> Normals:
    """Move the components of both sides towards the events of each."""
    parts = []
    for side, counts in ((~one.high, low), (one.high, high)):
        half = replace(
            one, mean=one.mean[side], deviation=one.deviation[side], weight=one.weight[side], high=one.high[side]
        )
        parts.append((side, expect_maximise(half, counts, grid, 1), float(counts.sum())))
    total = sum(number_of for *_, number_of in parts)
    mean, deviation, weight = one.mean.copy(), one.deviation.copy(), one.weight.copy()
    for side, half, number_of in parts:
        mean[side], deviation[side] = half.mean, half.deviation
        weight[side] = half.weight / max(half.weight.sum(), 1e-12) * number_of / total
    return replace(one, mean=mean, deviation=deviation, weight=weight)


def _places(
    model: _Model,
    grids: Sequence[Grid],
    targets: Sequence[tuple[int, ...]],
    kept: FloatArray,
    tolerance: float,
    near: FloatArray | None = None,
) -> FloatArray:
    """Return the thresholds of all axes but those that are kept, float64 ``(n,)``, that count the targets right."""
    from scipy.optimize import minimize

    halves = [one.halves(grid) for one, grid in zip(model.axes, grids, strict=True)]
    below = np.zeros((len(grids), 2, _CELLS + 1))
    for table, half in zip(below, halves, strict=True):
        table[0, 1:], table[1, 1:] = np.cumsum(half.low), np.cumsum(half.high)
    free = len(grids) - len(kept)
    start = np.array([threshold(half, grid, "both") for half, grid in zip(halves[:free], grids[:free], strict=True)])
    start = start if near is None else near
    low, width = (np.array([getattr(grid, name) for grid in grids]) for name in ("low", "width"))
    wanted = np.array([int("".join(map(str, target)), 2) for target in targets])
    share = model.weight.ravel()

    def miscount(places: FloatArray) -> float:
        every = np.concatenate([places, kept])
        return float(miscounted(every, low, width, below, share, wanted, tolerance, _COUNTS_FIRST))

    steps = np.vstack([start, *(start + np.eye(len(start))[a] * 0.01 for a in range(len(start)))])
    found = minimize(
        miscount, start, method="Nelder-Mead",
        options={"initial_simplex": steps, "xatol": 2e-4, "fatol": 1e-8, "maxiter": 200},
    )  # fmt: skip
    return np.asarray(found.x, dtype=np.float64)
