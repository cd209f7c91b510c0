"""The results folder: whose it is, in which format, who works in it, and what a killed run left there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from il2cyto.errors import OutputError
from il2cyto.provenance import no_room, sweep, write_text
from il2cyto.provenance.lock import Holder, hold, holder
from il2cyto.steps.key import RESULT_FORMAT
from il2cyto.steps.learntfile import LEARNT
from il2cyto.steps.results import DiskError, writing

#: Working state of il2cyto beside the results: lock, marker and memory of hashes. Nothing in it is a result.
HIDDEN = ".il2cyto"
#: Folder of what was learnt to bring batches onto one scale.
NORMALISATION = "normalisation"
_MARKER, _LOCK, _WORKERS, _SOURCES = "folder.json", "lock", "workers", "sources.jsonl"
#: A worker of a killed run ends by itself when it has finished what it was writing.
_WORKERS_END_S = 60.0


def sources_path(out: Path) -> Path:
    """Return where the hashes of FCS files are remembered."""
    return out / HIDDEN / _SOURCES


def workers_lock(out: Path) -> Path:
    """Return the lock that each worker process shares while it lives."""
    return out / HIDDEN / _WORKERS


def lock_holder(out: Path) -> Holder | None:
    """Return who works in a results folder alone, or ``None``."""
    return holder(out / HIDDEN / _LOCK)


@contextmanager
def results_folder(out: Path, study_id: str, what: str, *, shared: bool = False) -> Iterator[Path]:
    """Make or take over a results folder and hold it while the block runs.

    Parameters
    ----------
    out
        The folder; made if it does not exist.
    study_id
        The study whose results stand in it.
    what
        The command, for the message that others get.
    shared
        Other commands that work on single tubes may run at the same time.

    Raises
    ------
    OutputError
        If the folder cannot be written, holds something else, results of another study or of another format, or is in
        use.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(out)
        (out / HIDDEN).mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: results cannot be written here ({error.strerror}); choose another --out") from error
    with hold(out / HIDDEN / _LOCK, what, of=out, shared=shared), _disk(out):
        _refuse_other(out, study_id)
        if not shared:
            # after a kill of the main process alone, its workers live on for a moment
            with hold(out / HIDDEN / _WORKERS, what, of=out, wait_s=_WORKERS_END_S):
                _sweep(out)
        (out / "tubes").mkdir(exist_ok=True)
        marker = json.dumps({"results": "il2cyto", "format": RESULT_FORMAT, "study": study_id}, ensure_ascii=False)
        if _marker(out) is None:
            write_text(out / HIDDEN / _MARKER, marker + "\n")
        try:
            yield out
        except BaseException:
            if not shared:
                _sweep(out)
            raise


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    hook = sys.unraisablehook

    def quiet(told: sys.UnraisableHookArgs) -> None:
        # HDF5 tries to finish its file whenever one of its objects goes, and would complain each time
        if told.exc_value is None or not no_room(told.exc_value):
            hook(told)

    sys.unraisablehook = quiet
    try:
        with writing(out):
            yield
        sys.unraisablehook = hook
    except DiskError as error:
        # objects of HDF5 live on in the traceback, so the quiet hook stays
        raise DiskError(
            f"{error}. What was finished is kept; make room and give the same command again: it goes on from there"
        ) from error
    except BaseException:
        sys.unraisablehook = hook
        raise


def results_format(out: Path) -> int | None:
    """Return the format of the results that stand in a folder, ``None`` where there are none."""
    marker = _marker(out)
    if marker is not None:
        return int(marker["format"])
    for path in sorted(out.glob("tubes/*/result.json")):
        try:
            return int(json.loads(path.read_bytes())["format"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    # the first formats had no number of their own in the manifest
    return 0 if (out / "manifest.json").exists() else None


def _refuse_foreign(out: Path) -> None:
    names = sorted(path.name for path in out.iterdir())
    if names and not {HIDDEN, "manifest.json", "tubes"} & set(names):
        raise OutputError(f"{out}: holds {names[0]!r} and no results of il2cyto; choose an empty folder with --out")


def _refuse_other(out: Path, study_id: str) -> None:
    found = results_format(out)
    if found is not None and found != RESULT_FORMAT:
        age = "an older" if found < RESULT_FORMAT else "a newer"
        number = f" (format {found or 'before 2'})"
        raise OutputError(
            f"{out}: holds results of {age} il2cyto{number}, and this one writes format {RESULT_FORMAT}; they are "
            "never mixed. Keep them and choose an empty folder with --out: every tube is gated again there"
        )
    marker = _marker(out)
    if marker is not None and marker.get("study") != study_id:
        raise OutputError(
            f"{out}: holds results of the study {marker.get('study')!r}, not of {study_id!r}; choose another --out"
        )


def _marker(out: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((out / HIDDEN / _MARKER).read_bytes())
        return found if isinstance(found, dict) and isinstance(found.get("format"), int) else None
    except (OSError, ValueError):
        return None


def _sweep(out: Path) -> None:
    for folder in (out, out / HIDDEN, out / LEARNT, out / NORMALISATION):
        sweep(folder)
    with os.scandir(out / "tubes") if (out / "tubes").is_dir() else _nothing() as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                sweep(Path(entry.path))


@contextmanager
def _nothing() -> Iterator[Iterator[os.DirEntry[str]]]:
    yield iter(())
