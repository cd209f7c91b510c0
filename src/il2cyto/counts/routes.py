"""Cells/µL with their 95 % limits by each route, over arrays.

Every function takes its counts with the replicate tubes of one blood sample on the last axis (length 1 for a single
tube) and returns arrays without that axis. Nothing is checked here: :mod:`il2cyto.counts.absolute` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def by_beads(
    cells: Floats,
    beads: Floats,
    ul_per_bead: Floats,
    cv_pipetting: float,
    cv_lot: float,
    lots: Sequence[str] | None = None,
    doublets: Floats | float = 0.0,
) -> Estimates:
    """Counting beads: ``cells / beads / ul_per_bead``, variance ``1/N + 1/N_beads + CV_pip² + CV_lot²``.

    Each tube stands for a volume of blood, beads × ``ul_per_bead``; cells and volumes are summed over replicates. Each
    tube was pipetted for itself, so that error falls with replicates; a bead lot is shared by the tubes of this lot.
    `lots` names the lot of each tube, by default one lot. Of the bead events `doublets` are two beads each: with ``D``
    of them among ``N`` events there are ``N + D`` beads, known as well as ``(N + D)² / (N + 3 D)`` counted ones.
    """
    number = beads + doublets
    volume = number * ul_per_bead
    total = volume.sum(axis=-1)
    weight = volume / total[..., None]
    n = cells.sum(axis=-1)
    # the variance of the summed volume, Σ w²/N_beads, as that of so many beads in one tube
    bead_equivalent = 1.0 / (weight**2 * (beads + 3.0 * doublets) / number**2).sum(axis=-1)
    other = (weight**2).sum(axis=-1) * cv_pipetting**2 + lot_share(weight, lots) * cv_lot**2
    lower, upper = ratio_limits(n, bead_equivalent)
    scale = bead_equivalent / total
    return _scaled(scale, n / bead_equivalent, lower, upper, other, _inverse(n) + 1.0 / bead_equivalent)


def lot_share(weight: Floats, lots: Sequence[str] | None) -> Floats:
    """Share of the variance of one lot that is left when tubes of the lots have these weights: ``Σ_lot (Σ w)²``.

    Examples
    --------
    >>> weight = np.array([0.25, 0.75])
    >>> float(lot_share(weight, ["A", "A"])), float(lot_share(weight, ["A", "B"]))
    (1.0, 0.625)
    """
    if lots is None:
        return np.ones(weight.shape[:-1])
    names = np.asarray(lots)
    parts = [weight[..., names == name].sum(axis=-1) for name in dict.fromkeys(lots)]
    return np.asarray(sum(part**2 for part in parts))


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


def by_pure_share(
    cells: Floats, denominator: Floats, pure: Floats, gate: Floats, alc_per_ul: Floats, cv_alc: float
) -> Estimates:
    """Dual platform corrected for purity: share of the denominator / purity × lymphocytes/µL.

    The purity is ``pure / gate``, counted apart from the share: in another tube, or for cells that need not lie inside
    `pure` (then the variance is too large rather than too small). Variance ``(1 - p)/N + (1 - q)/N_pure + CV_ALC²``.
    Cells inside `pure` of the same tube are a share of it: `by_alc` with `pure` as denominator.
    """
    n, parent = cells.sum(axis=-1), denominator.sum(axis=-1)
    share = n / parent
    whole = of_impure(pure, gate, alc_per_ul, cv_alc)
    below, above = np.log(whole.value / whole.lower), np.log(whole.upper / whole.value)
    lower, upper = combine_limits(share, *share_limits(n, parent), below, above)
    cv = np.sqrt((1.0 - share) * _inverse(n) + whole.cv**2)
    return Estimates(whole.value * share, whole.value * lower, whole.value * upper, cv)


def of_impure(pure: Floats, gate: Floats, alc_per_ul: Floats, cv_alc: float) -> Estimates:
    """Cells/µL of a gate of which only the share ``pure / gate`` are the blood count's lymphocytes."""
    k, total = pure.sum(axis=-1), gate.sum(axis=-1)
    purity = k / total
    low, high = share_limits(k, total)
    half = Z95 * cv_alc
    value = alc_per_ul / purity
    lower = value * np.exp(-np.hypot(half, np.log(high / purity)))
    upper = value * np.exp(np.hypot(half, np.log(purity / low)))
    return Estimates(value, lower, upper, np.sqrt((1.0 - purity) * _inverse(k) + cv_alc**2))


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
