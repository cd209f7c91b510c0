"""Gate many tubes in parallel processes; a dead worker costs one tube and not the batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from il2cyto.steps.tube import TubeError, TubeOutcome, gate_tube
from il2cyto.study.model import TubeRecord


def gate_tubes(
    records: Sequence[TubeRecord], out: Path, *, jobs: int, done: Callable[[TubeOutcome], bool]
) -> dict[str, TubeOutcome]:
    """Gate tubes and return their outcomes by tube.

    Parameters
    ----------
    records
        Rows of the samples sheet.
    out
        Folder of the run.
    jobs
        Number of processes; 1 works in this process.
    done
        Called with each outcome as it arrives; returns whether to go on.
    """
    outcomes: dict[str, TubeOutcome] = {}
    stream = _inline(records, out) if jobs <= 1 or len(records) <= 1 else _parallel(records, out, jobs)
    for outcome in stream:
        outcomes[outcome.tube_id] = outcome
        if not done(outcome):
            stream.close()
            break
    return outcomes


def _inline(records: Sequence[TubeRecord], out: Path) -> Generator[TubeOutcome, None, None]:
    for record in records:
        yield gate_tube(record, out)


def _one_thread() -> None:
    """Keep numerical libraries of a worker to one thread: the processes are the parallelism."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _executor(jobs: int) -> ProcessPoolExecutor:
    # spawned workers start clean: no locks or threads are copied from a process that draws a progress bar
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread)


def _parallel(records: Sequence[TubeRecord], out: Path, jobs: int) -> Generator[TubeOutcome, None, None]:
    waiting = {record.tube_id: record for record in records}
    with _executor(min(jobs, len(records))) as pool:
        futures: dict[Future[TubeOutcome], str] = {
            pool.submit(gate_tube, record, out): record.tube_id for record in records
        }
        try:
            for future in as_completed(futures):
                try:
                    outcome = future.result()
                except BrokenProcessPool:
                    break
                del waiting[outcome.tube_id]
                yield outcome
        except GeneratorExit:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    # A worker died. It is not known on which tube, so those left are gated one process each.
    for record in waiting.values():
        with _executor(1) as single:
            try:
                outcome = single.submit(gate_tube, record, out).result()
            except BrokenProcessPool:
                why = "the process that gated it was killed"
                error = TubeError("WorkerDied", f"{record.fcs_name}: {why}", f"{record.tube_id}: {why}")
                outcome = TubeOutcome(record.tube_id, None, error)
        yield outcome
