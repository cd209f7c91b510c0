"""Rows of an XLSX workbook as texts, written as the same table would stand in a CSV file."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from il2cyto.study.characters import plain
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.style import SheetStyle

#: Sum of the unpacked parts of a workbook, rows of a worksheet in the format's own limit, and cells that are read.
MAX_UNPACKED = 200_000_000
MAX_ROWS = 1_048_576
MAX_CELLS = 5_000_000
#: A spreadsheet keeps 15 digits of a number.
MAX_DIGITS = 15


@dataclass(frozen=True)
class _Cell:
    kind: str
    value: Any
    shown: str


@dataclass
class _Worksheet:
    """One worksheet, as far as sheets need it; `others` are the titles of further ones."""

    title: str
    rows: list[tuple[int, list[_Cell]]]
    part: str
    others: list[str] = field(default_factory=list)


class _MissingError(Exception):
    """The worksheet that is stated does not exist."""

    def __init__(self, titles: list[str]) -> None:
        super().__init__()
        self.titles = titles


def read_workbook(
    content: bytes,
    file: str,
    table: str,
    findings: Findings,
    *,
    style: SheetStyle | None = None,
    ids: Collection[str] = (),
) -> Iterator[tuple[int, list[str]]] | None:
    """Return line and cells of each row of the worksheet called `table`, or of the first one.

    Real dates become ``yyyy-mm-dd``, from 1900 or 1904 as the workbook says. A number is the stored one, and with a
    format such as ``000`` it has the zeros that are shown. A formula counts with the value that was stored when the
    workbook was saved. Problems are a formula without a stored value, a spreadsheet error, merged cells, a number shown
    as a percentage, and in columns of `ids` a number or date that a spreadsheet made of what was typed. Hidden rows and
    columns are read and noted.

    Parameters
    ----------
    content, file
        The bytes and the name of the workbook.
    table
        Name of the worksheet to prefer, compared without case.
    findings
        Receives every problem and notice.
    style
        A stated worksheet must exist. Numbers are written with the stated decimal mark.
    ids
        Headers of columns whose digits are a name.

    Returns
    -------
    iterator of (int, list of str), or None
        ``None`` when the workbook cannot be read.
    """
    style = style or SheetStyle()
    stored: dict[int, list[_Cell]] = {}
    try:
        if not _is_safe(content, file, findings):
            return None
        sheet = _read(content, table, style.worksheet, data_only=False)
        if any(cell.kind == "f" for _, row in sheet.rows for cell in row):
            stored = dict(_read(content, table, style.worksheet, data_only=True).rows)
        _notice_layout(content, sheet, file, findings)
    except _MissingError as error:
        message = f"no worksheet has the stated name{hint(style.worksheet or '', error.titles)}; correct `worksheet:`"
        findings.problem(file, None, "", style.worksheet or "", message)
        return None
    except Exception as error:  # the reader is not ours and its input may be hostile: whatever it raises is one problem
        message = f"the workbook cannot be read ({type(error).__name__}: {error}); save it again as .xlsx or .csv"
        findings.problem(file, None, "", "", message)
        return None
    if sheet.others and sheet.title.casefold() != table and style.worksheet is None:
        message = (
            f"no worksheet is called {table}: the first of {len(sheet.others) + 1} is read. State another one in "
            "study.yaml as `worksheet:`"
        )
        findings.notice(file, None, "", one_of([sheet.title, *sheet.others]), message)
    return _lines(sheet.rows, stored, file, findings, style.decimal or ".", ids)


def _is_safe(content: bytes, file: str, findings: Findings) -> bool:
    """Whether the workbook unpacks to a bounded size and declares no entities."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED:
            message = f"the workbook unpacks to more than {MAX_UNPACKED:,} bytes; save as .csv"
            findings.problem(file, None, "", "", message)
            return False
        for part in archive.infolist():
            if not part.filename.lower().endswith((".xml", ".rels")):
                continue
            with archive.open(part) as stream:
                kept = b""
                while piece := stream.read(1 << 20):
                    # NUL bytes go, so that UTF-16 hides nothing
                    if b"<!DOCTYPE" in (kept + piece).replace(b"\0", b""):
                        message = (
                            "no spreadsheet writes a document type declaration, and this workbook has one; save as .csv"
                        )
                        findings.problem(file, None, "", "", message)
                        return False
                    kept = piece[-32:]
    return True


def _read(content: bytes, table: str, stated: str | None, *, data_only: bool) -> _Worksheet:
    """Return the worksheet with the cells of each row that is not empty."""
    import openpyxl

    with warnings.catch_warnings():
        # openpyxl warns of features that it leaves out when it writes, such as validation lists; nothing is written
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False)
        try:
            sheets = book.worksheets
            titles = [sheet.title for sheet in sheets]
            if stated is not None and stated not in titles:
                raise _MissingError(titles)
            wanted = [sheet for sheet in sheets if sheet.title == stated or sheet.title.casefold() == table]
            sheet = wanted[0] if wanted else sheets[0]
            # the size that the file claims may be wrong, in both directions
            sheet.reset_dimensions()
            rows = []
            n_cells = 0
            for number, row in enumerate(sheet.iter_rows(), start=1):
                if number > MAX_ROWS:
                    raise ValueError(f"more than {MAX_ROWS:,} rows")
                if any(cell.value is not None for cell in row):
                    n_cells += len(row)
                    if n_cells > MAX_CELLS:
                        raise ValueError(f"more than {MAX_CELLS:,} cells")
                    rows.append((number, [_cell(cell) for cell in row]))
            others = [title for title in titles if title != sheet.title]
            return _Worksheet(sheet.title, rows, sheet._worksheet_path, others)
        finally:
            book.close()


def _cell(cell: Any) -> _Cell:
    shown = cell.number_format if cell.value is not None and cell.data_type == "n" else ""
    return _Cell(cell.data_type, cell.value, shown or "")


def _notice_layout(content: bytes, sheet: _Worksheet, file: str, findings: Findings) -> None:
    """Report merged cells, and note hidden rows and columns."""
    from lxml import etree

    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    filled = {number for number, _ in sheet.rows}
    hidden: dict[str, list[str]] = {"row": [], "col": []}
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(sheet.part.lstrip("/")) as stream:
        tags = [f"{space}{name}" for name in ("mergeCell", "row", "col")]
        events = etree.iterparse(stream, tag=tags, resolve_entities=False, no_network=True, load_dtd=False)
        row = 0
        for _, element in events:
            name = etree.QName(element).localname
            if name == "mergeCell":
                cells = element.get("ref", "")
                message = "these cells are merged, so that all but one are blank; unmerge them and fill in each"
                first = re.match(r"[A-Z]+([0-9]+)", cells)
                findings.problem(file, int(first[1]) if first else None, cells, "", message)
            elif name == "row":
                row = int(element.get("r", row + 1))
                if element.get("hidden") in ("1", "true") and row in filled:
                    hidden["row"].append(str(row))
            elif element.get("hidden") in ("1", "true"):
                low, high = (_letter(int(element.get(end, "1")) - 1) for end in ("min", "max"))
                hidden["col"].append(low if low == high else f"{low} to {high}")
            element.clear()
    for name, word in (("row", "rows"), ("col", "columns")):
        if hidden[name]:
            message = f"{word} that the spreadsheet hides ({one_of(hidden[name])}) are read like the others"
            findings.notice(file, None, "", "", message)


def _lines(
    rows: list[tuple[int, list[_Cell]]],
    stored: dict[int, list[_Cell]],
    file: str,
    findings: Findings,
    decimal: str,
    ids: Collection[str],
) -> Iterator[tuple[int, list[str]]]:
    names: set[int] | None = None
    for number, row in rows:
        texts = []
        for place, cell in enumerate(row):
            if cell.kind == "f":
                cells = stored.get(number, [])
                formula, cell = cell, cells[place] if place < len(cells) else _Cell("n", None, "")
                if cell.value is None:
                    message = "the formula has no stored value; open the workbook, save it, or write the value"
                    findings.problem(file, number, _letter(place), str(formula.value), message)
            problem = _problem(cell, names is not None and place in names)
            if problem:
                findings.problem(file, number, _letter(place), str(cell.value), problem)
            texts.append("" if cell.kind == "e" else _shown_text(cell, decimal))
        if names is None:
            names = {place for place, text in enumerate(texts) if text in ids or plain(text) in ids}
        yield number, texts


def _problem(cell: _Cell, is_id: bool) -> str:
    """Return what is wrong with a cell, or an empty text."""
    if cell.value is None:
        return ""
    if cell.kind == "e":
        return "a spreadsheet error; write the value"
    if "%" in re.sub(r'"[^"]*"', "", cell.shown):
        return "the cell is shown as a percentage, which is a hundred times its value; format it as a number"
    if not is_id:
        return ""
    remedy = "format the column as text and write the name again"
    if isinstance(cell.value, date | datetime | time):
        return f"the spreadsheet has made a date of this name; {remedy}"
    if cell.kind != "n" or isinstance(cell.value, bool):
        return ""
    if "E" in cell.shown.upper().replace("GENERAL", "") or not float(cell.value).is_integer():
        return f"the spreadsheet has made a number of this name; {remedy}"
    if abs(cell.value) >= 10**MAX_DIGITS:
        return f"a spreadsheet keeps {MAX_DIGITS} digits of a number, so that some may be lost; {remedy}"
    return ""


def _shown_text(cell: _Cell, decimal: str) -> str:
    """Return the text of a cell, with the leading zeros of a format such as ``000``."""
    text = _text(cell.value)
    if re.fullmatch(r"0{2,30}", cell.shown) and text.isdigit():
        return text.zfill(len(cell.shown))
    return text.replace(".", decimal) if isinstance(cell.value, float) else text


def _text(value: Any) -> str:
    """Write a cell as it would stand in a CSV file.

    Examples
    --------
    >>> _text(51230.0), _text(0.5), _text(datetime(2021, 3, 4)), _text(None)
    ('51230', '0.5', '2021-03-04', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value)


def _letter(place: int) -> str:
    """Return the name of a column as spreadsheets show it.

    Examples
    --------
    >>> _letter(0), _letter(27)
    ('A', 'AB')
    """
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
