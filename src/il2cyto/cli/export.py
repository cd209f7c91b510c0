"""``il2cyto export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FcsVersion(StrEnum):
    """Versions of FCS that can be written."""

    V3_1 = "3.1"
    V3_2 = "3.2"


def export(
    file: Annotated[Path, typer.Argument(help="FCS file.", show_default=False)],
    gating: Annotated[
        Path, typer.Option("--gating", "-g", help="Strategy folder, or Gating-ML 2.0 file.", show_default=False)
    ],
    population: Annotated[
        str,
        typer.Option("--population", "-p", help="Name or path of the population; root for all.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The FCS file to write.", show_default=False)],
    version: Annotated[FcsVersion, typer.Option("--version", help="Version of FCS.")] = FcsVersion.V3_1,
    panel: Annotated[Path | None, typer.Option("--panel", help="panel.csv; default: that of the strategy.")] = None,
    dataset: Annotated[
        int | None, typer.Option("--dataset", min=0, help="Data set of the file, from 0; default: the first.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="Keyword to take from FILE, such as $CYT or $PnS; repeatable. Default: all."),
    ] = None,
    keyword: Annotated[
        list[str] | None, typer.Option("--keyword", help="KEY=VALUE to write, such as $CYT=Aurora; repeatable.")
    ] = None,
) -> None:
    """Write the events of one population as an FCS file, bit for bit, with the keywords of the original.

    The new file names its origin by SHA-256. Unless --keep chooses, it carries everything that identifies the patient.
    """
    from il2cyto.exchange import read_strategies
    from il2cyto.fcs import read_fcs
    from il2cyto.gating.export import export_population
    from il2cyto.panel import Panel

    words = dict(_pair(text) for text in keyword or ())
    own = Panel.from_csv(panel) if panel is not None else None
    sample = read_fcs(file, own, dataset=dataset)
    result = read_strategies(gating, own).for_file(file.name).apply(sample)
    for note in result.notes:
        typer.echo(f"notice   {note}", err=True)
    n = export_population(result, population, out, version=version.value, keywords=words, keep=keep or None)
    typer.echo(f"{out}: {n} of {sample.n_events} events")


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text!r}: wanted KEY=VALUE", param_hint="--keyword")
    return key, value
