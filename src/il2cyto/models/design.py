"""Design of the model of change from baseline, and its fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.models.course import Course, Layout
from il2cyto.models.mixed import MIXED, Fit, Floats, fit_random_intercept
from il2cyto.models.mmrm import Contrast, Rung, climb, t_contrast

MMRM: Final = "mixed model for repeated measures (REML)"
ANCOVA: Final = "analysis of covariance"
RANDOM_INTERCEPT: Final = "random intercept"
INDEPENDENT: Final = "independent"


@dataclass(frozen=True, eq=False)
class ChangeModel:
    """A fit with the column of the design that stands for each arm and visit.

    `columns` maps an arm and the position of a visit to an effect, `estimate` makes a contrast of weights ``(p,)``;
    `covariance` names the structure, `note` and `warnings` what a reader must know of the fit.
    """

    columns: dict[tuple[str, int], int]
    n_effects: int
    estimate: Callable[[Floats], Contrast]
    n_observations: int
    method: str
    covariance: str
    note: str = ""
    warnings: str = ""

    def contrast(self, cells: list[tuple[str, int]]) -> Contrast:
        """Estimate the first arm and visit, or its difference from the second."""
        weights = np.zeros(self.n_effects)
        for cell, sign in zip(cells, (1.0, -1.0), strict=False):
            weights[self.columns[cell]] = sign
        return self.estimate(weights)


@dataclass(frozen=True, eq=False)
class Covariates:
    """What the model adjusts for besides the baseline.

    `columns` ``(n_subjects, q)``, NaN where unknown; `names`; and whose are all known, ``(n_subjects,)``.
    """

    columns: Floats
    names: tuple[str, ...]
    complete: NDArray[np.bool_]


def make_covariates(values: Mapping[str, Floats | NDArray[np.str_]], n: int) -> Covariates:
    """Return numbers as such, and texts as classes less the first; an empty text is unknown.

    Parameters
    ----------
    values
        By name, each ``(n,)``.
    n
        Subjects.
    """
    columns: list[Floats] = []
    for one in values.values():
        if one.dtype.kind == "f":
            columns.append(one.astype(np.float64))
            continue
        unknown = one == ""
        classes = sorted(set(one[~unknown].tolist()))
        # of one class there is one column, which says who has none
        columns += [np.where(unknown, np.nan, one == name).astype(np.float64) for name in classes[1:] or [""]]
    held = np.column_stack(columns) if columns else np.zeros((n, 0))
    complete = np.asarray(np.isfinite(held).all(axis=1))
    # a column that is the same for all adjusts for nothing
    varies = [bool(np.ptp(column[complete]) > 0) if complete.any() else False for column in held.T]
    return Covariates(held[:, varies], tuple(values), complete)


@dataclass(frozen=True)
class Terms:
    """What a change and the baseline are called in the formula of a model."""

    change: str
    baseline: str


LOGARITHMS: Final = Terms("log(Y/Y0)", "log Y0")
DIFFERENCES: Final = Terms("Y - Y0", "Y0")


def fit_change(course: Course, layout: Layout, arms: list[str], covariates: Covariates) -> ChangeModel | str:
    """Fit the log change from baseline of some arms; see `fit_response`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(course.value / course.baseline[:, None])
        log_baseline = np.log(course.baseline)
    used = course.used & np.isin(layout.arms.astype(str), arms)[:, None]
    response = np.where(used, ratio, np.nan)
    return fit_response(response, log_baseline, layout.arms.astype(str), layout.days, covariates, LOGARITHMS)


def fit_response(
    response: Floats,
    baseline: Floats,
    arms: NDArray[np.str_],
    days: Floats,
    covariates: Covariates,
    terms: Terms,
) -> ChangeModel | str:
    """Fit a change from baseline, or return why it cannot be fitted.

    By subject and visit with an unstructured covariance and the baseline at each visit, down the ladder of
    `il2cyto.models.mmrm.climb`; where no rung has estimates, with one baseline effect and a random intercept.

    Parameters
    ----------
    response
        Change of each subject at each visit, ``(n, m)``; NaN where it does not enter.
    baseline
        Value that the change starts from, ``(n,)``, known wherever a change is.
    arms
        Arm of each subject, ``(n,)``.
    days
        Study day of each visit, ``(n, m)``.
    covariates
        What is adjusted for besides the baseline; known wherever a change is.
    terms
        What the change and the baseline are called in ``method``.
    """
    used = np.isfinite(response)
    subjects, visits = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    if not subjects.size:
        return "no arm has enough subjects"
    known = used[np.ix_(subjects, visits)]
    names = arms[subjects]
    cells = sorted({(str(names[i]), int(visits[j])) for i, j in np.argwhere(known)})
    columns = {cell: position for position, cell in enumerate(cells)}
    response = response[np.ix_(subjects, visits)]
    means = np.zeros((*known.shape, len(cells)))
    for (arm, visit), column in columns.items():
        means[:, :, column] = (names == arm)[:, None] & (visits == visit)
    centred = baseline[subjects] - baseline[subjects].mean()
    factors = " × ".join(
        name for name, levels in zip(("arm", "visit"), zip(*cells, strict=True), strict=True) if len(set(levels)) > 1
    )
    extra = covariates.columns[subjects] - covariates.columns[subjects].mean(axis=0)
    by_visit = np.concatenate(
        [
            means,
            centred[:, None, None] * np.eye(visits.size)[None],
            np.broadcast_to(extra[:, None, :], (*known.shape, extra.shape[1])),
        ],
        axis=2,
    )
    found: Rung | tuple[str, ...] = (
        f"{int(known.sum())} observations do not determine a baseline effect at each visit",
    )
    if float(np.ptp(centred)) > 1e-9:
        found = climb(response, by_visit, days[np.ix_(subjects, visits)], np.eye(by_visit.shape[2])[: len(cells)])
    if isinstance(found, Rung):
        several = visits.size > 1
        right = " + ".join([factors or "1", terms.baseline + (" × visit" if several else ""), *covariates.names])
        return ChangeModel(
            columns,
            by_visit.shape[2],
            found.contrast,
            int(known.sum()),
            f"{MMRM if several else ANCOVA}: {terms.change} ~ {right}; {found.name}; {caveat(covariates)}",
            found.name,
            warnings="; ".join(filter(None, [*found.passed, found.remark])),
        )
    return _random_intercept(
        response, means, np.column_stack([centred, extra]), factors, columns, found, covariates, terms
    )


def _random_intercept(
    response: Floats,
    means: Floats,
    adjusted_for: Floats,
    factors: str,
    columns: dict[tuple[str, int], int],
    passed: tuple[str, ...],
    covariates: Covariates,
    words: Terms,
) -> ChangeModel | str:
    """Fit one baseline effect, the covariates and a random intercept, with degrees of freedom between subjects."""
    subject, visit = np.nonzero(np.isfinite(response))
    y, design = response[subject, visit], means[subject, visit]
    terms = [words.baseline, *covariates.names]
    if float(np.ptp(adjusted_for[:, 0])) <= 1e-9:
        terms, adjusted_for = terms[1:], adjusted_for[:, 1:]
    adjusted = np.column_stack([design, adjusted_for[subject]])
    arms = sorted({arm for arm, _ in columns})
    between = np.column_stack(
        [means[:, :, [column for (arm, _), column in columns.items() if arm == name]].any(axis=(1, 2)) for name in arms]
    ).astype(np.float64)
    n = len(response)
    if np.linalg.matrix_rank(adjusted) == adjusted.shape[1]:
        design, between = adjusted, np.column_stack([between, adjusted_for])
    elif covariates.names:
        return f"{len(y)} observations of {n} subjects do not determine the effects of {', '.join(covariates.names)}"
    else:
        terms = []
    df = n - int(np.linalg.matrix_rank(between))
    if df < 1 or len(y) <= design.shape[1]:
        return f"{len(y)} observations of {n} subjects do not suffice for {design.shape[1]} effects"
    fit = fit_random_intercept(y, design, subject.astype(np.intp))
    return ChangeModel(
        columns, design.shape[1], lambda weights: _contrast(fit, weights, df), len(y),
        f"{fit.method}: {words.change} ~ {' + '.join([factors or '1', *terms])}; t with between-subject df; "
        f"{caveat(covariates)}",
        RANDOM_INTERCEPT if fit.method == MIXED else INDEPENDENT, note=fit.note, warnings="; ".join(passed),
    )  # fmt: skip


def caveat(covariates: Covariates) -> str:
    """Say that the arms were not randomised, and what the comparison is adjusted for."""
    if not covariates.names:
        return "non-randomised comparison adjusted for baseline only"
    return f"non-randomised comparison adjusted for baseline and {', '.join(covariates.names)}"


def _contrast(fit: Fit, weights: Floats, df: int) -> Contrast:
    return t_contrast(float(weights @ fit.params), float(np.sqrt(weights @ fit.covariance @ weights)), float(df))
