"""Channel ↔ marker ↔ fluorochrome of a tube, and the spellings that laboratories use for markers."""

from __future__ import annotations

from il2cyto.panel.panel import ABSENT, Panel, PanelEntry
from il2cyto.panel.spelling import marker_of

__all__ = ["ABSENT", "Panel", "PanelEntry", "marker_of"]
