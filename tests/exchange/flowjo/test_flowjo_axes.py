"""Axes and shapes of FlowJo workspaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flowjo_files import (
    AXES,
    EVENTS,
    curly,
    dimension,
    ellipse,
    fcs,
    points,
    polygon,
    population,
    sample,
    write,
)
from lxml import etree

from il2cyto.exchange.flowjo import read_workspace
from il2cyto.exchange.flowjo.axes import Axis, read_axes
from il2cyto.exchange.flowjo.curly import curly_quadrant
from il2cyto.exchange.flowjo.ellipse import ellipse_form
from il2cyto.fcs import read_fcs
from il2cyto.gates import BinnedEllipsoidGate, BinnedPolygonGate, PolygonGate
from il2cyto.kernels.engine import crossing_parity
from il2cyto.transforms import Arcsinh, FlowJoBiex, FlowJoLinear, Hyperlog, Linear, Logicle


def one(kind: str, **numbers: object) -> Axis:
    """The axis that one element of FlowJo makes."""
    attributes = "".join(f' transforms:{key}="{value}"' for key, value in numbers.items())
    space = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
    parameter = '<d:parameter xmlns:d="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes" d:name="X"/>'
    text = f'<T xmlns:transforms="{space}"><transforms:{kind}{attributes}>{parameter}</transforms:{kind}></T>'
    return read_axes(etree.fromstring(text))["X"]


def positions(shape: str, folder: Path, binning: str = "exact", axes: str = AXES) -> list[int]:
    path = write(folder, sample(population("p", shape), axes=axes))
    strategy = read_workspace(path, binning=binning).samples[0].strategy  # type: ignore[arg-type]
    result = strategy.apply(read_fcs(fcs(folder)))
    assert result.reasons == ("",)
    return np.flatnonzero(result.membership("p")).tolist()


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("linear", {"minRange": 0, "maxRange": 262144}, Linear(T=262144.0, A=0.0)),
        ("linear", {"minRange": -100, "maxRange": 1000}, Linear(T=1000.0, A=100.0)),
        ("linear", {"minRange": 50000, "maxRange": 150000}, FlowJoLinear(50000.0, 150000.0)),
        ("linear", {"minRange": -1000, "maxRange": 10}, FlowJoLinear(-1000.0, 10.0)),
        ("logicle", {"length": 256, "T": 262144, "W": 0.5, "M": 4.5, "A": 0}, Logicle(262144.0, 0.5, 4.5, 0.0)),
        ("hyperlog", {"T": 262144, "W": 0.5, "M": 4.5, "A": 0}, Hyperlog(262144.0, 0.5, 4.5, 0.0)),
        (
            "fasinh",
            {"length": 256, "maxRange": 262144, "T": 262144, "A": 0.5, "M": 4.4, "W": -10},
            Arcsinh(262144.0, 4.4, 0.5),
        ),
        (
            "biex",
            {"length": 1024, "maxRange": 4194304, "neg": 1, "width": -1000, "pos": 5.6},
            FlowJoBiex(1024.0, 4194304.0, 1.0, -1000.0, 5.6),
        ),
        (
            "biex",
            {"length": 256, "maxRange": 262144, "neg": -1, "width": 0, "pos": 4.4},
            FlowJoBiex(256.0, 262144.0, 0.0, 0.0, 4.4),
        ),
    ],
)
def test_every_kind_of_axis(kind: str, numbers: dict[str, float], expected: object) -> None:
    assert one(kind, **numbers).transform == expected


def test_width_zero_is_half_a_decade() -> None:
    # FlowJo takes half a decade where the logarithm of the width is not between 0.5 and 3
    half = FlowJoBiex(256.0, 262144.0, 0.0, -(10**0.5), 4.5)
    values = [-1000.0, 0.0, 10.0, 1e3, 1e5]
    for width in (0.0, -1.0, -3.0, -1001.0):
        assert FlowJoBiex(256.0, 262144.0, 0.0, width, 4.5).apply(values) == pytest.approx(half.apply(values), abs=1e-9)
    assert FlowJoBiex(256.0, 262144.0, 0.0, -10.0, 4.5).apply(0.0) > half.apply(0.0) + 1


def test_log_axis_holds_what_lies_below_it() -> None:
    scale = one("log", offset=10, decades=4).transform
    assert scale is not None
    assert scale.apply([-5.0, 0.0, 10.0, 1e3, 1e5]) == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("kind", "numbers", "problem"),
    [
        ("linear", {"minRange": 0.133, "maxRange": 0.051}, "linear axis from 0.133 to 0.051"),
        ("linear", {"minRange": 0}, "maxRange is '', wanted a number"),
        ("log", {"offset": 0, "decades": 4}, "log axis from 0 over 4 decades"),
        ("biex", {"length": 256, "maxRange": 1, "neg": 0, "width": 7, "pos": 4}, "width <= 0"),
        ("logicle", {"T": 1, "W": 9, "M": 4, "A": 0}, "W <= M/2"),
        ("miltenyi", {}, "axes of type 'miltenyi' are not public"),
    ],
)
def test_axes_that_cannot_be_used_say_why(kind: str, numbers: dict[str, float], problem: str) -> None:
    found = one(kind, **numbers)
    assert found.transform is None
    assert problem in found.problem


def test_polygon_on_axes_of_any_length(tmp_path: Path) -> None:
    # straight between its corners on the display; on linear values all seven events but 6 would lie below the border
    corners = [[0, -2000], [1000, -2000], [1000, 262144]]
    biex = FlowJoBiex(256.0, 262144.0, 0.0, -100.0, 4.418539922)
    low, high = biex.apply([-2000.0, 262144.0])
    border = low + (high - low) * EVENTS[:, 0] / 1000
    # event 7 lies right of the triangle
    expected = [i for i in range(7) if biex.apply(EVENTS[i, 2]) < border[i]]
    assert expected == [2, 3]
    assert [i for i in range(7) if EVENTS[i, 2] < -2000 + 264.144 * EVENTS[i, 0]] == [0, 1, 2, 3, 4, 5]
    for length in (256, 512, 4096):
        scale = AXES.replace('transforms:length="256"', f'transforms:length="{length}"')
        assert positions(polygon("FSC-A", "FITC-A", corners), tmp_path, axes=scale) == expected


def test_ellipse_on_linear_axes(tmp_path: Path) -> None:
    # 256 channels are 1000 units: centre (400, 600), half axes 300 and 180 along x and y, foci 240 from the centre
    c = 256 / 1000
    foci = [[160 * c, 600 * c], [640 * c, 600 * c]]
    edge = [[100 * c, 600 * c], [700 * c, 600 * c], [400 * c, 420 * c], [400 * c, 780 * c]]
    inside = [
        i for i in range(8) if ((EVENTS[i, 0] - 400) / 300) ** 2 + ((EVENTS[i, 1] - 600) / 180) ** 2 <= 1
    ]  # fmt: skip
    assert inside == [2, 3, 4]
    shape = ellipse("FSC-A", "SSC-A", foci, edge)
    for binning in ("exact", "flowjo"):
        assert positions(shape, tmp_path, binning) == inside
    gate = read_workspace(tmp_path / "panel.wsp", binning="flowjo").samples[0].strategy.populations[0].gate
    assert isinstance(gate, BinnedEllipsoidGate)
    assert gate.channels == 256


def test_ellipse_on_mixed_axes_is_one_on_the_display(tmp_path: Path) -> None:
    biex = FlowJoBiex(256.0, 262144.0, 0.0, -100.0, 4.418539922)
    x, y = EVENTS[:, 0] / 1000 * 256, biex.apply(EVENTS[:, 2])
    foci, edge = [[60.0, 90.0], [150.0, 130.0]], [[30.0, 77.0], [180.0, 143.0], [95.0, 130.0], [115.0, 90.0]]
    length = np.hypot(150.0, 66.0)
    apart = sum(np.hypot(x - fx, y - fy) for fx, fy in foci)
    expected = np.flatnonzero(apart <= length).tolist()
    assert expected == [0, 1, 2, 3, 4]
    assert positions(ellipse("FSC-A", "FITC-A", foci, edge), tmp_path) == expected


def test_circle_and_what_is_no_ellipse(tmp_path: Path) -> None:
    mean, covariance = ellipse_form(np.array([[5.0, 5.0], [5.0, 5.0]]), np.array([[2, 5], [8, 5], [5, 2], [5, 8.0]]))
    assert (mean.tolist(), covariance.tolist()) == ([5.0, 5.0], [[9.0, 0.0], [0.0, 9.0]])
    wide = ellipse("FSC-A", "SSC-A", [[0, 0], [100, 0]], [[20, 0], [80, 0], [50, 5], [50, -5]])
    flat = wide.replace("<gating:foci>" + points([[0, 0], [100, 0]]) + "</gating:foci>", "")
    path = write(tmp_path, sample(population("wide", wide) + population("flat", flat)))
    reasons = read_workspace(path).samples[0].strategy.apply(read_fcs(fcs(tmp_path))).reasons
    assert "foci 100 channels apart lie outside an ellipse 60 channels long" in reasons[0]
    assert "wants two axes, two foci and four points" in reasons[1]


def test_flowjo_binning_moves_events_and_corners_to_channels(tmp_path: Path) -> None:
    # a channel is 1000 / 256 = 3.90625 units; the corner at 503 is nearest to channel 129, event 500 is at channel 128
    square = polygon("FSC-A", "SSC-A", [[503, 0], [1000, 0], [1000, 1000], [503, 1000]])
    assert positions(square, tmp_path) == [5, 6]
    assert positions(square, tmp_path, "flowjo") == [5, 6, 7]  # 1500 is in the last channel
    # the corner at 501 is nearest to channel 128, where event 500 is
    near = polygon("FSC-A", "SSC-A", [[501, 0], [990, 0], [990, 1000], [501, 1000]])
    assert positions(near, tmp_path) == [5, 6]
    assert positions(near, tmp_path, "flowjo") == [4, 5, 6]
    # on 1024 channels the corner is at 513 and the event at 512
    assert positions(near.replace('"256"', '"1024"'), tmp_path, "flowjo") == [5, 6]
    gate = read_workspace(tmp_path / "panel.wsp", binning="flowjo").samples[0].strategy.populations[0].gate
    assert isinstance(gate, BinnedPolygonGate)
    assert gate.channels == 1024


def test_curly_quadrants(tmp_path: Path) -> None:
    x, y = 0.4, 0.3
    regions = {
        sides: curly_quadrant((x, y), sides, ((-1.0, 2.0), (-1.0, 2.0)))
        for sides in [(False, False), (True, False), (False, True), (True, True)]
    }
    rng = np.random.default_rng(3)
    for px, py in rng.uniform(0, 1, (400, 2)):
        inside = [sides for sides, path in regions.items() if crossing_parity(px, py, path, 0, len(path))]
        right = py < y + 0.255 * (px - x) ** 2 if px > x else py < y
        left = px < x + 0.255 * (py - y) ** 2 if py > y else px < x
        assert inside == [(not left, not right)]
    tree = "".join(
        population(f"Q{k}", curly(dimension("FSC-A", *xs), dimension("FITC-A", *ys)))
        for k, (xs, ys) in enumerate(
            [((None, 250), (1500,)), ((250,), (1500,)), ((250,), (None, 1500)), ((None, 250), (None, 1500))]
        )
    )
    path = write(tmp_path, sample(tree))
    strategy = read_workspace(path).samples[0].strategy
    assert all(isinstance(p.gate, PolygonGate) for p in strategy.populations)
    result = strategy.apply(read_fcs(fcs(tmp_path)))
    # every event in exactly one; the bend takes no event from the straight quadrants here but event 1, left of 250
    assert np.sum([result.membership(f"Q{k}") for k in range(4)], axis=0).tolist() == [1] * 8
    assert [np.flatnonzero(result.membership(f"Q{k}")).tolist() for k in range(4)] == [[1], [4, 5, 6], [2, 3, 7], [0]]
    assert "the curve of FlowJo's curly quadrants is not public" in result.notes[0]
