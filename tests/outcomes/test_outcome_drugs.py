"""Doses of drugs that are no steroids, each for itself, by hand; days and bodies as in test_outcome_steroid.py."""

from __future__ import annotations

import numpy as np
import pytest
from outcome_trial import CONMEDS, DAYS, VITALS, Trial, told, values

OUTCOME = "  DRUGS: {kind: drugs, role: primary, visit: M1}\n"
ROWS = """\
A,azathioprine,immunosuppressant,50,mg,day,oral,2021-01-01,
A,hydroxychloroquine,immunosuppressant,200,mg,day,oral,2021-01-01,2021-03-01
B,methotrexate,immunosuppressant,14,mg,week,subcutaneous,2021-01-01,2021-03-01
B,methotrexate,immunosuppressant,21,mg,week,subcutaneous,2021-03-02,
C,mycophenolate mofetil,immunosuppressant,1,g,day,oral,2021-01-01,2021-03-15
C,mycophenolate mofetil,immunosuppressant,500,mg,day,oral,2021-03-16,
D,azathioprine,immunosuppressant,28,mg,day,oral,2021-03-29,
F,azathioprine,immunosuppressant,100,mg,day,oral,2021-01-01,2021-03-01
F,azathioprine,immunosuppressant,96,mg,day,oral,2021-03-02,2021-05-01
F,azathioprine,immunosuppressant,94,mg,day,oral,2021-05-02,
F,prednisone,steroid,10,mg,day,oral,2021-01-01,
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    trial = Trial(tmp_path_factory.mktemp("drugs"), OUTCOME, conmeds=CONMEDS + ROWS)
    grown = {"BL": "125,28.8", "M1": "125,28.8", "M3": "144,36"}
    rows = []
    for name in "ABCDEF":
        trial.subject(name, "IL2" if name in "ABC" else "STD")
        rows += [f"{name},{visit},{day},{grown[visit]}" for visit, day in DAYS.items()]
    trial.sheets["vitals"] = VITALS + "\n".join(rows) + "\n"
    return trial.make().results[0]


def codes(result):
    return {
        one.label.split(",")[0].casefold(): one.code.removesuffix("M2")
        for one in result.measures
        if one.code.endswith("M2")
    }


def test_each_drug_is_told_for_itself(result):
    assert sorted(codes(result)) == ["azathioprine", "hydroxychloroquine", "methotrexate", "mycophenolate mofetil"]
    # of those who ever took it, over body surface; 28 mg on the last of 28 days are 1 mg a day
    assert values(result, f"{codes(result)['azathioprine']}M2") == pytest.approx(
        {"A BL": 50, "A M1": 50, "A M3": 50 / 1.2, "D BL": 0, "D M1": 1, "D M3": 28 / 1.2, "F BL": 100, "F M1": 96,
         "F M3": 94 / 1.2}
    )  # fmt: skip
    assert values(result, f"{codes(result)['hydroxychloroquine']}M2") == pytest.approx(
        {"A BL": 200, "A M1": 0, "A M3": 0}
    )


def test_a_weekly_dose_is_spread_over_its_days(result):
    assert values(result, f"{codes(result)['methotrexate']}M2") == pytest.approx({"B BL": 2, "B M1": 3, "B M3": 2.5})


def test_percent_of_the_own_dose_at_baseline(result):
    assert values(result, f"{codes(result)['mycophenolate mofetil']}PCT") == pytest.approx(
        {"C BL": 100, "C M1": 75, "C M3": 50}
    )
    # nothing is a percentage of 0: D began later
    assert values(result, f"{codes(result)['azathioprine']}PCT") == pytest.approx(
        {"A BL": 100, "A M1": 100, "A M3": 100, "F BL": 100, "F M1": 96, "F M3": 94}
    )


@pytest.mark.parametrize(
    ("drug", "arm", "visit", "classes"),
    [
        ("azathioprine", "IL2", "M1", {"unchanged": 1, "not taken": 2}),
        ("azathioprine", "STD", "M1", {"started": 1, "not taken": 1, "unchanged": 1}),
        ("azathioprine", "STD", "M3", {"started": 1, "not taken": 1, "reduced": 1}),
        ("hydroxychloroquine", "IL2", "M1", {"stopped": 1, "not taken": 2}),
        ("methotrexate", "IL2", "M1", {"increased": 1, "not taken": 2}),
        ("mycophenolate mofetil", "IL2", "M1", {"reduced": 1, "not taken": 2}),
    ],
)
def test_what_became_of_a_dose(result, drug, arm, visit, classes):
    code = f"{codes(result)[drug]}PCT"
    every = ("stopped", "reduced", "unchanged", "increased", "started", "not taken")
    found = {name: told(result, code, "share", arm, visit, name) for name in every}
    assert {name: row["n"] for name, row in found.items() if row["n"]} == classes
    assert {row["of"] for row in found.values()} == {3}


def test_number_of_drugs(result):
    found = values(result, "NDRUGS")
    assert [found[f"{name} M1"] for name in "ABCDEF"] == [1, 1, 1, 1, 0, 1]
    assert found["A BL"] == 2


def test_two_drugs_with_one_beginning_keep_apart(tmp_path):
    rows = (
        "A,cyclosporine,immunosuppressant,100,mg,day,oral,2021-01-01,\n"
        "A,cyclophosphamide,immunosuppressant,365.25,mg,month,intravenous,2021-01-01,\n"
    )
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS + rows, vitals=VITALS + "A,BL,2021-03-01,125,28.8\n")
    result = trial.subject("A", "IL2").make().results[0]
    every = [one.code for one in result.measures]
    assert len(set(every)) == len(every)
    known = codes(result)
    # a month has 365.25 / 12 days
    assert values(result, f"{known['cyclophosphamide']}M2") == pytest.approx({"A BL": 12})
    assert values(result, f"{known['cyclosporine']}M2") == pytest.approx({"A BL": 100})


def test_what_is_applied_to_the_skin_is_no_dose(tmp_path):
    rows = "A,tacrolimus,immunosuppressant,30,mg,day,topical,2021-01-01,\n"
    rows += "B,tacrolimus,immunosuppressant,2,mg,day,oral,2021-01-01,\n"
    bodies = "A,BL,2021-03-01,125,28.8\nB,BL,2021-03-01,125,28.8\n"
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS + rows, vitals=VITALS + bodies)
    result = trial.subject("A", "IL2").subject("B", "IL2").make().results[0]
    assert values(result, "TACRM2") == pytest.approx({"B BL": 2})
    assert values(result, "NDRUGS")["A BL"] == 0


def test_a_study_without_drugs_of_the_group_has_no_measure(tmp_path):
    trial = Trial(
        tmp_path, OUTCOME, conmeds=CONMEDS + "A,prednisone,steroid,1,mg,day,oral,2021-01-01,\n",
        vitals=VITALS + "A,BL,2021-03-01,125,28.8\n",
    )  # fmt: skip
    result = trial.subject("A", "IL2").make().results[0]
    assert result.measures == ()
    assert len(result.table) == 0


def test_an_unknown_day_leaves_the_dose_unknown(tmp_path):
    trial = Trial(
        tmp_path, OUTCOME, conmeds=CONMEDS + "A,azathioprine,immunosuppressant,50,mg,day,oral,2021-01-01,\n",
        vitals=VITALS + "A,BL,2021-03-01,125,28.8\n",
    )  # fmt: skip
    result = trial.subject("A", "IL2", {"BL": "2021-03-01", "M1": "UNK"}).make().results[0]
    assert values(result, "NDRUGS") == {"A BL": 1}
    assert np.isnan(told(result, "NDRUGS", "value", "IL2", "M1")["estimate"])


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [("20", "19", "unchanged"), ("20", "21", "unchanged"), ("100", "95", "unchanged"), ("60", "57", "unchanged"),
     ("1000", "949", "reduced"), ("1000", "1051", "increased")],
)  # fmt: skip
def test_a_difference_of_5_percent_is_none(tmp_path, before, now, word):
    rows = (
        f"A,azathioprine,immunosuppressant,{before},mg,day,oral,2021-01-01,2021-03-01\n"
        f"A,azathioprine,immunosuppressant,{now},mg,day,oral,2021-03-02,\n"
    )
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS + rows, vitals=VITALS + "A,BL,2021-03-01,125,28.8\n")
    result = trial.subject("A", "IL2").make().results[0]
    assert values(result, "AZATPCT", "class")["A M1"] == word
