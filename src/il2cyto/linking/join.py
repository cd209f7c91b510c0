"""Counts and serum on the same subject × visit rows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto.errors import TableError
from il2cyto.provenance import atomic_path
from il2cyto.visits import check_visits
from il2cyto.visits.files import plain_text

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

MATCHED: Final = "matched"
ONLY_COUNTS: Final = "only_counts"
ONLY_SERUM: Final = "only_serum"
ONLY_CLINICAL: Final = "only_clinical"
TOO_FAR_APART: Final = "too_far_apart"


@dataclass(frozen=True, eq=False)
class LinkResult:
    """Linked data and the account of the join.

    Attributes
    ----------
    mdata
        ``MuData {"counts", "serum"}``, with ``"clinical"`` where it is given, whose rows are the union of all; each
        modality keeps its own. The report is in ``uns["join_report"]``.
    report
        One row per row of them: ``USUBJID, AVISIT, status`` (``matched``, ``only_counts``, ``only_serum``,
        ``too_far_apart``, whose serum is left out of `mdata`, or ``only_clinical``), ``n_populations`` (with a count),
        ``n_analytes`` (with a value or a limit) and ``days_apart``, from the draw of the cells to that of the serum
        (NaN where a date lacks); with clinical values also ``n_clinical``, how many the visit has.
    """

    mdata: MuData
    report: pd.DataFrame


def link(
    visits: AnnData, serum: AnnData, clinical: pd.DataFrame | None = None, *, max_days_apart: int | None = None
) -> LinkResult:
    """Join counts, serum and clinical values by subject and visit; no row is dropped without a line in the report.

    Parameters
    ----------
    visits
        From `il2cyto.visits.build_visits`.
    serum
        From `il2cyto.serum.read_serum`. Subjects and visits must be spelled as in `visits`: those that are not end up
        as ``only_serum``.
    clinical
        A table with ``USUBJID, AVISIT``, each pair once, and further columns: numbers (an activity index, C3) become
        the variables of the modality ``clinical``, NaN where empty; columns of text stand in its ``obs``.
    max_days_apart
        Days between the two draws of a visit above which they are not the same blood: the serum of such a visit is left
        out, with a line in the report.

    Raises
    ------
    TableError
        If `visits` is no visits object, `serum` or `clinical` lacks subject and visit or has a row twice, or two
        variables have one name.
    """
    import mudata

    check_visits(visits)
    _check_serum(serum)
    shared = sorted(set(visits.var_names) & set(serum.var_names))
    if shared:
        raise TableError(f"{', '.join(shared)}: both a population and an analyte; rename the analyte")
    report = _report(visits, serum, max_days_apart)
    others = {}
    if clinical is not None:
        others["clinical"] = _clinical(clinical, {*visits.var_names, *serum.var_names})
        report = _with_clinical(report, others["clinical"])
    far = report[report["status"] == TOO_FAR_APART]
    apart = set(far["USUBJID"] + "|" + far["AVISIT"])
    serum = serum[[name not in apart for name in serum.obs_names]]
    # the columns of the modalities stay where they belong instead of being copied to the joined rows
    with columns_stay():
        mdata = mudata.MuData({"counts": visits.copy(), "serum": serum.copy(), **others})
    mdata.uns["join_report"] = report.copy()
    return LinkResult(mdata, report)


def write_linked(linked: LinkResult, path: str | Path) -> None:
    """Write the linked data as ``.h5mu``, atomically; `mudata.read_h5mu` reads it."""
    with columns_stay(), atomic_path(path) as temporary:
        # a copy, since writing turns the text columns of what it writes into categories
        mdata = linked.mdata.copy()
        mdata.obs, mdata.var = plain_text(mdata.obs), plain_text(mdata.var)
        mdata.write_h5mu(temporary)


def columns_stay() -> AbstractContextManager[Any]:
    """Keep MuData from copying the columns of its modalities to the joined rows; mudata 0.3 and 0.4 differ in how."""
    import mudata

    change = mudata.settings.override if hasattr(mudata, "settings") else mudata.set_options
    context: AbstractContextManager[Any] = change(pull_on_update=False)
    return context


def _check_serum(serum: AnnData) -> None:
    missing = [name for name in ("USUBJID", "AVISIT") if name not in serum.obs]
    if missing or "censor" not in serum.layers:
        what = [*(f"obs column {name}" for name in missing), *([] if "censor" in serum.layers else ["layer censor"])]
        raise TableError(f"serum lacks {', '.join(what)}; read it with read_serum")
    keys = [f"{subject}|{visit}" for subject, visit in zip(serum.obs["USUBJID"], serum.obs["AVISIT"], strict=True)]
    if serum.obs_names.tolist() != keys or len(set(keys)) < len(keys):
        raise TableError("serum: rows are not named subject|visit, each once; read it with read_serum")


def _report(visits: AnnData, serum: AnnData, max_days_apart: int | None) -> pd.DataFrame:
    counts = visits.obs[["USUBJID", "AVISIT", "AVISITN"]].copy()
    counts["cells_drawn"] = _days(visits.obs)
    counts["n_populations"] = (~np.isnan(visits.layers["count"])).sum(axis=1)
    values = serum.obs[["USUBJID", "AVISIT"]].copy()
    values["serum_drawn"] = _days(serum.obs)
    values["n_analytes"] = (~np.isnan(np.asarray(serum.X))).sum(axis=1)
    joined = counts.merge(values, on=["USUBJID", "AVISIT"], how="outer", indicator="status", validate="one_to_one")
    # a visit that only serum knows takes the number that other subjects give it
    numbers = visits.obs.drop_duplicates("AVISIT").set_index("AVISIT")["AVISITN"]
    joined["AVISITN"] = joined["AVISITN"].fillna(joined["AVISIT"].map(numbers))
    names = {"both": MATCHED, "left_only": ONLY_COUNTS, "right_only": ONLY_SERUM}
    joined["status"] = pd.Series([names[str(status)] for status in joined["status"]], dtype=object)
    joined["days_apart"] = joined["serum_drawn"] - joined["cells_drawn"]
    if max_days_apart is not None:
        joined.loc[joined["days_apart"].abs() > max_days_apart, "status"] = TOO_FAR_APART
    for column in ("n_populations", "n_analytes"):
        joined[column] = joined[column].fillna(0).astype(np.int64)
    ordered: pd.DataFrame = joined.sort_values(["USUBJID", "AVISITN", "AVISIT"], kind="stable").reset_index(drop=True)
    return ordered[["USUBJID", "AVISIT", "status", "n_populations", "n_analytes", "days_apart"]]


def _clinical(table: pd.DataFrame, taken: set[str]) -> AnnData:
    from anndata import AnnData

    keys = ["USUBJID", "AVISIT"]
    missing = [name for name in keys if name not in table]
    if missing:
        raise TableError(f"clinical lacks the column {', '.join(missing)}")
    names = [f"{subject}|{visit}" for subject, visit in zip(table["USUBJID"], table["AVISIT"], strict=True)]
    twice = pd.Index(names).duplicated()
    if twice.any():
        raise TableError(f"clinical has {names[int(twice.argmax())]} twice; keep one row per subject and visit")
    numbers = [str(name) for name in table.columns if name not in keys and pd.api.types.is_numeric_dtype(table[name])]
    shared = sorted(taken & set(numbers))
    if shared:
        raise TableError(f"{', '.join(shared)}: a clinical column and a population or an analyte; rename the column")
    texts = table.drop(columns=numbers).astype(object).where(lambda cells: cells.notna(), "").astype(str)
    var = pd.DataFrame(index=pd.Index(numbers, dtype=object))
    obs = texts.set_axis(pd.Index(names, dtype=object), axis="index")
    return AnnData(X=table[numbers].to_numpy(dtype=np.float64, na_value=np.nan), obs=obs, var=var)


def _with_clinical(report: pd.DataFrame, clinical: AnnData) -> pd.DataFrame:
    n_values = (~np.isnan(np.asarray(clinical.X))).sum(axis=1)
    found = clinical.obs[["USUBJID", "AVISIT"]].assign(n_clinical=n_values)
    joined = report.merge(found, on=["USUBJID", "AVISIT"], how="outer", validate="one_to_one")
    joined["status"] = joined["status"].fillna(ONLY_CLINICAL)
    for column in ("n_populations", "n_analytes", "n_clinical"):
        joined[column] = joined[column].fillna(0).astype(np.int64)
    order = {key: place for place, key in enumerate(zip(report["USUBJID"], report["AVISIT"], strict=True))}
    rank = [order.get(key, len(order)) for key in zip(joined["USUBJID"], joined["AVISIT"], strict=True)]
    return joined.assign(_rank=rank).sort_values("_rank", kind="stable").drop(columns="_rank").reset_index(drop=True)


def _days(obs: pd.DataFrame) -> list[float]:
    """Days of the draws since some day, NaN where there is no date."""
    dates = obs["collection_date"] if "collection_date" in obs else [""] * len(obs)
    known = [one if isinstance(one, str) else "" for one in dates]
    return [float(date.fromisoformat(one).toordinal()) if one else float("nan") for one in known]
