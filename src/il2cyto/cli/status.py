"""``il2cyto status``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from il2cyto.cli.options import DataRoot, Out, StudyFile, Verify

if TYPE_CHECKING:
    from il2cyto.steps.status import StudyState


def status(
    study: StudyFile,
    out: Out = Path("results"),
    data_root: DataRoot = None,
    every: Annotated[bool, typer.Option("--all", help="List the tubes that are done, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    verify: Verify = False,
) -> None:
    """Say which tubes are done, stale (and because of what), failed or missing; reads only.

    Exit code 0: every tube is done, and tables and report are made from them. 1: something is not. 2: the study is
    wrong.
    """
    from il2cyto.steps.status import DONE, study_state
    from il2cyto.study.read import read_study

    state = study_state(read_study(study, data_root=data_root), out, verify=verify)
    if as_json:
        _print_json(state)
    else:
        shown = [tube for tube in state.tubes if every or tube.state != DONE]
        width = max((len(tube.tube_id) for tube in shown), default=0)
        for tube in shown:
            typer.echo(f"{tube.state:<8} {tube.tube_id:<{width}}  {tube.why}".rstrip())
        for tube_id in state.left_over:
            typer.echo(f"left     {tube_id}  is not in the samples sheet; the next run removes it")
        if state.holder is not None:
            typer.echo(f"running  {state.holder}")
        counts = ", ".join(f"{number} {name}" for name, number in state.summary.items())
        typer.echo(f"{len(state.tubes)} tubes: {counts}")
        typer.echo(f"tables and report: {state.tables or 'up to date'}")
    raise typer.Exit(state.exit_code)


def _print_json(state: StudyState) -> None:
    import json
    from dataclasses import asdict

    content = {
        "summary": {"tubes": len(state.tubes), **state.summary},
        "tables": state.tables or "up to date",
        "running": asdict(state.holder) if state.holder is not None else None,
        "left_over": list(state.left_over),
        "tubes": [asdict(tube) for tube in state.tubes],
    }
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
