"""Arbitrary input raises StudyError and nothing else."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_folder import DOSING, SAMPLES, SERUM, YAML, Folder

from il2cyto.errors import StudyError
from il2cyto.study import check_study, read_study

FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = ["\n", "  ", ": ", "- ", "{", "}", "[", "]", ",", '"', "'", "#", "&a", "*a", "!!python/object", "|", ">", "%",
         "?", "<<", "---", "...", "study", "arms", "visits", "tubes", "BL", "number", "window", "nan", "1e999", "~",
         "\t", "\x00", "\ufeff", "\u2028", "9" * 5000, "data:", "il2cyto:", "..", "/"]  # fmt: skip
SOUP = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=40).map("".join)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def _reads_or_refuses(
    place: Path, yaml: bytes, samples: bytes = SAMPLES.encode(), dosing: bytes = DOSING.encode()
) -> None:
    (place / "study.yaml").write_bytes(yaml)
    (place / "samples.csv").write_bytes(samples)
    (place / "dosing.csv").write_bytes(dosing)
    (place / "serum.csv").write_text(SERUM)
    with contextlib.suppress(StudyError):
        read_study(place / "study.yaml")


@FEW
@given(text=SOUP | st.text())
def test_any_text_as_study(place, text):
    (place / "study.yaml").write_bytes(text.encode("utf-8", "replace"))
    # no text of this alphabet is a whole study, so that there is always something to say
    problems = check_study(place / "study.yaml")
    assert problems
    assert all(problem.message for problem in problems)


@FEW
@given(content=st.binary())
def test_any_bytes_as_study(place, content):
    (place / "study.yaml").write_bytes(content)
    assert check_study(place / "study.yaml")


@FEW
@given(position=st.integers(0, len(YAML)), length=st.integers(0, 30), text=SOUP)
def test_a_study_with_a_wound(place, position, length, text):
    _reads_or_refuses(place, (YAML[:position] + text + YAML[position + length :]).encode("utf-8", "replace"))


@FEW
@given(position=st.integers(0, len(SAMPLES)), length=st.integers(0, 30), text=SOUP)
def test_a_sheet_with_a_wound(place, position, length, text):
    wounded = SAMPLES[:position] + text + SAMPLES[position + length :]
    _reads_or_refuses(place, _usable(place), wounded.encode("utf-8", "replace"))


@FEW
@given(samples=SOUP | st.text(), dosing=SOUP | st.text())
def test_any_text_as_sheets(place, samples, dosing):
    _reads_or_refuses(place, _usable(place), samples.encode("utf-8", "replace"), dosing.encode("utf-8", "replace"))


def _usable(place: Path) -> bytes:
    """Return the study, with the files that it refers to beside it."""
    for name in ("tbnk", "treg"):
        (place / "gating" / name).mkdir(parents=True, exist_ok=True)
        (place / "gating" / name / "strategy.yaml").write_text("strategy: x\n")
    (place / "gating/treg/aurora.csv").write_text("marker,channel,fluorochrome,aliases\n")
    (place / "workspace.xml").write_text("<gating/>")
    return YAML.encode()


@FEW
@given(values=st.lists(st.text(max_size=8), min_size=25, max_size=25))
def test_any_cells(place, values):
    cells = ",".join('"' + value.replace('"', '""') + '"' for value in values)
    _reads_or_refuses(place, _usable(place), f"{SAMPLES}{cells}\n".encode("utf-8", "replace"))


@pytest.fixture(scope="module")
def workbook(tmp_path_factory) -> bytes:
    folder = Folder(tmp_path_factory.mktemp("workbook")).workbooks()
    return (folder.path / "samples.xlsx").read_bytes()


@FEW
@given(wounds=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_workbook_with_wounds(place, workbook, wounds):
    content = bytearray(workbook)
    for position, byte in wounds:
        content[int(position * len(content))] = byte
    (place / "samples.xlsx").write_bytes(content)
    _reads_or_refuses(place, _usable(place).replace(b"samples.csv", b"samples.xlsx"))


@FEW
@given(wounds=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), SOUP), min_size=1, max_size=4))
def test_a_worksheet_with_wounds(place, workbook, wounds):
    part = "xl/worksheets/sheet2.xml"
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(packed, "w") as target:
        assert part in source.namelist()
        for name in source.namelist():
            content = source.read(name)
            for position, text in wounds if name == part else []:
                cut = int(position * len(content))
                content = content[:cut] + text.encode("utf-8", "replace") + content[cut:]
            target.writestr(name, content)
    (place / "samples.xlsx").write_bytes(packed.getvalue())
    _reads_or_refuses(place, _usable(place).replace(b"samples.csv", b"samples.xlsx"))
