"""A study folder: its declarations, sheets, strategies and panels, cleaned together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from il2cyto.deident.document import clean_document, comments
from il2cyto.deident.names import Names
from il2cyto.deident.outcome import Outcome
from il2cyto.deident.overrides import clean_overrides, kept_tubes
from il2cyto.deident.references import clean_references
from il2cyto.deident.sheets import (
    AE,
    CONMEDS,
    CONTROLS,
    DOSING,
    LABS,
    SAMPLES,
    SCORES,
    SERUM,
    VITALS,
    Declared,
    clean_table,
)
from il2cyto.deident.strategies import render_yaml
from il2cyto.deident.tables import Table, read_table
from il2cyto.errors import Il2CytoError, ParameterError, StudyError, TableError
from il2cyto.study.document import Document, read_document
from il2cyto.study.findings import Findings
from il2cyto.study.paths import DATA_REMEDY, below
from il2cyto.study.positions import read_tree
from il2cyto.study.read import COLUMNS, columns_by_table, inspect_study
from il2cyto.study.sheets import read_sheet
from il2cyto.study.style import SheetStyle

RULES = {
    "samples": SAMPLES, "dosing": DOSING, "serum": SERUM, "controls": CONTROLS, "conmeds": CONMEDS, "vitals": VITALS,
    "labs": LABS, "scores": SCORES, "ae": AE,
}  # fmt: skip


@dataclass(frozen=True)
class CleanStudy:
    """A study that may be seen.

    Attributes
    ----------
    outcome
        Its files but the FCS files.
    subjects
        Subject of each FCS file that the samples sheet names, by resolved path.
    controls
        FCS files that the controls sheet names, resolved.
    data_root
        Folder that FCS paths start from.
    declared
        Old and new ids, for clinical tables.
    """

    outcome: Outcome
    subjects: Mapping[Path, str]
    controls: frozenset[Path]
    data_root: Path
    declared: Declared


def file_code(path: Path, root: Path, names: Names) -> str:
    """Return the new name of an FCS file; it depends on the key and on where the file is below its root."""
    if names.is_coded(path.stem):
        return path.name
    relative = path.relative_to(root) if path.is_relative_to(root) else path
    return names.coded("file", str(PurePosixPath(relative))) + ".fcs"


def clean_study(path: Path, data_root: Path | None, names: Names, trusted: Callable[[Path], bool]) -> CleanStudy:
    """Clean ``study.yaml`` and everything that it names but the FCS files; nothing is written.

    Parameters
    ----------
    path
        ``study.yaml``.
    data_root
        Overrides that of the study.
    names
        Pseudonyms and vocabularies.
    trusted
        Whether the dates of a sheet are known to be shifted already.

    Raises
    ------
    StudyError
        If ``study.yaml`` itself is wrong. Rows of sheets that are wrong are withheld.
    """
    document = _document(path, data_root)
    if document.plates is not None:
        raise ParameterError(
            f"{path.name}: the names of samples on plates cannot be coded; copy the concentrations of the results "
            "(serum_samples.csv) into a sheet, name it as `serum:`, and leave out `plates:` and `wells:`"
        )
    problems = inspect_study(path, data_root=data_root).problems
    outcome = Outcome(read={path.resolve()})
    tables = _tables(document, outcome)
    subjects = _subjects(document, tables.get("samples"))
    controls = _controls(document, tables.get("controls"))
    files = {file: file_code(file, document.roots.data, names) for file in (*subjects, *sorted(controls - {*subjects}))}
    references = clean_references(
        document,
        _column(tables.get("samples"), "strategy"),
        _column(tables.get("samples"), "panel"),
        outcome,
        names,
        {old.name: new for old, new in files.items()},
    )
    declared = Declared(
        arms=names.codes("arm", document.arms),
        visits=names.codes("visit", document.visits),
        tubes=names.codes("tube", document.tubes),
        references=references.cells,
        fcs=lambda cell: _fcs_cell(cell, document, files),
    )
    written = []
    kept: frozenset[str] | None = None
    samples = ""
    for name, table in tables.items():
        file, place = document.sheets[name]
        lines = {problem.line for problem in problems if problem.file == file and problem.where != "comment"}
        refused = {line for line in lines if line is not None}
        try:
            clean = clean_table(
                table,
                RULES[name],
                declared,
                names,
                refused=refused,
                subjects=None if name == "controls" else kept,
                dates_trusted=trusted(place),
            )
        except Il2CytoError as error:
            outcome.set_aside("sheet", place, error)
            continue
        outcome.add(f"{name}.csv", "sheet", place, clean.text, clean.changes)
        written.append(name)
        if name == "samples":
            kept, samples = clean.subjects, clean.text
    tube_strategies = {declared.tubes[tube]: text for tube, text in references.strategies.items()}
    clean_overrides(path.parent.resolve(), kept_tubes(samples, tube_strategies), references.cells, outcome, names)
    content, changes = clean_document(document, declared, references, names, written)
    outcome.add("study.yaml", "study", path, render_yaml(content), [*changes, *comments(path)])
    return CleanStudy(outcome, subjects, controls, document.roots.data, declared)


def _document(path: Path, data_root: Path | None) -> Document:
    findings = Findings()
    try:
        content = path.read_bytes()
    except OSError as error:
        findings.problem(path.name, None, "", "", f"the file cannot be read: {error.strerror}")
        raise StudyError(findings.problems) from error
    tree = read_tree(content, path.name, findings)
    if tree is None and not findings.problems:
        findings.problem(path.name, None, "", "", "the file is empty")
    document = (
        read_document(tree, path.name, path.parent.resolve(), data_root, findings, columns_by_table())
        if tree is not None
        else None
    )
    if document is None or findings.problems:
        raise StudyError(findings.problems)
    return document


def _tables(document: Document, outcome: Outcome) -> dict[str, Table]:
    tables = {}
    for name, (_, path) in document.sheets.items():
        outcome.read.add(path.resolve())
        try:
            tables[name] = _table(document, name, path)
        except Il2CytoError as error:
            outcome.set_aside("sheet", path, error)
    return tables


def _table(document: Document, name: str, path: Path) -> Table:
    """Return a sheet as it stands; one of which ``study.yaml`` states how it is written, in the plain notation."""
    style = document.styles.get(name, SheetStyle())
    if style == SheetStyle():
        return read_table(path, name, RULES[name])
    sheet = read_sheet(path, path.name, name, COLUMNS[name], Findings(), style)
    if sheet is None:
        raise TableError("{file}: cannot be read as study.yaml states", file=path.name)
    rows = tuple((row.line, tuple(row.cells[column] for column in sheet.columns)) for row in sheet.rows)
    return Table(sheet.columns, rows)


def _column(table: Table | None, name: str) -> list[str]:
    if table is None or name not in table.header:
        return []
    place = table.header.index(name)
    return [cells[place] if place < len(cells) else "" for _, cells in table.rows]


def _subjects(document: Document, samples: Table | None) -> dict[Path, str]:
    subjects: dict[Path, str] = {}
    for cell, subject in zip(_column(samples, "fcs"), _column(samples, "subject"), strict=False):
        try:
            path = below(document.roots.data, cell, DATA_REMEDY)
        except ValueError:
            continue  # the study's reader refuses the row, and it is withheld
        if cell and subject:
            subjects.setdefault(path, subject)
    return subjects


def _controls(document: Document, controls: Table | None) -> frozenset[Path]:
    found = set()
    for cell in _column(controls, "fcs"):
        try:
            found.add(below(document.roots.data, cell, DATA_REMEDY))
        except ValueError:
            continue  # the study's reader refuses the row, and it is withheld
    return frozenset(found)


def _fcs_cell(cell: str, document: Document, files: Mapping[Path, str]) -> str | None:
    try:
        name = files.get(below(document.roots.data, cell, DATA_REMEDY))
    except ValueError:
        return None
    return None if name is None else f"fcs/{name}"
