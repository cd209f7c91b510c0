"""How the bytes of DATA hold events: widths, byte order, and the rare forms that are unpacked at reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import FcsError
from il2cyto.fcs.text import cut
from il2cyto.sample import Channel, Repair

LITTLE, BIG = 0, 1
#: A number in ASCII longer than this exceeds 64 bits.
_MAX_DIGITS = 20
_LONGEST_ORDER = 1000
_BLOCK_BITS = 1 << 22


@dataclass(frozen=True)
class Storage:
    """One way in which the keywords allow an event to be stored.

    Attributes
    ----------
    form
        ``bytes``, ``packed`` (a stream of bits without gaps) or ``ascii``.
    widths
        Bytes per channel (``bytes``), bits (``packed``) or characters (``ascii``; 0 where numbers are separated by
        blanks or commas).
    assumed
        What is assumed by it beyond the keywords, or empty.
    """

    form: str
    widths: tuple[int, ...]
    assumed: str = ""

    @property
    def stride(self) -> int:
        """Bytes of an event; 0 where events are no whole number of bytes long."""
        return 0 if self.form == "packed" or 0 in self.widths else sum(self.widths)

    def length(self, n_events: int) -> int | None:
        """Return the bytes of some events, ``None`` where the numbers themselves decide it."""
        if self.form == "packed":
            return -(-sum(self.widths) * n_events // 8)
        return None if 0 in self.widths else sum(self.widths) * n_events

    def events_in(self, n_bytes: int) -> int:
        """Return how many whole events some bytes hold; 0 where that is not known without the numbers."""
        if self.form == "packed":
            return n_bytes * 8 // sum(self.widths)
        return n_bytes // self.stride if self.stride else 0


def possible_storage(channels: tuple[Channel, ...], keywords: Mapping[str, str]) -> tuple[Storage, ...]:
    """Return every reading of the widths, the standard's own first.

    Integers of 10 or 12 bits are a packed stream by the standard, but CXP and others write them in 16.
    """
    bits = tuple(channel.bits for channel in channels)
    if any(channel.datatype == "A" for channel in channels):
        return (Storage("ascii", (0,) * len(bits) if 0 in bits else bits),)
    if all(width % 8 == 0 for width in bits):
        return (Storage("bytes", tuple(width // 8 for width in bits)),)
    whole = tuple(-(-width // 8) for width in bits)
    words = tuple(1 << (width - 1).bit_length() for width in whole)
    packed = Storage("packed", bits)
    padded = [Storage("bytes", words, "each integer in the next 8, 16, 32 or 64 bits")]
    if whole != words:
        padded.append(Storage("bytes", whole, "each integer in the next whole byte"))
    return (*padded, packed) if keywords.get("$SYS", "").strip().upper() == "CXP" else (packed, *padded)


def byte_order(
    keywords: Mapping[str, str], channels: tuple[Channel, ...], name: str, repairs: list[Repair]
) -> tuple[int, ...]:
    """Return the significance (1 = least) of each stored byte of a word, for example ``(4, 3, 2, 1)``.

    Raises
    ------
    FcsError
        If ``$BYTEORD`` is missing where it matters, or is no order.
    """
    text = keywords.get("$BYTEORD", "")[:_LONGEST_ORDER].replace(" ", "")
    if not text:
        if all(channel.datatype == "A" or channel.bits == 8 for channel in channels):
            repairs.append(Repair("$BYTEORD", "missing", "1,2,3,4; it does not matter for single bytes", False))
            return (1, 2, 3, 4)
        raise FcsError("{file}: $BYTEORD is missing; without it the numbers cannot be told", file=name)
    if re.fullmatch(r"[1-8]{1,8}", text) and len(text) > 1:
        repairs.append(Repair("$BYTEORD", text, ",".join(text), True))
        text = ",".join(text)
    parts = text.split(",")
    order = tuple(int(part) for part in parts if re.fullmatch("[1-8]", part))
    if len(order) != len(parts) or sorted(order) != list(range(1, len(order) + 1)):
        raise FcsError(
            "{file}: $BYTEORD is {found!r}, wanted an order like 1,2,3,4 or 4,3,2,1 or 3,4,1,2",
            file=name,
            found=cut(text),
        )
    return order


def to_plain(
    data: NDArray[np.uint8],
    storage: Storage,
    order: tuple[int, ...],
    channels: tuple[Channel, ...],
    n_events: int,
    name: str,
) -> tuple[NDArray[np.uint8], tuple[int, ...], int, bool]:
    """Bring rare storage into whole little-endian bytes; ordinary storage is returned as it is, untouched.

    Returns
    -------
    The bytes, the width of each channel in bytes, `LITTLE` or `BIG`, and whether every channel is now a double (ASCII).

    Raises
    ------
    FcsError
        If the byte order does not suit the widths, or ASCII data hold something else than numbers.
    """
    if storage.form == "ascii":
        values = _ascii(data, storage, n_events, name)
        return values.view(np.uint8).reshape(-1), (8,) * len(channels), LITTLE, True
    ordered = order == tuple(sorted(order))
    if ordered or order == tuple(sorted(order, reverse=True)):
        end = LITTLE if ordered else BIG
        if storage.form == "bytes":
            return data, storage.widths, end, False
        unpacked, widths = _unpack(data, storage.widths, end, n_events)
        return unpacked, widths, LITTLE, False
    if storage.form == "packed" or any(width not in (1, 2, 4) for width in storage.widths) or len(order) != 4:
        raise FcsError(
            "{file}: $BYTEORD {order} is defined for words of 32 bits; this file has others",
            file=name, order=",".join(map(str, order)),
        )  # fmt: skip
    return _reorder(data, storage, order, n_events, name), storage.widths, LITTLE, False


def _reorder(
    data: NDArray[np.uint8], storage: Storage, order: tuple[int, ...], n_events: int, name: str
) -> NDArray[np.uint8]:
    rising = (order[0] < order[1], order[2] < order[3])
    if 2 in storage.widths and rising[0] != rising[1]:
        raise FcsError("{file}: $BYTEORD {order} says nothing of 16 bits", file=name, order=",".join(map(str, order)))
    source: list[int] = []
    at = 0
    for width in storage.widths:
        if width == 4:
            source += [at + order.index(significance) for significance in (1, 2, 3, 4)]
        else:
            source += list(range(at, at + width)) if rising[0] else list(range(at + width - 1, at - 1, -1))
        at += width
    return data.reshape(n_events, storage.stride)[:, source].reshape(-1)


def _unpack(
    data: NDArray[np.uint8], widths: tuple[int, ...], end: int, n_events: int
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Spread a stream of bits over the smallest whole words; a block at a time, so that bits are never all bytes."""
    words = tuple(1 << (-(-width // 8) - 1).bit_length() for width in widths)
    kind: list[tuple[str, str]] = [(f"c{i}", f"<u{word}") for i, word in enumerate(words)]
    out = np.zeros(n_events, dtype=np.dtype(kind))
    total = sum(widths)
    # a multiple of eight events ends on a byte
    step = max(_BLOCK_BITS // max(total, 64) // 8, 1) * 8
    bitorder = "big" if end == BIG else "little"
    for first in range(0, n_events, step):
        count = min(step, n_events - first)
        begin = first * total // 8
        block = data[begin : begin + -(-count * total // 8)]
        bits = np.unpackbits(block, bitorder=bitorder)[: count * total].reshape(count, total)  # type: ignore[call-overload]
        at = 0
        for i, width in enumerate(widths):
            padded = np.zeros((count, 64), dtype=np.uint8)
            chosen = bits[:, at : at + width]
            if end == BIG:
                padded[:, 64 - width :] = chosen
            else:
                padded[:, :width] = chosen
            number = np.packbits(padded, axis=1, bitorder=bitorder)  # type: ignore[call-overload]
            out[f"c{i}"][first : first + count] = number.view(">u8" if end == BIG else "<u8")[:, 0]
            at += width
    return out.view(np.uint8).reshape(-1), words


def _ascii(data: NDArray[np.uint8], storage: Storage, n_events: int, name: str) -> NDArray[np.float64]:
    """Read ``$DATATYPE A``: unsigned integers as text, of fixed width or apart."""
    n_channels = len(storage.widths)
    content = data.tobytes()
    if content.translate(None, b"0123456789 \t\r\n,"):
        raise FcsError("{file}: $DATATYPE is A, but DATA holds other characters than digits", file=name)
    if 0 in storage.widths:
        if re.search(rb"\d{%d}" % (_MAX_DIGITS + 1), content):
            raise FcsError(
                "{file}: DATA holds a number of more than {n} digits; the file is damaged", file=name, n=_MAX_DIGITS
            )
        numbers = np.fromstring(content.replace(b",", b" "), sep=" ") if content.strip() else np.empty(0)
        if numbers.size // n_channels != n_events:
            short = numbers.size < n_events * n_channels
            raise FcsError(
                "{file}: $TOT announces {n} events of {p} numbers, DATA holds {have} numbers; the file is {how}",
                file=name, n=n_events, p=n_channels, have=numbers.size, how="truncated" if short else "damaged",
            )  # fmt: skip
        return numbers[: n_events * n_channels]
    if max(storage.widths) > _MAX_DIGITS:
        raise FcsError("{file}: $PnB of {n} characters holds no number of 64 bits", file=name, n=max(storage.widths))
    table = np.frombuffer(content, dtype=np.uint8).reshape(n_events, storage.stride)
    out = np.empty((n_events, n_channels), dtype=np.float64)
    at = 0
    for i, width in enumerate(storage.widths):
        cells = np.ascontiguousarray(table[:, at : at + width]).view(f"S{width}")[:, 0]
        try:
            out[:, i] = cells.astype(np.float64)
        except ValueError as error:
            raise FcsError("{file}: a number of parameter {i} is blank or cut", file=name, i=i + 1) from error
        at += width
    return out.reshape(-1)
