"""What README.md says can be typed: its commands exist, and its Python runs."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()
] + re.findall(r"`(python3 start\.py [^`]+)`", README)
START = runpy.run_path(str(ROOT / "start.py"))


def test_both_commands_stand_alone_on_a_line() -> None:
    assert COMMANDS[:2] == ["python3 start.py demo", "python3 start.py test"]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    python, script, command, *arguments = line.split()
    assert (python, script) == ("python3", "start.py")
    assert command in (*START["COMMANDS"], "test")
    if command == "test":
        return
    shown = subprocess.run(
        [sys.executable, "-m", "il2cyto", command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"--[a-z-]+", shown))
    assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_start_knows_every_command_of_il2cyto() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "il2cyto", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  ([a-z-]+) ", shown.split("Commands:")[1], re.MULTILINE)) == set(START["COMMANDS"])


def test_python_runs(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(demo_folder)
    names: dict[str, object] = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["linked"].report["status"].tolist() == ["matched"] * 5  # type: ignore[attr-defined]  # a LinkResult


def test_table_of_files_is_complete(demo_folder: Path) -> None:
    table = README.split("## What a run writes")[1].split("##")[0]
    named = {
        name for cell in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    }
    assert {name.split("/")[0] for name in named} == {
        path.name for path in (demo_folder / "il2cyto-demo/results").iterdir()
    }


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []
