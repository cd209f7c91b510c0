"""Keywords and values of a TEXT segment."""

from __future__ import annotations

from dataclasses import dataclass

from il2cyto.errors import FcsError
from il2cyto.fcs.encoding import decode_tokens
from il2cyto.sample import Repair

_PADDING = b" \t\r\n\0"
#: More pieces than any instrument writes; a hostile segment of delimiters alone would become a hundred times its size.
_MAX_TOKENS = 1_000_000


@dataclass(frozen=True)
class Text:
    """A TEXT segment: keywords in capitals and in file order, and how they were read."""

    keywords: dict[str, str]
    delimiter: str
    encoding: str
    repairs: tuple[Repair, ...]


def parse_text(content: bytes, name: str, version: str = "FCS3.1", encoding: str | None = None) -> Text:
    """Split a TEXT segment into keywords and values.

    A doubled delimiter inside a value stands for one, and a value may be neither empty nor begin with a delimiter (FCS
    3.1, 3.2). Hence a doubled delimiter straight after a keyword can only be an empty value, which many writers leave;
    it is read as such and recorded.

    Parameters
    ----------
    content
        The bytes of the segment, first delimiter included.
    name
        Name of the file, for messages.
    version
        FCS version, which decides where UTF-8 is a deviation.
    encoding
        Python codec of the values, or ``None`` to detect it.

    Raises
    ------
    FcsError
        If the bytes do not make pairs of keyword and value.
    """
    if len(content) < 2:
        raise FcsError("{file}: TEXT holds {n} bytes; the file is damaged", file=name, n=len(content))
    delimiter = content[:1]
    repairs: list[Repair] = []
    if not 1 <= delimiter[0] <= 126:
        repairs.append(Repair("TEXT", f"byte {delimiter[0]} as delimiter", "a delimiter like ASCII 1 to 126", False))
    if content.count(delimiter) > _MAX_TOKENS:
        raise FcsError("{file}: TEXT has more than {n} delimiters; no instrument writes so", file=name, n=_MAX_TOKENS)
    tokens = _tokens(content[1:], delimiter, name, repairs)
    decoded, used, found = decode_tokens(tokens, version, encoding, name)
    repairs += found
    keywords: dict[str, str] = {}
    for key, value in zip(decoded[::2], decoded[1::2], strict=True):
        key = key.strip().upper()
        if not key:
            repairs.append(Repair("TEXT", "a value without a keyword", "ignored", False))
        elif key not in keywords:
            keywords[key] = value
        elif keywords[key].strip() == value.strip():
            repairs.append(Repair(key, "twice, with the same value", "once", False))
        else:
            repairs.append(Repair(key, f"{keywords[key]!r} and {value!r}", "the first value", True))
    return Text(keywords, delimiter.decode("latin-1"), used, tuple(repairs))


def _tokens(body: bytes, delimiter: bytes, name: str, repairs: list[Repair]) -> list[bytes]:
    trimmed = body.rstrip(bytes(set(_PADDING) - set(delimiter)))
    if len(trimmed) < len(body) and trimmed.endswith(delimiter):
        repairs.append(Repair("TEXT", f"{len(body) - len(trimmed)} bytes after the last delimiter", "padding", False))
    closed = trimmed.endswith(delimiter)
    pieces = (trimmed[:-1] if closed else trimmed).split(delimiter)
    tokens, empty, stray = _pairs(pieces, delimiter)
    if len(tokens) % 2 and not closed and len(pieces) > 1:
        # the end offset points behind the segment: what follows its last delimiter belongs to the next one
        tokens, empty, stray = _pairs(pieces[:-1], delimiter)
        if len(tokens) % 2 == 0:
            repairs.append(Repair("TEXT", f"{len(pieces[-1])} bytes behind its last delimiter", "ignored", False))
    elif not closed:
        repairs.append(Repair("TEXT", "no delimiter at its end", "the segment's end ends the last value", False))
    if len(tokens) % 2:
        raise FcsError(
            "{file}: TEXT does not split at {delimiter!r} into keywords and values: {n} pieces; the file is damaged",
            file=name, delimiter=delimiter.decode("latin-1"), n=len(tokens),
        )  # fmt: skip
    if stray:
        repairs.append(Repair("TEXT", "a second delimiter at its end", "ignored", False))
    for key in empty:
        shown = key.decode("ascii", "backslashreplace").strip().upper()
        repairs.append(Repair(shown, "an empty value, which the standard forbids", "empty", False))
    return tokens


def _pairs(pieces: list[bytes], delimiter: bytes) -> tuple[list[bytes], list[bytes], bool]:
    """Join what a doubled delimiter inside a value has cut; return tokens, keys of empty values, and a stray end."""
    if b"" not in pieces:
        return pieces, [], False
    tokens: list[bytes] = []
    empty: list[bytes] = []
    i, n = 0, len(pieces)
    while i < n:
        key = pieces[i]
        tokens.append(key)
        i += 1
        if i == n:
            break
        value = pieces[i]
        i += 1
        if not value:
            empty.append(key)
        else:
            parts = [value]
            while i < n and not pieces[i]:
                if i + 1 == n:
                    return [*tokens, delimiter.join(parts)], empty, True
                parts.append(pieces[i + 1])
                i += 2
            value = delimiter.join(parts)
        tokens.append(value)
    return tokens, empty, False
