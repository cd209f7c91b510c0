"""Strategies written as folders and read again: the same content, the same members."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from random_strategies import COLOURS, TRANSFORMS, small_sample, strategy

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import OutputError, StrategyError
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Gate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    Ratio,
    RectangleGate,
)
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.gating.write import write_strategy
from il2cyto.sample import Sample
from il2cyto.transforms import Bounded, Clamped, Linear, Log

# three dyes in five detectors, as least squares unmixes them, and two with names of their own in a square matrix
WIDE = SpilloverMatrix(
    "spectra", COLOURS, np.array([[1, 0.4, 0.1, 0, 0], [0.1, 1, 0.3, 0.2, 0], [0, 0.2, 0.1, 1 / 3, 1]]),
    ("BV421", "FITC, bright", "PE"),
)  # fmt: skip
NAMED = SpilloverMatrix("named", ("A", "B"), np.array([[1, 0.1], [-0.0, 1]]), ("FITC", "PE"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return small_sample(tmp_path_factory.mktemp("folder") / "s.fcs")


def again(tree: GatingStrategy, folder: Path) -> GatingStrategy:
    write_strategy(folder, tree)
    return read_strategy(folder)


def same(tree: GatingStrategy, other: GatingStrategy, sample: Sample) -> None:
    assert other.content_hash == tree.content_hash
    assert other.without_matrix == tree.without_matrix
    before, after = tree.apply(sample), other.apply(sample)
    assert other.paths == tree.paths
    for path in tree.paths:
        assert np.array_equal(after.membership(path), before.membership(path)), path


@given(strategy())
@settings(max_examples=60)
def test_random_strategies_come_back(sample: Sample, tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    assert isinstance(tree, GatingStrategy)
    folder = tmp_path_factory.mktemp("strategy")
    write_strategy(folder, tree)
    other = read_strategy(folder)
    assert other.populations == tuple(
        replace(p, parent=o.parent) for p, o in zip(tree.populations, other.populations, strict=True)
    )
    before, after = tree.apply(sample), other.apply(sample)
    for path in tree.paths:
        assert np.array_equal(after.membership(path), before.membership(path)), path


def test_matrices_of_any_shape_come_back(sample: Sample, tmp_path: Path) -> None:
    cut = {name: Dimension(name, "spectra", "logicle") for name in WIDE.fluorochromes}
    gates: list[Gate] = [RectangleGate((Limits(d, 0.4, 0.9),)) for d in cut.values()]
    gates += [
        PolygonGate((cut["BV421"], cut["PE"]), ((0.2, 0.2), (0.9, 0.3), (0.5, 0.9))),
        RectangleGate((Limits(Dimension("FITC", "named"), 500.0, None), Limits(Dimension("B", "named"), 100.0, None))),
        RectangleGate((Limits(Dimension(Ratio("PE", "BV421"), "spectra"), 0.1, 2.0),)),
    ]
    tree = GatingStrategy(
        "spectral",
        tuple(Population(f"p{k}", "root", gate) for k, gate in enumerate(gates)),
        TRANSFORMS,
        {"spectra": WIDE, "named": NAMED},
    )
    other = again(tree, tmp_path / "s")
    same(tree, other, sample)
    assert other.matrices["spectra"].fluorochromes == WIDE.fluorochromes
    assert np.array_equal(other.matrices["spectra"].values, WIDE.values)
    assert (tmp_path / "s" / "matrix1.csv").read_text(encoding="utf-8").splitlines()[:3] == [
        "fluorochrome,A,B,C,D,E", "BV421,1,0.4,0.1,0,0", '"FITC, bright",0.1,1,0.3,0.2,0',
    ]  # fmt: skip
    counts = tree.apply(sample).counts["count"]
    assert ((counts > 0) & (counts < sample.n_events)).all()


def test_what_only_other_formats_say_comes_back(sample: Sample, tmp_path: Path) -> None:
    a, b = Dimension("A"), Dimension("B", "FCS")
    on_ratio = Dimension(Ratio("A", "B", 2.0, 1.0, 0.5), "FCS", "log of a bounded ratio")
    populations = (
        Population("not dead", "root", RectangleGate((Limits(a, -math.inf, None), Limits(b, None, math.inf)))),
        Population("any form", "root", EllipsoidGate((a, b), (100.0, 200.0), ((1e4, 1e4), (0.0, 1e4)), 2.0)),
        Population("1, 2", "root", PolygonGate((on_ratio, a), ((0.0, 0.0), (2.0, 0.0), (2.0, 1e4), (0.0, 1e3)))),
        Population("rest", "not dead", BooleanGate("and", (Operand("not dead"), Operand("any form", True)))),
        Population("true", "root", BooleanGate("not", (Operand("not dead", True),))),
        Population("third", "root", QuadrantGate((a,), (tuple(float(x) for x in range(12)),), (12,))),
        Population("null", "root", QuadrantGate((a, b), ((1.0,), (2.0,)), (None, 1))),
    )
    tree = GatingStrategy(
        "s", populations,
        {"log of a bounded ratio": Clamped(Log(10.0, 1.0), 0.5, 3.0), "b": Bounded(Linear(10.0, 1.0), -0.5)},
        without_matrix="uncompensated",
    )  # fmt: skip
    same(tree, again(tree, tmp_path / "s"), sample)
    with pytest.raises(OutputError, match="holds a strategy already"):
        write_strategy(tmp_path / "s", tree)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "without_matrix: uncompensated",
            "without_matrix: uncompensate",
            r"line \d+: without_matrix 'uncompensate'.*did",
        ),
        ("quadric: true", "quadric: yes", "quadric wants true or false, got 'yes'"),
        (", quadric: true", "", "symmetric and positive definite; quadric: true takes any other by the formula"),
        ("min: -.inf", "min: -.nan", "min wants a number, got '-.nan'"),
    ],
)
def test_a_slip_in_what_is_rare_is_one_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    a, b = Dimension("A"), Dimension("B")
    tree = GatingStrategy(
        "s",
        (
            Population("r", "root", RectangleGate((Limits(a, -math.inf, None),))),
            Population("e", "root", EllipsoidGate((a, b), (0.0, 0.0), ((1.0, 1.0), (0.0, 1.0)), 2.0)),
        ),
        without_matrix="uncompensated",
    )
    write_strategy(tmp_path, tree)
    text = (tmp_path / "strategy.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "strategy.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StrategyError, match=message):
        read_strategy(tmp_path)
