"""Overrides of gates in a study folder: a cleaned study counts with them, and names nobody who wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from planted_study import Planted
from ruamel.yaml import YAML

from il2cyto.deident import Key, deidentify, scan
from il2cyto.deident.names import Names
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

KEY = Key(bytes(range(32)))
HEAD = "author: Weiming Zhang\nreason: Zhang Weiming bled\ntime: 2026-03-02T14:05+08:00\n"
GATE = "populations:\n- {name: NAME, gate: {type: rectangle, dims: [{marker: MARKER, min: MIN, units: linear}]}}\n"
OVERRIDES = {
    "zhang-tubes": ("scope: {tubes: [A-BL, B-M1]}\n", "Treg", "CD25", "70.125"),
    "subject.KID-B": ("scope: {subject: KID-B, template: gating/treg}\n", "Treg", "CD25", "30"),
    "batch": ("scope: {batch: SITE-7, template: gating/treg}\n", "lympho", "CD3", "40"),
    "template": ("scope: {template: gating/treg}\n", "lympho", "CD3", "20.1"),
}
#: Author, reason, and words of the files' names.
PLANTED = ("zhang", "weiming", "bled", "kid-b", "site-7", "2026", "14:05", "06:05")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four tubes with overrides of every level; three tubes have a batch."""
    study = Planted()
    rows = [row[:-1] for row in study.sheets["samples"]]
    cells = ("batch", "SITE-7", "", "SITE-7", "SITE-7")
    study.sheets["samples"] = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    folder = study.write(tmp_path / "in")
    (folder / "overrides" / "moved.yaml").unlink()
    for name, (scope, population, marker, minimum) in OVERRIDES.items():
        gate = GATE.replace("NAME", population).replace("MARKER", marker).replace("MIN", minimum)
        (folder / "overrides" / f"{name}.yaml").write_text(scope + HEAD + gate, encoding="utf-8")
    return folder


def counts(folder: Path, out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``counts.csv`` and the gates that overrides move, in an order that the new ids do not change."""
    run_study(read_study(folder / "study.yaml"), out)
    table = pd.read_csv(out / "counts.csv").sort_values(["arm", "visit_number", "population"], ignore_index=True)
    ids = table.drop_duplicates("tube_id").reset_index()[["tube_id", "index"]]
    moved = pd.read_csv(out / "overrides.csv").merge(ids, on="tube_id")
    return table, moved.sort_values(["index", "population", "level"], ignore_index=True)


def test_both_studies_count_the_same(source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert deidentify(source, tmp_path / "out", KEY, say=said.append).exit_code == 0
    assert said == []
    (before, was_moved), (after, moved) = (
        counts(folder, tmp_path / name) for folder, name in ((source, "a"), (tmp_path / "out", "b"))
    )
    for column in ("population", "count", "parent_count", "percent_parent", "cells_per_ul"):
        pd.testing.assert_series_equal(before[column], after[column])
    for column in ("index", "visit", "tube", "population", "level", "status"):
        pd.testing.assert_series_equal(was_moved[column], moved[column])
    # by hand: lympho is moved for all four tubes and for three of them by their batch, Treg by tubes and by subject
    assert moved["level"].value_counts().to_dict() == {"template": 4, "batch": 3, "tube": 2, "subject": 2}
    assert moved["status"].value_counts().to_dict() == {"applied": 7, "a narrower override holds": 4}
    assert set(moved["author"]) == {"withheld"}
    assert set(moved["reason"]) == {"withheld at de-identification"}
    assert set(moved["time"]) == {"2000-01-01T00:00:00Z"}
    # and the template counts other cells in each of the seven gates that are moved
    for path in (tmp_path / "out" / "overrides").iterdir():
        path.unlink()
    template, _ = counts(tmp_path / "out", tmp_path / "c")
    differ = (template["count"] != after["count"]) & template["name"].isin(["lympho", "Treg"])
    assert differ.sum() == 7


def test_gates_are_kept_and_words_are_not(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    deidentify(source, out, KEY)
    assert sorted(path.name for path in (out / "overrides").iterdir()) == [f"override{n}.yaml" for n in range(1, 5)]
    names = Names(KEY)
    # files are numbered by their old names
    content = [YAML(typ="safe", pure=True).load(out / "overrides" / f"override{n}.yaml") for n in range(1, 5)]
    assert [one["scope"] for one in content] == [
        {"batch": names.coded("name", "SITE-7"), "template": "gating/treg"},
        {"subject": names.coded("subject", "KID-B"), "template": "gating/treg"},
        {"template": "gating/treg"},
        {"tubes": [names.coded("tube", "A-BL"), names.coded("tube", "B-M1")]},
    ]
    rectangle = {"type": "rectangle", "dims": [{"marker": "CD25", "min": 70.125, "units": "linear"}]}
    assert content[3]["populations"] == [{"name": "Treg", "gate": rectangle}]
    for path in out.rglob("*"):
        text = f"{path.relative_to(out)}".lower().encode() + (path.read_bytes().lower() if path.is_file() else b"")
        # bytes of events may spell anything
        assert path.suffix == ".fcs" or not [word for word in PLANTED if word.encode() in text]
    report = json.loads((out / "deidentification.json").read_text())
    entry = next(one for one in report["files"] if one["file"] == "overrides/override4.yaml")
    assert [(one["where"], one["action"], one["count"]) for one in entry["changes"]] == [
        ("author", "replaced", 1), ("reason", "replaced", 1), ("time", "withheld", 1), ("scope", "renamed", 2),
    ]  # fmt: skip


def test_scan_tells_of_overrides_until_they_are_clean(source: Path, tmp_path: Path) -> None:
    found = {finding.file: finding.changes for finding in scan(source)}
    assert {"author", "reason", "time", "scope", "file name"} <= {
        change.where for change in found["overrides/zhang-tubes.yaml"]
    }
    deidentify(source, tmp_path / "out", KEY)
    assert not any(finding.changes for finding in scan(tmp_path / "out"))


def test_a_tube_that_is_withheld_leaves_the_scope(source: Path, tmp_path: Path) -> None:
    samples = source / "samples.csv"
    # neither row of KID-B, nor A-M1, can be read
    samples.write_text(samples.read_text().replace(",STD,", ",Smith,").replace("A-M1,KID-A,IL2", "A-M1,KID-A,Smith"))
    out = tmp_path / "out"
    assert deidentify(source, out, KEY).exit_code == 0
    (record,) = read_study(out / "study.yaml").records
    assert [(one.level, one.scope) for one in record.overrides] == [
        ("template", ()), ("batch", (record.batch,)), ("tube", (record.tube_id,))
    ]  # fmt: skip
    report = (out / "deidentification.csv").read_text()
    assert "an override of tubes that the samples sheet does not keep,withheld" in report
    assert "scope: a tube that the samples sheet does not keep,withheld" in report


@pytest.mark.parametrize("content", ["scope: {tubes: [A-BL]\n", "", HEAD, "colour: Smith\n" + HEAD, "\xff" * 9])
def test_an_override_that_cannot_be_read_is_set_aside(source: Path, tmp_path: Path, content: str) -> None:
    (source / "overrides" / "batch.yaml").write_bytes(content.encode("latin-1"))
    said: list[str] = []
    summary = deidentify(source, tmp_path / "out", KEY, say=said.append)
    assert (summary.n_set_aside, summary.exit_code) == (1, 1)
    assert [line.split(":")[0] for line in said] == ["set aside  overrides/batch.yaml"]
    assert len(read_study(tmp_path / "out" / "study.yaml").overrides) == 3
