"""Cells/µL of every population of a block, with a reason wherever there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from il2cyto.counts.blocks import UNKNOWN_LOT, Block
from il2cyto.counts.intervals import Z95, Floats
from il2cyto.counts.routes import (
    Estimates,
    by_alc,
    by_beads,
    by_chain,
    by_pure_share,
    by_volume,
    lot_share,
    of_impure,
)
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
    within_lot
        The same estimates without the error of the bead lot, for comparisons within a lot.
    flags
        Flags of the whole block.
    history
        The routes by which the values came about, the source of a chain included.
    lots
        Lots of the beads behind the values, those of the source of a chain included.
    cv_lot
        Standard deviation of the log that these lots bring.
    source
        Result of the tube that a chain starts from, or ``None``.
    """

    block: Block
    route: str
    estimates: Estimates
    reasons: tuple[str, ...]
    within_lot: Estimates
    flags: tuple[str, ...] = ()
    history: str = ""
    lots: tuple[str, ...] = ()
    cv_lot: float = 0.0
    source: PerUl | None = None

    @property
    def lot(self) -> str:
        """The one lot behind the values, empty where there is none, none is known, or there are several."""
        known = set(self.lots)
        return next(iter(known)) if len(known) == 1 and not self.lots[0].startswith(UNKNOWN_LOT) else ""


class NoCellsError(Exception):
    """A whole block has no cells/µL; the message is the reason that its rows will bear."""


class Others(Protocol):
    """The other tubes of a visit."""

    def result(self, subject: str, visit: str, tube: str) -> PerUl | None:
        """Cells/µL of another tube type, or ``None`` where there is no such tube."""

    def block(self, subject: str, visit: str, tube: str) -> Block | None:
        """Counts of another tube type, or ``None`` where there is no such tube."""


def per_ul(block: Block, spec: CountSpec, errors: ErrorModel, limits: Limits, others: Others) -> PerUl:
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
    others
        Other tubes of the same visit (route ``chained``, a purity from another tube).
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
            result = _dual(block, spec, errors, others)
        elif route == "chained":
            result = _chained(block, spec, limits, others)
        elif route == "none":
            raise NoCellsError("route none: no absolute counts for this tube")
        else:
            raise NoCellsError(f"route {route!r} is unknown; known are {', '.join(ROUTES)}")
    except NoCellsError as why:
        nothing = Estimates(*[np.full(len(block.paths), np.nan)] * 4)
        result = PerUl(block, route, nothing, (str(why),) * len(block.paths), nothing, history=route)
    roles = block.labels["role"].astype(str)
    reasons = tuple(
        counted or _NO_CELLS.get(role, reason)
        for counted, role, reason in zip(block.reasons, roles, result.reasons, strict=True)
    )
    kept = np.array([not reason for reason in reasons], dtype=np.bool_)
    estimates, within_lot = (
        Estimates(*(np.where(kept, values, np.nan) for values in found))
        for found in (result.estimates, result.within_lot)
    )
    return replace(result, estimates=estimates, within_lot=within_lot, reasons=reasons)


def _beads(block: Block, spec: CountSpec, errors: ErrorModel, limits: Limits) -> PerUl:
    position = _carrier(block, spec.beads, "the beads population")
    beads = block.counts[position]
    if not (beads > 0).all():
        raise NoCellsError("no beads found")
    doublets = np.zeros_like(beads)
    if spec.bead_doublets:
        two = _carrier(block, spec.bead_doublets, "the population of bead doublets")
        if not is_below(block.paths[two], block.paths[position]):
            raise NoCellsError(f"{spec.bead_doublets}, the bead doublets, is not below {spec.beads}")
        doublets = block.counts[two]
    per_bead = _factor(block, "blood_volume_ul") / (_factor(block, "beads_per_test") * _factor(block, "dilution"))
    in_every_row = np.broadcast_to(beads, block.counts.shape)
    estimates, within_lot = (
        by_beads(block.counts, in_every_row, per_bead, errors.cv_pipetting, cv_lot, block.lots, doublets)
        for cv_lot in (errors.cv_lot, 0.0)
    )
    volume = (beads + doublets) * per_bead
    cv_lot = errors.cv_lot * float(np.sqrt(lot_share(volume / volume.sum(), block.lots)))
    reasons = tuple(f"holds {spec.beads}" if is_below(block.paths[position], path) else "" for path in block.paths)
    flagged = {"few_beads": bool((beads < limits.min_beads).any()), "expired_beads": block.any("beads_expired")}
    flags = tuple(flag for flag, holds in flagged.items() if holds)
    return PerUl(block, "beads", estimates, reasons, within_lot, flags, "beads", block.lots, cv_lot)


def _volumetric(block: Block, errors: ErrorModel) -> PerUl:
    blood = _factor(block, "volume_ul") / _factor(block, "dilution")
    retained = _factor(block, "retained_time_fraction")
    gated = _factor(block, "gated_time_fraction")
    for name, share in (("retained_time_fraction", retained), ("gated_time_fraction", gated)):
        if (share > 1).any():
            raise NoCellsError(f"{name} = {share.max():g} exceeds 1")
    # unstable stretches that are left out take their volume from every population, time QC from every one below it
    checks = [path for path, role in zip(block.paths, block.labels["role"], strict=True) if role == "time_qc"]
    below = np.array([any(is_below(path, check) for check in checks) for path in block.paths], dtype=np.bool_)
    estimates = by_volume(block.counts, np.where(below[:, None], blood * retained, blood * gated), errors.cv_volume)
    return PerUl(block, "volumetric", estimates, ("",) * len(block.paths), estimates, history="volumetric")


def _dual(block: Block, spec: CountSpec, errors: ErrorModel, others: Others) -> PerUl:
    position = _carrier(block, spec.denominator, "the denominator")
    alc = _factor(block, "alc_per_ul")
    if len(set(alc)) > 1:
        raise NoCellsError(f"alc_per_ul differs between replicates ({', '.join(f'{value:g}' for value in alc)})")
    from_wbc = block.any("alc_from_wbc")
    cv = errors.cv_wbc if from_wbc else errors.cv_alc
    below, cells, denominator = _shares(block, position)
    every = np.full(len(cells), alc[0])
    flags = ("alc_from_wbc",) if from_wbc else ()
    reason = f"not below {spec.denominator}, the denominator"
    if spec.purity:
        estimates, itself = _pure_shares(block, spec, others, position, (cells, denominator, every, cv))
    else:
        estimates = by_alc(cells, denominator, every, cv)
        itself = _blood_count(alc[:1], cv)
    return replace(_at_or_below(block, "dual", position, below, estimates, itself, reason), flags=flags)


def _pure_shares(
    block: Block, spec: CountSpec, others: Others, position: int, counted: tuple[Floats, Floats, Floats, float]
) -> tuple[Estimates, Estimates]:
    """Estimates below the denominator, and that of the denominator itself, when true lymphocytes are a part of it."""
    cells, denominator, alc, cv = counted
    inside = None
    if spec.purity_tube is None:
        inside = _carrier(block, spec.purity, "the purity")
        if not is_below(block.paths[inside], block.paths[position]):
            raise NoCellsError(f"{spec.purity}, the purity, is not below {spec.denominator}, the denominator")
        pure, gate = block.counts[inside], block.counts[position]
    else:
        found = others.block(block.key[0], block.key[1], spec.purity_tube)
        if found is None:
            raise NoCellsError(f"tube {spec.purity_tube}, which counts the purity, is missing at this visit")
        row = _carrier(found, spec.purity, f"the purity in {spec.purity_tube}")
        pure, gate = found.counts[row], found.parent_counts[row]
    if not pure.sum() > 0:
        raise NoCellsError(f"{spec.purity}, the purity, is empty")
    purity, whole = np.broadcast_to(pure, (len(cells), pure.size)), np.broadcast_to(gate, (len(cells), gate.size))
    estimates = by_pure_share(cells, denominator, purity, whole, alc, cv)
    itself = of_impure(pure[None, :], gate[None, :], alc[:1], cv)
    if inside is None:
        return estimates, itself
    # in the same tube true lymphocytes are the denominator of what lies below them, and they are the blood count
    path = block.paths[inside]
    nested = by_alc(cells, np.broadcast_to(block.counts[inside], cells.shape), alc, cv)
    own = _blood_count(alc[:1], cv)
    is_nested = np.array([is_below(other, path) for other in block.paths], dtype=np.bool_)
    is_pure = np.arange(len(cells)) == inside
    joined = (np.select([is_pure, is_nested], [a, b], c) for a, b, c in zip(own, nested, estimates, strict=True))
    return Estimates(*joined), itself


def _blood_count(alc: Floats, cv: float) -> Estimates:
    """The blood count itself: no share is counted, so no counting error comes with it."""
    factor = np.exp(Z95 * cv)
    return Estimates(alc, alc / factor, alc * factor, np.full(alc.shape, cv))


def _chained(block: Block, spec: CountSpec, limits: Limits, others: Others) -> PerUl:
    if not (spec.population and spec.source_tube and spec.source_population):
        raise NoCellsError("the chain names no population, source tube or source population")
    position = _carrier(block, spec.population, "the chained population")
    found = others.result(block.key[0], block.key[1], spec.source_tube)
    if found is None:
        raise NoCellsError(f"source tube {spec.source_tube} is missing at this visit")
    row = find_population(found.block.paths, spec.source_population)
    if row is None:
        raise NoCellsError(f"source tube {spec.source_tube} has no population {spec.source_population}")
    if found.reasons[row]:
        raise NoCellsError(
            f"chained parent {spec.source_population} of {spec.source_tube} has no cells/µL: {found.reasons[row]}"
        )
    below, cells, in_tube = _shares(block, position)
    flags = tuple(f"source_{flag.removeprefix('source_')}" for flag in found.flags)
    if found.block.counts[row].sum() < limits.lloq_events:
        flags += ("source_below_lloq",)
    days = {day for part in (found.block, block) if (day := part.day) is not None}
    if len(days) > 1:
        flags += ("source_of_other_day",)
    reason = f"not below {spec.population}, which carries the chain"
    # the parent's error is not ours to split: it comes whole, or without that of its bead lot
    full, within = (
        _at_or_below(block, "chained", position, below, by_chain(cells, in_tube, parent), parent, reason)
        for parent in (
            Estimates(*(values[row : row + 1] for values in known)) for known in (found.estimates, found.within_lot)
        )
    )
    return replace(
        full,
        within_lot=within.estimates,
        flags=tuple(dict.fromkeys(flags)),
        history=f"chained from {found.history}",
        lots=found.lots,
        cv_lot=found.cv_lot,
        source=found,
    )


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
    return PerUl(block, route, joined, reasons, joined, history=route)
