"""How well a whole run gives a simulated trial back: cells/µL of every population, and the folds that were put in.

A trial is simulated (`il2cyto.simulate.WHOLE`), gated with the packaged strategies and counted as any study is. The
truth is the blood's cells/µL before anything was sampled. Per population: bias of the estimate, and the share of 95 %
intervals that hold the truth; apart for sound tubes, tubes with a planted fault, and the lymphopenic stratum. Per arm
and visit: the geometric mean of the ratio to baseline, put in and found, in the same subjects.

Run ``python validation/recovery.py``; ``--subjects`` and ``--events`` make it small, ``--seeds`` adds trials,
``--separable`` keeps populations apart, and ``--write FILE`` keeps the tables.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData

import il2cyto as ic
from il2cyto.provenance import write_text
from il2cyto.simulate import PANELS, WHOLE, SimulatedTrial, TrialDesign, simulate_trial

#: Populations whose folds are told.
FOLDS: Final = ("T", "CD4", "Treg", "Treg_naive", "Treg_memory", "Th1", "Th2", "Th17", "CD56bright", "CD56dim", "B")
#: Truth outside this share of intervals (of 95 %) is marked, and so is a bias beyond this many percent.
LOW_COVERAGE, LARGE_BIAS = 0.90, 5.0


def found_table(visits: AnnData) -> pd.DataFrame:
    """Counts of a run, one row per subject, visit, tube and population."""
    tube_of = {panel.strategy: panel.name for panel in PANELS.values()}
    shape = visits.shape
    keys = visits.var_names.astype(str).str.partition("/", expand=True).to_frame(index=False)
    return pd.DataFrame(
        {
            "subject": np.repeat(visits.obs["USUBJID"].astype(str).to_numpy(), shape[1]),
            "visit": np.repeat(visits.obs["AVISIT"].astype(str).to_numpy(), shape[1]),
            "tube": np.tile(keys[0].map(tube_of).to_numpy(), shape[0]),
            "population": np.tile(keys[2].to_numpy(), shape[0]),
            "found": np.asarray(visits.X).ravel(),
            **{layer: np.asarray(visits.layers[layer]).ravel() for layer in ("count", "lower", "upper", "status")},
        }
    )


def compare(trial: SimulatedTrial, visits: AnnData) -> pd.DataFrame:
    """Truth beside what was found; a visit that a planted fault touches (in its tube or its bead tube) says so."""
    truth = pd.read_csv(trial.folder / "truth" / "blood.csv")
    faults = pd.read_csv(trial.folder / "truth" / "faults.csv")["tube_id"]
    subjects = json.loads((trial.folder / "truth" / "parameters.json").read_text(encoding="utf-8"))["subjects"]
    both = truth.merge(found_table(visits), on=["subject", "visit", "tube", "population"], validate="one_to_one")
    own = both["subject"] + "-" + both["visit"] + "-"
    both["faulty"] = (own + both["tube"]).isin(faults) | (own + "TBNK").isin(faults)
    both["lymphopenic"] = both["subject"].map({name: one["lymphopenic"] for name, one in subjects.items()})
    both["log_ratio"] = np.log(both["found"].where(both["found"] > 0) / both["cells_per_ul"])
    both["held"] = both["cells_per_ul"].between(both["lower"], both["upper"])
    # populations that are no blood cells (beads, time QC) have no cells/µL to find
    return both[both["found"].notna()].reset_index(drop=True)


def recovery(both: pd.DataFrame) -> pd.DataFrame:
    """One row per population: events, bias in percent with its standard error, and coverage in percent."""
    grouped = both.groupby(["tube", "name"], sort=False)
    table = pd.DataFrame(
        {
            "n": grouped.size(),
            "events": grouped["count"].median(),
            "bias": 100 * np.expm1(grouped["log_ratio"].mean()),
            "se": 100 * grouped["log_ratio"].std() / np.sqrt(grouped["log_ratio"].count()),
            "coverage": 100 * grouped["held"].mean(),
        }
    )
    return table.reset_index()


def folds(both: pd.DataFrame) -> pd.DataFrame:
    """Ratio to baseline by arm and visit: put in, in the blood, and found; geometric means in the same subjects."""
    wanted = both[both["name"].isin(FOLDS) & ~both["lymphopenic"]]
    wanted = wanted.sort_values("tube", key=lambda column: column.ne("TBNK"), kind="stable")
    wanted = wanted.drop_duplicates(["subject", "visit", "name"])
    before = wanted[wanted["visit"] == "BL"].set_index(["subject", "name"])["found"]
    rows = wanted[wanted["visit"] != "BL"].copy()
    rows["before"] = before.reindex(pd.MultiIndex.from_frame(rows[["subject", "name"]])).to_numpy()
    rows = rows[(rows["before"] > 0) & (rows["found"] > 0)]
    rows["fold_found"] = rows["found"] / rows["before"]
    logs = rows.assign(
        **{name: np.log(rows[name]) for name in ("fold_put_in", "fold_to_baseline", "fold_found")},
        error=np.log(rows["fold_found"] / rows["fold_to_baseline"]),
    )
    order = {name: n for n, name in enumerate(FOLDS)}
    grouped = logs.groupby(["name", "arm", "visit"], sort=False)
    table = np.exp(grouped[["fold_put_in", "fold_to_baseline", "fold_found"]].mean())
    table["n"] = grouped.size()
    table["error"] = 100 * np.expm1(grouped["error"].mean())
    table["error_se"] = 100 * grouped["error"].std() / np.sqrt(grouped.size())
    table = table.reset_index()
    place = table["name"].map(order) * 100 + table["arm"].eq("STD") * 50 + table["visit"].str[1:].astype(int)
    return table.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def run_trials(design: TrialDesign, seeds: Sequence[int], jobs: int) -> tuple[pd.DataFrame, str]:
    """Simulate and count a trial per seed; returns the comparison and a line about the time it took."""
    tables, simulated, counted, n_tubes = [], 0.0, 0.0, 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            trial = simulate_trial(Path(scratch), replace(design, seed=seed), jobs=jobs)
            between = time.perf_counter()
            visits = ic.gate_study(ic.read_study(trial.study), jobs=jobs)
            simulated, counted = simulated + between - start, counted + time.perf_counter() - between
            n_tubes += len(trial.plan.tubes)
            tables.append(compare(trial, visits).assign(seed=seed))
    line = f"{n_tubes} tubes: simulated in {simulated:.0f} s, gated and counted in {counted:.0f} s, {jobs} processes."
    return pd.concat(tables, ignore_index=True), line


def _mark(bias: float, se: float, coverage: float) -> str:
    biased = abs(bias) > max(LARGE_BIAS, 2 * se)
    return " ".join(["bias"] * biased + ["coverage"] * (coverage < 100 * LOW_COVERAGE))


def population_lines(part: pd.DataFrame) -> list[str]:
    """A Markdown table of `recovery`."""
    lines = [
        "| tube | population | n | events | bias % | ± SE | coverage % | outside |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for tube, name, n, events, bias, se, coverage in recovery(part).itertuples(index=False):
        lines.append(
            f"| {tube} | `{name}` | {n} | {events:,.0f} | {bias:+.1f} | {se:.1f} | {coverage:.0f} "
            f"| {_mark(bias, se, coverage)} |"
        )
    return lines


def fold_lines(both: pd.DataFrame) -> list[str]:
    """A Markdown table of `folds`."""
    lines = [
        "| population | arm | visit | n | put in | in the blood | found | error % | ± SE |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    names = ["name", "arm", "visit", "n", "fold_put_in", "fold_to_baseline", "fold_found", "error", "error_se"]
    for name, arm, visit, n, put_in, blood, found, error, se in folds(both)[names].itertuples(index=False):
        lines.append(
            f"| `{name}` | {arm} | {visit} | {n} | {put_in:.2f} | {blood:.2f} | {found:.2f} | {error:+.1f} | {se:.1f} |"
        )
    return lines


def page(both: pd.DataFrame, command: str, time_line: str) -> str:
    """Everything as Markdown, with what a reader needs to judge it."""
    plain = both[~both["lymphopenic"]]
    parts = {
        "Sound tubes": plain[~plain["faulty"]],
        "Tubes with a planted fault, and visits whose bead tube has one": plain[plain["faulty"]],
        "Lymphopenic stratum, about 3,000 lymphocytes a tube": both[both["lymphopenic"]],
    }
    sound = recovery(parts["Sound tubes"])
    marks = [_mark(*row) for row in sound[["bias", "se", "coverage"]].itertuples(index=False)]
    off = sound[np.array([bool(mark) for mark in marks])]
    named = ": " + ", ".join(f"`{tube}/{name}`" for tube, name in zip(off["tube"], off["name"], strict=True))
    lines = [
        "# Recovery of a simulated trial",
        "",
        f"`{command}`",
        "",
        f"{time_line} Python {platform.python_version()}, NumPy {np.__version__}. Simulated: no real patients.",
        "",
        "Truth: the blood's cells/µL before sampling. Found: packaged strategies with fixed thresholds. A lot of beads",
        "lasts for two visits, so its error is shared by all tubes of these visits and does not average out.",
        f"Marked: a bias beyond {LARGE_BIAS:g} % and twice its standard error, or intervals of which fewer than",
        f"{100 * LOW_COVERAGE:g} % hold the truth. Counts of zero have no logarithm and are left out of the bias.",
        "",
        f"Of {len(sound)} populations in sound tubes {len(off)} are marked{named if len(off) else ''}.",
        "",
    ]
    for title, part in parts.items():
        if not part.empty:
            lines += [f"## {title}", "", *population_lines(part), ""]
    lines += [
        "## Folds to baseline",
        "",
        "Put in: what treatment, tachyphylaxis and drift do to the child's baseline. In the blood: with variation",
        "between visits. Found: from counts. Error: found over that in the blood, in the same subjects. Without the",
        "lymphopenic stratum.",
        "",
        *fold_lines(both),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Simulate, count, compare and print."""
    parser = argparse.ArgumentParser(description="Recovery of a simulated trial")
    parser.add_argument("--subjects", type=int, default=WHOLE.n_subjects)
    parser.add_argument("--events", type=int, default=WHOLE.lymphocytes, help="live lymphocytes per tube")
    parser.add_argument("--seeds", type=int, nargs="+", default=[WHOLE.seed])
    parser.add_argument("--separable", action="store_true", help="keep populations apart")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    design = replace(
        WHOLE,
        n_subjects=given.subjects,
        lymphocytes=given.events,
        tbnk_lymphocytes=min(WHOLE.tbnk_lymphocytes, max(given.events, 2_500)),
        separable=given.separable,
        controls=False,
    )
    command = (
        f"python validation/recovery.py --subjects {given.subjects} --events {given.events} "
        f"--seeds {' '.join(map(str, given.seeds))}{' --separable' if given.separable else ''}"
    )
    both, time_line = run_trials(design, given.seeds, given.jobs)
    text = page(both, command, time_line)
    print(text)
    if given.write is not None:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
