"""Checks of the counts: one row per tube (or draw, or lot) and check, and flags on the rows that they are about.

Nothing is corrected. A check that cannot be made says why, and is neither passed nor failed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from il2cyto.counts.blocks import require_columns
from il2cyto.counts.drawchecks import (
    Found,
    bead_shares,
    by_draw,
    cd3_between_tubes,
    population_order,
    replicate_cv,
)
from il2cyto.counts.roles import NotEvaluableError
from il2cyto.counts.table import count_table
from il2cyto.counts.tubechecks import TUBE_CHECKS, TubeView
from il2cyto.study.checks import Band, Checks
from il2cyto.study.model import CountSpec, ErrorModel, Limits

#: Columns of ``checks.csv``, in order.
CHECK_COLUMNS: Final = (
    "subject",
    "visit",
    "tube",
    "tube_id",
    "check",
    "population",
    "value",
    "unit",
    "limit",
    "verdict",
    "reason",
)
PASS, WARN, FAIL, NOT_EVALUABLE = "pass", "warn", "fail", "not_evaluable"

_EVENTS = ("count", "parent_count")
#: Columns of the counts table that checks look at.
_SEEN = (
    "subject", "visit", "collection_date", "tube", "tube_id", "population", "name", "definition", "role", *_EVENTS,
    "cells_per_ul", "reason", "route", "bead_lot",
)  # fmt: skip

#: Slices of the acquisition by tube id: ``events`` and ``beads`` among them.
Slices = Mapping[str, Mapping[str, Sequence[int]] | None]


def check_counts(
    counts: pd.DataFrame,
    tubes: pd.DataFrame,
    populations: pd.DataFrame,
    specs: Mapping[str, CountSpec],
    errors: ErrorModel,
    limits: Limits,
    checks: Checks,
    slices: Slices | None = None,
) -> pd.DataFrame:
    """Check every tube, draw and bead lot.

    Parameters
    ----------
    counts
        From `count_table`.
    tubes, populations, specs, errors, limits
        What `counts` was made of; of `tubes` also ``sample_age_h`` if known.
    checks
        Limits, and roles of populations.
    slices
        Beads along the acquisition by tube id, for ``bead_drift``.

    Returns
    -------
    pandas.DataFrame
        Columns `CHECK_COLUMNS`, ordered as `counts`. ``verdict`` is ``pass``, ``warn``, ``fail`` or ``not_evaluable``;
        ``reason`` is filled where it is the last. A check between tubes names all of them in ``tube`` and ``tube_id``,
        with a blank between; of a check that compares a lot, ``subject`` and ``visit`` are empty.
    """
    require_columns(counts, ("subject", "visit", "tube", "tube_id", "population", "count", "cells_per_ul"), "counts")
    if counts.empty:
        return _typed(pd.DataFrame(columns=list(CHECK_COLUMNS)))
    views = list(_views(counts, tubes, specs, checks, slices or {}))
    found = [*_of_tubes(views, checks)]
    for draw in by_draw(views).values():
        found += [cd3_between_tubes(draw), *population_order(draw, checks)]
    found += bead_shares(views)
    if tubes.get("repeat", pd.Series(dtype=object)).fillna("").ne("").any():
        # replicates that are summed have cells/µL of their own when they are kept apart
        apart = tubes.assign(repeat=tubes["repeat"].replace("sum", "apart:first"))
        each = count_table(apart, populations, specs, errors, limits)
        found += replicate_cv(list(_views(each, apart, specs, checks, {})), checks)
    order = {check: place for place, check in enumerate(checks.rules)}
    rows = [_row(one, checks, limits) for one in found if one.check in order]
    place = {view.key: number for number, view in enumerate(views)}
    first = [place.get(one.tubes[0].key, len(place)) for one in found if one.check in order]
    ranked = sorted(range(len(rows)), key=lambda row: (first[row], order[rows[row]["check"]]))
    return _typed(pd.DataFrame([rows[row] for row in ranked], columns=list(CHECK_COLUMNS)))


def add_check_flags(counts: pd.DataFrame, checked: pd.DataFrame) -> pd.DataFrame:
    """Return `counts` with a flag for every warning and failure, ``CHECK_warn`` or ``CHECK_fail``.

    Every row of a tube bears the flags of its tube, a row that starts from another tube those of that tube after
    ``source_``. Checks of a whole lot flag nothing: no single tube is at fault.
    """
    flags: dict[str, list[str]] = defaultdict(list)
    # replicates that were summed are checked one by one and flagged as the sum
    summed = counts[counts["n_tubes"] > 1]["tube_id"].unique()
    members = {part: str(tube_id) for tube_id in summed for part in str(tube_id).split("+")}
    for row in checked[checked["verdict"].isin((WARN, FAIL)) & checked["subject"].ne("")].to_dict("records"):
        flag = f"{row['check']}_{row['verdict']}"
        for tube_id in str(row["tube_id"]).split(" "):
            flags[members.get(tube_id, tube_id)].append(flag)
    return add_tube_flags(counts, flags)


def add_tube_flags(counts: pd.DataFrame, flags: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return `counts` with flags of tubes on all their rows, and after ``source_`` on rows that start from these tubes.

    Parameters
    ----------
    counts
        As `count_table` returns it.
    flags
        Flags by ``tube_id`` of `counts`; tubes without any may be left out.
    """
    sources = dict(zip(counts["tube_id"], counts["source_tube_id"], strict=True))
    every = {}
    for tube_id in sources:
        own = flags.get(tube_id, ())
        # a draw that is flagged as a whole is not flagged once more for the tube that the chain starts from
        source = [flag for flag in _inherited(tube_id, sources, flags) if flag.removeprefix("source_") not in own]
        every[tube_id] = [*own, *source]
    joined = [
        ";".join(dict.fromkeys([*filter(None, str(old).split(";")), *every[tube_id]]))
        for old, tube_id in zip(counts["flags"], counts["tube_id"], strict=True)
    ]
    return counts.assign(flags=pd.Series(joined, index=counts.index, dtype=object))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: "float64" if name == "value" else object for name in CHECK_COLUMNS})


def _inherited(tube_id: str, sources: Mapping[str, str], flags: Mapping[str, Sequence[str]]) -> list[str]:
    found: list[str] = []
    source = sources.get(tube_id, "")
    while source:
        found += [f"source_{flag}" for flag in flags.get(source, [])]
        source = sources.get(source, "")
    return found


def _views(
    counts: pd.DataFrame, tubes: pd.DataFrame, specs: Mapping[str, CountSpec], checks: Checks, slices: Slices
) -> Iterator[TubeView]:
    tubes = tubes if "sample_age_h" in tubes else tubes.assign(sample_age_h=np.nan)
    names = [str(name) for name in tubes]
    facts: dict[str, dict[str, Any]] = {
        str(values[names.index("tube_id")]): dict(zip(names, values, strict=True))
        for values in tubes.astype(object).itertuples(index=False, name=None)
    }
    # one pass over columns: a table of its own for each tube takes ten times as long
    whole = {name: counts[name].astype("Float64").to_numpy(np.float64, na_value=np.nan) for name in _EVENTS}
    columns = {name: whole[name].tolist() if name in whole else counts[name].tolist() for name in _SEEN}
    grouped: dict[str, list[dict[str, Any]]] = {}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        grouped.setdefault(row["tube_id"], []).append(row)
    for tube_id, rows in grouped.items():
        first = str(tube_id)
        if first not in facts:  # a sum bears the ids of its replicates; the facts are those of the first
            first = next(key for key in facts if first.startswith(f"{key}+"))
        yield TubeView(rows, facts[first], specs[rows[0]["tube"]], checks, slices.get(first))


def _of_tubes(views: Sequence[TubeView], checks: Checks) -> Iterator[Found]:
    for view in views:
        for check, (routes, compute) in TUBE_CHECKS.items():
            if check not in checks.rules or (routes and view.route not in routes):
                continue
            try:
                yield Found(check, (view,), compute(view))
            except NotEvaluableError as why:
                yield Found(check, (view,), np.nan, str(why))


def _row(found: Found, checks: Checks, limits: Limits) -> dict[str, Any]:
    rule = checks.rules[found.check]
    subject, visit, tube, _ = found.tubes[0].key
    of_lot = found.check == "bead_share_cv"
    band = rule.for_tube(tube) if len({one.key[2] for one in found.tubes}) == 1 else rule.band
    if found.check == "bead_events" and band.empty:
        band = Band(warn_below=limits.min_beads)
    reason = found.reason or ("no limit is set" if band.empty else "")
    return {
        "subject": "" if of_lot else subject,
        "visit": "" if of_lot else visit,
        "tube": " ".join(dict.fromkeys(one.key[2] for one in found.tubes)),
        "tube_id": " ".join(one.key[3] for one in found.tubes),
        "check": found.check,
        "population": found.population,
        "value": found.value,
        "unit": rule.unit,
        "limit": band.text(),
        "verdict": NOT_EVALUABLE if reason else band.verdict(found.value),
        "reason": reason,
    }
