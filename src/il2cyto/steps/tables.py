"""From the results of tubes to the tables that the counts are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from il2cyto.study.model import Study, TubeRecord

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

    days = {(row["USUBJID"], row["AVISIT"]): row for row in visits.to_dict("records")}
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
                "alc_per_ul": _number(record.alc_per_ul),
                "repeat": record.repeat or "",
                "retained_time_fraction": _number(fraction),
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


def failure_rows(
    study: Study,
    errors: Mapping[str, tuple[str, str]],
    results: Mapping[str, Mapping[str, Any]],
    surplus: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    """Return ``failures.csv``: failures first, in the order of the sheet, then notices.

    Parameters
    ----------
    errors
        Kind and message by tube that failed.
    results
        Content of ``result.json`` by tube that was gated.
    surplus
        Workspace and file name of entries that no row of the sheet uses.
    """
    import pandas as pd

    rows: list[dict[str, str]] = []

    def add(severity: str, step: str, record: TubeRecord | None, kind: str, message: str, remedy: str) -> None:
        rows.append(
            {
                "severity": severity,
                "step": step,
                "tube_id": record.tube_id if record else "",
                "subject": record.subject if record else "",
                "visit": record.visit if record else "",
                "tube": record.tube if record else "",
                "file": record.fcs_name if record else "",
                "kind": kind,
                "message": message,
                "remedy": remedy,
            }
        )

    for record in study.records:
        if record.tube_id in errors:
            kind, message = errors[record.tube_id]
            add("failure", "gate", record, kind, message, _REMEDIES.get(kind, "see the message, then run again"))
        content = results.get(record.tube_id)
        if content is None:
            continue
        for marker in content["missing_markers"]:
            add(
                "failure",
                "gate",
                record,
                "marker missing",
                f"{record.fcs_name}: lacks marker {marker}, which its panel promises; what it gates is not estimable",
                "name the channel that carries it in the panel of this tube, or declare it 'absent' there",
            )
    for record in study.records:
        content = results.get(record.tube_id)
        if content is None:
            continue
        for keyword, found, assumed, affects in content["repairs"]:
            if affects:
                add(
                    "notice",
                    "read",
                    record,
                    "repaired",
                    f"{record.fcs_name}: {keyword} is {found!r}, read as: {assumed}",
                    "check that this is what the instrument meant",
                )
        for note in content["notes"]:
            add("notice", "gate", record, "note", f"{record.fcs_name}: {note}", "check that this is meant")
    for notice in study.notices:
        add("notice", "check", None, "sheet", str(notice), "correct the sheet if this is not meant")
    for workspace, file_name in surplus:
        add(
            "notice",
            "gate",
            None,
            "no file",
            f"{workspace}: has gates for {file_name!r}, which no row of the sample sheet names",
            "add the file to the sheet if it belongs to the study",
        )
    columns = ["severity", "step", "tube_id", "subject", "visit", "tube", "file", "kind", "message", "remedy"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


_REMEDIES = {
    "FcsError": "copy the file from the instrument again, or correct its row in the sample sheet",
    "PanelError": "correct the panel file",
    "CompensationError": "name a matrix that fits in the strategy, or take the channels uncompensated",
    "StrategyError": "correct the strategy or the panel",
    "GatingMLError": "export the gates again from the program that wrote them",
    "MemoryError": "run again with fewer jobs",
    "WorkerDied": "run again with fewer jobs; if it dies again, send the file to the developers",
}
