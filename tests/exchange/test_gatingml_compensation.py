"""Gating-ML 2.0, section 4: which matrix compensates a dimension."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gatingml_files import dimension, fcs, gated, limits, matrix, members, rectangle, transformation, write

from il2cyto.errors import CompensationError, GatingMLError
from il2cyto.exchange import read_gating
from il2cyto.gates import Dimension

SPILL = np.array([[1.0, 0.5], [0.0, 1.0]])
# true (10, 0), (10, 8), (0, 8) seen through the spill: B holds half of A
SEEN = {"A": [10.0, 10.0, 0.0], "B": [5.0, 13.0, 8.0], "C": [1.0, 2.0, 3.0]}


def test_uncompensated_fcs_and_a_matrix_in_one_gate(tmp_path: Path) -> None:
    body = matrix("AB", "AB", SPILL)
    body += rectangle(dimension("B", limits(4)), name="raw") + rectangle(dimension("B", limits(4), "FCS"), name="fcs")
    body += rectangle(dimension("B", limits(4), "M"), name="own")
    body += rectangle(dimension("B", limits(4), "M"), dimension("B", limits(None, 10)), name="mixed")
    result = gated(tmp_path, body, SEEN, (("A", "B"), np.array([[1.0, 0.0], [0.8, 1.0]])))
    # the file's matrix takes 0.8 B from A and leaves B
    assert [members(result, name) for name in ("raw", "fcs", "own", "mixed")] == [[0, 1, 2], [0, 1, 2], [1, 2], [2]]


def test_fcs_without_a_matrix_in_the_file_is_uncompensated(tmp_path: Path) -> None:
    result = gated(tmp_path, rectangle(dimension("B", limits(6), "FCS")), SEEN)
    assert members(result) == [1, 2]
    assert result.notes == ("the file holds no matrix: B is taken uncompensated, as Gating-ML reads it",)


def test_a_channel_outside_the_matrix_is_left_alone(tmp_path: Path) -> None:
    body = matrix("AB", "AB", SPILL) + rectangle(dimension("C", limits(2), "M"))
    body += rectangle(dimension("C", limits(2), "FCS"), name="fcs")
    result = gated(tmp_path, body, SEEN, (("A", "B"), SPILL))
    assert (members(result), members(result, "fcs")) == ([1, 2], [1, 2])


def test_dimensions_of_a_matrix_are_named_by_fluorochrome(tmp_path: Path) -> None:
    body = matrix(("FITC", "PE"), "AB", SPILL) + rectangle(dimension("PE", limits(4), "M"))
    body += rectangle(dimension("B", limits(4), "M"), name="by detector")
    result = gated(tmp_path, body, SEEN)
    assert members(result) == members(result, "by detector") == [1, 2]


def test_two_matrices_may_use_the_same_fluorochromes(tmp_path: Path) -> None:
    body = matrix(("FITC", "PE"), "AB", SPILL) + matrix(("FITC", "PE"), "AB", [[1, 0], [0, 1]], name="N")
    body += rectangle(dimension("PE", limits(6), "M")) + rectangle(dimension("PE", limits(6), "N"), name="n")
    result = gated(tmp_path, body, SEEN)
    assert (members(result), members(result, "n")) == ([1, 2], [1, 2])
    assert members(gated(tmp_path, body.replace('"6"', '"4"'), SEEN), "n") == [0, 1, 2]


WIDE = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 1.0]])
# two dyes in three detectors: 2 of the first and 4 of the second are seen as (2, 5, 4)
SEEN_WIDE = {"A": [2.0, 0.0, 4.0], "B": [5.0, 2.0, 2.0], "C": [4.0, 2.0, 0.0]}


def test_a_wide_matrix_unmixes_by_least_squares(tmp_path: Path) -> None:
    body = matrix(("FITC", "PE"), "ABC", WIDE) + rectangle(dimension("PE", limits(1.9, 4.1), "M"))
    body += rectangle(dimension("FITC", limits(1.9, 4.1), "M"), name="fitc")
    result = gated(tmp_path, body, SEEN_WIDE)
    assert (members(result), members(result, "fitc")) == ([0, 1], [0, 2])


@pytest.mark.parametrize("upright", [True, False], ids=["a row per detector", "a row per fluorochrome"])
def test_an_inverted_wide_matrix(tmp_path: Path, upright: bool) -> None:
    inverse = np.linalg.pinv(WIDE)
    rows = inverse if upright else inverse.T
    body = matrix(("FITC", "PE"), "ABC", rows.tolist(), 'transforms:matrix-inverted-already="true"')
    body += rectangle(dimension("PE", limits(1.9, 4.1), "M")) + rectangle(dimension("FITC", limits(3), "M"), name="f")
    result = gated(tmp_path, body, SEEN_WIDE)
    assert (members(result), members(result, "f")) == ([0, 1], [2])


@pytest.mark.parametrize(
    ("written", "inside"), [("true", [1, 2]), ("1", [1, 2]), ("false", [0, 1, 2]), ("0", [0, 1, 2])]
)
def test_an_inverted_square_matrix(tmp_path: Path, written: str, inside: list[int]) -> None:
    # [[1, -0.5], [0, 1]] is the inverse of SPILL; as a spillover it would add to B instead of taking from it
    body = matrix("AB", "AB", [[1, -0.5], [0, 1]], f'transforms:matrix-inverted-already="{written}"')
    assert members(gated(tmp_path, body + rectangle(dimension("B", limits(4), "M")), SEEN)) == inside


def test_a_ratio_of_compensated_values(tmp_path: Path) -> None:
    # B / A of true values is 0, 0.8, and 8 / 0; of seen ones 0.5, 1.3
    ratio = transformation("R", "fratio", inside=fcs("PE") + fcs("FITC"), A=1, B=0, C=0)
    body = matrix(("FITC", "PE"), "AB", SPILL) + ratio + rectangle(dimension("ratio:R", limits(0.4, 1), "M"))
    assert members(gated(tmp_path, body, SEEN)) == [1]


def test_the_matrix_may_stand_after_the_gate_and_hold_custom_info(tmp_path: Path) -> None:
    later = matrix("AB", "AB", SPILL).replace(
        "<transforms:fluoro", "<data-type:custom_info>x</data-type:custom_info><transforms:fluoro", 1
    )
    body = rectangle(dimension("B", limits(4), "M")) + later
    assert members(gated(tmp_path, body, SEEN)) == [1, 2]


def test_a_dimension_without_a_compensation_is_taken_as_it_is_and_told(tmp_path: Path) -> None:
    bare = dimension("B", limits(6)).replace('gating:compensation-ref="uncompensated"', "")
    result = gated(tmp_path, rectangle(bare), SEEN, (("A", "B"), SPILL))
    assert members(result) == [1, 2]
    assert len(result.notes) == 1
    assert "names no compensation for 1 of 1 gates" in result.notes[0]


def test_comp_names_without_a_compensation_are_the_file_s_matrix(tmp_path: Path) -> None:
    bare = dimension("Comp-B", limits(4)).replace('gating:compensation-ref="uncompensated"', "")
    result = gated(tmp_path, rectangle(bare), SEEN, (("A", "B"), SPILL))
    assert result.strategy.populations[0].gate.dimensions == (Dimension("B", "FCS"),)
    assert members(result) == [1, 2]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (matrix("AB", "AB", [[1, 0]]), "'M': wants 2 rows of 2"),
        (matrix("AB", "AB", [[1, 0], [0]]), "'M': wants 2 rows of 2"),
        (matrix("AB", "ABC", np.linalg.pinv(WIDE).tolist()), "'M': wants 2 rows of 3"),
        (matrix("ABC", "AB", [[1, 0], [0, 1], [1, 1]]), "3 fluorochromes cannot be told apart by 2"),
        (matrix("AB", "AB", [[1, 1], [1, 1]]), "singular"),
        (matrix("AB", "AB", [[1, 1], [1, 1]], 'transforms:matrix-inverted-already="true"'), "[Ss]ingular"),
        (matrix("AA", "AB", SPILL), "fluorochrome 'A' stands twice"),
        (matrix("AB", "AB", SPILL) * 2, "'M' is defined twice"),
        (matrix("AB", "AB", SPILL, name="FCS"), "name that is taken by the standard"),
        (matrix("AB", "AB", SPILL, 'transforms:matrix-inverted-already="perhaps"'), "wants true or false"),
        (rectangle(dimension("A", limits(1), "fcs"), name="h"), r"'fcs' is no matrix.*did you mean 'FCS'"),
        (rectangle(dimension("A", limits(1), "M"), name="h"), "'M' is no matrix; known: FCS, uncompensated"),
    ],
)
def test_a_matrix_that_is_none_is_one_error(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(GatingMLError, match=message) as caught:
        read_gating(write(tmp_path, body + rectangle(dimension("A", limits(1)))))
    assert str(caught.value).startswith("g.xml, line 1")


def test_a_matrix_that_wants_a_channel_the_file_lacks(tmp_path: Path) -> None:
    body = matrix("AB", "AX", SPILL) + rectangle(dimension("A", limits(1), "M"))
    with pytest.raises(CompensationError, match="matrix 'M' wants channel 'X', which the file lacks"):
        gated(tmp_path, body, SEEN)
