"""One FCS file: cleaned, written with its events bit for bit, and read again to see that they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from il2cyto.deident.changes import DROPPED, FREE_TEXT, HIDDEN, Change, shape
from il2cyto.deident.keywords import Cleaned, clean_keywords
from il2cyto.deident.names import Names
from il2cyto.errors import FcsError
from il2cyto.fcs.dataset import Dataset, open_datasets
from il2cyto.fcs.head import NO_CRC, render_head
from il2cyto.fcs.header import LENGTH, parse_header
from il2cyto.fcs.read import to_sample
from il2cyto.fcs.segments import offset_keyword, segment
from il2cyto.fcs.spillover import read_spillover
from il2cyto.provenance import atomic_path
from il2cyto.sample import RowLayout, Sample


@dataclass(frozen=True)
class CleanFile:
    """The data sets of a file with what may stay of their keywords."""

    path: Path
    datasets: tuple[Dataset, ...]
    cleaned: tuple[Cleaned, ...]
    changes: tuple[Change, ...]

    @property
    def n_events(self) -> int:
        """Events of all data sets."""
        return sum(dataset.n_events for dataset in self.datasets)

    def heads(self) -> list[bytes]:
        """Return HEADER and TEXT of every data set."""
        last = len(self.datasets) - 1
        return [
            render_head(
                cleaned.keywords, dataset.data.size, version=dataset.version, name=self.path.name, followed=k < last
            )
            for k, (dataset, cleaned) in enumerate(zip(self.datasets, self.cleaned, strict=True))
        ]

    def is_itself(self) -> bool:
        """Whether the file is, byte for byte, what would be written for it: nothing more can hide in it."""
        content = np.memmap(self.path, dtype=np.uint8, mode="r")
        at = 0
        for head, dataset in zip(self.heads(), self.datasets, strict=True):
            for piece in (np.frombuffer(head, dtype=np.uint8), dataset.data, np.frombuffer(NO_CRC, dtype=np.uint8)):
                if not np.array_equal(content[at : at + piece.size], piece):
                    return False
                at += piece.size
        return at == content.size


def clean_fcs(path: Path, names: Names, shift: int | None) -> CleanFile:
    """Read a file and decide what may stay of it; nothing is written.

    Parameters
    ----------
    path
        The file.
    names
        Pseudonyms and vocabularies.
    shift
        Days by which its dates go back; ``None`` drops them.

    Raises
    ------
    FcsError
        If the file cannot be read.
    """
    datasets = open_datasets(path)
    cleaned = []
    changes: list[Change] = []
    for dataset in datasets:
        matrix = read_spillover(dataset.keywords, dataset.channels, [])
        clean = clean_keywords(
            dataset.keywords, dataset.n_events, len(dataset.channels), dataset.version, matrix, names, shift
        )
        cleaned.append(clean)
        changes += clean.changes
        for where, part in (("ANALYSIS", dataset.analysis), *(("OTHER", other) for other in dataset.others)):
            if part.size:
                changes.append(Change(f"segment {where}", DROPPED, FREE_TEXT, shape(part.tobytes())))
    hidden = _hidden(path, datasets)
    if hidden:
        changes.append(Change("between and behind the segments", DROPPED, HIDDEN, f"{hidden} bytes"))
    return CleanFile(path, datasets, tuple(cleaned), tuple(changes))


def _hidden(path: Path, datasets: Sequence[Dataset]) -> int:
    """Count the bytes of a file that no segment holds, without blanks, zero bytes and checksums."""
    content = np.memmap(path, dtype=np.uint8, mode="r")
    spans = [(0, 0), (content.size, content.size)]
    for dataset in datasets:
        start = dataset.head.start
        header, _ = parse_header(bytes(content[start : start + LENGTH]), path.name)
        own = [(0, LENGTH), (header.text[0], header.text[1] + 1)]
        if dataset.others:
            own.append((LENGTH, header.text[0]))  # their offsets, and nothing but digits and blanks
        own.append((dataset.place.begin, dataset.place.begin + dataset.place.length))
        for part in (dataset.analysis, *dataset.others):
            if part.size:
                # both are views of one memory map
                first = part.ctypes.data - dataset.data.ctypes.data + dataset.place.begin
                own.append((first, first + part.size))
        own += _supplement(dataset, content.size - start)
        end = max(last for _, last in own)
        # eight characters behind the last segment are the checksum
        if dataset.crc != "absent":
            own.append((end, end + len(NO_CRC)))
        spans += [(start + first, start + last) for first, last in own]
    spans.sort()
    count = reached = 0
    for (_, last), (first, _) in pairwise(spans):
        reached = max(reached, last)
        if first > reached:
            count += len(bytes(content[reached:first]).translate(None, b" \0\r\n\t"))
    return count


def _supplement(dataset: Dataset, size: int) -> list[tuple[int, int]]:
    """Return where supplemental TEXT is, if the reader took keywords from it."""
    refused = any(repair.keyword == "$BEGINSTEXT" for repair in dataset.repairs)
    offsets = (offset_keyword(dataset.keywords, "$BEGINSTEXT"), offset_keyword(dataset.keywords, "$ENDSTEXT"))
    found = None if refused else segment(offsets, size)
    return [(found[0], found[1] + 1)] if found else []


def write_clean(clean: CleanFile, target: Path) -> tuple[str, ...]:
    """Write a cleaned file and read it again.

    Returns
    -------
    tuple of str
        SHA-256 of the event bytes of each data set.

    Raises
    ------
    FcsError
        If what was written does not read as what was there: other bytes, other scaling, another matrix.
    """
    originals = [to_sample(dataset, clean.path) for dataset in clean.datasets]
    with atomic_path(target) as temporary:
        with temporary.open("wb") as stream:
            for head, dataset in zip(clean.heads(), clean.datasets, strict=True):
                stream.write(head)
                dataset.data.tofile(stream)
                stream.write(NO_CRC)
        written = open_datasets(temporary)
        if len(written) != len(clean.datasets):
            raise FcsError("{file}: the cleaned file has another number of data sets", file=clean.path.name)
        for old, new, before in zip(clean.datasets, written, originals, strict=True):
            if not np.array_equal(old.data, new.data):
                raise FcsError("{file}: the cleaned file has other events", file=clean.path.name)
            _check_same(before, to_sample(new, temporary), clean.path.name)
    return tuple(_sha256(dataset.data) for dataset in clean.datasets)


def _sha256(data: NDArray[np.uint8]) -> str:
    return hashlib.sha256(data.data).hexdigest()


def _check_same(old: Sample, new: Sample, name: str) -> None:
    """Raise where a keyword that was dropped has changed how numbers are read."""
    matrices = [None if sample.spillover is None else sample.spillover.values for sample in (old, new)]
    same_matrix = (
        matrices[0] is matrices[1]
        if matrices[0] is None or matrices[1] is None
        else np.array_equal(matrices[0], matrices[1])
    )
    same = same_matrix and old.n_events == new.n_events and old.compensated == new.compensated
    for field in RowLayout.__dataclass_fields__:
        same = same and bool(np.array_equal(getattr(old.layout, field), getattr(new.layout, field)))
    if not same:
        raise FcsError("{file}: without its other keywords the numbers of the file would read differently", file=name)
