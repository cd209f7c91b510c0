"""Logicle and hyperlog: the inverses of a modified biexponential and of an exponential plus a line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel
from il2cyto.transforms.base import FloatArray, Transform, require_finite

_LN10 = math.log(10.0)
_TAYLOR = 16


def second_rate(b: float, w: float) -> float:
    """Solve ``2 (ln d - ln b) + w (d + b) = 0`` for `d` in (0, b] (Moore and Parks 2012)."""
    from scipy.optimize import brentq

    if w == 0.0:
        return b

    def condition(d: float) -> float:
        return 2.0 * (math.log(d) - math.log(b)) + w * (d + b)

    # the root lies above b exp(-w b), taken a little lower against rounding, and below b
    lower = b * math.exp(-w * b) * (1.0 - 1e-14)
    return float(brentq(condition, lower, b, xtol=2e-300, rtol=4 * np.finfo(np.float64).eps))


def _taylor(y: FloatArray, coefficients: FloatArray) -> FloatArray:
    total = np.zeros_like(y)
    for coefficient in coefficients[::-1]:
        total = (total + coefficient) * y
    return total


def _check(name: str, T: float, W: float, M: float, A: float, *, zero_width: bool) -> None:
    require_finite(T=T, W=W, M=M, A=A)
    width = 0 <= W <= M / 2 if zero_width else 0 < W <= M / 2
    # decimals are rounded: 1 - 2 * 0.4 is less than 0.2
    if T <= 0 or M <= 0 or not width or not -W <= A <= M - 2 * W + 4 * np.finfo(np.float64).eps * M:
        least = "0 <=" if zero_width else "0 <"
        raise ParameterError(
            f"{name}(T={T}, W={W}, M={M}, A={A}): needs T > 0, M > 0, {least} W <= M/2 and -W <= A <= M - 2W"
        )


@dataclass(frozen=True)
class Logicle(Transform):
    """The logicle scale: root of ``B(y) = a e^(b y) - c e^(-d y) - f`` (Gating-ML 2.0, 6.2.4; Moore and Parks 2012).

    Parameters
    ----------
    T
        Top of the scale, maps to 1; instrument units, > 0.
    W
        Decades of the quasi-linear region, ``0 <= W <= M/2``.
    M
        Decades that a true logarithmic scale approaches at the high end, > 0.
    A
        Additional negative decades, ``-W <= A <= M - 2W``.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> scale = Logicle(T=262144.0, W=0.5, M=4.5, A=0.0)
    >>> scale.apply([0.0, 262144.0]).round(6)
    array([0.111111, 1.      ])
    """

    T: float
    W: float
    M: float
    A: float = 0.0
    type: ClassVar[str] = "logicle"
    code: ClassVar[int] = kernel.LOGICLE

    def __post_init__(self) -> None:
        _check("logicle", self.T, self.W, self.M, self.A, zero_width=True)

    @cached_property
    def _coefficients(self) -> tuple[float, float, float, float, float, float, float, FloatArray]:
        w = self.W / (self.M + self.A)
        x2 = self.A / (self.M + self.A)
        x1, x0 = x2 + w, x2 + 2 * w
        b = (self.M + self.A) * _LN10
        d = second_rate(b, w)
        c_a = math.exp(x0 * (b + d))
        f_a = math.exp(b * x1) - c_a * math.exp(-d * x1)
        a = self.T / (math.exp(b) - f_a - c_a * math.exp(-d))
        c, f = c_a * a, -f_a * a
        taylor = np.empty(_TAYLOR)
        rising, falling = a * math.exp(b * x1), -c * math.exp(-d * x1)
        for i in range(_TAYLOR):
            rising *= b / (i + 1)
            falling *= -d / (i + 1)
            taylor[i] = rising + falling
        taylor[1] = 0.0  # exactly, by the logicle condition
        return a, b, c, d, f, x1, x1 + w / 4, taylor

    def _parameters(self) -> FloatArray:
        *scalars, taylor = self._coefficients
        return np.concatenate([scalars, taylor])

    def _inverse(self, y: FloatArray) -> FloatArray:
        a, b, c, d, f, x1, x_taylor, taylor = self._coefficients
        mirrored = np.where(y < x1, 2 * x1 - y, y)
        with np.errstate(over="ignore"):
            formula = (a * np.exp(b * mirrored) + f) - c * np.exp(-d * mirrored)
            value = np.where(mirrored < x_taylor, _taylor(mirrored - x1, taylor), formula)
        return np.where(y < x1, -value, value)


@dataclass(frozen=True)
class Hyperlog(Transform):
    """The hyperlog scale: root of ``EH(y) = a e^(b y) + c y - f`` (Gating-ML 2.0, 6.2.5; Bagwell 2005).

    Parameters
    ----------
    T
        Top of the scale, maps to 1; instrument units, > 0.
    W
        Decades of the quasi-linear region, ``0 < W <= M/2``.
    M
        Decades that a true logarithmic scale approaches at the high end, > 0.
    A
        Additional negative decades, ``-W <= A <= M - 2W``.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> Hyperlog(T=262144.0, W=0.5, M=4.5, A=0.0).apply([0.0, 262144.0]).round(6)
    array([0.111111, 1.      ])
    """

    T: float
    W: float
    M: float
    A: float = 0.0
    type: ClassVar[str] = "hyperlog"
    code: ClassVar[int] = kernel.HYPERLOG

    def __post_init__(self) -> None:
        _check("hyperlog", self.T, self.W, self.M, self.A, zero_width=False)

    @cached_property
    def _coefficients(self) -> tuple[float, float, float, float, float, float, FloatArray]:
        w = self.W / (self.M + self.A)
        x2 = self.A / (self.M + self.A)
        x1, x0 = x2 + w, x2 + 2 * w
        b = (self.M + self.A) * _LN10
        c_a = math.exp(b * x0) / w
        f_a = math.exp(b * x1) + c_a * x1
        a = self.T / (math.exp(b) + c_a - f_a)
        c, f = c_a * a, f_a * a
        taylor = np.empty(_TAYLOR)
        rising = a * math.exp(b * x1)
        for i in range(_TAYLOR):
            rising *= b / (i + 1)
            taylor[i] = rising
        taylor[0] += c
        return a, b, c, f, x1, x1 + w / 4, taylor

    def _parameters(self) -> FloatArray:
        *scalars, taylor = self._coefficients
        return np.concatenate([scalars, taylor])

    def _inverse(self, y: FloatArray) -> FloatArray:
        a, b, c, f, x1, x_taylor, taylor = self._coefficients
        mirrored = np.where(y < x1, 2 * x1 - y, y)
        with np.errstate(over="ignore"):
            formula = (a * np.exp(b * mirrored) + c * mirrored) - f
            value = np.where(mirrored < x_taylor, _taylor(mirrored - x1, taylor), formula)
        return np.where(y < x1, -value, value)
