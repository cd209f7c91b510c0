"""Which characters the bytes of a TEXT segment mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from il2cyto.errors import FcsError
from il2cyto.sample import Repair

#: Windows code pages that ``$UNICODE`` of FCS 3.0 may name.
_CODE_PAGES = {
    65001: "utf-8", 936: "gb18030", 54936: "gb18030", 20936: "gb18030", 950: "big5", 932: "cp932", 949: "cp949",
    1250: "cp1250", 1251: "cp1251", 1252: "cp1252", 28591: "latin-1", 28605: "iso8859-15",
}  # fmt: skip
UNKNOWN = "unknown"
CHINESE = "gb18030"
_EUROPEAN = ("latin-1", "cp1252")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_ONE_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# the signs and the characters of GB2312, of which nearly all Chinese text is made
_GB_SIGN = re.compile(rb"[\xa1-\xa9][\xa1-\xfe]")
_GB_CHARACTER = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")
# a word of small letters, the first perhaps a capital, in code pages of Cyrillic and Greek
_SMALL_LETTERS = re.compile(rb"[\xa8\xb6-\xdf]?[\xb8\xdc-\xff]{3,}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_LATIN_SIGNS = frozenset("µ°±²³¹·®©«»§¼½¾×÷–—‘’“”•…€™ªº")
#: Characters that are looked at to tell what a piece is; a damaged one may be as long as the file.
_ENOUGH = 500
#: No file has more values that are not ASCII; bytes of the rest are shown as they are.
_MANY = 5_000


def decode_tokens(
    tokens: Sequence[bytes], version: str, encoding: str | None, name: str, likely: str | None = None
) -> tuple[list[str], str, tuple[Repair, ...]]:
    """Decode the pieces of a TEXT segment, never losing a byte.

    The order is: what the caller says; UTF-8; what ``$UNICODE`` declares; then piece by piece, since programs add to
    what an instrument wrote: GB18030 where a piece reads as Chinese, Latin-1 or Windows-1252 (Mac Roman from an old
    Macintosh) where it reads as European words; else each byte that is not ASCII is shown as ``\\xNN``, which is no
    text but no wrong text either.

    Parameters
    ----------
    tokens
        Keywords and values in turn.
    version
        FCS version; UTF-8 belongs to the standard from 3.1 on.
    encoding
        Name of a Python codec, or ``None`` to detect.
    likely
        An encoding without which the segment would not have been split like this.

    Returns
    -------
    The pieces, the name of the encoding that was needed (``ascii`` for the most; more than one are joined by ``+``),
    and what had to be assumed.

    Raises
    ------
    FcsError
        If the caller's encoding is unknown or does not fit.
    """
    joined = b"\0".join(tokens)
    if joined.isascii() and encoding is None:
        # one call instead of a thousand, unless a NUL stands in a value itself
        whole = joined.decode("ascii").split("\0")
        return whole if len(whole) == len(tokens) else [token.decode("ascii") for token in tokens], "ascii", ()
    if encoding is not None:
        return _as_declared(tokens, encoding, version, name)
    high = {token for token in tokens if not token.isascii()}
    if all(_is(token, "utf-8") for token in high):
        repairs = () if version >= "FCS3.1" else (Repair("TEXT", f"UTF-8 in {version}", "UTF-8", False),)
        return [token.decode("utf-8") for token in tokens], "utf-8", repairs
    chosen = _choose(sorted(high), _unicode_keyword(tokens) or likely, _european(tokens))
    used = "+".join(sorted(set(chosen.values()) - {"utf-8"}))
    # what is said of bytes that nobody can read must not look like an encoding
    shown = " and ".join(r"\xNN for unknown bytes" if word == UNKNOWN else word for word in used.split("+"))
    hint = "; give encoding= to read them" if UNKNOWN in used else ""
    found = Repair("TEXT", "bytes that are not UTF-8", f"{shown}{hint}", False)
    return [_decoded(token, chosen.get(token, "ascii")) for token in tokens], used, (found,)


def declared_repairs(content: bytes, encoding: str, version: str) -> tuple[Repair, ...]:
    """Return what has to be said of an encoding that the caller names."""
    if content.isascii() or (version >= "FCS3.1" and encoding.lower().replace("_", "-") in ("utf-8", "utf8")):
        return ()
    return (Repair("TEXT", "bytes that are not ASCII", f"{encoding}, as the caller says", False),)


def _as_declared(
    tokens: Sequence[bytes], encoding: str, version: str, name: str
) -> tuple[list[str], str, tuple[Repair, ...]]:
    try:
        decoded = [token.decode(encoding) for token in tokens]
    except UnicodeError as error:
        raise FcsError(
            "{file}: TEXT is not {encoding}; leave the encoding out to have it detected", file=name, encoding=encoding
        ) from error
    except (LookupError, ValueError) as error:
        raise FcsError(
            "{file}: encoding {encoding!r} is not known; try gb18030 or latin-1", file=name, encoding=encoding
        ) from error
    return decoded, encoding, declared_repairs(b"".join(tokens), encoding, version)


def _decoded(token: bytes, encoding: str) -> str:
    return token.decode("ascii", "backslashreplace") if encoding == UNKNOWN else token.decode(encoding)


def _unicode_keyword(tokens: Sequence[bytes]) -> str | None:
    for key, value in zip(tokens[::2], tokens[1::2], strict=False):
        if key.strip().upper() == b"$UNICODE":
            page = value.partition(b",")[0].strip()
            return _CODE_PAGES.get(int(page)) if page.isdigit() and len(page) < 6 else None
    return None


def _european(tokens: Sequence[bytes]) -> tuple[str, ...]:
    # CellQuest writes "CellQuest Pro™" in the character set of the old Macintosh that it says it ran on
    return ("mac-roman",) if any(b"Macintosh" in token for token in tokens) else _EUROPEAN


def _readings(token: bytes, likely: Sequence[str]) -> list[str]:
    """Return the encodings in which a piece makes sense, the most trusted first."""
    utf8 = _is(token, "utf-8")
    if utf8 and _surely_utf8(token):
        return ["utf-8"]
    chinese, signs = _is_chinese(token)
    european = [name for name in likely if not utf8 and _is_european(token, name)][:1]
    return ["utf-8"] * utf8 + [CHINESE] * chinese + european + [CHINESE] * signs


def _choose(tokens: Sequence[bytes], declared: str | None, european: Sequence[str]) -> dict[bytes, str]:
    """Choose the encoding of each piece that is not ASCII; what can be read in two ways follows the other pieces."""
    odd = {token for token in tokens if not _is(token, "utf-8")}
    if declared is not None and declared != "utf-8" and all(_is(token, declared) for token in odd):
        return {token: declared if token in odd else "utf-8" for token in tokens}
    readings = {token: _readings(token, european) if i < _MANY else [] for i, token in enumerate(tokens)}
    certain = {names[0] for names in readings.values() if len(names) == 1}
    chosen = {}
    for token, names in readings.items():
        kept = [name for name in names if name in certain] or names
        chosen[token] = kept[0] if kept else UNKNOWN
    return chosen


def _is(token: bytes, encoding: str) -> bool:
    try:
        token.decode(encoding)
    except UnicodeError:
        return False
    return True


def _surely_utf8(token: bytes) -> bool:
    """Whether UTF-8 is no accident; two bytes each may be Chinese as well, but the signs of units are not."""
    return any(sign > "\u07ff" or sign in _LATIN_SIGNS for sign in token.decode("utf-8"))


def _is_chinese(token: bytes) -> tuple[bool, bool]:
    """Whether a piece is Chinese text in GB18030, and whether it is made of signs that Chinese text has.

    Words of other languages whose bytes happen to be GB18030 are neither: "créée", where one "character" stands inside
    a word of letters, and words of small letters in Cyrillic.
    """
    try:
        text = token.decode(CHINESE)
    except UnicodeError:
        return False, False
    characters = listed = inside = 0
    for match in islice(_ONE_NOT_ASCII.finditer(text), _ENOUGH):
        i, sign = match.start(), match.group()
        code = sign.encode(CHINESE)
        if "\u4e00" <= sign <= "\u9fff":
            characters += 1
            listed += bool(_GB_CHARACTER.fullmatch(code))
            # one "character" between letters
            before, behind = text[max(i - 1, 0) : i], text[i + 1 : i + 2]
            inside += before.isascii() and before.isalpha() and behind.isascii()
        elif not _GB_SIGN.fullmatch(code):
            return False, False
    words = all(_SMALL_LETTERS.fullmatch(run.group()) for run in islice(_HIGH.finditer(token), _ENOUGH))
    return characters > inside and listed >= 0.5 * characters and not words, not characters


def _is_european(token: bytes, encoding: str) -> bool:
    if not _is(token, encoding):
        return False
    text = token.decode(encoding)
    for match in islice(_NOT_ASCII.finditer(text), _ENOUGH):
        run = match.group()
        if len(run) > 3 or (encoding == "cp1252" and len(run) > 1 and not run.isalpha()):
            # Windows-1252 beyond Latin-1 is quotes and dashes, one at a time
            return False
        if all(sign in _LATIN_SIGNS for sign in run):
            continue
        around = text[max(match.start() - 1, 0) : match.start()] + text[match.end() : match.end() + 1]
        in_word = any(sign.isascii() and sign.isalpha() for sign in around)
        if len(run) > 1 + in_word or any(sign == "ƒ" or not (sign.isalpha() or sign in _LATIN_SIGNS) for sign in run):
            return False
    return True
