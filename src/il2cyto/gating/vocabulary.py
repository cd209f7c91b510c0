"""Names of the methods that a strategy may ask for, so that it can be checked without loading them."""

from __future__ import annotations

from typing import Final

#: Methods of `il2cyto.autogate` that place a threshold.
CUT_METHODS: Final = (
    "valley", "tail", "quantile", "mixture", "anchored", "density", "control_tail", "reference",
)  # fmt: skip
#: Methods that draw a polygon.
POLYGON_METHODS: Final = ("singlets", "lymphocytes", "mixture2d", "diagonal")
#: Methods that find a range on one axis, the time of steady flow.
RANGE_METHODS: Final = ("interval",)
#: Methods that find a gate as a whole.
SHAPE_METHODS: Final = (*POLYGON_METHODS, *RANGE_METHODS)
