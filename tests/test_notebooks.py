"""Every notebook runs from its first to its last cell."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == ["first-look.py"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = runpy.run_path(str(path))
    table = names["table"]
    assert table["cells_per_ul"].notna().all()
    assert (table["lower"] < table["cells_per_ul"]).all()
    assert (table["cells_per_ul"] < table["upper"]).all()
    assert names["inside"].sum() == names["result"].counts.set_index("name").loc["Treg", "count"]
