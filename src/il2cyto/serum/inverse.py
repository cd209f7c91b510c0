"""From a signal back to a concentration, with its standard error and interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import elementwise
from scipy.stats import t

from il2cyto.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from il2cyto.serum.fit import CurveFit
    from il2cyto.serum.logistic import Logistic

#: The search for the ends of an interval goes this far beyond the estimate, as a logarithm, and to within this.
_REACH = math.log(1e4)
_TOLERANCES = {"xatol": 1e-11, "xrtol": 1e-13}
#: The first step is at least this, and the next ones are so many times the first.
_FIRST = 1e-6
_GROWTH = (0.6, 0.9, *(1.2 * 1.25**i for i in range(76)))


@dataclass(frozen=True)
class Concentrations:
    """Concentrations by a curve, arrays of one shape.

    `value` is 0 at or below the signal of no analyte and inf beyond the other end of the curve; `se_log` is the
    standard error of its natural logarithm, NaN where it is neither; `lower` and `upper` are the ends of the interval,
    0 and inf where the curve gives none.
    """

    value: NDArray[np.float64]
    se_log: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def estimate_concentrations(
    fit: CurveFit, signal: ArrayLike, n_readings: ArrayLike = 1, *, level: float = 0.95
) -> Concentrations:
    """Return the concentrations of signals with what the curve and the readings do not know of them.

    The interval holds every concentration whose signal differs from the mean reading by no more than Student's t times
    the standard error of the difference; that error has a part of the readings and one of the curve. The standard
    error is the delta method's, of the logarithm.

    Parameters
    ----------
    fit
        From `fit_curve`, with a curve.
    signal
        Mean signal of the readings of each sample.
    n_readings
        Readings that each mean is of.
    level
        Of the interval.

    Raises
    ------
    ParameterError
        If `fit` has no curve, or a number of readings is below 1.

    References
    ----------
    Davidian M, Giltinan DM. Nonlinear Models for Repeated Measurement Data. 1995, section 10.

    Examples
    --------
    >>> from il2cyto.serum.fit import fit_curve
    >>> from il2cyto.serum.logistic import Logistic
    >>> dose = np.repeat(10.0 * 4.0 ** np.arange(8), 2)
    >>> signal = Logistic(a=20, b=1.1, c=3000, d=30000).signal(dose) * np.tile([0.97, 1.03], 8)
    >>> found = estimate_concentrations(fit_curve(dose, signal, model="4PL"), [5000.0], 2)
    >>> bool(found.lower[0] < 653 < found.upper[0])
    True
    """
    if fit.curve is None:
        raise ParameterError(f"no curve: {fit.reason}")
    y = np.atleast_1d(np.asarray(signal, dtype=np.float64))
    n = np.broadcast_to(np.asarray(n_readings, dtype=np.float64), y.shape)
    if (n < 1).any():
        raise ParameterError(f"{n.min():g} readings: a mean is of 1 or more")
    value = fit.curve.concentration(y)
    inside = np.isfinite(value) & (value > 0)
    se = np.full(y.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        se[inside] = _error(fit, fit.curve, value[inside], n[inside]) / np.abs(fit.curve.slope(value[inside]))
    width = float(t.ppf((1 + level) / 2, fit.df)) if fit.df > 0 else math.nan
    lower, upper = np.zeros(y.shape), np.full(y.shape, np.inf)
    lower[~np.isfinite(y)] = upper[~np.isfinite(y)] = np.nan
    if inside.any() and math.isfinite(width):
        ends = _ends(fit, y[inside], n[inside], value[inside], se[inside], width)
        lower[inside], upper[inside] = ends
    return Concentrations(value, se, lower, upper)


def _error(
    fit: CurveFit, curve: Logistic, concentration: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard error of a mean reading less the curve."""
    gradient = curve.gradient(concentration)
    of_curve = np.einsum("ij,jk,ik->i", gradient, fit.covariance, gradient)
    of_readings = fit.spread(curve.signal(concentration)) ** 2 / n
    return np.asarray(np.sqrt(np.maximum(of_curve, 0) + of_readings))


def _ends(
    fit: CurveFit,
    y: NDArray[np.float64],
    n: NDArray[np.float64],
    value: NDArray[np.float64],
    se: NDArray[np.float64],
    width: float,
) -> NDArray[np.float64]:
    """Find where the signal is first too far from the reading, going down and up from the estimate; ``(2, n)``."""
    curve = fit.curve
    assert curve is not None  # noqa: S101
    sign = np.repeat([-1.0, 1.0], y.size)
    y, n, centre, se = (np.tile(one, 2) for one in (y, n, np.log(value), se))

    def excess(logs: NDArray[np.float64], which: NDArray[np.intp]) -> NDArray[np.float64]:
        x = np.exp(logs)
        return np.asarray(np.abs(y[which] - curve.signal(x)) - width * _error(fit, curve, x, n[which]))

    near, far = centre.copy(), np.full(y.shape, np.nan)
    searched = np.arange(y.size)
    # where the curve is straight the end lies at the delta method's width, which tells how fine to search
    first = np.clip(width * np.where(np.isfinite(se), se, _REACH), _FIRST, _REACH)
    for growth in _GROWTH:
        step = np.minimum(first[searched] * growth, _REACH)
        tried = centre[searched] + sign[searched] * step
        beyond = excess(tried, searched) > 0
        far[searched[beyond]] = tried[beyond]
        near[searched[~beyond]] = tried[~beyond]
        searched = searched[~beyond & (step < _REACH)]
        if not searched.size:
            break
    found = np.flatnonzero(np.isfinite(far))
    # Chandrupatla's method: bisection with inverse quadratic steps where these are safe
    roots = elementwise.find_root(excess, (near[found], far[found]), args=(found,), tolerances=_TOLERANCES).x
    answer = np.where(sign < 0, 0.0, np.inf)
    answer[found] = np.exp(roots)
    return answer.reshape(2, -1)
