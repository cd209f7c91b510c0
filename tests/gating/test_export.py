"""Populations as files of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from il2cyto import __version__
from il2cyto.cli.app import app
from il2cyto.errors import FcsError, OutputError, StrategyError
from il2cyto.exchange import read_gating
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gates import BooleanGate, Dimension, Limits, Operand, RectangleGate
from il2cyto.gating import GatingResult, GatingStrategy, Population
from il2cyto.gating.export import export_population
from il2cyto.panel import Panel

GATING = Path(__file__).parents[2] / "gating"
RUNNER = CliRunner()


def above(channel: str, low: float) -> RectangleGate:
    return RectangleGate((Limits(Dimension(channel), low),))


@pytest.fixture
def result(tmp_path: Path) -> GatingResult:
    """Events 0 … 9 in channel A; those of "high" are 6 … 9, of "high/top" 9, of "none" no one."""
    write_fcs(
        [np.arange(10, dtype="u2"), np.arange(10, dtype="u4") * 7], tmp_path / "tube.fcs", channels=["A", "B"],
        markers=["CD4", None], keywords={"$FIL": "tube.fcs", "$OP": "Ann Lee", "$COM": "as is", "TUBE": "7"},
    )  # fmt: skip
    populations = (
        Population("high", "root", above("A", 6.0)),
        Population("top", "high", above("B", 63.0)),
        Population("none", "root", above("A", 10.0)),
        Population("low", "root", BooleanGate("not", (Operand("high"),))),
    )
    return GatingStrategy("demo", populations, version="1.2").apply(read_fcs(tmp_path / "tube.fcs"))


def test_events_and_keywords(tmp_path: Path, result: GatingResult) -> None:
    assert export_population(result, "high", tmp_path / "out" / "high.fcs") == 4
    old, new = result.sample, read_fcs(tmp_path / "out" / "high.fcs", strict=True)
    assert new.events.tolist() == [[6.0, 42.0], [7.0, 49.0], [8.0, 56.0], [9.0, 63.0]]
    assert bytes(new.data) == bytes(old.data)[6 * 6 :]
    own = {
        "$FIL": "high.fcs", "$TOT": "4", "$ORIGINALITY": "DataModified",
        "IL2CYTO_ORIGIN_SHA256": hashlib.sha256((tmp_path / "tube.fcs").read_bytes()).hexdigest(),
        "IL2CYTO_ORIGIN_DATASET": "0", "IL2CYTO_POPULATION": "high", "IL2CYTO_STRATEGY": "demo",
        "IL2CYTO_STRATEGY_VERSION": "1.2", "IL2CYTO_STRATEGY_SHA256": result.strategy.content_hash,
        "IL2CYTO_VERSION": __version__,
    }  # fmt: skip
    moved = {"$BEGINDATA", "$ENDDATA"}
    assert {key: value for key, value in new.keywords.items() if key not in moved} == {
        key: value for key, value in {**old.keywords, **own}.items() if key not in moved
    }


@pytest.mark.parametrize(
    ("population", "path", "values"),
    [
        ("top", "high/top", [9.0]),
        ("high/top", "high/top", [9.0]),
        ("low", "low", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("none", "none", []),
        ("root", "root", list(range(10))),
    ],
)
@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_any_population(
    tmp_path: Path, result: GatingResult, population: str, path: str, values: list[float], version: str
) -> None:
    n = export_population(result, population, tmp_path / "x.fcs", version=version, keywords={"$CYT": "x"})
    new = read_fcs(tmp_path / "x.fcs", strict=True)
    assert (n, new.version) == (len(values), f"FCS{version}")
    assert new.events[:, 0].tolist() == values
    assert new.events.shape == (len(values), 2)
    assert new.keywords["IL2CYTO_POPULATION"] == path


def test_a_part_gated_again_gives_the_same_population(tmp_path: Path, result: GatingResult) -> None:
    export_population(result, "high", tmp_path / "high.fcs")
    again = result.strategy.apply(read_fcs(tmp_path / "high.fcs"))
    assert again.membership("high").all()
    assert again.membership("top").tolist() == result.membership("top")[6:].tolist()
    export_population(again, "top", tmp_path / "top.fcs")
    new = read_fcs(tmp_path / "top.fcs", strict=True)
    assert new.events.tolist() == [[9.0, 63.0]]
    assert new.keywords["IL2CYTO_ORIGIN_SHA256"] == again.sample.sha256
    assert new.keywords["IL2CYTO_POPULATION"] == "high/top"


def test_chosen_keywords(tmp_path: Path, result: GatingResult) -> None:
    export_population(
        result, "high", tmp_path / "x.fcs", keep=["$PnS"], keywords={"IL2CYTO_VERSION": None, "$CYT": "c"}
    )
    assert b"Ann" not in (tmp_path / "x.fcs").read_bytes()
    words = read_fcs(tmp_path / "x.fcs").keywords
    assert (words["$P1S"], words["$CYT"], "IL2CYTO_VERSION" in words, "TUBE" in words) == ("CD4", "c", False, False)


def test_what_cannot_be_exported(tmp_path: Path, result: GatingResult) -> None:
    path = tmp_path / "x.fcs"
    with pytest.raises(StrategyError, match="hihg"):
        export_population(result, "hihg", path)
    with pytest.raises(FcsError, match="demands the cytometer"):
        export_population(result, "high", path, version="3.2")
    with pytest.raises(OutputError, match="choose another name"):
        export_population(result, "high", tmp_path / "tube.fcs")
    panel = tmp_path / "panel.csv"
    panel.write_text("marker,channel,fluorochrome,aliases\nCD4,A,,\nCD25,absent,,\n", encoding="utf-8")
    tree = GatingStrategy("t", (Population("P", "root", above("CD25", 1.0)),), panel=Panel.from_csv(panel))
    with pytest.raises(StrategyError, match="P is not estimable: marker absent: CD25"):
        export_population(tree.apply(result.sample), "P", path)
    assert not path.exists()


def test_the_command(tmp_path: Path) -> None:
    from il2cyto.simulate.plan import plan_trial
    from il2cyto.simulate.trial import write_tube

    spec = next(tube for tube in plan_trial(n_subjects=2, lymphocytes=1_500).tubes if "TREG" in tube.tube_id)
    write_tube(spec, tmp_path)
    tube = tmp_path / "fcs" / f"{spec.tube_id}.fcs"
    gated = read_gating(GATING / "treg").apply(read_fcs(tube))
    expected = gated.membership("CD4")
    options = ["--gating", GATING / "treg", "--population", "CD4", "--out", tmp_path / "x.fcs", "--keyword", "$OP=a=b"]
    done = RUNNER.invoke(app, ["export", *map(str, [tube, *options])])
    assert done.exit_code == 0, done.output
    assert f"x.fcs: {expected.sum()} of {expected.size} events" in done.output
    new = read_fcs(tmp_path / "x.fcs", strict=True)
    assert new.events.tobytes() == gated.sample.events[expected].tobytes()
    assert (new.keywords["IL2CYTO_STRATEGY"], new.keywords["$OP"]) == ("treg", "a=b")
    assert gated.panel is not None
    assert new.keywords["IL2CYTO_PANEL_SHA256"] == gated.panel.content_hash
    kept = RUNNER.invoke(app, ["export", *map(str, [tube, *options, "--keep", "$CYT", "--version", "3.2"])])
    assert kept.exit_code == 0, kept.output
    assert "$P1S" not in read_fcs(tmp_path / "x.fcs").keywords
    wrong = RUNNER.invoke(app, ["export", *map(str, [tube, *options, "--keyword", "OP"])])
    assert wrong.exit_code == 2
