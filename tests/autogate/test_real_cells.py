"""Automatic cuts on real cells, against the membership that a published pipeline gave them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from il2cyto.autogate.estimate import Estimated, LearningTube, Template
from il2cyto.autogate.methods import METHODS
from il2cyto.gating.learning import LearnRule
from il2cyto.study.frozen import FrozenMapping

#: The display scale on which the events are stored.
CHANNELS = 4096.0


def valley(values: pd.Series, low: float, high: float) -> float:
    """Place of the deepest valley within a range of the display, in channels."""
    scaled = values.to_numpy(dtype=np.float64)[:, None] / CHANNELS
    limits = ((float(np.quantile(scaled, 0.001)) - 0.05, float(scaled.max()) + 0.02),)
    rule = LearnRule("valley", "root", options=FrozenMapping({"low": low, "high": high}))
    template = Template(np.array([(low + high) / 2]), limits)
    found = METHODS["valley"]([LearningTube("T", "sample", scaled)], rule, template, np.random.default_rng(0))
    assert isinstance(found, Estimated)
    return float(found.place[0] * CHANNELS)


@pytest.mark.reference
def test_natural_killer_cells_of_a_published_tube(reference: Path) -> None:
    stem = reference / "nk-panel" / "DC_MONO_NK_12828001_001.fcs"
    events = pd.read_parquet(stem.with_name(stem.name + ".events.parquet"))
    members = pd.read_parquet(stem.with_name(stem.name + ".membership.parquet")).astype(bool)
    cells = members["/boundary/Monocytes"].to_numpy()
    live = cells & (events["Live"] < valley(events.loc[cells, "Live"], 0.42, 0.75)).to_numpy()
    no_monocyte = live & (events["CD14"] < valley(events.loc[live, "CD14"], 0.30, 0.65)).to_numpy()
    lineage_free = no_monocyte & (events["Lineage"] < valley(events.loc[no_monocyte, "Lineage"], 0.35, 0.65)).to_numpy()
    cd56 = valley(events.loc[lineage_free, "CD56"], 0.30, 0.60)
    cd16 = valley(events.loc[lineage_free, "CD16"], 0.30, 0.65)
    found = lineage_free & (events["CD56"] >= cd56).to_numpy() & (events["CD16"] >= cd16).to_numpy()
    published = members["/boundary/Monocytes/Live/CD14-Lineage-/CD16+CD56+"].to_numpy()
    assert published.sum() == 3836
    f1 = 2 * (found & published).sum() / (found.sum() + published.sum())
    assert f1 > 0.95
    assert f1 == pytest.approx(0.968, abs=0.002)
    # 6 % more than published: the tail of CD16 has no valley where the pipeline cuts it
    assert found.sum() == pytest.approx(4088, abs=15)
    assert cd56 == pytest.approx(1669, abs=15)
    assert cd16 == pytest.approx(1764, abs=25)


def real_cells() -> dict[str, Any]:
    """The names of validation/real_cells.py."""
    return runpy.run_path(str(Path(__file__).parents[2] / "validation" / "real_cells.py"))


@pytest.mark.reference
def test_lineage_cuts_of_infants_are_near_those_of_an_expert(reference: Path) -> None:
    table = real_cells()["aurora"](reference).set_index("marker")
    lineage = ["Viability", "CD3", "Lineage-", "CD4", "CD8", "CD56"]
    assert table["off"][lineage].max() <= 10
    assert table["ours"][lineage].round().tolist() == pytest.approx([94, 92, 90, 102, 91, 89], abs=2)
    # markers that rise without a gap: the expert's own two files differ by up to 25 there
    assert table.index[table["off"] > 10].tolist() == ["CD45RA", "CD161", "CD25", "CD127", "CD16"]


@pytest.mark.reference
def test_populations_of_a_spleen_are_those_of_an_expert(reference: Path) -> None:
    found, _ = real_cells()["spleen"](reference)
    scores = found.set_index("population")["F1"]
    assert (scores >= 0.95).all()
    assert scores.round(2).tolist() == pytest.approx([0.96, 0.98, 0.99, 0.98], abs=0.01)
