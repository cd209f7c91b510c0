"""The controls sheet: unstained tubes, single stains, tubes that lack one stain, and control donors, by batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from il2cyto.study.cells import CellReader
from il2cyto.study.document import Document
from il2cyto.study.findings import Findings, hint
from il2cyto.study.model import ControlRecord, TubeRecord
from il2cyto.study.paths import DATA_REMEDY, below, is_file
from il2cyto.study.sheets import Columns, Row, Sheet

COLUMNS: Final = Columns(
    ("control_id", "kind", "tube", "fcs"),
    ("marker", "channel", "batch", "instrument", "acquired", "comment"),
    dates=frozenset({"acquired"}),
    ids=frozenset({"control_id", "tube", "marker", "channel", "batch", "instrument"}),
    words=frozenset({"comment"}),
    paths=frozenset({"fcs"}),
)
#: No dye at all; one dye; all dyes but one; the panel on cells of a control donor; the panel on cells that were not
#: stimulated, where the samples were.
KINDS: Final = ("unstained", "single_stain", "fmo", "donor", "unstimulated")
#: Those that are made for one marker.
OF_A_MARKER: Final = ("single_stain", "fmo")
_MARKERS = {"single_stain": "write the marker that is stained", "fmo": "write the marker whose stain is left out"}


def read_controls(
    sheet: Sheet, document: Document, records: Sequence[TubeRecord], findings: Findings
) -> tuple[ControlRecord, ...]:
    """Read every control; a row with a fault is reported and keeps placeholders.

    Parameters
    ----------
    sheet
        The controls sheet.
    document
        Gives the kinds of tubes and the folder of the files.
    records
        Rows of the samples sheet: no control may have the id or the file of one.
    findings
        Receives every problem, and notices: files that are not there, batches that no tube is of.
    """
    controls = tuple(
        _control(CellReader(sheet.file, row, findings, style=sheet.style), document, row) for row in sheet.rows
    )
    _unique(sheet.file, controls, findings)
    _apart(sheet.file, controls, records, findings)
    _notice(sheet.file, controls, records, findings)
    return controls


def _control(cells: CellReader, document: Document, row: Row) -> ControlRecord:
    types = tuple(document.tubes)
    kind = cells.choice("kind", KINDS, required=True)
    moment = cells.moment("acquired")
    given = cells.text("fcs", required=True)
    fcs = cells.resolved("fcs", partial(below, document.roots.data, remedy=DATA_REMEDY)) if given is not None else None
    marker = cells.text("marker")
    if kind in OF_A_MARKER and marker is None:
        cells.problem("marker", f"kind {kind!r} needs this cell; {_MARKERS[kind]}")
    elif kind is not None and kind not in OF_A_MARKER and marker is not None:
        cells.problem("marker", f"kind {kind!r} is of no single marker; leave this cell blank or correct the kind")
    return ControlRecord(
        control_id=cells.identifier("control_id") or "",
        kind=kind or "",
        tube=(cells.choice("tube", types, required=True) if types else cells.text("tube")) or "",
        marker=marker,
        channel=cells.text("channel"),
        batch=cells.optional_identifier("batch"),
        instrument=cells.optional_identifier("instrument"),
        acquired=moment.day if moment is not None else None,
        fcs=fcs or Path(),
        fcs_name=cells.cell("fcs"),
        line=row.line,
    )


def _unique(file: str, controls: Iterable[ControlRecord], findings: Findings) -> None:
    keys: tuple[tuple[str, Callable[[ControlRecord], Hashable], str], ...] = (
        ("control_id", lambda one: one.control_id.casefold(), "give each control its own"),
        ("fcs", lambda one: one.fcs if one.fcs != Path() else "", "each file is one control; correct one of the names"),
    )
    controls = tuple(controls)
    for column, key, remedy in keys:
        first: dict[Hashable, int] = {}
        for control in controls:
            line = first.setdefault(key(control), control.line)
            if key(control) and line != control.line:
                value = control.control_id if column == "control_id" else control.fcs_name
                findings.problem(file, control.line, column, value, f"line {line} has the same {column}; {remedy}")


def _apart(file: str, controls: Iterable[ControlRecord], records: Sequence[TubeRecord], findings: Findings) -> None:
    ids = {record.tube_id.casefold(): record for record in records if record.tube_id}
    files = {record.fcs: record for record in records if record.fcs != Path()}
    for control in controls:
        if control.control_id.casefold() in ids:
            line = ids[control.control_id.casefold()].line
            message = f"line {line} of the samples sheet has a tube of this name; give the control another"
            findings.problem(file, control.line, "control_id", control.control_id, message)
        if control.fcs in files:
            message = (
                f"line {files[control.fcs].line} of the samples sheet has this file; a tube is a sample or a control, "
                "correct one of the two names"
            )
            findings.problem(file, control.line, "fcs", control.fcs_name, message)


def _notice(file: str, controls: Iterable[ControlRecord], records: Sequence[TubeRecord], findings: Findings) -> None:
    batches = tuple(dict.fromkeys(record.batch for record in records if record.batch is not None))
    for control in controls:
        if control.fcs != Path() and not is_file(control.fcs):
            message = "no FCS file is there; the control will be left out. Correct the name or the data root"
            findings.notice(file, control.line, "fcs", control.fcs_name, message)
        if control.batch is not None and control.batch not in batches:
            message = f"no tube of the samples sheet is of this batch{hint(control.batch, batches)}"
            findings.notice(file, control.line, "batch", control.batch, message)
