"""From the wells of plates to standard curves, concentrations, controls and drift."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.errors import TableError
from il2cyto.serum.controls import control_table, drift_table, shared_errors
from il2cyto.serum.fit import CurveFit, fit_curve
from il2cyto.serum.limits import CurveLimits, curve_limits
from il2cyto.serum.logistic import NAMES
from il2cyto.serum.misplaced import misplaced_standards
from il2cyto.serum.plates.maps import suspicious_standards
from il2cyto.serum.plates.wells import BLANK, CONTROL, SAMPLE, STANDARD
from il2cyto.serum.pool import pool_fits
from il2cyto.serum.samples import SAMPLE_COLUMNS, sample_rows
from il2cyto.serum.settings import AssaySettings

if TYPE_CHECKING:
    from il2cyto.serum.plates.wells import Plate

CURVE_COLUMNS: Final = (
    "plate", "analyte", "unit", "status", "reason", "model", "scale", "a", "b", "c", "d", "g", "se_a", "se_b", "se_c",
    "se_d", "se_g", "sigma", "theta", "df", "n_levels", "n_readings", "n_left_out", "lod", "lod_reason", "lloq", "uloq",
)  # fmt: skip
STANDARD_COLUMNS: Final = (
    "plate", "analyte", "unit", "expected", "n_readings", "mean_signal", "observed", "recovery_percent", "cv_percent",
    "within", "note",
)  # fmt: skip
#: Tables of an assay that a person reads, by the names of their files.
TABLES: Final = ("curves", "standards", "samples", "controls", "drift")
ACCEPTED, FAILED, REPORTED = "accepted", "failed", "reported"


@dataclass(frozen=True, eq=False)
class Assay:
    """What plates came to.

    Attributes
    ----------
    curves
        One row per plate and analyte (`CURVE_COLUMNS`): `status` is ``accepted``, ``failed`` (with a reason) or
        ``reported`` (the file has concentrations and no standards); `lod`, `lloq`, `uloq` are those of an undiluted
        sample.
    standards
        One row per plate, analyte and level above 0: what the curve makes of it.
    samples
        One row per plate, sample and analyte (`SAMPLE_COLUMNS`).
    controls, drift
        Controls against what they should hold, and samples that several plates have against their mean.
    fits
        The curves themselves, by plate and analyte.
    wells
        Every reading, with why it was left out in `left_out`.
    notes
        What was odd, a sentence each.
    """

    curves: pd.DataFrame
    standards: pd.DataFrame
    samples: pd.DataFrame
    controls: pd.DataFrame
    drift: pd.DataFrame
    fits: dict[tuple[str, str], CurveFit]
    wells: pd.DataFrame
    notes: tuple[str, ...]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return what a person reads of it, by the names of the files ``serum_NAME.csv``."""
        return {name: getattr(self, name) for name in TABLES}


def standard_readings(wells: pd.DataFrame) -> pd.DataFrame:
    """Return the wells of standards and blanks that curves are fitted to, of the table `Assay.wells`."""
    return wells[wells["type"].isin([STANDARD, BLANK]) & (wells["left_out"] == "")]


def quantify(
    plates: Sequence[Plate], settings: AssaySettings | None = None, *, done: Callable[[str], None] | None = None
) -> Assay:
    """Fit the standard curves of plates and read the concentrations of their samples.

    Parameters
    ----------
    plates
        From `il2cyto.serum.read_plate`, with maps and kits applied.
    settings
        The rules; those of `AssaySettings` by default.
    done
        Told of each analyte of each plate.

    Raises
    ------
    TableError
        If two files name the same plate and well, or an analyte has several units.

    Examples
    --------
    >>> from il2cyto.serum.logistic import Logistic
    >>> from il2cyto.serum.plates.wells import Plate, wells_table
    >>> curve = Logistic(a=20, b=1.1, c=3000, d=30000)
    >>> rows = [dict(plate="1", well=f"A{i}", sample=f"S{i}", type="S", level=str(i), analyte="IL-6", unit="pg/mL",
    ...              signal=float(curve.signal(4.0 ** i)), expected=4.0 ** i, dilution=1.0) for i in range(1, 9)]
    >>> rows.append(dict(plate="1", well="B1", sample="P1", type="U", analyte="IL-6", unit="pg/mL",
    ...                  signal=float(curve.signal(50.0)), dilution=2.0))
    >>> assay = quantify([Plate(wells_table(rows, "example"), "table")])
    >>> float(assay.samples["value"].iloc[0]).__round__(6), assay.samples["censor"].iloc[0].item()
    (100.0, 0)
    """
    settings = settings or AssaySettings()
    wells = _joined(plates)
    odd = suspicious_standards(wells)
    wells["left_out"] = _left_out(wells, odd, settings)
    notes = [note for plate in plates for note in plate.notes]
    notes += [f"standard {level} of {analyte} {why}; it is left out" for (analyte, level), why in odd.items()]
    groups = {
        (str(plate), str(analyte)): own for (plate, analyte), own in wells.groupby(["plate", "analyte"], sort=False)
    }
    fits: dict[tuple[str, str], CurveFit] = {}
    readings = {key: _standards(own) for key, own in groups.items()}
    for key, own in groups.items():
        x, y = readings[key]
        if x.size or (own["type"] == STANDARD).any():
            fits[key] = fit_curve(
                x, y, model=settings.model, scale=settings.scale, theta=settings.theta,
                least_levels=settings.least_levels,
            )  # fmt: skip
        if done is not None:
            done(f"{key[0]}, {key[1]}")
    if settings.pool:
        fits = _pooled(fits)
    limits = {key: curve_limits(fit, *readings[key], settings.acceptance) for key, fit in fits.items()}
    samples: list[dict[str, Any]] = []
    for key, own in groups.items():
        samples += sample_rows(own, fits.get(key), limits.get(key), settings)
    table = pd.DataFrame(samples, columns=list(SAMPLE_COLUMNS))
    controls = control_table(wells[wells["type"] == CONTROL], table, settings)
    unknown = table[table["type"] == SAMPLE].drop(columns="type").reset_index(drop=True)
    standards = _standard_table(groups, fits, limits, odd)
    notes += misplaced_standards(wells) or shared_errors(standards)
    return Assay(
        curves=_curve_table(groups, fits, limits),
        standards=standards,
        samples=unknown,
        controls=controls,
        drift=drift_table(table, settings),
        fits=fits,
        wells=wells,
        notes=tuple(notes),
    )


def _joined(plates: Iterable[Plate]) -> pd.DataFrame:
    wells = pd.concat([plate.wells for plate in plates], ignore_index=True)
    named = wells[wells["well"] != ""]
    twice = named[named.duplicated(["plate", "well", "analyte"])]
    if len(twice):
        one = twice.iloc[0]
        raise TableError(
            f"well {one['well']} of plate {one['plate']} stands in two files; give the plates names of their own"
        )
    units = wells[wells["unit"] != ""].groupby("analyte")["unit"].unique()
    for analyte, found in units.items():
        if len({one.casefold() for one in found}) > 1:
            raise TableError(f"{analyte}: {' and '.join(map(str, found))}; give one unit, or name the analytes apart")
    wells["unit"] = wells["analyte"].map(units.map(lambda found: found[0])).fillna("").astype(object)
    return wells


def _left_out(wells: pd.DataFrame, odd: dict[tuple[str, str], str], settings: AssaySettings) -> list[str]:
    reasons = []
    for row in wells[["type", "level", "analyte", "signal", "bead_count", "value", "side", "expected"]].to_dict(
        "records"
    ):
        if math.isnan(row["signal"]):
            reasons.append("" if not math.isnan(row["value"]) or row["side"] else "no signal")
        elif row["bead_count"] < settings.least_beads:
            reasons.append(f"{row['bead_count']:g} beads, fewer than {settings.least_beads:g}")
        elif row["type"] == STANDARD and (row["analyte"], row["level"]) in odd:
            reasons.append(f"concentration {odd[row['analyte'], row['level']]}")
        elif row["type"] == STANDARD and math.isnan(row["expected"]):
            reasons.append("concentration of this standard is not known")
        else:
            reasons.append("")
    return reasons


def _standards(own: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    used = standard_readings(own)
    return used["expected"].to_numpy(dtype=np.float64), used["signal"].to_numpy(dtype=np.float64)


def _pooled(fits: dict[tuple[str, str], CurveFit]) -> dict[tuple[str, str], CurveFit]:
    pooled = dict(fits)
    for analyte in dict.fromkeys(analyte for _, analyte in fits):
        keys = [key for key in fits if key[1] == analyte]
        pooled.update(zip(keys, pool_fits([fits[key] for key in keys]), strict=True))
    return pooled


def _curve_table(
    groups: dict[tuple[str, str], pd.DataFrame],
    fits: dict[tuple[str, str], CurveFit],
    limits: dict[tuple[str, str], CurveLimits],
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for key, own in groups.items():
        row: dict[str, Any] = {
            "plate": key[0], "analyte": key[1], "unit": own["unit"].iloc[0], "reason": "", "lod_reason": "",
            "n_left_out": int((own["left_out"] != "").sum()),
        }  # fmt: skip
        if key not in fits:
            given = own["value"].notna().any() or (own["side"] != "").any()
            why = "" if given else "no standards and no concentrations"
            rows.append({**row, "status": REPORTED if given else FAILED, "reason": why})
            continue
        fit, limit = fits[key], limits[key]
        row.update(
            status=FAILED if limit.reason else ACCEPTED, reason=limit.reason, model=fit.model,
            sigma=fit.sigma, theta=fit.theta, df=fit.df, n_levels=fit.n_levels, n_readings=fit.n_readings,
            lod=limit.lod, lod_reason=limit.lod_reason, lloq=limit.lloq, uloq=limit.uloq,
        )  # fmt: skip
        if fit.curve is not None:
            row.update({name: getattr(fit.curve, name) for name in (*NAMES, "scale")})
            row.update({f"se_{name}": value for name, value in fit.standard_errors.items()})
        rows.append(row)
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def _standard_table(
    groups: dict[tuple[str, str], pd.DataFrame],
    fits: dict[tuple[str, str], CurveFit],
    limits: dict[tuple[str, str], CurveLimits],
    odd: dict[tuple[str, str], str],
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for key in fits:
        own = groups[key]
        shared = {"plate": key[0], "analyte": key[1], "unit": own["unit"].iloc[0]}
        levels = limits[key].levels
        rows += [
            {**shared, "note": "", **dict(zip(levels.columns, level, strict=True))}
            for level in levels.itertuples(index=False, name=None)
        ]
        lost = own[(own["type"] == STANDARD) & own["level"].map(lambda level, a=key[1]: (a, level) in odd)]
        for level, wells in lost.groupby("level", sort=True):
            rows.append(
                {**shared, "expected": float(wells["expected"].iloc[0]), "n_readings": len(wells),
                 "mean_signal": float(wells["signal"].mean()), "within": False,
                 "note": f"left out: {odd[key[1], str(level)]}"}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(STANDARD_COLUMNS))
