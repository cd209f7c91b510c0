"""Subject × visit: the counts of the trial as one AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.counts.blocks import require_columns
from il2cyto.errors import TableError
from il2cyto.keys import ESTIMATED
from il2cyto.visits.check import (
    BELOW_LLOQ,
    COUNTED,
    GATE_CODES,
    NO_GATE,
    NOT_COUNTED,
    NOT_MEASURED,
    NUMBERS,
    QUALITY_CODES,
    STATUS_CODES,
    TEXTS,
    TUBE_FAILED,
    UNIT,
    check_visits,
)

if TYPE_CHECKING:
    from anndata import AnnData

_COUNTS: Final = ("subject", "visit", "tube_id", "strategy", "population", "name", "parent", "definition", "role")
_LABELS: Final = ("strategy", "population", "name", "parent", "definition", "role")
_MEASURES: Final = ("cells_per_ul", "count", "parent_count", "percent_parent", "cv", "lower", "upper")


def build_visits(
    counts: pd.DataFrame,
    visit_table: pd.DataFrame,
    missing_visits: pd.DataFrame,
    provenance: Mapping[str, Any] | None = None,
    failed: pd.DataFrame | None = None,
) -> AnnData:
    """Put the counts of every visit into one row.

    Parameters
    ----------
    counts
        Rows of the counts table that stand for the visits, from `il2cyto.counts.visit_rows`.
    visit_table
        One row per subject and visit that took place: ``USUBJID, AVISIT, AVISITN, ADY, ARM, DIAGNOSIS, AGE, SEX, DSLD``
        (days since the last dose), ``CYCDAY, collection_date``; cells may be empty. Further columns are kept.
    missing_visits
        Columns ``subject, visit`` of the visits that were expected and did not take place: listed, never filled.
    provenance
        Hashes and versions; nested mappings of text, numbers and lists. The file format takes no ``/`` in a key and no
        ``None``: a ``/`` opens a nested mapping, and a key whose value is ``None`` is left out.
    failed
        Columns ``subject, visit, strategy, population`` of what a visit lacks because its tube could not be gated. A
        population that no tube at all has counted has no column.

    Returns
    -------
    anndata.AnnData
        ``obs``: ``subject|visit``, sorted by subject, visit number and visit. ``var``: ``strategy/population path``,
        sorted, a parent before its children. ``X``: cells/µL, NaN where there are none. Layers ``count, parent_count,
        percent_parent, cv, lower, upper`` (float64) and ``status`` (int8: 0 estimated, 1 not estimable, 2 not measured,
        3 below LLOQ, 4 tube failed). ``status`` is about the count: where it is 0 or 3 and X is NaN, the count has no
        route to cells/µL. A visit without any counted tube is a row of status 2. Where `counts` has their columns also
        ``cv_gate`` (float64), ``gate_status`` and ``quality`` (int8, codes in ``uns["il2cyto"]``, −1 where there is no
        row in `counts`).

    Raises
    ------
    TableError
        If a column is missing, a visit occurs twice or in one table alone, a population of a visit occurs twice, or
        a population has two definitions.
    """
    from anndata import AnnData

    require_columns(counts, (*_COUNTS, *_MEASURES, "below_lloq", "status"), "counts")
    obs = _obs(visit_table)
    var = _var(counts)
    require_columns(missing_visits, ("subject", "visit"), "missing_visits")
    absent = missing_visits["subject"].astype(str) + "|" + missing_visits["visit"].astype(str)
    rows = obs.index.get_indexer(pd.Index(counts["subject"].astype(str) + "|" + counts["visit"].astype(str)))
    if (rows < 0).any():
        lost = counts[rows < 0].iloc[0]
        raise TableError(f"tube {lost['tube_id']}: visit_table lacks {lost['visit']} of {lost['subject']}")
    columns = var.index.get_indexer(pd.Index(counts["strategy"] + "/" + counts["population"]))
    _check_cells(counts, rows, columns)

    shape = (len(obs), len(var))
    layers = {measure: np.full(shape, np.nan) for measure in _MEASURES}
    for measure, layer in layers.items():
        layer[rows, columns] = counts[measure].to_numpy(dtype=np.float64, na_value=np.nan)
    status = np.full(shape, NOT_MEASURED, dtype=np.int8)
    below = counts["below_lloq"].astype("boolean").fillna(False).to_numpy(dtype=np.bool_)
    counted = counts["status"].eq(ESTIMATED).to_numpy()
    status[rows, columns] = np.where(counted, np.where(below, BELOW_LLOQ, COUNTED), NOT_COUNTED)
    if failed is not None:
        require_columns(failed, ("subject", "visit", "strategy", "population"), "failed")
        lost = _positions(failed, obs, var)
        lost = lost[status[lost[:, 0], lost[:, 1]] == NOT_MEASURED]
        status[lost[:, 0], lost[:, 1]] = TUBE_FAILED
    further, codes = _further(counts, rows, columns, shape)
    notes: dict[str, Any] = _nested(provenance or {})
    notes["missing_visits"] = np.array(sorted(absent), dtype=object)
    notes["status_codes"] = {str(code): meaning for code, meaning in STATUS_CODES.items()}
    notes |= codes
    cells = layers.pop("cells_per_ul")
    every = {**layers, "status": status, **further}
    visits = AnnData(X=cells, obs=obs, var=var, layers=every, uns={"il2cyto": notes})
    check_visits(visits)
    return visits


def _further(
    counts: pd.DataFrame, rows: Any, columns: Any, shape: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Layers of gates and quality, and what their codes mean, where the counts tell of them."""
    layers: dict[str, Any] = {}
    legends: dict[str, dict[str, str]] = {}
    if "cv_gate" in counts:
        layers["cv_gate"] = np.full(shape, np.nan)
        layers["cv_gate"][rows, columns] = counts["cv_gate"].to_numpy(dtype=np.float64, na_value=np.nan)
    for name, meanings in (("gate_status", GATE_CODES), ("quality", QUALITY_CODES)):
        if name not in counts:
            continue
        codes = {meaning: code for code, meaning in meanings.items()}
        unknown = set(counts[name]) - set(codes)
        if unknown:
            raise TableError(f"counts: {name} = {sorted(map(str, unknown))[0]!r} is none of {', '.join(codes)}")
        layers[name] = np.full(shape, NO_GATE, dtype=np.int8)
        layers[name][rows, columns] = counts[name].map(codes).to_numpy(dtype=np.int8)
        legends[f"{name}_codes"] = {str(code): meaning for code, meaning in meanings.items()}
    return layers, legends


def _positions(table: pd.DataFrame, obs: pd.DataFrame, var: pd.DataFrame) -> Any:
    """Row and column of each row of a table, int ``(n, 2)``, of those that have both."""
    rows = obs.index.get_indexer(pd.Index(table["subject"].astype(str) + "|" + table["visit"].astype(str)))
    columns = var.index.get_indexer(pd.Index(table["strategy"].astype(str) + "/" + table["population"].astype(str)))
    found = np.stack([rows, columns], axis=1)
    return found[(found >= 0).all(axis=1)]


def _obs(visit_table: pd.DataFrame) -> pd.DataFrame:
    require_columns(visit_table, (*TEXTS, *NUMBERS), "visit_table")
    table = visit_table.reset_index(drop=True)
    further = [str(column) for column in table if column not in (*TEXTS, *NUMBERS)]
    numbers = [*NUMBERS, *(column for column in further if pd.api.types.is_numeric_dtype(table[column]))]
    ordered = [*TEXTS[:2], *NUMBERS[:2], *TEXTS[2:], *NUMBERS[2:], *further]
    obs = pd.DataFrame({column: _column(table[column], column in numbers) for column in ordered})
    for column in ("USUBJID", "AVISIT"):
        wrong = obs[column].eq("") | obs[column].str.contains("|", regex=False)
        if wrong.any():
            raise TableError(f"visit_table: {column} {obs[column][wrong].iloc[0]!r} is empty or contains '|'")
    obs = obs.sort_values(["USUBJID", "AVISITN", "AVISIT"], kind="stable")
    keys = obs["USUBJID"] + "|" + obs["AVISIT"]
    if keys.duplicated().any():
        raise TableError(f"visit_table holds {keys[keys.duplicated()].iloc[0]} more than once")
    return obs.set_axis(pd.Index(keys.to_numpy(), dtype=object), axis="index")


def _column(values: pd.Series, number: bool) -> pd.Series:
    if number:
        return pd.Series(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
    return pd.Series(["" if pd.isna(value) else str(value) for value in values], dtype=object)


def _var(counts: pd.DataFrame) -> pd.DataFrame:
    labels = counts[list(_LABELS)].astype(object)
    labels = labels.where(labels.notna(), "").drop_duplicates()
    keys = labels["strategy"] + "/" + labels["population"]
    if keys.duplicated().any():
        key = keys[keys.duplicated()].iloc[0]
        differing = labels[keys == key]
        column = next(name for name in _LABELS if differing[name].nunique() > 1)
        values = " and ".join(repr(value) for value in differing[column].unique())
        raise TableError(f"population {key} has the {column} {values}; give a changed strategy a new name")
    order = sorted(keys.index, key=lambda row: (labels["strategy"][row], labels["population"][row].split("/")))
    labels, keys = labels.loc[order], keys.loc[order]
    labels["unit"] = pd.Series([UNIT] * len(labels), index=labels.index, dtype=object)
    return labels.set_axis(pd.Index(keys.to_numpy(), dtype=object), axis="index")


def _check_cells(counts: pd.DataFrame, rows: Any, columns: Any) -> None:
    cells = pd.DataFrame({"row": rows, "column": columns})
    twice = cells.duplicated(keep=False).to_numpy()
    if twice.any():
        first = counts[twice].iloc[0]
        same = (counts["subject"] == first["subject"]) & (counts["visit"] == first["visit"])
        tubes = sorted(set(counts[twice & same.to_numpy()]["tube_id"]))
        raise TableError(
            f"{first['strategy']}/{first['population']} of {first['subject']} at {first['visit']} is counted twice "
            f"(tubes {', '.join(tubes)}); take the rows from visit_rows, and give tube types different strategies"
        )


def _nested(content: Mapping[str, Any]) -> dict[str, Any]:
    """Nested copy of a mapping in which no key holds a ``/`` and no value is None."""
    nested: dict[str, Any] = {}
    for key, value in content.items():
        if value is None:
            continue
        *folders, name = str(key).split("/")
        inside = nested
        for folder in folders:
            inside = inside.setdefault(folder, {})
            if not isinstance(inside, dict):
                raise TableError(f"provenance: {folder!r} of {key!r} is a value and a folder at once; rename one")
        if name in inside:
            raise TableError(f"provenance: {key!r} is given twice, or is a value and a folder at once; rename one")
        inside[name] = _nested(value) if isinstance(value, Mapping) else value
    return nested
