"""Gates that other programs wrote."""

from __future__ import annotations

from il2cyto.exchange.export_flowjo import write_workspace
from il2cyto.exchange.export_gatingml import write_gatingml
from il2cyto.exchange.sets import StrategySet, read_gating, read_strategies

__all__ = ["StrategySet", "read_gating", "read_strategies", "write_gatingml", "write_workspace"]
