"""Typed values from the cells of a sheet; whatever is wrong becomes a problem with line, column, value and remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from il2cyto.study.dates import UNKNOWN, UNKNOWN_WORDS, Moment, read_iso
from il2cyto.study.fields import IDENTIFIER, IDENTIFIER_RULE, NUMBER
from il2cyto.study.findings import Findings, hint, one_of
from il2cyto.study.sheets import Row
from il2cyto.study.style import SheetStyle

T = TypeVar("T")

_AMBIGUOUS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")

_NO_SUCH_DAY = "the calendar has no such day, or the clock no such time; correct it"


class CellReader:
    """Read the cells of one row; each method returns ``None`` for a blank cell and after it has reported a problem."""

    def __init__(
        self,
        file: str,
        row: Row,
        findings: Findings,
        masked: frozenset[str] = frozenset(),
        style: SheetStyle | None = None,
    ) -> None:
        self.file = file
        self.row = row
        self.findings = findings
        self.masked = masked
        self.style = style or SheetStyle()

    def cell(self, column: str) -> str:
        """Return the text of a cell; empty when it is blank or the sheet lacks the column."""
        return self.row.cells.get(column, "")

    def problem(self, column: str, message: str) -> None:
        """Report a problem at a cell. Of a masked column (dates of birth) only the shape of the value is repeated."""
        self.findings.problem(self.file, self.row.line, column, self._shown(column), message)

    def notice(self, column: str, message: str) -> None:
        """Note something about a cell, without a date of birth as in `problem`."""
        self.findings.notice(self.file, self.row.line, column, self._shown(column), message)

    def _shown(self, column: str) -> str:
        value = self.cell(column)
        return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "#", value)) if column in self.masked else value

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
            message = "commas are not guessed (decimal or thousands?); write a decimal point and no separator"
            if self.style.decimal == "," and _AMBIGUOUS.fullmatch(value):
                message = 'is this comma decimal, or does it separate thousands? State `sheets: {decimal: ","}`'
            elif self.style.decimal == ",":
                message = "separators of thousands are not read; write a number such as 1234,5"
            elif self.style.decimal is None:
                message += ', or state a decimal comma in study.yaml: `sheets: {decimal: ","}`'
            self.problem(column, message)
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
        return self.cell(column) in UNKNOWN_WORDS

    def moment(self, column: str, *, required: bool = False) -> Moment | None:
        """Return a date with its time of day if it has one; ``None`` for a blank cell and after a problem.

        Its day is ``None`` where the cell says that it is unknown. So it is where only a part of it is given, which is
        noted.
        """
        if self.unknown(column):
            return Moment(None)
        value = self.cell(column)
        if not value:
            if required and column in self.row.cells:
                self.problem(column, f"this cell must not be blank; write {UNKNOWN} if nobody knows the date")
            return None
        try:
            moment = read_iso(value)
        except ValueError:
            moment = None
            possible = True
        else:
            possible = False
        if moment is None:
            self.problem(column, _NO_SUCH_DAY if possible or self._stated(value) else self._date_remedy(value))
            return None
        if moment.partial:
            self.notice(column, "a part of a date is no date: it counts as unknown")
        return moment

    def _stated(self, value: str) -> bool:
        """Whether a date of the stated form is meant; it was left as it stands because no calendar has it."""
        try:
            return self.style.dates is not None and self.style.dates.read(value) is not None
        except ValueError:
            return True

    def _date_remedy(self, value: str) -> str:
        if re.fullmatch(r"[1-9][0-9]{4}(\.[0-9]+)?", value):
            return "this is a number; format the cell as a date in the spreadsheet, or write yyyy-mm-dd"
        if self.style.dates is not None:
            return f"write the date as {self.style.dates.text}, as study.yaml states, or as yyyy-mm-dd"
        return (
            "write the date as yyyy-mm-dd, or state its form in study.yaml, for example `sheets: {dates: '%d.%m.%Y'}`; "
            "no other form is guessed"
        )

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
