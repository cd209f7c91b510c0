"""Changes of subjects in order of size, one bar each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from il2cyto.errors import TableError
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import ARM_COLOURS, INK, own_axes, plain_spines

_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def waterfall(
    changes: pd.DataFrame,
    *,
    arms: Sequence[str],
    unit: str = "",
    title: str = "",
    ratio: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the change of every subject as a bar, the largest first, coloured by arm.

    Parameters
    ----------
    changes
        ``subject, arm, change``; with `ratio` the change is a ratio to baseline.
    arms
        In the order of their colours.
    unit, title
        Of the axis and of the picture.
    ratio
        Draw ratios from 1 on a logarithmic axis.
    ax
        Where to draw; a new figure by default.

    Returns
    -------
    The axes. Subjects whose ratio is 0 or unbounded cannot be drawn, and the title counts them.

    Raises
    ------
    TableError
        If no change is there.
    """
    known = changes[changes["change"].notna()]
    drawn = known[(known["change"] > 0) & np.isfinite(known["change"])] if ratio else known
    if drawn.empty:
        raise TableError("changes: no subject has one")
    drawn = drawn.sort_values(["change", "subject"], ascending=[False, True], kind="stable")
    ax = own_axes(ax, 1.8 + 0.16 * max(len(drawn), 20), 3.4)
    height = np.log(drawn["change"]) if ratio else drawn["change"]
    colours = [ARM_COLOURS[list(arms).index(arm) % len(ARM_COLOURS)] for arm in drawn["arm"]]
    ax.bar(range(len(drawn)), height, color=colours, width=0.8)
    ax.axhline(0.0, color=INK, lw=0.8)
    ax.set_xticks(range(len(drawn)), drawn["subject"], rotation=90, fontsize=6)
    ax.set_xlim(-0.8, len(drawn) - 0.2)
    if ratio:
        low, high = ax.get_ylim()
        shown = [one for one in _RATIOS if low <= np.log(one) <= high] or [1]
        ax.yaxis.set_major_locator(FixedLocator([float(np.log(one)) for one in shown]))
        ax.set_yticklabels([f"{one:g}" for one in shown])
        ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylabel(unit)
    lost = len(known) - len(drawn)
    ax.set_title(written(title + (f" ({lost} without a ratio)" if lost else ""), 70), fontsize=10)
    ax.legend(
        handles=[Patch(color=ARM_COLOURS[i % len(ARM_COLOURS)], label=written(arm, 30)) for i, arm in enumerate(arms)],
        frameon=False,
        fontsize=8,
    )
    plain_spines(ax)
    legible(ax)
    return ax
