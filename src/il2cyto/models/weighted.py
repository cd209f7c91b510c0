"""Change of cells/µL from baseline between arms, with overlap weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.errors import ParameterError
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.change import DIFFERENCE, covariates_at_baseline
from il2cyto.models.course import choose_populations, lay_out, population_course
from il2cyto.models.exact import benjamini_hochberg
from il2cyto.models.overlap import propensity, weighted_difference
from il2cyto.visits import check_visits

if TYPE_CHECKING:
    from anndata import AnnData

OVERLAP_COLUMNS: Final = (
    "strategy", "population", "definition", "arm", "visit", "contrast", "n_subjects", "n_effective",
    "n_effective_reference", "ratio_to_baseline", "lower", "upper", "log_estimate", "log_se", "p_value", "p_adjusted",
    "n_left_out", "method", "status", "reason",
)  # fmt: skip
#: What the propensity knows besides the log baseline.
BEFORE: Final = ("AGE", "SEX", "DIAGNOSIS")
_METHOD: Final = (
    "ratio of geometric mean changes with overlap weights; propensity of log Y0, AGE, SEX and DIAGNOSIS by {fit}; t "
    "limits; arms were not randomised"
)


def change_with_overlap_weights(
    visits: AnnData, *, baseline: str | None, reference_arm: str | None, populations: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare the log change from baseline of each arm with the reference's where the arms overlap.

    Each visit by itself: subjects are weighted by the probability of the other arm (`il2cyto.models.overlap`), given
    log baseline, age, sex and diagnosis. It stands for the subjects who may have come into either arm, and leans on no
    model of the change; beside the baseline-adjusted model it says how far the result depends on that model.

    Parameters
    ----------
    visits, baseline, reference_arm, populations
        As for `il2cyto.models.change_from_baseline`; without a baseline or a reference arm the table is empty.

    Returns
    -------
    pandas.DataFrame
        Columns `OVERLAP_COLUMNS`, a row per population, arm and later visit. ``ratio_to_baseline`` is the ratio of both
        arms' geometric mean ratios. Cells/µL of 0 have no logarithm: ``n_left_out`` counts them with changes whose
        covariates are not known.
    """
    check_visits(visits)
    rows: list[dict[str, Any]] = []
    layout = lay_out(visits.obs, baseline)
    arms = layout.arms.astype(str)
    if baseline is not None and reference_arm in set(arms):
        before = covariates_at_baseline(visits.obs, layout, BEFORE)
        for column in choose_populations(visits, populations):
            if np.isnan(np.asarray(visits.X)[:, column]).all():
                continue
            course = population_course(visits, column, layout).of(before.complete)
            names = {name: visits.var[name].iloc[column] for name in ("strategy", "population", "definition")}
            for arm in sorted(set(arms) - {str(reference_arm)}):
                for place, visit in enumerate(layout.visits):
                    here = np.isin(arms, [arm, str(reference_arm)])
                    used = course.used[:, place] & here
                    lost = int(((course.left_out | course.no_covariate)[:, place] & here).sum())
                    row = {**names, "arm": f"{arm} / {reference_arm}", "visit": visit, "contrast": DIFFERENCE,
                           "n_subjects": int(used.sum()), "n_left_out": lost, "method": ""}  # fmt: skip
                    log_baseline = np.log(course.baseline[used])
                    change = np.log(course.value[used, place]) - log_baseline
                    try:
                        scores = propensity(arms[used] == arm, np.column_stack([log_baseline, before.columns[used]]))
                        found = weighted_difference(change, arms[used] == arm, scores)
                    except ParameterError as error:
                        rows.append({**row, "status": NOT_ESTIMABLE, "reason": str(error)})
                        continue
                    rows.append(
                        {**row, "n_effective": found.n_effective[0], "n_effective_reference": found.n_effective[1],
                         "ratio_to_baseline": float(np.exp(found.estimate)), "lower": float(np.exp(found.lower)),
                         "upper": float(np.exp(found.upper)), "log_estimate": found.estimate, "log_se": found.se,
                         "p_value": found.p_value, "method": _METHOD.format(fit=scores.method), "status": ESTIMATED,
                         "reason": ""}
                    )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(OVERLAP_COLUMNS))
    table["p_value"] = table["p_value"].astype(np.float64)
    table["p_adjusted"] = table.groupby(["arm", "visit"], sort=False)["p_value"].transform(benjamini_hochberg)
    return table
