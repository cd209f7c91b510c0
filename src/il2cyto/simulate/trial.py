"""A simulated trial on disk: FCS files, study files, and the truth behind them."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import il2cyto
from il2cyto.errors import ParameterError
from il2cyto.fcs import write_fcs
from il2cyto.provenance import atomic_path, write_text
from il2cyto.simulate import biology, tube
from il2cyto.simulate.analytes import ANALYTES
from il2cyto.simulate.panels import PANELS, TIMESTEP
from il2cyto.simulate.plan import TrialPlan, plan_trial
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.sheets import dosing_sheet, samples_sheet, serum_sheet, study_yaml
from il2cyto.simulate.tube import TubeSpec, simulate_tube

_RANGE = 262144.0


@dataclass(frozen=True)
class WrittenTube:
    """What remains of a tube after its files were written: its true counts and what sampling did to it."""

    tube_id: str
    n_events: int
    counts: pd.DataFrame = field(repr=False)
    sampled: dict[str, float]


@dataclass(frozen=True)
class SimulatedTrial:
    """A simulated trial on disk.

    Attributes
    ----------
    folder
        Holds ``study.yaml``, ``samples.csv``, ``dosing.csv``, ``serum.csv``, ``fcs/`` and ``truth/``.
    counts
        ``truth/counts.csv``: per tube and population the true events and the true cells/µL of the blood.
    """

    folder: Path
    plan: TrialPlan
    counts: pd.DataFrame = field(repr=False)

    @property
    def study(self) -> Path:
        """Path of ``study.yaml``."""
        return self.folder / "study.yaml"


def write_tube(spec: TubeSpec, folder: str | Path) -> WrittenTube:
    """Simulate a tube and write ``fcs/<tube_id>.fcs`` and ``truth/labels/<tube_id>.npz`` below `folder`.

    The archive holds ``labels``, uint16 ``(n_events,)`` in file order, and ``names``, the class that each number means.
    """
    made = simulate_tube(spec)
    folder = Path(folder)
    ranges = [_RANGE] * (len(made.channels) - 1) + [float(made.events[-1, -1]) + 1.0]
    write_fcs(
        made.events,
        folder / "fcs" / f"{spec.tube_id}.fcs",
        channels=made.channels,
        markers=made.markers,
        keywords={"$CYT": "il2cyto simulator", "$COM": "simulated, no patient", "TUBE NAME": spec.panel},
        spillover=(made.detectors, made.spillover),
        timestep=TIMESTEP,
        ranges=ranges,
    )
    with atomic_path(folder / "truth" / "labels" / f"{spec.tube_id}.npz") as temporary:
        np.savez_compressed(temporary, labels=made.labels, names=np.array(made.label_names))
    return WrittenTube(spec.tube_id, len(made.events), made.counts, made.sampled)


def _parameters(plan: TrialPlan, tubes: Sequence[WrittenTube]) -> dict[str, Any]:
    """Everything that was drawn or assumed, as plain data."""
    lots = {spec.bead_lot: spec for spec in plan.tubes}
    written = {one.tube_id: one for one in tubes}
    return {
        "il2cyto": il2cyto.__version__,
        "seed": plan.seed,
        "visits": list(plan.visits),
        "separable": plan.separable,
        "missing_visits": [{"subject": subject, "visit": visit} for subject, visit in plan.missing],
        "response_sd": biology.RESPONSE_SD,
        "decay_per_day": biology.DECAY_PER_DAY,
        "unstable_seconds": tube.UNSTABLE_SECONDS,
        "cv_pipetting": plan.cv_pipetting,
        "cv_lot": plan.cv_lot,
        "cells": {name: asdict(quantity) for name, quantity in CELLS.items()},
        "analytes": {name: asdict(analyte) for name, analyte in ANALYTES.items()},
        "spillover": {
            panel.name: {
                "detectors": [detector.channel for detector in panel.detectors],
                "matrix": panel.spillover().tolist(),
            }
            for panel in PANELS.values()
        },
        "lots": {
            lot: {"beads_per_test": spec.beads_per_test, "true_over_stated": spec.lot_factor}
            for lot, spec in lots.items()
        },
        "subjects": {
            subject.id: {
                "arm": subject.arm,
                "height_cm": subject.height_cm,
                "weight_kg": subject.weight_kg,
                "bsa_m2": subject.bsa_m2,
                "response": subject.response,
                "deviations": dict(subject.deviations),
            }
            for subject in plan.subjects
        },
        "blood": [
            {"subject": one.subject, "visit": one.visit, "day": one.day, "course": one.course, **one.values}
            for one in plan.blood
        ],
        "tubes": {
            spec.tube_id: {
                "seed": list(spec.seed),
                "n_events": written[spec.tube_id].n_events,
                **written[spec.tube_id].sampled,
            }
            for spec in plan.tubes
        },
    }


def _write_tubes(plan: TrialPlan, folder: Path, jobs: int) -> list[WrittenTube]:
    work = partial(write_tube, folder=folder)
    if jobs == 1:
        return [work(spec) for spec in plan.tubes]
    # fresh processes: a fork of a process with threads can stall
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, plan.tubes))


def simulate_trial(
    folder: str | Path,
    *,
    n_subjects: int = 6,
    visits: Sequence[str] = ("BL", "M1", "M3"),
    seed: int = 20200815,
    lymphocytes: int = 50_000,
    separable: bool = True,
    tbnk_lymphocytes: int = 12_000,
    missing_visits: int = 1,
    jobs: int = 1,
) -> SimulatedTrial:
    """Simulate a small trial of low-dose interleukin-2 with known truth, and write it to `folder`.

    Every tube has its own stream of random numbers, so a tube is the same whether it is made alone, in any order or in
    parallel. Files of an earlier run with the same names are replaced.

    Parameters
    ----------
    folder
        Made if it does not exist.
    n_subjects
        Subjects; the arms alternate.
    visits
        Some of ``BL``, ``M1``, ``M3``, ``M6``, ``M12``.
    seed
        Same seed, same bytes.
    lymphocytes
        Live lymphocytes in each TREG, TH17 and NK tube.
    separable
        ``True`` keeps populations so far apart that the packaged gates recover them; ``False`` lets them overlap.
    tbnk_lymphocytes
        Lymphocytes in each TBNK tube; its beads follow from the blood.
    missing_visits
        Visits after baseline that are left out whole.
    jobs
        Processes; does not change the result.

    Raises
    ------
    ParameterError
        If a number is out of range or a visit is unknown.
    """
    if jobs < 1:
        raise ParameterError(f"jobs = {jobs}: wants at least 1")
    plan = plan_trial(
        n_subjects=n_subjects,
        visits=visits,
        seed=seed,
        lymphocytes=lymphocytes,
        separable=separable,
        tbnk_lymphocytes=tbnk_lymphocytes,
        missing_visits=missing_visits,
    )
    folder = Path(folder)
    tubes = _write_tubes(plan, folder, jobs)
    counts = pd.concat([one.counts for one in tubes], ignore_index=True)
    write_text(folder / "study.yaml", study_yaml(plan))
    sheets = {
        "samples.csv": samples_sheet(plan),
        "dosing.csv": dosing_sheet(plan),
        "serum.csv": serum_sheet(plan),
        "truth/counts.csv": counts,
    }
    for name, sheet in sheets.items():
        write_text(folder / name, sheet.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "truth" / "parameters.json", json.dumps(_parameters(plan, tubes), indent=1) + "\n")
    return SimulatedTrial(folder, plan, counts)
