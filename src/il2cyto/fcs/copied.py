"""A sample as events to be written again: stored bytes as they are, keywords made true."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from il2cyto.errors import FcsError
from il2cyto.fcs.columns import Events, layout_keywords, number_text, spillover_keyword
from il2cyto.fcs.head import OFFSET_KEYWORDS
from il2cyto.fcs.spillover import SPILLOVER_KEYWORDS
from il2cyto.kernels import decode
from il2cyto.sample import Channel, Sample

#: Keyword of a copy that holds, as JSON, what the original had for each keyword that had to be repaired.
REPLACED = "IL2CYTO_REPLACED"

_TYPES = {decode.INTEGER: "I", decode.SINGLE: "F", decode.DOUBLE: "D"}
_STORAGE = frozenset({*OFFSET_KEYWORDS, "$BYTEORD", "$DATATYPE", "$MODE", "$PAR", "$TOT"})
_NUMBERED = re.compile(r"\$P[1-9][0-9]*")
#: Standard keywords that only some versions know.
_ONLY_IN = (
    (re.compile(r"\$DFC[0-9]+TO[0-9]+"), ("FCS2.0",)),
    (re.compile(r"\$(COMP|UNICODE)"), ("FCS3.0",)),
    (re.compile(r"\$CS(MODE|TOT|VBITS|V[0-9]+FLAG)"), ("FCS3.0", "FCS3.1")),
    (
        re.compile(
            r"\$(BEGINDATETIME|ENDDATETIME|CARRIERID|CARRIERTYPE|LOCATIONID|FLOWRATE|UNSTAINED(CENTERS|INFO)"
            r"|P[0-9]+(ANALYTE|TAG|DET|TYPE|FEATURE))"
        ),
        ("FCS3.2",),
    ),
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def from_sample(sample: Sample, name: str, *, version: str, keep: Callable[[str], bool]) -> Events:
    """Describe the events of a sample as they are stored, with its keywords.

    Deviations that were read over are resolved: a keyword holds what was assumed, and `REPLACED` what stood there.

    Parameters
    ----------
    sample
        The events stay where they are; blocks of them are taken when they are written.
    name
        Name of the new file, for messages.
    version
        ``3.1`` or ``3.2``.
    keep
        Which keywords to take. Those that decide the numbers are always there.

    Raises
    ------
    FcsError
        If the types of the channels are mixed and the version is not 3.2.
    """
    layout = sample.layout
    types = [_TYPES[int(kind)] for kind in layout.kind]
    order = "4,3,2,1" if layout.byte_order.any() else "1,2,3,4"
    bits = [8 * int(width) for width in layout.width]
    storage = layout_keywords(bits, types, order, sample.n_events, version, name)
    numbers = _numbers(sample, types, version)
    keywords: dict[str, str] = dict(storage)
    for key, value in sample.keywords.items():
        owned = key in numbers or key in _STORAGE or re.fullmatch(_NUMBERED.pattern + "(B|DATATYPE)", key)
        if not owned and keep(key):
            # FCS allows no empty value; a blank is the nearest that it does
            keywords[key] = value or " "
    numbers |= _spillover(sample, keywords, name)
    for key, text in numbers.items():
        keywords.pop(key, None)
        if text is not None:
            keywords[key] = text
    replaced = {
        key: sample.keywords.get(key) for key, value in numbers.items() if value != (sample.keywords.get(key) or None)
    }
    _demote(keywords, sample.version, f"FCS{version}", name)
    if replaced:
        keywords[REPLACED] = json.dumps({**replaced, **_earlier(keywords.get(REPLACED))})
    events = sample.data[: sample.n_events * layout.stride].reshape(sample.n_events, layout.stride)

    def block(rows: slice | NDArray[np.int64]) -> NDArray[np.generic]:
        return np.ascontiguousarray(events[rows])

    return Events(sample.n_events, layout.stride, keywords, block)


def chooser(keep: Collection[str] | Callable[[str], bool] | None) -> Callable[[str], bool]:
    """Return a predicate over keywords in capitals; ``$PnS`` in a collection stands for every ``n``.

    Examples
    --------
    >>> chosen = chooser(["$CYT", "$PnS"])
    >>> [chosen(key) for key in ("$CYT", "$P12S", "$P12V")]
    [True, True, False]
    """
    if keep is None:
        return lambda key: True
    if callable(keep):
        return keep
    words = {keep.upper()} if isinstance(keep, str) else {word.upper() for word in keep}
    return lambda key: key in words or _NUMBERED.sub("$PN", key, count=1) in words


def _numbers(sample: Sample, types: list[str], version: str) -> dict[str, str | None]:
    """Return the keywords that decide names and numbers, as they were read; ``None`` where one must not be there."""
    repaired = {repair.keyword for repair in sample.repairs}
    names = [channel.pnn for channel in sample.channels]
    found: dict[str, str | None] = {}
    for i, channel in enumerate(sample.channels):
        prefix = f"$P{i + 1}"
        logarithmic = bool(channel.amplification[0])

        def told(key: str, default: str, bad: bool = False) -> str:
            text = sample.keywords.get(key, "")
            return default if bad or key in repaired or not text.strip() else text

        if channel.is_time and channel.pns:
            # the label may be what tells the high word of a clock
            found[f"{prefix}S"] = sample.keywords[f"{prefix}S"]
        if names.count(channel.pnn) > 1 and not channel.is_time:
            found[f"{prefix}N"] = f"{channel.pnn}-{i + 1}"
        else:
            found[f"{prefix}N"] = told(f"{prefix}N", channel.pnn)
        decades, offset = channel.amplification
        found[f"{prefix}E"] = told(f"{prefix}E", f"{number_text(decades)},{number_text(offset)}" if decades else "0,0")
        if logarithmic:
            # it is the scale as well: only the file's own keeps the numbers
            found[f"{prefix}R"] = sample.keywords.get(f"{prefix}R", number_text(channel.range))
        else:
            found[f"{prefix}R"] = told(f"{prefix}R", *_range(sample, channel, types[i]))
        gain = told(f"{prefix}G", "")
        forbidden = version == "3.2" and (channel.is_time or logarithmic)
        found[f"{prefix}G"] = None if forbidden or not gain else gain
    if any(channel.is_time for channel in sample.channels):
        text = sample.keywords.get("$TIMESTEP", "")
        found["$TIMESTEP"] = "1" if "$TIMESTEP" in repaired else text
    return found


def _range(sample: Sample, channel: Channel, datatype: str) -> tuple[str, bool]:
    """Return the range that gives the mask by which the sample is read, and whether the file's own would not."""
    if datatype != "I":
        return ("262144" if math.isnan(channel.range) else number_text(channel.range)), False
    mask = int(sample.layout.mask[channel.index])
    full = (1 << 8 * int(sample.layout.width[channel.index])) - 1
    own = channel.range > 1 and min(full, (1 << (math.ceil(channel.range) - 1).bit_length()) - 1) == mask
    return str(mask + 1), not own


def _spillover(sample: Sample, chosen: Mapping[str, str], file: str) -> dict[str, str | None]:
    """Return what replaces a matrix that was not read as it stands, if it is to be in the copy at all."""
    keys = [key for key in SPILLOVER_KEYWORDS if sample.keywords.get(key, "").strip()]
    repaired = {repair.keyword for repair in sample.repairs}
    if not keys or keys[0] not in repaired or keys[0] not in chosen:
        return {}
    found: dict[str, str | None] = dict.fromkeys(keys)
    matrix = sample.spillover
    # a name that two channels share, or that holds a comma, cannot stand in $SPILLOVER; the file had its number
    if matrix is not None and all("," not in name and sample.names.count(name) == 1 for name in matrix.detectors):
        found["$SPILLOVER"] = spillover_keyword(matrix.detectors, matrix.values, sample.names, file)
    return found


def _demote(keywords: dict[str, str], source: str, target: str, name: str) -> None:
    """Take the ``$`` off keywords that the source's version knows and the target's does not; nothing is lost."""
    for key in list(keywords):
        versions = next((versions for pattern, versions in _ONLY_IN if pattern.fullmatch(key)), None)
        if versions is None or source not in versions or target in versions:
            continue
        plain = key.removeprefix("$")
        value = keywords.pop(key)
        if keywords.setdefault(plain, value) != value:
            raise FcsError(
                "{file}: {key} is unknown to {version}, and {plain} is there with another value; leave one out",
                file=name, key=key, version=target, plain=plain,
            )  # fmt: skip
        for older, text in _older_dates(key, value).items():
            keywords.setdefault(older, text)


def _older_dates(key: str, value: str) -> dict[str, str]:
    if key not in ("$BEGINDATETIME", "$ENDDATETIME"):
        return {}
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return {}
    clock = f"{time:%H:%M:%S}.{time.microsecond // 10_000:02d}"
    if key == "$ENDDATETIME":
        return {"$ETIM": clock}
    return {"$DATE": f"{time.day:02d}-{_MONTHS[time.month - 1]}-{time.year:04d}", "$BTIM": clock}


def _earlier(text: str | None) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {REPLACED: text}
