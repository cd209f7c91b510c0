"""The schema of ``study.yaml``: arms, visits, limits, error model and the names of the sheets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from il2cyto.derive.dosing import COURSE_GAP
from il2cyto.study.assays import Plates
from il2cyto.study.beads import read_bead_lots
from il2cyto.study.changes import Changes, read_changes
from il2cyto.study.checks import Checks, read_checks
from il2cyto.study.fields import FieldReader
from il2cyto.study.findings import Findings
from il2cyto.study.miflowcyt import ITEMS
from il2cyto.study.model import Arm, BeadLot, ErrorModel, Limits, TubeType, Visit
from il2cyto.study.outcomes import COVARIATES, Outcome, read_outcomes
from il2cyto.study.paths import Roots, study_file
from il2cyto.study.plates import read_plates
from il2cyto.study.positions import Node, Sequence
from il2cyto.study.quality import Quality, read_quality
from il2cyto.study.style import SheetStyle, read_styles
from il2cyto.study.tubes import REPEATS, read_tubes, repeat_rule

T = TypeVar("T")

REQUIRED = ("study", "title", "arms", "visits", "tubes", "samples")
OPTIONAL = (
    "registry", "description", "assumptions", "data_root", "bead_lots", "checks", "percent_of", "limits", "errors",
    "dosing", "treatments", "course_gap", "visit_assignment", "repeat", "serum", "controls", "gates", "sheets", "model",
    "words", "miflowcyt", "quality", "normalise", "plates", "wells",
    "changes", "conmeds", "vitals", "labs", "scores", "ae", "outcomes",
)  # fmt: skip
ARM = (("label",), ("reference", "visits"))
VISIT = (("label", "number"), ("baseline", "target_day", "window", "max_dsld"))
ASSIGNMENTS = ("nominal", "windows")
LIMITS = ("lloq_events", "lod_events", "min_beads")
ERRORS = ("cv_pipetting", "cv_lot", "cv_volume", "cv_alc", "cv_wbc")
MODEL = ("populations", "covariates", "weights")
WEIGHTS = ("overlap",)
GATES = ("learn",)
SHEETS = ("samples", "dosing", "serum", "controls", "wells", "conmeds", "vitals", "labs", "scores", "ae")


@dataclass(frozen=True)
class Document:
    """What ``study.yaml`` says.

    Where something is wrong a placeholder stands, so that the sheets can still be checked; a study is never made of it,
    because the problem has been recorded.
    """

    id: str
    title: str
    registry: str | None
    description: str | None
    assumptions: tuple[str, ...]
    roots: Roots
    arms: dict[str, Arm]
    visits: dict[str, Visit]
    visit_assignment: str
    course_gap: int
    repeat: str | None
    tubes: dict[str, TubeType]
    bead_lots: dict[str, BeadLot]
    checks: Checks
    quality: Quality
    changes: Changes
    percent_of: tuple[str, ...]
    limits: Limits
    errors: ErrorModel
    sheets: dict[str, tuple[str, Path]]
    styles: dict[str, SheetStyle]
    model_populations: tuple[str, ...]
    model_covariates: tuple[str, ...]
    model_weights: str | None
    treatments: tuple[str, ...]
    treatments_line: int | None
    words: tuple[str, ...]
    miflowcyt: dict[str, str]
    learn_gates: bool
    normalise: dict[str, tuple[str, ...]]
    plates: Plates | None
    outcomes: tuple[Outcome, ...]
    keys: frozenset[str]


def read_document(
    tree: Node,
    file: str,
    folder: Path,
    data_root: Path | None,
    findings: Findings,
    columns: dict[str, tuple[str, ...]] | None = None,
) -> Document:
    """Check the tree of ``study.yaml`` against the schema.

    Parameters
    ----------
    tree
        From `read_tree`.
    file, folder
        Name of the file and its folder (resolved).
    data_root
        Overrides the key ``data_root``.
    findings
        Receives every problem.
    columns
        Names of the columns of each sheet, for the options of ``sheets``.
    """
    reader = FieldReader(file, findings)
    top = reader.section(tree, "", REQUIRED, OPTIONAL)
    roots = Roots(folder, _data_root(reader, top.get("data_root"), folder, data_root))
    visits = _visits(reader, top["visits"]) if "visits" in top else {}
    arms = _arms(reader, top["arms"], visits) if "arms" in top else {}
    tubes = read_tubes(reader, top["tubes"], roots) if "tubes" in top else {}
    model = _model(reader, top["model"]) if "model" in top else ((), (), None)
    texts = {key: reader.text(top[key], key) if key in top else None for key in ("title", "registry", "description")}
    return Document(
        id=_known(reader.identifier(top["study"], "study") if "study" in top else None, ""),
        title=texts["title"] or "",
        registry=texts["registry"],
        description=texts["description"],
        assumptions=reader.items(top["assumptions"], "assumptions", reader.text) if "assumptions" in top else (),
        roots=roots,
        arms=arms,
        visits=visits,
        visit_assignment=_assignment(reader, top.get("visit_assignment"), visits),
        course_gap=_gap(reader, top.get("course_gap")),
        repeat=repeat_rule(reader.choice(top["repeat"], "repeat", REPEATS)) if "repeat" in top else None,
        tubes=tubes,
        bead_lots=read_bead_lots(reader, top["bead_lots"]) if "bead_lots" in top else {},
        checks=read_checks(reader, top.get("checks"), tuple(tubes)),
        quality=read_quality(reader, top.get("quality"), tuple(tubes)),
        changes=read_changes(reader, top.get("changes")),
        percent_of=reader.items(top["percent_of"], "percent_of", reader.text) if "percent_of" in top else (),
        limits=_limits(reader, top["limits"]) if "limits" in top else Limits(),
        errors=_errors(reader, top["errors"]) if "errors" in top else ErrorModel(),
        sheets=_sheets(reader, top, folder),
        styles=read_styles(reader, top["sheets"], columns or dict.fromkeys(SHEETS, ())) if "sheets" in top else {},
        model_populations=model[0],
        model_covariates=model[1],
        model_weights=model[2],
        treatments=reader.items(top["treatments"], "treatments", reader.text) if "treatments" in top else (),
        treatments_line=top["treatments"].line if "treatments" in top else None,
        words=reader.items(top["words"], "words", reader.text) if "words" in top else (),
        miflowcyt=_record(reader, top["miflowcyt"]) if "miflowcyt" in top else {},
        learn_gates=_learn(reader, top["gates"]) if "gates" in top else True,
        normalise=_normalise(reader, top["normalise"], tuple(tubes)) if "normalise" in top else {},
        plates=read_plates(reader, top.get("plates"), folder),
        outcomes=read_outcomes(reader, top.get("outcomes"), tuple(visits), tuple(top)),
        keys=frozenset(top),
    )


def _known(value: T | None, placeholder: T) -> T:
    return placeholder if value is None else value


def _data_root(reader: FieldReader, node: Node | None, folder: Path, override: Path | None) -> Path:
    if override is not None:
        root = override.resolve()
        if not root.is_dir():
            message = "no folder is there; give the folder that the FCS paths of the sheet start from"
            reader.findings.problem("--data-root", None, "", str(override), message)
        return root
    text = reader.text(node, "data_root") if node is not None else None
    if node is None or text is None:
        return folder
    # unlike every other path this one may lead out of the study folder: it is where the data are declared to be
    if "\\" in text or Path(text).is_absolute():
        reader.problem(node, "data_root", "give a path relative to the study folder with /, or use --data-root")
        return folder
    root = (folder / text).resolve()
    if not root.is_dir():
        reader.problem(node, "data_root", "no folder is there; correct the path or use --data-root")
    return root


def _visits(reader: FieldReader, node: Node) -> dict[str, Visit]:
    visits: dict[str, Visit] = {}
    for key, entry in reader.identified(node, "visits", "visit").items():
        where = f"visits.{key}"
        given = reader.section(entry, where, *VISIT)
        number = reader.integer(given["number"], f"{where}.number") if "number" in given else None
        if number is not None and visits and number <= (last := list(visits.values())[-1]).number:
            message = f"visits stand in the order of time: give a number above that of {last.id} ({last.number})"
            reader.problem(given["number"], f"{where}.number", message)
        baseline = reader.flag(given["baseline"], f"{where}.baseline") if "baseline" in given else False
        first = next((visit.id for visit in visits.values() if visit.baseline), None)
        if baseline and first is not None:
            reader.problem(given["baseline"], f"{where}.baseline", f"visit {first} is the baseline; keep one of them")
        target = reader.integer(given["target_day"], f"{where}.target_day") if "target_day" in given else None
        if target == 0:
            reader.problem(given["target_day"], f"{where}.target_day", "there is no study day 0: day 1 follows day -1")
        window = _window(reader, given["window"], where) if "window" in given else None
        if window and target and not window[0] <= target <= window[1]:
            message = f"the target day lies outside the window {window[0]} to {window[1]}; correct one of them"
            reader.problem(given["target_day"], f"{where}.target_day", message)
        label = reader.text(given["label"], f"{where}.label") if "label" in given else None
        latest = reader.integer(given["max_dsld"], f"{where}.max_dsld", minimum=1) if "max_dsld" in given else None
        visits[key] = Visit(key, label or key, _known(number, 0), bool(baseline), target, window, latest)
    return visits


def _assignment(reader: FieldReader, node: Node | None, visits: dict[str, Visit]) -> str:
    """Return how samples get their visits; by windows, every visit needs one, and no two may overlap."""
    word = reader.choice(node, "visit_assignment", ASSIGNMENTS) if node is not None else None
    if node is None or word != "windows":
        return ASSIGNMENTS[0]
    for visit in visits.values():
        if visit.window is None or visit.target_day is None:
            message = f"visits by windows need window and target_day of every visit; visit {visit.id} lacks one"
            reader.problem(node, "visit_assignment", message)
            return word
    ordered = sorted(visits.values(), key=lambda visit: visit.window or (0, 0))
    for before, after in itertools.pairwise(ordered):
        if before.window is not None and after.window is not None and before.window[1] >= after.window[0]:
            message = f"the windows of {before.id} and {after.id} overlap; a study day belongs to one visit"
            reader.problem(node, "visit_assignment", message)
    return word


def _gap(reader: FieldReader, node: Node | None) -> int:
    days = reader.integer(node, "course_gap", minimum=1) if node is not None else None
    return COURSE_GAP if days is None else days


def _window(reader: FieldReader, node: Node, where: str) -> tuple[int, int] | None:
    if not isinstance(node, Sequence) or len(node.items) != 2:
        reader.problem(node, f"{where}.window", "give the first and the last study day, for example [2, 60]")
        return None
    first, last = (reader.integer(item, f"{where}.window.{place}") for place, item in enumerate(node.items, start=1))
    if first is None or last is None:
        return None
    if first > last:
        reader.problem(
            node.items[0], f"{where}.window", f"the window ends (day {last}) before it begins; swap the days"
        )
        return None
    return first, last


def _arms(reader: FieldReader, node: Node, visits: dict[str, Visit]) -> dict[str, Arm]:
    arms: dict[str, Arm] = {}
    unread = False
    for key, entry in reader.identified(node, "arms", "arm").items():
        where = f"arms.{key}"
        given = reader.section(entry, where, *ARM)
        reference = reader.flag(given["reference"], f"{where}.reference") if "reference" in given else False
        unread = unread or reference is None
        first = next((arm.id for arm in arms.values() if arm.reference), None)
        if reference and first is not None:
            reader.problem(given["reference"], f"{where}.reference", f"arm {first} is the reference; keep one of them")
        expected = tuple(visits)
        if "visits" in given:
            expected = reader.items(
                given["visits"],
                f"{where}.visits",
                lambda item, path: reader.choice(item, path, tuple(visits)) if visits else None,
            )
        label = reader.text(given["label"], f"{where}.label") if "label" in given else None
        arms[key] = Arm(key, label or key, bool(reference), expected)
    if len(arms) > 1 and not unread and not any(arm.reference for arm in arms.values()):
        reader.problem(node, "arms", "write `reference: true` in the arm that the others are compared with")
    return arms


def _limits(reader: FieldReader, node: Node) -> Limits:
    given = reader.section(node, "limits", (), LIMITS)
    read = {key: reader.integer(value, f"limits.{key}", minimum=1) for key, value in given.items()}
    limits = Limits(**{key: value for key, value in read.items() if value is not None})
    if limits.lod_events > limits.lloq_events:
        message = (
            f"the limit of detection ({limits.lod_events} events) lies above the limit of quantification "
            f"({limits.lloq_events}); lower lod_events or raise lloq_events"
        )
        reader.problem(node, "limits", message)
    return limits


def _errors(reader: FieldReader, node: Node) -> ErrorModel:
    given = reader.section(node, "errors", (), ERRORS)
    read = {key: reader.fraction(value, f"errors.{key}") for key, value in given.items()}
    return ErrorModel(**{key: value for key, value in read.items() if value is not None})


def _model(reader: FieldReader, node: Node) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """Return the populations that are modelled, what models adjust for, and weights of a further comparison."""
    given = reader.section(node, "model", (), MODEL)
    populations = reader.items(given["populations"], "model.populations", reader.text) if "populations" in given else ()
    weights = reader.choice(given["weights"], "model.weights", WEIGHTS) if "weights" in given else None
    if "covariates" not in given:
        return populations, (), weights

    def covariate(item: Node, where: str) -> str | None:
        return reader.choice(item, where, COVARIATES)

    return populations, reader.items(given["covariates"], "model.covariates", covariate), weights


def _learn(reader: FieldReader, node: Node) -> bool:
    given = reader.section(node, "gates", (), GATES)
    return "learn" not in given or reader.flag(given["learn"], "gates.learn") is not False


def _normalise(reader: FieldReader, node: Node, tubes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found = {}
    for tube, entry in reader.section(node, "normalise", (), tubes).items():
        markers = reader.items(entry, f"normalise.{tube}", reader.text)
        if not markers:
            reader.problem(entry, f"normalise.{tube}", "name the markers, for example [CD25, CD127]")
        found[tube] = markers
    return found


def _record(reader: FieldReader, node: Node) -> dict[str, str]:
    given = reader.section(node, "miflowcyt", (), tuple(ITEMS))
    read = {key: reader.text(value, f"miflowcyt.{key}") for key, value in given.items()}
    return {key: text for key, text in read.items() if text is not None}


def _sheets(reader: FieldReader, top: dict[str, Node], folder: Path) -> dict[str, tuple[str, Path]]:
    """Return name as written and path of each sheet that is there."""
    sheets: dict[str, tuple[str, Path]] = {}
    for key in SHEETS:
        node = top.get(key)
        text = reader.text(node, key) if node is not None else None
        if node is None or text is None:
            continue
        absent = "no file is there; give the sheet as .csv or .xlsx below the study folder"
        found = study_file(reader, node, key, text, folder, absent)
        if found is None:
            continue
        if any(found[1] == other for _, other in sheets.values()):
            reader.problem(node, key, "another sheet is read from this file; give each table its own file")
        else:
            sheets[key] = found
    return sheets
