"""Cells/µL of every population of a block, with a reason wherever there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from il2cyto.counts.blocks import Block
from il2cyto.counts.intervals import Z95, Floats
from il2cyto.counts.routes import Estimates, by_alc, by_beads, by_chain, by_volume
from il2cyto.counts.tree import find_population, is_below
from il2cyto.keys import ROUTES
from il2cyto.study.model import CountSpec, ErrorModel, Limits

_NO_CELLS = {"beads": "counting beads are no cells", "time_qc": "time QC is no cell population"}


@dataclass(frozen=True, eq=False)
class PerUl:
    """Cells/µL of the populations of a block.

    Attributes
    ----------
    block
        What was counted.
    route
        Route of the block's tubes.
    estimates
        Arrays over the populations, NaN where there are no cells/µL.
    reasons
        Why there are none; empty where there are.
    flags
        Flags of the whole block.
    history
        The routes by which the values came about, the source of a chain included.
    """

    block: Block
    route: str
    estimates: Estimates
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    history: str


class NoCellsError(Exception):
    """A whole block has no cells/µL; the message is the reason that its rows will bear."""


#: Finds the result of another tube type at the same visit, or None: subject, visit, tube type.
Source = Callable[[str, str, str], PerUl | None]


def per_ul(block: Block, spec: CountSpec, errors: ErrorModel, limits: Limits, source: Source) -> PerUl:
    """Cells/µL of a block by the route of its tubes.

    Parameters
    ----------
    block
        Counts of the replicate tubes.
    spec
        Which populations carry the route.
    errors
        Coefficients of variation of the sources of error.
    limits
        Events below which beads and the source of a chain are flagged.
    source
        Finds the result of another tube type of the same visit (route ``chained``).
    """
    routes = sorted(set(block.tubes["route"]))
    route = routes[0] if len(routes) == 1 else "none"
    try:
        if len(routes) > 1:
            raise NoCellsError(f"replicate tubes have different routes ({', '.join(routes)})")
        if route == "beads":
            result = _beads(block, spec, errors, limits)
        elif route == "volumetric":
            result = _volumetric(block, errors)
        elif route == "dual":
            result = _dual(block, spec, errors)
        elif route == "chained":
            result = _chained(block, spec, limits, source)
        elif route == "none":
            raise NoCellsError("route none: no absolute counts for this tube")
        else:
            raise NoCellsError(f"route {route!r} is unknown; known are {', '.join(ROUTES)}")
    except NoCellsError as why:
        nothing = np.full(len(block.paths), np.nan)
        result = PerUl(block, route, Estimates(*[nothing] * 4), (str(why),) * len(block.paths), (), route)
    roles = block.labels["role"].astype(str)
    reasons = tuple(
        counted or _NO_CELLS.get(role, reason)
        for counted, role, reason in zip(block.reasons, roles, result.reasons, strict=True)
    )
    kept = np.array([not reason for reason in reasons], dtype=np.bool_)
    estimates = Estimates(*(np.where(kept, values, np.nan) for values in result.estimates))
    return replace(result, estimates=estimates, reasons=reasons)


def _beads(block: Block, spec: CountSpec, errors: ErrorModel, limits: Limits) -> PerUl:
    position = _carrier(block, spec.beads, "the beads population")
    beads = block.counts[position]
    if not (beads > 0).all():
        raise NoCellsError("no beads found")
    per_bead = _factor(block, "blood_volume_ul") / (_factor(block, "beads_per_test") * _factor(block, "dilution"))
    in_every_row = np.broadcast_to(beads, block.counts.shape)
    estimates = by_beads(block.counts, in_every_row, per_bead, errors.cv_pipetting, errors.cv_lot)
    reasons = tuple(f"holds {spec.beads}" if is_below(block.paths[position], path) else "" for path in block.paths)
    flags = ("few_beads",) if (beads < limits.min_beads).any() else ()
    return PerUl(block, "beads", estimates, reasons, flags, "beads")


def _volumetric(block: Block, errors: ErrorModel) -> PerUl:
    blood = _factor(block, "volume_ul") / _factor(block, "dilution")
    retained = _factor(block, "retained_time_fraction")
    if (retained > 1).any():
        raise NoCellsError(f"retained_time_fraction = {retained.max():g} exceeds 1")
    # time QC removes a part of the acquisition, and so of the volume, from every population below it
    checks = [path for path, role in zip(block.paths, block.labels["role"], strict=True) if role == "time_qc"]
    below = np.array([any(is_below(path, check) for check in checks) for path in block.paths], dtype=np.bool_)
    estimates = by_volume(block.counts, np.where(below[:, None], blood * retained, blood), errors.cv_volume)
    return PerUl(block, "volumetric", estimates, ("",) * len(block.paths), (), "volumetric")


def _dual(block: Block, spec: CountSpec, errors: ErrorModel) -> PerUl:
    position = _carrier(block, spec.denominator, "the denominator")
    alc = _factor(block, "alc_per_ul")
    if len(set(alc)) > 1:
        raise NoCellsError(f"alc_per_ul differs between replicates ({', '.join(f'{value:g}' for value in alc)})")
    below, cells, denominator = _shares(block, position)
    estimates = by_alc(cells, denominator, np.full(len(cells), alc[0]), errors.cv_alc)
    # the denominator is the blood count itself: no share is counted, so no counting error comes with it
    factor = np.exp(Z95 * errors.cv_alc)
    itself = Estimates(alc[:1], alc[:1] / factor, alc[:1] * factor, np.array([errors.cv_alc]))
    reason = f"not below {spec.denominator}, the denominator"
    return _at_or_below(block, "dual", position, below, estimates, itself, reason)


def _chained(block: Block, spec: CountSpec, limits: Limits, source: Source) -> PerUl:
    if not (spec.population and spec.source_tube and spec.source_population):
        raise NoCellsError("the chain names no population, source tube or source population")
    position = _carrier(block, spec.population, "the chained population")
    found = source(block.key[0], block.key[1], spec.source_tube)
    if found is None:
        raise NoCellsError(f"source tube {spec.source_tube} is missing at this visit")
    row = find_population(found.block.paths, spec.source_population)
    if row is None:
        raise NoCellsError(f"source tube {spec.source_tube} has no population {spec.source_population}")
    if found.reasons[row]:
        raise NoCellsError(
            f"chained parent {spec.source_population} of {spec.source_tube} has no cells/µL: {found.reasons[row]}"
        )
    parent = Estimates(*(values[row : row + 1] for values in found.estimates))
    below, cells, in_tube = _shares(block, position)
    flags = tuple(f"source_{flag}" for flag in found.flags)
    if found.block.counts[row].sum() < limits.lloq_events:
        flags += ("source_below_lloq",)
    days = {day for part in (found.block, block) if (day := part.day) is not None}
    if len(days) > 1:
        flags += ("source_of_other_day",)
    reason = f"not below {spec.population}, which carries the chain"
    estimates = by_chain(cells, in_tube, parent)
    result = _at_or_below(block, "chained", position, below, estimates, parent, reason)
    return replace(result, flags=flags, history=f"chained from {found.history}")


def _carrier(block: Block, name: str | None, what: str) -> int:
    """Row of the population that carries the route, counted in every replicate."""
    if not name:
        raise NoCellsError(f"{what} is not named for this tube type")
    position = find_population(block.paths, name)
    if position is None:
        raise NoCellsError(f"{what} {name} is not in strategy {block.text('strategy')}")
    if block.reasons[position]:
        raise NoCellsError(f"{what} {name} is not estimable: {block.reasons[position]}")
    return position


def _factor(block: Block, column: str) -> Floats:
    values = block.factor(column)
    if np.isnan(values).any():
        raise NoCellsError(f"{column} is missing")
    if not (np.isfinite(values) & (values > 0)).all():
        bad = values[~(np.isfinite(values) & (values > 0))][0]
        raise NoCellsError(f"{column} = {bad:g} is not positive and finite")
    return values


def _shares(block: Block, position: int) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Which populations lie below the carrier, their counts (NaN for the others), and the carrier's, for every row."""
    carrier, path = block.counts[position], block.paths[position]
    if not carrier.sum() > 0:
        raise NoCellsError(f"{path.rsplit('/', 1)[-1]} is empty in this tube")
    below = np.array([is_below(other, path) for other in block.paths], dtype=np.bool_)
    return below, np.where(below[:, None], block.counts, np.nan), np.broadcast_to(carrier, block.counts.shape)


def _at_or_below(
    block: Block,
    route: str,
    position: int,
    below: NDArray[np.bool_],
    estimates: Estimates,
    itself: Estimates,
    reason: str,
) -> PerUl:
    carrier = np.arange(len(below)) == position
    joined = Estimates(*(np.where(carrier, own, values) for own, values in zip(itself, estimates, strict=True)))
    reasons = tuple("" if given else reason for given in below | carrier)
    return PerUl(block, route, joined, reasons, (), route)
