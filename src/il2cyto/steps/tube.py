"""Gate one tube: the work of one process, from a row of the sheet to one folder of results."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from il2cyto import __version__
from il2cyto.errors import Il2CytoError
from il2cyto.fcs import read_fcs
from il2cyto.gates import RectangleGate
from il2cyto.gating import GatingResult, GatingStrategy
from il2cyto.panel import Panel
from il2cyto.provenance import hash_content, hash_file, write_text
from il2cyto.sample import Sample
from il2cyto.steps.counted import bead_slices
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.public import file_texts, plain_number, public_message, public_repair
from il2cyto.study.model import TubeRecord

#: Raised when the content of ``result.json`` or ``plots.json`` changes.
RESULT_FORMAT = 3


@dataclass(frozen=True)
class TubeError:
    """Why a tube failed: the class of the error, its whole message, and the message as results carry it."""

    kind: str
    message: str
    public: str


@dataclass(frozen=True)
class TubeOutcome:
    """What became of one tube.

    Attributes
    ----------
    content
        The content of ``result.json``, or ``None`` if the tube failed.
    error
        Why it failed, or ``None``.
    sha256
        Hash of the FCS file, empty where it cannot be read.
    details
        What the screen and ``paths.csv`` say of the file beyond `content`, with text that stood in it.
    reused
        Whether an earlier result with the same key was taken.
    seconds
        Time it took; for the screen only.
    """

    tube_id: str
    content: dict[str, Any] | None
    error: TubeError | None = None
    sha256: str = ""
    details: tuple[str, ...] = ()
    reused: bool = False
    seconds: float = 0.0


def gate_tube(record: TubeRecord, out: Path, *, reuse: bool = True) -> TubeOutcome:
    """Gate the tube of one row and write its folder; every expected error becomes part of the outcome.

    Parameters
    ----------
    record
        The row of the samples sheet.
    out
        Folder of the run; the tube's files go to ``tubes/<tube_id>/``.
    reuse
        Take a result that stands there already if everything that decides it is the same.
    """
    started = time.perf_counter()
    try:
        content, details, reused = _gate(record, out, reuse)
    except Il2CytoError as error:
        kind = type(error).__name__
        return _failed(record, TubeError(kind, str(error), public_message(kind, error.public, record.tube_id)))
    except MemoryError:
        why = "not enough memory; use fewer jobs"
        return _failed(record, TubeError("MemoryError", f"{record.fcs_name}: {why}", f"{record.tube_id}: {why}"))
    seconds = time.perf_counter() - started
    return TubeOutcome(record.tube_id, content, None, content["fcs_sha256"], details, reused, seconds)


def _failed(record: TubeRecord, error: TubeError) -> TubeOutcome:
    try:
        sha256 = hash_file(record.fcs)
    except OSError:
        sha256 = ""
    return TubeOutcome(record.tube_id, None, error, sha256)


def _gate(record: TubeRecord, out: Path, reuse: bool) -> tuple[dict[str, Any], tuple[str, ...], bool]:
    gates = strategy_for(record)
    strategy, panel = gates.strategy, gates.panel
    sample = read_fcs(record.fcs, panel)
    details = tuple(
        f"{repair.keyword} is {repair.found[:200]!r}, read as: {repair.assumed}"
        for repair in sample.repairs
        if repair.affects_numbers
    )
    repairs = _repairs(sample)
    key = result_key(sample.sha256, strategy, panel or strategy.panel, gates.overrides, record.count.beads)
    folder = out / "tubes" / record.tube_id
    if reuse:
        found = _earlier(folder, key)
        if found is not None and found["repairs"] == repairs:
            return found, details, True
    result = strategy.apply(sample)
    content = {
        "format": RESULT_FORMAT,
        "il2cyto": __version__,
        "key": key,
        "tube_id": record.tube_id,
        "fcs_sha256": sample.sha256,
        "strategy": strategy.id,
        "strategy_version": strategy.version,
        "strategy_sha256": strategy.content_hash,
        "panel_sha256": result.panel.content_hash if result.panel is not None else None,
        "n_events": sample.n_events,
        "fcs_version": sample.version,
        "vol": plain_number(sample.keywords.get("$VOL", "")),
        "repairs": repairs,
        "notes": [*result.notes, *_volume_note(sample), *_dimmed_note(sample)],
        "missing_markers": list(result.missing_markers),
        "retained_time_fraction": retained_time_fraction(result),
        "bead_slices": bead_slices(result, record.count.beads),
        "counts": _plain(result),
    }
    from il2cyto.steps.pictures import tube_pictures

    # the result is written last: where it stands, the pictures stand too
    write_text(folder / "plots.json", json.dumps(tube_pictures(result, record.tube_id), separators=(",", ":")))
    write_text(folder / "result.json", json.dumps(content, indent=1, ensure_ascii=False))
    return content, details, False


def _repairs(sample: Sample) -> list[list[str | bool]]:
    texts = file_texts(sample) if sample.repairs else ()
    return [list(public_repair(repair, texts)) for repair in sample.repairs]


def _volume_note(sample: Sample) -> list[str]:
    text = sample.keywords.get("$VOL", "").strip()
    return ["$VOL is no number: the file gives no volume"] if text and plain_number(text) is None else []


def _dimmed_note(sample: Sample) -> list[str]:
    # bits above the range in many events are marks of the instrument; in a few they are signal
    counts = sample.masked_values
    few = [i for i in counts.nonzero()[0] if 10 * counts[i] < sample.n_events]
    total, numbers = sum(int(counts[i]) for i in few), ", ".join(str(i + 1) for i in few)
    said = f"{total} values of parameter(s) {numbers} lie above their range: the mask of the standard makes them dim"
    return [said] if few else []


def result_key(
    fcs_sha256: str,
    strategy: GatingStrategy,
    panel: Panel | None,
    overrides: Sequence[str] = (),
    beads: str | None = None,
) -> str:
    """Return the hash of everything that decides the result of a tube.

    Overrides of its gates are among it, and the population of `beads`, which are followed along the acquisition.
    """
    return hash_content(
        {
            "format": RESULT_FORMAT,
            "il2cyto": __version__,
            "fcs": fcs_sha256,
            "strategy": strategy.content_hash,
            "axes": dict(strategy.axes),
            "panel": panel.content_hash if panel is not None else None,
            # a tube that no override touches keeps its key
            **({"overrides": list(overrides)} if overrides else {}),
            **({"beads": beads} if beads else {}),
        }
    )


def _earlier(folder: Path, key: str) -> dict[str, Any] | None:
    path = folder / "result.json"
    if not path.is_file() or not (folder / "plots.json").is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("key") == key else None


def _plain(result: GatingResult) -> list[dict[str, Any]]:
    """The counts of a result as JSON holds them: missing numbers are null."""
    import pandas as pd

    whole = ("count", "parent_count", "n_undefined")
    rows: list[dict[str, Any]] = []
    for row in result.counts.astype(object).to_dict("records"):
        numbers = {name: None if pd.isna(row[name]) else int(row[name]) for name in whole}
        percent = None if pd.isna(row["percent_parent"]) else float(row["percent_parent"])
        rows.append({str(key): value for key, value in row.items()} | numbers | {"percent_parent": percent})
    return rows


def retained_time_fraction(result: GatingResult) -> float | None:
    """Return the share of the acquisition time that time gates keep; ``None`` where it cannot be told.

    A volumetric count scales the acquired volume by it. Time gates are populations of role ``time_qc``; only ranges on
    the time channel can be measured.
    """
    populations = [p for p in result.strategy.populations if p.role == "time_qc"]
    if not populations:
        return 1.0
    times = [channel.index for channel in result.sample.channels if channel.is_time]
    if len(populations) != 1 or len(times) != 1 or not result.sample.n_events:
        return None
    gate = populations[0].gate
    if not isinstance(gate, RectangleGate) or len(gate.limits) != 1 or gate.limits[0].dimension.transform is not None:
        return None
    time_values = result.sample.linear(times)[:, 0]
    first, last = float(np.nanmin(time_values)), float(np.nanmax(time_values))
    if not last > first:
        return None
    low = first if gate.limits[0].minimum is None else max(first, gate.limits[0].minimum)
    high = last if gate.limits[0].maximum is None else min(last, gate.limits[0].maximum)
    return max(high - low, 0.0) / (last - first)
