"""Which cells of the sheets the audit log tells, and what it calls changed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaks import Tube, needles, write_study

from il2cyto.steps.cells import Cells, changes, sheet_cells
from il2cyto.steps.public import WITHHELD
from il2cyto.steps.words import with_public_words
from il2cyto.study import read_study

NAME = "Xanthippe Quillfeather"


class Sheets:
    """A study with a patient's name wherever a person can write, and its sheets as rows of cells."""

    def __init__(self, folder: Path) -> None:
        self.study = write_study(folder, NAME, [Tube("nothing"), Tube("nothing")])

    def rows(self, role: str) -> list[dict[str, str]]:
        with self._path(role).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def write(self, role: str, rows: list[dict[str, str]]) -> None:
        with self._path(role).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)

    def cells(self) -> dict[str, Cells]:
        return sheet_cells(with_public_words(read_study(self.study)))

    def _path(self, role: str) -> Path:
        return self.study.parent / f"{role} of {NAME}.csv"


@pytest.fixture
def sheets(tmp_path: Path) -> Sheets:
    found = Sheets(tmp_path)
    doses = [
        {
            "subject": subject,
            "date": f"2021-01-{day:02d}",
            "dose": "0.5",
            "unit": "MIU/m2",
            "route": "sc",
            "treatment": "rhIL-2",
        }
        for subject in ("S00", "S01")
        for day in (7, 9, 11, 13)
    ]
    found.write("dosing", doses)
    return found


def told(sheets: Sheets, role: str, change: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return the changes that are told after a change of the rows, and whether withheld cells have changed."""
    before = sheets.cells()
    rows = sheets.rows(role)
    change(rows)
    sheets.write(role, rows)
    after = sheets.cells()
    assert {other: cells for other, cells in after.items() if other != role} == {
        other: cells for other, cells in before.items() if other != role
    }
    return changes(role, before[role], after[role]), before[role].withheld != after[role].withheld


def put(place: int, column: str, value: str) -> Any:
    return lambda rows: rows[place].__setitem__(column, value)


def test_names_are_withheld(sheets: Sheets) -> None:
    text = repr({role: cells.to_json() for role, cells in sheets.cells().items()}).casefold()
    assert not [word for word in needles(NAME) if word in text]
    samples = sheets.cells()["samples"]
    row = dict(zip(samples.columns, samples.rows[0], strict=True))
    assert (row["tube_id"], row["collection_date"], row["volume_unit"]) == ("S00-BL-T", "2021-01-07", "file_uL")
    assert (row["fcs_name"], row["comment"], row["age"], row["bead_lot"]) == (WITHHELD,) * 4
    assert Cells.of(samples.to_json()) == samples


@pytest.mark.parametrize(
    ("role", "change", "expected"),
    [
        (
            "samples",
            put(1, "collection_date", "2021-01-09"),
            ("S01-BL-T", "collection_date", "2021-01-07", "2021-01-09"),
        ),
        ("samples", put(1, "collection_date", "unknown"), ("S01-BL-T", "collection_date", "2021-01-07", None)),
        ("samples", put(1, "dilution", "2.5"), ("S01-BL-T", "dilution", "1", "2.5")),
        ("dosing", put(1, "dose", "0.75"), ("S00, 2", "dose", "0.5", "0.75")),
        ("dosing", put(2, "date", "2021-01-12"), ("S00, 3", "date", "2021-01-11", "2021-01-12")),
        ("serum", put(0, "value", "<2.4"), ("S00 BL IL-6", "value", "3.5", "<2.4")),
    ],
)
def test_a_corrected_cell(sheets: Sheets, role: str, change: Any, expected: tuple[str, ...]) -> None:
    row, column, before, after = expected
    found, withheld = told(sheets, role, change)
    assert found == [{"row": row, "column": column, "before": before, "after": after}]
    assert not withheld


@pytest.mark.parametrize(("column", "value"), [("comment", "other"), ("age_years", "11.5"), ("bead_lot", "L2")])
def test_of_a_withheld_cell_only_that_something_changed(sheets: Sheets, column: str, value: str) -> None:
    assert told(sheets, "samples", put(0, column, value)) == ([], True)


def test_rows_that_come_and_go(sheets: Sheets) -> None:
    found, _ = told(sheets, "samples", lambda rows: rows.pop(2))
    assert [(one["row"], one["removed"]["collection_date"]) for one in found] == [("S00-M1-T", "2021-02-07")]
    dose = {"subject": "S00", "date": "2021-01-08", "dose": "1", "unit": "MIU/m2", "route": "sc", "treatment": "rhIL-2"}
    found, _ = told(sheets, "dosing", lambda rows: rows.insert(1, dose))
    # one added row, and not four shifted ones
    assert [(one["row"], one["added"]["date"], one["added"]["dose"]) for one in found] == [
        ("S00, 2", "2021-01-08", "1")
    ]


def test_the_order_of_rows_says_nothing(sheets: Sheets) -> None:
    for role in ("samples", "serum"):
        assert told(sheets, role, lambda rows: rows.reverse()) == ([], False)


cells = st.sampled_from(["a", "b", None])
tables = st.lists(st.tuples(st.sampled_from(["S1", "S2"]), cells, cells), max_size=7)


@given(tables, tables)
def test_changes_lead_from_one_table_to_the_other(before: Any, after: Any) -> None:
    columns = ("subject", "dose", "unit")
    found = changes("dosing", Cells(columns, tuple(before), ""), Cells(columns, tuple(after), ""))

    def groups(rows: Any) -> dict[str, list[dict[str, str]]]:
        made: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            made.setdefault(row[0], []).append({k: v for k, v in zip(columns, row, strict=True) if v is not None})
        return made

    assert bool(found) == (groups(before) != groups(after))
    grown = len(after) - len(before)
    assert sum("added" in one for one in found) - sum("removed" in one for one in found) == grown
    for one in found:
        if "column" in one:
            assert one["before"] != one["after"]
