"""From the results of tubes, read one after the other, to the tables that the counts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
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


@dataclass(frozen=True)
class TubeFacts:
    """What is kept of the result of a tube once its numbers stand in the tables."""

    repairs: tuple[tuple[str, str, str, bool], ...]
    notes: tuple[str, ...]
    missing_markers: tuple[str, ...]
    bead_slices: Mapping[str, list[int]] | None
    manifest: Mapping[str, Any]
    learnt: tuple[Mapping[str, Any], ...] = ()
    locations: Mapping[str, list[float]] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    normalised: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> TubeFacts:
        """Take the facts out of the content of ``result.json``."""
        repairs = tuple((keyword, found, assumed, affects) for keyword, found, assumed, affects in content["repairs"])
        manifest = {name: content[name] for name in _MANIFEST}
        return cls(
            repairs, tuple(content["notes"]), tuple(content["missing_markers"]), content["bead_slices"], manifest,
            tuple(content["learnt"]), content["locations"], content["quality"], content["normalised"],
        )  # fmt: skip


_MANIFEST = (
    "fcs_sha256", "strategy", "strategy_version", "strategy_sha256", "template_sha256", "panel_sha256", "n_events",
    "key",
)  # fmt: skip


def tube_tables(
    study: Study, results: Iterable[tuple[TubeRecord, Mapping[str, Any]]], visits: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables ``tubes`` and ``populations`` that `counts.count_table` takes.

    Parameters
    ----------
    study
        The study.
    results
        The tubes that were gated with the content of ``result.json``, in the order of the sheet; taken one at a time.
    visits
        One row per subject × visit, from `derive.visit_table`.
    """
    import numpy as np
    import pandas as pd

    order = collection_ranks(study.records)
    days = {(row["USUBJID"], row["AVISIT"]): row for row in visits.to_dict("records")}
    lots = bead_lot_names(study)
    tubes: list[dict[str, Any]] = []
    populations: dict[str, list[Any]] = {}
    for record, content in results:
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
                "gated_time_fraction": _number(content["gated_time_fraction"]),
                **count_facts(record, lots),
            }
        )
        for count in content["counts"]:
            # columns of shared texts weigh a tenth of rows
            for name, value in (("tube_id", record.tube_id), *count.items()):
                populations.setdefault(name, []).append(intern(value) if isinstance(value, str) else value)
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
