"""The writer of ``audit.jsonl``: lines are added, each in one write that reaches the disk, and none is ever changed."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Callable, Mapping
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
        fragment = self._read()
        if fragment is not None:
            self._recover(fragment)

    def append(self, what: str, **fields: Any) -> Entry:
        """Add a line and wait until it is on the disk.

        Parameters
        ----------
        what
            What was done.
        **fields
            More of it, as JSON has it.

        Raises
        ------
        OutputError
            If the disk does not take it (nothing of it is left then), or another process has written meanwhile.
        """
        return self._append(b"", {"time": self._clock(), "user": self.user, "what": what, **fields})

    def _append(self, before: bytes, fields: Mapping[str, Any]) -> Entry:
        line, digest = render(self._number + 1, fields, self.head)
        written = before + line
        created = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size != self._size:
                raise OutputError(f"{self.path}: another process has written here meanwhile; run again when it ends")
            try:
                if os.write(descriptor, written) != len(written):
                    raise OSError("only a part of the line was written")
                os.fsync(descriptor)
            except OSError as error:
                # what reached the file of this very line is no history yet
                os.ftruncate(descriptor, self._size)
                raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        finally:
            os.close(descriptor)
        if created:
            _sync_folder(self.path.parent)
        whole = {"n": self._number + 1, **fields, "previous": self.head}
        self.head, self._number = digest, self._number + 1
        self._line, self._size = self._line + written.count(b"\n"), self._size + len(written)
        entry = Entry(self._line, whole, digest, self._size)
        self._told(entry)
        return entry

    def _read(self) -> bytes | None:
        """Check what stands there; return the fragment at its end, if there is one."""
        content = read_log(self.path)
        self._size = len(content)
        whole = 0
        try:
            for entry in walk(content):
                self.head, self._number, self._line, whole = entry.hash, self._number + 1, entry.line, entry.end
                self._told(entry)
        except ChainError as error:
            if not error.tail:
                raise OutputError(
                    f"{self.path}, line {error.line}: {error.message}. Nothing is added to a log that was changed: put "
                    "the file back as it was, or choose a new results folder"
                ) from error
            return content[whole:]
        return None

    def _recover(self, fragment: bytes) -> None:
        self._line += fragment.count(b"\n")
        if self._finish(fragment):
            # only the line break was missing
            self._append(b"", {"time": self._clock(), "user": self.user, "what": TORN, **torn_facts(b"")})
            return
        if fragment.endswith(b"\n"):
            fragment, before = fragment[:-1], b""
        else:
            before = b"\n"
        self._append(before, {"time": self._clock(), "user": self.user, "what": TORN, **torn_facts(fragment)})

    def _finish(self, fragment: bytes) -> bool:
        """End a line of which nothing but the line break is missing."""
        content = read_log(self.path)
        try:
            entries = list(walk(content + b"\n"))
        except ChainError:
            return False
        with self.path.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write(b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        last = entries[-1]
        self.head, self._number, self._line, self._size = last.hash, self._number + 1, last.line, last.end
        self._told(last)
        return True


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
