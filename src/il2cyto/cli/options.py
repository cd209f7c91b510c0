"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[Path, typer.Argument(help="study.yaml", show_default=False)]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder that the FCS paths of the sample sheet start from.")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Cores to use; default: all that are allowed, and never more. Changes the time and nothing else.",
    ),
]
User = Annotated[
    str | None,
    typer.Option("--user", help="Who runs this, for audit.jsonl; default: IL2CYTO_USER, or account and machine."),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for audit.jsonl.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Hash every FCS file, also those that the file system calls unchanged.")
]
