"""The file of gates that were learnt for a kind of tube: data that a person can read and sign."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from il2cyto.autogate.learnt import LearntGate
from il2cyto.errors import OutputError
from il2cyto.provenance import write_text
from il2cyto.study.model import LearntFile

#: Folder of a results folder that holds them, one file a kind of tube.
LEARNT: Final = "learnt"


def learnt_path(out: Path, name: str) -> Path:
    """Return where the gates of a kind of tube stand in a results folder."""
    return out / LEARNT / f"{name}.json"


def write_learnt(path: Path, head: Mapping[str, Any], gates: list[LearntGate]) -> LearntFile:
    """Write learnt gates, one a line.

    Parameters
    ----------
    path
        The file.
    head
        What they were learnt from: ``key``, strategy, tubes with hashes.
    gates
        In the order of the file.
    """
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    rows = ",\n".join(json.dumps(gate.plain(), ensure_ascii=False) for gate in gates)
    text = "{\n" + "\n".join(lines) + f'\n"gates": [\n{rows}\n]\n}}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return LearntFile(path, hashlib.sha256(text.encode()).hexdigest())


def find_learnt(path: Path) -> tuple[LearntFile, dict[str, Any]] | None:
    """Return a file of learnt gates with what stands before them; ``None`` where there is none or it is damaged."""
    try:
        content = path.read_bytes()
        head = json.loads(content)
    except (OSError, ValueError):
        return None
    if not isinstance(head, dict) or "key" not in head:
        return None
    head.pop("gates", None)
    return LearntFile(path, hashlib.sha256(content).hexdigest()), head


@lru_cache(maxsize=64)
def read_learnt(file: LearntFile) -> tuple[LearntGate, ...]:
    """Return the gates of a file.

    Raises
    ------
    OutputError
        If it is not as it was written.
    """
    try:
        content = file.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ValueError
        return tuple(LearntGate.from_plain(gate) for gate in json.loads(content)["gates"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{file.path}: is missing or not as it was written; delete it and run `il2cyto learn` again"
        ) from error
