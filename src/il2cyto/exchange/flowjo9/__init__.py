"""Workspaces of FlowJo 9 for the Mac (XML).

Their structure is not published by FlowJo. What stands here rests on two programs that read these files: **CytoML**
with **cytolib** (``macFlowJoWorkspace.hpp``: samples, parameters, calibration tables, matrices, the five kinds of
gates, also of the variant 3.0) and **LabKey Server** (``MacWorkspace.java``: paths in combinations, straight lines on
the display, the factor of 64 before version 9). Where the two disagree the population is kept as not estimable.

No file of FlowJo 9 came with its FCS files, so nothing was compared with it here; every strategy says so.
"""

from __future__ import annotations

from il2cyto.exchange.flowjo9.read import read_mac_workspace

__all__ = ["read_mac_workspace"]
