"""Planted faults: they are where the truth says, and look like what they are called."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from il2cyto.simulate import PANELS, SimulatedTube, TubeSpec, simulate_tube
from il2cyto.simulate.biology import draw_subject, draw_visit
from il2cyto.simulate.faults import CLOG, DRIFT, FAULTS, MARGIN, NONE, UNSTABLE_START, Fault, draw_fault
from il2cyto.simulate.panels import SATURATION
from il2cyto.simulate.quantities import CELLS

EVERY = (*("FSC-A", "FSC-H", "SSC-A"), *(one.channel for one in PANELS["NK"].detectors))


def tube(*faults: Fault) -> SimulatedTube:
    subject = draw_subject(0, [11], list(CELLS), date(2020, 8, 15))
    blood = draw_visit(subject, "M1", 30, [11, 1])
    return simulate_tube(TubeSpec("tube", "NK", blood, (3,), 20_000, faults=faults))


def median(made: SimulatedTube, channel: str, rows: np.ndarray) -> float:
    lymphocytes = np.array([one == "T" for one in made.label_names])[made.labels]
    return float(np.median(made.events[rows & lymphocytes, made.channels.index(channel)]))


def test_a_clean_tube_has_only_its_unstable_start() -> None:
    made = tube()
    assert set(made.faulty.tolist()) == {NONE, UNSTABLE_START}
    assert made.faults == ()
    counts = made.counts.set_index("name")
    assert (counts["events"] == counts["events_sound"]).all()


def test_a_clog_slows_the_flow_and_dims_everything_within_its_limits() -> None:
    made = tube(Fault("clog", 0.4, 0.5, 0.5, EVERY))
    (seen,) = made.faults
    rows = made.faulty == CLOG
    assert np.flatnonzero(rows).tolist() == list(range(seen.first_event, seen.last_event + 1))
    assert seen.n_events == rows.sum() == pytest.approx(0.1 * (made.faulty != UNSTABLE_START).sum(), abs=2)
    rate = seen.n_events / (seen.stop_s - seen.start_s)
    before = made.events[: seen.first_event, -1]
    assert rate < 0.3 * len(before) / (0.01 * before.max())
    assert median(made, "FSC-A", rows) < 0.7 * median(made, "FSC-A", made.faulty == NONE)
    # time never runs backwards
    assert (np.diff(made.events[:, -1]) >= 0).all()


def test_a_drift_is_one_laser_that_fades() -> None:
    channels = tuple(one.channel for one in PANELS["NK"].detectors if one.laser == 355)
    made = tube(Fault("drift", 0.5, 1.0, 0.4, channels))
    late = np.arange(len(made.faulty)) > 0.95 * len(made.faulty)
    assert (made.faulty[late] == DRIFT).all()
    sound = made.faulty == NONE
    assert median(made, "BUV496-A", late) / median(made, "BUV496-A", sound) == pytest.approx(0.62, abs=0.05)
    assert median(made, "FSC-A", late) / median(made, "FSC-A", sound) == pytest.approx(1.0, abs=0.03)


def test_margin_events_stand_at_the_end_of_the_range() -> None:
    made = tube(Fault("margin", 0.0, 1.0, 0.05, ("SSC-A",)))
    rows = made.faulty == MARGIN
    assert rows.mean() == pytest.approx(0.05, abs=0.01)
    assert (made.events[rows, made.channels.index("SSC-A")] == SATURATION).all()
    counts = made.counts.set_index("name")
    live = "live"
    assert counts.loc[live, "events_sound"] == pytest.approx(0.95 * counts.loc[live, "events"], rel=0.01)


def test_faults_come_at_their_share_and_of_every_kind() -> None:
    drawn = [draw_fault(np.random.default_rng(seed), PANELS["TREG"], 0.2) for seed in range(1500)]
    kinds = [one[0].kind for one in drawn if one]
    assert len(kinds) / 1500 == pytest.approx(0.2, abs=0.035)
    assert set(kinds) == set(FAULTS[2:])
    assert min(kinds.count(kind) for kind in set(kinds)) > 60
    for (fault,) in (one for one in drawn if one):
        assert 0 <= fault.start < fault.stop <= 1
        assert set(fault.channels) <= {*PANELS["TREG"].channels}
