"""il2cyto: from the FCS files of an interleukin-2 trial to per-visit cell counts, linked to serum cytokines and modelled."""

from __future__ import annotations

__version__ = "0.1.0"
