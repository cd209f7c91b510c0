"""Events divided over subsets, and thresholds that count them, against sums over all combinations."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from il2cyto.kernels.subsets import divide, miscounted


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_events_are_divided_by_their_probabilities(k: int) -> None:
    rng = np.random.default_rng(k)
    cells = rng.integers(0, 16, (200, k))
    weights = rng.poisson(1.0, 200).astype(float)
    halves = rng.random((k, 2, 16))
    # an event that belongs nowhere is nobody's
    halves[0, :, 3] = 0.0
    share = rng.dirichlet(np.ones(2**k))
    total, sides = divide(cells, weights, halves, share)
    wanted, low_high = np.zeros(2**k), np.zeros((k, 2, 16))
    for event, weight in zip(cells, weights, strict=True):
        parts = np.array(
            [
                share[s] * np.prod([halves[a, digit, event[a]] for a, digit in enumerate(digits)])
                for s, digits in enumerate(product((0, 1), repeat=k))
            ]
        )
        if parts.sum() == 0:
            continue
        parts *= weight / parts.sum()
        wanted += parts
        for s, digits in enumerate(product((0, 1), repeat=k)):
            for a, digit in enumerate(digits):
                low_high[a, digit, event[a]] += parts[s]
    np.testing.assert_allclose(total, wanted, rtol=1e-12)
    np.testing.assert_allclose(sides, low_high, rtol=1e-9, atol=1e-12)


def test_the_cost_of_thresholds_by_hand() -> None:
    # one axis from 0 to 4 in four cells; low cells are in the first two, high ones in the last two
    below = np.array([[[0.0, 0.5, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.5, 1.0]]])
    share = np.array([0.8, 0.2])
    low, width, target = np.array([0.0]), np.array([1.0]), np.array([1])
    assert miscounted(np.array([2.0]), low, width, below, share, target, 0.01, 500.0) == 0.0
    # at 1.5 a quarter of the low ones is counted as high: 0.2 + 0.2 instead of 0.2
    off = np.log(2.0) - 0.01
    cost = 1 - 2 * 0.2 / (0.4 + 0.2) + 500 * off**2
    assert miscounted(np.array([1.5]), low, width, below, share, target, 0.01, 500.0) == pytest.approx(cost, rel=1e-12)
    # at 3 half of the high ones is lost; beyond the last border everything is low
    off = np.log(2.0) - 0.01
    cost = 1 - 2 * 0.1 / (0.1 + 0.2) + 500 * off**2
    assert miscounted(np.array([3.0]), low, width, below, share, target, 0.01, 500.0) == pytest.approx(cost, rel=1e-12)
    assert miscounted(np.array([9.0]), low, width, below, share, target, 0.01, 500.0) > 1000
