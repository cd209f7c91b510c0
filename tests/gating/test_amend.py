"""Overrides of gates in the study folder: what they mean, and which of several holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from il2cyto.errors import StrategyError
from il2cyto.gates import PolygonGate, RectangleGate
from il2cyto.gating import GatingStrategy
from il2cyto.gating.amend import APPLIED, NARROWER, OWN_FILE, amend
from il2cyto.gating.folder import read_strategy
from il2cyto.study.model import GateOverride

STRATEGY = """\
strategy: tiny
compensation: FCS
transforms:
  lin: {type: linear, T: 262144, A: 0}
  log: {type: logicle, T: 262144, W: 0.75, M: 4.5, A: 0}
axes: {CD4: {transform: log}, CD25: {transform: log}, FSC-A: {transform: lin, compensation: uncompensated}}
populations:
- {name: big, parent: root, definition: d.big, gate: {type: rectangle, dims: [{channel: FSC-A, min: 0.1}]}}
- name: CD4
  parent: big
  definition: d.CD4
  complement: true
  gate: {type: rectangle, dims: [{marker: CD4, min: 1000, units: linear}]}
  view: [CD4, FSC-A]
- name: Treg
  parent: CD4
  definition: d.Treg
  gate: {type: polygon, dims: [CD4, CD25], vertices: [[0, 0.5], [1, 0.5], [1, 1]]}
- {name: hi, parent: Treg, gate: {type: rectangle, dims: [{marker: CD25, min: 0.9}]}}
- {name: hi, parent: CD4, gate: {type: rectangle, dims: [{marker: CD25, min: 0.9}]}}
"""


@pytest.fixture
def strategy(tmp_path: Path) -> GatingStrategy:
    (tmp_path / "strategy.yaml").write_text(STRATEGY)
    return read_strategy(tmp_path)


def override(name: str, level: str, populations: str, more: str = "") -> GateOverride:
    text = (
        f"author: Ann\nreason: shifted\ntime: 2026-03-02T14:05Z\nscope: {{}}\n{more}populations:\n{dedent(populations)}"
    )
    return GateOverride(name, level, (), None, None, (), "Ann", "shifted", "2026-03-02T14:05:00Z", text, "", name)


def big(name: str, level: str, minimum: float) -> GateOverride:
    return override(
        name, level, f"- {{name: big, gate: {{type: rectangle, dims: [{{channel: FSC-A, min: {minimum}}}]}}}}"
    )


def minimum(strategy: GatingStrategy) -> float | None:
    gate = strategy.populations[strategy.resolve("big")].gate
    assert isinstance(gate, RectangleGate)
    return gate.limits[0].minimum


#: Levels that move one gate, whether the strategy's folder has a gate of its own for the file, and which one holds.
PRECEDENCE = [
    ([], False, "strategy"),
    (["template"], False, "template"),
    (["template", "batch"], False, "batch"),
    (["template", "batch", "subject"], False, "subject"),
    (["template", "batch", "subject", "tube"], False, "tube"),
    (["template", "tube"], False, "tube"),
    (["batch", "tube"], False, "tube"),
    (["template", "subject"], False, "subject"),
    (["batch", "subject"], False, "subject"),
    ([], True, "file"),
    (["template"], True, "file"),
    (["batch"], True, "file"),
    (["template", "batch", "subject"], True, "file"),
    (["tube"], True, "tube"),
    (["template", "batch", "subject", "tube"], True, "tube"),
]
MINIMA = {"strategy": 0.1, "template": 0.2, "batch": 0.3, "subject": 0.4, "file": 0.45, "tube": 0.5}


@pytest.mark.parametrize(("levels", "own", "holds"), PRECEDENCE)
def test_the_narrowest_holds(strategy: GatingStrategy, levels: Sequence[str], own: bool, holds: str) -> None:
    of_file = amend(strategy, [big("f", "tube", MINIMA["file"])])[0] if own else strategy
    overrides = [big(level, level, MINIMA[level]) for level in levels]
    amended, moved = amend(of_file, overrides, strategy)
    assert minimum(amended) == MINIMA[holds]
    assert [one.override.name for one in moved] == list(levels)
    expected = [APPLIED if level == holds else OWN_FILE if own and level != "tube" else NARROWER for level in levels]
    assert [one.status for one in moved] == expected
    if holds == "strategy":
        assert amended.content_hash == strategy.content_hash


def test_a_gate_moves_and_all_else_stays(strategy: GatingStrategy) -> None:
    moved = override("o", "tube", "- {name: CD4, gate: {type: rectangle, dims: [{marker: CD4, min: 1500}]}}")
    amended, _ = amend(strategy, [moved])
    before, after = (one.populations[one.resolve("big/CD4")] for one in (strategy, amended))
    # linear, as the gate that it replaces, although the axis of CD4 is logicle
    assert isinstance(before.gate, RectangleGate)
    limits = replace(before.gate.limits[0], minimum=1500.0)
    assert after == replace(before, gate=RectangleGate((limits,)))
    assert after.complement
    assert [one for one in amended.populations if one.name != "CD4"] == [
        one for one in strategy.populations if one.name != "CD4"
    ]


def test_an_entry_can_be_copied_from_the_strategy(strategy: GatingStrategy) -> None:
    entry = """\
    - name: Treg
      parent: CD4
      definition: d.Treg
      gate: {type: polygon, dims: [CD4, CD25], vertices: [[0, 0.5], [1, 0.5], [1, 1]]}
    """
    amended, moved = amend(strategy, [override("o", "tube", entry)])
    assert isinstance(amended.populations[2].gate, PolygonGate)
    assert amended.content_hash == strategy.content_hash
    assert [one.status for one in moved] == [APPLIED]


HI = "gate: {type: rectangle, dims: [{marker: CD25, min: 0.95}]}"


@pytest.mark.parametrize("parent", ["CD4", "big/CD4", "root/big/CD4"])
def test_a_name_that_stands_twice_is_told_apart_by_its_parent(strategy: GatingStrategy, parent: str) -> None:
    amended, moved = amend(strategy, [override("o", "tube", f"- {{name: hi, parent: {parent}, {HI}}}")])
    assert [one.population for one in moved] == ["big/CD4/hi"]
    gates = [one.gate for one in amended.populations if one.name == "hi"]
    assert [gate.limits[0].minimum for gate in gates if isinstance(gate, RectangleGate)] == [0.9, 0.95]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("- {name: Trag, GATE}", r"overrides/o.yaml, line 6: .*no population 'Trag' \(did you mean 'Treg'\?\)"),
        ("- {name: hi, GATE}", r"line 6: .*'hi' could be big/CD4/Treg/hi, big/CD4/hi; give the path"),
        ("- {name: hi, parent: CD44, GATE}", r"line 6: .*'CD44' \(did you mean 'CD4'\?\)"),
        ("- {name: Treg, parent: big, GATE}", r"line 6: .*no population 'big/Treg'"),
        (
            "- {name: Treg, definition: other, GATE}",
            r"line 6: Treg: an override moves a gate and leaves the definition",
        ),
        ("- {name: Treg, role: beads, GATE}", r"line 6: Treg: an override moves a gate and leaves the role"),
        ("- {name: Treg, gate: {type: rectangel, dims: [CD25]}}", r"line 6: .*'rectangel' is unknown \(did you mean"),
        ("- {name: Treg, gate: {type: rectangle, dims: [{marker: CD8, min: 1}]}}", r"line 6: .*how 'CD8' is taken"),
        (
            "- {name: hi, parent: Treg, gate: {type: rectangle, dims: [{marker: CD4, min: 1}]}}",
            r"line 6: .*how 'CD4' is taken \(no gate uses it, or several do differently\)",
        ),
        ("- {name: Treg, GATE}\n- {name: Treg, parent: CD4, GATE}", r"line 7: big/CD4/Treg stands twice in this file"),
        (
            "- {name: Treg, gate: {type: rectangle, dims: [{marker: CD25, transform: lgo, min: 1}]}}",
            r"overrides/o.yaml, line 6: .*transform 'lgo' is not defined \(did you mean 'log'\?\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(strategy: GatingStrategy, entry: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        amend(strategy, [override("o", "tube", entry.replace("GATE", HI))])


def test_two_of_one_level_are_refused_however_they_spell_the_gate(strategy: GatingStrategy) -> None:
    first = override("a", "batch", f"- {{name: hi, parent: CD4, {HI}}}")
    second = override("b", "batch", f"- {{name: hi, parent: root/big/CD4, {HI}}}")
    with pytest.raises(
        StrategyError, match=r"overrides/b.yaml, line 6: overrides/a.yaml moves big/CD4/hi too, for a batch"
    ):
        amend(strategy, [first, second])
    amend(strategy, [first, replace(second, level="tube")])


def test_own_compensation_of_a_file_of_gates(strategy: GatingStrategy) -> None:
    dims = "[CD4, {marker: CD25, compensation: FCS}]"
    entry = f"- {{name: Treg, gate: {{type: polygon, dims: {dims}, vertices: [[0, 0], [1, 0], [1, 1]]}}}}"
    amended, _ = amend(strategy, [override("o", "tube", entry, "compensation: uncompensated\n")])
    read = amended.populations[2].gate.dimensions
    assert [(one.label, one.compensation, one.transform) for one in read] == [
        ("CD4", "uncompensated", "log"), ("CD25", "FCS", "log"),
    ]  # fmt: skip
