"""docs/sheets.md: every example is read, and gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from il2cyto.derive import visit_table
from il2cyto.study import check_study, read_study
from il2cyto.study.sheets import MAX_BYTES, MAX_COLUMNS, MAX_ROWS
from il2cyto.study.style import COMMON, DELIMITERS, ENCODINGS, OWN

PAGE = (Path(__file__).parents[2] / "docs" / "sheets.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    """Return title, blocks and expectation of each example: a statement, the sheets after it, and what comes of them.

    A further sheet after a sheet of the same name begins an example without the statement.
    """
    base, *rest = re.split(r"^#{2,3} ", PAGE, flags=re.MULTILINE)
    files = {name: text for _, name, text in BLOCK.findall(base)}
    for section in rest:
        title = section.splitlines()[0]
        current, expected, number = {}, {}, 1
        for language, name, text in BLOCK.findall(section):
            if language == "text":
                expected[name] = text
            elif name in current:
                yield f"{title} {number}", files, current, expected
                current, expected, number = {name: text}, {}, number + 1
            else:
                current[name] = text
        if current:
            yield f"{title} {number}", files, current, expected


EXAMPLES = list(examples())


@pytest.mark.parametrize(("files", "blocks", "expected"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_an_example(tmp_path, files, blocks, expected):
    texts = {name: (text, "utf-8") for name, text in files.items()}
    for name, text in blocks.items():
        file, _, encoding = name.partition(" ")
        whole = text if file != "study.yaml" else files["study.yaml"] + text
        texts[file] = (whole, encoding or "utf-8")
    for name, (text, encoding) in texts.items():
        (tmp_path / name).write_bytes(text.encode(encoding))
    problems = [str(problem) for problem in check_study(tmp_path / "study.yaml")]
    assert problems == expected.get("problems", "").splitlines()
    if "visits" in expected:
        header, *lines = (line.split() for line in expected["visits"].splitlines())
        found = visit_table(read_study(tmp_path / "study.yaml"))[header].astype(object)
        cells = found.where(found.notna(), ".").astype(str)
        assert cells.to_numpy().tolist() == lines


def test_there_are_examples_of_everything():
    assert len(EXAMPLES) == 9
    assert sum("problems" in expected for *_, expected in EXAMPLES) == 3


def test_every_option_is_on_the_page():
    words = {*COMMON, *OWN, *DELIMITERS, *ENCODINGS, "visit_assignment", "course_gap", "max_dsld", "repeat"}
    assert {word for word in words if f"`{word}`" not in PAGE.replace(":`", "`") and word not in PAGE} == set()
    assert f"{MAX_BYTES // 1_000_000} MB, {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns" in PAGE
