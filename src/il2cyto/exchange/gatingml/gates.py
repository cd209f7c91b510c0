"""Gates of a Gating-ML 2.0 file (section 5)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal, cast

from lxml import etree

from il2cyto.errors import GateError, GatingMLError, Il2CytoError, did_you_mean
from il2cyto.exchange.gatingml.lexical import attribute, parts
from il2cyto.exchange.gatingml.scales import ScaleReader
from il2cyto.exchange.xml import local, text_of
from il2cyto.gates import (
    UNCOMPENSATED,
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)
from il2cyto.gates.dimension import FROM_FILE

GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "BooleanGate", "QuadrantGate")
#: More than any person drew: a file that holds more means to cost time and memory.
MAX_GATES, MAX_DEPTH = 20_000, 1_000
#: What FlowJo writes before the names of compensated channels.
COMPENSATED_PREFIX = "Comp-"


class GateReader(ScaleReader):
    """Collects gates by id, each quadrant under its own id, and their parents."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.gates: dict[str, Gate] = {}
        self.parents: dict[str, str] = {}
        self.complements: set[str] = set()
        self.places: dict[str, etree._Element] = {}
        self.quadrants: dict[str, tuple[str, ...]] = {}
        self.without_compensation: list[str] = []

    def gate(self, element: etree._Element) -> None:
        """Read one gate; whatever is wrong with its geometry is told with its id and line."""
        name = self.identifier(element)
        try:
            self._gate(element, name)
        except GatingMLError:
            raise
        except Il2CytoError as error:
            raise self.fail(element, "gate {name!r}: {error}", name=name, error=error) from error

    def _gate(self, element: etree._Element, name: str) -> None:
        # FlowJo's attribute: the events of the parent that are not inside
        outside = not self.boolean(element, "eventsInside", default=True)
        if local(element) == "QuadrantGate":
            if outside:
                raise GateError("a quadrant gate has no outside; eventsInside must not be 0")
            self._quadrant_gate(element, name)
            return
        gate: Gate
        if local(element) == "BooleanGate":
            gate = self._boolean(element, name)
        elif local(element) == "RectangleGate":
            gate = RectangleGate(tuple(self._limits(item, name) for item in parts(element, "dimension")))
        else:
            dimensions = tuple(self._dimension(item, name) for item in parts(element, "dimension"))
            gate = (
                self._polygon(element, dimensions)
                if local(element) == "PolygonGate"
                else self._ellipsoid(element, dimensions)
            )
        self._add(element, name, gate)
        if outside:
            self.complements.add(name)

    def _add(self, element: etree._Element, name: str, gate: Gate) -> None:
        if name in self.gates or name in self.quadrants:
            raise self.fail(element, "gate {name!r} is defined twice", name=name)
        if len(self.gates) == MAX_GATES:
            raise self.fail(element, "more than {most} gates are not read; split the file", most=MAX_GATES)
        self.gates[name] = gate
        self.places[name] = element
        gating_gate = element.getparent() if local(element) == "Quadrant" else element
        parent = attribute(element if gating_gate is None else gating_gate, "parent_id")
        if parent is not None and parent.strip():
            self.parents[name] = parent.strip()

    def _limits(self, element: etree._Element, name: str) -> Limits:
        low, high = self.bound(element, "min"), self.bound(element, "max")
        # a dimension without limits only asks that the value be defined
        return Limits(self._dimension(element, name), -float("inf") if low is None and high is None else low, high)

    def _dimension(self, element: etree._Element, gate: str) -> Dimension:
        reference = attribute(element, "transformation-ref")
        reference = None if reference is None else reference.strip()
        if reference is not None and reference not in self.transforms:
            if reference in self.ratios:
                message = "transformation {found!r} is a ratio, which only a new-dimension can name"
                raise self.fail(element, message, found=reference)
            message = "transformation {found!r} is not defined{close}"
            raise self.fail(element, message, found=reference, close=did_you_mean(reference, list(self.transforms)))
        found = list(parts(element, "fcs-dimension", "new-dimension"))
        if len(found) != 1:
            raise self.fail(element, "a dimension wants one fcs-dimension or new-dimension, got {n}", n=len(found))
        if local(found[0]) == "new-dimension":
            ratio, transform = self.on_ratio(found[0], self.identifier(found[0], "transformation-ref"), reference)
            return Dimension(ratio, self._compensation(element, gate) or UNCOMPENSATED, transform)
        name, compensation = self.need(found[0], "name"), self._compensation(element, gate)
        if compensation is None:
            compensated = name.startswith(COMPENSATED_PREFIX)
            name, compensation = name.removeprefix(COMPENSATED_PREFIX), FROM_FILE if compensated else UNCOMPENSATED
        return Dimension(name, compensation, reference)

    def _compensation(self, element: etree._Element, gate: str) -> str | None:
        reference = attribute(element, "compensation-ref")
        if reference is None:
            if gate not in self.without_compensation:
                self.without_compensation.append(gate)
            return None
        known = [FROM_FILE, UNCOMPENSATED, *self.matrices]
        if reference.strip() not in known:
            message = "compensation {found!r} is no matrix{close}; known: {known}"
            close = did_you_mean(reference, known)
            raise self.fail(element, message, found=reference, close=close, known=", ".join(known))
        return reference.strip()

    def _values(self, element: etree._Element, name: str) -> tuple[float, ...]:
        return tuple(self.number(item, "value") for item in parts(element, name))

    def _polygon(self, element: etree._Element, dimensions: tuple[Dimension, ...]) -> PolygonGate:
        vertices = tuple(self._values(item, "coordinate") for item in parts(element, "vertex"))
        return PolygonGate(
            cast(tuple[Dimension, Dimension], dimensions), cast(tuple[tuple[float, float], ...], vertices)
        )

    def _ellipsoid(self, element: etree._Element, dimensions: tuple[Dimension, ...]) -> EllipsoidGate:
        found = {local(part): part for part in parts(element, "mean", "covarianceMatrix", "distanceSquare")}
        if len(found) != 3:
            raise GateError("an ellipsoid gate wants mean, covarianceMatrix and distanceSquare")
        return EllipsoidGate(
            dimensions,
            self._values(found["mean"], "coordinate"),
            tuple(self._values(row, "entry") for row in parts(found["covarianceMatrix"], "row")),
            self.number(found["distanceSquare"], "value"),
        )

    def _boolean(self, element: etree._Element, name: str) -> BooleanGate:
        operations = list(parts(element, "and", "or", "not"))
        if len(operations) != 1:
            raise self.fail(element, "boolean gate {name!r} wants one of and, or, not", name=name)
        operands = tuple(
            Operand(self.identifier(item, "ref"), self.boolean(item, "use-as-complement"))
            for item in parts(operations[0], "gateReference")
        )
        return BooleanGate(cast(Literal["and", "or", "not"], local(operations[0])), operands)

    def _quadrant_gate(self, element: etree._Element, name: str) -> None:
        if name in self.gates or name in self.quadrants:
            raise self.fail(element, "gate {name!r} is defined twice", name=name)
        dimensions: dict[str, Dimension] = {}
        dividers: dict[str, tuple[float, ...]] = {}
        for divider in parts(element, "divider"):
            key = self.identifier(divider)
            if key in dimensions:
                raise self.fail(divider, "divider {key!r} of gate {name!r} is defined twice", key=key, name=name)
            dimensions[key] = self._dimension(divider, name)
            cells = [self.finite(value, text_of(value), "divider value") for value in parts(divider, "value")]
            dividers[key] = tuple(sorted(set(cells)))
        found = []
        for quadrant in parts(element, "Quadrant"):
            region: dict[str, int] = {}
            for position in parts(quadrant, "position"):
                key = self.identifier(position, "divider_ref")
                if key not in dimensions:
                    message = "divider {found!r} is not one of gate {name!r}{close}"
                    close = did_you_mean(key, list(dimensions))
                    raise self.fail(position, message, found=key, name=name, close=close)
                # a location on a divider belongs to the interval that the divider begins
                interval = bisect_right(dividers[key], self.number(position, "location"))
                if region.setdefault(key, interval) != interval:
                    raise self.fail(position, "divider {key!r} has two positions in one quadrant", key=key)
            found.append(self.identifier(quadrant))
            self._add(
                quadrant,
                found[-1],
                QuadrantGate(
                    tuple(dimensions.values()), tuple(dividers.values()), tuple(region.get(key) for key in dimensions)
                ),
            )
        if not found:
            raise self.fail(element, "quadrant gate {name!r} defines no quadrant", name=name)
        self.quadrants[name] = tuple(found)

    def check_references(self) -> None:
        """Complain of parents and operands that do not exist; gates may come in any order, so this comes last."""
        for name, gate in self.gates.items():
            references = [operand.population for operand in gate.operands] if isinstance(gate, BooleanGate) else []
            references += [self.parents[name]] if name in self.parents else []
            for reference in references:
                if reference in self.quadrants:
                    message = "gate {name!r} refers to quadrant gate {found!r}; name one of its quadrants: {known}"
                    known = ", ".join(self.quadrants[reference])
                    raise self.fail(self.places[name], message, name=name, found=reference, known=known)
                if reference not in self.gates:
                    message = "gate {name!r} refers to {found!r}, which is not defined{close}"
                    close = did_you_mean(reference, list(self.gates))
                    raise self.fail(self.places[name], message, name=name, found=reference, close=close)
        self._check_depth()

    def _check_depth(self) -> None:
        depths: dict[str, int] = {}
        for name in self.gates:
            chain: list[str] = []
            node: str | None = name
            while node is not None and node not in depths and len(chain) <= MAX_DEPTH:
                chain.append(node)
                node = self.parents.get(node)
                if node == name:
                    return  # a circle, which the strategy tells
            depth = depths.get(node, 0) if node is not None else 0
            if depth + len(chain) > MAX_DEPTH:
                message = "gate {name!r} has more than {most} parents above it"
                raise self.fail(self.places[name], message, name=name, most=MAX_DEPTH)
            for above, part in enumerate(reversed(chain), start=1):
                depths[part] = depth + above
