"""A place in the tree whose gate another program keeps to itself."""

from __future__ import annotations

from dataclasses import dataclass

from il2cyto.errors import GateError
from il2cyto.gates.dimension import Dimension


@dataclass(frozen=True)
class UnsupportedGate:
    """A gate that could not be taken over: its population and those below are not estimable, for this reason.

    Parameters
    ----------
    reason
        Why, in words for the tables.
    """

    reason: str

    def __post_init__(self) -> None:
        if not self.reason:
            raise GateError("a gate that cannot be taken over wants a reason")

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """None: nothing is known of it."""
        return ()
