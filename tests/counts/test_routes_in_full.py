"""Lots, purity, doublets, blood counts and chains of chains, each against numbers worked out by hand in the test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_tables import ERRORS, SPECS, counts_of, row, tube

from il2cyto.counts import from_alc, from_beads
from il2cyto.counts.routes import by_beads
from il2cyto.study.model import CountSpec

Z = 1.959963984540054
TBNK = {"tqc": 90_000, "tqc/beads": 10_000, "tqc/lympho": 5000, "tqc/lympho/T": 3500, "tqc/lympho/T/CD4": 2500}
TREG = {"tqc": 60_000, "tqc/CD4": 12_500, "tqc/CD4/Treg": 625, "tqc/CD4/Treg/act": 200}


def values(found):
    return [float(found[name]) for name in ("cells_per_ul", "lower", "upper", "cv")]


def log_normal(value, cv):
    return [value, value * math.exp(-Z * cv), value * math.exp(Z * cv), cv]


def test_beads_by_hand():
    cd4 = row(counts_of((tube("A", "TBNK"), TBNK)), name="CD4")
    # 2500 / 10000 × 50000 / 50
    np.testing.assert_allclose(
        values(cd4), log_normal(250.0, math.sqrt(1 / 2500 + 1 / 10_000 + 0.03**2 + 0.02**2)), rtol=1e-12
    )
    assert cd4["cv_lot"] == 0.02
    without = math.exp(Z * math.sqrt(1 / 2500 + 1 / 10_000 + 0.03**2))
    np.testing.assert_allclose([cd4["lower_within_lot"], cd4["upper_within_lot"]], [250 / without, 250 * without])


def test_a_chain_of_a_chain_by_hand():
    specs = {
        **SPECS,
        "ACT": CountSpec("chained", population="Treg", source_tube="TREG", source_population="CD4/Treg"),
    }
    act = {"tqc": 60_000, "tqc/Treg": 400, "tqc/Treg/act": 100}
    first = (tube("A", "TBNK", bead_lot="L1"), TBNK)
    third = (tube("C", "ACT", route="chained"), act)
    counts = counts_of(first, (tube("B", "TREG"), TREG), third, specs=specs)
    found = row(counts, tube_id="C", name="act")
    # CD4 250/µL × 625/12500 × 100/400
    variance = 1 / 2500 + 1 / 10_000 + 0.03**2 + 0.02**2 + (1 - 0.05) / 625 + (1 - 0.25) / 100
    np.testing.assert_allclose(values(found), log_normal(3.125, math.sqrt(variance)), rtol=1e-12)
    assert (found["source_tube_id"], found["bead_lot"], found["cv_lot"]) == ("B", "L1", 0.02)
    within = math.exp(Z * math.sqrt(variance - 0.02**2))
    np.testing.assert_allclose([found["lower_within_lot"], found["upper_within_lot"]], [3.125 / within, 3.125 * within])


def test_a_chain_over_a_missing_tube():
    specs = {
        **SPECS,
        "ACT": CountSpec("chained", population="Treg", source_tube="TREG", source_population="CD4/Treg"),
    }
    act = {"tqc": 60_000, "tqc/Treg": 400, "tqc/Treg/act": 100}
    counts = counts_of((tube("A", "TBNK"), TBNK), (tube("C", "ACT", route="chained"), act), specs=specs)
    assert row(counts, tube_id="C", name="act")["reason"] == "source tube TREG is missing at this visit"
    # the first link is missing: the reason travels along the chain
    counts = counts_of((tube("B", "TREG"), TREG), (tube("C", "ACT", route="chained"), act), specs=specs)
    reason = row(counts, tube_id="C", name="act")["reason"]
    assert reason == "chained parent CD4/Treg of TREG has no cells/µL: source tube TBNK is missing at this visit"


def test_two_lots_of_summed_replicates():
    one = {**TBNK, "tqc/beads": 6000, "tqc/lympho/T/CD4": 1500}
    two = {**TBNK, "tqc/beads": 4000, "tqc/lympho/T/CD4": 1000}
    same = counts_of(
        (tube("A1", "TBNK", repeat="sum", bead_lot="L1"), one), (tube("A2", "TBNK", repeat="sum", bead_lot="L1"), two)
    )
    apart = counts_of(
        (tube("A1", "TBNK", repeat="sum", bead_lot="L1"), one), (tube("A2", "TBNK", repeat="sum", bead_lot="L2"), two)
    )
    pipetting = (0.6**2 + 0.4**2) * 0.03**2
    events = 1 / 2500 + 1 / 10_000
    found = row(same, name="CD4")
    assert (found["cells_per_ul"], found["bead_lot"], found["cv_lot"]) == (250.0, "L1", 0.02)
    assert found["cv"] == pytest.approx(math.sqrt(events + pipetting + 0.02**2))
    found = row(apart, name="CD4")
    lots = (0.6**2 + 0.4**2) * 0.02**2
    assert (found["cells_per_ul"], found["bead_lot"]) == (250.0, "")
    assert found["cv_lot"] == pytest.approx(math.sqrt(lots))
    assert found["cv"] == pytest.approx(math.sqrt(events + pipetting + lots))


def test_an_unknown_lot_is_one_lot_and_nobody_elses():
    replicates = [(tube(f"A{i}", "TBNK", repeat="sum"), TBNK) for i in (1, 2)]
    found = row(counts_of(*replicates), name="CD4")
    assert (found["bead_lot"], found["cv_lot"]) == ("", 0.02)


def test_expired_beads_are_flagged_and_the_flag_travels():
    counts = counts_of((tube("A", "TBNK", beads_expired=True), TBNK), (tube("B", "TREG"), TREG))
    assert row(counts, tube_id="A", name="CD4")["flags"] == "expired_beads"
    assert row(counts, tube_id="B", name="Treg")["flags"] == "source_expired_beads"


def test_bead_doublets_count_twice():
    specs = {"TBNK": CountSpec("beads", beads="beads", bead_doublets="two")}
    tree = {**TBNK, "tqc/beads/two": 250}
    found = row(counts_of((tube("A", "TBNK"), tree), specs=specs), name="CD4")
    # 10000 events of which 250 are two beads: 10250 beads, known as 9750 + 4 × 250 would be
    assert found["cells_per_ul"] == pytest.approx(2500 / 10_250 * 1000)
    assert found["cv"] == pytest.approx(math.sqrt(1 / 2500 + 10_750 / 10_250**2 + 0.03**2 + 0.02**2))
    outside = {"TBNK": CountSpec("beads", beads="beads", bead_doublets="lympho")}
    reason = row(counts_of((tube("A", "TBNK"), TBNK), specs=outside), name="CD4")["reason"]
    assert reason == "lympho, the bead doublets, is not below beads"


def test_lymphocytes_from_leucocytes_have_their_own_error():
    specs = {"TREG": CountSpec("dual", denominator="CD4")}
    facts = tube("B", "TREG", route="dual", alc_per_ul=1500.0, alc_from_wbc=True)
    found = row(counts_of((facts, TREG), specs=specs), name="Treg")
    # 5 % of 1500
    np.testing.assert_allclose(values(found), log_normal(75.0, math.sqrt(0.95 / 625 + 0.05**2)), rtol=1e-12)
    assert found["flags"] == "alc_from_wbc"


PURE = {
    "tqc": 60_000, "tqc/gate": 10_000, "tqc/gate/pure": 8000, "tqc/gate/pure/T": 6000, "tqc/gate/B": 1000,
}  # fmt: skip


def test_purity_of_the_same_tube():
    specs = {"TREG": CountSpec("dual", denominator="gate", purity="pure")}
    counts = counts_of((tube("B", "TREG", route="dual", alc_per_ul=1600.0), PURE), specs=specs)
    # T lies inside the true lymphocytes: 6000 / 8000 of 1600, a binomial share of them
    np.testing.assert_allclose(
        values(row(counts, name="T")), log_normal(1200.0, math.sqrt(0.25 / 6000 + 0.04**2)), rtol=1e-12
    )
    # these are the blood count itself
    np.testing.assert_allclose(values(row(counts, name="pure")), log_normal(1600.0, 0.04), rtol=1e-12)
    # 10 % of the gate / 80 % purity of 1600; B need not lie inside, so both shares have their error
    variance = 0.9 / 1000 + 0.2 / 8000 + 0.04**2
    np.testing.assert_allclose(values(row(counts, name="B")), log_normal(200.0, math.sqrt(variance)), rtol=1e-12)
    # the gate holds more than the blood count's lymphocytes
    np.testing.assert_allclose(
        values(row(counts, name="gate")), log_normal(2000.0, math.sqrt(0.2 / 8000 + 0.04**2)), rtol=1e-12
    )


def test_purity_of_another_tube():
    specs = {
        "TREG": CountSpec("dual", denominator="gate", purity="gate/pure", purity_tube="CD14"),
        "CD14": CountSpec("none"),
    }
    tree = {"tqc": 60_000, "tqc/gate": 9000, "tqc/gate/T": 4500}
    dual = (tube("B", "TREG", route="dual", alc_per_ul=1600.0), tree)
    counts = counts_of(dual, (tube("C", "CD14", route="none"), PURE), specs=specs)
    variance = 0.5 / 4500 + 0.2 / 8000 + 0.04**2
    found = row(counts, tube_id="B", name="T")
    np.testing.assert_allclose(values(found), log_normal(0.5 / 0.8 * 1600, math.sqrt(variance)), rtol=1e-12)
    lost = row(counts_of(dual, specs=specs), name="T")
    assert lost["reason"] == "tube CD14, which counts the purity, is missing at this visit"


def test_a_pure_gate_changes_nothing_but_is_known_no_better():
    specs = {"TREG": CountSpec("dual", denominator="gate", purity="pure")}
    tree = {"tqc": 60_000, "tqc/gate": 8000, "tqc/gate/pure": 8000, "tqc/gate/pure/T": 6000}
    found = row(counts_of((tube("B", "TREG", route="dual", alc_per_ul=1600.0), tree), specs=specs), name="T")
    plain = from_alc(6000, 8000, 1600, ERRORS)
    np.testing.assert_allclose(values(found), [plain.value, plain.lower, plain.upper, plain.cv])


@pytest.mark.parametrize(
    ("purity", "tree", "reason"),
    [
        ("tqc", PURE, "tqc, the purity, is not below gate, the denominator"),
        ("purest", PURE, "the purity purest is not in strategy treg"),
        ("pure", {**PURE, "tqc/gate/pure": 0, "tqc/gate/pure/T": 0}, "pure, the purity, is empty"),
    ],
)
def test_a_purity_that_cannot_be(purity, tree, reason):
    specs = {"TREG": CountSpec("dual", denominator="gate", purity=purity)}
    counts = counts_of((tube("B", "TREG", route="dual", alc_per_ul=1600.0), tree), specs=specs)
    assert row(counts, name="T")["reason"] == reason


def test_a_route_that_changes_for_one_population_alone():
    # at M1 the gate that carries the chain is empty of nothing, but the tube is counted by itself
    first = [(tube("A", "TBNK"), TBNK), (tube("B", "TREG"), TREG)]
    later = (tube("B2", "TREG", "M1", route="volumetric", volume_ul=100.0), TREG)
    counts = counts_of(*first, later)
    flagged = counts[counts["flags"].str.contains("route_changed")]
    assert set(flagged["tube_id"]) == {"B", "B2"}
    assert set(flagged["name"]) == {"CD4", "Treg", "act"}


counting = st.integers(min_value=1, max_value=10**6)


@given(counting, counting, st.floats(0.1, 1e4), st.floats(0.01, 100.0))
def test_blood_scales_counts(cells, beads, volume, factor):
    one = from_beads(cells, beads, 50_000, volume, 1, ERRORS)
    other = from_beads(cells, beads, 50_000, volume * factor, 1, ERRORS)
    np.testing.assert_allclose(
        [one.value, one.lower, one.upper], np.array([other.value, other.lower, other.upper]) * factor, rtol=1e-9
    )
    assert one.cv == pytest.approx(other.cv)


@given(st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5), counting)
def test_parts_of_a_population_add_up(cd4, cd8, rest, beads):
    parts = [float(from_beads(n, beads, 50_000, 50, 1, ERRORS).value) for n in (cd4, cd8, rest)]
    whole = from_beads(cd4 + cd8 + rest, beads, 50_000, 50, 1, ERRORS)
    assert sum(parts) == pytest.approx(whole.value, rel=1e-12)


@given(st.lists(counting, min_size=1, max_size=5), st.randoms())
def test_replicates_in_any_order(cells, random):
    order = list(range(len(cells)))
    random.shuffle(order)
    beads = [1000 + 37 * i for i in order]
    lots = [f"L{i % 2}" for i in order]

    def estimate(places):
        take = [np.array([values[i] for i in places], dtype=float) for values in (cells, beads)]
        return by_beads(*take, np.full(len(places), 1e-3), 0.03, 0.02, [lots[i] for i in places])

    np.testing.assert_allclose(estimate(range(len(cells))), estimate(order), rtol=1e-9)


@given(counting, counting, st.integers(1, 5))
def test_replicates_of_one_lot_are_never_better_than_of_several(cells, beads, n):
    many, few = (np.full(n, float(value)) for value in (cells, beads))
    one = by_beads(many, few, np.full(n, 1e-3), 0.03, 0.02, ["L"] * n)
    several = by_beads(many, few, np.full(n, 1e-3), 0.03, 0.02, [f"L{i}" for i in range(n)])
    assert one.value == several.value
    assert several.cv <= one.cv + 1e-15
