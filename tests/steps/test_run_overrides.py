"""Overrides of gates in a run: the tubes that they touch, and no other, are gated anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from leaks import Tube, write_study

from il2cyto.steps.check import check
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

OVERRIDE = """\
scope: SCOPE
author: Ann Other
reason: debris
time: 2026-03-02T14:05+08:00
populations:
- {name: big, gate: {type: rectangle, dims: [{channel: FSC-A, min: 110, units: linear}]}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Four subjects at baseline, two of them a month later too; every tube has 20 events, FSC-A from 100 to 119."""
    return write_study(tmp_path, "x", [Tube("nothing") for _ in range(4)])


def put(study: Path, scope: str, name: str = "one", minimum: int = 110) -> Path:
    folder = study.parent / "overrides"
    folder.mkdir(exist_ok=True)
    text = OVERRIDE.replace("SCOPE", scope).replace("110", str(minimum))
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{name}.yaml"


def run(study: Path, out: Path) -> dict[str, dict[str, Any]]:
    run_study(read_study(study), out)
    tubes: dict[str, dict[str, Any]] = json.loads((out / "manifest.json").read_text())["tubes"]
    return tubes


def changed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> set[str]:
    assert before.keys() == after.keys()
    return {tube for tube in before if before[tube].get("key") != after[tube].get("key")}


def big(out: Path) -> dict[str, float]:
    counts = pd.read_csv(out / "counts.csv")
    return counts[counts["population"] == "big"].set_index("tube_id")["count"].to_dict()


def test_only_touched_tubes_change(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    before = run(study, out)
    assert big(out)["S01-BL-T"] == 20
    put(study, "{tubes: [S01-BL-T]}")
    after = run(study, out)
    assert changed(before, after) == {"S01-BL-T"}
    assert (big(out)["S01-BL-T"], big(out)["S02-BL-T"]) == (10, 20)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert '"moved":[[0,' in page
    assert "<td>Ann Other</td>" in page.split('<section id="provenance">')[1]
    # a wider override of the same gate touches the other tubes, and the tube keeps its own gate
    put(study, "{subject: S01, template: gates of x}", "two", 115)
    wider = run(study, out)
    assert changed(after, wider) == {"S01-BL-T", "S01-M1-T"}
    assert (big(out)["S01-BL-T"], big(out)["S01-M1-T"]) == (10, 5)
    # one more tube in the scope is no change for the first
    put(study, "{tubes: [S01-BL-T, S03-BL-T]}")
    assert changed(wider, run(study, out)) == {"S03-BL-T"}
    for path in (study.parent / "overrides").iterdir():
        path.unlink()
    assert changed(before, run(study, out)) == set()


def test_a_gate_that_stands_still_is_recorded_all_the_same(study: Path, tmp_path: Path) -> None:
    before = run(study, tmp_path / "r")
    put(study, "{tubes: [S01-BL-T]}", minimum=1)
    assert changed(before, run(study, tmp_path / "r")) == {"S01-BL-T"}


def test_gates_of_the_strategys_folder_hold_against_wider_overrides(study: Path, tmp_path: Path) -> None:
    own = study.parent / "gates of x" / "overrides"
    own.mkdir()
    gate = "{type: rectangle, dims: [{channel: FSC-A, min: 105, compensation: uncompensated}]}"
    (own / "a.yaml").write_text(f"files: [1 x.fcs]\npopulations:\n- {{name: big, parent: root, gate: {gate}}}\n")
    put(study, "{template: gates of x}")
    run(study, tmp_path / "r")
    assert {tube: count for tube, count in big(tmp_path / "r").items() if count != 10} == {
        "S00-M1-W": 20, "S01-M1-W": 20, "S01-BL-T": 15,
    }  # fmt: skip
    put(study, "{tubes: [S01-BL-T]}", "two", 117)
    run(study, tmp_path / "r")
    assert big(tmp_path / "r")["S01-BL-T"] == 3


def test_check_tells_what_does_not_fit_the_strategy(study: Path) -> None:
    path = put(study, "{template: gates of x}")
    assert check(study).problems == ()
    path.write_text(path.read_text().replace("name: big", "name: bog"))
    (problem,) = check(study).problems
    assert (problem.file, problem.line) == ("overrides/one.yaml", 6)
    assert "no population 'bog' (did you mean 'big'?)" in problem.message


def test_an_override_that_does_not_fit_costs_its_tubes_only(study: Path, tmp_path: Path) -> None:
    path = put(study, "{tubes: [S01-BL-T]}")
    path.write_text(path.read_text().replace("name: big", "name: bog"))
    tubes = run(study, tmp_path / "r")
    assert tubes["S01-BL-T"] == {"failed": "StrategyError"}
    assert "failed" not in tubes["S02-BL-T"]
    failures = pd.read_csv(tmp_path / "r" / "failures.csv").set_index("tube_id")["message"]
    assert "no population 'bog' (did you mean 'big'?)" in failures["S01-BL-T"]
