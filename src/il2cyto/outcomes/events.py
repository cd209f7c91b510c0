"""Adverse events by class: subjects who had one, events, and rates by the time under observation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np

from il2cyto.keys import NOT_ESTIMABLE
from il2cyto.outcomes.compare import share, share_differences
from il2cyto.outcomes.measure import EVENTS, RATE, RATE_RATIO, Measure, Row, row
from il2cyto.outcomes.people import People
from il2cyto.study.clinic import AdverseEvent
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

ANY_EVENT: Final = "any event"
SERIOUS: Final = "serious events"
#: Periods of subjects with doses, besides the whole.
WHOLE, TREATED, AFTER = "whole", "first to last dose", "after the last dose"
_YEAR: Final = 365.25


def event_rows(study: Study, people: People, outcome: Outcome) -> list[Row]:
    """Tell the events of each class by arm: those that began on study day 1 or later.

    ``share``: subjects with one or more; ``events``; ``rate_per_year`` by the days from study day 1 to the last day on
    which something is known of a subject, with exact Poisson limits; ``rate_ratio`` to the reference arm with exact
    conditional limits. ``category`` is the period: the whole, and for subjects with doses the days from the first to
    the last dose and those after it. An event of a class that the outcome does not name counts among *any event* only.
    A control is observed up to the day before a change to the study treatment.
    """
    spans = _spans(people)
    followed = np.array([one is not None for one in spans])
    rows: list[Row] = []
    for name in (ANY_EVENT, SERIOUS, *outcome.classes):
        events = [one for one in study.clinic.events if _is(one, name)]
        counted, early, late = _in_period_one(events, people)
        notes = (
            *((f"{early} events before study day 1, or of a subject without one, are not counted",) if early else ()),
            *((f"{late} events after a change to the study treatment are not counted",) if late else ()),
        )
        shape = (len(people.subjects), 1)
        measure = Measure(name, name, "events", np.zeros(shape), np.zeros(shape, dtype=np.int8), notes=notes)
        had = np.array([bool(mine) for mine in counted])
        for arm in people.arm_names:
            here = people.arms == arm
            made = share(measure, outcome, WHOLE, arm, "", had & here, followed & here)
            worst = max((one.grade or 0 for i in map(int, np.flatnonzero(here)) for one in counted[i]), default=0)
            rows.append(made | {"reason": "; ".join([*filter(None, [made["reason"]]), *notes, *_grade(worst)])})
            for period in (WHOLE, TREATED, AFTER):
                rows += _rates(people, outcome, measure, counted, spans, arm, period)
        rows += list(share_differences(measure, outcome, WHOLE, "", had, followed, people))
        rows += list(_ratios(people, outcome, measure, counted, spans))
    return rows


def _grade(worst: int) -> list[str]:
    return [f"highest grade {worst}"] if worst else []


def _is(one: AdverseEvent, name: str) -> bool:
    return name == ANY_EVENT or (name == SERIOUS and one.serious) or one.event_class == name


def _spans(people: People) -> list[tuple[date, date] | None]:
    """First and last day under observation of each subject, the last one before a change to the study treatment."""
    spans: list[tuple[date, date] | None] = []
    for subject in people.subjects:
        calendar, last = people.calendars[subject], people.last.get(subject)
        first = calendar.day_one
        if last is not None and calendar.crossover is not None:
            last = min(last, calendar.crossover - timedelta(days=1))
        spans.append((first, last) if first is not None and last is not None and last >= first else None)
    return spans


def _in_period_one(events: Sequence[AdverseEvent], people: People) -> tuple[list[list[AdverseEvent]], int, int]:
    """Events of each subject that count, and the numbers of those too early and after a change of treatment."""
    counted: list[list[AdverseEvent]] = [[] for _ in people.subjects]
    early = late = 0
    for one in events:
        calendar = people.calendars[one.subject]
        if calendar.day_one is None or one.start < calendar.day_one:
            early += 1
        elif calendar.crossover is not None and one.start >= calendar.crossover:
            late += 1
        else:
            counted[people.subjects.index(one.subject)].append(one)
    return counted, early, late


def _observed(
    people: People, counted: Sequence[Sequence[AdverseEvent]], spans: Sequence[tuple[date, date] | None], arm: str,
    period: str,
) -> tuple[int, float, int]:  # fmt: skip
    """Events, years and subjects of an arm in a period."""
    n_events, days, n_subjects = 0, 0, 0
    for i in map(int, np.flatnonzero(people.arms == arm)):
        span, calendar = spans[i], people.calendars[people.subjects[i]]
        # doses of a control belong to the period after its change
        doses = calendar.doses if calendar.crossover is None else ()
        if span is None:
            continue
        first, last = span
        if period != WHOLE:
            if not doses:
                continue
            first, last = (doses[0], doses[-1]) if period == TREATED else (doses[-1], last)
        inside = [one for one in counted[i] if first <= one.start <= last]
        if period == AFTER:
            # the day of the last dose is one of treatment
            inside, span_days = [one for one in inside if one.start > first], (last - first).days
        else:
            span_days = (last - first).days + 1
        n_events, days, n_subjects = n_events + len(inside), days + max(span_days, 0), n_subjects + 1
    return n_events, days / _YEAR, n_subjects


def _rates(
    people: People, outcome: Outcome, measure: Measure, counted: Sequence[Sequence[AdverseEvent]],
    spans: Sequence[tuple[date, date] | None], arm: str, period: str,
) -> Iterator[Row]:  # fmt: skip
    from scipy.stats import chi2

    k, years, n = _observed(people, counted, spans, arm, period)
    if not n:
        return
    of = int((people.arms == arm).sum())
    yield row(outcome.id, measure, EVENTS, category=period, arm=arm, n=n, of=of, estimate=float(k))
    made = row(outcome.id, measure, RATE, category=period, arm=arm, n=n, of=of)
    if years <= 0:
        yield made | {"status": NOT_ESTIMABLE, "reason": "no time under observation"}
        return
    low = chi2.ppf(0.025, 2 * k) / 2 if k else 0.0
    high = chi2.ppf(0.975, 2 * k + 2) / 2
    yield made | {
        "estimate": k / years, "lower": low / years, "upper": high / years,
        "method": f"{k} events in {years:.2f} years; exact Poisson limits",
    }  # fmt: skip


def _ratios(
    people: People, outcome: Outcome, measure: Measure, counted: Sequence[Sequence[AdverseEvent]],
    spans: Sequence[tuple[date, date] | None],
) -> Iterator[Row]:  # fmt: skip
    """Rate of each arm to that of the reference, by the exact conditional binomial test."""
    from scipy.stats import binomtest

    if people.reference not in people.arm_names:
        return
    other = _observed(people, counted, spans, str(people.reference), WHOLE)
    for arm in people.arm_names:
        if arm == people.reference:
            continue
        mine = _observed(people, counted, spans, arm, WHOLE)
        made = row(outcome.id, measure, RATE_RATIO, category=WHOLE, arm=f"{arm} / {people.reference}",
                   n=mine[2] + other[2], of=int(np.isin(people.arms, [arm, people.reference]).sum()))  # fmt: skip
        total = mine[0] + other[0]
        if not total or mine[1] <= 0 or other[1] <= 0:
            yield made | {"status": NOT_ESTIMABLE, "reason": "no event, or no time under observation"}
            continue
        test = binomtest(mine[0], total, mine[1] / (mine[1] + other[1]))
        interval = test.proportion_ci(method="exact")
        scale = other[1] / mine[1]
        low, high = (float(scale * p / (1 - p)) if p < 1 else math.inf for p in (interval.low, interval.high))
        ratio = scale * mine[0] / other[0] if other[0] else math.nan
        # all events in one arm bound the ratio on one side alone
        reason = "no event in the reference arm: the ratio has no upper limit" if math.isinf(high) else ""
        yield made | {
            "estimate": ratio, "lower": low, "upper": math.nan if math.isinf(high) else high,
            "p_value": float(test.pvalue), "reason": reason,
            "method": "exact conditional test of Poisson rates; events of one subject are taken as independent; "
            "arms were not randomised",
        }  # fmt: skip
