"""Serum concentrations over visits by arm: detection, geometric means and changes, with censored values as limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.errors import ParameterError, TableError, did_you_mean
from il2cyto.keys import ESTIMATED, NOT_ESTIMABLE
from il2cyto.models.censored import CensoredFit, fit_censored
from il2cyto.models.exact import clopper_pearson, fisher, sign_test

if TYPE_CHECKING:
    from anndata import AnnData

#: Contrasts of the table: the geometric mean of an arm at a visit, its change, and the difference of two changes.
MEAN: Final = "geometric_mean"
CHANGE: Final = "change_from_baseline"
DIFFERENCE: Final = "arm_difference"

#: Share below the limit, in percent, above which an arm's visit has a detection rate only.
MOST_BELOW_PERCENT: Final = 80.0
#: Quantified values of an arm's visit below which it has a detection rate only, where some are censored or none is.
FEWEST_OF_CENSORED: Final = 7
FEWEST: Final = 3

SERUM_MODEL_COLUMNS: Final = (
    "analyte", "unit", "arm", "visit", "contrast", "n_subjects", "n_below", "n_above", "n_flagged_drug",
    "detected_percent", "detected_lower", "detected_upper", "detection_p_value",
    "estimate", "lower", "upper", "log_estimate", "log_se", "df", "p_value", "method", "status", "reason",
)  # fmt: skip

_METHOD: Final = (
    "censored linear mixed model, random intercept per subject: log Y ~ arm × visit; "
    "t with between-subject df; arms were not randomised"
)
_NUMBERS: Final = ("estimate", "lower", "upper", "log_estimate", "log_se", "df", "p_value")
_DETECTION: Final = ("detected_percent", "detected_lower", "detected_upper", "detection_p_value")


@dataclass(frozen=True, eq=False)
class _Analyte:
    """Values of one analyte above no drug flag: code of the subject and of the cell (arm × visit), log value, censor.

    `detected` says whether the value lies above the highest lower limit of the analyte, which all can be compared by.
    """

    subject: NDArray[np.intp]
    cell: NDArray[np.intp]
    y: NDArray[np.float64]
    censor: NDArray[np.int8]
    detected: NDArray[np.bool_]
    flagged: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Layout:
    arms: tuple[str, ...]
    visits: tuple[str, ...]
    subject: NDArray[np.intp]
    arm: NDArray[np.intp]
    visit: NDArray[np.intp]

    @property
    def cell(self) -> NDArray[np.intp]:
        return self.arm * len(self.visits) + self.visit


def serum_over_visits(
    serum: AnnData, *, baseline: str | None, reference_arm: str | None = None, drug_flag: str = "drug"
) -> pd.DataFrame:
    """Model every analyte by arm and visit, with values outside the limits of quantification as limits.

    For each analyte ``log Y ~ arm × visit + (1 | subject)`` is fitted with censored values as such (`fit_censored`; no
    LOD/2), and its marginal means give geometric means, changes from baseline and the difference of an arm's change
    from that of the reference arm. Baseline is a response like the others, so that a value below the limit at baseline
    costs no subject. Limits are 95 % t limits with *subjects − arms* degrees of freedom.

    An arm's visit with more than `MOST_BELOW_PERCENT` of its values below the limit, or too few quantified (fewer
    than `FEWEST_OF_CENSORED` beside censored ones, or than `FEWEST`), has a detection rate only, and says
    so; its values do not enter the model.

    Parameters
    ----------
    serum
        From `il2cyto.serum.read_serum`, with ``obs["ARM"]``. Visits without a number (``AVISITN``) are left out.
    baseline
        Visit that the others are compared with; without one (``None``) there are no changes.
    reference_arm
        Arm that the others are compared with; ``None`` gives no differences.
    drug_flag
        Values with this flag are the drug itself: they do not enter, and ``n_flagged_drug`` counts them.

    Returns
    -------
    pandas.DataFrame
        Columns `SERUM_MODEL_COLUMNS`. ``contrast`` is ``geometric_mean`` (``estimate`` in the unit of the analyte),
        ``change_from_baseline`` (a ratio) or ``arm_difference`` (a ratio of ratios, ``arm`` = ``IL2 / STD``).
        ``detected_percent``: above the analyte's highest lower limit, with its exact 95 % interval (Clopper–Pearson);
        ``detection_p_value``: exact McNemar test against baseline, or Fisher's exact test between arms at the visit.
        P-values are two-sided and not adjusted for the number of analytes.

    Raises
    ------
    ParameterError
        If no row has the visit `baseline` or the arm `reference_arm`.
    TableError
        If `serum` has no arms or a visit has several numbers.
    """
    layout, rows_used = _lay_out(serum)
    for value, known, word in ((baseline, layout.visits, "baseline"), (reference_arm, layout.arms, "reference_arm")):
        if value is not None and value not in known:
            raise ParameterError(f"{word} = {value!r}: no serum value has it{did_you_mean(value, list(known))}")
    drug = codes_of_flag(serum, drug_flag)
    rows: list[dict[str, Any]] = []
    for column in range(serum.n_vars):
        analyte = _analyte(serum, column, layout, rows_used, drug)
        name = {"analyte": str(serum.var_names[column]), "unit": str(serum.var["unit"].iloc[column])}
        rows += [{**name, **row} for row in _rows(analyte, layout, baseline, reference_arm)]
    table = pd.DataFrame(rows, columns=list(SERUM_MODEL_COLUMNS))
    return table.astype(dict.fromkeys(("n_subjects", "n_below", "n_above", "n_flagged_drug"), np.int64))


def codes_of_flag(serum: AnnData, flag: str) -> list[int]:
    """Return the codes of the layer ``flags`` that hold a flag, alone or among others."""
    legend = serum.uns["il2cyto"]["flag_codes"] if "il2cyto" in serum.uns else {}
    return [int(code) for code, text in legend.items() if flag in [part.strip() for part in str(text).split(";")]]


def _lay_out(serum: AnnData) -> tuple[_Layout, NDArray[np.intp]]:
    if "ARM" not in serum.obs:
        raise TableError("serum has no column ARM in obs; add the arm of each subject")
    obs = serum.obs[["USUBJID", "AVISIT", "AVISITN", "ARM"]]
    used = np.flatnonzero((obs["AVISITN"].notna() & (obs["ARM"] != "")).to_numpy())
    obs = obs.iloc[used]
    for visit, numbers in obs.groupby("AVISIT", sort=True)["AVISITN"]:
        if numbers.nunique() > 1:
            raise TableError(f"visit {visit}: AVISITN is {sorted(set(numbers))}; the order of visits needs one number")
    visits = obs.drop_duplicates("AVISIT").sort_values("AVISITN", kind="stable")["AVISIT"].astype(str).tolist()
    arms = sorted(set(obs["ARM"].astype(str)))
    subjects = sorted(set(obs["USUBJID"].astype(str)))
    codes = [
        pd.Categorical(obs[name].astype(str), categories=known).codes.astype(np.intp)
        for name, known in (("USUBJID", subjects), ("ARM", arms), ("AVISIT", visits))
    ]
    return _Layout(tuple(arms), tuple(visits), *codes), used.astype(np.intp)


def _analyte(serum: AnnData, column: int, layout: _Layout, rows: NDArray[np.intp], drug: list[int]) -> _Analyte:
    value = np.asarray(serum.X, dtype=np.float64)[rows, column]
    censor = np.asarray(serum.layers["censor"])[rows, column].astype(np.int8)
    flags = np.asarray(serum.layers["flags"])[rows, column] if "flags" in serum.layers else np.zeros(len(rows), int)
    is_drug = np.isin(flags, drug) & ~np.isnan(value)
    n_cells = len(layout.arms) * len(layout.visits)
    flagged = np.bincount(layout.cell[is_drug], minlength=n_cells)
    # a concentration of 0 or less has no logarithm and no limit to stand for it
    known = ~np.isnan(value) & ~is_drug & (value > 0)
    lower = np.concatenate([np.asarray(serum.layers["lloq"])[rows, column], value[censor < 0]])
    limit = float(np.nanmax(lower)) if np.isfinite(lower).any() else -np.inf
    return _Analyte(
        subject=layout.subject[known],
        cell=layout.cell[known],
        y=np.log(value[known]),
        censor=censor[known],
        detected=(censor[known] >= 0) & (value[known] >= limit),
        flagged=flagged,
    )


def _rows(analyte: _Analyte, layout: _Layout, baseline: str | None, reference: str | None) -> list[dict[str, Any]]:
    n_visits = len(layout.visits)
    refused = {cell: why for cell in range(len(layout.arms) * n_visits) if (why := _refusal(analyte, cell))}
    model = _fit(analyte, layout, refused)
    start = layout.visits.index(baseline) if baseline is not None else None
    wanted: list[tuple[str, int, int | None]] = [(MEAN, arm, None) for arm in range(len(layout.arms))]
    if start is not None:
        wanted += [(CHANGE, arm, None) for arm in range(len(layout.arms))]
    if start is not None and reference is not None:
        other = layout.arms.index(reference)
        wanted += [(DIFFERENCE, arm, other) for arm in range(len(layout.arms)) if arm != other]
    rows = []
    for contrast, arm, versus in wanted:
        for visit in range(n_visits):
            if contrast != MEAN and (start is None or visit <= start):
                continue
            cells = [(arm * n_visits + visit, 1.0)]
            if contrast != MEAN:
                cells.append((arm * n_visits + int(start or 0), -1.0))
            if versus is not None:
                cells += [(versus * n_visits + visit, -1.0), (versus * n_visits + int(start or 0), 1.0)]
            rows.append(_row(analyte, layout, model, refused, contrast, cells))
    return rows


def _row(
    analyte: _Analyte,
    layout: _Layout,
    model: _Model | str,
    refused: dict[int, str],
    contrast: str,
    cells: list[tuple[int, float]],
) -> dict[str, Any]:
    n_visits = len(layout.visits)
    # the arms at the visit itself: one, or one and the arm that it is compared with
    here = [cells[0][0]] if contrast != DIFFERENCE else [cells[0][0], cells[2][0]]
    mine = np.isin(analyte.cell, here)
    row: dict[str, Any] = {
        **dict.fromkeys((*_NUMBERS, *_DETECTION), np.nan),
        "arm": " / ".join(layout.arms[cell // n_visits] for cell in here),
        "visit": layout.visits[here[0] % n_visits],
        "contrast": contrast,
        "n_subjects": int(mine.sum()),
        "n_below": int((mine & (analyte.censor < 0)).sum()),
        "n_above": int((mine & (analyte.censor > 0)).sum()),
        "n_flagged_drug": int(analyte.flagged[here].sum()),
        "method": "",
        "status": NOT_ESTIMABLE,
        "reason": "",
        **_detection(analyte, contrast, cells),
    }
    lost = [
        f"{layout.arms[cell // n_visits]} at {layout.visits[cell % n_visits]}: {refused[cell]}"
        for cell, _ in cells
        if cell in refused
    ]
    if isinstance(model, str) or lost:
        return {**row, "reason": "; ".join(lost) if lost else str(model)}
    weights = np.zeros(len(model.fit.params))
    for cell, sign in cells:
        weights[model.columns[cell]] += sign
    row |= {"method": _METHOD, "status": ESTIMATED, "reason": model.fit.note}
    return row | _estimate(weights, model, contrast)


@dataclass(frozen=True, eq=False)
class _Model:
    fit: CensoredFit
    columns: dict[int, int]
    df: int


def _refusal(analyte: _Analyte, cell: int) -> str:
    """Why an arm's visit has no estimate, or nothing."""
    censor = analyte.censor[analyte.cell == cell]
    if not len(censor):
        return "no value"
    below = 100.0 * float((censor < 0).mean())
    if below > MOST_BELOW_PERCENT:
        return f"{below:.0f} % of {len(censor)} values are below the limit; detection rate only"
    quantified = int((censor == 0).sum())
    fewest = FEWEST if quantified == len(censor) else FEWEST_OF_CENSORED
    if quantified < fewest:
        word = "value" if quantified == 1 else "values"
        return f"{quantified} quantified {word} of {len(censor)}; {fewest} are needed; detection rate only"
    return ""


def _fit(analyte: _Analyte, layout: _Layout, refused: dict[int, str]) -> _Model | str:
    used = ~np.isin(analyte.cell, list(refused))
    if not used.any():
        return "no arm has a visit that can be modelled"
    columns = {int(cell): position for position, cell in enumerate(np.unique(analyte.cell[used]))}
    design = np.zeros((int(used.sum()), len(columns)))
    design[np.arange(len(design)), [columns[int(cell)] for cell in analyte.cell[used]]] = 1.0
    subjects = analyte.subject[used]
    df = len(np.unique(subjects)) - len({cell // len(layout.visits) for cell in columns})
    if df < 1 or len(design) <= len(columns):
        return f"{len(design)} values of {len(np.unique(subjects))} subjects do not suffice for {len(columns)} effects"
    y = analyte.y[used]
    if np.ptp(y[analyte.censor[used] == 0]) == 0:
        return "all quantified values are the same: there is nothing to estimate a variance from"
    fit = fit_censored(y, analyte.censor[used], design, subjects)
    if not fit.converged:
        return f"the censored model did not converge: {fit.note or 'no maximum was found'}"
    return _Model(fit, columns, df)


def _estimate(weights: NDArray[np.float64], model: _Model, contrast: str) -> dict[str, float]:
    from scipy import stats

    estimate = float(weights @ model.fit.params)
    error = float(np.sqrt(weights @ model.fit.covariance @ weights))
    half = float(stats.t.ppf(0.975, model.df)) * error
    return {
        "estimate": float(np.exp(estimate)),
        "lower": float(np.exp(estimate - half)),
        "upper": float(np.exp(estimate + half)),
        "log_estimate": estimate,
        "log_se": error,
        "df": float(model.df),
        # a geometric mean has no value that it is tested against
        "p_value": np.nan if contrast == MEAN else float(2.0 * stats.t.sf(abs(estimate) / error, model.df)),
    }


def _detection(analyte: _Analyte, contrast: str, cells: list[tuple[int, float]]) -> dict[str, float]:
    found = [analyte.cell == cell for cell, _ in cells]
    if contrast == DIFFERENCE:
        here, there = (analyte.detected[one] for one in found[0:3:2])
        return {"detection_p_value": fisher(int(here.sum()), here.size, int(there.sum()), there.size)}
    n, detected = int(found[0].sum()), int(analyte.detected[found[0]].sum())
    if n == 0:
        return {}
    low, high = clopper_pearson(detected, n)
    rates = {
        "detected_percent": 100.0 * detected / n,
        "detected_lower": 100.0 * low,
        "detected_upper": 100.0 * high,
    }
    if contrast == CHANGE:
        now = dict(zip(analyte.subject[found[0]], analyte.detected[found[0]], strict=True))
        then = dict(zip(analyte.subject[found[1]], analyte.detected[found[1]], strict=True))
        both = now.keys() & then.keys()
        gained = sum(bool(now[one] and not then[one]) for one in both)
        lost = sum(bool(then[one] and not now[one]) for one in both)
        rates["detection_p_value"] = sign_test(gained, lost) if both else np.nan
    return rates
