"""A small version of the coverage study that ``validation/count_intervals.py`` runs in full."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

TUBES = 2000


@pytest.fixture(scope="module")
def coverage(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("count_intervals")


def test_limits_cover_the_blood_they_were_drawn_from(coverage: ModuleType) -> None:
    cells = list(coverage.study(TUBES, seed=7))
    assert len(cells) == len(coverage.ROUTES) * len(coverage.SIZES)
    assert min(cell.expected_events for cell in cells) < 3
    assert max(cell.expected_events for cell in cells) >= 10_000
    error = (0.95 * 0.05 / TUBES) ** 0.5
    for cell in cells:
        assert cell.coverage >= 0.95 - 3 * error, cell
        if cell.expected_events >= 30:
            assert 0.93 <= cell.coverage <= 0.97, cell
        else:
            assert cell.coverage <= max(0.97, cell.garwood) + 3 * error, cell


def test_a_wrong_error_model_would_be_seen(coverage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = coverage.volumetric(10.0)
    original = coverage.by_volume
    monkeypatch.setattr(coverage, "by_volume", lambda cells, volume_ul, cv: original(cells, volume_ul, 0 * cv))
    estimates, _ = draw(coverage.np.random.default_rng(1), TUBES, 1000.0)
    covered = ((estimates.lower <= 1000) & (estimates.upper >= 1000)).mean()
    assert covered < 0.6


def test_the_page_counts_its_lines(coverage: ModuleType) -> None:
    cells = list(coverage.study(50, seed=1))[:2]
    text = coverage.page(cells, 50, 1)
    assert "Of 2 lines" in text
    assert "--tubes 50 --seed 1" in text
    assert text.count("| beads, 10,000 beads |") == 2
