"""The turnover model, the spread of the population, and the arms."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.simulate.analytes import ANALYTES, as_reported, draw_serum
from il2cyto.simulate.biology import RESPONSE_SD, course_level, draw_subject, draw_visit, log_fold
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.quantities import CELLS, Quantity

FIVE = [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("elapsed", "ratio"),
    [(0, 1.00), (1, 1.46), (3, 2.14), (5, 2.60), (8, 1.88), (10, 1.59), (14, 1.26)],
)
def test_a_first_course_follows_the_turnover_model(elapsed: int, ratio: float) -> None:
    level = course_level(1 + elapsed, FIVE)
    assert np.exp(log_fold(np.log(2.6), 0.0, level)) == pytest.approx(ratio, abs=0.006)


def test_courses_come_to_a_steady_state_and_fade_after_the_last_dose() -> None:
    subject = draw_subject(0, [1], list(CELLS), date(2020, 8, 15))
    assert subject.arm == "IL2"
    assert len(subject.dose_days) == 65
    assert subject.dose_days[:6] == (1, 2, 3, 4, 5, 15)
    assert subject.dose_days[-1] == 173

    def ratio(day: int) -> float:
        return float(np.exp(log_fold(np.log(2.6), 0.0, course_level(day, subject.dose_days))))

    # trough before the seventh course, peak after it, and the fall after the last dose
    assert ratio(85) == pytest.approx(1.28, abs=0.006)
    assert ratio(90) == pytest.approx(2.71, abs=0.01)
    assert [round(ratio(day), 2) for day in (183, 188, 197, 366)] == [1.28, 1.10, 1.02, 1.00]


def test_the_dose_of_the_day_itself_has_no_effect_yet() -> None:
    assert course_level(1, FIVE) == 0.0
    assert course_level(5, FIVE) == course_level(5, FIVE[:4])


def test_controls_get_no_doses() -> None:
    assert draw_subject(1, [1], list(CELLS), date(2020, 8, 15)).dose_days == ()


@given(st.floats(-3, 3), st.floats(0.01, 1.5), st.floats(0, 0.8))
def test_a_weak_response_is_a_small_effect_and_no_opposite_one(response: float, log_peak: float, level: float) -> None:
    assert log_fold(log_peak, response, level) >= 0


def test_response_varies_by_028_on_the_log_scale_of_treg() -> None:
    level = course_level(6, FIVE)
    assert log_fold(np.log(2.6), 1.0, level) - log_fold(np.log(2.6), 0.0, level) == pytest.approx(0.28)
    assert pytest.approx(0.293, abs=0.001) == RESPONSE_SD


@given(st.floats(-1.5, 1.5), st.floats(-3, 3))
def test_shares_stay_between_0_and_1(deviation: float, effect: float) -> None:
    assert 0 < Quantity("share", 0.9, 0.3, 0.1).value(deviation, effect) < 1


def test_a_share_doubles_at_its_median() -> None:
    quantity = Quantity("share", 0.055, 0.3, 0.12, peak=2.0)
    assert quantity.value(0.0, 0.0) == pytest.approx(0.055)
    assert quantity.value(0.0, quantity.log_peak()) == pytest.approx(0.110)


def test_baseline_has_the_stated_median_and_spread() -> None:
    drawn = [
        draw_visit(draw_subject(i, [5], list(CELLS), date(2020, 8, 15)), "BL", 1, [6, i]).values for i in range(3000)
    ]
    for name in ("b", "nk_bright", "neut"):
        log = np.log([one[name] for one in drawn])
        quantity = CELLS[name]
        assert np.median(log) == pytest.approx(np.log(quantity.median), abs=0.05)
        assert log.std() == pytest.approx(np.hypot(quantity.omega, quantity.sigma), rel=0.05)
    treg = np.log([one["t"] * one["cd4_of_t"] * one["treg_of_cd4"] for one in drawn])
    # published counts: a median of 26 per µL, and a between-subject SD of 0.50 to 0.53 on the log scale
    assert np.exp(np.median(treg)) == pytest.approx(28, abs=3)
    assert treg.std() == pytest.approx(0.58, abs=0.04)


def test_only_the_treated_arm_rises() -> None:
    plan = plan_trial(n_subjects=200, seed=3, missing_visits=0)
    treg = {(one.subject, one.visit): one["t"] * one["cd4_of_t"] * one["treg_of_cd4"] for one in plan.blood}
    change = {
        arm: np.mean([np.log(treg[s.id, "M3"] / treg[s.id, "BL"]) for s in plan.subjects if s.arm == arm])
        for arm in ("IL2", "STD")
    }
    assert np.exp(change["IL2"]) == pytest.approx(2.0, abs=0.25)
    assert np.exp(change["STD"]) == pytest.approx(1.08, abs=0.08)


def test_body_surface_and_days() -> None:
    subject = draw_subject(0, [1], list(CELLS), date(2020, 8, 15))
    assert subject.bsa_m2 == pytest.approx(np.sqrt(subject.height_cm * subject.weight_kg / 3600))
    assert subject.date_of(1) == subject.start
    assert (subject.start - subject.date_of(-1)).days == 1
    assert (subject.date_of(30) - subject.start).days == 29


def test_serum_is_censored_as_planned() -> None:
    plan = plan_trial(n_subjects=400, seed=9, visits=("BL",), missing_visits=0)
    subjects = {subject.id: subject for subject in plan.subjects}
    below = dict.fromkeys(ANALYTES, 0)
    for i, blood in enumerate(plan.blood):
        for name, value in draw_serum(subjects[blood.subject], blood, [4, i]).items():
            below[name] += as_reported(value, ANALYTES[name]).startswith("<")
    share = {name: count / 400 for name, count in below.items()}
    assert 0.05 < share["IL-6"] < 0.18
    assert 0.05 < share["IL-10"] < 0.20
    assert all(0.5 < share[name] < 0.9 for name in ("IL-2", "IL-17A", "IFN-g"))
    assert share["TNF"] < 0.15
    assert share["sCD25"] == 0


def test_serum_il2_on_the_day_after_a_dose_is_drug() -> None:
    subject = draw_subject(0, [1], [*CELLS, *ANALYTES], date(2020, 8, 15))
    after = draw_serum(subject, draw_visit(subject, "M1", 30, [2]), [3])
    later = draw_serum(subject, draw_visit(subject, "M1", 29, [2]), [3])
    assert after["IL-2"] == pytest.approx(5 * later["IL-2"])
    assert after["TNF"] == pytest.approx(later["TNF"])


def test_reported_values_have_three_digits() -> None:
    analyte = ANALYTES["sCD25"]
    assert [as_reported(v, analyte) for v in (99.9, 100.0, 2345.6, 7500.0, 7501.0)] == [
        "<100",
        "100",
        "2350",
        "7500",
        ">7500",
    ]
