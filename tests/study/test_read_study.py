"""A valid study, read."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import FrozenInstanceError, fields
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from il2cyto.errors import StudyError
from il2cyto.study import (
    Arm,
    CountSpec,
    ErrorModel,
    FrozenMapping,
    Limits,
    StrategyRef,
    Subject,
    Visit,
    check_study,
    read_study,
)


def test_every_part_of_a_study_is_read(folder):
    study = folder.read()
    root = folder.path.resolve()
    assert (study.id, study.title, study.registry, study.description) == ("DEMO", "A small study", "NCT04397107", None)
    assert study.assumptions == ("Samples are drawn before the dose.",)
    assert (study.folder, study.data_root) == (root, root)
    assert list(study.arms.values()) == [
        Arm("IL2", "Low-dose IL-2", False, ("BL", "M1")),
        Arm("STD", "Standard therapy", True, ("BL", "M1", "M3")),
    ]
    assert list(study.visits.values()) == [
        Visit("BL", "Baseline", 0, True, 1, (-28, 1)),
        Visit("M1", "Month 1", 1, False, 30, (2, 60)),
        Visit("M3", "Month 3", 2, False, None, None),
    ]
    assert study.tubes["TREG"].strategy == StrategyRef("study", root / "gating/treg", "gating/treg")
    assert study.tubes["TREG"].panel == root / "gating/treg/aurora.csv"
    assert study.tubes["TREG"].count == CountSpec("chained", None, "CD4", "TBNK", "CD4", None)
    assert study.tubes["TBNK"].count == CountSpec("beads", beads="beads")
    assert study.tubes["CELLS"].strategy == StrategyRef("data", root / "workspace.xml", "data:workspace.xml")
    assert study.tubes["PBMC"].count == CountSpec("dual", denominator="lympho")
    assert study.percent_of == ("CD4", "live")
    assert study.limits == Limits(50, 10, 500)
    assert study.errors == ErrorModel(0.03, 0.01, 0.05, 0.02)
    assert study.model_populations == ("CD4", "Treg")
    assert (study.baseline, study.reference_arm) == ("BL", "STD")
    assert dict(study.subjects) == {"A": Subject("A", "IL2", "SLE", "F"), "B": Subject("B", "STD", "JIA", "M")}
    assert study.notices == ()


def test_a_row_becomes_a_record(folder):
    first, treg, _, cells, pbmc, pct = folder.read().records
    assert (first.tube_id, first.subject, first.visit, first.line) == ("A-BL-TBNK", "A", "BL", 2)
    assert (first.beads_per_test, first.bead_lot, first.blood_volume_ul) == (51230.0, "L1", 50.0)
    assert (first.batch, first.instrument, treg.batch, treg.instrument) == ("S1", "Aurora-1", None, None)
    assert first.collection_date == date(2021, 3, 1)
    assert first.age == 4383 / 365.25
    assert (first.fcs, first.fcs_name) == (folder.path.resolve() / "a1.fcs", "a1.fcs")
    assert (first.route, first.repeat, first.comment, first.volume, first.volume_ul) == (
        "beads",
        None,
        None,
        None,
        None,
    )
    assert (treg.panel, treg.strategy.text) == (folder.path.resolve() / "gating/treg/aurora.csv", "gating/treg")
    assert (cells.volume, cells.volume_unit, cells.volume_ul, cells.dilution) == (25.0, "uL", 25.0, 2.0)
    assert (pbmc.alc_per_ul, pbmc.age) == (1480.0, 11.5)
    assert (pct.route, pct.line) == ("none", 7)


def test_the_defaults_are_those_of_the_documentation(folder):
    folder.replace("limits: {lloq_events: 50, lod_events: 10, min_beads: 500}\n", "")
    folder.replace("errors: {cv_pipetting: 0.03, cv_lot: 0.01, cv_volume: 0.05, cv_alc: 0.02}\n", "")
    folder.replace("percent_of: [CD4, live]\n", "").replace("model: {populations: [CD4, Treg]}\n", "model:\n")
    folder.replace("dosing: dosing.csv\nserum: serum.csv\n", "")
    study = folder.read()
    assert study.limits == Limits(100, 20, 1000)
    assert study.errors == ErrorModel(0.025, 0.02, 0.03, 0.04)
    assert (study.percent_of, study.model_populations, study.treatments) == ((), (), ())
    assert list(study.dosing.columns) == ["subject", "date", "dose", "unit", "route", "treatment", "time"]
    assert (len(study.dosing), len(study.serum)) == (0, 0)


def test_a_row_overrides_its_tube_type(folder):
    folder.replace("count: {route: none}", "count: {route: none, denominator: live}")
    for column, value in {"route": "dual", "alc_per_ul": "900", "strategy": "gating/treg"}.items():
        folder.cell(7, column, value)
    record = folder.cell(7, "panel", "gating/treg/aurora.csv").read().records[5]
    assert record.count == CountSpec("dual", denominator="live")
    assert (record.strategy.text, record.panel.name) == ("gating/treg", "aurora.csv")


def test_the_volume_may_come_from_the_fcs_file(folder):
    record = folder.cell(5, "volume", "").cell(5, "volume_unit", "file_nL").read().records[3]
    assert (record.volume, record.volume_unit, record.volume_ul) == (None, "file_nL", None)


@pytest.mark.parametrize(("unit", "microlitres"), [("nL", 0.025), ("uL", 25.0), ("mL", 25000.0)])
def test_volumes_are_given_in_three_units(folder, unit, microlitres):
    assert folder.cell(5, "volume_unit", unit).read().records[3].volume_ul == microlitres


def test_expected_and_missing_visits(folder):
    study = folder.read()
    assert study.expected_visits("A") == ("BL", "M1")
    assert study.expected_visits("B") == ("BL", "M1", "M3")
    expected = pd.DataFrame([("B", "STD", "M1")], columns=["subject", "arm", "visit"], dtype=object)
    pd.testing.assert_frame_equal(study.missing_visits(), expected)


def test_expected_visits_stand_in_the_order_of_the_study(folder):
    assert folder.replace("visits: [BL, M1]", "visits: [M1, BL]").read().expected_visits("A") == ("BL", "M1")


def test_the_sheets_are_tables(folder):
    study = folder.read()
    assert study.dosing.to_dict("records") == [
        {"subject": "A", "date": date(2021, 3, day), "dose": 0.5, "unit": "MIU/m2", "route": "subcutaneous",
         "treatment": "rhIL-2", "time": None}
        for day in (1, 2)
    ]  # fmt: skip
    assert study.serum.to_dict("records") == [
        {"subject": "A", "visit": "BL", "analyte": "IL-6", "value": "<2.4", "unit": "pg/mL", "lloq": "2.4",
         "uloq": "5000", "collection_date": date(2021, 3, 1)},
        {"subject": "B", "visit": "BL", "analyte": "sCD25", "value": "412", "unit": "U/mL", "lloq": None, "uloq": None,
         "collection_date": None},
    ]  # fmt: skip


def test_changing_a_table_changes_no_study(folder):
    study = folder.read()
    table = study.dosing
    table["dose"] = 99.0
    assert study.dosing["dose"].tolist() == [0.5, 0.5]


def test_the_hash_is_that_of_the_bytes(folder):
    study = folder.read()
    assert dict(study.sha256) == {
        role: hashlib.sha256((folder.path / name).read_bytes()).hexdigest() for role, name in study.files.items()
    }
    assert dict(study.files) == {
        "study": "study.yaml", "samples": "samples.csv", "dosing": "dosing.csv", "serum": "serum.csv",
    }  # fmt: skip


def test_a_study_survives_pickling(folder):
    study = folder.read()
    again = pickle.loads(pickle.dumps(study))
    for field in fields(study):
        assert getattr(again, field.name) == getattr(study, field.name)


def test_a_study_cannot_be_changed(folder):
    study = folder.read()
    with pytest.raises(FrozenInstanceError):
        study.id = "OTHER"
    with pytest.raises(TypeError):
        study.visits["M9"] = study.visits["BL"]
    with pytest.raises(AttributeError, match="read-only"):
        study.visits._data = {}


def test_a_frozen_mapping_equals_what_it_was_made_of():
    data = {"b": 1, "a": 2}
    mapping = FrozenMapping(data)
    data["c"] = 3
    assert mapping == {"b": 1, "a": 2}
    assert list(mapping) == ["b", "a"]
    assert repr(mapping) == "FrozenMapping({'b': 1, 'a': 2})"


def test_no_date_of_birth_is_kept(folder):
    study = folder.read()
    packed = pickle.dumps(study)
    assert bytes([2021 // 256, 2021 % 256, 3, 1]) in packed
    assert bytes([2009 // 256, 2009 % 256, 3, 1]) not in packed
    assert repr(date(2021, 3, 1)) in repr(study)
    assert repr(date(2009, 3, 1)) not in repr(study)
    assert "2009-03-01" not in repr(study)


def test_the_order_of_rows_changes_only_the_order(folder):
    first = folder.read()
    header, *rows = folder.sheets["samples"].splitlines()
    folder.sheets["samples"] = "\n".join([header, *reversed(rows)]) + "\n"
    second = folder.read()
    assert [r.tube_id for r in second.records] == [r.tube_id for r in reversed(first.records)]
    assert dict(second.subjects) == dict(first.subjects)
    assert second.missing_visits().equals(first.missing_visits())


class TestDataRoot:
    def test_it_may_lie_beside_the_study(self, folder):
        study_folder = folder.path / "study"
        study_folder.mkdir()
        (folder.path / "gating").rename(study_folder / "gating")
        folder.path = study_folder
        study = folder.replace("title:", "data_root: ..\ntitle:").read()
        assert study.data_root == study_folder.resolve().parent
        assert study.notices == ()

    def test_the_argument_overrides_the_key(self, folder, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        (other / "workspace.xml").write_text("<gating/>")
        (other / "a1.fcs").write_bytes(b"FCS3.1")
        inspection = folder.replace("title:", "data_root: gating\ntitle:").inspect(data_root=other)
        assert inspection.study.data_root == other.resolve()
        assert [notice.value for notice in inspection.notices] == ["a2.fcs", "a3.fcs", "b1.fcs", "b2.fcs", "b3.fcs"]

    @pytest.mark.parametrize("text", ["/data", "nowhere", "a\\b"])
    def test_a_wrong_key(self, folder, text):
        problems = folder.replace("title:", f"data_root: {text}\ntitle:").problems()
        assert [(p.file, p.line, p.where, p.value) for p in problems if p.where == "data_root"] == [
            ("study.yaml", 2, "data_root", text)
        ]
        assert "--data-root" in str(problems[0])

    def test_a_wrong_argument(self, folder):
        problem = folder.inspect(data_root=folder.path / "nowhere").problems[0]
        assert (problem.file, problem.value) == ("--data-root", str(folder.path / "nowhere"))
        assert "FCS paths" in problem.message


def test_a_study_that_is_not_there(tmp_path: Path):
    with pytest.raises(StudyError, match=r"study\.yaml: no file is there; give the path of study\.yaml"):
        read_study(tmp_path / "study.yaml")
    assert len(check_study(tmp_path)) == 1


def test_checking_changes_nothing_and_agrees_with_reading(folder):
    path = folder.cell(2, "arm", "IL-2").write()
    before = sorted(folder.path.rglob("*"))
    problems = check_study(path)
    assert sorted(folder.path.rglob("*")) == before
    with pytest.raises(StudyError) as caught:
        read_study(path)
    assert caught.value.problems == problems


def test_reading_imports_no_numerics(folder):
    import subprocess
    import sys

    code = (
        "import sys; from il2cyto.study import read_study; "
        f"read_study({str(folder.write())!r}); print(sorted({{'pandas', 'numpy', 'numba'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
