"""The censored model against independent fits."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from il2cyto.errors import ParameterError, TableError
from il2cyto.models import SERUM_MODEL_COLUMNS, censored, serum_over_visits
from il2cyto.models.censored import fit_censored
from il2cyto.models.mixed import fit_random_intercept
from il2cyto.serum import read_serum


def _trial(seed=1, subjects=46, visits=4):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), visits)
    cell = (subject % 2) * visits + np.tile(np.arange(visits), subjects)
    design = np.eye(2 * visits)[cell]
    y = 1.0 + rng.normal(0, 0.6, subjects)[subject] + rng.normal(0, 0.5, len(subject))
    return y, design, subject


def test_without_censoring_it_is_reml():
    y, design, subject = _trial()
    fit = fit_censored(y, np.zeros(len(y), dtype=np.int8), design, subject)
    reml = fit_random_intercept(y, design, subject)
    np.testing.assert_allclose(fit.params, reml.params, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, reml.covariance, rtol=1e-4, atol=1e-8)
    assert fit.sd_between**2 == pytest.approx(reml.between, rel=1e-4)
    assert fit.sd_within**2 == pytest.approx(reml.within, rel=1e-4)
    assert fit.converged


def test_given_its_deviation_the_mean_is_scipys_maximum():
    y = _trial()[0][::4]
    limit = np.median(y)
    censor = np.where(y < limit, -1, 0).astype(np.int8)
    known = np.maximum(y, limit)
    fit = fit_censored(known, censor, np.ones((len(y), 1)), np.arange(len(y)))
    data = stats.CensoredData(uncensored=known[censor == 0], left=known[censor < 0])
    mean, _ = stats.norm.fit(data, fscale=fit.sd_within)
    assert fit.params[0] == pytest.approx(mean, abs=1e-4)


def test_left_and_right_are_mirror_images():
    y, design, subject = _trial()
    limit = np.quantile(y, 0.3)
    censor = np.where(y < limit, -1, 0).astype(np.int8)
    left = fit_censored(np.maximum(y, limit), censor, design, subject)
    right = fit_censored(-np.maximum(y, limit), -censor, design, subject)
    np.testing.assert_allclose(left.params, -right.params, atol=1e-5)
    assert left.sd_within == pytest.approx(right.sd_within, rel=1e-4)


def test_the_quadrature_has_enough_nodes():
    y, design, subject = _trial()
    limit = np.median(y)
    known, censor = np.maximum(y, limit), np.where(y < limit, -1, 0).astype(np.int8)
    few, many = (fit_censored(known, censor, design, subject, nodes=nodes) for nodes in (15, 61))
    np.testing.assert_allclose(few.params, many.params, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.3, 1.4, 3.0, 5.0])
@pytest.mark.parametrize("censors", [(0, -1, -1), (-1, -1, -1), (1, 0, -1), (1, 1, 1)])
def test_the_likelihood_is_the_integral(ratio, censors):
    # one subject against adaptive quadrature over its intercept
    y, sd = np.array([0.2, -0.5, 0.4]), 0.7
    censor = np.array(censors, dtype=np.int8)

    def density(u):
        z = (y - 0.1 - u) / sd
        parts = {0: stats.norm.pdf(z) / sd, -1: stats.norm.cdf(z), 1: stats.norm.sf(z)}
        return np.prod([parts[c][i] for i, c in enumerate(censors)]) * stats.norm.pdf(u, scale=ratio * sd)

    expected = integrate.quad(density, -12 * ratio * sd, 12 * ratio * sd, limit=500, points=[0.0])[0]
    rule = tuple(np.polynomial.hermite_e.hermegauss(nodes) for nodes in (15, 180))
    data = censored._Data(y, censor, np.ones((3, 1)), np.zeros(3, dtype=np.intp), np.zeros(1, dtype=np.intp))
    found = censored._integrated(data, rule, np.array([0.1]), float(np.log(sd)), ratio)[0]
    assert found == pytest.approx(np.log(expected), abs=2e-4)


def test_subjects_that_differ_too_much_are_no_estimate():
    y, design, subject = _trial()
    far = 5.0 * np.arange(46)[subject] / 46 + 0.01 * y
    fit = fit_censored(far, np.zeros(len(y), dtype=np.int8), design, subject)
    assert not fit.converged
    assert "subjects differ more than 6 times" in fit.note


def test_what_cannot_be_fitted_is_an_error():
    ones = np.ones((3, 1))
    with pytest.raises(ParameterError, match="every value is censored"):
        fit_censored(np.zeros(3), np.full(3, -1, dtype=np.int8), ones, np.arange(3))
    with pytest.raises(ParameterError, match="do not determine"):
        fit_censored(np.zeros(1), np.zeros(1, dtype=np.int8), np.ones((1, 1)), np.arange(1))


def _serum(rows):
    table = pd.DataFrame(rows, columns=["subject", "visit", "visit_number", "value", "flags"]).astype(str)
    serum = read_serum(table.assign(analyte="IL-2", unit="pg/mL"))
    serum.obs["ARM"] = [name.split("-")[0] for name in serum.obs["USUBJID"]]
    return serum


def test_detection_and_refusals_by_hand():
    # arm A: at BL 1 of 6 quantified (83 % below); at M1 all six; one value is the drug
    rows = [(f"A-{i}", "BL", 0, "3.0" if i == 0 else "<1.0", "") for i in range(6)]
    rows += [(f"A-{i}", "M1", 1, str(2.0 + i), "drug" if i == 5 else "") for i in range(6)]
    table = serum_over_visits(_serum(rows), baseline="BL")
    assert list(table.columns) == list(SERUM_MODEL_COLUMNS)
    bl, m1, change = (table.iloc[position] for position in range(3))
    assert (bl["contrast"], bl["n_subjects"], bl["n_below"], bl["status"]) == ("geometric_mean", 6, 5, "not_estimable")
    assert "83 % of 6 values are below the limit; detection rate only" in bl["reason"]
    assert bl["detected_percent"] == pytest.approx(100 / 6)
    # Clopper–Pearson of 1 in 6
    assert bl["detected_lower"] == pytest.approx(0.42107, abs=1e-4)
    assert bl["detected_upper"] == pytest.approx(64.12346, abs=1e-4)
    assert np.isnan(bl["estimate"])
    assert (m1["n_subjects"], m1["n_flagged_drug"], m1["detected_percent"]) == (5, 1, 100.0)
    assert m1["estimate"] == pytest.approx((2 * 3 * 4 * 5 * 6) ** 0.2, rel=1e-6)
    # four of five pairs gained: exact McNemar 2 · (1/2)^4
    assert change["detection_p_value"] == pytest.approx(0.125)
    assert (change["contrast"], change["status"]) == ("change_from_baseline", "not_estimable")


def test_what_it_cannot_know_is_an_error():
    serum = _serum([("A-1", "BL", 0, "2.0", "")])
    with pytest.raises(ParameterError, match="baseline = 'B0'"):
        serum_over_visits(serum, baseline="B0")
    del serum.obs["ARM"]
    with pytest.raises(TableError, match="no column ARM"):
        serum_over_visits(serum, baseline="BL")
