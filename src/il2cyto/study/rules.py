"""Checks of the rows of the samples sheet against each other and against the study."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import date, time
from pathlib import Path

from il2cyto.study.assign import Assigned
from il2cyto.study.beads import notice_beads
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings
from il2cyto.study.model import Subject, TubeRecord
from il2cyto.study.paths import is_file
from il2cyto.study.samples import APART, Tube
from il2cyto.study.timing import notice_visits


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


def find_subjects(tubes: Iterable[Tube]) -> dict[str, Subject]:
    """Return the subjects in the order of the sheet; sex and enrolment are taken from whichever row gives them."""
    subjects: dict[str, Subject] = {}
    for tube in tubes:
        record = tube.record
        known = subjects.get(record.subject)
        sex = known.sex if known is not None and known.sex is not None else record.sex
        enrolled = known.reference_date if known is not None and known.reference_date is not None else None
        subjects[record.subject] = Subject(
            record.subject, record.arm, record.diagnosis, sex, enrolled or tube.reference_date
        )
    return subjects


def with_repeats(records: Sequence[TubeRecord], document: Document) -> tuple[TubeRecord, ...]:
    """Give repeated tubes whose rows state no rule that of their type, or else that of the study."""
    sizes = Counter((one.subject, one.visit, one.tube) for one in records if one.visit)
    rules = {key: tube.repeat or document.repeat for key, tube in document.tubes.items()}
    return tuple(
        replace(one, repeat=one.repeat or rules.get(one.tube, document.repeat))
        if sizes[one.subject, one.visit, one.tube] > 1
        else one
        for one in records
    )


def notice_tubes(
    file: str, records: Sequence[TubeRecord], document: Document, assigned: Assigned, findings: Findings
) -> None:
    """Note what stops nothing: missing files, unexpected visits, missing sources, dates out of window or order."""
    sources = {(record.subject, record.visit, record.tube) for record in records if record.route != "none"}
    for record in records:
        if not is_file(record.fcs):
            message = "no FCS file is there; the tube will be listed as a failure. Correct the name or the data root"
            findings.notice(file, record.line, "fcs", record.fcs_name, message)
        if assigned.visits[record.visit].scheduled and record.visit not in document.arms[record.arm].visits:
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
    notice_visits(file, records, assigned, findings)
    _notice_ties(file, records, findings)


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
        facts["reference_date"] = tube.reference_date.isoformat() if tube.reference_date else ""
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
                message = f"{same}; write sum, apart:first or apart:latest in each of these rows, or state `repeat:`"
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


def _repeats(records: Iterable[TubeRecord]) -> list[list[TubeRecord]]:
    """Return the tubes of each subject, visit and tube type."""
    groups: dict[tuple[str, str, str], list[TubeRecord]] = {}
    for record in records:
        groups.setdefault((record.subject, record.visit, record.tube), []).append(record)
    return list(groups.values())


def collection_ranks(records: Iterable[TubeRecord]) -> dict[str, int]:
    """Return by tube its place among the tubes of its subject, visit and tube type; see `collection_order`."""
    return {
        record.tube_id: place for group in _repeats(records) for place, record in enumerate(collection_order(group))
    }


def _notice_ties(file: str, records: Sequence[TubeRecord], findings: Findings) -> None:
    """Note tubes of one day and no known order: the order of their ids decides which is the first and the latest."""
    dated = [one for one in records if one.repeat in APART and one.collection_date is not None]
    for group in _repeats(dated):
        ordered = collection_order(group)
        stands = ordered[0] if ordered[0].repeat == APART[0] else ordered[-1]
        other = next((one for one in group if one is not stands and _same_moment(one, stands)), None)
        if other is not None:
            message = (
                f"this tube stands for the visit by the order of ids: {other.tube_id} (line {other.line}) is of the "
                "same day, and not both have a time of day"
            )
            findings.notice(file, stands.line, "repeat", stands.tube_id, message)


def _same_moment(one: TubeRecord, other: TubeRecord) -> bool:
    if one.collection_date != other.collection_date:
        return False
    times = one.collection_time, other.collection_time
    return None in times or times[0] == times[1]


def collection_order(records: Iterable[TubeRecord]) -> list[TubeRecord]:
    """Return tubes by date, those of one day by time if all have one, then by id; undated ones as they stand."""
    groups: dict[date | None, list[TubeRecord]] = {}
    for record in records:
        groups.setdefault(record.collection_date, []).append(record)
    ordered: list[TubeRecord] = []
    for day in sorted(day for day in groups if day is not None):
        timed = all(one.collection_time is not None for one in groups[day])
        ordered += sorted(
            groups[day], key=lambda one: (one.collection_time or time() if timed else time(), one.tube_id)
        )
    return ordered + groups.get(None, [])
