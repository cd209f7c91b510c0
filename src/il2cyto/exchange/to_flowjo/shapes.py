"""Gates in the units of FlowJo: limits and vertices in instrument units, ellipses on its display."""

from __future__ import annotations

import math

import numpy as np
from lxml import etree

from il2cyto.errors import StrategyError
from il2cyto.exchange.gatingml.elements import number, put
from il2cyto.exchange.to_flowjo.parameters import Parameters
from il2cyto.gates import (
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    Dimension,
    EllipsoidGate,
    Limits,
    PolygonGate,
    RectangleGate,
)
from il2cyto.transforms import FlowJoBiex, Transform

_STYLE = {
    "annoOffsetX": "0", "annoOffsetY": "0", "tint": "#000000", "isTinted": "0", "lineWeight": "Normal",
    "userDefined": "1",
}  # fmt: skip


def write_shape(
    parent: etree._Element,
    gate: RectangleGate | PolygonGate | EllipsoidGate,
    parameters: Parameters,
    gate_id: str,
    complement: bool,
) -> None:
    """Append a gate of one or two dimensions.

    Raises
    ------
    StrategyError
        If FlowJo has no such gate.
    """
    kind = next(base.__name__ for base in (RectangleGate, PolygonGate, EllipsoidGate) if isinstance(gate, base))
    more = {"percentX": "0", "percentY": "0"}
    if isinstance(gate, PolygonGate):
        channels = gate.channels if isinstance(gate, BinnedPolygonGate) else 256
        more = {"quadId": "-1", "gateResolution": str(channels)}
    elif isinstance(gate, EllipsoidGate):
        more = {"gateResolution": str(gate.channels)} if isinstance(gate, BinnedEllipsoidGate) else {}
    element = put(
        parent, f"gating:{kind}", eventsInside="0" if complement else "1", **_STYLE, **more, gating__id=gate_id
    )
    if isinstance(gate, RectangleGate):
        for limit in gate.limits:
            low, high = raw_limits(limit, parameters.strategy.transforms.get(limit.dimension.transform or ""))
            _dimension(element, limit.dimension, parameters, gating__min=low, gating__max=high)
        return
    for dimension in gate.dimensions:
        _dimension(element, dimension, parameters)
    if isinstance(gate, PolygonGate):
        raw = _moved(gate.dimensions, np.array(gate.vertices), parameters)[0]
        if not np.isfinite(raw).all():
            raise StrategyError("a vertex lies beyond every value; move it onto the axis")
        for vertex in raw:
            _point(put(element, "gating:vertex"), vertex)
        return
    _ellipse(element, gate, parameters)


def raw_limits(limit: Limits, transform: Transform | None) -> tuple[str | None, str | None]:
    """Return limits in instrument units, as texts; ``None`` for an open side.

    ``T(x) >= y`` and ``x >= smallest_reaching(y)`` are the same statement, so nothing is lost.
    """
    low = -math.inf if limit.minimum is None else limit.minimum
    high = math.inf if limit.maximum is None else limit.maximum
    if transform is not None:
        high = math.inf if high > transform.top else transform.smallest_reaching(high)
        low = max(low if low == -math.inf else transform.smallest_reaching(low), transform.domain_minimum)
        low = -math.inf if low == -float(np.finfo(np.float64).max) else low
    if low > high or low == math.inf or high == -math.inf:
        low = high = 0.0
    return (number(low) if low > -math.inf else None), (number(high) if high < math.inf else None)


def _dimension(parent: etree._Element, dimension: Dimension, parameters: Parameters, **limits: str | None) -> None:
    element = put(parent, "gating:dimension", **limits)
    put(element, "data-type:fcs-dimension", data_type__name=parameters.of(dimension).name)


def _point(parent: etree._Element, values: np.ndarray) -> None:
    for value in values:
        put(parent, "gating:coordinate", data_type__value=number(value))


def _moved(
    dimensions: tuple[Dimension, ...], points: np.ndarray, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """Return points ``(n, 2)`` in axis units as instrument units and as display channels."""
    raw, shown = np.empty_like(points), np.empty_like(points)
    for k, dimension in enumerate(dimensions):
        transform = parameters.strategy.transforms.get(dimension.transform or "")
        raw[:, k], shown[:, k] = parameters.of(dimension).scale.moved(transform, points[:, k])
    return raw, shown


def _ellipse(element: etree._Element, gate: EllipsoidGate, parameters: Parameters) -> None:
    if len(gate.mean) != 2 or not gate.is_ellipsoid or gate.distance_square == 0:
        raise StrategyError("FlowJo has ellipses of two dimensions alone; split the gate, or draw it as polygons")
    mean = np.array(gate.mean)
    # the way from our axis to FlowJo's display is a shift and a factor on each axis: two points tell it
    ends = np.stack([mean, mean + np.sqrt(np.diag(np.array(gate.covariance)))])
    for k, dimension in enumerate(gate.dimensions):
        transform = parameters.strategy.transforms.get(dimension.transform or "")
        if isinstance(transform, FlowJoBiex):  # whose table ends
            ends[:, k] = transform.length / 4, transform.length * 3 / 4
    shown = _moved(gate.dimensions, ends, parameters)[1]
    factor = (shown[1] - shown[0]) / (ends[1] - ends[0])
    center = shown[0] + factor * (mean - ends[0])
    covariance = np.array(gate.covariance) * np.outer(factor, factor) * gate.distance_square
    squares, directions = np.linalg.eigh((covariance + covariance.T) / 2)
    minor, major = (directions[:, k] * math.sqrt(squares[k]) for k in (0, 1))
    focus = directions[:, 1] * math.sqrt(max(squares[1] - squares[0], 0.0))
    element.set("{http://www.isac-net.org/std/Gating-ML/v2.0/gating}distance", number(2 * math.sqrt(squares[1])))
    foci, edge = put(element, "gating:foci"), put(element, "gating:edge")
    for sign in (-1, 1):
        _point(put(foci, "gating:vertex"), center + sign * focus)
    for half_axis in (major, minor):
        for sign in (-1, 1):
            _point(put(edge, "gating:vertex"), center + sign * half_axis)
