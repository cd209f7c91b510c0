"""Laboratory values by visit, and where they lie in the reference range."""

from __future__ import annotations

from typing import Final

import numpy as np

from il2cyto.outcomes.measure import Measure
from il2cyto.outcomes.people import People, placed
from il2cyto.study.clinic import LabValue
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

LOW, NORMAL, HIGH = "low", "normal", "high"
#: Glomerular filtration by creatinine and height, a test that is derived where the sheets have both.
EGFR: Final = "EGFR"
_CREATININE: Final = ("CREAT", "CREA")
#: mg/dL of one unit of creatinine.
_MG_PER_DL: Final = {"umol/l": 1 / 88.42, "µmol/l": 1 / 88.42, "mg/dl": 1.0}


def laboratory_measures(study: Study, people: People, outcome: Outcome) -> list[Measure]:
    """Measure each laboratory test of an outcome; ``EGFR`` is computed where the sheet has no such test."""
    found = placed(study, people, study.clinic.labs, lambda row: row.test)
    measures = []
    for test in outcome.tests:
        rows = {(subject, visit): one for (subject, visit, name), one in found.items() if name == test}
        if not rows and test == EGFR:
            measures.append(_filtration(study, people, found))
            continue
        measures.append(_measure(people, test, rows, test in outcome.log))
    return measures


def _measure(people: People, test: str, rows: dict[tuple[str, str], LabValue], logarithm: bool) -> Measure:
    shape = (len(people.subjects), len(people.visits))
    values, censor = np.full(shape, np.nan), np.zeros(shape, dtype=np.int8)
    classes = np.full(shape, "", dtype="U8")
    for i, subject in enumerate(people.subjects):
        for j, visit in enumerate(people.visits):
            one = rows.get((subject, visit))
            if one is not None:
                values[i, j], censor[i, j] = one.value, one.censor
                classes[i, j] = place(one)
    unit = next((one.unit for one in rows.values()), "")
    kinds = {(not np.isnan(one.lower), not np.isnan(one.upper)) for one in rows.values()}
    order = tuple(name for name, there in ((LOW, any(low for low, _ in kinds)), (NORMAL, True),
                                           (HIGH, any(high for _, high in kinds))) if there)  # fmt: skip
    notes = ("classes by the reference range of the laboratory sheet",) if (classes != "").any() else ()
    return Measure(
        test, test, unit, values, censor, logarithm=logarithm, classes=classes if notes else None, order=order,
        normal=NORMAL, notes=notes,
    )  # fmt: skip


def place(one: LabValue) -> str:
    """Return where a value lies in its reference range; empty where it has none, or is a limit that leaves it open.

    Examples
    --------
    >>> import math
    >>> c3 = LabValue("P1", "BL", None, "C3", 0.7, 0, "g/L", 0.8, 1.6, 2)
    >>> place(c3), place(LabValue("P1", "BL", None, "C3", 1.0, -1, "g/L", 0.8, 1.6, 2))
    ('low', '')
    """
    if np.isnan(one.lower) and np.isnan(one.upper):
        return ""
    if one.censor < 0:
        return LOW if one.value <= one.lower else NORMAL if np.isnan(one.lower) and one.value <= one.upper else ""
    if one.censor > 0:
        return HIGH if one.value >= one.upper else NORMAL if np.isnan(one.upper) and one.value >= one.lower else ""
    return LOW if one.value < one.lower else HIGH if one.value > one.upper else NORMAL


def _filtration(study: Study, people: People, labs: dict[tuple[str, str, str], LabValue]) -> Measure:
    """Glomerular filtration by the bedside formula of Schwartz: 0.413 × height in cm / creatinine in mg/dL."""
    bodies = placed(study, people, study.clinic.vitals, lambda row: "")
    shape = (len(people.subjects), len(people.visits))
    values = np.full(shape, np.nan)
    unknown: set[str] = set()
    for i, subject in enumerate(people.subjects):
        for j, visit in enumerate(people.visits):
            one = next((labs[subject, visit, test] for test in _CREATININE if (subject, visit, test) in labs), None)
            body = bodies.get((subject, visit, ""))
            if one is None or body is None or one.censor:
                continue
            factor = _MG_PER_DL.get(one.unit.casefold())
            if factor is None:
                unknown.add(one.unit)
            elif one.value > 0:
                values[i, j] = 0.413 * body.height_cm / (one.value * factor)
    notes = ["bedside formula of Schwartz: 0.413 × height (cm) / creatinine (mg/dL)"]
    notes += ["creatinine in a unit that is not known"] if unknown else []
    return Measure(
        EGFR, "Estimated glomerular filtration", "mL/min/1.73m2", values, np.zeros(shape, dtype=np.int8),
        notes=tuple(notes),
    )  # fmt: skip
