"""Table 1: the arms before treatment, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.outcomes.drugs import body_of
from il2cyto.outcomes.measure import Floats, Measure
from il2cyto.outcomes.people import People
from il2cyto.study.model import Study
from il2cyto.study.outcomes import SURFACES

BASELINE_COLUMNS: Final = (
    "characteristic", "category", "unit", "arm", "n", "of", "percent", "mean", "sd", "median", "q1", "q3",
    "standardised_difference",
)  # fmt: skip


def baseline_table(study: Study, people: People, measures: Sequence[Measure]) -> pd.DataFrame:
    """Describe the arms at baseline.

    Parameters
    ----------
    study, people
        Whom.
    measures
        Of outcomes; their values at baseline are told.

    Returns
    -------
    pandas.DataFrame
        Columns `BASELINE_COLUMNS`. ``standardised_difference`` is that of an arm from the reference: means or shares
        over the root of the mean of both variances (Austin, Statistics in Medicine 28 (2009) 3083). There is no
        p-value: arms that were not randomised differ, and a test tells the number of subjects.
    """
    rows = list(_numbers("Age", "years", people.ages, people))
    rows += _classes("Sex", people.sexes, people)
    rows += _classes("Diagnosis", people.diagnoses, people)
    if study.clinic.vitals and people.visits:
        body = body_of(study, people, SURFACES[0])
        rows += _numbers("Weight", "kg", body.weight_kg[:, 0], people)
        rows += _numbers("Body surface area", "m2", body.surface_m2[:, 0], people)
    for one in measures:
        limits = np.where(one.censor[:, 0] == 0, one.values[:, 0], np.nan) if one.values.size else np.zeros(0)
        if np.isnan(limits).all():
            continue
        rows += _numbers(one.label, one.unit, limits, people)
    return pd.DataFrame(rows, columns=list(BASELINE_COLUMNS))


def _numbers(name: str, unit: str, values: Floats, people: People) -> Iterator[dict[str, object]]:
    for arm in people.arm_names:
        here = values[people.arms == arm]
        known = here[~np.isnan(here)]
        row: dict[str, object] = {"characteristic": name, "category": "", "unit": unit, "arm": arm, "n": len(known),
                                  "of": len(here)}  # fmt: skip
        if len(known):
            q1, median, q3 = np.quantile(known, (0.25, 0.5, 0.75))
            sd = float(known.std(ddof=1)) if len(known) > 1 else np.nan
            row |= {"mean": float(known.mean()), "sd": sd, "median": median, "q1": q1, "q3": q3}
        other = values[people.arms == (people.reference or "")]
        other = other[~np.isnan(other)]
        if arm != people.reference and min(len(known), len(other)) > 1:
            spread = np.sqrt((known.var(ddof=1) + other.var(ddof=1)) / 2)
            row["standardised_difference"] = _over(float(known.mean() - other.mean()), float(spread))
        yield row


def _classes(name: str, texts: NDArray[np.str_], people: People) -> Iterator[dict[str, object]]:
    known = texts != ""
    reference = people.arms == (people.reference or "")
    for category in sorted(set(texts[known].tolist())):
        for arm in people.arm_names:
            here = (people.arms == arm) & known
            k, n = int((texts[here] == category).sum()), int(here.sum())
            row: dict[str, object] = {"characteristic": name, "category": category, "unit": "", "arm": arm, "n": k,
                                      "of": n}  # fmt: skip
            if n:
                row["percent"] = 100 * k / n
            others = reference & known
            if arm != people.reference and n and others.any():
                p, q = k / n, float((texts[others] == category).mean())
                row["standardised_difference"] = _over(p - q, float(np.sqrt((p * (1 - p) + q * (1 - q)) / 2)))
            yield row


def _over(difference: float, spread: float) -> float:
    return difference / spread if spread > 0 else 0.0 if difference == 0 else float("nan")
