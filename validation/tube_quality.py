"""Whether quality control finds what was planted in the tubes of a simulated trial, and leaves the rest alone.

Every tube is followed as a run follows it. Told are: of each kind of fault the share of planted events that are marked,
the share of sound events that are marked too, the verdicts; what leaving unstable stretches out does to counts of
faulty tubes; how often a matrix that is wrong by a known amount is told; and, with the public reference files, margins
beside those that PeacoQC took away.

Run ``python validation/tube_quality.py``; ``--study FOLDER`` takes a simulated study that is there, ``--subjects``
makes it small, ``--write FILE`` keeps the tables.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

import il2cyto as ic
from il2cyto.fcs import read_fcs
from il2cyto.provenance import write_text
from il2cyto.quality.compensation import judge_compensation
from il2cyto.quality.margins import find_margins
from il2cyto.simulate import WHOLE, simulate_trial
from il2cyto.simulate.faults import CLOG, DRIFT, FAULTS, MARGIN, NONE, UNSTABLE_START
from il2cyto.steps.quality import follow
from il2cyto.study import read_study

KINDS: Final = ("flow", "signal", "drift")
#: Classes of simulated cells that the compensation is judged by: those that gates of living lymphocytes keep.
_NO_LYMPHOCYTES: Final = (
    "dead", "red", "debris", "bead", "doublet", "unstable", "mono", "granul", "neutro", "eos", "baso",
)  # fmt: skip


def planted(folder: Path) -> tuple[pd.DataFrame, float]:
    """One row per tube: events of each kind of fault and how many of them are marked; and the time it took."""
    rows = []
    started = time.perf_counter()
    for path in sorted((folder / "fcs").glob("*.fcs")):
        truth = np.load(folder / "truth" / "labels" / f"{path.stem}.npz")["faulty"]
        sample = read_fcs(path)
        course = follow(sample, None, KINDS)
        unstable = course.stability.marked(sample.n_events)
        ranges = np.array([sample.channels[k].range for k in course.channels])
        margin = find_margins(sample.raw[:, list(course.channels)], ranges).upper
        row: dict[str, object] = {"tube_id": path.stem, "n_events": sample.n_events}
        for code in (UNSTABLE_START, CLOG, DRIFT):
            here = truth == code
            row |= {FAULTS[code]: np.count_nonzero(here), f"{FAULTS[code]}_found": unstable[here].sum()}
        row |= {FAULTS[MARGIN]: np.count_nonzero(truth == MARGIN), "margin_found": margin[truth == MARGIN].sum()}
        sound = truth == NONE
        row |= {"sound": sound.sum(), "sound_unstable": unstable[sound].sum(), "sound_margin": margin[sound].sum()}
        rows.append(row)
    return pd.DataFrame(rows), (time.perf_counter() - started) / len(rows)


def found_table(tubes: pd.DataFrame) -> list[str]:
    """Shares of planted events that were found."""
    told = ["| planted | tubes | events | found | tubes with 95 % and more | least |", "|---|---:|---:|---:|---:|---:|"]
    for name in (FAULTS[CLOG], FAULTS[DRIFT], FAULTS[MARGIN], FAULTS[UNSTABLE_START]):
        some = tubes[tubes[name] > 0]
        share = some[f"{name}_found"] / some[name]
        whole = some[f"{name}_found"].sum() / some[name].sum()
        told.append(
            f"| {name} | {len(some)} | {some[name].sum():,} | {100 * whole:.1f} % | {np.mean(share >= 0.95):.0%} | "
            f"{100 * share.min():.1f} % |"
        )
    faulty = (tubes[[FAULTS[CLOG], FAULTS[DRIFT]]] > 0).any(axis=1)
    lines = [("all tubes", tubes), ("tubes without a clog or drift", tubes[~faulty]), ("tubes with one", tubes[faulty])]
    told += [
        "",
        "| sound events of | events | marked as unstable | at a margin | tubes with more than 2 % unstable |",
        "|---|---:|---:|---:|---:|",
    ]
    for what, some in lines:
        over = (some["sound_unstable"] > 0.02 * some["sound"]).sum()
        told.append(
            f"| {what} | {some['sound'].sum():,} | {100 * some['sound_unstable'].sum() / some['sound'].sum():.2f} % | "
            f"{100 * some['sound_margin'].sum() / some['sound'].sum():.2f} % | {over} of {len(some)} |"
        )
    return told


def runs(folder: Path, out: Path) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Verdicts of a run, and counts with everything gated and with unstable stretches left out."""
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    cleaned = folder / "study-cleaned.yaml"
    write_text(cleaned, f"{text}\nquality:\n  remove: [{', '.join(KINDS)}]\n")
    counts = {}
    for name, study in (("whole", folder / "study.yaml"), ("cleaned", cleaned)):
        ic.run_study(read_study(study), out / name, jobs=os.cpu_count() or 1)
        counts[name] = pd.read_csv(out / name / "counts.csv", low_memory=False)
    cleaned.unlink()
    return pd.read_csv(out / "whole" / "quality.csv"), counts


def verdict_table(folder: Path, quality: pd.DataFrame) -> list[str]:
    """Verdicts by kind of fault."""
    kinds = pd.read_csv(folder / "truth" / "faults.csv").set_index("tube_id")["kind"]
    kind = quality["tube_id"].map(kinds).fillna("none")
    table = pd.crosstab(kind, quality["quality"]).reindex(columns=["pass", "review", "fail"], fill_value=0)
    told = ["| planted | pass | review | fail |", "|---|---:|---:|---:|"]
    told += [f"| {name} | {row['pass']} | {row['review']} | {row['fail']} |" for name, row in table.iterrows()]
    wrong = quality[kind.eq("none") & quality["quality"].ne("pass")]
    reasons = wrong["quality_reasons"].str.extract(r"^(\w+)")[0].value_counts()
    told += ["", "Reasons of sound tubes: " + (", ".join(f"{k} {n}" for k, n in reasons.items()) or "none") + "."]
    return told


def count_table(folder: Path, counts: dict[str, pd.DataFrame]) -> list[str]:
    """Percentages of faulty tubes relative to the truth, gated whole and with unstable stretches left out."""
    truth = pd.read_csv(folder / "truth" / "counts.csv").set_index(["tube_id", "population"])["events"]
    kinds = pd.read_csv(folder / "truth" / "faults.csv").set_index("tube_id")["kind"]
    told = [
        "| planted | percentages | error, whole | error, cleaned | beyond 10 %, whole | cleaned |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind in (FAULTS[CLOG], FAULTS[DRIFT]):
        ids = kinds.index[kinds == kind]
        errors = {}
        for name, table in counts.items():
            some = table[table["tube_id"].isin(ids) & (table["parent"] != "root")]
            inside = truth.reindex(pd.MultiIndex.from_frame(some[["tube_id", "population"]])).to_numpy()
            above = truth.reindex(pd.MultiIndex.from_frame(some[["tube_id", "parent"]])).to_numpy()
            # with fewer events chance alone is more than the fault
            used = inside >= 500
            errors[name] = np.abs(np.log(some["percent_parent"].to_numpy()[used] / (100 * inside[used] / above[used])))
        told.append(
            f"| {kind} | {len(errors['whole'])} | "
            + " | ".join(f"{100 * np.median(one):.1f} %" for one in errors.values())
            + " | "
            + " | ".join(f"{np.mean(one > np.log(1.1)):.0%}" for one in errors.values())
            + " |"
        )
    return told


def matrix_table(folder: Path, n_tubes: int, seed: int = 1) -> list[str]:
    """How often a matrix is told that is wrong in one place."""
    rng = np.random.default_rng(seed)
    paths = sorted((folder / "fcs").glob("*.fcs"))
    paths = [paths[k] for k in np.linspace(0, len(paths) - 1, min(n_tubes, len(paths))).astype(int)]
    told = [
        "| one coefficient wrong by | tubes | source dye bright enough | told | told, of those | false pairs |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for error in (0.0, 0.02, -0.02, 0.05, -0.05, 0.10, -0.10):
        able = right = false = 0
        for path in paths:
            sample = read_fcs(path)
            assert sample.spillover is not None
            made = np.load(folder / "truth" / "labels" / f"{path.stem}.npz", allow_pickle=False)
            other = np.array([any(word in name.lower() for word in _NO_LYMPHOCYTES) for name in made["names"]])
            detectors = sample.spillover.detectors
            light = sample.linear([sample.index(name) for name in detectors])[~other[made["labels"]]][:20_000]
            i, j = rng.choice(len(detectors), 2, replace=False)
            matrix = sample.spillover.values.copy()
            matrix[i, j] += error
            values = light @ np.linalg.inv(matrix)
            found = judge_compensation(values, detectors)
            pair = (detectors[i], detectors[j])
            right += any((d.source, d.detector) == pair for d in found.doubts) and error != 0
            false += sum((d.source, d.detector) != pair or error == 0 for d in found.doubts)
            bright = np.quantile(values[:, i], 0.985) - np.quantile(values[:, i], 0.25)
            dim = values[:, i][values[:, i] < np.quantile(values[:, i], 0.4)]
            able += bright > 20 * 1.4826 * np.median(np.abs(dim - np.median(dim)))
        share = f"{right / able:.0%}" if able and error else "–"
        told.append(f"| {error:+.2f} | {len(paths)} | {able} | {right if error else '–'} | {share} | {false} |")
    return told


def peacoqc(reference: Path) -> list[str]:
    """Margins of 111.fcs beside the events that PeacoQC took away from it."""
    folder = reference / "qc-and-batch" / "extdata"
    before, after = read_fcs(folder / "111.fcs"), read_fcs(folder / "111_Comp_Trans.fcs")
    # what was neither compensated nor transformed tells events apart
    same = [before.names.index(name) for name in ("FSC-A", "FSC-H", "Time", "B710-A", "V705-A")]
    left = {tuple(row) for row in after.events[:, same].astype(np.float32)}
    theirs = np.array([tuple(row) not in left for row in before.events[:, same].astype(np.float32)])
    used = [c.index for c in before.channels if not c.is_time]
    upper = find_margins(before.raw[:, used], np.array([before.channels[k].range for k in used])).upper
    course = follow(before, None, ())
    faults = "; ".join(f"{f.kind} of events {f.first:,}–{f.stop - 1:,}" for f in course.stability.faults) or "none"
    both, other = np.count_nonzero(upper & theirs), np.count_nonzero(theirs & ~upper)
    return [
        f"PeacoQC took {theirs.sum()} of {len(theirs):,} events away. At the upper end of a channel we find",
        f"{upper.sum()}, {both} of them among PeacoQC's. The other {other} are at most -111 or",
        "the lowest value of their channel: ordinary negative values of this instrument, which we keep.",
        f"Unstable stretches that we mark in it: {faults}.",
    ]


def main() -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, help="folder of a simulated study")
    parser.add_argument("--subjects", type=int, default=WHOLE.n_subjects)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.study or Path(temporary) / "study"
        if options.study is None:
            simulate_trial(folder, design=replace(WHOLE, n_subjects=options.subjects))
        tubes, seconds = planted(folder)
        quality, counts = runs(folder, Path(temporary) / "results")
        lines = [
            "# Quality of tubes", "", "`python validation/tube_quality.py`", "",
            f"Simulated trial, {len(tubes)} tubes with {tubes['n_events'].sum():,} events; {seconds:.2f} s a tube to",
            f"follow it, on {platform.machine()} with {os.cpu_count()} cores.", "",
            "## Planted faults", "", *found_table(tubes), "", "## Verdicts", "", *verdict_table(folder, quality), "",
        ]  # fmt: skip
        lines += ["## Percentages in faulty tubes", "", *count_table(folder, counts), ""]
        lines += ["## Wrong matrices", "", *matrix_table(folder, 60), ""]
        if "IL2CYTO_REFERENCE" in os.environ:
            lines += ["## Beside PeacoQC", "", *peacoqc(Path(os.environ["IL2CYTO_REFERENCE"])), ""]
        text = "\n".join(lines)
        print(text)
        if options.write:
            write_text(options.write, text)


if __name__ == "__main__":
    main()
