"""Sheets as laboratories write them: what is stated is followed, what is sure is read, the rest is asked for."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, datetime, time

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_folder import DOSING, SAMPLES, SERUM, YAML, Folder

from il2cyto.study import read_study
from il2cyto.study.csvtext import decode
from il2cyto.study.findings import Findings
from il2cyto.study.sheets import Columns, read_sheet
from il2cyto.study.style import SheetStyle

NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "caret": "^", "full-width comma": "，",
         "full-width semicolon": "；", "space": " "}  # fmt: skip


def _sheet(tmp_path, content, style=None, **kinds):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    findings = Findings()
    columns = Columns(("a", "b"), ("comment",), **{kind: frozenset(names) for kind, names in kinds.items()})
    sheet = read_sheet(path, "t.csv", "table", columns, findings, style)
    return sheet, findings


def _write(text, delimiter, newline="\n", decimal="."):
    rows = list(csv.reader(io.StringIO(text)))
    if decimal != ".":
        rows = [[_decimal(cell) for cell in row] for row in rows]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return stream.getvalue()


def _decimal(cell):
    number = cell.lstrip("<>")
    return cell.replace(".", ",") if number.replace(".", "", 1).isdigit() else cell


def _equal(study, other):
    for name in ("id", "records", "subjects", "doses", "serum_values", "arms", "visits", "tubes", "notices"):
        left, right = getattr(study, name), getattr(other, name)
        if name == "notices":
            left, right = ([n for n in notices if "are read so" not in n.message] for notices in (left, right))
        assert left == right, name


class TestEveryForm:
    """One study in every delimiter, encoding, line end and decimal mark, and as workbooks, is one study."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        delimiter=st.sampled_from(sorted(NAMES)) | st.sampled_from("~!#"),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"]),
        newline=st.sampled_from(["\n", "\r\n", "\r"]),
        decimal=st.sampled_from(".,"),
        stated=st.booleans(),
    )
    def test_as_text(self, tmp_path, delimiter, encoding, newline, decimal, stated):
        folder = tmp_path / "study"
        if not folder.exists():
            folder.mkdir()
            Folder(folder)
        study = Folder.__new__(Folder)
        study.path, study.yaml = folder, YAML
        study.sheets = {"samples": SAMPLES.replace("SLE", "幼年特发性关节炎"), "dosing": DOSING, "serum": SERUM}
        plain = study.read()
        options = {}
        if stated or delimiter == "space" or delimiter not in NAMES:
            options["delimiter"] = f'"{delimiter}"' if delimiter not in NAMES else delimiter
        if encoding in ("gb18030", "utf-16-be"):
            options["encoding"] = encoding
        if decimal == ",":
            options["decimal"] = '","'
        for name, text in study.sheets.items():
            written = _write(text, NAMES.get(delimiter, delimiter), newline, decimal)
            if delimiter == "space":
                # a blank cell needs quotes where any run of spaces is one delimiter
                rows = [[cell or '""' for cell in row] for row in csv.reader(io.StringIO(text))]
                rows = [[_decimal(cell) if decimal == "," else cell for cell in row] for row in rows]
                quoted = [[f'"{cell}"' if " " in cell else cell for cell in row] for row in rows]
                written = newline.join("  ".join(row) for row in quoted) + newline
            (folder / f"{name}.csv").write_bytes(written.encode(encoding))
        sheets = "".join(f"\n  {key}: {value}" for key, value in options.items())
        (folder / "study.yaml").write_text(study.yaml + (f"sheets:{sheets}\n" if sheets else ""), encoding="utf-8")
        _equal(plain, read_study(folder / "study.yaml"))

    @pytest.mark.parametrize("decimal", [".", ","])
    @pytest.mark.parametrize("dates", ["cells", "text", "stated"])
    def test_as_workbooks(self, folder, dates, decimal):
        folder.cell(6, "alc_per_ul", "1480.25")
        plain = folder.read()
        for name, text in folder.sheets.items():
            book = openpyxl.Workbook()
            book.active.title = name
            for row in csv.reader(io.StringIO(text)):
                cells = [_typed(cell, dates) for cell in row]
                book.active.append([_decimal(c) if decimal == "," and isinstance(c, str) else c for c in cells])
            book.save(folder.path / f"{name}.xlsx")
            folder.replace(f"{name}.csv", f"{name}.xlsx")
        folder.yaml += f'sheets: {{decimal: "{decimal}", dates: "%d/%m/%Y"}}\n'
        _equal(plain, folder.read())

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_the_order_of_rows_changes_only_the_order(self, folder, data):
        plain = read_study(folder.write())
        shuffled = {}
        for name, text in (("samples", SAMPLES), ("dosing", DOSING), ("serum", SERUM)):
            header, *rows = text.splitlines()
            shuffled[name] = "\n".join([header, *data.draw(st.permutations(rows))]) + "\n"
            (folder.path / f"{name}.csv").write_text(shuffled[name])
        study = read_study(folder.path / "study.yaml")
        for left, right in ((plain.records, study.records), (plain.doses, study.doses)):
            assert {replace(one, line=0) if hasattr(one, "line") else one for one in left} == {
                replace(one, line=0) if hasattr(one, "line") else one for one in right
            }
        assert dict(plain.subjects) == dict(study.subjects)
        assert study.notices == plain.notices


def _typed(cell, dates):
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        try:
            return float(cell)
        except ValueError:
            return cell or None
    return {"cells": day, "text": cell, "stated": f"{day:%d/%m/%Y}"}[dates]


class TestDelimiters:
    @pytest.mark.parametrize("name", sorted(set(NAMES) - {"space"}))
    def test_one_that_splits_the_header_is_found(self, tmp_path, name):
        d = NAMES[name]
        sheet, findings = _sheet(tmp_path, f"a{d}b{d}comment\n1{d}2{d}x y\n")
        assert sheet.rows[0].cells == {"a": "1", "b": "2", "comment": "x y"}
        assert findings.problems == []

    def test_two_that_split_it_alike_are_asked_for(self, tmp_path):
        sheet, findings = _sheet(tmp_path, "a;b;x,a,b\n1;2;3,4,5\n")
        assert sheet is None
        assert [(p.line, p.message) for p in findings.problems] == [
            (1, "comma and semicolon split the header into as many known columns; state `sheets: {delimiter: …}` in "
                "study.yaml")
        ]  # fmt: skip

    def test_a_stated_one_is_taken_whatever_the_header(self, tmp_path):
        sheet, _ = _sheet(tmp_path, "a;b\n1,5;2\n", SheetStyle(delimiter=";"))
        assert sheet.rows[0].cells == {"a": "1,5", "b": "2"}

    def test_spaces_are_never_guessed(self, tmp_path):
        sheet, findings = _sheet(tmp_path, "a   b\n1   2\n")
        assert sheet is None
        assert findings.problems[0].message.endswith("if so, state `sheets: {delimiter: space}`")
        sheet, findings = _sheet(tmp_path, '  a  b\t comment\n1   2  "x  y" \n""  3 ""\n', SheetStyle(delimiter=" "))
        assert [row.cells for row in sheet.rows] == [
            {"a": "1", "b": "2", "comment": "x  y"},
            {"a": "", "b": "3", "comment": ""},
        ]
        assert findings.problems == []

    def test_a_first_line_says_it(self, tmp_path):
        sheet, findings = _sheet(tmp_path, "sep=;\r\na;b\r\n1;2\r\n")
        assert (sheet.header, sheet.rows[0].line, sheet.rows[0].cells) == (2, 3, {"a": "1", "b": "2"})
        assert findings.problems == []

    def test_lines_end_in_three_ways_in_one_file(self, tmp_path):
        sheet, findings = _sheet(tmp_path, b'a,b,comment\r1,2,"x\ry"\r\n3,4,\n5,6,"q\r\nr"\r7,8,\r')
        assert [(row.line, row.cells["a"]) for row in sheet.rows] == [(2, "1"), (4, "3"), (5, "5"), (7, "7")]
        assert sheet.rows[0].cells["comment"] == "x\ry"
        assert findings.problems == []

    def test_quotes_hold_delimiters_and_quotes(self, tmp_path):
        sheet, _ = _sheet(tmp_path, 'a,b,comment\n"1,2","3""4","5;6\n7"\n')
        assert sheet.rows[0].cells == {"a": "1,2", "b": '3"4', "comment": "5;6\n7"}

    def test_blank_columns_and_rows_at_the_end_say_nothing(self, tmp_path):
        sheet, findings = _sheet(tmp_path, "a,b,,\n1,2,,\n3,4\n5,6,,,,\n,,,,\n   \n")
        assert findings.notices == []
        assert [(p.line, p.message) for p in findings.problems] == [
            (3, "the row has 2 cells and the header 4; quote cells that hold the delimiter")
        ]
        assert [row.cells["a"] for row in sheet.rows] == ["1", "5"]

    def test_a_row_that_is_too_long_is_not_cut(self, tmp_path):
        _, findings = _sheet(tmp_path, "a,b\n1,2,,x\n")
        assert [p.line for p in findings.problems] == [2]

    def test_a_decimal_comma_that_is_not_quoted_breaks_its_row(self, tmp_path):
        _, findings = _sheet(tmp_path, "a,b\n1,5,2\n", SheetStyle(decimal=","), numbers={"a"})
        assert "the row has 3 cells and the header 2" in findings.problems[0].message


class TestHeaders:
    def test_full_width_letters_and_spaces(self, tmp_path):
        sheet, findings = _sheet(tmp_path, "ａ,\u3000b\xa0\n1,2\n")
        assert sheet.rows[0].cells == {"a": "1", "b": "2"}
        assert findings.problems == []

    def test_a_header_of_the_laboratory_word_for_word(self, folder):
        folder.replace("subject,arm", "受试者编号,arm", "samples").replace("comment", "Bemerkung", "samples")
        assert "unknown column" in folder.problems()[1].message
        folder.yaml += "sheets:\n  samples: {columns: {subject: 受试者编号, comment: Bemerkung}}\n"
        assert folder.read().records[0].subject == "A"

    def test_a_stated_header_that_is_not_there(self, folder):
        folder.yaml += "sheets: {samples: {columns: {subject: Patient, sex: Gender}}}\n"
        problems = [(p.line, p.where, p.message) for p in folder.problems()]
        assert [(line, where) for line, where, _ in problems[:2]] == [(1, "subject"), (1, "sex")]
        assert all("unknown column; known are: tube_id, Patient, arm" in message for *_, message in problems[:2])
        assert problems[2:] == [
            (1, "subject", "this column is required and missing (its header is stated as 'Patient')"),
            (1, "Gender", "study.yaml states this header and the sheet lacks it; correct `sheets:`"),
        ]

    def test_columns_that_are_not_read_are_named(self, folder):
        folder.replace("comment", "操作员", "samples")
        assert [(p.where, p.value) for p in folder.problems()] == [("操作员", "")]
        folder.yaml += "sheets: {samples: {ignore: [操作员]}}\n"
        assert folder.read().records[0].comment is None

    def test_a_column_that_stands_twice(self, tmp_path):
        _, findings = _sheet(tmp_path, "a,b,ａ\n1,2,3\n")
        assert [p.message for p in findings.problems] == ["this column stands twice; keep one of them"]


class TestEncodings:
    TEXT = "a,b\n张三,Müller\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_a_mark_says_it(self, tmp_path, encoding):
        sheet, findings = _sheet(tmp_path, self.TEXT.encode(encoding))
        if encoding == "utf-32":
            assert (sheet, findings.problems[0].message) == (None, "UTF-32 is not read; save the file as 'CSV UTF-8'")
        else:
            assert sheet.rows[0].cells == {"a": "张三", "b": "Müller"}

    @pytest.mark.parametrize("stated", ["gb18030", "gbk", "gb2312"])
    def test_gb18030_is_stated(self, folder, stated):
        folder.replace("SLE", "系统性红斑狼疮", "samples", 3).write()
        path = folder.path / "samples.csv"
        path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
        first = read_problems(folder)[0]
        place = path.read_bytes().index(b"\xd0") + 1
        assert (first.line, first.message) == (
            2,
            f"the file is not UTF-8 (byte 0xD0 at position {place:,}); save it as 'CSV UTF-8', or state what it is in "
            "study.yaml, for example `sheets: {encoding: gb18030}`",
        )
        folder.yaml += f"sheets: {{samples: {{encoding: {stated}}}}}\n"
        (folder.path / "study.yaml").write_text(folder.yaml, encoding="utf-8")
        assert read_study(folder.path / "study.yaml").subjects["A"].diagnosis == "系统性红斑狼疮"

    @pytest.mark.parametrize(("encoding", "byte"), [("utf-8", "0xFC"), ("gb18030", "0xFF"), ("cp1252", "0x81")])
    def test_a_byte_that_has_no_meaning_is_named_with_its_place(self, tmp_path, encoding, byte):
        content = b"a,b\r\n1,2\r3," + bytes([int(byte, 16)]) + b"\n"
        sheet, findings = _sheet(tmp_path, content, SheetStyle(encoding=encoding))
        assert sheet is None
        assert findings.problems[0].line == 3
        assert f"the file is not {encoding.upper()} (byte {byte} at position 12)" in findings.problems[0].message

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
    def test_western_ones_are_stated(self, tmp_path, encoding):
        sheet, _ = _sheet(tmp_path, "a,b\né,ü\n".encode("latin-1"), SheetStyle(encoding=encoding))
        assert sheet.rows[0].cells == {"a": "é", "b": "ü"}

    def test_a_statement_against_the_mark(self, tmp_path):
        sheet, findings = _sheet(tmp_path, self.TEXT.encode("utf-8-sig"), SheetStyle(encoding="gb18030"))
        assert sheet is None
        assert "begins with the mark of utf-8 and study.yaml states gb18030" in findings.problems[0].message

    def test_a_statement_that_utf8_would_fit_too_is_noted(self, tmp_path):
        _, findings = _sheet(tmp_path, "a,b\né,2\n".encode(), SheetStyle(encoding="latin-1"))
        assert "could be UTF-8 too; it is read as latin-1" in findings.notices[0].message

    def test_utf16_without_its_mark(self, tmp_path):
        content = "a,b\n1,2\n".encode("utf-16-le")
        _, findings = _sheet(tmp_path, content)
        assert "every other byte is NUL" in findings.problems[0].message
        _, findings = _sheet(tmp_path, content, SheetStyle(encoding="utf-16"))
        assert "state utf-16-le or utf-16-be" in findings.problems[0].message
        sheet, _ = _sheet(tmp_path, content, SheetStyle(encoding="utf-16-le"))
        assert sheet.rows[0].cells == {"a": "1", "b": "2"}

    @given(content=st.binary(max_size=60), encoding=st.none() | st.sampled_from(["gb18030", "cp1252", "utf-16-le"]))
    def test_any_bytes_are_text_or_one_problem(self, content, encoding):
        findings = Findings()
        text = decode(content, "t.csv", encoding, findings)
        assert (text is None) == (len(findings.problems) == 1)


def read_problems(folder):
    from il2cyto.study import check_study

    return check_study(folder.path / "study.yaml")


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "delimiter", "decimal", "value"),
        [
            ("12.5", ",", None, 12.5),
            ("12,5", ";", None, 12.5),
            ("0,123", ";", None, 0.123),
            ("1234,567", "\t", None, 1234.567),
            ("1,234", ";", ",", 1.234),
            ("1,234", ",", ",", 1.234),
            ("12,5", ",", ",", 12.5),
            ("51230", ";", ",", 51230),
            (",5", ";", ",", 0.5),
            ("1,5e3", ";", ",", 1500),
        ],
    )
    def test_a_number(self, folder, cell, delimiter, decimal, value):
        assert self._study(folder, cell, delimiter, decimal).study.records[4].alc_per_ul == value

    @pytest.mark.parametrize(
        ("cell", "delimiter", "decimal", "message"),
        [
            ("1,234", ";", None, "commas are not guessed (decimal or thousands?); write a decimal point and no "
             "separator, or state a decimal comma in study.yaml: `sheets: {decimal: \",\"}`"),
            ("12,5", ",", None, "commas are not guessed"),
            ("12,5", ";", ".", "commas are not guessed (decimal or thousands?); write a decimal"),
            ("1.234,5", ";", None, "commas are not guessed"),
            ("1.234,5", ";", ",", "separators of thousands are not read; write a number such as 1234,5"),
            ("1,234.5", ";", ",", "separators of thousands are not read"),
            ("1,234,567", ",", ",", "separators of thousands are not read"),
            ("1 234", ";", ",", "this is no finite number"),
            ("1.234", ";", ",", "study.yaml states a decimal comma: is this point decimal, or"),
            ("１２,５x", ";", ",", "separators of thousands are not read"),
        ],
    )  # fmt: skip
    def test_a_number_that_could_be_two(self, folder, cell, delimiter, decimal, message):
        inspection = self._study(folder, cell, delimiter, decimal)
        assert [(p.file, p.line, p.where) for p in inspection.problems] == [("samples.csv", 6, "alc_per_ul")]
        assert inspection.problems[0].message.startswith(message)

    def test_points_and_commas_in_one_sheet(self, folder):
        folder.cell(5, "volume", "25,5").cell(6, "alc_per_ul", "1.480")
        folder.sheets["samples"] = _write(folder.sheets["samples"], ";")
        problems = [(p.line, p.where, p.value) for p in folder.problems()]
        assert problems == [
            (5, "age_years", "11.5"), (6, "age_years", "11.5"), (6, "alc_per_ul", "1.480"), (7, "age_years", "11.7"),
        ]  # fmt: skip
        assert "other numbers of this sheet have a decimal comma" in folder.problems()[0].message

    def test_commas_that_were_found_are_noted_once(self, folder):
        for line, age in ((5, "11,5"), (6, "11,5"), (7, "11,7")):
            folder.cell(line, "age_years", age)
        folder.sheets["samples"] = _write(folder.sheets["samples"], ";")
        study = folder.read()
        assert [record.age for record in study.records[3:]] == [11.5, 11.5, 11.7]
        assert study.notices[1].message == "the sheet writes a decimal comma (line 5, 6, 7); its numbers are read so"

    def test_serum_values_keep_their_sign(self, folder):
        folder.replace("<2.4", '"<2,4"', "serum").replace(",2.4,5000", ',"2,4",5000', "serum")
        folder.yaml += 'sheets: {serum: {decimal: ","}}\n'
        value = folder.read().serum_values[0]
        assert (value.value, value.lloq, value.uloq) == ("<2.4", "2.4", "5000")

    @staticmethod
    def _study(folder, cell, delimiter, decimal):
        folder.cell(6, "alc_per_ul", cell)
        for line in (5, 6, 7):
            folder.cell(line, "age_years", "11")
        folder.sheets["samples"] = _write(folder.sheets["samples"], delimiter)
        if decimal:
            folder.yaml += f'sheets: {{samples: {{decimal: "{decimal}"}}}}\n'
        return folder.inspect()


class TestCharacters:
    def test_full_width_ids_are_those_of_their_usual_forms(self, folder):
        folder.cell(2, "subject", "Ａ").cell(2, "tube_id", "Ａ－ＢＬ").cell(2, "beads_per_test", "５１２３０")
        folder.cell(2, "collection_date", "２０２１-０３-０１").cell(2, "diagnosis", "ＳＬＥ（活动期）")
        for line in (3, 4):
            folder.cell(line, "diagnosis", "ＳＬＥ（活动期）")
        study = folder.read()
        assert set(study.subjects) == {"A", "B"}
        first = study.records[0]
        assert (first.tube_id, first.beads_per_test, first.collection_date) == ("A-BL", 51230, date(2021, 3, 1))
        assert first.diagnosis == "ＳＬＥ（活动期）"  # words stay as they are written
        assert [(n.line, n.where, n.message) for n in study.notices] == [
            (2, column, "full-width characters were read as the usual ones (line 2)")
            for column in ("tube_id", "subject", "collection_date", "beads_per_test")
        ]

    def test_accents_apart_from_their_letters_make_no_second_subject(self, folder):
        folder.cell(2, "subject", "Jose\u0301").cell(3, "subject", "José").cell(4, "subject", "José")
        folder.cell(2, "subject", "José", "dosing").cell(3, "subject", "Jose\u0301", "dosing")
        folder.cell(2, "subject", "José", "serum")
        assert list(folder.read().subjects) == ["José", "B"]

    @pytest.mark.parametrize("space", ["\xa0", "\u3000", "\u2009", "\u202f"])
    def test_spaces_of_other_kinds_make_no_second_subject(self, folder, space):
        folder.cell(2, "subject", f"A{space}1").cell(3, "subject", f"A 1{space}").cell(4, "subject", "A 1")
        folder.sheets["dosing"] = DOSING.replace("A,", "A 1,")
        folder.sheets["serum"] = SERUM.replace("A,", "A 1,")
        assert list(folder.read().subjects) == ["A 1", "B"]

    def test_a_file_name_is_not_touched(self, folder):
        (folder.path / "ａ１.fcs").write_bytes(b"FCS3.1")
        study = folder.cell(2, "fcs", "ａ１.fcs").read()
        assert study.records[0].fcs_name == "ａ１.fcs"
        assert study.notices == ()


class TestStudyDates:
    def test_the_stated_form(self, folder):
        plain = folder.read()
        for name in folder.sheets:
            folder.sheets[name] = _days(folder.sheets[name], "%d.%m.%Y")
        assert {p.where for p in folder.problems()} == {"birth_date", "collection_date", "date"}
        folder.yaml += 'sheets: {dates: "%d.%m.%Y"}\n'
        _equal(plain, folder.read())

    def test_another_form_than_the_stated_one(self, folder):
        folder.yaml += 'sheets: {dates: "%d.%m.%Y"}\n'
        problem = folder.cell(2, "collection_date", "03/01/2021").problems()[0]
        assert (problem.line, problem.value) == (2, "03/01/2021")
        assert problem.message == "write the date as %d.%m.%Y, as study.yaml states, or as yyyy-mm-dd"

    def test_a_day_that_no_calendar_has(self, folder):
        folder.yaml += 'sheets: {dates: "%d.%m.%Y"}\n'
        problem = folder.cell(2, "collection_date", "29.02.2021").problems()[0]
        assert problem.message == "the calendar has no such day, or the clock no such time; correct it"

    def test_a_date_of_birth_in_the_stated_form_is_masked_too(self, folder):
        folder.yaml += 'sheets: {dates: "%d.%m.%Y"}\n'
        problem = folder.cell(2, "birth_date", "31.02.2009").problems()[0]
        assert problem.value == "##.##.####"

    @pytest.mark.parametrize("cell", ["2021-03", "2021-03-UN", "2021", "UN", "UNK", "unknown"])
    def test_a_part_of_a_date_counts_as_unknown(self, folder, cell):
        study = folder.cell(5, "collection_date", cell).cell(6, "collection_date", cell).read()
        assert [record.collection_date for record in study.records[3:5]] == [None, None]
        partial = [n for n in study.notices if n.message == "a part of a date is no date: it counts as unknown"]
        assert [(n.line, n.value) for n in partial] == ([(5, cell), (6, cell)] if cell.startswith("2") else [])

    def test_a_part_of_a_date_of_birth_gives_no_age_and_is_not_repeated(self, folder):
        for line in (2, 3, 4):
            folder.cell(line, "birth_date", "2009-03")
        study = folder.read()
        assert all(record.age != record.age for record in study.records[:3])
        assert "2009" not in repr(study)

    def test_a_dose_needs_its_whole_date(self, folder):
        problem = folder.cell(2, "date", "2021-03", "dosing").problems()[0]
        assert (problem.file, problem.line, problem.value) == ("dosing.csv", 2, "2021-03")
        assert "need the whole date of every dose" in problem.message

    def test_two_time_zones_in_a_column(self, folder):
        folder.cell(2, "collection_date", "2021-03-01T23:50+08:00").cell(4, "collection_date", "2021-03-30T15:50Z")
        folder.cell(2, "date", "2021-03-01T01:00Z", "dosing")
        problems = [(p.file, p.line, p.where, p.value) for p in folder.problems()]
        assert problems == [("samples.csv", 4, "collection_date", "Z")]
        assert "line 2 has a time of another zone" in folder.problems()[0].message

    def test_times_are_kept_and_days_are_not_moved(self, folder):
        folder.cell(2, "collection_date", "2021-03-01T23:50+08:00").cell(2, "date", "2021-03-01 09:00", "dosing")
        study = folder.read()
        assert (study.records[0].collection_date, study.records[0].collection_time) == (date(2021, 3, 1), time(23, 50))
        assert study.doses[0].time == time(9, 0)
        assert study.records[0].age == 4383 / 365.25


def _days(text, form):
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows:
        for place, cell in enumerate(row):
            if len(cell) == 10 and cell[4] == cell[7] == "-":
                row[place] = date.fromisoformat(cell).strftime(form)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "where", "value", "message"),
        [
            ("{delimiter: colon}", "sheets.delimiter", "colon", "give one character in quotes, or a name: comma"),
            ('{delimiter: "."}', "sheets.delimiter", ".", "one character in quotes"),
            ('{delimiter: "\\t\\t"}', "sheets.delimiter", "\\t\\t", "one character in quotes"),
            ("{decimal: comma}", "sheets.decimal", "comma", "choose one of: ., ,"),
            ("{encoding: gb}", "sheets.encoding", "gb", "choose one of: utf-8"),
            ('{dates: "%d.%m"}', "sheets.dates", "%d.%m", "year, month and day once each"),
            ("{delimeter: tab}", "sheets.delimeter", "", "did you mean 'delimiter'?"),
            ("{samples: {columns: {sbject: x}}}", "sheets.samples.columns.sbject", "", "did you mean 'subject'?"),
            ("{samples: {columns: {subject: x, arm: x}}}", "sheets.samples.columns.arm", "x", "another column already"),
            ("{samples: {columns: [x]}}", "sheets.samples.columns", "", "mapping from our name"),
            ("{samples: {ignore: x}}", "sheets.samples.ignore", "x", "give a list"),
            ("{worksheet: x}", "sheets.worksheet", "", "unknown key"),
            ("comma", "sheets", "comma", "give a mapping"),
        ],
    )
    def test_a_wrong_option(self, folder, text, where, value, message):
        folder.yaml += f"sheets: {text}\n"
        problem = next(p for p in folder.problems() if p.file == "study.yaml")
        assert (problem.line, problem.where, problem.value) == (27, where, value)
        assert message in problem.message

    def test_an_option_of_one_sheet_goes_before_that_of_all(self, folder):
        folder.sheets["dosing"] = _write(DOSING, "|")
        folder.yaml += "sheets: {delimiter: comma, dosing: {delimiter: pipe}}\n"
        assert len(folder.read().doses) == 2


class TestWorkbooks:
    def _book(self, tmp_path, rows, change=lambda book: None, style=None, **kinds):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        change(book)
        book.save(tmp_path / "t.xlsx")
        findings = Findings()
        columns = Columns(("a", "b"), ("comment",), **{kind: frozenset(names) for kind, names in kinds.items()})
        return read_sheet(tmp_path / "t.xlsx", "t.xlsx", "table", columns, findings, style), findings

    def _cells(self, sheet):
        return [tuple(row.cells.values()) for row in sheet.rows]

    def test_dates_from_1904(self, tmp_path):
        def change(book):
            book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904

        sheet, _ = self._book(tmp_path, [["a", "b"], [date(2021, 3, 4), datetime(2021, 3, 4, 8, 30)]], change)
        assert self._cells(sheet) == [("2021-03-04", "2021-03-04T08:30:00")]

    def test_numbers_as_text_and_ids_of_digits(self, tmp_path):
        rows = [["a", "b"], ["001", "12.5"], ["1E5", "１２"], [7, 12]]
        sheet, findings = self._book(tmp_path, rows, ids={"a"}, numbers={"b"})
        assert self._cells(sheet) == [("001", "12.5"), ("1E5", "12"), ("7", "12")]
        assert findings.problems == []

    def test_zeros_that_are_shown_belong_to_an_id(self, tmp_path):
        def change(book):
            book.active["A2"].number_format = "000"

        assert self._cells(self._book(tmp_path, [["a", "b"], [7, 1]], change, ids={"a"})[0]) == [("007", "1")]

    @pytest.mark.parametrize(
        ("value", "shown", "message"),
        [
            (100000, "0.00E+00", "the spreadsheet has made a number of this name"),
            (1.5, "General", "the spreadsheet has made a number of this name"),
            (1234567890123456789, "0", "a spreadsheet keeps 15 digits of a number"),
            (date(2021, 1, 3), "d-mmm", "the spreadsheet has made a date of this name"),
        ],
    )
    def test_an_id_that_a_spreadsheet_has_spoilt(self, tmp_path, value, shown, message):
        def change(book):
            book.active["A2"].number_format = shown

        _, findings = self._book(tmp_path, [["a", "b"], [value, 1]], change, ids={"a"})
        assert [(p.line, p.where) for p in findings.problems] == [(2, "A")]
        assert findings.problems[0].message.startswith(message)
        assert self._book(tmp_path, [["a", "b"], [value, 1]], change)[1].problems == []

    def test_a_percentage_is_refused(self, tmp_path):
        def change(book):
            book.active["B2"].number_format = "0.0%"

        _, findings = self._book(tmp_path, [["a", "b"], [1, 0.05]], change)
        assert [(p.line, p.where, p.value) for p in findings.problems] == [(2, "B", "0.05")]
        assert "shown as a percentage, which is a hundred times its value" in findings.problems[0].message

    def test_merged_cells_are_refused(self, tmp_path):
        _, findings = self._book(
            tmp_path, [["a", "b"], [1, 2], [None, 3]], lambda book: book.active.merge_cells("A2:A3")
        )
        assert [(p.line, p.where) for p in findings.problems] == [(2, "A2:A3")]
        assert "unmerge them and fill in each" in findings.problems[0].message

    def test_what_is_hidden_is_read_and_noted(self, tmp_path):
        def change(book):
            book.active.row_dimensions[3].hidden = True
            book.active.column_dimensions["B"].hidden = True

        sheet, findings = self._book(tmp_path, [["a", "b"], [1, 2], [3, 4]], change)
        assert self._cells(sheet) == [("1", "2"), ("3", "4")]
        assert [n.message for n in findings.notices] == [
            "rows that the spreadsheet hides (3) are read like the others",
            "columns that the spreadsheet hides (B) are read like the others",
        ]

    def test_several_worksheets(self, tmp_path):
        def change(book):
            book.active.title = "first"
            for title, value in (("Table", 2), ("Proben 2021", 3)):
                sheet = book.create_sheet(title)
                sheet.append(["a", "b"])
                sheet.append([value, value])

        rows = [["a", "b"], [1, 1]]
        assert self._cells(self._book(tmp_path, rows, change)[0]) == [("2", "2")]
        sheet, findings = self._book(tmp_path, rows, change, SheetStyle(worksheet="Proben 2021"))
        assert (self._cells(sheet), findings.notices) == ([("3", "3")], [])
        sheet, findings = self._book(tmp_path, rows, change, SheetStyle(worksheet="Proben 2012"))
        assert sheet is None
        assert "no worksheet has the stated name (did you mean 'Proben 2021'?)" in findings.problems[0].message

    def test_the_first_of_several_worksheets_is_noted(self, tmp_path):
        _, findings = self._book(tmp_path, [["a", "b"], [1, 2]], lambda book: book.create_sheet("Patient Lee"))
        assert findings.notices[0].message.startswith("no worksheet is called table: the first of 2 is read")
        assert "Lee" not in findings.notices[0].message

    def test_real_numbers_beside_a_stated_decimal_comma(self, tmp_path):
        rows = [["a", "b"], [1.234, "1,234"]]
        sheet, findings = self._book(tmp_path, rows, style=SheetStyle(decimal=","), numbers={"a", "b"})
        assert (self._cells(sheet), findings.problems) == ([("1.234", "1.234")], [])

    def test_a_document_type_is_refused(self, tmp_path):
        import zipfile

        self._book(tmp_path, [["a", "b"], [1, 2]])
        with zipfile.ZipFile(tmp_path / "t.xlsx") as source:
            parts = {name: source.read(name) for name in source.namelist()}
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        for encoding in ("utf-8", "utf-16"):
            with zipfile.ZipFile(tmp_path / "u.xlsx", "w") as target:
                for name, content in parts.items():
                    if name == "xl/sharedStrings.xml" or name == "xl/styles.xml":
                        content = (bomb + content).decode().encode(encoding)
                    target.writestr(name, content)
            findings = Findings()
            assert read_sheet(tmp_path / "u.xlsx", "u.xlsx", "table", Columns(("a", "b")), findings) is None
            assert "document type declaration" in findings.problems[0].message

    def test_too_many_cells(self, tmp_path, monkeypatch):
        monkeypatch.setattr("il2cyto.study.workbook.MAX_CELLS", 3)
        assert "more than 3 cells" in self._book(tmp_path, [["a", "b"], [1, 2]])[1].problems[0].message


def test_too_many_rows_or_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("il2cyto.study.sheets.MAX_ROWS", 3)
    monkeypatch.setattr("il2cyto.study.sheets.MAX_COLUMNS", 4)
    assert _sheet(tmp_path, "a,b\n1,2\n3,4\n")[1].problems == []
    for content in ("a,b\n1,2\n3,4\n5,6\n", "a,b,c,d,e\n"):
        sheet, findings = _sheet(tmp_path, content)
        assert sheet is None
        assert "more than 3 rows or 4 columns; split the study" in findings.problems[0].message
