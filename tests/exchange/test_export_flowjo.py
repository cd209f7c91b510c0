"""Strategies written as FlowJo workspaces: read back here, and by FlowKit, they hold the same events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from random_strategies import MATRICES, TOP, TRANSFORMS, small_sample, strategy

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import StrategyError
from il2cyto.exchange import StrategySet
from il2cyto.exchange.export_flowjo import write_workspace
from il2cyto.exchange.flowjo.read import read_workspace
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import (
    BinnedPolygonGate,
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
from il2cyto.panel import Panel, PanelEntry
from il2cyto.sample import Sample
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.trial import write_tube
from il2cyto.transforms import Clamped, FlowJoBiex, FlowJoLinear, Log

GATING = Path(__file__).parents[2] / "gating"


@pytest.fixture(scope="module")
def tube(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sample]:
    path = tmp_path_factory.mktemp("wsp") / "s.fcs"
    return path, small_sample(path)


def again(tree: GatingStrategy, tube: tuple[Path, Sample], folder: Path) -> GatingStrategy:
    """Write a workspace and read the strategy of its one sample."""
    write_workspace(tree, [tube[0]], folder / "t.wsp")
    workspace = read_workspace(folder / "t.wsp")
    (sample,) = workspace.samples
    found = sample.strategy.apply(tube[1])
    before = tree.apply(tube[1])
    for path in tree.paths:
        assert np.array_equal(found.membership(path), before.membership(path)), path
        assert sample.counts[path] == before.membership(path).sum()
    return sample.strategy


def flat(gate: Gate) -> Gate:
    """FlowJo has no ellipsoids of three dimensions, and corners move by a rounding on the way through its units."""
    if isinstance(gate, PolygonGate):
        return replace(gate, vertices=tuple((round(x, 6), round(y, 6)) for x, y in gate.vertices))
    if isinstance(gate, EllipsoidGate) and len(gate.mean) == 3:
        square = tuple(row[:2] for row in gate.covariance[:2])
        return EllipsoidGate(gate.dimensions[:2], gate.mean[:2], square, gate.distance_square)
    return gate


def with_matrix(gate: Gate, name: str, channels: tuple[str, ...] | None = None) -> Gate:
    """FlowJo has one matrix per sample. With `channels`, those are always compensated, and no others."""

    def said(d: Dimension) -> Dimension:
        if channels is not None:
            return replace(d, compensation=name if d.source in channels else "uncompensated")
        return d if d.compensation == "uncompensated" else replace(d, compensation=name)

    if isinstance(gate, BooleanGate):
        return gate
    if isinstance(gate, RectangleGate):
        return RectangleGate(tuple(replace(x, dimension=said(x.dimension)) for x in gate.limits))
    return replace(gate, dimensions=tuple(said(d) for d in gate.dimensions))  # type: ignore[type-var]


def without_ellipse(gate: Gate) -> Gate:
    if not isinstance(gate, EllipsoidGate):
        return gate
    return RectangleGate(tuple(Limits(d, m - 0.2, m + 0.1) for d, m in zip(gate.dimensions, gate.mean, strict=True)))


def fit(tree: GatingStrategy, matrix: str) -> GatingStrategy:
    populations = tuple(replace(p, gate=with_matrix(flat(p.gate), matrix)) for p in tree.populations)
    return replace(tree, populations=populations)


@pytest.mark.parametrize("name", list(TRANSFORMS))
@pytest.mark.parametrize("matrix", ["FCS", "lab"])
@given(data=st.data())
@settings(max_examples=12)
def test_random_strategies_come_back_with_the_same_members(
    tube: tuple[Path, Sample], tmp_path: Path, name: str, matrix: str, data: st.DataObject
) -> None:
    tree = fit(data.draw(strategy(transforms=(name,), ratios=False)), matrix)
    again(tree, tube, tmp_path)


def one(*gates: Gate, **more: object) -> GatingStrategy:
    populations = tuple(Population(f"g{k}", "root", gate) for k, gate in enumerate(gates))
    return GatingStrategy("s", populations, **{"transforms": TRANSFORMS, "matrices": MATRICES} | more)  # type: ignore[arg-type]


def box(name: str, transform: str | None = None, low: float | None = 0.3, high: float | None = 0.7) -> RectangleGate:
    return RectangleGate((Limits(Dimension(name, "FCS", transform), low, high),))


def test_every_kind_of_gate(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    a, b = Dimension("A", "FCS", "logicle"), Dimension("B", "FCS", "asinh")
    spread = ((0.02, 0.01), (0.01, 0.03))
    around = EllipsoidGate((a, b), (0.5, 0.5), ((0.02, 0.0), (0.0, 0.03)), 2.0)
    cube = RectangleGate((Limits(a, 0.2, None), Limits(b, None, 0.8), Limits(Dimension("C", "FCS", "log"), 0.4, 0.9)))
    regions = QuadrantGate.regions((a, b), ((0.4,), (0.3, 0.6)))
    tree = GatingStrategy(
        "all",
        (
            Population("scatter", "root", RectangleGate((Limits(Dimension("FSC-A"), 50_000.0, None),))),
            Population("ellipse", "scatter", EllipsoidGate((a, b), (0.5, 0.5), spread, 2.0)),
            Population("not_ellipse", "scatter", around, complement=True),
            Population("polygon", "ellipse", PolygonGate((a, b), ((0.1, 0.1), (0.9, 0.2), (0.5, 1.2)))),
            Population("box of 3", "scatter", cube),
            Population("outside 3", "scatter", cube, complement=True),
            *(Population(f"q{k}", "polygon", gate) for k, gate in enumerate(regions)),
            Population("both", "scatter", BooleanGate("and", (Operand("polygon"), Operand("box of 3", True)))),
            Population("either", "root", BooleanGate("or", (Operand("polygon"), Operand("q1"), Operand("both")))),
            Population("rest", "scatter", BooleanGate("not", (Operand("polygon"),))),
            Population("same", "root", BooleanGate("not", (Operand("polygon", True),))),
            Population("nor", "scatter", BooleanGate("or", (Operand("polygon"), Operand("both"))), complement=True),
            Population("below both", "both", box("D", "hyperlog")),
        ),
        TRANSFORMS,
    )  # fmt: skip
    again(tree, tube, tmp_path)
    counts = tree.apply(tube[1]).counts["count"]
    assert (counts > 0).sum() > 12


def test_the_structure_is_that_of_flowjo(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    tree = GatingStrategy(
        "s",
        (
            Population("CD3+", "root", box("A", "biex")),
            Population("out", "CD3+", box("B", "biex"), complement=True),
            Population("or", "CD3+", BooleanGate("or", (Operand("out"), Operand("CD3+")))),
        ),
        TRANSFORMS,
    )  # fmt: skip
    write_workspace(tree, [tube[0]], tmp_path / "t.wsp", group="treg")
    root = etree.parse(tmp_path / "t.wsp").getroot()
    gating, data = (
        "{http://www.isac-net.org/std/Gating-ML/v2.0/gating}",
        "{http://www.isac-net.org/std/Gating-ML/v2.0/datatypes}",
    )
    assert (root.tag, root.get("version")) == ("Workspace", "20.0")
    assert [child.tag for child in root] == ["Matrices", "Groups", "SampleList"]
    assert [node.get("name") for node in root.iter("GroupNode")] == ["All Samples", "treg"]
    sample = root.find("SampleList/Sample")
    assert sample is not None
    parts = [etree.QName(child).localname for child in sample]
    assert parts == ["DataSet", "spilloverMatrix", "Transformations", "Keywords", "SampleNode"]
    assert sample.find("Keywords/Keyword[@name='$PAR']").get("value") == "6"  # type: ignore[union-attr]
    node = sample.find("SampleNode")
    assert node is not None
    assert (node.get("name"), node.get("count")) == ("s.fcs", "3000")
    shapes = list(node.iter(f"{gating}RectangleGate"))
    assert [shape.get("eventsInside") for shape in shapes] == ["1", "0"]
    assert [d.get(f"{data}name") for d in node.iter(f"{data}fcs-dimension")] == ["Comp-A", "Comp-B"]
    gates = [gate.attrib for gate in node.iter("Gate")]
    assert gates[1][f"{gating}parent_id"] == gates[0][f"{gating}id"]
    assert [d.get("name") for d in node.iter("Dependent")] == ["CD3+/out", "CD3+"]
    assert {p.get("owningGroup") for p in node.iter("Population", "OrNode")} == {"treg"}
    assert [p.get("name") for p in root.iter("Population")][:2] == ["CD3+", "out"]


def test_files_with_trees_of_their_own(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    other = tmp_path / "other tube.fcs"
    sample = small_sample(other, n=500, seed=6)
    wide, narrow = one(box("A", "logicle")), one(box("A", "logicle", 0.4, 0.5), box("B"))
    chosen = StrategySet("set", wide, {"other tube.fcs": narrow})
    assert write_workspace(chosen, [tube[0], other], tmp_path / "t.wsp") == ()
    workspace = read_workspace(tmp_path / "t.wsp")
    assert workspace.groups == {"All Samples": ("s.fcs", "other tube.fcs"), "il2cyto": ("s.fcs", "other tube.fcs")}
    for tree, name, events in ((wide, "s.fcs", tube[1]), (narrow, "other tube.fcs", sample)):
        found = workspace.for_file(name)
        assert set(found.strategy.paths) == set(tree.paths)
        for path in tree.paths:
            assert np.array_equal(found.strategy.apply(events).membership(path), tree.apply(events).membership(path))
    root = etree.parse(tmp_path / "t.wsp").getroot()
    owners = [p.get("owningGroup") for p in root.iterfind(".//SampleNode//Population")]
    assert owners == ["il2cyto", "", ""]
    assert [d.get("uri") for d in root.iter("DataSet")][1] == "other%20tube.fcs"


def test_markers_slashes_and_what_is_not_estimable(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names, labels = ["FSC-A", "B 530/30-A", "R 660/20-A"], [None, "CD4", "CD8"]
    matrix = np.array([[1.0, 0.2], [0.1, 1.0]])
    events = np.column_stack([rng.normal(9e4, 2e4, 400), np.exp(rng.normal(7, 1, (400, 2))) @ matrix])
    write_fcs(events, tmp_path / "a.fcs", channels=names, markers=labels, spillover=(names[1:], matrix))
    sample = read_fcs(tmp_path / "a.fcs")
    panel = Panel("p", (PanelEntry("CD4", "B 530/30-A"), PanelEntry("CD8", ""), PanelEntry("CD3", "absent")))
    cd4, cd8 = Dimension("CD4", "FCS", "logicle"), Dimension("CD8", "FCS", "logicle")
    tree = GatingStrategy(
        "m",
        (
            Population("CD3", "root", box("CD3")),
            Population("below", "CD3", box("CD4", "logicle")),
            Population("both", "root", PolygonGate((cd4, cd8), ((0.2, 0.2), (0.9, 0.3), (0.6, 0.9)))),
        ),
        TRANSFORMS, panel=panel,
    )  # fmt: skip
    notices = write_workspace(tree, [tmp_path / "a.fcs"], tmp_path / "t.wsp")
    assert notices == ("a.fcs: left out, not estimable in this file: CD3, CD3/below",)
    found = read_workspace(tmp_path / "t.wsp").samples[0]
    assert found.strategy.paths == ("both",)
    inside = tree.apply(sample).membership("both")
    assert np.array_equal(found.strategy.apply(sample).membership("both"), inside)
    assert 20 < inside.sum() < 380
    assert 'name="Comp-B 530_30-A"' in (tmp_path / "t.wsp").read_text(encoding="utf-8")


def test_a_wide_matrix_is_a_spectral_one(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    wide = SpilloverMatrix("wide", ("A", "B", "C"), np.array([[1.0, 0.5, 0.1], [0.2, 1.0, 0.4]]), ("FITC", "PE"))
    gate = PolygonGate(
        (Dimension("PE", "wide", "asinh"), Dimension("FITC", "wide", "asinh")), ((0.3, 0.3), (1, 0.4), (0.6, 1))
    )
    found = again(one(gate, matrices={"wide": wide}), tube, tmp_path)
    assert np.array_equal(found.matrices["wide"].values, wide.values)
    assert 'spectral="1"' in (tmp_path / "t.wsp").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("vertices", "scale"),
    [
        (((0.1, 0.1), (0.9, 0.2), (0.5, 0.8)), Clamped(Log(TOP, 4.0), TOP / 1e4)),
        (((-0.5, 0.1), (0.9, -0.2), (0.5, 0.8)), Log(TOP, 4.0)),
        (((-0.5, 0.1), (0.9, -0.2), (0.5, 0.8)), FlowJoLinear(100.0, 50_000.0)),
        (((10.0, 10.0), (230.0, 50.0), (100.0, 200.0)), FlowJoBiex(256.0)),
        (((0.1, 0.1), (0.9, 0.2), (0.5, 0.8)), FlowJoBiex(1.0, width=-100.0)),
    ],
    ids=["log of FlowJo", "log below its axis", "linear", "biex of 256", "biex of 1"],
)
def test_polygons_and_ellipses_on_axes_of_every_kind(
    tube: tuple[Path, Sample], tmp_path: Path, vertices: tuple[tuple[float, float], ...], scale: object
) -> None:
    dimensions = (Dimension("A", "FCS", "t"), Dimension("B", "FCS", "t"))
    unit = 256.0 if isinstance(scale, FlowJoBiex) and scale.length == 256 else 1.0
    wide = 20.0 if isinstance(scale, FlowJoLinear) else 1.0
    ellipse = EllipsoidGate(
        dimensions,
        (0.5 * unit, 0.45 * unit),
        ((0.02 * unit**2, 0.01 * unit**2), (0.01 * unit**2, 0.03 * unit**2)),
        1.5 * wide,
    )
    tree = one(
        PolygonGate(dimensions, vertices), ellipse, box("A", "t", 0.3 * unit, 0.6 * unit), transforms={"t": scale}
    )
    again(tree, tube, tmp_path)
    assert (tree.apply(tube[1]).counts["count"] > 20).all()


def test_binned_gates_keep_their_channels(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    dimensions = (Dimension("A", "FCS", "t"), Dimension("B", "FCS", "t"))
    gate = BinnedPolygonGate(dimensions, ((10.0, 10.0), (230.0, 50.0), (100.0, 200.0)), 512)
    tree = one(gate, transforms={"t": FlowJoBiex(256.0)})
    write_workspace(tree, [tube[0]], tmp_path / "t.wsp")
    (found,) = read_workspace(tmp_path / "t.wsp", binning="flowjo").samples
    assert found.strategy.populations[0].gate.channels == 512  # type: ignore[union-attr]
    inside = tree.apply(tube[1]).membership("g0")
    assert np.array_equal(found.strategy.apply(tube[1]).membership("g0"), inside)


A, B = Dimension("A", "FCS", "logicle"), Dimension("B", "FCS", "log")
BALL = EllipsoidGate(
    (A, replace(A, source="B"), replace(A, source="C")), (0, 0, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)), 1.0
)


def triangle(x: Dimension, y: Dimension, corner: float = 1.0) -> PolygonGate:
    return PolygonGate((x, y), ((0.0, 0.0), (corner, 0.0), (1.0, 1.0)))


def above(dimension: Dimension) -> RectangleGate:
    return RectangleGate((Limits(dimension, 1.0, None),))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (one(triangle(A, B), triangle(replace(A, transform="asinh"), B)), "Comp-A is drawn on two scales"),
        (one(box("A"), above(Dimension("B", "lab"))), "one matrix per sample, and the gates use FCS and lab"),
        (one(BALL), "population 'g0': FlowJo has ellipses of two dimensions alone"),
        (one(above(Dimension(Ratio("A", "B")))), "'g0': a ratio .A/B. is a derived parameter"),
        (
            one(triangle(replace(A, transform="c"), B), transforms={"c": Clamped(None, 0.0, 1.0)} | TRANSFORMS),
            "on a scale that FlowJo lacks",
        ),
        (one(triangle(replace(A, transform="biex"), B, 1.2)), "reaches beyond its FlowJo table"),
    ],
)
def test_what_flowjo_lacks_is_one_error(
    tube: tuple[Path, Sample], tmp_path: Path, tree: GatingStrategy, message: str
) -> None:
    with pytest.raises(StrategyError, match=message):
        write_workspace(tree, [tube[0]], tmp_path / "t.wsp")
    assert not (tmp_path / "t.wsp").exists()
    with pytest.raises(StrategyError, match="at least one FCS file"):
        write_workspace(tree, [], tmp_path / "t.wsp")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("workspace", "files"),
    [
        ("flowjo-spleen/gating.wsp", "."),
        ("flowjo-aurora-30-subjects/CytoML.wsp", "."),
        ("flowjo-48-samples/Part_3/FJ_workspace/07-Oct-2021.wsp", ".."),
        ("gatingml2-set1/simple_line_example/single_ellipse_51_events.wsp", "."),
        ("gatingml2-set1/simple_diamond_example/simple_diamond_example_quad_gate.wsp", "."),
    ],
)
@pytest.mark.parametrize("binning", ["exact", "flowjo"])
def test_workspaces_of_flowjo_come_back(
    reference: Path, tmp_path: Path, workspace: str, files: str, binning: str
) -> None:
    folder = (reference / workspace).parent / files
    tree = read_workspace(reference / workspace, binning=binning)
    paths = {path.name: path for path in folder.rglob("*.fcs")}
    (found, path), *_ = [(sample, paths[sample.name]) for sample in tree.samples if sample.name in paths]
    write_workspace(found.strategy, [path], tmp_path / "t.wsp")
    (again,) = read_workspace(tmp_path / "t.wsp", binning=binning).samples
    events = read_fcs(path)
    before, after = found.strategy.apply(events), again.strategy.apply(events)
    for at, reason in zip(found.strategy.paths, before.reasons, strict=True):
        assert reason or np.array_equal(after.membership(at), before.membership(at)), at


@pytest.fixture(scope="module", params=["treg", "tbnk", "th17", "nk"])
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    plan = plan_trial(n_subjects=2, visits=("BL",), seed=1, lymphocytes=3_000, tbnk_lymphocytes=3_000, missing_visits=0)
    spec = next(spec for spec in plan.tubes if spec.panel == request.param.upper())
    folder = tmp_path_factory.mktemp("packaged")
    write_tube(spec, folder)
    return request.param, folder / "fcs" / f"{spec.tube_id}.fcs"


def test_the_packaged_strategies(packaged: tuple[str, Path], tmp_path: Path) -> None:
    name, path = packaged
    again(read_strategy(GATING / name), (path, read_fcs(path, strict=True)), tmp_path)


def flowkit_results(tree: GatingStrategy, path: Path, folder: Path) -> dict[str, np.ndarray]:
    """Return the membership in every population that FlowKit finds in a written workspace."""
    flowkit = pytest.importorskip(
        "flowkit", reason="FlowKit is not installed in this environment (it needs pandas < 3)"
    )
    write_workspace(tree, [path], folder / "t.wsp")
    workspace = flowkit.Workspace(str(folder / "t.wsp"), fcs_samples=[flowkit.Sample(str(path))])
    workspace.analyze_samples(use_mp=False)
    return {
        at: np.asarray(workspace.get_gate_membership(path.name, at.split("/")[-1], ("root", *at.split("/")[:-1])))
        for at in tree.paths
    }


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_flowkit_reads_the_packaged_strategies(packaged: tuple[str, Path], tmp_path: Path) -> None:
    name, path = packaged
    tree = read_strategy(GATING / name)
    result = tree.apply(read_fcs(path, strict=True))
    for population, theirs in flowkit_results(tree, path, tmp_path).items():
        assert np.array_equal(theirs, result.membership(population)), population


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lin", "asinh", "logicle"])
@pytest.mark.parametrize("matrix", ["FCS", "lab"])
@given(data=st.data())
@settings(max_examples=8)
def test_flowkit_reads_random_strategies(
    tube: tuple[Path, Sample], tmp_path: Path, name: str, matrix: str, data: st.DataObject
) -> None:
    """Where it can: it compensates every channel of a matrix, makes polygons of ellipses, compares undefined values."""
    assert tube[1].spillover is not None
    inside = tube[1].spillover.detectors if matrix == "FCS" else MATRICES["lab"].detectors
    tree = data.draw(strategy(transforms=(name,), ratios=False))
    gates = [with_matrix(without_ellipse(p.gate), matrix, inside) for p in tree.populations]
    tree = replace(
        tree, populations=tuple(replace(p, gate=gate) for p, gate in zip(tree.populations, gates, strict=True))
    )
    result = tree.apply(tube[1])
    for population, theirs in flowkit_results(tree, tube[0], tmp_path).items():
        assert np.array_equal(theirs, result.membership(population)), population


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_flowkit_makes_polygons_of_the_same_ellipses(tube: tuple[Path, Sample], tmp_path: Path) -> None:
    """It draws 128 corners or so: events within a hundredth of the edge may differ, no others."""
    dimensions = (Dimension("A", "FCS", "asinh"), Dimension("B", "FCS", "logicle"))
    shapes = [((0.02, 0.01), (0.01, 0.03)), ((0.05, -0.01), (-0.01, 0.01)), ((0.03, 0.02), (0.02, 0.02))]
    gates = [EllipsoidGate(dimensions, (0.6, 0.5), shape, 1.5) for shape in shapes]
    tree = one(*gates)
    inner, outer = (
        one(*(replace(gate, distance_square=1.5 * k) for gate in gates)).apply(tube[1]) for k in (0.99, 1.01)
    )
    for at, theirs in flowkit_results(tree, tube[0], tmp_path).items():
        assert not (inner.membership(at) & ~theirs).any()
        assert not (theirs & ~outer.membership(at)).any()
        assert theirs.sum() > 100
