"""A small run of the study of errors and coverage of the model over visits (docs/validation has the large one)."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("mmrm")


@pytest.mark.parametrize("number", [0, 1, 2, 6, 10])
def test_errors_and_coverage_are_nominal(study: ModuleType, number: int) -> None:
    trials = 150
    table = study.study(trials, 1, study.SCENARIOS[number : number + 1])
    # four standard errors of the Monte-Carlo estimate
    room = 4 * 100 * np.sqrt(0.05 * 0.95 / trials)
    assert (np.abs(table["p_below_0.05_percent"] - 5) < room).all()
    assert (np.abs(table["coverage_percent"] - 95) < room).all()
    assert (table["no_estimate_percent"] == 0).all()
    assert (table["bias"].abs() < 0.06).all()


def test_power_rises_with_the_fold(study: ModuleType) -> None:
    table = study.study(40, 1, study.SCENARIOS[-3:])
    last = table[table["visit"] == "last"]["p_below_0.05_percent"].to_numpy()
    assert last[0] < last[1] < last[2]
    assert last[2] > 90
