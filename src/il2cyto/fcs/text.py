"""Keywords and values of a TEXT segment."""

from __future__ import annotations

from dataclasses import dataclass

from il2cyto.errors import FcsError
from il2cyto.fcs.encoding import decode_tokens
from il2cyto.fcs.pieces import splits
from il2cyto.sample import Repair

_PADDING = b" \t\r\n\0"
#: More pieces than any instrument writes; a hostile segment of delimiters alone would become a hundred times its size.
_MAX_TOKENS = 200_000
_SHOWN = 200


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
    it is read as such and recorded. `splits` says what is tried where that gives no pairs or impossible keywords.

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
    body = content[1:]
    trimmed = body.rstrip(bytes(set(_PADDING) - set(delimiter)))
    if len(trimmed) < len(body) and trimmed.endswith(delimiter):
        repairs.append(Repair("TEXT", f"{len(body) - len(trimmed)} bytes after the last delimiter", "padding", False))
    ways = list(splits(trimmed, delimiter, encoding))
    split = min(ways, key=lambda way: way.doubts) if len(ways) > 1 else ways[0]
    if len(split.tokens) % 2:
        raise FcsError(
            "{file}: TEXT does not split at {delimiter!r} into keywords and values: {n} pieces; the file is damaged",
            file=name, delimiter=delimiter.decode("latin-1"), n=len(split.tokens),
        )  # fmt: skip
    decoded, used, found = decode_tokens(split.tokens, version, encoding, name, split.encoding)
    repairs += [*split.repairs, *found]
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
            repairs.append(Repair(key, f"{cut(keywords[key])!r} and {cut(value)!r}", "the first value", True))
    return Text(keywords, delimiter.decode("latin-1"), used, tuple(repairs))


def cut(text: str) -> str:
    """Shorten a value for a message; a damaged one may be as long as the file."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
