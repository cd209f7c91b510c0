"""The command that measures recovery: its arithmetic on a table made by hand, and one small trial from end to end."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from il2cyto.simulate import DEMO


@pytest.fixture(scope="module")
def recovery(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("recovery")


def by_hand() -> pd.DataFrame:
    """Treg of one treated and one untreated child: true and found, with a zero and a visit that was missed."""
    rows = [
        # subject, arm, visit, truth, put in, found, lower, upper
        ("P1", "IL2", "BL", 20.0, 1.0, 22.0, 18.0, 26.0),
        ("P1", "IL2", "M1", 40.0, 2.5, 44.0, 41.0, 48.0),
        ("P2", "STD", "BL", 30.0, 1.0, 27.0, 22.0, 33.0),
        ("P2", "STD", "M1", 30.0, 1.1, 0.0, 0.0, 1.0),
        ("P2", "STD", "M3", 33.0, 1.1, 36.3, 30.0, 42.0),
    ]
    names = ["subject", "arm", "visit", "cells_per_ul", "fold_put_in", "found", "lower", "upper"]
    both = pd.DataFrame(rows, columns=names).assign(
        tube="TREG", name="Treg", count=100, faulty=False, lymphopenic=False
    )
    before = both["subject"].map({"P1": 20.0, "P2": 30.0})
    return both.assign(
        fold_to_baseline=both["cells_per_ul"] / before,
        log_ratio=np.log(both["found"].where(both["found"] > 0) / both["cells_per_ul"]),
        held=both["cells_per_ul"].between(both["lower"], both["upper"]),
    )


def test_bias_and_coverage_of_a_table_made_by_hand(recovery: ModuleType) -> None:
    (row,) = recovery.recovery(by_hand()).to_dict("records")
    # ratios 1.1, 1.1, 0.9 and 1.1; the zero has no logarithm; three of five intervals hold the truth
    assert row["bias"] == pytest.approx(100 * ((1.1 * 1.1 * 0.9 * 1.1) ** 0.25 - 1))
    assert row["coverage"] == 60.0
    assert row["n"] == 5


def test_folds_of_a_table_made_by_hand(recovery: ModuleType) -> None:
    folds = recovery.folds(by_hand()).set_index(["arm", "visit"])
    assert folds.loc[("IL2", "M1"), "fold_put_in"] == pytest.approx(2.5)
    assert folds.loc[("IL2", "M1"), "fold_to_baseline"] == pytest.approx(2.0)
    assert folds.loc[("IL2", "M1"), "fold_found"] == pytest.approx(2.0)
    assert folds.loc[("STD", "M3"), "fold_found"] == pytest.approx(36.3 / 27)
    assert folds.loc[("STD", "M3"), "error"] == pytest.approx(100 * (36.3 / 27 / 1.1 - 1))
    # a count of zero has no fold
    assert ("STD", "M1") not in folds.index


def test_what_is_marked(recovery: ModuleType) -> None:
    assert recovery._mark(6.0, 1.0, 95.0) == "bias"
    assert recovery._mark(6.0, 4.0, 95.0) == ""
    assert recovery._mark(1.0, 1.0, 80.0) == "coverage"


def test_a_small_separable_trial_is_recovered(recovery: ModuleType) -> None:
    design = DEMO.__class__(
        n_subjects=2, visits=("BL", "M1"), missing_visits=0, lymphocytes=4_000, tbnk_lymphocytes=4_000
    )
    both, line = recovery.run_trials(design, [20200815], jobs=1)
    assert line.startswith("16 tubes:")
    assert not both["faulty"].any()
    # every population with cells/µL, at both visits of both children
    assert both.groupby(["tube", "population"]).size().eq(4).all()
    assert both["name"].nunique() > 45
    large = both[both["count"] >= 100]
    assert large["held"].mean() > 0.85
    assert abs(large["log_ratio"]).max() < 0.35
    treg = both[(both["name"] == "Treg") & (both["subject"] == "P001")].set_index("visit")
    assert treg.loc["M1", "fold_put_in"] > 1.3
    text = recovery.page(both, "command", line)
    assert "## Sound tubes" in text
    assert "Lymphopenic" not in text.split("## Folds")[0].split("## Sound tubes")[1]
    assert "| `Treg` | IL2 | M1 | 1 |" in text
