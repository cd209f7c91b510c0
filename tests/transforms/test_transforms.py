"""One contract for every transform, and numbers that the standard or other programs fix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from il2cyto.errors import ParameterError
from il2cyto.transforms import (
    Arcsinh,
    Bounded,
    FlowJoBiex,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Transform,
    transform_from_dict,
)


@st.composite
def biexponential(draw: st.DrawFn, kind: type[Logicle] | type[Hyperlog]) -> Transform:
    top = draw(st.floats(10.0, 2.0**32))
    decades = draw(st.floats(1.0, 8.0))
    width = draw(st.floats(0.01 if kind is Hyperlog else 0.0, decades / 2))
    negative = draw(st.floats(-width, decades - 2 * width))
    return kind(T=top, W=width, M=decades, A=negative)


tops = st.floats(1.0, 2.0**32)
decades = st.floats(0.5, 8.0)
gating_ml = st.one_of(
    st.builds(Linear, T=tops, A=st.floats(0.0, 1.0)),
    st.builds(Log, T=tops, M=decades),
    st.builds(Arcsinh, T=tops, M=decades, A=st.floats(0.0, 0.5)),
    biexponential(Logicle),
    biexponential(Hyperlog),
)
biex = st.builds(
    FlowJoBiex,
    length=st.sampled_from([256.0, 4096.0]),
    maximum=st.floats(1e3, 1e8),
    negative=st.floats(0.0, 1.0),
    width=st.floats(-1000.0, 0.0),
    positive=st.floats(3.0, 7.0),
)
every = st.one_of(gating_ml, biex)


@given(gating_ml)
def test_top_of_the_scale_maps_to_one(transform: Transform) -> None:
    assert transform.apply([transform.T])[0] == pytest.approx(1.0, abs=1e-12)  # type: ignore[attr-defined]


@given(every, st.lists(st.floats(-0.2, 1.3), min_size=2, max_size=30))
def test_inverse_on_the_declared_domain(transform: Transform, positions: list[float]) -> None:
    if isinstance(transform, FlowJoBiex):
        positions = [min(max(p, 0.0), 1.0) * transform.length for p in positions]
    y = np.array(positions)
    scale = max(1.0, float(np.abs(y).max()))
    assert transform.apply(transform.inverse(y)) == pytest.approx(y, abs=1e-9 * scale)


# W = 0 has no linear part to start the iteration from: tiny values once went to -267 and NaN
@example(Logicle(T=10.0, W=0.0, M=1.0, A=0.0), [0.0, 2.2750447282641912e-268])
@example(Logicle(T=11366.0, W=0.0, M=1.0, A=1.0), [-1e-250, 0.0, 2.2750447282641912e-268, 1e-3])
@example(Log(T=2.0, M=1.0), [0.0, 5e-324])  # the quotient is 0, its logarithm is not
@given(every, st.lists(st.floats(-1e7, 1e9), min_size=2, max_size=40))
def test_never_decreasing_and_undefined_only_below_the_domain(transform: Transform, values: list[float]) -> None:
    x = np.sort(np.array(values))
    y = transform.apply(x)
    defined = x >= transform.domain_minimum
    assert np.isfinite(y[defined]).all()
    assert not np.isfinite(y[~defined]).any()
    slack = 4 * np.finfo(float).eps * np.maximum(1.0, np.abs(y[defined]))
    assert (np.diff(y[defined]) >= -slack[1:]).all()


@given(every, st.floats(-0.3, 1.3))
def test_smallest_reaching_is_exact(transform: Transform, position: float) -> None:
    y = position * transform.length if isinstance(transform, FlowJoBiex) else position
    x = transform.smallest_reaching(y)
    if math.isfinite(x):
        assert transform.apply([x])[0] >= y
        below = transform.apply([np.nextafter(x, -np.inf)])[0]
        assert math.isnan(below) or below < y
    elif x > 0:
        assert transform.apply([np.finfo(float).max])[0] < y
    else:
        assert transform.apply([-np.finfo(float).max])[0] >= y


@given(every)
def test_plain_data_round_trip(transform: Transform) -> None:
    assert transform_from_dict(transform.to_dict()) == transform
    bounded = Bounded(transform, 0.1, 0.9)
    assert transform_from_dict(bounded.to_dict()) == bounded


def test_bounds_clamp_and_keep_nan() -> None:
    bounded = Bounded(Log(T=1000.0, M=3.0), minimum=0.25, maximum=0.75)
    assert bounded.apply([1.0, 31.622776601683793, 1000.0]) == pytest.approx([0.25, 0.5, 0.75])
    assert np.isnan(bounded.apply([-1.0, np.nan])).all()


def test_logicle_of_moore_and_parks() -> None:
    # hand-computed in 50-digit arithmetic from B(y) for T = 1000, W = 1, M = 4, A = 0
    scale = Logicle(T=1000.0, W=1.0, M=4.0, A=0.0)
    assert scale.apply([-10.0, -5.0, -1.0, 0.0, 0.3, 1.0, 3.0, 10.0, 100.0, 999.0]) == pytest.approx(
        [0.067574, 0.147986, 0.228752, 0.25, 0.256384, 0.271248, 0.312897, 0.432426, 0.739548, 0.99988997], abs=1e-6
    )


def test_infinity_and_nan() -> None:
    for transform in (Logicle(262144.0, 0.5, 4.5, 0.0), Hyperlog(262144.0, 0.5, 4.5, 0.0)):
        assert transform.apply([np.inf, -np.inf]).tolist() == [np.inf, -np.inf]
        assert np.isnan(transform.apply([np.nan]))[0]
        assert np.isfinite(transform.apply([1.7e308, -1.7e308])).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"type": "logical", "T": 1}, "did you mean 'logicle'"),
        ({"type": "log", "T": 1000}, "lacks M"),
        ({"type": "log", "T": 1000, "M": 4, "W": 1}, "does not know W"),
        ({"type": "logicle", "T": 262144, "W": 3, "M": 4.5, "A": 0}, "W <= M/2"),
        ({"type": "hyperlog", "T": 262144, "W": 0, "M": 4.5, "A": 0}, "0 < W"),
        ({"type": "linear", "T": -1, "A": 0}, "T > 0"),
        ({"type": "arcsinh", "T": 1000, "M": float("nan"), "A": 0}, "M = nan"),
        ({"type": "biex", "length": 256, "maximum": 262144, "negative": 0, "width": 10, "positive": 4.4}, "width <= 0"),
    ],
)
def test_parameters_outside_their_domain(content: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message.replace("(", r"\(")):
        transform_from_dict(content)


@pytest.mark.reference
def test_flowjo_table(reference) -> None:  # type: ignore[no-untyped-def]
    name = "tr_biex_l256_w-7.943282_n1.000000_m4.418540_r262144.000029.csv"
    printed = np.loadtxt(reference / "gatingml2-set1" / "flowjo_xforms" / name, delimiter=",", skiprows=1)[:, 1]
    axis = FlowJoBiex(length=256.0, maximum=262144.000029, negative=1.0, width=-7.943282, positive=4.41854)
    ours = axis.table[0][:4096]
    # FlowJo printed six digits
    assert ours == pytest.approx(printed, rel=5e-6, abs=5e-4)


@pytest.mark.parametrize("kind", [Logicle, Hyperlog])
def test_parameters_at_the_end_of_their_domain(kind: type[Logicle | Hyperlog]) -> None:
    # every scale with one decimal whose A is M - 2W, as a person writes it: float64 has 1 - 2 * 0.4 < 0.2
    for decades in range(10, 61, 3):
        for width in range(1, decades // 2 + 1, 2):
            scale = kind(T=1000.0, W=width / 10, M=decades / 10, A=(decades - 2 * width) / 10)
            assert scale.apply([1000.0, 0.0]) == pytest.approx([1.0, (scale.A + scale.W) / (scale.M + scale.A)])
    with pytest.raises(ParameterError, match="A <= M - 2W"):
        kind(T=1000.0, W=0.4, M=1.0, A=0.2 + 1e-9)
