"""Correlations of cells and cytokines as a heat map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from il2cyto.errors import TableError, did_you_mean
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import INK, MUTED, own_axes

#: Adjusted p-value below which a cell is marked; the usual rate of false ones in exploration.
_MARKED = 0.10


def correlations(table: pd.DataFrame, *, arm: str = "all", ax: Axes | None = None) -> Axes:
    """Draw the correlations of populations (rows) with analytes (columns); violet rises together, orange goes apart.

    Parameters
    ----------
    table
        ``correlations.csv``: ``strategy, population, analyte, arm, r, p_adjusted, status``; or ``model_joint.csv``
        with ``r_within`` and without arms.
    arm
        Whose; ``all`` for everyone.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    The axes. A dot marks an adjusted p-value below 0.10; a stroke, what is not estimable.

    Raises
    ------
    TableError
        If no row is left.
    """
    joint = "r_within" in table
    rows = table.rename(columns={"r_within": "r"}) if joint else table[table["arm"] == arm]
    if rows.empty:
        if joint:
            raise TableError("the table has no correlation")
        raise TableError(f"arm = {arm!r}: no correlation of it{did_you_mean(arm, list(table['arm'].unique()))}")
    keys = list(dict.fromkeys(zip(rows["strategy"], rows["population"], strict=True)))
    analytes = list(dict.fromkeys(rows["analyte"]))
    place = {key: i for i, key in enumerate(keys)}
    r = np.full((len(keys), len(analytes)), np.nan)
    ax = own_axes(ax, 2.6 + 0.42 * len(analytes), 1.2 + 0.2 * len(keys))
    for row in rows.to_dict("records"):
        y, x = place[row["strategy"], row["population"]], analytes.index(row["analyte"])
        if row["status"] != "estimated" or pd.isna(row["r"]):
            ax.text(x, y, "/", ha="center", va="center", fontsize=7, color=MUTED)
            continue
        r[y, x] = row["r"]
        if row["p_adjusted"] < _MARKED:
            ax.plot(x, y, "o", ms=4, color=INK)
    image = ax.imshow(r, cmap="PuOr", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="r within subjects", shrink=0.6)
    names = ["/".join(population.split("/")[-2:]) for _, population in keys]
    strategies = [strategy for strategy, _ in keys]
    several = len(set(strategies)) > 1
    labels = [f"{name} · {strategy}" if several else name for name, strategy in zip(names, strategies, strict=True)]
    ax.set_yticks(range(len(keys)), [written(text, 48) for text in labels], fontsize=7)
    columns = [written(str(name), 24) for name in analytes]
    ax.set_xticks(range(len(analytes)), columns, fontsize=8, rotation=60, ha="right")
    whose = "all subjects" if arm == "all" else written(arm, 40)
    ax.set_title(f"{whose}; dot: adjusted p < {_MARKED:.2f}; exploratory", fontsize=8, loc="left")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    legible(ax)
    return ax
