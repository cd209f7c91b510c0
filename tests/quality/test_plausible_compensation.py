"""What a wrong matrix leaves in a tube is told, and what a right one leaves is not."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.quality.compensation import judge_compensation

NAMES = ["A", "B", "C"]


def cells(seed: int = 0, n: int = 20_000) -> np.ndarray:
    """Three dyes: A and B on cells of their own, C on those of A as well, correlated by size."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 0.2, n))
    kind = rng.integers(0, 3, n)
    a = np.where(kind == 0, 10_000 * size * np.exp(rng.normal(0, 0.2, n)), 0.0)
    b = np.where(kind == 1, 15_000 * size * np.exp(rng.normal(0, 0.2, n)), 0.0)
    c = np.where(kind == 0, 3_000 * size * np.exp(rng.normal(0, 0.3, n)), 0.0)
    return np.column_stack([a, b, c])


def measured(dyes: np.ndarray, spill: np.ndarray, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    light = dyes @ spill
    return light + rng.normal(0, 1, light.shape) * (60 + 2 * np.sqrt(np.abs(light)))


SPILL = np.array([[1.0, 0.2, 0.05], [0.1, 1.0, 0.1], [0.02, 0.05, 1.0]])


@pytest.mark.parametrize("seed", range(6))
def test_a_right_matrix_raises_no_doubt(seed: int) -> None:
    found = judge_compensation(measured(cells(seed), SPILL, seed) @ np.linalg.inv(SPILL), NAMES)
    assert found.doubts == ()
    assert found.n_pairs == 6


@pytest.mark.parametrize("error", [0.05, 0.1])
@pytest.mark.parametrize(("source", "detector"), [(0, 1), (1, 0), (1, 2)])
def test_a_wrong_coefficient_is_told_with_its_size(source: int, detector: int, error: float) -> None:
    for sign, kind in ((1, "over"), (-1, "under")):
        matrix = SPILL.copy()
        matrix[source, detector] += sign * error
        found = judge_compensation(measured(cells(), SPILL) @ np.linalg.inv(matrix), NAMES)
        [doubt] = [d for d in found.doubts if (d.source, d.detector) == (NAMES[source], NAMES[detector])]
        assert doubt.kind == kind
        assert doubt.slope == pytest.approx(-sign * error, rel=0.35)


def test_two_markers_on_the_same_cells_are_no_spillover() -> None:
    # C rises with A to 0.3 of it: the level, but not the slope among the bright ones
    found = judge_compensation(measured(cells(), SPILL) @ np.linalg.inv(SPILL), NAMES)
    assert not [d for d in found.doubts if {d.source, d.detector} == {"A", "C"}]


def test_the_spread_is_what_was_put_in() -> None:
    rng = np.random.default_rng(3)
    dye = np.where(rng.random(40_000) < 0.5, 10_000.0, 0.0) + rng.normal(0, 30, 40_000)
    # variance of the other detector grows by 1.5² per unit of the dye
    other = rng.normal(0, 1, 40_000) * np.sqrt(50.0**2 + 1.5**2 * np.maximum(dye, 0))
    found = judge_compensation(np.column_stack([dye, other]), ["A", "B"])
    assert found.spread == pytest.approx(1.5, rel=0.1)
    assert found.spread_pair == ("A", "B")


def test_nothing_to_judge_says_why() -> None:
    assert judge_compensation(np.zeros((10, 2)), ["A", "B"]).reason == "10 events are fewer than 1000"
    noise = np.random.default_rng(1).normal(size=(5_000, 2))
    assert judge_compensation(noise, ["A", "B"]).reason == "no dye has bright and dim events"
