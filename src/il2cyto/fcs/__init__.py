"""Bytes ↔ Sample."""

from __future__ import annotations

from il2cyto.fcs.dataset import Dataset, open_dataset, open_datasets
from il2cyto.fcs.read import read_fcs
from il2cyto.fcs.scan import FcsHeader, read_fcs_header
from il2cyto.fcs.write import write_fcs

__all__ = ["Dataset", "FcsHeader", "open_dataset", "open_datasets", "read_fcs", "read_fcs_header", "write_fcs"]
