"""Find the bead populations of a kit: by size, then by the classification dye."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.stats import chi2

from il2cyto.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Bins per axis of the histogram of size, and of the classification dye.
_SIZE_BINS, _DYE_BINS = 128, 1024
#: A population of beads has at least this share of what its group would have with equal ones.
_LEAST_SHARE: Final = 0.2
#: Events of a group lie within this quantile of a normal one, those of a bead within so many spreads of its median.
_SIZE_LEVEL, _DYE_SPREADS = 0.975, 3.5
_MAD: Final = 1.4826
_ROUNDS: Final = 60


@dataclass(frozen=True)
class BeadGates:
    """Where the beads of a kit lie.

    Attributes
    ----------
    centres, covariances
        Of the groups in log10 forward and side scatter, shapes ``(g, 2)`` and ``(g, 2, 2)``.
    medians, spreads
        Of the beads in log10 classification dye, one array per group, dimmest first.
    lower, upper
        Between which a bead lies; neighbours do not overlap.
    n_events
        Events that they were found in.
    """

    centres: NDArray[np.float64]
    covariances: NDArray[np.float64]
    medians: tuple[NDArray[np.float64], ...]
    spreads: tuple[NDArray[np.float64], ...]
    lower: tuple[NDArray[np.float64], ...]
    upper: tuple[NDArray[np.float64], ...]
    n_events: int


def find_beads(
    forward: NDArray[np.float64], side: NDArray[np.float64], dye: NDArray[np.float64], n_beads: Sequence[int]
) -> BeadGates:
    """Find the populations of beads.

    Groups are the densest places of log scatter, each as an ellipse of 97.5 % around them with a robust covariance;
    the beads of a group are the peaks of its log dye, divided in the valleys: as many as most widths of
    smoothing leave.

    Parameters
    ----------
    forward, side, dye
        Scatter and classification dye of events on the linear scale, shape ``(n,)``.
    n_beads
        Beads of each group, groups from the smallest size on.

    Raises
    ------
    GateError
        If there are fewer groups or another number of peaks than the kit has; the message says how many were found.
    """
    _, scatter, dyes = _logarithms(forward, side, dye)
    if len(scatter) < 30 * sum(n_beads):
        raise GateError(f"{len(scatter)} events; {sum(n_beads)} beads need at least {30 * sum(n_beads)}")
    centres, covariances = _groups(scatter, len(n_beads))
    member = _nearest(scatter, centres, covariances)
    found = [_peaks(dyes[member == group], wanted, group + 1) for group, wanted in enumerate(n_beads)]
    medians, spreads, lower, upper = zip(*found, strict=True)
    return BeadGates(centres, covariances, tuple(medians), tuple(spreads), tuple(lower), tuple(upper), len(scatter))


def assign_beads(
    gates: BeadGates, forward: NDArray[np.float64], side: NDArray[np.float64], dye: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the bead of each event, counted through the groups, or -1 for what is none; shape ``(n,)``."""
    found = np.full(forward.shape, -1, dtype=np.int64)
    known, scatter, dyes = _logarithms(forward, side, dye)
    member = _nearest(scatter, gates.centres, gates.covariances)
    inside = np.full(dyes.shape, -1, dtype=np.int64)
    first = 0
    for group, (lower, upper) in enumerate(zip(gates.lower, gates.upper, strict=True)):
        for bead in range(lower.size):
            here = (member == group) & (dyes >= lower[bead]) & (dyes < upper[bead])
            inside[here] = first + bead
        first += lower.size
    found[known] = inside
    return found


def _logarithms(
    forward: NDArray[np.float64], side: NDArray[np.float64], dye: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Which events have logarithms, and those of their scatter and their dye."""
    known = (forward > 0) & (side > 0) & (dye > 0)
    return known, np.log10(np.stack([forward[known], side[known]], axis=1)), np.log10(dye[known])


def _groups(scatter: NDArray[np.float64], wanted: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.quantile(scatter, (0.001, 0.999), axis=0)
    edges = [np.linspace(low[axis], high[axis], _SIZE_BINS + 1) for axis in (0, 1)]
    smooth = _density(scatter, edges)
    middles = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    centres: list[NDArray[np.float64]] = []
    covariances: list[NDArray[np.float64]] = []
    free = np.ones(len(scatter), dtype=bool)
    for _ in range(wanted):
        peak = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
        if smooth[peak] <= 0:
            break
        start = np.array([middles[axis][peak[axis]] for axis in (0, 1)])
        centre, covariance = _ellipse(scatter[free], start)
        centres.append(centre)
        covariances.append(covariance)
        # what belongs to this group with a wide margin cannot be the centre of another
        free &= _distance(scatter, centre, covariance) > chi2.ppf(0.9999, 2)
        smooth = _density(scatter[free], edges)
    if len(centres) < wanted:
        raise GateError(f"{len(centres)} groups of size found; the kit has {wanted}")
    order = np.argsort([centre[0] for centre in centres])
    return np.array(centres)[order], np.array(covariances)[order]


def _density(scatter: NDArray[np.float64], edges: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    counts = np.histogram2d(scatter[:, 0], scatter[:, 1], bins=(edges[0], edges[1]))[0]
    return np.asarray(gaussian_filter(counts, 2.0), dtype=np.float64)


def _ellipse(
    scatter: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and covariance of the events around a peak, from a small circle outwards."""
    centre, covariance = start, np.eye(2) * 0.04**2
    cut = chi2.ppf(_SIZE_LEVEL, 2)
    # the covariance of a normal one cut off there is smaller by this factor
    shrink = chi2.cdf(cut, 4) / _SIZE_LEVEL
    for _ in range(_ROUNDS):
        near = scatter[_distance(scatter, centre, covariance) <= cut]
        if len(near) < 10:
            raise GateError("a group of beads has too few events to be found")
        renewed = np.median(near, axis=0)
        wider = np.cov(near.T) / shrink + np.eye(2) * 1e-6
        settled = np.allclose(renewed, centre, atol=1e-6) and np.allclose(wider, covariance, rtol=1e-3)
        centre, covariance = renewed, wider
        if settled:
            break
    return centre, covariance


def _distance(
    scatter: NDArray[np.float64], centre: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    away = scatter - centre
    return np.asarray(np.einsum("ij,jk,ik->i", away, np.linalg.inv(covariance), away))


def _nearest(
    scatter: NDArray[np.float64], centres: NDArray[np.float64], covariances: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The group whose ellipse holds an event, or -1."""
    distances = np.stack([_distance(scatter, *one) for one in zip(centres, covariances, strict=True)], axis=1)
    nearest = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) <= chi2.ppf(_SIZE_LEVEL, 2), nearest, -1)


def _peaks(dyes: NDArray[np.float64], wanted: int, group: int) -> tuple[NDArray[np.float64], ...]:
    """Medians, spreads and limits of the populations of one group."""
    least = _LEAST_SHARE * dyes.size / wanted
    low, high = float(dyes.min()) - 0.2, float(dyes.max()) + 0.2
    counts, edges = np.histogram(dyes, bins=_DYE_BINS, range=(low, high))
    seen: dict[int, list[tuple[NDArray[np.float64], ...]]] = {}
    for width in np.geomspace(2, _DYE_BINS / 6 / max(wanted, 1), 25):
        smooth = gaussian_filter1d(counts.astype(np.float64), width, mode="constant")
        cuts = _valleys(smooth)
        limits = np.concatenate([[low], edges[cuts], [high]])
        inside = [dyes[(dyes >= a) & (dyes < b)] for a, b in itertools.pairwise(limits)]
        large = [i for i, own in enumerate(inside) if own.size >= least]
        seen.setdefault(len(large), []).append(_limits(inside, large, limits))
    # noise has many peaks at the narrowest smoothing and one at the widest; the number that holds longest is the truth
    found = max(seen, key=lambda n: (len(seen[n]), n == wanted))
    if found == wanted:
        return seen[wanted][len(seen[wanted]) // 2]
    raise GateError(f"group {group}: {found} populations by the classification dye; the kit has {wanted} beads there")


def _valleys(smooth: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the lowest place between neighbouring peaks that rise clearly above it."""
    inner = np.flatnonzero((smooth[1:-1] >= smooth[:-2]) & (smooth[1:-1] > smooth[2:])) + 1
    peaks: list[int] = []
    cuts: list[int] = []
    for peak in inner:
        if not peaks:
            peaks.append(int(peak))
            continue
        between = int(np.argmin(smooth[peaks[-1] : peak + 1])) + peaks[-1]
        lower = min(smooth[peaks[-1]], smooth[peak])
        if smooth[between] > 0.8 * lower:
            if smooth[peak] > smooth[peaks[-1]]:
                peaks[-1] = int(peak)
            continue
        peaks.append(int(peak))
        cuts.append(between)
    return np.array(cuts, dtype=np.int64)


def _limits(
    inside: list[NDArray[np.float64]], large: list[int], limits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    medians, spreads, lower, upper = [], [], [], []
    for i in large:
        own = inside[i]
        median = float(np.median(own))
        spread = max(_MAD * float(np.median(np.abs(own - median))), 1e-4)
        medians.append(median)
        spreads.append(spread)
        lower.append(max(median - _DYE_SPREADS * spread, float(limits[i])))
        upper.append(min(median + _DYE_SPREADS * spread, float(limits[i + 1])))
    return tuple(np.array(values) for values in (medians, spreads, lower, upper))


def separation(gates: BeadGates) -> float:
    """Return the smallest distance of neighbouring beads of a group, in the mean of their spreads."""
    gaps = [
        float(np.min(np.diff(medians) / ((spreads[1:] + spreads[:-1]) / 2)))
        for medians, spreads in zip(gates.medians, gates.spreads, strict=True)
        if medians.size > 1
    ]
    return min(gaps, default=math.inf)
