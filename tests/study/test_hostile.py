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

from il2cyto.derive import visit_table
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


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from(["comma", "semicolon", "tab", "space", '"~"', "full-width comma"]),
        "decimal": st.sampled_from(['"."', '","']),
        "encoding": st.sampled_from(["utf-8", "utf-16", "utf-16-be", "gb18030", "latin-1", "cp1252"]),
        "dates": st.sampled_from(['"%d.%m.%Y"', '"%Y%m%d"', '"%d%b%y %H:%M"']),
    },
)
CELLS = st.sampled_from(["", "UNS", "2021-03", "2021-03-01T99:00", "1,5", "１，２", "UN", "0x", '"', "sep=;"]) | (
    st.sampled_from(["2021-03-01", "01MAR21", "\u0301", "\x00", "é", "9" * 400, "BL", "A", "-0", "1e5"])
)
MONTH_3 = "label: Month 3, number: 2, target_day: 91, window: [61, 136]}"


@FEW
@given(
    options=OPTIONS,
    windows=st.booleans(),
    lines=st.lists(st.lists(CELLS, min_size=1, max_size=30).map(",".join), max_size=6),
    noise=st.binary(max_size=8),
    encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]),
)
def test_any_sheet_under_any_statement(place, options, windows, lines, noise, encoding):
    text = "\n".join([SAMPLES.splitlines()[0], *lines, SAMPLES.splitlines()[1]])
    stated = ", ".join(f"{key}: {value}" for key, value in options.items())
    yaml = _usable(place).decode() + f"sheets: {{{stated}}}\n"
    if windows:
        yaml = yaml.replace(
            "label: Month 3, number: 2}", "label: Month 3, number: 2, target_day: 91, window: [61, 136]}"
        )
        yaml += "visit_assignment: windows\n"
    _reads_or_refuses(place, yaml.encode(), text.encode(encoding) + noise)


@FEW
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["A", "B"]),
            st.sampled_from(["BL", "M1", "M3", "UNS", ""]),
            st.sampled_from(["2021-02-20", "2021-03-01", "2021-03-01T10:00", "2021-03-30", "2021-06-01", "unknown"]),
            st.sampled_from(["", "latest", "sum"]),
            st.sampled_from(["", "2021-03-02", "unknown"]),
        ),
        min_size=1,
        max_size=8,
    ),
    windows=st.booleans(),
)
def test_any_rows_with_dates_and_visits(place, rows, windows):
    header = "tube_id,subject,arm,diagnosis,age_years,visit,collection_date,tube,fcs,repeat,reference_date\n"
    arms = {"A": "IL2", "B": "STD"}
    text = header + "".join(
        f"t{n},{subject},{arms[subject]},SLE,9,{visit},{day},PCT,f{n},{repeat},{enrolled}\n"
        for n, (subject, visit, day, repeat, enrolled) in enumerate(rows)
    )
    yaml = _usable(place).decode().replace("serum: serum.csv\n", "repeat: latest\n")
    if windows:
        yaml = yaml.replace(
            "label: Month 3, number: 2}", "label: Month 3, number: 2, target_day: 91, window: [61, 136]}"
        )
        yaml += "visit_assignment: windows\n"
    subjects = {subject for subject, *_ in rows}
    dosing = "subject,date,dose,unit,route,treatment\n" + "".join(
        f"{subject},2021-03-01 09:00,1,mg,sc,rhIL-2\n{subject},2021-04-01,1,mg,sc,rhIL-2\n"
        for subject in sorted(subjects)
    )
    _reads_or_refuses(place, yaml.encode(), text.encode(), dosing.encode())
    with contextlib.suppress(StudyError):
        table = visit_table(read_study(place / "study.yaml"))
        assert len(table) == len(table[["USUBJID", "AVISIT"]].drop_duplicates())
        assert set(table["ANL01FL"].dropna()) <= {"Y"}
        assert (table["ADY"].dropna() != 0).all()
