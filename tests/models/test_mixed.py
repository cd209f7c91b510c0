"""The random-intercept fit against closed forms of balanced data and SAS PROC MIXED."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import ParameterError
from il2cyto.models.mixed import MIXED, OLS, Fit, fit_random_intercept


def balanced(seed: int, subjects: int, visits: int, tau: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.normal(0, tau, subjects)[:, None] + rng.normal(0, 0.2, (subjects, visits)) + np.arange(visits)
    design = np.tile(np.eye(visits), (subjects, 1))
    return y, design, np.repeat(np.arange(subjects), visits)


def test_balanced_data_have_the_estimates_of_analysis_of_variance() -> None:
    y, design, subject = balanced(seed=3, subjects=12, visits=4, tau=0.4)
    fit = fit_random_intercept(y.ravel(), design, subject)
    by_subject = y.mean(axis=1)
    residuals = y - by_subject[:, None] - y.mean(axis=0) + y.mean()
    within = (residuals**2).sum() / (11 * 3)
    between = by_subject.var(ddof=1) - within / 4
    assert fit.method == MIXED
    assert fit.note == ""
    np.testing.assert_allclose([fit.within, fit.between], [within, between], rtol=1e-5)
    np.testing.assert_allclose(fit.params, y.mean(axis=0), rtol=1e-10)
    variances = (within * np.eye(4) + between) / 12
    np.testing.assert_allclose(fit.covariance, variances, rtol=1e-5)


def test_where_subjects_differ_less_than_by_chance_the_variance_is_zero() -> None:
    # the subjects' means are all 0, as only a negative correlation within subjects would make them
    y = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5], [-0.5, 0.5]])
    fit = fit_random_intercept(y.ravel(), np.tile(np.eye(2), (4, 1)), np.repeat(np.arange(4), 2))
    assert fit.method == OLS
    assert fit.note == "the variance between subjects is at its boundary, 0"
    # 8 observations, 2 effects: the variance is 5 / 6, that of a mean of 4 is a quarter of it
    np.testing.assert_allclose(fit.covariance, np.eye(2) * 5 / 6 / 4)
    assert fit.between == 0.0


def test_the_boundary_is_where_the_analysis_of_variance_puts_it() -> None:
    for seed in range(200):
        y, design, subject = balanced(seed, subjects=6, visits=3, tau=0.05)
        residuals = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
        between = y.mean(axis=1).var(ddof=1) - (residuals**2).sum() / 10 / 3
        if abs(between) > 1e-3:
            assert (fit_random_intercept(y.ravel(), design, subject).method == MIXED) == (between > 0), seed


def test_one_observation_per_subject_is_least_squares() -> None:
    y = np.array([1.0, 2.0, 4.0])
    fit = fit_random_intercept(y, np.ones((3, 1)), np.arange(3))
    assert (fit.method, fit.note) == (OLS, "one observation per subject")
    np.testing.assert_allclose([fit.params[0], fit.covariance[0, 0]], [7 / 3, y.var(ddof=1) / 3])


def test_data_without_noise_are_fitted_exactly() -> None:
    y = np.tile([0.25, 0.75], 5)
    fit = fit_random_intercept(y, np.tile(np.eye(2), (5, 1)), np.repeat(np.arange(5), 2))
    np.testing.assert_allclose(fit.params, [0.25, 0.75], rtol=1e-14)
    assert not fit.covariance.any()
    assert fit.note.startswith("no residual variation")


@pytest.mark.parametrize("design", [np.ones((3, 2)), np.eye(3)])
def test_designs_that_determine_nothing(design: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="3 observations do not determine"):
        fit_random_intercept(np.array([1.0, 2.0, 4.0]), design, np.array([0, 0, 1]))


@pytest.fixture
def fev(reference: Path) -> pd.DataFrame:
    return pd.read_csv(reference / "mmrm" / "fev_data.csv").dropna(subset=["FEV1"])


def fit_fev(fev: pd.DataFrame, design: np.ndarray) -> Fit:
    subject = np.unique(fev["USUBJID"], return_inverse=True)[1]
    return fit_random_intercept(fev["FEV1"].to_numpy(float), design, subject)


@pytest.mark.reference
def test_unbalanced_data_as_sas_fits_them(fev: pd.DataFrame) -> None:
    # PROC MIXED, compound symmetry, REML, intercept only: listing sas_cs_reml.txt
    fit = fit_fev(fev, np.ones((len(fev), 1)))
    assert fit.method == MIXED
    # SAS stops 4e-6 above the minimum of -2 log REML (3917.98183508 in the listing, 3917.98183111 here)
    assert fit.between == pytest.approx(5.8943, rel=2e-3)
    assert fit.between + fit.within == pytest.approx(86.8968, abs=2e-3)
    np.testing.assert_allclose([fit.between, fit.between + fit.within], [5.90220747, 86.89779441], rtol=1e-6)
    np.testing.assert_allclose([fit.params[0], fit.covariance[0, 0] ** 0.5], [42.2896, 0.4285], atol=6e-5)


@pytest.mark.reference
def test_an_arm_effect_as_sas_fits_it(fev: pd.DataFrame, reference: Path) -> None:
    sas = pd.read_csv(reference / "mmrm" / "sas_kr" / "kr_cs.csv").iloc[0]
    fit = fit_fev(fev, np.column_stack([np.ones(len(fev)), fev["ARMCD"].eq("TRT").astype(float)]))
    assert fit.params[1] == pytest.approx(sas["Estimate"], rel=1e-4)
    # SAS widens the standard error by Kenward and Roger's correction, a little at 200 subjects
    assert fit.covariance[1, 1] ** 0.5 == pytest.approx(sas["StdErr"], rel=2e-3)
