"""Serum cytokines and soluble CD25 of a visit, with the limits of the assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from il2cyto.simulate.biology import Subject, VisitTruth, draw_values
from il2cyto.simulate.quantities import Quantity


@dataclass(frozen=True)
class Analyte:
    """One serum analyte: how it varies, its unit, and the range in which the assay quantifies."""

    quantity: Quantity
    unit: str
    lloq: float
    uloq: float


def _analyte(
    median: float, omega: float, sigma: float, unit: str, lloq: float, uloq: float, peak: float = 1.0
) -> Analyte:
    return Analyte(Quantity("count", median, omega, sigma, peak), unit, lloq, uloq)


#: Medians are those of active childhood lupus; limits make IL-6 and IL-10 rarely, the others mostly unquantifiable.
ANALYTES: Final[Mapping[str, Analyte]] = {
    "IL-2": _analyte(1.5, 0.5, 0.30, "pg/mL", 2.4, 5000.0),
    "IL-6": _analyte(8.0, 1.0, 0.40, "pg/mL", 2.4, 5000.0),
    "IL-10": _analyte(6.0, 0.8, 0.35, "pg/mL", 2.4, 5000.0),
    "IL-17A": _analyte(8.0, 0.9, 0.40, "pg/mL", 10.0, 5000.0),
    "IFN-g": _analyte(4.0, 0.8, 0.40, "pg/mL", 5.0, 5000.0),
    "TNF": _analyte(3.0, 0.6, 0.20, "pg/mL", 1.2, 5000.0),
    "sCD25": _analyte(2200.0, 0.45, 0.15, "U/mL", 100.0, 7500.0, 2.0),
}
#: Within-subject correlation of sCD25 with the share of Treg.
TREG_CORRELATION: Final = 0.4
#: Injected interleukin-2 still in the serum on the day after a dose, relative to the body's own.
DRUG_NEXT_DAY: Final = 4.0


def draw_serum(subject: Subject, blood: VisitTruth, seed: Sequence[int]) -> dict[str, float]:
    """True concentrations of `ANALYTES` at a visit, before the assay's limits.

    `subject` needs a deviate for each analyte. Serum interleukin-2 on the day after a dose is mostly drug.
    """
    deviates = np.random.default_rng(list(seed)).normal(size=len(ANALYTES)).tolist()
    within = dict(zip(ANALYTES, deviates, strict=True))
    r = TREG_CORRELATION
    within["sCD25"] = r * blood.within["treg_of_cd4"] + float(np.sqrt(1 - r * r)) * within["sCD25"]
    values = draw_values(
        subject, blood.visit, blood.day, {name: one.quantity for name, one in ANALYTES.items()}, within
    )
    if blood.day - 1 in subject.dose_days:
        values["IL-2"] *= 1 + DRUG_NEXT_DAY
    return values


def as_reported(value: float, analyte: Analyte) -> str:
    """A concentration as the laboratory writes it: ``<2.4`` or ``>5000`` outside the limits, else three digits.

    Examples
    --------
    >>> as_reported(1.0, ANALYTES["IL-6"]), as_reported(12.345, ANALYTES["IL-6"])
    ('<2.4', '12.3')
    """
    if value < analyte.lloq:
        return f"<{analyte.lloq:g}"
    if value > analyte.uloq:
        return f">{analyte.uloq:g}"
    return np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
