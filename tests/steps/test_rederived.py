"""Numbers of the tables made again from ``visits.h5ad`` and the sheets, by loops without the package."""

from __future__ import annotations

import csv
import math
import shutil
from collections import defaultdict
from pathlib import Path
from statistics import mean, median, stdev

import h5py
import pandas as pd
import pytest

from il2cyto.simulate import simulate_trial
from il2cyto.steps.run import run_study
from il2cyto.study import read_study


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six subjects, three visits, one of them missed; gates as drawn."""
    folder = tmp_path_factory.mktemp("whole")
    simulate_trial(
        folder / "study", n_subjects=6, visits=("BL", "M1", "M3"), seed=3, lymphocytes=1_500, tbnk_lymphocytes=1_500,
        missing_visits=1, jobs=2,
    )  # fmt: skip
    with (folder / "study/study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("gates: {learn: false}\n")
    run_study(read_study(folder / "study/study.yaml"), folder / "out", jobs=2)
    return folder / "study", folder / "out"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def texts(group: h5py.Group, name: str) -> list[str]:
    found = group[name]
    if isinstance(found, h5py.Group):  # coded classes, or text with a mask
        if "categories" in found:
            names = [one.decode() for one in found["categories"][:]]
            return [names[code] if code >= 0 else "" for code in found["codes"][:]]
        return ["" if lost else one.decode() for one, lost in zip(found["values"][:], found["mask"][:], strict=True)]
    return [one.decode() if isinstance(one, bytes) else str(one) for one in found[:]]


def test_changed_subjects_follow_from_the_visits(whole: tuple[Path, Path]) -> None:
    _, out = whole
    with h5py.File(out / "visits.h5ad") as file:
        cells = file["X"][:]
        subject, visit, arm = (texts(file["obs"], name) for name in ("USUBJID", "AVISIT", "ARM"))
        population, strategy = (texts(file["var"], name) for name in ("population", "strategy"))
    value = {
        (subject[i], visit[i], strategy[j], population[j]): float(cells[i, j])
        for i in range(len(subject))
        for j in range(len(population))
        if not math.isnan(cells[i, j])
    }
    arm_of = dict(zip(subject, arm, strict=True))
    checked = 0
    for row in rows(out / "changed_subjects.csv"):
        if row["contrast"] != "within_arm" or row["unit"] != "cells/µL" or row["rule"] not in ("any", "fold 1.5"):
            continue
        fold = 1.0 if row["rule"] == "any" else 1.5
        up = down = same = 0
        for one in {name for name, its in arm_of.items() if its == row["arm"]}:
            before = value.get((one, "BL", row["strategy"], row["population"]))
            now = value.get((one, row["visit"], row["strategy"], row["population"]))
            if before is None or now is None:
                continue
            rose = now > before and now >= fold * before
            fell = now < before and now <= before / fold
            up, down, same = up + rose, down + fell, same + (not rose and not fell)
        assert (int(row["n_increased"]), int(row["n_decreased"]), int(row["n_unchanged"])) == (up, down, same)
        checked += 1
    assert checked > 100


def test_a_laboratory_table_follows_from_its_sheet(whole: tuple[Path, Path]) -> None:
    study, out = whole
    arm = {row["subject"]: row["arm"] for row in rows(study / "samples.csv")}
    values: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in rows(study / "labs.csv"):
        if row["test"] == "C3":
            values[arm[row["subject"]], row["visit"]][row["subject"]] = float(row["value"])
    table = pd.read_csv(out / "outcomes/SEROLOGY.csv", dtype={"category": str}).query("parameter == 'C3'")
    for (group, visit), mine in values.items():
        here = table[(table["arm"] == group) & (table["visit"] == visit)]
        (told,) = here[here["analysis"] == "value"].to_dict("records")
        assert told["n"] == len(mine)
        assert told["estimate"] == pytest.approx(mean(mine.values()), rel=1e-12)
        assert told["median"] == pytest.approx(median(mine.values()), rel=1e-12)
        assert told["sd"] == pytest.approx(stdev(mine.values()), rel=1e-9)
        if visit != "BL":
            change = [later - values[group, "BL"][one] for one, later in mine.items() if one in values[group, "BL"]]
            (told,) = here[here["analysis"] == "change"].to_dict("records")
            assert (told["n"], told["estimate"]) == (len(change), pytest.approx(mean(change), rel=1e-9))
    assert len(values) == 6


def test_the_steroid_of_a_visit_follows_from_the_prescriptions(whole: tuple[Path, Path]) -> None:
    study, out = whole
    equivalent = {"prednisone": 1.0, "methylprednisolone": 1.25}
    told = {
        (row["subject"], row["visit"]): float(row["value"])
        for row in rows(out / "outcomes/STEROID_subjects.csv")
        if row["parameter"] == "PREDEQM2"
    }
    taken = rows(study / "conmeds.csv")
    bodies = rows(study / "vitals.csv")
    assert set(told) == {(row["subject"], row["visit"]) for row in bodies}
    for body in bodies:
        day = pd.Timestamp(body["date"])
        surface = math.sqrt(float(body["height_cm"]) * float(body["weight_kg"]) / 3600)
        total = 0.0
        for back in range(1, 29):
            on = day - pd.Timedelta(days=back)
            for drug in taken:
                begun = pd.Timestamp(drug["start_date"])
                ended = pd.Timestamp(drug["end_date"] or "2100-01-01")
                if (drug["subject"], drug["group"], drug["per"]) == (body["subject"], "steroid", "day"):
                    total += float(drug["dose"]) * equivalent[drug["drug"]] if begun <= on <= ended else 0.0
        assert told[body["subject"], body["visit"]] == pytest.approx(total / 28 / surface, rel=1e-9)


def test_a_missed_visit_has_no_number_anywhere(whole: tuple[Path, Path]) -> None:
    _, out = whole
    ((subject, visit),) = {(row["subject"], row["visit"]) for row in rows(out / "missing_visits.csv")}
    for path in sorted((out / "outcomes").glob("*_subjects.csv")):
        assert not [row for row in rows(path) if row["subject"] == subject and row.get("visit") == visit], path.name
    flow = {(row["arm"], row["visit"]): row for row in rows(out / "outcomes/flow.csv")}
    assert sum(int(row["missing"]) for row in flow.values()) == 1


def test_the_same_study_gives_the_same_bytes(whole: tuple[Path, Path], tmp_path: Path) -> None:
    study, out = whole
    again = tmp_path / "again"
    shutil.copytree(out, again)
    shutil.rmtree(again / "outcomes")
    run_study(read_study(study / "study.yaml"), again, jobs=1)
    names = sorted(path.name for path in (out / "outcomes").iterdir())
    assert names == sorted(path.name for path in (again / "outcomes").iterdir())
    for name in names:
        assert (out / "outcomes" / name).read_bytes() == (again / "outcomes" / name).read_bytes(), name
