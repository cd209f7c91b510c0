"""Geometric mean, interval and median of a population in each arm at each visit."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

_COLUMNS = ["arm", "visit", "n", "n_zero", "geometric_mean", "lower", "upper", "median"]


def geometric_mean(values: npt.NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float, float]:
    """Geometric mean with its t interval on the log scale, ``exp(m ± t · s / √n)``.

    Parameters
    ----------
    values
        Finite values >= 0, shape ``(n,)``.
    level
        Coverage of the interval.

    Returns
    -------
    ``(mean, lower, upper)``. All NaN if `values` is empty or holds a zero: a zero has no logarithm, and adding a
    constant would decide the answer. The limits are NaN with fewer than 3 values.

    Examples
    --------
    >>> [round(x, 3) for x in geometric_mean(np.array([10.0, 20.0, 40.0]))]
    [20.0, 3.575, 111.9]
    >>> geometric_mean(np.array([0.0, 20.0]))
    (nan, nan, nan)
    """
    if values.size == 0 or (values <= 0).any():
        return (math.nan, math.nan, math.nan)
    logs = np.log(values)
    mean = float(logs.mean())
    if values.size < 3:
        return (math.exp(mean), math.nan, math.nan)
    half = float(stdtrit(values.size - 1, 0.5 + level / 2) * logs.std(ddof=1) / math.sqrt(values.size))
    return (math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def summarise_arms(rows: pd.DataFrame) -> pd.DataFrame:
    """Summarise one population in each arm at each visit.

    Parameters
    ----------
    rows
        One row per subject and visit of one population, with ``arm``, ``visit`` and ``cells_per_ul``; a missing
        ``cells_per_ul`` is left out.

    Returns
    -------
    Columns ``arm``, ``visit``, ``n`` (values used), ``n_zero``, ``geometric_mean``, ``lower``, ``upper`` (see
    :func:`geometric_mean`) and ``median``, all in cells/µL, in order of first appearance.

    Examples
    --------
    >>> rows = pd.DataFrame({"arm": ["A", "A"], "visit": ["V1", "V1"], "cells_per_ul": [4.0, 9.0]})
    >>> summarise_arms(rows)[["n", "geometric_mean", "median"]].round(2).values.tolist()
    [[2.0, 6.0, 6.5]]
    """
    found = []
    for key, group in rows.groupby(["arm", "visit"], sort=False, dropna=False):
        values = group["cells_per_ul"].to_numpy(dtype=np.float64, na_value=np.nan)
        values = values[np.isfinite(values)]
        median = float(np.median(values)) if values.size else math.nan
        found.append((*key, values.size, int((values == 0).sum()), *geometric_mean(values), median))
    return pd.DataFrame(found, columns=_COLUMNS)
