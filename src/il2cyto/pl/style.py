"""Colours and axes that the pictures share."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Colours of arms, told apart with any colour vision (after Okabe and Ito).
ARM_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#56B4E9")
INK = "#1b2733"
MUTED = "#5a6978"


def own_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of that size in inches."""
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def plain_spines(ax: Axes) -> None:
    """Leave the left and the lower edge only."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
