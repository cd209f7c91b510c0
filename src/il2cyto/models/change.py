"""Change of cells/µL from baseline, by arm and visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.course import Course, Layout, choose_populations, lay_out, population_course
from il2cyto.models.design import ChangeModel, Covariates, fit_change, make_covariates
from il2cyto.models.exact import benjamini_hochberg
from il2cyto.visits import check_visits

if TYPE_CHECKING:
    from anndata import AnnData

#: Contrasts of the model table: within one arm, and of the arm with the reference arm.
CHANGE: Final = "change_from_baseline"
DIFFERENCE: Final = "arm_difference"

#: Subjects of an arm, with a value at baseline and after it, below which the arm is not modelled.
FEWEST: Final = 3

MODEL_COLUMNS: Final = (
    "strategy",
    "population",
    "definition",
    "arm",
    "visit",
    "contrast",
    "n_subjects",
    "n_observations",
    "ratio_to_baseline",
    "lower",
    "upper",
    "log_estimate",
    "log_se",
    "df",
    "p_value",
    "p_adjusted",
    "method",
    "covariance",
    "status",
    "reason",
    "n_left_out",
    "warnings",
)


def change_from_baseline(
    visits: AnnData,
    *,
    baseline: str | None,
    reference_arm: str | None = None,
    populations: Sequence[str] | None = None,
    covariates: Sequence[str] = (),
    percent: bool = False,
) -> pd.DataFrame:
    """Model the change of every population from baseline; a non-randomised comparison, adjusted for baseline.

    For each population ``log(Y/Y0) ~ arm × visit + (log Y0 - mean) × visit`` is fitted to the visits after baseline by
    REML with an unstructured covariance of the visits of a subject and the degrees of freedom of Kenward and Roger
    (`il2cyto.models.mmrm`). The change of an arm at a visit is its marginal mean at the mean log baseline of the
    subjects in the model; the difference is that of an arm from the reference arm. Limits are 95 % t limits. Where the
    unstructured covariance has no estimate, or leaves an effect less than one degree of freedom, the next of a
    heterogeneous Toeplitz, a heterogeneous spatial exponential (in days) and heterogeneous compound symmetry is taken,
    with CR2 errors: never because of a p-value, and ``warnings`` says which were passed and why. Where none has an
    estimate, the baseline has one effect and the subjects a random intercept, or, with its variance at 0 or one visit
    a subject, least squares; both with *subjects − rank of arms and log baseline* degrees of freedom, those between
    subjects.

    Cells/µL of 0 have no logarithm: they are left out (nothing is added to them), counted in ``n_left_out`` and named
    in ``reason``. Counts below the LLOQ but above 0 enter as measured, and ``reason`` tells how many.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`.
    baseline
        Visit that the others are compared with; later are those with a higher ``AVISITN``. Without one (``None``)
        nothing is estimable.
    reference_arm
        Arm that the others are compared with; ``None`` gives changes within arms only.
    populations
        Names, paths or column names of the populations to model; ``None`` means all. Populations that have no cells/µL
        at any visit are not in the table: `populations_left_out` lists them.
    covariates
        Columns of ``visits.obs`` that are adjusted for besides the baseline, as they are at it: numbers as such, texts
        as classes. Marginal means are at the mean of the subjects in the model. A subject without one of them does not
        enter, and ``reason`` tells how many. Nothing that treatment may change belongs here.
    percent
        Model the percentage of the parent instead of cells/µL, by its logit: ratios are odds ratios then, and the
        column is called ``odds_ratio_to_baseline``.

    Returns
    -------
    pandas.DataFrame
        Columns `MODEL_COLUMNS`. ``contrast`` is ``change_from_baseline``, with ``ratio_to_baseline`` the geometric mean
        of Y/Y0, or ``arm_difference``, with ``arm`` ``IL2 / STD`` and ``ratio_to_baseline`` the ratio of both ratios.
        ``n_subjects``: with a value at this visit; ``n_observations``: in the whole model of the population.
        ``p_value`` is two-sided for a ratio of 1; ``p_adjusted`` is adjusted by Benjamini and Hochberg over the
        populations of the table, for exploration. ``covariance`` names the structure and its errors.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline`, or an arm, population or covariate is unknown.
    TableError
        If `visits` is no visits object, a subject has no arm or several, or a visit has no number or several.
    """
    check_visits(visits)
    layout = lay_out(visits.obs, baseline)
    if reference_arm is not None and reference_arm not in layout.arm_names:
        hint = did_you_mean(reference_arm, layout.arm_names)
        raise ParameterError(f"reference_arm = {reference_arm!r}: no subject is in this arm{hint}")
    missing = (
        "no baseline visit is declared, or it has no sample"
        if baseline is None
        else f"there is no visit after {baseline}"
    )
    rows: list[dict[str, Any]] = []
    adjusted = covariates_at_baseline(visits.obs, layout, covariates)
    measured = np.asarray(visits.layers["percent_parent"] if percent else visits.X)
    for column in choose_populations(visits, populations):
        if np.isnan(measured[:, column]).all():
            continue
        names = {name: visits.var[name].iloc[column] for name in ("strategy", "population", "definition")}
        if not layout.visits:
            rows += [{**names, **_row(arm, "", CHANGE, reason=missing)} for arm in layout.arm_names]
            continue
        course = population_course(visits, column, layout, percent=percent).of(adjusted.complete)
        rows += [
            {**names, **row} for row in _population(course, layout, str(baseline), reference_arm, adjusted, percent)
        ]
    table = pd.DataFrame(rows, columns=list(MODEL_COLUMNS))
    keys = ["contrast", "arm", "visit"]
    table["p_adjusted"] = table.groupby(keys, sort=False)["p_value"].transform(benjamini_hochberg)
    whole = ("n_subjects", "n_observations", "n_left_out")
    typed: pd.DataFrame = table.astype(dict.fromkeys(whole, np.int64))
    return typed.rename(columns={"ratio_to_baseline": "odds_ratio_to_baseline"}) if percent else typed


def covariates_at_baseline(obs: pd.DataFrame, layout: Layout, names: Sequence[str]) -> Covariates:
    """Return covariates of the subjects at baseline: numbers as such, texts as classes less the first.

    Raises
    ------
    ParameterError
        If `obs` has no such column.
    """
    found: dict[str, NDArray[np.float64] | NDArray[np.str_]] = {}
    for name in names:
        if name not in obs:
            raise ParameterError(f"covariate {name!r}: no such column{did_you_mean(name, list(map(str, obs.columns)))}")
        at = layout.baseline_rows
        values = pd.Series([obs[name].iloc[row] if row >= 0 else None for row in at], dtype=object)
        if pd.api.types.is_numeric_dtype(obs[name]):
            found[name] = np.asarray(values, dtype=np.float64)
        else:
            found[name] = values.fillna("").astype(str).to_numpy(dtype=np.str_)
    return make_covariates(found, len(layout.subjects))


def populations_left_out(visits: AnnData, populations: Sequence[str] | None = None) -> pd.DataFrame:
    """Populations that `change_from_baseline` cannot model, since no visit has cells/µL of them.

    Returns
    -------
    pandas.DataFrame
        Columns ``strategy, population, note``.

    Raises
    ------
    ParameterError
        If a population is unknown.
    """
    chosen = [j for j in choose_populations(visits, populations) if np.isnan(np.asarray(visits.X)[:, j]).all()]
    table: pd.DataFrame = visits.var[["strategy", "population"]].iloc[chosen].reset_index(drop=True)
    table["note"] = pd.Series(["not modelled: no visit has cells/µL"] * len(table), dtype=object)
    return table


def _population(
    course: Course, layout: Layout, baseline: str, reference: str | None, covariates: Covariates, percent: bool
) -> list[dict[str, Any]]:
    why_not: dict[str, str] = {}
    for arm in layout.arm_names:
        subjects = int(course.used[layout.arms == arm].any(axis=1).sum())
        if subjects < FEWEST:
            count = "1 subject has" if subjects == 1 else f"{subjects} subjects have"
            why_not[arm] = f"{arm}: {count} {_usable(percent)} at {baseline} and later; {FEWEST} are needed"
    model = fit_change(course, layout, [arm for arm in layout.arm_names if arm not in why_not], covariates)
    rows = [
        _contrast(course, layout, model, visit, [arm], baseline, why_not, percent)
        for arm in layout.arm_names
        for visit in range(len(layout.visits))
    ]
    rows += [
        _contrast(course, layout, model, visit, [arm, reference], baseline, why_not, percent)
        for arm in layout.arm_names
        for visit in range(len(layout.visits))
        if reference is not None and arm != reference
    ]
    return rows


def _of_odds(method: str) -> str:
    return method.replace("log(Y/Y0)", "logit P - logit P0").replace("log Y0", "logit P0")


def _usable(percent: bool) -> str:
    return "values between 0 and 100 %" if percent else "values above 0"


def _contrast(
    course: Course,
    layout: Layout,
    model: ChangeModel | str,
    visit: int,
    arms: list[str],
    baseline: str,
    why_not: dict[str, str],
    percent: bool,
) -> dict[str, Any]:
    """Row of the first arm at a visit, or of its difference from the second."""
    here = np.isin(layout.arms.astype(str), arms)
    counted = {
        name: int(getattr(course, name)[here, visit].sum())
        for name in ("used", "left_out", "no_baseline", "below_lloq", "no_covariate")
    }
    without = "0 or 100 % has no logit" if percent else "0 cells/µL has no logarithm"
    name = layout.visits[visit]
    remarks = [
        *([f"{counted['left_out']} left out ({without})"] if counted["left_out"] else []),
        *([f"{counted['no_baseline']} without a value at {baseline}"] if counted["no_baseline"] else []),
        *([f"{counted['no_covariate']} without a covariate"] if counted["no_covariate"] else []),
    ]
    row = _row(" / ".join(arms), name, CHANGE if len(arms) == 1 else DIFFERENCE, reason="")
    row |= {"n_subjects": counted["used"], "n_left_out": counted["left_out"]}
    lost = [why_not[arm] for arm in arms if arm in why_not]
    if not lost and not isinstance(model, str):
        lost = [
            f"{arm}: no {_usable(percent).replace('values', 'value')} at {baseline} and {name}"
            for arm in arms
            if (arm, visit) not in model.columns
        ]
    if isinstance(model, str) and not lost:
        lost = [model]
    if lost or isinstance(model, str):
        return {**row, "reason": "; ".join([*lost, *remarks])}
    if counted["below_lloq"]:
        remarks.append(f"{counted['below_lloq']} below the LLOQ entered as measured")
    found = model.contrast([(arm, visit) for arm in arms])
    return row | {
        "n_observations": model.n_observations,
        "method": _of_odds(model.method) if percent else model.method,
        "covariance": model.covariance,
        "status": ESTIMATED,
        "reason": "; ".join([*([model.note] if model.note else []), *remarks]),
        "warnings": model.warnings,
        "ratio_to_baseline": float(np.exp(found.estimate)),
        "lower": float(np.exp(found.lower)),
        "upper": float(np.exp(found.upper)),
        "log_estimate": found.estimate,
        "log_se": found.se,
        "df": found.df,
        "p_value": found.p_value,
    }


def _row(arm: str, visit: str, contrast: str, reason: str) -> dict[str, Any]:
    numbers = ("ratio_to_baseline", "lower", "upper", "log_estimate", "log_se", "df", "p_value", "p_adjusted")
    return {
        **dict.fromkeys(numbers, np.nan),
        "arm": arm,
        "visit": visit,
        "contrast": contrast,
        "n_subjects": 0,
        "n_observations": 0,
        "n_left_out": 0,
        "method": "",
        "covariance": "",
        "warnings": "",
        "status": NOT_ESTIMABLE,
        "reason": reason,
    }
