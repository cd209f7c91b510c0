"""The HEADER segment: version and offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from il2cyto.errors import FcsError
from il2cyto.sample import Repair

LENGTH = 58
#: Largest offset that eight digits of HEADER can hold.
LARGEST = 99_999_999
VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
_NUMBERS = re.compile(rb"[ \x000-9]*")
_SEGMENTS = ("TEXT", "DATA", "ANALYSIS")


@dataclass(frozen=True)
class Header:
    """Version and inclusive byte offsets, relative to the start of the data set; 0, 0 where a segment is absent."""

    version: str
    text: tuple[int, int]
    data: tuple[int, int]
    analysis: tuple[int, int]


def parse_header(content: bytes, name: str) -> tuple[Header, tuple[Repair, ...]]:
    """Parse the HEADER segment.

    Parameters
    ----------
    content
        The first 58 bytes of the data set.
    name
        Name of the file, for messages.

    Raises
    ------
    FcsError
        If this is no FCS data set, the version is unknown, or TEXT is at no possible place.
    """
    if len(content) < LENGTH:
        raise FcsError(
            "{file}: {n} bytes are too few for an FCS header ({wanted}); the file is cut or empty",
            file=name, n=len(content), wanted=LENGTH,
        )  # fmt: skip
    version = content[:6].decode("latin-1")
    if version not in VERSIONS:
        raise FcsError(
            "{file}: starts with {found!r}, wanted one of {versions}; not an FCS file?",
            file=name, found=version, versions=", ".join(VERSIONS),
        )  # fmt: skip
    repairs: list[Repair] = []
    pairs = []
    for i, segment in enumerate(_SEGMENTS):
        written = [content[10 + 8 * k : 18 + 8 * k].decode("latin-1") for k in (2 * i, 2 * i + 1)]
        cells = [cell.strip(" \0\t\r\n") for cell in written]
        numbers = [_offset(cell) for cell in cells]
        # a blank is how FCS 2.0 and 3.0 leave ANALYSIS out; TEXT cannot be done without
        if segment == "TEXT" and None in numbers:
            shown = cells[numbers.index(None)]
            raise FcsError(
                "{file}: HEADER offset {found!r} of TEXT is no number; the header is damaged", file=name, found=shown
            )
        if None in numbers:
            repairs.append(Repair(f"HEADER {segment}", " and ".join(map(repr, cells)), "0 and 0", False))
            numbers = [0, 0]
        elif any(cell.strip() and cell != cell.rstrip() for cell in written):
            repairs.append(Repair(f"HEADER {segment}", "numbers not at the right of their places", "as read", False))
        pairs.append((numbers[0] or 0, numbers[1] or 0))
    begin, end = pairs[0]
    if begin < LENGTH or end <= begin:
        raise FcsError(
            "{file}: HEADER places TEXT at bytes {begin} to {end}, which cannot be; the header is damaged",
            file=name, begin=begin, end=end,
        )  # fmt: skip
    return Header(version, *pairs), tuple(repairs)


def _offset(cell: str) -> int | None:
    if not cell:
        return 0
    digits = cell.removeprefix("-")
    return int(cell) if digits.isascii() and digits.isdecimal() else None


def other_segments(content: bytes) -> tuple[tuple[int, int], ...]:
    """Return the offsets of OTHER segments.

    Parameters
    ----------
    content
        What stands between byte 58 and the TEXT segment. The standard gives each number 8 bytes (written out only in
        FCS 3.2); CyAn takes 10 and MoFlo 14.
    """
    match = _NUMBERS.match(content)
    numbers = match.group() if match else b""
    for width in (8, 10, 14):
        pairs = _pairs_of_width(numbers, width)
        if pairs:
            return tuple(pairs)
    return ()


def _pairs_of_width(numbers: bytes, width: int) -> list[tuple[int, int]]:
    """Read offsets of one width; none if a number does not keep to its cell, or a pair makes no sense."""
    pairs: list[tuple[int, int]] = []
    at, stop = 0, len(numbers)
    while at + 2 * width <= stop:
        cells = [numbers[at + k * width : at + (k + 1) * width].strip(b" \0") for k in (0, 1)]
        at += 2 * width
        if not any(cells):
            continue
        # a wrong width cuts numbers in two, or leaves a blank between digits
        if not all(cell.isdigit() for cell in cells):
            return []
        begin, end = map(int, cells)
        if begin or end:
            if not LENGTH + at <= begin <= end:
                return []
            pairs.append((begin, end))
            # the segment itself may hold digits
            stop = min(stop, begin - LENGTH)
    return [] if numbers[at:stop].strip(b" \0") else pairs
