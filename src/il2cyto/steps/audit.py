"""Check the audit log of a results folder, and tell what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from il2cyto.errors import OutputError, ParameterError
from il2cyto.provenance import hash_content, hash_file
from il2cyto.provenance.audit import AUDIT, read_log
from il2cyto.provenance.chain import ChainError, Entry, walk
from il2cyto.steps.history import History
from il2cyto.steps.outputs import OUTCOMES
from il2cyto.steps.trail import HEAD, manifest_head, tube_facts

#: The log of runs, which tells the head of each finished one.
JOURNAL: Final = "il2cyto.log"
_TOLD_HEAD = re.compile(rb"audit log: [0-9]+ entries, head ([0-9a-f]{64})")


@dataclass(frozen=True)
class Verdict:
    """What a check of an audit log found.

    Attributes
    ----------
    entries
        Whole entries, up to the first line that is broken.
    head
        Hash of the last of them.
    seal
        Head that the last finished run gave to ``manifest.json``.
    torn
        Torn lines that the log itself tells of.
    line
        Number of the first broken line, or ``None``.
    problems
        What is wrong, the first broken line first; empty if the log is whole.
    notes
        What should be known and breaks nothing.
    """

    entries: int
    head: str
    seal: str
    torn: int
    line: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify_results(out: str | Path, head: str | None = None) -> Verdict:
    """Check an audit log against itself, ``il2cyto.log``, ``manifest.json``, the results, and a head kept elsewhere.

    Parameters
    ----------
    out
        Results folder.
    head
        A head that this function, or a run, gave at some time: a line of that hash must be there.

    Raises
    ------
    OutputError
        If the folder holds no results, or the log cannot be read.
    """
    out = Path(out)
    path = out / AUDIT
    if not path.exists() and not (out / "manifest.json").exists():
        raise OutputError(f"{out}: holds no results of il2cyto; name the folder that `il2cyto run --out` wrote to")
    history, hashes = History(), set()
    problems, notes = [], []
    line = None
    try:
        for entry in walk(read_log(path)):
            history.tell(entry)
            hashes.add(entry.hash)
    except ChainError as error:
        line = error.line
        torn = ". If a run was killed here, the next run tells of it and goes on" if error.tail else ""
        problems.append(f"line {error.line}: {error.message}{torn}")
    if history.broken_seal:
        line = history.broken_seal if line is None else min(line, history.broken_seal)
        problems.append(f"line {history.broken_seal}: the head of this run does not follow from the runs before it")
    if head is not None:
        problems += _against_head(head.strip().lower(), history, hashes)
    if line is None:
        found, noted = _against_results(out, history, head)
        problems += [*found, *_against_journal(out, hashes)]
        notes += noted
    if not history.finished and not problems:
        notes.append("the last run has not finished; what it added is covered by a head from `audit verify` alone")
    return Verdict(
        history.entries, history.head, history.seal, history.torn, line, tuple(problems), tuple(notes)
    )  # fmt: skip


def _against_head(head: str, history: History, hashes: set[str]) -> list[str]:
    if head in hashes or head in history.seals:
        return []
    return [f"no line has the head {head}: the end of the log was cut, or it was written anew"]


def _against_journal(out: Path, hashes: set[str]) -> list[str]:
    """Compare with the heads that the log of runs tells; without that log there is nothing to compare."""
    try:
        with (out / JOURNAL).open("rb") as stream:
            told = {match[1].decode() for line in stream if (match := _TOLD_HEAD.search(line))}
    except OSError:
        return []
    gone = sorted(told - hashes)
    return [f"{JOURNAL} tells the head {gone[0]}, which no line has: the log was cut or written anew"] if gone else []


def _against_results(out: Path, history: History, head: str | None) -> tuple[list[str], list[str]]:
    named = manifest_head(out)
    if named is None:
        if not history.seal:
            return [], ["no run has finished yet, so manifest.json names no head that could show a cut"]
        said = "manifest.json is missing or names no head, so it cannot show whether the end of the log was cut"
        return ([], [said]) if head is not None else ([f"{said}; run again, or give --head"], [])
    if named not in history.seals:
        return [f"manifest.json names the head {named}, which no line has: the end of the log was cut"], []
    if named != history.seal:
        return [], ["manifest.json is that of an earlier run: a later one was stopped before it wrote it; run again"]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    if hash_content({key: value for key, value in manifest.items() if key != HEAD}) != history.sealed:
        return ["manifest.json is not as the run wrote it: it was edited"], []
    return (_changed_results(out, history, manifest), []) if history.finished else ([], [])


def _changed_results(out: Path, history: History, manifest: Mapping[str, Any]) -> list[str]:
    found = []
    for name, sha256 in sorted(manifest.get("outputs", {}).items()):
        # a name in a file that somebody may have edited leads nowhere but here
        path = out.joinpath(*_below(name))
        try:
            same = hash_file(path) == sha256
        except OSError:
            same = False
        if not same:
            found.append(f"{'/'.join(_below(name))} is not as the run wrote it")
    for tube_id, facts in history.tubes.items():
        there = tube_facts(out, tube_id)
        if there is None or there["result"] != facts["result"]:
            found.append(
                f"the result of tube {tube_id} is not as the log has it: it was edited, or a run was killed before it "
                "could tell; run again, and the log says which"
            )
    return found


def _below(name: str) -> tuple[str, ...]:
    """Parts of the name of a result; a name that would lead elsewhere keeps its last part."""
    parts = tuple(name.split("/"))
    return parts if len(parts) == 2 and parts[0] == OUTCOMES and parts[1] == Path(parts[1]).name else (Path(name).name,)


def read_entries(out: str | Path) -> Iterator[Entry]:
    """Yield the entries of the audit log of a results folder.

    Raises
    ------
    OutputError
        If there is no log, or it is broken; entries before the broken line have been yielded then.
    """
    path = Path(out) / AUDIT
    if not path.exists():
        raise OutputError(f"{path}: there is no audit log; name the folder that `il2cyto run --out` wrote to")
    try:
        yield from walk(read_log(path))
    except ChainError as error:
        raise OutputError(f"{path}, {error}") from error


def log_head(out: str | Path) -> str:
    """Return the hash of the last entry of the audit log of a results folder, to be kept elsewhere.

    Raises
    ------
    OutputError
        As `read_entries`.
    """
    head = ""
    for entry in read_entries(out):
        head = entry.hash
    return head


def parse_since(text: str) -> str:
    """Return a date, or a time with its zone, as entries write times.

    Raises
    ------
    ParameterError
        If it is neither.

    Examples
    --------
    >>> parse_since("2026-03-02"), parse_since("2026-03-02T14:05+08:00")
    ('2026-03-02T00:00:00.000Z', '2026-03-02T06:05:00.000Z')
    """
    try:
        if len(text) == 10:
            time = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        else:
            time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ParameterError(
            f"--since {text!r}: write a date, 2026-03-02, or a time with its zone, 2026-03-02T14:05+08:00"
        )
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def concerns(entry: Entry, tube_id: str) -> bool:
    """Whether an entry is about a tube: its result, its row in the samples sheet, or an override that names it."""
    fields = entry.fields
    if fields.get("tube_id") == tube_id or (fields.get("level") == "tube" and tube_id in fields.get("scope", ())):
        return True
    return fields.get("input") == "samples" and any(one["row"] == tube_id for one in fields.get("changes", ()))


def describe(entry: Entry, tube_id: str | None = None) -> list[str]:
    """Return what an entry says as lines for a person: the entry, then one line for each cell that changed."""
    fields = entry.fields
    what = str(fields["what"])
    about = " ".join(str(fields[key]) for key in ("input", "override", "tube", "tube_id") if key in fields)
    parts = [what, *([about] if about else []), *_detail(fields)]
    lines = [f"{fields['n']:>6}  {fields['time']}  {fields['user']}  {'  '.join(parts)}"]
    for change in fields.get("changes", ()):
        if tube_id is None or change["row"] == tube_id:
            lines.append(f"{'':>8}{_change(change)}")
    if fields.get("withheld_cells"):
        lines.append(f"{'':>8}cells that results do not tell (names of files, comments, dates of birth …) have changed")
    return [_plain(line) for line in lines]


def _detail(fields: Mapping[str, Any]) -> list[str]:
    found = []
    if "il2cyto" in fields:
        found.append(f"study {fields['study']}, il2cyto {fields['il2cyto']}, {fields['tubes']} tubes")
    if "manifest_sha256" in fields:
        found.append(f"{fields['gated']} tubes gated, {fields['failed']} failed")
    if "level" in fields:
        scope = " ".join(fields["scope"])
        found.append(f"{', '.join(fields['populations'])} of {fields['level']} {scope}".rstrip())
        found.append(f"by {fields['author']}, {fields['moved']}")
    if "because" in fields:
        found.append(f"because of: {', '.join(fields['because'])}")
    for key in ("before", "after"):
        value = fields.get(key)
        if value is not None:
            found.append(f"{key} {_short(value)}")
    if "torn_bytes" in fields:
        found.append(f"{fields['torn_bytes']} bytes, sha256 {fields['torn_sha256'][:12]}")
    if fields.get("reason"):
        found.append(f"reason: {fields['reason']}")
    return found


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        hashes = [(name, value.get(name)) for name in ("result", "sha256", "fcs") if value.get(name)]
        return " ".join(f"{name} {str(digest)[:12]}" for name, digest in hashes)
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _change(change: Mapping[str, Any]) -> str:
    for kind in ("added", "removed"):
        if kind in change:
            cells = ", ".join(f"{name} {value}" for name, value in change[kind].items())
            return f"{change['row']}: row {kind}: {cells}"
    before, after = (str(change[key]) if change[key] is not None else "(blank)" for key in ("before", "after"))
    return f"{change['row']}, {change['column']}: {before} → {after}"


def _plain(text: str) -> str:
    """Nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else "�" for character in text)
