"""What a dosing table says about a day: study day 1, days since the last dose, day of the course."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from il2cyto.derive.days import as_day
from il2cyto.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

#: Doses at most this many days after the one before belong to the same course.
COURSE_GAP = 3


def dose_days(dosing: pd.DataFrame) -> dict[str, tuple[date, ...]]:
    """Return the days with a dose of each subject, each day once, in order.

    Raises
    ------
    TableError
        If the table lacks the column ``subject`` or ``date``.
    """
    _require(dosing, "dosing", ("subject", "date"))
    days: dict[str, set[date]] = {}
    for subject, value in zip(dosing["subject"], dosing["date"], strict=True):
        day = as_day(value)
        if day is not None:
            days.setdefault(subject, set()).add(day)
    return {subject: tuple(sorted(given)) for subject, given in days.items()}


def day_one(stated: date | None, reference_arm: bool, doses: Sequence[date], baseline: Iterable[date]) -> date | None:
    """Return the date of study day 1 of a subject.

    Parameters
    ----------
    stated
        Date of enrolment or of the first standard therapy, if it is known. It counts for subjects of the reference
        arm, also when they change to the study treatment later, and for subjects without doses.
    reference_arm
        Whether the subject's arm is the one that others are compared with.
    doses
        Days with a dose, in order; the first is day 1 where `stated` does not count.
    baseline
        Collections of the baseline visit; the earliest is day 1 where there is nothing else.

    Examples
    --------
    >>> day_one(None, False, [date(2021, 3, 1)], [date(2021, 2, 20)])
    datetime.date(2021, 3, 1)
    """
    if stated is not None and (reference_arm or not doses):
        return stated
    return doses[0] if doses else min(baseline, default=None)


def crossover(stated: date | None, reference_arm: bool, doses: Sequence[date]) -> date | None:
    """Return the day on which a subject of the reference arm changed to the study treatment, or ``None``.

    It is the first of the ascending `doses` where study day 1 is `stated` and lies before it.

    Examples
    --------
    >>> crossover(date(2021, 3, 1), True, [date(2021, 9, 1)])
    datetime.date(2021, 9, 1)
    """
    return doses[0] if stated is not None and reference_arm and doses and doses[0] > stated else None


def reference_dates(samples: pd.DataFrame, dosing: pd.DataFrame, baseline: str | None) -> pd.Series[date]:
    """Return the date of study day 1 of each subject of `samples`.

    It is the date of the first dose, or for a subject without doses the earliest collection of the baseline visit.

    Parameters
    ----------
    samples
        One row per tube: columns ``subject``, ``visit``, ``collection_date``.
    dosing
        One row per dose: columns ``subject``, ``date``.
    baseline
        Name of the baseline visit.

    Returns
    -------
    Series
        `datetime.date` by subject (sorted); ``None`` for a subject with neither a dose nor a baseline sample.

    Raises
    ------
    TableError
        If a table lacks a column.
    """
    import pandas as pd

    _require(samples, "samples", ("subject", "visit", "collection_date"))
    doses = dose_days(dosing)
    first: dict[str, date | None] = {}
    for subject, visit, value in zip(samples["subject"], samples["visit"], samples["collection_date"], strict=True):
        known = first.setdefault(subject, doses[subject][0] if subject in doses else None)
        day = as_day(value)
        if subject not in doses and visit == baseline and day is not None:
            first[subject] = day if known is None else min(known, day)
    subjects = sorted(first)
    index = pd.Index(subjects, name="subject", dtype=object)
    return pd.Series([first[subject] for subject in subjects], index=index, name="reference_date", dtype=object)


def days_since_last_dose(dosing: pd.DataFrame, subject: str, day: date) -> int | None:
    """Return the days from the last dose strictly before `day`; ``None`` before the first dose and without doses.

    Samples are drawn before the dose of their day, so a dose on `day` does not count.

    Raises
    ------
    TableError
        If the table lacks the column ``subject`` or ``date``.
    """
    return since_last(dose_days(dosing).get(subject, ()), day)


def cycle_day(dosing: pd.DataFrame, subject: str, day: date, max_gap: int = COURSE_GAP) -> int | None:
    """Return the day within the treatment cycle: `day` − first day of the latest course + 1.

    The latest course is the last one that had begun on or before `day`; a sample drawn before the first dose of a
    course, on its first day, is on cycle day 1. ``None`` before the first course and for subjects without doses.

    Parameters
    ----------
    dosing
        One row per dose: columns ``subject``, ``date``.
    subject, day
        Whose cycle, and when.
    max_gap
        Two doses belong to one course when the dates of consecutive doses are at most this many days apart.

    Raises
    ------
    TableError
        If the table lacks the column ``subject`` or ``date``.
    """
    return within_course(dose_days(dosing).get(subject, ()), day, max_gap)


def since_last(days: Sequence[date], day: date, *, after_dose: bool = False) -> int | None:
    """Return the days from the last of the ascending `days` that lies strictly before `day`.

    With `after_dose` a dose on `day` itself counts: the sample is known to be drawn after it.

    Examples
    --------
    >>> since_last([date(2021, 3, 1), date(2021, 3, 5)], date(2021, 3, 5))
    4
    >>> since_last([date(2021, 3, 1), date(2021, 3, 5)], date(2021, 3, 5), after_dose=True)
    0
    """
    place = bisect_right(days, day) if after_dose else bisect_left(days, day)
    return (day - days[place - 1]).days if place else None


def within_course(days: Sequence[date], day: date, max_gap: int = COURSE_GAP) -> int | None:
    """Return 1 + the days from the begin of the last run of the ascending `days` that had begun by `day`.

    Examples
    --------
    >>> within_course([date(2021, 3, 1), date(2021, 3, 2), date(2021, 3, 15)], date(2021, 3, 14))
    14
    >>> within_course([date(2021, 3, 1), date(2021, 3, 2), date(2021, 3, 15)], date(2021, 3, 15))
    1
    """
    place = bisect_right(days, day) - 1
    if place < 0:
        return None
    while place > 0 and (days[place] - days[place - 1]).days <= max_gap:
        place -= 1
    return (day - days[place]).days + 1


def courses_begun(
    days: Sequence[date], day: date, max_gap: int = COURSE_GAP, *, after_dose: bool = False
) -> int | None:
    """Return the number of courses of the ascending `days` with a dose before `day`; ``None`` without any doses.

    Examples
    --------
    >>> given = [date(2021, 3, 1), date(2021, 3, 2), date(2021, 3, 15)]
    >>> [courses_begun(given, date(2021, 3, day)) for day in (1, 2, 15, 16)]
    [0, 1, 1, 2]
    """
    if not days:
        return None
    begins = [days[0], *(now for last, now in itertools.pairwise(days) if (now - last).days > max_gap)]
    return (bisect_right if after_dose else bisect_left)(begins, day)


def _require(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise TableError(f"the {name} table lacks the column {', '.join(missing)}; it has {', '.join(table.columns)}")
