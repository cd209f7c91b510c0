"""Counts with the gates behind them, against a table written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from il2cyto.counts import GATE_COLUMNS, with_gates
from il2cyto.counts.intervals import Z95

COUNTS = pd.DataFrame(
    [
        # tube, population, cells/µL, limits, cv
        ("T1", "CD4", 1000.0, 900.0, 1111.1, 0.05),
        ("T1", "CD4/Treg", 50.0, 40.0, 62.5, 0.11),
        ("T1", "CD4/none", 0.0, 0.0, 3.0, np.nan),
        ("T1", "CD4/lost", np.nan, np.nan, np.nan, np.nan),
        ("T2+T3", "CD4/Treg", 40.0, 32.0, 50.0, 0.11),
    ],
    columns=["tube_id", "population", "cells_per_ul", "lower", "upper", "cv"],
).assign(lower_within_lot=lambda t: t["lower"], upper_within_lot=lambda t: t["upper"])

GATES = pd.DataFrame(
    [
        ("T1", "CD4", "fixed", "", None, None, None),
        ("T1", "CD4/Treg", "estimated", "batch B1 (3 tubes)", 4.5, 5.5, 0.05),
        ("T1", "CD4/none", "borrowed", "borrowed from study (9 tubes)", 0.0, 0.2, 0.2),
        ("T1", "CD4/lost", "not_estimable", "not estimable: no valley", None, None, None),
        ("T2", "CD4", "estimated", "batch B1 (3 tubes)", 30.0, 31.0, 0.03),
        ("T2", "CD4/Treg", "estimated", "batch B1 (3 tubes)", 4.0, 5.0, 0.04),
        ("T3", "CD4", "estimated", "batch B1 (3 tubes)", 30.0, 31.0, 0.03),
        ("T3", "CD4/Treg", "template", "template, because 9 events", None, None, None),
    ],
    columns=["tube_id", "population", "gate_status", "gate_source", "gate_lower", "gate_upper", "cv_gate"],
)


def test_every_count_tells_of_its_gate() -> None:
    found = with_gates(COUNTS, GATES)
    assert found["gate_status"].tolist() == ["fixed", "estimated", "borrowed", "not_estimable", "template"]
    assert found["gate_source"].tolist() == [
        "", "batch B1 (3 tubes)", "borrowed from study (9 tubes)", "not estimable: no valley",
        "template, because 9 events",
    ]  # fmt: skip
    assert found["gate_lower"].tolist()[1:3] == [4.5, 0.0]
    assert np.isnan(found["gate_lower"]).tolist() == [True, False, False, True, True]
    # nothing tells the error of a gate that is not estimable or stands at the template's place
    assert found["cv_gate"].tolist() == pytest.approx([0.0, 0.05, 0.2, np.nan, np.nan], nan_ok=True)
    # along the path: 0.03 and 0.04 make 0.05
    alone = with_gates(COUNTS.iloc[[4]].assign(tube_id="T2"), GATES)
    assert alone["cv_gate"].tolist() == pytest.approx([0.05])
    # a population without a row of its own does not take that of its parent
    assert with_gates(COUNTS.iloc[[1]].assign(population="CD4/new"), GATES)["gate_source"].tolist() == [""]


def test_limits_hold_both_errors() -> None:
    found = with_gates(COUNTS, GATES)
    assert found["cv_counting"].tolist()[:2] == [0.05, 0.11]
    assert found["cv"].tolist()[:2] == pytest.approx([0.05, np.hypot(0.11, 0.05)])
    treg = found.iloc[1]
    half = np.hypot(np.log(50 / 40), Z95 * 0.05)
    assert treg["lower"] == pytest.approx(50 * np.exp(-half))
    assert treg["upper"] == pytest.approx(50 * np.exp(half))
    assert treg["lower_within_lot"] == treg["lower"]
    # fixed gates widen nothing, a count of nothing keeps its lower limit, and what is lost stays lost
    assert found.iloc[0][["lower", "upper"]].tolist() == [900.0, 1111.1]
    assert found.iloc[2]["lower"] == 0.0
    assert found.iloc[2]["upper"] > 3.0
    assert np.isnan(found.iloc[3]["upper"])


def test_without_gates_the_columns_are_there() -> None:
    found = with_gates(COUNTS, GATES[["tube_id", "population"]])
    assert tuple(found.columns[-6:]) == GATE_COLUMNS
    assert found["lower"].tolist() == [*COUNTS["lower"].tolist()[:3], pytest.approx(np.nan, nan_ok=True), 32.0]
