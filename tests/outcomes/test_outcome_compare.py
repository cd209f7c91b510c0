"""Arms compared: the analysis of covariance, ranks, overlap weights and the family of registered comparisons."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from outcome_trial import DAYS, LABS, Trial, told
from scipy.optimize import minimize

from il2cyto.derive import visit_table
from il2cyto.models import overlap
from il2cyto.models.changed import Pairs
from il2cyto.models.overlap import propensity, weighted_difference
from il2cyto.models.rank import stratified_ranks
from il2cyto.outcomes import changed, make_outcomes
from il2cyto.study import read_study

N = 14


def sheet(seed=3):
    """Values of C3 before and at month 1 of two arms, from whom one is missing."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"subject": [f"P{i:02d}" for i in range(N)], "arm": ["IL2", "STD"] * (N // 2)})
    data["before"] = np.round(rng.normal(1.0, 0.2, N), 3)
    data["now"] = np.round(data["before"] + 0.1 * (data["arm"] == "IL2") + rng.normal(0, 0.1, N), 3)
    data["age"] = np.round(rng.uniform(6, 16, N), 1)
    data["diagnosis"] = np.where(np.arange(N) % 4 < 2, "SLE", "pSS")
    data.loc[5, "now"] = np.nan
    return data


def run(path, data, outcome):
    rows = [f"{one.subject},{visit},{DAYS[visit]},C3,{value},g/L,," for one in data.itertuples()
            for visit, value in (("BL", one.before), ("M1", one.now)) if value == value]  # fmt: skip
    trial = Trial(path, f"  LAB: {{kind: laboratory, tests: [C3], visit: M1{outcome}}}\n", labs=LABS + "\n".join(rows))
    for one in data.itertuples():
        days = {visit: DAYS[visit] for visit in ("BL", "M1")}
        trial.subject(one.subject, one.arm, days, age=one.age, diagnosis=one.diagnosis)
    return trial.make().results[0]


@pytest.mark.parametrize(
    ("outcome", "formula"),
    [
        ("", "change ~ before + treated"),
        (", covariates: [AGE, DIAGNOSIS]", "change ~ before + treated + age + diagnosis"),
    ],
)  # fmt: skip
def test_one_visit_is_an_ordinary_analysis_of_covariance(tmp_path, outcome, formula):
    data = sheet()
    result = run(tmp_path, data, outcome)
    used = data.dropna().assign(change=lambda one: one.now - one.before, treated=lambda one: one.arm == "IL2")
    fit = smf.ols(formula, used.astype({"treated": float})).fit()
    lower, upper = fit.conf_int().loc["treated"]
    for analysis in ("ancova_difference", "adjusted_difference"):
        row = told(result, "C3", analysis, "IL2 / STD", "M1")
        assert [row[name] for name in ("estimate", "se", "df", "lower", "upper", "p_value")] == pytest.approx(
            [fit.params["treated"], fit.bse["treated"], fit.df_resid, lower, upper, fit.pvalues["treated"]], rel=1e-5
        )
        assert (row["n"], row["of"]) == (N - 1, N)


def test_the_adjusted_change_is_that_at_the_mean_baseline(tmp_path):
    data = sheet()
    used = data.dropna().assign(change=lambda one: one.now - one.before, treated=lambda one: 1.0 * (one.arm == "IL2"))
    fit = smf.ols("change ~ before + treated", used).fit()
    at = {"before": used["before"].mean(), "treated": [1.0, 0.0]}
    expected = fit.get_prediction(pd.DataFrame(at)).summary_frame(alpha=0.05)
    result = run(tmp_path, data, "")
    for arm, place in (("IL2", 0), ("STD", 1)):
        row = told(result, "C3", "adjusted_change", arm, "M1")
        assert [row["estimate"], row["se"]] == pytest.approx(
            expected.loc[place, ["mean", "mean_se"]].tolist(), rel=1e-5
        )


def test_the_row_of_ranks_is_the_stratified_test_of_changes(tmp_path):
    data = sheet()
    row = told(run(tmp_path, data, ", covariates: [DIAGNOSIS]"), "C3", "rank_test", "IL2 / STD", "M1")
    # changes as the sheet's numbers give them, without rounding
    found = stratified_ranks(data["now"] - data["before"], data["arm"] == "IL2", data["diagnosis"])
    assert (row["n"], row["estimate"], row["p_value"]) == (N - 1, found.superiority, found.p_value)
    assert row["method"].startswith("van Elteren test in 2 strata")


Y = [1.1, 2.3, 2.3, 4.0, 0.5, 3.1, 3.6, 5.5, 2.2, 2.9, 4.4, 1.0]
FIRST = [1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1]


def test_ranks_against_coin():
    """R 4, coin 1.4: with ``y``, ``g`` (factor) as below and ``b <- factor(rep(1:2, each = 6))``,

    ``r <- ave(y, b, FUN = function(x) rank(x) / (length(x) + 1)); pvalue(independence_test(r ~ g | b))`` and
    ``pvalue(wilcox_test(y ~ g, distribution = "asymptotic"))``.
    """
    assert stratified_ranks(Y, FIRST, ["a"] * 6 + ["b"] * 6).p_value == pytest.approx(0.641034843, abs=1e-9)
    assert stratified_ranks(Y, FIRST, ["a"] * 12).p_value == pytest.approx(0.6884038633, abs=1e-9)


def test_ranks_by_hand():
    # 3 and 5 against 1, 2 and 4: 5 of 6 pairs; of 10 arrangements 2 are as far on either side
    found = stratified_ranks([3, 5, 1, 2, 4, np.nan], [1, 1, 0, 0, 0, 1], ["a"] * 6)
    assert (found.superiority, found.n, found.p_value) == (pytest.approx(5 / 6), 5, pytest.approx(0.4))
    # a stratum of one group alone tells nothing
    assert stratified_ranks([1, 2, 3], [1, 1, 0], ["a", "b", "b"]).n == 2
    assert np.isnan(stratified_ranks([1, 2], [1, 0], ["a", "b"]).p_value)
    assert stratified_ranks([1, 1, 1], [1, 0, 0], ["a"] * 3).p_value == 1


def cohort(rng, n=46, effect=1.0):
    """Subjects with a covariate that tells both who is treated and how they fare."""
    x = rng.normal(size=(n, 2))
    treated = rng.random(n) < 1 / (1 + np.exp(-(0.9 * x[:, 0] - 0.5 * x[:, 1])))
    y = effect * treated + 1.2 * x[:, 0] - 0.4 * x[:, 1] + rng.normal(size=n)
    return x, treated, y


def test_a_constant_effect_without_noise_is_exact():
    rng = np.random.default_rng(8)
    x, treated, _ = cohort(rng)
    found = weighted_difference(np.where(treated, 5.5, 3.0), treated, propensity(treated, x))
    assert (found.estimate, found.first, found.second) == pytest.approx((2.5, 5.5, 3.0), abs=1e-12)
    assert found.se == pytest.approx(0, abs=1e-12)


def test_weights_bring_the_covariates_together():
    x, treated, _ = cohort(np.random.default_rng(9))
    scores = propensity(treated, x)
    before = x[treated].mean(axis=0) - x[~treated].mean(axis=0)
    after = [weighted_difference(column, treated, scores).estimate for column in x.T]
    assert np.abs(before).max() > 0.3
    # a property of a score without a penalty
    assert not scores.penalised
    assert after == pytest.approx([0, 0], abs=1e-9)


def test_overlap_weights_take_confounding_out():
    """300 trials of 46: without weights the difference is biased by about 1; with them limits of 95 % hold as many."""
    rng = np.random.default_rng(20)
    plain, weighted, held = [], [], []
    for _ in range(300):
        x, treated, y = cohort(rng)
        plain.append(y[treated].mean() - y[~treated].mean())
        found = weighted_difference(y, treated, propensity(treated, x))
        weighted.append(found.estimate)
        held.append(found.lower <= 1 <= found.upper)
    error = np.std(weighted) / np.sqrt(300)
    assert np.mean(plain) > 1.7
    assert abs(np.mean(weighted) - 1) < 3 * error
    # three standard errors of 300 trials: 0.95 ± 0.038. Over 2000 trials the share was 0.940
    assert 0.95 - 0.038 <= np.mean(held) <= 0.95 + 0.038, np.mean(held)


def firth(design, y):
    """Maximise the likelihood with Jeffreys' prior directly."""

    def loss(beta):
        p = 1 / (1 + np.exp(-design @ beta))
        information = (design * (p * (1 - p))[:, None]).T @ design
        return -(y * np.log(p) + (1 - y) * np.log1p(-p)).sum() - 0.5 * np.linalg.slogdet(information)[1]

    start = np.zeros(design.shape[1])
    return minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000}).x


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_firth_against_its_likelihood(seed):
    x, treated, _ = cohort(np.random.default_rng(seed), n=24)
    design, y = propensity(treated, x).design, treated.astype(float)
    assert overlap._firth(design, y) == pytest.approx(firth(design, y), abs=1e-6)


def test_a_score_without_a_penalty_is_that_of_a_logistic_regression():
    x, treated, _ = cohort(np.random.default_rng(4))
    found = propensity(treated, x)
    fit = sm.Logit(treated.astype(float), found.design).fit(disp=False, tol=1e-12)
    assert found.params == pytest.approx(fit.params, abs=1e-6)
    assert found.score == pytest.approx(fit.predict(), abs=1e-7)


def test_a_class_of_one_group_alone_takes_the_penalty():
    # every subject of a diagnosis was treated
    x = np.array([[1.0]] * 4 + [[0.0]] * 12)
    treated = np.array([True] * 4 + [True, False] * 6)
    found = propensity(treated, x)
    assert found.penalised
    assert found.params == pytest.approx(firth(found.design, treated.astype(float)), abs=1e-6)


def test_firth_is_finite_where_a_covariate_separates_the_groups():
    x = np.arange(12.0)[:, None]
    treated = x[:, 0] > 5.5
    found = propensity(treated, x)
    assert found.penalised
    assert np.isfinite(found.params).all()
    assert ((found.score > 0) & (found.score < 1)).all()
    assert found.params == pytest.approx(firth(found.design, treated.astype(float)), abs=1e-6)
    difference = weighted_difference(x[:, 0], treated, found)
    assert np.isfinite([difference.estimate, difference.se]).all()


def test_the_family_is_adjusted_by_holm_over_all_registered_outcomes(tmp_path):
    """Three comparisons with a p-value and one without one, which counts as 1: steps of 4, 3 and 2."""
    rng = np.random.default_rng(5)
    rows, names = [], [f"P{i}" for i in range(10)]
    effects = {"C3": 0.5, "C4": 0.3, "ALT": 0.12}
    for i, name in enumerate(names):
        for test, effect in effects.items():
            before = rng.normal(1, 0.2)
            now = before + (effect if i % 2 else 0) + rng.normal(0, 0.1)
            rows += [
                f"{name},BL,{DAYS['BL']},{test},{before:.4f},g/L,,",
                f"{name},M1,{DAYS['M1']},{test},{now:.4f},g/L,,",
            ]
    outcomes = (
        "  ONE: {kind: laboratory, role: primary, tests: [C3, C4], visit: M1}\n"
        "  TWO: {kind: laboratory, tests: [ALT, C5], visit: M1}\n"
        "  THREE: {kind: laboratory, role: exploratory, tests: [C3], visit: M1}\n"
    )
    trial = Trial(tmp_path, outcomes, labs=LABS + "\n".join(rows) + "\n")
    for i, name in enumerate(names):
        trial.subject(name, "IL2" if i % 2 else "STD")
    table = pd.concat([result.table for result in trial.make().results])
    family = table[table["family"] == "registered"]
    assert family["parameter"].tolist() == ["C3", "C4", "ALT", "C5"]
    assert set(family["analysis"]) == {"ancova_difference"}
    p = family["p_value"].to_numpy()
    assert np.isnan(p[3])
    order = np.argsort(p[:3])
    expected, highest = np.zeros(3), 0.0
    for step, place in zip((4, 3, 2), order, strict=True):
        highest = max(highest, min(1.0, step * p[place]))
        expected[place] = highest
    assert family["p_adjusted"].to_numpy()[:3] == pytest.approx(expected)
    assert np.isnan(family["p_adjusted"].to_numpy()[3])
    # what is not registered has none
    assert table.loc[table["family"] == "", "p_adjusted"].isna().all()


def test_changed_subjects_stay_in_the_family_where_the_rule_cannot_be_used(tmp_path, monkeypatch):
    """Of two populations one has no control values to take limits from: its comparison counts as 1."""
    subjects, arms = tuple(f"P{i}" for i in range(12)), np.array(["IL2", "STD"] * 6)
    ratio = np.where(arms == "IL2", 2.0, 0.1)[:, None]
    # fmt: off
    control = pd.DataFrame(
        {"y": [1.0, 1.1, 2.0, 1.9, 1.4, 1.6, 0.8, 0.7, 1.2, 1.3, 1.7, 1.5], "censor": 0,
         "visit": np.tile([0, 1], 6), "subject": np.repeat([1, 3, 5, 7, 9, 11], 2)}
    )
    # fmt: on
    known = Pairs(subjects, arms, ("M1",), ratio, ratio, np.zeros((12, 1)), control, np.full((12, 1), np.nan))
    every = [
        ({"strategy": "s", "population": name, "name": name, "unit": "cells/µL"}, pairs)
        for name, pairs in (("Treg", known), ("Th17", replace(known, control=control.iloc[:0])))
    ]
    monkeypatch.setattr(changed, "pairs_of", lambda *_: every)
    outcome = "  CELLS: {kind: changed, populations: [Treg, Th17], visit: M1, rule: RULE}\n"
    trial = Trial(tmp_path, outcome.replace("RULE", "rcv_control"))
    for name, arm in zip(subjects, arms, strict=True):
        trial.subject(name, str(arm))
    study = read_study(trial.write())
    visits = SimpleNamespace(var=pd.DataFrame({"population": ["Treg", "Th17"], "name": ["Treg", "Th17"]}))
    result = make_outcomes(study, visit_table(study), visits, None, "BL").results[0]
    family = result.table[result.table["family"] == "registered"].set_index("parameter")
    assert family.index.tolist() == ["s:Treg", "s:Th17"]
    assert family["status"].tolist() == ["estimated", "not_estimable"]
    # 6 of 6 against 0 of 6: Fisher's p is 2 of 924 tables, times the two comparisons
    assert family.loc["s:Treg", ["estimate", "p_value", "p_adjusted"]].tolist() == pytest.approx(
        [100, 2 / 924, 4 / 924]
    )
    assert family.loc["s:Th17", "reason"]


def test_a_change_that_nobody_has_differently_is_not_estimable(tmp_path):
    data = sheet().assign(now=lambda one: one.before)
    row = told(run(tmp_path, data, ""), "C3", "ancova_difference", "IL2 / STD", "M1")
    assert (row["status"], row["reason"]) == ("not_estimable", "no subject has another change than the others")
