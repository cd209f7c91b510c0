"""Transforms with a closed formula: linear, logarithmic, inverse hyperbolic sine (Gating-ML 2.0, section 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel
from il2cyto.transforms.base import FloatArray, Transform, require_finite

_LN10 = math.log(10.0)


@dataclass(frozen=True)
class Linear(Transform):
    """``flin(x, T, A) = (x + A) / (T + A)`` (Gating-ML 2.0, 6.2.1).

    Parameters
    ----------
    T
        Top of the scale, maps to 1; instrument units, > 0.
    A
        The value ``-A`` maps to 0; ``0 <= A <= T``.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> Linear(T=1000.0, A=0.0).apply([0.0, 250.0, 1000.0])
    array([0.  , 0.25, 1.  ])
    """

    T: float
    A: float = 0.0
    type: ClassVar[str] = "linear"
    code: ClassVar[int] = kernel.LINEAR

    def __post_init__(self) -> None:
        require_finite(T=self.T, A=self.A)
        if self.T <= 0 or not 0 <= self.A <= self.T:
            raise ParameterError(f"linear(T={self.T}, A={self.A}): needs T > 0 and 0 <= A <= T")

    def _parameters(self) -> FloatArray:
        return np.array([self.A, self.T + self.A])

    def _inverse(self, y: FloatArray) -> FloatArray:
        return y * (self.T + self.A) - self.A


@dataclass(frozen=True)
class Log(Transform):
    """``flog(x, T, M) = log10(x / T) / M + 1`` (Gating-ML 2.0, 6.2.2); defined for ``x > 0``.

    Parameters
    ----------
    T
        Top of the scale, maps to 1; instrument units, > 0.
    M
        Decades that are mapped onto the unit interval, > 0.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> Log(T=1000.0, M=3.0).apply([1.0, 1000.0, -5.0])
    array([ 0.,  1., nan])
    """

    T: float
    M: float
    type: ClassVar[str] = "log"
    code: ClassVar[int] = kernel.LOG

    def __post_init__(self) -> None:
        require_finite(T=self.T, M=self.M)
        if self.T <= 0 or self.M <= 0:
            raise ParameterError(f"log(T={self.T}, M={self.M}): needs T > 0 and M > 0")

    @property
    def domain_minimum(self) -> float:
        return float(np.nextafter(0.0, 1.0))

    def _parameters(self) -> FloatArray:
        return np.array([self.T, 1.0 / self.M, 0.0])

    def _inverse(self, y: FloatArray) -> FloatArray:
        return self.T * np.power(10.0, (y - 1.0) * self.M)


@dataclass(frozen=True)
class Arcsinh(Transform):
    """``fasinh(x, T, M, A) = (asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)`` (Gating-ML 2.0, 6.2.3).

    Parameters
    ----------
    T
        Top of the scale, maps to 1; instrument units, > 0.
    M
        Decades of the positive side, > 0.
    A
        Additional negative decades, ``0 <= A <= M``.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> Arcsinh(T=1000.0, M=4.0, A=1.0).apply([0.0, 1000.0]).round(6)
    array([0.2, 1. ])
    """

    T: float
    M: float
    A: float = 0.0
    type: ClassVar[str] = "arcsinh"
    code: ClassVar[int] = kernel.ARCSINH

    def __post_init__(self) -> None:
        require_finite(T=self.T, M=self.M, A=self.A)
        if self.T <= 0 or self.M <= 0 or not 0 <= self.A <= self.M:
            raise ParameterError(f"arcsinh(T={self.T}, M={self.M}, A={self.A}): needs T > 0, M > 0 and 0 <= A <= M")

    @classmethod
    def from_cofactor(cls, cofactor: float, *, T: float, A: float = 0.0) -> Arcsinh:
        """Return the Gating-ML form of ``asinh(x / cofactor)`` with top `T`: ``sinh(M ln 10) = T / cofactor``."""
        require_finite(cofactor=cofactor, T=T)
        if cofactor <= 0 or T <= 0:
            raise ParameterError(f"arcsinh cofactor {cofactor} with T = {T}: both must be > 0")
        return cls(T=T, M=math.asinh(T / cofactor) / _LN10, A=A)

    def _parameters(self) -> FloatArray:
        return np.array([math.sinh(self.M * _LN10) / self.T, self.A * _LN10, (self.M + self.A) * _LN10])

    def _inverse(self, y: FloatArray) -> FloatArray:
        return np.sinh(y * ((self.M + self.A) * _LN10) - self.A * _LN10) / (math.sinh(self.M * _LN10) / self.T)
