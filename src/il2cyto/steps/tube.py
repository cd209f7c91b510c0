"""Gate one tube: the work of one process, from a row of the sheet to one folder of results."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from il2cyto.errors import FcsError, Il2CytoError
from il2cyto.fcs import read_fcs
from il2cyto.provenance import hash_content
from il2cyto.sample import Sample
from il2cyto.steps.content import tube_content
from il2cyto.steps.gates import strategy_for, with_own
from il2cyto.steps.journal import where_raised
from il2cyto.steps.key import RESULT_FORMAT, environment, key_parts, result_key
from il2cyto.steps.normalised import normalised_content
from il2cyto.steps.pictures import tube_pictures
from il2cyto.steps.public import public_message
from il2cyto.steps.quality import follow
from il2cyto.steps.results import ERROR, DiskError, folder_of, read_folder, write_error, write_result
from il2cyto.steps.sources import FileHash, Source, stamp_of
from il2cyto.study.model import TubeRecord


@dataclass(frozen=True)
class TubeError:
    """Why a tube failed: the class of the error, its whole message, and the message as results carry it.

    `trace` names the places of this package that an error came through which nobody raised on purpose.
    """

    kind: str
    message: str
    public: str
    trace: str = ""


@dataclass(frozen=True)
class TubeOutcome:
    """What became of one tube; its numbers stand in its folder, so that an outcome weighs nothing.

    Attributes
    ----------
    error
        Why it failed, or ``None``.
    sha256
        Hash of the FCS file, empty where it cannot be read.
    details
        What the screen and ``paths.csv`` say of the file beyond the result, with text that stood in it.
    source
        The hash with the state that the file had, where it was hashed just now.
    reused
        Whether an earlier result with the same key was taken.
    seconds
        Time it took; for the screen and the log only.
    """

    tube_id: str
    error: TubeError | None = None
    sha256: str = ""
    details: tuple[str, ...] = ()
    source: Source | None = None
    reused: bool = False
    seconds: float = 0.0


def gate_tube(
    record: TubeRecord, out: Path, *, known: Source | None = None, threads: int = 1, reuse: bool = True
) -> TubeOutcome:
    """Gate the tube of one row and write its folder; every error that is the tube's own becomes part of the outcome.

    Parameters
    ----------
    record
        The row of the samples sheet.
    out
        Folder of the run; the tube's files go to ``tubes/<tube_id>/``.
    known
        Hash of the FCS file where it is known; a file that is no longer as it was then is hashed again.
    threads
        Threads that share the events; they change the time and nothing else.
    reuse
        Take a result that stands there already if everything that decides it is the same.

    Raises
    ------
    DiskError
        If the disk takes no more.
    """
    started = time.perf_counter()
    file = FileHash(record.fcs, known)
    try:
        details, reused = _gate(record, out, file, threads, reuse)
    except DiskError:
        raise
    except Il2CytoError as why:
        kind = type(why).__name__
        error = TubeError(kind, str(why), public_message(kind, why.public, record.tube_id))
    except MemoryError:
        error = out_of_memory(record)
    except Exception as why:
        # nobody foresaw it: the tube is set aside like any other, and the log says where to look
        kind = type(why).__name__
        told = f"{record.fcs_name}: {kind}: {why} (unexpected; please report it with il2cyto.log)"
        error = TubeError(kind, told, public_message(kind, "", record.tube_id), where_raised(why))
    else:
        seconds = time.perf_counter() - started
        return TubeOutcome(record.tube_id, None, file.sha256, details, file.source, reused, seconds)
    return set_aside(record, out, error, file, time.perf_counter() - started)


def reuse_tube(record: TubeRecord, out: Path, known: Source) -> TubeOutcome | None:
    """Return the outcome of a tube whose result stands there already, without reading events; else ``None``.

    Parameters
    ----------
    record, out
        As for `gate_tube`.
    known
        Hash of the FCS file, which is certainly as it was when it was hashed.
    """
    try:
        gates = strategy_for(record)
        result = done(folder_of(out, record.tube_id), key_parts(record, gates, known.sha256))
        if result is None:
            return None
        # what stood in the file is kept in no result; the file tells it again
        wanted = any(affects for *_, affects in result["repairs"])
        details = told_details(read_fcs(record.fcs, gates.panel)) if wanted else ()
    except (Il2CytoError, OSError):
        return None
    return TubeOutcome(record.tube_id, None, known.sha256, details, None, True)


def out_of_memory(record: TubeRecord) -> TubeError:
    """Return the error of a tube for which the memory does not suffice."""
    why = "not enough memory; use fewer jobs"
    return TubeError("MemoryError", f"{record.fcs_name}: {why}", f"{record.tube_id}: {why}")


def set_aside(
    record: TubeRecord, out: Path, error: TubeError, file: FileHash | None = None, seconds: float = 0.0
) -> TubeOutcome:
    """Write ``error.json`` of a tube that failed and return its outcome.

    Raises
    ------
    DiskError
        If the disk takes no more.
    """
    file = file or FileHash(record.fcs)
    content = {
        "format": RESULT_FORMAT,
        "tube_id": record.tube_id,
        "kind": error.kind,
        "message": error.public,
        "parts": failed_parts(record, file.sha256),
    }
    write_error(folder_of(out, record.tube_id), content)
    return TubeOutcome(record.tube_id, error, file.sha256, (), file.source, False, seconds)


def failed_parts(record: TubeRecord, sha256: str) -> dict[str, Any]:
    """Return what decides that a tube fails: the parts of its key as far as they can be told."""
    try:
        return key_parts(record, strategy_for(record), sha256)
    except Il2CytoError as why:
        return {
            "file": sha256,
            "strategy": hash_content(why.public or type(why).__name__),
            **environment(record),
        }


def _gate(record: TubeRecord, out: Path, file: FileHash, threads: int, reuse: bool) -> tuple[tuple[str, ...], bool]:
    gates = strategy_for(record)
    before = stamp_of(record.fcs)
    sample = read_fcs(record.fcs, gates.panel)
    details = told_details(sample)
    parts = key_parts(record, gates, file.sha256)
    folder = folder_of(out, record.tube_id)
    if reuse and done(folder, parts) is not None:
        return details, True
    gates = with_own(record, gates, sample)
    course = follow(sample, gates.panel or gates.strategy.panel, record.remove)
    result = gates.strategy.apply(sample, threads=threads, kept=course.kept)
    content = tube_content(record, gates, result, course, parts)
    content["normalised"] = normalised_content(record, gates, sample, course.kept, threads)
    plots = tube_pictures(result, record.tube_id, course)
    if before is None or stamp_of(record.fcs) != before:
        raise FcsError("{file}: was changed while it was gated; run again when it is whole", file=record.fcs.name)
    write_result(folder, content, plots)
    return details, False


def done(folder: Path, parts: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result in the folder of a tube if it is whole and was made by all that decides it now, else ``None``.

    An ``error.json`` that a killed run left beside it is taken away.
    """
    found = read_folder(folder, pictures=True)
    if found.result is None or found.result.get("key") != result_key(parts):
        return None
    (folder / ERROR).unlink(missing_ok=True)
    return found.result


def told_details(sample: Sample) -> tuple[str, ...]:
    """Return what the laboratory should know of a file's deviations, with the text that stood in it."""
    return tuple(
        f"{repair.keyword} is {repair.found[:200]!r}, read as: {repair.assumed}"
        for repair in sample.repairs
        if repair.affects_numbers
    )
