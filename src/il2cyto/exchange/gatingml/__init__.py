"""Gating-ML 2.0 (ISAC recommendation, 2015): reading."""

from __future__ import annotations

from il2cyto.exchange.gatingml.document import Document, make_strategy, read_document, read_gatingml

__all__ = ["Document", "make_strategy", "read_document", "read_gatingml"]
