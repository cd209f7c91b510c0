"""Cells and cytokines together: a planted pair comes back, and all that is left out is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from test_change import trial

from il2cyto.errors import ParameterError
from il2cyto.models.blocks import permutation_p, sparse_pls, stability, within_blocks
from il2cyto.models.together import TOGETHER_COLUMNS, cells_and_cytokines
from il2cyto.serum import read_serum

ARMS = {f"S{i:02d}": "IL2" if i % 2 else "STD" for i in range(16)}
VISITS = ("BL", "M1", "M3", "M6")
KEYS = [(subject, visit) for subject in ARMS for visit in VISITS]
FEW: dict[str, Any] = {"n_permutations": 99, "n_bootstraps": 30}


def logs(seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Logarithms of four populations and three analytes; Treg and sCD25 follow one course of each subject."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.normal(size=len(ARMS)), len(VISITS))
    common = rng.normal(size=len(KEYS))
    index = pd.MultiIndex.from_tuples(KEYS)
    cells = pd.DataFrame(rng.normal(3, 0.4, (len(KEYS), 4)), index=index, columns=["B", "CD8", "NK", "Treg"])
    serum = pd.DataFrame(rng.normal(1, 0.4, (len(KEYS), 3)), index=index, columns=["IL-6", "TNF", "sCD25"])
    cells["Treg"] += common + level
    serum["sCD25"] += common - level
    return cells, serum


def written(serum: pd.DataFrame, changed: dict[tuple[str, str, str], str] | None = None, flags: str = "") -> AnnData:
    """The serum as a laboratory writes it; `flags` marks what is changed."""
    rows = [
        (s, v, VISITS.index(v), analyte, (changed or {}).get((s, v, analyte), repr(float(np.exp(value)))))
        for (s, v), line in serum.iterrows()
        for analyte, value in line.items()
    ]
    table = pd.DataFrame(rows, columns=["subject", "visit", "visit_number", "analyte", "value"]).astype(str)
    marks = [flags if (s, v, a) in (changed or {}) else "" for s, v, _, a, _ in rows]
    return read_serum(table.assign(unit="pg/mL", flags=marks))


def row(found: pd.DataFrame, feature: str, component: int = 1) -> pd.Series:
    (one,) = found[(found["feature"] == feature) & (found["component"] == component)].to_dict("records")
    return pd.Series(one)


def test_a_planted_pair_and_the_numbers_of_the_kernel() -> None:
    cells, serum = logs()
    found = cells_and_cytokines(trial(np.exp(cells), ARMS), written(serum), keep=2, seed=4, **FEW)
    assert tuple(found.columns) == TOGETHER_COLUMNS
    assert found.groupby("component").size().tolist() == [7, 7]
    subject, visit = (cells.index.get_level_values(level).to_numpy(dtype=str) for level in (0, 1))
    arm = np.array([ARMS[one] for one in subject])
    blocks = within_blocks(cells.to_numpy(), serum.to_numpy(), subject, visit, arm)
    fit = sparse_pls(blocks.x, blocks.y, 2, 2, 2)
    p = permutation_p(blocks, 2, 2, 2, n_permutations=99, seed=4).p_value
    often = stability(blocks, 2, 2, 2, n_bootstraps=30, seed=4)
    for component in (1, 2):
        part = found[found["component"] == component]
        for block, loadings, shares in (("cells", fit.x_loadings, often.x), ("cytokines", fit.y_loadings, often.y)):
            mine = part[part["block"] == block]
            np.testing.assert_allclose(mine["loading"], loadings[:, component - 1], atol=1e-9)
            np.testing.assert_allclose(mine["stability"], shares[:, component - 1], atol=1e-9)
            assert mine["selected"].sum() == 2
        assert part["p_value"].unique() == pytest.approx(p[component - 1])
        assert part["covariance_percent"].unique() == pytest.approx(fit.covariance_percent[component - 1])
        assert part["correlation"].unique() == pytest.approx(fit.correlation[component - 1])
    treg, soluble = row(found, "live/Treg"), row(found, "sCD25")
    assert (treg["unit"], soluble["unit"], treg["strategy"]) == ("cells/µL", "pg/mL", "s")
    assert min(treg["loading"], soluble["loading"]) > 0.9
    assert min(treg["stability"], soluble["stability"]) == 1.0
    assert (treg["p_value"], treg["n_subjects"], treg["n_rows"], treg["n_exchanged"]) == (0.01, 16, 64, 16)
    assert found["status"].eq("estimated").all()
    assert found["reason"].eq("").all()
    assert found["method"].str.contains("exploratory, hypothesis-generating").all()
    again = cells_and_cytokines(trial(np.exp(cells), ARMS), written(serum), keep=2, seed=4, **FEW)
    pd.testing.assert_frame_equal(again, found)


def test_what_is_left_out_is_counted_and_named() -> None:
    cells, serum = logs()
    counts = np.exp(cells)
    counts.loc[("S00", "BL"), "Treg"] = 0.0
    counts.loc[[("S01", visit) for visit in VISITS], "NK"] = np.nan
    counts.loc[[key for key in KEYS if key[0] >= "S10"], "CD8"] = 0.0
    below = {(*key, "IL-6"): "<2.4" for key in KEYS[:17]}
    below |= {(*key, "TNF"): "<2.4" for key in KEYS[20:36]}
    found = cells_and_cytokines(trial(counts, ARMS), written(serum, below), keep=10, n_components=3, **FEW)
    assert found.groupby("component").size().tolist() == [7, 7, 7]
    il6 = row(found, "IL-6")
    assert (il6["status"], il6["n_censored"], il6["selected"]) == ("not_estimable", 17, False)
    assert il6["reason"] == "17 of 64 values are beyond a limit of quantification, more than 25 %"
    cd8 = row(found, "live/CD8")
    assert (cd8["n_missing"], cd8["n_zero"], cd8["status"]) == (24, 24, "not_estimable")
    assert cd8["reason"].startswith("with it, 35 of 64 rows would be complete, less than 75 %")
    treg, nk, tnf = (row(found, name) for name in ("live/Treg", "live/NK", "TNF"))
    assert (treg["n_missing"], treg["n_zero"], nk["n_missing"], nk["n_zero"]) == (1, 1, 4, 0)
    assert (treg["n_subjects"], treg["n_rows"], treg["n_incomplete"], treg["n_alone"]) == (15, 59, 5, 0)
    # S00 alone of its arm lacks the baseline
    assert treg["n_exchanged"] == 14
    fixed = "subjects not exchanged, as nobody of their arm has the same visits: 1"
    every = "no more than 10 features enter of this block: all are kept"
    assert treg["reason"] == f"{fixed}; {every}"
    assert tnf["reason"] == f"{fixed}; {every}; values beyond a limit of quantification that stand at the limit: 16"
    assert tnf["n_censored"] == 16
    assert treg["stability"] == 1.0
    third = found[found["component"] == 3]
    assert third["status"].eq("not_estimable").all()
    assert row(found, "live/Treg", 3)["reason"] == "3 populations and 2 analytes have no component 3"
    assert row(found, "IL-6", 3)["reason"] == il6["reason"]
    assert third[["loading", "stability", "p_value", "covariance_percent"]].isna().all(axis=None)


def test_the_drug_itself_does_not_enter() -> None:
    cells, serum = logs()
    drug = {(*key, "TNF"): "9000" for key in KEYS}
    found = cells_and_cytokines(trial(np.exp(cells), ARMS), written(serum, drug, "drug"), keep=2, **FEW)
    tnf = row(found, "TNF")
    assert (tnf["n_missing"], tnf["n_zero"], tnf["n_censored"], tnf["status"]) == (64, 0, 0, "not_estimable")
    assert tnf["reason"].startswith("no value to take a logarithm of")
    assert row(found, "sCD25")["selected"]


def test_shared_visits_chosen_populations_and_columns_that_do_not_vary() -> None:
    cells, serum = logs()
    serum["TNF"] = 1.0
    fewer = serum.drop(index=[("S03", "M6"), ("S05", "BL")])
    visits = trial(np.exp(cells.drop(index=[("S03", "BL")])), ARMS)
    found = cells_and_cytokines(visits, written(fewer), populations=["Treg", "NK"], keep=1, n_components=1, **FEW)
    assert found["feature"].tolist() == ["live/NK", "live/Treg", "IL-6", "TNF", "sCD25"]
    assert found["n_rows"].unique().tolist() == [61]
    assert row(found, "TNF")["reason"] == "does not vary within subjects"
    assert found[found["selected"]]["feature"].tolist() == ["live/Treg", "sCD25"]
    assert found[found["selected"]]["loading"].tolist() == [1.0, 1.0]
    with pytest.raises(ParameterError, match="no population is called 'Tregs'"):
        cells_and_cytokines(visits, written(fewer), populations=["Tregs"])


def test_too_little_says_why() -> None:
    cells, serum = logs()
    visits = trial(np.exp(cells), ARMS)
    other = written(serum.rename(index={subject: f"X{subject}" for subject in ARMS}, level=0))
    strangers = cells_and_cytokines(visits, other, **FEW)
    assert len(strangers) == 14
    assert strangers["reason"].eq("no visit has both cells and serum").all()
    assert strangers["loading"].isna().all()
    few = cells_and_cytokines(visits, written(serum.loc[["S00", "S02"]]), **FEW)
    assert few["status"].eq("not_estimable").all()
    assert few["reason"].iloc[0] == (
        "8 complete rows of 2 subjects leave 3 degrees of freedom within subjects; 4 are needed"
    )
    three = cells_and_cytokines(visits, written(serum.loc[["S00", "S02", "S04"]]), keep=2, **FEW)
    assert three["status"].eq("estimated").all()
    assert three["p_value"].isna().all()
    assert three["reason"].eq(
        "no p-value: subjects of one arm with the same visits can be arranged in 6 ways; 20 are needed"
    ).all()  # fmt: skip
    none = cells_and_cytokines(visits, written(serum, {(*key, a): "<2.4" for key in KEYS for a in serum}), **FEW)
    assert row(none, "TNF")["reason"].startswith("64 of 64 values are beyond a limit")
    assert row(none, "live/NK")["reason"] == "no analyte enters that varies within subjects"
    for wrong, message in (
        ({"keep": 11}, "keep = 11: want at least 1 and at most 10"),
        ({"n_components": 0}, "n_components = 0: want at least 1"),
        ({"n_bootstraps": 0}, "n_bootstraps = 0"),
    ):
        with pytest.raises(ParameterError, match=message):
            cells_and_cytokines(visits, written(serum), **wrong)
