"""The network of correlations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from il2cyto.errors import ParameterError, TableError
from il2cyto.pl.network import DOWN, UP, network

COLUMNS = ["strategy", "population", "analyte", "arm", "r", "p_adjusted", "status"]
TABLE = pd.DataFrame(
    [
        ("treg", "live/CD4/Treg", "IL-6", "all", 0.7, 0.01, "estimated"),
        ("treg", "live/CD4/Treg", "TNF", "all", -0.2, 0.04, "estimated"),
        ("treg", "live/CD4/Treg", "IL-2", "all", 0.9, np.nan, "not_estimable"),
        ("nk", "live/NK", "IL-6", "all", -0.4, 0.4, "estimated"),
        ("nk", "live/NK", "TNF", "all", 0.29, 0.1, "estimated"),
        ("nk", "live/B", "TNF", "all", 0.1, 0.8, "estimated"),
        ("nk", "live/NK", "TNF", "IL2", 0.9, 0.02, "estimated"),
    ],
    columns=COLUMNS,
)


def edges(ax: Axes) -> dict[str, list[tuple[str, str, float, tuple[float, ...]]]]:
    """Names of the ends, width and colour of the dashed and of the solid edges."""
    at = {text.xy: text.get_text() for text in ax.texts if hasattr(text, "xy")}
    found = {}
    for name, drawn in zip(("dashed", "solid"), ax.collections, strict=True):
        assert all((dashes is None) == (name == "solid") for _, dashes in drawn.get_linestyle())
        found[name] = [
            (at[tuple(segment[0])], at[tuple(segment[1])], width, tuple(colour[:3]))
            for segment, width, colour in zip(
                drawn.get_segments(), drawn.get_linewidths(), drawn.get_colors(), strict=True
            )
        ]
    return found


def crossings(ax: Axes) -> int:
    ends = [(segment[0][1], segment[1][1]) for drawn in ax.collections for segment in drawn.get_segments()]
    return sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(ends) for c, d in ends[:i])


def test_edges_widths_and_colours() -> None:
    ax = network(TABLE)
    up, down = to_rgba(UP)[:3], to_rgba(DOWN)[:3]
    found = edges(ax)
    assert found["solid"] == [
        ("CD4/Treg · treg", "TNF", pytest.approx(0.8), down),
        ("CD4/Treg · treg", "IL-6", pytest.approx(2.8), up),
    ]
    assert found["dashed"] == [("live/NK · nk", "IL-6", pytest.approx(1.6), down)]
    title = ax.get_title(loc="left").split("\n")
    assert title[0] == "all subjects; r within subjects; exploratory"
    assert title[1] == "without an edge, not drawn: 1 of 3 populations, 1 of 3 analytes"
    assert title[2] == "not estimable: 1 of 6 pairs"
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend[:4] == [
        "r > 0: rise together",
        "r < 0: go apart",
        "solid: adjusted p < 0.1",
        "dashed: |r| ≥ 0.3 only",
    ]


def test_limits_are_the_readers() -> None:
    ax = network(TABLE, least=0.25, alpha=0.02)
    assert [len(drawn.get_segments()) for drawn in ax.collections] == [2, 1]
    ax = network(TABLE, least=0)
    assert [len(drawn.get_segments()) for drawn in ax.collections] == [3, 2]
    empty = network(TABLE, least=1, alpha=0)
    assert [text.get_text() for text in empty.texts] == ["no edge"]
    with pytest.raises(ParameterError, match="least = 30: want a number from 0 to 1"):
        network(TABLE, least=30)


def test_one_arm_on_given_axes() -> None:
    ax = Figure().add_subplot()
    assert network(TABLE, arm="IL2", ax=ax) is ax
    assert edges(ax)["solid"] == [("live/NK", "TNF", pytest.approx(3.6), to_rgba(UP)[:3])]
    assert ax.get_title(loc="left").startswith("IL2; r within subjects")
    with pytest.raises(TableError, match=r"arm = 'IL3': no correlation of it \(did you mean 'IL2'\?\)"):
        network(TABLE, arm="IL3")


def test_a_correlation_of_nothing_has_its_edge() -> None:
    table = TABLE.assign(r=0.0)
    assert len(network(table, least=0).collections[0].get_segments()) == 3


def test_order_undoes_crossings_that_need_not_be() -> None:
    """A shuffled ladder: in its own order no edge crosses."""
    rng = np.random.default_rng(1)
    rows = [("s", f"live/P{i:02d}", f"A{j:02d}", "all", 0.5, 0.01, "estimated") for i in range(10) for j in (i, i + 1)]
    names = rng.permutation(10), rng.permutation(11)
    rows = [(s, f"live/P{names[0][int(p[-2:])]}", f"A{names[1][int(a[-2:])]}", *rest) for s, p, a, *rest in rows]
    table = pd.DataFrame(rows, columns=COLUMNS).sample(frac=1, random_state=3)
    assert crossings(network(table)) == 0


@pytest.mark.parametrize("size", [None, (6.0, 5.0)])
def test_labels_of_25_populations_and_20_analytes_stand_apart(size: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(2)
    rows = [
        (f"panel {i % 2}", f"live/CD3+ CD56-/CD4+ CD25high CD127low CD45RA- number {i}", f"analyte {j}", "all", r, 0.01)
        for i in range(25)
        for j, r in enumerate(rng.uniform(-0.9, 0.9, 20))
    ]
    table = pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(status="estimated")
    ax = network(table, ax=None if size is None else Figure(figsize=size).add_subplot())
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    labels = [text for text in ax.texts if hasattr(text, "xy")]
    assert len(labels) == 45
    for side in (0.0, 1.0):
        boxes = sorted(
            (text.get_window_extent(canvas.get_renderer()) for text in labels if text.xy[0] == side),
            key=lambda box: box.y0,
        )
        assert all(low.y1 <= high.y0 for low, high in pairwise(boxes))
    if size is None:
        whole = ax.figure.bbox
        assert all(text.get_window_extent(canvas.get_renderer()).x0 >= whole.x0 for text in labels)
        title = ax._left_title.get_window_extent(canvas.get_renderer())
        heads = [text for text in ax.texts if text.get_text() in ("cells", "cytokines")]
        assert all(head.get_window_extent(canvas.get_renderer()).y1 <= title.y0 for head in heads)
