"""Checks, notices and the trial team's table as a run writes them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from il2cyto.steps.run import run_study
from il2cyto.study import read_study


@pytest.fixture(scope="module")
def run(fixed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study and its results, made once; tests take copies."""
    folder = tmp_path_factory.mktemp("counted")
    shutil.copytree(fixed, folder / "study")
    run_study(read_study(folder / "study" / "study.yaml"), folder / "out")
    return folder / "study", folder / "out"


@pytest.fixture
def again(run: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies to change and to run again; nothing is gated twice."""
    for source, name in zip(run, ("study", "out"), strict=True):
        shutil.copytree(source, tmp_path / name)
    return tmp_path / "study", tmp_path / "out"


def edit(study: Path, tube_id: str, **cells: str) -> None:
    """Set cells of one row of the samples sheet; new columns are added."""
    path = study / "samples.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row.update({name: cells[name] if row["tube_id"] == tube_id else row.get(name, "") for name in cells})
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def rerun(study: Path, out: Path) -> pd.DataFrame:
    summary = run_study(read_study(study / "study.yaml"), out)
    assert summary.n_reused == summary.n_tubes
    return pd.read_csv(out / "failures.csv", keep_default_na=False)


def test_every_subject_visit_and_population_has_a_row(run: tuple[Path, Path]) -> None:
    study, out = run
    table = pd.read_csv(out / "trial_table.csv")
    counts = pd.read_csv(out / "counts.csv")
    cells = counts[counts["role"].isna()]
    populations = cells[["strategy", "population"]].drop_duplicates()
    subjects, visits = read_study(study / "study.yaml").subjects, ("BL", "M1")
    key = ["USUBJID", "AVISIT", "strategy", "population"]
    assert not table.duplicated(key).any()
    assert len(table) == len(subjects) * len(visits) * len(populations)
    missing = pd.read_csv(out / "missing_visits.csv")
    assert len(missing) == 1
    absent = table[table["status"] == "not_measured"]
    assert set(zip(absent["USUBJID"], absent["AVISIT"], strict=True)) == {(missing["subject"][0], missing["visit"][0])}
    assert absent["reason"].notna().all()
    # what counts.csv says stands here too
    both = table.merge(cells, left_on=key, right_on=["subject", "visit", "strategy", "population"], suffixes=("", "_c"))
    assert len(both) == len(cells)
    for name in ("count", "cells_per_ul", "lower", "upper", "percent_parent"):
        pd.testing.assert_series_equal(both[name], both[f"{name}_c"], check_names=False, check_dtype=False)


def test_the_three_forms_say_the_same(run: tuple[Path, Path]) -> None:
    _, out = run
    table = pd.read_parquet(out / "trial_table.parquet")
    text = pd.read_csv(out / "trial_table.csv", keep_default_na=False, dtype=str)
    book = openpyxl.load_workbook(out / "trial_table.xlsx", read_only=True)
    rows = list(book["trial"].iter_rows(values_only=True))
    assert list(rows[0]) == table.columns.tolist() == text.columns.tolist()
    assert len(rows) - 1 == len(table) == len(text)
    for name in ("cells_per_ul", "ratio_upper", "count"):
        place = rows[0].index(name)
        book_values = pd.Series([row[place] for row in rows[1:]], dtype="float64")
        pd.testing.assert_series_equal(book_values, table[name].astype("float64"), check_names=False)
        pd.testing.assert_series_equal(
            pd.to_numeric(text[name]), table[name].astype("float64"), check_names=False, check_dtype=False
        )


def test_the_same_run_gives_the_same_bytes(run: tuple[Path, Path], again: tuple[Path, Path]) -> None:
    rerun(*again)
    for name in ("trial_table.csv", "trial_table.xlsx", "trial_table.parquet", "checks.csv"):
        assert (again[1] / name).read_bytes() == (run[1] / name).read_bytes(), name


def test_every_tube_is_checked(run: tuple[Path, Path]) -> None:
    _, out = run
    checks = pd.read_csv(out / "checks.csv", keep_default_na=False)
    tubes = set(pd.read_csv(out / "counts.csv")["tube_id"])
    assert set(checks[checks["check"] == "lymphocyte_events"]["tube_id"]) == tubes
    beads = checks[checks["check"] == "bead_drift"]
    assert len(beads) == sum(tube.endswith("TBNK") for tube in tubes)
    # the simulated bead tubes have a time channel, and their beads do not drift
    assert set(beads["verdict"]) <= {"pass", "warn"}
    assert set(checks[checks["check"] == "lymphosum"].loc[lambda t: t["tube"] == "TBNK"]["verdict"]) == {"pass"}


def test_a_route_that_changes_is_a_notice_and_a_flag(again: tuple[Path, Path]) -> None:
    study, out = again
    edit(study, "P001-M1-TBNK", route="volumetric", volume="20", volume_unit="uL", dilution="10")
    failures = rerun(study, out)
    notices = failures[failures["kind"] == "route changed"]
    assert set(notices["subject"]) == {"P001"}
    assert notices["message"].str.contains("BL beads, M1 volumetric").any()
    table = pd.read_csv(out / "trial_table.csv", keep_default_na=False)
    flagged = table[table["flags"].str.contains("route_changed")]
    assert set(flagged["USUBJID"]) == {"P001"}
    assert set(flagged["AVISIT"]) == {"BL", "M1"}
    # what starts from the tube changes its route with it
    assert {"TBNK", "TREG"} <= set(flagged["tube"])


def test_a_tube_that_failed_has_rows_with_its_error(again: tuple[Path, Path]) -> None:
    study, out = again
    record = next(one for one in read_study(study / "study.yaml").records if one.tube == "TREG")
    record.fcs.write_bytes(record.fcs.read_bytes()[:5000])
    run_study(read_study(study / "study.yaml"), out)
    table = pd.read_csv(out / "trial_table.csv", keep_default_na=False)
    rows = table[(table["USUBJID"] == record.subject) & (table["AVISIT"] == record.visit) & (table["tube"] == "TREG")]
    others = table[(table["tube"] == "TREG") & (table["status"] == "estimated")]
    assert set(rows["population"]) == set(others["population"])
    assert set(rows["status"]) == {"not_measured"}
    assert rows["reason"].str.contains("$TOT announces", regex=False).all()
    assert record.fcs.name not in (out / "trial_table.csv").read_text(encoding="utf-8")
    assert set(rows["definition"]) == set(others["definition"])


def test_lots_expire_and_failed_checks_are_noticed(again: tuple[Path, Path]) -> None:
    study, out = again
    lot = next(record.bead_lot for record in read_study(study / "study.yaml").records if record.bead_lot)
    sheet = pd.read_csv(study / "samples.csv", dtype=str, keep_default_na=False)
    lots = {name: beads for name, beads in zip(sheet["bead_lot"], sheet["beads_per_test"], strict=True) if name}
    declared = "\n".join(
        f"  {name}: {{beads_per_test: {beads}{', expiry: 2000-01-01' if name == lot else ''}}}"
        for name, beads in lots.items()
    )
    path = study / "study.yaml"
    strict = "checks:\n  lymphosum: {fail: [99.99, 100.01], warn: [99.99, 100.01]}"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\nbead_lots:\n{declared}\n{strict}\n", encoding="utf-8")
    failures = rerun(study, out)
    assert failures["message"].str.contains("had expired").any()
    counts = pd.read_csv(out / "counts.csv", keep_default_na=False)
    expired = counts[counts["flags"].str.split(";").map(lambda flags: "expired_beads" in flags)]
    # declared lots are called by their ids
    assert set(expired["bead_lot"]) == {lot}
    failed = failures[failures["kind"] == "check failed"]
    assert failed["message"].str.contains("lymphosum = ").any()
    assert set(failed["severity"]) == {"notice"}
    assert counts["flags"].str.contains("source_lymphosum_fail").any()


def test_lots_that_nobody_declared_go_by_number(run: tuple[Path, Path]) -> None:
    study, out = run
    counts = pd.read_csv(out / "counts.csv", keep_default_na=False)
    assert {lot for lot in counts["bead_lot"] if lot} <= {"lot 1", "lot 2", "lot 3"}
    written = {record.bead_lot for record in read_study(study / "study.yaml").records if record.bead_lot}
    everything = b"".join(path.read_bytes() for path in out.glob("*.csv"))
    assert not any(lot.encode() in everything for lot in written)
