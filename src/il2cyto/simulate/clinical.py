"""Clinical sheets of a simulated trial: vital signs, laboratory, medication, scores, adverse events."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from il2cyto.derive.scores import essdai, sledai
from il2cyto.simulate.activity import draw_activity
from il2cyto.simulate.adverse import draw_events
from il2cyto.simulate.biology import VisitTruth
from il2cyto.simulate.design import VISITS
from il2cyto.simulate.laboratory import TESTS, draw_laboratory
from il2cyto.simulate.plan import TrialPlan
from il2cyto.simulate.scores import draw_essdai, draw_jadas, draw_sledai
from il2cyto.simulate.streams import stream
from il2cyto.simulate.therapy import Medication, draw_therapy


@dataclass(frozen=True)
class Clinical:
    """The clinical sheets, and the truth behind them.

    Attributes
    ----------
    sheets
        By file name: ``vitals.csv``, ``labs.csv``, ``conmeds.csv``, ``scores.csv``, ``ae.csv``.
    disease
        One row per subject and visit: activity and the true totals of the scores.
    discordances
        Descriptors that were marked against the laboratory value on purpose.
    flares
        One row per flare: subject and study day.
    """

    sheets: dict[str, pd.DataFrame]
    disease: pd.DataFrame
    discordances: pd.DataFrame
    flares: pd.DataFrame


VITALS = ("subject", "visit", "date", "height_cm", "weight_kg")
LABS = ("subject", "visit", "date", "test", "value", "unit", "lower", "upper")
CONMEDS = ("subject", "drug", "group", "dose", "unit", "per", "route", "start_date", "end_date", "reason")
SCORES = ("subject", "visit", "date", "score", "item", "value")
EVENTS = ("subject", "class", "term", "start_date", "end_date", "grade", "serious", "related")


def clinical_sheets(plan: TrialPlan) -> Clinical:
    """Draw everything clinical of a trial; a visit that did not take place has no row anywhere."""
    visits: dict[str, list[VisitTruth]] = {}
    for blood in plan.blood:
        visits.setdefault(blood.subject, []).append(blood)
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in ("vitals", "labs", "conmeds", "scores", "ae")}
    disease, slips, flares = [], [], []
    for subject in plan.subjects:
        number, seen = plan.number(subject.id), visits[subject.id]
        activity = draw_activity(plan.seed, number, subject)
        last_day = seen[-1].day
        flares += [(subject.id, day) for day in activity.flares if day <= last_day]
        for blood in seen:
            day, visit = subject.date_of(blood.day).isoformat(), VISITS[blood.visit].number
            where = (subject.id, blood.visit, day)
            z = stream(plan.seed, "growth", number, visit).normal(size=2)
            height = subject.height_at(blood.day) + 0.3 * float(z[0])
            weight = subject.weight_at(blood.day) * (1 + 0.008 * float(z[1]))
            rows["vitals"].append((*where, f"{height:.1f}", f"{weight:.1f}"))
            laboratory = draw_laboratory(plan.seed, number, visit, blood, activity)
            rows["labs"] += [
                (*where, name, f"{laboratory[name]:.{test.digits}f}", test.unit, _limit(test.lower), _limit(test.upper))
                for name, test in TESTS.items()
            ]
            level = activity.at(blood.day)
            totals: dict[str, float] = {}
            if subject.diagnosis == "SLE":
                items, wrong = draw_sledai(plan.seed, number, visit, level, laboratory, subject.nephritis)
                totals["sledai"] = sledai(items)
                rows["scores"] += [(*where, "SELENA-SLEDAI", name, str(value)) for name, value in items.items()]
                slips += [(subject.id, blood.visit, name, items[name]) for name in wrong]
            elif subject.diagnosis == "pSS":
                levels = draw_essdai(plan.seed, number, visit, level, laboratory)
                totals["essdai"] = essdai(levels)
                rows["scores"] += [(*where, "ESSDAI", name, str(value)) for name, value in levels.items()]
            else:
                parts = draw_jadas(plan.seed, number, visit, level, laboratory)
                totals["jadas10"] = round(sum(parts.values()), 1)
                rows["scores"] += [(*where, "JADAS-10", name, f"{value:g}") for name, value in parts.items()]
            disease.append(
                (
                    subject.id,
                    blood.visit,
                    blood.day,
                    level,
                    *(totals.get(name) for name in ("sledai", "essdai", "jadas10")),
                )
            )
        rows["conmeds"] += [
            _medication(
                subject.id, one, subject.date_of(_real_day(one.start)).isoformat(), _stop(plan, subject.id, one)
            )
            for one in draw_therapy(plan.seed, number, activity, last_day)
        ]
        rows["ae"] += [
            (
                subject.id,
                one.event_class,
                one.term,
                subject.date_of(one.start).isoformat(),
                "" if one.stop is None else subject.date_of(one.stop).isoformat(),
                str(one.grade),
                "Y" if one.serious else "N",
                "Y" if one.related else "N",
            )
            for one in draw_events(plan.seed, number, subject, last_day)
        ]
    columns = {"vitals": VITALS, "labs": LABS, "conmeds": CONMEDS, "scores": SCORES, "ae": EVENTS}
    return Clinical(
        sheets={f"{name}.csv": pd.DataFrame(rows[name], columns=list(columns[name])) for name in columns},
        disease=pd.DataFrame(disease, columns=["subject", "visit", "day", "activity", "sledai", "essdai", "jadas10"]),
        discordances=pd.DataFrame(slips, columns=["subject", "visit", "item", "marked"]),
        flares=pd.DataFrame(flares, columns=["subject", "day"]),
    )


def _limit(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _real_day(day: int) -> int:
    """Days before day 1 count down from -1: there is no day 0."""
    return day if day > 0 else day - 1


def _stop(plan: TrialPlan, subject: str, one: Medication) -> str:
    if one.stop is None:
        return ""
    return plan.subjects[plan.number(subject)].date_of(_real_day(one.stop)).isoformat()


def _medication(subject: str, one: Medication, start: str, stop: str) -> tuple[object, ...]:
    return (subject, one.drug, one.group, f"{one.dose:g}", one.unit, one.per, one.route, start, stop, one.reason)
