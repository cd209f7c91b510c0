"""The gates of one tube, drawn from its ``plots.json``."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from il2cyto.pl.fonts import label, legible
from il2cyto.pl.style import MUTED, own_axes

_GATE = "#b3123f"
_SIZE = 2.5  # inches per panel


def gates(plots: Mapping[str, Any], *, columns: int = 5) -> Figure:
    """Draw every gate of a tube in the order of the tree, with count and percent of the parent.

    Parameters
    ----------
    plots
        Content of ``plots.json``: ``tube_id`` and ``gates``.
    columns
        Panels in a row.

    Returns
    -------
    A new figure with one axes per gate.

    Examples
    --------
    >>> entry = {"population": "CD3/CD39+", "status": "not_estimable", "reason": "marker absent: CD39"}
    >>> len(gates({"tube_id": "P001-BL-TREG", "gates": [entry]}).axes)
    1
    """
    entries = plots["gates"]
    across = max(1, min(columns, len(entries)))
    down = max(1, math.ceil(len(entries) / across))
    figure = Figure(figsize=(_SIZE * across, _SIZE * 1.12 * down + 0.3), layout="constrained")
    figure.suptitle(str(plots["tube_id"]), fontsize=11)
    for position, entry in enumerate(entries):
        gate(entry, ax=figure.add_subplot(down, across, position + 1))
    return figure


def gate(entry: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draw one gate: the parent's density (or histogram), the gate's outline, count and percent.

    Parameters
    ----------
    entry
        One item of ``plots.json``'s ``gates``. A population that is not estimable, or that has no picture of its own,
        gives a grey panel that says so.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    The axes.
    """
    ax = own_axes(ax, _SIZE, _SIZE * 1.1)
    name = label(str(entry["population"]).rsplit("/", 1)[-1])
    if entry["status"] != "estimated":
        _blank(ax, f"not estimable:\n{entry.get('reason') or 'no reason given'}")
        ax.set_title(name, fontsize=8, loc="left")
        legible(ax)
        return ax
    size = f"{_number(entry.get('count'))} · {_percent(entry.get('percent_parent'))}"
    ax.set_title(f"{name}\n{size}", fontsize=8, loc="left")
    if not entry.get("x") or not entry.get("density"):
        _blank(ax, f"{entry.get('type') or ''} gate:\nno picture")
        return ax
    values = np.frombuffer(base64.b64decode(entry["density"]), dtype=np.uint8)
    x, y = entry["x"], entry.get("y")
    if y:
        grid = values.reshape(entry["bins"], entry["bins"])
        ax.imshow(
            np.where(grid > 0, grid, np.nan),
            origin="lower",
            extent=(*x["range"], *y["range"]),
            aspect="auto",
            cmap="viridis",
            vmin=1,
            vmax=255,
            interpolation="nearest",
        )
        _label(ax, "y", y)
    else:
        ax.stairs(
            values / 2.55, np.linspace(x["range"][0], x["range"][1], entry["bins"] + 1), fill=True, color="#8fb8d3"
        )
        ax.set_ylim(0, 106)
        ax.set_ylabel("events, % of highest bin", fontsize=7, color=MUTED)
        ax.tick_params(labelsize=6)
    _label(ax, "x", x)
    _outline(ax, entry)
    legible(ax)
    return ax


def _outline(ax: Axes, entry: Mapping[str, Any]) -> None:
    if entry.get("outline"):
        vertices = np.asarray(entry["outline"], dtype=np.float64)
        ax.add_patch(Polygon(vertices, closed=True, facecolor=(*to_rgb(_GATE), 0.07), edgecolor=_GATE, lw=1.2))
        return
    limits = entry.get("xlim")
    if not limits:
        return
    for limit in limits:
        if limit is not None:
            ax.axvline(limit, color=_GATE, lw=1.2)
    # the tint says which side of a single limit is inside
    low, high = (end if limit is None else limit for limit, end in zip(limits, entry["x"]["range"], strict=True))
    ax.axvspan(low, high, color=_GATE, alpha=0.07, lw=0)


def _label(ax: Axes, which: str, axis: Mapping[str, Any]) -> None:
    positions = [position for position, _ in axis["ticks"]]
    labels = [label for _, label in axis["ticks"]]
    if which == "x":
        ax.set_xlim(*axis["range"])
        ax.set_xticks(positions, labels, fontsize=6)
        ax.set_xlabel(label(str(axis["label"]), 40), fontsize=7)
    else:
        ax.set_ylim(*axis["range"])
        ax.set_yticks(positions, labels, fontsize=6)
        ax.set_ylabel(label(str(axis["label"]), 40), fontsize=7)


def _blank(ax: Axes, message: str) -> None:
    ax.set_facecolor("#eceff2")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", va="center", fontsize=7, color=MUTED, wrap=True)


def _number(value: Any) -> str:
    return "–" if _missing(value) else f"{int(value):,}"


def _percent(value: Any) -> str:
    return "–" if _missing(value) else f"{value:.3g} %"


def _missing(value: Any) -> bool:
    return value is None or not math.isfinite(value)
