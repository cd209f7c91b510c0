"""Treg, T helper and NK cells on real unmixed files whose panel lacks markers, against comparisons of every event."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.study import packaged_strategy
from il2cyto.transforms import FlowJoBiex
from il2cyto.visits import read_visits

pytestmark = pytest.mark.reference

STUDY = Path(__file__).parents[2] / "studies" / "aurora-treg-th-nk" / "study.yaml"
FILES = {
    "INF071": "INF071_Ctrl_Tetramer.fcs",
    "INF149": "INF149_Ctrl_Tetramer.fcs",
    "INF179": "INF179_Ctrl_Tetramer.fcs",
    "ND050": "ND050_15_Ctrl_Tetramer.fcs",
}
#: Channels as in the experts' tables of cut points.
CHANNELS = {
    "CD3": "Spark Blue 550-A",
    "CD4": "BUV805-A",
    "CD8": "BUV496-A",
    "Viability": "Zombie NIR-A",
    "CD45RA": "BV510-A",
    "CD25": "PE-Cy5-A",
    "CD127": "BV421-A",
    "CXCR3": "BUV737-A",
    "CCR6": "BV786-A",
    "CCR4": "BUV615-A",
    "CD161": "BV480-A",
    "CD56": "BV605-A",
    "CD16": "APC-A",
    "Dump": "Pacific Blue-A",
}
#: ND050 has no cut points of the experts: these are those of the study, for T cells and for NK cells.
T_CUTS_ND050 = {
    "CD3": 95, "CD4": 100, "CD8": 110, "Viability": 101, "CD45RA": 117, "CD25": 108, "CD127": 90, "CXCR3": 122,
    "CCR6": 120, "CCR4": 100, "CD161": 102,
}  # fmt: skip
NK_CUTS_ND050 = {"Viability": 105, "CD3": 97, "Dump": 98, "CD56": 92, "CD16": 113}
#: Events of INF071, INF149, INF179 and ND050. No number of this table was taken from a result of il2cyto unverified:
#: `test_direct_comparison_of_every_event` computes each from the bytes of the files.
COUNTS = {
    "singlets": (1612, 1666, 1687, 1697),
    "singlets/live": (813, 765, 839, 1064),
    "singlets/live/CD3": (341, 263, 419, 841),
    "singlets/live/CD3/CD4": (248, 173, 316, 535),
    "singlets/live/CD3/CD8": (74, 76, 78, 231),
    "singlets/live/CD3/CD4/Treg": (5, 1, 14, 26),
    "singlets/live/CD3/CD4/Treg/Treg_naive": (5, 1, 8, 9),
    "singlets/live/CD3/CD4/Treg/Treg_memory": (0, 0, 6, 17),
    "singlets/live/CD3/CD4/Tconv": (243, 172, 302, 509),
    "singlets/live/CD3/CD4/naive": (207, 162, 220, 315),
    "singlets/live/CD3/CD4/memory": (41, 11, 96, 220),
    "singlets/live/CD3/CD4/memory/Tconv_memory": (41, 11, 90, 203),
    "singlets/live/CD3/CD4/memory/Tconv_memory/Th1_like": (0, 0, 0, 3),
    "singlets/live/CD3/CD4/memory/Tconv_memory/Th2_like": (11, 2, 5, 24),
    "singlets/live/CD3/CD4/memory/Tconv_memory/Th17_like": (0, 0, 1, 70),
    "singlets/live/CD3/CD4/memory/Tconv_memory/Th17_like/Th17_like_CD161": (0, 0, 1, 34),
    "singlets/live/CD3/CD4/memory/Tconv_memory/Th17.1_like": (0, 0, 0, 0),
    "singlets/live_NK": (845, 788, 853, 1082),
    "singlets/live_NK/CD3neg": (503, 525, 432, 242),
    "singlets/live_NK/CD3neg/dump_neg": (311, 316, 134, 147),
    "singlets/live_NK/CD3neg/dump_neg/NK": (86, 157, 32, 87),
    "singlets/live_NK/CD3neg/dump_neg/NK/NK_CD16pos": (57, 110, 18, 53),
    "singlets/live_NK/CD3neg/dump_neg/NK/NK_CD16neg": (29, 47, 14, 34),
}
NOT_ESTIMABLE = {
    "singlets/leuko": "marker absent: CD45",
    "singlets/leuko/lympho": "parent leuko not estimable: marker absent: CD45",
    "singlets/live/CD3/CD4/Treg/Treg_activated": "marker absent: HLA-DR",
    "singlets/live/CD3/CD4/Treg/Treg_FOXP3": "marker absent: FOXP3",
    "singlets/live/CD3/CD4/memory/cTfh": "marker absent: CXCR5",
    "singlets/live/CD3/CD4/memory/nonTfh": "marker absent: CXCR5",
    "singlets/live/CD3/CD4/memory/nonTfh/Th17": "parent nonTfh not estimable: marker absent: CXCR5",
    "singlets/live_NK/CD3neg/B": "marker absent: CD19",
}


@dataclass(frozen=True)
class Run:
    folder: Path
    code: int
    screen: str


@pytest.fixture(scope="module")
def run(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("aurora") / "out"
    command = ["run", str(STUDY), "--data-root", str(reference / "aurora-treg-th-nk"), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-W", "always", "-m", "il2cyto", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    return Run(out, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def counts(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.folder / "counts.csv").set_index(["tube_id", "population"])


def test_absent_markers_are_no_failure(run: Run) -> None:
    assert run.code == 0, run.screen
    assert "4 of 4 tubes gated; 0 failures, 2 notices" in run.screen
    assert "warning" not in run.screen.lower()
    failures = pd.read_csv(run.folder / "failures.csv")
    assert failures["severity"].tolist() == ["notice", "notice"]
    assert "the collection date is unknown in 4 of 4 rows" in failures["message"][0]
    assert failures["message"][1].startswith("INF149: upper_margin 10.5 % (SSC-A), wanted at most 2 (hard at most 10)")


def test_quality_of_excerpts_in_no_order_of_time(run: Run) -> None:
    quality = pd.read_csv(run.folder / "quality.csv").set_index("tube_id")
    assert quality["quality"].tolist() == ["review", "fail", "review", "review"]
    assert (quality["time_reversals"] > 900).all()
    assert quality["unstable"].isna().all()
    assert quality["not_evaluable"].str.contains("unstable: 2000 events are too few to follow the acquisition").all()


def test_every_count(counts: pd.DataFrame) -> None:
    assert len(counts) == 4 * (len(COUNTS) + len(NOT_ESTIMABLE))
    for population, expected in COUNTS.items():
        rows = counts.loc[[(tube, population) for tube in FILES]]
        assert rows["count"].tolist() == list(expected), population
        assert set(rows["status"]) == {"estimated"}
        assert set(rows["reason"]) == {"route none: no absolute counts for this tube"}


def test_absent_markers_give_no_zero(counts: pd.DataFrame) -> None:
    for population, reason in NOT_ESTIMABLE.items():
        rows = counts.loc[[(tube, population) for tube in FILES]]
        assert rows["reason"].tolist() == [reason] * 4
        assert set(rows["status"]) == {"not_estimable"}
        assert rows[["count", "percent_parent", "cells_per_ul"]].isna().all().all()


def test_percentages_by_hand(counts: pd.DataFrame) -> None:
    treg = counts.loc[("INF179", "singlets/live/CD3/CD4/Treg")]
    assert treg["percent_parent"] == pytest.approx(4.4304, abs=5e-5)  # 14 of 316
    th17 = counts.loc[("ND050", "singlets/live/CD3/CD4/memory/Tconv_memory/Th17_like")]
    assert th17["percent_parent"] == pytest.approx(34.4828, abs=5e-5)  # 70 of 203
    assert th17["percent_of"] == "singlets/live/CD3/CD4/memory"
    assert th17["percent_ancestor"] == pytest.approx(31.8182, abs=5e-5)  # 70 of 220
    # a share of nothing is no number: INF071 has no Th17-like cell
    lost = counts.loc[("INF071", "singlets/live/CD3/CD4/memory/Tconv_memory/Th17_like/Th17_like_CD161")]
    assert (lost["count"], np.isnan(lost["percent_parent"])) == (0, True)


def test_one_variable_per_population_whatever_the_specimen(run: Run) -> None:
    visits = read_visits(run.folder / "visits.h5ad")
    assert visits.obs_names.tolist() == ["INF071|BIRTH", "INF149|BIRTH", "INF179|BIRTH", "ND050|ADULT"]
    assert set(visits.var["population"]) == {*COUNTS, *NOT_ESTIMABLE}
    assert set(visits.var["strategy"]) == {"aurora-treg-th-nk"}
    assert np.isnan(np.asarray(visits.X)).all()
    names = visits.var["population"].tolist()
    found = visits.layers["count"][:, [names.index(name) for name in COUNTS]]
    np.testing.assert_array_equal(found, np.array(list(COUNTS.values())).T)
    status = visits.layers["status"][:, [names.index(name) for name in NOT_ESTIMABLE]]
    assert (status == 1).all()


# -------------------------------------------------------------------------- the same counts from the bytes of the files


def read_events(path: Path) -> pd.DataFrame:
    """Events of an FCS 3.0 file of 32-bit floats, without anything of il2cyto."""
    content = path.read_bytes()
    text = content[int(content[10:18]) : int(content[18:26]) + 1].decode("ascii")
    parts = text[1:].rstrip(text[0]).split(text[0])
    keywords = dict(zip(parts[::2], parts[1::2], strict=True))
    assert keywords["$DATATYPE"] == "F"
    kind = {"1,2,3,4": "<f4", "4,3,2,1": ">f4"}[keywords["$BYTEORD"]]
    n_events, n_channels = int(keywords["$TOT"]), int(keywords["$PAR"])
    names = [keywords[f"$P{i}N"].strip() for i in range(1, n_channels + 1)]
    values = np.frombuffer(content, kind, n_events * n_channels, int(keywords["$BEGINDATA"]))
    return pd.DataFrame(values.reshape(n_events, n_channels).astype(np.float64), columns=names)


def inside(x: np.ndarray, y: np.ndarray, corners: list[tuple[float, float]]) -> np.ndarray:
    """Even–odd rule."""
    odd = np.zeros(len(x), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 != y2:
            crosses = (y < y1) != (y < y2)
            odd ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return odd


@pytest.mark.parametrize("specimen", FILES)
def test_direct_comparison_of_every_event(reference: Path, specimen: str) -> None:
    folder = reference / "aurora-treg-th-nk"
    events = read_events(folder / FILES[specimen])
    assert len(events) == 2000
    scale = FlowJoBiex(length=256, maximum=4194304, negative=0, width=-1000, positive=5.6226599046)
    values = {marker: scale.apply(events[channel].to_numpy()) for marker, channel in CHANNELS.items()}
    cuts = {}
    for cell, file, ours in (
        ("T", "CoerebaReferenceGates.csv", T_CUTS_ND050),
        ("NK", "GateCutoffsForNKs.csv", NK_CUTS_ND050),
    ):
        table = pd.read_csv(folder / file, index_col="specimen")
        known = specimen in table.index
        cuts[cell] = {m: table.loc[specimen, c] for m, c in CHANNELS.items()} if known else ours

    def above(marker: str, cell: str = "T") -> np.ndarray:
        return np.asarray(values[marker] >= cuts[cell][marker])

    corners = [
        (0.035, 0.028), (0.035, 0.055), (0.22, 0.24), (0.5, 0.47), (0.72, 0.6), (0.85, 0.6), (0.65, 0.43), (0.45, 0.335)
    ]  # fmt: skip
    singlets = inside(events["FSC-A"].to_numpy() / 4194304, events["FSC-H"].to_numpy() / 4194304, corners)
    live = singlets & ~above("Viability")
    cd3 = live & above("CD3")
    cd4 = cd3 & above("CD4") & ~above("CD8")
    treg = cd4 & above("CD25") & ~above("CD127")
    memory = cd4 & ~above("CD45RA")
    tconv_memory = memory & ~treg
    th17 = tconv_memory & ~above("CXCR3") & above("CCR6")
    live_nk = singlets & ~above("Viability", "NK")
    cd3neg = live_nk & ~above("CD3", "NK")
    dump_neg = cd3neg & ~above("Dump", "NK")
    nk = dump_neg & above("CD56", "NK")
    found = {
        "singlets": singlets,
        "live": live,
        "CD3": cd3,
        "CD4": cd4,
        "CD8": cd3 & ~above("CD4") & above("CD8"),
        "Treg": treg,
        "Treg_naive": treg & above("CD45RA"),
        "Treg_memory": treg & ~above("CD45RA"),
        "Tconv": cd4 & ~treg,
        "naive": cd4 & above("CD45RA"),
        "memory": memory,
        "Tconv_memory": tconv_memory,
        "Th1_like": tconv_memory & above("CXCR3") & ~above("CCR6"),
        "Th2_like": tconv_memory & ~above("CXCR3") & ~above("CCR6") & above("CCR4"),
        "Th17_like": th17,
        "Th17_like_CD161": th17 & above("CD161"),
        "Th17.1_like": tconv_memory & above("CXCR3") & above("CCR6"),
        "live_NK": live_nk,
        "CD3neg": cd3neg,
        "dump_neg": dump_neg,
        "NK": nk,
        "NK_CD16pos": nk & above("CD16", "NK"),
        "NK_CD16neg": nk & ~above("CD16", "NK"),
    }
    place = list(FILES).index(specimen)
    assert {name: int(members.sum()) for name, members in found.items()} == {
        path.rpartition("/")[2]: row[place] for path, row in COUNTS.items()
    }


# ---------------------------------------------------------------------- the packaged strategies on a panel without CD45


@pytest.mark.parametrize("name", ["treg", "th17", "nk"])
@pytest.mark.parametrize("specimen", ["INF071", "ND050"])
def test_packaged_strategies_stop_at_the_first_absent_marker(reference: Path, name: str, specimen: str) -> None:
    path = reference / "aurora-treg-th-nk" / FILES[specimen]
    panel = Panel.from_csv(packaged_strategy(name) / "panel-aurora.csv")
    result = read_strategy(packaged_strategy(name), panel).apply(read_fcs(path, panel))
    counts = result.counts.set_index("name")
    estimated = counts[counts["status"] == "estimated"]
    assert estimated.index.tolist() == ["time_qc", "singlets"]
    # $TIMESTEP is 0.0001 s: the first second is the ticks below 10000
    seconds = read_events(path)["Time"] * 0.0001
    assert counts.loc["time_qc", "count"] == int((seconds >= 1.0).sum())
    below = counts.drop(index=["time_qc", "singlets"])
    assert len(below) > 10
    assert below.loc["leuko", "reason"] == "marker absent: CD45"
    assert below["reason"].str.endswith("marker absent: CD45").all()
    assert set(below["status"]) == {"not_estimable"}
    assert below["count"].isna().all()
    # the panel says so itself: nothing is missing that was promised
    assert result.missing_markers == ()
