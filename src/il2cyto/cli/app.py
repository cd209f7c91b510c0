"""Commands of ``il2cyto``."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from il2cyto import __version__
from il2cyto.cli.audit import app as audit_app
from il2cyto.cli.check_fcs import check_fcs
from il2cyto.cli.convert import convert
from il2cyto.cli.deidentify import deidentify
from il2cyto.cli.export import export
from il2cyto.cli.recount import recount
from il2cyto.cli.simulate import simulate
from il2cyto.errors import Il2CytoError, StudyError

if TYPE_CHECKING:
    from il2cyto.study.model import Study

app = typer.Typer(
    name="il2cyto",
    help="From the FCS files of an interleukin-2 trial to per-visit cell counts, linked to serum and modelled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs a tenth of a second at every --help
)


_LATE = ("marker missing", "not begun")
_MOST_SHOWN = 20
_MOST_NAMES = 3


class OnError(StrEnum):
    """What a bad tube does to the batch."""

    SKIP = "skip"
    STOP = "stop"


StudyFile = Annotated[Path, typer.Argument(help="study.yaml", show_default=False)]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder that the FCS paths of the sample sheet start from.")
]
User = Annotated[
    str | None,
    typer.Option("--user", help="Who runs this, for audit.jsonl; default: IL2CYTO_USER, or account and machine."),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for audit.jsonl.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes; changes the time and nothing else.")]


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"il2cyto {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def check(study: StudyFile, data_root: DataRoot = None) -> None:
    """Find everything that is wrong with a study before it runs; writes nothing."""
    from il2cyto.steps.check import check as run_check

    report = run_check(study, data_root)
    for notice in report.notices:
        typer.echo(f"notice   {notice}")
    for moved in report.moved:
        typer.echo(f"gates    {moved}")
    for problem in report.problems:
        typer.echo(f"problem  {problem}")
    n_tubes = len(report.study.records) if report.study else 0
    found = f"{_plural(len(report.problems), 'problem')}, {_plural(len(report.notices), 'notice')}"
    typer.echo(f"{study.name}: {n_tubes} tubes, {found}")
    if report.problems:
        raise typer.Exit(2)


@app.command()
def run(
    study: StudyFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("results"),
    jobs: Jobs = 1,
    data_root: DataRoot = None,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="Go on after a bad tube, or begin no other.")
    ] = OnError.SKIP,
    user: User = None,
    reason: Reason = None,
) -> None:
    """Gate every tube of a study and write counts, visits, links, model and report.

    Exit code 0: all done. 1: done, but failures.csv names tubes that failed. 2: the study is wrong, nothing ran.
    """
    from il2cyto.study.read import read_study

    raise typer.Exit(_run(read_study(study, data_root=data_root), out, jobs, on_error, user, reason))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the simulated trial and its results.")] = Path(
        "il2cyto-demo"
    ),
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: the cores.")] = None,
    subjects: Annotated[int, typer.Option("--subjects", min=2, help="Subjects, in two arms.")] = 6,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trial.")] = 20200815,
    events: Annotated[
        int, typer.Option("--events", min=1000, help="Live lymphocytes per Treg, Th17 and NK tube.")
    ] = 50_000,
) -> None:
    """Simulate a small trial with known truth and run it; needs no network and no other files."""
    import time

    from il2cyto.simulate import simulate_trial
    from il2cyto.study.read import read_study

    jobs = jobs or _cores()
    started = time.perf_counter()
    _say(f"Simulating {subjects} subjects × 3 visits × 4 tubes …")
    trial = simulate_trial(folder, n_subjects=subjects, seed=seed, lymphocytes=events, jobs=jobs)
    _say(f"Simulated in {time.perf_counter() - started:.0f} s; the known truth is in {folder / 'truth'}.")
    code = _run(read_study(trial.study), folder / "results", jobs, OnError.SKIP)
    _say(f"Open {folder / 'results' / 'report.html'} in a browser.")
    raise typer.Exit(code)


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="New or empty folder.", show_default=False)]) -> None:
    """Begin a study: study.yaml and sheets with every option present and explained."""
    from il2cyto.study.template import new_study

    for path in new_study(folder):
        typer.echo(path)


@app.command()
def show(
    strategy: Annotated[
        Path, typer.Argument(help="Strategy folder, Gating-ML 2.0 file, or workspace.", show_default=False)
    ],
) -> None:
    """Print the tree of a gating strategy."""
    from il2cyto.exchange import read_strategies

    found = read_strategies(strategy)
    for notice in found.notices:
        typer.echo(f"notice   {notice}", err=True)
    trees = [("all other files" if found.by_file else "all files", found.default), *found.by_file.items()]
    names: dict[str, list[str]] = {}
    for name, tree in trees:
        if tree is not None:
            names.setdefault(tree.content_hash, []).append(name)
    for tree in {tree.content_hash: tree for _, tree in trees if tree is not None}.values():
        shown = names[tree.content_hash]
        more = f" and {len(shown) - _MOST_NAMES} more names" if len(shown) > _MOST_NAMES else ""
        files = f"{', '.join(shown[:_MOST_NAMES])}{more}"
        typer.echo(f"{tree.id} {tree.version} · {files} · sha256 {tree.content_hash[:12]}")
        for note in tree.notes:
            typer.echo(f"note: {note}")
        for i in sorted(range(len(tree.paths)), key=lambda k: tree.paths[k].split("/")):
            population = tree.populations[i]
            depth = tree.paths[i].count("/") + 1
            axes = " × ".join(dimension.label for dimension in population.gate.dimensions)
            gate = type(population.gate).__name__.removesuffix("Gate")
            kind = gate.removeprefix("Binned").lower() + (" on the display" if gate.startswith("Binned") else "")
            reason = getattr(population.gate, "reason", "")
            if reason:
                kind = f"not estimable: {reason}"
            definition = f"  [{population.definition}]" if population.definition else ""
            typer.echo(
                f"{'  ' * depth}{population.name}  {'not ' if population.complement else ''}{kind} {axes}{definition}"
            )


app.command("check-fcs")(check_fcs)
app.command("export")(export)
app.command("convert")(convert)
app.command("recount")(recount)
app.command("deidentify")(deidentify)
app.add_typer(audit_app, name="audit")
app.command("simulate")(simulate)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _run(
    study: Study, out: Path, jobs: int, on_error: OnError, user: str | None = None, reason: str | None = None
) -> int:
    from il2cyto.cli.progress import tube_progress
    from il2cyto.steps.audit import log_head
    from il2cyto.steps.run import run_study

    with tube_progress(len(study.records)) as screen:
        summary = run_study(
            study, out, jobs=jobs, on_error=on_error, user=user, reason=reason,
            tube_done=screen.tube, stage=screen.stage,
        )  # fmt: skip
    # a tube that fails has been named when it did; the others are named now
    late = [finding for finding in summary.findings if finding.severity == "failure" and finding.kind in _LATE]
    for finding in late[:_MOST_SHOWN]:
        _say(f"{finding.kind}  {finding.record.tube_id if finding.record else ''}  {finding.whole}")
    if len(late) > _MOST_SHOWN:
        _say(f"… and {len(late) - _MOST_SHOWN} more in {out / 'paths.csv'}")
    reused = f" ({summary.n_reused} unchanged since the last run)" if summary.n_reused else ""
    _say(
        f"{summary.n_gated} of {summary.n_tubes} tubes gated{reused}; {_plural(summary.n_failures, 'failure')}, "
        f"{_plural(summary.n_notices, 'notice')} in {out / 'failures.csv'}; report: {out / 'report.html'}"
    )
    _say(f"Names of files and whole messages: {out / 'paths.csv'} (identifying: do not share)")
    _say(f"Head of the audit log, to be kept elsewhere for `il2cyto audit verify --head`: {log_head(out)}")
    return summary.exit_code


def main() -> None:
    """Run the command line; expected errors are one message and exit code 2."""
    try:
        app()
    except StudyError as error:
        _say(str(error))
        sys.exit(2)
    except Il2CytoError as error:
        _say(f"error: {error}")
        sys.exit(2)
