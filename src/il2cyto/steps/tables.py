"""From the results of tubes to the tables that the counts are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from il2cyto.steps.counted import bead_lot_names, count_facts
from il2cyto.study.model import Study, TubeRecord
from il2cyto.study.rules import collection_ranks

if TYPE_CHECKING:
    import pandas as pd

_PER_UL = {"file_uL": 1.0, "file_nL": 1000.0, "file_mL": 0.001}


def acquired_volume_ul(record: TubeRecord, vol: str | None) -> float | None:
    """Return the acquired volume in µL from the sheet, or from ``$VOL`` in the unit that the sheet states."""
    if record.volume_unit not in _PER_UL:
        return record.volume_ul
    try:
        value = float(vol) if vol is not None else float("nan")
    except ValueError:
        return None
    return value / _PER_UL[record.volume_unit] if value > 0 else None


def tube_tables(
    study: Study, results: Mapping[str, Mapping[str, Any]], visits: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables ``tubes`` and ``populations`` that `counts.count_table` takes.

    Parameters
    ----------
    study
        The study.
    results
        Content of ``result.json`` by tube, for the tubes that were gated.
    visits
        One row per subject × visit, from `derive.visit_table`.
    """
    import numpy as np
    import pandas as pd

    order = collection_ranks(study.records)
    days = {(row["USUBJID"], row["AVISIT"]): row for row in visits.to_dict("records")}
    lots = bead_lot_names(study)
    tubes, populations = [], []
    for record in study.records:
        content = results.get(record.tube_id)
        if content is None:
            continue
        row = days[record.subject, record.visit]
        volume = acquired_volume_ul(record, content["vol"])
        fraction = content["retained_time_fraction"]
        tubes.append(
            {
                "study": study.id,
                "subject": record.subject,
                "arm": record.arm,
                "diagnosis": record.diagnosis,
                "visit": record.visit,
                "visit_number": study.visits[record.visit].number,
                "collection_date": record.collection_date,
                "ady": row["ADY"],
                "days_since_dose": row["DSLD"],
                "tube": record.tube,
                "tube_id": record.tube_id,
                "strategy": content["strategy"],
                "route": record.route,
                "beads_per_test": _number(record.beads_per_test),
                "blood_volume_ul": _number(record.blood_volume_ul),
                "dilution": 1.0 if record.dilution is None else record.dilution,
                "volume_ul": _number(volume),
                "repeat": record.repeat or "",
                "order": order[record.tube_id],
                "retained_time_fraction": _number(fraction),
                **count_facts(record, lots),
            }
        )
        populations += [{"tube_id": record.tube_id, **count} for count in content["counts"]]
    tube_table = pd.DataFrame(tubes)
    population_table = pd.DataFrame(populations)
    if not population_table.empty:
        for name in ("count", "parent_count", "n_undefined"):
            population_table[name] = population_table[name].astype("Int64")
        population_table["percent_parent"] = population_table["percent_parent"].astype(np.float64)
    return tube_table, population_table


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def count_specs(study: Study) -> dict[str, Any]:
    """Return by tube type the populations that carry its route; a row of the sheet may override only the route."""
    return {name: tube.count for name, tube in study.tubes.items()}
