"""start.py: uses its environment again, does without python3-venv, and says in one line what is wrong."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "start.py"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script in a folder of its own; `ran` lists the commands, which are written down instead of run."""
    spec = importlib.util.spec_from_file_location("start", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    environment = tmp_path / ".il2cyto-env"
    for name, value in {
        "ROOT": tmp_path,
        "ENVIRONMENT": environment,
        "PYTHON": environment / "bin" / "python",
        "STAMP": environment / "stamp.json",
    }.items():
        monkeypatch.setattr(module, name, value)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    module.ran = []

    def call(command: list[str], failed: str) -> None:
        module.ran.append(" ".join(command).replace(str(environment), "ENV").replace(sys.executable, "PYTHON"))
        if "venv" in command:
            (environment / "bin").mkdir(parents=True)
            (environment / "bin" / "python").touch()

    monkeypatch.setattr(module, "call", call)
    return module


MAKE = "PYTHON -m venv ENV"
INSTALL = "ENV/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "


def test_an_unchanged_environment_is_used_again(start: ModuleType) -> None:
    start.set_up(())
    assert start.ran == [MAKE, INSTALL + "."]
    start.set_up(())
    assert len(start.ran) == 2
    start.set_up(("test", "oracle"))
    assert start.ran[2:] == [INSTALL + ".[oracle,test]"]
    start.set_up(())
    start.set_up(("test", "oracle"))
    assert len(start.ran) == 3


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_other_files_make_another_environment(start: ModuleType, name: str) -> None:
    start.set_up(())
    left = start.ENVIRONMENT / "left"
    left.touch()
    (start.ROOT / name).write_text("changed", encoding="utf-8")
    start.set_up(())
    assert start.ran == [MAKE, INSTALL + "."] * 2
    assert not left.exists()


def test_an_interrupted_installation_is_begun_again(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    start.set_up(())
    call = start.call

    def interrupt(command: list[str], failed: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "call", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start.set_up(("test",))
    monkeypatch.setattr(start, "call", call)
    start.set_up(())
    assert start.ran == [MAKE, INSTALL + "."] * 2


def test_without_ensurepip_the_pip_of_the_system_fills_it(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(start, "pip_version", lambda: (23, 0, 1))
    start.make_environment()
    assert start.ran == [
        "PYTHON -m venv --without-pip ENV",
        "PYTHON -m pip --python ENV/bin/python install --quiet --disable-pip-version-check pip",
    ]


@pytest.mark.parametrize(("version", "found"), [((20, 3, 4), "and pip 20.3.4;"), ((), "and no pip;")])
def test_without_both_it_says_what_to_install(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], found: str
) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(start, "pip_version", lambda: version)
    with pytest.raises(SystemExit) as error:
        start.make_environment()
    assert found in str(error.value)
    assert "apt install python3-venv" in str(error.value)
    assert start.ran == []


def test_settings_that_lead_elsewhere_are_dropped(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_CERT"):
        monkeypatch.setenv(name, "1")
    assert {"PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_CERT"} & start.clean_variables().keys() == {"PIP_CERT"}


def test_another_python_gets_one_line() -> None:
    # the syntax is that of every Python 3 that a system may still have
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))
    code = f"import sys; sys.version_info = (3, 10, 13, 'final', 0); exec(open({str(SCRIPT)!r}).read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("il2cyto needs Python 3.11, 3.12 or 3.13; this is 3.10.13 (")
    assert done.stderr.count("\n") == 1


def test_an_unknown_command_shows_the_usage() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "dmeo"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no command 'dmeo'" in done.stderr
    assert "python3 start.py demo" in done.stderr
