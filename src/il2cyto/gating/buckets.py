"""Choose how the values of an axis become buckets (see `il2cyto.kernels.lattice`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from il2cyto.kernels import lattice

FloatArray = NDArray[np.float64]
#: Offsets that are tried, as powers of two below the largest border.
_OFFSETS = range(0, 41, 2)


def choose_scale(borders: FloatArray) -> FloatArray:
    """Choose the scale that gives most of the borders a bucket of their own.

    Parameters
    ----------
    borders
        Borders of cells on the linear scale, shape ``(n,)``, rising; infinite ones are allowed.

    Returns
    -------
    The scale as `il2cyto.kernels.lattice` takes it, shape ``(SCALE_COLUMNS,)``.
    """
    finite = borders[np.isfinite(borders)]
    if finite.size == 0:
        finite = np.zeros(1)
    candidates = [_even(finite)]
    largest = float(np.abs(finite).max())
    if largest > 0.0:
        candidates += [_signed_log(largest, largest * 2.0**-k) for k in _OFFSETS]
    return max(candidates, key=lambda scale: _distinct(finite, scale))


def _even(finite: FloatArray) -> FloatArray:
    scale = np.zeros(lattice.SCALE_COLUMNS)
    scale[lattice.KIND] = lattice.EVEN
    low, high = float(finite.min()), float(finite.max())
    # halves, since the difference of large numbers may overflow; two buckets on either side stay free
    span = high / 2 - low / 2
    density = (lattice.BUCKETS - 4) / 2 / span if span > 0 else 1.0
    if not np.isfinite(density) or density == 0.0 or not np.isfinite(2.0 / density):
        density = 1.0
    scale[lattice.BASE], scale[lattice.DENSITY] = low - 2.0 / density, density
    return scale


def _signed_log(largest: float, offset: float) -> FloatArray:
    scale = np.zeros(lattice.SCALE_COLUMNS)
    scale[lattice.KIND] = lattice.SIGNED_LOG
    with np.errstate(over="ignore"):
        bits = [int(np.float32(x).view(np.int32)) for x in (offset, largest + offset)]
    shift = 0
    while (bits[1] >> shift) - (bits[0] >> shift) > lattice.BUCKETS // 2 - 4:
        shift += 1
    scale[lattice.OFFSET], scale[lattice.SHIFT], scale[lattice.FIRST] = offset, shift, bits[0] >> shift
    return scale


def _distinct(finite: FloatArray, scale: FloatArray) -> int:
    return int(np.unique(_numbers(finite, scale)).size)


def _numbers(values: FloatArray, scale: FloatArray) -> NDArray[np.int32]:
    numbers = np.empty(values.size, dtype=np.int32)
    lattice.fill_buckets(values, np.empty(0, dtype=np.int32), values.size, values.size, scale, numbers)
    return numbers


def bucket_borders(borders: FloatArray, scale: FloatArray) -> FloatArray:
    """Move borders down to where their buckets begin, and the last one up to where its bucket ends.

    Returns
    -------
    Rising numbers, shape ``(n,)``; the first is at or below the first of `borders`, the last above the last. Infinite
    where everything below, or above, belongs to the lattice.
    """
    finite = np.isfinite(borders)
    numbers = np.zeros(borders.size, dtype=np.int64)
    numbers[finite] = _numbers(borders[finite], scale)
    numbers[borders == np.inf] = lattice.BUCKETS
    numbers[-1] = min(numbers[-1] + 1, lattice.BUCKETS)
    starts = np.empty(borders.size)
    lattice.bucket_starts(scale, np.minimum(numbers, lattice.BUCKETS - 1), starts)
    starts[numbers == 0] = -np.inf
    starts[numbers == lattice.BUCKETS] = np.inf
    return starts
