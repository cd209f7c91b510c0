"""Strategies, their application to samples, and the results."""

from __future__ import annotations

from il2cyto.gating.export import export_population
from il2cyto.gating.folder import read_strategy
from il2cyto.gating.result import GatingResult
from il2cyto.gating.strategy import GatingStrategy, Population

__all__ = ["GatingResult", "GatingStrategy", "Population", "export_population", "read_strategy"]
