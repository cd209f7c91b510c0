"""A linear model with a random intercept per subject for values of which some are known as limits only, over arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]

#: Nodes of the quadrature over the random intercept, placed at each subject's own mode and width.
NODES: Final = 15
_STEPS: Final = 30
#: Largest angle whose tangent is the ratio of the two standard deviations: a ratio of 6.
_STEEPEST: Final = 1.4056
_REACH: Final = 0.15
#: Ratio above which a subject whose values are all censored needs more nodes, and how many.
_WIDE: Final = 1.5
_MORE: Final = 180
#: Step of the differences that the search goes by; the inner maximum is known to about 1e-8.
_STEP: Final = 1e-4


@dataclass(frozen=True, eq=False)
class CensoredFit:
    """Fixed effects of a fitted censored model.

    Attributes
    ----------
    params, covariance
        Estimates ``(p,)`` and their covariance ``(p, p)``, out of the observed information of all parameters.
    sd_within, sd_between
        Standard deviations of the residual and of the subjects' intercepts; `sd_between` is 0 at its boundary, and
        where every subject has one value.
    log_likelihood
        Restricted log-likelihood at the maximum.
    converged
        Whether the optimiser reached a maximum with an invertible information.
    note
        Why not, or that the variance between subjects is at its boundary; else empty.
    """

    params: Floats
    covariance: Floats
    sd_within: float
    sd_between: float
    log_likelihood: float
    converged: bool
    note: str


@dataclass(frozen=True, eq=False)
class _Data:
    """Values sorted by subject: `y`, `censor` (-1, 0, 1), `design`, number of the subject, and where each begins."""

    y: Floats
    censor: NDArray[np.int8]
    design: Floats
    subject: NDArray[np.intp]
    starts: NDArray[np.intp]


def fit_censored(
    y: Floats, censor: NDArray[np.int8], design: Floats, subjects: NDArray[np.intp], *, nodes: int = NODES
) -> CensoredFit:
    """Fit ``y = design · β + u[subject] + ε`` where a value may be known only to lie below or above its limit.

    The likelihood of a value is its normal density, of a censored one the normal probability beyond its limit (Tobin
    1958); the intercepts are integrated out by adaptive Gauss–Hermite quadrature (Pinheiro and Bates 1995). The
    standard deviations maximise the likelihood with ``β`` integrated out by Laplace's method, which is REML where
    nothing is censored (Harville 1974); ``β`` maximises the likelihood given them.

    Parameters
    ----------
    y
        Values on the scale of the model, shape ``(n,)``; the limit itself where the value is censored.
    censor
        0 for a value, -1 below and 1 above the limit, shape ``(n,)``.
    design
        Columns of the fixed effects, shape ``(n, p)``, of full rank.
    subjects
        Number of the subject of each value, from 0.
    nodes
        Nodes of the quadrature; more are used where subjects differ much.

    Raises
    ------
    ParameterError
        If the design is not of full rank, the values do not determine it, or all are censored.

    Examples
    --------
    >>> y = np.log([2.0, 2.0, 3.1, 4.4, 5.2, 6.0])
    >>> fit = fit_censored(y, np.array([-1, -1, 0, 0, 0, 0], dtype=np.int8), np.ones((6, 1)), np.arange(6))
    >>> round(float(np.exp(fit.params[0])), 2)
    2.95
    """
    n, p = design.shape
    if np.linalg.matrix_rank(design) < p or n <= p:
        raise ParameterError(f"{n} values do not determine {p} effects and a variance")
    if not (censor == 0).any():
        raise ParameterError("every value is censored: nothing is known but limits")
    order = np.argsort(subjects, kind="stable")
    _, number = np.unique(subjects[order], return_inverse=True)
    starts = np.flatnonzero(np.r_[True, np.diff(number) > 0])
    # one scale for all, so that steps and tolerances mean the same for every analyte
    centre, unit = float(np.mean(y)), float(np.std(y)) or 1.0
    scaled = (y[order] - centre) / unit
    data = _Data(scaled, censor[order], design[order], number.astype(np.intp), starts.astype(np.intp))
    rule = np.polynomial.hermite_e.hermegauss(nodes), np.polynomial.hermite_e.hermegauss(_MORE)
    repeated = len(starts) < n
    fit = _maximise(data, rule, repeated)
    # the centre lies in the span of the design or not: the fit of a constant undoes the shift
    shift = np.linalg.lstsq(design, np.full(n, centre), rcond=None)[0]
    if not np.allclose(design @ shift, centre):
        raise ParameterError("the design has no constant: add an intercept, or an indicator of every group")
    return CensoredFit(
        params=fit.params * unit + shift,
        covariance=fit.covariance * unit**2,
        sd_within=fit.sd_within * unit,
        sd_between=fit.sd_between * unit,
        log_likelihood=fit.log_likelihood - (n - p) * float(np.log(unit)),
        converged=fit.converged,
        note=fit.note,
    )


Rule = tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


def _maximise(data: _Data, rule: Rule, repeated: bool) -> CensoredFit:
    from scipy import optimize

    p = data.design.shape[1]
    beta = np.asarray(np.linalg.lstsq(data.design, data.y, rcond=None)[0], dtype=np.float64)
    spread = float(np.log(float(np.std(data.y - data.design @ beta)) or 0.1))
    last = beta

    def restricted(place: Floats) -> float:
        """Minus the restricted log-likelihood at the logarithm of the total deviation and the angle of the two."""
        nonlocal last
        log_sd, ratio = _scales(place)
        fitted, value, information = _given_scales(data, rule, last, log_sd, ratio)
        sign, determinant = np.linalg.slogdet(information)
        if sign <= 0 or not np.isfinite(value):
            return 1e10
        last = fitted
        return float(-value + 0.5 * float(determinant) - 0.5 * p * float(np.log(2 * np.pi)))

    def slope(place: Floats) -> Floats:
        steps = _STEP * np.eye(2)
        if not repeated:
            steps = steps[:1]
        found = [(restricted(place + step) - restricted(place - step)) / (2 * _STEP) for step in steps]
        return np.array(found if repeated else [*found, 0.0])

    # in units of _REACH the first step of the search, which has length 1, does not leave the neighbourhood
    bounds = [(spread - 3.0, spread + 3.0), (0.0, _STEEPEST if repeated else 0.0)]
    scaled = [(low / _REACH, high / _REACH) for low, high in bounds]
    best = None
    # the likelihood has one maximum in nearly all data; other starts are for a search that ended at an edge
    for angle in (0.8, 0.2, 1.2) if repeated else (0.0,):
        found = optimize.minimize(
            lambda place: restricted(place * _REACH),
            np.array([spread, angle]) / _REACH,
            jac=lambda place: slope(place * _REACH) * _REACH,
            method="L-BFGS-B",
            bounds=scaled,
        )
        if best is None or found.fun < best.fun - 1e-9:
            best = found
        if 1e-2 < best.x[1] * _REACH < _STEEPEST - 1e-2 and abs(best.x[0] * _REACH - spread) < 3.0:
            break
    assert best is not None  # noqa: S101
    place = best.x * _REACH
    log_sd, ratio = _scales(place)
    params, _, _ = _given_scales(data, rule, last, log_sd, ratio)
    with_ratio = repeated and ratio > 1e-3
    information = _information(data, rule, np.r_[params, log_sd, ratio], with_ratio)
    sd = float(np.exp(log_sd))
    notes = []
    if repeated and not with_ratio:
        notes.append("the variance between subjects is at its boundary, 0")
    if abs(place[0] - spread) >= 3.0 - 1e-9 or place[1] >= _STEEPEST - 1e-9:
        notes.append("no maximum: subjects differ more than 6 times as much as values of a subject, or not at all")
    covariance = np.full((p, p), np.nan)
    if np.isfinite(information).all() and (np.linalg.eigvalsh(information) > 0).all():
        covariance = np.linalg.inv(information)[:p, :p]
    else:
        notes.append("the information is not positive definite")
    converged = (
        bool(best.fun < 1e9)
        and not any(note.startswith("no maximum") for note in notes)
        and bool(np.isfinite(covariance).all())
    )
    return CensoredFit(params, covariance, sd, ratio * sd, -float(best.fun), converged, "; ".join(notes))


def _scales(place: Floats) -> tuple[float, float]:
    """Return log σ and τ/σ of the logarithm of the total deviation and the angle whose tangent is the ratio."""
    angle = abs(float(place[1]))
    return float(place[0]) + float(np.log(np.cos(angle))), float(np.tan(angle))


def _given_scales(data: _Data, rule: Rule, beta: Floats, log_sd: float, ratio: float) -> tuple[Floats, float, Floats]:
    """Maximise over β by Newton's steps; return β, the log-likelihood and the information of β."""
    value, score, information = _likelihood(data, rule, beta, log_sd, ratio)
    for _ in range(_STEPS):
        step = np.linalg.solve(information, score)
        length = 1.0
        while True:
            tried = beta + length * step
            new_value, new_score, new_information = _likelihood(data, rule, tried, log_sd, ratio)
            # near the maximum the quadrature's own error is larger than what a step gains
            if new_value >= value - 1e-6 or length < 1e-2:
                break
            length /= 2
        gain = float(score @ step)
        beta, value, score, information = tried, new_value, new_score, new_information
        if abs(gain) < 1e-9:
            break
    return beta, value, information


def _terms(z: Floats, censor: NDArray[np.int8]) -> tuple[Floats, Floats, Floats]:
    """Log-likelihood of standardised residuals, and its first derivative and minus second derivative by the mean.

    All in units of σ: the derivatives are by μ/σ, the density lacks the factor 1/σ.
    """
    from scipy.special import log_ndtr

    value, first, second = -0.5 * z**2 - 0.5 * np.log(2 * np.pi), z.copy(), np.ones_like(z)
    censored = censor != 0
    if censored.any():
        sign = -censor[censored].astype(np.float64)[:, None]
        reach = sign * z[censored]
        logs = log_ndtr(reach)
        hazard = np.exp(-0.5 * reach**2 - 0.5 * np.log(2 * np.pi) - logs)
        value[censored] = logs
        first[censored] = -sign * hazard
        second[censored] = hazard * (hazard + reach)
    return value, first, second


def _likelihood(data: _Data, rule: Rule, beta: Floats, log_sd: float, ratio: float) -> tuple[float, Floats, Floats]:
    """Log-likelihood, score and observed information of β; the intercepts are integrated out."""
    sd = np.exp(log_sd)
    value, weights, _, first, second = _integrated(data, rule, beta, log_sd, ratio)
    # Louis (1982): the information is the mean of the complete one less the variance of the complete score
    x = data.design / sd
    weight = weights[data.subject]
    score = x.T @ (weight * first).sum(axis=1)
    information = (x * (weight * second).sum(axis=1)[:, None]).T @ x
    if ratio > 0:
        per_subject = np.add.reduceat(first[:, :, None] * x[:, None, :], data.starts, axis=0)
        mean = np.einsum("sk,skp->sp", weights, per_subject)
        away = per_subject - mean[:, None, :]
        information -= np.einsum("sk,skp,skq->pq", weights, away, away, optimize=True)
    return value, score, information


def _integrated(
    data: _Data, rule: Rule, beta: Floats, log_sd: float, ratio: float
) -> tuple[float, Floats, Floats, Floats, Floats]:
    """Log-likelihood, the weights of the nodes ``(s, k)``, the nodes, and the terms' derivatives ``(n, k)``.

    The intercept of a subject is ``ratio · σ · v`` with ``v`` standard normal.
    """
    plain = ((data.y - data.design @ beta) / np.exp(log_sd))[:, None]
    scale = -float((data.censor == 0).sum()) * log_sd
    n_subjects = len(data.starts)
    if ratio == 0:
        value, first, second = _terms(plain, data.censor)
        return float(value.sum()) + scale, np.ones((n_subjects, 1)), np.zeros((n_subjects, 1)), first, second
    mode = np.zeros((n_subjects, 1))
    curvature = np.ones((n_subjects, 1))
    for _ in range(_STEPS):
        _, first, second = _terms(plain - ratio * mode[data.subject], data.censor)
        slope = ratio * np.add.reduceat(first, data.starts, axis=0) - mode
        curvature = 1.0 + ratio**2 * np.add.reduceat(second, data.starts, axis=0)
        # v is in standard deviations: a longer step is one that overshoots
        step = np.clip(slope / curvature, -1.5, 1.5)
        mode = mode + step
        if np.abs(step).max() < 1e-9:
            break
    nodes, weights = rule[ratio > _WIDE]
    v = mode + nodes[None, :] / np.sqrt(curvature)
    value, first, second = _terms(plain - ratio * v[data.subject], data.censor)
    # hermegauss integrates against exp(-x²/2); what it does not hold is put back
    logs = np.add.reduceat(value, data.starts, axis=0) - 0.5 * v**2 + 0.5 * nodes**2 + np.log(weights)
    highest = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - highest)
    total = shares.sum(axis=1, keepdims=True)
    each = highest + np.log(total) - 0.5 * np.log(curvature) - 0.5 * np.log(2 * np.pi)
    return float(each.sum()) + scale, shares / total, v, first, second


def _information(data: _Data, rule: Rule, parameters: Floats, with_ratio: bool) -> Floats:
    """Observed information of (β, log σ[, τ/σ]), by central differences of the score."""
    free = np.arange(len(parameters) if with_ratio else len(parameters) - 1)
    steps = 1e-4 * np.maximum(1.0, np.abs(parameters[free]))

    def score(shift: Floats) -> Floats:
        moved = parameters.copy()
        moved[free] += shift
        p = data.design.shape[1]
        sd = np.exp(moved[p])
        _, weights, v, first, _ = _integrated(data, rule, moved[:p], float(moved[p]), float(moved[p + 1]))
        weight = weights[data.subject]
        by_beta = data.design.T @ (weight * first).sum(axis=1) / sd
        # dz/d log σ = -(y - xβ)/σ, as the intercept is in units of σ
        plain = ((data.y - data.design @ moved[:p]) / sd)[:, None]
        by_log_sd = float((weight * first * plain).sum()) - float((data.censor == 0).sum())
        by_ratio = float((weights * np.add.reduceat(first, data.starts, axis=0) * v).sum())
        return np.asarray(np.r_[by_beta, by_log_sd, by_ratio][free])

    rows = []
    for position, step in enumerate(steps):
        shift = np.zeros(len(free))
        shift[position] = step
        rows.append((score(-shift) - score(shift)) / (2 * step))
    found = np.array(rows)
    return np.asarray((found + found.T) / 2)
