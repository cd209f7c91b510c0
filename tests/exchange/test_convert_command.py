"""``il2cyto convert`` between folders, Gating-ML and workspaces: the same counts from every form of one strategy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from il2cyto.cli.app import app
from il2cyto.exchange import read_strategies
from il2cyto.fcs import read_fcs, write_fcs

STRATEGY = """\
strategy: three
version: "1.0"
compensation: uncompensated
transforms:
  colour: {type: logicle, T: 262144, W: 0.5, M: 4.5, A: 0}
populations:
  - name: round
    parent: root
    gate: {type: polygon, dims: [FSC-A, SSC-A], vertices: [[2e4, 1e4], [9e4, 2e4], [8e4, 9e4], [15000, 7e4]]}
  - {name: bright, parent: round, gate: {type: rectangle, dims: [{channel: FITC-A, transform: colour, min: 0.5}]}}
  - {name: rest, parent: round, gate: {type: boolean, op: not, of: [bright]}}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_form_gives_the_same_counts(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    events = rng.uniform(0, 100_000, (5000, 3)).astype("f4")
    write_fcs(events, tmp_path / "tube.fcs", channels=["FSC-A", "SSC-A", "FITC-A"])
    folder = tmp_path / "three"
    folder.mkdir()
    (folder / "strategy.yaml").write_text(STRATEGY)
    steps = [(folder, "a.xml"), ("a.xml", "b"), ("b", "c.wsp"), ("c.wsp", "d"), ("d", "e.xml")]
    for source, target in steps:
        extra = ["--fcs", tmp_path / "tube.fcs"] if target.endswith(".wsp") else []
        done = run("convert", tmp_path / source, tmp_path / target, *extra)
        assert done.exit_code == 0, done.output
        assert target in done.output
    sample = read_fcs(tmp_path / "tube.fcs")
    forms = [folder, *(tmp_path / target for _, target in steps)]
    counts = [
        read_strategies(form).for_file("tube.fcs").apply(sample).counts.set_index("population")["count"].to_dict()
        for form in forms
    ]
    assert counts[0]["round"] == counts[0]["round/bright"] + counts[0]["round/rest"]
    assert 500 < counts[0]["round/bright"] < 4500
    assert all(count == counts[0] for count in counts)


def test_a_workspace_needs_files(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text(STRATEGY)
    done = run("convert", tmp_path, tmp_path / "x.wsp")
    assert done.exit_code != 0
    assert "--fcs" in str(done.exception)
    assert not (tmp_path / "x.wsp").exists()
