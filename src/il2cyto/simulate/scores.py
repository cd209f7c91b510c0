"""Disease scores of a visit, item by item: SELENA-SLEDAI, ESSDAI, and the parts of JADAS-10.

Items that a laboratory value decides follow that value; the others appear when the activity of the disease exceeds a
threshold of the item and of the child, so the same child tends to show the same signs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

from il2cyto.derive.scores import ESSDAI, SLEDAI
from il2cyto.simulate.laboratory import TESTS
from il2cyto.simulate.streams import stream

#: Share of children with a sign at the activity of enrolment, for the signs that no laboratory value decides.
_SIGNS: Final[Mapping[str, float]] = {
    "seizure": 0.01,
    "psychosis": 0.01,
    "organic_brain_syndrome": 0.01,
    "visual_disturbance": 0.01,
    "cranial_nerve_disorder": 0.005,
    "lupus_headache": 0.02,
    "cerebrovascular_accident": 0.003,
    "vasculitis": 0.05,
    "arthritis": 0.40,
    "myositis": 0.04,
    "rash": 0.45,
    "alopecia": 0.22,
    "mucosal_ulcers": 0.25,
    "pleurisy": 0.05,
    "pericarditis": 0.05,
    "fever": 0.15,
}
_DOMAINS: Final[Mapping[str, float]] = {
    "constitutional": 0.30,
    "lymphadenopathy": 0.25,
    "glandular": 0.45,
    "articular": 0.45,
    "cutaneous": 0.20,
    "pulmonary": 0.06,
    "renal": 0.08,
    "muscular": 0.04,
    "peripheral_nervous_system": 0.04,
    "central_nervous_system": 0.02,
}
_JADAS: Final = ("physician_global", "parent_global", "active_joints", "normalised_esr")
#: Share of the variation of a sign that belongs to the child and not to the visit; log activity per unit of liability.
_LASTING, _SLOPE = 0.7, 1.1
_FEW_PLATELETS, _FEW_LEUKOCYTES = 100.0, 3.0
#: Probability that a laboratory-decided item is marked against the laboratory value.
SLIP: Final = 0.01


def _liability(seed: int, number: int, visit: int, names: tuple[str, ...]) -> dict[str, float]:
    lasting = stream(seed, "score", number).normal(size=len(names))
    fresh = stream(seed, "score", number, visit + 1).normal(size=len(names))
    values = math.sqrt(_LASTING) * lasting + math.sqrt(1 - _LASTING) * fresh
    return dict(zip(names, values.tolist(), strict=True))


def _threshold(share: float) -> float:
    return NormalDist().inv_cdf(1 - share)


def laboratory_items(laboratory: Mapping[str, float]) -> dict[str, int]:
    """Descriptors of the SELENA-SLEDAI that laboratory values decide.

    Proteinuria stands for more than 0.5 g of protein per g of creatinine. Casts are not among them.

    Examples
    --------
    >>> items = laboratory_items({"C3": 0.7, "C4": 0.2, "ADSDNA": 5, "PLAT": 220, "WBC": 2.9, "UPCR": 0.1, "URBC": 0,
    ...                           "UWBC": 9})
    >>> [name for name, present in items.items() if present]
    ['pyuria', 'low_complement', 'leukopenia']
    """
    lower = {name: test.lower or 0.0 for name, test in TESTS.items()}
    return {
        "haematuria": int(laboratory["URBC"] > 5),
        "proteinuria": int(laboratory["UPCR"] > 0.5),
        "pyuria": int(laboratory["UWBC"] > 5),
        "low_complement": int(laboratory["C3"] < lower["C3"] or laboratory["C4"] < lower["C4"]),
        "increased_dna_binding": int(laboratory["ADSDNA"] > (TESTS["ADSDNA"].upper or 0.0)),
        "thrombocytopenia": int(laboratory["PLAT"] < _FEW_PLATELETS),
        "leukopenia": int(laboratory["WBC"] < _FEW_LEUKOCYTES),
    }


def draw_sledai(
    seed: int, number: int, visit: int, activity: float, laboratory: Mapping[str, float], nephritis: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The 24 descriptors (0 or 1), and the names of those that were marked against the laboratory value."""
    liability = _liability(seed, number, visit, tuple(SLEDAI))
    log_activity = math.log(activity)
    items = dict.fromkeys(SLEDAI, 0)
    for name, share in _SIGNS.items():
        items[name] = int(liability[name] + _SLOPE * log_activity > _threshold(share))
    items["urinary_casts"] = int(nephritis and liability["urinary_casts"] + _SLOPE * log_activity > _threshold(0.35))
    decided = laboratory_items(laboratory)
    slips = stream(seed, "score", number, visit + 1, 1).random(len(decided)) < SLIP
    wrong = tuple(name for name, slip in zip(decided, slips.tolist(), strict=True) if slip)
    items |= {name: 1 - value if name in wrong else value for name, value in decided.items()}
    return items, wrong


def draw_essdai(seed: int, number: int, visit: int, activity: float, laboratory: Mapping[str, float]) -> dict[str, int]:
    """Levels of the 12 domains; the haematological and the biological one follow laboratory values."""
    liability = _liability(seed, number, visit, tuple(ESSDAI))
    levels = dict.fromkeys(ESSDAI, 0)
    for name, share in _DOMAINS.items():
        excess = liability[name] + _SLOPE * math.log(activity) - _threshold(share)
        wanted = 0 if excess <= 0 else 1 + int(excess > 0.8) + int(excess > 1.8)
        # the central nervous system has no low level
        known = ESSDAI[name][1]
        levels[name] = next((level for level in known if level >= wanted), known[-1])
    if levels["central_nervous_system"] == 1:
        levels["central_nervous_system"] = 2  # this domain has no low level
    neutrophils, lymphocytes = laboratory["NEUT"], laboratory["LYM"]
    levels["haematological"] = (
        3
        if neutrophils < 0.5
        else 2
        if neutrophils < 1.0 or lymphocytes < 0.5
        else int(neutrophils < 1.5 or lymphocytes < 1.0)
    )
    levels["biological"] = (
        2
        if laboratory["C4"] < 0.10 or laboratory["IGG"] > 20
        else int(laboratory["C4"] < (TESTS["C4"].lower or 0.0) or laboratory["IGG"] > 16)
    )
    return levels


def draw_jadas(
    seed: int, number: int, visit: int, activity: float, laboratory: Mapping[str, float]
) -> dict[str, float]:
    """Parts of the JADAS-10, each 0 to 10: two global assessments, active joints, and the sedimentation rate."""
    liability = _liability(seed, number, visit, _JADAS)
    scale = math.log(activity)

    def part(name: str, median: float) -> float:
        return min(median * math.exp(0.6 * liability[name] + scale), 10.0)

    return {
        "physician_global": round(part("physician_global", 3.5) * 2) / 2,
        "parent_global": round(part("parent_global", 3.0) * 2) / 2,
        "active_joints": float(round(part("active_joints", 3.0))),
        "normalised_esr": round(min(max((laboratory["ESR"] - 20) / 10, 0.0), 10.0), 1),
    }
