"""The review queue and the table of drift, with numbers that can be told beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from il2cyto.autogate.drift import DRIFT_COLUMNS, drift_table
from il2cyto.autogate.review import REVIEW_COLUMNS, review_queue
from il2cyto.cli.app import app

COUNTS = pd.DataFrame(
    [
        ("T1", "CD4/Treg", "estimated", 5.0, 4.5, 6.0),
        ("T1", "CD4/Th17", "estimated", 2.0, 1.0, 2.1),
        ("T2", "CD4/Treg", "borrowed", 4.0, 3.9, 4.1),
        ("T3", "CD4/Treg", "template", 4.0, np.nan, np.nan),
        ("T4", "CD4/Treg", "not_estimable", np.nan, np.nan, np.nan),
        ("T1", "CD4", "fixed", 40.0, np.nan, np.nan),
        ("T5", "CD4/Treg", "overridden", 5.0, np.nan, np.nan),
    ],
    columns=["tube_id", "population", "gate_status", "percent_parent", "gate_lower", "gate_upper"],
).assign(subject="P1", visit="BL", gate_source="batch B1 (3 tubes)")


def test_what_could_change_most_comes_first() -> None:
    queue = review_queue(COUNTS)
    assert tuple(queue.columns) == REVIEW_COLUMNS
    assert queue["tube_id"].tolist() == ["T4", "T3", "T2", "T1", "T1"]
    assert queue["population"].tolist()[3:] == ["CD4/Th17", "CD4/Treg"]
    assert queue["change_percent"].round(6).tolist()[2:] == [2.5, 50.0, 20.0]
    assert queue["change_percent"].isna().tolist()[:2] == [True, True]
    first = review_queue(COUNTS, ("Treg",))
    assert first["population"].tolist()[3:] == ["CD4/Treg", "CD4/Th17"]


def positions(*, arm: float = 0.0, dose: float = 0.0, noise: float = 0.01) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for gate, moved in (("CD25", True), ("CD3", False)):
        for k in range(24):
            for days in (np.nan, 2.0, 9.0):
                a = "IL2" if k % 2 else "STD"
                since = days if a == "IL2" else np.nan
                step = (arm if a == "IL2" else 0.0) + dose * (0.0 if np.isnan(since) else since)
                rows.append(
                    {
                        "tube": "TREG", "gate": gate, "axis": 0, "scope": "tube", "tube_id": f"{k}-{days}",
                        "subject": f"P{k}", "arm": a, "batch": f"B{k % 3}", "days_since_dose": since,
                        "position": 0.4 + 0.1 * (k % 3) + rng.normal(0, noise) + (step if moved else 0.0),
                        "location": 0.6 + step,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_positions_that_go_with_arm_or_dose_are_warned_of() -> None:
    calm = drift_table(positions()).set_index("gate")
    assert tuple(calm.reset_index()[list(DRIFT_COLUMNS)].columns) == DRIFT_COLUMNS
    assert (calm["warning"] == "").all()
    assert calm.loc["CD3", "position_sd_between_batches"] == pytest.approx(0.1, abs=0.01)
    by_arm = drift_table(positions(arm=0.3)).set_index("gate")
    assert "position goes with arm" in by_arm.loc["CD25", "warning"]
    assert by_arm.loc["CD3", "warning"] == ""
    by_dose = drift_table(positions(dose=0.01)).set_index("gate")
    assert "position goes with days since dose" in by_dose.loc["CD25", "warning"]
    assert by_dose.loc["CD3", "warning"] == ""


def test_positions_that_are_one_cannot_be_tested() -> None:
    table = positions(noise=0.0)
    table["position"] = 0.4
    found = drift_table(table)
    assert found[["p_arm", "q_arm", "p_dose", "q_dose"]].isna().all(axis=None)
    assert found["n_positions"].tolist() == [1, 1]


def test_the_command_lists_and_tells(tmp_path: Path) -> None:
    review_queue(COUNTS).to_csv(tmp_path / "review.csv", index=False)
    drift_table(positions()).to_csv(tmp_path / "drift.csv", index=False)
    shown = CliRunner().invoke(app, ["review", "--out", str(tmp_path), "--top", "3"])
    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        "T4  Treg  not_estimable: batch B1 (3 tubes)",
        "T3  Treg  template: batch B1 (3 tubes)",
        "T2  Treg  ±2.5 %  borrowed: batch B1 (3 tubes)",
        f"… and 2 more in {tmp_path / 'review.csv'}",
    ]
    drift_table(positions(arm=0.3)).to_csv(tmp_path / "drift.csv", index=False)
    warned = CliRunner().invoke(app, ["review", "--out", str(tmp_path), "--tube", "T1"])
    assert warned.exit_code == 1
    assert "WARNING  TREG CD25: position goes with arm" in warned.output
    unknown = CliRunner().invoke(app, ["review", "--out", str(tmp_path), "--tube", "T9"])
    assert str(unknown.exception) == "no gate of tube 'T9' is learnt"
