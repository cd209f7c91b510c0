"""What the dates of samples tell: visits outside windows or out of order, days since a dose, changes of treatment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from il2cyto.derive.days import ady
from il2cyto.derive.dosing import since_last
from il2cyto.study.assign import Assigned
from il2cyto.study.findings import Findings
from il2cyto.study.model import TubeRecord
from il2cyto.study.samples import Tube

#: Days since the last dose may differ so much within a visit before that is noted: a course lasts five days.
DSLD_SPREAD = 3


def notice_visits(file: str, records: Sequence[TubeRecord], assigned: Assigned, findings: Findings) -> None:
    """Note collections outside windows or out of order, what stands apart, other visits than named, and crossovers."""
    first: dict[tuple[str, str], TubeRecord] = {}
    for record in sorted(records, key=lambda one: (one.collection_date or date.max, one.after_dose, one.line)):
        first.setdefault((record.subject, record.visit), record)
    noted: set[tuple[str, str, date | None]] = set()
    latest: dict[str, TubeRecord] = {}
    order = {visit: place for place, visit in enumerate(assigned.visits)}
    for record in sorted(records, key=lambda one: (order[one.visit], one.line)):
        key = (record.subject, record.visit, record.collection_date)
        if key in noted:
            continue
        noted.add(key)
        _notice_day(file, record, assigned, findings)
        if record.collection_date is not None and assigned.visits[record.visit].scheduled:
            _notice_order(file, record, latest, findings)
    for record in sorted(first.values(), key=lambda one: one.line):
        _notice_place(file, record, findings)
    _notice_spread(file, first, assigned, findings)


def _notice_day(file: str, record: TubeRecord, assigned: Assigned, findings: Findings) -> None:
    window = assigned.visits[record.visit].window
    study_day = ady(record.collection_date, assigned.calendars[record.subject].day_one)
    if window is None or study_day is None or window[0] <= study_day <= window[1]:
        return
    message = f"study day {study_day} lies outside the window {window[0]} to {window[1]} of visit {record.visit}"
    findings.notice(file, record.line, "collection_date", str(record.collection_date), message)


def _notice_order(file: str, record: TubeRecord, latest: dict[str, TubeRecord], findings: Findings) -> None:
    before = latest.get(record.subject, record)
    collected, earlier = record.collection_date, before.collection_date
    if collected is None or earlier is None:
        return
    if before.visit != record.visit and earlier > collected:
        message = f"visit {before.visit} (line {before.line}) was collected later than {record.visit}; check the visits"
        findings.notice(file, record.line, "collection_date", collected.isoformat(), message)
    if collected >= earlier:
        latest[record.subject] = record


def _notice_place(file: str, record: TubeRecord, findings: Findings) -> None:
    if record.apart and record.apart != "unscheduled":
        message = f"not in the per-visit analysis: {record.apart}. It is kept as {record.visit}"
        findings.notice(file, record.line, "visit", record.nominal_visit or "", message)
    elif not record.apart and record.nominal_visit not in (None, record.visit):
        message = f"by its study day this sample stands for visit {record.visit}, not for {record.nominal_visit}"
        findings.notice(file, record.line, "visit", record.nominal_visit or "", message)


def _notice_spread(file: str, first: dict[tuple[str, str], TubeRecord], assigned: Assigned, findings: Findings) -> None:
    """Note visits whose samples were drawn at different times after a dose, so that their counts differ by that."""
    days: dict[str, list[int]] = {}
    for (subject, visit), record in first.items():
        doses = assigned.calendars[subject].doses
        if not record.apart and record.collection_date is not None:
            since = since_last(doses, record.collection_date, after_dose=record.after_dose)
            days.setdefault(visit, []).extend([] if since is None else [since])
    for visit in assigned.visits:
        found = days.get(visit) or [0]
        if max(found) - min(found) > DSLD_SPREAD:
            message = (
                f"days since the last dose at visit {visit} lie from {min(found)} to {max(found)}: its counts differ "
                "by that too (DSLD in the tables)"
            )
            findings.notice(file, None, "collection_date", "", message)


def notice_subjects(file: str, tubes: Sequence[Tube], assigned: Assigned, findings: Findings) -> None:
    """Note subjects of the reference arm who change to the study treatment, and dates of enrolment without use."""
    noted = set()
    for tube in tubes:
        subject, stated = tube.record.subject, tube.reference_date
        if stated is None or subject in noted:
            continue
        noted.add(subject)
        calendar = assigned.calendars[subject]
        if calendar.crossover is not None:
            day = ady(calendar.crossover, calendar.day_one)
            message = (
                f"{subject} of the reference arm changes to the study treatment on study day {day}: what was drawn "
                "after that is period 2 and not in the per-visit analysis"
            )
        elif calendar.day_one != stated:
            message = f"study day 1 of {subject} is that of the first dose; this date is not used"
        else:
            continue
        findings.notice(file, tube.record.line, "reference_date", stated.isoformat(), message)
