"""Adverse events by class, at published rates where there are some."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from il2cyto.simulate.biology import Subject
from il2cyto.simulate.streams import stream


@dataclass(frozen=True)
class EventClass:
    """One class of adverse events.

    Parameters
    ----------
    share
        Share of subjects with at least one within 24 weeks, by arm.
    terms
        What may be reported, with equal probability.
    on_dose
        Whether it happens on days of a dose.
    days
        Median duration.
    """

    share: Mapping[str, float]
    terms: tuple[str, ...]
    on_dose: bool
    days: float


#: The first four rows are the rates of He et al. 2020 (Ann Rheum Dis 79:141, table 3), low-dose interleukin-2 against
#: placebo; a child without injections has no injection-site reaction. The others are rare and chosen here.
CLASSES: Final[Mapping[str, EventClass]] = {
    "injection site reaction": EventClass(
        {"IL2": 9 / 29, "STD": 0.0}, ("injection site erythema", "injection site induration"), True, 2.0
    ),
    "influenza-like": EventClass({"IL2": 3 / 29, "STD": 0.0}, ("influenza like illness",), True, 2.0),
    "fever": EventClass({"IL2": 4 / 29, "STD": 0.0}, ("pyrexia",), True, 1.5),
    "infection": EventClass(
        {"IL2": 2 / 29, "STD": 6 / 30},
        (
            "upper respiratory tract infection",
            "upper respiratory tract infection",
            "urinary tract infection",
            "herpes zoster",
        ),
        False,
        8.0,
    ),
    "liver": EventClass({"IL2": 0.03, "STD": 0.03}, ("alanine aminotransferase increased",), False, 20.0),
    "kidney": EventClass({"IL2": 0.01, "STD": 0.02}, ("blood creatinine increased",), False, 20.0),
    "cardiovascular": EventClass({"IL2": 0.01, "STD": 0.01}, ("hypertension",), False, 30.0),
    "tumour": EventClass({"IL2": 0.002, "STD": 0.002}, ("skin papilloma",), False, 60.0),
}
_WEEKS_24: Final = 168.0
#: Grades 1, 2 and 3, and the share of severe infections in controls (2 of 6).
_GRADES: Final = (0.65, 0.30, 0.05)
_SEVERE_INFECTION: Final = 1 / 3


@dataclass(frozen=True)
class AdverseEvent:
    """One event; `start` and `stop` are study days, `stop` is ``None`` while it lasts."""

    event_class: str
    term: str
    start: int
    stop: int | None
    grade: int
    serious: bool
    related: bool


def daily_rate(share: float) -> float:
    """Events per day that give a `share` of subjects at least one within 24 weeks.

    Examples
    --------
    >>> round(1 - math.exp(-168 * daily_rate(0.31)), 2)
    0.31
    """
    return -math.log1p(-share) / _WEEKS_24


def draw_events(seed: int, number: int, subject: Subject, last_day: int) -> list[AdverseEvent]:
    """Adverse events of subject `number` up to `last_day`, by start.

    Events of dosing days happen on days of a dose only, and the share of subjects over all doses is that of the class.
    """
    rng = stream(seed, "adverse", number)
    events = []
    for name, one in CLASSES.items():
        doses = [day for day in subject.dose_days if day <= last_day]
        expected = daily_rate(one.share[subject.arm]) * (_WEEKS_24 if one.on_dose else last_day)
        if one.on_dose:
            expected *= len(doses) / max(len(subject.dose_days), 1)
        for _ in range(int(rng.poisson(expected))):
            draws = rng.random(5).tolist()
            start = doses[int(draws[0] * len(doses))] if one.on_dose else 1 + int(draws[0] * last_day)
            grade = 1 if draws[1] < _GRADES[0] else 2 if draws[1] < _GRADES[0] + _GRADES[1] else 3
            if name == "infection" and subject.arm == "STD" and draws[1] > 1 - _SEVERE_INFECTION:
                grade = 3
            length = max(1, round(one.days * math.exp(0.5 * float(rng.normal()))))
            stop = start + length - 1
            events.append(
                AdverseEvent(
                    event_class=name,
                    term=one.terms[int(draws[2] * len(one.terms))],
                    start=start,
                    stop=stop if stop <= last_day else None,
                    grade=grade,
                    serious=grade == 3 and draws[3] < 0.6,
                    related=one.on_dose or (subject.arm == "IL2" and draws[4] < 0.1),
                )
            )
    return sorted(events, key=lambda event: (event.start, event.event_class, event.term))
