"""Events of a tube: reproducible, faithful to the blood, and optically what they claim to be."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy import stats

from il2cyto.simulate import PANELS, SimulatedTube, TubeSpec, simulate_tube
from il2cyto.simulate.biology import VisitTruth, draw_subject, draw_visit
from il2cyto.simulate.instruments import Batch, make_batch
from il2cyto.simulate.optics import brightness, spill
from il2cyto.simulate.panels import SATURATION
from il2cyto.simulate.quantities import CELLS


@pytest.fixture(scope="module")
def blood() -> VisitTruth:
    subject = draw_subject(0, [11], list(CELLS), date(2020, 8, 15))
    return draw_visit(subject, "M1", 30, [11, 1])


def make(blood: VisitTruth, panel: str, lymphocytes: int = 4000, seed: int = 1, **more: object) -> SimulatedTube:
    return simulate_tube(TubeSpec("tube", panel, blood, (seed,), lymphocytes, **more))  # type: ignore[arg-type]


def share(tube: SimulatedTube, name: str) -> np.ndarray:
    return np.array([one == name for one in tube.label_names])[tube.labels]


@pytest.mark.parametrize("panel", PANELS)
def test_the_same_seed_gives_the_same_bytes(blood: VisitTruth, panel: str) -> None:
    first, second, other = make(blood, panel), make(blood, panel), make(blood, panel, seed=2)
    assert first.events.tobytes() == second.events.tobytes()
    assert first.labels.tobytes() == second.labels.tobytes()
    assert first.events.tobytes() != other.events.tobytes()


@pytest.mark.parametrize("panel", PANELS)
def test_shapes_and_types(blood: VisitTruth, panel: str) -> None:
    tube = make(blood, panel)
    n, p = tube.events.shape
    assert tube.events.dtype == np.float32
    assert tube.labels.dtype == tube.faulty.dtype == np.uint8
    assert tube.labels.shape == (n,)
    assert p == len(tube.channels) == len(tube.markers) <= 18
    assert tube.spillover.shape == (len(tube.detectors),) * 2
    assert tube.channels[-1] == "Time"
    assert np.isfinite(tube.events).all()


@pytest.mark.parametrize("panel", PANELS)
def test_counts_are_sums_of_labels(blood: VisitTruth, panel: str) -> None:
    tube = make(blood, panel)
    counts = tube.counts.set_index("population")
    unstable = int(share(tube, "unstable").sum())
    assert counts.loc["time_qc", "events"] == len(tube.labels) - unstable
    for path, row in counts.iterrows():
        parent = str(path).rpartition("/")[0]
        if parent:
            assert row["events"] <= counts.loc[parent, "events"]
    lympho = counts.loc["time_qc/singlets/leuko/lympho", "events"]
    expected = 4000 * 1.02
    if panel != "TBNK":
        lympho = counts.loc["time_qc/singlets/leuko/lympho/live", "events"]
    assert lympho == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_fractions_follow_the_blood_in_a_large_sample(blood: VisitTruth) -> None:
    tube = make(blood, "TREG", lymphocytes=400_000)
    counts = tube.counts.set_index("name")
    for child, parent in (("CD4", "live"), ("Treg", "CD4"), ("Treg_Ki67", "Treg"), ("Tconv_CD25", "Tconv")):
        n, k = int(counts.loc[parent, "events"]), int(counts.loc[child, "events"])
        p = counts.loc[child, "cells_per_ul"] / counts.loc[parent, "cells_per_ul"]
        assert abs(k - n * p) < 4 * np.sqrt(n * p * (1 - p)), child


def test_beads_give_the_blood_back_within_the_error_model(blood: VisitTruth) -> None:
    z = []
    for seed in range(120):
        lot_factor = float(np.exp(np.random.default_rng([99, seed]).normal(0, 0.02)))
        tube = make(blood, "TBNK", 4000, seed, beads_per_test=51_000, lot_factor=lot_factor)
        counts = tube.counts.set_index("name")
        beads, cells = int(counts.loc["beads", "events"]), int(counts.loc["CD4", "events"])
        assert beads >= 1000
        found = cells / beads * 51_000 / 50
        sd = np.sqrt(1 / cells + 1 / beads + 0.025**2 + 0.02**2)
        z.append(np.log(found / counts.loc["CD4", "cells_per_ul"]) / sd)
    # 120 standard normal deviates: mean within 3 standard errors, spread as the error model says
    assert abs(np.mean(z)) < 3 / np.sqrt(120)
    assert 0.82 < np.std(z) < 1.2
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_a_bead_tube_gives_no_more_than_it_holds(blood: VisitTruth) -> None:
    tube = make(blood, "TBNK", lymphocytes=10_000_000)
    assert tube.sampled["fraction_acquired"] == 1.0
    counts = tube.counts.set_index("name")
    held = counts.loc["lympho", "cells_per_ul"] * 50 * tube.sampled["volume_factor"]
    assert counts.loc["lympho", "events"] == pytest.approx(held, abs=5 * np.sqrt(held))
    assert counts.loc["beads", "events"] == pytest.approx(50_000, abs=5 * np.sqrt(50_000))


def test_spill_is_the_matrix_product() -> None:
    rng = np.random.default_rng(1)
    for panel in PANELS.values():
        matrix = panel.spillover()
        assert (np.diag(matrix) == 1).all()
        off = matrix[~np.eye(len(matrix), dtype=bool)]
        assert off.min() == 0
        assert 0.005 <= off[off > 0].min() <= off.max() <= 0.15
        light = rng.uniform(0, 1e5, (50, len(matrix))).astype(np.float32)
        np.testing.assert_allclose(spill(light, matrix), light.astype(float) @ matrix, rtol=1e-5)


@pytest.mark.parametrize("panel", PANELS)
def test_compensation_gives_the_light_back_within_noise(blood: VisitTruth, panel: str) -> None:
    tube = make(blood, panel, lymphocytes=20_000)
    columns = [tube.channels.index(name) for name in tube.detectors]
    light = np.linalg.solve(tube.spillover.T, tube.events[:, columns].T.astype(float)).T
    cd3 = tube.markers.index("CD3") - 3
    t_cells = np.array(["T" in one.split() or one.startswith(("Tconv", "Treg")) for one in tube.label_names])[
        tube.labels
    ]
    b_cells = share(tube, "B")
    assert np.median(light[t_cells, cd3]) == pytest.approx(12_000, rel=0.08)
    # negatives lie around their own faint light, and reach below zero as noise does
    assert np.median(light[b_cells, cd3]) == pytest.approx(70, abs=40)
    assert (light[b_cells, cd3] < 0).mean() > 0.1
    assert tube.events[:, columns].min() < 0


def test_saturated_values_pile_up_at_the_top(blood: VisitTruth) -> None:
    tube = make(blood, "TBNK")
    assert tube.events[:, :-1].max() == SATURATION
    side = tube.events[:, tube.channels.index("SSC-A")]
    assert (side == SATURATION).sum() > 0


def test_doublets_are_wide_and_no_taller(blood: VisitTruth) -> None:
    tube = make(blood, "TREG", lymphocytes=20_000)
    ratio = tube.events[:, 1] / tube.events[:, 0]
    doublets, singles = share(tube, "doublet"), share(tube, "B")
    assert doublets.mean() == pytest.approx(0.025, abs=0.01)
    assert np.median(ratio[singles]) == pytest.approx(0.9, abs=0.01)
    assert ratio[doublets & (tube.events[:, 0] < SATURATION)].max() < 0.65


def test_the_first_second_is_unstable_and_dim(blood: VisitTruth) -> None:
    tube = make(blood, "TREG", lymphocytes=20_000)
    ticks = tube.events[:, -1]
    unstable = share(tube, "unstable")
    assert (np.diff(ticks) >= 0).all()
    assert ticks[unstable].max() < 100 <= ticks[~unstable].min()
    assert (ticks == np.floor(ticks)).all()
    forward = tube.events[:, 0]
    assert np.median(forward[unstable]) < 0.85 * np.median(forward[~unstable])


@pytest.mark.parametrize(
    ("panel", "cells", "gain"),
    [("TREG", "Treg memory", 0.4), ("TREG", "Tconv memory CD25+", 0.25), ("NK", "NK CD56bright", 0.4)],
)
def test_interleukin_2_raises_cd25(panel: str, cells: str, gain: float) -> None:
    subject = draw_subject(0, [11], list(CELLS), date(2020, 8, 15))
    medians = []
    for day in (1, 6):
        tube = make(draw_visit(subject, "M1", day, [1]), panel, 60_000)
        held = np.array([one.startswith(cells) and "CD25-" not in one for one in tube.label_names])[tube.labels]
        medians.append(np.median(tube.events[held, tube.markers.index("CD25")]))
    assert medians[1] / medians[0] == pytest.approx(1 + gain * 0.632, abs=0.06)


def test_recently_activated_cells_have_less_cd127_than_rested_ones_and_more_than_treg(blood: VisitTruth) -> None:
    tube = make(blood, "TREG", 60_000)
    cd127 = tube.events[:, tube.markers.index("CD127")]

    def median(word: str) -> float:
        return float(np.median(cd127[np.array([word in one for one in tube.label_names])[tube.labels]]))

    assert 2 * median("Treg memory") < median(" recent") < 0.75 * median(" rested")


def test_overlapping_peaks_are_those_of_the_table(blood: VisitTruth) -> None:
    for separable in (True, False):
        tube = make(blood, "TBNK", 20_000, separable=separable)
        logs = np.log(tube.events[share(tube, "B"), tube.markers.index("CD19")])
        look = brightness("CD19", "pos", separable)
        assert np.median(logs) == pytest.approx(np.log(look.median), abs=0.15)
        assert logs.std() == pytest.approx(look.spread, rel=0.1)


def batch_of(shift: float = 1.0) -> Batch:
    return make_batch(4, 1, 0, shift)


def test_a_batch_shifts_gains_and_spillover_and_its_own_matrix_undoes_both(blood: VisitTruth) -> None:
    batch = batch_of(3.0)
    tube = make(blood, "TREG", 20_000, batch=batch)
    plain = make(blood, "TREG", 20_000)
    assert not np.allclose(tube.spillover, plain.spillover, atol=0.01)
    columns = [tube.channels.index(name) for name in tube.detectors]
    t_cells = np.array([one.startswith(("Tconv", "Treg", "CD8")) for one in tube.label_names])[tube.labels]
    light = np.linalg.solve(tube.spillover.T, tube.events[:, columns].T.astype(float)).T
    cd3 = tube.markers.index("CD3") - 3
    assert np.median(light[t_cells, cd3]) == pytest.approx(12_000 * batch.gains["BUV496-A"], rel=0.08)
    none = make(blood, "TREG", 20_000, batch=batch_of(0.0))
    np.testing.assert_array_equal(none.spillover, plain.spillover)
    np.testing.assert_array_equal(none.events, plain.events)


def test_the_matrix_of_a_file_is_spilled_light_after_amplification() -> None:
    batch = batch_of(4.0)
    rng = np.random.default_rng(3)
    for panel in PANELS.values():
        gain = np.array([batch.gains[one.channel] for one in panel.detectors])
        light = rng.uniform(0, 1e4, (20, len(gain)))
        # the light of a dye spills by its optics, then each detector amplifies what reaches it
        reached = (light @ batch.spillover(panel)) * gain
        np.testing.assert_allclose((light * gain) @ batch.stored_spillover(panel), reached, rtol=2e-3)
        # and compensation by the file's matrix gives amplified light back, dye by dye
        np.testing.assert_allclose(
            np.linalg.solve(batch.stored_spillover(panel).T, reached.T).T, light * gain, rtol=2e-3, atol=20
        )


def test_a_stain_without_a_marker_has_the_same_cells_and_no_light(blood: VisitTruth) -> None:
    tube = make(blood, "TREG", 20_000, omitted="CD25")
    treg = np.array([one.startswith("Treg") for one in tube.label_names])[tube.labels]
    assert treg.sum() > 100
    columns = [tube.channels.index(name) for name in tube.detectors]
    light = np.linalg.solve(tube.spillover.T, tube.events[:, columns].T.astype(float)).T
    assert np.median(light[treg, tube.markers.index("CD25") - 3]) < 300
    assert np.median(light[treg, tube.markers.index("CD4") - 3]) > 10_000
