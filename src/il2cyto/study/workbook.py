"""Rows of an XLSX workbook as texts, written as the same table would stand in a CSV file."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from il2cyto.study.findings import Findings

#: Sum of the unpacked parts of a workbook, and rows of a worksheet in the format's own limit.
MAX_UNPACKED = 400_000_000
MAX_ROWS = 1_048_576


def read_workbook(content: bytes, file: str, table: str, findings: Findings) -> Iterator[tuple[int, list[str]]] | None:
    """Return line and cells of each row of the worksheet called `table`, or of the first one.

    Real dates become ``yyyy-mm-dd``. A formula counts with the value that was stored when the workbook was saved; one
    without a stored value is a problem, as is a cell that holds a spreadsheet error.

    Parameters
    ----------
    content, file
        The bytes and the name of the workbook.
    table
        Name of the worksheet to prefer, compared without case.
    findings
        Receives every problem.

    Returns
    -------
    iterator of (int, list of str), or None
        ``None`` when the workbook cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MAX_UNPACKED:
            findings.problem(
                file, None, "", "", f"the workbook unpacks to more than {MAX_UNPACKED:,} bytes; save as .csv"
            )
            return None
        values, formulas = (_cells(content, table, data_only=data_only) for data_only in (True, False))
    except Exception as error:  # the reader is not ours and its input may be hostile: whatever it raises is one problem
        message = f"the workbook cannot be read ({type(error).__name__}: {error}); save it again as .xlsx or .csv"
        findings.problem(file, None, "", "", message)
        return None
    return _lines(values, formulas, file, findings)


def _cells(content: bytes, table: str, *, data_only: bool) -> list[tuple[int, list[tuple[str, Any]]]]:
    """Return row number and (type, value) of the cells of each row that is not empty."""
    import openpyxl

    with warnings.catch_warnings():
        # openpyxl warns of features that it leaves out when it writes, such as validation lists; nothing is written
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False)
        try:
            sheets = book.worksheets
            sheet = next((sheet for sheet in sheets if sheet.title.casefold() == table), sheets[0])
            # the size that the file claims may be wrong, in both directions
            sheet.reset_dimensions()
            rows = []
            for number, row in enumerate(sheet.iter_rows(), start=1):
                if number > MAX_ROWS:
                    raise ValueError(f"more than {MAX_ROWS:,} rows")
                if any(cell.value is not None for cell in row):
                    rows.append((number, [(cell.data_type, cell.value) for cell in row]))
            return rows
        finally:
            book.close()


def _lines(
    values: list[tuple[int, list[tuple[str, Any]]]],
    formulas: list[tuple[int, list[tuple[str, Any]]]],
    file: str,
    findings: Findings,
) -> Iterator[tuple[int, list[str]]]:
    stored = dict(values)
    for number, row in formulas:
        texts = []
        for place, (kind, value) in enumerate(row):
            if kind == "f":
                cells = stored.get(number, [])
                kind, result = cells[place] if place < len(cells) else ("n", None)
                if result is None:
                    message = "the formula has no stored value; open the workbook, save it, or write the value"
                    findings.problem(file, number, _letter(place), str(value), message)
                value = result
            if kind == "e":
                findings.problem(file, number, _letter(place), str(value), "a spreadsheet error; write the value")
                value = None
            texts.append(_text(value))
        yield number, texts


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
