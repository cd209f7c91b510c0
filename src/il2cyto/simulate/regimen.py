"""Which doses a child was given: five days on, nine off, as real life leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from il2cyto.simulate.course import COURSE_DAYS, CYCLE_DAYS, TREATMENT_DAYS

#: Interleukin-2 per m² of body surface and dose, IU.
DOSE_PER_M2: Final = 500_000.0
#: Courses left out whole, and courses that begin a day late or early, per missed dose.
_LEFT_OUT: Final = 0.5
_SHIFTED: Final = 6.0


@dataclass(frozen=True)
class GivenDose:
    """A dose that was given: its study day and the course it belongs to (0 is the first)."""

    day: int
    course: int


def given_doses(rng: np.random.Generator, missed: float) -> tuple[GivenDose, ...]:
    """Doses of a treated child.

    Parameters
    ----------
    missed
        Probability that a single dose is missed. Half as often a whole course is left out, and six times as often a
        course begins a day late or early; the first course always begins on day 1.

    Examples
    --------
    >>> doses = given_doses(np.random.default_rng(1), 0.0)
    >>> len(doses), doses[5]
    (65, GivenDose(day=15, course=1))
    """
    doses = []
    for course, first in enumerate(range(1, TREATMENT_DAYS + 1, CYCLE_DAYS)):
        left_out, shifted, direction = rng.random(), rng.random(), rng.random()
        missing = rng.random(COURSE_DAYS)
        if course and left_out < _LEFT_OUT * missed:
            continue
        shift = (1 if direction < 0.7 else -1) if course and shifted < _SHIFTED * missed else 0
        doses += [
            GivenDose(first + shift + k, course)
            for k in range(COURSE_DAYS)
            if (course == k == 0 or missing[k] >= missed) and first + shift + k <= TREATMENT_DAYS
        ]
    return tuple(doses)
