"""Classes at baseline against classes at a visit, as numbers of subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import INK


def shift(
    classes: pd.DataFrame, *, order: Sequence[str], arms: Sequence[str], before: str, after: str, title: str = ""
) -> Figure:
    """Draw one square of cells per arm: rows are classes at baseline, columns those at the visit.

    Parameters
    ----------
    classes
        ``arm, before, after``: one row per subject whose class is known at both.
    order
        The classes, in order.
    arms
        What to show, in this order.
    before, after
        Words for the two visits.
    title
        Of the picture.

    Returns
    -------
    A new figure; subjects on the diagonal have not changed.

    Raises
    ------
    TableError
        If no subject has both classes.
    """
    if classes.empty:
        raise TableError("classes: no subject has one at both visits")
    n = len(order)
    figure = Figure(figsize=(1.6 + (1.2 + 0.75 * n) * len(arms), 1.7 + 0.62 * n), layout="constrained")
    for number, (arm, ax) in enumerate(zip(arms, figure.subplots(1, len(arms), squeeze=False)[0], strict=True)):
        mine = classes[classes["arm"] == arm]
        table = np.array([[int(((mine["before"] == a) & (mine["after"] == b)).sum()) for b in order] for a in order])
        ax.imshow(table, cmap="Blues", vmin=0, vmax=max(int(table.max()) * 1.4, 1), aspect="auto")
        for i in range(n):
            for j in range(n):
                weight = "bold" if i == j else "normal"
                ax.text(j, i, str(table[i, j]), ha="center", va="center", color=INK, fontweight=weight, fontsize=10)
        ax.set_xticks(range(n), [written(one, 9) for one in order], fontsize=8)
        ax.set_yticks(range(n), [written(one, 14) for one in order] if not number else [""] * n, fontsize=8)
        ax.set_xlabel(written(after, 30), fontsize=9)
        if not number:
            ax.set_ylabel(written(before, 30), fontsize=9)
        ax.set_title(f"{written(arm, 30)} (n = {len(mine)})", fontsize=10)
        ax.tick_params(length=0)
    figure.suptitle(written(title, 60), fontsize=11)
    legible(figure)
    return figure
