"""Events of one tube: what a cytometer stores when it meets the cells, with the class of every event.

A stored value is ``fluorescence @ spillover`` plus noise whose variance grows with the light (photons) on top of a
constant (electronics), so compensated negatives spread around zero and below it, as they do on an instrument. Bright
ends pile up at the top of the range; nothing is cut at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.simulate.biology import VisitTruth
from il2cyto.simulate.faults import MARGIN, NONE, UNSTABLE_START, Fault, margin_events, weaken
from il2cyto.simulate.instruments import Batch
from il2cyto.simulate.optics import Optics, measure
from il2cyto.simulate.panels import PANELS, SATURATION, SCATTER, TIMESTEP, TubePanel
from il2cyto.simulate.phenotypes import CellClass, cell_classes, in_tube
from il2cyto.simulate.populations import (
    BEAD,
    BEAD_DOUBLET,
    DEAD,
    DEBRIS,
    DOUBLET,
    RED_CELL,
    UNSTABLE,
    members,
    population_path,
)

#: Length of the unstable start, in seconds, and its rate of events relative to the steady one.
UNSTABLE_SECONDS: Final = 1.0
_UNSTABLE_RATE: Final = 0.6
_EVENTS_PER_SECOND: Final = 1500.0
#: SD (log) of the share of dead cells, red cells, debris and doublets between tubes.
_DIRT_SD: Final = (0.3, 0.3, 0.4, 0.15)
_CELL_KINDS: Final = ("lymphocyte", "monocyte", "neutrophil", "eosinophil")


@dataclass(frozen=True)
class TubeSpec:
    """Everything that decides the events of one tube.

    Parameters
    ----------
    seed
        Entropy; the same numbers give the same bytes.
    lymphocytes
        Live lymphocytes to acquire after the unstable start.
    separable
        ``True`` keeps all classes far apart; ``False`` lets them overlap as `il2cyto.simulate.overlap` says.
    beads_per_test, bead_lot, lot_factor
        Beads as the pouch says, its lot, and the true number per stated bead. Beads only enter whole-blood tubes.
    volume_ul, cv_pipetting
        Blood as the sheet says, and the CV of what the pipette really gives.
    batch
        Instrument and calibration; ``None`` is the instrument that the packaged thresholds were made for.
    faults
        What goes wrong while the tube runs.
    omitted
        Marker that was left out of the stain (FMO).
    """

    tube_id: str
    panel: str
    blood: VisitTruth = field(repr=False)
    seed: tuple[int, ...]
    lymphocytes: int
    separable: bool = True
    beads_per_test: int = 50_000
    bead_lot: str = ""
    lot_factor: float = 1.0
    volume_ul: float = 50.0
    cv_pipetting: float = 0.025
    batch: Batch | None = None
    faults: tuple[Fault, ...] = ()
    omitted: str | None = None


@dataclass(frozen=True)
class SeenFault:
    """A fault as it stands in the file: numbers of the first and the last event it touches, and how many it does."""

    fault: Fault
    first_event: int
    last_event: int
    n_events: int
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class SimulatedTube:
    """Events of one tube with their truth.

    Attributes
    ----------
    events
        Stored values, float32 ``(n_events, n_channels)``, in the order in which they were seen.
    labels
        Class of each event, uint8 ``(n_events,)``: an index into `label_names`.
    faulty
        What is wrong with each event, uint8 ``(n_events,)``: an index into `il2cyto.simulate.faults.FAULTS`.
    counts
        One row per population: ``tube_id``, ``population`` (path), ``name``, ``events`` (true number in the file),
        ``events_sound`` (those without a planted fault) and ``cells_per_ul`` (in the blood before sampling; NaN where a
        population is not one of blood cells).
    spillover
        Between stored values: rows are fluorochromes, columns detectors, in the order of `detectors`.
    sampled
        What sampling did: ``volume_factor`` (pipetted over stated blood), ``fraction_acquired`` (of the stated volume).
    """

    spec: TubeSpec
    events: NDArray[np.float32]
    channels: tuple[str, ...]
    markers: tuple[str | None, ...]
    labels: NDArray[np.uint8]
    faulty: NDArray[np.uint8]
    label_names: tuple[str, ...]
    counts: pd.DataFrame
    detectors: tuple[str, ...]
    spillover: NDArray[np.float64]
    sampled: dict[str, float]
    faults: tuple[SeenFault, ...]


def artefacts(panel: TubePanel) -> list[CellClass]:
    """Classes of events that are not one live cell of the blood, as a tube of `panel` sees them."""
    nonspecific = dict.fromkeys(panel.markers, "wide")
    if panel.whole_blood:
        # without a viability dye: dying leukocytes have lost CD45
        dead = {**nonspecific, "CD45": "dim", "Beads": "neg"}
    else:
        dead = {**nonspecific, "CD45": "pos", "Viability": "pos"}
    return [
        CellClass(DEAD, DEAD, 0.0, dead),
        CellClass(RED_CELL, RED_CELL, 0.0, {}),
        CellClass(DEBRIS, DEBRIS, 0.0, {}),
        CellClass(BEAD, BEAD, 0.0, {"Beads": "pos"}),
        CellClass(BEAD_DOUBLET, BEAD_DOUBLET, 0.0, {"Beads": "double"}),
        CellClass(DOUBLET, DOUBLET, 0.0, {}),
        CellClass(UNSTABLE, UNSTABLE, 0.0, {}),
    ]


def _draw_counts(
    rng: np.random.Generator, spec: TubeSpec, panel: TubePanel, classes: list[CellClass]
) -> tuple[NDArray[np.int64], dict[str, float]]:
    """Events of each class after the unstable start, and what sampling did."""
    arriving = np.array([in_tube(one, panel) if one.per_ul else 0.0 for one in classes])
    lymphocytes = sum(one.per_ul for one in classes if one.kind == "lymphocyte")
    volume_factor = float(np.exp(rng.normal(0.0, spec.cv_pipetting)))
    # acquisition stops a little after the wanted number
    fraction = 1.02 * spec.lymphocytes / (lymphocytes * spec.volume_ul * volume_factor)
    if panel.whole_blood:
        # a bead tube cannot give more than it holds; the others are stained from as much blood as they need
        fraction = min(fraction, 1.0)
    expected = fraction * spec.volume_ul * volume_factor * arriving
    cells = expected.sum()
    # no two tubes are equally clean
    dirt = np.exp(np.array(_DIRT_SD) * rng.normal(size=len(_DIRT_SD)))
    extra = {
        DEAD: dirt[0] * (0.005 if panel.whole_blood else 0.04) * cells,
        RED_CELL: dirt[1] * 0.02 * cells,
        DEBRIS: dirt[2] * 0.08 * cells,
        DOUBLET: dirt[3] * (0.02 if panel.whole_blood else 0.03) * cells,
    }
    if panel.whole_blood:
        beads = fraction * spec.beads_per_test * spec.lot_factor
        extra |= {BEAD: 0.995 * beads, BEAD_DOUBLET: 0.005 * beads}
    expected += np.array([extra.get(one.kind, 0.0) for one in classes])
    return rng.poisson(expected), {"volume_factor": volume_factor, "fraction_acquired": float(fraction)}


def simulate_tube(spec: TubeSpec) -> SimulatedTube:
    """Simulate the events of one tube.

    Raises
    ------
    KeyError
        If there is no such panel.

    Examples
    --------
    >>> from datetime import date
    >>> from il2cyto.simulate.biology import draw_subject, draw_visit
    >>> from il2cyto.simulate.quantities import CELLS
    >>> subject = draw_subject(0, [7], list(CELLS), date(2020, 8, 15))
    >>> tube = simulate_tube(TubeSpec("demo", "TBNK", draw_visit(subject, "BL", 1, [7, 1]), (7, 2), lymphocytes=2500))
    >>> tube.events.dtype, tube.events.shape[1] == len(tube.channels), len(tube.labels) == len(tube.events)
    (dtype('float32'), True, True)
    """
    panel = PANELS[spec.panel]
    rng = np.random.default_rng(list(spec.seed))
    classes = [*cell_classes(panel, spec.blood), *artefacts(panel)]
    kinds = np.array([one.kind for one in classes])
    doublet = int(np.flatnonzero(kinds == DOUBLET)[0])
    n_classes, sampled = _draw_counts(rng, spec, panel, classes)

    # events of the unstable start have the same mixture as the rest
    n_unstable = rng.poisson(_UNSTABLE_RATE * UNSTABLE_SECONDS * _EVENTS_PER_SECOND)
    early = rng.choice(len(classes), size=n_unstable, p=n_classes / n_classes.sum())
    index = np.concatenate([early, rng.permutation(np.repeat(np.arange(len(classes)), n_classes))])

    # a stain that was left out changes what is seen, not what the cells are
    seen = [_without(one, spec.omitted) for one in classes] if spec.omitted else classes
    optics = Optics(rng, panel, seen, course=spec.blood.course, separable=spec.separable)
    light, scatter = optics.draw(index)
    pairs = np.flatnonzero(index == doublet)
    cells = np.where(np.isin(kinds, _CELL_KINDS), n_classes, 0.0)
    light[pairs], scatter[pairs] = optics.draw_pairs(len(pairs), cells / cells.sum())

    seconds = np.empty(len(index))
    n_stable = len(index) - n_unstable
    seconds[:n_unstable] = np.sort(rng.uniform(0.0, UNSTABLE_SECONDS, n_unstable))
    seconds[n_unstable:] = UNSTABLE_SECONDS + np.sort(rng.uniform(0.0, n_stable / _EVENTS_PER_SECOND, n_stable))
    # pressure builds up: early events are dim, scatter low and everything unsteady
    weak = (0.55 + 0.35 * seconds[:n_unstable]) * np.exp(rng.normal(0.0, 0.15, n_unstable))
    light[:n_unstable] *= weak[:, None].astype(np.float32)
    scatter[:n_unstable] *= weak[:, None].astype(np.float32)
    faulty = np.full(len(index), NONE, dtype=np.uint8)
    faulty[:n_unstable] = UNSTABLE_START
    stable = slice(n_unstable, None)
    for fault in spec.faults:
        weaken(fault, panel, light[stable], scatter[stable], seconds[stable], faulty[stable])

    events, spillover = _record(rng, spec, panel, light, scatter, seconds)
    for fault in spec.faults:
        if fault.kind == "margin":
            rows = n_unstable + margin_events(rng, fault, n_stable)
            for channel in fault.channels:
                events[rows, panel.channels.index(channel)] = SATURATION
            faulty[rows] = MARGIN

    labels = index.astype(np.uint8)
    labels[:n_unstable] = np.flatnonzero(kinds == UNSTABLE)[0]
    return SimulatedTube(
        spec=spec,
        events=events,
        channels=panel.channels,
        markers=(*(None for _ in SCATTER), *panel.markers, None),
        labels=labels,
        faulty=faulty,
        label_names=tuple(one.name for one in classes),
        counts=_true_counts(spec, panel, classes, labels, faulty),
        detectors=tuple(detector.channel for detector in panel.detectors),
        spillover=spillover,
        sampled=sampled,
        faults=tuple(_seen(fault, faulty, seconds) for fault in spec.faults),
    )


def _without(cell: CellClass, marker: str) -> CellClass:
    return replace(cell, levels={name: level for name, level in cell.levels.items() if name != marker})


def _record(
    rng: np.random.Generator,
    spec: TubeSpec,
    panel: TubePanel,
    light: NDArray[np.float32],
    scatter: NDArray[np.float32],
    seconds: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Stored values, and the spillover between them."""
    events = np.empty((len(seconds), len(panel.channels)), dtype=np.float32)
    if spec.batch is None:
        stored = panel.spillover()
        measured = measure(rng, light, stored)
    else:
        scatter *= spec.batch.gain(SCATTER)
        stored = spec.batch.stored_spillover(panel)
        gains = spec.batch.gain(tuple(detector.channel for detector in panel.detectors))
        # light that is spilled and then amplified is amplified light that spills by the stored matrix
        light *= gains
        measured = measure(rng, light, stored)
    np.minimum(scatter, np.float32(SATURATION), out=events[:, : len(SCATTER)])
    np.minimum(measured, np.float32(SATURATION), out=events[:, len(SCATTER) : -1])
    events[:, -1] = np.floor(seconds / TIMESTEP)
    return events, stored


def _seen(fault: Fault, faulty: NDArray[np.uint8], seconds: NDArray[np.float64]) -> SeenFault:
    touched = np.flatnonzero(faulty == fault.code)
    if not len(touched):
        return SeenFault(fault, -1, -1, 0, float("nan"), float("nan"))
    first, last = int(touched[0]), int(touched[-1])
    return SeenFault(fault, first, last, len(touched), float(seconds[first]), float(seconds[last]))


def _true_counts(
    spec: TubeSpec,
    panel: TubePanel,
    classes: list[CellClass],
    labels: NDArray[np.uint8],
    faulty: NDArray[np.uint8],
) -> pd.DataFrame:
    """Events and cells/µL of every population of the tube's tree."""
    per_class = np.bincount(labels, minlength=len(classes))
    sound = np.bincount(labels[faulty == NONE], minlength=len(classes))
    per_ul = blood_cells(panel, classes)
    rows = [
        {
            "tube_id": spec.tube_id,
            "population": population_path(panel.name, name),
            "name": name,
            "events": int(per_class[held].sum()),
            "events_sound": int(sound[held].sum()),
            "cells_per_ul": per_ul[name],
        }
        for name, held in members(panel.name, classes).items()
    ]
    return pd.DataFrame(rows)


def blood_cells(panel: TubePanel, classes: list[CellClass]) -> dict[str, float]:
    """Cells/µL of blood of every population of the tube's tree; NaN where one is not made of blood cells alone.

    Parameters
    ----------
    classes
        Cell classes and `artefacts` of the tube.
    """
    per_ul = np.array([one.per_ul for one in classes])
    kinds = np.array([one.kind for one in classes])
    # dead cells died after the draw: they count as blood cells nowhere, but do not spoil their population
    blood = {*(_CELL_KINDS if panel.whole_blood else ("lymphocyte",)), DEAD}
    return {
        name: float(per_ul[held].sum()) if set(kinds[held].tolist()) <= blood else float("nan")
        for name, held in members(panel.name, classes).items()
    }
