"""``il2cyto deidentify``: identifiers out of files that are given away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from il2cyto.errors import ParameterError


def deidentify(
    source: Annotated[
        Path | None, typer.Argument(metavar="IN", help="FCS file, folder, or study folder.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="New or empty folder.", show_default=False)] = None,
    key: Annotated[Path | None, typer.Option("--key", help="File with the secret key.")] = None,
    new_key: Annotated[Path | None, typer.Option("--new-key", help="Make a key and write it to this file.")] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Write who is who to this file, apart from IN and OUT.")
    ] = None,
    vocabulary: Annotated[
        Path | None, typer.Option("--vocabulary", help="Names of your own that may stay, one a line, signed.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", help="Folder that the FCS paths of the sample sheet start from.")
    ] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Only tell which files of IN carry likely identifiers.")] = False,
) -> None:
    """Take identifiers out of FCS files, sheets and studies; events stay bit for bit.

    Begin with --new-key FILE. Exit code 0: done, or nothing found. 1: files were set aside, or the scan found
    identifiers. 2: nothing was done.
    """
    if new_key is not None:
        _make_key(new_key)
        if source is None:
            return
    if source is None:
        raise ParameterError("give IN, and OUT or --scan; `il2cyto deidentify --help` explains")
    if scan:
        raise typer.Exit(_scan(source, vocabulary, data_root))
    key = key or new_key
    if out is None or key is None:
        raise ParameterError("give IN, OUT and --key FILE; --new-key FILE makes a key")
    from il2cyto.deident import deidentify as run
    from il2cyto.deident import read_key

    summary = run(
        source,
        out,
        read_key(key),
        key_path=key,
        map_path=map_file,
        vocabulary=vocabulary,
        data_root=data_root,
        say=lambda text: typer.echo(text, err=True),
    )
    typer.echo(
        f"{summary.n_written} files written to {out}, {summary.n_set_aside} set aside, {summary.n_not_copied} not "
        f"copied; what was done: {out / 'deidentification.csv'}",
        err=True,
    )
    raise typer.Exit(summary.exit_code)


def _make_key(path: Path) -> None:
    from il2cyto.deident import new_key

    made = new_key(path)
    typer.echo(f"key {made.fingerprint} written to {path}: keep it apart from the data, and keep a copy", err=True)


def _scan(source: Path, vocabulary: Path | None, data_root: Path | None) -> int:
    from il2cyto.deident import scan

    findings = scan(source, vocabulary=vocabulary, data_root=data_root)
    for finding in findings:
        for change in finding.changes:
            shape = f" ({change.shape})" if change.shape else ""
            typer.echo(f"{finding.file}: {change.where}: {change.reason}{shape}")
    telling = sum(bool(finding.changes) for finding in findings)
    typer.echo(f"{telling} of {len(findings)} files carry likely identifiers", err=True)
    return 1 if telling else 0
