"""Every command of docs/flowjo.md, word for word, and what the page says that it prints."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from flowjo_example import make
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.exchange import read_strategies

PAGE = (Path(__file__).parents[3] / "docs" / "flowjo.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_page_word_for_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = []
    for k, (kind, text) in enumerate(BLOCKS):
        expected = BLOCKS[k + 1][1] if k + 1 < len(BLOCKS) and BLOCKS[k + 1][0] == "text" else None
        if kind == "yaml":
            Path("study.yaml").write_text(text, encoding="utf-8")
        elif kind == "csv":
            Path("samples.csv").write_text(text, encoding="utf-8")
        elif kind == "sh":
            program, *words = shlex.split(text)
            assert program == "il2cyto"
            result = CliRunner().invoke(app, words)
            # polygons on the values differ from FlowJo's by more than 2 events, and recount says so
            assert result.exit_code == (1 if "exact" in words else 0), result.output
            if expected is not None:
                assert result.output == expected
            done.append(words[0])
        elif kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "flowjo.md", "exec"), {})
            assert printed.getvalue() == expected
            done.append(kind)
    assert done == ["show", "recount", "recount", "convert", "check", "run", "python"]
    assert len(Path("recount.csv").read_text().splitlines()) == 10


def test_override_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["convert", "panel.wsp", "mine"]).exit_code == 0
    (text,) = re.findall(r"^  ```yaml\n(.*?)^  ```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "mine" / "overrides" / "by hand.yaml").write_text(text.replace("\n  ", "\n").removeprefix("  "))
    found = read_strategies(tmp_path / "mine")
    assert found.for_file("P003_M6.fcs").paths == ("Lymphocytes", "Lymphocytes/Treg")
    assert found.for_file("P001_BL.fcs").paths == ("Lymphocytes", "Lymphocytes/CD25+", "Lymphocytes/Treg")


def test_workspace_named_by_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    study, sheet = (next(text for kind, text in BLOCKS if kind == name) for name in ("yaml", "csv"))
    Path("study.yaml").write_text(study.replace("gating/mypanel", "panel.wsp"), encoding="utf-8")
    Path("samples.csv").write_text(sheet, encoding="utf-8")
    assert "0 problems" in CliRunner().invoke(app, ["check", "study.yaml"]).output
    result = CliRunner().invoke(app, ["run", "study.yaml", "--out", "out"])
    assert result.exit_code == 0, result.output
    lines = Path("out/counts.csv").read_text().splitlines()
    assert len(lines) == 10
    assert ",TREG,Lymphocytes/Treg,Treg,Lymphocytes," in lines[3]
    assert ",536," in lines[3]  # exact, as the page says
