"""Subjects and visits as a diagram: one column per arm, one box per visit."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import ARM_COLOURS, INK, MUTED, own_axes


def flow(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw how many subjects came to which visit, and how many of their samples are analysed.

    Parameters
    ----------
    table
        ``outcomes/flow.csv``: ``arm, label, visit, visit_label, expected, sampled, apart, analysed, missing, doses``.
    title
        Over the arms, for example the number of subjects.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    The axes.

    Raises
    ------
    TableError
        If the table is empty.
    """
    if table.empty:
        raise TableError("flow: no arm expects a visit")
    arms = list(dict.fromkeys(table["arm"]))
    most = int(table.groupby("arm", sort=False).size().max())
    ax = own_axes(ax, 3.4 * len(arms) + 0.4, 1.9 + 1.0 * most)
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "color": INK}
    middle = (len(arms) - 1) / 2
    total = int(table.drop_duplicates("arm")["expected"].sum())
    ax.text(middle, 1.0, f"{written(title, 50)}\n{total} subjects", bbox=_box(MUTED), **style)
    for column, arm in enumerate(arms):
        rows = table[table["arm"] == arm].to_dict("records")
        colour = ARM_COLOURS[column % len(ARM_COLOURS)]
        ax.annotate("", (column, 0.28), (middle, 0.72), arrowprops={"arrowstyle": "-", "color": MUTED})
        dosed = int(rows[0]["doses"])
        treated = f"\n{dosed} with doses" if dosed else ""
        ax.text(
            column,
            0.0,
            f"{written(rows[0]['label'], 34)}\nn = {rows[0]['expected']}{treated}",
            bbox=_box(colour),
            **style,
        )
        for place, row in enumerate(rows, start=1):
            ax.annotate(
                "", (column, -place + 0.32), (column, -place + 0.68), arrowprops={"arrowstyle": "->", "color": MUTED}
            )
            lost = [f"{row['missing']} missing"] if row["missing"] else []
            lost += [f"{row['apart']} apart"] if row["apart"] else []
            more = f"\n{', '.join(lost)}" if lost else ""
            text = f"{written(row['visit_label'], 26)}: {row['analysed']} analysed{more}"
            ax.text(column, -place, text, bbox=_box(colour), **style)
    ax.set_xlim(-0.6, len(arms) - 0.4)
    ax.set_ylim(-most - 0.5, 1.5)
    ax.axis("off")
    legible(ax)
    return ax


def _box(colour: str) -> dict[str, Any]:
    return {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour, "linewidth": 1.3}
