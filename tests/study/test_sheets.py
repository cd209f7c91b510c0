"""Sheets as files: delimiters, encodings, lines, workbooks."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import date, datetime

import openpyxl
import pytest

from il2cyto.study import read_study
from il2cyto.study.findings import Findings
from il2cyto.study.sheets import Columns, read_sheet


def _read(path, style=None, **kinds):
    findings = Findings()
    columns = Columns(("a", "b"), ("comment",), **{kind: frozenset(names) for kind, names in kinds.items()})
    return read_sheet(path, path.name, "table", columns, findings, style), findings


def _cells(sheet):
    return [(row.line, row.cells) for row in sheet.rows]


@pytest.mark.parametrize(("delimiter", "name"), [(",", None), (";", "semicolon"), ("\t", "tab")])
def test_the_delimiter_is_that_of_the_header(tmp_path, delimiter, name):
    path = tmp_path / "t.csv"
    path.write_text(f'a{delimiter}b\n"1,5;x"{delimiter}2\n')
    sheet, findings = _read(path)
    assert sheet.delimiter == delimiter
    assert _cells(sheet) == [(2, {"a": "1,5;x", "b": "2"})]
    assert [n.message for n in findings.notices] == (
        [f"the header is separated by {name}; all rows are read so"] if name else []
    )


def test_known_columns_decide_between_delimiters(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;x,y,z,w\n1;2;3\n")
    assert _read(path)[0].delimiter == ";"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_those_of_the_file(tmp_path, newline):
    path = tmp_path / "t.csv"
    lines = ["a,b,comment", '1,2,"two', "lines, and", 'a third"', "", ",,", "3,4,x"]
    path.write_bytes(newline.join(lines).encode())
    sheet, findings = _read(path)
    assert [(line, cells["a"]) for line, cells in _cells(sheet)] == [(2, "1"), (7, "3")]
    assert sheet.rows[0].cells["comment"] == newline.join(["two", "lines, and", "a third"])
    assert findings.problems == []


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\n1,ü\n".encode("utf-8-sig"))
    assert _cells(_read(path)[0]) == [(2, {"a": "1", "b": "ü"})]


@pytest.mark.parametrize(
    ("content", "line", "value", "message"),
    [
        (b"a,b\n1,\xfc\n", 2, "", "not UTF-8 (byte 0xFC at position 7); save it as 'CSV UTF-8', or state"),
        (b"", None, "", "the sheet is empty; its header needs the columns a, b"),
        (b"\n \n", None, "", "the sheet is empty"),
        (b"a,b\n1,2,3\n", 2, "", "the row has 3 cells and the header 2"),
        (b"a,b\n1\n", 2, "", "the row has 1 cells and the header 2"),
        (b'a,b\n1,2\n1,"2\n', 3, "", "check its quotes"),
        (b'a,b\n1,"2"3\n', 2, "", "check its quotes"),
        (b"a,b,a\n1,2,3\n", 1, "", "this column stands twice"),
        (b"a,b,\n1,2,3\n", 2, "3", "a column without a name"),
        (b"a,b,c\n1,2,3\n", 1, "", "unknown column"),
        (b"a,b\n1,2\x00\n", 2, "2\\x00", "invisible character (U+0000, control character)"),
        (b"a,b\n1,\xef\xbb\xbf2\n", 2, "\\ufeff2", "ZERO WIDTH NO-BREAK SPACE"),
    ],
)  # fmt: skip
def test_a_wrong_file(tmp_path, content, line, value, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    problem = _read(path)[1].problems[0]
    assert (problem.file, problem.line, problem.value) == ("t.csv", line, value)
    assert message in problem.message


def test_a_broken_row_hides_no_earlier_problem(folder):
    folder.cell(2, "arm", "IL-2").append('X,"Y')
    assert [(p.line, p.where) for p in folder.problems()] == [(2, "arm"), (8, "")]


def test_a_sheet_without_rows(folder):
    folder.sheets = {name: text.splitlines()[0] + "\n" for name, text in folder.sheets.items()}
    assert [(p.file, p.message) for p in folder.problems()] == [
        ("samples.csv", "the sheet has no rows; add one row per tube")
    ]


@pytest.mark.parametrize("name", ["samples.xls", "samples.ods", "samples"])
def test_another_kind_of_sheet(folder, name):
    (folder.path / name).write_bytes(b"x")
    problem = folder.replace("samples.csv", name).problems()[0]
    assert (problem.file, problem.line) == (name, None)
    assert "save it as .csv (UTF-8) or .xlsx" in problem.message


def test_a_sheet_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("il2cyto.study.sheets.MAX_BYTES", 7)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    assert "larger than 7 bytes" in _read(path)[1].problems[0].message


class TestWorkbook:
    def test_it_gives_the_same_study_as_csv(self, folder):
        folder.replace("1480,,,,", "1480.25,,,,", "samples")
        text = folder.read()
        book = read_study(folder.workbooks().write())
        assert book.records == text.records
        assert (book.doses, book.serum_values) == (text.doses, text.serum_values)
        assert dict(book.subjects) == dict(text.subjects)
        assert book.notices == text.notices == ()
        assert set(book.sha256) == {"study", "samples", "dosing", "serum"}
        assert set(book.files.values()) == {"study.yaml", "samples.xlsx", "dosing.xlsx", "serum.xlsx"}

    def test_it_gives_the_same_problems_as_csv(self, folder):
        folder.cell(2, "arm", "IL-2").cell(3, "collection_date", "01.03.2021").cell(5, "volume", "-25")
        text = folder.problems()
        book = folder.workbooks().problems()
        assert len(text) == 3
        assert [replace(problem, file="samples.csv") for problem in book] == text

    def test_its_first_worksheet_is_read_when_none_has_the_name(self, tmp_path):
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        book.active.append([None, None])
        book.active.append([True, date(2021, 3, 4)])
        book.active.append([0.1, datetime(2021, 3, 4, 8, 30)])
        book.create_sheet("other").append(["c"])
        book.save(tmp_path / "t.xlsx")
        sheet, findings = _read(tmp_path / "t.xlsx")
        assert findings.problems == []
        assert _cells(sheet) == [(3, {"a": "TRUE", "b": "2021-03-04"}), (4, {"a": "0.1", "b": "2021-03-04T08:30:00"})]
        assert (sheet.header, sheet.delimiter) == (1, None)

    def test_a_formula_needs_its_stored_value(self, tmp_path):
        book = openpyxl.Workbook()
        for row in (["a", "b"], [1, 2], [3, "=A2+1"]):
            book.active.append(row)
        book.save(tmp_path / "t.xlsx")
        problem = _read(tmp_path / "t.xlsx")[1].problems[0]
        assert (problem.line, problem.where, problem.value) == (3, "B", "=A2+1")
        assert "open the workbook, save it, or write the value" in problem.message

    def test_the_stored_value_of_a_formula_counts(self, tmp_path):
        book = openpyxl.Workbook()
        for row in (["a", "b"], [1, 2], [3, "=A2+1"]):
            book.active.append(row)
        plain = io.BytesIO()
        book.save(plain)
        with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "t.xlsx", "w") as target:
            for part in source.namelist():
                content = source.read(part)
                target.writestr(part, content.replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>"))
        sheet, findings = _read(tmp_path / "t.xlsx")
        assert findings.problems == []
        assert _cells(sheet)[1] == (3, {"a": "3", "b": "2"})

    def test_a_spreadsheet_error_is_no_value(self, tmp_path):
        book = openpyxl.Workbook()
        for row in (["a", "b"], [1, "#N/A"]):
            book.active.append(row)
        book.save(tmp_path / "t.xlsx")
        problem = _read(tmp_path / "t.xlsx")[1].problems[0]
        assert (problem.line, problem.where, problem.value) == (2, "B", "#N/A")

    def test_a_cell_without_a_column(self, tmp_path):
        book = openpyxl.Workbook()
        for row in (["a", "b"], [1, 2, None, "lost"]):
            book.active.append(row)
        book.save(tmp_path / "t.xlsx")
        problem = _read(tmp_path / "t.xlsx")[1].problems[0]
        assert (problem.line, problem.value) == (2, "lost")

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"a,b\n1,2\n"])
    def test_a_file_that_is_no_workbook(self, tmp_path, content):
        (tmp_path / "t.xlsx").write_bytes(content)
        problem = _read(tmp_path / "t.xlsx")[1].problems[0]
        assert (problem.file, problem.line) == ("t.xlsx", None)
        assert "save it again as .xlsx or .csv" in problem.message

    def test_an_archive_that_is_no_workbook(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
            archive.writestr("a.txt", "x")
        assert "cannot be read" in _read(tmp_path / "t.xlsx")[1].problems[0].message

    def test_a_bomb_is_not_unpacked(self, tmp_path, monkeypatch):
        monkeypatch.setattr("il2cyto.study.workbook.MAX_UNPACKED", 1000)
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        book.save(tmp_path / "t.xlsx")
        assert "unpacks to more than 1,000 bytes" in _read(tmp_path / "t.xlsx")[1].problems[0].message

    def test_a_row_number_beyond_the_format_is_a_problem(self, tmp_path, monkeypatch):
        monkeypatch.setattr("il2cyto.study.workbook.MAX_ROWS", 10)
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        book.active.cell(row=11, column=1, value=1)
        book.save(tmp_path / "t.xlsx")
        assert "more than 10 rows" in _read(tmp_path / "t.xlsx")[1].problems[0].message
