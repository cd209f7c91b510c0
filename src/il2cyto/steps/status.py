"""What is done, stale, failed or missing in a results folder; reads, and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from il2cyto.errors import Il2CytoError
from il2cyto.provenance import hash_file
from il2cyto.provenance.lock import Holder
from il2cyto.steps.folder import lock_holder, results_format, sources_path
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.key import RESULT_FORMAT, code_sha256, differences, key_parts
from il2cyto.steps.learn import with_learnt
from il2cyto.steps.outputs import MANIFEST
from il2cyto.steps.results import Found, folder_of, read_folder
from il2cyto.steps.sources import FileHash, SourceMemory
from il2cyto.steps.tube import failed_parts
from il2cyto.study.model import Study, TubeRecord

DONE, STALE, FAILED, MISSING = "done", "stale", "failed", "missing"
STATES = (DONE, STALE, FAILED, MISSING)


@dataclass(frozen=True)
class TubeState:
    """Where one tube stands: one of `STATES`, and why it is not done; `why` holds no name of a file."""

    tube_id: str
    state: str
    why: str = ""


@dataclass(frozen=True)
class StudyState:
    """Where a study stands.

    Attributes
    ----------
    tubes
        In the order of the samples sheet.
    tables
        Why the tables and the report are not those of these tubes; empty where they are.
    left_over
        Tubes with files in the folder that the samples sheet no longer has; the next run removes them.
    holder
        Who works in the folder now, or ``None``.
    """

    tubes: tuple[TubeState, ...]
    tables: str
    left_over: tuple[str, ...]
    holder: Holder | None

    @property
    def summary(self) -> dict[str, int]:
        """How many tubes are in each state."""
        return {state: sum(tube.state == state for tube in self.tubes) for state in STATES}

    @property
    def exit_code(self) -> int:
        """0 if every tube is done and the tables are theirs, else 1."""
        return 0 if self.summary[DONE] == len(self.tubes) and not self.tables else 1


def study_state(study: Study, out: str | Path, *, verify: bool = False) -> StudyState:
    """Compare what stands in a results folder with what a run would make now.

    Parameters
    ----------
    study
        The study.
    out
        Results folder; it need not exist.
    verify
        Hash every FCS file, every picture and every table, instead of asking the file system whether they are the same.
    """
    out = Path(out)
    study = with_learnt(study, out)
    memory = SourceMemory.read(sources_path(out))
    tubes, keys = [], {}
    for record in study.records:
        file = FileHash(record.fcs, None if verify else memory.recall(record.tube_id, record.fcs))
        found = read_folder(folder_of(out, record.tube_id), pictures=verify)
        tubes.append(_tube(record, found, file.sha256))
        if found.result is not None:
            keys[record.tube_id] = found.result.get("key")
    known = {record.tube_id for record in study.records}
    folders = sorted(path.name for path in (out / "tubes").iterdir()) if (out / "tubes").is_dir() else []
    left_over = tuple(name for name in folders if name not in known and not name.startswith("."))
    return StudyState(tuple(tubes), _tables(study, out, keys, verify), left_over, lock_holder(out))


def _tube(record: TubeRecord, found: Found, sha256: str) -> TubeState:
    tube_id = record.tube_id
    if found.result is not None and found.result.get("format") != RESULT_FORMAT:
        return TubeState(tube_id, STALE, f"result format {found.result.get('format')} → {RESULT_FORMAT}")
    wrong = ""
    try:
        parts = key_parts(record, strategy_for(record), sha256)
    except Il2CytoError as error:
        # the message of an error on the screen may name files; here it may not
        wrong = f"strategy or panel cannot be read: {error.public or type(error).__name__}"
        parts = failed_parts(record, sha256)
    if found.result is not None:
        changed = differences(found.result["parts"], parts)
        if not sha256:
            changed = ("file cannot be read", *(name for name in changed if name != "file"))
        if wrong:
            changed = (wrong,)
        if not changed and not found.damaged:
            return TubeState(tube_id, DONE)
        if found.error is None:
            return TubeState(tube_id, STALE, ", ".join(changed) or "result damaged or edited")
    if found.error is not None:
        changed = differences(found.error["parts"], parts)
        told = f"{found.error['kind']}: {found.error['message']}"
        return (
            TubeState(tube_id, STALE, f"{', '.join(changed)} (it had failed)")
            if changed
            else TubeState(tube_id, FAILED, told)
        )
    if found.damaged:
        return TubeState(tube_id, STALE, "result damaged or edited")
    return TubeState(
        tube_id, MISSING, wrong or ("not gated yet" if sha256 else "not gated yet, and no FCS file is there")
    )


def _tables(study: Study, out: Path, keys: Mapping[str, Any], verify: bool) -> str:
    found = results_format(out)
    if found is not None and found != RESULT_FORMAT:
        return f"written in format {found or 'before 2'}, and this il2cyto writes {RESULT_FORMAT}: choose another --out"
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        tubes, inputs, outputs = manifest["tubes"], manifest["inputs"], manifest["outputs"]
        made = {tube_id: tube["key"] for tube_id, tube in tubes.items() if "key" in tube}
        code = manifest["code"]
    except FileNotFoundError:
        return "not written yet, or not to the end"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{MANIFEST} is damaged"
    changed = [role for role in sorted({*inputs, *study.sha256}) if inputs.get(role) != study.sha256.get(role)]
    if changed:
        return f"made before a change of: {', '.join(changed)}"
    if code != code_sha256():
        return "made by other code of il2cyto"
    if made != {tube_id: key for tube_id, key in keys.items() if tube_id in tubes} or set(made) != set(keys):
        return "made from earlier results of tubes"
    for name, sha256 in outputs.items():
        path = out / name
        if not path.is_file():
            return f"{name} is missing"
        if verify and hash_file(path) != sha256:
            return f"{name} was changed"
    return ""
