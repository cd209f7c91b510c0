"""Exact tests and intervals for numbers of subjects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Quantile of the normal distribution of two-sided 95 % limits.
Z: Final = 1.959963984540054


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share; NaN of none.

    Clopper and Pearson, Biometrika 26 (1934) 404.

    Examples
    --------
    >>> [round(limit, 4) for limit in clopper_pearson(9, 29)]
    [0.1528, 0.5083]
    """
    from scipy.stats import beta

    _checked(k, n)
    if n == 0:
        return math.nan, math.nan
    low = 0.0 if k == 0 else float(beta.ppf(0.025, k, n - k + 1))
    high = 1.0 if k == n else float(beta.ppf(0.975, k + 1, n - k))
    return low, high


def newcombe(k1: int, n1: int, k2: int, n2: int) -> tuple[float, float, float]:
    """Return the difference of two independent shares with its 95 % interval; NaN where one is of none.

    The hybrid score interval: method 10 of Newcombe, Statistics in Medicine 17 (1998) 873.

    Examples
    --------
    >>> [round(value, 4) for value in newcombe(9, 29, 2, 30)]
    [0.2437, 0.0426, 0.4319]
    """
    _checked(k1, n1)
    _checked(k2, n2)
    if n1 == 0 or n2 == 0:
        return math.nan, math.nan, math.nan
    (p1, l1, u1), (p2, l2, u2) = _wilson(k1, n1), _wilson(k2, n2)
    difference = p1 - p2
    low, high = math.hypot(p1 - l1, u2 - p2), math.hypot(u1 - p1, p2 - l2)
    return difference, difference - low, difference + high


def fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """Return the two-sided p-value of Fisher's exact test of two shares; NaN where one is of none.

    Examples
    --------
    >>> round(fisher(27, 30, 29, 30), 4)
    0.612
    """
    from scipy.stats import fisher_exact

    _checked(k1, n1)
    _checked(k2, n2)
    if n1 == 0 or n2 == 0:
        return math.nan
    return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)


def sign_test(up: int, down: int) -> float:
    """Return the exact two-sided p-value of as many steps up as down; 1 where there is none.

    With the two kinds of discordant pairs it is McNemar's exact test.

    Examples
    --------
    >>> sign_test(8, 1)
    0.0390625
    """
    from scipy.stats import binomtest

    _checked(up, up + down)
    return float(binomtest(up, up + down).pvalue) if up + down else 1.0


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for all being tested at once; NaN stays and does not count.

    Holm, Scandinavian Journal of Statistics 6 (1979) 65.

    Examples
    --------
    >>> holm([0.008, 0.001, 0.039]).tolist()
    [0.016, 0.003, 0.039]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for the share of false ones among those that are called; NaN stays and does not count.

    Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289.

    Examples
    --------
    >>> benjamini_hochberg([0.02, 0.01, float("nan")]).tolist()
    [0.02, 0.02, nan]
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        adjusted[known] = false_discovery_control(p[known], method="bh")
    return adjusted


def _wilson(k: int, n: int) -> tuple[float, float, float]:
    """A share and its score limits (Wilson 1927)."""
    p = k / n
    middle, half = 2 * n * p + Z**2, Z * math.sqrt(Z**2 + 4 * n * p * (1 - p))
    return p, (middle - half) / (2 * (n + Z**2)), (middle + half) / (2 * (n + Z**2))


def _checked(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ParameterError(f"{k} of {n}: a number of subjects is from 0 to all of them")
