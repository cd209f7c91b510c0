"""``il2cyto show``, ``convert`` and ``recount`` of workspaces."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from flowjo_files import curly, dimension, fcs, group, polygon, population, rectangle, sample, write
from typer.testing import CliRunner, Result

from il2cyto.cli.app import app
from il2cyto.exchange.flowjo.recount import judge


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (0, 0, "same"),
        (2, 0, "within"),
        (3, 0, "differs"),
        (400, 402, "within"),
        (400, 403, "differs"),
        (1995, 2000, "within"),
        (2010, 2000, "within"),
        (2011, 2000, "differs"),
        (7, None, "not stored"),
        (None, 7, "not estimable"),
    ],
)
def test_tolerance(ours: int | None, theirs: int | None, verdict: str) -> None:
    assert judge(ours, theirs) == verdict


def tree(count: int) -> str:
    # the corner at 501 is in the channel of event 4 (see test_flowjo_axes): 3 events on the display, 2 exactly
    square = polygon("FSC-A", "SSC-A", [[501, 0], [990, 0], [990, 1000], [501, 1000]])
    return (
        population("sq", square, population("hi", rectangle(dimension("SSC-A", 450)), count=1), count=count)
        + population("d", rectangle(dimension("Ratio", 1)), count=5)
        + population("new", rectangle(dimension("FSC-A", 450)))
    )


def test_recount_prints_every_population_and_writes_a_table(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        sample(tree(3)),
        sample(tree(3), name="absent.fcs", number=2),
        groups=group("All Samples", 1, 2),
    )
    fcs(tmp_path)
    fcs(tmp_path, "other.fcs")
    done = run("recount", path, "--csv", tmp_path / "t.csv")
    assert done.exit_code == 0, done.output
    assert "notice   absent.fcs: there is no FCS file of this sample" in done.output
    assert "1 of 2 samples: 2 same, 1 not estimable, 1 not stored" in done.output
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(r["population"], r["count"], r["flowjo_count"], r["difference"], r["verdict"]) for r in rows] == [
        ("sq", "3", "3", "0", "same"),
        ("sq/hi", "1", "1", "0", "same"),
        ("d", "", "5", "", "not estimable"),
        ("new", "4", "", "", "not stored"),
    ]
    assert {(r["sample"], r["file"]) for r in rows} == {("a.fcs", "a.fcs")}
    assert "derived it" in rows[2]["reason"]
    exact = run("recount", path, tmp_path / "a.fcs", "--binning", "exact")
    assert exact.exit_code == 0
    assert "1 of 2 samples: 2 within, 1 not estimable, 1 not stored" in exact.output


def test_recount_says_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path, sample(tree(9), count=9))
    done = run("recount", path, fcs(tmp_path))
    assert done.exit_code == 1
    assert "the file holds 8 events, FlowJo counted 9: another file?" in done.output
    assert "differs                3         9     -6  sq" in done.output
    # a file of another name is found by its $FIL; one that no sample knows is named
    renamed = fcs(tmp_path).rename(tmp_path / "renamed.fcs")
    assert "differs                3         9     -6  sq" in run("recount", path, renamed).output
    stranger = run("recount", path, fcs(tmp_path, "b.fcs"), tmp_path / "missing.fcs")
    assert stranger.exit_code == 1
    assert "has no sample 'b.fcs'" in stranger.output
    assert "missing.fcs" in stranger.output
    assert "0 of 1 samples: 2 failed" in stranger.output
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "0 of 1 samples: nothing to compare" in run("recount", path, empty).output


def test_show_prints_equal_trees_once(tmp_path: Path) -> None:
    same = [sample(tree(3), name=f"{letter}.fcs", number=i) for i, letter in enumerate("abcde")]
    other = sample(population("Q", curly(dimension("FSC-A", 1), dimension("SSC-A", 1))), name="z.fcs", number=9)
    done = run("show", write(tmp_path, *same, other))
    assert done.exit_code == 0
    assert "panel FlowJo 10.8.1 · a.fcs, b.fcs, c.fcs and 2 more names · sha256" in done.output
    assert done.output.count("sq  polygon FSC-A × SSC-A") == 1
    assert "  d  not estimable: " in done.output
    assert "z.fcs · sha256" in done.output
    assert "note: the curve of FlowJo's curly quadrants is not public: populations Q take" in done.output


def test_convert_says_what_it_wrote(tmp_path: Path) -> None:
    path = write(
        tmp_path, sample(tree(3)), sample(population("p", rectangle(dimension("FSC-A", 1))), name="b.fcs", number=2)
    )
    done = run("convert", path, tmp_path / "gating" / "mine", "--binning", "flowjo")
    assert done.exit_code == 0, done.output
    assert "strategy.yaml: 4 populations of 2 samples, 1 overrides; sha256" in done.output
    assert "01.yaml: b.fcs" in done.output
    assert "binning: flowjo" in (tmp_path / "gating" / "mine" / "strategy.yaml").read_text()
    shown = run("show", tmp_path / "gating" / "mine")
    assert "mine FlowJo 10.8.1 · all other files · sha256" in shown.output
    assert "mine FlowJo 10.8.1 · b.fcs · sha256" in shown.output
