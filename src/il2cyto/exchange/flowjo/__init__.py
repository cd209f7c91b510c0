"""Workspaces of FlowJo 10."""

from __future__ import annotations

from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.exchange.flowjo.read import read_workspace

__all__ = ["Workspace", "WorkspaceSample", "read_workspace"]
