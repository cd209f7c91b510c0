"""Printed numbers of a simulated trial against a derivation of its own: plain rows and loops."""

from __future__ import annotations

import csv
import statistics
from datetime import date, timedelta

import pytest
from outcome_trial import told

VISITS = ("BL", "M1", "M3", "M6", "M12")
ARMS = ("IL2", "STD")
#: Prednisone by mg, written down again.
FACTORS = {"prednisone": 1.0, "prednisolone": 1.0, "methylprednisolone": 1.25, "dexamethasone": 5 / 0.75}


def rows_of(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def read(simulated):
    """Arm of each subject, day of each visit, and the rows of a sheet at visits."""
    folder = simulated.folder
    samples, dosing = rows_of(folder, "samples.csv"), rows_of(folder, "dosing.csv")
    arms = {row["subject"]: row["arm"] for row in samples}
    days = {}
    for row in samples:
        if row["visit"] in VISITS and row["collection_date"]:
            days.setdefault((row["subject"], row["visit"]), date.fromisoformat(row["collection_date"]))
    # this trial has no control who changes: nothing has to be left out
    assert {arms[row["subject"]] for row in dosing} == {"IL2"}
    return folder, arms, days


def summary(values, arms, arm, visit):
    """n, mean and SD of an arm at a visit, and n and mean of its changes from baseline."""
    here = [value for (subject, at), value in values.items() if at == visit and arms[subject] == arm]
    changes = [
        value - values[subject, "BL"]
        for (subject, at), value in values.items()
        if at == visit and arms[subject] == arm and (subject, "BL") in values
    ]
    return here, changes


def agree(result, parameter, values, arms):
    assert len(values) > 150
    for arm in ARMS:
        for visit in VISITS:
            here, changes = summary(values, arms, arm, visit)
            row = told(result, parameter, "value", arm, visit)
            assert (row["n"], row["of"]) == (len(here), sum(one == arm for one in arms.values()))
            assert (row["estimate"], row["sd"], row["median"]) == pytest.approx(
                (statistics.fmean(here), statistics.stdev(here), statistics.median(here))
            )
            if visit != "BL":
                row = told(result, parameter, "change", arm, visit)
                assert row["n"] == len(changes)
                assert (row["estimate"], row["median"]) == pytest.approx(
                    (statistics.fmean(changes), statistics.median(changes))
                )


def result_of(simulated, key):
    return next(one for one in simulated.outcomes.results if one.outcome.id == key)


def test_steroids(simulated, read):
    folder, arms, days = read
    areas = {
        (row["subject"], row["visit"]): (float(row["height_cm"]) * float(row["weight_kg"]) / 3600) ** 0.5
        for row in rows_of(folder, "vitals.csv")
    }
    steroids = [row for row in rows_of(folder, "conmeds.csv") if row["group"] == "steroid"]
    assert {row["unit"] for row in steroids} == {"mg"}
    doses, in_mg = {}, {}
    for (subject, visit), day in days.items():
        total = 0.0
        for back in range(1, 29):
            at = day - timedelta(days=back)
            pulse = steady = 0.0
            for row in steroids:
                # injected into a joint, inhaled, applied: no dose of the whole body
                if row["subject"] != subject or row["route"] not in ("oral", "intravenous"):
                    continue
                start = date.fromisoformat(row["start_date"])
                end = date.fromisoformat(row["end_date"]) if row["end_date"] else date.max
                mg = float(row["dose"]) * FACTORS[row["drug"]]
                if row["per"] == "once":
                    taken = at == start
                else:
                    assert row["per"] == "day"
                    taken = start <= at <= end
                if taken and row["route"] == "intravenous":
                    pulse += mg
                elif taken:
                    steady += mg
            # every intravenous dose of this trial is a pulse, which stands apart
            assert pulse == 0 or pulse >= 312.5
            total += steady
        in_mg[subject, visit] = total / 28
        if (subject, visit) in areas:
            doses[subject, visit] = total / 28 / areas[subject, visit]
    agree(result_of(simulated, "STEROID"), "PREDEQM2", doses, arms)
    agree(result_of(simulated, "STEROID"), "PREDEQ", in_mg, arms)


@pytest.mark.parametrize(
    ("key", "test"), [("SEROLOGY", "C3"), ("SEROLOGY", "C4"), ("ORGANS", "ALT"), ("ORGANS", "EOS")]
)
def test_laboratory(simulated, read, key, test):
    folder, arms, _ = read
    rows = [row for row in rows_of(folder, "labs.csv") if row["test"] == test]
    assert len({(row["subject"], row["visit"]) for row in rows}) == len(rows)
    values = {(row["subject"], row["visit"]): float(row["value"]) for row in rows if row["visit"] in VISITS}
    result = result_of(simulated, key)
    agree(result, test, values, arms)
    low = [row for row in rows if row["lower"] and float(row["value"]) < float(row["lower"])]
    for arm in ARMS:
        for visit in VISITS:
            n = sum(arms[row["subject"]] == arm and row["visit"] == visit for row in low)
            found = result.table.query("parameter == @test and analysis == 'share' and category == 'low'")
            found = found[(found["arm"] == arm) & (found["visit"] == visit)]
            assert found["n"].sum() == n


def test_events(simulated, read):
    folder, arms, _ = read
    first = {}
    for row in rows_of(folder, "dosing.csv"):
        first[row["subject"]] = min(first.get(row["subject"], "9"), row["date"])
    for row in rows_of(folder, "samples.csv"):
        if row["visit"] == "BL" and arms[row["subject"]] == "STD":
            first[row["subject"]] = min(first.get(row["subject"], "9"), row["collection_date"])
    rows = [row for row in rows_of(folder, "ae.csv") if row["start_date"] >= first[row["subject"]]]
    for name in ("any event", "fever", "infection"):
        for arm in ARMS:
            mine = [row for row in rows if arms[row["subject"]] == arm and name in ("any event", row["class"])]
            result = result_of(simulated, "SAFETY")
            assert told(result, name, "events", arm, category="whole")["estimate"] == len(mine)
            assert told(result, name, "share", arm, category="whole")["n"] == len({row["subject"] for row in mine})
