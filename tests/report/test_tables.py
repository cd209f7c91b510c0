from __future__ import annotations

import pandas as pd
import pytest

from il2cyto.report import Visit
from il2cyto.report.serum import summarise_serum
from il2cyto.report.tables import manifest_tables

VISITS = (Visit("V1", "Baseline", 1), Visit("V2", "Week 2", 2))


def serum(*lines):
    return pd.DataFrame(lines, columns=["subject", "visit", "analyte", "value", "censor", "unit"])


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([(4.0, 0), (6.0, 0), (9.0, 0)], "6.00"),
        ([(2.4, -1), (6.0, 0), (9.0, 0)], "6.00"),
        ([(2.4, -1), (2.4, -1), (9.0, 0)], "< 2.40"),
        ([(2.4, -1), (6.0, 0)], "< 4.20"),
        # the censored value may lie anywhere below 5, also between 3 and 5
        ([(5.0, -1), (3.0, 0), (9.0, 0)], "3.00–5.00"),
        ([(2.4, -1), (5.0, 0), (9.0, 1)], "5.00"),
        ([(2.4, -1), (9.0, 1)], "–"),
        ([(50.0, 1), (50.0, 1), (9.0, 0)], "> 50.0"),
        ([(9.0, 0), (50.0, 1)], "> 29.5"),
        ([(float("nan"), 0)], "–"),
    ],
)
def test_median_keeps_censored_values_censored(values, median):
    table = serum(*[(f"P{i}", "V1", "IL-6", value, censor, "pg/mL") for i, (value, censor) in enumerate(values)])
    (row,) = summarise_serum(table, VISITS)
    assert (row.analyte, row.unit, row.cells[0].median) == ("IL-6", "pg/mL", median)
    assert (row.cells[1].n, row.cells[1].median) == (0, "–")


def test_censored_values_are_counted():
    table = serum(
        ("P1", "V1", "IL-6", 2.4, -1, "pg/mL"),
        ("P2", "V1", "IL-6", 9.0, 0, "pg/mL"),
        ("P3", "V1", "IL-6", 90.0, 1, "pg/mL"),
    )
    cell = summarise_serum(table, VISITS)[0].cells[0]
    assert (cell.n, cell.below, cell.above) == (3, 1, 1)


def test_manifest_of_any_depth():
    tables = manifest_tables(
        {
            "version": "1",
            "packages": {"numpy": {"version": "2"}},
            "tubes": {"T1": {"sha256": "0a", "n_events": 5}, "T2": {"sha256": "0b", "warnings": ["x"]}},
            "files": [{"file": "a", "bytes": 3}, {"file": "b"}],
            "words": ["x", "y"],
            "none": [],
        }
    )
    assert [(table.title, table.rows) for table in tables] == [
        ("", (("version", "1"),)),
        ("packages", (("numpy › version", "2"),)),
        ("tubes", (("T1", "0a", "5", ""), ("T2", "0b", "", "x"))),
        ("files", (("a", "3"), ("b", ""))),
        ("words", (("x",), ("y",))),
        ("none", ()),
    ]
