"""What stands in the place of names, ids and dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from il2cyto.compensation import COMPENSATED_PREFIXES
from il2cyto.deident.key import ALPHABET, Key
from il2cyto.deident.vocabulary import NAMES, STUDY, Vocabulary, vocabulary
from il2cyto.errors import OutputError

#: Kind of identifier: first letters and number of characters of its pseudonym. 13 characters are 65 bits.
KINDS = {"subject": ("S", 13), "tube": ("T", 13), "file": ("F", 13), "study": ("STUDY", 13), "name": ("N", 13)}
CODED = re.compile(f"(S|T|F|N|STUDY)-[{ALPHABET}]{{13}}")


class Names:
    """The pseudonyms of one run: functions of the key, held against collisions, remembered for the map.

    Parameters
    ----------
    key
        The secret.
    words
        The user's own vocabulary.
    accept_coded
        Take a text that looks like a pseudonym for one. For the scanner: input to be cleaned is never trusted so.

    Examples
    --------
    >>> names = Names(Key(bytes(range(32))))
    >>> names.name("CD4"), names.name("PerCP-Cy5-5-A")
    ('CD4', 'PerCP-Cy5-5-A')
    >>> names.name("Smith"), names.name("Comp-Smith")
    ('N-4DFQAP2GZRKGT', 'Comp-N-4DFQAP2GZRKGT')
    """

    def __init__(self, key: Key, words: Vocabulary | None = None, *, accept_coded: bool = False) -> None:
        self.key = key
        self._words = words or Vocabulary(())
        self._accept_coded = accept_coded
        self._lists: dict[tuple[str, ...], Vocabulary] = {}
        self._known: dict[tuple[str, ...], bool] = {}
        #: Original by kind and pseudonym.
        self.originals: dict[tuple[str, str], str] = {}

    def coded(self, kind: str, text: str) -> str:
        """Return the pseudonym of an id.

        Raises
        ------
        OutputError
            If two ids have one pseudonym: less likely than 1 in 10^10 for a million ids.
        """
        if self.is_coded(text):
            return text
        letters, length = KINDS[kind]
        code = f"{letters}-{self.key.code(kind, text, length)}"
        self.record(kind, code, text)
        return code

    def is_coded(self, text: str) -> bool:
        """Whether a text counts as a pseudonym already: for the scanner only."""
        return self._accept_coded and CODED.fullmatch(text) is not None

    def record(self, kind: str, code: str, original: str) -> None:
        """Remember what a pseudonym stands for."""
        if self.originals.setdefault((kind, code), original) != original:
            raise OutputError("two names have the same pseudonym under this key; make another key with --new-key")

    def passes(self, text: str, *lists: str) -> bool:
        """Whether a text is made of words of these lists, or of the user's own."""
        question = (text, *lists)
        if question not in self._known:
            if lists not in self._lists:
                self._lists[lists] = vocabulary(*lists) + self._words
            self._known[question] = text in self._lists[lists]
        return self._known[question] or self.is_coded(text)

    def name(self, text: str, *lists: str) -> str:
        """Return a name as it is if its words are known, else its pseudonym: the same wherever it stands.

        A prefix that says "compensated" stays, and so do angle brackets: they mean something to readers.
        """
        text = text.strip()
        if not text:
            return ""
        for prefix in COMPENSATED_PREFIXES:
            if text.startswith(prefix):
                return prefix + self.name(text.removeprefix(prefix), *lists)
        if text.startswith("<") and text.endswith(">") and len(text) > 2:
            return f"<{self.name(text[1:-1], *lists)}>"
        return text if self.passes(text, *(lists or NAMES)) else self.coded("name", text)

    def channel(self, text: str) -> str:
        """Return the name of a channel; one with a comma could not stand in a matrix, so it is replaced."""
        return self.coded("name", text.strip()) if "," in text else self.name(text)

    def path(self, text: str) -> str:
        """Return the path or name of a population, each of its parts cleaned."""
        return "/".join(self.name(part) for part in text.split("/"))

    def codes(self, kind: str, ids: Iterable[str]) -> dict[str, str]:
        """Return new ids for arms, visits or tubes: the old one if its words are known, else a numbered one."""
        ids = tuple(ids)
        kept = {name for name in ids if self.passes(name, *STUDY)}
        taken = {name.casefold() for name in kept}
        new: dict[str, str] = {}
        number = 0
        for name in ids:
            code = name
            while name not in kept and (code == name or code.casefold() in taken):
                number += 1
                code = f"{kind.upper()}{number}"
            new[name] = code
            if code != name:
                self.record(kind, code, name)
        return new

    def shifted(self, subject: str, day: date) -> date | None:
        """Return a date of a subject moved into the past, or ``None`` where the calendar has no such day."""
        try:
            return day - timedelta(days=self.key.shift(subject))
        except OverflowError:
            return None
