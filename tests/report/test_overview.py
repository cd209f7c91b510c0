"""The grid of subjects, visits and tubes by hand: a failed tube, a missing one, a missing visit, a repeat, a flag."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from test_payload import counts, inputs

from il2cyto.report.inputs import FAILURE_COLUMNS
from il2cyto.report.labels import list_subjects, ordered_visits
from il2cyto.report.overview import arm_rows, completeness, find_losses, sheet_rows

SHEET = pd.DataFrame(
    [
        ("P1-V1-X", "P1", "A", "V1", "X"),
        ("P1-V1-Y", "P1", "A", "V1", "Y"),
        ("P1-V2-X", "P1", "A", "V2", "X"),
        ("P1-V2-Y", "P1", "A", "V2", "Y"),
        ("P2-V1-X", "P2", "C", "V1", "X"),
        ("P2-V2-Xa", "P2", "C", "V2", "X"),
        ("P2-V2-Xb", "P2", "C", "V2", "X"),
        ("P2-V2-Y", "P2", "C", "V2", "Y"),
        ("P2-V2-Z", "P2", "C", "V2", "Z"),
        ("P4-V2-X", "P4", "C", "V2", "X"),
    ],
    columns=["tube_id", "subject", "arm", "visit", "tube"],
)


def table():
    lines = [
        (tube_id, subject, arm, visit, tube, name)
        for tube_id, subject, arm, visit, tube in SHEET.itertuples(index=False)
        for name in {"X": ("CD4",), "Y": ("Treg", "Tconv"), "Z": ("B",)}[tube]
        if tube_id not in ("P1-V2-X", "P2-V2-Xb")
    ]
    made = counts(*[(subject, arm, visit, name, 5.0, "estimated") for _, subject, arm, visit, _, name in lines])
    made["tube_id"] = [line[0] for line in lines]
    made["tube"] = [line[4] for line in lines]
    made["strategy"] = made["tube"].str.lower()
    # Y is chained to X, whose tube has failed at this visit
    lost = made["tube_id"] == "P1-V2-Y"
    made.loc[lost, ["cells_per_ul", "lower", "upper"]] = float("nan")
    made.loc[lost, "reason"] = "chained parent CD4 of X is not there"
    made.loc[made["tube_id"] == "P2-V1-X", "flags"] = "few_beads"
    made.loc[made["tube_id"] == "P1-V1-X", "flags"] = "below_lloq;below_lod"
    return made


def study():
    failures = pd.DataFrame(
        [
            {
                **dict.fromkeys(FAILURE_COLUMNS, ""), "severity": "failure", "tube_id": tube_id, "subject": tube_id[:2],
                "visit": "V2", "message": f"{tube_id}: cut short",
            }
            for tube_id in ("P1-V2-X", "P2-V2-Xb")
        ]
    )  # fmt: skip
    return inputs(table(), tubes=SHEET, failures=failures)


def signs(made):
    grid = completeness(made, ordered_visits(made), list_subjects(made))
    return grid, {
        line.subject: ["".join(cell.sign for cell in cells) for cells in line.visits]
        for _, _, lines in grid.arms
        for line in lines
    }


def test_signs_by_hand():
    grid, found = signs(study())
    assert grid.tubes == ("X", "Y", "Z")
    assert found == {
        "P1": ["●●·", "✕●·"],
        # V1: half of those seen have Y; V2: two of three have Y, one has Z
        "P2": ["▲○·", "✕2●●"],
        "P3": ["···", "––·"],
        "P4": ["···", "●○·"],
    }
    assert grid.failed == (("P1-V2-X", "cut short"), ("P2-V2-Xb", "cut short"))
    assert grid.numbers == {"good": 7, "flagged": 1, "failed": 2, "no-tube": 2, "no-visit": 2, "unplanned": 11}
    assert [label for _, label, _ in grid.arms] == ["Active", "Control"]


def test_arms_by_hand():
    made = study()
    grid = completeness(made, ordered_visits(made), list_subjects(made))
    active, control = arm_rows(made, ordered_visits(made), grid)
    assert (active.n_subjects, active.at_visits, active.n_tubes) == (2, (1, 1), 4)
    assert (control.n_subjects, control.at_visits, control.n_tubes) == (2, (1, 2), 6)
    assert control.reference
    assert not active.reference


def test_losses_name_populations_and_reasons():
    made = study()
    grid = completeness(made, ordered_visits(made), list_subjects(made))
    losses = [
        (loss.subject, loss.visit, loss.tube, loss.why, loss.populations)
        for loss in find_losses(made, ordered_visits(made), grid)
    ]
    assert losses == [
        ("P1", "Week 2", "X", "cut short", ("CD4",)),
        ("P1", "Week 2", "Y", "chained parent CD4 of X is not there", ("Treg", "Tconv")),
        ("P2", "Baseline", "Y", "the samples sheet has no row for it", ("Treg", "Tconv")),
        ("P2", "Week 2", "X", "cut short", ("CD4",)),
        ("P4", "Week 2", "Y", "the samples sheet has no row for it", ("Treg", "Tconv")),
    ]


def test_without_a_sheet_the_tables_tell_the_tubes():
    made = replace(study(), tubes=None)
    assert {row.tube_id for row in sheet_rows(made)} == set(SHEET["tube_id"])


def test_a_gated_tube_with_a_notice_is_marked():
    notice = {**dict.fromkeys(FAILURE_COLUMNS, ""), "severity": "notice", "tube_id": "P1-V1-Y", "message": "odd"}
    made = study()
    made = replace(made, failures=pd.concat([made.failures, pd.DataFrame([notice])], ignore_index=True))
    assert signs(made)[1]["P1"][0] == "●▲·"
