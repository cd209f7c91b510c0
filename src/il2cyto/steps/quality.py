"""What ``result.json`` says of the quality of a tube: numbers, and the stretches that are not steady."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.counts.roles import NotEvaluableError, Row, find_living, find_role
from il2cyto.errors import PanelError
from il2cyto.gates import Dimension
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating import GatingResult
from il2cyto.gating.coordinates import linear_values
from il2cyto.panel import Panel
from il2cyto.quality.compensation import Plausibility, judge_compensation
from il2cyto.quality.margins import find_margins
from il2cyto.quality.size import debris_share, doublet_share
from il2cyto.quality.stability import Fault, Stability, find_instability
from il2cyto.sample import Sample
from il2cyto.steps.instrument import has_seconds, public_name
from il2cyto.steps.public import plain_number
from il2cyto.study.checks import default_checks
from il2cyto.study.model import TubeRecord

FloatArray = NDArray[np.float64]

#: Events of the living lymphocytes that the compensation is judged by at most.
_JUDGED: Final = 20_000
#: Significant digits of a metric in ``result.json``.
_DIGITS: Final = 6

_SCATTER = re.compile(r"(?:[FSB]SC|FS|SS)(?![a-z]{2})", re.IGNORECASE)
_NO_SIGNAL = re.compile(r"(?:-W|Width|Count|Time)$", re.IGNORECASE)
_AREA_AND_HEIGHT = (("FSC-A", "FSC-H"), ("FSC-Area", "FSC-Height"), ("FS-A", "FS-H"), ("FS Area", "FS Peak"))


@dataclass(frozen=True)
class Acquisition:
    """The course of a tube.

    Attributes
    ----------
    channels
        Positions of the channels that were followed.
    values
        Their values, uncompensated and linear, ``(n_events, n_channels)``.
    stability
        What their course shows.
    reversals
        Events whose time is earlier than that of the event before; ``None`` without one time channel.
    kept
        Ranges of events that are gated, ``None`` for all.
    note
        Why events that the study leaves out are gated all the same, else empty.
    """

    channels: tuple[int, ...]
    values: FloatArray
    stability: Stability
    reversals: int | None
    kept: tuple[tuple[int, int], ...] | None
    note: str


def follow(sample: Sample, panel: Panel | None, remove: tuple[str, ...]) -> Acquisition:
    """Follow the acquisition of a tube, and choose the events that are gated.

    Parameters
    ----------
    sample
        The file.
    panel
        Its markers. The channels that carry one are followed, and scatter; without a panel all but time and widths.
    remove
        Kinds of stretches whose events are not gated.
    """
    channels = _signal(sample, panel)
    values = sample.linear(list(channels))
    times = [channel.index for channel in sample.channels if channel.is_time]
    seconds = sample.linear(times)[:, 0] if len(times) == 1 else None
    reversals = None if seconds is None else int(np.count_nonzero(np.diff(seconds) < 0))
    steady_clock = seconds if not reversals else None
    names = [public_name(sample.channels[k], panel) for k in channels]
    stability = find_instability(values, names, steady_clock)
    kept, note = _kept(stability, sample.n_events, remove, bool(reversals))
    return Acquisition(channels, values, stability, reversals, kept, note)


def tube_quality(record: TubeRecord, result: GatingResult, course: Acquisition) -> dict[str, Any]:
    """Return what is known of the quality of a tube, as plain data.

    Returns
    -------
    ``metrics``, numbers by the ids of `study.quality` (``None`` where there is none); ``reasons``, why there is none;
    ``details``, what a number is about, in words; ``faults``, the stretches; ``n_marked`` and ``n_removed`` events;
    ``removed``, the kinds that were asked to be left out; ``compensation``, where the matrices are from; ``settings``,
    name, voltage (V) and gain of each channel whose file says one.
    """
    sample = result.sample
    found = _Found()
    found.number("events", float(sample.n_events))
    _of_course(found, result, course)
    _of_margins(found, sample, result.panel, course)
    rows = [{str(key): value for key, value in row.items()} for row in result.counts.to_dict("records")]
    _of_size(found, result, rows)
    _of_compensation(found, result, rows)
    n_marked = int(course.stability.marked(sample.n_events).sum())
    return {
        "metrics": found.metrics,
        "reasons": found.reasons,
        "details": found.details,
        "faults": [_fault(fault, course, sample) for fault in course.stability.faults],
        "n_marked": n_marked,
        "n_removed": sample.n_events - result.n_root,
        "removed": list(record.remove),
        "compensation": _source(result),
        "settings": _settings(sample, result.panel),
    }


def unstable_stretches(sample: Sample, course: Acquisition) -> list[list[Any]]:
    """Return the unstable stretches for a picture: begin and end as shares of the acquisition time, and in words.

    Empty without one time channel that rises.
    """
    times = [channel.index for channel in sample.channels if channel.is_time]
    if len(times) != 1 or course.reversals != 0 or not course.stability.faults:
        return []
    seconds = sample.linear(times)[:, 0]
    first, last = float(seconds[0]), float(seconds[-1])
    if not last > first:
        return []
    found: list[list[Any]] = []
    for fault in course.stability.faults:
        edges = [float(seconds[fault.first]), float(seconds[fault.stop]) if fault.stop < len(seconds) else last]
        found.append([*(round((edge - first) / (last - first), 4) for edge in edges), _in_words(fault)])
    return found


def _in_words(fault: Fault) -> str:
    told: list[str] = []
    if fault.channels:
        more = f" and {len(fault.channels) - 3} more" if len(fault.channels) > 3 else ""
        change = f" {100 * fault.change:+.0f} %" if math.isfinite(fault.change) else ""
        told.append(f"{fault.channels[0]}{change}" + "".join(f", {name}" for name in fault.channels[1:3]) + more)
    if math.isfinite(fault.flow) and not 0.8 < fault.flow < 1.25:
        told.append(f"flow at {100 * fault.flow:.0f} %")
    return f"{fault.kind}: {'; '.join(told)}" if told else fault.kind


def retained_share(seconds: FloatArray, low: float, high: float, kept: tuple[tuple[int, int], ...] | None) -> float:
    """Return the share of the acquisition time between two times that is in kept ranges of events.

    Parameters
    ----------
    seconds
        Time of each event, rising where ranges are given.
    low, high
        What a time gate keeps.
    kept
        Ranges of events, ``None`` for all.

    Examples
    --------
    >>> retained_share(np.arange(101.0), 10.0, 100.0, ((0, 40), (60, 101)))
    0.7
    """
    first, last = float(np.nanmin(seconds)), float(np.nanmax(seconds))
    spans = [(first, last)]
    if kept is not None:
        n_events = len(seconds)
        spans = [(float(seconds[start]), float(seconds[stop]) if stop < n_events else last) for start, stop in kept]
    total = sum(max(0.0, min(stop, high) - max(start, low)) for start, stop in spans)
    return total / (last - first)


class _Found:
    """Metrics with what is said of them."""

    def __init__(self) -> None:
        self.metrics: dict[str, float | None] = {}
        self.reasons: dict[str, str] = {}
        self.details: dict[str, str] = {}

    def number(self, name: str, value: float, detail: str = "") -> None:
        if math.isfinite(value):
            self.metrics[name] = float(f"{value:.{_DIGITS}g}")
            if detail:
                self.details[name] = detail
        else:
            self.none(name, "no events")

    def none(self, name: str, reason: str) -> None:
        self.metrics[name] = None
        self.reasons[name] = reason


def _signal(sample: Sample, panel: Panel | None) -> tuple[int, ...]:
    candidates = [c for c in sample.channels if not c.is_time and not _NO_SIGNAL.search(c.pnn)]
    if panel is None:
        return tuple(channel.index for channel in candidates)
    labels = [channel.pns for channel in sample.channels]
    carrying = set()
    for entry in panel.entries:
        try:
            place = panel.locate(entry.marker, sample.names, labels)
        except PanelError:
            continue  # a marker that stands twice and that no gate asks for
        if place is not None:
            carrying.add(place)
    return tuple(c.index for c in candidates if c.index in carrying or _SCATTER.match(c.pnn))


def _kept(
    stability: Stability, n_events: int, remove: tuple[str, ...], reversals: bool
) -> tuple[tuple[tuple[int, int], ...] | None, str]:
    faults = [fault for fault in stability.faults if fault.kind in remove]
    if not faults:
        return None, ""
    if reversals:
        return None, "time goes back: no stretch of the acquisition can be left out, all events are gated"
    edges = [0, *(edge for fault in faults for edge in (fault.first, fault.stop)), n_events]
    kept = tuple((first, stop) for first, stop in zip(edges[::2], edges[1::2], strict=True) if first < stop)
    if not kept:
        return None, "nothing would be left of the acquisition: all events are gated"
    return kept, ""


def _of_course(found: _Found, result: GatingResult, course: Acquisition) -> None:
    sample, stability = result.sample, course.stability
    if course.reversals is None:
        found.none("time_reversals", "the file has no time channel, or several")
    else:
        found.number("time_reversals", float(course.reversals))
    if stability.reason:
        found.none("unstable", stability.reason)
        found.none("drift", stability.reason)
        return
    marked = stability.marked(sample.n_events)
    # what a time gate keeps counts: an unsteady start that is cut away harms nobody
    gates = [
        path
        for population, path, reason in zip(
            result.strategy.populations, result.strategy.paths, result.reasons, strict=True
        )
        if population.role == "time_qc" and not reason
    ]
    if len(gates) == 1 and course.kept is None:
        inside = result.membership(gates[0])
        number = int(inside.sum())
        share = float(np.count_nonzero(marked & inside)) / number if number else float("nan")
    else:
        share = float(marked.mean())
    kinds = dict.fromkeys(fault.kind for fault in stability.faults)
    found.number("unstable", 100.0 * share, ", ".join(kinds))
    drifts = [fault for fault in stability.faults if fault.kind == "drift"]
    change = max((abs(fault.change) for fault in drifts if math.isfinite(fault.change)), default=0.0)
    channels = " ".join(drifts[0].channels[:3]) if drifts else ""
    found.number("drift", 100.0 * change, channels)


def _of_margins(found: _Found, sample: Sample, panel: Panel | None, course: Acquisition) -> None:
    channels = list(course.channels)
    ranges = np.array([sample.channels[k].range for k in channels], dtype=np.float64)
    margins = find_margins(sample.raw[:, channels], ranges)
    for name, shares in (("upper_margin", margins.upper_share), ("lower_margin", margins.lower_share)):
        if not len(shares) or not sample.n_events:
            found.none(name, "no events")
            continue
        worst = int(np.argmax(shares))
        where = public_name(sample.channels[channels[worst]], panel) if shares[worst] > 0 else ""
        found.number(name, 100.0 * float(shares[worst]), where)


def _of_size(found: _Found, result: GatingResult, rows: Sequence[Row]) -> None:
    sample, names = result.sample, {name.casefold(): k for k, name in enumerate(result.sample.names)}
    pair = next(((a, h) for a, h in _AREA_AND_HEIGHT if a.casefold() in names and h.casefold() in names), None)
    if pair is None:
        found.none("doublets", "the file has no area and height of forward scatter")
    else:
        area, height = sample.linear([names[one.casefold()] for one in pair]).T
        found.number("doublets", 100.0 * doublet_share(area, height))
    scatter = next((names[a.casefold()] for a, _ in _AREA_AND_HEIGHT if a.casefold() in names), None)
    try:
        if scatter is None:
            raise NotEvaluableError("the file has no area of forward scatter")
        lymphocytes = find_role(rows, "lymphocytes", default_checks())
        if lymphocytes["reason"]:
            raise NotEvaluableError(f"{lymphocytes['name']} is not estimable")
        inside = result.membership(lymphocytes["population"])
        values = sample.linear([scatter])[:, 0]
        share = debris_share(values[result.membership("root")], values[inside])
        if math.isnan(share):
            raise NotEvaluableError(f"{lymphocytes['name']} is empty")
        found.number("debris", 100.0 * share)
    except NotEvaluableError as why:
        found.none("debris", str(why))


def _of_compensation(found: _Found, result: GatingResult, rows: Sequence[Row]) -> None:
    names = ("overcompensation", "undercompensation", "spread")
    dimensions = list(
        dict.fromkeys(
            Dimension(one.source, one.compensation)
            for population, reason in zip(result.strategy.populations, result.reasons, strict=True)
            if not reason
            for one in population.gate.dimensions
            if isinstance(one.source, str) and one.compensation != UNCOMPENSATED
        )
    )
    try:
        if len(dimensions) < 2:
            raise NotEvaluableError("no two markers are compensated")
        living = find_living(rows, default_checks())
        if living["reason"]:
            raise NotEvaluableError(f"{living['name']} is not estimable")
        events = np.flatnonzero(result.membership(living["population"]))
        if len(events) > _JUDGED:
            events = events[np.linspace(0, len(events) - 1, _JUDGED).round().astype(np.int64)]
        columns = [(one, linear_values(result, one, events)) for one in dimensions]
        used = [(one.label, values) for one, values in columns if values is not None]
        table = np.column_stack([values for _, values in used])
        judged = judge_compensation(table, [label for label, _ in used])
        if judged.reason:
            raise NotEvaluableError(judged.reason)
    except NotEvaluableError as why:
        for name in names:
            found.none(name, str(why))
        return
    _tell(found, judged)


def _tell(found: _Found, judged: Plausibility) -> None:
    for name, kind in (("overcompensation", "over"), ("undercompensation", "under")):
        doubts = [doubt for doubt in judged.doubts if doubt.kind == kind]
        told = [f"{doubt.source} into {doubt.detector} by {doubt.slope:+.3f}" for doubt in doubts[:3]]
        found.number(name, float(len(doubts)), "; ".join(told))
    if math.isfinite(judged.spread):
        found.number("spread", judged.spread, " into ".join(judged.spread_pair))
    else:
        found.none("spread", "no pair of dyes tells")


def _source(result: GatingResult) -> str:
    """Where the matrices of the gates are from: ``file``, ids of the strategy's, or ``none``."""
    used = dict.fromkeys(
        one.compensation
        for population in result.strategy.populations
        for one in population.gate.dimensions
        if one.compensation != UNCOMPENSATED
    )
    told = ["file" if name == FROM_FILE else name for name in used]
    if not told:
        return "none"
    if "file" in told and result.sample.spillover is None:
        told[told.index("file")] = "none in the file"
    return ", ".join(told)


def _settings(sample: Sample, panel: Panel | None) -> list[list[str]]:
    found = []
    for channel in sample.channels:
        voltage = plain_number(channel.voltage) or ""
        gain = plain_number(sample.keywords.get(f"$P{channel.index + 1}G", "")) or ""
        if not channel.is_time and (voltage or gain):
            found.append([public_name(channel, panel), voltage, gain])
    return found


def _fault(fault: Fault, course: Acquisition, sample: Sample) -> dict[str, Any]:
    """A stretch as JSON holds it; numbers that are not known are null."""
    timed = any(channel.is_time and has_seconds(sample, channel.index) for channel in sample.channels)

    def number(value: float, digits: int) -> float | None:
        return round(value, digits) if math.isfinite(value) else None

    return {
        "kind": fault.kind,
        "first_event": fault.first,
        "stop_event": fault.stop,
        "start_s": number(fault.start_s, 3) if timed else None,
        "stop_s": number(fault.stop_s, 3) if timed else None,
        "flow": number(fault.flow, 3),
        "channels": list(fault.channels),
        "change": number(fault.change, 4),
    }
