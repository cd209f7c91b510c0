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
from il2cyto.steps.counted import count_findings
from il2cyto.steps.failures import Finding, Surplus, failure_table, find_failures, path_table
from il2cyto.steps.gates import forget_gates, load_strategies
from il2cyto.steps.pool import gate_tubes
from il2cyto.steps.tables import count_specs, tube_tables
from il2cyto.steps.trail import HEAD, Trail
from il2cyto.steps.tube import TubeOutcome
from il2cyto.steps.words import with_public_words
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
    checks: pd.DataFrame
    trial: pd.DataFrame
    visits: AnnData
    serum: AnnData | None
    linked: Any
    model: pd.DataFrame
    findings: tuple[Finding, ...]
    failures: pd.DataFrame
    paths: pd.DataFrame
    missing: pd.DataFrame


@dataclass(frozen=True)
class RunSummary:
    """What a run came to; `exit_code` is 0 or 1. `findings` hold names of files and are for the screen."""

    out: Path
    n_tubes: int
    n_gated: int
    n_reused: int
    findings: tuple[Finding, ...]

    @property
    def n_failures(self) -> int:
        """Tubes that failed, and markers that their panels promise and they lack."""
        return sum(finding.severity == "failure" for finding in self.findings)

    @property
    def n_notices(self) -> int:
        """What stops nothing and should be known."""
        return len(self.findings) - self.n_failures

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
    user: str | None = None,
    reason: str | None = None,
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
    user, reason
        Who runs this and why, for ``audit.jsonl``; by default ``IL2CYTO_USER``, or account and machine.
    tube_done, stage
        Told of each finished tube and of each stage.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something else or an audit log that was changed.
    """
    out = Path(out)
    _prepare(out)
    forget_gates()
    trail = Trail(out, user=user, reason=reason)
    trail.begin(study)
    study = with_public_words(study)
    say = stage or (lambda _: None)

    def done(outcome: TubeOutcome) -> bool:
        if tube_done is not None:
            tube_done(outcome)
        if not outcome.reused:
            trail.tube(outcome.tube_id, outcome.error.kind if outcome.error is not None else "")
        return outcome.error is None or on_error == "skip"

    say("gating")
    outcomes = gate_tubes(study.records, out, jobs=jobs, done=done)
    say("counts, visits and model")
    tables, manifest = make_tables(study, outcomes)
    _drop_stale(out, outcomes)
    say("writing")
    from il2cyto.steps.outputs import write_outputs

    tube_ids = [record.tube_id for record in study.records]
    write_outputs(out, study, tables, manifest, lambda whole: {HEAD: trail.finish(tube_ids, whole)})
    return RunSummary(
        out=out,
        n_tubes=len(study.records),
        n_gated=sum(outcome.content is not None for outcome in outcomes.values()),
        n_reused=sum(outcome.reused for outcome in outcomes.values()),
        findings=tables.findings,
    )


def make_tables(study: Study, outcomes: Mapping[str, TubeOutcome]) -> tuple[Tables, dict[str, Any]]:
    """Make every table from the outcomes of tubes; a pure function of its arguments."""
    from il2cyto.counts import add_check_flags, check_counts, count_table, trial_table, visit_rows, wide_table
    from il2cyto.derive import visit_table
    from il2cyto.linking import link
    from il2cyto.models import change_from_baseline
    from il2cyto.serum import read_serum
    from il2cyto.visits import build_visits

    results = {key: outcome.content for key, outcome in outcomes.items() if outcome.content is not None}
    days = visit_table(study)
    tubes, populations = tube_tables(study, results, days)
    made_of = (tubes, populations, count_specs(study), study.errors, study.limits)
    counts = count_table(*made_of, study.percent_of)
    slices = {tube_id: content["bead_slices"] for tube_id, content in results.items()}
    checks = check_counts(counts, *made_of, study.checks, slices)
    counts = add_check_flags(counts, checks)
    chosen = visit_rows(counts, tubes)
    missing = study.missing_visits()
    numbers = {visit.id: float(visit.number) for visit in study.visits.values()}
    trial = trial_table(chosen, days, missing, numbers, study.baseline, study.id, checks=study.checks)
    manifest = _manifest(study, outcomes)
    visits = build_visits(chosen, days, missing, manifest)
    serum = read_serum(study.serum) if study.serum_values else None
    linked = link(visits, serum) if serum is not None else None
    # what stands apart from the per-visit analysis is in every table, and in no model
    analysed = visits[(visits.obs["ANL01FL"] == "Y").to_numpy()].copy()
    model = change_from_baseline(
        analysed,
        baseline=study.baseline,
        reference_arm=study.reference_arm,
        populations=study.model_populations or None,
    )
    surplus = _surplus(study)
    findings = (*find_failures(study, outcomes, surplus), *count_findings(study, counts, checks))
    failures = failure_table(findings)
    paths = path_table(study, outcomes, findings, surplus)
    wide = wide_table(counts)
    tables = Tables(
        counts, wide, chosen, checks, trial, visits, serum, linked, model, findings, failures, paths, missing
    )
    return tables, manifest


def _surplus(study: Study) -> list[Surplus]:
    """Entries of workspaces that no row of the sheet uses."""
    used = {Path(record.fcs_name).name for record in study.records}
    found = []
    for path, panel, tube in sorted({(r.strategy.path, r.panel, r.tube) for r in study.records}, key=str):
        try:
            strategies, _ = load_strategies(path, panel, tube)
        except Il2CytoError:
            continue  # every tube of it has failed with this error
        names = tuple(name for name in sorted(strategies.by_file) if name not in used)
        found += [Surplus(tube, strategies.name, names)] if names else []
    return found


def _manifest(study: Study, outcomes: Mapping[str, TubeOutcome]) -> dict[str, Any]:
    from importlib.metadata import version

    tubes: dict[str, dict[str, Any]] = {}
    for record in study.records:
        outcome = outcomes.get(record.tube_id)
        if outcome is not None and outcome.content is not None:
            tubes[record.tube_id] = {name: outcome.content[name] for name in _TUBE_FACTS}
        else:
            kind = outcome.error.kind if outcome is not None and outcome.error is not None else "not begun"
            tubes[record.tube_id] = {"failed": kind}
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
