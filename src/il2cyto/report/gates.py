"""Strategies in words and numbers: matrices, transforms and the boundaries of every gate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from il2cyto.compensation import SpilloverMatrix
from il2cyto.gates import BooleanGate, Dimension, EllipsoidGate, Gate, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating import GatingStrategy
from il2cyto.report.tables import TextTable

#: Strategies of one tube type that are described; a workspace may hold one for every file.
MOST_STRATEGIES = 5

_FORMULAS = {
    "linear": "y = (x + A) / (T + A)",
    "log": "y = log10(x / T) / M + 1",
    "logicle": "y with x = a·e^(b·y) − c·e^(−d·y) − f; a … f from T, W, M, A",
    "hyperlog": "y with x = a·e^(b·y) + c·y − f; a, b, c, f from T, W, M, A",
    "arcsinh": "y = (asinh(x · sinh(M·ln 10) / T) + A·ln 10) / ((M + A)·ln 10)",
    "biex": "FlowJo's table of 4,097 points, linear between them",
    "flowjo_linear": "y = (x − minimum) / (maximum − minimum)",
}


def matrix_table(strategies: Sequence[tuple[str, GatingStrategy]]) -> TextTable:
    """List which matrix the gates of each strategy ask for, with its hash where the strategy holds it.

    Each matrix is a *spillover* matrix: a row is the share of one fluorochrome's signal in every detector. It is
    applied by solving, not by a stored inverse.
    """
    rows = []
    for tube, strategy in strategies:
        used = dict.fromkeys(
            dimension.compensation for population in strategy.populations for dimension in population.gate.dimensions
        )
        for name in used:
            if name == UNCOMPENSATED:
                kind, detail = "none: channels taken as stored (scatter, time)", ""
            elif name == FROM_FILE:
                kind, detail = (
                    "spillover matrix of each FCS file",
                    "the values stand in the file; its SHA-256 is in Provenance",
                )
            else:
                matrix = strategy.matrices[name]
                kind = f"spillover matrix of the strategy, {len(matrix.fluorochromes)} × {len(matrix.detectors)}"
                detail = f"SHA-256 {matrix.content_hash}"
            rows.append((tube, strategy.id, name, kind, detail))
    return TextTable("", ("tube", "strategy", "matrix", "what it is", "identity"), tuple(dict.fromkeys(rows)))


def matrix_values(strategies: Sequence[tuple[str, GatingStrategy]]) -> tuple[TextTable, ...]:
    """Print every matrix that a strategy holds, each once."""
    found: dict[str, TextTable] = {}
    for _, strategy in first_of_each(strategies):
        for name, matrix in strategy.matrices.items():
            found.setdefault(matrix.content_hash, _values(f"{strategy.id}: {name}", matrix))
    return tuple(found.values())


def transform_table(strategies: Sequence[tuple[str, GatingStrategy]]) -> TextTable:
    """List the transforms of every strategy with their formula and parameters."""
    rows = []
    for tube, strategy in first_of_each(strategies):
        for name, transform in strategy.transforms.items():
            content = transform.to_dict()
            kind = str(content.pop("type"))
            parameters = ", ".join(f"{key} = {_plain(value)}" for key, value in content.items())
            rows.append((tube, strategy.id, name, kind, _FORMULAS.get(kind, ""), parameters))
    columns = ("tube", "strategy", "transform", "kind", "formula (Gating-ML 2.0)", "parameters")
    return TextTable("", columns, tuple(dict.fromkeys(rows)))


def gate_tables(strategies: Sequence[tuple[str, GatingStrategy]]) -> tuple[TextTable, ...]:
    """Describe every population of every strategy: parent, gate and boundaries in units of the gate's own axes.

    Of strategies that were made for single tubes the first `MOST_STRATEGIES` of a tube type are described.
    """
    tables = []
    for tube, strategy in first_of_each(strategies):
        rows = []
        for population, path in zip(strategy.populations, strategy.paths, strict=True):
            parent = path.rpartition("/")[0] or "all events"
            outside = "not inside: " if population.complement else ""
            gate = population.gate.as_rectangle() if isinstance(population.gate, QuadrantGate) else population.gate
            rows.append(
                (
                    population.name,
                    parent.replace("/", " › "),
                    _kind(population.gate),
                    outside + describe_gate(gate, strategy),
                    population.definition,
                )
            )
        title = f"{tube}: {strategy.id} {strategy.version}, SHA-256 {strategy.content_hash}"
        tables.append(TextTable(title, ("population", "parent", "gate", "boundaries", "definition"), tuple(rows)))
    return tuple(tables)


def first_of_each(strategies: Sequence[tuple[str, GatingStrategy]]) -> list[tuple[str, GatingStrategy]]:
    """Return the first `MOST_STRATEGIES` of each tube type."""
    numbers: Counter[str] = Counter()
    kept = []
    for tube, strategy in strategies:
        numbers[tube] += 1
        if numbers[tube] <= MOST_STRATEGIES:
            kept.append((tube, strategy))
    return kept


def describe_gate(gate: Gate, strategy: GatingStrategy) -> str:
    """Return the boundaries of a gate as text, in units of its own axes, limits also on the linear scale.

    Examples
    --------
    >>> from il2cyto.gates import Limits
    >>> from il2cyto.gating import Population
    >>> gate = RectangleGate((Limits(Dimension("FSC-A"), 50_000.0, None),))
    >>> describe_gate(gate, GatingStrategy("s", (Population("cells", "root", gate),)))
    'FSC-A ≥ 50000'
    """
    if isinstance(gate, RectangleGate):
        parts = []
        for limit in gate.limits:
            low, high = (_limit(limit.dimension, edge, strategy) for edge in (limit.minimum, limit.maximum))
            name = axis_name(limit.dimension)
            if limit.minimum is None:
                parts.append(f"{name} < {high}")
            else:
                parts.append(f"{name} ≥ {low}" if limit.maximum is None else f"{low} ≤ {name} < {high}")
        return " and ".join(parts)
    if isinstance(gate, PolygonGate):
        axes = " × ".join(axis_name(dimension) for dimension in gate.dimensions)
        return f"{axes}: " + ", ".join(f"({_plain(x)}, {_plain(y)})" for x, y in gate.vertices)
    if isinstance(gate, EllipsoidGate):
        axes = " × ".join(axis_name(dimension) for dimension in gate.dimensions)
        mean = ", ".join(map(_plain, gate.mean))
        covariance = "; ".join(", ".join(map(_plain, row)) for row in gate.covariance)
        return f"{axes}: centre ({mean}), covariance ({covariance}), squared distance ≤ {_plain(gate.distance_square)}"
    if isinstance(gate, BooleanGate):
        names = [f"not {operand.population}" if operand.complement else operand.population for operand in gate.operands]
        joined = f" {gate.operation} ".join(names)
        return f"not {joined}" if gate.operation == "not" else joined
    return f"a {_kind(gate)} on " + " × ".join(axis_name(dimension) for dimension in gate.dimensions)


def axis_name(dimension: Dimension) -> str:
    """Name of an axis with the transform that its numbers are on."""
    return f"{dimension.label} [{dimension.transform}]" if dimension.transform else dimension.label


def _limit(dimension: Dimension, edge: float | None, strategy: GatingStrategy) -> str:
    if edge is None:
        return ""
    if dimension.transform is None:
        return _plain(edge)
    linear = float(strategy.transforms[dimension.transform].inverse(edge))
    return f"{_plain(edge)} (linear {_plain(linear, 4)})" if math.isfinite(linear) else _plain(edge)


def _kind(gate: Gate) -> str:
    name = type(gate).__name__.removesuffix("Gate")
    return f"{name.removeprefix('Binned').lower()} on the display's grid" if name.startswith("Binned") else name.lower()


def _values(title: str, matrix: SpilloverMatrix) -> TextTable:
    rows = tuple(
        (name, *(_plain(float(value), 5) for value in row))
        for name, row in zip(matrix.fluorochromes, matrix.values, strict=True)
    )
    return TextTable(title, ("fluorochrome", *matrix.detectors), rows)


def _plain(value: object, digits: int = 6) -> str:
    return f"{value:.{digits}g}".replace("e+0", "e+") if isinstance(value, int | float) else str(value)
