"""The engine against plain NumPy, event by event; and the rules that hold for every strategy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import membership
from random_strategies import COLOURS, MATRICES, TRANSFORMS, dimension, shape, small_sample, strategy

from il2cyto.errors import CompensationError, FcsError, StrategyError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import BooleanGate, Dimension, Limits, Operand, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating import GatingStrategy, Population
from il2cyto.panel import Panel, PanelEntry
from il2cyto.sample import Sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return small_sample(tmp_path_factory.mktemp("engine") / "s.fcs")


@given(strategy())
@settings(max_examples=150)
def test_engine_equals_transforming_every_event(sample: Sample, tree: GatingStrategy) -> None:
    result = tree.apply(sample)
    table = result.counts.set_index("population")
    for path, (members, undefined) in membership(tree, sample).items():
        assert np.array_equal(result.membership(path), members)
        assert table.loc[path, "count"] == members.sum()
        assert table.loc[path, "n_undefined"] == undefined


@given(shape(tuple(TRANSFORMS), True))
@settings(max_examples=60)
def test_gate_and_complement_make_the_parent(sample: Sample, gate: object) -> None:
    tree = GatingStrategy(
        "t",
        (Population("in", "root", gate), Population("out", "root", gate, complement=True)),  # type: ignore[arg-type]
        TRANSFORMS,
        {"lab": MATRICES["lab"]},
    )
    result = tree.apply(sample)
    assert (result.membership("in") ^ result.membership("out")).all()


@given(st.lists(dimension(("logicle", "log")), min_size=1, max_size=3, unique_by=lambda d: d.source), st.data())
@settings(max_examples=40)
def test_quadrants_sum_to_the_parent(sample: Sample, axes: list[Dimension], data: st.DataObject) -> None:
    cuts = [sorted(data.draw(st.sets(st.floats(0.1, 0.9), min_size=1, max_size=2))) for _ in axes]
    regions = QuadrantGate.regions(axes, cuts)
    tree = GatingStrategy(
        "q",
        tuple(Population(f"q{i}", "root", region) for i, region in enumerate(regions)),
        TRANSFORMS,
        MATRICES,
    )
    counts = tree.apply(sample).counts
    assert counts["count"].sum() + counts["n_undefined"].iloc[0] == sample.n_events
    assert counts["n_undefined"].nunique() == 1


@given(strategy(), st.integers(0, 2**31))
@settings(max_examples=25)
def test_order_of_events_changes_no_count(sample: Sample, tmp_path: Path, tree: GatingStrategy, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(sample.n_events)
    spill = sample.spillover
    assert spill is not None
    write_fcs(sample.raw[order], tmp_path / "m.fcs", channels=sample.names, spillover=(spill.detectors, spill.values))
    shuffled = tree.apply(read_fcs(tmp_path / "m.fcs"))
    straight = tree.apply(sample)
    for i, path in enumerate(tree.paths):
        assert np.array_equal(shuffled.membership(path), straight.membership(path)[order])
        assert shuffled.n_undefined[i] == straight.n_undefined[i]


@given(strategy())
@settings(max_examples=25)
def test_child_is_inside_its_parent(sample: Sample, tree: GatingStrategy) -> None:
    result = tree.apply(sample)
    for i, path in enumerate(tree.paths):
        if tree.parents[i] >= 0:
            assert not (result.membership(path) & ~result.membership(tree.paths[tree.parents[i]])).any()


def one_channel(tmp_path: Path, values: list[float], gate: object, **kwargs: object) -> tuple[int, int]:
    write_fcs(np.array(values, dtype="f4")[:, None], tmp_path / "e.fcs", channels=["A"])
    tree = GatingStrategy("e", (Population("p", "root", gate, **kwargs),), TRANSFORMS)  # type: ignore[arg-type]
    result = tree.apply(read_fcs(tmp_path / "e.fcs"))
    return int(result.n_inside[0]), int(result.n_undefined[0])


def test_edges_are_half_open(tmp_path: Path) -> None:
    gate = RectangleGate((Limits(Dimension("A"), 10.0, 20.0),))
    assert one_channel(tmp_path, [9.999, 10.0, 15.0, 19.999, 20.0], gate) == (3, 0)


def test_undefined_coordinates_are_outside_and_inside_the_complement(tmp_path: Path) -> None:
    values = [float("nan"), float("-inf"), -5.0, 0.0, 10.0, float("inf")]
    linear = RectangleGate((Limits(Dimension("A"), None, 100.0),))
    assert one_channel(tmp_path, values, linear) == (3, 2)
    assert one_channel(tmp_path, values, linear, complement=True) == (3, 2)
    # the logarithm is undefined at and below zero as well
    log = RectangleGate((Limits(Dimension("A", transform="log"), None, 0.9),))
    assert one_channel(tmp_path, values, log) == (1, 4)


def test_polygon_edges(tmp_path: Path) -> None:
    square = PolygonGate((Dimension("A"), Dimension("B")), ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)))
    points = np.array([[0, 0], [0, 1], [1, 0], [2, 1], [1, 2], [2, 2], [1, 1], [0, 2], [2, 0]], dtype="f4")
    write_fcs(points, tmp_path / "e.fcs", channels=["A", "B"])
    result = GatingStrategy("e", (Population("p", "root", square),)).apply(read_fcs(tmp_path / "e.fcs"))
    assert result.membership("p").tolist() == [True, True, True, False, False, False, True, False, False]


def test_percent_of_an_empty_parent_is_nan_and_counts_are_whole(tmp_path: Path) -> None:
    write_fcs(np.array([[1.0], [2.0]], dtype="f4"), tmp_path / "e.fcs", channels=["A"])
    none = RectangleGate((Limits(Dimension("A"), 100.0, None),))
    tree = GatingStrategy("e", (Population("a", "root", none), Population("b", "a", none)))
    table = tree.apply(read_fcs(tmp_path / "e.fcs")).counts
    assert table["count"].tolist() == [0, 0]
    assert table["parent_count"].tolist() == [2, 0]
    assert table["percent_parent"].iloc[0] == 0.0
    assert np.isnan(table["percent_parent"].iloc[1])
    assert str(table["count"].dtype) == "Int64"


def test_no_events(tmp_path: Path) -> None:
    write_fcs(np.zeros((0, 1)), tmp_path / "e.fcs", channels=["A"])
    result = GatingStrategy("e", (Population("p", "root", RectangleGate((Limits(Dimension("A"), 0.0, None),))),)).apply(
        read_fcs(tmp_path / "e.fcs")
    )
    assert result.counts["count"].tolist() == [0]


def above(name: str, value: float = 0.0) -> RectangleGate:
    return RectangleGate((Limits(Dimension(name), value, None),))


def test_absent_marker_is_not_estimable_with_its_children(tmp_path: Path) -> None:
    write_fcs(np.ones((4, 2)), tmp_path / "e.fcs", channels=["V1-A", "V2-A"])
    panel = Panel(
        "panel.csv",
        (
            PanelEntry("CD4", "V1-A"),
            PanelEntry("CXCR5", "absent"),
            PanelEntry("CCR6", "V9-A"),
            PanelEntry("CD25", "V2-A"),
        ),
    )
    tree = GatingStrategy(
        "e",
        (
            Population("CD4", "root", above("CD4")),
            Population("cTfh", "CD4", above("CXCR5")),
            Population("PD1", "cTfh", above("CD25")),
            Population("Th17", "CD4", above("CCR6")),
            Population("either", "CD4", BooleanGate("or", (Operand("cTfh"), Operand("CD4")))),
        ),
        panel=panel,
    )
    result = tree.apply(read_fcs(tmp_path / "e.fcs"))
    table = result.counts.set_index("name")
    assert table.loc["CD4", ["count", "status", "reason"]].tolist() == [4, "estimated", ""]
    assert table.loc[["cTfh", "PD1", "Th17", "either"], "status"].tolist() == ["not_estimable"] * 4
    assert table.loc[["cTfh", "PD1", "Th17", "either"], "count"].isna().all()
    assert table.loc["cTfh", "reason"] == "marker absent: CXCR5"
    assert table.loc["PD1", "reason"] == "parent cTfh not estimable: marker absent: CXCR5"
    assert table.loc["PD1", "parent_count"] is not None
    assert table.loc["Th17", "reason"].startswith("marker absent: CCR6 (the panel expects channel 'V9-A'")
    assert table.loc["either", "reason"] == "cTfh not estimable: marker absent: CXCR5"
    # the panel knows that it lacks CXCR5; that the file lacks CCR6 is a fault
    assert result.missing_markers == ("CCR6",)
    with pytest.raises(StrategyError, match="cTfh is not estimable: marker absent: CXCR5"):
        result.membership("cTfh")


def test_unknown_channel_is_an_error_with_a_hint(sample: Sample) -> None:
    tree = GatingStrategy("t", (Population("p", "root", above("FSC-B")),))
    with pytest.raises(StrategyError, match=r"asks for 'FSC-B'.*did you mean 'FSC-A'"):
        tree.apply(sample)


def test_second_compensation_is_refused(tmp_path: Path) -> None:
    names = ["Comp-A", "Comp-B"]
    write_fcs(np.ones((2, 2)), tmp_path / "e.fcs", channels=names, spillover=(names, [[1.0, 0.1], [0.0, 1.0]]))
    gate = RectangleGate((Limits(Dimension("Comp-A", "FCS"), 0.0, None),))
    with pytest.raises(CompensationError, match="'Comp-A' is compensated already"):
        GatingStrategy("t", (Population("p", "root", gate),)).apply(read_fcs(tmp_path / "e.fcs"))


def test_missing_matrix_is_refused_unless_the_strategy_is_gating_ml(tmp_path: Path) -> None:
    write_fcs(np.ones((2, 1)), tmp_path / "e.fcs", channels=["A"])
    gate = RectangleGate((Limits(Dimension("A", "FCS"), 0.0, None),))
    tree = GatingStrategy("t", (Population("p", "root", gate),))
    with pytest.raises(CompensationError, match="wants the file's matrix for 'A', but the file holds none"):
        tree.apply(read_fcs(tmp_path / "e.fcs"))
    lenient = replace(tree, without_matrix="uncompensated").apply(read_fcs(tmp_path / "e.fcs"))
    assert lenient.counts["count"].tolist() == [2]
    assert "taken uncompensated" in lenient.notes[0]


def test_matrix_for_a_channel_that_the_file_lacks(sample: Sample) -> None:
    from il2cyto.compensation import SpilloverMatrix

    matrix = SpilloverMatrix("m", ("A", "Z"), np.eye(2))
    gate = RectangleGate((Limits(Dimension("A", "m"), 0.0, None),))
    with pytest.raises(CompensationError, match="matrix 'm' wants channel 'Z'"):
        GatingStrategy("t", (Population("p", "root", gate),), {}, {"m": matrix}).apply(sample)


@pytest.mark.parametrize(
    ("populations", "message"),
    [
        ((Population("a", "b", above("A")), Population("b", "a", above("A"))), "circle: "),
        ((Population("a", "root", above("A")), Population("a", "root", above("B"))), "defined twice"),
        ((Population("CD4", "root", above("A")), Population("x", "CD44", above("A"))), "did you mean 'CD4'"),
        ((Population("a/b", "root", above("A")),), "cannot name"),
        (
            (
                Population("a", "root", BooleanGate("not", (Operand("b"),))),
                Population("b", "root", BooleanGate("not", (Operand("a"),))),
            ),
            "in a circle",
        ),
        (
            (Population("a", "root", RectangleGate((Limits(Dimension("A", transform="logi"), 0.0),))),),
            "did you mean 'logicle'",
        ),
        ((Population("a", "root", RectangleGate((Limits(Dimension("A", "spill"), 0.0),))),), "is no matrix"),
    ],
)
def test_strategies_that_do_not_hold_together(populations: tuple[Population, ...], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        GatingStrategy("t", populations, {"logicle": TRANSFORMS["logicle"]})


def test_same_name_under_two_parents_is_told_apart_by_path() -> None:
    tree = GatingStrategy(
        "t",
        (
            Population("CD4", "root", above("A")),
            Population("CD8", "root", above("B")),
            Population("CD25", "CD4", above("C")),
            Population("CD25", "CD8", above("C")),
            Population("hi", "CD8/CD25", above("D")),
        ),
    )
    assert tree.paths == ("CD4", "CD8", "CD4/CD25", "CD8/CD25", "CD8/CD25/hi")
    assert tree.resolve("CD8/CD25") == 3
    with pytest.raises(StrategyError, match="could be CD4/CD25, CD8/CD25"):
        tree.resolve("CD25")


def test_hash_is_of_the_content() -> None:
    a, b = Population("a", "root", above("A")), Population("b", "a", above("B"))
    first = GatingStrategy("t", (a, b), TRANSFORMS)
    assert first.content_hash == GatingStrategy("t", (b, a), dict(reversed(TRANSFORMS.items()))).content_hash
    moved = replace(b, gate=above("B", 1e-300))
    assert first.content_hash != GatingStrategy("t", (a, moved), TRANSFORMS).content_hash
    assert first.content_hash != replace(first, version="2").content_hash


def test_colours_are_those_of_the_matrix(sample: Sample) -> None:
    assert sample.spillover is not None
    assert sample.spillover.detectors == COLOURS


def test_threads_change_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    n = 200_003  # no multiple of a block, nor of eight
    write_fcs(rng.normal(0.4, 0.3, (n, 2)).astype("f4"), tmp_path / "a.fcs", channels=["A", "B"])
    big = read_fcs(tmp_path / "a.fcs")
    box = PolygonGate((Dimension("A"), Dimension("B")), ((0.0, 0.0), (0.7, 0.1), (0.6, 0.9), (0.1, 0.5)))
    half = RectangleGate((Limits(Dimension("A"), 0.3, None),))
    tree = GatingStrategy("t", (Population("box", "root", box), Population("half", "box", half)))
    alone = tree.apply(big)
    for threads in (2, 3, 7):
        shared = tree.apply(big, threads=threads)
        assert shared.counts.equals(alone.counts)
        for path in tree.paths:
            assert np.array_equal(shared.membership(path), alone.membership(path))


def test_a_file_that_shrinks_or_goes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    write_fcs(np.ones((5000, 2), dtype="f4"), path, channels=["A", "B"])
    tree = GatingStrategy("t", (Population("high", "root", RectangleGate((Limits(Dimension("A"), 0.5, None),))),))
    sample = read_fcs(path)
    assert tree.apply(sample).n_inside.tolist() == [5000]
    with path.open("r+b") as stream:
        stream.truncate(20_000)
    with pytest.raises(FcsError, match=r"a\.fcs: has become shorter"):
        tree.apply(sample)
    path.unlink()
    with pytest.raises(FcsError, match=r"a\.fcs: cannot be opened again"):
        tree.apply(sample)
