"""Cuts and rules in strategy.yaml: what they mean, what is refused, and that they come back from what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from random_learning import learning_strategy

from il2cyto.errors import StrategyError
from il2cyto.gates import (
    BinnedPolygonGate,
    BooleanGate,
    Dimension,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.gating.consistency import learning_order, shape_fault
from il2cyto.gating.learning import Cut, CutUse, Learning, LearnRule, LearntShape
from il2cyto.gating.write import override_lines, write_strategy
from il2cyto.study.frozen import FrozenMapping
from il2cyto.transforms import Logicle

TEXT = """\
strategy: rules
compensation: FCS
transforms:
  fluor: {type: logicle, T: 262144, W: 0.5, M: 4.5, A: 0}
axes: {CD4: {transform: fluor}, CD25: {transform: fluor}, FSC-A: {compensation: uncompensated}}
cuts:
  CD25:
    marker: CD25
    at: 0.42
    learn:
      method: valley
      population: CD4
      scope: batch
      from: [fmo, untreated]
      borrow: [study, template]
      min_events: 150
      options: {low: 0.3, smooth: right, high: "7"}
      why: "IL-2 raises CD25: no tube under treatment may move this."
  CD4: {marker: CD4, at: 0.5}
populations:
- name: Tconv
  parent: CD4
  gate: {type: rectangle, dims: [{marker: CD4, min: CD4}, {marker: CD25, max: CD25}]}
- {name: CD4, parent: singlets, gate: {type: rectangle, dims: [{marker: CD4, min: CD4, max: .inf}]}}
- name: CD25 hi
  parent: CD4
  gate: {type: quadrant, region: "* +", dims: [{marker: CD4, dividers: [0.3, 0.6]}, {marker: CD25, divider: CD25}]}
- name: singlets
  parent: time
  gate: {type: polygon, dims: [FSC-A, {channel: FSC-H}], vertices: [[0, 0], [1, 0], [1, 1]]}
  learn: {method: singlets}
- name: time
  parent: root
  gate: {type: rectangle, dims: [{channel: Time, min: 1, max: 9}]}
  learn: {method: interval, scope: tube, borrow: [template]}
"""
CD4, CD25 = Dimension("CD4", "FCS", "fluor"), Dimension("CD25", "FCS", "fluor")


def folder(path: Path, text: str = TEXT) -> Path:
    path.mkdir(exist_ok=True)
    (path / "strategy.yaml").write_text(text, encoding="utf-8")
    (path / "panel.csv").write_text("marker,channel\nCD4,A\nCD25,B\n", encoding="utf-8")
    return path


def test_what_a_file_says(tmp_path: Path) -> None:
    tree = read_strategy(folder(tmp_path / "s"))
    rule = LearnRule(
        "valley", "time/singlets/CD4", "batch", ("fmo", "untreated"), ("study", "template"), 150,
        FrozenMapping({"low": 0.3, "smooth": "right", "high": "7"}),
        "IL-2 raises CD25: no tube under treatment may move this.",
    )  # fmt: skip
    assert tree.learning.cuts == (
        Cut("CD25", CD25, 0.42, rule, (CutUse(0, 1, "max"), CutUse(2, 1, "divider"))),
        Cut("CD4", CD4, 0.5, None, (CutUse(0, 0, "min"), CutUse(1, 0, "min"))),
    )
    assert tree.learning.shapes == (
        LearntShape(3, LearnRule("singlets", "time")),
        LearntShape(4, LearnRule("interval", "root", borrow=("template",))),
    )
    assert tree.learning
    assert tree.populations[0].gate == RectangleGate((Limits(CD4, 0.5, None), Limits(CD25, None, 0.42)))
    gate = tree.populations[2].gate
    assert isinstance(gate, QuadrantGate)
    assert gate.dividers == ((0.3, 0.6), (0.42,))


def test_the_order_of_learning(tmp_path: Path) -> None:
    order = learning_order(read_strategy(folder(tmp_path / "s")))
    assert [one.name if isinstance(one, Cut) else one.population for one in order] == [4, 3, "CD25"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("max: CD25}", "max: CD52}",
         "line 23: max wants a number or the name of a cut, got 'CD52' (did you mean 'CD25'?); cuts: CD25, CD4"),
        ("divider: CD25", "divider: CD8",
         "line 27: divider wants a number or the name of a cut, got 'CD8' (did you mean 'CD4'?); cuts: CD25, CD4"),
        ("max: CD25}", "max: CD4}",
         "line 23: max: cut 'CD4' stands on CD4 (compensation FCS, transform fluor), this dimension is CD25 "
         "(compensation FCS, transform fluor); write the same source, compensation and transform in both"),
        ("max: CD25}", "max: CD25, units: linear}",
         "line 23: max: cut 'CD25' stands on CD25 (compensation FCS, transform fluor), this dimension is CD25 "
         "(compensation FCS, transform none); write the same source, compensation and transform in both"),
        ("dividers: [0.3, 0.6]", "dividers: [CD4, 0.6]", "line 27: dividers: a cut stands alone, as divider: CD4"),
        ("method: valley", "method: vally",
         "line 11: cut 'CD25': method 'vally' (did you mean 'valley'?): wanted one of valley, tail, quantile, mixture, "
         "anchored, jointly"),
        ("method: singlets", "method: valley",
         "line 31: population 'singlets': method 'valley': wanted one of singlets, lymphocytes, mixture2d, diagonal, "
         "interval"),
        ("      method: valley\n", "", "line 11: cut 'CD25': method wants a text"),
        ("      population: CD4\n", "",
         "line 11: cut 'CD25': learn wants a population, whose events are looked at"),
        ("population: CD4", "population: CD44",
         "line 7: cut 'CD25' is to be learnt, but strategy 'rules' has no population 'CD44' (did you mean 'CD4'?)"),
        ("population: CD4", "population: Tconv",
         "line 7: cut 'CD25' is learnt from events that it selects itself: cut CD25 → time/singlets/CD4/Tconv → "
         "cut CD25; learn it from a population above"),
        ("learn: {method: singlets}", "learn: {method: singlets, population: Tconv}",
         "line 31: population 'time/singlets' is learnt from events that it selects itself: time/singlets → "
         "time/singlets/CD4 → time/singlets/CD4/Tconv → time/singlets; learn it from a population above"),
        ("scope: batch", "scope: bach",
         "line 13: cut 'CD25': scope 'bach' (did you mean 'batch'?): wanted one of tube, subject, batch, study"),
        ("from: [fmo, untreated]", "from: [fmo, treated]",
         "line 14: cut 'CD25': from 'treated' (did you mean 'untreated'?): wanted one of sample, untreated, donor, "
         "fmo, unstimulated"),
        ("from: [fmo, untreated]", "from: fmo", "line 14: cut 'CD25': from wants a list"),
        ("from: [fmo, untreated]", "from: [fmo, fmo]", "line 14: cut 'CD25': from: fmo stands twice"),
        ("from: [fmo, untreated]", "from: []",
         "line 11: cut 'CD25': sources []: wanted some of ['sample', 'untreated', 'donor', 'fmo', 'unstimulated']"),
        ("borrow: [study, template]", "borrow: [subject]",
         "line 15: cut 'CD25': borrow 'subject': wanted one of study, template"),
        ("min_events: 150", "min_events: 0", "line 11: cut 'CD25': min_events 0: wanted 1 or more"),
        ("min_events: 150", "min_events: 1.5", "line 16: cut 'CD25': min_events wants a whole number, got 1.5"),
        ("low: 0.3", "low: [0.3]", "line 17: cut 'CD25': option 'low' wants a text"),
        ("      why:", "      wy:",
         "line 18: learn of cut 'CD25' does not know 'wy' (did you mean 'why'?); known: method, population, scope, "
         "from, borrow, min_events, options, why"),
        ("CD4, at: 0.5", "CD4, att: 0.5",
         "line 19: cut 'CD4' does not know 'att' (did you mean 'at'?); known: marker, channel, ratio, compensation, "
         "transform, units, at, learn"),
        ("CD4, at: 0.5", "CD4, at: .inf", "line 19: cut 'CD4': at wants a number, got '.inf'"),
        ("CD4, at: 0.5", "CD4", "line 19: cut 'CD4': at wants a number"),
        ("{marker: CD4, at", "{marker: CD44, at",
         "line 19: marker 'CD44' is not in panel panel.csv (did you mean 'CD4'?); correct it or add it there"),
        ("  CD4: {marker", "  0.5: {marker", "line 19: '0.5' cannot name a cut; take a word that is no number"),
        ("  CD4: {marker", "  .inf: {marker", "line 19: '.inf' cannot name a cut; take a word that is no number"),
        ("  CD4: {marker", "  CD8: {marker: CD4, at: 0.3}\n  CD4: {marker",
         "line 19: cut 'CD8' limits no gate; name it in one (min: CD8) or remove it"),
        ("cuts:\n", "cut:\n",
         "line 6: a strategy does not know 'cut' (did you mean 'cuts'?); known: strategy, version, description, "
         "compensation, without_matrix, matrices, transforms, axes, cuts, optional, populations"),
        ("  learn: {method: singlets}", "  lern: {method: singlets}",
         "line 31: a population does not know 'lern' (did you mean 'learn'?); known: name, parent, definition, role, "
         "complement, gate, view, learn"),
        ("{method: singlets}", "{method: interval}",
         "line 31: population 'singlets': method 'interval' finds a range on one axis; give the gate one dimension "
         "with min and max"),
        ("{method: interval,", "{method: diagonal,",
         "line 35: population 'time': method 'diagonal' draws a polygon on the values themselves, and the gate is "
         "none"),
        ("polygon, dims: [FSC-A, {channel: FSC-H}], vertices: [[0, 0], [1, 0], [1, 1]]}",
         "rectangle, dims: [{channel: FSC-A, min: 1}]}",
         "line 31: population 'singlets': method 'singlets' draws a polygon on the values themselves, and the gate is "
         "none"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(StrategyError) as caught:
        read_strategy(folder(tmp_path / "s", TEXT.replace(old, new, 1)))
    assert str(caught.value) == f"s/strategy.yaml, {message}"


def test_a_circle_over_two_cuts_is_named(tmp_path: Path) -> None:
    text = TEXT.replace(
        "CD4: {marker: CD4, at: 0.5}", "CD4: {marker: CD4, at: 0.5, learn: {method: tail, population: both}}"
    )
    text += "- {name: both, parent: root, gate: {type: boolean, op: not, of: [CD25 hi]}}\n"
    with pytest.raises(StrategyError) as caught:
        read_strategy(folder(tmp_path / "s", text))
    assert str(caught.value) == (
        "s/strategy.yaml, line 19: cut 'CD4' is learnt from events that it selects itself: cut CD4 → "
        "time/singlets/CD4 → time/singlets/CD4/CD25 hi → both → cut CD4; learn it from a population above"
    )
    # each is learnt from what the other selects
    text = TEXT.replace(
        "CD4: {marker: CD4, at: 0.5}", "CD4: {marker: CD4, at: 0.5, learn: {method: tail, population: x}}"
    )
    text += "- {name: x, parent: root, gate: {type: rectangle, dims: [{marker: CD25, min: CD25}]}}\n"
    with pytest.raises(StrategyError) as caught:
        read_strategy(folder(tmp_path / "s", text))
    assert str(caught.value) == (
        "s/strategy.yaml, line 7: cut 'CD25' is learnt from events that it selects itself: cut CD25 → x → cut CD4 → "
        "time/singlets/CD4 → cut CD25; learn it from a population above"
    )


def test_a_polygon_on_a_display_is_not_learnt() -> None:
    polygon = PolygonGate((CD4, CD25), ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    assert shape_fault(polygon, "diagonal") == ""
    on_display = BinnedPolygonGate(polygon.dimensions, polygon.vertices, 256)
    assert shape_fault(on_display, "diagonal") == (
        "method 'diagonal' draws a polygon on the values themselves, and the gate is none"
    )


def test_a_cut_on_a_gate_that_is_learnt_as_a_whole_is_refused(tmp_path: Path) -> None:
    text = TEXT.replace("max: .inf}]}}", "max: .inf}]}, learn: {method: interval}}")
    with pytest.raises(StrategyError) as caught:
        read_strategy(folder(tmp_path / "s", text))
    assert str(caught.value) == (
        "s/strategy.yaml, line 24: population 'time/singlets/CD4' is learnt as a whole, so cut 'CD4' cannot limit it; "
        "remove one of them"
    )


def test_without_cuts_a_word_is_no_number(tmp_path: Path) -> None:
    gate = "{type: rectangle, dims: [{channel: A, min: CD25}]}"
    text = f"strategy: s\npopulations:\n- {{name: a, parent: root, gate: {gate}}}\n"
    with pytest.raises(StrategyError) as caught:
        read_strategy(folder(tmp_path / "s", text))
    assert str(caught.value) == "s/strategy.yaml, line 3: min wants a number, got 'CD25'"


def plain() -> GatingStrategy:
    return GatingStrategy(
        "plain",
        (
            Population("CD4", "root", RectangleGate((Limits(CD4, 0.5, None),))),
            Population("Treg", "CD4", PolygonGate((CD4, CD25), ((0.5, 0.5), (1.0, 0.5), (1.0, 1.0)))),
            Population("hi", "CD4", QuadrantGate((CD25, CD4), ((0.4,), (0.5, 0.6)), (1, None)), view=(CD25, CD4)),
            Population("no", "CD4", BooleanGate("not", (Operand("hi"),)), complement=True),
        ),
        {"fluor": Logicle(262144, 0.5, 4.5, 0)},
    )


def test_a_strategy_without_rules_keeps_its_hash() -> None:
    # the value before strategies could hold rules
    assert plain().content_hash == "59198f206b1dc6f569d7f82c6bd1da880b1503413cbfdcc3e224d6c308908eea"


def test_the_hash_tells_rules_apart() -> None:
    cut = Cut("CD25", CD25, 0.4, LearnRule("valley", "CD4"), (CutUse(2, 0, "divider"),))
    assert cut.rule is not None
    shape = LearntShape(1, LearnRule("diagonal", "CD4"))
    tree = replace(plain(), learning=Learning((cut,), (shape,)))
    several = [
        Learning(),
        tree.learning,
        Learning((replace(cut, rule=None),), (shape,)),
        Learning((replace(cut, name="CD25 hi"),), (shape,)),
        Learning((replace(cut, rule=replace(cut.rule, scope="batch")),), (shape,)),
        Learning((replace(cut, rule=replace(cut.rule, options=FrozenMapping({"low": 0.3}))),), (shape,)),
        Learning((replace(cut, rule=replace(cut.rule, population="root")),), (shape,)),
        Learning((cut,)),
        Learning((cut,), (replace(shape, rule=LearnRule("mixture2d", "CD4")),)),
    ]
    hashes = [replace(tree, learning=learning).content_hash for learning in several]
    assert len(set(hashes)) == len(several)
    # neither the order of populations nor the way of naming one matters
    order = (3, 2, 1, 0)
    moved = replace(
        tree,
        populations=tuple(tree.populations[i] for i in order),
        learning=Learning((replace(cut, uses=(CutUse(1, 0, "divider"),)),), (LearntShape(2, shape.rule),)),
    )
    assert moved.content_hash == tree.content_hash
    by_path = replace(cut, rule=replace(cut.rule, population="root/CD4"))
    assert replace(tree, learning=Learning((by_path,), (shape,))).content_hash == tree.content_hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": 0.5}, "cut 'CD25' is at 0.5, the divider of 'CD4/hi' at 0.4"),
        ({"at": float("nan")}, "cut 'CD25' wants a finite place, got nan"),
        ({"uses": ()}, "cut 'CD25' limits no gate; name it in one (min: CD25) or remove it"),
        ({"uses": (CutUse(2, 0, "min"),)}, "cut 'CD25': population 2 has no min on dimension 0"),
        ({"uses": (CutUse(2, 2, "divider"),)}, "cut 'CD25': population 2 has no divider on dimension 2"),
        ({"uses": (CutUse(9, 0, "divider"),)}, "cut 'CD25': population 9 has no divider on dimension 0"),
        ({"uses": (CutUse(2, 1, "divider"),)}, "cut 'CD25': population 2 has no divider on dimension 1"),
        ({"uses": (CutUse(0, 0, "min"),)},
         "cut 'CD25' stands on CD25 (compensation FCS, transform fluor), the min of 'CD4' on CD4 (compensation FCS, "
         "transform fluor)"),
        ({"rule": LearnRule("valley", "CD44")},
         "cut 'CD25' is to be learnt, but strategy 'plain' has no population 'CD44' (did you mean 'CD4'?)"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_the_tree(change: dict[str, object], message: str) -> None:
    cut = replace(Cut("CD25", CD25, 0.4, None, (CutUse(2, 0, "divider"),)), **change)  # type: ignore[arg-type]
    with pytest.raises(StrategyError) as caught:
        replace(plain(), learning=Learning((cut,)))
    assert str(caught.value) == f"strategy 'plain': {message}"


def test_two_rules_of_one_name_or_gate() -> None:
    cut = Cut("CD25", CD25, 0.4, None, (CutUse(2, 0, "divider"),))
    with pytest.raises(StrategyError, match="cut 'CD25' is defined twice"):
        replace(plain(), learning=Learning((cut, cut)))
    shape = LearntShape(1, LearnRule("diagonal", "CD4"))
    with pytest.raises(StrategyError, match="population 1: one rule wants one population"):
        replace(plain(), learning=Learning((), (shape, shape)))
    with pytest.raises(StrategyError, match="population 4: one rule wants one population"):
        replace(plain(), learning=Learning((), (replace(shape, population=4),)))


@given(learning_strategy())
@settings(max_examples=150)
def test_random_rules_come_back(tmp_path_factory: pytest.TempPathFactory, tree: GatingStrategy) -> None:
    folder = tmp_path_factory.mktemp("rules")
    write_strategy(folder, tree)
    other = read_strategy(folder)
    assert other.learning == tree.learning
    assert other.content_hash == tree.content_hash
    assert [list(cut.rule.options) for cut in other.learning.cuts if cut.rule] == [
        list(cut.rule.options) for cut in tree.learning.cuts if cut.rule
    ]


def test_an_override_of_a_tube_holds_numbers(tmp_path: Path) -> None:
    tree = read_strategy(folder(tmp_path / "s"))
    text = "\n".join(override_lines(tree, [tree.populations[0]]))
    assert "max: 0.42" in text
    assert "learn" not in text
