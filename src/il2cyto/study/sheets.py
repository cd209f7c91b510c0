"""Sheets as text cells with line numbers: CSV and XLSX read to the same thing."""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from il2cyto.study.findings import Findings, hint, one_of, shorten
from il2cyto.study.workbook import read_workbook

MAX_BYTES = 50_000_000
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
#: The column in which a person may write several lines.
COMMENT = "comment"


@dataclass(frozen=True)
class Row:
    """One row: its line in the file and its cells by column; blank cells are empty texts."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """The rows of one sheet.

    Attributes
    ----------
    file
        Name as written in ``study.yaml``.
    header
        Line of the header.
    columns
        Known columns that the sheet has.
    rows
        Rows that are not blank.
    delimiter
        Of a CSV file, ``None`` for XLSX.
    sha256
        Hash of the bytes that were read.
    """

    file: str
    header: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str | None
    sha256: str


def read_sheet(
    path: Path, file: str, table: str, required: Sequence[str], optional: Sequence[str], findings: Findings
) -> Sheet | None:
    """Read a sheet and check its header; every fault goes to `findings`.

    Parameters
    ----------
    path, file
        Where the file is, and its name for messages.
    table
        Name of the table: the worksheet of this name is read, or else the first.
    required, optional
        Columns that must be there, and that may be. Any other column is a problem.
    findings
        Receives problems (header, encoding, quoting, length of rows, invisible characters) and notices (spaces that
        were removed, a delimiter that is not the comma).

    Returns
    -------
    Sheet or None
        ``None`` when the file cannot be read at all.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        findings.problem(file, None, "", "", f"the file cannot be read: {error.strerror}")
        return None
    if len(content) > MAX_BYTES:
        findings.problem(file, None, "", "", f"the sheet is larger than {MAX_BYTES:,} bytes; split the study")
        return None
    delimiter: str | None = None
    if path.suffix.lower() == ".xlsx":
        lines = read_workbook(content, file, table, findings)
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        text = _decode(content, file, findings)
        delimiter = _delimiter(text or "", (*required, *optional))
        if delimiter != ",":
            findings.notice(
                file, 1, "", "", f"the header is separated by {DELIMITERS[delimiter]}; all rows are read so"
            )
        lines = None if text is None else _csv_lines(text, delimiter, file, findings)
    else:
        findings.problem(
            file, None, "", path.suffix, "this kind of sheet is not read; save it as .csv (UTF-8) or .xlsx"
        )
        return None
    if lines is None:
        return None
    filled = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    if not filled:
        findings.problem(file, None, "", "", f"the sheet is empty; its header needs the columns {', '.join(required)}")
        return None
    (header, names), *body = filled
    places = _header(file, header, names, required, optional, findings)
    if delimiter is not None:
        body = _full_rows(file, len(names), body, findings)
    rows = _rows(file, body, names, places, findings)
    return Sheet(file, header, tuple(places), rows, delimiter, hashlib.sha256(content).hexdigest())


def _decode(content: bytes, file: str, findings: Findings) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        findings.problem(file, line, "", "", "the file is not UTF-8; save it as 'CSV UTF-8'")
        return None


def _delimiter(text: str, known: Sequence[str]) -> str:
    """Return the delimiter that gives the header most known columns, then most columns."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
        except csv.Error:
            return 0, 0
        return sum(cell.strip() in known for cell in cells), len(cells)

    return max(DELIMITERS, key=score)


def _csv_lines(text: str, delimiter: str, file: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"the row cannot be read ({error}); check its quotes. Rows from here on were not checked"
            findings.problem(file, line, "", "", message)
            return
        yield line, cells


def _header(
    file: str, line: int, names: Sequence[str], required: Sequence[str], optional: Sequence[str], findings: Findings
) -> dict[str, int]:
    """Return the place of each known column."""
    known = [*required, *optional]
    places: dict[str, int] = {}
    for place, raw in enumerate(names):
        name = raw.strip()
        if name in places:
            findings.problem(file, line, name, "", "this column stands twice; keep one of them")
        elif name in known:
            places[name] = place
        elif name:
            close = (
                hint(name, [column for column in known if column not in names]) or f"; known are: {', '.join(known)}"
            )
            findings.problem(file, line, shorten(name), "", f"unknown column{close}")
    for name in required:
        if name not in places:
            findings.problem(file, line, name, "", "this column is required and missing")
    return places


def _full_rows(
    file: str, width: int, body: Sequence[tuple[int, list[str]]], findings: Findings
) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV file that have as many cells as the header, and report the others."""
    full = []
    for line, cells in body:
        if len(cells) == width:
            full.append((line, cells))
        else:
            message = f"the row has {len(cells)} cells and the header {width}; quote cells that hold the delimiter"
            findings.problem(file, line, "", "", message)
    return full


def _rows(
    file: str,
    body: Sequence[tuple[int, list[str]]],
    names: Sequence[str],
    places: dict[str, int],
    findings: Findings,
) -> tuple[Row, ...]:
    rows = []
    spaced: dict[str, list[int]] = {}
    for line, cells in body:
        for place, cell in enumerate(cells):
            if cell.strip() and (place >= len(names) or not names[place].strip()):
                findings.problem(file, line, "", cell, "this cell stands in a column without a name; name the column")
        row: dict[str, str] = {}
        for name, place in places.items():
            raw = cells[place] if place < len(cells) else ""
            row[name] = raw.strip()
            if row[name] != raw:
                spaced.setdefault(name, []).append(line)
            if name != COMMENT:
                _check_characters(file, line, name, row[name], findings)
        rows.append(Row(line, row))
    for name, lines in spaced.items():
        shown = one_of([str(line) for line in lines])
        findings.notice(file, lines[0], name, "", f"spaces around the value were removed (line {shown})")
    return tuple(rows)


def _check_characters(file: str, line: int, column: str, text: str, findings: Findings) -> None:
    """Report characters that nobody can see and that make two equal-looking values differ."""
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            name = unicodedata.name(character, "control character")
            message = f"the value holds an invisible character (U+{ord(character):04X}, {name}); remove it"
            findings.problem(file, line, column, ascii(text)[1:-1], message)
            return
