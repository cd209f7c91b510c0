"""A strategy that was converted from a workspace, with its overrides, as a de-identified study carries it."""

from __future__ import annotations

from pathlib import Path

import pytest

from il2cyto.deident.key import Key
from il2cyto.deident.names import Names
from il2cyto.deident.strategies import clean_strategy
from il2cyto.errors import StrategyError
from il2cyto.exchange import read_strategies

STRATEGY = """\
strategy: mypanel
version: "FlowJo 10.8.1"
transforms:
  linear: {type: flowjo_linear, minimum: 10, maximum: 1000}
  log: {type: log, T: 1000, M: 3, input_min: 1}
populations:
  - name: CD4
    parent: root
    gate: {type: polygon, dims: [{channel: FSC-A, transform: linear}, {channel: SSC-A, transform: log}],
           vertices: [[0, 0], [1, 0], [0, 1]], binning: flowjo, channels: 512}
  - {name: Smith, parent: CD4, gate: {type: unsupported, reason: derived by Smith}}
"""
OVERRIDE = """\
files: [Smith 1.fcs, elsewhere.fcs]
reason: Smith moved it
author: Smith
matrices: {m: overrides/m.csv}
populations:
  - {name: CD4, parent: root, gate: {type: rectangle, dims: [{channel: FITC-A, compensation: m, min: 5}]}}
remove: [CD4/Smith]
"""


def test_binning_and_overrides_are_kept_and_names_are_not(tmp_path: Path) -> None:
    (tmp_path / "overrides").mkdir()
    (tmp_path / "strategy.yaml").write_text(STRATEGY)
    (tmp_path / "overrides" / "Smith.yaml").write_text(OVERRIDE)
    (tmp_path / "overrides" / "other.yaml").write_text("files: [another.fcs]\nreason: Smith\n")
    (tmp_path / "overrides" / "m.csv").write_text("FITC-A,PE-A\n1,0.1\n0,1\n")
    names = Names(Key(bytes(range(32))))
    cleaned = clean_strategy(tmp_path, names, {"Smith 1.fcs": "F-X.fcs"})
    assert set(cleaned) == {"strategy.yaml", "overrides/01.yaml", "overrides/01-matrix1.csv"}
    assert "Smith" not in "".join(cleaned.values())
    out = tmp_path / "out"
    for name, text in cleaned.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    before, after = read_strategies(tmp_path), read_strategies(out)
    assert list(after.by_file) == ["F-X.fcs"]
    assert after.default is not None
    assert before.default is not None
    assert after.default.populations[0].gate == before.default.populations[0].gate
    assert dict(after.default.transforms) == dict(before.default.transforms)
    own, wanted = after.for_file("F-X.fcs"), before.for_file("Smith 1.fcs")
    assert own.paths == wanted.paths == ("CD4",)
    (matrix,) = own.matrices.values()
    assert matrix.content_hash == wanted.matrices["m"].content_hash
    (limit,) = own.populations[0].gate.limits  # type: ignore[union-attr]  # a rectangle
    assert (limit.dimension.source, limit.dimension.compensation, limit.minimum) == ("FITC-A", matrix.id, 5.0)


def test_workspaces_are_converted_first(tmp_path: Path) -> None:
    path = tmp_path / "panel.wsp"
    path.write_text('<Workspace version="20.0"/>')
    with pytest.raises(StrategyError, match="with il2cyto convert first"):
        clean_strategy(path, Names(Key(bytes(range(32)))), {})


OUTSIDE = """\
<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
  xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">
  <gating:RectangleGate gating:id="CD4" eventsInside="0">
    <gating:dimension gating:compensation-ref="uncompensated" gating:min="100">
      <data-type:fcs-dimension data-type:name="FITC-A"/>
    </gating:dimension>
  </gating:RectangleGate>
</gating:Gating-ML>
"""


def test_a_gate_that_takes_what_is_outside_still_does(tmp_path: Path) -> None:
    (tmp_path / "gates.xml").write_text(OUTSIDE)
    cleaned = clean_strategy(tmp_path / "gates.xml", Names(Key(bytes(range(32)))), {})
    (tmp_path / "clean.xml").write_text(cleaned["strategy.xml"])
    before, after = (read_strategies(tmp_path / name).default for name in ("gates.xml", "clean.xml"))
    assert before is not None
    assert after is not None
    assert before.populations[0].complement
    assert after.populations[0].complement


RARE = """\
strategy: rare
without_matrix: uncompensated
matrices: {spectra: spectra.csv}
populations:
  - name: not Smith
    parent: root
    gate: {type: rectangle, dims: [{channel: Smith dye, compensation: spectra, min: -.inf}]}
  - {name: CD4, parent: root, gate: {type: ellipsoid, quadric: true, dims: [{channel: FITC-A}, {channel: PE-A}],
     mean: [0, 0], covariance: [[1, 1], [0, 1]], distance_square: 1}}
  - {name: CD8, parent: root, gate: {type: boolean, op: and, of: [{population: not Smith, complement: true}, CD4]}}
"""


def test_what_is_rare_is_kept(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text(RARE)
    (tmp_path / "spectra.csv").write_text("fluorochrome,FITC-A,PE-A,Smith 1\nSmith dye,1,0.1,0\nPE,0.1,1,0.3\n")
    cleaned = clean_strategy(tmp_path, Names(Key(bytes(range(32)))), {})
    assert "Smith" not in "".join(cleaned.values())
    out = tmp_path / "out"
    out.mkdir()
    for name, text in cleaned.items():
        (out / name).write_text(text)
    before, after = read_strategies(tmp_path).default, read_strategies(out).default
    assert before is not None
    assert after is not None
    assert after.without_matrix == "uncompensated"
    (matrix,), (wanted,) = after.matrices.values(), before.matrices.values()
    assert (matrix.values == wanted.values).all()
    assert matrix.fluorochromes[1] == "PE"
    assert matrix.detectors[:2] == ("FITC-A", "PE-A")
    (limit,) = after.populations[0].gate.limits  # type: ignore[union-attr]  # a rectangle
    assert (limit.dimension.source, limit.minimum) == (matrix.fluorochromes[0], float("-inf"))
    assert after.populations[1].gate == before.populations[1].gate
    first, second = after.populations[2].gate.operands  # type: ignore[union-attr]  # a boolean gate
    assert (first.population, first.complement) == (after.populations[0].name, True)
    assert second.population == "CD4"
