"""One row per subject and visit: who, when, on which study day, how long after a dose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from il2cyto.derive.days import ady
from il2cyto.derive.dosing import dose_days, reference_dates, since_last, within_course

if TYPE_CHECKING:
    import pandas as pd


class VisitLike(Protocol):
    """A planned visit."""

    @property
    def number(self) -> int: ...
    @property
    def window(self) -> tuple[int, int] | None: ...


class SubjectLike(Protocol):
    """A subject."""

    @property
    def arm(self) -> str: ...
    @property
    def diagnosis(self) -> str: ...
    @property
    def sex(self) -> str | None: ...


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
    def collection_date(self) -> date | None: ...


class StudyLike(Protocol):
    """What a study must offer; `il2cyto.study.Study` does."""

    @property
    def visits(self) -> Mapping[str, VisitLike]: ...
    @property
    def subjects(self) -> Mapping[str, SubjectLike]: ...
    @property
    def records(self) -> Sequence[RecordLike]: ...
    @property
    def baseline(self) -> str | None: ...
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
        AVISIT, AVISITN           id and number of the visit
        collection_date           ISO 8601 text: the earliest known collection of the visit's tubes, or ``None``
        ADY                       Int64, study day of `collection_date`; NA without either date
        DSLD                      Int64, days since the last dose before `collection_date`; NA without one
        CYCDAY                    Int64, day since the begin of the latest course; NA without one
        out_of_window             boolean, whether ADY lies outside the visit's window; NA when either is unknown
        notice                    text, not empty when the tubes of the visit were collected on several days, or the
                                  date is known of some of them only
        ========================  ===========================================================================

    Notes
    -----
    Doses of `study.treatments` count, or all when it is empty, whatever the arm: a control who later receives the study
    treatment has doses like any other subject. A missing visit has no row; `Study.missing_visits` lists those that were
    expected.
    """
    import pandas as pd

    doses = _counted(study)
    given = dose_days(doses)
    samples = pd.DataFrame(
        [(record.subject, record.visit, record.collection_date) for record in study.records],
        columns=["subject", "visit", "collection_date"],
        dtype=object,
    )
    reference = reference_dates(samples, doses, study.baseline)
    tubes: dict[tuple[str, str], list[RecordLike]] = {}
    for record in sorted(study.records, key=lambda record: (record.collection_date or date.max, record.tube_id)):
        tubes.setdefault((record.subject, record.visit), []).append(record)
    order = {visit: place for place, visit in enumerate(study.visits)}
    rows = []
    for (subject, visit), records in sorted(tubes.items(), key=lambda item: (item[0][0], order[item[0][1]])):
        day = records[0].collection_date
        study_day = ady(day, reference[subject])
        window = study.visits[visit].window
        rows.append(
            {
                "USUBJID": subject,
                "ARM": study.subjects[subject].arm,
                "DIAGNOSIS": study.subjects[subject].diagnosis,
                "SEX": study.subjects[subject].sex,
                "AGE": next((record.age for record in records if not math.isnan(record.age)), math.nan),
                "AVISIT": visit,
                "AVISITN": study.visits[visit].number,
                "collection_date": None if day is None else day.isoformat(),
                "ADY": study_day,
                "DSLD": None if day is None else since_last(given.get(subject, ()), day),
                "CYCDAY": None if day is None else within_course(given.get(subject, ()), day),
                "out_of_window": _outside(study_day, window),
                "notice": _notice([record.collection_date for record in records]),
            }
        )
    types = dict.fromkeys(COLUMNS, "object") | TYPES
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=types[name]) for name in COLUMNS})


COLUMNS = (
    "USUBJID", "ARM", "DIAGNOSIS", "SEX", "AGE", "AVISIT", "AVISITN", "collection_date", "ADY", "DSLD", "CYCDAY",
    "out_of_window", "notice",
)  # fmt: skip
TYPES: dict[str, Any] = {
    "AGE": "float64", "AVISITN": "int64", "ADY": "Int64", "DSLD": "Int64", "CYCDAY": "Int64",
    "out_of_window": "boolean",
}  # fmt: skip


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
