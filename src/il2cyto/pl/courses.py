"""Values of subjects over visits: thin lines, and the mean of each arm bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import ARM_COLOURS, MUTED, plain_spines


def courses(
    values: pd.DataFrame,
    *,
    visits: Sequence[str],
    arms: Sequence[str],
    unit: str = "",
    title: str = "",
    logarithm: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw one panel per arm on one axis.

    Parameters
    ----------
    values
        ``subject, arm, visit, value``, one row per subject and visit; ``limit`` is true for a value that is known as a
        limit only.
    visits, arms
        What to show, in this order.
    unit, title
        Of the axis and of the picture.
    logarithm
        Draw on a logarithmic axis with geometric means; values of 0 have no place there, and the title counts them.
    labels
        Words for arms and visits.

    Returns
    -------
    A new figure. The mean is drawn with its 95 % t interval from 3 subjects on; limits are hollow.

    Raises
    ------
    TableError
        If no value is there.
    """
    from scipy.stats import t

    shown = values[values["arm"].isin(arms) & values["visit"].isin(visits) & values["value"].notna()]
    if shown.empty:
        raise TableError("values: no subject has one at these visits")
    words = labels or {}
    figure = Figure(figsize=(4.2 * len(arms) + 0.6, 3.5), layout="constrained")
    place = {visit: i for i, visit in enumerate(visits)}
    for number, (arm, ax) in enumerate(
        zip(arms, figure.subplots(1, len(arms), sharey=True, squeeze=False)[0], strict=True)
    ):
        colour = ARM_COLOURS[number % len(ARM_COLOURS)]
        mine = shown[shown["arm"] == arm]
        zeros = int((mine["value"] <= 0).sum()) if logarithm else 0
        drawn = mine[mine["value"] > 0] if logarithm else mine
        for _, own in drawn.groupby("subject", sort=True):
            line = np.full(len(visits), np.nan)
            line[own["visit"].map(place).to_numpy()] = own["value"].to_numpy()
            # the line breaks at a missing visit
            ax.plot(line, color=colour, lw=0.8, alpha=0.35)
        limit = drawn["limit"].to_numpy(dtype=bool) if "limit" in drawn else np.zeros(len(drawn), dtype=bool)
        for part, face in ((drawn[~limit], colour), (drawn[limit], "white")):
            ax.plot(part["visit"].map(place), part["value"], "o", ms=3, mfc=face, mec=colour, mew=0.8, alpha=0.7)
        middle = np.full(len(visits), np.nan)
        for visit, at in place.items():
            here = mine[mine["visit"] == visit]
            if here.empty or (logarithm and (here["value"] <= 0).any()) or ("limit" in here and here["limit"].any()):
                continue
            y = np.log(here["value"]) if logarithm else here["value"]
            back = np.exp if logarithm else np.asarray
            middle[at] = float(back(y.mean()))
            if len(y) >= 3:
                half = float(t.ppf(0.975, len(y) - 1) * y.std(ddof=1) / np.sqrt(len(y)))
                ax.vlines(at, back(y.mean() - half), back(y.mean() + half), color=colour, lw=1.8, zorder=4)
        ax.plot(middle, "s-", color=colour, lw=2.4, ms=5, zorder=5)
        more = f"; {zeros} zero, not drawn" if zeros else ""
        ax.set_title(f"{written(words.get(arm, arm), 40)} (n = {mine['subject'].nunique()}{more})", fontsize=10)
        ax.set_xticks(range(len(visits)), [written(words.get(visit, visit), 10) for visit in visits])
        ax.set_xlim(-0.4, len(visits) - 0.6)
        if logarithm:
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        if not number:
            ax.set_ylabel(unit)
        plain_spines(ax)
    kind = "geometric mean" if logarithm else "mean"
    figure.suptitle(written(title, 90))
    figure.supxlabel(f"lines: subjects; squares: {kind} with 95 % interval", fontsize=8, color=MUTED)
    legible(figure)
    return figure
