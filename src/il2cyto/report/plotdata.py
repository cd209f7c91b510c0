"""The picture of one gate as plain data: a density on a small grid, its ranges, and the ticks of its axes."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from il2cyto.errors import ParameterError

FloatArray = npt.NDArray[np.float64]
Range = tuple[float, float]

_LOW_HIGH = (0.001, 0.999)
_MARGIN = 0.05
_MIN_GAP = 0.13  # of the axis: four characters of tick label on a picture 220 pixels wide
_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def picture_range(values: FloatArray, edges: Sequence[float | None] = ()) -> Range:
    """Choose the range of one axis: the 0.1–99.9 % quantiles of the events, the gate's edges, and 5 % of margin.

    Parameters
    ----------
    values
        Positions of the parent's events, shape ``(n,)``, in axis units; values that are not finite are left out.
    edges
        Positions of the gate on the same axis; open ends (``None`` or infinite) are left out.

    Returns
    -------
    ``(low, high)`` with ``low < high``, in axis units; ``(0, 1)`` if there is neither an event nor an edge.

    Examples
    --------
    >>> picture_range(np.array([0.2, 0.4]), [0.0, 1.0])
    (-0.05, 1.05)
    """
    finite = values[np.isfinite(values)]
    points = [float(edge) for edge in edges if edge is not None and math.isfinite(edge)]
    if finite.size:
        points += [float(value) for value in np.quantile(finite, _LOW_HIGH)]
    if not points:
        return (0.0, 1.0)
    low, high = min(points), max(points)
    # one single value still needs a width: a tenth of its size, or of one axis unit
    margin = _MARGIN * (high - low) if high > low else 0.1 * max(abs(low), 1.0)
    return (low - margin, high + margin)


def gate_picture(
    x: FloatArray,
    y: FloatArray | None = None,
    *,
    bins: int = 64,
    x_range: Range | None = None,
    y_range: Range | None = None,
    outline: Sequence[Sequence[float]] | None = None,
) -> dict[str, Any]:
    """Draw the events of a gate's parent on a grid.

    Two axes give a density map: ``round(255 · ln(1 + n) / ln(1 + n_max))``, at least 1 where ``n > 0``, so 0 says that
    no event is there. One axis gives a histogram with linear height, ``round(255 · n / n_max)``, likewise at least 1.

    Parameters
    ----------
    x, y
        Positions of the parent's events in axis units, each of shape ``(n,)``; `y` is ``None`` for a histogram.
    bins
        Bins per axis.
    x_range, y_range
        ``(low, high)`` of each axis; by default :func:`picture_range` of the events and `outline`.
    outline
        Vertices ``[x, y]`` of the gate in axis units, which the default ranges take in.

    Returns
    -------
    ``bins``; ``density``, the base64 text of ``bins * bins`` bytes in row-major order (a row is a bin of `y`, from low
    to high), or of ``bins`` bytes for a histogram; ``x_range`` and ``y_range`` as lists (``None`` without `y`);
    ``n_outside``, the events that the picture does not show: outside the ranges, or without a defined position.

    Raises
    ------
    ParameterError
        If `x` and `y` differ in length, `bins` is not positive, or a range is not finite and increasing.

    Examples
    --------
    >>> picture = gate_picture(np.array([0.1, 0.1, 0.9]), bins=2, x_range=(0.0, 1.0))
    >>> list(base64.b64decode(picture["density"]))
    [255, 128]
    """
    if bins < 1:
        raise ParameterError(f"bins = {bins}: a picture needs at least 1 bin per axis")
    vertices = np.asarray(outline if outline is not None else [], dtype=np.float64).reshape(-1, 2)
    across = _checked("x_range", x_range if x_range is not None else picture_range(x, vertices[:, 0].tolist()))
    columns = _bin(x, across, bins)
    if y is None:
        shown = columns >= 0
        counts = np.bincount(columns[shown], minlength=bins).astype(np.float64)
        levels = 255.0 * counts / max(counts.max(), 1.0)
        up = None
    else:
        if y.shape != x.shape:
            raise ParameterError(f"x has {x.size} events and y has {y.size}: both axes need the same events")
        up = _checked("y_range", y_range if y_range is not None else picture_range(y, vertices[:, 1].tolist()))
        rows = _bin(y, up, bins)
        shown = (columns >= 0) & (rows >= 0)
        counts = np.bincount(rows[shown] * bins + columns[shown], minlength=bins * bins).astype(np.float64)
        levels = 255.0 * np.log1p(counts) / np.log1p(max(counts.max(), 1.0))
    # the floor of 1 keeps a lone event visible beside a crowded bin
    pixels = np.where(counts > 0, np.maximum(np.rint(levels), 1.0), 0.0).astype(np.uint8)
    return {
        "bins": bins,
        "density": base64.b64encode(pixels.tobytes()).decode("ascii"),
        "x_range": list(across),
        "y_range": None if up is None else list(up),
        "n_outside": int(x.size - np.count_nonzero(shown)),
    }


def axis_ticks(transform: Callable[[FloatArray], FloatArray], low: float, high: float) -> list[tuple[float, str]]:
    """Place ticks on an axis and label them in linear units.

    A curved scale has ticks at 0 and ±10ᵏ (also 2 and 5 · 10ᵏ if the range holds fewer than two of them); a straight
    one at round steps of 1, 2 or 5 · 10ᵏ. Ticks nearer to each other than their labels are wide are thinned: 0 stays,
    then the larger intensities.

    Parameters
    ----------
    transform
        The scale: linear intensities, shape ``(n,)``, to axis units; increasing, NaN or −inf outside its domain.
    low, high
        The range of the axis, in axis units.

    Returns
    -------
    ``(position in axis units, label)`` from low to high.

    Raises
    ------
    ParameterError
        If the range is not finite and increasing.

    Examples
    --------
    >>> axis_ticks(lambda x: np.log10(np.maximum(x, 1e-300)) / 5.0, 0.3, 1.1)
    [(0.4, '100'), (0.6, '1k'), (0.8, '10k'), (1.0, '100k')]
    >>> [label for _, label in axis_ticks(lambda x: x / 262144.0, 0.0, 1.0)]
    ['0', '50k', '100k', '150k', '200k', '250k']
    """
    _checked("range", (low, high))
    straight = straight_line(transform)
    if straight is not None:
        offset, slope = straight
        values = _round_steps((low - offset) / slope, (high - offset) / slope)
    else:
        values = _both_signs([10.0**k for k in range(-3, 10)])
    inside = _inside(transform, values, low, high)
    if straight is None and len(inside) < 2:
        steps = _both_signs([factor * 10.0**k for k in range(-3, 10) for factor in (1.0, 2.0, 5.0)])
        inside = _inside(transform, steps, low, high)
    gap = _MIN_GAP * (high - low)
    chosen: list[tuple[float, float]] = []
    for tick in sorted(inside, key=lambda tick: (tick[1] != 0.0, -abs(tick[1]))):
        if all(abs(tick[0] - other[0]) >= gap for other in chosen):
            chosen.append(tick)
    return [(position, _label(value)) for position, value in sorted(chosen)]


def _checked(name: str, limits: Range) -> Range:
    low, high = limits
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(f"{name} = ({low}, {high}): an axis needs two finite limits, the lower one first")
    return (float(low), float(high))


def _bin(values: FloatArray, limits: Range, bins: int) -> npt.NDArray[np.int64]:
    """Bin of each value, −1 outside; the upper limit belongs to the last bin."""
    low, high = limits
    inside = (values >= low) & (values <= high)
    scaled = ((np.where(inside, values, low) - low) / (high - low) * bins).astype(np.int64)
    return np.where(inside, np.minimum(scaled, bins - 1), -1)


def straight_line(transform: Callable[[FloatArray], FloatArray]) -> tuple[float, float] | None:
    """Return offset and slope if the scale is a straight line over the intensities of a cytometer, else ``None``."""
    probes = np.array([0.0, 1.0, 1e3, 1e5])
    values = np.asarray(transform(probes), dtype=np.float64)
    if not np.isfinite(values).all() or values[3] <= values[0]:
        return None
    slope = (values[3] - values[0]) / 1e5
    return (float(values[0]), float(slope)) if np.allclose(values, values[0] + slope * probes, rtol=1e-9) else None


def _both_signs(sizes: list[float]) -> list[float]:
    return [-size for size in reversed(sizes)] + [0.0, *sizes]


def _inside(
    transform: Callable[[FloatArray], FloatArray], values: list[float], low: float, high: float
) -> list[tuple[float, float]]:
    """Position and value of those that fall inside the range."""
    positions = np.asarray(transform(np.asarray(values, dtype=np.float64)), dtype=np.float64)
    _, first, repeats = np.unique(positions, return_inverse=True, return_counts=True)
    return [
        (float(round(position, 9)), value)
        for position, value, repeat in zip(positions, values, repeats[first], strict=True)
        # a bounded scale puts every value beyond its bound on the bound: no place for a label
        if repeat == 1 and math.isfinite(position) and low <= position <= high
    ]


def _round_steps(low: float, high: float, most: int = 6) -> list[float]:
    span = high - low
    scale = 10.0 ** math.floor(math.log10(span))
    steps = [scale * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)]
    step = next(step for step in steps if math.floor(high / step) - math.ceil(low / step) + 1 <= most)
    return [round(k * step, 9) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _label(value: float) -> str:
    size = abs(value)
    unit, suffix = next(((unit, suffix) for unit, suffix in _SUFFIXES if size >= unit), (1.0, ""))
    return f"{'−' if value < 0 else ''}{size / unit:g}{suffix}"
