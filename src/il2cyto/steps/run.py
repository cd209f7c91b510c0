"""Run a whole study: gate its tubes, then make every table, file and the report from their results."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto import __version__
from il2cyto.errors import Il2CytoError
from il2cyto.steps.counted import count_findings
from il2cyto.steps.failures import Finding, Surplus, failure_table, find_failures, path_table
from il2cyto.steps.folder import results_folder, sources_path
from il2cyto.steps.gate import collect_records, gate_records
from il2cyto.steps.gates import forget_gates, load_strategies
from il2cyto.steps.journal import journal
from il2cyto.steps.key import RESULT_FORMAT, code_sha256
from il2cyto.steps.learn import learn_study, with_learnt
from il2cyto.steps.missing import TUBE_FAILED, flag_lost_repeats, missing_populations
from il2cyto.steps.models import Models, analysed_serum, baseline_and_reference, fit_models
from il2cyto.steps.normalised import normalisation_table, normalised_counts, normalised_populations
from il2cyto.steps.qualitytable import quality_findings, quality_table, with_quality
from il2cyto.steps.results import discard, read_result
from il2cyto.steps.serum import StudyAssay, assay_findings, flag_drug, public_assay, run_assay, serum_rows
from il2cyto.steps.sources import SourceMemory
from il2cyto.steps.tables import TubeFacts, count_specs, tube_tables
from il2cyto.steps.trail import HEAD, Trail
from il2cyto.steps.tube import TubeOutcome
from il2cyto.steps.watch import drift_of, gate_positions, queue_of
from il2cyto.steps.words import with_public_words
from il2cyto.study.model import Study, TubeRecord

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from il2cyto.outcomes import Outcomes

logger = logging.getLogger(__name__)


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
    assay: StudyAssay | None
    linked: Any
    models: Models
    outcomes: Outcomes
    findings: tuple[Finding, ...]
    failures: pd.DataFrame
    paths: pd.DataFrame
    missing: pd.DataFrame
    missing_populations: pd.DataFrame
    gates: pd.DataFrame
    drift: pd.DataFrame
    review: pd.DataFrame
    quality: pd.DataFrame
    normalised: pd.DataFrame | None
    normalisation: pd.DataFrame


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
    isolate: bool = False,
    verify: bool = False,
    tube_done: Callable[[TubeOutcome], None] | None = None,
    stage: Callable[[str], None] | None = None,
) -> RunSummary:
    """Gate every tube and write all results.

    What stands in `out` from an earlier run is used where nothing that decides it has changed. The run may be killed at
    any moment; the next one goes on from there and ends with the same bytes in every result file.

    Parameters
    ----------
    study
        A study as `read_study` returns it.
    out
        Folder for the results; made if it does not exist.
    jobs
        Cores to use; changes the time and nothing else.
    on_error
        ``skip``: a bad tube is reported and the others go on; ``stop``: no further tube is begun after a bad one.
    isolate
        Gate in a process of its own even if `jobs` is 1.
    verify
        Hash every FCS file, also those that the file system calls unchanged.
    user, reason
        Who runs this and why, for ``audit.jsonl``; by default ``IL2CYTO_USER``, or account and machine.
    tube_done, stage
        Told of each finished tube and of each stage.

    Raises
    ------
    OutputError
        If the folder cannot be written, holds something else, results of another format or an audit log that was
        changed, or is in use.
    """
    out = Path(out)
    say = stage or (lambda _: None)
    with results_folder(out, study.id, "il2cyto run"), journal(out):
        logger.info("run of il2cyto %s begins: study %s, %d tubes", __version__, study.id, len(study.records))
        forget_gates()
        trail = Trail(out, user=user, reason=reason)
        trail.begin(study)
        study = learn_study(study, out, jobs=jobs, verify=verify, stage=say)

        def done(outcome: TubeOutcome) -> None:
            if tube_done is not None:
                tube_done(outcome)
            if not outcome.reused:
                trail.tube(outcome.tube_id, outcome.error.kind if outcome.error is not None else "")

        outcomes = gate_records(
            study.records, out, jobs=jobs, isolate=isolate, verify=verify, stop=on_error == "stop",
            tube_done=done, stage=say,
        )  # fmt: skip
        return _finish(study, out, outcomes, say, trail)


def finish_study(
    study: Study,
    out: str | Path,
    *,
    verify: bool = False,
    user: str | None = None,
    reason: str | None = None,
    stage: Callable[[str], None] | None = None,
) -> RunSummary:
    """Write every table, file and the report from the tubes that are gated; the step after ``il2cyto tube``.

    A tube without a result that is up to date counts as failed (*not gated*). The parameters are those of `run_study`.

    Raises
    ------
    OutputError
        As `run_study`.
    """
    out = Path(out)
    say = stage or (lambda _: None)
    with results_folder(out, study.id, "il2cyto visits"), journal(out):
        say("looking for what has changed")
        forget_gates()
        trail = Trail(out, user=user, reason=reason)
        trail.begin(study)
        study = with_learnt(study, out)
        outcomes = collect_records(study.records, out, verify=verify)
        return _finish(study, out, outcomes, say, trail)


def _finish(
    study: Study,
    out: Path,
    outcomes: Mapping[str, TubeOutcome],
    say: Callable[[str], None],
    trail: Trail,
) -> RunSummary:
    from il2cyto.steps.outputs import write_outputs

    study = with_public_words(study)
    say("counts, visits and model")
    tables, manifest = make_tables(study, outcomes, out)
    # a tube that is no longer in the sheet, or was not begun, has no result beside fresh tables
    discard(out, outcomes.keys())
    ids = {*(record.tube_id for record in study.records), *(control.control_id for control in study.controls)}
    SourceMemory.read(sources_path(out)).tidy(ids)
    say("writing")
    tube_ids = [record.tube_id for record in study.records]
    write_outputs(out, study, tables, manifest, lambda whole: {HEAD: trail.finish(tube_ids, whole)})
    summary = RunSummary(
        out=out,
        n_tubes=len(study.records),
        n_gated=sum(outcome.error is None for outcome in outcomes.values()),
        n_reused=sum(outcome.reused for outcome in outcomes.values()),
        findings=tables.findings,
    )
    logger.info(
        "all files are written: %d of %d tubes gated, %d of them unchanged, %d failures, %d notices",
        summary.n_gated, summary.n_tubes, summary.n_reused, summary.n_failures, summary.n_notices,
    )  # fmt: skip
    return summary


def make_tables(study: Study, outcomes: Mapping[str, TubeOutcome], out: Path) -> tuple[Tables, dict[str, Any]]:
    """Make every table from the outcomes of tubes and their results in `out`, which are read one after the other."""
    from il2cyto.counts import (
        add_check_flags,
        check_counts,
        count_table,
        trial_table,
        visit_rows,
        wide_table,
        with_gates,
    )
    from il2cyto.derive import visit_table
    from il2cyto.linking import link
    from il2cyto.outcomes import make_outcomes
    from il2cyto.serum import read_serum
    from il2cyto.visits import build_visits

    facts: dict[str, TubeFacts] = {}

    def results() -> Iterator[tuple[TubeRecord, Mapping[str, Any]]]:
        for record in study.records:
            outcome = outcomes.get(record.tube_id)
            if outcome is not None and outcome.error is None:
                content = read_result(out, record.tube_id)
                facts[record.tube_id] = TubeFacts.of(content)
                yield record, content

    days = visit_table(study)
    tubes, populations = tube_tables(study, results(), days)
    made_of = (tubes, populations, count_specs(study), study.errors, study.limits)
    counts = with_gates(count_table(*made_of, study.percent_of), populations)
    normalised = None
    if study.normalise:
        others = normalised_populations(populations, facts)
        normalised = normalised_counts(counts, count_table(tubes, others, *made_of[2:], study.percent_of), facts)
    slices = {tube_id: fact.bead_slices for tube_id, fact in facts.items()}
    checks = check_counts(counts, *made_of, study.checks, slices)
    lacking = missing_populations(study, outcomes, counts)
    quality = quality_table(study, outcomes, facts, checks)
    counts = with_quality(flag_lost_repeats(add_check_flags(counts, checks), lacking), quality)
    chosen = visit_rows(counts, tubes)
    missing = study.missing_visits()
    numbers = {visit.id: float(visit.number) for visit in study.visits.values()}
    trial = trial_table(chosen, days, missing, numbers, study.baseline, study.id, lacking, study.checks)
    manifest = _manifest(study, outcomes, facts)
    provenance = {**manifest, "tubes": _columns(manifest["tubes"])}
    visits = build_visits(chosen, days, missing, provenance, failed=lacking[lacking["why"] == TUBE_FAILED])
    assay = public_assay(study, run_assay(study))
    measured = flag_drug(serum_rows(study, assay), study, days)
    serum = read_serum(measured) if len(measured) else None
    apart = study.plates.max_days_apart if study.plates is not None else None
    linked = link(visits, serum, max_days_apart=apart) if serum is not None else None
    # what stands apart from the per-visit analysis is in every table, and in no model
    analysed = visits[(visits.obs["ANL01FL"] == "Y").to_numpy()].copy()
    sera = analysed_serum(study, serum, visits) if serum is not None else None
    # a study that has begun may lack it still; what is told without it says so
    baseline, _ = baseline_and_reference(study, analysed)
    surplus = _surplus(study)
    told = make_outcomes(study, days, analysed, sera, baseline)
    findings = (
        *find_failures(study, outcomes, facts, surplus),
        *count_findings(study, counts, checks),
        *quality_findings(study, quality),
        *assay_findings(study, assay),
    )
    failures = failure_table(findings)
    paths = path_table(study, outcomes, findings, surplus)
    wide = wide_table(counts)
    gates = gate_positions(study, facts, days)
    tables = Tables(
        counts, wide, chosen, checks, trial, visits, serum, assay, linked, fit_models(study, analysed, sera, trial),
        told, findings, failures, paths, missing, lacking, gates, drift_of(gates), queue_of(study, counts), quality,
        normalised, normalisation_table(study),
    )  # fmt: skip
    return tables, manifest


def _columns(tubes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The tubes of a manifest as columns: as a mapping of mappings, thousands of them would take HDF5 a minute."""
    import numpy as np

    texts = (
        "fcs_sha256",
        "strategy",
        "strategy_version",
        "strategy_sha256",
        "template_sha256",
        "panel_sha256",
        "key",
        "failed",
    )
    events = [tube.get("n_events") for tube in tubes.values()]
    return {
        "tube_id": np.array(list(tubes), dtype=object),
        "n_events": np.array([np.nan if one is None else one for one in events], dtype=np.float64),
        **{name: np.array([tube.get(name) or "" for tube in tubes.values()], dtype=object) for name in texts},
    }


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


def _manifest(study: Study, outcomes: Mapping[str, TubeOutcome], facts: Mapping[str, TubeFacts]) -> dict[str, Any]:
    from importlib.metadata import version

    tubes: dict[str, dict[str, Any]] = {}
    for record in study.records:
        outcome = outcomes.get(record.tube_id)
        if record.tube_id in facts:
            tubes[record.tube_id] = dict(facts[record.tube_id].manifest)
        else:
            kind = outcome.error.kind if outcome is not None and outcome.error is not None else "not begun"
            tubes[record.tube_id] = {"failed": kind}
    libraries = ("numpy", "pandas", "scipy", "numba", "anndata", "mudata", "statsmodels", "lxml", "ruamel.yaml")
    return {
        "il2cyto": __version__,
        "code": code_sha256(),
        "format": RESULT_FORMAT,
        "study": study.id,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
        "inputs": dict(sorted(study.sha256.items())),
        "edge_rule": "min <= x < max (Gating-ML 2.0)",
        "tubes": tubes,
    }
