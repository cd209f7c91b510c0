"""Which populations a visit lacks, and why; by hand for two subjects, two visits and two tube types."""

from __future__ import annotations

from pathlib import Path

import anndata
import pandas as pd
import pytest
from leaks import STRATEGY, plain_fcs

from il2cyto.steps.missing import flag_lost_repeats
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

YAML = """\
study: HOLES
title: What is missing
arms: {A: {label: Arm A}, B: {label: Arm B, reference: true}}
visits:
  BL: {label: Baseline, number: 0, baseline: true}
  M1: {label: Month 1, number: 1}
tubes:
  T: {strategy: first, panel: panel.csv, count: {route: none}}
  U: {strategy: second, count: {route: none}}
samples: samples.csv
"""
SECOND = """\
strategy: second
compensation: uncompensated
populations:
- {name: some, parent: root, gate: {type: rectangle, dims: [{channel: FSC-A, min: 110}]}}
"""
#: Subject, visit, tube type; those that stand in `BROKEN` cannot be read. S1 has no U at M1, S0 none at BL.
TUBES = ["S0-BL-T", "S0-M1-T", "S0-M1-U", "S1-BL-T", "S1-BL-U", "S1-M1-T"]
BROKEN = ("S1-BL-T", "S1-BL-U")
EXPECTED = """\
subject,visit,tube,tube_id,strategy,population,why
S0,BL,T,S0-BL-T,tiny,big/CD4,not estimable
S0,BL,U,,second,some,no tube
S0,M1,T,S0-M1-T,tiny,big/CD4,not estimable
S1,BL,T,S1-BL-T,tiny,big,tube failed
S1,BL,T,S1-BL-T,tiny,big/CD4,tube failed
S1,BL,U,S1-BL-U,second,some,tube failed
S1,M1,T,S1-M1-T,tiny,big/CD4,not estimable
S1,M1,U,,second,some,no tube
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("holes")
    for name, text in (("first", STRATEGY), ("second", SECOND)):
        (folder / name).mkdir()
        (folder / name / "strategy.yaml").write_text(text)
    (folder / "panel.csv").write_text("marker,channel\nCD4,absent\n")
    (folder / "study.yaml").write_text(YAML)
    rows = ["tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs"]
    for tube in TUBES:
        subject, visit, kind = tube.split("-")
        content = plain_fcs(b"x").content()
        (folder / f"{tube}.fcs").write_bytes(content[:-150] if tube in BROKEN else content)
        day = "2021-01-07" if visit == "BL" else "2021-02-07"
        rows.append(f"{tube},{subject},{'AB'[subject == 'S1']},SLE,11,{visit},{day},{kind},{tube}.fcs")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    assert run_study(read_study(folder / "study.yaml"), folder / "r").exit_code == 1
    return folder / "r"


def test_the_table_lists_what_every_visit_lacks(out: Path) -> None:
    table = pd.read_csv(out / "missing_populations.csv", dtype=str).fillna("")
    assert table.drop(columns="reason").to_csv(index=False, lineterminator="\n") == EXPECTED
    reasons = dict(zip(table["tube_id"] + table["tube"] + table["visit"], table["reason"], strict=True))
    assert "truncated" in reasons["S1-BL-TTBL"]
    assert reasons["UBL"] == "the samples sheet has no tube of type U for this visit, as other subjects have"
    assert reasons["S0-BL-TTBL"].startswith("marker absent: CD4")


def test_the_status_of_visits_tells_failed_from_not_measured(out: Path) -> None:
    visits = anndata.read_h5ad(out / "visits.h5ad")
    legend = visits.uns["il2cyto"]["status_codes"]
    told = pd.DataFrame(visits.layers["status"], index=visits.obs_names, columns=visits.var_names)
    words = told.map(lambda code: legend[str(code)])
    assert words.to_dict("index") == {
        "S0|BL": {"second/some": "not measured", "tiny/big": "below LLOQ", "tiny/big/CD4": "not estimable"},
        "S0|M1": {"second/some": "below LLOQ", "tiny/big": "below LLOQ", "tiny/big/CD4": "not estimable"},
        "S1|BL": {"second/some": "tube failed", "tiny/big": "tube failed", "tiny/big/CD4": "tube failed"},
        "S1|M1": {"second/some": "not measured", "tiny/big": "below LLOQ", "tiny/big/CD4": "not estimable"},
    }


def test_a_visit_that_lost_one_of_several_tubes_is_flagged() -> None:
    columns = ["subject", "visit", "tube", "tube_id", "source_tube_id", "flags"]
    counts = pd.DataFrame(
        [
            ["P1", "BL", "TBNK", "a+b", "", "few_beads"],
            ["P1", "BL", "TREG", "t", "a+b", ""],
            ["P1", "M1", "TBNK", "c", "", ""],
            ["P2", "BL", "TBNK", "d", "", ""],
        ],
        columns=columns,
    )
    lacking = pd.DataFrame(
        [
            ["P1", "BL", "TBNK", "tube failed"],
            ["P1", "M1", "TBNK", "not estimable"],
            ["P2", "BL", "NK", "tube failed"],
        ],
        columns=["subject", "visit", "tube", "why"],
    )
    flagged = flag_lost_repeats(counts, lacking)
    assert flagged["flags"].tolist() == ["few_beads;repeat_failed", "source_repeat_failed", "", ""]
