"""Read one FCS data set over a memory map."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import CompensationError, FcsError
from il2cyto.fcs.channels import byte_order, keyword_integer, parse_channels, row_layout, time_step
from il2cyto.fcs.header import LENGTH, Header, parse_header
from il2cyto.fcs.text import parse_text
from il2cyto.panel import Panel
from il2cyto.sample import Channel, Repair, Sample

_SPILLOVER_KEYS = ("$SPILLOVER", "SPILL", "$SPILL", "SPILLOVER")
_MAX_TEXT = 100_000_000


def read_fcs(path: str | Path, panel: Panel | str | Path | None = None, *, strict: bool = False) -> Sample:
    """Read the first data set of an FCS 2.0, 3.0, 3.1 or 3.2 file.

    Parameters
    ----------
    path
        The file. Events stay memory-mapped until they are used.
    panel
        Markers of the tube, or the ``panel.csv`` that holds them.
    strict
        Raise instead of reading over a deviation from the standard.

    Returns
    -------
    Sample
        ``sample.repairs`` lists every deviation and what was assumed.

    Raises
    ------
    FcsError
        If the file cannot be read: the message names the file, the value and what was wanted.
    PanelError
        If the panel file contradicts itself.
    """
    path = Path(path)
    if isinstance(panel, (str, Path)):
        panel = Panel.from_csv(panel)
    buffer = _map(path)
    name = path.name
    header = parse_header(bytes(buffer[:LENGTH]), name)
    keywords, found = parse_text(_text_bytes(buffer, header, name), name)
    repairs = list(found)
    supplement = _supplemental(buffer, keywords, header, name, repairs)
    keywords = {**keywords, **supplement}
    mode = keywords.get("$MODE", "L").strip().upper()
    if mode != "L":
        raise FcsError(f"{name}: $MODE is {mode!r}: histograms are no events; only list mode (L) can be read")
    channels, found = parse_channels(keywords, name)
    repairs += found
    step, found = time_step(keywords, channels)
    repairs += found
    layout = row_layout(channels, byte_order(keywords, name), step, repairs)
    data, n_events = _data(buffer, header, keywords, layout.stride, name, repairs)
    if keywords.get("$NEXTDATA", "0").strip() not in ("", "0"):
        repairs.append(Repair("$NEXTDATA", keywords["$NEXTDATA"].strip(), "only the first data set is read", False))
    spillover = _spillover(keywords, channels, repairs)
    if strict and repairs:
        listed = "; ".join(f"{repair.keyword}: {repair.found}" for repair in repairs)
        raise FcsError(f"{name}: deviates from the standard ({listed}); read without strict to accept the repairs")
    return Sample(
        id=path.stem,
        data=data,
        layout=layout,
        channels=channels,
        n_events=n_events,
        keywords=MappingProxyType(keywords),
        spillover=spillover,
        panel=panel,
        repairs=tuple(repairs),
        version=header.version,
        path=path,
    )


def _map(path: Path) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            if size == 0:
                raise FcsError(f"{path.name}: the file is empty; copy it from the instrument again")
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FcsError(f"{path.name}: cannot be opened ({reason}); check the path in the sample sheet") from error
    return np.frombuffer(mapped, dtype=np.uint8)


def _text_bytes(buffer: NDArray[np.uint8], header: Header, name: str) -> bytes:
    begin, end = header.text
    if end >= buffer.size:
        raise FcsError(
            f"{name}: HEADER places TEXT at bytes {begin} to {end}, but the file has {buffer.size}; it is cut short"
        )
    if end - begin > _MAX_TEXT:
        raise FcsError(f"{name}: TEXT of {end - begin + 1} bytes is larger than any real one")
    return bytes(buffer[begin : end + 1])


def _supplemental(
    buffer: NDArray[np.uint8], keywords: Mapping[str, str], header: Header, name: str, repairs: list[Repair]
) -> dict[str, str]:
    begin, end = (_offset(keywords, key) for key in ("$BEGINSTEXT", "$ENDSTEXT"))
    if not begin or not end or (begin, end) == header.text:
        return {}
    if not LENGTH <= begin < end < buffer.size or end - begin > _MAX_TEXT:
        repairs.append(Repair("$BEGINSTEXT", f"{begin} to {end}", "no supplemental TEXT", False))
        return {}
    content = bytes(buffer[begin : end + 1])
    # it holds no required keyword, so the plausibility test of primary TEXT gets them lent
    delimiter = content[:1]
    lent = delimiter.join([b"", b"$PAR", b"1", b"$DATATYPE", b"F"])
    try:
        extra, found = parse_text(lent + content, name)
    except FcsError:
        repairs.append(Repair("$BEGINSTEXT", f"{begin} to {end}", "no supplemental TEXT: it does not parse", True))
        return {}
    repairs += found
    return {key: value for key, value in extra.items() if key not in keywords}


def _offset(keywords: Mapping[str, str], key: str) -> int | None:
    """Return an offset keyword, ``None`` if it is absent or no number."""
    text = keywords.get(key, "").strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def _data(
    buffer: NDArray[np.uint8],
    header: Header,
    keywords: Mapping[str, str],
    stride: int,
    name: str,
    repairs: list[Repair],
) -> tuple[NDArray[np.uint8], int]:
    """Find the events; sizes are checked against the real file before anything is taken."""
    n_events = keyword_integer(keywords, "$TOT", name) if "$TOT" in keywords else None
    begin, end = _data_offsets(header, keywords, n_events, stride, name, repairs)
    if n_events == 0 or (begin == 0 and end == 0):
        if n_events:
            raise FcsError(f"{name}: $TOT announces {n_events} events but no DATA segment is given")
        return buffer[:0], 0
    if begin < LENGTH or end < begin:
        raise FcsError(f"{name}: DATA at bytes {begin} to {end} cannot be; the offsets are damaged")
    length = end - begin + 1
    if n_events is None:
        n_events = length // stride
        repairs.append(Repair("$TOT", "missing", str(n_events), True))
    wanted = n_events * stride
    available = max(buffer.size - begin, 0)
    if wanted > available:
        raise FcsError(
            f"{name}: $TOT announces {n_events} events of {stride} bytes from byte {begin} on, but the file ends after "
            f"{available // stride}; it is truncated, copy it from the instrument again"
        )
    if length != wanted:
        if length // stride != n_events:
            raise FcsError(
                f"{name}: DATA at bytes {begin} to {end} holds {length // stride} events, $TOT says {n_events}; "
                "the file is damaged"
            )
        repairs.append(Repair("$ENDDATA", str(end), f"{begin + wanted - 1}, as $TOT demands", False))
    return buffer[begin : begin + wanted], n_events


def _data_offsets(
    header: Header, keywords: Mapping[str, str], n_events: int | None, stride: int, name: str, repairs: list[Repair]
) -> tuple[int, int]:
    text_begin, text_end = (_offset(keywords, key) for key in ("$BEGINDATA", "$ENDDATA"))
    begin, end = header.data
    in_header = begin > 0 and end > begin and end != 99_999_999
    if header.version == "FCS2.0" or text_begin is None or text_end is None or not (text_begin or text_end):
        if header.version != "FCS2.0" and in_header:
            repairs.append(Repair("$BEGINDATA", "missing or 0", f"HEADER: {begin} to {end}", False))
        return (begin, end) if in_header else (0, 0)
    if not in_header or (begin, end) == (text_begin, text_end):
        return text_begin, text_end
    # Both are given and differ: the pair whose length is that of the announced events is right.
    wanted = None if n_events is None else n_events * stride
    fits_text = wanted is not None and text_end - text_begin + 1 == wanted
    fits_header = wanted is not None and end - begin + 1 == wanted
    shown = f"HEADER {begin} to {end}, TEXT {text_begin} to {text_end}"
    if fits_header and not fits_text:
        repairs.append(Repair("$BEGINDATA", shown, "HEADER, whose length fits $TOT", True))
        return begin, end
    if fits_text and not fits_header:
        repairs.append(Repair("$BEGINDATA", shown, "TEXT, whose length fits $TOT", True))
        return text_begin, text_end
    if begin == text_begin:
        repairs.append(Repair("$ENDDATA", shown, "the length that $TOT demands", False))
        return begin, max(end, text_end)
    raise FcsError(f"{name}: the offsets of DATA disagree ({shown}) and $TOT does not tell which is right")


def _spillover(
    keywords: Mapping[str, str], channels: tuple[Channel, ...], repairs: list[Repair]
) -> SpilloverMatrix | None:
    for key in _SPILLOVER_KEYS:
        if not keywords.get(key, "").strip():
            continue
        try:
            matrix = SpilloverMatrix.from_keyword(keywords[key])
        except CompensationError as error:
            repairs.append(Repair(key, str(error), "no matrix: gates that need it are refused", True))
            return None
        names = [channel.pnn for channel in channels]
        unknown = [name for name in matrix.detectors if name not in names]
        if unknown and all(name.isdecimal() and 1 <= int(name) <= len(names) for name in matrix.detectors):
            detectors = tuple(names[int(name) - 1] for name in matrix.detectors)
            repairs.append(Repair(key, "parameter numbers as names", ", ".join(detectors), True))
            return SpilloverMatrix(matrix.id, detectors, matrix.values)
        if unknown:
            repairs.append(
                Repair(key, f"unknown channel {unknown[0]!r}", "no matrix: gates that need it are refused", True)
            )
            return None
        return matrix
    return None
