"""Reference ranges of absolute counts by age, as data, and where a count lies in them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class ReferenceRange:
    """Range of a population in an age band, cells/µL.

    Attributes
    ----------
    population_id
        Role of the population, as in `il2cyto.study.checks.ROLES`.
    def_id
        How the source defines the population.
    age_lo, age_hi
        Years, from the first to below the second.
    sex
        ``F`` or ``M``; empty for both.
    stat
        What the limits are: ``P10-P90`` are the 10th and the 90th percentile of healthy children.
    source
        Who published it.
    """

    population_id: str
    def_id: str
    age_lo: float
    age_hi: float
    sex: str
    stat: str
    lo: float
    hi: float
    source: str

    @property
    def label(self) -> str:
        """Statistic, band and source as tables cite them."""
        return f"{self.stat}, {self.age_lo:g} to {self.age_hi:g} years, {self.def_id}, {self.source}"


@cache
def reference_ranges() -> tuple[ReferenceRange, ...]:
    """Return the ranges that the package ships; those whose source could be checked.

    Examples
    --------
    >>> [(one.lo, one.hi) for one in reference_ranges() if (one.population_id, one.age_lo) == ("CD4", 6.0)]
    [(650.0, 1500.0)]
    """
    text = (files("il2cyto.counts") / "data" / "reference_ranges.csv").read_text(encoding="utf-8")
    return tuple(
        ReferenceRange(
            row["population_id"],
            row["def_id"],
            float(row["age_lo"]),
            float(row["age_hi"]),
            row["sex"],
            row["stat"],
            float(row["lo"]),
            float(row["hi"]),
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
        if row["unit"] == "cells/uL"
    )


def find_range(
    ranges: Sequence[ReferenceRange], population_id: str, age: float, sex: str | None
) -> ReferenceRange | None:
    """Return the range of a population for an age in years and a sex, ``None`` where there is none.

    A range of the sex comes before one of both sexes.

    Examples
    --------
    >>> find_range(reference_ranges(), "CD3", 12.0, "F").lo, find_range(reference_ranges(), "CD3", 30.0, "F")
    (1000.0, None)
    """
    fitting = [one for one in ranges if one.population_id == population_id and one.age_lo <= age < one.age_hi]
    return next((one for one in fitting if one.sex and one.sex == sex), next((o for o in fitting if not o.sex), None))


def place_in_range(value: float, found: ReferenceRange) -> str:
    """Return ``below``, ``within`` or ``above``; a value on a limit is within, a missing one is nowhere.

    Examples
    --------
    >>> cd4 = find_range(reference_ranges(), "CD4", 8.0, None)
    >>> place_in_range(649.0, cd4), place_in_range(650.0, cd4), place_in_range(1501.0, cd4)
    ('below', 'within', 'above')
    """
    if value != value:
        return ""
    return "below" if value < found.lo else "above" if value > found.hi else "within"
