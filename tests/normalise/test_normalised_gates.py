"""A gate moved to the origin of a common one holds the events that the common one holds after normalisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.errors import ParameterError
from il2cyto.normalise import apply, common_position, learn_quantiles, origin

places = st.floats(-3, 8)


def learnt(shift: float, scale: float):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    cells = np.concatenate([rng.normal(0, 0.4, 4_000), rng.normal(4, 0.7, 2_000)])
    return learn_quantiles({"a": cells[:, None], "b": (shift + scale * cells)[:, None]}, ["CD25"])


@given(st.floats(-2, 2), st.floats(0.5, 2), places)
@settings(max_examples=50)
def test_raw_events_above_the_origin_are_normalised_events_above_the_place(
    shift: float, scale: float, place: float
) -> None:
    curves = learnt(shift, scale)
    events = np.random.default_rng(6).uniform(-4, 12, (2_000, 1))
    for batch in ("a", "b"):
        moved = apply(curves, batch, events)[:, 0]
        (start,) = origin(curves, batch, "CD25", [place])
        sure = np.abs(moved - place) > 1e-9
        assert np.array_equal((events[:, 0] >= start)[sure], (moved >= place)[sure])


@given(places, places)
def test_origin_and_curve_are_inverse(one: float, other: float) -> None:
    curves = learnt(1.0, 1.5)
    back = apply(curves, "b", origin(curves, "b", "CD25", [one, other])[:, None])[:, 0]
    np.testing.assert_allclose(back, [one, other], atol=1e-9)


def test_the_common_place_is_the_mean_of_normalised_ones_by_hand() -> None:
    day = np.linspace(0.0, 4.0, 1001)[:, None]
    curves = learn_quantiles({"a": day, "b": day + 1.0, "c": day[:10]}, ["CD25"])
    # a place at 2 goes to 2.5, one at 4 in b to 3.5; c has no curve and no say
    assert common_position(curves, "CD25", {"a": 2.0, "b": 4.0, "c": 99.0}) == pytest.approx(3.0)
    assert origin(curves, "a", "CD25", [3.0])[0] == pytest.approx(2.5)
    assert origin(curves, "b", "CD25", [3.0])[0] == pytest.approx(3.5)
    assert np.isnan(common_position(curves, "CD25", {"c": 1.0}))
    with pytest.raises(ParameterError, match=r"batch 'x' was not learnt"):
        origin(curves, "x", "CD25", [1.0])
