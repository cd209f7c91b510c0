"""Tubes and populations of a small study, as the tables that the counts are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from il2cyto.counts import count_table
from il2cyto.study.model import CountSpec, ErrorModel, Limits

ERRORS = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04, cv_wbc=0.05)
LIMITS = Limits(lloq_events=100, lod_events=20, min_beads=1000)
DATES = {"BL": "2021-01-04", "M1": "2021-02-03", "M3": "2021-04-05"}
NUMBERS = {"BL": 0.0, "M1": 1.0, "M3": 2.0}
DEFINITIONS = {
    "lympho": "il2cyto.lymphocytes.CD45hiSSClo.v1", "live": "il2cyto.live.viability.v1",
    "T": "il2cyto.T.CD3posCD19neg.v1", "CD4": "il2cyto.CD4T.CD4posCD8neg.v1", "CD8": "il2cyto.CD8T.CD8posCD4neg.v1",
    "B": "il2cyto.B.CD3negCD19pos.v1", "NK": "il2cyto.NK.CD3negCD19negCD16CD56pos.v1",
    "Treg": "il2cyto.Treg.CD25hiCD127lo.v1",
}  # fmt: skip
SPECS = {
    "TBNK": CountSpec("beads", beads="beads"),
    "TREG": CountSpec("chained", population="CD4", source_tube="TBNK", source_population="CD4"),
}


def tube(tube_id: str, tube: str, visit: str = "BL", subject: str = "P1", **other: Any) -> dict[str, Any]:
    row = {
        "study": "S", "subject": subject, "arm": "IL2", "diagnosis": "SLE", "visit": visit,
        "visit_number": NUMBERS[visit], "collection_date": DATES[visit], "ady": 1, "days_since_dose": None,
        "tube": tube, "tube_id": tube_id, "strategy": tube.lower(), "route": SPECS[tube].route if tube in SPECS else "",
        "beads_per_test": 50_000.0, "blood_volume_ul": 50.0, "dilution": 1.0, "volume_ul": np.nan, "alc_per_ul": np.nan,
        "repeat": "", "retained_time_fraction": 1.0, "bead_lot": "", "beads_expired": False, "alc_from_wbc": False,
        "sample_age_h": np.nan,
    }  # fmt: skip
    assert set(other) <= set(row), other
    return {**row, **other}


def counted(tube_id: str, tree: dict[str, int | None]) -> list[dict[str, Any]]:
    """Rows of the populations of a tube; ``None`` is a count that is not estimable."""
    rows = []
    for path, count in tree.items():
        parent, _, name = path.rpartition("/")
        rows.append(
            {
                "tube_id": tube_id, "population": path, "name": name, "parent": parent or "root",
                "definition": DEFINITIONS.get(name, f"d.{name}"),
                "role": {"tqc": "time_qc", "beads": "beads"}.get(name, ""), "count": count,
                "parent_count": tree[parent] if parent else 100_000, "n_undefined": 0,
                "status": "estimated" if count is not None else "not_estimable",
                "reason": "" if count is not None else "marker absent",
            }
        )  # fmt: skip
    return rows


def tables(*tubes: tuple[dict[str, Any], dict[str, int | None]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables ``tubes`` and ``populations``."""
    populations = pd.DataFrame([row for facts, tree in tubes for row in counted(facts["tube_id"], tree)])
    for column in ("count", "parent_count", "n_undefined"):
        populations[column] = populations[column].astype("Int64")
    return pd.DataFrame([facts for facts, _ in tubes]), populations


def counts_of(*tubes: tuple[dict[str, Any], dict[str, int | None]], specs: Any = None) -> pd.DataFrame:
    """The counts table of tubes, each given with its tree."""
    return count_table(*tables(*tubes), specs or SPECS, ERRORS, LIMITS)


def row(table: pd.DataFrame, **where: str) -> pd.Series:
    """The one row with these values."""
    found = table
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found) == 1, found
    return found.iloc[0]
