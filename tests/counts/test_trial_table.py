"""The trial team's table, written by hand: changes, a missing visit, a missing tube, a zero baseline, two lots."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from study_tables import DATES, NUMBERS, SPECS, counts_of, row, tube

from il2cyto.counts import trial_table, visit_rows
from il2cyto.counts.reference import ReferenceRange, reference_ranges
from il2cyto.counts.trialcolumns import trial_columns
from il2cyto.errors import TableError
from il2cyto.study.checks import default_checks
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.model import CountSpec

Z = 1.959963984540054
TBNK = {"tqc": 90_000, "tqc/beads": 10_000, "tqc/T": 3500, "tqc/T/CD4": 2500, "tqc/B": 0}
TREG = {"tqc": 60_000, "tqc/CD4": 12_500, "tqc/CD4/Treg": 625}


def days_of(*visits: tuple[str, str], **further: Any) -> pd.DataFrame:
    rows = []
    for subject, visit in visits:
        rows.append(
            {
                "USUBJID": subject, "AVISIT": visit, "AVISITN": NUMBERS[visit], "ARM": "IL2", "DIAGNOSIS": "SLE",
                "SEX": "F", "AGE": 11.0, "collection_date": DATES[visit], "ADY": 1 if visit == "BL" else 31,
                "DSLD": None if visit == "BL" else 2, "CYCDAY": None if visit == "BL" else 7,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows).astype({"ADY": "Int64", "DSLD": "Int64", "CYCDAY": "Int64"})
    return table.assign(**further)


def trial(
    counts: pd.DataFrame, days: pd.DataFrame, missing: tuple[tuple[str, str], ...] = (), **other: Any
) -> pd.DataFrame:
    absent = pd.DataFrame(list(missing), columns=["subject", "visit"], dtype=object)
    return trial_table(counts, days, absent, NUMBERS, other.pop("baseline", "BL"), "S", **other)


def both_visits(lots: tuple[str, str] = ("L1", "L1")) -> pd.DataFrame:
    later = {**TBNK, "tqc/T/CD4": 1250, "tqc/B": 400}
    return counts_of(
        (tube("A", "TBNK", bead_lot=lots[0]), TBNK),
        (tube("B", "TREG"), TREG),
        (tube("C", "TBNK", "M1", bead_lot=lots[1]), later),
        (tube("D", "TREG", "M1"), {**TREG, "tqc/CD4/Treg": 1250}),
    )


def test_the_whole_table_of_one_subject() -> None:
    table = trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")), (("P1", "M3"),))
    assert table.columns.tolist() == [column.name for column in trial_columns() if not column.optional]
    shown = [
        "AVISIT",
        "DSLD",
        "population",
        "count",
        "cells_per_ul",
        "status",
        "reason",
        "ratio",
        "difference",
        "change_reason",
        "percent_parent_change",
    ]
    away, first = "the visit did not take place, or has no tube in the samples sheet", "this is the baseline"
    none, no_m3 = np.nan, "no cells/µL at this visit: the visit did not take place, or has no tube in the samples sheet"
    zero = "0 cells/µL at BL, the baseline: there is a difference and no ratio"
    expected = [
        ("BL", None, "tqc/T", 3500, 350.0, "estimated", "", none, none, first, none),
        ("BL", None, "tqc/T/CD4", 2500, 250.0, "estimated", "", none, none, first, none),
        ("BL", None, "tqc/B", 0, 0.0, "estimated", "", none, none, first, none),
        ("BL", None, "tqc/CD4", 12_500, 250.0, "estimated", "", none, none, first, none),
        ("BL", None, "tqc/CD4/Treg", 625, 12.5, "estimated", "", none, none, first, none),
        ("M1", 2, "tqc/T", 3500, 350.0, "estimated", "", 1.0, 0.0, "", 0.0),
        ("M1", 2, "tqc/T/CD4", 1250, 125.0, "estimated", "", 0.5, -125.0, "", -100 * 1250 / 3500),
        ("M1", 2, "tqc/B", 400, 40.0, "estimated", "", none, 40.0, zero, 100 * 400 / 90_000),
        ("M1", 2, "tqc/CD4", 12_500, 125.0, "estimated", "", 0.5, -125.0, "", 0.0),
        ("M1", 2, "tqc/CD4/Treg", 1250, 12.5, "estimated", "", 1.0, 0.0, "", 5.0),
        *(
            ("M3", None, path, None, none, "not_measured", away, none, none, no_m3, none)
            for path in ("tqc/T", "tqc/T/CD4", "tqc/B", "tqc/CD4", "tqc/CD4/Treg")
        ),
    ]
    # text is text in every release of pandas
    texts = dict.fromkeys(("AVISIT", "population", "status", "reason", "change_reason"), object)
    wanted = pd.DataFrame(expected, columns=shown).astype({"DSLD": "Int64", "count": "Int64", **texts})
    pd.testing.assert_frame_equal(table[shown], wanted, rtol=1e-12)
    assert table["USUBJID"].eq("P1").all()
    assert table["ADT"].tolist() == ["2021-01-04"] * 5 + ["2021-02-03"] * 5 + [""] * 5
    assert table["AVISITN"].tolist() == [0.0] * 5 + [1.0] * 5 + [2.0] * 5
    assert table["DIAGNOSIS"].eq("SLE").all()
    assert table["AGE"].isna().tolist() == [False] * 10 + [True] * 5
    assert set(table["definition"]) == {
        "il2cyto.T.CD3posCD19neg.v1",
        "il2cyto.CD4T.CD4posCD8neg.v1",
        "il2cyto.B.CD3negCD19pos.v1",
        "il2cyto.Treg.CD25hiCD127lo.v1",
    }


def test_gates_and_quality_are_told_where_counts_tell_of_them() -> None:
    counts = both_visits()
    told = counts.assign(
        gate_status="borrowed", gate_source="study", cv_gate=0.02, quality="review", quality_reasons="few beads"
    )
    table = trial(told, days_of(("P1", "BL"), ("P1", "M1")), (("P1", "M3"),))
    names = [column.name for column in trial_columns() if column.name in table]
    assert table.columns.tolist() == names
    assert names[names.index("flags") + 1 :][:5] == [
        "gate_status", "gate_source", "cv_gate", "quality", "quality_reasons"
    ]  # fmt: skip
    assert table["gate_status"].tolist() == ["borrowed"] * 10 + [""] * 5
    assert table["quality_reasons"].tolist() == ["few beads"] * 10 + [""] * 5
    np.testing.assert_array_equal(table["cv_gate"], [0.02] * 10 + [np.nan] * 5)


@pytest.mark.parametrize(
    ("lots", "lot_variance"), [(("L1", "L1"), 0.0), (("L1", "L2"), 2 * 0.02**2), (("", ""), 2 * 0.02**2)]
)
def test_the_interval_of_the_change(lots: tuple[str, str], lot_variance: float) -> None:
    table = trial(both_visits(lots), days_of(("P1", "BL"), ("P1", "M1")))
    # CD4: counting and beads of both tubes, pipetting of both, the lot of both or of none
    variance = 1 / 2500 + 1 / 1250 + 2 / 10_000 + 2 * 0.03**2 + lot_variance
    found = row(table, AVISIT="M1", population="tqc/T/CD4")
    half = math.exp(Z * math.sqrt(variance))
    np.testing.assert_allclose([found["ratio_lower"], found["ratio_upper"]], [0.5 / half, 0.5 * half], rtol=1e-12)
    # Treg starts from these: the shares add their own variance, and the lot falls out in the same way
    variance += (1 - 0.05) / 625 + (1 - 0.1) / 1250
    found = row(table, AVISIT="M1", population="tqc/CD4/Treg")
    half = math.exp(Z * math.sqrt(variance))
    np.testing.assert_allclose([found["ratio_lower"], found["ratio_upper"]], [1 / half, half], rtol=1e-12)


def test_the_interval_of_a_difference_by_hand() -> None:
    table = trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")))
    found = row(table, AVISIT="M1", population="tqc/T/CD4")
    now, then = (math.exp(Z * math.sqrt(1 / n + 1 / 10_000 + 0.03**2)) for n in (1250, 2500))
    lot = Z * 0.02 * 125
    below = math.sqrt((125 - 125 / now) ** 2 + (250 * then - 250) ** 2 + lot**2)
    above = math.sqrt((125 * now - 125) ** 2 + (250 - 250 / then) ** 2 + lot**2)
    np.testing.assert_allclose([found["difference_lower"], found["difference_upper"]], [-125 - below, -125 + above])
    # from a zero baseline: 0 events of the first tube have an upper limit of their own
    b = row(table, AVISIT="M1", population="tqc/B")
    base = row(table, AVISIT="BL", population="tqc/B")
    assert base["upper"] == pytest.approx(0.37, abs=0.003)
    assert b["difference_lower"] < 40 < b["difference_upper"]
    assert math.isnan(b["ratio_upper"])


def test_a_count_that_falls_to_zero_has_an_upper_limit() -> None:
    counts = counts_of((tube("A", "TBNK"), {**TBNK, "tqc/B": 400}), (tube("C", "TBNK", "M1"), TBNK))
    found = row(trial(counts, days_of(("P1", "BL"), ("P1", "M1"))), AVISIT="M1", population="tqc/B")
    assert (found["ratio"], found["ratio_lower"]) == (0.0, 0.0)
    # 3.69 events against 400, and the other errors on top
    assert 3.69 / 400 < found["ratio_upper"] < 3.8 / 400


def test_a_visit_without_one_of_its_tubes() -> None:
    counts = both_visits()
    counts = counts[counts["tube_id"] != "D"]
    other = counts_of((tube("X", "TREG", "M1", subject="P2"), TREG), (tube("Y", "TBNK", "M1", subject="P2"), TBNK))
    everything = pd.concat([counts, other], ignore_index=True)
    days = days_of(("P1", "BL"), ("P1", "M1"), ("P2", "M1"))
    table = trial(everything, days)
    treg = row(table, USUBJID="P1", AVISIT="M1", population="tqc/CD4/Treg")
    assert (treg["status"], treg["reason"]) == ("not_measured", "no tube of type TREG was counted at this visit")
    assert treg["ADT"] == "2021-02-03"
    assert row(table, USUBJID="P2", population="tqc/CD4/Treg")["change_reason"] == "not measured at BL, the baseline"
    told = pd.DataFrame(
        [("P1", "M1", "TREG", "treg", "tqc/CD4/Treg", "the file ends early"), ("P1", "M1", "TREG", "treg", "tqc", "x")],
        columns=["subject", "visit", "tube", "strategy", "population", "reason"],
    )
    table = trial(everything, days, missing_populations=told)
    treg = row(table, USUBJID="P1", AVISIT="M1", population="tqc/CD4/Treg")
    assert (treg["status"], treg["reason"], treg["definition"]) == (
        "not_measured", "the file ends early", "il2cyto.Treg.CD25hiCD127lo.v1",
    )  # fmt: skip
    # time QC is no cell population
    assert "tqc" not in set(table["population"])


def test_of_two_tubes_the_one_that_failed_does_not_hide_the_other() -> None:
    told = pd.DataFrame(
        [("P1", "M1", "TREG", "treg", "tqc/CD4/Treg", "the file ends early")],
        columns=["subject", "visit", "tube", "strategy", "population", "reason"],
    )
    table = trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")), missing_populations=told)
    assert row(table, AVISIT="M1", population="tqc/CD4/Treg")["status"] == "estimated"


def test_a_missing_visit_has_the_strategy_of_the_subject() -> None:
    counts = counts_of(
        (tube("A", "TREG", strategy="own"), TREG),
        (tube("B", "TREG", subject="P2"), {**TREG, "tqc/CD8": 5}),
        (tube("C", "TREG", subject="P3"), {**TREG, "tqc/CD8": 5}),
    )
    table = trial(counts, days_of(("P1", "BL"), ("P2", "BL"), ("P3", "BL")), (("P1", "M1"), ("P2", "M1")))
    missing = table[table["AVISIT"] == "M1"]
    assert missing.groupby("USUBJID")["strategy"].agg(list).to_dict() == {"P1": ["own"] * 2, "P2": ["treg"] * 3}


def test_the_baseline_of_a_subject_is_what_the_visits_say() -> None:
    days = days_of(("P1", "BL"), ("P1", "M1"), ABLFL=[None, "Y"], ANL01FL=["Y", "Y"], EXTRA=[1, 2])
    table = trial(both_visits(), days)
    # in the order in which they are explained; what is not explained comes first
    assert table.columns.tolist()[11:15] == ["CYCDAY", "EXTRA", "ANL01FL", "ABLFL"]
    assert set(table["baseline_visit"]) == {"M1"}
    assert row(table, AVISIT="BL", population="tqc/T/CD4")["ratio"] == 2.0
    assert row(table, AVISIT="M1", population="tqc/T/CD4")["change_reason"] == "this is the baseline"


def test_a_study_without_a_baseline() -> None:
    table = trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")), baseline=None)
    assert set(table["change_reason"]) == {"no baseline visit"}
    assert table[["ratio", "difference", "baseline_cells_per_ul"]].isna().all(axis=None)


def test_no_cells_per_ul_has_a_reason_and_percentages_still_change() -> None:
    specs = {**SPECS, "TREG": CountSpec("none")}
    counts = counts_of(
        (tube("B", "TREG", route="none"), TREG),
        (tube("D", "TREG", "M1", route="none"), {**TREG, "tqc/CD4/Treg": 1250}),
        specs=specs,
    )
    treg = row(trial(counts, days_of(("P1", "BL"), ("P1", "M1"))), AVISIT="M1", population="tqc/CD4/Treg")
    assert (treg["percent_parent"], treg["baseline_percent_parent"], treg["percent_parent_change"]) == (10.0, 5.0, 5.0)
    assert treg["change_reason"] == "no cells/µL at this visit: route none: no absolute counts for this tube"


def test_rows_in_any_order_and_repeats() -> None:
    counts = both_visits()
    days = days_of(("P1", "BL"), ("P1", "M1"))
    shuffled = trial(counts.sample(frac=1, random_state=1), days.iloc[::-1])
    columns = ["USUBJID", "AVISIT", "population", "cells_per_ul", "ratio"]
    key = columns[:3]
    pd.testing.assert_frame_equal(
        trial(counts, days)[columns].sort_values(key, ignore_index=True),
        shuffled[columns].sort_values(key, ignore_index=True),
    )


def test_scaling_both_visits_scales_differences_and_leaves_ratios() -> None:
    days = days_of(("P1", "BL"), ("P1", "M1"))
    later = {**TBNK, "tqc/T/CD4": 1250, "tqc/B": 400}
    tables = [
        trial(
            counts_of(
                (tube("A", "TBNK", blood_volume_ul=v), TBNK), (tube("C", "TBNK", "M1", blood_volume_ul=v), later)
            ),
            days,
        )
        for v in (50.0, 25.0)
    ]
    ratios, differences = (
        ["ratio", "ratio_lower", "ratio_upper"],
        ["difference", "difference_lower", "difference_upper"],
    )
    np.testing.assert_allclose(tables[0][ratios], tables[1][ratios])
    np.testing.assert_allclose(2 * tables[0][differences], tables[1][differences])


def test_nothing_counted_at_all() -> None:
    empty = counts_of((tube("A", "TBNK"), TBNK)).iloc[:0]
    table = trial(empty, days_of(("P1", "BL")))
    assert (len(table), table.columns.tolist()) == (
        0,
        [column.name for column in trial_columns() if not column.optional],
    )


def test_a_table_that_does_not_fit() -> None:
    with pytest.raises(TableError, match="days lacks the column 'DSLD'"):
        trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")).drop(columns="DSLD"))


def test_every_column_is_explained() -> None:
    assert all(column.meaning and column.kind in ("text", "number", "whole", "date") for column in trial_columns())
    names = [column.name for column in trial_columns()]
    assert len(set(names)) == len(names)


def test_reference_ranges_by_the_age_at_baseline() -> None:
    # 11.9 years at baseline and 12.1 at M1: the band does not change with the child's birthday
    days = days_of(("P1", "BL"), ("P1", "M1"), AGE=[11.9, 12.1])
    table = trial(both_visits(), days)
    columns = ["cells_per_ul", "reference_low", "reference_high", "reference_place"]
    shown = table[table["name"].isin(["T", "CD4", "B", "Treg"])].set_index(["AVISIT", "population"])[columns]
    none = (np.nan, np.nan, "")
    expected = {
        ("BL", "tqc/T"): (350.0, 1200.0, 2600.0, "below"),
        ("BL", "tqc/T/CD4"): (250.0, 650.0, 1500.0, "below"),
        ("BL", "tqc/B"): (0.0, 270.0, 860.0, "below"),
        ("BL", "tqc/CD4"): (250.0, 650.0, 1500.0, "below"),
        ("BL", "tqc/CD4/Treg"): (12.5, *none),
        ("M1", "tqc/T"): (350.0, 1200.0, 2600.0, "below"),
        ("M1", "tqc/T/CD4"): (125.0, 650.0, 1500.0, "below"),
        ("M1", "tqc/B"): (40.0, 270.0, 860.0, "below"),
        ("M1", "tqc/CD4"): (125.0, 650.0, 1500.0, "below"),
        ("M1", "tqc/CD4/Treg"): (12.5, *none),
    }
    assert list(shown.index) == list(expected)
    wanted = pd.DataFrame(list(expected.values()), columns=columns).astype({"reference_place": object})
    pd.testing.assert_frame_equal(shown.reset_index(drop=True), wanted, rtol=1e-12)
    source = row(table, AVISIT="BL", population="tqc/T")["reference_source"]
    assert source.startswith("P10-P90, 6 to 12 years, CD3+, Shearer 2003")
    # without a baseline it is the age at the first visit, and an adult has no range
    assert row(trial(both_visits(), days, baseline=None), AVISIT="M1", population="tqc/T")["reference_low"] == 1200.0
    adult = trial(both_visits(), days.assign(AGE=30.0))
    assert adult["reference_source"].eq("").all()
    unknown = trial(both_visits(), days.assign(AGE=np.nan))
    assert unknown["reference_low"].isna().all()


def test_reference_ranges_of_ones_own() -> None:
    own = (
        ReferenceRange("Treg", "CD25hiCD127lo", 0.0, 18.0, "", "P5-P95", 10.0, 100.0, "our laboratory"),
        ReferenceRange("Treg", "CD25hiCD127lo", 0.0, 18.0, "F", "P5-P95", 20.0, 90.0, "our laboratory"),
    )
    days = days_of(("P1", "BL"), ("P1", "M1"))
    found = row(trial(both_visits(), days, ranges=own), AVISIT="BL", population="tqc/CD4/Treg")
    # P1 is a girl
    assert (found["reference_low"], found["reference_place"]) == (20.0, "below")
    found = row(trial(both_visits(), days.assign(SEX=None), ranges=own), AVISIT="BL", population="tqc/CD4/Treg")
    assert (found["reference_low"], found["reference_place"]) == (10.0, "within")


def test_roles_of_ranges_by_name() -> None:
    named = replace(default_checks(), roles=FrozenMapping({"CD4": ("T",)}))
    table = trial(both_visits(), days_of(("P1", "BL"), ("P1", "M1")), checks=named)
    assert row(table, AVISIT="BL", population="tqc/T")["reference_low"] == 650.0
    # the name replaces the definition
    assert math.isnan(row(table, AVISIT="BL", population="tqc/T/CD4")["reference_low"])


def test_bands_of_the_ranges_are_whole_and_in_order() -> None:
    for population in ("CD3", "CD4", "B"):
        bands = [(one.age_lo, one.age_hi) for one in reference_ranges() if one.population_id == population]
        assert [low for low, _ in bands] == [0.0, *(high for _, high in bands[:-1])]
        assert bands[-1][1] == 18.0
    assert all(one.lo < one.hi and one.stat == "P10-P90" for one in reference_ranges())


def test_tubes_kept_apart_give_one_row() -> None:
    tubes = [
        (tube("A1", "TBNK", repeat="apart:latest", collection_date="2021-01-03"), TBNK),
        (tube("A2", "TBNK", repeat="apart:latest"), {**TBNK, "tqc/T/CD4": 1000}),
    ]
    counts = counts_of(*tubes)
    table = trial(visit_rows(counts, pd.DataFrame([facts for facts, _ in tubes])), days_of(("P1", "BL")))
    assert row(table, population="tqc/T/CD4")["cells_per_ul"] == 100.0
