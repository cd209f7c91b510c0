"""Cells/µL with their 95 % limits by each route, over arrays.

Every function takes its counts with the replicate tubes of one blood sample on the last axis (length 1 for a single
tube) and returns arrays without that axis. Nothing is checked here: :mod:`il2cyto.counts.absolute` does that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from il2cyto.counts.intervals import (
    Z95,
    Floats,
    combine_limits,
    event_limits,
    ratio_limits,
    share_limits,
)


class Estimates(NamedTuple):
    """Estimates in cells/µL; `cv` is the standard deviation of the log, NaN where `value` is 0."""

    value: Floats
    lower: Floats
    upper: Floats
    cv: Floats


def by_beads(cells: Floats, beads: Floats, ul_per_bead: Floats, cv_pipetting: float, cv_lot: float) -> Estimates:
    """Counting beads: ``cells / beads / ul_per_bead``, variance ``1/N + 1/N_beads + CV_pip² + CV_lot²``.

    Each tube stands for a volume of blood, beads × ``ul_per_bead``; cells and volumes are summed over replicates. Each
    tube was pipetted for itself, so that error falls with replicates; the bead lot is shared, so its error does not.
    """
    volume = beads * ul_per_bead
    total = volume.sum(axis=-1)
    weight = volume / total[..., None]
    n = cells.sum(axis=-1)
    # the variance of the summed volume, Σ w²/N_beads, as that of so many beads in one tube
    bead_equivalent = 1.0 / (weight**2 / beads).sum(axis=-1)
    other = (weight**2).sum(axis=-1) * cv_pipetting**2 + cv_lot**2
    lower, upper = ratio_limits(n, bead_equivalent)
    scale = bead_equivalent / total
    return _scaled(scale, n / bead_equivalent, lower, upper, other, _inverse(n) + 1.0 / bead_equivalent)


def by_volume(cells: Floats, volume_ul: Floats, cv_volume: float) -> Estimates:
    """Acquired volume: ``cells / volume_ul`` (µL of blood), variance ``1/N + CV_vol²``.

    The error of the volume is that of the cytometer's calibration: replicates share it.
    """
    n = cells.sum(axis=-1)
    lower, upper = event_limits(n)
    return _scaled(1.0 / volume_ul.sum(axis=-1), n, lower, upper, np.full(n.shape, cv_volume**2), _inverse(n))


def by_alc(cells: Floats, denominator: Floats, alc_per_ul: Floats, cv_alc: float) -> Estimates:
    """Dual platform: share of the denominator × lymphocytes/µL, variance ``(1 - p)/N + CV_ALC²``."""
    n, parent = cells.sum(axis=-1), denominator.sum(axis=-1)
    share = n / parent
    lower, upper = share_limits(n, parent)
    other = np.full(n.shape, cv_alc**2)
    return _scaled(alc_per_ul, share, lower, upper, other, (1.0 - share) * _inverse(n))


def by_chain(child: Floats, parent: Floats, per_ul: Estimates) -> Estimates:
    """Share of a parent counted in another tube × that parent's cells/µL, variance ``var(log parent) + (1 - p)/N``.

    Each side takes the parent's own distance to its limit. A parent of 0 cells/µL has no log scale: the value and its
    lower limit are 0, the upper limit is the product of both upper limits.
    """
    n, total = child.sum(axis=-1), parent.sum(axis=-1)
    share = n / total
    low, high = share_limits(n, total)
    seen = per_ul.value > 0
    at, at_low, at_high = (np.where(seen, x, 1.0) for x in (per_ul.value, per_ul.lower, per_ul.upper))
    lower, upper = combine_limits(at * share, at * low, at * high, np.log(at / at_low), np.log(at_high / at))
    cv = np.sqrt(per_ul.cv**2 + (1.0 - share) * _inverse(n))
    return Estimates(
        np.where(seen, at * share, 0.0),
        np.where(seen, lower, 0.0),
        np.where(seen, upper, per_ul.upper * high),
        np.where(seen, cv, np.nan),
    )


def _scaled(scale: Floats, point: Floats, lower: Floats, upper: Floats, other: Floats, counting: Floats) -> Estimates:
    half = Z95 * np.sqrt(other)
    low, high = combine_limits(point, lower, upper, half, half)
    return Estimates(scale * point, scale * low, scale * high, np.sqrt(counting + other))


def _inverse(events: Floats) -> Floats:
    return np.where(events > 0, 1.0 / np.maximum(events, 1.0), np.nan)
