"""FCS data sets made of bytes whose every place, offset and value the test may choose, the wrong ones too."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Pair = tuple[object, object]
#: What stands for an offset pair: itself, or a function of the true first and last byte.
Claim = Pair | Callable[[int, int], Pair]

_KEYS = {
    "DATA": ("$BEGINDATA", "$ENDDATA"),
    "STEXT": ("$BEGINSTEXT", "$ENDSTEXT"),
    "ANALYSIS": ("$BEGINANALYSIS", "$ENDANALYSIS"),
}


def text_of(keywords: Mapping[str, str], delimiter: str = "|", encoding: str = "utf-8") -> bytes:
    """A TEXT segment by the rules: delimiters in values doubled."""
    parts = [delimiter]
    for key, value in keywords.items():
        parts += [key, delimiter, value.replace(delimiter, 2 * delimiter), delimiter]
    return "".join(parts).encode(encoding)


def channel_keywords(bits: Sequence[object], **further: str) -> dict[str, str]:
    """``$PnB``, ``$PnE``, ``$PnN``, ``$PnR`` of parameters C1, C2, … whose range is all that their bits can hold."""
    keywords: dict[str, str] = {}
    for i, width in enumerate(bits, start=1):
        whole = 1 << int(width) if str(width).isdigit() else 1000
        keywords |= {f"$P{i}B": str(width), f"$P{i}E": "0,0", f"$P{i}N": f"C{i}", f"$P{i}R": str(whole)}
    return keywords | further


@dataclass
class DataSet:
    """One data set; `build` lays its segments out in `order` and writes offsets, true unless `claims` says otherwise.

    `keys` replaces keywords (``None`` drops one). `claims` maps ``HEADER TEXT``, ``HEADER DATA``, ``HEADER ANALYSIS``,
    ``DATA``, ``STEXT``, ``ANALYSIS`` to what shall stand there. `raw` is appended to TEXT as it is, `change` gets its
    bytes. `gaps` are bytes before a segment. `crc` is ``correct`` or eight bytes.
    """

    data: bytes = b""
    bits: Sequence[object] = (16,)
    n: object = None
    keys: Mapping[str, str | None] = field(default_factory=dict)
    version: str = "FCS3.1"
    datatype: str = "I"
    byteord: str = "1,2,3,4"
    order: Sequence[str] = ("TEXT", "DATA")
    claims: Mapping[str, Claim] = field(default_factory=dict)
    delimiter: str = "|"
    encoding: str = "utf-8"
    raw: bytes = b""
    change: Callable[[bytes], bytes] = bytes
    segments: Mapping[str, bytes] = field(default_factory=dict)
    gaps: Mapping[str, bytes] = field(default_factory=dict)
    other_width: int = 8
    crc: str | bytes = b""
    tail: bytes = b""

    def build(self) -> bytes:
        """Return the bytes."""
        content, places = b"", dict.fromkeys((*self.order, *self.segments), (0, 0))
        for _ in range(9):
            before = content
            content, places = self._render(places)
            if content == before:
                break
        else:
            raise AssertionError("the offsets do not settle")
        if self.crc == "correct":
            content += f"{binascii.crc_hqx(content, 0):08X}".encode()
        elif isinstance(self.crc, bytes):
            content += self.crc
        return content + self.tail

    def to(self, path: Path) -> Path:
        """Write the data set as a file."""
        path.write_bytes(self.build())
        return path

    def _claimed(self, name: str, place: tuple[int, int]) -> Pair:
        claim = self.claims.get(name, place)
        return claim(*place) if callable(claim) else claim

    def _keywords(self, places: Mapping[str, tuple[int, int]]) -> dict[str, str]:
        wide = sum(int(width) for width in self.bits if str(width).isdigit())
        keywords: dict[str, str | None] = {
            "$BYTEORD": self.byteord, "$DATATYPE": self.datatype, "$MODE": "L", "$NEXTDATA": "0",
            "$PAR": str(len(self.bits)), "$TOT": str(8 * len(self.data) // wide if self.n is None else self.n),
        }  # fmt: skip
        for name, pair in _KEYS.items():
            keywords |= dict(zip(pair, map(str, self._claimed(name, places.get(name, (0, 0)))), strict=True))
        merged = keywords | channel_keywords(self.bits) | dict(self.keys)
        return {key: value for key, value in merged.items() if value is not None}

    def _render(self, places: Mapping[str, tuple[int, int]]) -> tuple[bytes, dict[str, tuple[int, int]]]:
        text = self.change(text_of(self._keywords(places), self.delimiter, self.encoding) + self.raw)
        content = {"TEXT": text, "DATA": self.data, **self.segments}
        others = [name for name in content if name.startswith("OTHER")]
        head = 58 + 2 * self.other_width * len(others)
        body, found = b"", {}
        for name in self.order:
            body += self.gaps.get(name, b"")
            begin = head + len(body)
            body += content[name]
            found[name] = (begin, begin + len(content[name]) - 1) if content[name] else (0, 0)
        header = f"{self.version:<10}".encode()
        for name in ("TEXT", "DATA", "ANALYSIS"):
            pair = self._claimed(f"HEADER {name}", found.get(name, (0, 0)))
            header += b"".join(str(cell).rjust(8).encode("latin-1") for cell in pair)
        for name in others:
            pair = self._claimed(f"HEADER {name}", found[name])
            header += b"".join(str(cell).rjust(self.other_width).encode() for cell in pair)
        return header + body, found


def words(values: Sequence[Sequence[float]], kind: str = "<u2") -> bytes:
    """Events as stored numbers of one type."""
    return np.array(values).astype(kind).tobytes()


def chain(*sets: DataSet, last: str = "0") -> bytes:
    """Data sets one behind the other, each with the true ``$NEXTDATA``."""
    found = b""
    for i, made in enumerate(sets):
        if i + 1 == len(sets):
            made.keys = {**made.keys, "$NEXTDATA": last}
            return found + made.build()
        for _ in range(9):
            made.keys = {**made.keys, "$NEXTDATA": str(len(made.build()))}
            if made.keys["$NEXTDATA"] == str(len(made.build())):
                break
        found += made.build()
    return found


def told(repairs: Sequence[object]) -> list[tuple[str, str, str, bool]]:
    """Repairs as plain tuples."""
    return [(r.keyword, r.found, r.assumed, r.affects_numbers) for r in repairs]  # type: ignore[attr-defined]  # Repair
