"""Steroids and immunosuppressants as prescribed: one record per drug, dose and stretch of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from il2cyto.simulate.activity import LAST_DAY, Activity
from il2cyto.simulate.streams import stream

#: Prednisone at enrolment, mg/kg/day (median), and share of children on it.
_START: Final = {"SLE": (0.50, 1.0), "pSS": (0.25, 0.6), "JIA": (0.20, 0.5)}
#: Share by which a step lowers the dose, and days between steps.
TAPER: Final = {"STD": 0.10, "IL2": 0.16}
_STEP_DAYS: Final = (14, 21, 28)
_LOWEST_MG: Final = 2.5
_MOST_MG: Final = 60.0
#: Study day from which steroids are recorded.
_BEFORE_ENROLMENT: Final = -30


@dataclass(frozen=True)
class Medication:
    """A stretch of one drug at one dose.

    Parameters
    ----------
    dose, unit, per
        For example 15, ``mg``, ``day``; ``once`` for a single infusion or injection.
    start, stop
        Study days, both included; ``stop`` is ``None`` while the drug goes on.
    """

    drug: str
    group: str
    dose: float
    unit: str
    per: str
    route: str
    start: int
    stop: int | None
    reason: str


def tablet(dose: float) -> float:
    """A dose of prednisone that tablets can give: 2.5 mg steps from 10 mg on, 1.25 mg below.

    Examples
    --------
    >>> [tablet(dose) for dose in (31.3, 11.1, 6.6)]
    [32.5, 10.0, 6.25]
    """
    step = 2.5 if dose >= 10 else 1.25
    return step * math.floor(dose / step + 0.5)


def draw_therapy(seed: int, number: int, activity: Activity, last_day: int) -> list[Medication]:
    """Every record of a child's steroids and immunosuppressants until `last_day`."""
    rng = stream(seed, "therapy", number)
    return [*_steroids(rng, activity, last_day), *_immunosuppressants(rng, activity, last_day)]


def _steroids(rng: np.random.Generator, activity: Activity, last_day: int) -> list[Medication]:
    subject = activity.subject
    per_kg, share = _START[subject.diagnosis]
    starts, deviation, switches, overlaps = rng.random(), rng.normal(), rng.random() < 0.12, rng.random() < 0.5
    records: list[Medication] = []
    day, steps = _BEFORE_ENROLMENT, rng.random(100)
    if starts < share:
        dose = min(per_kg * math.exp(0.3 * subject.severity + 0.3 * deviation) * subject.weight_kg, _MOST_MG)
        dose = max(tablet(dose), _LOWEST_MG)
        flares = list(activity.flares)
        switch = 100 + int(100 * rng.random()) if switches else LAST_DAY + 1
        drug, factor = "prednisone", 1.0
        k = 0
        while day <= last_day:
            length = _STEP_DAYS[int(3 * steps[k % 100])] if day > 0 else 1 - day
            flare = next((first for first in flares if day < first <= day + length), None)
            end = flare - 1 if flare is not None else day + length - 1
            if drug == "prednisone" and end >= switch > day:
                end = switch
            # the last stretch goes on after the last visit
            stop = end if end < last_day else None
            records.append(Medication(drug, "steroid", dose * factor, "mg", "day", "oral", day, stop, "maintenance"))
            if drug == "prednisone" and end >= switch:
                # now and then both are taken for a week
                if overlaps and end < last_day:
                    records.append(
                        Medication(
                            drug, "steroid", dose, "mg", "day", "oral", end + 1, min(end + 7, last_day), "switch"
                        )
                    )
                drug, factor = "methylprednisolone", 0.8
            elif flare is not None:
                flares.remove(flare)
                dose = min(max(tablet(1.6 * dose), 15.0), _MOST_MG)
                if rng.random() < 0.35 and subject.diagnosis == "SLE" and flare + 2 <= last_day:
                    records += [
                        Medication(
                            "methylprednisolone",
                            "steroid",
                            500.0,
                            "mg",
                            "once",
                            "intravenous",
                            flare + i,
                            flare + i,
                            "flare",
                        )
                        for i in range(3)
                    ]
            elif end > 0:
                dose = max(tablet(dose * (1 - TAPER[subject.arm] * (0.6 + 0.8 * steps[(k + 50) % 100]))), _LOWEST_MG)
            day, k = end + 1, k + 1
    if subject.diagnosis == "JIA" and rng.random() < 0.3:
        when = int(rng.integers(1, 300))
        if when <= last_day:
            records.append(
                Medication(
                    "triamcinolone", "steroid", 20.0, "mg", "once", "intra-articular", when, when, "active joint"
                )
            )
    return _merged(records)


def _merged(records: list[Medication]) -> list[Medication]:
    """Join stretches of one drug at one dose that follow each other."""
    joined: list[Medication] = []
    for one in sorted(records, key=lambda record: (record.drug, record.route, record.start)):
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.drug, last.dose, last.per, last.route) == (one.drug, one.dose, one.per, one.route)
            and one.per == "day"
            and last.stop is not None
            and one.start == last.stop + 1
        ):
            joined[-1] = Medication(
                last.drug, last.group, last.dose, last.unit, last.per, last.route, last.start, one.stop, last.reason
            )
        else:
            joined.append(one)
    return sorted(joined, key=lambda record: (record.start, record.drug))


def _immunosuppressants(rng: np.random.Generator, activity: Activity, last_day: int) -> list[Medication]:
    subject = activity.subject
    chance = dict(zip(("HCQ", "MMF", "CYC", "MTX", "AZA", "TAC"), rng.random(6).tolist(), strict=True))
    begun = -int(rng.integers(20, 200))
    bsa, weight = subject.bsa_m2, subject.weight_kg
    records: list[Medication] = []

    def daily(drug: str, dose: float, step: float, per: str, route: str = "oral") -> None:
        first = step * max(round(dose / step), 1)
        records.extend(_changes(rng, activity, drug, first, step, per, route, begun, last_day))

    if subject.diagnosis in ("SLE", "pSS") and chance["HCQ"] < 0.85:
        daily("hydroxychloroquine", 5.0 * weight, 50.0, "day")
    if subject.diagnosis == "SLE":
        cyclophosphamide = subject.nephritis and chance["CYC"] < 0.3
        if cyclophosphamide:
            amount = float(10 * round(60.0 * bsa))
            records += [
                Medication(
                    "cyclophosphamide", "immunosuppressant", amount, "mg", "once", "intravenous", day, day, "induction"
                )
                for day in range(-20, min(last_day, 160), 30)
            ]
        elif chance["MMF"] < (0.8 if subject.nephritis else 0.45):
            daily("mycophenolate mofetil", 1200.0 * bsa, 250.0, "day")
        elif chance["AZA"] < 0.3:
            daily("azathioprine", 2.0 * weight, 25.0, "day")
        if chance["TAC"] < 0.12:
            daily("tacrolimus", 0.05 * weight, 0.5, "day")
    if subject.diagnosis == "JIA" and chance["MTX"] < 0.8:
        daily("methotrexate", 12.5 * bsa, 2.5, "week", "subcutaneous")
    return records


def _changes(
    rng: np.random.Generator,
    activity: Activity,
    drug: str,
    dose: float,
    step: float,
    per: str,
    route: str,
    begun: int,
    last_day: int,
) -> list[Medication]:
    """Stretches of one drug: looked at every three months, lowered or stopped when calm, raised after a flare."""
    records, start = [], begun
    for check in (92, 183, 274, 366):
        calm = activity.at(check) < 0.6
        drawn = rng.random()
        if check > last_day:
            break
        flared = any(check - 92 < flare <= check for flare in activity.flares)
        lower = (0.35 if activity.subject.arm == "IL2" else 0.22) * calm
        changed = dose
        if flared and drawn < 0.4:
            changed = dose + step * max(round(0.2 * dose / step), 1)
        elif drawn < lower:
            changed = dose - step * max(round(0.25 * dose / step), 1)
            if drawn < lower / 5:
                changed = 0.0
        if changed != dose:
            records.append(Medication(drug, "immunosuppressant", dose, "mg", per, route, start, check - 1, "disease"))
            dose, start = changed, check
        if dose <= 0:
            return records
    records.append(Medication(drug, "immunosuppressant", dose, "mg", per, route, start, None, "disease"))
    return records
