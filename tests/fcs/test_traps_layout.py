"""Traps of HEADER, offsets, segments and chained data sets: each the smallest file that shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bytes_of import Claim, DataSet, chain, text_of, told, words

from il2cyto.errors import FcsError
from il2cyto.fcs import open_dataset, open_datasets, read_fcs, read_fcs_header
from il2cyto.fcs.header import other_segments
from il2cyto.sample import Repair

EVENTS = [[1, 2], [3, 4], [500, 65535]]
TWO = {"data": words(EVENTS), "bits": (16, 16)}


def check(path: Path, made: DataSet, repairs: list[tuple[str, str, str, bool]]) -> None:
    """Read what was made, and with strict: the error must name each deviation."""
    made.to(path)
    sample = read_fcs(path)
    assert sample.events.tolist() == EVENTS
    assert told(sample.repairs) == repairs
    if not repairs:
        assert read_fcs(path, strict=True).n_events == 3
        return
    with pytest.raises(FcsError) as caught:
        read_fcs(path, strict=True)
    assert str(caught.value) == (
        f"{path.name}: deviates from the standard ({'; '.join(f'{key}: {found}' for key, found, *_ in repairs)}); "
        "read without strict to accept the repairs"
    )


# 1. HEADER


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
def test_trap_1_offsets_are_inclusive_in_every_version(tmp_path: Path, version: str) -> None:
    made = DataSet(**TWO, version=version)
    content = made.build()
    assert int(content[34:42]) - int(content[26:34]) + 1 == 12
    check(tmp_path / "a.fcs", made, [])


def test_trap_1_offsets_count_from_the_start_of_their_data_set(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(chain(DataSet(**TWO), DataSet(data=words([[7], [8]]))))
    assert read_fcs(path, dataset=1).events.tolist() == [[7.0], [8.0]]
    assert read_fcs(path, dataset=1).repairs == ()


def test_trap_1_offsets_may_stand_left_or_end_with_nul(tmp_path: Path) -> None:
    content = bytearray(DataSet(**TWO).build())
    begin = int(content[26:34])
    content[26:34] = str(begin).encode().ljust(8)
    content[34:42] = str(begin + 11).encode().ljust(8, b"\0")
    (tmp_path / "a.fcs").write_bytes(content)
    sample = read_fcs(tmp_path / "a.fcs")
    assert sample.events.tolist() == EVENTS
    assert sample.repairs == (Repair("HEADER DATA", "numbers not at the right of their places", "as read", False),)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (("", ""), "HEADER places TEXT at bytes 0 to 0, which cannot be; the header is damaged"),
        ((-58, 400), "HEADER places TEXT at bytes -58 to 400, which cannot be; the header is damaged"),
        ((20, 400), "HEADER places TEXT at bytes 20 to 400, which cannot be; the header is damaged"),
        ((400, 58), "HEADER places TEXT at bytes 400 to 58, which cannot be; the header is damaged"),
        (("5x", 400), "HEADER offset '5x' of TEXT is no number; the header is damaged"),
        ((58, 99999999), r"HEADER places TEXT at bytes 58 to 99999999, but the file has \d+; it is cut short"),
    ],
)
def test_trap_1_text_at_no_possible_place(tmp_path: Path, claim: Claim, message: str) -> None:
    path = DataSet(**TWO, claims={"HEADER TEXT": claim}).to(tmp_path / "a.fcs")
    for read in (read_fcs, read_fcs_header, open_datasets):
        with pytest.raises(FcsError, match=rf"^a\.fcs: {message}$"):
            read(path)


@pytest.mark.parametrize("cell", ["junk", "1e4", "0x10", "½"])
def test_trap_1_data_offsets_that_are_no_numbers_leave_it_to_text(tmp_path: Path, cell: str) -> None:
    made = DataSet(**TWO, claims={"HEADER DATA": (cell, 99)})
    check(tmp_path / "a.fcs", made, [("HEADER DATA", f"{cell!r} and '99'", "0 and 0", False)])


def test_trap_1_blank_header_offsets_of_data_and_analysis(tmp_path: Path) -> None:
    check(tmp_path / "a.fcs", DataSet(**TWO, claims={"HEADER DATA": ("", ""), "HEADER ANALYSIS": ("", "")}), [])


# 2. large files


def test_trap_2_zero_in_header_leaves_it_to_text(tmp_path: Path) -> None:
    check(tmp_path / "a.fcs", DataSet(**TWO, claims={"HEADER DATA": (0, 0)}), [])


@pytest.mark.parametrize("end", [0, 99999999])
def test_trap_2_split_offsets(tmp_path: Path, end: int) -> None:
    made = DataSet(**TWO, claims={"HEADER DATA": lambda begin, _: (begin, end)})
    begin = int(made.build()[26:34])
    repair = ("HEADER DATA", f"{begin} to {end}", f"{begin} to where $ENDDATA or $TOT says", False)
    check(tmp_path / "a.fcs", made, [repair])


@pytest.mark.parametrize("end", [0, 99999999])
def test_trap_2_split_offsets_where_text_says_nothing(tmp_path: Path, end: int) -> None:
    claims: dict[str, Claim] = {"HEADER DATA": lambda begin, _: (begin, end), "DATA": (0, 0)}
    made = DataSet(**TWO, claims=claims, crc=b"00000000")
    begin = int(made.build()[26:34])
    check(
        tmp_path / "a.fcs",
        made,
        [
            ("HEADER DATA", f"{begin} to {end}", f"{begin} to where $ENDDATA or $TOT says", False),
            ("$ENDDATA", f"HEADER {begin} to ?", f"{begin + 11}, as $TOT demands", False),
            ("$BEGINDATA", "missing or impossible", f"HEADER: {begin} to {begin + 11}", False),
        ],
    )


def test_trap_2_text_behind_data(tmp_path: Path) -> None:
    check(tmp_path / "a.fcs", DataSet(**TWO, order=("DATA", "TEXT")), [])
    check(tmp_path / "b.fcs", DataSet(**TWO, order=("DATA", "TEXT"), crc=b"00000000"), [])


def test_trap_2_offsets_past_the_header_s_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    made = DataSet(**TWO, claims={"HEADER DATA": (0, 0), "DATA": (100_000_000, 100_000_011)})
    content = made.build()[:-12]
    with path.open("wb") as handle:
        handle.write(content)
        handle.seek(100_000_000)
        handle.write(words(EVENTS))
    assert read_fcs(path, strict=True).events.tolist() == EVENTS
    assert read_fcs_header(path).n_events == 3


def test_trap_2_events_behind_which_text_stands_are_no_offsets_of_other_segments(tmp_path: Path) -> None:
    # ASCII events are digits and blanks, as offsets are
    data = b"".join(f"{value:8d}".encode() for value in (66, 70, 71, 75))
    made = DataSet(data, bits=(8, 8), n=2, datatype="A", order=("DATA", "TEXT"))
    path = made.to(tmp_path / "a.fcs")
    assert read_fcs(path, strict=True).events.tolist() == [[66.0, 70.0], [71.0, 75.0]]
    assert open_dataset(path).others == ()


# 3. ends, disagreement


@pytest.mark.parametrize("which", [("HEADER DATA", "DATA"), ("HEADER DATA",), ("DATA",)])
@pytest.mark.parametrize("tail", [b"", b"x", b"00000000"])
def test_trap_3_end_one_too_large(tmp_path: Path, which: tuple[str, ...], tail: bytes) -> None:
    made = DataSet(**TWO, claims=dict.fromkeys(which, lambda begin, end: (begin, end + 1)), tail=tail)
    begin = made.build().index(words(EVENTS))
    ends = [begin + 11 + ("HEADER DATA" in which), begin + 11 + ("DATA" in which)]
    found = f"HEADER {begin} to {ends[0]}, TEXT {begin} to {ends[1]}"
    check(tmp_path / "a.fcs", made, [("$ENDDATA", found, f"{begin + 11}, as $TOT demands", False)])


def test_trap_3_end_one_too_large_where_an_event_is_one_byte(tmp_path: Path) -> None:
    claims: dict[str, Claim] = dict.fromkeys(("HEADER DATA", "DATA"), lambda begin, end: (begin, end + 1))
    sample = read_fcs(DataSet(b"\1\2\3", bits=(8,), claims=claims, tail=b"x").to(tmp_path / "a.fcs"))
    assert sample.events[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert [repair.keyword for repair in sample.repairs] == ["$ENDDATA"]


def test_trap_3_text_end_one_too_large(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"HEADER TEXT": lambda begin, end: (begin, end + 1)})
    check(tmp_path / "a.fcs", made, [("TEXT", "1 bytes behind its last delimiter", "ignored", False)])
    last = DataSet(**TWO, order=("DATA", "TEXT"), claims=made.claims)
    size = len(last.build())
    repair = ("HEADER TEXT", f"70 to {size}, one byte behind the file", f"to {size - 1}", False)
    check(tmp_path / "b.fcs", last, [repair])


@pytest.mark.parametrize("claim", [(0, -1), (0, 0), ("", "")])
def test_trap_3_no_events_and_no_data(tmp_path: Path, claim: Claim) -> None:
    text = (0, -1) if claim == (0, -1) else (0, 0)
    made = DataSet(bits=(16, 16), n=0, claims={"HEADER DATA": claim, "DATA": text})
    sample = read_fcs(made.to(tmp_path / "a.fcs"), strict=True)
    assert sample.events.shape == (0, 2)


def test_trap_3_negative_offsets_are_said_and_left(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"HEADER DATA": (-5, 400)})
    check(tmp_path / "a.fcs", made, [("HEADER DATA", "-5 to 400", "nothing: an offset is never negative", True)])
    both = DataSet(**TWO, claims={"HEADER DATA": (-5, 400), "DATA": (-7, 9)})
    with pytest.raises(FcsError, match=r"^a\.fcs: \$TOT announces 3 events but no DATA segment is given$"):
        read_fcs(both.to(tmp_path / "a.fcs"))


def test_trap_3_missing_begindata_and_enddata(tmp_path: Path) -> None:
    made = DataSet(**TWO, keys={"$BEGINDATA": None, "$ENDDATA": None})
    begin = made.build().index(words(EVENTS))
    repair = ("$BEGINDATA", "missing or impossible", f"HEADER: {begin} to {begin + 11}", False)
    check(tmp_path / "a.fcs", made, [repair])
    # FCS 2.0 knew no such keywords
    check(tmp_path / "b.fcs", DataSet(**TWO, keys=made.keys, version="FCS2.0"), [])


def test_trap_3_offsets_in_text_that_are_no_numbers(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"DATA": ("soon", "later")})
    begin = made.build().index(words(EVENTS))
    check(
        tmp_path / "a.fcs",
        made,
        [
            ("$BEGINDATA", "soon", "nothing: no whole number", True),
            ("$ENDDATA", "later", "nothing: no whole number", True),
            ("$BEGINDATA", "missing or impossible", f"HEADER: {begin} to {begin + 11}", False),
        ],
    )


def test_trap_3_header_inside_text_disagrees_and_loses(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"HEADER DATA": (100, 111)})
    begin = made.build().index(words(EVENTS))
    found = f"HEADER 100 to 111, TEXT {begin} to {begin + 11}"
    check(tmp_path / "a.fcs", made, [("$BEGINDATA", found, f"TEXT: {begin} to {begin + 11}", True)])


def test_trap_3_events_are_never_taken_from_text(tmp_path: Path) -> None:
    # no other segment is beside the right place, so only that the wrong one lies in TEXT decides
    made = DataSet(**TWO, gaps={"DATA": bytes(16)}, claims={"HEADER DATA": (100, 111)})
    begin = made.build().index(words(EVENTS))
    found = f"HEADER 100 to 111, TEXT {begin} to {begin + 11}"
    check(tmp_path / "a.fcs", made, [("$BEGINDATA", found, f"TEXT: {begin} to {begin + 11}", True)])


def test_trap_3_text_that_points_into_text_disagrees_and_loses(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"DATA": (100, 111)})
    begin = made.build().index(words(EVENTS))
    found = f"HEADER {begin} to {begin + 11}, TEXT 100 to 111"
    check(tmp_path / "a.fcs", made, [("$BEGINDATA", found, f"HEADER: {begin} to {begin + 11}", True)])


def test_trap_3_of_two_places_the_one_behind_another_segment(tmp_path: Path) -> None:
    for name, claim in (("HEADER DATA", "TEXT"), ("DATA", "HEADER")):
        made = DataSet(**TWO, claims={name: lambda begin, end: (begin + 4, end + 4)}, tail=b"00000000")
        begin = made.build().index(words(EVENTS))
        path = made.to(tmp_path / "a.fcs")
        sample = read_fcs(path)
        assert sample.events.tolist() == EVENTS
        assert [(r.keyword, r.assumed, r.affects_numbers) for r in sample.repairs] == [
            ("$BEGINDATA", f"{claim}: {begin} to {begin + 11}", True)
        ]


def test_trap_3_disagreement_without_evidence_is_refused(tmp_path: Path) -> None:
    made = DataSet(**TWO, gaps={"DATA": bytes(16)}, claims={"DATA": lambda begin, end: (begin - 4, end - 4)})
    with pytest.raises(FcsError, match=r"the offsets of DATA disagree \(HEADER \d+ to \d+, TEXT \d+ to \d+\) and nei"):
        read_fcs(made.to(tmp_path / "a.fcs"))


def test_trap_3_disagreement_that_tot_settles(tmp_path: Path) -> None:
    # the same begin, but one end announces room for one event less
    made = DataSet(**TWO, claims={"HEADER DATA": lambda begin, end: (begin, end - 4)})
    begin = made.build().index(words(EVENTS))
    found = f"HEADER {begin} to {begin + 7}, TEXT {begin} to {begin + 11}"
    check(tmp_path / "a.fcs", made, [("$ENDDATA", found, f"{begin + 11}, as $TOT demands", False)])


def test_trap_3_past_the_end_of_the_file(tmp_path: Path) -> None:
    # one place lies behind the file: the other is right
    made = DataSet(**TWO, claims={"HEADER DATA": (5_000_000, 5_000_011)})
    begin = made.build().index(words(EVENTS))
    found = f"HEADER 5000000 to 5000011, TEXT {begin} to {begin + 11}"
    check(tmp_path / "a.fcs", made, [("$BEGINDATA", found, f"TEXT: {begin} to {begin + 11}", True)])
    both = DataSet(**TWO, claims={"HEADER DATA": (5_000_000, 5_000_011), "DATA": (5_000_000, 5_000_011)})
    with pytest.raises(FcsError, match=r"DATA cannot be where the file says .* or the file is truncated"):
        read_fcs(both.to(tmp_path / "a.fcs"))


def test_trap_3_an_end_far_behind_the_file_is_bounded_by_tot(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims=dict.fromkeys(("HEADER DATA", "DATA"), lambda begin, _: (begin, 90_000_000)))
    begin = made.build().index(words(EVENTS))
    found = f"HEADER {begin} to 90000000, TEXT {begin} to 90000000"
    check(tmp_path / "a.fcs", made, [("$ENDDATA", found, f"{begin + 11}, as $TOT demands", False)])


# 4. $TOT


def test_trap_4_tot_too_large(tmp_path: Path) -> None:
    path = DataSet(**TWO, n=5).to(tmp_path / "a.fcs")
    with pytest.raises(
        FcsError,
        match=r"^a\.fcs: \$TOT announces 5 events \(20 bytes\) from byte \d+ on, but the file ends after 3; it",
    ):
        read_fcs(path)
    longer = DataSet(**TWO, n=5, tail=bytes(100)).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: DATA at bytes \d+ to \d+ holds 3 events, \$TOT says 5; the file is"):
        read_fcs(longer)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_trap_4_tot_too_small(tmp_path: Path, n: int) -> None:
    path = DataSet(**TWO, n=n).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=r"^a\.fcs: .*DATA at bytes \d+ to \d+ holds 3.*; the file is damaged$"):
        read_fcs(path)


@pytest.mark.parametrize("extra", [b"\0", b"abc"])
def test_trap_4_bytes_that_are_no_event_are_left(tmp_path: Path, extra: bytes) -> None:
    made = DataSet(words(EVENTS) + extra, bits=(16, 16), n=3)
    begin = made.build().index(words(EVENTS))
    end = begin + 11 + len(extra)
    found = f"HEADER {begin} to {end}, TEXT {begin} to {end}"
    check(tmp_path / "a.fcs", made, [("$ENDDATA", found, f"{begin + 11}, as $TOT demands", False)])


@pytest.mark.parametrize("tot", [None, "", "   "])
def test_trap_4_tot_missing_or_blank(tmp_path: Path, tot: str | None) -> None:
    made = DataSet(**TWO, keys={"$TOT": tot}, crc=b"00000000")
    empty = [("$TOT", "an empty value, which the standard forbids", "empty", False)] if tot == "" else []
    check(tmp_path / "a.fcs", made, [*empty, ("$TOT", "missing", "3", True)])
    header = read_fcs_header(tmp_path / "a.fcs")
    assert header.n_events is None


def test_trap_4_neither_tot_nor_an_end(tmp_path: Path) -> None:
    claims: dict[str, Claim] = {"HEADER DATA": lambda begin, _: (begin, 0), "DATA": (0, 0)}
    made = DataSet(**TWO, keys={"$TOT": None}, claims=claims, crc=b"00000000")
    with pytest.raises(FcsError, match=r"neither \$TOT nor an offset says where the events end"):
        read_fcs(made.to(tmp_path / "a.fcs"))


@pytest.mark.parametrize("tot", ["three", "-3", "3.5", "1_000", "٣", "1e999", "nan"])
def test_trap_4_tot_that_is_no_number(tmp_path: Path, tot: str) -> None:
    path = DataSet(**TWO, n=tot).to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: \$TOT is '{tot}', wanted a (whole )?number"):
        read_fcs(path)


def test_trap_4_tot_with_blanks(tmp_path: Path) -> None:
    check(tmp_path / "a.fcs", DataSet(**TWO, n="   3  "), [])


# 5. $NEXTDATA


def test_trap_5_chained_data_sets(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(
        chain(DataSet(**TWO, crc=b"00000000"), DataSet(data=words([[7], [8]])), DataSet(data=words([[9]])))
    )
    found = open_datasets(path)
    assert [(d.index, d.n_events, d.data.tobytes()) for d in found] == [
        (0, 3, words(EVENTS)), (1, 2, words([[7], [8]])), (2, 1, words([[9]])),
    ]  # fmt: skip
    for k, dataset in enumerate(found):
        sample = read_fcs(path, dataset=k, strict=True)
        assert (sample.dataset, sample.data.tobytes()) == (k, dataset.data.tobytes())
        assert dict(read_fcs_header(path, dataset=k).keywords) == dict(sample.keywords) == dict(dataset.keywords)
    first = read_fcs(path)
    assert first.events.tolist() == EVENTS
    written = first.keywords["$NEXTDATA"]
    assert told(first.repairs) == [
        (
            "$NEXTDATA",
            f"{written}: another data set of 2 events",
            "the first data set; name another by its number",
            True,
        )
    ]


@pytest.mark.parametrize("read", [read_fcs, read_fcs_header, open_dataset])
def test_trap_5_a_data_set_that_is_not_there(tmp_path: Path, read: object) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(chain(DataSet(**TWO), DataSet(**TWO)))
    with pytest.raises(FcsError, match=r"^a\.fcs: has 2 data set\(s\), counted from 0; there is no data set 2$"):
        read(path, dataset=2)  # type: ignore[operator]  # one of three functions
    with pytest.raises(FcsError, match=r"^a\.fcs: data set -1 cannot be; they are counted from 0$"):
        read(path, dataset=-1)  # type: ignore[operator]  # one of three functions


def test_trap_5_the_same_run_twice_as_beckman_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lmd"
    old = DataSet(**TWO, version="FCS2.0", byteord="1,2")
    new = DataSet(data=words(EVENTS, "<u4"), bits=(32, 32), version="FCS3.0", order=("DATA", "TEXT"))
    path.write_bytes(chain(old, new))
    sample = read_fcs(path)
    assert sample.n_events == 3
    assert told(sample.repairs) == [
        (
            "$NEXTDATA", f"{sample.keywords['$NEXTDATA']}: the same run as FCS3.0",
            "the first data set; name another by its number", False,
        )
    ]  # fmt: skip
    assert read_fcs(path, dataset=0, strict=True).version == "FCS2.0"
    assert read_fcs(path, dataset=1, strict=True).events.tolist() == EVENTS


@pytest.mark.parametrize(("version", "n"), [("FCS3.1", 3), ("FCS3.0", 2)])
def test_trap_5_same_version_or_other_number_of_events_is_another_run(tmp_path: Path, version: str, n: int) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(chain(DataSet(**TWO), DataSet(words(EVENTS[:n]), bits=(16, 16), version=version)))
    assert [(r.found.partition(": ")[2], r.affects_numbers) for r in read_fcs(path).repairs] == [
        (f"another data set of {n} events", True)
    ]


@pytest.mark.parametrize("written", ["-200", "12", "junk", "1e3", "99999999", "58", "9" * 30, "$ENDDATA"])
def test_trap_5_junk_ends_the_chain(tmp_path: Path, written: str) -> None:
    made = DataSet(**TWO, keys={"$NEXTDATA": written})
    check(tmp_path / "a.fcs", made, [("$NEXTDATA", f"{written}, where no data set is", "the last data set", False)])
    assert len(open_datasets(tmp_path / "a.fcs")) == 1


def test_trap_5_one_behind_the_end_of_data_is_no_data_set(tmp_path: Path) -> None:
    made = DataSet(**TWO, tail=b"00000000")
    length = len(made.build()) - 8
    made.keys = {"$NEXTDATA": str(length + 2)}
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == EVENTS
    assert [(r.keyword, r.assumed) for r in sample.repairs] == [("$NEXTDATA", "the last data set")]


@pytest.mark.parametrize("written", ["0", "", " ", None])
def test_trap_5_the_last_data_set_says_0_or_nothing(tmp_path: Path, written: str | None) -> None:
    sample = read_fcs(DataSet(**TWO, keys={"$NEXTDATA": written}).to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == EVENTS
    assert [r.keyword for r in sample.repairs] == (["$NEXTDATA"] if written == "" else [])


def test_trap_5_a_loop_is_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    first = DataSet(**TWO)
    length = len(chain(first, DataSet(**TWO))) // 2
    # the second points back to the first, and to itself
    for back in (str(-length), "0" * 7 + "0"):
        path.write_bytes(chain(DataSet(**TWO), DataSet(**TWO), last=back))
        assert len(open_datasets(path)) == 2
    path.write_bytes(chain(DataSet(**TWO), DataSet(**TWO), last=str(-length)))
    assert told(read_fcs(path, dataset=1).repairs) == [
        ("$NEXTDATA", f"{-length}, where no data set is", "the last data set", False)
    ]


def test_trap_5_offsets_from_the_start_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    third = DataSet(data=words([[9]])).build()
    for _ in range(3):
        head = chain(DataSet(**TWO), DataSet(**TWO), last="0")
        # the second data set counts from the start of the file: for it the third would lie behind the end
        content = chain(DataSet(**TWO), DataSet(**TWO), last=f"{len(head) + 2}")
        path.write_bytes(chain(DataSet(**TWO), DataSet(**TWO), last=str(len(content))) + third)
    assert [d.n_events for d in open_datasets(path)] == [3, 3, 1]
    found = [told(d.repairs) for d in open_datasets(path)]
    assert found == [[], [("$NEXTDATA", str(len(content)), "counted from the start of the file", False)], []]


def test_trap_5_a_second_data_set_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(chain(DataSet(**TWO), DataSet(**TWO, keys={"$PAR": "none"})))
    sample = read_fcs(path)
    written = sample.keywords["$NEXTDATA"]
    assert told(sample.repairs) == [
        ("$NEXTDATA", f"{written}: a data set that cannot be read", "the first data set alone", True)
    ]
    with pytest.raises(FcsError, match=r"\$PAR is 'none'"):
        open_datasets(path)


# 6. supplemental TEXT


def supplement(keywords: dict[str, str], **further: object) -> DataSet:
    text = text_of(keywords)
    return DataSet(**TWO, order=("TEXT", "STEXT", "DATA"), segments={"STEXT": text}, **further)  # type: ignore[arg-type]


def test_trap_6_labels_and_matrix_in_supplemental_text(tmp_path: Path) -> None:
    made = supplement({"$P1S": "CD25", "$P2S": "CD127", "$SPILLOVER": "2,C1,C2,1,0.5,0,1"})
    check(tmp_path / "a.fcs", made, [])
    sample = read_fcs(tmp_path / "a.fcs")
    assert [channel.pns for channel in sample.channels] == ["CD25", "CD127"]
    assert sample.spillover is not None
    assert sample.spillover.values.tolist() == [[1.0, 0.5], [0.0, 1.0]]
    assert dict(read_fcs_header(tmp_path / "a.fcs").keywords) == dict(sample.keywords)
    assert list(sample.keywords)[-1] == "$SPILLOVER"


def test_trap_6_behind_data_and_one_too_long(tmp_path: Path) -> None:
    made = supplement({"$P1S": "CD25"}, claims={"STEXT": lambda begin, end: (begin, end + 1)})
    made.order = ("TEXT", "DATA", "STEXT")
    check(tmp_path / "a.fcs", made, [])
    assert read_fcs(tmp_path / "a.fcs").channels[0].pns == "CD25"


def test_trap_6_primary_text_wins(tmp_path: Path) -> None:
    made = supplement({"$P1N": "other", "$P2N": "C2"})
    repair = ("$P1N", "another value in supplemental TEXT", "the value of primary TEXT", True)
    check(tmp_path / "a.fcs", made, [repair])
    assert read_fcs(tmp_path / "a.fcs").names == ("C1", "C2")


def test_trap_6_that_points_at_text_itself(tmp_path: Path) -> None:
    made = DataSet(**TWO)
    for _ in range(2):
        made.claims = {"STEXT": (58, made.build().index(words(EVENTS)) - 1)}
    end = made.build().index(words(EVENTS)) - 1
    repair = ("$BEGINSTEXT", f"58 to {end}, which is TEXT itself", "no supplemental TEXT", False)
    check(tmp_path / "a.fcs", made, [repair])


@pytest.mark.parametrize("claim", [(900_000, 900_100), (-4, 9), (30, 40), (80, 80), ("x", "y"), (90, "")])
def test_trap_6_that_points_nowhere(tmp_path: Path, claim: Claim) -> None:
    made = DataSet(**TWO, claims={"STEXT": claim})
    shown = " to ".join(str(part) or "?" for part in claim)  # type: ignore[union-attr]  # a pair
    empty = [("$ENDSTEXT", "an empty value, which the standard forbids", "empty", False)] if "" in claim else []  # type: ignore[operator]
    repair = ("$BEGINSTEXT", f"{shown}, which is not in the file", "no supplemental TEXT", True)
    check(tmp_path / "a.fcs", made, [*empty, repair])


def test_trap_6_that_points_at_garbage(tmp_path: Path) -> None:
    made = DataSet(**TWO, order=("TEXT", "STEXT", "DATA"), segments={"STEXT": b"PK\3\4" + bytes(40)})
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == EVENTS
    assert [(r.keyword, r.assumed, r.affects_numbers) for r in sample.repairs] == [
        ("$BEGINSTEXT", "no supplemental TEXT", True)
    ]
    assert sample.repairs[0].found.endswith(", where no TEXT is")
    odd = DataSet(**TWO, order=("TEXT", "STEXT", "DATA"), segments={"STEXT": b"|A|1|B|"})
    sample = read_fcs(odd.to(tmp_path / "b.fcs"))
    assert sample.repairs[0].found.endswith(", which does not parse")


@pytest.mark.parametrize("content", [b"||", b"|   |", b"|" + bytes(9)])
def test_trap_6_that_is_empty(tmp_path: Path, content: bytes) -> None:
    check(tmp_path / "a.fcs", DataSet(**TWO, order=("TEXT", "STEXT", "DATA"), segments={"STEXT": content}), [])


def test_trap_6_in_another_encoding_than_primary_text(tmp_path: Path) -> None:
    text = b"|$P1S|" + "调节性".encode("gb18030") + b"|"
    made = DataSet(
        **TWO, order=("TEXT", "STEXT", "DATA"), segments={"STEXT": text}, keys={"VOL": "5 µL"}, encoding="latin-1"
    )
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.keywords["VOL"] == "5 µL"
    assert sample.channels[0].pns == "调节性"
    assert sample.encoding == "gb18030+latin-1"
    assert [r.assumed for r in sample.repairs] == ["latin-1", "gb18030"]


# 7. CRC


@pytest.mark.parametrize(
    ("crc", "said"),
    [
        ("correct", "correct"), (b"00000000", "unused"), (b"        ", "unused"), (b"", "absent"), (b"0000", "absent"),
        (b"no check", "absent"), (b"\r\n\r\n\r\n\r\n", "unused"),
    ],
)  # fmt: skip
def test_trap_7_crc(tmp_path: Path, crc: str | bytes, said: str) -> None:
    made = DataSet(**TWO, crc=crc)
    check(tmp_path / "a.fcs", made, [])
    assert open_dataset(tmp_path / "a.fcs").crc == said
    last = DataSet(**TWO, crc=crc, order=("DATA", "TEXT"))
    assert open_dataset(last.to(tmp_path / "a.fcs")).crc == said


def test_trap_7_crc_is_the_16_bit_ccitt_one(tmp_path: Path) -> None:
    # bit by bit, as the polynomial x^16 + x^12 + x^5 + 1 says
    content = DataSet(**TWO).build()
    register = 0
    for byte in content:
        register ^= byte << 8
        for _ in range(8):
            register = ((register << 1) ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    for field in (f"{register:08X}", f"{register:08x}", f"{register:>8d}"):
        (tmp_path / "a.fcs").write_bytes(content + field.encode())
        assert open_dataset(tmp_path / "a.fcs").crc == "correct"


def test_trap_7_a_wrong_crc_is_told(tmp_path: Path) -> None:
    content = bytearray(DataSet(**TWO, crc="correct").build())
    content[-9] ^= 1
    (tmp_path / "a.fcs").write_bytes(content)
    sample = read_fcs(tmp_path / "a.fcs")
    assert sample.events.tolist() == [[1, 2], [3, 4], [500, 65279]]
    assert told(sample.repairs) == [
        (
            "CRC", content[-8:].decode(), "nothing: the checksum does not fit, so a byte may have changed", True,
        )
    ]  # fmt: skip
    with pytest.raises(FcsError, match="CRC"):
        read_fcs(tmp_path / "a.fcs", strict=True)


def test_trap_7_crc_is_no_event(tmp_path: Path) -> None:
    # an event is as long as the CRC and DATA ends with the file
    values = np.array([[1.5, 2.5]], "<f4").tobytes()
    made = DataSet(values, bits=(32, 32), datatype="F", crc=b"00000000")
    assert read_fcs(made.to(tmp_path / "a.fcs"), strict=True).events.tolist() == [[1.5, 2.5]]
    without = DataSet(values, bits=(32, 32), datatype="F", crc=b"00000000", keys={"$TOT": None})
    assert read_fcs(without.to(tmp_path / "b.fcs")).n_events == 1


# 8. OTHER and ANALYSIS


@pytest.mark.parametrize("width", [8, 10, 14])
@pytest.mark.parametrize("order", [("OTHER 1", "OTHER 2", "TEXT", "DATA"), ("TEXT", "OTHER 1", "DATA", "OTHER 2")])
def test_trap_8_other_segments(tmp_path: Path, width: int, order: tuple[str, ...]) -> None:
    segments = {"OTHER 1": b"123 settings", "OTHER 2": b"<xml/>"}
    made = DataSet(**TWO, order=order, segments=segments, other_width=width, version="FCS3.2", crc="correct")
    check(tmp_path / "a.fcs", made, [])
    opened = open_dataset(tmp_path / "a.fcs")
    assert [part.tobytes() for part in opened.others] == [b"123 settings", b"<xml/>"]
    assert opened.crc == "correct"


def test_trap_8_blank_or_zero_other_offsets(tmp_path: Path) -> None:
    for gap in (b" " * 16, b"       0       0", b" " * 198, bytes(32)):
        made = DataSet(**TWO, gaps={"TEXT": gap})
        check(tmp_path / "a.fcs", made, [])
        assert open_dataset(tmp_path / "a.fcs").others == ()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"     100     199", ((100, 199),)),
        (b"     100     199     200     200", ((100, 199), (200, 200))),
        (b"     100     999", ((100, 999),)),
        (b"       100       199", ((100, 199),)),
        (b"           100           199", ((100, 199),)),
        (b"     199     100", ()),
        (b"     100", ()),
        (b"SETTINGS=4", ()),
        (b"", ()),
    ],
)
def test_trap_8_offsets_of_other_segments(content: bytes, found: tuple[tuple[int, int], ...]) -> None:
    assert other_segments(content) == found


def test_trap_8_other_segments_beyond_the_file(tmp_path: Path) -> None:
    made = DataSet(**TWO, gaps={"TEXT": b"     100  900000  800000  900000"})
    check(
        tmp_path / "a.fcs",
        made,
        [("HEADER OTHER", "100 to 900000, 800000 to 900000", "what of it lies in the file", False)],
    )
    size = (tmp_path / "a.fcs").stat().st_size
    assert [other.size for other in open_dataset(tmp_path / "a.fcs").others] == [size - 100]


def test_trap_8_analysis_by_header_or_by_text(tmp_path: Path) -> None:
    segments = {"ANALYSIS": b"|GATE|CD4|"}
    zero: Claim = (0, 0)
    for claims in ({}, {"HEADER ANALYSIS": zero}, {"ANALYSIS": zero}):
        made = DataSet(**TWO, order=("TEXT", "DATA", "ANALYSIS"), segments=segments, claims=claims, crc="correct")
        check(tmp_path / "a.fcs", made, [])
        opened = open_dataset(tmp_path / "a.fcs")
        assert (opened.analysis.tobytes(), opened.crc) == (b"|GATE|CD4|", "correct")


def test_trap_8_analysis_outside_the_file(tmp_path: Path) -> None:
    made = DataSet(**TWO, claims={"HEADER ANALYSIS": (900_000, 900_100)})
    repair = ("$BEGINANALYSIS", "900000 to 900100, which is not in the file", "no ANALYSIS", False)
    check(tmp_path / "a.fcs", made, [repair])
    assert open_dataset(tmp_path / "a.fcs").analysis.size == 0


# header only


def test_header_of_a_file_that_ends_behind_text(tmp_path: Path) -> None:
    made = DataSet(**TWO, keys={"$P1S": "CD4"})
    whole = made.to(tmp_path / "a.fcs")
    cut = tmp_path / "cut.fcs"
    cut.write_bytes(whole.read_bytes()[:-12])
    header = read_fcs_header(cut)
    assert dict(header.keywords) == dict(read_fcs(whole).keywords)
    assert (header.n_events, header.names, header.channels) == (3, ("C1", "C2"), read_fcs(whole).channels)
    with pytest.raises(FcsError, match="truncated"):
        read_fcs(cut)


def test_header_reads_far_text_but_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = DataSet(bytes(200_000), bits=(16,), order=("DATA", "TEXT")).to(tmp_path / "a.fcs")
    places: list[tuple[int, int]] = []
    real = Path.open

    class Spy:
        def __init__(self, handle: object) -> None:
            self.handle = handle

        def __enter__(self) -> Spy:
            return self

        def __exit__(self, *_: object) -> None:
            self.handle.close()  # type: ignore[attr-defined]

        def fileno(self) -> int:
            return int(self.handle.fileno())  # type: ignore[attr-defined]

        def seek(self, at: int) -> None:
            self.handle.seek(at)  # type: ignore[attr-defined]

        def read(self, n: int) -> bytes:
            places.append((self.handle.tell(), n))  # type: ignore[attr-defined]
            return bytes(self.handle.read(n))  # type: ignore[attr-defined]

    monkeypatch.setattr(Path, "open", lambda self, *a, **k: Spy(real(self, *a, **k)))
    header = read_fcs_header(path)
    assert header.n_events == 100_000
    # the first block, in which HEADER is, and then TEXT alone
    assert places[0] == (0, 1 << 16)
    assert [first >= 200_058 for first, _ in places[1:]] == [True]
