"""Study days, ages and days since a dose, against tables written by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.derive import ady, age_at, cycle_day, days_since_last_dose, reference_dates
from il2cyto.errors import TableError

# two courses of five days, the second with a day left out, and a single dose much later; IL-2 for A, one dose for C
DOSING = pd.DataFrame(
    [
        *[("A", date(2021, 3, day)) for day in (1, 2, 3, 4, 5)],
        *[("A", date(2021, 3, day)) for day in (15, 16, 18, 19)],
        ("C", date(2021, 5, 1)),
        ("A", date(2021, 6, 1)),
    ],
    columns=["subject", "date"],
)
DAYS = st.dates(date(2015, 1, 1), date(2030, 1, 1))


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2021-02-01", -28), ("2021-02-28", -1), ("2021-03-01", 1), ("2021-03-30", 30), ("2022-03-01", 366)],
)  # fmt: skip
def test_study_day(day, expected):
    assert ady(date.fromisoformat(day), date(2021, 3, 1)) == expected


@given(day=DAYS, reference=DAYS)
def test_there_is_no_day_0_and_days_are_counted_once(day, reference):
    today, tomorrow = ady(day, reference), ady(day + timedelta(days=1), reference)
    assert 0 not in (today, tomorrow)
    assert tomorrow - today == (2 if today == -1 else 1)


def test_an_unknown_date_gives_no_day():
    assert ady(None, date(2021, 3, 1)) is None
    assert ady(date(2021, 3, 1), None) is None
    assert ady(pd.NaT, date(2021, 3, 1)) is None
    assert age_at(None, date(2021, 3, 1)) is None


def test_a_time_of_day_does_not_count():
    assert ady(datetime(2021, 3, 2, 0, 5), datetime(2021, 3, 1, 23, 55)) == 2
    assert ady(pd.Timestamp("2021-03-02"), date(2021, 3, 1)) == 2


@pytest.mark.parametrize(
    ("birth_date", "age"), [("2009-03-01", 4383 / 365.25), ("2021-03-01", 0.0), ("2020-03-01", 365 / 365.25)]
)
def test_age(birth_date, age):
    assert age_at(date.fromisoformat(birth_date), date(2021, 3, 1)) == age


# day, days since the last dose, cycle day
TIMES = [
    ("2021-02-28", None, None),  # before the first dose
    ("2021-03-01", None, 1),  # on the day of the first dose, drawn before it
    ("2021-03-02", 1, 2),
    ("2021-03-05", 1, 5),  # a dose on the sampling day does not count
    ("2021-03-06", 1, 6),
    ("2021-03-14", 9, 14),
    ("2021-03-15", 10, 1),  # first day of the second course
    ("2021-03-17", 1, 3),  # the day that was left out
    ("2021-03-18", 2, 4),  # the course goes on: the gap is 2 days
    ("2021-05-31", 73, 78),
    ("2021-06-01", 74, 1),
    ("2021-12-24", 206, 207),
]


@pytest.mark.parametrize(("day", "since", "cycle"), TIMES)
def test_time_since_doses(day, since, cycle):
    assert days_since_last_dose(DOSING, "A", date.fromisoformat(day)) == since
    assert cycle_day(DOSING, "A", date.fromisoformat(day)) == cycle


def test_a_control_has_no_time_since_a_dose():
    assert days_since_last_dose(DOSING, "B", date(2021, 4, 1)) is None
    assert cycle_day(DOSING, "B", date(2021, 4, 1)) is None


@pytest.mark.parametrize(("gap", "expected"), [(3, 1), (4, 5)])
def test_a_course_ends_after_a_gap_of_more_than_three_days(gap, expected):
    # doses on days 1 and 5: four days apart
    dosing = pd.DataFrame({"subject": ["A", "A"], "date": [date(2021, 3, 1), date(2021, 3, 5)]})
    assert cycle_day(dosing, "A", date(2021, 3, 5), max_gap=gap) == expected


def test_doses_three_days_apart_are_one_course():
    dosing = pd.DataFrame({"subject": ["A"] * 3, "date": [date(2021, 3, day) for day in (1, 4, 7)]})
    assert cycle_day(dosing, "A", date(2021, 3, 8)) == 8


def test_the_order_of_doses_and_two_doses_on_a_day_change_nothing():
    shuffled = pd.concat([DOSING, DOSING]).sample(frac=1, random_state=3)
    for day, since, cycle in TIMES:
        assert days_since_last_dose(shuffled, "A", date.fromisoformat(day)) == since
        assert cycle_day(shuffled, "A", date.fromisoformat(day)) == cycle


@given(doses=st.lists(DAYS, min_size=1, max_size=30), day=DAYS)
def test_time_since_doses_agrees_with_its_definition(doses, day):
    dosing = pd.DataFrame({"subject": "A", "date": doses})
    before = [dose for dose in doses if dose < day]
    assert days_since_last_dose(dosing, "A", day) == (min((day - dose).days for dose in before) if before else None)
    begins = [d for d in set(doses) if d <= day and not any(1 <= (d - other).days <= 3 for other in doses)]
    assert cycle_day(dosing, "A", day) == ((day - max(begins)).days + 1 if begins else None)


SAMPLES = pd.DataFrame(
    [
        ("C", "M1", date(2021, 4, 1)),
        ("B", "BL", date(2021, 4, 13)),
        ("B", "BL", date(2021, 4, 12)),
        ("B", "M1", date(2021, 4, 2)),
        ("A", "BL", date(2021, 2, 20)),
        ("D", "M1", date(2021, 4, 1)),
    ],
    columns=["subject", "visit", "collection_date"],
)


def test_reference_dates():
    # A and C: first dose; B, a control: first baseline collection; D, a control without baseline: none
    expected = pd.Series(
        [date(2021, 3, 1), date(2021, 4, 12), date(2021, 5, 1), None],
        index=pd.Index(["A", "B", "C", "D"], name="subject", dtype=object),
        name="reference_date",
        dtype=object,
    )
    pd.testing.assert_series_equal(reference_dates(SAMPLES, DOSING, "BL"), expected)
    pd.testing.assert_series_equal(reference_dates(SAMPLES[::-1], DOSING[::-1], "BL"), expected)


def test_without_a_baseline_visit_only_doses_give_reference_dates():
    assert reference_dates(SAMPLES, DOSING, None).tolist() == [date(2021, 3, 1), None, date(2021, 5, 1), None]


@pytest.mark.parametrize("column", ["subject", "date"])
def test_a_table_without_its_columns_is_refused(column):
    with pytest.raises(TableError, match=f"the dosing table lacks the column {column}"):
        days_since_last_dose(DOSING.drop(columns=column), "A", date(2021, 4, 1))
    with pytest.raises(TableError, match="the samples table lacks the column visit; it has subject, collection_date"):
        reference_dates(SAMPLES.drop(columns="visit"), DOSING, "BL")
