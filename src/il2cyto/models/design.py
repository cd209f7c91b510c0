"""Design of the model of change from baseline, and its fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from il2cyto.models.course import Course, Layout
from il2cyto.models.mixed import Fit, fit_random_intercept

_CAVEAT: Final = "non-randomised comparison adjusted for baseline only"


@dataclass(frozen=True, eq=False)
class ChangeModel:
    """A fit with the column of the design that stands for each arm and visit.

    `columns` maps an arm and the position of a visit to an effect; `df` are the degrees of freedom between subjects.
    """

    fit: Fit
    columns: dict[tuple[str, int], int]
    df: int
    n_observations: int
    method: str


def fit_change(course: Course, layout: Layout, arms: list[str]) -> ChangeModel | str:
    """Fit the change from baseline of some arms, or return why it cannot be fitted."""
    used = course.used & np.isin(layout.arms.astype(str), arms)[:, None]
    subject, visit = np.nonzero(used)
    if not len(subject):
        return "no arm has enough subjects"
    cell_of = [(str(layout.arms[i]), int(v)) for i, v in zip(subject, visit, strict=True)]
    columns = {cell: position for position, cell in enumerate(sorted(set(cell_of)))}
    design = np.zeros((len(subject), len(columns)))
    design[np.arange(len(subject)), [columns[cell] for cell in cell_of]] = 1.0
    y = np.log(course.value[subject, visit] / course.baseline[subject])
    known, number = np.unique(subject, return_inverse=True)
    log_baseline = np.log(course.baseline[known])
    centred = log_baseline - log_baseline.mean()
    between = (layout.arms[known][:, None] == np.array(arms, dtype=object)).astype(np.float64)
    adjusted = np.column_stack([design, centred[number]])
    varies = float(np.ptp(centred)) > 1e-9 and np.linalg.matrix_rank(adjusted) == adjusted.shape[1]
    if varies:
        design, between = adjusted, np.column_stack([between, centred])
    df = len(known) - int(np.linalg.matrix_rank(between))
    if df < 1 or len(y) <= design.shape[1]:
        return f"{len(y)} observations of {len(known)} subjects do not suffice for {design.shape[1]} effects"
    fit = fit_random_intercept(y, design, number.astype(np.intp))
    factors = " × ".join(
        name for name, levels in zip(("arm", "visit"), zip(*columns, strict=True), strict=True) if len(set(levels)) > 1
    )
    terms = " + ".join([factors or "1", *(["log Y0"] if varies else [])])
    method = f"{fit.method}: log(Y/Y0) ~ {terms}; t with between-subject df; {_CAVEAT}"
    return ChangeModel(fit, columns, df, len(y), method)
