"""The sheet of wells: what is in a well of a plate, or in all wells of a sample."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from il2cyto.study.assays import WellRow
from il2cyto.study.cells import CellReader
from il2cyto.study.clinical import NO_SUBJECT
from il2cyto.study.dates import Moment
from il2cyto.study.findings import Findings, hint
from il2cyto.study.sheets import Columns, Sheet

WELLS: Final = Columns(
    ("sample",),
    ("plate", "well", "type", "level", "dilution", "subject", "visit", "collection_date", "comment"),
    dates=frozenset({"collection_date"}),
    numbers=frozenset({"dilution"}),
    ids=frozenset({"sample", "plate", "well", "level", "subject", "visit"}),
    words=frozenset({"comment"}),
)
TYPES: Final = ("S", "B", "QC", "U")


def read_wells(
    sheet: Sheet, subjects: Collection[str], visits: Sequence[str], findings: Findings
) -> tuple[WellRow, ...]:
    """Read the sheet of wells; a row with a fault is reported and keeps placeholders.

    Parameters
    ----------
    sheet
        The sheet.
    subjects, visits
        Those of the study; where there are none they are not checked.
    findings
        Receives every problem.
    """
    rows = []
    for row in sheet.rows:
        cells = CellReader(sheet.file, row, findings, style=sheet.style)
        subject, visit = cells.text("subject"), cells.text("visit")
        if subject is not None and subjects and subject not in subjects:
            cells.problem("subject", f"{NO_SUBJECT}{hint(subject, tuple(subjects))}")
        if visit is not None and visits:
            cells.choice("visit", visits)
        if (subject is None) != (visit is None):
            cells.problem("subject" if subject is None else "visit", "a sample of a visit needs its subject and visit")
        rows.append(
            WellRow(
                sample=cells.text("sample", required=True) or "",
                plate=cells.text("plate"),
                well=cells.text("well"),
                type=cells.choice("type", TYPES),
                level=cells.text("level"),
                dilution=cells.positive("dilution", "write how often the sample was diluted, 1 for not at all"),
                subject=subject or "",
                visit=visit or "",
                collection_date=(cells.moment("collection_date") or Moment(None)).day,
                line=row.line,
            )
        )
    _check_wells(sheet.file, rows, findings)
    return tuple(rows)


def _check_wells(file: str, rows: Sequence[WellRow], findings: Findings) -> None:
    """Report wells that stand twice, and samples that stand for two visits."""
    wells: dict[tuple[str | None, str | None], int | None] = {}
    visits: dict[str, tuple[str, str, date | None]] = {}
    for row in rows:
        key = row.plate, row.well
        if row.well is not None and key in wells:
            findings.problem(file, row.line, "well", row.well, f"this well stands in line {wells[key]} as well")
        wells.setdefault(key, row.line)
        stands_for = row.subject, row.visit, row.collection_date
        before = visits.setdefault(row.sample, stands_for)
        if before != stands_for:
            message = "the lines of a sample differ in subject, visit or collection_date"
            findings.problem(file, row.line, "sample", row.sample, message)
