"""95 % intervals of counts, exact where events are few, and their combination with the other sources of error.

Counting alone gives a pair of limits: log-normal ones (never negative) from 30 events on, exact ones below.
The other sources (pipetting, bead lot, acquired volume, lymphocyte count, chained parent) act as factors, so they are
known as half-widths on the log scale. The two are joined by adding the distances from the point to the limit in
quadrature, for each side alone [1]_. A count of NaN has limits of NaN.

References
----------
.. [1] Zou GY, Donner A. Construction of confidence limits about effect measures: a general approach.
   Stat Med 2008;27:1693–1702 (MOVER).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaincinv, ndtri

Floats = NDArray[np.float64]

#: Below so many events the limits are exact instead of log-normal.
EXACT_BELOW: Final = 30
#: Half-width of a two-sided 95 % interval in standard deviations.
Z95: Final = float(ndtri(0.975))

_TAIL: Final = 0.025
#: Upper Poisson limit when nothing was counted: -ln 0.025 = 3.69 events.
_NONE_SEEN: Final = float(-np.log(_TAIL))


def poisson_limits(events: ArrayLike) -> tuple[Floats, Floats]:
    """Exact 95 % limits of a Poisson mean (Garwood, Biometrika 1936;28:437).

    Parameters
    ----------
    events
        Counted events, any shape; need not be whole.

    Returns
    -------
    lower, upper
        Same shape as `events`; ``lower`` is 0 where nothing was counted.

    Examples
    --------
    >>> lower, upper = poisson_limits([0, 20])
    >>> lower.round(2), upper.round(2)
    (array([ 0.  , 12.22]), array([ 3.69, 30.89]))
    """
    n = np.asarray(events, dtype=np.float64)
    lower = np.where(n == 0, 0.0, gammaincinv(np.maximum(n, np.finfo(np.float64).tiny), _TAIL))
    return lower, gammaincinv(n + 1.0, 1.0 - _TAIL)


def binomial_limits(events: ArrayLike, parent: ArrayLike) -> tuple[Floats, Floats]:
    """Exact 95 % limits of a share (Clopper and Pearson, Biometrika 1934;26:404).

    Parameters
    ----------
    events, parent
        Events in the population and in its parent, shapes that broadcast; ``0 <= events <= parent`` and ``parent > 0``.

    Returns
    -------
    lower, upper
        Shares between 0 and 1.

    Examples
    --------
    >>> lower, upper = binomial_limits(4, 20)
    >>> float(lower.round(4)), float(upper.round(4))
    (0.0573, 0.4366)
    """
    k, n = np.broadcast_arrays(np.asarray(events, dtype=np.float64), np.asarray(parent, dtype=np.float64))
    rest = n - k
    tiny = np.finfo(np.float64).tiny
    lower = np.where(k == 0, 0.0, betaincinv(np.maximum(k, tiny), rest + 1.0, _TAIL))
    upper = np.where(rest == 0, 1.0, betaincinv(k + 1.0, np.maximum(rest, tiny), 1.0 - _TAIL))
    return lower, upper


def event_limits(events: ArrayLike) -> tuple[Floats, Floats]:
    """Limits of an expected number of events: exact below 30, log-normal ``N exp(±z/√N)`` from there on.

    Examples
    --------
    >>> lower, upper = event_limits([29, 100])
    >>> lower.round(1), upper.round(1)
    (array([19.4, 82.2]), array([ 41.6, 121.7]))
    """
    n = np.asarray(events, dtype=np.float64)
    return _choose(n < EXACT_BELOW, poisson_limits(n), _log_normal(n, 1.0 / np.maximum(n, 1.0)))


def ratio_limits(events: ArrayLike, beads: ArrayLike) -> tuple[Floats, Floats]:
    """Limits of the ratio of two Poisson means, ``events / beads``.

    When either count is below 30: exact, from the Clopper–Pearson limits of ``events / (events + beads)``, since given
    their sum the one count is binomial (Przyborowski and Wilenski, Biometrika 1940;31:313). With many beads these are
    Garwood's limits divided by the beads. Otherwise log-normal with variance ``1/events + 1/beads``.

    Examples
    --------
    >>> lower, upper = ratio_limits(0, 1000)
    >>> float(lower), float((1000 * upper).round(2))
    (0.0, 3.7)
    """
    n, b = np.broadcast_arrays(np.asarray(events, dtype=np.float64), np.asarray(beads, dtype=np.float64))
    low, high = binomial_limits(n, n + b)
    exact = (low / (1.0 - low), high / (1.0 - high))
    return _choose(np.minimum(n, b) < EXACT_BELOW, exact, _log_normal(n / b, 1.0 / np.maximum(n, 1.0) + 1.0 / b))


def share_limits(events: ArrayLike, parent: ArrayLike) -> tuple[Floats, Floats]:
    """Limits of a share of a parent: Clopper–Pearson below 30 events in or outside it, else log-normal.

    The log-normal variance is ``(1 - p) / events``, that of the log of a binomial share.

    Examples
    --------
    >>> lower, upper = share_limits(625, 12_500)
    >>> float(lower.round(4)), float(upper.round(4))
    (0.0463, 0.054)
    """
    k, n = np.broadcast_arrays(np.asarray(events, dtype=np.float64), np.asarray(parent, dtype=np.float64))
    share = k / n
    few = np.minimum(k, n - k) < EXACT_BELOW
    return _choose(few, binomial_limits(k, n), _log_normal(share, (1.0 - share) / np.maximum(k, 1.0)))


def combine_limits(
    point: ArrayLike, lower: ArrayLike, upper: ArrayLike, below: ArrayLike, above: ArrayLike
) -> tuple[Floats, Floats]:
    """Widen the limits of counting by the other sources of error.

    On the log scale the distances from the point to its limit add in quadrature, each side alone. Where the point is 0
    there is no log distance: the lower limit stays 0, and the upper one is the mean at which a tube whose gain is
    log-normal with ``σ = above / z`` shows nothing with probability 0.025, ``E[exp(-c g)] = 0.025``; to second order
    in σ this is ``upper · exp((3.69 - 1) σ² / 2)``.

    Parameters
    ----------
    point, lower, upper
        Estimate and its limits from counting alone, not negative.
    below, above
        Half-widths ``z·σ`` of everything else on the natural-log scale, towards lower and higher values.

    Returns
    -------
    lower, upper

    Examples
    --------
    >>> lower, upper = combine_limits(100.0, 82.2, 121.7, 0.1, 0.1)
    >>> float(lower.round(1)), float(upper.round(1))
    (80.2, 124.7)
    """
    x, low, high, down, up = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (point, lower, upper, below, above))
    )
    nothing = x == 0
    at, at_low, at_high = (np.where(nothing, 1.0, values) for values in (x, low, high))
    wide_low = at * np.exp(-np.hypot(np.log(at / at_low), down))
    wide_high = at * np.exp(np.hypot(np.log(at_high / at), up))
    none_seen = high * np.exp(0.5 * (_NONE_SEEN - 1.0) * (up / Z95) ** 2)
    return np.where(nothing, 0.0, wide_low), np.where(nothing, none_seen, wide_high)


def _log_normal(point: Any, variance: Any) -> tuple[Floats, Floats]:
    factor = np.exp(Z95 * np.sqrt(variance))
    return point / factor, point * factor


def _choose(exact: Any, left: tuple[Floats, Floats], right: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return np.where(exact, left[0], right[0]), np.where(exact, left[1], right[1])
