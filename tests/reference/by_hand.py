"""FCS event values worked out by hand: plain, slow, and independent of the package.

Written from the standard (FCS 2.0 to 3.1) with nothing but ``struct`` and ``decimal``; it shares no line and no idea
with `il2cyto.fcs`, so that agreement of the two means something. It does not search for the right reading of an odd
file: a person looked at the bytes of each and wrote down in `ODD` what is right. A value is

* integer: the stored unsigned number, its bits above the next power of two of ``$PnR`` cleared; then, if ``$PnE`` is
  ``f1,f2`` with f1 > 0, ``f2 * 10**(f1 * x / $PnR)`` (f2 = 0 is read as 1); otherwise divided by ``$PnG`` (absent or
  0: by 1);
* float, double: as stored, ``$PnE`` ignored, divided by ``$PnG``;
* time: as stored times ``$TIMESTEP`` where that is a number, never divided by ``$PnG``; where a second channel holds
  the high word of a clock, that word's seconds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache


@dataclass(frozen=True)
class Odd:
    """What a person found in the bytes of a file that does not keep to the standard.

    ``data`` is the first byte of DATA in the data set when the HEADER does not tell the truth; ``text_end`` likewise
    the last byte of TEXT; ``empty_values`` says that a doubled delimiter in TEXT is an empty value, not a literal one;
    ``high_word`` is the number of the channel that counts the overflows of the time channel before it.
    """

    why: str
    data: int | None = None
    text_end: int | None = None
    empty_values: bool = False
    high_word: int | None = None


#: Files that do not keep to the standard, by their path in the reference folder. All others are read as HEADER says.
ODD = {
    "cytometers/Accuri - C6.fcs": Odd(
        "the HEADER's DATA (2960) is right: $BEGINDATA 2526 lies inside TEXT; TEXT ends with two delimiters, DATA one "
        "byte late; $SPILLOVER gives channel numbers; five values above $PnR lose their upper bits",
        text_end=2958,
    ),
    "cytometers/Beckman Coulter - Cyan.fcs": Odd(
        "the HEADER's DATA (2284) is right, $BEGINDATA and the OTHER offsets are 46 bytes late: DATA follows TEXT at "
        "once, and TIME + 2**16 Time MSW then runs from 0.02 to 73.83 s as $BTIM and $ETIM say; Computed Time counts "
        "other ticks than $TIMESTEP",
        high_word=2,
    ),
    "cytometers/Beckman Coulter - MoFlo Astrios - linear settings.fcs": Odd(
        "OTHER offsets 14 wide; TIME + 2**32 TIME2 runs from 0.86 to 48.36 s as $BTIM and $ETIM say; $P15G 11",
        high_word=2,
    ),
    "cytometers/data_start_offset_discrepancy_example.fcs": Odd(
        "$BEGINDATA 6081 is right: the HEADER's 5555 lies inside TEXT and two events need 108 bytes", data=6081
    ),
    "cytometers/data_stop_offset_discrepancy_example.fcs": Odd(
        "$ENDDATA 6188 is right: the HEADER's 6944 lies behind the end of the file and two events need 108 bytes"
    ),
    "cytometers/FlowCytometers/fake_large_fcs/fake_large_fcs.fcs": Odd(
        "DATA is blank in the HEADER; $BEGINDATA is right; the events are those of the Fortessa file", data=2462
    ),
    "cytometers/Partec - PAS.FCS": Odd(
        "$INST is empty, written as a doubled delimiter (taken as a literal one it makes the keyword $INST/$FIL); DATA "
        "ends one byte late, behind the file",
        empty_values=True,
    ),
    "gatingml2-set1/gate_ref/data1.fcs": Odd(
        "four empty values written as doubled delimiters; taken as literal ones they swallow three keywords and leave "
        "an even number of tokens all the same",
        empty_values=True,
    ),
    "spillover-single-stains/extdata/0877408774.B08": Odd(
        "empty values ($P3S, $P4S, …) written as doubled delimiters; taken as literal ones they swallow $P6N",
        empty_values=True,
    ),
    "spillover-single-stains/extdata/0877408774.E07": Odd("as 0877408774.B08", empty_values=True),
    "spillover-single-stains/extdata/0877408774.F06": Odd("as 0877408774.B08", empty_values=True),
}


@dataclass(frozen=True)
class Channel:
    number: int
    name: str
    bits: int
    highest: str  # $PnR as it stands
    log: tuple[str, str]  # $PnE
    gain: float
    time: bool
    unit: int  # ticks in one of the stored time: 1, or 2**16 or 2**32 for a high word


@dataclass(frozen=True)
class DataSet:
    """One data set: its keywords and where its events stand in the file."""

    version: str
    keywords: dict[str, str]
    channels: tuple[Channel, ...]
    n_events: int
    datatype: str
    byteord: str
    start: int  # first byte of DATA, counted from the beginning of the file
    timestep: float | None

    @property
    def event_bytes(self) -> int:
        return sum(channel.bits for channel in self.channels) // 8


def split_text(text: bytes, empty_values: bool = False) -> list[tuple[str, str]]:
    """Keywords and values of a TEXT segment, in file order, read one byte after the other."""
    delimiter, tokens, token, i = text[0], [], bytearray(), 1
    while i < len(text):
        if text[i] != delimiter:
            token.append(text[i])
        elif not empty_values and text[i + 1 : i + 2] == bytes([delimiter]):
            token.append(delimiter)
            i += 1
        else:
            tokens.append(bytes(token))
            token = bytearray()
        i += 1
    if token.strip() and len(tokens) % 2 == 1:  # the last value lacks its delimiter
        tokens.append(bytes(token))
    assert len(tokens) % 2 == 0, f"{len(tokens)} tokens are no pairs"
    words = [_decode(token) for token in tokens]
    return list(zip(words[::2], words[1::2], strict=True))


def _decode(token: bytes) -> str:
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return token.decode("latin-1")


def data_sets(file: bytes, odd: Odd | None = None) -> Iterator[DataSet]:
    """All data sets of a file, following ``$NEXTDATA``."""
    base = 0
    while True:
        found, step = _data_set(file, base, odd or Odd(""))
        yield found
        if step == 0:
            return
        base += step


def _data_set(file: bytes, base: int, odd: Odd) -> tuple[DataSet, int]:
    header = file[base : base + 58]
    text_start, text_end, data_start = int(header[10:18]), int(header[18:26]), header[26:34].strip()
    text_end = odd.text_end or text_end
    pairs = split_text(file[base + text_start : base + text_end + 1], odd.empty_values)
    keywords = {key.strip().upper(): value for key, value in pairs}
    timestep = _number(keywords.get("$TIMESTEP", ""))
    channels: list[Channel] = []
    for n in range(1, int(keywords["$PAR"]) + 1):
        name = keywords[f"$P{n}N"]
        f1, f2 = keywords.get(f"$P{n}E", "0,0").split(",")
        channels.append(
            Channel(
                number=n,
                name=name,
                bits=int(keywords[f"$P{n}B"]),
                highest=keywords[f"$P{n}R"].strip(),
                log=(f1.strip(), f2.strip()),
                gain=_number(keywords.get(f"$P{n}G", "")) or 1.0,
                time=name.strip().lower() == "time" or n == odd.high_word,
                unit=2 ** channels[-1].bits if n == odd.high_word else 1,
            )
        )
    return DataSet(
        version=header[:6].decode("ascii"),
        keywords=keywords,
        channels=tuple(channels),
        n_events=int(keywords["$TOT"]),
        datatype=keywords["$DATATYPE"].strip(),
        byteord=keywords["$BYTEORD"].strip(),
        start=base + (int(data_start) if odd.data is None else odd.data),
        timestep=timestep,
    ), int(keywords.get("$NEXTDATA", "0"))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def stored(file: bytes, data: DataSet, event: int) -> list[float]:
    """The numbers of one event (counted from 0) as they stand in the file."""
    big_endian = {"1,2,3,4": False, "1,2": False, "4,3,2,1": True, "2,1": True}[data.byteord]
    at = data.start + event * data.event_bytes
    assert 0 <= event < data.n_events
    assert at + data.event_bytes <= len(file), "the file ends before the event"
    numbers: list[float] = []
    for channel in data.channels:
        n_bytes = channel.bits // 8
        raw = file[at : at + n_bytes]
        at += n_bytes
        if data.datatype == "I":
            number = 0
            for byte in raw if big_endian else reversed(raw):
                number = number * 256 + byte
            numbers.append(number)
        else:
            assert (data.datatype, n_bytes) in {("F", 4), ("D", 8)}
            numbers.append(struct.unpack((">" if big_endian else "<") + data.datatype.lower(), raw)[0])
    return numbers


def mask(channel: Channel) -> int:
    """The bits of an integer that ``$PnR`` allows: 1023 for 1000 and for 1024; all of them for 0."""
    highest = int(channel.highest)
    power = 1
    while power < highest:
        power *= 2
    return (power if highest > 0 else 2**channel.bits) - 1


def value(number: float, channel: Channel, data: DataSet) -> float:
    """The linear-scale value of one stored number."""
    if data.datatype == "I":
        number = int(number) & mask(channel)
    if channel.time:
        return float(number) * channel.unit * (1.0 if data.timestep is None else data.timestep)
    if data.datatype == "I" and float(channel.log[0]) > 0:
        return _antilog(int(number), *channel.log, channel.highest)
    return float(number) / channel.gain


@cache
def _antilog(number: int, f1: str, f2: str, highest: str) -> float:
    """``f2 * 10**(f1 * x / range)`` to forty digits, then rounded once."""
    with localcontext() as context:
        context.prec = 40
        power = Decimal(10) ** (Decimal(f1) * number / Decimal(highest))
        return float((Decimal(f2) if Decimal(f2) != 0 else Decimal(1)) * power)


def values(file: bytes, data: DataSet, event: int) -> list[float]:
    """All linear-scale values of one event (counted from 0)."""
    numbers = stored(file, data, event)
    return [value(number, channel, data) for number, channel in zip(numbers, data.channels, strict=True)]
