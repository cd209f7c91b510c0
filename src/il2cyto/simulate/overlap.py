"""How far populations overlap when they are not kept apart: brightness of each level, fixed beforehand.

Peaks of real cells are broader than those of the separable demo, and negative cells have a bright tail. The table was
set from mixtures of two normal components fitted to the asinh of compensated intensities of public files (an adult and
two cord bloods on a 29-colour spectral panel, and the centrally gated HIPC Lyoplate panels); ``MEASURED`` keeps what
was seen there. The medians put each packaged threshold where it loses about as many positive cells as it lets negative
ones in, so that fixed gates are nearly unbiased at baseline and wrong for single cells. Nothing here follows from how
well a gate does on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from il2cyto.simulate.panels import Level

#: Separation of the two components of a marker on real cells: difference of their means over the root mean square of
#: their SD, lowest and highest of the specimens.
MEASURED: Final[Mapping[str, tuple[float, float]]] = {
    "CD3": (5.5, 6.8),
    "CD4": (5.2, 6.5),
    "CD8": (5.4, 7.9),
    "CD25": (1.3, 5.2),
    "CD127": (1.0, 4.5),
    "CD45RA": (1.4, 2.6),
    "CXCR3": (2.3, 2.9),
    "CCR6": (0.2, 1.5),
    "CCR4": (3.4, 5.9),
    "CD161": (2.4, 4.0),
}

#: Levels that differ from those of `panels` when populations overlap.
OVERLAPPING: Final[Mapping[str, Mapping[str, Level]]] = {
    "CD45": {
        "dim": Level(2400.0, 0.25),
        "lo": Level(9000.0, 0.25),
        "mid": Level(27000.0, 0.2),
        "pos": Level(45000.0, 0.2),
    },
    "CD3": {"neg": Level(90.0, 0.6), "pos": Level(12000.0, 0.40)},
    "CD4": {"neg": Level(90.0, 0.6), "pos": Level(20000.0, 0.34)},
    "CD8": {"neg": Level(90.0, 0.6), "pos": Level(25000.0, 0.48)},
    "CD19": {"neg": Level(90.0, 0.6), "pos": Level(12000.0, 0.45)},
    "CD16+56": {"neg": Level(110.0, 0.65), "pos": Level(12000.0, 0.60)},
    "Viability": {"neg": Level(110.0, 0.65), "pos": Level(12000.0, 0.55)},
    "Dump": {"neg": Level(110.0, 0.65), "pos": Level(12000.0, 0.50)},
    "CD25": {
        "neg": Level(140.0, 0.75),
        "lo": Level(1650.0, 0.42),
        "naive_hi": Level(5800.0, 0.52),
        "hi": Level(12500.0, 0.48),
        "induced": Level(3000.0, 0.50),
    },
    "CD127": {"lo": Level(580.0, 0.66), "mid": Level(4200.0, 0.52), "pos": Level(7000.0, 0.58)},
    "CD45RA": {"neg": Level(340.0, 0.90), "pos": Level(7500.0, 0.65)},
    "HLA-DR": {"neg": Level(120.0, 0.75), "pos": Level(5000.0, 0.60)},
    "FOXP3": {"neg": Level(200.0, 0.70), "pos": Level(4500.0, 0.55)},
    "Helios": {"neg": Level(200.0, 0.70), "pos": Level(4500.0, 0.55)},
    "ICOS": {"neg": Level(170.0, 0.75), "pos": Level(3200.0, 0.55)},
    "CD39": {"neg": Level(170.0, 0.75), "pos": Level(6500.0, 0.70)},
    "Ki67": {"neg": Level(125.0, 0.73), "pos": Level(5000.0, 0.60)},
    "CXCR3": {"neg": Level(215.0, 0.85), "pos": Level(4300.0, 0.70)},
    "CCR6": {"neg": Level(195.0, 0.80), "pos": Level(3900.0, 0.65)},
    "CCR4": {"neg": Level(230.0, 0.80), "pos": Level(4100.0, 0.65)},
    "CXCR5": {"neg": Level(180.0, 0.75), "pos": Level(3000.0, 0.55)},
    "CD161": {"neg": Level(220.0, 0.85), "pos": Level(5600.0, 0.75)},
    "CD56": {"neg": Level(130.0, 0.70), "dim": Level(3700.0, 0.37), "bright": Level(30000.0, 0.40)},
    "CD16": {"neg": Level(150.0, 0.75), "lo": Level(5000.0, 0.50), "pos": Level(14000.0, 0.50)},
    "CD57": {"neg": Level(200.0, 0.80), "pos": Level(12000.0, 0.70)},
    "NKG2A": {"neg": Level(220.0, 0.80), "pos": Level(9000.0, 0.60)},
    "CD69": {"neg": Level(150.0, 0.75), "pos": Level(3800.0, 0.60)},
}
#: Factor on the SD of scatter.
SCATTER_WIDENING: Final = 1.35
#: Tallest pair of cells seen as one, relative to the sum of both heights.
TALLEST_PAIR: Final = 0.85
#: SD (log) of staining from tube to tube, per detector.
STAINING_SD: Final = 0.05
