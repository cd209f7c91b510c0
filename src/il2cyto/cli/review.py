"""``il2cyto review``: the gates that a person should look at first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from il2cyto.cli.options import Out


def review(
    out: Out = Path("results"),
    top: Annotated[int, typer.Option("--top", min=1, help="Gates to list.")] = 20,
    tube: Annotated[str | None, typer.Option("--tube", help="Gates of one tube only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as one JSON array.")] = False,
) -> None:
    """List tubes × gates by how much they could change the result, and gates whose position goes with arm or dose.

    To move a gate, write overrides/TUBE.yaml beside study.yaml (docs/audit.md) and run again.
    Exit code 0: listed. 1: positions of gates go with arm or dose. 2: the folder has no queue.
    """
    import pandas as pd

    from il2cyto.errors import OutputError, ParameterError, did_you_mean

    try:
        queue, drift = pd.read_csv(out / "review.csv"), pd.read_csv(out / "drift.csv")
    except FileNotFoundError as error:
        raise OutputError(
            f"{out}: has no review.csv and drift.csv; run `il2cyto run` with --out {out} first"
        ) from error
    if tube is not None:
        tubes = sorted(set(queue["tube_id"]))
        if tube not in tubes:
            raise ParameterError(f"no gate of tube {tube!r} is learnt{did_you_mean(tube, tubes)}")
        queue = queue[queue["tube_id"] == tube]
    # a column without any warning is read as numbers
    warned = drift[[isinstance(told, str) and told != "" for told in drift["warning"]]]
    if as_json:
        typer.echo(queue.head(top).to_json(orient="records", indent=1))
        raise typer.Exit(1 if len(warned) else 0)
    if queue.empty:
        typer.echo("no gate of this study is learnt")
    for row in queue.head(top).to_dict("records"):
        name = str(row["population"]).rpartition("/")[2]
        change = "" if pd.isna(row["change_percent"]) else f"  ±{row['change_percent']:.1f} %"
        typer.echo(f"{row['tube_id']}  {name}{change}  {row['gate_status']}: {row['gate_source']}")
    if len(queue) > top:
        typer.echo(f"… and {len(queue) - top} more in {out / 'review.csv'}")
    for row in warned.to_dict("records"):
        typer.echo(f"WARNING  {row['tube']} {row['gate']}: {row['warning']}; see drift.csv")
    raise typer.Exit(1 if len(warned) else 0)
