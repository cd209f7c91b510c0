"""Bounds of a result and bounds of an argument."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import ParameterError
from il2cyto.transforms import Arcsinh, Bounded, Clamped, Linear, Log, Logicle, Transform, transform_from_dict

INNER: list[Transform | None] = [
    None, Linear(100.0, 10.0), Log(1000.0, 3.0), Arcsinh(1000.0, 4.0, 1.0), Logicle(1000.0, 0.5, 4.5, 0.0),
    Bounded(Linear(100.0), 0.1, 0.8),
]  # fmt: skip
X = np.array([-np.inf, -500.0, -1.0, -0.0, 1e-300, 0.5, 1.0, 2.0, 50.0, 999.0, 1e6, np.inf])


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize(("low", "high"), [(0.5, 60.0), (None, 60.0), (0.5, None), (-2.0, 2.0), (2.0, 2.0)])
def test_it_is_the_inner_transform_of_what_the_bounds_let_through(
    inner: Transform | None, low: float | None, high: float | None
) -> None:
    clipped = np.clip(X, -np.inf if low is None else low, np.inf if high is None else high)
    expected = clipped if inner is None else inner.apply(clipped)
    clamped = Clamped(inner, low, high)
    assert np.array_equal(clamped.apply(X), expected, equal_nan=True)
    assert np.isnan(clamped.apply(np.nan))
    defined = clamped.domain_minimum <= X
    assert np.array_equal(defined, expected > -np.inf)
    assert transform_from_dict(clamped.to_dict()) == clamped


@pytest.mark.parametrize("inner", INNER)
@given(y=st.floats(-2, 100))
def test_a_limit_moves_to_the_linear_scale(inner: Transform | None, y: float) -> None:
    clamped = Clamped(inner, 0.5, 60.0)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(clamped.smallest_reaching(y) <= X, clamped.apply(X) >= y) or y > clamped.top


def test_nothing_defined_is_refused() -> None:
    with pytest.raises(ParameterError, match="nothing below it is defined"):
        Clamped(Log(1000.0, 3.0), None, -1.0)
    with pytest.raises(ParameterError, match="wants a minimum"):
        Clamped(None)
    with pytest.raises(ParameterError, match=r"boundMin 2.0 is above boundMax 1.0"):
        Clamped(None, 2.0, 1.0)
    with pytest.raises(ParameterError, match="wants a minimum"):
        transform_from_dict({"type": "identity"})


def test_a_bound_below_makes_minus_infinity_defined() -> None:
    assert Bounded(Log(1000.0, 3.0), 0.25).domain_minimum == 0.0
    assert Bounded(Log(1000.0, 3.0), 0.25).apply([0.0, -1.0]).tolist()[0] == 0.25
    assert math.isnan(Bounded(Log(1000.0, 3.0), 0.25).apply(-1.0))
    assert Bounded(Linear(100.0), 0.25).domain_minimum == -math.inf
    assert Bounded(Linear(100.0), None, 0.5).domain_minimum == -float(np.finfo(np.float64).max)
