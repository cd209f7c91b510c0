"""How the quantities of the blood vary: medians, spread, response to treatment.

Every quantity is log-normal (counts per µL) or logit-normal (shares of a parent), with a between-subject and a
within-subject standard deviation. Medians and standard deviations follow published lupus and low-dose interleukin-2
studies where those exist (He 2020, Hao's and Qin's counts of Treg and Th17 per µL, Shearer 2003); the rest are
plausible values chosen for this simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np


@dataclass(frozen=True)
class Quantity:
    """One quantity of the blood and how it varies.

    Parameters
    ----------
    kind
        ``count`` (cells/µL, a ratio or a concentration) or ``share`` (0 to 1, of the parent population).
    median
        Median at baseline in active childhood lupus.
    omega, sigma
        Between-subject and within-subject SD on the natural-log scale (of a share: log scale at its median).
    peak
        Ratio to baseline after the fifth dose of a first course.
    drift
        Log change per 182 days that both arms share.
    per_year
        Log change per year of age, around 12 years.
    """

    kind: Literal["count", "share"]
    median: float
    omega: float
    sigma: float
    peak: float = 1.0
    drift: float = 0.0
    per_year: float = 0.0

    def log_peak(self) -> float:
        """Log of the peak ratio: of the count, or of the odds of a share."""
        if self.kind == "count":
            return float(np.log(self.peak))
        return float(np.log(self.peak * (1 - self.median) / (1 - self.peak * self.median)))

    def value(self, deviation: float, effect: float) -> float:
        """Value for a deviation (log scale) and an `effect` (log ratio of counts or odds)."""
        if self.kind == "count":
            return float(self.median * np.exp(deviation + effect))
        # a log-scale SD of s is a logit-scale SD of s / (1 - p) at the median p
        logit = np.log(self.median / (1 - self.median)) + deviation / (1 - self.median) + effect
        return float(1 / (1 + np.exp(-logit)))


def _count(median: float, omega: float, sigma: float, peak: float = 1.0, **more: float) -> Quantity:
    return Quantity("count", median, omega, sigma, peak, **more)


def _share(median: float, omega: float, sigma: float, peak: float = 1.0, **more: float) -> Quantity:
    return Quantity("share", median, omega, sigma, peak, **more)


#: Cells of the blood. Counts are cells/µL or a ratio of cells; shares are named ``<child>_of_<parent>``.
CELLS: Final[Mapping[str, Quantity]] = {
    "t": _count(1140.0, 0.40, 0.15, 1.25, drift=0.06, per_year=-0.035),
    "b": _count(220.0, 0.55, 0.20, 1.20),
    "nk_bright": _count(8.0, 0.45, 0.25, 2.00),
    "nk_dim": _count(100.0, 0.55, 0.25, 1.20),
    "nk_neg": _count(6.0, 0.45, 0.20),
    "null": _count(20.0, 0.30, 0.10),
    "mono": _count(380.0, 0.35, 0.20),
    "neut": _count(3300.0, 0.35, 0.25),
    "eos": _count(80.0, 0.70, 0.25, 2.00),
    "cd4_of_t": _share(0.48, 0.15, 0.06, 1.05),
    # of T cells that are not CD4+CD8-
    "dp_of_rest": _share(0.02, 0.30, 0.10),
    "dn_of_rest": _share(0.12, 0.30, 0.10),
    "nkt_of_cd8": _share(0.10, 0.40, 0.15),
    "nkt_of_cd4": _share(0.01, 0.40, 0.15),
    # wider than a share alone would be: with `TREG_ON_T` it gives Treg per µL their published spread
    "treg_of_cd4": _share(0.055, 0.42, 0.12, 2.00, drift=0.09),
    "memory_of_tconv": _share(0.38, 0.20, 0.05, per_year=0.03),
    "memory_of_treg": _share(0.45, 0.18, 0.06, 1.10, per_year=0.02),
    "hladr_of_treg_memory": _share(0.35, 0.20, 0.10, 1.30),
    "foxp3_of_treg": _share(0.90, 0.03, 0.02, 1.02),
    "helios_of_treg": _share(0.80, 0.05, 0.03),
    "icos_of_treg": _share(0.20, 0.25, 0.12, 1.50),
    "cd39_of_treg": _share(0.35, 0.50, 0.06),
    "ki67_of_treg": _share(0.10, 0.25, 0.15, 4.00),
    # activated conventional cells: interleukin-2 brings some CD25 up on them
    "cd127lo_of_tconv_active": _share(0.50, 0.20, 0.10),
    "cd25_of_tconv_naive": _share(0.03, 0.25, 0.10, 1.10),
    "cd25_of_tconv_memory": _share(0.22, 0.25, 0.10, 1.10),
    "hladr_of_tconv_memory": _share(0.08, 0.35, 0.15),
    "ki67_of_tconv_memory": _share(0.05, 0.30, 0.15),
    "ctfh_of_memory": _share(0.15, 0.20, 0.10),
    # effector memory cells of each kind per cell without CXCR3, CCR6 and CCR4 (44 % of them at the medians)
    "th1_per_rest": _count(0.545, 0.30, 0.10),
    "th2_per_rest": _count(0.341, 0.25, 0.10),
    "th17_per_rest": _count(0.114, 0.45, 0.18, 1.25, drift=-0.10, per_year=0.05),
    "th17_1_per_rest": _count(0.159, 0.30, 0.12),
    "mixed_per_rest": _count(0.114, 0.20, 0.10),
    "cd161_of_th17": _share(0.60, 0.15, 0.05),
    "cd16_of_nk_bright": _share(0.20, 0.30, 0.10, 1.40),
    "cd16neg_of_nk_dim": _share(0.06, 0.30, 0.12),
    "cd25_of_nk_bright": _share(0.20, 0.30, 0.12, 2.50),
    "cd57_of_nk_dim": _share(0.35, 0.35, 0.06),
    "hladr_of_nk_dim": _share(0.12, 0.35, 0.15, 1.20),
    "cd69_of_nk_dim": _share(0.06, 0.35, 0.20, 1.20),
    "nkg2a_of_nk_dim": _share(0.45, 0.25, 0.06),
}

#: Log shift of medians by diagnosis; the medians themselves are those of active childhood lupus.
DIAGNOSIS_SHIFT: Final[Mapping[str, Mapping[str, float]]] = {
    "SLE": {},
    "pSS": {"t": 0.10, "b": 0.10},
    "JIA": {"t": 0.35, "b": 0.20, "nk_dim": 0.30, "treg_of_cd4": 0.10},
}
#: Further shift with lupus nephritis: 4.5 instead of 5.5 % Treg.
NEPHRITIS_SHIFT: Final[Mapping[str, float]] = {"treg_of_cd4": -0.20}
#: Correlation of the lasting deviation of a quantity with the severity of the disease.
SEVERITY: Final[Mapping[str, float]] = {
    "t": -0.30,
    "nk_dim": -0.20,
    "treg_of_cd4": -0.15,
    "IL-6": 0.40,
    "IL-10": 0.40,
    "IFN-g": 0.20,
    "sCD25": 0.40,
}
#: Correlation between subjects of the Treg share with the T cells; it brings that of Treg/µL with CD4/µL to 0.6.
TREG_ON_T: Final = -0.34
