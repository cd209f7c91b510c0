"""Write the results of a run, each file atomically."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.provenance import atomic_path, write_text
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.steps.run import Tables


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write CSV: UTF-8, ``\\n``, numbers in full precision, empty for missing."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet with the same columns and missing values as the CSV."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, engine="pyarrow")


def write_outputs(
    out: Path,
    study: Study,
    tables: Tables,
    manifest: dict[str, Any],
    seal: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> None:
    """Write every result file; ``manifest.json`` comes last, so where it stands the others stand too.

    `seal` is called with the whole manifest when all other files are written; what it returns is added to it.
    """
    from il2cyto.linking import write_linked
    from il2cyto.visits import write_visits

    write_table(tables.counts, out / "counts.csv")
    write_parquet(tables.counts, out / "counts.parquet")
    write_table(tables.wide, out / "counts_wide.csv")
    write_table(tables.failures, out / "failures.csv")
    write_table(tables.paths, out / "paths.csv")
    write_table(tables.missing, out / "missing_visits.csv")
    write_table(tables.model, out / "model.csv")
    write_visits(tables.visits, out / "visits.h5ad")
    if tables.linked is not None:
        write_linked(tables.linked, out / "linked.h5mu")
        write_table(tables.linked.report, out / "link_report.csv")
    else:
        for name in ("linked.h5mu", "link_report.csv"):
            (out / name).unlink(missing_ok=True)
    write_text(out / "report.html", report_text(out, study, tables, manifest))
    whole = {**manifest, **(seal(manifest) if seal is not None else {})}
    write_text(out / "manifest.json", json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False))


def report_text(out: Path, study: Study, tables: Tables, manifest: dict[str, Any]) -> str:
    """Return the report as one self-contained page."""
    import pandas as pd

    from il2cyto.report import Arm, ReportInputs, Visit, build_report

    return build_report(
        ReportInputs(
            study_id=study.id,
            title=study.title,
            registry=study.registry or "",
            arms=tuple(Arm(arm.id, arm.label, arm.reference) for arm in study.arms.values()),
            visits=tuple(Visit(visit.id, visit.label, visit.number) for visit in study.visits.values()),
            counts=tables.counts,
            visit_counts=tables.visit_counts,
            failures=tables.failures,
            missing_visits=tables.missing,
            model=tables.model,
            link_report=tables.linked.report if tables.linked is not None else None,
            serum=serum_table(tables.serum) if tables.serum is not None else None,
            manifest=manifest,
            assumptions=study.assumptions,
            plots=_plots(out, study),
            subjects=pd.DataFrame(
                [(subject.id, subject.arm, subject.diagnosis) for subject in study.subjects.values()],
                columns=["subject", "arm", "diagnosis"],
            ),
        )
    )


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
