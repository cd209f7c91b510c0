"""Polygons and ellipses as FlowJo counts them: on the channels of its display, not on the values themselves."""

from __future__ import annotations

from dataclasses import dataclass

from il2cyto.errors import GateError
from il2cyto.gates.shapes import EllipsoidGate, PolygonGate

#: FlowJo's own default (``gateResolution``).
CHANNELS = 256


@dataclass(frozen=True)
class BinnedPolygonGate(PolygonGate):
    """A polygon on a display lattice.

    Events and vertices are moved to whole display channels first; an event is inside if its channels lie within the
    polygon of the vertices' channels or on its border. An axis of FlowJo runs over `channels` channels from 0; a linear
    axis takes the nearest channel, every curved one the channel below. Events beyond the display are in its outermost
    channels.

    Parameters
    ----------
    dimensions, vertices
        As for `PolygonGate`; both dimensions need a transform, which says what the display shows.
    channels
        Channels of each axis, at least 2 (``gateResolution`` in a workspace).

    Notes
    -----
    FlowJo does not publish its rule. This one was found from stored counts: it gives every one of the 159 counts of two
    published workspaces with polygons on linear and biexponential axes (FlowJo 10.5.3 and 10.7.1, displays of 256 and
    1,024 channels), where other roundings and half-open borders do not. That events beyond the display belong to its
    outermost channels is an assumption: no count tells.

    Examples
    --------
    >>> from il2cyto.gates import Dimension
    >>> x, y = Dimension("A", transform="t"), Dimension("B", transform="t")
    >>> BinnedPolygonGate((x, y), ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5))).channels
    256
    """

    channels: int = CHANNELS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)


@dataclass(frozen=True)
class BinnedEllipsoidGate(EllipsoidGate):
    """An ellipse on a display lattice: the formula of `EllipsoidGate` at the channels of each event.

    Parameters
    ----------
    dimensions, mean, covariance, distance_square
        As for `EllipsoidGate`, in two dimensions with transforms.
    channels
        Channels of each axis, at least 2.
    """

    channels: int = CHANNELS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)


def _check(gate: BinnedPolygonGate | BinnedEllipsoidGate) -> None:
    if len(gate.dimensions) != 2:
        raise GateError(f"a gate on a display lattice wants two dimensions, got {len(gate.dimensions)}")
    if not 2 <= gate.channels <= 4096:
        raise GateError(f"a display lattice of {gate.channels} channels: wants 2 to 4096")
    for dimension in gate.dimensions:
        if dimension.transform is None:
            raise GateError(
                f"dimension {dimension.label}: a gate on a display lattice wants a transform, which says what the "
                "display shows"
            )
