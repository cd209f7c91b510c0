"""Traps of TEXT: delimiters, empty values, ends, padding, encodings, names that are none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from builder import build_fcs
from bytes_of import DataSet, told, words
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs, read_fcs_header
from il2cyto.fcs.text import Text, parse_text

EVENTS = [[1], [2], [65535]]
ONE = {"data": words(EVENTS), "bits": (16,)}
DELIMITERS = [*"|/\\*.^+([?!,;:#~-\"'{}", "\f", "\n", "\t", "\r", "\x1e", "\x01", " ", "@", "=", "~", "Q", "7"]


def parsed(text: bytes, version: str = "FCS3.1", encoding: str | None = None) -> Text:
    return parse_text(text, "a.fcs", version, encoding)


# 9, 10. delimiters


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_trap_9_10_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    value = f"cost $5 {delimiter} OP {delimiter}{delimiter} b"
    keys = {"COST": value, "OP": "x", "$OP": "Ann", "$P1S": f"R{delimiter}X"}
    sample = read_fcs(DataSet(**ONE, delimiter=delimiter, keys=keys).to(tmp_path / "a.fcs"), strict=True)
    assert sample.events.tolist() == EVENTS
    # no sign is stripped, no keyword overwrites another, and a doubled delimiter is one
    assert (sample.keywords["COST"], sample.keywords["OP"], sample.keywords["$OP"]) == (value, "x", "Ann")
    assert sample.channels[0].pns == f"R{delimiter}X"
    assert read_fcs_header(tmp_path / "a.fcs").delimiter == delimiter


@pytest.mark.parametrize("byte", [0, 127, 200])
def test_trap_9_a_delimiter_that_the_standard_forbids(byte: int) -> None:
    found = parsed(b"A~1~B~2~".replace(b"~", bytes([byte])).join([bytes([byte]), b""]))
    assert found.keywords == {"A": "1", "B": "2"}
    assert told(found.repairs) == [("TEXT", f"byte {byte} as delimiter", "a delimiter like ASCII 1 to 126", False)]


EMPTY = "an empty value, which the standard forbids"
STARTS = ("a value that begins with the delimiter", "that value", False)
STRAY = ("TEXT", "a second delimiter at its end", "ignored", False)


@pytest.mark.parametrize(
    ("text", "keywords", "repairs"),
    [
        # doubled inside a value
        (b"|A|1||2|B|3|", {"A": "1|2", "B": "3"}, []),
        (b"|A|1||||2|B|3|", {"A": "1||2", "B": "3"}, []),
        (b"|A|1|||B|3|", {"A": "1|", "B": "3"}, []),
        (b"|A|1||2||3|B|4|", {"A": "1|2|3", "B": "4"}, []),
        # an empty value does not swallow the next keyword
        (b"|$COM||$OP|Ann|", {"$COM": "", "$OP": "Ann"}, [("$COM", EMPTY, "empty", False)]),
        (b"|A||B||C|1|", {"A": "", "B": "", "C": "1"}, [("A", EMPTY, "empty", False), ("B", EMPTY, "empty", False)]),
        (b"|A||B||C||", dict.fromkeys("ABC", ""), [(k, EMPTY, "empty", False) for k in "ABC"]),
        (b"|A|1|B||", {"A": "1", "B": ""}, [("B", EMPTY, "empty", False)]),
        (b"|A|1|B|| \r\n", {"A": "1", "B": ""}, [
            ("TEXT", "3 bytes after the last delimiter", "padding", False), ("B", EMPTY, "empty", False),
        ]),
        # both in one segment
        (b"|A|x||y|B||C|p||||q|D||", {"A": "x|y", "B": "", "C": "p||q", "D": ""}, [
            ("B", EMPTY, "empty", False), ("D", EMPTY, "empty", False),
        ]),
        # a value that begins with the delimiter, as a Windows share does
        (b"\\$FIL\\\\\\\\\\host\\\\b\\$OP\\x\\", {"$FIL": "\\\\host\\b", "$OP": "x"}, [("$FIL", *STARTS)]),
        (b"|A|||x|B|1|", {"A": "|x", "B": "1"}, [("A", *STARTS)]),
        (b"|A||||B|1|", {"A": "|", "B": "1"}, [("A", *STARTS)]),
        (b"|A|||||x|B|1|", {"A": "||x", "B": "1"}, [("A", *STARTS)]),
        (b"|B|1|A||||", {"B": "1", "A": "|"}, [("A", *STARTS)]),
        # a stray delimiter at the end
        (b"|A|1|B|2||", {"A": "1", "B": "2"}, [STRAY]),
        (b"|A|1|B|||", {"A": "1", "B": ""}, [("B", EMPTY, "empty", False), STRAY]),
        # a literal in a keyword cannot be told from an empty value; no other keyword suffers
        (b"|R||X|1|B|2|", {"R": "", "X": "1", "B": "2"}, [("R", EMPTY, "empty", False)]),
    ],
)  # fmt: skip
def test_trap_9_doubled_delimiters(
    text: bytes, keywords: dict[str, str], repairs: list[tuple[str, str, str, bool]]
) -> None:
    found = parsed(text)
    assert found.keywords == keywords
    assert told(found.repairs) == repairs
    assert list(found.keywords) == list(keywords)


def _literal(pieces: list[bytes]) -> list[bytes]:
    """Every doubled delimiter a literal."""
    tokens = [pieces[0]]
    rest = iter(pieces[1:])
    for piece in rest:
        if piece:
            tokens.append(piece)
        else:
            tokens[-1] += b"|" + next(rest, b"")
    return tokens


@given(st.lists(st.sampled_from([b"", b"A", b"$B"]), min_size=1, max_size=12))
def test_trap_9_no_other_rule_leaves_pairs_where_places_do_not(pieces: list[bytes]) -> None:
    pieces = [b"K", *pieces, b"V"]
    try:
        parsed(b"|" + b"|".join(pieces) + b"|")
    except FcsError:
        assert len(pieces) % 2
        assert len(_literal(pieces)) % 2
    else:
        assert len(pieces) % 2 == 0


def test_trap_9_a_value_that_writers_did_not_escape_is_refused() -> None:
    with pytest.raises(FcsError, match=r"a\.fcs: TEXT does not split at '\|' into keywords and values: 5 pieces"):
        parsed(b"|A|x|y|B|1|")


@pytest.mark.parametrize("text", [b"", b"|", b"||", b"|A", b"|A|"])
def test_trap_9_text_that_is_none(text: bytes) -> None:
    with pytest.raises(FcsError, match=r"^a\.fcs: TEXT "):
        parsed(text)


def test_trap_9_an_empty_value_in_a_file(tmp_path: Path) -> None:
    path = DataSet(**ONE, keys={"$COM": "", "$OP": "Ann", "$INST": "", "$SRC": ""}).to(tmp_path / "a.fcs")
    sample = read_fcs(path)
    assert [sample.keywords[key] for key in ("$COM", "$OP", "$INST", "$SRC")] == ["", "Ann", "", ""]
    assert [(r.keyword, r.assumed) for r in sample.repairs] == [
        ("$COM", "empty"),
        ("$INST", "empty"),
        ("$SRC", "empty"),
    ]
    with pytest.raises(FcsError, match=r"\(\$COM: an empty value, .*; \$INST: .*; \$SRC: "):
        read_fcs(path, strict=True)


# 11. ends and padding


@pytest.mark.parametrize(
    ("change", "repair"),
    [
        (lambda text: text[:-1], ("TEXT", "no delimiter at its end", "the segment's end ends the last value", False)),
        (lambda text: text + b"   ", ("TEXT", "3 bytes after the last delimiter", "padding", False)),
        (lambda text: text + b"\r\n", ("TEXT", "2 bytes after the last delimiter", "padding", False)),
        (lambda text: text + bytes(50), ("TEXT", "50 bytes after the last delimiter", "padding", False)),
        (lambda text: text + b"|", STRAY),
        (lambda text: text + b"junk", ("TEXT", "4 bytes behind its last delimiter", "ignored", False)),
        (lambda text: text + b"|  \n", ("TEXT", "3 bytes after the last delimiter", "padding", False)),
    ],
)
def test_trap_11_the_end(tmp_path: Path, change: object, repair: tuple[str, str, str, bool]) -> None:
    made = DataSet(**ONE, change=change)  # type: ignore[arg-type]  # bytes to bytes
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == EVENTS
    assert told(sample.repairs)[0] == repair
    assert sample.keywords["$P1R"] == "65536"
    assert {r.keyword for r in sample.repairs} == {"TEXT"}


@pytest.mark.parametrize("delimiter", ["\n", "\t", "\f", " ", "\r"])
def test_trap_11_blanks_that_are_delimiters_are_not_stripped(tmp_path: Path, delimiter: str) -> None:
    made = DataSet(**ONE, delimiter=delimiter, keys={"$COM": "", "LAST": "1"})
    sample = read_fcs(made.to(tmp_path / "a.fcs"))
    assert (sample.keywords["$COM"], sample.keywords["LAST"]) == ("", "1")
    assert [r.keyword for r in sample.repairs] == ["$COM"]
    unclosed = DataSet(**ONE, delimiter=delimiter, change=lambda text: text[:-1])
    assert read_fcs(unclosed.to(tmp_path / "a.fcs")).events.tolist() == EVENTS


# 12. capitals and blanks


def test_trap_12_keywords_in_any_case_values_as_they_are(tmp_path: Path) -> None:
    made = DataSet(**ONE, change=lambda text: text.replace(b"$PAR", b"$Par").replace(b"$TOT", b" $tot "))
    made.keys = {"Operator": "Ann", "$p1s": "cD4"}
    sample = read_fcs(made.to(tmp_path / "a.fcs"), strict=True)
    assert (sample.keywords["$PAR"], sample.keywords["$TOT"], sample.keywords["OPERATOR"]) == ("1", "3", "Ann")
    assert sample.channels[0].pns == "cD4"


@pytest.mark.parametrize("mode", ["C", "U", "c", " u "])
def test_trap_12_histograms_are_refused(tmp_path: Path, mode: str) -> None:
    path = DataSet(**ONE, keys={"$MODE": mode}).to(tmp_path / "a.fcs")
    shown = mode.strip().upper()
    message = rf"^a\.fcs: \$MODE is '{shown}': histograms are no events; only list mode \(L\) can be read$"
    for read in (read_fcs, read_fcs_header):
        with pytest.raises(FcsError, match=message):
            read(path)


@pytest.mark.parametrize(("mode", "found"), [("", 2), (" ", 1), (None, 1)])
def test_trap_12_no_mode_means_list_mode(tmp_path: Path, mode: str | None, found: int) -> None:
    sample = read_fcs(DataSet(**ONE, keys={"$MODE": mode}).to(tmp_path / "a.fcs"))
    assert sample.events.tolist() == EVENTS
    assert told(sample.repairs)[-1] == ("$MODE", "missing", "L: events, no histogram", False)
    assert len(sample.repairs) == found
    # FCS 3.2 no longer asks for it
    if mode is None:
        read_fcs(DataSet(**ONE, version="FCS3.2", keys={"$MODE": None}).to(tmp_path / "b.fcs"), strict=True)


def test_trap_12_numbers_with_blanks(tmp_path: Path) -> None:
    keys = {"$PAR": " 1", "$TOT": "3  ", "$P1B": "   16", "$P1R": "65536 ", "$P1E": "0,0 ", "$BYTEORD": "1, 2, 3, 4"}
    sample = read_fcs(DataSet(**ONE, keys=keys).to(tmp_path / "a.fcs"), strict=True)
    assert sample.events.tolist() == EVENTS


def test_a_keyword_twice(tmp_path: Path) -> None:
    same = read_fcs(DataSet(**ONE, raw=b"$CYT|A|$cyt|A|").to(tmp_path / "a.fcs"))
    assert told(same.repairs) == [("$CYT", "twice, with the same value", "once", False)]
    other = read_fcs(DataSet(**ONE, raw=b"$P1R|1024|").to(tmp_path / "a.fcs"))
    assert other.events.tolist() == EVENTS
    assert told(other.repairs) == [("$P1R", "'65536' and '1024'", "the first value", True)]


# 13. encodings


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
def test_trap_13_utf_8(tmp_path: Path, version: str) -> None:
    words = {"$OP": "王小明", "$SRC": "créée – 25 °C", "$COM": "5 µL"}
    sample = read_fcs(DataSet(**ONE, version=version, keys=words).to(tmp_path / "a.fcs"))
    assert {key: sample.keywords[key] for key in words} == words
    assert sample.encoding == "utf-8"
    old = [("TEXT", f"UTF-8 in {version}", "UTF-8", False)] if version < "FCS3.1" else []
    assert told(sample.repairs) == old


@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        ("gb18030", ["王小明", "调节性T细胞", "李喆", "王婷婷", "（复查）王", "CD4+ 外周血 5μL"]),
        ("gb18030", ["批号：A1", "男", "IFN-γ", "25℃", "通", "毛"]),
        ("latin-1", ["5 µL", "créée", "Née", "25 °C", "Müßig", "Größe", "±5", "Ångström", "São Luís", "à jeun"]),
        ("latin-1", ["µ"]),
        ("cp1252", ["Lot “A” – 5€", "l’hôpital"]),
    ],
)
@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.1"])
def test_trap_13_older_encodings(tmp_path: Path, encoding: str, values: list[str], version: str) -> None:
    keys = {f"K{i}": value for i, value in enumerate(values)}
    path = DataSet(**ONE, version=version, keys=keys, encoding=encoding).to(tmp_path / "a.fcs")
    sample = read_fcs(path)
    assert [sample.keywords[key] for key in keys] == values
    used = "cp1252+latin-1" if values[-1] == "l’hôpital" and sample.encoding != "cp1252" else encoding
    assert sample.encoding == used
    assert told(sample.repairs) == [("TEXT", "bytes that are not UTF-8", used.replace("+", " and "), False)]
    with pytest.raises(FcsError, match="TEXT: bytes that are not UTF-8"):
        read_fcs(path, strict=True)
    asked = read_fcs(path, encoding=encoding)
    assert [asked.keywords[key] for key in keys] == values
    assert told(asked.repairs) == [("TEXT", "bytes that are not ASCII", f"{encoding}, as the caller says", False)]
    assert dict(read_fcs_header(path, encoding=encoding).keywords) == dict(asked.keywords)


@pytest.mark.parametrize(
    "value", ["王小明", "李喆", "王婷婷", "男", "男T", "创建", "5 µL", "créée", "Née", "25 °C", "Müßig"]
)
def test_trap_13_one_value_alone(value: str) -> None:
    encoding = "gb18030" if value > "\u4e00" else "latin-1"
    found = parsed(b"|A|" + value.encode(encoding) + b"|")
    assert (found.keywords["A"], found.encoding) == (value, encoding)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\xff\xfe\xfd", r"\xff\xfe\xfd"),
        ("Иванов".encode("cp1251"), r"\xc8\xe2\xe0\xed\xee\xe2"),
        ("Γιάννης".encode("iso8859-7"), r"\xc3\xe9\xdc\xed\xed\xe7\xf2"),
        ("日本".encode("shift_jis"), r"\x93\xfa\x96{"),
        ("カタカナ".encode("shift_jis"), r"\x83J\x83^\x83J\x83i"),
        ("王小明".encode("big5"), r"\xa4\xfd\xa4p\xa9\xfa"),
        (b"a\x81b", r"a\x81b"),
    ],
)
def test_trap_13_what_cannot_be_known_is_shown_and_never_guessed(content: bytes, shown: str) -> None:
    found = parsed(b"|A|" + content + b"|B|1|")
    assert found.keywords == {"A": shown, "B": "1"}
    assert found.encoding == "unknown"
    assert told(found.repairs) == [
        ("TEXT", "bytes that are not UTF-8", r"\xNN for unknown bytes; give encoding= to read them", False)
    ]


def test_trap_13_a_declared_encoding_reads_what_detection_leaves(tmp_path: Path) -> None:
    path = DataSet(**ONE, keys={"$OP": "Иванов"}, encoding="cp1251").to(tmp_path / "a.fcs")
    assert read_fcs(path).keywords["$OP"] == r"\xc8\xe2\xe0\xed\xee\xe2"
    assert read_fcs(path, encoding="cp1251").keywords["$OP"] == "Иванов"


@pytest.mark.parametrize(("encoding", "message"), [
    ("utf-8", "TEXT is not utf-8; leave the encoding out to have it detected"),
    ("ascii", "TEXT is not ascii; leave the encoding out"),
    ("klingon", "encoding 'klingon' is not known; try gb18030 or latin-1"),
    ("", "encoding '' is not known"),
    ("a\0b", "encoding .* is not known"),
    ("rot13", "encoding 'rot13' is not known"),
])  # fmt: skip
def test_trap_13_a_declared_encoding_that_does_not_fit(tmp_path: Path, encoding: str, message: str) -> None:
    path = DataSet(**ONE, keys={"$COM": "5 µL"}, encoding="latin-1").to(tmp_path / "a.fcs")
    with pytest.raises(FcsError, match=rf"^a\.fcs: {message}"):
        read_fcs(path, encoding=encoding)


@pytest.mark.parametrize(
    ("page", "encoding", "value"),
    [("936", "gb18030", "王小明"), ("950", "big5", "王小明"), ("932", "cp932", "カタカナ"),
     ("1251", "cp1251", "Иванов"), ("949", "cp949", "한국어"), ("65001", "utf-8", "王")],
)  # fmt: skip
def test_trap_13_unicode_keyword_of_fcs_3_0(page: str, encoding: str, value: str) -> None:
    found = parsed(f"|$UNICODE|{page},$OP|$OP|{value}|".encode(encoding), "FCS3.0")
    assert found.keywords["$OP"] == value
    assert found.encoding == encoding
    assert [r.keyword for r in found.repairs] == ["TEXT"]


@pytest.mark.parametrize("page", ["", "x", "99999", "-1", "123456789"])
def test_trap_13_unicode_keyword_that_says_nothing(page: str) -> None:
    found = parsed(f"|$UNICODE|{page} |$COM|5 µL|".encode("latin-1"), "FCS3.0")
    assert (found.keywords["$COM"], found.encoding) == ("5 µL", "latin-1")


def test_trap_13_several_encodings_in_one_file() -> None:
    values = [("王小明", "gb18030"), ("5 µL", "latin-1"), ("25 °C", "utf-8"), ("créée", "latin-1"), ("李明", "utf-8")]
    found = parsed(b"|" + b"".join(f"K{i}|".encode() + v.encode(e) + b"|" for i, (v, e) in enumerate(values)), "FCS3.0")
    assert list(found.keywords.values()) == [value for value, _ in values]
    assert found.encoding == "gb18030+latin-1"
    assert told(found.repairs) == [("TEXT", "bytes that are not UTF-8", "gb18030 and latin-1", False)]


def test_trap_13_unknown_bytes_do_not_hide_the_others() -> None:
    found = parsed(b"|A|" + "王小明".encode("gb18030") + b"|B|\xff\xfe\xfd|")
    assert found.keywords == {"A": "王小明", "B": r"\xff\xfe\xfd"}
    assert found.repairs[0].assumed == r"gb18030 and \xNN for unknown bytes; give encoding= to read them"


# 東 and 謝 end in the byte of "|", 診 and 裓 in that of "\", 朶 in it as well
@pytest.mark.parametrize(
    ("delimiter", "value"), [("|", "東"), ("|", "王東"), ("|", "東海東"), ("\\", "診"), ("\\", "王診所")]
)
@pytest.mark.parametrize("encoding", [None, "gb18030"])
def test_trap_13_a_character_whose_second_byte_is_the_delimiter(
    tmp_path: Path, delimiter: str, value: str, encoding: str | None
) -> None:
    assert delimiter.encode() in value.encode("gb18030")
    keys = {"$OP": value, "$SRC": "王小明", "AFTER": f"a{delimiter}b"}
    made = DataSet(
        **ONE, delimiter=delimiter, keys=keys,
        # the writer worked on bytes or on characters; either way it did not double half a character
        change=lambda text: text.decode("utf-8").encode("gb18030"),
    )  # fmt: skip
    sample = read_fcs(made.to(tmp_path / "a.fcs"), encoding=encoding)
    assert sample.events.tolist() == EVENTS
    assert {key: sample.keywords[key] for key in keys} == keys
    assert [(r.keyword, r.affects_numbers) for r in sample.repairs] == [("TEXT", False)]


def test_trap_13_nothing_is_ever_lost() -> None:
    content = bytes(byte for byte in range(1, 256) if byte not in b"|\\")
    found = parsed(b"|A|" + content + b"|")
    assert found.encoding == "unknown"
    assert re.sub(r"\\x(..)", lambda match: chr(int(match[1], 16)), found.keywords["A"]).encode("latin-1") == content


# 14. identity


@pytest.mark.parametrize("version", ["XYZ9.9", "FCS1.0", "FCS4.0", "fcs3.1", "FCS 3.", 6 * "\0", "%PDF-1", "PK\3\4  "])
def test_trap_14_other_files_are_refused(tmp_path: Path, version: str) -> None:
    content = DataSet(**ONE).build()
    (tmp_path / "a.fcs").write_bytes(version.encode() + content[6:])
    for read in (read_fcs, read_fcs_header):
        with pytest.raises(FcsError, match=r"^a\.fcs: starts with .*, wanted one of FCS2\.0, .*; not an FCS file\?$"):
            read(tmp_path / "a.fcs")


def test_trap_14_folders_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "empty.fcs").write_bytes(b"")
    (tmp_path / "dir.fcs").mkdir()
    for name, message in (
        ("empty.fcs", "is empty|too few"),
        ("dir.fcs", "cannot be opened"),
        ("no.fcs", "cannot be op"),
    ):
        for read in (read_fcs, read_fcs_header):
            with pytest.raises(FcsError, match=rf"^{name}: .*({message})"):
                read(tmp_path / name)


def test_trap_13_an_old_macintosh_writes_its_own_signs(tmp_path: Path) -> None:
    extra = {"$SYS": "Macintosh System Software 9.2.2", "CREATOR": "CellQuest Pro\N{TRADE MARK SIGN}"}
    path = build_fcs(tmp_path / "a.fcs", [np.array([1.0], dtype="f4")], extra=extra, text_encoding="mac-roman")
    sample = read_fcs(path)
    assert sample.keywords["CREATOR"] == "CellQuest Pro\N{TRADE MARK SIGN}"
    assert (sample.encoding, sample.repairs[0].assumed) == ("mac-roman", "mac-roman")
    # which does not make a Chinese name "Õı–°√˜", nor unknown bytes a text
    found = parsed(b"|$SYS|Macintosh|$OP|" + "王小明".encode("gb18030") + b"|A|Pro\xaa|B|\xff\xfe\xfd\xfc|")
    assert found.keywords == {"$SYS": "Macintosh", "$OP": "王小明", "A": "Pro™", "B": r"\xff\xfe\xfd\xfc"}
    assert found.encoding == "gb18030+mac-roman+unknown"
