"""Every command of docs/audit.md, word for word, and what the page says that it prints; times and hashes aside."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.gating.amend import APPLIED
from il2cyto.simulate import simulate_trial

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial of the page: two subjects, two visits, run once by somebody else."""
    folder = tmp_path_factory.mktemp("page")
    simulate_trial(
        folder, n_subjects=2, visits=("BL", "M1"), seed=3, lymphocytes=1_500, tbnk_lymphocytes=2_500, missing_visits=0
    )
    set_date(folder, 0)
    return folder


def plain(text: str) -> str:
    """Hashes, times and numbers of entries as one word each: workers finish in any order."""
    text = re.sub(r"^ +[0-9]+  (?=[0-9]{4}-)", "N  ", text, flags=re.MULTILINE)
    text = re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "HASH", text)
    return re.sub(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", "TIME", text)


def call(text: str) -> tuple[int, str]:
    program, *words = shlex.split(text)
    assert program == "il2cyto"
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def test_page_word_for_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IL2CYTO_USER", "root@vm")
    assert CliRunner().invoke(app, ["run", "study.yaml"]).exit_code == 0
    done = []
    for k, (kind, text) in enumerate(BLOCKS):
        expected = BLOCKS[k + 1][1] if k + 1 < len(BLOCKS) and BLOCKS[k + 1][0] == "text" else None
        if kind == "yaml":
            Path("overrides").mkdir()
            Path("overrides/P001-M1-TREG.yaml").write_text(text, encoding="utf-8")
            set_date(folder, 1)
        elif kind == "sh":
            code, output = call(text)
            assert code == 0, output
            if expected is not None:
                assert plain(output) == plain(expected), output
            done.append(text.split()[1])
        elif kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "audit.md", "exec"), {})
            assert printed.getvalue() == expected
            done.append(kind)
        elif kind == "bash":
            told = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout
            line = Path("results/audit.jsonl").read_bytes().splitlines()[2].decode()
            assert line.endswith(f'"hash":"{told.split()[0]}"}}')
            done.append(kind)
    assert done == ["check", "python", "run", "audit", "audit", "bash"]
    table = pd.read_csv("results/overrides.csv")
    assert table["status"].tolist() == [APPLIED, APPLIED]
    code, _ = call("il2cyto audit verify results")
    assert code == 0
    path = Path("results/audit.jsonl")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Bo Chen", b"Bo Chan", 1))
    code, output = call("il2cyto audit verify results")
    assert code == 1
    assert "BROKEN    line " in output
    path.write_bytes(content[: content.rstrip(b"\n").rindex(b"\n") + 1])
    code, output = call("il2cyto audit verify results")
    assert code == 1
    assert "the end of the log was cut" in output


def set_date(folder: Path, which: int) -> None:
    """Write the date of the page into the sheet: 0 the wrong one, 1 the right one."""
    path = folder / "samples.csv"
    sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
    date = re.findall(r"collection_date: (\S+) → (\S+)", PAGE)[0][which]
    sheet.loc[sheet["tube_id"] == "P001-M1-TREG", "collection_date"] = date
    sheet.to_csv(path, index=False)


def test_the_words_of_the_page() -> None:
    assert "supports" in PAGE
    assert "complies" not in PAGE.lower()
    assert "compliant" not in PAGE.lower()


def test_help_says_what_cannot_be_found() -> None:
    result = CliRunner().invoke(app, ["audit", "verify", "--help"])
    told = " ".join(result.output.split())
    assert "It cannot find out that audit.jsonl, il2cyto.log and manifest.json were all written anew" in told


def test_nothing_to_check(tmp_path: Path) -> None:
    for command in ("verify", "show"):
        result = CliRunner().invoke(app, ["audit", command, str(tmp_path)])
        assert result.exit_code != 0
