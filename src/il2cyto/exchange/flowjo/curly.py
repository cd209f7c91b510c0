"""FlowJo's curly quadrants: the borders towards the positive side bend upwards, since bright cells spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Bend of the borders, in channels per squared channel of a display of 255 channels. FlowJo does not publish its
#: curve; this is the parabola that cytolib, the peer that reads these gates, has used since 2015.
_BEND, _DISPLAY = 0.001, 255.0
_STEPS = 64


def curly_quadrant(
    corner: tuple[float, float], above: tuple[bool, bool], reach: tuple[tuple[float, float], tuple[float, float]]
) -> FloatArray:
    """Return the vertices of one quadrant.

    Parameters
    ----------
    corner
        Where the borders meet, in displays (0 to 1).
    above
        Whether the quadrant lies above the corner on x and on y.
    reach
        How far open sides go, in displays.

    Returns
    -------
    ``(n, 2)``, in displays. The border from the corner to the right is ``y = y0 + k (x - x0)²``, that upwards
    ``x = x0 + k (y - y0)²`` with ``k`` = 0.255 per display; to the left and down the borders are straight. Beyond the
    display the borders go on straight from its end.
    """
    (x0, y0), k = corner, _BEND * _DISPLAY
    (left, right), (bottom, top) = reach
    run = np.linspace(0.0, 1.0, _STEPS + 1)
    across = x0 + run * max(1.0 - x0, 0.0)
    upwards = y0 + run * max(1.0 - y0, 0.0)
    rising = [*zip(across, y0 + k * (across - x0) ** 2, strict=True)]
    leaning = [*zip(x0 + k * (upwards - y0) ** 2, upwards, strict=True)]
    rising.append((right, rising[-1][1]))
    leaning.append((leaning[-1][0], top))
    if above == (True, True):
        path = [*rising, (right, top), *leaning[::-1]]
    elif above == (False, True):
        path = [*leaning, (left, top), (left, y0)]
    elif above == (True, False):
        path = [*rising, (right, bottom), (x0, bottom)]
    else:
        path = [(x0, y0), (left, y0), (left, bottom), (x0, bottom)]
    return np.array(path, dtype=np.float64)
