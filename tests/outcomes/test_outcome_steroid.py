"""Doses of steroids, computed by hand from sheets made by hand.

Study day 1 is 2021-03-01 of every subject, month 1 is 2021-03-30 and month 3 is 2021-05-30. The 28 days before month 1
are 2021-03-02 to 2021-03-29. 125 cm and 28.8 kg make 1 m² by Mosteller, 144 cm and 36 kg make 1.2 m².
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from outcome_trial import CONMEDS, DAYS, DOSING, VITALS, Trial, told, values

OUTCOME = "  STEROID: {kind: steroid, role: primary, visit: M1}\n"
ROWS = """\
A,prednisone,steroid,10,mg,day,oral,2021-01-01,2021-03-15
A,prednisone,steroid,5,mg,day,oral,2021-03-16,
B,prednisone,steroid,28,mg,once,oral,2021-03-01,
B,prednisone,steroid,56,mg,once,oral,2021-03-02,
B,prednisone,steroid,28,mg,once,oral,2021-03-30,
C,prednisone,steroid,4,mg,day,oral,2021-01-01,
C,methylprednisolone,steroid,8,mg,day,oral,2021-01-01,2021-03-15
E,prednisone,steroid,10,mg,day,oral,2021-01-01,
E,methylprednisolone,steroid,500,mg,once,intravenous,2021-03-10,
F,triamcinolone,steroid,40,mg,once,intra-articular,2021-03-10,
F,budesonide,steroid,200,ug,day,inhaled,2021-01-01,
G,prednisone,steroid,6,mg,day,oral,2021-01-01,
H,prednisone,steroid,7.5,mg,day,oral,2021-02-28,
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    trial = Trial(tmp_path_factory.mktemp("steroid"), OUTCOME, conmeds=CONMEDS + ROWS)
    before = {"BL": "2021-02-28", "M1": "2021-03-30", "M3": "2021-05-30"}
    seen = {"A": DAYS, "B": DAYS, "C": {name: DAYS[name] for name in ("BL", "M1")}, "D": DAYS, "E": DAYS, "F": DAYS,
            "G": DAYS, "H": before}  # fmt: skip
    for name, days in seen.items():
        arm = "IL2" if name in "ABEH" else "STD"
        trial.subject(name, arm, days, reference="2021-03-01" if arm == "STD" else "")
    doses = [f"{name},2021-03-01,1,MIU,subcutaneous,rhIL-2" for name in "ABEH"]
    # G is a control who changes to the study treatment on study day 62
    doses.append("G,2021-05-01,1,MIU,subcutaneous,rhIL-2")
    trial.sheets["dosing"] = DOSING + "\n".join(doses) + "\n"
    grown = {"BL": "125,28.8", "M1": "125,28.8", "M3": "144,36"}
    rows = [f"{name},{visit},{day},{grown[visit]}" for name, days in seen.items() for visit, day in days.items()]
    trial.sheets["vitals"] = VITALS + "\n".join(rows) + "\n"
    return trial.make().results[0]


def test_the_mean_of_the_days_before_each_visit_per_m2(result):
    assert values(result, "PREDEQM2") == pytest.approx(
        {
            # 14 days of 10 mg and 14 of 5 mg; 5 mg over the 1.2 m² of month 3
            "A BL": 10, "A M1": (14 * 10 + 14 * 5) / 28, "A M3": 5 / 1.2,
            # 56 mg on the first day of the window count; 28 mg on the day before it and on the visit do not
            "B BL": 0, "B M1": 56 / 28, "B M3": 0,
            # 4 mg and 8 mg of methylprednisolone, which is 10 mg of prednisone and stops within the window
            "C BL": 14, "C M1": 4 + 10 * 14 / 28,
            "D BL": 0, "D M1": 0, "D M3": 0,
            # the pulse stands apart
            "E BL": 10, "E M1": 10, "E M3": 10 / 1.2,
            # injected into a joint, inhaled
            "F BL": 0, "F M1": 0, "F M3": 0,
            # month 3 of G comes after the change to the study treatment
            "G BL": 6, "G M1": 6,
            # begins on the day of the visit at baseline
            "H BL": 0, "H M1": 7.5, "H M3": 7.5 / 1.2,
        }
    )  # fmt: skip


def test_pulses_apart_and_with(result):
    apart, whole = values(result, "PREDEQM2"), values(result, "PREDEQM2P")
    assert whole["E M1"] == pytest.approx(10 + 500 * 1.25 / 28)
    assert {name: value for name, value in whole.items() if name != "E M1"} == {
        name: value for name, value in apart.items() if name != "E M1"
    }


def test_growth_alone_lowers_a_dose_per_m2_but_not_that_per_m2_at_baseline(result):
    at_first = values(result, "PREDEQM2B")
    assert (at_first["A M3"], at_first["E M3"]) == (5, 10)
    assert values(result, "PREDEQ")["A M3"] == 5


def test_a_missing_visit_has_no_row(result):
    assert "C M3" not in values(result, "PREDEQM2")
    row = told(result, "PREDEQM2", "value", "STD", "M3")
    # C has no visit and G changed: D and F remain, both without steroids
    assert (row["n"], row["of"], row["estimate"]) == (2, 4, 0)


def test_means_by_arm_and_visit(result):
    row = told(result, "PREDEQM2", "value", "IL2", "M1")
    doses = [7.5, 2, 10, 7.5]
    assert (row["n"], row["of"], row["estimate"]) == (4, 4, pytest.approx(6.75))
    assert row["sd"] == pytest.approx(math.sqrt(sum((one - 6.75) ** 2 for one in doses) / 3))
    change = told(result, "PREDEQM2", "change", "IL2", "M1")
    # -2.5, 2, 0, 7.5
    assert (change["estimate"], change["median"]) == pytest.approx((1.75, 1.0))


def test_cumulative_dose(result):
    found = values(result, "PREDCUM")
    # 2021-03-01 to 03-15 are 15 days of 10 mg, to 03-29 14 of 5 mg; to 05-29 61 days of 5 mg over 1.1 m²
    assert [found[f"A {visit}"] for visit in DAYS] == pytest.approx([0, 220, 220 + 61 * 5 / 1.1])
    # the dose on the day of month 1 counts after it
    assert [found[f"B {visit}"] for visit in DAYS] == pytest.approx([0, 84, 84 + 28 / 1.1])
    # pulses included
    assert found["E M1"] == pytest.approx(29 * 10 + 625)
    assert "C M3" not in found
    assert "G M3" not in found


def test_there_is_no_study_day_0(result):
    days = values(result, "PREDEQM2", "ADY")
    assert (days["H BL"], days["A BL"], days["A M1"], days["A M3"]) == (-1, 1, 30, 91)


def test_classes_of_low_doses(result):
    classes = values(result, "PREDEQ", "class")
    low, high = "up to 7.5 mg/d", "above 7.5 mg/d"
    wanted = {"A BL": high, "A M1": low, "A M3": low, "B BL": "none", "B M1": low, "C M1": high, "D M1": "none",
              "H BL": "none", "H M1": low}  # fmt: skip
    assert {name: classes[name] for name in wanted} == wanted
    row = told(result, "PREDEQ", "share", "IL2", "M1", low)
    assert (row["n"], row["of"], row["estimate"]) == (3, 4, 75)
    assert told(result, "PREDEQ", "shift", "IL2", "M1", f"none > {low}")["n"] == 2


@pytest.mark.parametrize(
    ("drug", "mg"),
    [("dexamethasone", "1.125"), ("deflazacort", "9"), ("hydrocortisone", "30"), ("betamethasone", "0.9"),
     ("cortisone", "37.5"), ("methylprednisolone", "6")],
)  # fmt: skip
def test_exactly_the_limit_is_low_whatever_the_steroid(tmp_path, drug, mg):
    trial = Trial(
        tmp_path, OUTCOME, conmeds=CONMEDS + f"A,{drug},steroid,{mg},mg,day,oral,2021-01-01,\n",
        vitals=VITALS + "A,M1,2021-03-30,125,28.8\n",
    ).subject("A", "IL2")  # fmt: skip
    result = trial.make().results[0]
    assert values(result, "PREDEQ")["A M1"] == pytest.approx(7.5)
    assert values(result, "PREDEQ", "class")["A M1"] == "up to 7.5 mg/d"


def test_a_dose_without_a_body_is_known_in_mg_alone(tmp_path):
    trial = Trial(
        tmp_path, OUTCOME, conmeds=CONMEDS + "A,prednisone,steroid,10,mg,day,oral,2021-01-01,\n",
        vitals=VITALS + "A,M1,2021-03-30,125,28.8\n",
    ).subject("A", "IL2")  # fmt: skip
    result = trial.make().results[0]
    assert values(result, "PREDEQM2") == pytest.approx({"A M1": 10})
    assert set(values(result, "PREDEQ")) == {"A BL", "A M1", "A M3"}
    # without a body at baseline nothing is summed
    assert values(result, "PREDCUM") == {}


def test_a_visit_without_a_body_leaves_a_gap_in_the_sum_and_its_mg_count_later(tmp_path):
    trial = Trial(
        tmp_path, OUTCOME, conmeds=CONMEDS + "A,prednisone,steroid,10,mg,day,oral,2021-01-01,\n",
        vitals=VITALS + "A,BL,2021-03-01,125,28.8\nA,M3,2021-05-30,144,36\n",
    ).subject("A", "IL2")  # fmt: skip
    assert values(trial.make().results[0], "PREDCUM") == pytest.approx({"A BL": 0, "A M3": 90 * 10 / 1.1})


def test_a_pulse_by_weight(tmp_path):
    # 10 mg/kg of 20 kg are 200 mg: 200 mg is a pulse, 199 mg is none
    rows = [
        f"{name},methylprednisolone,steroid,{mg},mg,once,intravenous,2021-03-10,"
        for name, mg in (("A", 200), ("B", 199))
    ]
    bodies = [f"{name},{visit},{day},125,20" for name in "AB" for visit, day in DAYS.items()]
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS + "\n".join(rows), vitals=VITALS + "\n".join(bodies))
    result = trial.subject("A", "IL2").subject("B", "IL2").make().results[0]
    daily, area = values(result, "PREDEQ"), math.sqrt(125 * 20 / 3600)
    assert (daily["A M1"], daily["B M1"]) == (0, pytest.approx(199 * 1.25 / 28))
    assert values(result, "PREDEQM2P")["A M1"] == pytest.approx(250 / 28 / area)


def test_overlapping_lines_both_count_and_are_said(tmp_path):
    rows = "A,prednisone,steroid,10,mg,day,oral,2021-01-01,\nA,prednisone,steroid,5,mg,day,oral,2021-03-02,\n"
    bodies = [f"A,{visit},{day},125,28.8" for visit, day in DAYS.items()]
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS + rows, vitals=VITALS + "\n".join(bodies))
    result = trial.subject("A", "IL2").make().results[0]
    assert values(result, "PREDEQM2") == pytest.approx({"A BL": 10, "A M1": 15, "A M3": 15})
    assert any("overlap for A" in note for note in result.measures[0].notes)


def test_equivalents_that_the_study_states(tmp_path):
    outcome = "  STEROID: {kind: steroid, visit: M1, days: 7, prednisone_5_mg: {Vamorolone: 10}}\n"
    rows = "A,vamorolone,steroid,20,mg,day,oral,2021-03-27,\n"
    trial = Trial(tmp_path, outcome, conmeds=CONMEDS + rows, vitals=VITALS + "A,M1,2021-03-30,125,28.8\n")
    # 3 of the 7 days before month 1
    assert values(trial.subject("A", "IL2").make().results[0], "PREDEQ")["A M1"] == pytest.approx(10 * 3 / 7)


def test_a_comparison_needs_three_subjects(tmp_path):
    bodies = [f"{name},{visit},{day},125,28.8" for name in "AB" for visit, day in DAYS.items()]
    trial = Trial(tmp_path, OUTCOME, conmeds=CONMEDS, vitals=VITALS + "\n".join(bodies))
    row = told(trial.subject("A", "IL2").subject("B", "STD").make().results[0], "PREDEQM2", "ancova_difference",
               "IL2 / STD", "M1")  # fmt: skip
    assert (row["status"], row["family"]) == ("not_estimable", "registered")
    assert "IL2: 1 subjects with a change, 3 are needed" in row["reason"]
    assert np.isnan(row["p_adjusted"])
