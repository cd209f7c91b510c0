"""Laboratory values of a visit: they follow the blood that the tubes hold, and the activity of the disease."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from il2cyto.simulate.activity import Activity
from il2cyto.simulate.biology import Subject, VisitTruth
from il2cyto.simulate.streams import stream


@dataclass(frozen=True)
class Test:
    """One laboratory test.

    Parameters
    ----------
    name, unit
        As in the sheet.
    lower, upper
        Limits of the laboratory's reference range; ``None`` where there is none.
    digits
        Decimals that the laboratory reports.
    """

    name: str
    unit: str
    lower: float | None
    upper: float | None
    digits: int


TESTS: Final[Mapping[str, Test]] = {
    one.name: one
    for one in (
        Test("WBC", "10^9/L", 4.0, 11.0, 2),
        Test("LYM", "10^9/L", 1.2, 5.0, 2),
        Test("NEUT", "10^9/L", 1.8, 7.5, 2),
        Test("EOS", "10^9/L", 0.0, 0.5, 2),
        Test("PLAT", "10^9/L", 150.0, 400.0, 0),
        Test("HGB", "g/L", 110.0, 160.0, 0),
        Test("C3", "g/L", 0.80, 1.60, 2),
        Test("C4", "g/L", 0.12, 0.40, 2),
        Test("ADSDNA", "IU/mL", 0.0, 20.0, 1),
        Test("IGG", "g/L", 6.0, 16.0, 1),
        Test("ESR", "mm/h", 0.0, 20.0, 0),
        Test("CRP", "mg/L", 0.0, 8.0, 1),
        Test("CREAT", "umol/L", 27.0, 88.0, 0),
        Test("ALT", "U/L", 7.0, 45.0, 0),
        Test("UPCR", "g/g", 0.0, 0.20, 2),
        Test("URBC", "/HPF", 0.0, 5.0, 0),
        Test("UWBC", "/HPF", 0.0, 5.0, 0),
    )
}
#: CV of a blood count.
COUNT_CV: Final = 0.04
_LYMPHOCYTES: Final = ("t", "b", "nk_bright", "nk_dim", "nk_neg", "null")


def lymphocytes_per_ul(blood: VisitTruth) -> float:
    """True lymphocytes/µL of the blood."""
    return sum(blood[name] for name in _LYMPHOCYTES)


def draw_laboratory(seed: int, number: int, visit: int, blood: VisitTruth, activity: Activity) -> dict[str, float]:
    """Values of `TESTS`, rounded as the laboratory reports them.

    Complement falls and anti-dsDNA rises with activity in lupus; proteinuria and urinary cells belong to nephritis.
    """
    subject = activity.subject
    own = dict(zip(TESTS, stream(seed, "laboratory", number).normal(size=len(TESTS)).tolist(), strict=True))
    rng = stream(seed, "laboratory", number, visit + 1)
    now = dict(zip(TESTS, rng.normal(size=len(TESTS)).tolist(), strict=True))
    log_activity = math.log(activity.at(blood.day))
    lupus = subject.diagnosis == "SLE"

    def vary(name: str, between: float, within: float) -> float:
        return math.exp(between * own[name] + within * now[name])

    lym, neut, eos = lymphocytes_per_ul(blood) / 1000, blood["neut"] / 1000, blood["eos"] / 1000
    counted = {"LYM": lym, "NEUT": neut, "EOS": eos, "WBC": lym + neut + eos + blood["mono"] / 1000}
    values = {name: value * math.exp(COUNT_CV * now[name]) for name, value in counted.items()}
    slope = 1.0 if lupus else 0.15
    values |= {
        "PLAT": 270 * math.exp(-0.20 * slope * log_activity) * vary("PLAT", 0.22, 0.10),
        "HGB": 122 * math.exp(-0.05 * log_activity) * vary("HGB", 0.07, 0.03),
        "C3": (0.72 if lupus else 1.15) * math.exp(-0.30 * slope * log_activity) * vary("C3", 0.20, 0.08),
        "C4": (0.11 if lupus else 0.22) * math.exp(-0.30 * slope * log_activity) * vary("C4", 0.30, 0.10),
        "ADSDNA": (48.0 if lupus else 4.0) * math.exp(0.9 * slope * log_activity) * vary("ADSDNA", 0.9, 0.25),
        "IGG": (13.0 + 5.0 * (subject.diagnosis == "pSS")) * vary("IGG", 0.22, 0.06),
        "ESR": 22 * math.exp(0.6 * log_activity) * vary("ESR", 0.5, 0.25),
        "CRP": 4.0 * math.exp(0.7 * log_activity) * vary("CRP", 0.8, 0.5),
        "CREAT": (22 + 2.6 * subject.age_at(blood.day)) * vary("CREAT", 0.12, 0.06),
        "ALT": 19 * vary("ALT", 0.35, 0.20),
    }
    values |= _urine(subject, log_activity, own, now)
    return {name: float(np.round(values[name], test.digits)) for name, test in TESTS.items()}


def _urine(
    subject: Subject, log_activity: float, own: Mapping[str, float], now: Mapping[str, float]
) -> dict[str, float]:
    level = {"UPCR": (0.09, 0.35, 0.20), "URBC": (1.2, 0.5, 0.3), "UWBC": (1.3, 0.5, 0.3)}
    sick = {"UPCR": 1.1, "URBC": 11.0, "UWBC": 6.0}
    values = {}
    for name, (healthy, between, within) in level.items():
        median = sick[name] * math.exp(1.1 * log_activity) if subject.nephritis else healthy
        values[name] = median * math.exp(between * own[name] + within * now[name])
    return values
