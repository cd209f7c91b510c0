"""Exact and log-normal limits against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from il2cyto.counts import intervals


@pytest.mark.parametrize(
    ("events", "lower", "upper"),
    # published exact 95 % limits of a Poisson count (Garwood 1936, as tabulated by Ulm 1990)
    [(0, 0.0, 3.69), (1, 0.025, 5.57), (3, 0.619, 8.77), (10, 4.80, 18.39), (20, 12.22, 30.89), (100, 81.36, 121.63)],
)
def test_poisson_limits_are_the_published_ones(events: int, lower: float, upper: float) -> None:
    low, high = intervals.poisson_limits(events)
    assert float(low) == pytest.approx(lower, abs=0.006)
    assert float(high) == pytest.approx(upper, abs=0.006)


def test_poisson_limits_leave_the_tails_of_their_definition() -> None:
    n = np.arange(1, 30)
    low, high = intervals.poisson_limits(n)
    np.testing.assert_allclose(stats.poisson.sf(n - 1, low), 0.025, rtol=1e-10)
    np.testing.assert_allclose(stats.poisson.cdf(n, high), 0.025, rtol=1e-10)


@pytest.mark.parametrize(("events", "parent"), [(0, 10), (10, 10), (4, 20), (29, 5000), (1, 12_500)])
def test_binomial_limits_are_those_of_scipy(events: int, parent: int) -> None:
    low, high = intervals.binomial_limits(events, parent)
    expected = stats.binomtest(events, parent).proportion_ci(method="exact")
    assert float(low) == pytest.approx(expected.low, rel=1e-6, abs=1e-15)
    assert float(high) == pytest.approx(expected.high, rel=1e-6)


def test_ratio_limits_become_garwoods_with_many_beads_and_turn_round_with_the_counts() -> None:
    low, high = intervals.ratio_limits(7, 1e9)
    exact = intervals.poisson_limits(7)
    np.testing.assert_allclose((low * 1e9, high * 1e9), exact, rtol=1e-6)
    low, high = intervals.ratio_limits(12, 17)
    turned = intervals.ratio_limits(17, 12)
    np.testing.assert_allclose((low, high), (1 / turned[1], 1 / turned[0]), rtol=1e-12)


def test_ratio_limits_hold_the_tails_of_the_conditional_binomial() -> None:
    low, high = intervals.ratio_limits(5, 20)
    assert stats.binom.sf(4, 25, low / (1 + low)) == pytest.approx(0.025, rel=1e-9)
    assert stats.binom.cdf(5, 25, high / (1 + high)) == pytest.approx(0.025, rel=1e-9)


def test_the_rule_changes_at_thirty_events() -> None:
    z = intervals.Z95
    low, high = intervals.event_limits([29, 30])
    np.testing.assert_allclose(low, [intervals.poisson_limits(29)[0], 30 * np.exp(-z / np.sqrt(30))])
    np.testing.assert_allclose(high, [intervals.poisson_limits(29)[1], 30 * np.exp(z / np.sqrt(30))])
    low, _ = intervals.share_limits([29, 30], 1000)
    np.testing.assert_allclose(low, [intervals.binomial_limits(29, 1000)[0], 0.03 * np.exp(-z * np.sqrt(0.97 / 30))])


def test_a_share_of_nearly_all_is_exact_because_few_are_outside() -> None:
    np.testing.assert_array_equal(intervals.share_limits(990, 1000), intervals.binomial_limits(990, 1000))


def test_combining_log_normal_limits_adds_the_variances() -> None:
    point, counting, other = 50.0, 0.1, 0.07
    factor = np.exp(intervals.Z95 * counting)
    half = intervals.Z95 * other
    low, high = intervals.combine_limits(point, point / factor, point * factor, half, half)
    total = np.exp(intervals.Z95 * np.hypot(counting, other))
    np.testing.assert_allclose((low, high), (point / total, point * total))


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.2])
def test_the_upper_limit_of_nothing_is_that_of_the_mixed_poisson(sigma: float) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights /= weights.sum()
    truth = brentq(lambda c: float(weights @ np.exp(-c * np.exp(sigma * nodes))) - 0.025, 1.0, 20.0)
    half = intervals.Z95 * sigma
    low, high = intervals.combine_limits(0.0, *intervals.poisson_limits(0), half, half)
    assert float(low) == 0.0
    assert float(high) == pytest.approx(truth, rel=2e-3)


@given(
    events=st.integers(0, 100_000),
    beads=st.integers(1, 100_000),
    cv=st.floats(0, 0.5),
)
def test_limits_hold_the_point_are_never_negative_and_widen(events: int, beads: int, cv: float) -> None:
    low, high = intervals.ratio_limits(events, beads)
    half = intervals.Z95 * cv
    wide_low, wide_high = intervals.combine_limits(events / beads, low, high, half, half)
    assert 0 <= float(wide_low) <= float(low) * (1 + 1e-12)
    assert float(low) <= events / beads <= float(high)
    assert float(high) <= float(wide_high) * (1 + 1e-12)
    assert np.isfinite(wide_high)
    assert (float(wide_low) == 0) == (events == 0)
