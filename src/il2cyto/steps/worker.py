"""One process that gates tubes for another."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from il2cyto.provenance.lock import hold
from il2cyto.steps.folder import workers_lock
from il2cyto.steps.results import DiskError
from il2cyto.steps.sources import Source
from il2cyto.steps.tube import TubeOutcome, gate_tube
from il2cyto.study.model import TubeRecord

_READY = "ready"
#: A worker that is told to stop finishes the file that it writes; after this it is killed, which harms no file either.
_PATIENCE_S = 10.0


class Worker:
    """The handle of a worker process, held by the run."""

    def __init__(self, out: Path) -> None:
        # spawned workers start clean: no locks or threads are copied from a process that draws a progress bar
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, out), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False

    @staticmethod
    def wait(workers: Sequence[Worker]) -> list[Worker]:
        """Wait until at least one worker has something to say or is dead."""
        by_end = {worker.connection: worker for worker in workers}
        return [by_end[end] for end in wait(list(by_end))]  # type: ignore[index]  # these ends and no others

    def send(self, record: TubeRecord, known: Source | None, threads: int) -> None:
        """Hand over a tube; a worker that has just died will be noticed by `receive`."""
        try:
            self.connection.send((record, known, threads))
        except OSError:
            return

    def receive(self) -> TubeOutcome | DiskError | str | None:
        """Return what the worker says, ``None`` if it is dead."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(message, tuple):
            return DiskError(message[1])
        if message == _READY:
            self.ready = True
        found: TubeOutcome | str = message
        return found

    def dismiss(self) -> None:
        """Tell the worker that there is no more to do."""
        self.connection.close()

    def bury(self) -> str:
        """Collect a dead worker and return how it ended."""
        self.connection.close()
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        return "was killed" if code is not None and code < 0 else "ended unexpectedly"

    def end(self, *, patient: bool) -> None:
        """End the worker; without patience at once, which harms no file."""
        if not patient:
            self.process.kill()
        self.bury()


def _work(connection: Connection, out: Path) -> None:
    """Gate what comes until nothing comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers
    _one_thread()
    workers_lock(out).parent.mkdir(parents=True, exist_ok=True)
    with hold(workers_lock(out), "gate", of=out, shared=True, wait_s=_PATIENCE_S):
        threading.Thread(target=_end_with_parent, daemon=True).start()
        connection.send(_READY)
        while True:
            try:
                record, known, threads = connection.recv()
            except (EOFError, OSError):
                return
            if _orphaned():
                return
            answer: Any
            try:
                answer = gate_tube(record, out, known=known, threads=threads)
            except DiskError as error:
                answer = ("disk", str(error))
            try:
                connection.send(answer)
            except OSError:
                return


def _orphaned() -> bool:
    parent = parent_process()
    return parent is None or not parent.is_alive()


def _end_with_parent() -> None:
    """Leave when the run is gone: a worker of a killed run must not write beside the next one."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _one_thread() -> None:
    """Keep numerical libraries of a worker to one thread: the processes are the parallelism."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
