"""Outcomes of a trial: the section ``outcomes`` of ``study.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from il2cyto.derive.medication import PREDNISONE_5_MG, SYSTEMIC
from il2cyto.derive.scores import ESSDAI_NAME, SLEDAI_NAME
from il2cyto.study.changes import ANY, CONTROL, ChangeRule, read_rule
from il2cyto.study.clinic import Clinic
from il2cyto.study.fields import NUMBER, FieldReader
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Node, Scalar

STEROID, DRUGS, LABORATORY, SCORE, EVENTS, CHANGED = "steroid", "drugs", "laboratory", "score", "events", "changed"
#: Keys of each kind besides those that all have, and the sheets that it needs.
KINDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    STEROID: (("days", "surface", "prednisone_5_mg"), ("conmeds", "vitals")),
    DRUGS: (("days", "surface", "group"), ("conmeds", "vitals")),
    LABORATORY: (("tests", "log"), ("labs",)),
    SCORE: (("score", "diagnoses"), ("scores",)),
    EVENTS: (("classes",), ("ae",)),
    CHANGED: (("populations", "analytes", "rule"), ()),
}
ROLES: Final = ("primary", "secondary", "exploratory")
#: What is known of a subject before treatment, and models may adjust for.
COVARIATES: Final = ("AGE", "SEX", "DIAGNOSIS")
#: Formulas of body surface, as in `il2cyto.derive.surface`, which needs numpy and is not loaded to read a study.
SURFACES: Final = ("mosteller", "haycock", "dubois", "chinese_paediatric")
#: Days before a visit over which a dose is averaged.
DAYS: Final = 28
IMMUNOSUPPRESSANT: Final = "immunosuppressant"


@dataclass(frozen=True)
class Outcome:
    """One outcome.

    Attributes
    ----------
    id, label
        Its name, which becomes that of its files, and its words.
    kind
        One of `KINDS`.
    role
        ``primary`` and ``secondary`` outcomes are the registered family; ``exploratory`` ones are not.
    visit
        Visit of its key comparison.
    covariates
        What models adjust for besides the baseline; ``DIAGNOSIS`` is the stratum of rank tests too.
    days, surface, prednisone_5_mg, group
        Of drugs: the days before a visit that are averaged, the formula of body surface, equivalents that the study
        states, and the group of drugs.
    tests, log
        Laboratory tests, and those of them that are compared by their logarithm.
    score, diagnoses
        Name of the score, and the diagnoses that it is for; empty means all subjects who have it.
    classes
        Classes of adverse events.
    populations, analytes, rule
        Whose changes are counted, and by which definition.
    """

    id: str
    label: str
    kind: str
    role: str
    visit: str
    covariates: tuple[str, ...] = ()
    days: int = DAYS
    surface: str = SURFACES[0]
    prednisone_5_mg: FrozenMapping[str, float] = field(default_factory=lambda: FrozenMapping({}))
    group: str = IMMUNOSUPPRESSANT
    tests: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    score: str = ""
    diagnoses: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()
    analytes: tuple[str, ...] = ()
    rule: ChangeRule = field(default_factory=lambda: ChangeRule(CONTROL))

    @property
    def registered(self) -> bool:
        """Whether it belongs to the registered family."""
        return self.role != ROLES[2]


def read_outcomes(
    reader: FieldReader, node: Node | None, visits: Sequence[str], sheets: Sequence[str]
) -> tuple[Outcome, ...]:
    """Read the section ``outcomes``.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        The section, or ``None`` where there is none.
    visits
        Planned visits, in the order of time.
    sheets
        Keys of the sheets that the study has.
    """
    if node is None:
        return ()
    return tuple(
        _outcome(reader, entry, key, visits, sheets)
        for key, entry in reader.identified(node, "outcomes", "outcome").items()
    )


def _outcome(reader: FieldReader, node: Node, key: str, visits: Sequence[str], sheets: Sequence[str]) -> Outcome:
    where = f"outcomes.{key}"
    every = tuple(dict.fromkeys(name for keys, _ in KINDS.values() for name in keys))
    given = reader.section(node, where, ("kind",), ("label", "role", "visit", "covariates", *every))
    kind = (reader.choice(given["kind"], f"{where}.kind", tuple(KINDS)) if "kind" in given else None) or ""
    keys, needed = KINDS.get(kind, (every, ()))
    for name in given:
        if name in every and name not in keys:
            reader.problem(given[name], f"{where}.{name}", f"an outcome of kind {kind} takes {one_of(keys)}")
    for sheet in needed:
        if sheet not in sheets:
            reader.problem(given["kind"], f"{where}.kind", f"this kind needs the sheet `{sheet}:`")

    def texts(name: str) -> tuple[str, ...]:
        return reader.items(given[name], f"{where}.{name}", reader.text) if name in given else ()

    found = Outcome(
        id=key,
        label=(reader.text(given["label"], f"{where}.label") if "label" in given else None) or key,
        kind=kind,
        role=(reader.choice(given["role"], f"{where}.role", ROLES) if "role" in given else None) or ROLES[1],
        visit=(reader.choice(given["visit"], f"{where}.visit", tuple(visits)) if "visit" in given else None)
        or (visits[-1] if visits else ""),
        covariates=reader.items(
            given["covariates"], f"{where}.covariates", lambda item, path: reader.choice(item, path, COVARIATES)
        )
        if "covariates" in given
        else (),
        days=(reader.integer(given["days"], f"{where}.days", minimum=1) if "days" in given else None) or DAYS,
        surface=(reader.choice(given["surface"], f"{where}.surface", SURFACES) if "surface" in given else None)
        or SURFACES[0],
        prednisone_5_mg=_equivalents(reader, given.get("prednisone_5_mg"), f"{where}.prednisone_5_mg"),
        group=(reader.text(given["group"], f"{where}.group") if "group" in given else None) or IMMUNOSUPPRESSANT,
        tests=texts("tests"),
        log=texts("log"),
        score=(reader.text(given["score"], f"{where}.score") if "score" in given else None) or "",
        diagnoses=texts("diagnoses"),
        classes=texts("classes"),
        populations=texts("populations"),
        analytes=texts("analytes"),
        rule=(read_rule(reader, given["rule"], f"{where}.rule") if "rule" in given else None) or ChangeRule(CONTROL),
    )
    _check(reader, node, where, found)
    return found


def _check(reader: FieldReader, node: Node, where: str, found: Outcome) -> None:
    """Report what an outcome of its kind cannot do without."""
    needs = {
        LABORATORY: (found.tests, "tests", "name the tests, for example [C3, C4]"),
        SCORE: (found.score, "score", f"name the score: {SLEDAI_NAME}, {ESSDAI_NAME} or another of the scores sheet"),
        EVENTS: (found.classes, "classes", "name the classes of events as the sheet has them"),
        CHANGED: (found.populations or found.analytes, "populations", "name populations, analytes or both"),
    }
    if found.kind in needs and not needs[found.kind][0]:
        reader.problem(node, f"{where}.{needs[found.kind][1]}", needs[found.kind][2])
    for test in found.log:
        if test not in found.tests:
            reader.problem(node, f"{where}.log", f"{test} is not among the tests of this outcome")
    if found.kind == CHANGED and found.rule.kind == ANY and found.registered:
        message = (
            "any difference is a change in half of all subjects without an effect; choose rcv, rcv_control or fold"
        )
        reader.problem(node, f"{where}.rule", message)


def _equivalents(reader: FieldReader, node: Node | None, where: str) -> FrozenMapping[str, float]:
    """Return the equivalents of prednisone with those that the study states."""
    found = dict(PREDNISONE_5_MG)
    if node is not None:
        for drug, entry in reader.identified(node, where, "steroid").items():
            text = entry.text if isinstance(entry, Scalar) else ""
            if not NUMBER.fullmatch(text) or not float(text) > 0:
                reader.problem(entry, f"{where}.{drug}", "write the mg that 5 mg of prednisone come to")
            else:
                found[drug.casefold()] = float(text)
    return FrozenMapping(found)


def check_outcomes(
    outcomes: Sequence[Outcome], clinic: Clinic, file: str, files: Mapping[str, str], findings: Findings
) -> None:
    """Report steroids whose equivalent is not known, and note what the sheets have nothing of.

    Parameters
    ----------
    outcomes, clinic
        As read.
    file, files
        Name of ``study.yaml``, and of each sheet.
    findings
        Receives problems and notices.
    """
    for outcome in outcomes:
        if outcome.kind == STEROID:
            known = tuple(outcome.prednisone_5_mg)
            told: set[str] = set()
            for drug in clinic.drugs:
                if drug.group == STEROID and drug.route in SYSTEMIC and drug.drug not in (*known, *told):
                    told.add(drug.drug)
                    message = (
                        f"its equivalent of prednisone is not known{hint(drug.drug, known)}; correct the name, or "
                        f"state it: outcomes.{outcome.id}.prednisone_5_mg: {{{drug.drug}: 5}} (mg that 5 mg of "
                        "prednisone come to)"
                    )
                    findings.problem(files["conmeds"], drug.line, "drug", drug.drug, message)
        there = {
            LABORATORY: ("tests", outcome.tests, {one.test for one in clinic.labs} | {"EGFR"}),
            SCORE: ("score", (outcome.score,), {one.score for one in clinic.scores}),
        }.get(outcome.kind)
        if there is not None:
            key, wanted, found = there
            for name in wanted:
                if name and name not in found:
                    message = f"no row of the sheet has it{hint(name, tuple(sorted(found)))}; it will have no value"
                    findings.notice(file, None, f"outcomes.{outcome.id}.{key}", name, message)
