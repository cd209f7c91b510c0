"""What ``study.yaml`` declares, as frozen objects: arms, visits, tube types, bead lots, limits and the error model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Arm:
    """One arm: its label, whether the others are compared with it, and the visits that are expected of it."""

    id: str
    label: str
    reference: bool
    visits: tuple[str, ...]


@dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes
    ----------
    number
        A whole number for a planned visit; unscheduled ones follow the visit before them as 1.01, 1.02 and so on.
    target_day, window
        Study days, both ends of the window included.
    max_dsld
        Most days since the last dose that a sample of this visit may have.
    scheduled
        Whether ``study.yaml`` declares the visit.
    """

    id: str
    label: str
    number: float
    baseline: bool = False
    target_day: int | None = None
    window: tuple[int, int] | None = None
    max_dsld: int | None = None
    scheduled: bool = True


@dataclass(frozen=True)
class StrategyRef:
    """Where a gating strategy is: a packaged one, one below the data root, or one below the study folder."""

    kind: Literal["packaged", "data", "study"]
    path: Path
    text: str


@dataclass(frozen=True)
class CountSpec:
    """How events of a tube become cells/µL.

    Attributes
    ----------
    route
        One of `il2cyto.keys.ROUTES`.
    beads
        Population that holds the counting beads (route ``beads``).
    population
        Population whose cells/µL come from another tube (route ``chained``).
    source_tube, source_population
        Tube type and population that give these cells/µL (route ``chained``).
    denominator
        Population that the lymphocytes of the blood count correspond to (route ``dual``).
    purity, purity_tube
        Population that holds the true lymphocytes of the denominator (route ``dual``), and the tube type in which it
        is counted, ``None`` for the tube itself. In another tube the purity is the share of its parent there.
    bead_doublets
        Population of events that are two beads each (route ``beads``); without it an event is one bead.
    """

    route: str
    beads: str | None = None
    population: str | None = None
    source_tube: str | None = None
    source_population: str | None = None
    denominator: str | None = None
    purity: str | None = None
    purity_tube: str | None = None
    bead_doublets: str | None = None


@dataclass(frozen=True)
class BeadLot:
    """A lot of counting beads: beads per tube as the pouch states them, or per µL with the volume that is added."""

    id: str
    beads_per_test: float | None = None
    beads_per_ul: float | None = None
    bead_volume_ul: float | None = None
    expiry: date | None = None

    def beads(self, volume_ul: float | None = None) -> float | None:
        """Beads in a tube to which `volume_ul` was added, by default the lot's own volume; ``None`` if unknown.

        Examples
        --------
        >>> BeadLot("A", beads_per_test=51230).beads(), BeadLot("B", beads_per_ul=1010, bead_volume_ul=50).beads()
        (51230, 50500)
        """
        volume = self.bead_volume_ul if volume_ul is None else volume_ul
        if self.beads_per_ul is None or volume is None:
            return self.beads_per_test
        return self.beads_per_ul * volume


@dataclass(frozen=True)
class TubeType:
    """One kind of tube of the study: its strategy, its panel file (``None``: the strategy's own), count and rule for
    repeats."""

    id: str
    strategy: StrategyRef
    panel: Path | None
    count: CountSpec
    repeat: str | None = None


@dataclass(frozen=True)
class Limits:
    """Events below which a count is not reported, not detected, or lacks beads."""

    lloq_events: int = 100
    lod_events: int = 20
    min_beads: int = 1000


@dataclass(frozen=True)
class ErrorModel:
    """Coefficients of variation (fractions) that join the counting error: pipetting, bead lot, volume, blood count.

    ``cv_alc`` is that of lymphocytes/µL of the blood count, ``cv_wbc`` that of leucocytes/µL × lymphocyte percentage,
    which stand in where the blood count gives no lymphocytes/µL.
    """

    cv_pipetting: float = 0.025
    cv_lot: float = 0.02
    cv_volume: float = 0.03
    cv_alc: float = 0.04
    cv_wbc: float = 0.05
