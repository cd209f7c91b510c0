"""How far a tube lies from the others at one gate, in robust standard deviations; as the report's page computes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Modified z-scores above this are potential outliers (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
ODD = 3.5
#: Fewer tubes say nothing, and fewer events have no position.
LEAST_TUBES, LEAST_EVENTS = 5, 5
#: Smallest spread between tubes that is believed: 5 % of the odds, 1 % of an axis.
FLOOR_ODDS, FLOOR_AXIS = 0.05, 0.01
#: Standard error of a median over that of a mean, of normal values.
_MEDIAN_ERROR = 1.2533


def tube_oddness(gates: Sequence[Mapping[str, Any]], spans: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
    """Return the largest deviation of each tube from the median of all, at one gate.

    Three things are compared: the log odds of the percentage of the parent, and the median position of the population
    on each axis. A deviation is the distance from the median of the tubes, divided by the root of the sum of squares of
    1.4826 × the median absolute deviation, of a floor, and of the tube's own counting error: a population of few events
    is not odd by chance alone.

    Parameters
    ----------
    gates
        The entries of one population in ``plots.json``, one per tube.
    spans
        Lengths of both axes, in axis units.

    Returns
    -------
    float64 ``(n_tubes,)``, in robust standard deviations; NaN where there are too few tubes or no numbers.

    Examples
    --------
    >>> gate = {"count": 500, "parent_count": 1000, "center": [0.5, 0.5], "spread": [0.1, 0.1]}
    >>> moved = {**gate, "center": [0.9, 0.5]}
    >>> tube_oddness([gate, gate, gate, gate, gate, moved]).round(1).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 34.9]
    """
    measures = [(np.array([_odds(gate) for gate in gates]).reshape(-1, 2), FLOOR_ODDS)]
    for axis, span in enumerate(spans):
        measures.append((np.array([_place(gate, axis) for gate in gates]).reshape(-1, 2), FLOOR_AXIS * span))
    found = np.full((len(measures), len(gates)), np.nan)
    for row, (values, floor) in zip(found, measures, strict=True):
        known = np.isfinite(values[:, 0])
        if known.sum() < LEAST_TUBES:
            continue
        middle = np.median(values[known, 0])
        spread = 1.4826 * np.median(np.abs(values[known, 0] - middle))
        row[known] = np.abs(values[known, 0] - middle) / np.sqrt(spread**2 + floor**2 + values[known, 1])
    largest: NDArray[np.float64] = np.fmax.reduce(found, axis=0)
    return largest


def _odds(gate: Mapping[str, Any]) -> tuple[float, float]:
    """Log odds of the percentage, and the variance of counting."""
    count, parent = gate.get("count"), gate.get("parent_count")
    if count is None or not parent:
        return math.nan, math.nan
    inside, outside = count + 0.5, parent - count + 0.5
    return math.log(inside / outside), 1 / inside + 1 / outside


def _place(gate: Mapping[str, Any], axis: int) -> tuple[float, float]:
    """Median position on an axis, and the variance of a median."""
    center, spread, count = gate.get("center") or (), gate.get("spread") or (), gate.get("count") or 0
    if len(center) <= axis or center[axis] is None or count < LEAST_EVENTS:
        return math.nan, math.nan
    return center[axis], (_MEDIAN_ERROR * spread[axis]) ** 2 / count
