"""Put learnt gates into the strategy: what was found in its place, what was not as not estimable."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from il2cyto.autogate.learnt import LearntGate
from il2cyto.gates import Gate, Limits, PolygonGate, RectangleGate, UnsupportedGate
from il2cyto.gating.freeze import frozen
from il2cyto.gating.remap import remap
from il2cyto.gating.strategy import GatingStrategy


def place(strategy: GatingStrategy, gates: Iterable[LearntGate]) -> GatingStrategy:
    """Return the strategy with learnt gates in the place of its own.

    Parameters
    ----------
    strategy
        The template.
    gates
        At most one per rule; rules without one keep the template's place.

    Raises
    ------
    StrategyError
        If a gate belongs to no rule of the strategy.
    """
    gates = list(gates)
    found = {gate.id: gate for gate in gates if gate.place}
    cuts = {name: gate.place[0] for (kind, name), gate in found.items() if kind == "cut"}
    shapes: dict[str, Gate] = {}
    for (kind, name), gate in found.items():
        if kind == "shape":
            shapes[name] = _shape(strategy.populations[strategy.paths.index(name)].gate, gate.place)
    placed = frozen(strategy, cuts, shapes)
    lost = {gate.id: gate.reason for gate in gates if not gate.place}
    if not lost:
        return placed
    populations = list(placed.populations)
    uses = {("cut", cut.name): {use.population for use in cut.uses} for cut in strategy.learning.cuts}
    unknown = set()
    for (kind, name), reason in lost.items():
        for i in uses[kind, name] if kind == "cut" else {strategy.paths.index(name)}:
            told = f"gate not estimable: {name.rpartition('/')[2]}: {reason}"
            populations[i] = replace(populations[i], gate=UnsupportedGate(told), complement=False)
            unknown.add(i)
    learning = remap(placed.learning, {i: i for i in range(len(populations)) if i not in unknown})
    return replace(placed, populations=tuple(populations), learning=learning)


def _shape(before: Gate, place: tuple[float, ...]) -> Gate:
    """Return the gate with other vertices or another range."""
    if isinstance(before, PolygonGate):
        return replace(before, vertices=tuple(zip(place[::2], place[1::2], strict=True)))
    dimension = before.dimensions[0]
    low, high = (None if math.isinf(one) else one for one in place)
    return RectangleGate((Limits(dimension, low, high),))


def still_learnt(strategy: GatingStrategy, gates: Iterable[LearntGate]) -> list[LearntGate]:
    """Return the gates of rules that a strategy still has: a file's own gates, or a part, may have lost some."""
    cuts = {cut.name for cut in strategy.learning.cuts if cut.uses}
    shapes = {strategy.paths[shape.population] for shape in strategy.learning.shapes}
    return [gate for gate in gates if gate.name in (cuts if gate.kind == "cut" else shapes)]
