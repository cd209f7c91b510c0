"""Lots of beads, blood counts, purity, chains of chains and the limits of checks in ``study.yaml``."""

from __future__ import annotations

from datetime import date

import pytest

from il2cyto.study import read_study
from il2cyto.study.checks import Band, default_checks
from il2cyto.study.template import new_study

LOTS = """\
bead_lots:
  L1: {beads_per_test: 51230, expiry: 2021-03-15}
  C77: {beads_per_ul: 1010, bead_volume_ul: 50}
  C78: {beads_per_ul: 1000}
percent_of"""


def with_columns(folder, **cells):
    """Add columns to the samples sheet; each value is a mapping from the line to the cell."""
    lines = folder.sheets["samples"].splitlines()
    for column, values in cells.items():
        lines = [lines[0] + f",{column}", *(f"{row},{values.get(i, '')}" for i, row in enumerate(lines[1:], start=2))]
    folder.sheets["samples"] = "\n".join(lines) + "\n"
    return folder


def test_a_lot_gives_the_beads_and_its_expiry(folder):
    folder.replace("percent_of", LOTS).cell(2, "beads_per_test", "")
    folder.cell(4, "beads_per_test", "")
    study = folder.read()
    first, _, third = study.records[:3]
    assert (first.beads_per_test, first.beads_expired) == (51230.0, False)
    # collected on 30 March, the lot was good until 15 March
    assert (third.beads_per_test, third.beads_expired) == (51230.0, True)
    assert study.bead_lots["L1"].expiry == date(2021, 3, 15)
    expired = [notice for notice in study.notices if "had expired" in notice.message]
    assert [(notice.line, notice.where, notice.value) for notice in expired] == [(4, "bead_lot", "L1")]


@pytest.mark.parametrize(("expiry", "expired"), [("2021-03-01", False), ("2021-02-28", True)])
def test_the_expiry_is_the_last_day_of_use(folder, expiry, expired):
    # the first tube was collected on 1 March
    folder.replace("percent_of", LOTS.replace("2021-03-15", expiry))
    assert folder.read().records[0].beads_expired is expired


@pytest.mark.parametrize(("volume", "beads"), [("", 50500.0), ("25", 25250.0)])
def test_beads_per_ul(folder, volume, beads):
    folder.replace("percent_of", LOTS).cell(2, "beads_per_test", "").cell(2, "bead_lot", "C77")
    assert with_columns(folder, bead_volume_ul={2: volume}).read().records[0].beads_per_test == beads


@pytest.mark.parametrize(
    ("lot", "beads", "volume", "where", "message"),
    [
        ("L2", "51230", "", "bead_lot", "no such lot; it has L1, C77, C78"),
        ("L1", "50000", "", "beads_per_test", "lot L1 gives 51230 beads; correct one of the two"),
        ("C78", "", "", "bead_volume_ul", "lot C78 is declared per µL"),
        ("L1", "", "50", "bead_volume_ul", "lot L1 is declared per tube; leave this cell blank"),
        ("", "", "", "beads_per_test", "write the number of beads per tube"),
        ("", "51230", "50", "bead_volume_ul", "needs a bead_lot that study.yaml declares"),
    ],
)
def test_lots_that_do_not_fit(folder, lot, beads, volume, where, message):
    folder.replace("percent_of", LOTS).cell(2, "beads_per_test", beads).cell(2, "bead_lot", lot)
    problems = with_columns(folder, bead_volume_ul={2: volume}).problems()
    found = [problem for problem in problems if (problem.line, problem.where) == (2, where)]
    assert len(found) == 1, problems
    assert message in found[0].message


@pytest.mark.parametrize(
    ("lots", "where", "message"),
    [
        ("L1: {expiry: 2021-03-15}", "bead_lots.L1", "give one of beads_per_test"),
        ("L1: {beads_per_test: 5, beads_per_ul: 5}", "bead_lots.L1", "give one of beads_per_test"),
        ("L1: {beads_per_test: 0}", "bead_lots.L1.beads_per_test", "above 0"),
        ("L1: {beads_per_test: 5, bead_volume_ul: 50}", "bead_lots.L1", "goes with beads_per_ul"),
        ("L1: {beads_per_test: 51230, expiry: 15.3.2021}", "bead_lots.L1.expiry", "yyyy-mm-dd"),
        ("L1: {beads_per_test: 51230, expiry: 2021-02-30}", "bead_lots.L1.expiry", "yyyy-mm-dd"),
        ("L1: {beads_per_tests: 51230}", "bead_lots.L1.beads_per_tests", "did you mean 'beads_per_test'?"),
    ],
)
def test_wrong_lots(folder, lots, where, message):
    problems = folder.replace("percent_of", f"bead_lots: {{{lots}}}\npercent_of").problems()
    assert any(problem.where == where and message in problem.message for problem in problems), problems


def test_a_lot_with_two_numbers_is_noted(folder):
    notices = folder.cell(4, "beads_per_test", "50000").read().notices
    found = [notice for notice in notices if "same lot" in notice.message]
    assert [(notice.line, notice.value) for notice in found] == [(4, "L1")]
    assert "51230 beads in line 2 and 50000 here" in found[0].message


def test_lymphocytes_of_leucocytes_and_percentage(folder):
    with_columns(folder, wbc_per_ul={6: "6200", 2: "5000"}, lymphocyte_percent={6: "25", 2: "30"})
    study = folder.cell(6, "alc_per_ul", "").read()
    assert study.records[4].alc_per_ul is None
    assert study.records[4].lymphocytes_per_ul == 1550.0
    assert study.records[0].lymphocytes_per_ul == 1500.0
    assert study.records[1].lymphocytes_per_ul is None


def test_two_blood_counts_that_disagree_are_noted(folder):
    with_columns(folder, wbc_per_ul={6: "6200"}, lymphocyte_percent={6: "40"})
    study = folder.read()
    assert study.records[4].lymphocytes_per_ul == 1480.0
    assert any("give 2480 lymphocytes" in notice.message for notice in study.notices)


@pytest.mark.parametrize(
    ("wbc", "percent", "where", "message"),
    [
        ("6200", "", "lymphocyte_percent", "wbc_per_ul alone gives no lymphocytes"),
        ("", "25", "wbc_per_ul", "lymphocyte_percent alone gives no lymphocytes"),
        ("6200", "101", "lymphocyte_percent", "from 0 to 100"),
        ("", "", "alc_per_ul", "route 'dual' of tube PBMC needs this cell"),
    ],
)
def test_half_a_blood_count(folder, wbc, percent, where, message):
    with_columns(folder, wbc_per_ul={6: wbc}, lymphocyte_percent={6: percent})
    problems = folder.cell(6, "alc_per_ul", "").problems()
    assert any(problem.where == where and message in problem.message for problem in problems), problems


def test_purity_and_doublets(folder):
    folder.replace("denominator: lympho", "denominator: lympho, purity: lympho/pure")
    folder.replace("beads: beads}", "beads: beads, bead_doublets: beads/two}")
    tubes = folder.read().tubes
    assert (tubes["PBMC"].count.purity, tubes["PBMC"].count.purity_tube) == ("lympho/pure", None)
    assert tubes["TBNK"].count.bead_doublets == "beads/two"
    folder.replace("purity: lympho/pure", "purity: TBNK/lympho/pure")
    count = folder.read().tubes["PBMC"].count
    assert (count.purity, count.purity_tube) == ("lympho/pure", "TBNK")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("denominator: lympho", "purity: lympho", "tubes.PBMC.count.purity"),
        ("route: none", "route: none, bead_doublets: two", "tubes.PCT.count.bead_doublets"),
    ],
)
def test_corrections_of_nothing(folder, old, new, where):
    assert where in [problem.where for problem in folder.replace(old, new).problems()]


def test_a_chain_of_a_chain(folder):
    chain = "count: {route: chained, population: Treg, from: TREG/CD4/Treg}"
    study = folder.replace("count: {route: none}", chain).read()
    assert study.tubes["PCT"].count.source_population == "CD4/Treg"
    # B has no TREG tube at M3
    assert any("no counted tube TREG at M3" in notice.message for notice in study.notices)


def test_a_circle_of_chains(folder):
    folder.replace("route: none", "route: chained, population: x, from: TREG/CD4").replace(
        "from: TBNK/CD4", "from: PCT/x"
    )
    messages = {problem.where: problem.message for problem in folder.problems()}
    assert "in a circle (TREG from PCT from TREG)" in messages["tubes.TREG.count.from"]
    assert "in a circle (PCT from TREG from PCT)" in messages["tubes.PCT.count.from"]


def test_defaults_stand_where_nothing_is_said(folder):
    checks = folder.read().checks
    assert checks == default_checks()
    assert checks.rules["lymphosum"].band == Band(90, 95, 105, 110)
    assert checks.rules["t_sum"].band == Band(-10, -5, 5, 10)
    assert checks.rules["cd3_between_tubes"].band == Band(warn_above=3)
    assert checks.rules["lymphocyte_events"].band == Band(warn_below=2500)
    assert checks.rules["replicate_cv"].band == Band(warn_above=10)
    assert checks.rules["sample_age"].band == Band(warn_above=24, fail_above=48)
    assert checks.rules["blood_count"].band == Band(warn_below=0.8, warn_above=1.2)


def test_checks_are_configured(folder):
    checks = """\
checks:
  roles: {CD3: [T, CD3], lymphocytes: lympho}
  order: [[Treg, CD4]]
  lymphosum: {warn: [97, 103]}
  viability: {warn: [90, null], tubes: {TREG: {warn: [70, null], fail: [50, null]}}}
  sample_age: off
percent_of"""
    checks = folder.replace("percent_of", checks).read().checks
    assert checks.roles == {"CD3": ("T", "CD3"), "lymphocytes": ("lympho",)}
    assert checks.order == (("Treg", "CD4"),)
    assert checks.rules["lymphosum"].band == Band(90, 97, 103, 110)
    assert checks.rules["viability"].for_tube("TBNK") == Band(warn_below=90)
    assert checks.rules["viability"].for_tube("TREG") == Band(50, 70)
    assert "sample_age" not in checks.rules


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("lymphosun: off", "checks.lymphosun", "did you mean 'lymphosum'?"),
        ("lymphosum: 95", "checks.lymphosum", "give limits"),
        ("lymphosum: {warn: [95]}", "checks.lymphosum.warn", "the lowest and the highest"),
        ("lymphosum: {warn: [105, 95]}", "checks.lymphosum", "not in order"),
        ("lymphosum: {warn: [80, 120]}", "checks.lymphosum", "not in order"),
        ("lymphosum: {warn: [a, b]}", "checks.lymphosum.warn", "the lowest and the highest"),
        ("viability: {tubes: {TREGG: {warn: [1, 2]}}}", "checks.viability.tubes.TREGG", "did you mean 'TREG'?"),
        ("roles: {CD33: T}", "checks.roles.CD33", "did you mean 'CD3'?"),
        ("order: [[Treg]]", "checks.order.1", "two roles"),
        ("order: [Treg, CD4]", "checks.order", "list of lists"),
        ("order: [[Treg, CD5]]", "checks.order.1.2", "unknown"),
    ],
)
def test_wrong_checks(folder, text, where, message):
    problems = folder.replace("percent_of", f"checks: {{{text}}}\npercent_of").problems()
    assert any(problem.where == where and message in problem.message for problem in problems), problems


def test_the_template_declares_lots_and_checks(tmp_path):
    new_study(tmp_path)
    study = read_study(tmp_path / "study.yaml")
    assert list(study.bead_lots) == ["A1234", "C77"]
    assert study.checks.rules["viability"].for_tube("TREG") == Band(warn_below=80)
    assert "bead_share_cv" not in study.checks.rules
