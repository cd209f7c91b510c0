"""Doses of drugs per m² of body surface over the days before each visit: steroids together, all others each alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.derive.medication import SYSTEMIC, Prescription, drug_doses, overlaps, steroid_dose
from il2cyto.derive.surface import body_surface_m2
from il2cyto.outcomes.measure import Floats, Measure
from il2cyto.outcomes.people import People, placed
from il2cyto.study.model import Study
from il2cyto.study.outcomes import STEROID, Outcome

#: mg of prednisone a day, and mg/kg a day, up to which a dose is called low.
LOW_MG, LOW_MG_PER_KG = 7.5, 0.2
#: Share by which a dose must differ from that at baseline to be called reduced or increased.
_SAME: Final = 0.05
#: Share by which a mean of doses may lie above its limit by rounding alone.
_ROUNDING: Final = 1e-9
STOPPED, REDUCED, UNCHANGED, INCREASED, STARTED, NEVER = (
    "stopped", "reduced", "unchanged", "increased", "started", "not taken",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Body:
    """Body of each subject at each visit, ``(n, m)``; NaN where it was not measured."""

    weight_kg: Floats
    surface_m2: Floats


def body_of(study: Study, people: People, formula: str) -> Body:
    """Return weight and body surface at each visit, as measured there."""
    found = placed(study, people, study.clinic.vitals, lambda row: "")
    shape = (len(people.subjects), len(people.visits))
    height, weight = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, subject in enumerate(people.subjects):
        for j, visit in enumerate(people.visits):
            row = found.get((subject, visit, ""))
            if row is not None:
                height[i, j], weight[i, j] = row.height_cm, row.weight_kg
    return Body(weight, body_surface_m2(height, weight, formula))


def steroid_measures(study: Study, people: People, outcome: Outcome) -> list[Measure]:
    """Measure the systemic steroids of every subject: mg of prednisone, by m² and day, and what follows from it.

    The dose of a visit is the mean over the days before it, without the day itself; a day without a record has 0.
    """
    body = body_of(study, people, outcome.surface)
    shape = body.weight_kg.shape
    daily, whole, cumulative = (np.full(shape, np.nan) for _ in range(3))
    notes = _notes(study, STEROID)
    for i, subject in enumerate(people.subjects):
        mine = prescriptions(study, subject, STEROID)
        for j, visit in enumerate(people.visits):
            day = people.dates.get((subject, visit))
            if day is None:
                continue
            first, last = day - timedelta(days=outcome.days), day - timedelta(days=1)
            weight = float(body.weight_kg[i, j])
            found = steroid_dose(mine, first, last, weight_kg=weight, prednisone_5_mg=outcome.prednisone_5_mg)
            daily[i, j], whole[i, j] = found.mg_per_day, found.with_pulses_mg_per_day
        cumulative[i] = _cumulative(mine, people, subject, body.surface_m2[i], outcome)
    surface, at_first = body.surface_m2, body.surface_m2[:, :1]
    window = f"mean of {outcome.days} days before the visit"
    per_kg = daily / body.weight_kg
    low, low_per_kg = (
        _classes(values, [(0.0, order[0]), (most, order[1]), (np.inf, order[2])])
        for values, most, order in (
            (daily, LOW_MG, _low_order(LOW_MG, "mg/d")),
            (per_kg, LOW_MG_PER_KG, _low_order(LOW_MG_PER_KG, "mg/kg/d")),
        )
    )

    def measure(code: str, label: str, unit: str, values: Floats, *more: str, key: bool = False) -> Measure:
        return Measure(code, label, unit, values, np.zeros(shape, dtype=np.int8), key=key, notes=(*more, *notes))

    surface_note = f"body surface at each visit ({outcome.surface})"
    return [
        measure("PREDEQM2", "Prednisone equivalent", "mg/m2/day", daily / surface, f"{window}, pulses apart",
                surface_note, key=True),
        measure("PREDEQM2P", "Prednisone equivalent with pulses", "mg/m2/day", whole / surface, window,
                "intravenous pulses included: those after baseline are rescue"),
        measure("PREDEQM2B", "Prednisone equivalent per m² at baseline", "mg/m2/day", daily / at_first,
                f"{window}, pulses apart", "body surface at baseline: growth alone lowers no dose here"),
        Measure("PREDEQ", "Prednisone equivalent", "mg/day", daily, np.zeros(shape, dtype=np.int8), classes=low,
                order=_low_order(LOW_MG, "mg/d"), key=False, notes=(window, *notes)),
        Measure("PREDEQKG", "Prednisone equivalent per kg", "mg/kg/day", per_kg, np.zeros(shape, dtype=np.int8),
                classes=low_per_kg, order=_low_order(LOW_MG_PER_KG, "mg/kg/d"), key=False, notes=(window, *notes)),
        measure("PREDCUM", "Cumulative prednisone equivalent", "mg/m2", cumulative,
                "from study day 1 to the day before the visit, pulses included; the mg between two visits are divided "
                "by the mean body surface at both"),
    ]  # fmt: skip


def _low_order(most: float, unit: str) -> tuple[str, str, str]:
    """Classes of a dose: none, low, and above."""
    return "none", f"up to {most:g} {unit}", f"above {most:g} {unit}"


def _cumulative(
    mine: Sequence[Prescription], people: People, subject: str, surface: Floats, outcome: Outcome
) -> Floats:
    """mg/m² from study day 1 up to each visit; NaN where its day or body is not known, and without a body at baseline.

    The mg since the visit before one that is not known count at the next.
    """
    total = np.full(len(people.visits), np.nan)
    begin = people.calendars[subject].day_one
    if begin is None or np.isnan(surface[0]):
        return total
    total[0], sofar, since, area = 0.0, 0.0, begin, float(surface[0])
    for j, visit in enumerate(people.visits[1:], start=1):
        day = people.dates.get((subject, visit))
        if day is None or np.isnan(surface[j]):
            continue
        if day > since:
            found = steroid_dose(mine, since, day - timedelta(days=1), prednisone_5_mg=outcome.prednisone_5_mg)
            sofar += found.with_pulses_mg_per_day * found.n_days / ((area + float(surface[j])) / 2)
        total[j], since, area = sofar, max(day, since), float(surface[j])
    return total


def drug_measures(study: Study, people: People, outcome: Outcome) -> list[Measure]:
    """Measure each drug of a group for itself; they are never added to each other.

    Systemic routes count. Each drug in mg/m²/day, in percent of a subject's own baseline dose, and as stopped, reduced,
    unchanged, increased or started; and the number of drugs that a subject takes, which is the key: which drugs there
    are follows from the data, and a family of comparisons that is fixed before them cannot.
    """
    body = body_of(study, people, outcome.surface)
    shape = body.weight_kg.shape
    taken: dict[str, Floats] = {
        drug: np.full(shape, np.nan)
        for drug in sorted(
            {one.drug for one in study.clinic.drugs if one.group == outcome.group and one.route in SYSTEMIC}
        )
    }
    for i, subject in enumerate(people.subjects):
        mine = prescriptions(study, subject, outcome.group)
        for j, visit in enumerate(people.visits):
            day = people.dates.get((subject, visit))
            if day is None:
                continue
            found = drug_doses(mine, day - timedelta(days=outcome.days), day - timedelta(days=1))
            for drug, doses in taken.items():
                doses[i, j] = found.get(drug, 0.0)
    zeros = np.zeros(shape, dtype=np.int8)
    window = f"mean of {outcome.days} days before the visit"
    notes = _notes(study, outcome.group)
    measures = []
    order = (STOPPED, REDUCED, UNCHANGED, INCREASED, STARTED, NEVER)
    codes = _codes(tuple(taken))
    for drug, doses in taken.items():
        code = codes[drug]
        users = np.asarray((doses > 0).any(axis=1))
        used = np.where(users[:, None], doses / body.surface_m2, np.nan)
        about = (window, "subjects who took it at baseline or later", *notes)
        measures.append(Measure(f"{code}M2", drug.capitalize(), "mg/m2/day", used, zeros, key=False, notes=about))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(doses[:, :1] > 0, 100 * doses / doses[:, :1], np.nan)
        measures.append(
            Measure(
                f"{code}PCT", f"{drug.capitalize()}, % of own baseline dose", "%", share, zeros,
                classes=_course(doses), order=order, key=False,
                notes=(window, f"unchanged: within {_SAME:.0%} of the dose at baseline", *notes),
            )
        )  # fmt: skip
    if taken:
        every = np.stack(list(taken.values()))
        number = np.where(np.isnan(every).any(axis=0), np.nan, (every > 0).sum(axis=0))
        measures.append(Measure("NDRUGS", "Number of drugs", "drugs", number, zeros, notes=(window, *notes)))
    return measures


def _codes(drugs: Sequence[str]) -> dict[str, str]:
    """Name drugs by the first four letters of their words, or by as many more as tell all apart.

    Examples
    --------
    >>> _codes(["azathioprine", "mycophenolate mofetil"])
    {'azathioprine': 'AZAT', 'mycophenolate mofetil': 'MYCOMOFE'}
    >>> _codes(["azathioprine", "cyclophosphamide", "cyclosporine"])
    {'azathioprine': 'AZATHI', 'cyclophosphamide': 'CYCLOP', 'cyclosporine': 'CYCLOS'}
    """
    letters = 4
    while letters < max(map(len, drugs), default=0) and len({_short(one, letters) for one in drugs}) < len(drugs):
        letters += 1
    return {one: _short(one, letters) for one in drugs}


def _short(drug: str, letters: int) -> str:
    return "".join(word[:letters].upper() for word in drug.split())


def prescriptions(study: Study, subject: str, group: str) -> list[Prescription]:
    """Return what a subject was prescribed of a group of drugs by systemic routes."""
    return [
        one.prescription
        for one in study.clinic.drugs
        if (one.subject, one.group) == (subject, group) and one.route in SYSTEMIC
    ]


def _course(doses: Floats) -> NDArray[np.str_]:
    """What became of each dose since baseline."""
    first, now = doses[:, :1], doses
    known = ~np.isnan(first) & ~np.isnan(now)
    found = np.full(doses.shape, "", dtype="U12")
    found[known & (first == 0) & (now == 0)] = NEVER
    found[known & (first == 0) & (now > 0)] = STARTED
    found[known & (first > 0) & (now == 0)] = STOPPED
    taken = known & (first > 0) & (now > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = now / first
    found[taken] = UNCHANGED
    # 19 of 20 mg differ by 5 % exactly, whatever the rounding of their means
    found[taken & (ratio < 1 - _SAME - _ROUNDING)] = REDUCED
    found[taken & (ratio > 1 + _SAME + _ROUNDING)] = INCREASED
    # nothing has become of a dose at baseline
    found[:, 0] = ""
    return found


def _classes(values: Floats, bounds: Sequence[tuple[float, str]]) -> NDArray[np.str_]:
    """The first class whose highest value is not below a value."""
    found = np.full(values.shape, "", dtype="U24")
    for most, name in reversed(bounds):
        found[values <= most * (1 + _ROUNDING)] = name
    return found


def _notes(study: Study, group: str) -> tuple[str, ...]:
    """Say of which subjects two lines of a drug share a day: the dose may have been changed without ending a line."""
    twice = [subject for subject in study.subjects if overlaps(prescriptions(study, subject, group))]
    if not twice:
        return ()
    return (f"lines of one drug and route overlap for {', '.join(twice)}; both count",)
