"""Round trips over versions × types × byte orders × widths, against values known before any file was written."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from builder import build_fcs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.fcs.head import NO_CRC, OFFSET_KEYWORDS, render_head

VERSIONS = ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"]
USED = "$0123456789,ABCDEFGILMNOPRSTXY abcd"  # by the file of the test itself
WORDS = st.text(
    st.characters(min_codepoint=1, max_codepoint=127) | st.characters(categories=["L", "N", "P", "S", "Zs"]),
    min_size=1, max_size=60,
)  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> list[tuple[str, int, list[int]]]:
    """Channels as (type, bits, bit patterns): the truth that no reader or writer has touched."""
    n = draw(st.integers(0, 6))
    mixed = draw(st.booleans())
    only = draw(st.sampled_from("IFD"))
    made = []
    for _ in range(draw(st.integers(1, 5))):
        datatype = draw(st.sampled_from("IFD")) if mixed else only
        bits = {"I": draw(st.sampled_from([8, 16, 24, 32, 40, 48, 56, 64])), "F": 32, "D": 64}[datatype]
        made.append((datatype, bits, draw(st.lists(st.integers(0, 2**bits - 1), min_size=n, max_size=n))))
    return made


def as_bytes(made: list[tuple[str, int, list[int]]], order: str) -> bytes:
    rows = zip(*(patterns for _, _, patterns in made), strict=True)
    return b"".join(
        pattern.to_bytes(bits // 8, order)  # type: ignore[arg-type]
        for row in rows
        for pattern, (_, bits, _) in zip(row, made, strict=True)
    )


def as_values(made: list[tuple[str, int, list[int]]], decades: list[int]) -> np.ndarray:
    table = np.empty((len(made[0][2]), len(made)))
    for i, (datatype, bits, patterns) in enumerate(made):
        if datatype == "I":
            plain = np.array([float(pattern) for pattern in patterns])
            table[:, i] = 10.0 ** (decades[i] / 2.0**bits * plain) if decades[i] else plain
        else:
            table[:, i] = np.array(patterns, f"u{bits // 8}").view(f"f{bits // 8}")
    return table


@given(columns(), st.sampled_from(VERSIONS), st.sampled_from(["little", "big"]), st.data())
def test_any_storage_read_and_copied(
    tmp_path: Path, made: list[tuple[str, int, list[int]]], version: str, order: str, data: st.DataObject
) -> None:
    types = [datatype for datatype, _, _ in made]
    mixed = len(set(types)) > 1
    if mixed:
        version = "FCS3.2"
    decades = [data.draw(st.sampled_from([0, 4])) if datatype == "I" else 0 for datatype in types]
    content = as_bytes(made, order)
    keywords = {
        "$BYTEORD": "1,2,3,4" if order == "little" else "4,3,2,1", "$DATATYPE": types[0], "$MODE": "L", "$CYT": "x",
        "$PAR": str(len(made)), "$TOT": str(len(made[0][2])),
    }  # fmt: skip
    for i, (datatype, bits, _) in enumerate(made, start=1):
        keywords |= {f"$P{i}N": f"C{i}", f"$P{i}B": str(bits), f"$P{i}R": str(2**bits), f"$P{i}E": "0,0"}
        if decades[i - 1]:
            keywords[f"$P{i}E"] = f"{decades[i - 1]},1"
        if datatype != types[0]:
            keywords[f"$P{i}DATATYPE"] = datatype
    path = tmp_path / "a.fcs"
    path.write_bytes(render_head(keywords, len(content), version=version, name="a.fcs") + content + NO_CRC)
    sample = read_fcs(path)
    assert bytes(sample.data) == content
    truth = as_values(made, decades)
    # LOG of a wide integer is where libm and numpy may differ in the last bit
    np.testing.assert_allclose(sample.events, truth, rtol=1e-13 if any(decades) else 0, equal_nan=True)
    for target in ["3.2"] if mixed else ["3.1", "3.2"]:
        write_fcs(sample, tmp_path / "b.fcs", version=target)
        again = read_fcs(tmp_path / "b.fcs")
        assert bytes(again.data) == content
        assert again.events.tobytes() == sample.events.tobytes()
        assert again.raw.tobytes() == sample.raw.tobytes()
        assert again.layout.byte_order.tolist() == sample.layout.byte_order.tolist()
        assert {key: value for key, value in again.keywords.items() if key not in OFFSET_KEYWORDS} == keywords
    chosen = data.draw(hnp.arrays(bool, sample.n_events))
    write_fcs(sample, tmp_path / "c.fcs", version="3.2", events=chosen)
    assert read_fcs(tmp_path / "c.fcs").events.tobytes() == sample.events[chosen].tobytes()


@given(
    hnp.arrays(
        st.sampled_from(["f4", "f8", "u1", "u2", "u4", "u8", ">f4", ">f8", ">u2", ">u4", ">u8"]).map(np.dtype),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    ),
    st.sampled_from(["3.1", "3.2"]),
    st.booleans(),
)
def test_any_table(tmp_path: Path, table: np.ndarray, version: str, fortran: bool) -> None:
    names = [f"C{i}" for i in range(table.shape[1])]
    given_table = np.asfortranarray(table) if fortran else table
    write_fcs(given_table, tmp_path / "a.fcs", channels=names, version=version, keywords={"$CYT": "x"})
    sample = read_fcs(tmp_path / "a.fcs")
    little = table.astype(table.dtype.newbyteorder("<"))
    assert bytes(sample.data) == little.tobytes()
    assert sample.events.tobytes() == little.astype("f8").tobytes() or np.isnan(table.astype("f8")).any()
    np.testing.assert_array_equal(sample.events, table.astype("f8"))


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
        .map(str.upper)
        # SPILL and SPILLOVER are keywords of matrices even without the dollar
        .filter(lambda key: not key.startswith(("$", "SPILL"))),
        WORDS,
        max_size=6,
    ),
    st.lists(WORDS.filter(lambda word: word == word.strip()), min_size=2, max_size=2),
)
def test_any_words_and_labels(tmp_path: Path, keywords: dict[str, str], labels: list[str]) -> None:
    events = np.array([[1.0, 2.0]], "f4")
    write_fcs(events, tmp_path / "a.fcs", channels=["A", "B"], markers=labels, keywords=keywords)
    sample = read_fcs(tmp_path / "a.fcs", strict=True)
    write_fcs(sample, tmp_path / "b.fcs")
    for read in (sample, read_fcs(tmp_path / "b.fcs", strict=True)):
        assert {key: read.keywords[key] for key in keywords} == keywords
        assert [channel.pns for channel in read.channels] == labels
        assert read.events.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("delimiter", [chr(code) for code in range(1, 127) if chr(code) not in USED])
def test_files_with_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    doubled = {"X": f"a{delimiter * 2}b é", "LONG": "王" * 10_000, "Y": f"{delimiter * 2}".join("cd")}
    path = build_fcs(
        tmp_path / "a.fcs", [np.array([1.0, 2.0], "f4")], delimiter=delimiter, extra=doubled, text_encoding="utf-8"
    )  # fmt: skip
    sample = read_fcs(path, strict=True)
    write_fcs(sample, tmp_path / "b.fcs")
    for read in (sample, read_fcs(tmp_path / "b.fcs", strict=True)):
        assert [read.keywords[key] for key in ("X", "Y")] == [f"a{delimiter}b é", f"c{delimiter}d"]
        assert read.keywords["LONG"] == "王" * 10_000
        assert read.events.tolist() == [[1.0], [2.0]]


def test_offsets_that_header_cannot_hold(tmp_path: Path) -> None:
    """A file of more than 99,999,999 bytes: HEADER says 0, 0 and the last event is where TEXT says."""
    events = np.zeros((1_600_000, 16), "f4")
    events[-1] = np.arange(16)
    path = tmp_path / "a.fcs"
    write_fcs(events, path, channels=[f"C{i}" for i in range(16)])
    with path.open("rb") as stream:
        head = stream.read(58)
    assert path.stat().st_size > 102_400_000
    assert head[26:58].split() == [b"0", b"0", b"0", b"0"]
    sample = read_fcs(path, strict=True)
    assert sample.n_events == 1_600_000
    assert bytes(sample.data[-64:]) == events[-1].tobytes()
    write_fcs(sample, tmp_path / "b.fcs", events=[0, 1_599_999])
    assert read_fcs(tmp_path / "b.fcs", strict=True).events[1].tolist() == list(range(16))


def test_memory_of_a_copy_is_bounded(tmp_path: Path) -> None:
    events = np.random.default_rng(1).random((400_000, 16), dtype="f4")
    path = tmp_path / "a.fcs"
    write_fcs(events, path, channels=[f"C{i}" for i in range(16)])
    sample = read_fcs(path)
    tracemalloc.start()
    write_fcs(sample, tmp_path / "b.fcs")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # numpy reports its arrays to tracemalloc: 25.6 MB of events, of which no second copy may exist
    assert peak < 10_000_000
    assert bytes(read_fcs(tmp_path / "b.fcs").data) == events.tobytes()
