"""Parameters of a data set: names, widths, ranges, amplification, gain and time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from il2cyto.errors import FcsError
from il2cyto.fcs.text import cut
from il2cyto.kernels import decode
from il2cyto.sample import Channel, Repair, RowLayout

_TIME = re.compile(r"time|hdr-t|t1|time[_ -]?(lsw|msw)", re.IGNORECASE)
#: CyAn and MoFlo write a clock as two words and say which is which in the name or in the label.
_HIGH_WORD = re.compile(r"time[_ -]?msw", re.IGNORECASE)
_LOW_WORD = re.compile(r"time([_ -]?lsw)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LONGEST_NUMBER = 64
_MAX_CHANNELS = 30_000
_WIDTHS = {"F": 32, "D": 64}
#: Beyond this, float64 has no room for every whole number.
_EXACT = 1 << 53


def keyword_number(keywords: Mapping[str, str], key: str, name: str) -> float:
    """Return a required numeric keyword.

    Raises
    ------
    FcsError
        If the keyword is missing or is no finite number.
    """
    if key not in keywords:
        raise FcsError("{file}: keyword {key} is missing; the file is damaged or no FCS", file=name, key=key)
    text = keywords[key].strip()
    number = _number(text)
    if number is None:
        raise FcsError("{file}: {key} is {found!r}, wanted a number", file=name, key=key, found=cut(text))
    return number


def keyword_integer(keywords: Mapping[str, str], key: str, name: str, *, least: int = 0) -> int:
    """Return a required keyword that is a whole number of at least `least`."""
    number = keyword_number(keywords, key, name)
    if number != int(number) or number < least:
        raise FcsError(
            "{file}: {key} is {found!r}, wanted a whole number of at least {least}",
            file=name, key=key, found=cut(keywords[key].strip()), least=least,
        )  # fmt: skip
    return int(number)


def _number(text: str) -> float | None:
    return _short_number(text) if len(text) <= _LONGEST_NUMBER else None


@lru_cache(maxsize=4096)
def _short_number(text: str) -> float | None:
    # float() also takes "1_000", "nan" and digits of other scripts; the same few numbers stand in every keyword
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _with_comma(text: str) -> float | None:
    """Read a number that a program under a European locale has written: ``0,01``."""
    return _number(text.replace(",", ".")) if text.count(",") == 1 else None


def parse_channels(
    keywords: Mapping[str, str], name: str, version: str
) -> tuple[tuple[Channel, ...], tuple[Repair, ...]]:
    """Read the ``$Pn…`` keywords of every parameter.

    Raises
    ------
    FcsError
        If the number of parameters, a width or a range cannot be.
    """
    n = keyword_integer(keywords, "$PAR", name, least=1)
    if n > _MAX_CHANNELS:
        raise FcsError(
            "{file}: $PAR announces {n} parameters; more than {most} cannot be", file=name, n=n, most=_MAX_CHANNELS
        )
    if "$DATATYPE" not in keywords:
        raise FcsError("{file}: keyword $DATATYPE is missing; the file is damaged or no FCS", file=name)
    default_type = keywords["$DATATYPE"].strip().upper()
    repairs: list[Repair] = []
    channels = []
    step = keywords.get("$TIMESTEP", "").strip()
    has_step = (_number(step) or _with_comma(step) or 0) > 0
    for number in range(1, n + 1):
        prefix = f"$P{number}"
        datatype = _datatype(keywords, prefix, default_type, version, name, repairs)
        pnn = keywords.get(f"{prefix}N", "").strip()
        if not pnn:
            pnn = f"P{number}"
            repairs.append(Repair(f"{prefix}N", "missing", pnn, False))
        pns = keywords.get(f"{prefix}S", "").strip()
        is_time = bool(_TIME.fullmatch(pnn) or _HIGH_WORD.fullmatch(pns))
        amplification = _amplification(keywords, prefix, datatype, name, repairs)
        if is_time and amplification[0]:
            repairs.append(Repair(f"{prefix}E", keywords[f"{prefix}E"].strip(), "0,0: time is linear", True))
            amplification = 0.0, 0.0
        channels.append(
            Channel(
                index=number - 1,
                pnn=pnn,
                pns=pns,
                bits=_bits(keywords, prefix, datatype, name, repairs),
                datatype=datatype,
                range=_range(keywords, prefix, datatype, amplification, name, repairs),
                amplification=amplification,
                gain=_gain(keywords, prefix, (is_time, has_step), amplification, name, repairs),
                voltage=keywords.get(f"{prefix}V", "").strip(),
                is_time=is_time,
            )
        )
    if len({channel.datatype == "A" for channel in channels}) > 1:
        raise FcsError("{file}: some parameters are ASCII (A) and some are not; such a file cannot be", file=name)
    first: dict[str, int] = {}
    for channel in channels:
        number = channel.index + 1
        if first.setdefault(channel.pnn, number) != number:
            found = f"{cut(channel.pnn)!r}, as parameter {first[channel.pnn]}"
            repairs.append(Repair(f"$P{number}N", found, "told apart by their numbers", False))
    return tuple(channels), tuple(repairs)


def _datatype(
    keywords: Mapping[str, str], prefix: str, default: str, version: str, name: str, repairs: list[Repair]
) -> str:
    own = keywords.get(f"{prefix}DATATYPE", "").strip().upper()
    datatype = own or default
    if datatype not in ("I", "F", "D", "A"):
        raise FcsError(
            "{file}: {key} is {found!r}, wanted I, F, D or A",
            file=name, key=f"{prefix}DATATYPE" if own else "$DATATYPE", found=cut(datatype),
        )  # fmt: skip
    if own and own != default and version < "FCS3.2":
        repairs.append(Repair(f"{prefix}DATATYPE", f"{own} in {version}", f"{own}, as FCS 3.2 means it", True))
    return datatype


def _bits(keywords: Mapping[str, str], prefix: str, datatype: str, name: str, repairs: list[Repair]) -> int:
    if datatype == "A" and keywords.get(f"{prefix}B", "").strip() == "*":
        return 0
    bits = keyword_integer(keywords, f"{prefix}B", name, least=1)
    wanted = _WIDTHS.get(datatype)
    if wanted is not None and bits != wanted:
        repairs.append(Repair(f"{prefix}B", str(bits), f"{wanted}, as $DATATYPE {datatype} demands", True))
        return wanted
    if bits > 64:
        raise FcsError(
            "{file}: {key} is {bits}; numbers of at most 64 bits can be read", file=name, key=f"{prefix}B", bits=bits
        )
    return bits


def _range(
    keywords: Mapping[str, str],
    prefix: str,
    datatype: str,
    amplification: tuple[float, float],
    name: str,
    repairs: list[Repair],
) -> float:
    key = f"{prefix}R"
    text = keywords.get(key, "").strip()
    number = _number(text)
    whole = datatype == "I"
    if amplification[0] and not (number or 0) > 0:
        raise FcsError(
            "{file}: {key} is {found!r}; a logarithmic parameter needs its range", file=name, key=key, found=cut(text)
        )
    # a range of 1 would leave no number but 0
    if number is None or number < 0 or (whole and number <= 1):
        assumed = "no mask: every stored bit counts" if whole else "no range; this type needs none"
        repairs.append(Repair(key, cut(text) or "missing", assumed, whole))
        return math.nan if number is None or number < 0 else number
    if whole and number > _EXACT:
        repairs.append(Repair(key, cut(text), "whole numbers above 2^53 are rounded to float64", True))
    return number


def _amplification(
    keywords: Mapping[str, str], prefix: str, datatype: str, name: str, repairs: list[Repair]
) -> tuple[float, float]:
    key = f"{prefix}E"
    text = keywords.get(key, "").strip()
    if not text:
        repairs.append(Repair(key, "missing", "0,0 (linear)", datatype == "I"))
        return 0.0, 0.0
    numbers = [_number(part.strip()) for part in text.split(",", 2)]
    if datatype in ("F", "D"):
        if len(numbers) != 2 or numbers[0] != 0:
            repairs.append(Repair(key, cut(text), "0,0: floating-point values are stored linear", True))
        return 0.0, 0.0
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise FcsError("{file}: {key} is {found!r}, wanted two numbers like 4,1", file=name, key=key, found=cut(text))
    decades, offset = numbers[0], numbers[1]
    if decades < 0 or offset < 0:
        raise FcsError(
            "{file}: {key} is {found!r}; neither number may be negative", file=name, key=key, found=cut(text)
        )
    if decades and not offset:
        repairs.append(Repair(key, text, f"{decades:g},1", True))
        offset = 1.0
    return decades, offset


def _gain(
    keywords: Mapping[str, str],
    prefix: str,
    time: tuple[bool, bool],
    amplification: tuple[float, float],
    name: str,
    repairs: list[Repair],
) -> float:
    """Return the gain; `time` says whether this is a clock, and whether ``$TIMESTEP`` scales it."""
    is_time, has_step = time
    key = f"{prefix}G"
    text = keywords.get(key, "").strip()
    if not text:
        return 1.0
    gain = _number(text)
    if gain is None and not is_time and not amplification[0]:
        gain = _with_comma(text)
        if gain is None:
            raise FcsError("{file}: {key} is {found!r}, wanted a number", file=name, key=key, found=cut(text))
        repairs.append(Repair(key, text, f"{gain:g}: a decimal comma", True))
    if gain is None:
        repairs.append(Repair(key, cut(text), "1: a gain does not go with time or a logarithmic amplification", False))
        return 1.0
    if gain == 0:
        repairs.append(Repair(key, cut(text), "1", False))
        return 1.0
    if gain < 0:
        raise FcsError("{file}: {key} is {found!r}; a gain cannot be negative", file=name, key=key, found=cut(text))
    if gain != 1.0 and amplification[0]:
        repairs.append(Repair(key, cut(text), "1: a gain does not go with logarithmic amplification", True))
    elif gain != 1.0 and is_time:
        repairs.append(Repair(key, cut(text), "1: $TIMESTEP alone scales time", not has_step))
    return gain


def time_step(keywords: Mapping[str, str], channels: tuple[Channel, ...]) -> tuple[float, tuple[Repair, ...]]:
    """Return seconds per tick of the time channel, 1 where the file does not say."""
    clocks = [channel for channel in channels if channel.is_time]
    if not clocks:
        return 1.0, ()
    repairs = []
    words = _words(clocks)
    if words is not None:
        low, high = words
        assumed = f"the high word of {low.pnn}: counts its overflows"
        repairs.append(Repair(f"$P{high.index + 1}N", f"{high.pnn} as a second time channel", assumed, True))
    elif len(clocks) > 1:
        found = " and ".join(channel.pnn for channel in clocks)
        repairs.append(Repair("$PnN", f"{len(clocks)} time channels: {found}", "each in ticks of $TIMESTEP", True))
    text = keywords.get("$TIMESTEP", "").strip()
    step = _number(text)
    if step is None and (step := _with_comma(text)):
        repairs.append(Repair("$TIMESTEP", text, f"{step:g}: a decimal comma", True))
    if step is not None and step > 0:
        return step, tuple(repairs)
    repairs.append(Repair("$TIMESTEP", cut(text) or "missing", "1: time stays in ticks", True))
    return 1.0, tuple(repairs)


def _words(clocks: list[Channel]) -> tuple[Channel, Channel] | None:
    """Return the low and the high word of a clock that is written as two channels."""
    high = [clock for clock in clocks if _HIGH_WORD.fullmatch(clock.pnn) or _HIGH_WORD.fullmatch(clock.pns)]
    low = [clock for clock in clocks if clock not in high and _LOW_WORD.fullmatch(clock.pnn)]
    return (low[0], high[0]) if len(low) == len(high) == 1 and low[0].datatype == "I" else None


def row_layout(
    channels: tuple[Channel, ...],
    widths: tuple[int, ...],
    order: int,
    step: float,
    *,
    doubles: bool = False,
) -> RowLayout:
    """Describe the bytes of one event for the kernels.

    Parameters
    ----------
    widths
        Bytes of each channel as they stand in memory.
    order
        0 for little-endian, 1 for big-endian.
    step
        Seconds per tick of time.
    doubles
        Whether every number is held as a double (ASCII data).
    """
    width = np.array(widths, dtype=np.int64)
    kinds = {"I": decode.INTEGER, "F": decode.SINGLE, "D": decode.DOUBLE, "A": decode.DOUBLE}
    n = len(channels)
    mask = np.full(n, np.iinfo(np.uint64).max, dtype=np.uint64)
    scale = np.zeros(n, dtype=np.int64)
    argument = np.ones(n)
    offset = np.ones(n)
    words = _words([channel for channel in channels if channel.is_time])
    for i, channel in enumerate(channels):
        if not doubles:
            mask[i] = _mask(channel)
        decades, f2 = channel.amplification
        if channel.is_time:
            # the sum of both words is the time in seconds
            ticks = step * float(int(_mask(words[0])) + 1) if words is not None and channel is words[1] else step
            if ticks != 1.0:
                scale[i], argument[i] = decode.MULTIPLY, ticks
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
        byte_order=np.full(n, order, dtype=np.int64),
    )


def _mask(channel: Channel) -> np.uint64:
    full = (1 << channel.bits) - 1
    if channel.datatype != "I" or not channel.range > 1:
        return np.uint64(full)
    # the next power of two >= range; a power of two itself masks to range - 1 (FCS 3.1, $PnR)
    needed = (1 << max(math.ceil(channel.range) - 1, 0).bit_length()) - 1
    return np.uint64(min(full, needed))
