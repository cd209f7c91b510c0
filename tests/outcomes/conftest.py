"""A study of a few subjects without FCS files: sheets as a test writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from il2cyto.derive import visit_table
from il2cyto.outcomes import Outcomes, make_outcomes
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
