"""Combinations of other populations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from il2cyto.errors import GateError
from il2cyto.gates.dimension import Dimension


@dataclass(frozen=True)
class Operand:
    """A population by name or path, or its complement among all events."""

    population: str
    complement: bool = False


@dataclass(frozen=True)
class BooleanGate:
    """``and``, ``or``, ``not`` of populations (Gating-ML 2.0, 5.1.5), with their own parents applied."""

    operation: Literal["and", "or", "not"]
    operands: tuple[Operand, ...]

    def __post_init__(self) -> None:
        if self.operation not in ("and", "or", "not"):
            raise GateError(f"boolean operation {self.operation!r}: wanted and, or, not")
        if self.operation == "not" and len(self.operands) != 1:
            raise GateError(f"'not' wants one population, got {len(self.operands)}")
        if self.operation != "not" and len(self.operands) < 2:
            raise GateError(f"{self.operation!r} wants at least two populations, got {len(self.operands)}")

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """None: a boolean gate looks at no channel."""
        return ()
