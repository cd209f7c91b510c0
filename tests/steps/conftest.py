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
    """The trial with its gates as they are drawn and without outcomes: these take most of a run."""
    folder = tmp_path_factory.mktemp("fixed") / "study"
    shutil.copytree(trial, folder)
    study = folder / "study.yaml"
    text = study.read_text(encoding="utf-8")
    study.write_text(text[: text.index("outcomes:")] + "gates: {learn: false}\n", encoding="utf-8")
    return folder


@pytest.fixture
def spoiled(fixed: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    folder = tmp_path / "study"
    shutil.copytree(fixed, folder)
    return folder
