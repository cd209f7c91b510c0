"""Gates of some tubes that differ from those of their template: ``overrides/*.yaml`` beside ``study.yaml``.

A file says whose gates it moves (its scope), who moved them, when and why, and the gates. What the gates mean is read
where strategies are known, in `il2cyto.gating.amend`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from il2cyto.provenance import hash_content
from il2cyto.study import positions
from il2cyto.study.fields import IDENTIFIER, IDENTIFIER_RULE, FieldReader
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.model import GateOverride, TubeRecord
from il2cyto.study.positions import MAX_BYTES, Node, Scalar, read_tree

#: The folder beside ``study.yaml``.
FOLDER: Final = "overrides"
#: From wide to narrow: of two overrides of one gate the narrower holds.
LEVELS: Final = ("template", "batch", "subject", "tube")
_KEYS = ("scope", "author", "reason", "time", "populations")
_OPTIONAL = ("compensation",)
_SCOPE = ("tubes", "subject", "batch", "template")
#: More files than this are a mistake, and reading them would take minutes.
_MAX_FILES = 10_000


@dataclass(frozen=True)
class _Read:
    """An override with the lines of its parts, for messages."""

    override: GateOverride
    file: str
    entries: tuple[tuple[str, str, int], ...]


def override_file(name: str) -> str:
    """Return the name of an override's file, relative to the study folder."""
    return f"{FOLDER}/{name}.yaml"


def read_overrides(
    folder: Path, records: Sequence[TubeRecord], findings: Findings
) -> tuple[tuple[GateOverride, ...], tuple[TubeRecord, ...]]:
    """Read every override of a study and give each tube those that touch it, from wide to narrow.

    Parameters
    ----------
    folder
        Folder of ``study.yaml``.
    records
        Rows of the samples sheet.
    findings
        Receives every problem: unknown tubes, subjects, batches and templates, a missing reason, author or time, and
        two overrides of one level that move the same gate of the same tube.
    """
    found = [one for path in override_files(folder, findings) if (one := _read(path, findings)) is not None]
    read = [replace(one, override=scoped) for one in found if (scoped := _scoped(one, records, findings)) is not None]
    touched = {record.tube_id: [one for one in read if touches(one.override, record)] for record in records}
    _check_conflicts(records, touched, findings)
    own = {tube: _from_wide_to_narrow(one.override for one in several) for tube, several in touched.items()}
    return tuple(one.override for one in read), tuple(replace(one, overrides=own[one.tube_id]) for one in records)


def touches(override: GateOverride, record: TubeRecord) -> bool:
    """Whether a tube lies in the scope of an override."""
    if override.template is not None and record.strategy.path != override.template:
        return False
    inside = {"template": True, "batch": record.batch in override.scope, "subject": record.subject in override.scope}
    return inside.get(override.level, record.tube_id in override.scope)


def override_files(folder: Path, findings: Findings) -> list[Path]:
    """Return the files of ``overrides/`` in a study folder, by name; anything else in there goes to `findings`."""
    try:
        paths = sorted((folder / FOLDER).iterdir()) if (folder / FOLDER).is_dir() else []
    except OSError as error:
        findings.problem(FOLDER, None, "", "", f"the folder cannot be read: {error.strerror}")
        return []
    chosen = []
    for path in paths:
        if path.name.startswith(".") or path.name.casefold() == "readme.md":
            continue
        if path.suffix != ".yaml" or not IDENTIFIER.fullmatch(path.stem):
            message = f"an override is a file NAME.yaml; in its name {IDENTIFIER_RULE}. Rename it or move it away"
            findings.problem(FOLDER, None, "", path.name, message)
        elif not path.resolve().is_relative_to(folder) or not path.is_file():
            findings.problem(FOLDER, None, "", path.name, "this is no file below the study folder; put a copy there")
        else:
            chosen.append(path)
    if len(chosen) > _MAX_FILES:
        findings.problem(FOLDER, None, "", "", f"more than {_MAX_FILES:,} files; list tubes of one gate in one file")
        return []
    return chosen


def _read(path: Path, findings: Findings) -> _Read | None:
    file = override_file(path.stem)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        findings.problem(file, None, "", "", f"the file cannot be read: {error.strerror}")
        return None
    return _parse(path.stem, content, findings)


def parse_override(name: str, content: bytes, records: Sequence[TubeRecord], findings: Findings) -> GateOverride | None:
    """Return the override that a file holds, or ``None`` after its faults went to `findings`.

    Parameters
    ----------
    name
        Name of the file, without ``.yaml``.
    content
        Its bytes.
    records
        Rows of the samples sheet.
    findings
        Receives every problem.
    """
    read = _parse(name, content, findings)
    return None if read is None else _scoped(read, records, findings)


def parse_unscoped(name: str, content: bytes, findings: Findings) -> GateOverride | None:
    """Return the override that a file holds as it stands, not held against a samples sheet; see `parse_override`."""
    read = _parse(name, content, findings)
    return None if read is None else read.override


def with_override(record: TubeRecord, override: GateOverride) -> TubeRecord:
    """Return a tube with one more override, or with another in the place of one of the same name."""
    others = [one for one in record.overrides if one.name != override.name]
    own = [*others, *([override] if touches(override, record) else [])]
    return replace(record, overrides=_from_wide_to_narrow(own))


def _from_wide_to_narrow(overrides: Iterable[GateOverride]) -> tuple[GateOverride, ...]:
    return tuple(sorted(overrides, key=lambda override: (LEVELS.index(override.level), override.name)))


def _parse(name: str, content: bytes, findings: Findings) -> _Read | None:
    file = override_file(name)
    before = len(findings.problems)
    tree = read_tree(content, file, findings)
    if tree is None:
        if len(findings.problems) == before:
            findings.problem(file, None, "", "", "the file is empty; remove it or write the override")
        return None
    reader = FieldReader(file, findings)
    top = reader.section(tree, "", _KEYS, _OPTIONAL)
    entries = _entries(reader, top["populations"]) if "populations" in top else ()
    author = reader.text(top["author"], "author") if "author" in top else None
    reason = reader.text(top["reason"], "reason") if "reason" in top else None
    time = _time(reader, top["time"]) if "time" in top else None
    scope = _scope(reader, top["scope"]) if "scope" in top else None
    if scope is None or author is None or reason is None or time is None or not entries:
        return None
    level, ids, template = scope
    rest = {key: _plain(node) for key, node in top.items() if key != "scope"}
    override = GateOverride(
        name=name,
        level=level,
        scope=ids,
        template=None,
        template_text=template,
        populations=tuple(name for name, _, _ in entries),
        author=author,
        reason=reason,
        time=time,
        text=content.decode("utf-8-sig"),
        sha256=hashlib.sha256(content).hexdigest(),
        content_hash=hash_content({"level": level, **rest}),
    )
    return _Read(override, file, entries)


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text.strip()
    if isinstance(node, positions.Sequence):
        return [_plain(item) for item in node.items]
    return {key: _plain(value) for key, value in node.entries.items()}


def _time(reader: FieldReader, node: Node) -> str | None:
    """Return a time in UTC, ``2026-03-02T06:05:00Z``."""
    text = reader.text(node, "time")
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or "T" not in text:
        reader.problem(node, "time", "write date, time and offset from UTC, for example 2026-03-02T14:05+08:00")
        return None
    return utc(time)


def utc(time: datetime) -> str:
    """Return a time that knows its zone as ``2026-03-02T06:05:00Z``."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _entries(reader: FieldReader, node: Node) -> tuple[tuple[str, str, int], ...]:
    """Return name, parent as written and line of each population."""
    if not isinstance(node, positions.Sequence) or not node.items:
        reader.problem(node, "populations", "list the populations whose gates differ, each with name and gate")
        return ()
    found: list[tuple[str, str, int]] = []
    for number, item in enumerate(node.items, start=1):
        where = f"populations.{number}"
        optional = ("parent", "definition", "role", "complement", "view")
        given = reader.section(item, where, ("name", "gate"), optional)
        name = reader.text(given["name"], f"{where}.name") if "name" in given else None
        parent = reader.text(given["parent"], f"{where}.parent") if "parent" in given else ""
        if name is None or parent is None or "gate" not in given:
            continue
        if any(other[:2] == (name, parent) for other in found):
            reader.problem(item, f"{where}.name", f"{name} stands twice in this file; keep one of them")
        found.append((name, parent, item.line))
    return tuple(found) if len(found) == len(node.items) else ()


def _scope(reader: FieldReader, node: Node) -> tuple[str, tuple[str, ...], str | None] | None:
    """Return level, ids and template as written."""
    given = reader.section(node, "scope", (), _SCOPE)
    chosen = [key for key in ("tubes", "subject", "batch") if key in given]
    if len(chosen) > 1 or not given:
        message = "give one of tubes, subject, batch; or template alone, for every tube of a strategy"
        reader.problem(node, "scope", message)
        return None
    template = reader.text(given["template"], "scope.template") if "template" in given else None
    if "template" in given and template is None:
        return None
    if not chosen:
        return "template", (), template
    if chosen == ["tubes"]:
        ids = reader.items(given["tubes"], "scope.tubes", reader.text)
        if not ids:
            return None
        return "tube", ids, template
    one = reader.text(given[chosen[0]], f"scope.{chosen[0]}")
    if one is not None and template is None:
        message = f"tubes of a {chosen[0]} have several strategies: add template, as study.yaml writes the strategy"
        reader.problem(node, "scope", message)
        return None
    return None if one is None else (chosen[0], (one,), template)


def _scoped(read: _Read, records: Sequence[TubeRecord], findings: Findings) -> GateOverride | None:
    """Check a scope against the samples sheet and find the template that is meant."""
    override = read.override
    templates = {record.strategy.text: record.strategy.path for record in records if record.strategy.text}

    def problem(where: str, value: str, message: str) -> None:
        line = _line_of(read, where, value)
        findings.problem(read.file, line, f"scope.{where}", value, message)

    written = override.template_text
    if written is not None and written not in templates:
        close = hint(written, list(templates)) or f"; there are: {one_of(list(templates))}"
        problem("template", written, f"no tube has this strategy{close}")
        return None
    template = templates[written] if written is not None else None
    of = {"tube": "tube_id", "subject": "subject", "batch": "batch"}
    if override.level in of:
        column = of[override.level]
        known = list(dict.fromkeys(str(value) for record in records if (value := getattr(record, column)) is not None))
        key = "tubes" if override.level == "tube" else override.level
        for one in override.scope:
            if one not in known:
                if override.level == "batch" and not known:
                    problem(key, one, "the samples sheet gives no tube a batch; add the column batch")
                else:
                    problem(key, one, f"the samples sheet has no such {override.level}{hint(one, known)}")
                return None
    scoped = replace(override, template=template)
    if override.level == "tube":
        by_id = {record.tube_id: record for record in records}
        own = [by_id[tube] for tube in override.scope]
        other = next((r for r in own if r.strategy.path != (template or own[0].strategy.path)), None)
        if other is not None:
            message = f"its strategy is {other.strategy.text}; an override moves the gates of one strategy"
            problem("tubes", other.tube_id, message)
            return None
        return scoped
    if not any(touches(scoped, record) for record in records):
        problem(override.level, " ".join(override.scope), f"none of its tubes has the strategy {written}")
        return None
    return scoped


def _line_of(read: _Read, key: str, value: str) -> int | None:
    """Line of a part of the scope: the value itself where it stands, else its key."""
    tree = read_tree(read.override.text.encode(), read.file, Findings())
    scope = tree.entries.get("scope") if isinstance(tree, positions.Mapping) else None
    if not isinstance(scope, positions.Mapping) or key not in scope.entries:
        return scope.line if scope is not None else None
    node = scope.entries[key]
    items = node.items if isinstance(node, positions.Sequence) else [node]
    return next((i.line for i in items if isinstance(i, Scalar) and i.text.strip() == value), scope.lines[key])


def _check_conflicts(records: Iterable[TubeRecord], touched: Mapping[str, Sequence[_Read]], findings: Findings) -> None:
    told: set[tuple[str, str, str]] = set()
    for record in records:
        first: dict[tuple[str, str, str], _Read] = {}
        for one in touched[record.tube_id]:
            for name, parent, line in one.entries:
                other = first.setdefault((one.override.level, name, parent), one)
                if other is one or (other.file, one.file, name) in told:
                    continue
                told.add((other.file, one.file, name))
                message = (
                    f"{other.file} moves this gate of tube {record.tube_id} too, for a {one.override.level} as well; "
                    "keep one of them"
                )
                findings.problem(one.file, line, "populations", name, message)
