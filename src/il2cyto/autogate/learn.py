"""Learn the gates of a strategy from tubes, stage by stage, for each unit of each rule's scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from il2cyto.autogate.estimate import LearningTube
from il2cyto.autogate.events import Teacher, seen
from il2cyto.autogate.jobs import Job, chosen, estimate
from il2cyto.autogate.learnt import LearntGate
from il2cyto.autogate.order import Task, given, stages
from il2cyto.autogate.part import above
from il2cyto.autogate.places import place, still_learnt
from il2cyto.gating.learning import SCOPES
from il2cyto.gating.strategy import GatingStrategy

#: Makes estimates, here or in other processes, and returns them in the order of the jobs.
Estimator = Callable[[Sequence[Job]], Sequence[LearntGate]]


@dataclass(frozen=True)
class Learnt:
    """Estimates of a strategy for all units, by kind, name, scope and unit; not yet what any tube gets."""

    strategy: GatingStrategy
    found: Mapping[tuple[str, str, str, str], LearntGate]

    def gate(self, task: Task, tube_id: str, subject: str, batch: str) -> LearntGate:
        """Return the gate of a rule for a tube: its own, a borrowed one, or why there is none."""
        own = self.found.get((*task.id, task.rule.scope, unit_of(task.rule.scope, tube_id, subject, batch)))
        if own is None:
            # a unit without a single tube that may teach was never a job
            sources = " or ".join(task.rule.sources)
            why = "was not learnt" if task.rule.scope == "tube" else f"no tube of {sources} to learn from"
            own = LearntGate(*task.id, task.rule.scope, "", task.rule.method, "not_estimable", reason=why)
        if own.place:
            return own
        for scope in task.rule.borrow:
            if scope == "template":
                return replace(own, status="template", place=task.place[: own_size(task)], borrowed_from="template")
            unit = unit_of(scope, tube_id, subject, batch)
            wider = self.found.get((*task.id, scope, unit))
            if wider is not None and wider.place:
                lender = f"{scope} {unit}".strip()
                return replace(
                    wider, scope=own.scope, unit=own.unit, status="borrowed", borrowed_from=lender, reason=own.reason
                )
        return own


def own_size(task: Task) -> int:
    """Return how many parameters a rule decides."""
    return 1 if task.kind == "cut" else len(task.place)


def unit_of(scope: str, tube_id: str, subject: str, batch: str) -> str:
    """Return the unit of a tube in a scope.

    Examples
    --------
    >>> unit_of("subject", "T1", "P001", "B2")
    'P001@B2'
    """
    return {"tube": tube_id, "subject": f"{subject}@{batch}" if subject else "", "batch": batch, "study": ""}[scope]


def learn(strategy: GatingStrategy, teachers: Sequence[Teacher], run: Estimator | None = None) -> Learnt:
    """Learn every rule from tubes.

    Parameters
    ----------
    strategy
        The template, spelt for the panel of the tubes.
    teachers
        Every tube that may teach. Their order changes nothing.
    run
        Makes estimates, such as in other processes; by default here, one after the other.

    Returns
    -------
    Learnt
        Estimates for every unit that the rules ask for, wider scopes that they may borrow from included.

    Raises
    ------
    StrategyError
        If rules need each other.
    """
    run = run or (lambda jobs: [estimate(job) for job in jobs])
    teachers = sorted(teachers, key=lambda one: one.tube_id)
    found: dict[tuple[str, str, str, str], LearntGate] = {}
    done: list[Task] = []
    for stage in stages(strategy):
        jobs = list(_jobs(strategy, stage, teachers, Learnt(strategy, found), done))
        for gate in run(jobs):
            found[gate.kind, gate.name, gate.scope, gate.unit] = gate
        done += stage
    return Learnt(strategy, found)


def _jobs(
    strategy: GatingStrategy, stage: Sequence[Task], teachers: Sequence[Teacher], sofar: Learnt, done: Sequence[Task]
) -> Iterable[Job]:
    """Return every estimate of a stage."""
    part = above(strategy, [task.population for task in stage])
    # rule → scope → unit → source → tubes
    given: dict[tuple[str, str], dict[tuple[str, str], dict[str, list[LearningTube]]]] = {
        task.id: defaultdict(lambda: defaultdict(list)) for task in stage
    }
    placed: dict[tuple[LearntGate, ...], GatingStrategy] = {}
    for teacher in teachers:
        wanted = [(task, source) for task in stage for source in task.rule.sources if teacher.teaches(source, task)]
        own = [task for task in stage if task.rule.scope == "tube"]
        if not wanted and not own:
            continue
        gates = tuple(sofar.gate(task, teacher.tube_id, teacher.subject, teacher.batch) for task in done)
        if gates not in placed:
            placed[gates] = place(part, still_learnt(part, gates))
        result = placed[gates].apply(teacher.sample)
        events: dict[tuple[str, str], LearningTube | None] = {}
        for task, source in [*wanted, *((task, "sample") for task in own)]:
            if task.id not in events:
                events[task.id] = seen(teacher.tube_id, result, _there(task, strategy, part), "sample")
            tube = events[task.id]
            if tube is None:
                continue
            tube = replace(tube, source=source)
            if (task, source) in wanted:
                for scope, unit in _units(task, teacher):
                    given[task.id][scope, unit][source].append(tube)
            if task in own:
                given[task.id]["tube", teacher.tube_id]["sample"] = [tube]
    for task in stage:
        for (scope, unit), tubes in given[task.id].items():
            some = tubes["sample"] if scope == "tube" else chosen(task, tubes)
            yield Job(_known(task, sofar, done, scope, unit), scope, unit, tuple(some), strategy.content_hash)


def _known(task: Task, sofar: Learnt, done: Sequence[Task], scope: str, unit: str) -> Task:
    """The rule with the places of the cuts that it takes as given."""
    names = given(task.rule)
    if not names:
        return task
    subject, _, batch = unit.rpartition("@") if scope == "subject" else ("", "", unit if scope == "batch" else "")
    cuts = {one.name: one for one in done if one.kind == "cut"}
    places = [sofar.gate(cuts[name], unit, subject, batch).place for name in names if name in cuts]
    if len(places) < len(names) or not all(places):
        # a cut that is not learnt, or not estimable, stands where the template has it
        return task
    return replace(task, place=(*task.place[: len(task.place) - len(names)], *(one[0] for one in places)))


def _units(task: Task, teacher: Teacher) -> list[tuple[str, str]]:
    """Units that a tube teaches, in the scope of the rule and in those that it borrows from."""
    scopes = [scope for scope in SCOPES if scope != "tube" and scope in (task.rule.scope, *task.rule.borrow)]
    units = [(scope, unit_of(scope, teacher.tube_id, teacher.subject, teacher.batch)) for scope in scopes]
    return [(scope, unit) for scope, unit in units if unit or scope == "study"]


def _there(task: Task, strategy: GatingStrategy, part: GatingStrategy) -> Task:
    """The rule with its population at its position in a part of the strategy."""
    if task.population < 0:
        return task
    return replace(task, population=part.resolve(strategy.paths[task.population]))


def learn_tube(
    strategy: GatingStrategy, teacher: Teacher, wide: Learnt
) -> tuple[GatingStrategy, tuple[LearntGate, ...]]:
    """Return the strategy of one tube and its gates: what it learns from itself, the rest as learnt before.

    Parameters
    ----------
    strategy
        The template.
    teacher
        The tube, or a share of its events.
    wide
        What `learn` found for units wider than a tube.
    """
    found = dict(wide.found)
    done: list[Task] = []
    for stage in stages(strategy):
        own = [task for task in stage if task.rule.scope == "tube"]
        if own:
            single = replace(teacher, source="sample")
            for job in _jobs(strategy, own, [single], Learnt(strategy, found), done):
                if job.scope == "tube":
                    found[(*job.task.id, "tube", job.unit)] = estimate(job)
        done += stage
    here = Learnt(strategy, found)
    gates = tuple(here.gate(task, teacher.tube_id, teacher.subject, teacher.batch) for task in done)
    return place(strategy, still_learnt(strategy, gates)), gates
