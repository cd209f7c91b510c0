"""Plates of immunoassays as a study declares them: files, rules, and what is in which well."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from il2cyto.study.frozen import FrozenMapping


@dataclass(frozen=True)
class WellRow:
    """One row of the sheet of wells: what is in a well, or in all wells of a sample."""

    sample: str
    plate: str | None
    well: str | None
    type: str | None
    level: str | None
    dilution: float | None
    subject: str
    visit: str
    collection_date: date | None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Plates:
    """What ``plates`` says.

    Attributes
    ----------
    files
        Name as written and path of each export, in the order of the section.
    kit, panel
        Name and path of the concentrations of the standards, and of the panel of a bead array.
    values
        What columns named by an analyte hold, where the files do not say it.
    channels
        Of a bead array: ``forward``, ``side``, ``dye``, ``reporter``.
    model, scale, pool
        Of the curves.
    rules
        Numbers by the names of `RULES`; what is not there has its default.
    drug
        Analytes that are the drug itself, each with the days after a dose through which it is.
    max_days_apart
        Days between the draws for serum and cells above which a visit is not linked.
    """

    files: tuple[tuple[str, Path], ...]
    kit: tuple[str, Path] | None = None
    panel: tuple[str, Path] | None = None
    values: str | None = None
    channels: FrozenMapping[str, str] = field(default_factory=lambda: FrozenMapping({}))
    model: str = "auto"
    scale: str = "linear"
    pool: bool = False
    rules: FrozenMapping[str, float] = field(default_factory=lambda: FrozenMapping({}))
    drug: FrozenMapping[str, int] = field(default_factory=lambda: FrozenMapping({}))
    max_days_apart: int | None = None

    def inputs(self) -> dict[str, tuple[str, Path]]:
        """Return name and path of every file by its role: ``plates/1``, ``plates/kit``, ``plates/panel``."""
        found = {f"plates/{number}": one for number, one in enumerate(self.files, start=1)}
        found |= {"plates/kit": self.kit} if self.kit is not None else {}
        return found | ({"plates/panel": self.panel} if self.panel is not None else {})
