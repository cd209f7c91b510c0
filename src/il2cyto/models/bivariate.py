"""Two responses over the visits of subjects, one of them censored: their correlation within and between subjects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError
from il2cyto.models.exact import Z

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

#: Nodes of the quadrature over one direction and over each of two: the next are taken where they change the likelihood.
NODES: Final = ((15, 61, 121, 241), (11, 21, 41, 61))
#: Sums of squared slopes of a subject's censored values above which a search begins with the next nodes.
_STEEP: Final = (9.0, 20.0, 120.0)
#: Uniform nodes reach as far from the mode: the integrand falls at least like a normal density.
_FAR: Final = 6.5
#: Change of the log likelihood by the next nodes that is none, and the largest that the last ones may leave.
_SAME: Final = 1e-5
_LOOSE: Final = 1e-2
_STEPS: Final = 40
#: Steps of differences by logarithms of deviations and by Fisher's z.
_SLOPE: Final = 1e-4
_BEND: Final = 1e-3
#: Newton's decrement, in units of log likelihood, at which one more step ends the search.
_DECREMENT: Final = 1e-7
#: What a place outside the domain is worth, as minus a log likelihood.
_OUTSIDE: Final = 1e10
#: Difference of log likelihoods below which a covariance on the boundary is as good as one inside.
_AS_GOOD: Final = 1e-4
#: The same before the other parameters are fitted.
_CLOSE: Final = 1e-3
#: Gain of two steps of a search that is none.
_NOTHING: Final = 1e-6
#: Ratio of deviations between and within subjects, and 1 - |correlation|, below which the boundary is looked at.
_NEAR: Final = 0.15
#: Fisher's z of a correlation that is 1 but for rounding.
_ONE: Final = 7.0

# places of the natural parameters: log deviations within, Fisher's z within, log deviations between, z between
_SD, _WITHIN, _BETWEEN_SD, _BETWEEN = slice(0, 2), 2, slice(3, 5), 5


@dataclass(frozen=True, eq=False)
class BivariateFit:
    """A fitted bivariate model, whether or not it converged.

    Attributes
    ----------
    params, covariance
        Fixed effects of `y` and `z`, ``(2, p)``, and their covariance ``(2p, 2p)`` at the estimated covariances; NaN
        for an effect that no value of its response depends on.
    within, between
        Covariances of the residuals and of the subjects' intercepts, ``(2, 2)``.
    r_within, r_within_lower, r_within_upper
        Correlation of the residuals of a row with 95 % limits by Fisher's z.
    p_value
        Two-sided, of no correlation of the residuals, by the likelihood ratio with one degree of freedom.
    r_between, r_between_lower, r_between_upper
        Correlation of the intercepts with 95 % limits by Fisher's z; NaN on the boundary, where `note` says which.
    log_likelihood
        Restricted log-likelihood with all constants.
    converged
        Whether the search ended in a maximum.
    note
        Why not, or that `between` is on its boundary; else empty.
    """

    params: Floats
    covariance: Floats
    within: Floats
    between: Floats
    r_within: float
    r_within_lower: float
    r_within_upper: float
    p_value: float
    r_between: float
    r_between_lower: float
    r_between_upper: float
    log_likelihood: float
    converged: bool
    note: str


@dataclass(frozen=True, eq=False)
class _Tail:
    """Censored values, sorted by subject, whose probabilities are integrated over `dims` directions.

    `y` and `z` ``(m, Q)`` are rows of either response (of `z` with the limit), 0 where `y` is not known;
    `sign` is 1 below and -1 above the limit, `kind` 0 where `y` is known and else 1, `subject` the number among all
    subjects, `own` that among `subjects`, and `starts` where each begins.
    """

    dims: int
    y: Floats
    z: Floats
    sign: Floats
    kind: Integers
    subject: Integers
    own: Integers
    starts: Integers
    subjects: Integers


@dataclass(frozen=True, eq=False)
class _Rule:
    """Nodes ``(dims, k)`` about a mode and the logarithms of their weights ``(k,)``, for an integral over all of it.

    `scaled` says whether nodes are in units of the width of the integrand at its mode, or else of that of ``ξ``.
    """

    nodes: Floats
    log_weights: Floats
    scaled: bool


@dataclass(frozen=True, eq=False)
class _Data:
    """Sums over rows with both values, with `y` alone and with `z` alone.

    Columns are the design of `y`, that of `z`, and their values: Q, of which `q` are effects; `of` ``(2, Q)`` is 1 for
    those of a response. `both` is ``(Q, Q)``, `alone` the same with 0 between the responses; `sums_both` and
    `sums_alone` are per subject ``(s, 1, Q)``, `n_both` and `n_alone` ``(s,)`` and ``(s, 2)``.
    """

    both: Floats
    alone: Floats
    sums_both: Floats
    sums_alone: Floats
    n_both: Floats
    n_alone: Floats
    q: int
    of: Floats
    tails: tuple[_Tail, ...]

    @property
    def n_values(self) -> float:
        return float(2 * self.n_both.sum() + self.n_alone.sum())


@dataclass(frozen=True, eq=False)
class _Gaussian:
    """What the values within limits say at some covariances.

    Minus twice their log-likelihood is ``constant + c' gram c`` with ``c`` 1 for the values and -β for the effects.
    `shrunk` ``(s, 2, Q)`` times ``c`` is the mean of the intercepts given these values in units of `root`
    ``(s, 2, 2)``, whose square is their covariance.
    """

    constant: float
    gram: Floats
    shrunk: Floats
    root: Floats


@dataclass(frozen=True, eq=False)
class _Found:
    """End of a search: natural parameters (infinite on the boundary), minus the log-likelihood, and what is free."""

    natural: Floats
    value: float
    free: Integers
    information: Floats
    note: str


def fit_bivariate(
    y: Floats,
    z: Floats,
    censor: NDArray[np.int8],
    design: Floats,
    subjects: NDArray[np.intp],
) -> BivariateFit:
    """Fit ``y = design · β₁ + u₁[subject] + ε₁`` and ``z = design · β₂ + u₂[subject] + ε₂`` with ``z`` censored.

    ``(u₁, u₂)`` and ``(ε₁, ε₂)`` are normal with a covariance each; the correlation of the first is that between
    subjects, of the second that within subjects. Rows are independent given the intercepts.

    Parameters
    ----------
    y
        Shape ``(n,)``, NaN where there is no value.
    z
        Shape ``(n,)``, NaN where there is no value; the limit itself where it is censored.
    censor
        0 for a value of `z`, -1 below and 1 above the limit, shape ``(n,)``.
    design
        Columns of the fixed effects of either, shape ``(n, p)``. A column that is 0 wherever a response is known is
        no effect of that response.
    subjects
        Number of the subject of each row.

    Returns
    -------
    BivariateFit
        With ``converged`` false and the reason in ``note`` where the search did not end in a maximum.

    Raises
    ------
    ParameterError
        If shapes do not fit, a code of `censor` is unknown, a value is infinite, the design is not of full rank over
        the values of a response that are within their limits, or no subject has two rows with both.

    Notes
    -----
    The covariances maximise the likelihood with β₁ and β₂ integrated out: exactly where nothing is censored (REML),
    by Laplace's method otherwise (Harville 1974). Given the values within limits, the intercepts are normal, and the
    probabilities of the censored values depend on them through ``u₂ - u₁ cov(ε₁, ε₂)/var(ε₁)`` where `y` is known
    and ``u₂`` where it is not; over these one or two directions they are integrated by adaptive Gauss–Hermite
    quadrature (Pinheiro and Bates 1995), or over one direction by the trapezoidal rule where subjects differ so much
    that this converges faster. Limits are those of Fisher's z with the observed information of all
    covariance parameters.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> who = np.repeat(np.arange(30), 4)
    >>> e = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 120) + rng.normal(size=(30, 2))[who]
    >>> below = e[:, 1] < -0.5
    >>> z = np.where(below, -0.5, e[:, 1])
    >>> fit = fit_bivariate(e[:, 0], z, np.where(below, -1, 0).astype(np.int8), np.ones((120, 1)), who)
    >>> fit.converged, [round(r, 2) for r in (fit.r_within, fit.r_within_lower, fit.r_within_upper)]
    (True, [0.65, 0.5, 0.76])
    """
    x, (first, second) = _checked(y, z, censor, design, subjects)
    p = x.shape[1]
    known = ~np.isnan(first) | ~np.isnan(second)
    first, second, x, side = first[known], second[known], x[known], np.asarray(censor, dtype=np.intp)[known]
    side = np.where(np.isnan(second), 0, side)
    _, number = np.unique(np.asarray(subjects)[known], return_inverse=True)
    within = side == 0
    one = _standardised(first, x, ~np.isnan(first), "y")
    two = _standardised(second, x, ~np.isnan(second) & within, "z")
    pairs = ~np.isnan(first) & ~np.isnan(second) & within
    if np.bincount(number[pairs], minlength=1).max() < 2:
        raise ParameterError(
            "no subject has two rows with both values within limits: nothing tells within from between"
        )
    for scaled, word in ((one, "y"), (two, "z")):
        if scaled.unit == 0:
            return _none(p, f"the fixed effects explain every value of {word}: there is no variation left")
    data = _collect(one, two, side, number.astype(np.intp))
    # the search may look where nothing can be told; it does not stay there
    with np.errstate(all="ignore"):
        found, likelihood = _maximise(data, _moments(one, two, pairs, number.astype(np.intp)))
        return _described(likelihood, found, one, two, p)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """A response less its least squares fit, in units of its deviation from it, and its columns of the design."""

    value: Floats
    design: Floats
    columns: Integers
    effects: Floats
    unit: float


def _checked(
    y: Floats, z: Floats, censor: NDArray[np.int8], design: Floats, subjects: NDArray[np.intp]
) -> tuple[Floats, tuple[Floats, Floats]]:
    first, second, x = (np.asarray(values, dtype=np.float64) for values in (y, z, design))
    shape = first.shape
    if len(shape) != 1 or x.ndim != 2 or any(np.shape(a) != shape for a in (second, censor, subjects, x[:, 0])):
        raise ParameterError(
            f"y, z, censor, design and subjects of shapes {shape}, {second.shape}, {np.shape(censor)}, {x.shape} and "
            f"{np.shape(subjects)}: want (n,) and (n, p)"
        )
    if not np.isin(censor, (-1, 0, 1)).all():
        raise ParameterError(f"censor is -1, 0 or 1, not {sorted(set(np.ravel(censor).tolist()) - {-1, 0, 1})}")
    if np.isinf(first).any() or np.isinf(second).any() or not np.isfinite(x).all():
        raise ParameterError("a value is infinite: leave it out as NaN, and say so")
    return x, (first, second)


def _standardised(value: Floats, x: Floats, quantified: NDArray[np.bool_], word: str) -> _Scaled:
    """Residuals by least squares over the values within limits, in units of their deviation."""
    columns = np.flatnonzero((x[~np.isnan(value)] != 0).any(axis=0))
    own = x[:, columns]
    n, p = int(quantified.sum()), len(columns)
    if n <= p or np.linalg.matrix_rank(own[quantified]) < p:
        raise ParameterError(f"{n} values of {word} within limits do not determine {p} effects and a variance")
    effects = np.asarray(np.linalg.lstsq(own[quantified], value[quantified], rcond=None)[0], dtype=np.float64)
    residual = value - own @ effects
    unit = float(np.sqrt(np.mean(residual[quantified] ** 2)))
    size = float(np.max(np.abs(value[quantified])))
    if unit <= 1e-10 * size:
        return _Scaled(residual, own, columns, effects, 0.0)
    return _Scaled(residual / unit, own, columns, effects, unit)


def _collect(one: _Scaled, two: _Scaled, side: Integers, number: Integers) -> _Data:
    has_y, within = ~np.isnan(one.value), ~np.isnan(two.value) & (side == 0)
    p, q = one.design.shape[1], one.design.shape[1] + two.design.shape[1]
    cy, cz = np.zeros((len(number), q + 2)), np.zeros((len(number), q + 2))
    cy[has_y, :p], cy[has_y, q] = one.design[has_y], one.value[has_y]
    has_z = ~np.isnan(two.value)
    cz[has_z, p:q], cz[has_z, q + 1] = two.design[has_z], two.value[has_z]
    of = np.zeros((2, q + 2))
    of[0, :p] = of[0, q] = of[1, p:q] = of[1, q + 1] = 1.0
    both, only_y, only_z = has_y & within, has_y & ~within, within & ~has_y
    n = int(number.max()) + 1
    pairs = np.where(both[:, None], cy + cz, 0.0)
    alone = np.where(only_y[:, None], cy, 0.0) + np.where(only_z[:, None], cz, 0.0)

    def per_subject(rows: Floats) -> Floats:
        summed = np.zeros((n, rows.shape[1]))
        np.add.at(summed, number, rows)
        return summed

    counts = per_subject(np.column_stack([both, only_y, only_z]).astype(np.float64))
    return _Data(
        both=pairs.T @ pairs,
        alone=alone.T @ alone,
        sums_both=per_subject(pairs)[:, None],
        sums_alone=per_subject(alone)[:, None],
        n_both=counts[:, 0],
        n_alone=counts[:, 1:],
        q=q,
        of=of,
        tails=_tails(cy, cz, side, has_y, number),
    )


def _tails(cy: Floats, cz: Floats, side: Integers, has_y: NDArray[np.bool_], number: Integers) -> tuple[_Tail, ...]:
    """Split the censored values by the number of directions that those of their subject depend on."""
    censored = np.flatnonzero(side != 0)
    censored = censored[np.argsort(number[censored], kind="stable")]
    kinds = np.where(has_y, 0, 1)
    n = int(number.max()) + 1
    with_y = np.bincount(number[censored], kinds[censored] == 0, minlength=n) > 0
    without = np.bincount(number[censored], kinds[censored] == 1, minlength=n) > 0
    found = []
    for dims, wanted in ((1, with_y ^ without), (2, with_y & without)):
        rows = censored[wanted[number[censored]]]
        if not rows.size:
            continue
        subjects, own = np.unique(number[rows], return_inverse=True)
        found.append(
            _Tail(
                dims=dims,
                y=cy[rows],
                z=cz[rows],
                sign=-side[rows].astype(np.float64),
                kind=kinds[rows].astype(np.intp),
                subject=number[rows],
                own=own.astype(np.intp),
                starts=np.flatnonzero(np.r_[True, np.diff(own) > 0]),
                subjects=subjects.astype(np.intp),
            )
        )
    return tuple(found)


def _rule(dims: int, level: int) -> _Rule:
    n = NODES[dims - 1][level]
    if dims == 1 and level > 0:
        places = np.linspace(-_FAR, _FAR, n)
        return _Rule(places[None, :], np.full(n, np.log(places[1] - places[0])), scaled=False)
    places, weights = np.polynomial.hermite_e.hermegauss(n)
    # hermegauss integrates against exp(-x²/2); what it does not hold is put back
    logs = np.log(weights) + 0.5 * places**2
    grid, parts = (np.meshgrid(*[axis] * dims, indexing="ij") for axis in (places, logs))
    return _Rule(np.stack([axis.ravel() for axis in grid]), np.sum(parts, axis=0).ravel(), scaled=True)


def _moments(one: _Scaled, two: _Scaled, pairs: NDArray[np.bool_], number: Integers) -> Floats:
    """Start of the search: covariances of deviations from the subjects' means, and of these means."""
    values = np.column_stack([one.value, two.value])[pairs]
    _, own = np.unique(number[pairs], return_inverse=True)
    size = np.bincount(own)
    means: Floats = np.column_stack([np.bincount(own, column) / size for column in values.T])
    away = values - means[own]
    within: Floats = away.T @ away / max(len(values) - len(size), 1)
    # a start only: where the search ends does not depend on these bounds
    sd = np.sqrt(np.maximum(np.diag(within), 0.01))
    r = float(np.clip(within[0, 1] / (sd[0] * sd[1]), -0.9, 0.9))
    between = np.sqrt(np.maximum(means.var(axis=0) - sd**2 / size.mean(), 0.1 * sd**2))
    r_means = float(np.clip(np.asarray(np.corrcoef(means.T))[0, 1], -0.8, 0.8)) if len(size) > 2 else 0.0
    start: Floats = np.r_[np.log(sd), np.arctanh(r), np.log(between), np.arctanh(np.nan_to_num(r_means))]
    return start


def _gaussian(data: _Data, sd: Floats, r: float, root: Floats) -> _Gaussian:
    """Say what values within limits say, by Woodbury's identity; `root` is a square root of the covariance between."""
    of, own, rest = data.of, 1.0 / sd**2, 1.0 - r * r
    cross = -r / (rest * sd[0] * sd[1])
    rows = np.array([[own[0] / rest, cross], [cross, own[1] / rest]]) @ of
    single = own[:, None] * of
    gram = data.both * (of.T @ rows) + data.alone * single.sum(axis=0)
    sums = data.sums_both * rows + data.sums_alone * single
    told = np.empty((len(sums), 2, 2))
    told[:, 0, 0] = (data.n_both / rest + data.n_alone[:, 0]) * own[0]
    told[:, 1, 1] = (data.n_both / rest + data.n_alone[:, 1]) * own[1]
    told[:, 0, 1] = told[:, 1, 0] = data.n_both * cross
    inner = root.T @ told @ root + np.eye(2)
    # the inverse of the lower triangular root of the inner matrix
    a = np.sqrt(inner[:, 0, 0])
    b = inner[:, 0, 1] / a
    c = np.sqrt(inner[:, 1, 1] - b**2)
    lower = np.zeros_like(inner)
    lower[:, 0, 0], lower[:, 1, 1], lower[:, 1, 0] = 1 / a, 1 / c, -b / (a * c)
    shrunk = lower @ root.T @ sums
    flat = shrunk.reshape(-1, shrunk.shape[2])
    n_both, n_alone = float(data.n_both.sum()), data.n_alone.sum(axis=0)
    constant = (
        2 * float(np.log(a * c).sum())
        + n_both * float(np.log(rest))
        + float((n_both + n_alone) @ np.log(sd**2))
        + data.n_values * math.log(2 * math.pi)
    )
    return _Gaussian(constant, gram - flat.T @ flat, shrunk, root @ lower.swapaxes(1, 2))


class _Restricted:
    """Minus the restricted log-likelihood of the covariances; holds the last effects, from which the next start."""

    def __init__(self, data: _Data, level: int) -> None:
        self.data = data
        self.rules = [_rule(tail.dims, level) for tail in data.tails]
        self.beta = np.zeros(data.q)
        self.modes = [np.zeros((len(tail.subjects), tail.dims)) for tail in data.tails]

    def at(self, sd: Floats, r: float, root: Floats) -> tuple[float, Floats, Floats]:
        """Return the value, the effects and their information."""
        data = self.data
        if not (np.isfinite(sd).all() and np.isfinite(root).all() and 1 - r * r > 1e-7 and sd.min() > 1e-6):
            return _OUTSIDE, self.beta, np.eye(len(self.beta))
        told = _gaussian(data, sd, r, root)
        if data.tails:
            value, beta, information = self._by_newton(told, sd, r)
        else:
            value, beta, information = _by_least_squares(data, told)
        sign, determinant = np.linalg.slogdet(information)
        if sign <= 0 or not np.isfinite(value):
            return _OUTSIDE, self.beta, information
        self.beta = beta
        return -value + 0.5 * float(determinant) - 0.5 * len(beta) * math.log(2 * math.pi), beta, information

    def steepness(self, place: Floats) -> float:
        """Largest sum of squared slopes of the censored values of a subject by what is integrated over."""
        sd, r, root = _of_natural(place)
        told = _gaussian(self.data, sd, r, root)
        squares = [(tail, (_lines(self.data, tail, told, sd, r).away ** 2).sum(axis=1)) for tail in self.data.tails]
        return max((float(np.add.reduceat(each, tail.starts).max()) for tail, each in squares), default=0.0)

    def natural(self, place: Floats) -> float:
        """Value at log deviations and Fisher's z, which may be infinite between subjects."""
        sd, r, root = _of_natural(place)
        return self.at(sd, r, root)[0]

    def _by_newton(self, told: _Gaussian, sd: Floats, r: float) -> tuple[float, Floats, Floats]:
        """Maximise over the effects."""
        lines = [_lines(self.data, tail, told, sd, r) for tail in self.data.tails]
        beta = self.beta
        value, score, information = self._likelihood(told, lines, beta)
        for _ in range(_STEPS):
            step = np.linalg.solve(information, score)
            decrement = float(score @ step)
            length = 1.0
            while True:
                tried = beta + length * step
                new = self._likelihood(told, lines, tried)
                # the quadrature's own error is larger than what a step gains near the maximum
                if new[0] >= value - 1e-6 or length < 1e-2:
                    break
                length /= 2
            beta, (value, score, information) = tried, new
            if decrement < 1e-9:
                break
        return value, beta, information

    def _likelihood(self, told: _Gaussian, lines: list[_Lines], beta: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, its score and the observed information of the effects."""
        q = self.data.q
        c = np.r_[-beta, 1.0, 1.0]
        turned = told.gram @ c
        value = -0.5 * (told.constant + float(c @ turned))
        score, information = turned[:q], told.gram[:q, :q]
        for i, (tail, line) in enumerate(zip(self.data.tails, lines, strict=True)):
            log, slope, bend, self.modes[i] = _integrated(tail, line, c, self.modes[i], self.rules[i])
            value, score, information = value + log, score + slope, information + bend
        return value, score, information


@dataclass(frozen=True, eq=False)
class _Lines:
    """Standardised distances of limits from means: ``columns · c - away · ξ`` with ``ξ`` standard normal."""

    columns: Floats
    away: Floats


def _by_least_squares(data: _Data, told: _Gaussian) -> tuple[float, Floats, Floats]:
    q = data.q
    information, by_value = told.gram[:q, :q], told.gram[:q, q:].sum(axis=1)
    beta = np.linalg.solve(information, by_value)
    rest = float(told.gram[q:, q:].sum() - by_value @ beta)
    return -0.5 * (told.constant + rest), beta, information


def _lines(data: _Data, tail: _Tail, told: _Gaussian, sd: Floats, r: float) -> _Lines:
    slope = r * sd[1] / sd[0]
    # given y, z follows the residual of y with this slope; without y it does not
    turn = np.array([[-slope, 1.0], [0.0, 1.0]])
    root = (turn @ told.root)[tail.subject, tail.kind]
    deviation = np.where(tail.kind == 0, sd[1] * math.sqrt(1 - r * r), sd[1])
    scale = (tail.sign / deviation)[:, None]
    own = tail.z - slope * tail.y - np.einsum("ri,riq->rq", root, told.shrunk[tail.subject])
    if tail.dims == 1:
        # all values of the subject depend on one direction, in which the length of the root is the deviation
        root = np.sqrt((root**2).sum(axis=1, keepdims=True))
    return _Lines(own * scale, root * scale)


def _integrated(
    tail: _Tail, line: _Lines, c: Floats, mode: Floats, rule: _Rule
) -> tuple[float, Floats, Floats, Floats]:
    """Logarithm of the probabilities of the censored values, its score and information by the effects, and the modes.

    Louis (1982): the information is the mean of the complete one less the variance of the complete score.
    """
    away, own, starts, centre = line.away, tail.own, tail.starts, line.columns @ c
    eye = np.eye(tail.dims)
    outer = away[:, :, None] * away[:, None, :]
    curvature = np.broadcast_to(eye, (len(mode), *eye.shape))
    for _ in range(_STEPS):
        _, hazard, bend = _terms(centre - (away * mode[own]).sum(axis=1))
        gradient = -np.add.reduceat(hazard[:, None] * away, starts) - mode
        curvature = eye + np.add.reduceat(bend[:, None, None] * outer, starts)
        # in standard deviations: a longer step is one that overshoots
        step = np.clip(np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0], -1.5, 1.5)
        mode = mode + step
        if np.abs(step).max() < 1e-6:
            break
    place, spread = mode[:, :, None] + rule.nodes, 0.0
    if rule.scaled:
        lower = np.linalg.cholesky(curvature)
        place = mode[:, :, None] + np.linalg.inv(lower).swapaxes(1, 2) @ rule.nodes
        spread = float(np.log(np.einsum("sii->si", lower)).sum())
    log_tail, hazard, bend = _terms(centre[:, None] - np.einsum("ri,rik->rk", away, place[own]))
    logs = np.add.reduceat(log_tail, starts) - 0.5 * (place**2).sum(axis=1) + rule.log_weights
    highest = logs.max(axis=1, keepdims=True)
    shares = np.exp(logs - highest)
    total = shares.sum(axis=1, keepdims=True)
    shares = shares / total
    value = float((highest + np.log(total)).sum() - spread) - 0.5 * mode.size * math.log(2 * math.pi)
    x = line.columns[:, :-2]
    weight = shares[own]
    mean = (weight * hazard).sum(axis=1)
    # d(distance)/dβ is -columns times -1: c holds -β
    score = -(x.T @ mean)
    information = (x * (weight * bend).sum(axis=1)[:, None]).T @ x
    off = hazard - mean[:, None]
    # covariances of the hazards of two values of a subject
    for lag in range(int(np.bincount(own).max())):
        same = np.flatnonzero(own[lag:] == own[: len(own) - lag])
        joint = (weight[same] * off[same] * off[same + lag]).sum(axis=1)
        part = (x[same] * joint[:, None]).T @ x[same + lag]
        information -= part if lag == 0 else part + part.T
    return value, score, information, mode


def _terms(distance: Floats) -> tuple[Floats, Floats, Floats]:
    """Logarithm of the normal distribution function, its derivative and minus its second derivative."""
    from scipy.special import log_ndtr

    logs = log_ndtr(distance)
    hazard = np.exp(-0.5 * distance**2 - 0.5 * math.log(2 * math.pi) - logs)
    return logs, hazard, hazard * (hazard + distance)


def _of_natural(place: Floats) -> tuple[Floats, float, Floats]:
    """Deviations and correlation within subjects, and a root of the covariance between them."""
    between = np.exp(place[_BETWEEN_SD])
    r = math.tanh(place[_BETWEEN])
    root = np.array([[between[0], 0.0], [between[1] * r, between[1] * math.sqrt(max(1 - r * r, 0.0))]])
    return np.exp(place[_SD]), math.tanh(place[_WITHIN]), root


def _to_natural(place: Floats) -> Floats:
    """Natural parameters of log deviations and Fisher's z within, and the three entries of the root between."""
    a, b, c = place[3:]
    between = np.array([abs(a), math.hypot(b, c)])
    r = b * math.copysign(1.0, a) / between[1] if between[1] > 0 else 0.0
    natural: Floats = np.r_[place[:3], np.log(between), np.arctanh(r)]
    return natural


def _maximise(data: _Data, start: Floats) -> tuple[_Found, _Restricted]:
    """Search with more and more nodes until they change nothing; without censored values there is nothing to change."""
    last = len(_STEEP)
    level = int(np.searchsorted(_STEEP, _Restricted(data, 0).steepness(start)))
    while True:
        likelihood = _Restricted(data, level)
        best = _search(likelihood, start, np.arange(6))
        other = _Restricted(data, level + 1 if level < last else level - 1)
        change = abs(other.natural(best.natural) - best.value) if data.tails else 0.0
        if change < _SAME or level == last:
            break
        start, level = _inwards(best.natural), level + 1
    if change > _LOOSE:
        note = f"{NODES[0][-1]} nodes of the quadrature do not suffice: subjects differ too much"
        return _Found(best.natural, best.value, np.arange(6), np.eye(6), note), likelihood
    found = _settled(likelihood, best)
    if len(found.free) < len(best.natural):
        # on the boundary every direction inwards has to be worse: begin again from the other side
        start = _inwards(found.natural)
        start[_BETWEEN] *= -1.0
        best = _search(likelihood, start, np.arange(6))
        if best.value < found.value - _AS_GOOD:
            found = _settled(likelihood, best)
    return found, likelihood


def _inwards(natural: Floats) -> Floats:
    """Return natural parameters away from the boundary, which a search does not leave."""
    inner = natural.copy()
    inner[_BETWEEN_SD] = np.maximum(inner[_BETWEEN_SD], inner[_SD] - 0.7)
    inner[_BETWEEN] = np.clip(inner[_BETWEEN], -1.0, 1.0)
    return inner


def _without_correlation(likelihood: _Restricted, found: _Found) -> float:
    """Minus the log-likelihood without correlation within subjects; NaN where the search came to no end."""
    free = np.array([0, 1, 3, 4, 5])
    start = _inwards(found.natural)
    start[_WITHIN] = 0.0
    best = _search(likelihood, start, free)
    if _boundaries(best.natural):
        start = _inwards(best.natural)
        start[_BETWEEN] *= -1.0
        best = min(best, _search(likelihood, start, free), key=lambda end: end.value)
    return best.value if best.decrement < _SAME else math.nan


@dataclass(frozen=True, eq=False)
class _End:
    """End of a descent: natural parameters, the value there, and how much of it may be left to gain."""

    natural: Floats
    value: float
    decrement: float


def _search(likelihood: _Restricted, natural: Floats, free: Integers) -> _End:
    """Go down from natural parameters on roots of the covariance between, which reach its boundary."""
    from scipy import optimize

    sd, _, root = _of_natural(natural)
    start = np.r_[np.log(sd), natural[_WITHIN], root[0, 0], root[1, 0], root[1, 1]]

    def value(place: Floats) -> float:
        whole = start.copy()
        whole[free] = place
        a, b, c = whole[3:]
        return likelihood.at(np.exp(whole[:2]), math.tanh(whole[2]), np.array([[a, 0.0], [b, c]]))[0]

    last = [math.inf, math.inf]

    def enough(intermediate_result: Any) -> None:
        """Stop where two steps have gained nothing: towards the boundary many would follow."""
        now = float(intermediate_result.fun)
        if last[0] - now < _NOTHING:
            raise StopIteration
        last[:] = [last[1], now]

    # what the curvature says at the start, made positive, spares the search most of its steps
    curvature, turn = np.linalg.eigh(_bend(value, start[free]))
    inverse = (turn / np.maximum(np.abs(curvature), 0.1 * likelihood.data.n_values**0.5)) @ turn.T
    found = optimize.minimize(
        value,
        start[free],
        jac=lambda place: _slope(value, place),
        method="BFGS",
        callback=enough,
        options={"hess_inv0": (inverse + inverse.T) / 2, "gtol": 1e-3, "maxiter": 200},
    )
    start[free] = found.x
    return _End(_to_natural(start), float(found.fun), 0.5 * float(found.jac @ found.hess_inv @ found.jac))


def _slope(value: Callable[[Floats], float], place: Floats) -> Floats:
    steps = _SLOPE * np.eye(len(place))
    return np.array([(value(place + step) - value(place - step)) / (2 * _SLOPE) for step in steps])


def _bend(value: Callable[[Floats], float], place: Floats) -> Floats:
    k = len(place)
    steps = _BEND * np.eye(k)
    middle = value(place)
    ends = np.array([[value(place + step), value(place - step)] for step in steps])
    bend: Floats = np.diag((ends.sum(axis=1) - 2 * middle) / _BEND**2)
    for i in range(k):
        for j in range(i):
            corners = value(place + steps[i] + steps[j]) + value(place - steps[i] - steps[j])
            bend[i, j] = bend[j, i] = (corners - ends[i].sum() - ends[j].sum() + 2 * middle) / (2 * _BEND**2)
    return bend


def _settled(likelihood: _Restricted, end: _End) -> _Found:
    """End the search by Newton's steps, on the boundary where that is as good."""
    for on_boundary in _boundaries(end.natural):
        place, kept = end.natural.copy(), np.setdiff1d(np.arange(6), list(on_boundary))
        place[list(on_boundary)] = list(on_boundary.values())
        # a descent that ends on the boundary comes close to it: elsewhere there is nothing to try
        if likelihood.natural(place) > end.value + _CLOSE:
            continue
        found = _newton(likelihood, place, kept)
        if found.value <= end.value + _AS_GOOD:
            return found
    return _newton(likelihood, end.natural, np.arange(6))


def _boundaries(natural: Floats) -> list[dict[int, float]]:
    """Boundaries close by, the smallest first: no variance between, none of one response, a correlation of 1 or -1."""
    ratio = np.exp(natural[_BETWEEN_SD] - natural[_SD])
    near = ratio < _NEAR
    none = {3: -math.inf, _BETWEEN: 0.0}, {4: -math.inf, _BETWEEN: 0.0}
    found: list[dict[int, float]] = [none[0] | none[1]] if near.all() else []
    found += [one for one, close in zip(none, near, strict=True) if close]
    if near.any() or 1 - abs(math.tanh(natural[_BETWEEN])) < _NEAR:
        found.append({_BETWEEN: math.copysign(math.inf, natural[_BETWEEN])})
    return found


def _newton(likelihood: _Restricted, natural: Floats, free: Integers) -> _Found:
    def value(place: Floats) -> float:
        whole = natural.copy()
        whole[free] = place
        return likelihood.natural(whole)

    place = natural[free]
    at = value(place)
    note = "the search came to a halt before a maximum"
    for _ in range(8):
        slope, bend = _slope(value, place), _bend(value, place)
        if not (np.isfinite(slope).all() and np.isfinite(bend).all() and (np.linalg.eigvalsh(bend) > 0).all()):
            note = "the information is not positive definite at the end of the search"
            break
        step = np.linalg.solve(bend, slope)
        is_last = 0.5 * float(slope @ step) < _DECREMENT
        length = 1.0
        # rounding decides about differences below this
        while length > 1e-3 and value(place - length * step) > at + 1e-9:
            length /= 2
        if length <= 1e-3:
            break
        place = place - length * step
        at = value(place)
        if is_last:
            # Newton's last step doubles the digits
            note = ""
            break
    natural = natural.copy()
    natural[free] = place
    if abs(natural[_WITHIN]) > _ONE:
        note = "the correlation within subjects is 1 or -1 but for rounding"
    return _Found(natural, at, free, bend, note)


def _none(p: int, note: str) -> BivariateFit:
    nan = math.nan
    return BivariateFit(
        params=np.full((2, p), nan),
        covariance=np.full((2 * p, 2 * p), nan),
        within=np.full((2, 2), nan),
        between=np.full((2, 2), nan),
        r_within=nan,
        r_within_lower=nan,
        r_within_upper=nan,
        p_value=nan,
        r_between=nan,
        r_between_lower=nan,
        r_between_upper=nan,
        log_likelihood=nan,
        converged=False,
        note=note,
    )


def _described(likelihood: _Restricted, found: _Found, one: _Scaled, two: _Scaled, p: int) -> BivariateFit:
    if found.note:
        return _none(p, found.note)
    data = likelihood.data
    natural = found.natural
    sd, r_within, root = _of_natural(natural)
    units = np.array([one.unit, two.unit])
    _, beta, information = likelihood.at(sd, r_within, root)
    own = np.r_[one.columns, p + two.columns]
    params, covariance = np.full(2 * p, np.nan), np.full((2 * p, 2 * p), np.nan)
    scale = np.repeat(units, [len(one.columns), len(two.columns)])
    params[own] = np.r_[one.effects, two.effects] + beta * scale
    covariance[np.ix_(own, own)] = np.linalg.inv(information) * np.outer(scale, scale)
    errors = np.full(6, np.nan)
    errors[found.free] = np.sqrt(np.diag(np.linalg.inv(found.information)))
    notes = [_on_boundary(natural)] if len(found.free) < 6 else []
    without = _without_correlation(likelihood, found)
    if math.isnan(without):
        notes.append("no p-value: the search without correlation within subjects came to no end")
    inside = _BETWEEN in found.free
    ends = [_limits(natural[place], errors[place]) for place in (_WITHIN, _BETWEEN)]
    correlation = np.array([[1.0, r_within], [r_within, 1.0]])
    # effects are integrated out: they take a unit each
    n = [
        float(data.n_both.sum() + data.n_alone[:, k].sum() - len(columns.columns))
        for k, columns in enumerate((one, two))
    ]
    return BivariateFit(
        params=params.reshape(2, p),
        covariance=covariance,
        within=correlation * np.outer(sd * units, sd * units),
        between=(root @ root.T) * np.outer(units, units),
        r_within=r_within,
        r_within_lower=ends[0][0],
        r_within_upper=ends[0][1],
        p_value=_chi_squared_tail(2 * max(without - found.value, 0.0)) if without == without else math.nan,
        r_between=math.tanh(natural[_BETWEEN]) if inside else math.nan,
        r_between_lower=ends[1][0] if inside else math.nan,
        r_between_upper=ends[1][1] if inside else math.nan,
        log_likelihood=-found.value - float(np.dot(n, np.log(units))),
        converged=True,
        note="; ".join(notes),
    )


def _on_boundary(natural: Floats) -> str:
    gone = [word for word, place in (("y", 3), ("z", 4)) if np.isneginf(natural[place])]
    if gone:
        return f"the variance between subjects of {' and of '.join(gone)} is at its boundary, 0"
    return f"the correlation between subjects is at its boundary, {math.copysign(1, natural[_BETWEEN]):.0f}"


def _limits(z: float, error: float) -> tuple[float, float]:
    return math.tanh(z - Z * error), math.tanh(z + Z * error)


def _chi_squared_tail(ratio: float) -> float:
    """Of one degree of freedom."""
    from scipy.stats import chi2

    return float(chi2.sf(ratio, 1))
