"""The region of a gate, on the scales on which it was drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.diva.axes import Scale, UnsupportedError, read_scale
from il2cyto.exchange.diva.settings import Settings, flag, number
from il2cyto.exchange.flowjo.axes import transform_id
from il2cyto.exchange.xml import attribute, child_text, children
from il2cyto.gates import UNCOMPENSATED, Dimension, Gate, Limits, PolygonGate, RectangleGate, UnsupportedGate
from il2cyto.transforms import Transform

FloatArray = NDArray[np.float64]

#: Parameters that FACSDiva was seen to exchange: CytoML exchanges them unless told not to, its own example wants none.
EXCHANGED = frozenset({"FSC-H", "FSC-W", "SSC-H", "SSC-W"})
_KINDS = ("RECTANGLE_REGION", "POLYGON_REGION", "INTERVAL_REGION")


@dataclass
class ShapeReader:
    """Reads regions of one tube and keeps the scales, and the exchanged parameters, that they use."""

    settings: Settings
    decades: float
    used: dict[str, Transform] = field(default_factory=dict)
    exchanged: set[str] = field(default_factory=set)

    def read(self, element: etree._Element) -> Gate:
        """Return the gate of a region; what cannot be taken over becomes an `UnsupportedGate` with the reason."""
        try:
            # numbers that overflow make no gate, and the gate says so
            with np.errstate(all="ignore"):
                return self._read(element)
        except UnsupportedError as error:
            return UnsupportedGate(str(error))
        except Il2CytoError as error:
            return UnsupportedGate(f"the region does not hold together: {error}")

    def _read(self, element: etree._Element) -> Gate:
        kind = attribute(element, "type") or ""
        if kind.startswith("SnapTo") and not self._is_fixed(element):
            raise UnsupportedError("a snap-to gate that follows the events; how is not public. Fix it in FACSDiva")
        region = next(children(element, "region"), None)
        if region is None:
            raise UnsupportedError(f"gates of type {kind!r} without a region are not public")
        shape = attribute(region, "type") or ""
        if shape not in _KINDS:
            raise UnsupportedError(f"regions of type {shape!r} are not public")
        axes = ("x",) if shape == "INTERVAL_REGION" else ("x", "y")
        points = np.array(
            [
                [number(attribute(point, axis)) for axis in axes]
                for part in children(region, "points")
                for point in children(part, "point")
            ]
        )
        if points.ndim != 2 or not np.isfinite(points).all():
            raise UnsupportedError("a region of FACSDiva holds points that are no numbers, or none")
        dimensions = []
        for k, axis in enumerate(axes):
            parameter = attribute(region, f"{axis}parm") or ""
            if not parameter:
                raise UnsupportedError("a region of FACSDiva names no parameter on one of its axes")
            scale = read_scale(element, axis, parameter, self.settings, self.decades)
            points[:, k] = points[:, k] * scale.factor + scale.offset
            dimensions.append(self._dimension(parameter, scale))
        return _shape(shape, tuple(dimensions), points)

    @staticmethod
    def _is_fixed(element: etree._Element) -> bool:
        """Whether a snap-to gate was left where it is: ``is_snap_mode`` is ``N``."""
        extended = next(children(element, "extended"), None)
        text = "" if extended is None else child_text(extended, "is_snap_mode") or ""
        return text.upper() == "N" or flag(text) is False

    def _dimension(self, parameter: str, scale: Scale) -> Dimension:
        reference = UNCOMPENSATED
        if parameter in self.settings.compensated:
            if self.settings.problem:
                raise UnsupportedError(self.settings.problem)
            reference = self.settings.reference
        if parameter in EXCHANGED:
            self.exchanged.add(parameter)
        if scale.transform is None:
            return Dimension(parameter, reference)
        key = transform_id(scale.transform)
        self.used[key] = scale.transform
        return Dimension(parameter, reference, key)


def _shape(kind: str, dimensions: tuple[Dimension, ...], points: FloatArray) -> Gate:
    ends = [sorted(set(points[:, k].tolist())) for k in range(points.shape[1])]
    if kind == "INTERVAL_REGION":
        if len(points) != 2:
            raise UnsupportedError(f"an interval of FACSDiva wants two points, this one has {len(points)}")
        return RectangleGate((Limits(dimensions[0], ends[0][0], ends[0][-1]),))
    corners = {(x, y) for x, y in points.tolist()}
    if all(len(values) == 2 for values in ends) and len(points) == len(corners) == 4 and _turns(points):
        # a quadrant is written as a polygon; as a rectangle it adds up with the others whatever its edges
        return RectangleGate(
            tuple(Limits(dimension, *values) for dimension, values in zip(dimensions, ends, strict=True))
        )
    if kind == "RECTANGLE_REGION":
        raise UnsupportedError("a rectangle of FACSDiva wants four corners of two values on each axis")
    return PolygonGate((dimensions[0], dimensions[1]), tuple((float(x), float(y)) for x, y in points))


def _turns(points: FloatArray) -> bool:
    """Whether four corners follow each other along the edges, not across."""
    steps = np.roll(points, -1, axis=0) - points
    return all(math.isclose(dx, 0.0, abs_tol=0.0) != math.isclose(dy, 0.0, abs_tol=0.0) for dx, dy in steps.tolist())
