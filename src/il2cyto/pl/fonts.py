"""Letters of every script in pictures: fonts that have them, and no empty boxes where none has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.text import Text

#: Fonts with Chinese, Japanese and Korean letters that systems bring, in order of preference.
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "SimHei", "SimSun", "Noto Sans CJK JP",
    "Noto Sans CJK TC", "Noto Sans CJK KR", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip
#: Beginnings of the names of their files, for fonts that matplotlib's own list does not know yet.
_FILES = (
    "notosanscjk",
    "notosanssc",
    "sourcehansans",
    "wqy-",
    "msyh",
    "pingfang",
    "simhei",
    "simsun",
    "droidsansfallback",
)
#: Width of a line of a label, in Latin letters; a longer one goes on below.
LINE = 28


def legible(artist: Artist) -> None:
    """Give every text of an artist fonts that have its letters.

    Letters that no font has are written as their code (``\\\\u6dcb``): longer, but neither lost nor a row of boxes.
    """
    for text in artist.findobj(Text):
        written = text.get_text()
        if not written.isascii() and _missing(tuple(text.get_fontfamily()), written):
            text.set_fontfamily([*text.get_fontfamily(), *_installed()])
            text.set_text(drawable(written))


def drawable(text: str) -> str:
    """Return a text with the code in place of every letter that no font here has.

    Examples
    --------
    >>> drawable("CD4 é"), drawable("\\U0010fffd")
    ('CD4 é', '\\\\U0010fffd')
    """
    if text.isascii():
        return text
    missing = _missing(("sans-serif", *_installed()), text)
    return "".join(ascii(letter)[1:-1] if letter in missing else letter for letter in text)


def label(text: str, line: int = LINE) -> str:
    """Return a label that can be drawn, in lines of a width, broken at blanks and signs where possible.

    Examples
    --------
    >>> label("Low-dose interleukin-2 and standard therapy")
    'Low-dose interleukin-2 and \\nstandard therapy'
    """
    lines, begin, width, blank = [], 0, 0, 0
    for place, letter in enumerate(text):
        # Chinese letters are as wide as two Latin ones
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if width > line:
            cut = blank if blank - begin > line // 3 else place
            lines.append(text[begin:cut])
            width = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text[cut : place + 1])
            begin = cut
        if letter in " -_/.+|·":
            blank = place + 1
    return "\n".join(drawable(part) for part in [*lines, text[begin:]])


@lru_cache
def _installed() -> tuple[str, ...]:
    found = _known()
    if not found:
        for path in sorted(font_manager.findSystemFonts()):
            if Path(path).name.lower().startswith(_FILES):
                font_manager.fontManager.addfont(path)
        found = _known()
    for name in found:
        entries = [font for font in font_manager.fontManager.ttflist if font.name == name]
        if not any(font.weight in (400, "normal", "regular") for font in entries):
            # matplotlib logs a line for each text in a font that calls its only weight 500
            font_manager.fontManager.ttflist.append(replace(entries[0], weight=400))
    return found


def _known() -> tuple[str, ...]:
    names = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FALLBACKS if name in names)


@lru_cache(maxsize=1024)
def _missing(families: tuple[str, ...], text: str) -> frozenset[str]:
    """Return the letters of a text that none of the fonts has."""
    return frozenset(letter for letter in set(text) - {"\n", " "} if not any(_has(families, letter)))


def _has(families: Iterable[str], letter: str) -> Iterable[bool]:
    for family in families:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]))
        yield bool(font_manager.get_font(path).get_char_index(ord(letter)))
