"""A simulated trial on disk: FCS files, study files, and the truth behind them."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from il2cyto.errors import ParameterError
from il2cyto.fcs import write_fcs
from il2cyto.provenance import atomic_path, write_text
from il2cyto.simulate.clinical import clinical_sheets
from il2cyto.simulate.controls import Controls, StainSpec, plan_controls, simulate_stain
from il2cyto.simulate.design import TrialDesign
from il2cyto.simulate.faults import FAULTS
from il2cyto.simulate.panels import PANELS, SCATTER, TIMESTEP
from il2cyto.simulate.plan import TrialPlan, plan_trial
from il2cyto.simulate.sheets import controls_sheet, dosing_sheet, samples_sheet, serum_sheet, study_yaml
from il2cyto.simulate.truth import blood_table, parameters, serum_table
from il2cyto.simulate.tube import SeenFault, TubeSpec, simulate_tube

_RANGE = 262144.0


@dataclass(frozen=True)
class WrittenTube:
    """What remains of a tube after its files were written: true counts, what sampling did to it, faults."""

    tube_id: str
    n_events: int
    counts: pd.DataFrame = field(repr=False)
    sampled: dict[str, float]
    faults: tuple[SeenFault, ...] = ()


@dataclass(frozen=True)
class SimulatedTrial:
    """A simulated trial on disk.

    Attributes
    ----------
    folder
        Holds ``study.yaml``, the sheets, ``fcs/``, ``controls/`` where asked for, and ``truth/``.
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


def write_tube(spec: TubeSpec, folder: str | Path, below: str = "fcs") -> WrittenTube:
    """Simulate a tube and write ``fcs/<tube_id>.fcs`` and ``truth/labels/<tube_id>.npz`` below `folder`.

    The archive holds, in file order, ``labels``, uint8 ``(n_events,)``, with ``names``, the class that each number
    means, and ``faulty``, uint8 ``(n_events,)``, with ``faults``, what is wrong with an event.

    Parameters
    ----------
    below
        Folder of the FCS file.
    """
    made = simulate_tube(spec)
    folder = Path(folder)
    _write_events(
        folder / below / f"{spec.tube_id}.fcs",
        made.events,
        made.channels,
        made.markers,
        (made.detectors, made.spillover),
        {"TUBE NAME": spec.panel, **_keywords(spec)},
    )
    with atomic_path(folder / "truth" / "labels" / f"{spec.tube_id}.npz") as temporary:
        np.savez_compressed(
            temporary,
            labels=made.labels,
            names=np.array(made.label_names),
            faulty=made.faulty,
            faults=np.array(FAULTS),
        )
    return WrittenTube(spec.tube_id, len(made.events), made.counts, made.sampled, made.faults)


def _keywords(spec: TubeSpec | StainSpec) -> dict[str, str]:
    if spec.batch is None:
        return {}
    return {"$CYTSN": spec.batch.instrument, **spec.batch.voltages(PANELS[spec.panel].channels)}


def _write_events(
    path: Path,
    events: np.ndarray[Any, np.dtype[np.float32]],
    channels: Sequence[str],
    markers: Sequence[str | None],
    spillover: tuple[Sequence[str], np.ndarray[Any, np.dtype[np.float64]]],
    keywords: dict[str, str],
) -> None:
    write_fcs(
        events,
        path,
        channels=channels,
        markers=markers,
        keywords={"$CYT": "il2cyto simulator", "$COM": "simulated, no patient", **keywords},
        spillover=spillover,
        timestep=TIMESTEP,
        ranges=[_RANGE] * (len(channels) - 1) + [float(events[-1, -1]) + 1.0],
    )


def write_stain(spec: StainSpec, folder: str | Path) -> str:
    """Simulate a single stain or an unstained control and write ``controls/<control_id>.fcs`` below `folder`.

    It carries no spillover matrix: it is what one is made from. ``truth/labels`` says which beads bind.
    """
    panel = PANELS[spec.panel]
    events, binding = simulate_stain(spec)
    write_fcs(
        events,
        Path(folder) / "controls" / f"{spec.control_id}.fcs",
        channels=panel.channels,
        markers=(*(None for _ in SCATTER), *panel.markers, None),
        keywords={
            "$CYT": "il2cyto simulator",
            "$COM": "simulated, no patient",
            "TUBE NAME": spec.marker or "unstained",
            **_keywords(spec),
        },
        timestep=TIMESTEP,
        ranges=[_RANGE] * (len(panel.channels) - 1) + [float(events[-1, -1]) + 1.0],
    )
    with atomic_path(Path(folder) / "truth" / "labels" / f"{spec.control_id}.npz") as temporary:
        np.savez_compressed(temporary, labels=binding, names=np.array(["bead", "bead with antibody"]))
    return spec.control_id


def _work(job: TubeSpec | StainSpec, folder: Path, controls: frozenset[str]) -> WrittenTube | str:
    if isinstance(job, StainSpec):
        return write_stain(job, folder)
    return write_tube(job, folder, "controls" if job.tube_id in controls else "fcs")


def _write_all(
    plan: TrialPlan, controls: Controls, folder: Path, jobs: int, done: Callable[[int, int], None] | None
) -> list[WrittenTube]:
    """Write every file, in as many processes as asked for; the tubes come back in the order of the plan."""
    work: list[TubeSpec | StainSpec] = [*plan.tubes, *(one.spec for one in controls.tubes), *controls.stains]
    run = partial(_work, folder=folder, controls=frozenset(one.spec.tube_id for one in controls.tubes))
    written = []
    for n, one in enumerate(_mapped(run, work, jobs), start=1):
        if isinstance(one, WrittenTube):
            written.append(one)
        if done is not None:
            done(n, len(work))
    return written


def _mapped(
    run: Callable[[TubeSpec | StainSpec], WrittenTube | str], work: Sequence[TubeSpec | StainSpec], jobs: int
) -> Iterator[WrittenTube | str]:
    if jobs == 1:
        yield from map(run, work)
        return
    # fresh processes: a fork of a process with threads can stall
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run, work, chunksize=4)


def _fault_table(tubes: Sequence[WrittenTube]) -> pd.DataFrame:
    rows = [
        (
            tube.tube_id,
            seen.fault.kind,
            seen.first_event,
            seen.last_event,
            seen.n_events,
            round(seen.start_s, 2),
            round(seen.stop_s, 2),
            seen.fault.size,
            " ".join(seen.fault.channels),
        )
        for tube in tubes
        for seen in tube.faults
    ]
    names = ["tube_id", "kind", "first_event", "last_event", "n_events", "start_s", "stop_s", "size", "channels"]
    return pd.DataFrame(rows, columns=names)


def _sampled(tubes: Sequence[WrittenTube]) -> pd.DataFrame:
    return pd.DataFrame([{"tube_id": one.tube_id, "n_events": one.n_events, **one.sampled} for one in tubes])


def _clear(folder: Path) -> None:
    """Remove FCS and label files of an earlier run, so that no tube is left that the sheets do not know."""
    for pattern in ("fcs/*.fcs", "controls/*.fcs", "truth/labels/*.npz"):
        for path in folder.glob(pattern):
            path.unlink()


def simulate_trial(
    folder: str | Path,
    design: TrialDesign | None = None,
    *,
    jobs: int = 1,
    done: Callable[[int, int], None] | None = None,
    **changes: Any,
) -> SimulatedTrial:
    """Simulate a trial of low-dose interleukin-2 with known truth, and write it to `folder`.

    Every tube has its own stream of random numbers, so a tube is the same whether it is made alone, in any order or in
    parallel, and whatever the number of subjects. FCS and label files of an earlier run in the folder are removed.

    Parameters
    ----------
    folder
        Made if it does not exist.
    design
        What to simulate; the small demo by default, `il2cyto.simulate.WHOLE` for the trial as it was registered.
    jobs
        Processes; does not change the result.
    done
        Called with the number of files that are written and of all files.
    changes
        Fields of `TrialDesign` that differ from `design`.

    Raises
    ------
    ParameterError
        If a number is out of range or a visit is unknown.
    """
    if jobs < 1:
        raise ParameterError(f"jobs = {jobs}: wants at least 1")
    plan = plan_trial(design, **changes)
    folder = Path(folder)
    controls = plan_controls(plan) if plan.design.controls else Controls()
    _clear(folder)
    written = _write_all(plan, controls, folder, jobs, done)
    tubes, control_tubes = written[: len(plan.tubes)], written[len(plan.tubes) :]
    counts = pd.concat([one.counts for one in tubes], ignore_index=True)
    clinical = clinical_sheets(plan)
    write_text(folder / "study.yaml", study_yaml(plan))
    sheets = {
        "samples.csv": samples_sheet(plan),
        "dosing.csv": dosing_sheet(plan),
        "serum.csv": serum_sheet(plan),
        **clinical.sheets,
        "truth/counts.csv": counts,
        "truth/blood.csv": blood_table(plan),
        "truth/serum.csv": serum_table(plan),
        "truth/sampled.csv": _sampled(tubes),
        "truth/faults.csv": _fault_table(tubes),
        "truth/disease.csv": clinical.disease,
        "truth/discordances.csv": clinical.discordances,
        "truth/flares.csv": clinical.flares,
    }
    if plan.design.controls:
        sheets["controls.csv"] = controls_sheet(controls)
        sheets["truth/control_counts.csv"] = pd.concat([one.counts for one in control_tubes], ignore_index=True)
    for name, sheet in sheets.items():
        write_text(folder / name, sheet.to_csv(index=False, lineterminator="\n"))
    specs = [*plan.tubes, *(one.spec for one in controls.tubes)]
    write_text(folder / "truth" / "parameters.json", json.dumps(parameters(plan, specs), indent=1) + "\n")
    return SimulatedTrial(folder, plan, counts)
