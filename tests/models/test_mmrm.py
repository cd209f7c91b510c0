"""Models for repeated measures against SAS, nlme and clubSandwich, closed forms, and their laws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from il2cyto.errors import ParameterError
from il2cyto.models.mmrm import (
    KENWARD_ROGER,
    KENWARD_ROGER_LINEAR,
    LADDER,
    SATTERTHWAITE,
    STRUCTURES,
    Covariance,
    MmrmFit,
    Rung,
    climb,
    contrast,
    fit_mmrm,
    joint_test,
    robust_contrasts,
)
from il2cyto.models.mmrm.fit import derivatives, evaluate
from il2cyto.models.mmrm.sums import collect

SAS_FILES = {"us": "us", "cs": "cs", "csh": "csh", "ar1": "ar1", "ar1h": "arh1", "adh": "adh", "toep": "toep",
             "toeph": "toeph", "spexp": "spexp"}  # fmt: skip


class Fev:
    """The data of R's mmrm as arrays: 200 subjects, 4 visits, 537 responses."""

    def __init__(self, reference: Path) -> None:
        self.folder = reference / "mmrm"
        table = pd.read_csv(self.folder / "fev_data.csv")
        self.column = lambda name: table[name].to_numpy().reshape(200, 4)
        self.y = self.column("FEV1").astype(float)
        self.one = np.ones((200, 4))
        self.trt = (self.column("ARMCD") == "TRT").astype(float)
        self.female = (self.column("SEX") == "Female").astype(float)
        self.black, self.white = (
            (self.column("RACE") == name).astype(float) for name in ("Black or African American", "White")
        )
        self.times = np.stack([self.column("VISITN"), self.column("VISITN2")], axis=-1).astype(float)
        self.visits = [np.tile(np.eye(4)[j], (200, 1)) for j in range(4)]

    def design(self, *columns: np.ndarray) -> np.ndarray:
        return np.stack([self.one, *columns], axis=-1)

    @property
    def by_visit(self) -> np.ndarray:
        """RACE + SEX + ARMCD * AVISIT."""
        later = self.visits[1:]
        return self.design(self.black, self.white, self.female, self.trt, *later, *[self.trt * v for v in later])

    def sas(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "sas_reference.json").read_text())
        return found


@pytest.fixture(scope="module")
def fev(reference: Path) -> Fev:
    return Fev(reference)


def coefficients(fit: MmrmFit, method: str = SATTERTHWAITE) -> np.ndarray:
    rows = [contrast(fit, row, method=method) for row in np.eye(fit.params.size)]
    return np.array([[one.estimate, one.se, one.df] for one in rows])


@pytest.mark.reference
@pytest.mark.parametrize("kind", sorted(SAS_FILES))
@pytest.mark.parametrize(("method", "file"), [(KENWARD_ROGER, "kr"), (KENWARD_ROGER_LINEAR, "kr1")])
def test_nine_structures_of_sas(fev: Fev, kind: str, method: str, file: str) -> None:
    if kind == "spexp":
        # each of the two files holds the error of the other: the linear form does not depend on the parametrisation
        file = {"kr": "kr1", "kr1": "kr"}[file]
    sas = pd.read_csv(fev.folder / "sas_kr" / f"{file}_{SAS_FILES[kind]}.csv").iloc[0]
    fit = fit_mmrm(fev.y, fev.design(fev.trt), kind, times=fev.times if kind == "spexp" else None)
    assert fit.status == "converged"
    found = contrast(fit, [0, 1], method=method)
    assert found.estimate == pytest.approx(sas["Estimate"], rel=1e-4)
    # SAS stops while the likelihood still rises a little (see nlme below): csh and adh are 1.2e-4 off
    assert found.se == pytest.approx(sas["StdErr"], rel=1.2e-4 if kind in ("csh", "adh") else 1e-4)
    assert found.df == pytest.approx(sas["DF"], rel=1e-3)
    assert [found.lower, found.upper] == pytest.approx([sas["Lower"], sas["Upper"]], rel=2e-4)


@pytest.mark.reference
def test_optima_are_those_of_nlme(fev: Fev) -> None:
    """gls() of nlme 3.1.162, tolerances 1e-12: corCompSymm, corSymm and corExp, each with varIdent by visit."""
    for kind, effects, errors, likelihood in (
        ("csh", [40.2459297277159, 3.7710345924794], [0.456726532066, 0.661202247055], 3754.1849044722),
        ("us", [41.0050716857388, 3.8197501310061], [0.439719703455, 0.638907689548], 3667.9627561801),
        ("spexph", [39.9949789071655, 3.7862199729503], [0.492343259847, 0.717253227920], 3730.361941975),
    ):
        fit = fit_mmrm(fev.y, fev.design(fev.trt), kind, times=fev.times if kind == "spexph" else None)
        np.testing.assert_allclose(fit.params, effects, rtol=6e-6)
        np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), errors, rtol=3e-6)
        assert fit.minus_two_log_likelihood == pytest.approx(likelihood, abs=3e-7)
        assert fit.minus_two_log_likelihood <= likelihood


@pytest.mark.reference
def test_the_whole_model_of_sas(fev: Fev) -> None:
    """FEV1 ~ RACE + SEX + ARMCD * AVISIT, unstructured: coefficients, means, differences, type 3 tests, covariance."""
    sas = fev.sas()["C_us_reml"]
    fit = fit_mmrm(fev.y, fev.by_visit)
    assert fit.minus_two_log_likelihood == pytest.approx(sas["m2RLL"], abs=1e-5)
    assert fit.aic == pytest.approx(sas["AIC"], abs=0.06)
    np.testing.assert_allclose(fit.visit_covariance[0][np.tril_indices(4)], list(sas["cov"].values()), atol=2e-2)
    want = np.array(list(sas["coef"].values()), dtype=float)
    found = coefficients(fit)
    np.testing.assert_allclose(found[:, :2], want[:, :2], atol=4e-4)
    np.testing.assert_allclose(found[:, 2], want[:, 2], atol=0.55)
    means, differences = [], []
    for visit in range(4):
        rows = []
        for arm in (0.0, 1.0):
            row = np.zeros(11)
            # SAS weighs the classes alike
            row[[0, 1, 2, 3, 4]] = [1, 1 / 3, 1 / 3, 1 / 2, arm]
            if visit:
                row[[4 + visit, 7 + visit]] = [1, arm]
            rows.append(row)
        means.append([contrast(fit, row, method=SATTERTHWAITE) for row in rows])
        differences.append(contrast(fit, rows[1] - rows[0], method=SATTERTHWAITE))
    for arm, name in enumerate(("PBO", "TRT")):
        want = np.array(list(sas["lsmeans"][name].values()), dtype=float)
        got = np.array([[one[arm].estimate, one[arm].se, one[arm].df] for one in means])
        np.testing.assert_allclose(got[:, :2], want[:, :2], atol=4e-4)
        np.testing.assert_allclose(got[:, 2], want[:, 2], atol=0.55)
    for got, row in zip(differences, sas["lsm_diff_TRT_PBO"].values(), strict=True):
        assert [got.estimate, got.se, got.lower, got.upper] == pytest.approx([*row[:2], *row[4:]], abs=4e-4)
        assert got.df == pytest.approx(row[2], abs=0.51)
    zero = np.zeros((3, 11))
    zero[[0, 1, 2], [8, 9, 10]] = 1
    for rows, name in ((zero, "AVISIT*ARMCD"), (np.eye(11)[1:3], "RACE"), (np.eye(11)[3:4], "SEX")):
        test = joint_test(fit, rows, method=SATTERTHWAITE)
        want = sas["type3"][name]
        assert [test.df_numerator, test.f] == pytest.approx([want[0], want[2]], abs=8e-3)
        assert test.df_denominator == pytest.approx(want[1], abs=0.51)


@pytest.mark.reference
def test_maximum_likelihood_and_the_mean_alone(fev: Fev) -> None:
    sas = fev.sas()["D_intercept_only_us"]
    for reml, key in ((True, "reml"), (False, "ml")):
        fit = fit_mmrm(fev.y, fev.design(), reml=reml)
        likelihood = sas[key]["m2RLL" if reml else "m2LL"]
        assert fit.minus_two_log_likelihood == pytest.approx(likelihood, abs=2e-5)
        found = [fit.params[0], fit.covariance[0, 0] ** 0.5]
        assert found == pytest.approx([sas[key]["beta"], sas[key]["se"]], abs=1e-3)
        low = fit.visit_covariance[0][np.triu_indices(4, 1)]
        np.testing.assert_allclose(low, sas[key]["cov_lower_offdiag"], atol=2e-2)
    assert contrast(fit_mmrm(fev.y, fev.design()), [1.0]).df == pytest.approx(sas["reml"]["df"], abs=0.51)
    # normal limits, as SAS gives them for maximum likelihood and autoregression
    for key, kind, reml in (("A_us_ml_ci", "us", False), ("A_ar1_reml_ci", "ar1", True), ("A_ar1_ml_ci", "ar1", False)):
        fit = fit_mmrm(fev.y, fev.design(fev.trt, fev.female), kind, reml=reml)
        found = [contrast(fit, row, method=SATTERTHWAITE) for row in np.eye(3)]
        want = [fev.sas()[key][name] for name in ("Intercept", "TRT", "Female")]
        np.testing.assert_allclose([[one.lower, one.upper] for one in found], want, atol=1.1e-3)


@pytest.mark.reference
def test_robust_errors_are_those_of_club_sandwich(fev: Fev) -> None:
    """clubSandwich 0.5.8 on gls(FEV1 ~ ARMCD*AVISIT, corCompSymm, varIdent): vcovCR CR2, coef_test Satterthwaite."""
    later = fev.visits[1:]
    design = fev.design(fev.trt, *later, *[fev.trt * v for v in later])
    fit = fit_mmrm(fev.y, design, "csh")
    found = robust_contrasts(fit, fev.y, design, np.eye(8))
    errors = [0.715958698021, 1.123079193919, 0.735289625632, 0.809703772211, 1.251330224868, 1.137988083440,
              1.230810028268, 1.847470922351]  # fmt: skip
    df = [71.4502968278, 140.2748931069, 74.5953700998, 74.4965411160, 73.4525066518, 146.5446059409, 143.7594676215,
          143.8274187851]  # fmt: skip
    np.testing.assert_allclose([one.se for one in found], errors, rtol=2e-8)
    np.testing.assert_allclose([one.df for one in found], df, rtol=2e-7)
    assert found[1].p_value == pytest.approx(1.87713133174e-04, rel=1e-5)


def some(seed: int, n: int = 24, m: int = 4, lost: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses with gaps, a design of arm × visit and a covariate, and the days of the visits."""
    rng = np.random.default_rng(seed)
    days = np.cumsum(rng.uniform(20, 60, (n, m)), axis=1)
    root = rng.normal(size=(m, m)) + 2 * np.eye(m)
    y = 10 + rng.normal(size=(n, m)) @ root.T + rng.normal(size=(n, 1)) * 2
    y[rng.random((n, m)) < lost] = np.nan
    y[0] = rng.normal(10, 1, m)
    arm = np.repeat([0.0, 1.0], n // 2)[:, None, None]
    visit = np.broadcast_to(np.eye(m), (n, m, m))
    covariate = np.broadcast_to(rng.normal(size=(n, 1, 1)), (n, m, 1))
    return y, np.concatenate([visit, arm * visit, covariate], axis=2), days


@pytest.mark.parametrize("kind", sorted(STRUCTURES))
@pytest.mark.parametrize("reml", [True, False])
def test_derivatives_are_those_of_the_likelihood(kind: str, reml: bool) -> None:
    y, design, days = some(3)
    known = np.isfinite(y)
    apart = np.abs(days[:, :, None] - days[:, None]) * (known[:, :, None] & known[:, None])
    structure = Covariance(kind, 4, apart if kind.startswith("sp") else None)
    columns = np.where(known[:, :, None], design, 0.0)
    sums = collect(y - 10, columns, np.ones(4), shared=structure.distance is None)
    rng = np.random.default_rng(8)
    theta = structure.start(np.diag([2.0, 3.0, 5.0, 4.0]) + 1.0) * rng.uniform(0.9, 1.1, len(structure.names))

    def at(values: np.ndarray) -> float:
        point = evaluate(sums, structure, values, reml)
        assert point is not None
        return point.minus_two_log_likelihood

    def slope(values: np.ndarray) -> np.ndarray:
        point = evaluate(sums, structure, values, reml)
        assert point is not None
        return derivatives(sums, structure, values, point, reml)[0]

    point = evaluate(sums, structure, theta, reml)
    assert point is not None
    gradient, observed, expected = derivatives(sums, structure, theta, point, reml)
    steps = 1e-5 * np.abs(theta)
    numeric = [(at(theta + h) - at(theta - h)) / (2 * h.sum()) for h in np.diag(steps)]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)
    numeric = np.array([(slope(theta + h) - slope(theta - h)) / (2 * h.sum()) for h in np.diag(steps)])
    np.testing.assert_allclose(observed, numeric, rtol=1e-4, atol=1e-5 * np.abs(numeric).max())
    assert np.linalg.eigvalsh(expected)[0] > 0


def test_complete_visits_are_analyses_of_covariance() -> None:
    """With no gap and the same columns at each visit, each visit is its own least squares, with n - q degrees."""
    y, design, _ = some(5, n=18, m=3, lost=0.0)
    own = np.column_stack([np.ones(18), np.repeat([0.0, 1.0], 9), design[:, 0, -1]])
    # arm × visit and covariate × visit
    design = np.concatenate([design[:, :, :6], design[:, :, -1:] * design[:, :, :3]], axis=2)
    fit = fit_mmrm(y, design)
    for visit in range(3):
        params, rss = np.linalg.lstsq(own, y[:, visit], rcond=None)[:2]
        error = np.sqrt(rss[0] / 15 * np.linalg.inv(own.T @ own)[1, 1])
        row = np.eye(9)[3 + visit]
        for method in (KENWARD_ROGER, KENWARD_ROGER_LINEAR, SATTERTHWAITE):
            found = contrast(fit, row, method=method)
            assert [found.estimate, found.se, found.df] == pytest.approx([params[1], error, 15], rel=1e-8)
            assert found.p_value == pytest.approx(2 * stats.t.sf(abs(params[1] / error), 15), rel=1e-7)
    # Hotelling's test of the arms over all visits, from the residual sums of squares and products
    residual = y - own @ np.linalg.lstsq(own, y, rcond=None)[0]
    effect = np.linalg.lstsq(own, y, rcond=None)[0][1]
    spread = residual.T @ residual
    t2 = 15 * effect @ np.linalg.solve(spread, effect) / np.linalg.inv(own.T @ own)[1, 1]
    test = joint_test(fit, np.eye(9)[3:6])
    assert test.df_denominator == pytest.approx(13, rel=1e-6)
    assert test.f == pytest.approx(t2 * 13 / (15 * 3), rel=1e-6)


def test_one_visit_is_least_squares() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(9), rng.normal(size=9)])
    y = x @ [1.0, 2.0] + rng.normal(size=9)
    found = contrast(fit_mmrm(y[:, None], x[:, None, :]), [0, 1])
    line = stats.linregress(x[:, 1], y)
    assert [found.estimate, found.se, found.df] == pytest.approx([line.slope, line.stderr, 7], rel=1e-9)
    assert found.p_value == pytest.approx(line.pvalue, rel=1e-8)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(sorted(STRUCTURES)), st.sampled_from([1e-3, 1.0, 1e4]))
def test_order_units_and_absent_subjects_change_nothing(seed: int, kind: str, unit: float) -> None:
    y, design, days = some(seed, n=30)
    times = days if kind.startswith("sp") else None
    fit = fit_mmrm(y, design, kind, times=times)
    rng = np.random.default_rng(seed)
    order = rng.permutation(31)
    # a subject without any response
    more = [np.concatenate([a, a[:1]])[order] for a in (y, design, days)]
    more[0][np.flatnonzero(order == 30)] = np.nan
    other = fit_mmrm(more[0] * unit, more[1], kind, times=more[2] if times is not None else None)
    assert other.status == fit.status
    if fit.converged:
        np.testing.assert_allclose(other.params, fit.params * unit, rtol=2e-5, atol=2e-5 * unit)
        row = np.eye(9)[5]
        for method in (KENWARD_ROGER, SATTERTHWAITE):
            a, b = contrast(fit, row, method=method), contrast(other, row, method=method)
            assert [b.se, b.df] == pytest.approx([a.se * unit, a.df], rel=1e-3)


def test_kenward_roger_never_makes_errors_smaller_by_its_linear_form() -> None:
    for seed in range(10):
        y, design, _ = some(seed)
        fit = fit_mmrm(y, design)
        if fit.converged:
            linear, plain = (contrast(fit, np.eye(9)[5], method=m).se for m in (KENWARD_ROGER_LINEAR, SATTERTHWAITE))
            assert linear >= plain


def test_what_has_no_maximum_says_so() -> None:
    y, design, _ = some(1, lost=0.0)
    y[:, 1] = y[:, 0]
    fit = fit_mmrm(y, design)
    assert not fit.converged
    with pytest.raises(ParameterError, match=f"this fit is no estimate: {fit.status}"):
        contrast(fit, np.eye(9)[0])
    # more visits than subjects leave room for
    rng = np.random.default_rng(0)
    few = fit_mmrm(rng.normal(size=(5, 6)), np.ones((5, 6, 1)))
    assert not few.converged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones((3, 2, 1))}, r"want \(n, m\) and \(n, m, p\)"),
        ({"y": np.array([[1.0, np.inf], [2.0, 3.0], [3.0, 4.0]])}, "a response is infinite"),
        ({"y": np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])}, "no response at visit 2"),
        ({"design": np.ones((3, 2, 2))}, "6 responses do not determine 2 fixed effects"),
        ({"y": np.full((3, 2), 4.0)}, "explain every response"),
        ({"covariance": "toepf"}, r"no such structure \(did you mean 'toep'\?\)"),
        ({"covariance": "spexp"}, "needs the times of visits"),
        ({"times": np.ones((3, 2))}, "has no times"),
        ({"covariance": "spexp", "times": np.ones((2, 2))}, "want one for each visit of 3 subjects"),
        ({"covariance": "spexp", "times": np.full((3, 2), np.nan)}, "a response has no time"),
    ],
)
def test_what_cannot_be_fitted(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"y": np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]]), "design": np.ones((3, 2, 1))}
    with pytest.raises(ParameterError, match=message):
        fit_mmrm(**(given | change))


def test_contrasts_that_do_not_fit() -> None:
    y, design, _ = some(2)
    fit = fit_mmrm(y, design, "cs")
    with pytest.raises(ParameterError, match=r"weights of shape \(2,\) for 9"):
        contrast(fit, [1, 0])
    with pytest.raises(ParameterError, match="wants one of Satterthwaite"):
        contrast(fit, np.eye(9)[0], method="KR")
    with pytest.raises(ParameterError, match="independent rows"):
        joint_test(fit, np.ones((2, 9)))
    with pytest.raises(ParameterError, match="22 subjects and 9 effects; the fit has 24 and 9"):
        robust_contrasts(fit, y[2:], design[2:], np.eye(9))


def test_the_ladder_goes_down_only_where_there_is_no_estimate() -> None:
    y, design, days = some(6, n=30)
    rung = climb(y, design, days, np.eye(9)[:4])
    assert isinstance(rung, Rung)
    assert (rung.fit.structure.kind, rung.passed, rung.name) == ("us", (), "unstructured, Kenward-Roger")
    assert rung.contrast(np.eye(9)[5]) == contrast(rung.fit, np.eye(9)[5])
    # seven visits of nine subjects: no room for 28 covariances, nor for a Toeplitz of days that are not known
    y, design, days = some(9, n=10, m=7, lost=0.0)
    low = climb(y, design, np.full_like(days, np.nan), np.eye(15)[:7])
    assert isinstance(low, Rung)
    assert low.passed[0].startswith("unstructured: ")
    assert low.is_robust
    assert low.contrast(np.eye(15)[8]) == robust_contrasts(low.fit, y, design, np.eye(15)[8])[0]
    # visits that are copies of each other have no covariance at all
    y = np.repeat(y[:, :1], 7, axis=1)
    none = climb(y, design, days, np.eye(15)[:7])
    assert not isinstance(none, Rung)
    assert [reason.split(":")[0] for reason in none] == [STRUCTURES[kind] for kind in LADDER]


@pytest.mark.parametrize("kind", ["spexp", "spexph"])
@pytest.mark.parametrize("level", [0.0, 50.0])
def test_a_range_without_an_end_is_no_overflow(kind: str, level: float) -> None:
    """Visits that are nothing to each other, or all but one, drive the range to an end of its domain."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(12, 1)) * level + rng.normal(size=(12, 3))
    days = np.tile([30.0, 90.0, 180.0], (12, 1))
    fit = fit_mmrm(y, np.broadcast_to(np.eye(3), (12, 3, 3)), kind, times=days)
    assert np.isfinite(fit.theta).all()
    assert np.isfinite(fit.params).all()


@settings(max_examples=60)
@given(st.integers(0, 10**9))
def test_any_data_give_estimates_or_reasons(seed: int) -> None:
    """Few subjects, many gaps, visits of very unequal scale, ties, copies of visits: never a warning or an error."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(4, 20)), int(rng.integers(1, 6))
    y = rng.normal(size=(n, m)) * 10 ** rng.uniform(-6, 6) + rng.normal(size=(n, 1)) * 10 ** rng.uniform(-6, 6)
    if rng.random() < 0.2:
        y = np.round(y / np.abs(y).max() * rng.integers(1, 6))
    if rng.random() < 0.2:
        y = y * np.linspace(1, 10 ** rng.uniform(-4, 4), m)
    if rng.random() < 0.1:
        y[:, -1] = y[:, 0]
    y[1:][rng.random((n - 1, m)) < rng.uniform(0, 0.6)] = np.nan
    visit = np.broadcast_to(np.eye(m), (n, m, m))
    design = np.concatenate([visit, *[visit * rng.normal(size=(n, 1, 1)) for _ in range(rng.integers(0, 3))]], axis=2)
    days = np.cumsum(rng.uniform(0.1, 100, (n, m)), axis=1)
    found = climb(y, design, days, np.eye(design.shape[2])[:m])
    if isinstance(found, Rung):
        one = found.contrast(np.eye(design.shape[2])[0])
        assert np.isfinite([one.estimate, one.se, one.df, one.p_value]).all()
        assert one.lower < one.estimate < one.upper
    else:
        assert all(found)
