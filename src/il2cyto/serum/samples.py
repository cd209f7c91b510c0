"""The concentration of a sample from its wells: repeats, dilutions, limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from il2cyto.serum.inverse import estimate_concentrations
from il2cyto.serum.plates.wells import BLANK, STANDARD
from il2cyto.serum.values import LEFT, NONE, RIGHT

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from il2cyto.serum.fit import CurveFit
    from il2cyto.serum.limits import CurveLimits
    from il2cyto.serum.settings import AssaySettings

#: `value` is the limit itself where `censor` is -1 or 1, and NaN where `reason` says why there is none. `lower` and
#: `upper` are the ends of the 95 % interval; limits and value are those of the undiluted sample.
SAMPLE_COLUMNS: Final = (
    "plate", "sample", "type", "analyte", "unit", "value", "se_log", "lower", "upper", "censor", "lloq", "uloq",
    "n_replicates", "dilution", "signal", "cv_percent", "bead_count", "flags", "reason",
)  # fmt: skip
_REPEATS = 2


@dataclass(frozen=True)
class _Reading:
    """The wells of one sample at one dilution, and what the curve makes of their mean."""

    dilution: float
    signals: NDArray[np.float64]
    beads: float
    single: NDArray[np.float64]
    value: float
    se_log: float
    lower: float
    upper: float


def sample_rows(
    own: pd.DataFrame, fit: CurveFit | None, limits: CurveLimits | None, settings: AssaySettings
) -> list[dict[str, Any]]:
    """Return a row for each sample and control of one plate and analyte.

    The mean signal of the repeats of a dilution is read off the curve. Of several dilutions the least diluted within
    the range of the curve counts; where concentrations rise with dilution, the most diluted.
    """
    asked = own[~own["type"].isin([STANDARD, BLANK])]
    if fit is None or limits is None:
        return [_shared(str(name), wells) | _reported(wells) for name, wells in asked.groupby("sample", sort=False)]
    of_sample = _wells(asked)
    readings = _readings(of_sample, fit)
    return [
        dict(wells.shared) | _measured(wells, readings.get(wells.shared["sample"], []), limits, settings)
        for wells in of_sample
    ]


def _shared(sample: str, wells: pd.DataFrame) -> dict[str, Any]:
    first = wells.iloc[0]
    return {column: first[column] for column in ("plate", "type", "analyte", "unit")} | {"sample": sample}


@dataclass(frozen=True, eq=False)
class _Wells:
    """The wells of one sample: what they share, why some are left out, and of those used dilution, signal, beads."""

    shared: dict[str, Any]
    left_out: list[str]
    dilution: NDArray[np.float64]
    signal: NDArray[np.float64]
    beads: NDArray[np.float64]


def _wells(asked: pd.DataFrame) -> list[_Wells]:
    """Take the wells of each sample out of a table, which for hundreds of samples costs pandas seconds."""
    names = asked["sample"].astype(str).to_numpy()
    texts = {name: asked[name].to_numpy() for name in ("plate", "type", "analyte", "unit", "left_out")}
    numbers = {name: asked[name].to_numpy(dtype=np.float64) for name in ("dilution", "signal", "bead_count")}
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(str(name), []).append(place)
    found = []
    for name, mine in places.items():
        shared = {column: texts[column][mine[0]] for column in ("plate", "type", "analyte", "unit")}
        reasons = [str(texts["left_out"][place]) for place in mine]
        used = [place for place, reason in zip(mine, reasons, strict=True) if not reason]
        columns = (numbers[column][used] for column in ("dilution", "signal", "bead_count"))
        found.append(_Wells({**shared, "sample": name}, [reason for reason in reasons if reason], *columns))
    return found


def _readings(of_sample: list[_Wells], fit: CurveFit) -> dict[str, list[_Reading]]:
    """Read all samples off the curve at once; of each, the dilutions from the lowest on."""
    if fit.curve is None:
        return {}
    groups = [
        (wells.shared["sample"], dilution, wells.signal[same], float(wells.beads[same].min()))
        for wells in of_sample
        for dilution in sorted(set(wells.dilution[~np.isnan(wells.dilution)].tolist()))
        for same in [wells.dilution == dilution]
    ]
    readings: dict[str, list[_Reading]] = {}
    if not groups:
        return readings
    found = estimate_concentrations(fit, [one[2].mean() for one in groups], [one[2].size for one in groups])
    numbers = [array.tolist() for array in (found.value, found.se_log, found.lower, found.upper)]
    ends = np.cumsum([one[2].size for one in groups])
    singles = np.split(fit.curve.concentration(np.concatenate([one[2] for one in groups])), ends[:-1])
    for (sample, dilution, signals, beads), single, *four in zip(groups, singles, *numbers, strict=True):
        readings.setdefault(sample, []).append(_Reading(dilution, signals, beads, single, *four))
    return readings


def _nothing(reason: str, n: int = 0) -> dict[str, Any]:
    nan = math.nan
    return {
        "value": nan, "se_log": nan, "lower": nan, "upper": nan, "censor": NONE, "lloq": nan, "uloq": nan,
        "n_replicates": n, "dilution": nan, "signal": nan, "cv_percent": nan, "bead_count": nan, "flags": "",
        "reason": reason,
    }  # fmt: skip


def _measured(wells: _Wells, readings: list[_Reading], limits: CurveLimits, settings: AssaySettings) -> dict[str, Any]:
    n_used = wells.signal.size
    if n_used == 0:
        return _nothing(f"no well can be used: {'; '.join(dict.fromkeys(wells.left_out))}")
    if limits.reason:
        return _nothing(f"the curve failed: {limits.reason}", n_used)
    if np.isnan(wells.dilution).any():
        return _nothing("its dilution is not known", n_used)
    each = [_dilution(reading, limits, settings) for reading in readings]
    within = [one for one in each if one["censor"] == NONE]
    flags: list[str] = []
    if len(within) > 1:
        values = np.array([one["value"] for one in within])
        spread = 100 * float(values.std(ddof=1) / values.mean())
        if spread > settings.parallelism:
            flags.append(f"dilutions differ by {spread:.0f} % RSD")
    rising = len(within) > 1 and within[-1]["value"] > within[0]["value"] * (1 + settings.parallelism / 100)
    if rising:
        flags.append("rises with dilution (hook effect?)")
    if within:
        chosen = within[-1] if rising else within[0]
    else:
        sides = {one["censor"] for one in each}
        if len(sides) > 1 and each[0]["censor"] == LEFT:
            return _nothing("below the range at a lower dilution, above it at a higher one", n_used)
        # the tightest statement that all dilutions agree on
        chosen = each[0] if each[0]["censor"] == LEFT else each[-1]
    flags = [*chosen.pop("own_flags"), *flags]
    if wells.left_out:
        flags.append(f"{len(wells.left_out)} of {len(wells.left_out) + n_used} wells not used")
    return {**chosen, "flags": "; ".join(flags), "reason": ""}


def _dilution(reading: _Reading, limits: CurveLimits, settings: AssaySettings) -> dict[str, Any]:
    censor = LEFT if reading.value < limits.lloq else RIGHT if reading.value > limits.uloq else NONE
    bound = {LEFT: limits.lloq, RIGHT: limits.uloq}.get(censor, reading.value)
    flags = []
    cv = math.nan
    if reading.single.size >= _REPEATS and np.isfinite(reading.single).all() and reading.single.mean() > 0:
        cv = 100 * float(reading.single.std(ddof=1) / reading.single.mean())
        if censor == NONE and cv > settings.cv:
            flags.append(f"repeats differ by {cv:.0f} % CV")
    if reading.beads < settings.few_beads:
        flags.append(f"{reading.beads:g} beads")
    return {
        "value": reading.dilution * bound,
        "se_log": reading.se_log if censor == NONE else math.nan,
        "lower": reading.dilution * reading.lower,
        "upper": reading.dilution * reading.upper,
        "censor": censor,
        "lloq": reading.dilution * limits.lloq,
        "uloq": reading.dilution * limits.uloq,
        "n_replicates": reading.signals.size,
        "dilution": reading.dilution,
        "signal": float(reading.signals.mean()),
        "cv_percent": cv,
        "bead_count": reading.beads,
        "own_flags": flags,
    }


def _reported(wells: pd.DataFrame) -> dict[str, Any]:
    """A concentration as the file has it, where it has no standards."""
    told = wells[wells["value"].notna() | (wells["side"] != "")]
    if told.empty:
        return _nothing("neither standards nor a concentration")
    if told["value"].isna().any():
        return _nothing("beyond a limit that the file does not give")
    sides = set(told["side"])
    if len(sides) > 1:
        return _nothing("some of its wells lie beyond a limit and some do not", len(told))
    values = told["value"].to_numpy(dtype=np.float64)
    side = sides.pop()
    censor = {"<": LEFT, ">": RIGHT}.get(side, NONE)
    if censor == NONE and (values <= 0).any():
        return _nothing("a concentration of 0 or less, without a limit below which it lies", len(told))
    value = float(values.max() if censor == LEFT else values.min() if censor == RIGHT else values.mean())
    cv = 100 * float(values.std(ddof=1) / values.mean()) if values.size >= _REPEATS and censor == NONE else math.nan
    return {
        **_nothing("", len(told)),
        "value": value,
        "censor": censor,
        "lloq": value if censor == LEFT else math.nan,
        "uloq": value if censor == RIGHT else math.nan,
        "dilution": float(told["dilution"].iloc[0]),
        "cv_percent": cv,
        "flags": "as the file reports it",
    }
