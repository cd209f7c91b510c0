"""What is in the wells, and what the standards of a kit hold, where the export does not say it or says it wrongly."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from il2cyto.errors import TableError, did_you_mean
from il2cyto.serum.plates.cells import read_cell, read_rows
from il2cyto.serum.plates.wells import BLANK, CONTROL, SAMPLE, STANDARD, sample_type, well_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.serum.plates.wells import Plate

MAP_COLUMNS: Final = ("plate", "well", "sample", "type", "level", "dilution", "subject", "visit", "collection_date")
KIT_COLUMNS: Final = ("analyte", "level", "concentration", "unit")
_SERIES_SHARE, _SERIES_TOLERANCE = 0.6, 0.05
_OFF = 1.2


def read_plate_map(path: str | Path) -> pd.DataFrame:
    """Read a plate map: a CSV file with ``well`` or ``sample`` and any of the other `MAP_COLUMNS`.

    Raises
    ------
    TableError
        If a column is unknown, a well stands twice, or a type or dilution cannot be read.
    """
    table, name = _table(path, MAP_COLUMNS, ()), Path(path).name
    if not {"well", "sample"} & set(table):
        raise TableError(f"{name}: has neither a column well nor sample; it says what is in which well")
    key = [column for column in ("plate", "well") if column in table] if "well" in table else ["sample"]
    if "well" in table:
        table["well"] = table["well"].map(well_name)
    twice = table[table.duplicated(key)]
    if len(twice):
        raise TableError(f"{name}: {' '.join(twice.iloc[0][key])} stands twice; keep one line")
    for row in table.to_dict("records"):
        if row.get("type") and row["type"] not in (STANDARD, BLANK, CONTROL, SAMPLE):
            raise TableError(
                f"{name}: type {row['type']!r} of {row.get('well') or row.get('sample')}: S (standard), B (blank), "
                f"QC (control) or U (sample){did_you_mean(row['type'], ['S', 'B', 'QC', 'U'])}"
            )
    if "dilution" in table:
        table["dilution"] = [_number(text, name, "dilution") for text in table["dilution"]]
        if (table["dilution"] <= 0).any():
            raise TableError(f"{name}: a dilution must be above 0")
    return table


def with_map(plate: Plate, table: pd.DataFrame, name: str = "plate map") -> Plate:
    """Return the plate with the wells named as the map says; wells that it does not name stay as they are.

    Raises
    ------
    TableError
        If the map names a well that the plate lacks.
    """
    wells = plate.wells.copy()
    by = "well" if "well" in table else "sample"
    missing: list[str] = []
    for row in table.to_dict("records"):
        here = wells[by] == row[by]
        if row.get("plate"):
            if row["plate"] not in set(wells["plate"]):
                continue
            here &= wells["plate"] == row["plate"]
        if not here.any():
            missing.append(str(row[by]))
            continue
        sample = row.get("sample") or None
        if sample is not None and by == "well":
            wells.loc[here, "sample"] = sample
        kind, level = sample_type(str(row.get("sample") or ""))
        wells.loc[here, "type"] = row.get("type") or (kind if sample is not None else wells.loc[here, "type"])
        wells.loc[here, "level"] = row.get("level") or level
        if row.get("dilution") is not None and not math.isnan(row.get("dilution", math.nan)):
            wells.loc[here, "dilution"] = row["dilution"]
    if missing:
        raise TableError(
            f"{name}: the plate has no {by} {', '.join(missing[:5])}{did_you_mean(missing[0], sorted(set(wells[by])))}"
        )
    wells.loc[wells["type"] == BLANK, "expected"] = 0.0
    return replace(plate, wells=wells)


def read_kit(path: str | Path) -> pd.DataFrame:
    """Read the standards of a kit: a CSV file with ``analyte, level, concentration`` and, if wanted, ``unit``.

    Raises
    ------
    TableError
        If a column is missing, a concentration cannot be read, or a level stands twice.
    """
    table, name = _table(path, KIT_COLUMNS, KIT_COLUMNS[:3]), Path(path).name
    table["concentration"] = [_number(text, name, "concentration") for text in table["concentration"]]
    table["level"] = [sample_type(level)[1] or level.lstrip("0") or "0" for level in table["level"]]
    twice = table[table.duplicated(["analyte", "level"])]
    if len(twice):
        raise TableError(f"{name}: level {twice.iloc[0]['level']} of {twice.iloc[0]['analyte']} stands twice")
    return table


def with_kit(plate: Plate, kit: pd.DataFrame) -> Plate:
    """Return the plate with the concentrations of its standards as the kit says; others stay as the file has them.

    Raises
    ------
    TableError
        If the kit has none of the analytes, or a unit other than the plate's.
    """
    known = {(row["analyte"], row["level"]): row for row in kit.to_dict("records")}
    analytes = sorted(set(kit["analyte"]))
    if not set(analytes) & set(plate.wells["analyte"]):
        first = str(plate.wells["analyte"].iloc[0])
        raise TableError(f"the kit has no analyte of this plate, {first!r} first{did_you_mean(first, analytes)}")
    wells = plate.wells.copy()
    expected, units, kinds = [], [], []
    for row in wells.to_dict("records"):
        found = known.get((row["analyte"], row["level"])) if row["type"] in (STANDARD, BLANK) else None
        unit = (found or {}).get("unit", "") or ""
        if unit and row["unit"] and unit.casefold() != row["unit"].casefold():
            raise TableError(f"{row['analyte']}: {row['unit']} on the plate, {unit} in the kit; give one unit")
        expected.append(row["expected"] if found is None else found["concentration"])
        units.append(row["unit"] or unit)
        zero = found is not None and found["concentration"] == 0
        kinds.append(BLANK if zero else row["type"])
    return replace(plate, wells=wells.assign(expected=expected, unit=units, type=kinds))


def suspicious_standards(wells: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return what is wrong with expected concentrations, by analyte and level.

    Standards are made by one dilution again and again; where most steps are the same, a level that is off by more than
    a factor of 1.2 is wrong, and where a power of ten puts it right, it lost its decimal separator.
    """
    found: dict[tuple[str, str], str] = {}
    standards = wells[(wells["type"] == STANDARD) & (wells["expected"] > 0)]
    for analyte, own in standards.groupby("analyte", sort=True):
        told = own.groupby("level")["expected"]
        for level, values in told.unique().items():
            if len(values) > 1:
                found[str(analyte), str(level)] = f"is given as {' and '.join(f'{one:g}' for one in values)}"
        levels = told.first()
        if not all(str(level).isdigit() for level in levels.index):
            continue
        order = levels.sort_index(key=lambda index: index.astype(int))
        found.update({(str(analyte), level): why for level, why in _off_series(order).items()})
    return found


def _off_series(levels: pd.Series) -> Mapping[str, str]:
    numbers = levels.index.astype(int).to_numpy()
    logs = np.log(levels.to_numpy(dtype=np.float64))
    if numbers.size < 4:
        return {}
    steps = np.diff(logs) / np.diff(numbers)
    # the step that most pairs of neighbours share, since a wrong level spoils two of them
    agree = np.abs(steps[:, None] - steps[None, :]) <= _SERIES_TOLERANCE
    step = float(np.median(steps[agree[int(agree.sum(axis=1).argmax())]]))
    starts = logs - step * numbers
    start_agree = np.abs(starts[:, None] - starts[None, :]) <= _SERIES_TOLERANCE
    best = int(start_agree.sum(axis=1).argmax())
    if step == 0 or start_agree[best].mean() < _SERIES_SHARE / 2 or start_agree[best].sum() < 3:
        return {}
    line = np.exp(float(np.median(starts[start_agree[best]])) + step * numbers)
    told = {}
    for level, value, wanted in zip(levels.index, levels.to_numpy(dtype=np.float64), line, strict=True):
        ratio = value / wanted
        if max(ratio, 1 / ratio) <= _OFF:
            continue
        power = round(math.log10(ratio))
        lost = power != 0 and max(ratio / 10**power, 10**power / ratio) <= 1.01
        why = f"; {value / 10**power:.10g} would fit: a lost decimal separator?" if lost else ""
        told[str(level)] = f"is given as {value:.10g}, where the dilutions of the others give {wanted:.6g}{why}"
    return told


def _table(path: str | Path, known: Sequence[str], required: Sequence[str]) -> pd.DataFrame:
    rows, name = [row for row in read_rows(path) if any(row)], Path(path).name
    if not rows:
        raise TableError(f"{name}: is empty")
    header = [cell.casefold() for cell in rows[0]]
    for column in header:
        if column not in known and column != "comment":
            raise TableError(
                f"{name}: has no use for a column {column!r}{did_you_mean(column, known)}; known: {', '.join(known)}"
            )
    missing = [column for column in required if column not in header]
    if missing:
        raise TableError(f"{name}: lacks the column {', '.join(missing)}")
    return pd.DataFrame([row + [""] * (len(header) - len(row)) for row in rows[1:]], columns=header, dtype=object)


def _number(text: str, name: str, what: str) -> float:
    try:
        return read_cell(text)[0]
    except ValueError as why:
        raise TableError(f"{name}: {what}: {why}") from why
