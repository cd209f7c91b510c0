"""What FlowJo's names of parameters mean in the FCS file."""

from __future__ import annotations

from dataclasses import dataclass, field

from il2cyto.exchange.flowjo.matrices import Compensation
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED


class UnknownParameterError(Exception):
    """A parameter that the FCS file does not hold; the text is the reason for the tables."""


@dataclass(frozen=True)
class Channels:
    """The channels of one sample, as its keywords in the workspace name them.

    Attributes
    ----------
    names
        ``$PnN``; empty where the workspace keeps no keywords, and then every name is taken as it is.
    derived
        Parameters that FlowJo computed itself.
    """

    names: tuple[str, ...]
    derived: frozenset[str] = field(default_factory=frozenset)

    def name(self, shown: str) -> str:
        """Return the ``$PnN`` of a name; FlowJo writes "_" where the file has "/"."""
        return self._find(shown) or shown

    def _find(self, shown: str) -> str | None:
        if shown in self.names:
            return shown
        matches = [name for name in self.names if name.replace("/", "_") == shown.replace("/", "_")]
        return matches[0] if len(matches) == 1 else None

    def locate(self, shown: str, compensation: Compensation | None) -> tuple[str, str]:
        """Return channel or fluorochrome and the compensation reference of a parameter.

        Raises
        ------
        UnknownParameterError
            If the parameter is derived, or neither a channel nor compensated from one.
        """
        found = self._find(shown)
        inner = _inner(shown, compensation)
        if compensation is not None and inner is not None and (found is None or inner == shown):
            if compensation.problem:
                raise UnknownParameterError(f"{shown}: {compensation.problem}")
            name = self.name(inner)
            if compensation.id == FROM_FILE and (name in self.names or not self.names):
                return name, FROM_FILE
            if compensation.matrix is not None:
                for candidate in (inner, name):
                    if candidate in compensation.matrix.fluorochromes:
                        return candidate, compensation.id
        if found is not None:
            return found, UNCOMPENSATED
        if shown in self.derived:
            raise UnknownParameterError(f"derived parameter {shown!r} of FlowJo is not supported")
        if self.names:
            raise UnknownParameterError(
                f"{shown!r} is no channel of the file and not compensated by the sample's matrix; FlowJo derived it, "
                "or its matrix is missing"
            )
        return shown, UNCOMPENSATED


def _inner(shown: str, compensation: Compensation | None) -> str | None:
    """Return a name without the prefix and suffix of compensation, or ``None`` if it lacks them."""
    if compensation is None:
        return None
    prefix, suffix = compensation.prefix, compensation.suffix
    if shown.startswith(prefix) and shown.endswith(suffix) and len(shown) > len(prefix) + len(suffix):
        return shown[len(prefix) : len(shown) - len(suffix)]
    return None
