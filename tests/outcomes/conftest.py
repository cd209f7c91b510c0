"""A study of a few subjects without FCS files: sheets as a test writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from il2cyto.derive import visit_table
from il2cyto.outcomes import Outcomes, make_outcomes
from il2cyto.simulate import plan as plans
from il2cyto.simulate.clinical import clinical_sheets
from il2cyto.simulate.design import VISITS, TrialDesign
from il2cyto.simulate.sheets import dosing_sheet, samples_sheet, serum_sheet, study_yaml
from il2cyto.study import read_study

HEAD = """study: HAND
title: Hand-made
arms:
  IL2: {label: Interleukin-2}
  STD: {label: Standard, reference: true}
visits:
  BL: {label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}
  M1: {label: Month 1, number: 1, target_day: 30, window: [2, 60]}
  M3: {label: Month 3, number: 2, target_day: 91, window: [61, 136]}
tubes:
  TBNK: {strategy: "il2cyto:tbnk", count: {route: none}}
samples: samples.csv
"""
#: Subject, arm, diagnosis, age, enrolment, and the day of each visit.
SAMPLES = (
    ("A1", "IL2", "SLE", "10", "", {"BL": "2021-03-01", "M1": "2021-03-30", "M3": "2021-05-30"}),
    ("A2", "IL2", "pSS", "14", "", {"BL": "2021-03-01", "M1": "2021-03-30"}),
    ("B1", "STD", "SLE", "11", "2021-03-01", {"BL": "2021-03-01", "M1": "2021-03-30", "M3": "2021-05-30"}),
    ("B2", "STD", "pSS", "12", "2021-03-01", {"BL": "2021-03-01", "M1": "2021-03-30", "M3": "2021-05-30"}),
)  # fmt: skip

Make = Callable[..., Path]


def samples_csv(samples: tuple[tuple[str, str, str, str, str, dict[str, str]], ...] = SAMPLES) -> str:
    lines = ["tube_id,subject,arm,diagnosis,sex,age_years,visit,collection_date,reference_date,tube,fcs"]
    for subject, arm, diagnosis, age, enrolled, visits in samples:
        lines += [
            f"{subject}-{visit},{subject},{arm},{diagnosis},F,{age},{visit},{day},{enrolled},TBNK,{subject}-{visit}.fcs"
            for visit, day in visits.items()
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def write(tmp_path: Path) -> Make:
    """Write a study: lines of study.yaml after the head, and sheets by name (``conmeds="..."``)."""

    def make(tail: str, *, samples: str | None = None, **sheets: str) -> Path:
        sheets = {"samples": samples or samples_csv(), **sheets}
        for name, text in sheets.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        keys = "".join(f"{name}: {name}.csv\n" for name in sheets if name != "samples")
        (tmp_path / "study.yaml").write_text(HEAD + keys + tail, encoding="utf-8")
        return tmp_path / "study.yaml"

    return make


@pytest.fixture
def told(write: Make) -> Callable[..., Outcomes]:
    """Write a study and make its outcomes."""

    def make(tail: str, **sheets: str) -> Outcomes:
        study = read_study(write(tail, **sheets))
        return make_outcomes(study, visit_table(study), None, None, None)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A simulated trial of 46 subjects without FCS files: its folder, study, outcomes and truth."""
    plan = plans.plan_trial(TrialDesign(n_subjects=46, visits=tuple(VISITS), seed=1, controls=False))
    folder: Path = tmp_path_factory.mktemp("simulated")
    (folder / "study.yaml").write_text(study_yaml(plan), encoding="utf-8")
    clinical = clinical_sheets(plan)
    sheets = {"samples.csv": samples_sheet(plan), "dosing.csv": dosing_sheet(plan), "serum.csv": serum_sheet(plan)}
    for name, sheet in (sheets | clinical.sheets).items():
        sheet.to_csv(folder / name, index=False)
    study = read_study(folder / "study.yaml")
    outcomes = make_outcomes(study, visit_table(study), None, None, None)
    return SimpleNamespace(folder=folder, study=study, outcomes=outcomes, clinical=clinical)
