"""Names that FlowJo spelled for itself: it writes "_" where a file's ``$PnN`` has "/"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from il2cyto.compensation import SpilloverMatrix
from il2cyto.gates import BooleanGate, Dimension, Gate, Ratio, RectangleGate, UnsupportedGate
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import Panel
from il2cyto.sample import Sample


def respell(strategy: GatingStrategy, sample: Sample, panel: Panel | None) -> GatingStrategy:
    """Return a strategy in the spelling of a file; the same object where every name fits already.

    A name is changed only if neither the panel nor the file knows it, and exactly one channel of the file differs from
    it in "/" against "_" alone.
    """
    spelled: dict[str, list[str]] = {}
    for name in sample.names:
        if "/" in name:
            spelled.setdefault(name.replace("/", "_"), []).append(name)
    if not spelled:
        return strategy
    asked = {name for matrix in strategy.matrices.values() for name in (*matrix.detectors, *matrix.fluorochromes)}
    asked |= set(strategy.markers())
    known = {name for name, entry in panel.markers.items() if entry.channel in sample.names} if panel else set()
    names = {
        name: spelled[name][0]
        for name in sorted(asked)
        if name not in sample.names and name not in known and len(spelled.get(name, ())) == 1
    }
    if not names:
        return strategy
    note = f"channels whose name has '/' in the file and '_' in the strategy: {', '.join(names)}"
    return replace(
        strategy,
        populations=tuple(
            replace(
                population,
                gate=_gate(population.gate, names),
                view=tuple(_dimension(dimension, names) for dimension in population.view),
            )
            for population in strategy.populations
        ),
        matrices={key: _matrix(matrix, names) for key, matrix in strategy.matrices.items()},
        notes=(*strategy.notes, note),
        learning=replace(
            strategy.learning,
            cuts=tuple(replace(cut, dimension=_dimension(cut.dimension, names)) for cut in strategy.learning.cuts),
        ),
    )


def _matrix(matrix: SpilloverMatrix, names: Mapping[str, str]) -> SpilloverMatrix:
    return replace(
        matrix,
        detectors=tuple(names.get(name, name) for name in matrix.detectors),
        fluorochromes=tuple(names.get(name, name) for name in matrix.fluorochromes),
    )


def _gate(gate: Gate, names: Mapping[str, str]) -> Gate:
    if isinstance(gate, (BooleanGate, UnsupportedGate)):
        return gate
    if isinstance(gate, RectangleGate):
        return RectangleGate(
            tuple(replace(limit, dimension=_dimension(limit.dimension, names)) for limit in gate.limits)
        )
    # the other shapes keep their axes in a field of one name
    return replace(gate, dimensions=tuple(_dimension(dimension, names) for dimension in gate.dimensions))  # type: ignore[arg-type]  # as many as there were


def _dimension(dimension: Dimension, names: Mapping[str, str]) -> Dimension:
    source = dimension.source
    if isinstance(source, Ratio):
        parts = (names.get(source.numerator, source.numerator), names.get(source.denominator, source.denominator))
        return replace(dimension, source=replace(source, numerator=parts[0], denominator=parts[1]))
    return replace(dimension, source=names.get(source, source))
