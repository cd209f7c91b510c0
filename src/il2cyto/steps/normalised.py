"""Normalisation as a step of a run: learnt from control donors, and counts by common gates beside the raw ones."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from il2cyto import __version__
from il2cyto.counts.roles import NotEvaluableError, find_living
from il2cyto.errors import Il2CytoError, OutputError, StrategyError, did_you_mean
from il2cyto.fcs import read_fcs
from il2cyto.gates import Dimension, Gate, Limits, PolygonGate, RectangleGate
from il2cyto.gating import GatingStrategy
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.remap import remap
from il2cyto.normalise import (
    ClusteredNormalisation,
    Normalisation,
    common_position,
    from_json,
    learn_quantiles,
    origin,
    to_json,
)
from il2cyto.provenance import hash_content, write_text
from il2cyto.sample import Sample
from il2cyto.steps.folder import NORMALISATION
from il2cyto.steps.gates import TubeGates, gates_in_batch, load_strategies
from il2cyto.steps.key import code_sha256
from il2cyto.steps.sources import FileHash, SourceMemory
from il2cyto.study.checks import default_checks
from il2cyto.study.model import ControlRecord, LearntFile, Study, TubeRecord

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.steps.tables import TubeFacts

#: Events of a control that curves are learnt from at most.
EVENTS: Final = 30_000
#: Raised when the content of the files changes.
FORMAT: Final = 1

#: Columns of ``normalisation.csv``.
COLUMNS: Final = ("tube", "batch", "marker", "controls", "n_events", "median", "goal_median", "reason")


@dataclass(frozen=True)
class NormalisedGates:
    """The gates of a tube that do to its raw events what common gates do to normalised ones.

    Attributes
    ----------
    strategy
        ``None`` where there are none.
    reason
        Why, else empty.
    moved
        Population, marker, position before and after, on the axis of the gate.
    """

    strategy: GatingStrategy | None
    reason: str = ""
    moved: tuple[tuple[str, str, float, float], ...] = ()


def learn_normalisation(
    study: Study, out: Path, memory: SourceMemory, *, verify: bool = False, say: Callable[[str], None]
) -> Study:
    """Learn the curves of every kind of tube that the study normalises, and return the study whose tubes get them.

    Parameters
    ----------
    study
        With its learnt gates.
    out
        Results folder, which the caller holds; ``normalisation/`` is written where something that decides it has
        changed.
    memory
        Hashes of files that are known.
    verify
        Hash every file anew.
    say
        Told of each stage.

    Raises
    ------
    StrategyError
        If a marker is in no gate of its strategy, or on several axes.
    OutputError
        If the folder cannot be written.
    """
    files: dict[str, LearntFile] = {}
    for name, record in _kinds(study).items():
        markers = study.normalise[record.tube]
        donors = [one for one in study.controls if (one.kind, one.tube) == ("donor", record.tube) and one.batch]
        hashes = {}
        for donor in donors:
            file = FileHash(donor.fcs, None if verify else memory.recall(donor.control_id, donor.fcs))
            hashes[donor.control_id] = file.sha256
            if file.source is not None:
                memory.remember(donor.control_id, file.source)
        key = _key(record, markers, donors, hashes)
        path = out / NORMALISATION / f"{name}.json"
        found = _find(path)
        if found is None or found[1].get("key") != key:
            say(f"normalising {name}")
            found = _learn(record, markers, donors, hashes, key, path), {}
        files[name] = found[0]
    return _with_files(study, files)


def with_normalised(study: Study, out: Path) -> Study:
    """Return the study whose tubes get the curves that stand in a results folder."""
    found = {name: _find(out / NORMALISATION / f"{name}.json") for name in _kinds(study)}
    return _with_files(study, {name: one[0] for name, one in found.items() if one is not None})


def normalised_gates(record: TubeRecord, gates: TubeGates) -> NormalisedGates | None:
    """Return the gates for normalised counts of a tube; ``None`` where its kind is not normalised.

    Parameters
    ----------
    record
        The row of the samples sheet.
    gates
        What gates its raw events. Gates that the tube or its subject learns for itself follow its values already, and
        gates that a person drew are left where they are.
    """
    if record.normalised is None:
        return None
    content = read_normalisation(record.normalised)
    normalisation, axes = content.normalisation, content.axes
    batch = record.batch or ""
    if normalisation is None or batch not in normalisation.n_events:
        return NormalisedGates(None, f"batch {batch or '(none)'} has no control donor of {record.tube}")
    for marker in axes:
        reason = normalisation.reason(batch, marker)
        if reason:
            return NormalisedGates(None, f"{marker} of batch {batch} is not normalised: {reason}")
    others = {name: gates_in_batch(record, name).strategy for name in sorted(normalisation.n_events)}
    own = _own(gates)
    populations, moved, changed = list(gates.strategy.populations), [], set()
    for i, population in enumerate(populations):
        path = gates.strategy.paths[i]
        used = [k for k, one in enumerate(population.gate.dimensions) if one in axes.values()]
        if path in own or not used:
            continue
        if not isinstance(population.gate, RectangleGate | PolygonGate):
            kind = type(population.gate).__name__.removesuffix("Gate").lower()
            return NormalisedGates(None, f"{population.name} is gated by an {kind}, which cannot follow a curve")
        same = {
            name: strategy.populations[i].gate
            for name, strategy in others.items()
            if type(strategy.populations[i].gate) is type(population.gate)
        }
        gate, steps = _moved(population.gate, same, normalisation, batch, axes)
        populations[i] = replace(population, gate=gate)
        moved += [(path, marker, before, after) for marker, before, after in steps]
        changed.add(i)
    learning = remap(gates.strategy.learning, {i: i for i in range(len(populations)) if i not in changed})
    strategy = replace(gates.strategy, populations=tuple(populations), learning=learning)
    return NormalisedGates(strategy, "", tuple(moved))


def normalised_content(
    record: TubeRecord, gates: TubeGates, sample: Sample, kept: tuple[tuple[int, int], ...] | None, threads: int
) -> dict[str, Any] | None:
    """Return what ``result.json`` says of a tube's normalised counts; ``None`` where its kind is not normalised.

    Returns
    -------
    ``sha256`` of the file of curves, ``reason`` why there are no counts, ``moved`` gates, and ``counts``: the count of
    each population by its path, ``None`` where it is not estimable.
    """
    made = normalised_gates(record, gates)
    if made is None or record.normalised is None:
        return None
    content: dict[str, Any] = {"sha256": record.normalised.sha256, "reason": made.reason, "moved": [], "counts": {}}
    if made.strategy is None:
        return content
    result = made.strategy.apply(sample, threads=threads, kept=kept)
    content["moved"] = [[path, marker, round(old, 9), round(new, 9)] for path, marker, old, new in made.moved]
    content["counts"] = {
        path: None if reason else int(number)
        for path, reason, number in zip(result.strategy.paths, result.reasons, result.n_inside.tolist(), strict=True)
    }
    return content


def normalised_populations(populations: pd.DataFrame, facts: Mapping[str, TubeFacts]) -> pd.DataFrame:
    """Return the table of populations with normalised counts in the place of raw ones where a kind is normalised.

    Where there are no normalised counts of such a tube its populations are not estimable, with the reason.
    """
    from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE, ROOT

    table = populations.copy()
    if table.empty:
        return table
    used = np.array([facts[tube_id].normalised is not None for tube_id in table["tube_id"]], dtype=np.bool_)
    some = table.loc[used, ["tube_id", "population", "parent", "parent_count", "reason"]]
    rows = []
    for tube_id, path, parent, whole, why in some.itertuples(index=False):
        found = facts[tube_id].normalised or {"counts": {}, "reason": ""}
        number = found["counts"].get(path)
        # the events that were gated are the same
        above = whole if parent == ROOT else found["counts"].get(parent)
        lost = f"not normalised: {found['reason']}" if found["reason"] else why if number is None else ""
        rows.append((None, None, NOT_ESTIMABLE, lost) if lost else (number, above, ESTIMATED, ""))
    for k, name in enumerate(("count", "parent_count", "status", "reason")):
        values = [row[k] for row in rows]
        table.loc[used, name] = values if k > 1 else np.array([np.nan if v is None else v for v in values], dtype=float)
    table[["count", "parent_count"]] = table[["count", "parent_count"]].astype("Int64")
    part, whole_events = (table[name].to_numpy(np.float64, na_value=np.nan) for name in ("count", "parent_count"))
    with np.errstate(invalid="ignore", divide="ignore"):
        table["percent_parent"] = np.where(whole_events > 0, 100.0 * part / whole_events, np.nan)
    return table


def normalised_counts(raw: pd.DataFrame, normalised: pd.DataFrame, facts: Mapping[str, TubeFacts]) -> pd.DataFrame:
    """Return the counts of tubes of normalised kinds with the raw ones of the same tube and population behind them.

    Parameters
    ----------
    raw, normalised
        From `counts.count_table`, of raw and of normalised populations.
    facts
        Of the tubes.
    """
    names = ["count", "percent_parent", "cells_per_ul"]
    keys = ["tube_id", "population"]
    ids = {tube_id for tube_id, fact in facts.items() if fact.normalised is not None}
    # a mask of booleans even where the table is empty: an empty list would choose no columns
    mask = np.array([bool(ids & set(str(one).split("+"))) for one in normalised["tube_id"]], dtype=np.bool_)
    used = normalised[mask]
    other = raw[[*keys, *names]].rename(columns={name: f"raw_{name}" for name in names})
    return used.merge(other, on=keys, how="left", validate="one_to_one")


def normalisation_table(study: Study) -> pd.DataFrame:
    """Return one row per kind of tube, batch and marker: what was learnt from what, and why not."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name, record in _kinds(study).items():
        if record.normalised is None:
            continue
        content = read_normalisation(record.normalised)
        if content.normalisation is None:
            reason = f"the controls sheet has no donor of {record.tube} with a batch"
            rows += [{"tube": name, "marker": marker, "reason": reason} for marker in content.axes]
            continue
        learnt = content.normalisation
        middle = int(np.argmin(np.abs(np.array(learnt.levels) - 0.5)))
        for batch in sorted(learnt.n_events):
            for marker in learnt.channels:
                own = learnt.quantiles[batch].get(marker)
                rows.append(
                    {
                        "tube": name,
                        "batch": batch,
                        "marker": marker,
                        "controls": " ".join(content.controls.get(batch, ())),
                        "n_events": learnt.n_events[batch],
                        "median": own[middle] if own else None,
                        "goal_median": learnt.goal[marker][middle] if own else None,
                        "reason": learnt.reason(batch, marker),
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class NormalisationFile:
    """A file of curves: the curves (``None`` without a control), the axis of each marker, the controls of each
    batch."""

    normalisation: Normalisation | None
    axes: Mapping[str, Dimension]
    controls: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=64)
def read_normalisation(file: LearntFile) -> NormalisationFile:
    """Read a file of curves.

    Raises
    ------
    OutputError
        If it is not as it was written.
    """
    try:
        content = file.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ValueError
        plain = json.loads(content)
        learnt = from_json(plain["normalisation"]) if plain["normalisation"] else None
        if isinstance(learnt, ClusteredNormalisation):
            raise TypeError
        axes = {marker: Dimension(*axis) for marker, axis in plain["axes"].items()}
        return NormalisationFile(learnt, axes, {batch: tuple(ids) for batch, ids in plain["controls"].items()})
    except (OSError, ValueError, KeyError, TypeError, Il2CytoError) as error:
        raise OutputError(f"{file.path}: is missing or not as it was written; delete it and run again") from error


def _kinds(study: Study) -> dict[str, TubeRecord]:
    """The first tube of every kind that is normalised, by name of its file."""
    found: dict[str, TubeRecord] = {}
    seen: dict[str, int] = defaultdict(int)
    for record in _firsts(study.records):
        if record.tube in study.normalise and _readable(record):
            seen[record.tube] += 1
            found[record.tube if seen[record.tube] == 1 else f"{record.tube}-{seen[record.tube]}"] = record
    return found


def _readable(record: TubeRecord) -> bool:
    try:
        load_strategies(record.strategy.path, record.panel, record.tube)
    except Il2CytoError:
        return False  # every tube of it fails with this error
    return True


def _firsts(records: Iterable[TubeRecord]) -> list[TubeRecord]:
    return list({_kind(record): record for record in reversed(list(records))}.values())[::-1]


def _kind(record: TubeRecord) -> tuple[str, Path, Path | None]:
    return record.tube, record.strategy.path, record.panel


def _with_files(study: Study, files: Mapping[str, LearntFile]) -> Study:
    if not files:
        return study
    kinds = _kinds(study)
    by_kind = {_kind(kinds[name]): file for name, file in files.items()}
    return replace(study, records=tuple(replace(one, normalised=by_kind.get(_kind(one))) for one in study.records))


def _find(path: Path) -> tuple[LearntFile, dict[str, Any]] | None:
    try:
        content = path.read_bytes()
        plain = json.loads(content)
    except (OSError, ValueError):
        return None
    if not isinstance(plain, dict) or "key" not in plain:
        return None
    return LearntFile(path, hashlib.sha256(content).hexdigest()), plain


def _key(record: TubeRecord, markers: Sequence[str], donors: Sequence[ControlRecord], hashes: Mapping[str, str]) -> str:
    gates = gates_in_batch(record, "")
    return hash_content(
        {
            "format": FORMAT,
            "il2cyto": __version__,
            "code": code_sha256(),
            "strategy": gates.drawn.content_hash,
            "panel": gates.panel.content_hash if gates.panel is not None else None,
            "learnt": record.learnt.sha256 if record.learnt is not None else None,
            "events": EVENTS,
            "markers": list(markers),
            "donors": sorted([one.control_id, one.batch or "", hashes[one.control_id]] for one in donors),
        }
    )


def _learn(
    record: TubeRecord,
    markers: Sequence[str],
    donors: Sequence[ControlRecord],
    hashes: Mapping[str, str],
    key: str,
    path: Path,
) -> LearntFile:
    axes = {marker: _axis(gates_in_batch(record, "").drawn, marker) for marker in markers}
    events: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    controls: dict[str, list[str]] = defaultdict(list)
    unused = {}
    for donor in sorted(donors, key=lambda one: one.control_id):
        try:
            values = _values(record, donor, list(axes.values()))
        except (Il2CytoError, NotEvaluableError) as error:
            unused[donor.control_id] = error.public if isinstance(error, Il2CytoError) else str(error)
            continue
        events[donor.batch or ""].append(values)
        controls[donor.batch or ""].append(donor.control_id)
    learnt = learn_quantiles({b: np.concatenate(v) for b, v in events.items()}, markers) if events else None
    content = {
        "key": key,
        "il2cyto": __version__,
        "tube": record.tube,
        "axes": {marker: [axis.source, axis.compensation, axis.transform] for marker, axis in axes.items()},
        "controls": dict(sorted(controls.items())),
        "fcs_sha256": dict(sorted(hashes.items())),
        "unused": dict(sorted(unused.items())),
        "normalisation": to_json(learnt) if learnt is not None else "",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_text(path, text)
    return LearntFile(path, hashlib.sha256(text.encode()).hexdigest())


def _axis(strategy: GatingStrategy, marker: str) -> Dimension:
    found = dict.fromkeys(
        one for population in strategy.populations for one in population.gate.dimensions if one.source == marker
    )
    if len(found) != 1:
        known = sorted({str(one.source) for p in strategy.populations for one in p.gate.dimensions})
        raise StrategyError(
            "strategy {id!r}: {marker!r} of normalise: is "
            + ("on several axes" if found else "in none of its gates{close}; known: {known}"),
            id=strategy.id, marker=marker, close=did_you_mean(marker, known), known=", ".join(known),
        )  # fmt: skip
    return next(iter(found))


def _values(record: TubeRecord, donor: ControlRecord, axes: Sequence[Dimension]) -> NDArray[np.float64]:
    """Living lymphocytes of a control on the axes of the markers; every event where the strategy has none."""
    gates = gates_in_batch(record, donor.batch or "")
    sample = read_fcs(donor.fcs, gates.panel or gates.strategy.panel)
    result = gates.strategy.apply(sample)
    rows = [{str(key): value for key, value in row.items()} for row in result.counts.to_dict("records")]
    try:
        living = find_living(rows, default_checks())
        inside = result.membership("root" if living["reason"] else living["population"])
    except NotEvaluableError:
        inside = result.membership("root")
    chosen = np.flatnonzero(inside)
    if len(chosen) > EVENTS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, EVENTS).round().astype(np.int64)]
    columns = []
    for axis in axes:
        linear = linear_values(result, axis, chosen)
        if linear is None:
            raise NotEvaluableError(f"it lacks {axis.label}")
        transform = result.strategy.transforms[axis.transform] if axis.transform else None
        columns.append(linear if transform is None else transform.apply(linear))
    table = np.column_stack(columns)
    return np.asarray(table[np.isfinite(table).all(axis=1)], dtype=np.float64)


def _own(gates: TubeGates) -> set[str]:
    """Populations whose gate follows the tube already, or was drawn by a person for it."""
    names = {gate.id for gate in gates.learnt if gate.scope in ("tube", "subject")}
    cuts = [cut for cut in gates.drawn.learning.cuts if ("cut", cut.name) in names]
    paths = {gates.drawn.paths[use.population] for cut in cuts for use in cut.uses}
    paths |= {name for kind, name in names if kind == "shape"}
    return paths | {moved.population for moved in gates.moved}


def _moved(
    gate: RectangleGate | PolygonGate,
    others: Mapping[str, Gate],
    normalisation: Normalisation,
    batch: str,
    axes: Mapping[str, Dimension],
) -> tuple[RectangleGate | PolygonGate, list[tuple[str, float, float]]]:
    """The gate with each position on a normalised axis at the origin of the common one."""
    markers = {axis: marker for marker, axis in axes.items()}
    steps: list[tuple[str, float, float]] = []

    def to(axis: Dimension, before: float | None, elsewhere: Mapping[str, float | None]) -> float | None:
        if before is None or axis not in markers:
            return before
        marker = markers[axis]
        places = {name: place for name, place in elsewhere.items() if place is not None}
        common = common_position(normalisation, marker, places or {batch: before})
        after = float(origin(normalisation, batch, marker, [common])[0])
        steps.append((marker, before, after))
        return after

    if isinstance(gate, RectangleGate):
        same = {name: one for name, one in others.items() if isinstance(one, RectangleGate)}
        limits = []
        for k, limit in enumerate(gate.limits):
            low = to(limit.dimension, limit.minimum, {name: one.limits[k].minimum for name, one in same.items()})
            high = to(limit.dimension, limit.maximum, {name: one.limits[k].maximum for name, one in same.items()})
            limits.append(Limits(limit.dimension, low, high))
        return RectangleGate(tuple(limits)), steps
    polygons = {
        name: one
        for name, one in others.items()
        if isinstance(one, PolygonGate) and len(one.vertices) == len(gate.vertices)
    }
    vertices = []
    for v, vertex in enumerate(gate.vertices):
        corner = [
            to(gate.dimensions[k], vertex[k], {name: one.vertices[v][k] for name, one in polygons.items()})
            for k in (0, 1)
        ]
        vertices.append((float(corner[0] or 0.0), float(corner[1] or 0.0)))
    return replace(gate, vertices=tuple(vertices)), steps
