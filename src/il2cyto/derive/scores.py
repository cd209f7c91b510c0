"""Scores of disease activity from their items: SELENA-SLEDAI and ESSDAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from il2cyto.errors import TableError, did_you_mean

#: Names of the scores, as sheets write them.
SLEDAI_NAME: Final = "SELENA-SLEDAI"
ESSDAI_NAME: Final = "ESSDAI"
#: Weights of the 24 descriptors of SELENA-SLEDAI; a descriptor is present (1) or not (0). All of them: 105.
SLEDAI: Final[dict[str, int]] = {
    "seizure": 8, "psychosis": 8, "organic_brain_syndrome": 8, "visual_disturbance": 8, "cranial_nerve_disorder": 8,
    "lupus_headache": 8, "cerebrovascular_accident": 8, "vasculitis": 8,
    "arthritis": 4, "myositis": 4, "urinary_casts": 4, "haematuria": 4, "proteinuria": 4, "pyuria": 4,
    "rash": 2, "alopecia": 2, "mucosal_ulcers": 2, "pleurisy": 2, "pericarditis": 2, "low_complement": 2,
    "increased_dna_binding": 2,
    "fever": 1, "thrombocytopenia": 1, "leukopenia": 1,
}  # fmt: skip
#: Weight of each domain of ESSDAI, and the levels that it has. All at their highest: 123.
ESSDAI: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "constitutional": (3, (0, 1, 2)), "lymphadenopathy": (4, (0, 1, 2, 3)), "glandular": (2, (0, 1, 2)),
    "articular": (2, (0, 1, 2, 3)), "cutaneous": (3, (0, 1, 2, 3)), "pulmonary": (5, (0, 1, 2, 3)),
    "renal": (5, (0, 1, 2, 3)), "muscular": (6, (0, 1, 2, 3)), "peripheral_nervous_system": (5, (0, 1, 2, 3)),
    "central_nervous_system": (5, (0, 2, 3)), "haematological": (2, (0, 1, 2, 3)), "biological": (1, (0, 1, 2)),
}  # fmt: skip


def sledai(items: Mapping[str, int]) -> int:
    """Return the SELENA-SLEDAI of its 24 descriptors, 0 to 105.

    Parameters
    ----------
    items
        1 or 0 for each descriptor of `SLEDAI`.

    Raises
    ------
    TableError
        If a descriptor is missing, unknown or neither 0 nor 1: a total of part of the form is no total.

    Examples
    --------
    >>> sledai(dict.fromkeys(SLEDAI, 0) | {"arthritis": 1, "fever": 1})
    5
    """
    _complete(items, list(SLEDAI), "SELENA-SLEDAI")
    for name, value in items.items():
        if value not in (0, 1):
            raise TableError(f"SELENA-SLEDAI: {name} is {value}; a descriptor is present (1) or not (0)")
    return sum(SLEDAI[name] for name, value in items.items() if value)


def sledai_band(score: int) -> str:
    """Return the activity that a SLEDAI stands for: none, mild (1-5), moderate (6-10), high (11-19), very high (20).

    Examples
    --------
    >>> [sledai_band(score) for score in (0, 5, 10, 19, 20)]
    ['none', 'mild', 'moderate', 'high', 'very high']
    """
    bounds = ((0, "none"), (5, "mild"), (10, "moderate"), (19, "high"))
    return next((word for most, word in bounds if score <= most), "very high")


def essdai(levels: Mapping[str, int]) -> int:
    """Return the ESSDAI of its 12 domains, 0 to 123.

    Parameters
    ----------
    levels
        Level of each domain of `ESSDAI`.

    Raises
    ------
    TableError
        If a domain is missing or unknown, or has no such level.

    Examples
    --------
    >>> essdai(dict.fromkeys(ESSDAI, 0) | {"glandular": 2, "muscular": 3})
    22
    """
    _complete(levels, list(ESSDAI), "ESSDAI")
    for name, level in levels.items():
        if level not in ESSDAI[name][1]:
            known = ", ".join(map(str, ESSDAI[name][1]))
            raise TableError(f"ESSDAI: {name} is {level}; its levels are {known}")
    return sum(ESSDAI[name][0] * level for name, level in levels.items())


def essdai_band(score: int) -> str:
    """Return the activity that an ESSDAI stands for: low below 5, moderate 5 to 13, high from 14 on.

    Examples
    --------
    >>> [essdai_band(score) for score in (4, 5, 13, 14)]
    ['low', 'moderate', 'moderate', 'high']
    """
    return "low" if score < 5 else "moderate" if score < 14 else "high"


def _complete(items: Mapping[str, int], known: list[str], score: str) -> None:
    for name in items:
        if name not in known:
            raise TableError(f"{score}: no item is called {name!r}{did_you_mean(name, known)}")
    missing = [name for name in known if name not in items]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise TableError(f"{score}: {', '.join(missing[:3])}{more} missing; the total needs all {len(known)} items")
