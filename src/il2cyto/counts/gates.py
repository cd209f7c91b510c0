"""Where the gate behind each count comes from, and its error beside that of counting."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from il2cyto.counts.intervals import Z95, combine_limits

#: Columns that `with_gates` adds.
GATE_COLUMNS: Final = ("gate_status", "gate_source", "gate_lower", "gate_upper", "cv_gate", "cv_counting")
#: From the strongest to the weakest; a sum of tubes has the weakest of theirs.
GATE_STATUSES: Final = ("overridden", "fixed", "estimated", "borrowed", "template", "not_estimable")


def with_gates(counts: pd.DataFrame, populations: pd.DataFrame) -> pd.DataFrame:
    """Return the counts table with the gate of each population, and limits that hold its error too.

    Parameters
    ----------
    counts
        From `count_table`.
    populations
        The table that it was made from, with ``gate_status, gate_source, gate_lower, gate_upper, cv_gate`` of each tube
        and population: limits in percent of the parent and the standard deviation of the log of that percentage over
        bootstrap samples of the gate; missing where a gate was not learnt.

    Returns
    -------
    pandas.DataFrame
        With `GATE_COLUMNS` behind the others. ``cv_gate`` joins the gates from the root to the population, as the
        square root of the sum of squares; ``cv_counting`` is what ``cv`` was, and ``cv`` and the limits of cells/µL
        hold both. Missing where a gate on the path stands at the place of the template or is not estimable: nothing
        tells how far it may be off, and the limits hold the error of counting alone. Boolean gates add nothing.
        Of a sum of tubes, status and source are those of its weakest gate, and limits of percentages are missing.

    Notes
    -----
    Tubes of a batch share most gates. Their errors cancel in comparisons within a batch, so these limits are too wide
    for a change between visits of one batch; between batches they hold.
    """
    if counts.empty or "gate_status" not in populations:
        return counts.assign(**{name: pd.Series(dtype=_dtype(name)) for name in GATE_COLUMNS})
    rows = {
        (tube_id, path): (status, source, lower, upper, cv)
        for tube_id, path, status, source, lower, upper, cv in populations[
            ["tube_id", "population", "gate_status", "gate_source", "gate_lower", "gate_upper", "cv_gate"]
        ].itertuples(index=False)
    }
    found = []
    for tube_ids, path in zip(counts["tube_id"], counts["population"], strict=True):
        names = path.split("/")
        above = ["/".join(names[: k + 1]) for k in range(len(names))]
        several = [[rows[tube_id, one] for one in above if (tube_id, one) in rows] for tube_id in tube_ids.split("+")]
        whole = [sum(_square(row[0], row[4]) for row in one) for one in several]
        own = [rows[tube_id, path] for tube_id in tube_ids.split("+") if (tube_id, path) in rows]
        weakest = max(own, key=lambda row: GATE_STATUSES.index(row[0]), default=("fixed", "", np.nan, np.nan, np.nan))
        limits = weakest[2:4] if len(several) == 1 else (np.nan, np.nan)
        found.append((*weakest[:2], *limits, float(np.sqrt(np.mean(whole))) if whole else 0.0))
    added = pd.DataFrame(found, columns=list(GATE_COLUMNS[:5]), index=counts.index)
    added = added.astype(dict.fromkeys(GATE_COLUMNS[2:5], np.float64))
    result = pd.concat([counts, added], axis=1)
    result["cv_counting"] = result["cv"]
    widened = (result["cv_gate"] > 0) & result["cells_per_ul"].notna()
    half = Z95 * result.loc[widened, "cv_gate"]
    result.loc[widened, "cv"] = np.hypot(result.loc[widened, "cv"], result.loc[widened, "cv_gate"])
    for low, high in (("lower", "upper"), ("lower_within_lot", "upper_within_lot")):
        some = widened & result[low].notna()
        wide = combine_limits(
            result.loc[some, "cells_per_ul"], result.loc[some, low], result.loc[some, high], half[some], half[some]
        )
        result.loc[some, low], result.loc[some, high] = wide
    return result


def _square(status: str, cv: float | None) -> float:
    if cv is not None and not np.isnan(cv):
        return float(cv) ** 2
    # nothing tells how far a gate that was not learnt may be off
    return float("nan") if status in ("template", "not_estimable") else 0.0


def _dtype(name: str) -> Any:
    return object if name in ("gate_status", "gate_source") else np.float64
