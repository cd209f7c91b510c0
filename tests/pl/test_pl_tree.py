"""The picture of a strategy's tree: packaged ones are up to date, nothing overlaps, names are escaped."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Limits,
    Operand,
    QuadrantGate,
    Ratio,
    RectangleGate,
    UnsupportedGate,
)
from il2cyto.gating import GatingStrategy, Population, read_strategy
from il2cyto.pl import tree
from il2cyto.study import packaged_strategies, packaged_strategy
from il2cyto.transforms import Logicle

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", packaged_strategies())
def test_the_picture_beside_a_packaged_strategy_is_up_to_date(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["show", str(packaged_strategy(name)), "--svg", str(tmp_path / "tree.svg")])
    assert done.exit_code == 0
    drawn = (tmp_path / "tree.svg").read_bytes()
    kept = (packaged_strategy(name) / "tree.svg").read_bytes()
    assert drawn == kept, f"draw it again: il2cyto show gating/{name} --svg gating/{name}/tree.svg"
    assert "](tree.svg)" in (packaged_strategy(name) / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", packaged_strategies())
def test_boxes_stand_apart_and_every_population_has_one(name: str) -> None:
    strategy = read_strategy(packaged_strategy(name))
    root = ET.fromstring(tree(strategy))
    background, *boxes = root.iter(f"{SVG}rect")
    assert len(boxes) == len(strategy.populations) + 1
    spans = [(float(box.get("y", 0)), float(box.get("height", 0)), box) for box in boxes]
    assert all(y + height < below for (y, height, _), (below, _, _) in pairwise(spans))
    width = float(background.get("width", 0))
    columns = sorted({float(text.get("x", 0)) for text in root.iter(f"{SVG}text") if text.text in ("gate", "learnt")})
    assert all(float(box.get("x", 0)) + float(box.get("width", 0)) < columns[0] for box in boxes)
    # at the width of a wide letter every text ends before the next column or the border
    for text in list(root.iter(f"{SVG}text"))[:-1]:
        x = float(text.get("x", 0))
        border = min([column for column in columns if column > x and text.get("font-size") is None] + [width])
        assert x + 7.2 * len(text.text or "") <= border, text.text
    dashed = sum(box.get("stroke-dasharray") is not None for box in boxes)
    assert dashed >= len(strategy.optional)


def test_every_kind_of_gate_in_words() -> None:
    cd3, cd4 = Dimension("CD3", "FCS", "fluor"), Dimension("CD4", "FCS", "fluor")
    ratio = Dimension(Ratio("CD3", "CD4"), "FCS")
    strategy = GatingStrategy(
        "a<b", version="2 & more", transforms={"fluor": Logicle(262144, 0.5, 4.5, 0)}, optional=("CD4",),
        populations=(
            Population("low & high", "root", RectangleGate((Limits(cd3, 0.2, 0.6),))),
            Population("numbers", "root", RectangleGate((Limits(Dimension("Time"), 1, 60.5),))),
            Population("out", "root", RectangleGate((Limits(cd3, maximum=0.6),)), complement=True),
            Population("some", "root", QuadrantGate((cd3, cd4), ((0.3,), (0.2, 0.6)), (1, 2))),
            Population("round", "root", EllipsoidGate((cd3, cd4), (0.5, 0.5), ((0.1, 0.0), (0.0, 0.1)), 1.0)),
            Population("both", "out", BooleanGate("and", (Operand("out"), Operand("some", complement=True)))),
            Population("share", "root", RectangleGate((Limits(ratio, minimum=2),))),
            Population("lost", "root", UnsupportedGate("drawn by a plugin")),
        ),
    )  # fmt: skip
    said = texts(tree(strategy))
    assert said[0] == "a<b 2 & more"
    rows = dict(zip(said[said.index("root") + 1 : -1 : 2], said[said.index("root") + 2 : -1 : 2], strict=True))
    assert rows == {
        "low & high": "CD3+ < the upper limit",
        "numbers": "Time ≥ 1 < 60.5",
        "out": "not (CD3−)",
        "both": "out and not some",
        "some": "CD3+, CD4 in interval 2",
        "round": "CD3 × CD4",
        "share": f"{ratio.label} ≥ 2",
        "lost": "not estimable",
    }
    # what needs CD4, here or through what it combines
    root = ET.fromstring(tree(strategy))
    assert sum(box.get("stroke-dasharray") is not None for box in root.iter(f"{SVG}rect")) == 4
    assert "dashed" not in "".join(texts(tree(replace(strategy, optional=()))))
