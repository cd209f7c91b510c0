"""The populations of one sample as FlowJo nests them."""

from __future__ import annotations

from lxml import etree

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.gatingml.elements import put
from il2cyto.exchange.to_flowjo.parameters import Parameters
from il2cyto.exchange.to_flowjo.shapes import write_shape
from il2cyto.gates import (
    BooleanGate,
    EllipsoidGate,
    Gate,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gating.result import GatingResult

_NODES = {"and": "AndNode", "or": "OrNode", "not": "NotNode"}


class TreeWriter:
    """Writes the populations that are estimable in a sample, children inside their parents.

    FlowJo knows ranges, rectangles, polygons and ellipses, their outsides, and combinations of whole populations; what
    else there is becomes a combination of helpers that stand beside it.
    """

    def __init__(self, result: GatingResult, parameters: Parameters, group: str, first_id: int) -> None:
        self.result, self.strategy, self.parameters = result, result.strategy, parameters
        self.group, self._id = group, first_id
        self._taken = set(self.strategy.paths)
        self._outside: dict[int, str] = {}
        self._ids: dict[int, str] = {}

    def write(self, node: etree._Element) -> int:
        """Append the tree below a sample or a group, and return the last id that was used."""
        self._top = self._subpopulations(node)
        below: dict[int, etree._Element] = {-1: node}
        for i in self.strategy.order:
            above = self.strategy.parents[i]
            if not self.result.reasons[i]:
                below[i] = self._population(i, below[above])
        return self._id

    def _population(self, i: int, parent: etree._Element) -> etree._Element:
        population = self.strategy.populations[i]
        gate = population.gate.as_rectangle() if isinstance(population.gate, QuadrantGate) else population.gate
        count = int(self.result.n_inside[i])
        siblings = self._subpopulations(parent)
        try:
            if isinstance(gate, BooleanGate):
                return self._combination(i, gate, siblings, population.complement, count)
            if isinstance(gate, RectangleGate) and len(gate.limits) > 2:
                return self._box(i, gate, siblings, population.complement, count)
            return self._shape(i, gate, siblings, population.name, population.complement, count)
        except Il2CytoError as error:
            if str(error).startswith("population "):
                raise
            raise StrategyError("population {path!r}: {error}", path=self.strategy.paths[i], error=error) from error

    def _subpopulations(self, parent: etree._Element) -> etree._Element:
        found = parent.find("Subpopulations")
        return put(parent, "Subpopulations") if found is None else found

    def _node(self, parent: etree._Element, kind: str, name: str, count: int) -> etree._Element:
        return put(
            parent, kind, name=name, annotation="", owningGroup=self.group, expanded="1", sortPriority="10",
            count=str(count),
        )  # fmt: skip

    def _shape(
        self, i: int, gate: Gate, parent: etree._Element, name: str, complement: bool, count: int
    ) -> etree._Element:
        if isinstance(gate, (UnsupportedGate, BooleanGate, QuadrantGate)):
            raise TypeError(f"no shape: {gate!r}")
        self._id += 1
        node = self._node(parent, "Population", name, count)
        self._graph(node, gate)
        above = self._ids.get(self.strategy.parents[i])
        gate_id = f"ID{self._id}"
        self._ids.setdefault(i, gate_id)
        write_shape(
            put(node, "Gate", gating__id=gate_id, gating__parent_id=above), gate, self.parameters, gate_id, complement
        )
        return node

    def _graph(self, node: etree._Element, gate: RectangleGate | PolygonGate | EllipsoidGate) -> None:
        graph = put(
            node, "Graph", smoothing="0", backColor="#ffffff", foreColor="#000000", type="Pseudocolor", fast="1"
        )
        names = [self.parameters.of(dimension).name for dimension in gate.dimensions[:2]]
        for axis, name in zip("xy", [*names, names[0]], strict=False):
            put(graph, "Axis", dimension=axis, name=name, label="", auto="auto")

    def _combination(
        self, i: int, gate: BooleanGate, parent: etree._Element, complement: bool, count: int
    ) -> etree._Element:
        name, operation = self.strategy.populations[i].name, gate.operation
        operands = [self._operand(operand.population, operand.complement) for operand in gate.operands]
        if operation == "not" and gate.operands[0].complement:
            # FlowJo's NotNode takes a population as it is: what is not outside it
            (k,) = (self.strategy.resolve(operand.population) for operand in gate.operands)
            operation, operands = "or", [self.strategy.paths[k]] * 2
        if not complement:
            return self._dependents(parent, operation, name, operands, count)
        inside = self._helper(i, "inside")
        self._dependents(parent, operation, inside.rpartition("/")[2], operands, -1)
        return self._dependents(parent, "not", name, [inside], count)

    def _operand(self, population: str, complement: bool) -> str:
        k = self.strategy.resolve(population)
        if not complement:
            return self.strategy.paths[k]
        if k not in self._outside:
            path = self._free(f"{self.strategy.paths[k].replace('/', ' ')} (outside)")
            self._dependents(self._top, "not", path, [self.strategy.paths[k]], -1)
            self._outside[k] = path
        return self._outside[k]

    def _dependents(
        self, parent: etree._Element, operation: str, name: str, operands: list[str], count: int
    ) -> etree._Element:
        node = self._node(parent, _NODES[operation], name, count)
        dependents = put(node, "Dependents")
        for operand in operands:
            put(dependents, "Dependent", name=operand)
        return node

    def _box(self, i: int, gate: RectangleGate, parent: etree._Element, complement: bool, count: int) -> etree._Element:
        """Write a box of more than two dimensions as what its sides have in common."""
        parts = []
        for k in range(0, len(gate.limits), 2):
            limits = gate.limits[k : k + 2]
            path = self._helper(i, " × ".join(limit.dimension.label for limit in limits))
            self._shape(i, RectangleGate(limits), parent, path.rpartition("/")[2], False, -1)
            parts.append(path)
        name = self.strategy.populations[i].name
        if not complement:
            return self._dependents(parent, "and", name, parts, count)
        inside = self._helper(i, "inside")
        self._dependents(parent, "and", inside.rpartition("/")[2], parts, -1)
        return self._dependents(parent, "not", name, [inside], count)

    def _helper(self, i: int, what: str) -> str:
        return self._free(f"{self.strategy.paths[i]} ({what.replace('/', '_')})")

    def _free(self, path: str) -> str:
        found, k = path, 1
        while found in self._taken:
            k += 1
            found = f"{path} {k}"
        self._taken.add(found)
        return found
