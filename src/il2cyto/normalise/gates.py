"""Gates of a batch that do to raw events what common gates do to normalised ones.

Normalisation sends each value of a channel along a curve that never falls. An event lies above a common threshold after
that exactly if it lies above the threshold's origin before: so the events stay as they are, and the gates move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from il2cyto.normalise.curve import follow, knots
from il2cyto.normalise.quantiles import Normalisation, known_batch

FloatArray = NDArray[np.float64]

#: Halvings of the interval in which the origin of a position is sought: to the last bit of a float.
_HALVINGS = 100


def common_position(normalisation: Normalisation, channel: str, positions: Mapping[str, float]) -> float:
    """Return where a gate stands on the common scale: the mean of its normalised positions over batches.

    Parameters
    ----------
    normalisation
        From `learn_quantiles`.
    channel
        One of its channels.
    positions
        Batch → position of its gate, on the scale that was learnt on. Batches without a curve have no say.

    Returns
    -------
    float
        NaN if no batch has a curve.

    Examples
    --------
    >>> from il2cyto.normalise import learn_quantiles
    >>> day = np.linspace(0.0, 4.0, 1001)[:, None]
    >>> learnt = learn_quantiles({"monday": day, "tuesday": day + 1.0}, ["CD25"])
    >>> round(common_position(learnt, "CD25", {"monday": 2.0, "tuesday": 3.0}), 9)
    2.5
    """
    found = [
        float(_curve(normalisation, batch, channel, np.array([position]))[0])
        for batch, position in positions.items()
        if channel in normalisation.quantiles.get(batch, {})
    ]
    return float(np.mean(found)) if found else float("nan")


def origin(normalisation: Normalisation, batch: str, channel: str, positions: Sequence[float]) -> FloatArray:
    """Return the values of a batch that normalisation sends to given positions, ``(n,)``.

    Raises
    ------
    ParameterError
        If the batch was not learnt.
    KeyError
        If the channel of the batch is left as it is.

    Examples
    --------
    >>> from il2cyto.normalise import learn_quantiles
    >>> day = np.linspace(0.0, 4.0, 1001)[:, None]
    >>> learnt = learn_quantiles({"monday": day, "tuesday": day + 1.0}, ["CD25"])
    >>> origin(learnt, "tuesday", "CD25", [2.5]).round(9).tolist()
    [3.0]
    """
    known_batch(batch, normalisation.n_events)
    wanted = np.asarray(positions, dtype=np.float64)
    own = normalisation.quantiles[batch][channel]
    x, y = knots(own, normalisation.goal[channel])
    # beyond the ends the curve is straight
    reach = (np.abs(wanted - y[0]) + np.abs(wanted - y[-1])) / normalisation.slope + 1.0
    low, high = x[0] - reach, x[-1] + reach
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = _curve(normalisation, batch, channel, middle) >= wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(high, dtype=np.float64)


def _curve(normalisation: Normalisation, batch: str, channel: str, values: FloatArray) -> FloatArray:
    own = normalisation.quantiles[batch][channel]
    return follow(own, normalisation.goal[channel], values, slope=normalisation.slope)
