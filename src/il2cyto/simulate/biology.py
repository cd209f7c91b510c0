"""What is true in the blood: subjects, visits, and the effect of interleukin-2 courses.

Quantities vary between and within subjects; the response to treatment follows a turnover model, and a drift is common
to both arms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from il2cyto.simulate.quantities import CELLS, Quantity

#: Rate at which an expanded population falls back, per day (half-life 3.5 days).
DECAY_PER_DAY: Final = 0.20
#: A course is given on this many days and starts again after `CYCLE_DAYS`.
COURSE_DAYS: Final = 5
CYCLE_DAYS: Final = 14
#: Courses are given for half a year.
TREATMENT_DAYS: Final = 182
#: SD of a subject's own log peak relative to the arm's; 0.28 on the log scale for the 2.6-fold peak of Treg per µL.
RESPONSE_SD: Final = 0.28 / math.log(2.6)


def course_level(day: float, dose_days: Sequence[float]) -> float:
    """Drug effect of a turnover model: 0 before treatment, 1 if treatment never stopped.

    Each dose switches production on for one day; the response decays with `DECAY_PER_DAY`. A sample is drawn before the
    dose of its own day.

    Examples
    --------
    >>> round(course_level(6, [1, 2, 3, 4, 5]), 3)
    0.632
    >>> course_level(1, [1, 2, 3, 4, 5])
    0.0
    """
    given = np.asarray([d for d in dose_days if d + 1 <= day], dtype=np.float64)
    return float(np.sum((1 - np.exp(-DECAY_PER_DAY)) * np.exp(-DECAY_PER_DAY * (day - given - 1))))


def log_fold(log_peak: float, response: float, level: float) -> float:
    """Log ratio to untreated, for the arm's `log_peak` (0 or more), a subject's `response` and a course level.

    The response is a standard normal deviate that scales the subject's own log peak.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(np.exp(log_fold(np.log(2.6), 0.0, 0.6321))), 2)
    2.6
    >>> log_fold(0.0, 1.0, 0.6)
    0.0
    """
    if log_peak == 0.0:
        return 0.0
    after_five = 1 - np.exp(-DECAY_PER_DAY * COURSE_DAYS)
    return float(np.log1p(np.expm1(log_peak * (1 + RESPONSE_SD * response)) * level / after_five))


@dataclass(frozen=True)
class Subject:
    """One child of the trial.

    Parameters
    ----------
    response
        Standard normal deviate of the response to interleukin-2.
    deviations
        Standard normal deviate of the subject for each quantity.
    """

    id: str
    arm: str
    diagnosis: str
    sex: str
    age_years: float
    height_cm: float
    weight_kg: float
    start: date
    response: float
    deviations: Mapping[str, float] = field(repr=False)

    @property
    def bsa_m2(self) -> float:
        """Body surface area (Mosteller 1987: the root of height [cm] × weight [kg] / 3600)."""
        return float(np.sqrt(self.height_cm * self.weight_kg / 3600.0))

    @property
    def dose_days(self) -> tuple[int, ...]:
        """Study days on which interleukin-2 is given (day 1 is the first); none in the control arm."""
        if self.arm != "IL2":
            return ()
        return tuple(day for day in range(1, TREATMENT_DAYS + 1) if (day - 1) % CYCLE_DAYS < COURSE_DAYS)

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


def draw_subject(number: int, seed: Sequence[int], quantities: Sequence[str], first_day: date) -> Subject:
    """Draw subject `number` (0 is the first); arms alternate so that any even number of subjects is balanced.

    Parameters
    ----------
    seed
        Entropy; the same numbers give the same subject.
    quantities
        Names of the quantities for which the subject gets a standard normal deviate.
    """
    rng = np.random.default_rng([*seed, number])
    age = float(np.round(rng.uniform(6.0, 17.0), 1))
    height = float(np.round(116.0 + 6.0 * (min(age, 15.0) - 6.0) + rng.normal(0.0, 5.0), 1))
    weight = float(np.round((16.0 + 0.35 * (age - 6.0) + rng.normal(0.0, 1.5)) * (height / 100.0) ** 2, 1))
    return Subject(
        id=f"P{number + 1:03d}",
        arm=("IL2", "STD")[number % 2],
        # both arms get the same mix of diagnoses
        diagnosis=("SLE", "SLE", "JIA")[(number // 2) % 3],
        sex="F" if rng.random() < 0.8 else "M",
        age_years=age,
        height_cm=height,
        weight_kg=weight,
        start=first_day + timedelta(days=int(7 * number + rng.integers(0, 5))),
        response=float(rng.normal()),
        deviations=dict(zip(quantities, rng.normal(size=len(quantities)).tolist(), strict=True)),
    )


def draw_values(
    subject: Subject, day: int, quantities: Mapping[str, Quantity], within: Mapping[str, float]
) -> dict[str, float]:
    """Values of `quantities` for a subject on a study day, with the standard normal deviates `within` the subject."""
    level = course_level(day, subject.dose_days)
    values = {}
    for name, quantity in quantities.items():
        deviation = (
            quantity.omega * subject.deviations[name]
            + quantity.sigma * within[name]
            + quantity.per_year * (subject.age_years - 12.0)
        )
        effect = log_fold(quantity.log_peak(), subject.response, level) + quantity.drift * max(day - 1, 0) / 182.0
        values[name] = quantity.value(deviation, effect)
    return values


def draw_visit(subject: Subject, visit: str, day: int, seed: Sequence[int]) -> VisitTruth:
    """Draw the blood of `subject` at a visit; the same `seed` gives the same blood."""
    deviates = np.random.default_rng(list(seed)).normal(size=len(CELLS)).tolist()
    within = dict(zip(CELLS, deviates, strict=True))
    values = draw_values(subject, day, CELLS, within)
    return VisitTruth(subject.id, visit, day, course_level(day, subject.dose_days), values, within)
