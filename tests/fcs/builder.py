"""The smallest FCS files, byte by byte, for tests of the reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def build_fcs(
    path: Path,
    columns: list[np.ndarray],
    *,
    version: str = "FCS3.1",
    datatype: str = "F",
    byteord: str = "1,2,3,4",
    extra: dict[str, str] | None = None,
    drop: tuple[str, ...] = (),
    delimiter: str = "|",
    header_data: tuple[int, int] | None = None,
    tail: bytes = b"",
    data: bytes | None = None,
    bits: list[int] | None = None,
    text_encoding: str = "latin-1",
) -> Path:
    """Write events (one array per channel, already in their stored type) with the keywords that the test wants."""
    n = len(columns[0]) if columns else 0
    if data is None:
        order = ">" if byteord.startswith(("4", "2")) else "<"
        packed = [np.ascontiguousarray(c.astype(c.dtype.newbyteorder(order))) for c in columns]
        data = b"".join(b"".join(c[i : i + 1].tobytes() for c in packed) for i in range(n))
    widths = bits or [c.dtype.itemsize * 8 for c in columns]
    text = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0",
        "$BYTEORD": byteord, "$DATATYPE": datatype, "$MODE": "L", "$NEXTDATA": "0",
        "$PAR": str(len(columns)), "$TOT": str(n),
    }  # fmt: skip
    for i, width in enumerate(widths, start=1):
        text |= {f"$P{i}N": f"C{i}", f"$P{i}B": str(width), f"$P{i}E": "0,0", f"$P{i}R": "1024"}
    text |= extra or {}
    for key in drop:
        text.pop(key, None)

    def render(begin: int, end: int) -> bytes:
        offsets = {"$BEGINDATA": f"{begin:08d}", "$ENDDATA": f"{end:08d}"}
        full = {**{k: v for k, v in offsets.items() if k not in drop}, **text}
        parts = delimiter + "".join(f"{key}{delimiter}{value}{delimiter}" for key, value in full.items())
        return parts.encode(text_encoding)

    length = len(render(0, 0))
    begin = 58 + length
    end = begin + len(data) - 1
    body = render(begin, end)
    shown = header_data if header_data is not None else (begin, end)
    fields = (58, 58 + length - 1, *shown, 0, 0)
    head = f"{version}    ".encode() + b"".join(f"{value:>8d}".encode() for value in fields)
    path.write_bytes(head + body + data + tail)
    return path
