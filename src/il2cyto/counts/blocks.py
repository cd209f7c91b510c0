"""What was counted in one tube, or in replicate tubes that are summed: the unit of rows of the counts table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from il2cyto.counts.intervals import Floats
from il2cyto.errors import TableError, did_you_mean
from il2cyto.keys import NOT_ESTIMABLE, ROOT

#: Columns that describe a tube and are handed through.
TUBE_COLUMNS = (
    "study",
    "subject",
    "arm",
    "diagnosis",
    "visit",
    "visit_number",
    "collection_date",
    "ady",
    "days_since_dose",
    "tube",
)
FACTOR_COLUMNS = (
    "beads_per_test",
    "blood_volume_ul",
    "dilution",
    "volume_ul",
    "alc_per_ul",
    "retained_time_fraction",
)
#: Columns that may be left out of the tubes, with what then counts.
OPTIONAL_COLUMNS: dict[str, str | bool | float] = {
    "bead_lot": "",
    "beads_expired": False,
    "alc_from_wbc": False,
    "gated_time_fraction": 1.0,
}
#: Begin of the name of a lot that is not known.
UNKNOWN_LOT = "unknown lot of"
#: Columns that name a population.
LABEL_COLUMNS = ("population", "name", "parent", "definition", "role")
POPULATION_COLUMNS = (
    "tube_id",
    *LABEL_COLUMNS,
    "count",
    "parent_count",
    "n_undefined",
    "status",
    "reason",
)
#: What to do with several tubes of one subject, visit and tube type.
REPEATS = ("", "sum", "apart:first", "apart:latest")


@dataclass(frozen=True, eq=False)
class Block:
    """Populations × replicate tubes (columns) of one subject, visit and tube type.

    `tubes` has one row per replicate; `labels` the population columns; the arrays are ``(n_populations, n_tubes)``
    and NaN where a count is not estimable. `reasons` is empty where every replicate has a count.
    """

    tubes: pd.DataFrame
    labels: pd.DataFrame
    counts: Floats
    parent_counts: Floats
    undefined: Floats
    reasons: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """Subject, visit and tube type."""
        return self.text("subject"), self.text("visit"), self.text("tube")

    @property
    def tube_id(self) -> str:
        """Ids of the tubes, joined by ``+``."""
        return "+".join(self.tubes["tube_id"])

    @property
    def paths(self) -> list[str]:
        """Paths of the populations, in the order of the strategy."""
        return self.labels["population"].tolist()

    @property
    def day(self) -> str | None:
        """Collection date of the first replicate, or None where it is unknown."""
        value = self.tubes["collection_date"].iloc[0]
        return None if pd.isna(value) or value == "" else str(value)

    def text(self, column: str) -> str:
        """Value of a tube column in the first replicate."""
        return str(self.tubes[column].iloc[0])

    @property
    def lots(self) -> tuple[str, ...]:
        """Bead lot of each replicate; unknown ones are taken for one lot, which no other tube shares."""
        lots = self.tubes["bead_lot"].fillna("").astype(str)
        return tuple(lot or f"{UNKNOWN_LOT} {self.tube_id}" for lot in lots)

    def any(self, column: str) -> bool:
        """Whether a column of truth values holds for one replicate or more."""
        return any(bool(value) for value in self.tubes[column])

    def factor(self, column: str) -> Floats:
        """Numbers of a tube column, one per replicate, NaN where missing."""
        return pd.to_numeric(self.tubes[column], errors="raise").to_numpy(dtype=np.float64, na_value=np.nan)


def require_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise a TableError that names every column which `table` lacks.

    Raises
    ------
    TableError
        If a column is missing.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        present = [str(column) for column in table.columns]
        named = "; ".join(f"{column!r}{did_you_mean(column, present)}" for column in missing)
        raise TableError(f"{what} lacks the column {named}")


def collection_order(tubes: pd.DataFrame) -> pd.DataFrame:
    """Tubes by their column ``order``, or else by date and those of one day by id; undated ones last, as they stand."""
    if "order" in tubes:
        # the study has ordered them, with their times of day
        return tubes.sort_values("order", kind="stable")
    if len(tubes) == 1:
        return tubes
    known = tubes["collection_date"].notna() & tubes["collection_date"].ne("")
    order = pd.DataFrame({"date": tubes["collection_date"].astype(str), "id": tubes["tube_id"].astype(str)})
    dated, undated = order[known].sort_values(["date", "id"]).index, order[~known].index
    return tubes.loc[dated.append(undated)]


def make_blocks(tubes: pd.DataFrame, populations: pd.DataFrame) -> Iterator[Block]:
    """Yield one block per tube, or per group of tubes that are summed, by subject, visit and tube type.

    Raises
    ------
    TableError
        If a column is missing, an id is not unique or has no counterpart, or tubes repeat without a rule.
    """
    require_columns(tubes, (*TUBE_COLUMNS, *FACTOR_COLUMNS, "tube_id", "strategy", "route", "repeat"), "tubes")
    require_columns(populations, POPULATION_COLUMNS, "populations")
    _check_ids(tubes, populations)
    tubes = tubes.copy()
    for name, value in OPTIONAL_COLUMNS.items():
        if name not in tubes:
            tubes[name] = value
    by_tube = dict(iter(populations[populations["population"] != ROOT].groupby("tube_id", sort=False)))
    for _, group in tubes.groupby(["subject", "visit_number", "visit", "tube"], sort=True, dropna=False):
        ordered = collection_order(group)
        for part in _parts(ordered):
            yield _block(part, [by_tube[tube_id] for tube_id in part["tube_id"]])


def _check_ids(tubes: pd.DataFrame, populations: pd.DataFrame) -> None:
    twice = sorted(set(tubes.loc[tubes["tube_id"].duplicated(), "tube_id"]))
    if twice:
        raise TableError(f"tubes names {', '.join(twice)} more than once; every tube has its own id")
    for known, needed, where in (
        (set(tubes["tube_id"]), set(populations["tube_id"]), "tubes"),
        (set(populations["tube_id"]), set(tubes["tube_id"]), "populations"),
    ):
        lost = sorted(needed - known)
        if lost:
            raise TableError(
                f"{where} lacks {', '.join(lost)}; give only tubes that were gated, with their populations"
            )
    rows = populations[["tube_id", "population"]]
    if rows.duplicated().any():
        tube_id, population = rows[rows.duplicated()].iloc[0]
        raise TableError(f"populations holds {population!r} of tube {tube_id} twice")


def _parts(group: pd.DataFrame) -> list[pd.DataFrame]:
    rules = sorted(set(group["repeat"].fillna("")))
    subject, visit, tube = (group[column].iloc[0] for column in ("subject", "visit", "tube"))
    named = f"tubes {', '.join(group['tube_id'])} ({tube} of {subject} at {visit})"
    unknown = [rule for rule in rules if rule not in REPEATS]
    if unknown:
        raise TableError(f"{named}: repeat = {unknown[0]!r}; use sum, apart:first or apart:latest")
    if len(group) > 1 and (len(rules) > 1 or rules == [""]):
        raise TableError(f"{named} repeat with the rules {rules}; give all of them one rule in the column repeat")
    return [group] if rules == ["sum"] else [group.iloc[[row]] for row in range(len(group))]


def _block(tubes: pd.DataFrame, tables: list[pd.DataFrame]) -> Block:
    tube_ids, first = tubes["tube_id"].tolist(), tables[0]
    paths = first["population"].tolist()
    if tubes["strategy"].nunique() > 1 or any(set(table["population"]) != set(paths) for table in tables):
        raise TableError(f"tubes {', '.join(tube_ids)} cannot be summed: their strategies or populations differ")
    aligned = [table.set_index("population").loc[paths] for table in tables]
    missing = [table["status"].eq(NOT_ESTIMABLE) | table["count"].isna() for table in aligned]
    reasons = []
    for row in range(len(paths)):
        found = [
            (tube_id, table["reason"].fillna("").iloc[row] or "not counted")
            for tube_id, table, lost in zip(tube_ids, aligned, missing, strict=True)
            if lost.iloc[row]
        ]
        texts = [reason if len(tube_ids) == 1 else f"{tube_id}: {reason}" for tube_id, reason in found]
        reasons.append("; ".join(texts))
    counts = np.column_stack([_floats(table["count"].mask(lost)) for table, lost in zip(aligned, missing, strict=True)])
    return Block(
        tubes=tubes,
        labels=first[list(LABEL_COLUMNS)].fillna("").reset_index(drop=True),
        counts=counts,
        parent_counts=np.column_stack([_floats(table["parent_count"]) for table in aligned]),
        undefined=np.column_stack([_floats(table["n_undefined"]) for table in aligned]),
        reasons=tuple(reasons),
    )


def _floats(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
