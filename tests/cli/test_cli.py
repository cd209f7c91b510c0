"""The commands as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from il2cyto.cli.app import app
from il2cyto.errors import StudyError
from il2cyto.simulate import simulate_trial

RUNNER = CliRunner()


def call(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    simulate_trial(
        folder, n_subjects=2, visits=("BL",), seed=3, lymphocytes=1_500, tbnk_lymphocytes=2_500, missing_visits=0
    )
    return folder


def test_check_of_a_good_study(trial: Path) -> None:
    result = call("check", trial / "study.yaml")
    assert result.exit_code == 0
    assert "8 tubes, 0 problems, 0 notices" in result.output


def test_check_finds_everything_at_once(trial: Path, tmp_path: Path) -> None:
    for path in trial.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    text = (tmp_path / "study.yaml").read_text(encoding="utf-8")
    (tmp_path / "study.yaml").write_text(text.replace("limits:", "limts:"), encoding="utf-8")
    sheet = (tmp_path / "samples.csv").read_text(encoding="utf-8").splitlines()
    sheet[2] = sheet[1]
    sheet[3] = sheet[3].replace(",BL,", ",BLL,")
    (tmp_path / "samples.csv").write_text("\n".join(sheet) + "\n", encoding="utf-8")
    result = call("check", tmp_path / "study.yaml")
    assert result.exit_code == 2
    assert "study.yaml, line 18, limts: unknown key (did you mean 'limits'?)" in result.output
    assert "samples.csv, line 3" in result.output
    assert "samples.csv, line 4, visit = 'BLL'" in result.output


def test_check_reads_the_strategies(trial: Path, tmp_path: Path) -> None:
    for path in trial.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    text = (tmp_path / "study.yaml").read_text(encoding="utf-8")
    assert "population: NK" in text
    (tmp_path / "study.yaml").write_text(text.replace("population: NK", "population: NKK"), encoding="utf-8")
    result = call("check", tmp_path / "study.yaml")
    assert result.exit_code == 2
    assert "count.population: strategy 'nk' has no population 'NKK' (did you mean 'NK'?)" in result.output


def test_run_ends_with_its_exit_code(trial: Path, tmp_path: Path) -> None:
    assert call("run", trial / "study.yaml", "--out", tmp_path / "r").exit_code == 0
    assert (tmp_path / "r" / "report.html").is_file()


def test_a_wrong_study_is_code_2(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: X\n", encoding="utf-8")
    result = call("run", tmp_path / "study.yaml", "--out", tmp_path / "r")
    assert isinstance(result.exception, StudyError)
    assert not (tmp_path / "r").exists()


def test_new_makes_a_study_that_can_be_checked(tmp_path: Path) -> None:
    result = call("new", tmp_path / "mine")
    assert result.exit_code == 0
    checked = call("check", tmp_path / "mine" / "study.yaml")
    assert checked.exit_code == 0, checked.output
    assert "0 problems" in checked.output


def test_show_draws_the_tree() -> None:
    from il2cyto.study import packaged_strategy

    result = call("show", packaged_strategy("treg"))
    assert result.exit_code == 0
    lines = result.output.splitlines()
    treg = next(i for i, line in enumerate(lines) if line.strip().startswith("Treg "))
    assert lines[treg + 1].startswith(lines[treg][: len(lines[treg]) - len(lines[treg].lstrip())] + "  ")


def test_demo_runs_whole(tmp_path: Path) -> None:
    result = call("demo", tmp_path / "d", "--jobs", 1, "--subjects", 2, "--events", 1500)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "d" / "results" / "report.html").is_file()
    assert (tmp_path / "d" / "truth" / "counts.csv").is_file()


def test_simulate_writes_a_trial_that_can_be_checked(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    result = call("simulate", folder, "--subjects", 2, "--events", 300, "--visits", "BL,M3", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "Simulated 2 subjects, 16 tubes, 0 missed visits" in result.output
    sheets = {path.name for path in folder.glob("*.csv")}
    assert sheets == {
        "samples.csv", "dosing.csv", "serum.csv", "vitals.csv", "labs.csv", "conmeds.csv", "scores.csv", "ae.csv",
        "controls.csv",
    }  # fmt: skip
    checked = call("check", folder / "study.yaml")
    assert checked.exit_code == 0, checked.output
    assert "16 tubes, 0 problems, 0 notices" in checked.output
