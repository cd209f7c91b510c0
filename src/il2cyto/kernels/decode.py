"""From the stored bytes of events to float64, byte order and width included."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

AS_IS, MULTIPLY, DIVIDE, LOG = range(4)
INTEGER, SINGLE, DOUBLE = range(3)
LITTLE, BIG = range(2)


def read_only(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """View the bytes of events as an array that cannot be written, the one type for which kernels are compiled."""
    view = data.view()
    view.flags.writeable = False
    return view


@njit(cache=True, nogil=True)
def _as_single(bits):
    # numba refuses a function in which `view` occurs on two paths, hence one function each
    return np.float64(np.uint32(bits).view(np.float32))


@njit(cache=True, nogil=True)
def _as_double(bits):
    return np.uint64(bits).view(np.float64)


@njit(cache=True, nogil=True)
def swapped(stored, out):
    """Write 32- or 64-bit words of the other byte order to ``out``, as unsigned integers of the same width."""
    if out.itemsize == 4:
        for i in range(out.size):
            x = np.uint32(stored[i])
            out[i] = (
                (x >> np.uint32(24))
                | ((x >> np.uint32(8)) & np.uint32(0xFF00))
                | ((x << np.uint32(8)) & np.uint32(0xFF0000))
                | (x << np.uint32(24))
            )
    else:
        for i in range(out.size):
            y = np.uint64(stored[i])
            y = ((y & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
                (y >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
            )
            y = ((y & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
                (y >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
            )
            out[i] = (y << np.uint64(32)) | (y >> np.uint64(32))


@njit(cache=True, nogil=True)
def _load(data, at, width, order):
    """Assemble an unsigned integer; the four usual cases are spelled out so that they become one load each."""
    if width == 4:
        if order == 1:
            return (
                np.uint64(data[at + 3])
                | np.uint64(data[at + 2]) << np.uint64(8)
                | np.uint64(data[at + 1]) << np.uint64(16)
                | np.uint64(data[at]) << np.uint64(24)
            )
        return (
            np.uint64(data[at])
            | np.uint64(data[at + 1]) << np.uint64(8)
            | np.uint64(data[at + 2]) << np.uint64(16)
            | np.uint64(data[at + 3]) << np.uint64(24)
        )
    value = np.uint64(0)
    if order == 1:
        for k in range(width):
            value = (value << np.uint64(8)) | np.uint64(data[at + k])
    else:
        for k in range(width):
            value |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return value


@njit(cache=True, nogil=True)
def _number(bits, kind, mask):
    if kind == 1:
        return _as_single(bits)
    if kind == 2:
        return _as_double(bits)
    return np.float64(bits & mask)


@njit(cache=True, nogil=True)
def _linear(value, scale, argument, offset):
    if scale == 1:
        return value * argument
    if scale == 2:
        return value / argument
    if scale == 3:
        return offset * 10.0 ** (argument * value)
    return value


@njit(cache=True, nogil=True)
def column(data, stride, first, count, position, width, kind, mask, order, scale, argument, offset, out):
    """Write one channel of events ``first .. first + count`` to ``out[:count]`` on the linear scale."""
    if kind == 1:
        # unsigned indices need no wrap-around, so that four byte loads become one (and a byte swap)
        step = np.uint64(stride)
        here = np.uint64(first * stride + position)
        if order == 1:
            for i in range(count):
                out[i] = _as_single(
                    np.uint32(data[here + np.uint64(3)])
                    | np.uint32(data[here + np.uint64(2)]) << np.uint32(8)
                    | np.uint32(data[here + np.uint64(1)]) << np.uint32(16)
                    | np.uint32(data[here]) << np.uint32(24)
                )
                here += step
        else:
            for i in range(count):
                out[i] = _as_single(
                    np.uint32(data[here])
                    | np.uint32(data[here + np.uint64(1)]) << np.uint32(8)
                    | np.uint32(data[here + np.uint64(2)]) << np.uint32(16)
                    | np.uint32(data[here + np.uint64(3)]) << np.uint32(24)
                )
                here += step
    else:
        at = first * stride + position
        for i in range(count):
            out[i] = _number(_load(data, at, width, order), kind, mask)
            at += stride
    if scale != 0:
        for i in range(count):
            out[i] = _linear(out[i], scale, argument, offset)


@njit(cache=True, nogil=True)
def masked_bits(data, stride, n_events, position, width, mask, order, chosen, counts):
    """Count, per chosen integer channel, the stored values that lose bits to the mask."""
    for j in range(chosen.shape[0]):
        c = chosen[j]
        keep = mask[c]
        at = position[c]
        for _ in range(n_events):
            counts[j] += (_load(data, at, width[c], order[c]) & ~keep) != np.uint64(0)
            at += stride


@njit(cache=True, nogil=True)
def rows(data, stride, position, width, kind, mask, order, scale, argument, offset, chosen, out):
    """Decode chosen channels of every event into ``out``, shape ``(n_events, len(chosen))``."""
    n = out.shape[0]
    block = 1024
    buffer = np.empty(block, np.float64)
    for first in range(0, n, block):
        count = min(block, n - first)
        for j in range(chosen.shape[0]):
            c = chosen[j]
            column(
                data, stride, first, count, position[c], width[c], kind[c], mask[c], order[c],
                scale[c], argument[c], offset[c], buffer,
            )  # fmt: skip
            for i in range(count):
                out[first + i, j] = buffer[i]
