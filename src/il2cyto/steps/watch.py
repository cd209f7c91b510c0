"""Tables of learnt gates for people: what to look at first, where gates stand, and what their positions go with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from il2cyto.autogate.drift import DRIFT_COLUMNS, drift_table
from il2cyto.autogate.review import review_queue
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.steps.tables import TubeFacts

#: Columns of ``gates.csv``.
GATE_COLUMNS: Final = (
    "tube_id", "subject", "arm", "visit", "batch", "instrument", "days_since_dose", "tube", "gate", "axis", "scope",
    "unit", "method", "gate_status", "position", "position_sd", "location", "separation", "n_events", "n_tubes",
    "reason",
)  # fmt: skip


def gate_positions(study: Study, facts: Mapping[str, TubeFacts], visits: pd.DataFrame) -> pd.DataFrame:
    """Return where every learnt gate of every tube stands: one row per tube, gate and axis.

    Parameters
    ----------
    study
        The study.
    facts
        Of the tubes that were gated, by id.
    visits
        From `derive.visit_table`.
    """
    import pandas as pd

    days = {(row["USUBJID"], row["AVISIT"]): row["DSLD"] for row in visits.to_dict("records")}
    rows: list[dict[str, Any]] = []
    for record in study.records:
        if record.tube_id not in facts:
            continue
        since = days[record.subject, record.visit]
        here = {
            "tube_id": record.tube_id, "subject": record.subject, "arm": record.arm, "visit": record.visit,
            "batch": record.batch or "", "instrument": record.instrument or "",
            "days_since_dose": float("nan") if pd.isna(since) else float(since), "tube": record.tube,
        }  # fmt: skip
        found = facts[record.tube_id]
        for gate in found.learnt:
            common = {
                **here, "gate": gate["name"].rpartition("/")[2], "scope": gate["scope"], "unit": gate["unit"],
                "method": gate["method"], "gate_status": gate["status"], "separation": gate["separation"],
                "n_events": gate["n_events"], "n_tubes": len(gate["learnt_from"]), "reason": gate["reason"],
            }  # fmt: skip
            places = found.locations.get(gate["name"], [])
            for axis, (position, deviation) in enumerate(_centre(gate)):
                location = places[axis] if axis < len(places) else None
                rows.append(
                    {**common, "axis": axis, "position": position, "position_sd": deviation, "location": location}
                )
    table = pd.DataFrame(rows, columns=list(GATE_COLUMNS))
    numbers = ["days_since_dose", "position", "position_sd", "location", "separation"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _centre(gate: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Position of a gate on each axis with its standard deviation: a threshold, or the mean of the corners."""
    place, deviation = gate["place"], gate["sd"] or [float("nan")] * len(gate["place"])
    if gate["kind"] == "cut":
        return list(zip(place[:1] or [float("nan")], deviation[:1] or [float("nan")], strict=True))
    if len(place) == 2:
        return list(zip(place, deviation, strict=True))
    if not place:
        return [(float("nan"), float("nan"))] * 2
    corners = len(place) // 2
    return [(sum(place[k::2]) / corners, sum(deviation[k::2]) / corners) for k in (0, 1)]


def drift_of(positions: pd.DataFrame) -> pd.DataFrame:
    """Return the table of drift; no rows where nothing is learnt."""
    import pandas as pd

    known = positions.dropna(subset=["position"])
    return drift_table(known) if len(known) else pd.DataFrame(columns=list(DRIFT_COLUMNS))


def queue_of(study: Study, counts: pd.DataFrame) -> pd.DataFrame:
    """Return the review queue of a study."""
    return review_queue(counts, study.model_populations)
