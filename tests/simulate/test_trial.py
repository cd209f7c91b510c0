"""A trial on disk: complete, reproducible, and readable by the rest of the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import ParameterError
from il2cyto.fcs import read_fcs
from il2cyto.provenance import hash_file
from il2cyto.simulate import SimulatedTrial, plan_trial, simulate_trial, simulate_tube, write_tube
from il2cyto.study import read_study

SMALL = {"n_subjects": 4, "seed": 5, "lymphocytes": 400, "tbnk_lymphocytes": 300}


def hashes(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hash_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> SimulatedTrial:
    return simulate_trial(tmp_path_factory.mktemp("trial"), **SMALL)


def test_the_same_seed_gives_the_same_files_whatever_the_jobs(trial: SimulatedTrial, tmp_path: Path) -> None:
    again = simulate_trial(tmp_path, **SMALL, jobs=2)
    assert hashes(again.folder) == hashes(trial.folder)
    other = plan_trial(**{**SMALL, "seed": 6})
    assert other.blood[0].values != trial.plan.blood[0].values


def test_a_tube_alone_equals_the_tube_of_the_trial(trial: SimulatedTrial, tmp_path: Path) -> None:
    spec = trial.plan.tubes[17]
    write_tube(spec, tmp_path)
    for name in (f"fcs/{spec.tube_id}.fcs", f"truth/labels/{spec.tube_id}.npz"):
        assert hash_file(tmp_path / name) == hash_file(trial.folder / name)


def test_a_subject_does_not_depend_on_the_size_of_the_trial() -> None:
    small, large = (
        plan_trial(n_subjects=2, seed=5, missing_visits=0),
        plan_trial(n_subjects=8, seed=5, visits=("M3", "BL")),
    )
    assert large.visits == ("BL", "M3")
    assert small.subjects[1].deviations == large.subjects[1].deviations
    blood = {(one.subject, one.visit): one for one in large.blood}
    for one in small.blood:
        if (one.subject, one.visit) in blood:
            assert one.values == blood[one.subject, one.visit].values


def test_one_visit_is_missed_and_the_rest_is_complete(trial: SimulatedTrial) -> None:
    samples = pd.read_csv(trial.folder / "samples.csv", dtype=str, keep_default_na=False)
    ((subject, visit),) = trial.plan.missing
    assert visit != "BL"
    assert len(samples) == (4 * 3 - 1) * 4
    present = set(zip(samples["subject"], samples["visit"], strict=True))
    assert present == {(f"P00{i}", v) for i in range(1, 5) for v in ("BL", "M1", "M3")} - {(subject, visit)}
    assert (samples.groupby(["subject", "visit"])["tube"].apply(tuple) == ("TBNK", "TREG", "TH17", "NK")).all()
    serum = pd.read_csv(trial.folder / "serum.csv", dtype=str)
    assert len(serum) == 11 * 7
    assert set(zip(serum["subject"], serum["visit"], strict=True)) == present
    parameters = json.loads((trial.folder / "truth" / "parameters.json").read_text())
    assert parameters["missing_visits"] == [{"subject": subject, "visit": visit}]
    assert set(parameters["tubes"]) == set(samples["tube_id"])


def test_both_arms_have_all_diagnoses(trial: SimulatedTrial) -> None:
    arms = [subject.arm for subject in trial.plan.subjects]
    assert arms == ["IL2", "STD", "IL2", "STD"]
    plan = plan_trial(n_subjects=20)
    by_arm = {
        arm: sorted(subject.diagnosis for subject in plan.subjects if subject.arm == arm) for arm in ("IL2", "STD")
    }
    assert by_arm["IL2"] == by_arm["STD"] == ["JIA"] * 2 + ["SLE"] * 6 + ["pSS"] * 2


def test_doses_follow_the_regimen(trial: SimulatedTrial) -> None:
    doses = pd.read_csv(trial.folder / "dosing.csv", parse_dates=["date"])
    assert set(doses["subject"]) == {"P001", "P003"}
    assert set(doses["unit"]) == {"IU"}
    first = trial.plan.subjects[0]
    own = doses[doses["subject"] == "P001"]
    assert own["dose"].iloc[0] == round(500_000 * first.bsa_m2, -4)
    days = (own["date"] - pd.Timestamp(first.start)).dt.days + 1
    assert days.tolist() == [day for day in first.dose_days if day <= max(t.blood.day for t in trial.plan.tubes)]


def test_files_say_what_was_simulated(trial: SimulatedTrial) -> None:
    spec = next(one for one in trial.plan.tubes if one.panel == "TREG")
    sample = read_fcs(trial.folder / "fcs" / f"{spec.tube_id}.fcs")
    made = simulate_tube(spec)
    assert not sample.repairs
    assert [channel.pnn for channel in sample.channels] == list(made.channels)
    assert [channel.pns for channel in sample.channels] == [marker or "" for marker in made.markers]
    np.testing.assert_array_equal(sample.events[:, :-1], made.events[:, :-1].astype(np.float64))
    np.testing.assert_allclose(sample.events[:, -1], made.events[:, -1] * 0.01)
    assert sample.spillover is not None
    with np.load(trial.folder / "truth" / "labels" / f"{spec.tube_id}.npz") as archive:
        np.testing.assert_array_equal(archive["labels"], made.labels)
        assert tuple(archive["names"].tolist()) == made.label_names


def test_the_study_reads_without_a_problem(trial: SimulatedTrial) -> None:
    study = read_study(trial.study)
    assert study.id == "DEMO"
    assert len(study.records) == len(trial.plan.tubes)
    missing = study.missing_visits()
    assert list(zip(missing["subject"], missing["visit"], strict=True)) == list(trial.plan.missing)
    # visits fall at different days of the cycle of doses, and that is said
    assert all(notice.message.startswith("days since the last dose at visit M") for notice in study.notices)


def test_true_counts_cover_every_tube(trial: SimulatedTrial) -> None:
    counts = pd.read_csv(trial.folder / "truth" / "counts.csv")
    assert list(counts.columns) == ["tube_id", "population", "name", "events", "events_sound", "cells_per_ul"]
    assert counts["tube_id"].unique().tolist() == [spec.tube_id for spec in trial.plan.tubes]
    assert counts["events"].dtype == np.int64
    treg = counts[counts["name"] == "Treg"].set_index("tube_id")["cells_per_ul"]
    blood = trial.plan.blood[0]
    assert treg["P001-BL-TREG"] == pytest.approx(blood["t"] * blood["cd4_of_t"] * blood["treg_of_cd4"])
    assert counts.loc[counts["name"] == "beads", "cells_per_ul"].isna().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_subjects": 1}, "n_subjects = 1: two arms need at least 2"),
        ({"visits": ("BL", "M2")}, r"'M2' is not one of BL, M1, M3, M6, M12"),
        ({"visits": ("BL", "BL")}, "each once"),
        ({"visits": ()}, "at least one visit"),
        ({"seed": -1}, "seed = -1"),
        ({"lymphocytes": 0}, "lymphocytes = 0"),
        ({"visits": ("BL",), "missing_visits": 1}, "the baseline is never missed"),
    ],
)
def test_wrong_sizes_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        plan_trial(**wrong)  # type: ignore[arg-type]


def test_wrong_jobs_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="jobs = 0"):
        simulate_trial(tmp_path / "new", jobs=0)
    assert not (tmp_path / "new").exists()


def test_the_default_trial_has_the_promised_size() -> None:
    plan = plan_trial()
    assert (len(plan.subjects), plan.visits, len(plan.missing)) == (6, ("BL", "M1", "M3"), 1)
    assert len(plan.tubes) == (6 * 3 - 1) * 4
    for spec in plan.tubes:
        assert spec.lymphocytes == (12_000 if spec.panel == "TBNK" else 50_000)


def test_files_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    simulate_trial(tmp_path, **{**SMALL, "n_subjects": 4, "visits": ("BL", "M1"), "missing_visits": 0})
    simulate_trial(tmp_path, **{**SMALL, "n_subjects": 2, "visits": ("BL",), "missing_visits": 0})
    assert len(list((tmp_path / "fcs").iterdir())) == len(list((tmp_path / "truth" / "labels").iterdir())) == 8


def test_a_person_hears_how_far_it_is(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    design = {**SMALL, "n_subjects": 2, "visits": ("BL",), "missing_visits": 0}
    simulate_trial(tmp_path, **design, done=lambda n, total: seen.append((n, total)))
    assert seen == [(n, 8) for n in range(1, 9)]
