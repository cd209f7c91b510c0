"""A small run of the study of bias and coverage of censored models (docs/validation has the large one)."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def study(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("serum")


def test_half_below_the_limit(study: ModuleType) -> None:
    table = study.study(24, 1, (50,)).set_index(["quantity", "method"])
    # of 24 trials the standard error of a bias is 0.05 SD or less, that of a coverage 4.4 points
    for quantity in ("mean", "level", "change", "difference"):
        line = table.loc[(quantity, "censored")]
        assert abs(line["bias_sd"]) < 0.05 + 3 * 0.05
        assert line["coverage_percent"] >= 95 - 3 * 4.4
        assert line["refused_percent"] <= 20


def test_nearly_all_below_the_limit_is_refused_where_substitution_is_wrong(study: ModuleType) -> None:
    table = study.study(8, 1, (90,)).set_index(["quantity", "method"])
    assert table.loc[("mean", "censored"), "refused_percent"] == 100
    assert table.loc[("difference", "censored"), "refused_percent"] == 100
    assert table.loc[("mean", "LOD/2"), "bias_sd"] > 0.3
    assert table.loc[("mean", "LOD/2"), "coverage_percent"] < 50
