"""Events of one tube: what a cytometer stores when it meets the cells, with the class of every event.

A stored value is ``fluorescence @ spillover`` plus noise whose variance grows with the light (photons) on top of a
constant (electronics), so compensated negatives spread around zero and below it, as they do on an instrument. Bright
ends pile up at the top of the range; nothing is cut at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from il2cyto.simulate.biology import VisitTruth
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
        ``True`` keeps all classes far apart; ``False`` widens and dims the peaks so that they overlap.
    beads_per_test, bead_lot, lot_factor
        Beads as the pouch says, its lot, and the true number per stated bead. Beads only enter whole-blood tubes.
    volume_ul, cv_pipetting
        Blood as the sheet says, and the CV of what the pipette really gives.
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


@dataclass(frozen=True)
class SimulatedTube:
    """Events of one tube with their truth.

    Attributes
    ----------
    events
        Stored values, float32 ``(n_events, n_channels)``, in the order in which they were seen.
    labels
        Class of each event, uint16 ``(n_events,)``: an index into `label_names`.
    counts
        One row per population: ``tube_id``, ``population`` (path), ``name``, ``events`` (true number in the file) and
        ``cells_per_ul`` (in the blood before sampling; NaN where a population is not one of blood cells).
    spillover
        Rows are fluorochromes, columns detectors, in the order of `detectors`.
    sampled
        What sampling did: ``volume_factor`` (pipetted over stated blood), ``fraction_acquired`` (of the stated volume).
    """

    spec: TubeSpec
    events: NDArray[np.float32]
    channels: tuple[str, ...]
    markers: tuple[str | None, ...]
    labels: NDArray[np.uint16]
    label_names: tuple[str, ...]
    counts: pd.DataFrame
    detectors: tuple[str, ...]
    spillover: NDArray[np.float64]
    sampled: dict[str, float]


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
    extra = {
        DEAD: 0.005 * cells if panel.whole_blood else 0.04 * cells,
        RED_CELL: 0.02 * cells,
        DEBRIS: 0.08 * cells,
        DOUBLET: 0.02 * cells if panel.whole_blood else 0.03 * cells,
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

    optics = Optics(rng, panel, classes, course=spec.blood.course, separable=spec.separable)
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

    spillover = panel.spillover()
    events = np.empty((len(index), len(panel.channels)), dtype=np.float32)
    np.minimum(scatter, np.float32(SATURATION), out=events[:, : len(SCATTER)])
    np.minimum(measure(rng, light, spillover), np.float32(SATURATION), out=events[:, len(SCATTER) : -1])
    events[:, -1] = np.floor(seconds / TIMESTEP)

    labels = index.astype(np.uint16)
    labels[:n_unstable] = np.flatnonzero(kinds == UNSTABLE)[0]
    return SimulatedTube(
        spec=spec,
        events=events,
        channels=panel.channels,
        markers=(*(None for _ in SCATTER), *panel.markers, None),
        labels=labels,
        label_names=tuple(one.name for one in classes),
        counts=_true_counts(spec, panel, classes, labels),
        detectors=tuple(detector.channel for detector in panel.detectors),
        spillover=spillover,
        sampled=sampled,
    )


def _true_counts(
    spec: TubeSpec, panel: TubePanel, classes: list[CellClass], labels: NDArray[np.uint16]
) -> pd.DataFrame:
    """Events and cells/µL of every population of the tube's tree."""
    per_class = np.bincount(labels, minlength=len(classes))
    per_ul = np.array([one.per_ul for one in classes])
    kinds = np.array([one.kind for one in classes])
    # dead cells died after the draw: they count as blood cells nowhere, but do not spoil their population
    blood = {*(_CELL_KINDS if panel.whole_blood else ("lymphocyte",)), DEAD}
    rows = [
        {
            "tube_id": spec.tube_id,
            "population": population_path(panel.name, name),
            "name": name,
            "events": int(per_class[held].sum()),
            "cells_per_ul": float(per_ul[held].sum()) if set(kinds[held].tolist()) <= blood else float("nan"),
        }
        for name, held in members(panel.name, classes).items()
    ]
    return pd.DataFrame(rows)
