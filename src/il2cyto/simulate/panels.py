"""The simulated instrument: detectors of each tube, spillover between them, how bright each level of a marker is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Top of the linear range of every detector; brighter events pile up there.
SATURATION: Final = 262143.0
#: Seconds per tick of the time channel.
TIMESTEP: Final = 0.01
SCATTER: Final = ("FSC-A", "FSC-H", "SSC-A")
TIME: Final = "Time"


@dataclass(frozen=True)
class Detector:
    """One fluorescence detector: `$PnN`, the marker on it, excitation and emission in nm."""

    channel: str
    marker: str
    laser: int
    emission: int


@dataclass(frozen=True)
class Level:
    """Brightness of a marker: median fluorescence on the linear scale and SD of its natural logarithm."""

    median: float
    spread: float


@dataclass(frozen=True)
class TubePanel:
    """One tube of the simulated study.

    Parameters
    ----------
    name
        Name of the tube, as in ``study.yaml``.
    strategy
        Folder of the gating strategy that reads it.
    whole_blood
        ``True`` for lysed, unwashed whole blood with counting beads; ``False`` for washed mononuclear cells.
    """

    name: str
    strategy: str
    whole_blood: bool
    detectors: tuple[Detector, ...]

    @property
    def markers(self) -> tuple[str, ...]:
        """Markers in detector order."""
        return tuple(detector.marker for detector in self.detectors)

    @property
    def channels(self) -> tuple[str, ...]:
        """Every `$PnN` of the file: scatter, fluorescence, time."""
        return (*SCATTER, *(detector.channel for detector in self.detectors), TIME)

    def spillover(self) -> NDArray[np.float64]:
        """Spillover of fluorochromes (rows) into detectors (columns), ``(p, p)`` with ones on the diagonal.

        Neighbours on one laser spill most (15 % for the next detector towards the red, less towards the blue), the same
        emission band of another laser a little; anything under 0.5 % is left out.
        """
        laser = np.array([detector.laser for detector in self.detectors])
        emission = np.array([float(detector.emission) for detector in self.detectors])
        shift = emission[None, :] - emission[:, None]
        redward = np.exp(-np.abs(shift) / np.where(shift >= 0, 60.0, 25.0))
        strength = np.where(laser[None, :] == laser[:, None], 0.25, 0.04)
        matrix: NDArray[np.float64] = np.minimum(strength * redward, 0.15)
        matrix[matrix < 0.005] = 0.0
        np.fill_diagonal(matrix, 1.0)
        return matrix.round(4)


#: Brightness of the levels that most markers have.
_COMMON: Final[Mapping[str, Level]] = {
    "neg": Level(70.0, 0.45),
    "lo": Level(2500.0, 0.25),
    "pos": Level(12000.0, 0.26),
    # dead cells and lineages on which the marker is of no interest
    "wide": Level(1500.0, 1.0),
}

#: Brightness where it differs from the common one.
_SPECIAL: Final[Mapping[str, Mapping[str, Level]]] = {
    "CD45": {
        "dim": Level(2500.0, 0.15),
        "lo": Level(9000.0, 0.18),
        "mid": Level(27000.0, 0.14),
        "pos": Level(45000.0, 0.13),
    },
    "CD4": {"pos": Level(20000.0, 0.20)},
    "CD8": {"pos": Level(25000.0, 0.24)},
    "Beads": {"pos": Level(90000.0, 0.04), "double": Level(180000.0, 0.04)},
    "CD25": {
        "neg": Level(100.0, 0.5),
        "lo": Level(1700.0, 0.24),
        "naive_hi": Level(9000.0, 0.22),
        "hi": Level(14000.0, 0.24),
        # on CD56bright NK cells
        "induced": Level(4000.0, 0.24),
    },
    # activation takes CD127 down, though not to where Treg are
    "CD127": {"lo": Level(480.0, 0.35), "mid": Level(5500.0, 0.16), "pos": Level(9000.0, 0.24)},
    "HLA-DR": {"pos": Level(8000.0, 0.28)},
    "FOXP3": {"pos": Level(5500.0, 0.25)},
    "Helios": {"pos": Level(5000.0, 0.25)},
    "ICOS": {"pos": Level(5000.0, 0.25)},
    "CD39": {"pos": Level(7000.0, 0.28)},
    "Ki67": {"pos": Level(8000.0, 0.28)},
    "CXCR3": {"pos": Level(5000.0, 0.25)},
    "CCR6": {"pos": Level(6000.0, 0.25)},
    "CCR4": {"pos": Level(6000.0, 0.25)},
    "CXCR5": {"pos": Level(5500.0, 0.25)},
    "CD161": {"pos": Level(7000.0, 0.28)},
    "CD56": {"dim": Level(4000.0, 0.21), "bright": Level(32000.0, 0.19)},
    "CD16": {"lo": Level(6500.0, 0.24), "pos": Level(16000.0, 0.26)},
    "CD69": {"pos": Level(6000.0, 0.26)},
}


def level(marker: str, name: str) -> Level:
    """Brightness of a level of a marker.

    Raises
    ------
    KeyError
        If the marker has no such level.

    Examples
    --------
    >>> level("CD56", "bright").median > level("CD56", "dim").median
    True
    """
    own = _SPECIAL.get(marker, {})
    return own[name] if name in own else _COMMON[name]


TBNK: Final = TubePanel(
    "TBNK",
    "tbnk",
    True,
    (
        Detector("FITC-A", "CD3", 488, 520),
        Detector("PE-A", "CD16+56", 488, 578),
        Detector("PerCP-Cy5-5-A", "CD45", 488, 695),
        Detector("PE-Cy7-A", "CD4", 488, 780),
        Detector("APC-A", "CD19", 640, 660),
        Detector("APC-Cy7-A", "CD8", 640, 780),
        Detector("V450-A", "Beads", 405, 450),
    ),
)

TREG: Final = TubePanel(
    "TREG",
    "treg",
    False,
    (
        Detector("BUV395-A", "CD45", 355, 395),
        Detector("BUV496-A", "CD3", 355, 496),
        Detector("BUV737-A", "CD8", 355, 737),
        Detector("BV421-A", "CD127", 405, 421),
        Detector("BV605-A", "HLA-DR", 405, 605),
        Detector("BV711-A", "ICOS", 405, 711),
        Detector("BV786-A", "CD39", 405, 786),
        Detector("BB515-A", "CD45RA", 488, 515),
        Detector("PerCP-Cy5-5-A", "CD4", 488, 695),
        Detector("PE-A", "FOXP3", 561, 578),
        Detector("PE-CF594-A", "Helios", 561, 612),
        Detector("PE-Cy7-A", "CD25", 561, 780),
        Detector("AF647-A", "Ki67", 640, 668),
        Detector("eFluor780-A", "Viability", 640, 780),
    ),
)

TH17: Final = TubePanel(
    "TH17",
    "th17",
    False,
    (
        Detector("BUV395-A", "CD45", 355, 395),
        Detector("BUV496-A", "CD3", 355, 496),
        Detector("BUV737-A", "CD8", 355, 737),
        Detector("BV421-A", "CXCR3", 405, 421),
        Detector("BV711-A", "CD161", 405, 711),
        Detector("BV786-A", "CD127", 405, 786),
        Detector("BB515-A", "CD45RA", 488, 515),
        Detector("PerCP-Cy5-5-A", "CD4", 488, 695),
        Detector("PE-A", "CCR6", 561, 578),
        Detector("PE-CF594-A", "CXCR5", 561, 612),
        Detector("PE-Cy7-A", "CD25", 561, 780),
        Detector("AF647-A", "CCR4", 640, 668),
        Detector("eFluor780-A", "Viability", 640, 780),
    ),
)

NK: Final = TubePanel(
    "NK",
    "nk",
    False,
    (
        Detector("BUV395-A", "CD45", 355, 395),
        Detector("BUV496-A", "CD3", 355, 496),
        Detector("BUV737-A", "CD16", 355, 737),
        Detector("BV421-A", "CD56", 405, 421),
        Detector("BV510-A", "Dump", 405, 510),
        Detector("BV605-A", "CD69", 405, 605),
        Detector("BV711-A", "HLA-DR", 405, 711),
        Detector("BB515-A", "CD57", 488, 515),
        Detector("PE-A", "NKG2A", 561, 578),
        Detector("PE-Cy7-A", "CD25", 561, 780),
        Detector("eFluor780-A", "Viability", 640, 780),
    ),
)

#: The tubes of a visit, by name.
PANELS: Final[Mapping[str, TubePanel]] = {panel.name: panel for panel in (TBNK, TREG, TH17, NK)}
