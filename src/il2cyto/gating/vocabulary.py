"""Names of the methods that a strategy may ask for, so that it can be checked without loading them."""

from __future__ import annotations

from typing import Final

#: Methods of `il2cyto.autogate` that place a threshold.
CUT_METHODS: Final = ("valley", "tail", "quantile", "mixture", "anchored", "jointly")
#: Methods that draw a polygon.
POLYGON_METHODS: Final = ("singlets", "lymphocytes", "mixture2d", "diagonal")
#: Methods that find a range on one axis, the time of steady flow.
RANGE_METHODS: Final = ("interval",)
#: Methods that find a gate as a whole.
SHAPE_METHODS: Final = (*POLYGON_METHODS, *RANGE_METHODS)
#: Options of each method; a strategy that gives another is refused.
OPTIONS: Final = {
    "valley": ("low", "high", "smooth", "min_separation"),
    "tail": ("side", "sd"),
    "quantile": ("share", "min_beyond"),
    "mixture": ("below", "above", "keep", "min_separation"),
    "anchored": ("above", "keep", "min_separation"),
    "jointly": ("with", "given", "targets", "below", "above", "tolerance", "min_separation"),
    "singlets": ("below", "above"),
    "lymphocytes": ("share", "vertices"),
    "mixture2d": ("target", "others", "vertices", "min_separation"),
    "interval": ("bins", "tolerance"),
    "diagonal": ("target", "others", "reach", "min_separation"),
}
