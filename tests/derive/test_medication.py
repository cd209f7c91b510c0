"""Doses of steroids and other drugs over a window, by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.derive import Prescription, drug_doses, overlaps, prescription, steroid_dose
from il2cyto.derive.medication import PREDNISONE_5_MG
from il2cyto.errors import TableError

ROW = {"drug": "Prednisone ", "dose": "15", "unit": "mg", "per": "day", "route": "oral", "start_date": "2021-03-01",
       "end_date": "2021-03-10"}  # fmt: skip
FIRST, LAST = date(2021, 3, 1), date(2021, 3, 28)


def course(drug: str, mg: float, start: int, end: int | None, per: str = "day", route: str = "oral") -> Prescription:
    """From day `start` to day `end` of March 2021."""
    return Prescription(drug, mg, per, route, date(2021, 3, start), None if end is None else date(2021, 3, end))


def test_a_row_is_read() -> None:
    assert prescription(ROW, "line 2") == course("prednisone", 15.0, 1, 10)
    weekly = prescription(ROW | {"dose": "0.015", "unit": "g", "per": "week", "end_date": ""}, "line 2")
    assert (weekly.mg, weekly.per, weekly.end) == (15.0, "week", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose": "a little"}, "line 7: dose 'a little' is no amount"),
        ({"dose": "-5"}, "dose '-5' is no amount"),
        ({"dose": "nan"}, "dose 'nan' is no amount"),
        ({"unit": "mgs"}, r"unit 'mgs' \(did you mean 'mg'\?\)"),
        ({"per": "fortnight"}, "use day, week, month, once"),
        ({"start_date": ""}, "start_date is empty"),
        ({"start_date": "1.3.2021"}, "write yyyy-mm-dd"),
        ({"end_date": "2021-02-28"}, "end_date 2021-02-28 lies before start_date 2021-03-01"),
    ],
)
def test_what_cannot_be_read(change: dict[str, str], message: str) -> None:
    with pytest.raises(TableError, match=message):
        prescription(ROW | change, "line 7")


def test_a_dose_that_is_lowered_and_stopped() -> None:
    # 10 days of 20, 10 days of 10, 8 days of nothing
    found = steroid_dose([course("prednisone", 20, 1, 10), course("prednisone", 10, 11, 20)], FIRST, LAST)
    assert (found.n_days, found.mg_per_day, found.pulse_mg, found.n_pulse_days) == (28, 300 / 28, 0, 0)
    assert found.with_pulses_mg_per_day == found.mg_per_day


def test_two_steroids_at_once_in_equivalents() -> None:
    # 8 mg of methylprednisolone are 10 of prednisone; 0.75 of dexamethasone are 5
    found = steroid_dose([course("methylprednisolone", 8, 1, None), course("dexamethasone", 0.75, 15, 28)], FIRST, LAST)
    assert found.mg_per_day == pytest.approx((28 * 10 + 14 * 5) / 28)
    assert steroid_dose([course("hydrocortisone", 20, 1, None)], FIRST, LAST).mg_per_day == 5.0
    # a study may state others
    assert (
        steroid_dose([course("budesonide", 3, 1, 28)], FIRST, LAST, prednisone_5_mg={"budesonide": 3}).mg_per_day == 5
    )


def test_pulses_stand_apart() -> None:
    pulses = course("methylprednisolone", 500, 5, 7, route="intravenous")
    found = steroid_dose([course("prednisone", 14, 1, None), pulses], FIRST, LAST)
    assert found.mg_per_day == 14.0
    assert (found.pulse_mg, found.n_pulse_days) == (3 * 625.0, 3)
    assert found.with_pulses_mg_per_day == pytest.approx(14 + 1875 / 28)
    # 200 mg are below 250, and above 10 mg/kg of a child of 18 kg
    small = course("methylprednisolone", 200, 5, 5, route="intravenous")
    assert steroid_dose([small], FIRST, LAST).n_pulse_days == 0
    assert steroid_dose([small], FIRST, LAST).mg_per_day == pytest.approx(250 / 28)
    assert steroid_dose([small], FIRST, LAST, weight_kg=18.0).n_pulse_days == 1
    # by mouth nothing is a pulse
    assert steroid_dose([course("methylprednisolone", 500, 5, 5)], FIRST, LAST).n_pulse_days == 0


def test_a_single_dose_counts_on_its_day() -> None:
    one = course("methylprednisolone", 40, 28, None, per="once", route="intravenous")
    assert steroid_dose([one], FIRST, LAST).mg_per_day == pytest.approx(50 / 28)
    assert steroid_dose([one], FIRST, date(2021, 3, 27)).mg_per_day == 0


def test_what_is_inhaled_is_no_systemic_dose_and_the_unknown_is_named() -> None:
    inhaled = course("budesonide", 0.4, 1, None, route="inhaled")
    assert steroid_dose([inhaled], FIRST, LAST).mg_per_day == 0
    with pytest.raises(TableError, match=r"'prednison': its equivalent .*\(did you mean 'prednisone'\?\)"):
        steroid_dose([course("prednison", 10, 1, None)], FIRST, LAST)
    for call in (steroid_dose, drug_doses):
        with pytest.raises(TableError, match="ends before it begins"):
            call([], LAST, FIRST)


def test_other_drugs_each_by_itself() -> None:
    drugs = [
        course("methotrexate", 14, 1, None, per="week"),
        course("mycophenolate mofetil", 1000, 1, 14),
        course("mycophenolate mofetil", 1500, 15, None),
        course("cyclophosphamide", 560, 10, None, per="once"),
    ]
    assert drug_doses(drugs, FIRST, LAST) == {
        "cyclophosphamide": 20.0,
        "methotrexate": 2.0,
        "mycophenolate mofetil": 1250.0,
    }
    assert drug_doses([], FIRST, LAST) == {}


def test_lines_that_share_a_day() -> None:
    first, second = course("prednisone", 20, 1, 10), course("prednisone", 10, 10, None)
    assert overlaps([second, first]) == [(first, second)]
    assert overlaps([first, course("prednisone", 10, 11, None), course("prednisolone", 5, 1, None)]) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(PREDNISONE_5_MG)),
            st.floats(0, 100),
            st.integers(0, 60),
            st.integers(0, 40),
        ),
        max_size=5,
    ),
    st.integers(0, 40),
    st.integers(1, 40),
)
def test_windows_add_up(lines: list[tuple[str, float, int, int]], first: int, length: int) -> None:
    """Two windows side by side hold what the one over both does; the order of lines does not matter."""
    start = date(2021, 1, 1)
    given_ = [
        Prescription(drug, mg, "day", "oral", start + timedelta(days=day), start + timedelta(days=day + more))
        for drug, mg, day, more in lines
    ]
    a, b = start + timedelta(days=first), start + timedelta(days=first + 2 * length - 1)
    middle = a + timedelta(days=length - 1)
    whole = steroid_dose(given_, a, b).mg_per_day
    halves = [
        steroid_dose(given_[::-1], *window).mg_per_day for window in ((a, middle), (middle + timedelta(days=1), b))
    ]
    assert whole == pytest.approx(np.mean(halves), abs=1e-9)
