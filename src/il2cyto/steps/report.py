"""From the tables of a run and the pictures of its tubes to the inputs of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.errors import Il2CytoError
from il2cyto.gating import GatingStrategy
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.overrides import override_table
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.report import AssayTables, ReportInputs
    from il2cyto.steps.run import Tables


def report_inputs(out: Path, study: Study, tables: Tables, manifest: Mapping[str, Any]) -> ReportInputs:
    """Collect what the report shows; pictures are read from `out` one tube at a time, when the page is written."""
    import pandas as pd

    from il2cyto.report import Arm, ReportInputs, Visit

    return ReportInputs(
        study_id=study.id,
        title=study.title,
        registry=study.registry or "",
        arms=tuple(Arm(arm.id, arm.label, arm.reference) for arm in study.arms.values()),
        visits=tuple(Visit(visit.id, visit.label, visit.number, visit.scheduled) for visit in study.visits.values()),
        counts=tables.counts,
        visit_counts=tables.visit_counts.assign(apart=_apart(tables)),
        failures=tables.failures,
        missing_visits=tables.missing,
        model=tables.models.change,
        link_report=tables.linked.report if tables.linked is not None else None,
        serum=serum_table(tables.serum) if tables.serum is not None else None,
        changed=tables.models.changed,
        serum_model=tables.models.serum,
        manifest=manifest,
        assumptions=study.assumptions,
        plots=_plots(out, study),
        subjects=pd.DataFrame(
            [(subject.id, subject.arm, subject.diagnosis) for subject in study.subjects.values()],
            columns=["subject", "arm", "diagnosis"],
        ),
        tubes=_tubes(study),
        checks=tables.checks,
        strategies=_strategies(study),
        miflowcyt=study.miflowcyt,
        overrides=override_table(study),
        quality=tables.quality,
        gates=tables.gates,
        drift=tables.drift,
        review=tables.review,
        assay=_assay(tables),
    )


def _assay(tables: Tables) -> AssayTables | None:
    from il2cyto.report import AssayTables
    from il2cyto.serum.assay import standard_readings

    if tables.assay is None or tables.assay.assay is None:
        return None
    assay = tables.assay.assay
    readings = standard_readings(assay.wells)[["plate", "analyte", "expected", "signal"]]
    return AssayTables(assay.curves, assay.standards, assay.controls, assay.drift, readings, tables.assay.beads)


def _apart(tables: Tables) -> list[bool]:
    """Whether each row of the visits' counts stands apart from the per-visit analysis."""
    flags = tables.visits.obs["ANL01FL"]
    rows = tables.visit_counts
    return [flags[f"{subject}|{visit}"] != "Y" for subject, visit in zip(rows["subject"], rows["visit"], strict=True)]


def _tubes(study: Study) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (
            record.tube_id, record.subject, record.arm, record.visit, record.tube, record.batch or "",
            record.instrument or "", "" if record.collection_date is None else record.collection_date.isoformat(),
        )
        for record in study.records
    ]  # fmt: skip
    columns = ["tube_id", "subject", "arm", "visit", "tube", "batch", "instrument", "date"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _strategies(study: Study) -> tuple[tuple[str, GatingStrategy], ...]:
    """Each strategy that a tube of the sheet is gated with, once per tube type."""
    found: dict[tuple[str, str], tuple[str, GatingStrategy]] = {}
    for record in study.records:
        try:
            strategy = strategy_for(record).strategy
        except Il2CytoError:
            continue  # every tube of it has failed with this error
        found.setdefault((record.tube, strategy.content_hash), (record.tube, strategy))
    return tuple(found.values())


def _plots(out: Path, study: Study) -> Iterator[tuple[str, dict[str, Any]]]:
    for record in study.records:
        path = out / "tubes" / record.tube_id / "plots.json"
        if path.is_file():
            yield record.tube_id, json.loads(path.read_text(encoding="utf-8"))


def serum_table(serum: Any) -> pd.DataFrame:
    """Return the serum values in long form: ``subject, visit, analyte, value, censor, unit``."""
    import numpy as np
    import pandas as pd

    rows = []
    for i in range(serum.n_obs):
        for j in range(serum.n_vars):
            value = float(serum.X[i, j])
            if not np.isnan(value):
                subject, visit = serum.obs["USUBJID"].iloc[i], serum.obs["AVISIT"].iloc[i]
                censor = int(serum.layers["censor"][i, j])
                rows.append((subject, visit, serum.var_names[j], value, censor, serum.var["unit"].iloc[j]))
    return pd.DataFrame(rows, columns=["subject", "visit", "analyte", "value", "censor", "unit"])
