"""The names that a user types daily, and what typing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import il2cyto

NAMES = [
    "FlowJoBiex",
    "GatingResult",
    "GatingStrategy",
    "Il2CytoError",
    "Logicle",
    "Panel",
    "Sample",
    "SpilloverMatrix",
    "Study",
    "__version__",
    "gate_study",
    "link",
    "pl",
    "read_fcs",
    "read_gating",
    "read_serum",
    "read_study",
    "run_study",
    "simulate_trial",
    "write_fcs",
    "write_override",
]
HEAVY = ("numpy", "pandas", "numba", "scipy", "matplotlib", "anndata", "rich")


def test_the_list_is_guarded() -> None:
    assert il2cyto.__all__ == NAMES
    assert dir(il2cyto) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_resolves(name: str) -> None:
    found = getattr(il2cyto, name)
    assert getattr(found, "__name__", name).rsplit(".", 1)[-1] in (name, "__version__")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read_fsc'"):
        _ = il2cyto.read_fsc


@pytest.mark.parametrize(
    "code",
    [
        "import il2cyto",
        "import sys; sys.argv = ['il2cyto', '--help']; from il2cyto.cli import main; main()",
        "import sys; sys.argv = ['il2cyto', 'demo', '--help']; from il2cyto.cli import main; main()",
    ],
    ids=["import", "help", "help of a command"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    report = f"import atexit, sys; atexit.register(lambda: print('LOADED', *sorted(set({HEAVY!r}) & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", f"{report}\n{code}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
