"""Gates of a study are learnt once, from tubes that may teach, and every tube says where its gates come from."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from leaks import leaks

from il2cyto.simulate import simulate_trial
from il2cyto.steps.learn import first_doses, is_treated, learn_study, not_learnt, with_learnt
from il2cyto.steps.learntfile import read_learnt
from il2cyto.steps.results import read_result
from il2cyto.steps.run import run_study
from il2cyto.steps.status import study_state
from il2cyto.study import Study, read_study


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    simulate_trial(
        folder, n_subjects=3, visits=("BL", "M1"), seed=11, lymphocytes=6_000, tbnk_lymphocytes=3_000,
        missing_visits=0, controls=True,
    )  # fmt: skip
    # whatever controls write of themselves, the study names them
    assert "controls: controls.csv" in (folder / "study.yaml").read_text(encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def results(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("learnt") / "r"
    assert run_study(read_study(trial / "study.yaml"), out, jobs=2).exit_code == 0
    return out


def ready(out: Path) -> Path:
    (out / ".il2cyto").mkdir(parents=True)
    return out


def heads(out: Path) -> dict[str, dict[str, object]]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "learnt").iterdir())}


def test_no_treated_tube_is_among_the_teachers(trial: Path, results: Path) -> None:
    study = read_study(trial / "study.yaml")
    first = first_doses(study)
    treated = {record.tube_id for record in study.records if is_treated(record, first)}
    assert treated
    found = heads(results)
    assert set(found) == {"TBNK", "TREG", "TH17", "NK"}
    for name in ("TREG", "TH17", "NK"):
        gates = found[name]["gates"]
        assert isinstance(gates, list)
        taught = {tube for gate in gates for tube in gate["learnt_from"]}
        assert taught
        assert not taught & treated
        assert found[name]["unused"] == {}
    # lineage markers of whole blood may be learnt from any sample
    assert treated & {tube for gate in found["TBNK"]["gates"] for tube in gate["learnt_from"]}  # type: ignore[attr-defined]


def test_counts_tell_where_gates_come_from(trial: Path, results: Path) -> None:
    counts = pd.read_csv(results / "counts.csv")
    treg = counts[(counts["strategy"] == "treg") & counts["population"].str.endswith("CD4/Treg")]
    assert set(treg["gate_status"]) <= {"estimated", "borrowed", "template"}
    assert treg["gate_source"].str.contains(r"batch|study|template").all()
    some = treg.dropna(subset=["gate_lower"])
    assert len(some)
    assert (some["gate_lower"] <= some["percent_parent"] + 1e-9).all()
    assert (some["gate_upper"] >= some["percent_parent"] - 1e-9).all()
    assert (some["cv"] >= some["cv_counting"]).all()
    assert set(counts.loc[counts["population"].str.endswith("time_qc"), "gate_status"]) == {"fixed"}
    learnt = read_result(results, "P001-BL-TREG")["learnt"]
    assert {gate["name"]: gate["learnt_from"] for gate in learnt}["time_qc/singlets"] in (["P001-BL-TREG"], [])


def test_processes_change_no_byte_and_nothing_is_learnt_twice(trial: Path, results: Path, tmp_path: Path) -> None:
    study = read_study(trial / "study.yaml")
    out = ready(tmp_path / "r")
    learn_study(study, out, jobs=1)
    files = {path.name: path.read_bytes() for path in (results / "learnt").iterdir()}
    assert {path.name: path.read_bytes() for path in (out / "learnt").iterdir()} == files
    before = {path: path.stat().st_mtime_ns for path in (out / "learnt").iterdir()}
    learn_study(study, out)
    assert {path: path.stat().st_mtime_ns for path in (out / "learnt").iterdir()} == before


def test_a_changed_teacher_makes_its_kind_learn_again(trial: Path, results: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "trial", tmp_path / "r"
    shutil.copytree(trial, folder)
    shutil.copytree(results, out)
    victim = folder / "fcs" / "P002-BL-NK.fcs"
    shutil.copy(folder / "fcs" / "P003-BL-NK.fcs", victim)
    before = {path.name: path.read_bytes() for path in (out / "learnt").iterdir()}
    run_study(read_study(folder / "study.yaml"), out)
    after = {path.name: path.read_bytes() for path in (out / "learnt").iterdir()}
    assert [name for name in sorted(before) if before[name] != after[name]] == ["NK.json"]
    log = [json.loads(line) for line in (out / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any("NK" in str(entry.get("tube_id", "")) for entry in log)


def test_an_unreadable_teacher_is_named_and_the_others_teach(trial: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(trial, folder)
    donor = next((folder / "controls").glob("*TREG-donor.fcs"))
    donor.write_bytes(donor.read_bytes()[:-5_000])
    out = ready(tmp_path / "r")
    learn_study(read_study(folder / "study.yaml"), out)
    head = heads(out)["TREG"]
    assert list(head["unused"]) == [donor.stem]  # type: ignore[call-overload]
    assert "truncated" in str(head["unused"])
    assert donor.name not in json.dumps(head)
    assert any(gate["status"] == "estimated" for gate in head["gates"])  # type: ignore[attr-defined]


def test_learning_can_be_turned_off(trial: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(trial, folder)
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    (folder / "study.yaml").write_text(f"{text}gates: {{learn: false}}\n", encoding="utf-8")
    study = read_study(folder / "study.yaml")
    out = tmp_path / "r"
    run_study(study, out, jobs=2)
    assert not (out / "learnt").exists()
    assert set(pd.read_csv(out / "counts.csv")["gate_status"]) == {"fixed"}
    assert not_learnt(study, out) == ()


def test_a_person_overrules_what_was_learnt(trial: Path, results: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "trial", tmp_path / "r"
    shutil.copytree(trial, folder)
    shutil.copytree(results, out)
    (folder / "overrides").mkdir()
    (folder / "overrides" / "naive.yaml").write_text(
        "author: Ann Other\nreason: dim lot\ntime: 2026-03-02T06:05:00Z\nscope: {tubes: [P001-BL-TREG]}\npopulations:\n"
        "  - name: Treg_naive\n    gate: {type: rectangle, dims: [{marker: CD45RA, min: 0.55}]}\n",
        encoding="utf-8",
    )
    run_study(read_study(folder / "study.yaml"), out)
    counts = pd.read_csv(out / "counts.csv").set_index(["tube_id", "population"])
    path = next(path for tube, path in counts.index if path.endswith("Treg/Treg_naive"))
    assert counts.loc[("P001-BL-TREG", path), "gate_status"] == "overridden"
    assert counts.loc[("P002-BL-TREG", path), "gate_status"] != "overridden"


def test_status_knows_learnt_gates(trial: Path, results: Path, tmp_path: Path) -> None:
    study = read_study(trial / "study.yaml")
    assert study_state(study, results).exit_code == 0
    out = tmp_path / "r"
    shutil.copytree(results, out)
    shutil.rmtree(out / "learnt")
    assert not_learnt(study, out) == ("TBNK", "TREG", "TH17", "NK")
    assert {tube.why for tube in study_state(study, out).tubes} == {"learnt gates removed"}


def test_a_damaged_file_is_learnt_again(trial: Path, tmp_path: Path) -> None:
    study = read_study(trial / "study.yaml")
    out = ready(tmp_path / "r")
    learn_study(study, out)
    path = out / "learnt" / "NK.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    learn_study(study, out)
    assert path.read_bytes() == whole
    attached: Study = with_learnt(study, out)
    file = next(record.learnt for record in attached.records if record.tube == "NK")
    assert file is not None
    assert len(read_learnt(file)) > 10


@pytest.mark.parametrize("after", [0, 2])
def test_a_learning_that_is_killed_while_it_writes_is_made_good(
    trial: Path, results: Path, tmp_path: Path, after: int
) -> None:
    out = ready(tmp_path / "r")
    script = f"""
import os, signal
from pathlib import Path
from il2cyto.steps.learn import learn_study
from il2cyto.study import read_study

whole, n = Path.replace, 0

def replace(self, target):
    global n
    if Path(target).parent.name == "learnt":
        if n == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        n += 1
    return whole(self, target)

Path.replace = replace
learn_study(read_study({str(trial / "study.yaml")!r}), Path({str(out)!r}))
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=600)
    assert ended.returncode == -signal.SIGKILL
    files = {path.name: path.read_bytes() for path in (results / "learnt").iterdir()}
    left = {path.name: path.read_bytes() for path in (out / "learnt").glob("[!.]*.json")}
    # what stands there is whole, and one file more was on its way
    assert len(left) == after
    assert all(files[name] == content for name, content in left.items())
    assert len(list((out / "learnt").iterdir())) == after + 1
    learn_study(read_study(trial / "study.yaml"), out)
    assert {path.name: path.read_bytes() for path in (out / "learnt").glob("[!.]*.json")} == files


def test_no_name_of_a_patient_is_learnt(trial: Path, tmp_path: Path) -> None:
    """The name stands in the names of the files and of their sheets, and one teacher is damaged."""
    name = "Xanthippe Quillfeather"
    folder = tmp_path / "trial"
    shutil.copytree(trial, folder)
    for sheet, part in (("controls.csv", "controls"), ("samples.csv", "fcs")):
        table = pd.read_csv(folder / sheet, dtype=str, keep_default_na=False)
        for file in table["fcs"]:
            (folder / file).rename((folder / file).with_name(f"{name} {Path(file).name}"))
        table["fcs"] = [str(Path(file).with_name(f"{name} {Path(file).name}")) for file in table["fcs"]]
        table.to_csv(folder / sheet, index=False)
        assert part in table["fcs"].iloc[0]
    donor = next((folder / "controls").glob("*TREG-donor.fcs"))
    donor.write_bytes(donor.read_bytes()[:-5_000])
    out = tmp_path / "r"
    run_study(read_study(folder / "study.yaml"), out, jobs=2)
    assert "truncated" in json.dumps(heads(out)["TREG"]["unused"])
    assert leaks(out, name) == []
