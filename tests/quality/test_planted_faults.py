"""Faults that the simulator plants are found, and little else: a small version of validation/tube_quality.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from il2cyto.fcs import read_fcs
from il2cyto.quality.margins import find_margins
from il2cyto.quality.stability import find_instability
from il2cyto.simulate import PANELS
from il2cyto.simulate.biology import draw_subject, draw_visit
from il2cyto.simulate.faults import CLOG, DRIFT, MARGIN, NONE, Fault
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.tube import SimulatedTube, TubeSpec, simulate_tube

EVERY = ("FSC-A", "FSC-H", "SSC-A", *(detector.channel for detector in PANELS["TREG"].detectors))
LASER = tuple(d.channel for d in PANELS["TREG"].detectors if d.laser == PANELS["TREG"].detectors[3].laser)


def tube(*faults: Fault, seed: int = 3) -> SimulatedTube:
    subject = draw_subject(0, [7], list(CELLS), date(2020, 8, 15))
    blood = draw_visit(subject, "BL", 1, [7, 1])
    return simulate_tube(TubeSpec("t", "TREG", blood, (seed, 2), lymphocytes=20_000, separable=False, faults=faults))


def found(made: SimulatedTube) -> tuple[np.ndarray, np.ndarray]:
    """Which events are marked as unstable, and which are at an upper margin."""
    signal = [k for k, name in enumerate(made.channels) if name != "Time"]
    values = made.events[:, signal].astype(np.float64)
    names = [made.channels[k] for k in signal]
    course = find_instability(values, names, made.events[:, made.channels.index("Time")].astype(np.float64))
    margins = find_margins(values, np.full(len(signal), 262_144.0))
    return course.marked(len(values)), margins.upper


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("clog", 0.4, 0.5, 0.5, EVERY),
        Fault("drift", 0.3, 1.0, 0.45, LASER),
        Fault("margin", 0.0, 1.0, 0.03, ("SSC-A",)),
    ],
    ids=lambda fault: fault.kind,
)
def test_planted_events_are_found(fault: Fault, seed: int) -> None:
    made = tube(fault, seed=seed)
    unstable, margin = found(made)
    code = {"clog": CLOG, "drift": DRIFT, "margin": MARGIN}[fault.kind]
    planted, sound = made.faulty == code, made.faulty == NONE
    marked = margin if fault.kind == "margin" else unstable
    assert planted.sum() > 500
    assert marked[planted].mean() >= 0.95
    assert marked[sound].mean() <= 0.02


def test_a_sound_tube_is_left_alone() -> None:
    unstable, margin = found(tube())
    assert unstable[tube().faulty == NONE].mean() < 0.005
    assert margin.mean() < 0.005


@pytest.mark.reference
def test_margins_beside_peacoqc(reference: Path) -> None:
    """PeacoQC took 383 of 10,000 events away: what is at an upper end, and negative values that we keep."""
    folder = reference / "qc-and-batch" / "extdata"
    before, after = read_fcs(folder / "111.fcs"), read_fcs(folder / "111_Comp_Trans.fcs")
    same = [before.names.index(name) for name in ("FSC-A", "FSC-H", "Time", "B710-A", "V705-A")]
    left = {tuple(row) for row in after.events[:, same].astype(np.float32)}
    theirs = np.array([tuple(row) not in left for row in before.events[:, same].astype(np.float32)])
    used = [channel.index for channel in before.channels if not channel.is_time]
    stored = before.raw[:, used]
    upper = find_margins(stored, np.array([before.channels[k].range for k in used])).upper
    assert (theirs.sum(), upper.sum(), (upper & theirs).sum()) == (383, 73, 73)
    lowest = (stored <= np.maximum(-111.0, stored.min(axis=0))).any(axis=1)
    assert not (theirs & ~upper & ~lowest).any()
