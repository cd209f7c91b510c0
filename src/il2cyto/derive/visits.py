"""One row per subject and visit: who, when, on which study day, how long after a dose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from il2cyto.derive.days import ady
from il2cyto.derive.dosing import courses_begun, crossover, day_one, dose_days, since_last, within_course
from il2cyto.derive.placement import Calendar, PlannedVisit, from_target, window_of

if TYPE_CHECKING:
    import pandas as pd


class VisitLike(PlannedVisit, Protocol):
    """A visit, planned or not."""

    @property
    def scheduled(self) -> bool: ...


class ArmLike(Protocol):
    """An arm."""

    @property
    def reference(self) -> bool: ...


class SubjectLike(Protocol):
    """A subject."""

    @property
    def arm(self) -> str: ...
    @property
    def diagnosis(self) -> str: ...
    @property
    def sex(self) -> str | None: ...
    @property
    def reference_date(self) -> date | None: ...


class RecordLike(Protocol):
    """A tube."""

    @property
    def tube_id(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def visit(self) -> str: ...
    @property
    def age(self) -> float: ...
    @property
    def nominal_visit(self) -> str | None: ...
    @property
    def apart(self) -> str: ...
    @property
    def collection_date(self) -> date | None: ...
    @property
    def after_dose(self) -> bool: ...


class StudyLike(Protocol):
    """What a study must offer; `il2cyto.study.Study` does."""

    @property
    def arms(self) -> Mapping[str, ArmLike]: ...
    @property
    def visits(self) -> Mapping[str, VisitLike]: ...
    @property
    def subjects(self) -> Mapping[str, SubjectLike]: ...
    @property
    def records(self) -> Sequence[RecordLike]: ...
    @property
    def baseline(self) -> str | None: ...
    @property
    def visit_assignment(self) -> str: ...
    @property
    def course_gap(self) -> int: ...
    @property
    def treatments(self) -> tuple[str, ...]: ...
    @property
    def dosing(self) -> pd.DataFrame: ...


def visit_table(study: StudyLike) -> pd.DataFrame:
    """Return one row per subject × visit that has at least one tube.

    Parameters
    ----------
    study
        A `il2cyto.study.Study`.

    Returns
    -------
    DataFrame
        Sorted by subject and by the order of the visits in the study, with the columns

        ========================  ===========================================================================
        USUBJID, ARM, DIAGNOSIS   ids and diagnosis as in the sheet
        SEX                       CDISC code, or ``None``
        AGE                       float, years at the earliest collection of the visit; NaN where unknown
        AVISIT, AVISITN           id and number of the visit; unscheduled ones are numbered 1.01, 1.02 …
        VISIT                     the visit as the sheet names it, or ``None``
        collection_date           ISO 8601 text: the earliest known collection of the visit's tubes, or ``None``
        ADY                       Int64, study day of `collection_date`; NA without either date
        DSLD                      Int64, days since the last dose before `collection_date`; NA without one
        CYCDAY                    Int64, day since the begin of the latest course; NA without one
        NCOURSE                   Int64, courses with a dose before the sample; NA for subjects without doses
        DSLDMIN, DSLDMAX          Int64, range of DSLD over the subjects with ``ANL01FL = Y`` at the visit
        AWTARGET, AWTDIFF         Int64, target day of the visit, and days between it and ADY
        AWLO, AWHI                Int64, window of the visit. By windows, a sample that stands apart has those of
                                  the window that holds it
        ANL01FL                   ``Y`` in the per-visit analysis, ``None`` for what stands apart
        ABLFL                     ``Y`` for the baseline of the analysis
        APERIOD, APERDY           Int64, 2 after a control has changed to the study treatment, else 1; day of it
        out_of_window             boolean, whether ADY lies outside the visit's window; NA when either is unknown
        notice                    text, not empty when the sample stands apart, when the tubes of the visit were
                                  collected on several days, or the date is known of some of them only
        ========================  ===========================================================================

    Notes
    -----
    Doses of `study.treatments` count, or all when it is empty, whatever the arm: a control who later receives the study
    treatment has doses like any other subject. A missing visit has no row; `Study.missing_visits` lists those that were
    expected.
    """
    import pandas as pd

    tubes: dict[tuple[str, str], list[RecordLike]] = {}
    for record in sorted(study.records, key=_by_time):
        tubes.setdefault((record.subject, record.visit), []).append(record)
    order = {visit: place for place, visit in enumerate(study.visits)}
    given = dose_days(_counted(study))
    first_days = _first_days(study, given)
    rows = [
        _row(study, subject, visit, records, given.get(subject, ()), first_days.get(subject))
        for (subject, visit), records in sorted(tubes.items(), key=lambda item: (item[0][0], order[item[0][1]]))
    ]
    ranges: dict[str, list[int]] = {}
    for row in rows:
        if row["ANL01FL"] and row["DSLD"] is not None:
            ranges.setdefault(row["AVISIT"], []).append(row["DSLD"])
    for row in rows:
        found = ranges.get(row["AVISIT"], []) if row["ANL01FL"] else []
        row["DSLDMIN"], row["DSLDMAX"] = min(found, default=None), max(found, default=None)
    types = dict.fromkeys(COLUMNS, "object") | TYPES
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=types[name]) for name in COLUMNS})


def _by_time(record: RecordLike) -> tuple[date, bool, str]:
    return record.collection_date or date.max, record.after_dose, record.tube_id


COLUMNS = (
    "USUBJID", "ARM", "DIAGNOSIS", "SEX", "AGE", "AVISIT", "AVISITN", "VISIT", "collection_date", "ADY", "DSLD",
    "CYCDAY", "NCOURSE", "DSLDMIN", "DSLDMAX", "AWTARGET", "AWTDIFF", "AWLO", "AWHI", "ANL01FL", "ABLFL", "APERIOD",
    "APERDY", "out_of_window", "notice",
)  # fmt: skip
TYPES: dict[str, Any] = {
    "AGE": "float64", "AVISITN": "float64", "out_of_window": "boolean",
    **dict.fromkeys(
        ("ADY", "DSLD", "CYCDAY", "NCOURSE", "DSLDMIN", "DSLDMAX", "AWTARGET", "AWTDIFF", "AWLO", "AWHI", "APERIOD",
         "APERDY"), "Int64"
    ),
}  # fmt: skip


def calendars(study: StudyLike) -> dict[str, Calendar]:
    """Return study day 1, the days of doses and a change to the study treatment of every subject."""
    given = dose_days(_counted(study))
    return {
        key: Calendar(
            first,
            given.get(key, ()),
            crossover(
                study.subjects[key].reference_date, study.arms[study.subjects[key].arm].reference, given.get(key, ())
            ),
        )
        for key, first in _first_days(study, given).items()
    }


def _first_days(study: StudyLike, given: Mapping[str, tuple[date, ...]]) -> dict[str, date | None]:
    """Return the date of study day 1 of each subject."""
    collected: dict[str, list[date]] = {subject: [] for subject in study.subjects}
    for record in study.records:
        if record.nominal_visit == study.baseline is not None and record.collection_date is not None:
            collected[record.subject].append(record.collection_date)
    return {
        key: day_one(subject.reference_date, study.arms[subject.arm].reference, given.get(key, ()), collected[key])
        for key, subject in study.subjects.items()
    }


def _row(
    study: StudyLike,
    subject: str,
    visit_id: str,
    records: Sequence[RecordLike],
    doses: Sequence[date],
    first_day: date | None,
) -> dict[str, Any]:
    about, visit = study.subjects[subject], study.visits[visit_id]
    day, after_dose = records[0].collection_date, records[0].after_dose
    study_day = ady(day, first_day)
    planned: VisitLike | None = visit if visit.scheduled else None
    if planned is None and study.visit_assignment == "windows":
        planned = window_of(study_day, study.visits.values())
    target = planned.target_day if planned is not None else None
    window = planned.window if planned is not None else None
    changed = crossover(about.reference_date, study.arms[about.arm].reference, doses)
    second = changed is not None and day is not None and (day > changed or (day == changed and after_dose))
    apart = next((record.apart for record in records if record.apart), "")
    return {
        "USUBJID": subject,
        "ARM": about.arm,
        "DIAGNOSIS": about.diagnosis,
        "SEX": about.sex,
        "AGE": next((record.age for record in records if not math.isnan(record.age)), math.nan),
        "AVISIT": visit_id,
        "AVISITN": visit.number,
        "VISIT": records[0].nominal_visit,
        "collection_date": None if day is None else day.isoformat(),
        "ADY": study_day,
        "DSLD": None if day is None else since_last(doses, day, after_dose=after_dose),
        "CYCDAY": None if day is None else within_course(doses, day, study.course_gap),
        "NCOURSE": None if day is None else courses_begun(doses, day, study.course_gap, after_dose=after_dose),
        "AWTARGET": target,
        "AWTDIFF": None if target is None or study_day is None else from_target(study_day, target),
        "AWLO": None if window is None else window[0],
        "AWHI": None if window is None else window[1],
        "ANL01FL": None if apart else "Y",
        "ABLFL": "Y" if visit.baseline and not apart else None,
        "APERIOD": None if day is None else 1 + second,
        "APERDY": ady(day, changed) if second else study_day,
        "out_of_window": _outside(study_day, visit.window),
        "notice": "; ".join(part for part in (apart, _notice([record.collection_date for record in records])) if part),
    }


def _counted(study: StudyLike) -> pd.DataFrame:
    """Return the doses that are study treatment."""
    dosing = study.dosing
    return dosing[dosing["treatment"].isin(study.treatments)] if study.treatments else dosing


def _outside(study_day: int | None, window: tuple[int, int] | None) -> bool | None:
    return None if study_day is None or window is None else not window[0] <= study_day <= window[1]


def _notice(collected: Sequence[date | None]) -> str:
    days = sorted({day for day in collected if day is not None})
    unknown = sum(day is None for day in collected)
    parts = []
    if len(days) > 1:
        listed = ", ".join(day.isoformat() for day in days)
        parts.append(f"collected on {len(days)} days ({listed}); the earliest counts")
    if days and unknown:
        parts.append(f"the collection date of {unknown} of {len(collected)} tubes is unknown")
    return "; ".join(parts)
