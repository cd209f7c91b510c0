"""What was done to a file, in words that never repeat a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DROPPED, RENAMED, SHIFTED, REPLACED, WITHHELD = "dropped", "renamed", "shifted", "replaced", "withheld"

#: Why; the first group is what makes a file likely to identify somebody.
IDENTIFIER = "identifier"
DATE = "date or time"
FREE_TEXT = "free text"
UNKNOWN_NAME = "name outside the vocabulary"
HIDDEN = "bytes that no segment holds"
OTHER_FILE = "file of another kind"
TECHNICAL = "technical, not on the list"
TELLING = (IDENTIFIER, DATE, FREE_TEXT, UNKNOWN_NAME, HIDDEN, OTHER_FILE)


@dataclass(frozen=True)
class Change:
    """One thing that cleaning changed.

    Parameters
    ----------
    where
        Keyword, segment, column or key: only names that the package itself knows.
    action
        ``dropped``, ``renamed``, ``shifted``, ``replaced`` or ``withheld``.
    reason
        One of the reasons of this module.
    shape
        Length and kinds of characters of the value. For the screen, not for the output.
    """

    where: str
    action: str
    reason: str
    shape: str = ""


@dataclass
class FileReport:
    """What happened to one file.

    `id` is its new name or number; `source`, where it was, is for the screen and never for the output.
    """

    id: str
    kind: str
    source: Path | None = None
    written: bool = False
    changes: list[Change] = field(default_factory=list)
    problem: str = ""
    data_sets: int = 0
    events: int = 0
    sha256: str = ""
    data_sha256: tuple[str, ...] = ()


def shape(text: str | bytes) -> str:
    """Return how long a value is and of what kinds of characters, and nothing more.

    Examples
    --------
    >>> shape("Lee, Ann 7")
    '10 characters: letters, digits, signs'
    """
    if isinstance(text, bytes):
        return f"{len(text)} bytes"
    kinds = {
        "letters": any(c.isalpha() and c.isascii() for c in text),
        "letters beyond ASCII": any(c.isalpha() and not c.isascii() for c in text),
        "digits": any(c.isdigit() for c in text),
        "signs": any(not c.isalnum() for c in text),
    }
    noun = "character" if len(text) == 1 else "characters"
    return f"{len(text)} {noun}: {', '.join(kind for kind, there in kinds.items() if there)}" if text else "empty"
