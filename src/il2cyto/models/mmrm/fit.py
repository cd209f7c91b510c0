"""Mixed model for repeated measures: residual maximum likelihood by Newton's method with analytic derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError
from il2cyto.models.mmrm.covariance import Covariance
from il2cyto.models.mmrm.sums import Sums, collect

Floats = NDArray[np.float64]

CONVERGED: Final = "converged"
_SINGULAR_END: Final = "the covariance of the visits is singular"
_HALT: Final = "the search came to a halt before a maximum"
_NO_MAXIMUM: Final = "the information is not positive definite at the end of the search"
_STEPS: Final = 100
#: Newton's decrement, in units of -2 log likelihood, at which the search ends.
_DECREMENT: Final = 1e-10
#: Smallest eigenvalue of the correlations of a covariance that counts as regular.
_SINGULAR: Final = 1e-6
#: One divided by the largest variance, in units of that by least squares, that is looked at.
_LARGEST: Final = 1e-10


@dataclass(frozen=True, eq=False)
class MmrmFit:
    """A fitted model, whether or not it converged.

    Attributes
    ----------
    params, covariance
        Fixed effects ``(p,)`` and their covariance ``(p, p)``, not adjusted for small samples.
    theta, theta_covariance
        Covariance parameters in the order of ``structure.names``, and the inverse of their observed information.
    slopes, products, curvature
        What corrections for small samples need: ``X' W V_k W X`` ``(k, p, p)``, and the sums over the covariance of
        `theta` of ``X' W V_k W V_l W X`` and ``X' W V_kl W X``, ``(p, p)`` each.
    visit_covariance
        Of the responses of a subject, ``(1, m, m)``, or ``(n_subjects, m, m)`` with a spatial structure.
    minus_two_log_likelihood
        Residual (or, by maximum likelihood, full) likelihood with all constants, as SAS gives it.
    structure, reml
        What was fitted.
    status
        `CONVERGED`, or why these numbers are no estimates.
    n_observations, n_subjects, n_steps
        What entered, and how long the search was.
    """

    params: Floats
    covariance: Floats
    theta: Floats
    theta_covariance: Floats
    slopes: Floats
    products: Floats
    curvature: Floats
    visit_covariance: Floats
    minus_two_log_likelihood: float
    structure: Covariance
    reml: bool
    status: str
    n_observations: int
    n_subjects: int
    n_steps: int

    @property
    def converged(self) -> bool:
        """Whether the numbers are estimates."""
        return self.status == CONVERGED

    @property
    def aic(self) -> float:
        """Akaike's criterion; residual likelihoods compare only between models with the same fixed effects."""
        return self.minus_two_log_likelihood + 2 * (self.theta.size + (0 if self.reml else self.params.size))


@dataclass(frozen=True, eq=False)
class Point:
    """Likelihood at some covariance, and what its derivatives are made of.

    `value` is the covariance ``(1 or n_subjects, m, m)``; `weights` are the inverse covariances ``(g, m, m)`` of the
    groups of subjects, 0 where a visit is not known; `effects` ``(p,)`` the fixed effects, and `inverse` ``(p, p)``
    their covariance.
    """

    minus_two_log_likelihood: float
    value: Floats
    weights: Floats
    effects: Floats
    inverse: Floats


def fit_mmrm(
    y: ArrayLike,
    design: ArrayLike,
    covariance: str = "us",
    *,
    times: ArrayLike | None = None,
    reml: bool = True,
) -> MmrmFit:
    """Fit a linear model whose errors are correlated within subjects and independent between them.

    Parameters
    ----------
    y
        Responses, shape ``(n_subjects, n_visits)``; NaN where there is none.
    design
        Fixed effects, shape ``(n_subjects, n_visits, p)``; read only where `y` is known.
    covariance
        A key of `il2cyto.models.mmrm.STRUCTURES`.
    times
        Of each visit of each subject, shape ``(n_subjects, n_visits)`` or ``(n_subjects, n_visits, coordinates)``, for
        the spatial structures.
    reml
        Residual maximum likelihood (default), or maximum likelihood.

    Returns
    -------
    MmrmFit
        With `MmrmFit.status` where the search did not end in a maximum inside the domain.

    Raises
    ------
    ParameterError
        If shapes do not fit, a value is not finite, a visit has no response, or the design is not of full rank.

    Notes
    -----
    The likelihood is maximised over the covariance parameters themselves by Newton's method, or Fisher's scoring where
    the observed information is not positive definite, with steps halved until they improve and stay in the domain.
    Searle, Casella and McCulloch, Variance Components (1992), chapter 6, gives the derivatives.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = rng.multivariate_normal([1.0, 2.0], [[1.0, 0.5], [0.5, 1.0]], size=400)
    >>> visit = np.broadcast_to(np.eye(2), (400, 2, 2))
    >>> fit = fit_mmrm(y, visit)
    >>> fit.status, fit.params.round(1).tolist(), fit.visit_covariance[0].round(1).tolist()
    ('converged', [1.1, 2.1], [[0.9, 0.5], [0.5, 1.0]])
    """
    response, columns, kept = known_subjects(y, design)
    structure = Covariance(covariance, response.shape[1], _distances(response, kept, times))
    least = _least_squares(response, columns)
    residual = response - columns @ least
    scale = float(np.sqrt(np.nanmean(residual**2)))
    size = float(np.nanmax(np.abs(response)))
    if scale <= 1e-10 * size or scale == 0:
        raise ParameterError("the fixed effects explain every response: there is no variation left to model")
    moments = _moments(residual / scale)
    sums = collect(response / scale, columns, np.diag(moments), shared=structure.distance is None)
    # the search may look where nothing can be told; it does not stay there
    with np.errstate(all="ignore"):
        theta, at, status, steps = _search(sums, structure, structure.start(moments), reml)
        return _described(sums, structure, theta, at, status, steps, scale, reml)


def known_subjects(y: ArrayLike, design: ArrayLike) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return responses and design of the subjects that have a response, and who they are."""
    response, columns = np.asarray(y, dtype=np.float64), np.asarray(design, dtype=np.float64)
    if response.ndim != 2 or columns.shape[:2] != response.shape or columns.ndim != 3:
        raise ParameterError(f"y of shape {response.shape} and design of {columns.shape}: want (n, m) and (n, m, p)")
    if np.isinf(response).any():
        raise ParameterError("a response is infinite: leave it out as NaN, and say so")
    kept = np.isfinite(response).any(axis=1)
    response, columns = response[kept], columns[kept]
    known = np.isfinite(response)
    columns = np.where(known[:, :, None], columns, 0.0)
    if not np.isfinite(columns).all():
        raise ParameterError("the design has values that are not finite where there is a response")
    empty = np.flatnonzero(~known.any(axis=0))
    if empty.size or not known.size:
        raise ParameterError(f"no response at visit {', '.join(str(i + 1) for i in empty) or '1'}: leave the visit out")
    used = columns[known]
    if len(used) <= used.shape[1] or np.linalg.matrix_rank(used) < used.shape[1]:
        raise ParameterError(f"{len(used)} responses do not determine {used.shape[1]} fixed effects")
    return response, columns, np.asarray(kept)


def _distances(response: Floats, kept: NDArray[np.bool_], times: ArrayLike | None) -> Floats | None:
    if times is None:
        return None
    at = np.asarray(times, dtype=np.float64)
    at = at[:, :, None] if at.ndim == 2 else at
    known = np.isfinite(response)
    if at.ndim != 3 or at.shape[:2] != (kept.size, known.shape[1]):
        raise ParameterError(f"times of shape {np.shape(times)}: want one for each visit of {kept.size} subjects")
    at = at[kept]
    if not np.isfinite(at[known]).all():
        raise ParameterError("a response has no time: the spatial structures need it")
    apart = np.sqrt(((at[:, :, None] - at[:, None]) ** 2).sum(axis=-1))
    return np.where(known[:, :, None] & known[:, None], apart, 0.0)


def _least_squares(response: Floats, columns: Floats) -> Floats:
    known = np.isfinite(response)
    return np.asarray(np.linalg.lstsq(columns[known], response[known], rcond=None)[0])


def _moments(residual: Floats) -> Floats:
    """Covariance of residuals over the subjects that have both visits; 0 where none has."""
    known = np.isfinite(residual).astype(np.float64)
    filled = np.nan_to_num(residual)
    pairs = np.maximum(known.T @ known, 1.0)
    moments = np.asarray(filled.T @ filled / pairs)
    floor = 0.01 * float(np.mean(np.diag(moments)))
    np.fill_diagonal(moments, np.maximum(np.diag(moments), floor))
    return moments


def _search(sums: Sums, structure: Covariance, theta: Floats, reml: bool) -> tuple[Floats, Point, str, int]:
    at = evaluate(sums, structure, theta, reml)
    if at is None:
        raise ParameterError(f"covariance {structure.kind}: the search found no place to start from")
    for step in range(_STEPS):
        if _is_singular(sums, at):
            return theta, at, _SINGULAR_END, step
        gradient, observed, expected = derivatives(sums, structure, theta, at, reml)
        told = np.diag(expected)
        if not all(np.isfinite(part).all() for part in (gradient, observed, expected)) or (told <= 0).any():
            return theta, at, _HALT, step
        root = np.sqrt(told)
        # in units of each parameter, so that a ridge means the same to all
        g, newton, scoring = (gradient / root, observed / np.outer(root, root), expected / np.outer(root, root))
        values, vectors = np.linalg.eigh(newton)
        if values[0] <= 1e-8 * max(values[-1], 1.0):
            values, vectors = np.linalg.eigh(scoring)
            values = np.maximum(values, 1e-8 * max(values[-1], 1.0))
            is_newton = False
        else:
            is_newton = True
        turned = vectors.T @ g
        move = -(vectors @ (turned / values)) / root
        decrement = float(np.sum(turned**2 / values))
        if decrement < _DECREMENT and is_newton:
            # Newton's last step doubles the digits
            theta, at = _halved(sums, structure, theta, at, move, reml) or (theta, at)
            return theta, at, CONVERGED, step
        if decrement < _DECREMENT:
            found = _beside(sums, structure, theta, at, observed, reml)
            end = _NO_MAXIMUM
        else:
            found = _halved(sums, structure, theta, at, move, reml)
            end = CONVERGED if is_newton and decrement < 1e-6 else _HALT
        if found is None:
            return theta, at, end, step
        theta, at = found
    return theta, at, f"no maximum within {_STEPS} steps", _STEPS


def _beside(
    sums: Sums, structure: Covariance, theta: Floats, at: Point, observed: Floats, reml: bool
) -> tuple[Floats, Point] | None:
    """Leave a saddle along the direction in which the observed information is most negative."""
    values, vectors = np.linalg.eigh(observed)
    if values[0] >= 0:
        return None
    size = 1e-3 * float(np.linalg.norm(theta))
    for sign in (-1.0, 1.0):
        to = theta + sign * size * vectors[:, 0]
        near = evaluate(sums, structure, to, reml)
        if near is not None and near.minus_two_log_likelihood < at.minus_two_log_likelihood - 1e-9:
            return to, near
    return None


def _halved(
    sums: Sums, structure: Covariance, theta: Floats, at: Point, move: Floats, reml: bool
) -> tuple[Floats, Point] | None:
    # rounding decides about differences below this
    slack = 1e-12 * max(abs(at.minus_two_log_likelihood), 1.0)
    for halving in range(40):
        to = theta + move * 0.5**halving
        new = evaluate(sums, structure, to, reml)
        if new is not None and new.minus_two_log_likelihood <= at.minus_two_log_likelihood + slack:
            if np.array_equal(to, theta):
                return None
            return to, new
    return None


def _is_singular(sums: Sums, at: Point) -> bool:
    value = np.where(sums.both, at.value, 0.0) + sums.unit
    spread = np.sqrt(np.einsum("gii->gi", value))
    correlation = value / (spread[:, :, None] * spread[:, None, :])
    return float(np.linalg.eigvalsh(correlation)[:, 0].min()) < _SINGULAR


def evaluate(sums: Sums, structure: Covariance, theta: Floats, reml: bool) -> Point | None:
    """Return the likelihood at some covariance parameters; ``None`` outside their domain."""
    value = structure.value(theta)
    if value is None:
        return None
    spread = np.einsum("gii->gi", value)
    if not np.isfinite(value).all() or (spread < sums.least).any() or (spread * _LARGEST > 1).any():
        return None
    both = sums.both
    own = np.where(both, value, 0.0) + sums.unit
    try:
        diagonal = np.einsum("gii->gi", np.linalg.cholesky(own))
        weights = np.where(both, np.linalg.inv(own), 0.0)
        information = sums.xx_with(weights)
        root = np.linalg.cholesky(information)
        inverse = np.asarray(np.linalg.inv(information), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    by_response = sums.xy_with(weights)
    effects = inverse @ by_response
    quadratic = sums.yy_with(weights) - float(by_response @ effects)
    log_likelihood = 2 * float(sums.n @ np.log(diagonal).sum(axis=1)) + quadratic
    n = sums.n_observations
    if reml:
        log_likelihood += 2 * float(np.log(np.diag(root)).sum())
        n -= effects.size
    return Point(log_likelihood + n * math.log(2 * math.pi), value, weights, effects, inverse)


def derivatives(
    sums: Sums, structure: Covariance, theta: Floats, at: Point, reml: bool
) -> tuple[Floats, Floats, Floats]:
    """Gradient, Hessian and expected Hessian of -2 log likelihood by the covariance parameters."""
    w, a = at.weights, at.inverse
    first = structure.first(theta)
    residual = sums.residuals(at.effects)
    e = w @ residual @ w
    n_w = sums.n[:, None, None] * w
    hat = w @ sums.spread(a) @ w if reml else np.zeros_like(w)
    gradient = _by(first, n_w - hat - e)
    moved = w[None] @ first @ w[None]
    k = len(first)
    effects = sums.xx_with_many(moved)
    shifts = sums.xr_with_many(moved, at.effects)
    turned = effects @ a
    of_effects = np.einsum("kpq,lqp->kl", turned, turned) if reml else np.zeros((k, k))
    observed = _twice(first, w, -n_w + 2 * hat + 2 * e) - of_effects - 2 * np.einsum("kp,pq,lq->kl", shifts, a, shifts)
    expected = _twice(first, w, n_w - 2 * hat) + of_effects
    second = structure.second(theta)
    if second is not None:
        observed = observed + _by(second.reshape(k * k, *second.shape[2:]), n_w - hat - e).reshape(k, k)
    return gradient, (observed + observed.T) / 2, (expected + expected.T) / 2


def _by(derivative: Floats, other: Floats) -> Floats:
    """Sum over groups of the traces of derivatives ``(k, 1 or g, m, m)`` with symmetric matrices ``(g, m, m)``."""
    if derivative.shape[1] == 1:
        return np.asarray(derivative.reshape(len(derivative), -1) @ other.sum(axis=0).ravel())
    return np.asarray(derivative.reshape(len(derivative), -1) @ other.ravel())


def _twice(derivative: Floats, w: Floats, u: Floats) -> Floats:
    """Sum over groups of ``tr(V_k W V_l U)``, shape ``(k, k)``."""
    k, m = len(derivative), w.shape[-1]
    if derivative.shape[1] == 1:
        flat = derivative.reshape(k, m * m)
        joint = np.einsum("gbc,gda->abcd", w, u).reshape(m * m, m * m)
        return np.asarray(flat @ joint @ flat.T)
    left, right = derivative @ w, derivative @ u
    return np.asarray(left.reshape(k, -1) @ right.swapaxes(-1, -2).reshape(k, -1).T)


def _described(
    sums: Sums,
    structure: Covariance,
    theta: Floats,
    at: Point,
    status: str,
    steps: int,
    scale: float,
    reml: bool,
) -> MmrmFit:
    _, observed, _ = derivatives(sums, structure, theta, at, reml)
    units = np.where(structure.is_scale, scale**2, 1.0)
    try:
        of_theta = 2 * np.linalg.inv(observed) * np.outer(units, units)
    except np.linalg.LinAlgError:
        of_theta = np.full_like(observed, np.nan)
        status = _NO_MAXIMUM
    slopes, products, curvature = _small_sample(sums, structure, theta, at, of_theta / np.outer(units, units))
    n = sums.n_observations - (at.effects.size if reml else 0)
    return MmrmFit(
        params=at.effects * scale,
        covariance=at.inverse * scale**2,
        theta=theta * units,
        theta_covariance=of_theta,
        slopes=slopes / (scale**2 * units[:, None, None]),
        products=products / scale**2,
        curvature=curvature / scale**2,
        visit_covariance=at.value * scale**2,
        minus_two_log_likelihood=at.minus_two_log_likelihood + 2 * n * math.log(scale),
        structure=structure,
        reml=reml,
        status=status,
        n_observations=sums.n_observations,
        n_subjects=int(sums.n.sum()),
        n_steps=steps,
    )


def _small_sample(
    sums: Sums, structure: Covariance, theta: Floats, at: Point, of_theta: Floats
) -> tuple[Floats, Floats, Floats]:
    """``X' W V_k W X``, and the sums over the covariance of the parameters of the products of two of them."""
    w, first = at.weights, structure.first(theta)
    k = len(first)
    moved = w[None] @ first @ w[None]
    slopes = sums.xx_with_many(moved)
    other = (of_theta @ first.reshape(k, -1)).reshape(first.shape)
    products = sums.xx_with((moved @ other @ w[None]).sum(axis=0))
    second = structure.second(theta)
    if second is None:
        return slopes, (products + products.T) / 2, np.zeros_like(products)
    bent = np.einsum("kl,klgij->gij", of_theta, second)
    return slopes, (products + products.T) / 2, sums.xx_with(w @ bent @ w)
