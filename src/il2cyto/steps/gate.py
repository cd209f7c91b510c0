"""The step that gates the tubes of a study, or some of them: what is done stays, what has changed is done again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from il2cyto.gating.warm import warm_up
from il2cyto.steps.folder import sources_path
from il2cyto.steps.pool import Task, allowed_cores, gate_tubes
from il2cyto.steps.results import folder_of, read_folder
from il2cyto.steps.sources import FileHash, SourceMemory
from il2cyto.steps.tube import TubeError, TubeOutcome, failed_parts, reuse_tube
from il2cyto.study.model import TubeRecord

logger = logging.getLogger(__name__)


def gate_records(
    records: Sequence[TubeRecord],
    out: Path,
    *,
    jobs: int = 1,
    isolate: bool = False,
    verify: bool = False,
    stop: bool = False,
    tube_done: Callable[[TubeOutcome], None] | None = None,
    stage: Callable[[str], None] | None = None,
) -> dict[str, TubeOutcome]:
    """Gate tubes whose result is not there yet, or was made from something else, and return what became of each.

    Parameters
    ----------
    records
        Rows of the samples sheet.
    out
        Results folder, which the caller holds.
    jobs, isolate
        As for `pool.gate_tubes`.
    verify
        Hash every FCS file, also those that the file system calls unchanged.
    stop
        Begin no further tube after one that failed; tubes that were not begun are not in the answer.
    tube_done, stage
        Told of each finished tube and of each stage.

    Raises
    ------
    DiskError
        If the disk takes no more; nothing that was finished is lost.
    """
    memory = SourceMemory.read(sources_path(out))
    outcomes: dict[str, TubeOutcome] = {}
    for outcome in _outcomes(records, out, memory, jobs, isolate, verify, stage or (lambda _: None)):
        outcomes[outcome.tube_id] = outcome
        if outcome.source is not None:
            memory.remember(outcome.tube_id, outcome.source)
        _log(outcome)
        if tube_done is not None:
            tube_done(outcome)
        if stop and outcome.error is not None:
            break
    return outcomes


def _outcomes(
    records: Sequence[TubeRecord],
    out: Path,
    memory: SourceMemory,
    jobs: int,
    isolate: bool,
    verify: bool,
    say: Callable[[str], None],
) -> Iterator[TubeOutcome]:
    say("looking for what has changed")
    tasks = []
    for record in records:
        known = None if verify else memory.recall(record.tube_id, record.fcs)
        reused = reuse_tube(record, out, known) if known is not None else None
        if reused is not None:
            yield reused
        else:
            tasks.append(Task(record, known))
    if not tasks:
        return
    # once, before the workers: each would compile for itself
    warm = warm_up(lambda: say("compiling the kernels, once after an installation"))
    if warm.compiled:
        logger.info("compiled the kernels in %.1f s", warm.seconds)
    say("gating")
    logger.info("%d of %d tubes to gate or to hash, %d cores of %d", len(tasks), len(records), jobs, allowed_cores())
    stream = gate_tubes(tasks, out, jobs=jobs, isolate=isolate)
    try:
        yield from stream
    finally:
        stream.close()


def _log(outcome: TubeOutcome) -> None:
    if outcome.error is not None:
        logger.error("tube %s failed: %s: %s", outcome.tube_id, outcome.error.kind, outcome.error.public)
        if outcome.error.trace:
            logger.error("tube %s: raised at %s", outcome.tube_id, outcome.error.trace)
    elif not outcome.reused:
        logger.info("tube %s gated in %.2f s", outcome.tube_id, outcome.seconds)


def collect_records(records: Sequence[TubeRecord], out: Path, *, verify: bool = False) -> dict[str, TubeOutcome]:
    """Return what became of each tube, from the files of the results folder alone; nothing is gated.

    A tube without a result that is up to date fails as *not gated*.
    """
    memory = SourceMemory.read(sources_path(out))
    outcomes = {}
    for record in records:
        file = FileHash(record.fcs, None if verify else memory.recall(record.tube_id, record.fcs))
        known = file.known
        outcome = reuse_tube(record, out, known) if known is not None else None
        if file.source is not None:
            memory.remember(record.tube_id, file.source)
        outcomes[record.tube_id] = outcome or _not_gated(record, out, file.sha256)
    return outcomes


def _not_gated(record: TubeRecord, out: Path, sha256: str) -> TubeOutcome:
    error = read_folder(folder_of(out, record.tube_id)).error
    if error is not None and error["parts"] == failed_parts(record, sha256):
        kind, told = str(error["kind"]), str(error["message"])
        return TubeOutcome(record.tube_id, TubeError(kind, told, told), sha256)
    why = "has no result that is up to date; gate it with `il2cyto tube` or `il2cyto run`"
    return TubeOutcome(
        record.tube_id, TubeError("NotGated", f"{record.fcs_name}: {why}", f"{record.tube_id}: {why}"), sha256
    )
