"""Cells of the sheets of a study: one rule per column, and no cell without a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from il2cyto.deident.changes import (
    DATE,
    DROPPED,
    FREE_TEXT,
    IDENTIFIER,
    RENAMED,
    SHIFTED,
    UNKNOWN_NAME,
    WITHHELD,
    Change,
    shape,
)
from il2cyto.deident.keywords import plain_number
from il2cyto.deident.names import CODED, Names
from il2cyto.deident.tables import Table, render_table
from il2cyto.deident.vocabulary import STUDY
from il2cyto.derive.days import age_at
from il2cyto.derive.medication import PER_DAYS
from il2cyto.derive.medication import UNITS as DOSES
from il2cyto.errors import TableError
from il2cyto.keys import ROUTES
from il2cyto.study.controls import KINDS
from il2cyto.study.dates import ISO_DATE, UNKNOWN
from il2cyto.study.samples import SEXES, UNITS, UNSCHEDULED
from il2cyto.study.tubes import REPEATS

#: Rule of each column of the study's own sheets.
SAMPLES = {
    "tube_id": "tube_id", "subject": "subject", "arm": "arm", "diagnosis": "word", "sex": "sex", "birth_date": "birth",
    "age_years": "age", "visit": "visit", "collection_date": "date", "reference_date": "date",
    "tube": "tube", "fcs": "fcs",
    "panel": "reference", "strategy": "reference", "route": "route", "beads_per_test": "number", "bead_lot": "lot",
    "blood_volume_ul": "number", "dilution": "number", "volume": "number", "volume_unit": "volume_unit",
    "alc_per_ul": "number", "bead_volume_ul": "number", "wbc_per_ul": "number",
    "lymphocyte_percent": "number", "sample_age_h": "number", "batch": "lot", "instrument": "lot", "repeat": "repeat",
}  # fmt: skip
DOSING = {"subject": "subject", "date": "date", "dose": "number", "unit": "unit", "route": "analyte",
          "treatment": "analyte"}  # fmt: skip
SERUM = {"subject": "subject", "visit": "visit", "analyte": "analyte", "value": "value", "unit": "unit",
         "lloq": "number", "uloq": "number", "collection_date": "date"}  # fmt: skip
#: The day of a control says when its batch was stained, and no subject's shift moves it.
CONTROLS = {"control_id": "tube_id", "kind": "kind", "tube": "tube", "marker": "marker", "channel": "channel",
            "batch": "lot", "instrument": "lot", "acquired": "no_date", "fcs": "fcs"}  # fmt: skip
CONMEDS = {"subject": "subject", "drug": "drug", "group": "drug", "dose": "number", "unit": "dose_unit", "per": "per",
           "route": "drug", "start_date": "date", "end_date": "date"}  # fmt: skip
VITALS = {"subject": "subject", "visit": "any_visit", "date": "date", "height_cm": "number", "weight_kg": "number"}
LABS = {"subject": "subject", "visit": "any_visit", "date": "date", "test": "test", "value": "value", "unit": "unit",
        "lower": "number", "upper": "number"}  # fmt: skip
SCORES = {"subject": "subject", "visit": "any_visit", "date": "date", "score": "score", "item": "score",
          "value": "number"}  # fmt: skip
AE = {"subject": "subject", "class": "event", "start_date": "date", "end_date": "date", "grade": "number",
      "serious": "yes", "related": "yes"}  # fmt: skip
#: Clinical tables have no fixed form; of their columns those with these names are kept, by CDISC or in plain words.
CLINICAL = {
    **SERUM, "visit": "any_visit", "date": "date", "dose": "number", "route": "analyte", "treatment": "analyte",
    "arm": "any_arm", "sex": "sex", "age_years": "age", "birth_date": "birth", "diagnosis": "word",
    "visit_number": "number", "test": "analyte", "parameter": "analyte", "height_cm": "number", "weight_kg": "number",
    "USUBJID": "subject", "SUBJID": "subject", "AVISIT": "any_visit", "VISIT": "any_visit", "AVISITN": "number",
    "VISITNUM": "number", "ADT": "date", "ARM": "any_arm", "SEX": "sex", "AGE": "age", "BRTHDTC": "birth",
    "PARAM": "analyte", "PARAMCD": "analyte", "AVAL": "number", "LBTESTCD": "analyte", "LBTEST": "analyte",
    "LBORRES": "value", "LBORRESU": "unit", "LBSTRESN": "number", "LBSTRESU": "unit", "LBDTC": "date",
    "EXDOSE": "number", "EXDOSU": "unit", "EXSTDTC": "date", "EXENDTC": "date", "EXTRT": "analyte",
    "EXROUTE": "analyte",
    "VSTESTCD": "analyte", "VSORRES": "value", "VSSTRESN": "number", "VSORRESU": "unit", "VSDTC": "date",
    "QSTESTCD": "analyte", "QSSTRESN": "number", "QSDTC": "date", "RFSTDTC": "date",
}  # fmt: skip
SUBJECTS = ("subject", "USUBJID", "SUBJID")
CONTROL_IDS = ("control_id",)
#: Columns in which a blank cell makes the row useless.
_NEEDED = frozenset({"subject", "tube_id", "arm", "visit", "tube", "fcs", "kind"})
#: Rules of columns with dates that are left out.
_NO_DATES = ("birth", "no_date")
_CHOICES = {"sex": SEXES, "route": ROUTES, "volume_unit": UNITS, "repeat": REPEATS, "kind": KINDS,
            "per": tuple(PER_DAYS), "dose_unit": tuple(DOSES), "yes": ("Y", "N")}  # fmt: skip
#: Lists of words by the rule of a column.
_LISTS = {
    "word": STUDY, "unit": ("units",), "analyte": ("analytes", "markers"), "drug": ("drugs",),
    "test": ("tests", "analytes"), "score": ("scores",), "event": ("events",),
}  # fmt: skip
_CONCENTRATION = re.compile(
    r"([<>]\s*)?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(?:[eE][+-]?\d{1,2})?|OOR\s*[<>]", re.ASCII | re.I
)
_MISSING = ("nan", "na", "*", "---")
_ELDERLY = 90.0


@dataclass
class Declared:
    """What the study declares: old and new ids, where files went, and which rows the reader refuses."""

    arms: Mapping[str, str] = field(default_factory=dict)
    visits: Mapping[str, str] = field(default_factory=dict)
    tubes: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    fcs: Callable[[str], str | None] = lambda cell: None


@dataclass(frozen=True)
class CleanTable:
    """A table that may be seen, as CSV."""

    text: str
    changes: tuple[Change, ...]
    subjects: frozenset[str]


def clean_table(
    table: Table,
    rules: Mapping[str, str],
    declared: Declared,
    names: Names,
    *,
    refused: Collection[int] = (),
    subjects: Collection[str] | None = None,
    dates_trusted: bool = False,
) -> CleanTable:
    """Return a table of which every cell has passed the rule of its column.

    Parameters
    ----------
    table
        As read.
    rules
        Rule by column; columns without one are dropped.
    declared
        Vocabulary of the study.
    names
        Pseudonyms and vocabularies.
    refused
        Lines that the study's reader refuses; they are withheld.
    subjects
        Subjects that the samples sheet keeps, as they were; rows of others are withheld. ``None``: all stay.
    dates_trusted
        Dates are known to be shifted already (scanner).

    Raises
    ------
    TableError
        If the table has no column of subjects, or one column twice.
    """
    kept = [name for name in dict.fromkeys(table.header) if name in rules]
    for name in kept:
        if table.header.count(name) > 1:
            raise TableError("column {name} stands twice", name=name)
    # a control has no subject and is its own
    subject = next((name for name in (*SUBJECTS, *CONTROL_IDS) if name in kept), None)
    if subject is None:
        raise TableError("the table has no column of subjects")
    cleaner = _Cleaner(declared, names, dates_trusted)
    changes = _dropped_columns(table, rules, names)
    rows = []
    seen = set()
    places = {name: table.header.index(name) for name in kept}
    body = [
        (line, {name: cells[place] if place < len(cells) else "" for name, place in places.items()})
        for line, cells in table.rows
    ]
    ages = _ages([row for _, row in body], subject)
    columns = [name for name in kept if rules[name] not in _NO_DATES]
    if "birth_date" in kept and "age_years" not in kept:
        columns.append("age_years")
    for line, row in body:
        if line in refused:
            changes.append(Change("a row that the study's reader refuses", WITHHELD, FREE_TEXT))
            continue
        new = {name: cleaner.cell(name, rules[name], row[name], row[subject]) for name in kept}
        if subjects is not None and row[subject] not in subjects:
            changes.append(Change("a row of a subject without samples", WITHHELD, FREE_TEXT))
            continue
        if any(rules[name] in _NEEDED and not new[name] for name in kept):
            changes.append(Change("a row with a cell that nothing declares", WITHHELD, FREE_TEXT))
            continue
        if "age_years" in columns:
            new["age_years"] = ages.get((row[subject], row.get("visit", "")), row.get("age_years", "") and UNKNOWN)
        rows.append([new.get(name, "") for name in columns])
        seen.add(row[subject])
    return CleanTable(render_table(columns, rows), (*changes, *cleaner.changes), frozenset(seen))


def _dropped_columns(table: Table, rules: Mapping[str, str], names: Names) -> list[Change]:
    changes = []
    for place, name in enumerate(table.header):
        filled = [cells[place] for _, cells in table.rows if place < len(cells) and cells[place]]
        # the name of a column is a cell like any other
        known = names.passes(name, "columns")
        if name not in rules and (filled or (name and not known)):
            shown = f"column {name}" if known else f"column {place + 1}, of another name"
            changes.append(Change(shown, DROPPED, FREE_TEXT, f"{len(filled)} cells"))
        elif name in rules and rules[name] in _NO_DATES and filled:
            changes.append(Change(f"column {name}", DROPPED, DATE, f"{len(filled)} cells"))
    beyond = [cells for _, cells in table.rows if any(cells[len(table.header) :])]
    if beyond:
        changes.append(Change("cells beyond the last column", DROPPED, FREE_TEXT, f"{len(beyond)} rows"))
    return changes


def _ages(rows: list[dict[str, str]], subject: str) -> dict[tuple[str, str], str]:
    """Return one age per subject and visit, from the earliest row that gives one; the date of birth goes no further.

    A tenth of a year is kept, a hundredth below two years; 90 and more are not told apart.
    """
    ages: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda row: row.get("collection_date", "")):
        age = plain_number(row.get("age_years", ""))
        years = float(age) if age is not None else _age_at(row.get("birth_date", ""), row.get("collection_date", ""))
        if years is not None and 0 <= years < _ELDERLY:
            ages.setdefault((row[subject], row.get("visit", "")), f"{round(years, 1 if years >= 2 else 2):g}")
    return ages


def _age_at(birth: str, day: str) -> float | None:
    return age_at(_day(birth), _day(day))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if ISO_DATE.fullmatch(text[:10]) else None
    except ValueError:
        return None


class _Cleaner:
    """Cells by rule; what is changed is remembered once per column and reason."""

    def __init__(self, declared: Declared, names: Names, dates_trusted: bool) -> None:
        self.declared = declared
        self.names = names
        self.dates_trusted = dates_trusted
        self._changes: dict[tuple[str, str, str], tuple[int, str]] = {}

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was changed, with the number of cells."""
        return tuple(
            Change(f"column {column}", action, reason, f"{count} cells, for example {example}")
            for (column, action, reason), (count, example) in self._changes.items()
        )

    def note(self, column: str, action: str, reason: str, cell: str) -> None:
        """Remember one changed cell."""
        count, example = self._changes.get((column, action, reason), (0, shape(cell)))
        self._changes[column, action, reason] = (count + 1, example)

    def cell(self, column: str, rule: str, cell: str, subject: str) -> str:
        """Return what may stand in a cell; empty where nothing may."""
        if not cell or rule in _NO_DATES:
            return ""
        if rule == "date":
            return self._date(column, cell, subject)
        if rule in ("subject", "tube_id", "fcs"):
            new = self._identifier(rule, cell)
            if new != cell:
                self.note(column, RENAMED if new else DROPPED, IDENTIFIER, cell)
            return new
        known = self._known(rule, cell)
        if known is None:
            self.note(column, DROPPED, FREE_TEXT, cell)
        elif CODED.fullmatch(known) and known != cell:
            self.note(column, RENAMED, UNKNOWN_NAME, cell)
        return known or ""

    def _date(self, column: str, cell: str, subject: str) -> str:
        if cell == UNKNOWN:
            return cell
        day = _day(cell) if len(cell) == 10 or re.fullmatch(r".{10}T[\d:.]+", cell, re.ASCII) else None
        if self.dates_trusted and day is not None:
            return day.isoformat()
        moved = self.names.shifted(subject, day) if day is not None else None
        self.note(column, DROPPED if moved is None else SHIFTED, DATE, cell)
        return "" if moved is None else moved.isoformat()

    def _identifier(self, rule: str, cell: str) -> str:
        if rule == "fcs":
            return self.declared.fcs(cell) or ""
        return self.names.coded("subject" if rule == "subject" else "tube", cell)

    def _known(self, rule: str, cell: str) -> str | None:
        if rule in _CHOICES:
            return cell if cell in _CHOICES[rule] else None
        declared = {"arm": self.declared.arms, "visit": self.declared.visits, "tube": self.declared.tubes}.get(rule)
        if rule == "visit" and cell in UNSCHEDULED and cell not in self.declared.visits:
            return UNSCHEDULED[0]
        if declared is not None:
            return declared.get(cell)
        if rule.startswith("any_"):
            # a clinical table may have visits and arms that the study does not declare
            known = self.declared.visits if rule == "any_visit" else self.declared.arms
            return known.get(cell) or self.names.name(cell, *STUDY)
        if rule == "reference":
            return self.declared.references.get(cell)
        if rule == "number":
            return number_cell(cell)
        if rule == "age":
            return cell if cell == UNKNOWN else number_cell(cell)
        if rule == "value":
            return cell if _CONCENTRATION.fullmatch(cell) or cell.casefold() in _MISSING else None
        if rule in ("marker", "channel"):
            # as in strategies and panels
            return self.names.channel(cell) if rule == "channel" else self.names.name(cell)
        if rule == "lot":
            return self.names.coded("name", cell)
        return self.names.name(cell, *_LISTS[rule])


def number_cell(cell: str) -> str | None:
    """Return a number as it stands, ``None`` for one that is too long to be a measurement: a telephone, an id.

    Examples
    --------
    >>> number_cell("51230"), number_cell("13812345678"), number_cell("51,2")
    ('51230', None, None)
    """
    if plain_number(cell) is None or len(cell) > 16:
        return None
    return cell if abs(float(cell)) < 1e9 else None
