"""Stated intervals of cuts hold about as often as they say: a small version of validation/gate_coverage.py."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.methods import METHODS
from il2cyto.gating.learning import LearnRule

RNG = np.random.default_rng(1)
WHOLE = np.concatenate([RNG.normal(0.2, 0.06, 70_000), RNG.normal(0.7, 0.08, 30_000)])


def learn(method: str, values: np.ndarray, seed: int) -> Estimated | NotEstimable:
    tube = LearningTube("t", "sample", values[:, None])
    template = Template(np.array([0.45]), ((-0.2, 1.1),))
    return METHODS[method]([tube], LearnRule(method, "cells", min_events=1), template, np.random.default_rng(seed))


@pytest.mark.parametrize("method", ["valley", "mixture"])
def test_intervals_hold(method: str) -> None:
    whole = learn(method, WHOLE, 0)
    assert isinstance(whole, Estimated)
    rng = np.random.default_rng(2)
    places, widths, held = [], [], 0
    for k in range(100):
        found = learn(method, WHOLE[rng.integers(0, len(WHOLE), 1_000)], k)
        assert isinstance(found, Estimated)
        deviation = float(found.draws[:, 0].std())
        held += abs(found.place[0] - whole.place[0]) <= 1.96 * deviation
        places.append(found.place[0])
        widths.append(3.92 * deviation)
    # a binomial of 100 with 0.95 leaves 88 to 100 in 999 of 1,000 cases
    assert held >= 87
    assert np.median(widths) / np.subtract(*np.quantile(places, [0.975, 0.025])) < 1.6


@pytest.mark.parametrize("n", [200, 50])
def test_few_events_have_no_valley_and_say_why(n: int) -> None:
    found = learn("valley", WHOLE[np.random.default_rng(3).integers(0, len(WHOLE), n)], 1)
    assert isinstance(found, NotEstimable)
    assert found.reason == f"{n} events are too few for a valley, which takes 500"
