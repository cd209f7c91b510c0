"""Commands on experiments of FACSDiva and workspaces of FlowJo 9, as on those of FlowJo 10."""

from __future__ import annotations

from pathlib import Path

import diva_files as diva
import flowjo9_files as mac
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.exchange import read_strategies, write_workspace
from il2cyto.exchange.workspaces import read_any_workspace
from il2cyto.fcs import read_fcs

LOW, HIGH = (2e4, 1e4), (2e5, 2e5)
RUNNER = CliRunner()


def experiment(folder: Path, count: int, name: str = "e.xml") -> Path:
    """Two tubes with files, the second with a gate of its own, and one whose file is missing."""
    events = diva.make_events()
    for file in ("a.fcs", "b.fcs"):
        diva.fcs(folder, events, file)
    bright = diva.interval("cells\\bright", "PE-A", 2000.0, 4095.0, diva.biex(358), count=-1)
    common = diva.events(4000) + diva.rectangle("cells", "FSC-A", "SSC-A", LOW, HIGH, count=count) + bright
    moved = common.replace(f'x="{LOW[0]!r}"', 'x="30000.0"')
    lost = diva.gate("odd", "Magic_Classifier", "")
    return diva.write(
        folder,
        diva.specimen(
            diva.tube(common + lost, name="1", file="a.fcs"),
            diva.tube(moved + lost, name="2", file="b.fcs"),
            diva.tube(common + lost, name="3", file="absent.fcs"),
        ),
        name=name,
    )


def cells(low: float = LOW[0]) -> int:
    raw = diva.make_events()
    return int(((raw[:, 0] >= low) & (raw[:, 0] < HIGH[0]) & (raw[:, 2] >= LOW[1]) & (raw[:, 2] < HIGH[1])).sum())


def test_recount_of_an_experiment(tmp_path: Path) -> None:
    path = experiment(tmp_path, cells())
    result = RUNNER.invoke(app, ["recount", str(path), "--csv", str(tmp_path / "out.csv")])
    assert f"same                {cells()}" in result.output
    assert "not estimable" in result.output
    assert "gates of type 'Magic_Classifier'" in result.output
    assert "absent.fcs: there is no FCS file of this sample" in result.output
    assert "on which channels FACSDiva 6.1.3 counts is not public" in result.output
    assert "not compared with FACSDiva" in result.output
    assert result.exit_code == 1  # the moved gate holds fewer than the count that stands there
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == "sample,file,population,count,facsdiva_count,difference,verdict,reason"


def test_convert_an_experiment_to_a_folder(tmp_path: Path) -> None:
    path = experiment(tmp_path, 0)
    target = tmp_path / "gating" / "mine"
    result = RUNNER.invoke(app, ["convert", str(path), str(target), "--group", "PE"])
    assert result.exit_code == 0, result.output
    assert "3 populations of 3 samples, 1 overrides" in result.output
    assert "odd: gates of type 'Magic_Classifier'" in result.output
    assert "workspace of FACSDiva 6.1.3 with 3 samples" in (target / "README.md").read_text()
    found, wanted = read_strategies(target), read_strategies(path)
    for file, low in (("a.fcs", LOW[0]), ("b.fcs", 30000.0)):
        sample = read_fcs(tmp_path / file)
        ours, theirs = found.for_file(file).apply(sample), wanted.for_file(file).apply(sample)
        for population in ("cells", "cells/bright"):
            np.testing.assert_array_equal(ours.membership(population), theirs.membership(population))
        assert int(np.asarray(ours.membership("cells")).sum()) == cells(low)


def test_show_a_template_and_convert_it(tmp_path: Path) -> None:
    gates = diva.events(0) + diva.rectangle("cells", "FSC-A", "SSC-A", LOW, HIGH)
    path = diva.write(tmp_path, sheets=diva.sheet(gates, own=diva.SETTINGS))
    shown = RUNNER.invoke(app, ["show", str(path)])
    assert "experiment FACSDiva 6.1.3 · all files" in shown.output
    assert "cells  rectangle FSC-A × SSC-A" in shown.output
    done = RUNNER.invoke(app, ["convert", str(path), str(tmp_path / "made")])
    assert done.exit_code == 0, done.output
    assert read_strategies(tmp_path / "made").for_file("x.fcs").paths == ("cells",)


def test_flowjo_9_by_the_same_commands(tmp_path: Path) -> None:
    events = mac.make_events()
    mac.fcs(tmp_path, events)
    inside = (events[:, 0] >= LOW[0]) & (events[:, 0] < HIGH[0]) & (events[:, 1] >= LOW[1]) & (events[:, 1] < HIGH[1])
    tree = mac.population("cells", mac.rectangle("FSC-A", "SSC-A", LOW, HIGH), count=int(inside.sum()))
    path = mac.write(tmp_path, mac.sample(tree, count=4000), mac.sample(tree, name="absent.fcs", number=2))
    result = RUNNER.invoke(app, ["recount", str(path), str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert f"same                {int(inside.sum())}" in result.output
    assert "1 of 2 samples: 1 same" in result.output
    assert "on which channels FlowJo 9.2 counts is not public" in result.output
    done = RUNNER.invoke(app, ["convert", str(path), str(tmp_path / "made")])
    assert done.exit_code == 0, done.output
    shown = RUNNER.invoke(app, ["show", str(path)])
    assert "mac FlowJo 9.2 · a.fcs, absent.fcs" in shown.output


@pytest.mark.parametrize("kind", ["diva", "mac"])
def test_one_strategy_in_other_forms(tmp_path: Path, kind: str) -> None:
    """Imported gates leave with the same members; Gating-ML has no biex scale."""
    values = mac.biex_values()
    if kind == "diva":
        events = diva.make_events()
        file = diva.fcs(tmp_path, events)
        corners = [(500.0, 400.0), (3600.0, 900.0), (3000.0, 3800.0), (1200.0, 2500.0)]
        on = (diva.biex(162), diva.biex(358))
        path = diva.write(
            tmp_path, diva.specimen(diva.tube(diva.events(4000) + diva.polygon("p", "FITC-A", "PE-A", corners, on=on)))
        )
    else:
        file = mac.fcs(tmp_path, mac.make_events())
        points = [(values[x], values[y]) for x, y in ((600, 500), (3600, 900), (3100, 3800), (1400, 2600))]
        path = mac.write(tmp_path, mac.sample(mac.population("p", mac.shape("Polygon", "<FITC-A>", "<PE-A>", points))))
    sample = read_fcs(file)
    wanted = np.asarray(read_strategies(path).for_file("a.fcs").apply(sample).membership("p"))
    assert wanted.sum() > 200
    for target in ("folder", "gates.xml") if kind == "diva" else ("folder",):
        done = RUNNER.invoke(app, ["convert", str(path), str(tmp_path / target)])
        assert done.exit_code == 0, done.output
        found = read_strategies(tmp_path / target).for_file("a.fcs").apply(sample)
        np.testing.assert_array_equal(found.membership("p"), wanted)


def test_workspaces_go_out_again(tmp_path: Path) -> None:
    path = experiment(tmp_path, 0)
    strategies = read_strategies(path)
    write_workspace(strategies, [tmp_path / "a.fcs", tmp_path / "b.fcs"], tmp_path / "new.wsp")
    again = read_any_workspace(tmp_path / "new.wsp").by_file()
    for file in ("a.fcs", "b.fcs"):
        sample = read_fcs(tmp_path / file)
        wanted = strategies.for_file(file).apply(sample).membership("cells")
        np.testing.assert_array_equal(again[file].strategy.apply(sample).membership("cells"), wanted)


STUDY = """\
study: DIVA
title: Gates of an experiment
arms:
  ALL: {label: All subjects}
visits:
  BL: {label: Baseline, number: 0, baseline: true}
  M1: {label: Month 1, number: 1}
tubes:
  TREG: {strategy: e.xml, count: {route: volumetric}}
samples: samples.csv
"""
SHEET = """\
tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,dilution,volume,volume_unit
T1,S1,ALL,healthy,34,BL,2026-01-12,TREG,a.fcs,1,100,uL
T2,S1,ALL,healthy,34,M1,2026-02-11,TREG,b.fcs,1,100,uL
"""


def test_a_study_with_an_experiment(tmp_path: Path) -> None:
    """Each tube is gated by its own tree; what is not public is not estimable in the results, with the reason."""
    experiment(tmp_path, 0)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "samples.csv").write_text(SHEET)
    done = RUNNER.invoke(app, ["run", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")])
    assert done.exit_code in (0, 1), done.output
    rows = pd.read_csv(tmp_path / "out" / "counts.csv").set_index(["visit", "name"])
    assert rows.loc[("BL", "cells"), "count"] == cells()
    assert rows.loc[("M1", "cells"), "count"] == cells(30000.0)
    assert rows.loc[("BL", "cells"), "cells_per_ul"] == pytest.approx(cells() / 100)
    assert rows["count"].isna().to_dict()[("BL", "odd")]
    assert "not_estimable" in set(rows.loc[("BL", "odd")].astype(str))
