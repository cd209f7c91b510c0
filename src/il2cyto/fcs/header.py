"""The first 58 bytes of a data set."""

from __future__ import annotations

from dataclasses import dataclass

from il2cyto.errors import FcsError

LENGTH = 58
VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")


@dataclass(frozen=True)
class Header:
    """Version and inclusive byte offsets, relative to the start of the data set; 0, 0 where a segment is absent."""

    version: str
    text: tuple[int, int]
    data: tuple[int, int]
    analysis: tuple[int, int]


def parse_header(content: bytes, name: str) -> Header:
    """Parse the HEADER segment.

    Parameters
    ----------
    content
        At least the first 58 bytes of the data set.
    name
        Name of the file, for messages.

    Raises
    ------
    FcsError
        If this is no FCS file, the version is unknown, or an offset is no number.
    """
    if len(content) < LENGTH:
        raise FcsError(f"{name}: {len(content)} bytes are too few for an FCS header (58); the file is cut or empty")
    version = content[:6].decode("latin-1")
    if version not in VERSIONS:
        raise FcsError(f"{name}: starts with {version!r}, wanted one of {', '.join(VERSIONS)}; not an FCS file?")
    numbers = []
    for i in range(6):
        cell = content[10 + 8 * i : 18 + 8 * i].decode("latin-1").strip()
        if cell.lstrip("-").isdecimal() and cell.isascii():
            numbers.append(int(cell))
        elif not cell and i >= 2:
            numbers.append(0)
        else:
            raise FcsError(f"{name}: HEADER offset {i + 1} is {cell!r}, wanted a number; the header is damaged")
    begin, end = numbers[:2]
    if begin < LENGTH or end <= begin:
        raise FcsError(f"{name}: HEADER places TEXT at bytes {begin} to {end}, which cannot be; the header is damaged")
    return Header(version, (begin, end), (numbers[2], numbers[3]), (numbers[4], numbers[5]))
