"""Gates that overrides of the study move: which of a tube's gates, and each override with the tubes it is for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from il2cyto.gating.amend import APPLIED
from il2cyto.report.numbers import words


@dataclass(frozen=True)
class Correction:
    """One gate of one override, what became of it, and the tubes of which that is true."""

    override: str
    level: str
    strategy: str
    population: str
    status: str
    author: str
    time: str
    reason: str
    tubes: tuple[str, ...]


def list_corrections(overrides: pd.DataFrame) -> tuple[Correction, ...]:
    """Put the rows of ``overrides.csv`` that differ in their tube alone together, in order of the first.

    Examples
    --------
    >>> columns = "override level strategy population status author time reason".split()
    >>> row = dict.fromkeys(columns, "") | {"population": "cells/Treg", "author": "Ann Other"}
    >>> table = pd.DataFrame([row | {"tube_id": "P001-BL"}, row | {"tube_id": "P001-M1"}])
    >>> [(one.population, one.author, one.tubes) for one in list_corrections(table)]
    [('cells/Treg', 'Ann Other', ('P001-BL', 'P001-M1'))]
    """
    columns = ["override", "level", "strategy", "population", "status", "author", "time", "reason"]
    found: dict[tuple[str, ...], list[str]] = {}
    for tube_id, *row in overrides[["tube_id", *columns]].itertuples(index=False):
        found.setdefault(tuple(map(words, row)), []).append(words(tube_id))
    return tuple(Correction(**dict(zip(columns, row, strict=True)), tubes=tuple(tubes)) for row, tubes in found.items())


def corrected_gates(overrides: pd.DataFrame | None) -> dict[str, dict[str, tuple[str, str, str, str]]]:
    """Return level, author, time and reason of each gate that is not that of the strategy, by tube and path."""
    if overrides is None:
        return {}
    found: dict[str, dict[str, tuple[str, str, str, str]]] = {}
    columns = ["tube_id", "population", "level", "author", "time", "reason"]
    for row in overrides.loc[overrides["status"] == APPLIED, columns].itertuples(index=False):
        tube_id, population, level, author, time, reason = map(words, row)
        found.setdefault(tube_id, {})[population] = (level, author, time, reason)
    return found
