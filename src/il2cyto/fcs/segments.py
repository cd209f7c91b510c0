"""Where the segments of a data set are, by HEADER, by TEXT and by the bytes themselves."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import FcsError
from il2cyto.fcs.header import LARGEST, LENGTH, Header
from il2cyto.fcs.storage import Storage
from il2cyto.fcs.text import cut
from il2cyto.sample import Repair

CRC_LENGTH = 8
_CRC_FIELD = re.compile(rb" *[0-9A-Fa-f]{1,8} *")


def offset_keyword(keywords: Mapping[str, str], key: str) -> int | None:
    """Return an offset keyword, ``None`` if it is absent or no whole number."""
    text = keywords.get(key, "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


@dataclass(frozen=True)
class _Place:
    """One claim about DATA; `end` is ``None`` where only the begin is said."""

    begin: int
    end: int | None
    source: str

    def __str__(self) -> str:
        return f"{self.source} {self.begin} to {'?' if self.end is None else self.end}"


@dataclass(frozen=True)
class DataPlace:
    """Where the events are.

    Attributes
    ----------
    begin, length
        In bytes from the start of the data set.
    n_events
        Whole events.
    storage
        The reading of the widths that fits.
    """

    begin: int
    length: int
    n_events: int
    storage: Storage


def locate_data(
    header: Header,
    keywords: Mapping[str, str],
    storages: Sequence[Storage],
    n_events: int | None,
    size: int,
    neighbours: Sequence[tuple[int, int]],
    name: str,
    repairs: list[Repair],
) -> DataPlace:
    """Find DATA; sizes are held against the real file before anything is taken.

    HEADER and TEXT both say where DATA is, and real files contradict themselves. A claim counts if it lies within the
    file, off TEXT, and holds the announced events; among claims that do, the one that begins straight after another
    segment. Where nothing tells two claims apart the file is refused: events from a shifted place look like events.

    Parameters
    ----------
    storages
        Possible readings of the widths, the standard's first.
    n_events
        ``$TOT``, or ``None``.
    size
        Bytes from the start of the data set to the end of the file.
    neighbours
        Inclusive offsets of the other segments; TEXT first.

    Raises
    ------
    FcsError
        If no claim holds the announced events, or two do.
    """
    places = list(_claims(header, keywords, repairs))
    if n_events == 0:
        _refuse_untold_events(places, storages[0], size, neighbours, name)
        return DataPlace(0, 0, 0, storages[0])
    if not places:
        if n_events:
            raise FcsError("{file}: $TOT announces {n} events but no DATA segment is given", file=name, n=n_events)
        repairs.append(Repair("$TOT", "missing", "0: there is no DATA", True))
        return DataPlace(0, 0, 0, storages[0])
    fits = [(place, storage) for place in places for storage in storages if _exact(place, storage, n_events, size)]
    fits = _first_storage([fit for fit in fits if _free(fit[0], fit[1], n_events, neighbours)])
    if not fits:
        loose = [(place, storage) for place in places for storage in storages if _holds(place, storage, n_events, size)]
        fits = _first_storage([fit for fit in loose if _free(fit[0], fit[1], n_events, neighbours)])
    if not fits:
        raise _refusal(places, storages, n_events, size, neighbours, name)
    chosen, storage = _decide(fits, neighbours, name)
    if n_events is None:
        if chosen.end is None:
            raise FcsError(
                "{file}: neither $TOT nor an offset says where the events end; what follows them cannot be told apart",
                file=name,
            )
        n_events = storage.events_in(_span(chosen, size))
        repairs.append(Repair("$TOT", "missing", str(n_events), True))
    length = storage.length(n_events)
    length = _span(chosen, size) if length is None else length
    if storage.assumed:
        repairs.append(Repair("$PnB", "integers that are no whole bytes", storage.assumed, True))
    _record(header, chosen, places, length, repairs)
    return DataPlace(chosen.begin, length, n_events, storage)


def _claims(header: Header, keywords: Mapping[str, str], repairs: list[Repair]) -> Iterator[_Place]:
    begin, end = header.data
    text_begin, text_end = (offset_keyword(keywords, key) for key in ("$BEGINDATA", "$ENDDATA"))
    for source, pair in (("HEADER DATA", (begin, end)), ("$BEGINDATA", (text_begin, text_end))):
        # 0 to -1 is how some writers say that there are no events
        if pair != (0, -1) and any(number is not None and number < 0 for number in pair):
            repairs.append(Repair(source, f"{pair[0]} to {pair[1]}", "nothing: an offset is never negative", True))
    for key in ("$BEGINDATA", "$ENDDATA"):
        if keywords.get(key, "").strip() and offset_keyword(keywords, key) is None:
            repairs.append(Repair(key, cut(keywords[key].strip()), "nothing: no whole number", True))
    if begin > 0 and end in (0, LARGEST):
        # a "split" pair: the end was too large for its eight bytes, the begin was not
        repairs.append(Repair("HEADER DATA", f"{begin} to {end}", f"{begin} to where $ENDDATA or $TOT says", False))
        yield _Place(begin, text_end if text_end and text_end > begin else None, "HEADER")
    elif begin > 0 and end >= begin:
        yield _Place(begin, end, "HEADER")
    if text_begin is not None and text_begin > 0:
        if text_end is not None and text_end >= text_begin:
            yield _Place(text_begin, text_end, "TEXT")
        elif text_end is None or text_end == 0:
            yield _Place(text_begin, None, "TEXT")


def _span(place: _Place, size: int) -> int:
    end = size - 1 if place.end is None else min(place.end, size - 1)
    return max(end - place.begin + 1, 0)


def _exact(place: _Place, storage: Storage, n_events: int | None, size: int) -> bool:
    if n_events is None or place.end is None or place.begin < LENGTH or place.end >= size:
        return False
    return storage.length(n_events) == place.end - place.begin + 1


def _holds(place: _Place, storage: Storage, n_events: int | None, size: int) -> bool:
    """Whether the claim, cut to the file, holds the announced events and less than one more."""
    if not LENGTH <= place.begin < size:
        return False
    if n_events is None:
        return storage.length(1) is not None
    length = storage.length(n_events)
    if length is None:
        return True
    if length > size - place.begin:
        return False
    # a claim that ends behind the file or not at all has nothing to say about its length
    if place.end is None or place.end >= size:
        return True
    # an end that is one too large is the commonest mistake, also where an event is a single byte
    more = storage.length(n_events + 1) or 0
    return length <= _span(place, size) < max(more, length + 2)


def _free(place: _Place, storage: Storage, n_events: int | None, neighbours: Sequence[tuple[int, int]]) -> bool:
    """Whether the announced events, put there, keep off TEXT."""
    length = None if n_events is None else storage.length(n_events)
    end = place.begin + length - 1 if length else place.begin
    text_begin, text_end = neighbours[0]
    # one byte in common is the mistake of a TEXT that is counted one too long
    return end < text_begin or place.begin >= text_end


def _refuse_untold_events(
    places: Sequence[_Place], storage: Storage, size: int, neighbours: Sequence[tuple[int, int]], name: str
) -> None:
    """Refuse a file that says 0 events and has some: leaving them out would look like an empty tube."""
    for place in places:
        # a single byte is how others say that DATA is empty, and old offsets may point behind a file that is
        real = place.end is not None and place.begin < place.end <= size
        n_events = storage.events_in(_span(place, size)) if real else 0
        if n_events and place.begin >= LENGTH and _free(place, storage, n_events, neighbours):
            raise FcsError(
                "{file}: $TOT says 0 events, but DATA at bytes {begin} to {end} holds {have}; the file is damaged",
                file=name, begin=place.begin, end=place.end, have=n_events,
            )  # fmt: skip


def _first_storage(fits: list[tuple[_Place, Storage]]) -> list[tuple[_Place, Storage]]:
    """Keep the fits of the first storage that has any: the order of readings is the order of trust."""
    return [fit for fit in fits if fit[1] == fits[0][1]] if fits else []


def _decide(
    fits: list[tuple[_Place, Storage]], neighbours: Sequence[tuple[int, int]], name: str
) -> tuple[_Place, Storage]:
    begins = {place.begin for place, _ in fits}
    if len(begins) > 1:
        behind = {end + 1 for _, end in neighbours}
        fits = [fit for fit in fits if fit[0].begin in behind] or fits
        begins = {place.begin for place, _ in fits}
    if len(begins) > 1:
        raise FcsError(
            "{file}: the offsets of DATA disagree ({places}) and neither $TOT nor another segment tells which is right",
            file=name, places=", ".join(str(place) for place, _ in fits),
        )  # fmt: skip
    # of equal begins the shorter end: a longer one has bytes that are no event
    return min(fits, key=lambda fit: (fit[0].end is None, fit[0].end or 0))


def _refusal(
    places: Sequence[_Place],
    storages: Sequence[Storage],
    n_events: int | None,
    size: int,
    neighbours: Sequence[tuple[int, int]],
    name: str,
) -> FcsError:
    storage = storages[0]
    inside = [place for place in places if LENGTH <= place.begin < size and _free(place, storage, 1, neighbours)]
    if not inside or n_events is None:
        return FcsError(
            "{file}: DATA cannot be where the file says ({places}; it has {size} bytes, TEXT at {begin} to {end}); "
            "the offsets are damaged or the file is truncated: copy it from the instrument again",
            file=name, places=", ".join(map(str, places)), size=size, begin=neighbours[0][0], end=neighbours[0][1],
        )  # fmt: skip
    place = inside[0]
    length = storage.length(n_events) or 0
    if length > size - place.begin:
        return FcsError(
            "{file}: $TOT announces {n} events ({length} bytes) from byte {begin} on, but the file ends after {have}; "
            "it is truncated, copy it from the instrument again",
            file=name, n=n_events, length=length, begin=place.begin,
            have=storage.events_in(max(size - place.begin, 0)),
        )  # fmt: skip
    return FcsError(
        "{file}: DATA at bytes {begin} to {end} holds {have} events, $TOT says {n}; the file is damaged",
        file=name, begin=place.begin, end=place.end, have=storage.events_in(_span(place, size)), n=n_events,
    )  # fmt: skip


def _record(header: Header, chosen: _Place, places: Sequence[_Place], length: int, repairs: list[Repair]) -> None:
    end = chosen.begin + length - 1
    in_header = any(place.source == "HEADER" for place in places)
    in_text = any(place.source == "TEXT" for place in places)
    shown = ", ".join(map(str, places))
    if len({place.begin for place in places}) > 1:
        repairs.append(Repair("$BEGINDATA", shown, f"{chosen.source}: {chosen.begin} to {end}", True))
    elif any(place.end != end for place in places):
        repairs.append(Repair("$ENDDATA", shown, f"{end}, as $TOT demands", False))
    if header.version != "FCS2.0" and in_header and not in_text:
        repairs.append(Repair("$BEGINDATA", "missing or impossible", f"HEADER: {chosen.begin} to {end}", False))


def segment(pair: tuple[int | None, int | None], size: int) -> tuple[int, int] | None:
    """Return inclusive offsets if they name bytes of the file."""
    begin, end = pair
    if begin is None or end is None or not LENGTH <= begin <= end or begin >= size:
        return None
    return begin, min(end, size - 1)


def check_crc(buffer: NDArray[np.uint8], end: int, repairs: list[Repair]) -> str:
    """Say what the checksum behind the last segment is: ``absent``, ``unused``, ``correct`` or ``wrong``.

    Parameters
    ----------
    buffer
        The file from the start of the data set.
    end
        First byte behind the last segment.

    Notes
    -----
    A 16-bit CCITT checksum over everything from HEADER to the last segment, as eight characters (FCS 3.0, 3.5). The
    standard names neither the first value nor the base, so either is accepted.
    """
    field = bytes(buffer[end : end + CRC_LENGTH])
    if len(field) < CRC_LENGTH or not _CRC_FIELD.fullmatch(field):
        return "unused" if len(field) == CRC_LENGTH and not field.strip() else "absent"
    text = field.strip().decode("ascii")
    if not text.strip("0"):
        return "unused"
    claimed = {int(text, 16)} | ({int(text)} if text.isdecimal() else set())
    content = buffer[:end].data
    if any(binascii.crc_hqx(content, start) in claimed for start in (0, 0xFFFF)):
        return "correct"
    repairs.append(Repair("CRC", text, "nothing: the checksum does not fit, so a byte may have changed", True))
    return "wrong"
