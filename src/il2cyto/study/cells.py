"""Typed values from the cells of a sheet; whatever is wrong becomes a problem with line, column, value and remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from il2cyto.study.fields import IDENTIFIER, IDENTIFIER_RULE, NUMBER
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.sheets import Row

T = TypeVar("T")

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: What a person writes where nobody knows the date or the age; a blank cell may be a slip.
UNKNOWN = "unknown"


class CellReader:
    """Read the cells of one row; each method returns ``None`` for a blank cell and after it has reported a problem."""

    def __init__(self, file: str, row: Row, findings: Findings, masked: frozenset[str] = frozenset()) -> None:
        self.file = file
        self.row = row
        self.findings = findings
        self.masked = masked

    def cell(self, column: str) -> str:
        """Return the text of a cell; empty when it is blank or the sheet lacks the column."""
        return self.row.cells.get(column, "")

    def problem(self, column: str, message: str) -> None:
        """Report a problem at a cell. Of a masked column (dates of birth) only the shape of the value is repeated."""
        value = self.cell(column)
        if column in self.masked:
            value = re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "#", value))
        self.findings.problem(self.file, self.row.line, column, value, message)

    def text(self, column: str, *, required: bool = False) -> str | None:
        """Return the text of a cell; a blank one is a problem when the sheet has the column and needs it."""
        value = self.cell(column)
        if not value and required and column in self.row.cells:
            self.problem(column, "this cell must not be blank")
        return value or None

    def identifier(self, column: str) -> str | None:
        """Return a required name that can be a folder."""
        value = self.text(column, required=True)
        if value is not None and not IDENTIFIER.fullmatch(value):
            self.problem(column, f"this name becomes a folder; {IDENTIFIER_RULE}")
            return None
        return value

    def optional_identifier(self, column: str) -> str | None:
        """Return a name made of the characters of an id, such as that of a staining batch."""
        value = self.text(column)
        if value is not None and not IDENTIFIER.fullmatch(value):
            self.problem(column, f"this is no id; {IDENTIFIER_RULE}")
            return None
        return value

    def label(self, column: str) -> str | None:
        """Return a required text that becomes part of a row label, and so holds no bar."""
        value = self.text(column, required=True)
        if value is not None and "|" in value:
            self.problem(column, "rows are labelled subject|visit; use a name without |")
            return None
        return value

    def choice(self, column: str, choices: Sequence[str], *, required: bool = False, remedy: str = "") -> str | None:
        """Return one of a few words; `remedy` replaces the list of them."""
        value = self.text(column, required=required)
        if value is not None and value not in choices:
            self.problem(column, f"unknown{hint(value, choices)}; {remedy or f'choose one of: {one_of(choices)}'}")
            return None
        return value

    def number(self, column: str, remedy: str) -> float | None:
        """Return a finite number."""
        value = self.text(column)
        if value is None:
            return None
        if "," in value:
            self.problem(
                column, "commas are not guessed (decimal or thousands?); write a decimal point and no separator"
            )
            return None
        number = float(value) if NUMBER.fullmatch(value) else math.nan
        if not math.isfinite(number):
            self.problem(column, f"this is no finite number; {remedy}")
            return None
        return number

    def positive(self, column: str, remedy: str) -> float | None:
        """Return a number above zero."""
        number = self.number(column, remedy)
        if number is not None and number <= 0:
            self.problem(column, f"the number must be above 0; {remedy}")
            return None
        return number

    def unknown(self, column: str) -> bool:
        """Whether the cell says that its value is unknown."""
        return self.cell(column) == UNKNOWN

    def day_or_unknown(self, column: str) -> date | None:
        """Return a required date; ``None`` also where the cell says that it is unknown."""
        if self.unknown(column):
            return None
        if not self.cell(column) and column in self.row.cells:
            self.problem(column, f"this cell must not be blank; write {UNKNOWN} if nobody knows the date")
            return None
        return self.day(column)

    def day(self, column: str, *, required: bool = False) -> date | None:
        """Return a date that is written ``yyyy-mm-dd``; no other order is guessed."""
        value = self.text(column, required=required)
        if value is None:
            return None
        if not ISO_DATE.fullmatch(value):
            self.problem(column, "write the date as yyyy-mm-dd, without a time; no other form is guessed")
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.problem(column, "the calendar has no such day; correct it")
            return None

    def resolved(self, column: str, resolve: Callable[[str], T]) -> T | None:
        """Return what `resolve` makes of the text; its ``ValueError`` is the message."""
        value = self.text(column)
        if value is None:
            return None
        try:
            return resolve(value)
        except ValueError as error:
            self.problem(column, str(error))
            return None
