"""Sparse partial least squares of two blocks of measurements within subjects, over arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Features that a component may keep of a block.
MOST_KEPT: Final = 10
#: Arrangements of subjects below which no p-value can be under 0.05.
FEWEST_ARRANGEMENTS: Final = 20
_STEPS: Final = 2000
_TOLERANCE: Final = 1e-10
#: Deviations below this share of the largest value are those of rounding.
_ROUNDING: Final = 1e-12
#: Covariance of two blocks below which nothing is left, as a share of their standard deviations.
_NOTHING: Final = 1e-10
#: Permutations that are held in memory at once.
_BATCH: Final = 128


@dataclass(frozen=True, eq=False)
class Blocks:
    """Two blocks of standardised deviations within subjects, from `within_blocks`.

    Attributes
    ----------
    x, y
        Deviations ``(n, p)`` and ``(n, q)``, every column of standard deviation 1.
    rows
        Which of the given rows they are, ``(n,)``.
    subject, visit, arm
        Code of each row, ``(n,)``.
    remove_visits
        Whether the means of each arm and visit were taken out.
    x_columns, y_columns
        Which of the given columns they are, ``(p,)`` and ``(q,)``; the others do not vary and are left out.
    n_incomplete
        Rows left out because a value of either block is NaN.
    n_alone
        Complete rows left out because they are the only one of their subject, or of their arm and visit.
    """

    x: Floats
    y: Floats
    rows: Codes
    subject: Codes
    visit: Codes
    arm: Codes
    remove_visits: bool
    x_columns: Codes
    y_columns: Codes
    n_incomplete: int
    n_alone: int

    @property
    def n_subjects(self) -> int:
        """Subjects with at least two rows."""
        return int(np.unique(self.subject).size)

    @property
    def df(self) -> int:
        """Rows less the means that were taken out."""
        means = self.n_subjects
        if self.remove_visits:
            means += int(np.linalg.matrix_rank(within(_indicators(self.arm, self.visit), self.subject)))
        return self.subject.size - means


@dataclass(frozen=True, eq=False)
class SparsePls:
    """Components of two blocks, in the order in which they were taken out.

    Attributes
    ----------
    x_loadings, y_loadings
        ``(p, k)`` and ``(q, k)``, each of length 1; 0 is not selected. The largest of `x_loadings` is positive, and
        `y_loadings` have the signs that make the covariance positive. NaN where no covariance is left, or where so
        many loadings tie that none stands out.
    x_scores, y_scores
        ``(n, k)``.
    covariance, correlation
        Of the two scores, ``(k,)``.
    covariance_percent
        Squared covariance as a percentage of the sum of squared covariances of all pairs of columns, ``(k,)``.
    converged
        Whether the loadings came to rest, ``(k,)``. The iteration may go round in circles (1 of 2,000 components of
        random blocks did); the loadings are then those of the step with the largest covariance.
    """

    x_loadings: Floats
    y_loadings: Floats
    x_scores: Floats
    y_scores: Floats
    covariance: Floats
    correlation: Floats
    covariance_percent: Floats
    converged: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Permuted:
    """P-values of the components ``(k,)``; NaN where `n_arrangements` is too few or a component does not exist.

    `n_exchanged` counts the subjects that have another of their arm with the same visits, `n_arrangements` (at most
    2⁶³ − 1) the ways in which they can be exchanged.
    """

    p_value: Floats
    n_exchanged: int
    n_arrangements: int


@dataclass(frozen=True, eq=False)
class Stability:
    """Share of the bootstrap samples in which each column is selected, ``(p, k)`` and ``(q, k)``."""

    x: Floats
    y: Floats


def within(values: ArrayLike, subject: ArrayLike) -> Floats:
    """Return each value less the mean of its subject: the variation within subjects.

    Westerhuis et al., Metabolomics 6 (2010) 119; Liquet et al., BMC Bioinformatics 13 (2012) 325.

    Parameters
    ----------
    values
        Shape ``(n, p)``, complete.
    subject
        Whose they are, shape ``(n,)``.

    Raises
    ------
    ParameterError
        If the shapes do not fit or a value is not finite.

    Examples
    --------
    >>> within([[1.0, 5.0], [3.0, 5.0], [7.0, 2.0]], ["a", "a", "b"]).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    table, who = np.asarray(values, dtype=np.float64), np.asarray(subject)
    if table.ndim != 2 or who.shape != table.shape[:1]:
        raise ParameterError(f"values and subject of shapes {table.shape} and {who.shape}: want (n, p) and (n,)")
    if not np.isfinite(table).all():
        raise ParameterError("values: some are not finite; leave out their rows first")
    number = _coded(who)
    sums = np.zeros((int(number.max(initial=-1)) + 1, table.shape[1]))
    np.add.at(sums, number, table)
    return np.asarray(table - (sums / np.bincount(number)[:, None])[number])


def within_blocks(
    x: ArrayLike, y: ArrayLike, subject: ArrayLike, visit: ArrayLike, arm: ArrayLike, *, remove_visits: bool = True
) -> Blocks:
    """Split the variation within subjects off two blocks that were measured at the same visits, and standardise it.

    Parameters
    ----------
    x, y
        Values, shapes ``(n, p)`` and ``(n, q)``; logarithms where they are concentrations or cells/µL. Rows with a NaN
        in either are left out.
    subject, visit, arm
        Of each row, shape ``(n,)``.
    remove_visits
        Take the means of each arm and visit out as well (least squares, together with those of the subjects), so that
        what all subjects of an arm share is no association of the blocks.

    Returns
    -------
    Blocks
        Rows that are the only one of their subject (or, with `remove_visits`, of their arm and visit) say nothing and
        are left out, as are columns that do not vary.

    Raises
    ------
    ParameterError
        If the shapes do not fit, a subject has a visit twice or several arms.

    Examples
    --------
    >>> blocks = within_blocks([[1.0], [3.0], [7.0], [9.5]], [[2.0], [1.0], [5.0], [np.nan]], list("aabb"),
    ...                        [0, 1, 0, 1], ["IL2"] * 4, remove_visits=False)
    >>> blocks.x.round(3).tolist(), blocks.n_incomplete, blocks.n_alone
    ([[-0.707], [0.707]], 1, 1)
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    labels = [np.asarray(values) for values in (subject, visit, arm)]
    shapes = [first.shape[:1], second.shape[:1], *(values.shape for values in labels)]
    if first.ndim != 2 or second.ndim != 2 or len(set(shapes)) > 1:
        raise ParameterError(
            f"x, y, subject, visit and arm of shapes {first.shape}, {second.shape}, "
            f"{', '.join(str(values.shape) for values in labels)}: want (n, p), (n, q) and three times (n,)"
        )
    who, when, group = (_coded(values) for values in labels)
    _check_layout(who, when, group, labels[0])
    complete = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    rows = np.flatnonzero(complete)
    cell = group * (int(when.max(initial=0)) + 1) + when
    while rows.size:
        several = _repeated(who[rows]) & (_repeated(cell[rows]) if remove_visits else True)
        if several.all():
            break
        rows = rows[several]
    who, when, group = (_coded(values[rows]) for values in (who, when, group))
    means = within(_indicators(group, when), who) if remove_visits and rows.size else np.empty((rows.size, 0))
    x_away, x_columns = _deviations(first[rows], who, means)
    y_away, y_columns = _deviations(second[rows], who, means)
    return Blocks(
        x=x_away,
        y=y_away,
        rows=rows.astype(np.intp),
        subject=who,
        visit=when,
        arm=group,
        remove_visits=remove_visits,
        x_columns=x_columns,
        y_columns=y_columns,
        n_incomplete=int((~complete).sum()),
        n_alone=int(complete.sum()) - rows.size,
    )


def sparse_pls(x: ArrayLike, y: ArrayLike, keep_x: int, keep_y: int, n_components: int = 1) -> SparsePls:
    """Find pairs of sparse directions along which two blocks vary together: sparse PLS in canonical mode.

    The loadings begin as the first singular vectors of ``X'Y``; ``u ← S(X'Y v)`` and ``v ← S(Y'X u)``, each brought to
    length 1, are repeated until they rest. S is the soft threshold by the largest absolute loading that is to be
    dropped, so that `keep_x` and `keep_y` are left (fewer where loadings tie with it). Both blocks then lose what
    their own score explains, and the next component is sought.

    Lê Cao et al., Statistical Applications in Genetics and Molecular Biology 7 (2008) 35, and BMC Bioinformatics 10
    (2009) 34; threshold by number and order of the steps as in R's mixOmics.

    Parameters
    ----------
    x, y
        Blocks ``(n, p)`` and ``(n, q)``, their columns with mean 0 and, as a rule, of one scale: those of `Blocks`.
    keep_x, keep_y
        Loadings that are not 0, of each component: at most p, q, and `MOST_KEPT`.
    n_components
        How many, at most the smaller of p and q.

    Raises
    ------
    ParameterError
        If a value is not finite, or a number is outside its range.

    Examples
    --------
    >>> x, y = np.array([[1.0, 0.2], [-1.0, 0.1], [0.0, -0.3]]), np.array([[2.0, 0.1], [-1.0, 0.4], [-1.0, -0.5]])
    >>> found = sparse_pls(x, y, 1, 1)
    >>> found.x_loadings.ravel().tolist(), found.y_loadings.ravel().tolist(), found.covariance.round(3).tolist()
    ([1.0, 0.0], [1.0, 0.0], [1.5])
    """
    first, second = _checked(x, y, keep_x, keep_y, n_components)
    n = first.shape[0]
    u, v, converged = _components(
        (first.T @ first)[None], (first.T @ second)[None], (second.T @ second)[None], keep_x, keep_y, n_components
    )
    x_loadings, y_loadings = u[0].T, v[0].T
    scores_x, scores_y = np.empty((n, n_components)), np.empty((n, n_components))
    for position, (left, right) in enumerate(_deflated(first, second, x_loadings, y_loadings)):
        scores_x[:, position], scores_y[:, position] = left @ x_loadings[:, position], right @ y_loadings[:, position]
    products = (scores_x * scores_y).sum(axis=0)
    lengths = np.sqrt((scores_x**2).sum(axis=0) * (scores_y**2).sum(axis=0))
    whole = float(((first.T @ second) ** 2).sum())
    return SparsePls(
        x_loadings=x_loadings,
        y_loadings=y_loadings,
        x_scores=scores_x,
        y_scores=scores_y,
        covariance=products / (n - 1),
        correlation=products / lengths,
        covariance_percent=100.0 * products**2 / whole if whole > 0 else np.full(n_components, np.nan),
        converged=converged[0],
    )


def permutation_p(
    blocks: Blocks, keep_x: int, keep_y: int, n_components: int = 1, *, n_permutations: int = 999, seed: int
) -> Permuted:
    """Test each component against blocks whose subjects are exchanged.

    The deviations of Y are exchanged between subjects of one arm with the same visits, all visits of a subject
    together. If those of X say nothing of those of Y, given arm and visits, every arrangement is as likely as the
    observed one: the test is exact for the first component, whatever the correlation of a subject's visits and of the
    columns, and whatever all subjects of an arm share at a visit (an exchange keeps the means of arms and visits).
    Rows are not exchanged one by one: where neighbouring visits are alike in both blocks, that calls chance an
    association. A subject that no other can stand in for stays where it is, which costs power and not the level.

    The statistic is the covariance of the scores, which is what the components maximise; an exchange leaves the
    variation of either block as it is, so that covariances compare. (Correlation of scores would favour directions
    with next to no variation.) A later component is tested in the blocks without those before it, and its p-value is
    at least theirs (Winkler et al., NeuroImage 220 (2020) 117065); that is approximate, and sparse loadings leave some
    of one association for the next component to find. ``p = (1 + number ≥ observed) / (1 + permutations)``.

    Parameters
    ----------
    blocks
        From `within_blocks`.
    keep_x, keep_y, n_components
        As for `sparse_pls`, which is run anew for each permutation.
    n_permutations
        How many arrangements are drawn.
    seed
        Of the generator of the arrangements; the same seed gives the same p-values.

    Raises
    ------
    ParameterError
        As `sparse_pls`, or if there are no permutations.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, who, when = rng.normal(size=(24, 2)), np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8)
    >>> blocks = within_blocks(x, x + rng.normal(size=(24, 2)) / 2, who, when, np.zeros(24))
    >>> found = permutation_p(blocks, 2, 2, n_permutations=99, seed=1)
    >>> found.p_value.tolist(), found.n_exchanged, found.n_arrangements
    ([0.01], 8, 40320)
    """
    if n_permutations < 1:
        raise ParameterError(f"n_permutations = {n_permutations}: at least 1 is needed")
    fit = sparse_pls(blocks.x, blocks.y, keep_x, keep_y, n_components)
    alike = _alike(blocks)
    arrangements = math.prod(math.factorial(len(members)) for members in alike)
    exchanged = sum(len(members) for members in alike)
    p = np.full(n_components, np.nan)
    if arrangements >= FEWEST_ARRANGEMENTS:
        order = _arrangements(alike, blocks.subject.size, n_permutations, np.random.default_rng(seed))
        for position, (x, y) in enumerate(_deflated(blocks.x, blocks.y, fit.x_loadings, fit.y_loadings)):
            if np.isnan(fit.covariance[position]):
                break
            reached = 0
            # an arrangement that changes nothing is not to fall short by rounding
            limit = float(_covariances((x.T @ y)[None], keep_x, keep_y)[0]) * (1.0 - 1e-9)
            for begin in range(0, n_permutations, _BATCH):
                products = x.T @ y[order[begin : begin + _BATCH]]
                reached += int((_covariances(products, keep_x, keep_y) >= limit).sum())
            p[position] = (1 + reached) / (1 + n_permutations)
        p = np.maximum.accumulate(p)
    return Permuted(p, exchanged, min(arrangements, int(np.iinfo(np.int64).max)))


def stability(
    blocks: Blocks, keep_x: int, keep_y: int, n_components: int = 1, *, n_bootstraps: int = 200, seed: int
) -> Stability:
    """Count how often each column is selected in bootstrap samples of the subjects of each arm.

    In every sample the means of arms and visits and the standard deviations are those of the sample. Components are
    matched by their order. Where all columns are kept, all shares are 1.

    Parameters
    ----------
    blocks
        From `within_blocks`.
    keep_x, keep_y, n_components
        As for `sparse_pls`.
    n_bootstraps
        How many samples are drawn.
    seed
        Of the generator of the samples; the same seed gives the same shares.

    Raises
    ------
    ParameterError
        As `sparse_pls`, or if there are no samples.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, who, when = rng.normal(size=(24, 2)), np.repeat(np.arange(8), 3), np.tile(np.arange(3), 8)
    >>> blocks = within_blocks(x, x[:, :1] + rng.normal(size=(24, 1)) / 2, who, when, np.zeros(24))
    >>> stability(blocks, 1, 1, n_bootstraps=50, seed=1).x.ravel().tolist()
    [1.0, 0.0]
    """
    if n_bootstraps < 1:
        raise ParameterError(f"n_bootstraps = {n_bootstraps}: at least 1 is needed")
    x, y = _checked(blocks.x, blocks.y, keep_x, keep_y, n_components)
    rng = np.random.default_rng(seed)
    arms = blocks.arm[np.unique(blocks.subject, return_index=True)[1]]
    times = np.zeros((n_bootstraps, arms.size))
    for arm in np.unique(arms):
        mine = np.flatnonzero(arms == arm)
        drawn = mine[rng.integers(0, mine.size, (n_bootstraps, mine.size))]
        np.add.at(times, (np.arange(n_bootstraps)[:, None], drawn), 1.0)
    means = np.empty((x.shape[0], 0))
    if blocks.remove_visits:
        means = within(_indicators(blocks.arm, blocks.visit), blocks.subject)
    every = np.column_stack([means, x, y])
    k, p = means.shape[1], x.shape[1]
    selected_x, selected_y = np.zeros((n_components, p)), np.zeros((n_components, y.shape[1]))
    for begin in range(0, n_bootstraps, _BATCH):
        weights = times[begin : begin + _BATCH, blocks.subject]
        products = every.T @ (weights[:, :, None] * every)
        rest = products[:, k:, k:]
        if k:
            # a subject drawn twice is two subjects with the same deviations, hence weights and no new means of subjects
            inverse = np.linalg.pinv(products[:, :k, :k], rcond=_NOTHING, hermitian=True)
            rest = rest - products[:, k:, :k] @ inverse @ products[:, :k, k:]
        variance = np.diagonal(rest, axis1=1, axis2=2)
        scale = np.where(variance > _NOTHING * x.shape[0], 1 / np.sqrt(np.maximum(variance, _NOTHING)), 0.0)
        rest = rest * scale[:, :, None] * scale[:, None, :]
        u, v, _ = _components(rest[:, :p, :p], rest[:, :p, p:], rest[:, p:, p:], keep_x, keep_y, n_components)
        selected_x += (np.nan_to_num(u) != 0).sum(axis=0)
        selected_y += (np.nan_to_num(v) != 0).sum(axis=0)
    return Stability(selected_x.T / n_bootstraps, selected_y.T / n_bootstraps)


def _deviations(values: Floats, subject: Codes, means: Floats) -> tuple[Floats, Codes]:
    """Standardised deviations from the subjects' and further means, and the columns that have any."""
    away = within(values, subject)
    away = away - means @ np.linalg.lstsq(means, away, rcond=None)[0] if means.size else away
    largest = np.abs(values).max(axis=0, initial=0.0)
    varies = np.flatnonzero(np.abs(away).max(axis=0, initial=0.0) > _ROUNDING * largest)
    away = away[:, varies]
    # their mean is 0 by construction
    return away / np.sqrt((away**2).sum(axis=0) / max(len(away) - 1, 1)), varies.astype(np.intp)


def _components(
    sxx: Floats, sxy: Floats, syy: Floats, keep_x: int, keep_y: int, n_components: int
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Loadings ``(b, k, p)`` and ``(b, k, q)`` out of products of columns, and whether they came to rest ``(b, k)``.

    Deflation in canonical mode, X − X u u'X'X / u'X'X u and likewise Y, needs the products alone.
    """
    n, p, q = sxy.shape
    loadings_x, loadings_y = np.empty((n, n_components, p)), np.empty((n, n_components, q))
    converged = np.empty((n, n_components), dtype=bool)
    size = np.sqrt(np.trace(sxx, axis1=1, axis2=2) * np.trace(syy, axis1=1, axis2=2))
    for component in range(n_components):
        u, v, rests = _leading(sxy, keep_x, keep_y)
        nothing = np.linalg.norm(sxy, axis=(1, 2)) <= _NOTHING * size
        nothing |= ~u.any(axis=1) | ~v.any(axis=1) | np.isnan(u).any(axis=1)
        u[nothing], v[nothing] = np.nan, np.nan
        loadings_x[:, component], loadings_y[:, component] = u, v
        converged[:, component] = rests & ~nothing
        if component + 1 < n_components:
            sxx, sxy, syy = _without(sxx, sxy, syy, u, v)
    return loadings_x, loadings_y, converged


def _without(sxx: Floats, sxy: Floats, syy: Floats, u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """Products of the columns of both blocks without what their own scores explain; NaN loadings give NaN."""
    xt, yt = (sxx @ u[:, :, None])[:, :, 0], (u[:, None, :] @ sxy)[:, 0]
    ys, xs = (syy @ v[:, :, None])[:, :, 0], (sxy @ v[:, :, None])[:, :, 0]
    tt, ss, ts = (u * xt).sum(axis=1), (v * ys).sum(axis=1), (u * xs).sum(axis=1)
    a, b = xt / tt[:, None], ys / ss[:, None]

    def outer(left: Floats, right: Floats) -> Floats:
        return np.asarray(left[:, :, None] * right[:, None, :])

    return (
        sxx - outer(a, xt),
        sxy - outer(a, yt) - outer(xs, b) + ts[:, None, None] * outer(a, b),
        syy - outer(b, ys),
    )


def _leading(products: Floats, keep_x: int, keep_y: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """First sparse pair of each ``(b, p, q)``: ``(b, p)``, ``(b, q)`` and whether it came to rest; zeros for none."""
    n, p, q = products.shape
    known: NDArray[np.bool_] = np.asarray(np.isfinite(products).all(axis=(1, 2)))
    left, _, right = np.linalg.svd(np.where(known[:, None, None], products, 0.0), full_matrices=False)
    u, v = left[:, :, 0].copy(), right[:, 0].copy()
    u[~known], v[~known] = np.nan, np.nan
    rests = known.copy()
    if keep_x < p or keep_y < q:
        # what has come to rest is not gone over again
        active = np.flatnonzero(known)
        rests[active] = False
        best, best_u, best_v = np.full(n, -np.inf), u.copy(), v.copy()
        for _ in range(_STEPS):
            these = products[active]
            new_u = _sparse((these @ v[active][:, :, None])[:, :, 0], keep_x)
            onto = (new_u[:, None, :] @ these)[:, 0]
            new_v = _sparse(onto, keep_y)
            reached = (onto * new_v).sum(axis=1)
            further = reached > best[active]
            better = active[further]
            best[better], best_u[better], best_v[better] = reached[further], new_u[further], new_v[further]
            moved = np.maximum(np.abs(new_u - u[active]).max(axis=1), np.abs(new_v - v[active]).max(axis=1))
            u[active], v[active] = new_u, new_v
            rests[active] = moved < _TOLERANCE
            active = active[moved >= _TOLERANCE]
            if not active.size:
                break
        # thresholds that move with the loadings may go round in circles
        u[active], v[active] = best_u[active], best_v[active]
    size = np.abs(u)
    first = np.argmax(size >= size.max(axis=1, keepdims=True) * (1.0 - 1e-9), axis=1)
    sign = np.where(u[np.arange(n), first] < 0, -1.0, 1.0)[:, None]
    # adding 0 turns -0 into 0
    return u * sign + 0.0, v * sign + 0.0, rests


def _sparse(vectors: Floats, keep: int) -> Floats:
    """Soft-threshold each vector ``(b, p)`` so that `keep` are left, and bring it to length 1; zeros where none is."""
    size = np.abs(vectors)
    if keep < vectors.shape[1]:
        dropped = np.partition(size, vectors.shape[1] - keep - 1, axis=1)[:, vectors.shape[1] - keep - 1]
        shrunk = size - dropped[:, None]
        # what ties with the threshold but for rounding is dropped with it
        size = np.where(shrunk > _ROUNDING * size.max(axis=1, keepdims=True), shrunk, 0.0)
    length = np.sqrt((size**2).sum(axis=1, keepdims=True))
    return np.asarray(np.sign(vectors) * np.divide(size, length, out=np.zeros_like(size), where=length > 0))


def _covariances(products: Floats, keep_x: int, keep_y: int) -> Floats:
    """Sum of products of the scores of the first component, of each ``(b, p, q)``."""
    u, v, _ = _leading(products, keep_x, keep_y)
    return np.asarray((u[:, None, :] @ products @ v[:, :, None])[:, 0, 0])


def _deflated(x: Floats, y: Floats, u: Floats, v: Floats) -> list[tuple[Floats, Floats]]:
    """Both blocks as each component finds them; NaN after one that does not exist."""
    found = []
    for component in range(u.shape[1]):
        found.append((x, y))
        t, s = x @ u[:, component], y @ v[:, component]
        x, y = x - np.outer(t, t @ x / (t @ t)), y - np.outer(s, s @ y / (s @ s))
    return found


def _alike(blocks: Blocks) -> list[list[Codes]]:
    """Rows, by visit, of the subjects that can stand in for each other; groups of one are left out."""
    groups: dict[tuple[int, tuple[int, ...]], list[Codes]] = {}
    order = np.lexsort([blocks.visit, blocks.subject])
    for rows in np.split(order, np.flatnonzero(np.diff(blocks.subject[order])) + 1):
        key = int(blocks.arm[rows[0]]) if rows.size else 0, tuple(blocks.visit[rows].tolist())
        groups.setdefault(key, []).append(rows.astype(np.intp))
    return [groups[key] for key in sorted(groups) if len(groups[key]) > 1]


def _arrangements(alike: list[list[Codes]], n: int, times: int, rng: np.random.Generator) -> Codes:
    """Row of Y that stands at each row of X, ``(times, n)``."""
    order = np.tile(np.arange(n, dtype=np.intp), (times, 1))
    for members in alike:
        rows = np.stack(members)
        drawn = rng.permuted(np.tile(np.arange(len(members)), (times, 1)), axis=1)
        order[:, rows.ravel()] = rows[drawn].reshape(times, -1)
    return order


def _indicators(arm: Codes, visit: Codes) -> Floats:
    """One column for each arm and visit that occurs, ``(n, cells)``."""
    _, cell = np.unique(np.column_stack([arm, visit]), axis=0, return_inverse=True)
    return np.asarray(np.eye(int(cell.max(initial=-1)) + 1)[cell.ravel()])


def _coded(labels: NDArray[np.generic]) -> Codes:
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def _repeated(codes: Codes) -> NDArray[np.bool_]:
    return np.asarray(np.bincount(codes)[codes] > 1)


def _check_layout(who: Codes, when: Codes, group: Codes, names: NDArray[np.generic]) -> None:
    pairs, times = np.unique(np.column_stack([who, when]), axis=0, return_counts=True)
    if (times > 1).any():
        name = names[who == pairs[times > 1][0, 0]][0]
        raise ParameterError(f"subject {name}: a visit occurs twice; keep one row of each visit")
    arms, times = np.unique(np.unique(np.column_stack([who, group]), axis=0)[:, 0], return_counts=True)
    if (times > 1).any():
        name = names[who == arms[times > 1][0]][0]
        raise ParameterError(f"subject {name}: several arms; each subject needs one")


def _checked(x: ArrayLike, y: ArrayLike, keep_x: int, keep_y: int, n_components: int) -> tuple[Floats, Floats]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[0] != second.shape[0] or first.shape[0] < 2:
        raise ParameterError(f"x and y of shapes {first.shape} and {second.shape}: want (n, p) and (n, q), n ≥ 2")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ParameterError("x and y: some values are not finite; within_blocks leaves out their rows")
    for word, keep, size in (("x", keep_x, first.shape[1]), ("y", keep_y, second.shape[1])):
        if size < 1:
            raise ParameterError(f"{word} has no column: there is nothing to find components of")
        if not 1 <= keep <= size:
            raise ParameterError(f"keep_{word} = {keep}: {word} has {size} columns; keep 1 to {size} of them")
        if keep > MOST_KEPT:
            raise ParameterError(
                f"keep_{word} = {keep}: a component of more than {MOST_KEPT} features cannot be read; keep fewer"
            )
    most = min(first.shape[1], second.shape[1])
    if not 1 <= n_components <= most:
        raise ParameterError(
            f"n_components = {n_components}: blocks of {first.shape[1]} and {second.shape[1]} columns have 1 to {most}"
        )
    return first, second
