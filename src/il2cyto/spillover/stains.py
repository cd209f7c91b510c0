"""Single stains as arrays, and which of their events carry the dye."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
#: Fewest events that a median is taken of.
FEWEST = 100


@dataclass(frozen=True)
class Stain:
    """One control with one dye, or with none.

    Parameters
    ----------
    detector
        The detector of the dye; empty for an unstained control.
    values
        Uncompensated linear values, float64 ``(n_events, n_detectors)``.
    """

    detector: str
    values: FloatArray = field(repr=False, compare=False)


@dataclass(frozen=True)
class Split:
    """Events of a stain with and without the dye, float64 ``(n, n_detectors)``, and why there are none."""

    positive: FloatArray = field(repr=False)
    negative: FloatArray = field(repr=False)
    reason: str = ""


def split(stain: Stain, own: int, unstained: FloatArray) -> Split:
    """Return the events that carry the dye and those that do not.

    Parameters
    ----------
    stain
        The control.
    own
        Position of its detector.
    unstained
        Values of the unstained control.

    Notes
    -----
    Positive are events above the 99.9th percentile of the unstained control in the dye's own detector, and of these the
    middle 90 %, so that a few saturated or dim ones decide nothing. Negative are events of the same control below the
    99th percentile, which share its treatment; where these are fewer than 100, those of the unstained control.
    """
    values = stain.values[np.isfinite(stain.values).all(axis=1)]
    bare = unstained[np.isfinite(unstained).all(axis=1)]
    if len(bare) < FEWEST:
        return Split(values[:0], bare, f"{len(bare)} events of the unstained control, wanted {FEWEST}")
    low, high = np.quantile(bare[:, own], [0.99, 0.999])
    bright = values[values[:, own] > high]
    if len(bright) < FEWEST:
        return Split(bright, bare, f"{len(bright)} events are brighter than the unstained control, wanted {FEWEST}")
    first, last = np.quantile(bright[:, own], [0.05, 0.95])
    positive = bright[(bright[:, own] >= first) & (bright[:, own] <= last)]
    negative = values[values[:, own] <= low]
    return Split(positive, negative if len(negative) >= FEWEST else bare)
