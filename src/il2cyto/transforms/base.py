"""What every transform can do."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel

FloatArray = NDArray[np.float64]


def require_finite(**values: float) -> None:
    """Raise `ParameterError` if a parameter is not a finite number."""
    for name, value in values.items():
        if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value):
            raise ParameterError(f"{name} = {value!r}: must be a finite number")


@dataclass(frozen=True)
class Transform(ABC):
    """A strictly increasing map from the linear scale (instrument units) to a dimensionless scale.

    Subclasses are frozen dataclasses whose fields are the parameters of the standard. ``type`` is the name in strategy
    files, ``code`` the name in the kernels.
    """

    type: ClassVar[str]
    code: ClassVar[int]

    @abstractmethod
    def _parameters(self) -> FloatArray:
        """Return what the kernel needs beside the bounds."""

    @abstractmethod
    def _inverse(self, y: FloatArray) -> FloatArray:
        """Invert values on the declared domain."""

    @cached_property
    def packed(self) -> FloatArray:
        """Parameters for the kernels: lower and upper bound of the result, then the kind's own."""
        return np.concatenate([[-np.inf, np.inf], self._parameters()])

    @property
    def domain_minimum(self) -> float:
        """Smallest float64 with a defined result; smaller ones (and NaN) are undefined."""
        return -float(np.finfo(np.float64).max)

    @property
    def top(self) -> float:
        """Upper bound of the result; ``inf`` where there is none."""
        return float(self.packed[1])

    def apply(self, x: ArrayLike) -> FloatArray:
        """Transform values.

        Parameters
        ----------
        x
            Linear-scale values, any shape, in instrument units.

        Returns
        -------
        float64 array of the shape of `x`; NaN where `x` is NaN or outside the domain.
        """
        values = np.asarray(x, dtype=np.float64)
        flat = np.ascontiguousarray(values).reshape(-1)
        return np.asarray(kernel.forward_array(self.code, self.packed, flat), dtype=np.float64).reshape(values.shape)

    def inverse(self, y: ArrayLike) -> FloatArray:
        """Return the linear-scale values whose transform is `y`; exact to rounding on the declared domain."""
        return self._inverse(np.asarray(y, dtype=np.float64))

    def smallest_reaching(self, y: float) -> float:
        """Return the smallest float64 ``x`` with ``T(x) >= y``.

        ``T(x) >= y`` and ``x >= smallest_reaching(y)`` are the same statement, so a limit on the transformed axis can
        be applied to linear values. ``-inf`` if every finite value reaches `y`, ``inf`` if none does.
        """
        return float(self.preimages([y])[0])

    def preimages(self, y: ArrayLike) -> FloatArray:
        """Return `smallest_reaching` of each value of a 1-D array."""
        wanted = np.ascontiguousarray(y, dtype=np.float64)
        with np.errstate(all="ignore"):
            guesses = np.ascontiguousarray(self._inverse(wanted))
        return np.asarray(kernel.preimages(self.code, self.packed, guesses, wanted), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return the transform as plain data, as it stands in a strategy file."""
        return {"type": self.type, **{item.name: getattr(self, item.name) for item in fields(self)}}


def check_keys(type_name: str, given: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    """Raise `ParameterError` unless `given` has exactly the parameters of the transform."""
    missing = [name for name in wanted if name not in given]
    surplus = [name for name in given if name not in wanted]
    if missing or surplus:
        parts = []
        if missing:
            parts.append(f"lacks {', '.join(missing)}")
        if surplus:
            parts.append(f"does not know {', '.join(map(str, surplus))}")
        raise ParameterError(f"transform {type_name}({', '.join(wanted)}) {' and '.join(parts)}")
