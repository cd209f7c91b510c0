"""``il2cyto serum``: fit the standard curves of plates and print what they came to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ModelChoice(StrEnum):
    """Which curve is fitted."""

    FOUR = "4PL"
    FIVE = "5PL"
    AUTO = "auto"


class ScaleChoice(StrEnum):
    """Of the signal on which the curve is logistic."""

    LINEAR = "linear"
    LOG = "log"


class ValuesChoice(StrEnum):
    """What columns headed by an analyte hold."""

    SIGNAL = "signal"
    CONCENTRATION = "concentration"


def serum(
    plates: Annotated[list[Path], typer.Argument(help="Exports of plate readers.", show_default=False)],
    kit: Annotated[Path | None, typer.Option("--kit", help="CSV: analyte, level, concentration.")] = None,
    wells: Annotated[Path | None, typer.Option("--wells", help="CSV: well or sample, type, level, dilution.")] = None,
    model: Annotated[ModelChoice, typer.Option("--model", help="Curve.")] = ModelChoice.AUTO,
    scale: Annotated[ScaleChoice, typer.Option("--scale", help="Scale of the signal.")] = ScaleChoice.LINEAR,
    values: Annotated[ValuesChoice | None, typer.Option("--values", help="Where the file does not say it.")] = None,
    pool: Annotated[bool, typer.Option("--pool", help="Estimate the curves of several plates together.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the tables as CSV.")] = None,
) -> None:
    """Fit the standard curves of plates and print a summary; what was odd is told, and nothing is corrected.

    Exit code 0: every curve quantifies. 1: a curve failed, or a plate could not be read. 2: nothing could be read.
    """
    from il2cyto.cli.run import say
    from il2cyto.errors import Il2CytoError, TableError
    from il2cyto.serum import AssaySettings, Plate, quantify, read_kit, read_plate, read_plate_map, with_kit, with_map
    from il2cyto.steps.outputs import write_assay

    standards = read_kit(kit) if kit is not None else None
    layout = read_plate_map(wells) if wells is not None else None
    read: list[Plate] = []
    failed = 0
    for path in plates:
        try:
            plate = read_plate(path, values=values.value if values is not None else None)
            plate = with_map(plate, layout, path.name) if layout is not None else plate
            read.append(with_kit(plate, standards) if standards is not None else plate)
        except Il2CytoError as error:
            failed += 1
            say(str(error))
    if not read:
        raise TableError("no plate could be read")
    assay = quantify(read, AssaySettings(model=model.value, scale=scale.value, pool=pool))
    for row in assay.curves.to_dict("records"):
        where = f"{row['plate']}  {row['analyte']}"
        if row["status"] == "accepted":
            lod = "LOD unknown" if row["lod"] != row["lod"] else f"LOD {row['lod']:.3g}"
            limits = f"{row['lloq']:.4g} to {row['uloq']:.4g} {row['unit']}".rstrip()
            typer.echo(f"{where}  {row['model']}  {lod}, quantifies {limits}")
        else:
            typer.echo(f"{where}  {row['status'].upper()}  {row['reason']}".rstrip())
    inside = assay.samples[assay.samples["value"].notna()]
    censored = int((inside["censor"] != 0).sum())
    typer.echo(
        f"{len(assay.samples)} results of {assay.samples['sample'].nunique()} samples: {len(inside) - censored} within "
        f"the range, {censored} beyond it, {len(assay.samples) - len(inside)} without a value"
    )
    for note in assay.notes:
        say(f"notice   {note}")
    if out is not None:
        write_assay(assay, out)
    raise typer.Exit(1 if failed or (assay.curves["status"] == "failed").any() else 0)
