"""Keywords of a TEXT segment."""

from __future__ import annotations

from il2cyto.errors import FcsError
from il2cyto.sample import Repair


def decode_text(content: bytes) -> tuple[str, Repair | None]:
    """Decode TEXT as UTF-8, else as Latin-1 (an old "µ" in a 3.0 file), never losing a byte."""
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError:
        return content.decode("latin-1"), Repair("TEXT", "bytes that are not UTF-8", "Latin-1", False)


def parse_text(content: bytes, name: str) -> tuple[dict[str, str], tuple[Repair, ...]]:
    """Split a TEXT segment into keywords (in capitals) and values.

    A doubled delimiter inside a value stands for one (FCS 3.1, 3.2.7). Some writers put a doubled delimiter for an
    empty value instead; that reading is tried when the standard one yields keys that cannot be, and is recorded.

    Raises
    ------
    FcsError
        If neither reading gives pairs of keyword and value.
    """
    text, recoded = decode_text(content)
    repairs = [recoded] if recoded else []
    if len(text) < 2:
        raise FcsError(f"{name}: TEXT holds {len(text)} characters; the file is damaged")
    delimiter = text[0]
    if not 1 <= ord(delimiter) <= 126:
        raise FcsError(f"{name}: TEXT begins with {delimiter!r}, which is no delimiter (ASCII 1 to 126)")
    body = text[1:]
    trimmed = body if delimiter.isspace() else body.rstrip(" \t\r\n\0")
    if not trimmed.endswith(delimiter):
        repairs.append(Repair("TEXT", "no delimiter at its end", "the segment's end ends the last value", False))
        trimmed += delimiter
    tokens = _split_escaped(trimmed, delimiter)
    if not _plausible(tokens, delimiter):
        plain = trimmed[:-1].split(delimiter)
        if not _plausible(plain, delimiter):
            raise FcsError(
                f"{name}: TEXT does not split at {delimiter!r} into keywords and values "
                f"({len(tokens)} parts as the standard reads it, {len(plain)} with empty values)"
            )
        tokens = plain
        repairs.append(Repair("TEXT", f"empty values, written {delimiter * 2!r}", "empty, not one delimiter", False))
    keywords: dict[str, str] = {}
    for key, value in zip(tokens[::2], tokens[1::2], strict=True):
        key = key.strip().upper()
        if key in keywords and keywords[key] != value:
            repairs.append(Repair(key, f"{keywords[key]!r} and {value!r}", "the first value", True))
            continue
        keywords[key] = value
    return keywords, tuple(repairs)


def _split_escaped(text: str, delimiter: str) -> list[str]:
    # the private-use character cannot be a delimiter (ASCII only); if a value holds it, another one is taken
    mark = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
    pieces = text[:-1].replace(delimiter * 2, mark).split(delimiter)
    return [piece.replace(mark, delimiter) for piece in pieces]


def _plausible(tokens: list[str], delimiter: str) -> bool:
    """Whether tokens pair up. A delimiter inside a *key* is an empty value that swallowed the keyword after it."""
    keys = [token.strip() for token in tokens[::2]]
    if len(tokens) % 2 or not all(keys) or any(delimiter in key for key in keys):
        return False
    return {"$PAR", "$DATATYPE"} <= {key.upper() for key in keys}
