"""A small trial on disk, made by hand: whom, when, and the sheets of the clinic as texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from il2cyto.derive import visit_table
from il2cyto.outcomes import OutcomeResult, Outcomes, make_outcomes
from il2cyto.study import Inspection, inspect_study, read_study

YAML = """\
study: TRIAL
title: A trial made by hand
arms:
  IL2: {label: Low-dose IL-2}
  STD: {label: Standard therapy, reference: true}
visits:
  BL: {label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}
  M1: {label: Month 1, number: 1, target_day: 30, window: [2, 60]}
  M3: {label: Month 3, number: 2, target_day: 91, window: [61, 136]}
tubes:
  TBNK: {strategy: "il2cyto:tbnk", count: {route: none}}
samples: samples.csv
"""
SAMPLES = "tube_id,subject,arm,diagnosis,sex,age_years,visit,collection_date,tube,fcs,reference_date\n"
#: Study day 1, 30 and 91 of a subject whose first day is 2021-03-01.
DAYS = {"BL": "2021-03-01", "M1": "2021-03-30", "M3": "2021-05-30"}
CONMEDS = "subject,drug,group,dose,unit,per,route,start_date,end_date\n"
VITALS = "subject,visit,date,height_cm,weight_kg\n"
LABS = "subject,visit,date,test,value,unit,lower,upper\n"
SCORES = "subject,visit,date,score,item,value\n"
AE = "subject,class,term,start_date,end_date,grade,serious,related\n"
DOSING = "subject,date,dose,unit,route,treatment\n"


class Trial:
    """The files of a study; `write` puts them on disk."""

    def __init__(self, path: Path, outcomes: str, **sheets: str) -> None:
        self.path = path
        self.extra = ""
        self.outcomes = outcomes
        self.sheets = dict(sheets)
        self.samples: list[str] = []

    def subject(
        self, name: str, arm: str, days: Mapping[str, str] = DAYS, *, diagnosis: str = "SLE", sex: str = "F",
        age: float = 12.0, reference: str = "",
    ) -> Trial:  # fmt: skip
        for visit, day in days.items():
            tube = f"{name}-{visit}"
            self.samples.append(
                f"{tube},{name},{arm},{diagnosis},{sex},{age},{visit},{day},TBNK,fcs/{tube}.fcs,{reference}"
            )
        return self

    def write(self) -> Path:
        named = "".join(f"{key}: {key}.csv\n" for key in self.sheets)
        text = f"{YAML}{self.extra}{named}outcomes:\n{self.outcomes}"
        (self.path / "study.yaml").write_text(text, encoding="utf-8")
        (self.path / "samples.csv").write_text(SAMPLES + "\n".join(self.samples) + "\n", encoding="utf-8")
        for key, sheet in self.sheets.items():
            (self.path / f"{key}.csv").write_text(sheet, encoding="utf-8")
        return self.path / "study.yaml"

    def inspect(self) -> Inspection:
        return inspect_study(self.write())

    def make(self) -> Outcomes:
        study = read_study(self.write())
        return make_outcomes(study, visit_table(study), None, None, None)


def values(result: OutcomeResult, parameter: str, column: str = "value") -> dict[str, object]:
    """Return a column of the values behind an outcome by subject and visit, as ``A M1``."""
    mine = result.subjects[result.subjects["parameter"] == parameter]
    return dict(zip(mine["subject"] + " " + mine["visit"], mine[column].tolist(), strict=True))


def told(result: OutcomeResult, parameter: str, analysis: str, arm: str, visit: str = "", category: str = "") -> dict:
    """Return the one row of the table that answers a description."""
    table = result.table
    keys = {"parameter": parameter, "analysis": analysis, "arm": arm, "visit": visit, "category": category}
    for name, value in keys.items():
        table = table[table[name] == value]
    assert len(table) == 1, (keys, len(table))
    return table.iloc[0].to_dict()
