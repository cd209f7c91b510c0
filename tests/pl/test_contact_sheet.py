from __future__ import annotations

import numpy as np
import pytest

from il2cyto.errors import TableError
from il2cyto.pl import contact_sheet, tube_oddness
from il2cyto.report import gate_picture


def tube(number, *, shift=0.0, count=400, path="live/CD4"):
    rng = np.random.default_rng(number)
    points = rng.normal([0.5 + shift, 0.5], 0.1, (1000, 2))
    picture = gate_picture(points[:, 0], points[:, 1])
    axes = {
        name: {"label": label, "range": picture[f"{name}_range"], "ticks": [[0.5, "1k"]]}
        for name, label in (("x", "CD4"), ("y", "SSC-A"))
    }
    entry = {
        "population": path, "status": "estimated", "type": "rectangle", "count": count, "parent_count": 1000,
        "percent_parent": count / 10, "bins": 64, "density": picture["density"], "center": [0.6 + shift, 0.5],
        "spread": [0.1, 0.1], **axes,
    }  # fmt: skip
    return {"tube_id": f"T{number}", "gates": [entry]}


def test_the_odd_tube_is_framed_and_comes_first():
    tubes = [tube(number, shift=0.3 if number == 4 else 0.0) for number in range(9)]
    figure = contact_sheet(tubes, "CD4", sort=True)
    assert figure.axes[0].get_title(loc="left").split("\n")[0] == "T4"
    widths = [ax.spines["top"].get_linewidth() for ax in figure.axes]
    assert [width > 2 for width in widths] == [True] + [False] * 8
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert figure.axes[1].get_title(loc="left").endswith("40 %")


def test_a_tube_that_is_not_estimable_has_a_grey_panel():
    lost = {
        "tube_id": "T9",
        "gates": [{"population": "live/CD4", "status": "not_estimable", "reason": "marker absent"}],
    }
    figure = contact_sheet([*(tube(number) for number in range(5)), lost], "live/CD4")
    assert figure.axes[5].get_title(loc="left") == "T9\n–"


def test_a_name_must_stand_for_one_population():
    with pytest.raises(TableError, match="no tube has a gate of that name"):
        contact_sheet([tube(1)], "CD8")
    with pytest.raises(TableError, match="stands for several"):
        contact_sheet([tube(1), tube(2, path="other/CD4")], "CD4")


def gate(count, parent, center=(0.5, 0.5)):
    return {"count": count, "parent_count": parent, "center": list(center), "spread": [0.1, 0.1]}


def test_few_events_are_not_odd_by_chance():
    many = [gate(5000 + 10 * i, 100_000) for i in range(9)]
    # 12 % against 5 %, of 25 events and of 25,000
    few = tube_oddness([*many, gate(3, 25)])[-1]
    sure = tube_oddness([*many, gate(3000, 25_000)])[-1]
    assert few < 2 < 3.5 < sure


def test_deviation_by_hand():
    # log odds 0 (six tubes) and ln 3: counting error of 1000 events, floor 0.05
    found = tube_oddness([gate(500, 1000)] * 6 + [gate(750, 1000)])
    variance = 1 / 750.5 + 1 / 250.5
    assert found[-1] == pytest.approx(np.log(750.5 / 250.5) / np.sqrt(0.05**2 + variance))
    assert found[0] == 0.0


def test_too_few_tubes_and_empty_parents_say_nothing():
    assert np.isnan(tube_oddness([gate(5, 10)] * 4)).all()
    assert np.isnan(tube_oddness([gate(500, 1000)] * 5 + [{"count": 0, "parent_count": 0}])[-1])
