"""A transform of values that are kept inside bounds first: a bounded ratio on a scale (Gating-ML 2.0, 6.1 and 6.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel
from il2cyto.transforms.base import FloatArray, Transform


@dataclass(frozen=True)
class Clamped(Transform):
    """``inner(min(max(x, minimum), maximum))``.

    Every inner transform increases, so the bounds of its argument are bounds of its result; what lies beyond them,
    infinities included, takes the value at the bound.

    Parameters
    ----------
    inner
        The transform that follows; ``None`` leaves the linear scale.
    minimum, maximum
        Bounds of the argument, on the linear scale; ``None`` leaves a side open.

    Raises
    ------
    ParameterError
        If there is no bound, ``minimum > maximum``, or nothing that the bounds let through is defined.

    Examples
    --------
    >>> Clamped(None, minimum=0.0, maximum=2.0).apply([-5.0, 0.5, np.inf])
    array([0. , 0.5, 2. ])
    """

    inner: Transform | None
    minimum: float | None = None
    maximum: float | None = None
    type: ClassVar[str] = "clamped"

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ParameterError("bounds of an argument: wants a minimum, a maximum or both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ParameterError(f"boundMin {self.minimum} is above boundMax {self.maximum}")
        if self.maximum is not None and not self._at(self.maximum) > -math.inf:
            raise ParameterError(f"boundMax {self.maximum}: nothing below it is defined on the scale that follows")

    def _at(self, x: float) -> float:
        return x if self.inner is None else float(self.inner.apply(x))

    @property
    def code(self) -> int:  # type: ignore[override]  # the kind is that of the inner transform
        return kernel.IDENTITY if self.inner is None else self.inner.code

    @property
    def domain_minimum(self) -> float:
        if self.minimum is not None and self._at(self.minimum) > -math.inf:
            return -math.inf
        return super().domain_minimum if self.inner is None else self.inner.domain_minimum

    @cached_property
    def packed(self) -> FloatArray:
        packed = np.array([-np.inf, np.inf]) if self.inner is None else self.inner.packed.copy()
        if self.minimum is not None and self._at(self.minimum) > -math.inf:
            packed[0] = self._at(self.minimum)
            if self.code == kernel.LOG:
                packed[-1] = 1.0  # the bound lifts what has no logarithm
        if self.maximum is not None:
            packed[1] = self._at(self.maximum)
        return packed

    def apply(self, x: ArrayLike) -> FloatArray:
        low = -np.inf if self.minimum is None else self.minimum
        high = np.inf if self.maximum is None else self.maximum
        values = np.clip(np.asarray(x, dtype=np.float64), low, high)
        return values if self.inner is None else self.inner.apply(values)

    def _parameters(self) -> FloatArray:
        return np.empty(0) if self.inner is None else self.inner._parameters()

    def _inverse(self, y: FloatArray) -> FloatArray:
        return np.asarray(y) if self.inner is None else self.inner._inverse(y)

    def to_dict(self) -> dict[str, Any]:
        inner = {"type": "identity"} if self.inner is None else self.inner.to_dict()
        bounds = {"input_min": self.minimum, "input_max": self.maximum}
        return {**inner, **{key: value for key, value in bounds.items() if value is not None}}
