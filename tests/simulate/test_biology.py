"""The turnover model, the spread of the population, and the arms."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.simulate.analytes import ANALYTES, as_reported, draw_serum
from il2cyto.simulate.biology import RESPONSE_SD, Subject, course_level, draw_subject, draw_visit, log_fold
from il2cyto.simulate.course import drift_level, potency
from il2cyto.simulate.design import VISITS
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


def test_later_courses_do_less() -> None:
    days = [14 * c + k for c in range(13) for k in range(1, 6)]
    tired = course_level(174, days, [potency((day - 1) // 14, 0.2) for day in days])
    assert tired / course_level(174, days) == pytest.approx(potency(12, 0.2), abs=0.01)
    assert potency(0, 0.2) == 1.0
    assert course_level(174, days, [1.0] * len(days)) == course_level(174, days)


def test_drift_peaks_at_half_a_year() -> None:
    assert [round(drift_level(day), 2) for day in (-5, 1, 92, 183, 366)] == [0, 0, 0.5, 1, 0.4]


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


@pytest.fixture(scope="module")
def population() -> tuple[list[Subject], dict[str, pd.DataFrame]]:
    """1,500 subjects without treatment, and their quantities at every visit."""
    subjects = [draw_subject(2 * i + 1, [5], list(CELLS), date(2020, 8, 15)) for i in range(1500)]
    values = {
        visit: pd.DataFrame([draw_visit(s, visit, 1, [6, i, k]).values for i, s in enumerate(subjects)])
        for k, visit in enumerate(VISITS)
    }
    return subjects, values


def per_ul(values: pd.DataFrame) -> pd.DataFrame:
    cd4 = values["t"] * values["cd4_of_t"]
    return np.log(pd.DataFrame({"cd4": cd4, "treg": cd4 * values["treg_of_cd4"]}))


def test_baseline_has_the_stated_median_and_spread(population: tuple[list[Subject], dict[str, pd.DataFrame]]) -> None:
    subjects, visits = population
    lupus = np.array([s.diagnosis == "SLE" and not s.nephritis for s in subjects])
    baseline = visits["BL"][lupus]
    for name in ("b", "nk_bright", "neut"):
        log = np.log(baseline[name])
        assert log.median() == pytest.approx(np.log(CELLS[name].median), abs=0.05)
        assert log.std() == pytest.approx(np.hypot(CELLS[name].omega, CELLS[name].sigma), rel=0.06)
    treg = per_ul(baseline)["treg"]
    # published counts: a median of 26 per µL, and a between-subject SD of 0.50 to 0.53 on the log scale
    assert np.exp(treg.median()) == pytest.approx(28, abs=3)
    assert treg.std() == pytest.approx(0.54, abs=0.04)


def test_treg_go_with_cd4_and_children_keep_to_themselves(
    population: tuple[list[Subject], dict[str, pd.DataFrame]],
) -> None:
    subjects, visits = population
    lupus = np.array([s.diagnosis == "SLE" and not s.nephritis for s in subjects])
    assert per_ul(visits["BL"][lupus]).corr().loc["cd4", "treg"] == pytest.approx(0.62, abs=0.06)
    treg = pd.DataFrame({visit: per_ul(values)["treg"][lupus] for visit, values in visits.items()}).corr()
    # children resemble themselves less the longer ago it is
    along = [treg.loc["BL", visit] for visit in ("M1", "M3", "M6", "M12")]
    assert along == sorted(along, reverse=True)
    assert 0.5 < along[-1] < along[1] < 0.76


def test_severity_confounds_where_asked_to() -> None:
    plan = plan_trial(n_subjects=400, seed=3, visits=("BL",), missing_visits=0, confounding=1.0)
    severity = {arm: np.mean([s.severity for s in plan.subjects if s.arm == arm]) for arm in ("IL2", "STD")}
    assert severity["IL2"] - severity["STD"] == pytest.approx(1.0, abs=0.3)
    both = list(zip(plan.blood, plan.subjects, strict=True))
    cells = {arm: np.mean([np.log(blood["t"]) for blood, s in both if s.arm == arm]) for arm in severity}
    assert cells["IL2"] < cells["STD"]


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
