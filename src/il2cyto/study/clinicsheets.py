"""The sheets of the clinic: concomitant drugs, vital signs, laboratory values, items of scores, adverse events."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import date
from typing import Final, TypeVar

from il2cyto.derive.medication import LOCAL, PER_DAYS, PREDNISONE_5_MG, SYSTEMIC, UNITS, prescription
from il2cyto.derive.scores import ESSDAI, ESSDAI_NAME, SLEDAI, SLEDAI_NAME
from il2cyto.errors import TableError, did_you_mean
from il2cyto.study.cells import CellReader
from il2cyto.study.clinic import AdverseEvent, Clinic, Drug, LabValue, ScoreItem, Vital
from il2cyto.study.clinical import NO_SUBJECT
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.outcomes import IMMUNOSUPPRESSANT, STEROID
from il2cyto.study.samples import UNSCHEDULED
from il2cyto.study.sheets import Columns, Row, Sheet

T = TypeVar("T")

_IDS = frozenset({"subject", "visit"})
CONMEDS: Final = Columns(
    ("subject", "drug", "group", "dose", "unit", "per", "route", "start_date"),
    ("end_date", "reason", "comment"),
    dates=frozenset({"start_date", "end_date"}),
    numbers=frozenset({"dose"}),
    ids=_IDS,
    words=frozenset({"drug", "group", "reason", "comment"}),
)
VITALS: Final = Columns(
    ("subject", "height_cm", "weight_kg"),
    ("visit", "date", "comment"),
    dates=frozenset({"date"}),
    numbers=frozenset({"height_cm", "weight_kg"}),
    ids=_IDS,
    words=frozenset({"comment"}),
)
LABS: Final = Columns(
    ("subject", "test", "value", "unit"),
    ("visit", "date", "lower", "upper", "comment"),
    dates=frozenset({"date"}),
    numbers=frozenset({"value", "lower", "upper"}),
    ids=_IDS | {"test"},
    words=frozenset({"comment"}),
)
SCORES: Final = Columns(
    ("subject", "score", "item", "value"),
    ("visit", "date", "comment"),
    dates=frozenset({"date"}),
    numbers=frozenset({"value"}),
    ids=_IDS,
    words=frozenset({"comment"}),
)
AE: Final = Columns(
    ("subject", "class", "start_date"),
    ("term", "end_date", "grade", "serious", "related", "comment"),
    dates=frozenset({"start_date", "end_date"}),
    ids=_IDS,
    words=frozenset({"class", "term", "comment"}),
)
#: Columns of each sheet, by its key in ``study.yaml``.
CLINIC: Final[Mapping[str, Columns]] = {
    "conmeds": CONMEDS,
    "vitals": VITALS,
    "labs": LABS,
    "scores": SCORES,
    "ae": AE,
}
#: Scores whose items are known.
_ITEMS: Final[Mapping[str, Collection[str]]] = {SLEDAI_NAME: SLEDAI, ESSDAI_NAME: ESSDAI}
#: Groups of drugs that outcomes take by default.
_GROUPS: Final = (STEROID, IMMUNOSUPPRESSANT)
_CENSORED: Final = re.compile(r"([<>])\s*(.+)")
#: Limits beyond which a height or weight is one in another unit, or a slip.
_HEIGHT_CM, _WEIGHT_KG = (30.0, 250.0), (1.0, 300.0)


def read_clinic(
    sheets: Mapping[str, Sheet], subjects: Collection[str], visits: Sequence[str], findings: Findings
) -> Clinic:
    """Read the sheets of the clinic; a row with a fault is reported and left out.

    Parameters
    ----------
    sheets
        Sheets of the study by name; those that are not of the clinic are passed over.
    subjects, visits
        Those of the study; where there are none they are not checked.
    findings
        Receives every problem.
    """

    def rows(name: str, read: Callable[[CellReader, str, str | None, date | None], T | None]) -> tuple[T, ...]:
        sheet = sheets.get(name)
        if sheet is None:
            return ()
        found = []
        for row in sheet.rows:
            cells = CellReader(sheet.file, row, findings, style=sheet.style)
            before = len(findings.problems)
            subject = cells.text("subject", required=True) or ""
            if subject and subjects and subject not in subjects:
                cells.problem("subject", f"{NO_SUBJECT}{hint(subject, tuple(subjects))}")
            visit, day = _when(cells, visits) if name in ("vitals", "labs", "scores") else (None, None)
            one = read(cells, subject, visit, day)
            if one is not None and len(findings.problems) == before:
                found.append(one)
        return tuple(found)

    clinic = Clinic(
        rows("conmeds", _drug),
        rows("vitals", _vital),
        rows("labs", _lab),
        rows("scores", _score),
        rows("ae", _event),
        frozenset(sheets) & frozenset(CLINIC),
    )
    _unique(sheets.get("vitals"), [(one.line, (one.subject, one.visit, one.date)) for one in clinic.vitals], findings)
    _unique(
        sheets.get("labs"), [(one.line, (one.subject, one.visit, one.date, one.test)) for one in clinic.labs], findings
    )
    items = [(one.line, (one.subject, one.visit, one.date, one.score, one.item)) for one in clinic.scores]
    _unique(sheets.get("scores"), items, findings)
    _one_unit(sheets.get("labs"), clinic.labs, findings)
    return clinic


def _when(cells: CellReader, visits: Sequence[str]) -> tuple[str | None, date | None]:
    """Visit and day of a row: one of them at least."""
    moment = cells.moment("date")
    day = moment.day if moment is not None else None
    visit = cells.text("visit")
    if visit in UNSCHEDULED and visit not in visits:
        visit = None
    elif visit is not None and visits:
        visit = cells.choice("visit", visits)
    if visit is None and day is None and not cells.cell("visit"):
        cells.problem("visit" if "visit" in cells.row.cells else "date", "a row needs its visit, its date or both")
    return visit, day


def _drug(cells: CellReader, subject: str, visit: str | None, day: date | None) -> Drug | None:
    given = {name: cells.text(name, required=True) or "" for name in ("drug", "group", "route")}
    routes = (*SYSTEMIC, *LOCAL)
    # a route that is not known would leave a dose out in silence
    if given["route"] and given["route"].strip().casefold() not in routes:
        remedy = f"systemic are {', '.join(SYSTEMIC)}; local are {', '.join(LOCAL)}"
        cells.problem("route", f"unknown{hint(given['route'], routes)}; {remedy}")
        return None
    unit = cells.choice("unit", tuple(UNITS), required=True)
    per = cells.choice("per", tuple(PER_DAYS), required=True)
    dose = cells.number("dose", "write the amount of one dose, 0 where none was taken")
    start, end = _days(cells)
    if not cells.cell("dose"):
        cells.text("dose", required=True)
    if dose is None or unit is None or per is None or start is None or not all(given.values()):
        return None
    row = {**given, "dose": repr(dose), "unit": unit, "per": per, "start_date": start.isoformat()}
    row["end_date"] = end.isoformat() if end is not None else ""
    try:
        made = prescription(row, "")
    except TableError as error:
        cells.problem("dose", str(error).removeprefix(": "))
        return None
    group = given["group"].strip().casefold()
    known = did_you_mean(group, list(_GROUPS)) if group not in _GROUPS else ""
    if known:
        cells.notice("group", f"the drug counts in no outcome of another group{known}")
    elif group != STEROID and made.drug in PREDNISONE_5_MG:
        cells.notice("group", f"a steroid of another group than {STEROID} counts in no dose of steroids")
    return Drug(subject, made.drug, group, made.mg, made.per, made.route, made.start, made.end, cells.row.line)


def _days(cells: CellReader) -> tuple[date | None, date | None]:
    """First and last day of a row; the last one is open where the cell is blank."""
    begun, ended = cells.moment("start_date"), cells.moment("end_date")
    start = begun.day if begun is not None else None
    if begun is None:
        cells.text("start_date", required=True)
    elif start is None:
        cells.problem("start_date", "the first day must be known; write an estimated one if need be")
    if ended is not None and ended.day is None:
        cells.problem("end_date", "the last day must be known, or blank while it goes on; write an estimated one")
        return start, None
    end = ended.day if ended is not None else None
    if start is not None and end is not None and end < start:
        cells.problem("end_date", f"the last day lies before the first, {start}; correct one of them")
        return start, None
    return start, end


def _vital(cells: CellReader, subject: str, visit: str | None, day: date | None) -> Vital:
    values = []
    for column, (least, most) in (("height_cm", _HEIGHT_CM), ("weight_kg", _WEIGHT_KG)):
        value = cells.positive(column, "write the measured number, or leave the cell blank")
        if value is not None and not least <= value <= most:
            unit = column.rsplit("_", 1)[-1]
            cells.problem(column, f"no body has that; write {unit}, from {least:g} to {most:g}")
        values.append(math.nan if value is None else value)
    return Vital(subject, visit, day, values[0], values[1], cells.row.line)


def _lab(cells: CellReader, subject: str, visit: str | None, day: date | None) -> LabValue | None:
    test, unit = cells.text("test", required=True), cells.text("unit", required=True)
    text = cells.cell("value")
    limits = [cells.number(name, "write the limit of the reference range") for name in ("lower", "upper")]
    lower, upper = (math.nan if one is None else one for one in limits)
    if lower > upper:
        cells.problem("upper", f"the upper limit lies below the lower one, {lower:g}; swap them")
    # a blank value is one that was not measured
    if test is None or unit is None or not text:
        return None
    outside = _CENSORED.fullmatch(text)
    censor = 0
    if outside is not None:
        censor = -1 if outside[1] == "<" else 1
        row = Row(cells.row.line, {**cells.row.cells, "value": outside[2]})
        cells = CellReader(cells.file, row, cells.findings, style=cells.style)
    value = cells.number("value", "write the number, or <10 for a value below the limit 10")
    if value is None:
        return None
    return LabValue(subject, visit, day, test, value, censor, unit, lower, upper, cells.row.line)


def _score(cells: CellReader, subject: str, visit: str | None, day: date | None) -> ScoreItem | None:
    score, item = cells.text("score", required=True), cells.text("item", required=True)
    known = tuple(_ITEMS.get(score or "", ()))
    if known and item is not None and item not in known:
        cells.problem("item", f"{score} has no such item{hint(item, known) or f'; its items are {one_of(known)}'}")
        return None
    value = cells.number("value", "write the number of the item")
    if score is None or item is None or value is None:
        return None
    allowed = {SLEDAI_NAME: (0, 1), ESSDAI_NAME: ESSDAI.get(item, (0, ()))[1]}.get(score)
    if allowed is not None and value not in allowed:
        cells.problem("value", f"the item has no such level; choose one of: {one_of([str(one) for one in allowed])}")
        return None
    return ScoreItem(subject, visit, day, score, item, value, cells.row.line)


def _event(cells: CellReader, subject: str, visit: str | None, day: date | None) -> AdverseEvent | None:
    event_class = cells.text("class", required=True)
    start, end = _days(cells)
    grade = cells.choice("grade", ("1", "2", "3", "4", "5"))
    flags = [cells.choice(name, ("Y", "N")) for name in ("serious", "related")]
    if event_class is None or start is None:
        return None
    related = None if flags[1] is None else flags[1] == "Y"
    return AdverseEvent(
        subject, event_class, start, end, None if grade is None else int(grade), flags[0] == "Y", related,
        cells.row.line,
    )  # fmt: skip


def _unique(sheet: Sheet | None, rows: Sequence[tuple[int, Hashable]], findings: Findings) -> None:
    """Report rows, each a line and what it is about, that say something twice."""
    first: dict[Hashable, int] = {}
    for line, about in rows:
        known = first.setdefault(about, line)
        if sheet is not None and known != line:
            message = f"line {known} has this of the same subject, visit and date; keep one of them"
            findings.problem(sheet.file, line, "", "", message)


def _one_unit(sheet: Sheet | None, labs: Sequence[LabValue], findings: Findings) -> None:
    """Report a test that has two units: numbers in different ones cannot be compared."""
    first: dict[str, LabValue] = {}
    for one in labs:
        known = first.setdefault(one.test, one)
        if sheet is not None and known.unit != one.unit:
            message = f"line {known.line} has {one.test} in {known.unit!r}; give every value of a test in one unit"
            findings.problem(sheet.file, one.line, "unit", one.unit, message)
            return
