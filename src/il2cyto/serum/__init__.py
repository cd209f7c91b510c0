"""Serum analytes: concentrations with their censoring."""

from il2cyto.serum.table import read_serum

__all__ = ["read_serum"]
