"""Dates and numbers of a sheet in one notation: ISO 8601 and a decimal point."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from il2cyto.study.dates import DateFormat, read_iso
from il2cyto.study.findings import Findings, one_of
from il2cyto.study.style import SheetStyle

#: A number of a serum sheet may begin with a sign of censoring.
_SIGN = r"(?P<sign>[<>]?\s*[+-]?)"
_COMMA = re.compile(rf"{_SIGN}(?P<whole>[0-9]*),(?P<part>[0-9]+)(?P<power>[eE][+-]?[0-9]+)?")
_POINT = re.compile(rf"{_SIGN}[0-9]*\.[0-9]*(?:[eE][+-]?[0-9]+)?")


class ColumnsLike(Protocol):
    """Which columns hold dates and numbers."""

    @property
    def dates(self) -> frozenset[str]: ...
    @property
    def numbers(self) -> frozenset[str]: ...


Rows = Sequence[tuple[int, dict[str, str]]]


def plain_cells(
    file: str, rows: Rows, columns: ColumnsLike, style: SheetStyle, delimiter: str | None, findings: Findings
) -> tuple[SheetStyle, list[dict[str, str]]]:
    """Return the rows with dates and numbers in one notation, and the style with the decimal mark that was found.

    A cell that is in no known notation stays as it is; whoever reads it reports it.

    Parameters
    ----------
    file
        Name for messages.
    rows
        Line and cells by column.
    columns
        Those with dates and numbers.
    style
        What is stated.
    delimiter
        Of a CSV file, ``None`` for XLSX. In a CSV file that is not separated by commas, numbers such as ``12,5`` that
        can only have a decimal comma say that the sheet writes one.
    findings
        Receives problems (points beside decimal commas) and a notice of a decimal comma that was found.
    """
    decimal = style.decimal
    if decimal is None and delimiter not in (None, ","):
        clear = [
            (line, name, cells[name])
            for line, cells in rows
            for name in cells
            if name in columns.numbers
            and (match := _COMMA.fullmatch(cells[name]))
            and not _could_be_thousands(match["whole"], match["part"])
        ]
        if clear:
            decimal = ","
            shown = one_of([str(line) for line in sorted({line for line, _, _ in clear})])
            message = f"the sheet writes a decimal comma (line {shown}); its numbers are read so"
            findings.notice(file, min(line for line, _, _ in clear), "", "", message)
    _check_zones(file, rows, columns, findings)
    plain = []
    for line, cells in rows:
        new = dict(cells)
        for name, text in cells.items():
            if decimal == "," and name in columns.numbers:
                new[name] = _number(file, line, name, text, style.decimal == ",", findings)
            elif style.dates is not None and name in columns.dates:
                new[name] = _date(text, style.dates)
        plain.append(new)
    return replace(style, decimal=decimal), plain


def _check_zones(file: str, rows: Rows, columns: ColumnsLike, findings: Findings) -> None:
    """Report a column whose times are of two time zones: its days may not be those of one place."""
    first: dict[str, tuple[str, int]] = {}
    for line, cells in rows:
        for name, text in cells.items():
            zone = _zone(text) if name in columns.dates else ""
            known, where = first.setdefault(name, (zone, line)) if zone else ("", 0)
            if zone != known:
                message = f"line {where} has a time of another zone, in which the day may be another; write local times"
                findings.problem(file, line, name, zone, message)


def _zone(text: str) -> str:
    try:
        moment = read_iso(text)
    except ValueError:
        return ""
    return moment.zone if moment is not None else ""


def _could_be_thousands(whole: str, part: str) -> bool:
    """Whether a number with a comma could be one of thousands.

    Examples
    --------
    >>> _could_be_thousands("1", "234"), _could_be_thousands("12", "5"), _could_be_thousands("0", "123")
    (True, False, False)
    """
    return len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")


def _number(file: str, line: int, name: str, text: str, stated: bool, findings: Findings) -> str:
    match = _COMMA.fullmatch(text)
    if match and (stated or not _could_be_thousands(match["whole"], match["part"])):
        return f"{match['sign']}{match['whole'] or '0'}.{match['part']}{match['power'] or ''}"
    if _POINT.fullmatch(text) and "." in text:
        why = "study.yaml states a decimal comma" if stated else "other numbers of this sheet have a decimal comma"
        message = f"{why}: is this point decimal, or does it separate thousands? Write a comma or no separator"
        findings.problem(file, line, name, text, message)
    return text


def _date(text: str, form: DateFormat) -> str:
    """Return a date of the stated form in ISO 8601, and any other text as it is."""
    try:
        if read_iso(text) is not None:
            return text
        moment = form.read(text)
    except ValueError:
        return text
    if moment is None:
        return text
    if moment.day is None:
        return moment.partial
    clock = f"T{moment.time.isoformat()}" if moment.time is not None else ""
    return f"{moment.day.isoformat()}{clock}"
