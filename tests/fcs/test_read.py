"""What stands in the bytes, and what a bad file says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from builder import build_fcs
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs

F4 = np.array([1.5, -2.0, 3e5], dtype="f4")


def test_floats_of_both_byte_orders_and_widths(tmp_path: Path) -> None:
    for datatype, kind in (("F", "f4"), ("D", "f8")):
        for byteord in ("1,2,3,4", "4,3,2,1"):
            columns = [np.array([1.5, -2.0, 3e5], dtype=kind), np.array([0.1, 7.0, 8.0], dtype=kind)]
            sample = read_fcs(build_fcs(tmp_path / "a.fcs", columns, datatype=datatype, byteord=byteord))
            assert sample.events.dtype == np.float64
            assert (sample.events == np.column_stack(columns).astype(float)).all()
            assert sample.repairs == ()


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
def test_versions(tmp_path: Path, version: str) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], version=version))
    assert sample.version == version
    assert sample.events[:, 0].tolist() == [1.5, -2.0, 300000.0]


def test_integers_are_masked_to_their_range(tmp_path: Path) -> None:
    stored = np.array([1023, 1024 + 5, 65535], dtype="u2")
    path = build_fcs(tmp_path / "a.fcs", [stored, stored], datatype="I", extra={"$P1R": "1000", "$P2R": "65536"})
    # 1000 needs 10 bits: bits above stand for something else; 65536 uses all 16
    assert read_fcs(path).events.tolist() == [[1023.0, 1023.0], [5.0, 1029.0], [1023.0, 65535.0]]


def test_integers_of_mixed_width_and_big_endian(tmp_path: Path) -> None:
    columns = [np.array([200, 3], "u1"), np.array([40000, 7], "u2"), np.array([3_000_000_000, 9], "u4")]
    ranges = {"$P1R": "256", "$P2R": "65536", "$P3R": "4294967296"}
    for byteord in ("1,2,3,4", "4,3,2,1"):
        path = build_fcs(tmp_path / "a.fcs", columns, datatype="I", byteord=byteord, extra=ranges)
        assert read_fcs(path).events.tolist() == [[200.0, 40000.0, 3e9], [3.0, 7.0, 9.0]]


def test_24_bit_integers(tmp_path: Path) -> None:
    data = bytes([0x01, 0x02, 0x03, 0xFF, 0x00, 0x00])
    path = build_fcs(
        tmp_path / "a.fcs", [np.zeros(2, "u4")], datatype="I", data=data, bits=[24], extra={"$P1R": "16777216"}
    )
    assert read_fcs(path).events[:, 0].tolist() == [0x030201, 0xFF]


def test_logarithmic_storage_gain_and_time(tmp_path: Path) -> None:
    stored = np.array([0, 256, 512], dtype="u2")
    extra = {"$P1E": "4,1", "$P2E": "4,0", "$P3G": "2", "$P4N": "Time", "$P4G": "12.5", "$TIMESTEP": "0.08"}
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [stored] * 4, datatype="I", extra=extra))
    # 10 ** (4 * x / 1024); an offset of 0 is read as 1 (and said); x / gain; x * seconds per tick and no gain
    assert sample.events == pytest.approx(
        np.array([[1.0, 1.0, 0.0, 0.0], [10.0, 10.0, 128.0, 20.48], [100.0, 100.0, 256.0, 40.96]]), rel=1e-14
    )
    assert [(r.keyword, r.found, r.assumed, r.affects_numbers) for r in sample.repairs] == [
        ("$P2E", "4,0", "4,1", True),
        ("$P4G", "12.5", "1: $TIMESTEP alone scales time", False),
    ]


def test_amplification_of_floats_is_ignored_and_said(tmp_path: Path) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], extra={"$P1E": "4,1"}))
    assert sample.events[:, 0].tolist() == [1.5, -2.0, 300000.0]
    assert sample.repairs[0].keyword == "$P1E"
    assert sample.repairs[0].affects_numbers


def test_offsets_only_in_text(tmp_path: Path) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], header_data=(0, 0)))
    assert sample.n_events == 3
    assert sample.repairs == ()


def test_offsets_only_in_header(tmp_path: Path) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], drop=("$BEGINDATA", "$ENDDATA")))
    assert sample.events[:, 0].tolist() == [1.5, -2.0, 300000.0]
    assert [r.keyword for r in sample.repairs] == ["$BEGINDATA"]


def test_end_offset_one_too_large(tmp_path: Path) -> None:
    first = build_fcs(tmp_path / "a.fcs", [F4])
    begin = int(first.read_bytes()[26:34])
    sample = read_fcs(build_fcs(tmp_path / "b.fcs", [F4], header_data=(begin, begin + 12), tail=b"x"))
    assert sample.n_events == 3
    assert [r.keyword for r in sample.repairs] == ["$ENDDATA"]


def test_doubled_delimiter_and_empty_values(tmp_path: Path) -> None:
    plain = build_fcs(tmp_path / "a.fcs", [F4], extra={"COMMENT": "a||b"})
    assert read_fcs(plain).keywords["COMMENT"] == "a|b"
    empty = read_fcs(build_fcs(tmp_path / "b.fcs", [F4], extra={"$COM": "", "$OP": "x"}))
    assert (empty.keywords["$COM"], empty.keywords["$OP"]) == ("", "x")
    assert (empty.repairs[0].keyword, empty.repairs[0].assumed) == ("$COM", "empty")


@pytest.mark.parametrize("delimiter", ["|", "/", "\\", "*", ".", "^", "+", "(", "\f", "\n", "!"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], delimiter=delimiter, extra={"X": "cost $5"}))
    assert sample.keywords["X"] == "cost $5"
    assert sample.n_events == 3


def test_latin_1_is_kept_and_said(tmp_path: Path) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], extra={"VOL": "5 µL"}))
    assert sample.keywords["VOL"] == "5 µL"
    assert sample.repairs[0].assumed == "latin-1"
    utf8 = read_fcs(build_fcs(tmp_path / "b.fcs", [F4], extra={"NAME": "王小明"}, text_encoding="utf-8"))
    assert utf8.keywords["NAME"] == "王小明"
    assert utf8.repairs == ()


def test_spillover_is_taken_by_name(tmp_path: Path) -> None:
    events = np.array([[100.0, 25.0]], dtype="f4")
    # the matrix names the channels in another order than the file: C2 leaks 10 % into C1, C1 leaks 25 % into C2
    path = build_fcs(tmp_path / "a.fcs", list(events.T), extra={"SPILL": "2,C2,C1,1,0.1,0.25,1"})
    matrix = read_fcs(path).spillover
    assert matrix is not None
    assert matrix.detectors == ("C2", "C1")
    assert matrix.compensate([[25.0, 100.0]])[0] == pytest.approx([0.0, 100.0], abs=1e-12)


def test_unknown_spillover_channel_gives_no_matrix_and_says_so(tmp_path: Path) -> None:
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra={"$SPILLOVER": "2,C1,XX,1,0,0,1"}))
    assert sample.spillover is None
    assert "XX" in sample.repairs[0].found


def test_strict_refuses_what_was_repaired(tmp_path: Path) -> None:
    path = build_fcs(tmp_path / "a.fcs", [F4], extra={"$P1E": "4,1"})
    with pytest.raises(FcsError, match=r"a\.fcs: deviates from the standard \(\$P1E"):
        read_fcs(path, strict=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": {"$TOT": "1000000000000"}}, "the file ends after 3; it is truncated"),
        ({"extra": {"$TOT": "-1"}}, r"\$TOT is '-1'"),
        ({"extra": {"$PAR": "many"}}, r"\$PAR is 'many'"),
        ({"extra": {"$PAR": "99999999"}}, "more than 30000 cannot be"),
        ({"extra": {"$MODE": "C"}}, "histograms"),
        ({"extra": {"$DATATYPE": "X"}}, "wanted I, F, D or A"),
        ({"extra": {"$BYTEORD": "3,3,1,2"}}, r"\$BYTEORD is '3,3,1,2'"),
        ({"version": "XYZ9.9"}, "not an FCS file"),
        ({"drop": ("$DATATYPE",)}, r"\$DATATYPE is missing"),
        ({"extra": {"$P1B": "0"}}, r"\$P1B is '0'"),
    ],
)
def test_one_clear_error(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = build_fcs(tmp_path / "bad.fcs", [F4], **change)  # type: ignore[arg-type]
    with pytest.raises(FcsError, match=message) as caught:
        read_fcs(path)
    assert str(caught.value).startswith("bad.fcs: ")


def test_truncated_empty_and_missing_files(tmp_path: Path) -> None:
    whole = build_fcs(tmp_path / "a.fcs", [F4]).read_bytes()
    (tmp_path / "cut.fcs").write_bytes(whole[:-5])
    (tmp_path / "tiny.fcs").write_bytes(whole[:30])
    (tmp_path / "empty.fcs").write_bytes(b"")
    for name, message in (
        ("cut.fcs", "truncated"), ("tiny.fcs", "too few"), ("empty.fcs", "is empty"), ("none.fcs", "cannot be opened"),
    ):  # fmt: skip
        with pytest.raises(FcsError, match=f"{name}: .*{message}"):
            read_fcs(tmp_path / name)


@given(st.binary(max_size=400), st.integers(0, 400))
def test_arbitrary_bytes_raise_nothing_but_our_errors(tmp_path: Path, junk: bytes, at: int) -> None:
    whole = build_fcs(tmp_path / "a.fcs", [F4, F4], extra={"$SPILLOVER": "2,C1,C2,1,0,0,1"}).read_bytes()
    at = min(at, len(whole))
    path = tmp_path / "b.fcs"
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    with contextlib.suppress(FcsError):
        assert read_fcs(path).events.shape[1] >= 1


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("byteord", ["1,2,3,4", "4,3,2,1"])
def test_native_values_keep_their_type(tmp_path: Path, dtype: str, byteord: str) -> None:
    columns = [np.array([1, 200, 77], dtype=dtype), np.array([5, 0, 255], dtype=dtype)]
    kind = {"f4": "F", "f8": "D"}.get(dtype, "I")
    extra = {"$P1R": "256", "$P2R": "128"}  # the mask of the second channel leaves seven bits
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", columns, datatype=kind, byteord=byteord, extra=extra))
    native = sample.native()
    assert native.dtype == np.dtype(dtype)
    assert native.tolist() == [[1, 5], [200, 0], [77, 127 if kind == "I" else 255]]


def test_native_values_need_one_type(tmp_path: Path) -> None:
    columns = [np.array([1], dtype="u2"), np.array([2], dtype="u4")]
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", columns, datatype="I"))
    with pytest.raises(FcsError, match="different types; take raw"):
        sample.native()
