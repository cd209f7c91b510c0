"""Study days and ages from calendar dates."""

from __future__ import annotations

from datetime import date, datetime

#: Mean length of a year of the Julian calendar, by convention of clinical data.
DAYS_PER_YEAR = 365.25


def as_day(value: date | None) -> date | None:
    """Return the calendar day of a date or timestamp; ``None`` and ``NaT`` give ``None``.

    Examples
    --------
    >>> as_day(datetime(2021, 3, 4, 9, 30))
    datetime.date(2021, 3, 4)
    """
    # NaT is a datetime that differs from itself
    if value is None or value != value:
        return None
    return value.date() if isinstance(value, datetime) else value


def ady(day: date | None, reference: date | None) -> int | None:
    """Return the study day: 1 on the reference date, −1 on the day before; there is no day 0.

    CDISC's ``ADY = ADT − TRTSDT + 1``, without the 1 before the reference date. ``None`` where a date is unknown.

    Examples
    --------
    >>> ady(date(2021, 3, 1), date(2021, 3, 1)), ady(date(2021, 2, 28), date(2021, 3, 1))
    (1, -1)
    """
    day, reference = as_day(day), as_day(reference)
    if day is None or reference is None:
        return None
    difference = (day - reference).days
    return difference + 1 if difference >= 0 else difference


def age_at(birth_date: date | None, day: date | None) -> float | None:
    """Return the age in years on a day: days / 365.25, not rounded. ``None`` where a date is unknown.

    Examples
    --------
    >>> age_at(date(2009, 3, 1), date(2021, 3, 1))
    12.0
    """
    birth_date, day = as_day(birth_date), as_day(day)
    if birth_date is None or day is None:
        return None
    return (day - birth_date).days / DAYS_PER_YEAR
