"""Standard curves of several plates of one kit, each drawn towards what all of them say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.serum.fit import n_parameters
from il2cyto.serum.logistic import Logistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.serum.fit import CurveFit

#: Plates below which a spread between plates cannot be told from their errors.
LEAST_PLATES = 3
_ROUNDS = 2000
_SETTLED = 1e-10


def pool_fits(fits: Sequence[CurveFit]) -> list[CurveFit]:
    """Return the curves of several plates estimated together: global two-stage, by plates as a normal population.

    The parameters ``a, log |b|, log c, d, log g`` of the plates are normal around a common mean with a variance
    of each, found by EM; the curve of a plate is its posterior mean, and its covariance the posterior one. A plate with
    a sure curve keeps it, one with an unsure curve leans on the others.

    Parameters
    ----------
    fits
        One per plate, of one analyte and scale; those without a curve, and those of another model than most, are
        returned as they are. With fewer than three others nothing is pooled.

    References
    ----------
    Davidian M, Giltinan DM. Nonlinear Models for Repeated Measurement Data. 1995, 5.3.2.
    """
    curves = {i: fit.curve for i, fit in enumerate(fits) if fit.curve is not None}
    kinds = Counter(_kind(fits[i], curve) for i, curve in curves.items())
    if not kinds:
        return list(fits)
    kind = max(sorted(kinds), key=lambda one: kinds[one])
    chosen = {i: curve for i, curve in curves.items() if _kind(fits[i], curve) == kind}
    if len(chosen) < LEAST_PLATES:
        return list(fits)
    free = n_parameters(kind[0])
    means = np.array([_parameters(curve)[:free] for curve in chosen.values()])
    errors = np.array([_covariance(fits[i], curve)[:free, :free] for i, curve in chosen.items()])
    posterior, spreads = _population(means, errors)
    pooled = list(fits)
    for (i, curve), parameters, covariance in zip(chosen.items(), posterior, spreads, strict=True):
        pooled[i] = _as_fit(fits[i], curve, parameters, covariance)
    return pooled


def _kind(fit: CurveFit, curve: Logistic) -> tuple[str, bool, str]:
    return fit.model, curve.b > 0, curve.scale


def _parameters(curve: Logistic) -> NDArray[np.float64]:
    return np.array([curve.a, math.log(abs(curve.b)), math.log(curve.c), curve.d, math.log(curve.g)])


def _covariance(fit: CurveFit, curve: Logistic) -> NDArray[np.float64]:
    """The covariance with the slope as the logarithm of its size."""
    scale = np.array([1.0, 1 / curve.b, 1.0, 1.0, 1.0])
    return np.asarray(fit.covariance * np.outer(scale, scale))


def _population(
    means: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """EM for a normal population with independent parameters."""
    variance = np.maximum(means.var(axis=0, ddof=1), 1e-12 * np.maximum(means.mean(axis=0) ** 2, 1e-12))
    centre = means.mean(axis=0)
    posterior, spreads = means, errors
    for _ in range(_ROUNDS):
        between = np.diag(variance)
        weights = np.linalg.pinv(errors + between, hermitian=True)
        centre = np.linalg.solve(weights.sum(axis=0), np.einsum("kij,kj->i", weights, means))
        posterior = centre + np.einsum("ij,kjl,kl->ki", between, weights, means - centre)
        spreads = between - between @ weights @ between
        renewed = ((posterior - centre) ** 2 + np.einsum("kii->ki", spreads)).mean(axis=0)
        if np.max(np.abs(renewed - variance) / np.maximum(variance, 1e-300)) < _SETTLED:
            break
        variance = np.maximum(renewed, 1e-300)
    return posterior, spreads


def _as_fit(
    fit: CurveFit, curve: Logistic, parameters: NDArray[np.float64], covariance: NDArray[np.float64]
) -> CurveFit:
    a, log_b, log_c, d = (float(one) for one in parameters[:4])
    g = math.exp(float(parameters[4])) if parameters.size > 4 else 1.0
    b = math.copysign(math.exp(log_b), curve.b)
    whole = np.zeros((5, 5))
    whole[: parameters.size, : parameters.size] = covariance
    scale = np.array([1.0, b, 1.0, 1.0, 1.0])
    drawn = Logistic(a, b, math.exp(log_c), d, g, curve.scale)
    return replace(fit, curve=drawn, covariance=whole * np.outer(scale, scale))
