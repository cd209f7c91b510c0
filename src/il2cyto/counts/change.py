"""Change of an absolute count from baseline: ratio and difference with 95 % limits, over arrays.

The limits of the two counts are recovered into limits of their ratio (on the log scale) or difference by adding the
distances from the points to the limits in quadrature, each side alone (Zou and Donner, Stat Med 2008;27:1693, MOVER).
Between two tubes nothing is shared but a bead lot: pipetting, counting, the blood count and the acquired volume count
as errors of each tube alone. With one lot at both visits its error falls out of the ratio, and in the difference it
acts on the difference alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from il2cyto.counts.intervals import Z95, Floats, combine_limits


class Measured(NamedTuple):
    """Cells/µL with 95 % limits, with the limits without the error of the bead lot, and the CV that the lot brings."""

    value: Floats
    lower: Floats
    upper: Floats
    lower_within_lot: Floats
    upper_within_lot: Floats
    cv_lot: Floats


class Change(NamedTuple):
    """A ratio or difference with 95 % limits."""

    value: Floats
    lower: Floats
    upper: Floats


def ratio_to_baseline(now: Measured, baseline: Measured, same_lot: NDArray[np.bool_]) -> Change:
    """Ratio ``now / baseline`` with 95 % limits; NaN where the baseline is 0 or either count is missing.

    Parameters
    ----------
    now, baseline
        Arrays of one shape.
    same_lot
        Where both come from beads of one lot.

    Examples
    --------
    Both counts have a CV of 5 % without the lot; the lot's 2 % fall out:

    >>> half, full = (np.exp(1.96 * np.array([cv])) for cv in (0.05, np.hypot(0.05, 0.02)))
    >>> counts = [Measured(x, x / full, x * full, x / half, x * half, np.array([0.02]))
    ...           for x in (np.array([200.0]), np.array([100.0]))]
    >>> [float(x[0].round(3)) for x in ratio_to_baseline(*counts, np.array([True]))]
    [2.0, 1.741, 2.297]
    >>> [float(x[0].round(3)) for x in ratio_to_baseline(*counts, np.array([False]))]
    [2.0, 1.723, 2.322]
    """
    low, high = _limits(now, same_lot)
    base_low, base_high = _limits(baseline, same_lot)
    known = np.isfinite(now.value) & np.isfinite(baseline.value) & (baseline.value > 0)
    base, base_low, base_high = (np.where(known, x, 1.0) for x in (baseline.value, base_low, base_high))
    point, low, high = (np.where(known, x, 1.0) for x in (now.value, low, high))
    lower, upper = combine_limits(point, low, high, np.log(base_high / base), np.log(base / base_low))
    return Change(*(np.where(known, x / base, np.nan) for x in (point, lower, upper)))


def difference_to_baseline(now: Measured, baseline: Measured, same_lot: NDArray[np.bool_]) -> Change:
    """Difference ``now - baseline`` in cells/µL with 95 % limits; NaN where either count is missing.

    Parameters
    ----------
    now, baseline, same_lot
        As `ratio_to_baseline` takes them; a baseline of 0 is a number like any other here.

    Examples
    --------
    >>> counts = [Measured(*(np.array([x]) for x in row)) for row in
    ...           [(12.0, 8.0, 17.0, 8.0, 17.0, 0.0), (0.0, 0.0, 4.0, 0.0, 4.0, 0.0)]]
    >>> [float(x[0].round(2)) for x in difference_to_baseline(*counts, np.array([False]))]
    [12.0, 6.34, 17.0]
    """
    low, high = _limits(now, same_lot)
    base_low, base_high = _limits(baseline, same_lot)
    change = now.value - baseline.value
    lot = np.where(same_lot, Z95 * np.fmax(now.cv_lot, baseline.cv_lot) * change, 0.0)
    below = np.sqrt((now.value - low) ** 2 + (base_high - baseline.value) ** 2 + lot**2)
    above = np.sqrt((high - now.value) ** 2 + (baseline.value - base_low) ** 2 + lot**2)
    return Change(change, change - below, change + above)


def _limits(count: Measured, same_lot: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    return (
        np.where(same_lot, count.lower_within_lot, count.lower),
        np.where(same_lot, count.upper_within_lot, count.upper),
    )
