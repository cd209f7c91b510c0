"""``il2cyto check-fcs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check_fcs(
    files: Annotated[list[Path], typer.Argument(help="FCS files, or folders of them.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of text.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Any deviation makes the exit code 1.")] = False,
) -> None:
    """Say what each FCS file is, where it leaves the standard, and whether that can change numbers.

    Exit code 0: every file can be read. 1: one cannot, or, with --strict, one deviates. The report shows keyword values
    and is for the laboratory's own eyes.
    """
    import json

    from il2cyto.fcs.conformance import CONFORMS, UNREADABLE, check_file
    from il2cyto.fcs.folder import fcs_files

    bad = False
    shown = 0
    for path in fcs_files(files):
        report = check_file(path)
        bad |= report.verdict == UNREADABLE or (strict and report.verdict != CONFORMS)
        if as_json:
            text = json.dumps(report.as_dict(), indent=1)
            typer.echo(("[\n" if not shown else ",\n") + text, nl=False)
        else:
            for line in report.lines():
                typer.echo(line)
        shown += 1
    if as_json:
        typer.echo("\n]" if shown else "[]")
    if not shown:
        typer.echo("no FCS file there; wanted names that end in .fcs or .lmd", err=True)
        raise typer.Exit(2)
    if bad:
        raise typer.Exit(1)
