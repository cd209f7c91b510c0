"""Hashes of FCS files, remembered as long as the file system says that a file is the same.

A hash is taken from memory only if size, time of change and time of change of the entry (``st_size``, ``st_mtime_ns``,
``st_ctime_ns``) are what they were, and only if the file had rested for `RESTED_S` when it was hashed. The third time
cannot be set by a program, so a file that was changed and given its old time back is noticed; the rest is what Git does
about files that change within one tick of the clock. What no time tells, such as a failing disk, ``--verify`` finds.

The memory is a hidden file of the results folder, one line per hash. It decides how long a run takes and no number:
without it, or with lines that a crash has torn, files are hashed again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from il2cyto.provenance import hash_file, write_text

RESTED_S = 2.0


class Stamp(NamedTuple):
    """What the file system says of a file: bytes, and nanoseconds of the change of its content and of its entry."""

    size: int
    mtime_ns: int
    ctime_ns: int


class Source(NamedTuple):
    """A hash and the stamp that the file had before and after hashing; `sure` if it had rested."""

    sha256: str
    stamp: Stamp
    sure: bool


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, ``None`` where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def hash_source(path: Path) -> Source:
    """Hash a file.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    before = stamp_of(path)
    now = time.time_ns()
    sha256 = hash_file(path)
    after = stamp_of(path)
    if before is None or after is None:
        raise FileNotFoundError(os.strerror(2))
    rested = now - max(before.mtime_ns, before.ctime_ns) > RESTED_S * 1e9
    return Source(sha256, after, rested and before == after)


class FileHash:
    """The hash of a file: known and still true, or computed once; nothing where the file cannot be read."""

    def __init__(self, path: Path, known: Source | None = None) -> None:
        self._path = path
        self._known = known if known is not None and known.stamp == stamp_of(path) else None
        #: The hash with the state of the file, where it was computed here.
        self.source: Source | None = None

    @property
    def known(self) -> Source | None:
        """The hash with the state of the file."""
        if self._known is None:
            with suppress(OSError):
                self.source = self._known = hash_source(self._path)
        return self._known

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits, or nothing."""
        return self.known.sha256 if self.known is not None else ""


@dataclass
class SourceMemory:
    """The hashes that a results folder remembers, by tube; `path` is ``None`` where nothing is kept."""

    path: Path | None
    _known: dict[str, Source] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SourceMemory:
        """Read what is remembered; lines that are not whole are passed over."""
        memory = cls(path)
        with suppress(OSError):
            for line in path.read_bytes().splitlines():
                with suppress(ValueError, TypeError, KeyError):
                    tube_id, sha256, *stamp = json.loads(line)
                    if isinstance(tube_id, str) and isinstance(sha256, str) and len(sha256) == 64:
                        memory._known[tube_id] = Source(sha256, Stamp(*map(int, stamp)), True)
        return memory

    def recall(self, tube_id: str, path: Path) -> Source | None:
        """Return the hash of a file if it is certainly the one that was hashed."""
        source = self._known.get(tube_id)
        return source if source is not None and source.stamp == stamp_of(path) else None

    def remember(self, tube_id: str, source: Source) -> None:
        """Add a hash; one that is not sure is not kept."""
        if not source.sure or self._known.get(tube_id) == source:
            return
        self._known[tube_id] = source
        if self.path is not None:
            line = json.dumps([tube_id, source.sha256, *source.stamp], separators=(",", ":"))
            # begins a line of its own whatever a crash has left before it; a full disk costs the memory, not the run
            with suppress(OSError), self.path.open("ab") as stream:
                stream.write(f"\n{line}\n".encode())

    def tidy(self, tube_ids: Collection[str]) -> None:
        """Write the file anew with one line per tube of the study."""
        if self.path is not None:
            lines = [
                json.dumps([tube_id, source.sha256, *source.stamp], separators=(",", ":"))
                for tube_id, source in sorted(self._known.items())
                if tube_id in tube_ids
            ]
            with suppress(OSError):
                write_text(self.path, "".join(f"{line}\n" for line in lines))
