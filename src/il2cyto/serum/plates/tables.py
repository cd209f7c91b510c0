"""Exports that are tables: a row per well and analyte, or a column per analyte."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from il2cyto.errors import TableError
from il2cyto.serum.plates.cells import read_cell
from il2cyto.serum.plates.wells import BLANK, CONTROL, SAMPLE, STANDARD, Plate, sample_type, well_name, wells_table

#: Headings, compared without case, spaces and points, and the column that they mean.
_HEADINGS: Final = {
    "plate": "plate", "plateid": "plate", "platename": "plate", "plate_id": "plate", "batch": "plate",
    "well": "well", "wells": "well", "location": "well", "wellid": "well", "position": "well",
    "sample": "sample", "sampleid": "sample", "sample_id": "sample", "samplename": "sample", "description": "sample",
    "name": "sample", "filename": "sample", "tube": "sample",
    "type": "type", "sampletype": "type", "sample_type": "type", "group": "type",
    "level": "level", "std_level": "level", "stdlevel": "level", "standard": "level",
    "analyte": "analyte", "assay": "analyte", "cytokine": "analyte", "target": "analyte", "bead": "analyte",
    "unit": "unit", "units": "unit",
    "signal": "signal", "fi": "signal", "mfi": "signal", "medianfi": "signal", "median": "signal", "od": "signal",
    "absorbance": "signal", "ecl": "signal", "beadmfi": "signal", "gmfi": "signal",
    "beadcount": "bead_count", "bead_count": "bead_count", "count": "bead_count", "beads": "bead_count",
    "events": "bead_count", "dilution": "dilution", "dilutionfactor": "dilution", "dilution_factor": "dilution",
    "expconc": "expected", "expected": "expected", "expected_conc": "expected", "expectedconcentration": "expected",
    "concentration": "expected", "nominalconcentration": "expected",
    "obsconc": "reported", "calcconcentration": "reported", "calc_conc": "reported", "result": "reported",
    "calculatedconcentration": "reported", "obsconcentration": "reported", "value": "reported", "conc": "reported",
}  # fmt: skip
#: Columns of programs that say nothing of a single well.
_LEFT_OUT: Final = frozenset({
    "outlier", "fi-bkgd", "stddev", "%cv", "(obs/exp)*100", "ratio", "samplingerrors", "spot", "adjustedsignal",
    "mean", "adjsigmean", "cv", "calcconcmean", "calcconccv", "%recovery", "%recoverymean", "detectionrange",
    "detectionlimits:calclow", "detectionlimits:calchigh", "fitstatistic:rsquared", "concentrationclass", "comments",
    "flag", "replicate", "rsquared", "totalevents", "notes", "row", "column", "%agg", "%sampled", "lloq", "uloq",
    "lod", "subject", "visit", "collection_date",
})  # fmt: skip
_UNIT = re.compile(r"[pnuµ]g/mL|[kmu]?IU?/mL|U/mL|[pn]M|pmol/L", re.IGNORECASE)
_TYPES: Final = {
    "s": STANDARD, "std": STANDARD, "standard": STANDARD, "b": BLANK, "blank": BLANK, "background": BLANK,
    "c": CONTROL, "qc": CONTROL, "control": CONTROL, "x": SAMPLE, "u": SAMPLE, "unknown": SAMPLE, "sample": SAMPLE,
}  # fmt: skip
_QUANTITIES: Final = {
    "mfi": "signal", "median": "signal", "gmfi": "signal", "od": "signal", "signal": "signal", "count": "bead_count",
    "conc": "reported", "concentration": "reported", "result": "reported",
}  # fmt: skip
#: Names of samples by which Meso Scale's program tells types.
_MSD: Final = {"S": STANDARD, "B": BLANK, "C": CONTROL, "U": SAMPLE}


@dataclass(frozen=True)
class _Table:
    """A heading, the rows below, the line of the heading, and the title above it."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    title: str


def read_table(rows: list[list[str]], name: str, *, quantity: str | None = None) -> Plate:
    """Read every table of a file.

    Parameters
    ----------
    rows
        Cells.
    name
        Of the file.
    quantity
        What the columns named by an analyte alone hold, ``signal`` or ``reported`` (concentrations); by default what
        the heading says, or concentrations where it names a unit.

    Raises
    ------
    TableError
        If there is no table with wells, or a cell is no number.
    """
    tables = _tables(rows)
    if not tables:
        raise TableError(
            f"{name}: has no line of headings with a well or sample and a signal or concentration; "
            "headings as in docs/serum.md, or plate_id, well, sample, type, analyte, signal, dilution, expected"
        )
    program = _program(rows, tables)
    found: list[dict[str, Any]] = []
    for table in tables:
        columns = [_column(heading) for heading in table.header]
        long = ("signal" in columns or "reported" in columns) and ("analyte" in columns or bool(table.title))
        found += _long(table, columns, name, program) if long else _wide(table, columns, name, program, quantity)
    return Plate(wells_table(found, name), program)


def _key(heading: str) -> str:
    return re.sub(r"[\s.]+", "", heading).casefold()


def _column(heading: str) -> str:
    key = _key(_UNIT.sub("", heading).replace("()", "").replace("[]", ""))
    return _HEADINGS.get(key) or _HEADINGS.get(_key(heading)) or ("" if _key(heading) in _LEFT_OUT else "?")


def _tables(rows: list[list[str]]) -> list[_Table]:
    tables: list[_Table] = []
    title = ""
    header: list[str] | None = None
    inside: list[tuple[int, list[str]]] = []

    def close() -> None:
        if header is not None and inside:
            tables.append(_Table(header, list(inside), title))

    pending = ""
    for line, row in enumerate(rows, start=1):
        cells = [cell for cell in row if cell]
        if _is_header(row):
            close()
            title, pending, header, inside = pending, "", row, []
        elif not cells:
            close()
            header, inside = None, []
        elif len(cells) == 1:
            pending = re.sub(r"^analyte\s*:\s*", "", cells[0], flags=re.IGNORECASE)
        elif header is not None:
            inside.append((line, row))
    close()
    return tables


def _is_header(row: list[str]) -> bool:
    columns = [_column(cell) for cell in row if cell]
    named = set(columns)
    if not named & {"well", "sample"} or any(_is_number(cell) for cell in row):
        return False
    return bool(named & {"signal", "reported"}) or columns.count("?") >= 1


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(read_cell(text)[0])
    except ValueError:
        return False


def _program(rows: list[list[str]], tables: list[_Table]) -> str:
    text = " ".join(cell for row in rows[:40] for cell in row).casefold()
    headings = {_key(cell) for table in tables for cell in table.header}
    if "fcap array" in text:
        return "FCAP Array"
    if "legendplex" in text:
        return "LEGENDplex"
    if {"fi", "obsconc"} <= headings:
        return "Bio-Plex"
    if "assay" in headings and "calcconcentration" in headings:
        return "MSD"
    return "table"


def _kind(cells: dict[str, str], program: str) -> tuple[str, str]:
    """Type and level of a well: the column, then the name of the sample."""
    told = re.fullmatch(r"([A-Za-z]+)\s*0*(\d*)", cells.get("type", ""))
    if told and told[1].casefold() in _TYPES:
        kind = _TYPES[told[1].casefold()]
        level = cells.get("level", "") or told[2] or sample_type(cells.get("sample", ""))[1]
        return kind, level
    msd = re.fullmatch(r"([SBCU])0*(\d+)", cells.get("sample", ""))
    if program == "MSD" and msd:
        return _MSD[msd[1]], msd[2]
    calibrator = re.fullmatch(r"C0*(\d+)", cells.get("sample", ""))
    if program == "LEGENDplex" and calibrator:
        return STANDARD, calibrator[1] or "0"
    kind, level = sample_type(cells.get("sample", ""))
    return kind, cells.get("level", "") or level


def _analyte(text: str) -> tuple[str, str]:
    """Name and unit of an analyte; the number of its bead, in brackets, is left out."""
    unit = ""
    for inside in re.findall(r"[(\[]([^)\]]*)[)\]]", text):
        if _UNIT.fullmatch(inside.strip()):
            unit = inside.strip()
            text = re.sub(r"\s*[(\[]" + re.escape(inside) + r"[)\]]", "", text)
        elif re.fullmatch(r"\s*[A-Z]?\d+\s*", inside):
            text = re.sub(r"\s*[(\[]" + re.escape(inside) + r"[)\]]", "", text)
    return text.strip(), unit


def _long(table: _Table, columns: list[str], name: str, program: str) -> list[dict[str, Any]]:
    units = [found[0] for heading in table.header if (found := _UNIT.findall(heading))]
    rows = []
    for line, row in table.rows:
        cells: dict[str, str] = {}
        for column, cell in zip(columns, row, strict=False):
            if column not in ("", "?") and not cells.get(column):
                cells[column] = cell
        analyte, unit = _analyte(cells.get("analyte") or table.title)
        cells["unit"] = cells.get("unit") or unit or (units[0] if units else "")
        rows.append(_well(cells, analyte, name, line, program))
    return rows


def _wide(table: _Table, columns: list[str], name: str, program: str, quantity: str | None) -> list[dict[str, Any]]:
    told = [(i, *_wide_column(table.header[i], table.title, quantity)) for i, c in enumerate(columns) if c == "?"]
    told = [
        one
        for one in told
        if table.header[one[0]] and any(_is_number(row[one[0]]) for _, row in table.rows if one[0] < len(row))
    ]
    unclear = [table.header[i] for i, _, _, kind in told if not kind]
    if unclear:
        raise TableError(
            f"{name}: {', '.join(unclear[:3])}: signals or concentrations? Write MFI or a unit into the heading, "
            "or say which with values: signal (or concentration)"
        )
    rows = []
    for line, row in table.rows:
        shared = {c: row[i] for i, c in enumerate(columns) if c not in ("", "?") and i < len(row)}
        by_analyte: dict[str, dict[str, str]] = {}
        for i, analyte, unit, kind in told:
            cells = by_analyte.setdefault(analyte, {**shared, "unit": unit})
            cells[kind] = row[i] if i < len(row) else ""
            cells["unit"] = cells["unit"] or unit
        rows += [_well(cells, analyte, name, line, program) for analyte, cells in by_analyte.items()]
    return rows


def _wide_column(heading: str, title: str, quantity: str | None) -> tuple[str, str, str]:
    """Analyte, unit and quantity of a column."""
    analyte, unit = _analyte(heading)
    words = analyte.split()
    last = _QUANTITIES.get(words[-1].casefold().rstrip(".:")) if len(words) > 1 else None
    if last:
        return " ".join(words[:-1]).rstrip(" -:,"), unit, last
    above = next((kind for word, kind in _QUANTITIES.items() if word in title.casefold().split()), "")
    return analyte, unit, quantity or ("reported" if unit else above)


def _well(cells: dict[str, str], analyte: str, name: str, line: int, program: str) -> dict[str, Any]:
    numbers: dict[str, float] = {}
    side = ""
    for column in ("signal", "bead_count", "dilution", "expected", "reported"):
        try:
            number, found = read_cell(cells.get(column, ""))
        except ValueError as why:
            raise TableError(f"{name}: line {line}, {column} of {analyte}: {why}") from why
        numbers[column] = number
        side = found if column == "reported" else side
    kind, level = _kind(cells, program)
    expected = 0.0 if kind == BLANK else numbers["expected"]
    if kind == STANDARD and expected == 0:
        kind = BLANK
    return {
        "plate": cells.get("plate") or name,
        "well": well_name(cells.get("well", "")),
        "sample": cells.get("sample", "") or well_name(cells.get("well", "")),
        "type": kind,
        "level": level,
        "analyte": analyte,
        "unit": cells.get("unit", ""),
        "signal": numbers["signal"],
        "bead_count": numbers["bead_count"],
        "dilution": 1.0 if math.isnan(numbers["dilution"]) else numbers["dilution"],
        "expected": expected,
        "reported": cells.get("reported", ""),
        "value": numbers["reported"],
        "side": side,
    }
