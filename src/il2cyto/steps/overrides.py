"""Write an override of gates, as an editor or a notebook does, and tell which gates of a study are moved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unicodedata import category
from uuid import uuid4

from il2cyto.errors import Il2CytoError, OutputError, ParameterError, StudyError
from il2cyto.gating.amend import APPLIED
from il2cyto.gating.notation import yaml_text
from il2cyto.gating.strategy import Population
from il2cyto.gating.write import override_lines
from il2cyto.provenance import write_bytes
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.trail import Trail
from il2cyto.study.fields import IDENTIFIER, IDENTIFIER_RULE
from il2cyto.study.findings import Findings
from il2cyto.study.model import GateOverride, Study, TubeRecord
from il2cyto.study.overrides import FOLDER, override_file, parse_override, touches, utc, with_override

if TYPE_CHECKING:
    import pandas as pd

#: Classes of characters that nobody sees, in Unicode's terms.
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Cn")
_SCOPE: Final = ("tubes", "subject", "batch", "template")
#: Columns of ``overrides.csv``.
COLUMNS: Final = (
    "tube_id", "subject", "visit", "tube", "strategy", "population", "override", "level", "status", "author", "time",
    "reason",
)  # fmt: skip


def write_override(
    study: Study,
    *,
    scope: Mapping[str, str | Sequence[str]],
    populations: Iterable[Population],
    author: str,
    reason: str,
    time: datetime | None = None,
    name: str | None = None,
    replace: bool = False,
    results: str | Path | None = None,
) -> Path:
    """Write gates that some tubes of a study have of their own to ``overrides/`` in the study folder.

    Nothing is written unless the file can be read back and fits every tube that it touches; it is there as a whole or
    not at all.

    Parameters
    ----------
    study
        The study, as it was read.
    scope
        One of ``tubes`` (ids), ``subject`` and ``batch``, the latter two with ``template``, the strategy as the study
        writes it; or ``template`` alone for every tube of a strategy.
    populations
        Populations of the strategy with the gates that they shall have.
    author
        Who moves the gates; stands in results.
    reason
        Why; stands in results.
    time
        When, with its zone; now by default.
    name
        Name of the file without ``.yaml``; made from the scope by default.
    replace
        Write in the place of an override of this name.
    results
        Results folder of the study; its audit log tells of the override at once, and otherwise with the next run.

    Returns
    -------
    Path
        The file. Read the study anew to run with it.

    Raises
    ------
    ParameterError
        If author or reason is empty, or the time has no zone.
    StudyError, StrategyError
        If the override touches nothing, is in conflict with another, or does not fit the strategy.
    OutputError
        If the file is there already, or cannot be written.
    """
    author, reason = author.strip(), reason.strip()
    for key, text in (("author", author), ("reason", reason)):
        if not text:
            raise ParameterError(f"{key}: an override says who moved the gates and why; give a text")
        unseen = next((one for one in text if category(one) in _UNSEEN and one not in "\n\t"), None)
        if unseen is not None:
            raise ParameterError(f"{key}: holds an invisible character (U+{ord(unseen):04X}); remove it")
    if name is not None and not IDENTIFIER.fullmatch(name):
        raise ParameterError(f"name {name!r}: {IDENTIFIER_RULE}")
    time = datetime.now(UTC) if time is None else time
    if time.tzinfo is None:
        raise ParameterError(f"time {time.isoformat()}: give it with its zone, as datetime.now(UTC) does")
    content = _content(study, scope, populations, author, reason, time)
    folder = study.folder / FOLDER
    stem = name or _free(folder, _stem(scope))
    findings = Findings()
    override = parse_override(stem, content, study.records, findings)
    if override is None or findings.problems:
        raise StudyError(findings.problems)
    _check_fit(study, override)
    before = next((one.sha256 for one in study.overrides if one.name == stem), None) if name and replace else None
    path = _place(folder, stem, content, replace=replace and name is not None)
    if results is not None:
        Trail(results).moved(path.stem, before, override)
    return path


def _content(
    study: Study,
    scope: Mapping[str, str | Sequence[str]],
    populations: Iterable[Population],
    author: str,
    reason: str,
    time: datetime,
) -> bytes:
    unknown = [key for key in scope if key not in _SCOPE]
    if unknown or not scope:
        raise ParameterError(f"scope: wants one of {', '.join(_SCOPE)}, got {', '.join(unknown) or 'nothing'}")
    told = []
    for key, value in scope.items():
        if key == "tubes":
            ids = [value] if isinstance(value, str) else list(value)
            told.append(f"  tubes: [{', '.join(map(yaml_text, ids))}]")
        elif isinstance(value, str):
            told.append(f"  {key}: {yaml_text(value)}")
        else:
            raise ParameterError(f"scope: {key} is one text, got {value!r}")
    strategy = strategy_for(_any_tube(study, scope)).strategy
    lines = [
        "scope:",
        *told,
        f"author: {yaml_text(author)}",
        f"reason: {yaml_text(reason)}",
        f"time: {yaml_text(utc(time))}",
        *override_lines(strategy, populations),
    ]
    return ("\n".join(lines) + "\n").encode()


def _any_tube(study: Study, scope: Mapping[str, str | Sequence[str]]) -> TubeRecord:
    """Return the first tube that a scope could mean, whose strategy tells what the populations are."""
    tubes = scope.get("tubes", ())
    wanted = {tubes} if isinstance(tubes, str) else set(tubes)
    columns = [(key, scope[key]) for key in ("subject", "batch") if key in scope]
    for record in study.records:
        fits = all(getattr(record, key) == value for key, value in columns)
        if (
            fits
            and (not wanted or record.tube_id in wanted)
            and scope.get("template", record.strategy.text) == record.strategy.text
        ):
            return record
    said = ", ".join(f"{key} {value if isinstance(value, str) else ' '.join(value)}" for key, value in scope.items())
    raise ParameterError(f"scope: the samples sheet has no tube of {said}")


def _stem(scope: Mapping[str, str | Sequence[str]]) -> str:
    key = next(key for key in _SCOPE if key in scope)
    value = scope[key]
    first = value if isinstance(value, str) else value[0] if value else ""
    word = re.sub(r"[^A-Za-z0-9._+-]+", "-", first.rpartition(":")[2]).strip("-.")
    return f"{'tube' if key == 'tubes' else key}-{word}"[:90].strip("-")


def _check_fit(study: Study, override: GateOverride) -> None:
    for record in study.records:
        if touches(override, record):
            strategy_for(with_override(record, override))


def _free(folder: Path, stem: str) -> str:
    """Return a name that no file has yet: the stem with the next number."""
    number = 1
    while (folder / f"{stem}-{number}.yaml").exists():
        number += 1
    return f"{stem}-{number}"


def _place(folder: Path, stem: str, content: bytes, *, replace: bool) -> Path:
    """Put a file in its place as a whole."""
    target = folder / f"{stem}.yaml"
    try:
        if replace:
            write_bytes(target, content)
            return target
        whole = folder / f".{uuid4().hex}.yaml"
        write_bytes(whole, content)
        try:
            # unlike a rename, a link never takes the place of a file that another has just written
            os.link(whole, target)
        finally:
            whole.unlink()
    except FileExistsError:
        raise OutputError(f"{override_file(stem)}: is there already; choose another name") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({error.strerror})") from error
    return target


def override_table(study: Study) -> pd.DataFrame:
    """Return ``overrides.csv``: one row per tube and gate that an override of the study moves, or would move.

    `status` says whether the gate of the override holds in this tube; where it does not, what holds instead. A tube
    whose strategy or overrides cannot be read has no rows: it stands in ``failures.csv``.
    """
    import pandas as pd

    rows = []
    for record in study.records:
        if not record.overrides:
            continue
        try:
            gates = strategy_for(record)
        except Il2CytoError:
            continue
        for one in gates.moved:
            override = one.override
            rows.append(
                (
                    record.tube_id, record.subject, record.visit, record.tube, gates.strategy.id, one.population,
                    override.name, override.level, one.status, override.author, override.time, override.reason,
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def moved_gates(study: Study) -> list[str]:
    """Return a line for each override of a study: its gates, how many tubes they hold in, and who moved them why."""
    table = override_table(study)
    found = []
    for override in study.overrides:
        own = table[table["override"] == override.name]
        holds = own[own["status"] == APPLIED]["tube_id"].nunique()
        touched = own["tube_id"].nunique()
        names = ", ".join(dict.fromkeys(own["population"])) or ", ".join(override.populations)
        where = f"{override.level} {' '.join(override.scope)}".strip()
        count = f"{holds} tube{'' if holds == 1 else 's'}" + ("" if holds == touched else f" of {touched}")
        by = f"by {override.author}, {override.time}: {override.reason}"
        found.append(f"{override_file(override.name)}: {names} ({where}) in {count}, {by}")
    return found
