"""What docs/gating.md shows is a strategy: every key of the format, once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import folder, read_strategy, vocabulary
from il2cyto.gating.learning import SCOPES, SOURCES
from il2cyto.gating.rules import CUT_KEYS, LEARN_KEYS
from il2cyto.transforms import _KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "gating.md").read_text(encoding="utf-8")


def test_the_example_is_read_and_applied(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (matrix,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "strategy.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "spectra.csv").write_text(matrix, encoding="utf-8")
    tree = read_strategy(tmp_path)
    names = ["Time", "FSC-A", "B1-A", "B2-A", "V1-A", "V2-A"]
    rng = np.random.default_rng(0)
    events = np.column_stack([np.arange(500), rng.uniform(0, 262143, (500, 5))])
    write_fcs(events, tmp_path / "a.fcs", channels=names, spillover=(("B1-A", "B2-A"), [[1, 0.1], [0.05, 1]]))
    counts = tree.apply(read_fcs(tmp_path / "a.fcs")).counts.set_index("name")
    assert counts.loc["lost", "reason"] == "drawn by a plugin"
    estimated = counts[counts.index != "lost"]["count"]
    assert ((estimated > 0) & (estimated < 500)).all(), estimated


def test_the_example_has_every_key() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    keys = {*folder._TOP, *folder._POPULATION, *folder._GATE_KEYS, *(k for v in folder._GATE_KEYS.values() for k in v)}
    keys |= {key for key in folder._DIM if key != "marker"} - {"quadric"} | {*_KINDS, "identity"}
    keys |= {key for key in CUT_KEYS if key != "marker"} | {*LEARN_KEYS, *SCOPES, *SOURCES}
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == {"quadric"}
    assert "`quadric: true`" in PAGE


def test_every_method_is_named() -> None:
    for method in (*vocabulary.CUT_METHODS, *vocabulary.SHAPE_METHODS):
        assert f"`{method}`" in PAGE


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert all((Path(__file__).parents[2] / "docs" / link).exists() for link in links)
