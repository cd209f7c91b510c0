"""Sparse PLS of two blocks within subjects: closed forms, another program, and the level of its test."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cross_decomposition import PLSSVD, PLSCanonical

from il2cyto.errors import ParameterError
from il2cyto.models.blocks import permutation_p, sparse_pls, stability, within, within_blocks

Floats = NDArray[np.float64]
SETS, PERMUTATIONS = 200, 99


def standard(values: Floats) -> Floats:
    return (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)


def pair(seed: int, n: int = 40, p: int = 6, q: int = 5) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return standard(x), standard(x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q)))


def from_products(products: list[list[float]]) -> tuple[Floats, Floats]:
    """Blocks whose X'Y is the matrix."""
    wanted = np.array(products)
    return np.eye(wanted.shape[0]), wanted


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_kept_is_canonical_pls(seed: int) -> None:
    """scikit-learn 1.9: PLSCanonical (deflation as here) for every component, PLSSVD for the first."""
    x, y = pair(seed)
    found = sparse_pls(x, y, 6, 5, 4)
    other = PLSCanonical(4, scale=False, algorithm="svd").fit(x, y)
    once = PLSSVD(1, scale=False).fit(x, y)
    for mine, theirs in ((found.x_loadings, other.x_weights_), (found.y_loadings, other.y_weights_)):
        np.testing.assert_allclose(np.abs((mine * theirs).sum(axis=0)), 1, atol=1e-12)
        np.testing.assert_allclose(np.abs(mine), np.abs(theirs), atol=1e-8)
    np.testing.assert_allclose(np.abs(found.x_loadings[:, :1]), np.abs(once.x_weights_), atol=1e-8)
    np.testing.assert_allclose(np.abs(found.x_scores), np.abs(other.transform(x)), atol=1e-8)
    assert found.converged.all()
    singular = np.linalg.svd(x.T @ y, compute_uv=False)
    assert found.covariance[0] == pytest.approx(singular[0] / 39, rel=1e-12)
    assert found.covariance_percent[0] == pytest.approx(100 * singular[0] ** 2 / (singular**2).sum(), rel=1e-12)
    assert found.correlation[0] == pytest.approx(np.corrcoef(found.x_scores[:, 0], found.y_scores[:, 0])[0, 1])


def test_soft_thresholds_by_hand() -> None:
    """A product of rank one has the thresholded factors as fixed point, whatever the other block.

    (5, -3, 2): two kept are (5 - 2, -(3 - 2)) = (3, -1); (4, 1): one kept is 1.
    """
    found = sparse_pls(*from_products([[20.0, 5.0], [-12.0, -3.0], [8.0, 2.0]]), 2, 1)
    np.testing.assert_allclose(found.x_loadings.ravel(), np.array([3, -1, 0]) / np.sqrt(10), atol=1e-12)
    assert found.y_loadings.ravel().tolist() == [1.0, 0.0]
    # u'X'Y v = (3·20 + 1·12) / √10 and Σ squares = (25 + 9 + 4)(16 + 1)
    assert found.covariance[0] == pytest.approx(72 / np.sqrt(10) / 2, rel=1e-12)
    assert found.covariance_percent[0] == pytest.approx(100 * 518.4 / 646, rel=1e-12)


def test_the_iteration_by_hand() -> None:
    """[[4, 0], [3, 1], [0, 2]], two and one kept.

    v = (1, 0) gives X'Y v = (4, 3, 0), whose least is 0 already: u = (4, 3, 0) / 5, and Y'X u = (25, 3) / 5 less its
    second leaves (1, 0): it rests.
    """
    found = sparse_pls(*from_products([[4.0, 0.0], [3.0, 1.0], [0.0, 2.0]]), 2, 1)
    np.testing.assert_allclose(found.x_loadings.ravel(), [0.8, 0.6, 0.0], atol=1e-12)
    assert found.y_loadings.ravel().tolist() == [1.0, 0.0]


def test_two_components_of_two_associations() -> None:
    rng = np.random.default_rng(4)
    t = np.linalg.qr(rng.normal(size=(60, 2)))[0]
    noise = rng.normal(0, 0.01, (2, 60, 6))
    x, y = (standard(t[:, [0, 0, 1, 1, 0, 1]] * np.array([1, 1, 1, -1, 0, 0]) + part) for part in noise)
    y[:, 2:4] *= 0.8
    found = sparse_pls(x, y, 2, 2, 2)
    for loadings in (found.x_loadings, found.y_loadings):
        assert [np.flatnonzero(column).tolist() for column in loadings.T] == [[0, 1], [2, 3]]
    assert found.x_loadings[2, 1] * found.x_loadings[3, 1] < 0
    assert abs(found.x_scores[:, 0] @ found.x_scores[:, 1]) < 1e-9 * (found.x_scores[:, 0] ** 2).sum()


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5))
def test_laws(seed: int, keep_x: int, keep_y: int) -> None:
    x, y = pair(seed, n=30)
    found = sparse_pls(x, y, keep_x, keep_y, 2)
    for loadings, keep in ((found.x_loadings, keep_x), (found.y_loadings, keep_y)):
        assert ((loadings != 0).sum(axis=0) == keep).all()
        np.testing.assert_allclose((loadings**2).sum(axis=0), 1, atol=1e-12)
    assert (found.covariance > 0).all()
    assert (found.x_loadings[np.abs(found.x_loadings).argmax(axis=0), [0, 1]] > 0).all()
    order_x, order_y, flip = [3, 0, 5, 1, 4, 2], [4, 2, 0, 1, 3], np.array([1, -1, 1, 1, -1.0])
    moved = sparse_pls(x[::-1][:, order_x], (y * flip)[::-1][:, order_y], keep_x, keep_y)
    if found.converged[0]:
        np.testing.assert_allclose(moved.x_loadings[:, 0], found.x_loadings[order_x, 0], atol=1e-6)
        np.testing.assert_allclose(moved.y_loadings[:, 0], (found.y_loadings[:, 0] * flip)[order_y], atol=1e-6)


def test_an_iteration_that_goes_round_in_circles() -> None:
    """Two steps take turns, with covariances 24.52 and 28.93; the larger one is reported, as not at rest."""
    x, y = pair(2203, n=30)
    found = sparse_pls(x, y, 2, 2)
    assert not found.converged[0]
    assert found.covariance[0] * 29 >= 28.932071757113
    assert (found.x_loadings != 0).sum() == (found.y_loadings != 0).sum() == 2


def test_what_has_no_component() -> None:
    x = standard(np.arange(12.0).reshape(6, 2) ** 2)
    t = standard(np.arange(5.0)[:, None])
    rank_one = sparse_pls(np.column_stack([t, -2 * t]), np.column_stack([t, 3 * t]), 2, 2, 2)
    assert rank_one.converged.tolist() == [True, False]
    assert np.isnan(rank_one.x_loadings).tolist() == [[False, True]] * 2
    assert np.isnan(rank_one.covariance).tolist() == [False, True]
    tied = sparse_pls(np.column_stack([t, t]), t, 1, 1)
    assert np.isnan(tied.covariance).all()
    for arguments, message in (
        ((x, x, 3, 1), "keep_x = 3: x has 2 columns; keep 1 to 2 of them"),
        ((x, x, 1, 0), "keep_y = 0"),
        ((x, x, 1, 1, 3), "n_components = 3: blocks of 2 and 2 columns have 1 to 2"),
        ((x, x[:4], 1, 1), r"want \(n, p\) and \(n, q\)"),
        ((x * np.nan, x, 1, 1), "within_blocks leaves out their rows"),
        ((x[:, :0], x, 1, 1), "x has no column"),
        ((np.eye(12), np.eye(12), 11, 1), "a component of more than 10 features cannot be read; keep fewer"),
    ):
        with pytest.raises(ParameterError, match=message):
            sparse_pls(*arguments)


def test_deviations_are_those_of_least_squares() -> None:
    """Unequal visits: subjects and arm × visit out at once, as a regression on all their indicators does."""
    x, y, who, when, arm = trial(3, missing=0.25)
    blocks = within_blocks(x, y, who, when, arm)
    assert blocks.n_incomplete == np.isnan(x).any(axis=1).sum() > 0
    rows = blocks.rows
    cell = arm[rows] * 10 + when[rows]
    design = np.column_stack([who[rows][:, None] == np.unique(who), cell[:, None] == np.unique(cell)]).astype(float)
    for found, values in ((blocks.x, x[rows]), (blocks.y, y[rows])):
        away = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        np.testing.assert_allclose(found, away / away.std(axis=0, ddof=1), atol=1e-9)
    assert blocks.df == len(rows) - np.linalg.matrix_rank(design)
    plain = within_blocks(x, y, who, when, arm, remove_visits=False)
    np.testing.assert_allclose(plain.x, standard(within(x[plain.rows], who[plain.rows])), atol=1e-12)


def test_rows_and_columns_that_say_nothing_are_counted() -> None:
    who = np.array(["a", "a", "b", "b", "c", "c", "d", "e", "e"])
    when = np.array([0, 1, 0, 1, 0, 1, 0, 0, 9])
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=9), np.full(9, 3.3), (who == "b") * 1e6])
    y = rng.normal(size=(9, 1))
    y[0, 0] = np.nan
    blocks = within_blocks(x, y, who, when, np.zeros(9))
    # a is alone without its first row, d has one row, the visit 9 is of e only, which leaves e with one row
    assert blocks.rows.tolist() == [2, 3, 4, 5]
    assert (blocks.n_incomplete, blocks.n_alone, blocks.n_subjects) == (1, 4, 2)
    assert (blocks.x_columns.tolist(), blocks.y_columns.tolist()) == ([0], [0])
    assert within_blocks(x, y, who, when, np.zeros(9), remove_visits=False).rows.tolist() == [2, 3, 4, 5, 7, 8]
    nothing = within_blocks(x * np.nan, y, who, when, np.zeros(9))
    assert (nothing.x.shape, nothing.n_incomplete, nothing.df) == ((0, 0), 9, 0)
    with pytest.raises(ParameterError, match="subject a: a visit occurs twice"):
        within_blocks(x, y, who, np.zeros(9), np.zeros(9))
    with pytest.raises(ParameterError, match="subject e: several arms"):
        within_blocks(x, y, who, when, when == 9)
    with pytest.raises(ParameterError, match=r"want \(n, p\), \(n, q\) and three times \(n,\)"):
        within_blocks(x, y[:3], who, when, when)
    with pytest.raises(ParameterError, match="some are not finite"):
        within([[np.nan]], [1])
    with pytest.raises(ParameterError, match=r"want \(n, p\) and \(n,\)"):
        within([1.0], [1])


def trial(
    seed: int, *, visits: float = 0.0, slope: float = 0.0, missing: float = 0.1
) -> tuple[Floats, Floats, NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Two arms of 10 subjects at 4 visits: 4 and 3 columns, each a level and an autocorrelated course (ρ = 0.8).

    `visits` moves all subjects of an arm at a visit in both blocks; `slope` puts a column of X into one of Y.
    """
    rng = np.random.default_rng(seed)
    who, when = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)
    arm = (who >= 10).astype(np.intp)

    def block(columns: int) -> Floats:
        course = rng.normal(size=(20, 4, columns))
        for visit in range(1, 4):
            course[:, visit] = 0.8 * course[:, visit - 1] + 0.6 * course[:, visit]
        return course.reshape(80, columns) + rng.normal(0, 2, (20, columns))[who]

    x, y = block(4), block(3)
    y[:, 0] += slope * x[:, 1]
    x += visits * (when * arm)[:, None]
    y += visits * (when * (1 + arm))[:, None]
    x[rng.random(80) < missing, 0] = np.nan
    return x, y, who, when, arm


def p_values(sets: int, *, remove_visits: bool = True, **kinds: float) -> Floats:
    return np.array(
        [
            permutation_p(
                within_blocks(*trial(seed, **kinds), remove_visits=remove_visits),
                2,
                2,
                2,
                n_permutations=PERMUTATIONS,
                seed=seed,
            ).p_value
            for seed in range(sets)
        ]
    )


@pytest.mark.parametrize(("visits", "remove_visits"), [(0.0, True), (2.0, True), (2.0, False)])
def test_no_association_has_nominal_p_values(visits: float, remove_visits: bool) -> None:
    """Autocorrelated courses, with and without what an arm shares at its visits, which may stay in: the exchange of
    whole subjects keeps it. Rows exchanged one by one within arm and visit have about 29 % below 0.05 here."""
    p = p_values(SETS, visits=visits, remove_visits=remove_visits)
    for limit in (0.05, 0.2, 0.5, 0.8):
        error = np.sqrt(limit * (1 - limit) / SETS)
        assert np.mean(p[:, 0] <= limit) == pytest.approx(limit, abs=3 * error)
        assert np.mean(p[:, 1] <= limit) <= limit + 3 * error
    assert (p[:, 1] >= p[:, 0]).all()


def test_common_visits_taken_out_leave_the_same_numbers() -> None:
    """What all of an arm share has no say in the statistic or in the exchange."""
    np.testing.assert_array_equal(p_values(5), p_values(5, visits=2.0))


def test_an_association_is_found() -> None:
    p = p_values(60, slope=1.0, visits=2.0)
    assert np.mean(p[:, 0] <= 0.05) > 0.8


def test_exchange_of_subjects() -> None:
    """Three of one arm with all visits and two without the last can be arranged in 3! · 2! ways: too few for a p."""
    x, y, who, when, arm = trial(1, missing=0.0)
    kept = (who < 5) & ~((who >= 3) & (when == 3))
    few = within_blocks(x[kept], y[kept], who[kept], when[kept], arm[kept])
    found = permutation_p(few, 2, 2, seed=1)
    assert (found.n_exchanged, found.n_arrangements) == (5, 12)
    assert np.isnan(found.p_value).all()
    # one subject has nobody to stand in for it: 4! ways, of which one is the observed
    kept = (who < 5) & ~((who == 4) & (when == 3))
    four = within_blocks(x[kept], y[kept], who[kept], when[kept], arm[kept])
    many = permutation_p(four, 2, 2, n_permutations=4000, seed=1)
    assert (many.n_exchanged, many.n_arrangements) == (4, 24)
    assert many.p_value[0] >= 1 / 24 - 3 * np.sqrt(1 / 24 / 4000)
    with pytest.raises(ParameterError, match="n_permutations = 0"):
        permutation_p(four, 2, 2, n_permutations=0, seed=1)
    with pytest.raises(ParameterError, match="n_bootstraps = 0"):
        stability(four, 2, 2, n_bootstraps=0, seed=1)


def test_all_arrangements_of_four_subjects() -> None:
    """Against every one of the 24, each fitted by itself."""
    x, y, who, when, arm = trial(2, missing=0.0)
    kept = who < 4
    blocks = within_blocks(x[kept], y[kept], who[kept], when[kept], arm[kept])
    statistic = [
        sparse_pls(blocks.x, blocks.y.reshape(4, 4, 3)[list(order)].reshape(16, 3), 2, 2).covariance[0]
        for order in permutations(range(4))
    ]
    share = np.mean(np.array(statistic) >= statistic[0] * (1 - 1e-9))
    found = permutation_p(blocks, 2, 2, n_permutations=6000, seed=3).p_value[0]
    assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 6000) + 1 / 6000)


def test_stability_is_that_of_samples_fitted_one_by_one() -> None:
    """Subjects drawn twice count as two: the same draws, laid out in rows and fitted anew."""
    x, y, who, when, arm = trial(5, slope=0.7, visits=1.0)
    blocks = within_blocks(x, y, who, when, arm)
    found = stability(blocks, 2, 1, 2, n_bootstraps=25, seed=8)
    rng = np.random.default_rng(8)
    arms = blocks.arm[np.unique(blocks.subject, return_index=True)[1]]
    draws = []
    for name in (0, 1):
        mine = np.flatnonzero(arms == name)
        draws.append(mine[rng.integers(0, mine.size, (25, mine.size))])
    times_x, times_y = np.zeros((4, 2)), np.zeros((3, 2))
    for drawn in np.column_stack(draws):
        rows = [np.flatnonzero(blocks.subject == one) for one in drawn]
        every = blocks.rows[np.concatenate(rows)]
        label = np.repeat(np.arange(len(drawn)), [len(one) for one in rows])
        again = within_blocks(x[every], y[every], label, when[every], arm[every])
        fit = sparse_pls(again.x, again.y, 2, 1, 2)
        times_x += fit.x_loadings != 0
        times_y += fit.y_loadings != 0
    np.testing.assert_allclose(found.x, times_x / 25, atol=1e-12)
    np.testing.assert_allclose(found.y, times_y / 25, atol=1e-12)
    np.testing.assert_allclose(found.x.sum(axis=0), 2)


def test_seeds_say_it_all() -> None:
    blocks = within_blocks(*trial(5, slope=0.5))
    one, two, other = (stability(blocks, 2, 1, n_bootstraps=40, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.x, two.x)
    assert (one.x != other.x).any()
    first, again, third = (permutation_p(blocks, 2, 1, seed=seed).p_value[0] for seed in (1, 1, 2))
    assert first == again != third
    assert (stability(within_blocks(*trial(5, slope=3.0)), 1, 1, n_bootstraps=40, seed=1).x[1, 0]) > 0.95
