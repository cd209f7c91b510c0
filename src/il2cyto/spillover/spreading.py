"""How much a dye widens the populations of other detectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import SpilloverMatrix
from il2cyto.spillover.stains import Stain, split

FloatArray = NDArray[np.float64]


def spreading_matrix(stains: Sequence[Stain], unstained: FloatArray, matrix: SpilloverMatrix) -> FloatArray:
    """Return the spillover spreading matrix, float64 ``(n_dyes, n_detectors)`` in the order of the matrix.

    Parameters
    ----------
    stains
        Single stains, uncompensated.
    unstained
        Values of the unstained control, float64 ``(n_events, n_detectors)``.
    matrix
        Compensates both; its detectors name the columns.

    Notes
    -----
    Nguyen et al. (Cytometry A 2013, 83A:306): ``sqrt((σ₊² - σ₋²) / (F₊ - F₋))`` with σ the 84th less the 50th
    percentile of compensated values in another detector and F the median in the dye's own, of events with and without
    the dye. A dye that does not widen a detector has 0 there. NaN on the diagonal and where a control has too few
    events.
    """
    by_detector = {stain.detector: stain for stain in stains}
    result = np.full(matrix.values.shape, np.nan)
    for k, name in enumerate(matrix.detectors):
        if name not in by_detector:
            continue
        parts = split(by_detector[name], k, unstained)
        if parts.reason:
            continue
        positive, negative = (part @ np.linalg.inv(matrix.values) for part in (parts.positive, parts.negative))
        gained = np.median(positive[:, k]) - np.median(negative[:, k])
        variances = []
        for part in (positive, negative):
            middle, high = np.quantile(part, [0.5, 0.84], axis=0)
            variances.append((high - middle) ** 2)
        result[k] = np.sqrt(np.maximum(variances[0] - variances[1], 0.0) / gained)
        result[k, k] = np.nan
    return result
