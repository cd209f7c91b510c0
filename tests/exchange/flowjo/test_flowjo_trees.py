"""Trees, names and matrices of FlowJo workspaces: one clause a test, every count worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from flowjo_files import (
    CHANNELS,
    LINEAR,
    axis,
    combination,
    dimension,
    fcs,
    group,
    matrix,
    polygon,
    population,
    rectangle,
    sample,
    write,
)

from il2cyto.errors import StrategyError
from il2cyto.exchange import read_gating, read_strategies
from il2cyto.exchange.flowjo import read_workspace
from il2cyto.fcs import read_fcs


def members(folder: Path, tree: str, **more: object) -> dict[str, list[int]]:
    """Positions of the events in each population of a workspace with one sample, by path."""
    matrices = str(more.pop("matrices", ""))
    path = write(folder, sample(tree, **more), matrices=matrices)  # type: ignore[arg-type]
    strategy = read_workspace(path).for_file("a.fcs").strategy
    result = strategy.apply(read_fcs(fcs(folder, channels=more.get("channels", CHANNELS))))  # type: ignore[arg-type]
    return {
        path: [i for i, inside in enumerate(result.membership(path)) if inside]
        for path, reason in zip(strategy.paths, result.reasons, strict=True)
        if not reason
    }


def reasons(folder: Path, tree: str, **more: object) -> dict[str, str]:
    path = write(folder, sample(tree, **more))  # type: ignore[arg-type]
    result = read_workspace(path).for_file("a.fcs").strategy.apply(read_fcs(fcs(folder)))
    return dict(zip(result.strategy.paths, result.reasons, strict=True))


def test_rectangles_compare_the_values_and_are_half_open(tmp_path: Path) -> None:
    # 300000 lies beyond the biex axis (262144) and inside the limit; 700 is the upper limit itself
    tree = population("r", rectangle(dimension("FITC-A", 1e5, 350000), dimension("FSC-A", 600, 700.5)))
    tree += population("half", rectangle(dimension("FSC-A", 300, 700)))
    assert members(tmp_path, tree) == {"r": [5, 6], "half": [2, 3, 4, 5]}


def test_quadrants_are_half_open_rectangles_that_share_each_event(tmp_path: Path) -> None:
    x, y = 400, 600
    tree = (
        population("Q1", rectangle(dimension("FSC-A", None, x), dimension("SSC-A", y)))
        + population("Q2", rectangle(dimension("FSC-A", x), dimension("SSC-A", y)))
        + population("Q3", rectangle(dimension("FSC-A", x), dimension("SSC-A", None, y)))
        + population("Q4", rectangle(dimension("FSC-A", None, x), dimension("SSC-A", None, y)))
    )
    assert members(tmp_path, tree) == {"Q1": [0, 1, 2], "Q2": [3], "Q3": [4, 5, 6, 7], "Q4": []}


def test_polygon_vertices_are_in_instrument_units(tmp_path: Path) -> None:
    square = [[150, -20], [550, -20], [550, 2500], [150, 2500]]
    tree = population(
        "p", polygon("FSC-A", "FITC-A", square), population("c", rectangle(dimension("SSC-A", None, 650)))
    )
    tree += population("out", polygon("FSC-A", "FITC-A", square, inside="0"))
    assert members(tmp_path, tree) == {"p": [1, 3], "p/c": [3], "out": [0, 2, 4, 5, 6, 7]}


def test_events_outside_of_a_rectangle(tmp_path: Path) -> None:
    tree = population(
        "p", rectangle(dimension("FSC-A", 200)), population("c", rectangle(dimension("FSC-A", 300, 600), inside="0"))
    )
    assert members(tmp_path, tree) == {"p": [1, 2, 3, 4, 5, 6, 7], "p/c": [1, 5, 6, 7]}


def test_combinations_and_what_stands_below_them(tmp_path: Path) -> None:
    tree = population(
        "live",
        rectangle(dimension("FSC-A", 200)),
        population("A", rectangle(dimension("FSC-A", None, 600))),
        population("B", rectangle(dimension("SSC-A", None, 700))),
        combination("AndNode", "both", ["live/A", "live/B"]),
        combination("OrNode", "any", ["live/A", "live/B"], population("low", rectangle(dimension("PE-A", None, 1000)))),
        combination("NotNode", "not A", ["live/A"], count=3),
        combination("AndNode", "one", ["live/A"]),
    )
    assert members(tmp_path, tree) == {
        "live": [1, 2, 3, 4, 5, 6, 7],
        "live/A": [1, 2, 3, 4],
        "live/B": [3, 4, 5, 6, 7],
        "live/both": [3, 4],
        "live/any": [1, 2, 3, 4, 5, 6, 7],
        "live/any/low": [1, 2, 7],
        # "not A" would read as a complement where names are combined
        "live/not A_": [5, 6, 7],
        "live/one": [1, 2, 3, 4],
    }


def test_each_sample_keeps_its_own_tree_and_stored_counts(tmp_path: Path) -> None:
    shared = population("p", rectangle(dimension("FSC-A", 250)), count=6, owner="G")
    own = population(
        "p", rectangle(dimension("FSC-A", 450)), population("q", rectangle(dimension("SSC-A", 250))), count=4
    )
    path = write(
        tmp_path,
        sample(shared, name="a.fcs", number=1),
        sample(own, name="b.fcs", number=2),
        sample("", name="no gates.fcs", number=3),
        groups=group("All Samples", 1, 2, 3) + group("G", 1, 2, tree=shared) + group("empty") + group("gone", 1, 77),
    )
    workspace = read_workspace(path)
    assert workspace.version == "10.8.1"
    assert dict(workspace.groups) == {
        "All Samples": ("a.fcs", "b.fcs", "no gates.fcs"),
        "G": ("a.fcs", "b.fcs"),
        "empty": (),
        "gone": ("a.fcs",),
    }
    assert workspace.notices == ("group 'gone' lists 1 samples that the workspace does not hold",)
    first, second, third = workspace.samples
    assert first.groups == ("All Samples", "G", "gone")
    assert dict(first.counts) == {"p": 6}
    assert dict(second.counts) == {"p": 4, "p/q": None}
    assert third.strategy.populations == ()
    found = read_strategies(path, name="tube")
    counts = {
        name: found.for_file(name).apply(read_fcs(fcs(tmp_path, name))).counts["count"].tolist()
        for name in ("a.fcs", "b.fcs")
    }
    assert counts == {"a.fcs": [6], "b.fcs": [4, 3]}
    assert found.for_file("a.fcs").id == "tube"
    with pytest.raises(StrategyError, match="has no gates for 'c"):
        found.for_file("c.fcs")
    with pytest.raises(StrategyError, match="one per file"):
        read_gating(path)


def test_names_of_the_file(tmp_path: Path) -> None:
    tree = population("p", rectangle(dimension("FSC-A", 250)))
    path = write(
        tmp_path,
        sample(tree, name="Treg 1", uri="file:/Volumes/data/Specimen%201_Treg.fcs", keywords={"$FIL": "tube 001.fcs"}),
        sample(tree, name="w", number=2, uri=r"file:\\server\share\w%2Bx.fcs"),
    )
    workspace = read_workspace(path)
    assert workspace.samples[0].files == ("Treg 1", "Specimen 1_Treg.fcs", "tube 001.fcs")
    assert workspace.samples[1].files == ("w", "w+x.fcs")
    assert workspace.for_file("Specimen 1_Treg.fcs").name == "Treg 1"
    # every sample has the same tree, so it is one strategy
    assert read_gating(path).paths == ("p",)


def test_two_samples_of_one_name(tmp_path: Path) -> None:
    trees = [population("p", rectangle(dimension("FSC-A", low))) for low in (250, 350)]
    path = write(tmp_path, sample(trees[0]), sample(trees[1], number=2), sample(trees[1], number=3, name="b.fcs"))
    workspace = read_workspace(path)
    with pytest.raises(StrategyError, match="2 samples with different gates are called 'a"):
        workspace.for_file("a.fcs")
    with pytest.raises(StrategyError, match="has no sample 'c"):
        workspace.for_file("c.fcs")
    assert set(read_strategies(path).by_file) == {"b.fcs"}


def test_compensated_names_take_the_matrix_and_plain_names_do_not(tmp_path: Path) -> None:
    # PE spills 0.1 into FITC: compensated FITC of event 3 is 0 - 300
    comp = matrix({"PE-A": {"PE-A": 1, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0, "FITC-A": 1}})
    tree = population("raw", rectangle(dimension("FITC-A", None, -100)))
    tree += population("comp", rectangle(dimension("Comp-FITC-A", None, -100)))
    tree += population("scatter", rectangle(dimension("FSC-A", 600)))
    assert members(tmp_path, tree, compensation=comp) == {"raw": [], "comp": [3], "scatter": [5, 6, 7]}


@pytest.mark.parametrize(("prefix", "suffix"), [("Comp (1)+", ""), ("<", ">"), ("Comp-", "::x")])
def test_prefix_and_suffix_are_plain_text(tmp_path: Path, prefix: str, suffix: str) -> None:
    from xml.sax.saxutils import escape

    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}
    comp = matrix(values, prefix=escape(prefix), suffix=escape(suffix))
    tree = population("comp", rectangle(dimension(escape(f"{prefix}FITC-A{suffix}"), None, -100)))
    assert members(tmp_path, tree, compensation=comp) == {"comp": [3]}


def test_matrix_without_prefix_compensates_the_plain_name(tmp_path: Path) -> None:
    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}
    tree = population("comp", rectangle(dimension("FITC-A", None, -100)))
    assert members(tmp_path, tree, compensation=matrix(values, prefix="")) == {"comp": [3]}


def test_matrix_shared_by_id(tmp_path: Path) -> None:
    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}
    other = matrix({"PE-A": {"PE-A": 1.0, "FITC-A": 0.0}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}, key="m1")
    tree = population("comp", rectangle(dimension("Comp-FITC-A", None, -100)))
    shared = other + matrix(values, key="m2", name="shared")
    assert members(tmp_path, tree, compensation=matrix({}, key="m2"), matrices=shared) == {"comp": [3]}


def test_only_matrix_of_a_workspace_that_names_none_at_its_samples(tmp_path: Path) -> None:
    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 0.1}, "FITC-A": {"PE-A": 0.0, "FITC-A": 1.0}}
    tree = population("comp", rectangle(dimension("Comp-FITC-A", None, -100)))
    assert members(tmp_path, tree, matrices=matrix(values)) == {"comp": [3]}
    assert "names no matrix" in read_workspace(tmp_path / "panel.wsp").notices[0]


def test_matrix_in_the_file(tmp_path: Path) -> None:
    tree = population("comp", rectangle(dimension("Comp-FITC-A", None, -100)))
    path = write(tmp_path, sample(tree, compensation=matrix({}, key="-1")))
    gate = read_workspace(path).samples[0].strategy.populations[0].gate
    assert [(d.source, d.compensation) for d in gate.dimensions] == [("FITC-A", "FCS")]


def test_channels_that_are_compensated_in_the_file_already(tmp_path: Path) -> None:
    channels = ["FSC-A", "SSC-A", "Comp-FITC-A", "Comp-PE-A", "FJComp-B 530/30-A", "Time"]
    tree = population("c", rectangle(dimension("Comp-FITC-A", 1000), dimension("FJComp-B 530_30-A", 50)))
    assert members(tmp_path, tree, channels=channels) == {"c": [4, 5, 6]}


def test_slashes_in_channel_names(tmp_path: Path) -> None:
    values = {
        name: {other: float(name == other) for other in ("B 530_30-A", "PE-A")} for name in ("B 530_30-A", "PE-A")
    }
    tree = population("c", rectangle(dimension("Comp-B 530_30-A", 45)))
    tree += population("p", polygon("B 530_30-A", "FSC-A", [[0, 0], [35, 0], [35, 1000], [0, 1000]]))
    assert members(tmp_path, tree, compensation=matrix(values)) == {"c": [4, 5, 6, 7], "p": [0, 1, 2]}
    result = read_gating(tmp_path / "panel.wsp").apply(read_fcs(tmp_path / "a.fcs"))
    assert result.notes == ("channels whose name has '/' in the file and '_' in the strategy: B 530_30-A",)


def test_unmixing_by_least_squares_and_by_secret_weights(tmp_path: Path) -> None:
    # two fluorochromes on three detectors, orthogonal: tags are the mean of their detectors
    values = {
        "GFP": {"FITC-A": 1.0, "PE-A": 1.0, "B 530_30-A": 0.0},
        "RFP": {"FITC-A": 0.0, "PE-A": 0.0, "B 530_30-A": 1.0},
    }
    tree = population("g", rectangle(dimension("Comp-GFP", 1200, 1600)))
    spectral = {"spectral": "1", "weightOptAlgorithmType": "OLS"}
    # GFP is 1250 in event 1 and 1500 in event 3
    assert members(tmp_path, tree, compensation=matrix(values, **spectral)) == {"g": [1, 3]}
    spectral["weightOptAlgorithmType"] = "WLSM"
    assert reasons(tmp_path, tree, compensation=matrix(values, **spectral)) == {
        "g": "Comp-GFP: unmixing by WLSM is not public, only OLS can be repeated"
    }


def test_matrix_that_cannot_be_solved_stops_only_its_populations(tmp_path: Path) -> None:
    values = {"PE-A": {"PE-A": 1.0, "FITC-A": 1.0}, "FITC-A": {"PE-A": 1.0, "FITC-A": 1.0}}
    tree = population("c", rectangle(dimension("Comp-PE-A", 1))) + population("f", rectangle(dimension("FSC-A", 1)))
    found = reasons(tmp_path, tree, compensation=matrix(values))
    assert "singular" in found["c"]
    assert found["f"] == ""


def test_derived_parameters_stop_their_population_and_those_below(tmp_path: Path) -> None:
    tree = population(
        "ratio",
        rectangle(dimension("Ratio", 1)),
        population("below", rectangle(dimension("FSC-A", 1))),
    ) + population("fine", rectangle(dimension("FSC-A", 1)), combination("NotNode", "rest", ["ratio"]))
    tree += population("lost", rectangle(dimension("Comp-APC-A", 1)))
    derived = '<DerivedParameters><DerivedParameter name="Ratio" type="formula"/></DerivedParameters>'
    found = reasons(tmp_path, tree, more=derived)
    assert found["ratio"] == "derived parameter 'Ratio' of FlowJo is not supported"
    assert found["ratio/below"] == "parent ratio not estimable: derived parameter 'Ratio' of FlowJo is not supported"
    assert found["fine"] == ""
    assert found["fine/rest"] == "ratio not estimable: derived parameter 'Ratio' of FlowJo is not supported"
    assert "its matrix is missing" in found["lost"]


def test_gates_and_nodes_of_other_kinds(tmp_path: Path) -> None:
    tree = population("odd", "<gating:SplineGate/>") + '<ExternalPopNode name="tsne" count="7"><Subpopulations>'
    tree += population("in", rectangle(dimension("FSC-A", 1))) + "</Subpopulations></ExternalPopNode>"
    tree += '<Statistic name="Median" id="FSC-A" value="3" count="4"/>'
    tree += population("bad", rectangle(dimension("FSC-A", 5, 1))) + population(
        "word", rectangle(dimension("FSC-A", "x"))
    )
    tree += population("two", polygon("FSC-A", "SSC-A", [[0, 0], [1, 1]]))
    moved = rectangle(dimension("FSC-A", 1)).replace("percentX", 'adjustX="0.0" adjustY="-3.25" percentX')
    tree += population("moved", moved) + population("still", moved.replace("-3.25", "-0.0"))
    tree += population("none", "") + combination("OrNode", "empty", [])
    found = reasons(tmp_path, tree)
    assert found == {
        "odd": "gates of type 'SplineGate' are not supported",
        "tsne": "populations of type 'ExternalPopNode' hold no gate",
        "tsne/in": "parent tsne not estimable: populations of type 'ExternalPopNode' hold no gate",
        "bad": "the gate does not hold together: dimension FSC-A: min 5.0 is above max 1.0",
        "word": "a gate of FlowJo holds 'x' where a number should stand",
        "two": "the gate does not hold together: a polygon gate wants at least three vertices, got 2",
        "moved": "a magnetic gate that FlowJo moved; make it an ordinary gate there",
        "still": "",
        "none": "populations of type 'Population' hold no gate",
        "empty": "a combination (or) of FlowJo names no population",
    }


def test_names_that_our_paths_cannot_hold(tmp_path: Path) -> None:
    tree = population(
        "CD4+/CD8-", rectangle(dimension("FSC-A", 1)), population("x", rectangle(dimension("FSC-A", 250)))
    )
    tree += population("same", rectangle(dimension("FSC-A", 1))) + population(
        "same", rectangle(dimension("FSC-A", 650))
    )
    tree += population("root", rectangle(dimension("FSC-A", 1)))
    tree += combination("NotNode", "rest", ["CD4+/CD8-/x"])
    path = write(tmp_path, sample(tree))
    strategy = read_workspace(path).samples[0].strategy
    assert strategy.paths == ("CD4+_CD8-", "CD4+_CD8-/x", "same", "same (2)", "root_", "rest")
    assert strategy.notes == (
        "populations renamed, since a name may not hold '/' or stand twice: CD4+/CD8-, same, root",
    )
    counts = strategy.apply(read_fcs(fcs(tmp_path))).counts["count"].tolist()
    assert counts == [8, 6, 8, 2, 8, 2]


def test_workspace_without_channel_names(tmp_path: Path) -> None:
    tree = population("p", rectangle(dimension("FSC-A", 250)))
    path = write(tmp_path, sample(tree, channels=[], keywords={"$P1N": ""}))
    assert read_gating(path).apply(read_fcs(fcs(tmp_path))).counts["count"].tolist() == [6]


def test_sample_without_tree_and_time_axis_without_range(tmp_path: Path) -> None:
    empty = axis(LINEAR.replace('"1000"', '"0"'), "Time")
    tree = population("t", rectangle(dimension("Time", 2, 5)))
    tree += population("p", polygon("Time", "FSC-A", [[0, 0], [3.5, 0], [3.5, 1000], [0, 1000]]))
    odd = '<Sample><DataSet uri="x.fcs" sampleID="9"/></Sample>'
    path = write(tmp_path, sample(tree, axes=axis(LINEAR, "FSC-A") + empty), odd)
    workspace = read_workspace(path)
    assert len(workspace.samples) == 1
    assert "a sample has no tree and is left out" in workspace.notices[0]
    counts = workspace.samples[0].strategy.apply(read_fcs(fcs(tmp_path))).counts
    assert counts["count"].tolist() == [3, 3]
    binned = read_workspace(path, binning="flowjo").samples[0].strategy.apply(read_fcs(tmp_path / "a.fcs")).counts
    assert binned["reason"].tolist() == ["", "FlowJo's binning needs the scale of its axes: linear axis from 0 to 0"]
