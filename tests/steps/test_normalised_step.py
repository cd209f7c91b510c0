"""A batch that is measured brighter gets its counts back by its control donor, and the raw ones stand beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from leaks import leaks

from il2cyto.errors import StrategyError
from il2cyto.fcs import write_fcs
from il2cyto.steps.run import run_study
from il2cyto.study import check_study, read_study

STUDY = """\
study: NORM
title: Two batches, of which one is measured brighter
arms: {IL2: {label: Low-dose IL-2}}
visits: {BL: {label: Baseline, number: 0, baseline: true}}
tubes: {T: {strategy: gating, count: {route: none}}}
samples: samples.csv
controls: controls.csv
normalise: {T: [CD25]}
"""


def cells(seed: int, share: float, gain: float, n: int = 8_000) -> np.ndarray:
    """Scatter, CD25 with a positive share, and time; a gain makes CD25 brighter."""
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < round(share * n)
    cd25 = np.where(positive, np.exp(rng.normal(8.0, 0.35, n)), np.exp(rng.normal(6.0, 0.35, n)))
    order = rng.permutation(n)
    return np.column_stack([rng.normal(90_000, 5_000, n), gain * cd25[order], np.arange(n) / 1000.0]).astype(np.float32)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("norm")
    (folder / "gating").mkdir()
    (folder / "gating" / "strategy.yaml").write_text(
        "strategy: t\nversion: '1'\ntransforms:\n  log: {type: log, T: 262144, M: 5}\n"
        "axes:\n  CD25: {transform: log, compensation: uncompensated}\n"
        "populations:\n  - {name: CD25+, parent: root, gate: {type: rectangle, dims: [{channel: CD25, min: 0.5582}]}}\n"
    )
    samples = ["tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,batch"]
    controls = ["control_id,kind,tube,batch,fcs"]
    for batch, gain in (("B1", 1.0), ("B2", 2.2)):
        controls.append(f"donor-{batch},donor,T,{batch},donor-{batch}.fcs")
        write_fcs(cells(7, 0.3, gain), folder / f"donor-{batch}.fcs", channels=["FSC-A", "CD25", "Time"])
        for k in range(2):
            name = f"{batch}-{k}"
            samples.append(f"{name},P{batch}{k},IL2,SLE,9,BL,2021-03-0{k + 1},T,{name}.fcs,{batch}")
            write_fcs(cells(10 + k, 0.2 + 0.1 * k, gain), folder / f"{name}.fcs", channels=["FSC-A", "CD25", "Time"])
    samples.append("B3-0,PB30,IL2,SLE,9,BL,2021-03-05,T,B3-0.fcs,B3")
    write_fcs(cells(20, 0.2, 1.0), folder / "B3-0.fcs", channels=["FSC-A", "CD25", "Time"])
    (folder / "samples.csv").write_text("\n".join(samples) + "\n")
    (folder / "controls.csv").write_text("\n".join(controls) + "\n")
    (folder / "study.yaml").write_text(STUDY)
    return folder


def test_counts_come_back_and_raw_ones_stand_beside(study: Path, tmp_path: Path) -> None:
    summary = run_study(read_study(study / "study.yaml"), tmp_path / "r")
    assert summary.exit_code == 0
    table = pd.read_csv(tmp_path / "r" / "counts_normalised.csv").set_index("tube_id")
    raw = pd.read_csv(tmp_path / "r" / "counts.csv").set_index("tube_id")
    assert table["raw_count"].tolist() == raw["count"].tolist()
    # 20 % and 30 % are positive; the bright batch puts dim cells above the threshold, the other loses bright ones
    assert (raw.loc[["B2-0", "B2-1"], "percent_parent"].to_numpy() > [22.5, 32.0]).all()
    assert (raw.loc[["B1-0", "B1-1"], "percent_parent"].to_numpy() < [19.5, 29.3]).all()
    wanted = pd.Series({"B1-0": 20.0, "B1-1": 30.0, "B2-0": 20.0, "B2-1": 30.0})
    np.testing.assert_allclose(table.loc[wanted.index, "percent_parent"], wanted, atol=0.5)
    # both batches are gated alike
    np.testing.assert_allclose(table.loc[["B2-0", "B2-1"], "count"], table.loc[["B1-0", "B1-1"], "count"], rtol=0.02)


def test_a_batch_without_a_control_says_so(study: Path, tmp_path: Path) -> None:
    run_study(read_study(study / "study.yaml"), tmp_path / "r")
    row = pd.read_csv(tmp_path / "r" / "counts_normalised.csv").set_index("tube_id").loc["B3-0"]
    assert row["status"] == "not_estimable"
    assert row["reason"] == "not normalised: batch B3 has no control donor of T"
    assert np.isnan(row["count"])
    assert row["raw_count"] > 1_000
    learnt = pd.read_csv(tmp_path / "r" / "normalisation.csv")
    assert learnt[["batch", "marker", "controls", "n_events"]].to_numpy().tolist() == [
        ["B1", "CD25", "donor-B1", 8_000], ["B2", "CD25", "donor-B2", 8_000],
    ]  # fmt: skip
    assert learnt["median"].diff().iloc[1] == pytest.approx(np.log10(2.2) / 5, abs=0.002)
    assert learnt["goal_median"].nunique() == 1


def test_no_name_of_a_patient_is_in_what_is_normalised(study: Path, tmp_path: Path) -> None:
    name = "Xanthippe Quillfeather"
    folder = tmp_path / "norm"
    shutil.copytree(study, folder)
    for sheet in ("samples.csv", "controls.csv"):
        table = pd.read_csv(folder / sheet, dtype=str, keep_default_na=False)
        for file in table["fcs"]:
            (folder / file).rename(folder / f"{name} {file}")
        table.assign(fcs=[f"{name} {file}" for file in table["fcs"]]).to_csv(folder / sheet, index=False)
    # a donor that cannot be read is told of as well
    (folder / f"{name} donor-B2.fcs").write_bytes((folder / f"{name} donor-B2.fcs").read_bytes()[:-50_000])
    run_study(read_study(folder / "study.yaml"), tmp_path / "r")
    assert list((tmp_path / "r" / "normalisation").glob("*.json"))
    assert leaks(tmp_path / "r", name) == []


def test_a_study_of_which_nothing_can_be_gated_ends_with_its_tables(study: Path, tmp_path: Path) -> None:
    path = study / "lost.yaml"
    path.write_text(STUDY.replace("strategy: gating", "strategy: nowhere"))
    (study / "nowhere").mkdir(exist_ok=True)
    (study / "nowhere" / "strategy.yaml").write_text("strategy: t\n")
    assert run_study(read_study(path), tmp_path / "r").exit_code == 1
    assert pd.read_csv(tmp_path / "r" / "counts_normalised.csv").empty


def test_the_step_is_recorded_and_kept(study: Path, tmp_path: Path) -> None:
    first = run_study(read_study(study / "study.yaml"), tmp_path / "r")
    result = json.loads((tmp_path / "r/tubes/B2-0/result.json").read_text())
    file = tmp_path / "r/normalisation/T.json"
    assert result["parts"]["normalised"] == result["normalised"]["sha256"]
    [[path, marker, before, after]] = result["normalised"]["moved"]
    assert (path, marker, before) == ("CD25+", "CD25", 0.5582)
    assert after == pytest.approx(0.5582 + np.log10(2.2) / 10, abs=0.01)
    again = run_study(read_study(study / "study.yaml"), tmp_path / "r")
    assert (first.n_reused, again.n_reused) == (0, 5)
    content = file.read_bytes()
    file.write_text("{}")
    mended = run_study(read_study(study / "study.yaml"), tmp_path / "r")
    assert file.read_bytes() == content
    assert mended.n_reused == 5
    plain = study / "plain.yaml"
    plain.write_text(STUDY.replace("normalise: {T: [CD25]}\n", ""))
    other = run_study(read_study(plain), tmp_path / "r")
    assert other.n_reused == 0
    assert not (tmp_path / "r/counts_normalised.csv").exists()
    assert not (tmp_path / "r/normalisation.csv").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{T: [CD25, CD25]}", "this item stands twice"),
        ("{T: []}", "T"),
        ("{X: [CD25]}", "X"),
    ],
)
def test_a_wrong_section_is_told(study: Path, text: str, told: str) -> None:
    path = study / "wrong.yaml"
    path.write_text(STUDY.replace("{T: [CD25]}", text))
    [problem] = check_study(path)
    assert told in str(problem)


def test_a_marker_that_no_gate_uses_is_told(study: Path, tmp_path: Path) -> None:
    path = study / "other.yaml"
    path.write_text(STUDY.replace("{T: [CD25]}", "{T: [CD26]}"))
    with pytest.raises(StrategyError, match=r"'CD26' of normalise: is in none of its gates.*did you mean 'CD25'"):
        run_study(read_study(path), tmp_path / "r")
