"""What will be simulated: subjects, visits, the blood at each, and one specification per tube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.simulate.analytes import ANALYTES
from il2cyto.simulate.biology import Subject, VisitTruth, draw_subject, draw_visit
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.tube import TubeSpec


@dataclass(frozen=True)
class PlannedVisit:
    """A visit of the protocol; `window` and `target_day` are study days, `spread` is how far real visits stray."""

    label: str
    number: int
    target_day: int
    window: tuple[int, int]
    spread: int


#: Visits that can be simulated. Windows meet at the midpoints between targets.
VISITS: Final[Mapping[str, PlannedVisit]] = {
    "BL": PlannedVisit("Baseline", 0, 1, (-28, 1), 0),
    "M1": PlannedVisit("Month 1", 1, 30, (2, 60), 3),
    "M3": PlannedVisit("Month 3", 2, 91, (61, 136), 5),
    "M6": PlannedVisit("Month 6", 3, 182, (137, 273), 7),
    "M12": PlannedVisit("Month 12", 4, 365, (274, 456), 14),
}

#: Every draw has its own stream, named here, so that no draw depends on how many others were made.
_STREAMS: Final = {"subject": 0, "day": 1, "blood": 2, "serum": 3, "tube": 4, "lot": 5, "missing": 6}
_FIRST_DAY: Final = date(2020, 8, 15)


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

    seed: int
    visits: tuple[str, ...]
    separable: bool
    cv_pipetting: float
    cv_lot: float
    subjects: tuple[Subject, ...]
    blood: tuple[VisitTruth, ...] = field(repr=False)
    tubes: tuple[TubeSpec, ...] = field(repr=False)
    missing: tuple[tuple[str, str], ...]

    def entropy(self, stream: str, subject: Subject, visit: str) -> tuple[int, ...]:
        """Seed of a stream of draws for one subject and visit."""
        return _entropy(self.seed, stream, self.subjects.index(subject), VISITS[visit].number)


def _entropy(seed: int, stream: str, *numbers: int) -> tuple[int, ...]:
    return (seed, _STREAMS[stream], *numbers)


def _check(n_subjects: int, visits: Sequence[str], seed: int, lymphocytes: Sequence[int], missing_visits: int) -> None:
    if n_subjects < 2:
        raise ParameterError(f"n_subjects = {n_subjects}: two arms need at least 2 subjects")
    if not visits or len(set(visits)) != len(visits):
        raise ParameterError(f"visits = {list(visits)}: wants at least one visit, each once")
    for visit in visits:
        if visit not in VISITS:
            raise ParameterError(
                f"visits: {visit!r} is not one of {', '.join(VISITS)}{did_you_mean(visit, list(VISITS))}"
            )
    if seed < 0:
        raise ParameterError(f"seed = {seed}: wants a whole number from 0")
    if min(lymphocytes) < 100:
        raise ParameterError(f"lymphocytes = {min(lymphocytes)}: every tube wants at least 100")
    possible = n_subjects * sum(visit != "BL" for visit in visits)
    if not 0 <= missing_visits <= possible:
        raise ParameterError(f"missing_visits = {missing_visits}: wants 0 to {possible}; the baseline is never missed")


def plan_trial(
    *,
    n_subjects: int = 6,
    visits: Sequence[str] = ("BL", "M1", "M3"),
    seed: int = 20200815,
    lymphocytes: int = 50_000,
    separable: bool = True,
    tbnk_lymphocytes: int = 12_000,
    missing_visits: int = 1,
    cv_pipetting: float = 0.025,
    cv_lot: float = 0.02,
) -> TrialPlan:
    """Draw subjects, visits and blood, and specify every tube; see `simulate_trial` for the parameters.

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
    _check(n_subjects, visits, seed, (lymphocytes, tbnk_lymphocytes), missing_visits)
    chosen = tuple(visit for visit in VISITS if visit in visits)
    quantities = (*CELLS, *ANALYTES)
    subjects = tuple(draw_subject(i, _entropy(seed, "subject"), quantities, _FIRST_DAY) for i in range(n_subjects))
    can_miss = [(i, visit) for i in range(n_subjects) for visit in chosen if visit != "BL"]
    rng = np.random.default_rng(_entropy(seed, "missing"))
    missed = {can_miss[k] for k in rng.choice(len(can_miss), size=missing_visits, replace=False)} if can_miss else set()

    blood, tubes = [], []
    for i, subject in enumerate(subjects):
        for visit in chosen:
            if (i, visit) in missed:
                continue
            planned = VISITS[visit]
            stray = np.random.default_rng(_entropy(seed, "day", i, planned.number))
            day = planned.target_day + int(stray.integers(-planned.spread, planned.spread + 1))
            truth = draw_visit(subject, visit, day, _entropy(seed, "blood", i, planned.number))
            # a lot of beads lasts for two visits
            lot = planned.number // 2
            lot_rng = np.random.default_rng(_entropy(seed, "lot", lot))
            stated = int(lot_rng.integers(48_000, 54_000))
            lot_factor = float(np.exp(lot_rng.normal(0.0, cv_lot)))
            blood.append(truth)
            for k, panel in enumerate(PANELS.values()):
                tubes.append(
                    TubeSpec(
                        tube_id=f"{subject.id}-{visit}-{panel.name}",
                        panel=panel.name,
                        blood=truth,
                        seed=_entropy(seed, "tube", i, planned.number, k),
                        lymphocytes=tbnk_lymphocytes if panel.whole_blood else lymphocytes,
                        separable=separable,
                        beads_per_test=stated,
                        bead_lot=f"L{lot + 1:03d}",
                        lot_factor=lot_factor,
                        cv_pipetting=cv_pipetting,
                    )
                )
    return TrialPlan(
        seed=seed,
        visits=chosen,
        separable=separable,
        cv_pipetting=cv_pipetting,
        cv_lot=cv_lot,
        subjects=subjects,
        blood=tuple(blood),
        tubes=tuple(tubes),
        missing=tuple(sorted((subjects[i].id, visit) for i, visit in missed)),
    )
