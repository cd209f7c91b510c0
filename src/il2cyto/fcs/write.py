"""Write FCS 3.1 with single-precision events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from il2cyto.errors import FcsError
from il2cyto.provenance import atomic_path

_HEADER = 58
_LARGEST = 99_999_999
_DELIMITER = "|"
_OWN = frozenset(
    {
        "$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINDATA", "$ENDDATA", "$BEGINSTEXT", "$ENDSTEXT", "$BYTEORD", "$DATATYPE",
        "$MODE", "$NEXTDATA", "$PAR", "$TOT", "$SPILLOVER", "$TIMESTEP",
    }
)  # fmt: skip


def write_fcs(
    path: str | Path,
    events: ArrayLike,
    channels: Sequence[str],
    markers: Sequence[str | None] | None = None,
    *,
    keywords: Mapping[str, str] | None = None,
    spillover: tuple[Sequence[str], ArrayLike] | None = None,
    timestep: float | None = None,
    ranges: Sequence[float] | None = None,
) -> None:
    """Write one data set as FCS 3.1, list mode, float32 little-endian, atomically.

    Parameters
    ----------
    path
        Where the file shall stand; replaced if it exists.
    events
        ``(n_events, n_channels)``, stored values: linear intensities, and ticks of `timestep` on the time channel.
    channels
        ``$PnN``: unique, without commas.
    markers
        ``$PnS`` or ``None`` per channel.
    keywords
        Further keywords; those that describe the layout of the file are refused.
    spillover
        Names (``$PnN``) and square matrix, rows = fluorochromes.
    timestep
        ``$TIMESTEP`` in seconds per tick.
    ranges
        ``$PnR``; 262144 where not given.

    Raises
    ------
    FcsError
        If names, shapes or keywords cannot make a valid file.
    """
    values = np.ascontiguousarray(events, dtype="<f4")
    if values.ndim != 2 or values.shape[1] != len(channels):
        raise FcsError(f"{Path(path).name}: events of shape {values.shape} for {len(channels)} channels")
    if len(set(channels)) != len(channels) or any(not name or "," in name for name in channels):
        raise FcsError(f"{Path(path).name}: channel names must be unique, not empty and without commas")
    text: dict[str, str] = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L", "$NEXTDATA": "0",
        "$PAR": str(values.shape[1]), "$TOT": str(values.shape[0]),
    }  # fmt: skip
    if timestep is not None:
        text["$TIMESTEP"] = repr(float(timestep))
    for i, name in enumerate(channels):
        number = i + 1
        text[f"$P{number}N"] = name
        label = markers[i] if markers is not None else None
        if label:
            text[f"$P{number}S"] = label
        text[f"$P{number}B"] = "32"
        text[f"$P{number}E"] = "0,0"
        limit = 262144.0 if ranges is None else float(ranges[i])
        text[f"$P{number}R"] = str(int(limit)) if limit.is_integer() else repr(limit)
    if spillover is not None:
        names, matrix = spillover
        numbers = np.asarray(matrix, dtype=np.float64)
        if numbers.shape != (len(names), len(names)) or not set(names) <= set(channels):
            raise FcsError(f"{Path(path).name}: spillover names must be channels, with a square matrix of their number")
        text["$SPILLOVER"] = ",".join([str(len(names)), *names, *(repr(float(cell)) for cell in numbers.ravel())])
    for key, value in (keywords or {}).items():
        if key.upper() in _OWN or key.upper() in text:
            raise FcsError(f"{Path(path).name}: keyword {key} is set by the writer")
        if not key or not value or not key.isascii():
            raise FcsError(f"{Path(path).name}: keyword {key!r} = {value!r}: keys are ASCII, neither may be empty")
        text[key] = value
    header, body = _assemble(text, values.nbytes, Path(path).name)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(header)
        stream.write(body)
        values.tofile(stream)
        stream.write(b"00000000")


def _escape(value: str) -> str:
    return value.replace(_DELIMITER, _DELIMITER * 2)


def _assemble(text: dict[str, str], n_bytes: int, name: str) -> tuple[bytes, bytes]:
    # The offsets stand inside the text whose length they depend on: fixed-width numbers end the circle.
    for key, value in text.items():
        if _DELIMITER in (key[:1], value[:1], value[-1:]):
            raise FcsError(f"{name}: keyword {key!r} may not begin or end with {_DELIMITER!r}")

    def render(begin: int, end: int) -> bytes:
        full = {"$BEGINDATA": f"{begin:020d}", "$ENDDATA": f"{end:020d}", **text}
        parts = [_DELIMITER]
        for key, value in full.items():
            parts.append(f"{_escape(key)}{_DELIMITER}{_escape(value)}{_DELIMITER}")
        return "".join(parts).encode("utf-8")

    length = len(render(0, 0))
    begin = _HEADER + length
    end = begin + n_bytes - 1 if n_bytes else 0
    body = render(begin if n_bytes else 0, end)
    offsets = (begin, end) if n_bytes and end <= _LARGEST else (0, 0)
    fields = (_HEADER, _HEADER + length - 1, *offsets, 0, 0)
    header = b"FCS3.1    " + b"".join(f"{value:>8d}".encode("ascii") for value in fields)
    return header, body
