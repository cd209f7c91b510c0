"""Correlation of cells and cytokines within subjects over visits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.exact import Z, benjamini_hochberg
from il2cyto.models.serum import codes_of_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

CORRELATION_COLUMNS: Final = (
    "strategy", "population", "analyte", "unit", "arm", "n_subjects", "n_pairs", "n_censored", "r", "lower", "upper",
    "df", "p_value", "p_adjusted", "method", "status", "reason",
)  # fmt: skip
#: Rows over the subjects of all arms.
ALL: Final = "all"
#: Degrees of freedom below which an interval says nothing.
_FEWEST: Final = 4
_METHOD: Final = (
    "repeated-measures correlation of log cells/µL and log concentration, exploratory: "
    "both may follow treatment and time"
)


@dataclass(frozen=True)
class Correlation:
    """A correlation within subjects: `r` with 95 % limits by Fisher's z, degrees of freedom and two-sided p-value."""

    r: float
    lower: float
    upper: float
    df: int
    p_value: float
    n_subjects: int
    n_pairs: int


def within_subjects(x: ArrayLike, y: ArrayLike, subject: ArrayLike) -> Correlation:
    """Correlate two measurements over the visits of each subject, with one slope for all and a level for each.

    Parameters
    ----------
    x, y
        Values, shape ``(n,)``; pairs with a NaN are left out.
    subject
        Whose they are, shape ``(n,)``; subjects with one pair say nothing and are left out.

    Returns
    -------
    Correlation
        NaN where a measurement does not vary within subjects or fewer than two pairs more than subjects are left.

    Raises
    ------
    ParameterError
        If the arrays are not of one shape ``(n,)``.

    Notes
    -----
    Bland and Altman, British Medical Journal 310 (1995) 446: *pairs − subjects − 1* degrees of freedom.

    Examples
    --------
    >>> found = within_subjects([1, 2, 3, 11, 12, 13], [5, 6, 7, 1, 2, 4], list("aaabbb"))
    >>> round(found.r, 4), found.df
    (0.9682, 3)
    """
    a, b, who = (np.asarray(values) for values in (x, y, subject))
    if a.ndim != 1 or a.shape != b.shape or a.shape != who.shape:
        raise ParameterError(f"x, y and subject of shapes {a.shape}, {b.shape} and {who.shape}: want one (n,)")
    first, second = a.astype(np.float64), b.astype(np.float64)
    known = np.isfinite(first) & np.isfinite(second)
    first, second, who = first[known], second[known], who[known]
    _, number, size = np.unique(who, return_inverse=True, return_counts=True)
    repeated = size[number] > 1
    first, second, who = first[repeated], second[repeated], who[repeated]
    names, number = np.unique(who, return_inverse=True)
    n, k = first.size, names.size
    df = n - k - 1
    nothing = Correlation(math.nan, math.nan, math.nan, max(df, 0), math.nan, k, n)
    if df < 1:
        return nothing
    u, v = (_centred(values, number) for values in (first, second))
    if u is None or v is None:
        return nothing
    from scipy import stats

    r = float(np.clip(u @ v / math.sqrt(float(u @ u) * float(v @ v)), -1.0, 1.0))
    p = float(2 * stats.t.sf(abs(r) * math.sqrt(df / (1 - r * r)), df)) if abs(r) < 1 else 0.0
    if df < 2 or abs(r) == 1:
        return Correlation(r, math.nan, math.nan, df, p, k, n)
    half = Z / math.sqrt(df - 1)
    return Correlation(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), df, p, k, n)


def _centred(values: NDArray[np.float64], number: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Deviations from the mean of each subject; ``None`` where there are none but those of rounding."""
    means = np.bincount(number, values) / np.bincount(number)
    centred = values - means[number]
    return centred if float(np.abs(centred).max()) > 1e-12 * float(np.abs(values).max()) else None


def correlate(visits: AnnData, serum: AnnData, *, populations: Sequence[str] | None = None) -> pd.DataFrame:
    """Correlate every population with every analyte within subjects, over all of them and within each arm.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, the visits that are analysed.
    serum
        From `il2cyto.serum.read_serum`; rows with the keys of `visits` are used.
    populations
        As for `il2cyto.models.change_from_baseline`.

    Returns
    -------
    pandas.DataFrame
        Columns `CORRELATION_COLUMNS`; `within_subjects` gives the numbers. Cells of 0 have no logarithm and
        concentrations beyond their limits no value: those pairs are left out, and ``n_censored`` counts them. Values
        that are the drug itself do not enter. ``p_adjusted`` is Benjamini and Hochberg's within each arm.
    """
    from il2cyto.models.course import choose_populations

    shared = [name for name in visits.obs_names if name in set(serum.obs_names)]
    cells, measured = visits[shared], serum[shared]
    subjects, arms = (cells.obs[name].to_numpy(dtype=str) for name in ("USUBJID", "ARM"))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_cells = np.log(np.asarray(cells.X, dtype=np.float64))
        log_serum = np.log(np.asarray(measured.X, dtype=np.float64))
    drug = np.isin(np.asarray(measured.layers["flags"]), codes_of_flag(serum, "drug"))
    log_serum = np.where(drug, np.nan, log_serum)
    outside = np.asarray(measured.layers["censor"]) != 0
    rows: list[dict[str, Any]] = []
    for column in choose_populations(visits, populations):
        x = log_cells[:, column]
        if np.isnan(x).all():
            continue
        var = visits.var.iloc[column]
        for analyte in range(serum.n_vars):
            y = log_serum[:, analyte]
            pair = ~np.isnan(x) & ~np.isnan(y)
            usable = pair & np.isfinite(x) & ~outside[:, analyte]
            for arm in (ALL, *sorted(set(arms))):
                here = np.full(x.shape, True) if arm == ALL else arms == arm
                use = usable & here
                row = {
                    "strategy": var["strategy"],
                    "population": var["population"],
                    "analyte": str(serum.var_names[analyte]),
                    "unit": str(serum.var["unit"].iloc[analyte]),
                    "arm": arm,
                    "n_censored": int((pair & here & ~usable).sum()),
                }
                rows.append(row | _row(within_subjects(x[use], y[use], subjects[use])))
    table = pd.DataFrame(rows, columns=list(CORRELATION_COLUMNS))
    table["p_adjusted"] = table.groupby("arm", sort=False)["p_value"].transform(benjamini_hochberg)
    return table


def _row(found: Correlation) -> dict[str, Any]:
    numbers = {"r": found.r, "lower": found.lower, "upper": found.upper, "p_value": found.p_value}
    reason = ""
    if found.df < _FEWEST:
        reason = f"{found.n_pairs} pairs of {found.n_subjects} subjects; {_FEWEST} degrees of freedom are needed"
    elif math.isnan(found.r):
        reason = "one of them does not vary within subjects"
    if reason:
        numbers = dict.fromkeys(numbers, math.nan)
    return {
        **numbers,
        "n_subjects": found.n_subjects,
        "n_pairs": found.n_pairs,
        "df": found.df,
        "method": _METHOD,
        "status": NOT_ESTIMABLE if reason else ESTIMATED,
        "reason": reason,
    }
