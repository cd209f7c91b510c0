"""Identifiers out: FCS files, sheets and studies that may be given away, with their events bit for bit."""

from __future__ import annotations

from il2cyto.deident.batch import Summary, deidentify
from il2cyto.deident.key import Key, new_key, read_key
from il2cyto.deident.scan import Finding, scan

__all__ = ["Finding", "Key", "Summary", "deidentify", "new_key", "read_key", "scan"]
