from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.report.numbers import compact, three_digits, words


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0, "0"),
        (0.00123456, "0.00123"),
        (0.5, "0.500"),
        (5.0, "5.00"),
        (9.994, "9.99"),
        (9.995001, "10.0"),
        (99.95, "100"),
        (123.4, "123"),
        (999.5, "1,000"),
        (1225.0, "1,230"),
        (1234567.0, "1,230,000"),
        (-12.34, "-12.3"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (np.int64(7), "7.00"),
    ],
)
def test_three_digits(value, printed):
    assert three_digits(value) == printed


@given(st.floats(1e-6, 1e9))
def test_three_digits_are_within_half_of_the_last_digit(value):
    printed = float(three_digits(value).replace(",", ""))
    assert abs(printed - value) <= 0.5001 * 10 ** (math.floor(math.log10(value)) - 2)


def test_compact():
    assert [compact(x) for x in (12.3456789, 3.0, np.nan, pd.NA, np.inf, 0.000012345678)] == [
        12.346,
        3,
        None,
        None,
        None,
        1.2346e-05,
    ]
    assert compact(123456789, digits=12) == 123456789


def test_words():
    assert [words(x) for x in (None, np.nan, pd.NA, "a", 2.0, 2.5, np.bool_(False), 3)] == [
        "",
        "",
        "",
        "a",
        "2",
        "2.5",
        "no",
        "3",
    ]
