"""How well learnt gates find the populations of a simulated trial, and whether treatment biases them.

A whole trial is simulated with overlapping populations, gates are learnt and every tube is gated as in any run. The
label of each event is known, so for each population: F1 of membership; the log ratio of gated to true events; and the
F1 of the best gate of the same shape that could have been fitted to the tube with the labels (the ceiling). For Treg:
the geometric mean of measured over true percentage of CD4 with its 90 % interval, per arm and phase of the dosing
cycle.

Run ``python validation/learnt_gates.py``; ``--subjects`` makes it small, ``--trial`` takes a trial that was simulated
before, ``--write FILE`` keeps the tables.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

import il2cyto as ic
from il2cyto.derive import visit_table
from il2cyto.fcs import read_fcs
from il2cyto.gates import PolygonGate, QuadrantGate, RectangleGate
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.result import GatingResult
from il2cyto.gating.warm import warm_up
from il2cyto.provenance import write_text
from il2cyto.simulate import WHOLE, simulate_trial
from il2cyto.simulate.biology import draw_subject, draw_visit
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.phenotypes import cell_classes
from il2cyto.simulate.populations import POPULATIONS, members
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.tube import artefacts
from il2cyto.steps.gates import strategy_for, with_own
from il2cyto.steps.learn import first_doses, is_treated, learn_study
from il2cyto.study.model import Study, TubeRecord

#: Populations that must be found, by tube.
WANTED: Final = {
    "TREG": ("Treg", "Treg_naive", "Treg_memory", "Treg_activated"),
    "TH17": ("Th1", "Th2", "Th17", "Th17.1"),
    "NK": ("CD56bright", "CD56dim", "CD56neg"),
}
#: Last day of each part of the 14-day cycle: dosing, the days after it, the rest.
PHASES: Final = {"days 1-5": 5, "days 6-9": 9, "days 10-14": 14}
LEAST_SHARE, MOST_BIAS, BOUNDS = 0.97, 3.0, (0.97, 1.03)


def truth(folder: Path, tube_id: str, tube: str) -> dict[str, np.ndarray]:
    """Which events of a tube truly belong to each population, and which a planted fault touches (``faulty``)."""
    blood = draw_visit(draw_subject(0, [7], list(CELLS), date(2020, 8, 15)), "BL", 1, [7, 1])
    classes = [*cell_classes(PANELS[tube], blood), *artefacts(PANELS[tube])]
    with np.load(folder / "truth" / "labels" / f"{tube_id}.npz") as archive:
        order = np.array([[one.name for one in classes].index(str(name)) for name in archive["names"]])
        label, faulty = order[archive["labels"]], archive["faulty"] > 1
    return {**{name: held[label] for name, held in members(tube, classes).items()}, "faulty": faulty}


def f1(found: np.ndarray, true: np.ndarray) -> float:
    """Harmonic mean of precision and recall; NaN where both sets are empty."""
    total = int(found.sum() + true.sum())
    return 2.0 * int((found & true).sum()) / total if total else float("nan")


def ceiling(result: GatingResult, name: str, parent: np.ndarray, true: np.ndarray) -> float:
    """F1 of the best gate of the same shape among the events of a parent: thresholds or a move of a polygon by labels.

    True members outside the parent count as lost.
    """
    strategy = result.strategy
    population = strategy.populations[strategy.resolve(name)]
    events = np.flatnonzero(parent)
    wanted, total = true[events], int(true.sum())
    if not wanted.any():
        return float("nan")
    gate = population.gate
    values = []
    for dimension in gate.dimensions:
        linear = linear_values(result, dimension, events)
        assert linear is not None
        values.append(linear if dimension.transform is None else strategy.transforms[dimension.transform].apply(linear))
    if isinstance(gate, PolygonGate):
        return _best_move(gate, values, wanted, total)
    box = gate.as_rectangle() if isinstance(gate, QuadrantGate) else gate
    assert isinstance(box, RectangleGate)
    limits = [[one.minimum, one.maximum] for one in box.limits]
    best = 0.0
    for _ in range(4):
        for axis, side in [(a, s) for a, limit in enumerate(limits) for s in (0, 1) if limit[s] is not None]:
            others = np.ones(len(events), dtype=bool)
            for a, (low, high) in enumerate(limits):
                for s, edge in ((0, low), (1, high)):
                    if edge is not None and (a, s) != (axis, side):
                        others &= values[a] >= edge if s == 0 else values[a] < edge
            best, limits[axis][side] = _best_cut(values[axis][others], wanted[others], total, side)
    return best


def _best_cut(values: np.ndarray, wanted: np.ndarray, total: int, side: int) -> tuple[float, float]:
    order = np.argsort(-values if side == 0 else values, kind="stable")
    hits = np.cumsum(wanted[order])
    scores = 2.0 * hits / (np.arange(1, len(order) + 1) + total)
    k = int(scores.argmax())
    edge = values[order[k]]
    return float(scores[k]), float(edge if side == 0 else np.nextafter(edge, np.inf))


def _best_move(gate: PolygonGate, values: list[np.ndarray], wanted: np.ndarray, total: int) -> float:
    from matplotlib.path import Path as Outline

    points = np.stack(values, axis=1)
    corners = np.array([*gate.vertices, gate.vertices[0]])

    def score(move: np.ndarray) -> float:
        inside = Outline(corners + move).contains_points(points)
        return 2.0 * int((inside & wanted).sum()) / (int(inside.sum()) + total)

    place, step = np.zeros(2), 0.04
    best = score(place)
    while step > 0.002:
        moves = [place + step * (np.array(move) - 1) for move in np.ndindex(3, 3)]
        scores = [score(move) for move in moves]
        k = int(np.argmax(scores))
        if scores[k] > best + 1e-9:
            best, place = scores[k], moves[k]
        else:
            step /= 2.0
    return best


def tubes_of(study: Study, folder: Path, ceilings: int) -> Iterator[dict[str, Any]]:
    """Gate every tube and yield a row per wanted population; every `ceilings`-th tube gets its ceiling."""
    days = visit_table(study).set_index(["USUBJID", "AVISIT"])
    first = first_doses(study)
    seen: dict[str, int] = defaultdict(int)
    for record in study.records:
        if record.tube not in WANTED:
            continue
        seen[record.tube] += 1
        sample = read_fcs(record.fcs)
        gates = with_own(record, strategy_for(record), sample)
        result = gates.strategy.apply(sample)
        true = truth(folder, record.tube_id, record.tube)
        for name in WANTED[record.tube]:
            row = _row(record, result, true, name, is_treated(record, first), days.loc[(record.subject, record.visit)])
            tops = {"ceiling": np.nan, "ceiling in true parent": np.nan}
            if seen[record.tube] % ceilings == 0 and row["estimable"]:
                above = POPULATIONS[record.tube][name][0]
                tops = {
                    "ceiling": ceiling(result, name, result.membership(above), true[name]),
                    "ceiling in true parent": ceiling(result, name, true[above], true[name]),
                }
            yield row | tops


def _row(
    record: TubeRecord, result: GatingResult, true: dict[str, np.ndarray], name: str, treated: bool, day: pd.Series
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "tube": record.tube, "population": name, "subject": record.subject, "arm": record.arm, "visit": record.visit,
        "treated": treated, "cycle_day": day["CYCDAY"], "faulty": bool(true["faulty"].any()),
    }  # fmt: skip
    if result.reasons[result.strategy.resolve(name)]:
        return {**row, "estimable": False, "f1": np.nan, "log_ratio": np.nan, "log_percent": np.nan}
    found = result.membership(name)
    n_found, n_true = int(found.sum()), int(true[name].sum())
    ratio = np.log(n_found / n_true) if n_found and n_true else np.nan
    parent = np.log(int(result.membership("CD4").sum()) / int(true["CD4"].sum())) if record.tube == "TREG" else np.nan
    return {
        **row, "estimable": True, "found": n_found, "true": n_true, "f1": f1(found, true[name]), "log_ratio": ratio,
        "log_percent": ratio - parent,
    }  # fmt: skip


def populations_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per population: F1, ceiling, their ratio, bias and whether both are within bounds."""
    table = []
    for (tube, name), group in rows.groupby(["tube", "population"], sort=False):
        top = group.dropna(subset=["ceiling"])
        share = float((top["f1"].median()) / top["ceiling"].median())
        bias = group["log_ratio"].dropna()
        mean, error = float(bias.mean()), float(bias.std(ddof=1) / np.sqrt(len(bias)))
        percent = 100.0 * np.expm1(mean)
        table.append(
            {
                "tube": tube, "population": name, "tubes": len(group),
                "not estimable": int((~group["estimable"]).sum()),
                "F1": group["f1"].median(), "ceiling": top["ceiling"].median(), "F1 / ceiling": share,
                "ceiling in true parent": top["ceiling in true parent"].median(), "bias %": percent,
                "± SE": 100.0 * error, "within": share >= LEAST_SHARE and abs(percent) <= MOST_BIAS,
            }
        )  # fmt: skip
    return pd.DataFrame(table)


def treatment_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Measured over true Treg percentage per arm and phase: geometric mean with its 90 % interval over tubes."""
    treg = rows[(rows["population"] == "Treg") & rows["log_percent"].notna()]
    parts = [
        (f"{arm}, untreated", treg[(treg["arm"] == arm) & ~treg["treated"]]) for arm in sorted(treg["arm"].unique())
    ]
    treated = treg[treg["treated"]]
    day = (treated["cycle_day"].astype("float64") - 1) % 14 + 1
    low = 0
    for name, high in PHASES.items():
        parts.append((f"treated, {name}", treated[(day > low) & (day <= high)]))
        low = high
    parts += [(f"{arm} {visit}", group) for (arm, visit), group in treg.groupby(["arm", "visit"])]
    table = []
    for name, group in parts:
        if len(group) < 3:
            continue
        values = group["log_percent"]
        half = float(stats.t.ppf(0.95, len(group) - 1) * values.std(ddof=1) / np.sqrt(len(group)))
        lower, upper = np.exp(values.mean() - half), np.exp(values.mean() + half)
        table.append(
            {
                "part": name, "tubes": len(group), "ratio": float(np.exp(values.mean())), "lower": lower,
                "upper": upper,
                "within": bool(BOUNDS[0] <= lower and upper <= BOUNDS[1]),
            }
        )  # fmt: skip
    return pd.DataFrame(table)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers with three digits after the point."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    for row in table.itertuples(index=False):
        cells = [
            ("yes" if one else "NO")
            if isinstance(one, (bool, np.bool_))
            else f"{one:.3f}"
            if isinstance(one, float)
            else str(one)
            for one in row
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "NO"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def page(rows: pd.DataFrame, command: str, line: str) -> str:
    """The page that docs/validation keeps."""
    populations, treatment = populations_table(rows), treatment_table(rows)
    sound = populations_table(rows[~rows["faulty"]])
    return f"""# Learnt gates on a simulated trial

`{command}`

{line} Python {platform.python_version()}, il2cyto {ic.__version__}. Simulated: no real patients.

Overlapping populations; gates learnt as the packaged strategies say (batch, from untreated tubes and control donors;
singlets from each tube). F1: median over tubes. Ceiling: the best gate of the same shape fitted to each tube with its
labels, below the same parents; inside the true parent, no event is lost or let in above, which no gate of this tree can
reach. Bias: geometric mean of gated over true events. Within: F1 at least {LEAST_SHARE} of the ceiling and bias within
±{MOST_BIAS:g} %.

## All tubes

{markdown(populations)}

## Tubes without a planted fault

{markdown(sound)}

## Treg percentage of CD4, measured over true

Geometric mean with its 90 % interval over tubes; within: {BOUNDS[0]} to {BOUNDS[1]}. Phases are days of the 14-day
cycle.

{markdown(treatment)}
"""


def validate(folder: Path, out: Path, jobs: int, ceilings: int) -> tuple[pd.DataFrame, float]:
    """Learn the gates of a trial and compare every tube with its labels; also the seconds that learning took."""
    warm_up(lambda: None)
    (out / ".il2cyto").mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    study = learn_study(ic.read_study(folder / "study.yaml"), out, jobs=jobs)
    seconds = time.perf_counter() - started
    return pd.DataFrame(list(tubes_of(study, folder, ceilings))), seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=46)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--trial", type=Path, help="folder of a simulated trial")
    parser.add_argument("--ceilings", type=int, default=4, help="every so many tubes get a ceiling")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder, command = given.trial, "python validation/learnt_gates.py --trial TRIAL"
        if folder is None:
            folder = Path(temporary) / "trial"
            command = f"python validation/learnt_gates.py --subjects {given.subjects} --events {given.events}"
            simulate_trial(folder, replace(WHOLE, n_subjects=given.subjects, lymphocytes=given.events), jobs=given.jobs)
        rows, seconds = validate(folder, Path(temporary) / "out", given.jobs, given.ceilings)
    n_tubes = len(rows[["tube", "subject", "visit"]].drop_duplicates())
    line = (
        f"{rows['subject'].nunique()} subjects, {n_tubes} tubes, gates learnt in {seconds:.0f} s with "
        f"{given.jobs} processes."
    )
    text = page(rows, command, line)
    print(text)
    if given.write:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
