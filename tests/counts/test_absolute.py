"""One worked count per route, computed by hand, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.counts import AbsoluteCount, chained, from_alc, from_beads, from_volume
from il2cyto.errors import ParameterError
from il2cyto.study.model import ErrorModel

ERRORS = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
NO_ERRORS = ErrorModel(cv_pipetting=0.0, cv_lot=0.0, cv_volume=0.0, cv_alc=0.0)
Z = 1.959963984540054


def check(count: AbsoluteCount, value: float, cv: float, route: str) -> None:
    assert count.value == pytest.approx(value, rel=1e-12)
    assert count.cv == pytest.approx(cv, rel=1e-12)
    assert count.lower == pytest.approx(value * math.exp(-Z * cv), rel=1e-12)
    assert count.upper == pytest.approx(value * math.exp(Z * cv), rel=1e-12)
    assert count.route == route


def test_beads() -> None:
    # 2,500 CD4 and 10,000 beads of a tube with 51,300 beads and 50 µL of blood diluted twofold
    cv = math.sqrt(1 / 2500 + 1 / 10_000 + 0.03**2 + 0.02**2)
    check(from_beads(2500, 10_000, 51_300, 50, 2, ERRORS), 513.0, cv, "beads")


def test_beads_with_few_cells_use_garwood() -> None:
    # 20 events have the published limits 12.22–30.89; a million beads and no other errors add nothing
    count = from_beads(20, 1_000_000, 1_000_000, 1, 1, NO_ERRORS)
    assert (count.value, round(count.lower, 2), round(count.upper, 2)) == (20.0, 12.22, 30.89)
    # with CV 0.05 the distances to the limits, ln(20/12.22) and ln(30.89/20), grow in quadrature by 1.96 · 0.05
    wider = from_beads(20, 1_000_000, 1_000_000, 1, 1, ErrorModel(0.03, 0.04, 0.0, 0.0))
    half = Z * 0.05
    assert wider.lower == pytest.approx(20 * math.exp(-math.hypot(math.log(20 / count.lower), half)), rel=1e-12)
    assert wider.upper == pytest.approx(20 * math.exp(math.hypot(math.log(count.upper / 20), half)), rel=1e-12)


def test_no_cells_have_an_upper_limit_of_four_events() -> None:
    count = from_beads(0, 10_000, 10_000, 1, 1, NO_ERRORS)
    assert (count.value, count.lower) == (0.0, 0.0)
    assert count.upper == pytest.approx(3.69, abs=0.005)
    assert math.isnan(count.cv)
    assert from_beads(0, 10_000, 10_000, 1, 1, ERRORS).upper > count.upper


def test_volume() -> None:
    # 600 events in 100 µL of blood diluted tenfold: 10 µL of blood
    check(from_volume(600, 100, 10, ERRORS), 60.0, math.sqrt(1 / 600 + 0.03**2), "volumetric")


def test_lymphocyte_count() -> None:
    # 48 % of 10,000 lymphocytes, 1.5 · 10⁹/L
    check(from_alc(4800, 10_000, 1500, ERRORS), 720.0, math.sqrt(0.52 / 4800 + 0.04**2), "dual")


def test_chain() -> None:
    # lymphopenic child: CD4 250/µL, 625 Treg are 5 % of 12,500 CD4: 12.5/µL
    parent = from_beads(2500, 10_000, 50_000, 50, 1, ERRORS)
    check(chained(625, 12_500, parent), 12.5, math.sqrt(parent.cv**2 + 0.95 / 625), "chained")


def test_chain_of_an_uncertain_parent_keeps_its_sides() -> None:
    # almost no error in the share, so the chained limits are the parent's own
    parent = AbsoluteCount(10.0, 4.0, 16.0, 0.3, "beads")
    count = chained(500_000, 1_000_000, parent)
    assert count.lower == pytest.approx(2.0, rel=1e-4)
    assert count.upper == pytest.approx(8.0, rel=1e-4)


def test_chain_of_a_parent_of_zero() -> None:
    parent = AbsoluteCount(0.0, 0.0, 0.4, math.nan, "beads")
    count = chained(50, 100, parent)
    assert (count.value, count.lower) == (0.0, 0.0)
    assert 0.5 * 0.4 < count.upper < 0.4
    assert math.isnan(count.cv)


def test_replicates_sum_cells_and_blood() -> None:
    # tube 1: 300 cells, 5,000 beads = 5 µL; tube 2: 500 cells, 10,000 beads = 10 µL
    count = from_beads([300, 500], [5000, 10_000], 50_000, 50, 1, ERRORS)
    w1, w2 = 1 / 3, 2 / 3
    beads = w1**2 / 5000 + w2**2 / 10_000
    check(count, 800 / 15, math.sqrt(1 / 800 + beads + (w1**2 + w2**2) * 0.03**2 + 0.02**2), "beads")


def test_replicates_average_pipetting_but_not_the_lot() -> None:
    many = 10**9
    pipetting = ErrorModel(0.03, 0.0, 0.0, 0.0)
    lot = ErrorModel(0.0, 0.02, 0.0, 0.0)
    assert from_beads([many] * 4, [many] * 4, 50_000, 50, 1, pipetting).cv == pytest.approx(0.015, rel=1e-3)
    assert from_beads([many] * 4, [many] * 4, 50_000, 50, 1, lot).cv == pytest.approx(0.02, rel=1e-3)
    assert from_volume([many] * 4, 10, 1, ERRORS).cv == pytest.approx(0.03, rel=1e-3)


@given(cells=st.integers(0, 10_000), extra=st.integers(0, 10_000), seed=st.integers(1, 1000))
def test_the_value_is_linear_in_the_factors(cells: int, extra: int, seed: int) -> None:
    beads = 1 + extra
    one = from_beads(cells, beads, 50_000, 50, 1, ERRORS)
    other = from_beads(cells, beads, 50_000 * seed, 50, 1, ERRORS)
    for name in ("value", "lower", "upper"):
        assert getattr(other, name) == pytest.approx(seed * getattr(one, name), rel=1e-9)
    assert from_beads([cells], [beads], [50_000], [50], [1], ERRORS) == one or math.isnan(one.cv)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: from_beads(-1, 10, 50_000, 50, 1, ERRORS), "n_cells = -1"),
        (lambda: from_beads(1.5, 10, 50_000, 50, 1, ERRORS), "n_cells = 1.5"),
        (lambda: from_beads(math.nan, 10, 50_000, 50, 1, ERRORS), "n_cells = nan"),
        (lambda: from_beads(5, 0, 50_000, 50, 1, ERRORS), "n_beads = 0"),
        (lambda: from_beads(5, [10, 0], 50_000, 50, 1, ERRORS), "n_beads = 0"),
        (lambda: from_beads(5, 10, 0, 50, 1, ERRORS), "beads_per_test = 0"),
        (lambda: from_beads(5, 10, 50_000, math.inf, 1, ERRORS), "blood_volume_ul = inf"),
        (lambda: from_beads(5, 10, 50_000, 50, -1, ERRORS), "dilution = -1"),
        (lambda: from_beads([5, 6], [10, 11, 12], 50_000, 50, 1, ERRORS), "replicates differ"),
        (lambda: from_volume(5, 0, 1, ERRORS), "volume_ul = 0"),
        (lambda: from_volume(5, 1, math.nan, ERRORS), "dilution = nan"),
        (lambda: from_alc(5, 0, 1500, ERRORS), "exceeds n_denominator = 0"),
        (lambda: from_alc(0, 0, 1500, ERRORS), "empty"),
        (lambda: from_alc(5, 10, 0, ERRORS), "alc_per_ul = 0"),
        (lambda: chained(11, 10, AbsoluteCount(1, 1, 1, 0, "beads")), "n_child = 11 exceeds n_parent = 10"),
        (lambda: chained(0, 0, AbsoluteCount(1, 1, 1, 0, "beads")), "empty"),
    ],
)
def test_refused(call: Callable[[], AbsoluteCount], named: str) -> None:
    with pytest.raises(ParameterError, match=named.replace("(", r"\(")):
        call()
