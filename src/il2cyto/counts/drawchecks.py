"""Checks that compare tubes: of one draw, of one bead lot, and replicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from il2cyto.counts.roles import NotEvaluableError, events, find_living, per_ul, percent
from il2cyto.counts.tubechecks import TubeView
from il2cyto.study.checks import Checks

#: Tubes of a lot that a share of beads is compared with, at least.
FEWEST_OF_LOT = 3
#: Roles whose cells/µL replicates are compared in.
_REPLICATED = ("lymphocytes", "CD3", "CD4", "CD8", "B", "NK")


@dataclass(frozen=True)
class Found:
    """A value of a check with the tubes that it is about; `reason` says why there is none."""

    check: str
    tubes: tuple[TubeView, ...]
    value: float
    reason: str = ""
    population: str = ""


def by_draw(tubes: Sequence[TubeView]) -> dict[tuple[str, ...], list[TubeView]]:
    """Tubes by subject, visit and day of collection; those of unknown date by subject and visit."""
    draws: dict[tuple[str, ...], list[TubeView]] = defaultdict(list)
    for tube in tubes:
        subject, visit, _, _ = tube.key
        date = tube.rows[0]["collection_date"]
        draws[subject, visit, "" if date is None or date != date else str(date)].append(tube)
    return draws


def cd3_between_tubes(draw: Sequence[TubeView]) -> Found:
    """Largest difference of CD3, % of living lymphocytes, between the tubes of a draw."""
    shares: list[tuple[TubeView, float]] = []
    for tube in draw:
        try:
            shares.append((tube, percent(tube.role("CD3"), find_living(tube.rows, tube.checks))))
        except NotEvaluableError:
            continue
    if len(shares) < 2:
        return Found("cd3_between_tubes", tuple(draw), np.nan, "fewer than two tubes of this draw have CD3")
    values = [value for _, value in shares]
    return Found("cd3_between_tubes", tuple(tube for tube, _ in shares), max(values) - min(values))


def population_order(draw: Sequence[TubeView], checks: Checks) -> Iterator[Found]:
    """Cells/µL of each role of a chain relative to the next one that was counted; of several tubes the worst pair."""
    for chain in checks.order:
        values: dict[str, list[tuple[TubeView, float]]] = defaultdict(list)
        for role in chain:
            for tube in draw:
                try:
                    values[role].append((tube, per_ul(tube.role(role))))
                except NotEvaluableError:
                    continue
        counted = [role for role in chain if values[role]]
        if len(counted) < 2:
            names = ", ".join(chain)
            yield Found("population_order", tuple(draw), np.nan, "fewer than two of these have cells/µL", names)
        for child, parent in pairwise(counted):
            (held, most), (holding, least) = (
                max(values[child], key=lambda pair: pair[1]),
                min(values[parent], key=lambda pair: pair[1]),
            )
            tubes = (held,) if held is holding else (held, holding)
            if least > 0 or most > 0:
                ratio = most / least if least > 0 else np.inf
                yield Found("population_order", tubes, ratio, population=f"{child} ≤ {parent}")
            else:
                yield Found("population_order", tubes, np.nan, f"{child} and {parent} are 0", f"{child} ≤ {parent}")


def bead_shares(tubes: Sequence[TubeView]) -> Iterator[Found]:
    """Beads per event of the gate above them: of a tube relative to the median of its lot, and their CV in the lot."""
    lots: dict[tuple[str, str], list[tuple[TubeView, float]]] = defaultdict(list)
    for tube in (tube for tube in tubes if tube.route == "beads"):
        lot = tube.rows[0]["bead_lot"]
        try:
            beads = tube.beads()
            if not lot:
                raise NotEvaluableError("no one lot of beads is known for this tube")
            if not events(beads, "parent_count") > 0:
                raise NotEvaluableError("the gate above the beads is empty")
            lots[lot, tube.key[2]].append((tube, events(beads) / events(beads, "parent_count")))
        except NotEvaluableError as why:
            yield Found("bead_share", (tube,), np.nan, str(why))
    for (lot, _), found in lots.items():
        shares = np.array([share for _, share in found])
        few = f"fewer than {FEWEST_OF_LOT} tubes of lot {lot}" if len(found) < FEWEST_OF_LOT else ""
        middle, mean = float(np.median(shares)), float(shares.mean())
        cv = np.nan if few or not mean > 0 else 100.0 * float(shares.std(ddof=1)) / mean
        for tube, share in found:
            reason = few or ("" if middle > 0 else f"the median share of lot {lot} is 0")
            yield Found("bead_share", (tube,), np.nan if reason else share / middle, reason)
        yield Found("bead_share_cv", tuple(tube for tube, _ in found), cv, few, f"lot {lot}")


def replicate_cv(tubes: Sequence[TubeView], checks: Checks) -> Iterator[Found]:
    """CV of cells/µL between replicate tubes of one draw, of every role that each of them has."""
    groups: dict[tuple[str, ...], list[TubeView]] = defaultdict(list)
    for key, draw in by_draw(tubes).items():
        for tube in draw:
            groups[(*key, tube.key[2])].append(tube)
    for group in groups.values():
        for role in _REPLICATED if len(group) > 1 else ():
            try:
                rows = [tube.role(role) for tube in group]
                values = np.array([per_ul(row) for row in rows])
                mean = float(values.mean())
                if not mean > 0:
                    raise NotEvaluableError(f"{role} is 0 in every replicate")
            except NotEvaluableError as why:
                yield Found("replicate_cv", tuple(group), np.nan, str(why), role)
                continue
            yield Found("replicate_cv", tuple(group), 100.0 * float(values.std(ddof=1)) / mean, population=role)
