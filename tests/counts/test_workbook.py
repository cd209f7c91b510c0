"""The workbook as other programs read it: types, texts that look like formulas, and bytes that do not change."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.dom.minidom import parseString

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_tables import counts_of, tube

from il2cyto.counts import trial_table, workbook
from il2cyto.counts.trialbook import trial_sheets
from il2cyto.counts.workbook import MAX_TEXT, Worksheet, workbook_bytes, write_workbook
from il2cyto.errors import TableError

TRAPS = [
    "=1+1",
    "+49 30",
    "-CD3",
    "@SUM(A1)",
    '=HYPERLINK("http://x")',
    "001",
    "1e5",
    "2021-03-04",
    "TRUE",
    " a ",
    "a\nb",
    "<&>\"'",
    "_x0041_",
]


def opened(*sheets: Worksheet) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(sheets)))


def test_types() -> None:
    table = pd.DataFrame(
        {
            "text": ["CD4 µ 中文", "", "x"],
            "whole": pd.array([3, None, 10**12], dtype="Int64"),
            "number": [0.1 + 0.2, np.nan, -1e-300],
            "day": ["2021-03-04", "", "soon"],
            "truth": pd.array([True, None, False], dtype="boolean"),
            "infinite": [np.inf, 1.0, 2.0],
        }
    )
    sheet = opened(Worksheet("t", table, dates=("day",), frozen_columns=2))["t"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == tuple(table)
    assert rows[1][:3] == ("CD4 µ 中文", 3, 0.1 + 0.2)
    assert rows[2] == (None, None, None, None, None, 1)
    assert rows[3][:3] == ("x", 10**12, -1e-300)
    assert (rows[1][3].date().isoformat(), sheet["D2"].number_format) == ("2021-03-04", "yyyy\\-mm\\-dd")
    # what is no date stays a text, and what no cell can hold as a number is written as one
    assert (rows[3][3], rows[1][5]) == ("soon", "inf")
    assert (rows[1][4], rows[3][4]) == (True, False)
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == "A1:F4"
    assert sheet["A1"].font.bold


@pytest.mark.parametrize("text", TRAPS)
def test_text_stays_text(text: str) -> None:
    cell = opened(Worksheet("t", pd.DataFrame({"a": [text]})))["t"]["A2"]
    assert (cell.data_type, cell.value) == ("s", text)
    assert cell.quotePrefix == (text[0] in "=+-@")
    content = workbook_bytes([Worksheet("t", pd.DataFrame({"a": [text]}))])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30))
def test_any_text_makes_well_formed_parts(text: str) -> None:
    content = workbook_bytes([Worksheet("t", pd.DataFrame({"a": [text]}))])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            parseString(archive.read(name))


def test_the_same_table_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"a": TRAPS, "b": np.arange(len(TRAPS)) / 7})
    write_workbook(tmp_path / "one.xlsx", [Worksheet("t", table)])
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.localtime", lambda *_: pytest.fail("the time of writing stands in the file"))
    assert workbook_bytes([Worksheet("t", table)]) == (tmp_path / "one.xlsx").read_bytes()


def test_more_rows_than_a_sheet_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_ROWS", 4)
    book = opened(Worksheet("t", pd.DataFrame({"a": range(7)})))
    assert book.sheetnames == ["t", "t (2)", "t (3)"]
    assert [[cell.value for cell in sheet["A"]] for sheet in book] == [["a", 0, 1, 2], ["a", 3, 4, 5], ["a", 6]]


def test_a_text_that_no_cell_holds() -> None:
    with pytest.raises(TableError, match=r"a: a text of 32,768 characters is longer"):
        workbook_bytes([Worksheet("t", pd.DataFrame({"a": ["x" * (MAX_TEXT + 1)]}))])


def test_the_trial_teams_workbook() -> None:
    tree = {"tqc": 90_000, "tqc/beads": 10_000, "tqc/=T": 3500}
    days = pd.DataFrame(
        [["@P1", "BL", 0, "IL2", "SLE", "F", 11.0, "2021-01-04", 1, None, None, "Y"]],
        columns=[
            "USUBJID", "AVISIT", "AVISITN", "ARM", "DIAGNOSIS", "SEX", "AGE", "collection_date", "ADY", "DSLD",
            "CYCDAY", "ABLFL",
        ],
    )  # fmt: skip
    counts = counts_of((tube("A", "TBNK", subject="@P1"), tree))
    trial = trial_table(counts, days, pd.DataFrame(columns=["subject", "visit"]), {"BL": 0.0}, "BL", "S")
    book = opened(*trial_sheets(trial))
    assert book.sheetnames == ["trial", "columns", "definitions"]
    data = list(book["trial"].iter_rows(values_only=True))
    first = dict(zip(data[0], data[1], strict=True))
    assert (first["USUBJID"], first["name"], first["cells_per_ul"], first["count"]) == ("@P1", "=T", 350, 3500)
    assert first["ADT"].isoformat() == "2021-01-04T00:00:00"
    explained = {row[0]: row[2] for row in book["columns"].iter_rows(min_row=2, values_only=True)}
    assert list(explained) == list(data[0])
    assert explained["ABLFL"] == "Y at the baseline of the analysis"
    assert all(explained.values())
    assert list(book["definitions"].iter_rows(values_only=True))[1] == ("d.=T", "=T", "tbnk", "tqc/=T", "tqc")
    pd.testing.assert_frame_equal(
        pd.read_excel(io.BytesIO(workbook_bytes(trial_sheets(trial))))[["count", "lower", "cv"]].astype(float),
        trial[["count", "lower", "cv"]].astype(float),
    )
