"""Cell classes of each tube: which markers a cell carries, and how many such cells a µL of blood holds.

The classes are as fine as the gating trees need: a class says at which level every marker of the panel stands, so each
population of a tree is a set of whole classes. Class names are the labels of the simulated events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from il2cyto.simulate.biology import VisitTruth
from il2cyto.simulate.panels import TubePanel

#: Share of blood cells that density separation leaves in a tube of mononuclear cells.
_SEPARATION: Final = {"lymphocyte": 1.0, "monocyte": 0.7, "neutrophil": 0.006, "eosinophil": 0.006}

#: Stands for "CD56 or CD16" in the levels of NK cells; no detector sees it.
NK_LINEAGE: Final = "CD56 or CD16"

_HELPER: Final = {"CD3": "pos", "CD4": "pos"}
_CONVENTIONAL: Final = {**_HELPER, "CD127": "pos"}


@dataclass(frozen=True)
class CellClass:
    """One kind of cell in one panel.

    Parameters
    ----------
    name
        Label of its events.
    kind
        What decides scatter: ``lymphocyte``, ``monocyte``, ``neutrophil`` or ``eosinophil``.
    per_ul
        Cells/µL of blood.
    levels
        Level of each marker that is not negative; markers that the panel lacks are allowed.
    """

    name: str
    kind: str
    per_ul: float
    levels: Mapping[str, str]

    def level(self, marker: str) -> str:
        """Level of a marker; ``neg`` unless stated."""
        return self.levels.get(marker, "neg")

    def part(self, suffix: str, share: float, **levels: str) -> CellClass:
        """A `share` of this class, with other `levels`."""
        return replace(self, name=f"{self.name} {suffix}", per_ul=self.per_ul * share, levels={**self.levels, **levels})


def split(cells: Iterable[CellClass], marker: str, share: float, positive: str = "pos") -> list[CellClass]:
    """Split every class into one with the marker (`share` of it) and one without.

    Examples
    --------
    >>> [(c.name, c.per_ul) for c in split([CellClass("Treg", "lymphocyte", 20.0, {})], "ICOS", 0.25)]
    [('Treg ICOS+', 5.0), ('Treg ICOS-', 15.0)]
    """
    return [
        part
        for cell in cells
        for part in (
            cell.part(f"{marker}+", share, **{marker: positive}),
            cell.part(f"{marker}-", 1 - share, **{marker: "neg"}),
        )
    ]


def _cell(name: str, per_ul: float, levels: Mapping[str, str]) -> CellClass:
    return CellClass(name, "lymphocyte", per_ul, {"CD45": "pos", **levels})


def _myeloid(blood: VisitTruth) -> list[CellClass]:
    """Monocytes and granulocytes, with the markers of ours that they carry."""
    monocyte = {"CD45": "mid", "CD4": "lo", "Dump": "pos", "HLA-DR": "pos", "CD39": "pos"}
    return [
        CellClass("monocyte", "monocyte", blood["mono"], monocyte),
        CellClass("neutrophil", "neutrophil", blood["neut"], {"CD45": "lo", "CD16": "pos", "CD16+56": "pos"}),
        CellClass("eosinophil", "eosinophil", blood["eos"], {"CD45": "lo"}),
    ]


def _t_counts(blood: VisitTruth) -> dict[str, float]:
    cd4 = blood["t"] * blood["cd4_of_t"]
    rest = blood["t"] - cd4
    double_positive = rest * blood["dp_of_rest"]
    double_negative = rest * blood["dn_of_rest"]
    return {
        "cd4": cd4,
        "cd8": rest - double_positive - double_negative,
        "double_positive": double_positive,
        "double_negative": double_negative,
    }


def _helper_counts(blood: VisitTruth) -> dict[str, float]:
    cd4 = _t_counts(blood)["cd4"]
    treg = cd4 * blood["treg_of_cd4"]
    tconv = cd4 - treg
    return {
        "treg_memory": treg * blood["memory_of_treg"],
        "treg_naive": treg * (1 - blood["memory_of_treg"]),
        "tconv_memory": tconv * blood["memory_of_tconv"],
        "tconv_naive": tconv * (1 - blood["memory_of_tconv"]),
    }


def _tbnk(blood: VisitTruth) -> list[CellClass]:
    t = _t_counts(blood)
    nk = blood["nk_bright"] + blood["nk_dim"] + blood["nk_neg"]
    return [
        *split([_cell("CD4 T", t["cd4"], _HELPER)], "CD16+56", blood["nkt_of_cd4"]),
        *split([_cell("CD8 T", t["cd8"], {"CD3": "pos", "CD8": "pos"})], "CD16+56", blood["nkt_of_cd8"]),
        _cell("double positive T", t["double_positive"], {**_HELPER, "CD8": "pos"}),
        *split([_cell("double negative T", t["double_negative"], {"CD3": "pos"})], "CD16+56", blood["nkt_of_cd8"]),
        _cell("B", blood["b"], {"CD19": "pos"}),
        _cell("NK", nk, {"CD16+56": "pos"}),
        _cell("lineage negative", blood["null"], {}),
    ]


def _not_helper(blood: VisitTruth) -> list[CellClass]:
    """Lymphocytes that are not CD4 T cells, as a tube of CD4 subsets sees them."""
    t = _t_counts(blood)
    nk = blood["nk_bright"] + blood["nk_dim"] + blood["nk_neg"]
    unspecified = {"CD45RA": "wide", "CD127": "wide", "CD161": "wide", "CXCR3": "wide"}
    return [
        _cell("CD8 T", t["cd8"], {**unspecified, "CD3": "pos", "CD8": "pos"}),
        _cell("double positive T", t["double_positive"], {**unspecified, **_HELPER, "CD8": "pos"}),
        _cell("double negative T", t["double_negative"], {**unspecified, "CD3": "pos"}),
        _cell("B", blood["b"], {"HLA-DR": "pos", "CD45RA": "pos", "CXCR5": "pos"}),
        _cell("NK", nk, {**unspecified, "CD45RA": "pos"}),
        _cell("lineage negative", blood["null"], {}),
    ]


def _recent(cell: CellClass, share: float) -> list[CellClass]:
    """Split off the recently activated part of cells that show activation: it has less CD127."""
    if all(cell.level(marker) == "neg" for marker in ("CD25", "HLA-DR", "Ki67")):
        return [cell]
    return [cell.part("recent", share, CD127="mid"), cell.part("rested", 1 - share)]


def _treg(blood: VisitTruth) -> list[CellClass]:
    counts = _helper_counts(blood)
    naive = _cell("Tconv naive", counts["tconv_naive"], {**_CONVENTIONAL, "CD45RA": "pos"})
    memory = _cell("Tconv memory", counts["tconv_memory"], _CONVENTIONAL)
    activated = split([memory], "CD25", blood["cd25_of_tconv_memory"], "lo")
    activated = split(activated, "HLA-DR", blood["hladr_of_tconv_memory"])
    activated = split(activated, "Ki67", blood["ki67_of_tconv_memory"])
    activated = [part for cell in activated for part in _recent(cell, blood["cd127lo_of_tconv_active"])]

    regulatory = {**_HELPER, "CD25": "hi", "CD127": "lo"}
    resting = _cell("Treg naive", counts["treg_naive"], {**regulatory, "CD25": "naive_hi", "CD45RA": "pos"})
    tregs = split([_cell("Treg memory", counts["treg_memory"], regulatory)], "HLA-DR", blood["hladr_of_treg_memory"])
    tregs.append(resting)
    for marker in ("FOXP3", "Helios", "ICOS", "CD39", "Ki67"):
        tregs = split(tregs, marker, blood[f"{marker.lower()}_of_treg"])
    return [*split([naive], "CD25", blood["cd25_of_tconv_naive"], "lo"), *activated, *tregs, *_not_helper(blood)]


def _th17(blood: VisitTruth) -> list[CellClass]:
    counts = _helper_counts(blood)
    follicular = counts["tconv_memory"] * blood["ctfh_of_memory"]
    kinds = ("th1", "th2", "th17", "th17_1", "mixed")
    rest = (counts["tconv_memory"] - follicular) / (1 + sum(blood[f"{kind}_per_rest"] for kind in kinds))
    th1, th2, th17, th17_1, mixed = (rest * blood[f"{kind}_per_rest"] for kind in kinds)
    regulatory = {**_HELPER, "CD25": "hi", "CD127": "lo"}

    def effector(name: str, per_ul: float, *receptors: str) -> CellClass:
        return _cell(name, per_ul, {**_CONVENTIONAL, **dict.fromkeys(receptors, "pos")})

    return [
        effector("Tconv naive", counts["tconv_naive"], "CD45RA"),
        _cell("Treg naive", counts["treg_naive"], {**regulatory, "CD25": "naive_hi", "CD45RA": "pos"}),
        _cell("Treg memory", counts["treg_memory"], {**regulatory, "CCR4": "pos"}),
        *split([effector("cTfh", follicular, "CXCR5")], "CXCR3", 0.3),
        effector("Th1", th1, "CXCR3"),
        effector("Th2", th2, "CCR4"),
        *split([effector("Th17", th17, "CCR6", "CCR4")], "CD161", blood["cd161_of_th17"]),
        effector("Th17.1", th17_1, "CXCR3", "CCR6"),
        effector("memory CXCR3+CCR4+", 0.4 * mixed, "CXCR3", "CCR4"),
        effector("memory CCR6+", 0.4 * mixed, "CCR6"),
        effector("memory CXCR3+CCR6+CCR4+", 0.2 * mixed, "CXCR3", "CCR6", "CCR4"),
        effector("memory without receptors", rest),
        *_not_helper(blood),
    ]


def _nk(blood: VisitTruth) -> list[CellClass]:
    lineage = {NK_LINEAGE: "pos"}
    bright = [_cell("NK CD56bright", blood["nk_bright"], {**lineage, "CD56": "bright", "NKG2A": "pos"})]
    bright = split(bright, "CD16", blood["cd16_of_nk_bright"], "lo")
    bright = split(bright, "CD25", blood["cd25_of_nk_bright"], "induced")
    dim = [_cell("NK CD56dim", blood["nk_dim"], {**lineage, "CD56": "dim"})]
    dim = split(dim, "CD16", 1 - blood["cd16neg_of_nk_dim"])
    for marker in ("CD57", "NKG2A", "HLA-DR", "CD69"):
        dim = split(dim, marker, blood[f"{marker.lower().replace('-', '')}_of_nk_dim"])
    return [
        *bright,
        *dim,
        _cell("NK CD56neg CD16+", blood["nk_neg"], {**lineage, "CD16": "pos"}),
        _cell("T", blood["t"], {"CD3": "pos", "CD57": "wide", "CD69": "wide"}),
        _cell("B", blood["b"], {"Dump": "pos", "HLA-DR": "pos"}),
        _cell("lineage negative", blood["null"], {}),
    ]


_LYMPHOCYTES: Final[Mapping[str, Callable[[VisitTruth], list[CellClass]]]] = {
    "TBNK": _tbnk,
    "TREG": _treg,
    "TH17": _th17,
    "NK": _nk,
}


def cell_classes(panel: TubePanel, blood: VisitTruth) -> list[CellClass]:
    """Cell classes of a tube, with the cells/µL that the blood of a visit holds of each."""
    return _LYMPHOCYTES[panel.name](blood) + _myeloid(blood)


def in_tube(cell: CellClass, panel: TubePanel) -> float:
    """Cells/µL of blood that reach the tube: all in whole blood, few granulocytes after density separation."""
    return cell.per_ul if panel.whole_blood else cell.per_ul * _SEPARATION[cell.kind]
