"""The beads of a kit: a CSV file that says which bead carries which analyte."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from il2cyto.errors import PanelError, did_you_mean

COLUMNS: Final = ("group", "bead", "analyte", "top", "dilution", "unit")
_REQUIRED: Final = ("bead", "analyte")
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Bead:
    """One bead: its group by size, its place by the classification dye, its analyte and its highest standard.

    `top` is NaN where the panel does not say it; `dilution` is the factor between standards.
    """

    group: str
    bead: str
    analyte: str
    top: float
    dilution: float
    unit: str


@dataclass(frozen=True)
class BeadPanel:
    """The beads of a kit; groups from the smallest to the largest, beads of a group from the dimmest on."""

    beads: tuple[Bead, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups in the order of size."""
        return tuple(dict.fromkeys(bead.group for bead in self.beads))

    def of_group(self, group: str) -> tuple[Bead, ...]:
        """Return the beads of a group, dimmest first."""
        return tuple(bead for bead in self.beads if bead.group == group)


def read_bead_panel(path: str | Path) -> BeadPanel:
    """Read a bead panel: a CSV file with ``bead, analyte`` and, where they hold, ``group, top, dilution, unit``.

    Groups are in the order of the lines, smallest beads first; beads of a group too, dimmest first. `bead` is the
    kit's name of the bead (``A4``) and must be unique.

    Raises
    ------
    PanelError
        If a column is missing or unknown, a bead or analyte stands twice, or a number cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "panel.csv"
    ...     _ = path.write_text("group,bead,analyte,top,dilution,unit\\nA,A4,IL-6,10000,4,pg/mL\\n")
    ...     read_bead_panel(path).beads[0].analyte
    'IL-6'
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PanelError(f"{path.name}: {path.stat().st_size} bytes, more than any panel")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise PanelError(f"{path.name}: cannot be read as a text file in UTF-8 ({why})") from why
    rows = [
        [cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)
    ]
    header = rows[0] if rows else []
    for column in header:
        if column not in COLUMNS:
            raise PanelError(f"{path.name}: has no use for a column {column!r}{did_you_mean(column, COLUMNS)}")
    missing = [column for column in _REQUIRED if column not in header]
    if missing:
        raise PanelError(f"{path.name}: lacks the column {', '.join(missing)}")
    beads = [_bead(dict(zip(header, row, strict=False)), path.name) for row in rows[1:]]
    if not beads:
        raise PanelError(f"{path.name}: names no bead")
    for field in ("bead", "analyte"):
        values = [getattr(bead, field) for bead in beads]
        twice = next((one for one in values if values.count(one) > 1), None)
        if twice is not None:
            raise PanelError(f"{path.name}: {field} {twice} stands twice")
    ordered = sorted(beads, key=lambda bead: list(dict.fromkeys(one.group for one in beads)).index(bead.group))
    return BeadPanel(tuple(ordered))


def _bead(cells: dict[str, str], name: str) -> Bead:
    for column in _REQUIRED:
        if not cells.get(column):
            raise PanelError(f"{name}: a line has no {column}")
    return Bead(
        group=cells.get("group") or "A",
        bead=cells["bead"],
        analyte=cells["analyte"],
        top=_positive(cells.get("top", ""), name, "top"),
        dilution=_positive(cells.get("dilution", ""), name, "dilution"),
        unit=cells.get("unit", ""),
    )


def _positive(text: str, name: str, what: str) -> float:
    if not text:
        return float("nan")
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) <= 0:
        raise PanelError(f"{name}: {what} {text!r} is no number above 0")
    return float(text)
