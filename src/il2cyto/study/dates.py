"""Dates of a sheet: ISO 8601, or one form that ``study.yaml`` states; nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

#: What a person writes where nobody knows the date or the age, in words or as CDISC forms have it.
UNKNOWN = "unknown"
UNKNOWN_WORDS = (UNKNOWN, "UN", "UNK")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_DIRECTIVES = {
    "%Y": ("year", r"(?P<year>[0-9]{4})"),
    "%y": ("year", r"(?P<year>[0-9]{2})"),
    "%m": ("month", r"(?P<month>[0-9]{1,2}|UNK?)"),
    "%b": ("month", r"(?P<month>[A-Za-z]{3}|UNK?)"),
    "%d": ("day", r"(?P<day>[0-9]{1,2}|UNK?)"),
    "%H": ("hour", r"(?P<hour>[0-9]{1,2})"),
    "%M": ("minute", r"(?P<minute>[0-9]{2})"),
    "%S": ("second", r"(?P<second>[0-9]{2})"),
}
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?)?"
_ISO = re.compile(
    rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})"
    rf"(?:[T ]{_TIME}(?P<zone>Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?"
)
#: ISO 8601 with parts left out, as SDTM has them, and with UN or UNK in their place, as forms have them.
_PARTIAL = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-UNK?)?|-UNK?(?:-(?:UNK?|(?P<day>[0-9]{2})))?|---(?P<day_>[0-9]{2}))?"
)


@dataclass(frozen=True)
class Moment:
    """A date as a cell gives it; `day` is ``None`` where it is unknown in part or whole.

    `time` and `zone` are the time of day and the time zone as written; a day is never moved to another zone. `partial`
    is not empty where a part of the date is given: what is known of it, with UN for the rest.
    """

    day: date | None
    time: time | None = None
    zone: str = ""
    partial: str = ""


@dataclass(frozen=True)
class DateFormat:
    """A form of dates, such as ``%d.%m.%Y``.

    Of the directives of `time.strptime` it takes ``%Y``, ``%y`` (2000 to 2099), ``%m``, ``%b`` (English, whatever the
    case), ``%d``, ``%H``, ``%M`` and ``%S``; everything else stands for itself.
    """

    text: str
    pattern: str

    @classmethod
    def parse(cls, text: str) -> DateFormat:
        """Return the form.

        Raises
        ------
        ValueError
            If year, month and day are not each there once, if parts cannot be told apart, or if ISO dates could be
            read in it otherwise.

        Examples
        --------
        >>> DateFormat.parse("%d.%m.%Y").read("4.3.2021").day
        datetime.date(2021, 3, 4)
        >>> DateFormat.parse("%d.%m")
        Traceback (most recent call last):
        ...
        ValueError: write year, month and day once each, for example %d.%m.%Y or %Y/%m/%d
        """
        parts = re.findall(r"%.|[^%]+|%", text, re.DOTALL)
        names = [_DIRECTIVES[part][0] for part in parts if part in _DIRECTIVES]
        unknown = next((part for part in parts if part.startswith("%") and part not in _DIRECTIVES), None)
        if unknown is not None:
            raise ValueError(f"{unknown} is not read; choose from {', '.join(_DIRECTIVES)}")
        if sorted(names) != sorted(set(names)) or not {"year", "month", "day"} <= set(names):
            raise ValueError("write year, month and day once each, for example %d.%m.%Y or %Y/%m/%d")
        if ("minute" in names and "hour" not in names) or ("second" in names and "minute" not in names):
            raise ValueError("a time needs its hour before its minute, and its minute before its second")
        pattern = ""
        for place, part in enumerate(parts):
            around = (parts[place - 1] if place else " ", parts[place + 1] if place + 1 < len(parts) else " ")
            if part not in _DIRECTIVES:
                pattern += re.escape(part)
            elif any(part in _DIRECTIVES for part in around) or around[0][-1].isdigit() or around[1][0].isdigit():
                # 4321 could be three dates, so that parts that touch have all their digits
                pattern += _DIRECTIVES[part][1].replace("{1,2}", "{2}")
            else:
                pattern += _DIRECTIVES[part][1]
        found = cls(text, pattern)
        if any(re.fullmatch(pattern, iso) and found.read(iso) != read_iso(iso) for iso in ("2021-03-04", "2021-12-11")):
            raise ValueError("ISO dates such as 2021-03-04 could be read in this form, and mean another day")
        return found

    def read(self, text: str) -> Moment | None:
        """Return the date, or ``None`` for a text of another form.

        Raises
        ------
        ValueError
            If the calendar or the clock has no such moment.
        """
        match = re.fullmatch(self.pattern, text)
        if match is None:
            return None
        parts = match.groupdict()
        year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
        month = parts["month"].upper()
        if month.isalpha() and not month.startswith("UN"):
            if month not in MONTHS:
                return None
            month = str(MONTHS.index(month) + 1)
        if "UN" in (month[:2], parts["day"][:2].upper()):
            return _partial(year, None if month.startswith("UN") else int(month))
        return Moment(date(year, int(month), int(parts["day"])), _time(parts))


def read_iso(text: str) -> Moment | None:
    """Return a date of ISO 8601, with or without a time of day, or ``None`` for a text of another form.

    Raises
    ------
    ValueError
        If the calendar or the clock has no such moment.

    Examples
    --------
    >>> read_iso("2021-03-04T08:30+08:00")
    Moment(day=datetime.date(2021, 3, 4), time=datetime.time(8, 30), zone='+08:00', partial='')
    >>> read_iso("2021-03").partial, read_iso("04.03.2021")
    ('2021-03-UN', None)
    """
    if match := _ISO.fullmatch(text):
        parts = match.groupdict()
        return Moment(date(*(int(parts[name]) for name in ("year", "month", "day"))), _time(parts), parts["zone"] or "")
    if match := _PARTIAL.fullmatch(text):
        return _partial(int(match["year"]), int(match["month"]) if match["month"] else None)
    return None


def _partial(year: int, month: int | None) -> Moment:
    date(year, month or 1, 1)
    return Moment(None, partial=f"{year:04d}-{'UN' if month is None else f'{month:02d}'}-UN")


def _time(parts: dict[str, str]) -> time | None:
    if parts.get("hour") is None:
        return None
    return time(int(parts["hour"]), int(parts.get("minute") or 0), int(parts.get("second") or 0))
