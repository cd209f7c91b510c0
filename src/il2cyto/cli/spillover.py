"""``il2cyto spillover``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from il2cyto.cli.options import DataRoot, StudyFile


class MethodChoice(StrEnum):
    """How spillover is estimated."""

    POPULATIONS = "populations"
    MEDIANS = "medians"


def spillover(
    study: StudyFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for matrices and pictures.")] = Path("spillover"),
    tube: Annotated[str | None, typer.Option("--tube", help="Only this kind of tube.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    method: Annotated[
        MethodChoice, typer.Option("--method", help="By events with and without the dye, or as flowCore does.")
    ] = MethodChoice.POPULATIONS,
    data_root: DataRoot = None,
) -> None:
    """Estimate spillover matrices from the single stains and unstained controls of a study.

    Exit code 0: all written. 1: a matrix could not be estimated. 2: the study is wrong or has no such controls.
    """
    from il2cyto.cli.run import say
    from il2cyto.errors import ParameterError
    from il2cyto.steps.spillover import study_spillover
    from il2cyto.study.read import read_study

    failed = done = 0
    for outcome in study_spillover(
        read_study(study, data_root=data_root), out, tube=tube, batch=batch, method=method.value
    ):
        name = f"{outcome.tube} {outcome.batch}".strip()
        if outcome.path is None:
            failed += 1
            say(f"{name}: {outcome.error}")
        else:
            done += 1
            typer.echo(f"{name}: {outcome.path}")
    if not failed and not done:
        raise ParameterError(f"{study.name} has no such single stains; the controls sheet lists them (docs/sheets.md)")
    raise typer.Exit(1 if failed else 0)
