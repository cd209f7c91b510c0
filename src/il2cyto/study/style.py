"""How a laboratory writes its sheets: delimiter, decimal mark, encoding and dates, as ``study.yaml`` states them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from il2cyto.study.dates import DateFormat
from il2cyto.study.fields import FieldReader
from il2cyto.study.findings import one_of
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Mapping, Node, Scalar

#: Delimiters by name; those but the space are looked for in a header when none is stated.
DELIMITERS = {
    "comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "caret": "^", "full-width comma": "，",
    "full-width semicolon": "；", "space": " ",
}  # fmt: skip
#: Encodings by the names that may be stated, with Python's name. GB18030 reads every file in GBK or GB2312.
ENCODINGS = {
    "utf-8": "utf-8", "utf-16": "utf-16", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be", "gb18030": "gb18030",
    "gbk": "gb18030", "gb2312": "gb18030", "latin-1": "latin-1", "cp1252": "cp1252",
}  # fmt: skip
COMMON = ("delimiter", "decimal", "encoding", "dates")
OWN = (*COMMON, "worksheet", "columns", "ignore")


@dataclass(frozen=True)
class SheetStyle:
    """How one sheet is written; ``None`` where nothing is stated.

    Attributes
    ----------
    delimiter
        One character; a space stands for any run of spaces and tabs.
    decimal
        ``.`` or ``,``.
    encoding
        Python's name.
    dates
        Form of dates besides ISO 8601.
    worksheet
        Title of the worksheet of a workbook.
    columns
        Header in the sheet by our name of the column.
    ignore
        Headers of columns that are not read.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    dates: DateFormat | None = None
    worksheet: str | None = None
    columns: FrozenMapping[str, str] = field(default_factory=lambda: FrozenMapping({}))
    ignore: tuple[str, ...] = ()


def read_styles(reader: FieldReader, node: Node, tables: dict[str, tuple[str, ...]]) -> dict[str, SheetStyle]:
    """Check the section ``sheets``: options of every sheet, and under the name of a sheet those of this one.

    Parameters
    ----------
    reader, node
        The section.
    tables
        Columns of each sheet that can be read.
    """
    given = reader.section(node, "sheets", (), (*COMMON, *tables))
    common = _style(reader, given, "sheets", SheetStyle(), ())
    styles = {}
    for table, columns in tables.items():
        own = reader.section(given[table], f"sheets.{table}", (), OWN) if table in given else {}
        styles[table] = _style(reader, own, f"sheets.{table}", common, columns)
    return styles


def _style(
    reader: FieldReader, given: dict[str, Node], where: str, style: SheetStyle, known: tuple[str, ...]
) -> SheetStyle:
    if "delimiter" in given:
        style = replace(style, delimiter=_delimiter(reader, given["delimiter"], f"{where}.delimiter"))
    if "decimal" in given:
        style = replace(style, decimal=reader.choice(given["decimal"], f"{where}.decimal", (".", ",")))
    if "encoding" in given:
        name = reader.choice(given["encoding"], f"{where}.encoding", tuple(ENCODINGS))
        style = replace(style, encoding=ENCODINGS.get(name or ""))
    if "dates" in given:
        text = reader.text(given["dates"], f"{where}.dates")
        try:
            style = replace(style, dates=DateFormat.parse(text) if text is not None else None)
        except ValueError as error:
            reader.problem(given["dates"], f"{where}.dates", str(error))
    if "worksheet" in given:
        style = replace(style, worksheet=reader.text(given["worksheet"], f"{where}.worksheet"))
    if "columns" in given:
        style = replace(style, columns=FrozenMapping(_columns(reader, given["columns"], f"{where}.columns", known)))
    if "ignore" in given:
        style = replace(style, ignore=reader.items(given["ignore"], f"{where}.ignore", reader.text))
    return style


def _delimiter(reader: FieldReader, node: Node, where: str) -> str | None:
    text = node.text if isinstance(node, Scalar) else ""
    if text in DELIMITERS:
        return DELIMITERS[text]
    # what can stand in an unquoted number, word or date would cut it
    if len(text) == 1 and (text in "\t " or (text.isprintable() and not text.isalnum() and text not in "\"'.-+_<>")):
        return text
    message = f"give one character in quotes, or a name: {one_of(tuple(DELIMITERS))}"
    reader.findings.problem(reader.file, node.line, where, ascii(text)[1:-1], message)
    return None


def _columns(reader: FieldReader, node: Node, where: str, known: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(node, Mapping):
        reader.problem(node, where, "give a mapping from our name of a column to its header in the sheet")
        return {}
    given = reader.section(node, where, (), known)
    headers: dict[str, str] = {}
    for column, entry in given.items():
        header = reader.text(entry, f"{where}.{column}")
        if header is not None and header in headers.values():
            reader.problem(entry, f"{where}.{column}", "this header stands for another column already; correct one")
        elif header is not None:
            headers[column] = header
    return headers
