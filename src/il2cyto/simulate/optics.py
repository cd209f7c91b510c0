"""How cells look to a cytometer: scatter, light, what spills into which detector, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.simulate.overlap import OVERLAPPING, SCATTER_WIDENING, STAINING_SD, TALLEST_PAIR
from il2cyto.simulate.panels import Level, TubePanel, level
from il2cyto.simulate.phenotypes import CellClass
from il2cyto.simulate.populations import BEAD, BEAD_DOUBLET, DEAD, DEBRIS, RED_CELL

#: Variance of the light per unit of signal, and SD of the electronics.
_PHOTON_VARIANCE: Final = 6.0
_ELECTRONIC_SD: Final = 80.0
#: SD (log) of staining from tube to tube, per detector.
_STAINING_SD: Final = 0.02
#: By what share CD25 rises at full drug effect: on Treg, on CD56bright NK, and less on activated conventional cells.
_CD25_GAIN: Final = {"hi": 0.4, "naive_hi": 0.4, "induced": 0.4, "lo": 0.25}
#: Classes that scatter more also shine more by themselves.
_AUTOFLUORESCENCE: Final = {"monocyte": 3.0, "neutrophil": 3.0, "eosinophil": 6.0}
#: Forward and side scatter: median area and SD of its logarithm.
_SCATTER: Final[dict[str, tuple[float, float, float, float]]] = {
    "lymphocyte": (70e3, 0.075, 25e3, 0.13),
    "monocyte": (105e3, 0.08, 70e3, 0.10),
    "neutrophil": (120e3, 0.08, 165e3, 0.09),
    "eosinophil": (112e3, 0.08, 185e3, 0.08),
    DEAD: (60e3, 0.08, 27e3, 0.11),
    RED_CELL: (46e3, 0.08, 12e3, 0.20),
    DEBRIS: (8e3, 0.28, 6e3, 0.45),
    BEAD: (14e3, 0.05, 60e3, 0.06),
    BEAD_DOUBLET: (28e3, 0.05, 120e3, 0.06),
}
_HEIGHT_PER_AREA: Final = 0.9


def brightness(marker: str, name: str, separable: bool) -> Level:
    """Brightness of a level of a marker, among separable or overlapping populations.

    Examples
    --------
    >>> brightness("CCR6", "pos", False).spread > brightness("CCR6", "pos", True).spread
    True
    """
    own = OVERLAPPING.get(marker, {}) if not separable else {}
    return own[name] if name in own else level(marker, name)


class Optics:
    """Draws the scatter and the light of events of given classes.

    Parameters
    ----------
    rng
        Source of every draw.
    course
        Level of the drug effect, which raises CD25.
    separable
        ``False`` lets the peaks overlap as in `il2cyto.simulate.overlap`.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        panel: TubePanel,
        classes: Sequence[CellClass],
        *,
        course: float = 0.0,
        separable: bool = True,
    ) -> None:
        median = np.empty((len(classes), len(panel.markers)), dtype=np.float32)
        spread = np.empty_like(median)
        scatter = np.empty((len(classes), 4), dtype=np.float32)
        for i, one in enumerate(classes):
            # doublets and the unstable start borrow the optics of other classes
            scatter[i] = _SCATTER.get(one.kind, (1.0, 0.0, 1.0, 0.0))
            for j, marker in enumerate(panel.markers):
                name = one.level(marker)
                look = brightness(marker, name, separable)
                factor = _AUTOFLUORESCENCE.get(one.kind, 1.0) if name == "neg" else 1.0
                factor *= 1.0 + _CD25_GAIN.get(name, 0.0) * course if marker == "CD25" else 1.0
                median[i, j] = look.median * factor
                spread[i, j] = look.spread
        scatter[:, 1::2] *= 1.0 if separable else SCATTER_WIDENING
        staining = np.exp(rng.normal(0.0, _STAINING_SD if separable else STAINING_SD, size=len(panel.markers)))
        self._rng = rng
        self._median = median * staining.astype(np.float32)
        self._spread = spread
        self._scatter = scatter
        self._tallest_pair = 0.62 if separable else TALLEST_PAIR

    def draw(self, index: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Fluorescence ``(n, p)`` and scatter ``(n, 3)`` of classes `index`."""
        n = len(index)
        light = self._rng.standard_normal((n, self._median.shape[1]), dtype=np.float32)
        light *= self._spread[index]
        np.exp(light, out=light)
        light *= self._median[index]
        z = self._rng.standard_normal((n, 3), dtype=np.float32)
        own = self._scatter[index]
        forward = own[:, 0] * np.exp(own[:, 1] * z[:, 0])
        side = own[:, 2] * np.exp(own[:, 3] * z[:, 1])
        height = forward * np.float32(_HEIGHT_PER_AREA) * (1 + np.float32(0.025) * z[:, 2])
        return light, np.stack([forward, height, side], axis=1)

    def draw_pairs(self, n: int, share: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Light and scatter of `n` pairs of cells seen as one, drawn with the `share` of each class.

        Areas add up; the height hardly exceeds that of one cell.
        """
        light, scatter = self.draw(self._rng.choice(len(share), size=2 * n, p=share))
        light = light[:n] + light[n:]
        scatter = scatter[:n] + scatter[n:]
        scatter[:, 1] *= self._rng.uniform(0.50, self._tallest_pair, size=n).astype(np.float32)
        return light, scatter


def spill(light: NDArray[np.float32], spillover: NDArray[np.float64]) -> NDArray[np.float32]:
    """Light that each detector sees: ``light @ spillover``, ``(n, p)``.

    Summed term by term in a fixed order, because a threaded matrix product need not give the same last bit twice.
    """
    seen = light.copy()
    for source, detector in zip(*np.nonzero(spillover - np.eye(len(spillover))), strict=True):
        seen[:, detector] += np.float32(spillover[source, detector]) * light[:, source]
    return seen


def measure(
    rng: np.random.Generator, light: NDArray[np.float32], spillover: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values that the detectors give for `light`, ``(n, p)``: spilled, with photon and electronic noise."""
    signal = spill(light, spillover)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise *= np.sqrt(np.float32(_PHOTON_VARIANCE) * signal + np.float32(_ELECTRONIC_SD**2))
    return signal + noise
