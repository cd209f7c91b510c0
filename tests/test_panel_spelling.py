"""Spellings of markers: labels of real files, whole names only, and layouts of the packaged panels."""

from __future__ import annotations

import csv
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from il2cyto.errors import PanelError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel, PanelEntry, marker_of, spelling
from il2cyto.study import packaged_strategies, packaged_strategy

REFERENCE = os.environ.get("IL2CYTO_REFERENCE")


@pytest.mark.parametrize(
    ("label", "marker"),
    [
        ("CD3", "CD3"),
        ("cd3", "CD3"),
        ("CD3 PerCP-Cy5.5", "CD3"),
        ("CD3-PerCP-Cy5-5-A", "CD3"),
        ("FITC CD45RA", "CD45RA"),
        ("CD25 (IL-2Ra)", "CD25"),
        ("CD127_IL-7Rα BV421", "CD127"),
        ("FoxP3 AF647", "FOXP3"),
        ("CD196-PE", "CCR6"),
        ("LIVE/DEAD Aqua", "Viability"),
        ("FVS780", "Viability"),
        ("Zombie NIR-A", "Viability"),
        ("IFNγ", "IFNg"),
        ("CD16/CD56 PE", "CD16+56"),
        # not a marker of the table, two markers, a rest, or no marker at all
        ("CD8 B PE", None),
        ("CD33 PC5", None),
        ("VIVID / CD14", None),
        ("CD3 CD19", None),
        ("CD4 2nd", None),
        ("PE-A", None),
        ("A", None),
        ("", None),
    ],
)
def test_a_label_names_one_marker_in_full_or_none(label: str, marker: str | None) -> None:
    assert marker_of(label) == marker


def test_the_table_means_one_thing_by_each_spelling() -> None:
    phrases = [("".join(spelling._words(name)), names[0]) for _, names in spelling._table() for name in names]
    for phrase, _ in phrases:
        assert len({name for other, name in phrases if other == phrase}) == 1, phrase
    markers = [names[0] for kind, names in spelling._table() if kind == "marker"]
    dyes = [names[0] for kind, names in spelling._table() if kind == "fluorochrome"]
    for marker, dye in product(markers, dyes):
        assert marker_of(f"{marker} {dye}") == marker_of(f"{dye}-{marker}-A") == marker
    assert {marker_of(dye) for dye in dyes} == {None}


@pytest.mark.reference
@pytest.mark.skipif(REFERENCE is None, reason="IL2CYTO_REFERENCE is not set")
@pytest.mark.parametrize(
    ("file", "found"),
    [
        (
            "aurora-treg-th-nk/INF071_Ctrl_Tetramer.fcs",
            {"Pacific Blue-A": "Dump", "PE-Vio770-A": "PD-1", "BV750-A": "IFNg", "Zombie NIR-A": "Viability"},
        ),
        ("cytometers/100715.fcs", {"V450-A": None, "G560-A": "CD127", "B515-A": "Ki67"}),
    ],
)
def test_labels_of_real_files(file: str, found: dict[str, str | None]) -> None:
    sample = read_fcs(Path(str(REFERENCE)) / file)
    labels = {channel.pnn: marker_of(channel.pns) for channel in sample.channels}
    assert {name: labels[name] for name in found} == found


def test_a_strategy_may_spell_a_marker_otherwise_than_the_panel() -> None:
    panel = Panel("p", (PanelEntry("IL-7Ra", "B1-A"), PanelEntry("CD25", "B2-A", aliases=("CD127",))))
    # what the panel writes itself goes first
    assert panel.markers["CD127"].marker == "CD25"
    assert panel.markers["IL7RA"].marker == "IL-7Ra"
    twice = Panel("p", (PanelEntry("CD127", "B1-A"), PanelEntry("IL-7Ra", "B2-A")))
    assert twice.markers["CD127"].channel == "B1-A"
    assert "IL7RA" not in twice.markers


def test_labels_find_channels_after_the_spelling_of_the_panel() -> None:
    panel = Panel("p", (PanelEntry("CD127", ""), PanelEntry("FOXP3", "")))
    names = ("FITC-A", "PE-A", "FoxP3 APC-A")
    assert panel.locate("CD127", names, ("CD127", "IL-7Ra PE", "")) == 0
    assert panel.locate("CD127", names, ("CD25", "IL-7Ra PE", "")) == 1
    # a channel without a label is known by its name
    assert panel.locate("FOXP3", names, ("CD25", "CD3", "")) == 2
    assert panel.locate("FOXP3", names, ("CD25", "CD3", "CD8")) is None
    with pytest.raises(PanelError, match=r"parameter 1 \('FITC-A'\) and parameter 2 \('PE-A'\) by \$PnS"):
        panel.locate("CD127", names, ("CD127 FITC", "IL-7Ra PE", ""))


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (name, path.stem)
        for name in packaged_strategies()
        for path in sorted(packaged_strategy(name).glob("panel-*.csv"))
        if path.stem != "panel-labels"
    ],
)
def test_every_layout_finds_its_markers_and_drops_only_what_it_calls_absent(
    name: str, layout: str, tmp_path: Path
) -> None:
    folder = packaged_strategy(name)
    panel = Panel.from_csv(folder / f"{layout}.csv")
    tree = read_strategy(folder, panel)
    channels = ["Time", "FSC-A", "FSC-H", "SSC-A", *(e.channel for e in panel.entries if e.channel != "absent")]
    matrix = (channels[4:], np.eye(len(channels) - 4))
    write_fcs(np.ones((20, len(channels))), tmp_path / "a.fcs", channels=channels, spillover=matrix)
    result = tree.apply(read_fcs(tmp_path / "a.fcs"), panel)
    absent = {entry.marker for entry in panel.entries if entry.channel == "absent"}
    reasons = {reason.rpartition("marker absent: ")[2] for reason in result.reasons if reason}
    assert reasons <= absent
    assert result.missing_markers == ()
    if layout != "panel-aurora":
        # the layouts drop nothing that is required; the spectral panel of the published files lacks CD45
        assert absent <= set(tree.optional)


@pytest.mark.parametrize("name", packaged_strategies())
def test_markers_are_found_by_labels_of_any_instrument(name: str, tmp_path: Path) -> None:
    folder = packaged_strategy(name)
    panel = Panel.from_csv(folder / "panel-labels.csv")
    with (folder / "panel.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["Time", "FSC-A", "FSC-H", "SSC-A", *(f"P{i}-A" for i, _ in enumerate(rows))]
    labels = ["", "", "", "", *(f"{row['marker']} {row['fluorochrome']}".replace(" bead", "") for row in rows)]
    assert [panel.locate(row["marker"], names, labels) for row in rows] == list(range(4, 4 + len(rows)))
