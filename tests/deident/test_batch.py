from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_study import Fcs, Planted

from il2cyto.deident import Key, deidentify, scan
from il2cyto.deident.folders import CONSTANT_TIME
from il2cyto.deident.mapping import read_map
from il2cyto.derive.visits import visit_table
from il2cyto.errors import OutputError, StudyError
from il2cyto.fcs import open_datasets, read_fcs, write_fcs
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

KEY = Key(bytes(range(32)))
OTHER = Key(bytes(range(1, 33)))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Planted().write(tmp_path / "in")


@pytest.fixture
def readable(tmp_path: Path) -> Path:
    """The study without the column that its reader does not know."""
    return without_hospital(Planted()).write(tmp_path / "in")


def without_hospital(study: Planted) -> Planted:
    study.sheets["samples"] = [row[:-1] for row in study.sheets["samples"]]
    return study


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_study_keeps_its_days_and_counts(readable: Path, tmp_path: Path) -> None:
    source = readable
    summary = deidentify(source, tmp_path / "out", KEY)
    assert summary.exit_code == 0
    before, after = read_study(source / "study.yaml"), read_study(tmp_path / "out" / "study.yaml")
    old, new = visit_table(before), visit_table(after)
    key = ["ARM", "AVISITN"]
    old, new = (visits.sort_values(key).reset_index(drop=True) for visits in (old, new))
    assert old["ADY"].tolist() == new["ADY"].tolist() == [1, 30, 1, 31]
    assert old["DSLD"].fillna(-1).tolist() == new["DSLD"].fillna(-1).tolist() == [-1, 2, -1, -1]
    assert old["CYCDAY"].fillna(-1).tolist() == new["CYCDAY"].fillna(-1).tolist()
    assert (old["collection_date"] > new["collection_date"]).all()
    assert new["AGE"].tolist() == [12.0, 12.1, 11.5, 11.6]
    counts = []
    for study, name in ((before, "a"), (after, "b")):
        run_study(study, tmp_path / name)
        table = pd.read_csv(tmp_path / name / "counts.csv")
        counts.append(table.sort_values(["arm", "visit_number", "population"]).reset_index(drop=True))
    for column in ("population", "count", "parent_count", "percent_parent", "cells_per_ul", "ady", "days_since_dose"):
        pd.testing.assert_series_equal(counts[0][column], counts[1][column])
    assert counts[0]["count"].notna().all()
    assert counts[0]["count"].min() > 0


def test_names_outside_the_vocabulary_change_everywhere_alike(tmp_path: Path) -> None:
    study = Planted()
    study.texts["panel"] |= {"marker": "SmithX", "channel": "Odd-A"}
    study.texts["strategy"] |= {"marker": "SmithX", "population": "SmithX+ cells", "transform": "smithlogicle"}
    study.texts["study"] |= {"population": "SmithX+ cells", "model": "SmithX+ cells", "percent_of": "SmithX+ cells"}
    source = without_hospital(study).write(tmp_path / "in")
    assert deidentify(source, tmp_path / "out", KEY).exit_code == 0
    after = read_study(tmp_path / "out" / "study.yaml")
    run_study(after, tmp_path / "a")
    run_study(read_study(source / "study.yaml"), tmp_path / "b")
    old, new = (pd.read_csv(tmp_path / name / "counts.csv") for name in ("b", "a"))
    assert sorted(old["count"]) == sorted(new["count"])
    sample = read_fcs(after.records[0].fcs)
    odd = sample.channels[4].pnn
    assert odd.startswith("N-")
    assert sample.spillover is not None
    assert sample.spillover.detectors == ("B525-A", odd)
    assert after.model_populations[0] in set(new["name"])


def test_a_vocabulary_keeps_the_names_that_somebody_signs_for(source: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("signed: A. Nurse, 2026-01-31\nOdd-A\n")
    deidentify(source, tmp_path / "out", KEY, vocabulary=words)
    sample = read_fcs(read_study(tmp_path / "out" / "study.yaml").records[0].fcs)
    assert sample.channels[4].pnn == "Odd-A"
    report = json.loads((tmp_path / "out" / "deidentification.json").read_text())
    assert report["vocabulary_sha256"] == hashlib.sha256(words.read_bytes()).hexdigest()
    assert "Nurse" not in json.dumps(report)
    assert not any(finding.changes for finding in scan(tmp_path / "out", vocabulary=words))


def test_the_same_key_gives_the_same_files_and_another_key_others(source: Path, tmp_path: Path) -> None:
    for name, key in (("a", KEY), ("b", KEY), ("c", OTHER)):
        deidentify(source, tmp_path / name, key)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert not set(hashes(tmp_path / "a").items()) & set(hashes(tmp_path / "c").items()) - {
        item for item in hashes(tmp_path / "c").items() if not item[0].startswith(("fcs", "samples", "dosing"))
    }


def test_nothing_of_the_source_changes_and_no_time_is_told(source: Path, tmp_path: Path) -> None:
    before = hashes(source), [path.stat().st_mtime_ns for path in sorted(source.rglob("*"))]
    deidentify(source, tmp_path / "out", KEY)
    assert before == (hashes(source), [path.stat().st_mtime_ns for path in sorted(source.rglob("*"))])
    assert {path.stat().st_mtime for path in (tmp_path / "out").rglob("*")} == {CONSTANT_TIME}


def test_the_report_tells_what_and_never_the_value(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    deidentify(source, out, KEY)
    report = json.loads((out / "deidentification.json").read_text())
    files = {entry["file"]: entry for entry in report["files"]}
    fcs = next(entry for name, entry in files.items() if name.startswith("fcs/"))
    assert {"where": "$OP", "action": "dropped", "reason": "identifier", "count": fcs["data_sets"]} in fcs["changes"]
    assert fcs["sha256"] == hashlib.sha256((out / fcs["file"]).read_bytes()).hexdigest()
    assert fcs["data_sha256"][0] in {hashlib.sha256(Fcs(seed).data).hexdigest() for seed in range(4)}
    text = (out / "deidentification.json").read_text() + (out / "deidentification.csv").read_text()
    for secret in ("characters", "Windows", "0815", "KID-A", "a1.fcs", *hashes(source).values()):
        assert secret not in text
    rows = list(csv.DictReader((out / "deidentification.csv").read_text().splitlines()))
    assert {row["file"] for row in rows} == set(files)
    dropped = {row["where"] for row in rows if row["file"] == "samples.csv"}
    assert {"column comment", "column birth_date"} <= dropped


def test_one_bad_file_does_not_stop_the_others(source: Path, tmp_path: Path) -> None:
    (source / "raw" / "a2.fcs").write_bytes(b"FCS3.1    rubbish of Smith")
    (source / "raw" / "Smith.fcs").write_bytes(b"")
    said: list[str] = []
    summary = deidentify(source, tmp_path / "out", KEY, say=said.append)
    assert (summary.n_set_aside, summary.exit_code) == (2, 1)
    assert any(line.startswith("set aside  raw/Smith.fcs: ") for line in said)
    assert len(list((tmp_path / "out").rglob("*.fcs"))) == 3
    report = (tmp_path / "out" / "deidentification.csv").read_text()
    assert report.count("set aside: FcsError") == 2
    assert "Smith" not in report


def test_a_sheet_row_that_is_wrong_is_withheld_and_the_study_still_loads(tmp_path: Path) -> None:
    study = Planted()
    study.sheets["samples"][2][2] = "Smith's arm"
    study.sheets["dosing"][1][0] = "Smith"
    source = study.write(tmp_path / "in")
    summary = deidentify(source, tmp_path / "out", KEY)
    assert summary.exit_code == 0
    assert len(read_study(tmp_path / "out" / "study.yaml").records) == 3
    assert "a row that the study's reader refuses,withheld" in (tmp_path / "out" / "deidentification.csv").read_text()


def test_a_wrong_study_writes_nothing(tmp_path: Path) -> None:
    study = Planted()
    study.texts["study"]["registry"] = "]["
    with pytest.raises(StudyError):
        deidentify(study.write(tmp_path / "in"), tmp_path / "out", KEY)
    assert not (tmp_path / "out").exists()


def test_files_without_a_study_lose_their_dates(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.fcs").write_bytes(Fcs(1).data_set(False))
    (tmp_path / "in" / "two.001").write_bytes(Fcs(2).data_set(True) + Fcs(2).data_set(False))
    assert deidentify(tmp_path / "in", tmp_path / "out", KEY).n_written == 2
    sets = [data_set for path in (tmp_path / "out" / "fcs").iterdir() for data_set in open_datasets(path)]
    assert len(sets) == 3
    for data_set in sets:
        assert "$DATE" not in data_set.keywords
        assert data_set.keywords["$ETIM"] == "00:02:30"
    assert deidentify(tmp_path / "in" / "one.fcs", tmp_path / "single", KEY).n_written == 1


def test_every_type_keeps_its_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    (tmp_path / "in").mkdir()
    for place, kind in enumerate(("<f4", "<f8", "<u2", "<u4")):
        write_fcs(rng.integers(0, 60_000, (50, 3)).astype(kind), tmp_path / "in" / f"{place}.fcs",
                  channels=["FSC-A", "CD4", "Time"], timestep=0.01)  # fmt: skip
    assert deidentify(tmp_path / "in", tmp_path / "out", KEY).exit_code == 0
    old = {read_fcs(path).data.tobytes(): read_fcs(path).events for path in (tmp_path / "in").iterdir()}
    new = {read_fcs(path).data.tobytes(): read_fcs(path).events for path in (tmp_path / "out" / "fcs").iterdir()}
    assert old.keys() == new.keys()
    for content, events in old.items():
        np.testing.assert_array_equal(events, new[content])


def test_links_out_of_the_folder_are_not_followed(source: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "x.fcs").write_bytes(Fcs(9).data_set(False))
    (source / "raw" / "link.fcs").symlink_to(outside / "x.fcs")
    (source / "linked").symlink_to(outside)
    (source / "raw" / "inside.fcs").symlink_to(source / "raw" / "a1.fcs")
    said: list[str] = []
    deidentify(source, tmp_path / "out", KEY, say=said.append)
    assert len(list((tmp_path / "out").rglob("*.fcs"))) == 4
    assert "not followed: 2 links that lead out of the folder" in said


def test_folders_must_lie_apart(source: Path, tmp_path: Path) -> None:
    for out in (source, source / "out", tmp_path):
        with pytest.raises(OutputError):
            deidentify(source, out, KEY)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(OutputError, match="not empty"):
        deidentify(source, tmp_path / "full", KEY)
    (tmp_path / "empty").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "empty")
    with pytest.raises(OutputError, match="not empty"):
        deidentify(source, tmp_path / "way", KEY)
    with pytest.raises(OutputError, match="nothing is there"):
        deidentify(tmp_path / "no", tmp_path / "out", KEY)
    assert not (tmp_path / "out").exists()


def test_key_and_map_stay_out_of_both_folders(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(OutputError, match="the key may not stand"):
        deidentify(source, out, KEY, key_path=out / "key")
    for place in (out, source):
        with pytest.raises(OutputError, match="the map may not stand"):
            deidentify(source, out, KEY, map_path=place / "map.csv")


def test_the_map_says_who_is_who_to_the_key_alone(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "safe" / "map.csv"
    deidentify(source, tmp_path / "out", KEY, map_path=path)
    assert path.stat().st_mode & 0o777 == 0o600
    lines = read_map(path, KEY)
    subject = next(line for line in lines if line.kind == "subject" and line.original == "KID-A")
    assert subject.shift_days == str(KEY.shift("KID-A"))
    assert subject.pseudonym in (tmp_path / "out" / "samples.csv").read_text()
    fcs = next(line for line in lines if line.original == "raw/a1.fcs")
    assert fcs.sha256 == hashes(source)["raw/a1.fcs"]
    # the same key adds to its map
    deidentify(source, tmp_path / "again", KEY, map_path=path)
    assert read_map(path, KEY) == lines
    with pytest.raises(OutputError, match="belongs to key"):
        deidentify(source, tmp_path / "third", OTHER, map_path=path)


@pytest.mark.parametrize("spoil", [
    lambda text: text.replace("KID-A", "KID-C"),
    lambda text: "\n".join(",".join(line.split(",")[:3]) for line in text.splitlines()),
    lambda text: "who,is\na,b\n",
    lambda text: "",
    lambda text: "\n".join(text.splitlines()[:1]),
])  # fmt: skip
def test_a_map_that_the_key_does_not_vouch_for_stops_the_run(source: Path, tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "safe" / "map.csv"
    deidentify(source, tmp_path / "out", KEY, map_path=path)
    path.write_text(spoil(path.read_text()))  # type: ignore[operator]
    with pytest.raises(OutputError, match="does not vouch"):
        deidentify(source, tmp_path / "second", KEY, map_path=path)
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(("name", "content"), [("map.csv", "a,b\n"), ("who.csv", "pseudonym,original\nS-1,Smith\n")])
def test_an_unkeyed_map_beside_the_output_stops_the_run(source: Path, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(OutputError, match="not keyed at all"):
        deidentify(source, tmp_path / "out", KEY)
    assert not (tmp_path / "out").exists()


def test_a_map_of_this_key_beside_the_output_is_no_obstacle(source: Path, tmp_path: Path) -> None:
    deidentify(source, tmp_path / "out", KEY, map_path=tmp_path / "map.csv")
    assert deidentify(source, tmp_path / "again", KEY).exit_code == 0


def test_results_and_other_files_are_not_copied(source: Path, tmp_path: Path) -> None:
    (source / "results").mkdir()
    (source / "results" / "manifest.json").write_text("{}")
    (source / "results" / "counts.csv").write_text("subject,date\nKID-A,2021-03-01\n")
    (source / "letter.pdf").write_bytes(b"Dear Smith")
    summary = deidentify(source, tmp_path / "out", KEY)
    assert summary.n_not_copied == 3
    assert len(list((tmp_path / "out" / "tables").iterdir())) == 1


def test_the_files_may_lie_under_another_root(tmp_path: Path) -> None:
    source = Planted().write(tmp_path / "in")
    (tmp_path / "data").mkdir()
    (source / "raw").rename(tmp_path / "data" / "raw")
    deidentify(source, tmp_path / "out", KEY, data_root=tmp_path / "data")
    assert len(list((tmp_path / "out" / "fcs").iterdir())) == 4


def test_names_of_files_need_not_be_unicode(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in (
        (b"M\xfcller.fcs", Fcs(1).data_set(False)),
        (b"\xd5\xc5.fcs", b"FCS3.1"),
        (b"L\xe9.pdf", b"x"),
    ):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(content)
    said: list[str] = []
    summary = deidentify(folder, tmp_path / "out", KEY, map_path=tmp_path / "safe" / "map.csv", say=said.append)
    assert (summary.n_written, summary.n_set_aside, summary.n_not_copied) == (1, 1, 1)
    assert any("\\udcfcller.fcs" in line.original for line in read_map(tmp_path / "safe" / "map.csv", KEY))
    assert len(scan(folder)) == 3
    for text in said:
        text.encode()
