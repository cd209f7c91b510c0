"""Single stains before and after compensation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import SpilloverMatrix
from il2cyto.pl.style import INK, MUTED, plain_spines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
#: Intensities below this many units look linear.
_LINEAR = 150.0
_EVENTS = 1_500


def before_and_after(stains: Sequence[tuple[str, FloatArray]], matrix: SpilloverMatrix) -> Figure:
    """Draw each single stain in its detector and in the one that it spills into most, uncompensated and compensated.

    Parameters
    ----------
    stains
        Detector and uncompensated values, float64 ``(n_events, n_detectors)``, of each control.
    matrix
        The matrix; its detectors name the columns.

    Returns
    -------
    Figure
        A row per stain: left before, right after; a well-compensated stain lies along the line of zero.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.1 * len(stains)), layout="constrained")
    axes = figure.subplots(len(stains), 2, squeeze=False)
    inverse = np.linalg.inv(matrix.values)
    for row, (detector, values) in zip(axes, stains, strict=True):
        own = matrix.detectors.index(detector)
        spill = matrix.values[own].copy()
        spill[own] = -np.inf
        other = int(spill.argmax())
        step = max(len(values) // _EVENTS, 1)
        for ax, shown, title in ((row[0], values, "before"), (row[1], values @ inverse, "after")):
            x, y = (np.arcsinh(shown[::step, k] / _LINEAR) for k in (own, other))
            ax.scatter(x, y, s=3, color=INK, alpha=0.25, linewidths=0)
            ax.axhline(0.0, color=MUTED, linewidth=0.8)
            ax.set_title(f"{title}: {spill[other]:.1%} of {detector} in {matrix.detectors[other]}", fontsize=8)
            ax.set_xlabel(f"{detector} (arcsinh)", fontsize=7)
            ax.set_ylabel(f"{matrix.detectors[other]} (arcsinh)", fontsize=7)
            ax.tick_params(labelsize=6)
            plain_spines(ax)
        low, high = (np.quantile([ax.get_ylim()[k] for ax in row], float(k)) for k in (0, 1))
        for ax in row:
            ax.set_ylim(low, high)
    return figure
