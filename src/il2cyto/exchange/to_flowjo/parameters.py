"""The parameters of one sample as FlowJo names them: compensated or not, each with one axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import StrategyError
from il2cyto.exchange.to_flowjo.scales import Scale, Use, choose, linear_scale
from il2cyto.gates import Dimension, EllipsoidGate, PolygonGate, Ratio
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating.bind import Binder, MarkerAbsent
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.sample import Sample
from il2cyto.transforms import Transform

PREFIX = "Comp-"


def shown_name(name: str) -> str:
    """Return a channel as FlowJo writes it: "_" for "/"."""
    return name.replace("/", "_")


@dataclass(frozen=True)
class Parameter:
    """A parameter by the name that FlowJo shows."""

    name: str
    scale: Scale


class Parameters:
    """Resolves the dimensions of a strategy in one sample.

    Attributes
    ----------
    matrix
        The one matrix of the sample, or ``None``.
    """

    def __init__(self, strategy: GatingStrategy, sample: Sample, estimable: tuple[bool, ...]) -> None:
        self.strategy, self.sample = strategy, sample
        self._binder = Binder(strategy, sample, None)
        gates = [p.gate for p, known in zip(strategy.populations, estimable, strict=True) if known]
        used = {d.compensation for gate in gates for d in gate.dimensions if d.compensation != UNCOMPENSATED}
        self.matrix = self._matrix(used)
        uses: dict[str, list[Use]] = {}
        shown: dict[str, Transform | None] = {}
        for gate in gates:
            low = high = np.empty(0)
            if isinstance(gate, PolygonGate):
                low, high = np.min(gate.vertices, axis=0), np.max(gate.vertices, axis=0)
            elif isinstance(gate, EllipsoidGate):
                reach = np.sqrt(gate.distance_square * np.abs(np.diag(np.array(gate.covariance))))
                low, high = np.array(gate.mean) - reach, np.array(gate.mean) + reach
            for k, dimension in enumerate(gate.dimensions):
                if isinstance(dimension.source, Ratio):
                    continue
                name, transform = self.name(dimension), self._transform(dimension)
                shown.setdefault(name, transform)
                if low.size:
                    uses.setdefault(name, []).append(
                        Use(transform, float(low[k]), float(high[k]), isinstance(gate, PolygonGate))
                    )
        for label, key in strategy.axes.items():
            for dimension in (Dimension(label, FROM_FILE), Dimension(label)):
                name = self._named_if_there(dimension)
                if name in shown and shown[name] is None:
                    shown[name] = strategy.transforms.get(key)
        self._scales = {name: self._scale(name, uses.get(name, []), transform) for name, transform in shown.items()}

    def _transform(self, dimension: Dimension) -> Transform | None:
        return None if dimension.transform is None else self.strategy.transforms[dimension.transform]

    def _matrix(self, used: set[str]) -> SpilloverMatrix | None:
        if len(used) > 1:
            raise StrategyError(
                "strategy {id!r}: FlowJo has one matrix per sample, and the gates use {names}",
                id=self.strategy.id, names=" and ".join(sorted(used)),
            )  # fmt: skip
        for reference in used:
            if reference != FROM_FILE:
                return self.strategy.matrices[reference]
            if self.sample.spillover is not None:
                return replace(self.sample.spillover, id="Acquisition-defined")
        return None

    def name(self, dimension: Dimension) -> str:
        """Return the name of a dimension's parameter.

        Raises
        ------
        StrategyError
            If it is a ratio.
        """
        if isinstance(dimension.source, Ratio):
            raise StrategyError(
                "a ratio ({label}) is a derived parameter of FlowJo, which cannot be written; gate its two channels",
                label=dimension.label,
            )
        matrix = self.matrix
        if matrix is None or dimension.compensation == UNCOMPENSATED:
            return shown_name(self._pnn(dimension.source))
        square = len(matrix.fluorochromes) == len(matrix.detectors)
        if dimension.source in matrix.fluorochromes:
            row = matrix.fluorochromes.index(dimension.source)
            return PREFIX + shown_name(matrix.detectors[row] if square else dimension.source)
        pnn = self._pnn(dimension.source)
        inside = square and pnn in matrix.detectors
        return (PREFIX if inside else "") + shown_name(pnn)

    def _pnn(self, source: str) -> str:
        return self.sample.channels[self._binder.channel(source)].pnn

    def _named_if_there(self, dimension: Dimension) -> str:
        try:
            return self.name(dimension)
        except (StrategyError, MarkerAbsent):
            return ""

    def _scale(self, name: str, uses: list[Use], shown: Transform | None) -> Scale:
        channel = next(
            (c for c in self.sample.channels if name in (shown_name(c.pnn), PREFIX + shown_name(c.pnn))), None
        )
        top = channel.range if channel is not None and channel.range > 0 else 262144.0
        step = 1.0
        if channel is not None and channel.is_time:
            events = self.sample.linear([channel.index])[:, 0]
            step = float(self.sample.layout.argument[channel.index]) or 1.0
            top = float(np.nanmax(events)) if events.size and np.nanmax(events) > 0 else top * step
        try:
            return choose(uses, shown, top, step)
        except StrategyError as error:
            raise StrategyError(
                "strategy {id!r}: {name} {error}", id=self.strategy.id, name=name, error=error
            ) from error

    def of(self, dimension: Dimension) -> Parameter:
        """Return the parameter of a dimension."""
        name = self.name(dimension)
        return Parameter(name, self._scales[name])

    def axes(self) -> list[tuple[str, Scale]]:
        """Every parameter of the file with its axis, and the compensated ones that gates use.

        A channel that only its compensated values are gated on is shown like them.
        """
        found = {}
        for channel in self.sample.channels:
            name = shown_name(channel.pnn)
            found[name] = self._scales.get(PREFIX + name) or linear_scale(max(channel.range, 1.0))
        return list((found | self._scales).items())
