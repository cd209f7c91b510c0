"""Read a study: ``study.yaml`` and its sheets, with every problem at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from il2cyto.errors import Problem, StudyError
from il2cyto.study import clinical, clinicsheets, controls, plates, samples, wells
from il2cyto.study.assays import WellRow
from il2cyto.study.assign import Assigned, assign_visits
from il2cyto.study.clinic import Clinic
from il2cyto.study.document import Document, read_document
from il2cyto.study.findings import Findings, in_file_order
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import ControlRecord, Dose, GateOverride, Study, Subject, TubeRecord
from il2cyto.study.outcomes import check_outcomes
from il2cyto.study.overrides import FOLDER, override_file, read_overrides
from il2cyto.study.positions import MAX_BYTES, read_tree
from il2cyto.study.rules import check_tubes, find_subjects, notice_tubes, with_repeats
from il2cyto.study.sheets import Sheet, read_sheet
from il2cyto.study.timing import notice_subjects

COLUMNS = {
    "samples": samples.COLUMNS,
    "dosing": clinical.DOSING,
    "serum": clinical.SERUM,
    "controls": controls.COLUMNS,
    "wells": wells.WELLS,
    **clinicsheets.CLINIC,
}


def columns_by_table() -> dict[str, tuple[str, ...]]:
    """Return the names of the columns of each sheet."""
    return {table: columns.known for table, columns in COLUMNS.items()}


@dataclass(frozen=True, eq=False)
class Inspection:
    """What reading a study found: the study (``None`` when there are problems), its problems and its notices."""

    study: Study | None
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]


def read_study(path: str | Path, *, data_root: Path | None = None) -> Study:
    """Read ``study.yaml`` and its sheets.

    Parameters
    ----------
    path
        The file ``study.yaml``; the sheets and strategies that it names are looked up below its folder.
    data_root
        Folder that the FCS paths of the samples sheet start from. It overrides the key ``data_root`` of the file, whose
        default is the study folder.

    Raises
    ------
    StudyError
        With every problem that was found, in file order. A missing FCS file is a notice and no problem.
    """
    inspection = inspect_study(path, data_root=data_root)
    if inspection.study is None:
        raise StudyError(inspection.problems)
    return inspection.study


def check_study(path: str | Path, data_root: Path | None = None) -> tuple[Problem, ...]:
    """Return every problem of a study, in file order, without raising; an empty tuple means that it can be read."""
    return inspect_study(path, data_root=data_root).problems


def inspect_study(path: str | Path, *, data_root: Path | None = None) -> Inspection:
    """Return the study, its problems and its notices, without raising; the parameters are those of `read_study`."""
    findings = Findings()
    path = Path(path)
    names = {"study": path.name}
    hashes: dict[str, str] = {}
    parts = _read_parts(path, data_root, names, hashes, findings)
    problems = in_file_order(findings.problems, tuple(names.values()))
    notices = in_file_order(findings.notices, tuple(names.values()))
    study = None if problems or parts is None else _study(parts, path.parent.resolve(), notices, names, hashes)
    return Inspection(study, problems, notices)


@dataclass(frozen=True, eq=False)
class Parts:
    """What was read, before it becomes a study."""

    document: Document
    records: tuple[TubeRecord, ...]
    subjects: dict[str, Subject]
    doses: tuple[Dose, ...]
    assigned: Assigned
    overrides: tuple[GateOverride, ...]
    controls: tuple[ControlRecord, ...]
    wells: tuple[WellRow, ...]
    clinic: Clinic


def _read_parts(
    path: Path, data_root: Path | None, names: dict[str, str], hashes: dict[str, str], findings: Findings
) -> Parts | None:
    content = _bytes(path, findings)
    if content is None:
        return None
    hashes["study"] = hashlib.sha256(content).hexdigest()
    tree = read_tree(content, path.name, findings)
    if tree is None:
        if not findings.problems:
            findings.problem(path.name, None, "", "", "the file is empty; `il2cyto new` writes one to start from")
        return None
    document = read_document(tree, path.name, path.parent.resolve(), data_root, findings, columns_by_table())
    sheets: dict[str, Sheet] = {}
    for table, (file, sheet_path) in document.sheets.items():
        names[table] = file
        sheet = read_sheet(sheet_path, file, table, COLUMNS[table], findings, document.styles.get(table))
        if sheet is not None:
            sheets[table] = sheet
            hashes[table] = sheet.sha256
    tubes = samples.read_samples(sheets["samples"], document, findings) if "samples" in sheets else ()
    subjects = find_subjects(tube for tube in tubes if tube.record.subject)
    visits = tuple(document.visits)
    doses = clinical.read_dosing(sheets["dosing"], subjects, findings) if "dosing" in sheets else ()
    values = clinical.read_serum(sheets["serum"], subjects, visits, findings) if "serum" in sheets else ()
    assigned = assign_visits(document, tubes, values, doses, subjects, names, findings)
    records = with_repeats(assigned.records, document)
    tubes = tuple(replace(tube, record=one) for tube, one in zip(tubes, records, strict=True))
    if "samples" in sheets:
        check_tubes(sheets["samples"].file, tubes, findings)
        if not records and not findings.problems:
            findings.problem(sheets["samples"].file, None, "", "", "the sheet has no rows; add one row per tube")
    others = controls.read_controls(sheets["controls"], document, records, findings) if "controls" in sheets else ()
    rows = wells.read_wells(sheets["wells"], subjects, visits, findings) if "wells" in sheets else ()
    clinic = clinicsheets.read_clinic(sheets, subjects, visits, findings)
    check_outcomes(document.outcomes, clinic, path.name, names, findings)
    _read_plates(path.name, document, rows, names, hashes, findings)
    overrides, touched = read_overrides(path.parent.resolve(), records, findings)
    for override in overrides:
        names[f"{FOLDER}/{override.name}"] = override_file(override.name)
        hashes[f"{FOLDER}/{override.name}"] = override.sha256
    if "dosing" in sheets or "dosing" not in document.keys:
        dosing = sheets["dosing"].file if "dosing" in sheets else None
        clinical.check_treatments(path.name, dosing, document, doses, findings)
    if not findings.problems:
        # notices about rows look things up that only a study without problems has
        notice_tubes(sheets["samples"].file, records, document, assigned, findings)
        notice_subjects(sheets["samples"].file, tubes, assigned, findings)
    touched = tuple(replace(record, remove=document.quality.remove) for record in touched)
    return Parts(document, touched, subjects, doses, assigned, overrides, others, rows, clinic)


def _read_plates(
    file: str,
    document: Document,
    rows: tuple[WellRow, ...],
    names: dict[str, str],
    hashes: dict[str, str],
    findings: Findings,
) -> None:
    """Note the files of the plates, and report what they lack."""
    if document.plates is None:
        if rows:
            findings.problem(file, None, "wells", "", "a sheet of wells belongs to plates; name them as `plates:`")
        return
    names.update({role: name for role, (name, _) in document.plates.inputs().items()})
    hashes.update(plates.hash_inputs(document.plates, file, findings))
    if "wells" not in document.keys:
        message = "which sample is whose is not known; give the sheet of wells as `wells:`"
        findings.problem(file, None, "plates", "", message)
    if document.visit_assignment == "windows":
        message = "with visits by windows, plates need a sheet `serum:` of concentrations instead"
        findings.problem(file, None, "plates", "", message)


def _bytes(path: Path, findings: Findings) -> bytes | None:
    try:
        if not path.is_file():
            findings.problem(str(path), None, "", "", "no file is there; give the path of study.yaml")
            return None
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        findings.problem(str(path), None, "", "", f"the file cannot be read: {error}")
        return None


def _study(
    parts: Parts, folder: Path, notices: tuple[Problem, ...], names: dict[str, str], hashes: dict[str, str]
) -> Study:
    document = parts.document
    return Study(
        id=document.id,
        title=document.title,
        registry=document.registry,
        description=document.description,
        assumptions=document.assumptions,
        folder=folder,
        data_root=document.roots.data,
        arms=FrozenMapping(document.arms),
        visits=FrozenMapping(parts.assigned.visits),
        visit_assignment=document.visit_assignment,
        course_gap=document.course_gap,
        tubes=FrozenMapping(document.tubes),
        bead_lots=FrozenMapping(document.bead_lots),
        checks=document.checks,
        quality=document.quality,
        changes=document.changes,
        percent_of=document.percent_of,
        limits=document.limits,
        errors=document.errors,
        records=parts.records,
        subjects=FrozenMapping(parts.subjects),
        treatments=document.treatments,
        doses=parts.doses,
        serum_values=parts.assigned.values,
        model_populations=document.model_populations,
        model_covariates=document.model_covariates,
        words=document.words,
        miflowcyt=FrozenMapping(document.miflowcyt),
        notices=notices,
        files=FrozenMapping(names),
        sha256=FrozenMapping(hashes),
        overrides=parts.overrides,
        controls=parts.controls,
        learn_gates=document.learn_gates,
        normalise=FrozenMapping(document.normalise),
        plates=document.plates,
        wells=parts.wells,
        clinic=parts.clinic,
        outcomes=document.outcomes,
        model_weights=document.model_weights,
    )
