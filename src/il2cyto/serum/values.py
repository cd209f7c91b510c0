"""One reported concentration: a number, or a statement that it lies beyond a limit of the assay."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

#: Codes of ``layers["censor"]``.
LEFT, NONE, RIGHT = -1, 0, 1

#: How laboratories write that nothing was measured; compared without case.
MISSING: Final = frozenset({"", "nan", "na", "*", "---"})

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BEYOND = re.compile(r"([<>])\s*(.*)")
_OUT_OF_RANGE = re.compile(r"OOR\s*([<>])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Concentration:
    """A value with its censoring; a censored value is the limit itself.

    `lloq` and `uloq` are the limits that hold for this value, NaN where none is known.
    """

    value: float
    censor: int
    lloq: float
    uloq: float


def plain_number(text: str) -> float | None:
    """Return the finite number that a text is in decimal notation, or ``None``."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def read_number(text: str, what: str) -> float:
    """Read a plain decimal number.

    Raises
    ------
    ValueError
        If `text` is anything else; a decimal comma is named as such.
    """
    number = plain_number(text)
    if number is not None:
        return number
    if "," in text:
        raise ValueError(f"{what} {text!r} has a comma: write the decimal point, and no separator of thousands")
    raise ValueError(f"{what} {text!r} is no number; a value may be 3.2, <2.4, >5000, OOR <, OOR >, or missing (---)")


def read_limit(text: str, name: str) -> float:
    """Read a limit of quantification: positive, or NaN where it is missing.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    if text.casefold() in MISSING:
        return math.nan
    limit = read_number(text, name)
    if limit <= 0:
        raise ValueError(f"{name} {text!r} must be positive")
    return limit


def read_concentration(text: str, lloq_text: str, uloq_text: str) -> Concentration:
    """Read a value with the limits of its row.

    ``<x`` lies below the larger of ``x`` and the LLOQ, ``>x`` above the smaller of ``x`` and the ULOQ: what is true of
    the tighter limit is true of the looser one, and a value between the detection limit and the LLOQ is not quantified.
    A number below the LLOQ is left-censored there, one above the ULOQ right-censored. Nothing is replaced by LOD/2.

    Parameters
    ----------
    text
        Value as written, without spaces around it.
    lloq_text, uloq_text
        Limits of quantification as written; may be missing.

    Raises
    ------
    ValueError
        If the value or a limit cannot be read, a limit that is needed is missing, or LLOQ is not below ULOQ.

    Examples
    --------
    >>> read_concentration("1.1", "2.4", "5000")
    Concentration(value=2.4, censor=-1, lloq=2.4, uloq=5000.0)
    >>> read_concentration("<2.4", "", "").censor
    -1
    """
    lloq, uloq = read_limit(lloq_text, "lloq"), read_limit(uloq_text, "uloq")
    if lloq >= uloq:
        raise ValueError(f"lloq {lloq:g} is not below uloq {uloq:g}")
    if text.casefold() in MISSING:
        return Concentration(math.nan, NONE, lloq, uloq)
    side, limit = "", math.nan
    if out := _OUT_OF_RANGE.fullmatch(text):
        side = out[1]
        limit = lloq if side == "<" else uloq
        if math.isnan(limit):
            raise ValueError(f"{text!r} needs the {'lloq' if side == '<' else 'uloq'} of its row, which is missing")
    elif beyond := _BEYOND.fullmatch(text):
        side, limit = beyond[1], read_number(beyond[2], "the limit of")
        if limit <= 0:
            raise ValueError(f"{text!r}: a limit must be positive")
    if side == "<":
        bound = max(limit, lloq) if not math.isnan(lloq) else limit
        return Concentration(bound, LEFT, bound, uloq)
    if side == ">":
        bound = min(limit, uloq) if not math.isnan(uloq) else limit
        return Concentration(bound, RIGHT, lloq, bound)
    return _plain(read_number(text, "value"), lloq, uloq)


def _plain(number: float, lloq: float, uloq: float) -> Concentration:
    if number < lloq:
        return Concentration(lloq, LEFT, lloq, uloq)
    if number > uloq:
        return Concentration(uloq, RIGHT, lloq, uloq)
    if number <= 0:
        raise ValueError(
            f"value {number:g} is no concentration, and its row has no lloq below which it would be censored"
        )
    return Concentration(number, NONE, lloq, uloq)
