"""Scores of disease activity out of their items, and items that laboratory values speak against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from il2cyto.derive.scores import (
    ESSDAI_NAME,
    SLEDAI,
    SLEDAI_NAME,
    essdai,
    essdai_band,
    sledai,
    sledai_band,
)
from il2cyto.errors import TableError
from il2cyto.outcomes.laboratory import HIGH, LOW, place
from il2cyto.outcomes.measure import Measure
from il2cyto.outcomes.people import People, placed
from il2cyto.study.clinic import LabValue
from il2cyto.study.model import Study
from il2cyto.study.outcomes import Outcome

QUERY_COLUMNS: Final = ("subject", "visit", "score", "item", "marked", "laboratory", "message")
_KNOWN: Final[Mapping[str, tuple[Callable[[Mapping[str, int]], int], Callable[[int], str], tuple[str, ...]]]] = {
    SLEDAI_NAME: (sledai, sledai_band, ("none", "mild", "moderate", "high", "very high")),
    ESSDAI_NAME: (essdai, essdai_band, ("low", "moderate", "high")),
}


def score_measures(study: Study, people: People, outcome: Outcome) -> list[Measure]:
    """Measure the total of a score; a total of part of the form is none.

    Of a score whose form is not known the items of a visit are added where they are as many as those of most visits.
    """
    items = _items(study, people, outcome)
    shape = (len(people.subjects), len(people.visits))
    values, classes = np.full(shape, np.nan), np.full(shape, "", dtype="U12")
    known = _KNOWN.get(outcome.score)
    whole = _usual(items) if known is None else frozenset()
    incomplete = []
    for (subject, visit), form in items.items():
        i, j = people.subjects.index(subject), people.visits.index(visit)
        if known is None:
            if frozenset(form) == whole:
                values[i, j] = sum(form.values())
            else:
                incomplete.append(f"{subject} {visit}")
            continue
        try:
            total = known[0]({name: int(value) for name, value in form.items()})
        except TableError:
            incomplete.append(f"{subject} {visit}")
            continue
        values[i, j], classes[i, j] = total, known[1](total)
    notes = [f"subjects with diagnosis {', '.join(outcome.diagnoses)}"] if outcome.diagnoses else []
    notes += [f"incomplete forms have no total: {', '.join(incomplete)}"] if incomplete else []
    return [
        Measure(
            "TOTAL", outcome.score, "points", values, np.zeros(shape, dtype=np.int8),
            classes=classes if known is not None else None, order=known[2] if known is not None else (),
            notes=tuple(notes),
        )
    ]  # fmt: skip


def _items(study: Study, people: People, outcome: Outcome) -> dict[tuple[str, str], dict[str, float]]:
    """Items of the score by subject and visit, of the diagnoses that the outcome is for."""
    wanted = {one.id for one in study.subjects.values() if not outcome.diagnoses or one.diagnosis in outcome.diagnoses}
    rows = [one for one in study.clinic.scores if one.score == outcome.score and one.subject in wanted]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (subject, visit, item), one in placed(study, people, rows, lambda row: row.item).items():
        found.setdefault((subject, visit), {})[item] = one.value
    return found


def _usual(items: Mapping[tuple[str, str], Mapping[str, float]]) -> frozenset[str]:
    """The set of items that most forms have."""
    forms = [frozenset(form) for form in items.values()]
    return max(sorted(set(forms), key=sorted), key=forms.count, default=frozenset())


#: Descriptors of SELENA-SLEDAI that laboratory values speak of: tests, and when a value says that it is present.
_LABORATORY: Final[Mapping[str, tuple[tuple[str, ...], Callable[[LabValue], bool | None]]]] = {
    "low_complement": (("C3", "C4"), lambda one: _is(one, LOW)),
    "increased_dna_binding": (("ADSDNA", "DSDNA", "anti-dsDNA"), lambda one: _is(one, HIGH)),
    "thrombocytopenia": (("PLAT", "PLT"), lambda one: _below(one, 100.0)),
    "leukopenia": (("WBC",), lambda one: _below(one, 3.0)),
}


def _is(one: LabValue, side: str) -> bool | None:
    where = place(one)
    return None if not where else where == side


def _below(one: LabValue, limit: float) -> bool | None:
    """Whether a count per 10⁹/L lies below a limit; another unit is not guessed."""
    if one.unit.replace(" ", "").casefold() not in ("10^9/l", "10*9/l", "x10^9/l", "10e9/l", "g/l"):
        return None
    if one.censor:
        return True if one.censor < 0 and one.value <= limit else False if one.censor > 0 else None
    return one.value < limit


def discordances(study: Study, people: People) -> pd.DataFrame:
    """List the descriptors of SELENA-SLEDAI that laboratory values of the same visit speak against.

    Nothing is corrected: a descriptor needs attribution to lupus, and a laboratory value may have another cause. Each
    row is a question for the person who filled in the form.

    Returns
    -------
    pandas.DataFrame
        Columns ``subject, visit, score, item, marked, laboratory, message``; laboratory values with their ranges.
    """
    labs = placed(study, people, study.clinic.labs, lambda row: row.test)
    rows = [one for one in study.clinic.scores if one.score == SLEDAI_NAME]
    found = []
    marks = placed(study, people, rows, lambda row: row.item)
    for (subject, visit, item), mark in sorted(marks.items(), key=lambda pair: _order(people, *pair[0])):
        if item not in _LABORATORY:
            continue
        tests, says = _LABORATORY[item]
        seen = [labs[subject, visit, test] for test in tests if (subject, visit, test) in labs]
        answers = [answer for one in seen if (answer := says(one)) is not None]
        if not answers or any(answers) == bool(mark.value):
            continue
        told = "; ".join(_tell(one) for one in seen)
        marked = "present" if mark.value else "absent"
        message = f"{item} is marked {marked} ({SLEDAI[item]} points); the laboratory values of the visit say otherwise"
        found.append((subject, visit, SLEDAI_NAME, item, int(mark.value), told, message))
    return pd.DataFrame(found, columns=list(QUERY_COLUMNS))


def _order(people: People, subject: str, visit: str, item: str) -> tuple[int, int, str]:
    return people.subjects.index(subject), people.visits.index(visit), item


def _tell(one: LabValue) -> str:
    sign = {-1: "<", 0: "", 1: ">"}[one.censor]
    low, high = ("" if np.isnan(limit) else f"{limit:g}" for limit in (one.lower, one.upper))
    span = f" ({low}-{high})" if low or high else ""
    return f"{one.test} {sign}{one.value:g} {one.unit}{span}"
