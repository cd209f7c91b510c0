from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from il2cyto.errors import ParameterError
from il2cyto.report import axis_ticks, gate_picture, picture_range


def pixels(picture: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(picture["density"]), dtype=np.uint8)


def test_density_by_hand():
    # bin (row y, column x): three events low left, one high right; ln(2) / ln(4) = 1/2
    x, y = np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.1, 0.2, 0.3, 0.6])
    picture = gate_picture(x, y, bins=2, x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    assert pixels(picture).tolist() == [255, 0, 0, 128]
    assert picture["n_outside"] == 0
    assert (picture["x_range"], picture["y_range"]) == ([0.0, 1.0], [0.0, 1.0])


def test_rows_run_along_y_from_low_to_high():
    picture = gate_picture(np.array([0.1]), np.array([0.9]), bins=2, x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    assert pixels(picture).tolist() == [0, 0, 255, 0]


def test_histogram_height_is_linear():
    picture = gate_picture(np.array([0.1, 0.1, 0.1, 0.6]), bins=2, x_range=(0.0, 1.0))
    assert pixels(picture).tolist() == [255, 85]
    assert picture["y_range"] is None


def test_a_lone_event_is_never_drawn_as_empty():
    x = np.append(np.full(100_000, 0.1), 0.9)
    assert pixels(gate_picture(x, bins=2, x_range=(0.0, 1.0))).tolist() == [255, 1]


def test_events_outside_and_undefined_are_counted():
    x = np.array([0.5, 1.0, 1.1, np.nan, -np.inf])
    y = np.array([0.5, 1.0, 0.5, 0.5, 0.5])
    picture = gate_picture(x, y, bins=4, x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    assert picture["n_outside"] == 3
    assert np.count_nonzero(pixels(picture)) == 2  # the upper limit belongs to the last bin


def test_no_events_give_an_empty_picture():
    picture = gate_picture(np.array([]), np.array([]), bins=3)
    assert not pixels(picture).any()
    assert picture["x_range"] == [0.0, 1.0]


def test_default_range_takes_in_the_outline():
    picture = gate_picture(np.array([0.4, 0.6]), np.array([0.0, 0.0]), outline=[[0.0, 1.0], [2.0, 1.0], [2.0, 3.0]])
    assert picture["x_range"] == pytest.approx([-0.1, 2.1])
    assert picture["y_range"] == pytest.approx([-0.15, 3.15])


def test_range_uses_quantiles_and_skips_open_ends():
    values = np.append(np.linspace(0.0, 1.0, 10_001), 1e9)
    low, high = picture_range(values, [None, float("inf")])
    assert low == pytest.approx(-0.049, abs=2e-3)
    assert high == pytest.approx(1.049, abs=2e-3)
    assert picture_range(np.array([5.0])) == (4.5, 5.5)


@given(
    arrays(np.float64, st.integers(0, 60), elements=st.floats(allow_nan=True, allow_infinity=True)),
    st.integers(1, 70),
)
def test_every_event_is_in_the_picture_or_counted(x, bins):
    limits = (-1.0, 1.0)
    picture = gate_picture(x, bins=bins, x_range=limits)
    inside = int(((x >= -1.0) & (x <= 1.0)).sum())
    assert picture["n_outside"] == x.size - inside
    assert (np.count_nonzero(pixels(picture)) > 0) == (inside > 0)


def test_wrong_parameters_are_refused():
    with pytest.raises(ParameterError, match="bins = 0"):
        gate_picture(np.array([1.0]), bins=0)
    with pytest.raises(ParameterError, match=r"x_range = \(1\.0, 1\.0\)"):
        gate_picture(np.array([1.0]), x_range=(1.0, 1.0))
    with pytest.raises(ParameterError, match="x has 1 events and y has 2"):
        gate_picture(np.array([1.0]), np.array([1.0, 2.0]))
    with pytest.raises(ParameterError, match="range"):
        axis_ticks(lambda x: x, 0.0, float("nan"))


def arcsinh(x):
    return np.arcsinh(x / 150.0) / np.arcsinh(262144 / 150.0)


def test_ticks_of_a_curved_scale():
    ticks = axis_ticks(arcsinh, -0.4, 1.0)
    assert [label for _, label in ticks] == ["−1k", "0", "1k", "10k", "100k"]
    assert {label: at for at, label in ticks}["10k"] == pytest.approx(float(arcsinh(1e4)), abs=1e-9)


def test_ticks_of_a_log_scale_have_no_zero():
    def log(x):
        with np.errstate(all="ignore"):
            return np.where(x > 0, np.log10(x / 1e6) / 6 + 1, np.nan)

    assert [label for _, label in axis_ticks(log, 0.0, 1.1)] == ["1", "10", "100", "1k", "10k", "100k", "1M"]
    # less than two decades in view: round steps between them
    assert [label for _, label in axis_ticks(log, 0.81, 0.99)] == ["100k", "200k", "500k"]


def test_ticks_of_a_straight_scale():
    assert [label for _, label in axis_ticks(lambda x: x / 262144.0, -0.02, 0.4)] == [
        "0",
        "20k",
        "40k",
        "60k",
        "80k",
        "100k",
    ]
    assert axis_ticks(lambda x: x, 0.0, 60.0)[-1] == (60.0, "60")
    assert [label for _, label in axis_ticks(lambda x: x, 0.0, 0.5)] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]


def test_a_bounded_scale_has_no_tick_on_its_bound():
    labels = [label for _, label in axis_ticks(lambda x: np.minimum(arcsinh(x), 1.0), -0.1, 1.1)]
    assert labels == ["0", "1k", "10k", "100k"]


@given(st.floats(-2.0, 2.0), st.floats(0.01, 3.0), st.sampled_from([arcsinh, lambda x: x / 262144.0]))
def test_ticks_lie_inside_and_apart(low, width, scale):
    ticks = axis_ticks(scale, low, low + width)
    places = [place for place, _ in ticks]
    assert all(low - 1e-8 <= place <= low + width + 1e-8 for place in places)
    assert all(gap >= 0.13 * width - 1e-8 for gap in np.diff(places))
    assert len({label for _, label in ticks}) == len(ticks)
