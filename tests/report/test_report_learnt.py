"""The section of learnt gates, by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd

from il2cyto.report.learnt import summarise_learnt

HEAD = [
    "tube", "gate", "axis", "scope", "method", "gate_status", "position", "position_sd", "batch", "arm", "reason"
]  # fmt: skip
GATES = pd.DataFrame(
    [
        ("NK", "CD56", 0, "batch", "mixture", "estimated", 0.50, 0.01, "B1", "IL2", ""),
        ("NK", "CD56", 0, "batch", "mixture", "estimated", 0.50, 0.01, "B1", "STD", ""),
        ("NK", "CD56", 0, "batch", "mixture", "borrowed", 0.60, 0.02, "B<2>", "IL2", "40 events"),
        ("NK", "CD16", 0, "batch", "valley", "not_estimable", None, None, "B1", "IL2", "no valley & no <peak>"),
        ("NK", "lympho", 0, "tube", "lymphocytes", "template", 0.3, None, "B1", "IL2", "few"),
        ("NK", "lympho", 1, "tube", "lymphocytes", "template", 0.4, None, "B1", "IL2", "few"),
    ],
    columns=HEAD,
)
DRIFT = pd.DataFrame(
    {"tube": ["NK", "NK"], "gate": ["CD56", "lympho"], "axis": [0, 1], "warning": [None, "goes with arm"]}
)
REVIEW = pd.DataFrame(
    {
        "tube_id": ["T1"], "population": ["live/NK/CD56bright"], "percent_parent": [12.3456], "gate_lower": [10.0],
        "gate_upper": [None], "change_percent": [30.0], "gate_status": ["not_estimable"], "gate_source": ["study"],
        "why": ["borrowed from a wider unit"],
    }
)  # fmt: skip


def test_states_positions_and_queue() -> None:
    section = summarise_learnt(GATES, DRIFT, REVIEW, ["IL2", "STD"])
    assert section is not None
    assert section.summary.columns[4:] == ("not estimable", "template", "borrowed", "estimated", "why")
    assert section.summary.rows == (
        ("NK", "CD56", "mixture", "batch", "0", "0", "1", "2", "40 events"),
        ("NK", "CD16", "valley", "batch", "1", "0", "0", "0", "no valley & no <peak>"),
        ("NK", "lympho", "lymphocytes", "tube", "0", "1", "0", "0", "few"),
    )
    # what goes with an arm stands first; a gate that is nowhere has no picture
    assert [plot.title for plot in section.plots] == ["NK lympho, axis 2", "NK CD56", "NK lympho, axis 1"]
    assert section.plots[0].warning == "goes with arm"
    assert section.queue.rows == (
        ("T1", "CD56bright", "12.3", "10.0", "–", "30.0", "not estimable", "study", "borrowed from a wider unit"),
    )


def test_pictures_are_whole_and_escaped() -> None:
    section = summarise_learnt(GATES, DRIFT, REVIEW, ["IL2", "STD"])
    assert section is not None
    picture = ET.fromstring(section.plots[1].svg)
    titles = [element.text for element in picture.iter("title")]
    assert titles == [
        "B1, IL2: 0.5 (0.4804 to 0.5196), 1 tubes", "B1, STD: 0.5 (0.4804 to 0.5196), 1 tubes",
        "B<2>, IL2: 0.6 (0.5608 to 0.6392), 1 tubes",
    ]  # fmt: skip
    assert len(list(picture.iter("circle"))) == 3


def test_without_learnt_gates_there_is_no_section() -> None:
    assert summarise_learnt(GATES.iloc[:0], DRIFT.iloc[:0], REVIEW.iloc[:0], ["IL2"]) is None
