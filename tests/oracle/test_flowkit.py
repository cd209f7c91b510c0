"""Event-by-event equality with FlowKit, wherever FlowKit follows the specification.

Departures of FlowKit 1.3.2, left out of the comparison, with the clause of Gating-ML 2.0:

- undefined coordinates: FlowKit compares NaN and −inf as numbers, so an event whose logarithm does not exist can
  count as below a maximum (6.2.2: flog is defined for x > 0 only); such events are not compared;
- ratio dimensions: FlowKit computes ratios from uncompensated events whatever the dimension says (5.1);
- gates whose dimensions name different matrices: FlowKit raises NotImplementedError (5.1: compensation-ref is an
  attribute of each dimension);
- complements of populations: FlowKit's model has them for rectangles and polygons only, and they are no Gating-ML;
- boundMin/boundMax: FlowKit does not read them (6.1).
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_strategies import CHANNELS, TRANSFORMS, small_sample, strategy

from il2cyto.compensation import SpilloverMatrix
from il2cyto.fcs import read_fcs
from il2cyto.gates import BooleanGate, Dimension, EllipsoidGate, PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating import GatingStrategy
from il2cyto.sample import Sample
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.trial import write_tube

flowkit = pytest.importorskip("flowkit", reason="FlowKit is not installed in this environment (it needs pandas < 3)")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

SHARED = ("lin", "log", "asinh", "logicle", "hyperlog")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, object]:
    path = tmp_path_factory.mktemp("oracle") / "s.fcs"
    ours = small_sample(path)
    return ours, flowkit.Sample(str(path), sample_id="s")


def dim(d: Dimension, low: float | None = None, high: float | None = None) -> object:
    return flowkit.Dimension(d.source, d.compensation, d.transform, range_min=low, range_max=high)


def to_flowkit(tree: GatingStrategy, sample: Sample) -> object:
    theirs = flowkit.GatingStrategy()
    p = TRANSFORMS
    theirs.add_transform("lin", flowkit.transforms.LinearTransform(p["lin"].T, p["lin"].A))
    theirs.add_transform("log", flowkit.transforms.LogTransform(p["log"].T, p["log"].M))
    theirs.add_transform("asinh", flowkit.transforms.AsinhTransform(p["asinh"].T, p["asinh"].M, p["asinh"].A))
    for name, kind in (("logicle", "LogicleTransform"), ("hyperlog", "HyperlogTransform")):
        q = p[name]
        theirs.add_transform(name, getattr(flowkit.transforms, kind)(q.T, q.W, q.M, q.A))
    assert sample.spillover is not None
    lab = tree.matrices["lab"]
    # FlowKit wants a matrix over every colour: the others do not leak
    colours = list(sample.spillover.detectors)
    full = np.eye(len(colours))
    at = [colours.index(name) for name in lab.detectors]
    full[np.ix_(at, at)] = lab.values
    theirs.add_comp_matrix("lab", flowkit.Matrix(full, colours))
    paths: dict[str, tuple[str, ...]] = {}
    for i in tree.order:
        population = tree.populations[i]
        name, gate = population.name, population.gate
        parent = tree.parents[i]
        path = ("root",) if parent < 0 else (*paths[tree.paths[parent]], tree.populations[parent].name)
        paths[tree.paths[i]] = path
        if isinstance(gate, BooleanGate):
            references = []
            for operand in gate.operands:
                k = tree.resolve(operand.population)
                references.append(
                    {"ref": tree.populations[k].name, "path": paths[tree.paths[k]], "complement": operand.complement}
                )
            made = flowkit.gates.BooleanGate(name, gate.operation, references)
        elif isinstance(gate, PolygonGate):
            made = flowkit.gates.PolygonGate(name, [dim(d) for d in gate.dimensions], list(gate.vertices))
        elif isinstance(gate, EllipsoidGate):
            made = flowkit.gates.EllipsoidGate(
                name, [dim(d) for d in gate.dimensions], gate.mean, np.array(gate.covariance), gate.distance_square
            )
        else:
            box = gate.as_rectangle() if isinstance(gate, QuadrantGate) else gate
            made = flowkit.gates.RectangleGate(
                name, [dim(limit.dimension, limit.minimum, limit.maximum) for limit in box.limits]
            )
        theirs.add_gate(made, path)
    return theirs, paths


def undefined_above(tree: GatingStrategy, sample: Sample) -> np.ndarray:
    """Events that have an undefined coordinate in any gate: FlowKit departs there."""
    from plain import coordinates

    found = np.zeros(sample.n_events, dtype=bool)
    for population in tree.populations:
        for d in population.gate.dimensions:
            with np.errstate(all="ignore"):
                found |= ~(coordinates(tree, sample, d) > -np.inf)
    return found


def compare(pair: tuple[Sample, object], tree: GatingStrategy) -> None:
    ours, theirs = pair
    result = tree.apply(ours)
    other, paths = to_flowkit(tree, ours)
    report = other.gate_sample(theirs)
    comparable = ~undefined_above(tree, ours)
    for i, path in enumerate(tree.paths):
        expected = report.get_gate_membership(tree.populations[i].name, paths[path])
        assert np.array_equal(result.membership(path)[comparable], np.asarray(expected)[comparable]), path


@given(strategy(transforms=SHARED, ratios=False, complement=False, mixed=False))
@settings(max_examples=60)
def test_membership_is_flowkits(pair: tuple[Sample, object], tree: GatingStrategy) -> None:
    compare(pair, tree)


def on_channels(tree: GatingStrategy, names: dict[str, str]) -> GatingStrategy:
    """The same strategy on other channels."""
    populations = []
    for population in tree.populations:
        gate = population.gate
        if isinstance(gate, RectangleGate):
            limits = [
                replace(x, dimension=replace(x.dimension, source=names[str(x.dimension.source)])) for x in gate.limits
            ]
            gate = replace(gate, limits=tuple(limits))
        elif not isinstance(gate, BooleanGate):
            moved = tuple(replace(d, source=names[str(d.source)]) for d in gate.dimensions)
            gate = replace(gate, dimensions=moved)
        populations.append(replace(population, gate=gate))
    lab = tree.matrices["lab"]
    moved_lab = SpilloverMatrix("lab", tuple(names[name] for name in lab.detectors), lab.values)
    return GatingStrategy("random", tuple(populations), tree.transforms, {"lab": moved_lab})


@pytest.fixture(scope="module", params=["TBNK", "TREG", "TH17", "NK"])
def demo_tube(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, object]:
    plan = plan_trial(n_subjects=2, visits=("BL",), seed=1, lymphocytes=3_000, tbnk_lymphocytes=3_000, missing_visits=0)
    spec = next(spec for spec in plan.tubes if spec.panel == request.param)
    folder = tmp_path_factory.mktemp("demo")
    write_tube(spec, folder)
    path = folder / "fcs" / f"{spec.tube_id}.fcs"
    return read_fcs(path, strict=True), flowkit.Sample(str(path), sample_id="s")


@given(strategy(transforms=SHARED, ratios=False, complement=False, mixed=False), st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_membership_is_flowkits_on_demo_tubes(
    demo_tube: tuple[Sample, object], tree: GatingStrategy, order: random.Random
) -> None:
    matrix = demo_tube[0].spillover
    assert matrix is not None
    names = dict(zip(CHANNELS, ["FSC-A", *order.sample(list(matrix.detectors), 5)], strict=True))
    compare(demo_tube, on_channels(tree, names))


@pytest.mark.reference
def test_reading_is_flowkits_on_a_real_tube(reference: Path) -> None:
    path = reference / "flowjo-spleen" / "68983.fcs"
    assert np.array_equal(read_fcs(path).events, flowkit.Sample(str(path)).get_events(source="raw"))
