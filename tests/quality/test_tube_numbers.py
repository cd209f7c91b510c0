"""Margins, doublets, debris, settings and verdicts: numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.quality.margins import find_margins
from il2cyto.quality.settings import differing_settings
from il2cyto.quality.size import debris_share, doublet_share
from il2cyto.quality.verdict import Verdict, join_verdicts, judge_tube
from il2cyto.study.quality import default_quality


def test_margins_are_the_last_value_and_a_pile_on_the_lowest() -> None:
    stored = np.zeros((2000, 3))
    stored[:, 0] = np.arange(2000)
    stored[:3, 1] = [262143.0, 262144.0, 262142.9]
    stored[:, 2] = np.linspace(-500, 500, 2000)
    found = find_margins(stored, np.array([1024.0, 262144.0, 0.0]))
    np.testing.assert_allclose(found.upper_share, [977 / 2000, 2 / 2000, 0.0])
    assert found.upper.tolist() == [k < 2 or k >= 1023 for k in range(2000)]
    # one event on the lowest value is none, a channel that is 0 but for three events has a pile, negative ones have not
    np.testing.assert_allclose(found.lower_share, [0.0, 1997 / 2000, 0.0])


def test_margins_of_nothing() -> None:
    found = find_margins(np.zeros((0, 2)), np.array([10.0, np.nan]))
    assert found.upper.shape == (0,)
    assert found.upper_share.tolist() == [0.0, 0.0]
    assert not find_margins(np.ones((5, 1)), np.array([np.nan])).upper.any()


def test_doublets_lie_beyond_four_deviations() -> None:
    ratio = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.7])
    # median 1, deviations .05 .05 .1 .1 0 0 .7: median .05, so the limit is 1 + 4 · 1.4826 · .05 = 1.297
    assert doublet_share(100 * ratio, np.full(7, 100.0)) == pytest.approx(1 / 7)
    assert np.isnan(doublet_share(np.ones(3), np.zeros(3)))


def test_debris_is_small_beside_lymphocytes() -> None:
    assert debris_share(np.array([39.0, 40.0, 41.0, 200.0]), np.array([100.0, 50.0, 150.0])) == 0.25
    assert np.isnan(debris_share(np.array([1.0]), np.array([])))
    assert np.isnan(debris_share(np.array([]), np.array([1.0])))


def test_mixed_voltages_in_a_batch_are_told() -> None:
    low, high = {"PE-A": ("450", "1"), "FSC-A": ("", "")}, {"PE-A": ("500", "1"), "FSC-A": ("", "")}
    tubes = {"A": ("b1", low), "B": ("b1", low), "C": ("b1", high), "D": ("b2", high), "E": ("b2", high)}
    found = differing_settings(tubes)
    assert found == {"A": (), "B": (), "C": ("PE-A 500 V gain 1, most 450 V gain 1",), "D": (), "E": ()}
    # of two equally frequent ones half is told, and a single tube is not
    assert differing_settings({"A": ("b", low), "B": ("b", high)})["B"] != ()
    assert differing_settings({"A": ("b", low)}) == {"A": ()}


def test_verdicts_join_to_the_worst() -> None:
    quality = default_quality()
    good = {"events": 50_000.0, "unstable": 5.0, "upper_margin": 2.0, "debris": None}
    assert judge_tube(good, {}, quality, "NK") == Verdict("pass", ())
    bad = {**good, "unstable": 51.0, "settings": 1.0}
    found = judge_tube(bad, {"settings": "PE-A 500 V, most 450 V"}, quality, "NK")
    assert found.verdict == "fail"
    assert found.reasons == (
        "unstable 51 %, wanted at most 5 (hard at most 50)",
        "settings 1 channels (PE-A 500 V, most 450 V), wanted at most 0",
    )
    assert join_verdicts([]) == Verdict("pass", ())
    assert join_verdicts([Verdict("review", ("x",)), Verdict("pass", ())]) == Verdict("review", ("x",))
