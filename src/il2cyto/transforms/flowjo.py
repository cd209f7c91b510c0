"""FlowJo's linear axis that begins above zero; its other axes are scales of Gating-ML, or `FlowJoBiex`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from il2cyto.errors import ParameterError
from il2cyto.kernels import transform as kernel
from il2cyto.transforms.base import FloatArray, Transform, require_finite


@dataclass(frozen=True)
class FlowJoLinear(Transform):
    """``(x - minimum) / (maximum - minimum)``: a linear axis from any value to any larger one.

    Where the axis begins at zero or below, `Linear` says the same in the terms of Gating-ML.

    Parameters
    ----------
    minimum, maximum
        Ends of the axis, instrument units, ``minimum < maximum``.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> FlowJoLinear(minimum=50_000.0, maximum=150_000.0).apply([0.0, 50_000.0, 100_000.0])
    array([-0.5,  0. ,  0.5])
    """

    minimum: float
    maximum: float
    type: ClassVar[str] = "flowjo_linear"
    code: ClassVar[int] = kernel.LINEAR

    def __post_init__(self) -> None:
        require_finite(minimum=self.minimum, maximum=self.maximum)
        if not self.minimum < self.maximum:
            raise ParameterError(
                f"flowjo_linear(minimum={self.minimum}, maximum={self.maximum}): needs minimum < maximum"
            )

    def _parameters(self) -> FloatArray:
        return np.array([-self.minimum, self.maximum - self.minimum])

    def _inverse(self, y: FloatArray) -> FloatArray:
        return y * (self.maximum - self.minimum) + self.minimum
