"""Which classes belong to each population of the gating trees: the truth that gates are measured against.

A rule names the parent and what a class must have on top of it: a ``kind`` of event, or levels of markers.
It is written apart from ``gating/*/strategy.yaml`` so that a wrong gate cannot make its own truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.simulate.phenotypes import NK_LINEAGE, CellClass

#: Event kinds that are not one whole live cell of the blood.
DEAD: Final = "dead"
RED_CELL: Final = "red_cell"
DEBRIS: Final = "debris"
DOUBLET: Final = "doublet"
BEAD: Final = "bead"
BEAD_DOUBLET: Final = "bead_doublet"
UNSTABLE: Final = "unstable"

_GRANULOCYTES: Final = ("neutrophil", "eosinophil")
_LEUKOCYTES: Final = ("lymphocyte", "monocyte", *_GRANULOCYTES, DEAD)
_ON: Final = ("pos",)
_OFF: Final = ("neg",)

Rule = tuple[str, Mapping[str, tuple[str, ...]]]

_COMMON: Final[dict[str, Rule]] = {
    "time_qc": ("root", {"kind": (*_LEUKOCYTES, RED_CELL, DEBRIS, DOUBLET, BEAD, BEAD_DOUBLET)}),
    "singlets": ("time_qc", {"kind": (*_LEUKOCYTES, RED_CELL)}),
    "leuko": ("singlets", {"kind": _LEUKOCYTES}),
}
_MONONUCLEAR: Final[dict[str, Rule]] = {
    **_COMMON,
    "lympho": ("leuko", {"kind": ("lymphocyte", DEAD)}),
    "live": ("lympho", {"kind": ("lymphocyte",)}),
}
_TREG_LEVELS: Final = {"CD25": ("hi", "naive_hi"), "CD127": ("lo",)}

#: Tube → population → rule. Populations come after their parents.
POPULATIONS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "TBNK": {
        **_COMMON,
        "beads": ("time_qc", {"kind": (BEAD, BEAD_DOUBLET)}),
        "lympho": ("leuko", {"kind": ("lymphocyte",)}),
        "mono": ("leuko", {"kind": ("monocyte",)}),
        "gran": ("leuko", {"kind": _GRANULOCYTES}),
        "T": ("lympho", {"CD3": _ON, "CD19": _OFF}),
        "CD4": ("T", {"CD4": _ON, "CD8": _OFF}),
        "CD8": ("T", {"CD4": _OFF, "CD8": _ON}),
        "DP": ("T", {"CD4": _ON, "CD8": _ON}),
        "DN": ("T", {"CD4": _OFF, "CD8": _OFF}),
        "NKT_like": ("T", {"CD16+56": _ON}),
        "B": ("lympho", {"CD3": _OFF, "CD19": _ON}),
        "NK": ("lympho", {"CD3": _OFF, "CD19": _OFF, "CD16+56": _ON}),
    },
    "TREG": {
        **_MONONUCLEAR,
        "CD3": ("live", {"CD3": _ON}),
        "CD4": ("CD3", {"CD4": _ON, "CD8": _OFF}),
        "Treg": ("CD4", _TREG_LEVELS),
        "Treg_naive": ("Treg", {"CD45RA": _ON}),
        "Treg_memory": ("Treg", {"CD45RA": _OFF}),
        "Treg_activated": ("Treg", {"CD45RA": _OFF, "HLA-DR": _ON}),
        "Treg_FOXP3": ("Treg", {"FOXP3": _ON}),
        "Treg_Helios": ("Treg", {"Helios": _ON}),
        "Treg_ICOS": ("Treg", {"ICOS": _ON}),
        "Treg_CD39": ("Treg", {"CD39": _ON}),
        "Treg_Ki67": ("Treg", {"Ki67": _ON}),
        "Tconv": ("CD4", {"CD127": ("pos", "mid")}),
        "Tconv_naive": ("Tconv", {"CD45RA": _ON}),
        "Tconv_memory": ("Tconv", {"CD45RA": _OFF}),
        "Tconv_CD25": ("Tconv", {"CD25": ("lo",)}),
        "Tconv_HLADR": ("Tconv", {"HLA-DR": _ON}),
        "Tconv_Ki67": ("Tconv", {"Ki67": _ON}),
    },
    "TH17": {
        **_MONONUCLEAR,
        "CD3": ("live", {"CD3": _ON}),
        "CD4": ("CD3", {"CD4": _ON, "CD8": _OFF}),
        "CD25hiCD127lo": ("CD4", _TREG_LEVELS),
        "Tconv": ("CD4", {"CD127": ("pos",)}),
        "naive": ("CD4", {"CD45RA": _ON}),
        "memory": ("CD4", {"CD45RA": _OFF}),
        "cTfh": ("memory", {"CXCR5": _ON}),
        "nonTfh": ("memory", {"CXCR5": _OFF}),
        "Tconv_memory": ("nonTfh", {"CD127": ("pos",)}),
        "Th1": ("Tconv_memory", {"CXCR3": _ON, "CCR6": _OFF, "CCR4": _OFF}),
        "Th2": ("Tconv_memory", {"CXCR3": _OFF, "CCR6": _OFF, "CCR4": _ON}),
        "Th17": ("Tconv_memory", {"CXCR3": _OFF, "CCR6": _ON, "CCR4": _ON}),
        "Th17_CD161": ("Th17", {"CD161": _ON}),
        "Th17.1": ("Tconv_memory", {"CXCR3": _ON, "CCR6": _ON, "CCR4": _OFF}),
    },
    "NK": {
        **_MONONUCLEAR,
        "CD3neg": ("live", {"CD3": _OFF}),
        "lin_neg": ("CD3neg", {"Dump": _OFF}),
        "NK": ("lin_neg", {NK_LINEAGE: _ON}),
        "CD56bright": ("NK", {"CD56": ("bright",)}),
        "CD56bright_CD16neg": ("CD56bright", {"CD16": _OFF}),
        "CD56bright_CD16pos": ("CD56bright", {"CD16": ("lo",)}),
        "CD56bright_CD25": ("CD56bright", {"CD25": ("induced",)}),
        "CD56dim": ("NK", {"CD56": ("dim",), "CD16": _ON}),
        "CD56dim_CD57": ("CD56dim", {"CD57": _ON}),
        "CD56dim_CD16neg": ("NK", {"CD56": ("dim",), "CD16": _OFF}),
        "CD56neg": ("NK", {"CD56": _OFF, "CD16": _ON}),
        "NK_NKG2A": ("NK", {"NKG2A": _ON}),
        "NK_HLADR": ("NK", {"HLA-DR": _ON}),
        "NK_CD69": ("NK", {"CD69": _ON}),
    },
}


def population_path(tube: str, name: str) -> str:
    """Path of a population from the root.

    Examples
    --------
    >>> population_path("NK", "lympho")
    'time_qc/singlets/leuko/lympho'
    """
    parent = POPULATIONS[tube][name][0]
    return name if parent == "root" else f"{population_path(tube, parent)}/{name}"


def members(tube: str, classes: Sequence[CellClass]) -> dict[str, NDArray[np.bool_]]:
    """Which `classes` each population of a tube holds, in the order of the rules, each array ``(n_classes,)``."""
    found = {"root": np.ones(len(classes), dtype=np.bool_)}
    for name, (parent, wanted) in POPULATIONS[tube].items():
        fits = [
            all((one.kind if key == "kind" else one.level(key)) in allowed for key, allowed in wanted.items())
            for one in classes
        ]
        found[name] = found[parent] & np.array(fits, dtype=np.bool_)
    del found["root"]
    return found
