"""Words of the sheets that results carry: known ones as they stand, others under a number.

A cell for a diagnosis, an analyte or a unit takes any text, so it can take a patient's name. What is neither in the
package's lists of such words nor in ``words:`` of study.yaml is called ``diagnosis 1``, ``analyte 2`` and so on in
results; ``paths.csv`` tells which is which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from il2cyto.deident.vocabulary import STUDY, vocabulary
from il2cyto.errors import Problem
from il2cyto.study.clinic import Clinic
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import Study

#: Lists that hold the words of a column.
LISTS = {
    "diagnosis": STUDY, "analyte": ("analytes", "markers"), "unit": ("units",), "drug": ("drugs",),
    "group": ("drugs",), "route": ("drugs",), "test": ("tests", "analytes"), "class": ("events",),
    "score": ("scores",), "item": ("scores",),
}  # fmt: skip
#: Columns of the sheets of the clinic whose cells results may carry: part of the clinic, field, name of the column.
_CLINIC = (
    ("drugs", "drug", "drug"), ("drugs", "group", "group"), ("drugs", "route", "route"), ("labs", "test", "test"),
    ("labs", "unit", "unit"), ("scores", "score", "score"), ("scores", "item", "item"),
    ("events", "event_class", "class"),
)  # fmt: skip
_SHEETS = {"drugs": "conmeds", "labs": "labs", "scores": "scores", "events": "ae"}


def with_public_words(study: Study) -> Study:
    """Return the study with a number in place of every word that could be a name, and a notice for each."""
    diagnoses = _numbered("diagnosis", (record.diagnosis for record in study.records), study.words)
    analytes = _numbered("analyte", (value.analyte for value in study.serum_values), study.words)
    units = _numbered("unit", (value.unit for value in study.serum_values), study.words)
    found = [("samples", "diagnosis", diagnoses), ("serum", "analyte", analytes), ("serum", "unit", units)]
    clinic, coded = _public_clinic(study)
    found += coded
    notices = [
        Problem(study.files[role], None, column, word, _MESSAGE.format(column=column, code=code))
        for role, column, codes in found
        for word, code in codes.items()
    ]
    if not notices:
        return study
    return replace(
        study,
        records=tuple(replace(one, diagnosis=diagnoses.get(one.diagnosis, one.diagnosis)) for one in study.records),
        subjects=FrozenMapping(
            {
                key: replace(one, diagnosis=diagnoses.get(one.diagnosis, one.diagnosis))
                for key, one in study.subjects.items()
            }
        ),
        serum_values=tuple(
            replace(one, analyte=analytes.get(one.analyte, one.analyte), unit=units.get(one.unit, one.unit))
            for one in study.serum_values
        ),
        clinic=clinic,
        notices=(*study.notices, *notices),
    )


def _public_clinic(study: Study) -> tuple[Clinic, list[tuple[str, str, dict[str, str]]]]:
    """Return the clinic with numbers in place of unknown words, and the words by sheet and column."""
    allowed = (*study.words, *_declared(study))
    clinic, found = study.clinic, []
    for part, name, column in _CLINIC:
        rows = getattr(clinic, part)
        codes = _numbered(column, (getattr(row, name) for row in rows), allowed)
        if codes:
            coded = tuple(replace(row, **{name: codes.get(getattr(row, name), getattr(row, name))}) for row in rows)
            parts: dict[str, Any] = {part: coded}
            clinic = replace(clinic, **parts)
            found.append((_SHEETS[part], column, codes))
    return clinic, found


def _declared(study: Study) -> list[str]:
    """Words of the outcomes: the study file declares what results call them."""
    return [
        word
        for one in study.outcomes
        for word in (*one.tests, one.score, one.group, *one.classes, *one.prednisone_5_mg)
    ]


_MESSAGE = (
    "a word that is not known to name no patient: results call it {code!r}. "
    "List it under `words:` in study.yaml to let results carry it"
)


def word_codes(column: str, words: Iterable[str], study: Study) -> dict[str, str]:
    """Return a number for each word of a column of plates that is neither known nor declared by the study."""
    numbers = _numbered(column, (word for word in words if word), study.words)
    return {word: f"plate {code}" for word, code in numbers.items()}


def _numbered(column: str, words: Iterable[str], declared: Iterable[str]) -> dict[str, str]:
    """Number the words that are neither known nor declared, in the order in which they stand."""
    known, allowed = vocabulary(*LISTS[column]), set(declared)
    unknown = [word for word in dict.fromkeys(words) if word not in allowed and word not in known]
    return {word: f"{column} {number}" for number, word in enumerate(unknown, start=1)}
