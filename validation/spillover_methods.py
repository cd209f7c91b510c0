"""Spillover matrices by each method beside the truth of simulated instruments, and beside flowCore's published one.

Single stains and the unstained control of every panel and batch of a simulated trial go through each method. Told are
the error of the coefficients, how often the truth lies within the stated interval, and matrices that a method refuses.

Run ``python validation/spillover_methods.py``; ``--write FILE`` keeps the tables.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

import numpy as np

from il2cyto.errors import CompensationError
from il2cyto.fcs import read_fcs
from il2cyto.provenance import write_text
from il2cyto.simulate import plan_trial
from il2cyto.simulate.controls import plan_controls, simulate_stain
from il2cyto.simulate.panels import PANELS, SCATTER
from il2cyto.spillover import Stain, estimate_spillover
from il2cyto.spillover.estimate import METHODS

#: Visits of the trial; more of them give more batches.
VISITS: Final = ("BL", "M1", "M3", "M6", "M12")


def simulated(n_subjects: int) -> list[str]:
    """Errors of the coefficients by panel and method, over the batches of a trial."""
    controls = plan_controls(plan_trial(n_subjects=n_subjects, seed=4, missing_visits=0, visits=VISITS))
    told = [
        "| panel | method | matrices | refused | median error | 95 % of errors within | largest | truth in interval |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for tube, panel in PANELS.items():
        detectors = [detector.channel for detector in panel.detectors]
        columns = slice(len(SCATTER), len(SCATTER) + len(detectors))
        off = ~np.eye(len(detectors), dtype=bool)
        errors: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
        held: list[np.ndarray] = []
        refused = dict.fromkeys(METHODS, 0)
        batches = {spec.batch.id: spec.batch for spec in controls.stains if spec.panel == tube}
        for batch_id, batch in batches.items():
            some = [spec for spec in controls.stains if (spec.panel, spec.batch.id) == (tube, batch_id)]
            values = {spec.marker: simulate_stain(spec)[0][:, columns].astype(np.float64) for spec in some}
            stains = [Stain(detector.channel, values[detector.marker]) for detector in panel.detectors]
            truth = batch.stored_spillover(panel)
            for method in METHODS:
                try:
                    found = estimate_spillover(stains, values[""], detectors, method)
                except CompensationError:
                    refused[method] += 1
                    continue
                error = np.abs(found.matrix.values - truth)[off]
                errors[method].append(error)
                if np.isfinite(found.standard_error[off]).all():
                    held.append(error <= 1.96 * np.maximum(found.standard_error[off], 1e-5))
        for method in METHODS:
            numbers = "– | – | –"
            if errors[method]:
                every = np.concatenate(errors[method])
                numbers = f"{np.median(every):.4f} | {np.quantile(every, 0.95):.4f} | {every.max():.4f}"
            share = f"{np.concatenate(held).mean():.0%}" if method == METHODS[0] and held else "no interval"
            told.append(f"| {tube} | {method} | {len(errors[method])} | {refused[method]} | {numbers} | {share} |")
    return told


def flowcore(reference: Path) -> list[str]:
    """Every method beside flowCore's published matrix."""
    folder = reference / "spillover-single-stains" / "extdata" / "compdata"
    channels = ("FL1-H", "FL2-H", "FL3-H", "FL4-H")
    files = {"": "001", "FL1-H": "002", "FL2-H": "003", "FL3-H": "005", "FL4-H": "004"}

    def values(name: str) -> np.ndarray:
        sample = read_fcs(folder / "data" / f"060909.{name}")
        return sample.linear([sample.index(channel) for channel in channels])

    lines = (folder / "compref1").read_text(encoding="utf-8").splitlines()[1:]
    published = np.array([line.split()[1:] for line in lines], dtype=float)
    stains = [Stain(channel, values(file)) for channel, file in files.items() if channel]
    told = ["| method | largest difference from `compref1` | by row |", "|---|---:|---|"]
    for method in METHODS:
        found = estimate_spillover(stains, values(files[""]), channels, method).matrix.values
        rows = ", ".join(f"{one:.4f}" for one in np.abs(found - published).max(axis=1))
        told.append(f"| {method} | {np.abs(found - published).max():.4f} | {rows} |")
    return told


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    lines = [
        "# Spillover matrices by method", "", "`python validation/spillover_methods.py`", "",
        "## Simulated instruments", "", *simulated(options.subjects), "",
    ]  # fmt: skip
    if "IL2CYTO_REFERENCE" in os.environ:
        lines += ["## Beside flowCore", "", *flowcore(Path(os.environ["IL2CYTO_REFERENCE"])), ""]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    main()
