"""A small simulated trial, made once, and copies of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from il2cyto.simulate import simulate_trial


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four subjects, two visits, one of them missed, 4 tubes of about 2,500 lymphocytes."""
    folder = tmp_path_factory.mktemp("trial")
    simulate_trial(
        folder, n_subjects=4, visits=("BL", "M1"), seed=11, lymphocytes=2_500, tbnk_lymphocytes=2_500, missing_visits=1
    )
    return folder


@pytest.fixture(scope="session")
def fixed(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial with its gates as they are drawn: for what does not concern learning, which takes most of a run."""
    folder = tmp_path_factory.mktemp("fixed") / "study"
    shutil.copytree(trial, folder)
    with (folder / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("gates: {learn: false}\n")
    return folder


@pytest.fixture
def spoiled(fixed: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    folder = tmp_path / "study"
    shutil.copytree(fixed, folder)
    return folder
