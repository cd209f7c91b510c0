"""The table of events of their parent: the model by hand, recovery of a truth, and everything that is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats
from test_change import cell, trial

from il2cyto.errors import ParameterError, TableError
from il2cyto.models.betabinomial import fit_beta_binomial
from il2cyto.models.events import EVENTS_COLUMNS, events_over_visits
from il2cyto.models.exact import benjamini_hochberg

VISITS = ("BL", "M1", "M3")
ARMS = {f"{arm}-{i:02d}": arm for arm in ("IL2", "STD") for i in range(8)}


def simulated(seed: int, *, level: float = -6.0, names: tuple[str, ...] = ("rare",), effect: float = 1.0) -> AnnData:
    """Visits of `ARMS` with log odds that rise by `effect` in IL2 at M1, and by 0.3 in both arms at M3."""
    rng = np.random.default_rng(seed)
    keys = [(s, v) for s in ARMS for v in VISITS]
    who = pd.factorize(np.array([s for s, _ in keys]))[0]
    parent = np.round(np.exp(rng.normal(8.5, 0.5, (len(keys), len(names)))))
    rise = np.array([effect * (ARMS[s] == "IL2" and v == "M1") + 0.3 * (v == "M3") for s, v in keys])
    mu = 1 / (1 + np.exp(-level - rise[:, None] - rng.normal(0, 0.5, (len(ARMS), len(names)))[who]))
    events = rng.binomial(parent.astype(int), rng.beta(mu * 2000, (1 - mu) * 2000)).astype(float)
    cells = pd.DataFrame(events / 10, index=pd.MultiIndex.from_tuples(keys), columns=list(names))
    visits = trial(cells, ARMS)
    visits.layers["count"], visits.layers["parent_count"] = events, parent
    return visits


def by_hand(visits: AnnData, column: int = 0) -> tuple[Any, dict[tuple[str, str], int]]:
    """Fit indicators of every arm and visit to all rows with parent events and events in their arm's visit."""
    arms, names = visits.obs["ARM"].astype(str), visits.obs["AVISIT"].astype(str)
    groups = list(zip(arms, names, strict=True))
    y, n = visits.layers["count"][:, column], visits.layers["parent_count"][:, column]
    kept = (n > 0) & np.array([y[[g == other for other in groups]].sum() > 0 for g in groups])
    cells = sorted({g for g, keep in zip(groups, kept, strict=True) if keep})
    code = [cells.index(g) for g, keep in zip(groups, kept, strict=True) if keep]
    subject = visits.obs["USUBJID"].to_numpy(dtype=str)[kept]
    return fit_beta_binomial(y[kept], n[kept], np.eye(len(cells))[code], subject), {c: k for k, c in enumerate(cells)}


def check_row(row: pd.Series, fit: Any, weights: np.ndarray, df: int) -> None:
    estimate, error = weights @ fit.params, np.sqrt(weights @ fit.covariance @ weights)
    t = stats.t.ppf(0.975, df)
    found = row[["log_estimate", "log_se", "df", "dispersion", "sd_between"]].to_numpy(float)
    np.testing.assert_allclose(found, [estimate, error, df, fit.dispersion, fit.sd_between], rtol=1e-4)
    found = row[["odds_ratio_to_baseline", "lower", "upper"]].to_numpy(float)
    np.testing.assert_allclose(found, np.exp(estimate + np.array([0, -t, t]) * error), rtol=1e-4)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(estimate / error), df), rel=1e-3)
    assert row["status"] == "estimated"


def weights_of(columns: dict[tuple[str, str], int], *signed: tuple[str, str, float]) -> np.ndarray:
    weights = np.zeros(len(columns))
    for arm, visit, sign in signed:
        weights[columns[arm, visit]] = sign
    return weights


def test_rows_are_contrasts_of_the_model() -> None:
    visits = simulated(1)
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    assert tuple(model.columns) == EVENTS_COLUMNS
    assert model[["arm", "visit", "contrast"]].to_numpy().tolist() == [
        ["IL2", "M1", "change_from_baseline"],
        ["IL2", "M3", "change_from_baseline"],
        ["STD", "M1", "change_from_baseline"],
        ["STD", "M3", "change_from_baseline"],
        ["IL2 / STD", "M1", "arm_difference"],
        ["IL2 / STD", "M3", "arm_difference"],
    ]
    fit, columns = by_hand(visits)
    for visit in ("M1", "M3"):
        for arm in ("IL2", "STD"):
            own = weights_of(columns, (arm, visit, 1), (arm, "BL", -1))
            check_row(cell(model, arm, visit), fit, own, df=14)
        both = weights_of(columns, ("IL2", visit, 1), ("IL2", "BL", -1), ("STD", visit, -1), ("STD", "BL", 1))
        check_row(cell(model, "IL2 / STD", visit, "arm_difference"), fit, both, df=14)
    row = cell(model, "IL2 / STD", "M1", "arm_difference")
    assert row["lower"] < np.e < row["upper"]
    assert row["p_value"] < 0.05
    assert row["method"] == (
        "beta-binomial mixed model (maximum likelihood), random intercept per subject: events of parent ~ arm × visit; "
        "t with between-subject df; arms were not randomised: non-randomised comparison adjusted for baseline only"
    )
    assert model["reason"].eq(fit.note).all()
    assert model["n_observations"].eq(48).all()
    assert model["n_subjects"].tolist() == [8, 8, 8, 8, 16, 16]
    at = (visits.obs["ARM"] == "IL2") & (visits.obs["AVISIT"] == "M1")
    assert cell(model, "IL2", "M1")["n_events_median"] == np.median(visits.layers["count"][at.to_numpy()])
    assert model[["population", "parent"]].to_numpy().tolist() == [["live/rare", "live"]] * 6
    assert model["warnings"].eq("").all()


def test_what_differs_at_baseline_cancels() -> None:
    """Twice the odds in an arm at all visits change nothing, by much, where events are rare and many are counted."""
    visits = simulated(2)
    doubled = visits.copy()
    il2 = (visits.obs["ARM"] == "IL2").to_numpy()
    doubled.layers["parent_count"][il2] = np.round(doubled.layers["parent_count"][il2] / 2)
    first, second = (events_over_visits(v, baseline="BL", reference_arm="STD") for v in (visits, doubled))
    np.testing.assert_allclose(first["log_estimate"], second["log_estimate"], atol=0.1)


def test_visits_without_events() -> None:
    visits = simulated(3)
    at = (visits.obs["ARM"] == "IL2") & (visits.obs["AVISIT"] == "M1")
    visits.layers["count"][at.to_numpy()] = 0
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    total = int(visits.layers["parent_count"][at.to_numpy()].sum())
    why = f"IL2 at M1: no event in 8 samples of {total} parent events; the odds have no logarithm"
    for arm, contrast in (("IL2", "change_from_baseline"), ("IL2 / STD", "arm_difference")):
        row = cell(model, arm, "M1", contrast)
        assert (row["status"], row["reason"], row["method"]) == ("not_estimable", why, "")
        assert row[["odds_ratio_to_baseline", "lower", "upper", "p_value", "p_adjusted"]].isna().all()
    assert cell(model, "IL2", "M1")["n_events_median"] == 0
    fit, columns = by_hand(visits)
    check_row(cell(model, "IL2", "M3"), fit, weights_of(columns, ("IL2", "M3", 1), ("IL2", "BL", -1)), df=14)
    assert cell(model, "STD", "M1")["n_observations"] == 40
    # the other rows are what they are as the odds of the visit go to 0: with one event they are nearly there
    one = visits.copy()
    one.layers["count"][np.flatnonzero(at)[0]] = 1
    nearly = events_over_visits(one, baseline="BL", reference_arm="STD")
    assert cell(nearly, "IL2", "M1")["warnings"] == "IL2 at M1: 1 event; the limits are rough"
    np.testing.assert_allclose(
        cell(nearly, "IL2", "M3")["log_estimate"], cell(model, "IL2", "M3")["log_estimate"], atol=0.05
    )
    # without events at baseline the arm has no changes, and with none anywhere no arm has
    base = (visits.obs["ARM"] == "IL2") & (visits.obs["AVISIT"] == "BL")
    visits.layers["count"][base.to_numpy()] = 0
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    assert model["status"].tolist() == ["not_estimable"] * 2 + ["estimated"] * 2 + ["not_estimable"] * 2
    assert cell(model, "IL2", "M1")["reason"].startswith("IL2 at M1: no event in 8 samples")
    assert "; IL2 at BL: no event in 8 samples" in cell(model, "IL2", "M1")["reason"]
    visits.layers["count"][:] = 0
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    assert model["status"].eq("not_estimable").all()
    assert model["reason"].str.contains("no event in 8 samples").all()


def test_nothing_but_events() -> None:
    visits = simulated(3)
    visits.layers["count"][:] = visits.layers["parent_count"]
    model = events_over_visits(visits, baseline="BL", most_events=np.inf)
    assert model["reason"].str.contains("every event in 8 samples of").all()
    assert model["reason"].str.endswith("; the odds are infinite").all()


def test_samples_that_are_missing_or_empty() -> None:
    visits = simulated(4)
    visits = visits[~visits.obs_names.isin(["IL2-00|BL", "IL2-01|M1"])].copy()
    empty = visits.obs_names.get_loc("STD-00|M3")
    visits.layers["count"][empty] = visits.layers["parent_count"][empty] = 0
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    fit, columns = by_hand(visits)
    check_row(cell(model, "IL2", "M1"), fit, weights_of(columns, ("IL2", "M1", 1), ("IL2", "BL", -1)), df=14)
    assert model["n_observations"].eq(45).all()
    row = cell(model, "IL2", "M1")
    assert (row["n_subjects"], row["n_left_out"]) == (7, 0)
    note = f"{fit.note}; " if fit.note else ""
    assert row["reason"] == f"{note}1 without a sample at BL (other visits enter)"
    row = cell(model, "STD", "M3")
    assert (row["n_subjects"], row["n_left_out"]) == (7, 1)
    assert row["reason"] == f"{note}1 left out (the parent has no event)"


def test_populations_that_are_in_the_table() -> None:
    visits = simulated(5, names=("rare", "common", "unknown"))
    visits.layers["count"][:, 1] *= 10
    visits.layers["parent_count"][:, 1] *= 10
    visits.layers["parent_count"][:, 2] = np.nan
    middle = float(np.median(visits.layers["count"][:, 1]))
    for most, names in (
        (middle - 0.5, ["live/rare"]),
        (middle, ["live/rare", "live/common"]),
        (0.0, []),
    ):
        model = events_over_visits(visits, baseline="BL", most_events=most)
        assert model["population"].unique().tolist() == names
        assert tuple(model.columns) == EVENTS_COLUMNS
    found = events_over_visits(visits, baseline="BL", populations=["common"], most_events=np.inf)
    assert found["population"].unique().tolist() == ["live/common"]
    with pytest.raises(ParameterError, match=r"no population is called 'rares' \(did you mean 'rare'\?\)"):
        events_over_visits(visits, baseline="BL", populations=["rares"])
    for wrong in (-1.0, np.nan):
        with pytest.raises(ParameterError, match=r"most_events = .*: want a number of events"):
            events_over_visits(visits, baseline="BL", most_events=wrong)


def test_p_values_are_adjusted_over_populations() -> None:
    model = events_over_visits(simulated(6, names=("a", "b", "c")), baseline="BL", reference_arm="STD")
    for _, rows in model.groupby(["contrast", "arm", "visit"]):
        assert len(rows) == 3
        np.testing.assert_allclose(rows["p_adjusted"], benjamini_hochberg(rows["p_value"]), rtol=1e-12)


def test_covariates_at_baseline() -> None:
    visits = simulated(7)
    age = {s: float(6 + 5 * i % 11) for i, s in enumerate(ARMS)}
    visits.obs["AGE"] = [age[s] for s in visits.obs["USUBJID"]]
    model = events_over_visits(visits, baseline="BL", reference_arm="STD", covariates=("AGE",))
    assert model["df"].eq(13).all()
    assert model["method"].str.contains(": events of parent ~ arm × visit + AGE; ", regex=False).all()
    assert model["method"].str.endswith("adjusted for baseline and AGE").all()
    groups = list(zip(visits.obs["ARM"], visits.obs["AVISIT"], strict=True))
    cells = sorted(set(groups))
    design = np.column_stack([np.eye(6)[[cells.index(g) for g in groups]], visits.obs["AGE"]])
    y, n = (visits.layers[name][:, 0] for name in ("count", "parent_count"))
    fit = fit_beta_binomial(y, n, design, visits.obs["USUBJID"].to_numpy(dtype=str))
    weights = np.zeros(7)
    weights[[cells.index(("IL2", "M1")), cells.index(("IL2", "BL"))]] = [1, -1]
    check_row(cell(model, "IL2", "M1"), fit, weights, df=13)
    # an unknown covariate costs its subject, and says so
    visits.obs.loc["STD-03|BL", "AGE"] = np.nan
    lost = events_over_visits(visits, baseline="BL", reference_arm="STD", covariates=("AGE",))
    assert cell(lost, "STD", "M1")["n_subjects"] == 7
    assert cell(lost, "STD", "M1")["reason"].endswith("1 without a covariate")
    assert "covariate" not in cell(lost, "IL2", "M1")["reason"]
    # one that is the arm again tells nothing of its own
    visits.obs["SEX"] = np.where(visits.obs["ARM"] == "IL2", "F", "M")
    same = events_over_visits(visits, baseline="BL", reference_arm="STD", covariates=("SEX",))
    assert same["reason"].eq("48 samples of 16 subjects do not determine the effects of SEX").all()
    with pytest.raises(ParameterError, match=r"covariate 'AGES': no such column \(did you mean 'AGE'\?\)"):
        events_over_visits(visits, baseline="BL", covariates=["AGES"])


def test_a_covariate_that_sets_apart_what_has_no_events() -> None:
    visits = simulated(8)
    lost = visits.obs["USUBJID"].isin(["IL2-00", "STD-00"]).to_numpy()
    visits.layers["count"][lost] = 0
    visits.obs["SEX"] = np.where(lost, "M", "F")
    model = events_over_visits(visits, baseline="BL", reference_arm="STD", covariates=("SEX",))
    assert model["status"].eq("not_estimable").all()
    assert model["reason"].str.startswith("the beta-binomial model has no estimate: separation: effect").all()


def test_arms_and_visits_that_cannot_be_modelled() -> None:
    visits = simulated(9)
    few = visits[~visits.obs["USUBJID"].isin([f"IL2-{i:02d}" for i in range(2, 8)])].copy()
    model = events_over_visits(few, baseline="BL", reference_arm="STD")
    why = "IL2: 2 subjects have samples at BL and later; 3 are needed"
    assert model.loc[model["arm"] != "STD", "reason"].eq(why).all()
    assert cell(model, "STD", "M1")["df"] == 7
    assert "~ visit;" in cell(model, "STD", "M1")["method"]
    gap = visits[~((visits.obs["ARM"] == "IL2") & (visits.obs["AVISIT"] == "M3")).to_numpy()].copy()
    assert cell(events_over_visits(gap, baseline="BL"), "IL2", "M3")["reason"] == "IL2 at M3: no sample"
    assert set(events_over_visits(visits, baseline="BL")["contrast"]) == {"change_from_baseline"}


def test_no_baseline_or_nothing_after_it() -> None:
    visits = simulated(10)
    model = events_over_visits(visits, baseline=None, reference_arm="STD")
    assert model[["arm", "status", "reason"]].to_numpy().tolist() == [
        ["IL2", "not_estimable", "no baseline visit is declared, or it has no sample"],
        ["STD", "not_estimable", "no baseline visit is declared, or it has no sample"],
    ]
    assert events_over_visits(visits, baseline="M3")["reason"].eq("there is no visit after M3").all()
    with pytest.raises(ParameterError, match=r"baseline = 'BLN': no subject has this visit \(did you mean 'BL'\?\)"):
        events_over_visits(visits, baseline="BLN")
    with pytest.raises(ParameterError, match="reference_arm = 'Placebo': no subject is in this arm"):
        events_over_visits(visits, baseline="BL", reference_arm="Placebo")
    del visits.layers["parent_count"]
    with pytest.raises(TableError, match="layer parent_count is missing"):
        events_over_visits(visits, baseline="BL")


def test_the_order_of_rows_does_not_matter() -> None:
    visits = simulated(11)
    model = events_over_visits(visits, baseline="BL", reference_arm="STD")
    turned = events_over_visits(visits[::-1].copy(), baseline="BL", reference_arm="STD")
    pd.testing.assert_frame_equal(model, turned, rtol=0, atol=0)
