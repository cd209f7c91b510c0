"""Controls, rules and cuts of a study: a cleaned study learns the same gates from the same tubes, and names nobody."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from planted_study import Planted

from il2cyto.deident import Key, deidentify, scan
from il2cyto.deident.names import Names
from il2cyto.deident.strategies import clean_strategy
from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.gating.learning import LearnRule
from il2cyto.study import packaged_strategies, packaged_strategy, read_study
from il2cyto.study.frozen import FrozenMapping

KEY = Key(bytes(range(32)))
CONTROLS = """\
control_id,kind,tube,marker,channel,batch,instrument,acquired,fcs,comment
ZHANG-FMO,fmo,T,CD25,Odd-A,SITE-7,Weiming-1,2021-03-01,raw/zhang-fmo.fcs,Zhang Weiming bled
ZHANG-donor,donor,T,,,SITE-7,,,raw/zhang-donor.fcs,
"""
CUTS = """\
cuts:
  CD25: {marker: CD25, units: linear, at: 50, learn: {method: jointly, population: lympho, scope: batch,
    from: [fmo, untreated], borrow: [study, template], min_events: 30,
    options: {below: 2.5, with: Zhang, targets: "+- -*"}, why: Zhang Weiming wants it}}
  Zhang: {marker: CD3, units: linear, at: 10}
populations:
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    study = Planted()
    rows = [row[:-1] for row in study.sheets["samples"]]
    cells = ("batch", "SITE-7", "", "SITE-7", "SITE-7")
    study.sheets["samples"] = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    folder = study.write(tmp_path / "in")
    (folder / "controls.csv").write_text(CONTROLS, encoding="utf-8")
    with (folder / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("controls: controls.csv\ngates: {learn: false}\n")
    for name in ("zhang-fmo", "zhang-donor"):
        shutil.copy(folder / "raw" / "b2.fcs", folder / "raw" / f"{name}.fcs")
    path = folder / "gating" / "treg" / "strategy.yaml"
    text = path.read_text(encoding="utf-8").replace("populations:\n", CUTS, 1)
    text = text.replace("min: 50, units", "min: CD25, units").replace("min: 10, units", "min: Zhang, units")
    path.write_text(text, encoding="utf-8")
    return folder


def test_a_cleaned_study_has_its_controls(source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert deidentify(source, tmp_path / "out", KEY, say=said.append).exit_code == 0
    assert said == []
    before, after = read_study(source / "study.yaml"), read_study(tmp_path / "out" / "study.yaml")
    assert after.learn_gates is False
    assert [(one.kind, one.tube, one.marker, one.channel) for one in after.controls] == [
        ("fmo", "T", "CD25", Names(KEY).channel("Odd-A")), ("donor", "T", None, None),
    ]  # fmt: skip
    assert [one.acquired for one in after.controls] == [None, None]
    # batches of controls are those of samples
    assert {one.batch for one in after.controls} == {one.batch for one in after.records} - {None}
    for old, new in zip(before.controls, after.controls, strict=True):
        assert new.control_id == Names(KEY).coded("tube", old.control_id)
        assert (read_fcs(new.fcs).events == read_fcs(old.fcs).events).all()
    assert not [notice for notice in after.notices if notice.file == "controls.csv"]
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert not [word for word in (b"zhang", b"weiming", b"site-7") if word in content], path.name
            assert "zhang" not in path.name
    assert b"2021" not in (tmp_path / "out" / "controls.csv").read_bytes()


def test_scan_tells_of_controls_until_they_are_clean(source: Path, tmp_path: Path) -> None:
    found = {finding.file: finding.changes for finding in scan(source)}
    assert {change.where for change in found["controls.csv"]} >= {"column acquired", "column control_id", "column fcs"}
    deidentify(source, tmp_path / "out", KEY)
    assert not any(finding.changes for finding in scan(tmp_path / "out"))


def test_a_control_that_the_reader_refuses_is_withheld(source: Path, tmp_path: Path) -> None:
    (source / "controls.csv").write_text(CONTROLS.replace("donor,T,", "donor,T2,"), encoding="utf-8")
    deidentify(source, tmp_path / "out", KEY)
    assert [one.kind for one in read_study(tmp_path / "out" / "study.yaml").controls] == ["fmo"]


def test_rules_are_kept_and_words_are_not(source: Path, tmp_path: Path) -> None:
    names = Names(KEY)
    path = source / "gating" / "treg"
    for name, text in clean_strategy(path, names, {}).items():
        (tmp_path / "clean" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "clean" / name).write_text(text, encoding="utf-8")
    before, after = read_strategy(path), read_strategy(tmp_path / "clean")
    zhang = names.name("Zhang")
    assert zhang.startswith("N-")
    first, second = after.learning.cuts
    assert (first.name, second.name) == ("CD25", zhang)
    assert [cut.uses for cut in after.learning.cuts] == [cut.uses for cut in before.learning.cuts]
    assert [cut.at for cut in after.learning.cuts] == [50.0, 10.0]
    options = {"below": 2.5, "with": zhang, "targets": "+- -*"}
    assert first.rule == LearnRule(
        "jointly", "lympho", "batch", ("fmo", "untreated"), ("study", "template"), 30, FrozenMapping(options)
    )


def test_a_gate_that_is_learnt_as_a_whole(tmp_path: Path) -> None:
    text = (
        "strategy: treg\npopulations:\n- {name: singlets, parent: root, learn: {method: singlets, scope: tube},\n"
        "   gate: {type: polygon, dims: [FSC-A, FSC-H], vertices: [[0, 0], [1, 0], [1, 1]]}}\n"
    )
    (tmp_path / "strategy.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "strategy.yaml").write_text(clean_strategy(tmp_path, Names(KEY), {})["strategy.yaml"])
    assert read_strategy(tmp_path / "clean").content_hash == read_strategy(tmp_path).content_hash


@pytest.mark.parametrize("name", packaged_strategies())
def test_packaged_rules_come_through(tmp_path: Path, name: str) -> None:
    for file, text in clean_strategy(packaged_strategy(name), Names(KEY), {}).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    before, after = read_strategy(packaged_strategy(name)).learning, read_strategy(tmp_path).learning
    assert before
    assert read_strategy(tmp_path).optional == read_strategy(packaged_strategy(name)).optional
    assert after == replace(
        before,
        cuts=tuple(replace(cut, rule=cut.rule and replace(cut.rule, why="")) for cut in before.cuts),
        shapes=tuple(replace(shape, rule=replace(shape.rule, why="")) for shape in before.shapes),
    )
