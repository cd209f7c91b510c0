"""Tables as an XLSX workbook: numbers are numbers, text is never a formula, the same tables give the same bytes.

The parts are written here and not by a library, because libraries put the time of writing into them and guess types
from what a text looks like. A text that begins with ``=``, ``+``, ``-`` or ``@`` is stored as a text like any other and
marked with the apostrophe of spreadsheets, so that it stays one when the cell is edited.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import pandas as pd

from il2cyto.errors import TableError
from il2cyto.provenance import write_bytes

#: Limits of the format.
MAX_ROWS: Final = 1_048_576
MAX_TEXT: Final = 32_767
_WIDEST = 48
_EPOCH = date(1899, 12, 30)
#: Cell formats, in the order of ``cellXfs``.
_PLAIN, _HEADER, _DATE, _QUOTED, _WRAPPED = range(5)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


@dataclass(frozen=True)
class Worksheet:
    """A table as one worksheet.

    Attributes
    ----------
    name
        At most 31 characters, without ``[]:*?/\\``.
    table
        The table; its index is not written. Missing values are blank cells.
    dates
        Columns of ISO dates (``yyyy-mm-dd``) as texts, to be dates in the workbook.
    frozen_columns
        Columns that stay in sight, besides the header.
    wrapped
        Columns of long texts, broken into lines.
    """

    name: str
    table: pd.DataFrame
    dates: tuple[str, ...] = ()
    frozen_columns: int = 0
    wrapped: tuple[str, ...] = ()


def write_workbook(path: str | Path, sheets: Sequence[Worksheet]) -> None:
    """Write worksheets as one workbook, atomically.

    A table with more rows than a worksheet takes goes on in further worksheets, ``NAME (2)`` and so on.

    Raises
    ------
    TableError
        If a text is longer than a cell takes.
    """
    write_bytes(path, workbook_bytes(sheets))


def workbook_bytes(sheets: Sequence[Worksheet]) -> bytes:
    """Return what `write_workbook` writes."""
    parts = [part for sheet in sheets for part in _pages(sheet)]
    strings: dict[str, int] = {}
    files = {f"xl/worksheets/sheet{number}.xml": _sheet(sheet, strings) for number, sheet in enumerate(parts, start=1)}
    names = [sheet.name for sheet in parts]
    files = {
        "[Content_Types].xml": _content_types(len(parts)),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _workbook(names),
        "xl/_rels/workbook.xml.rels": _relations(
            [
                *(("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(parts) + 1)),
                ("styles", "styles.xml"),
                ("sharedStrings", "sharedStrings.xml"),
            ]
        ),
        "xl/styles.xml": _STYLES,
        "xl/sharedStrings.xml": _strings(strings),
        **files,
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
            archive.writestr(info, content)
    return stream.getvalue()


def _pages(sheet: Worksheet) -> Iterator[Worksheet]:
    most = MAX_ROWS - 1
    for page, start in enumerate(range(0, max(len(sheet.table), 1), most), start=1):
        name = sheet.name if page == 1 else f"{sheet.name} ({page})"
        rows = sheet.table.iloc[start : start + most]
        yield Worksheet(name, rows, sheet.dates, sheet.frozen_columns, sheet.wrapped)


def _sheet(sheet: Worksheet, strings: dict[str, int]) -> str:
    names = [str(name) for name in sheet.table]
    letters = [_letters(place) for place in range(len(names))]
    columns: list[list[str]] = []
    widths = []
    for place, name in enumerate(names):
        cells, longest = _column(sheet, place, letters[place], strings)
        columns.append(cells)
        widths.append(min(max(longest, len(name)) + 3, _WIDEST if name not in sheet.wrapped else 90))
    header = "".join(
        f'<c r="{letter}1" s="{_HEADER}" t="s"><v>{_string(name, strings)}</v></c>'
        for letter, name in zip(letters, names, strict=True)
    )
    rows = [f'<row r="1">{header}</row>']
    rows += [f'<row r="{number}">{"".join(cells)}</row>' for number, cells in enumerate(zip(*columns, strict=True), 2)]
    last = f"{letters[-1]}{len(sheet.table) + 1}"
    split = f'xSplit="{sheet.frozen_columns}" ' if sheet.frozen_columns else ""
    pane = "bottomRight" if split else "bottomLeft"
    corner = f"{_letters(sheet.frozen_columns)}2"
    cols = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>' for place, width in enumerate(widths, 1)
    )
    return (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><dimension ref="A1:{last}"/><sheetViews><sheetView workbookViewId="0">'
        f'<pane {split}ySplit="1" topLeftCell="{corner}" activePane="{pane}" state="frozen"/>'
        f'<selection pane="{pane}"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
        f'<cols>{cols}</cols><sheetData>{"".join(rows)}</sheetData><autoFilter ref="A1:{last}"/></worksheet>'
    )


def _column(sheet: Worksheet, place: int, letter: str, strings: dict[str, int]) -> tuple[list[str], int]:
    """Cells of a column, and the length of its longest one."""
    name = str(sheet.table.columns[place])
    is_date, style = name in sheet.dates, _WRAPPED if name in sheet.wrapped else _PLAIN
    cells, longest = [], 0
    for row, value in enumerate(sheet.table.iloc[:, place].astype(object), start=2):
        at = f'<c r="{letter}{row}"'
        if value is None or value is pd.NA or value != value or value == "":
            cells.append("")
            continue
        if isinstance(value, bool):
            cells.append(f'{at} t="b"><v>{int(value)}</v></c>')
            longest = max(longest, 5)
        elif isinstance(value, int | float) and math.isfinite(value):
            number = repr(float(value)) if isinstance(value, float) else str(int(value))
            cells.append(f"{at}><v>{number}</v></c>")
            longest = max(longest, min(len(number), 12))
        elif is_date and _ISO.fullmatch(str(value)):
            cells.append(f'{at} s="{_DATE}"><v>{(date.fromisoformat(str(value)) - _EPOCH).days}</v></c>')
            longest = max(longest, 10)
        else:
            text = str(value)
            if len(text) > MAX_TEXT:
                raise TableError(
                    f"{name}: a text of {len(text):,} characters is longer than a cell takes ({MAX_TEXT:,})"
                )
            shown = _QUOTED if text[0] in "=+-@" else style
            cells.append(f'{at} s="{shown}" t="s"><v>{_string(text, strings)}</v></c>')
            longest = max(longest, len(text))
    return cells, longest


def _string(text: str, strings: dict[str, int]) -> int:
    return strings.setdefault(text, len(strings))


def _strings(strings: dict[str, int]) -> str:
    items = "".join(f'<si><t xml:space="preserve">{_text(text)}</t></si>' for text in strings)
    return f'{_HEAD}<sst xmlns="{_MAIN}" uniqueCount="{len(strings)}">{items}</sst>'


def _text(text: str) -> str:
    """Escape a text; what XML cannot hold is written as the format does, ``_x0007_``."""
    return escape(_UNSAFE.sub(lambda found: f"_x{ord(found.group()):04X}_", text))


def _letters(place: int) -> str:
    """Name of a column.

    Examples
    --------
    >>> _letters(0), _letters(25), _letters(26), _letters(702)
    ('A', 'Z', 'AA', 'AAA')
    """
    letters, place = "", place + 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name, {chr(34): "&quot;"})}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, start=1)
    )
    return f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>'


def _relations(parts: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(parts, start=1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{items}</Relationships>'


def _content_types(n_sheets: int) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [("workbook.xml", "sheet.main"), ("styles.xml", "styles"), ("sharedStrings.xml", "sharedStrings")]
    parts += [(f"worksheets/sheet{number}.xml", "worksheet") for number in range(1, n_sheets + 1)]
    overrides = "".join(f'<Override PartName="/xl/{name}" ContentType="{kind}.{what}+xml"/>' for name, what in parts)
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    defaults = (
        f'<Default Extension="rels" ContentType="{relations}"/><Default Extension="xml" ContentType="application/xml"/>'
    )
    return f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{defaults}{overrides}</Types>'


_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFE7ECF2"/><bgColor indexed="64"/></patternFill></fill>'
    "</fills>"
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" applyAlignment="1">'
    '<alignment vertical="top" wrapText="1"/></xf></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
