"""Letters of every script in pictures: drawn, or written as codes, and never boxes or warnings."""

from __future__ import annotations

import io
import logging

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from il2cyto import pl
from il2cyto.pl import fonts

LONG = "Thérapie standard très longue – Prednisolon, Mycophenolat, Hydroxychloroquin, Ciclosporin"
CHINESE = "低剂量白细胞介素-2联合标准治疗（每周期五天用药九天停药）"
NEEDS_FONT = pytest.mark.skipif(not fonts._installed(), reason="no font with Chinese letters is installed")


def counts() -> pd.DataFrame:
    visits = ["基线", "Huitième semaine après l'inclusion"]
    rows = [
        (f"P{n}", arm, visit, place, 10.0 + n)
        for n in range(4)
        for arm in (CHINESE, LONG)
        for place, visit in enumerate(visits)
    ]
    table = pd.DataFrame(rows, columns=["subject", "arm", "visit", "visit_number", "cells_per_ul"])
    return table.assign(strategy="s", population="CD4/调节性T细胞", name="调节性T细胞", below_lloq=False)


def model() -> pd.DataFrame:
    columns = ["population", "arm", "visit", "contrast", "ratio_to_baseline", "lower", "upper", "status"]
    return pd.DataFrame([("CD4/调节性T细胞", CHINESE, "M1", "change", 2.0, 1.5, 2.6, "estimated")], columns=columns)


@pytest.fixture
def without_fonts(monkeypatch):
    """A system without any font that has Chinese letters."""
    for cached in (fonts._installed, fonts._missing):
        cached.cache_clear()
    monkeypatch.setattr(fonts, "FALLBACKS", ())
    monkeypatch.setattr(fonts, "_FILES", ("no such font",))
    yield
    monkeypatch.undo()
    for cached in (fonts._installed, fonts._missing):
        cached.cache_clear()


def _picture(figure: Figure) -> np.ndarray:
    stream = io.BytesIO()
    figure.savefig(stream, format="rgba", dpi=60)
    return np.frombuffer(stream.getvalue(), dtype=np.uint8)


def _texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@NEEDS_FONT
def test_chinese_and_long_labels_are_drawn_whole(caplog):
    # a warning (glyphs without a font, no room for the axes) is an error in tests
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        trajectories, forest = pl.trajectories(counts(), "调节性T细胞"), pl.forest(model()).figure
        for figure in (trajectories, forest):
            _picture(figure)
    assert caplog.records == []
    written = _texts(trajectories).replace("\n", "")
    assert CHINESE in written
    assert LONG in written
    assert CHINESE in _texts(forest).replace("\n", "")


@NEEDS_FONT
def test_two_names_are_two_pictures():
    # empty boxes would be alike
    one, other = (pl.trajectories(counts().assign(name=name), "CD4/调节性T细胞") for name in ("细胞甲", "细胞乙"))
    assert not np.array_equal(_picture(one), _picture(other))


def test_without_a_font_letters_are_codes(without_fonts, caplog):
    with caplog.at_level(logging.WARNING, logger="matplotlib"):
        figure = pl.trajectories(counts().assign(name="T细胞"), "CD4/调节性T细胞")
        _picture(figure)
    assert caplog.records == []
    assert r"T\u7ec6\u80de" in _texts(figure)
    assert LONG in _texts(figure).replace("\n", "")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("short", 28, ["short"]),
        ("a b c", 3, ["a ", "b c"]),
        ("Low-dose interleukin-2", 12, ["Low-dose ", "interleukin-", "2"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ],
)
def test_long_labels_go_on_below(text, width, lines):
    assert fonts.label(text, width).split("\n") == lines
    assert "".join(lines) == text


@NEEDS_FONT
def test_chinese_letters_are_wide():
    assert fonts.label("白细胞介素", 4).split("\n") == ["白细", "胞介", "素"]
