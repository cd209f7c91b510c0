"""One number of every subject at every visit, and the shape of the rows that outcomes are told in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.keys import ESTIMATED

Floats = NDArray[np.float64]

#: Columns of the table of an outcome: `n` of `of` subjects; the rest by ``analysis`` (docs/outcomes.md).
COLUMNS: Final = (
    "outcome", "parameter", "unit", "analysis", "category", "arm", "visit", "n", "of", "estimate", "sd", "se", "lower",
    "upper", "df", "median", "q1", "q3", "minimum", "maximum", "p_value", "p_adjusted", "family", "model_id", "method",
    "warnings", "status", "reason",
)  # fmt: skip
_NUMBERS: Final = (
    "estimate", "sd", "se", "lower", "upper", "df", "median", "q1", "q3", "minimum", "maximum", "p_value", "p_adjusted",
)  # fmt: skip

VALUE, CHANGE, RATIO = "value", "change", "ratio_to_baseline"
ADJUSTED, ADJUSTED_DIFFERENCE = "adjusted_change", "adjusted_difference"
ANCOVA, RANKS, OVERLAP = "ancova_difference", "rank_test", "overlap_weighted_difference"
SHARE, SHARE_DIFFERENCE, OVERLAP_SHARE = "share", "share_difference", "overlap_weighted_share_difference"
SHIFT, MCNEMAR = "shift", "mcnemar"
EVENTS, RATE, RATE_RATIO = "events", "rate_per_year", "rate_ratio"

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Measure:
    """Values of n subjects at baseline (first) and later visits.

    Attributes
    ----------
    code, label, unit
        Name, words and unit.
    values
        ``(n, m)``; NaN where there is none. A value that is known as a limit stands as the limit.
    censor
        ``(n, m)``: -1 below and 1 above the limit, else 0.
    logarithm
        Whether changes are compared by their logarithm, as ratios.
    classes, order
        Class of each value, ``(n, m)``, empty where there is none, and the classes in order; ``None`` without classes.
    normal
        The class that is not abnormal.
    key
        Whether its comparison belongs to the family of the outcome.
    notes
        What a reader must know.
    """

    code: str
    label: str
    unit: str
    values: Floats
    censor: NDArray[np.int8]
    logarithm: bool = False
    classes: NDArray[np.str_] | None = None
    order: tuple[str, ...] = ()
    normal: str = ""
    key: bool = True
    notes: tuple[str, ...] = field(default=())


def row(outcome: str, measure: Measure, analysis: str, **cells: Any) -> Row:
    """Return a row of the table of an outcome; what is not given is missing."""
    found: Row = {
        **dict.fromkeys(_NUMBERS, np.nan), **dict.fromkeys(("n", "of"), 0),
        **dict.fromkeys(("category", "arm", "visit", "family", "model_id", "method", "warnings", "reason"), ""),
        "outcome": outcome, "parameter": measure.code, "unit": measure.unit, "analysis": analysis, "status": ESTIMATED,
    }  # fmt: skip
    unknown = set(cells) - set(found)
    if unknown:
        raise KeyError(f"no such column: {', '.join(sorted(unknown))}")
    return found | cells
