"""Put what was learnt into a strategy, so that it can be applied, written and signed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from il2cyto.errors import GateError, StrategyError, did_you_mean
from il2cyto.gates import Gate, QuadrantGate, RectangleGate
from il2cyto.gating.learning import CutUse
from il2cyto.gating.strategy import GatingStrategy


def frozen(strategy: GatingStrategy, cuts: Mapping[str, float], shapes: Mapping[str, Gate]) -> GatingStrategy:
    """Return a strategy with learnt thresholds and gates in the place of those of the template.

    Parameters
    ----------
    strategy
        The strategy with its rules, which stay in it.
    cuts
        Places of cuts by name, in axis units; cuts that are not named stay where they are.
    shapes
        Gates of populations that are learnt as a whole, by path, on the same axes as before.

    Raises
    ------
    StrategyError
        If the strategy has no such cut or learnt gate, a gate stands on other axes, or a threshold leaves no room
        between the limits of a gate.

    Examples
    --------
    >>> from il2cyto.gates import Dimension, Limits
    >>> from il2cyto.gating import Population
    >>> from il2cyto.gating.learning import Cut, Learning
    >>> cd25 = Dimension("CD25")
    >>> gate = RectangleGate((Limits(cd25, minimum=0.4),))
    >>> learning = Learning((Cut("CD25", cd25, 0.4, uses=(CutUse(0, 0, "min"),)),))
    >>> strategy = GatingStrategy("s", (Population("CD25+", "root", gate),), learning=learning)
    >>> frozen(strategy, {"CD25": 0.45}, {}).populations[0].gate.limits[0].minimum
    0.45
    """
    populations = list(strategy.populations)
    learning = strategy.learning
    learnt = {strategy.paths[shape.population]: shape.population for shape in learning.shapes}
    for path, gate in shapes.items():
        if path not in learnt:
            raise _unknown(strategy, "learnt gate", path, list(learnt))
        place = learnt[path]
        before = populations[place].gate
        if gate.dimensions != before.dimensions:
            raise StrategyError(
                "strategy {id!r}: the learnt gate of {path!r} stands on {given}, wanted {axes}",
                id=strategy.id, path=path,
                given=_labels(gate), axes=_labels(before),
            )  # fmt: skip
        populations[place] = replace(populations[place], gate=gate)
    names = [cut.name for cut in learning.cuts]
    for name, at in cuts.items():
        if name not in names:
            raise _unknown(strategy, "cut", name, names)
        if not math.isfinite(at):
            message = "strategy {id!r}: cut {name!r} wants a finite place, got {at}"
            raise StrategyError(message, id=strategy.id, name=name, at=at)
    moved: dict[int, list[tuple[CutUse, float]]] = {}
    for cut in learning.cuts:
        if cut.name in cuts:
            for use in cut.uses:
                moved.setdefault(use.population, []).append((use, float(cuts[cut.name])))
    for place, limits in moved.items():
        try:
            gate = _moved(populations[place].gate, limits)
        except GateError as error:
            raise StrategyError(
                "strategy {id!r}, {path!r}: the learnt place does not fit ({error})",
                id=strategy.id, path=strategy.paths[place], error=error,
            ) from error  # fmt: skip
        populations[place] = replace(populations[place], gate=gate)
    placed = tuple(replace(cut, at=float(cuts[cut.name])) if cut.name in cuts else cut for cut in learning.cuts)
    return replace(strategy, populations=tuple(populations), learning=replace(learning, cuts=placed))


def _moved(gate: Gate, limits: list[tuple[CutUse, float]]) -> Gate:
    """Move all limits of a gate at once: one after the other they could cross."""
    at = {(use.dimension, use.side): value for use, value in limits}
    if isinstance(gate, RectangleGate):
        return RectangleGate(
            tuple(
                replace(limit, minimum=at.get((i, "min"), limit.minimum), maximum=at.get((i, "max"), limit.maximum))
                for i, limit in enumerate(gate.limits)
            )
        )
    if isinstance(gate, QuadrantGate):
        dividers = tuple(
            (at[i, "divider"],) if (i, "divider") in at else values for i, values in enumerate(gate.dividers)
        )
        return replace(gate, dividers=dividers)
    return gate


def _labels(gate: Gate) -> str:
    return " × ".join(dimension.label for dimension in gate.dimensions)


def _unknown(strategy: GatingStrategy, what: str, name: str, known: list[str]) -> StrategyError:
    message = "strategy {id!r} has no {what} {name!r}{close}"
    return StrategyError(message, id=strategy.id, what=what, name=name, close=did_you_mean(name, known))
