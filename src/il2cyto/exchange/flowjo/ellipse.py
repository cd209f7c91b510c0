"""FlowJo's ellipses: two foci and four points on the edge, in channels of a display of 256."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import GateError

FloatArray = NDArray[np.float64]


def ellipse_form(foci: FloatArray, edge: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of an ellipse whose border has Mahalanobis distance 1.

    Parameters
    ----------
    foci
        ``(2, 2)``, display channels.
    edge
        Ends of the major and of the minor axis, ``(4, 2)``, display channels; FlowJo rounds them to whole channels.

    Notes
    -----
    Centre, direction and ``c`` (half the distance of the foci) come from the foci, the major half-axis ``a`` from the
    ends that lie farther apart, and ``b² = a² - c²``.

    Raises
    ------
    GateError
        If the points make no ellipse.

    Examples
    --------
    >>> mean, covariance = ellipse_form(np.array([[7.0, 4.0], [13.0, 4.0]]),
    ...                                 np.array([[5.0, 4.0], [15.0, 4.0], [10.0, 0.0], [10.0, 8.0]]))
    >>> mean.tolist(), covariance.tolist()
    ([10.0, 4.0], [[25.0, 0.0], [0.0, 16.0]])
    """
    mean = foci.mean(axis=0)
    between = foci[1] - foci[0]
    half_axes = [np.linalg.norm(edge[k] - edge[k + 1]) / 2 for k in (0, 2)]
    a, c = float(max(half_axes)), float(np.linalg.norm(between)) / 2
    if not a > c:
        raise GateError(f"foci {2 * c:g} channels apart lie outside an ellipse {2 * a:g} channels long")
    direction = between / (2 * c) if c > 0 else np.array([1.0, 0.0])
    across = np.array([-direction[1], direction[0]])
    covariance = a * a * np.outer(direction, direction) + (a * a - c * c) * np.outer(across, across)
    return mean, covariance
