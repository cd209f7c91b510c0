"""Read a plate, whichever program wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from il2cyto.serum.plates.cells import read_rows
from il2cyto.serum.plates.grid import is_grid, read_grid
from il2cyto.serum.plates.tables import read_table
from il2cyto.serum.plates.wells import Plate
from il2cyto.serum.plates.xponent import is_xponent, read_xponent

#: What can be read; the file says which of them it is.
FORMATS: Final = ("xPONENT", "Bio-Plex", "MSD", "FCAP Array", "LEGENDplex", "ELISA", "table")


def read_plate(path: str | Path, *, values: str | None = None) -> Plate:
    """Read the wells of a plate, or of several, out of an export.

    Parameters
    ----------
    path
        A CSV or text file: Luminex xPONENT, Bio-Plex Manager, MSD Discovery Workbench, FCAP Array, LEGENDplex, the grid
        of an ELISA reader, or a plain table with the headings ``plate_id, well, sample, type, level, analyte, signal,
        bead_count, dilution, expected, value, unit``.
    values
        What columns that are headed by the name of an analyte hold, where nothing in the file says it: ``signal`` or
        ``concentration``.

    Returns
    -------
    Plate
        The wells as one table, and what the program computed of them.

    Raises
    ------
    TableError
        If the file cannot be read as one of these; the message names the line and the remedy.

    Examples
    --------
    >>> import tempfile
    >>> text = "well,sample,analyte,signal,dilution\\nA1,Standard 1,IL-6,12000,\\nB1,P001 V2,IL-6,310,2\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plate.csv"
    ...     _ = path.write_text(text)
    ...     read_plate(path).wells[["well", "type", "level", "signal", "dilution"]].values.tolist()
    [['A1', 'S', '1', 12000.0, 1.0], ['B1', 'U', '', 310.0, 2.0]]
    """
    rows, name = read_rows(path), Path(path).name
    if is_xponent(rows):
        return read_xponent(rows, name)
    if is_grid(rows):
        return read_grid(rows, name)
    return read_table(rows, name, quantity="reported" if values == "concentration" else values)
