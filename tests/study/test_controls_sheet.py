"""The controls sheet: what it says, and every fault of it at once."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from datetime import date
from pathlib import Path

from il2cyto.steps.cells import changes, sheet_cells
from il2cyto.study.model import ControlRecord

CONTROLS = """\
control_id,kind,tube,marker,channel,batch,instrument,acquired,fcs,comment
S1-TREG-FMO-CD25,fmo,TREG,CD25,B530-A,S1,Aurora-1,2021-03-01,c1.fcs,
S1-TREG-CD25,single_stain,TREG,CD25,,S1,Aurora-1,2021-03-01,c2.fcs,beads ran out
S1-unstained,unstained,TREG,,,S1,,,c3.fcs,
S1-donor,donor,TBNK,,,,,,sub/c4.fcs,
"""


def with_controls(folder, text=CONTROLS, more=""):
    folder.sheets["controls"] = text
    return folder.replace("serum: serum.csv\n", f"serum: serum.csv\ncontrols: controls.csv\n{more}")


def test_a_study_without_the_sheet_has_no_controls_and_learns(folder):
    study = folder.read()
    assert study.controls == ()
    assert study.learn_gates is True
    assert "controls" not in study.sha256


def test_what_the_sheet_says(folder):
    study = with_controls(folder).read()
    root = study.data_root
    batch = ("S1", "Aurora-1", date(2021, 3, 1))
    assert study.controls == (
        ControlRecord("S1-TREG-FMO-CD25", "fmo", "TREG", "CD25", "B530-A", *batch, root / "c1.fcs", "c1.fcs", 2),
        ControlRecord("S1-TREG-CD25", "single_stain", "TREG", "CD25", None, *batch, root / "c2.fcs", "c2.fcs", 3),
        ControlRecord("S1-unstained", "unstained", "TREG", None, None, "S1", None, None, root / "c3.fcs", "c3.fcs", 4),
        ControlRecord("S1-donor", "donor", "TBNK", None, None, None, None, None, root / "sub/c4.fcs", "sub/c4.fcs", 5),
    )  # fmt: skip
    assert study.files["controls"] == "controls.csv"
    assert study.sha256["controls"] == hashlib.sha256(CONTROLS.encode()).hexdigest()
    assert pickle.loads(pickle.dumps(study)).controls == study.controls


def test_whether_gates_are_learnt(folder):
    assert folder.replace("serum: serum.csv\n", "serum: serum.csv\ngates: {learn: false}\n").read().learn_gates is False
    assert folder.replace("learn: false", "learn: true").read().learn_gates is True
    folder.replace("learn: true", "lern: true")
    (problem,) = folder.problems()
    assert (problem.where, problem.line) == ("gates.lern", 25)
    assert "did you mean 'learn'?" in problem.message
    folder.replace("lern: true", "learn: maybe")
    (problem,) = folder.problems()
    assert (problem.file, problem.where, problem.value) == ("study.yaml", "gates.learn", "maybe")


FAULTY = """\
control_id,kind,tube,marker,channel,batch,instrument,acquired,fcs
S1 FMO,fmo,TREG,CD25,,S1,,,c1.fcs
S1-a,fmo,TREG,,,S1,,,c2.fcs
S1-b,single_stian,TREGS,CD25,,S1,,,c3.fcs
S1-c,unstained,TREG,CD25,,S/1,,,c4.fcs
s1-C,donor,TREG,,,S1,,01/02/2021,c5.fcs
A-BL-TBNK,donor,TREG,,,S1,,,../c6.fcs
S1-d,donor,TREG,,,S1,,,c5.fcs
S1-e,donor,TREG,,,S1,,,a1.fcs
,,,,,,,,c9.fcs
"""


def test_every_fault_is_told_at_once(folder):
    problems = [
        (one.line, one.where, one.value, one.message) for one in with_controls(folder, FAULTY).problems()
        if one.file == "controls.csv"
    ]  # fmt: skip
    told = {(line, where, value) for line, where, value, _ in problems}
    assert told == {
        (2, "control_id", "S1 FMO"), (3, "marker", ""), (4, "kind", "single_stian"), (4, "tube", "TREGS"),
        (5, "marker", "CD25"), (5, "batch", "S/1"), (6, "control_id", "s1-C"), (6, "acquired", "01/02/2021"),
        (7, "control_id", "A-BL-TBNK"), (7, "fcs", "../c6.fcs"), (8, "fcs", "c5.fcs"), (9, "fcs", "a1.fcs"),
        (10, "control_id", ""), (10, "kind", ""), (10, "tube", ""),
    }  # fmt: skip
    messages = {(line, where): message for line, where, _, message in problems}
    assert messages[3, "marker"] == "kind 'fmo' needs this cell; write the marker whose stain is left out"
    assert "did you mean 'single_stain'?" in messages[4, "kind"]
    assert "did you mean 'TREG'?" in messages[4, "tube"]
    assert messages[5, "marker"] == (
        "kind 'unstained' is of no single marker; leave this cell blank or correct the kind"
    )
    assert messages[6, "control_id"] == "line 5 has the same control_id; give each control its own"
    assert messages[7, "control_id"] == (
        "line 2 of the samples sheet has a tube of this name; give the control another"
    )
    assert messages[8, "fcs"] == "line 6 has the same fcs; each file is one control; correct one of the names"
    assert messages[9, "fcs"] == (
        "line 2 of the samples sheet has this file; a tube is a sample or a control, correct one of the two names"
    )


def test_columns_and_file_are_checked(folder):
    with_controls(folder, CONTROLS.replace("control_id,kind", "control,kynd"))
    assert {one.where for one in folder.problems()} >= {"control", "kynd", "control_id", "kind"}
    del folder.sheets["controls"]
    (folder.path / "controls.csv").unlink()
    (problem,) = folder.problems()
    assert (problem.file, problem.where, problem.value) == ("study.yaml", "controls", "controls.csv")


def test_what_is_only_noted(folder):
    with_controls(folder, CONTROLS.replace("TREG,,,S1,,,c3", "TREG,,,S11,,,c3"))
    found = [one for one in folder.inspect().notices if one.file == "controls.csv"]
    assert [(one.line, one.where, one.value) for one in found] == [
        (2, "fcs", "c1.fcs"), (3, "fcs", "c2.fcs"), (4, "fcs", "c3.fcs"), (4, "batch", "S11"), (5, "fcs", "sub/c4.fcs"),
    ]  # fmt: skip
    assert found[0].message == ("no FCS file is there; the control will be left out. Correct the name or the data root")
    assert found[3].message == "no tube of the samples sheet is of this batch (did you mean 'S1'?)"


def test_the_audit_log_tells_cells_of_controls(folder):
    study = with_controls(folder).read()
    cells = sheet_cells(study)["controls"]
    assert cells.columns == (
        "control_id", "kind", "tube", "marker", "channel", "batch", "instrument", "acquired", "fcs_name",
    )  # fmt: skip
    assert cells.rows[0] == (
        "S1-TREG-FMO-CD25", "fmo", "TREG", "CD25", "(withheld)", "S1", "Aurora-1", "2021-03-01", "(withheld)",
    )  # fmt: skip
    other = replace(study, controls=(*study.controls[:3], replace(study.controls[3], batch="S1", fcs=Path("x"))))
    assert changes("controls", cells, sheet_cells(other)["controls"]) == [
        {"row": "S1-donor", "column": "batch", "before": None, "after": "S1"}
    ]
