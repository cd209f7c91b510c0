"""How active the disease is, day by day: it calms down on treatment, wavers over months, and flares.

Activity is 1 for an average child at enrolment. Laboratory values, scores and steroid doses follow from it, which is
why they agree with one another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from il2cyto.simulate.biology import Subject
from il2cyto.simulate.streams import stream

#: Log change per SD of severity, and log change reached on standard therapy and with interleukin-2.
PER_SEVERITY: Final = 0.35
LOG_GAIN: Final = {"STD": -0.55, "IL2": -0.95}
#: Days to the half of that.
_HALF_DAYS: Final = 45.0
#: SD (log) of slow waves, their correlation time and grid in days.
_WAVE_SD, _WAVE_DAYS, _STEP = 0.30, 60.0, 14
#: Flares per year, their size (log) and the days over which one fades.
FLARES_PER_YEAR: Final = {"STD": 0.6, "IL2": 0.35}
_FLARE_LOG, _FLARE_DAYS = 0.9, 35.0
#: Study days for which activity is defined.
LAST_DAY: Final = 420


@dataclass(frozen=True)
class Activity:
    """The course of one child's disease.

    Parameters
    ----------
    flares
        Study days on which a flare begins.
    waves
        Log deviations every 14 days from study day 1 on.
    """

    subject: Subject
    flares: tuple[int, ...]
    waves: tuple[float, ...] = field(repr=False)

    def at(self, day: int) -> float:
        """Activity on a study day; before day 1 that of day 1."""
        elapsed = max(day - 1, 0)
        calm = LOG_GAIN[self.subject.arm] * (1 - 0.5 ** (elapsed / _HALF_DAYS))
        place = min(elapsed / _STEP, len(self.waves) - 1.001)
        low = int(place)
        wave = self.waves[low] + (place - low) * (self.waves[low + 1] - self.waves[low])
        flare = sum(_FLARE_LOG * math.exp(-(day - first) / _FLARE_DAYS) for first in self.flares if first <= day)
        return math.exp(PER_SEVERITY * self.subject.severity + calm + wave + flare)


def draw_activity(seed: int, number: int, subject: Subject) -> Activity:
    """Draw the course of the disease of subject `number`."""
    rng = stream(seed, "activity", number)
    keep = math.exp(-_STEP / _WAVE_DAYS)
    waves = [float(_WAVE_SD * rng.normal())]
    for _ in range(LAST_DAY // _STEP + 1):
        waves.append(keep * waves[-1] + math.sqrt(1 - keep * keep) * _WAVE_SD * float(rng.normal()))
    n_flares = int(rng.poisson(FLARES_PER_YEAR[subject.arm] * (LAST_DAY - 30) / 365.0))
    flares = sorted(int(day) for day in rng.integers(30, LAST_DAY, size=n_flares))
    return Activity(subject, tuple(flares), tuple(waves))
