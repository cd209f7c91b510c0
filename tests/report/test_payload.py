from __future__ import annotations

from dataclasses import replace

import fake_trial
import pandas as pd
import pytest

from il2cyto.errors import TableError
from il2cyto.report import Arm, ReportInputs, Visit
from il2cyto.report.inputs import COUNT_COLUMNS, FAILURE_COLUMNS
from il2cyto.report.labels import list_subjects
from il2cyto.report.payload import page_data
from il2cyto.report.pictures import PictureIndex, TubeSummary


def counts(*lines):
    """One line: subject, arm, visit, name, cells/µL, status."""
    rows = []
    for subject, arm, visit, name, value, status in lines:
        row = dict.fromkeys(COUNT_COLUMNS, "")
        row |= {
            "subject": subject,
            "arm": arm,
            "visit": visit,
            "strategy": "s",
            "population": f"root/{name}",
            "name": name,
        }
        row |= {
            "tube_id": f"{subject}-{visit}",
            "cells_per_ul": value,
            "lower": None,
            "upper": None,
            "cv": None,
            "count": 10,
        }
        row |= {
            "parent_count": 20,
            "percent_parent": 50.0,
            "below_lloq": False,
            "status": status,
            "reason": "why" if status != "estimated" else "",
        }
        rows.append(row)
    return pd.DataFrame(rows)


def inputs(table, **changes):
    values = {
        "study_id": "S",
        "title": "T",
        "registry": "",
        "arms": (Arm("A", "Active"), Arm("C", "Control", reference=True)),
        "visits": (Visit("V2", "Week 2", 2), Visit("V1", "Baseline", 1)),
        "counts": table,
        "visit_counts": table,
        "failures": pd.DataFrame(columns=list(FAILURE_COLUMNS)),
        "missing_visits": pd.DataFrame({"subject": ["P3"], "arm": ["A"], "visit": ["V2"]}),
    }
    return ReportInputs(**(values | changes))


def indexed(*tube_ids):
    return PictureIndex({tube_id: TubeSummary(block) for block, tube_id in enumerate(tube_ids)})


TABLE = counts(
    ("P2", "C", "V1", "Treg", 4.0, "estimated"),
    ("P1", "A", "V2", "Treg", 0.0, "estimated"),
    ("P1", "A", "V1", "Treg", 16.0, "estimated"),
    ("P3", "A", "V1", "Treg", float("nan"), "not_estimable"),
    ("P1", "A", "V1", "scatter", float("nan"), "estimated"),
)


def test_rows_by_hand():
    data = page_data(inputs(TABLE), PictureIndex())
    assert [visit["id"] for visit in data["visits"]] == ["V1", "V2"]
    assert data["subjects"] == [["P1", 0, ""], ["P3", 0, ""], ["P2", 1, ""]]
    assert data["missing"] == [[1, 1]]
    (treg,) = data["populations"]  # a population without any absolute count is not offered
    assert [row[:3] for row in treg["rows"]] == [[0, 0, 16], [0, 1, 0], [1, 0, None], [2, 0, 4]]
    assert [row[11] for row in treg["rows"]] == [0, 0, 1, 0]
    assert data["texts"][treg["rows"][2][12]] == "why"
    # arm, visit, n, zeros, geometric mean, lower, upper, median
    assert treg["summary"] == [
        [0, 0, 1, 0, 16, None, None, 16],
        [0, 1, 1, 1, None, None, None, 0],
        [1, 0, 1, 0, 4, None, None, 4],
    ]


def test_the_order_of_rows_does_not_matter():
    first = page_data(inputs(TABLE), PictureIndex())
    turned = page_data(inputs(TABLE.iloc[[1, 0, 2, 4, 3]].reset_index(drop=True)), PictureIndex())
    assert first["subjects"] == turned["subjects"]
    assert [row[:12] for row in first["populations"][0]["rows"]] == [
        row[:12] for row in turned["populations"][0]["rows"]
    ]
    assert first["populations"][0]["summary"] == turned["populations"][0]["summary"]


def test_default_population():
    table = pd.concat([TABLE, counts(("P1", "A", "V1", "B", 5.0, "estimated"))], ignore_index=True)
    assert page_data(inputs(table), PictureIndex())["default"] == 0
    assert page_data(inputs(table, default_population="s/root/B"), PictureIndex())["default"] == 1
    assert page_data(inputs(table, default_population="s/unknown"), PictureIndex())["default"] == 0


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(TableError, match=r"visit counts: two rows for P2, V1, s, root/Treg"):
        inputs(pd.concat([TABLE, TABLE.iloc[[0]]], ignore_index=True))
    with pytest.raises(TableError, match="counts: the report needs the columns cv, flags"):
        inputs(TABLE.drop(columns=["cv", "flags"]))
    with pytest.raises(TableError, match=r"visit counts, arm = 'X': the study has A, C"):
        inputs(TABLE.assign(arm="X"))
    with pytest.raises(TableError, match=r"missing visits, visit = 'V9': the study has V2, V1"):
        inputs(TABLE, missing_visits=pd.DataFrame({"subject": ["P3"], "arm": ["A"], "visit": ["V9"]}))


def test_failed_tubes_are_listed_with_their_message():
    trial = fake_trial.make_inputs(with_plots=False)
    data = page_data(trial, PictureIndex())
    failed = [tube for tube in data["tubes"] if tube["failure"]]
    assert [(tube["id"], tube["block"]) for tube in failed] == [("P009-W12-TREG", -1), ("P011-W24-NK", -1)]
    assert len(data["tubes"]) == 69 + 2
    assert len(list_subjects(trial)) == 12
    only = replace(trial, plots=(), failures=trial.failures.iloc[:0])
    assert not any(tube["failure"] for tube in page_data(only, PictureIndex())["tubes"])


def test_summed_tubes_keep_their_own_pictures():
    table = counts(("P1", "A", "V1", "Treg", 4.0, "estimated")).assign(tube_id="T1+T2", n_tubes=2)
    tubes = page_data(inputs(table), indexed("T1", "T2"))["tubes"]
    assert [(tube["id"], tube["subject"], tube["visit"], tube["block"]) for tube in tubes] == [
        ("T1", "P1", 0, 0),
        ("T2", "P1", 0, 1),
    ]
    # an id of its own with a plus in it stays whole
    assert [tube["id"] for tube in page_data(inputs(table), indexed("T1+T2"))["tubes"]] == ["T1+T2"]


def test_a_subject_without_any_result_is_listed():
    failures = pd.DataFrame(
        [{**dict.fromkeys(FAILURE_COLUMNS, ""), "severity": "failure", "subject": "P9", "visit": "V1"}]
    )
    trial = inputs(TABLE, failures=failures.assign(message="cut short"))
    assert list_subjects(trial)[-1] == ("P9", "", "")
    assert page_data(trial, PictureIndex())["failed"] == [
        [3, 0, page_data(trial, PictureIndex())["texts"].index("cut short")]
    ]
    everyone = pd.DataFrame({"subject": ["P9", "P8"], "arm": ["C", "A"], "diagnosis": ["SLE", ""]})
    assert ("P9", "C", "SLE") in list_subjects(inputs(TABLE, failures=failures, subjects=everyone))


def test_what_stands_apart_is_shown_and_not_summarised():
    table = TABLE.assign(apart=(TABLE["subject"] == "P2") & (TABLE["visit"] == "V1"))
    plain, data = (page_data(inputs(one), PictureIndex())["populations"][0] for one in (TABLE, table))
    assert data["rows"] == plain["rows"]
    # arm, visit, n …: the one value of the control arm is left out
    assert [row[:3] for row in plain["summary"]] == [[0, 0, 1], [0, 1, 1], [1, 0, 1]]
    assert [row[:3] for row in data["summary"]] == [[0, 0, 1], [0, 1, 1]]
