"""Everything that can change the result of a tube, and what of it has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import il2cyto
from il2cyto.provenance import hash_content
from il2cyto.steps.gates import TubeGates, load_strategies
from il2cyto.steps.pictures import BINS, MAX_EVENTS
from il2cyto.study.model import TubeRecord

#: Raised when the content of ``result.json``, ``error.json`` or ``plots.json`` changes.
RESULT_FORMAT: Final = 6
#: Libraries whose arithmetic makes the numbers of a tube.
LIBRARIES: Final = ("numpy", "numba", "llvmlite")
#: Sources that make the numbers and pictures of a tube; the rest of the package works on finished tubes.
_SOURCES: Final = (
    "kernels", "fcs", "gates", "gating", "autogate", "normalise", "quality", "transforms", "exchange", "sample.py",
    "panel", "compensation.py", "counts/roles.py", "counts/slices.py", "counts/tree.py", "deident/vocabulary.py",
    "provenance/hashing.py",
    "report/density.py", "report/plotdata.py", "steps/content.py", "steps/counted.py", "steps/gates.py",
    "steps/gatestatus.py", "steps/instrument.py", "steps/key.py", "steps/learn.py", "steps/normalised.py",
    "steps/pictures.py", "steps/public.py", "steps/quality.py", "steps/tube.py", "study/checks.py", "study/defaults",
)  # fmt: skip
#: What the parts of a key are called where people read them.
NAMES: Final = {
    "file": "file", "strategy": "strategy", "learnt": "learnt gates", "normalised": "normalisation",
    "override": "override", "matrix": "matrix", "panel": "panel", "display": "axes, notes or optional markers",
    "options": "options", "format": "result format", "il2cyto": "il2cyto version", "code": "code of il2cyto",
    "libraries": "libraries",
}  # fmt: skip


def key_parts(record: TubeRecord, gates: TubeGates, fcs_sha256: str) -> dict[str, Any]:
    """Return all that decides the result of a tube, by name (those of `NAMES`), as plain data.

    ``strategy`` is the hash of the template; ``learnt`` that of gates that were learnt from other tubes, ``None`` where
    none were (what a tube learns from itself follows from its file); ``normalised`` that of the curves of its batches,
    ``None`` where it is not normalised; ``override`` tells of gates of this file in the
    strategy's folder and of overrides of the study that touch the tube, ``None`` where there are none. ``code`` is the
    hash of the sources that compute a tube, so that a changed checkout of one version is noticed too.
    """
    strategies, _ = load_strategies(record.strategy.path, record.panel, record.tube)
    template, strategy = strategies.default or gates.strategy, gates.strategy
    drawn = gates.drawn
    panel = gates.panel or strategy.panel
    own = drawn.content_hash != template.content_hash or gates.overrides
    return {
        "file": fcs_sha256,
        "strategy": template.content_hash,
        "learnt": hash_content([gate.plain() for gate in gates.learnt]) if gates.learnt else None,
        "normalised": record.normalised.sha256 if record.normalised is not None else None,
        "override": hash_content([drawn.content_hash, *gates.overrides]) if own else None,
        "matrix": {name: matrix.content_hash for name, matrix in sorted(strategy.matrices.items())},
        "panel": panel.content_hash if panel is not None else None,
        "display": hash_content(
            {"axes": dict(strategy.axes), "notes": list(strategy.notes), "optional": list(strategy.optional)}
        ),
        **environment(record),
    }


def environment(record: TubeRecord) -> dict[str, Any]:
    """Return the parts of a key that gates and file do not tell."""
    return {
        "options": {
            "picture_bins": BINS,
            "picture_events": MAX_EVENTS,
            "beads": record.count.beads,
            "remove": list(record.remove),
        },
        "format": RESULT_FORMAT,
        "il2cyto": il2cyto.__version__,
        "code": code_sha256(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def result_key(parts: Mapping[str, Any]) -> str:
    """Return the hash of the parts of a key."""
    return hash_content(dict(parts))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which parts of a key have changed; numbers of versions are told, hashes are not.

    Examples
    --------
    >>> differences({"file": "a", "il2cyto": "0.1.0", "panel": None}, {"file": "b", "il2cyto": "0.2.0", "panel": None})
    ('file', 'il2cyto version 0.1.0 → 0.2.0')
    """
    return tuple(_told(name, old.get(name), new.get(name)) for name in NAMES if old.get(name) != new.get(name))


def _told(name: str, old: Any, new: Any) -> str:
    if name in ("format", "il2cyto"):
        return f"{NAMES[name]} {old} → {new}"
    if name == "libraries" and isinstance(old, Mapping) and isinstance(new, Mapping):
        changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
        return f"libraries ({', '.join(f'{key} {old.get(key)} → {new.get(key)}' for key in changed)})"
    if name in ("override", "learnt", "normalised"):
        what = NAMES[name]
        return f"{what} added" if old is None else f"{what} removed" if new is None else what
    return NAMES[name]


@cache
def code_sha256() -> str:
    """Return the SHA-256 of the sources that make the numbers and pictures of a tube."""
    root = Path(il2cyto.__file__).parent
    digest = hashlib.sha256()
    for path in _files(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _SOURCES:
        path = root / name
        # tables of spellings and of definitions decide numbers too
        yield from [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.csv")])
