"""The writer of ``audit.jsonl``: lines are added, each in one write that reaches the disk, and none is ever changed."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from il2cyto.errors import OutputError
from il2cyto.provenance.chain import GENESIS, TORN, ChainError, Entry, render, torn_facts, walk

#: Name of the file in a results folder.
AUDIT: Final = "audit.jsonl"
#: Environment variable that names the person who runs.
USER: Final = "IL2CYTO_USER"
_MAX_NAME = 200


def who(user: str | None = None) -> str:
    """Return who acts: `user`, else ``IL2CYTO_USER``, else account and machine as ``ann@host``."""
    named = (user or os.environ.get(USER, "")).strip()
    if named:
        return named[:_MAX_NAME]
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        account = f"uid {os.getuid()}"
    return f"{account}@{socket.gethostname()}"[:_MAX_NAME]


def now() -> str:
    """Return the time in UTC, to the millisecond: ``2026-03-02T06:05:00.123Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AuditLog:
    """An audit log that is open for writing.

    Parameters
    ----------
    path
        The file; made with the first line.
    user
        Who acts.
    clock
        Gives the time of a line.
    told
        Receives every entry that stands in the file already.

    Raises
    ------
    OutputError
        If a line is not as it was written, or the file cannot be read.

    Notes
    -----
    A line that a dying process left torn stays where it is; an entry after it says how long it is and what its hash is.
    """

    def __init__(
        self,
        path: str | Path,
        user: str,
        *,
        clock: Callable[[], str] = now,
        told: Callable[[Entry], None] | None = None,
    ) -> None:
        self.path, self.user, self._clock = Path(path), user, clock
        self._told = told or (lambda _: None)
        self.head, self._number, self._line, self._size = GENESIS, 0, 0, 0
        if read_log(self.path):
            with self._locked():
                pass

    def append(self, what: str, **fields: Any) -> Entry:
        """Add a line and wait until it is on the disk; lines that others have added meanwhile come first.

        Parameters
        ----------
        what
            What was done.
        **fields
            More of it, as JSON has it.

        Raises
        ------
        OutputError
            If the disk does not take it (nothing of it is left then), or the log was changed meanwhile.
        """
        with self._locked() as descriptor:
            return self._write(descriptor, what, fields)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the file alone, with all that stands in it read."""
        created = not self.path.exists()
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size != self._size:
                self._catch_up(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)
        if created:
            _sync_folder(self.path.parent)

    def _write(self, descriptor: int, what: str, fields: Mapping[str, Any], before: bytes = b"") -> Entry:
        told = {"time": self._clock(), "user": self.user, "what": what, **fields}
        line, digest = render(self._number + 1, told, self.head)
        self._put(descriptor, before + line)
        self._line += (before + line).count(b"\n")
        whole = {"n": self._number + 1, **told, "previous": self.head}
        return self._tell(Entry(self._line, whole, digest, self._size))

    def _put(self, descriptor: int, content: bytes) -> None:
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError("only a part of the line was written")
            os.fsync(descriptor)
        except OSError as error:
            # what reached the file of this very line is no history yet
            os.ftruncate(descriptor, self._size)
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._size += len(content)

    def _tell(self, entry: Entry) -> Entry:
        self.head, self._number, self._line = entry.hash, self._number + 1, entry.line
        self._told(entry)
        return entry

    def _catch_up(self, descriptor: int) -> None:
        """Read what is not known yet, and end a line that was left torn."""
        content, known, seen, whole = read_log(self.path), self._number, 0, 0
        torn = False
        try:
            try:
                for entry in walk(content):
                    seen, whole = seen + 1, entry.end
                    if seen > known:
                        self._tell(entry)
                    elif seen == known and entry.hash != self.head:
                        raise ChainError(entry.line, "it is not as it was a moment ago")
            except ChainError as error:
                torn = error.tail
                if not torn:
                    raise
            if seen < known:
                raise ChainError(content[:whole].count(b"\n") + 1, "it is gone, and was there a moment ago")
        except ChainError as error:
            raise OutputError(
                f"{self.path}, line {error.line}: {error.message}. Nothing is added to a log that was changed: put "
                "the file back as it was, or choose a new results folder"
            ) from error
        self._size = len(content)
        if torn:
            self._recover(descriptor, content, whole)

    def _recover(self, descriptor: int, content: bytes, whole: int) -> None:
        """Leave a torn line where it is and say so in the next."""
        fragment = content[whole:]
        try:
            *_, last = walk(content + b"\n")
        except ChainError:
            last = None
        if last is not None and last.end > whole:
            # only the line break was missing
            self._put(descriptor, b"\n")
            self._tell(last)
            self._write(descriptor, TORN, torn_facts(b""))
            return
        ended = fragment.endswith(b"\n")
        self._line += fragment.count(b"\n")
        fragment = fragment[:-1] if ended else fragment
        self._write(descriptor, TORN, torn_facts(fragment), b"" if ended else b"\n")


def read_log(path: str | Path) -> bytes:
    """Return the bytes of a log, none where there is no file.

    Raises
    ------
    OutputError
        If it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OutputError(f"{path}: the audit log cannot be read ({error.strerror})") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
