"""Joint model of cells and cytokines over visits: correlation within and between subjects, with censored values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.bivariate import BivariateFit, fit_bivariate
from il2cyto.models.course import choose_populations, lay_out
from il2cyto.models.exact import benjamini_hochberg
from il2cyto.models.serum import codes_of_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

Floats = NDArray[np.float64]

JOINT_COLUMNS: Final = (
    "strategy", "population", "analyte", "unit", "n_subjects", "n_pairs", "n_censored", "r_within", "r_within_lower",
    "r_within_upper", "p_value", "p_adjusted", "r_between", "r_between_lower", "r_between_upper", "sd_cells_within",
    "sd_cells_between", "sd_serum_within", "sd_serum_between", "method", "status", "reason", "warnings",
)  # fmt: skip
#: Share of censored concentrations, in percent, above which there is no estimate.
MOST_CENSORED_PERCENT: Final = 50.0
#: Subjects with two pairs or more, and degrees of freedom within subjects, below which there is none.
FEWEST_SUBJECTS: Final = 8
FEWEST_DF: Final = 4
_METHOD: Final = (
    "bivariate linear mixed model (REML, random intercepts of both) of y = log cells/µL and z = log concentration, "
    "censored values as limits; values without their pair enter; likelihood ratio test of r_within; "
    "exploratory, adjusted for arm × visit, arms not randomised"
)
_NUMBERS: Final = (
    "r_within", "r_within_lower", "r_within_upper", "p_value", "r_between", "r_between_lower", "r_between_upper",
    "sd_cells_within", "sd_cells_between", "sd_serum_within", "sd_serum_between",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Pair:
    """One population and one analyte: logarithms (NaN where unknown), censor, codes of arm × visit and of subject."""

    y: Floats
    z: Floats
    censor: NDArray[np.int8]
    cell: NDArray[np.intp]
    subject: NDArray[np.intp]

    @property
    def both(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.y) & ~np.isnan(self.z)


def joint_over_visits(
    visits: AnnData,
    serum: AnnData,
    *,
    baseline: str | None = None,
    populations: Sequence[str] | None = None,
    analytes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Correlate every population with every analyte within and between subjects, arm and visit taken out.

    Every arm's visit has a mean of its own for cells and for concentrations, so that what treatment or time does to
    both makes no correlation. ``r_within`` is the correlation of what is left from visit to visit of a subject,
    ``r_between`` that of the subjects' levels (`il2cyto.models.bivariate.fit_bivariate`). Concentrations beyond
    their limits are known as that (no LOD/2).

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, the visits that are analysed.
    serum
        From `il2cyto.serum.read_serum`; rows with the keys of `visits` are used.
    baseline
        First visit that enters: earlier ones (screening) are left out. ``None`` takes all.
    populations
        As for `il2cyto.models.change_from_baseline`.
    analytes
        Names of analytes; ``None`` takes all.

    Returns
    -------
    pandas.DataFrame
        Columns `JOINT_COLUMNS`, a row for each population and analyte. ``n_pairs`` counts the visits with both,
        ``n_censored`` those of them whose concentration is beyond its limit, ``n_subjects`` the subjects with a pair;
        limits are 95 %, ``sd_*`` standard deviations of natural logarithms, ``p_value`` is of no correlation within
        subjects and ``p_adjusted`` Benjamini and Hochberg's over all rows. Cells of 0 have no logarithm and values
        that are the drug itself do not enter: ``warnings`` counts them, and the values of an arm's visit that has
        none within its limits, which are left out. Not estimable: more than `MOST_CENSORED_PERCENT` of the pairs
        censored, fewer than `FEWEST_SUBJECTS` subjects with two pairs, fewer than `FEWEST_DF` degrees of freedom
        within subjects.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline`, or a population or analyte is unknown.
    TableError
        If a subject has no arm or several, or a visit has no number or several.
    """
    shared = _shared(visits, serum, baseline)
    cells, measured = visits[shared], serum[shared]
    columns = choose_populations(visits, populations)
    names = _choose_analytes(serum, analytes)
    subject, cell = (
        np.unique(codes, return_inverse=True)[1].astype(np.intp)
        for codes in (
            cells.obs["USUBJID"].to_numpy(dtype=str),
            (cells.obs["ARM"].astype(str) + "|" + cells.obs["AVISIT"].astype(str)).to_numpy(dtype=str),
        )
    )
    amount, concentration = (np.asarray(one.X, dtype=np.float64) for one in (cells, measured))
    is_drug = np.isin(np.asarray(measured.layers["flags"]), codes_of_flag(serum, "drug")) & ~np.isnan(concentration)
    censor = np.asarray(measured.layers["censor"]).astype(np.int8)
    log_cells, log_serum = _log(amount), np.where(is_drug, np.nan, _log(concentration))
    rows: list[dict[str, Any]] = []
    for column in columns:
        var = visits.var.iloc[column]
        for analyte in names:
            pair = _Pair(log_cells[:, column], log_serum[:, analyte], censor[:, analyte], cell, subject)
            has_serum, has_cells = ~np.isnan(concentration[:, analyte]), ~np.isnan(pair.y)
            left_out = {
                "of 0 cells": int((has_serum & (amount[:, column] <= 0)).sum()),
                "that are the drug itself": int((has_cells & is_drug[:, analyte]).sum()),
                "of a concentration of 0": int((has_cells & (concentration[:, analyte] <= 0)).sum()),
            }
            rows.append(
                {
                    "strategy": var["strategy"],
                    "population": var["population"],
                    "analyte": str(serum.var_names[analyte]),
                    "unit": str(serum.var["unit"].iloc[analyte]),
                    **_row(pair, [f"pairs {what}: {n} left out" for what, n in left_out.items() if n]),
                }
            )
    table = pd.DataFrame(rows, columns=list(JOINT_COLUMNS))
    table["p_adjusted"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    typed: pd.DataFrame = table.astype(dict.fromkeys(("n_subjects", "n_pairs", "n_censored"), np.int64))
    return typed


def _shared(visits: AnnData, serum: AnnData, baseline: str | None) -> list[str]:
    """Keys of the rows of both, from the baseline visit on."""
    obs = visits.obs
    # arms, numbers of visits and the baseline are checked as for the other models
    lay_out(obs, baseline)
    if baseline is not None:
        obs = obs[obs["AVISITN"] >= obs.loc[obs["AVISIT"] == baseline, "AVISITN"].iloc[0]]
    known = set(serum.obs_names)
    return [str(name) for name in obs.index if name in known]


def _choose_analytes(serum: AnnData, analytes: Sequence[str] | None) -> list[int]:
    known = [str(name) for name in serum.var_names]
    for name in analytes or ():
        if name not in known:
            raise ParameterError(f"analytes: no analyte is called {name!r}{did_you_mean(name, known)}")
    return [i for i, name in enumerate(known) if analytes is None or name in analytes]


def _log(values: Floats) -> Floats:
    """Natural logarithms; NaN of 0 and less, which the caller counts."""
    positive = values > 0
    return np.where(positive, np.log(np.where(positive, values, 1.0)), np.nan)


def _row(pair: _Pair, warnings: list[str]) -> dict[str, Any]:
    pair, reason, lost = _limited(pair)
    row: dict[str, Any] = {
        **dict.fromkeys(_NUMBERS, math.nan),
        **_counts(pair),
        "method": _METHOD,
        "status": NOT_ESTIMABLE,
        "reason": reason,
        "warnings": "; ".join([*warnings, *lost]),
    }
    if reason:
        return row
    known = ~np.isnan(pair.y) | ~np.isnan(pair.z)
    cells = np.unique(pair.cell[known], return_inverse=True)[1]
    design = np.eye(int(cells.max()) + 1)[cells]
    try:
        fit = fit_bivariate(pair.y[known], pair.z[known], pair.censor[known], design, pair.subject[known])
    except ParameterError as error:
        return row | {"reason": str(error)}
    if not fit.converged:
        return row | {"reason": f"the model did not converge: {fit.note}"}
    found = [*warnings, *lost, *([fit.note] if fit.note else [])]
    return row | _numbers(fit) | {"status": ESTIMATED, "warnings": "; ".join(found)}


def _counts(pair: _Pair) -> dict[str, int]:
    both = pair.both
    return {
        "n_subjects": len(np.unique(pair.subject[both])),
        "n_pairs": int(both.sum()),
        "n_censored": int((both & (pair.censor != 0)).sum()),
    }


def _limited(pair: _Pair) -> tuple[_Pair, str, list[str]]:
    """Return what can be modelled, why nothing can, and what is left out for it."""
    counts = _counts(pair)
    if 100 * counts["n_censored"] > MOST_CENSORED_PERCENT * counts["n_pairs"]:
        share = 100 * counts["n_censored"] / counts["n_pairs"]
        return pair, f"{share:.0f} % of {counts['n_pairs']} pairs have a concentration beyond its limit", []
    has_z = ~np.isnan(pair.z)
    within = np.bincount(pair.cell[has_z & (pair.censor == 0)], minlength=int(pair.cell.max(initial=0)) + 1) > 0
    unbounded = has_z & ~within[pair.cell]
    lost = []
    if unbounded.any():
        n_cells = len(np.unique(pair.cell[unbounded]))
        lost = [
            f"concentrations of {n_cells} visits of an arm with none within limits: {int(unbounded.sum())} left out"
        ]
        pair = _Pair(pair.y, np.where(unbounded, np.nan, pair.z), pair.censor, pair.cell, pair.subject)
    both = pair.both
    subjects, size = np.unique(pair.subject[both], return_counts=True)
    repeated = int((size > 1).sum())
    if repeated < FEWEST_SUBJECTS:
        return pair, f"{repeated} subjects have two pairs or more; {FEWEST_SUBJECTS} are needed", lost
    dummies = np.column_stack(
        [pair.subject[both][:, None] == subjects, pair.cell[both][:, None] == np.unique(pair.cell[both])]
    )
    df = int(both.sum()) - int(np.linalg.matrix_rank(dummies.astype(np.float64)))
    if df < FEWEST_DF:
        return pair, f"{df} degrees of freedom within subjects beside arm × visit; {FEWEST_DF} are needed", lost
    return pair, "", lost


def _numbers(fit: BivariateFit) -> dict[str, float]:
    sd = {f"sd_{name}_within": float(np.sqrt(fit.within[i, i])) for i, name in enumerate(("cells", "serum"))}
    sd |= {f"sd_{name}_between": float(np.sqrt(fit.between[i, i])) for i, name in enumerate(("cells", "serum"))}
    return sd | {name: getattr(fit, name) for name in _NUMBERS if name not in sd}
