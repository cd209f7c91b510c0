"""The biexponential scale of FlowJo 10, which is a table and not a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel
from il2cyto.transforms.base import FloatArray, Transform, require_finite
from il2cyto.transforms.biexponential import second_rate

_POINTS = 4096
#: More than any instrument has, and few enough that every point of the table is a number.
_MOST_DECADES = 100


@dataclass(frozen=True)
class FlowJoBiex(Transform):
    """FlowJo's biex axis: linear interpolation in its table of 4,097 points, clamped at both ends.

    Parameters
    ----------
    length
        Display channels: the result runs from 0 to `length` (FlowJo: 256).
    maximum
        Linear value at the top of the table, instrument units, > 0 (`maxRange`).
    negative
        Extra negative decades, >= 0 (`neg`).
    width
        Width basis, <= 0 (`width`): more negative compresses more around zero. Its logarithm is taken between 0.5 and
        3 decades; for anything else, 0 among it, FlowJo takes half a decade.
    positive
        Positive decades, > 0 (`pos`).

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Notes
    -----
    Increasing between the ends of the table, which are its declared domain; values beyond are clamped, so the inverse
    gives the nearest end there. Source: FlowJo's own exported tables; every point agrees within their printed digits.
    The limits of the width are those of its Java routine, of which cytolib holds a translation.

    Examples
    --------
    >>> axis = FlowJoBiex(length=4096, maximum=262144.000029, negative=0.0, width=-10.0, positive=4.41854)
    >>> axis.apply([0.0, 1e9]).round(1)
    array([ 463., 4096.])
    """

    length: float = 256.0
    maximum: float = 262144.000029
    negative: float = 0.0
    width: float = -10.0
    positive: float = 4.41854
    type: ClassVar[str] = "biex"
    code: ClassVar[int] = kernel.TABLE

    def __post_init__(self) -> None:
        require_finite(
            length=self.length, maximum=self.maximum, negative=self.negative, width=self.width, positive=self.positive
        )
        if self.length <= 0 or self.maximum <= 0 or self.negative < 0 or self.width > 0 or self.positive <= 0:
            raise ParameterError(
                f"{self}: needs length > 0, maximum > 0, negative >= 0, width <= 0 and positive > 0 decades"
            )
        if self.positive + self.negative > _MOST_DECADES:
            raise ParameterError(f"{self}: more than {_MOST_DECADES} decades")
        if self.positive <= self._width / 2:
            raise ParameterError(f"{self}: width {self.width} is too wide for {self.positive} positive decades")

    @property
    def _width(self) -> float:
        decades = math.log10(-self.width) if self.width < 0 else -math.inf
        return decades if 0.5 <= decades <= 3.0 else 0.5

    @cached_property
    def table(self) -> tuple[FloatArray, FloatArray]:
        """Linear values and display channels of the table, each of shape ``(4097,)``."""
        width = self._width
        decades = self.positive - width / 2
        extra = self.negative + width / 2
        zero = min(int(extra * _POINTS / (extra + decades)), _POINTS // 2)
        if zero > 0:
            decades = extra * _POINTS / zero
        width /= 2 * decades
        rising_range = math.log(10.0) * decades
        falling_range = second_rate(rising_range, width)
        step = np.arange(_POINTS + 1) / float(_POINTS + 1)
        rising = np.exp(step * rising_range)
        falling = np.exp(-step * falling_range) * math.exp((rising_range + falling_range) * (width + extra / decades))
        curve = rising - falling
        linear = self.maximum / math.exp(rising_range) * (curve - curve[zero])
        mirrored = np.arange(zero)
        linear[mirrored] = -linear[2 * zero - mirrored]
        channel = np.arange(_POINTS + 1) * (self.length / _POINTS)
        return linear.astype(np.float64), channel.astype(np.float64)

    def _parameters(self) -> FloatArray:
        linear, channel = self.table
        return np.concatenate([[float(linear.size)], linear, channel])

    def _inverse(self, y: FloatArray) -> FloatArray:
        linear, channel = self.table
        return np.asarray(np.where(np.isnan(y), np.nan, np.interp(y, channel, linear)), dtype=np.float64)
