"""Daily doses of concomitant drugs: what was prescribed, day by day, over a window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from il2cyto.errors import TableError, did_you_mean

#: mg of each steroid that 5 mg of prednisone come to. A study may state others.
PREDNISONE_5_MG: Final[dict[str, float]] = {
    "prednisone": 5.0,
    "prednisolone": 5.0,
    "methylprednisolone": 4.0,
    "triamcinolone": 4.0,
    "dexamethasone": 0.75,
    "betamethasone": 0.6,
    "deflazacort": 6.0,
    "hydrocortisone": 20.0,
    "cortisone": 25.0,
}
#: Routes that reach the whole body; what is inhaled, applied or injected into a joint is no systemic dose.
SYSTEMIC: Final = ("oral", "intravenous", "intramuscular", "subcutaneous")
#: Routes that sheets may name besides.
LOCAL: Final = (
    "inhaled", "intranasal", "topical", "ophthalmic", "otic", "rectal", "intra-articular", "intralesional",
    "intrathecal", "intravitreal", "other local",
)  # fmt: skip
INTRAVENOUS: Final = "intravenous"
#: mg of one unit, and days between doses.
UNITS: Final = {"mg": 1.0, "g": 1000.0, "ug": 0.001, "µg": 0.001}
PER_DAYS: Final = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "once": 0.0}
#: An intravenous dose of methylprednisolone, or what comes to it, that is a pulse: mg a day, and mg/kg a day.
PULSE_MG, PULSE_MG_PER_KG = 250.0, 10.0


@dataclass(frozen=True)
class Prescription:
    """One line of the sheet of concomitant drugs, in mg.

    Attributes
    ----------
    drug, route
        In lower case.
    mg
        Of one dose, as the sheet has it: a day's, a week's or a month's, or a single one.
    per
        ``day``, ``week``, ``month`` or ``once``.
    start, end
        First and last day; `end` is ``None`` while it goes on.
    """

    drug: str
    mg: float
    per: str
    route: str
    start: date
    end: date | None

    def mg_on(self, day: date) -> float:
        """Return the mg of a day: a week's or month's dose is spread over its days."""
        if self.per == "once":
            return self.mg if day == self.start else 0.0
        if day < self.start or (self.end is not None and day > self.end):
            return 0.0
        return self.mg / PER_DAYS[self.per]


def prescription(row: Mapping[str, str], where: str) -> Prescription:
    """Read a row of the sheet.

    Parameters
    ----------
    row
        Keys ``drug, dose, unit, per, route`` and ``start_date, end_date`` (ISO 8601; an empty end is open).
    where
        Names the row in errors.

    Raises
    ------
    TableError
        If a cell cannot be read, an end lies before its start, or the unit or interval is unknown.

    Examples
    --------
    >>> row = {"drug": "Prednisone", "dose": "15", "unit": "mg", "per": "day", "route": "oral",
    ...        "start_date": "2021-03-01", "end_date": ""}
    >>> prescription(row, "line 2").mg_on(date(2022, 1, 1))
    15.0
    """
    try:
        dose = float(row["dose"])
    except ValueError:
        dose = math.nan
    if not 0 <= dose < math.inf:
        raise TableError(f"{where}: dose {row['dose']!r} is no amount of a drug")
    for name, known in (("unit", list(UNITS)), ("per", list(PER_DAYS))):
        if row[name] not in known:
            raise TableError(f"{where}: {name} {row[name]!r}{did_you_mean(row[name], known)}; use {', '.join(known)}")
    days: list[date | None] = []
    for name in ("start_date", "end_date"):
        try:
            days.append(date.fromisoformat(row[name]) if row[name] else None)
        except ValueError:
            raise TableError(f"{where}: {name} {row[name]!r} is no date; write yyyy-mm-dd") from None
    start, end = days
    if start is None:
        raise TableError(f"{where}: start_date is empty; write the first day, estimated if need be")
    if end is not None and end < start:
        raise TableError(f"{where}: end_date {end} lies before start_date {start}")
    return Prescription(
        row["drug"].strip().casefold(),
        dose * UNITS[row["unit"]],
        row["per"],
        row["route"].strip().casefold(),
        start,
        end,
    )


@dataclass(frozen=True)
class SteroidDose:
    """Systemic steroids over a window, in mg of prednisone.

    Attributes
    ----------
    n_days
        Days of the window.
    mg_per_day
        Mean over the days of the window, pulses apart.
    pulse_mg
        Sum of the pulses; ``n_pulse_days`` days had one.
    with_pulses_mg_per_day
        Mean with the pulses in it.
    """

    n_days: int
    mg_per_day: float
    pulse_mg: float
    n_pulse_days: int
    with_pulses_mg_per_day: float


def steroid_dose(
    prescriptions: Iterable[Prescription],
    first: date,
    last: date,
    *,
    weight_kg: float = math.nan,
    prednisone_5_mg: Mapping[str, float] = PREDNISONE_5_MG,
) -> SteroidDose:
    """Average the systemic steroids of a subject over the days of a window, both ends included.

    Parameters
    ----------
    prescriptions
        Of the steroids of one subject; several at once are added.
    first, last
        Days of the window.
    weight_kg
        For pulses by weight; unknown (NaN) leaves them to their mg.
    prednisone_5_mg
        mg of each drug that 5 mg of prednisone come to.

    Returns
    -------
    SteroidDose
        0 on days without a steroid. An intravenous day of 250 mg of methylprednisolone or more, or 10 mg/kg, or what
        comes to it, is a pulse and stands apart.

    Raises
    ------
    TableError
        If a systemic steroid has no known equivalent, or the window ends before it begins.

    Examples
    --------
    >>> course = Prescription("methylprednisolone", 8.0, "day", "oral", date(2021, 3, 1), date(2021, 3, 7))
    >>> steroid_dose([course], date(2021, 3, 1), date(2021, 3, 14)).mg_per_day
    5.0
    """
    if last < first:
        raise TableError(f"the window from {first} to {last} ends before it begins")
    factors = []
    for one in prescriptions:
        if one.route not in SYSTEMIC:
            continue
        if one.drug not in prednisone_5_mg:
            hint = did_you_mean(one.drug, list(prednisone_5_mg))
            raise TableError(f"steroid {one.drug!r}: its equivalent of prednisone is not known{hint}; state it")
        factors.append((one, 5.0 / prednisone_5_mg[one.drug]))
    n_days = (last - first).days + 1
    # a pulse is stated in methylprednisolone
    least = min(PULSE_MG, PULSE_MG_PER_KG * weight_kg if weight_kg == weight_kg else math.inf) * 1.25
    steady = pulses = 0.0
    n_pulse_days = 0
    for offset in range(n_days):
        day = first + timedelta(days=offset)
        intravenous = sum(one.mg_on(day) * factor for one, factor in factors if one.route == INTRAVENOUS)
        other = sum(one.mg_on(day) * factor for one, factor in factors if one.route != INTRAVENOUS)
        is_pulse = intravenous >= least
        n_pulse_days += is_pulse
        pulses += intravenous if is_pulse else 0.0
        steady += other + (0.0 if is_pulse else intravenous)
    return SteroidDose(n_days, steady / n_days, pulses, n_pulse_days, (steady + pulses) / n_days)


def drug_doses(prescriptions: Sequence[Prescription], first: date, last: date) -> dict[str, float]:
    """Return the mean mg a day of each drug over a window, both ends included; drugs are never added to each other.

    Parameters
    ----------
    prescriptions
        Of one subject; several lines of one drug are added.
    first, last
        Days of the window.

    Raises
    ------
    TableError
        If the window ends before it begins.

    Examples
    --------
    >>> weekly = Prescription("methotrexate", 14.0, "week", "subcutaneous", date(2021, 3, 1), None)
    >>> drug_doses([weekly], date(2021, 3, 1), date(2021, 3, 28))
    {'methotrexate': 2.0}
    """
    if last < first:
        raise TableError(f"the window from {first} to {last} ends before it begins")
    n_days = (last - first).days + 1
    days = [first + timedelta(days=offset) for offset in range(n_days)]
    found: dict[str, float] = {}
    for one in prescriptions:
        found[one.drug] = found.get(one.drug, 0.0) + sum(map(one.mg_on, days)) / n_days
    return dict(sorted(found.items()))


def overlaps(prescriptions: Sequence[Prescription]) -> list[tuple[Prescription, Prescription]]:
    """Return pairs of lines of one drug and route that share a day: perhaps a line was not ended when the dose changed.

    Examples
    --------
    >>> a = Prescription("prednisone", 10.0, "day", "oral", date(2021, 3, 1), None)
    >>> b = Prescription("prednisone", 5.0, "day", "oral", date(2021, 4, 1), None)
    >>> len(overlaps([a, b]))
    1
    """
    found = []
    ordered = sorted(prescriptions, key=lambda one: (one.drug, one.route, one.start))
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if (other.drug, other.route) != (one.drug, one.route):
                break
            last = one.start if one.per == "once" else one.end
            if last is None or other.start <= last:
                found.append((one, other))
    return found
