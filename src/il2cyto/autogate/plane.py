"""Populations on two axes as mixtures of normal components, fitted to counts on a grid of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import LearningTube
from il2cyto.autogate.grid import Grid

FloatArray = NDArray[np.float64]
CELLS: Final = 128


@dataclass(frozen=True)
class Plane:
    """A grid of ``CELLS × CELLS`` cells."""

    x: Grid
    y: Grid

    @classmethod
    def over(cls, limits: Sequence[tuple[float, float]]) -> Plane:
        """Return the plane over the limits of two axes."""
        return cls(Grid(*limits[0], CELLS), Grid(*limits[1], CELLS))

    def count(self, values: FloatArray) -> FloatArray:
        """Return events per cell, float64 ``(CELLS, CELLS)`` by x and y; events with a NaN are in none."""
        finite = values[np.isfinite(values).all(axis=1)]
        cells = self.x.place(finite[:, 0]) * CELLS + self.y.place(finite[:, 1])
        return np.bincount(cells, minlength=CELLS * CELLS).astype(np.float64).reshape(CELLS, CELLS)

    def points(self) -> FloatArray:
        """Return the middle of each cell, float64 ``(CELLS², 2)``, y running fastest."""
        x, y = np.meshgrid(self.x.centres, self.y.centres, indexing="ij")
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def mask(self, vertices: FloatArray) -> FloatArray:
        """Return the share of each cell inside a polygon, float64 ``(CELLS, CELLS)``, from 3 × 3 points a cell."""
        from matplotlib.path import Path

        path, points, total = Path(np.vstack([vertices, vertices[:1]])), self.points(), np.zeros(CELLS * CELLS)
        for dx in (-1.0, 0.0, 1.0):
            for dy in (-1.0, 0.0, 1.0):
                total += path.contains_points(points + np.array([dx * self.x.width, dy * self.y.width]) / 3.0)
        return (total / 9.0).reshape(CELLS, CELLS)


@dataclass(frozen=True)
class Clouds:
    """Normal components: weight ``(k,)``, mean ``(k, 2)``, covariance ``(k, 2, 2)``, and which are of the target."""

    weight: FloatArray
    mean: FloatArray
    covariance: FloatArray
    target: NDArray[np.bool_]

    def densities(self, points: FloatArray, area: float) -> FloatArray:
        """Return weight × density × area of each component at points, float64 ``(k, n)``."""
        x, y = (points[None, :, axis] - self.mean[:, axis, None] for axis in (0, 1))
        inverse = np.linalg.inv(self.covariance)[:, :, :, None]
        distance = inverse[:, 0, 0] * x * x + 2.0 * inverse[:, 0, 1] * x * y + inverse[:, 1, 1] * y * y
        scale = self.weight / (2.0 * np.pi * np.sqrt(np.linalg.det(self.covariance)))
        return np.asarray(area * scale[:, None] * np.exp(-0.5 * distance))


def begin(
    plane: Plane, counts: FloatArray, inside: FloatArray, target: int, others: int, seed: int = 0
) -> Clouds | None:
    """Return components to begin with, `target` inside a polygon and `others` outside; ``None`` if a side is empty."""
    from sklearn.cluster import KMeans

    points = plane.points()
    weights, means, covariances, targets = [], [], [], []
    for share, number_of, is_target in ((inside, target, True), (1.0 - inside, others, False)):
        held = (counts * share).ravel()
        some = np.flatnonzero(held > 0)
        if len(some) < 3 * number_of:
            return None
        scale = np.array([plane.x.high - plane.x.low, plane.y.high - plane.y.low])
        means_of = KMeans(number_of, n_init=1, random_state=seed)
        label = means_of.fit(points[some] / scale, sample_weight=held[some]).labels_
        for k in range(number_of):
            own = some[label == k]
            mass = held[own]
            mean = mass @ points[own] / mass.sum()
            apart = points[own] - mean
            weights.append(mass.sum())
            means.append(mean)
            covariances.append((mass[:, None] * apart).T @ apart / mass.sum() + _floor(plane))
            targets.append(is_target)
    weight = np.array(weights)
    return Clouds(weight / weight.sum(), np.array(means), np.array(covariances), np.array(targets))


def _floor(plane: Plane) -> FloatArray:
    return np.diag([(1.5 * plane.x.width) ** 2, (1.5 * plane.y.width) ** 2])


def expect_maximise(start: Clouds, plane: Plane, counts: FloatArray, steps: int) -> Clouds:
    """Fit the components to counts by expectation–maximisation; a component without events keeps its place."""
    some = np.flatnonzero(counts.ravel() > 0)
    points, held = plane.points()[some], counts.ravel()[some]
    now, floor = start, _floor(plane)
    for _ in range(steps):
        parts = now.densities(points, 1.0)
        total = parts.sum(axis=0)
        shares = parts * np.divide(held, total, out=np.zeros_like(held), where=total > 0)
        each = shares.sum(axis=1)
        alive = each > 5.0
        safe = np.where(alive, each, 1.0)
        mean = np.where(alive[:, None], shares @ points / safe[:, None], now.mean)
        x, y = (points[None, :, axis] - mean[:, axis, None] for axis in (0, 1))
        xx, xy, yy = ((shares * product).sum(axis=1) / safe for product in (x * x, x * y, y * y))
        covariance = np.stack([np.stack([xx, xy], axis=1), np.stack([xy, yy], axis=1)], axis=1) + floor
        covariance = np.where(alive[:, None, None], covariance, now.covariance)
        weight = each / each.sum()
        moved = float(np.abs(mean - now.mean).max() + np.abs(weight - now.weight).max())
        now = Clouds(weight, mean, covariance, now.target)
        if moved < 1e-5:
            break
    return now


def split(clouds: Clouds, plane: Plane) -> tuple[FloatArray, FloatArray]:
    """Return expected shares of all events per cell of target and of others, float64 ``(CELLS, CELLS)`` each."""
    parts = clouds.densities(plane.points(), plane.x.width * plane.y.width)
    target = parts[clouds.target].sum(axis=0).reshape(CELLS, CELLS)
    others = parts[~clouds.target].sum(axis=0).reshape(CELLS, CELLS)
    return target, others


def counted(tubes: Sequence[LearningTube], plane: Plane) -> FloatArray:
    """Return the counts of each tube, float64 ``(n_tubes, CELLS, CELLS)``."""
    return np.stack([plane.count(tube.values) for tube in tubes])
