"""Which visit each tube and each serum value stands for, from their dates and the doses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time

from il2cyto.derive.dosing import crossover, day_one
from il2cyto.derive.placement import MAX_UNSCHEDULED, Calendar, Draw, Placement, place_draws
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings
from il2cyto.study.model import Dose, SerumValue, Subject, TubeRecord, Visit
from il2cyto.study.samples import UNSCHEDULED, Tube

CELLS, SERUM = "cells", "serum"


@dataclass(frozen=True)
class Assigned:
    """Tubes and serum values with the visits that they stand for, and all visits in the order of time.

    `calendars` holds study day 1 and the days of doses of each subject.
    """

    records: tuple[TubeRecord, ...]
    values: tuple[SerumValue, ...]
    visits: dict[str, Visit]
    calendars: dict[str, Calendar]


def assign_visits(
    document: Document,
    tubes: Sequence[Tube],
    values: Sequence[SerumValue],
    doses: Sequence[Dose],
    subjects: Mapping[str, Subject],
    files: Mapping[str, str],
    findings: Findings,
) -> Assigned:
    """Place every tube and every serum value.

    Parameters
    ----------
    document
        Planned visits and how samples get theirs.
    tubes, values
        As the sheets name their visits.
    doses
        Of every treatment; those of study treatments count.
    subjects
        With their arms and dates of enrolment.
    files
        Names of the sheets for messages.
    findings
        Receives problems and notices. After earlier problems nothing is placed: dates may be placeholders then, and
        tubes whose visit depends on them have none.
    """
    named = [_named(tube.record) for tube in tubes]
    if findings.problems:
        by_window = document.visit_assignment == "windows"
        blank = [replace(one, visit="") if by_window or one.nominal_visit is None else one for one in named]
        return Assigned(tuple(blank), tuple(values), dict(document.visits), {})
    given = dose_times(document, doses)
    records = [replace(one, after_dose=_is_after(one, given)) for one in named]
    of_subject: dict[str, list[TubeRecord]] = {key: [] for key in subjects}
    for record in records:
        of_subject[record.subject].append(record)
    serum: dict[str, list[SerumValue]] = {key: [] for key in subjects}
    for value in values:
        serum[value.subject].append(value)
    calendars = {key: _calendar(document, one, of_subject[key], given.get(key, {})) for key, one in subjects.items()}
    placed: dict[tuple[str, Draw], Placement] = {}
    for subject, calendar in calendars.items():
        draws = {_draw(one) for one in of_subject[subject]}
        draws |= {draw for value in serum[subject] if (draw := _serum_draw(document, value))}
        by_window = document.visit_assignment == "windows"
        ordered = sorted(draws, key=lambda d: (d.kind, d.day or date.max, d.nominal or "", d.after_dose))
        found = place_draws(ordered, tuple(document.visits.values()), calendar, by_window=by_window)
        _check_numbers(files["samples"], subject, found.values(), document, findings)
        placed |= {(subject, draw): placement for draw, placement in found.items()}
    tubes_placed = tuple(_with_visit(one, placed[one.subject, _draw(one)]) for one in records)
    named_as: dict[tuple[str, str | None], set[str]] = {}
    for record in tubes_placed:
        named_as.setdefault((record.subject, record.nominal_visit), set()).add(record.visit)
    serum_placed = tuple(_serum_visit(document, one, placed, named_as, files, findings) for one in values)
    _check_serum(files.get("serum", ""), serum_placed, findings)
    extra = {
        place.visit: Visit(place.visit, place.label, place.number, scheduled=False)
        for place in placed.values()
        if place.visit not in document.visits
    }
    visits = sorted([*document.visits.values(), *extra.values()], key=lambda visit: (visit.number, visit.id))
    return Assigned(tubes_placed, serum_placed, {visit.id: visit for visit in visits}, calendars)


def dose_times(document: Document, doses: Iterable[Dose]) -> dict[str, dict[date, time | None]]:
    """Return the days with a dose of a study treatment of each subject, with the earliest time of each."""
    given: dict[str, dict[date, time | None]] = {}
    for dose in doses:
        if not document.treatments or dose.treatment in document.treatments:
            days = given.setdefault(dose.subject, {})
            known = days.get(dose.date)
            days[dose.date] = min(one for one in (known, dose.time) if one is not None) if known or dose.time else None
    return given


def _named(record: TubeRecord) -> TubeRecord:
    return replace(record, nominal_visit=None if record.visit in (UNSCHEDULED[0], "") else record.visit)


def _is_after(record: TubeRecord, given: Mapping[str, Mapping[date, time | None]]) -> bool:
    if record.collection_date is None or record.collection_time is None:
        return False
    dosed = given.get(record.subject, {}).get(record.collection_date)
    return dosed is not None and record.collection_time > dosed


def _calendar(
    document: Document, subject: Subject, records: Iterable[TubeRecord], given: Mapping[date, time | None]
) -> Calendar:
    days = tuple(sorted(given))
    reference = document.arms[subject.arm].reference
    baseline = [
        one.collection_date
        for one in records
        if one.collection_date is not None
        and one.nominal_visit is not None
        and document.visits[one.nominal_visit].baseline
    ]
    first = day_one(subject.reference_date, reference, days, baseline)
    return Calendar(first, days, crossover(subject.reference_date, reference, days))


def _draw(record: TubeRecord) -> Draw:
    return Draw(CELLS, record.nominal_visit, record.collection_date, record.after_dose)


def _serum_draw(document: Document, value: SerumValue) -> Draw | None:
    """Return the draw of a serum value; by windows one without a date follows the tubes of its visit."""
    if value.collection_date is None and document.visit_assignment == "windows":
        return None
    return Draw(SERUM, None if value.visit in (UNSCHEDULED[0], "") else value.visit, value.collection_date)


def _with_visit(record: TubeRecord, placement: Placement) -> TubeRecord:
    return replace(record, visit=placement.visit, apart=placement.apart)


def _serum_visit(
    document: Document,
    value: SerumValue,
    placed: Mapping[tuple[str, Draw], Placement],
    named_as: Mapping[tuple[str, str | None], set[str]],
    files: Mapping[str, str],
    findings: Findings,
) -> SerumValue:
    draw = _serum_draw(document, value)
    if draw is not None:
        return replace(value, visit=placed[value.subject, draw].visit)
    of_tubes = named_as.get((value.subject, value.visit), set())
    if len(of_tubes) != 1:
        message = (
            "without a collection_date a serum value follows the tubes of its visit, and "
            f"{value.subject} has {'several samples' if of_tubes else 'none'} there; write the date"
        )
        findings.problem(files["serum"], value.line, "collection_date", "", message)
        return value
    return replace(value, visit=next(iter(of_tubes)))


def _check_serum(file: str, values: Iterable[SerumValue], findings: Findings) -> None:
    """Report an analyte that has two values of one subject and visit."""
    first: dict[tuple[str, str, str], int | None] = {}
    for value in values:
        key = (value.subject, value.visit, value.analyte)
        if key in first:
            message = (
                f"line {first[key]} has this analyte of {value.subject} at {value.visit}; keep one, or name the visit "
                f"of the other {UNSCHEDULED[0]}"
            )
            findings.problem(file, value.line, "analyte", value.analyte, message)
        first.setdefault(key, value.line)


def _check_numbers(
    file: str, subject: str, placements: Iterable[Placement], document: Document, findings: Findings
) -> None:
    """Report more unscheduled visits than have numbers, and a planned visit with the name of one."""
    for place in {place for place in placements if place.label.startswith(("Unscheduled", "Date"))}:
        if place.visit in document.visits:
            message = f"unscheduled visits are called {place.visit}; give the planned visit another id"
            findings.problem(file, None, "visit", place.visit, message)
        if round(place.number * 100) % 100 > MAX_UNSCHEDULED:
            message = f"{subject} has more than {MAX_UNSCHEDULED} unscheduled visits in a row; name the visits"
            findings.problem(file, None, "visit", "", message)
