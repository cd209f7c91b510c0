"""What each column of the trial team's table means."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Column:
    """A column: its name, its kind (``text``, ``number``, ``whole``, ``date``), its unit and its meaning.

    An `optional` one is there where the table of visits, or that of counts, has it.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    optional: bool


@cache
def trial_columns() -> tuple[Column, ...]:
    """Return the columns of the trial team's table, in order.

    Examples
    --------
    >>> [column.name for column in trial_columns()[:3]], trial_columns()[5].unit
    (['STUDYID', 'USUBJID', 'ARM'], 'years')
    """
    text = (files("il2cyto.counts") / "data" / "trial_columns.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(
        Column(row["column"], row["kind"].rstrip("?"), row["unit"], row["meaning"], row["kind"].endswith("?"))
        for row in rows
    )
