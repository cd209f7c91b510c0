"""Events of sparse populations among those of their parent, by arm and visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.betabinomial import BetaBinomialFit, fit_beta_binomial
from il2cyto.models.change import CHANGE, DIFFERENCE, FEWEST, covariates_at_baseline
from il2cyto.models.course import Layout, choose_populations, lay_out
from il2cyto.models.design import Covariates, caveat
from il2cyto.models.exact import benjamini_hochberg
from il2cyto.models.mmrm import t_contrast
from il2cyto.visits import check_visits

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Median number of events up to which a population is in the table.
MOST_EVENTS: Final = 500.0
#: Events of an arm's visit below which limits that are symmetric on the log scale are only rough.
FEW_EVENTS: Final = 10

EVENTS_COLUMNS: Final = (
    "strategy", "population", "definition", "parent", "arm", "visit", "contrast", "n_subjects", "n_observations",
    "n_events_median", "odds_ratio_to_baseline", "lower", "upper", "log_estimate", "log_se", "df", "p_value",
    "p_adjusted", "dispersion", "sd_between", "method", "status", "reason", "n_left_out", "warnings",
)  # fmt: skip
_MODEL: Final = "beta-binomial mixed model (maximum likelihood), random intercept per subject: events of parent"
_ESTIMATES: Final = (
    "odds_ratio_to_baseline", "lower", "upper", "log_estimate", "log_se", "df", "p_value", "p_adjusted", "dispersion",
    "sd_between",
)  # fmt: skip


def events_over_visits(
    visits: AnnData,
    *,
    baseline: str | None,
    reference_arm: str | None = None,
    populations: Sequence[str] | None = None,
    covariates: Sequence[str] = (),
    most_events: float = MOST_EVENTS,
) -> pd.DataFrame:
    """Model the events of sparse populations among their parent's events; a non-randomised comparison.

    For each population ``events of parent ~ arm × visit + (1 | subject)`` is fitted to the counted events of baseline
    and the visits after it, with a beta-binomial distribution by maximum likelihood (`fit_beta_binomial`): what a
    sample tells follows from its events and from how samples vary beyond them, and samples of 0 events enter as such.
    It is for populations so sparse that logarithms lose samples. Baseline is a response like the other visits, so that
    a subject without it enters by its other visits. The change of an arm is the odds ratio of a visit to baseline for
    one subject; the difference is the ratio of an arm's odds ratio to the reference arm's, which takes out what the
    arms differ by at baseline. Limits are 95 % t limits with *subjects − arms − covariates* degrees of freedom.

    An arm's visit without any event (or with nothing but events) has an infinite estimate: it is not estimable, and
    its samples, which say nothing of other visits then, do not enter.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`; of its layers ``count`` and ``parent_count`` are used.
    baseline
        Visit that the others are compared with; later are those with a higher ``AVISITN``. Without one (``None``)
        nothing is estimable.
    reference_arm
        Arm that the others are compared with; ``None`` gives changes within arms only.
    populations
        Names, paths or column names of the populations to model; ``None`` means all. Those without a parent count at
        any visit are not in the table.
    covariates
        Columns of ``visits.obs`` that are adjusted for, as in `il2cyto.models.change_from_baseline`.
    most_events
        Populations whose median number of events over all samples is higher are not in the table.

    Returns
    -------
    pandas.DataFrame
        Columns `EVENTS_COLUMNS`. ``contrast`` is ``change_from_baseline`` or ``arm_difference``, with ``arm``
        ``IL2 / STD``. ``n_subjects``: with parent events at this visit; ``n_observations``: samples in the model of the
        population; ``n_events_median``: of this row's arms at this visit; ``n_left_out``: samples of this visit whose
        parent has no event. ``dispersion`` is φ of the variance ``n μ (1 - μ) (1 + (n - 1) / (φ + 1))``, infinite where
        events vary no more than binomial ones; ``sd_between`` that of the subjects' log odds. ``p_value`` is two-sided
        for a ratio of 1; ``p_adjusted`` is adjusted by Benjamini and Hochberg over the populations of the table.
        ``warnings`` names arms' visits with fewer than `FEW_EVENTS` events.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline`, an arm, population or covariate is unknown, or `most_events` is
        negative.
    TableError
        If `visits` is no visits object, a subject has no arm or several, or a visit has no number or several.
    """
    check_visits(visits)
    layout = lay_out(visits.obs, baseline)
    if reference_arm is not None and reference_arm not in layout.arm_names:
        hint = did_you_mean(reference_arm, layout.arm_names)
        raise ParameterError(f"reference_arm = {reference_arm!r}: no subject is in this arm{hint}")
    if not most_events >= 0:
        raise ParameterError(f"most_events = {most_events}: want a number of events")
    missing = (
        "no baseline visit is declared, or it has no sample"
        if baseline is None
        else f"there is no visit after {baseline}"
    )
    adjusted = covariates_at_baseline(visits.obs, layout, covariates)
    counts, parents = (np.asarray(visits.layers[name], dtype=np.float64) for name in ("count", "parent_count"))
    rows: list[dict[str, Any]] = []
    for column in choose_populations(visits, populations):
        events, parent = counts[:, column], parents[:, column]
        known = ~np.isnan(events) & ~np.isnan(parent)
        if not known.any() or float(np.median(events[known])) > most_events:
            continue
        names = {name: visits.var[name].iloc[column] for name in ("strategy", "population", "definition", "parent")}
        if not layout.visits:
            rows += [{**names, **_row(arm, "", CHANGE, missing)} for arm in layout.arm_names]
            continue
        samples = _arrange(events, parent, layout, str(baseline), adjusted)
        rows += [{**names, **row} for row in _population(samples, reference_arm, adjusted)]
    table = pd.DataFrame(rows, columns=list(EVENTS_COLUMNS))
    keys = ["contrast", "arm", "visit"]
    table["p_adjusted"] = table.groupby(keys, sort=False)["p_value"].transform(benjamini_hochberg)
    typed: pd.DataFrame = table.astype(dict.fromkeys(("n_subjects", "n_observations", "n_left_out"), np.int64))
    return typed


@dataclass(frozen=True, eq=False)
class _Samples:
    """Events of one population by subject and visit; the first visit is baseline.

    `arms` ``(n_subjects,)``; `events` and `parent` ``(n_subjects, n_visits)``, NaN where there is no sample; of the
    same shape the masks `used`, `empty` (the parent has no event) and `no_covariate` (of a subject without one).
    """

    arms: NDArray[np.str_]
    visits: tuple[str, ...]
    events: Floats
    parent: Floats
    used: Mask
    empty: Mask
    no_covariate: Mask

    @property
    def arm_names(self) -> list[str]:
        return sorted(set(self.arms.tolist()))

    def of(self, arm: str, visit: int) -> Mask:
        """Subjects of an arm with a sample at a visit, ``(n_subjects,)``."""
        return np.asarray((self.arms == arm) & self.used[:, visit])


Cell = tuple[str, int]


@dataclass(frozen=True, eq=False)
class _Model:
    """A fit with the column of the design that stands for each arm and visit."""

    fit: BetaBinomialFit
    columns: dict[Cell, int]
    n_observations: int
    df: int
    method: str


def _arrange(events: Floats, parent: Floats, layout: Layout, baseline: str, covariates: Covariates) -> _Samples:
    every = np.column_stack([layout.baseline_rows, layout.rows])
    here, whole = np.append(events, np.nan)[every], np.append(parent, np.nan)[every]
    known = ~np.isnan(here) & ~np.isnan(whole)
    complete = covariates.complete[:, None]
    return _Samples(
        arms=layout.arms.astype(str),
        visits=(baseline, *layout.visits),
        events=here,
        parent=whole,
        used=known & (whole > 0) & complete,
        empty=known & (whole == 0),
        no_covariate=known & (whole > 0) & ~complete,
    )


def _population(samples: _Samples, reference: str | None, covariates: Covariates) -> list[dict[str, Any]]:
    refused: dict[Cell, str] = {}
    for arm in samples.arm_names:
        both = (samples.arms == arm) & samples.used[:, 0] & samples.used[:, 1:].any(axis=1)
        n = int(both.sum())
        why = f"{arm}: {n} {'subject has' if n == 1 else 'subjects have'} samples at {samples.visits[0]} and later; "
        for visit in range(len(samples.visits)):
            reason = f"{why}{FEWEST} are needed" if n < FEWEST else _refusal(samples, arm, visit)
            if reason:
                refused[arm, visit] = reason
    model = _fit(samples, refused, covariates)
    later = range(1, len(samples.visits))
    rows = [_contrast(samples, model, refused, visit, [arm]) for arm in samples.arm_names for visit in later]
    rows += [
        _contrast(samples, model, refused, visit, [arm, reference])
        for arm in samples.arm_names
        for visit in later
        if reference is not None and arm != reference
    ]
    return rows


def _refusal(samples: _Samples, arm: str, visit: int) -> str:
    """Why an arm's visit has no estimate, or nothing."""
    here = samples.of(arm, visit)
    events, parent = samples.events[here, visit].sum(), samples.parent[here, visit].sum()
    name, n = f"{arm} at {samples.visits[visit]}", int(here.sum())
    if not n:
        return f"{name}: no sample"
    among = f"{n} {'sample' if n == 1 else 'samples'} of {parent:.0f} parent events"
    if events == 0:
        return f"{name}: no event in {among}; the odds have no logarithm"
    if events == parent:
        return f"{name}: every event in {among}; the odds are infinite"
    return ""


def _fit(samples: _Samples, refused: dict[Cell, str], covariates: Covariates) -> _Model | str:
    """Fit the arms' visits that are not refused, or return why there is no estimate."""
    cells = [
        (arm, visit) for arm in samples.arm_names for visit in range(len(samples.visits)) if (arm, visit) not in refused
    ]
    if not cells:
        return "no arm has a visit that can be modelled"
    columns = {cell: position for position, cell in enumerate(cells)}
    which = np.full(samples.used.shape, -1)
    for (arm, visit), column in columns.items():
        which[samples.of(arm, visit), visit] = column
    subject, visit_of = np.nonzero(which >= 0)
    design = np.eye(len(cells))[which[subject, visit_of]]
    present = np.unique(subject)
    extra = covariates.columns - covariates.columns[present].mean(axis=0)
    design = np.column_stack([design, extra[subject]])
    between = np.column_stack([samples.arms[present, None] == sorted({arm for arm, _ in cells}), extra[present]])
    df = len(present) - int(np.linalg.matrix_rank(between.astype(np.float64)))
    shape = f"{len(subject)} samples of {len(present)} subjects"
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return f"{shape} do not determine the effects of {', '.join(covariates.names)}"
    if df < 1 or len(subject) <= design.shape[1]:
        return f"{shape} do not suffice for {design.shape[1]} effects"
    fit = fit_beta_binomial(samples.events[subject, visit_of], samples.parent[subject, visit_of], design, subject)
    if not fit.converged:
        return f"the beta-binomial model has no estimate: {fit.note}"
    factors = " × ".join(
        name for name, levels in zip(("arm", "visit"), zip(*cells, strict=True), strict=True) if len(set(levels)) > 1
    )
    method = (
        f"{_MODEL} ~ {' + '.join([factors or '1', *covariates.names])}; t with between-subject df; "
        f"arms were not randomised: {caveat(covariates)}"
    )
    return _Model(fit, columns, len(subject), df, method)


def _contrast(
    samples: _Samples, model: _Model | str, refused: dict[Cell, str], visit: int, arms: list[str]
) -> dict[str, Any]:
    """Row of the first arm at a visit, or of its difference from the second."""
    inside = np.isin(samples.arms, arms)
    here = inside & samples.used[:, visit]
    counted = {name: int(getattr(samples, name)[inside, visit].sum()) for name in ("used", "empty", "no_covariate")}
    alone = int((here & ~samples.used[:, 0]).sum())
    remarks = [
        *([f"{counted['empty']} left out (the parent has no event)"] if counted["empty"] else []),
        *([f"{alone} without a sample at {samples.visits[0]} (other visits enter)"] if alone else []),
        *([f"{counted['no_covariate']} without a covariate"] if counted["no_covariate"] else []),
    ]
    row = _row(" / ".join(arms), samples.visits[visit], CHANGE if len(arms) == 1 else DIFFERENCE, "")
    row |= {"n_subjects": counted["used"], "n_left_out": counted["empty"]}
    if here.any():
        row["n_events_median"] = float(np.median(samples.events[here, visit]))
    # the visit and baseline of each arm, with the signs that they have in the contrast
    signs = {
        (arm, at): sign * way for arm, sign in zip(arms, (1.0, -1.0), strict=False) for at, way in ((visit, 1), (0, -1))
    }
    lost = list(dict.fromkeys(refused[cell] for cell in signs if cell in refused))
    if isinstance(model, str) or lost:
        return {**row, "reason": "; ".join([*(lost or [str(model)]), *remarks])}
    weights = np.zeros(len(model.fit.params))
    for cell, sign in signs.items():
        weights[model.columns[cell]] = sign
    error = float(np.sqrt(weights @ model.fit.covariance @ weights))
    found = t_contrast(float(weights @ model.fit.params), error, float(model.df))
    totals = {(arm, at): int(samples.events[samples.of(arm, at), at].sum()) for arm, at in signs}
    few = [
        f"{arm} at {samples.visits[at]}: {total} {'event' if total == 1 else 'events'}; the limits are rough"
        for (arm, at), total in totals.items()
        if total < FEW_EVENTS
    ]
    return row | {
        "n_observations": model.n_observations,
        "odds_ratio_to_baseline": float(np.exp(found.estimate)),
        "lower": float(np.exp(found.lower)),
        "upper": float(np.exp(found.upper)),
        "log_estimate": found.estimate,
        "log_se": found.se,
        "df": found.df,
        "p_value": found.p_value,
        "dispersion": model.fit.dispersion,
        "sd_between": model.fit.sd_between,
        "method": model.method,
        "status": ESTIMATED,
        "reason": "; ".join([*([model.fit.note] if model.fit.note else []), *remarks]),
        "warnings": "; ".join(few),
    }


def _row(arm: str, visit: str, contrast: str, reason: str) -> dict[str, Any]:
    return {
        **dict.fromkeys((*_ESTIMATES, "n_events_median"), np.nan),
        "arm": arm,
        "visit": visit,
        "contrast": contrast,
        "n_subjects": 0,
        "n_observations": 0,
        "n_left_out": 0,
        "method": "",
        "status": NOT_ESTIMABLE,
        "reason": reason,
        "warnings": "",
    }
