"""Compile gates that count on the channels of a display (see `il2cyto.gates.binned`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import GateError
from il2cyto.gates.binned import BinnedEllipsoidGate, BinnedPolygonGate
from il2cyto.gates.raster import outline, polygon_channels
from il2cyto.kernels import lattice
from il2cyto.transforms import Bounded, Clamped, FlowJoBiex, FlowJoLinear, Linear, Transform

FloatArray = NDArray[np.float64]
#: Beyond every value on an axis; small enough that products of two do not overflow.
_FAR = 1e150


@dataclass(frozen=True)
class DisplayAxis:
    """One axis of a display.

    Attributes
    ----------
    per_unit
        Channels per axis unit; channel 0 begins at 0, or is centred there.
    nearest
        Whether a value belongs to the nearest channel, and not to the channel below.
    """

    per_unit: float
    nearest: bool

    def channel(self, positions: FloatArray) -> NDArray[np.int64]:
        """Return the channels of positions on the axis; they may lie outside the display."""
        return np.floor(positions * self.per_unit + (0.5 if self.nearest else 0.0)).astype(np.int64)

    def border(self, channels: NDArray[np.int64]) -> FloatArray:
        """Return where channels begin, in axis units."""
        return np.asarray((channels - (0.5 if self.nearest else 0.0)) / self.per_unit, dtype=np.float64)


def display_axis(transform: Transform, channels: int) -> DisplayAxis:
    """Return the display on which FlowJo shows a scale.

    Raises
    ------
    GateError
        If the scale only bounds its argument, so that it says nothing of a display.
    """
    inner: Transform | None = transform
    while isinstance(inner, (Bounded, Clamped)):
        inner = inner.inner
    if inner is None:
        raise GateError("a display lattice wants a scale, not bounds alone")
    span = inner.length if isinstance(inner, FlowJoBiex) else 1.0
    return DisplayAxis(channels / span, isinstance(inner, (Linear, FlowJoLinear)))


def gate_channels(gate: BinnedPolygonGate | BinnedEllipsoidGate, axes: tuple[DisplayAxis, ...]) -> NDArray[np.bool_]:
    """Return which channels a gate holds, bool ``(channels, channels)``."""
    if isinstance(gate, BinnedPolygonGate):
        vertices = np.array(gate.vertices)
        return polygon_channels(
            np.stack([axis.channel(vertices[:, k]) for k, axis in enumerate(axes)], axis=1), gate.channels
        )
    positions = [
        np.arange(gate.channels) / axis.per_unit - centre for axis, centre in zip(axes, gate.mean, strict=True)
    ]
    x, y = np.meshgrid(*positions, indexing="ij")
    inverse = np.linalg.inv(np.array(gate.covariance))
    form = x * x * inverse[0, 0] + x * y * (inverse[0, 1] + inverse[1, 0]) + y * y * inverse[1, 1]
    return np.asarray(form <= gate.distance_square)


def channel_path(cells: NDArray[np.bool_], axes: tuple[DisplayAxis, ...]) -> FloatArray:
    """Return the outline of channels in axis units; the outermost channels go on for ever."""
    corners = outline(cells)
    path = np.empty(corners.shape)
    for k, axis in enumerate(axes):
        path[:, k] = axis.border(corners[:, k])
        path[corners[:, k] <= 0, k] = -_FAR
        path[corners[:, k] >= cells.shape[k], k] = _FAR
    return path


def channel_lattice(
    cells: NDArray[np.bool_],
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.uint8]]:
    """Lay the engine's lattice over channels: each of its cells is one channel, or a few where the gate is wide.

    Returns
    -------
    The channels at which its lines stand on each axis, and its cells: inside, outside or edge.
    """
    n, side = cells.shape[0], lattice.LATTICE
    lines, parts = [], []
    for axis in range(2):
        held = np.flatnonzero(cells.any(axis=1 - axis))
        low, high = (int(held[0]), int(held[-1]) + 1) if held.size else (0, 1)
        step = -(-(high - low) // side)
        lines.append(low + step * np.arange(side + 1))
        # the outermost channel goes on beyond the display
        parts.append(np.minimum(np.arange(low, low + step * side), n - 1).reshape(side, step))
    blocks = cells[parts[0][:, None, :, None], parts[1][None, :, None, :]]
    found = np.full((side, side), lattice.CELL_EDGE, dtype=np.uint8)
    found[blocks.all(axis=(2, 3))] = lattice.CELL_IN
    found[~blocks.any(axis=(2, 3))] = lattice.CELL_OUT
    return (lines[0], lines[1]), found
