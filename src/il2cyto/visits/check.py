"""What an AnnData must hold to be the visits of a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import TableError

if TYPE_CHECKING:
    from anndata import AnnData

#: Columns of ``obs``: text, empty where unknown, and numbers, NaN where unknown.
TEXTS: Final = ("USUBJID", "AVISIT", "ARM", "DIAGNOSIS", "SEX", "collection_date")
NUMBERS: Final = ("AVISITN", "ADY", "AGE", "DSLD", "CYCDAY")
#: Columns of ``var``.
LABELS: Final = ("strategy", "population", "name", "parent", "definition", "role", "unit")
LAYERS: Final = ("count", "parent_count", "percent_parent", "cv", "lower", "upper", "status")
#: Layers that visits have where their counts tell of gates and quality.
FURTHER_LAYERS: Final = ("cv_gate", "gate_status", "quality")
UNIT: Final = "cells/µL"

#: Codes of ``layers["status"]``.
COUNTED, NOT_COUNTED, NOT_MEASURED, BELOW_LLOQ, TUBE_FAILED = 0, 1, 2, 3, 4
STATUS_CODES: Final = {
    COUNTED: "estimated",
    NOT_COUNTED: "not estimable",
    NOT_MEASURED: "not measured",
    BELOW_LLOQ: "below LLOQ",
    TUBE_FAILED: "tube failed",
}
#: Codes of ``layers["gate_status"]`` and of ``layers["quality"]``.
NO_GATE: Final = -1
GATE_CODES: Final = {
    NO_GATE: "no gate", 0: "fixed", 1: "estimated", 2: "borrowed", 3: "template", 4: "not_estimable", 5: "overridden",
}  # fmt: skip
QUALITY_CODES: Final = {NO_GATE: "no tube", 0: "pass", 1: "review", 2: "fail"}


def check_visits(visits: AnnData) -> None:
    """Check that an AnnData keeps the rules of the visits object.

    Raises
    ------
    TableError
        With every rule that is broken.
    """
    absent = [f"obs lacks {name}" for name in (*TEXTS, *NUMBERS) if name not in visits.obs]
    absent += [f"var lacks {name}" for name in LABELS if name not in visits.var]
    absent += [f"layer {name} is missing" for name in LAYERS if name not in visits.layers]
    if "missing_visits" not in visits.uns.get("il2cyto", {}):
        absent.append("uns['il2cyto']['missing_visits'] is missing")
    if absent:
        raise TableError("not a visits object: " + "; ".join(absent))
    broken = [rule for rule, kept in _rules(visits).items() if not kept]
    if broken:
        raise TableError("not a visits object: " + "; ".join(broken))


def _rules(visits: AnnData) -> dict[str, bool]:
    cells = np.asarray(visits.X, dtype=np.float64)
    layers = {name: np.asarray(visits.layers[name]) for name in visits.layers if name is not None}
    count, parent, status = (layers[name] for name in ("count", "parent_count", "status"))
    lower, upper = layers["lower"], layers["upper"]
    gates, quality = (layers.get(name, np.array(NO_GATE)) for name in ("gate_status", "quality"))
    counted = (status == COUNTED) | (status == BELOW_LLOQ)
    given = ~np.isnan(cells)
    keys = [f"{subject}|{visit}" for subject, visit in zip(visits.obs["USUBJID"], visits.obs["AVISIT"], strict=True)]
    names = [
        f"{strategy}/{path}" for strategy, path in zip(visits.var["strategy"], visits.var["population"], strict=True)
    ]
    missing = set(visits.uns["il2cyto"]["missing_visits"])
    # comparisons with NaN are false, so a rule that may hold of missing numbers is stated as what must not be
    return {
        "rows are not named subject|visit": visits.obs_names.tolist() == keys,
        "a visit has two rows": len(set(keys)) == len(keys),
        "columns are not named strategy/population": visits.var_names.tolist() == names,
        "a population has two columns": len(set(names)) == len(names),
        "a missing visit has a row": not missing & set(keys),
        "status has unknown codes": bool(np.isin(status, list(STATUS_CODES)).all()),
        "gate_status has unknown codes": bool(np.isin(gates, list(GATE_CODES)).all()),
        "quality has unknown codes": bool(np.isin(quality, list(QUALITY_CODES)).all()),
        "a status and its count disagree": bool((counted == ~np.isnan(count)).all()),
        "cells/µL without a count": not (given & ~counted).any(),
        "cells/µL are negative or infinite": bool((np.isfinite(cells[given]) & (cells[given] >= 0)).all()),
        "cells/µL lie outside their limits": bool(((lower <= cells) & (cells <= upper))[given].all()),
        "a count exceeds its parent's": not (count > parent).any(),
    }
