"""Gating-ML 2.0, section 5: rectangles, polygons, ellipsoids, quadrants and boolean gates, with members by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from gatingml_files import (
    HEAD,
    boolean,
    dimension,
    divider,
    ellipsoid,
    fcs,
    gated,
    limits,
    members,
    polygon,
    quadrant,
    quadrants,
    rectangle,
    transformation,
    write,
)

from il2cyto.errors import GatingMLError, StrategyError
from il2cyto.exchange import read_gating

INF = float("inf")


# 5.1.1 rectangles


def test_5_1_1_a_minimum_is_inside_and_a_maximum_is_not(tmp_path: Path) -> None:
    body = rectangle(dimension("A", limits(1, 3)))
    assert members(gated(tmp_path, body, {"A": [0.999, 1.0, 2.0, 2.999, 3.0, INF, -INF]})) == [1, 2, 3]


@pytest.mark.parametrize(
    ("written", "inside"),
    [
        (limits(1), [1, 2, 3]),
        (limits(None, 1), [0]),
        (limits("-INF", 2), [0, 1]),
        (limits(2, "INF"), [2, 3]),
        (limits("INF"), []),
        (limits(None, "-INF"), []),
        (limits(2, 2), []),
        ("", [0, 1, 2, 3]),
    ],
)
def test_5_1_1_open_sides(tmp_path: Path, written: str, inside: list[int]) -> None:
    result = gated(tmp_path, rectangle(dimension("A", written)), {"A": [0.0, 1.0, 2.0, 3.0]})
    assert members(result) == inside


def test_5_1_1_five_dimensions(tmp_path: Path) -> None:
    body = rectangle(*(dimension(name, limits(k, k + 2)) for k, name in enumerate("ABCDE")))
    inside = {name: [k, k, k + 1.99, k] for k, name in enumerate("ABCDE")}
    inside["E"][1] = 6.0  # one dimension out is out
    inside["C"][3] = 1.99
    assert members(gated(tmp_path, body, inside)) == [0, 2]


# 5.1.2 polygons


def test_5_1_2_left_and_lower_edges_are_inside(tmp_path: Path) -> None:
    body = polygon((1, 1), (3, 1), (3, 3), (1, 3))
    points = {"A": [1, 2, 3, 2, 1, 3, 2, 0.9], "B": [1, 1, 2, 3, 2, 3, 2, 2]}
    assert members(gated(tmp_path, body, points)) == [0, 1, 4, 6]


def test_5_1_2_a_polygon_closed_by_hand_is_the_same(tmp_path: Path) -> None:
    points = {"A": [1, 2, 3, 2, 1, 3, 2, 0.9], "B": [1, 1, 2, 3, 2, 3, 2, 2]}
    body = polygon((1, 1), (3, 1), (3, 3), (1, 3), (1, 1))
    assert members(gated(tmp_path, body, points)) == [0, 1, 4, 6]


def test_5_1_2_crossing_edges_go_by_even_and_odd(tmp_path: Path) -> None:
    # a five-pointed star drawn in one stroke: its points are inside, its middle is crossed twice and outside
    star = polygon((0, 3), (1.76, -2.43), (-2.85, 0.93), (2.85, 0.93), (-1.76, -2.43))
    points = {"A": [0, 0, 1.5, -1.5, 2.2, 0], "B": [2.5, 0, -2, -2, 0.8, -2]}
    assert members(gated(tmp_path, star, points)) == [0, 2, 3, 4]


def test_5_1_2_a_bow_tie_and_a_wide_concave_polygon(tmp_path: Path) -> None:
    body = polygon((0, 0), (2, 2), (2, 0), (0, 2), name="tie")
    body += polygon((-1e9, -1e9), (1e9, -1e9), (0, 0), (1e9, 1e9), (-1e9, 1e9), name="wide")
    points = {"A": [0.5, 1.5, 1, 1, -5e8, 5e8, 5e8, 262143.0], "B": [1, 1, 0.5, 1.5, 1, 1, 4e8, 1]}
    result = gated(tmp_path, body, points)
    assert members(result, "tie") == [0, 1]
    assert members(result, "wide") == [0, 3, 4]


def test_5_1_2_a_polygon_without_area_holds_nothing(tmp_path: Path) -> None:
    body = polygon((0, 0), (1, 1), (2, 2))
    assert members(gated(tmp_path, body, {"A": [0, 0.5, 1, 2], "B": [0, 0.5, 1, 2]})) == []


def test_5_1_2_two_scales(tmp_path: Path) -> None:
    body = transformation("S", "flin", T=100, A=0) + transformation("L", "flog", T=1000, M=3)
    # A in [20, 40), B in [10, 100)
    third = 1 / 3 + 1e-9
    body += polygon((0.2, third), (0.4, third), (0.4, 2 * third), (0.2, 2 * third), scales=("S", "L"))
    points = {"A": [19.9, 21, 39.9, 40.1, 30, 30, 30], "B": [50, 50, 50, 50, 9.9, 10.1, 101]}
    assert members(gated(tmp_path, body, points)) == [1, 2, 5]


# 5.1.3 ellipsoids


def test_5_1_3_the_surface_is_inside(tmp_path: Path) -> None:
    body = ellipsoid("AB", (1, 2), ((4, 0), (0, 1)), 1)
    points = {"A": [3, 3.001, 1, 1, -1, 1], "B": [2, 2, 3, 3.001, 2, 2]}
    assert members(gated(tmp_path, body, points)) == [0, 2, 4, 5]


def test_5_1_3_correlated_axes(tmp_path: Path) -> None:
    # S = [[2, 1], [1, 2]], inverse [[2, -1], [-1, 2]] / 3: (1, 1) is at 2/3, (1, -1) at 2
    body = ellipsoid("AB", (0, 0), ((2, 1), (1, 2)), 1)
    assert members(gated(tmp_path, body, {"A": [1, 1, -1, -1], "B": [1, -1, -1, 1]})) == [0, 2]


def test_5_1_3_three_dimensions(tmp_path: Path) -> None:
    body = ellipsoid("ABC", (0, 0, 0), ((1, 0, 0), (0, 4, 0), (0, 0, 9)), 4)
    points = {"A": [2, 2.01, 0, 0, 1.3], "B": [0, 0, 4, 0, 2.3], "C": [0, 0, 0, 6.01, 3.0]}
    # the last: 1.69 + 1.3225 + 1 = 4.01
    assert members(gated(tmp_path, body, points)) == [0, 2]


def test_5_1_3_a_covariance_that_is_not_symmetric_is_taken_as_it_stands(tmp_path: Path) -> None:
    # S = [[1, 1], [0, 1]], inverse [[1, -1], [0, 1]]: x² - x y + y² <= 1
    body = ellipsoid("AB", (0, 0), ((1, 1), (0, 1)), 1)
    assert members(gated(tmp_path, body, {"A": [1, 1, 1, 0.5], "B": [1, 0, -1, -0.5]})) == [0, 1, 3]


def test_5_1_3_distance_0_is_the_centre(tmp_path: Path) -> None:
    body = ellipsoid("AB", (5, 7), ((2, 1), (1, 2)), 0)
    assert members(gated(tmp_path, body, {"A": [5, 5, 5.0000001], "B": [7, 7.0000001, 7]})) == [0]


def test_5_1_3_axes_of_very_different_size(tmp_path: Path) -> None:
    body = ellipsoid("AB", (1e5, 0.5), ((1e12, 0), (0, 1e-6)), 1)
    assert members(gated(tmp_path, body, {"A": [1e5, 1.1e6, 1.2e6, 1e5], "B": [0.5009, 0.5, 0.5, 0.5011]})) == [0, 1]


# 5.1.4 quadrant gates


def test_5_1_4_four_quadrants_share_every_event(tmp_path: Path) -> None:
    body = quadrants(
        divider("x", "A", 10), divider("y", "B", 20),
        quadrant("NN", x=0, y=0), quadrant("PN", x=11, y=0), quadrant("NP", x=0, y=21), quadrant("PP", x=99, y=99),
    )  # fmt: skip
    result = gated(tmp_path, body, {"A": [9.9, 10, 9.9, 10], "B": [19.9, 19.9, 20, 20]})
    assert [members(result, name) for name in ("NN", "PN", "NP", "PP")] == [[0], [1], [2], [3]]
    assert set(result.strategy.paths) == {"NN", "PN", "NP", "PP"}


def test_5_1_4_several_values_a_divider_in_any_order(tmp_path: Path) -> None:
    body = quadrants(
        divider("x", "A", 30, 10, 20), divider("y", "B", 5),
        quadrant("low", x=0), quadrant("second", x=15), quadrant("third", x=25), quadrant("top", x=31, y=6),
    )  # fmt: skip
    result = gated(tmp_path, body, {"A": [9, 10, 19, 20, 29, 30, 30], "B": [0, 0, 0, 0, 0, 0, 5]})
    inside = [members(result, name) for name in ("low", "second", "third", "top")]
    assert inside == [[0], [1, 2], [3, 4], [6]]


def test_5_1_4_three_dividers_and_quadrants_that_use_some(tmp_path: Path) -> None:
    body = quadrants(
        divider("x", "A", 1), divider("y", "B", 1), divider("z", "C", 1),
        quadrant("xz", x=2, z=0), quadrant("y", y=2), quadrant("all", x=0, y=0, z=0),
    )  # fmt: skip
    result = gated(tmp_path, body, {"A": [1, 1, 0, 0], "B": [0, 1, 1, 0], "C": [0, 1, 0, 0]})
    assert [members(result, name) for name in ("xz", "y", "all")] == [[0], [1, 2], [3]]


def test_5_1_4_a_location_on_a_divider_belongs_to_what_begins_there(tmp_path: Path) -> None:
    body = quadrants(divider("x", "A", 10, 20, 10), quadrant("on", x=10), quadrant("top", x=20))
    result = gated(tmp_path, body, {"A": [9, 10, 19, 20]})
    assert (members(result, "on"), members(result, "top")) == ([1, 2], [3])


def test_5_1_4_scales_parents_and_children_of_quadrants(tmp_path: Path) -> None:
    body = transformation("S", "flin", T=100, A=0)
    body += quadrants(divider("x", "A", 0.5, scale="S"), quadrant("high", x=0.6), quadrant("low", x=0), parent="g")
    body += rectangle(dimension("B", limits(2)), name="child", parent="high") + rectangle(dimension("B", limits(1)))
    body += boolean("or", "child", "low", name="either")
    result = gated(tmp_path, body, {"A": [49, 50, 51, 51], "B": [1, 1, 2, 0.5]})
    assert set(result.strategy.paths) == {"g", "g/high", "g/low", "g/high/child", "either"}
    inside = [members(result, name) for name in ("high", "low", "child", "either")]
    assert inside == [[1, 2], [0], [2], [0, 2]]


def test_5_1_4_a_divider_of_a_ratio(tmp_path: Path) -> None:
    body = transformation("R", "fratio", inside=fcs("A") + fcs("B"), A=1, B=0, C=0)
    body += quadrants(divider("x", "ratio:R", 2), quadrant("high", x=3), quadrant("low", x=0))
    result = gated(tmp_path, body, {"A": [4, 4, 4], "B": [1, 2, 3]})
    assert (members(result, "high"), members(result, "low")) == ([0, 1], [2])


# 5.1.5 boolean gates


def test_5_1_5_and_or_not_and_complements(tmp_path: Path) -> None:
    body = rectangle(dimension("A", limits(1)), name="a") + rectangle(dimension("B", limits(1)), name="b")
    body += rectangle(dimension("C", limits(1)), name="c")
    body += boolean("and", "a", "b", name="and") + boolean("or", "a", "b", "c", name="or")
    body += boolean("not", "a", name="not") + boolean("and", "a", "!b", "!c", name="only")
    body += boolean("not", "!a", name="notnot") + boolean("or", "!a", "!b", name="nand")
    result = gated(tmp_path, body, {"A": [0, 1, 1, 0, 1], "B": [0, 0, 1, 0, 0], "C": [0, 0, 0, 1, 1]})
    assert {name: members(result, name) for name in ("and", "or", "not", "only", "notnot", "nand")} == {
        "and": [2], "or": [1, 2, 3, 4], "not": [0, 3], "only": [1], "notnot": [1, 2, 4], "nand": [0, 1, 3, 4],
    }  # fmt: skip


def test_5_1_5_operands_are_populations_and_complements_are_of_all_events(tmp_path: Path) -> None:
    body = rectangle(dimension("A", limits(1)), name="a") + rectangle(dimension("B", limits(1)), name="b", parent="a")
    body += boolean("not", "b", name="out") + boolean("not", "b", name="rest", parent="a")
    result = gated(tmp_path, body, {"A": [0, 0, 1, 1], "B": [0, 1, 0, 1]})
    assert [members(result, name) for name in ("b", "out", "rest")] == [[3], [0, 1, 2], [2]]


def test_5_1_5_of_boolean_gates_and_with_booleans_as_parents(tmp_path: Path) -> None:
    body = boolean("and", "n", "b") + boolean("not", "a", name="n", inside="<data-type:custom_info/>")
    body += rectangle(dimension("A", limits(1)), name="a") + rectangle(dimension("B", limits(1)), name="b")
    body += rectangle(dimension("B", limits(2)), name="child", parent="g")
    result = gated(tmp_path, body, {"A": [0, 0, 0, 1], "B": [0, 1, 2, 2]})
    assert (members(result), members(result, "child")) == ([1, 2], [2])


# 5.2 parents


def test_5_2_one_parent_of_several_and_parents_defined_later(tmp_path: Path) -> None:
    body = rectangle(dimension("B", limits(2)), name="deep", parent="left")
    body += rectangle(dimension("B", limits(1)), name="left", parent="top")
    body += rectangle(dimension("B", limits(None, 1)), name="right", parent="top")
    body += rectangle(dimension("A", limits(1)), name="top")
    result = gated(tmp_path, body, {"A": [0, 1, 1, 1], "B": [2, 0, 1, 2]})
    assert set(result.strategy.paths) == {"top", "top/left", "top/right", "top/left/deep"}
    assert [members(result, name) for name in ("left", "right", "deep")] == [[2, 3], [1], [3]]


# names, attributes and wrappers


def test_names_match_exactly(tmp_path: Path) -> None:
    body = rectangle(dimension("CD3 APC - H/W", limits(1)))
    assert members(gated(tmp_path, body, {"CD3 APC - H/W": [0, 1], "cd3 apc - h/w": [1, 0]})) == [1]
    body = rectangle(dimension("fsc-a", limits(1)))
    with pytest.raises(StrategyError, match=r"asks for 'fsc-a', which is no channel of the file.*did you mean 'FSC-A'"):
        gated(tmp_path, body, {"FSC-A": [0, 1]})


def test_attributes_of_other_programs_are_none_of_the_standard(tmp_path: Path) -> None:
    head = HEAD.replace(">", ' xmlns:tint="http://example.org/tint">')
    body = rectangle(
        dimension("A", 'gating:min="1" tint:max="2" tint:min="9" gateResolution="256"'),
        more='tint:parent_id="nowhere" gating:name="shown" tinted="0"',
    )
    (tmp_path / "a").mkdir()
    strategy = read_gating(write(tmp_path / "a", body, head))
    assert strategy.populations[0].parent == "root"
    gate = strategy.populations[0].gate
    assert [(limit.minimum, limit.maximum) for limit in gate.limits] == [(1.0, None)]  # type: ignore[union-attr]


def test_the_prefixes_are_free(tmp_path: Path) -> None:
    body = rectangle(dimension("A", limits(1)))
    head = HEAD.replace("gating:", "g:").replace("xmlns:gating", "xmlns:g").replace("data-type", "d")
    path = tmp_path / "g.xml"
    path.write_text(
        (head + body).replace("gating:", "g:").replace("data-type:", "d:") + "</g:Gating-ML>", encoding="utf-8"
    )
    assert read_gating(path).paths == ("g",)


@pytest.mark.parametrize("spelling", ["0", "false"])
def test_events_inside_0_is_the_rest_of_the_parent(tmp_path: Path, spelling: str) -> None:
    body = rectangle(dimension("A", limits(1)), more=f'eventsInside="{spelling}"', parent="b")
    body += rectangle(dimension("B", limits(1)), name="b")
    body += (
        polygon((0, 0), (9, 0), (9, 9))
        .replace("<gating:PolygonGate ", '<gating:PolygonGate eventsInside="1" ')
        .replace('"g"', '"p"')
    )
    result = gated(tmp_path, body, {"A": [0, 0, 1, 1], "B": [0, 1, 0, 1]})
    assert members(result) == [1]
    assert [population.complement for population in result.strategy.populations] == [True, False, False]


def test_elements_of_other_programs_are_none_of_the_standard(tmp_path: Path) -> None:
    other = '<o:dimension xmlns:o="urn:o" min="5"/>'
    body = rectangle(other, dimension("A", limits(1)), other) + other
    body += polygon((0, 0), (9, 0), (9, 9), name="p").replace("<gating:vertex>", f"{other}<gating:vertex>{other}", 1)
    body += '<o:RectangleGate xmlns:o="urn:o" id="h"/>'
    result = gated(tmp_path, body, {"A": [0, 1, 2], "B": [0, 0, 1]})
    assert (members(result), members(result, "p")) == ([1, 2], [0, 1, 2])
    assert result.strategy.paths == ("g", "p")


def test_a_gate_may_be_called_root(tmp_path: Path) -> None:
    body = rectangle(dimension("A", limits(1)), name="root") + rectangle(dimension("B", limits(1)), parent="root")
    body += boolean("not", "root", name="rest")
    result = gated(tmp_path, body, {"A": [0, 1, 1, 0], "B": [1, 0, 1, 0]})
    assert (members(result), members(result, "rest")) == ([2], [0, 3])
    assert set(result.strategy.paths) == {"root gate", "root gate/g", "rest"}


def test_remarks_may_stand_anywhere(tmp_path: Path) -> None:
    whole = quadrants(divider("x", "A", 1, 2), quadrant("low", x=0), quadrant("mid", x=1.5))
    body = whole.replace("<gating:value>1", "<gating:value><!-- one -->1<?p q?>").replace("1</", "1<!-- or two --></")
    result = gated(tmp_path, body, {"A": [0.9, 1, 1.9, 2]})
    assert (members(result, "low"), members(result, "mid")) == ([0], [1, 2])


def test_what_the_standard_does_not_know_is_told(tmp_path: Path) -> None:
    known = rectangle(dimension("A", limits(1)))
    result = gated(tmp_path, known + '\n<gating:PolytopeGate gating:id="p"/>\n<other xmlns="urn:o"/>', {"A": [0, 1]})
    assert members(result) == [1]
    (note,) = result.notes
    assert note.endswith("left out here: lines 2")
    assert "Polytope" not in note


def test_numbers_are_those_of_xml(tmp_path: Path) -> None:
    body = rectangle(dimension("A", 'gating:min=" 1.5E0 " gating:max="+.25e1"'))
    assert members(gated(tmp_path, body, {"A": [1.4, 1.5, 2.4, 2.5]})) == [1, 2]
    for text in ("1_000", "٣", "0x10", "1,5", "nan", "1 2"):
        with pytest.raises(GatingMLError, match="wants a finite number"):
            read_gating(write(tmp_path, rectangle(dimension("A", limits(text)))))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (rectangle(), "gate 'g': a rectangle gate wants at least one dimension"),
        (rectangle(dimension("A", limits(3, 1))), "gate 'g': dimension A: min 3.0 is above max 1.0"),
        (rectangle(dimension("A", limits(1)).replace(fcs("A"), "")), "wants one fcs-dimension or new-dimension, got 0"),
        (polygon((0, 0), (1, 1)), "at least three vertices, got 2"),
        (polygon((0, 0), (1, 1), (2, 0)).replace(dimension("B"), ""), "wants two dimensions, got 1"),
        (ellipsoid("A", (0,), ((1,),), 1), "at least two dimensions, got 1"),
        (ellipsoid("AB", (0, 0), ((1, 1), (1, 1)), 1), "gate 'g': the covariance of an ellipsoid gate is singular"),
        (ellipsoid("AB", (0, 0), ((0, 0), (0, 1)), 1), "is singular"),
        (ellipsoid("AB", (0, 0, 0), ((1, 0), (0, 1)), 1), "wants a mean of 2"),
        (ellipsoid("AB", (0, 0), ((1, 0), (0, 1)), -1), "distance square -1.0: must be finite and >= 0"),
        (ellipsoid("AB", (0, 0), ((1, 0), (0, 1)), 1).replace("mean", "centre"), "wants mean, covarianceMatrix and"),
        (quadrants(divider("x", "A", 1)), "defines no quadrant"),
        (quadrants(divider("x", "A", 1), quadrant("Q", y=0)), "divider 'y' is not one of gate 'q'"),
        (quadrants(divider("x", "A", 1), divider("x", "B", 1), quadrant("Q", x=0)), "divider 'x' of gate 'q' is def"),
        (quadrants(divider("x", "A"), quadrant("Q", x=0)), "dividers of A: wants finite numbers"),
        (quadrants(divider("x", "A", 1), quadrant("Q")), "wants an interval on at least one dimension"),
        (
            quadrants(divider("x", "A", 1), quadrant("Q", x=0) + quadrant("Q", x=2)).replace(
                '</gating:Quadrant><gating:Quadrant gating:id="Q">', ""
            ),
            "divider 'x' has two positions in one quadrant",
        ),
        (
            quadrants(divider("x", "A", 1), quadrant("Q", x=0)) + boolean("not", "q"),
            "gate 'g' refers to quadrant gate 'q'; name one of its quadrants: Q",
        ),
        (quadrants(divider("x", "A", 1), quadrant("Q", x=0)) * 2, "gate 'q' is defined twice"),
        (
            rectangle(dimension("A", limits(1)), name="Q") + quadrants(divider("x", "A", 1), quadrant("Q", x=0)),
            "'Q' is defined twice",
        ),
        (boolean("and", "g"), "'and' wants at least two populations, got 1"),
        (boolean("not"), "'not' wants one population, got 0"),
        (boolean("xor", "a", "b"), "wants one of and, or, not"),
        (boolean("not", "h").replace("gating:ref", "gating:name"), "gateReference lacks the attribute 'ref'"),
        (rectangle(dimension("A", limits(1))).replace('gating:id="g"', ""), "RectangleGate lacks the attribute 'id'"),
        (rectangle(dimension("A", limits(1)), name="a/b"), "'a/b' cannot name a population"),
        (rectangle(dimension("A", limits(1)), more='eventsInside="maybe"'), "= 'maybe': wants true or false"),
    ],
)  # fmt: skip
def test_a_gate_that_is_none_is_one_error(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(GatingMLError, match=message) as caught:
        read_gating(write(tmp_path, body))
    assert str(caught.value).startswith("g.xml")
    assert "\n" not in str(caught.value)
