"""Residuals of the mixed model on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.models.mmrm import check_residuals, climb, fit_mmrm


def data(n: int = 60, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    spread = np.array([[1.0, 0.6, 0.3], [0.0, 1.5, 0.9], [0.0, 0.0, 2.0]])
    y = rng.normal(size=(n, 3)) @ spread + [1.0, 2.0, 3.0]
    y[rng.random((n, 3)) < 0.1] = np.nan
    return y, np.broadcast_to(np.eye(3), (n, 3, 3))


def test_they_are_alike_where_the_covariance_holds() -> None:
    y, means = data()
    check = check_residuals(fit_mmrm(y, means), y, means)
    assert np.array_equal(np.isnan(check.scaled), np.isnan(y))
    assert float(np.nanmean(check.scaled**2)) == pytest.approx(1.0, abs=0.05)
    # the covariance was estimated, so little of it is left between visits
    assert check.largest_correlation < 0.1
    assert (abs(check.skewness) < 0.5, 2.0 < check.kurtosis < 4.5, check.remark) == (True, True, "")


def test_a_covariance_that_does_not_hold_is_seen() -> None:
    y, means = data(200)
    check = check_residuals(fit_mmrm(y, means, "cs"), y, means)
    assert float(np.nanvar(check.scaled[:, 0])) < 0.6 < 1.3 < float(np.nanvar(check.scaled[:, 2]))


def test_by_hand_with_one_visit() -> None:
    y = np.array([[1.0], [2.0], [6.0], [3.0]])
    means = np.ones((4, 1, 1))
    check = check_residuals(fit_mmrm(y, means), y, means)
    assert check.scaled[:, 0] == pytest.approx((y[:, 0] - 3.0) / np.std(y, ddof=1))
    assert (check.subject, check.visit) == (2, 0)
    assert np.isnan(check.largest_correlation)


def test_one_far_out_is_told() -> None:
    y, means = data()
    y[7, 1] = 40.0
    rung = climb(y, means, np.tile([30.0, 91.0, 182.0], (60, 1)), np.eye(3))
    check = check_residuals(rung.fit, y, means)  # type: ignore[union-attr]
    assert (check.subject, check.visit) == (7, 1)
    assert rung.remark == f"a residual of {check.largest:.1f} standard deviations"  # type: ignore[union-attr]
