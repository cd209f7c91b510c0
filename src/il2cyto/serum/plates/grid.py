"""ELISA readers: the plate as a grid of optical densities, rows A to H and columns 1 to 12."""

from __future__ import annotations

import re
from typing import Any

from il2cyto.errors import TableError
from il2cyto.serum.plates.cells import read_cell
from il2cyto.serum.plates.wells import SAMPLE, Plate, wells_table

_LEAST_COLUMNS = 3


def is_grid(rows: list[list[str]]) -> bool:
    """Whether rows of text hold such a grid."""
    return bool(_grids(rows))


def read_grid(rows: list[list[str]], name: str) -> Plate:
    """Read one grid, or several below each other, each with the name of its analyte in a line above.

    What is in the wells a plate map says; until then every well is a sample named as its well.

    Raises
    ------
    TableError
        If a cell is no number, or several grids have no names.
    """
    grids = _grids(rows)
    found: list[dict[str, Any]] = []
    titles = [title for title, _, _ in grids]
    if len(grids) > 1 and (len(set(titles)) < len(titles) or "" in titles):
        raise TableError(f"{name}: has {len(grids)} grids; write the name of its analyte into a line above each")
    for title, columns, lines in grids:
        for row in lines:
            for number, cell in zip(columns, row[1:], strict=False):
                try:
                    signal, _ = read_cell(cell)
                except ValueError as why:
                    raise TableError(f"{name}: well {row[0]}{number}: {why}") from why
                if signal == signal:
                    well = f"{row[0].upper()}{number}"
                    found.append(
                        {"plate": name, "well": well, "sample": well, "type": SAMPLE, "analyte": title,
                         "signal": signal, "dilution": 1.0}
                    )  # fmt: skip
    return Plate(wells_table(found, name), "ELISA")


def _grids(rows: list[list[str]]) -> list[tuple[str, list[int], list[list[str]]]]:
    grids = []
    title = ""
    for i, row in enumerate(rows):
        cells = [cell for cell in row if cell]
        numbers = [int(cell) for cell in row[1:] if re.fullmatch(r"\d{1,2}", cell)]
        begins = len(numbers) >= _LEAST_COLUMNS and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if begins and row[0] in ("", "<>", "Row", "row") and i + 1 < len(rows):
            lines = []
            for below in rows[i + 1 :]:
                if not below or not re.fullmatch(r"[A-Pa-p]", below[0]):
                    break
                lines.append(below)
            if lines:
                grids.append((title, numbers, lines))
        elif len(cells) == 1:
            title = cells[0]
    return grids
