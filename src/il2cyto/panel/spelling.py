"""Which marker a label means: spellings that laboratories use, from the table ``spellings.csv`` beside this file."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

#: What stands between the words of a label.
_BETWEEN: Final = re.compile(r"[\s_\-/;.,:+()]+")
#: Area, height or width at the end of a channel's name.
_PULSE: Final = ("a", "h", "w")


@cache
def marker_of(label: str) -> str | None:
    """Return the one marker that a label names in full, or ``None``.

    Every word of the label must belong to a spelling of that marker or to a fluorochrome, whatever their order, case
    and separators; a label with anything else in it, or with two markers, means none. So a part of a name never
    matches: CD4 is not found in CD45, nor CD8 in ``CD8 B PE``.

    Parameters
    ----------
    label
        ``$PnS``, ``$PnN``, or a name in a panel.

    Examples
    --------
    >>> [marker_of(label) for label in ("IL-7Ra", "CD3-PerCP-Cy5-5-A", "CD45RA FITC", "CD183_CXCR3", "VIVID / CD14")]
    ['CD127', 'CD3', 'CD45RA', 'CXCR3', None]
    """
    words = _words(label)
    found = _meanings(words) | (_meanings(words[:-1]) if words and words[-1] in _PULSE else set())
    return found.pop() if len(found) == 1 else None


@cache
def spellings_of(marker: str) -> tuple[str, ...]:
    """Return every written spelling of a marker of the table, its own name first."""
    return next((names for kind, names in _table() if kind == "marker" and names[0] == marker), ())


def _meanings(words: tuple[str, ...]) -> set[str]:
    """Markers that the words name when they are cut into spellings without a rest."""
    # what can be said of the first n words: the marker, or "" for fluorochromes alone
    reached: list[set[str]] = [{""}, *(set() for _ in words)]
    for end in range(1, len(words) + 1):
        for start in range(end):
            told = _phrases().get("".join(words[start:end]))
            if told is not None:
                reached[end] |= {before or told for before in reached[start] if "" in (before, told) or before == told}
    return reached[-1] - {""}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _BETWEEN.split(text.casefold()) if word)


@cache
def _phrases() -> dict[str, str]:
    """Every spelling without its separators: the marker that it means, or an empty text for a fluorochrome."""
    found: dict[str, str] = {}
    for kind, names in _table():
        for name in names:
            found["".join(_words(name))] = names[0] if kind == "marker" else ""
    return found


@cache
def _table() -> tuple[tuple[str, tuple[str, ...]], ...]:
    text = (Path(__file__).parent / "spellings.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple((row["kind"], (row["name"], *filter(None, row["spellings"].split(";")))) for row in rows)
