"""What is how it is run changes no result: the size of blocks, the pieces that a file is read in, the threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from random_strategies import small_sample, strategy

from il2cyto.gating import GatingStrategy, apply
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
