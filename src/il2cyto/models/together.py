"""Cells and cytokines that change together within subjects: components of both blocks at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.errors import ParameterError
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.blocks import (
    FEWEST_ARRANGEMENTS,
    MOST_KEPT,
    Blocks,
    Floats,
    Permuted,
    SparsePls,
    Stability,
    permutation_p,
    sparse_pls,
    stability,
    within_blocks,
)
from il2cyto.models.course import choose_populations
from il2cyto.models.serum import codes_of_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

TOGETHER_COLUMNS: Final = (
    "component", "block", "strategy", "feature", "unit", "loading", "selected", "stability",
    "n_missing", "n_zero", "n_censored", "covariance_percent", "correlation", "p_value",
    "n_subjects", "n_rows", "n_incomplete", "n_alone", "n_exchanged", "method", "status", "reason",
)  # fmt: skip
#: Values of the column ``block``.
CELLS: Final = "cells"
CYTOKINES: Final = "cytokines"
#: Share of censored values, in percent, above which an analyte does not enter.
MOST_CENSORED_PERCENT: Final = 25.0
#: Share of the rows, in percent, that stay complete with every feature that enters.
LEAST_COMPLETE_PERCENT: Final = 75.0
#: Degrees of freedom within subjects below which components say nothing.
_FEWEST: Final = 4
_METHOD: Final = (
    "multilevel sparse partial least squares (canonical) of log cells/µL and log concentration, without the means of "
    "subjects and of arm × visit; p by exchange of subjects; exploratory, hypothesis-generating"
)


@dataclass(frozen=True, eq=False)
class _Feature:
    """One column of a block: what it is called, its logarithms ``(n,)``, NaN where there are none, and what is lost."""

    names: dict[str, Any]
    values: Floats
    n_zero: int
    censored: NDArray[np.bool_]
    refusal: str


@dataclass(frozen=True, eq=False)
class _Found:
    blocks: Blocks
    fit: SparsePls
    permuted: Permuted
    stability: Stability


def cells_and_cytokines(
    visits: AnnData,
    serum: AnnData,
    *,
    populations: Sequence[str] | None = None,
    keep: int = 10,
    n_components: int = 2,
    n_permutations: int = 999,
    n_bootstraps: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    """Find few populations and few analytes that change together within subjects, over the visits of both.

    Logarithms lose the means of their subject and of their arm and visit (`within_blocks`); `sparse_pls` finds the
    components, `permutation_p` tests them, and `stability` says how far the choice of features depends on who took
    part. All of it generates hypotheses: it names no cause, and a loading has no p-value.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, the visits that are analysed.
    serum
        From `il2cyto.serum.read_serum`; rows with the keys of `visits` are used.
    populations
        As for `il2cyto.models.change_from_baseline`; those without cells/µL at any visit are not in the table.
    keep
        Features of each block that a component keeps, at most `MOST_KEPT`; all where a block has no more.
    n_components, n_permutations, n_bootstraps, seed
        As for `permutation_p` and `stability`.

    Returns
    -------
    pandas.DataFrame
        Columns `TOGETHER_COLUMNS`: for each component a row per population and analyte. ``loading`` is that of the
        standardised deviation, 0 where the feature is not ``selected``; ``stability`` the share of the bootstrap
        samples that select it. Features whose loadings have one sign rise together. ``n_missing`` counts the shared
        visits at which the feature has no logarithm, ``n_zero`` those of them with a value of 0, and ``n_censored`` the
        values beyond a limit of quantification. ``covariance_percent``, ``correlation`` and ``p_value`` are those of
        the component; ``n_incomplete``, ``n_alone`` and ``n_exchanged`` are explained in `Blocks` and `Permuted`.

        A row needs a value of every feature. So features enter in the order of their missing values, as long as
        `LEAST_COMPLETE_PERCENT` of the rows with any population and any analyte stay complete. Analytes with more than
        `MOST_CENSORED_PERCENT` censored values do not enter; other censored values stand at the limit. Values that are
        the drug itself do not enter. What does not enter has status ``not_estimable`` and a reason.

    Raises
    ------
    ParameterError
        If a population is unknown, a number is outside its range, or a subject has several arms.
    """
    for word, number, most in (
        ("keep", keep, MOST_KEPT),
        ("n_components", n_components, None),
        ("n_permutations", n_permutations, None),
        ("n_bootstraps", n_bootstraps, None),
    ):
        if number < 1 or (most is not None and number > most):
            raise ParameterError(f"{word} = {number}: want at least 1" + (f" and at most {most}" if most else ""))
    known = set(serum.obs_names)
    shared = [name for name in visits.obs_names if name in known]
    cells, measured = visits[shared], serum[shared]
    measured_at_all = np.asarray(~np.isnan(np.asarray(visits.X, dtype=np.float64)).all(axis=0))
    first = _populations(cells, [j for j in choose_populations(visits, populations) if measured_at_all[j]])
    second = _analytes(measured, codes_of_flag(serum, "drug"))
    reasons = _left_out([*first, *second], len(first))
    lists = (first, second), (reasons[: len(first)], reasons[len(first) :])
    x, y = (
        np.column_stack(
            [np.empty((len(shared), 0)), *(one.values for one, why in zip(group, whys, strict=True) if not why)]
        )
        for group, whys in zip(*lists, strict=True)
    )
    subject, visit, arm = (cells.obs[name].to_numpy(dtype=str) for name in ("USUBJID", "AVISIT", "ARM"))
    blocks = within_blocks(x, y, subject, visit, arm)
    refusal = _refusal(blocks, len(shared))
    found = None
    if not refusal:
        arguments = (
            min(keep, blocks.x.shape[1]),
            min(keep, blocks.y.shape[1]),
            min(n_components, blocks.x.shape[1], blocks.y.shape[1]),
        )
        found = _Found(
            blocks,
            sparse_pls(blocks.x, blocks.y, *arguments),
            permutation_p(blocks, *arguments, n_permutations=n_permutations, seed=seed),
            stability(blocks, *arguments, n_bootstraps=n_bootstraps, seed=seed),
        )
    rows: list[dict[str, Any]] = []
    for component in range(n_components):
        about, lost, notes = _component(blocks, found, refusal, component)
        for block, group, whys in zip((CELLS, CYTOKINES), *lists, strict=True):
            places = _places(blocks.x_columns if block == CELLS else blocks.y_columns, whys)
            full = found is not None and len([place for place in places if place is not None]) <= keep
            for feature, why, place in zip(group, whys, places, strict=True):
                reason = why or lost or ("" if place is not None else "does not vary within subjects")
                own = {"loading": np.nan, "selected": False, "stability": np.nan}
                if not reason and found is not None and place is not None:
                    loadings = found.fit.x_loadings if block == CELLS else found.fit.y_loadings
                    shares = found.stability.x if block == CELLS else found.stability.y
                    loading = float(loadings[place, component])
                    own = {"loading": loading, "selected": loading != 0, "stability": float(shares[place, component])}
                remarks = list(notes)
                if full:
                    remarks.append(f"no more than {keep} features enter of this block: all are kept")
                at_limit = int(feature.censored[blocks.rows].sum())
                if at_limit:
                    remarks.append(f"values beyond a limit of quantification that stand at the limit: {at_limit}")
                rows.append(
                    {
                        "component": component + 1,
                        "block": block,
                        **feature.names,
                        **own,
                        "n_missing": int(np.isnan(feature.values).sum()),
                        "n_zero": feature.n_zero,
                        "n_censored": int(feature.censored.sum()),
                        **about,
                        "method": _METHOD,
                        "status": NOT_ESTIMABLE if reason else ESTIMATED,
                        "reason": reason or "; ".join(remarks),
                    }
                )
    return pd.DataFrame(rows, columns=list(TOGETHER_COLUMNS))


def _populations(cells: AnnData, columns: list[int]) -> list[_Feature]:
    every = np.asarray(cells.X, dtype=np.float64)
    none = np.zeros(cells.n_obs, dtype=bool)
    found = []
    for column in columns:
        var = cells.var.iloc[column]
        names = {"strategy": var["strategy"], "feature": var["population"], "unit": "cells/µL"}
        found.append(_Feature(names, _logarithms(every[:, column]), int((every[:, column] <= 0).sum()), none, ""))
    return found


def _analytes(measured: AnnData, drug: list[int]) -> list[_Feature]:
    every = np.asarray(measured.X, dtype=np.float64)
    every = np.where(np.isin(np.asarray(measured.layers["flags"]), drug), np.nan, every)
    outside = np.asarray(measured.layers["censor"]) != 0
    found = []
    for column in range(measured.n_vars):
        names = {"strategy": "", "feature": str(measured.var_names[column])}
        names["unit"] = str(measured.var["unit"].iloc[column])
        known = ~np.isnan(every[:, column])
        censored = outside[:, column] & known
        refusal = ""
        if 100 * censored.sum() > MOST_CENSORED_PERCENT * known.sum():
            refusal = (
                f"{int(censored.sum())} of {int(known.sum())} values are beyond a limit of quantification, more than "
                f"{MOST_CENSORED_PERCENT:g} %"
            )
        values = _logarithms(every[:, column])
        found.append(_Feature(names, values, int((every[:, column] <= 0).sum()), censored, refusal))
    return found


def _logarithms(values: Floats) -> Floats:
    return np.log(values, out=np.full(values.shape, np.nan), where=values > 0)


def _left_out(features: list[_Feature], n_first: int) -> list[str]:
    """Why each feature does not enter, or nothing; the first `n_first` are of one block, the rest of the other."""
    nothing = "no value to take a logarithm of at the visits that have both cells and serum"
    reasons = [one.refusal or (nothing if one.values.size and np.isnan(one.values).all() else "") for one in features]
    present = np.array([np.isfinite(one.values) & (not why) for one, why in zip(features, reasons, strict=True)])
    if not (n_first and len(features) > n_first):
        return reasons
    complete = present[:n_first].any(axis=0) & present[n_first:].any(axis=0)
    n = int(complete.sum())
    for place in sorted(range(len(features)), key=lambda one: -int(present[one].sum())):
        if reasons[place]:
            continue
        left = complete & present[place]
        if 100 * left.sum() < LEAST_COMPLETE_PERCENT * n:
            reasons[place] = (
                f"with it, {int(left.sum())} of {n} rows would be complete, less than {LEAST_COMPLETE_PERCENT:g} %; "
                "features with fewer missing values come first"
            )
            continue
        complete = left
    return reasons


def _refusal(blocks: Blocks, n_shared: int) -> str:
    """Why there are no components, or nothing."""
    if not n_shared:
        return "no visit has both cells and serum"
    for size, word in ((blocks.x.shape[1], "population"), (blocks.y.shape[1], "analyte")):
        if not size:
            return f"no {word} enters that varies within subjects"
    if blocks.df < _FEWEST:
        return (
            f"{blocks.subject.size} complete rows of {blocks.n_subjects} subjects leave {blocks.df} degrees of freedom "
            f"within subjects; {_FEWEST} are needed"
        )
    return ""


def _component(
    blocks: Blocks, found: _Found | None, refusal: str, component: int
) -> tuple[dict[str, Any], str, list[str]]:
    """Numbers of a component, why it has none, and remarks."""
    about: dict[str, Any] = {
        **dict.fromkeys(("covariance_percent", "correlation", "p_value"), np.nan),
        "n_subjects": blocks.n_subjects,
        "n_rows": blocks.subject.size,
        "n_incomplete": blocks.n_incomplete,
        "n_alone": blocks.n_alone,
        "n_exchanged": found.permuted.n_exchanged if found else 0,
    }
    if found is None:
        return about, refusal, []
    fit, permuted = found.fit, found.permuted
    if component >= fit.covariance.size:
        shape = f"{blocks.x.shape[1]} populations and {blocks.y.shape[1]} analytes"
        return about, f"{shape} have no component {component + 1}", []
    if np.isnan(fit.covariance[component]):
        return about, "no covariance is left, or so many loadings tie that none stands out", []
    notes = []
    if not fit.converged[component]:
        notes.append("the loadings did not come to rest; they are those of the step with the largest covariance")
    fixed = blocks.n_subjects - permuted.n_exchanged
    if permuted.n_arrangements < FEWEST_ARRANGEMENTS:
        notes.append(
            f"no p-value: subjects of one arm with the same visits can be arranged in {permuted.n_arrangements} ways; "
            f"{FEWEST_ARRANGEMENTS} are needed"
        )
    elif fixed:
        notes.append(f"subjects not exchanged, as nobody of their arm has the same visits: {fixed}")
    about |= {
        "covariance_percent": float(fit.covariance_percent[component]),
        "correlation": float(fit.correlation[component]),
        "p_value": float(permuted.p_value[component]),
    }
    return about, "", notes


def _places(columns: NDArray[np.intp], reasons: list[str]) -> list[int | None]:
    """Column of its block in which each feature stands; ``None`` for one that did not enter or does not vary."""
    at = {int(column): place for place, column in enumerate(columns)}
    entered = iter(range(len(reasons)))
    return [None if why else at.get(next(entered)) for why in reasons]
