"""Strategy folders: every shipped one holds together, YAML says what Gating-ML says, and errors name the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from il2cyto.errors import StrategyError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import Dimension, EllipsoidGate, Limits, Operand, QuadrantGate, Ratio, RectangleGate
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.study import packaged_strategies, packaged_strategy


@pytest.mark.parametrize("name", packaged_strategies())
def test_shipped_strategies(name: str) -> None:
    folder = packaged_strategy(name)
    strategy = read_strategy(folder)
    assert strategy.id == name
    page = (folder / "README.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")}
    assert headings >= {
        "Tree", "Populations", "What is learnt from what", "Other instruments and panels", "References",
    }  # fmt: skip
    assert f"Optional: {', '.join(strategy.optional)}." in page
    assert all(f"`{population.name}`" in page for population in strategy.populations if population.definition)
    definitions = [population.definition for population in strategy.populations]
    assert all(definitions)
    assert len(set(definitions)) == len(definitions)
    panel = strategy.panel
    assert panel is not None
    for marker in strategy.markers():
        assert marker in panel.markers or marker == "Time" or marker.endswith(("-A", "-H", "-W"))
    for variant in folder.glob("panel-*.csv"):
        # a variant knows every marker of the panel, if only as absent
        assert {entry.marker for entry in panel.entries} <= {e.marker for e in Panel.from_csv(variant).entries}


def test_the_trial_has_its_trees() -> None:
    assert set(packaged_strategies()) >= {"treg", "th17", "nk", "tbnk"}


TEXT = """\
strategy: test
version: "2"
compensation: FCS
transforms:
  fluor: {type: logicle, T: 262144, W: 0.5, M: 4.5, A: 0}
axes:
  FSC-A: {compensation: uncompensated}
  CD3: {transform: fluor}
  CD4: {transform: fluor}
populations:
- {name: child, parent: cells, complement: true, gate: {type: ellipsoid, dims: [CD3, CD4], mean: [0.5, 0.5],
   covariance: [[0.02, 0.0], [0.0, 0.03]], distance_square: 1.5}}
- {name: cells, parent: root, definition: d, role: beads, gate: {type: rectangle, dims: [{channel: FSC-A, min: 10}]}}
- name: bright
  parent: cells
  gate: {type: rectangle, dims: [{marker: CD3, min: 1500, units: linear}], view: [CD3, FSC-A]}
- {name: pp, parent: cells, gate: {type: quadrant, region: "1 2",
   dims: [{marker: CD3, divider: 0.4}, {marker: CD4, dividers: [0.3, 0.6]}]}}
- {name: mix, parent: cells, gate: {type: boolean, op: and, of: [bright, not pp]}}
- {name: ratio, parent: root, gate: {type: rectangle,
   dims: [{ratio: {numerator: CD3, denominator: CD4, A: 2}, max: 3}]}}
"""


def folder(tmp_path: Path, text: str, panel: str = "marker,channel\nCD3,A\nCD4,B\n") -> Path:
    path = tmp_path / "test"
    path.mkdir(exist_ok=True)
    (path / "strategy.yaml").write_text(text, encoding="utf-8")
    (path / "panel.csv").write_text(panel, encoding="utf-8")
    return path


def test_everything_that_yaml_can_say(tmp_path: Path) -> None:
    strategy = read_strategy(folder(tmp_path, TEXT))
    gates = {population.name: population.gate for population in strategy.populations}
    cd3, cd4 = Dimension("CD3", "FCS", "fluor"), Dimension("CD4", "FCS", "fluor")
    assert strategy.paths[0] == "cells/child"
    assert strategy.populations[0].complement
    assert gates["child"] == EllipsoidGate((cd3, cd4), (0.5, 0.5), ((0.02, 0.0), (0.0, 0.03)), 1.5)
    assert gates["cells"] == RectangleGate((Limits(Dimension("FSC-A"), 10.0, None),))
    assert gates["bright"] == RectangleGate((Limits(Dimension("CD3", "FCS", None), 1500.0, None),))
    assert strategy.populations[2].view == (cd3, Dimension("FSC-A"))
    assert gates["pp"] == QuadrantGate((cd3, cd4), ((0.4,), (0.3, 0.6)), (1, 2))
    assert gates["mix"].operands == (Operand("bright"), Operand("pp", complement=True))  # type: ignore[union-attr]
    assert gates["ratio"].limits[0].dimension.source == Ratio("CD3", "CD4", 2.0)  # type: ignore[union-attr]
    assert strategy.populations[1].role == "beads"
    assert (strategy.id, strategy.version) == ("test", "2")


def test_linear_units_are_the_same_gate_as_the_transformed_limit(tmp_path: Path) -> None:
    strategy = read_strategy(folder(tmp_path, TEXT))
    limit = strategy.transforms["fluor"].apply([1500.0])[0]
    curved = TEXT.replace("min: 1500, units: linear", f"min: {limit!r}".replace("np.float64(", "").replace(")", ""))
    other = read_strategy(folder(tmp_path, curved))
    events = np.abs(np.random.default_rng(0).normal(1500, 400, (4000, 3))) + 20
    write_fcs(events, tmp_path / "a.fcs", channels=["FSC-A", "A", "B"], spillover=(["A", "B"], np.eye(2)))
    sample = read_fcs(tmp_path / "a.fcs")
    first, second = strategy.apply(sample).membership("bright"), other.apply(sample).membership("bright")
    assert np.array_equal(first, second)
    assert 1500 < first.sum() < 2500


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type: logicle", "type: logicel", "line 5: transform 'fluor': .*did you mean 'logicle'"),
        ("W: 0.5", "W: wide", "line 5: W wants a number, got 'wide'"),
        ("parent: root, definition", "parent: roots, definition", "parent 'roots' does not exist"),
        (
            "marker: CD3, min",
            "marker: CD33, min",
            "line 16: marker 'CD33' is not in panel panel.csv.*did you mean 'CD3'",
        ),
        ("role: beads", "role: bead", "line 13: population 'cells': role 'bead'.*did you mean 'beads'"),
        ("complement: true", "complement: yes", "line 11: .*wants true or false, got 'yes'"),
        ("type: quadrant", "type: quadrent", "line 17: .*did you mean 'quadrant'"),
        ('region: "1 2"', 'region: "1 x"', "line 17: region '1 x'"),
        ("units: linear", "units: lin", "line 16: units 'lin'.*did you mean 'linear'"),
        ("of: [bright, not pp]", "of: [bright, not ppp]", "no population 'ppp'.*did you mean 'pp'"),
        ("min: 10", "minimum: 10", "line 13: a dimension does not know 'minimum'.*did you mean 'min'"),
        ("[[0.02, 0.0], [0.0, 0.03]]", "[[0.02, 0.5], [0.5, 0.03]]", "symmetric and positive definite"),
        ("min: 10", "min: 10, max: 5", "min 10.0 is above max 5.0"),
        ("version:", "versoin:", "line 2: a strategy does not know 'versoin'.*did you mean 'version'"),
        ("version:", "strategy: x\nversion:", "line 2.*stands twice"),
        ("transforms:", "transforms: &a", "anchors are not read"),
        (
            "CD4: {transform: fluor}",
            "CD4: {transform: flour}",
            "transform 'flour' is not defined.*did you mean 'fluor'",
        ),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(StrategyError, match=message) as caught:
        read_strategy(folder(tmp_path, TEXT.replace(old, new, 1)))
    assert str(caught.value).startswith("test/strategy.yaml")


def test_matrix_beside_the_strategy(tmp_path: Path) -> None:
    path = folder(tmp_path, TEXT.replace("compensation: FCS", "compensation: lab\nmatrices: {lab: lab.csv}"))
    (path / "lab.csv").write_text("A,B\n1,0.2\n0.1,1\n")
    assert read_strategy(path).matrices["lab"].values.tolist() == [[1.0, 0.2], [0.1, 1.0]]
    (path / "strategy.yaml").write_text(TEXT.replace("compensation: FCS", "matrices: {lab: ../../etc/passwd}"))
    with pytest.raises(StrategyError, match="must stand in the folder of the strategy"):
        read_strategy(path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"strategy\.yaml cannot be read"):
        read_strategy(tmp_path / "none")
