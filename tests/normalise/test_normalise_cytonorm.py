"""Normalised public controls beside what R CytoNorm made of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.reference
def test_medians_reach_those_of_cytonorm(reference: Path) -> None:
    path = Path(__file__).parents[2] / "validation" / "normalisation.py"
    spec = importlib.util.spec_from_file_location("normalisation", path)
    assert spec is not None
    assert spec.loader is not None
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    batches = study.read_batches(reference / "qc-and-batch")
    assert len(batches.channels) == 37
    assert sorted(batches.learn) == sorted(batches.cytonorm) == ["1", "2", "3"]
    table = study.compare(batches).set_index("method")
    before, after = table.loc["none (before)"], table.loc["quantiles"]
    assert before["mean"] == pytest.approx(0.0768, abs=0.0001)
    assert before["max"] == pytest.approx(0.5269, abs=0.0001)
    assert after["mean"] < 0.0002
    assert after["max"] < 0.001
    assert after["event_median"] < 0.0001
    share, near, _ = study.ends(batches)
    assert share > 0.98
    assert near < 0.1
    # the batches come together as far as with CytoNorm
    assert after["spread_mean"] == pytest.approx(table.loc["R CytoNorm", "spread_mean"], abs=0.0005)
    assert after["spread_mean"] < 0.55 * before["spread_mean"]
    # clusters are another method: nearer than before, not the same
    assert table.loc["quantiles in 5 clusters", "mean"] < 0.03
