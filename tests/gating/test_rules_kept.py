"""What becomes of rules when gates are replaced, learnt, respelled or written for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_learning import learning_strategy
from test_rules import CD25, folder
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.errors import StrategyError
from il2cyto.exchange import write_workspace
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import Dimension, Gate, Limits, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.gating.amend import amend
from il2cyto.gating.freeze import frozen
from il2cyto.gating.learning import Cut, CutUse, Learning, LearntShape
from il2cyto.gating.overrides import read_overrides
from il2cyto.gating.spelling import respell
from il2cyto.gating.write import write_strategy
from il2cyto.study.model import GateOverride


@pytest.fixture
def strategy(tmp_path: Path) -> GatingStrategy:
    return read_strategy(folder(tmp_path / "s"))


def of_file(path: Path, strategy: GatingStrategy, text: str) -> GatingStrategy:
    (path / "overrides").mkdir(exist_ok=True)
    (path / "overrides" / "own.yaml").write_text(f"files: [a.fcs]\ncompensation: FCS\n{text}", encoding="utf-8")
    return read_overrides(path, strategy)["a.fcs"]


def uses(strategy: GatingStrategy) -> dict[str, list[tuple[str, int, str]]]:
    return {
        cut.name: [(strategy.paths[use.population], use.dimension, use.side) for use in cut.uses]
        for cut in strategy.learning.cuts
    }


def shapes(strategy: GatingStrategy) -> list[str]:
    return [strategy.paths[shape.population] for shape in strategy.learning.shapes]


DEEP = "time/singlets/CD4"


def test_rules_follow_their_populations_when_others_go(tmp_path: Path, strategy: GatingStrategy) -> None:
    own = of_file(tmp_path / "s", strategy, f"remove: [{DEEP}/Tconv]\n")
    assert own.paths[0] == DEEP
    assert uses(own) == {"CD25": [(f"{DEEP}/CD25 hi", 1, "divider")], "CD4": [(DEEP, 0, "min")]}
    assert shapes(own) == ["time/singlets", "time"]
    assert own.learning.cuts[0].rule == strategy.learning.cuts[0].rule


def test_a_gate_of_a_files_own_is_not_learnt(tmp_path: Path, strategy: GatingStrategy) -> None:
    own = of_file(
        tmp_path / "s", strategy,
        "transforms: {fluor: {type: logicle, T: 262144, W: 0.5, M: 4.5, A: 0}}\npopulations:\n"
        "- {name: singlets, parent: time, gate: {type: rectangle, dims: [{channel: FSC-A, min: 3}]}}\n"
        f"- {{name: CD25 hi, parent: {DEEP}, gate: {{type: rectangle, dims: [{{channel: B, min: 3}}]}}}}\n"
        f"- {{name: new, parent: {DEEP}, gate: {{type: rectangle, dims: [{{channel: B, max: 3}}]}}}}\n",
    )  # fmt: skip
    assert uses(own) == {
        "CD25": [(f"{DEEP}/Tconv", 1, "max")],
        "CD4": [(f"{DEEP}/Tconv", 0, "min"), (DEEP, 0, "min")],
    }
    assert shapes(own) == ["time"]


def test_a_cut_that_limits_nothing_more_is_gone(tmp_path: Path, strategy: GatingStrategy) -> None:
    own = of_file(tmp_path / "s", strategy, f"remove: [{DEEP}/Tconv, {DEEP}/CD25 hi]\n")
    assert uses(own) == {"CD4": [(DEEP, 0, "min")]}


def test_a_file_cannot_lose_what_its_cuts_are_learnt_from(tmp_path: Path) -> None:
    text = (
        "strategy: s\ncuts: {x: {channel: A, at: 1, learn: {method: tail, population: beads}}}\npopulations:\n"
        "- {name: beads, parent: root, gate: {type: rectangle, dims: [{channel: B, min: 1}]}}\n"
        "- {name: cells, parent: root, gate: {type: rectangle, dims: [{channel: A, min: x}]}}\n"
    )
    path = folder(tmp_path / "t", text)
    with pytest.raises(StrategyError) as caught:
        of_file(path, read_strategy(path), "remove: [beads]\n")
    assert str(caught.value) == (
        "t/overrides/own.yaml: strategy 's': cut 'x' is to be learnt, but strategy 's' has no population 'beads'"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gate: {type: rectangle, dims: [{channel: B, min: CD25}]}}", "min wants a number, got 'CD25'"),
        ("gate: {type: rectangle, dims: [{channel: B, min: 1}]}, learn: {method: interval}}",
         "population 'Tconv': an override moves a gate and learns nothing; remove learn"),
    ],
)  # fmt: skip
def test_overrides_hold_numbers(tmp_path: Path, strategy: GatingStrategy, text: str, message: str) -> None:
    with pytest.raises(StrategyError) as caught:
        of_file(tmp_path / "s", strategy, f"populations:\n- {{name: Tconv, parent: {DEEP}, {text}\n")
    assert str(caught.value) == f"s/overrides/own.yaml, line 4: {message}"


def of_person(gates: str) -> GateOverride:
    text = f"author: Ann\nreason: r\ntime: 2026-03-02T14:05Z\nscope: {{}}\npopulations:\n{gates}"
    return GateOverride("x", "tube", (), None, None, (), "Ann", "r", "2026-03-02T14:05:00Z", text, "", "x")


def test_a_gate_that_a_person_drew_is_not_learnt(strategy: GatingStrategy) -> None:
    moved, _ = amend(
        strategy,
        [of_person(
            "- {name: CD25 hi, gate: {type: rectangle, dims: [{marker: CD25, min: 0.7}]}}\n"
            "- {name: singlets, gate: {type: polygon, dims: [FSC-A, FSC-H], vertices: [[0, 0], [2, 0], [2, 2]]}}\n"
        )],
    )  # fmt: skip
    assert uses(moved) == {
        "CD25": [(f"{DEEP}/Tconv", 1, "max")],
        "CD4": [(f"{DEEP}/Tconv", 0, "min"), (DEEP, 0, "min")],
    }
    assert shapes(moved) == ["time"]
    # learning leaves it where it was put
    learnt = frozen(moved, {"CD25": 0.5}, {})
    assert learnt.populations[2].gate == RectangleGate((Limits(CD25, 0.7, None),))


def test_a_gate_that_a_person_kept_is_not_learnt_either(strategy: GatingStrategy) -> None:
    same = "- {name: singlets, gate: {type: polygon, dims: [FSC-A, FSC-H], vertices: [[0, 0], [1, 0], [1, 1]]}}\n"
    moved, _ = amend(strategy, [of_person(same)])
    assert moved.populations == strategy.populations
    assert shapes(moved) == ["time"]
    assert amend(strategy, [])[0] is strategy


def test_learnt_places_are_put_everywhere(strategy: GatingStrategy) -> None:
    polygon = PolygonGate(
        (Dimension("FSC-A"), Dimension("FSC-H", "FCS")), ((0.0, 0.0), (3.0, 0.0), (3.0, 2.0), (0.0, 1.0))
    )
    learnt = frozen(strategy, {"CD25": 0.55}, {"time/singlets": polygon})
    assert learnt.populations[0].gate.limits[1].maximum == 0.55  # type: ignore[union-attr]
    gate = learnt.populations[2].gate
    assert isinstance(gate, QuadrantGate)
    assert gate.dividers == ((0.3, 0.6), (0.55,))
    assert learnt.populations[3].gate == polygon
    assert learnt.populations[1] == strategy.populations[1]
    assert [cut.at for cut in learnt.learning.cuts] == [0.55, 0.5]
    assert [cut.rule for cut in learnt.learning.cuts] == [cut.rule for cut in strategy.learning.cuts]
    assert learnt.learning.shapes == strategy.learning.shapes
    assert learnt.content_hash != strategy.content_hash
    assert frozen(learnt, {"CD25": 0.42}, {"time/singlets": strategy.populations[3].gate}) == strategy


@pytest.mark.parametrize(
    ("cuts", "shapes", "message"),
    [
        ({"CD52": 0.4}, {}, "strategy 'rules' has no cut 'CD52' (did you mean 'CD25'?)"),
        ({}, {"singlets": None}, "strategy 'rules' has no learnt gate 'singlets' (did you mean 'time/singlets'?)"),
        ({}, {"time": RectangleGate((Limits(CD25, 0.0, 1.0),))},
         "strategy 'rules': the learnt gate of 'time' stands on CD25, wanted Time"),
        ({"CD25": float("nan")}, {},
         "strategy 'rules': cut 'CD25' wants a finite place, got nan"),
        ({"CD25": float("inf")}, {}, "strategy 'rules': cut 'CD25' wants a finite place, got inf"),
    ],
)  # fmt: skip
def test_places_that_do_not_fit(
    strategy: GatingStrategy, cuts: dict[str, float], shapes: dict[str, Gate], message: str
) -> None:
    with pytest.raises(StrategyError) as caught:
        frozen(strategy, cuts, shapes)
    assert str(caught.value) == message


def test_both_limits_of_a_gate_move_at_once() -> None:
    axis = Dimension("A")
    cuts = tuple(Cut(n, axis, a, None, (CutUse(0, 0, s),)) for n, a, s in [("low", 1.0, "min"), ("high", 2.0, "max")])  # type: ignore[arg-type]
    tree = GatingStrategy(
        "s", (Population("band", "root", RectangleGate((Limits(axis, 1.0, 2.0),))),), learning=Learning(cuts)
    )
    gate = frozen(tree, {"low": 3.0, "high": 4.0}, {}).populations[0].gate
    assert gate == RectangleGate((Limits(axis, 3.0, 4.0),))
    with pytest.raises(StrategyError) as caught:
        frozen(tree, {"low": 3.0}, {})
    assert str(caught.value) == (
        "strategy 's', 'band': the learnt place does not fit (dimension A: min 3.0 is above max 2.0)"
    )


@given(learning_strategy(), st.data())
def test_freezing_changes_learnt_limits_only(tree: GatingStrategy, data: st.DataObject) -> None:
    places = {cut.name: data.draw(st.floats(0.0, 1.0)) for cut in tree.learning.cuts}
    learnt = frozen(tree, places, {})
    assert {cut.name: cut.at for cut in learnt.learning.cuts} == places
    used = {use.population for cut in tree.learning.cuts for use in cut.uses}
    for i, (before, after) in enumerate(zip(tree.populations, learnt.populations, strict=True)):
        if i not in used:
            assert after == before
    before_at = {cut.name: cut.at for cut in tree.learning.cuts}
    assert frozen(learnt, before_at, {}) == tree


def test_names_that_flowjo_spelled(tmp_path: Path) -> None:
    axis = Dimension("APC_Cy7")
    cut = Cut("x", axis, 5.0, None, (CutUse(0, 0, "min"),))
    tree = GatingStrategy(
        "s", (Population("a", "root", RectangleGate((Limits(axis, 5.0, None),))),), learning=Learning((cut,))
    )
    write_fcs(np.arange(10.0)[:, None], tmp_path / "a.fcs", channels=["APC/Cy7"])
    sample = read_fcs(tmp_path / "a.fcs")
    assert respell(tree, sample, None).learning.cuts[0].dimension == Dimension("APC/Cy7")
    assert tree.apply(sample).counts["count"].tolist() == [5]


def test_other_formats_say_what_they_leave_out(tmp_path: Path) -> None:
    a, b = Dimension("A"), Dimension("B")
    tree = GatingStrategy(
        "s",
        (
            Population("a", "root", RectangleGate((Limits(a, 5.0, None),))),
            Population("b", "a", PolygonGate((a, b), ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)))),
        ),
    )
    rule = read_strategy(folder(tmp_path / "s")).learning.shapes[0].rule
    learning = Learning(
        (Cut("x", a, 5.0, None, (CutUse(0, 0, "min"),)),), (LearntShape(1, replace(rule, population="a")),)
    )
    write_strategy(tmp_path / "plain", tree)
    write_strategy(tmp_path / "rules", replace(tree, learning=learning))
    said = "left out: the file has gates but no cuts and no rules for learning them (cut x, gate a/b)"
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "rules"), str(tmp_path / "r.xml")])
    assert done.exit_code == 0, done.output
    assert f"notice   {said}\n" in done.output
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "plain"), str(tmp_path / "p.xml")])
    assert "left out" not in done.output
    assert (tmp_path / "r.xml").read_bytes() == (tmp_path / "p.xml").read_bytes()
    files = [tmp_path / "a.fcs", tmp_path / "b.fcs"]
    for file in files:
        write_fcs(np.arange(20.0).reshape(10, 2), file, channels=["A", "B"])
    assert write_workspace(replace(tree, learning=learning), files, tmp_path / "r.wsp") == (said,)
    assert write_workspace(tree, files, tmp_path / "p.wsp") == ()
