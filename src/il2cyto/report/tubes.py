"""One entry per tube for the page's script: where it belongs, its quality, and the numbers of its gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from il2cyto.report.corrections import corrected_gates
from il2cyto.report.inputs import ReportInputs
from il2cyto.report.labels import Texts, ordered_visits
from il2cyto.report.numbers import compact, words
from il2cyto.report.overview import Cell, SheetRow, sheet_rows, tube_states
from il2cyto.report.pictures import TubeSummary

#: Places of counts in a row of `TubeSummary.gates`.
_COUNT, _PARENT = 3, 4


def tube_entries(inputs: ReportInputs, summaries: Mapping[str, TubeSummary], texts: Texts) -> list[dict[str, Any]]:
    """One entry per tube of the study or with pictures, by subject, visit and tube."""
    visits = ordered_visits(inputs)
    place = {visit.id: position for position, visit in enumerate(visits)}
    arms = {arm.id: position for position, arm in enumerate(inputs.arms)}
    rows = {row.tube_id: row for row in split_sums(sheet_rows(inputs), summaries)}
    states = tube_states(inputs, tuple(rows.values()))
    strategies = strategies_of(inputs)
    roles = _roles(inputs)
    values = _values(inputs)
    corrected = corrected_gates(inputs.overrides)
    judged = _judged(inputs)
    failed = inputs.failures[inputs.failures["severity"] == "failure"]
    messages = dict(zip(failed["tube_id"].map(words), failed["message"].map(words), strict=True))
    entries = []
    for tube_id in [*rows, *(tube_id for tube_id in summaries if tube_id not in rows)]:
        row = rows.get(tube_id, SheetRow(tube_id, "", "", "", ""))
        summary = summaries.get(tube_id, TubeSummary())
        strategy = strategies.get(tube_id, "")
        state = states.get(tube_id, Cell("good"))
        numbers = []
        for path, reason, gate in zip(summary.paths, summary.reasons, summary.gates, strict=True):
            counted = values.get((tube_id, path), (None, None, None, ""))
            numbers.append([*gate, texts(reason), *counted[:3], texts(counted[3])])
        entry = {
            "id": tube_id,
            "subject": row.subject,
            "arm": arms.get(row.arm, -1),
            "visit": place.get(row.visit, -1),
            "tube": row.tube,
            "strategy": strategy,
            "batch": row.batch,
            "instrument": row.instrument or summary.cytometer,
            "block": summary.block,
            "failure": messages.get(tube_id, ""),
            "state": state.state,
            "reason": state.reason,
            "events": summary.n_events,
            "duration": compact(summary.acquisition.get("duration")),
            "rate": list(summary.acquisition.get("rate") or ()),
            "margins": [[words(name), compact(share, 3)] for name, share in summary.acquisition.get("margins") or ()],
            "kept": _share(summary, strategy, roles, "time_qc"),
            "beads": _count(summary, strategy, roles, "beads"),
            "gates": numbers,
        }
        verdict, why, unstable = judged.get(tube_id, ("", "", None))
        if verdict:
            entry |= {"verdict": verdict, "why": why, "unstable": unstable}
            entry["faults"] = [
                [begin, end, words(told)] for begin, end, told in summary.acquisition.get("unstable") or ()
            ]
        own = corrected.get(tube_id, {})
        moved = [[place, *map(texts, own[path])] for place, path in enumerate(summary.paths) if path in own]
        if moved:
            entry["moved"] = moved
        entries.append((row.subject, entry["visit"], row.tube, tube_id, entry))
    return [entry[-1] for entry in sorted(entries, key=lambda entry: entry[:4])]


def _judged(inputs: ReportInputs) -> dict[str, tuple[str, str, float | int | None]]:
    """Verdict, its reasons, and the share of unstable events of each tube."""
    if inputs.quality is None:
        return {}
    columns = ["tube_id", "quality", "quality_reasons", "unstable"]
    return {
        words(tube_id): (words(verdict), words(why), compact(unstable))
        for tube_id, verdict, why, unstable in inputs.quality[columns].itertuples(index=False)
    }


def split_sums(rows: Sequence[SheetRow], summaries: Mapping[str, TubeSummary]) -> tuple[SheetRow, ...]:
    """Put replicates that were summed (``T1+T2``) apart where each has pictures of its own."""
    found: dict[str, SheetRow] = {}
    for row in rows:
        parts = row.tube_id.split("+") if row.tube_id not in summaries else [row.tube_id]
        chosen = parts if all(part in summaries for part in parts) else [row.tube_id]
        found |= {part: replace(row, tube_id=part) for part in chosen}
    return tuple(found.values())


def strategies_of(inputs: ReportInputs) -> dict[str, str]:
    """Return the strategy of every tube that has counts."""
    found: dict[str, str] = {}
    for tube_id, strategy in inputs.counts[["tube_id", "strategy"]].drop_duplicates().itertuples(index=False):
        for part in (words(tube_id), *words(tube_id).split("+")):
            found.setdefault(part, words(strategy))
    return found


def _roles(inputs: ReportInputs) -> dict[str, set[tuple[str, str]]]:
    """Populations by role."""
    found: dict[str, set[tuple[str, str]]] = {}
    if "role" in inputs.counts.columns:
        table = inputs.counts[["role", "strategy", "population"]].drop_duplicates()
        for role, strategy, population in table.itertuples(index=False):
            found.setdefault(words(role), set()).add((words(strategy), words(population)))
    return found


def _gate_of(
    summary: TubeSummary, strategy: str, roles: Mapping[str, set[tuple[str, str]]], role: str
) -> tuple[float | None, ...] | None:
    wanted = roles.get(role, set())
    found = [gate for path, gate in zip(summary.paths, summary.gates, strict=True) if (strategy, path) in wanted]
    return found[0] if len(found) == 1 else None


def _share(
    summary: TubeSummary, strategy: str, roles: Mapping[str, set[tuple[str, str]]], role: str
) -> float | int | None:
    gate = _gate_of(summary, strategy, roles, role)
    count, parent = (None, None) if gate is None else (gate[_COUNT], gate[_PARENT])
    return None if count is None or not parent else compact(100.0 * count / parent)


def _count(
    summary: TubeSummary, strategy: str, roles: Mapping[str, set[tuple[str, str]]], role: str
) -> float | int | None:
    gate = _gate_of(summary, strategy, roles, role)
    return None if gate is None else compact(gate[_COUNT], 12)


def _values(inputs: ReportInputs) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Cells/µL with interval and flags of each population of each tube."""
    columns = ["tube_id", "population", "cells_per_ul", "lower", "upper", "flags"]
    return {
        (words(tube_id), words(population)): (compact(value), compact(lower), compact(upper), words(flags))
        for tube_id, population, value, lower, upper, flags in inputs.counts[columns].itertuples(index=False)
    }
