"""The trial team's table as a workbook: the data, what each column means, and how each population is defined."""

from __future__ import annotations

import pandas as pd

from il2cyto.counts.trialcolumns import trial_columns
from il2cyto.counts.workbook import Worksheet


def trial_sheets(trial: pd.DataFrame) -> tuple[Worksheet, ...]:
    """Worksheets ``trial``, ``columns`` and ``definitions`` of a table from `trial_table`."""
    known = {column.name: column for column in trial_columns()}
    explained = []
    for name in trial:
        column = known.get(str(name))
        explained.append((name, column.unit, column.meaning) if column is not None else (name, "", ""))
    dates = tuple(name for name, column in known.items() if column.kind == "date")
    definitions = trial[["definition", "name", "strategy", "population", "parent"]].drop_duplicates()
    ordered = definitions.sort_values(["strategy", "definition", "population"], kind="stable")
    columns = pd.DataFrame(explained, columns=["column", "unit", "meaning"])
    return (
        Worksheet("trial", trial, dates, frozen_columns=2),
        Worksheet("columns", columns, wrapped=("meaning",)),
        Worksheet("definitions", ordered),
    )
