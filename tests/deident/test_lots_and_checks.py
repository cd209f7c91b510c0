"""Bead lots and limits of checks pass through de-identification: numbers stay, names of lots and populations do not."""

from __future__ import annotations

from pathlib import Path

from il2cyto.deident.key import Key
from il2cyto.deident.names import Names
from il2cyto.deident.study import clean_study
from il2cyto.study import read_study

YAML = """\
study: DEMO
title: Lots
arms:
  IL2: {label: IL-2}
visits:
  BL: {label: Baseline, number: 0, baseline: true}
tubes:
  TBNK: {strategy: "il2cyto:tbnk", count: {route: beads, beads: beads, bead_doublets: beads/Xanthippe}}
  TREG: {strategy: "il2cyto:treg", count: {route: dual, denominator: lympho, purity: TBNK/CD4}}
bead_lots:
  Xanthippe: {beads_per_test: 51230, expiry: 2021-01-01}
checks:
  roles: {CD3: [Xanthippe, T]}
  order: [[CD4, CD3]]
  lymphosum: {warn: [97, 103]}
  viability: {warn: [70, null], tubes: {TREG: {warn: [80, null]}}}
  sample_age: off
samples: samples.csv
"""
SAMPLES = """\
tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,bead_lot,blood_volume_ul,wbc_per_ul,\
lymphocyte_percent,sample_age_h
t1,A,IL2,SLE,9,BL,2021-03-01,TBNK,a.fcs,Xanthippe,50,,,5.5
t2,A,IL2,SLE,9,BL,2021-03-01,TREG,b.fcs,,,6200,25,
"""


def test_lots_and_checks(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "study.yaml").write_text(YAML, encoding="utf-8")
    (source / "samples.csv").write_text(SAMPLES, encoding="utf-8")
    for name in ("a", "b"):
        (source / f"{name}.fcs").write_bytes(b"FCS3.1")
    clean = clean_study(source / "study.yaml", None, Names(Key(bytes(range(32)))), lambda _: False)
    for place, text in clean.outcome.files.items():
        (target / place).write_text(text, encoding="utf-8")
    assert "Xanthippe" not in "".join(path.read_text(encoding="utf-8") for path in target.iterdir())
    before, after = read_study(source / "study.yaml"), read_study(target / "study.yaml")
    assert before.records[0].beads_expired
    assert after.checks.rules == before.checks.rules
    assert after.checks.order == (("CD4", "CD3"),)
    assert after.checks.roles["CD3"][1] == "T"
    assert len(after.checks.roles["CD3"]) == 2
    assert after.tubes["TREG"].count.purity_tube == "TBNK"
    assert after.tubes["TBNK"].count.bead_doublets != "beads/Xanthippe"
    for study in (before, after):
        first, second = study.records
        assert (first.beads_per_test, first.bead_lot) == (51_230.0, next(iter(study.bead_lots)))
        assert (first.sample_age_h, second.lymphocytes_per_ul) == (5.5, 1550.0)
