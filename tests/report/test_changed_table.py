"""The report's table of subjects that changed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from il2cyto.report.changed import changed_table
from il2cyto.report.inputs import Visit
from il2cyto.report.numbers import NOTHING

VISITS = (Visit("BL", "Baseline", 0), Visit("M1", "Month 1", 1))


def row(rule: str, arm: str, contrast: str = "within_arm", **more: object) -> dict[str, object]:
    given: dict[str, object] = {
        "strategy": "treg", "population": "live/CD4/Treg", "rule": rule, "arm": arm, "visit": "M1",
        "contrast": contrast, "n_evaluable": 10, "n_increased": 7, "n_decreased": 0, "n_undetermined": 0,
        "increased_percent": 70.0, "increased_lower": 34.8, "increased_upper": 93.3, "decreased_percent": 0.0,
        "decreased_lower": 0.0, "decreased_upper": 30.8, "p_increased": 0.0156, "DSLD_median": np.nan,
        "DSLD_min": np.nan, "DSLD_max": np.nan, "status": "estimated",
    }  # fmt: skip
    return given | more


def test_arms_stand_side_by_side() -> None:
    days = {"DSLD_median": 3.0, "DSLD_min": 1.0, "DSLD_max": 12.0}
    table = pd.DataFrame(
        [
            row("any", "IL2"),
            row("rcv_control", "IL2", status="not_estimable"),
            row("fold 1.5", "IL2", n_undetermined=2, **days),
            row("fold 1.5", "STD", n_increased=1, increased_percent=10.0, increased_lower=0.3, increased_upper=44.5),
            row("fold 1.5", "IL2 / STD", "arm_difference", increased_percent=60.0, increased_lower=19.0,
                increased_upper=80.2, p_increased=0.0198),
        ]
    )  # fmt: skip
    found = changed_table(table, VISITS)
    assert found is not None
    assert found.title == "rule: fold 1.5"
    assert found.columns == (
        "strategy", "population", "visit", "IL2: increased", "IL2: decreased", "IL2: since dose", "STD: increased",
        "STD: decreased", "STD: since dose", "IL2 / STD: increased, points",
    )  # fmt: skip
    assert found.rows == (
        (
            "treg", "CD4/Treg", "Month 1", "7 of 10 (70 %, 35–93), 2 undetermined", "0 of 10 (0 %, 0–31)", "3 d (1–12)",
            "1 of 10 (10 %, 0–44)", "0 of 10 (0 %, 0–31)", NOTHING, "+60 (+19 to +80), p 0.0198",
        ),
    )  # fmt: skip


def test_any_difference_comes_last_and_nothing_is_no_table() -> None:
    found = changed_table(pd.DataFrame([row("any", "IL2")]), VISITS)
    assert found is not None
    assert found.title == "rule: any"
    assert changed_table(pd.DataFrame([row("any", "IL2", status="not_estimable")]), VISITS) is None
