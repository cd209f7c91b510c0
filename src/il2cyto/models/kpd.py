"""Cells/µL over visits as the doses that were given drive them, and how they go with the days since the last dose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from il2cyto.derive.days import ady
from il2cyto.derive.placement import Calendar
from il2cyto.errors import ParameterError, TableError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.course import Layout, choose_populations, lay_out, population_course
from il2cyto.models.mixed import MIXED, fit_random_intercept
from il2cyto.models.turnover import (
    DECAY_PER_DAY,
    OTHER_DECAYS,
    Estimate,
    TurnoverFit,
    dose_level,
    fit_turnover,
    predict,
)
from il2cyto.visits.check import BELOW_LLOQ, check_visits

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]

#: Parameters of the table of the turnover model.
STIMULUS: Final = "stimulus"
PEAK: Final = "peak_ratio"
SD_RESPONSE: Final = "sd_response"
SD_BETWEEN: Final = "sd_between"
SD_WITHIN: Final = "sd_within"
COMMON_CHANGE: Final = "common_change"
#: Parameters of the table of the timing of doses.
PER_DAY: Final = "ratio_per_day_since_dose"
PER_COURSE: Final = "ratio_per_course"

PRIMARY: Final = "primary"
SENSITIVITY: Final = "sensitivity"
#: Daily doses of the course that `PEAK` is about.
COURSE_DAYS: Final = 5
#: Subjects with values after a dose below which their timing says nothing.
FEWEST: Final = 3

TURNOVER_COLUMNS: Final = (
    "strategy", "population", "definition", "arm", "parameter", "visit", "analysis", "decay_per_day", "estimate", "se",
    "lower", "upper", "n_subjects", "n_treated", "n_observations", "n_left_out", "method", "status", "reason",
    "warnings",
)  # fmt: skip
TIMING_COLUMNS: Final = (
    "strategy", "population", "definition", "arm", "parameter", "estimate", "se", "lower", "upper", "df", "n_subjects",
    "n_observations", "n_left_out", "method", "status", "reason", "warnings",
)  # fmt: skip
_NUMBERS: Final = ("estimate", "se", "lower", "upper")
_METHOD: Final = (
    "turnover model driven by the doses given, decay fixed at {decay:g} per day (half-life {half_life:.1f} days), "
    "random level and response of subjects, maximum likelihood; arms were not randomised"
)
_TIMING_METHOD: Final = (
    "descriptive, within one arm: log(Y/Y0) ~ days since the last dose + courses begun, {kind}; "
    "t with subjects - 1 degrees of freedom; not comparable between arms"
)


def dose_study_days(calendars: Mapping[str, Calendar]) -> dict[str, tuple[int, ...]]:
    """Study days with a dose of every subject, out of `il2cyto.derive.visits.calendars`.

    A subject with doses and no study day 1 is not in it: nobody knows on which study days they were.

    Examples
    --------
    >>> from datetime import date
    >>> dose_study_days({"P1": Calendar(date(2021, 3, 1), (date(2021, 3, 1), date(2021, 3, 2))), "P2": Calendar()})
    {'P1': (1, 2), 'P2': ()}
    """
    found = {}
    for subject, calendar in calendars.items():
        days = [ady(dose, calendar.day_one) for dose in calendar.doses]
        if None not in days:
            found[subject] = tuple(day for day in days if day is not None)
    return found


def turnover_by_population(
    visits: AnnData,
    doses: Mapping[str, Sequence[int]],
    *,
    baseline: str,
    reference_arm: str,
    populations: Sequence[str] | None = None,
    decay_per_day: float = DECAY_PER_DAY,
) -> pd.DataFrame:
    """Fit the turnover model (`fit_turnover`) to every population, for every arm with the reference arm.

    Every visit from the baseline on with cells/µL above 0 enters, also of subjects without a baseline value. The level
    of the drug effect follows from the doses that each subject was given before the visit, whatever the arm; subjects
    without doses tell the effect of time. The decay is fixed, since a few visits cannot tell it: the fits at
    `OTHER_DECAYS` stand beside it as sensitivity.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, the visits that are analysed.
    doses
        Study days with a dose by subject; empty for a subject without doses. `dose_study_days` makes it. A subject of
        the reference arm that is not in it counts as one without doses; others that are not in it are left out.
    baseline
        Visit to begin with; time effects are relative to it.
    reference_arm
        Arm that was not treated.
    populations
        As for `il2cyto.models.change_from_baseline`.
    decay_per_day
        ``kout`` of the primary analysis.

    Returns
    -------
    pandas.DataFrame
        Columns `TURNOVER_COLUMNS`. ``parameter`` is ``stimulus`` (``S`` of the median subject: 0 is no effect),
        ``peak_ratio`` (to untreated, after five daily doses), ``sd_response`` (between subjects, of ``log(1 + S)``),
        ``sd_between`` and ``sd_within`` (of log cells), and ``common_change`` (ratio to `baseline` at ``visit``, common
        to both arms). ``se`` is the error of the estimate by the delta method; limits are 95 % limits made on the
        logarithm. ``analysis`` is ``primary`` or ``sensitivity``; ``n_treated`` counts subjects with a value after a
        dose; ``n_left_out`` the values of both arms that are measured and do not enter, of which ``reason`` tells why.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline` or the arm `reference_arm`, a population is unknown, the decay is not
        above 0, or a dose is on a study day 0.
    TableError
        If `visits` is no visits object, a subject has no arm or several, or a visit has no number or several.
    """
    check_visits(visits)
    layout = lay_out(visits.obs, baseline)
    if reference_arm not in layout.arm_names:
        hint = did_you_mean(reference_arm, layout.arm_names)
        raise ParameterError(f"reference_arm = {reference_arm!r}: no subject is in this arm{hint}")
    if not (np.isfinite(decay_per_day) and decay_per_day > 0):
        raise ParameterError(f"decay_per_day = {decay_per_day}: want a rate above 0")
    decays = [decay_per_day, *(decay for decay in OTHER_DECAYS if decay != decay_per_day)]
    levels = {decay: _levels(visits.obs, layout, doses, reference_arm, decay) for decay in decays}
    rows: list[dict[str, Any]] = []
    for column in choose_populations(visits, populations):
        if np.isnan(np.asarray(visits.X)[:, column]).all():
            continue
        names = {name: visits.var[name].iloc[column] for name in ("strategy", "population", "definition")}
        for arm in layout.arm_names:
            if arm == reference_arm:
                continue
            here = np.isin(layout.arms, [arm, reference_arm])
            values = _values(visits, column, layout, here, arm, reference_arm, levels[decay_per_day], doses)
            for decay in decays:
                analysis = {"arm": arm, "analysis": PRIMARY if decay == decay_per_day else SENSITIVITY}
                rows += [
                    {**names, **analysis, **row} for row in _rows(values, levels[decay][here], decay, layout, baseline)
                ]
    table = pd.DataFrame(rows, columns=list(TURNOVER_COLUMNS))
    whole = ("n_subjects", "n_treated", "n_observations", "n_left_out")
    return table.astype(dict.fromkeys(whole, np.int64))


@dataclass(frozen=True, eq=False)
class _Values:
    """Cells/µL of the subjects of two arms, baseline and later ``(n, m)``, which enter, and what is to be said."""

    cells: Floats
    used: NDArray[np.bool_]
    n_left_out: int
    reason: str
    warnings: str


def _levels(
    obs: pd.DataFrame, layout: Layout, doses: Mapping[str, Sequence[int]], reference: str, decay: float
) -> Floats:
    """Level of every subject at baseline and later, ``(n_subjects, 1 + n_visits)``; NaN where it is not known."""
    every = np.column_stack([layout.baseline_rows, layout.rows])
    days = np.append(obs["ADY"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[every]
    level = np.full(every.shape, np.nan)
    for row, (subject, arm) in enumerate(zip(layout.subjects, layout.arms, strict=True)):
        given = doses.get(subject, () if arm == reference else None)
        if given is None:
            continue
        if 0 in given:
            raise ParameterError(f"doses of {subject}: there is no study day 0")
        if not len(given):
            level[row] = 0.0
            continue
        known = ~np.isnan(days[row])
        level[row, known] = dose_level(_on_line(days[row, known]), _on_line(given), decay)
    return level


def _on_line(study_days: ArrayLike) -> Floats:
    days = np.asarray(study_days, dtype=np.float64)
    # there is no study day 0
    return np.where(days > 0, days - 1, days)


def _values(
    visits: AnnData,
    column: int,
    layout: Layout,
    here: NDArray[np.bool_],
    arm: str,
    reference: str,
    level: Floats,
    doses: Mapping[str, Sequence[int]],
) -> _Values:
    every = np.column_stack([layout.baseline_rows, layout.rows])[here]
    cells = np.append(np.asarray(visits.X, dtype=np.float64)[:, column], np.nan)[every]
    few = np.append(np.asarray(visits.layers["status"])[:, column] == BELOW_LLOQ, False)[every]
    arms, subjects = layout.arms[here], np.asarray(layout.subjects, dtype=object)[here]
    measured = ~np.isnan(cells)
    unknown = measured & np.isnan(level[here])
    zero = measured & ~unknown & (cells == 0)
    used = measured & ~unknown & ~zero
    unrecorded = (arms != reference) & np.array([subject not in doses for subject in subjects], dtype=bool)
    no_record = int((unknown & unrecorded[:, None]).sum())
    no_day = int(unknown.sum()) - no_record
    remarks = [
        *([f"{int(zero.sum())} left out (0 cells/µL has no logarithm)"] if zero.any() else []),
        *([f"{no_record} left out (no dosing record of the subject)"] if no_record else []),
        *([f"{no_day} left out (the study day is unknown)"] if no_day else []),
    ]
    dosed = np.array([len(doses.get(subject, ())) > 0 for subject in subjects], dtype=bool)
    present = used.any(axis=1)
    crossed, never = int((present & dosed & (arms == reference)).sum()), int((present & ~dosed & (arms == arm)).sum())
    below = int((used & few).sum())
    warnings = [
        *([f"{crossed} of {reference} had doses, which count as such"] if crossed else []),
        *([f"{never} of {arm} without a dose entered as untreated"] if never else []),
        *([f"{below} below the LLOQ entered as measured"] if below else []),
    ]
    left_out = int((measured & ~used).sum())
    return _Values(cells, used, left_out, "; ".join(remarks), "; ".join(warnings))


def _rows(values: _Values, level: Floats, decay: float, layout: Layout, baseline: str) -> list[dict[str, Any]]:
    subject, visit = np.nonzero(values.used)
    fit = fit_turnover(np.log(values.cells[subject, visit]), subject, visit, level[subject, visit], decay_per_day=decay)
    estimates = _estimates(fit, layout)
    shared = {
        "decay_per_day": decay,
        "n_subjects": fit.n_subjects,
        "n_treated": fit.n_treated,
        "n_observations": fit.n_observations,
        "n_left_out": values.n_left_out,
        "method": _METHOD.format(decay=decay, half_life=np.log(2) / decay),
        "warnings": values.warnings,
    }
    rows = []
    for (parameter, name), found in estimates.items():
        reasons = [fit.reason if not fit.converged else fit.note]
        lost = not fit.converged
        if fit.converged and np.isnan(found.value):
            lost, reasons = True, [f"no value at {baseline}, which the others are relative to"]
        numbers = (found.value, found.se, found.lower, found.upper) if not lost else (np.nan,) * 4
        rows.append(
            {
                **shared,
                "parameter": parameter,
                "visit": name,
                **dict(zip(_NUMBERS, numbers, strict=True)),
                "status": NOT_ESTIMABLE if lost else ESTIMATED,
                "reason": "; ".join(part for part in (*reasons, values.reason) if part),
            }
        )
    return rows


def _estimates(fit: TurnoverFit, layout: Layout) -> dict[tuple[str, str], Estimate]:
    """Estimates by parameter and visit; NaN where there are none."""
    nothing = Estimate(np.nan, np.nan, np.nan, np.nan)
    found = {(name, ""): nothing for name in (STIMULUS, PEAK, SD_RESPONSE, SD_BETWEEN, SD_WITHIN)}
    later = [code for code in fit.visits if code > 0]
    found |= {(COMMON_CHANGE, layout.visits[code - 1]): nothing for code in later}
    if not fit.converged:
        return found
    effect = fit.effect
    factor = float(np.exp(effect.value))
    found[STIMULUS, ""] = Estimate(
        factor - 1, factor * effect.se, float(np.expm1(effect.lower)), float(np.expm1(effect.upper))
    )
    # the morning after the course
    peak = predict(fit, np.arange(1, COURSE_DAYS + 1), [COURSE_DAYS + 1])
    ratio = float(peak.ratio[0])
    found[PEAK, ""] = Estimate(ratio, ratio * float(peak.log_se[0]), float(peak.lower[0]), float(peak.upper[0]))
    found |= {(SD_RESPONSE, ""): fit.sd_response, (SD_BETWEEN, ""): fit.sd_between, (SD_WITHIN, ""): fit.sd_within}
    if fit.visits[0] == 0:
        for code, change in zip(fit.visits, fit.time_effects, strict=True):
            if code > 0:
                ratio = float(np.exp(change.value))
                limits = float(np.exp(change.lower)), float(np.exp(change.upper))
                found[COMMON_CHANGE, layout.visits[code - 1]] = Estimate(ratio, ratio * change.se, *limits)
    return found


def dose_timing(
    visits: AnnData,
    *,
    baseline: str,
    reference_arm: str,
    populations: Sequence[str] | None = None,
    max_dsld: int | None = None,
) -> pd.DataFrame:
    """Describe, within each treated arm, how cells go with the days since the last dose and the courses begun.

    ``log(Y/Y0) ~ DSLD + NCOURSE + (1 | subject)`` over the visits after baseline. What changes with time for other
    reasons is in it, since there is no control in it: it describes, and compares no arms.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, with ``NCOURSE`` in obs.
    baseline, reference_arm
        Visit of ``Y0``; arm that is left out, as it was not treated.
    populations
        As for `il2cyto.models.change_from_baseline`.
    max_dsld
        Days since the last dose beyond which a sample does not enter (``n_left_out`` counts it). One long after
        treatment decides the slope of all.

    Returns
    -------
    pandas.DataFrame
        Columns `TIMING_COLUMNS`: ratios per day and per course, ``se`` that of the estimate, limits 95 % t limits of
        the logarithm.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline` or the arm `reference_arm`, or a population is unknown.
    TableError
        If `visits` is no visits object or has no ``NCOURSE``, or as for `turnover_by_population`.
    """
    check_visits(visits)
    layout = lay_out(visits.obs, baseline)
    if reference_arm not in layout.arm_names:
        hint = did_you_mean(reference_arm, layout.arm_names)
        raise ParameterError(f"reference_arm = {reference_arm!r}: no subject is in this arm{hint}")
    if "NCOURSE" not in visits.obs:
        raise TableError("visits has no column NCOURSE in obs; add the courses begun before each sample")
    dsld, courses = (
        np.append(visits.obs[name].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[layout.rows]
        for name in ("DSLD", "NCOURSE")
    )
    rows: list[dict[str, Any]] = []
    for column in choose_populations(visits, populations):
        if np.isnan(np.asarray(visits.X)[:, column]).all():
            continue
        names = {name: visits.var[name].iloc[column] for name in ("strategy", "population", "definition")}
        course = population_course(visits, column, layout)
        for arm in layout.arm_names:
            if arm == reference_arm:
                continue
            mine = (layout.arms == arm)[:, None]
            undated = mine & course.used & (np.isnan(dsld) | np.isnan(courses))
            late = mine & course.used & ~undated & (dsld > (np.inf if max_dsld is None else max_dsld))
            used = mine & course.used & ~undated & ~late
            zero, lone, below = (
                int((mine & mask).sum()) for mask in (course.left_out, course.no_baseline, used & course.below_lloq)
            )
            remarks = [
                *([f"{zero} left out (0 cells/µL has no logarithm)"] if zero else []),
                *([f"{lone} without a value at {baseline}"] if lone else []),
                *([f"{int(undated.sum())} left out (no dose before, or none known)"] if undated.any() else []),
                *(
                    [f"{int(late.sum())} left out (more than {max_dsld} days since the last dose)"]
                    if late.any()
                    else []
                ),
            ]
            shared = {
                "arm": arm,
                "n_left_out": zero + lone + int(undated.sum()) + int(late.sum()),
                "warnings": f"{below} below the LLOQ entered as measured" if below else "",
            }
            subject, visit = np.nonzero(used)
            y = np.log(course.value[subject, visit]) - np.log(course.baseline[subject])
            found = _timing(y, dsld[subject, visit], courses[subject, visit], subject)
            for row in found:
                row["reason"] = "; ".join(part for part in (row["reason"], *remarks) if part)
            rows += [{**names, **shared, **row} for row in found]
    table = pd.DataFrame(rows, columns=list(TIMING_COLUMNS))
    return table.astype(dict.fromkeys(("n_subjects", "n_observations", "n_left_out"), np.int64))


def _timing(y: Floats, dsld: Floats, courses: Floats, subject: NDArray[np.intp]) -> list[dict[str, Any]]:
    from scipy import stats

    names, number = np.unique(subject, return_inverse=True)
    design = np.column_stack([np.ones(len(y)), dsld, courses])
    n = len(names)
    reason = ""
    if n < FEWEST:
        reason = f"{n} subjects have values at baseline and after a dose; {FEWEST} are needed"
    elif len(y) <= 3 or np.linalg.matrix_rank(design) < 3:
        reason = f"{len(y)} values do not tell days since the last dose and courses apart"
    fit = None if reason else fit_random_intercept(y, design, number.astype(np.intp))
    rows = []
    for position, parameter in ((1, PER_DAY), (2, PER_COURSE)):
        row: dict[str, Any] = {
            **dict.fromkeys(_NUMBERS, np.nan),
            "parameter": parameter,
            "df": np.nan,
            "n_subjects": n,
            "n_observations": len(y),
            "method": _TIMING_METHOD.format(kind=MIXED if fit is None else fit.method),
            "status": NOT_ESTIMABLE if fit is None else ESTIMATED,
            "reason": reason if fit is None else fit.note,
        }
        if fit is not None:
            slope, error = float(fit.params[position]), float(np.sqrt(fit.covariance[position, position]))
            half = float(stats.t.ppf(0.975, n - 1)) * error
            limits = float(np.exp(slope - half)), float(np.exp(slope + half))
            ratio = float(np.exp(slope))
            row |= dict(zip(_NUMBERS, (ratio, ratio * error, *limits), strict=True)) | {"df": float(n - 1)}
        rows.append(row)
    return rows


@dataclass(frozen=True, eq=False)
class TurnoverCurve:
    """A fitted turnover model as it is drawn (`il2cyto.pl.turnover`).

    Attributes
    ----------
    strategy, population, arm
        What it is of.
    curve
        ``day, ratio, lower, upper``: the median subject under `dose_days`, by study day.
    dose_days
        Study days of the doses that most subjects of the arm were given.
    observed
        ``subject, day, ratio``: Y/Y0 of the arm over the change that both arms have in common.
    decay_per_day
        ``kout``.
    """

    strategy: str
    population: str
    arm: str
    curve: pd.DataFrame
    dose_days: tuple[int, ...]
    observed: pd.DataFrame
    decay_per_day: float


def turnover_curves(
    visits: AnnData,
    doses: Mapping[str, Sequence[int]],
    *,
    baseline: str,
    reference_arm: str,
    populations: Sequence[str] | None = None,
    decay_per_day: float = DECAY_PER_DAY,
) -> tuple[TurnoverCurve, ...]:
    """Predict the course of populations by study day, from day 1 to the last visit.

    Parameters
    ----------
    visits, doses, baseline, reference_arm, populations, decay_per_day
        As for `turnover_by_population`.

    Returns
    -------
    tuple of TurnoverCurve
        One per population and arm whose model has an estimate and of which somebody had a dose.
    """
    layout = lay_out(visits.obs, baseline)
    level = _levels(visits.obs, layout, doses, reference_arm, decay_per_day)
    every = np.column_stack([layout.baseline_rows, layout.rows])
    days = np.append(visits.obs["ADY"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[every]
    found: list[TurnoverCurve] = []
    for column in choose_populations(visits, populations):
        if np.isnan(np.asarray(visits.X)[:, column]).all():
            continue
        for arm in layout.arm_names:
            given = [
                tuple(doses.get(one, ())) for one, its in zip(layout.subjects, layout.arms, strict=True) if its == arm
            ]
            given = [one for one in given if one]
            if arm == reference_arm or not given:
                continue
            here = np.isin(layout.arms, [arm, reference_arm])
            values = _values(visits, column, layout, here, arm, reference_arm, level, doses)
            subject, visit = np.nonzero(values.used)
            fit = fit_turnover(
                np.log(values.cells[subject, visit]), subject, visit, level[here][subject, visit],
                decay_per_day=decay_per_day,
            )  # fmt: skip
            if not fit.converged:
                continue
            # of schedules as frequent the longer one
            usual = max(sorted(set(given)), key=lambda one: (given.count(one), len(one)))
            shown = np.arange(1.0, np.nanmax(days) + 1)
            told = predict(fit, usual, shown)
            curve = pd.DataFrame({"day": shown, "ratio": told.ratio, "lower": told.lower, "upper": told.upper})
            common = {code: one.value for code, one in zip(fit.visits, fit.time_effects, strict=True)}
            mine = (layout.arms[here] == arm)[subject] & values.used[subject, 0] & (visit > 0)
            shift = np.array([common[code] for code in visit[mine]])
            who = subject[mine]
            ratio = values.cells[who, visit[mine]] / values.cells[who, 0] / np.exp(shift)
            names = np.asarray(layout.subjects, dtype=object)[here]
            observed = pd.DataFrame({"subject": names[who], "day": days[here][who, visit[mine]], "ratio": ratio})
            var = visits.var.iloc[column]
            found.append(TurnoverCurve(var["strategy"], var["population"], arm, curve, usual, observed, decay_per_day))
    return tuple(found)
