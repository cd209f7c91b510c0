"""One writer at a time in a folder; a lock that its holder cannot leave behind."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from il2cyto.errors import OutputError

_WAIT_S = 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: process, machine, begin in UTC (ISO 8601) and what is being done; empty where unknown."""

    pid: int | None
    host: str
    since: str
    what: str

    def __str__(self) -> str:
        if self.pid is None:
            return "another process"
        return f"process {self.pid} on {self.host} ({self.what}), since {self.since}"


@contextmanager
def hold(path: Path, what: str, *, of: Path, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of a file while the block runs.

    The lock is that of the operating system (``flock``): it ends with the process that holds it, however that ends, so
    there is no stale lock to remove. What stands in the file tells people who holds it and decides nothing.

    Parameters
    ----------
    path
        The file; made if it does not exist, and left in place, empty, afterwards.
    what
        What is being done, for the message that others get.
    of
        The folder that the lock is about, for that message.
    shared
        Several may hold it together, while nobody holds it alone.
    wait_s
        Seconds to wait for another holder.

    Raises
    ------
    OutputError
        If another process holds it, or the file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _acquire(descriptor, path, of, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait_s)
        try:
            if not shared:
                _describe(descriptor, what)
            yield
        finally:
            if not shared:
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return who holds the lock of a file alone, or ``None`` if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def _acquire(descriptor: int, path: Path, of: Path, kind: int, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                break
            time.sleep(_WAIT_S)
        except OSError as error:
            raise OutputError(
                f"{of}: this file system has no locks ({error.strerror}); choose a folder on another disk"
            ) from error
        else:
            return
    raise OutputError(f"{of}: in use by {_read(path)}; wait until it ends, or choose another folder")


def _describe(descriptor: int, what: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = {"pid": os.getpid(), "host": os.uname().nodename, "since": now, "what": what}
    os.ftruncate(descriptor, 0)
    with suppress(OSError):  # on a full disk the lock holds all the same
        os.pwrite(descriptor, json.dumps(told).encode(), 0)


def _read(path: Path) -> Holder:
    try:
        told = json.loads(path.read_bytes()[:4096])
        return Holder(int(told["pid"]), str(told["host"]), str(told["since"]), str(told["what"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(None, "", "", "")
