"""Contrasts of a fitted model for repeated measures, with degrees of freedom for small samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError
from il2cyto.models.mmrm.fit import MmrmFit

Floats = NDArray[np.float64]

SATTERTHWAITE: Final = "Satterthwaite"
KENWARD_ROGER: Final = "Kenward-Roger"
KENWARD_ROGER_LINEAR: Final = "Kenward-Roger (linear)"
METHODS: Final = (SATTERTHWAITE, KENWARD_ROGER, KENWARD_ROGER_LINEAR)


@dataclass(frozen=True)
class Contrast:
    """A linear combination of fixed effects; limits are 95 % t limits, `p_value` is two-sided for 0."""

    estimate: float
    se: float
    df: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True)
class JointTest:
    """Several combinations at once: an F test of all being 0."""

    f: float
    df_numerator: int
    df_denominator: float
    p_value: float


def contrast(fit: MmrmFit, weights: ArrayLike, *, method: str = KENWARD_ROGER) -> Contrast:
    """Estimate a linear combination of the fixed effects.

    Parameters
    ----------
    fit
        From `il2cyto.models.mmrm.fit_mmrm`.
    weights
        Shape ``(p,)``.
    method
        ``Kenward-Roger`` (default), ``Kenward-Roger (linear)``, which leaves out the second derivatives of the
        covariance, or ``Satterthwaite``.

    Raises
    ------
    ParameterError
        If the fit did not converge, or the weights do not fit.

    Notes
    -----
    Kenward and Roger, Biometrics 53 (1997) 983, with the observed information of the covariance parameters in the
    parametrisation of SAS PROC MIXED.

    Examples
    --------
    >>> import numpy as np
    >>> from il2cyto.models.mmrm import fit_mmrm
    >>> y = np.array([[1.0, 3.0], [2.0, 3.5], [4.0, 4.5], [3.0, 5.5]])
    >>> fit = fit_mmrm(y, np.broadcast_to(np.eye(2), (4, 2, 2)))
    >>> change = contrast(fit, [-1, 1])
    >>> round(change.estimate, 6), round(change.se, 6), round(change.df, 6)
    (1.625, 0.426956, 3.0)
    """
    row = np.asarray(weights, dtype=np.float64)
    if row.shape != fit.params.shape:
        raise ParameterError(f"weights of shape {row.shape} for {fit.params.size} fixed effects")
    _usable(fit, method)
    adjusted = adjusted_covariance(fit, method)
    return t_contrast(float(row @ fit.params), math.sqrt(float(row @ adjusted @ row)), _one_df(fit, row))


def t_contrast(estimate: float, se: float, df: float) -> Contrast:
    """Return an estimate with its t limits and test; without variation there is nothing to test against."""
    from scipy import stats

    half = float(stats.t.ppf(0.975, df)) * se
    p_value = float(2 * stats.t.sf(abs(estimate) / se, df)) if se > 0 else math.nan
    return Contrast(estimate, se, df, estimate - half, estimate + half, p_value)


def joint_test(fit: MmrmFit, weights: ArrayLike, *, method: str = KENWARD_ROGER) -> JointTest:
    """Test whether several linear combinations are all 0.

    Parameters
    ----------
    fit
        From `il2cyto.models.mmrm.fit_mmrm`.
    weights
        Shape ``(q, p)``, of rank q.
    method
        As in `contrast`; by Satterthwaite the denominator is that of Fai and Cornelius (1996).

    Raises
    ------
    ParameterError
        If the fit did not converge, or the rows do not fit or depend on each other.
    """
    rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    q = len(rows)
    if rows.shape[1:] != fit.params.shape or np.linalg.matrix_rank(rows) < q:
        raise ParameterError(f"weights of shape {rows.shape}: want independent rows for {fit.params.size} effects")
    _usable(fit, method)
    from scipy import stats

    value = rows @ fit.params
    inverse = np.linalg.inv(rows @ adjusted_covariance(fit, method) @ rows.T)
    f = float(value @ inverse @ value) / q
    if q == 1:
        df, scale = _one_df(fit, rows[0]), 1.0
    elif method == SATTERTHWAITE:
        df, scale = _fai_cornelius(fit, rows), 1.0
    else:
        df, scale = _kenward_roger_df(fit, rows)
    f *= scale
    return JointTest(f, q, df, float(stats.f.sf(f, q, df)))


def adjusted_covariance(fit: MmrmFit, method: str = KENWARD_ROGER) -> Floats:
    """Return the covariance of the fixed effects ``(p, p)``, enlarged for the estimation of the variances."""
    if method == SATTERTHWAITE:
        return fit.covariance
    phi, slopes = fit.covariance, fit.slopes
    other = np.tensordot(fit.theta_covariance, slopes, axes=1)
    inner = fit.products - (slopes @ phi @ other).sum(axis=0)
    if method == KENWARD_ROGER:
        inner = inner - fit.curvature / 4
    adjusted = phi + 2 * phi @ inner @ phi
    return np.asarray((adjusted + adjusted.T) / 2)


def _usable(fit: MmrmFit, method: str) -> None:
    if method not in METHODS:
        raise ParameterError(f"method {method!r}: wants one of {', '.join(METHODS)}")
    if not fit.converged:
        raise ParameterError(f"this fit is no estimate: {fit.status}")


def _one_df(fit: MmrmFit, row: Floats) -> float:
    """Satterthwaite's degrees of freedom, to which those of Kenward and Roger come for one row."""
    turned = fit.covariance @ row
    gradient = np.einsum("p,kpq,q->k", turned, fit.slopes, turned)
    variance = float(row @ turned)
    return 2 * variance**2 / float(gradient @ fit.theta_covariance @ gradient)


def _fai_cornelius(fit: MmrmFit, rows: Floats) -> float:
    _, vectors = np.linalg.eigh(rows @ fit.covariance @ rows.T)
    df = np.array([_one_df(fit, row) for row in vectors.T @ rows])
    if np.ptp(df) < 1e-8 * df.max():
        return float(df.mean())
    above = float(np.sum(df[df > 2] / (df[df > 2] - 2)))
    return 2 * above / (above - len(rows)) if above > len(rows) else 2.0


def _kenward_roger_df(fit: MmrmFit, rows: Floats) -> tuple[float, float]:
    """Denominator and the factor of F: Kenward and Roger (1997), section 3."""
    q = len(rows)
    phi = fit.covariance
    theta = rows.T @ np.linalg.inv(rows @ phi @ rows.T) @ rows
    moved = -(theta @ phi @ fit.slopes @ phi)
    traces = np.einsum("kpp->k", moved)
    w = fit.theta_covariance
    a1 = float(traces @ w @ traces)
    a2 = float(np.einsum("kpq,kqp->", moved, np.tensordot(w, moved, axes=1)))
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    under = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / under, (q - g) / under, (q + 2 - g) / under
    mean = 1 / (1 - a2 / q)
    variance = 2 / q * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * mean**2)
    df = 4 + (q + 2) / (q * rho - 1)
    return df, df / (mean * (df - 2))
