"""How a TEXT segment splits into keywords and values where writers left the rules of the delimiter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from il2cyto.fcs.encoding import CHINESE
from il2cyto.sample import Repair

#: More doubts than any segment can have: there are no pairs.
_NO_PAIRS = 1 << 40
_CONTROL = re.compile(rb"[\x00-\x1f\x7f-\xff]")
_STANDARD = re.compile(
    rb"\$(P[0-9]{1,6}[A-Z]{1,9}|PAR|TOT|MODE|DATATYPE|BYTEORD|NEXTDATA|(BEGIN|END)(DATA|STEXT|ANALYSIS)"
    rb"|CYT|CYTSN|FIL|DATE|BTIM|ETIM|OP|SRC|SYS|COM|EXP|INST|PROJ|SMNO|CELLS|TIMESTEP|VOL)"
)
_EMPTY = "an empty value, which the standard forbids"


@dataclass(frozen=True)
class Split:
    """One way to split a segment: keywords and values in turn, what had to be assumed, and an encoding it rests on."""

    tokens: list[bytes]
    repairs: tuple[Repair, ...] = ()
    encoding: str | None = None

    @cached_property
    def doubts(self) -> int:
        """How many keywords cannot be keywords and how many values look like one; very many if one is left over."""
        if len(self.tokens) % 2:
            return _NO_PAIRS
        keys = [key.strip() for key in self.tokens[::2]]
        wrong = keys.count(b"")
        if _CONTROL.search(b" ".join(keys)):
            wrong += sum(bool(_CONTROL.search(key)) for key in keys)
        return wrong + sum(bool(_STANDARD.fullmatch(value)) for value in self.tokens[1::2] if value[:1] == b"$")


def splits(segment: bytes, delimiter: bytes, encoding: str | None) -> Iterator[Split]:
    """Yield ways to split, the most trusted first, and no more once one leaves no doubt.

    Bytes are split first, and where that leaves doubts, characters of GB18030: their second byte may be the delimiter.

    Parameters
    ----------
    segment
        From behind the first delimiter, without padding.
    delimiter
        One byte.
    encoding
        What the caller says, or ``None``.
    """
    closed = segment.endswith(delimiter)
    body = segment[:-1] if closed else segment
    cuts = [body.split(delimiter)]
    whole = _whole_characters(body, delimiter, encoding)
    if whole:
        # a caller who names the encoding is right about characters, too
        cuts = [whole, *cuts] if encoding else [*cuts, whole]
    for pieces in cuts:
        split = _by_place(pieces, delimiter)
        if not closed:
            split = _unclosed(split, pieces, delimiter)
        split = replace(split, encoding=CHINESE if pieces is whole else None)
        yield split
        if len(cuts) > 1 and not split.doubts:
            return


def _unclosed(split: Split, pieces: list[bytes], delimiter: bytes) -> Split:
    if len(split.tokens) % 2 and len(pieces) > 1:
        # the end offset points behind the segment: what follows its last delimiter belongs to the next one
        shorter = _by_place(pieces[:-1], delimiter)
        repair = Repair("TEXT", f"{len(pieces[-1])} bytes behind its last delimiter", "ignored", False)
        return Split(shorter.tokens, (*shorter.repairs, repair))
    repair = Repair("TEXT", "no delimiter at its end", "the segment's end ends the last value", False)
    return Split(split.tokens, (*split.repairs, repair))


def _whole_characters(body: bytes, delimiter: bytes, encoding: str | None) -> list[bytes] | None:
    """Split without cutting a character in two; ``None`` where that makes no difference."""
    if encoding is not None:
        try:
            pieces = [piece.encode(encoding) for piece in body.decode(encoding).split(delimiter.decode("ascii"))]
        except (LookupError, ValueError):
            return None
        return pieces if delimiter.join(pieces) == body and len(pieces) <= body.count(delimiter) else None
    if body.isascii() or not 0x40 <= delimiter[0] <= 0x7E:
        return None
    # the last of an odd number of high bytes begins a character, of which the delimiter is the second half
    runs = re.finditer(rb"(?<![\x80-\xff])[\x80-\xff]+" + re.escape(delimiter), body)
    halves = {match.end() - 1 for match in runs if (match.end() - match.start()) % 2 == 0}
    if not halves:
        return None
    cuts = [match.start() for match in re.finditer(re.escape(delimiter), body) if match.start() not in halves]
    return [body[before + 1 : cut] for before, cut in pairwise([-1, *cuts, len(body)])]


def _by_place(pieces: list[bytes], delimiter: bytes) -> Split:
    """Read what doubled delimiters mean from where they stand.

    Between two pieces with ``k - 1`` empty ones between them stand ``k`` delimiters. Behind a value an odd number ends
    it, each two before the last being one literal. Behind a keyword two are an empty value; of three and more the first
    ends the keyword and the value begins with a literal. To take each for a literal, or each for an empty value, as
    other readers do, never leaves pairs where this leaves none.
    """
    if b"" not in pieces:
        return Split(pieces)
    tokens: list[bytes] = []
    repairs: list[Repair] = []
    i, n = 0, len(pieces)
    while i < n:
        key = pieces[i]
        tokens.append(key)
        i += 1
        if i == n:
            break
        run = _run(pieces, i)
        i += run
        stray = bool(run) and i == n and run % 2 == 0
        parts = [delimiter * (run // 2 - stray)]
        if run and not parts[0]:
            repairs.append(Repair(_shown(key), _EMPTY, "empty", False))
        elif run:
            repairs.append(Repair(_shown(key), "a value that begins with the delimiter", "that value", False))
        goes_on = run % 2 == 0 and not stray
        while goes_on:
            parts.append(pieces[i])
            run = _run(pieces, i + 1)
            i += 1 + run
            stray = i == n and run % 2 == 1
            parts.append(delimiter * ((run + 1) // 2 - stray))
            goes_on = run % 2 == 1 and not stray
        if stray:
            repairs.append(Repair("TEXT", "a second delimiter at its end", "ignored", False))
        tokens.append(b"".join(parts))
    return Split(tokens, tuple(repairs))


def _run(pieces: list[bytes], first: int) -> int:
    """Return how many empty pieces follow."""
    last = first
    while last < len(pieces) and not pieces[last]:
        last += 1
    return last - first


def _shown(key: bytes) -> str:
    return key.decode("ascii", "backslashreplace").strip().upper()
