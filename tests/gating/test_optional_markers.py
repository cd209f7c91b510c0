"""Markers that a panel need not have: what is dropped with them, what stays, and what stays an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from il2cyto.errors import StrategyError
from il2cyto.exchange.losses import rules_left_out
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import read_strategy
from il2cyto.gating.dropped import without_absent
from il2cyto.gating.write import write_strategy
from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.panel import Panel, PanelEntry
from il2cyto.study import packaged_strategies, packaged_strategy

TEXT = """\
strategy: branches
compensation: uncompensated
cuts:
  A: {marker: A, at: 0.4, learn: {method: valley, population: cells}}
  B: {marker: B, at: 0.4, learn: {method: jointly, population: cells, options: {with: C, targets: "-"}}}
  C: {marker: C, at: 0.4, learn: {method: valley, population: cells}}
  D: {marker: D, at: 0.4, learn: {method: valley, population: C}}
optional: [C, D]
populations:
- {name: cells, parent: root, gate: {type: rectangle, dims: [{marker: A, min: 0}]}}
- {name: A, parent: cells, gate: {type: rectangle, dims: [{marker: A, min: A}]}, view: [A, C]}
- {name: B, parent: cells, gate: {type: rectangle, dims: [{marker: B, min: B}]}}
- {name: C, parent: cells, gate: {type: rectangle, dims: [{marker: C, min: C}]}}
- {name: A of C, parent: C, gate: {type: rectangle, dims: [{marker: A, min: A}]}}
- {name: not C, parent: cells, gate: {type: boolean, op: not, of: [C]}}
- {name: D, parent: cells, gate: {type: rectangle, dims: [{marker: D, min: D}]}}
- name: shape
  parent: C
  gate: {type: polygon, dims: [{marker: A}, {marker: B}], vertices: [[0, 0], [1, 0], [1, 1]]}
  learn: {method: singlets}
"""
REASON = "marker absent: C (optional, and not in the panel)"


def panel(*markers: str, absent: str = "") -> Panel:
    entries = [PanelEntry(marker, f"{marker}-A") for marker in markers]
    return Panel("p", (*entries, *(PanelEntry(marker, "absent") for marker in absent)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "strategy.yaml").write_text(TEXT, encoding="utf-8")
    events = np.linspace(0.0, 0.999, 1_000)[:, None].repeat(4, axis=1)
    write_fcs(events, tmp_path / "tube.fcs", channels=["A-A", "B-A", "C-A", "D-A"])
    return tmp_path


def test_the_branch_is_not_estimable_and_the_rest_is_counted(folder: Path) -> None:
    own = panel("A", "B", "D")
    result = read_strategy(folder, own).apply(read_fcs(folder / "tube.fcs"))
    counts = result.counts.set_index("name")
    assert counts["count"].dropna().to_dict() == {"cells": 1_000, "A": 600, "B": 600, "D": 600}
    lost = counts[counts["status"] == NOT_ESTIMABLE]["reason"].to_dict()
    assert lost == {
        "C": REASON,
        "A of C": f"parent C not estimable: {REASON}",
        "not C": f"C not estimable: {REASON}",
        "shape": f"parent C not estimable: {REASON}",
    }
    # the laboratory knows: no failure of the file
    assert result.missing_markers == ()


def test_a_panel_given_later_may_lack_it_too(folder: Path) -> None:
    tree = read_strategy(folder, panel("A", "B", "C", "D"))
    sample = read_fcs(folder / "tube.fcs")
    assert tree.apply(sample).counts.set_index("name").loc["C", "count"] == 600
    assert tree.apply(sample, panel("A", "B", "D")).counts.set_index("name").loc["C", "reason"] == REASON


def test_a_required_marker_stays_an_error(folder: Path) -> None:
    with pytest.raises(StrategyError, match=r"line \d+: marker 'B' is not in panel p"):
        read_strategy(folder, panel("A", "C", "D"))
    tree = read_strategy(folder, panel("A", "B", "C", "D"))
    with pytest.raises(StrategyError, match="asks for 'B', which is no marker of panel"):
        tree.apply(read_fcs(folder / "tube.fcs"), panel("A", "C", "D"))


def test_a_marker_that_the_panel_promises_is_missing_though_optional(folder: Path) -> None:
    own = Panel("p", (*panel("A", "B", "D").entries, PanelEntry("C", "X-A")))
    result = read_strategy(folder, own).apply(read_fcs(folder / "tube.fcs"))
    assert result.missing_markers == ("C",)
    assert result.counts.set_index("name").loc["C", "reason"].startswith("marker absent: C (the panel expects")


@pytest.mark.parametrize("own", [panel("A", "B", "D"), panel("A", "B", "D", absent="C")])
def test_nothing_is_learnt_of_the_branch(folder: Path, own: Panel) -> None:
    whole = read_strategy(folder, own)
    left = without_absent(whole, own).learning
    # B is learnt together with C, so that cut stays though nothing can be counted with it
    assert {cut.name: [whole.populations[use.population].name for use in cut.uses] for cut in left.cuts} == {
        "A": ["A"],
        "B": ["B"],
        "C": ["C"],
        "D": ["D"],
    }
    assert left.shapes == ()
    without_d = without_absent(whole, panel("A", "B", "C")).learning
    assert [cut.name for cut in without_d.cuts] == ["A", "B", "C"]
    assert len(without_d.shapes) == 1
    assert without_absent(whole, None) is whole


def test_an_optional_marker_that_nothing_asks_for_is_refused(folder: Path) -> None:
    (folder / "strategy.yaml").write_text(TEXT.replace("[C, D]", "[C, DD]"), encoding="utf-8")
    with pytest.raises(StrategyError, match=r"line \d+: optional: no gate asks for 'DD' \(did you mean 'D'\?\)"):
        read_strategy(folder)


def test_it_comes_back_from_what_is_written_and_is_no_part_of_the_hash(folder: Path) -> None:
    whole = read_strategy(folder, panel("A", "B", "C", "D"))
    assert whole.optional == ("C", "D")
    write_strategy(folder / "again", whole)
    assert read_strategy(folder / "again").optional == ("C", "D")
    (folder / "strategy.yaml").write_text(TEXT.replace("optional: [C, D]\n", ""), encoding="utf-8")
    required = read_strategy(folder, panel("A", "B", "C", "D"))
    assert required.content_hash == whole.content_hash
    assert rules_left_out(whole)[-1] == "left out: the file cannot say that markers are optional (C, D)"


@pytest.mark.parametrize("name", packaged_strategies())
def test_packaged_strategies_are_read_without_their_optional_markers(name: str) -> None:
    whole = read_strategy(packaged_strategy(name))
    assert whole.optional
    assert whole.panel is not None
    entries = tuple(entry for entry in whole.panel.entries if entry.marker not in whole.optional)
    least = Panel("least", entries)
    tree = without_absent(read_strategy(packaged_strategy(name), least), least)
    named = {dimension.label for cut in tree.learning.cuts for dimension in (cut.dimension,)}
    assert not named & set(whole.optional)
    assert len(tree.populations) == len(whole.populations)
