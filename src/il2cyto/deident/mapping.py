"""The table that re-identifies: every line vouched for by the key, kept apart from what it re-identifies."""

from __future__ import annotations

import csv
import hmac
import io
import os
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from il2cyto.deident.key import Key
from il2cyto.errors import OutputError
from il2cyto.provenance import write_text

COLUMNS = ("kind", "pseudonym", "original", "shift_days", "sha256", "mac")
_HEAD = "key"
_LOOKS = 4096


@dataclass(frozen=True, order=True)
class Line:
    """What one pseudonym stands for; days of the shift for a subject, hash of the original for a file."""

    kind: str
    pseudonym: str
    original: str
    shift_days: str = ""
    sha256: str = ""


def read_map(path: Path, key: Key) -> tuple[Line, ...]:
    """Read a map that this key vouches for.

    Raises
    ------
    OutputError
        If the file is no map, is not keyed, belongs to another key, or a line was changed.
    """
    refusal = f"{path}: this key does not vouch for this table of pseudonyms"
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path}: cannot be read as a map; move it away or name another file") from error
    if len(rows) < 2 or tuple(rows[0]) != COLUMNS or rows[1][:1] != [_HEAD]:
        raise OutputError(f"{refusal}: it is not keyed at all; move it to a safe place, or destroy it")
    if rows[1][1] != key.fingerprint:
        raise OutputError(f"{refusal}: it belongs to key {rows[1][1][:16]!r}, yours is {key.fingerprint!r}")
    lines = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS) or not hmac.compare_digest(row[-1].encode(), _mac(key, row[:-1]).encode()):
            raise OutputError(f"{refusal}: line {number} was changed since it was written")
        lines.append(Line(*row[:-1]))
    return tuple(lines[1:])


def write_map(path: Path, key: Key, lines: Iterable[Line]) -> None:
    """Write a map, or add to one of the same key; only its owner may read it.

    Raises
    ------
    OutputError
        If the file that is there is no map of this key.
    """
    known = read_map(path, key) if path.exists() else ()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in (Line(_HEAD, key.fingerprint, ""), *sorted({*known, *lines})):
        fields = list(astuple(line))
        writer.writerow([*fields, _mac(key, fields)])
    before = os.umask(0o077)
    try:
        write_text(path, stream.getvalue())
    finally:
        os.umask(before)


def check_neighbours(folder: Path, key: Key) -> None:
    """Refuse a folder that holds a map which this key does not vouch for.

    A table that says who is who and stands beside the cleaned files undoes the cleaning.

    Raises
    ------
    OutputError
        If there is one.
    """
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.suffix.lower() in (".csv", ".tsv", ".txt", ".xlsx") and path.is_file() and _looks_like_map(path):
            read_map(path, key)


def _looks_like_map(path: Path) -> bool:
    """Whether a file has the name of a map, or a header that speaks of pseudonyms and originals."""
    if re.search(r"(^|[^a-z])map(ping)?([^a-z]|$)", path.stem.casefold()):
        return True
    with path.open("rb") as stream:
        header = stream.read(_LOOKS).split(b"\n")[0].lower()
    return b"pseudonym" in header and (b"original" in header or b"name" in header or b"subject" in header)


def _mac(key: Key, fields: Iterable[str]) -> str:
    return key.digest("map", "\0".join(fields)).hex()
