"""Planted clogs, drifts and pauses are found where they are; steady tubes have none; units do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.quality.scores import bin_means, bin_size, normal_scores
from il2cyto.quality.stability import Stability, find_instability

NAMES = ["FSC-A", "SSC-A", "PE-A", "FITC-A"]


def tube(seed: int = 1, n: int = 40_000) -> np.ndarray:
    """Two populations in four channels of signal: ``(n, 4)``."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    scatter = np.exp(rng.normal(11, 0.2, n))
    return np.column_stack(
        [
            scatter,
            scatter * np.exp(rng.normal(-1, 0.3, n)),
            np.where(positive, np.exp(rng.normal(9, 0.5, n)), rng.normal(0, 100, n)),
            np.exp(rng.normal(7, 0.8, n)),
        ]
    )


def clock(n: int, per_second: float = 1000.0) -> np.ndarray:
    return np.arange(n) / per_second


def test_bins_and_scores_by_hand() -> None:
    assert [bin_size(n) for n in (0, 41_000, 100_000, 1_000_000)] == [104, 104, 248, 2496]
    scores = normal_scores(np.arange(6400.0))
    # 64 classes of 100: symmetric, and the same within a class
    assert len(np.unique(scores)) == 64
    np.testing.assert_allclose(scores, -scores[::-1], atol=1e-9)
    assert bin_means(np.array([1.0, 3.0, 5.0, 7.0, 100.0]), 2).tolist() == [2.0, 6.0]
    assert normal_scores(np.full(500, 7.0)).tolist() == [0.0] * 500


@pytest.mark.parametrize("seed", range(12))
def test_a_steady_tube_has_no_faults(seed: int) -> None:
    found = find_instability(tube(seed), NAMES, clock(40_000))
    assert found.faults == ()
    assert found.n_bins == 40_000 // 104
    assert 1.0 <= found.excess < 1.1


@pytest.mark.parametrize("size", [0.2, 0.5])
def test_a_clog_is_found_where_it_is(size: float) -> None:
    values, seconds = tube(), clock(40_000)
    values[10_000:14_000] *= 1 - size
    lost = np.zeros(40_000)
    lost[10_000:14_000] = 0.004
    [fault] = find_instability(values, NAMES, seconds + np.cumsum(lost)).faults
    assert fault.kind == "signal"
    assert abs(fault.first - 10_000) <= 104
    assert abs(fault.stop - 14_000) <= 104
    assert fault.flow == pytest.approx(0.2, abs=0.02)
    assert fault.change == pytest.approx(-size, abs=0.03)
    assert fault.start_s == pytest.approx(10.0, abs=0.2)
    assert fault.stop_s == pytest.approx(30.0, abs=0.7)


def test_a_pause_is_a_matter_of_flow() -> None:
    seconds = clock(40_000)
    seconds[20_000:] += 60
    [fault] = find_instability(tube(), NAMES, seconds).faults
    assert (fault.kind, fault.channels) == ("flow", ())
    assert fault.first <= 20_000 < fault.stop
    assert fault.stop - fault.first <= 208
    assert np.isnan(fault.change)


def test_a_laser_that_fades_is_a_drift_from_its_onset() -> None:
    values = tube()
    values[15_000:, 2:] *= np.linspace(1, 0.5, 25_000)[:, None]
    [fault] = find_instability(values, NAMES, clock(40_000)).faults
    assert (fault.kind, fault.stop) == ("drift", 40_000)
    # in PE a third of the cells is bright: its mean score has moved less than is named
    assert fault.channels[0] == "FITC-A"
    assert set(fault.channels) <= {"PE-A", "FITC-A"}
    # 95 % of the drift, and little of what was before
    assert 14_000 < fault.first < 15_000 + 0.05 * 25_000
    # the last third has 58 % of its light on average
    assert fault.change == pytest.approx(-0.42, abs=0.03)


def test_a_level_that_jumps_and_stays_is_a_drift() -> None:
    values = tube()
    values[30_000:, 3] *= 1.5
    [fault] = find_instability(values, NAMES).faults
    assert fault.kind == "drift"
    assert fault.channels == ("FITC-A",)
    assert abs(fault.first - 30_000) <= 104
    assert np.isnan(fault.start_s)


def test_a_drift_of_a_few_percent_is_none() -> None:
    values = tube()
    values[:, 2:] *= np.linspace(1, 0.95, 40_000)[:, None]
    assert find_instability(values, NAMES).faults == ()


def test_a_clog_before_a_drift_is_told_apart() -> None:
    values = tube()
    values[4_000:6_000] *= 0.5
    values[25_000:, 2:] *= np.linspace(1, 0.5, 15_000)[:, None]
    clog, drift = find_instability(values, NAMES).faults
    assert (clog.kind, drift.kind) == ("signal", "drift")
    assert abs(clog.first - 4_000) <= 104
    assert abs(clog.stop - 6_000) <= 104
    assert 24_000 < drift.first < 25_000 + 0.05 * 15_000


@settings(max_examples=15)
@given(st.integers(0, 100), st.floats(0.1, 1000), st.booleans())
def test_units_do_not_matter(seed: int, gain: float, compressed: bool) -> None:
    values = tube(seed, 10_000)
    values[3_000:4_000] *= 0.4
    before = find_instability(values, NAMES)
    other = gain * values
    after = find_instability(np.arcsinh(other / gain) if compressed else other, NAMES)
    assert [(f.kind, f.first, f.stop, f.channels) for f in after.faults] == [
        (f.kind, f.first, f.stop, f.channels) for f in before.faults
    ]


@settings(max_examples=25)
@given(st.integers(0, 100), st.integers(3_000, 12_000), st.integers(0, 9_000), st.integers(100, 3_000))
def test_faults_are_ordered_and_on_whole_bytes(seed: int, n: int, start: int, length: int) -> None:
    values = tube(seed, n)
    values[start : start + length] *= 0.3
    found = find_instability(values, NAMES, clock(n))
    edges = [edge for fault in found.faults for edge in (fault.first, fault.stop)]
    assert edges == sorted(edges)
    assert all(edge % 8 == 0 or edge == n for edge in edges)
    assert found.marked(n).sum() == sum(fault.stop - fault.first for fault in found.faults)


def test_too_few_events_tell_nothing_and_say_so() -> None:
    found = find_instability(tube(n=2_000), NAMES)
    assert found == Stability((), 104, 0, 1.0, "2000 events are too few to follow the acquisition, which takes 2080")
    assert find_instability(np.ones((5_000, 1)), ["A"]).reason == "no channel varies"
    assert not found.marked(2_000).any()


def test_a_constant_channel_beside_others_changes_nothing() -> None:
    values = tube()
    values[10_000:14_000] *= 0.5
    more = np.column_stack([values, np.zeros(len(values))])
    pairs = [find_instability(table, [*NAMES, "empty"][: table.shape[1]]).faults for table in (values, more)]
    assert [repr(fault) for fault in pairs[0]] == [repr(fault) for fault in pairs[1]] != []
