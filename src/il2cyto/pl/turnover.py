"""The ratio to untreated that a turnover model predicts, over days, with the doses and what subjects had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label, legible
from il2cyto.pl.style import ARM_COLOURS, INK, MUTED, own_axes, plain_spines

_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_BETWEEN = (0.7, 1.5, 3.0, 7.0)


def turnover(
    curve: pd.DataFrame,
    dose_days: Sequence[float],
    observed: pd.DataFrame | None = None,
    *,
    title: str = "",
    note: str = "",
    colour: str = ARM_COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted ratio to untreated with its band, the doses as ticks below it, and ratios of subjects.

    Parameters
    ----------
    curve
        ``day, ratio, lower, upper``, one row per day, as `il2cyto.models.turnover.predict` gives them; ratios above 0.
    dose_days
        Days with a dose of the curve; doses of a subject may differ.
    observed
        ``subject, day, ratio``, one row per subject and visit: Y/Y0 over the change that both arms have in common, as
        the curve is without it. Ratios of 0 have no place on the logarithmic axis, and the title counts them; missing
        ones are not drawn.
    title, note
        Of the picture, and a line below its title: what is fixed, say.
    colour
        Any colour of matplotlib.
    ax
        Axes to draw on; a new figure by default.

    Returns
    -------
    The axes; days from left to right, ratios on a logarithmic axis.

    Raises
    ------
    TableError
        If a column is missing, the curve is empty, or a ratio of the curve is not above 0.
    """
    _require(curve, "curve", ("day", "ratio", "lower", "upper"))
    drawn = curve.sort_values("day", kind="stable")
    numbers = drawn[["ratio", "lower", "upper"]].to_numpy(dtype=np.float64)
    if not len(drawn) or not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise TableError("curve: want rows whose ratios and limits are above 0")
    ax = own_axes(ax, 7.2, 3.8)
    ax.set_yscale("log")
    day = drawn["day"].to_numpy(dtype=np.float64)
    ax.axhline(1.0, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=1)
    zeros = 0
    points = np.zeros(0)
    if observed is not None:
        _require(observed, "observed", ("day", "ratio", "subject"))
        known = observed[observed["ratio"].notna() & observed["day"].notna()]
        zeros = int((known["ratio"] <= 0).sum())
        shown = known[known["ratio"] > 0]
        points = shown["ratio"].to_numpy(dtype=np.float64)
        who = shown["subject"].nunique()
        ax.plot(
            shown["day"], points, "o", ms=3.6, mfc="white", mec=INK, mew=0.7, alpha=0.75, zorder=4,
            label=f"observed (n = {who})",
        )  # fmt: skip
    ax.fill_between(day, numbers[:, 1], numbers[:, 2], color=colour, alpha=0.25, lw=0, zorder=2, label="95 % limits")
    ax.plot(day, numbers[:, 0], color=colour, lw=1.6, zorder=3, label="predicted, median subject")
    every = np.concatenate([numbers.ravel(), points, [1.0]])
    low, high = float(every.min()), float(every.max())
    # the doses have a strip of their own below all ratios
    span = max(np.log(high / low), 0.4)
    bottom = low * float(np.exp(-0.16 * span))
    ax.set_ylim(bottom, high * float(np.exp(0.05 * span)))
    given = np.unique(np.asarray(dose_days, dtype=np.float64))
    if given.size:
        ax.plot(
            given, np.full(given.size, 0.045), "|", transform=ax.get_xaxis_transform(), color=colour, ms=9, mew=0.9,
            zorder=3, label=f"{given.size} {'dose' if given.size == 1 else 'doses'}",
        )  # fmt: skip
    ticks = _RATIOS if span > np.log(8) else tuple(sorted((*_RATIOS, *_BETWEEN)))
    ax.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low / 1.02 <= tick <= high * 1.02]))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(FixedLocator([]))
    # there is no study day 0
    days = [1.0 if at == 0 else at for at in MaxNLocator(nbins=9, integer=True).tick_values(*ax.get_xlim())]
    ax.xaxis.set_major_locator(FixedLocator([at for at in days if ax.get_xlim()[0] <= at <= ax.get_xlim()[1]]))
    ax.set_xlabel("study day")
    ax.set_ylabel("ratio to untreated")
    parts = [label(title, 80), *([f"{zeros} zero, not drawn"] if zeros else [])]
    ax.set_title("; ".join(part for part in parts if part), loc="left", fontsize=10, pad=18 if note else 6)
    if note:
        ax.text(0, 1.015, label(note, 100), transform=ax.transAxes, fontsize=8, color=MUTED, va="bottom")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4, fontsize=8, frameon=False)
    plain_spines(ax)
    legible(ax)
    return ax


def _require(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise TableError(f"{name} lacks the column {', '.join(missing)}")
