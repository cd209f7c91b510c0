"""Words that may stand in cleaned files, and the rule by which a text is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from il2cyto.errors import ParameterError

#: Lists of the package: which of them speak about what.
NAMES = ("markers", "fluorochromes", "detectors", "populations")
STUDY = ("study", "markers", "populations")

_TOKEN = re.compile(r"[0-9A-Za-zα-ωΑ-Ω]+")
_BETWEEN = re.compile(r"[ \-_./:+()<>,;*@#&|\[\]%^=~'\"™®]*")
_SIGNED = re.compile(r"signed: \S.*, \d{4}-\d{2}-\d{2}")
_LONGEST = 120
#: What a detector measures of a pulse; may follow any name.
_SUFFIXES = frozenset({"a", "h", "w", "area", "height", "width", "log", "loga", "logh", "lina", "linh"})


@dataclass(frozen=True)
class Vocabulary:
    """Phrases of words in small letters with one space between them, as regular expressions.

    A text passes when it can be cut, from its first letter to its last, into phrases: ``CD4 PerCP-Cy5.5`` passes,
    ``CD4 Smith`` does not. Capitals and the signs between words do not count. A phrase that begins with ``=`` stands
    for a whole text only.
    """

    phrases: tuple[str, ...]

    def __add__(self, other: Vocabulary) -> Vocabulary:
        return Vocabulary((*self.phrases, *other.phrases))

    def __contains__(self, text: str) -> bool:
        tokens = tokenize(text)
        if not tokens:
            return False
        if self._fits(self._whole, tokens) or self._cut(tokens):
            return True
        return len(tokens) > 1 and tokens[-1] in _SUFFIXES and self._cut(tokens[:-1])

    def recognised(self, text: str) -> str:
        """Return the phrases that stand in a text, and nothing else of it; empty where there are none.

        Examples
        --------
        >>> vocabulary("cytometers").recognised("Ward 3, Dr. Lee's FACSCanto II")
        'FACSCanto II'
        """
        words = _TOKEN.findall(text)
        folded = [word.casefold() for word in words]
        found, place = [], 0
        while place < len(words):
            length = max(self._lengths(folded, place), default=0)
            found += words[place : place + length]
            place += length or 1
        return " ".join(found)

    def _cut(self, tokens: Sequence[str]) -> bool:
        reached = {0}
        for place in range(len(tokens)):
            if place in reached:
                reached |= {place + n for n in self._lengths(tokens, place)}
        return len(tokens) in reached

    def _lengths(self, tokens: Sequence[str], place: int) -> Iterable[int]:
        for length in range(1, min(self._widest, len(tokens) - place) + 1):
            if self._fits(self._parts, tokens[place : place + length]):
                yield length

    @staticmethod
    def _fits(pattern: re.Pattern[str], tokens: Sequence[str]) -> bool:
        return pattern.fullmatch(" ".join(tokens)) is not None

    @cached_property
    def _widest(self) -> int:
        # every space of a phrase is written as one, so no match has more words than this
        return max((phrase.count(" ") + 1 for phrase in self.phrases), default=0)

    @cached_property
    def _parts(self) -> re.Pattern[str]:
        return _pattern(phrase for phrase in self.phrases if not phrase.startswith("="))

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _pattern(phrase[1:] for phrase in self.phrases if phrase.startswith("="))


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{phrase})" for phrase in phrases) or r"(?!)")


def tokenize(text: str) -> tuple[str, ...]:
    """Return the words of a text in small letters; none where a sign stands between them that no name has.

    Examples
    --------
    >>> tokenize("PerCP-Cy5.5-A"), tokenize("CD4 ☺")
    (('percp', 'cy5', '5', 'a'), ())
    """
    if len(text) > _LONGEST:
        return ()
    text = text.replace("µ", "u").replace("μ", "u")
    if not all(_BETWEEN.fullmatch(piece) for piece in _TOKEN.split(text)):
        return ()
    return tuple(word.casefold() for word in _TOKEN.findall(text))


@cache
def vocabulary(*lists: str) -> Vocabulary:
    """Return the lists of the package that have these names, together."""
    folder = files("il2cyto.deident") / "vocabulary"
    lines = [line for name in lists for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
    return Vocabulary(tuple(line.strip() for line in lines if line.strip() and not line.startswith("#")))


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read a user's own words: one name a line, taken literally.

    The first line is ``signed: NAME, YYYY-MM-DD``: a person has read the words and vouches that none of them names or
    describes a patient. Lines that begin with ``#`` are comments.

    Raises
    ------
    ParameterError
        If the file cannot be read, is not signed, or a line can be no name.
    """
    path = Path(path)
    try:
        first, *lines = path.read_text(encoding="utf-8-sig").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    if not _SIGNED.fullmatch(first.strip()):
        raise ParameterError(
            f"{path}: the first line must be `signed: NAME, YYYY-MM-DD` of who read and vouches for it"
        )
    phrases = []
    for number, line in enumerate(lines, start=2):
        if not line.strip() or line.startswith("#"):
            continue
        words = tokenize(line.strip())
        if not words:
            raise ParameterError(
                f"{path}, line {number}: no name: letters, digits and common signs, at most {_LONGEST}"
            )
        phrases.append(" ".join(words))
    return Vocabulary(tuple(phrases))
