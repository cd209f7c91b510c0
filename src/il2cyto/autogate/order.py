"""In which order the rules of a strategy are learnt: what decides a population comes before what is learnt in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from il2cyto.autogate.learnt import Kind
from il2cyto.errors import StrategyError
from il2cyto.gates import BooleanGate, Dimension, PolygonGate, RectangleGate
from il2cyto.gating.learning import LearnRule
from il2cyto.gating.strategy import GatingStrategy


@dataclass(frozen=True)
class Task:
    """A rule with what it is about.

    Parameters
    ----------
    kind, name
        ``cut`` with its name, or ``shape`` with the path of its population.
    population
        Position of the population whose events are looked at; -1 for all events.
    dimensions
        Axes that the method sees.
    place
        Parameters of the template on these axes.
    populations
        Positions of the populations whose gates it decides.
    """

    kind: Kind
    name: str
    rule: LearnRule
    population: int
    dimensions: tuple[Dimension, ...]
    place: tuple[float, ...]
    populations: tuple[int, ...]

    @property
    def id(self) -> tuple[Kind, str]:
        """Kind and name."""
        return self.kind, self.name


def together(rule: LearnRule) -> tuple[str, ...]:
    """Return the names of the cuts that are found together with that of a rule."""
    return tuple(str(rule.options.get("with", "")).split())


def given(rule: LearnRule) -> tuple[str, ...]:
    """Return the names of the cuts that must be learnt before, because the rule uses their places."""
    return tuple(str(rule.options.get("given", "")).split())


def tasks(strategy: GatingStrategy) -> tuple[Task, ...]:
    """Return every rule of a strategy, in the order in which they can be learnt.

    Raises
    ------
    StrategyError
        If rules need each other, a population or a cut that is named does not exist, or a shape is no polygon.
    """
    found = [*_cuts(strategy), *_shapes(strategy)]
    needs = [_needs(strategy, task, found) for task in found]
    ordered: list[int] = []
    while len(ordered) < len(found):
        ready = [i for i in range(len(found)) if i not in ordered and needs[i] <= set(ordered)]
        if not ready:
            stuck = ", ".join(task.name for i, task in enumerate(found) if i not in ordered)
            raise StrategyError("strategy {id!r}: rules need each other: {names}", id=strategy.id, names=stuck)
        ordered += ready
    return tuple(found[i] for i in ordered)


def stages(strategy: GatingStrategy) -> tuple[tuple[Task, ...], ...]:
    """Return the rules in groups: those of a group need only earlier groups."""
    ordered = tasks(strategy)
    level: dict[int, int] = {}
    for i, task in enumerate(ordered):
        level[i] = 1 + max((level[k] for k in _needs(strategy, task, list(ordered))), default=-1)
    return tuple(
        tuple(task for i, task in enumerate(ordered) if level[i] == number)
        for number in range(max(level.values(), default=-1) + 1)
    )


def _place(strategy: GatingStrategy, name: str) -> int:
    return -1 if name in ("", "root") else strategy.resolve(name)


def _cuts(strategy: GatingStrategy) -> list[Task]:
    by_name = {cut.name: cut for cut in strategy.learning.cuts}
    found = []
    for cut in strategy.learning.cuts:
        if cut.rule is None:
            continue
        others = [*together(cut.rule), *given(cut.rule)]
        for other in others:
            if other not in by_name:
                raise StrategyError("cut {name!r}: there is no cut {other!r}", name=cut.name, other=other)
        axes = [cut, *(by_name[other] for other in others)]
        found.append(
            Task(
                "cut",
                cut.name,
                cut.rule,
                _place(strategy, cut.rule.population),
                tuple(one.dimension for one in axes),
                tuple(one.at for one in axes),
                tuple(sorted({use.population for use in cut.uses})),
            )
        )
    return found


def _shapes(strategy: GatingStrategy) -> list[Task]:
    found = []
    for shape in strategy.learning.shapes:
        path, gate = strategy.paths[shape.population], strategy.populations[shape.population].gate
        if isinstance(gate, PolygonGate):
            place = tuple(value for vertex in gate.vertices for value in vertex)
        elif isinstance(gate, RectangleGate):
            limit = gate.limits[0]
            place = (
                -math.inf if limit.minimum is None else limit.minimum,
                math.inf if limit.maximum is None else limit.maximum,
            )
        else:
            raise StrategyError("population {path!r}: only polygons and ranges are learnt as a whole", path=path)
        above = strategy.parents[shape.population]
        population = _place(strategy, shape.rule.population) if shape.rule.population else above
        found.append(Task("shape", path, shape.rule, population, gate.dimensions, place, (shape.population,)))
    return found


def _needs(strategy: GatingStrategy, task: Task, all_tasks: list[Task]) -> set[int]:
    """Positions of the rules that decide the population that a rule looks at."""
    involved: set[int] = set()
    waiting = [task.population]
    while waiting:
        place = waiting.pop()
        if place < 0 or place in involved:
            continue
        involved.add(place)
        waiting.append(strategy.parents[place])
        gate = strategy.populations[place].gate
        if isinstance(gate, BooleanGate):
            waiting += [strategy.resolve(operand.population) for operand in gate.operands]
    named = given(task.rule)
    return {
        i
        for i, other in enumerate(all_tasks)
        if involved & set(other.populations) or (other.kind == "cut" and other.name in named)
    }
