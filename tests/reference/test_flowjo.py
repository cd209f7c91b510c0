"""FlowJo's own counts, population by population, and an expert's labels event by event."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from il2cyto.exchange import read_strategies
from il2cyto.exchange.flowjo import read_workspace
from il2cyto.exchange.flowjo.convert import convert_workspace
from il2cyto.exchange.flowjo.recount import Recount, recount
from il2cyto.fcs import read_fcs
from il2cyto.fcs.folder import fcs_files

pytestmark = pytest.mark.reference

EXPLANATIONS = Path(__file__).with_name("flowjo_explanations.csv")
#: Folder of the FCS files of each workspace, from the workspace's own.
FILES = {"07-Oct-2021.wsp": ".."}
BINNINGS = ("flowjo", "exact")


@dataclass(frozen=True)
class Row:
    """One row of ``flowjo_counts.csv`` beside our counts."""

    workspace: str
    sample: str
    population: str
    stored: int
    found: dict[str, Recount | None]

    def explanation(self, binning: str) -> str:
        for entry in csv.DictReader(EXPLANATIONS.read_text().splitlines()):
            if (
                entry["workspace"] == self.workspace
                and entry["population"] in ("*", self.population)
                and entry["binning"] in ("*", binning)
            ):
                return entry["explanation"]
        return ""


@cache
def table(reference: Path) -> tuple[Row, ...]:
    """Every stored count with ours: populations of a sample are in the same order in the list and in the tree."""
    with (reference / "flowjo_counts.csv").open(newline="") as stream:
        listed = list(csv.DictReader(stream))
    counted: dict[tuple[str, str, str], list[Recount]] = {}
    for name in {entry["workspace"] for entry in listed}:
        path = reference / name
        for binning in BINNINGS:
            workspace = read_workspace(path, binning=binning)  # type: ignore[arg-type]
            files = [f for f in fcs_files([path.parent / FILES.get(path.name, ".")]) if f.name in workspace.by_file()]
            for row in recount(workspace, files):
                counted.setdefault((name, row.sample, binning), []).append(row)
    rows = []
    position: dict[tuple[str, str], int] = {}
    for entry in listed:
        key = (entry["workspace"], entry["sample"])
        at = position[key] = position.get(key, -1) + 1
        found = {binning: counted.get((*key, binning)) for binning in BINNINGS}
        for counts in found.values():
            assert counts is None or counts[at].population.rpartition("/")[2] == entry["population"]
        rows.append(
            Row(
                *key,
                entry["population"],
                int(entry["count"]),
                {binning: counts[at] if counts else None for binning, counts in found.items()},
            )
        )
    return tuple(rows)


def compared(reference: Path) -> list[Row]:
    return [row for row in table(reference) if row.stored >= 0 and row.found["flowjo"] is not None]


def test_every_stored_count_is_ours_with_flowjo_binning(reference: Path) -> None:
    rows = compared(reference)
    assert len(rows) == 199
    verdicts = [row.found["flowjo"].verdict for row in rows]  # type: ignore[union-attr]
    # the acceptance is 95 %, and the rest within tolerance; every one is exact
    assert verdicts == ["same"] * 199
    assert {row.workspace for row in rows} == {row.workspace for row in table(reference)} - {
        "gatingml2-set1/8_color_ICS.wsp",
        "gatingml2-set1/simple_line_example/simple_poly_and_rect.wsp",
    }


def test_counts_on_the_values_stay_within_tolerance(reference: Path) -> None:
    rows = compared(reference)
    exact = [row for row in rows if row.found["exact"].verdict == "same"]  # type: ignore[union-attr]
    beyond = [row for row in rows if row.found["exact"].verdict == "differs"]  # type: ignore[union-attr]
    assert [(row.population, row.stored, row.found["exact"].count) for row in beyond] == [("poly1", 0, 50)]  # type: ignore[union-attr]
    many = [row for row in exact if row.workspace.startswith("flowjo-48-samples")]
    assert len(many) == 114
    # rectangles and quadrants alone need no binning at all
    assert sum(row.workspace.startswith("flowjo-aurora") for row in exact) == 30
    assert sum("diamond" in row.workspace for row in exact) == 7


def test_every_exception_is_explained_in_the_table(reference: Path, tmp_path: Path) -> None:
    """Writes ``flowjo_counts.csv`` with both of our counts and a reason wherever one is not FlowJo's."""
    lines = []
    for row in table(reference):
        cells = [row.workspace, row.sample, row.population, str(row.stored)]
        for binning in BINNINGS:
            found = row.found[binning]
            cells.append("" if found is None or found.count is None else str(found.count))
        differs = [b for b in BINNINGS if (found := row.found[b]) is None or found.count != row.stored]
        reasons = dict.fromkeys(row.explanation(binning) for binning in differs)
        assert "" not in reasons, cells
        cells.append(" ".join(reasons))
        lines.append(cells)
    with (tmp_path / "flowjo_counts.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["workspace", "sample", "population", "flowjo", "ours_flowjo", "ours_exact", "explanation"])
        out.writerows(lines)
    assert len(lines) == len(table(reference)) == 243
    assert sum(bool(cells[-1]) for cells in lines) == 42 + 2 + 1 + 30 + 9


def test_labels_of_every_spleen_cell(reference: Path) -> None:
    folder = reference / "flowjo-spleen"
    labels = np.array([line.strip().strip('"') for line in (folder / "gatingResult.csv").read_text().splitlines()])
    sample = read_fcs(folder / "68983.fcs")
    agree = {}
    for binning in BINNINGS:
        strategy = read_workspace(folder / "gating.wsp", binning=binning).for_file("68983.fcs").strategy  # type: ignore[arg-type]
        result = strategy.apply(sample)
        ours = np.full(sample.n_events, "Unlabeled", dtype=labels.dtype)
        for path in strategy.paths:
            name = path.rpartition("/")[2]
            if name in set(labels):
                assert (ours[result.membership(path)] == "Unlabeled").all()
                ours[result.membership(path)] = name
        assert labels.size == sample.n_events == 19_225
        agree[binning] = float((ours == labels).mean())
    assert agree["flowjo"] >= 0.995
    assert agree["exact"] >= 0.995


@pytest.mark.parametrize("binning", BINNINGS)
def test_a_converted_folder_counts_like_the_workspace(reference: Path, tmp_path: Path, binning: str) -> None:
    for name, file in (
        ("flowjo-spleen/gating.wsp", "68983.fcs"),
        ("gatingml2-set1/simple_line_example/single_ellipse_51_events.wsp", "data_set_simple_line_100.fcs"),
        ("flowjo-aurora-30-subjects/CytoML.wsp", "2025_08_05_AB_05_NY068_05_SEB.fcs"),
    ):
        path = reference / name
        workspace = read_workspace(path, binning=binning)  # type: ignore[arg-type]
        folder = tmp_path / path.stem
        convert_workspace(workspace, folder)
        sample = read_fcs(path.parent / file)
        columns = ["population", "count"]
        converted = read_strategies(folder).for_file(file).apply(sample).counts[columns]
        assert converted.equals(workspace.for_file(file).strategy.apply(sample).counts[columns])


def test_workspace_without_its_files_is_read_whole(reference: Path) -> None:
    workspace = read_workspace(reference / "gatingml2-set1" / "8_color_ICS.wsp", binning="flowjo")
    assert len(workspace.samples) == 3
    assert list(workspace.groups) == ["All Samples", "Beads", "Compensation", "DEN", "GEN", "G69", "Lyo Cells"]
    for sample in workspace.samples:
        assert len(sample.strategy.populations) == 14
        assert sample.strategy.matrices["Acquisition-defined"].values.shape == (8, 8)
        assert sample.groups == ("All Samples", "DEN")
    counts = [row.stored for row in table(reference) if row.workspace.endswith("8_color_ICS.wsp")]
    assert [count for sample in workspace.samples for count in sample.counts.values()] == counts
