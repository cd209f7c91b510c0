"""Where a standard curve quantifies: recovery of its own standards, LOD, LLOQ and ULOQ."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from il2cyto.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from il2cyto.serum.fit import CurveFit
    from il2cyto.serum.logistic import Logistic

#: Columns of the table of levels.
LEVEL_COLUMNS = ("expected", "n_readings", "mean_signal", "observed", "recovery_percent", "cv_percent", "within")


@dataclass(frozen=True)
class Acceptance:
    """What makes a standard curve acceptable; all in percent but the last two.

    The defaults are those of ligand-binding assays: standards back-calculated within 80-120 %, the lowest and the
    highest within 75-125 %, for at least three quarters of the levels between them.

    Attributes
    ----------
    recovery, recovery_ends
        Largest deviation of a back-calculated standard from what it holds, and of the lowest and highest.
    cv, cv_ends
        Largest coefficient of variation of the concentrations of repeated readings.
    share
        Levels between LLOQ and ULOQ that must be within these.
    least_levels
        Levels between LLOQ and ULOQ without which a curve does not quantify.
    lod_sd
        Standard deviations of the blanks above their mean at which the limit of detection lies.
    """

    recovery: float = 20.0
    recovery_ends: float = 25.0
    cv: float = 20.0
    cv_ends: float = 25.0
    share: float = 75.0
    least_levels: int = 4
    lod_sd: float = 3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise ParameterError(f"acceptance: {field.name} {value:g} must be above 0")


@dataclass(frozen=True)
class CurveLimits:
    """The range of a curve. NaN where there is none; `reason` says why, `lod_reason` why there is no LOD.

    `levels` has a row for each level above 0: `LEVEL_COLUMNS`.
    """

    lod: float
    lloq: float
    uloq: float
    levels: pd.DataFrame
    reason: str = ""
    lod_reason: str = ""


def curve_limits(
    fit: CurveFit,
    concentration: ArrayLike,
    signal: ArrayLike,
    acceptance: Acceptance | None = None,
) -> CurveLimits:
    """Return where a curve quantifies, by what it makes of its own standards.

    LLOQ and ULOQ are the ends of the widest range of standards whose ends are within `recovery_ends` and `cv_ends` and
    of whose levels at least `share` percent are within `recovery` and `cv` (the ends within their own limits). The LLOQ
    is not below the LOD: the concentration at ``mean + lod_sd * SD`` of the blanks.

    Parameters
    ----------
    fit
        From `fit_curve`.
    concentration, signal
        Readings of the standards, 0 for blanks, shape ``(n,)``; with a NaN in either they are left out.
    acceptance
        The rules; those of `Acceptance` by default.

    Examples
    --------
    >>> from il2cyto.serum.fit import fit_curve
    >>> from il2cyto.serum.logistic import Logistic
    >>> dose = np.repeat([0, *(10.0 * 4.0 ** np.arange(8))], 2)
    >>> signal = Logistic(a=20, b=1.1, c=30000, d=30000).signal(dose) * np.tile([0.99, 1.01], 9)
    >>> limits = curve_limits(fit_curve(dose, signal, model="4PL"), dose, signal)
    >>> limits.lloq, limits.uloq, round(limits.lod, 1)
    (10.0, 163840.0, 2.2)
    """
    rules = acceptance or Acceptance()
    x, y = np.asarray(concentration, dtype=np.float64), np.asarray(signal, dtype=np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    levels = _levels(fit, x, y)
    as_inner = _within(levels, rules.recovery, rules.cv)
    levels["within"] = as_inner
    if fit.curve is None:
        return CurveLimits(math.nan, math.nan, math.nan, levels, fit.reason, fit.reason)
    lod, lod_reason = _lod(fit.curve, y[x == 0], rules)
    expected = levels["expected"].to_numpy()
    as_end = _within(levels, rules.recovery_ends, rules.cv_ends)
    above = expected >= lod if math.isfinite(lod) else np.ones(len(levels), dtype=bool)
    best: tuple[int, int] | None = None
    for first in np.flatnonzero(as_end & above):
        for last in np.flatnonzero(as_end):
            if last < first:
                continue
            inside = as_inner[first : last + 1].copy()
            inside[0] = inside[-1] = True
            enough = inside.size >= rules.least_levels and 100 * inside.mean() >= rules.share
            if enough and (best is None or last - first > best[1] - best[0]):
                best = int(first), int(last)
    if best is None:
        reason = (
            f"{int(as_inner.sum())} of {len(levels)} levels are recovered to {100 - rules.recovery:g}-"
            f"{100 + rules.recovery:g} %; wanted {rules.least_levels} or more in a row, {rules.share:g} % of them so"
        )
        return CurveLimits(lod, math.nan, math.nan, levels, reason, lod_reason)
    levels["within"] = as_inner | (as_end & np.isin(np.arange(len(levels)), best))
    return CurveLimits(lod, float(expected[best[0]]), float(expected[best[1]]), levels, "", lod_reason)


def _levels(fit: CurveFit, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    rows = []
    for level in np.unique(x[x > 0]):
        readings = y[x == level]
        observed = recovery = cv = math.nan
        if fit.curve is not None:
            each = fit.curve.concentration(readings)
            observed = float(fit.curve.concentration(readings.mean()))
            recovery = 100 * observed / float(level)
            if readings.size > 1:
                cv = 100 * float(each.std(ddof=1) / each.mean()) if np.isfinite(each).all() else math.inf
        rows.append((float(level), readings.size, float(readings.mean()), observed, recovery, cv, False))
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS)).astype({"within": bool})


def _within(levels: pd.DataFrame, recovery: float, cv: float) -> np.ndarray:
    """Whether levels are recovered; where a level was read once, its scatter is not known and not asked."""
    # a share is computed by a division: 120 % of a standard is within 120 %
    slack = 1e-9
    percent, scatter, n = (
        levels[name].to_numpy(dtype=np.float64) for name in ("recovery_percent", "cv_percent", "n_readings")
    )
    recovered = np.abs(percent - 100) <= recovery + slack
    return np.asarray(recovered & ((scatter <= cv + slack) | (n < 2)))


def _lod(curve: Logistic, blanks: np.ndarray, rules: Acceptance) -> tuple[float, str]:
    if blanks.size < 2:
        return math.nan, f"{blanks.size} blank readings; their spread needs 2 or more"
    up = 1 if curve.rises else -1
    signal = float(blanks.mean() + up * rules.lod_sd * blanks.std(ddof=1))
    found = float(curve.concentration(signal))
    if not math.isfinite(found):
        return math.nan, "the blanks read as high as the highest standard"
    if found == 0:
        return math.nan, "the blanks read below the curve's signal of no analyte"
    return found, ""
