"""Compile the gates of a strategy once; what depends on a file is bound later."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.gates import (
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    Dimension,
    EllipsoidGate,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gating.buckets import bucket_borders, choose_scale
from il2cyto.gating.display import channel_lattice, channel_path, display_axis, gate_channels
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.kernels import engine, lattice
from il2cyto.transforms import Transform

FloatArray = NDArray[np.float64]
_HIGHEST = float(np.finfo(np.float64).max)
_LOWEST = -_HIGHEST


@dataclass(frozen=True)
class Lattice:
    """Cells over a two-dimensional shape, see `il2cyto.kernels.lattice`.

    `borders` are the cells' borders on both axes on the linear scale; `scales` and `tables` find the cell of a value;
    `cells` says inside, outside or edge.
    """

    borders: FloatArray
    scales: FloatArray
    tables: NDArray[np.uint16]
    cells: NDArray[np.uint8]


@dataclass(frozen=True)
class CompiledGate:
    """One gate as the engine takes it, still with names for its dimensions.

    `low` and `high` are linear limits (NaN = open), `domain` the smallest defined linear value of each dimension.
    """

    shape: int
    dimensions: tuple[Dimension, ...]
    low: FloatArray
    high: FloatArray
    domain: FloatArray
    vertices: FloatArray
    ellipsoid: FloatArray
    lattice: Lattice | None = None
    operation: int = 0
    operands: tuple[tuple[int, bool], ...] = ()


def compile_gates(strategy: GatingStrategy) -> tuple[CompiledGate, ...]:
    """Compile every gate of a strategy, in the order of its populations."""
    return tuple(_compile(population.gate, strategy) for population in strategy.populations)


def _compile(gate: object, strategy: GatingStrategy) -> CompiledGate:
    if isinstance(gate, QuadrantGate):
        gate = gate.as_rectangle()
    if isinstance(gate, BooleanGate):
        empty = np.empty(0)
        operations = {"and": engine.AND, "or": engine.OR, "not": engine.NOT}
        return CompiledGate(
            engine.BOOLEAN, (), empty, empty, empty, np.empty((0, 2)), empty,
            operation=operations[gate.operation],
            operands=tuple((strategy.resolve(operand.population), operand.complement) for operand in gate.operands),
        )  # fmt: skip
    if isinstance(gate, UnsupportedGate):
        # binding leaves its population out
        empty = np.empty(0)
        return CompiledGate(engine.BOOLEAN, (), empty, empty, empty, np.empty((0, 2)), empty)
    if isinstance(gate, RectangleGate):
        return _rectangle(gate, strategy.transforms)
    if isinstance(gate, (BinnedPolygonGate, BinnedEllipsoidGate)):
        return _binned(gate, strategy.transforms)
    if isinstance(gate, PolygonGate):
        return _polygon(gate, strategy.transforms)
    if isinstance(gate, EllipsoidGate):
        return _ellipsoid(gate, strategy.transforms)
    raise TypeError(f"no gate: {gate!r}")


def _transform(dimension: Dimension, transforms: Mapping[str, Transform]) -> Transform | None:
    return None if dimension.transform is None else transforms[dimension.transform]


def _domain(dimensions: tuple[Dimension, ...], transforms: Mapping[str, Transform]) -> FloatArray:
    found = [_transform(dimension, transforms) for dimension in dimensions]
    return np.array([_LOWEST if transform is None else transform.domain_minimum for transform in found])


def _linear(dimension: Dimension, lines: FloatArray, transforms: Mapping[str, Transform]) -> FloatArray:
    """Move positions on an axis to the linear scale."""
    transform = _transform(dimension, transforms)
    return lines if transform is None else transform.preimages(lines)


def _top(dimension: Dimension, transforms: Mapping[str, Transform]) -> float:
    transform = _transform(dimension, transforms)
    return math.inf if transform is None else transform.top


def _rectangle(gate: RectangleGate, transforms: Mapping[str, Transform]) -> CompiledGate:
    low = np.full(len(gate.limits), np.nan)
    high = np.full(len(gate.limits), np.nan)
    for i, limit in enumerate(gate.limits):
        if limit.minimum is not None and limit.minimum > -math.inf:
            low[i] = _linear(limit.dimension, np.array([limit.minimum]), transforms)[0]
        # a scale that ends below the maximum leaves that side open, for infinite values too
        if (
            limit.maximum is not None
            and limit.maximum < math.inf
            and limit.maximum <= _top(limit.dimension, transforms)
        ):
            high[i] = _linear(limit.dimension, np.array([limit.maximum]), transforms)[0]
        if limit.minimum is not None and limit.minimum > _top(limit.dimension, transforms):
            high[i] = -np.inf  # nothing reaches the minimum
    domain = _domain(gate.dimensions, transforms)
    return CompiledGate(engine.RECTANGLE, gate.dimensions, low, high, domain, np.empty((0, 2)), np.empty(0))


def _lattice(
    dimensions: tuple[Dimension, ...],
    ends: FloatArray,
    transforms: Mapping[str, Transform],
    classify: Callable[[FloatArray, FloatArray, NDArray[np.uint8]], None],
) -> Lattice:
    """Lay a lattice between `ends` (axis units, one row per axis); `classify` fills its cells from their lines.

    Its lines stand where buckets begin, at or below evenly spaced ones.
    """
    scales = np.zeros((2, lattice.SCALE_COLUMNS))
    borders = np.empty((2, lattice.LATTICE + 1))
    lines = np.empty((2, lattice.LATTICE + 1))
    for axis, (dimension, (low, high)) in enumerate(zip(dimensions, ends, strict=True)):
        even = _linear(dimension, np.linspace(low, high, lattice.LATTICE + 1), transforms)
        scales[axis] = choose_scale(even)
        borders[axis] = bucket_borders(even, scales[axis])
        transform = _transform(dimension, transforms)
        starts = np.clip(borders[axis], _LOWEST, _HIGHEST)
        starts = starts if transform is None else transform.apply(starts)
        # what lies far off the shape or has no value is moved to beside it
        reach = high - low
        lines[axis] = np.nan_to_num(np.clip(starts, low - reach, high + reach), nan=low - reach)
    cells = np.empty((lattice.LATTICE, lattice.LATTICE), dtype=np.uint8)
    classify(lines[0], lines[1], cells)
    return _searchable(borders, scales, cells)


def _searchable(borders: FloatArray, scales: FloatArray, cells: NDArray[np.uint8]) -> Lattice:
    """Add to borders on the linear scale what finds the cell of a value."""
    tables = np.empty((2, lattice.BUCKETS), dtype=np.uint16)
    for axis, unit in enumerate((lattice.SIDE, 1)):
        lattice.fill_table(borders[axis], scales[axis], unit, tables[axis])
    surrounded = np.empty(lattice.SIDE * lattice.SIDE, dtype=np.uint8)
    lattice.surround(cells, surrounded)
    return Lattice(borders, scales, tables, surrounded)


def _polygon(gate: PolygonGate, transforms: Mapping[str, Transform]) -> CompiledGate:
    vertices = np.array(gate.vertices, dtype=np.float64)
    ends = np.stack([vertices.min(axis=0), vertices.max(axis=0)], axis=1)

    def classify(x: FloatArray, y: FloatArray, cells: NDArray[np.uint8]) -> None:
        lattice.polygon_cells(x, y, vertices, 0, len(vertices), cells)

    cells_over = None
    # a bounded scale puts infinite values on its bound, and lattices hold no infinite values
    if all(_top(dimension, transforms) == math.inf for dimension in gate.dimensions):
        cells_over = _lattice(gate.dimensions, ends, transforms, classify)
    open_side = np.full(2, np.nan)
    return CompiledGate(
        engine.POLYGON, gate.dimensions, open_side, open_side, _domain(gate.dimensions, transforms), vertices,
        np.empty(0), cells_over,
    )  # fmt: skip


def _binned(gate: BinnedPolygonGate | BinnedEllipsoidGate, transforms: Mapping[str, Transform]) -> CompiledGate:
    """Compile the channels of a display that a gate holds, as a polygon along the borders of channels."""
    axes = tuple(display_axis(transforms[str(d.transform)], gate.channels) for d in gate.dimensions)
    channels = gate_channels(gate, axes)
    lines, cells = channel_lattice(channels)
    borders = np.empty((2, lattice.LATTICE + 1))
    for k, (dimension, axis, line) in enumerate(zip(gate.dimensions, axes, lines, strict=True)):
        border = _linear(dimension, axis.border(line), transforms)
        # the outermost channels go on beyond the display
        borders[k] = np.where(line <= 0, -np.inf, np.where(line >= gate.channels, np.inf, border))
    scales = np.stack([choose_scale(border) for border in borders])
    open_side = np.full(2, np.nan)
    return CompiledGate(
        engine.POLYGON, gate.dimensions, open_side, open_side, _domain(gate.dimensions, transforms),
        channel_path(channels, axes), np.empty(0), _searchable(borders, scales, cells),
    )  # fmt: skip


def _ellipsoid(gate: EllipsoidGate, transforms: Mapping[str, Transform]) -> CompiledGate:
    mean = np.array(gate.mean)
    covariance = np.array(gate.covariance)
    packed = np.concatenate([mean, np.linalg.inv(covariance).ravel(), [gate.distance_square]])
    cells_over = None
    low, high = np.full(mean.size, np.nan), np.full(mean.size, np.nan)
    reach = np.sqrt(gate.distance_square * np.abs(np.diag(covariance))) * (1 + 1e-6)
    # at distance 0 the box is the centre itself, which its half-open upper side must not lose
    edges = np.stack([mean - reach, np.nextafter(mean + reach, np.inf)], axis=1)
    boxed = gate.is_ellipsoid and all(_top(dimension, transforms) == math.inf for dimension in gate.dimensions)
    if boxed:
        # events beyond the box around it need no transform
        for i, dimension in enumerate(gate.dimensions):
            low[i], high[i] = _linear(dimension, edges[i], transforms)
    if mean.size == 2 and boxed and gate.distance_square > 0:

        def classify(x: FloatArray, y: FloatArray, cells: NDArray[np.uint8]) -> None:
            lattice.ellipse_cells(x, y, packed, 0, cells)

        cells_over = _lattice(gate.dimensions, edges, transforms, classify)
    return CompiledGate(
        engine.ELLIPSOID, gate.dimensions, low, high, _domain(gate.dimensions, transforms),
        np.empty((0, 2)), packed, cells_over,
    )  # fmt: skip
