"""Words of the sheets that results carry: known ones as they stand, others under a number.

A cell for a diagnosis, an analyte or a unit takes any text, so it can take a patient's name. What is neither in the
package's lists of such words nor in ``words:`` of study.yaml is called ``diagnosis 1``, ``analyte 2`` and so on in
results; ``paths.csv`` tells which is which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from il2cyto.deident.vocabulary import STUDY, vocabulary
from il2cyto.errors import Problem
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import Study

#: Lists that hold the words of a column.
LISTS = {"diagnosis": STUDY, "analyte": ("analytes", "markers"), "unit": ("units",)}


def with_public_words(study: Study) -> Study:
    """Return the study with a number in place of every word that could be a name, and a notice for each."""
    diagnoses = _numbered("diagnosis", (record.diagnosis for record in study.records), study.words)
    analytes = _numbered("analyte", (value.analyte for value in study.serum_values), study.words)
    units = _numbered("unit", (value.unit for value in study.serum_values), study.words)
    found = [("samples", "diagnosis", diagnoses), ("serum", "analyte", analytes), ("serum", "unit", units)]
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
        notices=(*study.notices, *notices),
    )


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
