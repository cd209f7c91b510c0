"""Set up il2cyto in an environment of its own and run it: ``python3 start.py demo`` or ``python3 start.py test``.

Needs Python 3.11 to 3.13 and pip, nothing else; installs into ``.il2cyto-env`` beside this file and nowhere else.
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        "il2cyto needs Python 3.11, 3.12 or 3.13; this is {}.{}.{} ({}). "
        "With another one: python3.12 start.py demo".format(*sys.version_info[:3], sys.executable)
    )

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".il2cyto-env"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "il2cyto-stamp.json"
COMMANDS = (
    "demo",
    "check",
    "run",
    "learn",
    "review",
    "status",
    "tube",
    "visits",
    "new",
    "show",
    "check-fcs",
    "deidentify",
    "export",
    "convert",
    "spillover",
    "serum",
    "recount",
    "simulate",
    "audit",
)
#: FlowKit, the oracle of some tests, needs pandas below 3; pyproject.toml asks for it on Python 3.11 only.
TEST_EXTRAS = ("test", "oracle")
INSTALL = ("install", "--quiet", "--disable-pip-version-check")
OLDEST_PIP = (22, 3)  # the first with `pip --python`
#: Settings of the caller's shell that would send modules or installs elsewhere.
FOREIGN = ("PIP_PREFIX", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")
USAGE = """\
python3 start.py demo [options]       set up, simulate a small trial and run it
python3 start.py test [options]       set up and run the tests; options go to pytest
python3 start.py COMMAND [options]    set up and run `il2cyto COMMAND`, such as check, run, new or check-fcs

The environment is made once in .il2cyto-env, beside start.py, and used again until pyproject.toml, constraints.txt, the
version of Python or the place of this folder changes."""


def main(arguments: list[str]) -> NoReturn:
    """Set up what the command needs, then become that command."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        sys.exit(0 if arguments else 2)
    command, options = arguments[0], arguments[1:]
    if command == "test":
        set_up(TEST_EXTRAS)
        os.chdir(ROOT)
        become(["-m", "pytest", *(options or ["-n", str(min(cores(), 4))])])
    if command in COMMANDS:
        set_up(())
        become(["-m", "il2cyto", command, *options])
    sys.exit(f"start.py: no command {command!r}\n\n{USAGE}")


def set_up(extras: tuple[str, ...]) -> None:
    """Make the environment, unless one that was made from the same files stands there."""
    key, installed = content_key(), read_stamp()
    if installed.get("key") == key and set(extras) <= set(installed["extras"]):
        say(f"Environment {ENVIRONMENT.name}: unchanged, used again.")
        return
    if installed.get("key") == key:
        extras = tuple(sorted({*extras, *installed["extras"]}))
    else:
        make_environment()
    wanted = f".[{','.join(extras)}]" if extras else "."
    say(f"Installing il2cyto{wanted[1:]} and what it needs, as constraints.txt says; takes a minute or more …")
    STAMP.unlink(missing_ok=True)  # an interrupted installation is begun again
    call(
        [str(PYTHON), "-m", "pip", *INSTALL, "--constraint", "constraints.txt", "--editable", wanted],
        "The installation failed; pip says why above. It needs the network, or a package index that pip knows.",
    )
    STAMP.write_text(json.dumps({"key": key, "extras": sorted(extras)}), encoding="utf-8")
    say("Installed.")


def make_environment() -> None:
    """Make an empty environment with pip, with or without Debian's package python3-venv."""
    if ENVIRONMENT.exists():
        say(f"Removing {ENVIRONMENT.name}: made from other files, or not finished.")
        shutil.rmtree(ENVIRONMENT)
    say(f"Making {ENVIRONMENT.name} with Python {'.'.join(map(str, sys.version_info[:3]))} …")
    failed = "The environment could not be made; the reason stands above."
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip and ensurepip.has_location:  # a folder left behind without the module has none
        call([sys.executable, "-m", "venv", str(ENVIRONMENT)], failed)
        return
    version = pip_version()
    if version < OLDEST_PIP:
        found = f"pip {'.'.join(map(str, version))}" if version else "no pip"
        sys.exit(
            f"This Python has no module ensurepip and {found}; one of them is needed: install python3-venv "
            f"(Debian: apt install python3-venv) or pip {'.'.join(map(str, OLDEST_PIP))} or newer."
        )
    call([sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)], failed)
    call(
        [sys.executable, "-m", "pip", "--python", str(PYTHON), *INSTALL, "pip"],
        "pip could not be installed into the environment; it says why above.",
    )


def pip_version() -> tuple[int, ...]:
    """Return the version of this Python's pip; empty where there is none."""
    done = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False)
    words = done.stdout.split()  # pip 23.0.1 from …
    return tuple(int(part) for part in words[1].split(".") if part.isdigit()) if done.returncode == 0 else ()


def content_key() -> str:
    """Return a hash of everything that the environment is made from."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    parts += [sys.version.encode(), os.fsencode(ROOT)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def read_stamp() -> dict[str, Any]:
    """Return what the environment was made from; empty where there is none or its interpreter is gone."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if PYTHON.exists() else {}


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def clean_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def call(command: list[str], failed: str) -> None:
    """Run a command in the project's folder; end with `failed` if it fails."""
    sys.stdout.flush()
    if subprocess.run(command, cwd=ROOT, env=clean_variables(), check=False).returncode:
        sys.exit(failed)


def become(arguments: list[str]) -> NoReturn:
    """Replace this process by the environment's Python, so that signals and exit codes are its own."""
    sys.stdout.flush()
    os.execve(PYTHON, [str(PYTHON), *arguments], clean_variables())


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
