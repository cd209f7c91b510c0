"""The rise and fall of cells with the doses that were given: a turnover model with a fixed decay, over arrays.

``dT/dt = kin (1 + S on(t)) - kout T``, where every dose switches extra production on for one day. From a steady state
the ratio to untreated is ``1 + S L(t)`` with the level ``L`` of `dose_level`: 0 before treatment, 1 under daily doses
without end. A few visits cannot tell ``kout``: it is fixed. ``S`` differs between subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]

#: ``kout``: rate at which an expanded population falls back, per day (half-life 3.5 days), and others to compare with.
DECAY_PER_DAY: Final = 0.20
OTHER_DECAYS: Final = (0.15, 0.25)
#: Subjects with and without a level above 0, each with two values or more, below which nothing is fitted.
FEWEST: Final = 3
#: Nodes of the quadrature over a subject's own response, placed at the subject's mode and width.
NODES: Final = 21
_STEPS: Final = 60
#: Largest log ratio under daily doses without end, either way, and largest deviation between subjects of it.
_FURTHEST: Final = 8.0
_WIDEST: Final = 6.0
#: Standard deviations below which they are at their boundary, and what a deviation must add to the log-likelihood.
_SMALL: Final = 1e-3
_GAIN: Final = 1e-6
#: A residual deviation of this share of all variation is rounding.
_ROUNDING: Final = 1e-6
#: Names of the last four parameters; before them are the means of the visits.
_TAIL: Final = ("effect", "sd_response", "sd_between", "log_sd_within")


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and 95 % limits; NaN where there are none."""

    value: float
    se: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class TurnoverFit:
    """A fitted turnover model.

    Attributes
    ----------
    effect
        Log ratio to untreated of the median subject under daily doses without end, ``log(1 + S)``: 0 is no effect.
    sd_response
        Standard deviation of that log ratio between subjects. 0 without limits at its boundary.
    sd_between, sd_within
        Standard deviations of log cells between subjects, and of the residual.
    time_effects
        Change of log cells from the first visit to each visit, common to all subjects and apart from the doses,
        ``(n_visits,)``; the first is 0 and has no error.
    visits
        Codes of the visits that have a value, ``(n_visits,)``.
    df
        Degrees of freedom of the t limits of `effect`: subjects with a level above 0, less one.
    decay_per_day
        ``kout``; fixed, not estimated.
    log_likelihood
        At the maximum.
    converged, reason
        Whether there is a maximum with an invertible information; if not, why, and every estimate is NaN.
    note
        Which deviations are at their boundary; else empty.
    """

    effect: Estimate
    sd_response: Estimate
    sd_between: Estimate
    sd_within: Estimate
    time_effects: tuple[Estimate, ...]
    visits: tuple[int, ...]
    df: int
    decay_per_day: float
    log_likelihood: float
    n_subjects: int
    n_treated: int
    n_observations: int
    converged: bool
    reason: str
    note: str


@dataclass(frozen=True, eq=False)
class Prediction:
    """Ratio to untreated of the median subject, with 95 % limits and the error of its logarithm, each ``(n_days,)``."""

    ratio: Floats
    lower: Floats
    upper: Floats
    log_se: Floats


@dataclass(frozen=True, eq=False)
class _Data:
    """Subjects × visits: log cells (0 where `seen` is 0), level, its log odds; `rule` are nodes and weights."""

    y: Floats
    seen: Floats
    level: Floats
    odds: Floats
    rule: tuple[Floats, Floats]


def dose_level(days: ArrayLike, dose_days: ArrayLike, decay_per_day: float = DECAY_PER_DAY) -> Floats:
    """Level of the drug effect: 0 before treatment, 1 under daily doses without end.

    A dose acts from the begin of its day for one day, and what it brought decays. A sample on the day of a dose is
    drawn before it. The exact solution of ``dL/dt = kout (on(t) - L)``, between whole days too.

    Parameters
    ----------
    days
        Days of interest, shape ``(n,)``, on the line of `dose_days`: without a gap at study day 0.
    dose_days
        Days with a dose, shape ``(k,)``, in any order; a day that is named twice counts once. Two doses less than a
        day apart would act at once, which the model does not describe.
    decay_per_day
        ``kout``.

    Raises
    ------
    ParameterError
        If doses are less than a day apart, a day is not finite or the decay not above 0.

    Examples
    --------
    >>> dose_level([1, 2, 6, 15], [1, 2, 3, 4, 5]).round(3).tolist()
    [0.0, 0.181, 0.632, 0.104]
    """
    at = np.atleast_1d(np.asarray(days, dtype=np.float64))
    given = np.unique(np.asarray(dose_days, dtype=np.float64))
    _check_decay(decay_per_day)
    if at.ndim != 1 or not np.isfinite(at).all() or not np.isfinite(given).all():
        raise ParameterError("days and dose_days must be finite, of shape (n,)")
    if (np.diff(given) < 1).any():
        raise ParameterError("dose_days: two doses are less than a day apart")
    since = at[:, None] - given[None, :]
    acted = np.minimum(np.maximum(since, 0.0), 1.0)
    past = np.maximum(since - 1.0, 0.0)
    return np.asarray((-np.expm1(-decay_per_day * acted) * np.exp(-decay_per_day * past)).sum(axis=1))


def fit_turnover(
    log_cells: ArrayLike,
    subjects: ArrayLike,
    visit: ArrayLike,
    level: ArrayLike,
    *,
    decay_per_day: float = DECAY_PER_DAY,
    nodes: int = NODES,
) -> TurnoverFit:
    """Fit ``log Y[i,j] = time[j] + b[i] + log(1 + S[i] L[i,j]) + e[i,j]`` with ``log(1 + S[i])`` normal over subjects.

    ``b`` and ``e`` are normal too. Maximum likelihood: ``b`` is integrated out in closed form, the response of each
    subject by adaptive Gauss–Hermite quadrature (Pinheiro and Bates 1995). The time effects are those of all subjects
    alike; the ones with a level of 0 tell them from the effect of the doses. Errors come from the observed
    information, by differences of the score.

    ``log(1 + S)`` is any number, so that ``S > -1``: a population may rise without limit or fall as far as production
    that ceases lets it, with the rate ``kout``. A faster fall, as of cells that leave the blood within hours, is beyond
    the model: there is no maximum then, and the fit says so.

    Parameters
    ----------
    log_cells
        Values, shape ``(n,)``, finite.
    subjects
        Whose they are, shape ``(n,)``; numbers or names.
    visit
        Codes of the visits, shape ``(n,)``, whole numbers in order; the lowest is the first.
    level
        From `dose_level`, shape ``(n,)``, 0 or more and below 1.
    decay_per_day
        The one that `level` was made with; `predict` needs it.
    nodes
        Nodes of the quadrature.

    Raises
    ------
    ParameterError
        If the shapes differ, a value is out of its domain, or a subject has two values at a visit.

    Notes
    -----
    The log ratio of a subject is ``log((1 - L) + L exp(psi))`` with ``psi = log(1 + S)``: a softened maximum, whose
    slope in ``psi`` is ``expit(psi + logit L)``. Limits of `effect` are t limits, those of deviations normal on the
    logarithm.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> who, visit = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    >>> level = np.where(who % 2 == 0, np.array([0.0, 0.5, 0.2])[visit], 0.0)
    >>> y = rng.normal(4, 0.5, 30)[who] + np.log1p(2.0 * level) + rng.normal(0, 0.1, 90)
    >>> fit = fit_turnover(y, who, visit, level)
    >>> round(float(np.expm1(fit.effect.value)), 1), fit.sd_response.value
    (2.1, 0.0)
    """
    y, levels = (np.asarray(values, dtype=np.float64) for values in (log_cells, level))
    who, when = np.asarray(subjects), np.asarray(visit)
    if y.ndim != 1 or not y.shape == levels.shape == who.shape == when.shape:
        shapes = ", ".join(str(values.shape) for values in (y, who, when, levels))
        raise ParameterError(f"log_cells, subjects, visit and level of shapes {shapes}: want one (n,)")
    if not np.issubdtype(when.dtype, np.integer):
        raise ParameterError("visit: want whole numbers")
    if not np.isfinite(y).all():
        raise ParameterError("log_cells: a value is not finite; leave out cells of 0, which have no logarithm")
    if not ((levels >= 0) & (levels < 1)).all():
        raise ParameterError("level: want 0 or more and below 1")
    _check_decay(decay_per_day)
    names, row = np.unique(who, return_inverse=True)
    codes, column = np.unique(when, return_inverse=True)
    shape = (len(names), len(codes))
    seen = np.zeros(shape)
    np.add.at(seen, (row, column), 1.0)
    if (seen > 1).any():
        raise ParameterError("a subject has two values at a visit")
    dense, placed = np.zeros(shape), np.zeros(shape)
    dense[row, column], placed[row, column] = y, levels
    # numbers of one size for all populations
    centre = float(y.mean()) if y.size else 0.0
    with np.errstate(divide="ignore"):
        odds = np.log(placed) - np.log1p(-placed)
    rule = np.polynomial.hermite_e.hermegauss(nodes)
    data = _Data((dense - centre) * seen, seen, placed, odds, rule)
    treated = (placed > 0).any(axis=1)
    nothing = Estimate(np.nan, np.nan, np.nan, np.nan)
    empty = TurnoverFit(
        nothing, nothing, nothing, nothing, (nothing,) * len(codes), tuple(int(code) for code in codes),
        max(int(treated.sum()) - 1, 0), decay_per_day, np.nan, len(names), int(treated.sum()), y.size, False, "", "",
    )  # fmt: skip
    reason = _refusal(data)
    return replace(empty, reason=reason) if reason else _fitted(data, empty)


def predict(fit: TurnoverFit, dose_days: ArrayLike, days: ArrayLike) -> Prediction:
    """Ratio to untreated of the median subject on any day, under any doses.

    The log ratio rises with `TurnoverFit.effect`, whose limits are carried over: what they say of no effect they say on
    every day. The error of the log ratio is that of the delta method.

    Parameters
    ----------
    fit
        A fit that converged.
    dose_days, days
        As for `dose_level`, shapes ``(k,)`` and ``(n_days,)``.

    Raises
    ------
    ParameterError
        If the fit did not converge, or as for `dose_level`.

    Examples
    --------
    >>> who, visit = np.repeat(np.arange(8), 2), np.tile([0, 1], 8)
    >>> level = np.where(who % 2, 0.0, 0.6 * visit)
    >>> y = np.log1p(2.5 * level) + np.random.default_rng(1).normal(0, 0.1, 16)
    >>> predict(fit_turnover(y, who, visit, level), [1, 2, 3, 4, 5], [1, 6, 26]).ratio.round(2).tolist()
    [1.0, 2.65, 1.03]
    """
    if not fit.converged:
        raise ParameterError(f"nothing can be predicted: {fit.reason}")
    level = dose_level(days, dose_days, fit.decay_per_day)
    with np.errstate(divide="ignore"):
        odds = np.log(level) - np.log1p(-level)
    ratio, lower, upper = (np.exp(_log_ratio(one, odds, level)) for one in _three(fit.effect))
    return Prediction(ratio, lower, upper, _slope(np.float64(fit.effect.value), odds) * fit.effect.se)


def _three(estimate: Estimate) -> tuple[np.float64, np.float64, np.float64]:
    return np.float64(estimate.value), np.float64(estimate.lower), np.float64(estimate.upper)


def _check_decay(decay_per_day: float) -> None:
    if not (np.isfinite(decay_per_day) and decay_per_day > 0):
        raise ParameterError(f"decay_per_day = {decay_per_day}: want a rate above 0")


def _log_ratio(psi: Floats | np.float64, odds: Floats, level: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, psi + odds) + np.log1p(-level))


def _slope(psi: Floats | np.float64, odds: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(psi + odds), dtype=np.float64)


def _refusal(data: _Data) -> str:
    """Why the effect is not estimable, or nothing."""
    repeated = data.seen.sum(axis=1) > 1
    treated = (data.level > 0).any(axis=1)
    for mask, word in ((treated, "after a dose"), (~treated, "without a dose")):
        n = int((repeated & mask).sum())
        if n < FEWEST:
            return f"{n} subjects {word} have two values or more; {FEWEST} are needed"
    size = data.seen.sum(axis=1, keepdims=True)
    # what a level of each subject leaves of visits and doses, near no effect
    columns = [np.where(np.arange(data.seen.shape[1]) == j, data.seen, 0.0) for j in range(1, data.seen.shape[1])]
    centred = [
        ((column - column.sum(axis=1, keepdims=True) / size) * data.seen).ravel() for column in [*columns, data.level]
    ]
    design = np.column_stack(centred)
    if np.linalg.matrix_rank(design, tol=1e-8 * float(np.sqrt(data.seen.sum()))) < design.shape[1]:
        return "visits and doses cannot be told apart: subjects without doses lack the visits, or no level varies"
    spread = float(np.std(data.y[data.seen > 0]))
    rest = _centred_residual(data, design)
    if rest <= _ROUNDING * max(spread, 1e-300):
        return "no residual variation: there is nothing to estimate a variance from"
    return ""


def _centred_residual(data: _Data, design: Floats) -> float:
    """Residual deviation of the model that is linear in the level."""
    size = data.seen.sum(axis=1, keepdims=True)
    response = ((data.y - data.y.sum(axis=1, keepdims=True) / size) * data.seen).ravel()
    found = np.linalg.lstsq(design, response, rcond=None)[0]
    return float(np.sqrt(np.mean((response - design @ found) ** 2)))


def _start(data: _Data) -> Floats:
    """Parameters to begin with: the best of a grid of effects, by least squares within subjects."""
    n_visits = data.seen.shape[1]
    size = data.seen.sum(axis=1)
    columns = [np.where(np.arange(n_visits) == j, data.seen, 0.0) for j in range(n_visits)]
    centred = np.column_stack([((c - (c.sum(axis=1) / size)[:, None]) * data.seen).ravel() for c in columns])
    best: tuple[float, Floats] | None = None
    for effect in np.linspace(-4.0, 4.0, 17):
        rest = (data.y - _log_ratio(effect, data.odds, data.level)) * data.seen
        within = ((rest - (rest.sum(axis=1) / size)[:, None]) * data.seen).ravel()
        # the visits have one level too many within subjects; the shortest solution has mean 0
        means = np.linalg.lstsq(centred, within, rcond=None)[0]
        squares = float(((within - centred @ means) ** 2).sum())
        if best is None or squares < best[0]:
            level = (rest - means * data.seen).sum(axis=1) / size
            freedom = max(float(data.seen.sum() - len(size) - n_visits), 1.0)
            sd, between = np.sqrt(squares / freedom), float(np.std(level))
            tail = [effect, 0.3, max(between, 0.1 * float(sd), 0.01), np.log(max(float(sd), 1e-4))]
            best = squares, np.r_[means + level.mean(), tail]
    assert best is not None  # noqa: S101
    return best[1]


def _fitted(data: _Data, empty: TurnoverFit) -> TurnoverFit:
    start = _start(data)
    n_visits = len(start) - len(_TAIL)
    response, between = n_visits + 1, n_visits + 2
    free = np.ones(len(start), dtype=bool)
    # without differences in response first: the likelihood is even in the deviation, flat at 0
    alike = free.copy()
    alike[response] = False
    begin = start.copy()
    begin[response] = 0.0
    place, value = _maximise(data, begin, alike)
    begin = place.copy()
    begin[response] = start[response]
    other, differing = _maximise(data, begin, free)
    notes = []
    if differing > value + _GAIN and abs(other[response]) > _SMALL:
        place, value = other, differing
    else:
        free = alike
        notes.append("the response of subjects does not differ: its deviation is at its boundary, 0")
    if place[between] < _SMALL:
        free = free.copy()
        free[between] = False
        begin = place.copy()
        begin[between] = 0.0
        place, value = _maximise(data, begin, free)
        notes.append("the variance between subjects is at its boundary, 0")
    effect = place[n_visits]
    if abs(effect) > _FURTHEST - 0.01:
        direction = "a fall is steeper than production that ceases" if effect < 0 else "a rise is steeper than doses"
        return replace(
            empty, reason=f"no maximum: {direction} could bring with a decay of {empty.decay_per_day:g} per day"
        )
    if place[response] > _WIDEST - 0.01:
        return replace(empty, reason="no maximum: the responses of subjects differ beyond bounds")
    place, information, step = _polished(data, place, free)
    if information is None:
        return replace(empty, reason="the information is not positive definite: the values do not determine the effect")
    if step > 1e-3:
        return replace(empty, reason=f"the search did not reach a maximum: {step:.1g} standard errors away")
    covariance = np.zeros((len(place), len(place)))
    covariance[np.ix_(free, free)] = np.linalg.inv(information)
    return _described(data, empty, place, covariance, free, notes)


def _described(
    data: _Data, empty: TurnoverFit, place: Floats, covariance: Floats, free: NDArray[np.bool_], notes: Sequence[str]
) -> TurnoverFit:
    from scipy import stats

    n_visits = len(empty.visits)
    se = np.sqrt(np.diag(covariance))
    t, z = float(stats.t.ppf(0.975, empty.df)), float(stats.norm.ppf(0.975))
    times = [Estimate(0.0, 0.0, 0.0, 0.0)]
    for j in range(1, n_visits):
        change = float(place[j] - place[0])
        error = float(np.sqrt(covariance[j, j] + covariance[0, 0] - 2 * covariance[0, j]))
        times.append(Estimate(change, error, change - t * error, change + t * error))

    def deviation(value: float, error: float, estimated: bool) -> Estimate:
        if not estimated:
            return Estimate(0.0, np.nan, np.nan, np.nan)
        half = z * error / value
        return Estimate(value, error, value * float(np.exp(-half)), value * float(np.exp(half)))

    effect, error = float(place[n_visits]), float(se[n_visits])
    sd = float(np.exp(place[-1]))
    value, _ = _likelihood(data, place)
    return replace(
        empty,
        effect=Estimate(effect, error, effect - t * error, effect + t * error),
        sd_response=deviation(float(place[-3]), float(se[-3]), bool(free[-3])),
        sd_between=deviation(float(place[-2]), float(se[-2]), bool(free[-2])),
        sd_within=deviation(sd, sd * float(se[-1]), True),
        time_effects=tuple(times),
        log_likelihood=value,
        converged=True,
        note="; ".join(notes),
    )


def _maximise(data: _Data, start: Floats, free: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return the best parameters found and their log-likelihood; those that are not `free` stay."""
    from scipy import optimize

    n_visits = len(start) - len(_TAIL)
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * n_visits
    low = float(start[-1]) - 15.0
    bounds += [(-_FURTHEST, _FURTHEST), (0.0, _WIDEST), (0.0, None), (low, low + 30.0)]

    def minus(some: Floats) -> tuple[float, Floats]:
        whole = start.copy()
        whole[free] = some
        value, score = _likelihood(data, whole)
        return -value, -score[free]

    found = optimize.minimize(
        minus,
        start[free],
        jac=True,
        method="L-BFGS-B",
        bounds=[bound for bound, moves in zip(bounds, free, strict=True) if moves],
        options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-5},
    )
    place = start.copy()
    place[free] = found.x
    return place, -float(found.fun)


def _polished(data: _Data, place: Floats, free: NDArray[np.bool_]) -> tuple[Floats, Floats | None, float]:
    """Newton's steps to the maximum; return it, the observed information (``None`` if there is none), the last step.

    The step is in standard errors.
    """
    at = np.flatnonzero(free)
    step, information = np.inf, None
    for _ in range(8):
        # within a hundredth of a standard error the information is the same
        if information is None or step > 1e-2:
            information = _information(data, place, at)
            if not np.isfinite(information).all() or (np.linalg.eigvalsh(information) <= 0).any():
                return place, None, step
        score = _likelihood(data, place)[1][at]
        move = np.linalg.solve(information, score)
        step = float(np.sqrt(max(float(score @ move), 0.0)))
        if step < 1e-7 or step > 0.5:
            break
        place = place.copy()
        place[at] += move
    return place, information, step


def _information(data: _Data, place: Floats, at: NDArray[np.intp]) -> Floats:
    rows = []
    for position in at:
        # deviations stay above 0, where the likelihood is smooth but even
        width = 1e-4 * max(1.0, abs(float(place[position])))
        if position in (len(place) - 3, len(place) - 2):
            width = min(width, 0.1 * float(place[position]))
        shift = np.zeros(len(place))
        shift[position] = width
        rows.append((_likelihood(data, place - shift)[1] - _likelihood(data, place + shift)[1])[at] / (2 * width))
    found = np.array(rows)
    return np.asarray((found + found.T) / 2)


def _likelihood(data: _Data, place: Floats) -> tuple[float, Floats]:
    """Log-likelihood and score at (means of the visits, effect, deviations of response and level, log residual)."""
    n_visits = data.seen.shape[1]
    means, (effect, spread, between, log_sd) = place[:n_visits], place[n_visits:]
    variance = np.exp(2 * log_sd)
    size = data.seen.sum(axis=1)
    total = variance + size * between**2
    rest = (data.y - means) * data.seen

    def weighted(r: Floats) -> Floats:
        """V⁻¹ r of each subject, ``(..., n_visits)``; V⁻¹ is (I - 11' τ²/(σ² + m τ²)) / σ²."""
        share = (between**2 / total).reshape(-1, *([1] * (r.ndim - 1)))
        seen = data.seen.reshape(len(size), *([1] * (r.ndim - 2)), n_visits)
        return np.asarray((r - seen * share * r.sum(axis=-1, keepdims=True)) / variance)

    nodes, weights = (np.zeros(1), np.ones(1)) if spread == 0 else data.rule
    mode, width = _modes(data, rest, weighted, effect, spread) if spread != 0 else (np.zeros(len(size)), 1.0)
    eta = mode[:, None] + nodes[None, :] * np.reshape(width, (-1, 1))
    psi = effect + spread * eta[:, :, None]
    odds, level = data.odds[:, None, :], data.level[:, None, :]
    r = rest[:, None, :] - _log_ratio(psi, odds, level)
    a = weighted(r)
    log_determinant = (size - 1) * 2 * log_sd + np.log(total)
    logs = -0.5 * ((r * a).sum(axis=2) + log_determinant[:, None] + size[:, None] * np.log(2 * np.pi))
    if spread != 0:
        # hermegauss integrates against exp(-x²/2); what it does not hold is put back
        logs = logs - 0.5 * eta**2 + 0.5 * nodes**2 + np.log(weights * np.reshape(width, (-1, 1)))
        logs = logs - 0.5 * np.log(2 * np.pi)
    highest = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - highest)
    summed = shares.sum(axis=1, keepdims=True)
    value = float((highest + np.log(summed)).sum())
    shares = shares / summed
    # the score is the mean of the complete one, given the values (Louis 1982)
    along = (_slope(psi, odds) * a).sum(axis=2)
    whole = r.sum(axis=2)
    among = whole**2 / size[:, None]
    inside = (r * r).sum(axis=2) - among
    by_variance = 0.5 * (
        inside / variance**2 + among / total[:, None] ** 2 - ((size - 1) / variance + 1 / total)[:, None]
    )
    by_between = 0.5 * (size / total)[:, None] * (among / total[:, None] - 1)
    score = np.r_[
        (shares[:, :, None] * a).sum(axis=(0, 1)),
        (shares * along).sum(),
        (shares * eta * along).sum(),
        2 * between * (shares * by_between).sum(),
        2 * variance * (shares * by_variance).sum(),
    ]
    return value, score


def _modes(
    data: _Data, rest: Floats, weighted: Callable[[Floats], Floats], effect: float, spread: float
) -> tuple[Floats, Floats]:
    """Most probable response of each subject, in standard deviations, and the width of the peak, ``(n_subjects,)``."""
    eta = np.zeros(len(rest))
    curvature = np.ones(len(rest))
    for _ in range(_STEPS):
        psi = effect + spread * eta[:, None]
        slope = spread * _slope(psi, data.odds)
        a = weighted(rest - _log_ratio(psi, data.odds, data.level))
        # Gauss and Newton's curvature is never below 1
        curvature = 1.0 + (slope * weighted(slope)).sum(axis=1)
        # a longer step is one that overshoots
        step = np.clip(np.asarray(((slope * a).sum(axis=1) - eta) / curvature), -1.5, 1.5)
        eta = eta + step
        # the nodes integrate as well from a place beside the mode
        if float(np.abs(step).max()) < 1e-6:
            break
    return eta, 1 / np.sqrt(curvature)
