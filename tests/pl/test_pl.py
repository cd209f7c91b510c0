from __future__ import annotations

import base64
import io
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from il2cyto import pl
from il2cyto.errors import TableError

AXIS = {"label": "CD25", "range": [0.0, 1.0], "ticks": [[0.2, "0"], [0.8, "10k"]]}


def entry(**changes):
    grid = np.zeros((2, 2), dtype=np.uint8)
    grid[1, 0] = 255  # high y, low x
    gate = {
        "population": "CD4/Treg",
        "parent": "CD4",
        "type": "polygon",
        "status": "estimated",
        "reason": "",
        "count": 1200,
        "parent_count": 2400,
        "percent_parent": 50.0,
        "x": AXIS,
        "y": AXIS | {"label": "CD127"},
        "bins": 2,
        "density": base64.b64encode(grid.tobytes()).decode(),
        "outline": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9]],
        "xlim": None,
    }
    return gate | changes


def test_gate_draws_density_outline_and_ticks():
    ax = pl.gate(entry())
    (image,) = ax.get_images()
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    assert np.array_equal(shown, [[np.nan, np.nan], [255.0, np.nan]], equal_nan=True)
    assert image.origin == "lower"
    assert image.get_extent() == [0.0, 1.0, 0.0, 1.0]
    (outline,) = ax.patches
    assert outline.get_xy().tolist() == [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9], [0.1, 0.1]]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "10k"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == ("CD25", "CD127", "Treg\n1,200 · 50 %")


def test_histogram_has_its_limits():
    density = base64.b64encode(bytes([255, 51])).decode()
    ax = pl.gate(entry(y=None, outline=None, density=density, xlim=[0.4, None]))
    assert [line.get_xdata()[0] for line in ax.lines] == [0.4]
    steps, inside = ax.patches
    assert (inside.get_x(), inside.get_width()) == pytest.approx((0.4, 0.6))
    assert steps.get_data().values.tolist() == pytest.approx([100.0, 20.0])


def test_empty_parent_and_not_estimable_are_no_zero():
    ax = pl.gate(entry(count=0, parent_count=0, percent_parent=math.nan))
    assert ax.get_title(loc="left") == "Treg\n0 · –"
    ax = pl.gate(entry(status="not_estimable", reason="marker absent: CD25", count=None, percent_parent=None))
    assert ax.texts[0].get_text() == "not estimable:\nmarker absent: CD25"
    assert not ax.get_images()
    assert (
        pl.gate(entry(type="boolean", x=None, y=None, density=None)).texts[0].get_text() == "boolean gate:\nno picture"
    )


def test_gates_draw_the_tree_in_order():
    names = ["a", "a/b", "a/b/c", "a/b/d"]
    figure = pl.gates({"tube_id": "T1", "gates": [entry(population=name) for name in names]}, columns=3)
    assert [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes] == ["a", "b", "c", "d"]
    figure.savefig(io.BytesIO(), format="png", dpi=40)


def counts():
    lines = [
        ("P1", "IL2", "BL", 1, 10.0, False),
        ("P1", "IL2", "W4", 2, 40.0, False),
        ("P1", "IL2", "W8", 3, 20.0, False),
        ("P2", "IL2", "BL", 1, 20.0, True),
        ("P2", "IL2", "W8", 3, 80.0, False),
        ("P3", "SOC", "BL", 1, 0.0, True),
        ("P3", "SOC", "W4", 2, math.nan, False),
    ]
    table = pd.DataFrame(lines, columns=["subject", "arm", "visit", "visit_number", "cells_per_ul", "below_lloq"])
    return table.assign(strategy="treg", population="CD4/Treg", name="Treg")


def test_trajectories_share_the_axis_and_break_at_missing_visits():
    figure = pl.trajectories(counts(), "Treg")
    assert [ax.get_title() for ax in figure.axes] == ["IL2 (n = 2)", "SOC (n = 1; 1 zero)"]
    left, right = figure.axes
    assert left.get_shared_y_axes().joined(left, right)
    assert left.get_yscale() == "log"
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["BL", "W4", "W8"]
    broken = next(line for line in left.lines if len(line.get_xdata()) == 3 and np.isnan(line.get_xdata()).any())
    assert np.array_equal(broken.get_ydata(), [20.0, np.nan, 80.0], equal_nan=True)
    hollow = [line for line in left.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "white"]
    assert [line.get_ydata().tolist() for line in hollow] == [[20.0]]
    (mean,) = [line for line in left.lines if line.get_marker() == "s"]
    assert mean.get_ydata() == pytest.approx([math.sqrt(200.0), 40.0, 40.0])
    # one value of two is zero or missing: no geometric mean
    assert [line.get_ydata().tolist() for line in right.lines if line.get_marker() == "s"] == [[]]
    figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_visits_and_arms_can_be_chosen():
    figure = pl.trajectories(counts(), "CD4/Treg", strategy="treg", arms=["SOC"], visits=["W4", "BL"])
    (ax,) = figure.axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["W4", "BL"]


def test_a_name_must_stand_for_one_population():
    twice = pd.concat([counts(), counts().assign(strategy="tbnk", population="CD3/CD4/Treg")])
    with pytest.raises(TableError, match="treg: CD4/Treg, tbnk: CD3/CD4/Treg"):
        pl.trajectories(twice, "Treg")
    assert len(pl.trajectories(twice, "Treg", strategy="tbnk").axes) == 2
    with pytest.raises(TableError, match="'Th17': the counts have none"):
        pl.trajectories(counts(), "Th17")


def model():
    columns = ["population", "arm", "visit", "contrast", "ratio_to_baseline", "lower", "upper", "status"]
    lines = [
        ("CD4/Treg", "IL2", "W4", "change", 2.0, 1.5, 2.6, "estimated"),
        ("CD4/Treg", "SOC", "W4", "change", 1.0, None, None, "estimated"),
        ("CD4/CD39+", "IL2", "W4", "change", None, None, None, "not_estimable"),
        ("CD4/Treg", "IL2", "W8", "change", 1.8, 1.2, 2.5, "estimated"),
        ("CD4/Treg", "IL2 / SOC", "W4", "difference", 2.0, 1.4, 2.9, "estimated"),
    ]
    return pd.DataFrame(lines, columns=columns)


def test_forest_rows():
    ax = pl.forest(model(), visit="W4")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Treg · IL2", "Treg · SOC", "CD39+ · IL2"]
    points = [line for line in ax.lines if line.get_marker() == "s"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in points] == [(2.0, 0), (1.0, 1)]
    bars = [line for line in ax.lines if line.get_marker() == "None" and list(line.get_ydata()) == [0, 0]]
    assert [list(line.get_xdata()) for line in bars] == [[1.5, 2.6]]
    assert [text.get_text() for text in ax.texts] == [" not estimable"]
    assert ax.get_xscale() == "log"
    assert ax.yaxis_inverted()
    assert len({to_hex(line.get_color()) for line in points}) == 2
    assert [tick.get_text() for tick in pl.forest(model()).get_yticklabels()][3] == "Treg · IL2 · W8"
    with pytest.raises(TableError, match="visit = 'W9'"):
        pl.forest(model(), visit="W9")


def test_forest_of_odds_ratios():
    odds = model().rename(columns={"ratio_to_baseline": "odds_ratio_to_baseline"})
    ax = pl.forest(odds, visit="W4")
    points = [line for line in ax.lines if line.get_marker() == "s"]
    assert [line.get_xdata()[0] for line in points] == [2.0, 1.0]
    assert ax.get_xlabel() == "change: odds ratio (95 % interval)"


def test_ax_is_used_and_pyplot_is_not():
    ax = Figure().add_subplot()
    assert pl.gate(entry(), ax=ax) is ax
    assert pl.forest(model(), ax=Figure().add_subplot()).get_xlabel() == "change: ratio (95 % interval)"
    assert pl.trajectory(counts(), "Treg", "IL2", ax=ax) is ax
    code = "import sys, il2cyto.pl; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
