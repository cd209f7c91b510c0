from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from il2cyto.pl.summary import geometric_mean, summarise_arms


def test_arms_by_hand():
    rows = pd.DataFrame(
        [
            ("A", "V1", 10.0),
            ("A", "V1", 20.0),
            ("A", "V1", 40.0),
            ("A", "V1", math.nan),
            ("A", "V2", 0.0),
            ("A", "V2", 8.0),
            ("B", "V1", 4.0),
            ("B", "V1", 9.0),
            ("B", "V2", math.nan),
        ],
        columns=["arm", "visit", "cells_per_ul"],
    )
    found = summarise_arms(rows)
    assert found[["arm", "visit", "n", "n_zero"]].values.tolist() == [
        ["A", "V1", 3, 0],
        ["A", "V2", 2, 1],
        ["B", "V1", 2, 0],
        ["B", "V2", 0, 0],
    ]
    assert found["geometric_mean"].tolist() == pytest.approx([20.0, math.nan, 6.0, math.nan], nan_ok=True)
    # ln 2 apart: s = ln 2, t(2 df, 0.975) = 4.302653
    half = 4.302652729749462 * math.log(2) / math.sqrt(3)
    assert found["lower"].tolist() == pytest.approx([20 * math.exp(-half)] + [math.nan] * 3, nan_ok=True)
    assert found["upper"].tolist() == pytest.approx([20 * math.exp(half)] + [math.nan] * 3, nan_ok=True)
    assert found["median"].tolist() == pytest.approx([20.0, 4.0, 6.5, math.nan], nan_ok=True)


def test_equal_values_have_an_interval_of_no_width():
    assert geometric_mean(np.full(5, 7.0)) == pytest.approx((7.0, 7.0, 7.0))


def test_no_values():
    assert all(math.isnan(value) for value in geometric_mean(np.array([])))
