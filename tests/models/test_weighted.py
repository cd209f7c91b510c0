"""Changes between arms with overlap weights: exact without noise, right under confounding, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from il2cyto.models import OVERLAP_COLUMNS, change_with_overlap_weights


def trial(n: int = 40, seed: int = 5, fold: float = 2.0, noise: float = 0.0) -> AnnData:
    """Two visits; older subjects come into arm IL2 more often, and older subjects change more by themselves."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(6, 17, n)
    treated = rng.random(n) < 1 / (1 + np.exp(-(age - 11.5) / 3))
    start = np.exp(rng.normal(3, 0.4, n))
    own = np.exp(0.08 * (age - 11.5) + noise * rng.normal(size=n)) if noise else np.ones(n)
    later = start * own * np.where(treated, fold, 1.0)
    keys = [f"P{i:02d}|{visit}" for visit in ("BL", "M1") for i in range(n)]
    twice = {name: np.tile(values, 2) for name, values in (("AGE", age), ("arm", treated))}
    obs = pd.DataFrame(
        {"USUBJID": [key.split("|")[0] for key in keys], "AVISIT": [key.split("|")[1] for key in keys]}, index=keys
    )
    obs = obs.assign(AVISITN=np.repeat([0.0, 1.0], n), ARM=np.where(twice["arm"], "IL2", "STD"), AGE=twice["AGE"])
    obs = obs.assign(ADY=np.nan, DSLD=np.nan, CYCDAY=np.nan, DIAGNOSIS="SLE", SEX="F", collection_date="")
    var = pd.DataFrame(
        {"strategy": "s", "population": "live/Treg", "name": "Treg", "parent": "live", "definition": "d", "role": "",
         "unit": "cells/µL"}, index=["s/live/Treg"],
    )  # fmt: skip
    X = np.r_[start, later][:, None]
    layers = dict.fromkeys(("count", "parent_count", "percent_parent", "cv", "lower", "upper"), X)
    layers |= {"status": np.zeros(X.shape, dtype=np.int8)}
    return AnnData(X, obs=obs, var=var, layers=layers, uns={"il2cyto": {"missing_visits": np.array([])}})


def test_a_constant_effect_without_noise_is_exact() -> None:
    table = change_with_overlap_weights(trial(), baseline="BL", reference_arm="STD")
    assert list(table) == list(OVERLAP_COLUMNS)
    (row,) = table.to_dict("records")
    assert row["ratio_to_baseline"] == pytest.approx(2.0, rel=1e-9)
    assert row["log_se"] == pytest.approx(0.0, abs=1e-9)
    assert (row["n_subjects"], row["status"], row["arm"]) == (40, "estimated", "IL2 / STD")


def test_confounding_by_age_is_taken_out_and_limits_cover() -> None:
    found, plain = [], []
    for seed in range(200):
        data = trial(seed=seed, noise=0.3)
        (row,) = change_with_overlap_weights(data, baseline="BL", reference_arm="STD").to_dict("records")
        found.append((row["log_estimate"], row["lower"] <= 2.0 <= row["upper"]))
        half = data.n_obs // 2
        change = np.log(np.asarray(data.X)[half:, 0] / np.asarray(data.X)[:half, 0])
        arm = (data.obs["ARM"].to_numpy() == "IL2")[:half]
        plain.append(change[arm].mean() - change[~arm].mean())
    error = np.std([one for one, _ in found]) / np.sqrt(len(found))
    # older subjects rise by themselves: without weights the treatment gets the credit
    assert np.mean(plain) - np.log(2) > 0.15
    assert abs(np.mean([one for one, _ in found]) - np.log(2)) < 0.03 + 3 * error
    # 95 % within three Monte-Carlo errors, for normal limits of 40 subjects
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200) - 0.02 <= np.mean([hit for _, hit in found]) <= 1.0


def test_what_cannot_be_told_says_why() -> None:
    data = trial()
    assert change_with_overlap_weights(data, baseline=None, reference_arm="STD").empty
    assert change_with_overlap_weights(data, baseline="BL", reference_arm=None).empty
    few = data[data.obs["USUBJID"].isin([f"P{i:02d}" for i in range(3)]).to_numpy()].copy()
    (row,) = change_with_overlap_weights(few, baseline="BL", reference_arm="STD").to_dict("records")
    assert row["status"] == "not_estimable"
    assert row["reason"]
