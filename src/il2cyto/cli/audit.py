"""``il2cyto audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Check and read audit.jsonl, the record of who changed what, when and why.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Results = Annotated[Path, typer.Argument(help="Folder that `il2cyto run` wrote to.", show_default=False)]


@app.command()
def verify(
    results: Results,
    head: Annotated[
        str | None, typer.Option("--head", help="A head that was kept elsewhere: a line with this hash must be there.")
    ] = None,
) -> None:
    """Find any line that was edited, removed, inserted or reordered, and an end that was cut.

    The lines are checked against each other, then against the heads that il2cyto.log and manifest.json name and the
    results themselves. Exit code 0: whole. 1: not. 2: there is nothing to check.

    It cannot find out that audit.jsonl, il2cyto.log and manifest.json were all written anew, or that lines after the
    last finished run were cut. For that keep the head that this command prints outside the folder, and give it back
    with --head.
    """
    from il2cyto.steps.audit import verify_results

    verdict = verify_results(results, head)
    entries = f"{verdict.entries} entr{'y' if verdict.entries == 1 else 'ies'}"
    typer.echo(f"{results / 'audit.jsonl'}: {entries}{', before the first broken line' if verdict.line else ''}")
    typer.echo(f"head      {verdict.head}")
    if verdict.seal:
        typer.echo(f"manifest  {verdict.seal}")
    if verdict.torn:
        typer.echo(f"note      {verdict.torn} torn line{'s' if verdict.torn > 1 else ''}, told of by the log itself")
    for note in verdict.notes:
        typer.echo(f"note      {note}")
    for problem in verdict.problems:
        typer.echo(f"BROKEN    {problem}")
    if verdict.problems:
        raise typer.Exit(1)
    typer.echo("whole")


@app.command()
def show(
    results: Results,
    tube: Annotated[str | None, typer.Option("--tube", help="Only what concerns this tube.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only from this date or time on, as 2026-03-02 (UTC).")
    ] = None,
) -> None:
    """Print the entries, oldest first: number, time (UTC), user, what, before and after, reason."""
    from il2cyto.steps.audit import concerns, describe, parse_since, read_entries

    first = parse_since(since) if since is not None else ""
    for entry in read_entries(results):
        if str(entry.fields["time"]) >= first and (tube is None or concerns(entry, tube)):
            for line in describe(entry, tube):
                typer.echo(line)
