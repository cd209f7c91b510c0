"""Lines that hold each other: ``audit.jsonl`` as bytes, and what is wrong with it.

A line is a JSON object that ends in ``"previous"``, the hash of the line before, and ``"hash"``, its own: the SHA-256
of the line up to, and without, ``,"hash"``, closed by ``}``. So a line can be checked with ``sed`` and ``sha256sum``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

#: What the first line names as the hash before it.
GENESIS: Final = "0" * 64
#: What the entry is called that says how a torn line before it came about.
TORN: Final = "torn line"
#: A longer line was not written by il2cyto; reading stops there.
MAX_LINE = 64_000_000
_LINE = re.compile(rb'(\{"n":[0-9]+,.*),"hash":"([0-9a-f]{64})"\}', re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One whole line.

    Attributes
    ----------
    line
        Its number in the file, from 1; beyond `fields` ``["n"]`` where torn lines stand before it.
    fields
        What it says, in the order in which it stands there.
    hash
        SHA-256 of it, 64 hexadecimal digits; the head of the chain if it is the last.
    end
        Bytes of the file up to its end, the line break included.
    """

    line: int
    fields: Mapping[str, Any]
    hash: str
    end: int


class ChainError(Exception):
    """A line that is not as it was written.

    Attributes
    ----------
    line
        Number of the line, from 1.
    message
        What is wrong with it.
    tail
        Whether only fragments stand from there on, as a process leaves that dies while it writes.
    """

    def __init__(self, line: int, message: str, *, tail: bool = False) -> None:
        super().__init__(f"line {line}: {message}")
        self.line, self.message, self.tail = line, message, tail


def render(number: int, fields: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """Return a line, with its line break, and its hash.

    Parameters
    ----------
    number
        Place in the chain, from 1.
    fields
        What the line says, as JSON has it.
    previous
        Hash of the line before, `GENESIS` for the first.

    Examples
    --------
    >>> line, digest = render(1, {"what": "run started"}, GENESIS)
    >>> body = line.split(b',"hash"')[0] + b"}"
    >>> hashlib.sha256(body).hexdigest() == digest
    True
    """
    whole = {"n": number, **fields, "previous": previous}
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # a lone surrogate, as a name in the environment can hold, has no bytes
    body = text.encode("utf-8", "replace")
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + b',"hash":"' + digest.encode() + b'"}\n', digest


def walk(content: bytes) -> Iterator[Entry]:
    """Yield the entries of a file, each checked against the one before.

    Parameters
    ----------
    content
        The whole file.

    Raises
    ------
    ChainError
        At the first line that is not as it was written: edited, inserted, out of order, or torn without the entry that
        explains it.
    """
    place, line, number, previous = 0, 0, 0, GENESIS
    torn_from, torn_line, why = -1, 0, ""
    complete = True
    while place < len(content):
        end = content.find(b"\n", place)
        complete = end >= 0
        end = len(content) if end < 0 else end
        line += 1
        found = _read(content[place:end], number + 1, previous) if complete else "it is torn: its end is missing"
        if isinstance(found, str):
            if torn_from < 0:
                torn_from, torn_line, why = place, line, found
            elif _whole(content[place:end]):
                raise ChainError(torn_line, why)
        else:
            fields, digest = found
            if torn_from >= 0:
                _check_torn(fields, content[torn_from : place - 1], torn_line, why)
                torn_from = -1
            elif fields.get("what") == TORN and fields.get("torn_bytes") != 0:
                raise ChainError(line, "the torn line that it tells of is gone: it was removed")
            number, previous = number + 1, digest
            yield Entry(line, fields, digest, end + 1)
        place = end + 1
    if torn_from >= 0:
        raise ChainError(torn_line, why, tail=_fragment(content[torn_from:]))


def torn_facts(fragment: bytes) -> dict[str, Any]:
    """Return what the entry after a torn line says of it."""
    return {"torn_bytes": len(fragment), "torn_sha256": hashlib.sha256(fragment).hexdigest()}


def _check_torn(fields: Mapping[str, Any], fragment: bytes, line: int, why: str) -> None:
    facts = {key: fields.get(key) for key in ("torn_bytes", "torn_sha256")}
    if fields.get("what") != TORN or not fragment or facts != torn_facts(fragment):
        raise ChainError(line, why)


def _whole(line: bytes) -> bool:
    return bool(_LINE.fullmatch(line.rstrip(b"\r")))


def _fragment(content: bytes) -> bool:
    """Whether this is what a process leaves that dies while it writes: something, and no whole line."""
    return bool(content.strip()) and not any(_whole(line) for line in content.split(b"\n")[:-1])


def _read(line: bytes, number: int, previous: str) -> tuple[dict[str, Any], str] | str:
    """Return the fields and the hash of a line, or what is wrong with it."""
    if len(line) > MAX_LINE:
        return "it is longer than any line of il2cyto"
    match = _LINE.fullmatch(line)
    if match is None:
        return "it is no entry: it was edited or torn"
    body, written = match[1] + b"}", match[2].decode()
    digest = hashlib.sha256(body).hexdigest()
    if digest != written:
        return "its content does not fit its hash: it was edited"
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return "it is no JSON"
    if fields.get("n") != number:
        return f"it is entry {fields.get('n')} where entry {number} belongs: lines were removed, inserted or reordered"
    if fields.get("previous") != previous:
        return "it does not follow the line before: lines were removed, inserted, reordered or rewritten"
    return fields, digest
