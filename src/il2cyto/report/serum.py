"""Serum values in short: how many, how many censored, and the median, per analyte and visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from il2cyto.report.inputs import Visit
from il2cyto.report.numbers import NOTHING, three_digits, words


@dataclass(frozen=True)
class SerumCell:
    """One analyte at one visit: values, how many of them below LLOQ and above ULOQ, and the median as text."""

    n: int
    below: int
    above: int
    median: str


@dataclass(frozen=True)
class SerumRow:
    """One analyte with its unit and a cell per visit."""

    analyte: str
    unit: str
    cells: tuple[SerumCell, ...]


def summarise_serum(serum: pd.DataFrame, visits: Sequence[Visit]) -> tuple[SerumRow, ...]:
    """Summarise each analyte at each visit, in order of first appearance.

    Parameters
    ----------
    serum
        Long table; a censored row holds its limit as `value`.
    visits
        The columns, in the order wanted.
    """
    rows = []
    for (analyte, unit), group in serum.groupby(["analyte", "unit"], sort=False, dropna=False):
        cells = tuple(_cell(group[group["visit"] == visit.id]) for visit in visits)
        rows.append(SerumRow(words(analyte), words(unit), cells))
    return tuple(rows)


def _cell(rows: pd.DataFrame) -> SerumCell:
    rows = rows[rows["value"].notna()]
    values = rows["value"].to_numpy(dtype=np.float64)
    censor = rows["censor"].to_numpy(dtype=np.float64)
    below, above = int((censor < 0).sum()), int((censor > 0).sum())
    return SerumCell(values.size, below, above, _median(values, censor))


def _median(values: npt.NDArray[np.float64], censor: npt.NDArray[np.float64]) -> str:
    """Bounds of the median when each censored value may lie anywhere beyond its limit; one number if they agree."""
    if values.size == 0:
        return NOTHING
    least = float(np.median(np.where(censor < 0, -np.inf, values)))
    most = float(np.median(np.where(censor > 0, np.inf, values)))
    if least == most:
        return three_digits(least)
    if np.isinf(least) and np.isinf(most):
        return NOTHING
    if np.isinf(least):
        return f"< {three_digits(most)}"
    if np.isinf(most):
        return f"> {three_digits(least)}"
    return f"{three_digits(least)}–{three_digits(most)}"
