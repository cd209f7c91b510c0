"""The command line. Steps are imported only when they run, so that ``--help`` answers at once."""

from __future__ import annotations

from il2cyto.cli.app import main

__all__ = ["main"]
