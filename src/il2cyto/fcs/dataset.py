"""One data set of a file: its keywords, and its segments as stored."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import FcsError
from il2cyto.fcs.header import LENGTH, Header, other_segments
from il2cyto.fcs.scan import FcsHeader, Fetch, read_head, unopened, walk
from il2cyto.fcs.segments import DataPlace, check_crc, locate_data, offset_keyword, segment
from il2cyto.fcs.storage import possible_storage
from il2cyto.sample import Channel, Repair

#: Bytes in which offsets of OTHER segments may stand.
_MAX_OTHER = 1 << 16


@dataclass(frozen=True)
class Dataset:
    """One data set with its segments, as stored.

    Attributes
    ----------
    head
        HEADER and TEXT.
    place
        Where DATA is and how it is stored.
    n_events
        Events in DATA.
    data, analysis, others
        Bytes (uint8) of DATA (the events and nothing else), ANALYSIS and OTHER segments; memory-mapped.
    segments
        First and last byte of every segment but DATA, from the start of the data set.
    crc
        ``absent``, ``unused``, ``correct`` or ``wrong``.
    repairs
        Every deviation from the standard.
    """

    head: FcsHeader
    place: DataPlace
    n_events: int
    data: NDArray[np.uint8] = field(repr=False)
    analysis: NDArray[np.uint8] = field(repr=False)
    others: tuple[NDArray[np.uint8], ...] = field(repr=False)
    segments: Mapping[str, tuple[int, int]] = field(repr=False)
    crc: str
    repairs: tuple[Repair, ...]

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.head.name

    @property
    def index(self) -> int:
        """Number of the data set in the file, from 0."""
        return self.head.index

    @property
    def version(self) -> str:
        """FCS version."""
        return self.head.version

    @property
    def keywords(self) -> Mapping[str, str]:
        """Keywords in capitals and in file order."""
        return self.head.keywords

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One per parameter."""
        return self.head.channels

    @property
    def encoding(self) -> str:
        """Encoding of TEXT."""
        return self.head.encoding

    @property
    def delimiter(self) -> str:
        """Delimiter of TEXT."""
        return self.head.delimiter


def open_dataset(path: str | Path, dataset: int = 0, *, encoding: str | None = None) -> Dataset:
    """Open one data set of a file; events stay in the memory map.

    Parameters
    ----------
    path
        The file.
    dataset
        Its number in the chain of ``$NEXTDATA``, from 0.
    encoding
        Python codec of keyword values, or ``None`` to detect it.

    Raises
    ------
    FcsError
        If the file cannot be read or has no such data set.
    """
    path = Path(path)
    return parse_dataset(_map(path), path.name, dataset, encoding=encoding)


def parse_dataset(buffer: NDArray[np.uint8], name: str, dataset: int = 0, *, encoding: str | None = None) -> Dataset:
    """Open one data set of bytes in memory (uint8); the rest as `open_dataset`."""
    head, header = walk(_fetcher(buffer), buffer.size, name, dataset, encoding)
    return _segments(buffer, head, header)


def open_datasets(path: str | Path, *, encoding: str | None = None) -> tuple[Dataset, ...]:
    """Open every data set of the chain that ``$NEXTDATA`` makes."""
    path = Path(path)
    buffer = _map(path)
    fetch = _fetcher(buffer)
    found: list[Dataset] = []
    start: int | None = 0
    while start is not None:
        head, header = read_head(fetch, buffer.size, start, len(found), path.name, encoding)
        found.append(_segments(buffer, head, header))
        start = head.next_data
    return tuple(found)


def _map(path: Path) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                raise FcsError("{file}: the file is empty; copy it from the instrument again", file=path.name)
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise unopened(path, error) from error
    return np.frombuffer(mapped, dtype=np.uint8)


def _fetcher(buffer: NDArray[np.uint8]) -> Fetch:
    return lambda first, last: bytes(buffer[first:last])


def _analysis(head: FcsHeader, header: Header, size: int, repairs: list[Repair]) -> tuple[int, int] | None:
    said = (offset_keyword(head.keywords, "$BEGINANALYSIS"), offset_keyword(head.keywords, "$ENDANALYSIS"))
    found = segment(header.analysis, size) or segment(said, size)
    given = [pair for pair in (header.analysis, said) if pair[0] and pair[1]]
    if given and found is None:
        shown = ", ".join(f"{begin} to {end}" for begin, end in given)
        repairs.append(Repair("$BEGINANALYSIS", f"{shown}, which is not in the file", "no ANALYSIS", False))
    return found


def _segments(buffer: NDArray[np.uint8], head: FcsHeader, header: Header) -> Dataset:
    view = buffer[head.start :]
    size = view.size
    repairs = list(head.repairs)
    claims = (header.data, header.analysis, (offset_keyword(head.keywords, "$BEGINDATA") or 0, 0))
    first = min(begin for begin, _ in (header.text, *claims) if begin >= LENGTH)
    claimed = other_segments(bytes(view[LENGTH : min(first, LENGTH + _MAX_OTHER)]))
    others = tuple((begin, min(end, size - 1)) for begin, end in claimed if begin < size)
    if others != claimed:
        places_said = ", ".join(f"{begin} to {end}" for begin, end in claimed)
        repairs.append(Repair("HEADER OTHER", places_said, "what of it lies in the file", False))
    analysis = _analysis(head, header, size, repairs)
    supplement = segment(
        (offset_keyword(head.keywords, "$BEGINSTEXT"), offset_keyword(head.keywords, "$ENDSTEXT")), size
    )
    neighbours = [header.text, *(pair for pair in (analysis, supplement) if pair), *others]
    storages = possible_storage(head.channels, head.keywords)
    place = locate_data(header, head.keywords, storages, head.n_events, size, neighbours, head.name, repairs)
    places = {"TEXT": header.text}
    places |= {"supplemental TEXT": supplement} if supplement else {}
    places |= {"ANALYSIS": analysis} if analysis else {}
    places |= {f"OTHER {i}": pair for i, pair in enumerate(others, start=1)}
    end = max(place.begin + place.length, *(pair[1] + 1 for pair in neighbours))
    return Dataset(
        head=head,
        place=place,
        n_events=place.n_events,
        data=view[place.begin : place.begin + place.length],
        analysis=view[analysis[0] : analysis[1] + 1] if analysis else view[:0],
        others=tuple(view[first : last + 1] for first, last in others),
        segments=MappingProxyType(places),
        crc=check_crc(view, end, repairs),
        repairs=tuple(repairs),
    )
