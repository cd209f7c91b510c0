"""A transform whose result is kept inside bounds (Gating-ML 2.0, 6.1: ``boundMin`` and ``boundMax``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from il2cyto.errors import ParameterError
from il2cyto.transforms.base import FloatArray, Transform


@dataclass(frozen=True)
class Bounded(Transform):
    """``min(max(inner(x), minimum), maximum)``.

    Parameters
    ----------
    inner
        The transform that is bounded; not bounded itself.
    minimum, maximum
        Bounds of the result, dimensionless; ``None`` leaves a side open.

    Raises
    ------
    ParameterError
        If ``minimum > maximum`` or `inner` is bounded already.

    Examples
    --------
    >>> from il2cyto.transforms import Linear
    >>> Bounded(Linear(T=100.0), minimum=0.0, maximum=1.0).apply([-5.0, 50.0, 500.0])
    array([0. , 0.5, 1. ])
    """

    inner: Transform
    minimum: float | None = None
    maximum: float | None = None
    type: ClassVar[str] = "bounded"

    def __post_init__(self) -> None:
        if isinstance(self.inner, Bounded):
            raise ParameterError("bounds of bounds: give the bounds once")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ParameterError(f"boundMin {self.minimum} is above boundMax {self.maximum}")

    @property
    def code(self) -> int:  # type: ignore[override]  # the kind is that of the inner transform
        return self.inner.code

    @property
    def domain_minimum(self) -> float:
        # what the function sends to -inf lies below the bound, so its result is the bound: log 0, and -inf itself
        if self.minimum is None:
            return self.inner.domain_minimum
        return 0.0 if self.inner.domain_minimum > 0 else -math.inf

    @cached_property
    def packed(self) -> FloatArray:
        packed = self.inner.packed.copy()
        packed[0] = -np.inf if self.minimum is None else self.minimum
        packed[1] = np.inf if self.maximum is None else self.maximum
        return packed

    def _parameters(self) -> FloatArray:
        return self.inner._parameters()

    def _inverse(self, y: FloatArray) -> FloatArray:
        return self.inner._inverse(y)

    def to_dict(self) -> dict[str, Any]:
        bounds = {"bound_min": self.minimum, "bound_max": self.maximum}
        return {**self.inner.to_dict(), **{key: value for key, value in bounds.items() if value is not None}}
