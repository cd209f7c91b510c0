"""Cells/µL of one population over the visits: subjects as thin lines, the geometric mean of the arm bold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label, legible
from il2cyto.pl.style import ARM_COLOURS, own_axes, plain_spines
from il2cyto.pl.summary import summarise_arms


def trajectories(
    counts: pd.DataFrame,
    population: str,
    *,
    strategy: str | None = None,
    arms: Sequence[str] | None = None,
    visits: Sequence[str] | None = None,
) -> Figure:
    """Draw one panel per arm, side by side on the same logarithmic axis.

    Parameters
    ----------
    counts
        The rows that stand for a visit, as in ``counts.csv``: ``subject, arm, visit, visit_number, strategy,
        population, name, cells_per_ul, below_lloq``.
    population
        A path, or a name that only one population has.
    strategy
        Needed where several strategies hold the population.
    arms, visits
        What to show, in this order; by default all arms by name and all visits by number.

    Returns
    -------
    A new figure with one axes per arm. Values below LLOQ are hollow; zeros and missing values are not drawn, and the
    title counts the zeros; the mean is drawn where every value is above zero, its 95 % interval from 3 subjects on.

    Raises
    ------
    TableError
        If no population, or more than one, has that name.
    """
    rows = _choose(counts, population, strategy)
    shown = list(arms) if arms is not None else sorted(rows["arm"].unique())
    figure = Figure(figsize=(4.6 * max(len(shown), 1), 3.6), layout="constrained")
    panels = figure.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
    for position, (arm, ax) in enumerate(zip(shown, panels, strict=False)):
        trajectory(rows, population, arm, visits=visits, colour=ARM_COLOURS[position % len(ARM_COLOURS)], ax=ax)
        if position:
            ax.set_ylabel("")
    figure.suptitle(label(str(rows["name"].iloc[0]), 60))
    legible(figure)
    return figure


def trajectory(
    counts: pd.DataFrame,
    population: str,
    arm: str,
    *,
    strategy: str | None = None,
    visits: Sequence[str] | None = None,
    colour: str = ARM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Draw one arm; parameters as in :func:`trajectories`, `colour` any colour of matplotlib.

    Raises
    ------
    TableError
        If no population, or more than one, has that name.
    """
    rows = _choose(counts, population, strategy)
    order = list(visits) if visits is not None else rows.sort_values("visit_number")["visit"].drop_duplicates().tolist()
    place = {visit: position for position, visit in enumerate(order)}
    rows = rows[(rows["arm"] == arm) & rows["visit"].isin(order) & rows["cells_per_ul"].notna()]
    ax = own_axes(ax, 4.6, 3.6)
    ax.set_yscale("log")
    positive = rows[rows["cells_per_ul"] > 0]
    for _, own in positive.groupby("subject", sort=True):
        _broken_line(ax, own["visit"].map(place), own["cells_per_ul"], color=colour, lw=0.8, alpha=0.4)
    below = np.array([not pd.isna(value) and bool(value) for value in positive["below_lloq"]], dtype=bool)
    for part, face in ((positive[~below], colour), (positive[below], "white")):
        ax.plot(part["visit"].map(place), part["cells_per_ul"], "o", ms=3.5, mfc=face, mec=colour, mew=0.8, alpha=0.8)
    means = summarise_arms(rows).dropna(subset=["geometric_mean"])
    at = means["visit"].map(place)
    _broken_line(ax, at, means["geometric_mean"], color=colour, lw=2.4, marker="s", ms=5, zorder=4)
    certain = means["lower"].notna()
    ax.vlines(at[certain], means["lower"][certain], means["upper"][certain], color=colour, lw=1.6, zorder=4)
    zeros = int((rows["cells_per_ul"] == 0).sum())
    ax.set_title(f"{label(arm, 40)} (n = {rows['subject'].nunique()}{f'; {zeros} zero' if zeros else ''})", fontsize=10)
    ax.set_xticks(range(len(order)), [label(visit, 12) for visit in order])
    ax.set_xlim(-0.4, len(order) - 0.6)
    ax.set_ylabel("cells/µL")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    plain_spines(ax)
    legible(ax)
    return ax


def _choose(counts: pd.DataFrame, population: str, strategy: str | None) -> pd.DataFrame:
    rows = counts[(counts["population"] == population) | (counts["name"] == population)]
    if strategy is not None:
        rows = rows[rows["strategy"] == strategy]
    found = rows[["strategy", "population"]].drop_duplicates()
    if len(found) == 1:
        return rows
    if found.empty:
        raise TableError(f"population = {population!r}: the counts have none of that name or path")
    places = ", ".join(f"{row.strategy}: {row.population}" for row in found.itertuples())
    raise TableError(f"population = {population!r} stands for several ({places}); give its path and strategy")


def _broken_line(ax: Axes, x: pd.Series, y: pd.Series, **style: Any) -> None:
    """A line that breaks where a visit is missing."""
    order = np.argsort(x.to_numpy())
    at, values = x.to_numpy(dtype=np.float64)[order], y.to_numpy(dtype=np.float64)[order]
    gaps = [index + 1 for index, (one, next_one) in enumerate(pairwise(at)) if next_one - one > 1]
    ax.plot(np.insert(at, gaps, np.nan), np.insert(values, gaps, np.nan), **style)
