"""Gate geometry in the terms of Gating-ML 2.0: frozen data, no events."""

from __future__ import annotations

from il2cyto.gates.binned import BinnedEllipsoidGate, BinnedPolygonGate
from il2cyto.gates.boolean import BooleanGate, Operand
from il2cyto.gates.dimension import UNCOMPENSATED, Dimension, Ratio
from il2cyto.gates.shapes import EllipsoidGate, Limits, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gates.unsupported import UnsupportedGate

Gate = RectangleGate | PolygonGate | EllipsoidGate | QuadrantGate | BooleanGate | UnsupportedGate

__all__ = [
    "UNCOMPENSATED",
    "BinnedEllipsoidGate",
    "BinnedPolygonGate",
    "BooleanGate",
    "Dimension",
    "EllipsoidGate",
    "Gate",
    "Limits",
    "Operand",
    "PolygonGate",
    "QuadrantGate",
    "Ratio",
    "RectangleGate",
    "UnsupportedGate",
]
