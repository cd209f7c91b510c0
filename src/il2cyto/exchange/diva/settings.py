"""Cytometer settings of a tube: its parameters and its compensation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import Il2CytoError
from il2cyto.exchange.xml import attribute, child_text, children
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED

MATRIX = "FACSDiva"
_TIME = "40"


@dataclass(frozen=True)
class Parameter:
    """One parameter as the settings describe it.

    Attributes
    ----------
    is_log
        Whether it is shown on a logarithmic or biexponential scale; ``None`` where the settings do not say.
    minimum, maximum
        Ends of its display: instrument units, or decades where `is_log`; ``None`` where the settings do not say.
    is_time
        Whether it is the time of the event.
    """

    name: str
    is_log: bool | None
    minimum: float | None
    maximum: float | None
    is_time: bool


@dataclass(frozen=True)
class Settings:
    """Parameters by name, and what is compensated.

    Attributes
    ----------
    enabled
        Whether compensation is switched on.
    compensated
        Parameters that FACSDiva compensates; none where it is switched off.
    reference
        Compensation reference of their dimensions.
    matrix
        The matrix of that id, where it is one.
    problem
        Why the matrix cannot be used; empty where it can.
    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    enabled: bool = False
    compensated: frozenset[str] = frozenset()
    reference: str = UNCOMPENSATED
    matrix: SpilloverMatrix | None = None
    problem: str = ""

    def of_any_file(self) -> Settings:
        """Return the same with the matrix of each FCS file, for a template, which has no tubes of its own."""
        return replace(self, reference=FROM_FILE, matrix=None, problem="")


def read_settings(element: etree._Element | None) -> Settings:
    """Read ``instrument_settings``; without them nothing is known and nothing compensated.

    The coefficient `i` of parameter `j` is the weight of detector `i` in compensated `j` (as CytoML reads it), so the
    coefficients are the columns of the inverse of the spillover matrix. Detectors come in the order of the parameters
    that have coefficients.
    """
    if element is None:
        return Settings()
    parameters: dict[str, Parameter] = {}
    columns: dict[str, list[float]] = {}
    for item in children(element, "parameter"):
        name = attribute(item, "name") or ""
        parameters[name] = Parameter(
            name,
            flag(child_text(item, "is_log")),
            _finite(child_text(item, "min")),
            _finite(child_text(item, "max")),
            attribute(item, "type") == _TIME or name.lower() == "time",
        )
        for compensation in children(item, "compensation"):
            coefficients = [
                (coefficient.text or "").strip() for coefficient in children(compensation, "compensation_coefficient")
            ]
            columns[name] = [number(text) for text in coefficients]
    enabled = flag(child_text(element, "compensation_enabled")) is True
    if not enabled or not columns:
        return Settings(parameters, enabled)
    matrix, problem = _matrix(columns)
    reference = UNCOMPENSATED if matrix is None else matrix.id
    return Settings(parameters, True, frozenset(columns), reference, matrix, problem)


def _matrix(columns: Mapping[str, list[float]]) -> tuple[SpilloverMatrix | None, str]:
    """Return the spillover matrix, none for an identity, or why there is none."""
    names = tuple(columns)
    if any(len(column) != len(names) for column in columns.values()):
        lengths = sorted({len(column) for column in columns.values()})
        found = ", ".join(map(str, lengths))
        return None, f"compensation of {len(names)} parameters by lists of {found} coefficients is no matrix"
    values = np.array([columns[name] for name in names]).T
    if not np.isfinite(values).all():
        return None, "a coefficient of the compensation is not a number"
    if np.array_equal(values, np.eye(len(names))):
        return None, ""
    try:
        return SpilloverMatrix(MATRIX, names, np.linalg.inv(values)), ""
    except (np.linalg.LinAlgError, Il2CytoError):
        return None, "the matrix of compensation cannot be inverted"


def flag(text: str | None) -> bool | None:
    """Return what ``true`` and ``false`` say; ``None`` for anything else."""
    return {"true": True, "false": False}.get((text or "").lower())


def number(text: str | None) -> float:
    """Return a number, NaN where there is none."""
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _finite(text: str | None) -> float | None:
    value = number(text)
    return value if math.isfinite(value) else None
