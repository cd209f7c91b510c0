"""``il2cyto recount``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from il2cyto.cli.convert import Binning, BinningChoice

if TYPE_CHECKING:
    from il2cyto.exchange.flowjo.recount import Recount

_COLUMNS = ("sample", "file", "population", "count", "{}_count", "difference", "verdict", "reason")


def recount(
    workspace: Annotated[Path, typer.Argument(help="FlowJo workspace or FACSDiva experiment.", show_default=False)],
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="FCS files, or folders of them; default: the workspace's folder.", show_default=False),
    ] = None,
    binning: Binning = BinningChoice.FLOWJO,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the table to this file too.")] = None,
) -> None:
    """Count every population of a workspace again and compare with the counts that its program stored in it.

    Exit code 0: every count is the program's, or within 2 events or 0.5 % of it. 1: one is not, or a file could not be
    gated.
    """
    from il2cyto.exchange.flowjo.recount import recount as count_again
    from il2cyto.exchange.workspaces import read_any_workspace
    from il2cyto.fcs.folder import fcs_files

    found = read_any_workspace(workspace, binning=binning.value)
    for notice in found.notices:
        typer.echo(f"notice   {notice}", err=True)
    paths = list(fcs_files(files or [workspace.parent]))
    if not files:
        named = found.by_file()
        paths = [path for path in paths if path.name in named]
    rows = []
    last = ""
    for row in count_again(found, paths):
        if row.file != last:
            typer.echo(row.file)
            last = row.file
        typer.echo(f"  {_line(row)}")
        rows.append(row)
    counted = {row.sample for row in rows if row.sample}
    for sample in found.samples:
        if sample.name not in counted:
            typer.echo(f"notice   {sample.name}: there is no FCS file of this sample", err=True)
    for note in dict.fromkeys(n for sample in found.samples if sample.name in counted for n in sample.strategy.notes):
        typer.echo(f"notice   {note}", err=True)
    if csv is not None:
        _write(csv, rows, found.program)
    kinds = {name: sum(row.verdict == name for row in rows) for name in dict.fromkeys(row.verdict for row in rows)}
    summary = ", ".join(f"{number} {name}" for name, number in kinds.items()) or "nothing to compare"
    typer.echo(f"{len(counted)} of {len(found.samples)} samples: {summary}")
    if any(row.verdict in ("differs", "failed") for row in rows):
        raise typer.Exit(1)


def _line(row: Recount) -> str:
    if row.count is None and row.stored is None:
        return f"{row.verdict}  {row.population}  {row.reason}".rstrip()
    ours = "–" if row.count is None else str(row.count)
    theirs = "–" if row.stored is None else str(row.stored)
    change = "" if row.difference is None else f"{row.difference:+d}"
    return f"{row.verdict:<14} {ours:>9} {theirs:>9} {change:>6}  {row.population}  {row.reason}".rstrip()


def _write(path: Path, rows: list[Recount], program: str) -> None:
    import csv as writer
    import io

    from il2cyto.provenance import write_text

    stream = io.StringIO()
    table = writer.writer(stream, lineterminator="\n")
    table.writerow(name.format(program.lower()) for name in _COLUMNS)
    for row in rows:
        numbers = ("" if value is None else value for value in (row.count, row.stored, row.difference))
        table.writerow((row.sample, row.file, row.population, *numbers, row.verdict, row.reason))
    write_text(path, stream.getvalue())
