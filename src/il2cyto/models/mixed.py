"""A linear model with a random intercept per subject, over arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]

MIXED: Final = "linear mixed model (REML), random intercept per subject"
OLS: Final = "ordinary least squares"


@dataclass(frozen=True, eq=False)
class Fit:
    """Fixed effects of a fitted model.

    Attributes
    ----------
    params, covariance
        Estimates ``(p,)`` and their covariance ``(p, p)``.
    between, within
        Variances between and within subjects; by least squares all is within.
    method
        `MIXED` or `OLS`.
    note
        Why it is not the mixed model, or that nothing is left to estimate variances from; else empty.
    """

    params: Floats
    covariance: Floats
    between: float
    within: float
    method: str
    note: str


def fit_random_intercept(y: Floats, design: Floats, subjects: NDArray[np.intp]) -> Fit:
    """Fit ``y = design · β + u[subject] + ε`` by REML, or by least squares where REML puts the variance of ``u`` at 0.

    The variances come from statsmodels' ``MixedLM``; ``β`` and its covariance follow from them by generalised least
    squares. Whether the maximum lies at the boundary is told beforehand by the score of the REML likelihood there, so
    that no optimiser has to walk into it.

    Parameters
    ----------
    y
        Observations, shape ``(n,)``.
    design
        Columns of the fixed effects, shape ``(n, p)``, of full rank.
    subjects
        Number of the subject of each observation, from 0.

    Raises
    ------
    ParameterError
        If the design is not of full rank, or leaves no degree of freedom.
    """
    n, p = design.shape
    if np.linalg.matrix_rank(design) < p or n <= p:
        raise ParameterError(f"{n} observations do not determine {p} effects and a variance")
    inverse = np.linalg.inv(design.T @ design)
    params = inverse @ design.T @ y
    residuals = y - design @ params
    rss = float(residuals @ residuals)
    scale = float(np.max(np.abs(y), initial=0.0) + np.max(np.abs(design @ params), initial=0.0))
    if rss <= n * (1e-12 * scale) ** 2:
        return Fit(params, np.zeros((p, p)), 0.0, 0.0, OLS, "no residual variation: the limits are those of rounding")
    variance = rss / (n - p)
    least_squares = Fit(params, variance * inverse, 0.0, variance, OLS, "")
    if np.unique(subjects).size == n:
        return _noted(least_squares, "one observation per subject")
    # d logREML / d var(u) at 0 is half of r'ZZ'r / s⁴ - tr((I - H) ZZ') / s²
    sums = np.bincount(subjects, residuals)
    per_subject = np.column_stack([np.bincount(subjects, column) for column in design.T])
    trace = n - float(np.einsum("ij,jk,ik->", per_subject, inverse, per_subject))
    if float(sums @ sums) <= variance * trace:
        return _noted(least_squares, "the variance between subjects is at its boundary, 0")
    return _reml(y, design, subjects, least_squares)


def _reml(y: Floats, design: Floats, subjects: NDArray[np.intp], least_squares: Fit) -> Fit:
    from statsmodels.regression.mixed_linear_model import MixedLM

    model = MixedLM(y, design, groups=subjects, exog_re=np.ones((len(y), 1)))
    # the likelihood is flat near its maximum, where the default tolerances leave errors of 1e-3 in the variances
    for optimiser, tolerance in (("bfgs", {"gtol": 1e-10}), ("powell", {"xtol": 1e-10, "ftol": 1e-14})):
        # a failed optimiser is answered by the next one, and the last one by a note in the table
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                result = model.fit(reml=True, method=optimiser, **tolerance)
            except (np.linalg.LinAlgError, ValueError):
                continue
        within, between = float(result.scale), float(result.cov_re[0, 0])
        if result.converged and np.isfinite([within, between]).all() and within > 0 and between > 0:
            return _gls(y, design, subjects, between, within)
    return _noted(least_squares, "the mixed model did not converge")


def _gls(y: Floats, design: Floats, subjects: NDArray[np.intp], between: float, within: float) -> Fit:
    # V⁻¹ of a subject with m observations is (I - k 11') / σ², k = τ² / (σ² + m τ²)
    sizes = np.bincount(subjects)
    shrink = (between / (within + sizes * between))[subjects]

    def weighted(columns: Floats) -> Floats:
        sums = np.column_stack([np.bincount(subjects, column) for column in columns.T])
        return (columns - shrink[:, None] * sums[subjects]) / within

    covariance = np.asarray(np.linalg.inv(design.T @ weighted(design)), dtype=np.float64)
    params = np.asarray(covariance @ (design.T @ weighted(y[:, None]))[:, 0], dtype=np.float64)
    return Fit(params, covariance, between, within, MIXED, "")


def _noted(fit: Fit, note: str) -> Fit:
    return replace(fit, note=note)
