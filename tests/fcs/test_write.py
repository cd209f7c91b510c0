"""Arrays as FCS files: what is stored, what is said of it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.fcs.copied import chooser
from il2cyto.sample import Sample

TABLE = [[1, 700], [2, 65535]]


def layout(path: Path) -> list[tuple[str, int, float]]:
    return [(channel.datatype, channel.bits, channel.range) for channel in read_fcs(path).channels]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f4", ("F", 32, 262144.0)),
        (">f4", ("F", 32, 262144.0)),
        ("f8", ("D", 64, 262144.0)),
        ("u2", ("I", 16, 65536.0)),
        (">u2", ("I", 16, 65536.0)),
        ("u4", ("I", 32, 4294967296.0)),
        ("u8", ("I", 64, 18446744073709551616.0)),
    ],
)
@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_types_are_kept(tmp_path: Path, dtype: str, expected: tuple[str, int, float], version: str) -> None:
    write_fcs(
        np.array(TABLE, dtype=dtype), tmp_path / "a.fcs", channels=["A", "B"], version=version, keywords={"$CYT": "x"}
    )
    assert layout(tmp_path / "a.fcs") == [expected, expected]
    sample = read_fcs(tmp_path / "a.fcs", strict=dtype != "u8")  # above 2^53, float64 rounds, and the reader says so
    assert sample.events.tolist() == TABLE
    assert sample.version == f"FCS{version}"
    assert bytes(sample.data) == np.array(TABLE, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()


def test_every_bit_of_floats_survives(tmp_path: Path) -> None:
    for integer, kind in (("u4", "f4"), ("u8", "f8")):
        bits = {"u4": [0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x7F800001],
                "u8": [0x7FF8000000000001, 0xFFF0000000000000, 1 << 63, 1, 0x7FF0000000000001]}[integer]  # fmt: skip
        stored = np.array(bits, dtype=integer).view(kind)[:, None]
        for order in "<>":
            write_fcs(stored.astype(stored.dtype.newbyteorder(order)), tmp_path / "a.fcs", channels=["A"])
            assert np.frombuffer(bytes(read_fcs(tmp_path / "a.fcs").data), f"<{integer}").tolist() == bits


def test_columns_of_their_own_types(tmp_path: Path) -> None:
    columns = [
        np.array([1.5, np.nan], "f4"),
        np.array([7, 300], ">u2"),
        np.array([0.1, -0.2]),
        np.array([3, 255], "u1"),
    ]
    names = ["A", "B", "C", "D"]
    with pytest.raises(FcsError, match=r"a\.fcs: channels of types D and F and I in one file .*version='3\.2'"):
        write_fcs(columns, tmp_path / "a.fcs", channels=names)
    write_fcs(columns, tmp_path / "a.fcs", channels=names, version="3.2", keywords={"$CYT": "x"})
    sample = read_fcs(tmp_path / "a.fcs", strict=True)
    assert layout(tmp_path / "a.fcs") == [("F", 32, 262144), ("I", 16, 65536), ("D", 64, 262144), ("I", 8, 256)]
    assert [sample.keywords.get(f"$P{i}DATATYPE") for i in (1, 2, 3, 4)] == [None, "I", "D", "I"]
    assert sample.layout.stride == 15
    np.testing.assert_array_equal(sample.events, [[1.5, 7.0, 0.1, 3.0], [np.nan, 300.0, -0.2, 255.0]])


def test_integers_of_mixed_width_need_no_3_2(tmp_path: Path) -> None:
    write_fcs([np.array([5], "u1"), np.array([70000], "u4")], tmp_path / "a.fcs", channels=["A", "B"])
    assert layout(tmp_path / "a.fcs") == [("I", 8, 256), ("I", 32, 4294967296)]
    assert read_fcs(tmp_path / "a.fcs", strict=True).events.tolist() == [[5.0, 70000.0]]


def test_ranges_are_said_and_never_cut_an_event(tmp_path: Path) -> None:
    stored = np.array([[1023, 5], [3, 1024]], "u2")
    write_fcs(stored, tmp_path / "a.fcs", channels=["A", "B"], ranges=[1000, 1025])
    assert [channel.range for channel in read_fcs(tmp_path / "a.fcs").channels] == [1000.0, 1025.0]
    assert read_fcs(tmp_path / "a.fcs", strict=True).events.tolist() == stored.tolist()
    # 1024 needs 10 bits: a reader would take 1024 for 0
    with pytest.raises(FcsError, match=r"B holds 1024, its range 1024 allows 1023; give a larger range"):
        write_fcs(stored, tmp_path / "a.fcs", channels=["A", "B"], ranges=[1024, 1024])
    write_fcs(stored.astype("f4"), tmp_path / "a.fcs", channels=["A", "B"], ranges=[0.5, 4194304.0])
    assert [read_fcs(tmp_path / "a.fcs").keywords[f"$P{i}R"] for i in (1, 2)] == ["0.5", "4194304"]


@given(
    st.integers(0, 40), st.integers(1, 5), st.booleans(), st.sampled_from([None, 0.01, 1e-4]), st.integers(0, 2**32 - 1)
)
def test_names_labels_matrix_and_keywords_read_back(
    tmp_path: Path, n: int, p: int, matrix: bool, step: float | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    events = rng.normal(1000.0, 5000.0, (n, p)).astype("f4")
    names = [f"D|{i}/A" for i in range(p)]
    labels = ["", "CD3|é", None, "γδ", ""][:p]
    spill = (names, np.eye(p) + 0.01 * rng.random((p, p))) if matrix else None
    path = tmp_path / "w.fcs"
    write_fcs(
        events, path, channels=names, markers=labels, keywords={"X": "a|b"}, spillover=spill, timestep=step,
    )  # fmt: skip
    sample = read_fcs(path, strict=True)
    assert np.array_equal(sample.raw, events)
    assert sample.raw.shape == (n, p)
    assert sample.names == tuple(names)
    assert [channel.pns for channel in sample.channels] == [label or "" for label in labels]
    assert sample.keywords["X"] == "a|b"
    assert sample.keywords.get("$TIMESTEP") == (None if step is None else repr(step))
    assert (sample.spillover is None) == (spill is None)
    if spill is not None and sample.spillover is not None:
        assert (sample.spillover.values == spill[1]).all()


@pytest.mark.parametrize("events", [[False, True, False, True], [1, 3], np.array([1, 3], "u1"), (1, 3)])
def test_chosen_events(tmp_path: Path, events: Any) -> None:
    write_fcs(np.arange(8.0).reshape(4, 2), tmp_path / "a.fcs", channels=["A", "B"], events=np.asarray(events))
    assert read_fcs(tmp_path / "a.fcs", strict=True).events.tolist() == [[2.0, 3.0], [6.0, 7.0]]
    write_fcs([np.arange(4.0)], tmp_path / "a.fcs", channels=["A"], events=events)
    assert read_fcs(tmp_path / "a.fcs").events.tolist() == [[1.0], [3.0]]


@pytest.mark.parametrize("events", [np.zeros(4, bool), [], np.zeros(0, int)])
def test_no_event_at_all(tmp_path: Path, events: Any) -> None:
    write_fcs(np.arange(8.0).reshape(4, 2), tmp_path / "a.fcs", channels=["A", "B"], events=events)
    assert read_fcs(tmp_path / "a.fcs", strict=True).events.shape == (0, 2)


@pytest.mark.parametrize("events", [[3, 1], [1, 1], [4], [-1, 2], [0.0], [True, False], [[0]], np.zeros((2, 2), bool)])
def test_choices_that_cannot_be(tmp_path: Path, events: Any) -> None:
    with pytest.raises(FcsError, match=r"events= wants 4 booleans or increasing numbers of events from 0 to 3"):
        write_fcs(np.arange(8.0).reshape(4, 2), tmp_path / "a.fcs", channels=["A", "B"], events=events)


def test_many_blocks(tmp_path: Path) -> None:
    events = np.arange(3_000_000, dtype="u4").reshape(-1, 3)
    write_fcs(events, tmp_path / "a.fcs", channels=["A", "B", "C"])
    assert bytes(read_fcs(tmp_path / "a.fcs").data) == events.tobytes()
    write_fcs(list(events.T), tmp_path / "b.fcs", channels=["A", "B", "C"])
    assert (tmp_path / "a.fcs").read_bytes() == (tmp_path / "b.fcs").read_bytes()
    odd = np.arange(1, 1_000_000, 2)
    write_fcs(events[::-1], tmp_path / "a.fcs", channels=["A", "B", "C"], events=odd)
    assert bytes(read_fcs(tmp_path / "a.fcs").data) == events[::-1][odd].tobytes()


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros((2, 2)), {"channels": ["A", "A"]}, "unique"),
        (np.zeros((2, 2)), {"channels": ["A,B", "C"]}, "without commas"),
        (np.zeros((2, 2)), {"channels": ["A", " B"]}, "without outer spaces"),
        (np.zeros((2, 2)), {"channels": ["A"]}, "2 columns of events for 1 channels"),
        (np.zeros((2, 2)), {}, "arrays need channels="),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "markers": ["x"]}, "1 markers for 2 channels"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "ranges": [1]}, "1 ranges for 2 channels"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "ranges": [1, 0]}, "range 0 of B cannot be"),
        (np.zeros((2, 2), "u1"), {"channels": ["A", "B"], "ranges": [2, 1]}, "range 1 of B cannot be"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keep": ["$CYT"]}, "keep= cannot be given here"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keywords": {"$TOT": "5"}}, "set by the writer"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keywords": {"$p1b": "5"}}, "set by the writer"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keywords": {"$NEXTDATA": "5"}}, "set by the writer"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keywords": {"X": ""}}, "has an empty value"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "keywords": {"X": "1", "x": "2"}}, "keyword x is given twice"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "timestep": 0.0}, "a time step of 0.0 s cannot be"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "version": "3.0"}, "wanted '3.1' or '3.2'"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "version": "3.2"}, r"demands the cytometer; .*'\$CYT'"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "spillover": (["A", "X"], np.eye(2))}, "names must be channels"),
        (np.zeros((2, 2)), {"channels": ["A", "B"], "spillover": (["A"], np.eye(2))}, "square matrix"),
        (np.zeros((2, 2), int), {"channels": ["A", "B"]}, r"type int64 cannot be stored; .*unsigned: use .astype"),
        (np.zeros((2, 2), bool), {"channels": ["A", "B"]}, "type bool cannot be stored"),
        (np.zeros((2, 2), "f2"), {"channels": ["A", "B"]}, r"use .astype\('float32'\)"),
        (np.zeros((2, 2), complex), {"channels": ["A", "B"]}, "type complex128"),
        (np.zeros(2), {"channels": ["A"]}, r"of shape \(2,\); wanted a Sample, an array"),
        ([[1.0], [1.0, 2.0]], {"channels": ["A"]}, "cannot write a list"),
        ("words", {"channels": ["A"]}, "cannot write a str"),
        ([np.zeros(2), np.zeros(3)], {"channels": ["A", "B"]}, "columns of 2, 3 events"),
        (np.zeros((2, 0)), {"channels": []}, "no channels"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FcsError, match=message) as caught:
        write_fcs(source, tmp_path / "a.fcs", **options)
    assert str(caught.value).startswith("a.fcs: ")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(b"old")
    monkeypatch.setattr("il2cyto.fcs.write.NO_CRC", None)  # it fails when all events are written
    with pytest.raises(TypeError):
        write_fcs(np.zeros((2, 2)), path, channels=["A", "B"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_words_that_a_reader_would_take_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(path: Path) -> Sample:
        sample = read_fcs(path)
        return replace(sample, keywords={**sample.keywords, "X": "other"})

    monkeypatch.setattr("il2cyto.fcs.write.read_fcs", mistaken)
    with pytest.raises(FcsError, match=r"^a\.fcs: the value of X would be read otherwise"):
        write_fcs(np.zeros((2, 1)), tmp_path / "a.fcs", channels=["A"], keywords={"X": "word"})
    assert list(tmp_path.iterdir()) == []


def test_which_keywords_are_kept() -> None:
    keys = ["$CYT", "$P1S", "$P12S", "$P1V", "P1S", "$DATE"]
    assert [key for key in keys if chooser(None)(key)] == keys
    assert [key for key in keys if chooser("$cyt")(key)] == ["$CYT"]
    assert [key for key in keys if chooser({"$PnS", "$date"})(key)] == ["$P1S", "$P12S", "$DATE"]
    assert [key for key in keys if chooser(["$P1V"])(key)] == ["$P1V"]
    assert [key for key in keys if chooser(lambda key: key.endswith("S"))(key)] == ["$P1S", "$P12S", "P1S"]
