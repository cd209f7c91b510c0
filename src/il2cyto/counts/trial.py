"""The trial team's table: one row per subject × visit × population, nothing left out without a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from il2cyto.counts.blocks import require_columns
from il2cyto.counts.change import Measured, difference_to_baseline, ratio_to_baseline
from il2cyto.counts.reference import ReferenceRange, find_range, place_in_range, reference_ranges
from il2cyto.counts.roles import role_of
from il2cyto.counts.table import COUNT_COLUMNS
from il2cyto.counts.trialcolumns import trial_columns
from il2cyto.study.checks import Checks, default_checks

NOT_MEASURED: Final = "not_measured"
_LABELS: Final = ("strategy", "population", "name", "definition", "parent")
_DAYS: Final = ("ARM", "DIAGNOSIS", "SEX", "AGE", "AVISITN", "ADY", "DSLD", "CYCDAY")
_NO_CELLS: Final = ("time_qc", "beads")
_MEASURED: Final = ("cells_per_ul", "lower", "upper", "lower_within_lot", "upper_within_lot", "cv_lot")


def trial_table(
    counts: pd.DataFrame,
    days: pd.DataFrame,
    missing_visits: pd.DataFrame,
    visit_numbers: Mapping[str, float],
    baseline: str | None,
    study_id: str,
    missing_populations: pd.DataFrame | None = None,
    checks: Checks | None = None,
    ranges: Sequence[ReferenceRange] | None = None,
) -> pd.DataFrame:
    """Put counts, changes from baseline and everything that is missing into one table.

    Parameters
    ----------
    counts
        Rows of the counts table that stand for the visits, from `visit_rows`. Gates and quality are told where it has
        their columns.
    days
        One row per subject and visit that took place, from `derive.visit_table`. Where it has the column ``ABLFL``, the
        baseline of a subject is the visit of its row with ``Y``. The optional columns of `trial_columns` and others in
        capitals are taken over.
    missing_visits
        Columns ``subject, visit`` of the visits that were expected and did not take place.
    visit_numbers
        ``AVISITN`` by visit.
    baseline
        The baseline visit, ``None`` where the study declares none.
    study_id
        ``STUDYID``.
    missing_populations
        Columns ``subject, visit, tube, strategy, population, reason`` of what a visit that took place lacks. Without
        it a tube counts as missing where other subjects have one of its kind at this visit.
    checks
        Roles of populations, which say to which of them a reference range applies; by default those of the packaged
        strategies.
    ranges
        Reference ranges, by default those of the package. The age is that at the baseline, or else at the first visit.

    Returns
    -------
    pandas.DataFrame
        Columns as `trial_columns` explains them, with other columns of `days` after ``CYCDAY``; sorted by subject,
        visit number, kind of tube and place in the tree. Time QC and beads are no cells and have no rows. A population
        that was not measured has a row with the status ``not_measured`` and a reason. A baseline of 0 cells/µL has
        differences and no ratios.

    Raises
    ------
    TableError
        If a column is missing.
    """
    require_columns(counts, COUNT_COLUMNS, "counts")
    require_columns(days, ("USUBJID", "AVISIT", "collection_date", *_DAYS), "days")
    cells = counts[~counts["role"].isin(_NO_CELLS)]
    absent = pd.DataFrame(list(_absent(cells, missing_visits, missing_populations)), dtype=object)
    rows = pd.concat([cells, absent], ignore_index=True) if len(absent) else cells.reset_index(drop=True)
    further = [str(name) for name in days if str(name).isupper() and name not in {"USUBJID", "AVISIT", *_DAYS}]
    rows = _with_days(rows, days, visit_numbers, further)
    rows = rows.assign(STUDYID=study_id)
    rows = _sorted(rows, cells).reset_index(drop=True)
    at_baseline = _baselines(rows, days, baseline)
    rows = rows.assign(**_changes(rows, at_baseline))
    rows = rows.assign(**_references(rows, days, at_baseline, checks or default_checks(), ranges or reference_ranges()))
    held = {*further, *(str(name) for name in counts)}
    kinds = {column.name: column.kind for column in trial_columns() if not column.optional or column.name in held}
    names = list(kinds)
    place = names.index("CYCDAY") + 1
    ordered = [*names[:place], *(name for name in further if name not in kinds), *names[place:]]
    return pd.DataFrame({name: _typed(rows[name], kinds.get(name, "")) for name in ordered})


def _absent(
    cells: pd.DataFrame, missing_visits: pd.DataFrame, lacking: pd.DataFrame | None
) -> Iterator[dict[str, Any]]:
    """Rows of what was not measured: whole visits, then tubes of visits that took place."""
    trees = _trees(cells)
    own = {
        (subject, tube): strategy
        for subject, tube, strategy in cells[["subject", "tube", "strategy"]].itertuples(index=False, name=None)
    }
    usual = dict.fromkeys(cells[["visit", "tube"]].itertuples(index=False, name=None))
    common = _common(cells)
    types = list(dict.fromkeys(cells["tube"]))

    def rows(subject: str, visit: str, tube: str, reason: str) -> Iterator[dict[str, Any]]:
        strategy = own.get((subject, tube), common[tube])
        for labels in trees[strategy].values():
            yield _row(subject, visit, tube, labels, reason)

    for subject, visit in missing_visits[["subject", "visit"]].itertuples(index=False, name=None):
        for tube in [tube for tube in types if (visit, tube) in usual] or types:
            yield from rows(subject, visit, tube, "the visit did not take place, or has no tube in the samples sheet")
    present = set(cells[["subject", "visit", "tube"]].itertuples(index=False, name=None))
    if lacking is None:
        for subject, visit in dict.fromkeys((subject, visit) for subject, visit, _ in present):
            for tube in types:
                if (visit, tube) in usual and (subject, visit, tube) not in present:
                    yield from rows(subject, visit, tube, f"no tube of type {tube} was counted at this visit")
        return
    counted = set(cells[["subject", "visit", "strategy", "population"]].itertuples(index=False, name=None))
    columns = ["subject", "visit", "tube", "strategy", "population", "reason"]
    for subject, visit, tube, strategy, path, reason in lacking[columns].itertuples(index=False, name=None):
        # of several tubes of one kind one may stand for the visit though another failed
        if (subject, visit, strategy, path) in counted or (trees.get(strategy) and path not in trees[strategy]):
            continue
        counted.add((subject, visit, strategy, path))
        parent, _, name = path.rpartition("/")
        unknown = {"strategy": strategy, "population": path, "name": name, "definition": "", "parent": parent or "root"}
        yield _row(subject, visit, tube, trees.get(strategy, {}).get(path, unknown), reason)


def _row(subject: str, visit: str, tube: str, labels: Mapping[str, str], reason: str) -> dict[str, Any]:
    texts = dict.fromkeys(("tube_id", "route", "source_tube_id", "bead_lot", "flags"), "")
    return {
        "subject": subject, "visit": visit, "tube": tube, **labels, **texts, "status": NOT_MEASURED, "reason": reason
    }  # fmt: skip


def _trees(cells: pd.DataFrame) -> dict[str, dict[str, dict[str, str]]]:
    """Labels of the populations of each strategy by path, in the order of the tree."""
    trees: dict[str, dict[str, dict[str, str]]] = {}
    for values in cells[list(_LABELS)].drop_duplicates(["strategy", "population"]).itertuples(index=False, name=None):
        labels = {name: str(value) for name, value in zip(_LABELS, values, strict=True)}
        trees.setdefault(labels["strategy"], {})[labels["population"]] = labels
    return trees


def _common(cells: pd.DataFrame) -> dict[str, str]:
    """The strategy that most tubes of each type have; of equally many the first by name."""
    tubes = cells.drop_duplicates("tube_id")[["tube", "strategy"]].itertuples(index=False, name=None)
    found: dict[str, str] = {}
    for (tube, strategy), _ in sorted(Counter(tubes).items(), key=lambda item: (-item[1], item[0])):
        found.setdefault(tube, strategy)
    return found


def _with_days(
    rows: pd.DataFrame, days: pd.DataFrame, visit_numbers: Mapping[str, float], further: list[str]
) -> pd.DataFrame:
    names = [str(name) for name in days]
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for values in days.astype(object).itertuples(index=False, name=None):
        record = dict(zip(names, values, strict=True))
        known[record["USUBJID"], record["AVISIT"]] = record
    people = {subject: record for (subject, _), record in known.items()}
    nothing: dict[str, Any] = dict.fromkeys((*_DAYS, *further, "collection_date"))
    found = []
    for subject, visit in zip(rows["subject"], rows["visit"], strict=True):
        row = known.get((subject, visit))
        if row is None:
            person = people.get(subject, nothing)
            own = {name: person[name] for name in ("ARM", "DIAGNOSIS", "SEX")}
            row = {**nothing, **own, "AVISITN": visit_numbers.get(visit)}
        found.append([row[name] for name in (*_DAYS, *further, "collection_date")])
    table = pd.DataFrame(found, columns=[*_DAYS, *further, "ADT"], index=rows.index, dtype=object)
    kept = rows.drop(columns=["collection_date", *table.columns.intersection(rows.columns)], errors="ignore")
    return pd.concat([kept.rename(columns={"subject": "USUBJID", "visit": "AVISIT"}), table], axis="columns")


def _sorted(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    tubes = {tube: place for place, tube in enumerate(sorted(set(rows["tube"])))}
    order = {
        key: place
        for place, key in enumerate(dict.fromkeys(cells[["strategy", "population"]].itertuples(index=False, name=None)))
    }
    keys = pd.DataFrame(
        {
            "subject": rows["USUBJID"].astype(str),
            "visit": pd.to_numeric(rows["AVISITN"]),
            "id": rows["AVISIT"].astype(str),
            "tube": rows["tube"].map(tubes),
            "strategy": rows["strategy"].astype(str),
            "place": [order.get(key, len(order)) for key in zip(rows["strategy"], rows["population"], strict=True)],
            "population": rows["population"].astype(str),
        }
    )
    return rows.loc[keys.sort_values(list(keys.columns), kind="stable").index]


def _baselines(rows: pd.DataFrame, days: pd.DataFrame, baseline: str | None) -> dict[str, str | None]:
    """The baseline visit of each subject."""
    if "ABLFL" not in days:
        return dict.fromkeys(rows["USUBJID"], baseline)
    flagged = days[days["ABLFL"].astype(object).eq("Y").fillna(False).astype(bool)]
    return {**dict.fromkeys(rows["USUBJID"]), **dict(zip(flagged["USUBJID"], flagged["AVISIT"], strict=True))}


def _references(
    rows: pd.DataFrame,
    days: pd.DataFrame,
    baselines: Mapping[str, str | None],
    checks: Checks,
    ranges: Sequence[ReferenceRange],
) -> dict[str, Any]:
    people: dict[str, tuple[float, str | None]] = {}
    ordered = days.sort_values("AVISITN", kind="stable", ascending=False)
    columns = ["USUBJID", "AVISIT", "AGE", "SEX"]
    # the baseline, or else the first visit, is the last that is put in
    for wanted in (False, True):
        for subject, visit, age, sex in ordered[columns].astype(object).itertuples(index=False, name=None):
            if (baselines.get(subject) == visit) is wanted and not pd.isna(age):
                people[subject] = (float(age), None if pd.isna(sex) else str(sex))
    found: list[tuple[float, float, str, str]] = []
    labels = ["USUBJID", "population", "definition", "cells_per_ul"]
    for subject, path, definition, value in rows[labels].itertuples(index=False, name=None):
        role = role_of(path, definition, checks)
        age, sex = people.get(subject, (np.nan, None))
        one = find_range(ranges, role, age, sex) if role else None
        if one is None:
            found.append((np.nan, np.nan, "", ""))
        else:
            found.append((one.lo, one.hi, place_in_range(float(value), one), one.label))
    names = ("reference_low", "reference_high", "reference_place", "reference_source")
    return {name: [row[place] for row in found] for place, name in enumerate(names)}


def _changes(rows: pd.DataFrame, visits: Mapping[str, str | None]) -> dict[str, Any]:
    own = [visits[subject] for subject in rows["USUBJID"]]
    key = list(zip(rows["USUBJID"], rows["AVISIT"], rows["strategy"], rows["population"], strict=True))
    places = {key: place for place, key in enumerate(key)}
    at = np.array([places.get((k[0], visit, *k[2:]), -1) for k, visit in zip(key, own, strict=True)], dtype=np.int64)
    now = Measured(*(_floats(rows[name]) for name in _MEASURED))
    base = Measured(*(np.where(at >= 0, values[at], np.nan) for values in now))
    lots = rows["bead_lot"].fillna("").to_numpy(dtype=object)
    same_lot = np.array([i >= 0 and lots[i] == lot != "" for i, lot in zip(at, lots, strict=True)], dtype=np.bool_)
    itself = at == np.arange(len(rows))
    ratio, difference = (
        [np.where(itself, np.nan, part) for part in change(now, base, same_lot)]
        for change in (ratio_to_baseline, difference_to_baseline)
    )
    percent = _floats(rows["percent_parent"])
    base_percent = np.where(at >= 0, percent[at], np.nan)
    reasons = rows["reason"].fillna("").tolist()
    why = [
        _why_no_change(visit, row, i, now.value, reasons) for row, (visit, i) in enumerate(zip(own, at, strict=True))
    ]
    return {
        "baseline_visit": pd.Series(own, index=rows.index, dtype=object).fillna(""),
        "baseline_cells_per_ul": base.value,
        **dict(zip(("ratio", "ratio_lower", "ratio_upper"), ratio, strict=True)),
        **dict(zip(("difference", "difference_lower", "difference_upper"), difference, strict=True)),
        "change_reason": why,
        "baseline_percent_parent": base_percent,
        "percent_parent_change": np.where(itself, np.nan, percent - base_percent),
    }


def _why_no_change(visit: str | None, row: int, at: int, values: Any, reasons: list[str]) -> str:
    if visit is None:
        return "no baseline visit"
    if at == row:
        return "this is the baseline"
    if np.isnan(values[row]):
        return f"no cells/µL at this visit: {reasons[row]}"
    if at < 0:
        return f"not measured at {visit}, the baseline"
    if np.isnan(values[at]):
        return f"no cells/µL at {visit}, the baseline: {reasons[at]}"
    return f"0 cells/µL at {visit}, the baseline: there is a difference and no ratio" if values[at] == 0 else ""


def _floats(column: pd.Series) -> Any:
    return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)


def _typed(column: pd.Series, kind: str) -> pd.Series:
    if kind == "whole":
        return pd.to_numeric(column).astype("Int64")
    if kind == "number":
        return pd.Series(_floats(column), index=column.index)
    if kind in ("text", "date"):
        return pd.Series(["" if pd.isna(value) else str(value) for value in column], index=column.index, dtype=object)
    return column
