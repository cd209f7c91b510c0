"""Workspaces turned into strategy folders; overrides; strategies written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flowjo_files import (
    combination,
    curly,
    dimension,
    ellipse,
    fcs,
    group,
    matrix,
    polygon,
    population,
    rectangle,
    sample,
    write,
)

from il2cyto.errors import OutputError, StrategyError
from il2cyto.exchange import read_strategies
from il2cyto.exchange.flowjo import read_workspace
from il2cyto.exchange.flowjo.convert import convert_workspace
from il2cyto.fcs import read_fcs
from il2cyto.gates import (
    BinnedEllipsoidGate,
    BooleanGate,
    Dimension,
    Limits,
    Operand,
    QuadrantGate,
    Ratio,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.gating.overrides import read_overrides
from il2cyto.gating.write import write_strategy
from il2cyto.panel import Panel
from il2cyto.transforms import Clamped, FlowJoLinear, Linear, Log

SPILL = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}
SHAPES = (
    population(
        "live",
        polygon("FSC-A", "SSC-A", [[150, 0], [1000, 0], [1000, 1000], [150, 1000]], resolution=1024),
        population("bright", rectangle(dimension("Comp-FITC-A", 500))),
        population("curly", curly(dimension("FSC-A", 350), dimension("FITC-A", 500))),
        combination("NotNode", "rest", ["live/bright"]),
    )
    + population(
        "round", ellipse("FSC-A", "SSC-A", [[60, 128], [160, 128]], [[20, 128], [200, 128], [110, 60], [110, 196]])
    )
    + population("ratio", rectangle(dimension("Ratio", 1)))
)


@pytest.mark.parametrize("binning", ["exact", "flowjo"])
def test_conversion_of_one_tree(tmp_path: Path, binning: str) -> None:
    path = write(tmp_path, sample(SHAPES, compensation=matrix(SPILL), keywords={"$P3S": "CD4 ", "$P5S": "CD4"}))
    workspace = read_workspace(path, binning=binning)  # type: ignore[arg-type]
    done = convert_workspace(workspace, tmp_path / "gating" / "mine")
    assert done.overrides == ()
    assert done.n_samples == 1
    assert done.notices[-1] == (
        "ratio: 'Ratio' is no channel of the file and not compensated by the sample's matrix; FlowJo derived it, or "
        "its matrix is missing (1 samples)"
    )
    folder = tmp_path / "gating" / "mine"
    assert {file.name for file in folder.iterdir()} == {"strategy.yaml", "panel.csv", "README.md", "matrix1.csv"}
    strategy = read_strategy(folder)
    assert strategy.id == "mine"
    assert strategy.version == "FlowJo 10.8.1"
    events = read_fcs(fcs(tmp_path))
    ours, theirs = strategy.apply(events).counts, workspace.samples[0].strategy.apply(events).counts
    columns = ["population", "count", "reason"]
    assert ours[columns].to_dict("list") == theirs[columns].to_dict("list")
    # the event at 1500 is beyond the axis: outside the polygon, but in the last channel of the display
    assert ours["count"].dropna().tolist() == {"exact": [6, 4, 3, 2, 4], "flowjo": [7, 4, 3, 3, 4]}[binning]
    # two channels are called CD4, so neither can be
    assert [entry.marker for entry in Panel.from_csv(folder / "panel.csv").entries] == ["FSC-A", "SSC-A", "CD4"]
    assert "  bright" in (folder / "README.md").read_text()
    assert ("binning: flowjo, channels: 1024" in (folder / "strategy.yaml").read_text()) == (binning == "flowjo")
    with pytest.raises(OutputError, match="holds a strategy already"):
        convert_workspace(workspace, folder)


def three_trees(folder: Path) -> Path:
    common = population("p", rectangle(dimension("FSC-A", 250)), population("q", rectangle(dimension("SSC-A", 250))))
    moved = population("p", rectangle(dimension("FSC-A", 450)), population("q", rectangle(dimension("SSC-A", 250))))
    pruned = population("p", rectangle(dimension("FSC-A", 250))) + population(
        "new", rectangle(dimension("Comp-FITC-A", 0))
    )
    return write(
        folder,
        sample(moved, name="b.fcs", number=1),
        sample(common, name="a.fcs", number=2),
        sample(common, name="c.fcs", number=3, keywords={"$FIL": "tube3.fcs"}),
        sample(pruned, name="d.fcs", number=4, compensation=matrix(SPILL)),
        sample("", name="e.fcs", number=5),
        groups=group("All Samples", 1, 2, 3, 4, 5) + group("G", 1, 4),
    )


def test_samples_that_differ_become_overrides(tmp_path: Path) -> None:
    path = three_trees(tmp_path)
    done = convert_workspace(read_workspace(path), tmp_path / "out")
    assert done.n_samples == 4
    assert done.overrides == (("01", ("b.fcs",)), ("02", ("d.fcs",)))
    text = (tmp_path / "out" / "overrides" / "01.yaml").read_text()
    assert text.count("- name:") == 1  # only what differs
    assert "reason: gates of their own in panel.wsp" in text
    assert "remove: [p/q]" in (tmp_path / "out" / "overrides" / "02.yaml").read_text()
    folder, workspace = read_strategies(tmp_path / "out"), read_strategies(path)
    expected = {"a.fcs": [6, 5], "b.fcs": [4, 3], "c.fcs": [6, 5], "tube3.fcs": [6, 5], "d.fcs": [6, 6]}
    for name, counts in expected.items():
        events = read_fcs(fcs(tmp_path, name))
        for source in (folder, workspace):
            found = source.for_file(name).apply(events).counts.set_index("population")["count"]
            assert found.tolist() == counts, (name, source.name)
    # the folder has a default for files that the workspace never saw
    assert folder.for_file("new visit.fcs").paths == ("p", "p/q")


def test_one_group(tmp_path: Path) -> None:
    workspace = read_workspace(three_trees(tmp_path))
    done = convert_workspace(workspace, tmp_path / "out", group="G")
    assert done.n_samples == 2
    assert done.overrides == (("01", ("d.fcs",)),)
    with pytest.raises(StrategyError, match="has no group 'H'"):
        convert_workspace(workspace, tmp_path / "other", group="H")
    empty = read_workspace(write(tmp_path, sample("")))
    with pytest.raises(StrategyError, match="no sample has gates"):
        convert_workspace(empty, tmp_path / "other")


def test_every_kind_of_gate_reads_back_as_written(tmp_path: Path) -> None:
    x, y = Dimension("A b", transform="l"), Dimension('odd "name": #1', "uncompensated", "log")
    strategy = GatingStrategy(
        "yes",
        (
            Population(
                "Q", "root", QuadrantGate((x, y), ((0.1, 0.5), (1e-7,)), (2, 0)), definition="d.v1", role="beads"
            ),
            Population("null", "Q", QuadrantGate((x,), ((0.25,),), (1,)), complement=True),
            Population("Q", "null", RectangleGate((Limits(Dimension(Ratio("A b", "B", 2.0, 1.5)), None, -3.0),))),
            Population("e", "root", BinnedEllipsoidGate((x, y), (0.5, 0.25), ((0.1, 0.01), (0.01, 0.2)), 1.5, 64)),
            Population("b", "e", BooleanGate("or", (Operand("e"), Operand("null", True)))),
            Population("u", "root", UnsupportedGate("because: of 'this'")),
        ),
        {"l": FlowJoLinear(10.0, 1e20), "log": Clamped(Log(T=1e5, M=4.0), minimum=10.0), "plain": Linear(1e-3)},
        version="1.0",
        axes={"A b": "l"},
    )
    write_strategy(tmp_path / "s", strategy)
    found = read_strategy(tmp_path / "s")
    assert found.content_hash == strategy.content_hash
    assert found.axes == strategy.axes


def override(folder: Path, text: str, name: str = "01") -> Path:
    base = GatingStrategy(
        "s",
        (
            Population("p", "root", RectangleGate((Limits(Dimension("A"), 1.0),))),
            Population("q", "p", RectangleGate((Limits(Dimension("A"), 2.0),))),
            Population("r", "q", RectangleGate((Limits(Dimension("A"), 3.0),))),
        ),
    )
    if not (folder / "strategy.yaml").exists():
        write_strategy(folder, base)
    (folder / "overrides").mkdir(exist_ok=True)
    (folder / "overrides" / f"{name}.yaml").write_text(text)
    return folder


def test_overrides_written_by_hand(tmp_path: Path) -> None:
    gate = "{type: rectangle, dims: [{channel: A, max: 9}]}"
    override(
        tmp_path,
        "reason: the laser was weak\nauthor: AB\nfiles: [a.fcs, b.fcs]\nremove: [p/q/r]\n"
        f"populations:\n  - {{name: q, parent: p, gate: {gate}}}\n  - {{name: new, parent: q, gate: {gate}}}\n",
    )
    found = read_overrides(tmp_path, read_strategy(tmp_path))
    assert set(found) == {"a.fcs", "b.fcs"}
    assert found["a.fcs"].paths == ("p", "p/q", "p/q/new")
    gates = [p.gate for p in found["a.fcs"].populations]
    assert gates[1] == gates[2] == RectangleGate((Limits(Dimension("A"), None, 9.0),))
    assert found["a.fcs"].id == "s"
    assert found["a.fcs"].content_hash != read_strategy(tmp_path).content_hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reason: x\n", "line 1: an override wants a list of files"),
        ("files: [a.fcs]\nremove: [p/x]\n", r"line 2: remove: the strategy has no population 'p/x' \(did you mean"),
        (
            "files: [a.fcs]\nremove: [p]\npopulations: [{name: x, parent: q, gate: {type: unsupported, reason: r}}]\n",
            "'q'",
        ),
        ("files: [a.fcs]\ngates: []\n", "does not know 'gates'"),
        ("files: [a.fcs]\nreason: [x]\n", "reason wants a text"),
        ("files: [a.fcs", "is no YAML"),
    ],
)
def test_overrides_that_do_not_hold_together(tmp_path: Path, text: str, message: str) -> None:
    override(tmp_path, text)
    with pytest.raises(StrategyError, match=message) as found:
        read_overrides(tmp_path, read_strategy(tmp_path))
    assert f"{tmp_path.name}/overrides/01.yaml" in str(found.value)


def test_file_in_two_overrides(tmp_path: Path) -> None:
    override(tmp_path, "files: [a.fcs]\n")
    override(tmp_path, "files: [b.fcs,\n a.fcs]\n", "02")
    with pytest.raises(StrategyError, match=r"02.yaml, line 2: 'a.fcs' stands in another override already"):
        read_strategies(tmp_path)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("type: polygon, dims: [A, B], vertices: [[0,0],[1,0],[0,1]], binning: flojo", "did you mean 'flowjo'"),
        ("type: polygon, dims: [A, B], vertices: [[0,0],[1,0],[0,1]], channels: 256", "need binning: flowjo"),
        ("type: polygon, dims: [A, B], vertices: [[0,0],[1,0],[0,1]], binning: flowjo", "wants a transform"),
        ("type: rectangle, dims: [{channel: A, min: 1}], binning: flowjo", "does not know 'binning'"),
        ("type: unsupported", "reason wants a text"),
    ],
)
def test_binning_in_strategy_files(tmp_path: Path, gate: str, message: str) -> None:
    (tmp_path / "strategy.yaml").write_text(
        f"strategy: s\npopulations: [{{name: p, parent: root, gate: {{{gate}}}}}]\n"
    )
    with pytest.raises(StrategyError, match=message):
        read_strategy(tmp_path)


def test_a_name_that_two_samples_share_is_in_no_override(tmp_path: Path) -> None:
    """An instrument may give every file the same ``$FIL``; a file of that name has the gates of no sample."""
    same = {"$FIL": "tube.fcs"}
    gate = population("g", rectangle(dimension("FSC-A", 1)))
    moved = population("g", rectangle(dimension("FSC-A", 2)))
    path = write(
        tmp_path,
        sample(gate, name="a.fcs", number=1, keywords=same),
        sample(gate, name="b.fcs", number=2, keywords=same),
        sample(moved, name="c.fcs", number=3, keywords=same),
    )
    done = convert_workspace(read_workspace(path), tmp_path / "out")
    assert done.overrides == (("01", ("c.fcs",)),)
    alone = write(tmp_path, sample(gate, name="a.fcs"), sample(moved, name="c.fcs", number=3, keywords=same))
    done = convert_workspace(read_workspace(alone), tmp_path / "other")
    assert done.overrides == (("01", ("c.fcs", "tube.fcs")),)


def test_spectral_matrix_reads_back(tmp_path: Path) -> None:
    values = {"GFP": {"FITC-A": 1.0, "PE-A": 1.0}}
    path = write(
        tmp_path,
        sample(population("g", rectangle(dimension("Comp-GFP", 1))), compensation=matrix(values, spectral="1")),
    )
    convert_workspace(read_workspace(path), tmp_path / "out")
    (found,) = read_strategy(tmp_path / "out").matrices.values()
    assert (found.fluorochromes, found.detectors) == (("GFP",), ("FITC-A", "PE-A"))
    assert np.array_equal(found.values, [[1.0, 1.0]])


def test_matrix_reads_back_exactly(tmp_path: Path) -> None:
    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1 + 2e-17}, "FITC-A": {"PE-A": 1 / 3, "FITC-A": 1.0}}
    path = write(tmp_path, sample(population("g", rectangle(dimension("Comp-PE-A", 1))), compensation=matrix(values)))
    convert_workspace(read_workspace(path), tmp_path / "out")
    (found,) = read_strategy(tmp_path / "out").matrices.values()
    assert np.array_equal(found.values, [[1.0, 0.1 + 2e-17], [1 / 3, 1.0]])
