"""The dosing and serum sheets: columns, dates and references; serum values are left as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from il2cyto.study.cells import CellReader
from il2cyto.study.dates import Moment
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.model import Dose, SerumValue
from il2cyto.study.samples import UNSCHEDULED
from il2cyto.study.sheets import Columns, Sheet

DOSING = Columns(
    ("subject", "date", "dose", "unit", "route", "treatment"),
    ("comment",),
    dates=frozenset({"date"}),
    numbers=frozenset({"dose"}),
    ids=frozenset({"subject"}),
    words=frozenset({"comment", "treatment"}),
)
SERUM = Columns(
    ("subject", "visit", "analyte", "value", "unit"),
    ("lloq", "uloq", "collection_date", "comment"),
    dates=frozenset({"collection_date"}),
    numbers=frozenset({"value", "lloq", "uloq"}),
    ids=frozenset({"subject", "visit"}),
    words=frozenset({"comment"}),
)

NO_SUBJECT = "the samples sheet has no such subject; correct the name, or add the subject's tubes there"


def read_dosing(sheet: Sheet, subjects: Collection[str], findings: Findings) -> tuple[Dose, ...]:
    """Read every dose; a row with a fault is reported and keeps placeholders.

    Parameters
    ----------
    sheet
        The dosing sheet.
    subjects
        Subjects of the samples sheet; empty when these are not known, and then not checked.
    findings
        Receives every problem.
    """
    doses = []
    for row in sheet.rows:
        cells = CellReader(sheet.file, row, findings, style=sheet.style)
        text = cells.text("dose", required=True)
        given = cells.moment("date")
        if given is None:
            cells.text("date", required=True)
        elif given.day is None:
            cells.problem("date", "study days and days since a dose need the whole date of every dose; correct it")
        dose = Dose(
            subject=_subject(cells, subjects),
            date=(given.day if given is not None else None) or date.min,
            dose=(cells.positive("dose", "leave the row out when no dose was given") if text else None) or 0.0,
            unit=cells.text("unit", required=True) or "",
            route=cells.text("route", required=True) or "",
            treatment=cells.text("treatment", required=True) or "",
            time=given.time if given is not None else None,
        )
        doses.append(dose)
    return tuple(doses)


def read_serum(
    sheet: Sheet, subjects: Collection[str], visits: Sequence[str], findings: Findings
) -> tuple[SerumValue, ...]:
    """Read every serum value, as text; see `read_dosing` for the parameters."""
    values = []
    for row in sheet.rows:
        cells = CellReader(sheet.file, row, findings, style=sheet.style)
        value = SerumValue(
            subject=_subject(cells, subjects),
            visit=_visit(cells, visits) or "",
            analyte=cells.text("analyte", required=True) or "",
            value=cells.text("value"),
            unit=cells.text("unit", required=True) or "",
            lloq=cells.text("lloq"),
            uloq=cells.text("uloq"),
            collection_date=(cells.moment("collection_date") or Moment(None)).day,
            line=row.line,
        )
        values.append(value)
    return tuple(values)


def _visit(cells: CellReader, visits: Sequence[str]) -> str | None:
    if cells.cell("visit") in UNSCHEDULED and cells.cell("visit") not in visits:
        moment = None if cells.unknown("collection_date") else cells.cell("collection_date")
        if not moment:
            cells.problem("visit", "an unscheduled visit needs its collection_date; write it, or name the visit")
        return UNSCHEDULED[0]
    return cells.choice("visit", visits, required=True) if visits else cells.text("visit")


def check_treatments(
    file: str, dosing_file: str | None, document: Document, doses: Sequence[Dose], findings: Findings
) -> None:
    """Report study treatments that the dosing sheet does not have; note several treatments that all count."""
    names = tuple(dict.fromkeys(dose.treatment for dose in doses if dose.treatment))
    for treatment in document.treatments:
        if treatment not in names:
            known = f"{hint(treatment, names)}; it has: {one_of(names)}" if names else "; give the sheet as `dosing:`"
            message = f"the dosing sheet has no such treatment{known}"
            findings.problem(file, document.treatments_line, "treatments", treatment, message)
    if dosing_file is not None and len(names) > 1 and not document.treatments:
        message = (
            "the sheet has several treatments and all count in study days; name those that should with `treatments:` "
            "in study.yaml"
        )
        findings.notice(dosing_file, None, "treatment", one_of(names), message)


def _subject(cells: CellReader, subjects: Collection[str]) -> str:
    value = cells.text("subject", required=True)
    if value is not None and subjects and value not in subjects:
        cells.problem("subject", f"{NO_SUBJECT}{hint(value, tuple(subjects))}")
    return value or ""
