"""Correlation within subjects: a published example, laws, and the table of cells and cytokines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_change import table, trial

from il2cyto.errors import ParameterError
from il2cyto.models import CORRELATION_COLUMNS, correlate, within_subjects
from il2cyto.serum import read_serum

# Bland and Altman, BMJ 310 (1995) 446: intramural pH and PaCO2 of eight patients
PATIENT = np.repeat(np.arange(1, 9), [4, 4, 9, 5, 8, 6, 3, 8])
PH = [6.68, 6.53, 6.43, 6.33, 6.85, 7.06, 7.13, 7.17, 7.40, 7.42, 7.41, 7.37, 7.34, 7.35, 7.28, 7.30, 7.34, 7.36, 7.33,
      7.29, 7.30, 7.35, 7.35, 7.30, 7.30, 7.37, 7.27, 7.28, 7.32, 7.32, 7.38, 7.30, 7.29, 7.33, 7.31, 7.33, 6.86, 6.94,
      6.92, 7.19, 7.29, 7.21, 7.25, 7.20, 7.19, 6.77, 6.82]  # fmt: skip
PACO2 = [3.97, 4.12, 4.09, 3.97, 5.27, 5.37, 5.41, 5.44, 5.67, 3.64, 4.32, 4.73, 4.96, 5.04, 5.22, 4.82, 5.07, 5.67,
         5.10, 5.53, 4.75, 5.51, 4.28, 4.44, 4.32, 3.23, 4.46, 4.72, 4.75, 4.99, 4.78, 4.73, 5.12, 4.93, 5.03, 4.93,
         6.85, 6.44, 6.52, 5.28, 4.56, 4.34, 4.32, 4.41, 3.69, 6.09, 5.58]  # fmt: skip


def test_the_example_of_bland_and_altman() -> None:
    """r = -0.51, P = 0.0008 in the paper; more digits from pingouin 0.5's rm_corr, limits -0.71 and -0.23."""
    found = within_subjects(PH, PACO2, PATIENT)
    assert (found.df, found.n_subjects, found.n_pairs) == (38, 8, 47)
    assert found.r == pytest.approx(-0.5067697422330649, abs=1e-12)
    assert found.p_value == pytest.approx(0.0008471081091288739, rel=1e-9)
    assert [round(found.lower, 2), round(found.upper, 2)] == [-0.71, -0.23]


@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.1, 20))
def test_levels_scales_and_lonely_subjects_change_nothing(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(6), 4)
    x, y = rng.normal(size=24), rng.normal(size=24)
    found = within_subjects(x, y, who)
    assert -1 <= found.lower <= found.r <= found.upper <= 1
    levels = rng.normal(0, 10, 6)[who]
    order = rng.permutation(26)
    moved = [np.append(x * scale + levels + shift, [3.0, np.nan]), np.append(y, [99.0, 5.0]), np.append(who, [77, 0])]
    other = within_subjects(*(values[order] for values in moved))
    assert (other.df, other.n_pairs) == (found.df, 24)
    assert other.r == pytest.approx(found.r, abs=1e-9)
    turned = within_subjects(y, -x, who)
    assert [turned.r, turned.p_value] == pytest.approx([-found.r, found.p_value], abs=1e-12)


def test_no_correlation_has_nominal_p_values() -> None:
    rng = np.random.default_rng(7)
    who = np.repeat(np.arange(8), 4)
    p = [
        within_subjects(*(rng.normal(size=32) + rng.normal(0, 3, 8)[who] for _ in range(2)), who).p_value
        for _ in range(2000)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


def test_what_says_nothing() -> None:
    constant = within_subjects([1, 1, 2, 2], [1, 2, 3, 4], list("aabb"))
    assert np.isnan(constant.r)
    lonely = within_subjects([1, 2, 3], [1, 2, 3], list("abc"))
    assert (lonely.n_pairs, lonely.df) == (0, 0)
    with pytest.raises(ParameterError, match=r"want one \(n,\)"):
        within_subjects([1, 2], [1, 2, 3], [1, 1])


def test_cells_and_cytokines() -> None:
    rng = np.random.default_rng(5)
    subjects = {f"S{i}": "IL2" if i % 2 else "STD" for i in range(8)}
    visits = ("BL", "M1", "M3")
    log = {(s, v): rng.normal(3, 0.5) for s in subjects for v in visits}
    cells = {key: float(np.exp(value)) for key, value in log.items()}
    cells["S0", "BL"] = 0.0
    rows = [
        (s, v, number, "sCD25", f"{np.exp(0.8 * log[s, v] + rng.normal(0, 0.2)):.4f}")
        for s in subjects
        for number, v in enumerate(visits)
    ]
    rows[4] = (*rows[4][:4], "<2")
    columns = ["subject", "visit", "visit_number", "analyte", "value"]
    serum = read_serum(pd.DataFrame(rows, columns=columns).astype(str).assign(unit="pg/mL"))
    found = correlate(trial(table(cells), subjects), serum)
    assert tuple(found.columns) == CORRELATION_COLUMNS
    assert found["arm"].tolist() == ["all", "IL2", "STD"]
    whole = found.iloc[0]
    assert (whole["n_pairs"], whole["n_censored"], whole["n_subjects"]) == (22, 2, 8)
    kept = [i for i, (s, v, *_) in enumerate(rows) if (s, v) != ("S0", "BL") and i != 4]
    x = [log[rows[i][0], rows[i][1]] for i in kept]
    y = [np.log(float(rows[i][4])) for i in kept]
    expected = within_subjects(x, y, [rows[i][0] for i in kept])
    assert [whole["r"], whole["p_value"]] == pytest.approx([expected.r, expected.p_value], rel=1e-9)
    assert whole["r"] > 0.7
    assert "exploratory" in whole["method"]
    few = correlate(trial(table({k: v for k, v in cells.items() if k[0] in ("S1", "S2")}), subjects), serum)
    assert few["status"].eq("not_estimable").all()
    assert few["reason"].iloc[0].endswith("4 degrees of freedom are needed")
    assert few["r"].isna().all()
