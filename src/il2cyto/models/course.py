"""The course of one population, subjects × visits: what enters the model, and what is left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.counts.tree import matches
from il2cyto.errors import ParameterError, TableError, did_you_mean
from il2cyto.visits.check import BELOW_LLOQ

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layout:
    """Subjects with their arms, the visits after baseline in order, and where each stands in the rows.

    `rows` is ``(n_subjects, n_visits)`` and `baseline_rows` ``(n_subjects,)``: row of the visits object, -1 for none.
    `days` has the shape of `rows`: day of the trial (ADY), NaN where it is not known.
    """

    subjects: tuple[str, ...]
    arms: NDArray[np.object_]
    visits: tuple[str, ...]
    rows: NDArray[np.intp]
    baseline_rows: NDArray[np.intp]
    days: Floats

    @property
    def arm_names(self) -> list[str]:
        """Names of the arms, sorted."""
        return sorted(set(self.arms))


@dataclass(frozen=True, eq=False)
class Course:
    """Cells/µL of one population, or the odds of being one of its parent.

    `value` ``(n_subjects, n_visits)`` and `baseline` ``(n_subjects,)``, NaN where there are none. The masks have the
    shape of `value`: `used` (both above 0), `left_out` (one of them 0, which has no logarithm), `no_baseline`
    (measured, but not at baseline), `below_lloq` (used, although few events were counted at the visit or at baseline).
    """

    value: Floats
    baseline: Floats
    used: Mask
    left_out: Mask
    no_baseline: Mask
    below_lloq: Mask
    no_covariate: Mask

    def of(self, complete: Mask) -> Course:
        """Return the course without the subjects, ``(n_subjects,)``, of whom a covariate is not known."""
        lost = self.used & ~complete[:, None]
        kept = {name: getattr(self, name) & ~lost for name in ("used", "below_lloq")}
        return replace(self, **kept, no_covariate=lost)


def lay_out(obs: pd.DataFrame, baseline: str | None) -> Layout:
    """Arrange the rows of a visits object by subject and visit after baseline.

    Raises
    ------
    ParameterError
        If no subject has the baseline visit.
    TableError
        If a subject has no arm or several, or a visit has no number or several.
    """
    for subject, arms in obs.groupby("USUBJID", sort=True)["ARM"]:
        found = sorted(set(arms))
        if len(found) > 1 or found[0] == "":
            raise TableError(
                f"subject {subject}: ARM is {', '.join(map(repr, found))}; the model needs one arm per subject"
            )
    for visit, numbers in obs.groupby("AVISIT", sort=True)["AVISITN"]:
        if numbers.isna().any() or numbers.nunique() > 1:
            raise TableError(f"visit {visit}: AVISITN is {sorted(set(numbers))}; the order of visits needs one number")
    number = obs.drop_duplicates("AVISIT").set_index("AVISIT")["AVISITN"].sort_values(kind="stable")
    if baseline is not None and baseline not in number.index:
        raise ParameterError(
            f"baseline = {baseline!r}: no subject has this visit{did_you_mean(baseline, list(number.index))}"
        )
    later = [] if baseline is None else [str(visit) for visit in number.index[number > number[baseline]]]
    arms = obs.drop_duplicates("USUBJID").set_index("USUBJID")["ARM"].sort_index()
    position = pd.Series(np.arange(len(obs)), index=pd.MultiIndex.from_frame(obs[["USUBJID", "AVISIT"]]))

    def at(visit: str | None) -> NDArray[np.intp]:
        wanted = pd.MultiIndex.from_product([arms.index, [visit]])
        return position.reindex(wanted, fill_value=-1).to_numpy(dtype=np.intp)

    rows = np.column_stack([at(visit) for visit in later]) if later else np.empty((len(arms), 0), dtype=np.intp)
    days = np.append(obs["ADY"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[rows]
    return Layout(tuple(map(str, arms.index)), arms.to_numpy(dtype=object), tuple(later), rows, at(baseline), days)


def choose_populations(visits: AnnData, populations: Sequence[str] | None) -> list[int]:
    """Columns whose key, path, or end of path is named; all where nothing is named.

    Raises
    ------
    ParameterError
        If a name is that of no population.
    """
    if populations is None:
        return list(range(visits.n_vars))
    paths, keys = visits.var["population"].tolist(), visits.var_names.tolist()
    chosen: set[int] = set()
    for name in populations:
        found = {j for j, (path, key) in enumerate(zip(paths, keys, strict=True)) if key == name or matches(path, name)}
        if not found:
            hint = did_you_mean(name, sorted({*visits.var["name"], *paths}))
            raise ParameterError(f"populations: no population is called {name!r}{hint}")
        chosen |= found
    return sorted(chosen)


def population_course(visits: AnnData, column: int, layout: Layout, *, percent: bool = False) -> Course:
    """Cells/µL of one column of the visits object by subject and visit, or the odds of its percentage of the parent.

    Odds of 0 and of infinity (0 and 100 %) have no logarithm and are left out alike.
    """
    if percent:
        share = np.asarray(visits.layers["percent_parent"], dtype=np.float64)[:, column] / 100.0
        # all of the parent: as little of a logarithm as none of it
        cells = np.append(np.where(share >= 1.0, 0.0, share / np.where(share >= 1.0, 1.0, 1.0 - share)), np.nan)
    else:
        cells = np.append(np.asarray(visits.X, dtype=np.float64)[:, column], np.nan)
    few = np.append(np.asarray(visits.layers["status"])[:, column] == BELOW_LLOQ, False)
    value, baseline = cells[layout.rows], cells[layout.baseline_rows]
    measured = ~np.isnan(value)
    both = measured & ~np.isnan(baseline)[:, None]
    used = both & (value > 0) & (baseline > 0)[:, None]
    return Course(
        value=value,
        baseline=baseline,
        used=used,
        left_out=both & ~used,
        no_baseline=measured & ~both,
        below_lloq=used & (few[layout.rows] | few[layout.baseline_rows][:, None]),
        no_covariate=np.zeros(used.shape, dtype=bool),
    )
