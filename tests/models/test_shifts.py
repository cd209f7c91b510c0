"""Shifts across reference ranges, by a hand-made table."""

from __future__ import annotations

import pandas as pd
import pytest

from il2cyto.models import range_shifts

#: Subject, arm, visit, number, analysed, place. P3 has no M1; P6 no baseline; P5's M1 stands apart; P7 has no range.
ROWS = [
    ("P1", "A", "BL", 0, "Y", "below"), ("P1", "A", "M1", 1, "Y", "within"),
    ("P2", "A", "BL", 0, "Y", "below"), ("P2", "A", "M1", 1, "Y", "below"),
    ("P3", "A", "BL", 0, "Y", "within"),
    ("P4", "A", "BL", 0, "Y", "within"), ("P4", "A", "M1", 1, "Y", "above"),
    ("P5", "A", "BL", 0, "Y", "below"), ("P5", "A", "M1", 1, None, "within"),
    ("P6", "B", "M1", 1, "Y", "within"),
    ("P7", "B", "BL", 0, "Y", ""), ("P7", "B", "M1", 1, "Y", ""),
    ("P8", "B", "BL", 0, "Y", "above"), ("P8", "B", "M1", 1, "Y", "below"),
    ("P9", "A", "BL", 0, "Y", "below"), ("P9", "A", "M1", 1, "Y", "within"),
]  # fmt: skip


@pytest.fixture
def trial() -> pd.DataFrame:
    table = pd.DataFrame(ROWS, columns=["USUBJID", "ARM", "AVISIT", "AVISITN", "ANL01FL", "reference_place"])
    return table.assign(strategy="tbnk", population="live/CD4", reference_source="P10-P90")


def test_every_number_by_hand(trial: pd.DataFrame) -> None:
    table = range_shifts(trial, "BL").set_index("arm")
    a, b = table.loc["A"], table.loc["B"]
    assert (a["n_evaluable"], a["n_below_within"], a["n_below_below"], a["n_within_above"]) == (4, 2, 1, 1)
    assert (a["n_increased"], a["n_decreased"], a["n_to_range"], a["n_from_range"]) == (3, 0, 2, 1)
    # two into the range against one out of it: 2 × (1 + 3) / 8
    assert a["p_mcnemar"] == 1.0
    assert a["to_range_percent"] == 50.0
    assert (b["n_evaluable"], b["n_above_below"], b["n_decreased"], b["n_to_range"], b["n_from_range"]) == (
        1,
        1,
        1,
        0,
        0,
    )


def test_without_a_baseline_there_is_nothing(trial: pd.DataFrame) -> None:
    assert range_shifts(trial, None).empty
    assert range_shifts(trial[trial["AVISIT"] != "BL"], "BL").empty


def test_the_order_of_rows_says_nothing(trial: pd.DataFrame) -> None:
    shuffled = trial.sample(frac=1.0, random_state=3)
    keys = ["arm", "visit"]
    pd.testing.assert_frame_equal(
        range_shifts(shuffled, "BL").sort_values(keys, ignore_index=True),
        range_shifts(trial, "BL").sort_values(keys, ignore_index=True),
    )
