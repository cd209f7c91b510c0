"""The geometry of FlowJo's gates, moved from its units to those of our axes."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from lxml import etree

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.flowjo.axes import Axis
from il2cyto.exchange.flowjo.channels import Channels, UnknownParameterError
from il2cyto.exchange.flowjo.curly import curly_quadrant
from il2cyto.exchange.flowjo.ellipse import ellipse_form
from il2cyto.exchange.flowjo.matrices import Compensation
from il2cyto.exchange.xml import attribute, children, local
from il2cyto.gates import (
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Limits,
    PolygonGate,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gates.binned import CHANNELS
from il2cyto.transforms import FlowJoBiex, Transform

Binning = Literal["exact", "flowjo"]
_LOWEST = -sys.float_info.max

CURLY_NOTE = (
    "the curve of FlowJo's curly quadrants is not public: populations {names} take the parabola that cytolib fitted, "
    "0.001 channels per squared channel of a display of 255; compare their counts with those that FlowJo stored"
)


class UnsupportedError(Exception):
    """A gate that cannot be taken over; the text is the reason for the tables."""


@dataclass(frozen=True)
class Shape:
    """A gate, the axes on which to show it, and whether it is meant inside out."""

    gate: Gate
    view: tuple[Dimension, ...] = ()
    complement: bool = False
    curly: bool = False


@dataclass
class ShapeReader:
    """Reads gates of one sample and keeps the scales that they use."""

    channels: Channels
    axes: Mapping[str, Axis]
    compensation: Compensation | None
    binning: Binning = "exact"
    used: dict[str, Transform] = field(default_factory=dict)

    @np.errstate(all="ignore")  # numbers that overflow make no gate, and the gate says so
    def read(self, element: etree._Element) -> Shape:
        """Read one gate; what cannot be taken over becomes an `UnsupportedGate` with the reason."""
        kind = local(element)
        complement = (attribute(element, "eventsInside") or "1").strip() == "0"
        try:
            if any((attribute(element, name) or "0").strip("0.-") for name in ("adjustX", "adjustY")):
                # the unit of the movement is not public, and the gate as written is where the magnet did not leave it
                raise UnsupportedError("a magnetic gate that FlowJo moved; make it an ordinary gate there")
            dims = [self._dimension(item) for item in children(element, "dimension")]
            view = tuple(dimension for dimension, _ in dims)
            if kind == "RectangleGate":
                return Shape(self._rectangle(element, view), view, complement)
            if kind == "PolygonGate":
                return Shape(self._polygon(element, dims), view, complement)
            if kind == "EllipsoidGate":
                return Shape(self._ellipse(element, dims), view, complement)
            if kind == "CurlyQuad":
                return Shape(self._curly(element, dims), view, complement, curly=True)
            raise UnsupportedError(f"gates of type {kind!r} are not supported")
        except (UnsupportedError, UnknownParameterError) as error:
            return Shape(UnsupportedGate(str(error)))
        except Il2CytoError as error:
            return Shape(UnsupportedGate(f"the gate does not hold together: {error}"))

    def _dimension(self, element: etree._Element) -> tuple[Dimension, Axis]:
        """Return a dimension on its axis; without a scale it stays linear."""
        shown = next(
            (attribute(child, "name") for child in children(element, "fcs-dimension", "parameter")), None
        )  # fmt: skip
        if not shown:
            raise UnsupportedError("a gate of FlowJo names no parameter on one of its axes")
        source, reference = self.channels.locate(shown, self.compensation)
        axis = self.axes.get(shown) or self.axes.get(source) or Axis(problem=f"{shown!r} has no axis in the workspace")
        if axis.transform is None:
            return Dimension(source, reference), axis
        self.used[axis.id] = axis.transform
        return Dimension(source, reference, axis.id), axis

    def _rectangle(self, element: etree._Element, view: tuple[Dimension, ...]) -> RectangleGate:
        """FlowJo writes limits in instrument units and compares the events themselves with them."""
        limits = []
        for dimension, item in zip(view, children(element, "dimension"), strict=True):
            low, high = _limit(item, "min"), _limit(item, "max")
            if low is None and high is None:
                low = _LOWEST
            limits.append(Limits(Dimension(dimension.source, dimension.compensation), low, high))
        return RectangleGate(tuple(limits))

    def _polygon(self, element: etree._Element, dims: list[tuple[Dimension, Axis]]) -> PolygonGate:
        points = np.array([_coordinates(vertex) for vertex in children(element, "vertex")])
        if points.ndim != 2 or points.shape[1] != 2 or len(dims) != 2:
            raise UnsupportedError("a polygon of FlowJo wants two axes and vertices of two coordinates")
        for k, (_, axis) in enumerate(dims):
            if axis.transform is not None:
                points[:, k] = axis.transform.apply(points[:, k])
        return self._on_display(
            PolygonGate((dims[0][0], dims[1][0]), tuple((float(x), float(y)) for x, y in points)), element, dims
        )

    def _on_display(
        self, gate: PolygonGate, element: etree._Element, dims: list[tuple[Dimension, Axis]]
    ) -> PolygonGate:
        if self.binning == "exact":
            return gate
        self._scales(dims, "FlowJo's binning")
        return BinnedPolygonGate(gate.dimensions, gate.vertices, _resolution(element))

    def _ellipse(self, element: etree._Element, dims: list[tuple[Dimension, Axis]]) -> EllipsoidGate:
        spans = self._scales(dims, "an ellipse of FlowJo")
        foci, edge = (
            np.array([_coordinates(vertex) for part in children(element, name) for vertex in children(part, "vertex")])
            for name in ("foci", "edge")
        )
        if len(dims) != 2 or foci.shape != (2, 2) or edge.shape != (4, 2):
            raise UnsupportedError("an ellipse of FlowJo wants two axes, two foci and four points on its edge")
        mean, covariance = ellipse_form(foci, edge)
        unit = np.array(spans) / CHANNELS
        mean, covariance = mean * unit, covariance * np.outer(unit, unit)
        dimensions = tuple(dimension for dimension, _ in dims)
        rows = tuple(tuple(float(value) for value in row) for row in covariance)
        centre = (float(mean[0]), float(mean[1]))
        if self.binning == "exact":
            return EllipsoidGate(dimensions, centre, rows, 1.0)
        return BinnedEllipsoidGate(dimensions, centre, rows, 1.0, _resolution(element))

    def _curly(self, element: etree._Element, dims: list[tuple[Dimension, Axis]]) -> PolygonGate:
        spans = self._scales(dims, "a curly quadrant of FlowJo")
        corner, above = [], []
        for item, (_, axis) in zip(children(element, "dimension"), dims, strict=True):
            low, high = _limit(item, "min"), _limit(item, "max")
            value = low if low is not None else high
            if value is None or axis.transform is None:
                raise UnsupportedError("a curly quadrant of FlowJo wants a limit on each of its axes")
            corner.append(float(axis.transform.apply(value)))
            above.append(low is not None)
        if len(dims) != 2:
            raise UnsupportedError("a curly quadrant of FlowJo wants two axes")
        # a clamped scale ends where its table ends; any other goes on, and ten displays are enough
        reach = [
            (-0.01, 1.01) if isinstance(axis.transform, FlowJoBiex) else (-10.0, 11.0) for _, axis in dims
        ]  # fmt: skip
        vertices = curly_quadrant(
            (corner[0] / spans[0], corner[1] / spans[1]), (above[0], above[1]), (reach[0], reach[1])
        )
        scaled = tuple((float(x * spans[0]), float(y * spans[1])) for x, y in vertices)
        return self._on_display(PolygonGate((dims[0][0], dims[1][0]), scaled), element, dims)

    def _scales(self, dims: list[tuple[Dimension, Axis]], what: str) -> list[float]:
        """Length of the display on each axis, in axis units."""
        for _, axis in dims:
            if axis.transform is None:
                raise UnsupportedError(f"{what} needs the scale of its axes: {axis.problem}")
        return [axis.transform.length if isinstance(axis.transform, FlowJoBiex) else 1.0 for _, axis in dims]


def _resolution(element: etree._Element) -> int:
    text = attribute(element, "gateResolution") or ""
    return int(text) if text.isdigit() and int(text) >= 2 else CHANNELS


def _limit(element: etree._Element, name: str) -> float | None:
    text = attribute(element, name)
    return None if text is None or not text.strip() else _number(text)


def _coordinates(vertex: etree._Element) -> list[float]:
    return [_number(attribute(item, "value") or "") for item in children(vertex, "coordinate")]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise UnsupportedError(f"a gate of FlowJo holds {text!r} where a number should stand")
    return value
