"""Gate many tubes: in this process, or in workers of which each has one tube at a time.

A worker that dies, by the system's memory killer or by its own fault, costs the tube that it had. That tube is tried
once more when nothing else runs, and set aside if its worker dies again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from il2cyto.errors import OutputError
from il2cyto.steps.results import DiskError
from il2cyto.steps.sources import Source
from il2cyto.steps.tube import TubeError, TubeOutcome, gate_tube, set_aside
from il2cyto.steps.worker import Worker
from il2cyto.study.model import TubeRecord

#: Workers that die in a row before they have begun: it is not the tubes.
_MOST_FALSE_STARTS = 3


@dataclass
class Task:
    """A tube to gate, the hash of its file where it is known, and whether a worker has died on it."""

    record: TubeRecord
    known: Source | None = None
    died: bool = False


def allowed_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gate_tubes(
    tasks: Iterable[Task], out: Path, *, jobs: int, isolate: bool = False
) -> Generator[TubeOutcome, None, None]:
    """Gate tubes and yield their outcomes as they come; closing the generator ends the workers.

    Parameters
    ----------
    tasks
        The tubes.
    out
        Folder of the run.
    jobs
        Cores to use: processes while there are tubes for all, and threads inside the last tubes. More than
        `allowed_cores` are not used.
    isolate
        Gate in a worker even if `jobs` is 1, so that a tube which needs too much memory costs itself and not the run.

    Raises
    ------
    DiskError
        If the disk takes no more; nothing that was finished is lost.
    OutputError
        If workers cannot be started.
    """
    cores = max(1, min(jobs, allowed_cores()))
    queue = deque(tasks)
    if cores == 1 and not isolate:
        while queue:
            task = queue.popleft()
            yield gate_tube(task.record, out, known=task.known)
        return
    yield from _Pool(queue, out, cores).outcomes()


class _Pool:
    """Workers, what each has in hand, and what waits."""

    def __init__(self, queue: deque[Task], out: Path, cores: int) -> None:
        self.queue, self.out, self.cores = queue, out, cores
        self.alone: deque[Task] = deque()
        self.workers: list[Worker] = []
        self.busy: dict[Worker, tuple[Task, int]] = {}
        self.false_starts = 0

    def outcomes(self) -> Generator[TubeOutcome, None, None]:
        try:
            while self.queue or self.busy or self.alone:
                self.assign()
                for worker in Worker.wait(self.workers):
                    outcome = self.receive(worker)
                    if outcome is not None:
                        yield outcome
        except BaseException:
            self.end(patient=False)
            raise
        self.end(patient=True)

    def assign(self) -> None:
        """Give each free worker a tube, and the last tubes the cores that no other tube needs."""
        source, wanted = self.queue, min(self.cores, len(self.busy) + len(self.queue))
        if not source and not self.busy and self.alone:
            # alone means that no other worker holds memory either
            if len(self.workers) > 1:
                self.end(patient=True)
            source, wanted = self.alone, 1
        while len(self.workers) < wanted:
            self.workers.append(Worker(self.out))
        for worker in self.workers:
            if not source or worker in self.busy or not worker.ready:
                continue
            free = self.cores - sum(threads for _, threads in self.busy.values())
            if free < 1:
                break
            idle = sum(other not in self.busy for other in self.workers)
            threads = max(1, free // max(1, min(len(source), idle)))
            task = source.popleft()
            self.busy[worker] = (task, threads)
            worker.send(task.record, task.known, threads)

    def receive(self, worker: Worker) -> TubeOutcome | None:
        """Take what a worker says; a dead one gives its tube back."""
        message = worker.receive()
        if isinstance(message, DiskError):
            raise message
        if isinstance(message, TubeOutcome):
            task, _ = self.busy.pop(worker)
            if message.error is not None and message.error.kind == "MemoryError" and not task.died:
                # others had the memory: once more without them
                self.alone.append(Task(task.record, task.known, died=True))
                return None
            return message
        if message is not None:
            self.false_starts = 0
            return None
        self.workers.remove(worker)
        why = worker.bury()
        if worker not in self.busy:
            self.false_starts += not worker.ready
            if self.false_starts >= _MOST_FALSE_STARTS:
                raise OutputError(
                    f"processes that gate tubes cannot be started ({why}). In a script of your own, call il2cyto below "
                    "`if __name__ == '__main__':`, or use jobs=1"
                )
            return None
        task, _ = self.busy.pop(worker)
        if not task.died:
            self.alone.append(Task(task.record, task.known, died=True))
            return None
        told = f"the process that gated it {why}, twice"
        name, tube_id = task.record.fcs_name, task.record.tube_id
        return set_aside(task.record, self.out, TubeError("WorkerDied", f"{name}: {told}", f"{tube_id}: {told}"))

    def end(self, *, patient: bool) -> None:
        """End every worker: at once, or when it has finished what it is doing."""
        for worker in self.workers:
            worker.dismiss()
        for worker in self.workers:
            worker.end(patient=patient)
        self.workers, self.busy = [], {}
