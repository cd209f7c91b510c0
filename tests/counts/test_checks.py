"""Every check against a value worked out by hand, its three verdicts, and what it says when it cannot be made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from study_tables import ERRORS, LIMITS, SPECS, counts_of, row, tables, tube

from il2cyto.counts import CHECK_COLUMNS, add_check_flags, check_counts, count_table
from il2cyto.counts.slices import time_slices
from il2cyto.counts.tubechecks import excess_variation
from il2cyto.study.checks import Band, default_checks
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import CountSpec

CHECKS = default_checks()
L = "tqc/lympho"
#: 5000 lymphocytes: 3500 T (2000 CD4, 1300 CD8), 800 B, 600 NK.
TBNK = {
    "tqc": 90_000, "tqc/beads": 10_000, L: 5000, f"{L}/T": 3500, f"{L}/T/CD4": 2000, f"{L}/T/CD8": 1300, f"{L}/B": 800,
    f"{L}/NK": 600,
}  # fmt: skip
#: 10,000 lymphocytes, 9500 of them living: 6700 T, 3800 CD4, 190 Treg.
TREG = {
    "tqc": 60_000, L: 10_000, f"{L}/live": 9500, f"{L}/live/T": 6700, f"{L}/live/T/CD4": 3800,
    f"{L}/live/T/CD4/Treg": 190,
}  # fmt: skip


def check(*tubes: Any, specs: Any = None, checks: Any = CHECKS, slices: Any = None) -> pd.DataFrame:
    made = (*tables(*tubes), specs or SPECS, ERRORS, LIMITS)
    found = check_counts(count_table(*made), *made, checks, slices)
    assert tuple(found.columns) == CHECK_COLUMNS
    assert set(found["verdict"]) <= {"pass", "warn", "fail", "not_evaluable"}
    assert found["reason"].ne("").equals(found["verdict"].eq("not_evaluable"))
    return found


def verdict(found: pd.DataFrame, name: str, tube_id: str = "A", **where: str) -> tuple[float, str]:
    one = row(found, check=name, tube_id=tube_id, **where)
    return round(one["value"], 6), one["verdict"]


def with_rule(name: str, band: Band, **tubes: Band) -> Any:
    rule = replace(CHECKS.rules[name], band=band, tubes=FrozenMapping(tubes))
    return replace(CHECKS, rules=FrozenMapping({**CHECKS.rules, name: rule}))


def test_one_good_tube() -> None:
    found = check((tube("A", "TBNK"), TBNK))
    expected = {
        # check: value, limit, verdict
        "lymphosum": (98.0, "95 to 105 (hard 90 to 110)", "pass"),
        "t_sum": (-4.0, "-5 to 5 (hard -10 to 10)", "pass"),
        "cd3_between_tubes": (np.nan, "at most 3", "not_evaluable"),
        "lymphocyte_events": (5000.0, "at least 2500", "pass"),
        "bead_events": (10_000.0, "at least 1000", "pass"),
        "bead_share": (np.nan, "0.25 to 4", "not_evaluable"),
        "bead_doublets": (np.nan, "at most 5", "not_evaluable"),
        "bead_drift": (np.nan, "at most 10 (hard at most 20)", "not_evaluable"),
        "bead_gate": (0.0, "at most 0", "pass"),
        "viability": (np.nan, "at least 70", "not_evaluable"),
        "lymphocyte_purity": (np.nan, "at least 90 (hard at least 85)", "not_evaluable"),
        "sample_age": (np.nan, "at most 24 (hard at most 48)", "not_evaluable"),
        "events_in_parent": (0.9, "at most 1", "pass"),
        "blood_count": (np.nan, "0.8 to 1.2", "not_evaluable"),
    }
    order = found[found["check"] == "population_order"]
    assert order["population"].tolist() == [
        "CD4 ≤ CD3",
        "CD3 ≤ lymphocytes",
        "CD8 ≤ CD3",
        "B ≤ lymphocytes",
        "NK ≤ lymphocytes",
    ]
    np.testing.assert_allclose(order["value"], [2000 / 3500, 0.7, 1300 / 3500, 0.16, 0.12])
    rest = found[found["check"] != "population_order"].set_index("check")
    assert rest.index.tolist() == list(expected)
    for name, (value, limit, judged) in expected.items():
        assert (rest.loc[name, "limit"], rest.loc[name, "verdict"]) == (limit, judged), name
        np.testing.assert_allclose(rest.loc[name, "value"], value)
    assert rest.loc["blood_count", "reason"] == "the sheet gives no blood count of the draw"
    assert rest.loc["viability", "reason"] == "no population has the role live"


@pytest.mark.parametrize(("b", "value", "judged"), [(650, 95.0, "pass"), (649, 94.98, "warn"), (399, 89.98, "fail")])
def test_lymphosum(b: int, value: float, judged: str) -> None:
    assert verdict(check((tube("A", "TBNK"), {**TBNK, f"{L}/B": b})), "lymphosum") == (value, judged)


@pytest.mark.parametrize(
    ("cd8", "value", "judged"), [(1249, -5.02, "warn"), (999, -10.02, "fail"), (1750, 5.0, "pass")]
)
def test_t_sum(cd8: int, value: float, judged: str) -> None:
    assert verdict(check((tube("A", "TBNK"), {**TBNK, f"{L}/T/CD8": cd8})), "t_sum") == (value, judged)


def test_few_lymphocytes_and_few_beads() -> None:
    tree = {**TBNK, L: 2400, f"{L}/T": 1700, f"{L}/T/CD4": 900, f"{L}/T/CD8": 700, f"{L}/B": 400, f"{L}/NK": 300}
    found = check((tube("A", "TBNK"), {**tree, "tqc/beads": 999}))
    assert verdict(found, "lymphocyte_events") == (2400.0, "warn")
    assert verdict(found, "bead_events") == (999.0, "warn")
    own = check((tube("A", "TBNK"), {**tree, "tqc/beads": 999}), checks=with_rule("bead_events", Band(warn_below=500)))
    assert verdict(own, "bead_events") == (999.0, "pass")


@pytest.mark.parametrize(
    ("treg_t", "value", "judged"), [(6700, 0.526316, "pass"), (6365, 3.0, "pass"), (6364, 3.010526, "warn")]
)
def test_cd3_between_tubes_of_a_draw(treg_t: int, value: float, judged: str) -> None:
    # 70 % of the lymphocytes against a share of the living ones, 9500
    both = [(tube("A", "TBNK"), TBNK), (tube("B", "TREG"), {**TREG, f"{L}/live/T": treg_t})]
    found = check(*both)
    assert verdict(found, "cd3_between_tubes", "A B") == (value, judged)
    assert row(found, check="cd3_between_tubes")["tube"] == "TBNK TREG"


def test_tubes_of_two_days_are_not_one_draw() -> None:
    later = (tube("B", "TREG", collection_date="2021-01-05"), TREG)
    found = check((tube("A", "TBNK"), TBNK), later)
    assert found[found["check"] == "cd3_between_tubes"]["verdict"].tolist() == ["not_evaluable", "not_evaluable"]


def test_viability_with_limits_of_one_kind_of_tube() -> None:
    tubes = [(tube("A", "TBNK"), TBNK), (tube("B", "TREG"), TREG)]
    assert verdict(check(*tubes), "viability", "B") == (95.0, "pass")
    checks = with_rule("viability", Band(warn_below=70), TREG=Band(fail_below=90, warn_below=96))
    found = check(*tubes, checks=checks)
    assert verdict(found, "viability", "B") == (95.0, "warn")
    assert row(found, check="viability", tube_id="B")["limit"] == "at least 96 (hard at least 90)"


@pytest.mark.parametrize(("pure", "judged"), [(9000, "pass"), (8999, "warn"), (8499, "fail")])
def test_purity(pure: int, judged: str) -> None:
    specs = {"TREG": CountSpec("dual", denominator="lympho", purity="pure")}
    tree = {"tqc": 60_000, L: 10_000, f"{L}/pure": pure}
    found = check((tube("B", "TREG", route="dual", alc_per_ul=1500.0), tree), specs=specs)
    assert verdict(found, "lymphocyte_purity", "B") == (pure / 100, judged)


@pytest.mark.parametrize(("hours", "judged"), [(24.0, "pass"), (24.5, "warn"), (49.0, "fail")])
def test_age_of_the_sample(hours: float, judged: str) -> None:
    assert verdict(check((tube("A", "TBNK", sample_age_h=hours), TBNK)), "sample_age") == (hours, judged)


@pytest.mark.parametrize(
    ("alc", "value", "judged"), [(500.0, 1.0, "pass"), (600.0, 0.833333, "pass"), (640.0, 0.78125, "warn")]
)
def test_lymphocytes_against_the_blood_count(alc: float, value: float, judged: str) -> None:
    # 5000 / 10,000 beads × 50,000 / 50 µL = 500/µL
    assert verdict(check((tube("A", "TBNK", alc_per_ul=alc), TBNK)), "blood_count") == (value, judged)


def test_beads_behind_a_cell_gate() -> None:
    tree = {"tqc": 90_000, "tqc/singlets": 80_000, "tqc/singlets/beads": 10_000, "tqc/lympho": 5000}
    found = check((tube("A", "TBNK"), tree))
    assert verdict(found, "bead_gate") == (1.0, "warn")


def test_bead_doublets() -> None:
    specs = {"TBNK": CountSpec("beads", beads="beads", bead_doublets="two")}
    found = check((tube("A", "TBNK"), {**TBNK, "tqc/beads/two": 501}), specs=specs)
    assert verdict(found, "bead_doublets") == (5.01, "warn")


def test_bead_share_within_a_lot() -> None:
    # 10,000 of 90,000 twice, 1,000 of 45,000 once; another lot is not compared
    trees = [TBNK, TBNK, {**TBNK, "tqc": 45_000, "tqc/beads": 1000}, {**TBNK, "tqc/beads": 2}]
    lots = ["L1", "L1", "L1", "L2"]
    tubes = [
        (tube(f"A{i}", "TBNK", subject=f"P{i}", bead_lot=lot), tree)
        for i, (lot, tree) in enumerate(zip(lots, trees, strict=True))
    ]
    found = check(*tubes)
    assert verdict(found, "bead_share", "A0") == (1.0, "pass")
    assert verdict(found, "bead_share", "A2") == (0.2, "warn")
    assert row(found, check="bead_share", tube_id="A3")["reason"] == "fewer than 3 tubes of lot L2"
    spread = row(found, check="bead_share_cv", population="lot L1")
    shares = np.array([1 / 9, 1 / 9, 1 / 45])
    assert spread["value"] == pytest.approx(100 * shares.std(ddof=1) / shares.mean())
    assert (spread["subject"], spread["visit"], spread["tube_id"], spread["reason"]) == (
        "",
        "",
        "A0 A1 A2",
        "no limit is set",
    )
    found = check(*tubes, checks=with_rule("bead_share_cv", Band(warn_above=50)))
    assert row(found, check="bead_share_cv", population="lot L1")["verdict"] == "warn"


@pytest.mark.parametrize(
    ("beads", "value", "judged"),
    [([250] * 4, 0.0, "pass"), ([280, 260, 240, 220], 8.4063, "pass"), ([400, 300, 200, 100], 51.29, "fail")],
)
def test_beads_that_drift(beads: list[int], value: float, judged: str) -> None:
    found = check((tube("A", "TBNK"), TBNK), slices={"A": {"events": [2500] * 4, "beads": beads}})
    # (Σ (x - 250)² / 0.09 - 7500) · 0.9 / 0.1 / 1.875e7 is the square: the first is 2000, then 50,000
    got, said = verdict(found, "bead_drift")
    assert (pytest.approx(got, rel=1e-4), said) == (value, judged)


def test_drift_is_found_at_its_size_and_counting_is_none() -> None:
    rng = np.random.default_rng(1)
    events = np.full(10, 20_000)
    for cv, tolerance in ((0.0, 0.012), (0.1, 0.03), (0.3, 0.09)):
        found = []
        for _ in range(300):
            rate = 0.1 * (1 + cv * rng.standard_normal(10))
            found.append(excess_variation(events, rng.binomial(events, np.clip(rate, 0, 1))))
        assert abs(np.mean(found) - cv) < tolerance


def test_time_slices() -> None:
    time = np.repeat(np.arange(10.0), 3)
    beads = np.tile([True, False, False], 10)
    assert time_slices(time, beads, 5) == {"events": [6] * 5, "beads": [2] * 5}
    assert time_slices(np.zeros(5), np.ones(5, dtype=bool)) is None
    assert time_slices(np.array([0.0, np.nan]), np.ones(2, dtype=bool)) is None
    assert time_slices(np.array([]), np.array([], dtype=bool)) is None


def test_replicates() -> None:
    # CD4 of 200 and 240/µL: CV 12.86 %
    second = {**TBNK, f"{L}/T/CD4": 2400}
    for rule, ids in (("sum", "A1+A2"), ("apart:first", "A1")):
        tubes = [(tube("A1", "TBNK", repeat=rule), TBNK), (tube("A2", "TBNK", repeat=rule), second)]
        found = check(*tubes)
        value = 100 * 20 * np.sqrt(2) / 220
        assert verdict(found, "replicate_cv", "A1 A2", population="CD4") == (round(value, 6), "warn")
        assert verdict(found, "replicate_cv", "A1 A2", population="CD3") == (0.0, "pass")
        flagged = add_check_flags(counts_of(*tubes), found)
        assert "replicate_cv_warn" in row(flagged, tube_id=ids, name="CD4")["flags"]


def test_impossible_order_across_tubes_and_routes() -> None:
    # Treg by volume: 190 / 0.5 µL = 380/µL; CD4 by beads: 200/µL
    specs = {**SPECS, "TREG": CountSpec("volumetric")}
    found = check((tube("A", "TBNK"), TBNK), (tube("B", "TREG", route="volumetric", volume_ul=0.5), TREG), specs=specs)
    # the worst pair: the largest Treg with the smallest CD4
    assert verdict(found, "population_order", "B A", population="Treg ≤ CD4") == (1.9, "fail")
    # CD4 by volume is 7600/µL, and CD3 by beads 350/µL
    assert verdict(found, "population_order", "B A", population="CD4 ≤ CD3") == (round(7600 / 350, 6), "fail")


def test_an_order_over_a_role_that_is_missing() -> None:
    tree = {"tqc": 90_000, "tqc/beads": 10_000, L: 5000, f"{L}/NK": 6000}
    found = check((tube("A", "TBNK"), tree))
    assert verdict(found, "population_order", population="NK ≤ lymphocytes") == (1.2, "fail")
    lost = row(found, check="population_order", population="Treg, CD4, CD3, lymphocytes")
    assert lost["reason"] == "fewer than two of these have cells/µL"
    assert verdict(found, "events_in_parent") == (1.2, "fail")


def test_roles_by_name() -> None:
    tree = {path.replace("/T", "/Tcells"): count for path, count in TBNK.items()}
    assert row(check((tube("A", "TBNK"), tree)), check="lymphosum")["reason"] == "no population has the role CD3"
    named = replace(CHECKS, roles=FrozenMapping({"CD3": ("T", "Tcells")}))
    assert verdict(check((tube("A", "TBNK"), tree), checks=named), "lymphosum") == (98.0, "pass")
    wrong = replace(CHECKS, roles=FrozenMapping({"CD3": ("X",)}))
    found = row(check((tube("A", "TBNK"), tree), checks=wrong), check="lymphosum")
    assert found["reason"] == "no population is called X (role CD3)"


def test_a_count_that_is_not_estimable() -> None:
    found = check((tube("A", "TBNK"), {**TBNK, f"{L}/B": None}))
    assert row(found, check="lymphosum")["reason"] == "B is not estimable: marker absent"
    empty = check((tube("A", "TBNK"), dict.fromkeys(TBNK, 0) | {"tqc": 10, "tqc/beads": 1}))
    assert row(empty, check="lymphosum")["reason"] == "lympho is empty"


def test_what_is_turned_off_is_not_there() -> None:
    rules = {name: rule for name, rule in CHECKS.rules.items() if name == "lymphosum"}
    found = check((tube("A", "TBNK"), TBNK), checks=replace(CHECKS, rules=FrozenMapping(rules)))
    assert found["check"].tolist() == ["lymphosum"]


def test_flags_reach_every_row_of_the_tube_and_those_that_start_from_it() -> None:
    tubes = [(tube("A", "TBNK"), {**TBNK, f"{L}/B": 300}), (tube("B", "TREG"), TREG), (tube("C", "TBNK", "M1"), TBNK)]
    counts = counts_of(*tubes)
    flagged = add_check_flags(counts, check(*tubes))
    assert flagged.drop(columns="flags").equals(counts.drop(columns="flags"))
    by_tube = flagged.groupby("tube_id")["flags"].agg(list)
    assert all("lymphosum_fail" in flags.split(";") for flags in by_tube["A"])
    assert all("source_lymphosum_fail" in flags.split(";") for flags in by_tube["B"])
    assert not any("lymphosum" in flags for flags in by_tube["C"])


def test_flags_travel_along_a_chain_of_chains() -> None:
    specs = {**SPECS, "ACT": CountSpec("chained", population="Treg", source_tube="TREG", source_population="Treg")}
    tubes = [
        (tube("A", "TBNK"), {**TBNK, f"{L}/B": 300}),
        (tube("B", "TREG"), TREG),
        (tube("C", "ACT", route="chained"), {"tqc": 60_000, "tqc/Treg": 400, "tqc/Treg/act": 100}),
    ]
    flagged = add_check_flags(counts_of(*tubes, specs=specs), check(*tubes, specs=specs))
    assert "source_lymphosum_fail" in row(flagged, tube_id="C", name="act")["flags"].split(";")


def test_a_draw_is_flagged_once() -> None:
    tubes = [(tube("A", "TBNK"), TBNK), (tube("B", "TREG"), {**TREG, f"{L}/live/T": 6000})]
    flagged = add_check_flags(counts_of(*tubes), check(*tubes))
    treg = row(flagged, tube_id="B", name="Treg")["flags"].split(";")
    assert treg.count("cd3_between_tubes_warn") == 1
    assert "source_cd3_between_tubes_warn" not in treg


def test_the_order_of_rows_does_not_matter() -> None:
    tubes = [
        (tube("A", "TBNK", bead_lot="L"), TBNK),
        (tube("B", "TREG"), TREG),
        (tube("C", "TBNK", "M1", bead_lot="L"), TBNK),
    ]
    pd.testing.assert_frame_equal(check(*tubes), check(*tubes[::-1]))


def test_ids_with_a_plus_are_one_tube() -> None:
    tubes = [(tube("A+1", "TBNK"), {**TBNK, f"{L}/B": 300}), (tube("A", "TBNK", "M1"), TBNK)]
    flagged = add_check_flags(counts_of(*tubes), check(*tubes))
    assert "lymphosum_fail" in row(flagged, tube_id="A+1", name="B")["flags"]
    assert "lymphosum" not in row(flagged, tube_id="A", name="B")["flags"]


def test_no_tubes() -> None:
    nothing = pd.DataFrame([])
    counts = count_table(nothing, nothing, SPECS, ERRORS, LIMITS)
    found = check_counts(counts, nothing, nothing, SPECS, ERRORS, LIMITS, CHECKS)
    assert (len(found), tuple(found.columns)) == (0, CHECK_COLUMNS)
    assert len(add_check_flags(counts, found)) == 0
