"""Events at the end of a channel's range, whose true value is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Events on the lowest value of a channel, relative to all, from which they are called a pile.
_PILE: Final = 0.001


@dataclass(frozen=True)
class Margins:
    """Events at the ends of the ranges.

    Attributes
    ----------
    upper
        Which events have reached the last value of a channel, bool ``(n_events,)``.
    upper_share, lower_share
        Share of events at the last value, and of those that pile up on the lowest, a fraction, ``(n_channels,)``.
    """

    upper: BoolArray
    upper_share: FloatArray
    lower_share: FloatArray


def find_margins(stored: FloatArray, ranges: FloatArray) -> Margins:
    """Find events at the ends of the ranges; nothing is removed or clipped.

    Parameters
    ----------
    stored
        Values as stored, ``(n_events, n_channels)``.
    ranges
        ``$PnR`` of each channel; NaN or at most 1 where it says nothing.

    Notes
    -----
    A value reaches the upper end at ``$PnR - 1``. At the lower end negative values are ordinary: only a pile of more
    than 0.1 % of the events on one exact value is told. PeacoQC's `RemoveMargins` takes away what is at most -111 or
    the lowest value of its channel as well.

    Examples
    --------
    >>> found = find_margins(np.array([[1023.0], [5.0], [0.0], [0.0]]), np.array([1024.0]))
    >>> found.upper.tolist(), found.upper_share.tolist(), found.lower_share.tolist()
    ([True, False, False, False], [0.25], [0.5])
    """
    n_events, n_channels = stored.shape
    if not n_events:
        return Margins(np.zeros(0, dtype=np.bool_), np.zeros(n_channels), np.zeros(n_channels))
    with np.errstate(invalid="ignore"):
        top: BoolArray = np.asarray((stored >= ranges - 1) & (ranges > 1))
    lowest = np.count_nonzero(stored == stored.min(axis=0), axis=0)
    pile = (lowest > 1) & (lowest > _PILE * n_events) & (lowest < n_events)
    return Margins(np.asarray(top.any(axis=1)), top.mean(axis=0), np.where(pile, lowest / n_events, 0.0))
