"""Standard curves against published fits, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from il2cyto.errors import ParameterError
from il2cyto.serum import Logistic, curve_limits, estimate_concentrations, fit_curve, pool_fits

# R's `ryegrass` (drc) and `DNase` (datasets), with the fits of their help pages
RYEGRASS_DOSE = np.repeat([0, 0.94, 1.88, 3.75, 7.5, 15, 30], [6, 3, 3, 3, 3, 3, 3])
RYEGRASS_LENGTH = np.array(
    [7.58, 8.0, 8.3285714, 7.25, 7.375, 7.9625, 8.3555556, 6.9142857, 7.75, 6.8714286, 6.45, 5.9222222, 1.925,
     2.8857143, 4.2333333, 1.1875, 0.8571429, 1.0571429, 0.6875, 0.525, 0.825, 0.25, 0.22, 0.44]
)  # fmt: skip
DNASE_DOSE = np.repeat([0.04882812, 0.1953125, 0.390625, 0.78125, 1.5625, 3.125, 6.25, 12.5], 2)
DNASE_DENSITY = np.array(
    [0.017, 0.018, 0.121, 0.124, 0.206, 0.215, 0.377, 0.374, 0.614, 0.609, 1.019, 1.001, 1.334, 1.364, 1.730, 1.710]
)

CURVES = st.builds(
    Logistic,
    a=st.floats(1, 100),
    b=st.floats(0.5, 3) | st.floats(-3, -0.5),
    c=st.floats(1, 1e4),
    d=st.floats(1e3, 1e5),
    g=st.floats(0.3, 3),
)


def test_drc_ryegrass() -> None:
    curve = fit_curve(RYEGRASS_DOSE, RYEGRASS_LENGTH, model="4PL", theta=0).curve
    assert curve is not None
    np.testing.assert_allclose([curve.b, curve.d, curve.a, curve.c], [2.98222, 0.48141, 7.79296, 3.05795], rtol=2e-5)


def test_nls_dnase_with_standard_errors() -> None:
    fit = fit_curve(DNASE_DOSE, DNASE_DENSITY, model="4PL", theta=0)
    assert fit.curve is not None
    got = [fit.curve.a, fit.curve.d, np.log(fit.curve.c), 1 / fit.curve.b]
    np.testing.assert_allclose(got, [-0.007897, 2.377239, 1.507403, 1.062579], rtol=1e-4)
    errors = fit.standard_errors
    got = [errors["a"], errors["d"], errors["c"] / fit.curve.c, errors["b"] / fit.curve.b**2]
    np.testing.assert_allclose(got, [0.017200, 0.109516, 0.102080, 0.056996], rtol=1e-4)


def test_five_parameters_against_scipy() -> None:
    true = Logistic(a=30, b=1.3, c=800, d=20000, g=0.6)
    dose = np.repeat(2.0 * 4.0 ** np.arange(8), 3)
    signal = true.signal(dose) * np.exp(np.random.default_rng(1).normal(0, 0.03, dose.size))
    curve = fit_curve(dose, signal, model="5PL", theta=0).curve
    assert curve is not None

    def model(x: np.ndarray, a: float, b: float, c: float, d: float, g: float) -> np.ndarray:
        return d + (a - d) / (1 + (x / c) ** b) ** g

    expected, _ = curve_fit(model, dose, signal, p0=(30, 1.3, 800, 20000, 0.6), xtol=1e-14, ftol=1e-14, maxfev=20000)
    loss = [float(((signal - model(dose, *p)) ** 2).sum()) for p in (expected, curve.parameters)]
    # ours tries the asymmetry at either end and may be better, never worse
    assert loss[1] <= loss[0] * (1 + 1e-9)
    if curve.b > 0:
        np.testing.assert_allclose(curve.parameters, expected, rtol=1e-3)


@settings(max_examples=60, deadline=None)
@given(curve=CURVES, place=st.floats(-1.5, 1.5))
def test_the_inverse_undoes_the_curve(curve: Logistic, place: float) -> None:
    concentration = curve.c * 10**place
    signal = curve.signal(concentration)
    slope = abs(float(curve.slope(concentration)))
    if slope > 1e-6 * float(signal):
        assert float(curve.concentration(signal)) == pytest.approx(concentration, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(curve=CURVES)
def test_the_gradient_is_that_of_differences(curve: Logistic) -> None:
    x = curve.c * np.array([0.1, 1.0, 10.0])
    exact = curve.gradient(x)
    for column, step in enumerate(np.eye(5) * 1e-6):
        moved = [
            Logistic(
                curve.a * (1 + sign * step[0]), curve.b * (1 + sign * step[1]), curve.c * np.exp(sign * step[2]),
                curve.d * (1 + sign * step[3]), curve.g * np.exp(sign * step[4]),
            ).signal(x)
            for sign in (1, -1)
        ]  # fmt: skip
        scale = (curve.a, curve.b, 1.0, curve.d, 1.0)[column]
        np.testing.assert_allclose(exact[:, column] * scale, (moved[0] - moved[1]) / 2e-6, rtol=1e-3, atol=1e-3)


def test_a_change_of_unit_changes_the_unit_alone() -> None:
    dose = np.repeat(2.0 * 4.0 ** np.arange(8), 2)
    signal = Logistic(a=30, b=1.1, c=800, d=20000).signal(dose) * np.tile([0.97, 1.03], 8)
    found = [estimate_concentrations(fit_curve(dose * f, signal, model="4PL"), [900.0, 9000.0]) for f in (1.0, 1000.0)]
    np.testing.assert_allclose(found[0].value * 1000, found[1].value, rtol=1e-6)
    np.testing.assert_allclose(found[0].se_log, found[1].se_log, rtol=1e-5)
    order = np.random.default_rng(0).permutation(dose.size)
    again = fit_curve(dose[order], signal[order], model="4PL")
    np.testing.assert_array_equal(again.curve.parameters, fit_curve(dose, signal, model="4PL").curve.parameters)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    true = Logistic(a=20, b=1.1, c=1500, d=25000)
    dose = np.repeat([0.0, *(10000 / 4.0 ** np.arange(8))], 2)
    truth = np.array([5.0, 50.0, 500.0])
    inside = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        fit = fit_curve(dose, true.signal(dose) * np.exp(rng.normal(0, 0.05, dose.size)), model="4PL")
        means = (true.signal(truth) * np.exp(rng.normal(0, 0.05, (2, 3)))).mean(axis=0)
        found = estimate_concentrations(fit, means, 2)
        inside.append((found.lower <= truth) & (truth <= found.upper))
    assert 0.93 <= np.mean(inside) <= 0.97


def test_what_is_no_curve_says_why() -> None:
    dose = np.repeat(4.0 ** np.arange(8), 2)
    flat = fit_curve(dose, np.tile([100.0, 104.0], 8))
    assert flat.curve is None
    assert flat.reason == "no start led to a curve"
    noise = fit_curve(dose, np.random.default_rng(0).normal(100, 10, 16), model="4PL")
    assert noise.curve is None
    assert "does not change with the concentration" in noise.reason
    few = fit_curve([1, 2, 4, 8], [10, 20, 40, 80])
    assert few.reason == "4 levels with readings; a curve needs 6"
    assert fit_curve(dose, np.full(16, 7.0)).reason == "all readings are the same"
    assert "have no logarithm" in fit_curve(dose, np.linspace(-1, 900, 16), scale="log").reason
    with pytest.raises(ParameterError, match="no curve: all readings are the same"):
        estimate_concentrations(fit_curve(dose, np.full(16, 7.0)), [1.0])
    with pytest.raises(ParameterError, match="none is below 0"):
        fit_curve([-1.0, 2.0], [1.0, 2.0])


def test_limits_are_those_of_the_rules() -> None:
    dose = np.repeat([0.0, 1, 4, 16, 64, 256, 1024], 2)
    curve = Logistic(a=20, b=1.0, c=4000, d=20000)
    signal = curve.signal(dose) * np.tile([0.99, 1.01], 7)
    signal[:2] = (19.0, 21.0)
    # mean 20, standard deviation 1.414: the limit of detection is where the curve has 24.24
    clean = fit_curve(dose, signal, model="4PL")
    lod = float(clean.curve.concentration(20 + 3 * np.sqrt(2)))
    assert lod > 0
    assert curve_limits(clean, dose, signal).lod == pytest.approx(lod)
    # the lowest standard reads as high as the one above it
    signal[2:4] = signal[4:6]
    limits = curve_limits(fit_curve(dose, signal, model="4PL"), dose, signal)
    assert (limits.lloq, limits.uloq) == (16.0, 1024.0) or (limits.lloq, limits.uloq) == (4.0, 1024.0)
    assert not limits.levels["within"].iloc[0]


def test_an_unsure_plate_leans_on_the_others() -> None:
    dose = np.repeat(2.0 * 4.0 ** np.arange(8), 2)
    true = Logistic(a=30, b=1.1, c=800, d=20000)
    spreads = (0.02, 0.02, 0.02, 0.3)
    fits = [
        fit_curve(dose, true.signal(dose) * np.exp(np.random.default_rng(i).normal(0, s, 16)), model="4PL")
        for i, s in enumerate(spreads)
    ]
    pooled = pool_fits(fits)
    off = [abs(np.log(one[3].curve.c / 800)) for one in (fits, pooled)]
    assert off[1] < off[0] / 2
    assert pooled[0].curve.c == pytest.approx(fits[0].curve.c, rel=0.05)
    assert pool_fits(fits[:2]) == fits[:2]


LEVELS = np.concatenate([[0.0, 0.0], np.repeat(2.0 * 4.0 ** np.arange(7), 2)])


@settings(max_examples=20)
@given(
    st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 64), min_size=16, max_size=16),
    st.sampled_from(["4PL", "5PL", "auto"]),
    st.sampled_from(["linear", "log"]),
    st.sampled_from([0.0, 1.0, None]),
)
def test_any_readings_give_a_curve_or_a_reason(
    signals: list[float], model: str, scale: str, theta: float | None
) -> None:
    fit = fit_curve(LEVELS, signals, model=model, scale=scale, theta=theta)
    assert (fit.curve is None) == bool(fit.reason)
    if fit.curve is not None:
        assert np.isfinite(fit.curve.signal(LEVELS)).all()
        assert np.isfinite(fit.curve.parameters).all()


@settings(max_examples=10)
@given(st.permutations(list(range(14))), st.sampled_from(["4PL", "5PL"]))
def test_wells_in_any_order_give_a_curve_or_a_reason(order: list[int], model: str) -> None:
    signals = Logistic(a=15, b=1.05, c=1500, d=25000).signal(LEVELS)
    signals[2:] = signals[2:][order]
    fit = fit_curve(LEVELS, signals, model=model)
    assert (fit.curve is None) == bool(fit.reason)


def test_net_signals_about_zero_do_not_bend_the_curve() -> None:
    """Blanks taken off, proportional scatter of 5 % and 2 units of noise: every plate quantifies, without bias."""
    true = Logistic(a=15, b=1.05, c=1500, d=25000)
    dose = np.concatenate([[0.0, 0.0], np.repeat(10000 / 4.0 ** np.arange(8), 2)])
    rng = np.random.default_rng(5)
    errors, inside = [], []
    for _ in range(40):
        signal = true.signal(dose) * (1 + 0.05 * rng.standard_normal(18)) + 2 * rng.standard_normal(18)
        net = signal - signal[:2].mean()
        fit = fit_curve(dose, net, model="4PL")
        limits = curve_limits(fit, dose, net)
        assert limits.lloq <= 10
        assert limits.uloq >= 2500
        known = np.array([30.0, 300.0])
        read = true.signal(known) * (1 + 0.05 * rng.standard_normal((2, 2))).mean(axis=0) - signal[:2].mean()
        got = estimate_concentrations(fit, read, [2, 2])
        errors.append(np.log(got.value / known))
        inside.append((got.lower <= known) & (known <= got.upper))
    assert abs(np.mean(errors)) < 0.02
    assert 0.87 <= np.mean(inside) <= 1
