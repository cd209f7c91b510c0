"""A study whose sheets are written in a stated way comes out in the plain way, with its rules for visits."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from il2cyto.deident.key import Key
from il2cyto.deident.names import Names
from il2cyto.deident.study import clean_study
from il2cyto.study import read_study

YAML = """\
study: DEMO
title: Stated
arms:
  IL2: {label: IL-2}
visits:
  BL: {label: Baseline, number: 0, baseline: true, target_day: 1, window: [-28, 1]}
  M6: {label: Month 6, number: 3, target_day: 182, window: [137, 187], max_dsld: 14}
tubes:
  TBNK: {strategy: "il2cyto:tbnk", count: {route: none}, repeat: sum}
visit_assignment: windows
course_gap: 5
repeat: latest
samples: samples.csv
sheets:
  {encoding: gb18030, delimiter: semicolon, decimal: ",", dates: "%d.%m.%Y", samples: {columns: {subject: 受试者}}}
"""
SAMPLES = """\
tube_id;受试者;arm;diagnosis;age_years;visit;collection_date;reference_date;tube;fcs
t1;李雷;IL2;SLE;9,25;BL;1.3.2021;1.3.2021;TBNK;a.fcs
t2;李雷;IL2;SLE;9,5;UNS;2.6.2021;1.3.2021;TBNK;b.fcs
"""


def test_a_study_in_a_stated_notation(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "study.yaml").write_text(YAML, encoding="utf-8")
    (source / "samples.csv").write_bytes(SAMPLES.encode("gb18030"))
    names = Names(Key(bytes(range(32))))
    for name in ("a", "b"):
        (source / f"{name}.fcs").write_bytes(b"FCS3.1")
    clean = clean_study(source / "study.yaml", None, names, lambda _: False)
    for place, text in clean.outcome.files.items():
        (target / place).write_text(text, encoding="utf-8")
    header, first, second = csv.reader(io.StringIO((target / "samples.csv").read_text(encoding="utf-8")))
    rows = [dict(zip(header, row, strict=True)) for row in (first, second)]
    assert [row["age_years"] for row in rows] == ["9.2", "9.5"]
    assert [row["visit"] for row in rows] == ["BL", "UNS"]
    assert rows[0]["subject"] == rows[1]["subject"] == names.coded("subject", "李雷")
    assert "李" not in "".join(path.read_text(encoding="utf-8") for path in target.iterdir())
    before, after = read_study(source / "study.yaml"), read_study(target / "study.yaml")
    days = [[record.collection_date for record in study.records] for study in (before, after)]
    assert days[0][1] - days[0][0] == days[1][1] - days[1][0]
    for study in (before, after):
        assert (study.visit_assignment, study.course_gap) == ("windows", 5)
        assert (study.visits["M6"].max_dsld, study.tubes["TBNK"].repeat) == (14, "sum")
        assert [record.visit for record in study.records] == ["BL", "UNS0.01"]
