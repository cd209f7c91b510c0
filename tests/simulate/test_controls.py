"""Controls of a batch: the spillover can be made from them, and they are all on the sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import read_fcs
from il2cyto.provenance import hash_file
from il2cyto.simulate import PANELS, WHOLE, plan_trial, simulate_trial
from il2cyto.simulate.controls import plan_controls, simulate_stain
from il2cyto.study import read_study

SMALL = {"n_subjects": 2, "visits": ("BL",), "lymphocytes": 300, "tbnk_lymphocytes": 300, "faulty_share": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_trial(tmp_path_factory.mktemp("controls"), WHOLE, jobs=2, **SMALL).folder


def test_the_sheet_has_every_file_and_no_other(folder: Path) -> None:
    sheet = pd.read_csv(folder / "controls.csv", keep_default_na=False)
    assert sorted(path.name for path in (folder / "controls").iterdir()) == sorted(
        f"{i}.fcs" for i in sheet["control_id"]
    )
    by_kind = sheet.groupby(["batch", "kind"]).size().unstack()
    markers = sum(len(panel.markers) for panel in PANELS.values())
    for row in by_kind.to_dict("records"):
        assert row == {"donor": 4, "fmo": 5, "single_stain": markers, "unstained": 4}
    assert set(sheet.loc[sheet["kind"] == "fmo", "marker"]) == {"CD25", "CD127", "CCR6", "CXCR3", "CCR4"}
    samples = pd.read_csv(folder / "samples.csv")
    assert set(sheet["batch"]) == set(samples["batch"])


def test_the_whole_trial_is_the_same_whatever_the_jobs(folder: Path, tmp_path: Path) -> None:
    again = simulate_trial(tmp_path, WHOLE, jobs=1, **SMALL).folder
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        assert hash_file(path) == hash_file(again / path.relative_to(folder)), path.name


def test_single_stains_give_the_spillover_of_the_batch() -> None:
    plan = plan_trial(WHOLE, **SMALL, batch_shift=3.0)
    controls = plan_controls(plan)
    batch = plan.batches[-1]
    for panel in PANELS.values():
        truth = batch.stored_spillover(panel)
        stains = {one.marker: one for one in controls.stains if (one.panel, one.batch.id) == (panel.name, batch.id)}
        unstained, _ = simulate_stain(stains[""])
        for row, marker in enumerate(panel.markers):
            events, binding = simulate_stain(stains[marker])
            light = events[:, 3:-1].astype(float)
            assert 0.4 < binding.mean() < 0.6
            bright = np.median(light[binding == 1], axis=0) - np.median(unstained[:, 3:-1], axis=0)
            np.testing.assert_allclose(bright / bright[row], truth[row], atol=0.004)


def test_a_stain_carries_no_matrix_and_a_donor_tube_does(folder: Path) -> None:
    assert read_fcs(folder / "controls" / "CYT-A-1-TREG-CD25.fcs").spillover is None
    assert read_fcs(folder / "controls" / "CYT-A-1-TREG-donor.fcs").spillover is not None


def test_the_study_reads_its_controls(folder: Path) -> None:
    study = read_study(folder / "study.yaml")
    sheet = pd.read_csv(folder / "controls.csv", keep_default_na=False)
    assert [one.control_id for one in study.controls] == sheet["control_id"].tolist()
    assert {one.kind for one in study.controls} == {"unstained", "single_stain", "fmo", "donor"}
    assert all(one.fcs.is_file() and one.acquired is not None for one in study.controls)
    assert {one.batch for one in study.controls} == {one.batch for one in study.records}
    assert study.notices == ()


def test_truth_knows_the_cells_of_controls(folder: Path) -> None:
    counts = pd.read_csv(folder / "truth" / "control_counts.csv")
    fmo = counts[counts["tube_id"] == "CYT-A-1-TREG-FMO-CD25"].set_index("name")
    donor = counts[counts["tube_id"] == "CYT-A-1-TREG-donor"].set_index("name")
    assert fmo.loc["Treg", "cells_per_ul"] == donor.loc["Treg", "cells_per_ul"] > 20
    with np.load(folder / "truth" / "labels" / "CYT-A-1-TREG-FMO-CD25.npz") as archive:
        assert len(archive["labels"]) == read_fcs(folder / "controls" / "CYT-A-1-TREG-FMO-CD25.fcs").n_events
