"""Polygons beside one another: an event on their common edge belongs to one of them, whatever the rounding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.kernels.shapes import crossing_parity

number = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 5e-291, -5e-291, 5e-324, 1e300])


def inside(x: float, y: float, polygon: list[tuple[float, float]]) -> bool:
    return bool(crossing_parity(x, y, np.array(polygon), 0, len(polygon)))


@given(st.tuples(number, number), st.tuples(number, number), st.floats(0, 1))
def test_events_on_a_common_edge_are_in_one_of_two_polygons(
    a: tuple[float, float], b: tuple[float, float], along: float
) -> None:
    low, high = sorted((a, b), key=lambda corner: corner[1])
    (left, _), (right, _) = sorted((a, b))
    x, y = low[0] + along * (high[0] - low[0]), low[1] + along * (high[1] - low[1])
    if not low[1] <= y < high[1]:
        return
    # either polygon passes the common edge in the direction that the other does not
    outer_left, outer_right = left - abs(left) - 2.0, right + abs(right) + 2.0
    if not (outer_left < x < outer_right):
        return
    before = [low, high, (outer_left, high[1]), (outer_left, low[1])]
    after = [high, low, (outer_right, low[1]), (outer_right, high[1])]
    assert inside(x, y, before) != inside(x, y, after)
