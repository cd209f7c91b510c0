"""The counts table of a small study, written by hand: a missing source, a zero, replicates, and every reason."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from il2cyto.counts import (
    COUNT_COLUMNS,
    chained,
    count_table,
    from_alc,
    from_beads,
    from_volume,
    visit_rows,
    wide_table,
)
from il2cyto.errors import TableError
from il2cyto.study.model import CountSpec, ErrorModel, Limits

ERRORS = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
LIMITS = Limits(lloq_events=100, lod_events=20, min_beads=1000)
SPECS = {
    "TBNK": CountSpec(route="beads", beads="beads", denominator="live"),
    "TREG": CountSpec(route="chained", population="CD4", source_tube="TBNK", source_population="T/CD4"),
    "TH": CountSpec(route="dual", denominator="live"),
    "NK": CountSpec(route="none"),
}
TBNK_TREE = ["tqc", "tqc/beads", "tqc/live", "tqc/live/T", "tqc/live/T/CD4", "tqc/live/B"]
TREG_TREE = ["tqc", "tqc/live", "tqc/live/CD4", "tqc/live/CD4/Treg", "tqc/live/CD4/Treg/act", "tqc/live/CD8"]


def tube(tube_id: str, tube: str, visit: str = "BL", subject: str = "P1", **other: Any) -> dict[str, Any]:
    row = {
        "study": "S",
        "subject": subject,
        "arm": "IL2",
        "diagnosis": "SLE",
        "visit": visit,
        "visit_number": {"BL": 0.0, "M1": 1.0}[visit],
        "collection_date": {"BL": "2021-01-04", "M1": "2021-02-03"}[visit],
        "ady": 1,
        "days_since_dose": None,
        "tube": tube,
        "tube_id": tube_id,
        "strategy": tube.lower(),
        "route": SPECS[tube].route,
        "beads_per_test": 50_000,
        "blood_volume_ul": 50,
        "dilution": 1,
        "volume_ul": None,
        "alc_per_ul": None,
        "repeat": "",
        "retained_time_fraction": 1.0,
        "gated_time_fraction": 1.0,
    }
    assert set(other) <= set(row)
    return {**row, **other}


def counts_of(tube_id: str, tree: list[str], counts: list[int | None], reasons: dict[int, str] | None = None) -> Any:
    found = dict(zip(tree, counts, strict=True))
    rows = []
    for position, (path, count) in enumerate(found.items()):
        parent = path.rpartition("/")[0]
        name = path.rpartition("/")[2]
        rows.append(
            {
                "tube_id": tube_id,
                "population": path,
                "name": name,
                "parent": parent or "root",
                "definition": f"d.{name}",
                "role": {"tqc": "time_qc", "beads": "beads"}.get(name, ""),
                "count": count,
                "parent_count": found[parent] if parent else 100_000,
                "n_undefined": 0,
                "status": "estimated" if count is not None else "not_estimable",
                "reason": "" if count is not None else (reasons or {}).get(position, "marker absent: CD4"),
            }
        )
    return rows


def table(tubes: list[dict[str, Any]], counted: list[Any], **other: Any) -> pd.DataFrame:
    populations = pd.DataFrame([row for rows in counted for row in rows])
    for column in ("count", "parent_count", "n_undefined"):
        populations[column] = populations[column].astype("Int64")
    return count_table(pd.DataFrame(tubes), populations, other.pop("specs", SPECS), ERRORS, LIMITS, **other)


def row(counts: pd.DataFrame, tube_id: str, population: str) -> pd.Series:
    found = counts[(counts["tube_id"] == tube_id) & (counts["population"] == population)]
    assert len(found) == 1
    return found.iloc[0]


TBNK = counts_of("A", TBNK_TREE, [90_000, 10_000, 5000, 3500, 2500, 0])
TREG = counts_of("B", TREG_TREE, [60_000, 40_000, 12_500, 625, 19, 6000])


def test_beads_and_chain() -> None:
    counts = table([tube("A", "TBNK"), tube("B", "TREG")], [TBNK, TREG], percent_of=["CD4", "live"])
    assert tuple(counts.columns) == COUNT_COLUMNS
    assert counts["tube_id"].tolist() == ["A"] * 6 + ["B"] * 6
    assert counts["population"].tolist() == TBNK_TREE + TREG_TREE
    expected = {
        # path: cells/µL, reason, flags, percent of parent, percent_of, percent of it
        "tqc": (None, "time QC is no cell population", "", 90.0, "", None),
        "tqc/beads": (None, "counting beads are no cells", "", 100 / 9, "", None),
        "tqc/live": (500.0, "", "", 100 / 18, "", None),
        "tqc/live/T": (350.0, "", "", 70.0, "tqc/live", 70.0),
        "tqc/live/T/CD4": (250.0, "", "", 100 * 2500 / 3500, "tqc/live", 50.0),
        "tqc/live/B": (0.0, "", "below_lloq;below_lod", 0.0, "tqc/live", 0.0),
    }
    check(counts[counts["tube_id"] == "A"], expected)
    not_below = "not below CD4, which carries the chain"
    expected = {
        "tqc": (None, "time QC is no cell population", "", 60.0, "", None),
        "tqc/live": (None, not_below, "", 100 * 4 / 6, "", None),
        "tqc/live/CD4": (250.0, "", "", 31.25, "tqc/live", 31.25),
        "tqc/live/CD4/Treg": (12.5, "", "", 5.0, "tqc/live/CD4", 5.0),
        "tqc/live/CD4/Treg/act": (0.38, "", "below_lloq;below_lod", 3.04, "tqc/live/CD4", 0.152),
        "tqc/live/CD8": (None, not_below, "", 15.0, "tqc/live", 15.0),
    }
    check(counts[counts["tube_id"] == "B"], expected)
    assert counts["status"].eq("estimated").all()
    assert counts["below_lloq"].isna().tolist() == [False, True] + [False] * 10
    assert counts.loc[counts["tube_id"] == "B", "route"].eq("chained").all()

    cd4 = from_beads(2500, 10_000, 50_000, 50, 1, ERRORS)
    same(row(counts, "A", "tqc/live/T/CD4"), cd4)
    same(row(counts, "B", "tqc/live/CD4"), cd4)
    same(row(counts, "B", "tqc/live/CD4/Treg"), chained(625, 12_500, cd4))
    same(row(counts, "B", "tqc/live/CD4/Treg/act"), chained(19, 12_500, cd4))
    none = row(counts, "A", "tqc/live/B")
    assert none["lower"] == 0.0
    assert none["upper"] == pytest.approx(0.37, abs=0.003)
    assert math.isnan(none["cv"])


def check(counts: pd.DataFrame, expected: dict[str, tuple[Any, ...]]) -> None:
    columns = ["population", "cells_per_ul", "reason", "flags", "percent_parent", "percent_of", "percent_ancestor"]
    wanted = pd.DataFrame([(path, *values) for path, values in expected.items()], columns=columns)
    wanted = wanted.astype({"cells_per_ul": float, "percent_ancestor": float})
    pd.testing.assert_frame_equal(counts[columns].reset_index(drop=True), wanted, rtol=1e-12)


def same(found: pd.Series, count: Any) -> None:
    names = ["cells_per_ul", "lower", "upper", "cv"]
    np.testing.assert_allclose(found[names].to_numpy(float), [count.value, count.lower, count.upper, count.cv])


def test_a_missing_source_visit_is_a_reason_and_not_a_zero() -> None:
    tubes = [tube("A", "TBNK"), tube("B", "TREG"), tube("C", "TREG", "M1")]
    counts = table(tubes, [TBNK, TREG, counts_of("C", TREG_TREE, [60_000, 40_000, 12_500, 1250, 50, 6000])])
    treg = row(counts, "C", "tqc/live/CD4/Treg")
    assert (treg["count"], treg["percent_parent"], treg["status"]) == (1250, 10.0, "estimated")
    assert math.isnan(treg["cells_per_ul"])
    assert treg["reason"] == "source tube TBNK is missing at this visit"
    # the visit without values is not one more route
    assert not counts["flags"].str.contains("route_changed").any()


@pytest.mark.parametrize(
    ("carrier", "reason"),
    [
        (counts_of("A", TBNK_TREE, [90_000, 0, 5000, 3500, 2500, 800]), "no beads found"),
        (
            counts_of("A", TBNK_TREE, [90_000, None, 5000, 3500, 2500, 800], {1: "marker absent: Beads"}),
            "the beads population beads is not estimable: marker absent: Beads",
        ),
        (counts_of("A", TBNK_TREE, [90_000, 10_000, 5000, 3500, None, 800]), "marker absent: CD4"),
    ],
)
def test_a_source_without_cells_passes_its_reason_on(carrier: Any, reason: str) -> None:
    counts = table([tube("A", "TBNK"), tube("B", "TREG")], [carrier, TREG])
    source = row(counts, "A", "tqc/live/T/CD4")
    assert (math.isnan(source["cells_per_ul"]), source["reason"]) == (True, reason)
    treg = row(counts, "B", "tqc/live/CD4/Treg")
    assert treg["reason"] == f"chained parent T/CD4 of TBNK has no cells/µL: {reason}"
    assert (treg["count"], math.isnan(treg["cells_per_ul"])) == (625, True)


def test_not_estimable_counts_keep_their_reason() -> None:
    counts = table([tube("A", "TBNK")], [counts_of("A", TBNK_TREE, [90_000, 10_000, 5000, 3500, None, 800])])
    cd4 = row(counts, "A", "tqc/live/T/CD4")
    assert cd4["count"] is pd.NA
    assert cd4["below_lloq"] is pd.NA
    assert (cd4["status"], cd4["reason"], cd4["flags"]) == ("not_estimable", "marker absent: CD4", "")
    assert math.isnan(cd4["percent_parent"])
    assert row(counts, "A", "tqc/live/B")["cells_per_ul"] == 80.0


def test_empty_parents_have_no_percentage() -> None:
    counts = table([tube("B", "TREG")], [counts_of("B", TREG_TREE, [60_000, 40_000, 0, 0, 0, 6000])])
    assert row(counts, "B", "tqc/live/CD4")["percent_parent"] == 0.0
    assert math.isnan(row(counts, "B", "tqc/live/CD4/Treg")["percent_parent"])


def test_an_empty_chain_population() -> None:
    counts = table(
        [tube("A", "TBNK"), tube("B", "TREG")], [TBNK, counts_of("B", TREG_TREE, [60_000, 40_000, 0, 0, 0, 6000])]
    )
    assert row(counts, "B", "tqc/live/CD4/Treg")["reason"] == "CD4 is empty in this tube"


def test_dual_platform() -> None:
    counted = counts_of("B", TREG_TREE, [60_000, 10_000, 4800, 24, 0, 0])
    counts = table([tube("B", "TH", alc_per_ul=1500.0)], [counted])
    live = row(counts, "B", "tqc/live")
    factor = math.exp(1.959963984540054 * 0.04)
    np.testing.assert_allclose(
        live[["cells_per_ul", "lower", "upper", "cv"]].to_numpy(float), [1500, 1500 / factor, 1500 * factor, 0.04]
    )
    same(row(counts, "B", "tqc/live/CD4"), from_alc(4800, 10_000, 1500, ERRORS))
    same(row(counts, "B", "tqc/live/CD4/Treg"), from_alc(24, 10_000, 1500, ERRORS))
    assert row(counts, "B", "tqc")["reason"] == "time QC is no cell population"


def test_dual_reports_what_is_not_below_the_denominator() -> None:
    specs = {"TH": CountSpec(route="dual", denominator="CD4")}
    counts = table([tube("B", "TH", alc_per_ul=1500.0)], [TREG], specs=specs)
    assert row(counts, "B", "tqc/live")["reason"] == "not below CD4, the denominator"
    assert math.isnan(row(counts, "B", "tqc/live/CD8")["cells_per_ul"])


def test_volumetric_scales_the_volume_by_the_retained_time() -> None:
    tubes = [tube("B", "TREG", route="volumetric", volume_ul=100.0, dilution=10, retained_time_fraction=0.8)]
    counts = table(tubes, [TREG])
    same(row(counts, "B", "tqc/live/CD4/Treg"), from_volume(625, 80, 10, ERRORS))
    assert row(counts, "B", "tqc/live/CD4/Treg")["cells_per_ul"] == 78.125


def test_stretches_that_are_left_out_take_volume_from_every_population() -> None:
    factors = {"volume_ul": 100.0, "dilution": 10, "retained_time_fraction": 0.5, "gated_time_fraction": 0.8}
    counts = table([tube("B", "TREG", route="volumetric", **factors)], [TREG])
    # below a time gate what both keep, elsewhere what was gated
    same(row(counts, "B", "tqc/live/CD4/Treg"), from_volume(625, 50, 10, ERRORS))
    outside = counts_of("B", ["live", "live/CD4"], [40_000, 12_500])
    counts = table([tube("B", "TREG", route="volumetric", **factors)], [outside])
    same(row(counts, "B", "live/CD4"), from_volume(12_500, 80, 10, ERRORS))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"beads_per_test": None}, "beads_per_test is missing"),
        ({"blood_volume_ul": -50}, "blood_volume_ul = -50 is not positive"),
        ({"dilution": math.inf}, "dilution = inf is not positive and finite"),
        ({"route": "volumetric"}, "volume_ul is missing"),
        ({"route": "volumetric", "volume_ul": 10.0, "retained_time_fraction": 1.1}, "retained_time_fraction = 1.1"),
        (
            {"route": "volumetric", "volume_ul": 10.0, "gated_time_fraction": math.nan},
            "gated_time_fraction is missing",
        ),
        ({"route": "dual"}, "alc_per_ul is missing"),
        ({"route": "none"}, "route none: no absolute counts for this tube"),
        ({"route": "bead"}, "route 'bead' is unknown"),
        ({"route": "chained"}, "the chain names no population"),
    ],
)
def test_a_tube_without_what_its_route_needs(change: dict[str, Any], reason: str) -> None:
    counts = table([tube("A", "TBNK", **change)], [TBNK])
    cells = counts[counts["role"] == ""]
    assert cells["cells_per_ul"].isna().all()
    assert cells["reason"].str.startswith(reason).all()
    assert cells["count"].tolist() == [5000, 3500, 2500, 0]


def test_a_beads_population_that_the_strategy_lacks() -> None:
    counts = table([tube("B", "TREG", route="beads")], [TREG])
    assert row(counts, "B", "tqc/live")["reason"] == "the beads population is not named for this tube type"
    specs = {"TREG": CountSpec(route="beads", beads="trucount")}
    counts = table([tube("B", "TREG", route="beads")], [TREG], specs=specs)
    assert row(counts, "B", "tqc/live")["reason"] == "the beads population trucount is not in strategy treg"


def test_populations_that_hold_the_beads_are_no_cells() -> None:
    tree = ["tqc", "tqc/all", "tqc/all/beads", "tqc/all/live"]
    counts = table([tube("A", "TBNK")], [counts_of("A", tree, [90_000, 80_000, 10_000, 5000])])
    assert row(counts, "A", "tqc/all")["reason"] == "holds beads"
    assert row(counts, "A", "tqc/all/live")["cells_per_ul"] == 500.0


def test_few_beads_are_flagged_and_the_flag_travels() -> None:
    few = counts_of("A", TBNK_TREE, [90_000, 999, 5000, 3500, 99, 800])
    counts = table([tube("A", "TBNK"), tube("B", "TREG", collection_date="2021-01-05")], [few, TREG])
    assert row(counts, "A", "tqc/live")["flags"] == "few_beads"
    assert row(counts, "A", "tqc/live/T/CD4")["flags"] == "below_lloq;few_beads"
    assert row(counts, "B", "tqc/live/CD4/Treg")["flags"] == "source_few_beads;source_below_lloq;source_of_other_day"


def test_replicates_that_are_summed() -> None:
    tubes = [tube("A1", "TBNK", repeat="sum"), tube("A2", "TBNK", repeat="sum"), tube("B", "TREG")]
    first = counts_of("A1", TBNK_TREE, [90_000, 5000, 5000, 3500, 300, 0])
    second = counts_of("A2", TBNK_TREE, [90_000, 10_000, 5000, 3500, 500, None], {5: "marker absent: CD19"})
    counts = table(tubes, [first, second, counts_of("B", TREG_TREE, [60_000, 40_000, 12_500, 625, 19, 6000])])
    cd4 = row(counts, "A1+A2", "tqc/live/T/CD4")
    assert (cd4["count"], cd4["parent_count"], cd4["n_tubes"]) == (800, 7000, 2)
    assert cd4["percent_parent"] == pytest.approx(100 * 800 / 7000)
    summed = from_beads([300, 500], [5000, 10_000], 50_000, 50, 1, ERRORS)
    same(cd4, summed)
    same(row(counts, "B", "tqc/live/CD4/Treg"), chained(625, 12_500, summed))
    b = row(counts, "A1+A2", "tqc/live/B")
    assert (b["status"], b["reason"]) == ("not_estimable", "A2: marker absent: CD19")
    assert len(counts) == 12


def test_summed_replicates_must_agree() -> None:
    both = [counts_of("A1", TREG_TREE, [60_000, 40_000, 12_500, 625, 19, 6000])]
    both.append(counts_of("A2", TREG_TREE, [60_000, 40_000, 12_500, 625, 19, 6000]))
    one = tube("A1", "TH", repeat="sum", alc_per_ul=1500.0)
    counts = table([one, tube("A2", "TH", repeat="sum", alc_per_ul=1600.0)], both)
    assert row(counts, "A1+A2", "tqc/live")["reason"] == "alc_per_ul differs between replicates (1500, 1600)"
    counts = table([one, tube("A2", "TH", repeat="sum", route="none")], both)
    assert row(counts, "A1+A2", "tqc/live")["reason"] == "replicate tubes have different routes (dual, none)"
    with pytest.raises(TableError, match=r"A1, A2 cannot be summed"):
        table([one, tube("A2", "TH", repeat="sum", strategy="other")], both)


@pytest.mark.parametrize(("rule", "visit_tube", "cd4"), [("apart:first", "A9", 250.0), ("apart:latest", "A1", 125.0)])
def test_tubes_kept_apart(rule: str, visit_tube: str, cd4: float) -> None:
    # A9 was collected the day before A1, so the order of ids is not the order of collection
    tubes = [
        tube("A1", "TBNK", repeat=rule, collection_date="2021-01-05"),
        tube("A9", "TBNK", repeat=rule, collection_date="2021-01-04"),
        tube("B", "TREG"),
    ]
    counted = [
        counts_of("A1", TBNK_TREE, [90_000, 20_000, 5000, 3500, 2500, 0]),
        counts_of("A9", TBNK_TREE, [90_000, 10_000, 5000, 3500, 2500, 0]),
        TREG,
    ]
    counts = table(tubes, counted)
    assert counts["tube_id"].drop_duplicates().tolist() == ["A9", "A1", "B"]
    assert row(counts, "B", "tqc/live/CD4")["cells_per_ul"] == cd4
    rows = visit_rows(counts, pd.DataFrame(tubes))
    assert rows["tube_id"].drop_duplicates().tolist() == [visit_tube, "B"]
    assert len(rows) == 12
    with pytest.raises(TableError, match="A9, A1 repeat"):
        visit_rows(counts, pd.DataFrame(tubes).assign(repeat=""))


@pytest.mark.parametrize(("rule", "visit_tube", "cd4"), [("apart:first", "A9", 250.0), ("apart:latest", "A1", 125.0)])
@pytest.mark.parametrize("unknown", [None, ""])
def test_tubes_of_unknown_date_are_in_the_order_of_rows(rule: str, visit_tube: str, cd4: float, unknown: Any) -> None:
    tubes = [
        tube("A9", "TBNK", repeat=rule, collection_date=unknown),
        tube("A1", "TBNK", repeat=rule, collection_date=unknown),
        tube("B", "TREG"),
    ]
    counted = [
        counts_of("A1", TBNK_TREE, [90_000, 20_000, 5000, 3500, 2500, 0]),
        counts_of("A9", TBNK_TREE, [90_000, 10_000, 5000, 3500, 2500, 0]),
        TREG,
    ]
    counts = table(tubes, counted)
    assert counts["tube_id"].drop_duplicates().tolist() == ["A9", "A1", "B"]
    assert row(counts, "B", "tqc/live/CD4")["cells_per_ul"] == cd4
    # the date of B is known and that of its source is not: unknown is not another day
    assert row(counts, "B", "tqc/live/CD4")["flags"] == ""
    rows = visit_rows(counts, pd.DataFrame(tubes))
    assert rows["tube_id"].drop_duplicates().tolist() == [visit_tube, "B"]


def test_a_sum_bears_its_earliest_known_date() -> None:
    days = {"A1": None, "A2": "2021-01-05", "A3": "2021-01-04"}
    tubes = [tube(key, "TBNK", repeat="sum", collection_date=day) for key, day in days.items()]
    counts = table(tubes, [counts_of(key, TBNK_TREE, [90_000, 5000, 5000, 3500, 300, 0]) for key in days])
    assert set(counts["tube_id"]) == {"A3+A2+A1"}
    assert set(counts["collection_date"]) == {"2021-01-04"}


def test_a_route_that_changes_within_a_subject_is_flagged() -> None:
    tubes = [
        tube("A", "TBNK"),
        tube("B", "TREG"),
        tube("A2", "TBNK", "M1", route="dual", alc_per_ul=1500.0),
        tube("B2", "TREG", "M1"),
        tube("A3", "TBNK", subject="P2"),
    ]
    counted = [TBNK, TREG]
    counted.append(counts_of("A2", TBNK_TREE, [90_000, 0, 5000, 3500, 2500, 800]))
    counted.append(counts_of("B2", TREG_TREE, [60_000, 40_000, 12_500, 625, 190, 6000]))
    counted.append(counts_of("A3", TBNK_TREE, [90_000, 10_000, 5000, 3500, 2500, 800]))
    counts = table(tubes, counted)
    # the chained tube starts from beads at the one visit and from the lymphocyte count at the other
    flagged = counts["flags"].str.contains("route_changed")
    assert set(counts.loc[flagged, "tube_id"]) == {"A", "A2", "B", "B2"}
    # live, T, CD4 and B twice, CD4 and what is below it twice; beads and what has no cells/µL came by no route
    assert flagged.sum() == 14
    assert not flagged[counts["cells_per_ul"].isna()].any()
    assert row(counts, "B2", "tqc/live/CD4")["cells_per_ul"] == 750.0


def test_the_order_of_rows_does_not_matter() -> None:
    tubes = [tube("A", "TBNK"), tube("B", "TREG"), tube("C", "TBNK", subject="P2")]
    counted = [TBNK, TREG, counts_of("C", TBNK_TREE, [90_000, 10_000, 5000, 3500, 2500, 800])]
    pd.testing.assert_frame_equal(table(tubes, counted), table(tubes[::-1], counted[::-1]))


def test_no_tubes_give_empty_tables() -> None:
    tubes = pd.DataFrame([])
    counts = count_table(tubes, pd.DataFrame([]), SPECS, ERRORS, LIMITS)
    assert (len(counts), tuple(counts.columns)) == (0, COUNT_COLUMNS)
    assert counts["count"].dtype == "Int64"
    assert (len(visit_rows(counts, tubes)), len(wide_table(counts))) == (0, 0)


def test_wide_table() -> None:
    counts = table([tube("A", "TBNK"), tube("B", "TREG")], [TBNK, TREG])
    wide = wide_table(counts)
    assert wide["tube_id"].tolist() == ["A", "B"]
    assert wide["tqc/live|count"].tolist() == [5000, 40_000]
    assert wide["tqc/live/CD4/Treg|count"].tolist() == [pd.NA, 625]
    assert wide["tqc/live/CD4/Treg|percent_parent"].iloc[1] == 5.0
    assert wide["tqc/live/T/CD4|cells_per_ul"].iloc[0] == 250.0
    assert wide.columns.tolist().index("tqc|count") < wide.columns.tolist().index("tqc/live|count")


@pytest.mark.parametrize(
    ("tubes", "counted", "message"),
    [
        ([tube("A", "TBNK"), tube("A", "TREG")], [TBNK], "names A more than once"),
        ([tube("A", "TBNK"), tube("B", "TREG")], [TBNK], "populations lacks B"),
        ([tube("A", "TBNK")], [TBNK, TREG], "tubes lacks B"),
        ([tube("A", "TBNK")], [TBNK, TBNK], "holds 'tqc' of tube A twice"),
        ([tube("A", "TBNK"), tube("B", "TBNK")], [TBNK, TREG], "tubes A, B .* repeat with the rules"),
        ([tube("A", "TBNK", repeat="mean")], [TBNK], "repeat = 'mean'; use sum"),
        ([tube("B", "TREG") | {"tube": "TREGG"}], [TREG], "tube type 'TREGG' has no count rule .*'TREG'"),
    ],
)
def test_tables_that_do_not_fit(tubes: list[dict[str, Any]], counted: list[Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        table(tubes, counted)


def test_missing_columns_are_named() -> None:
    tubes = pd.DataFrame([tube("A", "TBNK")]).rename(columns={"dilution": "dilutions"})
    with pytest.raises(TableError, match=r"tubes lacks the column 'dilution' \(did you mean 'dilutions'\?\)"):
        count_table(tubes, pd.DataFrame(TBNK), SPECS, ERRORS, LIMITS)


def test_ambiguous_names_and_circles_are_refused() -> None:
    twice = counts_of("A", ["beads", "x", "x/beads"], [10_000, 5000, 10])
    with pytest.raises(TableError, match="population 'bead' is ambiguous, it matches y/bead, x/bead"):
        table(
            [tube("A", "TBNK")],
            [counts_of("A", ["y", "y/bead", "x", "x/bead"], [1, 1, 1, 1])],
            specs={"TBNK": CountSpec(route="beads", beads="bead")},
        )
    assert row(table([tube("A", "TBNK")], [twice]), "A", "x")["cells_per_ul"] == 500.0
    chain = {
        "TBNK": CountSpec(route="chained", population="T/CD4", source_tube="TREG", source_population="CD4"),
        "TREG": SPECS["TREG"],
    }
    with pytest.raises(TableError, match="circle: TBNK from TREG from TBNK"):
        table([tube("A", "TBNK", route="chained"), tube("B", "TREG")], [TBNK, TREG], specs=chain)
