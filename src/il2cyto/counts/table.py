"""The counts table: one row per population of every tube, or of every group of replicate tubes that are summed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from il2cyto.counts.blocks import LABEL_COLUMNS, TUBE_COLUMNS, Block, collection_order, make_blocks
from il2cyto.counts.intervals import Floats
from il2cyto.counts.perul import PerUl, per_ul
from il2cyto.counts.tree import nearest_ancestor
from il2cyto.errors import TableError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.study.model import CountSpec, ErrorModel, Limits

#: Columns of the counts table, in order.
COUNT_COLUMNS: Final = (
    *TUBE_COLUMNS,
    "tube_id",
    "n_tubes",
    "strategy",
    *LABEL_COLUMNS,
    "count",
    "parent_count",
    "percent_parent",
    "n_undefined",
    "route",
    "cells_per_ul",
    "lower",
    "upper",
    "cv",
    "below_lloq",
    "status",
    "reason",
    "flags",
    "percent_of",
    "percent_ancestor",
    "source_tube_id",
    "bead_lot",
    "cv_lot",
    "lower_within_lot",
    "upper_within_lot",
)


def count_table(
    tubes: pd.DataFrame,
    populations: pd.DataFrame,
    specs: Mapping[str, CountSpec],
    errors: ErrorModel,
    limits: Limits,
    percent_of: Sequence[str] = (),
) -> pd.DataFrame:
    """Count every population of every tube: events, percentages, cells/µL with limits, and why something is missing.

    Parameters
    ----------
    tubes
        One row per tube that was gated: ``study, subject, arm, diagnosis, visit, visit_number, collection_date, ady,
        days_since_dose, tube, tube_id, strategy, route, beads_per_test, blood_volume_ul, dilution, volume_ul,
        alc_per_ul, repeat, retained_time_fraction``, and if known ``bead_lot, beads_expired, alc_from_wbc`` (whether
        ``alc_per_ul`` is leucocytes × percentage, which has its own error) and ``gated_time_fraction``, the share of
        the acquisition time that was gated, without what time gates cut away (1 by default). Tubes of one subject,
        visit and tube type whose ``repeat`` is ``sum`` make one group of rows; with ``apart:first`` or ``apart:latest``
        each has its own.
    populations
        ``tube_id`` and the columns of `GatingResult.counts`; a row for the root is passed over.
    specs
        By tube type, the populations that carry its route.
    errors, limits
        Coefficients of variation, and events below which a count is flagged.
    percent_of
        Names or paths of ancestors for ``percent_ancestor``. Of these names the first that any ancestor of a population
        matches is taken, and of several ancestors of that name the nearest; ``percent_of`` holds its path.

    Returns
    -------
    pandas.DataFrame
        Columns `COUNT_COLUMNS`; without tubes, no rows. Ordered by subject, visit number, tube type and collection
        date, tubes of unknown date last, as they stand in `tubes`. ``status`` and, where it is ``not_estimable``,
        ``reason`` are about the count. A count without cells/µL is ``estimated``, and ``reason`` says why it has none.
        ``cv`` is a fraction, ``below_lloq`` is empty for beads and for missing counts. ``flags``, joined by ``;``:
        ``below_lloq``, ``below_lod``; ``few_beads``, ``expired_beads``, ``alc_from_wbc`` in any tube of the row;
        ``route_changed`` where a subject's values of this population came about by different routes;
        ``source_few_beads``, ``source_below_lloq`` and so on for the tube that a chain starts from, ``source_tube_id``;
        ``source_of_other_day`` where its blood is not of the same day. ``bead_lot`` is the
        lot of beads behind the values, empty where there is not one known lot, ``cv_lot`` the part of ``cv`` that
        it brings, and ``lower_within_lot``, ``upper_within_lot`` are limits without it, for comparisons within a lot.

    Raises
    ------
    TableError
        If a column is missing, ids do not fit, tubes repeat without a rule, a name is ambiguous, or chains run in a
        circle.
    """
    if tubes.empty and populations.empty:
        return _empty()
    blocks: dict[tuple[str, str, str], list[Block]] = defaultdict(list)
    for block in make_blocks(tubes, populations):
        blocks[block.key].append(block)
    results = _Results(blocks, specs, errors, limits)
    rows = [result for key in blocks for result in results.of(key)]
    histories: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for result in rows:
        for place, reason in zip(_places(result), result.reasons, strict=True):
            if not reason:
                histories[place].add(result.history)
    # columns are joined before they become a table: a table of its own for each tube takes many times as long
    parts = [
        _rows(result, limits, percent_of, [len(histories[place]) > 1 for place in _places(result)]) for result in rows
    ]
    columns: dict[str, Any] = {}
    for name in COUNT_COLUMNS:
        joined = [value for part in parts for value in part[name]]
        dtype = _DTYPES.get(name) or (tubes[name].dtype if name in (*TUBE_COLUMNS, "strategy") else None)
        columns[name] = pd.Series(joined, dtype=dtype)
    return pd.DataFrame(columns)


_DTYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("n_tubes", "count", "parent_count", "n_undefined"), "Int64"),
    **dict.fromkeys(("percent_parent", "cells_per_ul", "lower", "upper", "cv", "percent_ancestor"), "float64"),
    **dict.fromkeys(("cv_lot", "lower_within_lot", "upper_within_lot"), "float64"),
    "below_lloq": "boolean",
    "status": object,
}


def _places(result: PerUl) -> list[tuple[str, str, str]]:
    """Subject, strategy and path of each population: what must not change its route from visit to visit."""
    block = result.block
    subject, strategy = block.text("subject"), block.text("strategy")
    return [(subject, strategy, path) for path in block.paths]


def _empty() -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=_DTYPES.get(column, object)) for column in COUNT_COLUMNS})


def visit_block(blocks: Sequence[Block]) -> int:
    """Position of the block that stands for the visit: the only one, the first collected, or the latest."""
    if len(blocks) == 1:
        return 0
    tubes = pd.concat([block.tubes for block in blocks], ignore_index=True)
    ordered = collection_order(tubes).index
    return int(ordered[0] if tubes["repeat"].iloc[0] == "apart:first" else ordered[-1])


class _Results:
    """Cells/µL of the blocks, each computed once; a chained one asks for its source first."""

    def __init__(
        self,
        blocks: Mapping[tuple[str, str, str], list[Block]],
        specs: Mapping[str, CountSpec],
        errors: ErrorModel,
        limits: Limits,
    ) -> None:
        self._blocks, self._specs, self._errors, self._limits = blocks, specs, errors, limits
        self._done: dict[tuple[str, str, str], list[PerUl]] = {}
        self._open: list[tuple[str, str, str]] = []

    def of(self, key: tuple[str, str, str]) -> list[PerUl]:
        """Return the results of one subject, visit and tube type, one for each of its blocks."""
        if key in self._open:
            circle = " from ".join(tube for _, _, tube in [*self._open, key])
            raise TableError(f"the counts of {key[0]} at {key[1]} are chained in a circle: {circle}")
        if key not in self._done:
            tube = key[2]
            if tube not in self._specs:
                raise TableError(f"tube type {tube!r} has no count rule{did_you_mean(tube, list(self._specs))}")
            self._open.append(key)
            self._done[key] = [
                per_ul(block, self._specs[tube], self._errors, self._limits, self) for block in self._blocks[key]
            ]
            self._open.pop()
        return self._done[key]

    def result(self, subject: str, visit: str, tube: str) -> PerUl | None:
        """Result of the tube that stands for the visit, or ``None``."""
        key = (subject, visit, tube)
        return self.of(key)[visit_block(self._blocks[key])] if key in self._blocks else None

    def block(self, subject: str, visit: str, tube: str) -> Block | None:
        """Counts of the tube that stands for the visit, or ``None``."""
        blocks = self._blocks.get((subject, visit, tube))
        return blocks[visit_block(blocks)] if blocks else None


def _rows(result: PerUl, limits: Limits, percent_of: Sequence[str], changed: Sequence[bool]) -> dict[str, Any]:
    """Columns of the rows of one result, each as long as there are populations."""
    block = result.block
    count, parent = block.counts.sum(axis=1), block.parent_counts.sum(axis=1)
    counted = ~np.isnan(count)
    n = len(count)
    cells = block.labels["role"].ne("beads").to_numpy() & counted
    above = [nearest_ancestor(path, percent_of) for path in block.paths]
    by_path = {path: float(events) for path, events in zip(block.paths, count, strict=True)}
    flags = [
        [
            *(["below_lloq"] if is_cells and events < limits.lloq_events else []),
            *(["below_lod"] if is_cells and events < limits.lod_events else []),
            *result.flags,
            *(["route_changed"] if other_route else []),
        ]
        for is_cells, events, other_route in zip(cells, count, changed, strict=True)
    ]
    return {
        **{name: [block.tubes[name].iloc[0]] * n for name in (*TUBE_COLUMNS, "strategy")},
        "tube_id": [block.tube_id] * n,
        "n_tubes": [len(block.tubes)] * n,
        **{column: block.labels[column].tolist() for column in LABEL_COLUMNS},
        "count": _whole(count),
        "parent_count": _whole(parent),
        "percent_parent": _percent(count, parent),
        "n_undefined": _whole(block.undefined.sum(axis=1)),
        "route": [result.route] * n,
        "cells_per_ul": result.estimates.value,
        "lower": result.estimates.lower,
        "upper": result.estimates.upper,
        "cv": result.estimates.cv,
        "below_lloq": [
            bool(events < limits.lloq_events) if is_cells else None
            for events, is_cells in zip(count, cells, strict=True)
        ],
        "status": [ESTIMATED if known else NOT_ESTIMABLE for known in counted],
        "reason": result.reasons,
        "flags": [";".join(row) for row in flags],
        "percent_of": above,
        "percent_ancestor": _percent(count, np.array([by_path.get(path, np.nan) for path in above])),
        "source_tube_id": [result.source.block.tube_id if result.source is not None else ""] * n,
        "bead_lot": [result.lot] * n,
        "cv_lot": np.where(np.isnan(result.estimates.value), np.nan, result.cv_lot),
        "lower_within_lot": result.within_lot.lower,
        "upper_within_lot": result.within_lot.upper,
    }


def _percent(count: Floats, parent: Floats) -> Floats:
    return np.where(parent > 0, 100.0 * count / np.where(parent > 0, parent, 1.0), np.nan)


def _whole(values: Floats) -> list[int | None]:
    return [None if np.isnan(value) else int(value) for value in values]
