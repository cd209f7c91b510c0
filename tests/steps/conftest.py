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
    """The trial with its gates as they are drawn, without outcomes and their sheets: these take most of a run."""
    folder = tmp_path_factory.mktemp("fixed") / "study"
    shutil.copytree(trial, folder)
    study = folder / "study.yaml"
    text = study.read_text(encoding="utf-8")
    clinic = tuple(f"{name}:" for name in ("conmeds", "vitals", "labs", "scores", "ae"))
    kept = [line for line in text[: text.index("outcomes:")].splitlines() if not line.startswith(clinic)]
    study.write_text("\n".join([*kept, "gates: {learn: false}", ""]), encoding="utf-8")
    return folder


@pytest.fixture
def spoiled(fixed: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    folder = tmp_path / "study"
    shutil.copytree(fixed, folder)
    return folder
