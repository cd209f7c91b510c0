"""Tables of any shape as text: the join report and the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from il2cyto.report.numbers import words


@dataclass(frozen=True)
class TextTable:
    """A title, column headings and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def text_table(title: str, table: pd.DataFrame) -> TextTable:
    """Print every cell of a table as text.

    Examples
    --------
    >>> text_table("", pd.DataFrame({"matched_on": ["visit"], "n": [3.0]}))
    TextTable(title='', columns=('matched on', 'n'), rows=(('visit', '3'),))
    """
    columns = tuple(_label(column) for column in table.columns)
    return TextTable(title, columns, tuple(tuple(words(cell) for cell in row) for row in table.itertuples(index=False)))


def join_table(report: pd.DataFrame) -> tuple[TextTable, str]:
    """Print a join report with what did not match first, and say how often each ``status`` occurs.

    Examples
    --------
    >>> table, summary = join_table(pd.DataFrame({"AVISIT": ["BL", "M1"], "status": ["matched", "only_serum"]}))
    >>> table.rows, summary
    ((('M1', 'only serum'), ('BL', 'matched')), '1 matched, 1 only serum')
    """
    if "status" not in report.columns:
        return text_table("", report), ""
    status = report["status"].map(lambda value: _label(words(value)))
    ordered = report.assign(status=status).sort_values("status", key=lambda column: column == "matched", kind="stable")
    numbers = ", ".join(f"{(status == value).sum()} {value}" for value in dict.fromkeys(status))
    return text_table("", ordered), numbers


def manifest_tables(manifest: Mapping[str, Any]) -> tuple[TextTable, ...]:
    """Lay a manifest out: plain values in the first table, then a table per nested part.

    Examples
    --------
    >>> [table.rows for table in manifest_tables({"version": "1", "files": {"a.fcs": "12ab"}})]
    [(('version', '1'),), (('a.fcs', '12ab'),)]
    """
    plain = tuple((_label(key), words(value)) for key, value in manifest.items() if not _nested(value))
    tables = [TextTable("", ("item", "value"), plain)] if plain else []
    for key, value in manifest.items():
        title = _label(key)
        if isinstance(value, Mapping) and len(value) > 1 and all(_record(item) for item in value.values()):
            columns = tuple(dict.fromkeys(str(name) for item in value.values() for name in item))
            rows = tuple(
                (str(name), *(_inline(item.get(column)) for column in columns)) for name, item in value.items()
            )
            tables.append(TextTable(title, ("item", *map(_label, columns)), rows))
        elif isinstance(value, Mapping):
            tables.append(TextTable(title, ("item", "value"), tuple(_flatten(value))))
        elif _nested(value) and value and all(isinstance(item, Mapping) for item in value):
            columns = tuple(dict.fromkeys(str(name) for item in value for name in item))
            rows = tuple(tuple(_inline(item.get(name)) for name in columns) for item in value)
            tables.append(TextTable(title, tuple(map(_label, columns)), rows))
        elif _nested(value):
            tables.append(TextTable(title, ("value",), tuple((_inline(item),) for item in value)))
    return tuple(tables)


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))


def _label(name: object) -> str:
    return str(name).replace("_", " ")


def _record(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(isinstance(item, Mapping) for item in value.values())


def _flatten(part: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in part.items():
        name = f"{above} › {key}" if above else str(key)
        rows += _flatten(value, name) if isinstance(value, Mapping) else [(name, _inline(value))]
    return rows


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items())
    if _nested(value):
        return ", ".join(_inline(item) for item in value)
    return words(value)
