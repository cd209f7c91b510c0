"""The packaged strategies recover the known truth of separable tubes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.simulate import PANELS, POPULATIONS, plan_trial, population_path, write_tube
from il2cyto.simulate.phenotypes import cell_classes
from il2cyto.simulate.populations import members
from il2cyto.simulate.tube import artefacts

GATING = Path(__file__).parents[2] / "gating"
TUBES = list(PANELS)


@pytest.mark.parametrize("tube", TUBES)
def test_the_truth_knows_the_tree_of_the_strategy(tube: str) -> None:
    strategy = read_strategy(GATING / PANELS[tube].strategy)
    assert set(strategy.paths) == {population_path(tube, name) for name in POPULATIONS[tube]}
    assert len({one.name for one in strategy.populations}) == len(strategy.populations)
    assert all(re.fullmatch(r"il2cyto\.[A-Za-z0-9_.]+\.v1", one.definition) for one in strategy.populations)


@pytest.mark.parametrize("tube", TUBES)
def test_the_panel_file_names_the_simulated_detectors(tube: str) -> None:
    panel = Panel.from_csv(GATING / PANELS[tube].strategy / "panel.csv")
    assert {one.marker: one.channel for one in panel.entries} == {d.marker: d.channel for d in PANELS[tube].detectors}


@pytest.mark.parametrize("tube", ["TREG", "TH17", "NK"])
def test_the_panel_of_the_other_instrument_covers_every_marker(tube: str) -> None:
    panel = Panel.from_csv(GATING / PANELS[tube].strategy / "panel-aurora.csv")
    assert {one.marker for one in panel.entries} == set(PANELS[tube].markers)
    assert panel.is_declared_absent("CD45")
    assert panel.markers["CD25"].channel == "PE-Cy5-A"


def gated(folder: Path, tube: str, seed: int, subject: str, visit: str) -> pd.DataFrame:
    """Gated against true counts of one tube: columns ``population, name, events, count, definition``."""
    plan = plan_trial(seed=seed, missing_visits=0)
    spec = next(one for one in plan.tubes if one.tube_id == f"{subject}-{visit}-{tube}")
    truth = write_tube(spec, folder).counts
    strategy = read_strategy(GATING / PANELS[tube].strategy)
    counts = strategy.apply(read_fcs(folder / "fcs" / f"{spec.tube_id}.fcs")).counts
    assert (counts["status"] == "estimated").all()
    both = truth.merge(counts[["population", "count", "definition"]], on="population", validate="one_to_one")
    assert len(both) == len(truth) == len(counts)
    return both


def too_far(both: pd.DataFrame) -> pd.Series:
    """Populations of 100 and more true events that are off by more than 2 % and two counting errors."""
    relative = (both["count"].astype(float) / both["events"] - 1).abs()
    return (both["events"] >= 100) & (relative > np.maximum(0.02, 2 / np.sqrt(both["events"].clip(lower=1))))


@pytest.mark.parametrize("tube", TUBES)
@pytest.mark.parametrize(("seed", "subject", "visit"), [(20200815, "P001", "M1"), (1, "P003", "M3"), (2, "P002", "BL")])
def test_every_population_is_recovered(tmp_path: Path, tube: str, seed: int, subject: str, visit: str) -> None:
    both = gated(tmp_path, tube, seed, subject, visit)
    wrong = too_far(both)
    assert not wrong.any(), both[wrong]
    assert (both["events"] >= 100).sum() >= 11
    # the rarer ones are seen, and never off by more than their counting error
    rare = both[both["events"] < 100]
    assert ((rare["count"].astype(float) - rare["events"]).abs() <= 2 * np.sqrt(rare["events"]) + 1).all()


def agreement(folder: Path, tube: str) -> pd.DataFrame:
    """Per population of an overlapping tube: true events, gated events and F1 of the membership."""
    plan = plan_trial(seed=20200815, missing_visits=0, separable=False)
    spec = next(one for one in plan.tubes if one.tube_id == f"P001-BL-{tube}")
    write_tube(spec, folder)
    result = read_strategy(GATING / PANELS[tube].strategy).apply(read_fcs(folder / "fcs" / f"{spec.tube_id}.fcs"))
    panel = PANELS[tube]
    classes = [*cell_classes(panel, spec.blood), *artefacts(panel)]
    with np.load(folder / "truth" / "labels" / f"{spec.tube_id}.npz") as archive:
        assert archive["names"].tolist() == [one.name for one in classes]
        labels = archive["labels"]
    rows = {}
    for name, held in members(tube, classes).items():
        true, found = held[labels], result.membership(name)
        rows[name] = (true.sum(), found.sum(), 2 * (true & found).sum() / (true.sum() + found.sum()))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["true", "gated", "f1"])


@pytest.mark.parametrize(
    ("tube", "clear", "mixed"),
    [
        ("TBNK", ("CD4", "CD8", "B", "NK"), ()),
        ("TREG", ("CD4", "Treg"), ("Tconv_CD25",)),
        ("TH17", ("CD4", "memory"), ("Th1", "Th2", "Th17", "Th17.1")),
        ("NK", ("NK", "CD56dim", "CD56bright"), ("CD56bright_CD25", "NK_CD69")),
    ],
)
def test_overlapping_populations_are_mixed_cell_by_cell(
    tmp_path: Path, tube: str, clear: tuple[str, ...], mixed: tuple[str, ...]
) -> None:
    """Fixed gates sort lineages nearly without error, chemokine receptors and CD25 with the error that they have."""
    found = agreement(tmp_path, tube)
    assert (found.loc[list(clear), "f1"] > 0.97).all(), found.loc[list(clear)]
    assert found.loc[list(mixed), "f1"].between(0.85, 0.985).all(), found.loc[list(mixed)]
    # lost and gained cells balance to within a tenth, and better for the lineages
    ratio = found["gated"] / found["true"]
    assert (abs(ratio[list(clear)] - 1) < 0.05).all()
    assert (abs(ratio[list(mixed)] - 1) < 0.20).all()


@pytest.mark.parametrize("tube", TUBES)
def test_the_readme_tells_the_counts_of_the_demo_tube(tmp_path: Path, tube: str) -> None:
    both = gated(tmp_path, tube, 20200815, "P001", "BL").set_index("name")
    text = (GATING / PANELS[tube].strategy / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `(il2cyto\.[^`]+)` \| ([\d,]+) \| ([\d,]+) \|$", text, flags=re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(both.index)
    for name, definition, count, events in rows:
        assert definition == both.loc[name, "definition"]
        # another processor may round an event across a gate
        assert int(count.replace(",", "")) == pytest.approx(both.loc[name, "count"], abs=3)
        assert int(events.replace(",", "")) == both.loc[name, "events"]
