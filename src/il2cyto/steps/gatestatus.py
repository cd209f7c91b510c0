"""Where the gate of each population comes from, and how far its percentage would move with it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.learnt import LearntGate
from il2cyto.gates import BooleanGate, Dimension, Gate, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating.amend import APPLIED
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.result import GatingResult
from il2cyto.keys import ROOT
from il2cyto.steps.gates import TubeGates

FloatArray = NDArray[np.float64]

#: Events of a parent that show how far a percentage moves.
EVENTS: Final = 3_000
#: A gate as the template draws it, and one that a person moved.
FIXED, OVERRIDDEN = "fixed", "overridden"
#: From the strongest to the weakest; a population has the weakest of its gates.
_ORDER: Final = (OVERRIDDEN, FIXED, "estimated", "borrowed", "template", "not_estimable")


def gate_rows(result: GatingResult, gates: TubeGates) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """Return a row per population with what its counts should say of its gate, and where learnt populations lie.

    Keys: ``gate_status`` (``fixed``, ``estimated``, ``borrowed``, ``template``, ``not_estimable``, ``overridden``),
    ``gate_source`` (where it was learnt), ``gate_lower`` and ``gate_upper`` (percent of the parent at the 2.5th and
    97.5th percentile of the bootstrap of the gate; ``None`` where nothing was learnt) and ``cv_gate`` (standard
    deviation of the log of that percentage). The second holds, by name of the cut or path of the shape, the median of
    the events inside the first gate that it limits, on each axis of the cut or shape, in axis units.
    """
    strategy = result.strategy
    moved = {one.population for one in gates.moved if one.status == APPLIED}
    by_id = {gate.id: gate for gate in gates.learnt}
    own: list[list[LearntGate]] = [[] for _ in strategy.populations]
    for cut in gates.drawn.learning.cuts:
        for use in cut.uses:
            if ("cut", cut.name) in by_id:
                own[use.population].append(by_id["cut", cut.name])
    for shape in gates.drawn.learning.shapes:
        path = gates.drawn.paths[shape.population]
        if ("shape", path) in by_id:
            own[shape.population].append(by_id["shape", path])
    rows: list[dict[str, Any]] = [{} for _ in strategy.populations]
    locations: dict[str, list[float]] = {}
    for i in strategy.order:
        path, gate = strategy.paths[i], strategy.populations[i].gate
        if path in moved:
            rows[i] = _row(OVERRIDDEN, "")
        elif isinstance(gate, BooleanGate):
            others = [rows[strategy.resolve(operand.population)] for operand in gate.operands]
            weakest = max(others, key=lambda row: _ORDER.index(row["gate_status"]))
            rows[i] = _row(weakest["gate_status"], weakest["gate_source"])
        elif not own[i]:
            rows[i] = _row(FIXED, "")
        else:
            status = max((one.status for one in own[i]), key=_ORDER.index)
            limits: tuple[float | None, float | None, float | None] = (None, None, None)
            if not result.reasons[i]:
                limits = _limits(result, gates, i, own[i])
                _locate(result, gates, i, own[i], locations)
            rows[i] = _row(status, "; ".join(sorted({_source(one) for one in own[i]})), *limits)
    return rows, locations


def _locate(
    result: GatingResult, gates: TubeGates, i: int, learnt: list[LearntGate], locations: dict[str, list[float]]
) -> None:
    """Add the medians of the events of a population for the gates that are met here for the first time."""
    new = [one for one in learnt if one.name not in locations]
    events = np.flatnonzero(result.membership(result.strategy.paths[i])) if new else np.empty(0, dtype=np.int64)
    if not len(events):
        return
    events = events[:: max(len(events) // 1_000, 1)]
    axes = {cut.name: (cut.dimension,) for cut in gates.drawn.learning.cuts}
    for one in new:
        dimensions = axes[one.name] if one.kind == "cut" else result.strategy.populations[i].gate.dimensions
        locations[one.name] = [float(np.median(_on_axis(result, each, events))) for each in dimensions]


def _row(
    status: str, source: str, lower: float | None = None, upper: float | None = None, cv: float | None = None
) -> dict[str, Any]:
    return {
        "gate_status": status, "gate_source": source, "gate_lower": lower, "gate_upper": upper, "cv_gate": cv,
    }  # fmt: skip


def _source(gate: LearntGate) -> str:
    if gate.status == "not_estimable":
        return f"not estimable: {gate.reason}"
    if gate.status == "template":
        return f"template, because {gate.reason}"
    unit = f"{gate.scope} {gate.unit}".strip()
    where = f"borrowed from {gate.borrowed_from}" if gate.status == "borrowed" else unit
    tubes = len(gate.learnt_from)
    return f"{where} ({tubes} tube{'' if tubes == 1 else 's'})" if gate.scope != "tube" else "this tube"


def _limits(
    result: GatingResult, gates: TubeGates, i: int, learnt: list[LearntGate]
) -> tuple[float | None, float | None, float | None]:
    """Percent of the parent over the draws of all cuts of the gate, drawn together."""
    strategy = result.strategy
    gate = strategy.populations[i].gate
    n_draws = min((len(one.draws) for one in learnt if one.draws), default=0)
    if n_draws < 2:
        return None, None, None
    above = strategy.parents[i]
    inside = result.membership(strategy.paths[above]) if above >= 0 else result.membership(ROOT)
    events = np.flatnonzero(inside)
    if not len(events):
        return None, None, None
    if len(events) > EVENTS:
        events = events[np.linspace(0, len(events) - 1, EVENTS).round().astype(np.int64)]
    values = [_on_axis(result, dimension, events) for dimension in gate.dimensions]
    if isinstance(gate, PolygonGate):
        places = np.array([learnt[0].place, *learnt[0].draws[:n_draws]])
        held = _polygons(np.stack(values, axis=1), places)
    else:
        cuts = {
            (use.dimension, use.side): np.array([one.place[0], *(draw[0] for draw in one.draws[:n_draws])])
            for cut in gates.drawn.learning.cuts
            for use in cut.uses
            for one in learnt
            if use.population == i and one.kind == "cut" and one.name == cut.name and one.draws
        }
        if one_range(learnt):
            place = np.array([learnt[0].place, *learnt[0].draws[:n_draws]])
            cuts = {(0, "min"): place[:, 0], (0, "max"): place[:, 1]}
        held = _ranges(values, gate, cuts, n_draws + 1)
    share = np.where(strategy.populations[i].complement, 1.0 - held, held)
    # the chosen events show how far the percentage moves; where it stands all events say
    here, drawn = float(share[0]), share[1:]
    count = int(result.n_inside[i])
    whole = result.n_root if above < 0 else int(result.n_inside[above])
    if here <= 0 or not whole:
        return None, None, None
    lower, upper = np.quantile(drawn, [0.025, 0.975]) / here * 100.0 * count / whole
    return float(lower), float(min(upper, 100.0)), float(drawn.std(ddof=1) / here)


def one_range(learnt: list[LearntGate]) -> bool:
    """Whether a gate was learnt as a whole range."""
    return learnt[0].kind == "shape"


def _on_axis(result: GatingResult, dimension: Dimension, events: NDArray[np.int64]) -> FloatArray:
    values = linear_values(result, dimension, events)
    if values is None:
        return np.full(len(events), np.nan)
    return values if dimension.transform is None else result.strategy.transforms[dimension.transform].apply(values)


def _ranges(values: list[FloatArray], gate: Gate, cuts: dict[tuple[int, Any], FloatArray], n_draws: int) -> FloatArray:
    """Share of the events inside at each place, float64 ``(n_draws,)``."""
    box = gate.as_rectangle() if isinstance(gate, QuadrantGate) else gate
    if not isinstance(box, RectangleGate):
        return np.full(n_draws, np.nan)
    inside = np.ones((n_draws, len(values[0])), dtype=np.bool_)
    axes = [k for k, one in enumerate(gate.region) if one is not None] if isinstance(gate, QuadrantGate) else None
    for k, limit in enumerate(box.limits):
        axis = axes[k] if axes is not None else k
        divider = cuts.get((axis, "divider"))
        low = cuts.get((axis, "min"), divider) if limit.minimum is not None else None
        high = cuts.get((axis, "max"), divider) if limit.maximum is not None else None
        for edge, drawn, lower in ((limit.minimum, low, True), (limit.maximum, high, False)):
            if edge is None:
                continue
            at = np.full(n_draws, edge) if drawn is None else drawn
            inside &= (values[axis] >= at[:, None]) if lower else (values[axis] < at[:, None])
    return np.asarray(inside.mean(axis=1))


def _polygons(points: FloatArray, draws: FloatArray) -> FloatArray:
    """Share of the points inside each polygon, float64 ``(n_draws,)``."""
    from matplotlib.path import Path

    shares = []
    for draw in draws:
        corners = draw.reshape(-1, 2)
        shares.append(Path(np.vstack([corners, corners[:1]])).contains_points(points).mean())
    return np.array(shares)
