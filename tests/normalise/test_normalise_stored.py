"""Normalisations as JSON: the same numbers back, and hostile text refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from il2cyto.errors import ParameterError
from il2cyto.normalise import (
    ClusteredNormalisation,
    Normalisation,
    apply_clusters,
    from_json,
    learn_clusters,
    learn_quantiles,
    to_json,
)


def controls() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "a": rng.normal(0, 1, (600, 2)),
        "日": rng.normal([0.3, 1], 1.2, (700, 2)),
        "c": rng.normal(0, 1, (30, 2)),
    }


def test_the_same_numbers_come_back() -> None:
    learnt = learn_quantiles(controls(), ["CD4", "CD25"], slope=0.7)
    back = from_json(to_json(learnt))
    assert isinstance(back, Normalisation)
    assert back == learnt
    assert to_json(back) == to_json(learnt)


def test_the_same_clusters_come_back() -> None:
    learnt = learn_clusters(controls(), ["CD4", "CD25"], n_clusters=8, seed=2)
    assert {reason == "" for reason in learnt.reasons} == {True, False}
    back = from_json(to_json(learnt))
    assert isinstance(back, ClusteredNormalisation)
    assert back == learnt
    events = np.random.default_rng(4).normal(0, 2, (300, 2))
    np.testing.assert_array_equal(apply_clusters(back, "日", events), apply_clusters(learnt, "日", events))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "il2cyto normalisation 9"}', "[" * 100_000])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="normalisation"):
        from_json(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slope", True),
        ("slope", "1"),
        ("slope", float("nan")),
        ("levels", [0.5]),
        ("levels", "0123"),
        ("n_events", {"a": -1, "日": 700, "c": 30}),
        ("n_events", {"a": 600}),
        ("channels", ["CD4", 5]),
        ("goal", {}),
        ("goal", None),
        ("unnormalised", [{"batch": "c"}]),
        ("surprise", 1),
    ],
)
def test_entries_that_make_no_normalisation_are_refused(key: str, value: object) -> None:
    held = json.loads(to_json(learn_quantiles(controls(), ["CD4", "CD25"])))
    held[key] = value
    with pytest.raises(ParameterError):
        from_json(json.dumps(held))


def test_a_missing_entry_is_refused() -> None:
    held = json.loads(to_json(learn_quantiles(controls(), ["CD4", "CD25"])))
    del held["goal"]
    with pytest.raises(ParameterError, match="KeyError"):
        from_json(json.dumps(held))
