"""Each method on events whose populations are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from scipy.optimize import brentq
from scipy.stats import norm

from il2cyto.autogate.estimate import Estimated, LearningTube, NotEstimable, Template
from il2cyto.autogate.jobs import Job, estimate
from il2cyto.autogate.methods import METHODS
from il2cyto.autogate.order import Task
from il2cyto.errors import StrategyError
from il2cyto.gates import Dimension
from il2cyto.gating.learning import LearnRule
from il2cyto.gating.vocabulary import CUT_METHODS, OPTIONS, SHAPE_METHODS
from il2cyto.study.frozen import FrozenMapping


def run(method, values, place, limits, *, source="sample", more=(), **options) -> Estimated | NotEstimable:
    values = np.asarray(values, dtype=np.float64)
    tube = LearningTube("T1", source, values[:, None] if values.ndim == 1 else values)
    rule = LearnRule(method, "root", options=FrozenMapping(options))
    template = Template(np.asarray(place, dtype=np.float64), limits)
    return METHODS[method]([tube, *more], rule, template, np.random.default_rng(5))


def normal(seed: int, *parts: tuple[float, float, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, sd, n) for mean, sd, n in parts])


def test_every_method_has_a_name_and_options_that_strategies_may_write() -> None:
    assert set(METHODS) == {*CUT_METHODS, *SHAPE_METHODS} == set(OPTIONS)


def test_valley_lies_in_the_middle_of_equal_peaks() -> None:
    found = run("valley", normal(1, (0.2, 0.06, 20_000), (0.6, 0.06, 20_000)), [0.5], ((-0.1, 0.9),))
    assert isinstance(found, Estimated)
    assert found.place[0] == pytest.approx(0.4, abs=0.02)
    assert found.separation > 0.9
    assert found.draws.shape == (40, 1)
    assert np.quantile(found.draws, 0.025) - 0.02 < 0.4 < np.quantile(found.draws, 0.975) + 0.02


def test_valley_keeps_to_its_range_and_says_where_there_is_none() -> None:
    values = normal(2, (0.1, 0.03, 5_000), (0.4, 0.03, 5_000), (0.8, 0.03, 5_000))
    low, high = (run("valley", values, [0.5], ((-0.1, 1.0),), low=a, high=b) for a, b in ((0.0, 0.5), (0.5, 1.0)))
    assert isinstance(low, Estimated)
    assert isinstance(high, Estimated)
    assert low.place[0] == pytest.approx(0.25, abs=0.03)
    assert high.place[0] == pytest.approx(0.6, abs=0.03)
    one = run("valley", normal(3, (0.4, 0.1, 5_000)), [0.4], ((0.0, 0.8),))
    assert isinstance(one, NotEstimable)
    assert "valley" in one.reason


@pytest.mark.parametrize(("side", "sign"), [("right", 1.0), ("left", -1.0)])
def test_tail_is_three_deviations_from_the_middle(side: str, sign: float) -> None:
    values = normal(4, (0.4, 0.05, 50_000), (0.4 + sign * 0.35, 0.03, 2_000))
    found = run("tail", values, [0.5], ((0.0, 0.9),), side=side)
    assert isinstance(found, Estimated)
    # kernels widen the peak a little
    assert found.place[0] == pytest.approx(0.4 + sign * 0.15, abs=0.015)
    assert found.separation > 0.9


def test_quantile_is_that_of_the_normal_distribution() -> None:
    found = run("quantile", normal(5, (0.3, 0.1, 100_000)), [0.5], ((-0.3, 0.9),), share=0.995)
    assert isinstance(found, Estimated)
    assert found.place[0] == pytest.approx(0.3 + 0.1 * norm.ppf(0.995), abs=0.003)
    few = run("quantile", normal(5, (0.3, 0.1, 1_000)), [0.5], ((-0.3, 0.9),), share=0.995)
    assert isinstance(few, NotEstimable)
    assert few.reason == "5.0 events lie beyond the quantile 0.995, wanted 10"


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_mixture_counts_the_upper_population_right(share: float) -> None:
    n = 60_000
    upper = round(n * share)
    values = normal(6, (0.3, 0.08, n - upper), (0.6, 0.07, upper))
    found = run("mixture", values, [0.5], ((-0.1, 1.0),))
    assert isinstance(found, Estimated)

    def difference(at: float) -> float:
        return (1 - share) * norm.sf(at, 0.3, 0.08) - share * norm.cdf(at, 0.6, 0.07)

    # the place at which both errors are equal, computed without the method
    assert found.place[0] == pytest.approx(brentq(difference, 0.3, 0.6), abs=0.008)
    assert (values >= found.place[0]).sum() == pytest.approx(upper, rel=0.03 if share > 0.1 else 0.08)


def test_mixture_by_bayes_has_the_fewest_errors() -> None:
    values, labels = normal(7, (0.3, 0.1, 20_000), (0.6, 0.1, 20_000)), np.repeat([False, True], 20_000)
    found = run("mixture", values, [0.4], ((-0.2, 1.1),), keep="bayes")
    assert isinstance(found, Estimated)
    errors = [((values >= at) != labels).sum() for at in (found.place[0], 0.45)]
    assert errors[0] <= 1.02 * errors[1]


def test_what_a_mixture_cannot_tell() -> None:
    below = run("mixture", normal(8, (0.2, 0.05, 5_000)), [0.9], ((0.0, 1.0),))
    assert isinstance(below, NotEstimable)
    assert below.reason == "all events lie on one side of the template's threshold"
    one = run("mixture", normal(8, (0.4, 0.1, 5_000)), [0.4], ((0.0, 0.8),), min_separation=0.9)
    assert isinstance(one, NotEstimable)
    assert "overlap" in one.reason or "expected" in one.reason


def test_anchored_takes_the_shape_of_the_lower_population_from_a_control() -> None:
    rng = np.random.default_rng(9)

    def skewed(n: int) -> np.ndarray:
        return 0.15 + rng.gamma(2.0, 0.06, n)

    values = np.concatenate([skewed(40_000), rng.normal(0.75, 0.07, 4_000)])
    control = LearningTube("FMO", "fmo", skewed(40_000)[:, None])
    found = run("anchored", values, [0.5], ((0.0, 1.2),), more=(control,))
    assert isinstance(found, Estimated)
    assert (values >= found.place[0]).sum() == pytest.approx(4_000, rel=0.03)
    assert found.learnt_from == ("T1", "FMO")
    alone = run("anchored", values, [0.5], ((0.0, 1.2),))
    assert isinstance(alone, NotEstimable)
    assert alone.reason == "no stains without the marker to learn from"


def test_jointly_counts_rare_combinations_right() -> None:
    rng = np.random.default_rng(10)
    shares = {(0, 0): 0.60, (1, 0): 0.25, (0, 1): 0.12, (1, 1): 0.03}
    label = np.repeat(list(shares), [round(60_000 * share) for share in shares.values()], axis=0).astype(bool)
    values = np.where(label, rng.normal(0.62, 0.08, label.shape), rng.normal(0.30, 0.08, label.shape))
    places = []
    for own, other in ((0, 1), (1, 0)):
        found = run("jointly", values[:, [own, other]], [0.46, 0.46], ((-0.1, 1.0), (-0.1, 1.0)), **{"with": "B"})
        assert isinstance(found, Estimated)
        places.append(found.place[0])
    counted = values >= np.array(places)
    for combination in shares:
        wanted = (label == np.array(combination, dtype=bool)).all(axis=1).sum()
        assert (counted == np.array(combination, dtype=bool)).all(axis=1).sum() == pytest.approx(wanted, rel=0.06)
    with pytest.raises(StrategyError, match="targets '\\+': wanted 2 signs"):
        run("jointly", values, [0.46, 0.46], ((-0.1, 1.0), (-0.1, 1.0)), targets="+")


def test_jointly_makes_up_for_what_a_parent_loses() -> None:
    rng = np.random.default_rng(11)
    label = np.repeat([[0, 0], [1, 0], [0, 1], [1, 1]], [20_000, 6_000, 12_000, 2_000], axis=0).astype(bool)
    values = np.where(label, rng.normal(0.60, 0.08, label.shape), rng.normal(0.32, 0.08, label.shape))
    # the parent keeps what lies below 0.38 on the second axis and loses a quarter of its cells
    limits = ((-0.1, 1.0), (-0.1, 1.0))
    found = run("jointly", values, [0.46, 0.38], limits, given="B", targets="+-")
    assert isinstance(found, Estimated)
    inside = (values[:, 0] >= found.place[0]) & (values[:, 1] < 0.38)
    alone = (values[:, 0] >= 0.46) & (values[:, 1] < 0.38)
    assert abs(inside.sum() - 6_000) < 0.5 * abs(alone.sum() - 6_000)


SQUARE = np.array([0.45, -0.1, 0.45, 0.45, 1.0, 0.45, 1.0, -0.1])


def clouds(seed: int, move: tuple[float, float] = (0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rest, target = rng.normal([0.2, 0.6], 0.07, (20_000, 2)), rng.normal([0.65, 0.25], 0.07, (2_000, 2))
    return np.concatenate([rest, target]) + np.array(move), np.repeat([False, True], [20_000, 2_000])


@pytest.mark.parametrize("method", ["diagonal", "mixture2d"])
def test_polygons_follow_the_population(method: str) -> None:
    limits = ((-0.2, 1.1), (-0.2, 1.1))
    for move in ((0.0, 0.0), (0.05, -0.04)):
        values, label = clouds(12, move)
        found = run(method, values, SQUARE, limits)
        assert isinstance(found, Estimated)
        inside = Outline(found.place.reshape(-1, 2)).contains_points(values)
        assert inside.sum() == pytest.approx(2_000, rel=0.02)
        assert (inside & label).sum() / 2_000 > 0.98
        assert found.separation > 0.95
        assert found.draws.shape == (40, len(found.place))


def test_diagonal_keeps_the_shape_of_the_template() -> None:
    values, _ = clouds(13)
    found = run("diagonal", values, SQUARE, ((-0.2, 1.1), (-0.2, 1.1)))
    assert isinstance(found, Estimated)
    assert np.ptp((found.place - SQUARE).reshape(-1, 2), axis=0) == pytest.approx(0.0, abs=1e-12)
    none = run("diagonal", values[:20_000], SQUARE, ((-0.2, 1.1), (-0.2, 1.1)))
    assert isinstance(none, NotEstimable)


def test_lymphocytes_hold_the_stated_share_of_a_normal_cluster() -> None:
    rng = np.random.default_rng(14)
    cluster = rng.multivariate_normal([0.6, 0.2], [[0.004, 0.001], [0.001, 0.002]], 20_000)
    values = np.concatenate([cluster, rng.uniform(0, 1, (2_000, 2))])
    found = run("lymphocytes", values, [0.4, 0.0, 0.4, 0.4, 0.8, 0.4, 0.8, 0.0], ((0.0, 1.0), (0.0, 1.0)), share=0.95)
    assert isinstance(found, Estimated)
    inside = Outline(found.place.reshape(-1, 2)).contains_points(cluster)
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_singlets_leave_pairs_out() -> None:
    rng = np.random.default_rng(15)
    area = rng.uniform(0.2, 0.6, 20_000)
    height = 0.9 * area * np.exp(rng.normal(0, 0.04, 20_000))
    pair_area = rng.uniform(0.4, 0.9, 1_000)
    pairs = np.stack([pair_area, 0.55 * pair_area * np.exp(rng.normal(0, 0.04, 1_000))], axis=1)
    values = np.concatenate([np.stack([area, height], axis=1), pairs])
    template = [0.1, 0.07, 0.1, 0.12, 0.9, 1.0, 1.0, 1.0, 1.0, 0.75]
    found = run("singlets", values, template, ((0.0, 1.0), (0.0, 1.0)))
    assert isinstance(found, Estimated)
    inside = Outline(found.place.reshape(-1, 2)).contains_points(values)
    assert inside[:20_000].mean() > 0.998
    assert inside[20_000:].mean() < 0.01
    few = run("singlets", values[:50], template, ((0.0, 1.0), (0.0, 1.0)))
    assert isinstance(few, NotEstimable)


def test_a_valley_that_is_not_the_same_twice_is_not_estimable() -> None:
    template, limits = [0.45], ((0.0, 1.0),)
    few = run("valley", normal(2, (0.25, 0.06, 200), (0.65, 0.06, 100)), template, limits)
    assert isinstance(few, NotEstimable)
    assert few.reason == "300 events are too few for a valley, which takes 500"
    unsettled = 0
    for seed in range(10):
        near = run("valley", normal(seed, (0.4, 0.1, 500), (0.65, 0.1, 200)), template, limits)
        unsettled += isinstance(near, NotEstimable)
    assert unsettled >= 8
    # a wide empty floor leaves the place open, and parts the same events each time
    clear = run("valley", normal(3, (0.1, 0.02, 3_000), (0.9, 0.02, 1_000)), [0.5], limits)
    assert isinstance(clear, Estimated)


def test_what_lies_outside_the_axis_is_no_population() -> None:
    cells = normal(5, (0.3, 0.06, 3_000), (0.65, 0.06, 1_500))
    outside = np.concatenate([cells, np.full(60, -3.0), np.full(60, 9.0)])
    first, other = (run("valley", values, [0.45], ((0.0, 1.0),)) for values in (cells, outside))
    assert isinstance(first, Estimated)
    assert isinstance(other, Estimated)
    assert other.place == first.place
    assert other.n_events == 4_500


def test_interval_is_the_time_of_steady_flow() -> None:
    rng = np.random.default_rng(16)
    values = np.concatenate([rng.uniform(0, 2, 200), rng.uniform(2, 40, 38_000), rng.uniform(40, 50, 500)])
    found = run("interval", values, [0.0, 50.0], ((0.0, 50.0),))
    assert isinstance(found, Estimated)
    assert found.place == pytest.approx([2.0, 40.0], abs=0.6)


def job(method: str, values: np.ndarray, order: np.ndarray, shift: float = 0.0) -> Job:
    dimension = Dimension("A")
    rule = LearnRule(
        method, "root", min_events=100, options=FrozenMapping({"keep": "both"} if method == "mixture" else {})
    )
    task = Task("cut", "A", rule, -1, (dimension,), (0.45 + shift,), (0,))
    parts = [values[k::3] for k in range(3)]
    tubes = [LearningTube(f"T{k}", "sample", part[:, None] + shift) for k, part in enumerate(parts)]
    return Job(task, "batch", "B1", tuple(tubes[k] for k in order), "seed")


@pytest.mark.parametrize("method", ["valley", "tail", "quantile", "mixture"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(3)), shift=st.floats(-0.3, 0.3))
def test_order_changes_nothing_and_a_shift_shifts(method: str, seed: int, order: list[int], shift: float) -> None:
    values = normal(seed, (0.25, 0.06, 3_000), (0.65, 0.06, 1_500))
    first = estimate(job(method, values, np.arange(3)))
    assert first == estimate(job(method, values, np.array(order)))
    shuffled = values.copy()
    for k in range(3):
        shuffled[k::3] = np.random.default_rng(seed).permutation(values[k::3])
    assert estimate(job(method, shuffled, np.arange(3))) == first
    moved = estimate(job(method, values, np.arange(3), shift))
    assert moved.place[0] - shift == pytest.approx(first.place[0], abs=0.005)


def test_too_few_events_and_no_tube_are_told() -> None:
    one = job("mixture", normal(1, (0.3, 0.1, 30)), np.arange(3))
    few = estimate(one)
    assert (few.status, few.place, few.reason) == ("not_estimable", (), "30 events to learn from, wanted 100")
    none = estimate(replace(one, tubes=()))
    assert none.reason == "no tube of sample to learn from"
