"""The index of pictures: what tubes share is kept once, what differs stays apart."""

from __future__ import annotations

import base64

from il2cyto.report import density
from il2cyto.report.pictures import PictureIndex

DENSITY = base64.b64encode(bytes([0, 255, 0, 0])).decode()


def axis(low, high, **changes):
    plain = {"label": "CD25", "fluorochrome": "PE", "unit": "", "scale": "logicle", "straight": None}
    return {**plain, "range": [low, high], "ticks": [[0.2, "1k"], [0.4, "10k"]], **changes}


def gate(x, **changes):
    plain = {
        "population": "a/b", "type": "rectangle", "status": "estimated", "reason": "", "count": 3, "parent_count": 4,
        "x": x, "y": axis(0.0, 1.0, label="CD127"), "bins": 2, "density": DENSITY, "n_outside": 1,
        "outline": [[0, 0], [1, 0], [1, 1]], "limits": [[0.5, None], [None, None]], "center": [0.7, 0.6],
        "spread": [0.1, 0.2],
    }  # fmt: skip
    return {**plain, **changes}


def test_rows_by_hand():
    index = PictureIndex()
    block = index.add("T1", "s", {"n_events": 10, "gates": [gate(axis(0.0, 0.9))]})
    assert block == [[2, density.pack(DENSITY), 1]]
    # gate, scale, shape, count, parent, range x, range y, centre, spread
    assert index.summaries["T1"].gates == ((0, 0, 0, 3, 4, 0, 0.9, 0, 1, 0.7, 0.6, 0.1, 0.2),)
    assert index.gates == {("s", "a/b"): 0}
    (shape,) = index.shapes
    assert shape == '{"complement":false,"limits":[[0.5,null],[null,null]],"outline":null,"type":"rectangle"}'


def test_equal_scales_are_one_and_gather_ticks():
    index = PictureIndex()
    index.add("T1", "s", {"gates": [gate(axis(0.0, 0.9))]})
    index.add("T2", "s", {"gates": [gate(axis(0.3, 1.2, ticks=[[0.4, "10k"], [0.6, "100k"]]))]})
    assert [len(scales) for scales in index.scales] == [1]
    assert index.scales[0][0]["x"]["ticks"] == {"1k": 0.2, "10k": 0.4, "100k": 0.6}
    assert len(index.shapes) == 1


def test_a_tube_with_a_transform_of_its_own_has_its_own_scale():
    index = PictureIndex()
    index.add("T1", "s", {"gates": [gate(axis(0.0, 0.9))]})
    index.add("T2", "s", {"gates": [gate(axis(0.0, 0.9, ticks=[[0.25, "1k"]]))]})
    index.add("T3", "s", {"gates": [gate(axis(0.0, 0.9))]})
    assert [summary.gates[0][1] for summary in index.summaries.values()] == [0, 1, 0]


def test_a_population_without_a_picture_has_empty_numbers():
    index = PictureIndex()
    lost = {"population": "a", "status": "not_estimable", "reason": "marker absent: CD39", "count": None}
    assert index.add("T1", "s", {"gates": [lost]}) == [[0, "", 0]]
    assert index.summaries["T1"].gates == ((0, 0, 0, *[None] * 10),)
    assert index.summaries["T1"].reasons == ("marker absent: CD39",)


def test_plots_of_an_older_run_are_read():
    index = PictureIndex()
    old = {"label": "CD25", "range": [0.0, 1.0], "ticks": []}
    index.add("T1", "s", {"gates": [{"population": "a", "status": "estimated", "x": old, "xlim": [0.5, None]}]})
    assert '"limits":[[0.5,null]]' in next(iter(index.shapes))
