"""What went wrong or needs a look: ``failures.csv`` for everyone, ``paths.csv`` with file names for the lab alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from il2cyto.errors import Problem
from il2cyto.steps.public import ELSEWHERE, WITHHELD
from il2cyto.steps.tables import TubeFacts
from il2cyto.steps.tube import TubeOutcome
from il2cyto.study.model import Study, TubeRecord

if TYPE_CHECKING:
    import pandas as pd

#: In every row of ``paths.csv``, so that it cannot be taken for one of the tables to hand on.
IDENTIFYING = "identifying: do not share"
PATH_COLUMNS = ("identifying", "what", "tube_id", "sha256", "path", "messages")


@dataclass(frozen=True)
class Finding:
    """A failure or a notice.

    Attributes
    ----------
    severity
        ``failure`` or ``notice``.
    record
        The tube, or ``None`` where it concerns no single one.
    message
        As results carry it: with ids of the sheet and names that the study declares alone.
    whole
        As the screen and ``paths.csv`` carry it: with names of files and what stood in them.
    source
        Which file of the study is meant where there is no tube, by its role.
    """

    severity: str
    step: str
    record: TubeRecord | None
    kind: str
    message: str
    whole: str
    remedy: str
    source: str = ""


@dataclass(frozen=True)
class Surplus:
    """Gates of a workspace for files that no row of the sheet names."""

    tube: str
    workspace: str
    file_names: tuple[str, ...]


def find_failures(
    study: Study,
    outcomes: Mapping[str, TubeOutcome],
    facts: Mapping[str, TubeFacts],
    surplus: Sequence[Surplus] = (),
) -> tuple[Finding, ...]:
    """Return every failure, in the order of the sheet, then every notice.

    Parameters
    ----------
    study
        The study; its notices become findings.
    outcomes
        What became of each tube; a tube without an outcome was not begun.
    facts
        What the results of gated tubes say besides their numbers.
    surplus
        Entries of workspaces that no row of the sheet uses.
    """
    failures: list[Finding] = []
    notices: list[Finding] = []
    for record in study.records:
        outcome = outcomes.get(record.tube_id)
        if outcome is None:
            why = "not gated, because an earlier tube failed"
            failures.append(_of_tube("failure", "gate", record, "not begun", why, why))
        elif outcome.error is not None:
            error = outcome.error
            failures.append(
                Finding("failure", "gate", record, error.kind, error.public, error.message, _remedy(error.kind))
            )
        else:
            failures += _missing(record, facts[record.tube_id])
            notices += _repairs(record, outcome, facts[record.tube_id])
    notices += [_of_sheet(study, problem) for problem in study.notices]
    notices += [_of_workspace(entry) for entry in surplus]
    return (*failures, *notices)


def failure_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return ``failures.csv``: one row per failure or notice, without file names and text out of files."""
    import pandas as pd

    rows = []
    for finding in findings:
        record = finding.record
        ids = (record.tube_id, record.subject, record.visit, record.tube) if record else ("", "", "", "")
        rows.append((finding.severity, finding.step, *ids, finding.kind, finding.message, finding.remedy))
    columns = ["severity", "step", "tube_id", "subject", "visit", "tube", "kind", "message", "remedy"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def path_table(
    study: Study, outcomes: Mapping[str, TubeOutcome], findings: Sequence[Finding], surplus: Sequence[Surplus] = ()
) -> pd.DataFrame:
    """Return ``paths.csv``: which file each id and hash stands for, with the whole messages about it.

    One row per tube in the order of the sheet, then the files of the study, then entries of workspaces without a tube.
    `messages` holds one message per line.
    """
    import pandas as pd

    of_tubes: dict[str, list[str]] = {}
    of_files: dict[str, list[str]] = {}
    for finding in findings:
        if finding.record is not None:
            of_tubes.setdefault(finding.record.tube_id, []).append(finding.whole)
        elif finding.source:
            of_files.setdefault(finding.source, []).append(finding.whole)
    rows = []
    for record in study.records:
        outcome = outcomes.get(record.tube_id)
        told = "\n".join(of_tubes.get(record.tube_id, []))
        rows.append(("tube", record.tube_id, outcome.sha256 if outcome else "", record.fcs_name, told))
    for role, name in study.files.items():
        rows.append((role, "", study.sha256.get(role, ""), name, "\n".join(of_files.get(role, []))))
    for entry in surplus:
        told = f"{entry.workspace}: has gates for this file, which no row of the sample sheet names"
        rows += [("gates without a tube", "", "", name, told) for name in entry.file_names]
    return pd.DataFrame([(IDENTIFYING, *row) for row in rows], columns=list(PATH_COLUMNS), dtype=object)


def _of_tube(
    severity: str, step: str, record: TubeRecord, kind: str, message: str, whole: str, remedy: str = ""
) -> Finding:
    return Finding(
        severity, step, record, kind, f"{record.tube_id}: {message}", f"{record.fcs_name}: {whole}",
        remedy or _remedy(kind),
    )  # fmt: skip


def _missing(record: TubeRecord, facts: TubeFacts) -> list[Finding]:
    remedy = "name the channel that carries it in the panel of this tube, or declare it 'absent' there"
    found = []
    for marker in facts.missing_markers:
        message = f"lacks marker {marker}, which its panel promises; what it gates is not estimable"
        found.append(_of_tube("failure", "gate", record, "marker missing", message, message, remedy))
    return found


def _repairs(record: TubeRecord, outcome: TubeOutcome, facts: TubeFacts) -> list[Finding]:
    remedy = "check that this is what the instrument meant"
    told = [
        f"{'a keyword' if keyword == WITHHELD else keyword} is {found}, read as: {assumed}".replace(WITHHELD, ELSEWHERE)
        for keyword, found, assumed, affects in facts.repairs
        if affects
    ]
    found = [
        _of_tube("notice", "read", record, "repaired", message, whole, remedy)
        for message, whole in zip(told, outcome.details, strict=True)
    ]
    remedy = "check that this is meant"
    return found + [_of_tube("notice", "gate", record, "note", note, note, remedy) for note in facts.notes]


def _of_sheet(study: Study, problem: Problem) -> Finding:
    """A notice about a sheet: the place is told, the cell that stands there is not."""
    source = next((role for role, name in study.files.items() if name == problem.file), "study")
    record = next((r for r in study.records if source == "samples" and r.line == problem.line), None)
    line = "" if problem.line is None else f", line {problem.line}"
    where = f", {problem.where}" if problem.where else ""
    name = "study.yaml" if source == "study" else f"{source}{'.yaml' if '/' in source else ' sheet'}"
    message = f"{name}{line}{where}: {problem.message}"
    return Finding(
        "notice", "check", record, "sheet", message, str(problem), "correct the sheet if this is not meant", source
    )


def _of_workspace(surplus: Surplus) -> Finding:
    n = len(surplus.file_names)
    which = f"the workspace of tube type {surplus.tube} has gates for {n} file{'' if n == 1 else 's'}"
    message = f"{which} that no row of the sample sheet names; paths.csv lists {'it' if n == 1 else 'them'}"
    return Finding(
        "notice", "gate", None, "no file", message, message, "add the files to the sheet if they belong to the study"
    )


def _remedy(kind: str) -> str:
    return _REMEDIES.get(kind, "see the message, then run again")


_REMEDIES = {
    "FcsError": "copy the file from the instrument again, or correct its row in the sample sheet",
    "PanelError": "correct the panel file",
    "CompensationError": "name a matrix that fits in the strategy, or take the channels uncompensated",
    "StrategyError": "correct the strategy or the panel",
    "GatingMLError": "export the gates again from the program that wrote them",
    "MemoryError": "run again with fewer jobs",
    "WorkerDied": "run again with fewer jobs; if it dies again, send the file to the developers",
}
