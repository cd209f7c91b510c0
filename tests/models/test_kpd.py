"""The turnover model and the timing of doses over the visits of a trial: tables, counts and remarks."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from test_change import trial
from test_turnover import log_uninterrupted

from il2cyto.derive.placement import Calendar
from il2cyto.errors import ParameterError, TableError
from il2cyto.models.kpd import (
    TIMING_COLUMNS,
    TURNOVER_COLUMNS,
    dose_study_days,
    dose_timing,
    turnover_by_population,
)
from il2cyto.models.turnover import dose_level, fit_turnover, predict
from il2cyto.simulate.course import course_level, log_fold
from il2cyto.simulate.regimen import given_doses

VISITS = {"BL": 1, "M1": 30, "M3": 91, "M6": 182}
NUMBERS = ["estimate", "se", "lower", "upper"]


def simulated(n: int = 30, log_peak: float = np.log(2.6)) -> tuple[AnnData, dict[str, tuple[int, ...]]]:
    """Visits of `n` subjects, of which those of even number are treated, and their doses."""
    rng = np.random.default_rng(12)
    cells, arms, doses, about = {}, {}, {}, {}
    for i in range(n):
        subject = f"S{i:02d}"
        arms[subject] = "IL2" if i % 2 == 0 else "STD"
        doses[subject] = tuple(dose.day for dose in given_doses(rng, 0.05)) if i % 2 == 0 else ()
        own, response = rng.normal(3, 0.4), rng.normal()
        for visit, planned in VISITS.items():
            day = planned if visit == "BL" else planned + int(rng.integers(-4, 5))
            effect = log_fold(log_peak, response, course_level(day, doses[subject]))
            cells[subject, visit] = float(np.exp(own + effect + rng.normal(0, 0.15)))
            before = [dose for dose in doses[subject] if dose < day]
            begun = sum(later - last > 3 for last, later in pairwise(before)) + bool(before)
            about[f"{subject}|{visit}"] = (
                day,
                day - before[-1] if before else np.nan,
                begun if doses[subject] else np.nan,
            )
    found = trial(pd.DataFrame({"Treg": cells, "none": np.nan}, dtype=float), arms)
    table = pd.DataFrame.from_dict(about, orient="index", columns=["ADY", "DSLD", "NCOURSE"])
    for name in table:
        found.obs[name] = table[name].reindex(found.obs_names)
    return found, doses


def row(table: pd.DataFrame, parameter: str, decay: float = 0.2, visit: str = "") -> pd.Series:
    found = table[(table["parameter"] == parameter) & (table["decay_per_day"] == decay) & (table["visit"] == visit)]
    assert len(found) == 1
    return found.iloc[0]


def test_rows_are_those_of_the_kernel() -> None:
    visits, doses = simulated()
    table = turnover_by_population(visits, doses, baseline="BL", reference_arm="STD")
    assert tuple(table.columns) == TURNOVER_COLUMNS
    assert len(table) == 3 * 8
    assert table["status"].eq("estimated").all()
    assert set(table["arm"]) == {"IL2"}
    assert table.groupby("analysis", sort=False)["decay_per_day"].unique().map(list).to_dict() == {
        "primary": [0.2],
        "sensitivity": [0.15, 0.25],
    }
    obs = visits.obs
    for decay in (0.2, 0.15, 0.25):
        level = [
            dose_level([day], doses[subject], decay)[0] for day, subject in zip(obs["ADY"], obs["USUBJID"], strict=True)
        ]
        code = obs["AVISIT"].map({visit: i for i, visit in enumerate(VISITS)}).to_numpy(dtype=int)
        y = np.log(np.asarray(visits[:, "s/live/Treg"].X)[:, 0])
        fit = fit_turnover(y, obs["USUBJID"].to_numpy(str), code, level, decay_per_day=decay)
        stimulus = row(table, "stimulus", decay)
        assert [stimulus["lower"], stimulus["estimate"], stimulus["upper"]] == pytest.approx(
            np.expm1([fit.effect.lower, fit.effect.value, fit.effect.upper]).tolist()
        )
        assert stimulus["se"] == pytest.approx(np.exp(fit.effect.value) * fit.effect.se)
        peak, five = row(table, "peak_ratio", decay), predict(fit, [1, 2, 3, 4, 5], [6])
        assert [peak["lower"], peak["estimate"], peak["upper"]] == pytest.approx(
            [five.lower[0], five.ratio[0], five.upper[0]]
        )
        assert row(table, "sd_response", decay)["estimate"] == pytest.approx(fit.sd_response.value)
        assert row(table, "common_change", decay, "M3")["estimate"] == pytest.approx(np.exp(fit.time_effects[2].value))
    first = row(table, "peak_ratio")
    assert first["lower"] < 2.6 < first["upper"]
    assert row(table, "stimulus")["lower"] < np.expm1(log_uninterrupted(np.log(2.6))) < row(table, "stimulus")["upper"]
    assert (first["n_subjects"], first["n_treated"], first["n_observations"], first["n_left_out"]) == (30, 15, 120, 0)
    assert "decay fixed at 0.2 per day (half-life 3.5 days)" in first["method"]
    assert first["method"].endswith("arms were not randomised")
    assert first["reason"] == first["warnings"] == ""
    shuffled = visits[np.random.default_rng(0).permutation(visits.n_obs)].copy()
    pd.testing.assert_frame_equal(turnover_by_population(shuffled, doses, baseline="BL", reference_arm="STD"), table)


def test_what_is_left_out_is_counted() -> None:
    visits, doses = simulated()
    visits.X[visits.obs_names.get_loc("S02|M1"), 0] = 0.0
    visits.layers["lower"][visits.obs_names.get_loc("S02|M1"), 0] = 0.0
    visits.obs.loc[["S04|M1", "S05|M1"], "ADY"] = np.nan
    visits.layers["status"][visits.obs_names.get_loc("S01|M3"), 0] = 3
    del doses["S06"], doses["S07"]
    doses["S08"] = ()
    doses["S09"] = (100, 101)
    table = turnover_by_population(visits, doses, baseline="BL", reference_arm="STD", populations=["Treg"])
    found = row(table, "stimulus")
    assert found["status"] == "estimated"
    # a control without doses has a level on any day
    assert found["reason"] == (
        "1 left out (0 cells/µL has no logarithm); 4 left out (no dosing record of the subject); "
        "1 left out (the study day is unknown)"
    )
    assert found["warnings"] == (
        "1 of STD had doses, which count as such; 1 of IL2 without a dose entered as untreated; "
        "1 below the LLOQ entered as measured"
    )
    assert (found["n_subjects"], found["n_observations"], found["n_left_out"]) == (29, 114, 6)


def test_what_is_not_estimable() -> None:
    visits, doses = simulated(n=4)
    table = turnover_by_population(visits, doses, baseline="BL", reference_arm="STD", decay_per_day=0.25)
    assert table["status"].eq("not_estimable").all()
    assert table[NUMBERS].isna().all(axis=None)
    assert set(table["reason"]) == {"2 subjects after a dose have two values or more; 3 are needed"}
    assert table["decay_per_day"].unique().tolist() == [0.25, 0.15]
    lone = visits[visits.obs["ARM"] == "STD"].copy()
    assert turnover_by_population(lone, doses, baseline="BL", reference_arm="STD").empty
    with pytest.raises(ParameterError, match=r"reference_arm = 'STX': .* \(did you mean 'STD'\?\)"):
        turnover_by_population(visits, doses, baseline="BL", reference_arm="STX")
    with pytest.raises(ParameterError, match="doses of S00: there is no study day 0"):
        turnover_by_population(visits, doses | {"S00": (0, 1)}, baseline="BL", reference_arm="STD")
    with pytest.raises(ParameterError, match="want a rate above 0"):
        turnover_by_population(visits, doses, baseline="BL", reference_arm="STD", decay_per_day=-0.2)


def test_no_value_at_baseline() -> None:
    visits, doses = simulated()
    at = visits.obs["AVISIT"] == "BL"
    visits.X[at] = np.nan
    table = turnover_by_population(visits, doses, baseline="BL", reference_arm="STD")
    assert row(table, "stimulus")["status"] == "estimated"
    change = row(table, "common_change", visit="M3")
    assert (change["status"], change["reason"]) == (
        "not_estimable",
        "no value at BL, which the others are relative to",
    )


def test_study_days_of_calendars() -> None:
    doses = (date(2021, 2, 28), date(2021, 3, 1), date(2021, 3, 3))
    days = dose_study_days({"A": Calendar(date(2021, 3, 1), doses), "B": Calendar(None, doses), "C": Calendar()})
    assert days == {"A": (-1, 1, 3), "C": ()}


def test_timing_of_doses() -> None:
    visits, _ = simulated()
    rng = np.random.default_rng(3)
    obs = visits.obs
    # a slope per day and per course, with little else
    log = 3 + np.log(0.97) * obs["DSLD"].fillna(0) + np.log(1.01) * obs["NCOURSE"].fillna(0)
    visits.X[:, 0] = np.exp(log + rng.normal(0, 0.01, len(log)))
    for name in ("lower", "upper"):
        visits.layers[name] = np.asarray(visits.X).copy()
    table = dose_timing(visits, baseline="BL", reference_arm="STD")
    assert tuple(table.columns) == TIMING_COLUMNS
    assert table["parameter"].tolist() == ["ratio_per_day_since_dose", "ratio_per_course"]
    assert table["arm"].tolist() == ["IL2", "IL2"]
    for truth, found in zip((0.97, 1.01), table.itertuples(), strict=True):
        assert found.estimate == pytest.approx(truth, abs=4 * found.se)
        assert found.lower < found.estimate < found.upper
        assert found.upper - found.lower < 0.01
        assert (found.df, found.n_subjects, found.n_observations, found.n_left_out) == (14, 15, 45, 0)
        assert found.method.startswith("descriptive, within one arm")
        assert found.method.endswith("not comparable between arms")
    late = dose_timing(visits, baseline="BL", reference_arm="STD", max_dsld=9)
    beyond = int((obs["DSLD"].gt(9) & obs["AVISIT"].ne("BL")).sum())
    assert beyond > 0
    assert late["n_left_out"].tolist() == [beyond] * 2
    assert late["reason"].str.contains("more than 9 days since the last dose").all()
    few = dose_timing(visits[obs["USUBJID"].isin(["S00", "S01", "S02"])].copy(), baseline="BL", reference_arm="STD")
    assert few["status"].eq("not_estimable").all()
    assert few["reason"].iloc[0] == "2 subjects have values at baseline and after a dose; 3 are needed"
    once = dose_timing(visits[obs["AVISIT"].isin(["BL", "M1"])].copy(), baseline="BL", reference_arm="STD")
    assert once["status"].isin(["estimated", "not_estimable"]).all()
    visits.obs["DSLD"] = 3.0
    assert dose_timing(visits, baseline="BL", reference_arm="STD")["reason"].str.contains("do not tell").all()
    with pytest.raises(ParameterError, match="did you mean 'STD'"):
        dose_timing(visits, baseline="BL", reference_arm="STX")
    del visits.obs["NCOURSE"]
    with pytest.raises(TableError, match="no column NCOURSE"):
        dose_timing(visits, baseline="BL", reference_arm="STD")
