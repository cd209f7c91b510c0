"""Which files of a folder are read, and that folders do not overlap."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from il2cyto.errors import OutputError

_MAGIC = re.compile(rb"FCS\d\.\d")
#: 2000-01-01: the time of writing is a date, too.
CONSTANT_TIME = 946_684_800


@dataclass(frozen=True)
class Found:
    """Files below a root, resolved and sorted; links that lead out of it are counted and not followed."""

    root: Path
    files: tuple[Path, ...]
    n_outside: int


def find_files(source: Path) -> Found:
    """Return every regular file below a folder, or the one file.

    Raises
    ------
    OutputError
        If nothing is there.
    """
    root = source.resolve()
    if root.is_file():
        return Found(root.parent, (root,), 0)
    if not root.is_dir():
        raise OutputError(f"{source}: nothing is there; give an FCS file or a folder")
    files: set[Path] = set()
    outside = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        for name in (*names, *(name for name in folders if (Path(folder) / name).is_symlink())):
            path = Path(folder) / name
            target = path.resolve()
            if not target.is_relative_to(root):
                outside += 1
            elif target.is_file():
                files.add(target)
    return Found(root, tuple(sorted(files)), outside)


def is_fcs(path: Path) -> bool:
    """Whether a file calls itself FCS, by its name or by its first bytes."""
    if path.suffix.lower() in (".fcs", ".lmd"):
        return True
    try:
        with path.open("rb") as stream:
            return _MAGIC.match(stream.read(6)) is not None
    except OSError:
        return False


def check_out(out: Path, source: Path, data_root: Path | None = None) -> None:
    """Refuse an output folder that is not empty, or that overlaps with what is read.

    Raises
    ------
    OutputError
        With the remedy.
    """
    target = out.resolve()
    if out.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise OutputError(f"{out}: is not empty; give a new or an empty folder")
    for read in (source.resolve(), data_root.resolve() if data_root else source.resolve()):
        if target.is_relative_to(read) or read.is_relative_to(target):
            raise OutputError(f"{out}: lies within {read}, or the other way round; give a folder apart from it")


def check_apart(path: Path, folders: tuple[Path, ...], what: str) -> None:
    """Refuse a key or a map inside a folder that is read or given away.

    Raises
    ------
    OutputError
        With the remedy.
    """
    for folder in folders:
        if path.resolve().is_relative_to(folder.resolve()):
            raise OutputError(f"{path}: {what} may not stand in {folder}; keep it where only you can read it")


def settle(folder: Path) -> None:
    """Give every file and folder the same time."""
    for place, folders, names in os.walk(folder, topdown=False):
        for name in (*names, *folders):
            os.utime(Path(place) / name, (CONSTANT_TIME, CONSTANT_TIME))
    os.utime(folder, (CONSTANT_TIME, CONSTANT_TIME))
