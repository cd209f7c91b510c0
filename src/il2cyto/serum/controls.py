"""Controls against what they should hold, and drift between plates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.serum.plates.wells import CONTROL
from il2cyto.serum.values import NONE

if TYPE_CHECKING:
    from il2cyto.serum.settings import AssaySettings

CONTROL_COLUMNS: Final = (
    "plate", "sample", "analyte", "unit", "expected", "observed", "bias_percent", "cv_percent", "within", "note",
)  # fmt: skip
DRIFT_COLUMNS: Final = ("analyte", "sample", "plate", "observed", "mean", "n_plates", "deviation_percent", "warning")
#: Analytes, and the share of them, that must miss a standard the same way, and by how many percent in the median.
_LEAST_ANALYTES, _SHARED, _OFF = 5, 0.9, 15.0
#: Plates on which a sample must be, to tell of drift.
_PLATES = 2


def control_table(wells: pd.DataFrame, samples: pd.DataFrame, settings: AssaySettings) -> pd.DataFrame:
    """Return one row per plate, control and analyte: what it holds by the curve and what it should hold.

    `within` is False where bias or scatter are too large and where it lies outside the range; NaN where it is not known
    what the control holds.
    """
    expected = wells.groupby(["plate", "sample", "analyte"])["expected"].first()
    rows: list[dict[str, Any]] = []
    for row in samples[samples["type"] == CONTROL].to_dict("records"):
        wanted = float(expected.get((row["plate"], row["sample"], row["analyte"]), np.nan))
        inside = row["censor"] == NONE and not np.isnan(row["value"])
        # a control is made up in the well: what it should hold is what the curve reads, before dilution is put right
        observed = row["value"] / row["dilution"] if inside else np.nan
        bias = 100 * (observed / wanted - 1) if wanted > 0 else np.nan
        note = row["reason"] or ("" if inside else "outside the range of the curve")
        within: Any = np.nan
        if wanted > 0:
            within = bool(inside and abs(bias) <= settings.control_bias and not row["cv_percent"] > settings.control_cv)
        rows.append(
            {name: row[name] for name in ("plate", "sample", "analyte", "unit", "cv_percent")}
            | {"expected": wanted, "observed": observed, "bias_percent": bias, "within": within, "note": note}
        )
    return pd.DataFrame(rows, columns=list(CONTROL_COLUMNS))


def shared_errors(standards: pd.DataFrame) -> list[str]:
    """Return a sentence for each standard of a plate that all analytes read too high, or all too low.

    One analyte misses a standard because its curve does; nearly all miss it the same way because it was made wrongly.
    """
    known = standards[np.isfinite(standards["recovery_percent"]) & (standards["recovery_percent"] > 0)]
    rank = known.groupby(["plate", "analyte"])["expected"].rank()
    told = []
    for (plate, number), own in known.groupby([known["plate"], rank], sort=True):
        logs = np.log(own["recovery_percent"].to_numpy(dtype=np.float64) / 100)
        high = int((logs > 0).sum())
        off = 100 * (np.exp(np.median(logs)) - 1)
        if logs.size >= _LEAST_ANALYTES and max(high, logs.size - high) >= _SHARED * logs.size and abs(off) > _OFF:
            side = "high" if off > 0 else "low"
            told.append(
                f"standard {number:g} from the lowest of {plate} reads {abs(off):.0f} % too {side}, "
                f"{max(high, logs.size - high)} of {logs.size} analytes alike: an error of dilution or pipetting?"
            )
    return told


def drift_table(samples: pd.DataFrame, settings: AssaySettings) -> pd.DataFrame:
    """Return one row per plate of each sample or control that several plates have, against its geometric mean."""
    rows: list[tuple[Any, ...]] = []
    inside = samples[(samples["censor"] == NONE) & samples["value"].notna()]
    keys = ["analyte", "sample"]
    # most samples stand on one plate: those are not looked at one by one
    n_plates = inside.drop_duplicates([*keys, "plate"]).groupby(keys)["plate"].transform("size")
    several = inside.loc[n_plates.index[n_plates >= _PLATES], keys].drop_duplicates()
    for (analyte, sample), own in inside.merge(several, on=keys).groupby(keys, sort=True):
        logs = np.log(own["value"].to_numpy(dtype=np.float64))
        for plate, value, log in zip(own["plate"], own["value"], logs, strict=True):
            deviation = 100 * (np.exp(log - logs.mean()) - 1)
            warning = "" if abs(deviation) <= settings.drift else f"more than {settings.drift:g} % off on this plate"
            rows.append((analyte, sample, plate, value, np.exp(logs.mean()), len(own), deviation, warning))
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS))
