"""Correlations of cells and cytokines as a network of two columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, TableError, did_you_mean
from il2cyto.keys import ESTIMATED
from il2cyto.pl.fonts import label as written
from il2cyto.pl.fonts import legible
from il2cyto.pl.style import INK, MUTED, own_axes

#: Colours of r above and below 0: the ends of the map of correlations.
UP: Final = "#5e3c99"
DOWN: Final = "#d9710b"
#: Points of width of an edge of r = 1.
_WIDEST: Final = 4.0
_SWEEPS: Final = 24
#: Inches of height of a line of a label.
_LINE: Final = 0.19


@dataclass(frozen=True)
class _Edge:
    left: int
    right: int
    r: float
    called: bool


def network(
    correlations: pd.DataFrame,
    *,
    ax: Axes | None = None,
    least: float = 0.3,
    arm: str = "all",
    alpha: float = 0.10,
) -> Axes:
    """Draw populations (left) and analytes (right), joined where they correlate: violet rises together, orange apart.

    Parameters
    ----------
    correlations
        From `il2cyto.models.correlate`: ``strategy, population, analyte, arm, r, p_adjusted, status``.
    ax
        Where to draw; a new figure by default, as high as its labels need.
    least
        Absolute r from which an edge is drawn although its adjusted p-value is not below `alpha`: dashed and pale.
    arm
        Whose; ``all`` for everyone.
    alpha
        Adjusted p-value below which an edge is drawn solid, whatever its r.

    Returns
    -------
    The axes. The width of an edge is proportional to the absolute r, and weak ones are paler. Both columns are ordered
    so that few edges cross (by the mean place of what a node is joined with, Sugiyama et al. 1981). Nodes without an
    edge are not drawn; the title counts them and the pairs that are not estimable.

    Raises
    ------
    ParameterError
        If `least` or `alpha` is not from 0 to 1.
    TableError
        If no row is left.
    """
    for word, value in (("least", least), ("alpha", alpha)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{word} = {value:g}: want a number from 0 to 1")
    rows = correlations[correlations["arm"] == arm]
    if rows.empty:
        raise TableError(f"arm = {arm!r}: no correlation of it{did_you_mean(arm, list(correlations['arm'].unique()))}")
    keys = list(dict.fromkeys(zip(rows["strategy"], rows["population"], strict=True)))
    analytes = list(dict.fromkeys(rows["analyte"]))
    edges = _edges(rows, keys, analytes, least, alpha)
    left, right = _ordered(edges)
    lost = _lost(rows, (len(left), len(keys)), (len(right), len(analytes)))
    several = len({keys[one][0] for one in left}) > 1
    names = ["/".join(path.split("/")[-2:]) + (f" · {strategy}" if several else "") for strategy, path in keys]
    texts = [written(names[one], 44) for one in left], [written(str(analytes[one]), 24) for one in right]
    high = max(sum(text.count("\n") + 1 for text in column) for column in texts)
    ax = own_axes(ax, 7.6, 1.7 + _LINE * max(high, 8))
    places = [_spread(column, high) for column in texts]
    at = [dict(zip(column, place, strict=True)) for column, place in zip((left, right), places, strict=True)]
    for called, style, order in ((False, (0, (3, 2)), 1), (True, "solid", 2)):
        shown = sorted((edge for edge in edges if edge.called == called), key=lambda edge: abs(edge.r))
        ax.add_collection(
            LineCollection(
                [[(0.0, at[0][edge.left]), (1.0, at[1][edge.right])] for edge in shown],
                linewidths=[_WIDEST * abs(edge.r) for edge in shown],
                colors=[to_rgba(UP if edge.r > 0 else DOWN, 0.25 + 0.7 * abs(edge.r)) for edge in shown],
                linestyles=[style],
                zorder=order,
            )
        )
    size = _letters(ax, high)
    for x, column, place in zip((0.0, 1.0), texts, places, strict=True):
        ax.plot(np.full(len(place), x), place, "o", ms=4, color=INK, zorder=3)
        for text, y in zip(column, place, strict=True):
            ax.annotate(
                text, (x, y), (7 if x else -7, 0), textcoords="offset points", fontsize=size, color=INK,
                ha="left" if x else "right", va="center",
            )  # fmt: skip
    if edges:
        for x, text in ((0.0, "cells"), (1.0, "cytokines")):
            ax.text(x, -0.9, text, fontsize=8, color=MUTED, ha="left" if x else "right", va="bottom")
    else:
        ax.text(0.5, 0.5, "no edge", transform=ax.transAxes, ha="center", va="center", fontsize=8, color=MUTED)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(max(high, 1) - 0.25, -0.8)
    ax.set_axis_off()
    whose = "all subjects" if arm == "all" else written(arm, 40)
    ax.set_title("\n".join([f"{whose}; r within subjects; exploratory", *lost]), fontsize=8, loc="left", pad=20)
    _legend(ax, least, alpha)
    legible(ax)
    return ax


def _edges(
    rows: pd.DataFrame, keys: list[tuple[Any, Any]], analytes: list[Any], least: float, alpha: float
) -> list[_Edge]:
    place, column = ({name: i for i, name in enumerate(names)} for names in (keys, analytes))
    found = []
    for row in rows.to_dict("records"):
        if row["status"] != ESTIMATED or pd.isna(row["r"]):
            continue
        called = bool(row["p_adjusted"] < alpha)
        if called or abs(row["r"]) >= least:
            ends = place[row["strategy"], row["population"]], column[row["analyte"]]
            found.append(_Edge(*ends, float(row["r"]), called))
    return found


def _lost(rows: pd.DataFrame, populations: tuple[int, int], analytes: tuple[int, int]) -> list[str]:
    """Lines of the title that say what is not drawn, out of the numbers that are drawn and that there are."""
    refused = int(((rows["status"] != ESTIMATED) | rows["r"].isna()).sum())
    without = [
        f"{every - drawn} of {every} {word}"
        for (drawn, every), word in ((populations, "populations"), (analytes, "analytes"))
        if drawn < every
    ]
    lines = [f"without an edge, not drawn: {', '.join(without)}"] if without else []
    return lines + ([f"not estimable: {refused} of {len(rows)} pairs"] if refused else [])


def _ordered(edges: Sequence[_Edge]) -> tuple[list[int], list[int]]:
    """Nodes of both columns that have an edge, in the order that is drawn; what hangs together stands together."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    left, right = (sorted({getattr(edge, side) for edge in edges}) for side in ("left", "right"))
    if not edges:
        return left, right
    weight = np.zeros((len(left), len(right)))
    for edge in edges:
        # an edge of r = 0 is an edge as well
        weight[left.index(edge.left), right.index(edge.right)] = max(abs(edge.r), 1e-6)
    n = len(left)
    joined = np.block([[np.zeros((n, n)), weight], [weight.T, np.zeros((len(right), len(right)))]])
    count, part = connected_components(csr_array(joined), directed=False)
    ordered: tuple[list[int], list[int]] = [], []
    for number in range(count):
        nodes = np.flatnonzero(part == number)
        rows, columns = nodes[nodes < n], nodes[nodes >= n] - n
        first, second = _fewest_crossings(weight[np.ix_(rows, columns)])
        ordered[0].extend(left[one] for one in rows[first])
        ordered[1].extend(right[one] for one in columns[second])
    return ordered


def _fewest_crossings(weight: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order of the rows and columns of a connected part with the fewest crossings that the sweeps come by."""
    starts = [(np.arange(weight.shape[0]), np.arange(weight.shape[1]))]
    if min(weight.shape) > 1:
        # what endless sweeps without rounding to places would end in: reciprocal averaging (Hill 1973)
        first, second = np.sqrt(weight.sum(axis=1)), np.sqrt(weight.sum(axis=0))
        left, _, right = np.linalg.svd(weight / np.outer(first, second), full_matrices=False)
        u, v = left[:, 1] / first, right[1] / second
        sign = 1.0 if u[0] <= u[-1] else -1.0
        starts.append((np.argsort(sign * u, kind="stable"), np.argsort(sign * v, kind="stable")))
    best = (np.inf, *starts[0])
    for rows, columns in starts:
        for _ in range(_SWEEPS):
            crossings = _crossings(weight[np.ix_(rows, columns)])
            if crossings < best[0]:
                best = (crossings, rows, columns)
            rows = rows[np.argsort(_middle(weight[np.ix_(rows, columns)]), kind="stable")]
            columns = columns[np.argsort(_middle(weight[np.ix_(rows, columns)].T), kind="stable")]
    return best[1], best[2]


def _middle(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean place of what each row is joined with, from 0 to 1."""
    places = (np.arange(weight.shape[1]) + 0.5) / weight.shape[1]
    return np.asarray(weight @ places / weight.sum(axis=1))


def _crossings(weight: NDArray[np.float64]) -> float:
    """Sum over pairs of edges that cross, of the product of their weights: wide edges that cross are worse."""
    # of each edge, all that begin above it and end below
    above = np.cumsum(weight, axis=0) - weight
    below = np.cumsum(above[:, ::-1], axis=1)[:, ::-1] - above
    return float((weight * below).sum())


def _spread(column: Sequence[str], high: int) -> list[float]:
    """Place of each label, in lines from the top; the shorter column is spread over the height of the longer one."""
    lines = [text.count("\n") + 1 for text in column]
    gap = (high - sum(lines)) / max(len(lines), 1)
    places, top = [], 0.0
    for number in lines:
        places.append(top + (number + gap) / 2 - 0.5)
        top += number + gap
    return places


def _letters(ax: Axes, high: int) -> float:
    """Size of the labels in points: 7, or what the axes of a caller have room for."""
    inches = float(ax.get_position().height * ax.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]
    return min(7.0, 72.0 * inches / max(high, 1) / 1.4)


def _legend(ax: Axes, least: float, alpha: float) -> None:
    def line(text: str, colour: str = MUTED, width: float = 2.0, **further: Any) -> Line2D:
        return Line2D([], [], color=colour, lw=width, label=text, **further)

    handles = [
        line("r > 0: rise together", UP),
        line("r < 0: go apart", DOWN),
        line(f"solid: adjusted p < {alpha:g}"),
        line(f"dashed: |r| ≥ {least:g} only", ls=(0, (3, 2)), alpha=0.6),
        line("|r| = 0.3", width=0.3 * _WIDEST),
        line("|r| = 0.8", width=0.8 * _WIDEST),
    ]
    ax.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, fontsize=7, frameon=False,
        handlelength=3,
    )  # fmt: skip
