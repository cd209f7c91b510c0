"""Doses as they were given, growth, and the streams that keep every draw to itself."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto.derive.surface import body_surface_m2
from il2cyto.simulate.growth import height_cm, weight_kg
from il2cyto.simulate.plan import plan_trial
from il2cyto.simulate.regimen import given_doses
from il2cyto.simulate.streams import entropy


def test_without_misses_the_regimen_is_five_days_on_and_nine_off() -> None:
    doses = given_doses(np.random.default_rng(1), 0.0)
    assert [dose.day for dose in doses] == [14 * c + k for c in range(13) for k in range(1, 6)]
    assert [dose.course for dose in doses] == [c for c in range(13) for _ in range(5)]


def test_missed_doses_are_missed_at_their_rate_and_the_first_never() -> None:
    given = [given_doses(np.random.default_rng(seed), 0.05) for seed in range(400)]
    assert all(doses[0].day == 1 for doses in given)
    for doses in given:
        days = [dose.day for dose in doses]
        assert days == sorted(set(days))
        assert days[-1] <= 182
    # 64 of 65 doses can be missed alone with 5 %, and 12 of 13 courses whole with 2.5 %
    expected = 65 - 64 * 0.05 - 60 * 0.025 * 0.95
    assert np.mean([len(doses) for doses in given]) == pytest.approx(expected, abs=0.3)


def test_children_grow_and_girls_stop_earlier() -> None:
    for sex in ("F", "M"):
        heights = [height_cm(age, sex, 0.3) for age in np.arange(6, 19, 0.5)]
        assert np.all(np.diff(heights) >= 0)
    assert height_cm(18, "F", 0) - height_cm(14, "F", 0) < 4 < height_cm(18, "M", 0) - height_cm(14, "M", 0)
    assert weight_kg(12, 150, 1) > weight_kg(12, 150, 0)
    # worked by hand: the root of 140 * 32 / 3600
    assert body_surface_m2(140, 32) == pytest.approx(1.1155, abs=1e-4)


def test_the_surface_of_a_child_grows_over_a_year() -> None:
    plan = plan_trial(n_subjects=20, seed=2)
    growth = [s.bsa_at(366) / s.bsa_at(1) for s in plan.subjects if s.age_years < 12]
    assert 1.03 < np.mean(growth) < 1.12


def test_streams_have_their_own_numbers() -> None:
    assert entropy(1, "blood", 2, 3) != entropy(1, "serum", 2, 3)
    with pytest.raises(KeyError):
        entropy(1, "bloood")


def test_later_subjects_change_nothing_for_earlier_ones() -> None:
    small, large = (
        plan_trial(n_subjects=n, seed=5, missing_visits=None, faulty_share=0.3, visits=("BL", "M1", "M3", "M6", "M12"))
        for n in (4, 12)
    )
    known = {spec.tube_id: spec for spec in large.tubes}
    assert {spec.tube_id for spec in small.tubes} == {
        one for one in known if one[:4] in ("P001", "P002", "P003", "P004")
    }
    for spec in small.tubes:
        other = known[spec.tube_id]
        assert (spec.seed, spec.faults, spec.blood.values) == (other.seed, other.faults, other.blood.values)
        assert spec.batch is not None
        assert other.batch is not None
        assert (spec.batch.id, spec.batch.gains) == (other.batch.id, other.batch.gains)
