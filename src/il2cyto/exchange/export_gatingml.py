"""A strategy as a Gating-ML 2.0 file that validates against the schema and gives the same membership."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from il2cyto.exchange.gatingml import elements
from il2cyto.exchange.gatingml.blocks import BlockWriter
from il2cyto.exchange.gatingml.elements import custom_block, number, put
from il2cyto.exchange.gatingml.names import Names
from il2cyto.exchange.gatingml.reshape import reshaped
from il2cyto.gates import (
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    EllipsoidGate,
    Gate,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gating.spelling import respell
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import Panel
from il2cyto.provenance import write_bytes
from il2cyto.sample import Sample


def write_gatingml(
    strategy: GatingStrategy, path: str | Path, *, panel: Panel | None = None, sample: Sample | None = None
) -> dict[str, str]:
    """Write a strategy as Gating-ML 2.0.

    Gates, scales, matrices, complements and boolean populations are said in the terms of the standard, so every
    program that follows it finds the same events. Names that are no XML ids, definitions, roles and views stand in
    ``custom_info``; `il2cyto.exchange.read_gating` puts them back. Markers are written as the channels that carry them.
    Limits on a FlowJo table, which the standard lacks, are written on the linear scale, where they are exact. Cuts and
    rules for learning are left out, as `il2cyto.exchange.losses.rules_left_out` says; gates stand where they are.

    Parameters
    ----------
    strategy
        What to write.
    path
        The file, UTF-8.
    panel
        Channels of the markers; the sample's or the strategy's where not given.
    sample
        A file of the study, where the panel finds channels by their labels, or the strategy has FlowJo's "_" for the
        "/" of the file's names.

    Returns
    -------
    The id of each population's gate in the file, by path.

    Raises
    ------
    GatingMLError
        If the standard cannot say it: a polygon or an ellipsoid on a FlowJo table or on its display channels, a gate
        that was not taken over, a marker without a channel.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.gates import Dimension, Limits, RectangleGate
    >>> from il2cyto.gating import GatingStrategy, Population
    >>> gate = RectangleGate((Limits(Dimension("FSC-A"), 50_000.0, None),))
    >>> strategy = GatingStrategy("s", (Population("cells", "root", gate), Population("CD4+", "cells", gate)))
    >>> write_gatingml(strategy, Path(tempfile.mkdtemp()) / "s.xml")
    {'cells': 'cells', 'cells/CD4+': 'CD4_pos'}
    """
    if sample is not None:
        strategy = respell(strategy, sample, panel or sample.panel or strategy.panel)
    writer = _Writer(strategy, Names(strategy, panel, sample))
    content = etree.tostring(writer.document(), pretty_print=True, xml_declaration=True, encoding="UTF-8")
    write_bytes(path, content)
    return dict(zip(strategy.paths, writer.gate_ids, strict=True))


class _Writer(BlockWriter):
    def document(self) -> etree._Element:
        strategy = self.strategy
        block = custom_block(self.root, strategy.custom_info.get("", ()))
        self.references()
        done: set[int] = set()
        for i in range(len(strategy.populations)):
            if i not in done:
                done.update(self._population(i))
        self.own_block(block)
        return self.root

    def _population(self, i: int) -> list[int]:
        """Write a population, with those that stand in the same quadrant gate."""
        population = self.strategy.populations[i]
        gate = population.gate
        if population.complement:
            inside = self._gate(i, gate, self.ids.new(f"{self.gate_ids[i]}.inside"))
            put(custom_block(inside, ()), "il2cyto:inside", of=self.gate_ids[i])
            outside = self._start("BooleanGate", i, self.gate_ids[i])
            put(put(outside, "gating:not"), "gating:gateReference", gating__ref=inside.get(elements.plain("gating:id")))
            self.tell(i, outside)
            return [i]
        if isinstance(gate, QuadrantGate) and self._divides(gate):
            return self._quadrants(i, gate)
        self.tell(i, self._gate(i, gate, self.gate_ids[i]))
        return [i]

    def _start(self, kind: str, i: int, gate_id: str) -> etree._Element:
        parent = self.strategy.parents[i]
        above = self.gate_ids[parent] if parent >= 0 else None
        return put(self.root, f"gating:{kind}", gating__id=gate_id, gating__parent_id=above)

    def _gate(self, i: int, gate: Gate, gate_id: str) -> etree._Element:
        if isinstance(gate, QuadrantGate):
            gate = gate.as_rectangle()
        if isinstance(gate, UnsupportedGate):
            raise self.wrong(i, "its gate was not taken over ({reason}), so it cannot be written", reason=gate.reason)
        if isinstance(gate, (BinnedPolygonGate, BinnedEllipsoidGate)):
            raise self.wrong(
                i, "Gating-ML has no gates on the channels of a display; read the workspace with binning 'exact'"
            )
        if isinstance(gate, (PolygonGate, EllipsoidGate)):
            gate, further = reshaped(gate, self.strategy.transforms)
            self.known |= further
        element = self._start(type(gate).__name__, i, gate_id)
        if isinstance(gate, RectangleGate):
            for limit in gate.limits:
                self.limits(i, element, limit)
        elif isinstance(gate, BooleanGate):
            operation = put(element, f"gating:{gate.operation}")
            for operand in gate.operands:
                reference = self.gate_ids[self.strategy.resolve(operand.population)]
                flip = "true" if operand.complement else None
                put(operation, "gating:gateReference", gating__ref=reference, **{"gating__use-as-complement": flip})
        else:
            for dimension in gate.dimensions:
                self.dimension(i, element, "dimension", dimension)
            if isinstance(gate, PolygonGate):
                for vertex in gate.vertices:
                    self._values(put(element, "gating:vertex"), "coordinate", vertex)
            elif isinstance(gate, EllipsoidGate):
                self._values(put(element, "gating:mean"), "coordinate", gate.mean)
                covariance = put(element, "gating:covarianceMatrix")
                for row in gate.covariance:
                    self._values(put(covariance, "gating:row"), "entry", row)
                put(element, "gating:distanceSquare", data_type__value=number(gate.distance_square))
        return element

    def _values(self, parent: etree._Element, name: str, values: tuple[float, ...]) -> None:
        for value in values:
            put(parent, f"gating:{name}", data_type__value=number(value))

    def _divides(self, gate: QuadrantGate) -> bool:
        """Whether a quadrant gate can be written as one; peers read no ratios there, so those are rectangles."""
        sayable = [not isinstance(d.source, Ratio) and self.scale(d) is not None for d in gate.dimensions]
        return all(sayable)

    def _quadrants(self, i: int, gate: QuadrantGate) -> list[int]:
        """Write one quadrant gate for all regions of the same dividers below the same parent."""
        strategy = self.strategy
        members = [
            k
            for k, other in enumerate(strategy.populations)
            if k >= i
            and isinstance(other.gate, QuadrantGate)
            and not other.complement
            and strategy.parents[k] == strategy.parents[i]
            and (other.gate.dimensions, other.gate.dividers) == (gate.dimensions, gate.dividers)
        ]
        gate_id = self.ids.new("quadrants." + ".".join(d.label for d in gate.dimensions))
        element = self._start("QuadrantGate", i, gate_id)
        dividers = []
        for dimension, values in zip(gate.dimensions, gate.dividers, strict=True):
            dividers.append(self.ids.new(f"{gate_id}.{dimension.label}"))
            divider = self.dimension(i, element, "divider", dimension, gating__id=dividers[-1])
            for value in values:
                put(divider, "gating:value", number(value))
        for k in members:
            quadrant = put(element, "gating:Quadrant", gating__id=self.gate_ids[k])
            region = strategy.populations[k].gate
            assert isinstance(region, QuadrantGate)  # noqa: S101  # members are chosen by that
            for divider_id, values, interval in zip(dividers, gate.dividers, region.region, strict=True):
                if interval is not None:
                    location = number(_location(values, interval))
                    put(quadrant, "gating:position", gating__divider_ref=divider_id, gating__location=location)
            self.tell(k, element, quadrant=True)
        return members


def _location(values: tuple[float, ...], interval: int) -> float:
    """Return a place inside an interval between dividers, not on a divider where that can be helped."""
    if interval == 0:
        return values[0] - max(1.0, abs(values[0]))
    if interval == len(values):
        return values[-1] + max(1.0, abs(values[-1]))
    return values[interval - 1] + (values[interval] - values[interval - 1]) / 2
