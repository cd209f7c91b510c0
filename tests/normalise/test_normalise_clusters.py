"""Curves by cluster: shifts that differ between populations, small clusters, and the same numbers in any order."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.errors import ParameterError
from il2cyto.normalise import apply, apply_clusters, learn_clusters
from il2cyto.normalise.clusters import assign

CHANNELS = ("CD3", "CD25")


def tube(seed: int, n: tuple[int, int] = (600, 600), shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Two populations far apart in CD3, with one and the same CD25 but for a shift of each."""
    rng = np.random.default_rng(seed)
    cells = [
        np.column_stack([rng.normal(at, 0.3, size), rng.normal(2.0 + moved, 0.5, size)])
        for at, size, moved in zip((0.0, 6.0), n, shift, strict=True)
    ]
    return np.concatenate(cells)


def test_shifts_that_differ_between_populations_are_taken_out() -> None:
    controls = {"a": tube(1), "b": tube(2, shift=(0.8, -0.8))}
    learnt = learn_clusters(controls, CHANNELS, n_clusters=2, seed=1)
    assert learnt.reasons == ("", "")
    test = {"a": tube(3), "b": tube(4, shift=(0.8, -0.8))}
    apart = {}
    for name, move in (("whole", lambda b: apply(learnt.whole, b, test[b])), ("clusters", None)):
        moved = {batch: move(batch) if move else apply_clusters(learnt, batch, test[batch]) for batch in test}
        halves = [
            np.median(moved["a"][rows, 1]) - np.median(moved["b"][rows, 1]) for rows in (slice(600), slice(600, None))
        ]
        apart[name] = np.abs(halves)
    # one curve cannot move two populations of one brightness in two directions
    assert apart["whole"].min() > 0.5
    assert apart["clusters"].max() < 0.1


def test_a_small_cluster_follows_the_whole_in_every_batch() -> None:
    controls = {"a": tube(1), "b": tube(2, n=(900, 49), shift=(0.5, 0.5))}
    learnt = learn_clusters(controls, CHANNELS, n_clusters=2, seed=1)
    rare = int(np.argmax([centre[0] for centre in learnt.centres]))
    assert learnt.reasons[rare] == "batch 'b' has 49 events in it, fewer than 50"
    assert learnt.parts[rare] is None
    assert learnt.parts[1 - rare] is not None
    for batch in "ab":
        events = tube(5)
        inside = assign(events, np.asarray(learnt.centres)) == rare
        assert inside.sum() == 600
        moved = apply_clusters(learnt, batch, events)
        np.testing.assert_array_equal(moved[inside], apply(learnt.whole, batch, events)[inside])
        assert (moved[~inside] != apply(learnt.whole, batch, events)[~inside]).any()


def test_a_channel_without_a_curve_in_a_cluster_follows_the_whole_in_every_batch() -> None:
    flat = tube(1)
    flat[:600, 1] = 0.0
    learnt = learn_clusters({"a": flat, "b": tube(2)}, CHANNELS, n_clusters=2, seed=1)
    first = int(np.argmin([centre[0] for centre in learnt.centres]))
    part = learnt.parts[first]
    assert part is not None
    assert {(one.batch, one.channel) for one in part.unnormalised} == {("a", "CD25"), ("b", "CD25")}
    for batch in "ab":
        events = tube(6)
        np.testing.assert_array_equal(
            apply_clusters(learnt, batch, events)[:600, 1], apply(learnt.whole, batch, events)[:600, 1]
        )


def test_a_batch_with_a_small_control_stays_as_it_is() -> None:
    controls = {"a": tube(1), "b": tube(2, shift=(0.5, 0.5)), "c": tube(3, n=(100, 100))}
    learnt = learn_clusters(controls, CHANNELS, n_clusters=2, seed=1)
    assert learnt.whole.reason("c", "CD25") == "its control has 200 events, fewer than 500"
    np.testing.assert_array_equal(apply_clusters(learnt, "c", tube(4)), tube(4))


def test_order_of_events_and_batches_does_not_matter() -> None:
    controls = {"a": tube(1), "b": tube(2, shift=(0.8, -0.8))}
    rng = np.random.default_rng(3)
    mixed = {batch: rng.permutation(controls[batch]) for batch in "ba"}
    ours = learn_clusters(controls, CHANNELS, n_clusters=4, seed=1)
    other = learn_clusters(mixed, CHANNELS, n_clusters=4, seed=1)
    assert other.centres == ours.centres
    assert other == ours


def test_equal_batches_stay_as_they_are() -> None:
    learnt = learn_clusters(dict.fromkeys("abc", tube(1)), CHANNELS, n_clusters=3, seed=1)
    np.testing.assert_allclose(apply_clusters(learnt, "b", tube(2)), tube(2), rtol=0, atol=1e-12)


def test_within_a_cluster_the_order_of_events_is_kept() -> None:
    learnt = learn_clusters({"a": tube(1), "b": tube(2, shift=(0.8, -0.8))}, CHANNELS, n_clusters=2, seed=1)
    line = np.column_stack([np.zeros(500), np.linspace(-3, 7, 500)])
    assert len(set(assign(line, np.asarray(learnt.centres)).tolist())) == 1
    assert (np.diff(apply_clusters(learnt, "b", line)[:, 1]) >= -1e-12).all()


def test_twice_is_once() -> None:
    """What was learnt from moved controls moves them no more, but for events that change their cluster."""
    controls = {"a": tube(1), "b": tube(2, shift=(0.8, -0.8))}
    learnt = learn_clusters(controls, CHANNELS, n_clusters=2, seed=1)
    once = {batch: apply_clusters(learnt, batch, events) for batch, events in controls.items()}
    again = learn_clusters(once, CHANNELS, n_clusters=2, seed=1)
    for batch, events in once.items():
        assert np.abs(apply_clusters(again, batch, events) - events).mean() < 0.01


def test_what_cannot_be_clustered_is_refused() -> None:
    controls = {"a": tube(1), "b": tube(2)}
    with pytest.raises(ParameterError, match="n_clusters = 0: give 1 or more"):
        learn_clusters(controls, CHANNELS, n_clusters=0, seed=1)
    with pytest.raises(ParameterError, match="0 events in controls of at least 2000: too few for 2 clusters"):
        learn_clusters(controls, CHANNELS, n_clusters=2, seed=1, min_events=2000)
    learnt = learn_clusters(controls, CHANNELS, n_clusters=2, seed=1)
    with pytest.raises(ParameterError, match="batch 'a': 1 events hold a value that is not finite"):
        apply_clusters(learnt, "a", [[np.nan, 1.0], [0.0, 1.0]])
    with pytest.raises(ParameterError, match="batch 'z' was not learnt"):
        apply_clusters(learnt, "z", tube(1))
