"""What reading a study found: problems, which stop it, and notices, which do not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from il2cyto.errors import Problem, did_you_mean

#: Longest piece of a value that a message repeats.
SHOWN = 80


class Findings:
    """Collect every problem and notice of one reading, in the order of discovery."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []

    def problem(self, file: str, line: int | None, where: str, value: str, message: str) -> None:
        """Record something that has to be put right before the study can be read."""
        self.problems.append(Problem(file, line, where, shorten(value), message))

    def notice(self, file: str, line: int | None, where: str, value: str, message: str) -> None:
        """Record something that a person should know and that stops nothing.

        Results carry `message` and not `value`: what a cell holds, ids aside, stands in `value` alone.
        """
        self.notices.append(Problem(file, line, where, shorten(value), message))


def in_file_order(problems: Sequence[Problem], files: Sequence[str]) -> tuple[Problem, ...]:
    """Sort problems by file (in the order of `files`) and line; those about a whole file come first.

    Examples
    --------
    >>> late, early = (Problem("samples.csv", line, "visit", "M9", "unknown") for line in (7, 2))
    >>> [problem.line for problem in in_file_order([late, early], ["samples.csv"])]
    [2, 7]
    """
    rank = {name: position for position, name in reversed(list(enumerate(files)))}
    return tuple(sorted(problems, key=lambda problem: (rank.get(problem.file, -1), problem.line or 0)))


def shorten(value: str) -> str:
    """Return a value as messages repeat it: whole, or its beginning when it is long."""
    return value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"


@lru_cache(maxsize=4096)
def _hint(word: str, choices: tuple[str, ...]) -> str:
    return did_you_mean(word, choices)


def hint(word: str, choices: Sequence[str]) -> str:
    """Return ``did_you_mean``, remembered: the same wrong word often stands in a thousand rows.

    Examples
    --------
    >>> hint("Baselin", ["Baseline", "Month 1"])
    " (did you mean 'Baseline'?)"
    """
    return _hint(word, tuple(choices)) if len(word) <= SHOWN else ""


def one_of(choices: Sequence[str]) -> str:
    """List choices for a message, at most twelve of them.

    Examples
    --------
    >>> one_of(["sum", "apart:first"])
    'sum, apart:first'
    """
    more = f" and {len(choices) - 12} more" if len(choices) > 12 else ""
    return ", ".join(list(choices)[:12]) + more
