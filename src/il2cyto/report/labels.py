"""Subjects, visits and texts in the order in which the page numbers them."""

from __future__ import annotations

from typing import Any

from il2cyto.report.inputs import ReportInputs, Visit
from il2cyto.report.numbers import words


class Texts:
    """Texts in order of first use; index 0 is the empty one."""

    def __init__(self) -> None:
        self._index = {"": 0}

    def __call__(self, value: Any) -> int:
        return self._index.setdefault(words(value), len(self._index))

    def all(self) -> list[str]:
        return list(self._index)


def ordered_visits(inputs: ReportInputs) -> tuple[Visit, ...]:
    """The visits by number, then by id."""
    return tuple(sorted(inputs.visits, key=lambda visit: (visit.number, visit.id)))


def list_subjects(inputs: ReportInputs) -> list[tuple[str, str, str]]:
    """``(subject, arm, diagnosis)`` of every subject that a table names, by arm as listed, then by id."""
    order = {arm.id: position for position, arm in enumerate(inputs.arms)}
    found: dict[str, tuple[str, str]] = {}
    for table in (inputs.visit_counts, inputs.counts, inputs.subjects):
        if table is None:
            continue
        for subject, arm, diagnosis in table[["subject", "arm", "diagnosis"]].drop_duplicates().itertuples(index=False):
            found.setdefault(words(subject), (words(arm), words(diagnosis)))
    for subject, arm in inputs.missing_visits[["subject", "arm"]].drop_duplicates().itertuples(index=False):
        found.setdefault(words(subject), (words(arm), ""))
    for subject in inputs.failures["subject"]:
        if words(subject):
            found.setdefault(words(subject), ("", ""))
    rows = [(subject, *rest) for subject, rest in found.items()]
    return sorted(rows, key=lambda row: (order.get(row[1], len(order)), row[0]))
