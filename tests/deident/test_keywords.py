from __future__ import annotations

import numpy as np
import pytest

from il2cyto.compensation import SpilloverMatrix
from il2cyto.deident.key import Key
from il2cyto.deident.keywords import Cleaned, clean_keywords
from il2cyto.deident.names import Names

KEY = Key(bytes(range(32)))


def clean(
    keywords: dict[str, str],
    *,
    shift: int | None = 10,
    version: str = "FCS3.1",
    matrix: SpilloverMatrix | None = None,
    accept_coded: bool = False,
) -> Cleaned:
    names = Names(KEY, accept_coded=accept_coded)
    return clean_keywords(keywords, 100, 3, version, matrix, names, shift)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("$P1R", " 262144.0", "262144"), ("$P1R", "1e5", "100000"), ("$P1E", "4,1", "4,1"), ("$P1E", "4.0,0", "4,0"),
        ("$P1V", "450.123456789", "450.123"), ("$P1V", "13812345678", None), ("$P1V", "450 Smith", None),
        ("$P1G", "0.123456789012", "0.123456789012"), ("$P1B", "32", "32"), ("$P1B", "*", "*"), ("$P1B", "Smith", None),
        ("$VOL", "25000", "25000"), ("$VOL", "13812345678", None), ("$TIMESTEP", "0.01", "0.01"),
        ("$BYTEORD", "4,3,2,1", "4,3,2,1"), ("$SYS", "CXP", "CXP"), ("$SYS", "Windows 7", None),
        ("$P1L", "488nm", "488"), ("$P1L", "405,488", "405,488"), ("$P1L", "19800401", None),
        ("$P1D", "Logarithmic,4,0.1", "Logarithmic,4,0.1"), ("$P1D", "Linear,Smith,1", None),
        ("$P1F", "530/30", "530/30"), ("$P1F", "Smith", None), ("$P1T", "PMT", "PMT"),
        ("$P1TYPE", "Side_Scatter", "Side_Scatter"), ("$P1TYPE", "Smith", None), ("$P1FEATURE", "Area", "Area"),
        ("$P1CALIBRATION", "1.2,MESF", "1.2,MESF"), ("$P1CALIBRATION", "1.2,Smith", None),
        ("$COMP", "2,1,0.1,0,1", "2,1,0.1,0,1"), ("$COMP", "3,1,0.1,0,1", None), ("$DFC1TO2", "1.5", "1.5"),
        ("$CYT", "LSRFortessa", "LSRFortessa"), ("$CYT", "LSR II of Smith", "LSR II"), ("$CYT", "Smith", None),
        ("$OP", "Smith", None), ("$FIL", "a.fcs", None), ("PATIENT ID", "7", None), ("GUID", "x", None),
        ("$P4V", "450", None), ("$P007V", "450", None), ("$DFC1TO9", "1.5", None),
    ],
)  # fmt: skip
def test_values_by_their_grammar(key: str, value: str, kept: str | None) -> None:
    assert clean({key: value}).keywords.get(key) == kept


def test_structure_comes_from_the_bytes_and_not_from_the_text() -> None:
    got = clean({"$TOT": "Smith", "$PAR": "Smith", "$MODE": "Smith", "$NEXTDATA": "Smith"}).keywords
    assert got == {"$MODE": "L", "$PAR": "3", "$TOT": "100"}


def test_times_are_moved_and_counted_from_midnight() -> None:
    got = clean({"$DATE": "05-MAR-2021", "$BTIM": "23:59:00.50", "$ETIM": "00:01:30"}).keywords
    assert (got["$DATE"], got["$BTIM"], got["$ETIM"]) == ("23-FEB-2021", "00:00:00", "00:02:30")
    got = clean({"$BEGINDATETIME": "2021-03-05T23:59:00Z", "$ENDDATETIME": "2021-03-06T00:01:30Z"}).keywords
    assert got["$BEGINDATETIME"] == "2021-02-23T00:00:00"
    assert got["$ENDDATETIME"] == "2021-02-23T00:02:30"


def test_dates_of_nobody_and_dates_that_are_none_are_dropped() -> None:
    assert "$DATE" not in clean({"$DATE": "05-MAR-2021"}, shift=None).keywords
    assert "$DATE" not in clean({"$DATE": "05-SMI-2021"}).keywords
    assert "$DATE" not in clean({"$DATE": "0001-01-02"}).keywords
    assert "$BTIM" not in clean({"$BTIM": "12:00:00"}).keywords


def test_a_matrix_follows_the_names_of_its_channels() -> None:
    matrix = SpilloverMatrix("FCS", ("FITC-A", "Smith-A"), np.array([[1.0, 0.1], [0.05, 1.0]]))
    got = clean({"$P1N": "FITC-A", "$P2N": "Smith-A", "$P3N": "a,b", "SPILL": "as read"}, matrix=matrix).keywords
    assert got["$P1N"] == "FITC-A"
    assert got["$P2N"].startswith("N-")
    assert got["SPILL"] == f"2,FITC-A,{got['$P2N']},1,0.1,0.05,1"
    assert "," not in got["$P3N"]
    assert "SPILL" not in clean({"SPILL": "2,Smith"}).keywords


def test_only_known_keywords_are_named_in_the_report() -> None:
    got = clean({"$OP": "x", "SMITH": "y", "$P12345678V": "1", "@SAMPLEID7": "z", "$P2V": "Smith"})
    assert [change.where for change in got.changes] == [
        "$OP", "a keyword that is no standard one", "a keyword that is no standard one", "@SAMPLEID#", "$P2V",
    ]  # fmt: skip
    assert "Smith" not in repr(got.changes)


def test_fcs_3_2_has_a_cytometer() -> None:
    assert clean({}, version="FCS3.2").keywords["$CYT"] == "not stated"
    assert "$CYT" not in clean({}).keywords


def test_cleaning_again_changes_nothing() -> None:
    once = clean({"$P1N": "Smith", "$P1V": "450", "$CYT": "LSR II", "$BTIM": "10:00:00", "$ETIM": "10:01:00"})
    again = clean(once.keywords, accept_coded=True)
    assert again.keywords == once.keywords
    assert again.changes == ()
