"""Fit a standard curve: weighted least squares from several starts, with a choice between four and five parameters."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import minimum_filter
from scipy.optimize import least_squares, leastsq

from il2cyto.errors import ParameterError
from il2cyto.serum.logistic import LINEAR, LOG, NAMES, Logistic
from il2cyto.serum.noise import noise_floor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MODELS: Final = ("4PL", "5PL", "auto")
#: A curve whose standard deviation is proportional to the signal: weights 1/y².
PROPORTIONAL: Final = 1.0
#: The asymmetry is held between these: beyond, the five parameters cannot be told apart.
_G_RANGE: Final = (0.05, 20.0)
#: A slope is held between these.
_B_RANGE: Final = (0.1, 15.0)
_NO_START: Final = "no start led to a curve"
_ROUNDS: Final = 30
#: Weights have settled when no fitted signal changes by more than this share.
_SETTLED: Final = 1e-8
#: The grid of starts, and how many of its points are polished.
_SLOPES: Final = (0.4, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
_PLACES: Final = 24
_ASYMMETRIES: Final = (0.15, 0.4, 1.0, 2.5, 7.0)
_POLISHED: Final = 3
_SPAN: Final = 1e3


@dataclass(frozen=True)
class CurveFit:
    """A standard curve as it was estimated, or why it was not.

    Attributes
    ----------
    curve
        The curve; ``None`` where `reason` says why there is none.
    model
        ``4PL`` or ``5PL``: which one it is, also where it was chosen.
    covariance
        Of ``a, b, log c, d, log g``, shape ``(5, 5)``; rows of a parameter that is held are 0.
    sigma, theta
        The standard deviation of one reading is ``sigma * signal**theta``; on the log scale it is `sigma` of the
        logarithm.
    floor
        Signal below which the spread is that at this signal.
    df
        Readings less parameters.
    n_levels, n_readings
        Levels of concentration above 0, and readings, that were fitted.
    aicc
        Corrected Akaike criterion of what was fitted; comparable between curves of the same readings and weights.
    reason
        Why there is no curve, or empty.
    """

    curve: Logistic | None
    model: str
    covariance: NDArray[np.float64]
    sigma: float
    theta: float
    df: int
    n_levels: int
    n_readings: int
    aicc: float
    reason: str = ""
    floor: float = 0.0

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard errors of ``a, b, c, d, g``; those of `c` and `g` by the delta method from their logarithms."""
        roots = np.sqrt(np.diag(self.covariance))
        if self.curve is None:
            return dict.fromkeys(NAMES, math.nan)
        scales = (1.0, 1.0, self.curve.c, 1.0, self.curve.g)
        return {name: float(root * scale) for name, root, scale in zip(NAMES, roots, scales, strict=True)}

    def spread(self, signal: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation of one reading where the curve has `signal`."""
        y = np.asarray(signal, dtype=np.float64)
        if self.curve is not None and self.curve.scale == LOG:
            return np.asarray(self.sigma * np.abs(y))
        with np.errstate(divide="ignore"):
            return np.asarray(self.sigma * np.maximum(np.abs(y), self.floor) ** self.theta)


def fit_curve(
    concentration: ArrayLike,
    signal: ArrayLike,
    *,
    model: str = "auto",
    scale: str = LINEAR,
    theta: float | None = PROPORTIONAL,
    least_levels: int = 6,
) -> CurveFit:
    """Fit a logistic standard curve by generalised least squares.

    The variance of a reading is ``sigma² * signal**(2 * theta)``, with the signal that the curve has there; weights and
    curve are found in turn until they agree (Davidian and Giltinan 1995, 2.3). ``theta=1`` is the weight 1/y². Five
    parameters are fitted with the asymmetry at either end, and the curve with the lower sum of squares is taken.

    Parameters
    ----------
    concentration
        Of each reading of a standard, 0 for a blank; shape ``(n,)``. Readings with a NaN are left out.
    signal
        Readings, shape ``(n,)``.
    model
        ``4PL``, ``5PL``, or ``auto``: five parameters where their corrected Akaike criterion is lower by 2 or more.
    scale
        ``linear``, or ``log``: the logarithm of the signal is logistic, and its variance is constant.
    theta
        Power of the mean; ``None`` estimates it from repeated readings (0 to 1.5, and 1 where there are none).
    least_levels
        Levels of concentration above 0 without which there is no curve.

    Returns
    -------
    CurveFit
        With a reason instead of a curve where the readings do not give one.

    Raises
    ------
    ParameterError
        If the arrays do not fit, a concentration is negative, or an option is unknown.

    Examples
    --------
    >>> dose = np.repeat(10.0 * 4.0 ** np.arange(8), 2)
    >>> true = Logistic(a=20, b=1.1, c=3000, d=30000)
    >>> fit = fit_curve(dose, true.signal(dose), model="4PL")
    >>> [round(float(value), 4) for value in fit.curve.parameters]
    [20.0, 1.1, 3000.0, 30000.0, 1.0]
    """
    x, y = _readings(concentration, signal)
    if model not in MODELS or scale not in (LINEAR, LOG):
        raise ParameterError(f"model {model!r} on the scale {scale!r}: wants one of {', '.join(MODELS)}, linear or log")
    levels = np.unique(x[x > 0])
    failed = _no_curve("" if model == "auto" else model, x)
    if levels.size < max(least_levels, n_parameters(model) - 1):
        return replace(failed, reason=f"{levels.size} levels with readings; a curve needs {least_levels}")
    if scale == LOG and (y <= 0).any():
        return replace(failed, reason=f"{int((y <= 0).sum())} readings of 0 or less have no logarithm")
    if y.max() - y.min() <= 0:
        return replace(failed, reason="all readings are the same")
    theta = _power(x, y) if theta is None else theta
    fits = [
        found
        for name in (("4PL", "5PL") if model == "auto" else (model,))
        if x.size > n_parameters(name)
        for found in [_fit(x, y, name, scale, theta)]
        if found.curve is not None
    ]
    if not fits:
        return replace(failed, reason=_NO_START)
    best = fits[0]
    if len(fits) > 1 and fits[1].aicc < best.aicc - 2:
        best = fits[1]
    problem = _problem(best, x)
    return replace(best, curve=None, reason=problem) if problem else best


def n_parameters(model: str) -> int:
    """Return the number of parameters of a model; that of the smaller one for ``auto``."""
    return 5 if model == "5PL" else 4


def _no_curve(model: str, x: NDArray[np.float64]) -> CurveFit:
    n_levels = int(np.unique(x[x > 0]).size)
    return CurveFit(None, model, np.full((5, 5), np.nan), math.nan, math.nan, 0, n_levels, x.size, math.nan)


def _readings(concentration: ArrayLike, signal: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = (np.asarray(values, dtype=np.float64) for values in (concentration, signal))
    if x.shape != y.shape or x.ndim != 1:
        raise ParameterError(f"concentrations of shape {x.shape} and signals of shape {y.shape}: want one of each")
    if (x < 0).any():
        raise ParameterError(f"a concentration of {x[x < 0][0]:g}: none is below 0")
    known = np.isfinite(x) & np.isfinite(y)
    # in one order, so that the order of wells does not change the last digit
    order = np.lexsort((y[known], x[known]))
    return x[known][order], y[known][order]


def _power(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Estimate the power of the mean by pseudo-likelihood on repeated readings."""
    means, deviations = [], []
    for level in np.unique(x):
        repeated = y[x == level]
        if repeated.size > 1 and repeated.mean() > 0:
            means.append(np.full(repeated.size, repeated.mean()))
            deviations.append((repeated - repeated.mean()) * math.sqrt(repeated.size / (repeated.size - 1)))
    if len(means) < 3:
        return PROPORTIONAL
    mean, deviation = np.concatenate(means), np.concatenate(deviations)
    powers = np.linspace(0.0, 1.5, 151)
    # normal likelihood with sigma profiled out
    logs = np.log(mean)
    loss = [mean.size * math.log(np.mean((deviation / mean**power) ** 2)) + 2 * power * logs.sum() for power in powers]
    return float(powers[int(np.argmin(loss))])


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], model: str, scale: str, theta: float) -> CurveFit:
    """Fit one model; the curve is ``None`` where no start converges."""
    value = np.log(y) if scale == LOG else y
    floor = noise_floor(x, y)

    def weights(fitted: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ones_like(fitted) if scale == LOG else np.maximum(np.abs(fitted), floor) ** theta

    spread = weights(y if scale == LINEAR else value)
    best: tuple[float, NDArray[np.float64], int] | None = None
    for sign in (1, -1) if model == "5PL" else (1,):
        for start in _starts(x, value, spread, model, sign):
            found = _solve(x, value, spread, start, model, sign)
            if found is not None and (best is None or found[0] < best[0] * (1 - 1e-9)):
                best = (*found, sign)
    if best is None:
        return _no_curve(model, x)
    _, parameters, sign = best
    for _ in range(_ROUNDS if scale == LINEAR and theta != 0 else 0):
        fitted = _values(parameters, x, sign)
        renewed = weights(fitted)
        solved = _solve(x, value, renewed, parameters, model, sign)
        if solved is None:
            break
        settled = np.max(np.abs(renewed / spread - 1)) < _SETTLED
        spread, parameters = renewed, solved[1]
        if settled:
            break
    fit = _described(x, value, spread, parameters, model, scale, theta, sign)
    return fit if scale == LOG else replace(fit, floor=floor)


def _starts(
    x: NDArray[np.float64], value: NDArray[np.float64], spread: NDArray[np.float64], model: str, sign: int
) -> list[NDArray[np.float64]]:
    """The best of a grid over slope, bend and asymmetry; the ends follow by linear regression at each of its points."""
    positive = x[x > 0]
    low, high = math.log(positive.min()), math.log(positive.max())
    grid = np.array(
        list(
            itertools.product(
                np.log(_SLOPES),
                np.linspace(low - 1, high + 2, _PLACES),
                np.log(_ASYMMETRIES) if model == "5PL" else (0.0,),
            )
        )
    )
    with np.errstate(divide="ignore"):
        power = sign * np.exp(grid[:, :1]) * (np.log(x) - grid[:, 1:2])
    share = np.exp(-np.exp(grid[:, 2:]) * np.logaddexp(0.0, power))
    # value = d + (a - d) * share, in units of the spread
    weight = 1 / spread**2
    total = weight.sum()
    mean_share = (share * weight).sum(axis=1) / total
    mean_value = float((value * weight).sum() / total)
    centred = share - mean_share[:, None]
    variance = (centred**2 * weight).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = (centred * (value - mean_value) * weight).sum(axis=1) / variance
        loss = ((value - mean_value - rise[:, None] * centred) ** 2 * weight).sum(axis=1)
    starts = []
    # neighbours lead to the same curve: only places lower than all around them are polished
    loss = np.where(np.isfinite(loss), loss, np.inf)
    around = minimum_filter(loss.reshape(len(_SLOPES), _PLACES, -1), size=3, mode="nearest").ravel()
    lowest = np.flatnonzero((loss <= around) & np.isfinite(loss))
    for best in lowest[np.argsort(loss[lowest], kind="stable")][:_POLISHED]:
        d = mean_value - float(rise[best] * mean_share[best])
        starts.append(np.array([d + float(rise[best]), grid[best, 0], grid[best, 1], d, grid[best, 2]]))
    return starts


def _curve(parameters: NDArray[np.float64], sign: int, scale: str = LINEAR) -> Logistic:
    a, log_b, log_c, d, log_g = (float(one) for one in parameters)
    return Logistic(a, sign * math.exp(log_b), math.exp(log_c), d, math.exp(log_g), scale)


def _values(parameters: NDArray[np.float64], x: NDArray[np.float64], sign: int) -> NDArray[np.float64]:
    return _curve(parameters, sign).signal(x)


def _solve(
    x: NDArray[np.float64],
    value: NDArray[np.float64],
    spread: NDArray[np.float64],
    start: NDArray[np.float64],
    model: str,
    sign: int,
) -> tuple[float, NDArray[np.float64]] | None:
    """Weighted least squares over ``a, log b, log c, d`` and, with five parameters, ``log g``."""
    free = n_parameters(model)
    positive = x[x > 0]
    reach = float(np.ptp(value))
    bounds = (
        np.array([value.min() - 10 * reach, math.log(_B_RANGE[0]), math.log(positive.min() / _SPAN),
                  value.min() - 10 * reach, math.log(_G_RANGE[0])])[:free],
        np.array([value.max() + 50 * reach, math.log(_B_RANGE[1]), math.log(positive.max() * _SPAN),
                  value.max() + 50 * reach, math.log(_G_RANGE[1])])[:free],
    )  # fmt: skip
    inside = np.clip(start[:free], bounds[0] + 1e-9, bounds[1] - 1e-9)
    logs = np.log(np.where(x > 0, x, 1.0))
    blank = x == 0

    def model_of(parameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Residuals ``(n,)`` and their derivatives ``(n, free)``; what `Logistic` has, without making one."""
        a, log_b, log_c, d = parameters[:4]
        g = math.exp(parameters[4]) if free == 5 else 1.0
        b = sign * math.exp(log_b)
        distance = logs - log_c
        power = b * distance
        power[blank] = -sign * math.inf
        log_term = np.logaddexp(0.0, power)
        left = np.exp(-g * log_term)
        by_power = (d - a) * g * left / (1.0 + np.exp(-power))
        by_power[blank] = 0.0
        by = np.empty((free, x.size))
        by[0], by[1], by[2], by[3] = left, by_power * power, -by_power * b, 1.0 - left
        by[1, blank] = 0.0
        if free == 5:
            by[4] = (d - a) * g * np.where(left > 0, left * log_term, 0.0)
        by /= spread
        return (d + (a - d) * left - value) / spread, by.T

    scales = np.array([reach, 1.0, 1.0, reach, 1.0])[:free]
    with np.errstate(all="ignore"):
        found = _unbounded(model_of, inside, scales)
        if found is None or (found <= bounds[0]).any() or (found >= bounds[1]).any():
            found = least_squares(
                lambda at: model_of(at)[0], inside, jac=lambda at: model_of(at)[1], bounds=bounds, x_scale=scales,
                xtol=1e-12, ftol=1e-13, gtol=1e-13, max_nfev=400,
            ).x  # fmt: skip
        cost = 0.5 * float(np.sum(model_of(found)[0] ** 2))
    if not math.isfinite(cost) or found[0] == found[3]:
        return None
    return cost, found if free == 5 else np.append(found, 0.0)


Model = Callable[["NDArray[np.float64]"], "tuple[NDArray[np.float64], NDArray[np.float64]]"]


def _unbounded(model_of: Model, start: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return where MINPACK's Levenberg–Marquardt ends, or ``None`` where it does not converge.

    It takes a tenth of the time of the search within bounds, which only curves at a bound need.
    """
    last: dict[bytes, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def both(at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        key = at.tobytes()
        if key not in last:
            last.clear()
            last[key] = model_of(at)
        return last[key]

    with warnings.catch_warnings():
        # what it warns of is in its answer
        warnings.simplefilter("ignore")
        try:
            found, _, _, _, told = leastsq(
                lambda at: both(at)[0], start, Dfun=lambda at: both(at)[1], full_output=True, diag=1 / scales,
                xtol=1e-12, ftol=1e-13, gtol=0.0, maxfev=200,
            )  # fmt: skip
        except OverflowError:
            # wells that were swapped have no curve near by, and a step leaves the range of numbers
            return None
    at = np.asarray(found, dtype=np.float64)
    # 5 is too many calls; 6 to 8, that nothing better can be told apart in these numbers
    return at if told in (1, 2, 3, 4, 6, 7, 8) and np.isfinite(at).all() else None


def _described(
    x: NDArray[np.float64],
    value: NDArray[np.float64],
    spread: NDArray[np.float64],
    parameters: NDArray[np.float64],
    model: str,
    scale: str,
    theta: float,
    sign: int,
) -> CurveFit:
    free = n_parameters(model)
    straight = _curve(parameters, sign)
    residual = (value - straight.signal(x)) / spread
    df = x.size - free
    sigma = math.sqrt(float(residual @ residual) / df) if df > 0 else math.nan
    design = straight.gradient(x)[:, :free] / spread[:, None]
    covariance = np.zeros((5, 5))
    covariance[:free, :free] = np.linalg.pinv(design.T @ design, rcond=1e-14, hermitian=True) * sigma**2
    k = free + 1
    likelihood = x.size * math.log(max(float(residual @ residual) / x.size, 1e-300)) + 2 * float(np.log(spread).sum())
    correction = 2 * k * (k + 1) / (x.size - k - 1) if x.size > k + 1 else math.inf
    return CurveFit(
        curve=_curve(parameters, sign, scale),
        model=model,
        covariance=covariance,
        sigma=sigma,
        theta=1.0 if scale == LOG else theta,
        df=df,
        n_levels=int(np.unique(x[x > 0]).size),
        n_readings=int(x.size),
        aicc=likelihood + 2 * k + correction,
    )


def _problem(fit: CurveFit, x: NDArray[np.float64]) -> str:
    """Why a fit that converged is no standard curve, or empty."""
    curve = fit.curve
    if curve is None:
        return _NO_START
    ends = curve.signal(np.array([x[x > 0].min(), x.max()]))
    change = abs(float(ends[1] - ends[0]))
    noise = float(np.mean(fit.spread(ends)))
    if not math.isfinite(change) or change <= 2 * noise:
        return (
            f"the signal does not change with the concentration: {ends[0]:.4g} at {x[x > 0].min():.4g}, "
            f"{ends[1]:.4g} at {x.max():.4g}, with a spread of {noise:.3g}"
        )
    return ""
