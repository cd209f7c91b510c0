"""What ``result.json`` says of a gated tube: numbers, hashes and declared names, never text out of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from il2cyto import __version__
from il2cyto.autogate.learnt import LearntGate
from il2cyto.gates import RectangleGate
from il2cyto.gating import GatingResult
from il2cyto.sample import Sample
from il2cyto.steps.counted import bead_slices
from il2cyto.steps.gates import TubeGates
from il2cyto.steps.gatestatus import gate_rows
from il2cyto.steps.key import RESULT_FORMAT, result_key
from il2cyto.steps.public import file_texts, plain_number, public_repair
from il2cyto.steps.quality import Acquisition, retained_share, tube_quality
from il2cyto.study.model import TubeRecord


def tube_content(
    record: TubeRecord, gates: TubeGates, result: GatingResult, course: Acquisition, parts: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of ``result.json``.

    Parameters
    ----------
    record
        The row of the samples sheet.
    gates
        What gated the tube.
    result
        Membership and counts.
    course
        The course of the acquisition.
    parts
        All that decides the result, from `key.key_parts`.
    """
    sample, strategy = result.sample, gates.strategy
    rows, locations = gate_rows(result, gates)
    return {
        "format": RESULT_FORMAT,
        "il2cyto": __version__,
        "key": result_key(parts),
        "parts": parts,
        "tube_id": record.tube_id,
        "fcs_sha256": parts["file"],
        "strategy": strategy.id,
        "strategy_version": strategy.version,
        "strategy_sha256": strategy.content_hash,
        "template_sha256": parts["strategy"],
        "panel_sha256": result.panel.content_hash if result.panel is not None else None,
        "n_events": sample.n_events,
        "fcs_version": sample.version,
        "vol": plain_number(sample.keywords.get("$VOL", "")),
        "repairs": _repairs(sample),
        "notes": [*result.notes, *_volume_note(sample), *_dimmed_note(sample), *filter(None, [course.note])],
        "missing_markers": list(result.missing_markers),
        "retained_time_fraction": retained_time_fraction(result),
        "gated_time_fraction": gated_time_fraction(result),
        "quality": tube_quality(record, result, course),
        "bead_slices": bead_slices(result, record.count.beads),
        "learnt": [_told(gate) for gate in gates.learnt],
        "locations": locations,
        "counts": _plain(result, rows),
    }


def _told(gate: LearntGate) -> dict[str, Any]:
    """What a table says of a learnt gate; its bootstrap draws stand in the file of learnt gates."""
    plain = gate.plain()
    draws = plain.pop("draws")
    return {**plain, "sd": np.std(np.array(draws), axis=0).tolist() if draws else []}


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


def _plain(result: GatingResult, gates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The counts of a result as JSON holds them: missing numbers are null."""
    import pandas as pd

    whole = ("count", "parent_count", "n_undefined")
    rows: list[dict[str, Any]] = []
    for row, gate in zip(result.counts.astype(object).to_dict("records"), gates, strict=True):
        numbers = {name: None if pd.isna(row[name]) else int(row[name]) for name in whole}
        percent = None if pd.isna(row["percent_parent"]) else float(row["percent_parent"])
        rows.append({str(key): value for key, value in row.items()} | numbers | {"percent_parent": percent} | gate)
    return rows


def retained_time_fraction(result: GatingResult) -> float | None:
    """Return the share of the acquisition time that is gated; ``None`` where it cannot be told.

    A volumetric count scales the acquired volume by it. Time gates are populations of role ``time_qc``; only ranges on
    the time channel can be measured. Stretches that the study leaves out are not gated either.
    """
    populations = [p for p in result.strategy.populations if p.role == "time_qc"]
    if not populations:
        return gated_time_fraction(result)
    seconds = _seconds(result)
    gate = populations[0].gate
    if (
        len(populations) > 1
        or seconds is None
        or not isinstance(gate, RectangleGate)
        or len(gate.limits) != 1
        or gate.limits[0].dimension.transform is not None
    ):
        return None
    first, last = float(np.nanmin(seconds)), float(np.nanmax(seconds))
    low = first if gate.limits[0].minimum is None else max(first, gate.limits[0].minimum)
    high = last if gate.limits[0].maximum is None else min(last, gate.limits[0].maximum)
    return retained_share(seconds, low, high, result.kept)


def gated_time_fraction(result: GatingResult) -> float | None:
    """Return the share of the acquisition time in stretches that were gated; ``None`` where it cannot be told."""
    if result.kept is None:
        return 1.0
    seconds = _seconds(result)
    return None if seconds is None else retained_share(seconds, -np.inf, np.inf, result.kept)


def _seconds(result: GatingResult) -> NDArray[np.float64] | None:
    """Time of each event, ``None`` without one time channel that advances."""
    times = [channel.index for channel in result.sample.channels if channel.is_time]
    if len(times) != 1 or not result.sample.n_events:
        return None
    seconds = result.sample.linear(times)[:, 0]
    return seconds if float(np.nanmax(seconds)) > float(np.nanmin(seconds)) else None
