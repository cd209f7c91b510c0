"""What HEADER and TEXT say, for one data set or along the chain of them, without a look at events."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from il2cyto.errors import FcsError
from il2cyto.fcs.channels import keyword_integer, parse_channels
from il2cyto.fcs.header import LENGTH, VERSIONS, Header, parse_header
from il2cyto.fcs.segments import offset_keyword
from il2cyto.fcs.text import Text, cut, parse_text
from il2cyto.sample import Channel, Repair

_MAX_TEXT = 100_000_000
_MAX_DATASETS = 4_000
_FIRST_BYTES = 1 << 16
#: Gives the bytes of a file from one place up to another.
Fetch = Callable[[int, int], bytes]


@dataclass(frozen=True)
class FcsHeader:
    """What HEADER and TEXT of one data set say; no event is read for it.

    Attributes
    ----------
    name
        Name of the file.
    index
        Number of the data set in the file, from 0.
    start
        Its first byte in the file.
    version
        ``FCS2.0``, ``FCS3.0``, ``FCS3.1`` or ``FCS3.2``.
    keywords
        Keywords in capitals and in file order; those of supplemental TEXT after the others.
    channels
        One per parameter.
    n_events
        ``$TOT``, or ``None`` where the file does not say.
    delimiter, encoding
        How TEXT is written.
    next_data
        First byte in the file of the data set that follows, or ``None``.
    repairs
        Deviations from the standard so far.
    """

    name: str
    index: int
    start: int
    version: str
    keywords: Mapping[str, str] = field(repr=False)
    channels: tuple[Channel, ...] = field(repr=False)
    n_events: int | None
    delimiter: str
    encoding: str
    next_data: int | None
    repairs: tuple[Repair, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """``$PnN`` of every channel, in stored order."""
        return tuple(channel.pnn for channel in self.channels)


def read_fcs_header(path: str | Path, *, dataset: int = 0, encoding: str | None = None) -> FcsHeader:
    """Read the keywords of one data set without touching its events.

    Parameters
    ----------
    path
        The file.
    dataset
        Number of the data set, from 0.
    encoding
        Python codec of keyword values, or ``None`` to detect it.

    Raises
    ------
    FcsError
        If HEADER or TEXT cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.fcs import read_fcs_header, write_fcs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_fcs([[1.0, 2.0], [3.0, 4.0]], folder + "/a.fcs", channels=["FSC-A", "CD4"])
    ...     header = read_fcs_header(folder + "/a.fcs")
    >>> header.names, header.n_events
    (('FSC-A', 'CD4'), 2)
    """
    path = Path(path)
    try:
        with path.open("rb", buffering=0) as handle:
            size = os.fstat(handle.fileno()).st_size
            begin = handle.read(_FIRST_BYTES) or b""

            def fetch(first: int, last: int) -> bytes:
                if last <= len(begin):
                    return begin[first:last]
                handle.seek(first)
                return handle.read(last - first) or b""

            return walk(fetch, size, path.name, dataset, encoding)[0]
    except OSError as error:
        raise unopened(path, error) from error


def unopened(path: Path, error: Exception) -> FcsError:
    """Return the error for a file that the system does not open."""
    reason = getattr(error, "strerror", None) or type(error).__name__
    return FcsError(
        "{file}: cannot be opened ({reason}); check the path in the sample sheet", file=path.name, reason=reason
    )


def walk(fetch: Fetch, size: int, name: str, dataset: int, encoding: str | None) -> tuple[FcsHeader, Header]:
    """Follow the chain of data sets to the wanted one; return what it says, and its HEADER."""
    if dataset < 0:
        raise FcsError("{file}: data set {k} cannot be; they are counted from 0", file=name, k=dataset)
    start = 0
    for k in range(dataset + 1):
        head, header = read_head(fetch, size, start, k, name, encoding)
        if k == dataset:
            break
        if head.next_data is None:
            raise FcsError(
                "{file}: has {n} data set(s), counted from 0; there is no data set {k}", file=name, n=k + 1, k=dataset
            )
        start = head.next_data
    return head, header


def read_head(
    fetch: Fetch, size: int, start: int, index: int, name: str, encoding: str | None
) -> tuple[FcsHeader, Header]:
    """Read HEADER, TEXT and supplemental TEXT of the data set that begins at `start`."""
    header, found = parse_header(fetch(start, start + LENGTH), name)
    repairs = list(found)
    begin, end = header.text
    if start + end == size:
        repairs.append(Repair("HEADER TEXT", f"{begin} to {end}, one byte behind the file", f"to {end - 1}", False))
        header = replace(header, text=(begin, end - 1))
    elif start + end > size:
        raise FcsError(
            "{file}: HEADER places TEXT at bytes {begin} to {end}, but the file has {size}; it is cut short",
            file=name, begin=start + begin, end=start + end, size=size,
        )  # fmt: skip
    if end - begin > _MAX_TEXT:
        raise FcsError("{file}: TEXT of {n} bytes is larger than any real one", file=name, n=end - begin + 1)
    text = parse_text(fetch(start + begin, start + end + 1), name, header.version, encoding)
    repairs += text.repairs
    keywords = text.keywords
    extra, also = _supplemental(fetch, size - start, start, header, text, name, encoding, repairs)
    for key, value in extra.items():
        if key not in keywords:
            keywords[key] = value
        elif keywords[key].strip() != value.strip():
            repairs.append(Repair(key, "another value in supplemental TEXT", "the value of primary TEXT", True))
    mode = keywords.get("$MODE", "").strip().upper()
    if mode not in ("", "L"):
        raise FcsError(
            "{file}: $MODE is {found!r}: histograms are no events; only list mode (L) can be read",
            file=name, found=cut(mode),
        )  # fmt: skip
    if not mode and header.version < "FCS3.2":
        repairs.append(Repair("$MODE", "missing", "L: events, no histogram", False))
    channels, found = parse_channels(keywords, name, header.version)
    repairs += found
    n_events = keyword_integer(keywords, "$TOT", name) if keywords.get("$TOT", "").strip() else None
    next_data = _next(fetch, size, start, index, keywords, repairs)
    head = FcsHeader(
        name, index, start, header.version, MappingProxyType(keywords), channels, n_events,
        text.delimiter, _both(text.encoding, also), next_data, tuple(repairs),
    )  # fmt: skip
    return head, header


def _both(encoding: str, other: str) -> str:
    words = {*encoding.split("+"), *other.split("+")}
    return "+".join(sorted(words - {"ascii"})) or "ascii"


def _supplemental(
    fetch: Fetch,
    size: int,
    start: int,
    header: Header,
    text: Text,
    name: str,
    encoding: str | None,
    repairs: list[Repair],
) -> tuple[dict[str, str], str]:
    """Return the keywords of supplemental TEXT and its encoding; nothing where there is none."""
    written = [text.keywords.get(key, "").strip() for key in ("$BEGINSTEXT", "$ENDSTEXT")]
    begin, end = (offset_keyword(text.keywords, key) for key in ("$BEGINSTEXT", "$ENDSTEXT"))
    shown = " to ".join(cut(word) or "?" for word in written)
    if (begin, end) in ((0, 0), (0, -1)) or not any(written):
        return {}, "ascii"
    if begin == header.text[0]:
        repairs.append(Repair("$BEGINSTEXT", f"{shown}, which is TEXT itself", "no supplemental TEXT", False))
        return {}, "ascii"
    # an end that is one too large is the commonest mistake; `fetch` stops with the file
    if begin is None or end is None or not LENGTH <= begin < end <= size or end - begin > _MAX_TEXT:
        repairs.append(Repair("$BEGINSTEXT", f"{shown}, which is not in the file", "no supplemental TEXT", True))
        return {}, "ascii"
    content = fetch(start + begin, start + end + 1)
    if content[:1] != text.delimiter.encode("latin-1"):
        repairs.append(Repair("$BEGINSTEXT", f"{shown}, where no TEXT is", "no supplemental TEXT", True))
        return {}, "ascii"
    if not content.strip(content[:1] + b" \t\r\n\0"):
        return {}, "ascii"
    try:
        extra = parse_text(content, name, header.version, encoding)
    except FcsError:
        repairs.append(Repair("$BEGINSTEXT", f"{shown}, which does not parse", "no supplemental TEXT", True))
        return {}, "ascii"
    repairs += extra.repairs
    return extra.keywords, extra.encoding


def _next(
    fetch: Fetch, size: int, start: int, index: int, keywords: Mapping[str, str], repairs: list[Repair]
) -> int | None:
    """Return where the next data set begins; only forwards, so that a chain always ends."""
    written = keywords.get("$NEXTDATA", "").strip()
    offset = offset_keyword(keywords, "$NEXTDATA")
    if not written or offset == 0:
        return None
    if index + 1 >= _MAX_DATASETS:
        repairs.append(Repair("$NEXTDATA", written, f"no data set behind number {index}", True))
        return None
    if offset is not None and offset >= LENGTH:
        if _begins_here(fetch, size, start + offset):
            return start + offset
        if offset > start > 0 and _begins_here(fetch, size, offset):
            repairs.append(Repair("$NEXTDATA", written, "counted from the start of the file", False))
            return offset
    repairs.append(Repair("$NEXTDATA", f"{cut(written)}, where no data set is", "the last data set", False))
    return None


def _begins_here(fetch: Fetch, size: int, at: int) -> bool:
    return at + LENGTH <= size and fetch(at, at + 6).decode("latin-1") in VERSIONS
