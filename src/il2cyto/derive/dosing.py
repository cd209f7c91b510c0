"""What a dosing table says about a day: study day 1, days since the last dose, day of the course."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
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


def since_last(days: Sequence[date], day: date) -> int | None:
    """Return the days from the last of the ascending `days` that lies strictly before `day`.

    Examples
    --------
    >>> since_last([date(2021, 3, 1), date(2021, 3, 5)], date(2021, 3, 5))
    4
    """
    place = bisect_left(days, day)
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


def _require(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise TableError(f"the {name} table lacks the column {', '.join(missing)}; it has {', '.join(table.columns)}")
