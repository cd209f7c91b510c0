"""Spillover matrices of a study from its control tubes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from il2cyto import __version__
from il2cyto.errors import CompensationError, Il2CytoError
from il2cyto.fcs import read_fcs
from il2cyto.provenance import atomic_path, hash_file, write_text
from il2cyto.spillover import Estimate, Stain, estimate_spillover, spreading_matrix
from il2cyto.study.model import ControlRecord, Study

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """The matrix of one kind of tube in one batch that was written, or why there is none."""

    tube: str
    batch: str
    path: Path | None
    error: str = ""


def study_spillover(
    study: Study, out: Path, *, tube: str | None = None, batch: str | None = None, method: str = "populations"
) -> Iterator[Outcome]:
    """Write the matrix of each kind of tube and batch that has single stains, one after the other.

    For each: ``NAME.csv`` (what `SpilloverMatrix.from_csv` reads), ``NAME-error.csv`` (standard errors),
    ``NAME-spreading.csv``, ``NAME.png`` (stains before and after) and ``NAME.json`` (method, version, hashes).

    Parameters
    ----------
    study
        A study with a controls sheet.
    out
        Folder for the files.
    tube, batch
        Only these.
    method
        As for `il2cyto.spillover.estimate_spillover`.
    """
    groups: dict[tuple[str, str], list[ControlRecord]] = {}
    for control in study.controls:
        lot = control.batch or ""
        wanted = tube in (None, control.tube) and batch in (None, lot)
        if wanted and control.kind in ("unstained", "single_stain"):
            groups.setdefault((control.tube, lot), []).append(control)
    for (kind, lot), controls in groups.items():
        try:
            path = _write(out, f"{kind}-{lot}" if lot else kind, controls, method)
        except Il2CytoError as error:
            yield Outcome(kind, lot, None, str(error))
        else:
            yield Outcome(kind, lot, path)


def _write(out: Path, name: str, controls: Sequence[ControlRecord], method: str) -> Path:
    bare = [control for control in controls if control.kind == "unstained"]
    stained = [control for control in controls if control.kind == "single_stain"]
    if len(bare) != 1 or not stained:
        raise CompensationError(
            "{name}: wants one unstained control and single stains, the controls sheet has {n} and {k}",
            name=name, n=len(bare), k=len(stained),
        )  # fmt: skip
    unnamed = [control.control_id for control in stained if control.channel is None]
    if unnamed:
        raise CompensationError("{name}: {ids}: write the channel of the stain", name=name, ids=", ".join(unnamed))
    detectors = tuple(str(control.channel) for control in stained)

    def values(control: ControlRecord) -> FloatArray:
        sample = read_fcs(control.fcs)
        return sample.linear([sample.index(detector) for detector in detectors])

    unstained = values(bare[0])
    stains = [Stain(str(control.channel), values(control)) for control in stained]
    found = estimate_spillover(stains, unstained, detectors, method, matrix_id=name)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / f"{name}.csv", _table(found.matrix.to_table()))
    write_text(out / f"{name}-error.csv", _named(detectors, found.standard_error))
    write_text(out / f"{name}-spreading.csv", _named(detectors, spreading_matrix(stains, unstained, found.matrix)))
    write_text(out / f"{name}.json", json.dumps(_told(found, controls), indent=1))
    _draw(out / f"{name}.png", stains, found)
    return out / f"{name}.csv"


def _told(found: Estimate, controls: Sequence[ControlRecord]) -> dict[str, object]:
    return {
        "il2cyto": __version__,
        "method": found.method,
        "matrix_sha256": found.matrix.content_hash,
        "n_positive": dict(zip(found.matrix.detectors, found.n_positive, strict=True)),
        "controls": {control.control_id: hash_file(control.fcs) for control in controls},
    }


def _draw(path: Path, stains: Sequence[Stain], found: Estimate) -> None:
    from il2cyto.pl.spillover import before_and_after

    figure = before_and_after([(stain.detector, stain.values) for stain in stains], found.matrix)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _named(names: Sequence[str], values: FloatArray) -> str:
    rows = [
        [name, *("" if np.isnan(x) else repr(x) for x in row)] for name, row in zip(names, values.tolist(), strict=True)
    ]
    return _table([["", *names], *rows])


def _table(rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
