"""What a gate looks at: a channel or a ratio, compensated and transformed by reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from il2cyto.errors import GateError

#: Compensation reference of a dimension that is taken as it is.
UNCOMPENSATED = "uncompensated"

#: Compensation reference of the matrix that stands in the FCS file.
FROM_FILE = "FCS"


@dataclass(frozen=True)
class Ratio:
    """``fratio(x, y, A, B, C) = A (x - B) / (y - C)`` (Gating-ML 2.0, 6.3).

    `numerator` and `denominator` are names of channels or markers; `B` and `C` are in instrument units.
    """

    numerator: str
    denominator: str
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.A, self.B, self.C)) or self.A == 0:
            raise GateError(f"ratio {self.label}: A, B and C must be finite and A not 0")

    @property
    def label(self) -> str:
        """Name for axes and messages."""
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True)
class Dimension:
    """One axis of a gate.

    Parameters
    ----------
    source
        Name of a marker or channel (``$PnN``), or a `Ratio`.
    compensation
        ``uncompensated``, ``FCS`` (the file's own matrix), or the id of a matrix of the strategy.
    transform
        Id of a transform of the strategy; ``None`` for the linear scale.
    """

    source: str | Ratio
    compensation: str = UNCOMPENSATED
    transform: str | None = None

    @property
    def label(self) -> str:
        """Name for axes and messages."""
        return self.source.label if isinstance(self.source, Ratio) else self.source
