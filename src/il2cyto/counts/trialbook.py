"""The trial team's table as a workbook: the data, what each column means, and how each population is defined."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from il2cyto.counts.trialcolumns import trial_columns
from il2cyto.counts.workbook import Worksheet


def trial_sheets(trial: pd.DataFrame, notes: Mapping[str, str] | None = None) -> tuple[Worksheet, ...]:
    """Worksheets ``trial``, ``columns`` and ``definitions``.

    Parameters
    ----------
    trial
        From `trial_table`.
    notes
        Meaning of columns that the study adds, by name.
    """
    known = {column.name: column for column in trial_columns()}
    explained = []
    for name in trial:
        column = known.get(str(name))
        meaning = (notes or {}).get(str(name), "") if column is None else column.meaning
        explained.append((name, "" if column is None else column.unit, meaning))
    dates = tuple(name for name, column in known.items() if column.kind == "date")
    definitions = trial[["definition", "name", "strategy", "population", "parent"]].drop_duplicates()
    ordered = definitions.sort_values(["strategy", "definition", "population"], kind="stable")
    columns = pd.DataFrame(explained, columns=["column", "unit", "meaning"])
    return (
        Worksheet("trial", trial, dates, frozen_columns=2),
        Worksheet("columns", columns, wrapped=("meaning",)),
        Worksheet("definitions", ordered),
    )
