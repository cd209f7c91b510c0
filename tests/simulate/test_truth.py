"""Tables of the truth: the folds that were put in, the missed visits and the serum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from il2cyto.simulate import WHOLE, TrialPlan, plan_trial
from il2cyto.simulate.biology import course_level
from il2cyto.simulate.course import drift_level, log_fold, potency
from il2cyto.simulate.design import VISITS
from il2cyto.simulate.sheets import serum_sheet
from il2cyto.simulate.truth import blood_table, serum_table


@pytest.fixture(scope="module")
def plan() -> TrialPlan:
    return plan_trial(WHOLE, n_subjects=12, seed=4)


@pytest.fixture(scope="module")
def blood(plan: TrialPlan) -> pd.DataFrame:
    return blood_table(plan)


def test_only_populations_of_blood_cells_have_cells_per_ul(blood: pd.DataFrame) -> None:
    assert blood["cells_per_ul"].notna().all()
    names = blood.groupby("tube")["name"].agg(set)
    # singlets hold red cells, leukocytes of a washed tube hold what density separation left
    assert not {"singlets", "beads", "time_qc"} & names["TBNK"]
    assert {"leuko", "lympho", "CD4", "NK"} <= names["TBNK"]
    assert not {"singlets", "leuko"} & names["TREG"]
    assert {"live", "Treg"} <= names["TREG"]


def test_nothing_is_put_in_at_baseline(blood: pd.DataFrame) -> None:
    before = blood[blood["visit"] == "BL"]
    np.testing.assert_allclose(before["fold_put_in"], 1.0)
    np.testing.assert_allclose(before["fold_to_baseline"], 1.0)


def test_what_is_put_in_follows_from_the_doses_that_were_given(plan: TrialPlan, blood: pd.DataFrame) -> None:
    for subject in plan.subjects:
        own = blood[(blood["subject"] == subject.id) & (blood["tube"] == "TBNK")]
        strengths = [potency(dose.course, plan.design.tachyphylaxis) for dose in subject.doses]
        for row in own[own["name"].isin(["B", "T"])].itertuples():
            level = course_level(row.day, subject.dose_days, strengths)
            peak, drift = {"B": (1.20, 0.0), "T": (1.25, 0.06)}[row.name]
            effect = log_fold(np.log(peak), subject.response, level) + drift * drift_level(row.day)
            assert row.fold_put_in == pytest.approx(np.exp(effect))


def test_controls_rise_by_a_tenth_to_a_fifth_by_half_a_year() -> None:
    plan = plan_trial(WHOLE, n_subjects=60)
    blood = blood_table(plan)
    treg = blood[(blood["name"] == "Treg") & (blood["arm"] == "STD")].groupby("visit")["fold_put_in"].mean()
    assert 1.10 < treg["M6"] < 1.20
    assert treg["M12"] < treg["M6"]


def test_visits_are_missed_at_their_rates() -> None:
    plan = plan_trial(WHOLE, n_subjects=600, visits=("BL", "M1", "M12"))
    share = pd.Series([visit for _, visit in plan.missing]).value_counts() / 600
    assert "BL" not in share
    for visit in ("M1", "M12"):
        assert share[visit] == pytest.approx(VISITS[visit].missed, abs=0.03)


def test_the_lymphopenic_stratum_has_few_cells_and_small_tubes_in_both_arms() -> None:
    plan = plan_trial(WHOLE)
    few = [s for s in plan.subjects if s.lymphopenic]
    assert sorted(s.arm for s in few) == ["IL2", "IL2", "STD", "STD"]
    ids = {s.id for s in few}
    assert {spec.lymphocytes for spec in plan.tubes if spec.blood.subject in ids} == {3_000}
    medians = {group: np.median([b["t"] for b in plan.blood if (b.subject in ids) == group]) for group in (True, False)}
    assert medians[True] < 0.5 * medians[False]
    assert {spec.lymphocytes for spec in plan.tubes if spec.blood.subject not in ids} == {12_000, 50_000}


def test_reported_serum_is_the_true_one_within_the_limits(plan: TrialPlan) -> None:
    both = serum_table(plan).merge(serum_sheet(plan), on=["subject", "visit", "analyte"], validate="one_to_one")
    below = both["value"].str.startswith("<")
    assert (both.loc[below, "concentration"] < both.loc[below, "lloq"].astype(float)).all()
    quantified = both[~below & ~both["value"].str.startswith(">")]
    np.testing.assert_allclose(quantified["value"].astype(float), quantified["concentration"], rtol=6e-3)


def test_two_instruments_measure_both_arms(plan: TrialPlan) -> None:
    arm = {s.id: s.arm for s in plan.subjects}
    seen = {(spec.batch.instrument, arm[spec.blood.subject]) for spec in plan.tubes if spec.batch is not None}
    assert seen == {(instrument, a) for instrument in ("CYT-A", "CYT-B") for a in ("IL2", "STD")}
    assert len({spec.batch.id for spec in plan.tubes if spec.batch is not None}) > 2
