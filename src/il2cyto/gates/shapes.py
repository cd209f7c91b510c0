"""Rectangles, polygons, ellipsoids and quadrants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from il2cyto.errors import GateError
from il2cyto.gates.dimension import Dimension


@dataclass(frozen=True)
class Limits:
    """``minimum <= x < maximum`` on one dimension; ``None`` leaves a side open."""

    dimension: Dimension
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        for value in (self.minimum, self.maximum):
            if value is not None and math.isnan(value):
                raise GateError(f"limit of {self.dimension.label} is not a number")
        if self.minimum is None and self.maximum is None:
            raise GateError(f"dimension {self.dimension.label}: wants a minimum, a maximum or both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise GateError(f"dimension {self.dimension.label}: min {self.minimum} is above max {self.maximum}")


@dataclass(frozen=True)
class RectangleGate:
    """A range, rectangle or hyper-rectangle (Gating-ML 2.0, 5.1.1): inside all limits.

    Examples
    --------
    >>> RectangleGate((Limits(Dimension("FSC-A"), 50_000.0, None),)).dimensions[0].label
    'FSC-A'
    """

    limits: tuple[Limits, ...]

    def __post_init__(self) -> None:
        if not self.limits:
            raise GateError("a rectangle gate wants at least one dimension")

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The axes, in order."""
        return tuple(limit.dimension for limit in self.limits)


@dataclass(frozen=True)
class PolygonGate:
    """A polygon in two dimensions (Gating-ML 2.0, 5.1.2): inside by the even–odd rule, edges half-open.

    Parameters
    ----------
    dimensions
        Two axes.
    vertices
        At least three points in axis units; the last is joined to the first. Edges may cross.
    """

    dimensions: tuple[Dimension, Dimension]
    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.dimensions) != 2:
            raise GateError(f"a polygon gate wants two dimensions, got {len(self.dimensions)}")
        if len(self.vertices) < 3:
            raise GateError(f"a polygon gate wants at least three vertices, got {len(self.vertices)}")
        if any(len(vertex) != 2 or not all(map(math.isfinite, vertex)) for vertex in self.vertices):
            raise GateError("a polygon gate wants vertices of two finite coordinates")


@dataclass(frozen=True)
class EllipsoidGate:
    """An ellipsoid in two or more dimensions (Gating-ML 2.0, 5.1.3): ``(x - m)ᵀ S⁻¹ (x - m) <= D``.

    Parameters
    ----------
    dimensions
        `n` axes.
    mean
        Centre ``m``, in axis units.
    covariance
        Matrix ``S``, `n` rows of `n`, invertible. The formula is applied as written even where ``S`` is not symmetric
        positive definite, because published Gating-ML holds such gates; `is_ellipsoid` tells.
    distance_square
        ``D`` >= 0, the square of the Mahalanobis distance of the surface; 0 holds the centre alone.
    """

    dimensions: tuple[Dimension, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance_square: float

    def __post_init__(self) -> None:
        n = len(self.dimensions)
        if n < 2:
            raise GateError(f"an ellipsoid gate wants at least two dimensions, got {n}")
        if len(self.mean) != n or len(self.covariance) != n or any(len(row) != n for row in self.covariance):
            raise GateError(f"an ellipsoid gate in {n} dimensions wants a mean of {n} and a covariance of {n} × {n}")
        matrix = np.array(self.covariance)
        if not np.isfinite(matrix).all() or not all(map(math.isfinite, self.mean)):
            raise GateError("an ellipsoid gate wants finite numbers")
        # axes may differ by many decades (scatter beside a scale of 0 to 1), so the rank is that of the scaled matrix
        spread = np.sqrt(np.abs(matrix).max(axis=1))
        if not spread.all() or np.linalg.matrix_rank(matrix / np.outer(spread, spread)) < n:
            raise GateError("the covariance of an ellipsoid gate is singular")
        if not math.isfinite(self.distance_square) or self.distance_square < 0:
            raise GateError(f"distance square {self.distance_square}: must be finite and >= 0")

    @property
    def is_ellipsoid(self) -> bool:
        """Whether the covariance is symmetric positive definite, so that the region is an ellipsoid."""
        matrix = np.array(self.covariance)
        symmetric = np.allclose(matrix, matrix.T, rtol=1e-9, atol=0)
        return bool(symmetric and np.linalg.eigvalsh(matrix).min() > 0)


@dataclass(frozen=True)
class QuadrantGate:
    """One region of a quadrant gate (Gating-ML 2.0, 5.1.4): between neighbouring dividers on each dimension.

    Parameters
    ----------
    dimensions
        The divided axes.
    dividers
        For each axis its dividing values, ascending, in axis units.
    region
        For each axis the number of the interval, from 0 (below the first divider) to ``len(dividers)``; ``None`` where
        the region does not depend on the axis.
    """

    dimensions: tuple[Dimension, ...]
    dividers: tuple[tuple[float, ...], ...]
    region: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if not self.dimensions or not len(self.dimensions) == len(self.dividers) == len(self.region):
            raise GateError("a quadrant gate wants dividers and one interval for each dimension")
        for dimension, values, interval in zip(self.dimensions, self.dividers, self.region, strict=True):
            if not values or list(values) != sorted(set(values)) or not all(map(math.isfinite, values)):
                raise GateError(f"dividers of {dimension.label}: wants finite numbers in ascending order, got {values}")
            if interval is not None and not 0 <= interval <= len(values):
                raise GateError(
                    f"dividers of {dimension.label} make {len(values) + 1} intervals; there is no {interval}"
                )
        if all(interval is None for interval in self.region):
            raise GateError("a quadrant gate wants an interval on at least one dimension")

    def as_rectangle(self) -> RectangleGate:
        """Return the same region as a rectangle."""
        limits = []
        for dimension, values, interval in zip(self.dimensions, self.dividers, self.region, strict=True):
            if interval is None:
                continue
            low = values[interval - 1] if interval > 0 else None
            high = values[interval] if interval < len(values) else None
            limits.append(Limits(dimension, low, high))
        return RectangleGate(tuple(limits))

    @classmethod
    def regions(cls, dimensions: Sequence[Dimension], dividers: Sequence[Sequence[float]]) -> tuple[QuadrantGate, ...]:
        """Return every region; together they hold each event with defined coordinates exactly once."""
        counts = [range(len(values) + 1) for values in dividers]
        grid = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, len(counts))
        frozen = tuple(tuple(map(float, values)) for values in dividers)
        return tuple(cls(tuple(dimensions), frozen, tuple(int(i) for i in row)) for row in grid)
