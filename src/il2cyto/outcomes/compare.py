"""What is told of one measure: values and changes by arm and visit, and the arms compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import ParameterError
from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.models.design import DIFFERENCES, LOGARITHMS, ChangeModel, Covariates, fit_response, make_covariates
from il2cyto.models.exact import clopper_pearson, fisher, newcombe, sign_test
from il2cyto.models.overlap import propensity, weighted_difference
from il2cyto.models.rank import stratified_ranks
from il2cyto.outcomes.measure import (
    ADJUSTED,
    ADJUSTED_DIFFERENCE,
    ANCOVA,
    CHANGE,
    MCNEMAR,
    OVERLAP,
    OVERLAP_SHARE,
    RANKS,
    RATIO,
    SHARE,
    SHARE_DIFFERENCE,
    SHIFT,
    VALUE,
    Floats,
    Measure,
    Row,
    row,
)
from il2cyto.outcomes.people import People
from il2cyto.study.outcomes import Outcome

Mask = NDArray[np.bool_]

#: Subjects with a change below which an arm is not modelled.
FEWEST: Final = 3
_CAVEAT: Final = "arms were not randomised"


def compare(measure: Measure, people: People, outcome: Outcome) -> list[Row]:
    """Return every row of a measure: observed, modelled over visits, and the comparison at the key visit.

    Changes are differences from baseline, or log ratios where the measure is compared by its logarithm; those are told
    as ratios.
    """
    rows = [*_observed(measure, people, outcome)]
    change, baseline = _change(measure)
    rows += _modelled(measure, change, baseline, people, outcome)
    if outcome.visit in people.visits[1:]:
        rows += _key_visit(measure, change, baseline, people, outcome)
    if measure.classes is not None:
        rows += _classes(measure, measure.classes, people, outcome)
    return rows


def _change(measure: Measure) -> tuple[Floats, Floats]:
    """Changes ``(n, m - 1)`` and baselines ``(n,)`` on the scale on which they are compared; NaN where a limit."""
    values = np.where(measure.censor == 0, measure.values, np.nan)
    if measure.logarithm:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log(values), np.nan)
    return values[:, 1:] - values[:, :1], values[:, 0]


def _observed(measure: Measure, people: People, outcome: Outcome) -> Iterator[Row]:
    """Values and changes as they are: numbers, quartiles, and means where no value is a limit."""
    for arm in people.arm_names:
        here = people.arms == arm
        for place, visit in enumerate(people.visits):
            value, censor = measure.values[here, place], measure.censor[here, place]
            of = int(here.sum())
            yield _summary(measure, outcome, VALUE, arm, visit, value, int((censor != 0).sum()), of)
            if place:
                pair = ~np.isnan(value) & ~np.isnan(measure.values[here, 0])
                limits = int(((censor != 0) | (measure.censor[here, 0] != 0))[pair].sum())
                yield _summary(measure, outcome, CHANGE, arm, visit, value - measure.values[here, 0], limits, of)
                if measure.logarithm:
                    yield _ratio(measure, outcome, arm, visit, _change(measure)[0][here, place - 1], of)


def _summary(
    measure: Measure, outcome: Outcome, analysis: str, arm: str, visit: str, values: Floats, limits: int, of: int
) -> Row:
    values = values[~np.isnan(values)]
    made = row(outcome.id, measure, analysis, arm=arm, visit=visit, n=len(values), of=of)
    if not len(values):
        return made | {"status": NOT_ESTIMABLE, "reason": "no subject has a value"}
    q1, median, q3 = np.quantile(values, (0.25, 0.5, 0.75))
    made |= {"median": median, "q1": q1, "q3": q3, "minimum": values.min(), "maximum": values.max()}
    if limits:
        return made | {"reason": f"{limits} known as limits only, which stand for them; a mean is not told"}
    sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return made | {"estimate": float(values.mean()), "sd": sd, "se": sd / np.sqrt(len(values))}


def _ratio(measure: Measure, outcome: Outcome, arm: str, visit: str, logs: Floats, of: int) -> Row:
    """Geometric mean of the ratios to baseline, with its t limits."""
    from scipy.stats import t

    logs = logs[~np.isnan(logs)]
    made = row(outcome.id, measure, RATIO, arm=arm, visit=visit, n=len(logs), of=of)
    if not len(logs):
        return made | {"status": NOT_ESTIMABLE, "reason": "no subject has a ratio"}
    mean = float(logs.mean())
    if len(logs) == 1:
        return made | {"estimate": np.exp(mean)}
    half = float(t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    return made | {
        "estimate": np.exp(mean), "lower": np.exp(mean - half), "upper": np.exp(mean + half), "df": len(logs) - 1,
        "method": "geometric mean with t limits of its logarithm",
    }  # fmt: skip


def covariates_of(people: People, names: tuple[str, ...]) -> Covariates:
    """Return age, sex and diagnosis as columns: numbers as such, texts as classes less the first."""
    known: dict[str, Floats | NDArray[np.str_]] = {
        "AGE": people.ages,
        "SEX": people.sexes,
        "DIAGNOSIS": people.diagnoses,
    }
    return make_covariates({name: known[name] for name in names}, len(people.subjects))


def _enough(known: Mask, people: People) -> tuple[list[str], list[str]]:
    """Arms with enough subjects who have a change, and why the others are not modelled."""
    arms, why = [], []
    for arm in people.arm_names:
        n = int((known.any(axis=1) & (people.arms == arm)).sum())
        if n >= FEWEST:
            arms.append(arm)
        else:
            why.append(f"{arm}: {n} subjects with a change, {FEWEST} are needed")
    return arms, why


def _modelled(measure: Measure, change: Floats, baseline: Floats, people: People, outcome: Outcome) -> Iterator[Row]:
    """The change over all visits by a mixed model for repeated measures."""
    covariates = covariates_of(people, outcome.covariates)
    response = np.where(covariates.complete[:, None], change, np.nan)
    model, arms, why = _fit(measure, response, baseline, covariates, people)
    lost = _left_out(measure, people, response)
    for place, visit in enumerate(people.visits[1:]):
        for arm in people.arm_names:
            made = row(
                outcome.id, measure, ADJUSTED, arm=arm, visit=visit, reason=lost,
                n=int((~np.isnan(response[people.arms == arm, place])).sum()), of=int((people.arms == arm).sum()),
            )  # fmt: skip
            yield _estimated(made, model, [(arm, place)], arms, why, measure, "mmrm")
        for arm in people.arm_names:
            if people.reference in people.arm_names and arm != people.reference:
                pair = [arm, str(people.reference)]
                here = np.isin(people.arms, pair)
                made = row(
                    outcome.id, measure, ADJUSTED_DIFFERENCE, arm=" / ".join(pair), visit=visit, reason=lost,
                    n=int((~np.isnan(response[here, place])).sum()), of=int(here.sum()),
                )  # fmt: skip
                yield _estimated(made, model, [(one, place) for one in pair], arms, why, measure, "mmrm")


def _fit(
    measure: Measure, response: Floats, baseline: Floats, covariates: Covariates, people: People
) -> tuple[ChangeModel | str, list[str], list[str]]:
    arms, why = _enough(~np.isnan(response), people)
    used = np.where(np.isin(people.arms, arms)[:, None], response, np.nan)
    terms = LOGARITHMS if measure.logarithm else DIFFERENCES
    if not arms:
        return "; ".join(why), arms, why
    known = used[~np.isnan(used)]
    if float(np.ptp(known)) == 0:
        return "no subject has another change than the others", arms, why
    # baselines stand wherever a change does; elsewhere their value is never looked at
    return fit_response(used, np.nan_to_num(baseline), people.arms, people.days[:, 1:], covariates, terms), arms, why


def _left_out(measure: Measure, people: People, response: Floats) -> str:
    """What the model does without, in words."""
    pair = ~np.isnan(measure.values[:, 1:]) & ~np.isnan(measure.values[:, :1])
    limits = int((pair & ((measure.censor[:, 1:] != 0) | (measure.censor[:, :1] != 0))).sum())
    lost = int((pair & np.isnan(response)).sum()) - limits
    told = [f"{limits} changes left out (known as limits only)"] if limits else []
    word = "without a logarithm or a covariate" if measure.logarithm else "without a covariate"
    return "; ".join([*told, *([f"{lost} changes left out ({word})"] if lost else [])])


def _estimated(
    made: Row, model: ChangeModel | str, cells: list[tuple[str, int]], arms: list[str], why: list[str],
    measure: Measure, kind: str,
) -> Row:  # fmt: skip
    """Fill a row with a contrast of the model, or say why there is none."""
    lost = [reason for reason in why if any(reason.startswith(f"{arm}:") for arm, _ in cells)]
    if isinstance(model, str) and not lost:
        lost = [model]
    if not isinstance(model, str) and not lost:
        lost = [f"{arm}: no change at this visit" for arm, place in cells if (arm, place) not in model.columns]
    if lost or isinstance(model, str):
        return made | {"status": NOT_ESTIMABLE, "reason": "; ".join(filter(None, [*lost, made["reason"]]))}
    found = model.contrast(cells)
    scale = np.exp if measure.logarithm else float
    return made | {
        "estimate": float(scale(found.estimate)), "se": found.se, "df": found.df, "lower": float(scale(found.lower)),
        "upper": float(scale(found.upper)), "p_value": found.p_value, "method": model.method,
        "model_id": f"{made['outcome']}/{measure.code}/{kind}", "warnings": model.warnings,
        "reason": "; ".join(filter(None, [model.note, made["reason"]])),
    }  # fmt: skip


def _key_visit(measure: Measure, change: Floats, baseline: Floats, people: People, outcome: Outcome) -> Iterator[Row]:
    """Each arm against the reference at the key visit: covariance, ranks, overlap weights."""
    if people.reference not in people.arm_names:
        return
    place = people.visits.index(outcome.visit) - 1
    covariates = covariates_of(people, outcome.covariates)
    for arm in people.arm_names:
        if arm == people.reference:
            continue
        pair = [arm, str(people.reference)]
        here = np.isin(people.arms, pair)
        of = int(here.sum())
        base = {"arm": " / ".join(pair), "visit": outcome.visit, "of": of}
        response = np.where((here & covariates.complete)[:, None], change[:, place : place + 1], np.nan)
        n = int((~np.isnan(response)).sum())
        made = row(outcome.id, measure, ANCOVA, n=n, **base, reason=_left_out_here(measure, place, here, response))
        # one visit alone: the model of repeated measures is the analysis of covariance
        alone = People(**{**vars(people), "visits": (people.visits[0], outcome.visit)})
        model, arms, why = _fit(measure, response, baseline, covariates, alone)
        why = [reason for reason in why if reason.split(":")[0] in pair]
        filled = _estimated(made, model, [(one, 0) for one in pair], arms, why, measure, "ancova")
        yield filled | {"family": "registered" if outcome.registered and measure.key else ""}
        # ranks know limits as the lowest or the highest
        ranked = _ranked_change(measure, place)
        strata = people.diagnoses if "DIAGNOSIS" in outcome.covariates else np.full(len(people.arms), "")
        test = stratified_ranks(ranked[here], people.arms[here] == arm, strata[here])
        made = row(outcome.id, measure, RANKS, n=test.n, **base)
        if np.isnan(test.p_value):
            yield made | {"status": NOT_ESTIMABLE, "reason": test.method}
        else:
            yield made | {
                "estimate": test.superiority, "p_value": test.p_value,
                "method": f"{test.method} of the change; estimate: probability of the larger change; {_CAVEAT}",
            }  # fmt: skip
        yield _weighted(measure, response[:, 0], baseline, people, outcome, arm, base)


def _left_out_here(measure: Measure, place: int, here: Mask, response: Floats) -> str:
    pair = here & ~np.isnan(measure.values[:, place + 1]) & ~np.isnan(measure.values[:, 0])
    lost = int((pair & np.isnan(response[:, 0])).sum())
    return f"{lost} changes left out (limits, no logarithm or no covariate)" if lost else ""


def _ranked_change(measure: Measure, place: int) -> Floats:
    """Changes for ranks: from limits on both sides nothing is known; else a limit is as far as can be told."""
    value, censor = measure.values[:, place + 1], measure.censor[:, place + 1]
    base, base_censor = measure.values[:, 0], measure.censor[:, 0]
    unknown = (censor != 0) & (base_censor != 0)
    if measure.logarithm:
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where((value > 0) & (base > 0), np.log(value) - np.log(base), np.nan)
    else:
        change = value - base
    return np.where(unknown, np.nan, change)


def _weighted(
    measure: Measure, change: Floats, baseline: Floats, people: People, outcome: Outcome, arm: str, base: Row
) -> Row:
    """The difference of changes with overlap weights of baseline, age, sex and diagnosis."""
    known = ~np.isnan(change)
    before = covariates_of(people, ("AGE", "SEX", "DIAGNOSIS"))
    known &= before.complete
    made = row(outcome.id, measure, OVERLAP, n=int(known.sum()), **base)
    try:
        scores = propensity(people.arms[known] == arm, np.column_stack([baseline, before.columns])[known])
        found = weighted_difference(change[known], people.arms[known] == arm, scores)
    except ParameterError as error:
        return made | {"status": NOT_ESTIMABLE, "reason": str(error)}
    scale = np.exp if measure.logarithm else float
    return made | {
        "estimate": float(scale(found.estimate)), "se": found.se, "lower": float(scale(found.lower)),
        "upper": float(scale(found.upper)), "p_value": found.p_value,
        "model_id": f"{outcome.id}/{measure.code}/overlap",
        "method": "difference of changes with overlap weights; propensity of baseline, AGE, SEX and DIAGNOSIS by "
        f"{scores.method}; effective n {found.n_effective[0]:.1f} and {found.n_effective[1]:.1f}; "
        + _CAVEAT,
    }  # fmt: skip


def _classes(measure: Measure, classes: NDArray[np.str_], people: People, outcome: Outcome) -> Iterator[Row]:
    """Classes at each visit, shifts from baseline, and abnormal against normal before and after."""
    for place, visit in enumerate(people.visits):
        for arm in people.arm_names:
            here = people.arms == arm
            now = classes[here, place]
            for name in measure.order:
                yield share(measure, outcome, name, arm, visit, now == name, now != "")
            if not place:
                continue
            before = classes[here, 0]
            both = (before != "") & (now != "")
            for first in measure.order:
                for second in measure.order:
                    yield row(
                        outcome.id, measure, SHIFT, category=f"{first} > {second}", arm=arm, visit=visit,
                        n=int((both & (before == first) & (now == second)).sum()), of=int(both.sum()),
                    )  # fmt: skip
            if measure.normal:
                better = int((both & (before != measure.normal) & (now == measure.normal)).sum())
                worse = int((both & (before == measure.normal) & (now != measure.normal)).sum())
                yield row(
                    outcome.id, measure, MCNEMAR, category=f"to {measure.normal} {better}, from it {worse}", arm=arm,
                    visit=visit, n=better + worse, of=int(both.sum()), p_value=sign_test(better, worse),
                    method="McNemar's exact test; regression to the mean is not taken out",
                )  # fmt: skip


def share(measure: Measure, outcome: Outcome, category: str, arm: str, visit: str, which: Mask, known: Mask) -> Row:
    """Return the share of the subjects of whom it is known, in percent with exact limits."""
    n, k = int(known.sum()), int((which & known).sum())
    made = row(outcome.id, measure, SHARE, category=category, arm=arm, visit=visit, n=k, of=n)
    if not n:
        return made | {"status": NOT_ESTIMABLE, "reason": "no subject has a value"}
    low, high = clopper_pearson(k, n)
    return made | {
        "estimate": 100 * k / n, "lower": 100 * low, "upper": 100 * high, "method": "percent; Clopper-Pearson limits"
    }  # fmt: skip


def share_differences(
    measure: Measure, outcome: Outcome, category: str, visit: str, which: Mask, known: Mask, people: People,
    before: Floats | None = None,
) -> Iterator[Row]:  # fmt: skip
    """Compare the share of each arm with the reference's: unadjusted, and with overlap weights.

    `before` holds further columns for the propensity besides age, sex and diagnosis, ``(n, q)``.
    """
    for arm in people.arm_names:
        if people.reference not in people.arm_names or arm == people.reference:
            continue
        groups = [people.arms == arm, people.arms == people.reference]
        sizes = [int((known & group).sum()) for group in groups]
        hits = [int((known & which & group).sum()) for group in groups]
        base = {"category": category, "arm": f"{arm} / {people.reference}", "visit": visit, "of": sum(sizes)}
        made = row(outcome.id, measure, SHARE_DIFFERENCE, n=sum(hits), **base)
        if min(sizes) == 0:
            yield made | {"status": NOT_ESTIMABLE, "reason": "no subject of an arm has a value"}
            continue
        found = newcombe(hits[0], sizes[0], hits[1], sizes[1])
        yield made | {
            "estimate": 100 * found[0], "lower": 100 * found[1], "upper": 100 * found[2],
            "p_value": fisher(hits[0], sizes[0], hits[1], sizes[1]),
            "method": f"percentage points; Newcombe's limits and Fisher's exact test, unadjusted; {_CAVEAT}",
        }  # fmt: skip
        yield _weighted_share(measure, outcome, which, known, people, arm, before, base)


def _weighted_share(
    measure: Measure, outcome: Outcome, which: Mask, known: Mask, people: People, arm: str, before: Floats | None,
    base: Row,
) -> Row:  # fmt: skip
    covariates = covariates_of(people, ("AGE", "SEX", "DIAGNOSIS"))
    columns = covariates.columns if before is None else np.column_stack([covariates.columns, before])
    used = known & np.isfinite(columns).all(axis=1) & np.isin(people.arms, [arm, str(people.reference)])
    made = row(outcome.id, measure, OVERLAP_SHARE, n=int((which & used).sum()), **base | {"of": int(used.sum())})
    try:
        scores = propensity(people.arms[used] == arm, columns[used])
        found = weighted_difference(which[used].astype(np.float64), people.arms[used] == arm, scores)
    except ParameterError as error:
        return made | {"status": NOT_ESTIMABLE, "reason": str(error)}
    also = "" if before is None else ", baseline"
    return made | {
        "estimate": 100 * found.estimate, "se": 100 * found.se, "lower": 100 * found.lower,
        "upper": 100 * found.upper, "p_value": found.p_value,
        "method": f"percentage points with overlap weights; propensity of AGE, SEX and DIAGNOSIS{also} by "
        f"{scores.method}; {_CAVEAT}",
    }  # fmt: skip
