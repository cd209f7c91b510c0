"""Robust covariance of fixed effects for few subjects: CR2, bias-reduced linearisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError
from il2cyto.models.mmrm.contrast import Contrast, t_contrast
from il2cyto.models.mmrm.fit import known_subjects

if TYPE_CHECKING:
    from il2cyto.models.mmrm.fit import MmrmFit

Floats = NDArray[np.float64]


def robust_contrasts(fit: MmrmFit, y: ArrayLike, design: ArrayLike, weights: ArrayLike) -> list[Contrast]:
    """Estimate linear combinations of the fixed effects with errors that hold if the structure does not.

    Parameters
    ----------
    fit
        From `il2cyto.models.mmrm.fit_mmrm`.
    y, design
        What was fitted: ``(n_subjects, n_visits)`` and ``(n_subjects, n_visits, p)``.
    weights
        Shape ``(p,)`` or ``(q, p)``.

    Returns
    -------
    list of Contrast
        One for each row.

    Raises
    ------
    ParameterError
        If the fit did not converge, or the arrays do not fit.

    Notes
    -----
    Bell and McCaffrey, Survey Methodology 28 (2002) 169, for generalised least squares, with the degrees of freedom of
    Pustejovsky and Tipton, Journal of Business and Economic Statistics 36 (2018) 672; the fitted covariance is the
    working model.
    """
    rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if rows.shape[1:] != fit.params.shape:
        raise ParameterError(f"weights of shape {rows.shape} for {fit.params.size} fixed effects")
    if not fit.converged:
        raise ParameterError(f"this fit is no estimate: {fit.status}")
    response, columns, _ = known_subjects(y, design)
    n, m, p = columns.shape
    if p != fit.params.size or n != fit.n_subjects:
        raise ParameterError(f"{n} subjects and {p} effects; the fit has {fit.n_subjects} and {fit.params.size}")
    known = np.isfinite(response)
    both = known[:, :, None] & known[:, None, :]
    unit = np.where(known[:, :, None], 0.0, np.eye(m))
    omega = np.where(both, fit.visit_covariance, 0.0) + unit
    inverse = np.where(both, np.linalg.inv(omega), 0.0)
    residual = np.where(known, response, 0.0) - columns @ fit.params
    bread = fit.covariance
    # unknown visits have 1 on the diagonal here, 0 in the weights: they drop out
    root = np.linalg.cholesky(omega)
    inner = root.swapaxes(1, 2) @ (omega - columns @ bread @ columns.swapaxes(1, 2)) @ root
    adjust = root @ _inverse_root(inner) @ root.swapaxes(1, 2)
    # (n, p, m): what a subject's residuals add to the effects
    influence = bread @ columns.swapaxes(1, 2) @ inverse @ adjust
    scores = np.einsum("npm,nm->np", influence, residual)
    covariance = scores.T @ scores
    found = []
    for row in rows:
        estimate, se = float(row @ fit.params), math.sqrt(float(row @ covariance @ row))
        turned = np.einsum("p,npm->nm", row, influence)
        through = np.einsum("nm,nmp->np", turned, columns)
        products = -through @ bread @ through.T
        products[np.diag_indices(n)] += np.einsum("nm,nmk,nk->n", turned, omega, turned)
        df = float(np.trace(products) ** 2 / np.sum(products**2))
        found.append(t_contrast(estimate, se, df))
    return found


def _inverse_root(matrices: Floats) -> Floats:
    """Symmetric inverse square roots; directions that the design takes up whole are left out."""
    values, vectors = np.linalg.eigh(matrices)
    largest = values[:, -1:]
    kept = values > 1e-12 * largest
    scaled = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return np.asarray((vectors * scaled[:, None, :]) @ vectors.swapaxes(1, 2))
