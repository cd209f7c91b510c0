"""Traps of numbers: widths, byte orders, masks, amplification, gain, time; against sums done here by hand."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from builder import build_fcs
from bytes_of import DataSet, told, words
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError
from il2cyto.fcs import open_dataset, read_fcs, read_fcs_header
from il2cyto.sample import Sample

Told = list[tuple[str, str, str, bool]]


def read(path: Path, made: DataSet) -> Sample:
    """Read what was made; with strict too, which must agree with the repairs."""
    made.to(path)
    sample = read_fcs(path)
    assert sample.events.shape == (sample.n_events, sample.n_channels)
    if sample.repairs:
        with pytest.raises(FcsError) as caught:
            read_fcs(path, strict=True)
        assert all(f"{repair.keyword}: {repair.found}" in str(caught.value) for repair in sample.repairs)
    else:
        read_fcs(path, strict=True)
    return sample


# 15. masks


@pytest.mark.parametrize(
    ("bits", "kind", "stored", "text", "value"),
    [
        (16, "<u2", 65535, "1000", 1023),
        (16, "<u2", 65535, "1024", 1023),
        (16, "<u2", 65535, "1025", 2047),
        (16, "<u2", 65535, "1024.0", 1023),
        (16, "<u2", 65535, "1.024e3", 1023),
        (16, "<u2", 65535, "1000.5", 1023),
        (16, "<u2", 65535, "2", 1),
        (16, "<u2", 65535, "65536", 65535),
        (16, "<u2", 65535, "65535", 65535),
        (16, "<u2", 65535, "262144", 65535),
        (32, "<u4", 2**32 - 1, "4294967296", 2**32 - 1),
        (32, "<u4", 2**32 - 1, "4294967295", 2**32 - 1),
        (32, "<u4", 2**32 - 1, "1048576", 2**20 - 1),
        (8, "<u1", 255, "256", 255),
        (64, "<u8", 2**53 - 1, "9007199254740992", 2**53 - 1),
    ],
)
def test_trap_15_mask_of_the_next_power_of_two(
    tmp_path: Path, bits: int, kind: str, stored: int, text: str, value: int
) -> None:
    made = DataSet(np.array([stored, 1], kind).tobytes(), bits=(bits,), n=2, keys={"$P1R": text})
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events[:, 0].tolist() == [float(value), 1.0]
    assert sample.repairs == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [("0", "0"), ("", "missing"), (None, "missing"), ("-5", "-5"), ("abc", "abc"), ("1024,0", "1024,0"), ("1", "1"),
     ("0.0", "0.0"), ("inf", "inf"), ("nan", "nan"), ("1_024", "1_024")],
)  # fmt: skip
def test_trap_15_a_range_that_masks_nothing(tmp_path: Path, text: str | None, found: str) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[65535], [7]]), keys={"$P1R": text}))
    assert sample.events[:, 0].tolist() == [65535.0, 7.0]
    assert told(sample.repairs)[-1] == ("$P1R", found, "no mask: every stored bit counts", True)


def test_trap_15_integers_beyond_float64_are_told(tmp_path: Path) -> None:
    made = DataSet(struct.pack("<Q", 2**64 - 1), bits=(64,), keys={"$P1R": "18446744073709551616"})
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events.tolist() == [[2.0**64]]
    assert told(sample.repairs) == [
        ("$P1R", "18446744073709551616", "whole numbers above 2^53 are rounded to float64", True)
    ]
    assert sample.native().tolist() == [[2**64 - 1]]


@pytest.mark.parametrize("text", ["-1", "0", None, "", "wide", "0.5"])
def test_trap_15_floats_need_no_range(tmp_path: Path, text: str | None) -> None:
    made = DataSet(words([[-1.5], [3e38]], "<f4"), bits=(32,), datatype="F", keys={"$P1R": text})
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events[:, 0].tolist() == [-1.5, float(np.float32(3e38))]
    assert not any(repair.affects_numbers for repair in sample.repairs)
    assert sample.repairs == () or told(sample.repairs)[-1] == (
        "$P1R", (text or "missing"), "no range; this type needs none", False,
    )  # fmt: skip


def test_trap_15_information_above_the_range_is_masked_as_in_system_ii(tmp_path: Path) -> None:
    # bits 10 to 15 hold something else
    stored = [[0b101010_1111111111, 0b1_0000000101]]
    made = DataSet(words(stored), bits=(16, 16), version="FCS2.0", byteord="1,2", keys={"$P1R": "1024", "$P2R": "1024"})
    assert read(tmp_path / "a.fcs", made).events.tolist() == [[1023.0, 5.0]]


# 16. widths and byte orders


def packed(numbers: list[int], bits: list[int], big: bool) -> bytes:
    """A stream of bits by hand: big-endian from the top of each byte, little-endian from its bottom."""
    stream = 0
    at = 0
    total = sum(bits) * (len(numbers) // len(bits))
    size = -(-total // 8)
    for i, number in enumerate(numbers):
        width = bits[i % len(bits)]
        shift = size * 8 - at - width if big else at
        stream |= number << shift
        at += width
    return stream.to_bytes(size, "big" if big else "little")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    "bits", [[8], [16], [24], [32], [40], [48], [56], [64], [8, 16, 24], [16, 32, 8, 64], [10], [12], [20], [12, 12],
             [10, 12, 16], [8, 10, 24, 12], [1], [3, 5], [33], [63, 1], [20, 32], [10] * 8]
)  # fmt: skip
def test_trap_16_integers_of_any_width(tmp_path: Path, bits: list[int], big: bool) -> None:
    rng = np.random.default_rng(sum(bits))
    events = [[int(rng.integers(0, min(2**width, 2**53))) for width in bits] for _ in range(5)]
    flat = [number for event in events for number in event]
    if all(width % 8 == 0 for width in bits):
        data = b"".join(
            event[i].to_bytes(width // 8, "big" if big else "little")
            for event in events
            for i, width in enumerate(bits)
        )
    else:
        data = packed(flat, bits, big)
    keys = {f"$P{i}R": str(min(2**width, 2**53)) for i, width in enumerate(bits, start=1)}
    made = DataSet(data, bits=bits, n=5, byteord="4,3,2,1" if big else "1,2,3,4", keys=keys)
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events.tolist() == events
    assert [r for r in sample.repairs if r.keyword != "$P1R"] == []
    # whatever the storage, what is in memory is whole bytes
    assert sample.data.size == 5 * sample.layout.stride


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=6), st.integers(1, 40), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_trap_16_packed_integers_as_by_hand(tmp_path: Path, bits: list[int], n: int, big: bool, seed: int) -> None:
    if all(width % 8 == 0 for width in bits):
        bits = [*bits, 3]
    rng = np.random.default_rng(seed)
    # what float64 holds exactly
    events = [[int(rng.integers(0, 2 ** min(width, 53))) for width in bits] for _ in range(n)]
    data = packed([number for event in events for number in event], bits, big)
    made = DataSet(data, bits=bits, n=n, byteord="4,3,2,1" if big else "1,2,3,4")
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == [[float(number) for number in event] for event in events]


@pytest.mark.parametrize(("bits", "kind"), [((10, 10), "<u2"), ((12, 10), "<u2"), ((20, 20), "<u4"), ((10, 20), None)])
@pytest.mark.parametrize("tail", [b"", b"x"])
def test_trap_16_padded_integers_as_cxp_writes_them(
    tmp_path: Path, bits: tuple[int, int], kind: str | None, tail: bytes
) -> None:
    rows = [(1, 2), (1023, 512), (3, 4)]
    data = words(rows, kind) if kind else b"".join(struct.pack("<HI", *row) for row in rows)
    for keys in ({}, {"$SYS": "CXP"}):
        end = (lambda begin, last: (begin, last + 1)) if tail else (lambda begin, last: (begin, last))
        made = DataSet(data, bits=bits, n=3, keys=keys, claims={"HEADER DATA": end, "DATA": end}, tail=tail)
        sample = read(tmp_path / "a.fcs", made)
        assert sample.events.tolist() == [list(map(float, row)) for row in rows]
        assert told(sample.repairs)[0] == (
            "$PnB", "integers that are no whole bytes", "each integer in the next 8, 16, 32 or 64 bits", True,
        )  # fmt: skip


def test_trap_16_where_both_fit_cxp_means_padded(tmp_path: Path) -> None:
    # one number of 10 bits takes 2 bytes either way: at the top of the stream, or at the bottom of a word
    made = DataSet(b"\x01\x45", bits=(10,), n=1, byteord="4,3,2,1")
    assert read(tmp_path / "a.fcs", made).events.tolist() == [[5.0]]
    made.keys = {"$SYS": "CXP"}
    assert read(tmp_path / "a.fcs", made).events.tolist() == [[float(0x145)]]


def test_trap_16_integers_padded_to_the_next_byte(tmp_path: Path) -> None:
    data = b"".join(number.to_bytes(3, "little") for number in (1, 2**20 - 1, 77))
    sample = read(tmp_path / "a.fcs", DataSet(data, bits=(20,), n=3))
    assert sample.events[:, 0].tolist() == [1.0, 2.0**20 - 1, 77.0]
    assert [(r.keyword, r.assumed) for r in sample.repairs] == [("$PnB", "each integer in the next whole byte")]


def test_trap_16_neither_packed_nor_padded_is_refused(tmp_path: Path) -> None:
    path = DataSet(bytes(100), bits=(10, 10), n=3).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: DATA at bytes \d+ to \d+ holds 40 events, \$TOT says 3"):
        read_fcs(path)


@pytest.mark.parametrize(
    ("width", "message"),
    [("0", "wanted a whole number of at least 1"), ("-8", "at least 1"), ("8.5", "a whole number"), ("", "wanted"),
     ("*", "wanted a number"), ("72", "numbers of at most 64 bits can be read"), ("1e9", "at most 64 bits")],
)  # fmt: skip
def test_trap_16_widths_that_cannot_be(tmp_path: Path, width: str, message: str) -> None:
    path = DataSet(bytes(6), n=3, keys={"$P1B": width}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$P1B is .*{message}"):
        read_fcs(path)
    missing = DataSet(bytes(6), n=3, keys={"$P1B": None}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: keyword \$P1B is missing"):
        read_fcs(missing)


#: Where the bytes of 0x0A0B0C0D and 0x0A0B stand under each order.
ORDERS = [
    ("1,2,3,4", [0x0D, 0x0C, 0x0B, 0x0A], [0x0B, 0x0A]),
    ("4,3,2,1", [0x0A, 0x0B, 0x0C, 0x0D], [0x0A, 0x0B]),
    ("1,2", [0x0D, 0x0C, 0x0B, 0x0A], [0x0B, 0x0A]),
    ("2,1", [0x0A, 0x0B, 0x0C, 0x0D], [0x0A, 0x0B]),
    ("3,4,1,2", [0x0B, 0x0A, 0x0D, 0x0C], [0x0B, 0x0A]),
    ("2,1,4,3", [0x0C, 0x0D, 0x0A, 0x0B], [0x0A, 0x0B]),
    ("1,2,3,4,5,6,7,8", [0x0D, 0x0C, 0x0B, 0x0A], [0x0B, 0x0A]),
    ("8,7,6,5,4,3,2,1", [0x0A, 0x0B, 0x0C, 0x0D], [0x0A, 0x0B]),
]


@pytest.mark.parametrize(("order", "long", "short"), ORDERS)
@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1"])
def test_trap_16_byte_orders_of_integers(
    tmp_path: Path, order: str, long: list[int], short: list[int], version: str
) -> None:
    data = bytes([*long, *short, 7]) * 2
    sample = read(tmp_path / "a.fcs", DataSet(data, bits=(32, 16, 8), n=2, byteord=order, version=version))
    assert sample.events.tolist() == [[float(0x0A0B0C0D), float(0x0A0B), 7.0]] * 2
    assert sample.repairs == ()
    # as stored, for those who copy
    assert open_dataset(tmp_path / "a.fcs").data.tobytes() == data


@pytest.mark.parametrize(("order", "long", "short"), ORDERS)
def test_trap_16_byte_orders_of_floats(tmp_path: Path, order: str, long: list[int], short: list[int]) -> None:
    stored = struct.pack(">f", 1234.5678)
    value = struct.unpack(">f", stored)[0]
    data = bytes(stored[byte - 0x0A] for byte in long)
    sample = read(tmp_path / "a.fcs", DataSet(data, bits=(32,), datatype="F", byteord=order))
    assert sample.events.tolist() == [[value]]


@pytest.mark.parametrize(("order", "big"), [("1,2,3,4", False), ("4,3,2,1", True), ("1,2", False), ("2,1", True),
                                            ("1,2,3,4,5,6,7,8", False), ("8,7,6,5,4,3,2,1", True)])  # fmt: skip
def test_trap_16_byte_orders_of_doubles(tmp_path: Path, order: str, big: bool) -> None:
    data = struct.pack(">d" if big else "<d", math.pi)
    assert read(tmp_path / "a.fcs", DataSet(data, bits=(64,), datatype="D", byteord=order)).events.tolist() == [
        [math.pi]
    ]


@pytest.mark.parametrize(("order", "datatype", "bits"), [
    ("3,4,1,2", "D", 64), ("3,4,1,2", "I", 24), ("3,4,1,2", "I", 64), ("2,1,4,3", "I", 10),
    ("3,1,4,2", "I", 64), ("2,4,1,3", "D", 64),
])  # fmt: skip
def test_trap_16_mixed_orders_say_nothing_of_other_words(tmp_path: Path, order: str, datatype: str, bits: int) -> None:
    path = DataSet(bytes(8 * bits // 8), bits=(bits,), datatype=datatype, byteord=order, n=8).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$BYTEORD {order} is defined for words of 32 bits; "):
        read_fcs(path)


@pytest.mark.parametrize("order", ["1,4,2,3", "3,1,2,4", "2,4,3,1"])
def test_trap_16_an_order_that_says_nothing_of_16_bits(tmp_path: Path, order: str) -> None:
    stored = [0] * 4
    for place, significance in enumerate(map(int, order.split(","))):
        stored[place] = [0, 0x0D, 0x0C, 0x0B, 0x0A][significance]
    whole = DataSet(bytes(stored), bits=(32,), byteord=order)
    assert read(tmp_path / "a.fcs", whole).events.tolist() == [[float(0x0A0B0C0D)]]
    rising = [order[0] < order[2], order[4] < order[6]]
    short = DataSet(b"\1\2", bits=(16,), byteord=order).to(tmp_path / "b.fcs")
    if rising[0] == rising[1]:
        assert read_fcs(short).n_events == 1
    else:
        with pytest.raises(FcsError, match="says nothing of 16 bits"):
            read_fcs(short)


@pytest.mark.parametrize("order", ["4", "0,1,2,3", "1,1,2,2", "1;2;3;4", "big", "1,2,3,4,", "9,8", "4,3,2", "x" * 9999])
def test_trap_16_an_order_that_is_none(tmp_path: Path, order: str) -> None:
    path = DataSet(words([[1]]), byteord=order).to(tmp_path / "a.fcs")
    with pytest.raises(
        FcsError, match=r"^a\.fcs: \$BYTEORD is '.{1,201}', wanted an order like 1,2,3,4 or 4,3,2,1 or 3"
    ):
        read_fcs(path)


@pytest.mark.parametrize("order", ["", " ", None])
def test_trap_16_no_order(tmp_path: Path, order: str | None) -> None:
    path = DataSet(words([[1]]), keys={"$BYTEORD": order}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: \$BYTEORD is missing; without it the numbers cannot be told$"):
        read_fcs(path)


def test_trap_16_an_order_without_commas(tmp_path: Path) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(b"\1\2", byteord="4321"))
    assert sample.events.tolist() == [[258.0]]
    assert told(sample.repairs) == [("$BYTEORD", "4321", "4,3,2,1", True)]


def test_trap_16_no_order_is_needed_for_single_bytes(tmp_path: Path) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(b"\1\2", bits=(8, 8), keys={"$BYTEORD": None}))
    assert sample.events.tolist() == [[1.0, 2.0]]
    assert told(sample.repairs) == [("$BYTEORD", "missing", "1,2,3,4; it does not matter for single bytes", False)]


@pytest.mark.parametrize(("datatype", "kind", "bits", "wanted"), [("F", "<f4", 16, 32), ("D", "<f8", 32, 64),
                                                                  ("F", "<f4", 64, 32)])  # fmt: skip
def test_trap_16_floats_have_their_own_width(tmp_path: Path, datatype: str, kind: str, bits: int, wanted: int) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[1.5], [2.5]], kind), bits=(bits,), n=2, datatype=datatype))
    assert sample.events[:, 0].tolist() == [1.5, 2.5]
    assert told(sample.repairs) == [("$P1B", str(bits), f"{wanted}, as $DATATYPE {datatype} demands", True)]


@pytest.mark.parametrize("datatype", ["", "X", "IF", "int", None])
def test_trap_16_a_type_that_is_none(tmp_path: Path, datatype: str | None) -> None:
    path = DataSet(words([[1]]), keys={"$DATATYPE": datatype}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: (keyword )?\$DATATYPE is (missing|'.*', wanted I, F, D or A)"):
        read_fcs(path)


# ASCII


@pytest.mark.parametrize(
    ("bits", "data", "events"),
    [
        ((3, 5), b"  1    2  3  400", [[1, 2], [3, 400]]),
        ((3, 5), b"0010000200300400", [[1, 2], [3, 400]]),
        ((3, 5), b"1  2    3  400  ", [[1, 2], [3, 400]]),
        (("*", "*"), b"1 2 3 400", [[1, 2], [3, 400]]),
        (("*", "*"), b"1,2,3,400", [[1, 2], [3, 400]]),
        (("*", "*"), b"1,2\r\n3,  400\r\n", [[1, 2], [3, 400]]),
        (("*", "*"), b"1\t2\n3\t\t400\n", [[1, 2], [3, 400]]),
    ],
)
def test_ascii_events(tmp_path: Path, bits: tuple[object, object], data: bytes, events: list[list[int]]) -> None:
    keys = {"$P1R": "10", "$P2R": "1000"}
    for extra in ({}, {"$BYTEORD": "4,3,2,1"}):
        made = DataSet(data, bits=bits, n=2, datatype="A", keys=keys | extra)
        sample = read(tmp_path / "a.fcs", made)
        assert sample.events.tolist() == events
        assert sample.repairs == ()


def test_ascii_is_amplified_and_divided_too(tmp_path: Path) -> None:
    keys = {"$P1E": "2,1", "$P1R": "100", "$P2G": "4"}
    made = DataSet(b" 50 100", bits=(3, 4), n=1, datatype="A", keys=keys)
    assert read(tmp_path / "a.fcs", made).events.tolist() == [[10.0, 25.0]]


@pytest.mark.parametrize(
    ("bits", "data", "n", "message"),
    [
        ((3, 5), b"  x    2  3  400", 2, "holds other characters than digits"),
        ((3, 5), b"  1      3  4000", 2, "a number of parameter 2 is blank or cut"),
        ((3, 5), b"1 1    2  3  400", 2, "a number of parameter 1 is blank or cut"),
        (("*", "*"), b"1 2 3", 2, r"\$TOT announces 2 events of 2 numbers, DATA holds 3 numbers; the file is trunc"),
        (("*", "*"), b"1 2 3 4 5 6", 2, r"\$TOT announces 2 events of 2 numbers, DATA holds 6"),
        (("*", "*"), b"1 2 3 -4", 2, "holds other characters than digits"),
        (("*", "*"), b"1 2 3 4.5", 2, "holds other characters than digits"),
        (("*", "*"), b"1 2 3 " + b"4" * 21, 2, "holds a number of more than 20 digits"),
        ((21, 5), b" " * 25 + b"1", 1, r"\$PnB of 21 characters holds no number of 64 bits|blank"),
    ],
)
def test_ascii_that_holds_something_else(
    tmp_path: Path, bits: tuple[object, object], data: bytes, n: int, message: str
) -> None:
    path = DataSet(data, bits=bits, n=n, datatype="A").to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: .*({message})"):
        read_fcs(path)


def test_ascii_mixed_with_others_is_refused(tmp_path: Path) -> None:
    path = DataSet(b"12\1\0", bits=(2, 16), n=1, keys={"$P1DATATYPE": "A"}, version="FCS3.2").to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"some parameters are ASCII \(A\) and some are not"):
        read_fcs(path)


# 17. $PnE


def test_trap_17_logarithmic_integers(tmp_path: Path) -> None:
    keys = {"$P1E": "4,1", "$P2E": "3,0.01", "$P3E": "0,0", "$P4E": "0,1", "$P5E": " 4.0 , 1.0 "}
    keys |= {f"$P{i}R": "1024" for i in range(1, 6)}
    sample = read(tmp_path / "a.fcs", DataSet(words([[512] * 5, [0] * 5]), bits=(16,) * 5, keys=keys))
    assert sample.events[0].tolist() == pytest.approx([100.0, 0.01 * 10**1.5, 512.0, 512.0, 100.0], rel=1e-14)
    assert sample.events[1].tolist() == [1.0, 0.01, 0.0, 0.0, 1.0]
    assert sample.raw.tolist() == [[512.0] * 5, [0.0] * 5]
    assert sample.repairs == ()


def test_trap_17_the_exponent_takes_the_range_not_the_mask(tmp_path: Path) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[500]]), keys={"$P1E": "4,1", "$P1R": "1000"}))
    assert sample.events[0, 0] == pytest.approx(100.0, rel=1e-14)


def test_trap_17_an_offset_of_0_is_1(tmp_path: Path) -> None:
    keys = {"$P1E": "4,0", "$P1R": "1024"}
    sample = read(tmp_path / "a.fcs", DataSet(words([[512]]), keys=keys))
    assert sample.events[0, 0] == pytest.approx(100.0, rel=1e-14)
    assert told(sample.repairs) == [("$P1E", "4,0", "4,1", True)]


@pytest.mark.parametrize(("datatype", "kind"), [("F", "<f4"), ("D", "<f8")])
@pytest.mark.parametrize("text", ["4,1", "4,0", "4", "log", "4,1,1", "-4,1", "nan,0"])
def test_trap_17_amplification_of_floats_is_left(tmp_path: Path, datatype: str, kind: str, text: str) -> None:
    made = DataSet(
        words([[1.0], [3.0]], kind), bits=(int(kind[2]) * 8,), datatype=datatype, keys={"$P1E": text, "$P1R": "1024"}
    )
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events[:, 0].tolist() == [1.0, 3.0]
    assert told(sample.repairs) == [("$P1E", text, "0,0: floating-point values are stored linear", True)]


@pytest.mark.parametrize("text", ["4", "log", "4,1,1", "4;1", "4,x", ",", "nan,1"])
def test_trap_17_an_amplification_that_is_none(tmp_path: Path, text: str) -> None:
    path = DataSet(words([[1]]), keys={"$P1E": text}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$P1E is '{text}', wanted two numbers like 4,1$"):
        read_fcs(path)


@pytest.mark.parametrize("text", ["-4,1", "4,-1"])
def test_trap_17_negative_amplification(tmp_path: Path, text: str) -> None:
    path = DataSet(words([[1]]), keys={"$P1E": text}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$P1E is '{text}'; neither number may be negative$"):
        read_fcs(path)


@pytest.mark.parametrize(("datatype", "bits", "data"), [("I", 16, b"\1\0"), ("A", 2, b"12")])
@pytest.mark.parametrize("text", ["0", "", None, "-1", "x"])
def test_trap_17_a_logarithm_needs_its_range(tmp_path: Path, datatype: str, bits: int, data: bytes, text: str) -> None:
    made = DataSet(data, bits=(bits,), datatype=datatype, n=1, keys={"$P1E": "4,1", "$P1R": text})
    with pytest.raises(FcsError, match=r"^a\.fcs: \$P1R is '.*'; a logarithmic parameter needs its range$"):
        read_fcs(made.to(tmp_path / "a.fcs"))


@pytest.mark.parametrize(("datatype", "affects"), [("I", True), ("F", False)])
@pytest.mark.parametrize("text", ["", " ", None])
def test_trap_17_missing_amplification(tmp_path: Path, datatype: str, affects: bool, text: str | None) -> None:
    kind = "<u4" if datatype == "I" else "<f4"
    made = DataSet(words([[3]], kind), bits=(32,), datatype=datatype, keys={"$P1E": text})
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events.tolist() == [[3.0]]
    assert told(sample.repairs)[-1] == ("$P1E", "missing", "0,0 (linear)", affects)


# 18. $PnG


@pytest.mark.parametrize(
    ("gain", "value", "repairs"),
    [
        ("2", 50.0, []),
        ("0.5", 200.0, []),
        ("1.0", 100.0, []),
        (None, 100.0, []),
        (" ", 100.0, []),
        ("0", 100.0, [("$P1G", "0", "1", False)]),
        ("1,25", 80.0, [("$P1G", "1,25", "1.25: a decimal comma", True)]),
    ],
)
@pytest.mark.parametrize("datatype", ["I", "F"])
def test_trap_18_gain_divides(tmp_path: Path, gain: str | None, value: float, repairs: Told, datatype: str) -> None:
    made = DataSet(
        words([[100]], "<u4" if datatype == "I" else "<f4"), bits=(32,), datatype=datatype, keys={"$P1G": gain}
    )
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events.tolist() == [[value]]
    assert sample.raw.tolist() == [[100.0]]
    assert told(sample.repairs) == repairs


@pytest.mark.parametrize(("gain", "message"), [("-2", "a gain cannot be negative"), ("high", "wanted a number"),
                                               ("1,2,3", "wanted a number")])  # fmt: skip
def test_trap_18_a_gain_that_is_none(tmp_path: Path, gain: str, message: str) -> None:
    path = DataSet(words([[100]]), keys={"$P1G": gain}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$P1G is '{gain}'[;,] {message}$"):
        read_fcs(path)


@pytest.mark.parametrize("gain", ["2", "high", "-1"])
def test_trap_18_gain_does_not_go_with_a_logarithm(tmp_path: Path, gain: str) -> None:
    path = tmp_path / "a.fcs"
    made = DataSet(words([[512]]), keys={"$P1G": gain, "$P1E": "4,1", "$P1R": "1024"})
    if gain == "-1":
        with pytest.raises(FcsError, match="a gain cannot be negative"):
            read_fcs(made.to(path))
        return
    sample = read(path, made)
    assert sample.events[0, 0] == pytest.approx(100.0, rel=1e-14)
    assert [(r.keyword, r.found) for r in sample.repairs] == [("$P1G", gain)]


def test_trap_18_gain_is_never_applied_to_time(tmp_path: Path) -> None:
    keys = {"$P1N": "Time", "$P1G": "12.5", "$TIMESTEP": "0.08"}
    sample = read(tmp_path / "a.fcs", DataSet(words([[100]]), keys=keys))
    assert sample.events[0, 0] == pytest.approx(8.0, rel=1e-14)
    assert told(sample.repairs) == [("$P1G", "12.5", "1: $TIMESTEP alone scales time", False)]
    without = read(tmp_path / "b.fcs", DataSet(words([[100]]), keys=keys | {"$TIMESTEP": "0"}))
    assert without.events.tolist() == [[100.0]]
    assert told(without.repairs)[0] == ("$P1G", "12.5", "1: $TIMESTEP alone scales time", True)


# 19. time


def test_trap_19_time_is_never_logarithmic(tmp_path: Path) -> None:
    keys = {"$P1N": "Time", "$P1E": "4,1", "$P1R": "1024", "$TIMESTEP": "0.1"}
    sample = read(tmp_path / "a.fcs", DataSet(words([[500]]), keys=keys))
    assert sample.events.tolist() == [[50.0]]
    assert told(sample.repairs) == [("$P1E", "4,1", "0,0: time is linear", True)]


@pytest.mark.parametrize("name", ["Time", "TIME", "time", "HDR-T", "T1", "TIME_LSW", "TIME LSW", " Time "])
def test_trap_19_names_of_time(tmp_path: Path, name: str) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[100]]), keys={"$P1N": name, "$TIMESTEP": "0.01"}))
    assert sample.channels[0].is_time
    assert sample.events.tolist() == [[1.0]]
    assert sample.raw.tolist() == [[100.0]]
    assert sample.repairs == ()


@pytest.mark.parametrize("name", ["Timepoint", "T2", "Lifetime", "Times", "FSC-Time"])
def test_trap_19_names_of_no_time(tmp_path: Path, name: str) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[100]]), keys={"$P1N": name, "$TIMESTEP": "0.01"}))
    assert not sample.channels[0].is_time
    assert sample.events.tolist() == [[100.0]]


@pytest.mark.parametrize(
    ("step", "found"),
    [(None, "missing"), (" ", "missing"), ("0", "0"), ("-1", "-1"), ("xxxxxxxxx", "xxxxxxxxx"), ("1/60", "1/60")],
)
def test_trap_19_no_time_step_leaves_ticks(tmp_path: Path, step: str | None, found: str) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[100]]), keys={"$P1N": "Time", "$TIMESTEP": step}))
    assert sample.events.tolist() == [[100.0]]
    assert told(sample.repairs) == [("$TIMESTEP", found, "1: time stays in ticks", True)]
    # without a clock nobody asks
    assert read(tmp_path / "b.fcs", DataSet(words([[100]]), keys={"$TIMESTEP": step})).repairs == ()


def test_trap_19_a_time_step_with_a_decimal_comma(tmp_path: Path) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[100]]), keys={"$P1N": "Time", "$TIMESTEP": "0,01"}))
    assert sample.events.tolist() == [[1.0]]
    assert told(sample.repairs) == [("$TIMESTEP", "0,01", "0.01: a decimal comma", True)]


def test_trap_19_two_clocks(tmp_path: Path) -> None:
    keys = {"$P1N": "Time", "$P2N": "HDR-T", "$TIMESTEP": "0.01"}
    sample = read(tmp_path / "a.fcs", DataSet(words([[100, 200]]), bits=(16, 16), keys=keys))
    assert sample.events.tolist() == [[1.0, 2.0]]
    assert told(sample.repairs) == [("$PnN", "2 time channels: Time and HDR-T", "each in ticks of $TIMESTEP", True)]


@pytest.mark.parametrize(
    ("bits", "kind", "overflow", "names", "labels"),
    [
        (16, "<u2", 2**16, ("TIME", "TIME MSW"), ("", "")),
        (16, "<u2", 2**16, ("TIME_LSW", "TIME_MSW"), ("", "")),
        (32, "<u4", 2**32, ("TIME", "TIME2"), ("", "Time MSW")),
        (32, "<u4", 2**16, ("TIME", "TIME MSW"), ("", "")),  # a clock of 16 bits stored in 32
    ],
)
def test_trap_19_two_words_of_one_clock(
    tmp_path: Path, bits: int, kind: str, overflow: int, names: tuple[str, str], labels: tuple[str, str]
) -> None:
    keys = {f"$P{i}N": name for i, name in enumerate(names, start=1)} | {"$TIMESTEP": "0.5"}
    keys |= {f"$P{i}S": label for i, label in enumerate(labels, start=1) if label} | {"$P1R": str(overflow)}
    sample = read(tmp_path / "a.fcs", DataSet(words([[7, 3]], kind), bits=(bits, bits), keys=keys))
    assert sample.events.tolist() == [[3.5, 1.5 * overflow]]
    assert told(sample.repairs) == [
        ("$P2N", f"{names[1]} as a second time channel", f"the high word of {names[0]}: counts its overflows", True)
    ]


# 20, 21. no clipping, no rounding


def test_trap_20_values_at_and_beyond_the_range_stay(tmp_path: Path) -> None:
    values = [[262143.0], [262144.0], [400000.0], [-5000.0], [np.inf], [3.4e38]]
    made = DataSet(words(values, "<f4"), bits=(32,), datatype="F", keys={"$P1R": "262144"})
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events[:5, 0].tolist() == [value for (value,) in values[:5]]
    assert sample.repairs == ()


def test_trap_20_nan_stays_nan(tmp_path: Path) -> None:
    sample = read(tmp_path / "a.fcs", DataSet(words([[np.nan], [1.0]], "<f4"), bits=(32,), datatype="F"))
    assert np.isnan(sample.events[0, 0])
    assert sample.events[1, 0] == 1.0


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.booleans())
def test_trap_21_singles_are_kept_and_computed_in_double(tmp_path: Path, values: list[float], big: bool) -> None:
    kind = ">f4" if big else "<f4"
    data = np.array(values, kind).tobytes()
    made = DataSet(data, bits=(32,), datatype="F", byteord="4,3,2,1" if big else "1,2,3,4")
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.events.dtype == np.float64
    assert sample.events[:, 0].tobytes() == np.array(values, "f4").astype("f8").tobytes()
    assert sample.data.tobytes() == data
    # a gain of 3 gives a double that no single holds
    third = DataSet(words([[1.0]], "<f4"), bits=(32,), datatype="F", keys={"$P1G": "3"})
    assert read_fcs(third.to(tmp_path / "a.fcs")).events.tolist() == [[1 / 3]]


def test_trap_21_doubles_are_exact(tmp_path: Path) -> None:
    values = [math.pi, 1e-300, -0.0, 2.0**1000, 5e-324]
    made = DataSet(words([[value] for value in values], "<f8"), bits=(64,), datatype="D")
    assert read(tmp_path / "a.fcs", made).events[:, 0].tobytes() == np.array(values).tobytes()


# 22. FCS 3.2


MIXED = struct.pack("<fHdB", 1.5, 40000, math.pi, 7) + struct.pack("<fHdB", -2.5, 3, -math.e, 255)
MIXED_KEYS = {"$P1DATATYPE": "F", "$P3DATATYPE": "D", "$P4DATATYPE": "I"}


def test_trap_22_mixed_types(tmp_path: Path) -> None:
    made = DataSet(MIXED, bits=(32, 16, 64, 8), n=2, version="FCS3.2", keys=MIXED_KEYS)
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events.tolist() == [[1.5, 40000.0, math.pi, 7.0], [-2.5, 3.0, -math.e, 255.0]]
    assert [channel.datatype for channel in sample.channels] == ["F", "I", "D", "I"]
    assert sample.layout.stride == 15
    assert sample.repairs == ()
    with pytest.raises(FcsError, match="stored in different types; take raw"):
        sample.native()


def test_trap_22_mixed_types_big_endian(tmp_path: Path) -> None:
    data = struct.pack(">fHdB", 1.5, 40000, math.pi, 7)
    made = DataSet(data, bits=(32, 16, 64, 8), n=1, version="FCS3.2", keys=MIXED_KEYS, byteord="4,3,2,1")
    assert read(tmp_path / "a.fcs", made).events.tolist() == [[1.5, 40000.0, math.pi, 7.0]]


def test_trap_22_mixed_types_before_3_2_are_said(tmp_path: Path) -> None:
    made = DataSet(MIXED, bits=(32, 16, 64, 8), n=2, version="FCS3.1", keys=MIXED_KEYS)
    sample = read(tmp_path / "a.fcs", made)
    assert sample.events[1].tolist() == [-2.5, 3.0, -math.e, 255.0]
    assert told(sample.repairs) == [
        ("$P1DATATYPE", "F in FCS3.1", "F, as FCS 3.2 means it", True),
        ("$P3DATATYPE", "D in FCS3.1", "D, as FCS 3.2 means it", True),
    ]


def test_trap_22_a_type_of_a_parameter_that_is_none(tmp_path: Path) -> None:
    path = DataSet(words([[1]]), version="FCS3.2", keys={"$P1DATATYPE": "Q"}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: \$P1DATATYPE is 'Q', wanted I, F, D or A$"):
        read_fcs(path)


def test_trap_22_new_and_deprecated_keywords_are_kept(tmp_path: Path) -> None:
    keys = {
        "$CYT": "Aurora", "$BEGINDATETIME": "2026-03-05T10:00:00.5+08:00", "$VOL": "120.5", "$CARRIERID": "P7",
        "$LOCATIONID": "A01", "$UNSTAINEDCENTERS": "1,C1,5", "$P1DET": "PMT", "$P1TAG": "FITC", "$P1ANALYTE": "CD4",
        "$P1TYPE": "Raw Fluorescence", "$P1FEATURE": "Area", "$FLOWRATE": "10",
    }  # fmt: skip
    sample = read(tmp_path / "a.fcs", DataSet(words([[1]]), version="FCS3.2", keys=keys))
    assert {key: sample.keywords[key] for key in keys} == keys
    assert sample.repairs == ()


# 23. subsets


def test_trap_23_subset_keywords_are_text(tmp_path: Path) -> None:
    keys = {"$CSMODE": "1", "$CSTOT": "99999", "$CSVBITS": "16", "$CSV1FLAG": "1"}
    sample = read(tmp_path / "a.fcs", DataSet(words([[1], [2]]), version="FCS3.0", keys=keys))
    assert sample.n_events == 2
    assert {key: sample.keywords[key] for key in keys} == keys
    assert sample.repairs == ()


# $PAR


@pytest.mark.parametrize("par", ["0", "-1", "1.5", "two", "", "99999999999"])
def test_a_number_of_parameters_that_cannot_be(tmp_path: Path, par: str) -> None:
    path = DataSet(words([[1]]), keys={"$PAR": par}).to(tmp_path / "a.fcs")
    for reader in (read_fcs, read_fcs_header):
        with pytest.raises(
            FcsError, match=r"^a\.fcs: \$PAR (is '.*', wanted a|announces 99999999999 parameters; more)"
        ):
            reader(path)


def test_a_parameter_too_many_or_too_few(tmp_path: Path) -> None:
    more = DataSet(words([[1]]), keys={"$PAR": "2"}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: keyword \$P2B is missing"):
        read_fcs(more)
    fewer = DataSet(words([[1, 2], [3, 4]]), bits=(16, 16), keys={"$PAR": "1"}).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"holds 4 events, \$TOT says 2"):
        read_fcs(fewer)


def test_trap_15_values_that_lose_bits_are_counted(tmp_path: Path) -> None:
    columns = [np.array([5, 1023, 1024, 65535], dtype="u2"), np.array([1, 2, 3, 4], dtype="u2")]
    path = build_fcs(tmp_path / "a.fcs", columns, datatype="I", extra={"$P1R": "1000", "$P2R": "65536"})
    sample = read_fcs(path)
    assert sample.events.tolist() == [[5, 1], [1023, 2], [0, 3], [1023, 4]]
    assert sample.masked_values.tolist() == [2, 0]
    floats = read_fcs(build_fcs(tmp_path / "b.fcs", [np.array([5.0], dtype="f4")]))
    assert floats.masked_values.tolist() == [0]
