"""The whole line on a small trial: what is written, what a bad tube costs, and that jobs change nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import OutputError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.linking.join import columns_stay
from il2cyto.steps.results import read_result
from il2cyto.steps.run import run_study
from il2cyto.steps.tube import TubeOutcome, gate_tube
from il2cyto.study import read_study

FILES = {
    "counts.csv", "counts.parquet", "counts_wide.csv", "visits.h5ad", "linked.h5mu", "link_report.csv", "model.csv",
    "model_percent.csv", "changed_subjects.csv", "shifts.csv",
    "checks.csv", "gates.csv", "drift.csv", "review.csv", "quality.csv", "trial_table.csv", "trial_table.parquet",
    "trial_table.xlsx", "serum.h5ad", "serum_model.csv", "correlations.csv", "cells_and_cytokines.csv",
    "model_joint.csv", "model_overlap.csv", "model_events.csv", "turnover.csv", "dose_timing.csv",
    "overrides.csv",
    "failures.csv", "paths.csv", "missing_visits.csv", "missing_populations.csv", "manifest.json", "report.html",
    "tubes", "learnt", "outcomes", "il2cyto.log", ".il2cyto", "audit.jsonl",
}  # fmt: skip


@pytest.fixture(scope="module")
def results(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "results"
    summary = run_study(read_study(trial / "study.yaml"), out)
    assert (summary.n_tubes, summary.n_gated, summary.n_failures, summary.exit_code) == (28, 28, 0, 0)
    return out


def test_everything_is_written(results: Path) -> None:
    assert {path.name for path in results.iterdir()} == FILES


def test_counts_are_those_of_the_truth(trial: Path, results: Path) -> None:
    counts = pd.read_csv(results / "counts.csv")
    truth = pd.read_csv(trial / "truth" / "counts.csv")
    both = counts.merge(truth, on=["tube_id", "population"], suffixes=("", "_true"))
    assert len(both) == len(counts)
    big = both[both["events"] >= 100]
    limit = np.maximum(0.02, 2 / np.sqrt(big["events"]))
    assert len(big) > 200
    assert ((big["count"] / big["events"] - 1).abs() <= limit).all()


def test_parquet_and_csv_agree(results: Path) -> None:
    # as text first: only Python reads every float back to the last bit under each release of pandas
    csv = pd.read_csv(results / "counts.csv", dtype={"cells_per_ul": str}).astype({"cells_per_ul": float})
    parquet = pd.read_parquet(results / "counts.parquet")
    assert list(csv) == list(parquet)
    assert np.array_equal(csv["cells_per_ul"], parquet["cells_per_ul"].to_numpy(dtype=float), equal_nan=True)
    assert csv["count"].tolist() == parquet["count"].tolist()


def test_wide_table_has_one_row_per_tube(results: Path) -> None:
    wide = pd.read_csv(results / "counts_wide.csv")
    assert len(wide) == 28
    assert wide["tube_id"].is_unique


def test_a_missed_visit_is_listed_and_not_filled(trial: Path, results: Path) -> None:
    missing = pd.read_csv(results / "missing_visits.csv")
    assert len(missing) == 1
    visits = anndata.read_h5ad(results / "visits.h5ad")
    assert visits.n_obs == 7
    gone = f"{missing['subject'].iloc[0]}|{missing['visit'].iloc[0]}"
    assert gone not in visits.obs_names
    report = (results / "report.html").read_text(encoding="utf-8")
    assert missing["subject"].iloc[0] in report


def test_visits_hold_the_counts_table(results: Path) -> None:
    visits = anndata.read_h5ad(results / "visits.h5ad")
    counts = pd.read_csv(results / "counts.csv").set_index(["subject", "visit", "strategy", "population"])
    row, key = visits.obs_names[0], next(k for k in visits.var_names if k.endswith("CD4/Treg"))
    subject, visit = row.split("|")
    strategy, population = key.split("/", 1)
    expected = counts.loc[(subject, visit, strategy, population)]
    assert visits[row, key].X.item() == pytest.approx(expected["cells_per_ul"], rel=1e-12)
    assert visits[row, key].layers["count"].item() == expected["count"]
    assert visits[row, key].layers["lower"].item() == pytest.approx(expected["lower"], rel=1e-12)


def test_linked_rows_are_patients_and_visits(results: Path) -> None:
    with columns_stay():
        linked = mudata.read_h5mu(results / "linked.h5mu")
    assert set(linked.mod) == {"counts", "serum"}
    report = pd.read_csv(results / "link_report.csv")
    assert set(report["status"]) <= {"matched", "only_counts", "only_serum"}
    assert len(report) == linked.n_obs


def test_manifest_names_every_hash(trial: Path, results: Path) -> None:
    manifest = json.loads((results / "manifest.json").read_text())
    sample = hashlib.sha256((trial / "fcs" / "P001-BL-TREG.fcs").read_bytes()).hexdigest()
    assert manifest["tubes"]["P001-BL-TREG"]["fcs_sha256"] == sample
    for role, name in {"study": "study.yaml", "samples": "samples.csv", "serum": "serum.csv"}.items():
        assert manifest["inputs"][role] == hashlib.sha256((trial / name).read_bytes()).hexdigest()
    assert len({tube["template_sha256"] for tube in manifest["tubes"].values()}) == 4


def digest(folder: Path) -> dict[str, str]:
    """Hash of every result; the log and the working state are none."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("il2cyto.log", "audit.jsonl") and ".il2cyto" not in path.parts
    }


def test_jobs_and_repetition_change_nothing(trial: Path, results: Path, tmp_path: Path) -> None:
    study = read_study(trial / "study.yaml")
    parallel = tmp_path / "parallel"
    run_study(study, parallel, jobs=2)
    assert digest(parallel) == digest(results)
    again = run_study(study, parallel)
    assert again.n_reused == 28
    assert digest(parallel) == digest(results)


def test_a_bad_file_is_reported_and_the_batch_goes_on(spoiled: Path, tmp_path: Path) -> None:
    victim = spoiled / "fcs" / "P001-BL-TREG.fcs"
    victim.write_bytes(victim.read_bytes()[:-4000])
    (spoiled / "fcs" / "P002-BL-NK.fcs").unlink()
    seen: list[TubeOutcome] = []
    summary = run_study(read_study(spoiled / "study.yaml"), tmp_path / "r", tube_done=seen.append)
    assert (summary.n_gated, summary.n_failures, summary.exit_code) == (26, 2, 1)
    failures = pd.read_csv(tmp_path / "r" / "failures.csv").fillna("")
    bad = failures[failures["severity"] == "failure"].set_index("tube_id")
    assert bad.loc["P001-BL-TREG", "message"].startswith("P001-BL-TREG: ")
    assert "truncated" in bad.loc["P001-BL-TREG", "message"]
    assert "cannot be opened" in bad.loc["P002-BL-NK", "message"]
    assert (bad["remedy"] != "").all()
    counts = pd.read_csv(tmp_path / "r" / "counts.csv")
    assert counts["tube_id"].nunique() == 26
    visits = anndata.read_h5ad(tmp_path / "r" / "visits.h5ad")
    treg = next(k for k in visits.var_names if k.endswith("CD4/Treg"))
    assert np.isnan(visits["P001|BL", treg].X.item())
    assert not np.isnan(visits["P002|BL", treg].X.item())
    report = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert report.index("truncated") < report.index("<h2>Trajectories by arm")


def test_stop_begins_no_further_tube(spoiled: Path, tmp_path: Path) -> None:
    (spoiled / "fcs" / "P001-BL-TBNK.fcs").write_bytes(b"junk")
    summary = run_study(read_study(spoiled / "study.yaml"), tmp_path / "r", on_error="stop")
    failures = pd.read_csv(tmp_path / "r" / "failures.csv")
    assert summary.exit_code == 1
    assert (failures["kind"] == "not begun").sum() == 28 - 1 - summary.n_gated
    assert (failures["kind"] == "FcsError").sum() == 1


def test_missing_marker_makes_its_populations_not_estimable(spoiled: Path, tmp_path: Path) -> None:
    path = spoiled / "fcs" / "P001-BL-TH17.fcs"
    sample = read_fcs(path)
    keep = [c.index for c in sample.channels if c.pns != "CCR6"]
    names = [sample.channels[i].pnn for i in keep]
    spill = sample.spillover
    assert spill is not None
    rows = [i for i, name in enumerate(spill.detectors) if name in names]
    write_fcs(
        sample.raw[:, keep], path, channels=names, markers=[sample.channels[i].pns for i in keep], timestep=0.01,
        spillover=([spill.detectors[i] for i in rows], spill.values[np.ix_(rows, rows)]),
    )  # fmt: skip
    summary = run_study(read_study(spoiled / "study.yaml"), tmp_path / "r")
    assert (summary.n_gated, summary.n_failures, summary.exit_code) == (28, 1, 1)
    failure = pd.read_csv(tmp_path / "r" / "failures.csv").iloc[0]
    assert failure["kind"] == "marker missing"
    assert failure["message"].startswith("P001-BL-TH17: lacks marker CCR6")
    counts = pd.read_csv(tmp_path / "r" / "counts.csv").query("tube_id == 'P001-BL-TH17'").set_index("name")
    assert counts.loc["Th17", "status"] == "not_estimable"
    assert counts.loc["Th17", "reason"].startswith("marker absent: CCR6")
    assert np.isnan(counts.loc["Th17", "count"])
    assert np.isnan(counts.loc["Th17", "cells_per_ul"])
    assert counts.loc["CD4", "status"] == "estimated"


def test_broken_strategies_cost_their_tubes_only(spoiled: Path, tmp_path: Path) -> None:
    (spoiled / "bomb.xml").write_text(
        '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><b>&b;</b>', encoding="utf-8"
    )
    wrong = spoiled / "wrong"
    wrong.mkdir()
    (wrong / "strategy.yaml").write_text(
        "strategy: wrong\ncompensation: uncompensated\npopulations:\n"
        "- {name: a, parent: root, gate: {type: rectangle, dims: [{channel: FSC-B, min: 0}]}}\n"
    )
    sheet = pd.read_csv(spoiled / "samples.csv", dtype=str)
    sheet["strategy"] = ""
    sheet.loc[sheet["tube_id"] == "P001-BL-NK", "strategy"] = "bomb.xml"
    sheet.loc[sheet["tube_id"] == "P002-BL-NK", "strategy"] = "wrong"
    sheet.to_csv(spoiled / "samples.csv", index=False)
    summary = run_study(read_study(spoiled / "study.yaml"), tmp_path / "r")
    assert (summary.n_gated, summary.n_failures) == (26, 2)
    failures = pd.read_csv(tmp_path / "r" / "failures.csv").set_index("tube_id")
    assert "(strategy): declares a document type" in failures.loc["P001-BL-NK", "message"]
    assert "asks for 'FSC-B'" in failures.loc["P002-BL-NK", "message"]
    whole = pd.read_csv(tmp_path / "r" / "paths.csv").set_index("tube_id")["messages"]
    assert "bomb.xml: declares a document type" in whole["P001-BL-NK"]
    assert "did you mean 'FSC-A'" in whole["P002-BL-NK"]


def test_results_never_go_into_a_foreign_folder(trial: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"holds 'holiday.jpg' and no results of il2cyto"):
        run_study(read_study(trial / "study.yaml"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"holiday.jpg"}


def test_tube_result_holds_its_pictures(trial: Path, tmp_path: Path) -> None:
    record = read_study(trial / "study.yaml").records[0]
    outcome = gate_tube(record, tmp_path)
    assert outcome.error is None
    content = read_result(tmp_path, record.tube_id)
    # the packaged trees begin at 1 s
    seconds = read_fcs(record.fcs).events[:, -1]
    expected = (seconds[-1] - 1.0) / (seconds[-1] - seconds[0])
    assert content["retained_time_fraction"] == pytest.approx(expected, rel=1e-6)
    plots = json.loads((tmp_path / "tubes" / record.tube_id / "plots.json").read_text())
    assert [gate["population"] for gate in plots["gates"]] == [row["population"] for row in content["counts"]]
    assert plots["gates"][1]["x"]["label"]
