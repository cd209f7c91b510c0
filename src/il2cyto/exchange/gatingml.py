"""Gating-ML 2.0: transformations, spectrum matrices and gates (ISAC recommendation, 2013)."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import GatingMLError, Il2CytoError, did_you_mean
from il2cyto.exchange.xml import attribute, children, local, namespace, parse_xml
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
)
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.transforms import Transform, transform_from_dict

NAMESPACE = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
_GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "BooleanGate", "QuadrantGate")
_TRANSFORMS = {
    "flin": ("linear", ("T", "A")),
    "flog": ("log", ("T", "M")),
    "fasinh": ("arcsinh", ("T", "M", "A")),
    "logicle": ("logicle", ("T", "W", "M", "A")),
    "hyperlog": ("hyperlog", ("T", "W", "M", "A")),
}


@dataclass(frozen=True)
class Document:
    """What a Gating-ML file holds, by id: geometry of gates (quadrants under their own ids), parents, and the rest."""

    name: str
    gates: dict[str, Gate]
    parents: dict[str, str]
    transforms: dict[str, Transform]
    matrices: dict[str, SpilloverMatrix]
    custom_info: etree._Element | None


def read_document(path: str | Path) -> Document:
    """Read a Gating-ML 2.0 file.

    Raises
    ------
    GatingMLError
        If the file is unsafe, no Gating-ML 2.0, or refers to something that it does not define.
    """
    path = Path(path)
    root = parse_xml(path)
    if local(root) != "Gating-ML" or namespace(root) != NAMESPACE:
        raise GatingMLError(
            "{strategy_file}: the root is {found!r}, wanted Gating-ML of version 2.0",
            strategy_file=path.name, found=local(root),
        )  # fmt: skip
    return _Reader(path.name).document(root)


def read_gatingml(path: str | Path, name: str | None = None) -> GatingStrategy:
    """Read a Gating-ML 2.0 file as a strategy: one population per gate and quadrant, with the ids as names.

    The id of the strategy is `name`, by default the name of the file.

    Raises
    ------
    GatingMLError
        If the file is unsafe, no Gating-ML 2.0, or does not hold together.
    """
    path = Path(path)
    document = read_document(path)
    populations = tuple(
        Population(name=gate_id, parent=document.parents.get(gate_id, "root"), gate=gate)
        for gate_id, gate in document.gates.items()
    )
    return make_strategy(name or path.stem, populations, document)


def make_strategy(name: str, populations: tuple[Population, ...], document: Document) -> GatingStrategy:
    """Put populations and the definitions of their document together."""
    try:
        return GatingStrategy(
            name,
            populations,
            document.transforms,
            document.matrices,
            version="Gating-ML 2.0",
            without_matrix="uncompensated",
        )
    except Il2CytoError as error:
        raise GatingMLError("{strategy_file}: {error}", strategy_file=document.name, error=error) from error


class _Reader:
    """One file; complaints name it and the line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.transforms: dict[str, Transform] = {}
        self.ratios: dict[str, tuple[str, str, float, float, float]] = {}
        self.matrices: dict[str, SpilloverMatrix] = {}
        self.gates: dict[str, Gate] = {}
        self.parents: dict[str, str] = {}
        self.places: dict[str, etree._Element] = {}

    def fail(self, element: etree._Element, message: str, **values: object) -> GatingMLError:
        line = element.sourceline
        return GatingMLError("{strategy_file}, line {line}: " + message, strategy_file=self.name, line=line, **values)

    def need(self, element: etree._Element, name: str) -> str:
        value = attribute(element, name)
        if value is None or not value.strip():
            raise self.fail(element, "{tag} lacks the attribute {name!r}", tag=local(element), name=name)
        return value.strip()

    def number(self, element: etree._Element, name: str) -> float:
        text = self.need(element, name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            message = "{tag} {name} = {found!r}: wants a finite number"
            raise self.fail(element, message, tag=local(element), name=name, found=text)
        return value

    def optional(self, element: etree._Element, name: str) -> float | None:
        return None if attribute(element, name) is None else self.number(element, name)

    def boolean(self, element: etree._Element, name: str) -> bool:
        text = (attribute(element, name) or "false").strip()
        if text not in ("true", "false", "1", "0"):
            raise self.fail(element, "{name} = {found!r}: wants true or false", name=name, found=text)
        return text in ("true", "1")

    def document(self, root: etree._Element) -> Document:
        custom: etree._Element | None = None
        elements: list[etree._Element] = []
        # gates may stand inside foreign wrappers, but never inside the custom block of another program
        waiting = [root]
        while waiting:
            for element in children(waiting.pop(0)):
                name = local(element)
                if name in ("custom-info", "custom_info"):
                    custom = element if custom is None else custom
                elif name in _GATES or name in ("transformation", "spectrumMatrix"):
                    elements.append(element)
                else:
                    waiting.append(element)
        for element in elements:
            if local(element) == "transformation":
                self.transformation(element)
            elif local(element) == "spectrumMatrix":
                self.matrix(element)
        for element in elements:
            if local(element) in _GATES:
                try:
                    self.gate(element)
                except GatingMLError:
                    raise
                except Il2CytoError as error:
                    found = attribute(element, "id")
                    raise self.fail(element, "gate {name!r}: {error}", name=found, error=error) from error
        self.check_references()
        return Document(self.name, self.gates, self.parents, self.transforms, self.matrices, custom)

    def transformation(self, element: etree._Element) -> None:
        name = self.need(element, "id")
        if name in self.transforms or name in self.ratios:
            raise self.fail(element, "transformation {name!r} is defined twice", name=name)
        kinds = list(children(element, *_TRANSFORMS, "fratio"))
        if len(kinds) != 1:
            message = "transformation {name!r} wants one of {known}"
            raise self.fail(element, message, name=name, known=", ".join([*_TRANSFORMS, "fratio"]))
        kind = kinds[0]
        if local(kind) == "fratio":
            parts = [self.need(part, "name") for part in children(kind, "fcs-dimension")]
            if len(parts) != 2:
                raise self.fail(kind, "ratio {name!r} wants two dimensions, got {n}", name=name, n=len(parts))
            self.ratios[name] = (parts[0], parts[1], *(self.number(kind, key) for key in "ABC"))  # type: ignore[assignment]  # three numbers
            return
        type_name, keys = _TRANSFORMS[local(kind)]
        content: dict[str, object] = {"type": type_name, **{key: self.number(kind, key) for key in keys}}
        for attribute_name, key in (("boundMin", "bound_min"), ("boundMax", "bound_max")):
            bound = self.optional(element, attribute_name)
            if bound is not None:
                content[key] = bound
        try:
            self.transforms[name] = transform_from_dict(content)
        except Il2CytoError as error:
            raise self.fail(kind, "transformation {name!r}: {error}", name=name, error=error) from error

    def matrix(self, element: etree._Element) -> None:
        name = self.need(element, "id")
        if name in self.matrices:
            raise self.fail(element, "spectrum matrix {name!r} is defined twice", name=name)
        names: dict[str, tuple[str, ...]] = {"fluorochromes": (), "detectors": ()}
        for part in children(element, "fluorochromes", "detectors"):
            names[local(part)] = tuple(self.need(item, "name") for item in children(part, "fcs-dimension"))
        rows = [
            [self.number(cell, "value") for cell in children(row, "coefficient")]
            for row in children(element, "spectrum")
        ]
        if len(rows) != len(names["fluorochromes"]) or any(len(row) != len(names["detectors"]) for row in rows):
            message = "spectrum matrix {name!r}: wants {n} rows of {p}"
            raise self.fail(element, message, name=name, n=len(names["fluorochromes"]), p=len(names["detectors"]))
        values = np.array(rows, dtype=np.float64)
        try:
            if self.boolean(element, "matrix-inverted-already"):
                # what stands here maps detectors to fluorochromes; its inverse is the spillover that we keep
                square = values.shape[0] == values.shape[1]
                values = np.asarray(np.linalg.inv(values) if square else np.linalg.pinv(values).T, dtype=np.float64)
            self.matrices[name] = SpilloverMatrix(name, names["detectors"], values, names["fluorochromes"])
        except (Il2CytoError, np.linalg.LinAlgError) as error:
            raise self.fail(element, "spectrum matrix {name!r}: {error}", name=name, error=error) from error

    def gate(self, element: etree._Element) -> None:
        name = self.need(element, "id")
        parent = attribute(element, "parent_id")
        if local(element) == "QuadrantGate":
            for quadrant, region in self.quadrants(element, name).items():
                self.add(element, quadrant, region, parent)
            return
        kind = local(element)
        gate: Gate
        if kind == "BooleanGate":
            gate = self.combination(element, name)
        else:
            dims = list(children(element, "dimension"))
            dimensions = tuple(self.dimension(item) for item in dims)
            if kind == "RectangleGate":
                gate = RectangleGate(
                    tuple(
                        Limits(dimension, self.optional(item, "min"), self.optional(item, "max"))
                        for dimension, item in zip(dimensions, dims, strict=True)
                    )
                )
            elif kind == "PolygonGate":
                vertices = tuple(self.values(item, "coordinate") for item in children(element, "vertex"))
                gate = PolygonGate(
                    cast(tuple[Dimension, Dimension], dimensions), cast(tuple[tuple[float, float], ...], vertices)
                )
            else:
                gate = self.ellipsoid(element, name, dimensions)
        self.add(element, name, gate, parent)

    def add(self, element: etree._Element, name: str, gate: Gate, parent: str | None) -> None:
        if name in self.gates:
            raise self.fail(element, "gate {name!r} is defined twice", name=name)
        self.gates[name] = gate
        self.places[name] = element
        if parent:
            self.parents[name] = parent

    def dimension(self, element: etree._Element) -> Dimension:
        compensation = self.need(element, "compensation-ref")
        reference = attribute(element, "transformation-ref")
        for child in children(element, "fcs-dimension", "new-dimension"):
            if local(child) == "fcs-dimension":
                return Dimension(self.need(child, "name"), compensation, reference)
            ratio = self.need(child, "transformation-ref")
            if ratio not in self.ratios:
                close = did_you_mean(ratio, list(self.ratios))
                raise self.fail(child, "{found!r} is no ratio of this file{close}", found=ratio, close=close)
            return Dimension(Ratio(*self.ratios[ratio]), compensation, reference)
        raise self.fail(element, "a dimension wants an fcs-dimension or a new-dimension")

    def values(self, element: etree._Element, name: str) -> tuple[float, ...]:
        return tuple(self.number(item, "value") for item in children(element, name))

    def ellipsoid(self, element: etree._Element, name: str, dimensions: tuple[Dimension, ...]) -> EllipsoidGate:
        parts = {local(part): part for part in children(element, "mean", "covarianceMatrix", "distanceSquare")}
        if len(parts) != 3:
            message = "ellipsoid gate {name!r} wants mean, covarianceMatrix and distanceSquare"
            raise self.fail(element, message, name=name)
        return EllipsoidGate(
            dimensions,
            self.values(parts["mean"], "coordinate"),
            tuple(self.values(row, "entry") for row in children(parts["covarianceMatrix"], "row")),
            self.number(parts["distanceSquare"], "value"),
        )

    def combination(self, element: etree._Element, name: str) -> BooleanGate:
        operations = list(children(element, "and", "or", "not"))
        if len(operations) != 1:
            raise self.fail(element, "boolean gate {name!r} wants one of and, or, not", name=name)
        operands = tuple(
            Operand(self.need(item, "ref"), self.boolean(item, "use-as-complement"))
            for item in children(operations[0], "gateReference")
        )
        return BooleanGate(cast(Literal["and", "or", "not"], local(operations[0])), operands)

    def quadrants(self, element: etree._Element, name: str) -> dict[str, QuadrantGate]:
        order: list[str] = []
        dimensions: list[Dimension] = []
        dividers: list[tuple[float, ...]] = []
        for divider in children(element, "divider"):
            order.append(self.need(divider, "id"))
            dimensions.append(self.dimension(divider))
            cells = []
            for value in children(divider, "value"):
                try:
                    cells.append(float(value.text or ""))
                except ValueError:
                    raise self.fail(value, "divider value {found!r}: wants a number", found=value.text) from None
            dividers.append(tuple(sorted(cells)))
        found: dict[str, QuadrantGate] = {}
        for quadrant in children(element, "Quadrant"):
            region: list[int | None] = [None] * len(order)
            for position in children(quadrant, "position"):
                reference = self.need(position, "divider_ref")
                if reference not in order:
                    message = "divider {found!r} is not one of gate {name!r}{close}"
                    close = did_you_mean(reference, order)
                    raise self.fail(position, message, found=reference, name=name, close=close)
                k = order.index(reference)
                region[k] = bisect_right(dividers[k], self.number(position, "location"))
            found[self.need(quadrant, "id")] = QuadrantGate(tuple(dimensions), tuple(dividers), tuple(region))
        if not found:
            raise self.fail(element, "quadrant gate {name!r} defines no quadrant", name=name)
        return found

    def check_references(self) -> None:
        for name, gate in self.gates.items():
            references = [operand.population for operand in gate.operands] if isinstance(gate, BooleanGate) else []
            references += [self.parents[name]] if name in self.parents else []
            for reference in references:
                if reference not in self.gates:
                    message = "gate {name!r} refers to {found!r}, which is not defined{close}"
                    close = did_you_mean(reference, list(self.gates))
                    raise self.fail(self.places[name], message, name=name, found=reference, close=close)
            for dimension in gate.dimensions:
                if dimension.transform is not None and dimension.transform not in self.transforms:
                    message = "gate {name!r}: transformation {found!r} is not defined{close}"
                    close = did_you_mean(dimension.transform, list(self.transforms))
                    raise self.fail(self.places[name], message, name=name, found=dimension.transform, close=close)
