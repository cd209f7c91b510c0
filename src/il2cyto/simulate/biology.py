"""What is true in the blood: subjects, visits, and the effect of interleukin-2 courses.

Quantities vary between subjects (a lasting part and one that changes over months), within subjects from visit to visit,
with age, diagnosis and severity; the response to treatment follows a turnover model; a drift is common to both arms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from il2cyto.derive.surface import body_surface_m2
from il2cyto.simulate.course import RESPONSE_SD, course_level, drift_level, log_fold, potency
from il2cyto.simulate.design import VISITS
from il2cyto.simulate.growth import height_cm, weight_kg
from il2cyto.simulate.quantities import CELLS, DIAGNOSIS_SHIFT, NEPHRITIS_SHIFT, SEVERITY, TREG_ON_T, Quantity
from il2cyto.simulate.regimen import GivenDose, given_doses

__all__ = [
    "RESPONSE_SD",
    "Subject",
    "VisitTruth",
    "course_level",
    "draw_subject",
    "draw_values",
    "draw_visit",
    "log_fold",
]

#: Share of the variance between subjects that changes over months, and the days over which it does: children who
#: differ today differ less alike a year later.
SLOW_SHARE: Final = 0.35
SLOW_DAYS: Final = 120.0
#: Diagnoses as the pairs of subjects (one of each arm) come; both arms get the same mix.
_DIAGNOSES: Final = ("SLE", "SLE", "JIA", "SLE", "pSS")
_NEPHRITIS: Final = 0.4
#: Log change of the T cells of a lymphopenic child.
_LYMPHOPENIA: Final = math.log(0.28)


@dataclass(frozen=True)
class Subject:
    """One child of the trial.

    Parameters
    ----------
    age_years, height_z, bmi_z
        Age on study day 1, and how far height and body-mass index lie from the median of their age, in SD.
    response
        Standard normal deviate of the response to interleukin-2.
    severity
        Severity of the disease, in SD around the mean of all subjects.
    doses
        Doses of interleukin-2 that were given; none in the control arm.
    tachyphylaxis
        Share of the effect of a course that is lost in the end.
    deviations
        Standard normal deviates of the subject for each quantity: the lasting part.
    slow
        The same for the part that changes over months, for each visit of the protocol.
    """

    id: str
    arm: str
    diagnosis: str
    sex: str
    age_years: float
    height_z: float
    bmi_z: float
    start: date
    response: float
    severity: float
    nephritis: bool
    lymphopenic: bool
    doses: tuple[GivenDose, ...] = field(repr=False)
    tachyphylaxis: float
    deviations: Mapping[str, float] = field(repr=False)
    slow: Mapping[str, Mapping[str, float]] = field(repr=False)

    @property
    def height_cm(self) -> float:
        """Height on study day 1."""
        return self.height_at(1)

    @property
    def weight_kg(self) -> float:
        """Weight on study day 1."""
        return self.weight_at(1)

    @property
    def bsa_m2(self) -> float:
        """Body surface area on study day 1 (Mosteller)."""
        return self.bsa_at(1)

    def age_at(self, day: int) -> float:
        """Age in years on a study day."""
        return self.age_years + (day - 1) / 365.25

    def height_at(self, day: int) -> float:
        """Height in cm on a study day."""
        return height_cm(self.age_at(day), self.sex, self.height_z)

    def weight_at(self, day: int) -> float:
        """Weight in kg on a study day."""
        return weight_kg(self.age_at(day), self.height_at(day), self.bmi_z)

    def bsa_at(self, day: int) -> float:
        """Body surface area in m² on a study day (Mosteller)."""
        return float(body_surface_m2(self.height_at(day), self.weight_at(day)))

    @property
    def dose_days(self) -> tuple[int, ...]:
        """Study days on which interleukin-2 was given (day 1 is the first); none in the control arm."""
        return tuple(dose.day for dose in self.doses)

    def course(self, day: float) -> float:
        """Drug effect on a study day (see `course_level`)."""
        return course_level(day, self.dose_days, [potency(dose.course, self.tachyphylaxis) for dose in self.doses])

    def deviation(self, name: str, visit: str) -> float:
        """Standard normal deviate of a quantity at a visit, both parts together."""
        lasting, slow = self.deviations[name], self.slow[visit][name]
        return math.sqrt(1 - SLOW_SHARE) * lasting + math.sqrt(SLOW_SHARE) * slow

    def shift(self, name: str) -> float:
        """Log shift of the median of a quantity by diagnosis."""
        shift = DIAGNOSIS_SHIFT.get(self.diagnosis, {}).get(name, 0.0)
        if self.nephritis:
            shift += NEPHRITIS_SHIFT.get(name, 0.0)
        return shift + (_LYMPHOPENIA if self.lymphopenic and name in ("t", "b") else 0.0)

    def date_of(self, day: int) -> date:
        """Calendar date of a study day; there is no day 0, so day -1 is the day before day 1."""
        return self.start + timedelta(days=day - 1 if day > 0 else day)


@dataclass(frozen=True)
class VisitTruth:
    """The blood of one subject at one visit, before anything is sampled.

    Parameters
    ----------
    day
        Study day of the draw.
    course
        Level of the drug effect (see `course_level`).
    values
        The quantities of `CELLS`: counts in cells/µL and shares.
    within
        Standard normal deviates of the visit, one per quantity.
    """

    subject: str
    visit: str
    day: int
    course: float
    values: Mapping[str, float] = field(repr=False)
    within: Mapping[str, float] = field(repr=False)

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def _correlated(drawn: Mapping[str, float], severity: float, loading: bool) -> dict[str, float]:
    """Deviates with the correlations of the quantities; `severity` is a standard normal one too, up to its shift."""
    values = dict(drawn)
    if loading:
        for name, load in SEVERITY.items():
            if name in values:
                values[name] = load * severity + math.sqrt(1 - load * load) * values[name]
    if {"t", "treg_of_cd4"} <= values.keys():
        values["treg_of_cd4"] = TREG_ON_T * values["t"] + math.sqrt(1 - TREG_ON_T**2) * values["treg_of_cd4"]
    return values


def _slow_path(rng: np.random.Generator, quantities: Sequence[str]) -> dict[str, dict[str, float]]:
    """The part of each quantity that changes over months, at the target days of all visits of the protocol."""
    path: dict[str, dict[str, float]] = {}
    values = np.zeros(len(quantities))
    before: int | None = None
    for visit, planned in VISITS.items():
        keep = 0.0 if before is None else math.exp(-(planned.target_day - before) / SLOW_DAYS)
        values = keep * values + math.sqrt(1 - keep * keep) * rng.normal(size=len(quantities))
        before = planned.target_day
        path[visit] = _correlated(dict(zip(quantities, values.tolist(), strict=True)), 0.0, loading=False)
    return path


def draw_subject(
    number: int,
    seed: Sequence[int],
    quantities: Sequence[str],
    first_day: date,
    *,
    confounding: float = 0.0,
    missed_doses: float = 0.0,
    tachyphylaxis: float = 0.0,
    lymphopenic: bool = False,
) -> Subject:
    """Draw subject `number` (0 is the first); arms alternate so that any even number of subjects is balanced.

    Parameters
    ----------
    seed
        Entropy; the same numbers give the same subject.
    quantities
        Names of the quantities for which the subject gets standard normal deviates.
    confounding, missed_doses, tachyphylaxis, lymphopenic
        As in `TrialDesign`.
    """
    rng = np.random.default_rng([*seed, number])
    arm = ("IL2", "STD")[number % 2]
    severity = float(rng.normal()) + (0.5 if arm == "IL2" else -0.5) * confounding
    diagnosis = _DIAGNOSES[(number // 2) % len(_DIAGNOSES)]
    age = float(np.round(rng.uniform(6.0, 17.0), 1))
    sex = "F" if rng.random() < 0.8 else "M"
    height_z, bmi_z, response = rng.normal(size=3).tolist()
    nephritis = bool(rng.random() < _NEPHRITIS) and diagnosis == "SLE"
    wait = int(rng.integers(0, 5))
    drawn = dict(zip(quantities, rng.normal(size=len(quantities)).tolist(), strict=True))
    return Subject(
        id=f"P{number + 1:03d}",
        arm=arm,
        diagnosis=diagnosis,
        sex=sex,
        age_years=age,
        height_z=height_z,
        bmi_z=bmi_z,
        start=first_day + timedelta(days=7 * number + wait),
        response=response,
        severity=severity,
        nephritis=nephritis,
        lymphopenic=lymphopenic,
        doses=given_doses(rng, missed_doses) if arm == "IL2" else (),
        tachyphylaxis=tachyphylaxis,
        deviations=_correlated(drawn, severity, loading=True),
        slow=_slow_path(np.random.default_rng([*seed, number, 1]), quantities),
    )


def draw_values(
    subject: Subject, visit: str, day: int, quantities: Mapping[str, Quantity], within: Mapping[str, float]
) -> dict[str, float]:
    """Values of `quantities` for a subject on a study day, with the standard normal deviates `within` the subject."""
    level = subject.course(day)
    values = {}
    for name, quantity in quantities.items():
        deviation = (
            quantity.omega * subject.deviation(name, visit)
            + quantity.sigma * within[name]
            + quantity.per_year * (subject.age_at(day) - 12.0)
            + subject.shift(name)
        )
        values[name] = quantity.value(deviation, effect(subject, quantity, day, level))
    return values


def effect(subject: Subject, quantity: Quantity, day: int, level: float) -> float:
    """Log change (of a share: of its odds) that treatment and drift bring to a quantity on a study day."""
    return log_fold(quantity.log_peak(), subject.response, level) + quantity.drift * drift_level(day)


def draw_visit(subject: Subject, visit: str, day: int, seed: Sequence[int]) -> VisitTruth:
    """Draw the blood of `subject` at a visit; the same `seed` gives the same blood."""
    deviates = np.random.default_rng(list(seed)).normal(size=len(CELLS)).tolist()
    within = dict(zip(CELLS, deviates, strict=True))
    values = draw_values(subject, visit, day, CELLS, within)
    return VisitTruth(subject.id, visit, day, subject.course(day), values, within)
