"""The calibration tables of a FlowJo 9 workspace, and which parameter of a sample has which.

A table holds pairs of a display channel and the value there. A scale that we know is taken for it only if it gives
back every pair of the table: the biex scale of the table's own parameters, or a logarithmic one. Polygons are straight
on the display, so they need it; limits of ranges and rectangles stand in instrument units and do not.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.flowjo.axes import Axis, transform_id
from il2cyto.exchange.flowjo.matrices import Compensation
from il2cyto.exchange.xml import attribute, children
from il2cyto.transforms import Clamped, FlowJoBiex, Log, Transform

FloatArray = NDArray[np.float64]

#: Display and top of a table whose pairs the file leaves out (cytolib).
_CHANNELS, _TOP = 4096.0, 262144.0
#: How far a scale may lie from a pair of its table, in shares of the display: the table's digits are printed.
_CLOSE = 1 / 2048
#: Displays with more channels than this have no table by number (CytoML).
_MOST_RANGE = 4096.0
#: Scatter parameters whose ``highValue`` of 4096 means nothing (CytoML).
_SCATTER = ("FSC-A", "FSC-W", "FSC-H", "SSC-A", "SSC-W", "SSC-H")
_FACTOR, _ABOVE_CHANNELS = 64.0, 4096 * 1.05


@dataclass(frozen=True)
class Table:
    """A calibration table: the matrix and the parameter it is for, empty for one by number."""

    matrix: str
    parameter: str
    axis: Axis
    lowest: float


@dataclass(frozen=True)
class MacAxis:
    """The axis of one parameter of one sample.

    Attributes
    ----------
    axis
        Its scale, or why there is none.
    lowest
        Values at or below it stand at the lower end of the display.
    factor
        What coordinates are multiplied with, before version 9; NaN where that cannot be told.
    """

    axis: Axis
    lowest: float = 0.0
    factor: float = 1.0


def read_tables(root: etree._Element) -> list[Table]:
    """Read the tables of a workspace, in their order, which is the order of their numbers."""
    elements = [element for part in children(root, "CalibrationTables") for element in children(part, "Table")]
    return [_table(element, number) for number, element in enumerate(elements, start=1)]


def _table(element: etree._Element, place: int) -> Table:
    name = attribute(element, "name") or ""
    start, end = name.find("<"), name.find(">")
    by_number = start < 0 or end < 0
    matrix, parameter = ("", "") if by_number else (name[:start].strip(), name[start:].strip())
    try:
        channels, values = _pairs(element.text or "")
    except ValueError:
        problem = f"the calibration table {place} holds something else than pairs of numbers"
        return Table(matrix, parameter, Axis(problem=problem), -math.inf)
    scale = _scale(element, channels, values)
    if scale is None:
        problem = f"the calibration table {place} is of no scale that is public"
        lowest = float(values[0]) if values.size else -math.inf
        return Table(matrix, parameter, Axis(problem=problem), lowest)
    lowest = float(scale.table[0][0]) if isinstance(scale, FlowJoBiex) else float(values[0])
    return Table(matrix, parameter, Axis(transform_id(scale), scale), lowest)


def _pairs(text: str) -> tuple[FloatArray, FloatArray]:
    numbers = np.array([float(word) for word in text.split(",") if word.strip()], dtype=np.float64)
    if numbers.size % 2 or not np.isfinite(numbers).all():
        raise ValueError
    return numbers[0::2], numbers[1::2]


def _scale(element: etree._Element, channels: FloatArray, values: FloatArray) -> Transform | None:
    """Return the scale that gives back the pairs of a table."""
    if not channels.size:
        return next(iter(_biex(element, _CHANNELS, _TOP)), None)
    last, top = float(channels[-1]), float(values[-1])
    candidates: list[tuple[float, Transform]] = []
    # a table may end with the last channel of the display, or with the one above it
    for length in (last, last + 1):
        for scale in _biex(element, length, top):
            candidates.append((length, scale))
            # values are proportional to the top of the scale, and the table need not reach it
            below = float(scale.inverse(last))
            if below > 0:
                candidates.append((length, replace(scale, maximum=top * top / below)))
    if channels.size > 1 and values[0] > 0 and top > values[0] and last > channels[0]:
        decades = math.log10(top / values[0]) * last / (last - float(channels[0]))
        candidates.append((1.0, Clamped(Log(T=top, M=decades), minimum=float(values[0]))))

    def farthest(candidate: tuple[float, Transform]) -> float:
        unit, scale = candidate
        length = unit if isinstance(scale, FlowJoBiex) else last
        return float(np.max(np.abs(scale.apply(values) / unit - channels / length)))

    best = min(candidates, key=farthest, default=None)
    return best[1] if best is not None and farthest(best) <= _CLOSE else None


def _biex(element: etree._Element, length: float, top: float) -> list[FlowJoBiex]:
    """Return the biex scale of a table's own parameters; nothing where they make none."""
    negative, width, positive = (
        _number(element, f"biexponential{name}") for name in ("NegDecades", "Width", "Decades")
    )  # fmt: skip
    with contextlib.suppress(Il2CytoError):
        return [FlowJoBiex(length=length, maximum=top, negative=negative, width=width, positive=positive)]
    return []


def read_axes(
    sample: etree._Element, tables: list[Table], compensation: Compensation | None, matrix: str, before_9: bool
) -> dict[str, MacAxis]:
    """Return the axis of each parameter of a sample, by the name that gates use.

    Parameters
    ----------
    sample
        The ``Sample`` element, whose ``Parameter`` elements say which axes are logarithmic.
    tables
        Those of the workspace.
    compensation
        What names of compensated parameters look like; ``None`` where the sample names none.
    matrix
        Name of the sample's matrix, by which tables are found; empty for none.
    before_9
        Whether a version before 9 wrote the workspace.
    """
    found: dict[str, MacAxis] = {}
    mine = {table.parameter: table for table in tables if matrix and matrix in table.matrix}
    for element in children(sample, "Parameter"):
        name = attribute(element, "name") or ""
        if (attribute(element, "log") or "0") != "1":
            factor = _factor(element, name) if before_9 else 1.0
            found[name] = MacAxis(_linear(), 0.0, factor)
            if compensation is not None:
                found[f"{compensation.prefix}{name}{compensation.suffix}"] = found[name]
            continue
        shown = {name}
        if compensation is not None:
            shown.add(f"{compensation.prefix}{name}{compensation.suffix}")
        for axis in shown:
            found[axis] = _logarithmic(axis, element, tables, mine)
    return found


def _linear() -> Axis:
    """Values below a linear display stand at its lower end (as CytoML extends gates there)."""
    scale = Clamped(None, minimum=0.0)
    return Axis(transform_id(scale), scale)


def _logarithmic(
    shown: str, element: etree._Element, tables: list[Table], mine: Mapping[str, Table]
) -> MacAxis:  # fmt: skip
    if shown in mine:
        return MacAxis(mine[shown].axis, mine[shown].lowest)
    number, channels = _number(element, "calibrationIndex"), _number(element, "range")
    if 1 <= number <= len(tables) and channels <= _MOST_RANGE:
        table = tables[int(number) - 1]
        return MacAxis(table.axis, table.lowest)
    return MacAxis(Axis(problem=f"{shown!r} is logarithmic and has no calibration table"), -math.inf)


def _factor(element: etree._Element, name: str) -> float:
    """Before version 9, coordinates on a linear display of 4096 channels stand in channels, of 64 units each."""
    if _number(element, "highValue") != _CHANNELS:
        return 1.0
    return math.nan if any(word in name for word in _SCATTER) else _FACTOR


def units(axis: MacAxis, coordinates: FloatArray) -> FloatArray:
    """Return coordinates in instrument units; NaN where it cannot be told what they are.

    A coordinate above a display of channels shows that they are instrument units already (LabKey).
    """
    if axis.factor == 1.0 or np.any(coordinates > _ABOVE_CHANNELS):
        return coordinates
    return coordinates * axis.factor


def _number(element: etree._Element, name: str) -> float:
    try:
        return float(attribute(element, name) or "nan")
    except ValueError:
        return math.nan
