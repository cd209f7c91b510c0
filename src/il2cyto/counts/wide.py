"""Other shapes of the counts table: one row per tube, and the rows that stand for a visit."""

from __future__ import annotations

import pandas as pd

from il2cyto.counts.blocks import TUBE_COLUMNS, collection_order, require_columns
from il2cyto.errors import TableError

_MEASURES = ("count", "percent_parent", "cells_per_ul")


def wide_table(counts: pd.DataFrame) -> pd.DataFrame:
    """One row per tube, or group of summed tubes, of the counts table.

    Parameters
    ----------
    counts
        As `count_table` returns it.

    Returns
    -------
    pandas.DataFrame
        The columns that describe the tube, then for every population path ``path|count``, ``path|percent_parent`` and
        ``path|cells_per_ul``, missing where a tube's strategy has no such population.

    Raises
    ------
    TableError
        If a column is missing.
    """
    described = [*TUBE_COLUMNS, "tube_id", "n_tubes", "strategy", "route"]
    require_columns(counts, [*described, "population", *_MEASURES], "counts")
    tubes = counts.drop_duplicates("tube_id")[described].set_index("tube_id", drop=False)
    paths = counts["population"].drop_duplicates().tolist()
    parts = {}
    for measure in _MEASURES:
        pivoted = counts.pivot(index="tube_id", columns="population", values=measure)
        parts.update({f"{path}|{measure}": pivoted[path] for path in paths})
    measured = pd.DataFrame(parts, index=tubes.index)[[f"{path}|{measure}" for path in paths for measure in _MEASURES]]
    return pd.concat([tubes, measured], axis="columns").reset_index(drop=True)


def visit_rows(counts: pd.DataFrame, tubes: pd.DataFrame) -> pd.DataFrame:
    """Rows that stand for the visit where tubes of one type were kept apart.

    Summed tubes are one set of rows already. Of tubes kept apart the rule in ``repeat`` takes the first or the latest
    by collection date; tubes of one day are ordered by their id, those of unknown date as their rows stand in `counts`.

    Parameters
    ----------
    counts
        As `count_table` returns it.
    tubes
        The tubes it was made of; ``tube_id``, ``collection_date`` and ``repeat`` are used.

    Returns
    -------
    pandas.DataFrame
        Rows of `counts`, at most one tube or group of summed tubes per subject, visit and tube type.

    Raises
    ------
    TableError
        If a column is missing, or tubes kept apart have no rule.
    """
    require_columns(counts, ["subject", "visit", "tube", "tube_id", "collection_date"], "counts")
    if counts.empty:
        return counts.copy()
    require_columns(tubes, ["tube_id", "repeat"], "tubes")
    rules = dict(zip(tubes["tube_id"], tubes["repeat"].fillna(""), strict=True))
    order = dict(zip(tubes["tube_id"], tubes["order"], strict=True)) if "order" in tubes else None
    chosen: set[str] = set()
    for _, group in counts.drop_duplicates("tube_id").groupby(["subject", "visit", "tube"], sort=False):
        ranked = group if order is None else group.assign(order=group["tube_id"].map(order))
        ids = collection_order(ranked)["tube_id"].tolist()
        rule = rules.get(ids[0], "")
        if len(ids) > 1 and rule not in ("apart:first", "apart:latest"):
            raise TableError(
                f"tubes {', '.join(ids)} repeat, and repeat = {rule!r} does not say which one is the visit's"
            )
        chosen.add(ids[-1] if rule == "apart:latest" else ids[0])
    return counts[counts["tube_id"].isin(chosen)].reset_index(drop=True)
