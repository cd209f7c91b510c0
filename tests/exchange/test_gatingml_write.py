"""Writing Gating-ML 2.0: what is written reads back as the same strategy, and says what it can in the standard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gatingml_files import HEAD, boolean, dimension, divider, limits, matrix, quadrant, quadrants, rectangle, write
from gatingml_files import transformation as gml_transformation
from hypothesis import given, settings
from lxml import etree
from random_strategies import MATRICES, TOP, TRANSFORMS, small_sample, strategy

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import GatingMLError
from il2cyto.exchange import read_gating
from il2cyto.exchange.export_gatingml import write_gatingml
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
    UnsupportedGate,
)
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.panel import Panel, PanelEntry
from il2cyto.sample import Sample
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.trial import write_tube
from il2cyto.transforms import Bounded, Clamped, FlowJoBiex, FlowJoLinear, Linear, Log

GATING = Path(__file__).parents[2] / "gating"
SAYABLE = ("lin", "log", "asinh", "logicle", "hyperlog")
NS = {
    "gating": "http://www.isac-net.org/std/Gating-ML/v2.0/gating",
    "transforms": "http://www.isac-net.org/std/Gating-ML/v2.0/transformations",
    "data-type": "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes",
    "own": "urn:il2cyto:gating:1",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return small_sample(tmp_path_factory.mktemp("write") / "s.fcs")


def same_members(tree: GatingStrategy, again: GatingStrategy, sample: Sample) -> None:
    assert set(again.paths) == set(tree.paths)
    before, after = tree.apply(sample), again.apply(sample)
    for path in tree.paths:
        assert np.array_equal(after.membership(path), before.membership(path)), path


def one(gate: Gate, **more: object) -> GatingStrategy:
    return GatingStrategy("s", (Population("g", "root", gate),), **more)  # type: ignore[arg-type]


@given(strategy(transforms=SAYABLE))
@settings(max_examples=60)
def test_random_strategies_come_back_with_the_same_content(
    sample: Sample, tmp_path: Path, tree: GatingStrategy
) -> None:
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    assert [replace(p, parent="") for p in sorted(again.populations, key=lambda p: p.name)] == [
        replace(_channels(p, tree), parent="") for p in sorted(tree.populations, key=lambda p: p.name)
    ]
    same_members(tree, again, sample)
    # and written once more it is the same file
    first = (tmp_path / "t.xml").read_bytes()
    write_gatingml(replace(again, populations=tuple(_in_order(again, tree))), tmp_path / "u.xml")
    assert (tmp_path / "u.xml").read_bytes() == first


def _in_order(again: GatingStrategy, tree: GatingStrategy) -> list[Population]:
    by_name = {population.name: population for population in again.populations}
    return [by_name[population.name] for population in tree.populations]


def _channels(population: Population, tree: GatingStrategy) -> Population:
    """A dimension outside a named matrix is written as uncompensated; paths of operands are whole."""
    gate = population.gate
    if isinstance(gate, BooleanGate):
        whole = tuple(Operand(tree.paths[tree.resolve(o.population)], o.complement) for o in gate.operands)
        return replace(population, gate=BooleanGate(gate.operation, whole))

    def said(d: Dimension) -> Dimension:
        inside = MATRICES["lab"].detectors
        names = (d.source.numerator, d.source.denominator) if isinstance(d.source, Ratio) else (d.source,)
        outside = d.compensation == "lab" and not any(name in inside for name in names)
        return replace(d, compensation="uncompensated") if outside else d

    if isinstance(gate, RectangleGate):
        return replace(
            population, gate=RectangleGate(tuple(replace(x, dimension=said(x.dimension)) for x in gate.limits))
        )
    gate = replace(gate, dimensions=tuple(said(d) for d in gate.dimensions))
    if isinstance(gate, QuadrantGate) and population.complement:
        gate = gate.as_rectangle()
    return replace(population, gate=gate)


def test_limits_on_a_flowjo_table_are_exact_on_the_linear_scale(sample: Sample, tmp_path: Path) -> None:
    axis = Dimension("A", "FCS", "biex")
    parts = [(0.2, 0.7), (None, 0.4), (0.05, None), (0.0, 1.0), (1.1, None), (None, 0.1), (0.6, 0.6)]
    populations = [
        Population(f"r{k}", "root", RectangleGate((Limits(axis, low, high),))) for k, (low, high) in enumerate(parts)
    ]
    regions = QuadrantGate.regions((axis, Dimension("B", "FCS", "biex")), ((0.3, 0.6), (0.5,)))
    populations += [Population(f"q{k}", "root", gate) for k, gate in enumerate(regions)]
    tree = GatingStrategy("biex", tuple(populations), TRANSFORMS)
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    assert "biex" not in again.transforms
    same_members(tree, again, sample)
    counts = tree.apply(sample).counts["count"].tolist()
    assert counts[0] > 100
    assert sum(counts[len(parts) :]) == sample.n_events


def test_a_shape_on_a_flowjo_table_is_one_error_with_a_remedy(tmp_path: Path) -> None:
    tree = one(
        PolygonGate((Dimension("A", transform="b"), Dimension("B")), ((0, 0), (1, 0), (1, 1))),
        transforms={"b": FlowJoBiex()},
    )
    with pytest.raises(GatingMLError, match="population 'g': Gating-ML has no scale like transform 'b'; draw the gate"):
        write_gatingml(tree, tmp_path / "t.xml")
    assert not (tmp_path / "t.xml").exists()


def test_shapes_on_axes_of_flowjo_are_moved_where_that_changes_nothing(sample: Sample, tmp_path: Path) -> None:
    transforms = {"time": FlowJoLinear(20_000.0, 180_000.0), "log": Clamped(Log(TOP, 5.0), TOP / 1e5)}
    axes = (Dimension("FSC-A", transform="time"), Dimension("A", "FCS", "log"))
    polygon = PolygonGate(axes, ((0.2, 0.1), (0.7, 0.2), (0.6, 1.3)))
    ellipse = EllipsoidGate(axes, (0.4, 0.6), ((0.02, 0.001), (0.001, 0.03)), 2.0)
    box = RectangleGate((Limits(axes[0], 0.3, 0.6), Limits(axes[1], None, 0.5)))
    tree = GatingStrategy(
        "f", tuple(Population(f"g{k}", "root", gate) for k, gate in enumerate((polygon, ellipse, box))), transforms
    )
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    same_members(tree, again, sample)
    assert all(count > 50 for count in tree.apply(sample).counts["count"])
    assert [type(t) for t in again.transforms.values()] == [Log]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (UnsupportedGate("a derived parameter"), r"not taken over \(a derived parameter\), so it cannot be written"),
        (
            BinnedPolygonGate(
                (Dimension("A", transform="lin"), Dimension("B", transform="lin")), ((0, 0), (1, 0), (1, 1))
            ),
            "no gates on the channels of a display; read the workspace with binning 'exact'",
        ),
        (
            PolygonGate((Dimension("A", transform="low"), Dimension("B")), ((-0.1, 0), (1, 0), (1, 1))),
            "no scale like transform 'low'",
        ),
    ],
)
def test_gates_of_flowjo_that_the_standard_lacks(tmp_path: Path, gate: Gate, message: str) -> None:
    tree = one(gate, transforms={**TRANSFORMS, "low": Clamped(Log(TOP, 5.0), TOP / 1e5)})
    with pytest.raises(GatingMLError, match=message):
        write_gatingml(tree, tmp_path / "t.xml")


def test_names_definitions_roles_views_and_axes_come_back(sample: Sample, tmp_path: Path) -> None:
    limit = (Limits(Dimension("A", "FCS", "log"), 0.2, None),)
    panel = Panel("p", (PanelEntry("CD4", "A"), PanelEntry("CD8", "B", aliases=("T8",))))
    regions = QuadrantGate.regions((Dimension("CD4"), Dimension("T8")), ((100.0,), (200.0,)))
    tree = GatingStrategy(
        "my strategy",
        (
            Population("CD4+", "root", RectangleGate(limit), definition="d.1", role="time_qc"),
            Population("CD4-", "root", RectangleGate(limit), complement=True, view=(Dimension("CD8", "FCS", "biex"),)),
            Population("CD4+", "CD4-", RectangleGate(limit), view=(Dimension(Ratio("CD4", "C", 2.0)),)),
            Population("1 %", "CD4-/CD4+", BooleanGate("and", (Operand("CD4-"), Operand("CD4-/CD4+", True)))),
            *(Population(f"Q {k}", "root/CD4+", gate, definition=f"q{k}") for k, gate in enumerate(regions)),
        ),
        TRANSFORMS, panel=panel, version="2.1", description="text of <two> & more", axes={"CD4": "log", "T8": "biex"},
    )  # fmt: skip
    ids = write_gatingml(tree, tmp_path / "t.xml")
    assert ids["CD4+"] == "CD4_pos"
    assert ids["CD4-/CD4+"] == "CD4_pos_2"
    assert ids["CD4-/CD4+/1 %"] == "_1__"
    again = read_gating(tmp_path / "t.xml")
    same_members(tree, again, sample)
    assert (again.id, again.version, again.description) == ("my strategy", "2.1", "text of <two> & more")
    assert again.without_matrix == "refuse"
    assert again.axes == {"A": "log", "B": "biex"}
    assert again.transforms["biex"] == TRANSFORMS["biex"]
    told = dict(zip(again.paths, again.populations, strict=True))
    assert (told["CD4+"].definition, told["CD4+"].role) == ("d.1", "time_qc")
    assert told["CD4-"].complement
    assert told["CD4-"].view == (Dimension("B", "FCS", "biex"),)
    assert told["CD4-/CD4+"].view == (Dimension(Ratio("A", "C", 2.0)),)
    assert {p.definition for p in again.populations} == {"d.1", "", "q0", "q1", "q2", "q3"}
    # another program finds one quadrant gate, and a complement said by a boolean gate
    root = etree.parse(tmp_path / "t.xml").getroot()
    assert len(root.findall("gating:QuadrantGate", NS)) == 1
    assert [gate.get(f"{{{NS['gating']}}}id") for gate in root.findall("gating:BooleanGate", NS)] == ["CD4-", "_1__"]


def test_ids_are_those_of_xml_and_of_one_file(tmp_path: Path) -> None:
    gate = RectangleGate((Limits(Dimension("log", transform="log"), 0.1, None),))
    tree = GatingStrategy(
        "ids", tuple(Population(name, "root", gate) for name in ("log", "Zellen ä", "lab", "a.b-c", "-x")), TRANSFORMS,
        MATRICES,
    )  # fmt: skip
    assert list(write_gatingml(tree, tmp_path / "t.xml").values()) == ["log", "Zellen_ä", "lab", "a.b-c", "_-x"]
    root = etree.parse(tmp_path / "t.xml").getroot()
    ids = [value for element in root.iter() for key, value in element.attrib.items() if str(key).endswith("}id")]
    assert len(ids) == len(set(ids))
    assert "log_2" in ids
    assert "lab_2" in ids


def test_ratios_with_bounds_scales_and_matrices(sample: Sample, tmp_path: Path) -> None:
    ratio = Ratio("A", "B", 2.0, 1.0, 0.5)
    transforms = {
        "bounded": Clamped(None, 0.5, 3.0), "log of bounded": Clamped(Log(10.0, 1.0), 0.5, None),
        "bounded scale": Bounded(Linear(1000.0), 0.1, 0.9), "clamped": Clamped(Linear(1000.0), 100.0, 500.0),
    }  # fmt: skip
    populations = [
        Population(f"p{k}", "root", RectangleGate((Limits(Dimension(source, compensation, name), 0.4, 0.6),)))
        for k, (source, compensation, name) in enumerate(
            [
                (ratio, "FCS", "bounded"), (ratio, "lab", "log of bounded"), (ratio, "lab", "bounded"),
                ("A", "FCS", "bounded scale"), ("C", "lab", "clamped"), (ratio, "uncompensated", None),
                (Ratio("D", "E"), "lab", None), (Ratio("A", "D"), "lab", None), (Ratio("D", "A"), "lab", None),
            ]
        )
    ]  # fmt: skip
    shape = PolygonGate(
        (Dimension("A", "FCS", "clamped"), Dimension("B", "FCS", "bounded scale")), ((0, 0), (1, 0), (0, 1))
    )
    tree = GatingStrategy("r", (*populations, Population("shape", "root", shape)), transforms, MATRICES)
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    same_members(tree, again, sample)
    assert tree.apply(sample).counts["count"].tolist()[5] > 0


def test_matrices_come_back_to_the_last_digit(tmp_path: Path) -> None:
    wide = SpilloverMatrix("wide", ("A", "B", "C"), np.array([[1.0, 1 / 3, 0.1], [0.2, 1.0, np.pi]]), ("FITC", "PE"))
    tree = one(RectangleGate((Limits(Dimension("PE", "wide"), 1e-300, 1 / 3),)), matrices={"wide": wide, **MATRICES})
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    assert {key: m.content_hash for key, m in again.matrices.items()} == {
        key: m.content_hash for key, m in tree.matrices.items()
    }
    assert again.populations == tree.populations


def test_what_other_programs_wrote_is_kept(tmp_path: Path) -> None:
    def block(text: str) -> str:
        note = f'<lab:note xmlns:lab="http://example.org/lab" by="x">{text}</lab:note> &amp; more'
        return f"<data-type:custom_info>{note}</data-type:custom_info>"

    scale = gml_transformation("S", "flin", inside=block("scale"), T=100, A=0)
    spill = matrix("AB", "AB", [[1, 0.1], [0, 1]]).replace(
        "<transforms:fluoro", block("matrix") + "<transforms:fluoro", 1
    )
    body = block("file") + scale + spill + rectangle(dimension("A", limits(0.1), "M", "S"), inside=block("gate"))
    body += quadrants(divider("x", "A", 1), quadrant("Q", x=0), quadrant("R", x=2), inside=block("quadrants"))
    body += boolean("not", "g", name="b", inside=block("boolean"))
    texts = ("file", "scale", "matrix", "gate", "quadrants", "boolean")
    path = write(tmp_path, body)
    for turn in range(2):
        tree = read_gating(path)
        assert sorted(tree.custom_info) == ["", "Q", "b", "g", "spectrumMatrix M", "transformation S"]
        path = tmp_path / f"again{turn}.xml"
        write_gatingml(tree, path)
        written = path.read_text(encoding="utf-8")
        for text in texts:
            assert written.count(f">{text}</lab:note> &amp; more") == 1, text


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [(PanelEntry("CD4", "absent"), "gives no channel for marker 'CD4'"), (PanelEntry("CD4", ""), "gives no channel")],
)
def test_a_marker_without_a_channel_is_one_error(tmp_path: Path, entry: PanelEntry, wanted: str) -> None:
    tree = one(RectangleGate((Limits(Dimension("CD4"), 1.0, None),)), panel=Panel("p", (entry,)))
    with pytest.raises(GatingMLError, match=f"population 'g': the panel {wanted}"):
        write_gatingml(tree, tmp_path / "t.xml")


def test_a_sample_tells_the_channels_of_a_panel_that_goes_by_labels(tmp_path: Path) -> None:
    from il2cyto.fcs import write_fcs

    write_fcs(np.ones((3, 2)), tmp_path / "a.fcs", channels=["A", "B"], markers=["CD8", "CD4"])
    tree = one(RectangleGate((Limits(Dimension("CD4"), 1.0, None),)), panel=Panel("p", (PanelEntry("CD4", ""),)))
    write_gatingml(tree, tmp_path / "t.xml", sample=read_fcs(tmp_path / "a.fcs"))
    assert read_gating(tmp_path / "t.xml").populations[0].gate.dimensions == (Dimension("B"),)


def test_a_matrix_of_one_is_one_error(tmp_path: Path) -> None:
    lone = SpilloverMatrix("lone", ("A",), np.array([[2.0]]))
    with pytest.raises(GatingMLError, match="matrix 'lone': Gating-ML wants two fluorochromes"):
        write_gatingml(
            one(RectangleGate((Limits(Dimension("A"), 1.0, None),)), matrices={"lone": lone}), tmp_path / "t.xml"
        )


def test_our_own_block_damaged_by_hand_is_one_error(tmp_path: Path) -> None:
    head = HEAD.replace(">", ' xmlns:own="urn:il2cyto:gating:1">')
    block = '<own:population><own:view name="A" denominator="B" A="one"/></own:population>'
    body = rectangle(dimension("A", limits(1)), inside=f"<data-type:custom_info>{block}</data-type:custom_info>")
    with pytest.raises(GatingMLError, match=r"g.xml: a block of il2cyto in custom_info holds something that is no num"):
        read_gating(write(tmp_path, body, head))


def test_a_block_that_claims_a_complement_falsely_is_not_believed(tmp_path: Path) -> None:
    head = HEAD.replace(">", ' xmlns:own="urn:il2cyto:gating:1">')
    block = '<data-type:custom_info><own:inside of="b"/></data-type:custom_info>'
    body = rectangle(dimension("A", limits(1)), inside=block) + boolean("not", "g", name="b", parent="c")
    body += rectangle(dimension("B", limits(1)), name="c")
    assert set(read_gating(write(tmp_path, body, head)).paths) == {"g", "c/b", "c"}


@pytest.fixture(scope="module", params=["treg", "tbnk", "th17", "nk"])
def tube(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Sample]:
    plan = plan_trial(n_subjects=2, visits=("BL",), seed=1, lymphocytes=3_000, tbnk_lymphocytes=3_000, missing_visits=0)
    spec = next(spec for spec in plan.tubes if spec.panel == request.param.upper())
    folder = tmp_path_factory.mktemp("tube")
    write_tube(spec, folder)
    return request.param, read_fcs(folder / "fcs" / f"{spec.tube_id}.fcs", strict=True)


def test_yaml_and_gating_ml_give_the_same_counts(tube: tuple[str, Sample], tmp_path: Path) -> None:
    name, sample = tube
    tree = read_strategy(GATING / name)
    write_gatingml(tree, tmp_path / "t.xml")
    again = read_gating(tmp_path / "t.xml")
    before, after = tree.apply(sample), again.apply(sample)
    columns = ["population", "count", "parent_count", "percent_parent", "definition", "role", "n_undefined", "status"]
    order = before.counts.sort_values("population")[columns].reset_index(drop=True)
    assert order.equals(after.counts.sort_values("population")[columns].reset_index(drop=True))
    assert order["count"].sum() > 10_000
    same_members(tree, again, sample)


def test_an_ellipsoid_and_a_polygon_are_written_in_the_words_of_the_standard(tmp_path: Path) -> None:
    shapes: tuple[Gate, ...] = (
        EllipsoidGate((Dimension("A"), Dimension("B", "FCS")), (1.0, 2.0), ((4.0, 1.0), (1.0, 9.0)), 2.5),
        PolygonGate((Dimension("A"), Dimension("B")), ((0.1, -0.0), (1e300, 2.0), (3.0, 1e-300))),
    )
    tree = GatingStrategy("s", tuple(Population(f"g{k}", "root", gate) for k, gate in enumerate(shapes)))
    write_gatingml(tree, tmp_path / "t.xml")
    assert tuple(p.gate for p in read_gating(tmp_path / "t.xml").populations) == shapes
    written = (tmp_path / "t.xml").read_text(encoding="utf-8")
    assert '<gating:distanceSquare data-type:value="2.5"/>' in written
    assert '<gating:coordinate data-type:value="1e+300"/>' in written


def test_a_sample_tells_the_spelling_of_names(tmp_path: Path) -> None:
    events = np.array([[1.0, 2.0], [5.0, 1.0]])
    write_fcs(events, tmp_path / "a.fcs", channels=["B 530/30-A", "R-A"])
    found = read_fcs(tmp_path / "a.fcs")
    gate = RectangleGate((Limits(Dimension("B 530_30-A"), 3.0, None),))
    tree = GatingStrategy("s", (Population("high", "root", gate),))
    write_gatingml(tree, tmp_path / "s.xml", sample=found)
    assert 'name="B 530/30-A"' in (tmp_path / "s.xml").read_text()
    assert read_gating(tmp_path / "s.xml").apply(found).membership("high").tolist() == [False, True]
