"""What will be simulated: subjects, visits, the blood at each, and one specification per tube."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any, Final

import numpy as np

from il2cyto.simulate.analytes import ANALYTES
from il2cyto.simulate.biology import Subject, VisitTruth, draw_subject, draw_visit
from il2cyto.simulate.design import DEMO, VISITS, PlannedVisit, TrialDesign
from il2cyto.simulate.faults import draw_fault
from il2cyto.simulate.instruments import Batch, make_batch, place
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.streams import entropy, stream
from il2cyto.simulate.tube import TubeSpec

__all__ = ["VISITS", "PlannedVisit", "TrialPlan", "plan_trial"]

#: First day on which a child was enrolled.
FIRST_DAY: Final = date(2020, 8, 15)
#: Live lymphocytes in the tubes of a lymphopenic child.
FEW_LYMPHOCYTES: Final = 3_000
_make_batch = lru_cache(maxsize=256)(make_batch)


@dataclass(frozen=True)
class TrialPlan:
    """Everything about a simulated trial except the events.

    Attributes
    ----------
    blood
        The blood of every subject at every visit that took place.
    tubes
        One specification per tube; any of them can be simulated alone.
    missing
        Subject and visit of the visits that did not take place.
    """

    design: TrialDesign
    subjects: tuple[Subject, ...]
    blood: tuple[VisitTruth, ...] = field(repr=False)
    tubes: tuple[TubeSpec, ...] = field(repr=False)
    missing: tuple[tuple[str, str], ...]

    @property
    def seed(self) -> int:
        """Seed of the trial."""
        return self.design.seed

    @property
    def visits(self) -> tuple[str, ...]:
        """Visits in the order of time."""
        return self.design.visits

    @property
    def batches(self) -> tuple[Batch, ...]:
        """Batches in which tubes were measured, by id."""
        found = {spec.batch.id: spec.batch for spec in self.tubes if spec.batch is not None}
        return tuple(found[name] for name in sorted(found))

    def number(self, subject: str) -> int:
        """Place of a subject, 0 for the first; keys its streams."""
        return int(subject[1:]) - 1

    def entropy(self, name: str, subject: Subject, visit: str) -> tuple[int, ...]:
        """Seed of a stream of draws for one subject and visit."""
        return entropy(self.seed, name, self.number(subject.id), VISITS[visit].number)


def plan_trial(design: TrialDesign | None = None, **changes: Any) -> TrialPlan:
    """Draw subjects, visits and blood, and specify every tube.

    Parameters
    ----------
    design
        What to simulate; the demo by default.
    changes
        Fields of `TrialDesign` that differ from `design`.

    Raises
    ------
    ParameterError
        If a number is out of range or a visit is unknown.

    Examples
    --------
    >>> plan = plan_trial(seed=1)
    >>> len(plan.subjects), len(plan.tubes), len(plan.missing)
    (6, 68, 1)
    """
    design = replace(design or DEMO, **changes)
    seed = design.seed
    quantities = (*CELLS, *ANALYTES)
    subjects = tuple(
        draw_subject(
            number,
            entropy(seed, "subject"),
            quantities,
            FIRST_DAY,
            confounding=design.confounding,
            missed_doses=design.missed_doses,
            tachyphylaxis=design.tachyphylaxis,
            lymphopenic=design.is_lymphopenic(number),
        )
        for number in range(design.n_subjects)
    )
    missed = _missed(design)
    blood, tubes = [], []
    for number, subject in enumerate(subjects):
        for visit in design.visits:
            if (number, visit) in missed:
                continue
            truth = draw_visit(
                subject,
                visit,
                _day(seed, number, VISITS[visit]),
                entropy(seed, "blood", number, VISITS[visit].number),
            )
            blood.append(truth)
            tubes += _tubes(design, number, subject, truth)
    return TrialPlan(
        design=design,
        subjects=subjects,
        blood=tuple(blood),
        tubes=tuple(tubes),
        missing=tuple(sorted((subjects[i].id, visit) for i, visit in missed)),
    )


def _missed(design: TrialDesign) -> set[tuple[int, str]]:
    """Subjects (by number) and visits that do not take place."""
    can_miss = [(i, visit) for i in range(design.n_subjects) for visit in design.visits if visit != "BL"]
    if design.missing_visits is None:
        return {
            (i, visit)
            for i, visit in can_miss
            if stream(design.seed, "missing", i, VISITS[visit].number).random() < VISITS[visit].missed
        }
    if not can_miss:
        return set()
    chosen = stream(design.seed, "missing").choice(len(can_miss), size=design.missing_visits, replace=False)
    return {can_miss[k] for k in chosen}


def _day(seed: int, number: int, planned: PlannedVisit) -> int:
    stray = stream(seed, "day", number, planned.number)
    return planned.target_day + int(stray.integers(-planned.spread, planned.spread + 1))


def _tubes(design: TrialDesign, number: int, subject: Subject, truth: VisitTruth) -> list[TubeSpec]:
    """Specifications of the tubes of one visit."""
    seed, visit = design.seed, VISITS[truth.visit].number
    instrument, period = place(seed, number, visit, subject.date_of(truth.day), FIRST_DAY)
    batch = _make_batch(seed, instrument, period, design.batch_shift)
    stated, lot, lot_factor = bead_lot(design, visit)
    few = design.is_lymphopenic(number)
    wanted = {
        True: min(design.tbnk_lymphocytes, FEW_LYMPHOCYTES) if few else design.tbnk_lymphocytes,
        False: min(design.lymphocytes, FEW_LYMPHOCYTES) if few else design.lymphocytes,
    }
    return [
        TubeSpec(
            tube_id=f"{subject.id}-{truth.visit}-{panel.name}",
            panel=panel.name,
            blood=truth,
            seed=entropy(seed, "tube", number, visit, k),
            lymphocytes=wanted[panel.whole_blood],
            separable=design.separable,
            beads_per_test=stated,
            bead_lot=lot,
            lot_factor=lot_factor,
            cv_pipetting=design.cv_pipetting,
            batch=batch,
            faults=draw_fault(stream(seed, "fault", number, visit, k), panel, design.faulty_share),
        )
        for k, panel in enumerate(PANELS.values())
    ]


def bead_lot(design: TrialDesign, visit: int) -> tuple[int, str, float]:
    """Beads per test as stated, name, and true beads per stated one of the lot; a lot lasts for two visits."""
    lot = visit // 2
    rng = stream(design.seed, "lot", lot)
    stated = int(rng.integers(48_000, 54_000))
    return stated, f"L{lot + 1:03d}", float(np.exp(rng.normal(0.0, design.cv_lot)))
