"""Parameters of a data set and how their numbers are stored."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from il2cyto.errors import FcsError
from il2cyto.kernels import decode
from il2cyto.sample import Channel, Repair, RowLayout

_TIME = re.compile(r"time|hdr-t|t1", re.IGNORECASE)
_MAX_CHANNELS = 100_000
_BYTE_ORDERS = {"1,2,3,4": 0, "4,3,2,1": 1, "1,2": 0, "2,1": 1}


def keyword_number(keywords: Mapping[str, str], key: str, name: str) -> float:
    """Return a required numeric keyword.

    Raises
    ------
    FcsError
        If the keyword is missing or is no finite number.
    """
    if key not in keywords:
        raise FcsError(f"{name}: keyword {key} is missing; the file is damaged or no FCS")
    text = keywords[key].strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FcsError(f"{name}: {key} is {text!r}, wanted a number")
    return number


def keyword_integer(keywords: Mapping[str, str], key: str, name: str, *, least: int = 0) -> int:
    """Return a required keyword that is a whole number of at least `least`."""
    number = keyword_number(keywords, key, name)
    if number != int(number) or number < least:
        raise FcsError(f"{name}: {key} is {keywords[key].strip()!r}, wanted a whole number of at least {least}")
    return int(number)


def byte_order(keywords: Mapping[str, str], name: str) -> int:
    """Return 0 for little-endian and 1 for big-endian storage."""
    text = keywords.get("$BYTEORD", "").replace(" ", "")
    if text not in _BYTE_ORDERS:
        raise FcsError(f"{name}: $BYTEORD is {text!r}, wanted one of {', '.join(_BYTE_ORDERS)}")
    return _BYTE_ORDERS[text]


def parse_channels(keywords: Mapping[str, str], name: str) -> tuple[tuple[Channel, ...], tuple[Repair, ...]]:
    """Read the ``$Pn…`` keywords of every parameter.

    Raises
    ------
    FcsError
        If the number of parameters, a width or a range cannot be.
    """
    n = keyword_integer(keywords, "$PAR", name, least=1)
    if n > _MAX_CHANNELS:
        raise FcsError(f"{name}: $PAR announces {n} parameters; more than {_MAX_CHANNELS} cannot be")
    default_type = keywords.get("$DATATYPE", "").strip().upper()
    repairs: list[Repair] = []
    channels = []
    for number in range(1, n + 1):
        prefix = f"$P{number}"
        datatype = keywords.get(f"{prefix}DATATYPE", default_type).strip().upper()
        if datatype not in ("I", "F", "D"):
            raise FcsError(f"{name}: $DATATYPE {datatype!r} of parameter {number} is not supported; wanted I, F or D")
        bits = keyword_integer(keywords, f"{prefix}B", name, least=1)
        wanted = {"F": 32, "D": 64}.get(datatype)
        if wanted is not None and bits != wanted:
            repairs.append(Repair(f"{prefix}B", str(bits), f"{wanted}, as $DATATYPE {datatype} demands", True))
            bits = wanted
        if datatype == "I" and (bits % 8 or bits > 64):
            raise FcsError(f"{name}: {prefix}B is {bits}; integers of 8, 16, 24, 32, … 64 bits can be read")
        pnn = keywords.get(f"{prefix}N", "").strip()
        if not pnn:
            pnn = f"P{number}"
            repairs.append(Repair(f"{prefix}N", "", pnn, False))
        channels.append(
            Channel(
                index=number - 1,
                pnn=pnn,
                pns=keywords.get(f"{prefix}S", "").strip(),
                bits=bits,
                datatype=datatype,
                range=_range(keywords, prefix, datatype, name, repairs),
                amplification=_amplification(keywords, prefix, datatype, name, repairs),
                gain=_gain(keywords, prefix, name, repairs),
                voltage=keywords.get(f"{prefix}V", "").strip(),
                is_time=bool(_TIME.fullmatch(pnn)),
            )
        )
    return tuple(channels), tuple(repairs)


def _range(keywords: Mapping[str, str], prefix: str, datatype: str, name: str, repairs: list[Repair]) -> float:
    if datatype != "I" and f"{prefix}R" not in keywords:
        repairs.append(Repair(f"{prefix}R", "missing", "no range; floating-point values do not need one", False))
        return math.nan
    return keyword_number(keywords, f"{prefix}R", name)


def _amplification(
    keywords: Mapping[str, str], prefix: str, datatype: str, name: str, repairs: list[Repair]
) -> tuple[float, float]:
    text = keywords.get(f"{prefix}E", "").strip()
    if not text:
        repairs.append(Repair(f"{prefix}E", "missing", "0,0 (linear)", datatype == "I"))
        return 0.0, 0.0
    try:
        decades, offset = (float(part) for part in text.split(","))
    except ValueError as error:
        raise FcsError(f"{name}: {prefix}E is {text!r}, wanted two numbers like 4,1") from error
    if datatype != "I":
        if decades:
            repairs.append(Repair(f"{prefix}E", text, "0,0: floating-point values are stored linear", True))
        return 0.0, 0.0
    if decades < 0 or offset < 0:
        raise FcsError(f"{name}: {prefix}E is {text!r}; neither number may be negative")
    if decades and not offset:
        repairs.append(Repair(f"{prefix}E", text, f"{decades:g},1", True))
        offset = 1.0
    return decades, offset


def _gain(keywords: Mapping[str, str], prefix: str, name: str, repairs: list[Repair]) -> float:
    text = keywords.get(f"{prefix}G", "").strip()
    if not text:
        return 1.0
    gain = keyword_number(keywords, f"{prefix}G", name)
    if gain == 0:
        repairs.append(Repair(f"{prefix}G", text, "1", False))
        return 1.0
    if gain < 0:
        raise FcsError(f"{name}: {prefix}G is {text!r}; a gain cannot be negative")
    return gain


def time_step(keywords: Mapping[str, str], channels: tuple[Channel, ...]) -> tuple[float, tuple[Repair, ...]]:
    """Return seconds per tick of the time channel, 1 where the file does not say."""
    if not any(channel.is_time for channel in channels):
        return 1.0, ()
    text = keywords.get("$TIMESTEP", "").strip()
    try:
        step = float(text)
    except ValueError:
        step = math.nan
    if math.isfinite(step) and step > 0:
        return step, ()
    return 1.0, (Repair("$TIMESTEP", text or "missing", "1: time stays in ticks", True),)


def row_layout(channels: tuple[Channel, ...], order: int, step: float, repairs: list[Repair]) -> RowLayout:
    """Describe the bytes of one event for the kernels."""
    width = np.array([channel.bits // 8 for channel in channels], dtype=np.int64)
    kinds = {"I": decode.INTEGER, "F": decode.SINGLE, "D": decode.DOUBLE}
    mask = np.zeros(len(channels), dtype=np.uint64)
    scale = np.zeros(len(channels), dtype=np.int64)
    argument = np.ones(len(channels))
    offset = np.ones(len(channels))
    for i, channel in enumerate(channels):
        mask[i] = _mask(channel, repairs)
        decades, f2 = channel.amplification
        if channel.is_time:
            if step != 1.0:
                scale[i], argument[i] = decode.MULTIPLY, step
        elif decades:
            scale[i], argument[i], offset[i] = decode.LOG, decades / channel.range, f2
        elif channel.gain != 1.0:
            scale[i], argument[i] = decode.DIVIDE, channel.gain
    return RowLayout(
        stride=int(width.sum()),
        position=np.concatenate([[0], np.cumsum(width)[:-1]]).astype(np.int64),
        width=width,
        kind=np.array([kinds[channel.datatype] for channel in channels], dtype=np.int64),
        mask=mask,
        scale=scale,
        argument=argument,
        offset=offset,
        byte_order=np.full(len(channels), order, dtype=np.int64),
    )


def _mask(channel: Channel, repairs: list[Repair]) -> np.uint64:
    full = (1 << channel.bits) - 1
    if channel.datatype != "I":
        return np.uint64(full)
    if channel.range <= 0:
        repairs.append(
            Repair(f"$P{channel.index + 1}R", f"{channel.range:g}", "no mask: every stored bit counts", True)
        )
        return np.uint64(full)
    # the next power of two >= range; a power of two itself masks to range - 1 (FCS 3.1, $PnR)
    needed = (1 << max(math.ceil(channel.range) - 1, 0).bit_length()) - 1
    return np.uint64(min(full, max(needed, 1)))
