"""Sheets as they stand in a file, CSV or XLSX, whatever columns they have."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from il2cyto.errors import TableError
from il2cyto.study.findings import Findings
from il2cyto.study.workbook import read_workbook

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")
_MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class Table:
    """Names of the columns, and line and cells of each row that is not blank."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_table(path: Path, sheet: str, known: Collection[str]) -> Table:
    """Read a table with all its columns.

    Parameters
    ----------
    path
        The file.
    sheet
        Worksheet to prefer in a workbook.
    known
        Names of columns; the delimiter of a CSV file is the one that finds most of them.

    Raises
    ------
    TableError
        If the file cannot be read or is empty.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise TableError("{file}: cannot be read ({why})", file=path.name, why=error.strerror) from error
    if len(content) > _MAX_BYTES:
        raise TableError("{file}: is larger than {most:,} bytes", file=path.name, most=_MAX_BYTES)
    if path.suffix.lower() == ".xlsx":
        found = read_workbook(content, path.name, sheet, Findings())
        if found is None:
            raise TableError("{file}: is no readable workbook; save it again as .xlsx or .csv", file=path.name)
        lines = list(found)
    else:
        lines = _csv_lines(decode(content), known, path.name)
    filled = [(line, tuple(cell.strip() for cell in cells)) for line, cells in lines if any(c.strip() for c in cells)]
    if not filled:
        raise TableError("{file}: the table is empty", file=path.name)
    return Table(filled[0][1], tuple(filled[1:]))


def decode(content: bytes) -> str:
    """Return text in UTF-8, UTF-16 with its mark, GB18030 or Latin-1, the first that fits."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _csv_lines(text: str, known: Collection[str], name: str) -> list[tuple[int, list[str]]]:
    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        return sum(cell.strip() in known for cell in cells), len(cells)

    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=score))
        lines, begin = [], 1
        for cells in reader:
            lines.append((begin, cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise TableError("{file}: cannot be read as a table; check its quotes", file=name) from error
    return lines


def render_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
