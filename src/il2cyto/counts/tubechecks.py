"""Checks that look at one tube: sums of subsets, events, viability, purity, beads, age of the sample, blood count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from il2cyto.counts.roles import NotEvaluableError, Row, events, find_living, find_role, per_ul, percent
from il2cyto.counts.tree import find_population, is_below
from il2cyto.study.checks import Checks
from il2cyto.study.model import CountSpec


@dataclass(frozen=True)
class TubeView:
    """One tube, or a sum of replicates, as checks see it.

    Attributes
    ----------
    rows
        Its rows of the counts table.
    facts
        Its row of the tubes table: the first replicate's.
    spec
        Populations that carry the route.
    checks
        Roles of populations.
    slices
        Events of the gate above the beads and beads among them in slices of the acquisition, ``None`` where unknown.
    """

    rows: Sequence[Row]
    facts: Mapping[str, Any]
    spec: CountSpec
    checks: Checks
    slices: Mapping[str, Sequence[int]] | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Subject, visit, tube type, tube id."""
        first = self.rows[0]
        return first["subject"], first["visit"], first["tube"], first["tube_id"]

    @property
    def route(self) -> str:
        """Route of the tube."""
        return str(self.rows[0]["route"])

    def role(self, role: str) -> Row:
        """Row of a role; see `find_role`."""
        return find_role(self.rows, role, self.checks)

    def beads(self) -> Row:
        """Row of the beads.

        Raises
        ------
        NotEvaluableError
            If the tube type names none, or its strategy lacks them.
        """
        return self.named(self.spec.beads, "beads")

    def named(self, name: str | None, what: str) -> Row:
        """Row of a population that the tube type names."""
        if not name:
            raise NotEvaluableError(f"the tube type names no population of {what}")
        position = find_population([row["population"] for row in self.rows], name)
        if position is None:
            raise NotEvaluableError(f"the strategy has no population {name}")
        return self.rows[position]


def _lymphosum(tube: TubeView) -> float:
    whole = find_living(tube.rows, tube.checks)
    return sum(percent(tube.role(role), whole) for role in ("CD3", "B", "NK"))


def _t_sum(tube: TubeView) -> float:
    whole = find_living(tube.rows, tube.checks)
    cd4, cd8, cd3 = (percent(tube.role(role), whole) for role in ("CD4", "CD8", "CD3"))
    return cd4 + cd8 - cd3


def _lymphocyte_events(tube: TubeView) -> float:
    return events(tube.role("lymphocytes"))


def _viability(tube: TubeView) -> float:
    row = tube.role("live")
    if not events(row, "parent_count") > 0:
        raise NotEvaluableError("the gate above the living cells is empty")
    return 100.0 * events(row) / events(row, "parent_count")


def _purity(tube: TubeView) -> float:
    if tube.spec.purity and tube.spec.purity_tube is None:
        return percent(tube.named(tube.spec.purity, "true lymphocytes"), tube.role("lymphocytes"))
    return percent(tube.role("pure_lymphocytes"), tube.role("lymphocytes"))


def _bead_events(tube: TubeView) -> float:
    return events(tube.beads())


def _bead_doublets(tube: TubeView) -> float:
    name = tube.spec.bead_doublets
    if not name:
        raise NotEvaluableError("the tube type names no bead doublets: each event of the bead gate is one bead")
    return percent(tube.named(name, "bead doublets"), tube.beads())


def _bead_gate(tube: TubeView) -> float:
    path = tube.beads()["population"]
    return float(sum(is_below(path, row["population"]) and row["role"] != "time_qc" for row in tube.rows))


def _bead_drift(tube: TubeView) -> float:
    if tube.slices is None:
        raise NotEvaluableError("the file has no time channel, or its time does not rise")
    return 100.0 * excess_variation(np.asarray(tube.slices["events"]), np.asarray(tube.slices["beads"]))


def excess_variation(acquired: Any, beads: Any) -> float:
    """Coefficient of variation of the share of beads between slices beyond that of counting, a fraction.

    Moments of a share that varies between slices with relative variance ``c²`` on top of binomial counting give
    ``Σ (x - n p)² / (p (1 - p)) = Σ n + c² p / (1 - p) · Σ n²`` in expectation; solved for ``c``, with the degree of
    freedom that the estimated ``p`` takes, and 0 where the slices vary less than counting explains.

    Parameters
    ----------
    acquired, beads
        Events of a slice, and beads among them, one number per slice.

    Raises
    ------
    NotEvaluableError
        If fewer than 3 slices hold events, or there are no beads.

    Examples
    --------
    >>> excess_variation(np.array([1000, 1000, 1000]), np.array([100, 100, 100]))
    0.0
    >>> round(excess_variation(np.array([10_000] * 4), np.array([1500, 1200, 900, 600])), 2)
    0.37
    """
    used = np.asarray(acquired) > 0
    n, x = np.asarray(acquired, dtype=np.float64)[used], np.asarray(beads, dtype=np.float64)[used]
    if len(n) < 3 or not x.sum() > 0:
        raise NotEvaluableError("fewer than 3 slices of the acquisition hold events" if len(n) < 3 else "no beads")
    p = x.sum() / n.sum()
    if p >= 1:
        return 0.0
    statistic = ((x - n * p) ** 2).sum() / (p * (1.0 - p))
    # Σ n (1 - n/Σn) is what counting alone gives, with p estimated from the same slices
    counting = (n * (1.0 - n / n.sum())).sum()
    spread = (n**2).sum() - 2.0 * (n**3).sum() / n.sum() + (n**2).sum() ** 2 / n.sum() ** 2
    return float(np.sqrt(max(0.0, (statistic - counting) * (1.0 - p) / (p * spread))))


def _sample_age(tube: TubeView) -> float:
    age = float(tube.facts["sample_age_h"])
    if np.isnan(age):
        raise NotEvaluableError("the sheet gives no sample_age_h")
    return age


def _events_in_parent(tube: TubeView) -> float:
    pairs = [(row["count"], row["parent_count"]) for row in tube.rows]
    shares = [count / parent for count, parent in pairs if count == count and parent == parent and parent > 0]
    if not shares:
        raise NotEvaluableError("no population has a count and a parent")
    return float(max(shares))


def _blood_count(tube: TubeView) -> float:
    alc = float(tube.facts["alc_per_ul"])
    if np.isnan(alc):
        raise NotEvaluableError("the sheet gives no blood count of the draw")
    return per_ul(tube.role("lymphocytes")) / alc


#: Checks of one tube by id: on which routes they are made (empty: on all), and what computes them.
TUBE_CHECKS: Final[dict[str, tuple[tuple[str, ...], Callable[[TubeView], float]]]] = {
    "lymphosum": ((), _lymphosum),
    "t_sum": ((), _t_sum),
    "lymphocyte_events": ((), _lymphocyte_events),
    "viability": ((), _viability),
    "lymphocyte_purity": ((), _purity),
    "bead_events": (("beads",), _bead_events),
    "bead_doublets": (("beads",), _bead_doublets),
    "bead_gate": (("beads",), _bead_gate),
    "bead_drift": (("beads",), _bead_drift),
    "sample_age": ((), _sample_age),
    "events_in_parent": ((), _events_in_parent),
    "blood_count": (("beads", "volumetric"), _blood_count),
}
