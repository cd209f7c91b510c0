"""A beta-binomial model of events of a parent with a random intercept per subject, over arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]

#: Nodes of the quadrature over the random intercept, placed at each subject's own mode and width.
NODES: Final = 11
#: Log-likelihood that a variance must gain; with less its estimate is at its boundary, and the model is without it.
GAIN: Final = 1e-4
#: Limits of the search for the deviation of the intercepts and for the dispersion, in logarithms: the largest
#: dispersion is this many times the largest number of parent events, where nothing beyond binomial is left.
_LOG_SD: Final = (math.log(1e-3), math.log(20.0))
_SMALLEST_LOG_PHI: Final = math.log(1e-3)
_LARGEST_PHI: Final = 1e4
#: Argument from which differences of log Γ and its derivatives are taken of their asymptotic series, which lose no
#: digits where the difference is small; from here on the first terms left out are below 1e-16.
_ASYMPTOTIC: Final = 40.0
_STEPS: Final = 60
#: Largest slope at which a search ends: what is left to gain towards a boundary is then less than `GAIN`.
_FLAT: Final = 5e-5
#: Step of the differences of the gradient, in standard errors, and gain in log-likelihood of a last Newton step.
_STEP: Final = 1e-3
_LEFT: Final = 1e-9


@dataclass(frozen=True, eq=False)
class BetaBinomialFit:
    """Fixed effects of a fitted beta-binomial model.

    Attributes
    ----------
    params, covariance
        Estimates ``(p,)`` on the scale of the logit and their covariance ``(p, p)``, out of the observed information
        of all parameters; NaN where there is no maximum.
    sd_between
        Standard deviation of the subjects' intercepts; 0 at its boundary, and where every subject has one row.
    dispersion
        φ: the variance is n μ (1 - μ) (1 + (n - 1) / (φ + 1)); infinite where it is binomial.
    log_likelihood
        At the maximum, with all constants.
    converged
        Whether a maximum with an invertible information was reached.
    note
        Why not, or which of the variances is at its boundary; else empty.
    """

    params: Floats
    covariance: Floats
    sd_between: float
    dispersion: float
    log_likelihood: float
    converged: bool
    note: str


@dataclass(frozen=True, eq=False)
class _Data:
    """Rows sorted by subject: events, their parent's, and the design in columns of about one standard error.

    `constant` is the logarithm of the binomial coefficients, `starts` where each subject begins, `subject` its number.
    """

    y: Floats
    n: Floats
    design: Floats
    constant: float
    subject: NDArray[np.intp]
    starts: NDArray[np.intp]


@dataclass(frozen=True)
class _Kind:
    """Which of the two variances a model has; its parameters are β, log sd and log φ, without those it lacks."""

    intercept: bool
    dispersed: bool

    def scales(self, place: Floats, p: int) -> tuple[float, float]:
        """Return the deviation of the intercepts, 0 for none, and φ, infinite for binomial."""
        sd = math.exp(float(place[p])) if self.intercept else 0.0
        return sd, math.exp(float(place[-1])) if self.dispersed else math.inf


def fit_beta_binomial(
    events: ArrayLike, parent: ArrayLike, design: ArrayLike, subjects: ArrayLike, *, nodes: int = NODES
) -> BetaBinomialFit:
    """Fit ``events ~ BetaBinomial(parent, μ, φ)`` with ``logit μ = design · β + u[subject]``, ``u ~ N(0, sd²)``.

    The beta distribution has the shapes μφ and (1 - μ)φ, as in R's ``glmmTMB(family = betabinomial)``. The intercepts
    are integrated out by adaptive Gauss–Hermite quadrature (Pinheiro and Bates 1995); all parameters maximise the
    likelihood. The models without the one or the other variance are fitted as well, and the one with the fewest
    parameters is taken whose log-likelihood is within `GAIN` of the highest: that is where an estimate is at its
    boundary. It is no test, which would need a gain of 1.35 at 5 %.

    Parameters
    ----------
    events
        Events, shape ``(n,)``, from 0 to those of the parent.
    parent
        Events of the parent, shape ``(n,)``, at least 1.
    design
        Columns of the fixed effects, shape ``(n, p)``, of full rank.
    subjects
        Whose row it is, shape ``(n,)``.
    nodes
        Nodes of the quadrature; 1 is Laplace's approximation.

    Returns
    -------
    BetaBinomialFit
        Not converged where the events have no maximum: none at all, nothing but events, or effects that separate the
        rows without events (or with nothing but events) from the others, so that their estimates are infinite.

    Raises
    ------
    ParameterError
        If the shapes disagree, a number of events is not whole or not from 0 to that of its parent, the design is not
        of full rank, or `nodes` is less than 1.

    Examples
    --------
    >>> fit = fit_beta_binomial([2, 5, 1, 9], [900, 1100, 1000, 950], np.ones((4, 1)), [0, 1, 2, 3])
    >>> round(float(1e3 / (1 + np.exp(-fit.params[0]))), 2), round(fit.dispersion)
    (4.31, 695)
    """
    y, n, x = (np.asarray(values, dtype=np.float64) for values in (events, parent, design))
    who = np.asarray(subjects)
    _check(y, n, x, who, nodes)
    p = x.shape[1]
    if (why := _no_maximum(y, n, x)) is not None:
        nothing = np.full(p, np.nan)
        return BetaBinomialFit(nothing, np.full((p, p), np.nan), math.nan, math.nan, math.nan, False, why)
    order = np.argsort(who, kind="stable")
    _, number = np.unique(who[order], return_inverse=True)
    starts = np.flatnonzero(np.r_[True, np.diff(number) > 0]).astype(np.intp)
    y, n, x = y[order], n[order], x[order]
    start, unit = _start(y, n, x)
    constant = float((_rising(n - y + 1.0, y, 0)[0] - _rising(np.ones(len(y)), y, 0)[0]).sum())
    data = _Data(y, n, x @ unit, constant, number.astype(np.intp), starts)
    rule = np.polynomial.hermite_e.hermegauss(nodes)
    # a step of a search may lead out of what the numbers hold; it is taken back there
    with np.errstate(all="ignore"):
        fit = _choose(data, rule, np.asarray(np.linalg.solve(unit, start), dtype=np.float64))
    return BetaBinomialFit(
        params=unit @ fit.params,
        covariance=unit @ fit.covariance @ unit.T,
        sd_between=fit.sd_between,
        dispersion=fit.dispersion,
        log_likelihood=fit.log_likelihood,
        converged=fit.converged,
        note=fit.note,
    )


def _check(y: Floats, n: Floats, x: Floats, who: NDArray[np.generic], nodes: int) -> None:
    if x.ndim != 2 or not y.shape == n.shape == who.shape == x.shape[:1]:
        raise ParameterError(
            f"events, parent, design and subjects of shapes {y.shape}, {n.shape}, {x.shape} and {who.shape}: "
            "want (n,), (n,), (n, p) and (n,)"
        )
    wrong = ~((y >= 0) & (y <= n) & (n >= 1) & (y == np.floor(y)) & (n == np.floor(n)) & np.isfinite(n))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ParameterError(
            f"row {row}: {y[row]:g} events of {n[row]:g}: want whole numbers, from 0 to a parent of 1 or more"
        )
    if not np.isfinite(x).all() or np.linalg.matrix_rank(x) < x.shape[1]:
        raise ParameterError(f"the design of {x.shape[1]} effects in {len(x)} rows is not of full rank")
    if nodes < 1:
        raise ParameterError(f"nodes = {nodes}: want 1 or more")


def _no_maximum(y: Floats, n: Floats, x: Floats) -> str | None:
    """Why β has no estimate whatever the variances are, or ``None``.

    The likelihood grows for ever in a direction that leaves μ alone where there are some events but not all, and does
    not raise (lower) it where there are none (all); Albert and Anderson, Biometrika 71 (1984) 1.
    """
    if not y.any():
        return "there are no events"
    if (y == n).all():
        return "every event of the parent is one of the population"
    extreme = (y == 0) | (y == n)
    # directions that leave μ alone in the rows with some events
    _, size, rows = np.linalg.svd(x[~extreme], full_matrices=True)
    rank = int((size > 1e-10 * size.max(initial=0.0)).sum())
    free = rows[rank:].T
    if not free.shape[1]:
        return None
    from scipy import optimize

    towards = np.where(y[extreme] == 0, -1.0, 1.0)[:, None] * (x[extreme] @ free)
    towards /= np.abs(x).max()
    found = optimize.linprog(-towards.sum(axis=0), A_ub=-towards, b_ub=np.zeros(len(towards)), bounds=(-1.0, 1.0))
    if found.status != 0 or -found.fun < 1e-7:
        return None
    which = np.flatnonzero(np.abs(free @ found.x) > 1e-7)
    noun = "effect" if which.size == 1 else "effects"
    return (
        f"separation: {noun} {', '.join(map(str, which))} (from 0) set rows without events, or with nothing else, "
        "apart from all others, and their estimates are infinite"
    )


def _start(y: Floats, n: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return a first β of pooled empirical logits, and a matrix whose columns are steps of about one standard error."""
    logit = np.log(y + 0.5) - np.log(n - y + 0.5)
    # a sample of few events tells little, one of many no more than the samples' own variation lets it
    weight = 1.0 / (1.0 + 1.0 / (y + 0.5) + 1.0 / (n - y + 0.5))
    information = (x * weight[:, None]).T @ x
    beta = np.linalg.solve(information, x.T @ (weight * logit))
    return np.asarray(beta), np.asarray(np.linalg.inv(np.linalg.cholesky(information)).T)


Rule = tuple[Floats, Floats]


def _choose(data: _Data, rule: Rule, start: Floats) -> BetaBinomialFit:
    """Fit the models with and without either variance and take the simplest that is as likely as any."""
    p = len(start)
    repeated = len(data.starts) < len(data.y)
    several = bool((data.n > 1).any())
    kinds = [_Kind(False, False)]
    kinds += [_Kind(True, False)] * repeated + [_Kind(False, True)] * several
    kinds += [_Kind(True, True)] * (repeated and several)
    best: dict[_Kind, tuple[Floats, float]] = {}
    plain = start
    for kind in kinds:
        tried: list[tuple[Floats, float]] = []
        for first in _starts(kind, best, plain, data):
            tried.append(_climb(data, rule, kind, first))
            # two searches that end at one height, from different sides, need no third
            if len(tried) > 1 and abs(tried[-1][1] - tried[-2][1]) < GAIN / 10:
                break
        best[kind] = max(tried, key=lambda one: one[1])
        if kind == kinds[0]:
            plain = best[kind][0]
    highest = max(value for _, value in best.values())
    kind = next(kind for kind in kinds if best[kind][1] >= highest - GAIN)
    place, value, covariance, problem = _finish(data, rule, kind, best[kind][0])
    sd, phi = kind.scales(place, p)
    notes = [problem] if problem else []
    if not repeated:
        notes.append("one row per subject: no variance between subjects")
    elif not kind.intercept:
        notes.append("the variance between subjects is at its boundary, 0")
    if not several:
        notes.append("no parent has more than one event: there is no dispersion")
    elif not kind.dispersed:
        notes.append("the dispersion is at its boundary: the events vary no more than binomial ones")
    return BetaBinomialFit(place[:p], covariance[:p, :p], sd, phi, value, not problem, "; ".join(notes))


def _starts(kind: _Kind, best: dict[_Kind, tuple[Floats, float]], plain: Floats, data: _Data) -> Iterator[Floats]:
    """Places where the search of a model begins: different shares of the two variances in what there is."""
    moment = _moment(data, plain)
    if kind.intercept and kind.dispersed:
        apart, together = best[_Kind(False, True)][0], best[_Kind(True, False)][0]
        yield np.r_[apart[:-1], math.log(0.2), apart[-1]]
        yield np.r_[apart[:-1], math.log(0.7), apart[-1] + 1.5]
        yield np.r_[together, moment + 3.0]
    elif kind.intercept:
        yield np.r_[plain, math.log(0.5)]
    elif kind.dispersed:
        yield np.r_[plain, moment]
        yield np.r_[plain, moment + 3.0]
    else:
        yield plain


def _moment(data: _Data, beta: Floats) -> float:
    """Logarithm of the dispersion at which Pearson's residuals of a binomial fit have the variance that they have."""
    from scipy.special import expit

    eta = data.design @ beta
    variance = data.n * expit(eta) * expit(-eta)
    squares = (data.y - data.n * expit(eta)) ** 2 / variance
    excess = float((squares - 1.0).sum() / max(float((data.n - 1.0).sum()), 1.0))
    low, high = _log_phi(data)
    share = min(max(excess, math.exp(-high)), 0.5)
    return min(max(math.log(1.0 / share - 1.0), low), high - 3.0)


def _log_phi(data: _Data) -> tuple[float, float]:
    return _SMALLEST_LOG_PHI, math.log(_LARGEST_PHI * float(data.n.max()))


def _bounds(data: _Data, kind: _Kind) -> list[tuple[float | None, float | None]]:
    free: list[tuple[float | None, float | None]] = [(None, None)] * data.design.shape[1]
    return free + [_LOG_SD] * kind.intercept + [_log_phi(data)] * kind.dispersed


def _climb(data: _Data, rule: Rule, kind: _Kind, start: Floats) -> tuple[Floats, float]:
    from scipy import optimize

    def downhill(place: Floats) -> tuple[float, Floats]:
        value, slope = _likelihood(data, rule, kind, place)
        return (-value, -slope) if np.isfinite(value) and np.isfinite(slope).all() else (1e100, np.zeros(len(place)))

    options = {"maxiter": 500, "ftol": 1e-13, "gtol": _FLAT}
    found = optimize.minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=_bounds(data, kind), options=options)
    return np.asarray(found.x), -float(found.fun)


def _finish(data: _Data, rule: Rule, kind: _Kind, place: Floats) -> tuple[Floats, float, Floats, str]:
    """Newton's steps from where the search ended; return the place, its value, the covariance and what is wrong."""
    nothing = np.full((len(place), len(place)), np.nan)
    value, slope = _likelihood(data, rule, kind, place)
    p = data.design.shape[1]
    names = ["the deviation of the subjects"] * kind.intercept + ["the dispersion"] * kind.dispersed
    for name, (low, high), here in zip(names, _bounds(data, kind)[p:], place[p:], strict=True):
        if low is None or high is None or not low + 1e-6 < here < high - 1e-6:
            return place, value, nothing, f"no maximum: {name} is at the limit of the search, {math.exp(here):.3g}"
    for _ in range(8):
        information = _information(data, rule, kind, place)
        if not np.isfinite(information).all() or (np.linalg.eigvalsh(information) <= 0).any():
            return place, value, nothing, "the information is not positive definite"
        covariance = np.asarray(np.linalg.inv(information))
        step = covariance @ slope
        gain = float(slope @ step) / 2
        new_value, new_slope = _likelihood(data, rule, kind, place + step)
        if not new_value > value - 1e-6:
            break
        place, value, slope = place + step, new_value, new_slope
        if gain < _LEFT:
            return place, value, covariance, ""
    return place, value, nothing, "the search ended before the maximum"


def _information(data: _Data, rule: Rule, kind: _Kind, place: Floats) -> Floats:
    """Observed information, by central differences of the gradient."""
    rows = []
    for step in _STEP * np.eye(len(place)):
        ahead, behind = (_likelihood(data, rule, kind, place + sign * step)[1] for sign in (1.0, -1.0))
        rows.append((behind - ahead) / (2 * _STEP))
    found = np.array(rows)
    return np.asarray((found + found.T) / 2)


def _likelihood(data: _Data, rule: Rule, kind: _Kind, place: Floats) -> tuple[float, Floats]:
    """Log-likelihood and its exact gradient; the mode and width of each subject's nodes move with the parameters."""
    x, p = data.design, data.design.shape[1]
    eta = x @ place[:p]
    sd, phi = kind.scales(place, p)
    terms = partial(_terms, data.y, data.n, phi=phi)
    # what depends on φ and the parent's events alone, taken off row by row lest large sums lose digits
    whole, whole_by_phi = np.zeros((2, len(eta), 1))
    if kind.dispersed:
        whole, whole_by_phi = _rising(np.full((len(eta), 1), phi), data.n[:, None], 1)
    if not kind.intercept:
        value, first, by_phi = terms(eta, order=1)[:3]
        by_phi = by_phi - phi * whole_by_phi[:, 0] if kind.dispersed else by_phi
        total = float((value - whole[:, 0]).sum()) + data.constant
        return total, np.r_[x.T @ first, [float(by_phi.sum())] * kind.dispersed]
    summed = partial(np.add.reduceat, indices=data.starts, axis=0)
    v = _modes(data, eta, sd, phi)
    # at the mode of v, the intercept in standard deviations: how it and its width move with β, log sd and log φ
    _, first, _, second, third, mixed, mixed_again = terms(eta + sd * v[data.subject], order=3)
    ones, twos = sd * summed(first), sd**2 * summed(second)
    curvature = 1.0 - twos
    if not (curvature > 0).all():
        return -math.inf, np.full(len(place), np.nan)
    bend = sd**3 * summed(third)
    width = 1.0 / np.sqrt(curvature)
    by_mode = [sd * summed(x * second[:, None]), (ones + v * twos)[:, None]]
    by_width = [sd**2 * summed(x * third[:, None]), (2.0 * twos + v * bend)[:, None]]
    if kind.dispersed:
        by_mode.append(sd * summed(mixed)[:, None])
        by_width.append(sd**2 * summed(mixed_again)[:, None])
    moves = np.concatenate(by_mode, axis=1) / curvature[:, None]
    log_width_moves = 0.5 * (np.concatenate(by_width, axis=1) + bend[:, None] * moves) / curvature[:, None]
    nodes, weights = rule
    at = v[:, None] + nodes * width[:, None]
    value, first, by_phi = _terms(
        data.y[:, None], data.n[:, None], eta[:, None] + sd * at[data.subject], phi=phi, order=1
    )[:3]
    # hermegauss integrates against exp(-x²/2), whose factor is put back, as is 1 / √(2π) of the intercepts' density
    logs = summed(value - whole) - 0.5 * at**2 + 0.5 * nodes**2 + np.log(weights)
    highest = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - highest)
    totals = shares.sum(axis=1, keepdims=True)
    shares /= totals
    each = highest[:, 0] + np.log(totals[:, 0]) + np.log(width) - 0.5 * math.log(2 * math.pi)
    mean_first = (shares[data.subject] * first).sum(axis=1)
    by_v = sd * summed(first) - at
    direct = [x.T @ mean_first, [float((shares * sd * at * summed(first)).sum())]]
    if kind.dispersed:
        direct.append([float((shares * summed(by_phi - phi * whole_by_phi)).sum())])
    slope = np.concatenate(direct)
    slope += (shares * by_v).sum(axis=1) @ moves
    slope += (1.0 + (shares * by_v * nodes).sum(axis=1) * width) @ log_width_moves
    return float(each.sum()) + data.constant, slope


def _modes(data: _Data, eta: Floats, sd: float, phi: float) -> Floats:
    """Most likely intercept of each subject, in standard deviations, by Newton's steps that are halved where needed."""
    from scipy.special import expit

    def height(v: Floats) -> tuple[Floats, Floats, Floats]:
        value, first, _, second = _terms(data.y, data.n, eta + sd * v[data.subject], phi=phi, order=2)[:4]
        sums = [np.add.reduceat(part, data.starts) for part in (value, first, second)]
        return sums[0] - 0.5 * v**2, sd * sums[1] - v, 1.0 - sd**2 * sums[2]

    # all events of a subject over those that are expected of it, pulled to 0 by what the intercepts vary
    expected = np.add.reduceat(data.n * expit(eta), data.starts)
    found = np.add.reduceat(data.y, data.starts)
    v = np.log((found + 0.5) / (expected + 0.5)) * sd / (sd**2 + 1.0 / (expected + 0.5))
    rounding = 5e-14 * np.add.reduceat(data.n, data.starts)
    value, slope, curvature = height(v)
    length = np.ones(len(v))
    for _ in range(_STEPS):
        # where the likelihood is not concave, a step by the curvature of the intercepts' own density
        step = slope / np.where(curvature > 0.1, curvature, 1.0)
        step = length * np.clip(step, -2.0 / sd, 2.0 / sd)
        if float(np.abs(step).max()) < 1e-10:
            break
        new = height(v + step)
        # what is lost by rounding alone is no reason to stay
        better = new[0] >= value - rounding
        v = np.where(better, v + step, v)
        value, slope, curvature = (
            np.where(better, now, before) for now, before in zip(new, (value, slope, curvature), strict=True)
        )
        length = np.where(better, 1.0, length / 2)
    return v


def _terms(y: Floats, n: Floats, eta: Floats, *, phi: float, order: int) -> tuple[Floats, ...]:
    """Log-likelihood of rows at ``logit μ = eta``, less what does not depend on it, and its derivatives.

    In order: the value, by η, by log φ; from `order` 2 by η twice; from 3 by η three times, by η and log φ, and by η
    twice and log φ. Binomial where φ is infinite: what is by log φ is 0 then.
    """
    from scipy.special import expit, log_expit

    mu, other = expit(eta), expit(-eta)
    if math.isinf(phi):
        variance = n * mu * other
        none = np.zeros_like(variance)
        value = y * log_expit(eta) + (n - y) * log_expit(-eta)
        return value, y - n * mu, none, -variance, -variance * (other - mu), none, none
    a, b = phi * mu, phi * other
    shape = mu.shape
    both = np.stack([a, b]), np.stack([np.broadcast_to(y, shape), np.broadcast_to(n - y, shape)])
    first, second = zip(*_rising(*both, order), strict=True)
    slope = phi * mu * other
    lean = other - mu
    apart = first[1] - second[1]
    found = [
        first[0] + second[0],
        slope * apart,
        a * first[1] + b * second[1],
    ]
    if order >= 2:
        bent = slope**2 * (first[2] + second[2])
        found.append(slope * lean * apart + bent)
    if order >= 3:
        cross = a * first[2] - b * second[2]
        found += [
            slope * (lean**2 - 2 * mu * other) * apart + 3 * lean * bent + slope**3 * (first[3] - second[3]),
            slope * (apart + cross),
            slope * lean * (apart + cross) + 2 * bent + slope**2 * (a * first[3] + b * second[3]),
        ]
    return tuple(found)


def _rising(start: Floats, steps: Floats, order: int) -> tuple[Floats, ...]:
    """``log Γ(start + steps) - log Γ(start)`` and as many derivatives by `start`, without loss of digits."""
    a, k = start, steps
    far = a >= _ASYMPTOTIC
    if far.all():
        return _rising_far(a, k, order)
    if not far.any():
        return _rising_near(a, k, order)
    found = tuple(np.empty(a.shape) for _ in range(order + 1))
    for part, values in ((far, _rising_far(a[far], k[far], order)), (~far, _rising_near(a[~far], k[~far], order))):
        for whole, some in zip(found, values, strict=True):
            whole[part] = some
    return found


def _rising_near(a: Floats, k: Floats, order: int) -> tuple[Floats, ...]:
    from scipy.special import digamma, gammaln, zeta

    # ψ'(x) = ζ(2, x) and ψ''(x) = -2 ζ(3, x)
    functions = (gammaln, digamma, partial(zeta, 2.0), lambda x: -2.0 * zeta(3.0, x))
    return tuple(np.asarray(function(a + k) - function(a)) for function in functions[: order + 1])


def _rising_far(a: Floats, k: Floats, order: int) -> tuple[Floats, ...]:
    """Differences of Stirling's series and its derivatives; the leading terms in forms that do not cancel."""
    end = a + k
    log = np.log1p(k / a)
    r, q = 1.0 / end, 1.0 / a
    r2, q2 = r * r, q * q
    rest = [[one * (1 / 12 - two * (1 / 360 - two * (1 / 1260 - two / 1680))) for one, two in ((r, r2), (q, q2))]]
    leading = [(a - 0.5) * log + k * np.log(end) - k]
    if order >= 1:
        leading.append(log)
        rest.append([-one / 2 - two * (1 / 12 - two * (1 / 120 - two / 252)) for one, two in ((r, r2), (q, q2))])
    if order >= 2:
        leading.append(-k * r * q)
        rest.append([two * (1 / 2 + one * (1 / 6 - two * (1 / 30 - two / 42))) for one, two in ((r, r2), (q, q2))])
    if order >= 3:
        leading.append(k * r * q * (r + q))
        rest.append([-two * (one + two * (1 / 2 - two * (1 / 6 - two / 6))) for one, two in ((r, r2), (q, q2))])
    return tuple(first + (ahead - behind) for first, (ahead, behind) in zip(leading, rest, strict=True))
