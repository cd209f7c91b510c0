"""Gating in the plainest NumPy: every event transformed, every gate asked of every event. The truth for the engine."""

from __future__ import annotations

import numpy as np

from il2cyto.gates import BooleanGate, Dimension, EllipsoidGate, PolygonGate, QuadrantGate, Ratio, RectangleGate
from il2cyto.gating import GatingStrategy
from il2cyto.sample import Sample


def coordinates(strategy: GatingStrategy, sample: Sample, dimension: Dimension) -> np.ndarray:
    if isinstance(dimension.source, Ratio):
        ratio = dimension.source
        top, bottom = (
            coordinates(strategy, sample, Dimension(name, dimension.compensation))
            for name in (ratio.numerator, ratio.denominator)
        )
        with np.errstate(all="ignore"):
            x = ratio.A * ((top - ratio.B) / (bottom - ratio.C))
    else:
        x = sample.events[:, sample.names.index(dimension.source)]
        matrix = {"FCS": sample.spillover, **strategy.matrices}.get(dimension.compensation)
        if matrix is not None and dimension.source in matrix.detectors:
            columns = [sample.names.index(name) for name in matrix.detectors]
            solved = matrix.compensate(sample.events[:, columns])
            x = solved[:, matrix.detectors.index(dimension.source)]
    return x if dimension.transform is None else strategy.transforms[dimension.transform].apply(x)


def inside_polygon(x: np.ndarray, y: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(x), dtype=bool)
    for (ax, ay), (bx, by) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        side = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        inside ^= ((ay <= y) & (y < by) & (side > 0)) | ((ay > y) & (by <= y) & (side < 0))
    return inside


def membership(strategy: GatingStrategy, sample: Sample) -> dict[str, tuple[np.ndarray, int]]:
    """Members and number of undefined parent events of every population, by path."""
    found: dict[int, tuple[np.ndarray, int]] = {}
    for i in strategy.order:
        population = strategy.populations[i]
        gate = population.gate
        parent = found[strategy.parents[i]][0] if strategy.parents[i] >= 0 else np.ones(sample.n_events, dtype=bool)
        undefined = np.zeros(sample.n_events, dtype=bool)
        if isinstance(gate, BooleanGate):
            parts = [found[strategy.resolve(o.population)][0] ^ o.complement for o in gate.operands]
            combine = {"and": np.logical_and.reduce, "or": np.logical_or.reduce, "not": lambda p: ~p[0]}
            shape = combine[gate.operation](parts)
        else:
            gate = gate.as_rectangle() if isinstance(gate, QuadrantGate) else gate
            values = [coordinates(strategy, sample, d) for d in gate.dimensions]
            undefined = ~np.logical_and.reduce([v > -np.inf for v in values])
            with np.errstate(all="ignore"):
                shape = _shape(gate, values) & ~undefined
        found[i] = parent & (shape ^ population.complement), int((parent & undefined).sum())
    return {strategy.paths[i]: value for i, value in found.items()}


def _shape(gate: RectangleGate | PolygonGate | EllipsoidGate, values: list[np.ndarray]) -> np.ndarray:
    if isinstance(gate, RectangleGate):
        keep = np.ones(len(values[0]), dtype=bool)
        for limit, x in zip(gate.limits, values, strict=True):
            if limit.minimum is not None:
                keep &= x >= limit.minimum
            if limit.maximum is not None:
                keep &= x < limit.maximum
        return keep
    if isinstance(gate, PolygonGate):
        return inside_polygon(values[0], values[1], np.array(gate.vertices))
    shifted = np.column_stack(values) - np.array(gate.mean)
    return ((shifted @ np.linalg.inv(np.array(gate.covariance))) * shifted).sum(axis=1) <= gate.distance_square
