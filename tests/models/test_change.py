"""Change from baseline: known folds, closed forms, recovery of a simulated truth, and everything that is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats

from il2cyto.errors import ParameterError, TableError
from il2cyto.models import MODEL_COLUMNS, change_from_baseline, populations_left_out
from il2cyto.models.mmrm import contrast, fit_mmrm
from il2cyto.visits.check import check_visits

NUMBER = {"SCR": -1.0, "BL": 0.0, "M1": 1.0, "M3": 3.0, "M6": 6.0}


def trial(cells: pd.DataFrame, arms: dict[str, str], few: tuple[tuple[str, str], ...] = ()) -> AnnData:
    """Visits object of a table of cells/µL with the index (subject, visit) and a column per population."""
    keys = [f"{subject}|{visit}" for subject, visit in cells.index]
    subjects = [subject for subject, _ in cells.index]
    visits = [visit for _, visit in cells.index]
    obs = pd.DataFrame({"USUBJID": subjects, "AVISIT": visits}, index=keys)
    obs = obs.assign(AVISITN=[NUMBER[visit] for visit in visits], ARM=[arms[subject] for subject in subjects])
    obs = obs.assign(ADY=np.nan, AGE=np.nan, DSLD=np.nan, CYCDAY=np.nan, DIAGNOSIS="", SEX="", collection_date="")
    names = [str(column) for column in cells]
    var = pd.DataFrame({"strategy": "s", "population": [f"live/{name}" for name in names], "name": names})
    var = var.assign(parent="live", definition="d", role="", unit="cells/µL").set_axis([f"s/live/{n}" for n in names])
    X = cells.to_numpy(float).copy()
    status = np.where(np.isnan(X), 2, 0).astype(np.int8)
    for key in few:
        status[keys.index("|".join(key))] = 3
    layers = dict.fromkeys(("count", "parent_count", "percent_parent", "cv"), X * 10)
    layers |= {"lower": X, "upper": X, "status": status}
    visits_object = AnnData(X, obs=obs, var=var, layers=layers, uns={"il2cyto": {"missing_visits": np.array([])}})
    check_visits(visits_object)
    return visits_object


def table(rows: dict[tuple[str, str], float], name: str = "Treg") -> pd.DataFrame:
    return pd.DataFrame({name: rows}, dtype=float)


def cell(model: pd.DataFrame, arm: str, visit: str, contrast: str = "change_from_baseline") -> pd.Series:
    found = model[(model["arm"] == arm) & (model["visit"] == visit) & (model["contrast"] == contrast)]
    assert len(found) == 1
    return found.iloc[0]


BASELINES = {"A1": 10.0, "A2": 20.0, "A3": 40.0, "B1": 12.0, "B2": 24.0, "B3": 48.0}
ARMS = {subject: {"A": "IL2", "B": "STD"}[subject[0]] for subject in BASELINES}
FOLDS = {"IL2": {"M1": 2.0, "M3": 1.5}, "STD": {"M1": 1.1, "M3": 1.0}}


def exact() -> dict[tuple[str, str], float]:
    rows = {}
    for subject, start in BASELINES.items():
        rows[subject, "SCR"] = 999.0
        rows[subject, "BL"] = start
        rows |= {(subject, visit): start * fold for visit, fold in FOLDS[ARMS[subject]].items()}
    return rows


def test_known_folds_come_back() -> None:
    model = change_from_baseline(trial(table(exact()), ARMS), baseline="BL", reference_arm="STD")
    assert tuple(model.columns) == MODEL_COLUMNS
    found = model[["population", "arm", "visit", "contrast", "ratio_to_baseline", "n_subjects", "n_observations", "df"]]
    change, difference = "change_from_baseline", "arm_difference"
    expected = pd.DataFrame(
        [
            ("live/Treg", "IL2", "M1", change, 2.0, 3, 12, 3.0),
            ("live/Treg", "IL2", "M3", change, 1.5, 3, 12, 3.0),
            ("live/Treg", "STD", "M1", change, 1.1, 3, 12, 3.0),
            ("live/Treg", "STD", "M3", change, 1.0, 3, 12, 3.0),
            ("live/Treg", "IL2 / STD", "M1", difference, 2.0 / 1.1, 6, 12, 3.0),
            ("live/Treg", "IL2 / STD", "M3", difference, 1.5, 6, 12, 3.0),
        ],
        columns=found.columns,
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)
    np.testing.assert_allclose(model["lower"], model["upper"], rtol=1e-10)
    assert model["p_value"].isna().all()
    assert model["reason"].str.startswith("no residual variation").all()
    assert model["status"].eq("estimated").all()
    assert model["method"].str.contains("non-randomised comparison adjusted for baseline only").all()
    assert model["method"].str.contains("~ arm × visit + log Y0;", regex=False).all()


def noisy(seed: int, n: int, tau: float, visits: tuple[str, ...] = ("M1", "M3"), slope: float = -0.3) -> Any:
    """Balanced trial: log baselines (2n,), log ratios (2n, visits); the first n subjects are IL2."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 0.5, 2 * n)
    arm = np.repeat(["IL2", "STD"], n)
    truth = np.array([[np.log(FOLDS[a].get(v, 1.2)) for v in visits] for a in arm])
    y = truth + slope * (x - 3.0)[:, None] + rng.normal(0, tau, 2 * n)[:, None] + rng.normal(0, 0.2, truth.shape)
    subjects = [f"{a}-{i:02d}" for i, a in enumerate(arm)]
    rows = {(s, "BL"): np.exp(x[i]) for i, s in enumerate(subjects)}
    rows |= {(s, v): np.exp(x[i] + y[i, j]) for i, s in enumerate(subjects) for j, v in enumerate(visits)}
    return table(rows), dict(zip(subjects, arm, strict=True)), x, y


def test_complete_visits_are_analyses_of_covariance() -> None:
    """Without a gap the model is a multivariate regression: each visit by itself, with 2n - 3 degrees of freedom."""
    n = 8
    cells, arms, x, y = noisy(seed=5, n=n, tau=0.3)
    model = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    expected = "mixed model for repeated measures (REML): log(Y/Y0) ~ arm × visit + log Y0 × visit; unstructured, "
    assert model["method"].str.startswith(expected + "Kenward-Roger; non-randomised comparison").all()
    assert model["covariance"].eq("unstructured, Kenward-Roger").all()
    assert model["warnings"].eq("").all()
    design = np.column_stack([np.repeat([1, 0], n), np.repeat([0, 1], n), x - x.mean()])
    inverse = np.linalg.inv(design.T @ design)
    t = stats.t.ppf(0.975, 2 * n - 3)
    for v, visit in enumerate(("M1", "M3")):
        params, rss = np.linalg.lstsq(design, y[:, v], rcond=None)[:2]
        for weights, arm, kind in (
            ([1, 0, 0], "IL2", "change_from_baseline"),
            ([0, 1, 0], "STD", "change_from_baseline"),
            ([1, -1, 0], "IL2 / STD", "arm_difference"),
        ):
            row = cell(model, arm, visit, kind)
            estimate = weights @ params
            error = np.sqrt(rss[0] / (2 * n - 3) * (weights @ inverse @ weights))
            found = row[["log_estimate", "log_se", "df"]].to_numpy(float)
            np.testing.assert_allclose(found, [estimate, error, 2 * n - 3], rtol=1e-8)
            found = row[["ratio_to_baseline", "lower", "upper"]].to_numpy(float)
            np.testing.assert_allclose(found, np.exp(estimate + np.array([0, -t, t]) * error), rtol=1e-8)
            assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(estimate / error), 2 * n - 3), rel=1e-6)


def test_the_next_structure_where_the_unstructured_has_no_estimate() -> None:
    visits = ("M1", "M3", "M6", "M9", "M12")
    NUMBER.update({"M9": 9.0, "M12": 12.0})
    cells, arms, _, _ = noisy(seed=3, n=3, tau=0.3, visits=visits)
    model = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    assert model["covariance"].eq("heterogeneous Toeplitz, CR2").all()
    assert model["warnings"].eq("unstructured: the covariance of the visits is singular").all()
    assert (model["df"] >= 1).all()
    assert model["status"].eq("estimated").all()


def test_p_values_are_adjusted_over_populations() -> None:
    parts = [noisy(seed=20 + k, n=6, tau=0.2) for k in range(3)]
    cells = pd.concat([part[0].rename(columns={"Treg": f"p{k}"}) for k, part in enumerate(parts)], axis="columns")
    model = change_from_baseline(trial(cells, parts[0][1]), baseline="BL", reference_arm="STD")
    own = model[(model["arm"] == "IL2 / STD") & (model["visit"] == "M1")].sort_values("p_value")
    p = own["p_value"].to_numpy()
    expected = [min(p[0] * 3, p[1] * 1.5, p[2]), min(p[1] * 1.5, p[2]), p[2]]
    np.testing.assert_allclose(own["p_adjusted"], expected, rtol=1e-12)


def test_one_visit_is_analysis_of_covariance() -> None:
    n = 6
    cells, arms, x, y = noisy(seed=2, n=n, tau=0.3, visits=("M1",))
    model = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    design = np.column_stack([np.repeat([1, 0], n), np.repeat([0, 1], n), x - x.mean()])
    params, rss = np.linalg.lstsq(design, y[:, 0], rcond=None)[:2]
    covariance = rss[0] / (2 * n - 3) * np.linalg.inv(design.T @ design)
    row = cell(model, "IL2", "M1")
    found = row[["log_estimate", "log_se", "df"]].to_numpy(float)
    np.testing.assert_allclose(found, [params[0], covariance[0, 0] ** 0.5, 9])
    assert row["method"].startswith("analysis of covariance: log(Y/Y0) ~ arm + log Y0; one variance; non-randomised")
    assert row["reason"] == ""
    assert row["status"] == "estimated"


def test_a_variance_at_its_boundary_is_named() -> None:
    rows = {}
    for subject, start in BASELINES.items():
        # subjects that are high at M1 are low at M3
        swing = {"1": 0.3, "2": -0.5, "3": 0.2}[subject[1]]
        rows |= {
            (subject, "BL"): start,
            (subject, "M1"): start * np.exp(swing),
            (subject, "M3"): start * np.exp(-swing),
        }
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL")
    assert model["method"].str.startswith("ordinary least squares").all()
    assert model["reason"].eq("the variance between subjects is at its boundary, 0").all()
    np.testing.assert_allclose(model["ratio_to_baseline"], 1.0, atol=1e-12)
    # 12 ratios with sum of squares 4 · 0.38 and 4 means leave 7 degrees with the slope, whose own sum of squares is 0
    np.testing.assert_allclose(model["log_se"], np.sqrt(4 * 0.38 / 7 * (1 / 3 + slope_part())), rtol=1e-12)


def slope_part() -> float:
    """Share of the slope in the variance of a mean: squared distance of an arm's log baselines / sum of squares."""
    x = np.log(list(BASELINES.values()))
    inside = np.concatenate([x[:3] - x[:3].mean(), x[3:] - x[3:].mean()])
    return float((x[:3].mean() - x.mean()) ** 2 / (2 * (inside @ inside)))


def test_a_simulated_truth_is_recovered_and_covered() -> None:
    populations = 60
    parts = [noisy(seed=100 + k, n=10, tau=0.25) for k in range(populations)]
    cells = pd.concat([part[0].rename(columns={"Treg": f"p{k}"}) for k, part in enumerate(parts)], axis="columns")
    # a tenth of the visits after baseline is missing
    lost = np.random.default_rng(0).random(cells.shape) < 0.1
    cells = cells.mask(lost & (cells.index.get_level_values(1) != "BL")[:, None])
    model = change_from_baseline(trial(cells, parts[0][1]), baseline="BL", reference_arm="STD")
    assert len(model) == 6 * populations
    assert model["status"].eq("estimated").all()
    assert set(model["reason"]) <= {"", "the variance between subjects is at its boundary, 0"}
    for (arm, visit), truth in {
        ("IL2", "M1"): np.log(2.0),
        ("STD", "M3"): 0.0,
        ("IL2 / STD", "M1"): np.log(2.0 / 1.1),
    }.items():
        rows = model[(model["arm"] == arm) & (model["visit"] == visit)]
        error = rows["log_estimate"] - truth
        # centring at the sample's mean baseline moves the truth of an arm, but not that of a difference
        spread = rows["log_estimate"].std()
        assert abs(error.mean()) < 4 * spread / np.sqrt(populations)
        assert rows["log_se"].mean() == pytest.approx(spread, rel=0.25)
        covered = (np.log(rows["lower"]) <= truth) & (truth <= np.log(rows["upper"]))
        assert covered.mean() >= 0.88


def test_zeros_are_left_out_and_counted_and_low_counts_are_named() -> None:
    rows = exact() | {("A4", "BL"): 30.0, ("A4", "M1"): 0.0, ("A4", "M3"): 45.0}
    rows |= {("A5", "BL"): 0.0, ("A5", "M1"): 7.0, ("A6", "M1"): 9.0}
    arms = ARMS | dict.fromkeys(("A4", "A5", "A6"), "IL2")
    model = change_from_baseline(trial(table(rows), arms, few=(("A1", "M3"), ("A2", "BL"))), baseline="BL")
    m1, m3 = cell(model, "IL2", "M1"), cell(model, "IL2", "M3")
    assert (m1["n_subjects"], m1["n_left_out"], m3["n_subjects"], m3["n_left_out"]) == (3, 2, 4, 0)
    exactly = "no residual variation: the limits are those of rounding; "
    left = "2 left out (0 cells/µL has no logarithm); 1 without a value at BL; 1 below the LLOQ entered as measured"
    assert m1["reason"] == exactly + left
    assert m3["reason"] == exactly + "2 below the LLOQ entered as measured"
    np.testing.assert_allclose([m1["ratio_to_baseline"], m3["ratio_to_baseline"]], [2.0, 1.5])
    assert cell(model, "STD", "M1")["n_left_out"] == 0


def test_too_few_subjects_and_empty_cells() -> None:
    rows = exact()
    for subject in ("B2", "B3"):
        del rows[subject, "BL"]
    rows["A1", "M6"] = 15.0
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL", reference_arm="STD")
    assert cell(model, "IL2", "M1")["ratio_to_baseline"] == pytest.approx(2.0)
    assert "visit + log Y0" in cell(model, "IL2", "M1")["method"]
    assert "arm" not in cell(model, "IL2", "M1")["method"].split(";")[0]
    assert cell(model, "IL2", "M6")["n_subjects"] == 1
    lost = cell(model, "STD", "M1")
    few = "STD: 1 subject has values above 0 at BL and later; 3 are needed"
    assert (lost["status"], lost["n_subjects"]) == ("not_estimable", 1)
    assert lost["reason"] == f"{few}; 2 without a value at BL"
    assert np.isnan(lost["ratio_to_baseline"])
    assert cell(model, "IL2 / STD", "M1", "arm_difference")["reason"] == f"{few}; 2 without a value at BL"

    rows = exact() | {("B1", "M6"): 12.0, ("B2", "M6"): 24.0}
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL", reference_arm="STD")
    empty = "IL2: no value above 0 at BL and M6"
    assert cell(model, "IL2", "M6")["reason"] == empty
    assert cell(model, "IL2 / STD", "M6", "arm_difference")["reason"] == empty
    assert cell(model, "STD", "M6")["ratio_to_baseline"] == pytest.approx(1.0)


def test_no_arm_with_enough_subjects() -> None:
    rows = {key: value for key, value in exact().items() if key[0] in ("A1", "A2", "B1")}
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL", reference_arm="STD")
    assert model["status"].eq("not_estimable").all()
    assert cell(model, "IL2", "M1")["reason"] == "IL2: 2 subjects have values above 0 at BL and later; 3 are needed"


def test_no_baseline_or_nothing_after_it() -> None:
    visits = trial(table(exact()), ARMS)
    model = change_from_baseline(visits, baseline=None, reference_arm="STD")
    assert model[["arm", "status", "reason"]].to_numpy().tolist() == [
        ["IL2", "not_estimable", "no baseline visit is declared, or it has no sample"],
        ["STD", "not_estimable", "no baseline visit is declared, or it has no sample"],
    ]
    model = change_from_baseline(visits, baseline="M3")
    assert model["reason"].eq("there is no visit after M3").all()
    with pytest.raises(ParameterError, match=r"baseline = 'BLN': no subject has this visit \(did you mean 'BL'\?\)"):
        change_from_baseline(visits, baseline="BLN")


def test_one_arm_has_no_differences() -> None:
    rows = {key: value for key, value in exact().items() if key[0].startswith("A")}
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL", reference_arm="IL2")
    assert model["arm"].tolist() == ["IL2", "IL2"]
    np.testing.assert_allclose(model["ratio_to_baseline"], [2.0, 1.5])
    assert model["df"].tolist() == [1.0, 1.0]


def test_equal_baselines_need_no_covariate() -> None:
    rows = {(s, v): 10.0 * f for s in ARMS for v, f in {"BL": 1.0, **FOLDS[ARMS[s]]}.items()}
    model = change_from_baseline(trial(table(rows), ARMS), baseline="BL")
    assert model["method"].str.contains("~ arm × visit;", regex=False).all()
    assert model["df"].eq(4).all()
    np.testing.assert_allclose(model["ratio_to_baseline"], [2.0, 1.5, 1.1, 1.0])


def test_three_arms_are_compared_with_the_reference() -> None:
    arms = {**ARMS, **{f"C{i}": "HIGH" for i in (1, 2, 3)}}
    rows = exact()
    for i in (1, 2, 3):
        rows |= {(f"C{i}", "BL"): 10.0 * i, (f"C{i}", "M1"): 30.0 * i}
    model = change_from_baseline(trial(table(rows), arms), baseline="BL", reference_arm="STD")
    differences = model[model["contrast"] == "arm_difference"].set_index(["arm", "visit"])["ratio_to_baseline"]
    assert differences["HIGH / STD", "M1"] == pytest.approx(3.0 / 1.1)
    assert differences["IL2 / STD", "M1"] == pytest.approx(2.0 / 1.1)
    assert np.isnan(differences["HIGH / STD", "M3"])


def test_populations_are_chosen_and_those_without_cells_are_noted() -> None:
    cells = pd.concat([table(exact(), name) for name in ("Treg", "CD4", "live")], axis="columns")
    cells["live"] = np.nan
    visits = trial(cells, ARMS)
    assert change_from_baseline(visits, baseline="BL")["population"].unique().tolist() == ["live/Treg", "live/CD4"]
    for name in ("CD4", "live/CD4", "s/live/CD4"):
        model = change_from_baseline(visits, baseline="BL", populations=[name])
        assert model["population"].unique().tolist() == ["live/CD4"]
    assert populations_left_out(visits).to_numpy().tolist() == [
        ["s", "live/live", "not modelled: no visit has cells/µL"]
    ]
    assert populations_left_out(visits, ["CD4"]).empty
    with pytest.raises(ParameterError, match=r"no population is called 'Tregs' \(did you mean 'Treg'\?\)"):
        change_from_baseline(visits, baseline="BL", populations=["Tregs"])
    empty = change_from_baseline(visits, baseline="BL", populations=["live/live"])
    assert (len(empty), tuple(empty.columns)) == (0, MODEL_COLUMNS)


def test_the_order_of_rows_does_not_matter() -> None:
    cells, arms, _, _ = noisy(seed=9, n=5, tau=0.3)
    model = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    turned = change_from_baseline(trial(cells.iloc[::-1], arms), baseline="BL", reference_arm="STD")
    pd.testing.assert_frame_equal(model, turned, rtol=0, atol=0)


def test_arms_and_visits_must_be_unambiguous() -> None:
    visits = trial(table(exact()), ARMS)
    with pytest.raises(ParameterError, match="reference_arm = 'Placebo': no subject is in this arm"):
        change_from_baseline(visits, baseline="BL", reference_arm="Placebo")
    crossed = visits.copy()
    crossed.obs.loc["A1|M3", "ARM"] = "STD"
    with pytest.raises(TableError, match="subject A1: ARM is 'IL2', 'STD'"):
        change_from_baseline(crossed, baseline="BL")
    unnumbered = visits.copy()
    unnumbered.obs.loc["A1|M3", "AVISITN"] = np.nan
    with pytest.raises(TableError, match="visit M3: AVISITN is"):
        change_from_baseline(unnumbered, baseline="BL")


def test_covariates_at_baseline() -> None:
    """With complete visits the model is a regression of each visit on arm, baseline, age and diagnosis."""
    n = 12
    cells, arms, x, y = noisy(seed=8, n=n, tau=0.3)
    visits = trial(cells, arms)
    rng = np.random.default_rng(3)
    age = dict(zip(arms, rng.uniform(6, 17, 2 * n), strict=True))
    diagnosis = dict(zip(arms, np.tile(["SLE", "pSS", "SLE", "JIA"], n // 2), strict=True))
    visits.obs["AGE"] = [age[s] for s in visits.obs["USUBJID"]]
    visits.obs["DIAGNOSIS"] = [diagnosis[s] for s in visits.obs["USUBJID"]]
    names = ("AGE", "DIAGNOSIS")
    model = change_from_baseline(visits, baseline="BL", reference_arm="STD", covariates=names)
    assert model["method"].str.contains("~ arm × visit + log Y0 × visit + AGE + DIAGNOSIS; ", regex=False).all()
    assert model["method"].str.endswith("adjusted for baseline and AGE, DIAGNOSIS").all()
    kinds = np.array(list(diagnosis.values()))
    own = np.column_stack(
        [np.repeat([1, 0], n), np.repeat([0, 1], n), list(age.values()), kinds == "SLE", kinds == "pSS"]
    ).astype(float)
    own[:, 2:] -= own[:, 2:].mean(axis=0)
    # one coefficient of a covariate over both visits: fitted to both at once with the covariance that REML finds
    both = np.zeros((2 * n, 2, 9))
    for v in (0, 1):
        both[:, v, [v, 2 + v, 4 + v]] = np.column_stack([own[:, :2], x - x.mean()])
        both[:, v, 6:] = own[:, 2:]
    fit = fit_mmrm(y, both)
    found = contrast(fit, [0, 1, 0, -1, 0, 0, 0, 0, 0])
    row = cell(model, "IL2 / STD", "M3", "arm_difference")
    values = row[["log_estimate", "log_se", "df"]].to_numpy(float)
    np.testing.assert_allclose(values, [found.estimate, found.se, found.df], rtol=1e-6)
    # an unknown covariate costs its subject, and says so
    visits.obs.loc["STD-12|BL", "AGE"] = np.nan
    lost = change_from_baseline(visits, baseline="BL", reference_arm="STD", covariates=names)
    assert cell(lost, "STD", "M1")["n_subjects"] == n - 1
    assert cell(lost, "STD", "M1")["reason"] == "1 without a covariate"
    assert cell(lost, "IL2", "M1")["reason"] == ""
    with pytest.raises(ParameterError, match=r"covariate 'AGES': no such column \(did you mean 'AGE'\?\)"):
        change_from_baseline(visits, baseline="BL", covariates=["AGES"])
    # the same for all: nothing to adjust for
    visits.obs["SEX"] = "F"
    same = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    alike = change_from_baseline(visits[visits.obs["USUBJID"] != ""], baseline="BL", covariates=["SEX"])
    np.testing.assert_allclose(alike["log_estimate"], same["log_estimate"][:4], rtol=1e-9)


def test_percentages_by_their_odds() -> None:
    cells, arms, _, _ = noisy(seed=6, n=8, tau=0.3)
    visits = trial(cells, arms)
    odds = cells["Treg"].to_numpy() / 400
    visits.layers["percent_parent"] = (100 * odds / (1 + odds))[:, None]
    model = change_from_baseline(visits, baseline="BL", reference_arm="STD", percent=True)
    assert "odds_ratio_to_baseline" in model
    assert "ratio_to_baseline" not in model
    assert model["method"].str.contains(": logit P - logit P0 ~ arm × visit + logit P0 × visit; ", regex=False).all()
    # the odds are the cells / 400: their ratios are those of the cells
    cells_model = change_from_baseline(trial(cells, arms), baseline="BL", reference_arm="STD")
    np.testing.assert_allclose(model["odds_ratio_to_baseline"], cells_model["ratio_to_baseline"], rtol=1e-9)
    np.testing.assert_allclose(model["df"], cells_model["df"], rtol=1e-6)
    layer = visits.layers["percent_parent"].copy()
    layer[visits.obs_names.get_loc("IL2-00|M1")] = 100.0
    layer[visits.obs_names.get_loc("IL2-01|M1")] = 0.0
    layer[visits.obs_names.get_loc("IL2-02|M1")] = np.nan
    visits.layers["percent_parent"] = layer
    row = cell(change_from_baseline(visits, baseline="BL", percent=True), "IL2", "M1")
    assert (row["n_subjects"], row["n_left_out"]) == (5, 2)
    assert row["reason"] == "2 left out (0 or 100 % has no logit)"
