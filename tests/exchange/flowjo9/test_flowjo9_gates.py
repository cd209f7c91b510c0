"""What gates of FlowJo 9 hold, against arrays that are computed here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flowjo9_files import (
    BIEX,
    LOG_PAIRS,
    MATRIX,
    PARAMETERS,
    biex_values,
    combination,
    fcs,
    group,
    inside_polygon,
    make_events,
    matrix,
    on_biex,
    parameter,
    population,
    rectangle,
    sample,
    shape,
    span,
    table,
    write,
)
from numpy.typing import NDArray

from il2cyto.exchange import read_strategies
from il2cyto.exchange.flowjo9 import read_mac_workspace
from il2cyto.fcs import read_fcs
from il2cyto.gates import UnsupportedGate
from il2cyto.gating.result import GatingResult

RAW = make_events()
FSC, SSC, FITC_RAW, PE_RAW = (RAW[:, k] for k in range(4))
#: Two equations by hand: raw FITC = f + 0.05 p, raw PE = 0.2 f + p.
FITC = (FITC_RAW - 0.05 * PE_RAW) / (1 - 0.05 * 0.2)
PE = (PE_RAW - 0.2 * FITC_RAW) / (1 - 0.05 * 0.2)


def gated(folder: Path, tree: str, **rest: object) -> GatingResult:
    kept = {key: rest.pop(key) for key in ("tables", "matrices", "versions") if key in rest}
    path = write(folder, sample(tree, **rest), **kept)  # type: ignore[arg-type]
    fcs(folder, RAW)
    return read_strategies(path).for_file("a.fcs").apply(read_fcs(folder / "a.fcs"))


def member(result: GatingResult, path: str) -> NDArray[np.bool_]:
    return np.asarray(result.membership(path))


def test_rectangle_and_range_in_instrument_units(tmp_path: Path) -> None:
    inner = population("bright", span("<PE-A>", 1e3, 1e5))
    result = gated(tmp_path, population("cells", rectangle("FSC-A", "SSC-A", (2e4, 1e4), (2e5, 2e5)), inner))
    cells = (FSC >= 2e4) & (FSC < 2e5) & (SSC >= 1e4) & (SSC < 2e5)
    np.testing.assert_array_equal(member(result, "cells"), cells)
    np.testing.assert_array_equal(member(result, "cells/bright"), cells & (PE >= 1e3) & (PE < 1e5))


def test_a_range_that_was_drawn_upright(tmp_path: Path) -> None:
    gate = shape("Range", "<PE-A>", "", [(7.0, 1e3), (7.0, 1e5)])
    np.testing.assert_array_equal(member(gated(tmp_path, population("p", gate)), "p"), (PE >= 1e3) & (PE < 1e5))


def test_an_edge_at_the_lower_end_is_open(tmp_path: Path) -> None:
    """As CytoML extends gates there."""
    lowest = biex_values()[0]
    tree = population("dim", span("<PE-A>", lowest, 500.0)) + population("small", span("FSC-A", 0.0, 1e5))
    result = gated(tmp_path, tree)
    assert (lowest > PE).any()
    np.testing.assert_array_equal(member(result, "dim"), PE < 500.0)
    np.testing.assert_array_equal(member(result, "small"), FSC < 1e5)


def test_polygon_is_straight_on_the_biex_display(tmp_path: Path) -> None:
    corners = [(600, 500), (3600, 900), (3100, 3800), (1400, 2600)]
    values = biex_values()
    points = [(values[x], values[y]) for x, y in corners]
    result = gated(tmp_path, population("p", shape("Polygon", "<FITC-A>", "<PE-A>", points)))
    expected = inside_polygon(on_biex(FITC), on_biex(PE), [(float(x), float(y)) for x, y in corners])
    assert expected.sum() > 200
    np.testing.assert_array_equal(member(result, "p"), expected)


def test_polygon_on_linear_axes(tmp_path: Path) -> None:
    points = [(-500.0, 2e4), (2e5, 1e4), (2.2e5, 1.5e5), (-500.0, 2e5)]
    result = gated(tmp_path, population("p", shape("Polygon", "FSC-A", "SSC-A", points)))
    expected = inside_polygon(np.maximum(FSC, 0), np.maximum(SSC, 0), [(0.0 if x < 0 else x, y) for x, y in points])
    np.testing.assert_array_equal(member(result, "p"), expected)


def test_polygon_on_a_table_by_number(tmp_path: Path) -> None:
    """Uncompensated: the table stands by its number, here the logarithmic one of four decades."""
    points = [(1e4, 20.0), (2e5, 8.0), (2.2e5, 3000.0), (9e4, 7000.0)]
    result = gated(tmp_path, population("p", shape("Polygon", "FSC-A", "PE-A", points)), compensation="-2")
    log = np.log10(np.clip(PE_RAW, 1.0, None))
    expected = inside_polygon(np.maximum(FSC, 0), log, [(x, float(np.log10(y))) for x, y in points])
    assert expected.sum() > 200
    np.testing.assert_array_equal(member(result, "p"), expected)


def test_ellipse_from_the_ends_of_its_axes(tmp_path: Path) -> None:
    points = [(4e4, 1e5), (1e5, 6e4), (1.6e5, 1e5), (1e5, 1.4e5)]
    result = gated(tmp_path, population("e", shape("Ellipse", "FSC-A", "SSC-A", points)))
    expected = ((FSC - 1e5) / 6e4) ** 2 + ((SSC - 1e5) / 4e4) ** 2 <= 1
    np.testing.assert_array_equal(member(result, "e"), expected)
    channels = [(900, 2000), (2000, 1200), (3100, 2000), (2000, 2800)]
    values = biex_values()
    tilted = [(values[x], values[y]) for x, y in channels]
    result = gated(tmp_path, population("e", shape("Ellipse", "<FITC-A>", "<PE-A>", tilted)))
    expected = ((on_biex(FITC) - 2000) / 1100) ** 2 + ((on_biex(PE) - 2000) / 800) ** 2 <= 1
    assert expected.sum() > 100
    np.testing.assert_array_equal(member(result, "e"), expected)


@pytest.mark.parametrize(("attributes", "inside"), [({"negated": "1"}, False), ({"negated": "0"}, True),
                                                    ({"eventsInside": "0"}, False), ({}, True)])  # fmt: skip
def test_negated_gates(tmp_path: Path, attributes: dict[str, str], inside: bool) -> None:
    result = gated(tmp_path, population("p", rectangle("FSC-A", "SSC-A", (2e4, 1e4), (2e5, 2e5), **attributes)))
    expected = (FSC >= 2e4) & (FSC < 2e5) & (SSC >= 1e4) & (SSC < 2e5)
    np.testing.assert_array_equal(member(result, "p"), expected == inside)


A = (FSC >= 2e4) & (FSC < 1e5) & (SSC >= 1e4) & (SSC < 2e5)
B = (FSC >= 5e4) & (FSC < 2e5) & (SSC >= 2e4) & (SSC < 2.2e5)
AB = (
    population("A", rectangle("FSC-A", "SSC-A", (2e4, 1e4), (1e5, 2e5)))
    + population("B", rectangle("FSC-A", "SSC-A", (5e4, 2e4), (2e5, 2.2e5)))
)  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (combination("G0 & G1", "A", "B"), A & B),
        (combination("G0 | G1", "/A", "/B"), A | B),
        (combination("! G0", "A"), ~A),
        (combination("(G0 & !G1)", "A", "B"), A & ~B),
        (combination("G1 & ! G0", "A", "B", quoted=True), B & ~A),
        (combination("G0", "A", negated="1"), ~A),
    ],
)
def test_combinations(tmp_path: Path, gate: str, expected: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(member(gated(tmp_path, AB + population("c", gate)), "c"), expected)


def test_relative_paths_of_combinations(tmp_path: Path) -> None:
    """``/X`` stands beside the combination, ``//X`` one level higher."""
    deep = population("X", rectangle("FSC-A", "SSC-A", (6e4, 1e4), (9e4, 2e5)))
    near, far = population("near", combination("!G0", "/X")), population("far", combination("!G0", "//X"))
    tree = population("A", rectangle("FSC-A", "SSC-A", (2e4, 1e4), (1e5, 2e5)), deep, near, far)
    tree += population("X", rectangle("FSC-A", "SSC-A", (5e4, 2e4), (2e5, 2.2e5)))
    result = gated(tmp_path, tree)
    within = A & (FSC >= 6e4) & (FSC < 9e4) & (SSC >= 1e4) & (SSC < 2e5)
    np.testing.assert_array_equal(member(result, "A/near"), A & ~within)
    np.testing.assert_array_equal(member(result, "A/far"), A & ~B)


def test_matrix_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, sample(population("p", span("<PE-A>", 1e3, 1e5)), compensation="-1"))
    (made,) = read_strategies(path).for_file("a.fcs").populations
    assert made.gate.dimensions[0].compensation == "FCS"


def test_the_variant_of_version_3(tmp_path: Path) -> None:
    path = write(tmp_path, sample(population("p", span("<PE-A>", 1e3, 1e5), count=5)), groups=group("All", 1))
    head, _, tail = path.read_text(encoding="latin-1").partition("</Keywords>")
    for text, other in {
        "SampleList>": "Samples>",
        "<Population name=": "<Population nodeName=",
        '<GroupNode groupID="0" name=': "<GroupNode nodeName=",
        "<CompensationMatrix name=": "<CompensationMatrix matrixName=",
        "<ChannelValue name=": "<ChannelValue fluorName=",
        "<Channel name=": "<Channel fluorName=",
        'version="2.0"': 'version="3.0"',
    }.items():
        assert text in head + tail
        head, tail = head.replace(text, other), tail.replace(text, other)
    # the value of a keyword keeps its name
    path.write_text(f"{head}</Keywords>{tail.replace(' value=', ' spillValue=')}", encoding="latin-1")
    fcs(tmp_path, RAW)
    workspace = read_mac_workspace(path)
    assert workspace.groups == {"All": ("a.fcs",)}
    result = workspace.samples[0].strategy.apply(read_fcs(tmp_path / "a.fcs"))
    np.testing.assert_array_equal(member(result, "p"), (PE >= 1e3) & (PE < 1e5))


def test_channels_before_version_9(tmp_path: Path) -> None:
    """Coordinates on linear displays of 4096 channels are 64 units each; scatter cannot be told."""
    own = PARAMETERS.replace(parameter("FITC-A", True), parameter("FITC-A", high=4096)).replace(
        parameter("FSC-A"), parameter("FSC-A", high=4096)
    )
    tree = population("p", span("FITC-A", 100.0, 2000.0)) + population("s", span("FSC-A", 100.0, 2000.0))
    tree += population("u", span("FSC-A", 100.0, 20000.0))
    result = gated(tmp_path, tree, parameters=own, versions="8.5.3; 9.2")
    np.testing.assert_array_equal(member(result, "p"), (FITC_RAW >= 6400) & (FITC_RAW < 128000))
    np.testing.assert_array_equal(member(result, "u"), (FSC >= 100) & (FSC < 20000))
    rows = result.counts.set_index("population")
    assert "disagree on the units of 'FSC-A'" in rows.loc["s", "reason"]
    result = gated(tmp_path, tree, parameters=own, versions="; 9.2")
    np.testing.assert_array_equal(member(result, "p"), (FITC_RAW >= 100) & (FITC_RAW < 2000))


TWO = {"PE-A": {"FITC-A": 1.0}}
SQUARE = [(1e3, 1e3), (1e5, 1e3), (1e5, 1e5)]
WORDS = table("mine <FITC-A>", ([0], [1.0])).replace("0,1", "x,")
ODD = table("mine <FITC-A>", ([0, 2048, 4096], [-7.0, 3.0, 262144.0]))


@pytest.mark.parametrize(
    ("gate", "rest", "reason"),
    [
        (shape("Blob", "FSC-A", "SSC-A", SQUARE), {}, "no known shape (Blob)"),
        ("<PolygonGate/>", {}, "no known shape (empty)"),
        (rectangle("FSC-A", "SSC-A", (1e3, 1e3), (1e4, 1e4), adjustX="2"), {}, "magnetic"),
        (shape("PolyRect", "FSC-A", "SSC-A", SQUARE), {}, "four corners"),
        (shape("Polygon", "FSC-A", "SSC-A", SQUARE[:2]), {}, "three vertices"),
        (shape("Polygon", "FSC-A", "SSC-A", []), {}, "without vertices"),
        (shape("Range", "FSC-A", "", SQUARE), {}, "two ends"),
        (shape("Ellipse", "FSC-A", "SSC-A", SQUARE), {}, "four points"),
        (shape("Polygon", "FSC-A", "", SQUARE), {}, "names no parameter"),
        (shape("Polygon", "FSC-A", "SSC-A", SQUARE).replace("1000.0", "nan"), {}, "'nan' where a number should stand"),
        (shape("Polygon", "<FITC-A>", "SSC-A", SQUARE), {"tables": ODD}, "of no scale that is public"),
        (shape("Polygon", "<FITC-A>", "SSC-A", SQUARE), {"tables": WORDS},
         "something else than pairs"),
        (shape("Polygon", "<FITC-A>", "SSC-A", SQUARE), {"tables": ""}, "logarithmic and has no calibration table"),
        (shape("Polygon", "FITC-A", "SSC-A", SQUARE), {}, "'FITC-A' is logarithmic and has no calibration table"),
        (span("<PE-A>", 1.0, 2.0), {"compensation": "-2"}, "'<PE-A>' is no channel of the file"),
        (span("<PE-A>", 1.0, 2.0), {"matrices": matrix({"PE-A": {"PE-A": 100.0}})}, "a diagonal far from 1"),
        (span("<PE-A>", 1.0, 2.0), {"matrices": matrix(TWO)}, "rows and columns have other names"),
        (span("<PE-A>", 1.0, 2.0), {"matrices": matrix({})}, "is empty"),
        (combination("G0 & G0 | G0", "/p2"), {}, "both & and |"),
        (combination("G0 & (G0 & (G0))", "/p2"), {}, "no known form"),
        (combination("G7", "/p2"), {}, "no known form"),
        (combination("", "/p2"), {}, "no known form"),
        ("", {}, "0 gates of known kinds"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_estimable(tmp_path: Path, gate: str, rest: dict[str, object], reason: str) -> None:
    tree = population("p", gate, population("below", span("FSC-A", 1.0, 2.0))) + population(
        "p2", span("FSC-A", 1.0, 2.0)
    )
    result = gated(tmp_path, tree, **rest)
    rows = result.counts.set_index("population")
    assert reason in rows.loc["p", "reason"]
    assert list(rows.loc[["p", "p/below", "p2"], "status"]) == ["not_estimable", "not_estimable", "estimated"]


def test_ranges_need_no_scale(tmp_path: Path) -> None:
    result = gated(tmp_path, population("p", span("<FITC-A>", 1e3, 1e5)), tables="")
    np.testing.assert_array_equal(member(result, "p"), (FITC >= 1e3) & (FITC < 1e5))


def test_a_table_without_pairs_is_that_of_its_parameters(tmp_path: Path) -> None:
    path = write(tmp_path, sample(population("p", shape("Polygon", "<FITC-A>", "SSC-A", SQUARE))),
                 tables=table("mine <FITC-A>", None))  # fmt: skip
    assert not isinstance(read_mac_workspace(path).samples[0].strategy.populations[0].gate, UnsupportedGate)
    assert len(BIEX[0]) == len(LOG_PAIRS[0]) == 65


def test_samples_groups_and_names(tmp_path: Path) -> None:
    tree = population("CD4/CD8 é", span("FSC-A", 1.0, 2.0), count=3) + population(
        "CD4_CD8 é", span("FSC-A", 1.0, 2.0), count=""
    )
    path = write(
        tmp_path,
        sample(tree, name="A 1", number=4, keywords={"$FIL": "C:\\x\\a.fcs"}),
        '<Sample sampleID="9"/>',
        groups=group("All Samples", 4, 7) + group("empty"),
    )
    workspace = read_mac_workspace(path)
    (first,) = workspace.samples
    assert (workspace.program, workspace.version) == ("FlowJo", "9.2")
    assert workspace.groups == {"All Samples": ("A 1",), "empty": ()}
    assert len(workspace.notices) == 2
    assert first.files == ("A 1", "a.fcs")
    assert first.n_events == 8
    assert first.channels["PE-A"] == "CD3"
    assert first.counts == {"CD4_CD8 é": 3, "CD4_CD8 é (2)": None}
    assert "not compared with FlowJo 9" in first.strategy.notes[0]
    assert "renamed" in first.strategy.notes[1]
    assert read_strategies(path).for_file("a.fcs").content_hash == first.strategy.content_hash


def test_derived_parameters(tmp_path: Path) -> None:
    own = sample(population("p", span("Ratio", 1.0, 2.0))).replace(
        "<Keywords>", '<D><DerivedParameter name="Ratio"/></D><Keywords>'
    )
    (made,) = read_mac_workspace(write(tmp_path, own)).samples[0].strategy.populations
    assert isinstance(made.gate, UnsupportedGate)
    assert "derived parameter 'Ratio'" in made.gate.reason


def test_the_matrix_of_this_module() -> None:
    spill = np.array([[MATRIX[row][column] for column in MATRIX] for row in MATRIX])
    np.testing.assert_allclose(np.column_stack([FITC, PE]) @ spill, RAW[:, 2:4], atol=1e-6)
