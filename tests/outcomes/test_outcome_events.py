"""Adverse events, by hand: numbers of subjects, events and rates. Day 1 is 2021-03-01 of everybody."""

from __future__ import annotations

import math

import pytest
from outcome_trial import AE, DOSING, Trial, told

OUTCOME = "  SAFETY: {kind: events, classes: [fever, infection], visit: M3}\n"
ROWS = """\
A,fever,,2021-03-02,2021-03-03,1,N,Y
A,fever,,2021-03-10,2021-03-10,2,N,Y
A,infection,,2021-05-01,2021-05-10,3,Y,N
B,fever,,2021-02-20,2021-02-21,1,N,N
B,rash,,2021-03-05,,1,N,Y
C,infection,,2021-03-01,,2,N,
"""
#: Days from 2021-03-01 to 2021-05-30, both included, and to the last dose on 2021-03-10.
WHOLE, TREATED = 91, 10
YEAR = 365.25


def make(path, rows=ROWS, doses=(), reference=""):
    trial = Trial(path, OUTCOME, ae=AE + rows)
    for name in "AB":
        trial.subject(name, "IL2")
    for name in "CD":
        trial.subject(name, "STD", reference=reference)
    given = [(name, day) for name in "AB" for day in ("2021-03-01", "2021-03-10")]
    lines = [f"{name},{day},1,MIU,subcutaneous,rhIL-2" for name, day in (*given, *doses)]
    trial.sheets["dosing"] = DOSING + "\n".join(lines) + "\n"
    return trial.make().results[0]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return make(tmp_path_factory.mktemp("events"))


@pytest.mark.parametrize(
    ("name", "arm", "subjects", "events"),
    [
        ("any event", "IL2", 2, 4), ("any event", "STD", 1, 1), ("serious events", "IL2", 1, 1),
        ("serious events", "STD", 0, 0), ("fever", "IL2", 1, 2), ("fever", "STD", 0, 0), ("infection", "IL2", 1, 1),
        ("infection", "STD", 1, 1),
    ],
)  # fmt: skip
def test_subjects_with_one_and_events(result, name, arm, subjects, events):
    row = told(result, name, "share", arm, category="whole")
    assert (row["n"], row["of"], row["estimate"]) == (subjects, 2, 50 * subjects)
    assert told(result, name, "events", arm, category="whole")["estimate"] == events


def test_rates_with_exact_limits(result):
    years = 2 * WHOLE / YEAR
    # exact Poisson limits of 4, 1 and 0 events: 1.089865 and 10.241589; 0.025318 and 5.571643; 0 and 3.688879
    for name, arm, k, low, high in (
        ("any event", "IL2", 4, 1.0898650, 10.2415887),
        ("any event", "STD", 1, 0.0253178, 5.5716434),
        ("fever", "STD", 0, 0.0, -math.log(0.025)),
    ):
        row = told(result, name, "rate_per_year", arm, category="whole")
        assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx(
            (k / years, low / years, high / years), rel=1e-6
        )


def test_on_treatment_and_after_the_last_dose(result):
    # of A two fevers, of B a rash; then an infection
    for period, name, k, days in (
        ("first to last dose", "any event", 3, 2 * TREATED),
        ("after the last dose", "any event", 1, 2 * (WHOLE - TREATED)),
        ("first to last dose", "fever", 2, 2 * TREATED),
        ("after the last dose", "fever", 0, 2 * (WHOLE - TREATED)),
    ):
        assert told(result, name, "events", "IL2", category=period)["estimate"] == k
        rate = told(result, name, "rate_per_year", "IL2", category=period)
        assert rate["estimate"] == pytest.approx(k / (days / YEAR))
        assert (rate["n"], rate["of"]) == (2, 2)
    # controls have no doses
    table = result.table
    assert set(table.loc[(table["arm"] == "STD"), "category"]) == {"whole"}


def test_events_before_day_1_are_said(result):
    for name in ("any event", "fever"):
        reason = told(result, name, "share", "IL2", category="whole")["reason"]
        assert "1 events before study day 1, or of a subject without one, are not counted" in reason
    assert "not counted" not in told(result, "infection", "share", "IL2", category="whole")["reason"]
    assert "highest grade 3" in told(result, "any event", "share", "IL2", category="whole")["reason"]
    # the event is listed all the same
    assert len(result.subjects) == 6


def test_rate_ratio(result):
    row = told(result, "any event", "rate_ratio", "IL2 / STD", category="whole")
    # 4 to 1 in the same time: two-sided binomial of 5 with one half is 2 × 6 / 32
    assert (row["estimate"], row["p_value"]) == pytest.approx((4, 12 / 32))
    # the conditional share lies between the exact limits of 4 of 5: 0.2835821 and 0.9949492
    assert (row["lower"], row["upper"]) == pytest.approx((0.2835821 / 0.7164179, 0.9949492 / 0.0050508), rel=1e-4)
    one_sided = told(result, "fever", "rate_ratio", "IL2 / STD", category="whole")
    assert math.isnan(one_sided["estimate"])
    assert math.isnan(one_sided["upper"])
    # 0.025 ** (1 / 2) of both events
    assert one_sided["lower"] == pytest.approx(math.sqrt(0.025) / (1 - math.sqrt(0.025)))
    assert "no upper limit" in one_sided["reason"]


def test_share_differences(result):
    row = told(result, "any event", "share_difference", "IL2 / STD", category="whole")
    assert (row["estimate"], row["n"], row["of"], row["p_value"]) == (50, 3, 4, pytest.approx(1.0))


def test_a_control_is_observed_up_to_its_change_to_the_treatment(tmp_path):
    # C changes on 2021-04-01: 31 days as a control; its fever of April is one of the study treatment
    rows = ROWS + "C,fever,,2021-04-02,,1,N,Y\n"
    result = make(tmp_path, rows, [("C", "2021-04-01"), ("C", "2021-04-05")], "2021-03-01")
    assert told(result, "fever", "share", "STD", category="whole")["n"] == 0
    assert told(result, "fever", "events", "STD", category="whole")["estimate"] == 0
    rate = told(result, "any event", "rate_per_year", "STD", category="whole")
    assert rate["estimate"] == pytest.approx(1 / ((31 + WHOLE) / YEAR))
    assert (
        "1 events after a change to the study treatment"
        in told(result, "fever", "share", "STD", category="whole")["reason"]
    )
    assert set(result.table.loc[result.table["arm"] == "STD", "category"]) == {"whole"}
