"""Run a whole study: gate its tubes, then make every table, file and the report from their results."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto import __version__
from il2cyto.errors import Il2CytoError, OutputError
from il2cyto.steps.pool import gate_tubes
from il2cyto.steps.tables import count_specs, failure_rows, tube_tables
from il2cyto.steps.tube import TubeOutcome, load_strategies
from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True)
class Tables:
    """Everything that a run makes from the results of its tubes."""

    counts: pd.DataFrame
    wide: pd.DataFrame
    visit_counts: pd.DataFrame
    visits: AnnData
    serum: AnnData | None
    linked: Any
    model: pd.DataFrame
    failures: pd.DataFrame
    missing: pd.DataFrame


@dataclass(frozen=True)
class RunSummary:
    """What a run came to; `exit_code` is 0 or 1."""

    out: Path
    n_tubes: int
    n_gated: int
    n_reused: int
    n_failures: int
    n_notices: int

    @property
    def exit_code(self) -> int:
        """0 if every tube was gated with all markers that its panel promises, else 1."""
        return 1 if self.n_failures else 0


def run_study(
    study: Study,
    out: str | Path,
    *,
    jobs: int = 1,
    on_error: str = "skip",
    tube_done: Callable[[TubeOutcome], None] | None = None,
    stage: Callable[[str], None] | None = None,
) -> RunSummary:
    """Gate every tube and write all results.

    Parameters
    ----------
    study
        A study as `read_study` returns it.
    out
        Folder for the results; made if it does not exist.
    jobs
        Processes; changes the time and nothing else.
    on_error
        ``skip``: a bad tube is reported and the others go on; ``stop``: no further tube is begun after a bad one.
    tube_done, stage
        Told of each finished tube and of each stage.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something else.
    """
    out = Path(out)
    _prepare(out)
    say = stage or (lambda _: None)

    def done(outcome: TubeOutcome) -> bool:
        if tube_done is not None:
            tube_done(outcome)
        return outcome.error is None or on_error == "skip"

    say("gating")
    outcomes = gate_tubes(study.records, out, jobs=jobs, done=done)
    say("counts, visits and model")
    tables, manifest = make_tables(study, outcomes)
    _drop_stale(out, outcomes)
    say("writing")
    from il2cyto.steps.outputs import write_outputs

    write_outputs(out, study, tables, manifest)
    severity = tables.failures["severity"]
    return RunSummary(
        out=out,
        n_tubes=len(study.records),
        n_gated=sum(outcome.content is not None for outcome in outcomes.values()),
        n_reused=sum(outcome.reused for outcome in outcomes.values()),
        n_failures=int((severity == "failure").sum()),
        n_notices=int((severity == "notice").sum()),
    )


def make_tables(study: Study, outcomes: Mapping[str, TubeOutcome]) -> tuple[Tables, dict[str, Any]]:
    """Make every table from the outcomes of tubes; a pure function of its arguments."""
    from il2cyto.counts import count_table, visit_rows, wide_table
    from il2cyto.derive import visit_table
    from il2cyto.linking import link
    from il2cyto.models import change_from_baseline
    from il2cyto.serum import read_serum
    from il2cyto.visits import build_visits

    results = {key: outcome.content for key, outcome in outcomes.items() if outcome.content is not None}
    errors = {key: outcome.error for key, outcome in outcomes.items() if outcome.error is not None}
    for record in study.records:
        if record.tube_id not in outcomes:
            errors[record.tube_id] = ("not begun", f"{record.fcs_name}: not gated, because an earlier tube failed")
    days = visit_table(study)
    tubes, populations = tube_tables(study, results, days)
    counts = count_table(tubes, populations, count_specs(study), study.errors, study.limits, study.percent_of)
    chosen = visit_rows(counts, tubes)
    missing = study.missing_visits()
    manifest = _manifest(study, results, errors)
    visits = build_visits(chosen, days, missing, manifest)
    serum = read_serum(study.serum) if study.serum_values else None
    linked = link(visits, serum) if serum is not None else None
    model = change_from_baseline(
        visits, baseline=study.baseline, reference_arm=study.reference_arm, populations=study.model_populations or None
    )
    failures = failure_rows(study, errors, results, _surplus(study))
    wide = wide_table(counts)
    return Tables(counts, wide, chosen, visits, serum, linked, model, failures, missing), manifest


def _surplus(study: Study) -> list[tuple[str, str]]:
    """Entries of workspaces that no row of the sheet uses."""
    used = {Path(record.fcs_name).name for record in study.records}
    found = []
    for path, panel in sorted({(r.strategy.path, r.panel) for r in study.records}, key=str):
        try:
            strategies, _ = load_strategies(path, panel)
        except Il2CytoError:
            continue  # every tube of it has failed with this error
        found += [(strategies.name, name) for name in sorted(strategies.by_file) if name not in used]
    return found


def _manifest(
    study: Study, results: Mapping[str, Mapping[str, Any]], errors: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    from importlib.metadata import version

    tubes = {}
    for record in study.records:
        content = results.get(record.tube_id)
        tubes[record.tube_id] = (
            {name: content[name] for name in _TUBE_FACTS} if content else {"failed": errors[record.tube_id][0]}
        )
    libraries = ("numpy", "pandas", "scipy", "numba", "anndata", "mudata", "statsmodels", "lxml", "ruamel.yaml")
    return {
        "il2cyto": __version__,
        "study": study.id,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
        "inputs": dict(sorted(study.sha256.items())),
        "edge_rule": "min <= x < max (Gating-ML 2.0)",
        "tubes": tubes,
    }


_TUBE_FACTS = (
    "fcs_sha256", "strategy", "strategy_version", "strategy_sha256", "panel_sha256", "n_events", "key"
)  # fmt: skip


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        strange = [] if (out / "manifest.json").exists() or (out / "tubes").exists() else list(out.iterdir())
        (out / "tubes").mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: results cannot be written here ({error.strerror}); choose another --out") from error
    if strange:
        (out / "tubes").rmdir()
        raise OutputError(
            f"{out}: holds {strange[0].name!r} and no results of il2cyto; choose an empty folder with --out"
        )


def _drop_stale(out: Path, outcomes: Mapping[str, TubeOutcome]) -> None:
    """Remove results of tubes that are not (or no longer) good: nothing stale may stand beside fresh tables."""
    for folder in sorted((out / "tubes").iterdir()):
        outcome = outcomes.get(folder.name)
        if folder.is_dir() and (outcome is None or outcome.content is None):
            shutil.rmtree(folder)
