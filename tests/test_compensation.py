"""Spillover matrices: solved, by name, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import CompensationError


def random_matrix(n: int, m: int, seed: int, leak: float) -> SpilloverMatrix:
    rng = np.random.default_rng(seed)
    values = leak * rng.random((n, m))
    values[np.arange(n), np.arange(n)] = 1.0
    return SpilloverMatrix("m", tuple(f"D{i}" for i in range(m)), values, tuple(f"F{i}" for i in range(n)))


@given(st.integers(1, 12), st.integers(0, 4), st.integers(0, 10_000), st.floats(0.0, 0.3))
def test_compensate_after_spill_is_the_identity(n: int, more: int, seed: int, leak: float) -> None:
    matrix = random_matrix(n, n + more, seed, leak)
    true = np.random.default_rng(seed).normal(1000.0, 3000.0, (20, n))
    condition = np.linalg.cond(matrix.values)
    assert matrix.compensate(matrix.spill(true)) == pytest.approx(true, rel=1e-12, abs=1e-10 * condition)


@given(st.integers(2, 14), st.integers(0, 10_000))
def test_it_is_the_solution_of_the_linear_system(n: int, seed: int) -> None:
    matrix = random_matrix(n, n, seed, 0.2)
    seen = np.random.default_rng(seed).normal(0.0, 1e5, (15, n))
    assert matrix.compensate(seen) == pytest.approx(np.linalg.solve(matrix.values.T, seen.T).T, rel=1e-10, abs=1e-7)


def test_a_wide_matrix_is_least_squares() -> None:
    matrix = random_matrix(3, 7, 1, 0.4)
    seen = np.random.default_rng(2).normal(0.0, 100.0, (9, 7))
    expected = np.linalg.lstsq(matrix.values.T, seen.T, rcond=None)[0].T
    assert matrix.compensate(seen) == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_by_hand() -> None:
    # A leaks a quarter into B, B a tenth into A
    matrix = SpilloverMatrix("m", ("A", "B"), np.array([[1.0, 0.25], [0.1, 1.0]]))
    assert matrix.spill([[100.0, 40.0]])[0] == pytest.approx([104.0, 65.0])
    assert matrix.compensate([[104.0, 65.0]])[0] == pytest.approx([100.0, 40.0], rel=1e-15)


def test_a_channel_does_not_depend_on_its_company() -> None:
    matrix = random_matrix(8, 8, 3, 0.2)
    seen = np.random.default_rng(4).normal(0.0, 1e4, (50, 8))
    whole = matrix.compensate(seen)
    assert np.array_equal(whole[::7], matrix.compensate(seen[::7]))


def test_csv_and_keyword_are_the_same_matrix(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("A,B\n1,0.25\n0.1,1\n", encoding="utf-8")
    (tmp_path / "named.csv").write_text("\ufeff,A,B\nB,0.1,1\nA,1,0.25\n", encoding="utf-8")
    keyword = SpilloverMatrix.from_keyword("2,A,B,1,0.25,0.1,1")
    for name in ("m.csv", "named.csv"):
        matrix = SpilloverMatrix.from_csv(tmp_path / name)
        assert matrix.detectors == ("A", "B")
        assert matrix.values.tolist() == [[1.0, 0.25], [0.1, 1.0]] == keyword.values.tolist()
        assert matrix.content_hash == keyword.content_hash


def test_a_wide_csv_unmixes_by_least_squares(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("fluorochrome,A,B,C\nFITC,1,0.5,0\nPE,0,1,1\n", encoding="utf-8")
    matrix = SpilloverMatrix.from_csv(tmp_path / "m.csv", "wide")
    assert (matrix.detectors, matrix.fluorochromes) == (("A", "B", "C"), ("FITC", "PE"))
    # 2 of FITC and 4 of PE are seen as (2, 5, 4); the second is no mixture: normal equations
    # 1.25 x + 0.5 y = 1.25, 0.5 x + 2 y = 1.5
    assert matrix.compensate([[2.0, 5.0, 4.0], [1.0, 0.5, 1.0]]) == pytest.approx(
        np.array([[2, 4], [7 / 9, 5 / 9]]), rel=1e-14
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A,B\n1,0.25\n", "2 × 2 names"),
        ("A,B\n1,0.25\n0.1\n", "line 3: 1 numbers for 2 channels"),
        ("A,B\n1,a\n0.1,1\n", "line 2: could not convert"),
        ("A,A\n1,0\n0,1\n", "'A' stands twice"),
        ("A,B\n1,1\n1,1\n", "singular"),
        ("A,B\n1,nan\n0,1\n", "not finite"),
        (",A,B\nA,1,0\nC,0,1\n", "are not the channels of the header; if they are fluorochromes"),
        ("fluorochrome,A,B\nFITC,1,0\n,0,1\n", "line 3: the fluorochrome has no name"),
        ("fluorochrome,A,B\nFITC,1,0\nFITC,0,1\n", "fluorochrome 'FITC' stands twice"),
        ("fluorochrome,A\nFITC,1\nPE,1\n", "2 fluorochromes cannot be told apart by 1"),
        ("Fluorochrome,A,B\nFITC,1\n", "line 2: 1 numbers for 2 channels"),
        ("A,B\n", "wanted a header"),
    ],
)
def test_bad_matrices(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(CompensationError, match=message):
        SpilloverMatrix.from_csv(tmp_path / "m.csv")


@pytest.mark.parametrize("text", ["", "x,A", "2,A,B,1,0,0", "2,A,B,1,0,0,one", "-1", "2,A,B,1,0,0,1,5"])
def test_bad_keywords(text: str) -> None:
    with pytest.raises(CompensationError, match="SPILLOVER"):
        SpilloverMatrix.from_keyword(text)


def test_wrong_width_of_events() -> None:
    with pytest.raises(CompensationError, match="wants events with 3 columns, got shape"):
        random_matrix(3, 3, 0, 0.1).compensate(np.zeros((5, 2)))


@pytest.mark.reference
def test_published_matrix(reference: Path) -> None:
    # the matrix in the file and the one that stands beside it as CSV
    from il2cyto.fcs import read_fcs

    folder = reference / "gatingml2-set1"
    sample = read_fcs(folder / "test_comp_example.fcs")
    csv = SpilloverMatrix.from_csv(folder / "comp_complete_example.csv")
    seen = sample.linear([sample.index(name) for name in csv.detectors])
    expected = np.linalg.solve(csv.values.T, seen.T).T
    assert csv.compensate(seen) == pytest.approx(expected, rel=1e-9, abs=1e-6)
