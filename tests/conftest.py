"""Shared fixtures: where the public reference files stand, and small samples made on the spot."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "il2cyto", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("il2cyto")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-reference", action="store_true", help="fail, instead of skip, what needs the public reference files"
    )


@pytest.fixture(scope="session")
def reference(request: pytest.FixtureRequest) -> Path:
    """Folder of the public reference files."""
    value = os.environ.get("IL2CYTO_REFERENCE")
    if not value:
        give_up = pytest.fail if request.config.getoption("--require-reference") else pytest.skip
        give_up("IL2CYTO_REFERENCE is not set: it names the folder of the public reference files")
    folder = Path(value)
    assert folder.is_dir(), f"IL2CYTO_REFERENCE = {value}: no such folder"
    return folder


@pytest.fixture(scope="session")
def validation() -> Callable[[str], ModuleType]:
    """Load a script of the folder ``validation`` by its name, as a module."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).parents[1] / "validation" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"validation_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # dataclasses look their module up
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the project's after the demo: ``gating`` and a small ``il2cyto-demo`` with results."""
    from il2cyto.simulate import simulate_trial
    from il2cyto.steps.run import run_study
    from il2cyto.study import read_study

    folder = tmp_path_factory.mktemp("demo")
    (folder / "gating").symlink_to(Path(__file__).parents[1] / "gating")
    demo = folder / "il2cyto-demo"
    trial = simulate_trial(demo, n_subjects=2, lymphocytes=3_000, tbnk_lymphocytes=3_000)
    run_study(read_study(trial.study), demo / "results")
    return folder
