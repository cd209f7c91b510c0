"""Gating-ML 2.0: the published truth, the rules of the text, and hostile files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from il2cyto.errors import GatingMLError, StrategyError
from il2cyto.exchange import read_gating, read_strategies
from il2cyto.fcs import read_fcs, write_fcs

HEAD = (
    '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">'
)
TAIL = "</gating:Gating-ML>"


def write(folder: Path, body: str, head: str = HEAD, before: str = "") -> Path:
    path = folder / "g.xml"
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>{before}{head}{body}{TAIL}', encoding="utf-8")
    return path


def gate(name: str = "g", channel: str = "A", low: str = "1", extra: str = "", more: str = "") -> str:
    return (
        f'<gating:RectangleGate gating:id="{name}" {extra}><gating:dimension gating:compensation-ref="uncompensated" '
        f'gating:min="{low}" {more}><data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension>'
        "</gating:RectangleGate>"
    )


@pytest.mark.reference
def test_every_truth_file_event_by_event(reference: Path) -> None:
    folder = reference / "gatingml2-set1" / "gate_ref"
    sample = read_fcs(folder / "data1.fcs")
    truth = {path.stem.removeprefix("Results_"): path for path in (folder / "truth").glob("Results_*.txt")}
    # one truth file is named after the combination and not after its gate
    names = {"ParRectangle1": {"gml_parent_quadrant_rect_gate": "ParQuadRect"}}
    checked: dict[str, int] = {}
    for path in sorted((folder / "gml").glob("*.xml")):
        strategy = read_gating(path)
        result = strategy.apply(sample)
        for population in strategy.populations:
            key = names.get(population.name, {}).get(path.stem, population.name)
            if key in truth:
                expected = np.loadtxt(truth[key], dtype=int)
                assert expected.size == sample.n_events == 13_367
                wrong = int((result.membership(population.name) != (expected == 1)).sum())
                checked[key] = checked.get(key, 0) + wrong
    assert set(checked) == set(truth)
    assert len(checked) == 51
    assert sum(checked.values()) == 0


def test_ratio_matrix_bounds_and_boolean(tmp_path: Path) -> None:
    body = (
        '<transforms:transformation transforms:id="R"><transforms:fratio transforms:A="2" transforms:B="1" '
        'transforms:C="0"><data-type:fcs-dimension data-type:name="A"/><data-type:fcs-dimension data-type:name="B"/>'
        "</transforms:fratio></transforms:transformation>"
        '<transforms:transformation transforms:id="L" transforms:boundMax="0.5"><transforms:flin transforms:T="100" '
        'transforms:A="0"/></transforms:transformation>'
        '<gating:RectangleGate gating:id="ratio"><gating:dimension gating:compensation-ref="uncompensated" '
        'gating:min="2" gating:max="4"><data-type:new-dimension data-type:transformation-ref="R"/></gating:dimension>'
        "</gating:RectangleGate>"
        + gate("top", "A", "0.5", more='gating:transformation-ref="L"')
        + '<gating:BooleanGate gating:id="b"><gating:and><gating:gateReference gating:ref="top"/><gating:gateReference '
        'gating:ref="ratio" gating:use-as-complement="true"/></gating:and></gating:BooleanGate>'
    )
    events = np.array([[5.0, 2.0], [5.0, 1.0], [90.0, 0.0], [50.0, 40.0]])
    write_fcs(events, tmp_path / "a.fcs", channels=["A", "B"])
    result = read_gating(write(tmp_path, body)).apply(read_fcs(tmp_path / "a.fcs"))
    # 2 (5 - 1) / 2 = 4 is outside [2, 4); 8; infinite; 2.45 is inside
    assert result.membership("ratio").tolist() == [False, False, False, True]
    # values above 50 are bounded to 0.5, which is still at least 0.5
    assert result.membership("top").tolist() == [False, False, True, True]
    assert result.membership("b").tolist() == [False, False, True, False]


def test_inverted_matrix_is_the_same_compensation(tmp_path: Path) -> None:
    spill = np.array([[1.0, 0.2], [0.05, 1.0]])

    def document(values: np.ndarray, inverted: str) -> str:
        names = "".join(f'<data-type:fcs-dimension data-type:name="{name}"/>' for name in "AB")
        rows = "".join(
            "<transforms:spectrum>"
            + "".join(f'<transforms:coefficient transforms:value="{float(v)!r}"/>' for v in row)
            + "</transforms:spectrum>"
            for row in values
        )
        return (
            f'<transforms:spectrumMatrix transforms:id="M" {inverted}><transforms:fluorochromes>{names}'
            f"</transforms:fluorochromes><transforms:detectors>{names}</transforms:detectors>{rows}"
            "</transforms:spectrumMatrix>" + gate("g", "A", "10").replace("uncompensated", "M")
        )

    rng = np.random.default_rng(0)
    write_fcs(rng.normal(10, 5, (500, 2)) @ spill, tmp_path / "a.fcs", channels=["A", "B"])
    sample = read_fcs(tmp_path / "a.fcs")
    plain = read_gating(write(tmp_path, document(spill, ""))).apply(sample).membership("g")
    inverse = document(np.linalg.inv(spill), 'transforms:matrix-inverted-already="true"')
    assert np.array_equal(read_gating(write(tmp_path, inverse)).apply(sample).membership("g"), plain)
    assert 150 < plain.sum() < 350


BOMB = (
    '<!DOCTYPE b [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    ("body", "before", "message"),
    [
        (gate("&c;"), BOMB, "declares a document type|Entity"),
        (gate(), '<!DOCTYPE b SYSTEM "file:///etc/passwd">', "declares a document type"),
        ("<a>" * 400 + "</a>" * 400, "", "not well-formed"),
        ("<a>", "", "not well-formed"),
        (gate("g", extra='gating:parent_id="h"'), "", "line 1: gate 'g' refers to 'h', which is not defined"),
        (gate("g", extra='gating:parent_id="h"') + gate("h", extra='gating:parent_id="g"'), "", "circle"),
        (gate("g", more='gating:transformation-ref="T"'), "", "transformation 'T' is not defined"),
        (gate("g", low="wide"), "", "min = 'wide': wants a finite number"),
        (gate() + gate(), "", "'g' is defined twice"),
        (gate().replace("uncompensated", "M"), "", "'M' is no matrix"),
        ('<gating:PolygonGate gating:id="p"/>', "", "gate 'p': a polygon gate wants two dimensions"),
    ],
)
def test_one_clear_error(tmp_path: Path, body: str, before: str, message: str) -> None:
    with pytest.raises(GatingMLError, match=message) as caught:
        read_gating(write(tmp_path, body, before=before))
    assert str(caught.value).startswith("g.xml")


def test_other_xml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "h.xml").write_text("<html/>")
    with pytest.raises(GatingMLError, match="the root is 'html'"):
        read_gating(tmp_path / "h.xml")


@pytest.mark.reference
def test_workspace_with_a_tree_per_file(reference: Path) -> None:
    found = read_strategies(reference / "infants-by-visit" / "workspace.xml")
    assert len(found.by_file) == 17
    tree = found.for_file("CellCounts5L_AB_01-INF041-04_01.fcs")
    assert tree is found.default
    assert tree.paths == (
        "SingletsFSC",
        "SingletsFSC/Debris",
        "SingletsFSC/Cells",
        "SingletsFSC/Cells/CD45+",
        "SingletsFSC/Cells/CD45+/CD19+",
    )
    with pytest.raises(StrategyError, match="17 trees, one per file"):
        read_gating(reference / "infants-by-visit" / "workspace.xml")
