"""Spillover from controls: flowCore's published matrix, known mixtures, simulated beads, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import CompensationError, ParameterError
from il2cyto.fcs import read_fcs
from il2cyto.simulate import plan_trial, simulate_trial
from il2cyto.simulate.controls import plan_controls, simulate_stain
from il2cyto.simulate.panels import PANELS, SCATTER
from il2cyto.spillover import Stain, estimate_spillover, spreading_matrix

CHANNELS = ("FL1-H", "FL2-H", "FL3-H", "FL4-H")


def flowcore(reference: Path) -> tuple[list[Stain], np.ndarray, np.ndarray]:
    folder = reference / "spillover-single-stains" / "extdata" / "compdata"
    files = {"": "001", "FL1-H": "002", "FL2-H": "003", "FL3-H": "005", "FL4-H": "004"}

    def values(end: str) -> np.ndarray:
        sample = read_fcs(folder / "data" / f"060909.{end}")
        return sample.linear([sample.index(name) for name in CHANNELS])

    published = np.array([line.split()[1:] for line in (folder / "compref1").read_text().splitlines()[1:]], dtype=float)
    return [Stain(name, values(end)) for name, end in files.items() if name], values(files[""]), published


@pytest.mark.reference
def test_medians_give_the_matrix_that_flowcore_published(reference: Path) -> None:
    stains, unstained, published = flowcore(reference)
    found = estimate_spillover(stains, unstained, CHANNELS, "medians")
    assert abs(found.matrix.values - published).max() < 5e-4
    assert np.isnan(found.standard_error).all()


@pytest.mark.reference
def test_populations_agree_with_it_where_light_is_shared(reference: Path) -> None:
    stains, unstained, published = flowcore(reference)
    found = estimate_spillover(stains, unstained, CHANNELS)
    # the dim dye of FL3 has more in FL4 where all its events count than among its positive ones
    assert abs(found.matrix.values - published)[[0, 1, 3]].max() < 0.03
    assert found.matrix.values[2].round(2).tolist() == pytest.approx([0.0, 0.17, 1.0, 0.16], abs=0.02)
    assert min(found.n_positive) > 1_000


@pytest.mark.parametrize("tube", ["TBNK", "TREG", "TH17", "NK"])
def test_simulated_beads_give_the_spillover_of_their_instrument(tube: str) -> None:
    controls = plan_controls(plan_trial(n_subjects=2, visits=("BL",), seed=4, missing_visits=0))
    some = [spec for spec in controls.stains if spec.panel == tube]
    some = [spec for spec in some if spec.batch.id == some[0].batch.id]
    panel = PANELS[tube]
    columns = slice(len(SCATTER), len(SCATTER) + len(panel.detectors))
    detectors = [detector.channel for detector in panel.detectors]
    values = {spec.marker: simulate_stain(spec)[0][:, columns].astype(np.float64) for spec in some}
    stains = [Stain(detector.channel, values[detector.marker]) for detector in panel.detectors]
    truth = some[0].batch.stored_spillover(panel)
    found = estimate_spillover(stains, values[""], detectors)
    off = ~np.eye(len(detectors), dtype=bool)
    error = abs(found.matrix.values - truth)[off]
    assert error.max() < 0.004
    # the stated errors are those that there are
    z = error / np.maximum(found.standard_error[off], 1e-5)
    assert np.mean(z < 1.96) > 0.85
    # medians of whole controls see little of a dye that half of the beads bind: they are refused or far worse
    try:
        by_medians = estimate_spillover(stains, values[""], detectors, "medians").matrix.values
    except CompensationError:
        by_medians = np.eye(len(detectors))
    assert error.mean() < abs(by_medians - truth)[off].mean()


def test_spreading_of_a_known_mixture() -> None:
    rng = np.random.default_rng(3)
    n = 40_000
    bare = rng.normal(0.0, 10.0, (n, 2))
    bright = bare + np.array([10_000.0, 2_000.0]) + np.stack([np.zeros(n), rng.normal(0, 30.0, n)], axis=1)
    other = bare + np.array([0.0, 10_000.0])
    stains = [Stain("A", np.concatenate([bare, bright])), Stain("B", np.concatenate([bare, other]))]
    matrix = estimate_spillover(stains, bare, ["A", "B"]).matrix
    found = spreading_matrix(stains, bare, matrix)
    assert np.isnan(np.diag(found)).all()
    # 30² is what the dye adds, one standard deviation is the 84th percentile (0.9945 of it)
    assert found[0, 1] == pytest.approx(0.9945 * 30.0 / np.sqrt(10_000.0), rel=0.05)
    assert found[1, 0] < 0.03


def test_what_is_refused() -> None:
    rng = np.random.default_rng(5)
    bare = rng.normal(50.0, 10.0, (1_000, 2))
    good = Stain("A", bare + np.array([1_000.0, 100.0]))
    with pytest.raises(CompensationError, match="no single stain of B; add them"):
        estimate_spillover([good], bare, ["A", "B"])
    with pytest.raises(CompensationError, match="'A' is stained twice"):
        estimate_spillover([good, good], bare, ["A", "B"])
    with pytest.raises(CompensationError, match="is brighter in A; is it the right file"):
        estimate_spillover([good, Stain("B", bare + np.array([1_000.0, 100.0]))], bare, ["A", "B"])
    with pytest.raises(CompensationError, match="events are brighter than the unstained control, wanted 100"):
        estimate_spillover([good, Stain("B", bare)], bare, ["A", "B"])
    with pytest.raises(CompensationError, match=r"'median' is unknown .did you mean 'medians'"):
        estimate_spillover([good], bare, ["A"], "median")


def test_a_study_gets_its_matrices(tmp_path: Path) -> None:
    simulate_trial(
        tmp_path / "t", n_subjects=2, visits=("BL",), seed=4, lymphocytes=300, tbnk_lymphocytes=300, missing_visits=0,
        controls=True,
    )  # fmt: skip
    out = tmp_path / "out"
    shown = CliRunner().invoke(app, ["spillover", str(tmp_path / "t/study.yaml"), "--out", str(out), "--tube", "TBNK"])
    assert shown.exit_code == 0, shown.output
    paths = sorted(out.glob("TBNK-*.csv"))
    assert len(paths) % 3 == 0
    assert paths
    matrix = SpilloverMatrix.from_csv(next(path for path in paths if not path.stem.endswith(("error", "spreading"))))
    assert len(matrix.detectors) == 7
    told = json.loads(next(out.glob("*.json")).read_text(encoding="utf-8"))
    assert told["method"] == "populations"
    assert len(told["controls"]) == 8
    assert next(out.glob("*.png")).read_bytes().startswith(b"\x89PNG")
    nothing = CliRunner().invoke(app, ["spillover", str(tmp_path / "t/study.yaml"), "--tube", "NONE"])
    assert isinstance(nothing.exception, ParameterError)
