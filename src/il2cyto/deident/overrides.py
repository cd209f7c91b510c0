"""Overrides of gates in a study folder: whose gates they move by pseudonym, the gates as they stand, and no person."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from il2cyto.deident.changes import (
    DATE,
    FREE_TEXT,
    IDENTIFIER,
    RENAMED,
    REPLACED,
    UNKNOWN_NAME,
    WITHHELD,
    Change,
    FileReport,
    shape,
)
from il2cyto.deident.document import comments
from il2cyto.deident.folders import CONSTANT_TIME
from il2cyto.deident.names import CODED, Names
from il2cyto.deident.outcome import Outcome
from il2cyto.deident.strategies import clean_gates, render_yaml
from il2cyto.errors import StudyError
from il2cyto.study.findings import Findings
from il2cyto.study.model import GateOverride
from il2cyto.study.overrides import override_file, override_files, parse_unscoped, utc
from il2cyto.study.positions import MAX_BYTES

#: What stands in the place of free text, which the reader asks for.
AUTHOR: Final = "withheld"
REASON: Final = "withheld at de-identification"
#: A time without a subject has no offset. Moved by those of its subjects it would tell them: one afternoon's work on
#: the gates of two patients is one day.
TIME: Final = utc(datetime.fromtimestamp(CONSTANT_TIME, UTC))


@dataclass(frozen=True)
class KeptTube:
    """A row of the cleaned samples sheet: new ids, and the strategy as the cleaned study writes it."""

    tube_id: str
    subject: str
    batch: str
    strategy: str


def kept_tubes(samples: str, strategies: Mapping[str, str]) -> tuple[KeptTube, ...]:
    """Return the rows of a cleaned samples sheet.

    Parameters
    ----------
    samples
        The cleaned sheet, CSV; empty where there is none.
    strategies
        Strategy of each tube type, ids and texts as the cleaned study has them.
    """
    return tuple(
        KeptTube(
            row.get("tube_id", ""),
            row.get("subject", ""),
            row.get("batch", ""),
            row.get("strategy") or strategies.get(row.get("tube", ""), ""),
        )
        for row in csv.DictReader(io.StringIO(samples, newline=""))
    )


def clean_overrides(
    folder: Path, tubes: Sequence[KeptTube], references: Mapping[str, str], outcome: Outcome, names: Names
) -> None:
    """Clean every override of a study.

    One of which the cleaned study keeps no tube is withheld, one that cannot be read is set aside.

    Parameters
    ----------
    folder
        Folder of ``study.yaml``, resolved.
    tubes
        Rows of the cleaned samples sheet.
    references
        New text of each strategy by its old one.
    outcome
        Receives the files, under numbered names.
    names
        Pseudonyms and vocabularies.
    """
    for number, path in enumerate(override_files(folder, Findings()), start=1):
        source = path.resolve()
        outcome.read.add(source)
        findings = Findings()
        try:
            with source.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            findings.problem(override_file(path.stem), None, "", "", f"the file cannot be read: {error.strerror}")
            content = b""
        override = None if findings.problems else parse_unscoped(path.stem, content, findings)
        # a key that stands twice or is unknown is a fault, though an override could be made of the rest
        if override is None or findings.problems:
            outcome.set_aside("override", source, StudyError(findings.problems))
            continue
        changes = _remarks(override, source)
        scope = _scope(override, tubes, references, names, changes)
        if scope is None:
            withheld = Change("an override of tubes that the samples sheet does not keep", WITHHELD, FREE_TEXT)
            outcome.reports.append(FileReport(f"override of no tube {number}", "override", source, changes=[withheld]))
            continue
        gates = clean_gates(content, names)
        text = render_yaml({"scope": scope, "author": AUTHOR, "reason": REASON, "time": TIME, **gates})
        coded = {code[0] for code in CODED.finditer(render_yaml(gates))} - {c[0] for c in CODED.finditer(override.text)}
        changes += [Change("names", RENAMED, UNKNOWN_NAME, f"{len(coded)} names")] if coded else []
        outcome.add(override_file(f"override{number}"), "override", source, text, changes)


def _remarks(override: GateOverride, path: Path) -> list[Change]:
    """Say what of the author's words is not taken over."""
    found = [*comments(path)]
    if override.author != AUTHOR:
        found.append(Change("author", REPLACED, IDENTIFIER, shape(override.author)))
    if override.reason != REASON:
        found.append(Change("reason", REPLACED, FREE_TEXT, shape(override.reason)))
    if override.time != TIME:
        found.append(Change("time", WITHHELD, DATE))
    return found


def _scope(
    override: GateOverride,
    tubes: Sequence[KeptTube],
    references: Mapping[str, str],
    names: Names,
    changes: list[Change],
) -> dict[str, Any] | None:
    """Return the scope in new ids, ``None`` where no tube of it is left."""
    template = None if override.template_text is None else references.get(override.template_text)
    if override.template_text is not None and template is None:
        return None
    inside = [tube for tube in tubes if template in (None, tube.strategy)]
    at_end = {} if template is None else {"template": template}
    if override.level == "template":
        return at_end if inside else None
    kind, of = _IDS[override.level]
    there = {of(tube) for tube in inside}
    new = {old: code for old in override.scope if (code := names.coded(kind, old)) in there}
    if not new:
        return None
    changes += [Change("scope", RENAMED, IDENTIFIER, shape(old)) for old, code in new.items() if old != code]
    lost = [old for old in override.scope if old not in new]
    changes += [Change("scope: a tube that the samples sheet does not keep", WITHHELD, FREE_TEXT) for _ in lost]
    if override.level == "tube":
        return {"tubes": list(new.values()), **at_end}
    return {override.level: next(iter(new.values())), **at_end}


#: Kind of pseudonym of each level, as the samples sheet has it, and where it stands in a row.
_IDS: Final[Mapping[str, tuple[str, Callable[[KeptTube], str]]]] = {
    "tube": ("tube", lambda tube: tube.tube_id),
    "subject": ("subject", lambda tube: tube.subject),
    "batch": ("name", lambda tube: tube.batch),
}
