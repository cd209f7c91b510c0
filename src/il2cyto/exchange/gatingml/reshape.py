"""Polygons and ellipsoids moved to scales that Gating-ML has, where that changes no member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from il2cyto.gates import Dimension, EllipsoidGate, PolygonGate, Ratio
from il2cyto.transforms import Bounded, Clamped, FlowJoLinear, Transform


def reshaped(
    gate: PolygonGate | EllipsoidGate, transforms: Mapping[str, Transform]
) -> tuple[PolygonGate | EllipsoidGate, dict[str, Transform]]:
    """Return a gate with the same members, and the transforms that it refers to beyond those given.

    A shape on FlowJo's linear axis is moved to the linear scale. One that does not reach the bounds of its scale needs
    no bounds.

    Examples
    --------
    >>> gate = PolygonGate((Dimension("A", transform="t"), Dimension("B")), ((0.0, 0.0), (0.5, 0.0), (0.5, 9.0)))
    >>> reshaped(gate, {"t": FlowJoLinear(100.0, 300.0)})[0].vertices
    ((100.0, 0.0), (200.0, 0.0), (200.0, 9.0))
    """
    low, high = _extent(gate)
    dimensions: list[Dimension] = []
    further: dict[str, Transform] = {}
    scale, shift = np.ones(len(gate.dimensions)), np.zeros(len(gate.dimensions))
    for k, dimension in enumerate(gate.dimensions):
        transform = transforms.get(dimension.transform or "")
        bounded = isinstance(transform, (Bounded, Clamped)) and not isinstance(dimension.source, Ratio)
        if isinstance(transform, FlowJoLinear):
            scale[k], shift[k] = transform.maximum - transform.minimum, transform.minimum
            dimensions.append(replace(dimension, transform=None))
        elif bounded and isinstance(transform, (Bounded, Clamped)) and _clear(transform, low[k], high[k]):
            inner = transform.inner
            further |= {} if inner is None else {f"{dimension.transform}.unbounded": inner}
            name = None if inner is None else f"{dimension.transform}.unbounded"
            dimensions.append(replace(dimension, transform=name))
        else:
            dimensions.append(dimension)
    if tuple(dimensions) == gate.dimensions:
        return gate, {}
    if isinstance(gate, PolygonGate):
        first, second = dimensions
        vertices = tuple((float(x), float(y)) for x, y in np.array(gate.vertices) * scale + shift)
        return replace(gate, dimensions=(first, second), vertices=vertices), further
    mean = tuple(float(value) for value in np.array(gate.mean) * scale + shift)
    spread = np.array(gate.covariance) * np.outer(scale, scale)
    covariance = tuple(tuple(float(value) for value in row) for row in spread)
    return replace(gate, dimensions=tuple(dimensions), mean=mean, covariance=covariance), further


def _clear(transform: Bounded | Clamped, low: float, high: float) -> bool:
    """Whether a shape lies above the lower bound of a scale and not beyond the upper one."""
    return bool(low > transform.packed[0] and high <= transform.packed[1])


def _extent(gate: PolygonGate | EllipsoidGate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(gate, PolygonGate):
        vertices = np.array(gate.vertices)
        return vertices.min(axis=0), vertices.max(axis=0)
    if not gate.is_ellipsoid:
        open_ends = np.full(len(gate.mean), np.inf)
        return -open_ends, open_ends
    reach = np.sqrt(gate.distance_square * np.diag(np.array(gate.covariance))) * (1 + 1e-9)
    return np.array(gate.mean) - reach, np.array(gate.mean) + np.nextafter(reach, np.inf)
