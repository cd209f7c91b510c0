"""The strategy for stimulated cells on planted labels: where cytokine gates stand, what they count, who teaches."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import write_fcs
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.steps.run import run_study
from il2cyto.study import packaged_strategy, read_study

FOLDER = packaged_strategy("th17-intracellular")
CYTOKINES = ("IL-17A", "IFNg", "IL-22", "IL-4")
#: Standard deviation of what carries no stain, and the middle of what carries it, on the linear scale.
BACKGROUND, BRIGHT = 180.0, 6_000.0
#: Share of CD3+ CD8- cells that make each mixture of cytokines when they are stimulated, of IL-17A, IFN-γ, IL-22, IL-4.
MADE = {(1, 0, 0, 0): 0.010, (1, 0, 1, 0): 0.004, (1, 1, 0, 0): 0.003, (0, 1, 0, 0): 0.080, (0, 0, 1, 0): 0.006,
        (0, 0, 0, 1): 0.015}  # fmt: skip
STUDY = """\
study: STIMULATED
title: Stimulated cells with planted labels
arms: {IL2: {label: Interleukin-2}, STD: {label: Standard, reference: true}}
visits:
  BL: {label: Baseline, number: 0, baseline: true}
  M1: {label: Month 1, number: 1}
tubes: {ICS: {strategy: "il2cyto:th17-intracellular", panel: panel.csv, count: {route: none}}}
samples: samples.csv
dosing: dosing.csv
controls: controls.csv
"""
SAMPLES = """\
tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,batch
P1-BL,P1,IL2,SLE,11,BL,2021-03-01,ICS,P1-BL.fcs,B1
P1-M1,P1,IL2,SLE,11,M1,2021-04-01,ICS,P1-M1.fcs,B1
P2-BL,P2,STD,SLE,12,BL,2021-03-02,ICS,P2-BL.fcs,B2
"""
DOSING = "subject,date,dose,unit,route,treatment\nP1,2021-03-02,0.5,MIU/m2,subcutaneous,rhIL-2\n"
CONTROLS = """\
control_id,kind,tube,marker,channel,batch,fcs
B1-unstimulated,unstimulated,ICS,,,B1,U1.fcs
B1-FMO-IL-17A,fmo,ICS,IL-17A,,B1,F1.fcs
"""


def planted(
    path: Path, seed: int, panel: Panel, *, stimulated: bool = True, without: str = "", more: float = 1.0,
    background: float = BACKGROUND,
) -> dict[str, int]:  # fmt: skip
    """Write a tube and return how many CD3+ CD8- cells make what, by population of the strategy.

    `without` lacks that stain, `more` times as many cells make cytokines, `background` is the spread of what is dark.
    """
    rng = np.random.default_rng(seed)
    n = 40_000
    dark = {marker: rng.normal(0, background if marker in CYTOKINES else BACKGROUND, n) for marker in
            ("CD45", "CD3", "CD8", "Viability", "FOXP3", *CYTOKINES)}  # fmt: skip

    def lit(marker: str, middle: float, inside: np.ndarray, spread: float = 0.35) -> None:
        dark[marker] = np.where(inside, middle * np.exp(rng.normal(0, spread, n)), dark[marker])

    lymphocyte, monocyte = np.arange(n) < 30_000, (np.arange(n) >= 30_000) & (np.arange(n) < 35_000)
    dead = lymphocyte & (rng.random(n) < 0.05)
    t = lymphocyte & ~dead & (rng.random(n) < 0.7)
    cd8 = t & (rng.random(n) < 0.4)
    helper = t & ~cd8
    lit("CD45", 42_000, lymphocyte, 0.12)
    lit("CD45", 22_000, monocyte, 0.12)
    lit("Viability", 20_000, dead)
    lit("CD3", 20_000, t, 0.2)
    lit("CD8", 30_000, cd8, 0.2)
    foxp3 = helper & (rng.random(n) < 0.06)
    lit("FOXP3", 5_000, foxp3)
    kinds = list(MADE)
    shares = np.array([MADE[kind] for kind in kinds]) * more
    drawn = rng.choice(len(kinds) + 1, n, p=[*shares, 1 - shares.sum()])
    makes = np.array([*kinds, (0, 0, 0, 0)])[drawn].astype(bool) & helper[:, None] & stimulated
    for k, marker in enumerate(CYTOKINES):
        if marker != without:
            lit(marker, BRIGHT, makes[:, k])
    area = np.where(lymphocyte, 90_000, np.where(monocyte, 130_000, 60_000)) * np.exp(rng.normal(0, 0.08, n))
    side = np.where(lymphocyte, 18_000, 85_000) * np.exp(rng.normal(0, 0.1, n))
    scatter = {"Time": np.linspace(1.5, 60, n), "FSC-A": area, "FSC-H": area * rng.normal(0.9, 0.01, n), "SSC-A": side}
    stains = {entry.channel: dark[entry.marker] for entry in panel.entries if entry.channel != "absent"}
    columns = {**scatter, **stains}
    matrix = (list(stains), np.eye(len(stains)))
    write_fcs(np.column_stack(list(columns.values())), path, channels=list(columns), spillover=matrix)
    il17, ifng, il22, il4 = makes.T
    return {
        "CD8neg": int(helper.sum()), "IL17A": int(il17.sum()), "IFNg": int(ifng.sum()),
        "Th17": int((il17 & ~ifng).sum()), "Th1": int((ifng & ~il17).sum()), "Th17.1": int((il17 & ifng).sum()),
        "Th17_IL22": int((il17 & ~ifng & il22).sum()), "Th22": int((il22 & ~il17 & ~ifng).sum()),
        "Th2": int((il4 & ~ifng).sum()), "FOXP3": int(foxp3.sum()), "FOXP3_IL17A": int((foxp3 & il17).sum()),
    }  # fmt: skip


def hand_placed() -> float:
    """Middle of the dark peak and four times its width, both of the density of a normal background on the axis."""
    scale = read_strategy(FOLDER).transforms["cytokine"]
    x = np.linspace(-6, 6, 20_001) * BACKGROUND
    y = scale.apply(x)
    density = np.exp(-0.5 * (x / BACKGROUND) ** 2) / np.gradient(y, x)
    top = int(density.argmax())
    left = y[:top][density[:top] < np.exp(-0.5) * density[top]][-1]
    return float(y[top] + 4 * (y[top] - left))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, int]]]:
    folder = tmp_path_factory.mktemp("ics")
    # a panel without IL-4: Th2 drops out
    text = (FOLDER / "panel.csv").read_text(encoding="utf-8")
    (folder / "panel.csv").write_text("\n".join(row for row in text.splitlines() if not row.startswith("IL-4")) + "\n")
    panel = Panel.from_csv(folder / "panel.csv")
    for name, content in (("study.yaml", STUDY), ("samples.csv", SAMPLES), ("dosing.csv", DOSING)):
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "controls.csv").write_text(CONTROLS, encoding="utf-8")
    truth = {
        "P1-BL": planted(folder / "P1-BL.fcs", 1, panel),
        # under treatment: three times as many cytokine cells, and a background that would move the gates
        "P1-M1": planted(folder / "P1-M1.fcs", 2, panel, more=3, background=300),
        "P2-BL": planted(folder / "P2-BL.fcs", 3, panel),
    }
    planted(folder / "U1.fcs", 4, panel, stimulated=False)
    planted(folder / "F1.fcs", 5, panel, without="IL-17A")
    assert run_study(read_study(folder / "study.yaml"), folder / "r", jobs=2).exit_code == 0
    return folder, truth


def cytokine_gates(out: Path) -> dict[tuple[str, str], dict[str, object]]:
    gates = json.loads((out / "learnt" / "ICS.json").read_text(encoding="utf-8"))["gates"]
    return {(gate["name"], f"{gate['scope']} {gate['unit']}".strip()): gate for gate in gates}


def test_cytokine_gates_stand_where_the_background_of_the_controls_ends(
    trial: tuple[Path, dict[str, dict[str, int]]],
) -> None:
    found = cytokine_gates(trial[0] / "r")
    for name, teacher in (("IL-17A", "B1-FMO-IL-17A"), ("IFNg", "B1-unstimulated"), ("IL-22", "B1-unstimulated")):
        gate = found[name, "batch B1"]
        # neither the samples before treatment nor those under it
        assert gate["learnt_from"] == [teacher]
        assert gate["place"][0] == pytest.approx(hand_placed(), abs=0.04)  # type: ignore[index]
    assert not any(name == "IL-4" for name, _ in found)
    taught = {tube for gate in found.values() for tube in gate["learnt_from"]}  # type: ignore[attr-defined]
    assert "P1-M1" not in taught
    assert taught >= {"P1-BL", "P2-BL"}


def test_planted_cells_are_counted(trial: tuple[Path, dict[str, dict[str, int]]]) -> None:
    folder, truth = trial
    counts = pd.read_csv(folder / "r" / "counts.csv")
    counts["name"] = counts["population"].str.rpartition("/")[2]
    by_tube = counts.set_index(["tube_id", "name"])
    for tube in ("P1-BL", "P2-BL"):
        for name, events in truth[tube].items():
            if name == "Th2":
                continue
            row = by_tube.loc[tube, name]
            assert row["count"] == pytest.approx(events, rel=0.02, abs=5), (tube, name)
        share = by_tube.loc[(tube, "Th17"), "percent_parent"]
        assert share == pytest.approx(100 * truth[tube]["Th17"] / truth[tube]["CD8neg"], rel=0.03)
        assert share == pytest.approx(1.4, abs=0.25)
    # the treated tube makes three times as much, and the gates did not follow it
    treated, before = by_tube.loc[("P1-M1", "Th1"), "percent_parent"], by_tube.loc[("P1-BL", "Th1"), "percent_parent"]
    assert treated / before == pytest.approx(3, rel=0.1)
    # a batch without controls borrows, and says so
    assert by_tube.loc[("P2-BL", "Th17"), "gate_status"] == "borrowed"
    assert by_tube.loc[("P1-BL", "Th17"), "gate_status"] == "estimated"


def test_a_panel_without_an_optional_cytokine_drops_its_branch(trial: tuple[Path, dict[str, dict[str, int]]]) -> None:
    missing = pd.read_csv(trial[0] / "r" / "missing_populations.csv")
    assert set(missing["population"].str.rpartition("/")[2]) == {"Th2"}
    assert set(missing["reason"]) == {"marker absent: IL-4 (optional, and not in the panel)"}


def test_without_any_control_there_is_no_count(trial: tuple[Path, dict[str, dict[str, int]]], tmp_path: Path) -> None:
    folder = trial[0]
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "study.yaml").write_text(STUDY.replace("controls: controls.csv\n", ""), encoding="utf-8")
    (tmp_path / "samples.csv").write_text("\n".join(SAMPLES.splitlines()[:2]) + "\n", encoding="utf-8")
    run_study(read_study(tmp_path / "study.yaml"), tmp_path / "r")
    counts = pd.read_csv(tmp_path / "r" / "counts.csv")
    counts.index = counts["population"].str.rpartition("/")[2]
    assert counts.loc["CD8neg", "status"] != "not_estimable"
    assert set(counts.loc[["IL17A", "IFNg", "Th17", "Th1", "Th17.1", "Th22"], "status"]) == {"not_estimable"}
    reason = "gate not estimable: IFNg: no tube of fmo or unstimulated to learn from"
    assert counts.loc["IFNg", "reason"] == reason


def test_no_rule_learns_a_cytokine_from_samples() -> None:
    strategy = read_strategy(FOLDER)
    for cut in strategy.learning.cuts:
        assert cut.rule is not None
        assert cut.rule.why
        assert "sample" not in cut.rule.sources
        if cut.dimension.label in CYTOKINES:
            assert cut.rule.sources == ("fmo", "unstimulated")
            assert cut.rule.borrow == ("study",)


def test_the_readme_tells_these_counts(trial: tuple[Path, dict[str, dict[str, int]]], tmp_path: Path) -> None:
    folder, truth = trial
    # the whole panel, IL-4 too, as the table has it
    panel = Panel.from_csv(FOLDER / "panel.csv")
    for path in folder.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "panel.csv").write_bytes((FOLDER / "panel.csv").read_bytes())
    assert planted(tmp_path / "P1-BL.fcs", 1, panel) == truth["P1-BL"]
    planted(tmp_path / "U1.fcs", 4, panel, stimulated=False)
    planted(tmp_path / "F1.fcs", 5, panel, without="IL-17A")
    (tmp_path / "samples.csv").write_text("\n".join(SAMPLES.splitlines()[:2]) + "\n", encoding="utf-8")
    (tmp_path / "dosing.csv").write_text(DOSING, encoding="utf-8")
    run_study(read_study(tmp_path / "study.yaml"), tmp_path / "r")
    counts = pd.read_csv(tmp_path / "r" / "counts.csv")
    counts["name"] = counts["population"].str.rpartition("/")[2]
    found = counts.set_index("name")
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `(il2cyto\.[^`]+)` \| ([\d,]+) \| ([\d,]+) \|$", text, flags=re.MULTILINE)
    strategy = read_strategy(FOLDER)
    definitions = {population.name: population.definition for population in strategy.populations}
    names = [population.name for population in strategy.populations]
    assert [name for name, *_ in rows] == names[names.index("CD8neg") :]
    for name, definition, count, events in rows:
        assert definition == definitions[name]
        # another processor may round an event across a gate
        assert int(count.replace(",", "")) == pytest.approx(found.loc[name, "count"], abs=3), name
        assert int(events.replace(",", "")) == truth["P1-BL"][name], name
