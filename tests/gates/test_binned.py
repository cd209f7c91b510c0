"""Gates on a display lattice, against the plain rule applied event by event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from il2cyto.errors import GateError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import (
    BinnedEllipsoidGate,
    BinnedPolygonGate,
    BooleanGate,
    Dimension,
    Operand,
    PolygonGate,
    UnsupportedGate,
)
from il2cyto.gates.raster import outline, polygon_channels
from il2cyto.gating import GatingStrategy, Population
from il2cyto.transforms import Clamped, FlowJoBiex, FlowJoLinear, Linear, Log, Transform

X, Y = Dimension("A", transform="x"), Dimension("B", transform="y")


def inside_or_on(x: int, y: int, vertices: list[tuple[int, int]]) -> bool:
    """Even–odd rule in whole numbers, with every point of the border inside."""
    crossed = False
    for (ax, ay), (bx, by) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        turn = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        if turn == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay <= y) != (by <= y) and (turn > 0) == (by > ay):
            crossed = not crossed
    return crossed


def even_odd(x: float, y: float, path: NDArray[np.int64]) -> bool:
    crossed = False
    for (ax, ay), (bx, by) in zip(path.tolist(), np.roll(path, -1, axis=0).tolist(), strict=True):
        assert ax == bx or ay == by
        if (ay <= y) != (by <= y) and ax > x:
            crossed = not crossed
    return crossed


corners = st.tuples(st.integers(-6, 18), st.integers(-6, 18))


@given(st.lists(corners, min_size=3, max_size=9))
def test_channels_of_a_polygon(vertices: list[tuple[int, int]]) -> None:
    cells = polygon_channels(np.array(vertices), 12)
    expected = [[inside_or_on(x, y, vertices) for y in range(12)] for x in range(12)]
    assert cells.tolist() == expected


@given(st.lists(st.booleans(), min_size=36, max_size=36))
def test_outline_holds_exactly_the_cells(flags: list[bool]) -> None:
    cells = np.array(flags).reshape(6, 6)
    path = outline(cells)
    found = [[even_odd(i + 0.5, j + 0.5, path) for j in range(6)] for i in range(6)]
    assert found == cells.tolist()
    if not cells.any():
        assert path.shape == (0, 2)


def count(folder: Path, gate: BinnedPolygonGate | BinnedEllipsoidGate, events: NDArray[np.float64],
          transforms: dict[str, Transform]) -> list[bool]:  # fmt: skip
    write_fcs(events, folder / "a.fcs", channels=["A", "B"])
    strategy = GatingStrategy("s", (Population("g", "root", gate),), transforms)
    return strategy.apply(read_fcs(folder / "a.fcs")).membership("g").tolist()


def test_by_hand_nearest_on_linear_below_on_curved(tmp_path: Path) -> None:
    # x: channel = nearest of value / 1000 · 10; y: log from 1 over 2 decades, channel below 5 per decade
    transforms = {"x": Linear(T=1000.0), "y": Clamped(Log(T=100.0, M=2.0), minimum=1.0)}
    gate = BinnedPolygonGate((X, Y), ((0.2, 0.29), (0.52, 0.29), (0.52, 0.5), (0.2, 0.5)), channels=10)
    # vertices are at x channels 2 and 5, y channels 2 and 5, all four borders inside
    table = [
        (149.0, 10.0, False),  # nearest channel 1
        (150.0, 10.0, True),  # 1.5 goes up to 2
        (549.0, 10.0, True),  # nearest channel 5
        (550.0, 10.0, False),
        (300.0, 10**0.39, False),  # 1.95 channels: the channel below is 1
        (300.0, 10**0.41, True),
        (300.0, 10**1.19, True),  # 5.95 channels are still in channel 5
        (300.0, 10**1.21, False),
        (300.0, -5.0, False),  # below the axis: channel 0
    ]
    events = np.array([row[:2] for row in table])
    assert count(tmp_path, gate, events, transforms) == [row[2] for row in table]


def test_events_beyond_the_display_are_in_its_outermost_channels(tmp_path: Path) -> None:
    transforms = {"x": FlowJoLinear(50.0, 150.0), "y": FlowJoBiex(256.0, 262144.0, 0.0, -100.0, 4.418539922)}
    right = BinnedPolygonGate((X, Y), ((0.9, 200.0), (1.0, 200.0), (1.0, 256.0), (0.9, 256.0)))
    events = np.array([[1e6, 1e9], [149.0, 2e5], [-1e6, 2e5], [149.0, -1e6], [100.0, 2e5]])
    assert count(tmp_path, right, events, transforms) == [True, True, False, False, False]
    left = BinnedPolygonGate((X, Y), ((-0.1, -1.0), (0.1, -1.0), (0.1, 10.0), (-0.1, 10.0)))
    assert count(tmp_path, left, events, transforms) == [False, False, False, False, False]
    assert count(tmp_path, left, np.array([[-1e6, -1e6], [55.0, -1e9]]), transforms) == [True, True]


@pytest.mark.parametrize("channels", [64, 256, 1024])
def test_engine_follows_the_rule_on_every_event(tmp_path: Path, channels: int) -> None:
    rng = np.random.default_rng(20200815)
    biex = FlowJoBiex(256.0, 262144.0, 0.0, -100.0, 4.418539922)
    transforms = {"x": Linear(T=262144.0), "y": biex}
    bright = rng.normal(0, 1, 20_000) * 10 ** rng.uniform(0, 5.5, 20_000)
    events = np.stack([rng.integers(-20_000, 300_000, 20_000), bright], axis=1).astype(np.float32).astype(np.float64)
    vertices = ((0.05, 30.0), (0.9, 5.0), (0.5, 130.0), (1.05, 251.3), (0.3, 200.0), (-0.05, 90.0))
    at = [
        np.clip(np.floor(transforms["x"].apply(events[:, 0]) * channels + 0.5), 0, channels - 1).astype(int),
        np.clip(np.floor(biex.apply(events[:, 1]) * channels / 256), 0, channels - 1).astype(int),
    ]
    corners = [(int(np.floor(x * channels + 0.5)), int(np.floor(y * channels / 256))) for x, y in vertices]
    table = np.array([[inside_or_on(x, y, corners) for y in range(channels)] for x in range(channels)])
    found = count(tmp_path, BinnedPolygonGate((X, Y), vertices, channels), events, transforms)
    assert found == table[at[0], at[1]].tolist()
    assert 3000 < sum(found) < 17_000

    mean, covariance = (0.4, 100.0), ((0.05, 4.0), (4.0, 2000.0))
    ellipse = BinnedEllipsoidGate((X, Y), mean, covariance, 1.3, channels)
    offset = np.stack([at[0] / channels, at[1] * 256 / channels], axis=1) - mean
    distance = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(np.array(covariance)), offset)
    assert count(tmp_path, ellipse, events, transforms) == (distance <= 1.3).tolist()


def test_gates_that_make_no_sense() -> None:
    linear = Dimension("A")
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    with pytest.raises(GateError, match="wants a transform"):
        BinnedPolygonGate((linear, Y), square)
    with pytest.raises(GateError, match="of 1 channels"):
        BinnedPolygonGate((X, Y), square, 1)
    with pytest.raises(GateError, match="two dimensions, got 3"):
        BinnedEllipsoidGate((X, Y, X), (0.0,) * 3, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), 1.0)
    with pytest.raises(GateError, match="wants a reason"):
        UnsupportedGate("")


def test_binning_is_part_of_the_content_hash() -> None:
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    gates = [PolygonGate((X, Y), square), BinnedPolygonGate((X, Y), square), BinnedPolygonGate((X, Y), square, 512)]
    scales = {"x": Linear(1.0), "y": Linear(1.0)}
    assert len({GatingStrategy("s", (Population("g", "root", gate),), scales).content_hash for gate in gates}) == 3


def test_unsupported_gates_and_all_below_are_not_estimable(tmp_path: Path) -> None:
    write_fcs(np.zeros((3, 2)), tmp_path / "a.fcs", channels=["A", "B"])
    triangle = ((-1.0, -1.0), (2.0, -1.0), (0.0, 5.0))
    strategy = GatingStrategy(
        "s",
        (
            Population("p", "root", UnsupportedGate("derived parameter 'R' of FlowJo is not supported")),
            Population("c", "p", BooleanGate("not", (Operand("q"),))),
            Population("q", "root", PolygonGate((Dimension("A"), Dimension("B")), triangle)),
        ),
    )
    counts = strategy.apply(read_fcs(tmp_path / "a.fcs")).counts.set_index("population")
    assert counts.loc["p", "reason"] == "derived parameter 'R' of FlowJo is not supported"
    assert counts.loc["p/c", "reason"].startswith("parent p not estimable: derived parameter")
    assert counts["count"].isna().tolist() == [True, True, False]
    assert counts.loc["q", "count"] == 3
