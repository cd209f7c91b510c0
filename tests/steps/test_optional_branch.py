"""An optional marker that the panel lacks, through a whole run that learns: a status with a reason, never zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import write_fcs
from il2cyto.steps.check import check
from il2cyto.steps.gates import forget_gates
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

STRATEGY = """\
strategy: branches
compensation: uncompensated
cuts:
  A: {marker: A, at: 0.4, learn: {method: mixture, population: cells, scope: batch, borrow: [template]}}
  C: {marker: C, at: 0.4, learn: {method: mixture, population: A, scope: batch, borrow: [template]}}
optional: [C]
populations:
- {name: cells, parent: root, gate: {type: rectangle, dims: [{marker: A, min: -9}]}}
- {name: A, parent: cells, gate: {type: rectangle, dims: [{marker: A, min: A}]}}
- {name: C, parent: A, gate: {type: rectangle, dims: [{marker: C, min: C}]}}
- {name: A of C, parent: C, gate: {type: rectangle, dims: [{marker: A, min: A}]}}
"""
STUDY = """\
study: OPTIONAL
title: A panel without C
arms: {X: {label: Arm X, reference: true}}
visits: {BL: {label: Baseline, number: 0, baseline: true}}
tubes: {T: {strategy: tree, panel: panel.csv, count: {route: none}}}
samples: samples.csv
"""
SAMPLES = """\
tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,batch
T1,S1,X,SLE,11,BL,2021-01-07,T,T1.fcs,B1
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "strategy.yaml").write_text(STRATEGY, encoding="utf-8")
    (tmp_path / "panel.csv").write_text("marker,channel\nA,A-A\n", encoding="utf-8")
    (tmp_path / "samples.csv").write_text(SAMPLES, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    rng = np.random.default_rng(5)
    high = rng.random((4_000, 2)) < 0.3
    events = np.where(high, rng.normal(0.65, 0.06, (4_000, 2)), rng.normal(0.25, 0.06, (4_000, 2)))
    write_fcs(events, tmp_path / "T1.fcs", channels=["A-A", "C-A"])
    forget_gates()
    return tmp_path / "study.yaml"


def test_the_reason_reaches_every_table(study: Path) -> None:
    assert check(study).problems == ()
    run = run_study(read_study(study), study.parent / "r")
    # the panel says what it has, so nothing failed
    assert run.exit_code == 0
    counts = pd.read_csv(study.parent / "r" / "counts.csv").set_index("population")
    reason = "marker absent: C (optional, and not in the panel)"
    assert counts.loc["cells/A/C", ["status", "reason"]].tolist() == ["not_estimable", reason]
    assert counts.loc["cells/A/C/A of C", "reason"] == f"parent C not estimable: {reason}"
    assert counts.loc[["cells/A/C", "cells/A/C/A of C"], "count"].isna().all()
    assert counts.loc["cells/A", "gate_status"] == "estimated"
    assert counts.loc["cells/A", "percent_parent"] == pytest.approx(30, abs=2)
    missing = pd.read_csv(study.parent / "r" / "missing_populations.csv").set_index("population")
    assert missing["why"].to_dict() == {"cells/A/C": "not estimable", "cells/A/C/A of C": "not estimable"}
    assert missing.loc["cells/A/C", "reason"] == reason
    learnt = (study.parent / "r" / "learnt" / "T.json").read_text(encoding="utf-8")
    assert '"name": "A"' in learnt
    assert '"name": "C"' not in learnt


def test_a_required_marker_stays_a_problem_of_the_study(study: Path) -> None:
    tree = study.parent / "tree" / "strategy.yaml"
    tree.write_text(STRATEGY.replace("optional: [C]\n", ""), encoding="utf-8")
    (problem,) = check(study).problems
    assert "marker 'C' is not in panel" in problem.message
