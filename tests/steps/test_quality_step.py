"""Quality of tubes in a run: planted faults get their verdicts, and left-out stretches change counts as they should."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.steps.quality import retained_share
from il2cyto.steps.run import run_study
from il2cyto.study import read_study


def spoil(path: Path, change: Callable[[np.ndarray, dict[str, int]], None], **keywords: str) -> None:
    """Write an FCS file anew with changed stored values or keywords."""
    sample = read_fcs(path)
    stored = np.array(sample.raw)
    change(stored, {name: k for k, name in enumerate(sample.names)})
    data = np.ascontiguousarray(stored.astype("<f4")).view(np.uint8).reshape(-1)
    write_fcs(replace(sample, data=data, path=None, data_offset=None), path.with_suffix(".new"), keywords=keywords)
    path.with_suffix(".new").replace(path)


def clog(events: np.ndarray, at: dict[str, int]) -> None:
    """A tenth of the events dim and small, in a fifth of the flow."""
    n = len(events)
    part = slice(n // 2, n // 2 + n // 10)
    signal = [k for name, k in at.items() if name != "Time"]
    events[part, signal] *= 0.35
    gaps = np.diff(events[:, at["Time"]], prepend=events[0, at["Time"]])
    gaps[part] *= 5
    events[:, at["Time"]] = events[0, at["Time"]] + np.cumsum(gaps)


@pytest.fixture(scope="module")
def clogged(fixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects at baseline; the TBNK tube of the first was clogged."""
    folder = tmp_path_factory.mktemp("clogged") / "s"
    shutil.copytree(fixed, folder)
    lines = (folder / "samples.csv").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("tube_id", "P001-BL-TBNK", "P002-BL-TBNK"))]
    (folder / "samples.csv").write_text("\n".join(kept) + "\n")
    for name in ("serum", "dosing"):
        rows = (folder / f"{name}.csv").read_text().splitlines()
        (folder / f"{name}.csv").write_text(
            "\n".join(r for r in rows if r[:4] not in ("P003", "P004") and ",M1," not in r) + "\n"
        )
    spoil(folder / "fcs" / "P001-BL-TBNK.fcs", clog)
    return folder


def with_quality(folder: Path, text: str) -> Path:
    path = folder / f"study-{abs(hash(text))}.yaml"
    path.write_text((folder / "study.yaml").read_text() + f"\nquality:\n{text}")
    return path


def tables(study: Path, out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary = run_study(read_study(study), out)
    assert summary.exit_code == 0
    return pd.read_csv(out / "quality.csv").set_index("tube_id"), pd.read_csv(out / "counts.csv")


@pytest.fixture(scope="module")
def whole(clogged: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    out = tmp_path_factory.mktemp("whole") / "r"
    return (*tables(clogged / "study.yaml", out), out)


@pytest.fixture(scope="module")
def removed(clogged: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    out = tmp_path_factory.mktemp("removed") / "r"
    return (*tables(with_quality(clogged, "  remove: [signal, flow, drift]\n"), out), out)


def test_a_clog_is_to_review_and_every_count_says_so(whole: tuple[pd.DataFrame, pd.DataFrame, Path]) -> None:
    quality, counts, _ = whole
    assert quality.loc["P001-BL-TBNK", "quality"] == "review"
    assert quality.loc["P001-BL-TBNK", "unstable"] == pytest.approx(10, abs=1.5)
    assert "unstable" in quality.loc["P001-BL-TBNK", "quality_reasons"]
    # the other tube has few beads and nothing else
    assert quality.loc["P002-BL-TBNK", "unstable"] < 1
    assert quality.loc["P002-BL-TBNK", "quality_reasons"] == "bead_events 992 events, wanted at least 1000"
    assert quality["n_removed"].tolist() == [0, 0]
    for tube_id, group in counts.groupby("tube_id"):
        assert set(group["quality"]) == {quality.loc[tube_id, "quality"]}
        assert set(group["quality_reasons"]) == {quality.loc[tube_id, "quality_reasons"]}


def test_left_out_events_are_in_no_population_and_in_the_file(
    clogged: Path,
    whole: tuple[pd.DataFrame, pd.DataFrame, Path],
    removed: tuple[pd.DataFrame, pd.DataFrame, Path],
) -> None:
    before = json.loads((whole[2] / "tubes/P001-BL-TBNK/result.json").read_text())
    after = json.loads((removed[2] / "tubes/P001-BL-TBNK/result.json").read_text())
    sample = read_fcs(clogged / "fcs" / "P001-BL-TBNK.fcs")
    assert before["quality"]["faults"] == after["quality"]["faults"] != []
    n_marked = sum(fault["stop_event"] - fault["first_event"] for fault in after["quality"]["faults"])
    assert after["quality"]["n_removed"] == after["quality"]["n_marked"] == n_marked
    assert after["n_events"] == before["n_events"] == sample.n_events
    top = next(row for row in after["counts"] if row["parent"] == "root")
    assert top["parent_count"] == sample.n_events - n_marked
    # the time that is gated shrinks by what the stretches lasted, and a clog lasts long
    assert before["retained_time_fraction"] > 0.9
    assert after["retained_time_fraction"] == pytest.approx(before["retained_time_fraction"] - 5 / 14, abs=0.04)


def test_beads_and_cells_are_left_out_alike(
    fixed: Path,
    whole: tuple[pd.DataFrame, pd.DataFrame, Path],
    removed: tuple[pd.DataFrame, pd.DataFrame, Path],
    tmp_path: Path,
) -> None:
    """Cells/µL of the clogged tube come back to those of the tube before it was clogged."""
    folder = tmp_path / "sound"
    shutil.copytree(fixed, folder)
    run_study(read_study(folder / "study.yaml"), tmp_path / "r")
    sound = pd.read_csv(tmp_path / "r" / "counts.csv")

    def per_ul(counts: pd.DataFrame, name: str) -> float:
        row = counts[(counts["tube_id"] == "P001-BL-TBNK") & (counts["name"] == name)]
        return float(row["cells_per_ul"].iloc[0])

    for name in ("T", "CD4", "B", "NK"):
        truth = per_ul(sound, name)
        assert per_ul(removed[1], name) == pytest.approx(truth, rel=0.06), name

    def share(counts: pd.DataFrame) -> float:
        rows = counts[counts["tube_id"] == "P001-BL-TBNK"].set_index("name")
        # the unsteady start is cut away by the time gate, with and without
        return float(rows.loc["T", "count"] / rows.loc[rows["role"] == "time_qc", "count"].iloc[0])

    # a tenth of the events hides from the gates until it is left out
    assert share(removed[1]) == pytest.approx(share(sound), rel=0.03)
    assert share(whole[1]) < 0.93 * share(sound)


def test_the_key_knows_what_is_left_out(clogged: Path, tmp_path: Path) -> None:
    first = run_study(read_study(clogged / "study.yaml"), tmp_path / "r")
    again = run_study(read_study(clogged / "study.yaml"), tmp_path / "r")
    other = run_study(read_study(with_quality(clogged, "  remove: [drift]\n")), tmp_path / "r")
    limits = run_study(
        read_study(with_quality(clogged, "  remove: [drift]\n  unstable: {review: [null, 20]}\n")), tmp_path / "r"
    )
    assert (first.n_reused, again.n_reused, other.n_reused, limits.n_reused) == (0, 2, 0, 2)
    table = pd.read_csv(tmp_path / "r" / "quality.csv")
    assert not table["quality_reasons"].str.contains("unstable").any()


def test_mixed_voltages_of_a_batch_are_seen(clogged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    shutil.copytree(clogged, folder)
    for name, voltage in (("P001-BL-TBNK", "450"), ("P002-BL-TBNK", "520")):
        spoil(folder / "fcs" / f"{name}.fcs", lambda *_: None, **{"$P5V": voltage})
    samples = (folder / "samples.csv").read_text().splitlines()
    header = samples[0].split(",")
    rows = [line.split(",") for line in samples[1:]]
    for row in rows:
        row[header.index("batch")], row[header.index("instrument")] = "B1", "CYT"
    (folder / "samples.csv").write_text("\n".join([samples[0], *(",".join(row) for row in rows)]) + "\n")
    run_study(read_study(folder / "study.yaml"), tmp_path / "r")
    table = pd.read_csv(tmp_path / "r" / "quality.csv").set_index("tube_id")
    assert table.loc["P001-BL-TBNK", "settings"] == 0
    assert table.loc["P002-BL-TBNK", "settings"] >= 1
    assert "520 V, most 450 V" in table.loc["P002-BL-TBNK", "quality_reasons"]


def test_a_tube_that_was_not_gated_fails_with_its_reason(clogged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    shutil.copytree(clogged, folder)
    (folder / "fcs" / "P002-BL-TBNK.fcs").write_bytes(b"FCS3.1 and nothing")
    assert run_study(read_study(folder / "study.yaml"), tmp_path / "r").exit_code == 1
    table = pd.read_csv(tmp_path / "r" / "quality.csv").set_index("tube_id")
    assert table.loc["P002-BL-TBNK", "quality"] == "fail"
    assert "P002-BL-TBNK" in table.loc["P002-BL-TBNK", "quality_reasons"]
    assert pd.isna(table.loc["P002-BL-TBNK", "unstable"])


def test_retained_time_by_hand() -> None:
    seconds = np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    assert retained_share(seconds, 0.0, 10.0, None) == 1.0
    assert retained_share(seconds, 2.0, 10.0, None) == 0.8
    # events 0-1 from 0 to 2 s, events 3-4 from 3 to 10 s
    assert retained_share(seconds, 0.0, 10.0, ((0, 2), (3, 5))) == pytest.approx(0.9)
    assert retained_share(seconds, 1.5, 4.0, ((0, 2), (3, 5))) == pytest.approx(0.15)
