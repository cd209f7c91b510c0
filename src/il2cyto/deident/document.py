"""``study.yaml`` written anew: ids, numbers and references, without a word that somebody typed freely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from il2cyto.deident.changes import DATE, DROPPED, FREE_TEXT, IDENTIFIER, RENAMED, REPLACED, UNKNOWN_NAME, Change, shape
from il2cyto.deident.names import Names
from il2cyto.deident.references import References
from il2cyto.deident.sheets import Declared
from il2cyto.deident.vocabulary import STUDY
from il2cyto.study.changes import Changes
from il2cyto.study.checks import Band, Checks, default_checks
from il2cyto.study.design import Arm, BeadLot, CountSpec, TubeType, Visit
from il2cyto.study.document import Document
from il2cyto.study.outcomes import KINDS, Outcome
from il2cyto.study.quality import Quality, default_quality

TITLE = "De-identified study"
#: Registries of trials, whose numbers name a trial and no person.
_REGISTRIES = r"NCT\d{8}|ChiCTR-?[A-Z]{0,4}-?\d{8,10}|ISRCTN\d{8}|\d{4}-\d{6}-\d{2}(-\d{2})?|jRCT[a-z]?\d{9,10}"


def comments(path: Path) -> list[Change]:
    """Say that comments of ``study.yaml`` are not taken over."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    comments = [line for line in lines if line.lstrip().startswith("#") or " #" in line]
    return [Change("comments", DROPPED, FREE_TEXT, f"{len(comments)} lines")] if comments else []


def clean_document(
    document: Document, declared: Declared, references: References, names: Names, written: Sequence[str]
) -> tuple[dict[str, Any], list[Change]]:
    """Return ``study.yaml`` as data: ids, numbers and references, without a word that somebody typed freely."""

    changes = [
        Change(key, DROPPED, FREE_TEXT, shape(" ".join(text)))
        for key, text in (
            ("description", [document.description or ""]),
            ("assumptions", document.assumptions),
            ("miflowcyt", [*document.miflowcyt.values()]),
        )
        if any(text)
    ]
    if document.title != TITLE:
        changes.append(Change("title", REPLACED, FREE_TEXT, shape(document.title)))
    content: dict[str, Any] = {"study": names.coded("study", document.id), "title": TITLE}
    if content["study"] != document.id:
        changes.append(Change("study", RENAMED, IDENTIFIER, shape(document.id)))
    if document.registry and re.fullmatch(_REGISTRIES, document.registry, re.ASCII):
        content["registry"] = document.registry
    elif document.registry:
        changes.append(Change("registry", DROPPED, IDENTIFIER, shape(document.registry)))
    content["arms"] = {
        declared.arms[arm.id]: _arm(arm, document, declared, names, changes) for arm in document.arms.values()
    }
    content["visits"] = {
        declared.visits[visit.id]: _visit(visit, declared.visits[visit.id], names, changes)
        for visit in document.visits.values()
    }
    content["tubes"] = {
        declared.tubes[tube.id]: _tube(tube, declared, references, names, changes) for tube in document.tubes.values()
    }
    if document.bead_lots:
        content["bead_lots"] = {names.coded("name", lot.id): _lot(lot, changes) for lot in document.bead_lots.values()}
    content["checks"] = _checks(document.checks, declared, names, changes)
    quality = _quality(document.quality, declared)
    if quality:
        content["quality"] = quality
    if document.percent_of:
        content["percent_of"] = [_population(name, names, changes) for name in document.percent_of]
    content["visit_assignment"] = document.visit_assignment
    content["course_gap"] = document.course_gap
    if document.repeat is not None:
        content["repeat"] = document.repeat
    content["limits"] = dict(vars(document.limits))
    content["errors"] = dict(vars(document.errors))
    content.update({table: f"{table}.csv" for table in written})
    if document.treatments and "dosing" in written:
        content["treatments"] = [names.name(name, "analytes", "markers") for name in document.treatments]
    if "gates" in document.keys:
        content["gates"] = {"learn": document.learn_gates}
    if document.normalise:
        content["normalise"] = {
            declared.tubes[tube]: [names.name(marker, "markers") for marker in markers]
            for tube, markers in document.normalise.items()
        }
    model: dict[str, Any] = {}
    if document.model_populations:
        model["populations"] = [_population(name, names, changes) for name in document.model_populations]
    if document.model_covariates:
        model["covariates"] = list(document.model_covariates)
    if document.model_weights is not None:
        model["weights"] = document.model_weights
    if model:
        content["model"] = model
    if "changes" in document.keys:
        content["changes"] = _changes(document.changes, names, changes)
    kept = [one for one in document.outcomes if set(KINDS[one.kind][1]) <= {*written}]
    if len(kept) < len(document.outcomes):
        changes.append(Change("outcomes", DROPPED, FREE_TEXT, "those whose sheets are not written"))
    if kept:
        content["outcomes"] = {names.coded("name", one.id): _outcome(one, declared, names, changes) for one in kept}
    return content, changes


def _label(kind: str, label: str, code: str, names: Names, changes: list[Change]) -> str:
    if label == code or names.passes(label, *STUDY):
        return label
    changes.append(Change(f"{kind} label", REPLACED, FREE_TEXT, shape(label)))
    return code


def _changed_id(kind: str, old: str, new: str, changes: list[Change]) -> None:
    if old != new:
        changes.append(Change(f"{kind} id", RENAMED, UNKNOWN_NAME, shape(old)))


def _arm(arm: Arm, document: Document, declared: Declared, names: Names, changes: list[Change]) -> dict[str, Any]:
    code = declared.arms[arm.id]
    _changed_id("arms", arm.id, code, changes)
    content: dict[str, Any] = {"label": _label("arms", arm.label, code, names, changes)}
    if arm.reference:
        content["reference"] = True
    if arm.visits != tuple(document.visits):
        content["visits"] = [declared.visits[visit] for visit in arm.visits]
    return content


def _visit(visit: Visit, code: str, names: Names, changes: list[Change]) -> dict[str, Any]:
    _changed_id("visits", visit.id, code, changes)
    content: dict[str, Any] = {"label": _label("visits", visit.label, code, names, changes), "number": visit.number}
    if visit.baseline:
        content["baseline"] = True
    if visit.target_day is not None:
        content["target_day"] = visit.target_day
    if visit.window is not None:
        content["window"] = list(visit.window)
    if visit.max_dsld is not None:
        content["max_dsld"] = visit.max_dsld
    return content


def _tube(
    tube: TubeType, declared: Declared, references: References, names: Names, changes: list[Change]
) -> dict[str, Any]:
    _changed_id("tubes", tube.id, declared.tubes[tube.id], changes)
    content: dict[str, Any] = {"strategy": references.strategies[tube.id]}
    if tube.panel is not None:
        content["panel"] = references.panels[tube.id]
    content["count"] = _count(tube.count, declared, names, changes)
    if tube.repeat is not None:
        content["repeat"] = tube.repeat
    return content


def _lot(lot: BeadLot, changes: list[Change]) -> dict[str, Any]:
    if lot.expiry is not None:
        # dates of collection are moved, each subject's by its own shift
        changes.append(Change("expiry of a bead lot", DROPPED, DATE))
    numbers = (lot.beads_per_test, lot.beads_per_ul, lot.bead_volume_ul)
    keys = ("beads_per_test", "beads_per_ul", "bead_volume_ul")
    return {key: number for key, number in zip(keys, numbers, strict=True) if number is not None}


def _checks(checks: Checks, declared: Declared, names: Names, changes: list[Change]) -> dict[str, Any]:
    content: dict[str, Any] = {"order": [list(chain) for chain in checks.order]}
    if checks.roles:
        content["roles"] = {
            role: [_population(name, names, changes) for name in listed] for role, listed in checks.roles.items()
        }
    for key, default in default_checks().rules.items():
        rule = checks.rules.get(key)
        if rule is None:
            content[key] = "off"
        elif rule != default:
            content[key] = _band(rule.band)
            if rule.tubes:
                content[key]["tubes"] = {declared.tubes[tube]: _band(band) for tube, band in rule.tubes.items()}
    return content


def _quality(quality: Quality, declared: Declared) -> dict[str, Any]:
    content: dict[str, Any] = {"remove": list(quality.remove)} if quality.remove else {}
    for key, default in default_quality().rules.items():
        rule = quality.rules.get(key)
        if rule is None:
            content[key] = "off"
        elif rule != default:
            content[key] = _band(rule.band, "review")
            if rule.tubes:
                content[key]["tubes"] = {declared.tubes[tube]: _band(one, "review") for tube, one in rule.tubes.items()}
    return content


def _band(band: Band, soft: str = "warn") -> dict[str, Any]:
    return {soft: [band.warn_below, band.warn_above], "fail": [band.fail_below, band.fail_above]}


def _count(count: CountSpec, declared: Declared, names: Names, changes: list[Change]) -> dict[str, Any]:
    content: dict[str, Any] = {"route": count.route}
    for key, text in (("beads", count.beads), ("bead_doublets", count.bead_doublets),
                      ("denominator", count.denominator), ("population", count.population)):  # fmt: skip
        if text is not None:
            content[key] = _population(text, names, changes)
    if count.source_tube is not None and count.source_population is not None:
        source = _population(count.source_population, names, changes)
        content["from"] = f"{declared.tubes.get(count.source_tube, '')}/{source}"
    if count.purity is not None:
        purity = _population(count.purity, names, changes)
        tube = count.purity_tube
        content["purity"] = purity if tube is None else f"{declared.tubes.get(tube, '')}/{purity}"
    return content


def _population(text: str, names: Names, changes: list[Change]) -> str:
    new = names.path(text)
    if new != text:
        changes.append(Change("population", RENAMED, UNKNOWN_NAME, shape(text)))
    return new


def _changes(rules: Changes, names: Names, changes: list[Change]) -> dict[str, Any]:
    content: dict[str, Any] = {"rules": [rule.name for rule in rules.rules]}
    if rules.cv:
        content["cv"] = {
            _population(name, names, changes): {"analytical": cv[0], "within": cv[1]} for name, cv in rules.cv.items()
        }
    return content


def _outcome(one: Outcome, declared: Declared, names: Names, changes: list[Change]) -> dict[str, Any]:
    """An outcome without its label, which somebody typed freely; names become those of the cleaned sheets."""
    if one.label != one.id:
        changes.append(Change("label of an outcome", DROPPED, FREE_TEXT, shape(one.label)))
    content: dict[str, Any] = {"kind": one.kind, "role": one.role, "visit": declared.visits[one.visit]}
    if one.covariates:
        content["covariates"] = list(one.covariates)
    lists = {"tests": ("tests", "analytes"), "log": ("tests", "analytes"), "classes": ("events",),
             "analytes": ("analytes", "markers"), "diagnoses": STUDY}  # fmt: skip
    for key in KINDS[one.kind][0]:
        value = getattr(one, key)
        if key in lists:
            value = [names.name(word, *lists[key]) for word in value]
        elif key == "populations":
            value = [_population(name, names, changes) for name in value]
        elif key in ("score", "group"):
            value = names.name(value, "scores" if key == "score" else "drugs")
        elif key == "prednisone_5_mg":
            value = {names.name(drug, "drugs"): mg for drug, mg in value.items()}
        elif key == "rule":
            value = value.name
        if value:
            content[key] = value
    return content
