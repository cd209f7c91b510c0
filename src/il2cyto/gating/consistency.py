"""Whether what a strategy learns fits its populations, and in which order it can be learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from il2cyto.errors import StrategyError
from il2cyto.gates import BinnedPolygonGate, BooleanGate, Dimension, Gate, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating.learning import Cut, CutUse, Learning, LearntShape
from il2cyto.gating.vocabulary import RANGE_METHODS
from il2cyto.keys import ROOT

if TYPE_CHECKING:
    from il2cyto.gating.strategy import GatingStrategy

#: Place of the root, which holds every event.
EVERY_EVENT: Final = -1


@dataclass(frozen=True)
class Fault:
    """What does not fit: a template for a message with its values, and whose fault it is.

    `owner` is the name of a cut, or the place of a population that is learnt as a whole.
    """

    owner: str | int
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


def place_of(strategy: GatingStrategy, population: str) -> int:
    """Return the place of the population that a rule names, `EVERY_EVENT` for the root.

    Raises
    ------
    StrategyError
        If there is no such population, or several.
    """
    if population == ROOT:
        return EVERY_EVENT
    if population.startswith(f"{ROOT}/") and population.removeprefix(f"{ROOT}/") in strategy.paths:
        return strategy.paths.index(population.removeprefix(f"{ROOT}/"))
    return strategy.resolve(population)


def path_of(strategy: GatingStrategy, population: str) -> str:
    """Return the path of the population that a rule names, ``root`` for the root.

    Raises
    ------
    StrategyError
        If there is no such population, or several.
    """
    place = place_of(strategy, population)
    return ROOT if place == EVERY_EVENT else strategy.paths[place]


def faults(strategy: GatingStrategy, learning: Learning) -> Iterator[Fault]:
    """Find what does not fit between the populations of a strategy and what shall be learnt of it."""
    if not learning.cuts and not learning.shapes:
        return
    cut_names = [cut.name for cut in learning.cuts]
    for cut in learning.cuts:
        if cut_names.count(cut.name) > 1:
            yield Fault(cut.name, "cut {name!r} is defined twice", {"name": cut.name})
        if not math.isfinite(cut.at):
            yield Fault(cut.name, "cut {name!r} wants a finite place, got {at}", {"name": cut.name, "at": cut.at})
        if not cut.uses:
            message = "cut {name!r} limits no gate; name it in one (min: {name}) or remove it"
            yield Fault(cut.name, message, {"name": cut.name})
        yield from (fault for use in cut.uses for fault in _use_faults(strategy, cut, use))
    limited = {use.population: cut.name for cut in learning.cuts for use in cut.uses}
    places = [shape.population for shape in learning.shapes]
    for shape in learning.shapes:
        if not 0 <= shape.population < len(strategy.populations) or places.count(shape.population) > 1:
            message = "population {place}: one rule wants one population"
            yield Fault(shape.population, message, {"place": shape.population})
            continue
        path = strategy.paths[shape.population]
        reason = shape_fault(strategy.populations[shape.population].gate, shape.rule.method)
        if reason:
            yield Fault(shape.population, "population {path!r}: {reason}", {"path": path, "reason": reason})
        if shape.population in limited:
            yield Fault(
                shape.population,
                "population {path!r} is learnt as a whole, so cut {cut!r} cannot limit it; remove one of them",
                {"path": path, "cut": limited[shape.population]},
            )
    yield from _order_faults(strategy, learning)


def shape_fault(gate: Gate, method: str) -> str:
    """Return why a gate cannot be learnt as a whole by a method; empty where it can."""
    if method in RANGE_METHODS:
        if isinstance(gate, RectangleGate) and len(gate.limits) == 1:
            return ""
        return f"method {method!r} finds a range on one axis; give the gate one dimension with min and max"
    if isinstance(gate, PolygonGate) and not isinstance(gate, BinnedPolygonGate):
        return ""
    return f"method {method!r} draws a polygon on the values themselves, and the gate is none"


def learning_order(strategy: GatingStrategy) -> tuple[Cut | LearntShape, ...]:
    """Return the cuts and shapes that are learnt, each after those that its population depends on.

    Raises
    ------
    StrategyError
        If one is learnt from events that it selects itself.
    """
    learning = strategy.learning
    cuts = {cut.name: cut for cut in learning.cuts}
    shapes = {shape.population: shape for shape in learning.shapes}
    found: list[Cut | LearntShape] = []
    try:
        for kind, key in TopologicalSorter(_needs(strategy, learning)).static_order():
            if kind == "cut" and cuts[str(key)].rule is not None:
                found.append(cuts[str(key)])
            elif kind == "shape":
                found.append(shapes[int(key)])
    except CycleError as error:
        fault = _circle(strategy, learning)
        raise StrategyError("strategy {id!r}: " + fault.message, id=strategy.id, **fault.values) from error
    return tuple(found)


_Node = tuple[str, str | int]


def _order_faults(strategy: GatingStrategy, learning: Learning) -> Iterator[Fault]:
    lost = False
    rules = [(cut.name, f"cut {cut.name!r}", cut.rule) for cut in learning.cuts if cut.rule is not None]
    owners: list[tuple[str | int, str, str]] = [(name, shown, rule.population) for name, shown, rule in rules]
    owners += [
        (shape.population, f"population {strategy.paths[shape.population]!r}", shape.rule.population)
        for shape in learning.shapes
        if 0 <= shape.population < len(strategy.populations)
    ]
    for owner, shown, population in owners:
        try:
            place_of(strategy, population)
        except StrategyError as error:
            lost = True
            yield Fault(owner, "{shown} is to be learnt, but {error}", {"shown": shown, "error": error})
    if lost:
        return
    try:
        TopologicalSorter(_needs(strategy, learning)).prepare()
    except CycleError:
        yield _circle(strategy, learning)


def _needs(strategy: GatingStrategy, learning: Learning) -> dict[_Node, list[_Node]]:
    """What must be known before each cut, shape and population."""

    def events(population: str) -> list[_Node]:
        place = place_of(strategy, population)
        return [] if place == EVERY_EVENT else [("population", place)]

    needs: dict[_Node, list[_Node]] = {}
    for cut in learning.cuts:
        needs["cut", cut.name] = events(cut.rule.population) if cut.rule is not None else []
    for shape in learning.shapes:
        needs["shape", shape.population] = events(shape.rule.population)
    for i, population in enumerate(strategy.populations):
        above: list[_Node] = [("population", strategy.parents[i])] if strategy.parents[i] >= 0 else []
        if isinstance(population.gate, BooleanGate):
            above += [("population", strategy.resolve(operand.population)) for operand in population.gate.operands]
        needs["population", i] = above
    for cut in learning.cuts:
        for use in cut.uses:
            if ("population", use.population) in needs:
                needs["population", use.population].append(("cut", cut.name))
    for shape in learning.shapes:
        if ("population", shape.population) in needs:
            needs["population", shape.population].append(("shape", shape.population))
    return needs


def _circle(strategy: GatingStrategy, learning: Learning) -> Fault:
    """Name the shortest circle, of several the one whose cut or shape comes first; each node decides the next."""
    decides: dict[_Node, list[_Node]] = {}
    for node, above in _needs(strategy, learning).items():
        for one in above:
            decides.setdefault(one, []).append(node)
    owners: list[_Node] = [("cut", cut.name) for cut in learning.cuts]
    owners += [("shape", shape.population) for shape in learning.shapes]
    ring = min((ring for owner in owners if (ring := _way_back(owner, decides))), key=len)
    words = [f"cut {key}" if kind == "cut" else strategy.paths[int(key)] for kind, key in ring]
    kind, owner = ring[0]
    what = f"cut {owner!r}" if kind == "cut" else f"population {strategy.paths[int(owner)]!r}"
    # a learnt gate and its population are one to the reader
    shown_words = words if kind == "cut" else [words[0], *words[2:]]
    message = "{what} is learnt from events that it selects itself: {circle}; learn it from a population above"
    return Fault(owner, message, {"what": what, "circle": " → ".join(shown_words)})


def _way_back(owner: _Node, decides: Mapping[_Node, list[_Node]]) -> list[_Node]:
    """Return the shortest way from a node to itself, with it at both ends; empty where there is none."""
    came_from: dict[_Node, _Node] = {}
    waiting = [owner]
    while waiting:
        following = []
        for node in waiting:
            for after in decides.get(node, ()):
                if after not in came_from:
                    came_from[after] = node
                    following.append(after)
        waiting = following
    if owner not in came_from:
        return []
    way = [owner, came_from[owner]]
    while way[-1] != owner:
        way.append(came_from[way[-1]])
    return way[::-1]


def _use_faults(strategy: GatingStrategy, cut: Cut, use: CutUse) -> Iterator[Fault]:
    found = _limit(strategy.populations[use.population].gate, use) if _is_place(strategy, use) else None
    values: dict[str, object] = {"name": cut.name, "side": use.side}
    if found is None:
        values |= {"place": use.population, "dimension": use.dimension}
        yield Fault(cut.name, "cut {name!r}: population {place} has no {side} on dimension {dimension}", values)
        return
    dimension, value = found
    values["path"] = strategy.paths[use.population]
    if dimension != cut.dimension:
        values |= {"own": shown(cut.dimension), "other": shown(dimension)}
        yield Fault(cut.name, "cut {name!r} stands on {own}, the {side} of {path!r} on {other}", values)
    elif value != cut.at:
        values |= {"at": cut.at, "value": value}
        yield Fault(cut.name, "cut {name!r} is at {at}, the {side} of {path!r} at {value}", values)


def _is_place(strategy: GatingStrategy, use: CutUse) -> bool:
    if not 0 <= use.population < len(strategy.populations):
        return False
    return 0 <= use.dimension < len(strategy.populations[use.population].gate.dimensions)


def _limit(gate: Gate, use: CutUse) -> tuple[Dimension, float | None] | None:
    """Return the dimension and value of a limit or divider, ``None`` where the gate has no such thing."""
    if isinstance(gate, RectangleGate) and use.side != "divider":
        limit = gate.limits[use.dimension]
        return limit.dimension, limit.minimum if use.side == "min" else limit.maximum
    if isinstance(gate, QuadrantGate) and use.side == "divider" and len(gate.dividers[use.dimension]) == 1:
        return gate.dimensions[use.dimension], gate.dividers[use.dimension][0]
    return None


def shown(dimension: Dimension) -> str:
    """Return a dimension in words.

    Examples
    --------
    >>> shown(Dimension("CD25", "FCS", "fluor"))
    'CD25 (compensation FCS, transform fluor)'
    """
    return f"{dimension.label} (compensation {dimension.compensation}, transform {dimension.transform or 'none'})"
