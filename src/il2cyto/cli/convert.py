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
    source: Annotated[
        Path,
        typer.Argument(
            help="FlowJo workspace, FACSDiva experiment, Gating-ML 2.0 or strategy folder.", show_default=False
        ),
    ],
    target: Annotated[
        Path, typer.Argument(help="New strategy folder, .xml (Gating-ML 2.0) or .wsp (FlowJo 10).", show_default=False)
    ],
    group: Annotated[str | None, typer.Option("--group", help="Samples of this group of a workspace only.")] = None,
    binning: Binning = BinningChoice.EXACT,
    fcs: Annotated[
        list[Path] | None, typer.Option("--fcs", help="FCS file or folder that a .wsp shall hold; more than once.")
    ] = None,
) -> None:
    """Bring gates from one form into another: workspace, Gating-ML or strategy folder.

    A workspace becomes a strategy folder with an override for samples that differ. A .wsp is structured as those of
    FlowJo 10; it has been read back here and by FlowKit, never by FlowJo itself.
    """
    if target.suffix.lower() == ".wsp":
        _to_workspace(source, target, fcs or [])
    elif target.suffix.lower() == ".xml":
        _to_gatingml(source, target, fcs or [])
    elif _holds_samples(source):
        _from_workspace(source, target, group, binning)
    else:
        _to_folder(source, target)


def _holds_samples(source: Path) -> bool:
    from il2cyto.exchange.workspaces import is_workspace
    from il2cyto.exchange.xml import parse_xml

    return source.suffix.lower() == ".wsp" or (not source.is_dir() and is_workspace(parse_xml(source)))


def _from_workspace(workspace: Path, folder: Path, group: str | None, binning: BinningChoice) -> None:
    from il2cyto.exchange.flowjo.convert import convert_workspace
    from il2cyto.exchange.workspaces import read_any_workspace

    found = read_any_workspace(workspace, binning=binning.value)
    if found.default is not None:
        _to_folder(workspace, folder)
        return
    done = convert_workspace(found, folder, group=group)
    for notice in done.notices:
        typer.echo(f"notice   {notice}", err=True)
    for name, files in done.overrides:
        typer.echo(f"{folder / 'overrides' / name}.yaml: {', '.join(files)}")
    typer.echo(
        f"{folder / 'strategy.yaml'}: {len(done.strategy.populations)} populations of {done.n_samples} samples, "
        f"{len(done.overrides)} overrides; sha256 {done.strategy.content_hash[:12]}"
    )


def _to_folder(source: Path, folder: Path) -> None:
    from il2cyto.exchange import read_gating
    from il2cyto.gating.write import write_strategy

    strategy = read_gating(source)
    write_strategy(folder, strategy)
    _say_notes(strategy.notes)
    typer.echo(f"{folder / 'strategy.yaml'}: {len(strategy.populations)} populations")


def _to_gatingml(source: Path, target: Path, fcs: list[Path]) -> None:
    from il2cyto.exchange import read_gating, write_gatingml
    from il2cyto.exchange.losses import rules_left_out
    from il2cyto.fcs import read_fcs
    from il2cyto.fcs.folder import fcs_files

    strategy = read_gating(source)
    first = next(iter(fcs_files(fcs)), None)
    gates = write_gatingml(strategy, target, sample=None if first is None else read_fcs(first))
    _say_notes((*strategy.notes, *rules_left_out(strategy)))
    typer.echo(f"{target}: {len(gates)} populations as Gating-ML 2.0")


def _to_workspace(source: Path, target: Path, fcs: list[Path]) -> None:
    from il2cyto.errors import StrategyError
    from il2cyto.exchange import read_strategies, write_workspace
    from il2cyto.fcs.folder import fcs_files

    files = list(fcs_files(fcs))
    if not files:
        raise StrategyError("a workspace holds samples: name their files or folder with --fcs")
    for notice in write_workspace(read_strategies(source), files, target):
        typer.echo(f"notice   {notice}", err=True)
    typer.echo(f"{target}: {len(files)} samples")


def _say_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        typer.echo(f"notice   {note}", err=True)
