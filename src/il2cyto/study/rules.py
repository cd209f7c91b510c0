"""Checks of the rows of the samples sheet against each other and against the study."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date
from pathlib import Path

from il2cyto.study.beads import notice_beads
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings
from il2cyto.study.model import Dose, Subject, TubeRecord
from il2cyto.study.paths import is_file
from il2cyto.study.samples import APART, Tube


def check_tubes(file: str, tubes: Sequence[Tube], findings: Findings) -> None:
    """Report what cannot be true of the rows together: duplicates, contradictions about a subject, missing rules."""
    records = [tube.record for tube in tubes]
    _unique(
        file,
        "tube_id",
        records,
        lambda r: r.tube_id.casefold(),
        lambda r: r.tube_id,
        "give each tube its own",
        findings,
    )
    _unique(file, "fcs", records, lambda r: r.fcs if r.fcs != Path() else "", lambda r: r.fcs_name,
            "each file is one tube; correct one of the two names", findings)  # fmt: skip
    _check_subjects(file, tubes, findings)
    _check_repeats(file, records, findings)


def find_subjects(records: Iterable[TubeRecord]) -> dict[str, Subject]:
    """Return the subjects in the order of the sheet; the sex is taken from whichever row gives it."""
    subjects: dict[str, Subject] = {}
    for record in records:
        known = subjects.get(record.subject)
        sex = known.sex if known is not None and known.sex is not None else record.sex
        subjects[record.subject] = Subject(record.subject, record.arm, record.diagnosis, sex)
    return subjects


def notice_tubes(
    file: str, records: Sequence[TubeRecord], document: Document, doses: Sequence[Dose], findings: Findings
) -> None:
    """Note what stops nothing: missing files, unexpected visits, missing sources, dates out of window or order."""
    sources = {(record.subject, record.visit, record.tube) for record in records if record.route != "none"}
    for record in records:
        if not is_file(record.fcs):
            message = "no FCS file is there; the tube will be listed as a failure. Correct the name or the data root"
            findings.notice(file, record.line, "fcs", record.fcs_name, message)
        if record.visit not in document.arms[record.arm].visits:
            message = f"arm {record.arm} does not expect this visit; its tubes are analysed all the same"
            findings.notice(file, record.line, "visit", record.visit, message)
        source = (record.subject, record.visit, record.count.source_tube)
        if record.route == "chained" and source not in sources:
            message = (
                f"{record.subject} has no counted tube {record.count.source_tube} at {record.visit}: "
                "cells/µL of this tube will not be estimable; add that tube if it exists"
            )
            findings.notice(file, record.line, "tube", record.tube, message)
    _notice_similar_subjects(file, records, findings)
    notice_beads(file, records, findings)
    _notice_unknown(file, records, findings)
    _notice_dates(file, records, document, doses, findings)


def _unique(
    file: str,
    column: str,
    records: Iterable[TubeRecord],
    key: Callable[[TubeRecord], Hashable],
    value: Callable[[TubeRecord], str],
    remedy: str,
    findings: Findings,
) -> None:
    first: dict[Hashable, int] = {}
    for record in records:
        if not key(record):
            continue
        line = first.setdefault(key(record), record.line)
        if line != record.line:
            findings.problem(file, record.line, column, value(record), f"line {line} has the same {column}; {remedy}")


def _check_subjects(file: str, tubes: Sequence[Tube], findings: Findings) -> None:
    """Report a subject in two arms, with two diagnoses, sexes or dates of birth, or two ages at one visit."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for tube in tubes:
        record = tube.record
        facts = {"arm": record.arm, "diagnosis": record.diagnosis, "sex": record.sex or ""}
        facts["birth_date"] = tube.birth_date.isoformat() if tube.birth_date else ""
        for column, value in facts.items():
            if not value or not record.subject:
                continue
            known, line = first.setdefault((record.subject, column), (value, record.line))
            if known != value:
                # a date of birth is never repeated
                here, there = ("", "another") if column == "birth_date" else (value, repr(known))
                message = f"subject {record.subject} has {there} in line {line}; one subject has one {column}"
                findings.problem(file, record.line, column, here, message)
        if record.subject and tube.birth_date is None and not math.isnan(record.age):
            key = (record.subject, f"age at {record.visit}")
            known, line = first.setdefault(key, (repr(record.age), record.line))
            if known != repr(record.age):
                message = f"subject {record.subject} is {known} years old at the same visit in line {line}; correct one"
                findings.problem(file, record.line, "age_years", repr(record.age), message)


def _check_repeats(file: str, records: Sequence[TubeRecord], findings: Findings) -> None:
    """Report several tubes of one subject, visit and type without one rule that says what to do with them."""
    groups: dict[tuple[str, str, str], list[TubeRecord]] = {}
    for record in records:
        if record.subject and record.visit and record.tube:
            groups.setdefault((record.subject, record.visit, record.tube), []).append(record)
    for group in groups.values():
        rule = next((record.repeat for record in group if record.repeat), None)
        for record in group if len(group) > 1 else []:
            other = next(peer for peer in group if peer is not record)
            same = f"line {other.line} is the same subject, visit and tube"
            if record.repeat is None:
                message = f"{same}; write sum, apart:first or apart:latest in each of these rows"
                findings.problem(file, record.line, "repeat", "", message)
            elif record.repeat != rule:
                message = f"{same} under the rule {rule!r}; write one rule in all of them"
                findings.problem(file, record.line, "repeat", record.repeat, message)
            elif rule == "sum" and (record.strategy, record.route) != (group[0].strategy, group[0].route):
                message = f"{same} with another strategy or route; only tubes of one strategy and route can be summed"
                findings.problem(file, record.line, "repeat", record.repeat, message)
        dated = next((record for record in group if record.collection_date is not None), None)
        undated = next((record for record in group if record.collection_date is None), None)
        if rule in APART and dated is not None and undated is not None:
            message = (
                f"{rule} needs an order, and line {dated.line} has a date; "
                "write all dates, or unknown in all of these rows: then their order in the sheet counts"
            )
            findings.problem(file, undated.line, "collection_date", "unknown", message)


def _notice_similar_subjects(file: str, records: Sequence[TubeRecord], findings: Findings) -> None:
    spellings: dict[str, tuple[str, int]] = {}
    noted = set()
    for record in records:
        known, line = spellings.setdefault(record.subject.casefold(), (record.subject, record.line))
        if known != record.subject and record.subject not in noted:
            noted.add(record.subject)
            message = f"line {line} has {known!r}; these count as two subjects. Correct the spelling if they are one"
            findings.notice(file, record.line, "subject", record.subject, message)


def _notice_unknown(file: str, records: Sequence[TubeRecord], findings: Findings) -> None:
    """Note once what the sheet does not know, and once the tubes whose order is therefore that of the rows."""
    unknown = {
        "collection_date": [record for record in records if record.collection_date is None],
        "age_years": [record for record in records if math.isnan(record.age)],
    }
    effects = {
        "collection_date": "the collection date is unknown in {}: no study day, no time since a dose",
        "age_years": "the age is unknown in {}",
    }
    parts = [effects[column].format(f"{len(rows)} of {len(records)} rows") for column, rows in unknown.items() if rows]
    if parts:
        column = next(column for column, rows in unknown.items() if rows)
        findings.notice(file, None, column, "unknown", "; ".join(parts))
    groups: dict[tuple[str, str, str], list[TubeRecord]] = {}
    for record in unknown["collection_date"]:
        if record.repeat in APART:
            groups.setdefault((record.subject, record.visit, record.tube), []).append(record)
    apart = [group for group in groups.values() if len(group) > 1]
    if apart:
        lines = "; ".join(", ".join(str(record.line) for record in group) for group in apart)
        message = f"without dates the first and the latest tube are those of the order of rows (lines {lines})"
        findings.notice(file, None, "repeat", "", message)


def _notice_dates(
    file: str, records: Sequence[TubeRecord], document: Document, doses: Sequence[Dose], findings: Findings
) -> None:
    """Note collections outside the window of their visit, and visits that stand before an earlier one."""
    reference = _reference_dates(records, document, doses)
    order = {visit: place for place, visit in enumerate(document.visits)}
    noted = set()
    latest: dict[str, tuple[TubeRecord, date]] = {}
    for record in sorted(records, key=lambda record: (order[record.visit], record.line)):
        window = document.visits[record.visit].window
        collected = record.collection_date
        key = (record.subject, record.visit, collected)
        if collected is None or key in noted:
            continue
        noted.add(key)
        first_day = reference.get(record.subject)
        if window is not None and first_day is not None:
            day = (collected - first_day).days
            day += day >= 0  # study days have no day 0
            if not window[0] <= day <= window[1]:
                message = f"study day {day} lies outside the window {window[0]} to {window[1]} of visit {record.visit}"
                findings.notice(file, record.line, "collection_date", collected.isoformat(), message)
        before, before_day = latest.get(record.subject, (record, collected))
        if before.visit != record.visit and before_day > collected:
            message = (
                f"visit {before.visit} (line {before.line}) was collected later than {record.visit}; check the visits"
            )
            findings.notice(file, record.line, "collection_date", collected.isoformat(), message)
        if collected >= before_day:
            latest[record.subject] = (record, collected)


def _reference_dates(records: Sequence[TubeRecord], document: Document, doses: Sequence[Dose]) -> dict[str, date]:
    """Return study day 1: the first dose of a study treatment, or else the first baseline collection."""
    dates: dict[str, date] = {}
    for dose in doses:
        if not document.treatments or dose.treatment in document.treatments:
            dates[dose.subject] = min(dose.date, dates.get(dose.subject, dose.date))
    dosed = set(dates)
    for record in records:
        collected = record.collection_date
        if document.visits[record.visit].baseline and record.subject not in dosed and collected is not None:
            dates[record.subject] = min(collected, dates.get(record.subject, collected))
    return dates
