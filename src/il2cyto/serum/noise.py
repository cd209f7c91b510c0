"""The signal below which the spread of readings no longer falls with their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Levels, from the lowest signal on, whose repeats tell the noise; and how many deviations above 0 are no noise.
_LOWEST: Final = 3
_ABOVE: Final = 3.0


def noise_floor(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the signal below which the spread is taken to be that at this signal.

    A spread of ``sigma * signal**theta`` ends at 0 where the signal does; that of net signals, from which the blank was
    taken, does not, and a weight of 1/y² would hang the curve on its blanks. Where the lowest signals are lost in the
    scatter of their own repeats, the floor is the signal at which the relative scatter of the other levels comes to the
    same (the two components of Rocke and Lorenzato 1995). Everywhere else it is next to nothing.

    Parameters
    ----------
    x, y
        Concentrations and signals of the readings, shape ``(n,)``.
    """
    size = np.abs(y)
    least = max(float(size[size > 0].min()) / 10, float(size.max()) * 1e-6)
    levels = sorted((y[x == level] for level in np.unique(x)), key=lambda own: abs(own.mean()))
    means = np.array([abs(own.mean()) for own in levels])
    df = np.array([own.size - 1 for own in levels])
    squares = np.array([float(np.sum((own - own.mean()) ** 2)) for own in levels])
    if df[:_LOWEST].sum() == 0:
        # no repeats: a signal of 0 or less is lost, however little is known of the noise
        return max(least, float(np.median(means[:_LOWEST]))) if (y <= 0).any() else least
    noise = float(np.sqrt(squares[:_LOWEST].sum() / df[:_LOWEST].sum()))
    if means[0] > _ABOVE * noise:
        return least
    above = (np.arange(means.size) >= _LOWEST) & (means > 0) & (df > 0)
    share = np.sqrt((squares[above] / means[above] ** 2).sum() / df[above].sum()) if above.any() else 0.0
    return max(least, min(noise / share if share > 0 else np.inf, float(np.median(means))))
