"""The wells of a plate as one table, whoever wrote the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from il2cyto.serum.logistic import Logistic

#: One row per well and analyte. `type`: S standard, B blank, QC control, U sample. `reported` is the concentration as
#: the program of the reader wrote it, `value` and `side` what it says; `dilution` how often the sample was diluted.
WELL_COLUMNS: Final = (
    "plate", "well", "sample", "type", "level", "analyte", "unit", "signal", "bead_count", "dilution", "expected",
    "reported", "value", "side",
)  # fmt: skip
STANDARD, BLANK, CONTROL, SAMPLE = "S", "B", "QC", "U"
_NUMBERS: Final = ("signal", "bead_count", "dilution", "expected", "value")
_NAMES: Final = (
    (STANDARD, re.compile(r"(?:std|standard|stand|cal|calibrator)[\s_.#-]*(\d+)\w?", re.IGNORECASE)),
    (BLANK, re.compile(r"(?:blank|background|bkg|zero standard)[\s_.#-]*(\d*)", re.IGNORECASE)),
    (CONTROL, re.compile(r"(?:control|ctrl|qc|quality control)[\s_.#-]*(\d*)", re.IGNORECASE)),
)


@dataclass(frozen=True, eq=False)
class Plate:
    """What an export says.

    Attributes
    ----------
    wells
        `WELL_COLUMNS`, one row per well and analyte.
    format
        Which program wrote it.
    curves
        Standard curves as the program fitted them, by analyte.
    notes
        What was odd in the file and how it was read.
    """

    wells: pd.DataFrame
    format: str
    curves: Mapping[str, Logistic] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def wells_table(rows: Iterable[Mapping[str, Any]], name: str) -> pd.DataFrame:
    """Put rows into a table with all of `WELL_COLUMNS`, checked.

    Raises
    ------
    TableError
        If there is none, a well holds an analyte twice, or a dilution is not positive.
    """
    wells = pd.DataFrame(list(rows))
    if wells.empty:
        raise TableError(f"{name}: holds no wells")
    for column in WELL_COLUMNS:
        if column not in wells:
            wells[column] = np.nan if column in _NUMBERS else ""
        if column in _NUMBERS:
            wells[column] = wells[column].astype(np.float64)
        else:
            wells[column] = wells[column].fillna("").astype(object)
    wells = wells[list(WELL_COLUMNS)]
    if (wells["dilution"] <= 0).any():
        at = wells[wells["dilution"] <= 0].iloc[0]
        raise TableError(f"{name}: dilution {at['dilution']:g} of {at['sample']} in {at['well']} must be above 0")
    if (wells["bead_count"] < 0).any() or (wells["expected"] < 0).any():
        raise TableError(f"{name}: a bead count or an expected concentration is below 0")
    keys = wells[wells["well"] != ""]
    twice = keys[keys.duplicated(["plate", "well", "analyte"], keep=False)]
    if len(twice):
        one = twice.iloc[0]
        raise TableError(
            f"{name}: well {one['well']} of plate {one['plate']} gives {one['analyte']} twice; "
            "keep one, or name the plates apart"
        )
    return wells


def sample_type(sample: str) -> tuple[str, str]:
    """Return type and level that a sample's name says; a sample where it says nothing.

    Examples
    --------
    >>> sample_type("Standard 04"), sample_type("Background0"), sample_type("P001 V2")
    (('S', '4'), ('B', '0'), ('U', ''))
    """
    for kind, pattern in _NAMES:
        if found := pattern.fullmatch(sample.strip()):
            return kind, found[1].lstrip("0") or found[1][-1:]
    return SAMPLE, ""


def well_name(text: str) -> str:
    """Return a well as row and column, ``A1``; the text itself where it is none.

    Examples
    --------
    >>> well_name("1(1,A1)"), well_name("a01"), well_name("H12")
    ('A1', 'A1', 'H12')
    """
    inside = re.search(r"\(\s*\d+\s*,\s*([A-Pa-p]0?\d{1,2})\s*\)", text)
    found = re.fullmatch(r"([A-Pa-p])0?(\d{1,2})", (inside[1] if inside else text).strip())
    return f"{found[1].upper()}{int(found[2])}" if found else text.strip()
