"""Compiled loops over plain arrays. Nothing here knows a file, a gate object or a table."""

from __future__ import annotations

from pathlib import Path

from il2cyto.kernels.cache import forget_stale

# before any kernel is loaded: a stale one would give old numbers without a word
forget_stale(Path(__file__).parent)
