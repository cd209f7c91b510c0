"""Doses of steroids and other drugs before a visit, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from il2cyto.outcomes import Outcomes

Told = Callable[..., Outcomes]

#: Height and weight whose body surface is exact: √(100·36/3600) = 1, √(144·36/3600) = 1.2, √(144·100/3600) = 2 m².
VITALS = """subject,visit,date,height_cm,weight_kg
A1,BL,2021-03-01,100,36
A1,M1,2021-03-30,144,36
A1,M3,2021-05-30,144,36
A2,BL,2021-03-01,144,100
A2,M1,2021-03-30,144,100
B1,BL,2021-03-01,100,36
B1,M1,2021-03-30,100,36
B1,M3,2021-05-30,100,36
B2,BL,2021-03-01,100,36
B2,M1,2021-03-30,100,36
B2,M3,2021-05-30,,
"""
#: A1: 10 mg until the day before BL; 14 mg for the last 14 of the 28 days before M1; nothing after. A joint injection.
#: A2: prednisone and methylprednisolone at once. B1: a pulse within 28 days of M3, and 20 mg throughout. B2: nothing.
CONMEDS = """subject,drug,group,dose,unit,per,route,start_date,end_date
A1,prednisone,steroid,10,mg,day,oral,2021-01-01,2021-02-28
A1,Prednisone,steroid,14,mg,day,oral,2021-03-16,2021-03-30
A1,triamcinolone,steroid,20,mg,once,intra-articular,2021-03-20,2021-03-20
A2,prednisone,steroid,10,mg,day,oral,2021-01-01,
A2,methylprednisolone,steroid,8,mg,day,oral,2021-01-01,
B1,prednisone,steroid,20,mg,day,oral,2021-01-01,
B1,methylprednisolone,steroid,280,mg,once,intravenous,2021-05-20,2021-05-20
A1,methotrexate,immunosuppressant,14,mg,week,subcutaneous,2021-01-01,2021-03-10
A2,methotrexate,immunosuppressant,14,mg,week,subcutaneous,2021-01-01,2021-03-01
A2,methotrexate,immunosuppressant,7,mg,week,subcutaneous,2021-03-02,
B1,hydroxychloroquine,immunosuppressant,200,mg,day,oral,2021-01-01,
B1,azathioprine,immunosuppressant,50,mg,day,oral,2021-03-02,
B2,azathioprine,immunosuppressant,50,mg,day,oral,2021-01-01,2021-03-01
B2,azathioprine,immunosuppressant,75,mg,day,oral,2021-03-02,
"""
STUDY = """outcomes:
  STEROID: {kind: steroid, role: primary, visit: M1}
  DRUGS: {kind: drugs, visit: M1}
"""


@pytest.fixture
def outcomes(told: Told) -> Outcomes:
    return told(STUDY, vitals=VITALS, conmeds=CONMEDS)


def value(table: pd.DataFrame, parameter: str, subject: str, visit: str) -> float:
    found = table[(table["parameter"] == parameter) & (table["subject"] == subject) & (table["visit"] == visit)]
    return float(found["value"].iloc[0]) if len(found) else float("nan")


EXPECTED = {
    # the day of the visit is not of the window: 28 days of 10 mg, 1 m²
    ("PREDEQM2", "A1", "BL"): 10.0,
    # days -14 to -1 at 14 mg of 28, over 1.2 m²; at the body of baseline over 1 m². The joint is not systemic
    ("PREDEQM2", "A1", "M1"): 7.0 / 1.2,
    ("PREDEQM2B", "A1", "M1"): 7.0,
    # stopped: nothing in the 28 days before
    ("PREDEQM2", "A1", "M3"): 0.0,
    # two at once: 10 + 8 × 1.25 = 20 mg over 2 m²
    ("PREDEQM2", "A2", "BL"): 10.0,
    ("PREDEQM2", "A2", "M1"): 10.0,
    # a missing visit has no dose
    ("PREDEQM2", "A2", "M3"): np.nan,
    # the pulse of 280 mg, 350 mg of prednisone, stands apart: 350 / 28 = 12.5 more with it
    ("PREDEQM2", "B1", "M3"): 20.0,
    ("PREDEQM2P", "B1", "M3"): 32.5,
    # no record of a steroid: 0
    ("PREDEQM2", "B2", "BL"): 0.0,
    # height and weight were not taken: mg a day are known, mg/m² are not
    ("PREDEQM2", "B2", "M3"): np.nan,
    ("PREDEQ", "B2", "M3"): 0.0,
    # since day 1: 14 days of 14 mg before M1 over the mean of 1 and 1.2 m²; then one more day, over 1.2 m²
    ("PREDCUM", "A1", "BL"): 0.0,
    ("PREDCUM", "A1", "M1"): 14 * 14 / 1.1,
    ("PREDCUM", "A1", "M3"): 14 * 14 / 1.1 + 14 / 1.2,
    # 29 days of 20 mg to M1, 61 days to M3 and the pulse
    ("PREDCUM", "B1", "M3"): 29 * 20 + 61 * 20 + 350.0,
}


@pytest.mark.parametrize(("key", "wanted"), EXPECTED.items(), ids=["-".join(key) for key in EXPECTED])
def test_steroid_doses(outcomes: Outcomes, key: tuple[str, str, str], wanted: float) -> None:
    assert value(outcomes.results[0].subjects, *key) == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_classes_of_the_dose(outcomes: Outcomes) -> None:
    table = outcomes.results[0].subjects.query("parameter == 'PREDEQ'").set_index(["subject", "visit"])["class"]
    assert table["A1", "M1"] == "up to 7.5 mg/d"
    assert table["A1", "M3"] == table["B2", "BL"] == "none"
    assert table["B1", "M3"] == "above 7.5 mg/d"


DRUGS = {
    # 14 mg a week are 2 mg a day, over 1 m²
    ("METHM2", "A1", "BL"): 2.0,
    # the last of it nine days into the window of 28: days 2021-03-02 to 03-10, over 1.2 m²
    ("METHM2", "A1", "M1"): 2.0 * 9 / 28 / 1.2,
    ("METHPCT", "A1", "M1"): 100 * 9 / 28,
    ("METHPCT", "A1", "M3"): 0.0,
    ("METHPCT", "A2", "M1"): 50.0,
    ("AZATPCT", "B2", "M1"): 150.0,
    # nothing at baseline: there is no percentage of it
    ("AZATPCT", "B1", "M1"): np.nan,
    ("AZATM2", "B1", "BL"): 0.0,
    ("AZATM2", "B1", "M1"): 50.0,
    # never taken: not among the users
    ("AZATM2", "A1", "M1"): np.nan,
    ("NDRUGS", "B1", "BL"): 1.0,
    ("NDRUGS", "B1", "M1"): 2.0,
    ("NDRUGS", "A1", "M3"): 0.0,
}


@pytest.mark.parametrize(("key", "wanted"), DRUGS.items(), ids=["-".join(key) for key in DRUGS])
def test_doses_of_each_drug(outcomes: Outcomes, key: tuple[str, str, str], wanted: float) -> None:
    assert value(outcomes.results[1].subjects, *key) == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_what_became_of_each_dose(outcomes: Outcomes) -> None:
    rows = outcomes.results[1].table
    shares = rows[(rows["analysis"] == "share") & (rows["n"] > 0)]
    told = {
        (one.parameter, one.category, one.arm, one.visit): (one.n, one.of)
        for one in shares.itertuples()
        if one.parameter in ("METHPCT", "AZATPCT") and one.category != "not taken"
    }
    assert told == {
        ("METHPCT", "reduced", "IL2", "M1"): (2, 2),
        ("METHPCT", "stopped", "IL2", "M3"): (1, 1),
        ("AZATPCT", "started", "STD", "M1"): (1, 2),
        ("AZATPCT", "increased", "STD", "M1"): (1, 2),
        ("AZATPCT", "started", "STD", "M3"): (1, 2),
        ("AZATPCT", "increased", "STD", "M3"): (1, 2),
    }


def test_drugs_are_never_added(outcomes: Outcomes) -> None:
    assert set(outcomes.results[1].subjects["parameter"]) == {
        "METHM2", "METHPCT", "HYDRM2", "HYDRPCT", "AZATM2", "AZATPCT", "NDRUGS"
    }  # fmt: skip


def test_a_control_who_crosses_over_stops_being_one(told: Told) -> None:
    dosing = "subject,date,dose,unit,route,treatment\nB1,2021-04-20,500000,IU,subcutaneous,rhIL-2\n"
    found = told(STUDY, vitals=VITALS, conmeds=CONMEDS, dosing=dosing).results[0].subjects
    assert value(found, "PREDEQM2", "B1", "M1") == 20.0
    assert np.isnan(value(found, "PREDEQM2", "B1", "M3"))


def test_lines_that_overlap_are_told(told: Told) -> None:
    twice = CONMEDS + "A1,prednisone,steroid,5,mg,day,oral,2021-02-01,2021-02-28\n"
    found = told(STUDY, vitals=VITALS, conmeds=twice).results[0]
    assert value(found.subjects, "PREDEQM2", "A1", "BL") == 15.0
    assert any("overlap for A1" in note for note in found.measures[0].notes)


def test_there_is_no_day_0(told: Told) -> None:
    dosing = "subject,date,dose,unit,route,treatment\nA1,2021-03-02,500000,IU,subcutaneous,rhIL-2\n"
    days = told(STUDY, vitals=VITALS, conmeds=CONMEDS, dosing=dosing).results[0].subjects
    of = days[(days["subject"] == "A1") & (days["parameter"] == "PREDEQ")].set_index("visit")["ADY"]
    assert (of["BL"], of["M1"]) == (-1, 29)
