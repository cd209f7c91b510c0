"""Luminex xPONENT: a CSV file of blocks, each of one ``DataType:``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

from il2cyto.errors import ParameterError, TableError
from il2cyto.serum.logistic import Logistic
from il2cyto.serum.plates.cells import read_cell
from il2cyto.serum.plates.wells import BLANK, STANDARD, Plate, sample_type, well_name, wells_table

_MARK: Final = "DataType:"
_SIGNAL, _COUNT, _RESULT, _DILUTION = "Median", "Count", "Result", "Dilution Factor"
_NO_ANALYTES: Final = frozenset({"total events", "notes", ""})


@dataclass(frozen=True)
class _Block:
    """One block: the names of its columns and its rows."""

    header: list[str]
    rows: list[list[str]]

    def column(self, name: str) -> int | None:
        return self.header.index(name) if name in self.header else None


def is_xponent(rows: list[list[str]]) -> bool:
    """Whether rows of text are such a file."""
    return any(row and row[0] == _MARK for row in rows)


def read_xponent(rows: list[list[str]], name: str) -> Plate:
    """Read the blocks Median, Count, Result, Dilution Factor, Units, the expected concentrations and the coefficients.

    Raises
    ------
    TableError
        If the block Median is missing or a cell is no number.
    """
    blocks = _blocks(rows, name)
    if _SIGNAL not in blocks:
        raise TableError(f"{name}: has no block {_SIGNAL!r} (blocks: {', '.join(blocks)}); export the medians as well")
    plate = next((row[1] for row in rows if len(row) > 1 and row[0] == "Batch" and row[1]), name)
    signal = blocks[_SIGNAL]
    analytes = [one for one in signal.header[2:] if one.casefold() not in _NO_ANALYTES]
    others = {kind: _by_well(blocks[kind]) for kind in (_COUNT, _RESULT, _DILUTION) if kind in blocks}
    units = _labelled(blocks.get("Units"), "Units:")
    expected = {
        **_expected(blocks.get("Standard Expected Concentration")),
        **_expected(blocks.get("Control Expected Concentration")),
    }
    found: list[dict[str, Any]] = []
    for row in signal.rows:
        signals = dict(zip(signal.header, row, strict=False))
        own = {kind: block.get(row[0], {}) for kind, block in others.items()}
        well, sample = well_name(row[0]), row[1]
        kind, level = sample_type(sample)
        dilution = _number(own.get(_DILUTION, {}).get(_DILUTION, ""), name, row[0], _DILUTION)
        for analyte in analytes:
            reported = own.get(_RESULT, {}).get(analyte, "")
            value, side = _cell(reported, name, row[0], analyte)
            found.append(
                {
                    "plate": plate,
                    "well": well,
                    "sample": sample,
                    "type": kind,
                    "level": level,
                    "analyte": analyte,
                    "unit": units.get(analyte, ""),
                    "signal": _number(signals.get(analyte, ""), name, row[0], analyte),
                    "bead_count": _number(own.get(_COUNT, {}).get(analyte, ""), name, row[0], analyte),
                    "dilution": 1.0 if kind in (STANDARD, BLANK) and dilution != dilution else dilution,
                    "expected": 0.0 if kind == BLANK else expected.get((sample, analyte), float("nan")),
                    "reported": reported,
                    "value": value,
                    "side": side,
                }
            )
    curves, notes = _curves(blocks.get("Analysis Coefficients"), analytes)
    warnings = blocks.get("Warnings/Errors")
    notes += [f"{row[0]}: {row[2]}" for row in warnings.rows if len(row) > 2] if warnings else []
    return Plate(wells_table(found, name), "xPONENT", curves, tuple(notes))


def _blocks(rows: list[list[str]], name: str) -> dict[str, _Block]:
    blocks: dict[str, _Block] = {}
    starts = [i for i, row in enumerate(rows) if row and row[0] == _MARK]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        inside = [row for row in rows[start + 1 : end] if any(row)]
        inside = list(itertools.takewhile(lambda row: not row[0].startswith("-- CRC"), inside))
        if inside and len(rows[start]) > 1:
            if rows[start][1] in blocks:
                raise TableError(f"{name}: has two blocks {rows[start][1]!r}; give one plate a file")
            blocks[rows[start][1]] = _Block(inside[0], inside[1:])
    return blocks


def _by_well(block: _Block) -> dict[str, dict[str, str]]:
    return {row[0]: dict(zip(block.header[2:], row[2:], strict=False)) for row in block.rows}


def _labelled(block: _Block | None, label: str) -> dict[str, str]:
    row = next((row for row in block.rows if row[0] == label), []) if block else []
    return dict(zip(block.header[1:], row[1:], strict=False)) if block else {}


def _expected(block: _Block | None) -> dict[tuple[str, str], float]:
    if block is None:
        return {}
    return {
        (row[0], analyte): read_cell(cell)[0]
        for row in block.rows
        for analyte, cell in zip(block.header[1:], row[1:], strict=False)
        if analyte and cell
    }


def _curves(block: _Block | None, analytes: list[str]) -> tuple[dict[str, Logistic], list[str]]:
    """Read ``y = A + B / (1 + (x / C)**D)**F``, the program's five-parameter logistic in net signals."""
    if block is None:
        return {}, []
    rows = {row[0].removeprefix("Coefficient").strip(): row for row in block.rows}
    curves, notes = {}, []
    for analyte in analytes:
        at = block.column(analyte)
        if at is None or not all(name in rows and rows[name][at : at + 1] != [""] for name in "ABCDF"):
            continue
        try:
            a, b, c, d, f = (read_cell(rows[name][at])[0] for name in "ABCDF")
            curves[analyte] = Logistic(a=a + b, b=d, c=c, d=a, g=f)
        except (ValueError, ParameterError) as why:
            notes.append(f"{analyte}: the program's coefficients make no curve ({why})")
    return curves, notes


def _cell(text: str, name: str, where: str, what: str) -> tuple[float, str]:
    try:
        return read_cell(text)
    except ValueError as why:
        raise TableError(f"{name}: {where}, {what}: {why}") from why


def _number(text: str, name: str, where: str, what: str) -> float:
    return _cell(text, name, where, what)[0]
