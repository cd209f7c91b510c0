"""``il2cyto convert``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class BinningChoice(StrEnum):
    """How polygons and ellipses are counted."""

    EXACT = "exact"
    FLOWJO = "flowjo"


Binning = Annotated[
    BinningChoice,
    typer.Option(
        "--binning", help="exact: on the values. flowjo: polygons and ellipses on the channels of FlowJo's display."
    ),
]


def convert(
    workspace: Annotated[Path, typer.Argument(help="FlowJo 10 workspace (.wsp).", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="New folder for the strategy.", show_default=False)],
    group: Annotated[str | None, typer.Option("--group", help="Samples of this group only.")] = None,
    binning: Binning = BinningChoice.EXACT,
) -> None:
    """Turn a FlowJo workspace into a strategy folder: the common gates, and an override for samples that differ."""
    from il2cyto.exchange.flowjo import read_workspace
    from il2cyto.exchange.flowjo.convert import convert_workspace

    found = read_workspace(workspace, binning=binning.value)
    done = convert_workspace(found, folder, group=group)
    for notice in done.notices:
        typer.echo(f"notice   {notice}", err=True)
    for name, files in done.overrides:
        typer.echo(f"{folder / 'overrides' / name}.yaml: {', '.join(files)}")
    typer.echo(
        f"{folder / 'strategy.yaml'}: {len(done.strategy.populations)} populations of {done.n_samples} samples, "
        f"{len(done.overrides)} overrides; sha256 {done.strategy.content_hash[:12]}"
    )
