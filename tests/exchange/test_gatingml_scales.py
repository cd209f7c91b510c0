"""Gating-ML 2.0, section 6: scales with their parameters and bounds, and ratios. Every limit is computed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from gatingml_files import (
    boolean,
    dimension,
    ellipsoid,
    fcs,
    gated,
    limits,
    members,
    polygon,
    rectangle,
    transformation,
    write,
)

from il2cyto.errors import GatingMLError
from il2cyto.exchange import read_gating

INF = math.inf


def test_6_2_1_flin(tmp_path: Path) -> None:
    # (x + 10) / 110: 0.5 is reached at 45
    body = transformation("S", "flin", T=100, A=10) + rectangle(dimension("A", limits(0.5), scale="S"))
    assert members(gated(tmp_path, body, {"A": [44.9, 45.0, 45.1, -10.0]})) == [1, 2]


def test_6_2_2_flog(tmp_path: Path) -> None:
    # log10(x / 1000) / 4 + 1: 0.5 is reached at 10; there is no logarithm of 0 and of what is below
    body = transformation("S", "flog", T=1000, M=4)
    body += rectangle(dimension("A", limits(0.5), scale="S")) + rectangle(
        dimension("A", limits(None, 0.5), scale="S"), name="below"
    )
    result = gated(tmp_path, body, {"A": [9.99, 10.0, 1000.0, 0.0, -5.0]})
    assert members(result) == [1, 2]
    assert members(result, "below") == [0]
    assert result.counts["n_undefined"].tolist() == [2, 2]


def test_6_2_3_fasinh(tmp_path: Path) -> None:
    # with A = 1, M = 4 the value 0 stands at 1/5, and T at 1
    body = transformation("S", "fasinh", T=1000, M=4, A=1)
    body += rectangle(dimension("A", limits(0.2 - 1e-9, 1 - 1e-9), scale="S"))
    assert members(gated(tmp_path, body, {"A": [-1e-3, 0.0, 500.0, 999.9, 1000.0]})) == [1, 2, 3]


def test_6_2_4_logicle_with_no_width_is_symmetric_about_its_zero(tmp_path: Path) -> None:
    # W = 0, A = 0: zero stands at the bottom of the scale, T at 1
    body = transformation("S", "logicle", T=1000, W=0, M=4, A=0)
    body += rectangle(dimension("A", limits(0, 1), scale="S"))
    assert members(gated(tmp_path, body, {"A": [-1e-9, 0.0, 999.9, 1000.0]})) == [1, 2]


def test_6_2_4_logicle_puts_zero_at_its_width(tmp_path: Path) -> None:
    # zero stands at (W + A) / (M + A) = 1.5 / 5
    body = transformation("S", "logicle", T=1000, W=1, M=4.5, A=0.5)
    body += rectangle(dimension("A", limits(0.3, 1), scale="S"))
    assert members(gated(tmp_path, body, {"A": [-1e-6, 0.0, 1e-6, 999.9, 1000.0]})) == [1, 2, 3]


def test_6_2_5_hyperlog_puts_zero_at_its_width(tmp_path: Path) -> None:
    body = transformation("S", "hyperlog", T=1000, W=1, M=4.5, A=0.5)
    body += rectangle(dimension("A", limits(0.3, 1), scale="S"))
    assert members(gated(tmp_path, body, {"A": [-1e-6, 0.0, 1e-6, 999.9, 1000.0]})) == [1, 2, 3]


@pytest.mark.parametrize(
    ("bounds", "low", "high", "inside"),
    [
        # x / 100 kept in [0.1, 0.5]; events: -inf, -20, 5, 10, 30, 50, 90, inf
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', 0.1, None, [0, 1, 2, 3, 4, 5, 6, 7]),
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', 0.10001, None, [4, 5, 6, 7]),
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', None, 0.5, [0, 1, 2, 3, 4]),
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', None, 0.50001, [0, 1, 2, 3, 4, 5, 6, 7]),
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', None, 0.1, []),
        ('transforms:boundMin="0.1" transforms:boundMax="0.5"', 0.6, None, []),
        ('transforms:boundMax="0.5"', 0.5, 0.6, [5, 6, 7]),
        ('transforms:boundMin="-INF" transforms:boundMax="INF"', 0.1, 0.5, [3, 4]),
    ],
)
def test_6_1_bounds_of_a_scale(tmp_path: Path, bounds: str, low: float, high: float, inside: list[int]) -> None:
    body = transformation("S", "flin", bounds, T=100, A=0) + rectangle(dimension("A", limits(low, high), scale="S"))
    assert members(gated(tmp_path, body, {"A": [-INF, -20, 5, 10, 30, 50, 90, INF]})) == inside


def test_6_1_bounds_hold_in_polygons(tmp_path: Path) -> None:
    # everything above 50 stands at 0.5, which the polygon reaches though its events lie far outside it
    body = transformation("S", "flin", 'transforms:boundMax="0.5"', T=100, A=0)
    body += polygon((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0), scales=("S", "S"))
    result = gated(tmp_path, body, {"A": [39, 41, 55, 5000, INF, 41], "B": [20, 20, 20, 20, 20, INF]})
    assert members(result) == [1, 2, 3, 4, 5]


def test_6_1_the_logarithm_of_zero_stands_on_its_lower_bound(tmp_path: Path) -> None:
    body = transformation("S", "flog", 'transforms:boundMin="0.25"', T=1000, M=4)
    body += rectangle(dimension("A", limits(0.25, 0.5), scale="S"))
    # 1 stands at 0.25; 0 is sent below every bound; what is negative has no logarithm
    assert members(gated(tmp_path, body, {"A": [-1.0, 0.0, 1e-9, 1.0, 9.9, 10.0]})) == [1, 2, 3, 4]


def ratio(bounds: str = "", **constants: float) -> str:
    return transformation("R", "fratio", bounds, fcs("A") + fcs("B"), **constants)


A = {"A": [5.0, 5.0, 90.0, 50.0, 1.0], "B": [2.0, 1.0, 0.0, 40.0, 0.0]}


def test_6_3_fratio(tmp_path: Path) -> None:
    # 2 (A - 1) / B: 4, 8, inf, 2.45, 0 / 0
    body = ratio(A=2, B=1, C=0) + rectangle(dimension("ratio:R", limits(2, 8)))
    result = gated(tmp_path, body, A)
    assert members(result) == [0, 3]
    assert result.counts["n_undefined"].tolist() == [1]


def test_6_3_a_scale_on_a_ratio_is_a_scale_of_the_ratio(tmp_path: Path) -> None:
    # log10(r / 10) / 1 + 1 = log10 r: the logarithm of the ratio, not the ratio of logarithms
    body = ratio(A=2, B=1, C=0) + transformation("L", "flog", T=10, M=1)
    body += rectangle(dimension("ratio:R", limits(math.log10(3), math.log10(5)), scale="L"))
    assert members(gated(tmp_path, body, A)) == [0]


@pytest.mark.parametrize(
    ("bounds", "low", "high", "inside"),
    [
        ('transforms:boundMax="3"', 2.5, 3.5, [0, 1, 2]),  # 4, 8 and inf stand at 3
        ('transforms:boundMax="3"', None, 3, [3]),
        ('transforms:boundMin="5"', 5, 6, [0, 3]),  # 4 and 2.45 stand at 5
        ('transforms:boundMin="5" transforms:boundMax="6"', 5, 6, [0, 3]),
        ('transforms:boundMin="5" transforms:boundMax="6"', 5, 7, [0, 1, 2, 3]),
    ],
)
def test_6_1_bounds_of_a_ratio(tmp_path: Path, bounds: str, low: float, high: float, inside: list[int]) -> None:
    body = ratio(bounds, A=2, B=1, C=0) + rectangle(dimension("ratio:R", limits(low, high)))
    assert members(gated(tmp_path, body, A)) == inside


def test_6_1_a_scale_on_a_bounded_ratio(tmp_path: Path) -> None:
    # log10 of 4, 8, inf, 2.45 kept in [3, 5]; and a bound that lifts negative ratios into the logarithm
    scale = transformation("L", "flog", T=10, M=1)
    body = ratio('transforms:boundMin="3" transforms:boundMax="5"', A=2, B=1, C=0) + scale
    body += rectangle(dimension("ratio:R", limits(math.log10(5) - 1e-9), scale="L"))
    body += rectangle(dimension("ratio:R", limits(None, math.log10(4)), scale="L"), name="low")
    result = gated(tmp_path, body, {**A, "A": [5.0, 5.0, 90.0, 50.0, -70.0], "B": [2.0, 1.0, 0.0, 40.0, 2.0]})
    assert members(result) == [1, 2]
    assert members(result, "low") == [3, 4]


def test_6_3_the_dimensions_may_stand_beside_fratio_as_in_the_printed_examples(tmp_path: Path) -> None:
    body = (
        '<transforms:transformation transforms:id="R"><transforms:fratio transforms:A="2" transforms:B="1" '
        f'transforms:C="0"/>{fcs("A")}{fcs("B")}</transforms:transformation>'
    ) + rectangle(dimension("ratio:R", limits(2, 8)))
    assert members(gated(tmp_path, body, A)) == [0, 3]


def test_a_scale_may_be_defined_after_the_gate(tmp_path: Path) -> None:
    body = boolean("not", "h") + rectangle(dimension("A", limits(0.5), scale="S"), name="h")
    body += transformation("S", "flin", T=100, A=0)
    assert members(gated(tmp_path, body, {"A": [49, 50, 51]})) == [0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (transformation("S", "flin", T=0, A=0), r"line 1: transformation 'S': linear\(T=0.0, A=0.0\): needs T > 0"),
        (transformation("S", "flin", T=100, A=101), "0 <= A <= T"),
        (transformation("S", "flog", T=100), "flog lacks the attribute 'M'"),
        (transformation("S", "fasinh", T=100, M=1, A=2), "0 <= A <= M"),
        (transformation("S", "logicle", T=100, W=3, M=4, A=0), "W <= M/2"),
        (transformation("S", "hyperlog", T=100, W=0, M=4, A=0), "0 < W"),
        (transformation("S", "flin", 'transforms:boundMin="1" transforms:boundMax="0"', T=1, A=0), "above boundMax"),
        (ratio('transforms:boundMin="1" transforms:boundMax="0"', A=1, B=0, C=0), "above boundMax"),
        (transformation("S", "split-scale", T=1), "wants one of flin, flog, fasinh, logicle, hyperlog, fratio"),
        (transformation("S", "flin", T=1, A=0) * 2, "'S' is defined twice"),
        (transformation("R", "fratio", inside=fcs("A"), A=1, B=0, C=0), "wants two dimensions, got 1"),
        (rectangle(dimension("A", limits(0), scale="T")), "transformation 'T' is not defined"),
        (ratio(A=1, B=0, C=0) + rectangle(dimension("A", limits(0), scale="R")), "is a ratio, which only a new-dim"),
        (
            transformation("S", "flin", T=1, A=0) + rectangle(dimension("ratio:S", limits(0))),
            "'S' is no ratio of this file",
        ),
    ],
)
def test_a_scale_that_is_none_is_one_error(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(GatingMLError, match=message) as caught:
        read_gating(write(tmp_path, body + rectangle(dimension("A", limits(0)), name="other")))
    assert str(caught.value).startswith("g.xml, line 1")


# 2 (A - 1) / B: 4, 8, inf, 2.45, 0 / 0, -4, -inf
# log10 of that kept in [3, 5]: 0.602, 0.699, 0.699, 0.477, undefined, 0.477, 0.477
LOGS = {"A": [5.0, 5.0, 90.0, 50.0, 1.0, -3.0, -3.0], "B": [2.0, 1.0, 0.0, 40.0, 0.0, 2.0, 0.0]}
BOTH = 'transforms:boundMin="3" transforms:boundMax="5"'


@pytest.mark.parametrize(
    ("bounds", "low", "high", "inside"),
    [
        (BOTH, 0.45, 0.5, [3, 5, 6]),
        (BOTH, 0.55, 0.65, [0]),
        (BOTH, 0.65, 0.75, [1, 2]),
        (BOTH, 0.0, 1.0, [0, 1, 2, 3, 5, 6]),
        ('transforms:boundMin="3"', 0.45, 0.5, [3, 5, 6]),
        ('transforms:boundMin="3"', 0.85, 0.95, [1]),
        ('transforms:boundMax="5"', 0.65, 0.75, [1, 2]),
        # 0 and what is below it has no logarithm, as without the bound
        ('transforms:boundMin="0"', -9.0, 9.0, [0, 1, 3]),
        ('transforms:boundMin="-9"', -9.0, 9.0, [0, 1, 3]),
    ],
)
def test_6_1_shapes_on_the_logarithm_of_a_bounded_ratio(
    tmp_path: Path, bounds: str, low: float, high: float, inside: list[int]
) -> None:
    on_ratio = dimension("ratio:R", scale="S")
    shape = polygon((low, -9), (high, -9), (high, 99), (low, 99)).replace(dimension("A"), on_ratio)
    middle, half = (low + high) / 2, (high - low) / 2
    round_ = ellipsoid("AB", (middle, 20), ((half * half, 0), (0, 1e8)), 1, name="e").replace(dimension("A"), on_ratio)
    body = ratio(bounds, A=2, B=1, C=0) + transformation("S", "flog", T=10, M=1) + shape + round_
    body += rectangle(dimension("ratio:R", limits(low, high), scale="S"), name="r")
    result = gated(tmp_path, body, LOGS)
    assert members(result) == inside
    assert members(result, "r") == inside
    assert members(result, "e") == inside
    assert result.counts["n_undefined"].nunique() == 1


def test_a_bounded_ratio_may_be_called_like_anything(tmp_path: Path) -> None:
    # the names that a bounded ratio could be given are taken
    body = ratio(BOTH, A=2, B=1, C=0) + transformation("S", "flin", T=10, A=0)
    for name in ("S.of.R", "bounded.R"):
        body += transformation(name, "flin", T=1, A=0)
    body += rectangle(dimension("ratio:R", limits(0.4, 0.5), scale="S"))
    body += rectangle(dimension("ratio:R", limits(4, 5)), name="h")
    result = gated(tmp_path, body, A)
    assert (members(result), members(result, "h")) == ([0], [0])
