"""Rank comparison of two groups within strata."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError


@dataclass(frozen=True)
class RankTest:
    """A stratified rank test.

    Attributes
    ----------
    superiority
        Probability that a value of the first group is the larger of a pair, ties by half: the strata's, weighted by
        their pairs. NaN where no stratum holds both groups.
    p_value
        Two-sided.
    n
        Values in strata that hold both groups.
    method
        How the p-value was found.
    """

    superiority: float
    p_value: float
    n: int
    method: str


def stratified_ranks(values: ArrayLike, first: ArrayLike, strata: ArrayLike) -> RankTest:
    """Compare two groups by ranks within strata: van Elteren's test, Wilcoxon's with one stratum.

    Parameters
    ----------
    values
        Shape ``(n,)``; NaN are left out.
    first
        Whether a value is of the first group, ``(n,)``.
    strata
        Stratum of each value, ``(n,)``.

    Returns
    -------
    RankTest
        With one stratum, no ties and at most 50 values the p-value is exact; else it is that of the normal
        approximation with midranks and without correction for continuity.

    Raises
    ------
    ParameterError
        If the arrays are not of one shape.

    Notes
    -----
    Van Elteren, Bulletin of the International Statistical Institute 37 (1960) 351: rank sums of the strata are weighted
    by ``1 / (n + 1)``.

    Examples
    --------
    >>> found = stratified_ranks([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1], ["a"] * 6)
    >>> found.superiority, round(found.p_value, 3)
    (1.0, 0.1)
    """
    from scipy.stats import mannwhitneyu, norm, rankdata

    y = np.asarray(values, dtype=np.float64)
    group, stratum = np.asarray(first, dtype=bool), np.asarray(strata)
    if not y.shape == group.shape == stratum.shape or y.ndim != 1:
        raise ParameterError(f"values {y.shape}, groups {group.shape} and strata {stratum.shape}: give one of each")
    known = ~np.isnan(y)
    y, group, stratum = y[known], group[known], stratum[known]
    parts: list[NDArray[np.bool_]] = [stratum == name for name in np.unique(stratum)]
    parts = [part for part in parts if 0 < group[part].sum() < part.sum()]
    if not parts:
        return RankTest(float("nan"), float("nan"), 0, "no stratum holds both groups")
    statistic = expected = variance = pairs = wins = 0.0
    for part in parts:
        ranks, mine = rankdata(y[part]), group[part]
        n, m = len(ranks), int(mine.sum())
        weight, total = 1.0 / (n + 1), float(ranks[mine].sum())
        statistic += weight * total
        expected += weight * m * (n + 1) / 2
        # with ties the ranks vary less
        variance += weight**2 * m * (n - m) / (n - 1) * float(((ranks - (n + 1) / 2) ** 2).sum()) / n
        pairs += m * (n - m)
        wins += total - m * (m + 1) / 2
    used = int(sum(part.sum() for part in parts))
    superiority = wins / pairs
    if variance == 0:
        return RankTest(superiority, 1.0, used, "all values are equal")
    if len(parts) == 1 and used <= 50 and len(np.unique(y[parts[0]])) == used:
        mine = group[parts[0]]
        p = float(mannwhitneyu(y[parts[0]][mine], y[parts[0]][~mine], method="exact").pvalue)
        return RankTest(superiority, p, used, "Wilcoxon rank-sum test, exact")
    p = float(2 * norm.sf(abs(statistic - expected) / np.sqrt(variance)))
    name = "Wilcoxon rank-sum test" if len(parts) == 1 else f"van Elteren test in {len(parts)} strata"
    return RankTest(superiority, p, used, f"{name}, normal approximation")
