"""Classes of cells: totals, consistency between tubes, and the populations they belong to."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.simulate.biology import VisitTruth, draw_subject, draw_visit
from il2cyto.simulate.panels import PANELS, level
from il2cyto.simulate.phenotypes import CellClass, cell_classes, in_tube, split
from il2cyto.simulate.populations import POPULATIONS, members, population_path
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.tube import artefacts


def blood(seed: int = 1, day: int = 91) -> VisitTruth:
    subject = draw_subject(0, [seed], list(CELLS), date(2020, 8, 15))
    return draw_visit(subject, "M3", day, [seed, 2])


def per_ul(tube: str, truth: VisitTruth) -> dict[str, float]:
    classes = cell_classes(PANELS[tube], truth)
    cells = np.array([one.per_ul for one in classes])
    return {name: float(cells[held].sum()) for name, held in members(tube, classes).items()}


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1e4))
def test_splitting_keeps_the_total(first: float, second: float, count: float) -> None:
    cells = split(split([CellClass("x", "lymphocyte", count, {})], "A", first), "B", second)
    assert len(cells) == 4
    assert sum(one.per_ul for one in cells) == pytest.approx(count)
    both = [one for one in cells if one.level("A") == "pos" and one.level("B") == "pos"]
    assert both[0].per_ul == pytest.approx(count * first * second)


@pytest.mark.parametrize("seed", range(5))
def test_tubes_of_one_visit_tell_the_same_blood(seed: int) -> None:
    truth = blood(seed)
    tubes = {tube: per_ul(tube, truth) for tube in PANELS}
    lymphocytes = sum(truth[name] for name in ("t", "b", "nk_bright", "nk_dim", "nk_neg", "null"))
    for tube in PANELS:
        assert tubes[tube]["lympho"] == pytest.approx(lymphocytes)
    for tube in ("TREG", "TH17"):
        assert tubes[tube]["CD3"] == pytest.approx(tubes["TBNK"]["T"])
        assert tubes[tube]["CD4"] == pytest.approx(tubes["TBNK"]["CD4"])
    assert tubes["NK"]["NK"] == pytest.approx(tubes["TBNK"]["NK"])
    assert tubes["TREG"]["Treg"] == pytest.approx(tubes["TBNK"]["CD4"] * truth["treg_of_cd4"])
    assert tubes["TH17"]["memory"] == pytest.approx(tubes["TREG"]["Treg_memory"] + tubes["TREG"]["Tconv_memory"])
    tbnk = tubes["TBNK"]
    assert tbnk["T"] == pytest.approx(tbnk["CD4"] + tbnk["CD8"] + tbnk["DP"] + tbnk["DN"])
    assert tubes["TREG"]["Tconv"] + tubes["TREG"]["Treg"] == pytest.approx(tubes["TREG"]["CD4"])


def test_shares_of_treg_are_those_of_the_blood() -> None:
    truth = blood()
    treg = per_ul("TREG", truth)
    for marker in ("FOXP3", "Helios", "ICOS", "CD39", "Ki67"):
        assert treg[f"Treg_{marker}"] / treg["Treg"] == pytest.approx(truth[f"{marker.lower()}_of_treg"])
    assert treg["Treg_activated"] / treg["Treg_memory"] == pytest.approx(truth["hladr_of_treg_memory"])


def test_shares_of_helper_subsets() -> None:
    truth = blood()
    th = per_ul("TH17", truth)
    assert th["cTfh"] / (th["cTfh"] + th["Tconv_memory"]) == pytest.approx(truth["ctfh_of_memory"])
    assert th["Th17"] / th["Th1"] == pytest.approx(truth["th17_per_rest"] / truth["th1_per_rest"])
    assert th["Th17_CD161"] / th["Th17"] == pytest.approx(truth["cd161_of_th17"])


@pytest.mark.parametrize("tube", PANELS)
def test_children_lie_in_their_parents(tube: str) -> None:
    classes = [*cell_classes(PANELS[tube], blood()), *artefacts(PANELS[tube])]
    held = members(tube, classes)
    for name, (parent, _) in POPULATIONS[tube].items():
        assert held[name].any(), name
        if parent != "root":
            assert not (held[name] & ~held[parent]).any(), name
            assert population_path(tube, name) == f"{population_path(tube, parent)}/{name}"


@pytest.mark.parametrize("tube", PANELS)
def test_class_names_are_unique_and_levels_exist(tube: str) -> None:
    panel = PANELS[tube]
    classes = [*cell_classes(panel, blood()), *artefacts(panel)]
    assert len({one.name for one in classes}) == len(classes)
    for one in classes:
        for marker in panel.markers:
            assert level(marker, one.level(marker)).median > 0


def test_density_separation_removes_granulocytes_only_from_mononuclear_tubes() -> None:
    truth = blood()
    for tube, left in (("TBNK", 1.0), ("TREG", 0.006)):
        panel = PANELS[tube]
        neutrophil = next(one for one in cell_classes(panel, truth) if one.kind == "neutrophil")
        assert in_tube(neutrophil, panel) == pytest.approx(left * truth["neut"])


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(KeyError):
        level("CD3", "bright")
