"""Panels: one spelling per marker, exact aliases, no guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from il2cyto.errors import PanelError
from il2cyto.panel import Panel, PanelEntry

NAMES = ("FSC-A", "V450-A", "B530-A", "B530-A")
LABELS = ("", "CD4 BV421", "CD25", "CD25")


def test_channel_label_alias_and_absence() -> None:
    panel = Panel(
        "p",
        (
            PanelEntry("CD3", "V450-A"),
            PanelEntry("CD4", "", aliases=("CD4 BV421",)),
            PanelEntry("FOXP3", "absent"),
            PanelEntry("CD8", "R780-A"),
            PanelEntry("CD2", ""),
        ),
    )
    assert panel.locate("CD3", NAMES, LABELS) == 1
    assert panel.locate("CD4", NAMES, LABELS) == 1
    assert panel.locate("CD4 BV421", NAMES, LABELS) == 1
    assert panel.locate("FOXP3", NAMES, LABELS) is None
    assert panel.is_declared_absent("FOXP3")
    assert panel.locate("CD8", NAMES, LABELS) is None
    assert not panel.is_declared_absent("CD8")
    # never by substring: CD2 is not CD25
    assert panel.locate("CD2", NAMES, LABELS) is None
    with pytest.raises(PanelError, match=r"no marker 'CD33'.*did you mean 'CD3'"):
        panel.locate("CD33", NAMES, LABELS)


def test_two_matches_are_an_error_that_names_both() -> None:
    panel = Panel("p", (PanelEntry("CD25", ""), PanelEntry("x", "B530-A")))
    for marker in ("CD25", "x"):
        with pytest.raises(PanelError, match=r"parameter 3 \('B530-A'\) and parameter 4 \('B530-A'\)"):
            panel.locate(marker, NAMES, LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("marker,channel\nCD3,A\nCD3,B\n", "'CD3' stands for both"),
        ("marker,channel,aliases\nCD3,A,x\nCD4,B,x\n", "'x' stands for both 'CD3' and 'CD4'"),
        ("marker,channel\nCD3,A\nCD4,A\n", "channel 'A' carries 'CD3' and 'CD4'"),
        ("marker,chanel\nCD3,A\n", "line 1: unknown column 'chanel'.*did you mean 'channel'"),
        ("marker\nCD3\n", "line 1: column 'channel' is missing"),
        ("marker,channel\n,A\n", "line 2: wanted 2 cells with a marker first"),
        ("marker,channel\nCD3,A,B\n", "line 2: wanted 2 cells"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "panel.csv").write_text(text)
    with pytest.raises(PanelError, match=message) as caught:
        Panel.from_csv(tmp_path / "panel.csv")
    assert str(caught.value).startswith("panel.csv")


def test_file_and_hash(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("marker,channel,fluorochrome,aliases\nCD3,A,FITC,cd3; T3\nCD4,B,PE,\n")
    (tmp_path / "b.csv").write_text(
        "\ufeffchannel,marker,aliases,fluorochrome\nB,CD4,,PE\nA,CD3,T3;cd3,FITC\n", "utf-8"
    )
    first, second = Panel.from_csv(tmp_path / "a.csv"), Panel.from_csv(tmp_path / "b.csv")
    assert first.markers["T3"].channel == "A"
    assert first.content_hash == second.content_hash
    assert first.content_hash != Panel("x", first.entries[:1]).content_hash
