"""The files of one tube, each whole and true to its own hash: ``result.json`` and ``plots.json``, or ``error.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from il2cyto.errors import OutputError
from il2cyto.provenance import hash_content, no_room, write_bytes, write_text
from il2cyto.steps.key import RESULT_FORMAT

RESULT, PLOTS, ERROR = "result.json", "plots.json", "error.json"


class DiskError(OutputError):
    """The disk takes no more: the run stops, and goes on from there once there is room."""


class Found(NamedTuple):
    """What stands in the folder of a tube; `damaged` if something does that is not as it was written."""

    result: dict[str, Any] | None
    error: dict[str, Any] | None
    damaged: bool


def folder_of(out: Path, tube_id: str) -> Path:
    """Return the folder of a tube in a results folder."""
    return out / "tubes" / tube_id


def write_result(folder: Path, content: Mapping[str, Any], plots: Mapping[str, Any]) -> None:
    """Write the result of a tube; ``result.json`` comes last, so where it stands its pictures stand too.

    Raises
    ------
    DiskError
        If the disk takes no more.
    """
    pictures = json.dumps(plots, separators=(",", ":")).encode()
    sealed = _sealed({**content, "plots_sha256": hashlib.sha256(pictures).hexdigest()})
    with writing(folder):
        write_bytes(folder / PLOTS, pictures)
        write_text(folder / RESULT, json.dumps(sealed, indent=1, ensure_ascii=False))
        (folder / ERROR).unlink(missing_ok=True)


def write_error(folder: Path, content: Mapping[str, Any]) -> None:
    """Write why a tube failed, and take its earlier result away.

    Raises
    ------
    DiskError
        If the disk takes no more.
    """
    with writing(folder):
        write_text(folder / ERROR, json.dumps(_sealed(content), indent=1, ensure_ascii=False))
        for name in (RESULT, PLOTS):
            (folder / name).unlink(missing_ok=True)


def read_folder(folder: Path, *, pictures: bool = False) -> Found:
    """Read what stands in the folder of a tube.

    Parameters
    ----------
    folder
        The folder; it need not exist.
    pictures
        Hash ``plots.json`` too, instead of asking only whether it is there.
    """
    result, broken = _read(folder / RESULT)
    error, torn = _read(folder / ERROR)
    if result is not None and "plots_sha256" in result and not _has_plots(folder, result["plots_sha256"], pictures):
        result, broken = None, True
    return Found(result, error, broken or (torn and result is None))


def read_result(out: Path, tube_id: str) -> dict[str, Any]:
    """Read the result of a tube that has been gated.

    Raises
    ------
    OutputError
        If it is not there, or not as it was written.
    """
    found = read_folder(folder_of(out, tube_id))
    if found.result is None:
        raise OutputError(
            f"{out}: the result of tube {tube_id} was taken away or changed while it was in use; run again"
        )
    return found.result


def discard(out: Path, kept: Collection[str]) -> None:
    """Remove the results of tubes that are not among `kept`; nothing but files of results is touched."""
    for folder in sorted((out / "tubes").iterdir()):
        if folder.name not in kept and folder.is_dir() and not folder.is_symlink():
            # the result first: pictures without one are nothing, a result without pictures is damaged
            for name in (RESULT, PLOTS, ERROR):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn the error of a disk that takes no more into one that says so.

    Raises
    ------
    DiskError
        With `place` and the reason of the system.
    """
    try:
        yield
    except DiskError:
        raise
    except Exception as error:
        if why := no_room(error):
            raise DiskError(f"{place}: cannot be written ({why})") from error
        raise


def _sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "content_sha256": hash_content(dict(content))}


def _read(path: Path) -> tuple[dict[str, Any] | None, bool]:
    """The content of a file, and whether it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None, False
    except (OSError, ValueError, RecursionError):
        return None, True
    if not isinstance(content, dict):
        return None, True
    seal = content.pop("content_sha256", None)
    # of other formats nothing is used but the number of the format
    if isinstance(content.get("format"), int) and content["format"] != RESULT_FORMAT:
        return content, False
    return (content, False) if seal == hash_content(content) else (None, True)


def _has_plots(folder: Path, sha256: str, thorough: bool) -> bool:
    try:
        if thorough:
            return hashlib.sha256((folder / PLOTS).read_bytes()).hexdigest() == sha256
        return (folder / PLOTS).stat().st_size > 0
    except OSError:
        return False
