"""Bytes ↔ Sample."""

from __future__ import annotations

from il2cyto.fcs.read import read_fcs
from il2cyto.fcs.write import write_fcs

__all__ = ["read_fcs", "write_fcs"]
