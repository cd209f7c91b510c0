"""What is how it is run changes no result: the size of blocks, the pieces that a file is read in, the threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from plain import membership
from random_strategies import TRANSFORMS, small_sample, strategy

from il2cyto.gates import Dimension, Limits, PolygonGate, Ratio, RectangleGate
from il2cyto.gating import GatingStrategy, Population, apply
from il2cyto.kernels import engine
from il2cyto.sample import Sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    # no multiple of a block, nor of eight
    return small_sample(tmp_path_factory.mktemp("blocks") / "s.fcs", n=333)


@pytest.mark.parametrize("block", [8, 72, 4096])
@given(strategy())
@settings(max_examples=12, deadline=None)
def test_size_of_a_block(sample: Sample, block: int, tree: GatingStrategy) -> None:
    expected = tree.apply(sample)
    with pytest.MonkeyPatch.context() as patch:
        # compiled code holds the constant; the same code uncompiled looks it up
        patch.setattr(engine, "run", engine.run.py_func)
        patch.setattr(engine, "BLOCK", block)
        patch.setattr(apply, "_PIECE", 1)
        found = tree.apply(sample)
    assert np.array_equal(found.n_inside, expected.n_inside)
    assert np.array_equal(found.n_undefined, expected.n_undefined)
    for path in tree.paths:
        assert np.array_equal(found.membership(path), expected.membership(path)), path


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return small_sample(tmp_path_factory.mktemp("several") / "s.fcs", n=5 * engine.BLOCK + 77)


@given(strategy())
@settings(max_examples=25, deadline=None)
def test_pieces_and_threads(several: Sample, tree: GatingStrategy) -> None:
    expected = tree.apply(several)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "_WORTH_A_THREAD", 100)
        patch.setattr(apply, "_PIECE", 1)
        for threads in (1, 2, 3):
            found = tree.apply(several, threads=threads)
            assert np.array_equal(found.n_undefined, expected.n_undefined)
            for population in tree.paths:
                assert np.array_equal(found.membership(population), expected.membership(population)), population


def test_compensation_of_few_events_is_of_their_own_block(several: Sample) -> None:
    # below a rare parent single events are compensated, and what one block knows of them is not true of the next
    scatter = several.events[:, several.names.index("FSC-A")]
    low, high = np.quantile(scatter, [0.45, 0.52])
    a, b, c = (Dimension(name, "FCS", "asinh") for name in "ABC")
    share = Dimension(Ratio("A", "B", 1.0, 0.0, 0.0), "FCS")
    tree = GatingStrategy(
        "rare",
        (
            Population("rare", "root", RectangleGate((Limits(Dimension("FSC-A"), low, high),))),
            Population("bright", "rare", RectangleGate((Limits(a, 0.55, None),))),
            Population("drawn", "rare", PolygonGate((b, c), ((0.3, 0.3), (0.9, 0.4), (0.8, 0.9), (0.4, 0.7)))),
            Population("share", "rare", RectangleGate((Limits(share, 0.5, 2.0),))),
        ),
        TRANSFORMS,
    )
    result = tree.apply(several)
    for path, (members, undefined) in membership(tree, several).items():
        assert np.array_equal(result.membership(path), members), path
        assert result.n_undefined[tree.paths.index(path)] == undefined
    counts = result.counts.set_index("name")["count"]
    assert 0.05 < counts["rare"] / several.n_events < 0.09
    assert ((counts > 20) & (counts <= counts["rare"])).all()
