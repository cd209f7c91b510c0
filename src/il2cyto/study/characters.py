"""Characters that look alike: full-width forms, spaces of other kinds, letters and accents apart."""

from __future__ import annotations

import unicodedata

_FULL_WIDTH = {0xFF01 + place: 0x21 + place for place in range(94)}
_SPACES = dict.fromkeys((160, 5760, *range(8192, 8203), 8239, 8287, 12288), " ")


def plain(text: str) -> str:
    """Return a text as an id or a number is compared: full-width characters as their usual forms, one kind of space.

    Examples
    --------
    >>> plain("Ｐ００１　")
    'P001'
    """
    return spaced(text.translate(_FULL_WIDTH))


def spaced(text: str) -> str:
    """Return a text with every space as the usual one, none at its ends, and accents joined to their letters (NFC).

    Examples
    --------
    >>> spaced("\\xa0Jose\\u0301\\u3000A ")
    'José A'
    """
    return unicodedata.normalize("NFC", text).translate(_SPACES).strip()


def invisible(text: str) -> str | None:
    """Return a description of the first character that nobody can see, or ``None``.

    Examples
    --------
    >>> invisible("A\\u200b")
    'U+200B, ZERO WIDTH SPACE'
    """
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            return f"U+{ord(character):04X}, {unicodedata.name(character, 'control character')}"
    return None
