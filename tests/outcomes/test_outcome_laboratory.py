"""Laboratory values by visit, their classes and limits, by hand; day 1 is 2021-03-01."""

from __future__ import annotations

import math

import numpy as np
import pytest
from outcome_trial import LABS, VITALS, Trial, told, values


def trial(path, rows, outcome="tests: [C3]", subjects=("A",), **sheets):
    text = f"  LAB: {{kind: laboratory, visit: M1, {outcome}}}\n"
    made = Trial(path, text, labs=LABS + "\n".join(rows) + "\n", **sheets)
    for name in subjects:
        made.subject(name, "IL2")
    return made


def test_by_windows_the_closest_day_stands_and_of_two_the_later(tmp_path):
    # study days: -3, 1 (baseline, both before a dose); 28 and 32 around the target 30; 31 is closer but of another test
    days = {"2021-02-26": 1.1, "2021-03-01": 1.2, "2021-03-28": 1.3, "2021-04-01": 1.4, "2021-05-15": 1.6,
            "2021-05-30": 1.7}  # fmt: skip
    made = trial(tmp_path, [f"A,,{day},C3,{value},g/L,," for day, value in days.items()])
    made.sheets["labs"] += "A,,2021-03-31,C4,0.3,g/L,,\n"
    made.extra = "visit_assignment: windows\n"
    assert values(made.make().results[0], "C3") == {"A BL": 1.2, "A M1": 1.4, "A M3": 1.7}


def test_the_baseline_lies_before_the_first_dose(tmp_path):
    made = trial(tmp_path, ["A,,2021-02-20,C3,1,g/L,,", "A,,2021-03-03,C3,2,g/L,,"])
    made.extra = "visit_assignment: windows\n"
    made.sheets["dosing"] = "subject,date,dose,unit,route,treatment\nA,2021-03-01,1,MIU,subcutaneous,rhIL-2\n"
    # study day 3 lies in the window of month 1
    assert values(made.make().results[0], "C3") == {"A BL": 1, "A M1": 2}


def test_by_name_the_row_closest_to_the_target_stands(tmp_path):
    rows = ["A,M1,2021-03-20,C3,1,g/L,,", "A,M1,2021-03-28,C3,2,g/L,,", "A,M1,2021-04-01,C3,3,g/L,,",
            "A,M1,,C3,4,g/L,,", "A,unscheduled,2021-03-30,C3,5,g/L,,", "A,M3,,C3,6,g/L,,"]  # fmt: skip
    assert values(trial(tmp_path, rows).make().results[0], "C3") == {"A M1": 3, "A M3": 6}


def test_the_day_before_day_1_is_one_day_away(tmp_path):
    # study days -1 and 3: 1 and 2 days from day 1
    rows = ["A,BL,2021-02-28,C3,1,g/L,,", "A,BL,2021-03-03,C3,2,g/L,,"]
    assert values(trial(tmp_path, rows).make().results[0], "C3") == {"A BL": 1}


SHIFTS = {"A": (0.7, 1.0), "B": (0.7, 0.75), "C": (1.0, 1.7), "D": (1.7, 1.6), "E": (0.8, 0.79), "F": (0.5, 0.9),
          "G": (0.6, 0.8), "H": (1.1, None)}  # fmt: skip


def test_shifts_and_mcnemar(tmp_path):
    rows = [
        f"{name},{visit},,C3,{value},g/L,0.8,1.6"
        for name, pair in SHIFTS.items()
        for visit, value in zip(("BL", "M1"), pair, strict=True)
        if value is not None
    ]
    result = trial(tmp_path, rows, subjects=tuple(SHIFTS)).make().results[0]
    shifts = result.table[(result.table["analysis"] == "shift") & (result.table["visit"] == "M1")]
    found = {row["category"]: row["n"] for row in shifts.to_dict("records") if row["n"]}
    # limits of the range are inside it
    assert found == {"low > normal": 3, "low > low": 1, "normal > high": 1, "high > normal": 1, "normal > low": 1}
    assert set(shifts["of"]) == {7}
    low = told(result, "C3", "share", "IL2", "BL", "low")
    assert (low["n"], low["of"], low["estimate"]) == (4, 8, 50)
    row = told(result, "C3", "mcnemar", "IL2", "M1", "to normal 4, from it 2")
    # 2 × P(X ≤ 2 of 6) = 2 × (1 + 6 + 15) / 64
    assert (row["n"], row["of"], row["p_value"]) == (6, 7, pytest.approx(44 / 64))


def test_limits_stand_as_limits_and_give_no_mean(tmp_path):
    pairs = {"A": ("20", "<10"), "B": ("<10", "<10"), "C": ("40", "30"), "D": (">800", "400")}
    rows = [
        f"{name},{visit},,ADSDNA,{value},IU/mL,,30"
        for name, pair in pairs.items()
        for visit, value in zip(("BL", "M1"), pair, strict=True)
    ]
    result = trial(tmp_path, rows, "tests: [ADSDNA], log: [ADSDNA]", tuple(pairs)).make().results[0]
    assert values(result, "ADSDNA") == {"A BL": 20, "A M1": 10, "B BL": 10, "B M1": 10, "C BL": 40, "C M1": 30,
                                       "D BL": 800, "D M1": 400}  # fmt: skip
    assert values(result, "ADSDNA", "censor") == {"A BL": 0, "A M1": -1, "B BL": -1, "B M1": -1, "C BL": 0, "C M1": 0,
                                                 "D BL": 1, "D M1": 0}  # fmt: skip
    row = told(result, "ADSDNA", "value", "IL2", "M1")
    assert np.isnan([row["estimate"], row["sd"], row["se"]]).all()
    assert (row["median"], row["n"]) == (20, 4)
    assert row["reason"].startswith("2 known as limits only")
    assert told(result, "ADSDNA", "change", "IL2", "M1")["reason"].startswith("3 known as limits only")
    # one pair has two numbers
    ratio = told(result, "ADSDNA", "ratio_to_baseline", "IL2", "M1")
    assert (ratio["n"], ratio["estimate"]) == (1, pytest.approx(0.75))
    adjusted = told(result, "ADSDNA", "adjusted_change", "IL2", "M1")
    assert "3 changes left out (known as limits only)" in adjusted["reason"]
    # below 10 is inside a range up to 30, above 800 outside
    assert values(result, "ADSDNA", "class") == {
        "A BL": "normal", "A M1": "normal", "B BL": "normal", "B M1": "normal", "C BL": "high", "C M1": "normal",
        "D BL": "high", "D M1": "high",
    }  # fmt: skip


def test_ratios_are_geometric_means_with_t_limits(tmp_path):
    pairs = {"A": (10, 20), "B": (100, 400), "C": (30, 240)}
    rows = [
        f"{name},{visit},,ALT,{value},U/L,,"
        for name, pair in pairs.items()
        for visit, value in zip(("BL", "M1"), pair, strict=True)
    ]
    result = trial(tmp_path, rows, "tests: [ALT], log: [ALT]", tuple(pairs)).make().results[0]
    row = told(result, "ALT", "ratio_to_baseline", "IL2", "M1")
    # ratios 2, 4 and 8: ln 2 apart; t with 2 degrees of freedom is 4.302652730
    half = 4.302652730 * math.log(2) / math.sqrt(3)
    assert row["estimate"] == pytest.approx(4)
    assert (row["lower"], row["upper"], row["df"]) == pytest.approx((4 * math.exp(-half), 4 * math.exp(half), 2))
    assert not (result.table["analysis"] == "shift").any()


def test_filtration_by_schwartz(tmp_path):
    rows = ["A,BL,2021-03-01,CREAT,44.21,umol/L,,", "A,M1,2021-03-30,CREAT,88.42,umol/L,,",
            "A,M3,2021-05-30,CREAT,<20,umol/L,,"]  # fmt: skip
    bodies = VITALS + "A,BL,2021-03-01,140,32\nA,M1,2021-03-30,141,32\nA,M3,2021-05-30,142,33\n"
    result = trial(tmp_path, rows, "tests: [EGFR]", vitals=bodies).make().results[0]
    # 44.21 µmol/L are 0.5 mg/dL; of a limit nothing is computed
    assert values(result, "EGFR") == pytest.approx({"A BL": 0.413 * 140 / 0.5, "A M1": 0.413 * 141})


def test_filtration_of_the_sheet_comes_first_and_units_are_not_guessed(tmp_path):
    bodies = VITALS + "A,BL,2021-03-01,140,32\n"
    rows = ["A,BL,,CREAT,50,umol/L,,", "A,BL,,EGFR,99,mL/min,,"]
    assert values(trial(tmp_path, rows, "tests: [EGFR]", vitals=bodies).make().results[0], "EGFR") == {"A BL": 99}
    other = trial(tmp_path, ["A,BL,,CREAT,5,mg/L,,"], "tests: [EGFR]", vitals=bodies).make().results[0]
    assert values(other, "EGFR") == {}
    assert "creatinine in a unit that is not known" in other.measures[0].notes


def test_a_test_that_nobody_has_is_not_estimable(tmp_path):
    result = trial(tmp_path, ["A,BL,,C3,1,g/L,,"], "tests: [C5]").make().results[0]
    row = told(result, "C5", "value", "IL2", "BL")
    assert (row["status"], row["n"], row["of"]) == ("not_estimable", 0, 1)
