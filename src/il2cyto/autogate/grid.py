"""Events as counts on a grid: what every method of one axis works on, and how it is drawn again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import LearningTube

FloatArray = NDArray[np.float64]

#: Cells of a grid; one is far narrower than any peak of real cells.
CELLS: Final = 512
#: Gates that are estimated anew from data drawn with replacement.
DRAWS: Final = 40


def _read_only(values: NDArray[np.floating]) -> FloatArray:
    fixed = np.array(values, dtype=np.float64)
    fixed.flags.writeable = False
    return fixed


@dataclass(frozen=True)
class Grid:
    """Equal cells from `low` to `high` in axis units.

    Examples
    --------
    >>> Grid(0.0, 1.0, 4).centres
    array([0.125, 0.375, 0.625, 0.875])
    """

    low: float
    high: float
    cells: int = CELLS

    @property
    def width(self) -> float:
        """Width of a cell."""
        return (self.high - self.low) / self.cells

    @cached_property
    def centres(self) -> FloatArray:
        """Middle of each cell, float64 ``(cells,)``, read-only."""
        return _read_only(self.low + (np.arange(self.cells) + 0.5) * self.width)

    @cached_property
    def edges(self) -> FloatArray:
        """Borders of the cells, float64 ``(cells + 1,)``, read-only."""
        return _read_only(self.low + np.arange(self.cells + 1) * self.width)

    def place(self, values: FloatArray) -> NDArray[np.int64]:
        """Return the cell of each finite value, int64 ``(n,)``; what lies outside belongs to the first or last cell."""
        scaled = np.clip((values - self.low) / self.width, 0.0, self.cells - 1.0)
        return scaled.astype(np.int64)

    def count(self, values: FloatArray) -> FloatArray:
        """Return how many values each cell holds, float64 ``(cells,)``; NaN is in none."""
        finite = values[np.isfinite(values)]
        return np.bincount(self.place(finite), minlength=self.cells).astype(np.float64)


def counted(tubes: Sequence[LearningTube], grid: Grid, axis: int = 0) -> FloatArray:
    """Return the counts of each tube on a grid, float64 ``(n_tubes, cells)``."""
    return np.stack([grid.count(tube.values[:, axis]) for tube in tubes])


def redraw(counts: FloatArray, rng: np.random.Generator, draws: int = DRAWS) -> Iterator[FloatArray]:
    """Yield pooled counts of tubes and events drawn with replacement.

    Parameters
    ----------
    counts
        Counts of each tube, float64 ``(n_tubes, …)``.
    rng
        Source of the draws.
    draws
        How many.

    Notes
    -----
    Tubes are drawn first, then the events of each cell as a Poisson number, which is the bootstrap of a sample whose
    size is itself a count. With one or two tubes, differences between tubes are not in the draws.
    """
    n = len(counts)
    for _ in range(draws):
        chosen = rng.integers(0, n, n) if n > 2 else np.arange(n)
        yield rng.poisson(counts[chosen].sum(axis=0)).astype(np.float64)


def smoothed(counts: FloatArray, grid: Grid, factor: float = 1.0) -> FloatArray:
    """Return a kernel density on the grid, float64 ``(cells,)``, of sum one.

    The bandwidth is ``0.6 min(SD, IQR/1.34) n^(-1/5)``, two thirds of Silverman's rule (Density
    Estimation, 1986, 3.31), because populations of cells have several peaks; never less than one cell.
    """
    from scipy.ndimage import gaussian_filter1d

    if counts.sum() <= 0:
        return np.zeros_like(counts)
    density: FloatArray = gaussian_filter1d(counts, bandwidth(counts, grid, factor), mode="nearest")
    return np.asarray(density / density.sum())


def bandwidth(counts: FloatArray, grid: Grid, factor: float = 1.0) -> float:
    """Return the standard deviation of the kernel of `smoothed`, in cells."""
    total = counts.sum()
    share = counts / total
    mean = float(share @ grid.centres)
    deviation = float(np.sqrt(share @ (grid.centres - mean) ** 2))
    quartiles = quantiles(counts, grid, np.array([0.25, 0.75]))
    spread = min(deviation, float(quartiles[1] - quartiles[0]) / 1.34) or deviation
    return float(max(factor * 0.6 * spread * total**-0.2 / grid.width, 1.0))


def quantiles(counts: FloatArray, grid: Grid, shares: FloatArray) -> FloatArray:
    """Return quantiles of counted values, interpolated within cells, float64 like `shares`."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    return np.asarray(np.interp(shares * below[-1], below, grid.edges))
