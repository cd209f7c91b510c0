"""Numbers as the report prints them. ``assets/core.js`` holds the same rule for the browser; a test compares both."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd

NOTHING = "–"


def is_missing(value: Any) -> bool:
    """Whether a table's cell is empty: ``None``, ``NaN`` or ``NA``."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def three_digits(value: float | None) -> str:
    """Print a number with three significant digits, thousands grouped; an empty cell is a dash.

    Examples
    --------
    >>> [three_digits(x) for x in (0.0, 0.012345, 5.0, 123.5, 1235.0, float("nan"))]
    ['0', '0.0123', '5.00', '124', '1,240', '–']
    """
    if value is None or is_missing(value) or math.isinf(value):
        return NOTHING
    if value == 0:
        return "0"
    exact = Decimal(float(value))
    last = Decimal(1).scaleb(exact.adjusted() - 2)
    rounded = exact.quantize(last, rounding=ROUND_HALF_UP)
    # 9.995 rounds up into one more digit before the point
    decimals = max(0, 2 - rounded.adjusted())
    return f"{rounded:,.{decimals}f}"


def compact(value: Any, digits: int = 5) -> float | int | None:
    """Round to significant digits for the page's data, where an empty cell is ``null``.

    Examples
    --------
    >>> compact(12.3456789), compact(3.0), compact(float("nan"))
    (12.346, 3, None)
    """
    if is_missing(value):
        return None
    number = float(f"{float(value):.{digits}g}")
    if math.isinf(number):
        return None
    return int(number) if number.is_integer() else number


def words(value: Any) -> str:
    """Text of a table's cell: empty for a missing one.

    Examples
    --------
    >>> words(None), words("a"), words(2.0), words(True)
    ('', 'a', '2', 'yes')
    """
    if is_missing(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
