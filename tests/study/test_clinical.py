"""Every rule of the dosing and serum sheets."""

from __future__ import annotations

import pytest

RULES = [
    ("dosing", 2, "subject", "AA", "the samples sheet has no such subject"),
    ("dosing", 2, "subject", "", "must not be blank"),
    ("dosing", 3, "date", "2.3.2021", "write the date as yyyy-mm-dd"),
    ("dosing", 3, "date", "", "must not be blank"),
    ("dosing", 2, "dose", "0", "leave the row out when no dose was given"),
    ("dosing", 2, "dose", "0,5", "commas are not guessed"),
    ("dosing", 2, "dose", "", "must not be blank"),
    ("dosing", 2, "unit", "", "must not be blank"),
    ("dosing", 2, "route", "", "must not be blank"),
    ("dosing", 2, "treatment", "", "must not be blank"),
    ("serum", 2, "subject", "AB", "the samples sheet has no such subject"),
    ("serum", 3, "visit", "BLL", "did you mean 'BL'?"),
    ("serum", 3, "visit", "", "must not be blank"),
    ("serum", 3, "analyte", "", "must not be blank"),
    ("serum", 3, "unit", "", "must not be blank"),
    ("serum", 2, "collection_date", "1 March", "write the date as yyyy-mm-dd"),
]


@pytest.mark.parametrize(("sheet", "line", "column", "value", "message"), RULES)
def test_a_wrong_cell(folder, sheet, line, column, value, message):
    problems = folder.cell(line, column, value, sheet).problems()
    assert [(p.file, p.line, p.where, p.value) for p in problems] == [(f"{sheet}.csv", line, column, value)]
    assert message in problems[0].message


def test_a_close_subject_is_suggested(folder):
    folder.sheets["samples"] = folder.sheets["samples"].replace(",A,IL2", ",P001,IL2")
    folder.sheets["serum"] = folder.sheets["serum"].replace("A,BL", "P01,BL")
    problems = folder.cell(2, "subject", "P0O1", "dosing").cell(3, "subject", "P001", "dosing").problems()
    assert ["did you mean 'P001'?" in problem.message for problem in problems] == [True, True]


@pytest.mark.parametrize(("sheet", "column"), [("dosing", "treatment"), ("serum", "unit"), ("serum", "value")])
def test_a_missing_column(folder, sheet, column):
    problems = folder.without_column(column, sheet).problems()
    assert [(p.file, p.line, p.where, p.message) for p in problems] == [
        (f"{sheet}.csv", 1, column, "this column is required and missing")
    ]


def test_an_unknown_column(folder):
    problem = folder.replace("lloq", "llqo", "serum").problems()[0]
    assert (problem.file, problem.line, problem.where) == ("serum.csv", 1, "llqo")
    assert "did you mean 'lloq'?" in problem.message


def test_several_treatments_are_noted(folder):
    folder.append("B,2021-04-12,10,mg,oral,prednisone", "dosing")
    notice = folder.read().notices[0]
    assert (notice.file, notice.where) == ("dosing.csv", "treatment")
    # results carry the message: what the cells hold stands in the value
    assert (notice.value, "several treatments and all count" in notice.message) == ("rhIL-2, prednisone", True)


def test_a_named_treatment_alone_counts(folder):
    folder.append("B,2021-05-12,10,mg,oral,prednisone", "dosing").replace(
        "study: DEMO\n", "study: DEMO\ntreatments: [rhIL-2]\n"
    )
    study = folder.read()
    assert study.treatments == ("rhIL-2",)
    assert study.notices == ()


def test_serum_values_stay_text(folder):
    study = folder.cell(3, "value", "> 7500", "serum").cell(2, "value", "", "serum").read()
    assert study.serum["value"].tolist() == [None, "> 7500"]
