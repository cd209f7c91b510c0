"""Groups that were not randomised, compared where they overlap: propensity scores and overlap weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]

_STEPS: Final = 100
_CLOSE: Final = 1e-10
#: Longest step of Newton's method in the linear predictor's coefficients.
_LONGEST: Final = 5.0
#: Linear predictor beyond which a likelihood without a penalty is taken to have no maximum: groups are told apart.
_SEPARATED: Final = 12.0


@dataclass(frozen=True, eq=False)
class Propensity:
    """Probability of belonging to the first group, given what is known before treatment.

    Attributes
    ----------
    score
        Of each subject, ``(n,)``, strictly between 0 and 1.
    params
        Coefficients of the standardised covariates and the constant, ``(p,)``.
    design
        Their columns, ``(n, p)``.
    penalised
        Whether the estimates are Firth's.
    """

    score: Floats
    params: Floats
    design: Floats
    penalised: bool

    @property
    def method(self) -> str:
        """How it was fitted, in words."""
        return "Firth's logistic regression (the groups are told apart)" if self.penalised else "logistic regression"


@dataclass(frozen=True)
class WeightedDifference:
    """Difference of two weighted means.

    Attributes
    ----------
    estimate, se, lower, upper, p_value
        Of the first group less the second, with 95 % limits of t with n - p - 1 degrees of freedom, p the coefficients
        of the score.
    first, second
        The weighted means.
    n_effective
        Effective size of each group, ``(Σw)² / Σw²``.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    p_value: float
    first: float
    second: float
    n_effective: tuple[float, float]


def propensity(treated: NDArray[np.bool_], covariates: Floats) -> Propensity:
    """Fit the probability of the first group by logistic regression, with Firth's penalty where it has no maximum.

    Weights of a score without the penalty make the means of the covariates equal; the penalty leaves a part of the
    imbalance, and so of the confounding. It is for covariates that tell groups apart completely, where nothing else is
    finite.

    Parameters
    ----------
    treated
        Who is in the first group, ``(n,)``.
    covariates
        Known before treatment, ``(n, q)``, without NaN; columns that do not vary are dropped.

    Returns
    -------
    Propensity
        Finite also where a covariate tells the groups apart completely.

    Raises
    ------
    ParameterError
        If a group is empty, a covariate is NaN, or there are not more subjects than covariates.

    Notes
    -----
    Firth, Biometrika 80 (1993) 27; Heinze and Schemper, Statistics in Medicine 21 (2002) 2409.

    Examples
    --------
    >>> found = propensity(np.array([True, True, False, False]), np.array([[1.0], [2.0], [1.5], [3.0]]))
    >>> [round(float(one), 2) for one in found.score], found.penalised
    ([0.8, 0.43, 0.64, 0.12], False)
    >>> found = propensity(np.array([True, True, False, False]), np.array([[1.0], [1.5], [2.0], [3.0]]))
    >>> [round(float(one), 2) for one in found.score], found.penalised
    ([0.82, 0.66, 0.45, 0.12], True)
    """
    n = len(treated)
    if not 0 < treated.sum() < n:
        raise ParameterError("one of the groups has no subject")
    if np.isnan(covariates).any():
        raise ParameterError("a covariate is not known of every subject")
    spread = covariates.std(axis=0)
    kept = covariates[:, spread > 0]
    design = (
        np.column_stack([np.ones(n), (kept - kept.mean(axis=0)) / kept.std(axis=0)]) if kept.size else np.ones((n, 1))
    )
    if np.linalg.matrix_rank(design) < design.shape[1] or n <= design.shape[1]:
        raise ParameterError(f"{n} subjects do not determine the effects of {design.shape[1] - 1} covariates")
    y = treated.astype(np.float64)
    plain = _plain(design, y)
    if plain is not None:
        return Propensity(_parts(design, plain)[0], plain, design, penalised=False)
    beta = _firth(design, y)
    return Propensity(_parts(design, beta)[0], beta, design, penalised=True)


def _plain(design: Floats, y: Floats) -> Floats | None:
    """Coefficients of the greatest likelihood by Newton's method; ``None`` where they run away."""
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        score, information, _ = _parts(design, beta)
        step = np.linalg.lstsq(information, design.T @ (y - score), rcond=None)[0]
        beta = beta + step * min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(design @ beta).max()) > _SEPARATED:
            return None
        if float(np.abs(step).max()) < _CLOSE:
            return beta
    return None


def _firth(design: Floats, y: Floats) -> Floats:
    """Coefficients of the greatest likelihood with Firth's penalty."""
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        score, information, hat = _parts(design, beta)
        gradient = design.T @ (y - score + hat * (0.5 - score))
        step = np.linalg.solve(information, gradient)
        step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300))
        before = _penalised(design, y, beta)
        for _ in range(_STEPS):
            if _penalised(design, y, beta + step) >= before - 1e-12:
                break
            step /= 2
        beta = beta + step
        if float(np.abs(step).max()) < _CLOSE:
            break
    return beta


def weighted_difference(outcome: Floats, treated: NDArray[np.bool_], scores: Propensity) -> WeightedDifference:
    """Compare the means of two groups with overlap weights: ``1 − score`` in the first, ``score`` in the second.

    The weighted groups have the same means of every covariate of an unpenalised score, and stand for subjects who may
    have come into either group. With outcomes 0 and 1 it is a risk difference.

    Parameters
    ----------
    outcome
        Shape ``(n,)``, without NaN.
    treated
        Who is in the first group.
    scores
        From `propensity` for the same subjects.

    Returns
    -------
    WeightedDifference
        With the standard error of the joint estimating equations of scores and means, times ``√(n / (n − p − 1))``.

    Raises
    ------
    ParameterError
        If the outcome is not known of every subject.

    Notes
    -----
    Li, Morgan and Zaslavsky, Journal of the American Statistical Association 113 (2018) 390; errors by M-estimation as
    in Stefanski and Boos, American Statistician 56 (2002) 29.

    Examples
    --------
    >>> treated, age = np.arange(8) % 2 == 0, np.array([[9.0], [9.0], [12.0], [12.0], [14.0], [14.0], [7.0], [7.0]])
    >>> found = weighted_difference(np.where(treated, 3.0, 1.0), treated, propensity(treated, age))
    >>> round(found.estimate, 6), round(found.se, 6)
    (2.0, 0.0)
    """
    from scipy.stats import t

    if np.isnan(outcome).any():
        raise ParameterError("the outcome is not known of every subject")
    e, design, z = scores.score, scores.design, treated.astype(np.float64)
    n, p = design.shape
    first, second = z * (1 - e), (1 - z) * e
    mean1, mean2 = float(first @ outcome / first.sum()), float(second @ outcome / second.sum())
    # estimating equations of the score and of both means, and their derivatives
    slope = (e * (1 - e))[:, None] * design
    equations = np.column_stack([design * (z - e)[:, None], first * (outcome - mean1), second * (outcome - mean2)])
    bread = np.zeros((p + 2, p + 2))
    bread[:p, :p] = design.T @ slope
    bread[p, :p] = (z * (outcome - mean1)) @ slope
    bread[p + 1, :p] = -((1 - z) * (outcome - mean2)) @ slope
    bread[p, p], bread[p + 1, p + 1] = first.sum(), second.sum()
    inverse = np.linalg.inv(bread)
    covariance = inverse @ (equations.T @ equations) @ inverse.T
    contrast = np.r_[np.zeros(p), 1.0, -1.0]
    few = max(n - p - 1, 1)
    se = float(np.sqrt(max(contrast @ covariance @ contrast, 0.0) * n / few))
    difference = mean1 - mean2
    sizes = tuple(float(w.sum() ** 2 / (w**2).sum()) for w in (first, second))
    p_value = float(2 * t.sf(abs(difference) / se, few)) if se > 0 else float("nan")
    half = float(t.ppf(0.975, few)) * se
    return WeightedDifference(
        difference, se, difference - half, difference + half, p_value, mean1, mean2, (sizes[0], sizes[1])
    )


def _parts(design: Floats, beta: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores, information, and leverage of each subject."""
    score = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -500, 500)))
    weight = score * (1 - score)
    information = design.T @ (weight[:, None] * design)
    hat = weight * np.einsum("ij,jk,ik->i", design, np.linalg.pinv(information), design)
    return score, information, hat


def _penalised(design: Floats, y: Floats, beta: Floats) -> float:
    eta = design @ beta
    log_likelihood = float((y * eta - np.logaddexp(0.0, eta)).sum())
    sign, log_det = np.linalg.slogdet(_parts(design, beta)[1])
    return log_likelihood + 0.5 * float(log_det) if sign > 0 else -np.inf
