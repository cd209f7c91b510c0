"""Laboratory values, scores and adverse events, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from il2cyto.derive import visit_table
from il2cyto.derive.scores import ESSDAI, SLEDAI
from il2cyto.models.rank import stratified_ranks
from il2cyto.outcomes import Outcomes, make_outcomes
from il2cyto.outcomes.printed import print_baseline, print_outcome
from il2cyto.outcomes.typeset import Typeset, to_html, to_rtf
from il2cyto.simulate.clinical import clinical_sheets
from il2cyto.simulate.plan import plan_trial
from il2cyto.study import read_study

Told = Callable[..., Outcomes]

LABS = """subject,visit,date,test,value,unit,lower,upper
A1,BL,2021-03-01,C3,0.6,g/L,0.8,1.6
A1,M1,2021-03-30,C3,0.9,g/L,0.8,1.6
A1,M3,2021-05-30,C3,1.7,g/L,0.8,1.6
A2,BL,2021-03-01,C3,0.7,g/L,0.8,1.6
A2,M1,2021-03-30,C3,0.8,g/L,0.8,1.6
B1,BL,2021-03-01,C3,1.0,g/L,0.8,1.6
B1,M1,2021-03-30,C3,0.5,g/L,0.8,1.6
B2,BL,2021-03-01,C3,1.2,g/L,0.8,1.6
B2,M3,2021-05-30,C3,1.4,g/L,0.8,1.6
A1,BL,2021-03-01,ADSDNA,40,IU/mL,0,20
A1,M1,2021-03-30,ADSDNA,10,IU/mL,0,20
B1,BL,2021-03-01,ADSDNA,<10,IU/mL,0,20
B1,M1,2021-03-30,ADSDNA,30,IU/mL,0,20
A1,BL,2021-03-01,CREAT,44.21,umol/L,,
"""
VITALS = "subject,visit,date,height_cm,weight_kg\nA1,BL,2021-03-01,120,25\n"
STUDY = """outcomes:
  LABS: {kind: laboratory, tests: [C3, ADSDNA, EGFR], log: [ADSDNA], visit: M1}
"""


def only(table: pd.DataFrame, **cells: str) -> dict[str, Any]:
    for name, cell in cells.items():
        table = table[table[name] == cell]
    (row,) = table.to_dict("records")
    return {str(name): cell for name, cell in row.items()}


@pytest.fixture
def labs(told: Told) -> pd.DataFrame:
    return told(STUDY, labs=LABS, vitals=VITALS).results[0].table


def test_values_and_changes_by_hand(labs: pd.DataFrame) -> None:
    c3 = labs[labs["parameter"] == "C3"]
    row = only(c3, analysis="value", arm="IL2", visit="M1")
    assert (row["n"], row["of"], row["estimate"]) == (2, 2, pytest.approx(0.85))
    row = only(c3, analysis="change", arm="IL2", visit="M1")
    assert (row["n"], row["estimate"], row["sd"]) == (2, pytest.approx(0.2), pytest.approx(0.1 * math.sqrt(2)))
    # the visit that is missing has one value less, and nothing in its place
    assert only(c3, analysis="change", arm="STD", visit="M1")["n"] == 1
    assert only(c3, analysis="change", arm="IL2", visit="M3")["estimate"] == pytest.approx(1.1)


def test_places_in_the_range_shift(labs: pd.DataFrame) -> None:
    c3 = labs[labs["parameter"] == "C3"]
    assert only(c3, analysis="shift", category="low > normal", arm="IL2", visit="M1")["n"] == 2
    assert only(c3, analysis="shift", category="low > high", arm="IL2", visit="M3")["n"] == 1
    assert only(c3, analysis="shift", category="normal > low", arm="STD", visit="M1")["n"] == 1
    row = only(c3, analysis="mcnemar", arm="IL2", visit="M1")
    # two into the range, none out of it: 2 × 1/4
    assert (row["category"], row["p_value"]) == ("to normal 2, from it 0", 0.5)


def test_a_limit_is_no_value(labs: pd.DataFrame) -> None:
    dna = labs[labs["parameter"] == "ADSDNA"]
    row = only(dna, analysis="value", arm="STD", visit="BL")
    assert (row["n"], row["median"]) == (1, 10.0)
    assert np.isnan(row["estimate"])
    assert "limits only" in row["reason"]
    # a ratio from a limit is none
    assert only(dna, analysis="ratio_to_baseline", arm="STD", visit="M1")["n"] == 0
    row = only(dna, analysis="ratio_to_baseline", arm="IL2", visit="M1")
    assert (row["n"], row["estimate"]) == (1, pytest.approx(0.25))
    # below 10 is within 0 to 20, and 30 is above
    assert only(dna, analysis="share", category="high", arm="STD", visit="M1")["n"] == 1


def test_filtration_by_schwartz(labs: pd.DataFrame) -> None:
    # 44.21 µmol/L are 0.5 mg/dL: 0.413 × 120 / 0.5
    row = only(labs[labs["parameter"] == "EGFR"], analysis="value", arm="IL2", visit="BL")
    assert (row["n"], row["estimate"]) == (1, pytest.approx(99.12, rel=1e-4))


def test_by_windows_the_closest_value_stands_and_of_two_the_later(told: Told) -> None:
    tail = "visit_assignment: windows\noutcomes:\n  L: {kind: laboratory, tests: [C3], visit: M1}\n"
    # day 30 is 2021-03-30: two days before it and two days after it are as close
    rows = ["A1,2021-02-20,C3,0.5,g/L", "A1,2021-03-01,C3,0.6,g/L", "A1,2021-03-28,C3,0.7,g/L",
            "A1,2021-04-01,C3,0.8,g/L", "A1,2021-04-20,C3,0.9,g/L", "A1,2022-03-01,C3,1.0,g/L"]  # fmt: skip
    found = told(tail, labs="subject,date,test,value,unit\n" + "\n".join(rows) + "\n").results[0].subjects
    assert found.set_index("visit")["value"].to_dict() == {"BL": 0.6, "M1": 0.8}


def form(subject: str, visit: str, score: str, items: dict[str, int]) -> str:
    return "".join(f"{subject},{visit},,{score},{item},{level}\n" for item, level in items.items())


def test_scores_are_totals_of_whole_forms(told: Told) -> None:
    nothing, none = dict.fromkeys(SLEDAI, 0), dict.fromkeys(ESSDAI, 0)
    short = {name: 0 for name in SLEDAI if name != "fever"}
    scores = "subject,visit,date,score,item,value\n"
    scores += form("A1", "BL", "SELENA-SLEDAI", nothing | {"arthritis": 1, "rash": 1, "low_complement": 1})
    scores += form("A1", "M1", "SELENA-SLEDAI", nothing | {"rash": 1})
    scores += form("B1", "BL", "SELENA-SLEDAI", nothing | {"seizure": 1, "proteinuria": 1})
    scores += form("B1", "M1", "SELENA-SLEDAI", short)
    scores += form("A2", "BL", "ESSDAI", none | {"muscular": 2, "biological": 2})
    scores += form("A2", "M1", "SELENA-SLEDAI", nothing)
    tail = """outcomes:
  SLEDAI: {kind: score, score: SELENA-SLEDAI, diagnoses: [SLE], visit: M1}
  ESSDAI: {kind: score, score: ESSDAI, diagnoses: [pSS], visit: M1}
"""
    outcomes = told(tail, scores=scores, labs=LABS)
    sledai = outcomes.results[0].subjects.set_index(["subject", "visit"])
    # 4 + 2 + 2; 2; 8 + 4. A form that lacks an item has no total, and one of another diagnosis is not asked
    assert sledai["value"].to_dict() == {("A1", "BL"): 8.0, ("A1", "M1"): 2.0, ("B1", "BL"): 12.0}
    assert sledai["class"].to_dict() == {("A1", "BL"): "moderate", ("A1", "M1"): "mild", ("B1", "BL"): "high"}
    assert any("B1 M1" in note for note in outcomes.results[0].measures[0].notes)
    # 6 × 2 + 1 × 2
    (row,) = outcomes.results[1].subjects.to_dict("records")
    assert (row["value"], row["class"]) == (14.0, "high")
    # A1 at M1 has C3 within its range and is not marked; B1 at M1 has it low and the form says nothing of it
    assert outcomes.queries is not None
    told_ = {(row["subject"], row["visit"], row["item"], row["marked"]) for row in outcomes.queries.to_dict("records")}
    assert told_ == {
        ("A1", "BL", "increased_dna_binding", 0), ("B1", "M1", "low_complement", 0),
        ("B1", "M1", "increased_dna_binding", 0),
    }  # fmt: skip


def test_planted_discordances_are_found_and_no_others(write: Callable[..., Any]) -> None:
    plan = plan_trial(n_subjects=24, seed=4, controls=False)
    clinical = clinical_sheets(plan)
    sheets = {
        name.removesuffix(".csv"): table.to_csv(index=False)
        for name, table in clinical.sheets.items()
        if name in ("labs.csv", "scores.csv")
    }
    from il2cyto.simulate.sheets import samples_sheet, study_yaml

    path = write("", samples=samples_sheet(plan).to_csv(index=False), **sheets)
    text = study_yaml(plan)
    head = "".join(
        line + "\n"
        for line in text.splitlines()
        if not line.startswith(("dosing", "serum", "conmeds", "vitals", "ae:"))
    )
    path.write_text(head[: head.index("outcomes:")], encoding="utf-8")
    study = read_study(path)
    found = make_outcomes(study, visit_table(study), None, None, None).queries  # type: ignore[arg-type]
    assert found is not None
    looked_at = ("low_complement", "increased_dna_binding", "thrombocytopenia", "leukopenia")
    planted = clinical.discordances[clinical.discordances["item"].isin(looked_at)]
    assert len(planted) > 0
    keys = ["subject", "visit", "item"]
    assert set(map(tuple, found[keys].to_numpy())) == set(map(tuple, planted[keys].to_numpy()))


AE = """subject,class,term,start_date,end_date,grade,serious,related
A1,infection,herpes,2021-03-05,2021-03-09,2,N,N
A1,infection,cold,2021-05-29,,1,N,N
A1,fever,,2021-03-02,2021-03-02,1,N,Y
A2,fever,,2021-02-20,2021-02-21,3,Y,N
B1,infection,zoster,2021-04-01,2021-04-20,3,Y,N
"""
DOSING = """subject,date,dose,unit,route,treatment
A1,2021-03-01,500000,IU,subcutaneous,rhIL-2
A1,2021-03-30,500000,IU,subcutaneous,rhIL-2
A2,2021-03-01,500000,IU,subcutaneous,rhIL-2
"""


def test_adverse_events_by_hand(told: Told) -> None:
    tail = "outcomes:\n  SAFETY: {kind: events, classes: [infection, fever, tumour], visit: M1}\n"
    table = told(tail, ae=AE, dosing=DOSING).results[0].table
    row = only(table, parameter="infection", analysis="share", arm="IL2")
    assert (row["n"], row["of"], row["reason"]) == (1, 2, "highest grade 2")
    assert only(table, parameter="infection", analysis="events", category="whole", arm="IL2")["estimate"] == 2.0
    # A1 from 1 March to 30 May, 91 days; A2 to 30 March, 30 days
    years = (91 + 30) / 365.25
    row = only(table, parameter="infection", analysis="rate_per_year", category="whole", arm="IL2")
    assert row["estimate"] == pytest.approx(2 / years)
    assert row["lower"] == pytest.approx(chi2.ppf(0.025, 4) / 2 / years)
    assert row["upper"] == pytest.approx(chi2.ppf(0.975, 6) / 2 / years)
    # one within 30 days from the first to the last dose, one in the 61 days after it; A2 had one day of treatment
    row = only(table, parameter="infection", analysis="rate_per_year", category="first to last dose", arm="IL2")
    assert row["estimate"] == pytest.approx(1 / (31 / 365.25))
    row = only(table, parameter="infection", analysis="rate_per_year", category="after the last dose", arm="IL2")
    assert row["estimate"] == pytest.approx(1 / ((61 + 29) / 365.25))
    # a fever before the first dose is told and not counted
    row = only(table, parameter="fever", analysis="share", arm="IL2")
    assert (row["n"], "1 events before study day 1" in row["reason"]) == (1, True)
    assert only(table, parameter="tumour", analysis="events", category="whole", arm="STD")["estimate"] == 0.0
    assert only(table, parameter="any event", analysis="events", category="whole", arm="IL2")["estimate"] == 3.0
    assert only(table, parameter="serious events", analysis="share", arm="STD")["n"] == 1


def test_ranks_are_those_of_coin() -> None:
    """R 4.2, coin 1.4: ``independence_test(r ~ g | s)`` of ranks / (n + 1) by stratum; ``wilcox_test(y ~ g)``."""
    y = [1.1, 2.3, 2.3, 4.0, 0.5, 3.1, 3.6, 5.5, 2.2, 2.9, 4.4, 1.0]
    g = [1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1]
    assert stratified_ranks(y, g, [1] * 6 + [2] * 6).p_value == pytest.approx(0.641034843, abs=1e-9)
    assert stratified_ranks(y, g, [1] * 12).p_value == pytest.approx(0.6884038633, abs=1e-9)


def test_printed_tables_hold_hostile_names(told: Told, write: Callable[..., Any]) -> None:
    table = Typeset("<script>", "{\\b}", ("a", "b"), (("<b>", "{}"), ("over",)), ("50 % µ",))
    page, text = to_html(table), to_rtf(table)
    assert "<script>" not in page
    assert text.replace("\\{", "").replace("\\}", "").count("{") == text.replace("\\{", "").replace("\\}", "").count(
        "}"
    )
    assert text.isascii()


def test_every_number_of_a_printed_table_stands_in_the_tidy_one(told: Told, tmp_path: Any) -> None:
    outcomes = told(STUDY, labs=LABS, vitals=VITALS)
    study = read_study(tmp_path / "study.yaml")
    (result,) = outcomes.results
    page = print_outcome(study, outcomes.people, result.outcome, result.table, result.measures)
    cells = next(row for row in page.rows if row[0] == "Month 1")
    assert cells[1] == "2; 0.850 (0.0707)"
    assert any("not randomised" in note for note in page.footnotes)
    assert any(note.startswith("Not estimable") for note in page.footnotes)
    baseline = print_baseline(study, outcomes.people, outcomes.baseline)
    ages = next(row for row in baseline.rows if row[0] == "Age, years")
    assert ages[1].startswith("12.0 (2.83)")
    assert outcomes.flow.query("arm == 'IL2' and visit == 'M3'")["missing"].tolist() == [1]
