"""Which visit a sample stands for: as the sheet names it, or by windows of study days; the others stand apart.

Names are those of CDISC's ADaM: a sample in the per-visit analysis has ``ANL01FL = Y``; one that it leaves out is
kept under an unscheduled visit, numbered after the visit before it (1.01, 1.02, …).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

from il2cyto.derive.days import ady
from il2cyto.derive.dosing import since_last

#: Unscheduled visits after one planned visit, in hundredths of its number.
MAX_UNSCHEDULED = 98
#: Number of a sample of unknown date above that of its visit: behind every unscheduled one.
UNDATED = 0.995


class PlannedVisit(Protocol):
    """A planned visit; windows and targets are study days."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def number(self) -> float: ...
    @property
    def baseline(self) -> bool: ...
    @property
    def target_day(self) -> int | None: ...
    @property
    def window(self) -> tuple[int, int] | None: ...
    @property
    def max_dsld(self) -> int | None: ...


V = TypeVar("V", bound=PlannedVisit)


@dataclass(frozen=True)
class Draw:
    """What was taken of one subject on one day.

    Attributes
    ----------
    kind
        ``cells`` or ``serum``: each is placed by itself, and both share the numbers of unscheduled visits.
    nominal
        Visit as the sheet names it, ``None`` for an unscheduled one.
    day
        ``None`` where the date is unknown.
    after_dose
        Whether it is known to be drawn after the dose of its day.
    """

    kind: str
    nominal: str | None
    day: date | None
    after_dose: bool = False


@dataclass(frozen=True)
class Calendar:
    """Study day 1 of a subject, the days of its doses in order, and the first dose of one who changed to treatment."""

    day_one: date | None = None
    doses: tuple[date, ...] = ()
    crossover: date | None = None


@dataclass(frozen=True)
class Placement:
    """The visit that a sample stands for; `apart` says why it is not in the per-visit analysis, else it is empty."""

    visit: str
    label: str
    number: float
    apart: str = ""


def linear_day(study_day: int) -> int:
    """Return a study day on a line without the gap at day 0.

    Examples
    --------
    >>> [linear_day(day) for day in (-2, -1, 1, 2)]
    [-2, -1, 0, 1]
    """
    return study_day - 1 if study_day > 0 else study_day


def from_target(study_day: int, target: int) -> int:
    """Return ``AWTDIFF``: the days between a study day and a target day, of which neither can be 0.

    Examples
    --------
    >>> from_target(-1, 1), from_target(95, 91)
    (1, 4)
    """
    return abs(linear_day(study_day) - linear_day(target))


def window_of(study_day: int | None, visits: Iterable[V]) -> V | None:
    """Return the visit whose window holds a study day."""
    if study_day is None:
        return None
    return next((v for v in visits if v.window is not None and v.window[0] <= study_day <= v.window[1]), None)


def place_draws(
    draws: Sequence[Draw], visits: Sequence[PlannedVisit], calendar: Calendar, *, by_window: bool
) -> dict[Draw, Placement]:
    """Place the samples of one subject.

    Parameters
    ----------
    draws
        In any order; several tubes of one day are one draw.
    visits
        Planned visits, in the order of time; windows do not overlap.
    calendar
        Days of the subject.
    by_window
        Whether the visit follows from the study day. Then every visit takes the sample closest to its target day, of
        two as close the later; the baseline takes the last one before the first dose. A visit with `max_dsld` takes
        only samples at most so many days after the last dose, from subjects who had one. What no visit takes stands
        apart. Otherwise the visit is the nominal one, and a sample that `max_dsld` excludes keeps it and stands apart.

    Notes
    -----
    Samples after a control has changed to the study treatment are those of another period, and stand apart.
    """
    placed = _by_window(draws, visits, calendar) if by_window else _by_name(draws, visits, calendar)
    return placed | _unscheduled(draws, placed, visits, calendar, by_window)


def _by_name(draws: Sequence[Draw], visits: Sequence[PlannedVisit], calendar: Calendar) -> dict[Draw, Placement]:
    known = {visit.id: visit for visit in visits}
    placed = {}
    for draw in draws:
        if draw.nominal in known:
            visit = known[draw.nominal]
            # the tubes of a visit stand apart together, as its earliest day says
            same = [peer for peer in draws if (peer.kind, peer.nominal) == (draw.kind, draw.nominal) and peer.day]
            first = min(same, key=lambda peer: (peer.day or date.max, peer.after_dose), default=draw)
            apart = _period(first, calendar) or _too_late(first, visit, calendar)
            placed[draw] = Placement(visit.id, visit.label, visit.number, apart)
    return placed


def _by_window(draws: Sequence[Draw], visits: Sequence[PlannedVisit], calendar: Calendar) -> dict[Draw, Placement]:
    placed = {}
    for visit in visits:
        for kind in sorted({draw.kind for draw in draws}):
            days = {draw.day for draw in draws if draw.kind == kind and not _refused(draw, visit, calendar)}
            best = max((day for day in days if day), key=lambda day: _closeness(day, visit, calendar), default=None)
            for draw in draws:
                if best == draw.day is not None and draw.kind == kind and not _refused(draw, visit, calendar):
                    placed[draw] = Placement(visit.id, visit.label, visit.number)
    return placed


def _closeness(day: date, visit: PlannedVisit, calendar: Calendar) -> tuple[int, date]:
    study_day = ady(day, calendar.day_one)
    if visit.baseline or visit.target_day is None or study_day is None:
        return 0, day
    return -from_target(study_day, visit.target_day), day


def _refused(draw: Draw, visit: PlannedVisit, calendar: Calendar) -> str:
    """Return why a visit cannot take a sample; empty if it can."""
    study_day = ady(draw.day, calendar.day_one)
    if study_day is None:
        return "the collection date is unknown" if draw.day is None else "study day 1 of the subject is unknown"
    if window_of(study_day, [visit]) is None:
        return f"study day {study_day} lies in no window"
    if visit.baseline and calendar.doses and _after_first_dose(draw, calendar):
        return "it was drawn after the first dose"
    return _period(draw, calendar) or _too_late(draw, visit, calendar)


def _after_first_dose(draw: Draw, calendar: Calendar) -> bool:
    return draw.day is not None and (
        draw.day > calendar.doses[0] or (draw.day == calendar.doses[0] and draw.after_dose)
    )


def _period(draw: Draw, calendar: Calendar) -> str:
    changed = calendar.crossover
    if changed is None or draw.day is None or draw.day < changed or (draw.day == changed and not draw.after_dose):
        return ""
    return f"drawn in period 2, after the change to the study treatment on study day {ady(changed, calendar.day_one)}"


def _too_late(draw: Draw, visit: PlannedVisit, calendar: Calendar) -> str:
    if visit.max_dsld is None or not calendar.doses:
        return ""
    if draw.day is None:
        return f"the days since the last dose are unknown, and visit {visit.id} takes at most {visit.max_dsld}"
    since = since_last(calendar.doses, draw.day, after_dose=draw.after_dose)
    if since is None or since <= visit.max_dsld:
        return ""
    return f"{since} days since the last dose, and visit {visit.id} takes at most {visit.max_dsld}"


def _unscheduled(
    draws: Sequence[Draw],
    placed: dict[Draw, Placement],
    visits: Sequence[PlannedVisit],
    calendar: Calendar,
    by_window: bool,
) -> dict[Draw, Placement]:
    """Place what no visit took: numbered by day after the visit before it."""
    begun = sorted((draw.day, place.number) for draw, place in placed.items() if draw.day is not None)
    lowest = min((visit.number for visit in visits), default=0) - 1
    rest = [draw for draw in draws if draw not in placed]
    found = {}
    counts: dict[float, int] = {}
    for day in sorted({draw.day for draw in rest if draw.day is not None}):
        before = [number for begin, number in begun if begin <= day]
        number = before[-1] if before else lowest
        counts[number] = counts.get(number, 0) + 1
        value = round(number + min(counts[number], MAX_UNSCHEDULED + 1) / 100, 2)
        for draw in rest:
            if draw.day == day:
                apart = _reason(draw, placed, visits, calendar) if by_window else "unscheduled"
                found[draw] = Placement(f"UNS{value:.2f}", f"Unscheduled {value:.2f}", value, apart)
    for draw in rest:
        visit = next((visit for visit in visits if visit.id == draw.nominal), None)
        if draw.day is None and visit is not None:
            apart = "the collection date is unknown"
            found[draw] = Placement(f"UNK-{visit.id}", f"{visit.label}, date unknown", visit.number + UNDATED, apart)
    return found


def _reason(draw: Draw, placed: dict[Draw, Placement], visits: Sequence[PlannedVisit], calendar: Calendar) -> str:
    """Return why no visit took a sample with a date."""
    study_day = ady(draw.day, calendar.day_one)
    visit = window_of(study_day, visits)
    if visit is None:
        return _refused(draw, visits[0], calendar) if visits else "unscheduled"
    refused = _refused(draw, visit, calendar)
    if refused:
        return refused
    taken = next(peer for peer, place in placed.items() if (place.visit, peer.kind) == (visit.id, draw.kind))
    why = (
        "later and before the first dose"
        if visit.baseline
        else f"closer to day {visit.target_day}, or as close and later"
    )
    return f"visit {visit.id} takes the sample of study day {ady(taken.day, calendar.day_one)}, {why}"
