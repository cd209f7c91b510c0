"""HEADER and TEXT as they are written: offsets, delimiters, and what no file may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs
from il2cyto.fcs.head import NO_CRC, render_head

LAYOUT = {
    "$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L", "$PAR": "1", "$TOT": "2",
    "$P1N": "A", "$P1B": "32", "$P1E": "0,0", "$P1R": "1024",
}  # fmt: skip
DATA = bytes.fromhex("0000803f00000040")  # 1, 2


def pairs(head: bytes) -> dict[str, str]:
    """Split TEXT where nothing is doubled."""
    words = head[58:].decode()[1:-1].split(chr(head[58]))
    return dict(zip(words[::2], words[1::2], strict=True))


def header(head: bytes) -> list[int]:
    return [int(head[10 + 8 * i : 18 + 8 * i]) for i in range(6)]


@pytest.mark.parametrize("version", ["FCS3.0", "FCS3.1", "FCS3.2"])
def test_offsets_stand_in_header_and_text(version: str) -> None:
    head = render_head(LAYOUT, 8, version=version, name="a.fcs")
    assert head[:10] == version.encode() + b"    "
    assert header(head) == [58, len(head) - 1, len(head), len(head) + 7, 0, 0]
    own = {key: value for key, value in pairs(head).items() if key not in LAYOUT}
    assert own == {
        "$BEGINANALYSIS": "0", "$BEGINDATA": str(len(head)), "$BEGINSTEXT": "0",
        "$ENDANALYSIS": "0", "$ENDDATA": str(len(head) + 7), "$ENDSTEXT": "0", "$NEXTDATA": "0",
    }  # fmt: skip


def test_version_2_has_offsets_in_header_only() -> None:
    head = render_head(LAYOUT, 8, version="FCS2.0", name="a.fcs")
    assert header(head) == [58, len(head) - 1, len(head), len(head) + 7, 0, 0]
    assert pairs(head) == {"$NEXTDATA": "0", **LAYOUT}


@pytest.mark.parametrize("n", [99_999_000, 99_999_999, 10**10, 10**13])
def test_offsets_that_header_cannot_hold(n: int) -> None:
    head = render_head(LAYOUT, n, name="a.fcs")
    data = [len(head), len(head) + n - 1] if n == 99_999_000 else [0, 0]
    assert header(head) == [58, len(head) - 1, *data, 0, 0]
    assert (pairs(head)["$BEGINDATA"], pairs(head)["$ENDDATA"]) == (str(len(head)), str(len(head) + n - 1))


def test_the_last_byte_that_header_can_name() -> None:
    length = len(render_head(LAYOUT, 99_999_000, name="a.fcs"))
    for end, expected in ((99_999_999, (length, 99_999_999)), (100_000_000, (0, 0))):
        # one digit more in $ENDDATA shifts nothing but the end itself
        head = render_head(LAYOUT, end - length + 1, name="a.fcs")
        assert tuple(header(head)[2:4]) == expected
        assert int(pairs(head)["$ENDDATA"]) == end + len(head) - length


def test_version_2_says_what_to_do_when_it_is_too_small() -> None:
    with pytest.raises(FcsError, match=r"^a\.fcs: DATA would end at byte \d{9}, FCS 2.0 ends at .*write version 3.1"):
        render_head(LAYOUT, 99_999_999, version="FCS2.0", name="a.fcs")
    assert header(render_head(LAYOUT, 99_999_000, version="FCS2.0", name="a.fcs"))[3] > 99_999_000


def test_no_data_is_no_segment() -> None:
    head = render_head(LAYOUT | {"$TOT": "0"}, 0, name="a.fcs")
    assert header(head)[2:] == [0, 0, 0, 0]
    assert (pairs(head)["$BEGINDATA"], pairs(head)["$ENDDATA"]) == ("0", "0")


@pytest.mark.parametrize(
    ("version", "n"), [("FCS2.0", 0), ("FCS2.0", 8), ("FCS3.1", 0), ("FCS3.1", 8), ("FCS3.2", 10**9)]
)
def test_the_next_data_set_begins_where_this_one_ends(version: str, n: int) -> None:
    head = render_head(LAYOUT, n, version=version, name="a.fcs", followed=True)
    assert pairs(head)["$NEXTDATA"] == str(len(head) + n + 8)


def test_offsets_of_the_source_are_replaced() -> None:
    stale = {"$begindata": "5", "$NEXTDATA": "77", "$ENDSTEXT": "x", "$BEGINANALYSIS": ""}
    assert render_head(stale | LAYOUT, 8, name="a.fcs") == render_head(LAYOUT, 8, name="a.fcs")


@pytest.mark.parametrize(
    ("value", "delimiter"),
    [
        ("plain", "|"),
        ("a|b", "/"),
        ("|/!", "\\"),
        ("|/!\\\f\x1e#~;*@%&=", "\x01"),
        ("|/!\\\f\x1e#~;*@%&=\x01\x02", "\x03"),
    ],
)
def test_the_delimiter_occurs_nowhere_else(value: str, delimiter: str) -> None:
    assert chr(render_head(LAYOUT | {"X": value}, 8, name="a.fcs")[58]) == delimiter


def test_a_delimiter_is_doubled_when_all_are_used(tmp_path: Path) -> None:
    every = "".join(map(chr, range(1, 127)))
    head = render_head(LAYOUT | {"X": f"a{every}b", "Y": "|x"}, 8, name="a.fcs")
    # "|" stands at the edge of a value, where doubled it would read as the delimiter and an empty word
    assert head[58:59] == b"/"
    assert b"-.//0" in head
    (tmp_path / "a.fcs").write_bytes(head + DATA + NO_CRC)
    sample = read_fcs(tmp_path / "a.fcs")
    assert (sample.keywords["X"], sample.keywords["Y"]) == (f"a{every}b", "|x")
    edges = {f"K{i}": chr(i) for i in range(1, 127)}
    with pytest.raises(FcsError, match="use every possible delimiter"):
        render_head(LAYOUT | edges, 8, name="a.fcs")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"": "x"}, "keys are printable ASCII, not empty"),
        ({" A": "x"}, "without outer spaces"),
        ({"µ": "x"}, "keys are printable ASCII"),
        ({"A\n": "x"}, "keys are printable ASCII"),
        ({"Ab": "x", "aB": "y"}, "keyword aB is there twice"),
        ({"$tot": "5"}, "is there twice"),
        ({"$COM": ""}, r"keyword \$COM has an empty value"),
        ({"$COM": "\udc80"}, r"no Unicode character"),
    ],
)
def test_what_cannot_be_written(keywords: dict[str, str], message: str) -> None:
    with pytest.raises(FcsError, match=message) as caught:
        render_head(LAYOUT | keywords, 8, name="a.fcs")
    assert str(caught.value).startswith("a.fcs: ")


def test_messages_for_results_withhold_keywords() -> None:
    with pytest.raises(FcsError) as caught:
        render_head({"LEE ANN": ""}, 8, name="Lee.fcs")
    assert "L" not in caught.value.public.replace("FCS", "")


def test_a_word_for_empty_values() -> None:
    assert pairs(render_head({"$COM": "", "A": "x"}, 8, name="a.fcs", empty="-"))["$COM"] == "-"


@pytest.mark.parametrize("version", ["FCS4.0", "3.1", ""])
def test_unknown_versions(version: str) -> None:
    with pytest.raises(FcsError, match=r"wanted one of FCS2.0, FCS3.0, FCS3.1, FCS3.2"):
        render_head(LAYOUT, 8, version=version, name="a.fcs")


KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30).filter(
    lambda key: key == key.strip() and not key.startswith("$")
)
VALUES = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), min_size=1, max_size=300)


@given(st.dictionaries(KEYS, VALUES, max_size=8), st.sampled_from(["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"]))
def test_any_keywords_read_back(tmp_path: Path, keywords: dict[str, str], version: str) -> None:
    unique = {key.upper(): value for key, value in keywords.items()}
    (tmp_path / "a.fcs").write_bytes(render_head(unique | LAYOUT, 8, version=version, name="a.fcs") + DATA + NO_CRC)
    sample = read_fcs(tmp_path / "a.fcs")
    assert {key: sample.keywords[key] for key in unique} == unique
    assert sample.events.tolist() == [[1.0], [2.0]]
