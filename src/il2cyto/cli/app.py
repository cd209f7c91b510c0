"""Commands of ``il2cyto``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from il2cyto import __version__
from il2cyto.cli.audit import app as audit_app
from il2cyto.cli.check_fcs import check_fcs
from il2cyto.cli.convert import convert
from il2cyto.cli.deidentify import deidentify
from il2cyto.cli.export import export
from il2cyto.cli.learn import learn
from il2cyto.cli.options import DataRoot, StudyFile
from il2cyto.cli.recount import recount
from il2cyto.cli.review import review
from il2cyto.cli.run import cores, plural, run, run_and_tell, say, tube, visits
from il2cyto.cli.serum import serum
from il2cyto.cli.simulate import simulate
from il2cyto.cli.spillover import spillover
from il2cyto.cli.status import status
from il2cyto.errors import Il2CytoError, StudyError

app = typer.Typer(
    name="il2cyto",
    help="From the FCS files of an interleukin-2 trial to per-visit cell counts, linked to serum and modelled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs a tenth of a second at every --help
)


_MOST_NAMES = 3


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
    found = f"{plural(len(report.problems), 'problem')}, {plural(len(report.notices), 'notice')}"
    typer.echo(f"{study.name}: {n_tubes} tubes, {found}")
    if report.problems:
        raise typer.Exit(2)


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

    jobs = jobs or cores()
    started = time.perf_counter()
    say(f"Simulating {subjects} subjects × 3 visits × 4 tubes …")
    trial = simulate_trial(folder, n_subjects=subjects, seed=seed, lymphocytes=events, jobs=jobs)
    say(f"Simulated in {time.perf_counter() - started:.0f} s; the known truth is in {folder / 'truth'}.")
    code = run_and_tell(read_study(trial.study), folder / "results", jobs)
    say(f"Open {folder / 'results' / 'report.html'} in a browser.")
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
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw the tree into this SVG file as well.", show_default=False)
    ] = None,
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
    if svg is not None:
        from il2cyto.exchange import read_gating
        from il2cyto.pl import tree as draw
        from il2cyto.provenance import write_text

        write_text(svg, draw(read_gating(strategy)))


app.command("run")(run)
app.command("status")(status)
app.command("learn")(learn)
app.command("review")(review)
app.command("tube")(tube)
app.command("visits")(visits)
app.command("check-fcs")(check_fcs)
app.command("export")(export)
app.command("convert")(convert)
app.command("recount")(recount)
app.command("deidentify")(deidentify)
app.add_typer(audit_app, name="audit")
app.command("spillover")(spillover)
app.command("serum")(serum)
app.command("simulate")(simulate)


def main() -> None:
    """Run the command line; expected errors are one message and exit code 2."""
    try:
        app()
    except StudyError as error:
        say(str(error))
        sys.exit(2)
    except Il2CytoError as error:
        say(f"error: {error}")
        sys.exit(2)
