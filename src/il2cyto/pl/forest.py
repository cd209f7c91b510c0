"""Ratios with their intervals, one line per estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import ARM_COLOURS, INK, MUTED, own_axes, plain_spines


def forest(
    model: pd.DataFrame, *, contrast: str | None = None, visit: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the estimates of one contrast as a forest plot on a logarithmic axis.

    Parameters
    ----------
    model
        ``model.csv`` or another table of this form: ``population, arm, visit, contrast, ratio_to_baseline`` (or
        ``odds_ratio_to_baseline``), ``lower, upper, status``.
    contrast, visit
        Which rows to show; by default the first contrast, and every visit.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    The axes, with the first row on top; a row that is not estimable says so and has no point.

    Raises
    ------
    TableError
        If no row is left.
    """
    wanted = contrast if contrast is not None else "" if model.empty else str(model["contrast"].iloc[0])
    rows = model[model["contrast"] == wanted]
    if visit is not None:
        rows = rows[rows["visit"] == visit]
    if rows.empty:
        raise TableError(f"contrast = {wanted!r}, visit = {visit!r}: the model has no such estimate")
    odds = "odds_ratio_to_baseline" in rows
    ax = own_axes(ax, 6.4, 0.9 + 0.27 * len(rows))
    arms = list(dict.fromkeys(rows["arm"]))
    several = rows["visit"].nunique() > 1
    labels = []
    for place, row in enumerate(rows.to_dict("records")):
        label = f"{str(row['population']).rsplit('/', 1)[-1]} · {row['arm']}"
        labels.append(f"{label} · {row['visit']}" if several else label)
        ratio = row["odds_ratio_to_baseline" if odds else "ratio_to_baseline"]
        if row["status"] != "estimated" or pd.isna(ratio):
            ax.text(1.0, place, " not estimable", va="center", fontsize=8, color=MUTED, style="italic")
            continue
        colour = ARM_COLOURS[arms.index(row["arm"]) % len(ARM_COLOURS)]
        if not (pd.isna(row["lower"]) or pd.isna(row["upper"])):
            ax.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=1.8, solid_capstyle="butt")
        ax.plot([ratio], [place], "s", color=colour, ms=5)
    ax.axvline(1.0, color=INK, lw=0.8, ls=(0, (3, 3)), zorder=0)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ticks = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100])
    ax.set_xticks(ticks[(ticks >= low) & (ticks <= high)])
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(rows)), [written(text, 48) for text in labels], fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel(f"{wanted.replace('_', ' ')}: {'odds ratio' if odds else 'ratio'} (95 % interval)")
    plain_spines(ax)
    legible(ax)
    return ax
