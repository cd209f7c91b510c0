"""Which gates a person should look at first: those that could change the result most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the queue.
REVIEW_COLUMNS: Final = (
    "tube_id", "subject", "visit", "population", "gate_status", "gate_source", "percent_parent", "gate_lower",
    "gate_upper", "change_percent", "modelled", "why",
)  # fmt: skip
#: What stands nowhere, or somewhere else, comes before what is only uncertain.
_RANK: Final = {"not_estimable": 0, "template": 1, "borrowed": 2, "estimated": 3}
_WHY: Final = {
    "not_estimable": "has no count: the gate is not estimable",
    "template": "stands where the template has it: nothing could be learnt",
    "borrowed": "borrowed from a wider unit",
    "estimated": "the percentage moves most within the bootstrap of its gate",
}


def review_queue(counts: pd.DataFrame, modelled: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return tubes × learnt gates, those first that could change the result most.

    Parameters
    ----------
    counts
        The counts table with its gates (`il2cyto.counts.with_gates`).
    modelled
        Names of populations that are modelled; empty means all.

    Returns
    -------
    pandas.DataFrame
        Columns `REVIEW_COLUMNS`. ``change_percent`` is the largest relative change of the percentage of the parent
        within the interval of the gate, NaN where there is no interval. Order: not estimable, at the template's place,
        borrowed, estimated; within each the modelled populations first, then by ``change_percent``, then by tube.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"tube_id": "T1", "subject": "P1", "visit": "BL", "population": "CD4/Treg", "gate_status": "estimated",
    ...        "gate_source": "batch B1 (3 tubes)", "percent_parent": 5.0, "gate_lower": 4.0, "gate_upper": 5.5}
    >>> float(review_queue(pd.DataFrame([row]))["change_percent"].iloc[0].round(1))
    20.0
    """
    learnt = counts[counts["gate_status"].isin(list(_RANK))].copy()
    percent = learnt["percent_parent"].to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = learnt["gate_upper"].to_numpy(dtype=np.float64) / percent - 1.0
        down = 1.0 - learnt["gate_lower"].to_numpy(dtype=np.float64) / percent
    learnt["change_percent"] = 100.0 * np.fmax(up, down)
    learnt["modelled"] = [not modelled or str(path).rpartition("/")[2] in modelled for path in learnt["population"]]
    learnt["why"] = learnt["gate_status"].map(_WHY)
    learnt["_rank"] = learnt["gate_status"].map(_RANK)
    ordered = learnt.sort_values(
        ["_rank", "modelled", "change_percent", "tube_id", "population"],
        ascending=[True, False, False, True, True],
        kind="stable",
    )
    return ordered[list(REVIEW_COLUMNS)].reset_index(drop=True)
