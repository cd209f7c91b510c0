"""Numbers of subjects whose cells or serum changed, by arm and visit, under stated definitions of change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.censored import fit_censored
from il2cyto.models.course import choose_populations, lay_out
from il2cyto.models.exact import Z, benjamini_hochberg, clopper_pearson, fisher, newcombe, sign_test
from il2cyto.models.serum import codes_of_flag
from il2cyto.study.changes import ANY, CONTROL, FOLD, STATED, ChangeRule

if TYPE_CHECKING:
    from anndata import AnnData

Floats = NDArray[np.float64]

#: Contrasts of the table: the subjects of an arm, and the difference of an arm's shares from the reference arm's.
WITHIN: Final = "within_arm"
DIFFERENCE: Final = "arm_difference"
CHANGED_COLUMNS: Final = (
    "strategy", "population", "unit", "rule", "ratio_up", "ratio_down", "arm", "visit", "contrast", "n_evaluable",
    "n_increased", "n_decreased", "n_unchanged", "n_undetermined", "increased_percent", "increased_lower",
    "increased_upper", "decreased_percent", "decreased_lower", "decreased_upper", "p_increased", "p_increased_adjusted",
    "p_decreased", "p_decreased_adjusted", "test", "DSLD_median", "DSLD_min", "DSLD_max", "status", "reason",
)  # fmt: skip
_SIGN: Final = "exact sign test of increased against decreased; regression to the mean is not taken out"
_FISHER: Final = "Fisher's exact test and Newcombe interval, unadjusted; arms were not randomised"
#: Subjects of the reference arm with two values or more, below which their repeats tell no variation.
_FEWEST: Final = 5
#: Equal within rounding: 30 cells are 1.5 times 20.
_SLACK: Final = 1e-12
UP, SAME, DOWN, UNDETERMINED, ABSENT = 1, 0, -1, 2, 3


@dataclass(frozen=True, eq=False)
class Pairs:
    """Values of one population or analyte at baseline and later; n subjects, m visits.

    Attributes
    ----------
    subjects, arms, visits
        Names and arms of the subjects, ``(n,)``, and names of the visits.
    low, high
        Limits between which the log ratio to baseline lies, ``(n, m)``: equal where both values are known, infinite
        where one of them is 0 or beyond a limit of quantification; NaN where there is no pair.
    per_event
        ``1 / events at baseline + 1 / events at the visit``, ``(n, m)``; 0 for what is not counted.
    control
        Values of the reference arm for its variation: log value, censor, code of the visit and of the subject.
    dsld
        Days since the last dose, ``(n, m)``; NaN where there was none.
    """

    subjects: tuple[str, ...]
    arms: NDArray[np.str_]
    visits: tuple[str, ...]
    low: Floats
    high: Floats
    per_event: Floats
    control: pd.DataFrame
    dsld: Floats


def changed_subjects(
    visits: AnnData,
    serum: AnnData | None,
    *,
    baseline: str | None,
    reference_arm: str | None,
    rules: Sequence[ChangeRule],
    cv: Mapping[str, tuple[float, float]],
    populations: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Count the subjects of each arm and visit whose cells/µL or serum concentrations changed from baseline.

    Rules: ``any`` difference; ``fold F``: at least F times as much, or 1/F as little; ``rcv``: beyond the reference
    change value of stated coefficients of variation, ``exp(±1.96 √(2 ln(1 + CVa² + CVi²) + 1/N₁ + 1/N₂))`` with the
    events N of both counts; ``rcv_control``: ``exp(±1.96 √2 σ)`` with the deviation σ within subjects of the reference
    arm, from ``log Y ~ visit + (1 | subject)`` with censored values as limits. Under no effect ``rcv`` calls 2.5 %
    increased and 2.5 % decreased at each visit.

    A value below (above) a limit of quantification is known as that: the change is counted where every value that it
    may have says the same, and is undetermined otherwise. Cells of 0 have no ratio: an increase from 0 and a decrease
    to 0 count as such under ``any``, ``fold`` and ``rcv_control``; under ``rcv``, which needs events, they are
    undetermined.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`, the visits that are analysed.
    serum
        From `il2cyto.serum.read_serum` with ``ARM``, ``AVISITN`` and ``DSLD`` in obs; ``None`` without serum.
    baseline
        Visit that the others are compared with; without one (``None``) the table is empty.
    reference_arm
        Arm whose shares the others' are compared with, and whose repeats give ``rcv_control``.
    rules
        Definitions of change.
    cv
        By name of a population or analyte: analytical and within-subject coefficient of variation, for ``rcv``.
    populations
        As for `il2cyto.models.change_from_baseline`.

    Returns
    -------
    pandas.DataFrame
        Columns `CHANGED_COLUMNS`. ``within_arm``: shares of the evaluable subjects in percent with exact 95 % limits
        (Clopper–Pearson), ``p_increased`` the exact sign test; ``arm_difference``: differences in percentage points
        with Newcombe's limits and Fisher's p-values. ``ratio_up`` and ``ratio_down`` are the limits, their medians over
        subjects where they differ. Adjusted p-values are Benjamini and Hochberg's over populations and analytes, for
        each rule, contrast, arm and visit. ``DSLD`` is that of the evaluable subjects.

    Raises
    ------
    ParameterError
        If no subject has the visit `baseline`, or a population is unknown.
    """
    rows: list[dict[str, Any]] = []
    if baseline is not None:
        for names, pairs in pairs_of(visits, serum, baseline, reference_arm, populations):
            for rule in rules:
                rows += [{**names, **row} for row in _rows(pairs, rule, cv.get(names["name"]), reference_arm)]
    table = pd.DataFrame(rows, columns=list(CHANGED_COLUMNS))
    keys = ["rule", "contrast", "arm", "visit"]
    for name in ("p_increased", "p_decreased"):
        table[f"{name}_adjusted"] = table.groupby(keys, sort=False)[name].transform(benjamini_hochberg)
    whole = [name for name in CHANGED_COLUMNS if name.startswith("n_")]
    typed: pd.DataFrame = table.astype(dict.fromkeys(whole, np.int64))
    return typed


def pairs_of(
    visits: AnnData, serum: AnnData | None, baseline: str, reference: str | None, populations: Sequence[str] | None
) -> Iterator[tuple[dict[str, str], Pairs]]:
    """Yield every population and every analyte with its values; parameters as for `changed_subjects`."""
    yield from _cells(visits, baseline, reference, populations)
    if serum is not None and baseline in set(serum.obs["AVISIT"]):
        yield from _serum(serum, baseline, reference)


def steps_of(pairs: Pairs, rule: ChangeRule, cv: tuple[float, float] | None) -> tuple[NDArray[np.int64], Floats, str]:
    """Return what became of each pair and the log ratio at which a change begins, both ``(n, m)``.

    Steps are those of `classify`. The third is why the rule cannot be used; empty where it can.
    """
    found = _limits(pairs, rule, cv)
    limit = np.zeros(pairs.low.shape) if isinstance(found, str) else found
    return (
        classify(pairs.low, pairs.high, limit, any_change=rule.kind == ANY),
        limit,
        found if isinstance(found, str) else "",
    )


def _cells(
    visits: AnnData, baseline: str, reference: str | None, populations: Sequence[str] | None
) -> Iterator[tuple[dict[str, str], Pairs]]:
    layout = lay_out(visits.obs, baseline)
    arms = layout.arms.astype(str)
    dsld = np.append(visits.obs["DSLD"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[layout.rows]
    every = np.column_stack([layout.baseline_rows, layout.rows])
    for column in choose_populations(visits, populations):
        cells = np.append(np.asarray(visits.X, dtype=np.float64)[:, column], np.nan)
        if np.isnan(cells).all():
            continue
        events = np.append(np.asarray(visits.layers["count"], dtype=np.float64)[:, column], np.nan)
        before, now = cells[layout.baseline_rows][:, None], cells[layout.rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(now) - np.log(before)
            per_event = 1 / events[layout.baseline_rows][:, None] + 1 / events[layout.rows]
        # nothing before and nothing now: no change, by any rule
        ratio = np.where((before == 0) & (now == 0), 0.0, ratio)
        values = cells[every]
        subject, visit = np.nonzero((values > 0) & (arms == (reference or ""))[:, None])
        control = pd.DataFrame({"y": np.log(values[subject, visit]), "censor": 0, "visit": visit, "subject": subject})
        var = visits.var.iloc[column]
        names = {"strategy": var["strategy"], "population": var["population"], "name": var["name"], "unit": "cells/µL"}
        yield names, Pairs(layout.subjects, arms, layout.visits, ratio, ratio, per_event, control, dsld)


def _serum(serum: AnnData, baseline: str, reference: str | None) -> Iterator[tuple[dict[str, str], Pairs]]:
    layout = lay_out(serum.obs, baseline)
    arms = layout.arms.astype(str)
    dsld = np.append(serum.obs["DSLD"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)[layout.rows]
    every = np.column_stack([layout.baseline_rows, layout.rows])
    drug = codes_of_flag(serum, "drug")
    for column in range(serum.n_vars):
        value = np.asarray(serum.X, dtype=np.float64)[:, column]
        # a value that is the drug itself says nothing of the subject
        value = np.where(np.isin(np.asarray(serum.layers["flags"])[:, column], drug), np.nan, value)
        censor = np.append(np.asarray(serum.layers["censor"])[:, column], 0)
        with np.errstate(divide="ignore"):
            log = np.append(np.log(value), np.nan)
        low = np.where(censor < 0, -np.inf, log)
        high = np.where(censor > 0, np.inf, log)
        low, high = np.where(np.isnan(log), np.nan, low), np.where(np.isnan(log), np.nan, high)
        at, first = layout.rows, layout.baseline_rows[:, None]
        logs, censors = log[every], censor[every]
        subject, visit = np.nonzero(np.isfinite(logs) & (arms == (reference or ""))[:, None])
        control = pd.DataFrame(
            {"y": logs[subject, visit], "censor": censors[subject, visit], "visit": visit, "subject": subject}
        )
        unit = str(serum.var["unit"].iloc[column])
        name = str(serum.var_names[column])
        with np.errstate(invalid="ignore"):
            pairs = Pairs(
                layout.subjects,
                arms,
                layout.visits,
                low[at] - high[first],
                high[at] - low[first],
                np.zeros(at.shape),
                control,
                dsld,
            )
        yield {"strategy": "", "population": name, "name": name, "unit": unit}, pairs


def _rows(
    pairs: Pairs, rule: ChangeRule, cv: tuple[float, float] | None, reference: str | None
) -> Iterator[dict[str, Any]]:
    step, limit, reason = steps_of(pairs, rule, cv)
    arms = sorted(set(pairs.arms))
    for number, visit in enumerate(pairs.visits):
        seen = {arm: step[pairs.arms == arm, number] for arm in arms}
        for arm in arms:
            here = (pairs.arms == arm) & (step[:, number] != ABSENT) & (step[:, number] != UNDETERMINED)
            row = _row(rule, arm, visit, WITHIN, seen[arm], pairs.dsld[here, number], limit[here, number])
            if reason:
                yield _refused(row, reason)
                continue
            n, up, down = row["n_evaluable"], row["n_increased"], row["n_decreased"]
            if n == 0:
                yield _refused(row, "no subject can be judged at this visit")
                continue
            for word, k in (("increased", up), ("decreased", down)):
                low, high = clopper_pearson(k, n)
                row |= {f"{word}_percent": 100 * k / n, f"{word}_lower": 100 * low, f"{word}_upper": 100 * high}
            own = rule.kind == CONTROL and arm == reference
            yield row | {
                "p_increased": sign_test(up, down),
                "test": _SIGN,
                "reason": "the limits come from this arm's own repeats, which fixes its shares" if own else "",
            }
        for arm in arms:
            if reference in seen and arm != reference:
                yield _difference(rule, arm, str(reference), visit, seen, reason)


def _difference(
    rule: ChangeRule, arm: str, reference: str, visit: str, seen: Mapping[str, NDArray[np.int64]], reason: str
) -> dict[str, Any]:
    none = np.zeros(0)
    both = np.concatenate([seen[arm], seen[reference]])
    row = _row(rule, f"{arm} / {reference}", visit, DIFFERENCE, both, none, none)
    sizes = [int((np.abs(seen[one]) <= 1).sum()) for one in (arm, reference)]
    if reason or min(sizes) == 0:
        return _refused(row, reason or "no subject can be judged in one of the arms")
    for word, which in (("increased", UP), ("decreased", DOWN)):
        k = [int((seen[one] == which).sum()) for one in (arm, reference)]
        found = newcombe(k[0], sizes[0], k[1], sizes[1])
        row |= dict(zip((f"{word}_percent", f"{word}_lower", f"{word}_upper"), (100 * x for x in found), strict=True))
        row[f"p_{word}"] = fisher(k[0], sizes[0], k[1], sizes[1])
    return row | {"test": _FISHER}


def _limits(pairs: Pairs, rule: ChangeRule, cv: tuple[float, float] | None) -> Floats | str:
    """Log ratio beyond which a subject has changed, ``(n, m)``, or why there is none."""
    shape = pairs.low.shape
    if rule.kind == ANY:
        return np.zeros(shape)
    if rule.kind == FOLD:
        return np.full(shape, np.log(rule.fold) - _SLACK)
    if rule.kind == STATED:
        if cv is None:
            return "no coefficients of variation are stated for it (changes.cv in study.yaml)"
        variance = 2 * np.log(1 + cv[0] ** 2 + cv[1] ** 2) + pairs.per_event
        return Z * np.sqrt(np.where(np.isfinite(variance), variance, np.nan))
    deviation = _within(pairs.control)
    return deviation if isinstance(deviation, str) else np.full(shape, Z * np.sqrt(2) * deviation)


def _within(control: pd.DataFrame) -> float | str:
    """Deviation of log values within subjects of the reference arm, or why it cannot be told."""
    repeated = control.groupby("subject")["visit"].transform("size") > 1
    control = control[repeated]
    n = control["subject"].nunique()
    if n < _FEWEST:
        return f"{n} subjects of the reference arm have repeated values; {_FEWEST} are needed for its variation"
    if (control["censor"] != 0).mean() > 0.5:
        return "more than half of the reference arm's values are outside the limits of quantification"
    visit = pd.get_dummies(control["visit"]).to_numpy(dtype=np.float64)
    subject = np.unique(control["subject"], return_inverse=True)[1].astype(np.intp)
    fit = fit_censored(control["y"].to_numpy(), control["censor"].to_numpy(dtype=np.int8), visit, subject)
    if not fit.converged:
        return f"the variation of the reference arm cannot be told: {fit.note}"
    return fit.sd_within


def classify(low: Floats, high: Floats, limit: Floats, *, any_change: bool = False) -> NDArray[np.int64]:
    """Say of each pair whether it went up (1), down (-1), stayed (0), cannot be told (2), or is absent (3).

    Parameters
    ----------
    low, high
        Limits of the log ratio; NaN in either is no pair.
    limit
        Log ratio at which a change begins; NaN where it is not known.
    any_change
        Whether the smallest difference counts.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = np.array([0.5, -0.1, -np.inf, np.nan]), np.array([0.5, 0.1, 0.6, np.nan])
    >>> classify(low, high, np.full(4, 0.4)).tolist()
    [1, 0, 2, 3]
    """
    absent = np.isnan(low) | np.isnan(high)
    beyond = np.where(limit > 0, limit, np.finfo(np.float64).tiny) if any_change else limit
    with np.errstate(invalid="ignore"):
        # limits that only touch the border of censored values leave it open which side they are on
        up, down = low >= beyond, high <= -beyond
        same = (low > -beyond) & (high < beyond)
    found = np.select([absent, np.isnan(beyond), up, down, same], [ABSENT, UNDETERMINED, UP, DOWN, SAME], UNDETERMINED)
    return found.astype(np.int64)


def _row(
    rule: ChangeRule, arm: str, visit: str, contrast: str, step: NDArray[np.int64], dsld: Floats, limit: Floats
) -> dict[str, Any]:
    shares = [f"{word}_{part}" for word in ("increased", "decreased") for part in ("percent", "lower", "upper")]
    counted = {
        "n_increased": int((step == UP).sum()),
        "n_decreased": int((step == DOWN).sum()),
        "n_unchanged": int((step == SAME).sum()),
        "n_undetermined": int((step == UNDETERMINED).sum()),
    }
    days = dsld[~np.isnan(dsld)]
    middle = float(np.median(limit)) if limit.size and np.isfinite(limit).all() else np.nan
    return {
        **dict.fromkeys((*shares, "p_increased", "p_decreased"), np.nan),
        "rule": rule.name,
        "ratio_up": float(np.exp(middle)),
        "ratio_down": float(np.exp(-middle)),
        "arm": arm,
        "visit": visit,
        "contrast": contrast,
        "n_evaluable": counted["n_increased"] + counted["n_decreased"] + counted["n_unchanged"],
        **counted,
        "test": "",
        "DSLD_median": float(np.median(days)) if days.size else np.nan,
        "DSLD_min": float(days.min()) if days.size else np.nan,
        "DSLD_max": float(days.max()) if days.size else np.nan,
        "status": ESTIMATED,
        "reason": "",
    }


def _refused(row: dict[str, Any], reason: str) -> dict[str, Any]:
    """A row without numbers of changed subjects: where a rule has no limits nobody has changed or stayed."""
    judged = ("n_evaluable", "n_increased", "n_decreased", "n_unchanged")
    whole = sum(row[name] for name in (*judged[1:], "n_undetermined"))
    return row | dict.fromkeys(judged, 0) | {
        "n_undetermined": whole, "ratio_up": np.nan, "ratio_down": np.nan, "status": NOT_ESTIMABLE, "reason": reason,
    }  # fmt: skip
