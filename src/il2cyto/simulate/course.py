"""The effect of interleukin-2 courses over time: a turnover model driven by the doses that were given.

``dT/dt = kin (1 + S on(t)) - kout T``: a dose switches extra production on for one day. With ``kout`` of 0.20 per day
and ``S`` of 2.53 a first course of five daily doses raises the count 2.60-fold, and it falls back with a half-life of
3.5 days.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

#: ``kout``: rate at which an expanded population falls back, per day (half-life 3.5 days).
DECAY_PER_DAY: Final = 0.20
#: A course is given on this many days and starts again after `CYCLE_DAYS`.
COURSE_DAYS: Final = 5
CYCLE_DAYS: Final = 14
#: Courses are given for half a year.
TREATMENT_DAYS: Final = 182
#: SD of a subject's own log peak relative to the arm's; 0.28 on the log scale for the 2.6-fold peak of Treg per µL.
RESPONSE_SD: Final = 0.28 / math.log(2.6)
#: Courses over which tachyphylaxis sets in.
TOLERANCE_COURSES: Final = 4.0


def potency(course: int, tachyphylaxis: float) -> float:
    """Strength of the doses of a course (0 is the first), relative to the first.

    Examples
    --------
    >>> [round(potency(course, 0.2), 3) for course in (0, 2, 12)]
    [1.0, 0.921, 0.81]
    """
    return 1.0 - tachyphylaxis * (1.0 - math.exp(-course / TOLERANCE_COURSES))


def course_level(day: float, dose_days: Sequence[float], strengths: Sequence[float] | None = None) -> float:
    """Drug effect of the turnover model: 0 before treatment, 1 if treatment never stopped.

    Each dose switches production on for one day; the response decays with `DECAY_PER_DAY`. A sample is drawn before the
    dose of its own day.

    Parameters
    ----------
    strengths
        Relative strength of each dose; 1 by default.

    Examples
    --------
    >>> round(course_level(6, [1, 2, 3, 4, 5]), 3)
    0.632
    >>> course_level(1, [1, 2, 3, 4, 5])
    0.0
    """
    days = np.asarray(dose_days, dtype=np.float64)
    weights = np.ones(len(days)) if strengths is None else np.asarray(strengths, dtype=np.float64)
    given = days + 1 <= day
    decayed = np.exp(-DECAY_PER_DAY * (day - days[given] - 1))
    return float(np.sum(weights[given] * (1 - np.exp(-DECAY_PER_DAY)) * decayed))


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
    return float(np.log1p(stimulus(log_peak, response) * level))


def stimulus(log_peak: float, response: float) -> float:
    """``S`` of the turnover model for a subject.

    Examples
    --------
    >>> import numpy as np
    >>> round(stimulus(np.log(2.6), 0.0), 2)
    2.53
    """
    after_five = 1 - np.exp(-DECAY_PER_DAY * COURSE_DAYS)
    return float(np.expm1(log_peak * (1 + RESPONSE_SD * response)) / after_five)


def drift_level(day: int) -> float:
    """Share of the change that standard therapy brings: rises to 1 at half a year, and fades to 0.4 by a year.

    Examples
    --------
    >>> [round(drift_level(day), 2) for day in (1, 92, 183, 366, 500)]
    [0.0, 0.5, 1.0, 0.4, 0.4]
    """
    elapsed = max(day - 1, 0)
    if elapsed <= TREATMENT_DAYS:
        return elapsed / TREATMENT_DAYS
    return max(1.0 - 0.6 * (elapsed - TREATMENT_DAYS) / 183.0, 0.4)
