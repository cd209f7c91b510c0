"""Coordinates of chosen events on the axes of gates, for pictures and notebooks; the engine does not pass here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from il2cyto.gates import Dimension, Ratio
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.gating.bind import Binder, MarkerAbsent
from il2cyto.gating.result import GatingResult

FloatArray = NDArray[np.float64]


def linear_values(result: GatingResult, dimension: Dimension, events: NDArray[np.int64]) -> FloatArray | None:
    """Return compensated linear values of some events on one dimension, before its transform.

    Parameters
    ----------
    result
        The sample, the strategy and the panel.
    dimension
        Channel, marker or ratio with its compensation.
    events
        Positions of the events, shape ``(n,)``.

    Returns
    -------
    float64 ``(n,)`` in instrument units, or ``None`` where the file lacks the marker.
    """
    sample, strategy = result.sample, result.strategy
    if isinstance(dimension.source, Ratio):
        ratio = dimension.source
        parts = [
            linear_values(result, replace(dimension, source=name), events)
            for name in (ratio.numerator, ratio.denominator)
        ]
        if parts[0] is None or parts[1] is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(ratio.A * ((parts[0] - ratio.B) / (parts[1] - ratio.C)), dtype=np.float64)
    stride = sample.layout.stride
    rows = np.ascontiguousarray(sample.data.reshape(-1, stride)[events]).reshape(-1)
    chosen = replace(sample, data=rows, n_events=len(events))
    matrix = None
    if dimension.compensation not in (UNCOMPENSATED, FROM_FILE):
        matrix = strategy.matrices[dimension.compensation]
    elif dimension.compensation == FROM_FILE:
        matrix = sample.spillover
    binder = Binder(strategy, sample, result.panel)
    if matrix is not None and dimension.source in matrix.fluorochromes:
        row = matrix.fluorochromes.index(dimension.source)
    else:
        try:
            channel = binder.channel(dimension.source)
        except MarkerAbsent:
            return None
        pnn = sample.channels[channel].pnn
        square = matrix is not None and len(matrix.fluorochromes) == len(matrix.detectors)
        if matrix is None or not square or pnn not in matrix.detectors:
            return chosen.linear([channel])[:, 0]
        row = matrix.detectors.index(pnn)
    values = chosen.linear([sample.index(name) for name in matrix.detectors])
    total = np.zeros(len(events))
    for j in range(values.shape[1]):
        total += matrix.weights[row, j] * values[:, j]
    return total
