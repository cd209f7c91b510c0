"""Serum concentrations from a tidy table to AnnData, with censoring kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from il2cyto.errors import TableError, did_you_mean
from il2cyto.serum.values import Concentration, read_concentration, read_number

if TYPE_CHECKING:
    from anndata import AnnData

_REQUIRED = ("subject", "visit", "analyte", "value", "unit")
_OPTIONAL = ("lloq", "uloq", "visit_number", "se_log", "n_replicates", "flags", "collection_date")


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    subject: str
    visit: str
    analyte: str
    unit: str
    visit_number: float
    concentration: Concentration
    se_log: float
    n_replicates: float
    flags: str
    collection_date: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.subject, self.visit, self.analyte


def read_serum(table: pd.DataFrame | str | Path) -> AnnData:
    """Read serum concentrations, one row per subject, visit and analyte.

    Parameters
    ----------
    table
        A table, or the path of a CSV file, with the columns ``subject, visit, analyte, value, unit`` and, if known,
        ``lloq, uloq`` (limits of quantification), ``visit_number``, ``se_log`` (standard error of the natural
        logarithm), ``n_replicates``, ``flags`` and ``collection_date``. Values as laboratories write them: ``3.2``,
        ``<2.4``, ``>5000``, ``OOR <``, ``OOR >``; empty, ``NaN``, ``NA``, ``*`` and ``---`` are missing. Further
        columns are not used; ``uns["il2cyto"]["columns_not_used"]`` lists them.

    Returns
    -------
    anndata.AnnData
        ``obs``: ``subject|visit`` with ``USUBJID, AVISIT, AVISITN`` (NaN where not given); ``var``: analyte with
        ``unit``, ``lloq`` (the highest) and ``uloq`` (the lowest), between which all its values can be compared. ``X``
        float64, NaN where missing; **where** ``layers["censor"]`` (int8) **is -1 or +1, X is the limit itself** and the
        concentration lies below or above it. ``layers["lloq"]`` and ``layers["uloq"]`` hold the limits of each value,
        ``se_log`` and ``n_replicates`` what the table says of it (NaN where nothing), ``flags`` (int16) a code whose
        text is in ``uns["il2cyto"]["flag_codes"]``. ``obs["collection_date"]`` is the date of the draw, or empty.
        Rows are sorted by subject, visit number and visit, columns by name, whatever the order of the table.

    Raises
    ------
    TableError
        If a column or a value cannot be read, units of an analyte differ, or a value is given twice; the message lists
        every such row.

    Examples
    --------
    >>> serum = read_serum(pd.DataFrame({"subject": ["P1", "P1"], "visit": ["BL", "M1"], "analyte": "IL-6",
    ...                                  "value": ["<2.4", "8.1"], "unit": "pg/mL"}))
    >>> serum.X.ravel().tolist(), serum.layers["censor"].ravel().tolist()
    ([2.4, 8.1], [-1, 0])
    """
    name, texts = _texts(table)
    problems: list[str] = []
    rows = list(_read_rows(texts, problems))
    problems += _contradictions(rows)
    if problems:
        raise TableError(f"{name}: {len(problems)} problem(s)\n" + "\n".join(f"  {problem}" for problem in problems))
    return _anndata(rows, [str(column) for column in texts if column not in (*_REQUIRED, *_OPTIONAL, "place")])


def _texts(table: pd.DataFrame | str | Path) -> tuple[str, pd.DataFrame]:
    """Name of the table, and its cells as stripped text with a column that says where each row stands."""
    if isinstance(table, pd.DataFrame):
        name, word, first, raw = "serum table", "row", 1, table
    else:
        name, word, first = Path(table).name, "line", 2
        try:
            # blank lines are kept, so that the numbers of the lines are those of the file
            raw = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
        except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as why:
            raise TableError(f"{name} cannot be read as a CSV table in UTF-8: {why}") from why
    columns = [str(column) for column in raw.columns]
    missing = [f"{column!r}{did_you_mean(column, columns)}" for column in _REQUIRED if column not in columns]
    if missing:
        raise TableError(f"{name} lacks the column {'; '.join(missing)}")
    texts = raw.map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).reset_index(drop=True)
    texts["place"] = [f"{word} {first + position}" for position in range(len(texts))]
    blank = (texts[columns] == "").all(axis="columns")
    for column in _OPTIONAL:
        if column not in texts:
            texts[column] = ""
    return name, texts[~blank]


def _read_rows(texts: pd.DataFrame, problems: list[str]) -> Iterator[_Row]:
    """Yield the rows that can be read; what cannot be read is added to `problems`."""
    for cells in texts.to_dict(orient="records"):
        place = cells["place"]
        found = [
            f"{place}: {column} is empty" for column in ("subject", "visit", "analyte", "unit") if not cells[column]
        ]
        found += [
            f"{place}: {column} {cells[column]!r} contains '|', which joins subject and visit"
            for column in ("subject", "visit")
            if "|" in cells[column]
        ]
        number = np.nan
        try:
            concentration = read_concentration(cells["value"], cells["lloq"], cells["uloq"])
            if cells["visit_number"]:
                number = read_number(cells["visit_number"], "visit_number")
            se_log, n_replicates = (
                read_number(cells[name], name) if cells[name] else np.nan for name in ("se_log", "n_replicates")
            )
        except ValueError as why:
            found.append(f"{place} ({cells['subject']}, {cells['visit']}, {cells['analyte']}): {why}")
        problems += found
        if not found:
            names = ("place", "subject", "visit", "analyte", "unit", "flags", "collection_date")
            text = {column: cells[column] for column in names}
            yield _Row(
                **text, visit_number=number, concentration=concentration, se_log=se_log, n_replicates=n_replicates
            )


def _contradictions(rows: list[_Row]) -> list[str]:
    """Rows that say the same thing twice, or differently."""
    problems: list[str] = []
    seen: dict[tuple[str, str, str], str] = {}
    units: dict[str, _Row] = {}
    numbers: dict[str, _Row] = {}
    for row in rows:
        if row.key in seen:
            problems.append(f"{seen[row.key]} and {row.place} both give {', '.join(row.key)}; keep one")
        seen.setdefault(row.key, row.place)
        first = units.setdefault(row.analyte, row)
        if first.unit != row.unit:
            problems.append(
                f"{row.place}: {row.analyte} in {row.unit}, but in {first.unit} in {first.place}; "
                "convert to one unit, or give the analytes different names"
            )
        first = numbers.setdefault(row.visit, row)
        if not np.array_equal(first.visit_number, row.visit_number, equal_nan=True):
            problems.append(
                f"{row.place}: visit {row.visit} has number {row.visit_number:g}, "
                f"but {first.visit_number:g} in {first.place}"
            )
    return problems


def _anndata(rows: list[_Row], not_used: list[str]) -> AnnData:
    from anndata import AnnData

    numbers = {row.visit: row.visit_number for row in rows}
    visits = sorted(
        {(row.subject, row.visit) for row in rows},
        key=lambda visit: (visit[0], np.nan_to_num(numbers[visit[1]], nan=np.inf), visit[1]),
    )
    units = {row.analyte: row.unit for row in rows}
    analytes = sorted(units)
    at = {visit: position for position, visit in enumerate(visits)}
    column = {analyte: position for position, analyte in enumerate(analytes)}
    shape = (len(visits), len(analytes))
    value, lloq, uloq, se_log, n_replicates = (np.full(shape, np.nan) for _ in range(5))
    legend = {text: code for code, text in enumerate(sorted({row.flags for row in rows} - {""}), start=1)}
    flags = np.zeros(shape, dtype=np.int16)
    censor = np.zeros(shape, dtype=np.int8)
    for row in rows:
        cell = at[row.subject, row.visit], column[row.analyte]
        value[cell], censor[cell] = row.concentration.value, row.concentration.censor
        lloq[cell], uloq[cell] = row.concentration.lloq, row.concentration.uloq
        se_log[cell], n_replicates[cell] = row.se_log, row.n_replicates
        flags[cell] = legend.get(row.flags, 0)
    dates = {(row.subject, row.visit): row.collection_date for row in reversed(rows) if row.collection_date}
    obs = pd.DataFrame(
        {
            "USUBJID": pd.Series([subject for subject, _ in visits], dtype=object),
            "AVISIT": pd.Series([visit for _, visit in visits], dtype=object),
            "AVISITN": pd.Series([numbers[visit] for _, visit in visits], dtype=np.float64),
            "collection_date": pd.Series([dates.get(visit, "") for visit in visits], dtype=object),
        }
    ).set_axis(pd.Index([f"{subject}|{visit}" for subject, visit in visits], dtype=object), axis="index")
    var = pd.DataFrame(
        {
            "unit": pd.Series([units[analyte] for analyte in analytes], dtype=object),
            "lloq": pd.DataFrame(lloq).max(axis="index"),
            "uloq": pd.DataFrame(uloq).min(axis="index"),
        }
    ).set_axis(pd.Index(analytes, dtype=object), axis="index")
    layers = {"censor": censor, "lloq": lloq, "uloq": uloq}
    layers |= {"se_log": se_log, "n_replicates": n_replicates, "flags": flags}
    notes = {
        "censor_codes": "0 none; -1 below X, which is the limit; +1 above X, which is the limit",
        "flag_codes": {str(code): text for text, code in legend.items()} or {"0": ""},
        "columns_not_used": np.array(not_used, dtype=object),
    }
    return AnnData(X=value, obs=obs, var=var, layers=layers, uns={"il2cyto": notes})
