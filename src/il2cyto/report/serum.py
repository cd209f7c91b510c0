"""Serum values in short, per analyte and visit: how many, how many censored, the median; and their modelled change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from il2cyto.report.inputs import Visit
from il2cyto.report.numbers import NOTHING, three_digits, words
from il2cyto.report.tables import TextTable


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


def serum_model_table(model: pd.DataFrame) -> TextTable:
    """Print the changes from baseline of a model of serum, and the differences between arms.

    Parameters
    ----------
    model
        From `il2cyto.models.serum_over_visits`; rows that are no ratios (geometric means) are left to the file.
    """
    heads = ("analyte", "arm", "visit", "subjects", "detected, %", "p, detection", "ratio", "95 % limits", "p", "note")
    rows = []
    for row in model[model["contrast"] != "geometric_mean"].to_dict("records"):
        limits = NOTHING if np.isnan(row["lower"]) else f"{three_digits(row['lower'])}–{three_digits(row['upper'])}"
        detected, p_detection, ratio, p = (
            NOTHING if np.isnan(row[name]) else three_digits(row[name])
            for name in ("detected_percent", "detection_p_value", "estimate", "p_value")
        )
        texts = (words(row[name]) for name in ("analyte", "arm", "visit", "n_subjects"))
        rows.append((*texts, detected, p_detection, ratio, limits, p, words(row["reason"])))
    return TextTable("Change of serum concentrations", heads, tuple(rows))
