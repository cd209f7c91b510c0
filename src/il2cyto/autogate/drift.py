"""Whether the positions of learnt gates go with arm or dose, which no gate may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the table of drift.
DRIFT_COLUMNS: Final = (
    "tube", "gate", "axis", "scope", "n_tubes", "n_positions", "position_median", "position_sd",
    "position_sd_between_batches", "location_median", "location_sd_between_batches", "p_arm", "q_arm", "p_dose",
    "q_dose", "warning",
)  # fmt: skip
#: False discovery rate of warnings, and fewest subjects of an arm, or tubes, that are tested.
RATE: Final = 0.05
_FEWEST: Final = 4


def drift_table(positions: pd.DataFrame) -> pd.DataFrame:
    """Compare positions of gates, and where their populations lie, with batch, arm and days since a dose.

    Parameters
    ----------
    positions
        One row per tube, gate and axis: ``tube, gate, axis, scope, tube_id, subject, arm, batch, days_since_dose``,
        ``position`` of the gate and ``location`` (median of the events inside) in axis units.

    Returns
    -------
    pandas.DataFrame
        One row per gate and axis, columns `DRIFT_COLUMNS`. ``p_arm``: Mann–Whitney or Kruskal–Wallis test of the mean
        position of each subject between arms. ``p_dose``: Spearman correlation of the position, less the median of its
        batch, with days since the last dose. ``q`` are p adjusted by Benjamini and Hochberg (1995) over all gates.
        A test that has too little to compare, or positions that are all one, is NaN. ``warning`` tells of positions
        alone: a population may move with treatment, its gate may not.
    """
    import pandas as pd

    rows = []
    for (tube, gate, axis), group in positions.groupby(["tube", "gate", "axis"], sort=True):
        between = group.groupby("batch")[["position", "location"]].median()
        rows.append(
            {
                "tube": tube, "gate": gate, "axis": axis, "scope": group["scope"].iloc[0], "n_tubes": len(group),
                "n_positions": int(group["position"].round(9).nunique()),
                "position_median": _median(group["position"]), "position_sd": _sd(group["position"]),
                "position_sd_between_batches": _sd(between["position"]),
                "location_median": _median(group["location"]),
                "location_sd_between_batches": _sd(between["location"]),
                "p_arm": _arm(group), "p_dose": _dose(group),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=[name for name in DRIFT_COLUMNS if name not in ("q_arm", "q_dose", "warning")])
    for name in ("arm", "dose"):
        table[f"q_{name}"] = adjusted(table[f"p_{name}"].to_numpy(dtype=np.float64))
    told = {"arm": "position goes with arm", "dose": "position goes with days since dose"}
    table["warning"] = [
        "; ".join(words for name, words in told.items() if row[f"q_{name}"] < RATE)
        for row in table[["q_arm", "q_dose"]].to_dict("records")
    ]
    return table[list(DRIFT_COLUMNS)]


def adjusted(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Benjamini and Hochberg (1995); NaN stay and do not count.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    from scipy.stats import false_discovery_control

    result = np.full(len(p), np.nan)
    known = ~np.isnan(p)
    if known.any():
        result[known] = false_discovery_control(p[known])
    return result


def _median(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.median()) if len(known) else float("nan")


def _sd(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _arm(group: pd.DataFrame) -> float:
    from scipy.stats import kruskal

    means = group.groupby(["arm", "subject"])["position"].mean()
    arms = [values.to_numpy() for _, values in means.groupby(level="arm") if len(values) >= _FEWEST]
    if len(arms) < 2 or np.ptp(np.concatenate(arms)) < 1e-9:
        return float("nan")
    return float(kruskal(*arms).pvalue)


def _dose(group: pd.DataFrame) -> float:
    from scipy.stats import spearmanr

    some = group.dropna(subset=["days_since_dose", "position"])
    position = some["position"] - some.groupby("batch")["position"].transform("median")
    days = some["days_since_dose"].to_numpy(dtype=np.float64)
    if len(some) < 2 * _FEWEST or np.ptp(position.to_numpy()) < 1e-9 or np.ptp(days) == 0:
        return float("nan")
    return float(spearmanr(position, days).pvalue)
