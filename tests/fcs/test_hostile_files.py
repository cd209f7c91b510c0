"""Files that lie about sizes, are all delimiters, or hold what no program wrote: one error, little memory, soon."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from bytes_of import Claim, DataSet, chain, words
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError, Il2CytoError
from il2cyto.fcs import open_datasets, read_fcs, read_fcs_header
from il2cyto.fcs.dataset import parse_dataset
from il2cyto.fcs.read import to_sample
from il2cyto.fcs.text import parse_text
from il2cyto.sample import Sample

SECONDS = 2.0
MEGABYTE = 1_000_000
Result = TypeVar("Result")


def peak(run: Callable[[], object]) -> float:
    """Megabytes that Python and NumPy allocate at once while it runs."""
    tracemalloc.start()
    try:
        run()
    finally:
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return size / MEGABYTE


def sample_of(content: bytes, dataset: int = 0) -> Sample:
    return to_sample(parse_dataset(np.frombuffer(content, np.uint8), "a.fcs", dataset), Path("a.fcs"))


def attempt(run: Callable[[], Result]) -> tuple[Result | None, str]:
    """What comes out, or the message of one of our errors; any other passes through."""
    try:
        return run(), ""
    except Il2CytoError as error:
        return None, str(error)


def refused(content: bytes, message: str, megabytes: float) -> None:
    """It must end in one error, soon, and within the memory."""

    def run() -> None:
        with pytest.raises(FcsError, match=message) as caught:
            sample_of(content)
        assert len(str(caught.value)) < 1000
        assert len(caught.value.public) < 1000

    begin = time.process_time()
    run()
    assert time.process_time() - begin < SECONDS
    assert peak(run) < megabytes


MANY = 10**12
WHOLE: dict[str, Claim] = {
    "HEADER DATA": lambda begin, _: (begin, 99_999_999),
    "DATA": lambda begin, _: (begin, begin + 2 * MANY - 1),
}


@pytest.mark.parametrize("claims", [{}, WHOLE, {"HEADER DATA": (0, 0), "DATA": WHOLE["DATA"]}])
@pytest.mark.parametrize(
    ("datatype", "bits"),
    [("I", (16,)), ("F", (32,)), ("D", (64,)), ("I", (10,)), ("A", (4,)), ("A", ("*",)), ("I", (1,))],
)
def test_a_small_file_that_claims_a_million_million_events(
    claims: dict[str, Claim], datatype: str, bits: tuple[object, ...]
) -> None:
    made = DataSet(b"1 " * 300, bits=bits, datatype=datatype, n=MANY, claims=claims)
    content = made.build()
    assert len(content) < 1100
    refused(content, r"^a\.fcs: (\$TOT announces 1000000000000 events|DATA (cannot be|at bytes))", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is read from /proc")
def test_the_same_under_a_limit_of_the_system(tmp_path: Path) -> None:
    path = DataSet(words([[1]] * 300), n=MANY, claims=WHOLE).to(tmp_path / "a.fcs")
    good = DataSet(words([[1]])).to(tmp_path / "good.fcs")
    program = f"""
import resource
from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs
read_fcs({str(good)!r}).events
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 50_000_000,) * 2)
try:
    read_fcs({str(path)!r})
except FcsError as error:
    print(error)
try:
    bytearray(60_000_000)
except MemoryError:
    print("the limit holds")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a.fcs: $TOT announces 1000000000000 events (2000000000000 bytes) from byte "
        f"{path.read_bytes().index(words([[1]] * 300))} on, but the file ends after 300; it is truncated, copy it from "
        "the instrument again",
        "the limit holds",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"$PAR": "99999999"}, "announces 99999999 parameters; more than 30000 cannot be"),
        ({"$PAR": "1e300"}, "announces 10+[0-9]* parameters"),
        ({"$PAR": "29999"}, r"keyword \$P2B is missing"),
        ({"$P1B": "8000000000"}, "numbers of at most 64 bits"),
        ({"$TOT": "1e300"}, r"\$TOT announces 10+[0-9]* events"),
        ({"$TOT": "9" * 60}, r"\$TOT announces 9+[0-9]* events"),
    ],
)
def test_sizes_that_cannot_be(keys: dict[str, str | None], message: str) -> None:
    refused(DataSet(words([[1]]), keys=keys).build(), message, 1)


LONG = {"letters": "x", "commas": ",", "digits": "9", "blanks": " ", "accents": "µ", "orders": "1,"}


@pytest.mark.parametrize("sign", LONG.values(), ids=LONG)
@pytest.mark.parametrize(
    "key", ["$BYTEORD", "$P1E", "$P1R", "$P1G", "$P1B", "$P1N", "$PAR", "$TOT", "$MODE", "$DATATYPE", "$NEXTDATA",
            "$TIMESTEP", "$BEGINDATA", "$BEGINSTEXT", "$UNICODE", "$SPILLOVER", "$P1DATATYPE"]
)  # fmt: skip
def test_a_value_of_two_million_characters(key: str, sign: str) -> None:
    content = DataSet(words([[1]]), keys={key: sign * (2_000_000 // len(sign))}).build()

    def run() -> None:
        found, error = attempt(lambda: sample_of(content))
        assert len(error) < 1000
        if found is not None:
            assert found.events.tolist() == [[1.0]]
            assert all(len(repair.found) < 1000 for repair in found.repairs)

    begin = time.process_time()
    run()
    assert time.process_time() - begin < SECONDS
    assert peak(run) < 40


@pytest.mark.parametrize(
    "text",
    [
        b"|" * 10_000_000, b"|" * 199_999, b"|" + b"a|" * 99_998, b"|" + b"a||" * 66_000, b"|" + b"a|b|a|c|" * 49_000,
        b"|" + b"\1|\2|" * 49_000, b"|k|" + b"a\xb5" * 2_000_000 + b"|", b"|k|" + b"\xcd\xf5" * 2_000_000 + b"|",
        b"|k|" + b"\xcd|" * 99_000, b"|k|" + b"\xe9" * 4_000_000 + b"|v|", b"\xff" * 5_000_000, b" " * 5_000_000,
        b"|" + b" |" * 99_000, b"|k|" + bytes(5_000_000),
        b"|" + b"".join(b"k%d|%s|" % (i, bytes([128 + i % 120, 200, i % 97, 255])) for i in range(49_000)),
    ],
    ids=range(15),
)  # fmt: skip
def test_text_that_is_no_text(text: bytes) -> None:
    begin = time.process_time()
    found, error = attempt(lambda: parse_text(text, "a.fcs", "FCS3.0"))
    assert len(error) < 1000
    assert found is None or len(found.keywords) <= 50_001
    assert time.process_time() - begin < SECONDS


def test_a_deep_chain(tmp_path: Path) -> None:
    one = DataSet(b"\7")
    one.bits = (8,)
    length = len(chain(one, DataSet(b"\7", bits=(8,)))) // 2 + 8
    content = DataSet(b"\7", bits=(8,), keys={"$NEXTDATA": f"{length:08d}"}).build()
    content = DataSet(b"\7", bits=(8,), keys={"$NEXTDATA": f"{len(content):08d}"}).build()
    path = tmp_path / "a.fcs"
    path.write_bytes(content * 4_010)
    begin = time.process_time()
    found = open_datasets(path)
    assert time.process_time() - begin < 2 * SECONDS
    assert len(found) == 4_000
    assert found[-1].repairs[-1].keyword == "$NEXTDATA"
    assert read_fcs(path, dataset=3_999).events.tolist() == [[7.0]]
    with pytest.raises(FcsError, match="has 4000 data"):
        read_fcs_header(path, dataset=4_000)


@pytest.mark.parametrize("text", [
    "1000000000,A,B,1", "1000000000" + ",A" * 1000, "500" + ",A" * 250_500, "9," + "," * 2_000_000,
    "500," + ",".join(f"N{i}" for i in range(500)) + ",0.5" * 250_000, "9" * 5000 + ",A", "-1000000000,A",
], ids=range(7))  # fmt: skip
def test_matrices_that_announce_too_much(text: str) -> None:
    content = DataSet(words([[1]]), keys={"$SPILLOVER": text}).build()

    def run() -> None:
        found = sample_of(content)
        assert found.spillover is None
        assert [repair.keyword for repair in found.repairs] == ["$SPILLOVER"]

    begin = time.process_time()
    run()
    assert time.process_time() - begin < SECONDS
    assert peak(run) < 40


@pytest.mark.parametrize("gap", [b"0" * 3_000_000, b" " * 3_000_000, b"99999998" * 100_000, b"      59" * 100_000])
def test_other_segments_without_end(gap: bytes) -> None:
    content = DataSet(words([[1]]), gaps={"TEXT": gap}).build()
    begin = time.process_time()
    assert sample_of(content).events.tolist() == [[1.0]]
    assert time.process_time() - begin < SECONDS
    assert peak(lambda: sample_of(content)) < 20


def test_many_parameters() -> None:
    n = 20_000
    text = "|$BYTEORD|1,2,3,4|$DATATYPE|I|$MODE|L|$NEXTDATA|0|$PAR|20000|$TOT|1|$SPILLOVER|1,X,1|"
    text += "".join(f"$P{i}B|16|$P{i}N|A|$P{i}S|L|" for i in range(1, n + 1))
    begin, end = 58, 57 + len(text)
    head = f"FCS3.1    {begin:8}{end:8}{end + 1:8}{end + 2 * n:8}{0:8}{0:8}".encode()
    start = time.process_time()
    found = sample_of(head + text.encode() + bytes(2 * n))
    assert time.process_time() - start < 2 * SECONDS
    assert (found.n_channels, found.n_events) == (n, 1)


def test_packed_bits_are_never_all_unpacked_at_once() -> None:
    content = DataSet(b"\xaa" * 500_000, bits=(1,)).build()
    # one byte per number is what they need; a byte per bit of a word would be 256 MB
    assert peak(lambda: sample_of(content)) < 30


# any bytes at all


def kinds() -> dict[str, bytes]:
    """Small valid files of every kind."""
    rng = np.random.default_rng(1)
    mixed = {"$P1DATATYPE": "F", "$P3DATATYPE": "D"}
    matrix = {"$SPILLOVER": "2,C1,C2,1,0.1,0.2,1", "$P1N": "Time", "$TIMESTEP": "0.1", "$P2G": "2"}
    old = DataSet(words([[1, 2], [3, 4]]), bits=(16, 16), version="FCS2.0", byteord="1,2")
    new = DataSet(words([[1, 2], [3, 4]], "<u4"), bits=(32, 32), version="FCS3.0", order=("DATA", "TEXT"))
    log = {"$P1E": "4,0", "$P2E": "3,0.1"}
    return {
        "floats": DataSet(rng.random(8).astype("<f4").tobytes(), bits=(32, 32), datatype="F", keys=matrix).build(),
        "packed": DataSet(bytes(range(15)), bits=(10, 12, 8), n=4, byteord="4,3,2,1").build(),
        "ascii": DataSet(b" 1  22 333  4", bits=(3, 3), n=2, datatype="A", version="FCS2.0").build(),
        "free": DataSet(b"1 22,333\n4", bits=("*", "*"), n=2, datatype="A").build(),
        "words": DataSet(bytes(range(24)), bits=(32, 32), byteord="3,4,1,2", version="FCS3.0", keys=log).build(),
        "mixed": DataSet(bytes(range(28)), bits=(32, 16, 64), n=2, version="FCS3.2", keys=mixed).build(),
        "lmd": chain(old, new),
        "segments": DataSet(
            bytes(8), bits=(16, 16), order=("OTHER 1", "TEXT", "STEXT", "DATA", "ANALYSIS"), crc="correct",
            segments={"OTHER 1": b"abc", "STEXT": b"|$P1S|CD4|$OP||", "ANALYSIS": b"|A|1|"}, keys={"$COM": "a||b"},
        ).build(),
        "chinese": DataSet(
            bytes(4), encoding="gb18030", keys={"$OP": "王小明", "$COM": "25℃"}, version="FCS3.0", bits=(8,)
        ).build(),
    }  # fmt: skip


KINDS = kinds()


def holds(content: bytes, path: Path) -> None:
    """Nothing but our own errors comes out, and events are as many as announced."""
    path.write_bytes(content)
    for k in (None, 0, 1):
        for strict in (False, True):
            found, error = attempt(partial(read_fcs, path, dataset=k, strict=strict))
            if found is None:
                assert error.startswith(f"{path.name}: ")
                continue
            assert found.events.shape == found.raw.shape == (found.n_events, found.n_channels)
            assert found.data.size == found.n_events * found.layout.stride <= 64 * len(content)
            assert not (strict and found.repairs)
            header = read_fcs_header(path, dataset=k or 0)
            assert dict(header.keywords) == dict(found.keywords)
            assert header.names == found.names
    for encoding in ("gb18030", "latin-1"):
        attempt(partial(read_fcs, path, encoding=encoding))
    found_sets, error = attempt(lambda: open_datasets(path))
    assert found_sets or error


def test_every_kind_is_valid(tmp_path: Path) -> None:
    for name, content in KINDS.items():
        path = tmp_path / f"{name}.fcs"
        path.write_bytes(content)
        assert read_fcs(path).n_events >= 2
        holds(content, path)


@given(st.binary(max_size=500))
def test_random_bytes(tmp_path: Path, content: bytes) -> None:
    holds(content, tmp_path / "a.fcs")
    header = b"FCS3.0    " + b"".join(f"{n:8d}".encode() for n in (58, 57 + len(content), 58, 99, 0, 0))
    holds(header + content, tmp_path / "a.fcs")


CHANGE = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 4000), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 4000), st.integers(0, 30)),
    st.tuples(st.just("insert"), st.integers(0, 4000), st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("end"), st.integers(0, 4000), st.none()),
    st.tuples(st.just("swap"), st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.just("offset"), st.integers(0, 5), st.integers(-100, 100_000_000)),
    st.tuples(
        st.just("value"), st.integers(0, 60),
        st.sampled_from([b"", b"0", b"-1", b"99999999", b"1e9", b"junk", b"*", b"|", b"1,2", b"\xb5", b"4,0", b"\0"]),
    ),
)  # fmt: skip


def changed(content: bytes, change: tuple[str, int, object]) -> bytes:
    """Damage a file in one way."""
    kind, at, how = change
    place = at % max(len(content), 1)
    if kind == "flip":
        return content[:place] + bytes([how]) + content[place + 1 :]  # type: ignore[list-item]
    if kind == "cut":
        return content[:place] + content[place + how :]  # type: ignore[operator]
    if kind == "insert":
        return content[:place] + how + content[place:]  # type: ignore[operator]
    if kind == "end":
        return content[:place]
    cells = [content[10 + 8 * i : 18 + 8 * i] for i in range(6)]
    if kind == "swap":
        cells[at], cells[how] = cells[how], cells[at]  # type: ignore[index]
    elif kind == "offset":
        cells[at] = f"{how:8d}".encode()[:8]
    else:
        pieces = content.split(b"|")
        pieces[min(2 * at + 2, len(pieces) - 1)] = how  # type: ignore[call-overload]
        return b"|".join(pieces)
    return content[:10] + b"".join(cells) + content[58:]


@pytest.mark.parametrize("kind", KINDS)
@given(changes=st.lists(CHANGE, min_size=1, max_size=4))
def test_damaged_files(tmp_path: Path, kind: str, changes: list[tuple[str, int, object]]) -> None:
    content = KINDS[kind]
    for change in changes:
        content = changed(content, change)
    holds(content, tmp_path / "a.fcs")


@given(
    st.dictionaries(
        st.sampled_from(
            ["$PAR", "$TOT", "$P1B", "$P2B", "$P1R", "$P1E", "$P1G", "$P1N", "$P2N", "$BYTEORD", "$DATATYPE", "$MODE",
             "$P1DATATYPE", "$TIMESTEP", "$SPILLOVER", "$NEXTDATA", "$BEGINSTEXT", "$ENDSTEXT", "$SYS", "$UNICODE"]
        ),
        st.one_of(
            st.none(), st.text(max_size=8), st.integers(-3, 70).map(str), st.floats().map(str),
            st.sampled_from(["1,2,3,4", "4,3,2,1", "3,4,1,2", "I", "F", "D", "A", "*", "4,1", "2,1,0", "Time", "C1",
                             "1,C1,1", "2,C1,C2,1,0,0,1", "CXP", "936,$P1N", "1024", "4294967296", "58", "99999999"]),
        ),
        max_size=5,
    ),
    st.binary(max_size=64),
    st.sampled_from(["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"]),
)  # fmt: skip
def test_keywords_of_any_content(tmp_path: Path, keys: dict[str, str | None], data: bytes, version: str) -> None:
    holds(DataSet(data, bits=(16, 16), keys=keys, version=version).build(), tmp_path / "a.fcs")
