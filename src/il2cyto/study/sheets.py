"""Sheets as text cells with line numbers: CSV and XLSX, however a laboratory writes them, read to the same thing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from il2cyto.study.characters import invisible, plain, spaced
from il2cyto.study.csvtext import decode, read_lines
from il2cyto.study.findings import Findings, hint, one_of, shorten
from il2cyto.study.notation import plain_cells
from il2cyto.study.style import DELIMITERS, SheetStyle
from il2cyto.study.workbook import read_workbook

MAX_BYTES = 50_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 1_000
#: The column in which a person may write several lines.
COMMENT = "comment"


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of sheet.

    Attributes
    ----------
    required, optional
        Columns that must be there, and that may be. Any other column is a problem.
    dates, numbers
        Those with dates and with numbers.
    ids
        Those whose digits are a name.
    words
        Those with free text, in which a full-width character may be meant.
    paths
        Those with paths, in which every character counts.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    dates: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.required, *self.optional)


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
        Rows that are not blank. Dates of the stated form are ISO 8601, decimal commas are points; what could not be
        read stands as it was.
    delimiter
        Of a CSV file, ``None`` for XLSX.
    style
        How it was read.
    sha256
        Hash of the bytes that were read.
    """

    file: str
    header: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str | None
    style: SheetStyle
    sha256: str


Lines = list[tuple[int, list[str]]]


def read_sheet(
    path: Path, file: str, table: str, columns: Columns, findings: Findings, style: SheetStyle | None = None
) -> Sheet | None:
    """Read a sheet and check its header; every fault goes to `findings`.

    Parameters
    ----------
    path, file
        Where the file is, and its name for messages.
    table
        Name of the table: the worksheet of this name is read, or else the first, unless `style` states one.
    columns
        What the sheet may hold.
    findings
        Receives problems (header, encoding, quoting, length of rows, invisible characters) and notices (spaces that
        were removed, a delimiter that is not the comma).
    style
        What ``study.yaml`` states about the sheet.

    Returns
    -------
    Sheet or None
        ``None`` when the file cannot be read at all.
    """
    style = style or SheetStyle()
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        findings.problem(file, None, "", "", f"the file cannot be read: {error.strerror}")
        return None
    if len(content) > MAX_BYTES:
        findings.problem(file, None, "", "", f"the sheet is larger than {MAX_BYTES:,} bytes; split the study")
        return None
    headers = {style.columns.get(name, name): name for name in columns.known}
    found = _lines(content, path.suffix.lower(), file, table, headers, columns, style, findings)
    if found is None:
        return None
    delimiter, lines = found
    if not lines:
        needed = ", ".join(columns.required)
        findings.problem(file, None, "", "", f"the sheet is empty; its header needs the columns {needed}")
        return None
    if len(lines) > MAX_ROWS or len(lines[0][1]) > MAX_COLUMNS:
        message = f"the sheet has more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns; split the study"
        findings.problem(file, None, "", "", message)
        return None
    (header, names), *body = lines
    places = _header(file, header, names, headers, columns, style, findings)
    if delimiter is not None:
        body = _full_rows(file, len(names), body, findings)
    rows = _rows(file, body, names, places, columns, findings)
    style, cells = plain_cells(file, [(row.line, row.cells) for row in rows], columns, style, delimiter, findings)
    rows = tuple(Row(row.line, clean) for row, clean in zip(rows, cells, strict=True))
    return Sheet(file, header, tuple(places), rows, delimiter, style, hashlib.sha256(content).hexdigest())


def _lines(
    content: bytes,
    suffix: str,
    file: str,
    table: str,
    headers: dict[str, str],
    columns: Columns,
    style: SheetStyle,
    findings: Findings,
) -> tuple[str | None, Lines] | None:
    """Return the delimiter, and line and cells of the rows that are not blank."""
    rows: Iterable[tuple[int, list[str]]] | None
    delimiter: str | None = None
    if suffix == ".xlsx":
        ids = {header for header, name in headers.items() if name in columns.ids}
        rows = read_workbook(content, file, style.worksheet or table, findings, style=style, ids=ids)
    elif suffix in (".csv", ".tsv", ".txt"):
        text = decode(content, file, style.encoding, findings)
        found = None if text is None else read_lines(text, file, tuple(headers), style, findings)
        delimiter, rows = found or (None, None)
    else:
        findings.problem(file, None, "", suffix, "this kind of sheet is not read; save it as .csv (UTF-8) or .xlsx")
        return None
    if rows is None:
        return None
    filled = []
    for line, cells in rows:
        if any(cell and not cell.isspace() for cell in cells):
            filled.append((line, cells))
        if len(filled) > MAX_ROWS:
            break
    return delimiter, filled


def _header(
    file: str,
    line: int,
    names: Sequence[str],
    headers: dict[str, str],
    columns: Columns,
    style: SheetStyle,
    findings: Findings,
) -> dict[str, int]:
    """Return the place of each known column."""
    places: dict[str, int] = {}
    for place, raw in enumerate(names):
        text = raw.strip() if raw.strip() in headers else plain(raw)
        name = headers.get(text)
        if name in places:
            findings.problem(file, line, text, "", "this column stands twice; keep one of them")
        elif name is not None:
            places[name] = place
        elif text and text not in style.ignore and spaced(raw) not in style.ignore:
            known = [header for header in headers if header not in names]
            close = hint(text, known) or f"; known are: {', '.join(headers)}"
            findings.problem(file, line, shorten(text), "", f"unknown column{close}")
    for name in columns.required:
        if name not in places:
            said = f" (its header is stated as {style.columns[name]!r})" if name in style.columns else ""
            findings.problem(file, line, name, "", f"this column is required and missing{said}")
    for name in style.columns:
        if name not in places and name not in columns.required:
            message = "study.yaml states this header and the sheet lacks it; correct `sheets:`"
            findings.problem(file, line, style.columns[name], "", message)
    return places


def _full_rows(file: str, width: int, body: Lines, findings: Findings) -> Lines:
    """Return the rows of a CSV file that have as many cells as the header, and report the others."""
    full = []
    for line, cells in body:
        # spreadsheets write delimiters for columns in which nothing stands
        if len(cells) >= width and not any(cell.strip() for cell in cells[width:]):
            full.append((line, cells[:width]))
        else:
            message = f"the row has {len(cells)} cells and the header {width}; quote cells that hold the delimiter"
            findings.problem(file, line, "", "", message)
    return full


_CHANGES = {
    "spaces": "spaces around the value were removed",
    "kinds": "spaces of another kind (such as U+00A0) or accents apart from their letters were read as the usual ones",
    "width": "full-width characters were read as the usual ones",
}


def _rows(
    file: str,
    body: Lines,
    names: Sequence[str],
    places: dict[str, int],
    columns: Columns,
    findings: Findings,
) -> tuple[Row, ...]:
    rows = []
    changed: dict[tuple[str, str], list[int]] = {}
    for line, cells in body:
        for place, cell in enumerate(cells):
            if cell.strip() and (place >= len(names) or not names[place].strip()):
                findings.problem(file, line, "", cell, "this cell stands in a column without a name; name the column")
        row: dict[str, str] = {}
        for name, place in places.items():
            raw = cells[place] if place < len(cells) else ""
            row[name], changes = _cell(raw, name, columns)
            for change in changes:
                changed.setdefault((name, change), []).append(line)
            unseen = None if name == COMMENT else invisible(row[name])
            if unseen is not None:
                message = f"the value holds an invisible character ({unseen}); remove it"
                findings.problem(file, line, name, ascii(row[name])[1:-1], message)
        rows.append(Row(line, row))
    for (name, change), lines in changed.items():
        shown = one_of([str(line) for line in lines])
        findings.notice(file, lines[0], name, "", f"{_CHANGES[change]} (line {shown})")
    return tuple(rows)


def _cell(raw: str, name: str, columns: Columns) -> tuple[str, list[str]]:
    """Return a cell as it is compared, and what was changed in it."""
    text = raw.strip()
    changes = ["spaces"] if text != raw else []
    if text.isascii() or name == COMMENT or name in columns.paths:
        return text, changes
    usual = spaced(text)
    if usual != text:
        changes.append("kinds")
    if name in columns.words:
        return usual, changes
    narrow = plain(usual)
    if narrow != usual:
        changes.append("width")
    return narrow, changes


__all__ = ["DELIMITERS", "Columns", "Row", "Sheet", "read_sheet"]
