"""Quantiles of control tubes: numbers by hand, laws that hold for any batches, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import ParameterError
from il2cyto.normalise import Normalisation, Unnormalised, apply, learn_quantiles
from il2cyto.normalise.curve import follow, knots

CHANNELS = ("CD25", "CD127")


def tube(seed: int, n: int = 600, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low, high = rng.normal(0.0, 0.4, (n // 2, 2)), rng.normal(3.0, 0.6, (n - n // 2, 2))
    return shift + scale * np.concatenate([low, high])


#: Seed, shift and scale of every batch: small to print, made into events by `tubes`.
batches = st.lists(st.tuples(st.integers(0, 1000), st.floats(-2, 2), st.floats(0.3, 3)), min_size=2, max_size=4)


def tubes(made: list[tuple[int, float, float]]) -> dict[str, np.ndarray]:
    return {f"batch{i}": tube(seed, 500, shift, scale) for i, (seed, shift, scale) in enumerate(made)}


def test_quantiles_and_goal_by_hand() -> None:
    # three levels of five events: minimum, median, maximum; means over batches: 0.5, 3, 7
    a, b = [[0.0], [1.0], [2.0], [3.0], [4.0]], [[10.0], [1.0], [4.0], [3.0], [5.0]]
    learnt = learn_quantiles({"a": a, "b": b}, ["CD4"], levels=(0.0, 0.5, 1.0), min_events=5)
    assert learnt.quantiles == {"a": {"CD4": (0.0, 2.0, 4.0)}, "b": {"CD4": (1.0, 4.0, 10.0)}}
    assert learnt.goal == {"CD4": (0.5, 3.0, 7.0)}
    assert learnt.n_events == {"a": 5, "b": 5}
    assert learnt.unnormalised == ()
    # knots go to the goal; beyond them as far as the knot
    moved = apply(learnt, "a", [[0.0], [2.0], [4.0], [-1.0], [6.0]])
    np.testing.assert_allclose(moved[:, 0], [0.5, 3.0, 7.0, -0.5, 9.0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(apply(learnt, "b", [[4.0], [0.0]])[:, 0], [3.0, -0.5], rtol=0, atol=1e-12)


def test_the_cubic_between_knots_by_hand() -> None:
    # knots (0, 0), (1, 1), (2, 3): secants 1 and 2. Slope at 1: their harmonic mean, 4/3; at 0: (3·1 - 1·2)/2 = 1/2.
    # cubic of Hermite at 1/2: (0 + 1)/2 + (1/2 - 4/3)/8 = 0.5 - 5/48
    assert follow([0.0, 1.0, 2.0], [0.0, 1.0, 3.0], [0.5], slope=1.0)[0] == pytest.approx(0.5 - 5 / 48, abs=1e-14)


@pytest.mark.parametrize(("slope", "low", "high"), [(1.0, -1.0, 6.0), (0.25, 0.5, 4.5), (2.0, -3.0, 8.0)])
def test_straight_lines_beyond_the_ends_have_the_stated_slope(slope: float, low: float, high: float) -> None:
    moved = follow([0.0, 1.0], [1.0, 4.0], [-2.0, 3.0], slope=slope)
    np.testing.assert_allclose(moved, [low, high], atol=1e-14)


def test_values_at_several_levels_go_to_the_mean_of_their_goals() -> None:
    x, y = knots([0.0, 0.0, 0.0, 1.0], [0.0, 0.1, 0.5, 2.0])
    assert x.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(y, [0.2, 2.0], atol=1e-15)


@given(batches)
def test_order_of_events_within_a_channel_is_kept(made: list[tuple[int, float, float]]) -> None:
    controls = tubes(made)
    learnt = learn_quantiles(controls, CHANNELS)
    line = np.repeat(np.linspace(-12, 15, 2_000)[:, None], 2, axis=1)
    for batch in controls:
        assert (np.diff(apply(learnt, batch, line), axis=0) >= -1e-12).all()


@given(batches)
def test_equal_batches_stay_as_they_are(made: list[tuple[int, float, float]]) -> None:
    controls = tubes(made)
    same = dict.fromkeys(controls, controls["batch0"])
    learnt = learn_quantiles(same, CHANNELS)
    events = controls["batch1"]
    np.testing.assert_allclose(apply(learnt, "batch1", events), events, rtol=0, atol=1e-12)


@given(batches, st.integers(0, 100))
def test_order_of_events_and_batches_does_not_matter(made: list[tuple[int, float, float]], seed: int) -> None:
    controls = tubes(made)
    rng = np.random.default_rng(seed)
    mixed = {batch: rng.permutation(controls[batch]) for batch in reversed(list(controls))}
    assert learn_quantiles(mixed, CHANNELS) == learn_quantiles(controls, CHANNELS)


@given(batches)
def test_twice_is_once(made: list[tuple[int, float, float]]) -> None:
    """What was learnt from moved controls moves them no more."""
    controls = tubes(made)
    learnt = learn_quantiles(controls, CHANNELS)
    once = {batch: apply(learnt, batch, events) for batch, events in controls.items()}
    again = learn_quantiles(once, CHANNELS)
    for batch, events in once.items():
        moved = np.abs(apply(again, batch, events) - events)
        # quantiles of moved events lie between two events, where the curve is not straight: felt beside a gap only
        assert (moved > 0.05).mean() < 0.02
        assert moved.mean() < 0.005


@given(batches)
def test_moved_controls_have_the_quantiles_of_the_goal(made: list[tuple[int, float, float]]) -> None:
    controls = tubes(made)
    learnt = learn_quantiles(controls, CHANNELS)
    for batch, events in controls.items():
        moved = apply(learnt, batch, events)
        for column, channel in enumerate(CHANNELS):
            goal = np.array(learnt.goal[channel])
            # a quantile lies between two events: exact bounds, wide only in the gap between two populations
            below, reached, above = (
                np.quantile(moved[:, column], learnt.levels, method=method) for method in ("lower", "linear", "higher")
            )
            assert (below <= goal + 1e-9).all()
            assert (goal <= above + 1e-9).all()
            dense = above - below < 0.1
            assert dense.mean() > 0.9
            assert np.abs(reached - goal)[dense].max() < 0.1
            assert np.median(np.abs(reached - goal)) < 0.002


def test_a_small_control_leaves_its_batch_as_it_is_and_says_so() -> None:
    controls = {"a": tube(1), "b": tube(2, shift=1.0), "c": tube(3, n=499, shift=5.0)}
    learnt = learn_quantiles(controls, CHANNELS)
    why = "its control has 499 events, fewer than 500"
    assert learnt.unnormalised == (Unnormalised("c", "CD25", why), Unnormalised("c", "CD127", why))
    assert learnt.reason("c", "CD127") == why
    assert learnt.reason("a", "CD127") == ""
    np.testing.assert_array_equal(apply(learnt, "c", controls["c"]), controls["c"])
    # and has no say in the goal
    assert learnt.goal == learn_quantiles({batch: controls[batch] for batch in "ab"}, CHANNELS).goal


def test_a_constant_channel_is_left_in_that_batch_alone() -> None:
    dead = tube(3)
    dead[:, 1] = 0.0
    learnt = learn_quantiles({"a": tube(1), "b": tube(2), "c": dead}, CHANNELS)
    assert learnt.unnormalised == (Unnormalised("c", "CD127", "all quantiles of its control are 0.0"),)
    assert set(learnt.quantiles["c"]) == {"CD25"}


def test_one_batch_alone_has_no_goal() -> None:
    learnt = learn_quantiles({"a": tube(1), "b": tube(2, n=20)}, CHANNELS)
    assert learnt.goal == {}
    assert learnt.reason("a", "CD25") == "no other batch has quantiles of this channel"
    np.testing.assert_array_equal(apply(learnt, "a", tube(7)), tube(7))


def test_the_given_array_is_not_changed_and_nan_stays() -> None:
    learnt = learn_quantiles({"a": tube(1), "b": tube(2, shift=1.0)}, CHANNELS)
    events = tube(4)
    events[3, 0] = np.nan
    before = events.copy()
    moved = apply(learnt, "a", events)
    np.testing.assert_array_equal(events, before)
    assert np.flatnonzero(np.isnan(moved)).tolist() == [6]
    assert apply(learnt, "a", np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"controls": {}}, "no control tube"),
        ({"controls": {"a": tube(1)[:, :1]}}, r"control of batch 'a': shape \(600, 1\), wanted \(events, 2\)"),
        ({"controls": {"a": np.full((3, 2), np.inf)}}, "'a': 3 of 3 events hold a value that is not finite"),
        ({"channels": ("CD25", "CD25")}, "name each column once"),
        ({"levels": (0.5, 0.1)}, "increasing, from 0 to 1"),
        ({"levels": (0.1, 1.5)}, "increasing, from 0 to 1"),
        ({"slope": 0.0}, "slope = 0.0: give a number above 0"),
    ],
)
def test_what_cannot_be_learnt_is_refused(changes: dict[str, object], says: str) -> None:
    given_ = {"controls": {"a": tube(1), "b": tube(2)}, "channels": CHANNELS, **changes}
    with pytest.raises(ParameterError, match=says):
        learn_quantiles(given_.pop("controls"), given_.pop("channels"), **given_)  # type: ignore[arg-type]


def test_an_unknown_batch_is_refused_with_the_nearest_name() -> None:
    learnt = learn_quantiles({"batch_a": tube(1), "batch_b": tube(2)}, CHANNELS)
    with pytest.raises(ParameterError, match=r"batch 'batch-a' was not learnt \(did you mean 'batch_a'\?\)"):
        apply(learnt, "batch-a", tube(1))
    with pytest.raises(ParameterError, match=r"batch 'batch_a': shape \(2,\), wanted \(events, 2\)"):
        apply(learnt, "batch_a", [1.0, 2.0])


def test_a_normalisation_that_does_not_hold_together_is_refused() -> None:
    good = {"channels": ("CD4",), "levels": (0.0, 1.0), "n_events": {"a": 5}, "unnormalised": (), "slope": 1.0}
    for quantiles, goal, says in (
        ({"a": {"CD4": (1.0, 0.0)}}, {"CD4": (0.0, 1.0)}, "do not decrease"),
        ({"a": {"CD4": (0.0, 1.0, 2.0)}}, {"CD4": (0.0, 1.0)}, "wanted 2 finite numbers"),
        ({"a": {"CD4": (1.0, 1.0)}}, {"CD4": (0.0, 1.0)}, "no curve"),
        ({"a": {}}, {}, "either quantiles or a reason"),
        ({"a": {"CD4": (0.0, 1.0)}}, {}, "quantiles and goal name different channels"),
        ({"b": {"CD4": (0.0, 1.0)}}, {"CD4": (0.0, 1.0)}, "different batches"),
    ):
        with pytest.raises(ParameterError, match=says):
            Normalisation(**good, quantiles=quantiles, goal=goal)  # type: ignore[arg-type]
