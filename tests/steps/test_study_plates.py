"""Plates of a study: samples to visits, words that results may carry, and what cannot be used."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import StudyError, TableError
from il2cyto.serum import Acceptance, AssaySettings, Logistic, fit, read_serum
from il2cyto.serum.logistic import LINEAR, LOG
from il2cyto.serum.plates.wells import BLANK, CONTROL, SAMPLE, STANDARD
from il2cyto.steps.serum import (
    assay_findings,
    assay_settings,
    flag_drug,
    public_assay,
    run_assay,
    serum_rows,
)
from il2cyto.study import read_study
from il2cyto.study.plates import MODELS, RULES, SCALES
from il2cyto.study.wells import TYPES

STUDY = """\
study: S1
title: A study
arms:
  IL2: {label: rhIL-2}
visits:
  BL: {label: Baseline, number: 1, baseline: true}
  M1: {label: Month 1, number: 2}
tubes:
  TBNK: {strategy: "il2cyto:tbnk", panel: panel.csv, count: {route: none}}
samples: samples.csv
plates:
  files: [serum/*.csv]
  kit: kit.csv
  drug: {IL-2: 1}
  rules: {recovery: 15, least_levels: 5}
wells: wells.csv
"""
WELLS = (
    "sample,dilution,subject,visit,collection_date\n"
    "LeeAnn-1,2,P001,BL,2020-09-01\nLeeAnn-2,2,P001,M1,2020-10-01\nLeeAnn-3,1,,,\n"
)


def plate(folder: Path, name: str = "plate.csv", analyte: str = "Leeokine") -> None:
    curve = Logistic(a=15, b=1.05, c=1500, d=25000)
    lines = ["well,sample,analyte,MFI,bead count,unit"]
    doses = {"Blank": 0.0, **{f"Standard {i}": 10000 / 4.0 ** (8 - i) for i in range(1, 9)}}
    doses |= {"LeeAnn-1": 40.0, "LeeAnn-2": 0.001, "LeeAnn-3": 5.0}
    for number, (sample, dose) in enumerate(doses.items(), start=1):
        for row, factor in (("A", 0.99), ("B", 1.01)):
            for one in ("IL-2", analyte):
                lines.append(f"{row}{number},{sample},{one},{float(curve.signal(dose)) * factor},80,pg/mL")
    (folder / "serum" / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "serum").mkdir()
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "panel.csv").write_text("marker,channel,fluorochrome,aliases\nCD3,FL1-A,FITC,\n")
    (tmp_path / "samples.csv").write_text(
        "subject,arm,diagnosis,visit,tube,fcs,tube_id,collection_date,age_years\n"
        + "".join(
            f"P001,IL2,SLE,{visit},TBNK,{visit}.fcs,P001-{visit},{day},9\n"
            for visit, day in (("BL", "2020-09-01"), ("M1", "2020-10-01"))
        )
    )
    (tmp_path / "wells.csv").write_text(WELLS)
    (tmp_path / "kit.csv").write_text(
        "analyte,level,concentration\n"
        + "".join(f"{a},{i},{10000 / 4.0 ** (8 - i)}\n" for a in ("IL-2", "Leeokine") for i in range(1, 9))
    )
    plate(tmp_path)
    return tmp_path


def test_samples_become_serum_values(folder: Path) -> None:
    study = read_study(folder / "study.yaml")
    assert {"wells", "plates/1", "plates/kit"} <= set(study.sha256)
    found = public_assay(study, run_assay(study))
    visits = pd.DataFrame({"USUBJID": "P001", "AVISIT": ["BL", "M1"], "DSLD": [pd.NA, 1]})
    rows = flag_drug(serum_rows(study, found), study, visits)
    serum = read_serum(rows)
    assert serum.obs_names.tolist() == ["P001|BL", "P001|M1"]
    assert serum.var_names.tolist() == ["IL-2", "plate analyte 1"]
    np.testing.assert_allclose(serum.X[0], 80.0, rtol=0.01)
    # below the range: the limit itself, of the undiluted sample
    assert serum.layers["censor"].tolist() == [[0, 0], [-1, -1]]
    assert serum.X[1].tolist() == serum.layers["lloq"][1].tolist()
    codes = serum.uns["il2cyto"]["flag_codes"]
    flags = [[codes.get(str(code), "") for code in row] for row in serum.layers["flags"]]
    assert flags == [["", ""], ["drug", ""]]
    assert serum.obs["collection_date"].tolist() == ["2020-09-01", "2020-10-01"]


def test_no_name_leaves_the_sheets(folder: Path) -> None:
    (folder / "serum" / "Lee-plate.csv").write_text("no,plate\n1,2\n")
    study = read_study(folder / "study.yaml")
    found = public_assay(study, run_assay(study))
    assert found is not None
    assert found.assay is not None
    tables = [found.assay.curves, found.assay.standards, found.assay.samples, found.assay.controls, found.assay.drift]
    findings = assay_findings(study, found)
    told = "".join(table.to_csv() for table in tables) + "".join(f"{one.message}{one.remedy}" for one in findings)
    assert "Lee" not in told
    assert [one.severity for one in findings].count("failure") == 1
    whole = "".join(one.whole for one in findings)
    assert "serum/Lee-plate.csv: Lee-plate.csv: has no line of headings" in whole
    assert "'Leeokine'" in whole
    assert any("1 samples on plates have no subject" in one.message for one in findings)


def test_a_kit_that_cannot_be_read_is_a_failure_of_the_plates_alone(folder: Path) -> None:
    (folder / "kit.csv").write_text("analyte,level\nIL-2,1\n")
    study = read_study(folder / "study.yaml")
    found = public_assay(study, run_assay(study))
    (finding,) = assay_findings(study, found)
    assert (finding.severity, finding.message) == ("failure", "the kit of plates cannot be used; paths.csv says why")
    assert "lacks the column concentration" in finding.whole
    assert serum_rows(study, found).empty


def test_an_analyte_in_the_sheet_and_on_a_plate(folder: Path) -> None:
    (folder / "serum.csv").write_text("subject,visit,analyte,value,unit\nP001,BL,IL-2,5,pg/mL\n")
    (folder / "study.yaml").write_text(STUDY + "serum: serum.csv\n")
    study = read_study(folder / "study.yaml")
    with pytest.raises(TableError, match="stands in the serum sheet and on a plate; keep one"):
        serum_rows(study, run_assay(study))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kit: kit.csv", "kit: ../kit.csv", "leaves its folder"),
        ("files: [serum/*.csv]", "files: [serum/*.txt]", "0 files are named like this"),
        ("recovery: 15", "recovry: 15", "did you mean 'recovery'"),
        ("recovery: 15", "recovery: 0", "give a number above 0"),
        ("wells: wells.csv", "", "give the sheet of wells"),
    ],
)
def test_a_wrong_section(folder: Path, old: str, new: str, message: str) -> None:
    (folder / "study.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(StudyError, match=message):
        read_study(folder / "study.yaml")


def test_wrong_wells(folder: Path) -> None:
    (folder / "wells.csv").write_text(
        "sample,well,subject,visit,dilution\nA,A1,P009,BL,2\nA,A1,P001,,0\nB,C1,P001,M9,1\n"
    )
    with pytest.raises(StudyError) as caught:
        read_study(folder / "study.yaml")
    told = str(caught.value)
    for message in ("no such subject", "this well stands in line 2", "needs its subject and visit", "must be above 0"):
        assert message in told


def test_rules_of_a_study_are_those_of_the_assay(folder: Path) -> None:
    own = {field.name for field in fields(AssaySettings)} - {"model", "scale", "pool", "acceptance"}
    renamed = {"cv": "standard_cv", "cv_ends": "standard_cv_ends", "least_levels": "levels_in_range"}
    limits = {renamed.get(field.name, field.name) for field in fields(Acceptance)}
    assert frozenset(own | limits) == frozenset(RULES)
    assert (MODELS, set(SCALES)) == (fit.MODELS, {LINEAR, LOG})
    assert set(TYPES) == {STANDARD, BLANK, CONTROL, SAMPLE}
    study = read_study(folder / "study.yaml")
    settings = assay_settings(study.plates)
    assert (settings.acceptance.recovery, settings.least_levels) == (15.0, 5)
    assert {field.name for field in fields(settings)} >= {"model", "scale", "pool"}
