"""The errors that il2cyto raises on purpose.

::

    Il2CytoError
    ├── FcsError            a file that cannot be read as FCS, or that breaks a rule under ``strict=True``
    ├── PanelError          a marker that matches no channel, or two
    ├── CompensationError   a matrix that does not fit, or a second application
    ├── ParameterError      a parameter outside its declared domain (transforms, counts, models)
    ├── GateError           geometry that is no gate
    ├── StrategyError       a strategy that does not hold together (cycle, missing reference, unknown marker)
    ├── GatingMLError       XML that is no Gating-ML 2.0, or is unsafe
    ├── StudyError          study.yaml or a sheet is wrong; carries every problem found
    ├── TableError          a table that breaks its schema
    └── OutputError         results cannot be written where they were asked for

Every message names the file, the value and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Il2CytoError(Exception):
    """Base of every error that il2cyto raises on purpose.

    Parameters
    ----------
    message
        What is wrong, or, where `values` are given, a `str.format` template for it.
    **values
        What the template names; all of it is shown on screen. In `public` there stands ``(file)`` for ``file`` (the
        name of an FCS file) and ``(panel)`` for ``panel_file``, likewise for any other kind; ``(withheld)`` for what
        begins with ``found`` (text that stood in a patient's file); nothing for what begins with ``hint`` (a remark
        that the message can do without); and for another error its own `public`.

    Examples
    --------
    >>> error = FcsError("{file}: $TOT is {found!r}, wanted a number", file="Lee.fcs", found="Lee, Ann")
    >>> str(error)
    "Lee.fcs: $TOT is 'Lee, Ann', wanted a number"
    >>> error.public
    '(file): $TOT is (withheld), wanted a number'
    >>> StrategyError("{matrix_file}: bad{hint}; {error}", matrix_file="Lee.csv", hint=" (Ann?)", error=error).public
    '(matrix): bad; (file): $TOT is (withheld), wanted a number'
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self._public = message.format(**{key: _shown(key, value) for key, value in values.items()}) if values else ""

    @property
    def public(self) -> str:
        """The message as results may carry it: without the file's name and without text out of the file.

        Empty where the message was not given as a template, so that nothing is known to be safe in it.
        """
        return self._public


class _Withheld:
    """Stands for a value that results do not carry, under whatever format the template asks for."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __format__(self, _: str) -> str:
        return self._word

    def __repr__(self) -> str:
        return self._word


def _shown(key: str, value: object) -> object:
    if key == "file" or key.endswith("_file"):
        return _Withheld(f"({key.removesuffix('_file')})")
    if key.startswith("found"):
        return _Withheld("(withheld)")
    if key.startswith("hint"):
        return _Withheld("")
    return _Withheld(value.public or "(withheld)") if isinstance(value, Il2CytoError) else value


class FcsError(Il2CytoError):
    """A file that cannot be read as FCS."""


class PanelError(Il2CytoError):
    """A marker that matches no channel of a file, or more than one."""


class CompensationError(Il2CytoError):
    """A spillover matrix that does not fit the sample, or would be applied twice."""


class ParameterError(Il2CytoError, ValueError):
    """A parameter outside its declared domain."""


class GateError(Il2CytoError):
    """Geometry that does not make a gate."""


class StrategyError(Il2CytoError):
    """A gating strategy that does not hold together."""


class GatingMLError(StrategyError):
    """XML that is not Gating-ML 2.0, or that is unsafe to read."""


class TableError(Il2CytoError):
    """A table that breaks its schema."""


class OutputError(Il2CytoError):
    """Results cannot be written where they were asked for."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a study, with its place.

    Parameters
    ----------
    file
        Name of the file, relative to the study folder.
    line
        Line in that file, counted from 1, or ``None`` where the whole file is meant.
    where
        Key path or column, for example ``visits.1.day`` or ``n_beads``.
    value
        What stands there, as written.
    message
        What is wrong and what would be right.
    """

    file: str
    line: int | None
    where: str
    value: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        key = f", {self.where}" if self.where else ""
        value = f" = {self.value!r}" if self.value else ""
        return f"{place}{key}{value}: {self.message}"


class StudyError(Il2CytoError):
    """``study.yaml`` or one of its sheets is wrong.

    Attributes
    ----------
    problems
        Every problem that was found, in file order.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem in the study" if count == 1 else f"{count} problems in the study"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in self.problems)]))


def did_you_mean(word: str, choices: Sequence[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest choice, or an empty string.

    Examples
    --------
    >>> did_you_mean("CD127", ["CD25", "CD127-A"])
    " (did you mean 'CD127-A'?)"
    >>> did_you_mean("CD127", ["FSC-A"])
    ''
    """
    from difflib import SequenceMatcher, get_close_matches

    folded: dict[str, str] = {}
    for choice in choices:
        folded.setdefault(choice.casefold(), choice)
    target = word.casefold()
    close = get_close_matches(target, list(folded), n=5, cutoff=0.6)
    if not close:
        return ""
    # difflib breaks ties by the alphabet; the first choice as given is the better guess
    order = list(folded)
    best = max(close, key=lambda name: (SequenceMatcher(None, name, target).ratio(), -order.index(name)))
    return f" (did you mean {folded[best]!r}?)"
