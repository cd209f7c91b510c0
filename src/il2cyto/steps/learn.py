"""Learn the gates of a study from the tubes that may teach, before any tube is counted."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from il2cyto import __version__
from il2cyto.autogate.events import Teacher, thinned
from il2cyto.autogate.jobs import Job, estimate
from il2cyto.autogate.learn import Estimator, learn
from il2cyto.autogate.learnt import LearntGate
from il2cyto.autogate.order import tasks
from il2cyto.errors import Il2CytoError
from il2cyto.fcs import read_fcs
from il2cyto.gating import GatingStrategy
from il2cyto.gating.learning import Source
from il2cyto.gating.warm import warm_up
from il2cyto.provenance import hash_content
from il2cyto.steps.folder import sources_path
from il2cyto.steps.gates import load_strategies
from il2cyto.steps.key import code_sha256
from il2cyto.steps.learntfile import find_learnt, learnt_path, write_learnt
from il2cyto.steps.normalised import learn_normalisation, with_normalised
from il2cyto.steps.public import public_message
from il2cyto.steps.sources import FileHash, SourceMemory
from il2cyto.study.model import ControlRecord, LearntFile, Study, TubeRecord

logger = logging.getLogger(__name__)

#: Events of a tube that teaches; more change a gate less than tubes differ.
EVENTS: Final = 30_000
#: Raised when the content of the files changes.
FORMAT: Final = 1


@dataclass(frozen=True)
class Kind:
    """Tubes that share a strategy and a panel, and the file of their gates."""

    name: str
    tube: str
    strategy: Path
    panel: Path | None

    def holds(self, record: TubeRecord) -> bool:
        """Whether a tube is one of them."""
        return (record.tube, record.strategy.path, record.panel) == (self.tube, self.strategy, self.panel)


@dataclass(frozen=True)
class Candidate:
    """A tube that may teach, before it is read."""

    tube_id: str
    source: Source
    batch: str
    subject: str
    treated: bool
    omitted: tuple[str, ...]
    fcs: Path
    sha256: str

    def told(self) -> list[Any]:
        """What of it decides what is learnt."""
        return [self.tube_id, self.source, self.batch, self.subject, self.treated, list(self.omitted), self.sha256]


def learnt_kinds(study: Study) -> tuple[Kind, ...]:
    """Return the kinds of tubes whose strategy says what is learnt; none if the study turns learning off."""
    if not study.learn_gates:
        return ()
    kinds: list[Kind] = []
    seen: dict[str, int] = defaultdict(int)
    for key in dict.fromkeys((record.tube, record.strategy.path, record.panel) for record in study.records):
        tube, strategy, panel = key
        try:
            strategies, _ = load_strategies(strategy, panel, tube)
        except Il2CytoError:
            continue  # every tube of it fails with this error
        if strategies.default is None or not strategies.default.learning:
            continue
        seen[tube] += 1
        kinds.append(Kind(tube if seen[tube] == 1 else f"{tube}-{seen[tube]}", tube, strategy, panel))
    return tuple(kinds)


def with_learnt(study: Study, out: Path) -> Study:
    """Return the study whose tubes get the gates and curves that stand in a results folder."""
    files = {kind: found[0] for kind in learnt_kinds(study) if (found := find_learnt(learnt_path(out, kind.name)))}
    return with_normalised(_with_files(study, files), out)


def not_learnt(study: Study, out: Path) -> tuple[str, ...]:
    """Return the kinds of tubes whose gates are to be learnt and do not stand in a results folder yet."""
    return tuple(kind.name for kind in learnt_kinds(study) if find_learnt(learnt_path(out, kind.name)) is None)


def learn_study(
    study: Study,
    out: Path,
    *,
    jobs: int = 1,
    verify: bool = False,
    stage: Callable[[str], None] | None = None,
) -> Study:
    """Learn the gates of every kind of tube whose strategy says so, then curves of batches that the study normalises.

    Returns the study whose tubes get them. What stands in ``learnt/`` and ``normalisation/`` of the results folder is
    kept where nothing that decides it has changed.

    Parameters
    ----------
    study
        The study.
    out
        Results folder, which the caller holds.
    jobs
        Processes; they change the time and nothing else.
    verify
        Hash every FCS file, also those that the file system calls unchanged.
    stage
        Told of each stage.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    StrategyError
        If rules of a strategy need each other.
    """
    say = stage or (lambda _: None)
    memory = SourceMemory.read(sources_path(out))
    files: dict[Kind, LearntFile] = {}
    waiting: list[tuple[Kind, list[Candidate], str]] = []
    for kind in learnt_kinds(study):
        candidates = _candidates(study, kind, memory, verify=verify)
        key = _key(kind, candidates)
        found = find_learnt(learnt_path(out, kind.name))
        if found is not None and found[1]["key"] == key:
            files[kind] = found[0]
        else:
            waiting.append((kind, candidates, key))
    if waiting:
        warm_up(lambda: say("compiling the kernels, once after an installation"))
        with _estimator(jobs) as run:
            for kind, candidates, key in waiting:
                say(f"learning the gates of {kind.name} from {len(candidates)} tubes")
                files[kind] = _learn(kind, candidates, key, out, run)
    return learn_normalisation(_with_files(study, files), out, memory, verify=verify, say=say)


def _with_files(study: Study, files: dict[Kind, LearntFile]) -> Study:
    if not files:
        return study

    def file_of(record: TubeRecord) -> LearntFile | None:
        return next((file for kind, file in files.items() if kind.holds(record)), None)

    return replace(study, records=tuple(replace(record, learnt=file_of(record)) for record in study.records))


def _template(kind: Kind) -> GatingStrategy:
    strategies, _ = load_strategies(kind.strategy, kind.panel, kind.tube)
    assert strategies.default is not None  # noqa: S101  # learnt_kinds lets no other through
    return strategies.default


def _candidates(study: Study, kind: Kind, memory: SourceMemory, *, verify: bool) -> list[Candidate]:
    """Every tube that some rule of the strategy may learn from."""
    rules = [task.rule for task in tasks(_template(kind))]
    wide = [rule for rule in rules if rule.scope != "tube" or {*rule.borrow} - {"template"}]
    wanted = {source for rule in wide for source in rule.sources}
    first = first_doses(study)
    found: list[Candidate] = []

    def add(one: TubeRecord | ControlRecord, tube_id: str, **facts: Any) -> None:
        file = FileHash(one.fcs, None if verify else memory.recall(tube_id, one.fcs))
        sha256 = file.sha256
        if file.source is not None:
            memory.remember(tube_id, file.source)
        found.append(Candidate(tube_id, batch=one.batch or "", fcs=one.fcs, sha256=sha256, **facts))

    for record in study.records:
        treated = is_treated(record, first)
        if kind.holds(record) and ("sample" in wanted or ("untreated" in wanted and not treated)):
            add(record, record.tube_id, source="sample", subject=record.subject, treated=treated, omitted=())
    for control in study.controls:
        if control.tube == kind.tube and control.kind in ("fmo", "donor", "unstimulated") and control.kind in wanted:
            omitted = tuple(name for name in (control.marker, control.channel) if name) if control.kind == "fmo" else ()
            add(control, control.control_id, source=control.kind, subject="", treated=False, omitted=omitted)
    return found


def first_doses(study: Study) -> dict[str, date]:
    """Return the day of the first dose of each subject that has one, of treatments that count."""
    first: dict[str, date] = {}
    for dose in study.doses:
        if not study.treatments or dose.treatment in study.treatments:
            first[dose.subject] = min(first.get(dose.subject, dose.date), dose.date)
    return first


def is_treated(record: TubeRecord, first: dict[str, date]) -> bool:
    """Whether a tube was drawn after a first dose, or may have been: an unknown day of a treated subject counts so."""
    if record.subject not in first:
        return False
    if record.collection_date is None:
        return True
    return record.collection_date > first[record.subject] or (
        record.collection_date == first[record.subject] and record.after_dose
    )


def _key(kind: Kind, candidates: Sequence[Candidate]) -> str:
    template = _template(kind)
    _, panel = load_strategies(kind.strategy, kind.panel, kind.tube)
    panel = panel or template.panel
    return hash_content(
        {
            "format": FORMAT,
            "il2cyto": __version__,
            "code": code_sha256(),
            "strategy": template.content_hash,
            "panel": panel.content_hash if panel is not None else None,
            "events": EVENTS,
            "tubes": sorted(candidate.told() for candidate in candidates),
        }
    )


def _learn(kind: Kind, candidates: Sequence[Candidate], key: str, out: Path, run: Estimator) -> LearntFile:
    template = _template(kind)
    _, panel = load_strategies(kind.strategy, kind.panel, kind.tube)
    teachers, unused = [], {}
    for one in candidates:
        try:
            sample = read_fcs(one.fcs, panel or template.panel)
            small = thinned(sample, EVENTS)
            # says what is wrong with its names or its matrix before others are learnt with it
            template.apply(thinned(small, 8))
        except Il2CytoError as error:
            unused[one.tube_id] = public_message(type(error).__name__, error.public, one.tube_id)
            logger.warning("tube %s teaches nothing: %s", one.tube_id, unused[one.tube_id])
            continue
        teachers.append(Teacher(one.tube_id, one.batch, one.source, small, one.subject, one.treated, one.omitted))
    found = learn(template, teachers, run)
    wide = [gate for gate in found.found.values() if gate.scope != "tube"]
    head = {
        "key": key,
        "il2cyto": __version__,
        "tube": kind.tube,
        "strategy": template.id,
        "strategy_version": template.version,
        "strategy_sha256": template.content_hash,
        "tubes": {
            one.tube_id: {"source": one.source, "batch": one.batch, "treated": one.treated, "fcs_sha256": one.sha256}
            for one in sorted(candidates, key=lambda one: one.tube_id)
        },
        "unused": dict(sorted(unused.items())),
    }
    ordered = sorted(wide, key=lambda gate: (gate.kind, gate.name, gate.scope, gate.unit))
    logger.info("learnt %d gates of %s from %d tubes", len(ordered), kind.name, len(teachers))
    return write_learnt(learnt_path(out, kind.name), head, ordered)


@contextmanager
def _estimator(jobs: int) -> Iterator[Estimator]:
    """Give estimates to processes, or make them here where one is enough or none can be started."""
    if jobs < 2:
        yield lambda some: [estimate(job) for job in some]
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:

        def run(some: Sequence[Job]) -> Sequence[LearntGate]:
            try:
                return list(pool.map(estimate, some))
            except BrokenProcessPool:
                return [estimate(job) for job in some]

        yield run
