"""One small picture per gate of a tube, as plain data that a browser draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from il2cyto.gates import BooleanGate, Dimension, EllipsoidGate, Gate, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.result import GatingResult
from il2cyto.keys import ROOT
from il2cyto.report.plotdata import axis_ticks, gate_picture, picture_range, straight_line
from il2cyto.steps.instrument import describe_acquisition, describe_instrument, has_seconds
from il2cyto.steps.quality import Acquisition, unstable_stretches

FloatArray = NDArray[np.float64]

#: Events of the parent that a picture shows at most, evenly spaced over the acquisition.
MAX_EVENTS = 20_000
BINS = 64


def tube_pictures(result: GatingResult, tube_id: str, course: Acquisition) -> dict[str, Any]:
    """Return the pictures of every gate of a tube and what its file tells of the instrument: ``plots.json``."""
    drawer = _Drawer(result)
    table = result.counts
    gates = []
    for i, row in enumerate(table.to_dict("records")):
        entry: dict[str, Any] = {
            "population": row["population"],
            "parent": row["parent"],
            "type": _kind(result.strategy.populations[i].gate),
            "status": row["status"],
            "reason": row["reason"],
            "complement": result.strategy.populations[i].complement,
            "count": None if result.reasons[i] else int(row["count"]),
            "parent_count": None if result.reasons[i] else int(row["parent_count"]),
            "percent_parent": None if math.isnan(row["percent_parent"]) else float(row["percent_parent"]),
        }
        entry |= drawer.draw(i) if not result.reasons[i] else {"x": None, "y": None, "density": "", "bins": 0}
        gates.append(entry)
    return {
        "tube_id": tube_id,
        "n_events": result.sample.n_events,
        "instrument": describe_instrument(result.sample, result.panel),
        "acquisition": {
            **describe_acquisition(result.sample, result.panel),
            "unstable": unstable_stretches(result.sample, course),
        },
        "gates": gates,
    }


class _Drawer:
    """Remembers which events of each population are shown, and their coordinates."""

    def __init__(self, result: GatingResult) -> None:
        self.result = result
        self._events: dict[int, NDArray[np.int64]] = {}

    def events(self, i: int) -> NDArray[np.int64]:
        """Positions of the shown events of a population, -1 for the root."""
        if i not in self._events:
            n = self.result.sample.n_events
            bits = np.unpackbits(self.result.packed[i], count=n) if i >= 0 else self.result.membership(ROOT)
            members = np.flatnonzero(bits)
            if members.size > MAX_EVENTS:
                members = members[np.linspace(0, members.size - 1, MAX_EVENTS).astype(np.int64)]
            self._events[i] = members.astype(np.int64)
        return self._events[i]

    def draw(self, i: int) -> dict[str, Any]:
        strategy = self.result.strategy
        population = strategy.populations[i]
        gate = _plain(population.gate)
        shown = gate
        if isinstance(gate, BooleanGate):
            # a combination has no shape: its members are shown on the axes of its first operand
            shown = _plain(strategy.populations[strategy.resolve(gate.operands[0].population)].gate)
        dimensions = (population.view or shown.dimensions)[:2]
        if not dimensions:
            return {"x": None, "y": None, "density": "", "bins": 0}
        members = self.events(i if isinstance(gate, BooleanGate) else strategy.parents[i])
        values, axes, scales = [], [], []
        for dimension in dimensions:
            linear = linear_values(self.result, dimension, members)
            scale = self.scale(dimension)
            if linear is not None:
                values.append(scale(linear))
                axes.append(dimension)
                scales.append(scale)
        if not values:
            return {"x": None, "y": None, "density": "", "bins": 0}
        outline, limits = ([], {}) if isinstance(gate, BooleanGate) else self.outline(gate, axes, scales)
        edges: list[list[float | None]] = [
            [*(point[k] for point in outline), *limits.get(k, ())] for k in range(len(axes))
        ]
        ranges = [picture_range(value, edge) for value, edge in zip(values, edges, strict=True)]
        inside = values if isinstance(gate, BooleanGate) else [value[self.inside(i, members)] for value in values]
        picture = gate_picture(
            values[0],
            values[1] if len(values) > 1 else None,
            bins=BINS,
            x_range=ranges[0],
            y_range=ranges[1] if len(values) > 1 else None,
        )
        if limits and len(values) > 1:
            outline = _box(limits, ranges)
        described = [
            {
                "label": dimension.label,
                **self.describe(dimension),
                "straight": straight_line(scale),
                "range": [round(edge, 6) for edge in span],
                "ticks": [[position, label] for position, label in axis_ticks(scale, *span)],
            }
            for dimension, scale, span in zip(axes, scales, ranges, strict=True)
        ]
        return {
            "x": described[0],
            "y": described[1] if len(described) > 1 else None,
            "bins": picture["bins"],
            "density": picture["density"],
            "n_outside": picture["n_outside"],
            "outline": [[round(x, 5), round(y, 5)] for x, y in outline] or None,
            "xlim": [None if edge is None else round(edge, 5) for edge in limits[0]] if 0 in limits else None,
            "limits": [_rounded(limits.get(k, (None, None))) for k in range(len(axes))] if limits else None,
            "center": [_middle(value)[0] for value in inside],
            "spread": [_middle(value)[1] for value in inside],
        }

    def inside(self, i: int, members: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the shown events of the parent are inside a population."""
        bits = self.result.packed[i][members >> 3]
        return np.asarray((bits >> (7 - (members & 7)).astype(np.uint8)) & 1, dtype=np.bool_)

    def describe(self, dimension: Dimension) -> dict[str, str]:
        """Fluorochrome, unit and scale of a dimension, for the label of its axis."""
        result, strategy = self.result, self.result.strategy
        entry = result.panel.markers.get(dimension.label) if result.panel is not None else None
        name = dimension.transform or strategy.axes.get(dimension.label)
        times = [channel for channel in result.sample.channels if channel.is_time and channel.pnn == dimension.source]
        unit = ("s" if has_seconds(result.sample, times[0].index) else "ticks") if times else ""
        scale = strategy.transforms[name].type if name else "linear"
        return {"fluorochrome": entry.fluorochrome if entry is not None else "", "unit": unit, "scale": scale}

    def scale(self, dimension: Dimension) -> Callable[[FloatArray], FloatArray]:
        """The map from linear values to the axis on which a dimension is shown."""
        strategy = self.result.strategy
        name = dimension.transform or strategy.axes.get(dimension.label)
        return strategy.transforms[name].apply if name else _identity

    def outline(
        self, gate: Any, axes: list[Dimension], scales: list[Callable[[FloatArray], FloatArray]]
    ) -> tuple[list[tuple[float, float]], dict[int, tuple[float | None, float | None]]]:
        """Vertices of a shape on the shown axes, or limits per shown axis for a rectangle."""
        if isinstance(gate, RectangleGate):
            limits: dict[int, tuple[float | None, float | None]] = {}
            for limit in gate.limits:
                for k, axis in enumerate(axes):
                    if axis.source == limit.dimension.source:
                        edges = (limit.minimum, limit.maximum)
                        limits[k] = tuple(  # type: ignore[assignment]  # two edges
                            None if edge is None else self.shown(limit.dimension, np.array([edge]), scales[k])[0]
                            for edge in edges
                        )
            return [], limits
        if len(axes) != 2 or [axis.source for axis in axes] != [d.source for d in gate.dimensions]:
            return [], {}
        points = _polygon(gate) if isinstance(gate, PolygonGate) else _ellipse(gate)
        columns = [self.shown(gate.dimensions[k], points[:, k], scales[k]) for k in range(2)]
        return [(float(x), float(y)) for x, y in zip(*columns, strict=True) if np.isfinite(x) and np.isfinite(y)], {}

    def shown(
        self, dimension: Dimension, positions: FloatArray, scale: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Move positions from the gate's own axis to the shown one."""
        own = dimension.transform
        name = own or self.result.strategy.axes.get(dimension.label)
        if own == name:
            return positions
        return scale(self.result.strategy.transforms[own].inverse(positions) if own else positions)


def _rounded(limits: tuple[float | None, float | None]) -> list[float | None]:
    return [None if edge is None else round(float(edge), 5) for edge in limits]


def _middle(values: FloatArray) -> tuple[float | None, float | None]:
    """Median, and median distance from it scaled to a standard deviation, of the values that are finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None, None
    median = float(np.median(finite))
    return round(median, 5), round(1.4826 * float(np.median(np.abs(finite - median))), 5)


def _kind(gate: Gate) -> str:
    return type(gate).__name__.removesuffix("Gate").removeprefix("Binned").lower()


def _plain(gate: Gate) -> Gate:
    return gate.as_rectangle() if isinstance(gate, QuadrantGate) else gate


def _identity(values: FloatArray) -> FloatArray:
    return values


def _polygon(gate: PolygonGate) -> FloatArray:
    """Vertices with points between them, since a straight edge may be bent on the shown axes."""
    corners = np.array(gate.vertices)
    steps = np.linspace(0.0, 1.0, 9)[:-1, None]
    return np.concatenate([a + steps * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])


def _ellipse(gate: EllipsoidGate) -> FloatArray:
    if not gate.is_ellipsoid:
        return np.empty((0, 2))
    values, vectors = np.linalg.eigh(np.array(gate.covariance))
    angle = np.linspace(0.0, 2 * np.pi, 65)[:-1]
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(values * gate.distance_square)
    return np.asarray(np.array(gate.mean) + circle @ vectors.T, dtype=np.float64)


def _box(
    limits: dict[int, tuple[float | None, float | None]], ranges: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    """A rectangle on both axes; open sides run to the end of the picture."""
    edges = []
    for k in range(2):
        low, high = limits.get(k, (None, None))
        edges.append((ranges[k][0] if low is None else low, ranges[k][1] if high is None else high))
    (left, right), (bottom, top) = edges
    return [(left, bottom), (right, bottom), (right, top), (left, top)]
