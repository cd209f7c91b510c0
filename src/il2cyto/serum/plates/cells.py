"""Cells of an export: rows of text, numbers with either decimal sign, and the tokens for what was not measured."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Final

from il2cyto.errors import TableError
from il2cyto.serum.values import MISSING, plain_number

#: No export of a plate is larger.
_MOST_BYTES: Final = 64 * 1024 * 1024
#: What programs write where nothing was measured, besides `MISSING`.
_NOT_MEASURED: Final = MISSING | {"n/a", "none", "#n/a", "-", "***", "nd", "n.d."}
_COMMA = re.compile(r"[<>]?\s*[+-]?\d+,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[<>]?\s*[+-]?\d*\.\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_TOKEN = re.compile(r"(OOR\s*[<>]|[<>])\s*(.*)", re.IGNORECASE)


def read_rows(path: str | Path) -> list[list[str]]:
    """Return the cells of a text file as stripped text, numbers with a decimal point.

    Separated by comma, semicolon or tab, in UTF-8, UTF-16 or Latin-1; where the separator is no comma and numbers have
    one, it is their decimal sign.

    Raises
    ------
    TableError
        If the file cannot be read, is larger than 64 MiB, or holds a spreadsheet's bytes.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise TableError(f"{path.name}: {path.stat().st_size} bytes, more than any export of a plate")
        raw = path.read_bytes()
    except OSError as why:
        raise TableError(f"{path.name}: cannot be read ({why.strerror})") from why
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise TableError(f"{path.name}: is a spreadsheet; save the sheet with the wells as CSV and give that")
    text = _decoded(raw, path.name)
    separator = _separator(text)
    try:
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        ]
    except csv.Error as why:
        raise TableError(f"{path.name}: is no table of text ({why})") from why
    return _with_points(rows) if separator != "," else rows


def read_cell(text: str) -> tuple[float, str]:
    """Return a number and the side of a limit (``<``, ``>`` or empty) of one cell; NaN where nothing was measured.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> read_cell("< 0.105"), read_cell("OOR >")[1], read_cell("12,345.5")[0], read_cell("*1.2")[0]
    ((0.105, '<'), '>', 12345.5, 1.2)
    """
    text = text.strip()
    if text.casefold() in _NOT_MEASURED:
        return math.nan, ""
    side = ""
    if beyond := _TOKEN.fullmatch(text):
        side, text = beyond[1][-1], beyond[2].strip()
        if not text:
            return math.nan, side
    # an asterisk before a number marks a value that its program extrapolated
    text = text.removeprefix("*").strip()
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    number = plain_number(text)
    if number is not None:
        return number, side
    raise ValueError(f"{text!r} is no number")


def _decoded(raw: bytes, name: str) -> str:
    encodings = ("utf-16",) if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "latin-1")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TableError(f"{name}: is no text file")


def _separator(text: str) -> str:
    """A semicolon or tab that most lines have, else the comma, which may be decimal where one of these separates."""
    lines = [line for line in text.splitlines()[:2000] if line.strip()]
    return next((sign for sign in ";\t" if 2 * sum(sign in line for line in lines) > len(lines)), ",")


def _with_points(rows: list[list[str]]) -> list[list[str]]:
    cells = [cell for row in rows for cell in row]
    commas = any(_COMMA.fullmatch(cell) for cell in cells)
    if not commas or any(_POINT.fullmatch(cell) for cell in cells):
        return rows
    return [[cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for cell in row] for row in rows]
