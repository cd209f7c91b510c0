"""Changed subjects: tables by hand, operating characteristics by formula, and laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_change import table, trial

from il2cyto.models import CHANGED_COLUMNS, changed_subjects
from il2cyto.models.changed import ABSENT, DOWN, SAME, UNDETERMINED, UP, classify
from il2cyto.serum import read_serum
from il2cyto.study.changes import ANY, CONTROL, FOLD, STATED, ChangeRule

BOTH = (ChangeRule(ANY), ChangeRule(FOLD, 1.5))
ARMS = {"A1": "IL2", "A2": "IL2", "A3": "IL2", "A4": "IL2", "B1": "STD", "B2": "STD", "B3": "STD"}
#: 20 to 30 is exactly 1.5-fold; A4 begins at 0; B3 has no visit M3, and ends at 0.
CELLS = {
    ("A1", "BL"): 20.0, ("A1", "M1"): 30.0, ("A1", "M3"): 10.0,
    ("A2", "BL"): 20.0, ("A2", "M1"): 29.9, ("A2", "M3"): 20.0,
    ("A3", "BL"): 40.0, ("A3", "M1"): 90.0, ("A3", "M3"): 44.0,
    ("A4", "BL"): 0.0, ("A4", "M1"): 5.0, ("A4", "M3"): 0.0,
    ("B1", "BL"): 30.0, ("B1", "M1"): 20.0, ("B1", "M3"): 31.0,
    ("B2", "BL"): 10.0, ("B2", "M1"): 10.0, ("B2", "M3"): 12.0,
    ("B3", "BL"): 15.0, ("B3", "M1"): 0.0,
}  # fmt: skip


def counted(cells: dict[tuple[str, str], float], rules: Any = BOTH, **more: Any) -> pd.DataFrame:
    given = {"baseline": "BL", "reference_arm": "STD", "rules": rules, "cv": {}} | more
    return changed_subjects(trial(table(cells), ARMS), None, **given)


def test_subjects_by_hand() -> None:
    found = counted(CELLS)
    assert tuple(found.columns) == CHANGED_COLUMNS
    names = ["rule", "arm", "visit", "n_evaluable", "n_increased", "n_decreased", "n_unchanged", "n_undetermined"]
    own = found[found["contrast"] == "within_arm"][names].to_numpy().tolist()
    assert own == [
        ["any", "IL2", "M1", 4, 4, 0, 0, 0],
        ["any", "STD", "M1", 3, 0, 2, 1, 0],
        ["any", "IL2", "M3", 4, 1, 1, 2, 0],
        ["any", "STD", "M3", 2, 2, 0, 0, 0],
        ["fold 1.5", "IL2", "M1", 4, 3, 0, 1, 0],
        ["fold 1.5", "STD", "M1", 3, 0, 2, 1, 0],
        ["fold 1.5", "IL2", "M3", 4, 0, 1, 3, 0],
        ["fold 1.5", "STD", "M3", 2, 0, 0, 2, 0],
    ]
    row = found[(found["rule"] == "any") & (found["visit"] == "M1")].set_index("arm")
    assert row.loc["IL2", ["increased_percent", "increased_upper"]].tolist() == [100.0, 100.0]
    # four of four: the lower limit is 0.025^(1/4)
    assert row.loc["IL2", "increased_lower"] == pytest.approx(100 * 0.025**0.25)
    assert row.loc["IL2", "p_increased"] == 0.125
    both = row.loc["IL2 / STD"]
    assert (both["increased_percent"], both["contrast"]) == (100.0, "arm_difference")
    assert both["p_increased"] == pytest.approx(1 / 35)
    assert both["p_decreased"] == pytest.approx(stats.fisher_exact([[0, 4], [2, 1]]).pvalue)
    assert "not randomised" in both["test"]


def test_reference_change_value_of_stated_variation() -> None:
    """Log-normal limits of 7 and 20 %, +79 and -44 %, and wider by the events that were counted."""
    rules = (ChangeRule(STATED),)
    many = {key: value * 1e9 for key, value in CELLS.items()}
    found = counted(many, rules, cv={"Treg": (0.07, 0.2)})
    row = found[(found["arm"] == "STD") & (found["visit"] == "M3")].iloc[0]
    assert 100 * (row["ratio_up"] - 1) == pytest.approx(79, abs=0.5)
    assert 100 * (row["ratio_down"] - 1) == pytest.approx(-44, abs=0.5)
    # ten events per cell/µL stand in this object
    few = counted(CELLS, rules, cv={"Treg": (0.07, 0.2)})
    row = few[(few["arm"] == "STD") & (few["visit"] == "M3")].iloc[0]
    each = [np.sqrt(2 * np.log(1 + 0.07**2 + 0.2**2) + a + b) for a, b in ((1 / 300, 1 / 310), (1 / 100, 1 / 120))]
    assert np.log(row["ratio_up"]) == pytest.approx(stats.norm.isf(0.025) * np.median(each), rel=1e-9)
    # 0 events have no relative error
    row = few[(few["arm"] == "IL2") & (few["visit"] == "M1")].iloc[0]
    assert (row["n_evaluable"], row["n_undetermined"]) == (3, 1)
    nothing = counted(CELLS, rules)
    assert nothing["status"].eq("not_estimable").all()
    assert nothing["reason"].str.startswith("no coefficients of variation are stated").all()
    assert nothing["n_evaluable"].eq(0).all()


def test_operating_characteristics_are_those_of_the_formula() -> None:
    """No effect: 2.5 % up and 2.5 % down. Folds of 2.7, 2 and 1.5 exceed +79 % in as many as the formula says."""
    rng = np.random.default_rng(4)
    sigma = np.sqrt(np.log(1 + 0.07**2 + 0.2**2))
    limit = stats.norm.isf(0.025) * np.sqrt(2) * sigma
    n = 200_000
    for fold in (1.0, 1.5, 2.0, 2.7):
        ratio = np.log(fold) + rng.normal(0, np.sqrt(2) * sigma, n)
        step = classify(ratio, ratio, np.full(n, limit))
        for which, share in (
            (UP, stats.norm.sf((limit - np.log(fold)) / (np.sqrt(2) * sigma))),
            (DOWN, stats.norm.cdf((-limit - np.log(fold)) / (np.sqrt(2) * sigma))),
        ):
            assert (step == which).mean() == pytest.approx(share, abs=4 * np.sqrt(0.25 / n))


def test_limits_from_the_repeats_of_the_reference_arm() -> None:
    rng = np.random.default_rng(2)
    subjects = {f"S{i:02d}": "STD" if i % 2 else "IL2" for i in range(60)}
    base = dict.fromkeys(subjects, 0.0) | {s: rng.normal(3, 0.6) for s in subjects}
    cells = {
        (s, visit): float(
            np.exp(base[s] + rng.normal(0, 0.25) + (0.8 if subjects[s] == "IL2" and visit != "BL" else 0))
        )
        for s in subjects
        for visit in ("BL", "M1", "M3", "M6")
    }
    visits = trial(table(cells), subjects)
    found = changed_subjects(
        visits, None, baseline="BL", reference_arm="STD", rules=(ChangeRule(CONTROL),), cv={}
    ).set_index(["arm", "visit"])
    # σ of 0.25 within subjects: exp(1.96 √2 · 0.25) = 2.0
    assert found.loc[("STD", "M1"), "ratio_up"] == pytest.approx(2.0, rel=0.1)
    shares = found.loc["STD", ["increased_percent", "decreased_percent"]]
    assert (shares <= 15).all(axis=None)
    assert (found.loc["IL2", "increased_percent"] > 40).all()
    assert found.loc[("STD", "M1"), "reason"] == "the limits come from this arm's own repeats, which fixes its shares"
    assert found.loc[("IL2", "M1"), "reason"] == ""
    few = counted(CELLS, (ChangeRule(CONTROL),))
    told = "2 subjects of the reference arm have repeated values; 5 are needed for its variation"
    assert few["reason"].eq(told).all()


def test_serum_beyond_the_limits_is_counted_where_all_values_say_the_same() -> None:
    values = {  # limit 2: baseline, M1
        "A1": ("<2", "5"),  # more than 2.5-fold
        "A2": ("<2", "2.5"),  # more, by an unknown fold above 1.25
        "A3": ("<2", "<2"),
        "A4": ("8", "<2"),  # less than a quarter
        "B1": ("4", "4"),
        "B2": (">100", "40"),
        "B3": ("4", "7"),
    }
    rows = [
        (subject, visit, number, "IL-6", value)
        for subject, course in values.items()
        for number, (visit, value) in enumerate(zip(("BL", "M1"), course, strict=True))
    ]
    columns = ["subject", "visit", "visit_number", "analyte", "value"]
    serum = read_serum(pd.DataFrame(rows, columns=columns).astype(str).assign(unit="pg/mL"))
    serum.obs["ARM"] = [ARMS[subject] for subject in serum.obs["USUBJID"]]
    serum.obs["DSLD"], serum.obs["ADY"] = 3.0, np.nan
    found = changed_subjects(trial(table(CELLS), ARMS), serum, baseline="BL", reference_arm="STD", rules=BOTH, cv={})
    own = found[(found["population"] == "IL-6") & (found["contrast"] == "within_arm")]
    names = ["rule", "arm", "n_evaluable", "n_increased", "n_decreased", "n_unchanged", "n_undetermined"]
    assert own[names].to_numpy().tolist() == [
        ["any", "IL2", 3, 2, 1, 0, 1],
        ["any", "STD", 3, 1, 1, 1, 0],
        ["fold 1.5", "IL2", 2, 1, 1, 0, 2],
        ["fold 1.5", "STD", 3, 1, 1, 1, 0],
    ]
    assert own["DSLD_median"].eq(3).all()
    assert own["unit"].eq("pg/mL").all()


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=30),
    st.floats(0, 2),
)
def test_every_pair_is_one_of_five(pairs: list[tuple[float, float]], limit: float) -> None:
    low = np.array([a for a, _ in pairs])
    high = low + np.array([b for _, b in pairs])
    step = classify(low, high, np.full(low.size, limit))
    assert np.isin(step, (UP, SAME, DOWN, UNDETERMINED)).all()
    # turned round, what went up went down
    turned = classify(-high, -low, np.full(low.size, limit))
    swap = {UP: DOWN, DOWN: UP, SAME: SAME, UNDETERMINED: UNDETERMINED}
    if limit > 0:
        assert [swap[one] for one in step.tolist()] == turned.tolist()
    # knowing more never turns a verdict
    middle = (low + high) / 2
    known = classify(middle, middle, np.full(low.size, limit))
    assert (known[step != UNDETERMINED] == step[step != UNDETERMINED]).all()
    assert classify(np.array([np.nan]), np.array([1.0]), np.array([limit])).tolist() == [ABSENT]
