"""Fit the names of a strategy to the channels of one file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import COMPENSATED_PREFIXES, SpilloverMatrix
from il2cyto.errors import CompensationError, StrategyError, did_you_mean
from il2cyto.gates import BooleanGate, Dimension, Ratio, UnsupportedGate
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.kernels import engine
from il2cyto.panel import Panel
from il2cyto.sample import Sample


class MarkerAbsent(Exception):  # noqa: N818  # a signal between two functions of this module, not an error
    """A marker that the panel knows but this file lacks."""

    def __init__(self, marker: str, reason: str, declared: bool) -> None:
        super().__init__(reason)
        self.marker, self.reason, self.declared = marker, reason, declared


@dataclass(frozen=True)
class Axes:
    """Every value that the gates of a strategy look at in one file, as tables of the engine."""

    needed: NDArray[np.int64]
    kind: NDArray[np.int64]
    source: NDArray[np.int64]
    constants: NDArray[np.float64]
    weights: NDArray[np.float64]
    slots: NDArray[np.int64]


class Binder:
    """Collect channels, compensated values and ratios, each once, for one strategy and one file."""

    def __init__(self, strategy: GatingStrategy, sample: Sample, panel: Panel | None) -> None:
        self.strategy, self.sample = strategy, sample
        self.panel = panel or sample.panel or strategy.panel
        self.notes: list[str] = []
        self._slots: dict[int, int] = {}
        self._further: list[tuple[str, tuple[object, ...]]] = []

    def channel(self, name: str) -> int:
        """Return the position of a marker or ``$PnN``.

        Raises
        ------
        MarkerAbsent
            If the panel knows the marker but the file lacks it.
        StrategyError
            If neither the panel nor the file knows the name.
        """
        sample, panel = self.sample, self.panel
        if panel is not None and name in panel.markers:
            found = panel.locate(name, sample.names, [channel.pns for channel in sample.channels])
            if found is not None:
                return found
            entry = panel.markers[name]
            if panel.is_declared_absent(name):
                raise MarkerAbsent(name, f"marker absent: {entry.marker}", declared=True)
            place = f"channel {entry.channel!r}" if entry.channel else "a channel of that label"
            raise MarkerAbsent(
                name,
                f"marker absent: {entry.marker} (the panel expects {place}, which this file lacks)",
                declared=False,
            )
        if self.strategy.lacks(name, panel) or (name in self.strategy.optional and name not in sample.names):
            raise MarkerAbsent(name, f"marker absent: {name} (optional, and not in the panel)", declared=True)
        if name not in sample.names:
            known = [*(panel.markers if panel is not None else ()), *sample.names]
            marker = f"no marker of panel {panel.id} and " if panel is not None else ""
            raise StrategyError(
                "{file}: strategy {id!r} asks for {name!r}, which is {hint_marker}no channel of the file{hint}; "
                "correct the strategy or add the marker to the panel",
                file=sample.id, id=self.strategy.id, name=name, hint_marker=marker, hint=did_you_mean(name, known),
            )  # fmt: skip
        return sample.index(name)

    def axis(self, dimension: Dimension) -> tuple[str, tuple[object, ...]]:
        """Return a key for the values of a dimension; equal keys are computed once."""
        if isinstance(dimension.source, Ratio):
            ratio = dimension.source
            parts = [
                self.axis(Dimension(name, dimension.compensation)) for name in (ratio.numerator, ratio.denominator)
            ]
            return self._further_axis(("ratio", (*parts, ratio.A, ratio.B, ratio.C)))
        matrix = self._matrix(dimension)
        if matrix is None:
            return self._channel_axis(self.channel(dimension.source))
        if dimension.source in matrix.fluorochromes:
            row = matrix.fluorochromes.index(dimension.source)
        else:
            found = self.channel(dimension.source)
            pnn = self.sample.channels[found].pnn
            if pnn not in matrix.detectors or len(matrix.fluorochromes) != len(matrix.detectors):
                # a detector outside the matrix is not changed by it
                return self._channel_axis(found)
            row = matrix.detectors.index(pnn)
        # names of the file's own matrix are text of the file; those of other matrices are declared
        key = "found" if dimension.compensation == FROM_FILE else "name"
        for detector in matrix.detectors:
            named = {"file": self.sample.id, "id": self.strategy.id, "matrix": matrix.id, key: detector}
            if detector.startswith(COMPENSATED_PREFIXES):
                raise CompensationError(
                    f"{{file}}: channel {{{key}!r}} is compensated already; a second compensation would be wrong. "
                    "Take it as {uncompensated!r} in strategy {id!r}",
                    uncompensated=UNCOMPENSATED, **named,
                )  # fmt: skip
            if detector not in self.sample.names:
                raise CompensationError(
                    f"{{file}}: matrix {{matrix!r}} wants channel {{{key}!r}}, which the file lacks{{hint}}",
                    hint=did_you_mean(detector, self.sample.names), **named,
                )  # fmt: skip
            self._slots.setdefault(self.sample.index(detector), 0)
        return self._further_axis(("compensated", (dimension.compensation, row)))

    def _matrix(self, dimension: Dimension) -> SpilloverMatrix | None:
        reference = dimension.compensation
        if reference == UNCOMPENSATED:
            return None
        if reference != FROM_FILE:
            return self.strategy.matrices[reference]
        if self.sample.spillover is None and self._lenient():
            note = f"the file holds no matrix: {dimension.label} is taken uncompensated, as Gating-ML reads it"
            if note not in self.notes:
                self.notes.append(note)
            return None
        if self.sample.spillover is None and self.sample.compensated:
            raise CompensationError(
                "{file}: strategy {id!r} wants the file's matrix for {label!r}, but the names of channels say that the "
                "file is compensated already and it holds no matrix; take {uncompensated!r} in the strategy",
                file=self.sample.id, id=self.strategy.id, label=dimension.label, uncompensated=UNCOMPENSATED,
            )  # fmt: skip
        if self.sample.spillover is None:
            why = next((r for r in self.sample.repairs if "SPILL" in r.keyword), None)
            detail = f" ({why.keyword}: {why.found})" if why else ""
            raise CompensationError(
                "{file}: strategy {id!r} wants the file's matrix for {label!r}, but the file holds none that can be "
                "used{hint}; name a matrix in the strategy, or {uncompensated!r}",
                file=self.sample.id, id=self.strategy.id, label=dimension.label, hint=detail,
                uncompensated=UNCOMPENSATED,
            )  # fmt: skip
        return self.sample.spillover

    def _lenient(self) -> bool:
        damaged = any("SPILL" in repair.keyword for repair in self.sample.repairs)
        return self.strategy.without_matrix == "uncompensated" and not damaged

    def _channel_axis(self, channel: int) -> tuple[str, tuple[object, ...]]:
        self._slots.setdefault(channel, 0)
        return ("channel", (channel,))

    def _further_axis(self, key: tuple[str, tuple[object, ...]]) -> tuple[str, tuple[object, ...]]:
        if key not in self._further:
            self._further.append(key)
        return key

    def tables(self) -> tuple[Axes, dict[tuple[str, tuple[object, ...]], int]]:
        """Return the tables of all axes asked for so far, and the number of each key."""
        needed = np.array(sorted(self._slots), dtype=np.int64)
        slot = {int(channel): i for i, channel in enumerate(needed)}
        number: dict[tuple[str, tuple[object, ...]], int] = {("channel", (c,)): i for c, i in slot.items()}
        for i, key in enumerate(self._further):
            number[key] = len(needed) + i
        matrices = {
            reference: self.strategy.matrices[reference] if reference != FROM_FILE else self.sample.spillover
            for kind, (reference, *_) in self._further
            if kind == "compensated" and isinstance(reference, str)
        }
        widest = max([1, *(len(matrix.detectors) for matrix in matrices.values() if matrix is not None)])
        n = len(self._further)
        kind = np.zeros(n, dtype=np.int64)
        source = np.zeros((n, 2), dtype=np.int64)
        constants = np.zeros((n, 3))
        weights = np.zeros((n, widest))
        slots = np.zeros((n, widest), dtype=np.int64)
        for i, (what, content) in enumerate(self._further):
            if what == "compensated":
                reference, row = str(content[0]), int(str(content[1]))
                matrix = matrices[reference]
                if matrix is None:
                    raise CompensationError("{file}: the file holds no matrix", file=self.sample.id)
                detectors = [slot[self.sample.index(name)] for name in matrix.detectors]
                kind[i], source[i] = engine.COMPENSATED, (i, len(detectors))
                weights[i, : len(detectors)] = matrix.weights[row]
                slots[i, : len(detectors)] = detectors
            else:
                upper, lower, *numbers = content
                kind[i] = engine.RATIO
                source[i] = [number[upper], number[lower]]  # type: ignore[index]  # the first two items are keys
                constants[i] = [float(str(value)) for value in numbers]
        return Axes(needed, kind, source, constants, weights, slots), number


def not_estimable(strategy: GatingStrategy, binder: Binder) -> tuple[list[str], list[str], dict[int, list[object]]]:
    """Resolve every gate's dimensions.

    Returns
    -------
    For each population why it is not estimable (empty where it is); the markers that the panel promises but the file
    lacks; and for each estimable population the keys of its axes.
    """
    reasons = [""] * len(strategy.populations)
    missing: list[str] = []
    keys: dict[int, list[object]] = {}
    for i in strategy.order:
        population = strategy.populations[i]
        above = strategy.parents[i]
        try:
            keys[i] = [binder.axis(dimension) for dimension in strategy.compiled[i].dimensions]
        except MarkerAbsent as absent:
            reasons[i] = absent.reason
            if not absent.declared and absent.marker not in missing:
                missing.append(absent.marker)
        if isinstance(population.gate, UnsupportedGate):
            reasons[i] = population.gate.reason
        elif above >= 0 and reasons[above]:
            reasons[i] = f"parent {strategy.populations[above].name} not estimable: {_root_cause(reasons[above])}"
        elif isinstance(population.gate, BooleanGate):
            for operand in population.gate.operands:
                k = strategy.resolve(operand.population)
                if reasons[k]:
                    reasons[i] = f"{strategy.populations[k].name} not estimable: {_root_cause(reasons[k])}"
                    break
    return reasons, missing, keys


def _root_cause(reason: str) -> str:
    return reason.rpartition("not estimable: ")[2]
