"""A small version of the coverage study that ``validation/change_intervals.py`` runs in full."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

PAIRS = 2000


@pytest.fixture(scope="module")
def coverage(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("change_intervals")


def test_limits_of_changes_cover_the_change_of_the_blood(coverage: ModuleType) -> None:
    lines = list(coverage.study(PAIRS, seed=7))
    assert len(lines) == len(coverage.ROUTES) * len(coverage.SIZES) * len(coverage.FOLDS)
    assert "Coverage" in coverage.page(lines, PAIRS, 7)
    error = lines[0].standard_error
    for line in lines:
        assert min(line.ratio, line.difference) >= 0.95 - 3.5 * error, line
        if line.cells_per_ul >= 200:
            assert max(line.ratio, line.difference) <= 0.95 + 3.5 * error, line


def test_a_shared_lot_that_is_left_in_would_be_seen(coverage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a large lot error, limits that keep a shared lot cover too much, and limits that drop another too little."""
    monkeypatch.setattr(coverage, "ERRORS", coverage.ErrorModel(cv_lot=0.2))
    visit = coverage.beads(0.2)

    def covered(one_lot: bool, told: bool) -> float:
        rng = np.random.default_rng(3)
        lots = coverage._factor(rng, 0.2, PAIRS)
        base = visit(rng, 200.0, lots)
        now = visit(rng, 400.0, lots if one_lot else coverage._factor(rng, 0.2, PAIRS))
        same = np.full(PAIRS, told)
        return float(coverage._covered(coverage.ratio_to_baseline(now, base, same), 2.0).mean())

    assert covered(one_lot=True, told=False) > 0.999
    assert covered(one_lot=False, told=True) < 0.6
    assert 0.93 < covered(one_lot=True, told=True) < 0.97
    assert 0.93 < covered(one_lot=False, told=False) < 0.97
