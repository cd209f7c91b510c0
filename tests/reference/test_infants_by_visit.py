"""A real study by subject and visit, run from the command line, against numbers computed without il2cyto."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from math import exp, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.visits import read_visits

pytestmark = pytest.mark.reference

STUDY = Path(__file__).parents[2] / "studies" / "infants-by-visit" / "study.yaml"
POPULATIONS = (
    "SingletsFSC",
    "SingletsFSC/Debris",
    "SingletsFSC/Cells",
    "SingletsFSC/Cells/CD45+",
    "SingletsFSC/Cells/CD45+/CD19+",
)
#: Tube, end of the file's name, $VOL in µL, events in each population. Verified with FlowKit's gates, see below.
TUBES = {
    "INF041-CORD": ("INF041-Cord", 30.65, (6536, 2479, 3997, 2395, 247)),
    "INF041-M4-1": ("INF041-04_01", 30.39, (12555, 8595, 3896, 2821, 888)),
    "INF041-M4-2": ("INF041-04_02", 30.23, (12440, 8671, 3527, 2721, 834)),
    "INF041-M9-1": ("INF041-09_01", 30.35, (2703, 1028, 1621, 1338, 515)),
    "INF041-M9-2": ("INF041-09_02", 30.29, (2720, 1136, 1554, 1316, 418)),
    "INF105-M4-1": ("INF105-04_01", 30.48, (5555, 2293, 3220, 3008, 1222)),
    "INF105-M4-2": ("INF105-04_02", 30.56, (6744, 2915, 3781, 3509, 1350)),
    "INF105-M9-1": ("INF105-09_01", 30.52, (2389, 902, 1445, 1361, 448)),
    "INF105-M9-2": ("INF105-09_02", 30.41, (2996, 1166, 1773, 1679, 532)),
    "ND006": ("ND006-01", 30.33, (2980, 317, 2630, 2587, 387)),
    "ND050": ("ND050-01", 30.59, (2299, 362, 1917, 1879, 141)),
    "NY068": ("NY068-01", 30.67, (5598, 1035, 4530, 4413, 269)),
}
#: Groups of rows of counts.csv, in order: two tubes at month 4 are summed, two at month 9 stand apart.
GROUPS = {
    ("INF041", "CORD"): ["INF041-CORD"],
    ("INF041", "M4"): ["INF041-M4-1+INF041-M4-2"],
    ("INF041", "M9"): ["INF041-M9-1", "INF041-M9-2"],
    ("INF105", "M4"): ["INF105-M4-1+INF105-M4-2"],
    ("INF105", "M9"): ["INF105-M9-1", "INF105-M9-2"],
    ("ND006", "ADULT"): ["ND006"],
    ("ND050", "ADULT"): ["ND050"],
    ("NY068", "ADULT"): ["NY068"],
}
#: The group that stands for the visit: apart:first for INF041, apart:latest for INF105.
CHOSEN = {key: ids[0] for key, ids in GROUPS.items()} | {("INF105", "M9"): "INF105-M9-2"}


@dataclass(frozen=True)
class Run:
    folder: Path
    code: int
    screen: str

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / name)


@pytest.fixture(scope="module")
def run(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("infants") / "out"
    command = ["run", str(STUDY), "--data-root", str(reference / "infants-by-visit"), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-W", "always", "-m", "il2cyto", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    return Run(out, done.returncode, done.stdout + done.stderr)


def cells_and_volume(tube_id: str) -> tuple[np.ndarray, float]:
    """Events of every population and µL, summed over the tubes of a group."""
    tubes = [TUBES[name] for name in tube_id.split("+")]
    return np.sum([counts for _, _, counts in tubes], axis=0), sum(volume for _, volume, _ in tubes)


def test_it_ends_well_and_says_little(run: Run) -> None:
    assert run.code == 0, run.screen
    assert "12 of 12 tubes gated; 0 failures, 3 notices" in run.screen
    assert "warning" not in run.screen.lower()


def test_every_count_of_every_tube(run: Run) -> None:
    for tube_id, (_, _, counts) in TUBES.items():
        result = json.loads((run.folder / "tubes" / tube_id / "result.json").read_text(encoding="utf-8"))
        found = {row["population"]: row["count"] for row in result["counts"]}
        assert found == dict(zip(POPULATIONS, counts, strict=True)), tube_id


def test_counts_are_summed_or_stand_apart(run: Run) -> None:
    counts = run.table("counts.csv")
    assert len(counts) == 50
    for key, ids in GROUPS.items():
        rows = counts[(counts["subject"] == key[0]) & (counts["visit"] == key[1])]
        assert rows["tube_id"].drop_duplicates().tolist() == ids
        for tube_id in ids:
            cells, volume = cells_and_volume(tube_id)
            group = rows[rows["tube_id"] == tube_id].set_index("population").loc[list(POPULATIONS)]
            assert set(group["n_tubes"]) == {1 + tube_id.count("+")}
            np.testing.assert_array_equal(group["count"], cells)
            np.testing.assert_allclose(group["cells_per_ul"], cells / volume, rtol=1e-12)
            np.testing.assert_allclose(group["percent_parent"].iloc[1:], 100 * cells[1:] / cells[[0, 0, 2, 3]])
    assert counts["collection_date"].isna().all()
    assert counts[["ady", "days_since_dose"]].isna().all().all()
    assert set(counts["status"]) == {"estimated"}


def test_some_numbers_by_hand(run: Run) -> None:
    counts = run.table("counts.csv").set_index(["tube_id", "name"])
    # 2395 events in 30.65 µL; the limits are a factor exp(1.96 √(1/2395 + 0.03²)) away
    cord = counts.loc[("INF041-CORD", "CD45+")]
    spread = sqrt(1 / 2395 + 0.03**2)
    assert cord["cells_per_ul"] == pytest.approx(78.1403, abs=5e-5)
    assert cord["cv"] == pytest.approx(spread)
    assert cord["lower"] == pytest.approx(cord["cells_per_ul"] * exp(-1.959964 * spread), rel=1e-6)
    assert cord["upper"] == pytest.approx(cord["cells_per_ul"] * exp(1.959964 * spread), rel=1e-6)
    # 1722 events in 60.62 µL
    assert counts.loc[("INF041-M4-1+INF041-M4-2", "CD19+"), "cells_per_ul"] == pytest.approx(28.4065, abs=5e-5)
    # the share of CD19+ in CD45+, the first ancestor that the study names
    b_cells = counts.loc[("NY068", "CD19+")]
    assert b_cells["percent_of"] == "SingletsFSC/Cells/CD45+"
    assert b_cells["percent_ancestor"] == pytest.approx(100 * 269 / 4413)


def test_the_visits_have_the_present_rows_and_list_the_missing_one(run: Run) -> None:
    visits = read_visits(run.folder / "visits.h5ad")
    assert visits.obs_names.tolist() == [f"{subject}|{visit}" for subject, visit in GROUPS]
    names = visits.var["population"].tolist()
    assert sorted(names) == sorted(POPULATIONS)
    for (subject, visit), tube_id in CHOSEN.items():
        cells, volume = cells_and_volume(tube_id)
        row = visits[f"{subject}|{visit}"]
        order = [names.index(name) for name in POPULATIONS]
        np.testing.assert_array_equal(np.asarray(row.layers["count"])[0, order], cells)
        np.testing.assert_allclose(np.asarray(row.X)[0, order], cells / volume, rtol=1e-12)
    assert visits.uns["il2cyto"]["missing_visits"].tolist() == ["INF105|CORD"]
    assert visits.obs["collection_date"].tolist() == [""] * 8
    np.testing.assert_array_equal(visits.obs["AGE"], [0, 0.33, 0.75, 0.33, 0.75, np.nan, np.nan, np.nan])
    assert visits.obs["ADY"].isna().all()
    missing = run.table("missing_visits.csv")
    assert missing.to_numpy().tolist() == [["INF105", "INFANT", "CORD"]]


def test_the_report_names_the_missing_visit(run: Run) -> None:
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    listed = page.partition("<h3>Visits without any tube</h3>")[2].partition("</table>")[0]
    assert listed.count("<tr>") == 2  # the header and one visit
    assert "<td>Cord blood</td>" in listed
    assert "INF105" in listed


def test_entries_without_a_file_are_notices(run: Run) -> None:
    failures = run.table("failures.csv")
    assert set(failures["severity"]) == {"notice"}
    lost = failures.loc[failures["kind"] == "no file", "message"]
    assert lost.tolist() == [
        "the workspace of tube type COUNTS has gates for 6 files that no row of the sample sheet names; "
        "paths.csv lists them"
    ]
    names = ["INF105-Cord", *(f"INF187-{end}" for end in ("04_01", "04_02", "09_01", "09_02", "Cord"))]
    paths = run.table("paths.csv")
    listed = paths[paths["what"] == "gates without a tube"]
    assert listed["path"].tolist() == [f"CellCounts5L_AB_01-{name}.fcs" for name in names]
    assert listed["messages"].str.startswith("workspace.xml: has gates for this file").all()
    sheet = failures.loc[failures["kind"] == "sheet", "message"].tolist()
    assert "unknown in 12 of 12 rows: no study day, no time since a dose; the age is unknown in 3 of 12" in sheet[0]
    assert "are those of the order of rows (lines 5, 6; 9, 10)" in sheet[1]
    assert len(failures) == 3


def test_nothing_is_modelled_and_the_reason_is_given(run: Run) -> None:
    model = run.table("model.csv")
    assert set(model["status"]) == {"not_estimable"}
    assert model["ratio_to_baseline"].isna().all()
    infants = model[(model["arm"] == "INFANT") & model["visit"].isin(["M4", "M9"])]
    assert len(infants) == 2 * len(POPULATIONS)
    assert (
        infants["reason"].str.startswith("INFANT: 1 subject has values above 0 at CORD and later; 3 are needed").all()
    )
    assert model["reason"].notna().all()


# ------------------------------------------------------------------------- the same counts with FlowKit's gates

GATING = "{http://www.isac-net.org/std/Gating-ML/v2.0/gating}"
DATA = "{http://www.isac-net.org/std/Gating-ML/v2.0/datatypes}"
FLOREADA = "{https://floreada.io/gatingml}"
#: The one transform that gates of the workspace name: flin with T = 4194304, A = 0.
LINEAR = "linear_4194304_0"


def trees(root: ET.Element) -> dict[str, list[tuple[str, str]]]:
    """Path and gate id of every population by file name, and of the default group by an empty name."""

    def walk(node: ET.Element, tag: str, above: str) -> list[tuple[str, str]]:
        found = []
        for child in node.findall(FLOREADA + tag):
            path = f"{above}{child.get('name', child.get(GATING + 'name'))}"
            found += [(path, str(child.get("id", child.get(GATING + "id")))), *walk(child, tag, f"{path}/")]
        return found

    files = {str(node.get("name")): walk(node, "gate", "") for node in root.iter(FLOREADA + "fcsfile")}
    (group,) = root.iter(FLOREADA + "pipegroup")
    return {**{name: tree for name, tree in files.items() if tree}, "": walk(group, "pipegate", "")}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_flowkits_gates_give_the_same_counts(reference: Path) -> None:
    flowkit = pytest.importorskip("flowkit", reason="FlowKit is not installed in this environment")
    flowio = pytest.importorskip("flowio")
    root = ET.parse(reference / "infants-by-visit" / "workspace.xml").getroot()
    elements = {str(node.get(GATING + "id")): node for node in root if node.get(GATING + "id")}

    def gate(gate_id: str, events: pd.DataFrame) -> np.ndarray:
        node = elements[gate_id]
        dimensions, columns = [], {}
        for place, entry in enumerate(node.findall(GATING + "dimension")):
            (channel,) = entry.findall(DATA + "fcs-dimension")
            transform = entry.get(GATING + "transformation-ref")
            assert entry.get(GATING + "compensation-ref") == "uncompensated"
            assert transform in (None, LINEAR)
            low, high = entry.get(GATING + "min"), entry.get(GATING + "max")
            values = events[str(channel.get(DATA + "name"))]
            columns[f"d{place}"] = values / 4194304 if transform else values
            dimensions.append(
                flowkit.Dimension(
                    f"d{place}",
                    range_min=None if low is None else float(low),
                    range_max=None if high is None else float(high),
                )
            )
        frame = pd.DataFrame(columns)
        if node.tag == GATING + "RectangleGate":
            return np.asarray(flowkit.gates.RectangleGate(gate_id, dimensions).apply(frame))
        vertices = [
            [float(str(point.get(DATA + "value"))) for point in vertex.findall(GATING + "coordinate")]
            for vertex in node.findall(GATING + "vertex")
        ]
        return np.asarray(flowkit.gates.PolygonGate(gate_id, dimensions, vertices).apply(frame))

    by_file = trees(root)
    for tube_id, (end, volume, expected) in TUBES.items():
        name = f"CellCounts5L_AB_01-{end}.fcs"
        data = flowio.FlowData(str(reference / "infants-by-visit" / name))
        assert float(data.text["vol"]) == volume
        events = pd.DataFrame(data.as_array(), columns=data.pnn_labels)
        members: dict[str, np.ndarray] = {"": np.ones(len(events), dtype=bool)}
        for path, gate_id in by_file.get(name, by_file[""]):
            members[path] = members[path.rpartition("/")[0]] & gate(gate_id, events)
        assert [int(members[path].sum()) for path in POPULATIONS] == list(expected), tube_id
    # the file without a tree of its own is one of them
    assert [tube_id for tube_id, (end, *_) in TUBES.items() if f"CellCounts5L_AB_01-{end}.fcs" not in by_file] == [
        "INF041-M4-1"
    ]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_flowkit_refuses_the_workspace(reference: Path) -> None:
    flowkit = pytest.importorskip("flowkit", reason="FlowKit is not installed in this environment")
    with pytest.raises(ValueError, match=r"neither GatingML 2\.0 compliant nor a FlowJo workspace"):
        flowkit.parse_gating_xml(str(reference / "infants-by-visit" / "workspace.xml"))
