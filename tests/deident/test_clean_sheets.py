from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from il2cyto.deident.key import Key
from il2cyto.deident.names import Names
from il2cyto.deident.sheets import CLINICAL, DOSING, SAMPLES, SERUM, CleanTable, Declared, clean_table
from il2cyto.deident.tables import Table, read_table
from il2cyto.errors import TableError

KEY = Key(bytes(range(32)))
DECLARED = Declared(
    arms={"IL2": "IL2", "Smith": "ARM1"},
    visits={"BL": "BL", "M1": "M1"},
    tubes={"T": "T"},
    references={"il2cyto:tbnk": "il2cyto:tbnk"},
    fcs=lambda cell: {"a.fcs": "fcs/F-1.fcs"}.get(cell),
)


def table(text: str) -> Table:
    rows = list(csv.reader(io.StringIO(text)))
    return Table(tuple(rows[0]), tuple((n, tuple(row)) for n, row in enumerate(rows[1:], start=2)))


def cleaned(text: str, rules: dict[str, str], **options: object) -> tuple[list[dict[str, str]], CleanTable]:
    clean = clean_table(table(text), rules, DECLARED, Names(KEY), **options)
    return list(csv.DictReader(io.StringIO(clean.text))), clean


HEAD = "tube_id,subject,arm,diagnosis,sex,birth_date,age_years,visit,collection_date,tube,fcs,beads_per_test,bead_lot\n"


def test_every_column_by_its_rule() -> None:
    rows, _ = cleaned(HEAD + "t1,P001,IL2,SLE,F,2009-03-01,,BL,2021-03-01,T,a.fcs,51230,L1\n", SAMPLES)
    assert rows == [
        {
            "tube_id": "T-8ERQEN43192E5", "subject": "S-08VSZAA52Q1NP", "arm": "IL2", "diagnosis": "SLE", "sex": "F",
            "age_years": "12", "visit": "BL", "collection_date": "2020-03-13", "tube": "T", "fcs": "fcs/F-1.fcs",
            "beads_per_test": "51230", "bead_lot": "N-ZWPGBT6XBBD1C",
        }
    ]  # fmt: skip


def test_a_declared_name_gets_its_code_and_an_undeclared_one_withholds_the_row() -> None:
    rows, clean = cleaned(
        HEAD
        + "t1,P001,Smith,SLE,F,,12,BL,2021-03-01,T,a.fcs,,\n"
        + "t2,P001,Jones,SLE,F,,12,BL,2021-03-01,T,a.fcs,,\n"
        + "t3,P001,IL2,SLE,F,,12,Jones,2021-03-01,T,a.fcs,,\n"
        + "t4,P002,IL2,SLE,F,,12,BL,2021-03-01,T,b.fcs,,\n",
        SAMPLES,
    )
    assert [row["arm"] for row in rows] == ["ARM1"]
    assert sum(change.action == "withheld" for change in clean.changes) == 3
    assert clean.subjects == {"P001"}


def test_free_cells_are_dropped_or_renamed() -> None:
    rows, clean = cleaned(HEAD + "t1,P001,IL2,Smith,Smith,,Smith,BL,Smith,T,a.fcs,13812345678,L1\n", SAMPLES)
    assert rows[0]["diagnosis"].startswith("N-")
    assert (rows[0]["sex"], rows[0]["age_years"], rows[0]["collection_date"], rows[0]["beads_per_test"]) == (
        "", "unknown", "", "",
    )  # fmt: skip
    assert "Smith" not in clean.text
    assert "Smith" not in repr(clean.changes)


def test_one_age_per_visit_without_the_date_of_birth() -> None:
    rows, _ = cleaned(
        "subject,visit,birth_date,age_years,collection_date\n"
        "A,BL,2009-03-01,,2021-03-05\nA,BL,2009-03-01,,2021-02-20\n"  # 12.01 and 11.98 years
        "B,BL,2020-12-01,,2021-03-05\nC,BL,,93.2,2021-03-05\nD,BL,,unknown,2021-03-05\nE,BL,,,2021-03-05\n",
        {**SAMPLES},
    )
    assert [row["age_years"] for row in rows] == ["12", "12", "0.26", "unknown", "unknown", ""]
    assert "birth_date" not in rows[0]


def test_intervals_between_dates_of_a_subject_survive() -> None:
    dosing, _ = cleaned("subject,date\nP001,2021-02-27\nP001,2021-03-01\nP002,2021-03-01\n", DOSING)
    serum, _ = cleaned("subject,visit,analyte,value,unit,collection_date\nP001,BL,IL-6,<2.4,pg/mL,2021-03-01\n", SERUM)
    assert [row["date"] for row in dosing[:2]] == ["2020-03-11", "2020-03-13"]
    assert serum[0]["collection_date"] == "2020-03-13"
    assert dosing[2]["date"] != dosing[1]["date"]


def test_serum_values_are_concentrations_and_nothing_else() -> None:
    head = "subject,visit,analyte,value,unit,lloq\n"
    values = ["<2.4", "> 5000", "OOR <", "---", "8.1", "1e3", "Smith", "<Smith", "13812345678"]
    rows, _ = cleaned(head + "".join(f"A,BL,IL-6,{value},pg/mL,2\n" for value in values), SERUM)
    assert [row["value"] for row in rows] == ["<2.4", "> 5000", "OOR <", "---", "8.1", "1e3", "", "", ""]


def test_columns_without_a_rule_go_and_are_named_only_if_the_name_is_a_word() -> None:
    rows, clean = cleaned("subject,date,comment,Smith,Hospital ID\nP001,2021-03-01,hello,x,7\n", DOSING)
    assert list(rows[0]) == ["subject", "date"]
    assert [change.where for change in clean.changes[:3]] == [
        "column comment", "column 4, of another name", "column Hospital ID",
    ]  # fmt: skip


def test_clinical_tables_by_cdisc_names() -> None:
    rows, _ = cleaned(
        "USUBJID,AVISIT,ADT,PARAMCD,AVAL,AETERM\nP001,BL,2021-03-01,CRP,3.5,fell off Smith's bike\n"
        "P001,Unscheduled,2021-03-02T10:00,Smith,4,\n",
        CLINICAL,
    )
    assert rows[0] == {
        "USUBJID": "S-08VSZAA52Q1NP", "AVISIT": "BL", "ADT": "2020-03-13", "PARAMCD": "CRP", "AVAL": "3.5",
    }  # fmt: skip
    assert rows[1]["AVISIT"] == "Unscheduled"
    assert rows[1]["ADT"] == "2020-03-14"
    assert rows[1]["PARAMCD"].startswith("N-")


def test_a_table_needs_subjects_and_each_column_once() -> None:
    with pytest.raises(TableError, match="no column of subjects"):
        cleaned("visit\nBL\n", SERUM)
    with pytest.raises(TableError, match="stands twice"):
        cleaned("subject,visit,visit\nA,BL,BL\n", SERUM)


def test_rows_that_the_reader_refuses_and_strangers_are_withheld() -> None:
    rows, _ = cleaned("subject,date\nP001,2021-03-01\nP002,2021-03-01\nP003,2021-03-01\n", DOSING, refused={2},
                      subjects={"P001", "P003"})  # fmt: skip
    assert len(rows) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16", "latin-1"])
def test_sheets_in_old_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("subject;date\nP001;2021-03-01\n".encode(encoding))
    assert read_table(path, "dosing", DOSING).header == ("subject", "date")


def test_a_table_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    for name, content in (("a.csv", b""), ("b.xlsx", b"no zip"), ("c.csv", b'"' + b"x" * 200_000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TableError):
            read_table(tmp_path / name, "samples", SAMPLES)
