"""One estimate: a rule, the events that teach it, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from il2cyto.autogate.estimate import LearningTube, NotEstimable, Template
from il2cyto.autogate.learnt import LearntGate
from il2cyto.autogate.methods import ALL_SOURCES, METHODS
from il2cyto.autogate.order import Task
from il2cyto.gating.vocabulary import RANGE_METHODS

#: Share of the events that an axis may leave outside at each end.
_OUTSIDE = 0.0005


@dataclass(frozen=True)
class Job:
    """An estimate that can be made anywhere.

    Parameters
    ----------
    task
        The rule.
    scope, unit
        For whom.
    tubes
        Tubes that teach, in any order.
    seed
        Text that the random draws follow from, besides task and unit.
    """

    task: Task
    scope: str
    unit: str
    tubes: tuple[LearningTube, ...] = field(repr=False)
    seed: str


def chosen(task: Task, tubes: Mapping[str, Sequence[LearningTube]]) -> tuple[LearningTube, ...]:
    """Return the tubes that teach a rule: the first kind of source with enough events, or all kinds.

    Parameters
    ----------
    task
        The rule.
    tubes
        Tubes that there are, by source.
    """
    rule = task.rule
    if rule.method in ALL_SOURCES:
        return tuple(tube for source in rule.sources for tube in tubes.get(source, ()))
    for source in rule.sources:
        some = tuple(tubes.get(source, ()))
        if sum(len(tube.values) for tube in some) >= rule.min_events:
            return some
    kinds = (tuple(tubes.get(source, ())) for source in rule.sources)
    return max(kinds, key=lambda some: sum(len(tube.values) for tube in some))


def estimate(job: Job) -> LearntGate:
    """Make an estimate; the same tubes in any order give the same gate."""
    task = job.task
    tubes = sorted(job.tubes, key=lambda tube: (tube.source, tube.tube_id))
    tubes = [replace(tube, values=tube.values[np.isfinite(tube.values).all(axis=1)]) for tube in tubes]
    n_events, names = sum(len(tube.values) for tube in tubes), tuple(tube.tube_id for tube in tubes)
    found: object
    if not tubes:
        found = NotEstimable(f"no tube of {' or '.join(task.rule.sources)} to learn from", 0, ())
    elif n_events < task.rule.min_events:
        found = NotEstimable(f"{n_events} events to learn from, wanted {task.rule.min_events}", n_events, names)
    else:
        text = "\n".join([job.seed, *task.id, job.scope, job.unit])
        rng = np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))
        template = Template(np.array(task.place), _limits(task, tubes))
        found = METHODS[task.rule.method](tubes, task.rule, template, rng)
    return LearntGate.of(task.kind, task.name, job.scope, job.unit, task.rule.method, found)


def _limits(task: Task, tubes: Sequence[LearningTube]) -> tuple[tuple[float, float], ...]:
    """Range of each axis that holds its data and the template, with a margin."""
    limits = []
    if task.rule.method in RANGE_METHODS:
        corners = np.array([[one for one in task.place if np.isfinite(one)]])
    else:
        corners = np.array(task.place).reshape(-1, 2).T if task.kind == "shape" else np.array(task.place)[:, None]
    for axis in range(len(task.dimensions)):
        values = np.concatenate([tube.values[:, axis] for tube in tubes])
        low, high = np.quantile(values, [_OUTSIDE, 1.0 - _OUTSIDE])
        low, high = min(low, *corners[axis]), max(high, *corners[axis])
        margin = 0.05 * (high - low) or 0.05
        limits.append((float(low - margin), float(high + margin)))
    return tuple(limits)
