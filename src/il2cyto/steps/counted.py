"""What a run makes of its counts besides the counts table: checks with their notices, and the trial team's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gating import GatingResult
from il2cyto.keys import ROOT
from il2cyto.study.model import Study, TubeRecord

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.steps.failures import Finding


def bead_lot_names(study: Study) -> dict[str, str]:
    """Bead lots as results call them: declared ones by their ids, others by number, for such a cell takes any text."""
    written = dict.fromkeys(record.bead_lot for record in study.records if record.bead_lot)
    others = [lot for lot in written if lot not in study.bead_lots]
    return {lot: lot for lot in study.bead_lots} | {lot: f"lot {number}" for number, lot in enumerate(others, start=1)}


def count_facts(record: TubeRecord, lots: Mapping[str, str]) -> dict[str, Any]:
    """Columns of the tubes table that say where a tube's beads and lymphocytes/µL are from."""
    alc, age = record.lymphocytes_per_ul, record.sample_age_h
    return {
        "alc_per_ul": np.nan if alc is None else alc,
        "alc_from_wbc": alc is not None and record.alc_per_ul is None,
        "bead_lot": lots.get(record.bead_lot or "", ""),
        "beads_expired": record.beads_expired,
        "sample_age_h": np.nan if age is None else age,
    }


def bead_slices(result: GatingResult, beads: str | None) -> dict[str, list[int]] | None:
    """Beads along the acquisition, ``None`` without beads or without a time channel; `beads` names their population."""
    from il2cyto.counts.slices import time_slices
    from il2cyto.counts.tree import find_population

    times = [channel.index for channel in result.sample.channels if channel.is_time]
    paths = result.strategy.paths
    place = find_population(paths, beads) if beads else None
    if place is None or result.reasons[place] or len(times) != 1:
        return None
    above = paths[place].rpartition("/")[0] or ROOT
    inside = result.membership(above)
    return time_slices(result.sample.linear(times)[inside, 0], result.membership(paths[place])[inside])


def count_findings(study: Study, counts: pd.DataFrame, checked: pd.DataFrame) -> tuple[Finding, ...]:
    """Notices about failed checks, one per tube, and about routes that change, one per subject and tube type."""
    from il2cyto.steps.failures import Finding

    records = {record.tube_id: record for record in study.records}
    found: list[Finding] = []

    def add(kind: str, tube_id: str, message: str, remedy: str) -> None:
        # sums and draws are named in the message; the place is their first tube
        record = next(
            (records[part] for part in (tube_id, *tube_id.replace("+", " ").split()) if part in records), None
        )
        found.append(Finding("notice", "counts", record, kind, message, message, remedy))

    failed = checked[checked["verdict"].eq("fail")]
    for tube_id, group in failed.groupby("tube_id", sort=False):
        rows = group[["check", "population", "value", "unit", "limit"]].itertuples(index=False, name=None)
        add("check failed", str(tube_id), f"{tube_id}: {_told(rows)}", "see checks.csv; nothing was corrected")
    # a mask of booleans even where the table is empty: an empty list would choose no columns
    changed = counts[np.array(["route_changed" in flags.split(";") for flags in counts["flags"]], dtype=bool)]
    for (subject, strategy), group in changed.groupby(["subject", "strategy"], sort=False):
        visits = group.drop_duplicates("tube_id")[["visit", "route", "tube_id"]]
        routes = ", ".join(f"{visit} {route}" for visit, route, _ in visits.itertuples(index=False, name=None))
        message = (
            f"{subject}: {group['population'].nunique()} populations of {strategy} came to cells/µL by different "
            f"routes ({routes}); all their rows are flagged"
        )
        add("route changed", str(visits["tube_id"].iloc[0]), message, "compare within one route, or use percentages")
    return tuple(found)


def _told(rows: Iterable[Sequence[Any]]) -> str:
    told = []
    for check, population, value, unit, limit in rows:
        name = f"{check} ({population})" if population else check
        told.append(f"{name} = {value:.4g} {unit}, wanted {limit}")
    return "; ".join(told)


def write_trial(trial: pd.DataFrame, out: Path) -> None:
    """Write ``trial_table.csv``, ``.parquet`` and ``.xlsx``."""
    from il2cyto.counts.trialbook import trial_sheets
    from il2cyto.counts.workbook import write_workbook
    from il2cyto.steps.outputs import write_parquet, write_table

    write_table(trial, out / "trial_table.csv")
    write_parquet(trial, out / "trial_table.parquet")
    write_workbook(out / "trial_table.xlsx", trial_sheets(trial))
