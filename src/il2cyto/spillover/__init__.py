"""Spillover and spreading matrices from single stains and unstained controls."""

from il2cyto.spillover.estimate import METHODS, Estimate, estimate_spillover
from il2cyto.spillover.spreading import spreading_matrix
from il2cyto.spillover.stains import Stain

__all__ = ["METHODS", "Estimate", "Stain", "estimate_spillover", "spreading_matrix"]
