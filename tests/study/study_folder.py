"""A small valid study on disk that each test spoils in its own way."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import openpyxl

from il2cyto.errors import Problem
from il2cyto.study import Inspection, Study, inspect_study, read_study

YAML = """\
study: DEMO
title: A small study
registry: NCT04397107
arms:
  IL2: {label: Low-dose IL-2, visits: [BL, M1]}
  STD:
    label: Standard therapy
    reference: true
visits:
  BL: {label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}
  M1: {label: Month 1, number: 1, target_day: 30, window: [2, 60]}
  M3: {label: Month 3, number: 2}
tubes:
  TBNK: {strategy: gating/tbnk, count: {route: beads, beads: beads}}
  TREG: {strategy: gating/treg, panel: gating/treg/aurora.csv, count: {route: chained, population: CD4, from: TBNK/CD4}}
  CELLS: {strategy: "data:workspace.xml", count: {route: volumetric}}
  PBMC: {strategy: gating/tbnk, count: {route: dual, denominator: lympho}}
  PCT: {strategy: gating/tbnk, count: {route: none}}
percent_of: [CD4, live]
limits: {lloq_events: 50, lod_events: 10, min_beads: 500}
errors: {cv_pipetting: 0.03, cv_lot: 0.01, cv_volume: 0.05, cv_alc: 0.02}
samples: samples.csv
dosing: dosing.csv
serum: serum.csv
model: {populations: [CD4, Treg]}
assumptions: [Samples are drawn before the dose.]
"""

SAMPLES = """\
tube_id,subject,arm,diagnosis,sex,birth_date,age_years,visit,collection_date,tube,fcs,panel,strategy,route,\
beads_per_test,bead_lot,blood_volume_ul,dilution,volume,volume_unit,alc_per_ul,batch,instrument,repeat,comment
A-BL-TBNK,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,TBNK,a1.fcs,,,,51230,L1,50,,,,,S1,Aurora-1,,
A-BL-TREG,A,IL2,SLE,F,2009-03-01,,BL,2021-03-01,TREG,a2.fcs,,,,,,,,,,,,,,
A-M1-TBNK,A,IL2,SLE,F,2009-03-01,,M1,2021-03-30,TBNK,a3.fcs,,,,51230,L1,50,,,,,,,,
B-BL-CELLS,B,STD,JIA,M,,11.5,BL,2021-04-12,CELLS,b1.fcs,,,,,,,2,25,uL,,,,,
B-BL-PBMC,B,STD,JIA,M,,11.5,BL,2021-04-12,PBMC,b2.fcs,,,,,,,,,,1480,,,,
B-M3-PCT,B,STD,JIA,M,,11.7,M3,2021-07-12,PCT,b3.fcs,,,,,,,,,,,,,,
"""

DOSING = """\
subject,date,dose,unit,route,treatment
A,2021-03-01,0.5,MIU/m2,subcutaneous,rhIL-2
A,2021-03-02,0.5,MIU/m2,subcutaneous,rhIL-2
"""

SERUM = """\
subject,visit,analyte,value,unit,lloq,uloq,collection_date
A,BL,IL-6,<2.4,pg/mL,2.4,5000,2021-03-01
B,BL,sCD25,412,U/mL,,,
"""


class Folder:
    """The files of the study, as texts; `write` puts them on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.yaml = YAML
        self.sheets = {"samples": SAMPLES, "dosing": DOSING, "serum": SERUM}
        for name in ("tbnk", "treg"):
            (path / "gating" / name).mkdir(parents=True)
            (path / "gating" / name / "strategy.yaml").write_text("strategy: x\n")
        (path / "gating/treg/aurora.csv").write_text("marker,channel,fluorochrome,aliases\n")
        (path / "workspace.xml").write_text("<gating/>")
        for name in ("a1", "a2", "a3", "b1", "b2", "b3"):
            (path / f"{name}.fcs").write_bytes(b"FCS3.1")

    def replace(self, old: str, new: str, sheet: str | None = None, count: int = 1) -> Folder:
        """Replace `count` occurrences in the yaml or in a sheet; the text must be there."""
        text = self.yaml if sheet is None else self.sheets[sheet]
        assert text.count(old) >= count, old
        text = text.replace(old, new, count)
        if sheet is None:
            self.yaml = text
        else:
            self.sheets[sheet] = text
        return self

    def cell(self, line: int, column: str, value: str, sheet: str = "samples") -> Folder:
        """Set one cell, by line of the file."""
        rows = list(csv.reader(io.StringIO(self.sheets[sheet])))
        rows[line - 1][rows[0].index(column)] = value
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(rows)
        self.sheets[sheet] = stream.getvalue()
        return self

    def without_column(self, column: str, sheet: str = "samples") -> Folder:
        rows = list(csv.reader(io.StringIO(self.sheets[sheet])))
        place = rows[0].index(column)
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([row[:place] + row[place + 1 :] for row in rows])
        self.sheets[sheet] = stream.getvalue()
        return self

    def append(self, row: str, sheet: str = "samples") -> Folder:
        self.sheets[sheet] += row + "\n"
        return self

    def write(self) -> Path:
        for name, text in self.sheets.items():
            (self.path / f"{name}.csv").write_text(text, encoding="utf-8")
        (self.path / "study.yaml").write_text(self.yaml, encoding="utf-8")
        return self.path / "study.yaml"

    def workbooks(self) -> Folder:
        """Write every sheet as XLSX, with real dates and numbers, and refer to these."""
        for name, text in self.sheets.items():
            book = openpyxl.Workbook()
            book.active.title = "notes"
            sheet = book.create_sheet(name.title())
            for row in csv.reader(io.StringIO(text)):
                sheet.append([_typed(cell) for cell in row])
            book.save(self.path / f"{name}.xlsx")
            self.replace(f"{name}.csv", f"{name}.xlsx")
        return self

    def inspect(self, data_root: Path | None = None) -> Inspection:
        return inspect_study(self.write(), data_root=data_root)

    def problems(self) -> list[Problem]:
        return list(self.inspect().problems)

    def read(self, data_root: Path | None = None) -> Study:
        return read_study(self.write(), data_root=data_root)


def _typed(cell: str) -> str | float | date | None:
    for convert in (date.fromisoformat, float):
        try:
            return convert(cell)
        except ValueError:
            continue
    return cell or None
