"""Gating a part of the events: as if the others were not in the file, but for their places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.errors import ParameterError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import BooleanGate, Dimension, Limits, Operand, RectangleGate
from il2cyto.gating import GatingStrategy, Population
from il2cyto.sample import Sample

N = 3_003


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    values = np.random.default_rng(1).normal(size=(N, 2)).astype(np.float32)
    values[::50, 1] = np.nan
    path = tmp_path_factory.mktemp("kept") / "a.fcs"
    write_fcs(values, path, channels=["A", "B"])
    return read_fcs(path)


def tree() -> GatingStrategy:
    def above(name: str) -> RectangleGate:
        return RectangleGate((Limits(Dimension(name), 0.0, None),))

    return GatingStrategy(
        "kept",
        (
            Population("A+", "", gate=above("A")),
            Population("A-", "", gate=above("A"), complement=True),
            Population("B+", "A+", gate=above("B")),
            Population("A-or-B+", "", gate=BooleanGate("or", (Operand("A-"), Operand("A+/B+")))),
        ),
    )


ranges = st.lists(st.integers(0, N // 8), min_size=2, max_size=8, unique=True).map(
    lambda edges: tuple((8 * a, 8 * b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False) if a < b)
)


@given(ranges, st.integers(1, 3))
@settings(max_examples=60)
def test_kept_events_are_gated_as_they_are_in_the_whole(
    sample: Sample, kept: tuple[tuple[int, int], ...], threads: int
) -> None:
    whole, part = tree().apply(sample), tree().apply(sample, kept=kept, threads=threads)
    inside = np.zeros(N, dtype=bool)
    for first, stop in kept:
        inside[first:stop] = True
    assert part.n_root == inside.sum()
    assert np.array_equal(part.membership("root"), inside)
    for path in part.strategy.paths:
        assert np.array_equal(part.membership(path), whole.membership(path) & inside), path
    counts = part.counts.set_index("population")
    for path in part.strategy.paths:
        assert counts.loc[path, "count"] == (whole.membership(path) & inside).sum()
    assert counts.loc["A+", "parent_count"] == inside.sum()
    lost = np.isnan(sample.events[:, 1]) & inside & whole.membership("A+")
    assert counts.loc["A+/B+", "n_undefined"] == lost.sum()


def test_everything_and_nothing(sample: Sample) -> None:
    whole = tree().apply(sample)
    assert whole.kept is None
    assert whole.n_root == N
    again = tree().apply(sample, kept=((0, N),))
    assert np.array_equal(again.packed, whole.packed)
    none = tree().apply(sample, kept=())
    assert none.counts["count"].tolist() == [0, 0, 0, 0]
    assert none.counts["percent_parent"].isna().all()


@pytest.mark.parametrize(
    "kept", [((1, 16),), ((0, 12),), ((16, 8),), ((8, 16), (0, 8)), ((0, 16), (8, 24)), ((0, N + 5),)]
)
def test_ranges_that_cannot_be_are_refused(sample: Sample, kept: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ParameterError, match=r"wanted ranges of the 3003 events"):
        tree().apply(sample, kept=kept)
