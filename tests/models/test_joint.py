"""The joint model over visits: what enters, what is left out and counted, and what has no estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_change import NUMBER, trial

from il2cyto.errors import ParameterError, TableError
from il2cyto.models.bivariate import fit_bivariate
from il2cyto.models.exact import benjamini_hochberg
from il2cyto.models.joint import JOINT_COLUMNS, joint_over_visits
from il2cyto.serum import read_serum

VISITS = ("BL", "M1", "M3", "M6")
SUBJECTS = {f"S{i:02d}": "IL2" if i % 2 else "STD" for i in range(16)}


def series(seed=0, within=0.6, visits=VISITS):
    """Logarithms of cells and concentrations by subject and visit; treatment raises both alike."""
    rng = np.random.default_rng(seed)
    e = rng.multivariate_normal([0, 0], [[1, within], [within, 1]], (len(SUBJECTS), len(visits))) * 0.3
    u = rng.normal(0, 0.4, (len(SUBJECTS), 1, 2))
    effect = np.array([[0.8 * j * (arm == "IL2") for j in range(len(visits))] for arm in SUBJECTS.values()])
    values = 3 + e + u + effect[:, :, None]
    return {
        (s, v): values[i, j] for i, s in enumerate(SUBJECTS) for j, v in enumerate(visits)
    }  # fmt: skip


def cells(values, name="Treg"):
    return pd.DataFrame({name: {key: float(np.exp(v[0])) for key, v in values.items()}})


def serum_of(values, *, limit=None, flags=None, analytes=("sCD25",)):
    rows = []
    for key, (_, z) in values.items():
        text = f"{np.exp(z):.10g}" if limit is None or np.exp(z) >= limit else f"<{limit}"
        rows += [(*key, NUMBER[key[1]], analyte, text, (flags or {}).get(key, "")) for analyte in analytes]
    columns = ["subject", "visit", "visit_number", "analyte", "value", "flags"]
    return read_serum(pd.DataFrame(rows, columns=columns).astype(str).assign(unit="pg/mL"))


def expected(values, censor=None, z=None):
    keys = list(values)
    places = sorted({(SUBJECTS[s], v) for s, v in keys})
    design = np.eye(len(places))[[places.index((SUBJECTS[s], v)) for s, v in keys]]
    who = np.array([list(SUBJECTS).index(s) for s, _ in keys])
    y = np.array([v[0] for v in values.values()])
    z = np.array([v[1] for v in values.values()]) if z is None else z
    return fit_bivariate(y, z, np.zeros(len(y), dtype=np.int8) if censor is None else censor, design, who)


def test_it_is_the_model_of_the_shared_rows():
    values = series()
    table = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values))
    assert tuple(table.columns) == JOINT_COLUMNS
    assert len(table) == 1
    row, fit = table.iloc[0], expected(values)
    assert (row["population"], row["analyte"], row["unit"]) == ("live/Treg", "sCD25", "pg/mL")
    assert (row["n_subjects"], row["n_pairs"], row["n_censored"], row["status"]) == (16, 64, 0, "estimated")
    names = ("r_within", "r_within_lower", "r_within_upper", "p_value", "r_between", "r_between_lower")
    assert [row[n] for n in names] == pytest.approx([getattr(fit, n) for n in names], rel=1e-5)
    assert row["sd_cells_within"] ** 2 == pytest.approx(fit.within[0, 0], rel=1e-6)
    assert row["sd_serum_between"] ** 2 == pytest.approx(fit.between[1, 1], rel=1e-6)
    assert row["p_adjusted"] == row["p_value"]
    for words in ("exploratory", "adjusted for arm × visit", "arms not randomised"):
        assert words in row["method"]
    assert row["warnings"] == ""
    assert row["reason"] == ""


def test_censored_concentrations_enter_as_limits():
    values = series(1)
    limit = round(float(np.exp(np.quantile([v[1] for v in values.values()], 0.25))), 1)
    row = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values, limit=limit)).iloc[0]
    z = np.array([v[1] for v in values.values()])
    censor = np.where(np.exp(z) < limit, -1, 0).astype(np.int8)
    fit = expected(values, censor, np.maximum(z, np.log(limit)))
    assert row["n_censored"] == (censor != 0).sum() > 10
    assert [row["r_within"], row["p_value"]] == pytest.approx([fit.r_within, fit.p_value], rel=1e-4)


def test_treatment_and_time_make_no_correlation():
    # both rise with treatment fourfold and more, and have nothing else in common
    values = series(3, within=0.0)
    row = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values)).iloc[0]
    raw = np.corrcoef(np.array(list(values.values())).T)[0, 1]
    assert raw > 0.6
    assert row["r_within_lower"] < 0 < row["r_within_upper"]


def test_the_unit_of_an_analyte_changes_no_correlation():
    values = series(2)
    visits = trial(cells(values), SUBJECTS)
    one = joint_over_visits(visits, serum_of(values)).iloc[0]
    other = joint_over_visits(visits, serum_of({k: (y, z + np.log(1000)) for k, (y, z) in values.items()})).iloc[0]
    for name in ("r_within", "r_within_upper", "r_between", "sd_serum_within", "p_value"):
        assert other[name] == pytest.approx(one[name], rel=1e-5)


def test_what_is_left_out_is_counted():
    values = series(4)
    visits = cells(values)
    visits.loc[("S00", "BL")] = 0.0
    visits.loc[("S01", "BL")] = np.nan
    flags = {("S02", "M1"): "drug", ("S03", "M1"): "haemolysis; drug"}
    row = joint_over_visits(trial(visits, SUBJECTS), serum_of(values, flags=flags)).iloc[0]
    assert (row["n_pairs"], row["n_subjects"], row["status"]) == (60, 16, "estimated")
    assert row["warnings"] == "pairs of 0 cells: 1 left out; pairs that are the drug itself: 2 left out"
    # a value without its pair enters the means and variances
    changed = {key: value.copy() for key, value in values.items()}
    changed["S00", "BL"][0] = changed["S01", "BL"][0] = np.nan
    changed["S02", "M1"][1] = changed["S03", "M1"][1] = np.nan
    assert row["r_within"] == pytest.approx(expected(changed).r_within, rel=1e-5)


def test_an_arms_visit_without_a_value_within_limits_is_left_out():
    values = series(5)
    for (subject, visit), v in values.items():
        if SUBJECTS[subject] == "STD" and visit == "BL":
            v[1] = -9.0
    row = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values, limit=1.0)).iloc[0]
    assert (row["n_pairs"], row["n_censored"], row["status"]) == (56, 0, "estimated")
    assert row["warnings"] == "concentrations of 1 visits of an arm with none within limits: 8 left out"
    known = {k: v if v[1] > -9 else np.array([v[0], np.nan]) for k, v in values.items()}
    assert row["r_within"] == pytest.approx(expected(known).r_within, rel=1e-5)


def test_too_much_censored_has_no_estimate():
    values = series(6)
    limit = round(float(np.exp(np.quantile([v[1] for v in values.values()], 0.6))), 1)
    row = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values, limit=limit)).iloc[0]
    share = 100 * row["n_censored"] / 64
    assert row["status"] == "not_estimable"
    assert row["reason"] == f"{share:.0f} % of 64 pairs have a concentration beyond its limit"
    assert np.isnan(row[["r_within", "p_value", "p_adjusted", "r_between", "sd_serum_within"]].astype(float)).all()


def test_too_few_subjects_or_visits_have_no_estimate():
    values = series(7)
    few = {key: v for key, v in values.items() if key[0] < "S07"}
    row = joint_over_visits(trial(cells(few), SUBJECTS), serum_of(values)).iloc[0]
    assert (row["status"], row["reason"]) == ("not_estimable", "7 subjects have two pairs or more; 8 are needed")
    once = {key: v for key, v in values.items() if key[1] == "BL"}
    row = joint_over_visits(trial(cells(once), SUBJECTS), serum_of(values)).iloc[0]
    assert row["reason"] == "0 subjects have two pairs or more; 8 are needed"
    # 16 pairs less 8 subjects less the second visits of 5 arms
    two = {key: v for key, v in values.items() if key[0] < "S08" and key[1] in ("BL", "M1")}
    arms = {subject: f"arm {i % 5}" for i, subject in enumerate(SUBJECTS)}
    row = joint_over_visits(trial(cells(two), arms), serum_of(values)).iloc[0]
    assert row["reason"] == "3 degrees of freedom within subjects beside arm × visit; 4 are needed"
    apart = joint_over_visits(trial(cells(few), SUBJECTS), serum_of({k: v for k, v in values.items() if k[0] > "S06"}))
    assert apart["reason"].tolist() == ["0 subjects have two pairs or more; 8 are needed"]
    nothing = joint_over_visits(trial(cells(values) * np.nan, SUBJECTS), serum_of(values)).iloc[0]
    assert (nothing["n_pairs"], nothing["status"]) == (0, "not_estimable")


def test_constant_concentrations_have_no_estimate():
    values = {key: np.array([v[0], 1.0]) for key, v in series(8).items()}
    row = joint_over_visits(trial(cells(values), SUBJECTS), serum_of(values)).iloc[0]
    assert row["reason"].startswith("the model did not converge: the fixed effects explain every value of z")


def test_populations_and_analytes_are_chosen_and_p_values_adjusted_over_them():
    values, other = series(9), series(10, within=0.2)
    visits = trial(cells(values).join(cells(other, "NK")), SUBJECTS)
    serum = serum_of(values, analytes=("sCD25", "IL-6"))
    table = joint_over_visits(visits, serum)
    assert list(zip(table["population"], table["analyte"], strict=True)) == [
        (population, analyte) for population in ("live/Treg", "live/NK") for analyte in serum.var_names
    ]
    np.testing.assert_allclose(table["p_adjusted"], benjamini_hochberg(table["p_value"]))
    one = joint_over_visits(visits, serum, populations=["NK"], analytes=["IL-6"])
    assert one[["population", "analyte"]].to_numpy().tolist() == [["live/NK", "IL-6"]]
    with pytest.raises(ParameterError, match=r"no analyte is called 'IL6'"):
        joint_over_visits(visits, serum, analytes=["IL6"])
    with pytest.raises(ParameterError, match="no population is called 'Trge'"):
        joint_over_visits(visits, serum, populations=["Trge"])


def test_screening_is_left_out_where_the_baseline_is_named():
    values = series(11, visits=("SCR", *VISITS))
    visits, serum = trial(cells(values), SUBJECTS), serum_of(values)
    later = {key: v for key, v in values.items() if key[1] != "SCR"}
    named, every = (joint_over_visits(visits, serum, baseline=b).iloc[0] for b in ("BL", None))
    assert (named["n_pairs"], every["n_pairs"]) == (64, 80)
    assert named["r_within"] == pytest.approx(expected(later).r_within, rel=1e-5)
    with pytest.raises(ParameterError, match="baseline = 'B0'"):
        joint_over_visits(visits, serum, baseline="B0")


def test_subjects_need_an_arm():
    values = series(12)
    with pytest.raises(TableError, match="the model needs one arm per subject"):
        joint_over_visits(trial(cells(values), SUBJECTS | {"S03": ""}), serum_of(values))
