"""Events and beads along the acquisition, in slices of equal time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Slices of an acquisition.
N_SLICES = 10


def time_slices(
    time: NDArray[np.float64], beads: NDArray[np.bool_], n_slices: int = N_SLICES
) -> dict[str, list[int]] | None:
    """Count events and beads among them in slices of equal time.

    Parameters
    ----------
    time
        Time of each event of the gate above the beads, any unit, ``(n_events,)``.
    beads
        Which of them are beads.
    n_slices
        Number of slices from the first to the last of these events.

    Returns
    -------
    dict or None
        ``events`` and ``beads``, `n_slices` numbers each; ``None`` where time is unknown or does not rise.

    Examples
    --------
    >>> time_slices(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False, True]), 2)
    {'events': [2, 3], 'beads': [1, 2]}
    """
    if not time.size or not np.isfinite(time).all():
        return None
    first, last = float(time.min()), float(time.max())
    if not last > first:
        return None
    place = np.minimum(((time - first) * (n_slices / (last - first))).astype(np.int64), n_slices - 1)
    return {
        "events": np.bincount(place, minlength=n_slices).tolist(),
        "beads": np.bincount(place[beads], minlength=n_slices).tolist(),
    }
