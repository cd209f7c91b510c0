"""The cells of the sheets as the audit log may hold them, and which of them differ between two readings.

Told are ids of the sheets, dates, numbers and words of closed or declared lists. What a person may write freely (names
of files, comments, dates of birth, words that nobody vouches for) is told as *(withheld)*; one hash over all such cells
of a sheet tells that some of them have changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from difflib import SequenceMatcher
from typing import Any, Final

from il2cyto.deident.vocabulary import vocabulary
from il2cyto.provenance import hash_content
from il2cyto.steps.public import WITHHELD
from il2cyto.study.model import Study

#: Columns by which a row is known, by sheet.
KEYS: Final = {
    "samples": ("tube_id",),
    "dosing": ("subject",),
    "serum": ("subject", "visit", "analyte"),
    "controls": ("control_id",),
    "wells": ("subject", "visit", "plate", "well"),
    "conmeds": ("subject", "drug", "start"),
    "vitals": ("subject", "visit", "date"),
    "labs": ("subject", "visit", "date", "test"),
    "scores": ("subject", "visit", "date", "score", "item"),
    "ae": ("subject", "event_class", "start"),
}
#: Fields that are no cell of the sheet, or stand there under another name.
_NO_CELLS = frozenset({"line", "fcs", "panel", "overrides", "count", "beads_expired", "place"})
#: Ids and words that the study declares or that come from closed lists; of `with_public_words`.
_OPEN = frozenset(
    {
        "tube_id", "subject", "arm", "diagnosis", "sex", "visit", "tube", "route", "volume_unit", "batch", "instrument",
        "repeat", "analyte", "unit", "control_id", "kind", "test", "drug", "group", "score", "item",
        "event_class", "per",
    }
)  # fmt: skip
#: An age computed from a date of birth tells it.
_NUMBERS_WITHHELD = frozenset({"age"})
_LISTS = ("study", "analytes", "markers", "units")
_QUANTITY = re.compile(r"[<>≤≥]? ?[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Cell = str | None


@dataclass(frozen=True)
class Cells:
    """One sheet.

    Attributes
    ----------
    columns
        Names of the columns.
    rows
        The cells of each row as text, ``None`` where a cell is blank.
    withheld
        Hash of all cells that are not told.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    withheld: str

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as an entry of the log holds it."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows], "withheld": self.withheld}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Cells:
        """Return the sheet that an entry of the log holds."""
        return cls(tuple(told["columns"]), tuple(tuple(row) for row in told["rows"]), str(told["withheld"]))


def sheet_cells(study: Study) -> dict[str, Cells]:
    """Return the cells of each sheet of a study whose words are public (see `words.with_public_words`)."""
    sheets: dict[str, Sequence[Any]] = {
        "samples": study.records, "dosing": study.doses, "serum": study.serum_values,
        "controls": study.controls, "wells": study.wells, "conmeds": study.clinic.drugs,
        "vitals": study.clinic.vitals, "labs": study.clinic.labs, "scores": study.clinic.scores,
        "ae": study.clinic.events,
    }  # fmt: skip
    declared = frozenset({*study.words, *study.treatments, *study.bead_lots})
    return {role: _cells(sheets[role], declared, role) for role in sheets if role in study.sha256}


def _cells(records: Sequence[Any], declared: frozenset[str], role: str) -> Cells:
    if not records:
        return Cells((), (), hash_content([]))
    names = [field.name for field in fields(records[0]) if field.name not in _NO_CELLS]
    if role == "samples":
        names.insert(names.index("fcs_name"), "route")
    # the route of a dose is written freely, that of a tube is one of a list
    free = frozenset({"unit", "route"}) if role == "dosing" else frozenset()
    rows, withheld = [], []
    for record in records:
        row: list[Cell] = []
        hidden: list[str] = []
        for name in names:
            value = getattr(record, name)
            text = _text(value.text if name == "strategy" else value)
            told = _told(name, value, text, name in _OPEN - free, declared)
            row.append(told)
            if told == WITHHELD:
                hidden.append(f"{name}={text}")
        rows.append(tuple(row))
        withheld.append([*(str(getattr(record, name)) for name in KEYS[role]), *hidden])
    # the order of rows says nothing
    return Cells(tuple(names), tuple(rows), hash_content(sorted(withheld)))


def _text(value: object) -> Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return str(value)


def _told(name: str, value: object, text: Cell, is_open: bool, declared: frozenset[str]) -> Cell:
    if text is None or is_open:
        return text
    if isinstance(value, (date, float, int)):
        return WITHHELD if name in _NUMBERS_WITHHELD else text
    known = text in declared or bool(_QUANTITY.fullmatch(text)) or text in vocabulary(*_LISTS)
    # a known word in a name of a file is known to nobody
    return text if known and name not in ("fcs_name", "comment", "strategy") else WITHHELD


def changes(role: str, before: Cells, after: Cells) -> list[dict[str, Any]]:
    """Return what differs between two readings of a sheet, row by row.

    Rows are known by their key (`KEYS`); several rows of one key are aligned in their order, so that a row that was put
    in between is one added row.

    Returns
    -------
    list of dict
        ``{"row", "column", "before", "after"}`` for a cell; ``{"row", "added"}`` or ``{"row", "removed"}`` with the
        cells of a whole row.
    """
    old, new = _by_key(role, before), _by_key(role, after)
    found: list[dict[str, Any]] = []
    for key in dict.fromkeys([*old, *new]):
        found += _row_changes(key, old.get(key, []), new.get(key, []))
    return found


def _by_key(role: str, cells: Cells) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in cells.rows:
        told = {name: cell for name, cell in zip(cells.columns, row, strict=True) if cell is not None}
        found.setdefault(" ".join(told.get(name, "") for name in KEYS[role]), []).append(told)
    return found


def _row_changes(key: str, old: list[dict[str, str]], new: list[dict[str, str]]) -> Iterable[dict[str, Any]]:
    def label(place: int, rows: list[dict[str, str]]) -> str:
        return f"{key}, {place + 1}" if max(len(old), len(new)) > 1 or len(rows) > 1 else key

    texts_old, texts_new = ([repr(sorted(row.items())) for row in rows] for rows in (old, new))
    for kind, a, b, c, d in SequenceMatcher(None, texts_old, texts_new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        paired = min(b - a, d - c)
        for i in range(paired):
            one, other = old[a + i], new[c + i]
            for column in dict.fromkeys([*one, *other]):
                if one.get(column) != other.get(column):
                    yield {
                        "row": label(c + i, new), "column": column,
                        "before": one.get(column), "after": other.get(column),
                    }  # fmt: skip
        for i in range(a + paired, b):
            yield {"row": label(i, old), "removed": old[i]}
        for i in range(c + paired, d):
            yield {"row": label(i, new), "added": new[i]}
