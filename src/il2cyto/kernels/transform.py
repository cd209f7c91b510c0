"""Scalar transforms, compiled once and shared by every wrapper and by the gating engine.

A transform is a code and a vector of parameters. Entries 0 and 1 of the vector are the bounds of the result
(``-inf``/``inf`` where there are none); the rest belongs to the kind. Formulas: Gating-ML 2.0, section 6; Moore and
Parks, Cytometry A 2012;81A:273-277 (logicle); Bagwell, Cytometry A 2005;64A:34-42 (hyperlog).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

IDENTITY, LINEAR, LOG, ARCSINH, LOGICLE, HYPERLOG, TABLE = range(7)

_EPS = float(np.finfo(np.float64).eps)
_TAYLOR = 16
#: Above this the other terms vanish beside the exponential in float64, and squares would overflow.
_ASYMPTOTIC = 1e140


@njit(cache=True, nogil=True)
def _series(p, first, y, skip_second):
    """Taylor series around data zero; the logicle condition makes its second coefficient exactly 0."""
    total = p[first + _TAYLOR - 1] * y
    stop = 2 if skip_second else 0
    for i in range(_TAYLOR - 2, stop - 1, -1):
        total = (total + p[first + i]) * y
    if skip_second:
        return (total * y + p[first]) * y
    return total


@njit(cache=True, nogil=True)
def _logicle(p, s, value):
    """p[s:] = a, b, c, d, f, x1, x_taylor, taylor[16]."""
    a, b, c, d, f, x1, x_taylor = p[s], p[s + 1], p[s + 2], p[s + 3], p[s + 4], p[s + 5], p[s + 6]
    if value == 0.0:
        return x1
    if math.isinf(value) or math.isnan(value):
        return value
    negative = value < 0.0
    target = -value if negative else value
    if target > _ASYMPTOTIC:
        y = (math.log(target) - math.log(a)) / b
        return 2.0 * x1 - y if negative else y
    # the root is not below x1, whatever the logarithm of a tiny target says (W = 0 has f = 0)
    y = x1 + target / p[s + 7] if target < f else max(x1, math.log(target / a) / b)
    for _ in range(64):
        up = a * math.exp(b * y)
        down = c * math.exp(-d * y)
        residual = _series(p, s + 7, y - x1, True) - target if y < x_taylor else (up + f) - (down + target)
        slope = b * up + d * down
        bend = b * b * up - d * d * down
        step = residual / (slope * (1.0 - residual * bend / (2.0 * slope * slope)))
        y -= step
        if abs(step) < 3.0 * _EPS * max(1.0, abs(y)):
            break
    return 2.0 * x1 - y if negative else y


@njit(cache=True, nogil=True)
def _hyperlog(p, s, value):
    """p[s:] = a, b, c, f, x1, x_taylor, taylor[16]."""
    a, b, c, f, x1, x_taylor = p[s], p[s + 1], p[s + 2], p[s + 3], p[s + 4], p[s + 5]
    if value == 0.0:
        return x1
    if math.isinf(value) or math.isnan(value):
        return value
    negative = value < 0.0
    target = -value if negative else value
    if target > _ASYMPTOTIC:
        y = (math.log(target) - math.log(a)) / b
        return 2.0 * x1 - y if negative else y
    # a start above the root: the function is convex there, so the iteration descends without overshooting
    linear = x1 + target / p[s + 6]
    y = linear
    if target > a:
        y = min(linear, max(x1, math.log((target + f) / a) / b))
    for _ in range(64):
        up = a * math.exp(b * y)
        residual = _series(p, s + 6, y - x1, False) - target if y < x_taylor else (up + c * y) - (f + target)
        slope = b * up + c
        bend = b * b * up
        step = residual / (slope * (1.0 - residual * bend / (2.0 * slope * slope)))
        y -= step
        if abs(step) < 3.0 * _EPS * max(1.0, abs(y)):
            break
    return 2.0 * x1 - y if negative else y


@njit(cache=True, nogil=True)
def _table(p, s, value):
    """p[s:] = n, x[n], y[n]: linear interpolation, clamped to the ends."""
    n = int(p[s])
    first = s + 1
    if math.isnan(value):
        return value
    if value <= p[first]:
        return p[first + n]
    if value >= p[first + n - 1]:
        return p[first + 2 * n - 1]
    low, high = 0, n - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if p[first + middle] <= value:
            low = middle
        else:
            high = middle
    x0, x1 = p[first + low], p[first + low + 1]
    y0, y1 = p[first + n + low], p[first + n + low + 1]
    return y0 + (y1 - y0) / (x1 - x0) * (value - x0)


@njit(cache=True, nogil=True)
def forward(kind, p, s, x):
    """Transform one value; parameters start at ``p[s]``. Outside the domain the result is NaN or -inf."""
    if kind == IDENTITY:
        y = x
    elif kind == LINEAR:
        y = (x + p[s + 2]) / p[s + 3]
    elif kind == LOG:
        if x > 0.0:
            scaled = x / p[s + 2]
            # the quotient may leave the range of numbers, its logarithm does not
            log = math.log10(scaled) if 0.0 < scaled < np.inf else math.log10(x) - math.log10(p[s + 2])
            y = p[s + 3] * log + 1.0
        elif x == 0.0 or (x < 0.0 and p[s + 4] != 0.0):
            # negative arguments have no logarithm, unless a bound of the argument lifts them
            y = -np.inf
        else:
            y = np.nan
    elif kind == ARCSINH:
        y = (math.asinh(x * p[s + 2]) + p[s + 3]) / p[s + 4]
    elif kind == LOGICLE:
        y = _logicle(p, s + 2, x)
    elif kind == HYPERLOG:
        y = _hyperlog(p, s + 2, x)
    else:
        y = _table(p, s + 2, x)
    if y < p[s]:
        y = p[s]
    elif y > p[s + 1]:
        y = p[s + 1]
    return y


@njit(cache=True, nogil=True)
def forward_array(kind, p, x):
    """Transform a 1-D float64 array."""
    out = np.empty(x.shape[0], np.float64)
    for i in range(x.shape[0]):
        out[i] = forward(kind, p, 0, x[i])
    return out


@njit(cache=True, nogil=True)
def ordered(x):
    """Map a float64 to an integer so that the order of numbers is the order of integers."""
    bits = np.float64(x).view(np.int64)
    return bits if bits >= 0 else np.int64(-9223372036854775808) - bits


@njit(cache=True, nogil=True)
def unordered(i):
    bits = i if i >= 0 else np.int64(-9223372036854775808) - i
    return np.int64(bits).view(np.float64)


@njit(cache=True, nogil=True)
def preimages(kind, p, guesses, y):
    """For each `y` the smallest float64 ``x`` with ``T(x) >= y``.

    ``-inf`` if all finite ones reach it, ``inf`` if none does. The guesses are approximate inverses; a bracket grows
    around each in units in the last place and is then halved. The transform is called at one place, since each call is
    compiled anew.
    """
    out = np.empty(y.shape[0], np.float64)
    bottom = ordered(-np.finfo(np.float64).max)
    top = ordered(np.finfo(np.float64).max)
    for i in range(y.shape[0]):
        # low does not reach y and high does; one beyond an end is not known yet
        low, high = bottom - 1, top + 1
        probe = min(max(ordered(guesses[i]), bottom), top) if math.isfinite(guesses[i]) else np.int64(0)
        width = np.int64(16)
        while low + 1 < high:
            if forward(kind, p, 0, unordered(probe)) >= y[i]:
                high = probe
            else:
                low = probe
            # written so that no difference of the far ends can overflow
            if low < bottom:
                probe = high - width if high > bottom + width else bottom
            elif high > top:
                probe = low + width if low < top - width else top
            else:
                probe = (low >> 1) + (high >> 1) + (low & high & 1)
            if width < np.int64(1) << 60:
                width <<= 2
        if high == bottom:
            out[i] = -np.inf
        else:
            out[i] = unordered(high) if high <= top else np.inf
    return out
