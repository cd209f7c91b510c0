"""Whom outcomes are told of: subjects with what is known before treatment, and the days of their visits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from il2cyto.derive.days import ady
from il2cyto.derive.placement import Calendar, Draw, from_target, place_draws
from il2cyto.derive.visits import calendars
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class Dated(Protocol):
    """A row of a sheet of the clinic."""

    @property
    def subject(self) -> str: ...
    @property
    def visit(self) -> str | None: ...
    @property
    def date(self) -> date | None: ...


R = TypeVar("R", bound=Dated)


@dataclass(frozen=True, eq=False)
class People:
    """Subjects and visits of a study.

    Attributes
    ----------
    subjects, arms, diagnoses, sexes
        In the order of the study, ``(n,)``.
    ages
        Years at baseline, or else at the first visit with an age; NaN where unknown.
    visits
        Planned visits in the order of time, the baseline first.
    reference
        Arm that the others are compared with.
    calendars
        Study day 1 and the doses of each subject.
    dates
        Day of a subject at a visit: the draw of the cells, or else a row of the clinic.
    last
        Latest day on which something is known of a subject.
    """

    subjects: tuple[str, ...]
    arms: NDArray[np.str_]
    diagnoses: NDArray[np.str_]
    sexes: NDArray[np.str_]
    ages: Floats
    visits: tuple[str, ...]
    reference: str | None
    calendars: Mapping[str, Calendar]
    dates: Mapping[tuple[str, str], date]
    last: Mapping[str, date]

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Arms that have subjects, the reference last."""
        return tuple(sorted(set(self.arms.tolist()), key=lambda arm: (arm == self.reference, arm)))

    def day(self, subject: str, visit: str) -> float:
        """Study day of a visit, NaN where its date or study day 1 is unknown."""
        found = ady(self.dates.get((subject, visit)), self.calendars[subject].day_one)
        return float("nan") if found is None else float(found)

    @property
    def days(self) -> Floats:
        """Study days, ``(n subjects, n visits)``."""
        return np.array([[self.day(one, visit) for visit in self.visits] for one in self.subjects]).reshape(
            len(self.subjects), len(self.visits)
        )


def people_of(study: Study, days: pd.DataFrame) -> People:
    """Gather the subjects of a study.

    Parameters
    ----------
    study
        The study; without a baseline visit its first planned visit stands first.
    days
        From `il2cyto.derive.visit_table`.
    """
    planned = [visit.id for visit in study.visits.values() if visit.scheduled]
    visits = [visit for visit in planned if visit != study.baseline]
    visits = [study.baseline, *visits] if study.baseline in planned else visits
    ages: dict[str, float] = {}
    for row in days.sort_values("AVISITN", kind="stable").to_dict("records"):
        if row["AGE"] == row["AGE"] and (row["USUBJID"] not in ages or row["AVISIT"] == study.baseline):
            ages[row["USUBJID"]] = float(row["AGE"])
    subjects = tuple(study.subjects)
    known = calendars(study)
    found = People(
        subjects,
        np.array([study.subjects[one].arm for one in subjects], dtype=np.str_),
        np.array([study.subjects[one].diagnosis for one in subjects], dtype=np.str_),
        np.array([study.subjects[one].sex or "" for one in subjects], dtype=np.str_),
        np.array([ages.get(one, float("nan")) for one in subjects], dtype=np.float64),
        tuple(visits),
        study.reference_arm,
        known,
        {},
        {},
    )
    return replace(found, dates=_dates(study, found, days), last=_last_days(study, days))


def _dates(study: Study, people: People, days: pd.DataFrame) -> dict[tuple[str, str], date]:
    """Day of each subject at each planned visit."""
    dates: dict[tuple[str, str], date] = {}
    taken = days[(days["ANL01FL"] == "Y") & days["collection_date"].notna()]
    for subject, visit, day in zip(taken["USUBJID"], taken["AVISIT"], taken["collection_date"], strict=True):
        dates[subject, visit] = date.fromisoformat(day)
    clinic = study.clinic
    for rows in (clinic.vitals, clinic.labs, clinic.scores):
        for (subject, visit, _), one in placed(study, people, rows, lambda row: "").items():
            if one.date is not None:
                dates.setdefault((subject, visit), one.date)
    return dates


def _last_days(study: Study, days: pd.DataFrame) -> dict[str, date]:
    """Latest day on which something is known of each subject: a draw, a dose, a row of the clinic with a date."""
    last: dict[str, date] = {}
    clinic = study.clinic
    seen = [(one.subject, one.date) for rows in (clinic.vitals, clinic.labs, clinic.scores) for one in rows]
    seen += [(one.subject, one.date) for one in study.doses]
    seen += [(one.subject, one.end or one.start) for one in clinic.events]
    seen += [(one.subject, one.collection_date) for one in study.records]
    for subject, day in seen:
        if day is not None and (subject not in last or day > last[subject]):
            last[subject] = day
    return last


def placed(study: Study, people: People, rows: Sequence[R], kind: Callable[[R], str]) -> dict[tuple[str, str, str], R]:
    """Choose the row that stands for each subject, planned visit and kind.

    Where the study assigns visits by windows, the study day decides as for samples; a limit of days since a dose does
    not hold for what is not cells. By name, of several rows of a visit the one closest to its target day stands for
    it, of two as close the later. Rows of unscheduled visits, and of a control after it has changed to the study
    treatment, are not among them.

    Parameters
    ----------
    study, people
        Visits and study days.
    rows
        Of any sheet of the clinic.
    kind
        What a row measures; each is placed by itself.

    Returns
    -------
    dict
        By subject, visit and kind.
    """
    planned = [replace(visit, max_dsld=None) for visit in study.visits.values() if visit.scheduled]
    known = {visit.id: visit for visit in planned}
    by_window = study.visit_assignment == "windows"
    grouped: dict[tuple[str, str], list[R]] = {}
    for row in rows:
        grouped.setdefault((row.subject, kind(row)), []).append(row)
    found: dict[tuple[str, str, str], R] = {}
    for (subject, what), mine in grouped.items():
        calendar = people.calendars[subject]
        draws = {Draw(what, row.visit, row.date): None for row in mine}
        places = place_draws(tuple(draws), planned, calendar, by_window=by_window)
        best: dict[str, tuple[float, date]] = {}
        for row in mine:
            place = places[Draw(what, row.visit, row.date)]
            if place.apart or place.visit not in known:
                continue
            target, day = known[place.visit].target_day, ady(row.date, calendar.day_one)
            # rows without a date come last
            away = float("inf") if day is None else 0.0 if target is None else float(from_target(day, target))
            rank = (-away, row.date or date.min)
            if place.visit not in best or rank > best[place.visit]:
                best[place.visit] = rank
                found[subject, place.visit, what] = row
    return found
