"""Copies of samples: the bytes stay, the keywords become true, and nothing is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builder import build_fcs
from hypothesis import event, given
from hypothesis import strategies as st

from il2cyto.errors import FcsError, OutputError
from il2cyto.fcs import open_datasets, read_fcs, write_fcs
from il2cyto.sample import Sample

F4 = np.array([1.5, -2.0, 3e5], dtype="f4")
U2 = np.array([0, 256, 65535], dtype="u2")


def copy(sample: Sample, path: Path, **options: Any) -> Sample:
    """Write and read again; what is read must be the same events, with nothing left to repair."""
    write_fcs(sample, path, **options)
    again = read_fcs(path)
    # several clocks are no fault that a copy could heal: their names tell what they are
    kept = [repr(channel.pnn) for channel in sample.channels if channel.is_time]
    # the range of a logarithmic parameter is its scale, however odd
    kept += [f"$P{channel.index + 1}R" for channel in sample.channels if channel.amplification[0]]
    unhealed = [
        repair
        for repair in again.repairs
        if "time channel" not in repair.found
        and not repair.found.startswith(tuple(kept))
        and repair.keyword not in kept
    ]
    assert unhealed == []
    assert again.events.tobytes() == sample.events.tobytes()
    assert bytes(again.data) == bytes(sample.data)
    return again


def replaced(sample: Sample) -> dict[str, str | None]:
    return json.loads(sample.keywords.get("IL2CYTO_REPLACED", "{}"))


@pytest.mark.parametrize("version", ["3.1", "3.2"])
@pytest.mark.parametrize("byteord", ["1,2,3,4", "4,3,2,1"])
def test_a_faultless_file_keeps_every_keyword(tmp_path: Path, version: str, byteord: str) -> None:
    extra = {
        "$CYT": "x",
        "$P1S": "CD4 é",
        "$P1V": "450",
        "$P2G": "2.0",
        "$COM": "a|b/c",
        "TUBE NAME": "7",
        "$TR": "C1,5",
    }
    path = build_fcs(tmp_path / "a.fcs", [F4, F4], byteord=byteord, extra=extra, delimiter="!", text_encoding="utf-8")
    old = read_fcs(path, strict=True)
    new = copy(old, tmp_path / "b.fcs", version=version)
    offsets = {"$BEGINDATA", "$ENDDATA"}
    assert {k: v for k, v in new.keywords.items() if k not in offsets} == {
        k: v for k, v in old.keywords.items() if k not in offsets
    }
    assert new.version == f"FCS{version}"
    assert new.events[:, 1].tolist() == [0.75, -1.0, 150000.0]


def test_deviations_are_resolved_and_what_stood_there_is_told(tmp_path: Path) -> None:
    extra = {
        "$P1E": "4,0", "$P1R": "65536", "$P2R": "0", "$P3N": "", "$P4N": "Time", "$P4G": "12.5", "$P5N": "C6",
        "$P6G": "0", "$P2S": "", "$COM": "", "$BYTEORD": "1,2", "$P6R": "1000.0",
    }  # fmt: skip
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [U2] * 6, datatype="I", extra=extra, drop=("$P2E",)))
    assert {repair.keyword for repair in old.repairs} >= {"$P1E", "$P2E", "$P2R", "$P3N", "$P4G", "$P6G", "$TIMESTEP"}
    new = copy(old, tmp_path / "b.fcs")
    assert new.names == ("C1", "C2", "P3", "Time", "C6-5", "C6-6")
    assert replaced(new) == {
        "$P1E": "4,0", "$P2E": None, "$P2R": "0", "$P3N": "", "$P4G": "12.5", "$P5N": "C6", "$P6N": "C6", "$P6G": "0",
        "$TIMESTEP": None,
    }  # fmt: skip
    told = {key: new.keywords.get(key) for key in (*replaced(new), "$P2S", "$COM", "$BYTEORD", "$P6R")}
    assert told == {
        "$P1E": "4,1", "$P2E": "0,0", "$P2R": "65536", "$P3N": "P3", "$P4G": None, "$P5N": "C6-5", "$P6N": "C6-6",
        "$P6G": None, "$TIMESTEP": "1", "$P2S": " ", "$COM": " ", "$BYTEORD": "1,2,3,4", "$P6R": "1000.0",
    }  # fmt: skip
    # a copy of the copy still tells
    assert replaced(copy(new, tmp_path / "c.fcs")) == replaced(new)


ODD = st.fixed_dictionaries(
    {
        "N": st.sampled_from(["", "A", "A", "B ", " C", "Time", "TIME_MSW", "HDR-T", "D,E", "Comp-F"]),
        "E": st.sampled_from(["0,0", "4,0", "4,1", "4.5,0.010", "0,1", "", " 4 , 1 "]),
        "R": st.sampled_from(["1024", "1000", "1024.0", "0", "", "65536", "262144", "1e3", "n/a", "1"]),
        "G": st.sampled_from([None, "", "0", "1", "2.5", " 4", "0.01"]),
        "S": st.sampled_from([None, "", " ", "CD4", "TIME_MSW"]),
    }
)
FURTHER = st.fixed_dictionaries(
    {},
    optional={
        "$TIMESTEP": st.sampled_from(["", "0", "0.01", "x"]),
        "$SPILLOVER": st.sampled_from(["", "2,1,2,1,0.1,0.25,1", "2,A,B,1,0,0,1", "2,<A>,B ,1,0.5,0,1", "3,x"]),
        "SPILL": st.sampled_from(["2,A,C,1,0,0.3,1", "2,A,A,1,0,0,1"]),
        "$COM": st.sampled_from(["", "µL", "王小明", "a!!b"]),
        "$MODE": st.sampled_from(["", "l", "L "]),
        "$NEXTDATA": st.sampled_from(["", "77", "x"]),
    },
)


@given(
    st.lists(ODD, min_size=1, max_size=4),
    FURTHER,
    st.sampled_from(["F", "D", "I", "packed"]),
    st.sampled_from(["1,2,3,4", "4,3,2,1"]),
    st.sampled_from(["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"]),
    st.binary(min_size=64, max_size=64),
)
def test_whatever_is_odd_is_copied_without_it(
    tmp_path: Path, odd: list[dict[str, str | None]], further: dict[str, str], kind: str, byteord: str, version: str,
    content: bytes,
) -> None:  # fmt: skip
    bits = {"F": [32] * 4, "D": [64] * 4, "I": [16, 8, 24, 32], "packed": [10, 12, 3, 16]}[kind][: len(odd)]
    keywords = {f"$P{i}{key}": text for i, own in enumerate(odd, 1) for key, text in own.items() if text is not None}
    columns = [np.zeros(2, "u2")] * len(odd)
    path = build_fcs(
        tmp_path / "a.fcs", columns, version=version, datatype="I" if kind == "packed" else kind, byteord=byteord,
        bits=bits, data=content[: -(-sum(bits) * 2 // 8)], extra={**keywords, **further}, delimiter="!",
        text_encoding="utf-8",
    )  # fmt: skip
    try:
        old = read_fcs(path)
    except FcsError:
        return  # a matter of the reader
    event(f"repairs: {min(len(old.repairs), 5)}")
    try:
        new = copy(old, tmp_path / "b.fcs", version="3.2", keywords={"$CYT": "x"})
    except FcsError:
        # a logarithmic range that does not fit its 10 bits, or a clock's low word of 10 bits: no octets can say that
        odd_range = [c for c in old.channels if c.amplification[0] and not 1 < c.range <= 2**c.bits]
        if not any(c.bits % 8 and (c.is_time or c in odd_range) for c in old.channels):
            raise
        return
    clocks = [channel.pnn for channel in old.channels if channel.is_time]
    assert [channel.pnn for channel in new.channels if channel.is_time] == clocks
    detectors = old.spillover.detectors if old.spillover is not None else ("",)
    told = all(old.names.count(name) == 1 and "," not in name for name in detectors)
    assert (new.spillover is not None) == told
    if told and old.spillover is not None and new.spillover is not None:
        assert new.spillover.detectors == old.spillover.detectors
        assert new.spillover.values.tobytes() == old.spillover.values.tobytes()


def test_floats_with_amplification_or_no_range(tmp_path: Path) -> None:
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra={"$P1E": "4,1", "$P1R": "1e5"}, drop=("$P2R",)))
    new = copy(old, tmp_path / "b.fcs")
    assert replaced(new) == {"$P1E": "4,1", "$P2R": None}
    assert [new.keywords[key] for key in ("$P1E", "$P1R", "$P2R")] == ["0,0", "1e5", "262144"]


@pytest.mark.parametrize(
    ("bits", "data", "keywords", "expected"),
    [
        # two events of 10 + 6 bits, a stream of bits from the least
        ([10, 6], (0x3FF | 5 << 10).to_bytes(2, "little") + (1 | 63 << 10).to_bytes(2, "little"),
         {"$P1R": "1024", "$P2R": "64"}, [("I", 16, 1024), ("I", 8, 64)]),
        # a range wider than the bits: nothing above them was ever read
        ([10, 6], (0x3FF | 5 << 10).to_bytes(2, "little") * 2,
         {"$P1R": "65536", "$P2R": "256"}, [("I", 16, 1024), ("I", 8, 64)]),
        ([24, 8], bytes([1, 2, 3, 4, 5, 6, 255, 8]), {"$P1R": "16777216", "$P2R": "256"},
         [("I", 24, 16777216), ("I", 8, 256)]),
        ([32, 32], bytes(range(16)), {"$BYTEORD": "3,4,1,2", "$P1R": "4294967296", "$P2R": "4294967296"},
         [("I", 32, 4294967296), ("I", 32, 4294967296)]),
        ([3, 2], b"12 3456 7 ", {"$DATATYPE": "A"}, [("D", 64, 1024), ("D", 64, 1024)]),
    ],
    ids=["packed", "packed, wide range", "24 bits", "3412", "ASCII"],
)  # fmt: skip
def test_rare_storage_becomes_ordinary(
    tmp_path: Path, bits: list[int], data: bytes, keywords: dict[str, str], expected: list[tuple[str, int, float]]
) -> None:
    columns = [np.zeros(2, "u2")] * 2
    path = build_fcs(
        tmp_path / "a.fcs", columns, version="FCS3.0", datatype="I", bits=bits, data=data, extra=keywords
    )  # fmt: skip
    new = copy(read_fcs(path), tmp_path / "b.fcs")
    assert [(channel.datatype, channel.bits, channel.range) for channel in new.channels] == expected


def test_mixed_types_need_3_2(tmp_path: Path) -> None:
    columns = [F4, np.array([1, 2, 3], "u2"), np.array([0.1, 0.2, 0.3])]
    extra = {"$P2DATATYPE": "I", "$P3DATATYPE": "D", "$CYT": "x"}
    for byteord in ("1,2,3,4", "4,3,2,1"):
        old = read_fcs(build_fcs(tmp_path / "a.fcs", columns, version="FCS3.2", byteord=byteord, extra=extra))
        with pytest.raises(FcsError, match=r"b\.fcs: channels of types D and F and I .*version='3\.2'"):
            write_fcs(old, tmp_path / "b.fcs")
        new = copy(old, tmp_path / "b.fcs", version="3.2")
        assert [channel.datatype for channel in new.channels] == ["F", "I", "D"]


def test_3_2_demands_a_cytometer_and_forbids_gain_on_time(tmp_path: Path) -> None:
    extra = {"$P1N": "Time", "$TIMESTEP": "0.01", "$P1G": "1.0", "$P2G": "1.0", "$P3E": "4,1", "$P3G": "1"}
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [U2] * 3, datatype="I", extra=extra), strict=True)
    with pytest.raises(FcsError, match="demands the cytometer"):
        write_fcs(old, tmp_path / "b.fcs", version="3.2")
    new = copy(old, tmp_path / "b.fcs", version="3.2", keywords={"$cyt": "not said"})
    assert [new.keywords.get(key) for key in ("$CYT", "$P1G", "$P2G", "$P3G")] == ["not said", None, "1.0", None]
    assert replaced(new) == {"$P1G": "1.0", "$P3G": "1"}
    assert [copy(old, tmp_path / "c.fcs").keywords[key] for key in ("$P1G", "$P3G")] == ["1.0", "1"]


def test_keywords_that_the_version_does_not_know_lose_their_dollar(tmp_path: Path) -> None:
    extra = {
        "$CYT": "x", "$BEGINDATETIME": "2024-03-09T23:59:58.256+01:00", "$ENDDATETIME": "soon", "$CARRIERID": "p7",
        "$P1TAG": "FITC", "$VOL": "12",
    }  # fmt: skip
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], version="FCS3.2", extra=extra))
    new = copy(old, tmp_path / "b.fcs").keywords
    assert not set(extra) - {"$CYT", "$VOL"} & set(new)
    assert {key: new.get(key) for key in ("BEGINDATETIME", "ENDDATETIME", "CARRIERID", "P1TAG", "$VOL")} == {
        "BEGINDATETIME": "2024-03-09T23:59:58.256+01:00", "ENDDATETIME": "soon", "CARRIERID": "p7", "P1TAG": "FITC",
        "$VOL": "12",
    }  # fmt: skip
    assert [new.get(key) for key in ("$DATE", "$BTIM", "$ETIM")] == ["09-MAR-2024", "23:59:58.25", None]
    same = copy(old, tmp_path / "c.fcs", version="3.2").keywords
    assert extra.items() <= same.items()
    # what was no standard keyword in its own version either stays as its writer had it
    cytek = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], version="FCS3.0", extra={"$P1TYPE": "Raw", "$COMP": "1,0"}))
    kept = copy(cytek, tmp_path / "d.fcs").keywords
    assert (kept["$P1TYPE"], kept["COMP"], "$COMP" in kept) == ("Raw", "1,0", False)


def test_a_dollar_that_cannot_be_lost(tmp_path: Path) -> None:
    extra = {"$COMP": "1,0", "COMP": "mine"}
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4], version="FCS3.0", extra=extra))
    with pytest.raises(FcsError, match=r"\$COMP is unknown to FCS3.1, and COMP is there with another value"):
        write_fcs(old, tmp_path / "b.fcs")
    new = copy(old, tmp_path / "b.fcs", keep=lambda key: key != "$COMP")
    assert new.keywords["COMP"] == "mine"


def test_a_matrix_is_copied_as_it_was_read(tmp_path: Path) -> None:
    by_number = "2,1,2,1,0.1,0.25,1"
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra={"$SPILLOVER": by_number}))
    new = copy(old, tmp_path / "b.fcs")
    assert new.keywords["$SPILLOVER"] == "2,C1,C2,1.0,0.1,0.25,1.0"
    assert replaced(new) == {"$SPILLOVER": by_number}
    # a matrix that no rule reads cannot stay where readers look for one
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra={"SPILL": "2,C1,XX,1,0,0,1", "SPILLOVER": "3,x"}))
    new = copy(old, tmp_path / "b.fcs")
    assert new.spillover is None
    assert replaced(new) == {"SPILL": "2,C1,XX,1,0,0,1", "SPILLOVER": "3,x"}
    # one that is read is not touched, under whatever name
    spill = {"SPILL": "2,C2,C1,1,0.100,0.25,1"}
    new = copy(read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra=spill)), tmp_path / "b.fcs")
    assert new.keywords["SPILL"] == spill["SPILL"]
    assert replaced(new) == {}
    given = copy(new, tmp_path / "c.fcs", spillover=(["C1", "C2"], [[1, 0.5], [0, 1]]))
    assert "SPILL" not in given.keywords
    assert given.spillover is not None
    assert given.spillover.values.tolist() == [[1.0, 0.5], [0.0, 1.0]]


def test_chosen_and_changed_keywords(tmp_path: Path) -> None:
    extra = {
        "$CYT": "x", "$OP": "Ann Lee", "$P1S": "Ann", "$P1G": "2", "$P1E": "4,0", "$SPILLOVER": "2,1,2,1,0,0,1",
        "$P2N": "Time", "$P2S": "ticks", "$TIMESTEP": "0.5", "NAME": "Ann",
    }  # fmt: skip
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4, F4], extra=extra, tail=b"00000000"))
    new = copy(old, tmp_path / "b.fcs", keep=["$CYT"], keywords={"Mine": "1", "$OP": "-", "name": None})
    layout = {f"$P{i}{letter}" for i in (1, 2) for letter in "BENR"}
    assert set(new.keywords) == layout | {
        "$BEGINANALYSIS", "$BEGINDATA", "$BEGINSTEXT", "$ENDANALYSIS", "$ENDDATA", "$ENDSTEXT", "$NEXTDATA", "$PAR",
        "$TOT", "$BYTEORD", "$DATATYPE", "$MODE", "$P1G", "$P2S", "$TIMESTEP", "$CYT", "$OP", "MINE",
        "IL2CYTO_REPLACED",
    }  # fmt: skip
    assert b"Ann" not in (tmp_path / "b.fcs").read_bytes()
    assert (new.keywords["$OP"], new.keywords["$P1G"], replaced(new)) == ("-", "2", {"$P1E": "4,0"})
    without = copy(old, tmp_path / "c.fcs", keywords={"$op": None})
    assert "$OP" not in without.keywords
    assert without.keywords["NAME"] == "Ann"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ["A"]}, "channels= cannot be given here: a sample has its own"),
        ({"timestep": 1.0}, "timestep= cannot be given here"),
        ({"keywords": {"$P1G": "3"}}, "set by the writer"),
        ({"keywords": {"$TIMESTEP": "3"}}, "set by the writer"),
        ({"keywords": {"$SPILLOVER": "3"}}, "set by the writer"),
        ({"spillover": (["X"], [[1]])}, "spillover names must be channels"),
    ],
)
def test_what_a_sample_decides_itself(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    old = read_fcs(build_fcs(tmp_path / "a.fcs", [F4]))
    with pytest.raises(FcsError, match=message):
        write_fcs(old, tmp_path / "b.fcs", **options)
    assert not (tmp_path / "b.fcs").exists()


def test_chosen_events_are_rows_of_the_same_bytes(tmp_path: Path) -> None:
    columns = [np.array([1, 2, 3, 4], "u1"), np.array([10, 20, 30, 40], "u4")]
    extra = {"$P1R": "256", "$P2R": "4294967296", "$FIL": "a.fcs", "$ORIGINALITY": "Original"}
    old = read_fcs(build_fcs(tmp_path / "a.fcs", columns, datatype="I", byteord="4,3,2,1", extra=extra))
    write_fcs(old, tmp_path / "b.fcs", events=[0, 2])
    new = read_fcs(tmp_path / "b.fcs", strict=True)
    assert bytes(new.data) == bytes([1, 0, 0, 0, 10, 3, 0, 0, 0, 30])
    assert [new.keywords[key] for key in ("$TOT", "$FIL", "$ORIGINALITY")] == ["2", "a.fcs", "DataModified"]
    write_fcs(old, tmp_path / "b.fcs", events=old.events[:, 0] > 9)
    assert read_fcs(tmp_path / "b.fcs", strict=True).events.shape == (0, 2)


def test_the_origin_is_never_replaced(tmp_path: Path) -> None:
    path = build_fcs(tmp_path / "a.fcs", [F4])
    before = path.read_bytes()
    (tmp_path / "link.fcs").symlink_to(path)
    for target in (path, tmp_path / "link.fcs"):
        with pytest.raises(OutputError, match="is the file that the sample is read from; choose another name"):
            write_fcs(read_fcs(path), target)
    assert path.read_bytes() == before


def test_storage_that_no_keywords_describe(tmp_path: Path) -> None:
    # numbers in ASCII are held as doubles, and doubles have no amplification
    path = build_fcs(
        tmp_path / "a.fcs", [np.zeros(1, "u2")], datatype="A", bits=[3], data=b"512", extra={"$P1E": "4,1"}
    )  # fmt: skip
    old = read_fcs(path)
    assert old.events.tolist() == [[100.0]]
    with pytest.raises(FcsError, match=r"b\.fcs: the sample's storage cannot be written so that it reads the same"):
        write_fcs(old, tmp_path / "b.fcs")
    assert not (tmp_path / "b.fcs").exists()


@pytest.mark.reference
def test_reference_files(reference: Path, tmp_path: Path) -> None:
    """Every data set of the vendors' collection: same bytes, same events, same matrix, nothing left to repair."""
    counted = 0
    for path in sorted((reference / "cytometers").rglob("*")):
        if path.suffix.lower() not in (".fcs", ".lmd"):
            continue
        try:
            n = len(open_datasets(path))
        except FcsError:
            continue  # two files that cannot be read at all
        for k in range(n):
            old = read_fcs(path, dataset=k)
            for version in ("3.1", "3.2"):
                cytometer = None if old.keywords.get("$CYT", "").strip() else {"$CYT": "-"}
                new = copy(old, tmp_path / "copy.fcs", version=version, keywords=cytometer)
                assert (old.spillover is None) == (new.spillover is None)
                if old.spillover is not None and new.spillover is not None:
                    assert old.spillover.values.tobytes() == new.spillover.values.tobytes()
            counted += 1
    assert counted > 20
