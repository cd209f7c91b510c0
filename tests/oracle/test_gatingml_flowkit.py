"""The Gating-ML that we write: it validates against the schema that FlowKit ships, and FlowKit finds the same events.

FlowKit 1.3.2 departs from Gating-ML 2.0 in what follows, so this is left out of the comparison of events:

- ``boundMin`` and ``boundMax`` are not read (6.1), nor ``matrix-inverted-already`` (4.2);
- ratios are always of uncompensated events (5.1), and a divider of a quadrant gate cannot be one (5.1.4);
- wide spectrum matrices are not solved by least squares (4.2), and two matrices in one gate are an error (5.1);
- undefined coordinates (NaN, the logarithm of 0) compare as numbers (6.2.2);
- a boolean gate whose parent is one of its operands cannot be read at all (5.1.5, 5.2: nothing forbids it);
- dimensions may be named by ``$PnS`` (the standard names ``$PnN`` alone).
"""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from lxml import etree
from plain import coordinates
from random_gatingml import document
from random_strategies import MATRICES, TRANSFORMS, small_sample, strategy

from il2cyto.exchange import read_gating
from il2cyto.exchange.export_gatingml import write_gatingml
from il2cyto.fcs import read_fcs
from il2cyto.gates import BooleanGate, Dimension, Limits, QuadrantGate, Ratio, RectangleGate
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.sample import Sample
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.trial import write_tube
from il2cyto.transforms import Bounded, Clamped, Linear, Log

if find_spec("flowkit") is None:
    pytest.skip("FlowKit, which ships the schema, is not installed (it needs pandas < 3)", allow_module_level=True)
flowkit = pytest.importorskip("flowkit")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

GATING = Path(__file__).parents[2] / "gating"
SAYABLE = ("lin", "log", "asinh", "logicle", "hyperlog")


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(Path(flowkit.__file__).parent / "_resources" / "Gating-ML.v2.0.xsd"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, object]:
    path = tmp_path_factory.mktemp("oracle") / "s.fcs"
    ours = small_sample(path)
    return ours, flowkit.Sample(str(path), sample_id="s")


def validate(path: Path, schema: etree.XMLSchema) -> None:
    assert schema.validate(etree.parse(path)), schema.error_log


def compare(tree: GatingStrategy, path: Path, pair: tuple[Sample, object], left_out: np.ndarray | None = None) -> None:
    """Write a strategy, and compare what FlowKit makes of the file with what the strategy makes of the sample."""
    ids = write_gatingml(tree, path)
    theirs = flowkit.parse_gating_xml(BytesIO(path.read_bytes()))
    report = theirs.gate_sample(pair[1])
    result = tree.apply(pair[0])
    told = ~np.zeros(pair[0].n_events, dtype=bool) if left_out is None else ~left_out
    for population in tree.paths:
        expected = np.asarray(report.get_gate_membership(ids[population]))
        assert np.array_equal(result.membership(population)[told], expected[told]), population


@given(strategy(transforms=SAYABLE))
@settings(max_examples=60)
def test_random_strategies_validate(schema: etree.XMLSchema, tmp_path: Path, tree: GatingStrategy) -> None:
    write_gatingml(tree, tmp_path / "t.xml")
    validate(tmp_path / "t.xml", schema)


@given(document())
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_random_files_written_again_validate(
    schema: etree.XMLSchema, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "random.xml").write_bytes(content)
    write_gatingml(read_gating(folder / "random.xml"), folder / "again.xml")
    validate(folder / "again.xml", schema)


@given(strategy(transforms=SAYABLE, ratios=False, mixed=False))
@settings(max_examples=60)
def test_random_strategies_have_the_same_members_in_flowkit(
    pair: tuple[Sample, object], tmp_path: Path, tree: GatingStrategy
) -> None:
    undefined = np.zeros(pair[0].n_events, dtype=bool)
    for i, population in enumerate(tree.populations):
        if isinstance(population.gate, BooleanGate):
            assume(tree.parents[i] not in [tree.resolve(o.population) for o in population.gate.operands])
        for d in population.gate.dimensions:
            with np.errstate(all="ignore"):
                undefined |= ~(coordinates(tree, pair[0], d) > -np.inf)
    compare(tree, tmp_path / "t.xml", pair, undefined)


def test_limits_on_a_flowjo_table(schema: etree.XMLSchema, pair: tuple[Sample, object], tmp_path: Path) -> None:
    axes = (Dimension("A", "FCS", "biex"), Dimension("B", "FCS", "biex"))
    parts = [(0.2, 0.7), (None, 0.4), (1.1, None), (0.0, 1.0)]
    populations = [
        Population(f"r{k}", "root", RectangleGate((Limits(axes[0], low, high),))) for k, (low, high) in enumerate(parts)
    ]
    regions = QuadrantGate.regions(axes, ((0.3, 0.6), (0.5,)))
    populations += [Population(f"q{k}", "root", gate) for k, gate in enumerate(regions)]
    compare(GatingStrategy("biex", tuple(populations), TRANSFORMS), tmp_path / "t.xml", pair)
    validate(tmp_path / "t.xml", schema)


def test_names_views_ratios_and_bounds_validate(schema: etree.XMLSchema, tmp_path: Path) -> None:
    ratio = Dimension(Ratio("A", "B", 2.0, 1.0, 0.5), "lab", "bounded")
    plain = Dimension("A", "FCS", "log of 0")
    tree = GatingStrategy(
        "a strategy",
        (
            Population("CD4+ or not", "root", RectangleGate((Limits(ratio, 1.0, None),)), role="beads"),
            Population("all", "root", RectangleGate((Limits(plain, -np.inf, None),)), view=(ratio, plain)),
            *(
                Population(f"{k}", "all", gate, complement=k == 2, definition="d", view=(plain,))
                for k, gate in enumerate(QuadrantGate.regions((Dimension("C"), Dimension("D")), ((1.0,), (2.0,))))
            ),
        ),
        {"bounded": Clamped(Log(10.0, 1.0), 0.5, 3.0), "log of 0": Bounded(Linear(10.0), 0.1), **TRANSFORMS},
        MATRICES, axes={"A": "biex"}, description="words",
    )  # fmt: skip
    write_gatingml(tree, tmp_path / "t.xml")
    validate(tmp_path / "t.xml", schema)


@pytest.mark.parametrize("name", ["treg", "tbnk", "th17", "nk"])
def test_the_packaged_strategies(schema: etree.XMLSchema, tmp_path: Path, name: str) -> None:
    plan = plan_trial(n_subjects=2, visits=("BL",), seed=1, lymphocytes=3_000, tbnk_lymphocytes=3_000, missing_visits=0)
    spec = next(spec for spec in plan.tubes if spec.panel == name.upper())
    write_tube(spec, tmp_path)
    path = tmp_path / "fcs" / f"{spec.tube_id}.fcs"
    pair = (read_fcs(path, strict=True), flowkit.Sample(str(path), sample_id="s"))
    compare(read_strategy(GATING / name), tmp_path / "t.xml", pair)
    validate(tmp_path / "t.xml", schema)


@pytest.mark.reference
def test_files_of_the_standard_read_and_written_again(schema: etree.XMLSchema, reference: Path, tmp_path: Path) -> None:
    sample = read_fcs(reference / "gatingml2-set1" / "gate_ref" / "data1.fcs")
    read = 0
    for path in sorted((reference / "gatingml2-set1" / "gate_ref" / "gml").glob("*.xml")):
        tree = read_gating(path)
        write_gatingml(tree, tmp_path / "t.xml")
        validate(tmp_path / "t.xml", schema)
        again = read_gating(tmp_path / "t.xml")
        before, after = tree.apply(sample), again.apply(sample)
        assert sorted(tree.paths) == sorted(again.paths)
        for population in tree.paths:
            assert np.array_equal(before.membership(population), after.membership(population)), (path.name, population)
            read += 1
    assert read >= 51
