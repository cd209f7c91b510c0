"""The beta-binomial model against R's glmmTMB and lme4, an integral by brute force, laws, boundaries and coverage.

All reference values are of R 4 with glmmTMB and lme4; the calls stand with the data. glmmTMB integrates the intercepts
out by Laplace's approximation, which is one node here.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from il2cyto.errors import ParameterError
from il2cyto.models.betabinomial import BetaBinomialFit, fit_beta_binomial

# Crowder, Applied Statistics 27 (1978) 34: germinated seeds of Orobanche on 21 plates, two kinds × two root extracts
SEEDS = [10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3]
OF_SEEDS = [39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7]
KIND = np.repeat([0.0, 1.0], [11, 10])
EXTRACT = np.repeat([0.0, 1.0, 0.0, 1.0], [5, 6, 5, 5])

# Lesnoff et al., Preventive Veterinary Medicine 67 (2004) 11: data set cbpp of lme4, 15 herds in four periods
HERD = np.repeat(np.arange(1, 16), [4, 3, 4, 4, 4, 4, 4, 1, 4, 4, 4, 4, 4, 4, 4])
PERIOD = np.array([1, 2, 3, 4, 1, 2, 3, *[1, 2, 3, 4] * 5, 1, *[1, 2, 3, 4] * 7]) - 1
INCIDENCE = [2, 3, 4, 0, 3, 1, 1, 8, 2, 0, 2, 2, 0, 2, 0, 5, 0, 0, 1, 3, 0, 0, 1, 8, 1, 3, 0, 12, 2, 0, 0,
             0, 1, 1, 0, 2, 0, 5, 3, 1, 2, 1, 0, 0, 1, 2, 0, 0, 11, 0, 0, 0, 1, 1, 1, 0]  # fmt: skip
OF_HERD = [14, 12, 9, 5, 22, 18, 21, 22, 16, 16, 20, 10, 10, 9, 6, 18, 25, 24, 4, 17, 17, 18, 20, 16, 10,
           9, 5, 34, 9, 6, 8, 6, 22, 22, 18, 22, 25, 27, 22, 22, 10, 8, 6, 5, 21, 24, 19, 23, 19, 2, 3, 2,
           19, 15, 15, 15]  # fmt: skip

# simulated in R: 12 subjects × 3 visits of two arms, few events of many
FEW = [7, 4, 34, 8, 18, 44, 0, 6, 1, 9, 10, 11, 12, 2, 5, 0, 4, 3, 25, 32, 26, 0, 18, 14, 1, 3, 1, 4, 1,
       6, 10, 163, 39, 48, 13, 4]  # fmt: skip
OF_FEW = [20540, 5071, 33805, 2790, 5669, 12781, 803, 4043, 5601, 5196, 7974, 7185, 4902, 23355, 2399,
          5710, 17614, 8288, 7566, 11063, 9792, 7219, 14440, 10894, 6676, 2496, 5029, 3238, 1119, 4960,
          6815, 28915, 28139, 19668, 3368, 1829]  # fmt: skip
# 10 subjects × 3 visits, up to a million parent events
MANY = [93849, 102912, 118623, 78500, 124868, 145025, 105613, 147339, 76045, 159307, 86205, 50177, 29433,
        56591, 46314, 122927, 141142, 73084, 266810, 287003, 124087, 54254, 145141, 33787, 27851, 66735,
        39442, 176979, 187274, 78440]  # fmt: skip
OF_MANY = [408363, 533746, 665438, 378447, 648877, 607273, 620854, 937835, 368480, 996129, 445420, 381626,
           450513, 663806, 637623, 530525, 409822, 462956, 979121, 649923, 476056, 411582, 553044, 308074,
           494302, 446081, 954489, 899426, 582948, 380778]  # fmt: skip
# 10 subjects × 2 visits, binomial given the subject
PURE = [21, 9, 16, 16, 36, 16, 8, 18, 37, 23, 9, 12, 17, 21, 11, 27, 6, 5, 20, 30]
OF_PURE = [3322, 2273, 4654, 4016, 6753, 4208, 1571, 2680, 7695, 7248, 3957, 3004, 3610, 2914, 3033, 3244,
           5338, 2916, 2835, 2587]  # fmt: skip


def arms_and_visits(subjects: int, visits: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Indicator of each arm and visit; the second half of the subjects is the second arm."""
    subject = np.repeat(np.arange(subjects), visits)
    cell = (subject >= subjects // 2) * visits + np.tile(np.arange(visits), subjects)
    return np.eye(2 * visits)[cell], subject


def check(fit: BetaBinomialFit, params: list[float], errors: list[float], rtol: float) -> None:
    assert fit.converged
    np.testing.assert_allclose(fit.params, params, rtol=rtol)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), errors, rtol=rtol)


def test_germinated_seeds() -> None:
    """glmmTMB(cbind(r, n - r) ~ seed * extract, family = betabinomial)."""
    design = np.column_stack([np.ones(21), KIND, EXTRACT, KIND * EXTRACT])
    fit = fit_beta_binomial(SEEDS, OF_SEEDS, design, np.arange(21))
    params = [-0.54195054566, 0.09739084349, 1.32006854575, -0.79792510656]
    check(fit, params, [0.1637844929, 0.2736686206, 0.2339768040, 0.3779548840], 1e-5)
    assert fit.dispersion == pytest.approx(79.9002832, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-53.76676336, abs=1e-7)
    assert fit.sd_between == 0
    assert fit.note == "one row per subject: no variance between subjects"


def test_herds_differ_no_more_than_their_samples() -> None:
    """glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), family = betabinomial): its sd is 1.9e-6."""
    design = np.column_stack([np.ones(56), *[k == PERIOD for k in (1, 2, 3)]]).astype(float)
    fit = fit_beta_binomial(INCIDENCE, OF_HERD, design, HERD)
    params = [-1.3187731566, -0.9688853192, -1.2509292479, -1.4725206607]
    check(fit, params, [0.2326123634, 0.4064480918, 0.4568320201, 0.5108611053], 1e-5)
    assert fit.dispersion == pytest.approx(10.84265881, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-88.04164682, abs=1e-7)
    assert fit.sd_between == 0
    assert fit.note == "the variance between subjects is at its boundary, 0"


def test_few_events_with_intercepts() -> None:
    """glmmTMB(cbind(y, n - y) ~ arm:visit - 1 + (1 | subject), family = betabinomial)."""
    design, subject = arms_and_visits(12, 3)
    fit = fit_beta_binomial(FEW, OF_FEW, design, subject, nodes=1)
    params = [-6.921460656, -7.048328851, -6.719466873, -6.726389045, -6.008013799, -6.606215299]
    errors = [0.3968664476, 0.3849165268, 0.3559380721, 0.3525201101, 0.3163624267, 0.3514938615]
    check(fit, params, errors, 1e-5)
    assert fit.sd_between == pytest.approx(0.5924372536, rel=1e-5)
    assert fit.dispersion == pytest.approx(2468.412641, rel=1e-4)
    assert fit.log_likelihood == pytest.approx(-116.2519314, abs=1e-6)
    assert fit.note == ""


def test_a_million_parent_events() -> None:
    """glmmTMB(cbind(y, n - y) ~ arm:visit - 1 + (1 | subject), family = betabinomial)."""
    design, subject = arms_and_visits(10, 3)
    fit = fit_beta_binomial(MANY, OF_MANY, design, subject, nodes=1)
    params = [-1.6649255312, -1.6837464577, -1.677403901, -1.6285277167, -0.8955658444, -1.8031211697]
    errors = [0.2365581063, 0.2370500341, 0.236740439, 0.2363651469, 0.2333582937, 0.2374298196]
    check(fit, params, errors, 1e-4)
    assert fit.sd_between == pytest.approx(0.5036295089, rel=1e-4)
    assert fit.dispersion == pytest.approx(283.6516092, rel=1e-4)
    assert fit.log_likelihood == pytest.approx(-341.239755566, abs=1e-6)


def test_binomial_events() -> None:
    """Of glmmTMB(family = binomial), and with 25 nodes of lme4's glmer(family = binomial, nAGQ = 25)."""
    design, subject = arms_and_visits(10, 2)
    fit = fit_beta_binomial(PURE, OF_PURE, design, subject, nodes=1)
    params = [-5.2751374855, -5.4901673981, -5.7213793168, -5.1427282195]
    check(fit, params, [0.2047729215, 0.2128252838, 0.2221775515, 0.2120296945], 1e-5)
    assert fit.sd_between == pytest.approx(0.4035068753, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-62.8437300256, abs=1e-6)
    assert fit.dispersion == np.inf
    assert fit.note == "the dispersion is at its boundary: the events vary no more than binomial ones"
    more = fit_beta_binomial(PURE, OF_PURE, design, subject, nodes=25)
    np.testing.assert_allclose(more.params, [-5.2751259817, -5.4901661486, -5.721462227, -5.1428554435], rtol=1e-5)
    # its errors are of differences of a likelihood that is known to fewer digits
    errors = [0.2050175268, 0.2130606976, 0.222406187, 0.2122701416]
    np.testing.assert_allclose(np.sqrt(np.diag(more.covariance)), errors, rtol=1e-3)
    assert more.sd_between == pytest.approx(0.404129211, rel=1e-4)


def test_the_likelihood_is_the_integral() -> None:
    design, subject = arms_and_visits(12, 3)
    few, fit = (fit_beta_binomial(FEW, OF_FEW, design, subject, nodes=nodes) for nodes in (11, 41))
    assert fit.converged
    eta, y, n = design @ fit.params, np.array(FEW), np.array(OF_FEW)

    def density(u: float, rows: NDArray[np.bool_]) -> float:
        mu = 1 / (1 + np.exp(-eta[rows] - u))
        events = stats.betabinom.logpmf(y[rows], n[rows], mu * fit.dispersion, (1 - mu) * fit.dispersion)
        return float(np.exp(events.sum() + stats.norm.logpdf(u, 0, fit.sd_between) + 25))

    total = sum(np.log(integrate.quad(density, -5, 5, (subject == s,), epsrel=1e-10)[0]) - 25 for s in range(12))
    assert fit.log_likelihood == pytest.approx(total, abs=1e-6)
    assert few.log_likelihood == pytest.approx(total, abs=1e-4)
    np.testing.assert_allclose(few.params, fit.params, atol=1e-4)
    np.testing.assert_allclose(few.covariance, fit.covariance, rtol=1e-3)


def simulated(
    seed: int, subjects: int, visits: int, *, level: float = -6.5, sd: float = 0.5, phi: float = 2000.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    design, subject = arms_and_visits(subjects, visits)
    n = np.round(np.exp(rng.normal(9, 0.7, len(subject))))
    mu = 1 / (1 + np.exp(-level - rng.normal(0, sd, subjects)[subject]))
    share = rng.beta(mu * phi, (1 - mu) * phi)
    return rng.binomial(n.astype(int), share).astype(float), n, design, subject


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_laws(seed: int) -> None:
    """Order and names of subjects mean nothing; the other events have the opposite odds; effects may be combined."""
    y, n, design, subject = simulated(seed, 14, 2)
    fit = fit_beta_binomial(y, n, design, subject)
    assert fit.converged
    order = np.random.default_rng(seed).permutation(len(y))
    names = np.array([f"S{97 * s % 31:02d}" for s in subject])
    shuffled = fit_beta_binomial(y[order], n[order], design[order], names[order])
    other = fit_beta_binomial(n - y, n, design, subject)
    mix = np.array([[1.0, 0, 0, 0], [-1, 1, 0, 0], [-1, 0, 1, 0], [1, -1, -1, 1]]) @ np.diag([1.0, 2, 5, 0.1])
    combined = fit_beta_binomial(y, n, design @ np.linalg.inv(mix), subject)
    for found, turn in ((shuffled, np.eye(4)), (other, -np.eye(4)), (combined, mix)):
        assert found.converged
        assert found.note == fit.note
        np.testing.assert_allclose(found.params, turn @ fit.params, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.covariance, turn @ fit.covariance @ turn.T, rtol=2e-3, atol=1e-5)
        assert found.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)
        assert found.sd_between == pytest.approx(fit.sd_between, rel=1e-3)


def test_one_group_of_pure_binomials_is_its_share() -> None:
    y, n = np.array([20.0, 31, 40, 49]), np.array([2000.0, 3000, 4000, 5000])
    fit = fit_beta_binomial(y, n, np.ones((4, 1)), [1, 1, 2, 2])
    share = y.sum() / n.sum()
    assert fit.converged
    assert fit.params[0] == pytest.approx(np.log(share / (1 - share)), rel=1e-9)
    assert fit.covariance[0, 0] == pytest.approx(1 / (n.sum() * share * (1 - share)), rel=1e-5)
    assert (fit.sd_between, fit.dispersion) == (0, np.inf)
    assert fit.note.startswith("the variance between subjects is at its boundary, 0; the dispersion is at its boundary")
    expected = stats.binom.logpmf(y, n, share).sum()
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-9)


def test_single_events_have_no_dispersion() -> None:
    y, subject = np.array([1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1]), np.repeat(np.arange(6), 2)
    fit = fit_beta_binomial(y, np.ones(12), np.ones((12, 1)), subject)
    assert fit.converged
    assert fit.params[0] == pytest.approx(np.log(7 / 5), rel=1e-6)
    assert fit.note.endswith("no parent has more than one event: there is no dispersion")


def test_what_has_no_maximum() -> None:
    design = np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]])
    n = [100, 200, 300, 400]
    fit = fit_beta_binomial([0, 0, 0, 0], n, design, [0, 1, 2, 3])
    assert (fit.converged, fit.note) == (False, "there are no events")
    assert np.isnan(fit.params).all()
    fit = fit_beta_binomial(n, n, design, [0, 1, 2, 3])
    assert (fit.converged, fit.note) == (False, "every event of the parent is one of the population")
    fit = fit_beta_binomial([3, 5, 0, 0], n, design, [0, 1, 0, 1])
    assert not fit.converged
    assert np.isnan(fit.params).all()
    assert fit.note.startswith("separation: effect 1 (from 0) set")
    # a slope that none but empty samples tell of, in both directions, has an estimate
    slope = np.column_stack([np.ones(6), [0.0, 0, 0, -1, 1, 0]])
    assert fit_beta_binomial([3, 5, 4, 0, 0, 2], np.full(6, 100), slope, np.arange(6)).converged
    separated = fit_beta_binomial([3, 5, 4, 0, 0, 2], np.full(6, 100), np.abs(slope), np.arange(6))
    assert separated.note.startswith("separation: effect 1 ")
    # all or nothing in every sample: the shares are 0 or 1
    fit = fit_beta_binomial([50, 0, 50, 0, 50], [50] * 5, np.ones((5, 1)), np.arange(5))
    assert not fit.converged
    assert fit.note.startswith("no maximum: the dispersion is at the limit of the search, 0.001")


def test_what_is_no_data() -> None:
    design = np.ones((2, 1))
    with pytest.raises(ParameterError, match=r"row 1: 5 events of 4: want whole numbers"):
        fit_beta_binomial([1, 5], [4, 4], design, [0, 1])
    for events, parent in (([1, 0.5], [4, 4]), ([1, 0], [4, 0]), ([1, np.nan], [4, 4]), ([-1, 0], [4, 4])):
        with pytest.raises(ParameterError, match="want whole numbers, from 0 to a parent of 1 or more"):
            fit_beta_binomial(events, parent, design, [0, 1])
    with pytest.raises(ParameterError, match=r"shapes \(2,\), \(3,\), \(2, 1\) and \(2,\)"):
        fit_beta_binomial([1, 2], [4, 4, 4], design, [0, 1])
    with pytest.raises(ParameterError, match="of 2 effects in 2 rows is not of full rank"):
        fit_beta_binomial([1, 2], [4, 4], np.ones((2, 2)), [0, 1])
    with pytest.raises(ParameterError, match="nodes = 0"):
        fit_beta_binomial([1, 2], [4, 4], design, [0, 1], nodes=0)


def test_limits_hold_the_truth() -> None:
    """200 trials of 20 subjects × 2 visits without an effect, 12 events in the median."""
    change, difference = np.array([-1.0, 1, 0, 0]), np.array([-1.0, 1, 1, -1])
    z = []
    for seed in range(200):
        fit = fit_beta_binomial(*simulated(seed, 20, 2), nodes=5)
        assert fit.converged
        z.append([w @ fit.params / np.sqrt(w @ fit.covariance @ w) for w in (change, difference)])
    inside = np.abs(np.array(z)) < stats.t.ppf(0.975, 18)
    # four standard errors of a share of 200
    assert inside.mean(axis=0) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 200))
    assert np.mean(z, axis=0) == pytest.approx(0, abs=4 / np.sqrt(200))
