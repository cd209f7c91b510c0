"""The geometry of FlowJo 9's gates: vertices in instrument units, straight lines on the display."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.flowjo.axes import Axis
from il2cyto.exchange.flowjo.channels import Channels, UnknownParameterError
from il2cyto.exchange.flowjo.matrices import Compensation
from il2cyto.exchange.flowjo.shapes import Shape, UnsupportedError
from il2cyto.exchange.flowjo9.axes import MacAxis, units
from il2cyto.exchange.xml import attribute, children, local
from il2cyto.gates import Dimension, EllipsoidGate, Gate, Limits, PolygonGate, RectangleGate, UnsupportedGate
from il2cyto.transforms import Transform

FloatArray = NDArray[np.float64]

_SHAPES = ("Polygon", "PolyRect", "Range", "Ellipse")
_LOWEST = -sys.float_info.max


@dataclass
class MacShapeReader:
    """Reads gates of one sample and keeps the scales that they use."""

    channels: Channels
    axes: Mapping[str, MacAxis]
    compensation: Compensation | None
    used: dict[str, Transform] = field(default_factory=dict)

    def read(self, element: etree._Element) -> Shape:
        """Read a ``PolygonGate``; what cannot be taken over becomes an `UnsupportedGate` with the reason."""
        try:
            shapes = [child for child in children(element) if local(child) in _SHAPES]
            if len(shapes) != 1:
                other = sorted({local(child) for child in children(element)} - {"ParameterNames", "Graph"})
                raise UnsupportedError(f"a gate of FlowJo 9 of no known shape ({', '.join(other) or 'empty'})")
            (shape,) = shapes
            if any((attribute(shape, name) or "0").strip("0.-") for name in ("adjustX", "adjustY")):
                raise UnsupportedError("a magnetic gate that FlowJo moved")
            # numbers that overflow make no gate, and the gate says so
            with np.errstate(all="ignore"):
                return Shape(self._gate(shape), (), is_negated(shape))
        except (UnsupportedError, UnknownParameterError) as error:
            return Shape(UnsupportedGate(str(error)))
        except Il2CytoError as error:
            return Shape(UnsupportedGate(f"the gate does not hold together: {error}"))

    def _gate(self, shape: etree._Element) -> Gate:
        kind = local(shape)
        names = [attribute(shape, name) or "" for name in ("xAxisName", "yAxisName")]
        points = np.array(
            [
                [_number(attribute(vertex, axis)) for axis in ("x", "y")]
                for part in children(shape, "Polygon")
                for vertex in children(part, "Vertex")
            ]
        )
        if not len(points):
            raise UnsupportedError("a gate of FlowJo 9 without vertices")
        if kind == "Range":
            return self._range(names[0], points)
        dims = [self._dimension(name) for name in names]
        for k, (_, axis) in enumerate(dims):
            points[:, k] = self._units(names[k], axis, points[:, k])
        if kind == "PolyRect":
            if len(points) != 4 or any(len(set(points[:, k].tolist())) != 2 for k in (0, 1)):
                raise UnsupportedError("a rectangle of FlowJo 9 wants four corners of two values on each axis")
            return RectangleGate(
                tuple(_limits(dimension, axis, points[:, k]) for k, (dimension, axis) in enumerate(dims))
            )
        for k, (dimension, axis) in enumerate(dims):
            points[:, k] = self._on_axis(dimension, axis, points[:, k])
        dimensions = tuple(
            Dimension(dimension.source, dimension.compensation, axis.axis.id) for dimension, axis in dims
        )  # fmt: skip
        if kind == "Ellipse":
            mean, covariance = antipodes_form(points)
            rows = tuple(tuple(float(value) for value in row) for row in covariance)
            return EllipsoidGate(dimensions, (float(mean[0]), float(mean[1])), rows, 1.0)
        return PolygonGate((dimensions[0], dimensions[1]), tuple((float(x), float(y)) for x, y in points))

    def _range(self, name: str, points: FloatArray) -> RectangleGate:
        dimension, axis = self._dimension(name)
        # a range that was drawn upright has its ends in y (CytoML)
        ends = points[:, 1] if len(points) == 2 and points[0, 0] == points[1, 0] else points[:, 0]
        if len(ends) != 2:
            raise UnsupportedError(f"a range of FlowJo 9 wants two ends, this one has {len(ends)}")
        return RectangleGate((_limits(dimension, axis, self._units(name, axis, ends)),))

    def _dimension(self, name: str) -> tuple[Dimension, MacAxis]:
        if not name:
            raise UnsupportedError("a gate of FlowJo 9 names no parameter on one of its axes")
        source, reference = self.channels.locate(name, self.compensation)
        axis = self.axes.get(name) or self.axes.get(source)
        if axis is None:
            axis = MacAxis(Axis(problem=f"{name!r} has no axis in the workspace"), -math.inf)
        return Dimension(source, reference), axis

    def _units(self, name: str, axis: MacAxis, values: FloatArray) -> FloatArray:
        found = units(axis, values)
        if np.isnan(found).any():
            raise UnsupportedError(f"programs that read FlowJo 8 disagree on the units of {name!r}")
        return found

    def _on_axis(self, dimension: Dimension, axis: MacAxis, values: FloatArray) -> FloatArray:
        if axis.axis.transform is None:
            raise UnsupportedError(f"a polygon or ellipse needs the scale of its axes: {axis.axis.problem}")
        self.used[axis.axis.id] = axis.axis.transform
        return axis.axis.transform.apply(values)


def _limits(dimension: Dimension, axis: MacAxis, values: FloatArray) -> Limits:
    """An edge at or below the lower end of the display holds what lies below it (as CytoML extends gates there)."""
    low, high = float(values.min()), float(values.max())
    return Limits(dimension, _LOWEST if low <= axis.lowest else low, high)


def is_negated(element: etree._Element) -> bool:
    """Whether a gate is meant inside out: ``negated="1"``, or ``eventsInside="0"``."""
    negated = (attribute(element, "negated") or "0").strip().lower()
    return negated in ("1", "true", "yes") or (attribute(element, "eventsInside") or "1").strip() == "0"


def antipodes_form(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of an ellipse whose border has Mahalanobis distance 1 (as cytolib reads it).

    Parameters
    ----------
    points
        Ends of its two axes in any order, ``(4, 2)``, axis units. Those farthest left and right are opposite.

    Raises
    ------
    UnsupportedError
        If there are not four.

    Examples
    --------
    >>> mean, covariance = antipodes_form(np.array([[5.0, 4.0], [10.0, 0.0], [15.0, 4.0], [10.0, 8.0]]))
    >>> mean.tolist(), covariance.tolist()
    ([10.0, 4.0], [[25.0, 0.0], [0.0, 16.0]])
    """
    if points.shape != (4, 2):
        raise UnsupportedError(f"an ellipse of FlowJo 9 wants four points on its edge, this one has {len(points)}")
    mean = points.mean(axis=0)
    order = np.argsort(points[:, 0], kind="stable")
    covariance = np.zeros((2, 2))
    for first, second in ((order[0], order[3]), (order[1], order[2])):
        half = (points[second] - points[first]) / 2
        covariance += np.outer(half, half)
    return mean, covariance


def _number(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UnsupportedError(f"a gate of FlowJo 9 holds {text!r} where a number should stand")
    return value
