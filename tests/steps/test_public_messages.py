"""What of a file's deviations and errors results tell."""

from __future__ import annotations

import pytest

from il2cyto.errors import PanelError
from il2cyto.sample import Repair
from il2cyto.steps.public import plain_number, public_message, public_repair


@pytest.mark.parametrize(
    ("keyword", "found", "shown"),
    [
        ("$P12E", "4,0", ("$P12E", "4,0")),
        ("$TIMESTEP", "missing", ("$TIMESTEP", "missing")),
        ("$BEGINDATA", "HEADER 58 to 900, TEXT 0 to 0", ("$BEGINDATA", "HEADER 58 to 900, TEXT 0 to 0")),
        ("$TOT", "Lee", ("$TOT", "(withheld)")),
        # a number is told only where the standard wants one: elsewhere it may be that of a patient
        ("$SMNO", "20120506", ("$SMNO", "(withheld)")),
        ("PATIENT ID", "missing", ("(withheld)", "missing")),
        ("$LEE", "1", ("(withheld)", "(withheld)")),
        ("HEADER LEE", "1", ("(withheld)", "(withheld)")),
        ("SPILL", "unknown channel 'Lee'", ("SPILL", "(withheld)")),
    ],
)
def test_keyword_and_value_are_told_where_they_name_nobody(keyword: str, found: str, shown: tuple[str, str]) -> None:
    assert public_repair(Repair(keyword, found, "x", True), ())[:2] == shown


@pytest.mark.parametrize(
    ("assumed", "shown"),
    [
        ("0,0: floating-point values are stored linear", "0,0: floating-point values are stored linear"),
        ("Ann Lee, B530-A", "(withheld)"),
        ("王芳", "(withheld)"),
    ],
)
def test_what_was_assumed_is_told_unless_the_file_wrote_it(assumed: str, shown: str) -> None:
    assert public_repair(Repair("$P1E", "4,1", assumed, True), {"lin", "ann lee", "王芳"})[2] == shown


def test_only_plain_numbers_are_volumes() -> None:
    texts = ["87", " .5e3 ", "-1", "1_0", "nan", "inf", "٣", "87 Lee", "", "9" * 41]
    assert [plain_number(text) for text in texts] == ["87", ".5e3", "-1", *[None] * 7]


def test_a_message_names_the_tube_once() -> None:
    error = PanelError("panel: marker {name!r} is not in {file}", name="CD3", file="Lee.fcs")
    assert public_message("PanelError", error.public, "T1") == "panel: marker 'CD3' is not in T1"
    assert public_message("PanelError", "panel: no marker", "T1") == "T1: panel: no marker"
    assert public_message("OddError", "", "T1") == "T1: the tube could not be gated; paths.csv has the whole message"
