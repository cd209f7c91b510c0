"""Cells of a lattice are found by arithmetic; they must be those that comparing with the borders finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.gating.buckets import bucket_borders, choose_scale
from il2cyto.kernels import lattice
from il2cyto.transforms import Linear, Log, Logicle

N = lattice.LATTICE + 1
FINITE = st.floats(-1e300, 1e300)
#: Borders as scales make them, and any others: evenly spaced, all decades, many alike, infinite at the ends.
BORDERS = st.one_of(
    st.tuples(FINITE, FINITE).map(lambda ends: np.linspace(min(ends), max(ends), N)),
    st.tuples(st.floats(0.0, 0.8), st.floats(0.01, 0.5)).map(
        lambda part: Logicle(262144.0, 0.5, 4.5, 0.0).preimages(np.linspace(part[0], part[0] + part[1], N))
    ),
    st.tuples(st.floats(-0.2, 0.8), st.floats(0.01, 0.5)).map(
        lambda part: Log(10000.0, 4.0).preimages(np.linspace(part[0], part[0] + part[1], N))
    ),
    st.tuples(st.floats(-0.2, 0.8), st.floats(0.0, 0.5)).map(
        lambda part: Linear(1024.0, 10.0).preimages(np.linspace(part[0], part[0] + part[1], N))
    ),
    st.lists(FINITE, min_size=1, max_size=N).map(lambda some: np.sort(np.resize(np.array(some), N))),
    st.lists(FINITE, min_size=N - 9, max_size=N - 9).map(
        lambda some: np.concatenate([np.full(4, -np.inf), np.sort(some), np.full(5, np.inf)])
    ),
)


def around(borders: np.ndarray, more: list[float]) -> np.ndarray:
    """Every border, its neighbours in float64, numbers between, and some others."""
    finite = borders[np.isfinite(borders)]
    parts = [finite, np.nextafter(finite, -np.inf), np.nextafter(finite, np.inf), finite / 2 + finite[::-1] / 2]
    return np.sort(np.concatenate([*parts, np.array([0.0, -0.0, 1e308, -1e308, *more])]))


def cells_of(x: np.ndarray, borders: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The cell of each value by buckets, table and, where a border divides the bucket, the borders."""
    table = np.empty(lattice.BUCKETS, dtype=np.uint16)
    lattice.fill_table(borders, scale, 1, table)
    buckets = np.empty(x.size, dtype=np.int32)
    lattice.fill_buckets(x, np.arange(x.size, dtype=np.int32), x.size, x.size, scale, buckets)
    found = table[buckets].astype(np.int64)
    divided = found == lattice.DIVIDED
    found[divided] = np.searchsorted(borders, x[divided], side="right")
    return found


@given(BORDERS, st.lists(FINITE, max_size=20))
@settings(max_examples=100)
def test_cell_is_the_number_of_borders_at_or_below(borders: np.ndarray, more: list[float]) -> None:
    x = around(borders, more)
    assert np.array_equal(cells_of(x, borders, choose_scale(borders)), np.searchsorted(borders, x, side="right"))


@given(BORDERS, st.lists(FINITE, max_size=20))
@settings(max_examples=100)
def test_borders_of_buckets_divide_none_and_hold_the_shape(borders: np.ndarray, more: list[float]) -> None:
    scale = choose_scale(borders)
    moved = bucket_borders(borders, scale)
    table = np.empty(lattice.BUCKETS, dtype=np.uint16)
    lattice.fill_table(moved, scale, 1, table)
    assert (table != lattice.DIVIDED).all()
    assert moved[0] <= borders[0]
    assert moved[-1] > borders[-1] or moved[-1] == np.inf
    assert (np.diff(moved[np.isfinite(moved)]) >= 0).all()
    x = around(moved, more)
    assert np.array_equal(cells_of(x, moved, scale), np.searchsorted(moved, x, side="right"))


@given(BORDERS, st.lists(st.floats(allow_nan=False), min_size=2, max_size=40))
@settings(max_examples=100)
def test_buckets_rise_with_the_value_alone_and_in_vectors(borders: np.ndarray, values: list[float]) -> None:
    scale = choose_scale(borders)
    x = np.sort(np.array(values))
    one = np.array([lattice.bucket(value, scale) for value in x])
    assert (np.diff(one) >= 0).all()
    assert one.min() >= 0
    assert one.max() < lattice.BUCKETS
    everyone = np.arange(x.size, dtype=np.int32)
    together, apart = np.full(x.size, -1, dtype=np.int32), np.full(8 * x.size, -1, dtype=np.int32)
    lattice.fill_buckets(x, everyone, x.size, x.size, scale, together)
    lattice.fill_buckets(np.resize(x, 8 * x.size), everyone, x.size, 8 * x.size, scale, apart)
    assert np.array_equal(together, one)
    assert np.array_equal(apart[: x.size], one)
    assert (apart[x.size :] == -1).all()


def test_scales_of_real_axes_tell_most_lines_apart() -> None:
    # else many events would lie in cells that an edge crosses, and be transformed one by one
    axes = [
        Logicle(262144.0, 0.5, 4.5, 0.0).preimages(np.linspace(0.05, 0.95, N)),
        Logicle(262144.0, 1.5, 4.5, 0.5).preimages(np.linspace(0.0, 1.0, N)),
        Log(10000.0, 4.0).preimages(np.linspace(0.05, 1.0, N)),
        Linear(262144.0, 0.0).preimages(np.linspace(0.1, 0.9, N)),
        np.linspace(0.0, 1.0, N),
    ]
    for borders in axes:
        assert np.unique(bucket_borders(borders, choose_scale(borders))).size > 0.9 * N


def test_undefined_values_are_found_wherever_they_stand() -> None:
    x = np.linspace(-1.0, 1.0, 64)
    everyone, few = np.arange(64, dtype=np.int32), np.array([40, 50, 60], dtype=np.int32)
    assert lattice.all_defined(x, -1.0, everyone, 64, 64)
    assert not lattice.all_defined(x, -0.99, everyone, 64, 64)
    assert lattice.all_defined(x, 0.0, few, 3, 64)
    x[50] = np.nan
    assert not lattice.all_defined(x, 0.0, few, 3, 64)
    assert not lattice.all_defined(x, -1.0, everyone, 64, 64)
