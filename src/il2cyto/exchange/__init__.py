"""Gates that other programs wrote."""

from __future__ import annotations

from il2cyto.exchange.sets import StrategySet, read_gating, read_strategies

__all__ = ["StrategySet", "read_gating", "read_strategies"]
