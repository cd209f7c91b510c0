"""HEADER and TEXT of a data set: everything that stands before its DATA."""

from __future__ import annotations

from collections.abc import Mapping

from il2cyto.errors import FcsError
from il2cyto.fcs.header import LARGEST, LENGTH, VERSIONS

#: Eight zeros: no CRC was computed (FCS 3.1, section 3.5).
NO_CRC = b"00000000"
#: Keywords that `render_head` computes; what the caller has for them is replaced.
OFFSET_KEYWORDS = (
    "$BEGINANALYSIS", "$BEGINDATA", "$BEGINSTEXT", "$ENDANALYSIS", "$ENDDATA", "$ENDSTEXT", "$NEXTDATA",
)  # fmt: skip

# Characters that common readers split at correctly come first; letters, digits and "$" would be legal, but no help.
_USUAL = "|/!\\\f\x1e#~;*@%&="
_DELIMITERS: tuple[str, ...] = (
    *_USUAL,
    *(c for c in map(chr, range(1, 127)) if not c.isalnum() and c not in _USUAL + "$"),
)


def render_head(
    keywords: Mapping[str, str],
    n_data_bytes: int,
    *,
    version: str = "FCS3.1",
    name: str,
    followed: bool = False,
    empty: str | None = None,
) -> bytes:
    """Return HEADER and TEXT of a data set whose DATA follows at once.

    The data set is this head, the data, and `NO_CRC`. TEXT is UTF-8; its delimiter is the first of a list that occurs
    in no key and no value, so that nothing needs doubling unless the keywords use them all.

    Parameters
    ----------
    keywords
        Layout (``$PAR``, ``$TOT``, ``$PnB`` …) and everything else. The offsets and ``$NEXTDATA`` are computed here:
        entries for them are replaced.
    n_data_bytes
        Length of DATA in bytes. With 0 there is no segment: its offsets are 0, 0.
    version
        ``FCS2.0``, ``FCS3.0``, ``FCS3.1`` or ``FCS3.2``. In 2.0 the offsets stand in HEADER only.
    name
        Name of the file, for messages.
    followed
        Whether another data set follows after the CRC: ``$NEXTDATA`` is then the length of this one, else 0.
    empty
        What is written for an empty value, which the standard does not allow; an error where not given.

    Raises
    ------
    FcsError
        If a key is no printable ASCII, occurs twice, or a value is empty or no Unicode; if the version is unknown; if
        an offset needs more than eight digits where only HEADER can hold it.

    Notes
    -----
    FCS 3.1, sections 3.1 and 3.2. Beyond byte 99,999,999 the offsets of DATA in HEADER are both 0 and TEXT alone has
    them.

    Examples
    --------
    >>> head = render_head({"$PAR": "1", "$TOT": "2"}, 8, name="a.fcs")
    >>> head[:58]
    b'FCS3.1          58     170     171     178       0       0'
    >>> head[58:89]
    b'|$BEGINANALYSIS|0|$BEGINDATA|17'
    """
    if version not in VERSIONS:
        raise FcsError(
            "{file}: version {version!r} cannot be written; wanted one of {versions}",
            file=name, version=version, versions=", ".join(VERSIONS),
        )  # fmt: skip
    own = _checked(keywords, name, empty)
    delimiter = _delimiter(own, name)
    length = 0
    # The offsets stand inside the text whose length they decide; more digits only lengthen it, so this ends.
    while True:
        begin = LENGTH + length
        end = begin + n_data_bytes - 1
        if not n_data_bytes:
            begin = end = 0
        following = LENGTH + length + n_data_bytes + len(NO_CRC) if followed else 0
        text = _joined({**_offsets(version, begin, end, following), **own}, delimiter)
        if len(text) == length:
            break
        length = len(text)
    last = LENGTH + length - 1
    if last > LARGEST:
        raise FcsError("{file}: keywords of {n} bytes; TEXT can hold 99,999,941", file=name, n=length)
    if end > LARGEST:
        if version == "FCS2.0":
            raise FcsError(
                "{file}: DATA would end at byte {end}, FCS 2.0 ends at 99,999,999; write version 3.1",
                file=name, end=end,
            )  # fmt: skip
        begin = end = 0
    fields = (LENGTH, last, begin, end, 0, 0)
    return f"{version}    ".encode() + b"".join(b"%8d" % field for field in fields) + text


def _offsets(version: str, begin: int, end: int, following: int) -> dict[str, str]:
    if version == "FCS2.0":
        return {"$NEXTDATA": str(following)}
    return {
        "$BEGINANALYSIS": "0", "$BEGINDATA": str(begin), "$BEGINSTEXT": "0",
        "$ENDANALYSIS": "0", "$ENDDATA": str(end), "$ENDSTEXT": "0", "$NEXTDATA": str(following),
    }  # fmt: skip


def _checked(keywords: Mapping[str, str], name: str, empty: str | None) -> dict[str, str]:
    """Return the keywords that may stand in TEXT as they are, without those of `OFFSET_KEYWORDS`."""
    checked: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in keywords.items():
        if not key or key != key.strip() or not all(32 <= ord(character) <= 126 for character in key):
            raise FcsError(
                "{file}: keyword {found!r} cannot be written: keys are printable ASCII, not empty, without outer "
                "spaces; rename it or leave it out",
                file=name, found=key,
            )  # fmt: skip
        if key.upper() in seen:
            raise FcsError(
                "{file}: keyword {found} is there twice, capitals do not count; leave one out", file=name, found=key
            )
        seen.add(key.upper())
        if key.upper() in OFFSET_KEYWORDS:
            continue
        if not value and not empty:
            raise FcsError(
                "{file}: keyword {found} has an empty value, which FCS does not allow; leave it out or give a word "
                "for it",
                file=name, found=key,
            )  # fmt: skip
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise FcsError(
                "{file}: the value of {found} holds {found_part!r}, which is no Unicode character; replace it",
                file=name, found=key, found_part=value[error.start : error.end],
            ) from error  # fmt: skip
        checked[key] = value or empty or ""
    return checked


def _delimiter(keywords: Mapping[str, str], name: str) -> str:
    used: set[str] = set()
    edges: set[str] = set()
    for text in (*keywords, *keywords.values()):
        used.update(text)
        edges.update(text[0], text[-1])
    for candidate in _DELIMITERS:
        if candidate not in used:
            return candidate
    for candidate in _DELIMITERS:
        # doubled at an edge of a value it could not be told from the delimiter itself
        if candidate not in edges:
            return candidate
    raise FcsError("{file}: the keywords use every possible delimiter; leave some out", file=name)


def _joined(keywords: Mapping[str, str], delimiter: str) -> bytes:
    words = (word.replace(delimiter, delimiter * 2) for pair in keywords.items() for word in pair)
    return (delimiter + delimiter.join(words) + delimiter).encode("utf-8")
