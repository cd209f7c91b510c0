"""What gates of FACSDiva hold, against arrays that are computed here."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from diva_files import (
    ALL,
    CHANNELS,
    COLOURS,
    LINEAR,
    LOG,
    SCATTER,
    SETTINGS,
    TIME,
    WEIGHTS,
    biex,
    channels_of,
    display_value,
    events,
    fcs,
    gate,
    inside_polygon,
    interval,
    make_events,
    parameter,
    polygon,
    rectangle,
    region,
    settings,
    sheet,
    specimen,
    tube,
    write,
)
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from numpy.typing import NDArray

from il2cyto.errors import StrategyError
from il2cyto.exchange import read_gating, read_strategies
from il2cyto.exchange.diva import read_experiment
from il2cyto.fcs import read_fcs
from il2cyto.gates import PolygonGate, RectangleGate, UnsupportedGate
from il2cyto.gating.result import GatingResult

RAW = make_events()
FSC, WIDTH, SSC = RAW[:, 0], RAW[:, 1], RAW[:, 2]
#: Compensated FITC, PE and APC: each is its column of weights.
FITC, PE, APC = (RAW[:, 3:6] @ WEIGHTS).T


def gated(folder: Path, gates: str, **rest: object) -> GatingResult:
    path = write(folder, specimen(tube(events() + gates)), **rest)  # type: ignore[arg-type]
    fcs(folder, RAW)
    return read_strategies(path).for_file("a.fcs").apply(read_fcs(folder / "a.fcs"))


def member(result: GatingResult, path: str) -> NDArray[np.bool_]:
    return np.asarray(result.membership(path))


def test_linear_rectangle_and_polygon(tmp_path: Path) -> None:
    points = [(1e4, 2e4), (2e5, 1e4), (2.2e5, 1.5e5), (9e4, 2.4e5)]
    gates = rectangle("P1", "FSC-A", "SSC-A", (2e4, 1e4), (2e5, 2e5)) + polygon("P1\\P2", "FSC-A", "SSC-A", points)
    result = gated(tmp_path, gates)
    p1 = (FSC >= 2e4) & (FSC < 2e5) & (SSC >= 1e4) & (SSC < 2e5)
    p2 = p1 & inside_polygon(FSC, SSC, points)
    assert 100 < p2.sum() < p1.sum() < len(RAW)
    np.testing.assert_array_equal(member(result, "P1"), p1)
    np.testing.assert_array_equal(member(result, "P1/P2"), p2)


def test_events_beyond_a_linear_display_belong_to_its_edge(tmp_path: Path) -> None:
    result = gated(tmp_path, rectangle("low", "FSC-A", "SSC-A", (0.0, 0.0), (262143.0, 1e5)))
    expected = SSC < 1e5
    assert (FSC < 0).any()
    assert (FSC > 262143).any()
    assert (SSC < 0).any()
    np.testing.assert_array_equal(member(result, "low"), expected)


def test_biexponential_rectangle_in_channels(tmp_path: Path) -> None:
    """Edges are where the published logicle has these channels, on compensated values."""
    gates = rectangle("P", "FITC-A", "PE-A", (900.5, 1200.25), (3100.0, 3500.0), on=(biex(162), biex(358)))
    result = gated(tmp_path, gates)
    x0, x1 = display_value(900.5, 162), display_value(3100.0, 162)
    y0, y1 = display_value(1200.25, 358), display_value(3500.0, 358)
    expected = (x0 <= FITC) & (x1 > FITC) & (y0 <= PE) & (y1 > PE)
    assert expected.sum() > 50
    np.testing.assert_array_equal(member(result, "P"), expected)


def test_biexponential_polygon_is_straight_on_the_display(tmp_path: Path) -> None:
    points = [(500.0, 400.0), (3600.0, 900.0), (3000.0, 3800.0), (1200.0, 2500.0)]
    result = gated(tmp_path, polygon("P", "FITC-A", "APC-A", points, on=(biex(162), biex(0))))
    x = channels_of(FITC, 162)
    y = channels_of(APC, 0)
    expected = inside_polygon(x, y, points)
    assert expected.sum() > 300
    np.testing.assert_array_equal(member(result, "P"), expected)


def test_width_follows_the_scale_value(tmp_path: Path) -> None:
    path = write(tmp_path, specimen(tube(events() + interval("P", "PE-A", 100.0, 2000.0, biex(162)))))
    (scale,) = read_strategies(path).for_file("a.fcs").transforms.values()
    content = scale.to_dict()
    assert content["W"] == pytest.approx((4.5 - math.log10(262144 / 162)) / 2, abs=1e-12)
    assert (content["T"], content["M"], content["A"]) == (262144.0, 4.5, 0.0)


def test_quadrants_add_up_to_their_parent(tmp_path: Path) -> None:
    """As the counts of the public example do: its quadrants end at channels 0 and 4095, its events do not."""
    x, y = 1642.7616279069769, 2112.707006369427
    on = (biex(162), biex(358))
    hinge = region("$1413", "BINNER_REGION", "FITC-A", "PE-A", [(x, y)] * 3, on=on, kind="Composite_Classifier",
                   more="".join(f"<bin>{ALL}\\Q{k}</bin>" for k in (1, 2, 3, 4)))  # fmt: skip
    ends = {"Q1": (0.0, 4095.0), "Q2": (4095.0, 4095.0), "Q3": (0.0, 0.0), "Q4": (4095.0, 0.0)}
    quadrants = "".join(
        polygon(name, "FITC-A", "PE-A", [(x, y), (x, b), (a, b), (a, y)], on=on, inputs=[f"{ALL}\\$1413"])
        for name, (a, b) in ends.items()
    )
    result = gated(tmp_path, hinge + quadrants)
    right, above = display_value(x, 162) <= FITC, display_value(y, 358) <= PE
    expected = {"Q1": ~right & above, "Q2": right & above, "Q3": ~right & ~above, "Q4": right & ~above}
    assert (FITC > 262144).any()
    assert display_value(0.0, 162) > FITC.min()
    for name, members in expected.items():
        np.testing.assert_array_equal(member(result, name), members)
    assert sum(int(member(result, name).sum()) for name in expected) == len(RAW)
    assert set(result.counts["population"]) == set(expected)


@settings_of_hypothesis(max_examples=25, deadline=None)
@given(
    scale=st.integers(0, 262144),
    x=st.floats(0, 4095),
    y=st.floats(0, 4095),
)
def test_quadrants_divide_whatever_is_there(
    tmp_path_factory: pytest.TempPathFactory, scale: int, x: float, y: float
) -> None:
    """Any hinge on any scale: every event is in exactly one quadrant, those beyond the display too."""
    on = (biex(scale), LOG)
    y = 0.4 + y / 4095 * 5.0
    ends = [(0.0, 5.5), (4095.0, 5.5), (0.0, 0.0), (4095.0, 0.0)]
    quadrants = "".join(
        polygon(f"Q{k}", "FITC-A", "PE-A", [(x, y), (x, b), (a, b), (a, y)], on=on) for k, (a, b) in enumerate(ends)
    )
    folder = tmp_path_factory.mktemp("quadrants")
    result = gated(folder, quadrants)
    inside = np.sum([member(result, f"Q{k}") for k in range(4)], axis=0)
    assert (inside == 1).all()


@pytest.mark.parametrize(("decades", "bottom"), [(4, 26.2144), (5, 2.62144)])
def test_logarithmic_interval_in_decades(tmp_path: Path, decades: int, bottom: float) -> None:
    gates = interval("mid", "PE-A", 2.9899667518479482, 5.144728579549563, LOG)
    gates += interval("low", "PE-A", math.log10(bottom), 3.0, LOG)
    gates += interval("high", "PE-A", 4.0, math.log10(262143.0), LOG)
    result = gated(tmp_path, gates, decades=decades)
    np.testing.assert_array_equal(member(result, "mid"), (PE >= 10**2.9899667518479482) & (PE < 10**5.144728579549563))
    np.testing.assert_array_equal(member(result, "low"), PE < 1e3)  # what lies below the axis too
    np.testing.assert_array_equal(member(result, "high"), PE >= 1e4)  # and above it


def test_polygon_on_mixed_scales(tmp_path: Path) -> None:
    points = [(2e4, 3000.0), (2.3e5, 3300.0), (2e5, 500.0), (4e4, 300.0)]
    result = gated(tmp_path, polygon("P", "FSC-A", "PE-A", points, on=(LINEAR, biex(358))))
    y = channels_of(PE, 358)
    expected = inside_polygon(FSC, y, points)
    assert expected.sum() > 300
    np.testing.assert_array_equal(member(result, "P"), expected)


def test_combinations_and_the_rest(tmp_path: Path) -> None:
    a = rectangle("A", "FSC-A", "SSC-A", (1e4, 1e4), (1.5e5, 2e5))
    b = rectangle("B", "FSC-A", "SSC-A", (1e5, 1e4), (2e5, 2.2e5))
    inputs = [f"{ALL}\\A", f"{ALL}\\B"]
    gates = a + b + gate("both", "AND_Classifier", "", inputs=inputs) + gate("any", "OR_Classifier", "", inputs=inputs)
    gates += gate("none", "NOT_Classifier", "", inputs=inputs[:1]) + gate(
        "A\\not B", "NOT_Classifier", "", inputs=inputs[1:]
    )
    gates += gate("Rest of All Events", "RestOf_Classifier", "", inputs=inputs)
    result = gated(tmp_path, gates)
    in_a = (FSC >= 1e4) & (FSC < 1.5e5) & (SSC >= 1e4) & (SSC < 2e5)
    in_b = (FSC >= 1e5) & (FSC < 2e5) & (SSC >= 1e4) & (SSC < 2.2e5)
    np.testing.assert_array_equal(member(result, "both"), in_a & in_b)
    np.testing.assert_array_equal(member(result, "any"), in_a | in_b)
    np.testing.assert_array_equal(member(result, "none"), ~in_a)
    np.testing.assert_array_equal(member(result, "A/not B_"), in_a & ~in_b)
    np.testing.assert_array_equal(member(result, "Rest of All Events"), ~(in_a | in_b))


def test_compensation_off_and_identity(tmp_path: Path) -> None:
    at = display_value(2000.0, 358)
    raw = RAW[:, 4]
    for own in (
        settings(*SCATTER, *COLOURS, TIME, enabled=False),
        settings(*SCATTER, *(parameter(n, log=True, weights=np.eye(2)[k]) for k, n in enumerate(("FITC-A", "PE-A")))),
    ):
        path = write(tmp_path, specimen(tube(events() + interval("P", "PE-A", 2000.0, 4095.0, biex(358)), own=own)))
        fcs(tmp_path, RAW)
        strategy = read_strategies(path).for_file("a.fcs")
        assert not strategy.matrices
        np.testing.assert_array_equal(member(strategy.apply(read_fcs(tmp_path / "a.fcs")), "P"), raw >= at)
        assert any("switched off" in note for note in strategy.notes) == ("false" in own[:90])


def test_settings_come_from_the_specimen_or_the_experiment(tmp_path: Path) -> None:
    inner = tube(events() + interval("P", "PE-A", 2000.0, 4095.0, biex(358)), own="")
    fcs(tmp_path, RAW)
    for path in (
        write(tmp_path, f'<specimen name="s">{SETTINGS}{inner}</specimen>', name="1.xml"),
        write(tmp_path, specimen(inner), own=SETTINGS, name="2.xml"),
        write(tmp_path, f'<tray name="plate">{specimen(inner)}</tray>', own=SETTINGS, name="3.xml"),
    ):
        result = read_strategies(path).for_file("a.fcs").apply(read_fcs(tmp_path / "a.fcs"))
        np.testing.assert_array_equal(member(result, "P"), display_value(2000.0, 358) <= PE)
    bare = read_strategies(write(tmp_path, specimen(inner), name="4.xml")).for_file("a.fcs")
    assert any("no cytometer settings" in note for note in bare.notes)


def test_fixed_snap_to_gates_are_regions(tmp_path: Path) -> None:
    points = [(1e4, 2e4), (2e5, 1e4), (2.2e5, 1.5e5), (9e4, 2.4e5)]
    fixed = "<extended><is_snap_mode>N</is_snap_mode><point X='1' Y='2'/></extended>"
    moving = fixed.replace(">N<", ">Y<")
    gates = polygon("P1", "FSC-A", "SSC-A", points, kind="SnapTo_Classifier", more=fixed)
    gates += polygon("P2", "FSC-A", "SSC-A", points, kind="SnapTo_Classifier", more=moving)
    gates += interval("P2\\P3", "FITC-A", 3.0, 4.0, LOG, kind="SnapTo_Interval_Classifier", more=fixed)
    result = gated(tmp_path, gates)
    np.testing.assert_array_equal(member(result, "P1"), inside_polygon(FSC, SSC, points))
    rows = result.counts.set_index("population")
    assert rows.loc["P2", "status"] == "not_estimable"
    assert "snap-to" in rows.loc["P2", "reason"]
    assert rows.loc["P2/P3", "status"] == "not_estimable"


FINE = [(1e4, 1e4), (2e5, 1e4), (2e5, 2e5), (1e4, 2e5)]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (gate("P", "Magic_Classifier", ""), "'Magic_Classifier' without a region"),
        (region("P", "OVAL_REGION", "FSC-A", "SSC-A", FINE), "regions of type 'OVAL_REGION'"),
        (region("P", "RECTANGLE_REGION", "FSC-A", "SSC-A", FINE[:3]), "four corners"),
        (region("P", "INTERVAL_REGION", "FSC-A", None, FINE[:3]), "wants two points"),
        (region("P", "POLYGON_REGION", "FSC-A", "SSC-A", FINE[:2]), "three vertices"),
        (region("P", "POLYGON_REGION", "FSC-A", "SSC-A", []), "no numbers, or none"),
        (region("P", "POLYGON_REGION", "FSC-A", "SSC-A", [*FINE, (math.nan, 1.0)]), "no numbers, or none"),
        (region("P", "POLYGON_REGION", "FSC-A", "SSC-A", [*FINE, (math.inf, 1.0)]), "no numbers, or none"),
        (region("P", "POLYGON_REGION", "", "SSC-A", FINE), "names no parameter"),
        (interval("P", "PE-A", 100.0, 200.0, biex(-1)), "no biexponential scale is recorded for 'PE-A'"),
        (interval("P", "PE-A", 100.0, 200.0, biex("x")), "no biexponential scale"),
        (interval("P", "PE-A", 100.0, 200.0, biex("1e400")), "no biexponential scale"),
        (interval("P", "PE-A", 100.0, 200.0, biex(1e9)), "the scale of 'PE-A'"),
        (interval("P", "PE-A", 100.0, 200.0, (True, False, 0)), "disagree on the units"),
        (interval("P", "PE-A", 100.0, 200.0, LINEAR), "linear and the settings logarithmic"),
        (interval("P", "Time", 1.0, 200.0, LINEAR), "time in ticks"),
        (gate("P", "AND_Classifier", ""), "0 populations"),
        (gate("P", "RestOf_Classifier", "", inputs=[ALL]), "all events"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_estimable(tmp_path: Path, made: str, reason: str) -> None:
    result = gated(tmp_path, made + rectangle("P\\below", "FSC-A", "SSC-A", (1e4, 1e4), (2e5, 2e5)))
    rows = result.counts.set_index("population")
    assert list(rows["status"]) == ["not_estimable"] * 2
    assert reason in rows.loc["P", "reason"]
    assert rows["count"].isna().all()


def test_decades_that_nobody_published(tmp_path: Path) -> None:
    for decades, said in ((6, "this one has 6"), ("", "none recorded")):
        path = write(tmp_path, specimen(tube(events() + interval("P", "PE-A", 1.0, 2.0, LOG))), decades=decades)
        gate_of = read_strategies(path).for_file("a.fcs").populations[0].gate
        assert isinstance(gate_of, UnsupportedGate)
        assert said in gate_of.reason


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ([[1.0, 0.0], [0.0]], "is no matrix"),
        ([[1.0, 2.0], [1.0, 2.0]], "inverted"),
        ([[math.nan, 2.0], [1.0, 2.0]], "not a number"),
    ],
)
def test_a_matrix_that_is_none(tmp_path: Path, columns: list[list[float]], reason: str) -> None:
    gates = interval("bright", "PE-A", 2000.0, 4095.0, biex(358))
    gates += rectangle("cells", "FSC-A", "SSC-A", (1e4, 1e4), (2e5, 2e5))
    named = [parameter(f"{name}-A", log=True, weights=w) for name, w in zip(("FITC", "PE"), columns, strict=True)]
    path = write(tmp_path, specimen(tube(events() + gates, own=settings(*SCATTER, *named))))
    bright, cells = (population.gate for population in read_strategies(path).for_file("a.fcs").populations)
    assert isinstance(bright, UnsupportedGate)
    assert reason in bright.reason
    assert isinstance(cells, RectangleGate)


def test_global_worksheet_for_tubes_without_gates(tmp_path: Path) -> None:
    common = events(0) + rectangle("s", "FSC-A", "SSC-A", (1e4, 1e4), (2e5, 2e5), count=7)
    mine = events(8) + rectangle("own", "FSC-A", "SSC-A", (1e4, 1e4), (2e5, 2e5), count=5)
    path = write(
        tmp_path,
        specimen(tube(events(8), name="1", file="a.fcs"), tube(mine, name="2", file="b.fcs")),
        sheets=sheet(events(0), "empty") + sheet(common, "Analysis") + sheet(mine, "Other"),
    )
    experiment = read_experiment(path)
    first, second = experiment.samples
    assert first.strategy.paths == ("s",)
    assert first.counts == {"s": None}
    assert first.n_events == 8
    assert any("a global worksheet" in note for note in first.strategy.notes)
    assert second.strategy.paths == ("own",)
    assert second.counts == {"own": 5}
    assert experiment.notices == (
        "of 2 global worksheets with gates the first, 'Analysis', is taken where a tube has no gates of its own, not "
        "'Other'",
    )


@pytest.mark.parametrize("alone", [False, True])
def test_a_template_is_for_every_file(tmp_path: Path, alone: bool) -> None:
    """Compensated by the matrix of each file, since a template has no tube."""
    common = events(0) + interval("bright", "PE-A", 2000.0, 4095.0, biex(358))
    path = write(tmp_path, sheets=sheet(common, own=SETTINGS))
    if alone:
        path.write_text(f'<bdfacs version="Version 8.0.1">{sheet(common, own=SETTINGS)}</bdfacs>')
    strategy = read_gating(path)
    assert strategy.populations[0].gate.dimensions[0].compensation == "FCS"
    assert read_strategies(path).for_file("anything.fcs").content_hash == strategy.content_hash


def test_tubes_files_and_groups(tmp_path: Path) -> None:
    label = '<labels><fl name="PE"><label>CD3 é</label></fl></labels>'
    gates = events(8) + polygon("T/B cells λ", "FSC-A", "SSC-A", FINE, count=3)
    gates += polygon("T_B cells λ", "FSC-W", "SSC-A", FINE, count=2)
    path = write(
        tmp_path,
        specimen(
            tube(gates, name="Tube 1", file="C:\\data\\124500.fcs", labels=label),
            tube(gates, name="never", file=None),
            name="Compensation é",
        ),
    )
    experiment = read_experiment(path)
    (sample,) = experiment.samples
    assert experiment.program == "FACSDiva"
    assert experiment.version == "6.1.3"
    assert experiment.groups == {"Compensation é": ("124500.fcs",)}
    assert experiment.notices == ("tube 'Compensation é/never' has no data file and is left out",)
    assert sample.files == ("124500.fcs", "Compensation é_Tube 1.fcs")
    assert sample.channels["PE-A"] == "CD3 é"
    assert sample.channels["FSC-A"] == ""
    assert sample.counts == {"T_B cells λ": 3, "T_B cells λ (2)": 2}
    notes = " ".join(sample.strategy.notes)
    assert "not compared with FACSDiva" in notes
    assert "renamed" in notes
    assert "populations on FSC-W" in notes
    with pytest.raises(StrategyError, match=r"no gates for 'b\.fcs'"):
        read_strategies(path).for_file("b.fcs")


def test_order_of_the_list_does_not_matter(tmp_path: Path) -> None:
    child = polygon("P1\\P2", "FSC-A", "SSC-A", FINE)
    parent = polygon("P1", "FSC-A", "SSC-A", FINE)
    path = write(tmp_path, specimen(tube(child + parent + events())))
    strategy = read_strategies(path).for_file("a.fcs")
    assert set(strategy.paths) == {"P1", "P1/P2"}


def test_a_rectangle_across_is_a_bow_tie(tmp_path: Path) -> None:
    """Four corners in another order make no rectangle."""
    crossed = [FINE[0], FINE[2], FINE[1], FINE[3]]
    path = write(tmp_path, specimen(tube(events() + polygon("P", "FSC-A", "SSC-A", crossed))))
    assert isinstance(read_strategies(path).for_file("a.fcs").populations[0].gate, PolygonGate)


def test_channels_of_this_module_fit() -> None:
    assert RAW.shape[1] == len(CHANNELS)
