"""A second evaluator against the published truth, and the package against it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import gatingml_truth
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_gatingml import COLUMNS, SPILL, document

from il2cyto.exchange import read_gating
from il2cyto.exchange.export_gatingml import write_gatingml
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import GatingStrategy, read_strategy
from il2cyto.gating.write import write_strategy
from il2cyto.sample import Sample

# shrinking a whole document takes minutes; what failed is in the message
RANDOM = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
    "suppress_health_check": (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
}


@pytest.mark.reference
def test_the_second_evaluator_knows_the_published_truth(reference: Path) -> None:
    folder = reference / "gatingml2-set1" / "gate_ref"
    sample = read_fcs(folder / "data1.fcs")
    columns = {name: sample.events[:, k] for k, name in enumerate(sample.names)}
    truth = {path.stem.removeprefix("Results_"): path for path in (folder / "truth").glob("Results_*.txt")}
    names = {"ParRectangle1": {"gml_parent_quadrant_rect_gate": "ParQuadRect"}}
    checked: set[str] = set()
    for path in sorted((folder / "gml").glob("*.xml")):
        ours = read_gating(path).apply(sample)
        for gate, (inside, sure) in gatingml_truth.evaluate(path, columns).items():
            assert np.array_equal(ours.membership(gate)[sure], inside[sure]), (path.name, gate)
            assert sure.mean() > 0.99
            key = names.get(gate, {}).get(path.stem, gate)
            if key in truth:
                assert np.array_equal(inside, np.loadtxt(truth[key], dtype=int) == 1), (path.name, gate)
                checked.add(key)
    assert checked == set(truth)
    assert len(checked) == 51


@pytest.fixture(scope="module", params=["a matrix in the file", "none"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    path = tmp_path_factory.mktemp("truth") / "a.fcs"
    spill = SPILL if request.param != "none" else None
    write_fcs(np.column_stack(list(COLUMNS.values())), path, channels=list(COLUMNS), spillover=spill)
    return read_fcs(path)


def check(tree: GatingStrategy, sample: Sample, truth: dict[str, gatingml_truth.Answer]) -> None:
    names = {"root": "root gate"}
    places = {population.name: tree.paths[k] for k, population in enumerate(tree.populations)}
    assert set(places) == {names.get(gate, gate) for gate in truth}
    result = tree.apply(sample)
    for gate, (inside, sure) in truth.items():
        found = result.membership(places[names.get(gate, gate)])
        assert np.array_equal(found[sure], inside[sure]), (gate, np.flatnonzero((found != inside) & sure)[:5])
        assert sure.any()


@given(document())
@settings(max_examples=50, **RANDOM)  # type: ignore[arg-type]  # of several types
def test_random_documents(sample: Sample, tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "random.xml"
    path.write_bytes(content)
    truth = gatingml_truth.evaluate(path, COLUMNS, SPILL if sample.spillover is not None else None)
    check(read_gating(path), sample, truth)


@given(document(), st.randoms(use_true_random=False))
@settings(max_examples=30, **RANDOM)  # type: ignore[arg-type]  # of several types
def test_random_documents_through_every_form(
    sample: Sample, tmp_path_factory: pytest.TempPathFactory, content: bytes, flip: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    path = folder / "random.xml"
    path.write_bytes(content)
    tree = read_gating(path)
    flipped = (replace(p, complement=flip.random() < 0.25) for p in tree.populations)
    tree = replace(tree, populations=tuple(flipped))
    write_gatingml(tree, folder / "again.xml")
    write_strategy(folder / "strategy", tree)
    before = tree.apply(sample)
    for other in (read_gating(folder / "again.xml"), read_strategy(folder / "strategy")):
        assert sorted(other.paths) == sorted(tree.paths)
        after = other.apply(sample)
        for name in tree.paths:
            assert np.array_equal(after.membership(name), before.membership(name)), name
