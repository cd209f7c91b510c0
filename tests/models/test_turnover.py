"""The turnover model: the simulator's formulas, R, a numerically integrated equation, and a simulated truth."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import solve_ivp

from il2cyto.errors import ParameterError
from il2cyto.models.turnover import DECAY_PER_DAY, TurnoverFit, dose_level, fit_turnover, predict
from il2cyto.simulate.course import DECAY_PER_DAY as TRUE_DECAY
from il2cyto.simulate.course import course_level, drift_level, log_fold
from il2cyto.simulate.regimen import given_doses

Floats = NDArray[np.float64]
DAYS = (1, 30, 91, 182, 365)
Drawn = tuple[Floats, NDArray[np.int64], NDArray[np.int64], Floats]


def draw(seed: int | list[int], log_peak: float, n: int = 46, within: float = 0.2) -> Drawn:
    """Trial of the simulator's formulas: log cells, subject, visit and level; subjects of even number are treated."""
    rng = np.random.default_rng(seed)
    y, level = np.empty(n * 5), np.zeros(n * 5)
    for i in range(n):
        response, own = rng.normal(), rng.normal(4, 0.5)
        doses = [dose.day for dose in given_doses(rng, 0.05)] if i % 2 == 0 else []
        for j, day in enumerate([1] + [day + int(rng.integers(-4, 5)) for day in DAYS[1:]]):
            level[5 * i + j] = course_level(day, doses)
            y[5 * i + j] = own + log_fold(log_peak, response, level[5 * i + j]) + 0.15 * drift_level(day)
            y[5 * i + j] += rng.normal(0, within)
    return y, np.repeat(np.arange(n), 5), np.tile(np.arange(5), n), level


def log_uninterrupted(log_peak: float) -> float:
    """``log(1 + S)`` of a log peak after five daily doses."""
    return float(np.log1p(np.expm1(log_peak) / (1 - np.exp(-5 * TRUE_DECAY))))


def numbers(fit: TurnoverFit) -> list[float]:
    parts = [fit.effect, fit.sd_response, fit.sd_between, fit.sd_within, *fit.time_effects]
    return [number for part in parts for number in (part.value, part.se, part.lower, part.upper)]


def test_the_likelihood_of_r() -> None:
    """The same likelihood in R 4 by brute integration, ``x <- seq(-8, 8, length.out = 1601)``, and ``optim``.

    For each subject with ``V <- diag(s^2, m) + t^2`` and
    ``R <- y - mu[visit] - log(outer(1 - L, rep(1, 1601)) + outer(L, exp(psi + w * x)))``:
    ``log(sum(exp(-colSums(R * solve(V, R)) / 2 - x^2 / 2)) * 0.01) - (m + 1) / 2 * log(2 * pi) - log(det(V)) / 2``,
    maximised by ``optim(method = "BFGS", control = list(reltol = 1e-16, ndeps = rep(1e-5, 9)))``; errors from
    ``optimHess(control = list(ndeps = rep(1e-3, 9)))``. ``nlme(y ~ b0 + log(1 - L + L * exp(psi)), fixed = list(b0 ~
    visit, psi ~ 1), random = list(id = pdDiag(list(b0 ~ 1, psi ~ 1))), method = "ML")`` of nlme, which approximates the
    likelihood, has psi 1.4414 (0.0830), w 0.160, t 0.4192 and s 0.2017.
    """
    fit = fit_turnover(*draw(1, np.log(2.6)))
    found = [fit.effect.value, fit.sd_response.value, fit.sd_between.value, fit.sd_within.value]
    np.testing.assert_allclose(found, [1.4316389018, 0.1627859426, 0.4192162608, 0.2015577115], rtol=1e-7)
    times = np.array([3.9326964092, 3.9867378106, 4.1498086957, 4.0145850037]) - 3.9767413884
    np.testing.assert_allclose([effect.value for effect in fit.time_effects[1:]], times, atol=1e-8)
    errors = [fit.effect.se, fit.sd_response.se, fit.sd_between.se, fit.sd_within.se / fit.sd_within.value]
    np.testing.assert_allclose(errors, [0.083050575, 0.089146084, 0.046134287, 0.055599770], rtol=1e-4)
    assert fit.log_likelihood == pytest.approx(-33.3415322089, abs=1e-8)
    assert (fit.n_subjects, fit.n_treated, fit.n_observations, fit.df, fit.note) == (46, 23, 230, 22, "")


def test_alike_subjects_are_lme4s_profile() -> None:
    """R's lme4: ``optimize(maximum = TRUE, tol = 1e-9)`` over psi of the likelihood of ``lmer(y - log(1 - L + L *
    exp(psi)) ~ visit + (1 | id), REML = FALSE)``, where our model puts the deviation of the response at 0.

    For the data of `test_the_likelihood_of_r` the profile has its maximum, -33.95758246948, at 1.43499493: below that
    of the model in which subjects differ.
    """
    assert fit_turnover(*draw(1, np.log(2.6))).log_likelihood > -33.95758246948
    fit = fit_turnover(*draw([3, 0], 0.0))
    assert fit.log_likelihood == pytest.approx(-44.368306096398, abs=1e-8)
    found = [fit.effect.value, fit.sd_between.value, fit.sd_within.value]
    np.testing.assert_allclose(found, [-0.120709867314, 0.4736533032, 0.2118651394], rtol=1e-6)
    assert fit.sd_response.value == 0
    assert np.isnan([fit.sd_response.se, fit.sd_response.lower, fit.sd_response.upper]).all()
    assert fit.note == "the response of subjects does not differ: its deviation is at its boundary, 0"
    assert fit.effect.lower < 0 < fit.effect.upper


@pytest.mark.parametrize("log_peak", [np.log(2.6), 0.0])
def test_limits_hold_the_truth(log_peak: float) -> None:
    truth, trials = log_uninterrupted(log_peak), 200
    fits = [fit_turnover(*draw([2, k], log_peak)).effect for k in range(trials)]
    values = np.array([fit.value for fit in fits])
    held = sum(fit.lower <= truth <= fit.upper for fit in fits)
    low, high = stats.binom.ppf([0.0005, 0.9995], trials, 0.955)
    assert low <= held <= high
    # a quarter of a standard error at most
    assert abs(values.mean() - truth) < 0.25 * values.std() + 3.3 * values.std() / np.sqrt(trials)
    assert np.mean([fit.se for fit in fits]) == pytest.approx(values.std(), rel=0.2)


def test_a_population_that_falls() -> None:
    y, who, visit, level = draw(4, 0.0)
    fallen = y + np.log1p(-0.6 * level)
    fit = fit_turnover(fallen, who, visit, level)
    assert fit.effect.upper < 0
    assert fit.effect.lower < np.log(0.4) < fit.effect.upper
    found = predict(fit, np.arange(1, 6), [6])
    assert found.lower[0] < 1 - 0.6 * 0.632 < found.upper[0] < 1
    gone = fit_turnover(y + 12 * np.log1p(-0.9 * level), who, visit, level)
    assert not gone.converged
    assert gone.reason.startswith("no maximum: a fall is steeper than production that ceases")
    assert np.isnan(gone.effect.value)


def test_rows_names_and_units_change_nothing() -> None:
    y, who, visit, level = draw(5, np.log(2.0))
    known = np.random.default_rng(0).random(len(y)) > 0.1
    y, who, visit, level = y[known], who[known], visit[known], level[known]
    fit = fit_turnover(y, who, visit, level)
    order = np.random.default_rng(1).permutation(len(y))
    assert numbers(fit_turnover(y[order], who[order], visit[order], level[order])) == numbers(fit)
    names = np.array([f"S{n:02d}" for n in who])
    np.testing.assert_allclose(numbers(fit_turnover(y + 9.0, names, visit * 3, level)), numbers(fit), rtol=1e-5)
    more = fit_turnover(y, who, visit, level, nodes=51)
    np.testing.assert_allclose(more.effect.value, fit.effect.value, atol=1e-7)


def test_level_is_the_simulators() -> None:
    assert DECAY_PER_DAY == TRUE_DECAY
    doses = [dose.day for dose in given_doses(np.random.default_rng(3), 0.2)]
    days = np.arange(1, 400)
    expected = [course_level(float(day), doses) for day in days]
    np.testing.assert_allclose(dose_level(days, doses), expected, atol=1e-14)
    assert dose_level([3.0], []).tolist() == [0.0]
    assert dose_level([9.0], [5, 5]).tolist() == dose_level([9.0], [5]).tolist()
    assert dose_level([400.0], np.arange(1, 400))[0] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("decay", [0.15, 0.2, 0.25])
def test_prediction_is_the_integrated_equation(decay: float) -> None:
    y, who, visit, level = draw(6, np.log(2.6))
    fit = fit_turnover(y, who, visit, level, decay_per_day=decay)
    doses = [dose.day for dose in given_doses(np.random.default_rng(4), 0.2)][:20]
    edges = sorted({1, 80, *doses, *(dose + 1 for dose in doses)})
    days = np.arange(1, 80, 0.25)
    stimulus, start = np.expm1(fit.effect.value), 1.0
    expected: list[float] = []
    for begin, end in pairwise(edges):
        on = float(begin in doses)
        at = days[(days >= begin) & (days < end)]
        solved = solve_ivp(
            lambda _, ratio, on=on: decay * (1 + stimulus * on) - decay * ratio,
            (begin, end), [start], t_eval=[*at, end], rtol=1e-11, atol=1e-12,
        )  # fmt: skip
        expected += solved.y[0, :-1].tolist()
        start = float(solved.y[0, -1])
    found = predict(fit, doses, days)
    np.testing.assert_allclose(found.ratio, expected, rtol=1e-6)
    assert (found.lower <= found.ratio).all()
    assert (found.ratio <= found.upper).all()
    # the delta method: the log ratio at a little more of the effect
    level_at = dose_level(days, doses, decay)
    more = np.log1p(np.expm1(fit.effect.value + 1e-6) * level_at) - np.log1p(np.expm1(fit.effect.value) * level_at)
    np.testing.assert_allclose(found.log_se, more / 1e-6 * fit.effect.se, rtol=1e-5, atol=1e-9)


def test_speed() -> None:
    drawn = draw(7, np.log(2.6))
    spent = []
    for _ in range(3):
        begin = time.perf_counter()
        fit_turnover(*drawn)
        spent.append(time.perf_counter() - begin)
    assert min(spent) < 1.0


def test_subjects_without_a_level_of_their_own() -> None:
    y, who, visit, level = draw(9, np.log(2.6))
    flat = y - np.bincount(who, y)[who] / 5
    fit = fit_turnover(flat, who, visit, level)
    assert fit.converged
    assert fit.sd_between.value == 0
    assert fit.note.endswith("the variance between subjects is at its boundary, 0")


def test_what_says_nothing() -> None:
    y, who, visit, level = draw(10, np.log(2.6))
    treated = who % 2 == 0
    alone = fit_turnover(y[treated], who[treated], visit[treated], level[treated])
    assert (alone.converged, alone.reason) == (False, "0 subjects without a dose have two values or more; 3 are needed")
    untreated = fit_turnover(y, who, visit, np.zeros(len(y)))
    assert untreated.reason == "0 subjects after a dose have two values or more; 3 are needed"
    # controls at the visits without a level only, and a level that is the same for all
    some = treated | np.isin(visit, [0, 4])
    same = np.where(treated, np.array([0.0, 0.5, 0.4, 0.3, 0.0])[visit], 0.0)
    found = fit_turnover(y[some], who[some], visit[some], same[some])
    assert found.reason.startswith("visits and doses cannot be told apart")
    exact = fit_turnover(np.where(who % 3 == 0, 4.0, 5.0), who, visit, level)
    assert exact.reason.startswith("no residual variation")
    for fit in (alone, untreated, found, exact):
        assert np.isnan(fit.effect.value)
        with pytest.raises(ParameterError, match="nothing can be predicted"):
            predict(fit, [1], [2])


def test_what_is_refused() -> None:
    y, who, visit, level = draw(11, 0.0, n=8)
    with pytest.raises(ParameterError, match=r"want one \(n,\)"):
        fit_turnover(y[1:], who, visit, level)
    with pytest.raises(ParameterError, match="two values at a visit"):
        fit_turnover(y, who, np.zeros(len(y), dtype=int), level)
    with pytest.raises(ParameterError, match="not finite"):
        fit_turnover(np.append(y[1:], -np.inf), who, visit, level)
    with pytest.raises(ParameterError, match="below 1"):
        fit_turnover(y, who, visit, level + 1)
    with pytest.raises(ParameterError, match="whole numbers"):
        fit_turnover(y, who, visit * 0.5, level)
    with pytest.raises(ParameterError, match="want a rate above 0"):
        fit_turnover(y, who, visit, level, decay_per_day=0.0)
    with pytest.raises(ParameterError, match="less than a day apart"):
        dose_level([3], [1, 1.5])
    with pytest.raises(ParameterError, match="finite"):
        dose_level([np.nan], [1])
