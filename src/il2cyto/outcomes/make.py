"""Every outcome of a study, with the family of its key comparisons, from the data of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from il2cyto.models.exact import holm
from il2cyto.outcomes.baseline import baseline_table
from il2cyto.outcomes.changed import changed_rows
from il2cyto.outcomes.compare import compare
from il2cyto.outcomes.drugs import drug_measures, steroid_measures
from il2cyto.outcomes.events import event_rows
from il2cyto.outcomes.flow import flow_table
from il2cyto.outcomes.laboratory import laboratory_measures
from il2cyto.outcomes.measure import COLUMNS, Measure, Row
from il2cyto.outcomes.people import People, people_of
from il2cyto.outcomes.scores import discordances, score_measures
from il2cyto.study import outcomes as kinds
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

if TYPE_CHECKING:
    from anndata import AnnData

_MEASURES: Final[Mapping[str, Callable[[Study, People, Outcome], list[Measure]]]] = {
    kinds.STEROID: steroid_measures,
    kinds.DRUGS: drug_measures,
    kinds.LABORATORY: laboratory_measures,
    kinds.SCORE: score_measures,
}


@dataclass(frozen=True, eq=False)
class OutcomeResult:
    """One outcome: its rows, the values of every subject behind them, and its measures."""

    outcome: Outcome
    table: pd.DataFrame
    subjects: pd.DataFrame
    measures: tuple[Measure, ...]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Everything that is told of the subjects of a study.

    Attributes
    ----------
    people
        Whom.
    results
        One per outcome of the study.
    baseline, flow
        Table 1, and subjects by visit.
    queries
        Items of scores that laboratory values speak against; ``None`` without scores or laboratory values.
    """

    people: People
    results: tuple[OutcomeResult, ...]
    baseline: pd.DataFrame
    flow: pd.DataFrame
    queries: pd.DataFrame | None


def make_outcomes(
    study: Study, days: pd.DataFrame, visits: AnnData, serum: AnnData | None, baseline: str | None
) -> Outcomes:
    """Make every outcome of a study.

    Parameters
    ----------
    study
        With its sheets and ``outcomes``.
    days
        From `il2cyto.derive.visit_table`.
    visits, serum
        What is analysed, as for `il2cyto.models.changed_subjects`.
    baseline
        Baseline visit, ``None`` where no sample of it is there.

    Returns
    -------
    Outcomes
        p-values of the key comparisons of registered outcomes are adjusted together by Holm's method; how many there
        are follows from ``study.yaml``: those that could not be made count as if their p-value were 1.
    """
    people = people_of(study, days)
    results = []
    for outcome in study.outcomes:
        if outcome.kind in _MEASURES:
            measures = _MEASURES[outcome.kind](study, people, outcome)
            rows = [row for one in measures for row in compare(one, people, outcome)]
            subjects = _subjects(measures, people)
        else:
            measures = []
            if outcome.kind == kinds.EVENTS:
                rows, subjects = event_rows(study, people, outcome), _event_subjects(study, people)
            else:
                rows, subjects = changed_rows(study, people, outcome, visits, serum, baseline)
        results.append(OutcomeResult(outcome, _table(rows), subjects, tuple(measures)))
    queries = discordances(study, people) if {"labs", "scores"} <= study.clinic.sheets else None
    first = [one for result in results for one in result.measures if one.key]
    return Outcomes(
        people, _with_family(results), baseline_table(study, people, first), flow_table(study, days), queries
    )


def _table(rows: list[Row]) -> pd.DataFrame:
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": np.int64, "of": np.int64})
    return table


def _with_family(results: list[OutcomeResult]) -> tuple[OutcomeResult, ...]:
    """Adjust the key comparisons of all registered outcomes together."""
    members = [
        (number, index, float(p))
        for number, result in enumerate(results)
        for index, p in result.table.loc[result.table["family"] != "", "p_value"].items()
    ]
    # the family is fixed before the data: a comparison that could not be made still counts
    adjusted = holm(np.array([1.0 if np.isnan(p) else p for _, _, p in members], dtype=np.float64))
    tables = [result.table.copy() for result in results]
    for (number, index, p), value in zip(members, adjusted.tolist(), strict=True):
        if not np.isnan(p):
            tables[number].loc[index, "p_adjusted"] = value
    return tuple(replace(result, table=table) for result, table in zip(results, tables, strict=True))


def _subjects(measures: list[Measure], people: People) -> pd.DataFrame:
    """Every value behind an outcome, one row per subject, visit and parameter."""
    days, rows = people.days, []
    for one in measures:
        for i, subject in enumerate(people.subjects):
            for j, visit in enumerate(people.visits):
                value = float(one.values[i, j])
                if np.isnan(value):
                    continue
                base = float(one.values[i, 0])
                class_ = "" if one.classes is None else str(one.classes[i, j])
                day = people.dates.get((subject, visit))
                rows.append(
                    (subject, str(people.arms[i]), visit, "" if day is None else day.isoformat(), days[i, j], one.code,
                     one.unit, value, int(one.censor[i, j]), base, value - base if j else np.nan, class_)
                )  # fmt: skip
    names = ["subject", "arm", "visit", "date", "ADY", "parameter", "unit", "value", "censor", "baseline", "change",
             "class"]  # fmt: skip
    table: pd.DataFrame = pd.DataFrame(rows, columns=names).astype({"ADY": "Int64"})
    return table


def _event_subjects(study: Study, people: People) -> pd.DataFrame:
    """Every adverse event, by subject and day."""
    arms = dict(zip(people.subjects, people.arms.tolist(), strict=True))
    rows = [
        (one.subject, arms[one.subject], one.event_class, one.start.isoformat(),
         None if one.end is None else one.end.isoformat(), one.grade, "Y" if one.serious else "N",
         None if one.related is None else "Y" if one.related else "N")
        for one in sorted(study.clinic.events, key=lambda one: (people.subjects.index(one.subject), one.start))
    ]  # fmt: skip
    names = ["subject", "arm", "class", "start_date", "end_date", "grade", "serious", "related"]
    table: pd.DataFrame = pd.DataFrame(rows, columns=names).astype({"grade": "Int64"})
    return table
