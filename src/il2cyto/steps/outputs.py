"""Write the results of a run, each file atomically."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.provenance import atomic_path, hash_file, write_text
from il2cyto.steps.journal import LOG
from il2cyto.steps.overrides import override_table
from il2cyto.study.model import Study

MANIFEST = "manifest.json"
#: Folder of the outcomes.
OUTCOMES = "outcomes"
#: Files that every run adds to.
GROWING = (LOG, "audit.jsonl")

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.serum import Assay
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
    """Write every result file; ``manifest.json`` goes first and comes last, so where it stands the others belong to it.

    Parameters
    ----------
    out
        Results folder.
    study, tables, manifest
        What is written.
    seal
        Called with the whole manifest when all other files are written; what it returns is added to it.
    """
    from il2cyto.linking import write_linked
    from il2cyto.report import write_report
    from il2cyto.steps.counted import write_trial
    from il2cyto.steps.outcomes import write_outcomes
    from il2cyto.steps.report import report_inputs
    from il2cyto.visits import write_visits

    (out / MANIFEST).unlink(missing_ok=True)
    write_table(tables.counts, out / "counts.csv")
    write_parquet(tables.counts, out / "counts.parquet")
    write_table(tables.wide, out / "counts_wide.csv")
    write_table(tables.failures, out / "failures.csv")
    write_table(tables.paths, out / "paths.csv")
    write_table(tables.missing, out / "missing_visits.csv")
    write_table(override_table(study), out / "overrides.csv")
    write_table(tables.missing_populations, out / "missing_populations.csv")
    for name, table in tables.models.files().items():
        if table is not None:
            write_table(table, out / name)
        else:
            (out / name).unlink(missing_ok=True)
    write_table(tables.checks, out / "checks.csv")
    write_table(tables.quality, out / "quality.csv")
    write_table(tables.gates, out / "gates.csv")
    write_table(tables.drift, out / "drift.csv")
    write_table(tables.review, out / "review.csv")
    if tables.normalised is not None:
        write_table(tables.normalised, out / "counts_normalised.csv")
        write_table(tables.normalisation, out / "normalisation.csv")
    else:
        for name in ("counts_normalised.csv", "normalisation.csv"):
            (out / name).unlink(missing_ok=True)
    write_trial(tables.trial, out)
    write_visits(tables.visits, out / "visits.h5ad")
    if tables.linked is not None:
        write_linked(tables.linked, out / "linked.h5mu")
        write_table(tables.linked.report, out / "link_report.csv")
    else:
        for name in ("linked.h5mu", "link_report.csv"):
            (out / name).unlink(missing_ok=True)
    _write_serum(out, tables)
    write_outcomes(out, study, tables.outcomes, tables.models)
    write_report(report_inputs(out, study, tables, manifest), out / "report.html")
    whole = {**manifest, "outputs": _hashes(out)}
    whole |= seal(whole) if seal is not None else {}
    write_text(out / MANIFEST, json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False))


def write_assay(assay: Assay, out: Path) -> None:
    """Write the tables of an assay as ``serum_NAME.csv``."""
    for name, table in assay.tables().items():
        write_table(table, out / f"serum_{name}.csv")


def _write_serum(out: Path, tables: Tables) -> None:
    """Write the serum values, and what the plates say where there are any."""
    from il2cyto.serum.assay import TABLES
    from il2cyto.visits.files import write_anndata

    if tables.serum is not None:
        write_anndata(tables.serum, out / "serum.h5ad")
    else:
        (out / "serum.h5ad").unlink(missing_ok=True)
    assay = tables.assay.assay if tables.assay is not None else None
    if assay is not None:
        write_assay(assay, out)
    else:
        for name in TABLES:
            (out / f"serum_{name}.csv").unlink(missing_ok=True)


def _hashes(out: Path) -> dict[str, str]:
    """SHA-256 of every result beside the manifest; the log and the audit trail grow, and are not among them."""
    files = [path for path in out.iterdir() if path.is_file() and path.name not in GROWING]
    files += [path for path in (out / OUTCOMES).iterdir() if path.is_file()]
    return {
        path.relative_to(out).as_posix(): hash_file(path) for path in sorted(files) if not path.name.startswith(".")
    }
