"""Which characters the bytes of a TEXT segment mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

from il2cyto.errors import FcsError
from il2cyto.sample import Repair

#: Windows code pages that ``$UNICODE`` of FCS 3.0 may name.
_CODE_PAGES = {
    65001: "utf-8", 936: "gb18030", 54936: "gb18030", 20936: "gb18030", 950: "big5", 932: "cp932", 949: "cp949",
    1250: "cp1250", 1251: "cp1251", 1252: "cp1252", 28591: "latin-1", 28605: "iso8859-15",
}  # fmt: skip
UNKNOWN = "unknown"
_HIGH = re.compile(rb"[\x80-\xff]+")
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# GB2312 level 1 and 2, where nearly every character of running Chinese text is found
_GB2312 = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")
_LATIN_SIGNS = frozenset("µ°±²³¹·®©«»§¼½¾×÷–—‘’“”•…€™£¿¡ªº")


def decode_tokens(
    tokens: Sequence[bytes], version: str, encoding: str | None, name: str
) -> tuple[list[str], str, tuple[Repair, ...]]:
    """Decode the pieces of a TEXT segment, never losing a byte.

    The order is: what the caller says; UTF-8; what ``$UNICODE`` declares; GB18030 where every piece reads as Chinese;
    Latin-1 or Windows-1252 where they read as European words; else each byte that is not ASCII is shown as ``\\xNN``,
    which is no text but no wrong text either.

    Parameters
    ----------
    tokens
        Keywords and values in turn.
    version
        FCS version; UTF-8 belongs to the standard from 3.1 on.
    encoding
        Name of a Python codec, or ``None`` to detect.

    Returns
    -------
    The pieces, the name of the encoding that was needed (``ascii`` for the most), and what had to be assumed.

    Raises
    ------
    FcsError
        If the caller's encoding is unknown or does not fit.
    """
    if encoding is not None:
        return _as_declared(tokens, encoding, name)
    joined = b"\0".join(tokens)
    if joined.isascii():
        # one call instead of a thousand, unless a NUL stands in a value itself
        whole = joined.decode("ascii").split("\0")
        return whole if len(whole) == len(tokens) else [token.decode("ascii") for token in tokens], "ascii", ()
    odd = [token for token in tokens if not token.isascii() and not _is(token, "utf-8")]
    if not odd:
        repairs = () if version >= "FCS3.1" else (Repair("TEXT", f"UTF-8 in {version}", "UTF-8", False),)
        return [token.decode("utf-8") for token in tokens], "utf-8", repairs
    legacy = _legacy(odd, _unicode_keyword(tokens))
    if legacy == UNKNOWN:
        found = Repair("TEXT", "bytes of an unknown encoding", r"shown as \xNN; give encoding= to read them", False)
        return [_one(token, "ascii", "backslashreplace") for token in tokens], UNKNOWN, (found,)
    found = Repair("TEXT", "bytes that are not UTF-8", legacy, False)
    return [_one(token, legacy, "strict") for token in tokens], legacy, (found,)


def _as_declared(tokens: Sequence[bytes], encoding: str, name: str) -> tuple[list[str], str, tuple[Repair, ...]]:
    try:
        decoded = [token.decode(encoding) for token in tokens]
    except LookupError as error:
        raise FcsError(
            "{file}: encoding {encoding!r} is not known; try gb18030 or latin-1", file=name, encoding=encoding
        ) from error
    except UnicodeError as error:
        raise FcsError(
            "{file}: TEXT is not {encoding}; leave the encoding out to have it detected", file=name, encoding=encoding
        ) from error
    return decoded, encoding, ()


def _one(token: bytes, legacy: str, errors: str) -> str:
    # a piece of UTF-8 among others of an older encoding; two bytes alone may be a Chinese character in GB18030 as well
    if _is(token, "utf-8") and (legacy != "gb18030" or not _reads_chinese([token])):
        return token.decode("utf-8")
    return token.decode(legacy, errors)


def _is(token: bytes, encoding: str) -> bool:
    try:
        token.decode(encoding)
    except UnicodeError:
        return False
    return True


def _unicode_keyword(tokens: Sequence[bytes]) -> str | None:
    for key, value in zip(tokens[::2], tokens[1::2], strict=False):
        if key.strip().upper() == b"$UNICODE":
            page = value.split(b",")[0].strip()
            return _CODE_PAGES.get(int(page)) if page.isdigit() and len(page) < 6 else None
    return None


def _legacy(tokens: Sequence[bytes], declared: str | None) -> str:
    if declared is not None and all(_is(token, declared) for token in tokens):
        return declared
    if _reads_chinese(tokens):
        return "gb18030"
    for encoding in ("latin-1", "cp1252"):
        if all(_is(token, encoding) and _reads_european(token.decode(encoding)) for token in tokens):
            return encoding
    return UNKNOWN


def _reads_chinese(tokens: Sequence[bytes]) -> bool:
    pairs = 0.0
    single = runs = 0
    for token in tokens:
        try:
            text = token.decode("gb18030")
        except UnicodeError:
            return False
        if any(not _CHINESE.fullmatch(run) for run in _NOT_ASCII.findall(text)):
            return False
        for run in _HIGH.findall(token):
            pairs += len(run) / 2
        single += len(_GB2312.findall(b" ".join(_HIGH.findall(token))))
        # "créée": one "Chinese character" inside a word of letters is two accented letters
        runs += sum(
            not (match.end() - match.start() == 1 and text[: match.start()][-1:].isalpha())
            for match in _NOT_ASCII.finditer(text)
        )
    return bool(runs) and single >= 0.5 * pairs


def _reads_european(text: str) -> bool:
    for run in _NOT_ASCII.findall(text):
        if len(run) > 3 or not all(sign.isalpha() or sign in _LATIN_SIGNS for sign in run):
            return False
    return True
